"""From questions to a set on disk: what it holds, what its card says, and what the check of it finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import weakref
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path

import attrs
import pytest

from interpreters.edge.dataset.assembly import ALIKE, TWICE, Summary, assemble
from interpreters.edge.dataset.check import faults, main
from interpreters.edge.dataset.reading import read_examples
from interpreters.edge.dataset.shards import CARD, README, parquet_of, read_parquet, write_shards
from tests.answers import NOON, answered, code, example, questions
from tidepool.domain import Provenance, Tag, TrainingExample
from tidepool.errors import ConfigError
from tidepool.training.answered import Answered
from tidepool.training.card import Facts
from tidepool.training.questions import STRATA
from tidepool.training.splits import SPLITS, TEST, TRAIN, VALIDATION
from tidepool.wire import dumps

BOOKS = [f"book{number}" for number in range(5)]
PINNED = {"book0": TEST, "book1": VALIDATION, "book2": TRAIN, "book3": TRAIN, "book4": TRAIN}
FACTS = Facts(title="A set", how="By hand.", versions={"tidepool": "1"}, made_at="today", seconds=3)

Start = Callable[[], Iterator[Answered]]


def made(out: Path, start: Start | None = None, examples: int = 450, facts: Facts = FACTS) -> Summary:
    return assemble(start or questions(BOOKS, each=1), out, examples=examples, seed=1, facts=facts, pinned=PINNED)


def with_more(*more: Answered) -> Start:
    return lambda: chain(more, questions(BOOKS, each=1)())


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def beside(folder: Path) -> list[str]:
    """What is in the folder that this one is in."""
    return [one.name for one in folder.parent.iterdir()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set that nobody changes."""
    out = tmp_path_factory.mktemp("sets") / "data"
    assert made(out).examples == 450
    return out


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """A set to change."""
    return Path(shutil.copytree(whole, tmp_path / "data"))


def test_a_set_has_its_splits_as_lines_and_as_parquet_with_two_cards(whole: Path) -> None:
    names = [f"{split}/00000.{kind}" for split in SPLITS for kind in ("jsonl", "parquet")]
    assert contents(whole).keys() == {*names, CARD, README}
    assert list(faults(whole)) == []


def test_every_codebase_is_in_the_split_that_was_chosen_and_every_stratum_even(whole: Path) -> None:
    read = list(read_examples(whole))
    assert {(one.provenance.codebase, split) for split, one in read if one.provenance} == set(PINNED.items())
    assert Counter(next(iter(one.query.tags), None) for _, one in read) == dict.fromkeys(STRATA, 50)


