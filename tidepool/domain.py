"""What tidepool talks about: questions, nodes of code, rubrics, and the ranked answer.

Every class is immutable, checks itself on construction (`InvalidData` names the field, the value and what it may
be) and has exactly the fields it has on the wire (`tidepool.wire`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar

import attrs

from tidepool.errors import InvalidData

_LOCATION: Final = re.compile(r"[^\n]+:[1-9][0-9]{0,8}")

T = TypeVar("T")
_Attribute: TypeAlias = "attrs.Attribute[Any]"


LINES_AROUND: Final = 2
"""Lines that a snippet holds before, and after, the one it is about."""


class Tag(StrEnum):
    """What kind of code a question is about; on the wire by value."""

    EXHAUSTIVE = "Exhaustive"
    PATTERN_MATCH = "PatternMatch"
    TYPE_FAMILY = "TypeFamily"
    CONSTRAINT = "Constraint"
    DATA_TYPE = "DataType"
    TYPE_ALIAS = "TypeAlias"
    FUNCTION = "Function"
    MODULE = "Module"


class Status(StrEnum):
    """How far an answer goes."""

    COMPLETE = "complete"  # everything reachable was rated
    PARTIAL = "partial"  # something was left out, and the summary says what
    NOT_FOUND = "not_found"  # the name in the question is not defined in the codebase
    NOT_READY = "not_ready"  # the language server never finished reading the codebase
    UNSUPPORTED = "unsupported"  # the language server cannot answer this kind of question


class Verdict(StrEnum):
    """How sure it is that a place breaks."""

    VERIFIED = "verified"  # a compiler says so
    LIKELY = "likely"  # the scorer puts its risk at 4 or 5
    POSSIBLE = "possible"  # anything below


def a_kind_of(kind: type) -> str:
    """What a value of this type may be, in words."""
    if issubclass(kind, StrEnum):
        return f"one of {', '.join(kind)}"
    words = {str: "text", bool: "true or false"}
    return words.get(kind) or f"a {re.sub('(?<=[a-z])(?=[A-Z])', ' ', kind.__name__).lower()}"


def _is(kind: type[T]) -> Callable[[object, _Attribute, T], None]:
    def check(_instance: object, attribute: _Attribute, value: T) -> None:
        if not isinstance(value, kind):
            raise InvalidData(attribute.name, value, a_kind_of(kind))

    return check


def _is_or_none(kind: type[T]) -> Callable[[object, _Attribute, T | None], None]:
    def check(_instance: object, attribute: _Attribute, value: T | None) -> None:
        if value is not None and not isinstance(value, kind):
            raise InvalidData(attribute.name, value, f"{a_kind_of(kind)} or null")

    return check


def _one_to_five(_instance: object, attribute: _Attribute, value: int) -> None:
    if type(value) is not int or not 1 <= value <= 5:
        raise InvalidData(attribute.name, value, "a whole number from 1 to 5")


def _count(_instance: object, attribute: _Attribute, value: int) -> None:
    if type(value) is not int or value < 0:
        raise InvalidData(attribute.name, value, "a whole number from 0 up")


def _location(_instance: object, attribute: _Attribute, value: str) -> None:
    if not isinstance(value, str) or _LOCATION.fullmatch(value) is None:
        raise InvalidData(attribute.name, value, 'a location "path:line" with a line from 1')


def _zoned(_instance: object, attribute: _Attribute, value: datetime) -> None:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        with suppress(OverflowError):  # at an end of the calendar, a time may have no name in UTC
            value.astimezone(UTC)
            return
    raise InvalidData(attribute.name, value, "a time with a time zone, such as 2026-01-15T10:30:00Z")


def _members(field: str, kind: type[T], values: Iterable[T]) -> tuple[T, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidData(field, values, f"a sequence, each {a_kind_of(kind)}")
    members = tuple(values)
    for place, member in enumerate(members):
        if not isinstance(member, kind):
            raise InvalidData(f"{field}[{place}]", member, a_kind_of(kind))
    return members


def _tags(values: Iterable[Tag]) -> tuple[Tag, ...]:
    return _members("tags", Tag, values)


def _pointers(values: Iterable[Pointer]) -> tuple[Pointer, ...]:
    return _members("pointers", Pointer, values)


def _examples(values: Iterable[TrainingExample] | None) -> tuple[TrainingExample, ...] | None:
    return None if values is None else _members("training_examples", TrainingExample, values)


def _steps(values: Iterable[Step] | None) -> tuple[Step, ...] | None:
    return None if values is None else _members("reached", Step, values)


@attrs.frozen
class Rubric:
    """A scorer's judgement of one node.

    Attributes:
        relevance: 5 critical to the query, 4 highly, 3 moderately, 2 tangentially, 1 barely.
        risk: 5 breaking change required, 4 major refactoring, 3 minor changes, 2 might need an update, 1 none.
        confidence: 5 certain .. 1 a guess.
        reasoning: one sentence that says why.
    """

    relevance: int = attrs.field(validator=_one_to_five)
    risk: int = attrs.field(validator=_one_to_five)
    confidence: int = attrs.field(validator=_one_to_five)
    reasoning: str = attrs.field(validator=_is(str))


@attrs.frozen
class QueryContext:
    """What was asked: the question's text and what kind of code it is about."""

    query: str = attrs.field(validator=_is(str))
    tags: tuple[Tag, ...] = attrs.field(default=(), converter=_tags)


