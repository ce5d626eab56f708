"""From the names in a question to the one definition it is about: a program over `Lsp`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final, TypeAlias

import attrs

from tidepool.change import Change, ChangeKind, Target
from tidepool.eff import Eff, each
from tidepool.effects.lsp import (
    DocumentSymbols,
    FindSymbol,
    Place,
    Snippet,
    Symbol,
    SymbolKind,
    document_symbols,
    find_symbol,
    snippet,
)
from tidepool.sites import in_test

OUTLINES_READ: Final = 64
"""Files whose outline is read to tell namesakes apart: a name with more definitions than that needs a container."""

GENERATIONS: Final = 4
"""How far up the classes a name that a class does not define itself is looked for."""

CLOSEST_NAMES: Final = 5
_LINES_PER_SNIPPET: Final = 5

Resolving: TypeAlias = FindSymbol | DocumentSymbols | Snippet


@attrs.frozen
class Found:
    """The definition a question is about.

    Attributes:
        symbol: the definition.
        namesakes: other definitions the name may mean, best first.
        written: the name as the question writes it.
        undefined: names that the question is more likely about, and that are not defined.
        outlines: the definitions of the files that were read to find it, by path.
    """

    symbol: Symbol
    namesakes: tuple[Symbol, ...]
    written: str
    undefined: tuple[str, ...]
    outlines: Mapping[str, tuple[Symbol, ...]]


@attrs.frozen
class NotFound:
    """None of the names in a question is defined in the codebase.

    Attributes:
        written: the names the question writes.
        closest: names that are defined, the most alike first.
    """

    written: tuple[str, ...]
    closest: tuple[str, ...]


def resolve(change: Change) -> Eff[Resolving, Found | NotFound]:
    """The first of the change's targets that the codebase defines."""
    outlines: dict[str, tuple[Symbol, ...]] = {}
    written = tuple(target.qualified_name for target in change.targets)
    for place, target in enumerate(change.targets):
        symbols = yield from _definitions(target, outlines)
        if symbols:
            best, *namesakes = sorted(symbols, key=lambda symbol: _rank(change.kind, target, symbol))
            return Found(best, tuple(namesakes), written[place], written[:place], outlines)
    return NotFound(written, (yield from _closest(change.targets)))


Outlines: TypeAlias = dict[str, tuple[Symbol, ...]]


def _definitions(target: Target, outlines: Outlines, generations: int = GENERATIONS) -> Eff[Resolving, list[Symbol]]:
    """Every definition of this name; of the named container only, or of what it derives from, where it has one.

    Args:
        outlines: what has been read; what is read now is added.
    """
    symbols = yield from _exactly(target.name, outlines)
    inside = [symbol for symbol in symbols if _is_inside(symbol, target.container)]
    if inside or not target.container:
        return inside
    owner = Target(target.container.rpartition(".")[2], target.container.rpartition(".")[0])
    for container in (yield from _definitions(owner, outlines)):
        place = yield from _attribute(container, target.name)
        if place is not None:
            return [Symbol(target.name, SymbolKind.FIELD, container.qualified_name, place, place.line, place.line)]
        bases = (yield from _bases(container)) if generations else ()
        for base in bases:
            inherited = yield from _definitions(Target(target.name, base), outlines, generations - 1)
            if inherited:
                return inherited
    return []


def _bases(owner: Symbol) -> Eff[Snippet, tuple[str, ...]]:
    """The names that a class derives from, as its head writes them."""
    if owner.kind is not SymbolKind.CLASS:
        return ()
    head = yield from snippet(owner.place._replace(line=min(owner.place.line + 2, owner.last_line)))
    found = re.search(rf"\bclass\s+{re.escape(owner.name)}\b[^(:]*\(([^()]*)", head)
    return tuple(re.findall(r"(?:^|,)\s*([\w.]+)(?=\s*(?:,|$|\[))", found[1])) if found else ()


def _exactly(name: str, outlines: Outlines) -> Eff[Resolving, list[Symbol]]:
    """The definitions of exactly this name, with their containers; whatever its case where none has this one."""
    found = yield from find_symbol(name)
    same = [symbol for symbol in found if symbol.name == name]
    same = same or [symbol for symbol in found if symbol.name.casefold() == name.casefold()]
    paths = sorted({symbol.place.path for symbol in same}, key=lambda path: (in_test(path), path.count("/"), path))
    paths = paths[:OUTLINES_READ]
    unread = [path for path in paths if path not in outlines]
    outlines.update(zip(unread, (yield from each(document_symbols(path) for path in unread)), strict=True))
    names = {symbol.name for symbol in same}
    unique = {
        (path, symbol.qualified_name): symbol for path in paths for symbol in outlines[path] if symbol.name in names
    }
    return list(unique.values())


