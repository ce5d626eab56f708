"""Edits of a class's fields, however the class says what it is made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from tidepool.editing import signature
from tidepool.editing.definitions import Definition, attributes, member
from tidepool.editing.naming import new_name, proper_name, removed_all, renamed_at
from tidepool.editing.outcome import SPECIFIERS
from tidepool.editing.statements import (
    before,
    behind,
    beside,
    child,
    decorators,
    is_string,
    last_name,
    statements,
)
from tidepool.editing.text import Cut, Node, Refusal, Text

_DECORATORS: Final = frozenset(
    {"dataclass", "define", "mutable", "frozen", "s", "attrs", "attributes", "dataclass_transform"}
)
_RECORDS: Final = {
    "NamedTuple": "tuple",
    "TypedDict": "dict",
    "BaseModel": "model",
    "BaseSettings": "model",
    "GenericModel": "model",
    "RootModel": "model",
    "SQLModel": "model",
    "Struct": "data",
    "Protocol": "protocol",
}
"""Bases whose subclasses have the fields that their bodies declare, and what they then are."""


@attrs.frozen
class Field:
    """A field that a class's body declares.

    Attributes:
        whole: the statement that declares it.
        is_keyword: whether it is given by keyword only.
        has_default: whether it may be left out, or cannot be given at all.
    """

    name: str
    whole: Node
    has_default: bool
    is_keyword: bool


def bases(owner: Node) -> list[Node]:
    """What a class derives from, as it is written; keywords left out."""
    held = owner.child_by_field_name("superclasses")
    return [node for node in held.named_children if node.type not in _NO_BASE] if held is not None else []


_NO_BASE: Final = frozenset({"keyword_argument", "comment", "dictionary_splat", "list_splat"})


def keyword_of(text: Text, call: Node, name: str) -> str | None:
    """What is passed to a call, or to a class statement, under a name."""
    held = call.child_by_field_name("superclasses" if call.type == "class_definition" else "arguments")
    for node in held.named_children if held is not None else ():
        if node.type == "keyword_argument" and text.of(child(node, "name")) == name:
            return text.of(child(node, "value"))
    return None


def ancestry(text: Text, owner: Node) -> list[Node]:
    """A class, then the classes of the same file that it derives from, each once."""
    found = [owner]
    for each in found:
        for base in bases(each):
            found += [above_it for above_it in classes(text, last_name(text, base)) if above_it not in found][:1]
    return found


def classes(text: Text, name: str) -> Iterator[Node]:
    """The classes of that name in the file."""
    for mention in text.mentions(name, text.root):
        parent = mention.parent
        if parent is not None and parent.type == "class_definition" and parent.child_by_field_name("name") == mention:
            yield parent


def record(text: Text, owner: Node) -> str | None:
    """What a class is that is made from the fields its body declares; None for any other."""
    for each in ancestry(text, owner):
        if any(last_name(text, node) in _DECORATORS for node in decorators(each)):
            return "data"
        kinds = [kind for base in bases(each) if (kind := _RECORDS.get(last_name(text, base)))]
        if kinds:
            return kinds[0]
    # What it derives from or is decorated with may be told elsewhere: then the fields that it declares tell it.
    unknown = bool(bases(owner) or decorators(owner) or keyword_of(text, owner, "metaclass"))
    return "data" if unknown and any(_declares(text, owner)) else None


def _declares(text: Text, owner: Node) -> Iterator[Node]:
    """The statements of a class's body that declare something without a value."""
    for whole in statements(child(owner, "body")):
        node = whole.named_children[0] if whole.type == "expression_statement" else whole
        written = node.child_by_field_name("type") if node.type == "assignment" else None
        if written is not None and not node.child_by_field_name("right") and last_name(text, written) != "ClassVar":
            yield whole


