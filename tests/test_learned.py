"""The learned scorer: its features, its trees, its file, and its training from end to end."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.edge.config import open_scorer
from interpreters.edge.settings import read_settings
from interpreters.edge.training.embedded import Part, agreement, folds_of
from interpreters.gemma.learned import MOST_BYTES, SHIPPED, learned, load_model
from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, TrainingExample
from tidepool.eff import run
from tidepool.effects.gemma import rate_node
from tidepool.errors import ConfigError, InvalidData
from tidepool.learned.calibration import LEAST_IN_STEP, rising_steps
from tidepool.learned.features import FEATURES, SCHEME, look
from tidepool.learned.scoring import Calibration, read_model, rubric_of
from tidepool.learned.trees import Tree, read_tree, sum_of
from tidepool.testing.laws import operations
from tidepool.wire import dumps, loads

REPOSITORY: Final = Path(__file__).parents[1]
SHIPPED_FILE: Final = REPOSITORY / "tidepool" / "learned" / SHIPPED
MOST_PACKED_BYTES: Final = 1_000_000

LABELLED: Final = Path(__file__).parent / "fixtures" / "labelled" / "tidepool.jsonl"
"""Every fourth of 400 places of this package from `tidepool dataset build`, with the checker's labels and seed 0."""

LOOKED: Final = Path(__file__).parent / "fixtures" / "labelled" / "looked.json"
"""What `look` says of every tenth of them: the features that are not 0."""

QUESTION: Final = QueryContext("What breaks if I rename `price` to `cost`?")
CALL: Final = NodeContext("shop.py:3", "def price(kind) -> int", "\n\n    return price(kind, rebate=2)")
APART: Final = NodeContext("shop.py:3", None, "\n\n    total += 1")


def feature(name: str, query: QueryContext, node: NodeContext) -> int:
    return look(query, node).values[FEATURES.index(name)]


def wire(**changed: Any) -> dict[str, Any]:
    """A model that says one thing of every node, as plain data."""
    calibration = {"breaks_from": 0.5, "stays_below": 0.5, "bounds": [0.0], "shares": [0.7]}
    plain = {"format": 2, "scheme": SCHEME, "trees": [[[], [], [], [], [2.0]]], "calibration": calibration}
    return {**plain, "card": {}, **changed}


def calibrated(**changed: Any) -> dict[str, Any]:
    """The change of a model's calibration."""
    return {"calibration": {**wire()["calibration"], **changed}}


def labelled() -> list[TrainingExample]:
    return [loads(TrainingExample, line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]


@given(operations)
def test_every_node_has_every_feature_as_a_whole_number(op: Any) -> None:
    values = look(op.query, op.node).values
    assert len(values) == len(FEATURES) == len(set(FEATURES))
    assert {type(value) for value in values} <= {int, bool} and min(values) >= 0


@pytest.mark.parametrize(
    ("name", "of_call", "of_another"),
    [
        ("target_on_line", 1, 0),
        ("target_called", 1, 0),
        ("call_arguments", 2, 0),
        ("call_keywords", 1, 0),
        ("line_returns", 1, 0),
        ("hover_is_function", 1, 0),
        ("line_indent", 4, 4),
        ("has_new_name", 1, 1),
    ],
)
def test_a_feature_tells_a_call_from_a_line_that_has_nothing_to_do_with_it(
    name: str, of_call: int, of_another: int
) -> None:
    assert (feature(name, QUESTION, CALL), feature(name, QUESTION, APART)) == (of_call, of_another)


def test_a_walk_goes_left_where_a_value_is_at_most_the_threshold() -> None:
    tree = Tree((1, 0), (5, 2), (1, -1), (-3, -2), (10.0, 20.0, 30.0))
    assert [sum_of([tree], row) for row in ([2, 5], [3, 5], [0, 6])] == [10, 20, 30]
    assert sum_of([tree, tree], [2, 5]) == 20


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("no lists", "five lists"),
        ([[0], [1], [0], [-1], [1.0, 2.0]], "later nodes"),
        ([[0], [1], [-1], [-3], [1.0, 2.0]], "later nodes"),
        ([[9], [1], [-1], [-2], [1.0, 2.0]], "from 0 to 1"),
        ([[0], [1.5], [-1], [-2], [1.0, 2.0]], "whole numbers"),
        ([[0], [1], [-1], [-2], [1.0]], "one leaf more"),
        ([[0], [1], [-1], [-2], [1.0, "2"]], "numbers"),
        ([[0], [1], [-1], [-2], [1.0, float("inf")]], "numbers from -1000000 to 1000000"),
        ([[0], [1], [-1], [-2], [1.0, float("nan")]], "numbers from"),
        ([[0], [1], [-1], [-2], [1.0, 10**400]], "numbers from"),
    ],
)
def test_a_tree_that_cannot_be_walked_is_not_read(data: object, complaint: str) -> None:
    with pytest.raises(InvalidData, match=complaint):
        read_tree(data, 2)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.just(1.0)), min_size=1, max_size=200))
