"""What the domain lets be said: every class checks itself, and an error names the field and what it may be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import attrs
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
from tidepool.errors import InvalidData, TidepoolError
from tidepool.testing.values import nodes, queries, rubrics, values

QUERY = QueryContext("what breaks?", (Tag.FUNCTION,))
NODE = NodeContext("a.py:1", None, "x = 1")
RUBRIC = Rubric(5, 4, 3, "because")
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
EXAMPLE = TrainingExample(QUERY, NODE, RUBRIC, NOON)
POINTER = Pointer("a.py:1", "f", 5, 4, 3, "because", (), "rename it", Verdict.LIKELY)
RESPONSE = ScoutResponse("one place", Status.COMPLETE, (POINTER,))
FROM_1_TO_5 = "a whole number from 1 to 5"
ONE_OF_THE_TAGS = "one of Exhaustive, PatternMatch, TypeFamily, Constraint, DataType, TypeAlias, Function, Module"


class Nowhere(tzinfo):
    """A time zone that does not know its own offset."""

    def utcoffset(self, _: datetime | None) -> timedelta | None:
        return None

    dst = utcoffset

    def tzname(self, _: datetime | None) -> str:
        return "nowhere"


def no_time(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


WRONG: dict[str, tuple[Any, str, object, str]] = {
    "no number": (RUBRIC, "relevance", "5", FROM_1_TO_5),
    "too low": (RUBRIC, "relevance", 0, FROM_1_TO_5),
    "too high": (RUBRIC, "risk", 6, FROM_1_TO_5),
    "not whole": (RUBRIC, "risk", 3.0, FROM_1_TO_5),
    "a truth": (RUBRIC, "confidence", True, FROM_1_TO_5),
    "no text": (RUBRIC, "reasoning", None, "text"),
    "no text of a query": (QUERY, "query", b"bytes", "text"),
    "no text of a snippet": (NODE, "snippet", None, "text"),
    "no text of a hover": (NODE, "hover", 5, "text or null"),
    "no location": (NODE, "location", "a.py", 'a location "path:line" with a line from 1'),
    "a location before the first line": (NODE, "location", "a.py:0", 'a location "path:line" with a line from 1'),
    "a location without a path": (POINTER, "location", ":1", 'a location "path:line" with a line from 1'),
    "a location of two lines": (NODE, "location", "a\n.py:1", 'a location "path:line" with a line from 1'),
    "a location beyond all lines": (NODE, "location", "a.py:" + "1" * 5_000, "a location"),
    "a location that is no text": (NODE, "location", 1, "a location"),
    "no tags": (QUERY, "tags", 5, f"a sequence, each {ONE_OF_THE_TAGS}"),
    "one tag": (QUERY, "tags", "Function", f"a sequence, each {ONE_OF_THE_TAGS}"),
    "a verdict": (POINTER, "verdict", "likely", "one of verified, likely, possible"),
    "a status": (RESPONSE, "status", "complete", "one of complete, partial, not_found, not_ready, unsupported"),
    "no query": (EXAMPLE, "query", "what breaks?", "a query context"),
    "no node": (EXAMPLE, "node", None, "a node context"),
    "no rubric": (EXAMPLE, "rubric", NODE, "a rubric"),
    "no provenance": (EXAMPLE, "provenance", "here", "a provenance or null"),
    "no part of a provenance": (Provenance(), "licence", 5, "text or null"),
    "no time": (EXAMPLE, "timestamp", "2026-01-15T10:30:00Z", "a time with a time zone"),
    "a time without a zone": (EXAMPLE, "timestamp", no_time(NOON), "a time with a time zone"),
    "a time in no place": (EXAMPLE, "timestamp", NOON.replace(tzinfo=Nowhere()), "a time with a time zone"),
    "a time after the last": (
        EXAMPLE,
        "timestamp",
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        "a time with a time zone",
    ),
    "a budget below nothing": (ScoutQuery("q"), "budget_nodes", -1, "a whole number from 0 up"),
    "a budget that is no number": (ScoutQuery("q"), "budget_nodes", "20", "a whole number from 0 up"),
    "no choice": (ScoutQuery("q"), "keep_examples", 1, "true or false"),
    "a count": (RESPONSE, "nodes_visited", 0.5, "a whole number from 0 up"),
    "no pointers": (RESPONSE, "pointers", None, "a sequence, each a pointer"),
    "no examples": (RESPONSE, "training_examples", 5, "a sequence, each a training example"),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_field_is_an_error_that_names_it_and_what_it_may_be(how: str) -> None:
    right, field, value, allowed = WRONG[how]
    with pytest.raises(InvalidData) as caught:
        attrs.evolve(right, **{field: value})
    error = caught.value
    assert (error.field, error.value) == (field, value)
    assert error.allowed.startswith(allowed)
    assert str(error).startswith(f"{field}: ")
    assert f" is not {allowed}" in str(error)


def test_a_wrong_member_is_named_by_its_place() -> None:
    with pytest.raises(InvalidData, match=r"^tags\[1\]: 'Module' is not one of Exhaustive, ") as caught:
        QueryContext("q", (Tag.FUNCTION, "Module"))  # type: ignore[arg-type]
    assert caught.value.field == "tags[1]"
    with pytest.raises(InvalidData, match=r"^pointers\[0\]: .* is not a pointer"):
        ScoutResponse("s", Status.COMPLETE, [RUBRIC])  # type: ignore[list-item]


def test_an_invalid_value_is_a_value_error_and_one_of_ours() -> None:
    assert issubclass(InvalidData, ValueError)
    assert issubclass(InvalidData, TidepoolError)


def _deep() -> list[Any]:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: "x" * 10_000_000, "'xxx"),
        (_deep, "this list"),
        (lambda: 10**5_000, "this int"),
        (lambda: "\ud800", "'\\ud800'"),
    ],
    ids=["long", "deep", "large", "a surrogate"],
)
def test_an_error_about_a_monstrous_value_is_short(make: Callable[[], object], shown: str) -> None:
    error = InvalidData("risk", make(), FROM_1_TO_5)
    assert str(error).startswith(f"risk: {shown}")
    assert len(str(error)) < 150
    assert str(error).isprintable()


@given(values)
def test_a_value_is_immutable_and_equal_to_another_made_of_the_same_parts(value: Any) -> None:
    parts = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    again = type(value)(**parts)
    assert again == value
    assert hash(again) == hash(value)
    with pytest.raises(attrs.exceptions.FrozenInstanceError, match="can't set attribute"):
        setattr(value, next(iter(parts)), None)


@given(nodes)
def test_a_location_is_a_path_and_a_line(node: NodeContext) -> None:
    assert f"{node.path}:{node.line}" == node.location
    assert node.path
    assert node.line >= 1


@given(queries, nodes, rubrics, st.datetimes(timezones=st.just(UTC)))
def test_any_time_in_utc_can_be_stamped(query: QueryContext, node: NodeContext, rubric: Rubric, when: datetime) -> None:
    assert TrainingExample(query, node, rubric, when).timestamp == when


def test_a_path_may_hold_a_colon() -> None:
    node = NodeContext("C:odd/a:b.py:12", None, "")
    assert (node.path, node.line) == ("C:odd/a:b.py", 12)


def test_what_a_scorer_sees_of_a_question_is_its_text_and_tags() -> None:
    assert ScoutQuery("q", [Tag.MODULE], 5, keep_examples=True).context == QueryContext("q", (Tag.MODULE,))


def test_sequences_are_kept_as_tuples() -> None:
    assert QueryContext("q", [Tag.MODULE]).tags == (Tag.MODULE,)
    assert ScoutResponse("s", Status.PARTIAL, [POINTER]).pointers == (POINTER,)
    assert ScoutResponse("s", Status.PARTIAL, training_examples=[EXAMPLE]).training_examples == (EXAMPLE,)
    assert ScoutResponse("s", Status.PARTIAL).training_examples is None
