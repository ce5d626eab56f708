"""What tidepool talks about: questions, nodes of code, rubrics, and the ranked answer.

Every class is immutable, checks itself on construction (`InvalidData` names the field, the value and what it may
be) and has exactly the fields it has on the wire (`tidepool.wire`).
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import attrs

from tidepool.errors import InvalidData

_LOCATION: Final = re.compile(r"[^\n]+:[1-9][0-9]*")


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


def _text(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise InvalidData(attribute.name, value, "text")


def _one_to_five(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not int or not 1 <= value <= 5:
        raise InvalidData(attribute.name, value, "a whole number from 1 to 5")


def _count(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not int or value < 0:
        raise InvalidData(attribute.name, value, "a whole number from 0 up")


def _location(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or _LOCATION.fullmatch(value) is None:
        raise InvalidData(attribute.name, value, 'a location "path:line" with a line from 1')


def _zoned(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidData(attribute.name, value, "a time with a time zone, such as 2026-01-15T10:30:00Z")


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
    reasoning: str = attrs.field(validator=_text)


@attrs.frozen
class QueryContext:
    """What was asked: the question's text and what kind of code it is about."""

    query: str = attrs.field(validator=_text)
    tags: tuple[Tag, ...] = attrs.field(default=(), converter=tuple)


@attrs.frozen
class NodeContext:
    """A place in the code, as a scorer sees it.

    Attributes:
        location: `path:line`, the path relative to the root and with `/`, the line from 1.
        hover: what the language server says about the symbol there, or None.
        snippet: the line with the two before and the two after it, fewer at the ends of a file.
    """

    location: str = attrs.field(validator=_location)
    hover: str | None = attrs.field(validator=attrs.validators.optional(_text))
    snippet: str = attrs.field(validator=_text)

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
    """Where a training example comes from; every part may be unknown."""

    codebase: str | None = None
    revision: str | None = None
    language: str | None = None
    licence: str | None = None
    labeller: str | None = None
    change_kind: str | None = None


@attrs.frozen
class TrainingExample:
    """One rated node, as a model learns from it."""

    query: QueryContext
    node: NodeContext
    rubric: Rubric
    timestamp: datetime = attrs.field(validator=_zoned)
    provenance: Provenance | None = None


@attrs.frozen
class ScoutQuery:
    """A question to explore a codebase with.

    Attributes:
        query: the question, such as `What breaks if I add a variant to LLMKind?`
        tags: what kind of code it is about.
        budget_nodes: how many nodes may be rated.
        keep_examples: whether the answer carries a training example for every rated node.
    """

    query: str = attrs.field(validator=_text)
    tags: tuple[Tag, ...] = attrs.field(default=(), converter=tuple)
    budget_nodes: int = attrs.field(default=20, validator=_count)
    keep_examples: bool = False

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
    what: str = attrs.field(validator=_text)
    relevance: int = attrs.field(validator=_one_to_five)
    risk: int = attrs.field(validator=_one_to_five)
    confidence: int = attrs.field(validator=_one_to_five)
    reasoning: str = attrs.field(validator=_text)
    tags: tuple[Tag, ...] = attrs.field(converter=tuple)
    action: str = attrs.field(validator=_text)
    verdict: Verdict


@attrs.frozen
class ScoutResponse:
    """A ranked answer.

    Attributes:
        summary: the answer in a sentence or two, with everything that limits it.
        pointers: best first; the order is total and the same on every run.
        nodes_visited: how many nodes were rated.
        frontier_left: how many known places were not rated because the budget was spent.
        training_examples: one for every rated node, or None where the question did not ask for them.
    """

    summary: str = attrs.field(validator=_text)
    status: Status
    pointers: tuple[Pointer, ...] = attrs.field(default=(), converter=tuple)
    nodes_visited: int = attrs.field(default=0, validator=_count)
    frontier_left: int = attrs.field(default=0, validator=_count)
    training_examples: tuple[TrainingExample, ...] | None = None
