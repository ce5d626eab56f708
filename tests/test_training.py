"""Questions for training data, what their nodes are labelled, whose turn it is, and the command that prints them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.clock import stopped_clock
from interpreters.gemma.heuristic import heuristic
from interpreters.report import silent
from tests.test_cases import SHOP
from tests.test_checking import broken_at, world
from tests.test_explore import NOON
from tests.test_explore import SHOP as EXPLORED
from tidepool.asking import phrase
from tidepool.candidates import Sources
from tidepool.change import Change, ChangeKind, Target
from tidepool.checking import Check
from tidepool.domain import NodeContext, Provenance, QueryContext, Tag, TrainingExample
from tidepool.eff import run
from tidepool.kinds import CLASS_KINDS, PART_KINDS
from tidepool.training.agreement import Agreement
from tidepool.training.answered import is_positive
from tidepool.training.generate import NEGATIVES_ALONE, NEGATIVES_EACH, POSITIVES, Harvested, examples_of
from tidepool.training.labels import Labels, label
from tidepool.training.lookups import Lookup
from tidepool.training.phrasings import FRAMES, FURTHER, LOOKUPS, phrasings
from tidepool.training.questions import STRATA, Question, Questions, Stratum
from tidepool.training.turns import Turns, wanted_of_each
from tidepool.wire import from_wire

SCOUT = str(Path(sys.executable).with_name("semantic-scout"))
QUESTIONS = Questions(Sources(SHOP), seed=0)
KINDS = [kind for kind in ChangeKind if kind is not ChangeKind.CHANGE_BEHAVIOUR]

MEMBERS = {
    ChangeKind.ADD_PARAMETER: "deadline",
    ChangeKind.REMOVE_PARAMETER: "deadline",
    ChangeKind.CHANGE_PARAMETER_TYPE: "deadline",
    ChangeKind.ADD_FIELD: "region",
    ChangeKind.ADD_VARIANT: "HYBRID",
    ChangeKind.ADD_ABSTRACT_METHOD: "warm_up",
}
NEW_NAMES = {ChangeKind.RENAME: "load_every", ChangeKind.RENAME_FIELD: "sum_total", ChangeKind.MOVE: "shop.disk"}


def change_of(asked: ChangeKind | Lookup) -> Change:
    kind = ChangeKind.CHANGE_BEHAVIOUR if isinstance(asked, Lookup) else asked
    whole = Target("Order") if kind in CLASS_KINDS else Target("load_all")
    target = Target("total", "Order") if kind in PART_KINDS else whole
    member = "total" if kind in PART_KINDS else MEMBERS.get(kind)
    return Change(kind, (target,), member, NEW_NAMES.get(kind))


@pytest.mark.parametrize("asked", [*KINDS, *Lookup])
def test_every_phrasing_in_every_frame_is_read_as_what_it_stands_for(asked: ChangeKind | Lookup) -> None:
    asking = phrasings(asked, "")
    misread = [phrasing for phrasing in asking if phrase(change_of(asked), [phrasing], ()) is None]
    assert len(asking) >= 4 * len(FRAMES)
    assert not misread


def test_there_are_phrasings_for_whatever_is_asked() -> None:
    assert set(LOOKUPS) == set(Lookup)
    assert set(FURTHER) <= set(KINDS)


def some(stratum: Stratum, count: int) -> list[Question]:
    return list(islice(QUESTIONS.about(stratum), count))


@pytest.mark.parametrize("stratum", STRATA)
def test_every_stratum_has_questions_that_carry_its_tag_and_are_read_as_their_change(stratum: Stratum) -> None:
    questions = some(stratum, 40)
    assert questions
    assert {question.stratum for question in questions} == {stratum}
    assert len({(question.query.query, question.asked) for question in questions}) == len(questions)


def test_questions_without_a_tag_are_of_most_kinds_and_of_look_ups() -> None:
    asked = {question.asked for question in some(None, 200)}
    assert len(asked & set(KINDS)) >= 12
    assert asked & set(Lookup)


def test_the_same_seed_asks_the_same_and_another_one_something_else() -> None:
    again = list(islice(Questions(Sources(SHOP), seed=0).about(Tag.FUNCTION), 20))
    other = list(islice(Questions(Sources(SHOP), seed=1).about(Tag.FUNCTION), 20))
    assert some(Tag.FUNCTION, 20) == again != other


def test_a_definition_is_moved_to_another_module_of_the_codebase() -> None:
    moves = [question for question in some(Tag.MODULE, 60) if question.asked is ChangeKind.MOVE]
    assert {question.change.new_name for question in moves} <= {"shop.orders", "shop.till", "shop.__init__"}
    assert all(question.change.new_name != question.path.removesuffix(".py").replace("/", ".") for question in moves)


CHANGE = Change(ChangeKind.ADD_PARAMETER, (Target("find_price"),), "deadline")
QUERY = QueryContext("What breaks if I add a required parameter `deadline` to `find_price`?")
ASKED = Question(ChangeKind.ADD_PARAMETER, CHANGE, QUERY, "", "shop/prices.py")
CALL = NodeContext("shop/till.py:9", None, "\ndef quote(name):\n    total = find_price(name) * 2\n    return total\n")
IMPORT = NodeContext("shop/till.py:3", None, "import os\n\nfrom shop.prices import find_price\n\n\n")
ELSEWHERE = NodeContext("shop/till.py:40", None, "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n")
TABLE = NodeContext("shop/till.py:50", None, 'TABLE = {\n    "a": 1,\n    "price": find_price,\n}\n\n')
CLEAN = Check(asked=True, everywhere=True)


def broken(node: NodeContext) -> Check:
    (diagnostic,) = broken_at(node.location)
    return Check({node.location: diagnostic}, asked=True, everywhere=True)


def test_what_newly_fails_is_certain_and_in_the_words_of_the_checker() -> None:
    said = label(Labels.ORACLE, ASKED, CALL, broken(CALL))
    assert said is not None
    assert (said.rubric.relevance, said.rubric.risk, said.rubric.confidence, said.labeller) == (5, 5, 5, "oracle")
    assert "No argument provided" in said.rubric.reasoning


def test_what_a_checker_finds_right_is_graded_by_how_near_it_is_to_the_change() -> None:
    grades = [label(Labels.ORACLE, ASKED, node, CLEAN) for node in (CALL, IMPORT, ELSEWHERE)]
    assert [said and said.rubric.relevance for said in grades] == [3, 2, 1]
    assert all(said and said.rubric.risk <= 2 for said in grades)


def test_the_oracle_is_silent_where_no_checker_has_looked() -> None:
    assert label(Labels.ORACLE, ASKED, CALL, Check(lacks="it has no edit")) is None


def test_where_the_rules_say_something_else_that_is_kept_and_who_labels_is_less_sure() -> None:
    agreed = label(Labels.MIXED, ASKED, CALL, broken(CALL))
    disputed = label(Labels.MIXED, ASKED, CALL, CLEAN)
    assert agreed is not None
    assert disputed is not None
    assert (agreed.rubric.confidence, agreed.disputed) == (5, None)
    assert disputed.rubric.confidence == 4
    assert disputed.disputed is not None
    assert disputed.disputed.startswith("the rules say relevance 5, risk 5: ")


def test_what_nobody_but_the_rules_can_judge_says_so() -> None:
    change = Change(ChangeKind.ADD_VARIANT, (Target("Kind"),), "SPARE")
    query = QueryContext("What breaks if I add the variant `SPARE` to `Kind`?")
    node = NodeContext("app/a.py:9", None, "TABLE = {\n    Kind.A: 1,\n    Kind.B: 2,\n}\n\n")
    said = label(Labels.MIXED, Question(ChangeKind.ADD_VARIANT, change, query, "", "app/k.py"), node, CLEAN)
    assert said is not None
    assert said.labeller == "heuristic"
    assert said.rubric.confidence <= 2
    assert "by the rules" in said.rubric.reasoning


def test_a_look_up_is_answered_by_the_places_that_do_what_was_asked_for() -> None:
    asked = Question(
        Lookup.CALLS, change_of(Lookup.CALLS), QueryContext("Who calls `find_price`?"), "", "shop/prices.py"
    )
    asked = Question(asked.asked, Change(asked.change.kind, (Target("find_price"),)), asked.query, "", asked.path)
    said = [label(Labels.ORACLE, asked, node, Check()) for node in (CALL, IMPORT, ELSEWHERE)]
    assert [(one.rubric.relevance, one.rubric.risk) for one in said if one] == [(5, 1), (2, 1), (1, 1)]


def test_what_stays_behind_when_a_definition_moves_is_not_called_broken() -> None:
    moved = Change(ChangeKind.MOVE, (Target("find_price"),), None, "shop.disk")
    asked = Question(ChangeKind.MOVE, moved, QueryContext("move find_price to shop.disk"), "", "shop/till.py")
    assert label(Labels.ORACLE, asked, CALL, broken(CALL)) is None
    assert label(Labels.ORACLE, asked, IMPORT, broken(IMPORT)) is None
    elsewhere = Question(ChangeKind.MOVE, moved, asked.query, "", "shop/prices.py")
    assert label(Labels.ORACLE, elsewhere, IMPORT, broken(IMPORT)) is not None


def harvested(labels: Labels, *locations: str) -> Harvested:
    program = examples_of(ASKED, labels, Provenance(codebase="shop", licence="MIT"))
    handlers = heuristic() | world(*broken_at(*locations)) | stopped_clock(NOON) | silent()
    return run(program, handlers)


def test_examples_say_where_they_come_from_and_what_breaks_comes_first() -> None:
    made = harvested(Labels.MIXED, "shop/till.py:9").examples
    degrees = [is_positive(example.rubric) for example in made]
    assert degrees == sorted(degrees, reverse=True)
    (found,) = [example for example in made if example.node.location == "shop/till.py:9"]
    assert found.rubric.risk == 5
    assert found.provenance == Provenance(
        codebase="shop", licence="MIT", labeller="mixed", change_kind="add a parameter"
    )
    assert {example.query for example in made} == {QUERY}
    assert {example.timestamp for example in made} == {NOON}


def test_what_exploration_did_not_reach_is_an_example_all_the_same() -> None:
    explored = {example.node.location for example in harvested(Labels.HEURISTIC).examples}
    lines = (
        (path, number)
        for path, text in EXPLORED.items()
        if path != ASKED.path
        for number in range(1, text.count("\n") + 1)
    )
    unreached = next(f"{path}:{number}" for path, number in lines if f"{path}:{number}" not in explored)
    made = harvested(Labels.ORACLE, unreached).examples
    assert [example.rubric.risk for example in made if example.node.location == unreached] == [5]


def test_a_question_gives_few_examples_and_not_only_negative_ones() -> None:
    made = harvested(Labels.MIXED, "shop/till.py:9").examples
    positives = sum(is_positive(example.rubric) for example in made)
    assert 0 < positives <= POSITIVES
    assert len(made) - positives <= max(NEGATIVES_ALONE, NEGATIVES_EACH * positives)


counts = st.integers(0, 50)
strata = st.sampled_from(STRATA)
turns = st.builds(
    lambda given, exhausted: Turns({}, Counter(given), set(exhausted)), st.dictionaries(strata, counts), st.sets(strata)
)


@given(st.lists(turns, min_size=1, max_size=4), st.integers(0, 2_000))
def test_a_round_wants_what_is_missing_of_who_has_more(codebases: list[Turns], total: int) -> None:
    wanted = wanted_of_each(codebases, total)
    given = sum(one.given.total() for one in codebases)
    more = sum(sum(each.values()) - one.given.total() for each, one in zip(wanted, codebases, strict=True))
    has_more = any(len(one.exhausted) < len(STRATA) for one in codebases)
    assert more >= total - given if has_more else more == 0
    for each, one in zip(wanted, codebases, strict=True):
        assert all(each.get(stratum, 0) == one.given[stratum] for stratum in one.exhausted)


@given(st.dictionaries(strata, st.integers(1, 60), min_size=1), st.integers(1, 9))
def test_turns_come_to_what_is_wanted_evenly(wanted: dict[Stratum, int], step: int) -> None:
    played = Turns(wanted)
    for stratum in played:
        played.given[stratum] += step
        shares = [played.given[one] / wanted[one] for one in wanted]
        assert max(shares) - min(shares) <= max(step / least for least in wanted.values()) + 1e-9
    assert all(played.given[one] >= count for one, count in wanted.items())


def example_of(rubric: tuple[int, int], labeller: str) -> TrainingExample:
    wire = {
        "query": {"query": QUERY.query, "tags": []},
        "node": {"location": CALL.location, "hover": None, "snippet": CALL.snippet},
        "rubric": {"relevance": rubric[0], "risk": rubric[1], "confidence": 5, "reasoning": "told"},
        "timestamp": "2026-01-15T10:30:00Z",
        "provenance": {"labeller": labeller, "change_kind": "add a parameter"},
    }
    return from_wire(TrainingExample, wire)


def test_agreement_counts_what_the_rules_miss_and_what_they_cry_out_about() -> None:
    agreement = Agreement()
    for rubric in ((5, 5), (3, 2), (1, 1)):
        agreement.count(example_of(rubric, "oracle"))
    agreement.count(example_of((1, 1), "heuristic"))
    shares = agreement.by_kind["add a parameter"]
    assert (shares.places, shares.same, shares.missed, shares.alarmed) == (3, 1, 0, 2)
    assert [one.example.rubric.risk for one in agreement.worst] == [1]


def gen(*arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    command = (SCOUT, "--gen-training", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("codebases") / "shop"
    for path, text in SHOP.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\nlicense = "MIT"\n', encoding="utf-8")
    return root


def without_times(printed: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in example.items() if key != "timestamp"} for example in json.loads(printed)]


def test_the_command_prints_as_many_examples_as_were_wanted_and_the_same_ones_again(shop: Path) -> None:
    first, again = (gen("60", "--root", str(shop)) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    examples = without_times(first.stdout)
    assert len(examples) == 60
    assert examples == without_times(again.stdout)
    assert {example["provenance"]["labeller"] for example in examples} == {"mixed", "heuristic"}
    assert {example["provenance"]["licence"] for example in examples} == {"MIT"}
    assert "60 examples: Exhaustive" in first.stderr
    assert from_wire(TrainingExample, json.loads(first.stdout)[0])


def test_another_seed_asks_other_questions(shop: Path) -> None:
    queries = [
        {example["query"]["query"] for example in json.loads(gen("30", "--root", str(shop), "--seed", seed).stdout)}
        for seed in ("1", "2")
    ]
    assert queries[0] != queries[1]


def test_the_compiler_alone_can_label(shop: Path) -> None:
    examples = json.loads(gen("30", "--root", str(shop), "--labels", "oracle").stdout)
    assert {example["provenance"]["labeller"] for example in examples} == {"oracle"}


def test_fewer_examples_than_were_wanted_are_printed_and_told(shop: Path) -> None:
    few = gen("100000", "--root", str(shop))
    assert few.returncode == 3
    assert 100 < len(json.loads(few.stdout)) < 100_000
    assert "100000 were wanted: name more codebases with --root, or ask for fewer" in few.stderr


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("5", "--root", "nowhere"), "nowhere does not exist"),
        (("x",), "'x' is not a whole number"),
        (("5", "What breaks?"), "--gen-training makes its own questions"),
        (("5", "--budget", "9"), "--budget does not go with --gen-training"),
        (("5", "--labels", "guess"), "invalid choice: 'guess'"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(arguments: tuple[str, ...], wrong: str) -> None:
    ran = gen(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert wrong in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_interrupted_array_is_closed(shop: Path) -> None:
    command = (SCOUT, "--gen-training", "100000", "--root", str(shop))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        begun = running.stdout.readline() + running.stdout.readline()
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
        running.wait(timeout=60)
    assert running.returncode == 130
    assert isinstance(json.loads(begun + rest), list)
