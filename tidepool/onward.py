"""Which questions lead on from a place: to the other names that what changes goes by, and to what is tied to it there.

`g = f` gives `f` another name. `x = f()` makes a variable of what `f` gives; a class below the one that changes is made
somewhere; who has a parameter of a type that changes is called. None of these places names what changes: each is told
how it is tied to it (`tidepool.ties`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tidepool.change import Change, ChangeKind
from tidepool.eff import Eff
from tidepool.effects.lsp import Place, References, Snippet, Symbol, references
from tidepool.frontier import Lead, Relation
from tidepool.lines import lines_of
from tidepool.reading.lens import lens
from tidepool.reading.mentions import VALUES
from tidepool.reading.snippets import indent
from tidepool.sites import Site, SiteKind, Subject, Use
from tidepool.ties import How, Tie, meant
from tidepool.trails import Trail, follow_callers, follow_mentions, mentions_elsewhere

_GIVEN: Final = frozenset({ChangeKind.MAKE_NULLABLE, ChangeKind.CHANGE_RETURN_TYPE})
"""Changes that a variable takes over from what it is assigned."""

_INHERITED: Final = frozenset(
    {
        *(ChangeKind.ADD_ABSTRACT_METHOD, ChangeKind.ADD_FIELD, ChangeKind.ADD_PARAMETER),
        *(ChangeKind.REMOVE_PARAMETER, ChangeKind.CHANGE_PARAMETER_TYPE),
    }
)
"""Changes that whoever makes an object of a derived class is concerned by."""

_ASSIGNS: Final = re.compile(r"\s*(?:(?:self|cls)\.)?([^\W\d]\w*)\s*(?::[^=]+)?=(?!=)")
_ANNOTATED: Final = re.compile(r"([^\W\d]\w*)\s*:[^:=]*$")
_IN_SIGNATURE: Final = re.compile(r"^\s*(?:async\s+)?def\s|->|,\s*$")
_WORD: Final = re.compile(r"\w+")


def onward(change: Change, lead: Lead, site: Site) -> Iterator[Trail]:
    """The ways on from a place, by what its text alone shows."""
    if site.alias:
        place = lead.place._replace(column=site.alias_column)
        yield Trail(
            Relation.ALIAS, references(place), f"the references of {site.alias} at {place.location}", lead.depth + 1
        )
    if lead.relation is Relation.SUBTYPE and change.kind in _INHERITED:
        yield from _tied(change, lead, lead.place.column, How.DERIVES)
    elif change.kind is ChangeKind.CHANGE_ALIAS and site.kind is SiteKind.ANNOTATION:
        yield from _tied(change, lead, _annotated(change, lead.node.code), How.HOLDS)
    elif _keeps(meant(change, lead.node).kind, site, lead.node.code):
        found = _ASSIGNS.match(lead.node.code)
        yield from _tied(change, lead, found.start(1) if found is not None else -1, How.HOLDS)


def _tied(change: Change, lead: Lead, column: int, how: How) -> Iterator[Trail]:
    """The mentions of the name that stands in a column, if one does."""
    word = _WORD.match(lead.node.code, column) if column >= 0 else None
    if word is not None and change.targets:
        place = lead.place._replace(column=column)
        name = f"the references of {word[0]} at {place.location}"
        tie = Tie(word[0], how).told(change.targets[0].name)
        is_local = how is How.HOLDS and lead.node.code[:column].rstrip()[-1:] != "."
        ask = _until_assigned(place, word[0]) if is_local else mentions_elsewhere(place)
        yield Trail(Relation.TIED, ask, name, lead.depth + 1, tie)


def _until_assigned(place: Place, variable: str) -> Eff[References | Snippet, tuple[Place, ...]]:
    """Where a variable is mentioned below a line that assigns it, as far as it holds what it got there."""
    below = [other for other in (yield from mentions_elsewhere(place)) if other.path == place.path and other > place]
    if not below:
        return ()
    last = min(max(other.line for other in below), place.line + BODY_LINES_READ)
    lines = yield from lines_of(place.path, place.line, last)
    kept_to = _assigned_again(lines, variable)
    return tuple(other for other in below if kept_to is None or other.line <= kept_to)


def _assigned_again(lines: Sequence[tuple[int, str]], variable: str) -> int | None:
    """The line after which a variable surely holds something else than what the first line assigns to it.

    An assignment in another branch, or one that may be left out, does not count: the block that holds it, or one around
    that, holds the first line as well.
    """
    again = re.compile(rf"\s*{re.escape(variable)}\s*(?::[^=]+)?=(?!=)")
    least = indent(lines[0][1]) if lines else 0
    for number, line in lines[1:]:
        if line.strip():
            least = min(least, indent(line))
            if again.match(line) and indent(line) == least:
                return number
    return None


BODY_LINES_READ: Final = 400
"""Lines below an assignment in which the next one is looked for."""


def _keeps(kind: ChangeKind, site: Site, code: str) -> bool:
    """Whether a line assigns what changes, and not something that it is only needed for."""
    if kind not in _GIVEN or site.kind not in VALUES or site.subject is Subject.OTHER:
        return False
    return site.use is Use.ASSIGNED or (site.use in _SEEN_BELOW and code.rstrip().endswith((")", "(", site.name)))


_SEEN_BELOW: Final = frozenset({Use.TESTED, Use.RETURNED, Use.DEREFERENCED})
"""What a variable is used for where the lines below its assignment show it."""


def _annotated(change: Change, code: str) -> int:
    """The column of the variable or the parameter that the type annotates, or -1."""
    hits = lens(change).find(code)
    before = code[: hits[0].start()] if hits else ""
    found = _ANNOTATED.search(before) if "->" not in before else None
    return found.start(1) if found is not None else -1


def carried(change: Change, lead: Lead, site: Site, function: Symbol) -> Trail:
    """The way to whoever calls the function that holds a place, to which the change carries on."""
    if change.kind is ChangeKind.MAKE_ASYNC:
        tie = Tie(function.name, How.CALLS).told(site.name.rpartition(".")[2])
        return follow_mentions(function, lead.depth + 1, tie)
    if change.kind is not ChangeKind.CHANGE_ALIAS:
        return follow_callers(function, lead.depth + 1)
    column = _annotated(change, lead.node.code)
    parameter = _WORD.match(lead.node.code, column) if column >= 0 else None
    how = How.TAKES if parameter else How.GIVES
    tie = Tie(function.name, how, parameter[0] if parameter else "").told(site.name)
    return follow_callers(function, lead.depth + 1, tie)


def is_in_signature(site: Site, code: str) -> bool:
    """Whether a type is that of a parameter or of what a function returns, as its line shows it."""
    return site.kind is SiteKind.ANNOTATION and _IN_SIGNATURE.search(code) is not None
