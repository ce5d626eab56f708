"""The wire format: exactly as other tools read it, there and back, and an error for everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidepool.domain import (
    NodeContext,
    Pointer,
    Provenance,
    QueryContext,
    Rubric,
    ScoutQuery,
    ScoutResponse,
    Status,
    Tag,
    TrainingExample,
    Verdict,
)
from tidepool.errors import InvalidData
from tidepool.testing.values import examples, nodes, plain, pointers, queries, responses, rubrics, times, values
from tidepool.wire import MISSING, dumps, from_wire, loads, parse, read_score_request, score_request, to_wire

KINDS: Final = [
    Rubric, QueryContext, NodeContext, TrainingExample, Provenance, ScoutQuery, Pointer, ScoutResponse
]  # fmt: skip
GOLDEN: Final[dict[str, Any]] = {
    "query": {"query": "What breaks if I add a variant to LLMKind?", "tags": ["Exhaustive", "PatternMatch"]},
    "node": {
        "location": "Types.hs:127",
        "hover": "data LLMKind = ...",
        "snippet": "data LLMKind\n  = Sonnet\n  ...",
    },
    "rubric": {"relevance": 5, "risk": 5, "confidence": 4, "reasoning": "Exhaustive pattern match"},
    "timestamp": "2026-01-15T10:30:00Z",
}
EXAMPLE: Final = TrainingExample(
    QueryContext("What breaks if I add a variant to LLMKind?", (Tag.EXHAUSTIVE, Tag.PATTERN_MATCH)),
    NodeContext("Types.hs:127", "data LLMKind = ...", "data LLMKind\n  = Sonnet\n  ..."),
    Rubric(5, 5, 4, "Exhaustive pattern match"),
    datetime(2026, 1, 15, 10, 30, tzinfo=UTC),
)
RESPONSE: Final = ScoutResponse(
    "One place breaks.",
    Status.PARTIAL,
    (Pointer("a.py:1", "f", 5, 4, 3, "it calls it", (Tag.FUNCTION,), "pass the argument", Verdict.VERIFIED),),
    nodes_visited=20,
    frontier_left=7,
)
WHOLE: Final[Any] = {**GOLDEN, "provenance": {"codebase": "cattrs", "change_kind": "rename"}}


def refused(kind: type[Any], data: object) -> InvalidData:
    """The error that reading this ends in."""
    with pytest.raises(InvalidData) as caught:
        from_wire(kind, data)
    return caught.value


# Exactly as it is written down


def test_a_training_example_is_written_exactly_so() -> None:
    assert to_wire(EXAMPLE) == GOLDEN
    assert dumps(EXAMPLE) == json.dumps(GOLDEN)
    assert from_wire(TrainingExample, GOLDEN) == EXAMPLE


def test_a_response_is_written_exactly_so() -> None:
    assert json.loads(dumps(RESPONSE)) == {
        "summary": "One place breaks.",
        "status": "partial",
        "pointers": [
            {
                "location": "a.py:1",
                "what": "f",
                "relevance": 5,
                "risk": 4,
                "confidence": 3,
                "reasoning": "it calls it",
                "tags": ["Function"],
                "action": "pass the argument",
                "verdict": "verified",
            }
        ],
        "nodes_visited": 20,
        "frontier_left": 7,
    }


@given(examples)
def test_a_provenance_is_left_out_where_there_is_none(example: TrainingExample) -> None:
    assert ("provenance" in to_wire(example)) == (example.provenance is not None)


def test_a_provenance_holds_what_is_known() -> None:
    assert to_wire(Provenance(codebase="cattrs", change_kind="rename")) == {
        "codebase": "cattrs",
        "change_kind": "rename",
    }


@given(responses)
def test_training_examples_are_left_out_where_there_are_none(response: ScoutResponse) -> None:
    assert ("training_examples" in to_wire(response)) == (response.training_examples is not None)


@given(nodes)
def test_a_hover_is_there_even_where_there_is_none(node: NodeContext) -> None:
    assert list(to_wire(node)) == ["location", "hover", "snippet"]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 1, 15, 10, 30, tzinfo=UTC), "2026-01-15T10:30:00Z"),
        (datetime(2026, 1, 15, 10, 30, 0, 500_000, tzinfo=UTC), "2026-01-15T10:30:00.500000Z"),
        (datetime(2026, 1, 15, 12, 30, tzinfo=timezone(timedelta(hours=2))), "2026-01-15T10:30:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
    ids=str,
)
def test_a_time_is_written_in_utc(time: datetime, text: str) -> None:
    assert to_wire(TrainingExample(EXAMPLE.query, EXAMPLE.node, EXAMPLE.rubric, time))["timestamp"] == text


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("2026-01-15T10:30:00Z", 0),
        ("2026-01-15T10:30:00+00:00", 0),
        ("2026-01-15T12:30:00+02:00", 0),
        ("2026-01-15T10:30:07.25Z", 7.25),
    ],
)
def test_a_time_is_read_with_any_offset(text: str, second: float) -> None:
    read = from_wire(TrainingExample, {**GOLDEN, "timestamp": text}).timestamp
    assert read == datetime(2026, 1, 15, 10, 30, tzinfo=UTC) + timedelta(seconds=second)
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-15",
        "2026-01-15T10:30:00",
        "2026-01-15 10:30:00Z",
        "20260115T103000Z",
        "2026-W03-4T10:30:00Z",
        "2026-13-15T10:30:00Z",
        "2026-02-30T10:30:00Z",
        "2026-01-15T25:30:00Z",
        "2026-01-15T10:30:00.1234567Z",
        "2026-01-15T10:30:00Z\n",
        "٢٠٢٦-01-15T10:30:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        1768473000,
        None,
    ],
)
def test_what_is_no_time_is_refused(text: object) -> None:
    error = refused(TrainingExample, {**GOLDEN, "timestamp": text})
    assert (error.field, error.value, error.allowed) == ("timestamp", text, "a time such as 2026-01-15T10:30:00Z")


# There and back


@given(values)
def test_a_value_survives_the_wire(value: Any) -> None:
    assert from_wire(type(value), to_wire(value)) == value


@given(values)
def test_a_value_survives_json_text_as_bytes_too(value: Any) -> None:
    text = dumps(value)
    assert loads(type(value), text) == value
    assert loads(type(value), text.encode()) == value


@given(values)
def test_what_is_written_is_plain_data(value: Any) -> None:
    def is_plain(data: object) -> bool:
        if type(data) is dict:
            return all(type(key) is str and is_plain(entry) for key, entry in data.items())
        return all(map(is_plain, data)) if type(data) is list else data is None or type(data) in {str, int, bool}

    assert is_plain(to_wire(value))


@given(st.lists(values, max_size=3))
def test_several_values_are_written_as_a_list(several: list[Any]) -> None:
    assert json.loads(dumps(several)) == [to_wire(value) for value in several]


@given(times)
def test_a_time_survives_to_the_microsecond(time: datetime) -> None:
    example = TrainingExample(EXAMPLE.query, EXAMPLE.node, EXAMPLE.rubric, time)
    written = to_wire(example)["timestamp"]
    assert written.endswith("Z")
    assert ("." in written) == (time.microsecond != 0)
    assert from_wire(TrainingExample, to_wire(example)).timestamp == time


def test_a_provenance_may_be_absent_or_null() -> None:
    assert from_wire(TrainingExample, {**GOLDEN, "provenance": None}) == EXAMPLE
    assert from_wire(Provenance, {}) == from_wire(Provenance, {"licence": None}) == Provenance()


def test_a_question_needs_no_more_than_its_text() -> None:
    assert from_wire(ScoutQuery, {"query": "what breaks?"}) == ScoutQuery("what breaks?")


# What a scorer is sent


@given(queries, nodes)
def test_a_score_request_holds_the_five_fields_and_survives(query: QueryContext, node: NodeContext) -> None:
    body = json.loads(json.dumps(score_request(query, node)))
    assert list(body) == ["query", "tags", "location", "hover", "snippet"]
    assert read_score_request(body) == (query, node)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tags": ["Modul"]}, r"^tags\[0\]: 'Modul' is not one of .*; did you mean Module\?$"),
        ({"location": "a.py"}, r"^location: 'a.py' is not a location"),
        ({"snipet": ""}, r"^snipet: 'snipet' is not one of .*; did you mean snippet\?$"),
        ({"query": None}, r"^query: None is not text$"),
    ],
    ids=str,
)
def test_a_wrong_score_request_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        read_score_request({**score_request(EXAMPLE.query, EXAMPLE.node), **change})


@pytest.mark.parametrize("key", ["query", "tags", "location", "hover", "snippet"])
def test_a_score_request_that_lacks_a_field_names_it(key: str) -> None:
    body = score_request(EXAMPLE.query, EXAMPLE.node)
    del body[key]
    with pytest.raises(InvalidData, match=f"^{key}: missing is not ") as caught:
        read_score_request(body)
    assert caught.value.value is MISSING


@pytest.mark.parametrize("body", [None, 5, "text", [], [{}]])
def test_a_score_request_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(InvalidData, match=r"^a score request: .* is not an object with query, tags, location, hover"):
        read_score_request(body)


# What is refused


def places(data: object, path: Path = ()) -> Iterator[Path]:
    """Every place in plain data, the outermost first."""
    yield path
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


def named(path: Path) -> str:
    """A place as errors name it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def changed(data: Any, path: Path, change: Callable[[Any, Any], None]) -> Any:
    """A copy of plain data in which one entry was changed."""
    copy = around = deepcopy(data)
    for step in path[:-1]:
        around = around[step]
    change(around, path[-1])
    return copy