def test_the_same_questions_make_the_same_bytes_apart_from_times(whole: Path, tmp_path: Path) -> None:
    made(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(whole)

    def later() -> Iterator[Answered]:
        for one in questions(BOOKS, each=1)():
            at = NOON + timedelta(minutes=one.number)
            yield attrs.evolve(one, examples=tuple(attrs.evolve(each, timestamp=at) for each in one.examples))

    made(tmp_path / "later", later)
    cards = [json.loads((folder / CARD).read_text()) for folder in (whole, tmp_path / "later")]
    assert cards[0]["sha256"] == cards[1]["sha256"]
    assert cards[0]["shards"] != cards[1]["shards"]


def test_the_card_counts_what_is_in_the_set(whole: Path) -> None:
    card = json.loads((whole / CARD).read_text())
    assert (card["examples"], card["questions"], card["wanted"], card["seed"]) == (450, 45, 450, 1)
    assert card["counts"]["tag"] == dict.fromkeys([*Tag, "no tag"], 50)
    assert card["counts"]["split"] == {TEST: 90, TRAIN: 270, VALIDATION: 90}
    assert card["counts"]["licence"] == {"MIT": 450} and card["counts"]["change kind"] == {"rename": 450}
    assert 0.2 <= card["positives"]["share"] <= 0.6
    assert card["phrasings"]["different"] == 45 and card["phrasings"]["share"] <= card["phrasings"]["bound"] == 0.1
    assert card["short"] == {} and card["splits"] == PINNED


def test_the_card_for_people_says_it_too(whole: Path) -> None:
    text = (whole / README).read_text()
    assert text.startswith("---\n") and 'path: "train/*.parquet"' in text
    assert "450 rated places in code, the answers to 45 questions about 5 codebases" in text
    assert "| book0 | 90 | 20.0% | test |" in text and "By hand." in text and "by tidepool 1" in text
    assert "It falls short" not in text


def test_what_a_set_falls_short_of_is_told(tmp_path: Path) -> None:
    start: Start = lambda: iter([answered("book2", 0), answered("book0", 1)])  # noqa: E731
    summary = made(tmp_path / "data", start, facts=attrs.evolve(FACTS, sections={"Agreement": "They agree."}))
    assert "450 examples were wanted, and the codebases gave 24 that could be kept" in summary.warnings
    assert "Module lacks 50 examples to an even share of 50" in summary.warnings
    assert "no example is for validation" in summary.warnings
    assert "50% of the examples have one phrasing, where 10% is the most" in summary.warnings
    text = (tmp_path / "data" / README).read_text()
    assert all(warning in text for warning in summary.warnings) and "## Agreement\n\nThey agree." in text


def test_what_is_nearly_the_same_stays_where_it_is_held_out(tmp_path: Path) -> None:
    twin, other = code("twin"), code("other")
    started = with_more(
        Answered("book2", 900, "p", (example("book2", snippet=twin, location="c.py:1"),)),
        Answered("book1", 900, "p", (example("book1", snippet=f"  {twin}", location="b.py:1"),)),
        Answered("book0", 900, "p", (example("book0", snippet=twin, location="a.py:1"),)),
        Answered("book3", 901, "p", (example("book3", snippet=other, location="d.py:1"),)),
        Answered("book4", 901, "p", (example("book4", snippet=other, location="e.py:1"),)),
    )
    summary = made(tmp_path / "data", started, examples=1000)
    found = {one.node.location: split for split, one in read_examples(tmp_path / "data") if one.node.line == 1}
    assert found.items() >= {"a.py:1": TEST, "d.py:1": TRAIN, "e.py:1": TRAIN}.items()
    assert not {"b.py:1", "c.py:1"} & found.keys()
    assert summary.card["dropped"][ALIKE] == 2


def test_the_same_question_about_the_same_place_is_kept_once(tmp_path: Path) -> None:
    summary = made(tmp_path / "data", with_more(*questions(["book2"], each=1)()), examples=1000)
    assert summary.card["dropped"][TWICE] == 108
    kept = [one for _, one in read_examples(tmp_path / "data")]
    assert len({(one.query, one.node) for one in kept}) == len(kept) == 540


def test_secrets_are_not_written_and_are_counted(tmp_path: Path) -> None:
    key = "AKIA" + "IOSFODNN7" + "EXAMPLE"
    dirty = Answered("book2", 900, "p", (example("book2", snippet=f"{code('dirty')}\nkey = '{key}'"),))
    summary = made(tmp_path / "data", with_more(dirty), examples=1000)
    assert summary.card["secrets"] == {"AWS Access Key": 1}
    assert not any(key.encode() in data for data in contents(tmp_path / "data").values())
    assert "secrets replaced by a mark, AWS Access Key: 1" in (tmp_path / "data" / README).read_text()


def test_shards_hold_five_thousand_examples_at_most(tmp_path: Path) -> None:
    one = example()
    shards = list(write_shards(tmp_path, TRAIN, (attrs.evolve(one) for _ in range(5_001))))
    assert [(shard.name, shard.examples) for shard in shards] == [("train/00000.jsonl", 5000), ("train/00001.jsonl", 1)]


@pytest.mark.parametrize("origin", [None, Provenance("shop", disputed="no"), example().provenance])
def test_parquet_gives_back_what_was_written(origin: Provenance | None, tmp_path: Path) -> None:
    one = attrs.evolve(example(tag=None, hover='a "hover"\n\ttext ✓'), provenance=origin)
    other = attrs.evolve(example(hover=None, snippet=""), timestamp=NOON + timedelta(microseconds=7))
    (shard,) = write_shards(tmp_path, TEST, [one, other])
    assert read_parquet(parquet_of(tmp_path / shard.name)) == [one, other]


def test_what_was_there_is_replaced_at_the_end_and_what_is_no_part_of_a_set_stays(data: Path) -> None:
    (data / "corrections.jsonl").write_text("")
    (data / "rendered").mkdir()
    (data / "rendered/train.jsonl").write_text("{}\n")
    (data / "train/00009.jsonl").write_text("an older, longer set\n")

    def watched() -> Iterator[Answered]:
        assert (data / "train/00009.jsonl").exists()
        yield from questions(BOOKS, each=1)()

    made(data, watched)
    assert not (data / "train/00009.jsonl").exists()
    assert (data / "corrections.jsonl").exists() and (data / "rendered/train.jsonl").read_text() == "{}\n"
    assert beside(data) == ["data"]


def test_a_set_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(data: Path) -> None:
    before = contents(data)

    def broken() -> Iterator[Answered]:
        yield from questions(BOOKS, each=1)()
        raise ConfigError("the journal is broken")

    with pytest.raises(ConfigError, match="the journal is broken"):
        made(data, broken)
    assert contents(data) == before and beside(data) == ["data"]


def test_one_killed_between_two_renamings_is_made_good_by_the_next(data: Path) -> None:
    data.rename(data.with_name(".data.old"))
    shutil.copytree(data.with_name(".data.old"), data.with_name(".data.half"))
    with pytest.raises(ConfigError, match="stop here"):
        made(data, stopping)
    assert list(faults(data)) == [] and beside(data) == ["data"]


def stopping() -> Iterator[Answered]:
    raise ConfigError("stop here")
    yield


def test_another_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is there, and no dataset: name another folder with --out"):
        made(tmp_path / "data")
    assert contents(tmp_path) == {"data/thesis.txt": b"years of work"}


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"data cannot be written \(.+\): make room there, or name another folder"):
        made(tmp_path / "file" / "data")


