"""What types an annotation allows, whichever way it is spelled. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

NOTHING: Final = "None"

_MODULES: Final = frozenset({"typing", "typing_extensions", "t", "collections", "abc", "types", "builtins"})
_LOWER: Final = {name: name.lower() for name in ("Dict", "FrozenSet", "List", "Set", "Tuple", "Type")}
_REMEMBERED: Final = 256


@lru_cache(maxsize=_REMEMBERED)
def alternatives(annotation: str) -> frozenset[str]:
    """The types of a union, each spelled one way: `Optional[t.List[X]]` as `list[X] | None`."""
    try:
        return frozenset(_alternatives(ast.parse(annotation.strip(), mode="eval").body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset({" ".join(annotation.split())})


def _alternatives(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            yield from _alternatives(left)
            yield from _alternatives(right)
        case ast.Subscript(value=head, slice=inner) if _name(head) == "Optional":
            yield NOTHING
            yield from _alternatives(inner)
        case ast.Subscript(value=head, slice=inner) if _name(head) == "Union":
            for part in inner.elts if isinstance(inner, ast.Tuple) else (inner,):
                yield from _alternatives(part)
        case ast.Constant(value=str(quoted)):
            yield from alternatives(quoted)
        case _:
            yield _one_way(node)


def _one_way(node: ast.expr) -> str:
    match node:
        case ast.Name() | ast.Attribute():
            name = _name(node)
            return _LOWER.get(name, name)
        case ast.Subscript(value=head, slice=ast.Tuple(elts=parts)):
            return f"{_one_way(head)}[{', '.join(map(_inner, parts))}]"
        case ast.Subscript(value=head, slice=inner):
            return f"{_one_way(head)}[{_inner(inner)}]"
        case ast.List(elts=parts):
            return f"[{', '.join(map(_inner, parts))}]"
        case _:
            return ast.unparse(node)


def _inner(node: ast.expr) -> str:
    return " | ".join(sorted(_alternatives(node)))


def _name(node: ast.expr) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id=module) | ast.Attribute(attr=module), attr=name) if module in _MODULES:
            return name
        case ast.Name() | ast.Attribute():
            return ast.unparse(node)
        case _:
            return ""
