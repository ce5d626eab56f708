"""A hypothetical edit: the change that a question asks about, as somebody would make it to the definition's text.

    hypothetical(change, symbol, source)     the edit, or a clause that says why there is none

The edit is the smallest that lets a type checker find what the change breaks, and no more: what else a person would
do, such as to adapt the callers, is what the checker is asked about. It touches the definition's file only, keeps
whatever is written beside it, and moves lines only where a line has to be added. An edit after which the file would
not parse is no edit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from tidepool.change import Change, ChangeKind
from tidepool.editing import (
    abstract,
    alias,
    asynchronous,
    fields,
    functional,
    naming,
    outcome,
    signature,
    types,
    variants,
)
from tidepool.editing.definitions import Definition, definition, owner
from tidepool.editing.text import Cut, Node, Refusal, Text, parsed_file
from tidepool.effects.lsp import Edit, Symbol, digest

__all__ = ["hypothetical"]


def hypothetical(change: Change, symbol: Symbol, source: str) -> Result[Edit, str]:
    """How a change would be made to the text of a definition.

    Args:
        change: what is done.
        symbol: the definition it is done to.
        source: all of the definition's file, its lines ended by line feeds.

    Returns:
        the edit; or a clause that says why there is none.
    """
    try:
        if change.kind not in _MAKERS:
            raise Refusal("a change of behaviour has no text of its own")
        if not symbol.place.path.endswith(_PYTHON):
            raise Refusal("only Python can be edited")
        text = parsed_file(source)
        cuts = _MAKERS[change.kind](change, text, definition(text, symbol))
        if not cuts:
            raise Refusal("the change would change nothing")
        if not text.parses_with(cuts):
            raise Refusal("the edited text would not be valid Python")
        return Success(Edit(symbol.place.path, text.splices(cuts), digest(source)))
    except Refusal as refusal:
        return Failure(str(refusal))
    except RecursionError:
        return Failure("the definition is nested too deeply to be edited")


_PYTHON: Final = (".py", ".pyi")


_Maker: TypeAlias = Callable[[Change, Text, Definition], list[Cut]]


def _rename(change: Change, text: Text, found: Definition) -> list[Cut]:
    if change.member is None or change.member == text.of(found.name):
        return _rename_field(attrs.evolve(change, member=None), text, found)
    makers = signature.functions(text, found)
    if found.is_class and not any(function.named(text, change.member) for function in makers):
        return fields.renamed(text, found.node, change.member, change.new_name)
    return signature.renamed(text, makers, change.member, change.new_name)


def _remove(change: Change, text: Text, found: Definition) -> list[Cut]:
    if text.of(found.name) == naming.EXPORTS and change.member:
        return naming.export_removed(text, found, change.member)
    return _remove_field(attrs.evolve(change, member=None), text, found)


def _add_parameter(change: Change, text: Text, found: Definition) -> list[Cut]:
    if found.is_class:
        return fields.added(text, found.node, change.member, optional=change.optional)
    return signature.added(text, found, change.member, optional=change.optional)


def _remove_parameter(change: Change, text: Text, found: Definition) -> list[Cut]:
    if change.member is None:
        raise Refusal("the question names no parameter")
    if text.of(found.name) == naming.EXPORTS:
        return naming.export_removed(text, found, change.member)
    makers = signature.functions(text, found)
    if found.is_class and not any(function.named(text, change.member) for function in makers):
        return fields.removed(text, found.node, change.member)
    return signature.removed(text, makers, change.member)


def _retype_parameter(change: Change, text: Text, found: Definition) -> list[Cut]:
    if change.optional:
        raise Refusal("a parameter that takes more than before breaks no call")
    if change.member is None:
        raise Refusal("the question names no parameter")
    new = types.changed(text, change.new_name)
    makers = signature.functions(text, found)
    if found.is_class and change.member and not any(each.named(text, change.member) for each in makers):
        return outcome.retyped(text, _field(text, found, change.member), new)
    return signature.retyped(text, makers, change.member, new)


def _field(text: Text, found: Definition, name: str) -> Definition:
    """A field of a class that was found."""
    held = fields.places(text, found.node, name)
    if not held:
        raise Refusal(f"it declares no `{name}`")
    return held[0]


def _part(change: Change, text: Text, found: Definition) -> Definition:
    """The definition itself, or the field of it that the question names."""
    return _field(text, found, change.member) if found.is_class and change.member else found


def _retype_result(change: Change, text: Text, found: Definition) -> list[Cut]:
    part = _part(change, text, found)
    if variants.is_member(text, part):
        raise Refusal("a variant has the type of its enumeration")
    return outcome.retyped(text, part, types.changed(text, change.new_name))


def _make_nullable(change: Change, text: Text, found: Definition) -> list[Cut]:
    part = _part(change, text, found)
    if variants.is_member(text, part):
        raise Refusal("a variant cannot be None")
    if variants.is_alias(text, part):
        return variants.added(text, part, "None")
    return outcome.made_nullable(text, part)


def _make_async(_change: Change, text: Text, found: Definition) -> list[Cut]:
    return asynchronous.made_async(text, found)


def _add_field(change: Change, text: Text, found: Definition) -> list[Cut]:
    if functional.is_record(text, found):
        return functional.added(text, found, change.member or text.fresh(signature.ADDED))
    if not found.is_class:
        raise Refusal("only a class has fields")
    return fields.added(text, found.node, change.member, optional=change.optional)


def _remove_field(change: Change, text: Text, found: Definition) -> list[Cut]:
    if functional.is_record(text, found) and change.member:
        return functional.removed(text, found, change.member)
    held, name = _holder(change, text, found)
    return naming.removed(text, found) if held is None else fields.removed(text, held, name)


def _rename_field(change: Change, text: Text, found: Definition) -> list[Cut]:
    if functional.is_record(text, found) and change.member:
        new = naming.new_name(text, change.member, change.new_name)
        return functional.renamed(text, found, change.member, new)
    held, name = _holder(change, text, found)
    if held is None:
        return naming.renamed(text, found, change.new_name)
    return fields.renamed(text, held, name, change.new_name)


def _holder(change: Change, text: Text, found: Definition) -> tuple[Node | None, str]:
    """The class that has a field, and the field's name; no class where the definition is no field."""
    if found.is_class and change.member and change.member != text.of(found.name):
        return found.node, change.member
    is_field = not (found.is_class or found.is_function)
    return owner(found) if is_field else None, text.of(found.name)