def test_calibrated_shares_only_rise_and_keep_the_whole(seen: list[tuple[float, bool, float]]) -> None:
    bounds, shares = rising_steps(seen)
    assert bounds == sorted(set(bounds)) and shares == sorted(shares)
    calibration = Calibration(0.5, 0.5, tuple(bounds), tuple(shares))
    told = sum(calibration.share(probability) for probability, _, _ in seen)
    assert told == pytest.approx(sum(was_so for _, was_so, _ in seen))


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), st.booleans(), st.floats(0.1, 9)), min_size=1))
def test_every_step_weighs_enough_unless_all_of_it_does_not(seen: list[tuple[float, bool, float]]) -> None:
    bounds, shares = rising_steps(seen)
    calibration = Calibration(0.5, 0.5, tuple(bounds), tuple(shares))
    weights = dict.fromkeys(shares, 0.0)
    for probability, _, weight in seen:
        weights[calibration.share(probability)] += weight
    assert len(shares) == 1 or min(weights.values()) >= LEAST_IN_STEP - 1e-9


def test_places_of_one_probability_are_in_one_step_whatever_they_came_to() -> None:
    assert rising_steps([(0.5, False, 1.0)] * 100 + [(0.5, True, 1.0)] * 100) == ([0.5], [0.5])


def test_steps_rise_at_the_middle_between_what_was_seen_and_a_small_last_one_is_none() -> None:
    few = [(0.9, True, 1.0)] * 10
    low, high = [(0.2, False, 1.0)] * 30, [(0.6, False, 1.0)] * 10 + [(0.6, True, 1.0)] * 30
    assert rising_steps([*high, *low]) == ([0.2, 0.4], [0.0, 0.75])
    assert rising_steps([*few, *high, *low]) == ([0.2, 0.4], [0.0, 0.8])
    falling = [(0.7, False, 1.0)] * 40
    assert rising_steps([*low, *high, *falling]) == ([0.2, 0.4], [0.0, 30 / 80])


def test_the_reasoning_says_where_trees_and_rules_differ() -> None:
    view = look(QUESTION, CALL)
    calibration = Calibration(0.5, 0.5, (0.0, 0.5), (0.1, 0.9))
    agreeing, differing = (rubric_of(probability, view, calibration) for probability in (0.9, 0.1))
    rules = view.rubric
    assert rules.risk == 5 and agreeing.reasoning == rules.reasoning
    assert (agreeing.risk, agreeing.confidence, differing.risk, differing.relevance) == (5, 5, 3, rules.relevance)
    assert "10% had to change" in differing.reasoning


@pytest.mark.parametrize(("probability", "risk"), [(0.29, 3), (0.3, 5), (0.95, 5)])
def test_what_the_rules_let_break_stays_only_below_its_threshold(probability: float, risk: int) -> None:
    view = look(QUESTION, CALL)
    assert rubric_of(probability, view, Calibration(0.9, 0.3, (0.0,), (0.5,))).risk == risk


