"""Edits of what a function takes: its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from tidepool.editing.definitions import Definition, member, namesakes
from tidepool.editing.naming import new_name, proper_name
from tidepool.editing.statements import SCOPES, above, child, decorators, items_without, last_name, scope
from tidepool.editing.text import Cut, Node, Refusal, Text
from tidepool.editing.types import Type

ADDED: Final = "added"
"""What is added is called so, where the question gives it no name."""

_SORTS: Final = {
    "keyword_separator": "*",
    "positional_separator": "/",
    "list_splat_pattern": "*args",
    "dictionary_splat_pattern": "**kwargs",
}


@attrs.frozen
class Parameter:
    """One of the things between the parentheses of a function.

    Attributes:
        name: where its name is written; None for `*` and `/`.
        sort: `*`, `/`, `*args`, `**kwargs`, or "" for any other.
        has_default: whether a caller may leave it out.
    """

    node: Node
    name: Node | None
    sort: str
    has_default: bool

    @classmethod
    def at(cls, node: Node) -> Parameter:
        """The parameter that is written at a node."""
        inner = node.child_by_field_name("name")
        if inner is None and node.type == "typed_parameter":
            inner = node.named_children[0]
        inner = inner if inner is not None else node
        sort = _SORTS.get(inner.type, "")
        name = inner if inner.type == "identifier" else next(iter(inner.named_children), None)
        return cls(node, name, sort, node.child_by_field_name("value") is not None)


@attrs.frozen
class Function:
    """A function, or a lambda.

    Attributes:
        own: its parameters but for the one that is the instance or the class.
    """

    node: Node
    parameters: tuple[Parameter, ...]
    own: tuple[Parameter, ...]

    def named(self, text: Text, name: str) -> Parameter | None:
        """The parameter of that name."""
        wanted = name.lstrip("*")
        return next((each for each in self.own if each.name is not None and text.of(each.name) == wanted), None)


def functions(text: Text, found: Definition) -> list[Function]:
    """The functions whose parameters a caller of the definition gives: overloads, or how a class is made.

    Raises:
        Refusal: it is no such thing.
    """
    if found.is_class:
        return makers(text, found.node)
    read = [_function(text, place) for place in namesakes(text, found)]
    callables = [function for function in read if function is not None]
    if not callables:
        raise Refusal("it is no function that is written here")
    if found.is_function and any(is_property(text, node) for node in decorators(found.node)):
        raise Refusal("a property has no parameters")
    return callables


def makers(text: Text, owner: Node) -> list[Function]:
    """The functions in a class's body that say what it is made from, `__init__` before `__new__`; maybe none."""
    for name in ("__init__", "__new__"):
        read = [_function(text, place) for place in member(text, owner, name)]
        if found := [function for function in read if function is not None]:
            return found
    return []


def is_property(text: Text, decorator: Node) -> bool:
    """Whether a decorator makes a property of a method, or belongs to one."""
    return last_name(text, decorator) in ("property", "cached_property", "setter", "getter", "deleter")


def _function(text: Text, place: Definition) -> Function | None:
    node = place.node if place.is_function else place.value
    if node is None or node.type not in ("function_definition", "lambda"):
        return None
    held = node.child_by_field_name("parameters")
    nodes = [each for each in held.named_children if each.type != "comment"] if held is not None else []
    parameters = tuple(Parameter.at(each) for each in nodes)
    skipped = _has_receiver(text, place) and bool(parameters) and not parameters[0].sort
    own = parameters[1:] if skipped else parameters
    return Function(node, parameters, own)


def _has_receiver(text: Text, place: Definition) -> bool:
    if not place.is_function or scope(place.node).type != "class_definition":
        return False
    static = any(last_name(text, node) == "staticmethod" for node in decorators(place.node))
    return not static


def added(text: Text, found: Definition, name: str | None, *, optional: bool) -> list[Cut]:
    """The function with one more parameter, which every caller has to give unless it is optional.

    It comes last of those that are given by position. Where a call could then give it by mistake what was meant for
    another, it is given by keyword only.
    """
    wanted = proper_name(name.lstrip("*")) if name else text.fresh(ADDED)
    return added_to(text, functions(text, found), wanted, optional=optional)


def added_to(text: Text, those: Sequence[Function], name: str, *, optional: bool) -> list[Cut]:
    """These functions with one more parameter.

    Raises:
        Refusal: one has a parameter of that name.
    """
    if any(function.named(text, name) for function in those):
        raise Refusal(f"it has a parameter `{name}` already")
    return [_with_one_more(function, f"{name}=None" if optional else name, optional=optional) for function in those]


def _with_one_more(function: Function, written: str, *, optional: bool) -> Cut:
    parameters = function.parameters
    star = next((each for each in parameters if each.sort in ("*", "*args")), None)
    leading = parameters[: parameters.index(star)] if star else parameters
    leading = tuple(each for each in leading if each.sort != "**kwargs")
    swallows = star is not None and star.sort == "*args"
    if not optional:
        swallows = swallows or any(each.has_default for each in leading)
    if swallows and star is not None:
        return _behind(star.node, written)
    if swallows:
        return _behind(leading[-1].node, f"*, {written}")
    if leading:
        return _behind(leading[-1].node, written)
    return _in_front(function, written)


