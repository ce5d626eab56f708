"""What to look at next: a best-first queue of places, each kept once. Pure data, no effects."""

from __future__ import annotations

from collections.abc import Container
from enum import IntEnum, unique
from heapq import heapify, heappop, heappush
from typing import Final

import attrs

from tidepool.domain import NodeContext
from tidepool.effects.lsp import Place
from tidepool.ties import with_tie


@unique
class Relation(IntEnum):
    """How a place was reached, the most telling way first: of two ways to one place the first is kept."""

    DEFINITION = 0  # it is the definition that changes
    SIBLING = 1  # it mentions a sibling of the variant that is added
    PARAMETER = 2  # it mentions the parameter that changes
    OVERRIDE = 3  # it overrides or implements the definition
    SUBTYPE = 4  # it derives from the definition, at any depth
    REFERENCE = 5  # it mentions the definition
    ALIAS = 6  # it mentions another name for the definition
    CALLER = 7  # it calls a function that the change carries on to
    UNTYPED = 8  # it writes the name of the definition on a value whose type the server cannot tell
    TIED = 9  # it mentions what is tied to the definition, as a variable that holds what it gives
    CONSTRUCTION = 10  # it mentions the class whose constructor changes
    PASSED = 11  # it passes the parameter that changes by its name
    TEXT = 12  # its text speaks of the definition, or of its variants, without mentioning it
    BROKEN = 13  # nothing else leads there, but a checker newly finds something wrong


@attrs.frozen
class Lead:
    """A place worth rating.

    Attributes:
        place: where it is.
        relation: how it was reached.
        snippet: the code there.
        promise: how much is expected of it before anything is known but its text; the highest is rated first.
        depth: how many definitions lie between it and the one that changes.
        deferred: whether it stands in a definition of which a place has been rated already.
        tie: how it is tied to the change, where its code does not say so (`tidepool.ties`), or "".
        origin: the location it was reached from, or "" for the definition that changes.
    """

    place: Place
    relation: Relation
    snippet: str
    promise: int
    depth: int = 0
    deferred: bool = False
    tie: str = ""
    origin: str = ""

    @property
    def node(self) -> NodeContext:
        """The place as a scorer sees it before anybody asked the server about it."""
        return NodeContext(self.place.location, with_tie(None, self.tie), self.snippet)


class Frontier:
    """Leads not yet taken. One per line of code; what is taken or known does not come back."""

    def __init__(self) -> None:
        self._known: dict[str, Lead] = {}
        self._heap: list[tuple[bool, int, Relation, Place]] = []

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def known(self) -> tuple[Lead, ...]:
        """Every lead that was ever added, taken or not."""
        return tuple(self._known.values())

    def is_known(self, place: Place) -> bool:
        """Whether this line is, or was, in the queue."""
        return place.location in self._known

    def add(self, lead: Lead) -> None:
        """Queue a lead, unless its line is known."""
        if not self.is_known(lead.place):
            self._queue(lead)

    def promote(self, locations: Container[str], promise: int) -> None:
        """Promise that much, or more, of the queued leads at these lines."""
        queued = [self._known[entry[_PLACE].location] for entry in self._heap]
        for lead in queued:
            if lead.place.location in locations and lead.promise < promise:
                self._known[lead.place.location] = attrs.evolve(lead, promise=promise)
        self._heap = [_entry(self._known[lead.place.location]) for lead in queued]
        heapify(self._heap)

    def defer(self, lead: Lead) -> None:
        """Queue a lead again, behind all that have not been deferred."""
        self._queue(attrs.evolve(lead, deferred=True))

    def take(self, count: int) -> list[Lead]:
        """The best `count` leads, or as many as there are; equal promise is decided by relation, then by place."""
        return [self._known[heappop(self._heap)[_PLACE].location] for _ in range(min(count, len(self._heap)))]

    def _queue(self, lead: Lead) -> None:
        self._known[lead.place.location] = lead
        heappush(self._heap, _entry(lead))


def _entry(lead: Lead) -> tuple[bool, int, Relation, Place]:
    """What stands for a lead in the queue, which takes the least first."""
    return (lead.deferred, -lead.promise, lead.relation, lead.place)


_PLACE: Final = 3