@pytest.mark.parametrize(("probability", "risk"), [(0.1, 1), (0.89, 1), (0.9, 4)])
def test_what_the_rules_let_stay_breaks_only_from_its_threshold(probability: float, risk: int) -> None:
    view = look(QUESTION, APART)
    assert view.rubric.risk == 1
    assert rubric_of(probability, view, Calibration(0.9, 0.3, (0.0,), (0.5,))).risk == risk


def test_features_say_of_fixed_places_what_they_said_when_the_model_was_trained() -> None:
    looked = json.loads(LOOKED.read_text(encoding="utf-8"))
    views = [look(one.query, one.node).values for one in labelled()[::10]]
    found = [{name: int(value) for name, value in zip(FEATURES, values, strict=True) if value} for values in views]
    assert found == looked["views"], "a feature means something else: train the shipped model again"
    assert looked["scheme"] == SCHEME


def test_the_shipped_model_is_small_and_says_what_it_was_made_from() -> None:
    assert SHIPPED_FILE.stat().st_size < MOST_PACKED_BYTES
    splits = load_model().card["splits"]
    names = [set(split["codebases"]) for split in splits.values()]
    assert set(splits) == {"train", "validation", "test"}
    assert len(set.union(*names)) == sum(map(len, names)), "a codebase is in two splits"


def test_the_shipped_model_is_right_more_often_than_the_rules_on_code_that_it_has_not_seen() -> None:
    examples = labelled()
    splits = load_model().card["splits"].values()
    assert not {"tidepool", "semantic-scout"} & {name for split in splits for name in split["codebases"]}
    labels = [one.rubric for one in examples]
    rated = [run(rate_node(one.query, one.node), learned()) for one in examples]
    rules = [look(one.query, one.node).rubric for one in examples]
    by_model, by_rules = agreement(rated, labels), agreement(rules, labels)
    assert by_model["breaks_precision"] >= 0.95 > by_rules["breaks_precision"]
    assert by_model["breaks_recall"] >= by_rules["breaks_recall"] > 0.7


def test_the_shipped_model_is_sure_where_it_is_right() -> None:
    examples = labelled()
    rated = [run(rate_node(one.query, one.node), learned()) for one in examples]
    right = [(found.risk >= 4) == (one.rubric.risk >= 4) for found, one in zip(rated, examples, strict=True)]
    sure = [was_right for found, was_right in zip(rated, right, strict=True) if found.confidence == 5]
    unsure = [was_right for found, was_right in zip(rated, right, strict=True) if found.confidence < 4]
    assert len(sure) > 50 and sum(sure) / len(sure) > 0.9 > sum(unsure) / len(unsure)


def test_a_call_of_what_is_renamed_is_rated_above_a_line_without_a_mention() -> None:
    call, apart = (run(rate_node(QUESTION, node), learned()) for node in (CALL, APART))
    assert call.risk >= 4 > apart.risk and call.relevance > apart.relevance


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"format": 1}, "format 2"),
        ({"scheme": "other"}, "train the model again"),
        ({"trees": {}}, "a list"),
        ({"trees": [[[], [], [], [], [10**400]]]}, "a leaf"),
        ({"calibration": {}}, "a list of numbers"),
        (calibrated(bounds=[0.0, 0.5]), "as many shares as bounds, 2"),
        (calibrated(bounds=[0.5, 0.1], shares=[0.1, 0.9]), "numbers that rise"),
        (calibrated(bounds=[0.1, 0.5], shares=[0.9, 0.1]), "numbers that rise"),
        (calibrated(shares=[None]), "a number from 0 to 1"),
        (calibrated(shares=[1.5]), "a number from 0 to 1"),
        (calibrated(breaks_from=10**400), "a number from 0 to 1"),
        (calibrated(stays_below=-0.1), "a number from 0 to 1"),
    ],
)
def test_a_model_that_cannot_be_used_is_not_read(changed: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidData, match=complaint):
        read_model(dumps(wire(**changed)))


