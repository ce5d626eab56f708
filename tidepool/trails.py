"""Which questions lead from a definition to the places that a change to it concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import attrs

from tidepool.change import Change, ChangeKind
from tidepool.eff import Eff, Prog, each
from tidepool.effects.lsp import (
    Callers,
    DocumentSymbols,
    FindSymbol,
    Implementations,
    Place,
    References,
    Snippet,
    Subtypes,
    Symbol,
    SymbolKind,
    TextMentions,
    callers,
    implementations,
    references,
    subtypes,
)
from tidepool.frontier import Relation
from tidepool.lines import lines_of
from tidepool.ties import How, Tie

SIBLINGS_FOLLOWED: Final = 12
"""Variants whose mentions are followed: code that treats all variants mentions any dozen of them too."""

SUBTYPES_FOLLOWED: Final = 200
"""Classes below a definition that are followed, level by level."""

DEFINITION_LINES_READ: Final = 25
"""Lines of a definition that are searched for a parameter's or an alias's parts."""

Following: TypeAlias = (
    References | Implementations | Subtypes | Snippet | Callers | TextMentions | FindSymbol | DocumentSymbols
)


@attrs.frozen
class Trail:
    """One way to follow: `ask` it, and what it answers stands in `relation` to the change.

    Attributes:
        name: what is asked for, for people.
        depth: how many definitions lie between what it answers and the definition that changes.
        tie: how what it answers is tied to the change, where its code does not say so (`tidepool.ties`).
        origin: the location it leads on from, or "" for the definition that changes.
    """

    relation: Relation
    ask: Prog[Following, tuple[Place, ...]]
    name: str
    depth: int = 0
    tie: str = ""
    origin: str = ""


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
    ChangeKind.MAKE_ASYNC: (Relation.OVERRIDE,),
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


def trails(change: Change, symbol: Symbol, siblings: Iterable[Place], outline: Sequence[Symbol]) -> list[Trail]:
    """Every way to follow from the definition that changes.

    Args:
        siblings: the variants next to the one that is added.
        outline: the definitions of the file that holds the definition.
    """
    followed = FOLLOWED[change.kind]
    ways = [Trail(Relation.REFERENCE, references(symbol.place), f"the references of {symbol.qualified_name}")]
    holder = _constructed(change, symbol, outline)
    if holder is not None:
        name = f"the references of {holder.qualified_name}"
        ways.append(Trail(Relation.CONSTRUCTION, mentions_elsewhere(holder.place), name))
        if symbol.name in _CONSTRUCTORS:
            ways.append(Trail(Relation.SUBTYPE, descendants(holder), f"the subclasses of {holder.qualified_name}"))
    if change.kind in _MAKING and (made := holder or symbol).kind is SymbolKind.CLASS:
        tie = Tie("cls", How.DERIVES).told(made.name)
        ways.append(Trail(Relation.TIED, _made_inside(made), f"the text of {made.qualified_name}", 1, tie))
    ways += [
        Trail(Relation.SIBLING, mentions_elsewhere(place), f"the references of the variant at {place.location}")
        for place in siblings
    ]
    if Relation.OVERRIDE in followed and symbol.kind in (SymbolKind.METHOD, SymbolKind.PROPERTY):
        name = f"the overrides of {symbol.qualified_name}"
        ways.append(Trail(Relation.OVERRIDE, implementations(symbol.place), name))
    if Relation.SUBTYPE in followed and symbol.kind is SymbolKind.CLASS:
        ways.append(Trail(Relation.SUBTYPE, descendants(symbol), f"the subclasses of {symbol.qualified_name}"))
    if Relation.PARAMETER in followed and change.member:
        function = _constructor(symbol, outline)
        name = f"the uses of a parameter {change.member} of {symbol.qualified_name}"
        tie = Tie(change.member, How.GOES).told(symbol.name)
        inside, outside = (_mentions_of_parameter(function, change.member, inside=inside) for inside in (True, False))
        ways.append(Trail(Relation.PARAMETER, inside, name))
        ways.append(Trail(Relation.PASSED, outside, name, 0, tie))
    return ways


def follow_callers(function: Symbol, depth: int, tie: str = "") -> Trail:
    """The way from a function that the change carries on to."""
    return Trail(Relation.CALLER, _calls(function), f"the callers of {function.qualified_name}", depth, tie)


def follow_mentions(function: Symbol, depth: int, tie: str) -> Trail:
    """The way from a function that the change carries on to, to whoever is handed it as well."""
    name = f"the references of {function.qualified_name}"
    return Trail(Relation.CALLER, mentions_elsewhere(function.place), name, depth, tie)


def mentions_in_turn(function: Symbol, depth: int) -> Eff[Following, tuple[Place, ...]]:
    """Where a function is mentioned, and who calls it, and who calls that: whatever may follow when it becomes async.

    Args:
        depth: how many functions may lie in between.
    """
    found: dict[Place, None] = {}
    known, level = {function.place}, [function.place]
    for _ in range(depth + 1):
        mentions = yield from each(mentions_elsewhere(place) for place in level)
        found.update((place, None) for places in mentions for place in places)
        calls = yield from each(callers(place) for place in level)
        level = list(dict.fromkeys(call.caller.place for each_calls in calls for call in each_calls))
        level = [place for place in level if place not in known]
        known.update(level)
    return tuple(found)


def find_siblings(symbol: Symbol, outline: Iterable[Symbol]) -> Eff[Following, tuple[Place, ...]]:
    """The variants there are next to the one that is added: members of an enum, subclasses, parts of a union.

    Args:
        symbol: the definition that gets another variant.
        outline: the definitions of its file.
    """
    inside = [other for other in outline if other.container == symbol.qualified_name and not other.name.startswith("_")]
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
    head = yield from _head(symbol)
    return _ENUM_BASE.search(" ".join(line for _, line in head[:5])) is not None


def _constructor(symbol: Symbol, outline: Sequence[Symbol]) -> Symbol:
    """What takes the parameters of a function or of a class."""
    inside = (other for other in outline if other.container == symbol.qualified_name and other.name == "__init__")
    return next(inside, symbol) if symbol.kind is SymbolKind.CLASS else symbol


def _constructed(change: Change, symbol: Symbol, outline: Sequence[Symbol]) -> Symbol | None:
    """The class whose objects are made otherwise after a change to its constructor, or to a field that one takes."""
    names = {other.name for other in outline if other.container == symbol.container}
    is_taken = change.kind in _TAKEN and symbol.kind in _VALUES and not names & _CONSTRUCTORS
    if not symbol.container or not (symbol.name in _CONSTRUCTORS or is_taken):
        return None
    return next((other for other in outline if other.qualified_name == symbol.container), None)


_MAKING: Final = frozenset({ChangeKind.ADD_FIELD, ChangeKind.ADD_PARAMETER})
"""Changes to how objects of a class are made."""

CLASS_LINES_READ: Final = 400
_MAKES: Final = re.compile(r"(?<!\w)cls(?=\()")


def _made_inside(holder: Symbol) -> Eff[Following, tuple[Place, ...]]:
    """Where a class makes objects of itself, as `cls`."""
    last = min(holder.last_line, holder.place.line + CLASS_LINES_READ)
    lines = yield from lines_of(holder.place.path, holder.place.line, last)
    hits = ((number, _MAKES.search(line)) for number, line in lines)
    return tuple(Place(holder.place.path, number, hit.start()) for number, hit in hits if hit is not None)


_CONSTRUCTORS: Final = frozenset({"__init__", "__new__"})
_TAKEN: Final = frozenset({ChangeKind.REMOVE_FIELD, ChangeKind.RENAME_FIELD})
"""Changes to a field that concern whoever passes it to the constructor made of the fields."""


def mentions_elsewhere(declared: Place) -> Eff[References, tuple[Place, ...]]:
    """Where something is mentioned besides its own declaration, which stays as it is."""
    return tuple(place for place in (yield from references(declared)) if place.location != declared.location)


def _calls(function: Symbol) -> Eff[Following, tuple[Place, ...]]:
    return tuple(place for call in (yield from callers(function.place)) for place in call.places)


def descendants(symbol: Symbol) -> Eff[Following, tuple[Place, ...]]:
    """The classes below a class, nearest first; a class that is reached twice counts once."""
    known: dict[Place, None] = {}
    level = [symbol.place]
    while level and len(known) < SUBTYPES_FOLLOWED:
        found = yield from each(subtypes(place) for place in level)
        level = list(dict.fromkeys(child.place for children in found for child in children if child.place not in known))
        known.update(dict.fromkeys(level))
    return tuple(known)[:SUBTYPES_FOLLOWED]


def _mentions_of_parameter(function: Symbol, name: str, *, inside: bool) -> Eff[Following, tuple[Place, ...]]:
    """Where a function's parameter is used, in the function or by who calls it; nothing where it has no such one."""
    place = _parameter(function, (yield from _head(function)), name)
    if place is None:
        return ()
    own = range(function.first_line, function.last_line + 1)
    found = yield from references(place)
    return tuple(other for other in found if (other.path == place.path and other.line in own) is inside)


