"""Edits of what a call makes: `namedtuple("Point", "x y")`, `TypedDict("Movie", {…})`, `Enum("Color", "RED BLUE")`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tidepool.editing.definitions import Definition
from tidepool.editing.naming import written_string
from tidepool.editing.statements import child, items_without, last_name
from tidepool.editing.text import Cut, Node, Refusal, Text

_RECORDS: Final = frozenset({"namedtuple", "NamedTuple", "TypedDict"})
_ENUMERATIONS: Final = frozenset({"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"})


def is_record(text: Text, found: Definition) -> bool:
    """Whether a call makes a class with fields here."""
    return _is_made_by(text, found, _RECORDS)


def is_enumeration(text: Text, found: Definition) -> bool:
    """Whether a call makes an enumeration here."""
    return _is_made_by(text, found, _ENUMERATIONS)


def _is_made_by(text: Text, found: Definition, makers: frozenset[str]) -> bool:
    value = found.value
    return value is not None and value.type == "call" and last_name(text, value) in makers and bool(_listed(value))


def _listed(call: Node) -> Node | None:
    """What lists the names in such a call: the argument after the class's own name."""
    given = [node for node in child(call, "arguments").named_children if node.type != "comment"]
    return given[1] if len(given) > 1 and given[1].type in ("string", "list", "tuple", "dictionary") else None


def _list_of(text: Text, found: Definition) -> Node:
    listed = _listed(child(found.node, "right"))
    if listed is None or (listed.type == "string" and written_string(text, listed) is None):
        raise Refusal("its names are not written here")
    return listed


def _entries(text: Text, listed: Node) -> Iterator[tuple[str, Node, Node]]:
    """Every name in a list, with what tells of it and the string it is written as."""
    for entry in listed.named_children:
        inside = [entry, *entry.named_children]
        named = next((node for node in inside if written_string(text, node) is not None), None)
        if named is not None and entry.type in ("string", "tuple", "list", "pair"):
            yield written_string(text, named) or "", entry, named


def _words(text: Text, listed: Node) -> Iterator[tuple[str, int, int]]:
    """Every name in one string, with where it is written."""
    start = listed.start_byte + len(text.of(listed.children[0]))
    for found in re.finditer(rb"[^\s,]+", (written_string(text, listed) or "").encode()):
        yield found[0].decode(), start + found.start(), start + found.end()


def names(text: Text, found: Definition) -> list[str]:
    """The names that a call lists."""
    listed = _list_of(text, found)
    each = _words(text, listed) if listed.type == "string" else _entries(text, listed)
    return [entry[0] for entry in each]


def added(text: Text, found: Definition, name: str) -> list[Cut]:
    """The call with one more name.

    Raises:
        Refusal: it lists that name already, or not as text.
    """
    listed = _list_of(text, found)
    given = names(text, found)
    if name in given:
        raise Refusal(f"it has `{name}` already")
    if listed.type == "string":
        end = listed.end_byte - len(text.of(listed.children[-1]))
        between = ", " if "," in text.of(listed) else " "
        return [Cut(end, end, f"{between}{name}" if given else name)]
    entries = [entry for _, entry, _ in _entries(text, listed)]
    written = _like(entries[-1] if entries else None, listed, name)
    if entries:
        return [Cut(entries[-1].end_byte, entries[-1].end_byte, f", {written}")]
    return [Cut(listed.start_byte + 1, listed.start_byte + 1, f"{written},")]


def _like(last: Node | None, listed: Node, name: str) -> str:
    """An entry of the shape of the last one."""
    if listed.type == "dictionary":
        return f'"{name}": object'
    return f'("{name}", object)' if last is not None and last.type == "tuple" else f'"{name}"'


def removed(text: Text, found: Definition, name: str) -> list[Cut]:
    """The call without a name.

    Raises:
        Refusal: it does not list it.
    """
    listed = _list_of(text, found)
    if listed.type == "string":
        cuts = [Cut(start, end, "") for word, start, end in _words(text, listed) if word == name]
    else:
        entries = [node for node in listed.named_children if node.type != "comment"]
        cuts = items_without(text, entries, [entry for word, entry, _ in _entries(text, listed) if word == name])
    return _some(cuts, name)


def renamed(text: Text, found: Definition, name: str, new: str) -> list[Cut]:
    """The call with another name instead of one.

    Raises:
        Refusal: it does not list it.
    """
    listed = _list_of(text, found)
    if listed.type == "string":
        return _some([Cut(start, end, new) for word, start, end in _words(text, listed) if word == name], name)
    strings = [string for word, _, string in _entries(text, listed) if word == name]
    spans = [(node, len(text.of(node.children[0])), len(text.of(node.children[-1]))) for node in strings]
    return _some([Cut(node.start_byte + left, node.end_byte - right, new) for node, left, right in spans], name)


def _some(cuts: list[Cut], name: str) -> list[Cut]:
    if not cuts:
        raise Refusal(f"it declares no `{name}`")
    return cuts