def _add_variant(change: Change, text: Text, found: Definition) -> list[Cut]:
    if functional.is_enumeration(text, found):
        return functional.added(text, found, change.member or variants.ADDED)
    return variants.added(text, found, change.member)


def _remove_variant(change: Change, text: Text, found: Definition) -> list[Cut]:
    if functional.is_enumeration(text, found) and change.member:
        return functional.removed(text, found, change.member)
    return variants.variant_removed(text, found, change.member)


def _add_abstract_method(change: Change, text: Text, found: Definition) -> list[Cut]:
    return abstract.demanded(text, found, change.member)


def _change_alias(change: Change, text: Text, found: Definition) -> list[Cut]:
    return alias.changed_alias(text, found, change.member, change.new_name)


_MAKERS: Final[Mapping[ChangeKind, _Maker]] = {
    ChangeKind.RENAME: _rename,
    ChangeKind.REMOVE: _remove,
    ChangeKind.MOVE: _remove,
    ChangeKind.ADD_PARAMETER: _add_parameter,
    ChangeKind.REMOVE_PARAMETER: _remove_parameter,
    ChangeKind.CHANGE_PARAMETER_TYPE: _retype_parameter,
    ChangeKind.CHANGE_RETURN_TYPE: _retype_result,
    ChangeKind.MAKE_NULLABLE: _make_nullable,
    ChangeKind.MAKE_ASYNC: _make_async,
    ChangeKind.ADD_FIELD: _add_field,
    ChangeKind.REMOVE_FIELD: _remove_field,
    ChangeKind.RENAME_FIELD: _rename_field,
    ChangeKind.ADD_VARIANT: _add_variant,
    ChangeKind.REMOVE_VARIANT: _remove_variant,
    ChangeKind.ADD_ABSTRACT_METHOD: _add_abstract_method,
    ChangeKind.CHANGE_ALIAS: _change_alias,
}