Path: TypeAlias = tuple[str | int, ...]
BODIES: Final[dict[type[Any], Any]] = {
    TrainingExample: WHOLE,
    ScoutResponse: {**to_wire(RESPONSE), "training_examples": [GOLDEN]},
}
PLACES: Final[dict[str, tuple[type[Any], Path]]] = {
    f"{kind.__name__} {named(path)}": (kind, path) for kind, body in BODIES.items() for path in places(body) if path
}
everywhere = pytest.mark.parametrize("where", PLACES)
MAY_BE_ABSENT: Final = {"provenance", "codebase", "change_kind", "training_examples"}


@everywhere
@pytest.mark.parametrize("wrong", [-1, 1.5, [[]], {"odd": 1}, {5}], ids=str)
def test_a_single_wrong_entry_is_named_with_its_value(where: str, wrong: object) -> None:
    kind, path = PLACES[where]
    error = refused(kind, changed(BODIES[kind], path, lambda around, step: around.__setitem__(step, wrong)))
    place = named(path)
    assert (error.field, error.value) in [(place, wrong), (f"{place}.odd", "odd"), (f"{place}[0]", [])]
    assert error.allowed
    assert str(error).startswith(f"{error.field}: ")


@everywhere
def test_a_single_missing_entry_is_named(where: str) -> None:
    kind, path = PLACES[where]
    body = changed(BODIES[kind], path, lambda around, step: around.pop(step))
    if path[-1] in MAY_BE_ABSENT or isinstance(path[-1], int):
        from_wire(kind, body)
    else:
        error = refused(kind, body)
        assert (error.field, error.value) == (named(path), MISSING)
        assert ": missing is not " in str(error)


