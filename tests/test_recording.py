"""A tape as text: every operation, answer and error comes back, and whatever else is read is refused by its line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from tests.programs import ASYNC, SYNC, Events, Get, Plan, Row, awaited, done, outcome, plans, program, shown
from tidepool import errors
from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutQuery
from tidepool.eff import Eff, Op, attempt, operation, run, run_async
from tidepool.effects.clock import Now
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Callers, FindSymbol, Hover, Lsp, Place, References
from tidepool.effects.report import Note
from tidepool.errors import BadAnswer, InvalidData, ModelFailure, ProgramError, Unavailable
from tidepool.recording import EXPLORING, ForeignError, Recording, lines_of, parse_recording, vocabulary
from tidepool.tape import Entry, recorded, replay
from tidepool.testing.values import nodes, plain, queries, rubrics, scout_queries, times

any_text: Final = st.text(st.characters(exclude_categories=()), max_size=20)
"""Text as code may hold it, with what no encoding can write."""
KNOWN: Final[dict[Any, st.SearchStrategy[Any]]] = {
    str: any_text,
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    NoneType: st.none(),
    datetime: times,
    Rubric: rubrics,
    QueryContext: queries,
    NodeContext: nodes,
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of any type that can be read."""
    if kind in KNOWN:
        return KNOWN[kind]
    if parts := get_args(kind):
        return _values_made_of(get_origin(kind), parts)
    if issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    fields = kind._fields if hasattr(kind, "_fields") else [field.name for field in attrs.fields(kind)]
    hints = get_type_hints(kind)
    return st.builds(kind, *(values_of(hints[name]) for name in fields))