def fields(text: Text, owner: Node) -> list[Field]:
    """The fields that a class's body declares, in order."""
    found: list[Field] = []
    keyword_only = False
    decorated = set(_defaults(text, owner))
    for whole in statements(child(owner, "body")):
        node = whole.named_children[0] if whole.type == "expression_statement" else whole
        left = node.child_by_field_name("left") if node.type == "assignment" else None
        if left is None or left.type != "identifier":
            continue
        written, value = node.child_by_field_name("type"), node.child_by_field_name("right")
        specified = value is not None and value.type == "call" and last_name(text, value) in SPECIFIERS
        if written is not None and last_name(text, written) == "KW_ONLY":
            keyword_only = True
        elif (written is not None and last_name(text, written) != "ClassVar") or (written is None and specified):
            name = text.of(left)
            keyword = keyword_only or (value is not None and specified and keyword_of(text, value, "kw_only") == "True")
            given = name in decorated or (value is not None and (not specified or _defaulted(text, value)))
            found.append(Field(name, whole, given, keyword))
    return found


def _defaults(text: Text, owner: Node) -> Iterator[str]:
    """The fields whose defaults a method tells, as `@name.default`."""
    for whole in statements(child(owner, "body")):
        if whole.type == "decorated_definition":
            for node in decorators(child(whole, "definition")):
                if node.type == "attribute" and text.of(child(node, "attribute")) == "default":
                    yield text.of(child(node, "object"))


def _defaulted(text: Text, call: Node) -> bool:
    """Whether a call that specifies a field gives it a default, or keeps it from being given."""
    first = next(iter(child(call, "arguments").named_children), None)
    if first is not None and first.type not in ("keyword_argument", "ellipsis", "comment"):
        return last_name(text, call) not in ("mapped_column", "field")
    if keyword_of(text, call, "default") == "...":
        return False
    given = [keyword_of(text, call, name) for name in ("default", "default_factory", "factory", "insert_default")]
    return any(given) or keyword_of(text, call, "init") == "False"


def added(text: Text, owner: Node, name: str | None, *, optional: bool) -> list[Cut]:
    """The class with one more field, which whoever makes one has to give unless it is optional.

    Raises:
        Refusal: it has one of that name, or a class like it has no fields.
    """
    wanted = proper_name(name) if name else text.fresh(signature.ADDED)
    if member(text, owner, wanted):
        raise Refusal(f"it has `{wanted}` already")
    if any(is_enum_base(text, base) for each in ancestry(text, owner) for base in bases(each)):
        raise Refusal("an enumeration has variants, and no fields")
    makers = signature.makers(text, owner)
    kind = record(text, owner)
    if makers and kind != "protocol":
        return signature.added_to(text, makers, wanted, optional=optional)
    if kind is None:
        return _with_a_maker(text, owner, wanted, optional=optional)
    return _declared(text, owner, wanted, kind, optional=optional)


def is_enum_base(text: Text, base: Node) -> bool:
    """Whether what a class derives from makes it an enumeration."""
    return last_name(text, base).endswith(("Enum", "Flag"))


def _with_a_maker(text: Text, owner: Node, name: str, *, optional: bool) -> list[Cut]:
    given = f"{name}=None" if optional else name
    around = f"*args, {given}, **kwargs" if bases(owner) else given
    return behind(text, child(owner, "body"), [f"def __init__(self, {around}): ..."])


def _declared(text: Text, owner: Node, name: str, kind: str, *, optional: bool) -> list[Cut]:
    held = fields(text, owner)
    cuts: list[Cut] = []
    if kind == "dict":
        written, cuts = _key_type(text, owner, optional=optional)
        return [*cuts, _put(text, owner, held[-1:], f"{name}: {written}")]
    if optional:
        value = _specified(text, held, "None") or " = None"
        return [_put(text, owner, held[-1:], f'{name}: "object | None"{value}')]
    by_keyword = kind in ("model", "protocol") or _is_keyword_only(text, owner) or any(f.is_keyword for f in held)
    leading = held if by_keyword else [field for field in held if not field.has_default]
    written = "object"
    if not by_keyword and len(leading) < len(held):
        # A value meant for a field with a default must not be taken for it: its type is one that nothing has.
        fresh = text.fresh("_Added")
        written, cuts = f'"{fresh}"', [text.appended(f"class {fresh}: ...")]
    line = f"{name}: {written}{_specified(text, held)}"
    if not by_keyword and not leading and _may_have_defaults_above(text, owner):
        cuts += _by_keyword(text, owner)
    if leading or by_keyword or not held:
        return [*cuts, _put(text, owner, leading[-1:], line)]
    return [*cuts, before(text, held[0].whole, line)]


