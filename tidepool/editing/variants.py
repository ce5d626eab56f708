"""Edits of what a value can be: the members of an enumeration, of a union, of a `Literal`, of a class's subclasses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tidepool.editing.definitions import Definition, member, owner
from tidepool.editing.fields import ancestry, bases, classes, is_enum_base
from tidepool.editing.naming import proper_name, removed, removed_all, written_string
from tidepool.editing.statements import (
    above,
    before,
    beside,
    child,
    indent,
    is_string,
    items_without,
    last_name,
    statements,
)
from tidepool.editing.text import Cut, Node, Refusal, Text
from tidepool.editing.types import BUILTIN, quote, type_arguments

ADDED: Final = "ADDED"
"""What a variant is called, where the question gives it no name."""


def added(text: Text, found: Definition, name: str | None) -> list[Cut]:
    """The definition with one more variant.

    A new subclass of a class is seen by few checkers: only who makes it breaks, or who matches all the subclasses of
    a sealed class.

    Raises:
        Refusal: it is nothing that has variants.
    """
    held = found.node if found.is_class else owner(found)
    if held is not None and (is_member(text, found) or (found.is_class and is_enum(text, held))):
        return _member_added(text, held, name)
    if found.is_class:
        return _subclass_added(text, found, name)
    return _alternative_added(text, found, name)


def is_member(text: Text, found: Definition) -> bool:
    """Whether a definition is a member of an enumeration."""
    held = None if found.is_class or found.is_function else owner(found)
    return held is not None and is_enum(text, held) and found.whole.parent == held.child_by_field_name("body")


def is_alias(text: Text, found: Definition) -> bool:
    """Whether a definition is another name for a type, as far as its file tells."""
    try:
        alias_value(text, found)
    except Refusal:
        return False
    return True


def is_enum(text: Text, held: Node) -> bool:
    """Whether a class is an enumeration, as far as its file tells."""
    return any(is_enum_base(text, base) for each in ancestry(text, held) for base in bases(each))


def _members(text: Text, held: Node) -> list[Node]:
    """The assignments of an enumeration's members, in order."""
    wholes = [each for each in statements(child(held, "body")) if each.type == "expression_statement"]
    nodes = [each.named_children[0] for each in wholes]
    return [
        node
        for node in nodes
        if node.type == "assignment"
        and child(node, "left").type == "identifier"
        and not text.of(child(node, "left")).startswith("_")
        and node.child_by_field_name("right") is not None
    ]


def _member_added(text: Text, held: Node, name: str | None) -> list[Cut]:
    members = _members(text, held)
    siblings = [text.of(child(node, "left")) for node in members]
    usual = ADDED.lower() if any(map(str.islower, siblings)) else ADDED
    wanted = proper_name(name.rpartition(".")[2]) if name else usual
    if member(text, held, wanted):
        raise Refusal(f"it has `{wanted}` already")
    line = f"{wanted} = {_value(text, held, members, wanted)}"
    if members:
        whole = members[-1].parent
        if whole is not None:
            return [beside(whole, line)]
    first = statements(child(held, "body"))[0]
    if is_string(first) or first.type == "pass_statement" or text.of(first) == "...":
        return [beside(first, line)]
    return [before(text, first, line)]


def _value(text: Text, held: Node, members: Sequence[Node], name: str) -> str:
    """A value like those of the siblings that none of them has: an equal one would only be another name."""
    values = [text.of(child(node, "right")) for node in members]
    if not values:
        strings = any(
            last_name(text, base) in ("str", "StrEnum") for each in ancestry(text, held) for base in bases(each)
        )
        return f'"{name.lower()}"' if strings else "1"
    last = values[-1]
    if re.fullmatch(r"(\w+\.)*auto\(\)", last):
        return last
    numbers = [int(value, 0) for value in values if re.fullmatch(r"0x[\da-fA-F]+|0b[01]+|0o[0-7]+|[1-9]\d*|0", value)]
    if numbers and len(numbers) == len(values):
        return str(_next_number(text, held, numbers))
    return _unlike(text, child(members[-1], "right"), name)


