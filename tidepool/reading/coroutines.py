"""What becomes of a call once it gives a coroutine: whether it is awaited already, and whether it could be.

    holder_at(lines, index)         the function around a line, and whether it is async
    around(mention, kind, told)     what that makes of a call, or of a function that is handed on

What five lines show is exact where they show the `def`; `told` is what somebody knows who has read the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final, NamedTuple

from tidepool.reading.mentions import Mention, SiteKind
from tidepool.reading.snippets import Within, indent, innermost, last_word, within, without_text
from tidepool.reading.uses import tail_of


class Around(StrEnum):
    """What stands around a call that gives a coroutine."""

    AWAITED = "awaited"
    RUN = "given to what runs it"  # `asyncio.run(f())`, or uncalled to what calls and awaits it
    LAMBDA = "in a lambda"
    ASYNC = "in an async function"
    SYNC = "in a function"
    FIXED = "in a function that cannot be async"  # a constructor, a property
    MODULE = "outside of functions"
    UNKNOWN = "unseen"


class Holder(NamedTuple):
    """The function around a line.

    Attributes:
        around: `ASYNC`, `SYNC`, `FIXED`, `MODULE`, or `UNKNOWN` where the lines do not show it.
        name: the function's, or "".
        row: which line defines it, from 0, or -1.
        column: where its name stands there, in characters from 0.
    """

    around: Around
    name: str = ""
    row: int = -1
    column: int = 0

    @property
    def head(self) -> str:
        """How it is defined, in two words: what `read_head` reads."""
        return f"{_HEADS[self.around]} {self.name}".rstrip()


_HEADS: Final = {
    Around.ASYNC: "async def",
    Around.SYNC: "def",
    Around.FIXED: "fixed def",
    Around.MODULE: "no def",
    Around.UNKNOWN: "",
}
_BY_HEAD: Final = {head: around for around, head in _HEADS.items()}


def read_head(head: str) -> Holder:
    """What a `Holder.head` tells."""
    for words, name in ((head, ""), (head.rpartition(" ")[0], head.rpartition(" ")[2])):
        if words in _BY_HEAD:
            return Holder(_BY_HEAD[words], name)
    return Holder(Around.UNKNOWN)


_AWAITED_BY_PYTHON: Final = frozenset({"__aenter__", "__aexit__", "__anext__", "__call__"})


def can_be_async(name: str) -> bool:
    """Whether a function of that name may be a coroutine function: who calls it can await it."""
    is_special = name.startswith("__") and name.endswith("__")
    return not is_special or name in _AWAITED_BY_PYTHON


_DEFINES: Final = re.compile(r"\s*(async\s+)?def\s+(\w+)")
_ON_ITS_LINE: Final = re.compile(r"\s*(?:async\s+)?def\s+\w+\s*\(.*?\)\s*(?:->[^:]+)?:\s*(?=\S)")
_PROPERTY: Final = re.compile(r"\s*@(?:\w+\.)*(?:\w*property|setter|getter|deleter)\b")


def holder_at(lines: Sequence[str], index: int, column: int = 0) -> Holder:
    """The function around a line.

    Args:
        lines: of code, from anywhere above it, without what is inside strings (`without_text`).
        index: which of them it is.
        column: where on the line, for a function that has its body behind its colon.
    """
    own = _ON_ITS_LINE.match(lines[index])
    if own is not None and column >= own.end():
        return _defined(lines, index)
    depth = indent(lines[index])
    for at in range(index - 1, -1, -1):
        line = lines[at]
        margin = indent(line)
        if margin >= depth or _is_text(line):
            continue
        if line[margin] in ")]}":  # the end of a signature, indented as its `def` is
            depth = margin + 1
            continue
        depth = margin
        if _DEFINES.match(line):
            return _defined(lines, at)
        if line.startswith("class ", margin):
            return Holder(Around.MODULE)
    return Holder(Around.UNKNOWN if depth else Around.MODULE)


def _is_text(line: str) -> bool:
    return not line.strip() or line.lstrip()[0] in '"#'


def _defined(lines: Sequence[str], at: int) -> Holder:
    found = _DEFINES.match(lines[at])
    if found is None:
        return Holder(Around.UNKNOWN)
    name = found[2]
    if found[1]:
        around = Around.ASYNC
    elif not can_be_async(name) or _is_property(lines, at):
        around = Around.FIXED
    else:
        around = Around.SYNC
    return Holder(around, name, at, found.start(2))


def _is_property(lines: Sequence[str], at: int) -> bool:
    while at and lines[at - 1].lstrip().startswith("@"):
        at -= 1
        if _PROPERTY.match(lines[at]):
            return True
    return False


def around(mention: Mention, kind: SiteKind, told: str | None) -> Holder:
    """What stands around a mention of what becomes a coroutine function; the function only where it decides.

    Args:
        kind: what the mention does.
        told: the `Holder.head` of the function around it, where it is known.
    """
    if kind not in _CALLED:
        is_started = kind in _HANDED_ON and _is_given_to(mention, _STARTERS)
        return Holder(Around.RUN if is_started else Around.UNKNOWN)
    if _is_awaited(mention):
        return Holder(Around.AWAITED)
    if _is_given_to(mention, _RUNNERS):
        return Holder(Around.RUN)
    if _in_a_lambda(mention.before):
        return Holder(Around.LAMBDA)
    if mention.within is Within.SIGNATURE:  # a default, which is worked out where the function is defined
        return Holder(Around.MODULE)
    return read_head(told) if told else _shown(mention)


_CALLED: Final = frozenset({SiteKind.CALL, SiteKind.SUPER_CALL})
_HANDED_ON: Final = frozenset({SiteKind.VALUE, SiteKind.ATTRIBUTE})
_RUNNERS: Final = frozenset(
    {
        *("asyncio.run", "anyio.run", "trio.run", "uvloop.run", "runner.run", "asyncio.wait"),
        *("create_task", "ensure_future", "gather", "wait_for", "shield", "as_completed"),
        *("run_until_complete", "run_coroutine_threadsafe"),
    }
)
"""What takes a coroutine and runs it; those without a module go by any."""

_STARTERS: Final = frozenset({"anyio.run", "trio.run", "start_soon"})
"""What takes a coroutine function and runs what it gives."""


def _is_awaited(mention: Mention) -> bool:
    text = (mention.above + mention.before).rstrip("( \t\n")
    return last_word(text) == "await" and not tail_of(mention).startswith((".", "[", "("))


def _is_given_to(mention: Mention, functions: AbstractSet[str]) -> bool:
    """Whether one of these functions takes the mention as an argument, itself or in a list."""
    text = mention.above + mention.before
    opener, kind, owner = mention.opener, mention.within, mention.owner
    while opener >= 0 and kind in (Within.GROUP, Within.LIST):
        opener = innermost(text[:opener])
        kind, owner = within(text, opener) if opener >= 0 else (Within.STATEMENT, "")
    return kind is Within.CALL and not functions.isdisjoint((owner, owner.rpartition(".")[2]))


_LAMBDA: Final = re.compile(r"\blambda\b[^:]*:")


def _in_a_lambda(before: str) -> bool:
    """Whether a line's last lambda is not over."""
    depth = 0
    found = list(_LAMBDA.finditer(before))
    for sign in before[found[-1].end() :] if found else ")":
        depth += (sign in "([{") - (sign in ")]}")
        if depth < 0 or (depth == 0 and sign == ","):
            return False
    return True


_AWAITS: Final = re.compile(r"\bawait\b|\basync\s+(?:for|with)\b")
_OPENS_ANOTHER: Final = re.compile(r"\s*(?:@|class\b|(?:async\s+)?def\b)")


def _shown(mention: Mention) -> Holder:
    """What the lines show."""
    lines = (mention.above + mention.code).split("\n")
    found = holder_at(lines, len(lines) - 1, mention.start)
    if found.around is Around.UNKNOWN and (_awaits_above(lines) or _awaits_below(mention)):
        return Holder(Around.ASYNC)
    return found


def _awaits_above(lines: Sequence[str]) -> bool:
    """Whether a line above the last one awaits in the same function."""
    depth = indent(lines[-1])
    for line in reversed(lines):
        if line.strip() and indent(line) <= depth:
            depth = indent(line)
            if _AWAITS.search(line):
                return True
    return False


def _awaits_below(mention: Mention) -> bool:
    """Whether a line below the mention's awaits in the same function."""
    below = without_text("\n".join(mention.lines[mention.index :])).split("\n")[1:]
    for line in below:
        if _OPENS_ANOTHER.match(line):
            return False
        if _AWAITS.search(line):
            return True
    return False
