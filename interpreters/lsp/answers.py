"""From a server's plain data to the domain's words, strictly: what is not as the protocol has it is named.

Every answer is sorted and without duplicates; what is not the codebase's is left out, and so is what has no name, as
servers have it of code that is half written. Only a hover says what stands outside of the root: it quotes whatever
the code resolves to in its environment, by an import, a link or the search paths in its settings.

A server need not be honest: of one answer no more than `MOST` places or symbols are read, always the same ones, and
what is left out is counted.

Source: the Language Server Protocol 3.17.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from interpreters.lsp.codebase import Codebase
from interpreters.lsp.columns import Columns
from interpreters.lsp.fields import each, field, listed, position
from tidepool.effects.lsp import Call, Place, Symbol, SymbolKind

MOST: Final = 20_000  # places, or symbols, of one answer: nobody reads as many, and a server that lies sends millions
MAX_HOVER: Final = 8_000  # characters of what a hover quotes; nobody reads on, and what it is cleaned by takes time

KINDS: Final[Mapping[int, SymbolKind]] = MappingProxyType(
    {
        1: SymbolKind.MODULE,  # file
        2: SymbolKind.MODULE,
        3: SymbolKind.MODULE,  # namespace
        4: SymbolKind.MODULE,  # package
        5: SymbolKind.CLASS,
        6: SymbolKind.METHOD,
        7: SymbolKind.PROPERTY,
        8: SymbolKind.FIELD,
        9: SymbolKind.METHOD,  # constructor
        10: SymbolKind.ENUM,
        11: SymbolKind.CLASS,  # interface
        12: SymbolKind.FUNCTION,
        13: SymbolKind.VARIABLE,
        14: SymbolKind.CONSTANT,
        20: SymbolKind.FIELD,  # key
        22: SymbolKind.ENUM_MEMBER,
        23: SymbolKind.CLASS,  # struct
        25: SymbolKind.FUNCTION,  # operator
        26: SymbolKind.TYPE_PARAMETER,
    }
)
"""The protocol's kinds; any other is `OTHER`. A server that calls an enum's member a constant is believed."""


@attrs.frozen
class Item:
    """A definition in a call or type hierarchy, and the server's own data of it, which it is asked about further."""

    symbol: Symbol | None
    data: Mapping[str, Any]


class Answers:
    """Reads one answer of a server, whose lists are cut already where they are `first`'s to cut.

    Every method raises `InvalidData` for what is not as the protocol has it.

    Attributes:
        left_out: how many places or symbols were not read, for the answer's holding more than `MOST`.
    """

    def __init__(self, codebase: Codebase, encoding: str) -> None:
        self.left_out = 0
        self._room = MOST
        self._codebase = codebase
        self._columns = Columns(codebase, encoding)

    def places(self, result: Any) -> tuple[Place, ...]:
        """Of `Location | Location[] | LocationLink[] | null`."""
        locations = [result] if isinstance(result, dict) else listed(result, "result")
        return _sorted(place for place in each(locations, self._location, "result") if place is not None)

    def found(self, result: Any) -> tuple[Symbol, ...]:
        """Of `SymbolInformation[] | WorkspaceSymbol[] | null`."""
        symbols = each(listed(result, "result"), self._information, "result")
        return _ordered(symbol for symbol in symbols if symbol is not None)

    def outline(self, result: Any, path: str) -> tuple[Symbol, ...]:
        """Of `DocumentSymbol[] | SymbolInformation[] | null`."""
        items = listed(result, "result")
        if items and isinstance(items[0], dict) and "location" in items[0]:
            return self.found(items)
        return _ordered(self._nested(items, path))

    def items(self, result: Any) -> list[Item]:
        """Of `TypeHierarchyItem[] | CallHierarchyItem[] | null`."""
        return each(listed(result, "result"), self._item, "result")

    def calls(self, result: Any) -> list[Call]:
        """Of `CallHierarchyIncomingCall[] | null`."""
        calls = sorted(listed(result, "result"), key=_where)  # the same ones have room, in whatever order they come
        return [call for call in each(calls, self._call, "result") if call is not None]

    def hover(self, result: Any) -> str | None:
        """Of `Hover | null`."""
        if result is None:
            return None
        contents = field(result, "contents", object)
        parts = contents[:_MAX_PARTS] if isinstance(contents, list) else [contents]
        text = "\n\n".join(part for part in each(parts, _hover_text, "contents") if part)
        return _beginning(text) or None

    def _location(self, location: Any) -> Place | None:
        """Of a location, or of the target of a link."""
        link = isinstance(location, dict) and "targetUri" in location
        path = self._codebase.path(field(location, "targetUri" if link else "uri", str))
        extent = field(location, "targetSelectionRange" if link else "range", dict)
        return None if path is None else self._start(path, extent)

    def _information(self, symbol: Any) -> Symbol | None:
        location = field(symbol, "location", dict)
        path = self._codebase.path(field(location, "uri", str))
        if path is None:
            return None
        if not (name := field(symbol, "name", str)):
            return None
        extent = field(location, "range", dict)
        given = None if symbol.get("containerName") is None else field(symbol, "containerName", str)
        container = within_file(given or "", path, name)
        return Symbol(name, _kind(symbol), container, self._start(path, extent), *_lines(extent))

    def _nested(self, items: list[Any], path: str) -> Iterator[Symbol]:
        """The symbols of a tree. A loop, not a recursion: a file may nest deeper than Python may recurse."""
        left = [("", items)]
        while left:
            container, siblings = left.pop()
            for item in siblings:
                if not self._room:
                    self.left_out += 1
                    continue
                self._room -= 1
                symbol = self._definition(item, path, container)
                if symbol is not None:
                    yield symbol
                if (children := item.get("children")) is not None:
                    within = container if symbol is None else symbol.qualified_name
                    left.append((within, listed(children, "children")))

    def _definition(self, item: Any, path: str, container: str) -> Symbol | None:
        if not (name := field(item, "name", str)):
            return None
        place = self._start(path, field(item, "selectionRange", dict))
        return Symbol(name, _kind(item), container, place, *_lines(field(item, "range", dict)))

    def _item(self, item: Any) -> Item:
        path = self._codebase.path(field(item, "uri", str))
        return Item(None if path is None else self._definition(item, path, ""), item)

    def _call(self, call: Any) -> Call | None:
        caller = self._item(field(call, "from", dict)).symbol
        if caller is None:
            return None
        extents, left_out = first([{"range": it} for it in field(call, "fromRanges", list)], self._room)
        extents = [it["range"] for it in extents]
        self._room -= len(extents)
        self.left_out += left_out
        places = _sorted(each(extents, lambda extent: self._start(caller.place.path, extent), "fromRanges"))
        last_line = max([caller.last_line, *(place.line for place in places)])  # a module's range may be its first line
        return Call(attrs.evolve(caller, last_line=last_line), places)

    def _start(self, path: str, extent: Any) -> Place:
        line, column = position(extent, "start")
        return Place(path, line + 1, self._columns.heard(path, line + 1, column))


