"""Edits of a type alias: it stands for something else."""

from __future__ import annotations

from tidepool.editing.definitions import Definition
from tidepool.editing.statements import child, last_name
from tidepool.editing.text import Cut, Refusal, Text
from tidepool.editing.types import changed
from tidepool.editing.variants import added, alias_value


def changed_alias(text: Text, found: Definition, member: str | None, wanted: str | None) -> list[Cut]:
    """The alias for another type: the one that was asked for, one that gains a member, or one that nothing has.

    In place of the alias stands a class then, of the same name: no other type is taken for it, nor it for another.

    Raises:
        Refusal: it is no alias.
    """
    if found.is_class or found.is_function:
        raise Refusal("it is no alias")
    if member is not None:
        return added(text, found, member)
    if not _is_new_type(text, found):
        alias_value(text, found)
    if wanted is not None:
        new = changed(text, wanted)
        value = child(found.node, "right")
        return [*new.extra, Cut(value.start_byte, value.end_byte, new.name.strip('"'))]
    left = child(found.node, "left")
    lines = text.lines(found.node.start_byte, found.node.end_byte)
    return [Cut(found.node.start_byte, found.node.end_byte, f"class {text.of(left)}: ..." + "\n" * lines)]


def _is_new_type(text: Text, found: Definition) -> bool:
    """Whether a call makes the type: one that is told apart by its name, or an alias."""
    value = found.value
    return value is not None and value.type == "call" and last_name(text, value) in ("NewType", "TypeAliasType")
