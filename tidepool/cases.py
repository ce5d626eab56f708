"""Cases: questions about real codebases with the places where two checkers see the change break. Pure.

    case = Case(id=…, question="What breaks if I rename `Order.total`?", must=("shop/till.py:12",), …)
    text = written([case])                       JSON lines, as `tidepool cases` writes them
    read_cases(text) == (case,)                  and `tidepool evaluate` reads them

A place is a file and a line. Checkers point at different lines of one statement, and so do answers: places of one file
within `WITHIN_LINES` lines of each other count as the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

import attrs

from tidepool.change import ChangeKind
from tidepool.domain import Tag
from tidepool.effects.lsp import Edit, Symbol
from tidepool.errors import InvalidData
from tidepool.kinds import NAMING_KINDS
from tidepool.outline import FUNCTIONS
from tidepool.wire import dumps, loads

WITHIN_LINES: Final = 2
"""How far apart two lines may be and still be the same place: the lines of one call, or of one statement."""


class Spot(NamedTuple):
    """A line of a file, the path relative to the root and with `/`, the line from 1."""

    path: str
    line: int

    @classmethod
    def at(cls, location: str) -> Spot:
        """The spot that `path:line` names.

        Raises:
            ValueError: it names none.
        """
        path, _, line = location.rpartition(":")
        if not (path and line.isascii() and line.isdigit() and 0 < int(line[:10]) == int(line)):
            raise ValueError(location)
        return cls(path, int(line))

    @property
    def location(self) -> str:
        """The spot as `path:line`."""
        return f"{self.path}:{self.line}"

    def is_near(self, other: Spot) -> bool:
        """Whether the two count as the same place."""
        return self.path == other.path and abs(self.line - other.line) <= WITHIN_LINES


def _location(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    try:
        Spot.at(value)
    except (ValueError, AttributeError):
        raise InvalidData(attribute.name, value, 'a location "path:line" with a line from 1') from None


def _locations(_instance: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for number, location in enumerate(value):
        try:
            Spot.at(location)
        except ValueError:
            name = f"{attribute.name}[{number}]"
            raise InvalidData(name, location, 'a location "path:line" with a line from 1') from None


def _in_order(_instance: object, attribute: attrs.Attribute[tuple[int, int]], value: tuple[int, int]) -> None:
    first, last = value
    if not 1 <= first <= last:
        raise InvalidData(attribute.name, value, "a first line from 1 and a last line that is not before it")


@attrs.frozen
class Case:
    """A question with what is known of its answer.

    Attributes:
        id: tells it apart from every other, such as `httpx/rename/Client.get`.
        codebase: a name for the codebase.
        root: its folder; where it is relative, then to the folder of the file that holds the case.
        kind: what the question asks about.
        question: in English.
        tags: the question's tags.
        name: the definition that changes, behind the name of its class.
        definition: where the name of that definition stands, as `path:line`.
        own_lines: the first and the last line of what is part of the change itself, in the definition's file.
        must: where both checkers newly find something wrong, one line for each place, sorted.
        may: where either does, and where the change has to be followed though no checker says so, sorted.
    """

    id: str
    codebase: str
    root: str
    kind: ChangeKind
    question: str
    tags: tuple[Tag, ...]
    name: str
    definition: str = attrs.field(validator=_location)
    own_lines: tuple[int, int] = attrs.field(validator=_in_order)
    must: tuple[str, ...] = attrs.field(validator=_locations)
    may: tuple[str, ...] = attrs.field(validator=_locations)

    def is_own(self, spot: Spot) -> bool:
        """Whether a spot is part of the change itself: neither a right answer nor a wrong one."""
        first, last = self.own_lines
        return spot.path == Spot.at(self.definition).path and first <= spot.line <= last


def written(cases: Iterable[Case]) -> str:
    """Cases as JSON lines."""
    return "".join(f"{dumps(case)}\n" for case in cases)


def read_cases(text: str) -> tuple[Case, ...]:
    """The cases that JSON lines hold; blank lines are passed over.

    Raises:
        InvalidData: a line holds no case, or one with the id of another; `field` begins with the line's number.
    """
    cases: dict[str, Case] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            case = loads(Case, line)
        except InvalidData as error:
            raise InvalidData(f"line {number}: {error.field}", error.value, error.allowed) from None
        if case.id in cases:
            raise InvalidData(f"line {number}: id", case.id, "the id of one case alone")
        cases[case.id] = case
    return tuple(cases.values())


class Labels(NamedTuple):
    """The places of a case, as it holds them."""

    must: tuple[str, ...]
    may: tuple[str, ...]


def labels(found: Sequence[Collection[Spot]], further: Iterable[Spot] = ()) -> Labels:
    """What must and what may change, from what each checker newly found.

    Args:
        found: for each checker, where.
        further: what may have to change though no checker says so.
    """
    first, *others = found
    agreed = (spot for spot in first if all(any(map(spot.is_near, other)) for other in others))
    either = {spot for spots in (*found, further) for spot in spots}
    return Labels(_locations_of(grouped(agreed)), _locations_of(sorted(either)))


def grouped(spots: Iterable[Spot]) -> list[Spot]:
    """One spot for each place, sorted: the first of those within `WITHIN_LINES` lines of it."""
    places: list[Spot] = []
    for spot in sorted(spots):
        if not (places and places[-1].is_near(spot)):
            places.append(spot)
    return places


def _locations_of(spots: Iterable[Spot]) -> tuple[str, ...]:
    return tuple(spot.location for spot in spots)


def own_lines(kind: ChangeKind, symbol: Symbol) -> tuple[int, int]:
    """The lines that are part of the change: a function, a field, a class that changes as a whole, else a class's head.

    What a class with a new field does with itself further down is no part of the change: it breaks like any other use.
    """
    if symbol.kind in FUNCTIONS or kind in NAMING_KINDS or symbol.last_line - symbol.place.line < WITHIN_LINES:
        return symbol.first_line, symbol.last_line
    return symbol.first_line, symbol.place.line


def unedited(edit: Edit, text: str, line: int, column: int) -> int | None:
    """Where a position in a file's edited text stands in the text as it is.

    Args:
        text: the file as it is.
        line: in the edited text, from 1.
        column: in the edited text, in characters from 0.

    Returns:
        The line, from 1, or None inside of what the edit inserts.
    """
    lines = edit.applied(text).split("\n")
    at = sum(len(before) + 1 for before in lines[: line - 1]) + min(column, len(lines[line - 1]))
    moved = 0
    for start, end, instead in edit.splices:
        if at < start + moved:
            break
        if at < start + moved + len(instead):
            return None
        moved += len(instead) - (end - start)
    return text.count("\n", 0, at - moved) + 1
