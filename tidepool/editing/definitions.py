"""Where a definition is written: its name in the syntax, and every other place that defines the same name with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from tidepool.editing.statements import above, decorators, last_name, scope, statement
from tidepool.editing.text import Node, Refusal, Text
from tidepool.effects.lsp import Symbol

_PATTERNS: Final = frozenset(
    {
        "pattern_list",
        "tuple_pattern",
        "list_pattern",
        "list_splat_pattern",
        "parenthesized_expression",
        "as_pattern_target",
        "tuple",
        "type",
        "generic_type",
        "dotted_name",
    }
)
"""What may stand between a name and the statement that defines it."""

_DEFINING: Final = {
    "function_definition": "name",
    "class_definition": "name",
    "assignment": "left",
    "augmented_assignment": "left",
    "type_alias_statement": "left",
    "for_statement": "left",
    "named_expression": "name",
    "as_pattern": "alias",
    "aliased_import": "alias",
    "import_from_statement": "name",
    "import_statement": "name",
}
"""What defines a name, and the part of it that the name stands in."""


@attrs.frozen
class Definition:
    """A place that defines a name.

    Attributes:
        name: the name there.
        node: what defines it, a function, a class or an assignment, without its decorators.
        target: the whole of what is assigned to: the name, or `self.name`, or a list of names.
    """

    name: Node
    node: Node
    target: Node

    @property
    def is_function(self) -> bool:
        """Whether it is a function."""
        return self.node.type == "function_definition"

    @property
    def is_class(self) -> bool:
        """Whether it is a class."""
        return self.node.type == "class_definition"

    @property
    def element(self) -> Node:
        """What is assigned to under this name: the name, or `self.name`."""
        held = self.name.parent
        return held if held is not None and held.type == "attribute" else self.name

    @property
    def is_alone(self) -> bool:
        """Whether nothing else is defined by it."""
        return self.target == self.element

    @property
    def whole(self) -> Node:
        """The statement, with its decorators."""
        return statement(self.node)

    @property
    def value(self) -> Node | None:
        """What is assigned, at the end of a chain of assignments."""
        return self.node.child_by_field_name("right") if self.node.type != "augmented_assignment" else None

    @property
    def annotation(self) -> Node | None:
        """The type that is written beside it."""
        return self.node.child_by_field_name("return_type" if self.is_function else "type")


def definition(text: Text, symbol: Symbol) -> Definition:
    """The place that defines a symbol.

    Raises:
        Refusal: nothing of that name is defined within its lines.
    """
    offset = text.offset(symbol.place.line, symbol.place.column)
    there = offset is not None and next(text.between(symbol.name, offset, offset + len(symbol.name.encode())), None)
    found = defined_at(there) if there else None
    return found or _within(text, symbol)


def _within(text: Text, symbol: Symbol) -> Definition:
    start, end = text.offset(symbol.first_line, 0), text.offset(symbol.last_line + 1, 0)
    if start is not None:
        for name in text.between(symbol.name, start, len(text.data) if end is None else end):
            if found := defined_at(name):
                return found
    raise Refusal(f"no definition of `{symbol.name}` is written at {symbol.place.location}")


def defined_at(name: Node) -> Definition | None:
    """What a name defines where it stands; None where it is only used."""
    target = name
    for parent in above(name):
        if parent.type == "attribute":
            if target is not name or parent.child_by_field_name("attribute") != name:
                return None
        elif parent.type not in _PATTERNS:
            field = _DEFINING.get(parent.type)
            if field is None or target not in parent.children_by_field_name(field):
                return None
            return Definition(name, parent, target)
        elif parent.type == "generic_type" and parent.named_children[0] != target:
            return None
        target = parent
    return None


def namesakes(text: Text, found: Definition) -> list[Definition]:
    """Every place that defines the name in the same scope: overloads, accessors, branches, assignments again."""
    if found.element.type == "attribute":
        return [found]
    around = scope(found.node)
    return [other for other in definitions_in(text, around, text.of(found.name)) if other.element.type != "attribute"]


def definitions_in(text: Text, around: Node, name: str) -> list[Definition]:
    """Every place that defines a name in this scope, or as an attribute in it, but in no scope inside."""
    found = (defined_at(mention) for mention in text.mentions(name, around))
    return [other for other in found if other is not None and scope(other.node) == around]


def member(text: Text, owner: Node, name: str) -> list[Definition]:
    """Every place in a class's body that defines a name of it."""
    return [found for found in definitions_in(text, owner, name) if found.element.type != "attribute"]


def attributes(text: Text, owner: Node, name: str) -> Iterator[Definition]:
    """Every place in a class's methods that assigns `self.name`."""
    for mention in text.mentions(name, owner):
        found = defined_at(mention)
        if found is not None and mention.parent is not None and mention.parent.type == "attribute":
            held = mention.parent.child_by_field_name("object")
            if held is not None and text.of(held) == _receiver(text, mention, owner):
                yield found


def _receiver(text: Text, node: Node, owner: Node) -> str | None:
    """What the method of a class around a node calls its instance."""
    for parent in above(node):
        if parent.type == "function_definition" and scope(parent) == owner:
            if any(last_name(text, decorator) == "staticmethod" for decorator in decorators(parent)):
                return None
            parameters = parent.child_by_field_name("parameters")
            first = parameters.named_children[0] if parameters and parameters.named_child_count else None
            while first is not None and first.type != "identifier":
                first = first.named_children[0] if first.named_child_count else None
            return text.of(first) if first is not None else None
    return None


def owner(found: Definition) -> Node | None:
    """The class whose body, or one of whose methods, defines the name."""
    for parent in above(found.node):
        if parent.type == "class_definition":
            return parent
        if parent.type == "function_definition" and found.element.type != "attribute":
            return None
    return None