def first(items: list[Any], most: int = MOST, root_uri: str = "") -> tuple[list[Any], int]:
    """The first of a list by where they stand, those under an address before any other, and how many are left out.

    Servers answer in any order, and the same question is to be answered alike. What is not as the protocol has it
    comes first, so that it is found out.
    """
    if len(items) <= most:
        return items, 0
    return heapq.nsmallest(most, items, key=lambda item: (_is_outside(item, root_uri), _where(item))), len(items) - most


def _is_outside(item: Any, root_uri: str) -> bool:
    uri = _where(item)[0]
    return bool(uri) and not uri.startswith(root_uri)


def _where(item: Any) -> tuple[str, int, int, str, str]:
    """Where a location, a symbol, an item or a call stands, and its names; all empty where it is no such thing."""
    try:
        at = item.get("location") or item.get("from") or item
        extent = at.get("targetSelectionRange") or at.get("selectionRange") or at["range"]
        uri = at.get("targetUri") or at.get("uri") or ""
        start = extent["start"]
        named = item.get("from") or item
        where = (uri, start["line"], start["character"], named.get("name") or "", named.get("containerName") or "")
    except (AttributeError, KeyError, TypeError):
        return _NOWHERE
    return where if all(isinstance(it, type(none)) for it, none in zip(where, _NOWHERE, strict=True)) else _NOWHERE


_NOWHERE: Final = ("", 0, 0, "", "")


def within_file(container: str, path: str, name: str) -> str:
    """The names around a definition in its file, of a container that may begin with its module, or end with itself."""
    parts = container.split(".")
    if parts[-1] == name:
        parts.pop()
    module = path.rpartition(".")[0].removesuffix("/__init__").split("/")
    for start in range(len(module)):
        length = len(module) - start
        if parts[:length] == module[start:]:
            return ".".join(parts[length:])
    return ".".join(parts)


_FENCE: Final = re.compile(r"^ *(?:```|~~~)[\w+-]*[ \t]*\n?", re.MULTILINE)
_LINK: Final = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^)\s]{0,2000}\)")  # bounded: else its time is quadratic
_MAX_PARTS: Final = 50  # of a hover


def _hover_text(part: Any) -> str:
    """The text of `MarkupContent | MarkedString`."""
    if isinstance(part, str):
        return _unmarked(_beginning(part))
    value = _beginning(field(part, "value", str))
    return value.strip() if part.get("kind") == "plaintext" or "language" in part else _unmarked(value)


def _beginning(text: str) -> str:
    return text if len(text) <= MAX_HOVER else text[: MAX_HOVER - 1] + "…"


def _unmarked(markdown: str) -> str:
    return _LINK.sub(r"\1", _FENCE.sub("", markdown)).strip()


def _kind(symbol: Mapping[str, Any]) -> SymbolKind:
    return KINDS.get(field(symbol, "kind", int), SymbolKind.OTHER)


def _lines(extent: Any) -> tuple[int, int]:
    """The first and the last line that a range covers, from 1; where it ends before a line, that is not covered."""
    first, _ = position(extent, "start")
    last, column = position(extent, "end")
    return first + 1, last if last > first and column == 0 else last + 1


def _sorted(places: Iterable[Place]) -> tuple[Place, ...]:
    return tuple(sorted(set(places)))


def _ordered(symbols: Iterable[Symbol]) -> tuple[Symbol, ...]:
    """By place; of two at one place the one that holds the other comes first."""
    return tuple(sorted(set(symbols), key=lambda it: (it.place, -it.last_line, it.container, it.name, it.kind)))
