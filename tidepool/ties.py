"""How a place is tied to a change that its code does not name: by a variable, a subclass, a parameter's type.

Exploration knows such a tie, since it followed it; a scorer cannot see it in five lines of code. So it is told where
a scorer looks, as the last line of what is known about the symbol there:

    via: `text` holds what `short_help` gives

For whoever reads it, the change then amounts to one of that name: `meant(change, node)`.

Which function holds a place is told likewise, where that decides: ``via: inside `async def main` ``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import attrs

from tidepool.change import Change, ChangeKind, Target
from tidepool.domain import NodeContext


class How(StrEnum):
    """What ties a name to another one."""

    HOLDS = "holds"  # a variable or a parameter, what the other one gives
    DERIVES = "derives"  # a class, from the other one
    TAKES = "takes"  # a function, the other one as the type of a parameter
    GIVES = "gives"  # a function, the other one as the type of what it returns
    GOES = "goes"  # a parameter, to the other one
    CALLS = "calls"  # a function, the other one, and so does what that does


@attrs.frozen
class Tie:
    """A name that stands at a place, and how it is tied to what changes.

    Attributes:
        parameter: which parameter of a function takes what changes, or "".
        to: the name it is tied to, as it was told, or "".
    """

    name: str
    how: How
    parameter: str = ""
    to: str = attrs.field(default="", eq=False)

    def told(self, of: str) -> str:
        """The line that tells it.

        Args:
            of: the name it is tied to.
        """
        for_parameter = f" for `{self.parameter}`" if self.parameter else ""
        return f"{MARK}`{self.name}` {_VERBS[self.how].format(of)}{for_parameter}"


MARK: Final = "via: "
_VERBS: Final[Mapping[How, str]] = {
    How.HOLDS: "holds what `{}` gives",
    How.DERIVES: "derives from `{}`",
    How.TAKES: "takes `{}`",
    How.GIVES: "gives `{}`",
    How.GOES: "goes to `{}`",
    How.CALLS: "calls `{}`",
}
_TOLD: Final = re.compile(rf"(?:^|\n){MARK}`([^`\n]+)` ({'|'.join(How)}) [^`\n]*`([^`\n]*)`[^`\n]*?(?: for `(\w+)`)?$")
_INSIDE: Final = re.compile(rf"(?:^|\n){MARK}inside `([\w ]+)`(?:\n|$)")

_LOOKS_TOLD: Final = re.compile(rf"^(?={MARK})", re.MULTILINE)

_AMOUNTS_TO: Final[Mapping[tuple[ChangeKind, How], ChangeKind]] = {
    (ChangeKind.CHANGE_ALIAS, How.HOLDS): ChangeKind.CHANGE_RETURN_TYPE,
    (ChangeKind.CHANGE_ALIAS, How.TAKES): ChangeKind.CHANGE_PARAMETER_TYPE,
    (ChangeKind.CHANGE_ALIAS, How.GIVES): ChangeKind.CHANGE_RETURN_TYPE,
}
"""What becomes of a change where it reaches another name; elsewhere it stays what it is."""


def with_tie(said: str | None, tie: str) -> str | None:
    """What is known about a symbol: what a server said, and the lines that tell a tie, or either, or nothing.

    A server quotes the codebase, which anyone may have written: a line there that looks like a tie is moved in.
    """
    quoted = _LOOKS_TOLD.sub(" ", said) if said and MARK in said else said
    return "\n".join(part for part in (quoted, tie) if part) or None


def tie_in(hover: str | None) -> Tie | None:
    """The tie that is told in what is known about a symbol."""
    if hover is None or MARK not in hover:
        return None
    found = _TOLD.search(hover)
    return Tie(found[1], How(found[2]), found[4] or "", found[3]) if found is not None else None


def inside(head: str) -> str:
    """The line that tells which function holds a place, by how that is defined: `async def main`."""
    return f"{MARK}inside `{head}`"


def inside_in(hover: str | None) -> str | None:
    """How the function is defined that holds a place, where that is told."""
    found = _INSIDE.search(hover) if hover is not None and MARK in hover else None
    return found[1] if found is not None else None


def meant(change: Change, node: NodeContext) -> Change:
    """What a change amounts to at a node: itself, or one of the name that is tied to it there."""
    tie = tie_in(node.hover)
    return change if tie is None else amounts_to(change, tie)


def amounts_to(change: Change, tie: Tie) -> Change:
    """What a change amounts to for a name that is tied to it."""
    if tie.how is How.GOES:
        return change
    container, _, name = tie.name.rpartition(".")
    kind = _AMOUNTS_TO.get((change.kind, tie.how), change.kind)
    member = change.member if tie.how is How.DERIVES else tie.parameter or None
    return attrs.evolve(change, kind=kind, targets=(Target(name, container),), member=member)