def _specified(text: Text, held: Sequence[Field], default: str | None = None) -> str:
    """What a field without a written type is assigned in this class, for one that is like it."""
    for field in held:
        node = field.whole.named_children[0]
        value = node.child_by_field_name("right")
        if node.child_by_field_name("type") is None and value is not None and value.type == "call":
            given = f"default={default}" if default else ""
            return f" = {text.of(child(value, 'function'))}({given})"
    return ""


def _put(text: Text, owner: Node, after: Sequence[Field], line: str) -> Cut:
    """A field behind another one, or first in a class's body, behind what documents it."""
    if after:
        return beside(after[0].whole, line)
    body = child(owner, "body")
    first = statements(body)[0]
    if is_string(first) or first.type == "pass_statement" or text.of(first) == "...":
        return beside(first, line)
    return before(text, first, line)


def _key_type(text: Text, owner: Node, *, optional: bool) -> tuple[str, list[Cut]]:
    """How a typed dictionary writes that a key has to be there, or not."""
    partial = keyword_of(text, owner, "total") == "False"
    if optional == partial:
        return "object", []
    word = "NotRequired" if optional else "Required"
    name = text.fresh(f"_{word}")
    return f'"{name}[object]"', [text.appended(f"from typing_extensions import {word} as {name}")]


def _is_keyword_only(text: Text, owner: Node) -> bool:
    calls = [node for node in decorators(owner) if node.type == "call"]
    return any(keyword_of(text, each, "kw_only") == "True" for each in [*calls, owner])


def _may_have_defaults_above(text: Text, owner: Node) -> bool:
    """Whether a class may inherit fields that have defaults, behind which a required one would not be legal."""
    above_it = ancestry(text, owner)[1:]
    known = len(above_it) >= len([base for base in bases(owner) if last_name(text, base) not in _FIELDLESS])
    return not known or any(field.has_default for each in above_it for field in fields(text, each))


_FIELDLESS: Final = frozenset({"object", "ABC", "Generic", "Exception", "Protocol", "NamedTuple", "Struct"})


def _by_keyword(text: Text, owner: Node) -> list[Cut]:
    """A class whose fields are given by keyword only."""
    for node in decorators(owner):
        if last_name(text, node) in _DECORATORS:
            if node.type != "call":
                return [Cut(node.end_byte, node.end_byte, "(kw_only=True)")]
            held = child(node, "arguments")
            rest = ", " if any(each.type != "comment" for each in held.named_children) else ""
            return [Cut(held.start_byte + 1, held.start_byte + 1, f"kw_only=True{rest}")]
    return []


def places(text: Text, owner: Node, name: str) -> list[Definition]:
    """Where a class says that it has a field: in its body, and wherever its methods assign it."""
    return [*member(text, owner, name), *attributes(text, owner, name)]


def removed(text: Text, owner: Node, name: str) -> list[Cut]:
    """The class without a field.

    Raises:
        Refusal: it has none of that name.
    """
    return removed_all(text, _some(text, owner, name))


def renamed(text: Text, owner: Node, name: str, wanted: str | None) -> list[Cut]:
    """The class with another name for a field, where it is declared and where it is assigned.

    Raises:
        Refusal: it has none of that name.
    """
    new = new_name(text, name, wanted)
    return [cut for place in _some(text, owner, name) for cut in renamed_at(text, place, new)]


def _some(text: Text, owner: Node, name: str) -> list[Definition]:
    found = places(text, owner, name)
    if not found:
        raise Refusal(f"it declares no `{name}`")
    return found