def _is_inside(symbol: Symbol, container: str) -> bool:
    """Whether a dotted container, `Class` or `package.module` or both, is what stands around the symbol."""
    wanted = [part for part in container.split(".") if part]
    module = re.sub(r"(/__init__)?\.\w+$", "", symbol.place.path).split("/")
    around = [*module, *(part for part in symbol.container.split(".") if part)]
    return not wanted or around[-len(wanted) :] == wanted


def _attribute(owner: Symbol, name: str) -> Eff[Resolving, Place | None]:
    """Where a class first mentions an attribute that it defines only by assigning it, as `self.name = …`."""
    middles = [
        min(line, owner.last_line) for line in range(owner.place.line + 2, owner.last_line + 3, _LINES_PER_SNIPPET)
    ]
    texts = yield from each(snippet(Place(owner.place.path, middle, 0)) for middle in middles)
    assigned = re.compile(rf"\bself\.({re.escape(name)})\b\s*(?::[^=]*)?=(?!=)")
    for middle, text in zip(middles, texts, strict=True):
        for number, line in enumerate(text.split("\n"), start=max(1, middle - 2)):
            if found := assigned.search(line):
                return Place(owner.place.path, number, found.start(1))
    return None


_CALLABLE: Final = (SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CLASS)
_TYPE: Final = (SymbolKind.CLASS, SymbolKind.ENUM)
_VALUE: Final = (SymbolKind.VARIABLE, SymbolKind.CONSTANT, SymbolKind.FIELD)
_MEMBER: Final = (SymbolKind.FIELD, SymbolKind.PROPERTY, SymbolKind.VARIABLE, SymbolKind.CONSTANT)

EXPECTED: Final[dict[ChangeKind, tuple[SymbolKind, ...]]] = {
    ChangeKind.ADD_VARIANT: (*_TYPE, *_VALUE),
    ChangeKind.REMOVE_VARIANT: (SymbolKind.ENUM_MEMBER, SymbolKind.CONSTANT, SymbolKind.FIELD, SymbolKind.CLASS),
    ChangeKind.ADD_PARAMETER: _CALLABLE,
    ChangeKind.REMOVE_PARAMETER: _CALLABLE,
    ChangeKind.CHANGE_PARAMETER_TYPE: _CALLABLE,
    ChangeKind.CHANGE_RETURN_TYPE: (SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.PROPERTY),
    ChangeKind.MAKE_NULLABLE: (SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.PROPERTY),
    ChangeKind.ADD_FIELD: _TYPE,
    ChangeKind.REMOVE_FIELD: _MEMBER,
    ChangeKind.RENAME_FIELD: _MEMBER,
    ChangeKind.ADD_ABSTRACT_METHOD: _TYPE,
    ChangeKind.CHANGE_ALIAS: _VALUE,
}
"""What kind of definition a change is made to; a change that is not listed is made to any."""


def _rank(kind: ChangeKind, target: Target, symbol: Symbol) -> tuple[object, ...]:
    """Sorts namesakes: what the change can be made to first, then product code, then what is least nested."""
    expected = EXPECTED.get(kind)
    return (
        symbol.name != target.name,
        expected is not None and symbol.kind not in expected,
        in_test(symbol.place.path),
        symbol.container.count(".") + bool(symbol.container),
        symbol.name.startswith("_"),
        symbol.place.path.endswith(".pyi"),
        symbol.place.path.count("/"),
        symbol.place,
    )


def _closest(targets: Iterable[Target]) -> Eff[FindSymbol, tuple[str, ...]]:
    """Names that are defined and resemble those that are not.

    A server's search finds names that hold the letters asked for in their order. So a misspelt name is found by
    asking without each of its letters in turn: that undoes a wrong, an additional or two swapped letters.
    """
    names = list(dict.fromkeys(target.name for target in targets))[:3]
    spellings = {spelling for name in names for spelling in _spellings(name)}
    found = yield from each(find_symbol(spelling) for spelling in sorted(spellings))
    defined = sorted({symbol.name for symbols in found for symbol in symbols})
    by_folded = {name.casefold(): name for name in defined}
    alike = [match for name in names for match in get_close_matches(name.casefold(), by_folded, n=CLOSEST_NAMES)]
    return tuple(by_folded[match] for match in dict.fromkeys(alike))[:CLOSEST_NAMES]


def _spellings(name: str) -> set[str]:
    name = name[:40]
    without_one = {name[:at] + name[at + 1 :] for at in range(len(name))}
    return {spelling for spelling in (*without_one, name[: max(3, len(name) // 2)]) if len(spelling) >= 2}
