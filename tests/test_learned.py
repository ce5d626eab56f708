"""The learned scorer: its features, its trees, its file, and its training from end to end."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.edge.config import open_scorer
from interpreters.edge.settings import read_settings
from interpreters.gemma.learned import SHIPPED, learned, load_model
from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, TrainingExample
from tidepool.eff import run
from tidepool.effects.gemma import rate_node
from tidepool.errors import ConfigError, InvalidData
from tidepool.learned.calibration import rising_steps
from tidepool.learned.features import FEATURES, SCHEME, look
from tidepool.learned.scoring import Calibration, Said, read_model, rubric_of
from tidepool.learned.trees import Tree, read_tree, sum_of
from tidepool.testing.laws import operations
from tidepool.wire import dumps

REPOSITORY: Final = Path(__file__).parents[1]
SHIPPED_FILE: Final = REPOSITORY / "tidepool" / "learned" / SHIPPED
MOST_PACKED_BYTES: Final = 1_000_000

QUESTION: Final = QueryContext("What breaks if I rename `price` to `cost`?")
CALL: Final = NodeContext("shop.py:3", "def price(kind) -> int", "\n\n    return price(kind, rebate=2)")
APART: Final = NodeContext("shop.py:3", None, "\n\n    total += 1")


def feature(name: str, query: QueryContext, node: NodeContext) -> int:
    return look(query, node).values[FEATURES.index(name)]


def wire(**changed: Any) -> dict[str, Any]:
    """A model that says one thing of every node, as plain data."""
    head = {"base": 0.0, "trees": [[[], [], [], [], [2.0]]]}
    calibration = {"breaks_from": 0.5, "stays_below": 0.5, "rules": 0.0, "bounds": [0.0], "shares": [0.7]}
    plain = {"format": 1, "scheme": SCHEME, "heads": dict.fromkeys(("breaks", "risk", "relevance"), head)}
    return {**plain, "calibration": calibration, "card": {}, **changed}


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
    ],
)
def test_a_tree_that_cannot_be_walked_is_not_read(data: object, complaint: str) -> None:
    with pytest.raises(InvalidData, match=complaint):
        read_tree(data, 2)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.just(1.0)), min_size=1, max_size=200))
def test_calibrated_shares_only_rise_and_keep_the_whole(seen: list[tuple[float, bool, float]]) -> None:
    bounds, shares = rising_steps(seen)
    assert bounds == sorted(bounds) and shares == sorted(shares)
    calibration = Calibration(0.5, 0.5, 0.0, tuple(bounds), tuple(shares))
    if len({probability for probability, _, _ in seen}) == len(seen):
        told = sum(calibration.share(probability) for probability, _, _ in seen)
        assert told == pytest.approx(sum(was_so for _, was_so, _ in seen))


def test_the_reasoning_says_where_trees_and_rules_differ() -> None:
    view = look(QUESTION, CALL)
    calibration = Calibration(0.5, 0.5, 0.0, (0.0, 0.5), (0.1, 0.9))
    agreeing = rubric_of(Said(0.9, 5, 5), view, calibration)
    differing = rubric_of(Said(0.1, 2, 3), view, calibration)
    assert view.rubric.risk >= 4 and agreeing.reasoning == view.rubric.reasoning
    assert (agreeing.risk, agreeing.confidence, differing.risk, differing.relevance) == (5, 5, 2, 3)
    assert "10% had to change" in differing.reasoning


def test_the_shipped_model_is_small_and_says_what_it_was_made_from() -> None:
    assert SHIPPED_FILE.stat().st_size < MOST_PACKED_BYTES
    splits = load_model().card["splits"]
    names = [set(split["codebases"]) for split in splits.values()]
    assert set(splits) == {"train", "validation", "test"}
    assert len(set.union(*names)) == sum(map(len, names)), "a codebase is in two splits"


def test_the_shipped_model_does_better_on_its_test_split_than_the_rules() -> None:
    scores = load_model().card["splits"]["test"]
    assert scores["learned"]["breaks_recall"] > scores["heuristic"]["breaks_recall"]
    assert scores["learned"]["breaks_precision"] > scores["heuristic"]["breaks_precision"]


def test_a_call_of_what_is_renamed_is_rated_above_a_line_without_a_mention() -> None:
    call, apart = (run(rate_node(QUESTION, node), learned()) for node in (CALL, APART))
    assert call.risk >= 4 > apart.risk and call.relevance > apart.relevance


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"format": 2}, "format 1"),
        ({"scheme": "other"}, "train the model again"),
        ({"heads": {}}, "breaks, risk, relevance"),
        ({"calibration": {}}, "as many shares as bounds"),
        ({"calibration": {"bounds": [0.0], "shares": [None]}}, "a number"),
    ],
)
def test_a_model_that_cannot_be_used_is_not_read(changed: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidData, match=complaint):
        read_model(dumps(wire(**changed)))


@pytest.mark.parametrize("content", [b"no gzip", b"", gzip.compress(b"{}"), gzip.compress(b"{}" * 999)[:-9]])
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
    assert (rubric.relevance, rubric.risk, rubric.confidence) == (2, 4, 4)


@pytest.fixture
def asyncio_runner() -> Any:
    import asyncio

    with asyncio.Runner() as runner:
        yield runner


def example(number: int, codebase: str) -> TrainingExample:
    """Calls break, and other lines do not."""
    is_call = number % 2 == 0
    code = f"    return price({number})" if is_call else f"    total += {number}"
    node = NodeContext(f"src/shop{number}.py:3", None, f"\n\n{code}")
    rubric = Rubric(5, 5, 5, "It breaks") if is_call else Rubric(1, 1, 5, "It stays")
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return TrainingExample(QUESTION, node, rubric, when, Provenance(codebase=codebase, labeller="oracle"))


def a_set(folder: Path) -> Path:
    for split, count in (("train", 300), ("validation", 100), ("test", 40)):
        (folder / split).mkdir(parents=True)
        lines = [dumps(example(number, split)) for number in range(count)]
        (folder / split / "00000.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
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
    assert clean["heads"] == other["heads"]


def test_a_folder_without_a_set_is_told(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    ended = train(tmp_path, tmp_path / "model.json.gz")
    assert ended.returncode == 2 and "name a folder that `tidepool dataset build` wrote" in ended.stderr


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
