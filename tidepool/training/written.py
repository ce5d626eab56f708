"""What a file defines outside of its functions, as its syntax tree tells. Pure.

Two texts of one file are compared by this: a signature with its defaults, the value of a variant, the words of a body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final

import attrs

from tidepool.definitions import ALIAS_HEADS, ENUMS, RECORD_BASES, RECORD_DECORATORS
from tidepool.editing.statements import decorators, is_string, last_name, statements
from tidepool.editing.text import Node, Refusal, Text, parsed
from tidepool.effects.lsp import Place, Symbol, SymbolKind

_CLASSES: Final = frozenset({SymbolKind.CLASS, SymbolKind.ENUM})
_BRANCHES: Final = frozenset({"block", "else_clause", "elif_clause", "except_clause", "finally_clause"})
_COMPOUND: Final = frozenset({"if_statement", "try_statement", "with_statement"})
_ACCESSORS: Final = frozenset({"overload", "setter", "deleter", "getter"})
_OPTIONAL: Final = frozenset({"default", "factory", "default_factory", "init", "kw_only"})
"""What a field's specifier is given where nobody has to give the field: `field(default=0)`, `field(init=False)`."""

WORDS_COMPARED: Final = 2000
"""Words of a body that are kept: those of a longer one begin alike where the whole is alike."""


@attrs.frozen
class Given:
    """A parameter that callers give.

    Attributes:
        annotation: its text, or None.
        default: the text of its default, or None where it is required.
    """

    name: str
    annotation: str | None
    default: str | None


