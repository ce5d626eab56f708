"""Annotations: how a type is written that is new, or that may be None."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from typing import Final

import attrs

from tidepool.editing.statements import last_name
from tidepool.editing.text import Cut, Node, Refusal, Text, parsed


@attrs.frozen
class Type:
    """A type as an annotation writes it.

    Attributes:
        name: what to write.
        extra: what else the file then needs.
    """

    name: str
    extra: tuple[Cut, ...] = ()


BUILTIN: Final = frozenset({"None", *(name for name, value in vars(builtins).items() if isinstance(value, type))})
"""The names of types that every file has."""


def changed(text: Text, wanted: str | None, called: str = "_Changed") -> Type:
    """The type that was asked for where it is builtin, or else one that nothing has.

    The class is told behind all other lines, so that none moves; the annotation is a string, since it comes before.
    """
    if wanted is not None and re.match(r"\w+", wanted) and set(re.findall(r"\w+", wanted)) <= BUILTIN:
        return Type(f'"{wanted}"')
    name = text.fresh(called)
    return Type(f'"{name}"', (text.appended(f"class {name}: ..."),))


def anything(text: Text) -> Type:
    """A type that says nothing, without quotes."""
    name = text.fresh("_Any")
    return Type(name, (text.appended(f"from typing import Any as {name}"),))


QUALIFIERS: Final[Mapping[str, int]] = {
    "ClassVar": 0,
    "Final": 0,
    "Required": 0,
    "NotRequired": 0,
    "ReadOnly": 0,
    "InitVar": 0,
    "Annotated": 0,
    "Mapped": 0,
}
"""What says something about a field rather than about its type, and which of its arguments the type is."""

AWAITABLES: Final[Mapping[str, int]] = {"Awaitable": -1, "Coroutine": -1, "Future": -1, "Task": -1, "CoroutineType": -1}
"""What is awaited by who calls the function, and which argument the type is that comes of it."""

YIELDING: Final[Mapping[str, int]] = dict.fromkeys(
    ("Iterator", "Iterable", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator"), 0
)
"""What a function returns that yields, and which argument the type is that it yields."""


def inner(text: Text, written: Node, wrappers: Mapping[str, int]) -> Node:
    """The type inside of wrappers: `int` of `ClassVar[int]`."""
    node = written
    while True:
        bare = node.named_children[0] if node.type == "type" and node.named_child_count else node
        arguments = type_arguments(bare)
        at = wrappers.get(last_name(text, bare)) if arguments else None
        if at is None:
            return node
        node = arguments[at]


def type_arguments(node: Node) -> list[Node]:
    """What stands in the brackets of a generic type."""
    if node.type == "subscript":
        return node.children_by_field_name("subscript")
    if node.type == "generic_type":
        return [each for each in node.named_children[-1].named_children if each.type != "comment"]
    return []


def nullable(text: Text, node: Node, wrappers: Mapping[str, int]) -> Cut:
    """A written type, inside of wrappers, that may be None as well: so that every version and checker reads it.

    Raises:
        Refusal: it may be None already, or says more than a type.
    """
    node = inner(text, node, wrappers)
    start, end = node.start_byte, node.end_byte
    opening, content = _apart(text, node)
    if opening:
        within = _in_string(content, wrappers)
        written, stop = within or (content, len(content.encode()))
    else:
        written, stop = text.of(node), 0
    if _says_none(written):
        raise Refusal("it may be None already")
    if re.match(r"(\w+\.)*(TypeGuard|TypeIs)\b", written):
        raise Refusal("a type guard cannot be None")
    if opening:
        at = start + len(opening) + stop
        return Cut(at, at, " | None")
    quoted = quote(f"{written} | None")
    return Cut(start, end, quoted) if quoted else Cut(end, end, " | None")


def replaced(text: Text, node: Node, wrappers: Mapping[str, int], new: Type) -> Cut:
    """Another type instead of a written one, inside of the same wrappers."""
    node = inner(text, node, wrappers)
    opening, content = _apart(text, node)
    within = _in_string(content, wrappers) if opening else None
    if within is None:
        return Cut(node.start_byte, node.end_byte, new.name)
    written, stop = within
    end = node.start_byte + len(opening) + stop
    return Cut(end - len(written.encode()), end, new.name.strip('"'))


def _apart(text: Text, node: Node) -> tuple[str, str]:
    """The marks before a string and what is between them; nothing for what is no plain string."""
    bare = node.named_children[0] if node.type == "type" and node.named_child_count else node
    if bare.type != "string" or any(part.type == "interpolation" for part in bare.named_children):
        return "", ""
    opening, closing = text.of(bare.children[0]), text.of(bare.children[-1])
    return opening, text.of(bare)[len(opening) : -len(closing)]


def _in_string(content: str, wrappers: Mapping[str, int]) -> tuple[str, int] | None:
    """The type that a string wraps, and where it ends there, in bytes; None where nothing is around it."""
    apart = parsed(content)
    whole = apart.root.named_children[0] if apart.root.named_child_count == 1 else None
    if whole is None or whole.type != "expression_statement" or apart.root.has_error:
        return None
    node = inner(apart, whole.named_children[0], wrappers)
    return None if node == whole.named_children[0] else (apart.of(node), node.end_byte)


def quote(written: str) -> str | None:
    """A type as a string; None where it cannot be one."""
    if "\\" in written or "#" in written:
        return None
    marks = ("'''", '"""') if "\n" in written else ('"', "'", '"""', "'''")
    return next((f"{mark}{written}{mark}" for mark in marks if mark[0] not in written), None)


def _says_none(written: str) -> bool:
    return any(_is_none(part) for part in _alternatives(written))


def _is_none(part: str) -> bool:
    generic = re.match(r"(?:\w+\.)*(\w+)\s*\[", part)
    if generic is not None:
        return generic[1] == "Optional" or (generic[1] == "Union" and "None" in re.split(r"[\[\],\s]+", part))
    return part.rpartition(".")[2] in ("None", "Any", "object")


def _alternatives(written: str) -> list[str]:
    """What stands between the bars of a union, outside of brackets."""
    parts, depth = [""], 0
    for char in written:
        depth += (char in "([{") - (char in ")]}")
        if char == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]