FULL = """
import resource, sys
from pathlib import Path
from interpreters.edge.dataset.assembly import assemble
from tests.answers import questions
from tidepool.errors import ConfigError
from tidepool.training.card import Facts

resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    assemble(questions(["a", "b", "c"], each=9), Path(sys.argv[1]), examples=3000, seed=0, facts=Facts())
except ConfigError as error:
    sys.exit(str(error))
"""


def test_where_there_is_no_room_nothing_half_written_is_left(data: Path) -> None:
    before = contents(data)
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(data)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert "make room there, or" in ended.stderr
    assert contents(data) == before and beside(data) == ["data"]


def rewritten(data: Path, shard: str, change: Callable[[list[TrainingExample]], list[TrainingExample]]) -> list[str]:
    """What the check says of a set one of whose shards was written anew, with a card that knows of it."""
    split = shard.split("/", maxsplit=1)[0]
    examples = change([one for _, one in read_examples(data, (split,))])
    shutil.rmtree(data / split)
    written = list(write_shards(data, split, examples))
    card = json.loads((data / CARD).read_text())
    others = [one for one in card["shards"] if one["split"] != split]
    card["shards"] = [*others, *(attrs.asdict(one) for one in written)]
    (data / CARD).write_text(json.dumps(card))
    return list(faults(data))


def test_the_check_finds_a_codebase_in_two_splits(data: Path) -> None:
    found = rewritten(data, "train/00000.jsonl", lambda old: [*old, example("book0", asked="Who?")])
    assert found == ["the codebase book0 stands in test and train"]


def test_the_check_finds_near_duplicates_across_splits(data: Path) -> None:
    ((_, held), *_) = read_examples(data, (TEST,))
    node = attrs.evolve(held.node, location="z.py:9", snippet=f"    {held.node.snippet}")
    leak = attrs.evolve(example("book2"), node=node)
    found = rewritten(data, "train/00000.jsonl", lambda old: [*old, leak])
    assert found == ["train/00000.jsonl:271: z.py:9 says nearly the same as a place in test"]