@pytest.mark.parametrize("where", [where for where, (_, path) in PLACES.items() if isinstance(path[-1], str)])
def test_a_misspelt_key_is_named_with_the_nearest_one(where: str) -> None:
    kind, path = PLACES[where]
    error = refused(kind, changed(BODIES[kind], path, lambda around, key: around.update({f"{key}x": around.pop(key)})))
    assert (error.field, error.value) == (f"{named(path)}x", f"{path[-1]}x")
    assert error.allowed.endswith(f"; did you mean {path[-1]}?")


@pytest.mark.parametrize("kind", KINDS)
@given(data=plain)
def test_no_plain_data_raises_anything_else(kind: type[Any], data: object) -> None:
    try:
        value = from_wire(kind, data)
    except InvalidData as error:
        assert error.field  # noqa: PT017 - that it is refused is not certain: an empty object is a provenance
    else:
        assert from_wire(kind, to_wire(value)) == value


@given(value=rubrics | pointers, data=st.data())
def test_any_one_entry_replaced_by_any_plain_data_is_refused_or_read(value: Any, data: st.DataObject) -> None:
    body = to_wire(value)
    key = data.draw(st.sampled_from(sorted(body)))
    body[key] = data.draw(plain)
    try:
        read = from_wire(type(value), body)
    except InvalidData as error:
        assert error.field.startswith(key)  # noqa: PT017 - it may be right by chance
    else:
        assert to_wire(read) == body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [None, 5, "text", [], [{}]])
def test_what_is_no_object_is_refused(kind: type[Any], data: object) -> None:
    error = refused(kind, data)
    assert error.value == data
    assert error.allowed.startswith("an object with ")
    assert "".join(error.field.split()[1:]) == kind.__name__.lower()  # "a node context"