def _values_made_of(origin: Any, parts: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin in (Union, UnionType):
        return st.one_of(*map(values_of, parts))
    if origin is dict:
        return st.dictionaries(any_text, values_of(parts[1]), max_size=3)
    if origin is list or parts[1:] == (...,):
        return st.lists(values_of(parts[0]), max_size=3).map(origin)
    return st.tuples(*map(values_of, parts))


failures: Final = st.one_of(
    *(st.builds(kind, any_text, any_text) for kind in (Unavailable, BadAnswer, errors.Unsupported)),
    st.builds(ModelFailure, any_text, any_text, any_text),
    st.builds(errors.ConfigError, any_text),
    st.builds(InvalidData, any_text, st.integers() | any_text | st.none(), any_text),
    st.builds(ValueError, any_text, st.integers()),
)
entries: Final = st.one_of(
    *(
        st.builds(Entry, values_of(question.kind), values_of(question.answer).map(Success) | failures.map(Failure))
        for question in EXPLORING.operations.values()
    )
)
HOVER: Final = Hover(Place("a.py", 3, 4))
WHOLE: Final = [
    '{"tidepool": "recording", "version": 1, "query": null}\n',
    '{"op": "Hover", "of": {"place": ["a.py", 3, 4]}, "answer": "int"}\n',
    '{"end": 1}\n',
]


def encoded(lines: Sequence[str]) -> list[bytes]:
    return [line.encode() for line in lines]


def through_text(tape: Sequence[Entry], known: Any = EXPLORING) -> tuple[Entry, ...]:
    """A tape, written and read."""
    recording = parse_recording(encoded([*lines_of(tape, None, known)]), known)
    assert recording.is_whole
    return recording.entries


def comparable(tape: Sequence[Entry]) -> list[object]:
    """A tape that can be compared: errors are not equal to one another."""
    return [
        (entry.op, entry.answer.unwrap())
        if isinstance(entry.answer, Success)
        else (entry.op, shown(entry.answer.failure()), vars(entry.answer.failure()), entry.answer.failure().args)
        for entry in tape
    ]


def refused(*lines: str) -> InvalidData:
    with pytest.raises(InvalidData) as caught:
        parse_recording(encoded(lines))
    return caught.value


# There and back


@pytest.mark.parametrize("name", EXPLORING.operations)
@given(data=st.data())
def test_every_operation_and_its_answer_come_back(name: str, data: st.DataObject) -> None:
    question = EXPLORING.operations[name]
    entry = Entry(data.draw(values_of(question.kind)), Success(data.draw(values_of(question.answer))))
    assert through_text([entry]) == (entry,)


@given(st.lists(entries, max_size=4), st.none() | scout_queries)
def test_a_tape_comes_back_with_its_question(tape: list[Entry], query: ScoutQuery | None) -> None:
    lines = [*lines_of(tape, query)]
    recording = parse_recording(encoded(lines))
    assert (recording.query, recording.is_whole, len(lines)) == (query, True, len(tape) + 2)
    assert comparable(recording.entries) == comparable(tape)


@given(failures, st.lists(any_text, max_size=2))
def test_an_equal_error_comes_back_with_its_notes(error: Exception, notes: list[str]) -> None:
    for note in notes:
        error.add_note(note)
    tape = [Entry(Note("x"), Failure(error))]
    assert comparable(through_text(tape)) == comparable(tape)


@pytest.mark.parametrize(
    "error",
    [
        errors.InterpreterError("ty", "why"),
        errors.TidepoolError("text"),
        ProgramError("text"),
        ZeroDivisionError("division by zero"),
        KeyError("name"),
        FileNotFoundError(2, "No such file"),
        RuntimeError(),
    ],
    ids=repr,
)
def test_an_error_that_is_no_interpreters_comes_back_too(error: Exception) -> None:
    tape = [Entry(Note("x"), Failure(error))]
    assert comparable(through_text(tape)) == comparable(tape)


class Oops(Exception):
    """An error of a user's own."""

    def __init__(self, code: int, why: str = "no reason") -> None:
        self.code = code
        self.why = why
        super().__init__(f"{why} ({code})")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Oops(7), f"{__name__}.Oops"),
        (errors.MissingHandler(Get, (Hover,)), "tidepool.errors.MissingHandler"),
        (errors.AlreadyRun("p"), "tidepool.errors.AlreadyRun"),
        (errors.Diverged(3, HOVER, "nothing more"), "tidepool.errors.Diverged"),
        (InvalidData("field", object, "text"), "tidepool.errors.InvalidData"),
        (FileNotFoundError(2, "No such file", "a.py"), "builtins.FileNotFoundError"),
        (ValueError(float("nan")), "builtins.ValueError"),
        (ExceptionGroup("two", [ValueError()]), "builtins.ExceptionGroup"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_that_cannot_be_built_again_is_told_by_its_name_and_text(error: Exception, kind: str) -> None:
    again = through_text(through_text([Entry(HOVER, Failure(error))]))[0].answer.failure()
    assert isinstance(again, ForeignError)
    assert (again.kind, again.text, str(again)) == (kind, str(error), str(error))


def test_a_tape_is_written_exactly_so() -> None:
    tape = [
        Entry(References(Place("a.py", 3, 4)), Success((Place("a.py", 3, 4), Place("b.py", 1, 0)))),
        Entry(HOVER, Failure(Unavailable("ty", "it crashed"))),
        Entry(Now(), Success(datetime(2026, 1, 15, tzinfo=UTC))),
    ]
    assert [json.loads(line) for line in lines_of(tape, ScoutQuery("why?"))] == [
        {
            "tidepool": "recording",
            "version": 1,
            "query": {"query": "why?", "tags": [], "budget_nodes": 20, "keep_examples": False, "verify": False},
        },
        {"op": "References", "of": {"place": ["a.py", 3, 4]}, "answer": [["a.py", 3, 4], ["b.py", 1, 0]]},
        {
            "op": "Hover",
            "of": {"place": ["a.py", 3, 4]},
            "error": {"kind": "Unavailable", "of": {"interpreter": "ty", "why": "it crashed"}},
        },
        {"op": "Now", "of": {}, "answer": "2026-01-15T00:00:00Z"},
        {"end": 3},
    ]


# Operations of one's own


class Colour(StrEnum):
    """A word."""

    RED = "red"


class Pair(NamedTuple):
    """A row whose parts are of types of their own."""

    left: Place
    right: float


@attrs.frozen
class Thing:
    """A value of a user's own."""

    name: str
    colour: Colour
    sizes: dict[str, tuple[int, ...]]
    pairs: list[Pair]
    last: tuple[bool, Pair] | None


@operation
class Ask(Op[tuple[Thing, ...]]):
    """An operation of a user's own."""

    thing: Thing
    note: str | None


@given(values_of(Ask), values_of(tuple[Thing, ...]))
def test_an_operation_of_ones_own_comes_back(op: Ask, answer: tuple[Thing, ...]) -> None:
    assert through_text([Entry(op, Success(answer))], vocabulary(Ask)) == (Entry(op, Success(answer)),)


@operation
class Weigh(Op[float]):
    """Answered by a number."""


@pytest.mark.parametrize("answer", ["1e999", "1" + 400 * "0", "true", '"1"'])
def test_a_number_that_is_none_is_refused(answer: str) -> None:
    line = f'{{"op": "Weigh", "of": {{}}, "answer": {answer}}}\n'
    with pytest.raises(InvalidData, match=r"^line 2, answer: .* is not a number"):
        parse_recording(encoded([WHOLE[0], line]), vocabulary(Weigh))


def test_a_whole_number_is_a_number() -> None:
    assert through_text([Entry(Weigh(), Success(3))], vocabulary(Weigh)) == (Entry(Weigh(), Success(3.0)),)


def test_an_error_of_ones_own_comes_back() -> None:
    tape = [Entry(HOVER, Failure(Oops(7, "so it is")))]
    assert comparable(through_text(tape, vocabulary(errors=[Oops]))) == comparable(tape)


@operation
class Sets(Op[set[int]]):
    """Its answer is none that JSON can hold."""


@operation
class Lost(Op["Nowhere"]):  # type: ignore[name-defined]
    """Its answer's type is nowhere."""


@attrs.frozen
class Unclear:
    """It does not say what it is answered."""


@attrs.frozen
class Chain:
    """Holds itself."""

    rest: Chain | None


@operation
class Follow(Op[Chain]):
    """Its answer holds itself."""


class Odd(Exception):
    """Built from what JSON cannot hold."""

    def __init__(self, kinds: set[str]) -> None:
        self.kinds = kinds
        super().__init__("odd")


def same_name() -> type[Any]:
    @operation
    class Hover(Op[int]):
        """Another Hover."""

    return Hover


@pytest.mark.parametrize(
    ("operations", "thrown", "text"),
    [
        ([Sets], [], "Sets cannot be recorded: give its answer types that JSON can hold"),
        ([Lost], [], "Lost cannot be recorded: give its answer types that JSON can hold"),
        ([Follow], [], "Follow cannot be recorded: give its answer types that JSON can hold"),
        ([Unclear], [], r"Unclear does not say what it is answered: derive it from Op\[...\]"),
        ([same_name()], [], "there are two operations Hover: give one of them another name"),
        ([], [Odd], "Odd cannot be recorded: give its arguments types that JSON can hold"),
        ([], [type("BadAnswer", (Exception,), {})], "there are two errors BadAnswer: give one of them another name"),
    ],
    ids=["a set", "no such type", "holds itself", "no answer", "two operations", "odd arguments", "two errors"],
)
def test_what_cannot_be_recorded_is_no_vocabulary(
    operations: list[type[Any]], thrown: list[type[Exception]], text: str
) -> None:
    with pytest.raises(ProgramError, match=f"^{text}$"):
        vocabulary(*operations, errors=thrown)


@pytest.mark.parametrize("op", [Get(1), same_name()()], ids=["unknown", "another by that name"])
def test_an_operation_that_the_vocabulary_does_not_know_is_not_written(op: Any) -> None:
    with pytest.raises(ProgramError, match="cannot be recorded: name it in the recording's vocabulary"):
        [*lines_of([Entry(op, Success(2))])]


@pytest.mark.parametrize("answer", [float("inf"), object(), {1, 2}], ids=lambda answer: type(answer).__name__)
def test_an_answer_that_json_cannot_hold_is_not_written(answer: Any) -> None:
    with pytest.raises(InvalidData, match="is not what JSON can say"):
        [*lines_of([Entry(HOVER, Success(answer))])]


# What is read strictly


def asked(op: str, of: object, **rest: object) -> str:
    return json.dumps({"op": op, "of": of, **rest})


AT: Final = {"place": ["a", 1, 0]}
SYMBOL: Final = {"name": "x", "kind": "class", "container": "", "place": ["a", 1, 0], "first_line": 1, "last_line": 1}
RATED: Final = {"query": {"query": "", "tags": []}, "node": {"location": "a:1", "hover": None, "snippet": ""}}
RUBRIC: Final = {"relevance": 1, "risk": 7, "confidence": 1, "reasoning": ""}
FOREIGN: Final = {"foreign": "x", "text": "", "notes": [1]}

WRONG: Final = {
    "no JSON": ("{", "JSON text", "is not JSON: "),
    "no object": ("3", "entry", "3 is not an object with op, of, answer, error"),
    "another key": (asked("Now", {}, answr=1), "answr", "did you mean answer?"),
    "no operation": ('{"of": {}, "answer": null}', "op", "missing is not known here"),
    "an unknown operation": (asked("Get", {}, answer=1), "op", "'Get' is not known here: name its class"),
    "an unhashable operation": ('{"op": [], "of": {}, "answer": 1}', "op", "[] is not known here: name its class"),
    "neither": (asked("Now", {}), "entry", "is not one with either an answer or an error"),
    "both": (asked("Now", {}, answer=1, error={}), "entry", "is not one with either an answer or an error"),
    "no fields": ('{"op": "Snippet", "answer": ""}', "of", "missing is not an object with place"),
    "a field too many": (asked("Snippet", {"plcae": 1}, answer=""), "of.plcae", "did you mean place?"),
    "a field too few": (asked("Snippet", {}, answer=""), "of.place", "missing is not a list of path, line, column"),
    "a short place": (asked("Snippet", {"place": ["a", 1]}, answer=""), "of.place", "is not a list of path, line"),
    "text for a line": (asked("Snippet", {"place": ["a", "1", 0]}, answer=""), "of.place.line", "'1' is not a whole"),
    "true for a line": (asked("Snippet", {"place": ["a", True, 0]}, answer=""), "of.place.line", "True is not a whole"),
    "a number for text": (asked("Note", {"text": 5}, answer=None), "of.text", "5 is not text"),
    "an answer where there is none": (asked("Note", {"text": ""}, answer=5), "answer", "5 is not null"),
    "a number for a hover": (asked("Hover", AT, answer=5), "answer", "5 is not text"),
    "text for places": (asked("References", AT, answer="abc"), "answer", "is not a list, each a place"),
    "a wrong place": (asked("References", AT, answer=[["a", 1, 0], ["a", 1, None]]), "answer[1].column", "None is not"),
    "a wrong symbol": (
        asked("FindSymbol", {"name": "x"}, answer=[{**SYMBOL, "kind": "clas"}]),
        "answer[0].kind",
        "did you mean class?",
    ),
    "a wrong caller": (
        asked("Callers", AT, answer=[{"caller": {**SYMBOL, "place": ["a", 1.5, 0]}, "places": []}]),
        "answer[0].caller.place.line",
        "1.5 is not a whole number",
    ),
    "a risk out of range": (
        asked("RateNode", RATED, answer=RUBRIC),
        "answer.risk",
        "7 is not a whole number from 1 to",
    ),
    "a time without a zone": (asked("Now", {}, answer="2026-01-15T10:30:00"), "answer", "is not a time such as"),
    "an error that is text": (asked("Now", {}, error="x"), "error", "'x' is not an object with kind, of"),
    "an unknown error": (asked("Now", {}, error={"kind": "Oops"}), "error.kind", "'Oops' is not known here"),
    "an error of nothing": (asked("Now", {}, error={}), "error.kind", "missing is not known here"),
    "an error without fields": (asked("Now", {}, error={"kind": "BadAnswer"}), "error.of", "is not an object with"),
    "an error with a wrong field": (
        asked("Now", {}, error={"kind": "BadAnswer", "of": {"interpreter": "ty", "why": 3}}),
        "error.of.why",
        "3 is not text",
    ),
    "an error of lists": (asked("Now", {}, error={"kind": "KeyError", "of": [[]]}), "error.of", "[] is not text, a"),
    "an error that cannot be built": (
        asked("Now", {}, error={"kind": "UnicodeDecodeError", "of": []}),
        "",
        "is not what can be built: ",
    ),
    "notes that are none": (asked("Now", {}, error=FOREIGN), "error.notes[0]", "1 is not text"),
    "a wrong count": ('{"end": 5}', "end", "is not the number of the entries before it, 1"),
    "another header": ('{"tidepool": "recording", "version": 1}', "tidepool", "is not one of op, of"),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_line_is_refused_with_its_number_and_field(how: str) -> None:
    line, field, text = WRONG[how]
    error = refused(*WHOLE[:2], line + "\n", WHOLE[2])
    assert error.field == f"line 3, {field}".removesuffix(", ")
    assert text in str(error)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"tidepool": "recording", "version": 2, "query": null}\n', "line 1, version: 2 is not 1: record it again"),
        ('{"tidepool": "recording", "version": 1, "query": 5}\n', "line 1, query: 5 is not an object with query, tags"),
        ('{"tidepool": "recording", "version": 1}\n', "line 1, query: missing is not an object"),
        ('{"op": "Now"}\n', "line 1: {'op': 'Now'} is not the beginning of a recording"),
        ("import os\n", "line 1, JSON text: b'import os"),
        ("[]\n", "line 1: [] is not the beginning of a recording"),
        ('{"tidepool": "reco', "is not the beginning of a recording"),
    ],
)
def test_what_does_not_begin_as_a_recording_is_refused(line: str, text: str) -> None:
    assert text in str(refused(line))


