"""`tidepool evaluate` end to end: hand-written cases, the real language server, and files that hold no cases."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import pytest

from interpreters.edge.comparison import Difference
from interpreters.edge.evaluate import row_of
from interpreters.edge.labelled import compare
from interpreters.edge.scoreboard import Measured, Measurement, as_table, sheet_of
from interpreters.edge.tidepool_cli import main
from tidepool.cases import Case, Spot, written
from tidepool.change import ChangeKind, read_change
from tidepool.domain import (
    NodeContext,
    Pointer,
    Provenance,
    QueryContext,
    Rubric,
    Tag,
    TrainingExample,
    Verdict,
)
from tidepool.effects.gemma import RateNode
from tidepool.errors import ModelFailure
from tidepool.metrics import Row, measure
from tidepool.rules import rate
from tidepool.wire import dumps, score_request

FIXTURE = Path(__file__).parent / "fixtures" / "llmkind"
ADD_VARIANT = Case(
    id="llmkind/add-a-variant/LLMKind",
    codebase="llmkind",
    root="llmkind",
    kind=ChangeKind.ADD_VARIANT,
    question="What breaks if I add a variant to LLMKind?",
    tags=(Tag.EXHAUSTIVE, Tag.PATTERN_MATCH),
    name="LLMKind",
    definition="llmapp/kinds.py:5",
    own_lines=(5, 5),
    must=("llmapp/pricing.py:15",),
    may=("llmapp/pricing.py:15",),
)
RENAME = Case(
    id="llmkind/rename/price",
    codebase="llmkind",
    root="llmkind",
    kind=ChangeKind.RENAME,
    question="rename `price` to `cost`",
    tags=(),
    name="price",
    definition="llmapp/pricing.py:6",
    own_lines=(6, 15),
    must=("llmapp/service.py:2", "llmapp/tests/test_pricing.py:2"),
    may=(
        "llmapp/service.py:2",
        "llmapp/service.py:7",
        "llmapp/tests/test_pricing.py:2",
        "llmapp/tests/test_pricing.py:8",
    ),
)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "llmkind")
    (tmp_path / "llmkind/llmapp/notes.py").write_text("# what the price is about\n")
    file = tmp_path / "cases.jsonl"
    file.write_text(written([ADD_VARIANT, RENAME]))
    return file


def evaluated(capsys: pytest.CaptureFixture[str], cases: Path, *flags: str) -> dict[str, Any]:
    assert main(["evaluate", "--cases", str(cases), "--format", "json", *flags]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_an_exploration_is_measured_beside_two_baselines(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, cases, "--scorer", "heuristic", "--no-verify")
    assert list(found)[:4] == ["overall", "codebases", "kinds", "tags"]
    assert list(found["overall"]) == ["heuristic", "references", "text search"]
    assert list(found["kinds"]) == ["add a variant", "rename"]
    rename = found["kinds"]["rename"]
    assert rename["heuristic"]["recall"] == rename["references"]["recall"] == rename["text search"]["recall"] == 1
    assert rename["references"]["precision"] == 1 > rename["text search"]["precision"]
    assert found["overall"]["heuristic"]["cases"] == 2
    assert found["overall"]["references"]["ece"] is None and found["overall"]["heuristic"]["ece"] is not None


def test_with_verification_what_breaks_comes_first(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verified = evaluated(capsys, cases, "--verify")["kinds"]["add a variant"]["heuristic"]
    assert (verified["recall"], verified["first"], verified["ndcg"]) == (1, 1, 1)


def test_the_table_says_the_same(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--cases", str(cases), "--no-verify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    headings = "cases @5 @10 recall@20 @50 by location precision nDCG@20 first ECE seconds"
    assert lines[0].split() == headings.split()
    named = [line.split()[0] for line in lines if line[:1].strip()]
    assert named[:7] == ["overall", "llmkind", "add", "rename", "Exhaustive", "PatternMatch", "no"]
    assert lines[1].split()[:3] == ["overall", "heuristic", "2"]
    assert lines[-2].split() == ["ms", "a", "node", "bytes", "a", "node", "KiB", "of", "model"]
    assert not any(line != line.rstrip() or "…" in line for line in lines)


def test_details_say_what_each_way_missed_and_had_wrong(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    details = cases.parent / "details.jsonl"
    evaluated(capsys, cases, "--no-verify", "--details", str(details))
    by_id = {case["id"]: case for case in map(json.loads, details.read_text().splitlines())}
    text = by_id[RENAME.id]["ways"]["text search"]
    assert text["missed"] == [] and text["wrong"] == ["llmapp/notes.py:1"]
    assert {"location", "risk", "confidence", "also"} == set(text["rows"][0])
    assert by_id[ADD_VARIANT.id]["question"] == ADD_VARIANT.question


def test_the_references_of_a_constructor_are_those_of_its_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "a.py").write_text(
        "class Order:\n    def __init__(self, x: int) -> None: ...\n\n\n# a\n# b\none = Order(1)\n"
    )
    case = attrs.evolve(
        RENAME,
        root="shop",
        kind=ChangeKind.ADD_PARAMETER,
        question="add a required parameter `y` to `Order.__init__`",
        name="Order.__init__",
        definition="a.py:2",
        own_lines=(2, 2),
        must=("a.py:7",),
        may=("a.py:7",),
    )
    (tmp_path / "cases.jsonl").write_text(written([case]))
    found = evaluated(capsys, tmp_path / "cases.jsonl", "--no-verify")["overall"]
    assert found["references"]["recall"] == found["text search"]["recall"] == 1


def test_several_scorers_are_measured_in_one_run_and_compared_in_pairs(
    cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FIXTURE, cases.parent / "other")
    others = [
        attrs.evolve(case, id=f"other/{case.id}", codebase="other", root="other") for case in (ADD_VARIANT, RENAME)
    ]
    cases.write_text(written([ADD_VARIANT, RENAME, *others]))
    plot = cases.parent / "plot.svg"
    found = evaluated(
        capsys, cases, "--scorer", "oracle", "--scorer", "heuristic", "--no-verify",
        "--against", "heuristic", "--plot", str(plot),
    )  # fmt: skip
    assert list(found["overall"]) == ["oracle", "heuristic", "references", "text search"]
    assert found["against"] == "heuristic"
    oracle, heuristic = found["overall"]["oracle"], found["overall"]["heuristic"]
    difference = found["differences"]["overall"]["oracle"]["ndcg"]
    assert difference["difference"] == pytest.approx(oracle["ndcg"] - heuristic["ndcg"])
    assert difference["low"] <= difference["difference"] <= difference["high"]
    low, high = found["intervals"]["overall"]["oracle"]["recall"]
    assert low == high == oracle["recall"]  # both codebases are the same one
    assert found["intervals"]["kinds"]["rename"]["references"]["ece"] is None
    assert 100 < heuristic["bytes_a_node"] == oracle["bytes_a_node"] < 10_000
    assert found["overall"]["references"]["seconds_a_node"] is None
    reliability = found["reliability"]["heuristic"]
    assert sum(point["claims"] for point in reliability) > 4 and "references" not in found["reliability"]
    assert ET.fromstring(plot.read_text()).tag.endswith("svg") and plot.read_text().count("<polyline") == 2


def test_one_codebase_says_nothing_of_the_next_one(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, cases, "--no-verify")
    assert set(found["intervals"]["overall"]["heuristic"].values()) == {None}
    assert found["differences"]["overall"]["references"]["recall"]["low"] is None


def labelled(number: int, label: Rubric, codebase: str) -> TrainingExample:
    node = NodeContext(f"a.py:{number}", None, f"price({number})")
    query = QueryContext("What breaks if I rename `price` to `cost`?", (Tag.FUNCTION,) if number % 2 else ())
    origin = Provenance(codebase=codebase, labeller="mixed", change_kind="rename")
    return TrainingExample(query, node, label, datetime(2026, 1, 1, tzinfo=UTC), origin)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """What the rules say of four places is their label; of a fifth the label is as far from it as can be."""
    rubrics = [
        rate(read_change(one.query), one.node, one.query.tags) for one in (labelled(n, FAR, "") for n in range(1, 6))
    ]
    examples = [labelled(n, label, "shop" if n < 3 else "bank") for n, label in enumerate([*rubrics[:4], FAR], start=1)]
    (tmp_path / "data/test").mkdir(parents=True)
    (tmp_path / "data/test/00000.jsonl").write_text("".join(f"{dumps(one)}\n" for one in examples))
    return tmp_path / "data"


FAR = Rubric(1, 1, 5, "")


def test_scorers_are_compared_with_the_labels_of_a_set(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--examples", str(dataset), "--scorer", "heuristic", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    overall = found["overall"]["heuristic"]
    assert (overall["examples"], overall["relevance_exact"], overall["risk_exact"]) == (5, 0.8, 0.8)
    assert overall["risk_within_one"] == 0.8 and overall["confidence_within_one"] >= 0.8
    assert found["codebases"]["shop"]["heuristic"]["quality"] == 1
    assert found["codebases"]["bank"]["heuristic"]["risk_exact"] == pytest.approx(2 / 3)
    assert found["tags"]["no tag"]["heuristic"]["examples"] == 2 and list(found["kinds"]) == ["rename"]
    low, high = found["intervals"]["overall"]["heuristic"]["risk_exact"]
    assert (low, high) == (pytest.approx(2 / 3), 1)


def test_the_table_of_a_set_names_every_field(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--examples", str(dataset), "--plot", str(dataset / "plot.svg")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:7] == ["examples", "relevance", "±1", "risk", "±1", "confidence", "±1"]
    assert lines[1].split()[:5] == ["overall", "heuristic", "5", "0.800", "0.800"]
    assert (dataset / "plot.svg").read_text().count("<polyline") == 1


def test_what_a_scorer_takes_is_told_of_the_codebase_that_it_was_taken_for() -> None:
    """The rubrics of `gone` all fail, and those of the others are asked about by turns."""
    of_shop = [labelled(number, FAR, "shop") for number in range(1, 61)]
    of_bank = [attrs.evolve(one, provenance=Provenance(codebase="bank")) for one in of_shop[:30]]
    of_gone = [labelled(number, FAR, "gone") for number in range(100, 105)]

    def rated(asked: RateNode) -> Rubric:
        if asked.node.line >= 100:
            raise ModelFailure("model", "is down", asked.node.location)
        return FAR

    turns = [one for pair in zip(of_bank, of_shop[:30], strict=True) for one in pair]
    found = asyncio.run(compare({"mine": RateNode.by(rated)}, [*of_gone, *turns, *of_shop[30:]]))
    assert (found.left_out, set(found.sheet.overall["mine"])) == (5, {"shop", "bank"})
    bytes_a_node = {
        codebase: found.sheet.values(ways["mine"])["bytes_a_node"] for codebase, ways in found.sheet.groups("codebases")
    }
    assert bytes_a_node == {
        name: pytest.approx(sum(len(dumps(score_request(one.query, one.node))) for one in some) / len(some))
        for name, some in (("shop", of_shop), ("bank", of_bank))
    }


def answer(case: Case, way: str, breaking: list[str]) -> Measured:
    rows = [Row(Spot.at(location), 5, 5) for location in breaking] or [Row(Spot("z.py", 1), 1, 5)]
    return Measured(way, case, measure(case, rows, 0), tuple(rows))


def test_precision_is_compared_over_the_cases_in_which_both_say_that_something_breaks() -> None:
    measured = []
    for codebase in ("shop", "bank"):
        easy, hard = (attrs.evolve(RENAME, id=f"{codebase}/{name}", codebase=codebase) for name in ("easy", "hard"))
        right, wrong = RENAME.must[0], "notes.py:1"
        measured += [answer(easy, "bold", [right]), answer(hard, "bold", [right, wrong])]
        measured += [answer(easy, "silent", [right]), answer(hard, "silent", [])]
    found = Measurement(tuple(measured), "bold")
    sheet = sheet_of(found)
    assert [sheet.values(sheet.overall[way])["precision"] for way in ("bold", "silent")] == [0.75, 1]
    precision = sheet.differences("overall", "overall", "bold")["silent"]["precision"]
    assert precision == Difference(0, 0, 0, passed_over=2)
    table = io.StringIO()
    as_table(found, table)
    _, _, text = table.getvalue().partition("differences to bold")
    heading, figures, _ = text.splitlines()[1:4]
    assert heading.endswith("precision passes over")
    assert (figures.split()[0], figures.split()[5], figures.split()[-1]) == ("silent", "+0.000", "2")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--scorer", "oracle"], "the scorer oracle asks a codebase, and a dataset holds none"),
        (["--against", "oracle"], "'oracle' is not measured, so nothing can be compared with it: add --scorer oracle"),
        (["--split", "train"], "there is no train/*.jsonl in it"),
        (["--budget", "3"], "--budget is about explorations"),
        (["--verify"], "--verify is about explorations"),
    ],
)
def test_what_does_not_go_with_a_set_is_told(
    dataset: Path, capsys: pytest.CaptureFixture[str], flags: list[str], says: str
) -> None:
    assert main(["evaluate", "--examples", str(dataset), *flags]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and says in printed.err


def test_a_way_that_is_not_measured_cannot_be_compared_with(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--cases", str(cases), "--against", "learnt"]) == 2
    assert "'learnt' is not measured" in capsys.readouterr().err
    assert main(["evaluate", "--cases", str(cases), "--split", "test"]) == 2
    assert "--split is of a dataset" in capsys.readouterr().err


def pointer(what: str) -> Pointer:
    return Pointer("a/b.py:7", what, 5, 4, 3, "", (), "", Verdict.LIKELY)


def test_a_row_is_a_location_and_the_further_lines_that_it_lists() -> None:
    row = row_of(pointer("Order.total (also lines 3, 9, 12, …)"))
    assert (row.spot, row.risk, row.confidence) == (Spot("a/b.py", 7), 4, 3)
    assert row.also == (Spot("a/b.py", 3), Spot("a/b.py", 9), Spot("a/b.py", 12))
    assert row_of(pointer("f (also line 3)")).also == (Spot("a/b.py", 3),)
    assert row_of(pointer("f")).also == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1: JSON text: '{' is not JSON"),
        ("", "holds no case: make some with `tidepool cases`"),
        (written([RENAME]).replace('"rename"', '"renam"'), "line 1: kind: 'renam' is not one of"),
        (written([attrs.evolve(RENAME, root="nowhere")]), "nowhere does not exist: name the folder of a codebase"),
        (written([attrs.evolve(RENAME, must=())]), "llmkind/rename/price has no place that must change: leave"),
        (
            written([attrs.evolve(RENAME, definition="llmapp/pricing.py:1")]),
            "does not define price, since the codebase",
        ),
        (written([attrs.evolve(RENAME, definition="llmapp/gone.py:1")]), "does not define price, since the codebase"),
    ],
)
def test_what_is_wrong_with_a_file_of_cases_is_told_in_one_sentence(
    cases: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    cases.write_text(text)
    assert main(["evaluate", "--cases", str(cases), "--no-verify"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and says in printed.err.splitlines()[-1]


def test_a_file_that_cannot_be_read_or_written_is_named(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--cases", str(cases.parent / "none.jsonl")]) == 2
    assert "none.jsonl cannot be read (No such file or directory)" in capsys.readouterr().err
    assert main(["evaluate", "--cases", str(cases), "--no-verify", "--details", str(cases.parent)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_an_unknown_scorer_is_named(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--cases", str(cases), "--scorer", "heuristc"]) == 2
    assert "no scorer is called 'heuristc'; did you mean heuristic?" in capsys.readouterr().err
