"""Which questions lead from a definition to the places that a change to it concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs

from tidepool.change import Change, ChangeKind
from tidepool.eff import Eff, Prog, each
from tidepool.effects.lsp import (
    Callers,
    Implementations,
    Place,
    References,
    Snippet,
    Subtypes,
    Symbol,
    SymbolKind,
    callers,
    implementations,
    references,
    snippet,
    subtypes,
)
from tidepool.frontier import Relation

SIBLINGS_FOLLOWED: Final = 12
"""Variants whose mentions are followed: code that treats all variants mentions any dozen of them too."""

SUBTYPES_FOLLOWED: Final = 200
"""Classes below a definition that are followed, level by level."""

DEFINITION_LINES_READ: Final = 25
"""Lines of a definition that are searched for a parameter's or an alias's parts."""

Following: TypeAlias = References | Implementations | Subtypes | Snippet | Callers


@attrs.frozen
class Trail:
    """One way to follow: `ask` it, and what it answers stands in `relation` to the change.

    Attributes:
        name: what is asked for, for people.
        depth: how many definitions lie between what it answers and the definition that changes.
    """

    relation: Relation
    ask: Prog[Following, tuple[Place, ...]]
    name: str
    depth: int = 0


_SIGNATURE: Final = (Relation.PARAMETER, Relation.OVERRIDE)
_FAMILY: Final = (Relation.OVERRIDE, Relation.SUBTYPE)

FOLLOWED: Final[dict[ChangeKind, tuple[Relation, ...]]] = {
    ChangeKind.ADD_VARIANT: (Relation.SIBLING,),
    ChangeKind.REMOVE_VARIANT: (),
    ChangeKind.RENAME: _SIGNATURE,
    ChangeKind.ADD_PARAMETER: (Relation.OVERRIDE,),
    ChangeKind.REMOVE_PARAMETER: _SIGNATURE,
    ChangeKind.CHANGE_PARAMETER_TYPE: _SIGNATURE,
    ChangeKind.CHANGE_RETURN_TYPE: (Relation.OVERRIDE,),
    ChangeKind.MAKE_NULLABLE: (Relation.OVERRIDE,),
    ChangeKind.ADD_FIELD: (Relation.SUBTYPE,),
    ChangeKind.REMOVE_FIELD: (),
    ChangeKind.RENAME_FIELD: (),
    ChangeKind.ADD_ABSTRACT_METHOD: (Relation.SUBTYPE,),
    ChangeKind.REMOVE: (Relation.OVERRIDE,),
    ChangeKind.MOVE: (),
    ChangeKind.CHANGE_ALIAS: (),
    ChangeKind.CHANGE_BEHAVIOUR: _FAMILY,
}
"""What is followed besides the definition's own references, to which every change leads."""


def trails(change: Change, symbol: Symbol, siblings: Iterable[Place]) -> list[Trail]:
    """Every way to follow from the definition that changes."""
    followed = FOLLOWED[change.kind]
    ways = [Trail(Relation.REFERENCE, references(symbol.place), f"the references of {symbol.qualified_name}")]
    ways += [
        Trail(Relation.SIBLING, _mentions_elsewhere(place), f"the references of the variant at {place.location}")
        for place in siblings
    ]
    if Relation.OVERRIDE in followed and symbol.kind in (SymbolKind.METHOD, SymbolKind.PROPERTY):
        name = f"the overrides of {symbol.qualified_name}"
        ways.append(Trail(Relation.OVERRIDE, implementations(symbol.place), name))
    if Relation.SUBTYPE in followed and symbol.kind is SymbolKind.CLASS:
        ways.append(Trail(Relation.SUBTYPE, _descendants(symbol), f"the subclasses of {symbol.qualified_name}"))
    if Relation.PARAMETER in followed and change.member:
        name = f"the uses of the parameter {change.member}"
        ways.append(Trail(Relation.PARAMETER, _mentions_of_parameter(symbol, change.member), name))
    return ways


def follow_alias(place: Place, name: str, depth: int) -> Trail:
    """The way from a line that gives the definition another name."""
    return Trail(Relation.ALIAS, references(place), f"the references of {name} at {place.location}", depth)


def follow_callers(function: Symbol, depth: int) -> Trail:
    """The way from a function that the change carries on to."""
    return Trail(Relation.CALLER, _calls(function), f"the callers of {function.qualified_name}", depth)