def _next_number(text: Text, held: Node, numbers: Sequence[int]) -> int:
    if any(last_name(text, base).endswith("Flag") for each in ancestry(text, held) for base in bases(each)):
        return 1 << max(numbers).bit_length()
    return max(numbers) + 1


def _unlike(text: Text, value: Node, name: str) -> str:
    """A value with the shape of another, with another string or number in it."""
    written = text.of(value)
    for node in (value, *_parts(value)):
        start, end = node.start_byte - value.start_byte, node.end_byte - value.start_byte
        encoded = text.data[value.start_byte : value.end_byte]
        if written_string(text, node) is not None and node.start_byte >= value.start_byte:
            prefix = re.match(r"[bB]?", text.of(node))
            letter = prefix[0] if prefix else ""
            return encoded[:start].decode() + f'{letter}"{name.lower()}"' + encoded[end:].decode()
        if node.type == "integer":
            return encoded[:start].decode() + str(9_999) + encoded[end:].decode()
    return "object()" if written else "1"


def _parts(value: Node) -> list[Node]:
    if value.type in ("tuple", "call", "argument_list", "keyword_argument", "expression_list"):
        parts = []
        for node in value.named_children:
            parts += [node, *_parts(node)]
        return parts
    return []


def _subclass_added(text: Text, found: Definition, name: str | None) -> list[Cut]:
    outer = [child(node, "name") for node in above(found.node) if node.type == "class_definition"]
    if any(node.type == "function_definition" for node in above(found.node)):
        raise Refusal("a class inside of a function has no subclasses elsewhere")
    base = ".".join([*(text.of(node) for node in reversed(outer)), text.of(found.name)])
    wanted = name if name and name.isidentifier() else "Added"
    return [text.appended(f"class {text.fresh(wanted)}({base}): ...")]


def _alternative_added(text: Text, found: Definition, name: str | None) -> list[Cut]:
    value = alias_value(text, found)
    if last_name(text, value) == "Literal" and type_arguments(value):
        return [_literal_added(text, value, name)]
    return _class_added(text, found, value, name)


def alias_value(text: Text, found: Definition) -> Node:
    """What a type alias stands for.

    Raises:
        Refusal: it is no alias.
    """
    value = found.value
    if value is not None and value.type == "type":
        return value.named_children[0]
    written = found.annotation
    told = written is not None and last_name(text, written) == "TypeAlias"
    named = found.target.type == "identifier" and found.is_alone and found.node.type == "assignment"
    in_function = any(node.type == "function_definition" for node in above(found.node))
    if value is None or not named or in_function or not (told or (written is None and _is_type(text, value))):
        raise Refusal("it is no enumeration, union or literal type that is written here")
    return value


def _is_type(text: Text, value: Node) -> bool:
    """Whether what is assigned looks like a type, and not like a number or a text."""
    parts = alternatives(text, value)
    if last_name(text, value) == "Literal" and type_arguments(value):
        return True
    if len(parts) > 1:
        return all(part.type in ("string", "none") or _is_type(text, part) for part in parts)
    if value.type == "subscript":
        value = value.named_children[0]
    name = text.of(value).rpartition(".")[2].lstrip("_")
    looks = name in BUILTIN or (name[:1].isupper() and (len(name) == 1 or not name.isupper()))
    return value.type in ("identifier", "attribute") and looks


def _literal_added(text: Text, value: Node, name: str | None) -> Cut:
    arguments = type_arguments(value)
    last = text.of(arguments[-1]).strip()
    if re.fullmatch(r"-?\d+", last):
        given = [int(each) for node in arguments if re.fullmatch(r"-?\d+", each := text.of(node).strip())]
        new = str(max(given) + 1)
    else:
        said = (name or "added").replace("\\", "").replace('"', "")
        new = f'b"{said}"' if last[:1] in "bB" else f'"{said}"'
    if new in {text.of(node).strip().replace("'", '"') for node in arguments}:
        raise Refusal(f"it has {new} already")
    return Cut(arguments[-1].end_byte, arguments[-1].end_byte, f", {new}")