@attrs.frozen
class NodeContext:
    """A place in the code, as a scorer sees it.

    Attributes:
        location: `path:line`, the path relative to the root and with `/`, the line from 1.
        hover: what the language server says about the symbol there, or None.
        snippet: the line with the two before and the two after it, fewer at the ends of a file.
    """

    location: str = attrs.field(validator=_location)
    hover: str | None = attrs.field(validator=_is_or_none(str))
    snippet: str = attrs.field(validator=_is(str))

    @property
    def code(self) -> str:
        """The line itself, as far as the snippet holds it."""
        lines = self.snippet.split("\n")
        return lines[min(LINES_AROUND, self.line - 1, len(lines) - 1)]

    @property
    def path(self) -> str:
        """The file, relative to the root."""
        return self.location.rpartition(":")[0]

    @property
    def line(self) -> int:
        """The line, from 1."""
        return int(self.location.rpartition(":")[2])


@attrs.frozen
class Provenance:
    """Where a training example comes from; every part may be unknown.

    Attributes:
        licence: as the codebase names it, mostly an SPDX expression.
        labeller: `heuristic`, `oracle`, `history`, `mixed` or `person`.
        disputed: what other labellers said instead, or None where nobody said otherwise.
    """

    codebase: str | None = attrs.field(default=None, validator=_is_or_none(str))
    revision: str | None = attrs.field(default=None, validator=_is_or_none(str))
    language: str | None = attrs.field(default=None, validator=_is_or_none(str))
    licence: str | None = attrs.field(default=None, validator=_is_or_none(str))
    labeller: str | None = attrs.field(default=None, validator=_is_or_none(str))
    change_kind: str | None = attrs.field(default=None, validator=_is_or_none(str))
    disputed: str | None = attrs.field(default=None, validator=_is_or_none(str))


@attrs.frozen
class TrainingExample:
    """One rated node, as a model learns from it."""

    query: QueryContext = attrs.field(validator=_is(QueryContext))
    node: NodeContext = attrs.field(validator=_is(NodeContext))
    rubric: Rubric = attrs.field(validator=_is(Rubric))
    timestamp: datetime = attrs.field(validator=_zoned)
    provenance: Provenance | None = attrs.field(default=None, validator=_is_or_none(Provenance))


@attrs.frozen
class ScoutQuery:
    """A question to explore a codebase with.

    Attributes:
        query: the question, such as `What breaks if I add a variant to LLMKind?`
        tags: what kind of code it is about.
        budget_nodes: how many nodes may be rated.
        keep_examples: whether the answer carries a training example for every rated node.
        verify: whether to make the change in memory and to ask a checker what newly fails.
    """

    query: str = attrs.field(validator=_is(str))
    tags: tuple[Tag, ...] = attrs.field(default=(), converter=_tags)
    budget_nodes: int = attrs.field(default=20, validator=_count)
    keep_examples: bool = attrs.field(default=False, validator=_is(bool))
    verify: bool = attrs.field(default=False, validator=_is(bool))

    @property
    def context(self) -> QueryContext:
        """The part of it that a scorer sees."""
        return QueryContext(self.query, self.tags)


@attrs.frozen
class Pointer:
    """One row of the answer: a place, how much it matters, and what to do there.

    Attributes:
        location: `path:line` of the place rated highest inside `what`.
        what: the definition that holds the place, and its other lines that are concerned.
        action: what to do there, in the imperative.
    """

    location: str = attrs.field(validator=_location)
    what: str = attrs.field(validator=_is(str))
    relevance: int = attrs.field(validator=_one_to_five)
    risk: int = attrs.field(validator=_one_to_five)
    confidence: int = attrs.field(validator=_one_to_five)
    reasoning: str = attrs.field(validator=_is(str))
    tags: tuple[Tag, ...] = attrs.field(converter=_tags)
    action: str = attrs.field(validator=_is(str))
    verdict: Verdict = attrs.field(validator=_is(Verdict))


@attrs.frozen
class Step:
    """How one line was reached.

    Attributes:
        relation: what it is to the change or to its origin, in a word: `definition`, `reference`, `caller`, …
        origin: the location it was reached from; None for the definition that changes.
    """

    location: str = attrs.field(validator=_location)
    relation: str = attrs.field(validator=_is(str))
    origin: str | None = attrs.field(validator=_is_or_none(str))


@attrs.frozen
class ScoutResponse:
    """A ranked answer.

    Attributes:
        summary: the answer in a sentence or two, with everything that limits it.
        pointers: best first; the order is total and the same on every run.
        nodes_visited: how many nodes were rated.
        frontier_left: how many known places were not rated because the budget was spent.
        training_examples: one for every rated node, or None where the question did not ask for them.
        reached: the steps to every rated node, those in between included; None where there are no examples.
    """

    summary: str = attrs.field(validator=_is(str))
    status: Status = attrs.field(validator=_is(Status))
    pointers: tuple[Pointer, ...] = attrs.field(default=(), converter=_pointers)
    nodes_visited: int = attrs.field(default=0, validator=_count)
    frontier_left: int = attrs.field(default=0, validator=_count)
    training_examples: tuple[TrainingExample, ...] | None = attrs.field(default=None, converter=_examples)
    reached: tuple[Step, ...] | None = attrs.field(default=None, converter=_steps)