def _behind(node: Node, written: str) -> Cut:
    return Cut(node.end_byte, node.end_byte, f", {written}")


def _in_front(function: Function, written: str) -> Cut:
    if function.parameters:
        start = function.parameters[0].node.start_byte
        return Cut(start, start, f"{written}, ")
    held = function.node.child_by_field_name("parameters")
    if held is not None:
        return Cut(held.start_byte + 1, held.start_byte + 1, written)
    start = function.node.start_byte + len("lambda")
    return Cut(start, start, f" {written}")


def removed(text: Text, those: Sequence[Function], name: str) -> list[Cut]:
    """These functions without a parameter. What they did with it is left, for them to answer for."""
    found = [(function, parameter) for function in those if (parameter := function.named(text, name))]
    if not found:
        raise Refusal(f"it has no parameter `{name}`")
    return [cut for function, parameter in found for cut in _without(text, function, parameter)]


def _without(text: Text, function: Function, gone: Parameter) -> list[Cut]:
    parameters, at = function.parameters, function.parameters.index(gone)
    named_after = at + 1 < len(parameters) and parameters[at + 1].sort == ""
    if gone.sort == "*args" and named_after:
        return [Cut(gone.node.start_byte, gone.node.end_byte, "*")]
    dropped = [gone]
    if at and parameters[at - 1].sort == "*" and not named_after:
        dropped.append(parameters[at - 1])  # a bare `*` needs a name behind it
    if at == 0 and len(parameters) > 1 and parameters[1].sort == "/":
        dropped.append(parameters[1])  # and a `/` one before it
    return items_without(text, [each.node for each in parameters], [each.node for each in dropped])


def renamed(text: Text, those: Sequence[Function], name: str, wanted: str | None) -> list[Cut]:
    """These functions with another name for a parameter, in what they do with it too: only callers break."""
    found = [(function, parameter) for function in those if (parameter := function.named(text, name))]
    if not found:
        raise Refusal(f"it has no parameter `{name}`")
    new = new_name(text, name.lstrip("*"), wanted)
    if any(function.named(text, new) for function in those):
        raise Refusal(f"it has a parameter `{new}` already")
    return [cut for function, parameter in found for cut in _under(text, function, parameter, new)]


def _under(text: Text, function: Function, parameter: Parameter, new: str) -> Iterator[Cut]:
    if parameter.name is None:
        return
    yield Cut(parameter.name.start_byte, parameter.name.end_byte, new)
    old = text.of(parameter.name)
    for mention in text.mentions(old, child(function.node, "body")):
        if _is_reference(mention) and not _is_another(text, mention, old, function.node):
            yield Cut(mention.start_byte, mention.end_byte, new)


def _is_reference(mention: Node) -> bool:
    """Whether a name stands for itself, and is neither an attribute's nor an argument's."""
    parent = mention.parent
    field = {"attribute": "attribute", "keyword_argument": "name"}.get(parent.type) if parent else None
    return field is None or parent is None or parent.child_by_field_name(field) != mention


def _is_another(text: Text, mention: Node, name: str, function: Node) -> bool:
    """Whether a scope between a name and the function has the name for itself."""
    for around in above(mention):
        if around == function:
            return False
        if around.type in SCOPES and _takes(text, around, name) and not _is_default(mention, around):
            return True
    return False


def _takes(text: Text, around: Node, name: str) -> bool:
    held = around.child_by_field_name("parameters")
    parameters = [Parameter.at(each) for each in held.named_children if each.type != "comment"] if held else []
    return any(each.name is not None and text.of(each.name) == name for each in parameters)


def _is_default(mention: Node, around: Node) -> bool:
    """Whether a name stands in a default, which is told outside of the function."""
    inside = around.child_by_field_name("body")
    if inside is None or mention.start_byte >= inside.start_byte:
        return False
    parent = mention.parent
    return not (
        parent is not None
        and (parent.type in ("parameters", "lambda_parameters") or parent.child_by_field_name("name") == mention)
    )


def retyped(text: Text, those: Sequence[Function], name: str | None, new: Type) -> list[Cut]:
    """These functions with another type for a parameter, or for every one of them where the question names none."""
    found = [
        parameter
        for function in those
        for parameter in function.own
        if parameter.name is not None and name in (None, text.of(parameter.name))
    ]
    if not found:
        raise Refusal(f"it has no parameter `{name}`" if name else "it has no parameters")
    return [*new.extra, *(_typed(parameter, new) for parameter in found)]


def _typed(parameter: Parameter, new: Type) -> Cut:
    node = parameter.node
    written = node.child_by_field_name("type")
    if written is not None:
        return Cut(written.start_byte, written.end_byte, new.name)
    if parameter.name is None or any(around.type == "lambda_parameters" for around in above(node)):
        raise Refusal("a lambda's parameters have no types")
    return Cut(parameter.name.end_byte, parameter.name.end_byte, f": {new.name}")
