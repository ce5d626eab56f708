"""Types: annotations, the arguments of generic types, aliases, and other names for a name."""

from __future__ import annotations

import re
from typing import Final

from tidepool.reading.mentions import Mention, SiteKind
from tidepool.reading.snippets import Within

_ANNOTATED: Final = re.compile(r"(?:->|(?:^|[(,])\s*\*{0,2}(?:self\.|cls\.)?[^\W\d]\w*\s*:)[\w\s.,|\[\]\"*]*$")
_GENERIC: Final = frozenset("list dict set frozenset tuple type defaultdict deque".split())
_TYPE_CALLS: Final = frozenset("cast TypeVar NewType assert_type reveal_type ParamSpec".split())
_NO_COLON: Final = frozenset({"else", "try", "finally"})


def _is_annotated(before: str) -> bool:
    return (":" in before or "->" in before) and _ANNOTATED.search(before) is not None


def _is_generic(owner: str) -> bool:
    """Whether what stands in front of a square bracket is a type by its spelling."""
    name = owner.rpartition(".")[2]
    return name in _GENERIC or (name[:1].isupper() and not name.isupper())


def annotation(mention: Mention) -> SiteKind | None:
    """The type of a parameter, a variable or a result."""
    if mention.after.startswith("(") or mention.within is Within.BRACES or mention.head in _NO_COLON:
        return None
    return _type(mention) if _is_annotated(mention.before) else None


def _type(mention: Mention) -> SiteKind:
    return SiteKind.LITERAL if mention.is_variant and "Literal" in mention.owner else SiteKind.ANNOTATION


def typed(mention: Mention) -> SiteKind | None:
    """A type that stands in an expression: the argument of a generic type, of `cast` or of `TypeVar`."""
    if _is_type_argument(mention) and (mention.is_class or mention.is_variant):
        return aliased(mention) or _type(mention)
    if mention.within is Within.CALL and mention.owner.rpartition(".")[2] in _TYPE_CALLS:
        return SiteKind.ANNOTATION
    return None


def _is_type_argument(mention: Mention) -> bool:
    """Whether it stands in the brackets of a generic type, or in those of the parameters of `Callable`."""
    if mention.within is Within.INDEX:
        return _is_generic(mention.owner)
    return mention.within is Within.LIST and (mention.above + mention.before)[: mention.opener].endswith("Callable[")


_WHOLE: Final = r"(?:[\w\s.,|\"]|\b(?:Optional|Union|Annotated)\[|\w\[[\w\s.,|\"]*\])*$"
_ALIAS: Final = re.compile(rf"(?:^|\n)_?[A-Z]\w*\s*(?::\s*[\w.]*TypeAlias\s*)?=\s*{_WHOLE}")
_TYPE_STATEMENT: Final = re.compile(rf"type\s[^=]*=\s*{_WHOLE}")
_ASSIGNED: Final = re.compile(r"(\w+)\s*(?::[^=]*)?=\s*")


def aliased(mention: Mention) -> SiteKind | None:
    """`Other = Name`, `Other = Name | None`, `other = name` at the top level of a file.

    A type that only holds the name, `list[Name]` or `Callable[[Name], None]`, is no other name for it.
    """
    if mention.starts_line and not mention.is_continued:
        return None
    if other_name_column(mention) >= 0 and not mention.is_variant:
        return SiteKind.ALIAS
    text = mention.above + mention.before if mention.is_continued else mention.before
    if mention.after.startswith("(") or mention.is_variant or not mention.is_class or not _ALIAS.search(text):
        return None
    if text.rstrip().endswith("=") and mention.after[:1] not in ("", "|", "["):
        return None
    return None if mention.within in (Within.CALL, Within.GROUP) else SiteKind.ALIAS


def in_type_statement(mention: Mention) -> SiteKind | None:
    """`type Other = Name`, and the types that only hold the name."""
    if not mention.before.startswith("type ") or "=" not in mention.before:
        return None
    return SiteKind.ALIAS if _TYPE_STATEMENT.fullmatch(mention.before) else SiteKind.ANNOTATION


def other_name_column(mention: Mention) -> int:
    """Where the line gives the name another one that can be followed, in characters from 0, or -1.

    It does where it imports it `as` another, or is an assignment at the top level of a file of nothing but the name.
    """
    other = other_name(mention)
    if other:
        return mention.code.index(other, mention.end + len("as "))
    if mention.after or mention.is_continued:
        return -1
    assigned = _ASSIGNED.fullmatch(mention.before)
    return 0 if assigned is not None else -1


def other_name(mention: Mention) -> str:
    """`y` of `name as y`."""
    found = _AS.match(mention.after)
    return found[1] if found is not None else ""


_AS: Final = re.compile(r"as\s+(\w+)")


def is_type_place(mention: Mention, before: str) -> bool:
    """Whether a string in this place is a type that is only named, not evaluated."""
    if mention.hover.split("\n", 1)[0] == mention.name or _is_annotated(before):  # the server calls it a type
        return True
    if before.rstrip().endswith(("cast(", "bound=")):
        return True
    return mention.within is Within.INDEX and _is_generic(mention.owner)