def _class_added(text: Text, found: Definition, value: Node, name: str | None) -> list[Cut]:
    given = name if name and (name in BUILTIN or (name.isidentifier() and any(classes(text, name)))) else None
    if given and any(text.of(each) == given for each in alternatives(text, value)):
        raise Refusal(f"it has `{given}` already")
    fresh = given or text.fresh(name if name and name.isidentifier() else "Added")
    later = [] if given else [text.appended("\n".join(_class_lines(fresh)))]
    if value.type == "string":
        end = value.end_byte - len(text.of(value.children[-1]))
        return [Cut(end, end, f" | {fresh}"), *later]
    if last_name(text, value) in _UNIONS and type_arguments(value):
        return [_into_brackets(text, value, fresh), *later]
    if not given and value.type != "binary_operator" and found.node.type != "type_alias_statement":
        raise Refusal("it is no union")
    cut = Cut(value.end_byte, value.end_byte, f" | {fresh}")
    if given or found.node.type == "type_alias_statement":
        return [cut, *later]
    margin = indent(text, found.whole)
    sooner = f"\n{margin}".join(_class_lines(fresh))  # what stands between bars is evaluated at once
    return [before(text, found.whole, sooner, simple=False), cut]


def _class_lines(name: str) -> list[str]:
    """A class that has what all the other variants have: only who tells them apart is to break."""
    return [f"class {name}:", "    def __getattr__(self, anything): return anything"]


_UNIONS: Final = ("Union", "Optional")


def _into_brackets(text: Text, value: Node, name: str) -> Cut:
    last = type_arguments(value)[-1]
    if last_name(text, value) == "Union":
        return Cut(last.end_byte, last.end_byte, f', "{name}"')
    quoted = quote(f"{text.of(last)} | {name}")
    if quoted is None:
        raise Refusal("its type cannot be written as a string")
    return Cut(last.start_byte, last.end_byte, quoted)


def alternatives(text: Text, value: Node) -> list[Node]:
    """The types of a union, or the values of a `Literal`, in order; of a chain of bars, what stands between them."""
    if value.type in ("type", "parenthesized_expression"):
        return alternatives(text, value.named_children[0])
    if value.type == "binary_operator" and text.of(child(value, "operator")) == "|":
        return [*alternatives(text, child(value, "left")), *alternatives(text, child(value, "right"))]
    if last_name(text, value) in (*_UNIONS, "Literal") and type_arguments(value):
        return type_arguments(value)
    return [value]


def variant_removed(text: Text, found: Definition, name: str | None) -> list[Cut]:
    """The definition without a variant, or without itself where it is one.

    Raises:
        Refusal: it has none of that name, or no other.
    """
    if name is None or name == text.of(found.name):
        return removed(text, found)
    if found.is_class:
        held = member(text, found.node, name)
        if not held:
            raise Refusal(f"it declares no `{name}`")
        return removed_all(text, held)
    value = alias_value(text, found)
    parts = alternatives(text, value)
    gone = [part for part in parts if _is_called(text, part, name)]
    if not gone or len(gone) == len(parts):
        raise Refusal(f"it has no variant `{name}`" if not gone else "it has no other variant")
    return _alternatives_gone(text, value, parts, gone)


def _is_called(text: Text, part: Node, name: str) -> bool:
    return name in (text.of(part), written_string(text, part), last_name(text, part))


def _alternatives_gone(text: Text, value: Node, parts: Sequence[Node], gone: Sequence[Node]) -> list[Cut]:
    if type_arguments(value):
        return items_without(text, parts, gone)
    cuts = []
    for part in gone:
        at = parts.index(part)
        start = parts[at - 1].end_byte if at else part.start_byte
        end = part.end_byte if at else parts[1].start_byte
        cuts.append(Cut(start, end, "\n" * text.lines(start, end)))
    return cuts
