"""Trails to definitions that no type ties to the one that changes: its asynchronous twin, and what stands in for it.

A protocol is implemented by whatever has its methods. A function has a twin where another does the same and only awaits
in between: `get` and `aget`, `Client` and `AsyncClient`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tidepool.change import Change
from tidepool.eff import Eff, each
from tidepool.effects.lsp import Place, Symbol, SymbolKind, document_symbols, find_symbol
from tidepool.frontier import Relation
from tidepool.kinds import ChangeKind
from tidepool.lines import lines_of
from tidepool.outline import FUNCTIONS
from tidepool.reading.twins import twins_of
from tidepool.sites import in_test
from tidepool.trails import Following, Trail

METHODS_SOUGHT: Final = 3
"""Methods of a protocol by which its implementers are looked for: the ones with the longest names."""

IMPLEMENTERS_KEPT: Final = 40
"""Classes with a protocol's methods that are answered."""

HEAD_LINES: Final = 4
"""Lines of a class statement that are read for what it derives from."""

_TWINNED: Final = frozenset(
    {
        *(ChangeKind.RENAME, ChangeKind.CHANGE_RETURN_TYPE, ChangeKind.MAKE_NULLABLE, ChangeKind.CHANGE_BEHAVIOUR),
        ChangeKind.MAKE_ASYNC,
        *(ChangeKind.ADD_PARAMETER, ChangeKind.REMOVE_PARAMETER, ChangeKind.CHANGE_PARAMETER_TYPE),
    }
)
"""Changes that are mostly made to both twins."""


def kin(change: Change, symbol: Symbol, outline: Sequence[Symbol]) -> list[Trail]:
    """Every way to what is akin to a definition.

    Args:
        outline: the definitions of the file that holds the definition.
    """
    ways: list[Trail] = []
    if change.kind in _TWINNED and symbol.kind in FUNCTIONS:
        ways.append(Trail(Relation.TEXT, _twins(symbol), f"the twins of {symbol.qualified_name}"))
    if change.kind is ChangeKind.ADD_ABSTRACT_METHOD and symbol.kind is SymbolKind.CLASS:
        name = f"the classes with the methods of {symbol.qualified_name}"
        ways.append(Trail(Relation.TEXT, _implementers(symbol, outline), name))
    return ways


def _twins(symbol: Symbol) -> Eff[Following, tuple[Place, ...]]:
    """Where a definition's twin is defined, or the class that is the twin of its class and has such a method."""
    owner = symbol.container.rpartition(".")[2]
    sought = [*twins_of(symbol.name), *(twins_of(owner) if owner else ())]
    found = yield from each(find_symbol(name) for name in sought)
    same = [other for name, others in zip(sought, found, strict=True) for other in others if other.name == name]
    near = [other for other in same if _is_near(symbol, other)]
    outlines = yield from each(document_symbols(path) for path in sorted({other.place.path for other in near}))
    defined = {(one.place.path, one.qualified_name): one for outline in outlines for one in outline}
    twins = [
        one
        for one in defined.values()
        for other in near
        if one.name == other.name
        and one.place.path == other.place.path
        and (one.kind in FUNCTIONS or _has(defined, one, (symbol.name, *twins_of(symbol.name))))
    ]
    return tuple(sorted({one.place for one in twins}))


def _is_near(symbol: Symbol, other: Symbol) -> bool:
    """Whether a definition stands in the same package, or in the one beside it."""
    package, beside = (place.path.rpartition("/")[0] for place in (symbol.place, other.place))
    return package == beside or package.rpartition("/")[0] == beside.rpartition("/")[0] != ""


def _has(defined: dict[tuple[str, str], Symbol], holder: Symbol, names: Sequence[str]) -> bool:
    return any((holder.place.path, f"{holder.qualified_name}.{name}") in defined for name in names)


def _implementers(symbol: Symbol, outline: Sequence[Symbol]) -> Eff[Following, tuple[Place, ...]]:
    """Where a class has all methods of a protocol; nothing for a class that is no protocol."""
    last = min(symbol.last_line, symbol.place.line + HEAD_LINES)
    head = yield from lines_of(symbol.place.path, symbol.place.line, last)
    methods = [
        other.name
        for other in outline
        if other.container == symbol.qualified_name and other.kind in FUNCTIONS and not other.name.startswith("__")
    ]
    if not methods or "Protocol" not in " ".join(line for _, line in head).partition(":")[0]:
        return ()
    sought = sorted(methods, key=len, reverse=True)[:METHODS_SOUGHT]
    found = yield from each(find_symbol(name) for name in sought)
    holding = [{one.place.path for one in some if one.name == name} for name, some in zip(sought, found, strict=True)]
    paths = sorted(set.intersection(*holding), key=lambda path: (in_test(path), path))[:IMPLEMENTERS_KEPT]
    outlines = yield from each(document_symbols(path) for path in paths)
    places = [
        one.place
        for symbols in outlines
        for one in symbols
        if one.kind is SymbolKind.CLASS and one.place != symbol.place and _offers(symbols, one, methods)
    ]
    return tuple(places[:IMPLEMENTERS_KEPT])


def _offers(symbols: Sequence[Symbol], holder: Symbol, methods: Sequence[str]) -> bool:
    return set(methods) <= {one.name for one in symbols if one.container == holder.qualified_name}
