"""The loop: what it trains on, when it promotes, and that a version is whole whatever happens.

The learner here is a table: what is mostly said of code that begins with a word.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final

import attrs
import pytest

from interpreters.edge.dataset.reading import read_examples
from interpreters.edge.home import Home, Version, current_model, digest_of
from interpreters.edge.keeping import keep
from interpreters.edge.training import loop, rollback, versions
from interpreters.edge.training.learners import Learner, Scorer
from interpreters.edge.training.rebuilding import freeze, rebuild, same_codebase
from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, Tag, TrainingExample
from tidepool.effects.gemma import RateNode
from tidepool.errors import ConfigError, Unavailable
from tidepool.wire import dumps, loads, parse

ROOT: Final = Path(__file__).parent.parent
TAGS: Final = (Tag.FUNCTION, Tag.MODULE)
BREAKS: Final = Rubric(5, 5, 5, "it breaks")
STAYS: Final = Rubric(1, 1, 5, "it does not")


def example(codebase: str, number: int, labeller: str | None = "mixed", *, is_right: bool = True) -> TrainingExample:
    """One of a question of its own, whose code is like no other's but for its first word, which says what is right."""
    words = " ".join(f"w{sha256(f'{codebase} {number} {at}'.encode()).hexdigest()[:8]}" for at in range(30))
    breaks = number % 4 < 2
    query = QueryContext(f"rename f{number} to g", (TAGS[number % 2],))
    node = NodeContext(f"a.py:{number + 1}", None, f"{'breaks' if breaks else 'stays'} {words}")
    rubric = BREAKS if breaks is is_right else STAYS
    origin = Provenance(codebase=codebase, labeller=labeller)
    return TrainingExample(query, node, rubric, datetime(2026, 1, 1, tzinfo=UTC), origin)


def write(folder: Path, split: str, examples: Iterable[TrainingExample]) -> None:
    (folder / split).mkdir(parents=True)
    (folder / split / "00000.jsonl").write_text("".join(f"{dumps(one)}\n" for one in examples))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """What it says of the code to train on is wrong throughout; what it says of its test set is right."""
    write(tmp_path / "base", "train", [example("shop", number, is_right=False) for number in range(40)])
    write(tmp_path / "base", "validation", [example("mill", number, is_right=False) for number in range(4)])
    write(tmp_path / "base", "test", [example("bank", number) for number in range(20)])
    return tmp_path / "base"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def train(data: Path, out: Path, _seed: int) -> None:
    """What is mostly said of each first word."""
    said: dict[str, Counter[tuple[int, int]]] = {}
    for _, one in read_examples(data, ("train",)):
        said.setdefault(first_word(one.node), Counter())[one.rubric.relevance, one.rubric.risk] += 1
    out.write_text(dumps({word: counts.most_common(1)[0][0] for word, counts in said.items()}))


def first_word(node: NodeContext) -> str:
    return node.snippet.split()[0]


def opened(model: Path | None) -> Scorer:
    """What is shipped says 3 of everything."""
    table = {"breaks": (3, 3), "stays": (3, 3)} if model is None else parse(model.read_bytes())

    def rated(op: RateNode) -> Rubric:
        relevance, risk = table[first_word(op.node)]
        return Rubric(relevance, risk, 3, "")

    return RateNode.by(rated)


LEARNER: Final = Learner("table", "model.json", train, opened)


def go_round(home: Home, base: Path, seed: int = 0) -> int:
    return loop.go_round(home, base, home.folder / "kept", LEARNER, seed)


def kept(home: Home, *examples: TrainingExample) -> None:
    keep(examples, home.folder / "kept")


def current(home: Home) -> Version:
    version = home.current()
    assert version is not None
    return version


def all_of(home: Home) -> list[Version]:
    def complain(why: ConfigError) -> None:
        raise why

    return home.versions(complain)


def call(verb: ModuleType, *words: str) -> int:
    parser = ArgumentParser()
    verb.flags(parser)
    arguments: Namespace = parser.parse_args(words)
    code: int = verb.main(arguments)
    return code


NEWS: Final = [example("news", number, "oracle") for number in range(60)]


