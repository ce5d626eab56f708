"""The text of a file with its syntax tree, and the cuts that an edit makes into it.

Everything here counts in the bytes of UTF-8, as the parser does; `splices` counts in characters, as everybody else.
"""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple

import attrs
import tree_sitter_python
from tree_sitter import Language, Node, Parser, Tree

from tidepool.effects.lsp import Splice

__all__ = ["Cut", "Node", "Refusal", "Text", "parsed", "parsed_file"]


FILES_REMEMBERED: Final = 2
"""Who tries several changes tries them in the same file; few, since a file's syntax takes fifty times its text."""


class Refusal(Exception):
    """Why there is no edit, as a clause; it never leaves `tidepool.edit`."""


class Cut(NamedTuple):
    """A stretch of a text, in bytes, and what stands there instead."""

    start: int
    end: int
    text: str


@attrs.frozen(eq=False)
class Text:
    """A file's text with its syntax tree.

    Attributes:
        source: the text.
        data: the same in UTF-8.
        root: the syntax of all of it.
    """

    source: str
    data: bytes
    tree: Tree
    root: Node

    def of(self, node: Node) -> str:
        """What is written at a node."""
        return self.data[node.start_byte : node.end_byte].decode()

    def offset(self, line: int, column: int) -> int | None:
        """Where a place is, in bytes; None where the text has no such line."""
        start = 0
        for _ in range(line - 1):
            start = self.source.find("\n", start) + 1
            if not start:
                return None
        return len(self.source[: start + column].encode())

    def lines(self, start: int, end: int) -> int:
        """How many line ends are between two offsets."""
        return self.data.count(b"\n", start, end)

    def mentions(self, name: str, within: Node) -> Iterator[Node]:
        """Where a name is written as a name inside a node, in order."""
        return self.between(name, within.start_byte, within.end_byte)

    def between(self, name: str, start: int, end: int) -> Iterator[Node]:
        """Where a name is written as a name between two offsets, in order."""
        for at in self._words(name, start, end):
            node = self.root.named_descendant_for_byte_range(at, at + len(name.encode()))
            if node is not None and node.type == "identifier":
                yield node

    def words(self, word: str, within: Node) -> Iterator[Node]:
        """Where a word of the language is written inside a node, in order."""
        for at in self._words(word, within.start_byte, within.end_byte):
            node = self.root.descendant_for_byte_range(at, at + len(word))
            if node is not None and node.type == word and not node.is_named:
                yield node

    def _words(self, word: str, start: int, end: int) -> Iterator[int]:
        written = word.encode()
        at = self.data.find(written, start, end) if written else -1
        while at >= 0:
            beside = self.data[at - 1 : at] + self.data[at + len(written) : at + len(written) + 1]
            if _IN_A_NAME.isdisjoint(beside):
                yield at
            at = self.data.find(written, at + len(written), end)

    def fresh(self, wanted: str) -> str:
        """A name like the wanted one that the text does not mention."""
        while wanted.encode() in self.data:
            wanted += "_"
        return wanted

    def appended(self, line: str) -> Cut:
        """A line behind the last one."""
        end = len(self.data)
        before = "" if not self.data or self.data.endswith(b"\n") else "\n"
        return Cut(end, end, f"{before}{line}\n")

    def splices(self, cuts: Sequence[Cut]) -> tuple[Splice, ...]:
        """The same cuts in characters, in order, those that touch as one."""
        splices: list[Splice] = []
        chars = reached = 0
        for start, end, text in sorted(cuts, key=lambda cut: cut[:2]):
            if start < reached:
                raise Refusal("two parts of the edit lie over each other")
            chars += len(self.data[reached:start].decode())
            length = len(self.data[start:end].decode())
            if splices and splices[-1].end == chars:
                splices[-1] = Splice(splices[-1].start, chars + length, splices[-1].text + text)
            else:
                splices.append(Splice(chars, chars + length, text))
            chars, reached = chars + length, end
        return tuple(splices)

    def parses_with(self, cuts: Sequence[Cut]) -> bool:
        """Whether the text is still a program after these cuts, as far as it is one before them.

        The syntax tree knows of the whole file. What it lets pass, such as a name that is given twice, Python's own
        parser knows, which is asked about the statements that are cut.
        """
        data, tree = self.data, self.tree.copy()
        spans: list[tuple[int, int, int, int]] = []
        for start, end, text in sorted(cuts, key=lambda cut: cut[:2], reverse=True):
            written = text.encode()
            changed = b"".join((data[:start], written, data[end:]))
            new_end, more = start + len(written), len(written) - (end - start)
            tree.edit(start, end, new_end, _point(data, start), _point(data, end), _point(changed, new_end))
            spans = [(start, end, start, new_end), *((a, b, c + more, d + more) for a, b, c, d in spans)]
            data = changed
        root = Parser(_language()).parse(data, tree).root_node
        if root.has_error and _mistakes(root) > _mistakes(self.root):
            return False
        old = [_around(self.root.children, start, end) for start, end, _, _ in spans]
        new = [_around(root.children, start, end) for _, _, start, end in spans]
        return all(_is_python(data[after]) for after in _each(new)) or not all(
            _is_python(self.data[before]) for before in _each(old)
        )


@lru_cache(maxsize=FILES_REMEMBERED)
def parsed_file(source: str) -> Text:
    """The text of a file with its syntax tree, as `parsed` gives it."""
    return parsed(source)


def parsed(source: str) -> Text:
    """A text with its syntax tree, however little of it is Python.

    Raises:
        Refusal: it holds what no text file can.
    """
    try:
        data = source.encode()
    except UnicodeEncodeError:
        raise Refusal("the file holds characters that no text has") from None
    tree = Parser(_language()).parse(data)
    return Text(source, data, tree, tree.root_node)


@cache
def _language() -> Language:
    return Language(tree_sitter_python.language())


_IN_A_NAME: Final = (
    frozenset(b"_0123456789")
    | frozenset(range(ord("A"), ord("Z") + 1))
    | frozenset(range(ord("a"), ord("z") + 1))
    | frozenset(range(0x80, 0x100))
)
"""The bytes that names are written in; those of letters outside of ASCII, too."""


def _point(data: bytes, offset: int) -> tuple[int, int]:
    return data.count(b"\n", 0, offset), offset - (data.rfind(b"\n", 0, offset) + 1)


def _mistakes(root: Node) -> int:
    """How many places of a tree are no Python."""
    count, open_nodes = 0, [root]
    while open_nodes:
        node = open_nodes.pop()
        count += node.is_error or node.is_missing
        open_nodes += [child for child in node.children if child.has_error]
    return count


def _around(tops: Sequence[Node], start: int, end: int) -> tuple[int, int]:
    """Where the statements at the top of a file begin and end that hold what is between two offsets."""
    first = bisect_left(tops, start, key=lambda top: top.end_byte)
    behind_last = bisect_right(tops, end, key=lambda top: top.start_byte)
    held = tops[first:behind_last]
    return min([start, *(top.start_byte for top in held[:1])]), max([end, *(top.end_byte for top in held[-1:])])


def _each(spans: Iterable[tuple[int, int]]) -> list[slice]:
    """The spans as slices, each once, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return [slice(*span) for span in merged]


def _is_python(data: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
