"""Edits of what comes out of a function, a property, a field or a variable: its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tidepool.editing.definitions import Definition, attributes, member, namesakes, owner
from tidepool.editing.statements import child, decorators, is_string, last_name, scope, statements
from tidepool.editing.text import Cut, Node, Refusal, Text
from tidepool.editing.types import (
    AWAITABLES,
    QUALIFIERS,
    YIELDING,
    Type,
    anything,
    nullable,
    replaced,
    type_arguments,
)

UNDECIDED: Final = "id(0)"
"""A condition that no checker can decide."""

_YIELDS_TO_CALLER: Final = frozenset({"contextmanager", "asynccontextmanager", "fixture"})
"""Decorators of functions whose callers get what the function yields."""

SPECIFIERS: Final = frozenset({"field", "Field", "ib", "attrib", "PrivateAttr", "mapped_column"})
"""Functions that say something about a field, and do not return what it holds."""


def made_nullable(text: Text, found: Definition) -> list[Cut]:
    """The definition with a result that may be None.

    Raises:
        Refusal: it may be None already, or nothing comes out of it.
    """
    if found.is_class:
        raise Refusal("a class returns nothing that could be None")
    if not found.is_function:
        return _value_nullable(text, _declared(text, found))
    getters = list(_getters(text, found))
    if all(place.annotation is None for place in getters):
        may_be_none = or_none(anything(text))
        if not any(_returns_something(text, place.node) for place in getters):
            raise Refusal("it returns nothing but None already")
        return _annotated(text, getters, may_be_none)
    return [nullable(text, node, _wrappers(text, place)) for place in getters if (node := place.annotation)]


def or_none(bare: Type) -> Type:
    """A type without quotes that may be None, in quotes."""
    return Type(f'"{bare.name} | None"', bare.extra)


def retyped(text: Text, found: Definition, new: Type) -> list[Cut]:
    """The definition with a result of another type.

    Raises:
        Refusal: nothing comes out of it that a type could be written for.
    """
    if found.is_class:
        raise Refusal("a class returns nothing but itself")
    if not found.is_function:
        return [*new.extra, _value_retyped(text, _declared(text, found), new)]
    getters = list(_getters(text, found))
    cuts = [replaced(text, node, _wrappers(text, place), new) for place in getters if (node := place.annotation)]
    cuts += _setters(text, found, new)
    bare = [place for place in getters if place.annotation is None]
    return [*cuts, *(_annotated(text, bare, new) if bare else new.extra)]


def _getters(text: Text, found: Definition) -> Iterator[Definition]:
    """The functions of that name, but for those that set or delete a property."""
    if text.of(found.name) in ("__init__", "__new__"):
        raise Refusal(f"`{text.of(found.name)}` returns what its class says")
    for place in namesakes(text, found):
        if place.is_function and _accessor(text, place) is None:
            yield place


def _accessor(text: Text, place: Definition) -> str | None:
    """`setter` or `deleter`, where a function is one of a property of its name."""
    names = [last_name(text, node) for node in decorators(place.node) if node.type == "attribute"]
    return next((name for name in names if name in ("setter", "deleter")), None)


def _setters(text: Text, found: Definition, new: Type) -> Iterator[Cut]:
    """Who sets a property sets what who reads it gets."""
    for place in namesakes(text, found):
        if place.is_function and _accessor(text, place) == "setter":
            given = child(place.node, "parameters").named_children[-1]
            written = given.child_by_field_name("type")
            if written is not None:
                yield Cut(written.start_byte, written.end_byte, new.name)


def _wrappers(text: Text, place: Definition) -> Mapping[str, int]:
    """What a caller takes away from what the function says to return."""
    if _yields_to_caller(text, place):
        return YIELDING
    return {} if is_async(place.node) else AWAITABLES


def is_async(function: Node) -> bool:
    """Whether a function is a coroutine function, or an asynchronous generator."""
    return function.children[0].type == "async"


def _yields_to_caller(text: Text, place: Definition) -> bool:
    """Whether a function yields once, to who calls it by way of its decorator."""
    names = {last_name(text, node) for node in decorators(place.node)}
    return bool(names & _YIELDS_TO_CALLER) and has_own(text, place.node, "yield")


def _annotated(text: Text, places: list[Definition], new: Type) -> list[Cut]:
    """Functions that say nothing of what they return, with a type for it."""
    cuts = list(new.extra)
    for place in places:
        name = new.name
        if _yields_to_caller(text, place):
            kind = "AsyncGenerator" if is_async(place.node) else "Generator"
            alias = text.fresh(f"_{kind}")
            sends = f"{name}, None" if kind == "AsyncGenerator" else f"{name}, None, None"
            name = f'"{alias}[{sends}]"'.replace(new.name, new.name.strip('"'))
            cuts.append(text.appended(f"from collections.abc import {kind} as {alias}"))
        end = child(place.node, "parameters").end_byte
        cuts.append(Cut(end, end, f" -> {name}"))
    return cuts


def _returns_something(text: Text, function: Node) -> bool:
    """Whether a function without a written type may return anything; one without a body may."""
    body = [each for each in statements(child(function, "body")) if not is_string(each)]
    if all(each.type in ("pass_statement", "raise_statement") or text.of(each) == "..." for each in body):
        return True
    return has_own(text, function, "return") or has_own(text, function, "yield")


def has_own(text: Text, function: Node, word: str) -> bool:
    """Whether a function itself, and no other inside of it, returns or yields a value."""
    body = child(function, "body")
    for node in text.words(word, body):
        whole = node.parent
        if whole is not None and scope(node) == function and (word == "yield" or whole.named_child_count):
            return True
    return False


def _declared(text: Text, found: Definition) -> Definition:
    """Of the places that define a variable or a field, the one that tells its type, or else the one that was found."""
    held = owner(found)
    if held is None:
        places = namesakes(text, found)
    else:
        name = text.of(found.name)
        places = [*member(text, held, name), *attributes(text, held, name)]
    return next((place for place in places if place.node.type == "assignment" and place.annotation), found)


def _value_nullable(text: Text, place: Definition) -> list[Cut]:
    _require_alone(text, place)
    value = place.value
    if place.node.type == "type_alias_statement":
        return [Cut(place.node.end_byte, place.node.end_byte, " | None")]
    written = place.annotation
    if written is not None and not _is_bare(text, written):
        cuts = [nullable(text, written, QUALIFIERS)]
        in_class = place.target.type == "attribute" or scope(place.node).type == "class_definition"
        return cuts if value is None or in_class else [*cuts, *_maybe_none(value)]
    if value is not None and value.type == "lambda":
        return _maybe_none(child(value, "body"))
    if value is None or value.type == "none":
        raise Refusal("it may be None already")
    if value.type == "call" and last_name(text, value) in SPECIFIERS:
        may_be_none = or_none(anything(text))
        return [*may_be_none.extra, Cut(place.target.end_byte, place.target.end_byte, f": {may_be_none.name}")]
    return _maybe_none(value)


def _maybe_none(value: Node) -> list[Cut]:
    """A value that a checker takes for None as well."""
    return [
        Cut(value.start_byte, value.start_byte, "("),
        Cut(value.end_byte, value.end_byte, f") if {UNDECIDED} else None"),
    ]


def _value_retyped(text: Text, place: Definition, new: Type) -> Cut:
    _require_alone(text, place)
    if place.node.type == "type_alias_statement":
        return replaced(text, child(place.node, "right"), {}, Type(new.name.strip('"')))
    written = place.annotation
    if written is None:
        return Cut(place.target.end_byte, place.target.end_byte, f": {new.name}")
    if _is_bare(text, written):
        return Cut(written.end_byte, written.end_byte, f"[{new.name}]")
    return replaced(text, written, QUALIFIERS, new)


def _is_bare(text: Text, written: Node) -> bool:
    """Whether an annotation leaves the type to the value."""
    bare = written.named_children[0] if written.type == "type" and written.named_child_count else written
    return last_name(text, bare) in QUALIFIERS and not type_arguments(bare)


_TYPE_MAKERS: Final = frozenset(
    {"TypeVar", "ParamSpec", "TypeVarTuple", "TypeAliasType", "NewType", "namedtuple", "NamedTuple", "TypedDict"}
)
"""Functions that make types, not values."""


def _require_alone(text: Text, place: Definition) -> None:
    if place.value is not None and place.value.type == "call" and last_name(text, place.value) in _TYPE_MAKERS:
        raise Refusal("a type is made there, and no value")
    outer = place.node.parent
    chained = any(node is not None and node.type == "assignment" for node in (outer, place.value))
    if chained or not place.is_alone or place.node.type not in ("assignment", "type_alias_statement"):
        if place.node.type == "type_alias_statement":
            return
        raise Refusal("it is not assigned alone, so that its type cannot be written beside it")