def find_siblings(symbol: Symbol, outline: Iterable[Symbol]) -> Eff[Following, tuple[Place, ...]]:
    """The variants there are next to the one that is added: members of an enum, subclasses, parts of a union.

    Args:
        symbol: the definition that gets another variant.
        outline: the definitions of its file.
    """
    inside = [other for other in outline if other.container == symbol.qualified_name and other.name[0] != "_"]
    if symbol.kind in (SymbolKind.CLASS, SymbolKind.ENUM):
        values = [other.place for other in inside if other.kind in _VALUES]
        if symbol.kind is SymbolKind.ENUM or (yield from _derives_from_enum(symbol)):
            return tuple(values[:SIBLINGS_FOLLOWED])
        children = yield from subtypes(symbol.place)
        constants = [other.place for other in inside if other.kind is SymbolKind.CONSTANT]
        return tuple([child.place for child in children] or constants)[:SIBLINGS_FOLLOWED]
    if symbol.kind in _VALUES:
        return (yield from _parts_of_alias(symbol))
    return ()


_VALUES: Final = (SymbolKind.ENUM_MEMBER, SymbolKind.CONSTANT, SymbolKind.VARIABLE, SymbolKind.FIELD)
_ENUM_BASE: Final = re.compile(r"class\s+\w+\s*\([^)]*(?:Enum|Flag)\b")
_NAME: Final = re.compile(r"[^\W\d]\w*")


def _derives_from_enum(symbol: Symbol) -> Eff[Following, bool]:
    head = yield from _definition_lines(symbol)
    return _ENUM_BASE.search(" ".join(line for _, line in head[:5])) is not None


def _mentions_elsewhere(variant: Place) -> Eff[Following, tuple[Place, ...]]:
    """Where a variant is mentioned besides its own declaration, which stays as it is."""
    return tuple(place for place in (yield from references(variant)) if place.location != variant.location)


def _calls(function: Symbol) -> Eff[Following, tuple[Place, ...]]:
    return tuple(place for call in (yield from callers(function.place)) for place in call.places)


def _descendants(symbol: Symbol) -> Eff[Following, tuple[Place, ...]]:
    """The classes below a class, nearest first; a class that is reached twice counts once."""
    known: dict[Place, None] = {}
    level = [symbol.place]
    while level and len(known) < SUBTYPES_FOLLOWED:
        found = yield from each(subtypes(place) for place in level)
        level = list(dict.fromkeys(child.place for children in found for child in children if child.place not in known))
        known.update(dict.fromkeys(level))
    return tuple(known)[:SUBTYPES_FOLLOWED]


def _mentions_of_parameter(function: Symbol, name: str) -> Eff[Following, tuple[Place, ...]]:
    """Where a function's parameter is used; nothing where the function has no such parameter."""
    for number, line in (yield from _definition_lines(function)):
        start = function.place.column + len(function.name) if number == function.place.line else 0
        if found := re.compile(rf"(?<![\w.]){re.escape(name)}\b(?=\s*[,:=)]|\s*$)").search(line, start):
            return (yield from references(Place(function.place.path, number, found.start())))
    return ()


def _parts_of_alias(alias: Symbol) -> Eff[Following, tuple[Place, ...]]:
    """The names on the right-hand side of an alias: the variants of a union."""
    lines = yield from _definition_lines(alias)
    (_, first), *_ = lines or [(0, "")]
    after = first.find("=", alias.place.column) + 1
    return tuple(
        Place(alias.place.path, number, name.start())
        for number, line in lines
        for name in _NAME.finditer(line, after if number == alias.place.line else 0)
        if name[0] not in _TYPE_OPERATORS
    )[:SIBLINGS_FOLLOWED]


_TYPE_OPERATORS: Final = frozenset(
    {"Union", "Optional", "Literal", "Annotated", "typing", "None", "str", "int", "float", "bool", "bytes", "Any"}
)


def _definition_lines(symbol: Symbol) -> Eff[Following, list[tuple[int, str]]]:
    """The first lines of a definition from the one that holds its name, numbered."""
    last = min(symbol.last_line, symbol.place.line + DEFINITION_LINES_READ)
    middles = range(symbol.place.line, last + 1)
    texts = yield from each(snippet(Place(symbol.place.path, middle, 0)) for middle in middles)
    return [(middle, text.split("\n")[min(2, middle - 1)]) for middle, text in zip(middles, texts, strict=True) if text]