def test_a_leaf_that_is_no_number_of_ours_is_not_read() -> None:
    text = dumps(wire())
    assert read_model(text).rate(QUESTION, CALL).risk == 5
    with pytest.raises(InvalidData, match="a leaf"):
        read_model(text.replace("[2.0]", "[1e999]"))


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        b"",
        gzip.compress(b"{}"),
        gzip.compress(b"{}" * 999)[:-9],
        gzip.compress(b" " * MOST_BYTES + dumps(wire()).encode()),
    ],
    ids=["no gzip", "nothing", "no model", "half of one", "too large"],
)
def test_a_file_that_holds_no_model_is_told_with_what_to_do(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.json.gz"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="name one that `tidepool train embedded` wrote"):
        learned(file)


def test_the_configured_model_is_the_one_that_rates(tmp_path: Path, asyncio_runner: Any) -> None:
    file = tmp_path / "model.json.gz"
    file.write_bytes(gzip.compress(dumps(wire()).encode()))
    settings = read_settings(None, {"HOME": str(tmp_path), "TIDEPOOL_LEARNED_MODEL": str(file)}, {})

    async def rated() -> Rubric:
        async with open_scorer("learned", settings) as scorer:
            return run(rate_node(QUESTION, APART), scorer)  # type: ignore[arg-type]

    rubric = asyncio_runner.run(rated())
    assert (rubric.relevance, rubric.risk, rubric.confidence) == (1, 4, 4)


@pytest.fixture
def asyncio_runner() -> Any:
    import asyncio

    with asyncio.Runner() as runner:
        yield runner


def example(
    number: int,
    codebase: str,
    breaks: Callable[[int], bool] = lambda number: number % 2 == 0,
    hover: str | None = None,
    labeller: str | None = "oracle",
    confidence: int = 5,
) -> TrainingExample:
    """A place that is a call where the number is even, and has to change where it `breaks`: calls, unless told."""
    code = f"    return price({number})" if number % 2 == 0 else f"    total += {number}"
    node = NodeContext(f"src/shop{number}.py:3", hover, f"\n\n{code}")
    rubric = Rubric(5, 5, confidence, "It breaks") if breaks(number) else Rubric(1, 1, confidence, "It stays")
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return TrainingExample(QUESTION, node, rubric, when, Provenance(codebase=codebase, labeller=labeller))


def written(folder: Path, split: str, examples: Iterable[TrainingExample]) -> Path:
    (folder / split).mkdir(parents=True)
    lines = [dumps(one) for one in examples]
    (folder / split / "00000.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def a_set(folder: Path) -> Path:
    for split, count in (("train", 300), ("validation", 100), ("test", 40)):
        written(folder, split, (example(number, split) for number in range(count)))
    return folder


def train(data: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interpreters.edge.tidepool_cli", "train", "embedded"]
    command += ["--data", str(data), "--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ}, cwd=REPOSITORY, check=False)


def test_training_twice_gives_the_same_bytes_and_a_scorer_that_has_learnt(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    data = a_set(tmp_path / "data")
    ended = [train(data, tmp_path / name, "--seed", "3") for name in ("one.json.gz", "two.json.gz")]
    assert [one.returncode for one in ended] == [0, 0], ended[0].stderr
    assert (tmp_path / "one.json.gz").read_bytes() == (tmp_path / "two.json.gz").read_bytes()
    scorer = learned(tmp_path / "one.json.gz")
    for number in (1000, 1001):
        asked = example(number, "unseen")
        found = run(rate_node(asked.query, asked.node), scorer)
        assert (found.risk >= 4) == (asked.rubric.risk >= 4)


def test_rows_that_cannot_be_read_are_counted_and_shape_nothing(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    data = a_set(tmp_path / "data")
    assert train(data, tmp_path / "clean.json.gz").returncode == 0
    shard = data / "train" / "00000.jsonl"
    hostile = json.loads(dumps(example(0, "train")))
    hostile["rubric"]["risk"] = 9
    lines = [json.dumps(hostile), "no JSON", json.dumps(hostile)]
    shard.write_text(shard.read_text(encoding="utf-8") + "\n".join(lines) + "\n", encoding="utf-8")
    ended = train(data, tmp_path / "other.json.gz")
    assert ended.returncode == 0 and "2 rows are left out, their rubric.risk" in ended.stderr, ended.stderr
    clean, other = (
        json.loads(gzip.decompress((tmp_path / name).read_bytes())) for name in ("clean.json.gz", "other.json.gz")
    )
    assert clean["trees"] == other["trees"]


def test_a_folder_without_a_set_is_told(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    ended = train(tmp_path, tmp_path / "model.json.gz")
    assert ended.returncode == 2 and "name a folder that `tidepool dataset build` wrote" in ended.stderr


def test_how_sure_a_model_is_comes_from_codebases_that_its_trees_have_not_seen(tmp_path: Path) -> None:
    """Calls break in one codebase and not in the other, and the hover text tells which it is.

    Trees that know both are always right. Those that know the second alone say 0 of all 200 places of the first, of
    which 100 break; those that know the first alone call the second's calls likely, and none of its 200 places break.
    So no probability is worth more than another, and 100 places of 400 break.
    """
    pytest.importorskip("lightgbm")
    data = tmp_path / "data"
    first = [example(number, "first", hover="def price(kind) -> int") for number in range(200)]
    second = [example(number, "second", breaks=lambda _: False) for number in range(200)]
    written(data, "train", [*first, *second])
    written(data, "validation", [*first[:40], *second[:40]])
    assert train(data, tmp_path / "model.json.gz").returncode == 0
    model = load_model(tmp_path / "model.json.gz")
    likely, unlikely = (model.say(look(QUESTION, some[0].node).values) for some in (first, second))
    assert likely > 0.9 and unlikely < 0.1
    assert (model.calibration.shares, model.card["calibrated"]) == ((0.25,), "2 folds of train")


def test_with_one_codebase_to_train_on_validation_says_how_sure_a_model_is(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    data = written(tmp_path / "data", "train", (example(number, "first") for number in range(300)))
    written(data, "validation", (example(number, "other", breaks=lambda at: at % 4 == 0) for number in range(400)))
    assert train(data, tmp_path / "model.json.gz").returncode == 0
    model = load_model(tmp_path / "model.json.gz")
    assert (model.calibration.shares, model.card["calibrated"]) == ((0.0, 0.5), "validation")


def test_one_codebase_alone_is_not_trained_on(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    data = written(tmp_path / "data", "train", (example(number, "first") for number in range(300)))
    ended = train(data, tmp_path / "model.json.gz")
    assert ended.returncode == 2 and "nothing says how sure the model may be: build a set of more" in ended.stderr
    assert not (tmp_path / "model.json.gz").exists()


def test_a_higher_digit_of_the_rules_never_makes_a_break_less_likely(tmp_path: Path) -> None:
    """Here the rules are wrong of every place, and trees may not learn to take them for their opposite."""
    pytest.importorskip("lightgbm")
    data = tmp_path / "data"
    for split, count in (("train", 300), ("validation", 100)):
        written(data, split, (example(number, split, breaks=lambda at: at % 2 == 1) for number in range(count)))
    assert train(data, tmp_path / "model.json.gz").returncode == 0
    model = load_model(tmp_path / "model.json.gz")
    for node in (CALL, APART):
        values = list(look(QUESTION, node).values)
        for name in ("rule_relevance", "rule_risk"):
            said = [
                model.say([*values[: (at := FEATURES.index(name))], digit, *values[at + 1 :]]) for digit in range(6)
            ]
            assert said == sorted(said)


def test_an_example_weighs_what_its_labeller_is_trusted_and_how_sure_it_was() -> None:
    part = Part()
    for labeller, confidence in (("person", 5), ("oracle", 2), ("mixed", 5), ("heuristic", 5), ("elf", 4), (None, 5)):
        part.add(example(0, "shop", labeller=labeller, confidence=confidence))
    part.add(attrs.evolve(example(0, "shop"), provenance=None))
    assert part.weights == pytest.approx([3, 0.4, 1, 0.3, 0.4, 0.5, 0.5])


def test_weights_shape_what_is_learnt(tmp_path: Path) -> None:
    """The checker says that calls break, and rules whose word weighs less say half again as often that none does."""
    pytest.importorskip("lightgbm")
    data = tmp_path / "data"
    for split in ("train", "validation"):
        rules = (example(number, split, breaks=lambda _: False, labeller="heuristic") for number in range(600))
        written(data, split, [*(example(number, split) for number in range(400)), *rules])
    assert train(data, tmp_path / "model.json.gz").returncode == 0
    model = load_model(tmp_path / "model.json.gz")
    said = model.say(look(QUESTION, example(0, "").node).values)
    assert said == pytest.approx(200 / (200 + 0.3 * 300), abs=0.06)


def test_codebases_are_dealt_into_parts_of_much_the_same_size() -> None:
    codebases = ["a"] * 9 + ["b"] * 5 + ["c"] * 4 + ["d"] * 3 + ["e"] * 2 + ["f"] * 2
    assert folds_of(codebases) == [{"a"}, {"b"}, {"c", "f"}, {"d", "e"}]
    assert folds_of(["a", "b", "a"]) == [{"a"}, {"b"}] and folds_of(["a"]) == [{"a"}]


def test_agreement_is_of_what_is_said_to_break_and_of_what_does() -> None:
    said = [Rubric(5, risk, 5, "") for risk in (5, 4, 4, 1, 1)]
    labels = [Rubric(relevance, risk, 5, "") for relevance, risk in ((5, 5), (5, 5), (1, 3), (1, 5), (5, 1))]
    assert agreement(said, labels) == {
        "breaks_precision": 0.6667,
        "breaks_recall": 0.6667,
        "risk_exact": 0.4,
        "relevance_exact": 0.6,
    }
    assert agreement(said[3:], labels[3:])["breaks_precision"] == 0


def test_a_model_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    data = a_set(tmp_path / "data")
    (tmp_path / "out").mkdir()
    ended = train(data, tmp_path / "out")
    assert ended.returncode == 2 and "out cannot be written" in ended.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data", "out"]


def test_a_walk_in_a_file_says_what_the_library_says() -> None:
    lightgbm, numpy = pytest.importorskip("lightgbm"), pytest.importorskip("numpy")
    from interpreters.edge.training.embedded import flat_tree

    rows = numpy.random.default_rng(0).integers(0, 20, size=(400, 4)).astype(float)
    goals = rows[:, 0] * 2 + (rows[:, 1] > 7) * rows[:, 2]
    parameters = {"num_leaves": 12, "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, goals), 20)
    trees = [read_tree(flat_tree(tree["tree_structure"]), 4) for tree in booster.dump_model()["tree_info"]]
    ours = [sum_of(trees, [int(value) for value in row]) for row in rows]
    assert ours == pytest.approx(booster.predict(rows), rel=1e-3, abs=1e-3)


def test_a_codebase_in_two_splits_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    from interpreters.edge.training.embedded import Part, tell_of_leaks

    tell_of_leaks({"train": Part(codebases=["shop", "bank", "shop"]), "test": Part(codebases=["shop"])})
    said = capsys.readouterr().err
    assert "shop stands in train and test: its scores look better than they are" in said
    assert "bank" not in said