def test_no_lines_are_no_recording() -> None:
    assert refused().field == "line 1"


def test_nothing_may_follow_the_end() -> None:
    assert refused(*WHOLE, WHOLE[1]).field == "line 4"


@given(st.lists(entries, max_size=3), st.data())
def test_a_recording_that_was_cut_is_told_apart_and_what_is_before_the_cut_is_kept(
    tape: list[Entry], data: st.DataObject
) -> None:
    whole = b"".join(encoded([*lines_of(tape)]))
    at = data.draw(st.integers(whole.index(b"\n") + 1, len(whole)))
    recording = parse_recording(whole[:at].splitlines(keepends=True))
    assert recording.is_whole == (at == len(whole))
    kept = min(whole[:at].count(b"\n") - 1, len(tape))
    assert comparable(recording.entries) == comparable(tape[:kept])


@given(st.lists(entries, max_size=2), st.data())
def test_bytes_that_change_are_refused_or_still_a_recording(tape: list[Entry], data: st.DataObject) -> None:
    whole = bytearray(b"".join(encoded([*lines_of(tape)])))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    lines = [line + b"\n" for line in bytes(whole).removesuffix(b"\n").split(b"\n")]
    try:
        assert isinstance(parse_recording(lines), Recording)
    except InvalidData as error:
        assert error.field.startswith("line ")  # noqa: PT017 - else it has to be a recording