@attrs.frozen(slots=False)
class Written:
    """A definition as it is written.

    Attributes:
        parameters: of a function, without its receiver and without those that take the rest.
        annotation: the text of what it returns, or of a variable's type, or None.
        value: the text of what a variable holds, or None.
        decorators: their last names.
        bases: the last names of what a class derives from.
        is_alias: whether it is another name for a type.
    """

    symbol: Symbol
    text: Text = attrs.field(eq=False, repr=False)
    node: Node = attrs.field(eq=False, repr=False)
    parameters: tuple[Given, ...] = ()
    annotation: str | None = None
    value: str | None = None
    decorators: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    is_alias: bool = False

    @property
    def is_record(self) -> bool:
        """Whether it is a class whose fields are its constructor's parameters."""
        return not RECORD_DECORATORS.isdisjoint(self.decorators) or not RECORD_BASES.isdisjoint(self.bases)

    @property
    def is_required(self) -> bool:
        """Whether who makes a record has to give this field of it."""
        if self.value is None:
            return True
        right = self.node.child_by_field_name("right")
        if right is None or right.type != "call":
            return False
        said = {keyword for keyword in _keywords(self.text, right) if keyword in _OPTIONAL}
        return said.isdisjoint(_OPTIONAL) and last_name(self.text, right).lower() in _SPECIFIERS

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of what it does or holds, without comments, docstrings and its own name."""
        name = self.node.child_by_field_name("name" if self.value is None else "left")
        body = self.node.child_by_field_name("body")
        first = next(iter(statements(body)), None) if body is not None else None
        left_out = {node.id for node in (name, first if first is not None and is_string(first) else None) if node}
        return tuple(words(self.text, self.node, left_out))[:WORDS_COMPARED]


_SPECIFIERS: Final = frozenset({"field", "ib", "attrib"})
"""What says of a field no more than what it is called with."""


def words(text: Text, around: Node, left_out: set[int] | None = None) -> Iterator[str]:
    """The words and signs inside a node, in order, without comments."""
    waiting = [around]
    while waiting:
        node = waiting.pop()
        if node.type == "comment" or node.id in (left_out or ()):
            continue
        if node.child_count == 0 or node.type == "string":
            yield text.of(node)
        else:
            waiting.extend(reversed(node.children))


@attrs.frozen
class Reading:
    """What a file says.

    Attributes:
        definitions: by qualified name, those that no other shares the name with.
        bound: every name that the file's own scope binds, imports included.
        is_python: whether all of it was understood.
    """

    definitions: Mapping[str, Written]
    bound: frozenset[str]
    is_python: bool


NOTHING: Final = Reading(MappingProxyType({}), frozenset(), is_python=True)
"""What a file says that is not there."""


def read(path: str, source: str | None) -> Reading:
    """What a file defines; one that is not there defines nothing."""
    if source is None:
        return NOTHING
    try:
        text = parsed(source)
    except Refusal:
        return attrs.evolve(NOTHING, is_python=False)
    if text.root.has_error:
        return attrs.evolve(NOTHING, is_python=False)
    reader = _Reader(path, text)
    by_name: dict[str, list[Written]] = {}
    for one in reader.block(text.root, "", None):
        if _ACCESSORS.isdisjoint(one.decorators):
            by_name.setdefault(one.symbol.qualified_name, []).append(one)
    alone = {name: found[0] for name, found in by_name.items() if len(found) == 1}
    return Reading(alone, frozenset({*by_name, *reader.imported(text.root)}), is_python=True)


@attrs.frozen
class _Reader:
    path: str
    text: Text

    def block(self, block: Node, container: str, inside: SymbolKind | None) -> Iterator[Written]:
        """What the statements of a file or of a class define."""
        for whole in statements(block):
            node = whole.child_by_field_name("definition") if whole.type == "decorated_definition" else whole
            if node is None:
                continue
            if node.type == "function_definition":
                yield self.function(node, container)
            elif node.type == "class_definition":
                yield from self.of_class(node, container)
            elif node.type == "expression_statement" and node.named_children[0].type == "assignment":
                yield from self.variable(node.named_children[0], container, inside)
            elif node.type in _COMPOUND:
                for inner in _blocks(node):
                    yield from self.block(inner, container, inside)

    def imported(self, root: Node) -> Iterator[str]:
        """The names that imports bind anywhere at the top of a file."""
        waiting = list(statements(root))
        while waiting:
            node = waiting.pop()
            if node.type in ("import_statement", "import_from_statement"):
                for name in node.children_by_field_name("name"):
                    yield self.text.of(name.child_by_field_name("alias") or name)
            elif node.type in _COMPOUND:
                waiting += [inner for block in _blocks(node) for inner in statements(block)]

    def function(self, node: Node, container: str) -> Written:
        """A function or a method."""
        names = tuple(last_name(self.text, each) for each in decorators(node))
        is_property = not {"property", "cached_property"}.isdisjoint(names)
        kind = SymbolKind.FUNCTION if not container else SymbolKind.PROPERTY if is_property else SymbolKind.METHOD
        given = [*self.parameters(node)]
        if container and "staticmethod" not in names:
            given = given[1:]
        returns = node.child_by_field_name("return_type")
        return Written(
            self.symbol(node, "name", kind, container),
            self.text,
            node,
            parameters=tuple(given),
            annotation=self.said(returns),
            decorators=names,
        )

    def parameters(self, node: Node) -> Iterator[Given]:
        """What callers give, the receiver included."""
        around = node.child_by_field_name("parameters")
        for parameter in around.named_children if around is not None else ():
            name = parameter if parameter.type == "identifier" else parameter.child_by_field_name("name")
            if name is None and parameter.type == "typed_parameter":
                name = parameter.named_children[0]
            if name is not None and name.type == "identifier":
                kind, value = (parameter.child_by_field_name(field) for field in ("type", "value"))
                yield Given(self.text.of(name), self.said(kind), self.said(value))

    def of_class(self, node: Node, container: str) -> Iterator[Written]:
        """A class and what stands in it."""
        listed = node.child_by_field_name("superclasses")
        parents = [
            each.child_by_field_name("value") if each.type == "keyword_argument" else each
            for each in (listed.named_children if listed is not None else ())
        ]
        bases = tuple(last_name(self.text, each) for each in parents if each is not None)
        kind = SymbolKind.CLASS if ENUMS.isdisjoint(bases) else SymbolKind.ENUM
        names = tuple(last_name(self.text, each) for each in decorators(node))
        symbol = self.symbol(node, "name", kind, container)
        yield Written(symbol, self.text, node, decorators=names, bases=bases)
        body = node.child_by_field_name("body")
        if body is not None:
            yield from self.block(body, symbol.qualified_name, kind)

    def variable(self, node: Node, container: str, inside: SymbolKind | None) -> Iterator[Written]:
        """What an assignment of one name defines."""
        name, value = node.child_by_field_name("left"), node.child_by_field_name("right")
        if name is None or name.type != "identifier" or (value is not None and value.type == "assignment"):
            return
        annotation = self.said(node.child_by_field_name("type"))
        spelled = self.text.of(name)
        kind = SymbolKind.CONSTANT if spelled.isupper() else SymbolKind.VARIABLE
        if inside is not None:
            is_member = inside is SymbolKind.ENUM and annotation is None and not spelled.startswith("_")
            kind = SymbolKind.ENUM_MEMBER if is_member else SymbolKind.FIELD
        yield Written(
            self.symbol(node, "left", kind, container),
            self.text,
            node,
            annotation=annotation,
            value=self.said(value),
            is_alias=inside is None and self.is_alias(spelled, annotation, value),
        )

    def is_alias(self, name: str, annotation: str | None, value: Node | None) -> bool:
        """Whether an assignment gives a type another name."""
        if annotation is not None:
            return annotation.rpartition(".")[2] == "TypeAlias"
        if value is None or not name.lstrip("_")[:1].isupper() or name.isupper():
            return False
        if value.type == "binary_operator":
            sign = value.child_by_field_name("operator")
            return sign is not None and sign.type == "|"
        return value.type == "subscript" and last_name(self.text, value) in ALIAS_HEADS

    def said(self, node: Node | None) -> str | None:
        """What is written at a node, if it is there."""
        return None if node is None else self.text.of(node)

    def symbol(self, node: Node, field: str, kind: SymbolKind, container: str) -> Symbol:
        """The symbol of what defines a name."""
        name = node.child_by_field_name(field) or node
        start = self.text.data.rfind(b"\n", 0, name.start_byte) + 1
        column = len(self.text.data[start : name.start_byte].decode())
        held = node.parent
        whole = held if held is not None and held.type == "decorated_definition" else node
        return Symbol(
            self.text.of(name),
            kind,
            container,
            Place(self.path, name.start_point.row + 1, column),
            whole.start_point.row + 1,
            whole.end_point.row + 1,
        )


def _blocks(node: Node) -> Iterator[Node]:
    """The blocks of a compound statement."""
    for child in node.named_children:
        if child.type == "block":
            yield child
        elif child.type in _BRANCHES:
            yield from _blocks(child)


def _keywords(text: Text, call: Node) -> Iterator[str]:
    passed = call.child_by_field_name("arguments")
    for argument in passed.named_children if passed is not None else ():
        name = argument.child_by_field_name("name") if argument.type == "keyword_argument" else None
        if name is not None:
            yield text.of(name)