def test_a_word_in_another_case_is_refused_with_the_right_one() -> None:
    error = refused(QueryContext, {"query": "", "tags": ["Function", "PATTERNMATCH"]})
    assert error.field == "tags[1]"
    assert error.allowed.endswith("; did you mean PatternMatch?")


def test_a_word_like_no_other_is_refused_with_all_there_are() -> None:
    error = refused(QueryContext, {"query": "", "tags": ["xyzzy"]})
    assert error.allowed == f"one of {', '.join(Tag)}"


def deep() -> Any:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    return nested


MONSTERS: Final[dict[str, Callable[[], Any]]] = {
    "deep": deep,
    "a large number": lambda: 10**5_000,
    "a lone surrogate": lambda: "\ud800",
    "infinity": lambda: float("inf"),
    "no number": lambda: float("nan"),
    "a long word": lambda: "x" * 1_000_000,
    "an odd key": lambda: {10**5_000: 1},
    "a long key": lambda: {"x" * 1_000_000: 1},
    "a key with a newline": lambda: {"x\ny": 1},
}


@pytest.mark.parametrize("monster", MONSTERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_monster_in_place_of_a_value_is_refused_in_a_short_sentence(kind: type[Any], monster: str) -> None:
    error = refused(kind, MONSTERS[monster]())
    assert len(str(error)) < 400
    assert str(error).isprintable()


@pytest.mark.parametrize("monster", ["deep", "a large number", "a lone surrogate", "infinity", "an odd key"])
@pytest.mark.parametrize("where", [where for where, (kind, _) in PLACES.items() if kind is TrainingExample])
def test_a_monster_anywhere_inside_is_refused(where: str, monster: str) -> None:
    kind, path = PLACES[where]
    value = MONSTERS[monster]()
    error = refused(kind, changed(WHOLE, path, lambda around, step: around.__setitem__(step, value)))
    assert error.field.startswith(named(path))
    assert len(str(error)) < 300


# JSON text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "^JSON text: '' is not JSON: Expecting value: line 1 column 1"),
        ('{"relevance": 5', "is not JSON: Expecting ',' delimiter"),
        ("[" * 100_000, "is not JSON: "),
        ('{"a":' * 100_000, "is not JSON: "),
        ("1" * 5_000, "is not JSON: Exceeds the limit"),
        ("NaN", "^JSON text: 'NaN' is not a number that JSON has"),
        ('{"risk": -Infinity}', "^JSON text: '-Infinity' is not a number that JSON has"),
        (b"\xff{}", "is not UTF-8: byte 0 cannot be decoded"),
        ('{"risk": 5}'.encode("utf-16"), "is not UTF-8: byte 0"),
    ],
    ids=["nothing", "half", "deep lists", "deep objects", "a large number", "NaN", "-Infinity", "no UTF-8", "UTF-16"],
)
def test_what_is_no_json_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidData, match=message) as caught:
        parse(text)
    assert caught.value.field == "JSON text"
    with pytest.raises(InvalidData, match=message):
        loads(Rubric, text)


def test_text_that_is_no_object_is_refused() -> None:
    with pytest.raises(
        InvalidData, match=r"^a rubric: \[5\] is not an object with relevance, risk, confidence, reasoning"
    ):
        loads(Rubric, "[5]")


def test_a_lone_surrogate_that_json_escapes_is_refused() -> None:
    with pytest.raises(InvalidData, match=r"^reasoning: .* is not text that UTF-8 can encode"):
        loads(Rubric, r'{"relevance": 1, "risk": 1, "confidence": 1, "reasoning": "\ud800"}')


@given(st.text(st.sampled_from('a"\\\ud800\udfff\n😀')))
def test_text_can_always_be_written_as_utf_8(text: str) -> None:
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # JSON joins surrogates in a row
    assert json.loads(dumps(Rubric(1, 1, 1, text)).encode())["reasoning"] == joined


@pytest.mark.parametrize("monster", ["no number", "infinity", "a large number", "deep"])
def test_what_json_cannot_say_is_not_written(monster: str) -> None:
    with pytest.raises(InvalidData, match=r"^JSON text: .* is not what JSON can say"):
        dumps({"seconds": [MONSTERS[monster]()]})


def test_text_is_indented_where_asked() -> None:
    assert dumps(Rubric(1, 2, 3, "é"), indent=2) == (
        '{\n  "relevance": 1,\n  "risk": 2,\n  "confidence": 3,\n  "reasoning": "é"\n}'
    )
