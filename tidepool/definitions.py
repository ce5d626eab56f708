"""The definitions of a Python file with what can be changed about each, read from its syntax alone. Pure.

No language server is asked: what cases are made from must not depend on what they are to measure.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from tidepool.effects.lsp import Place, Symbol, SymbolKind

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

ENUMS: Final = frozenset({"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "ReprEnum"})
RECORD_BASES: Final = frozenset({"NamedTuple", "TypedDict", "BaseModel", "Struct"})
RECORD_DECORATORS: Final = frozenset({"dataclass", "define", "frozen", "mutable", "attrs", "s", "attrib"})
"""What makes a class one whose fields are its constructor's parameters: `@attr.s` as well as `@dataclass`."""

ALIAS_HEADS: Final = frozenset(
    "Union Optional Literal Callable Tuple tuple List list Dict dict Type type Mapping Sequence Iterable Iterator"
    " Awaitable Coroutine AsyncIterable AsyncIterator Generator Annotated MutableMapping Set set FrozenSet".split()
)
"""What an alias without an annotation begins with: `Headers = Mapping[str, str]`."""


@attrs.frozen
class Parameter:
    """A parameter that callers give, with the text of its annotation or None."""

    name: str
    annotation: str | None


@attrs.frozen
class Defined:
    """A definition.

    Attributes:
        symbol: what it is, and where.
        parameters: a function's, without `self` and `cls` and without those that take the rest.
        returns: the text of the annotation of what it returns, or None.
        decorators: the last names of its decorators, `property` as well as `overload`.
        bases: the last names of what a class derives from.
        is_async: whether it is a coroutine function or an asynchronous generator.
        yields: whether it is a generator.
        is_record: whether it is a class whose fields are its constructor's parameters.
        is_alias: whether it is another name for a type.
    """

    symbol: Symbol
    parameters: tuple[Parameter, ...] = ()
    returns: str | None = None
    decorators: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    is_async: bool = False
    yields: bool = False
    is_record: bool = False
    is_alias: bool = False

    @property
    def is_overload(self) -> bool:
        """Whether it is but one of the signatures of the function that follows."""
        return "overload" in self.decorators


def definitions(path: str, text: str) -> tuple[Defined, ...]:
    """What a file defines outside of its functions, in order of position.

    Raises:
        SyntaxError: it is not Python.
    """
    try:
        tree = ast.parse(text)
    except (ValueError, RecursionError) as error:  # a null byte; brackets a thousand deep
        raise SyntaxError(str(error)) from error
    return tuple(_Reader(path, text.split("\n")).block(tree.body, "", SymbolKind.MODULE))


def exports(text: str) -> dict[str, int]:
    """The names that a file lists in `__all__`, each with its line.

    Raises:
        SyntaxError: it is not Python.
    """
    listed: dict[str, int] = {}
    for statement in ast.parse(text).body if "__all__" in text else ():
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign) and any(
            isinstance(node, ast.Name) and node.id == "__all__" for node in ast.walk(statement)
        ):
            for node in ast.walk(statement):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    listed.setdefault(node.value, node.lineno)
    return listed


