"""Which lines of a file a commit touched, in the file's lines before the commit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from tidepool.editing.statements import above
from tidepool.editing.text import Node, Refusal, Text, parsed_file

LINES_COMPARED: Final = 4000
"""Lines of a stretch between common beginnings and ends that are compared; a longer one counts as rewritten."""

SPAN_LINES: Final = 40
"""Lines of a chain of branches, or of a table, that are one place: of a longer one, those around the line."""

PLACE_LINES: Final = 12
"""Lines of what begins on a line that are one place: a list of two hundred cases is not."""


class Hunk(NamedTuple):
    """Lines of a text before a commit, from 1 and the last included, and what stands there instead.

    Where something was only put in, `last` is the line that it follows, and `first` the next one.
    """

    first: int
    last: int
    instead: str


class Touched(NamedTuple):
    """What a commit did to the lines of a text; other white space alone is no change."""

    hunks: tuple[Hunk, ...] = ()

    @property
    def lines(self) -> frozenset[int]:
        """The lines, in the text before, that were changed or deleted."""
        return frozenset(line for hunk in self.hunks for line in range(hunk.first, hunk.last + 1))

    @property
    def gaps(self) -> frozenset[int]:
        """The lines behind which something was put, and nothing taken away."""
        return frozenset(hunk.last for hunk in self.hunks if hunk.last < hunk.first)

    def within(self, first: int, last: int) -> list[Hunk]:
        """What was done to some lines: to one of them, or between two."""
        return [hunk for hunk in self.hunks if hunk.first <= last and (hunk.last >= first)]

    def is_near(self, first: int, last: int, lines: int) -> bool:
        """Whether anything was done so many lines around some lines, or nearer."""
        return bool(self.within(first - lines, last + lines))


UNTOUCHED: Final = Touched()


def touched(before: str, after: str) -> Touched:
    """What was done to the lines of a text."""
    old, new = _normal(before), _normal(after)
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    old_end, new_end = len(old) - end, len(new) - end
    if max(old_end, new_end) - start > LINES_COMPARED:
        return Touched((Hunk(start + 1, old_end, "\n".join(new[start:new_end])),))
    matcher = SequenceMatcher(None, old[start:old_end], new[start:new_end], autojunk=False)
    return Touched(
        tuple(
            Hunk(start + first + 1, start + last, "\n".join(new[start + new_first : start + new_last]))
            for what, first, last, new_first, new_last in matcher.get_opcodes()
            if what != "equal"
        )
    )


def _normal(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.split("\n")]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)


class Span(NamedTuple):
    """Lines that belong together, from 1, the last included."""

    first: int
    last: int


def span(source: str, line: int, *, branches: bool = False, body: bool = False) -> Span:
    """The lines of what begins on a line of Python: of a call, all of it, of a function or a branch, its head.

    Args:
        branches: whether a line of a chain of branches, or of a table, stands for all of them.
        body: whether the head of a class stands for the whole class.
    """
    alone = Span(line, line)
    try:
        text = parsed_file(source)
    except Refusal:
        return alone
    node = _at(text, line)
    if node is None:
        return alone
    held = [node, *above(node)]
    whole = next((each for each in held if each.type in _BRANCHING), None)
    if branches and whole is not None and (whole.type != "if_statement" or _is_branch(whole, line)):
        return _cut(_rows(whole), line)
    begun = [each for each in held if each.start_point.row + 1 == line and each.type not in _AROUND]
    largest = begun[-1] if begun else node
    if largest.type == "decorated_definition":
        return alone
    block = largest.child_by_field_name("body") or largest.child_by_field_name("consequence")
    if block is not None and not (body and largest.type == "class_definition"):
        return Span(line, max(line, block.start_point.row))  # a block begins on the line after the head, or on it
    rows = _rows(largest)
    return rows if body or rows.last - rows.first < PLACE_LINES else alone


_AROUND: Final = frozenset({"module", "block"})
_BRANCHING: Final = frozenset({"match_statement", "if_statement", "dictionary", "list", "tuple", "set"})


def _is_branch(chain: Node, line: int) -> bool:
    """Whether a line is the head of one of a chain's branches."""
    heads = [chain, *chain.children_by_field_name("alternative")]
    return line in {head.start_point.row + 1 for head in heads}


def _at(text: Text, line: int) -> Node | None:
    """The innermost node that begins at a line's first character that is no space."""
    start = text.offset(line, 0)
    if start is None:
        return None
    end = text.data.find(b"\n", start)
    written = text.data[start : len(text.data) if end < 0 else end]
    if not written.strip():
        return None
    at = start + len(written) - len(written.lstrip())
    return text.root.named_descendant_for_byte_range(at, at + 1)


def _rows(node: Node) -> Span:
    return Span(node.start_point.row + 1, node.end_point.row + 1)


def _cut(rows: Span, line: int) -> Span:
    """Lines of a place, those around one of them where there are too many."""
    if rows.last - rows.first < SPAN_LINES:
        return rows
    return Span(max(rows.first, line - SPAN_LINES // 2), min(rows.last, line + SPAN_LINES // 2))


def calls_within(source: str, name: str, there: Span) -> list[str]:
    """The calls of a name in some lines of Python, each with its arguments and without white space."""
    try:
        text = parsed_file(source)
    except Refusal:
        return []
    start, end = text.offset(there.first, 0), text.offset(there.last + 1, 0)
    found = []
    for mention in text.between(name, start or 0, len(text.data) if end is None else end):
        call = next((each for each in above(mention) if each.type in ("call", "argument_list", *_BLOCKS)), None)
        if call is not None and call.type == "call":
            passed = call.child_by_field_name("arguments")
            found.append("".join((name + text.of(passed)).split()) if passed is not None else name)
    return found


_BLOCKS: Final = ("block", "module")