def _parameter(function: Symbol, head: Iterable[tuple[int, str]], name: str) -> Place | None:
    """Where a parameter is declared: behind the opening parenthesis of the signature, or a comma directly inside it."""
    depth, inside, may_declare = 0, False, False
    for number, line in head:
        start = function.place.column + len(function.name) if number == function.place.line else 0
        for token in _TOKEN.finditer(line, start):
            sign = token[0]
            if sign in "([{":
                inside = inside or (sign == "(" and depth == 0)
                depth, may_declare = depth + 1, inside and depth == 0
            elif sign in ")]}":
                depth -= 1
                if inside and depth == 0:
                    return None
            elif sign == name and may_declare:
                return Place(function.place.path, number, token.start())
            else:
                may_declare = depth == 1 and inside and (sign == "," or (sign == "*" and may_declare))
    return None


_TOKEN: Final = re.compile(r"""\w+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\#.*|[^\w\s]""")
"""A word, a string, a comment, or a sign of a line of code."""


def _parts_of_alias(alias: Symbol) -> Eff[Following, tuple[Place, ...]]:
    """The names on the right-hand side of an alias: the variants of a union."""
    lines = yield from _head(alias)
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


def _head(symbol: Symbol) -> Eff[Following, list[tuple[int, str]]]:
    """The first lines of a definition from the one that holds its name, numbered."""
    last = min(symbol.last_line, symbol.place.line + DEFINITION_LINES_READ)
    return (yield from lines_of(symbol.place.path, symbol.place.line, last))