@attrs.frozen
class _Reader:
    path: str
    lines: Sequence[str]

    def block(self, body: Sequence[ast.stmt], container: str, kind: SymbolKind) -> Iterator[Defined]:
        """What the statements of a module or a class define."""
        for statement in body:
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    yield self.function(statement, container)
                case ast.ClassDef():
                    yield from self.of_class(statement, container)
                case ast.AnnAssign(target=ast.Name() as name):
                    yield self.variable(name, statement, container, kind)
                case ast.Assign(targets=[ast.Name() as name]):
                    yield self.variable(name, statement, container, kind)
                case ast.If() | ast.Try() | ast.With():
                    for inner in _branches(statement):
                        yield from self.block(inner, container, kind)
                case _:
                    pass

    def function(self, node: _Function, container: str) -> Defined:
        """A function or a method."""
        decorators = tuple(map(_last_name, node.decorator_list))
        is_property = any(name in {"property", "cached_property"} for name in decorators)
        kind = SymbolKind.FUNCTION if not container else SymbolKind.PROPERTY if is_property else SymbolKind.METHOD
        given = [*node.args.posonlyargs, *node.args.args]
        if container and "staticmethod" not in decorators:
            given = given[1:]
        return Defined(
            self.symbol(node, kind, container),
            tuple(Parameter(each.arg, _text(each.annotation)) for each in (*given, *node.args.kwonlyargs)),
            _text(node.returns),
            decorators,
            is_async=isinstance(node, ast.AsyncFunctionDef),
            yields=_yields(node),
        )

    def of_class(self, node: ast.ClassDef, container: str) -> Iterator[Defined]:
        """A class and what stands in it."""
        bases = tuple(_last_name(base) for base in (*node.bases, *(word.value for word in node.keywords)))
        decorators = tuple(map(_last_name, node.decorator_list))
        kind = SymbolKind.CLASS if ENUMS.isdisjoint(bases) else SymbolKind.ENUM
        is_record = not RECORD_DECORATORS.isdisjoint(decorators) or not RECORD_BASES.isdisjoint(bases)
        symbol = self.symbol(node, kind, container)
        yield Defined(symbol, decorators=decorators, bases=bases, is_record=is_record)
        yield from self.block(node.body, symbol.qualified_name, kind)

    def variable(self, name: ast.Name, node: ast.AnnAssign | ast.Assign, container: str, inside: SymbolKind) -> Defined:
        """What an assignment at the top of a module or a class defines."""
        annotation = _text(node.annotation) if isinstance(node, ast.AnnAssign) else None
        place = Place(self.path, name.lineno, self.column(name.lineno, name.col_offset))
        symbol = Symbol(
            name.id, _kind_of_variable(name.id, node, inside), container, place, node.lineno, node.end_lineno or 0
        )
        return Defined(symbol, returns=annotation, is_alias=not container and _is_alias(name.id, node))

    def symbol(self, node: _Function | ast.ClassDef, kind: SymbolKind, container: str) -> Symbol:
        """The symbol of a statement that defines one."""
        found = re.compile(rf"\b(?:def|class)\s+({re.escape(node.name)})\b").search(self.lines[node.lineno - 1])
        column = found.start(1) if found else self.column(node.lineno, node.col_offset)
        first = min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
        return Symbol(node.name, kind, container, Place(self.path, node.lineno, column), first, node.end_lineno or 0)

    def column(self, line: int, offset: int) -> int:
        """A column in characters, of an offset in bytes."""
        return len(self.lines[line - 1].encode()[:offset].decode(errors="replace"))


def _yields(function: _Function) -> bool:
    """Whether a function itself yields, and no other inside of it."""
    inside: list[ast.AST] = list(function.body)
    while inside:
        node = inside.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, _Scope):
            inside += ast.iter_child_nodes(node)
    return False


_Scope: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda


def _branches(node: ast.If | ast.Try | ast.With) -> Iterator[list[ast.stmt]]:
    yield node.body
    if not isinstance(node, ast.With):
        yield node.orelse
    if isinstance(node, ast.Try):
        yield from (handler.body for handler in node.handlers)
        yield node.finalbody


def _kind_of_variable(name: str, node: ast.AnnAssign | ast.Assign, inside: SymbolKind) -> SymbolKind:
    if inside is SymbolKind.ENUM and isinstance(node, ast.Assign) and not name.startswith("_"):
        return SymbolKind.ENUM_MEMBER
    if inside is SymbolKind.CLASS:
        return SymbolKind.FIELD
    return SymbolKind.CONSTANT if name.isupper() else SymbolKind.VARIABLE


def _is_alias(name: str, node: ast.AnnAssign | ast.Assign) -> bool:
    if isinstance(node, ast.AnnAssign):
        return _last_name(node.annotation) == "TypeAlias"
    if not name.lstrip("_")[:1].isupper() or name.isupper():
        return False
    value = node.value
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr)
    return isinstance(value, ast.Subscript) and _last_name(value.value) in ALIAS_HEADS


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _last_name(inner)
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.Constant(value=str(name)):
            return name
        case _:
            return ""


def _text(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)
