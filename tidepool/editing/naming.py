"""Edits of a definition as a whole: it gets another name, or it is gone."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from typing import Final

from tidepool.editing.definitions import Definition, namesakes
from tidepool.editing.statements import above, child, decorators, items_without, statement, without
from tidepool.editing.text import Cut, Node, Refusal, Text

EXPORTS: Final = "__all__"
"""What a module lists the names in that it offers."""


def new_name(text: Text, old: str, wanted: str | None) -> str:
    """The name that was asked for, or one that nothing has.

    Raises:
        Refusal: it cannot be a name, or is the one it has.
    """
    if wanted is None:
        return text.fresh(f"{old}_renamed")
    if wanted == old:
        raise Refusal(f"it is called `{old}` already")
    return proper_name(wanted)


def proper_name(written: str) -> str:
    """What can be a name in Python.

    Raises:
        Refusal: it cannot.
    """
    if not written.isidentifier() or keyword.iskeyword(written):
        raise Refusal(f"`{written}` cannot be a name")
    return written


def renamed(text: Text, found: Definition, wanted: str | None) -> list[Cut]:
    """The definition under another name, with its overloads, its accessors and all that defines it again."""
    name = new_name(text, text.of(found.name), wanted)
    return [cut for place in namesakes(text, found) for cut in renamed_at(text, place, name)]


def renamed_at(text: Text, place: Definition, name: str) -> list[Cut]:
    """One definition under another name."""
    old = text.of(place.name)
    if place.node.type in ("import_from_statement", "import_statement"):
        return [Cut(place.name.end_byte, place.name.end_byte, f" as {name}")]
    accessors = [node for node in decorators(place.node) if node.type == "attribute"]
    objects = [node.child_by_field_name("object") for node in accessors]
    names = [node for node in objects if node is not None and text.of(node) == old]
    return [Cut(node.start_byte, node.end_byte, name) for node in [*names, place.name]]


def removed(text: Text, found: Definition) -> list[Cut]:
    """Nothing where the definition was, nor where its name is defined again in the same scope."""
    return removed_all(text, namesakes(text, found))


def removed_all(text: Text, places: Sequence[Definition]) -> list[Cut]:
    """Nothing where these definitions were; what is defined along with them stays."""
    wholes: dict[Node, None] = {}
    cuts: list[Cut] = []
    for place in places:
        if place.node.type == "aliased_import" or place.node.type.startswith("import"):
            cuts += _import_without(text, place, wholes)
        elif not place.is_alone or place.node.type not in _STATEMENTS:
            cuts.append(Cut(place.element.start_byte, place.element.end_byte, text.fresh("_removed")))
        elif _is_chained(place.node):
            right = child(place.node, "right") if place.node.child_by_field_name("right") else None
            outer = place.node.parent
            if right is not None and outer is not None:
                cuts += _link_removed(place.node, right)
        else:
            wholes[place.whole] = None
    return [*cuts, *without(text, wholes)]


_STATEMENTS: Final = frozenset(
    {"function_definition", "class_definition", "assignment", "augmented_assignment", "type_alias_statement"}
)


def _is_chained(node: Node) -> bool:
    """Whether an assignment is one of a chain such as `a = b = 1`."""
    right = node.child_by_field_name("right")
    outer = node.parent
    return node.type == "assignment" and (
        (right is not None and right.type == "assignment") or (outer is not None and outer.type == "assignment")
    )


def _link_removed(node: Node, right: Node) -> list[Cut]:
    return [Cut(node.start_byte, right.start_byte, "")]


def _import_without(text: Text, place: Definition, wholes: dict[Node, None]) -> list[Cut]:
    imported = next((node for node in [place.node, *above(place.node)] if node.type.startswith("import")), None)
    if imported is None:
        raise Refusal("the definition is no valid Python")
    names = imported.children_by_field_name("name")
    gone = [name for name in names if name.start_byte <= place.name.start_byte < name.end_byte]
    if len(gone) == len(names):
        wholes[statement(imported)] = None
        return []
    return items_without(text, names, gone)


def export_removed(text: Text, found: Definition, name: str) -> list[Cut]:
    """`__all__` without a name.

    Raises:
        Refusal: the name is not written there.
    """
    cuts = [
        cut
        for place in namesakes(text, found)
        if place.value is not None or place.node.type == "augmented_assignment"
        for cut in _entry_removed(text, child(place.node, "right"), name)
    ]
    if not cuts:
        raise Refusal(f"`{EXPORTS}` does not list `{name}`")
    return cuts


def _entry_removed(text: Text, value: Node, name: str) -> list[Cut]:
    lists = [value] if value.type in ("list", "tuple", "set") else value.named_children
    cuts = []
    for listed in lists:
        entries = [entry for entry in listed.named_children if entry.type != "comment"]
        gone = [entry for entry in entries if written_string(text, entry) == name]
        if gone:
            cuts += items_without(text, entries, gone)
    return cuts


def written_string(text: Text, node: Node) -> str | None:
    """What a plain string says; None for anything else."""
    if node.type != "string" or any(part.type == "interpolation" for part in node.named_children):
        return None
    return "".join(text.of(part) for part in node.named_children if part.type == "string_content")
