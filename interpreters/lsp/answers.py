"""From a server's plain data to the domain's words, strictly: what is not as the protocol has it is named.

Every answer is sorted and without duplicates; what is not the codebase's is left out.

Source: the Language Server Protocol 3.17.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import attrs

from interpreters.lsp.codebase import Codebase
from interpreters.lsp.columns import Columns
from tidepool.effects.lsp import Call, Place, Symbol, SymbolKind
from tidepool.errors import InvalidData

T = TypeVar("T")

_MAX_NUMBER: Final = 2**31 - 1  # of a line or a column: the protocol's `uinteger`

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
    """Reads one answer of a server.

    Every method raises `InvalidData` for what is not as the protocol has it.
    """

    def __init__(self, codebase: Codebase, encoding: str) -> None:
        self._codebase = codebase
        self._columns = Columns(codebase, encoding)

    def places(self, result: Any) -> tuple[Place, ...]:
        """Of `Location | Location[] | LocationLink[] | null`."""
        locations = [result] if isinstance(result, dict) else _list(result, "result")
        return _sorted(place for place in _each(locations, self._location, "result") if place is not None)

    def found(self, result: Any) -> tuple[Symbol, ...]:
        """Of `SymbolInformation[] | WorkspaceSymbol[] | null`."""
        symbols = _each(_list(result, "result"), self._information, "result")
        return _ordered(symbol for symbol in symbols if symbol is not None)

    def outline(self, result: Any, path: str) -> tuple[Symbol, ...]:
        """Of `DocumentSymbol[] | SymbolInformation[] | null`."""
        items = _list(result, "result")
        if items and isinstance(items[0], dict) and "location" in items[0]:
            return self.found(items)
        return _ordered(self._nested(items, path))

    def items(self, result: Any) -> list[Item]:
        """Of `TypeHierarchyItem[] | CallHierarchyItem[] | null`."""
        return _each(_list(result, "result"), self._item, "result")

    def calls(self, result: Any) -> list[Call]:
        """Of `CallHierarchyIncomingCall[] | null`."""
        return [call for call in _each(_list(result, "result"), self._call, "result") if call is not None]

    def hover(self, result: Any) -> str | None:
        """Of `Hover | null`."""
        if result is None:
            return None
        contents = _field(result, "contents", object)
        parts = contents if isinstance(contents, list) else [contents]
        text = "\n\n".join(part for part in _each(parts, _hover_text, "contents") if part)
        return text or None

    def _location(self, location: Any) -> Place | None:
        """Of a location, or of the target of a link."""
        link = isinstance(location, dict) and "targetUri" in location
        path = self._codebase.path(_field(location, "targetUri" if link else "uri", str))
        extent = _field(location, "targetSelectionRange" if link else "range", dict)
        return None if path is None else self._start(path, extent)

    def _information(self, symbol: Any) -> Symbol | None:
        location = _field(symbol, "location", dict)
        path = self._codebase.path(_field(location, "uri", str))
        if path is None:
            return None
        name = _field(symbol, "name", str)
        extent = _field(location, "range", dict)
        container = within_file(symbol.get("containerName") or "", path, name)
        return Symbol(name, _kind(symbol), container, self._start(path, extent), *_lines(extent))

    def _nested(self, items: list[Any], path: str) -> Iterator[Symbol]:
        """The symbols of a tree. A loop, not a recursion: a file may nest deeper than Python may recurse."""
        left = [("", items)]
        while left:
            container, siblings = left.pop()
            for item in siblings:
                symbol = self._definition(item, path, container)
                yield symbol
                if (children := item.get("children")) is not None:
                    left.append((symbol.qualified_name, _list(children, "children")))

    def _definition(self, item: Any, path: str, container: str) -> Symbol:
        name = _field(item, "name", str)
        place = self._start(path, _field(item, "selectionRange", dict))
        return Symbol(name, _kind(item), container, place, *_lines(_field(item, "range", dict)))

    def _item(self, item: Any) -> Item:
        path = self._codebase.path(_field(item, "uri", str))
        return Item(None if path is None else self._definition(item, path, ""), item)

    def _call(self, call: Any) -> Call | None:
        caller = self._item(_field(call, "from", dict)).symbol
        if caller is None:
            return None
        extents = _field(call, "fromRanges", list)
        places = _sorted(_each(extents, lambda extent: self._start(caller.place.path, extent), "fromRanges"))
        last_line = max([caller.last_line, *(place.line for place in places)])  # a module's range may be its first line
        return Call(attrs.evolve(caller, last_line=last_line), places)

    def _start(self, path: str, extent: Any) -> Place:
        start = _field(extent, "start", dict)
        line = _number(start, "line") + 1
        return Place(path, line, self._columns.heard(path, line, _number(start, "character")))


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
_LINK: Final = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*\)")


def _hover_text(part: Any) -> str:
    """The text of `MarkupContent | MarkedString`."""
    if isinstance(part, str):
        return _unmarked(part)
    value = _field(part, "value", str)
    return value.strip() if part.get("kind") == "plaintext" or "language" in part else _unmarked(value)


def _unmarked(markdown: str) -> str:
    return _LINK.sub(r"\1", _FENCE.sub("", markdown)).strip()


def _kind(symbol: Mapping[str, Any]) -> SymbolKind:
    return KINDS.get(_field(symbol, "kind", int), SymbolKind.OTHER)


def _lines(extent: Any) -> tuple[int, int]:
    """The first and the last line that a range covers, from 1; where it ends before a line, that is not covered."""
    first = _number(_field(extent, "start", dict), "line")
    end = _field(extent, "end", dict)
    last = _number(end, "line")
    return first + 1, last if last > first and _number(end, "character") == 0 else last + 1


def _sorted(places: Iterable[Place]) -> tuple[Place, ...]:
    return tuple(sorted(set(places)))


def _ordered(symbols: Iterable[Symbol]) -> tuple[Symbol, ...]:
    """By place; of two at one place the one that holds the other comes first."""
    return tuple(sorted(set(symbols), key=lambda it: (it.place, -it.last_line, it.container, it.name, it.kind)))


def _each(items: list[Any], read: Callable[[Any], T], what: str) -> list[T]:
    read_items: list[T] = []
    try:
        for item in items:
            read_items.append(read(item))  # noqa: PERF401 - how many have been read tells which one is wrong
    except InvalidData as error:
        raise InvalidData(f"{what}[{len(read_items)}].{error.field}", error.value, error.allowed) from None
    return read_items


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidData(what, value, "a list or null")
    return value


def _field(value: Any, name: str, kind: type[T]) -> T:
    if not isinstance(value, dict):
        raise InvalidData(name, value, "in an object")
    found = value.get(name)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise InvalidData(name, found, _CALLED[kind])
    return found


def _number(value: dict[str, Any], name: str) -> int:
    number = _field(value, name, int)
    if not 0 <= number <= _MAX_NUMBER:
        raise InvalidData(name, number, "a whole number from 0 up")
    return number


_CALLED: Final[Mapping[type, str]] = {
    str: "text", int: "a whole number", dict: "an object", list: "a list", object: "given",
}  # fmt: skip