def test_a_worse_model_is_not_promoted_and_the_reason_is_told(
    home: Home, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go_round(home, base) == 1
    said = capsys.readouterr().err
    assert "shipped stays current: it is worse beyond noise: overall (-0.5000)" in said
    assert home.current() is None and all_of(home) == []
    (attempt,) = loop.read_history(home)
    assert attempt.version is None and {one.part for one in attempt.standings} == {"overall", "Function", "Module"}


def test_what_was_kept_since_makes_a_model_that_is_promoted(
    home: Home, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(home, *NEWS)
    assert go_round(home, base) == 0
    assert "60 kept examples put to the base set" in capsys.readouterr().err
    version = current(home)
    assert version.name.startswith("0001-") and version.name.endswith(version.data_sha256[:8])
    assert version.parent == "shipped" and version.model_sha256 == digest_of(home.model_of(version))
    assert [(one.before, one.after) for one in version.standings] == [(0.5, 1.0)] * 3
    assert not (home.folder / "work").exists()


def test_the_same_data_are_not_tried_twice(home: Home, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (go_round(home, base), go_round(home, base)) == (1, 3)
    assert "nothing is new: a model that was trained on the same was not promoted, since it is worse" in (
        capsys.readouterr().err
    )
    kept(home, *NEWS)
    assert (go_round(home, base), go_round(home, base)) == (0, 3)
    assert f"nothing is new: {current(home).name} was trained on the same" in capsys.readouterr().err
    assert len(loop.read_history(home)) == 2


def test_nothing_of_a_codebase_that_is_tested_on_is_trained_on(
    home: Home, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(home, *(example("Bank-2.0", number, "oracle") for number in range(100, 130)))
    go_round(home, base)
    assert "30 kept examples left out: of a codebase that models are tested on" in capsys.readouterr().err
    data = list(read_examples(home.folder / "data"))
    assert {split for split, one in data if one.provenance and "bank" in str(one.provenance.codebase).lower()} == {
        "test"
    }


def test_code_nearly_the_same_as_in_the_test_set_is_not_trained_on(home: Home, base: Path) -> None:
    copied = attrs.evolve(example("bank", 3, "oracle"), provenance=Provenance("fork", labeller="oracle"))
    frozen = freeze(base, home.folder / "frozen")
    rebuild(base, [copied, *NEWS[:5]], frozen, home.folder / "data", seed=0)
    names = {one.provenance.codebase for _, one in read_examples(home.folder / "data", ("train",)) if one.provenance}
    assert names == {"shop", "news"}


def test_the_test_set_stays_as_it_was_when_the_base_set_changes(home: Home, base: Path) -> None:
    go_round(home, base)
    frozen = (home.folder / "frozen/test/00000.jsonl").read_bytes()
    write(base.with_name("next"), "train", [example("bank", n) for n in range(50, 90)])
    write(base.with_name("next"), "test", [example("shop", n) for n in range(20)])
    with pytest.raises(ConfigError):  # nothing is left to train on: its codebase is tested on
        go_round(home, base.with_name("next"))
    assert (home.folder / "frozen/test/00000.jsonl").read_bytes() == frozen


def test_a_models_own_word_is_no_label_and_a_persons_wins(home: Home, base: Path) -> None:
    own, told = example("news", 1, None), example("news", 2, "oracle")
    person = attrs.evolve(told, rubric=BREAKS, provenance=Provenance("news", labeller="person"))
    frozen = freeze(base, home.folder / "frozen")
    rebuilt = rebuild(base, [own, person, told], frozen, home.folder / "data", seed=0)
    assert rebuilt.added == 1
    assert sum(rebuilt.left_out.values()) == 2
    news = [
        one.rubric
        for _, one in read_examples(home.folder / "data", ("train",))
        if one.provenance and one.provenance.codebase == "news"
    ]
    assert news == [BREAKS]


def test_what_a_person_said_of_the_rebuilt_set_counts_in_the_next_one(home: Home, base: Path) -> None:
    frozen = freeze(base, home.folder / "frozen")
    rebuild(base, NEWS[:3], frozen, home.folder / "data", seed=0)
    said = attrs.evolve(NEWS[1], rubric=Rubric(2, 2, 5, ""), provenance=Provenance("news", labeller="person"))
    (home.folder / "data/corrections.jsonl").write_text(f"{dumps(said)}\n")
    rebuild(base, NEWS[:3], frozen, home.folder / "data", seed=0)
    lines = (home.folder / "data/train/00000.jsonl").read_text().splitlines()
    found = [one for one in (loads(TrainingExample, line) for line in lines) if one.query == said.query]
    assert any(one.rubric == said.rubric for one in found)


@pytest.mark.parametrize("name", ["starlette", "Starlette-1.10.0", "starlette_1.10"])
def test_a_codebase_is_known_by_its_name_however_it_is_written(name: str) -> None:
    assert same_codebase(name) == "starlette"


def test_versions_are_listed_and_an_earlier_one_is_gone_back_to(
    home: Home, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--home", str(home.folder))
    assert call(versions, *where) == 3
    assert "the shipped model is current" in capsys.readouterr().err
    kept(home, *NEWS)
    assert go_round(home, base) == 0
    first = current(home).name
    kept(home, *(example("news", number, "oracle") for number in range(60, 70)))
    assert go_round(home, base) == 0
    second = current(home).name
    assert (second[:4], current(home).parent) == ("0002", first)
    assert call(rollback, first, *where) == 0 and current(home).name == first
    capsys.readouterr()
    assert call(versions, *where) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:-7] for line in lines] == [["*", first, "shipped"], [second, first]]
    assert call(versions, *where, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["current"] == first and [one["name"] for one in found["versions"]] == [first, second]
    assert call(rollback, "shipped", *where) == 0 and home.current() is None


@pytest.mark.parametrize("name", ["0009-nothing", "../versions", "", ".0001"])
def test_a_version_that_is_not_there_cannot_be_gone_back_to(
    home: Home, base: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    kept(home, *NEWS)
    go_round(home, base)
    before = current(home)
    assert call(rollback, name, "--home", str(home.folder)) == 2
    assert f"has no version {name!r}: name one that `tidepool train versions` lists" in capsys.readouterr().err
    assert current(home) == before


def test_one_loop_runs_at_a_time(home: Home, base: Path) -> None:
    with home.held(), pytest.raises(ConfigError, match="is used by another process: wait for it"):
        go_round(home, base)


def test_the_current_model_is_found_in_the_users_folder(tmp_path: Path, base: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    assert current_model(environ) is None and current_model({}) is None
    home = Home(tmp_path / "tidepool")
    kept(home, *NEWS)
    go_round(home, base)
    assert current_model(environ) == home.model_of(current(home))
    home.model_of(current(home)).unlink()
    with pytest.raises(ConfigError, match=r"model\.json is gone: go back to another version"):
        current_model(environ)


def test_a_pointer_that_cannot_be_read_is_told(home: Home) -> None:
    home.folder.mkdir()
    (home.folder / "current.json").write_text("{")
    with pytest.raises(ConfigError, match=r"current\.json cannot be read .*tidepool train rollback NAME"):
        home.current()


def test_training_that_fails_leaves_everything_as_it_was(home: Home, base: Path) -> None:
    kept(home, *NEWS)
    go_round(home, base)
    before = current(home)
    kept(home, example("news", 99, "oracle"))
    silent = attrs.evolve(LEARNER, train=lambda _data, _out, _seed: None)
    with pytest.raises(ConfigError, match="made no model"):
        loop.go_round(home, base, home.folder / "kept", silent, 0)
    assert current(home) == before and not (home.folder / "work").exists()


def promoting(home: Home) -> None:
    """Promote version after version, and say so; what the process that is killed does."""
    home.folder.mkdir()
    for number in range(10_000):
        model = home.folder / "new.json"
        model.write_text(dumps([number] * 20_000))
        name = home.next_name(f"{number:08}")
        version = Version(name, "shipped", "", "table", 0, "", "", "model.json", digest_of(model), ())
        home.promote(version, model)
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


@pytest.mark.parametrize("promoted", [1, 2, 5])
def test_a_process_that_is_killed_while_it_promotes_leaves_a_whole_current_version(home: Home, promoted: int) -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests'); from test_loop import Home, promoting; from pathlib import Path\n"
        f"promoting(Home(Path({str(home.folder)!r})))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().decode().strip() for _ in range(promoted)]
        process.send_signal(signal.SIGKILL)
    version = current(home)
    assert version.name >= told[-1]
    assert digest_of(home.model_of(version)) == version.model_sha256
    assert all(digest_of(home.model_of(one)) == one.model_sha256 for one in all_of(home))


@pytest.mark.slow
def test_the_real_learner_goes_round(tmp_path: Path, base: Path) -> None:
    pytest.importorskip("lightgbm")
    if find_spec("interpreters.edge.training.embedded") is None:
        pytest.skip("the embedded learner is not there")
    words = ["train", "loop", "--data", str(base), "--home", str(tmp_path / "home")]
    ended = subprocess.run(
        [Path(sys.executable).with_name("tidepool"), *words],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in {0, 1}, ended.stderr
    assert "current" in ended.stderr.splitlines()[-1]


def test_what_a_person_corrects_in_the_rebuilt_set_counts_from_the_next_round_on(home: Home, base: Path) -> None:
    kept(home, *NEWS)
    assert go_round(home, base) == 0
    said = [attrs.evolve(one, rubric=BREAKS, provenance=Provenance(labeller="person")) for one in SHOP]
    (home.folder / "data" / "corrections.jsonl").write_text("".join(f"{dumps(one)}\n" for one in said))
    assert go_round(home, base) != 3
    trained = {one.node: one.rubric for _, one in read_examples(home.folder / "data", ("train",))}
    assert all(trained.get(one.node, BREAKS) == BREAKS for one in SHOP)
    assert any(one.node in trained for one in SHOP)


SHOP: Final = [example("shop", number, is_right=False) for number in range(40)]


def test_a_promotion_that_was_cut_short_is_finished(home: Home, base: Path) -> None:
    kept(home, *NEWS)
    assert go_round(home, base) == 0
    promoted = current(home)
    (home.folder / "current.json").unlink()
    (home.folder / "history.jsonl").unlink()
    assert home.current() is None
    assert go_round(home, base) == 3
    assert current(home) == promoted
    (attempt,) = loop.read_history(home)
    assert (attempt.version, attempt.why) == (promoted.name, "its promotion was cut short, and is finished")


def test_a_version_that_was_gone_back_from_stays_gone_back_from(home: Home, base: Path) -> None:
    kept(home, *NEWS)
    assert go_round(home, base) == 0
    home.point_to("shipped")
    assert go_round(home, base) == 3
    assert home.current() is None


@pytest.mark.parametrize("name", ["Bank-2.0", "bank_v3", "bank.git", "bank-main", "bank-2.0rc1"])
def test_the_base_sets_own_copy_of_a_codebase_that_is_tested_on_is_left_out(
    home: Home, tmp_path: Path, name: str
) -> None:
    write(tmp_path / "base", "train", [*SHOP, *(example(name, number) for number in range(20))])
    write(tmp_path / "base", "test", [example("bank", number) for number in range(20)])
    go_round(home, tmp_path / "base")
    rebuilt = [one.provenance for _, one in read_examples(home.folder / "data", ("train", "validation"))]
    assert rebuilt and all(origin is not None and origin.codebase == "shop" for origin in rebuilt)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("starlette-v1.2", "starlette"),
        ("Starlette_1.0rc1", "starlette"),
        ("starlette.git", "starlette"),
        ("starlette-main", "starlette"),
        ("poetry.core-2.1", "poetry-core"),
        ("h11", "h11"),
        ("base64", "base64"),
    ],
)
def test_a_version_a_branch_and_a_spelling_make_no_other_codebase(name: str, same: str) -> None:
    assert same_codebase(name) == same


def test_a_current_model_that_has_seen_the_test_set_is_told_of(
    home: Home, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner = attrs.evolve(LEARNER, trained_on=lambda _: frozenset({"Bank-1.0", "elsewhere"}))
    loop.go_round(home, base, home.folder / "kept", learner, 0)
    assert "the current model was trained on Bank-1.0, which it is judged by" in capsys.readouterr().err


def test_the_shipped_model_says_what_it_was_trained_on() -> None:
    from interpreters.gemma.learned import trained_on

    assert {"attrs", "httpx", "aiohttp"} <= trained_on()
    assert "starlette" not in trained_on()


def test_what_is_dropped_from_the_set_is_counted_and_told(
    home: Home, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(home, *(example("news", 4 * number, "oracle") for number in range(200)))
    go_round(home, base)
    said = capsys.readouterr().err
    trained = sum(1 for _ in read_examples(home.folder / "data", ("train",)))
    dropped = [int(line.split()[3]) for line in said.splitlines() if "examples of both dropped" in line]
    assert sum(dropped) == 40 + 4 + 20 + 200 - trained - 4 - 20


def test_an_empty_test_split_freezes_nothing(home: Home, tmp_path: Path, base: Path) -> None:
    write(tmp_path / "empty", "train", SHOP)
    write(tmp_path / "empty", "test", [])
    with pytest.raises(ConfigError, match="has no example to test with"):
        go_round(home, tmp_path / "empty")
    kept(home, *NEWS)
    assert go_round(home, base) == 0


@pytest.mark.parametrize("harm", ["cut", "another"])
def test_a_damaged_model_is_not_gone_back_to(home: Home, base: Path, harm: str) -> None:
    kept(home, *NEWS)
    go_round(home, base)
    version = current(home)
    file = home.model_of(version)
    file.write_bytes(file.read_bytes()[:-3] if harm == "cut" else b"{}")
    with pytest.raises(ConfigError, match="is damaged, or another model than was promoted"):
        home.point_to(version.name)


def test_a_version_that_cannot_be_read_is_passed_over_unless_it_is_current(
    home: Home, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(home, *NEWS)
    go_round(home, base)
    for name in ("0007-0123abcd", "²²²²-x", "0008-0123abcd"):
        (home.folder / "versions" / name).mkdir()
        (home.folder / "versions" / name / "version.json").write_text("{")
    other = dumps(attrs.evolve(current(home), name="../../../etc"))
    (home.folder / "versions" / "0008-0123abcd" / "version.json").write_text(other)
    assert call(versions, "--home", str(home.folder)) == 0
    said = capsys.readouterr()
    assert said.err.count("passed over") == 3
    assert "../../../etc" not in said.out
    assert home.next_name("f" * 64) == "0009-ffffffff"
    with pytest.raises(ConfigError, match="has no version"):
        home.version("a" * 300)


def test_a_pointer_that_leads_nowhere_does_not_mean_the_shipped_model(home: Home) -> None:
    home.folder.mkdir()
    (home.folder / "current.json").symlink_to(home.folder / "gone")
    with pytest.raises(ConfigError, match="cannot be read"):
        home.current()


def test_a_file_in_the_place_of_the_work_folder_is_no_hindrance(home: Home, base: Path) -> None:
    home.folder.mkdir()
    (home.folder / "work").write_text("a file")
    kept(home, *NEWS)
    assert go_round(home, base) == 0


def test_a_scorer_that_fails_is_told_in_a_sentence(home: Home, base: Path) -> None:
    def failing(_: RateNode) -> Rubric:
        raise Unavailable("table", "is gone: ask again")

    kept(home, *NEWS)
    learner = attrs.evolve(LEARNER, open=lambda _: RateNode.by(failing))
    with pytest.raises(Unavailable, match="table: is gone: ask again"):
        loop.go_round(home, base, home.folder / "kept", learner, 0)


def test_another_test_set_than_the_base_sets_is_told_of(
    home: Home, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.folder.mkdir()
    freeze(base, home.folder / "frozen")
    write(tmp_path / "other", "train", SHOP)
    write(tmp_path / "other", "test", [example("port", number) for number in range(20)])
    go_round(home, tmp_path / "other")
    assert "tested by what was frozen before, of bank, and not by" in capsys.readouterr().err


def test_a_base_set_of_tested_codebases_alone_is_told_to_be_one(home: Home, base: Path, tmp_path: Path) -> None:
    home.folder.mkdir()
    freeze(base, home.folder / "frozen")
    write(tmp_path / "other", "train", [example("bank-1.0", number) for number in range(20)])
    with pytest.raises(ConfigError, match="all of it is of codebases that are tested by"):
        go_round(home, tmp_path / "other")