def test_the_check_finds_what_is_there_twice(data: Path) -> None:
    found = rewritten(data, "train/00000.jsonl", lambda old: [*old, old[0]])
    assert found == ["train/00000.jsonl:271: the question about m0.py:1 was there before"]


def test_the_check_finds_a_rubric_out_of_range_and_the_changed_bytes(data: Path) -> None:
    file = data / "test/00000.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    lines[4] = lines[4].replace('"risk": ', '"risk": 1')
    file.write_text("".join(lines))
    found = list(faults(data))
    assert found[0] == "test/00000.jsonl has another hash than card.json says"
    assert found[1].startswith("test/00000.jsonl:5: rubric.risk: 1") and "a whole number from 1 to 5" in found[1]
    assert len(found) == 2


def test_the_check_finds_lines_that_cannot_be_read(data: Path) -> None:
    with (data / "test/00000.jsonl").open("a") as file:
        file.write('{"query": \n')
    assert any(fault.startswith("test/00000.jsonl:91: JSON text") for fault in faults(data))


def test_the_check_finds_parquet_that_says_something_else(data: Path) -> None:
    others = [one for _, one in read_examples(data, (TEST,))]
    others[6] = attrs.evolve(others[6], timestamp=NOON + timedelta(seconds=1))
    (data / "other").mkdir()
    (shard,) = write_shards(data / "other", TEST, others)
    parquet_of(data / "other" / shard.name).rename(data / "test/00000.parquet")
    assert list(faults(data)) == [
        "test/00000.parquet has another hash than card.json says",
        "test/00000.jsonl: 00000.parquet holds another example than line 7",
    ]
    (data / "test/00000.parquet").write_bytes(b"PAR1")
    assert "00000.parquet cannot be read as examples" in list(faults(data))[-1]


def test_the_check_finds_files_that_are_missing_or_too_many(data: Path) -> None:
    (data / "test/00000.parquet").unlink()
    (data / "test/00001.jsonl").write_text(f"{dumps(example('book0'))}\n")
    assert list(faults(data)) == ["test/00000.parquet is missing", "test/00001.jsonl is not in card.json"]


def check(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The exit code of the check, and what it prints on standard output and standard error."""
    return main(Namespace(folder=folder)), *capsys.readouterr()


def test_the_check_ends_with_what_it_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(data, capsys) == (0, "", f"tidepool dataset check: {data} is in order\n")
    (data / "test/00000.parquet").unlink()
    code, out, err = check(data, capsys)
    assert (code, out) == (1, "test/00000.parquet is missing\n") and "has 1 fault: build it again" in err
    code, out, err = check(data / "nowhere", capsys)
    assert (code, out) == (2, "") and "is no folder: name one that `tidepool dataset build` wrote" in err


def test_one_question_is_held_at_a_time(tmp_path: Path) -> None:
    held: list[weakref.ref[Answered]] = []

    def watched() -> Iterator[Answered]:
        for one in questions(BOOKS, each=1)():
            assert sum(ref() is not None for ref in held) <= 2
            held.append(weakref.ref(one))
            yield one

    assert made(tmp_path / "data", watched).examples == 450 and len(held) == 90


MEMORY = """
import resource, sys
from pathlib import Path
from interpreters.edge.dataset.assembly import assemble
from tests.answers import questions
from tidepool.training.card import Facts

each = int(sys.argv[2])
start = questions([f"book{number}" for number in range(20)], each)
summary = assemble(start, Path(sys.argv[1]), examples=20 * each * 108, seed=0, facts=Facts())
assert summary.examples == 20 * each * 108
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kib(out: Path, each: int) -> int:
    """The most memory a process has that assembles so many questions of each stratum about twenty codebases."""
    command = [sys.executable, "-c", MEMORY, str(out), str(each)]
    ended = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    return int(ended.stdout)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_set_of_two_hundred_thousand_examples_takes_the_memory_of_a_shard(tmp_path: Path) -> None:
    small, large = peak_kib(tmp_path / "small", 10), peak_kib(tmp_path / "large", 93)
    assert large - small < 100 * 1024
