"""Edits of what a class demands of those that derive from it: its abstract methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tidepool.editing.definitions import Definition, member, owner
from tidepool.editing.fields import ancestry, bases, classes, is_enum_base, keyword_of
from tidepool.editing.naming import proper_name
from tidepool.editing.signature import ADDED
from tidepool.editing.statements import (
    before,
    behind,
    beside,
    child,
    decorators,
    is_simple,
    is_string,
    last_name,
    scope,
    statements,
)
from tidepool.editing.text import Cut, Node, Refusal, Text

_PLAIN: Final = frozenset({"object", "Generic", "Exception", "BaseException"})
"""What has no metaclass of its own."""


def demanded(text: Text, found: Definition, name: str | None) -> list[Cut]:
    """The class with one more abstract method, or with one made abstract that it has.

    Raises:
        Refusal: nothing can derive from it.
    """
    held = found.node if found.is_class else owner(found)
    if held is None or not (found.is_class or (found.is_function and scope(found.node) == held)):
        raise Refusal("only a class has abstract methods")
    if any(is_enum_base(text, base) for base in bases(held)):
        raise Refusal("an enumeration has no abstract methods")
    wanted = name if found.is_class else text.of(found.name)
    wanted = proper_name(wanted) if wanted else text.fresh(ADDED)
    there = [place for place in member(text, held, wanted) if place.is_function]
    if not there and member(text, held, wanted):
        raise Refusal(f"it has `{wanted}` already, which is no method")
    if _is_protocol(text, held):
        return _required(text, held, wanted, there)
    decorator, imported = _spelling(text)
    cuts = [*imported, *_made_abstract(text, held, decorator)]
    if not there:
        lines = [f"@{decorator}abstractmethod", f"def {wanted}(self): ..."]
        return [*cuts, *behind(text, child(held, "body"), lines)]
    return [*cuts, *_decorated(text, there, decorator)]


def _is_protocol(text: Text, held: Node) -> bool:
    return any(last_name(text, base) == "Protocol" for base in bases(held))


def _required(text: Text, held: Node, name: str, there: list[Definition]) -> list[Cut]:
    if there:
        raise Refusal(f"it demands `{name}` already")
    return behind(text, child(held, "body"), [f"def {name}(self): ..."])


def _decorated(text: Text, there: list[Definition], decorator: str) -> list[Cut]:
    for place in there:
        if any(last_name(text, node) == "abstractmethod" for node in decorators(place.node)):
            raise Refusal("it is abstract already")
    return [before(text, place.node, f"@{decorator}abstractmethod", simple=False) for place in there]


def _spelling(text: Text) -> tuple[str, list[Cut]]:
    """What stands before `ABC` and `abstractmethod` in this file, and what it takes that they are known."""
    for whole in _at_the_top(text):
        if whole.type == "import_statement":
            for name in whole.children_by_field_name("name"):
                if text.of(name) == "abc":
                    return "abc.", []
                if name.type == "aliased_import" and text.of(child(name, "name")) == "abc":
                    return f"{text.of(child(name, 'alias'))}.", []
    alias = text.fresh("_abc")
    return f"{alias}.", [_imported(text, f"import abc as {alias}")]


def _at_the_top(text: Text) -> Iterator[Node]:
    return iter(statements(text.root))


def _imported(text: Text, line: str) -> Cut:
    """An import behind the first ones of a file, on a line that is there already."""
    last = None
    for whole in _at_the_top(text):
        if not (is_string(whole) and last is None) and whole.type != "future_import_statement":
            break
        last = whole
    if last is not None:
        return beside(last, line)
    first = statements(text.root)[0]
    return before(text, first, line, simple=is_simple(first))


def _made_abstract(text: Text, held: Node, decorator: str) -> list[Cut]:
    """The class with the metaclass that keeps abstract classes from being made, where it has none.

    Where it derives from what is told elsewhere, it may have one; a second one would not get on with it.
    """
    for each in ancestry(text, held):
        names = [last_name(text, base) for base in bases(each)]
        if keyword_of(text, each, "metaclass") or any(not _is_plain(text, name) for name in names):
            return []
    name, listed = child(held, "name"), held.child_by_field_name("superclasses")
    if listed is None:
        after = held.child_by_field_name("type_parameters") or name
        return [Cut(after.end_byte, after.end_byte, f"({decorator}ABC)")]
    given = [node for node in listed.named_children if node.type != "comment"]
    if not given:
        return [Cut(listed.start_byte + 1, listed.start_byte + 1, f"{decorator}ABC")]
    return [Cut(given[-1].end_byte, given[-1].end_byte, f", metaclass={decorator}ABCMeta")]


def _is_plain(text: Text, base: str) -> bool:
    """Whether what a class derives from is known to have no metaclass of its own, or is told in the file."""
    return base in _PLAIN or any(classes(text, base))