@given(st.sampled_from([*EXPLORING.operations]), plain, plain)
def test_any_plain_data_as_an_entry_is_refused_or_an_entry(name: str, of: Any, answer: Any) -> None:
    for line in ({"op": name, "of": of, "answer": answer}, {"op": name, "of": {"name": ""}, "error": answer}):
        lines = [WHOLE[0], json.dumps(line) + "\n"]
        try:
            (entry,) = parse_recording(encoded(lines)).entries
        except InvalidData as error:
            assert error.field.startswith("line 2")  # noqa: PT017 - else it has to be an entry
        else:
            assert type(entry.op) is EXPLORING.operations[name].kind


# The law


OWN: Final = vocabulary(*get_args(Row))


@given(plans)
def test_a_replay_through_text_does_and_sees_the_same(plan: Plan) -> None:
    tape: list[Entry] = []
    outcome(lambda: run(recorded(program(plan, []), tape.append), SYNC))
    events: Events = []
    assert (outcome(lambda: replay(program(plan, events), through_text(tape, OWN))), events) == done(plan)


@given(plans)
def test_a_run_that_awaited_is_replayed_through_text(plan: Plan) -> None:
    tape: list[Entry] = []
    outcome(lambda: awaited(run_async(recorded(program(plan, []), tape.append), ASYNC)))
    events: Events = []
    assert (outcome(lambda: replay(program(plan, events), through_text(tape, OWN))), events) == done(plan)


def test_a_program_catches_a_recorded_error_by_its_class() -> None:
    def careful() -> Eff[Lsp, str]:
        match (yield from attempt(Callers(Place("a.py", 1, 0)), Unavailable)):
            case Failure(error):
                return f"{error.interpreter}, {error.why}"
        return "no error"

    tape = [Entry(Callers(Place("a.py", 1, 0)), Failure(Unavailable("ty", "it crashed")))]
    assert replay(careful(), through_text(tape)) == "ty, it crashed"


def test_operations_that_are_equal_stay_equal_and_hash_the_same() -> None:
    tape = [Entry(RateNode(QueryContext("q"), NodeContext("a:1", None, "x")), Success(Rubric(1, 2, 3, "r")))]
    (entry,) = through_text(tape)
    assert entry.op == tape[0].op and hash(entry.op) == hash(tape[0].op)
    assert FindSymbol("x") != entry.op
