"""What kind of site a mention is by what stands around it in an expression: behind it, then in front of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tidepool.reading.chains import is_chain
from tidepool.reading.mentions import Ask, Mention, SiteKind
from tidepool.reading.snippets import Within, indent, innermost
from tidepool.reading.types import aliased, typed

# What follows the name.

_BLOCKS: Final = frozenset(
    "if elif while for with except case match class def else try finally async assert lambda".split()
)
_AUGMENTED: Final = ("+=", "-=", "*=", "/=", "|=", "&=", "@=", "%=", "^=")


def _called(mention: Mention) -> SiteKind | None:
    if mention.code.startswith("super(", mention.first) and mention.dotted:
        return SiteKind.SUPER_CALL
    if mention.head == "@" and mention.before.strip() == "@":
        return SiteKind.DECORATOR
    return SiteKind.CONSTRUCTION if mention.is_class and not mention.is_variant else SiteKind.CALL


def _assigned(mention: Mention) -> SiteKind | None:
    """`name = …`: a keyword argument, a parameter with a default, an attribute or a variable."""
    if mention.after.startswith("=="):
        return None
    if mention.dotted:
        return SiteKind.WRITE
    if mention.within in (Within.CALL, Within.BASES) or mention.code[mention.end : mention.end + 1] == "=":
        return SiteKind.KEYWORD
    if mention.within is Within.STATEMENT and mention.starts_line:
        return _declared(mention)
    return None


def _keyed(mention: Mention) -> SiteKind | None:
    """`name: …`: a dictionary's key, a variable with a type, or the end of a statement's head."""
    if mention.after.startswith(":="):
        return SiteKind.WRITE
    entry = mention.within is Within.UNSEEN and mention.starts_line and (mention.dotted or mention.is_variant)
    if mention.within is Within.BRACES or entry:
        return SiteKind.TABLE if mention.is_variant or mention.name[:1].isupper() else None
    if mention.within not in (Within.STATEMENT, Within.UNSEEN) or mention.head in _BLOCKS or not mention.starts_line:
        return None
    if mention.dotted:
        return SiteKind.WRITE
    return _declared(mention)


def _declared(mention: Mention) -> SiteKind | None:
    """A variable, a field or a variant; a variable of the same name as what a class holds is another one."""
    depth = indent(mention.raw)
    if (mention.is_member or mention.is_variant) and depth:
        return SiteKind.DECLARATION
    return None if mention.lens.owner and not depth else SiteKind.DEFINITION


def _subscripted(mention: Mention) -> SiteKind | None:
    """`name[…]`."""
    if mention.is_variant or mention.is_attribute:
        return None
    if not mention.is_class or mention.lens.of_variants or mention.name.isupper():  # a constant's name
        return SiteKind.SUBSCRIPT
    return aliased(mention) or SiteKind.ANNOTATION


def _accessed(mention: Mention) -> SiteKind | None:
    """`name.other`."""
    if mention.is_variant or mention.is_attribute:
        return None
    if mention.after.startswith(".__members__"):
        return SiteKind.ITERATION
    return SiteKind.MEMBER


def _augmented(mention: Mention) -> SiteKind | None:
    return SiteKind.WRITE if mention.after.startswith(_AUGMENTED) else None


_FOLLOWED_BY: Final[Mapping[str, Ask]] = {
    "(": _called,
    "=": _assigned,
    ":": _keyed,
    "[": _subscripted,
    ".": _accessed,
    **dict.fromkeys("+-*/|&@%^", _augmented),
}


# What stands in front of the name.

_FOR_IN: Final = re.compile(r"\bfor\s[^:=]*\sin\s*$")
_COMPARES_BEFORE: Final = ("==", "!=", " is", " is not", " in", " not in", " <", " >", "<=", ">=")
_COMPARES_AFTER: Final = ("==", "!=", "is ", "in ", "not in ", "< ", "> ", "<=", ">=")
_ITERATORS: Final = frozenset(
    "list tuple set frozenset sorted len enumerate iter reversed zip product sampled_from choice choices Choice".split()
)


def _unpacked(mention: Mention) -> SiteKind | None:
    if mention.before.endswith("*") and mention.is_class and mention.within in _COLLECTIONS:
        return SiteKind.ITERATION
    return None


def _checked(mention: Mention) -> SiteKind | None:
    """The class in `isinstance(x, name)` and in `isinstance(x, (name, other))`; in `raises(name)` too."""
    text = mention.above + mention.before
    opener = mention.opener
    if mention.within is Within.GROUP:
        opener = innermost(text[:opener])
    if opener < 0 or not text[:opener].endswith(_CHECKS):
        return None
    if text[:opener].endswith(_CATCHES):
        return SiteKind.EXCEPT
    if "," not in text[opener:]:
        return None
    return SiteKind.CHAIN if is_chain(mention) else SiteKind.ISINSTANCE


_CATCHES: Final = ("raises", "suppress", "assertRaises", "assertRaisesRegex", "warns")
_CHECKS: Final = ("isinstance", "issubclass", *_CATCHES)


def _compared(mention: Mention) -> SiteKind | None:
    if mention.is_attribute:
        return None
    before = mention.before.rstrip()
    compares = before.endswith(_COMPARES_BEFORE) or mention.after.startswith(_COMPARES_AFTER) or _is_among(mention)
    if not compares:
        return None
    if before.endswith(" in") and _FOR_IN.search(before):
        return SiteKind.ITERATION
    return SiteKind.CHAIN if is_chain(mention) else SiteKind.COMPARISON


def _is_among(mention: Mention) -> bool:
    """Whether it is an element of the collection in `x in (name, …)`."""
    if mention.within not in (Within.GROUP, Within.LIST, Within.BRACES):
        return False
    return (mention.above + mention.before)[: mention.opener].rstrip().endswith(" in")


def _iterated(mention: Mention) -> SiteKind | None:
    if not mention.is_class or mention.is_variant:
        return None
    if mention.before.rstrip().endswith(" in") or mention.before.strip() == "in":
        return SiteKind.ITERATION if _FOR_IN.search(mention.before) else SiteKind.COMPARISON
    if mention.within is not Within.CALL:
        return None
    name = mention.owner.rpartition(".")[2]
    mapped = name in ("map", "filter") and not mention.before.rstrip().endswith("(")
    return SiteKind.ITERATION if name in _ITERATORS or mapped else None


def _tabled(mention: Mention) -> SiteKind | None:
    """A variant as the value of a table, or one that something is stored or registered for."""
    if mention.within is Within.INDEX and mention.after.startswith("]") and mention.is_variant:
        stored = mention.after[1:].lstrip()
        return SiteKind.TABLE if stored.startswith("=") and not stored.startswith("==") else None
    if mention.owner.endswith("register") and mention.lens.of_variants:
        return SiteKind.TABLE
    keyed = mention.before.rstrip().endswith(":") and mention.within in (Within.BRACES, Within.UNSEEN)
    return SiteKind.TABLE_VALUE if keyed and mention.is_variant else None


_COLLECTIONS: Final = (Within.LIST, Within.BRACES, Within.GROUP, Within.UNSEEN)


def _listed(mention: Mention) -> SiteKind | None:
    """A variant in a collection of several, written out."""
    names = mention.lens.names
    if not mention.is_variant or names is None or mention.within not in _COLLECTIONS:
        return None
    opens = mention.starts_line or mention.before.rstrip().endswith(("[", "(", "{", ","))
    if not opens or mention.after[:1] not in ("", ",", "]", ")", "}"):
        return None
    if len(names.findall(mention.code)) > 1:
        return SiteKind.ENUMERATION
    depth = indent(mention.raw)
    others = [line for index, line in enumerate(mention.lines) if index != mention.index and indent(line) == depth]
    listed = any(names.search(line) and line.partition("#")[0].rstrip().endswith(",") for line in others)
    return SiteKind.ENUMERATION if mention.starts_line and listed else None


def _read(mention: Mention) -> SiteKind | None:
    """An attribute; one that the server calls a function is handed on like any other value."""
    if not mention.is_attribute:
        return None
    return SiteKind.VALUE if mention.hover.startswith(("def ", "bound method ")) else SiteKind.ATTRIBUTE


_IN_FRONT: Final[tuple[Ask, ...]] = (_unpacked, _checked, _compared, _iterated, typed, _tabled, _listed, _read, aliased)


def in_expression(mention: Mention) -> SiteKind:
    """What the mention does in an expression: by what follows it, or else by what stands in front of it."""
    kind = _in_expression(mention)
    return SiteKind.TALLY if kind is SiteKind.ITERATION and _is_tallied(mention) else kind


def _in_expression(mention: Mention) -> SiteKind:
    follows = _FOLLOWED_BY.get(mention.after[:1])
    if follows and (kind := follows(mention)):
        return kind
    for ask in _IN_FRONT:
        if kind := ask(mention):
            return kind
    return SiteKind.VALUE


def _is_tallied(mention: Mention) -> bool:
    """Whether all variants, or what comes of each, are compared with something that is written there."""
    line = mention.raw.partition("#")[0]
    written = _TALLIED.search(line)
    if written is None:  # with the other side on a line of its own
        return (
            line.rstrip().endswith("==")
            or _TALLY_BELOW.search("\n".join(mention.lines[mention.index + 1 :])) is not None
        )
    return True


_WRITTEN: Final = r"""(?:\d+\b|["'(\[{]|[bfru]{1,2}["']|(?:set|frozenset|list|tuple|sorted|dict|len)\([\[({])"""
_TALLIED: Final = re.compile(rf"(?:==|!=|\bis)\s*{_WRITTEN}|\b(?:assert|if)\s+(?:\d+|[\[({{].*[\])}}])\s*[!=]=\s*")
_TALLY_BELOW: Final = re.compile(rf"\A\s*[\])}}]+\s*[!=]=\s*{_WRITTEN}")
