"""What kind of site a mention is: by the statement its line starts, by the bracket it stands in, or as text.

`kind_of` asks in this order, and each step is a table: the first word of the line, the bracket, and what stands around
the mention in an expression.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from tidepool.reading.documents import PROSE, is_document
from tidepool.reading.expressions import in_expression
from tidepool.reading.lookups import is_path, looks_up
from tidepool.reading.mentions import Ask, Mention, SiteKind
from tidepool.reading.snippets import Within, indent
from tidepool.reading.types import annotation, in_type_statement, is_type_place, other_name


def kind_of(mention: Mention) -> SiteKind:
    """What the mention does in its line."""
    if is_document(mention.path):
        return SiteKind.DOCUMENT if mention.path.endswith(PROSE) else SiteKind.SETTING
    if mention.code[mention.start] == '"':
        return _quoted(mention)
    if mention.code[mention.start] == "#":
        return SiteKind.COMMENT
    if not mention.is_continued and (statement := _STATEMENTS.get(mention.head)) and (kind := statement(mention)):
        return kind
    if (bracket := _WITHIN.get(mention.within)) and (kind := bracket(mention)):
        return kind
    return annotation(mention) or in_expression(mention)


# Text: strings and comments.

_TYPE_TEXT: Final = re.compile(r"[\w\s.,|\[\]]+")
_QUOTED_NAME: Final = re.compile(r"""\s*["'][\w.]+["'],?\s*""")


def _quoted(mention: Mention) -> SiteKind:
    code, raw = mention.code, mention.raw
    left, right = mention.start, mention.end
    while left and code[left - 1] == '"':
        left -= 1
    while right < len(code) and code[right] == '"':
        right += 1
    inside = raw[left:right]
    content = inside.strip("\"'")
    before = code[:left]
    if content == mention.name and _is_exported(mention):
        return SiteKind.EXPORT
    if len(inside) > len(content) and _TYPE_TEXT.fullmatch(content) and is_type_place(mention, before):
        return SiteKind.ANNOTATION
    if _is_docstring(mention, before, inside):
        return SiteKind.DOCSTRING
    is_lookup = is_path(content, mention.name) or looks_up(raw, mention.name)
    return SiteKind.LOOKUP if is_lookup else SiteKind.STRING


def _is_exported(mention: Mention) -> bool:
    """Whether the line is part of `__all__`, or of a list of nothing but quoted names, as `__all__` is."""
    if "__all__" in mention.above or "__all__" in mention.code:
        return True
    around = [line for line in mention.lines if line.strip(" )],\t") and not line.endswith(("[", "("))]
    return len(around) > 2 and mention.opener < 0 and all(map(_QUOTED_NAME.fullmatch, around))


def _is_docstring(mention: Mention, before: str, inside: str) -> bool:
    """Whether a string that fills its line stands there for itself, or goes on from the line above."""
    if before.strip(" \trRbBuU"):
        return False
    if inside.startswith(('"""', "'''")):
        return mention.opener < 0
    return not inside.startswith(('"', "'"))


# Statements, by their first word.


def _defined(mention: Mention) -> SiteKind | None:
    """`def name`: the definition, or another class's method of that name."""
    if not mention.before.rstrip().endswith("def"):
        return _in_signature(mention)
    depth = indent(mention.raw)
    if not depth:
        return SiteKind.DEFINITION
    for line in reversed(mention.lines[: mention.index]):
        if line.lstrip().startswith("@override") or line.lstrip().startswith("@typing.override"):
            return SiteKind.OVERRIDE
        if line.lstrip().startswith("class ") and indent(line) < depth:
            return _method_of(mention, line)
    if mention.is_member:
        return SiteKind.OVERRIDE
    is_method = bool(mention.lens.owner) or mention.after.startswith(("(self", "(cls"))
    return SiteKind.METHOD if is_method else SiteKind.DEFINITION


def _method_of(mention: Mention, header: str) -> SiteKind:
    found = re.match(r"\s*class\s+(\w+)", header)
    holder = found[1] if found else ""
    if mention.is_member:
        return SiteKind.OVERRIDE
    if mention.lens.owner:
        return SiteKind.DEFINITION if holder == mention.lens.owner else SiteKind.OVERRIDE
    return SiteKind.METHOD


def _class_statement(mention: Mention) -> SiteKind | None:
    return SiteKind.DEFINITION if mention.before.strip() == "class" else None


def _import_statement(mention: Mention) -> SiteKind:
    """`from module import name`, `import module.name`."""
    other = other_name(mention)
    if other and other != mention.name:
        return SiteKind.IMPORT_AS
    named = mention.head == "import" or "import" in mention.before or mention.is_continued
    if named and (other or mention.path.endswith("__init__.py")):
        return SiteKind.REEXPORT
    return SiteKind.IMPORT


def _case_statement(mention: Mention) -> SiteKind | None:
    if " if " in mention.before or ":" in mention.before:
        return None
    if mention.after.startswith("=") and not mention.dotted:
        return SiteKind.KEYWORD
    return SiteKind.CASE if mention.is_variant or mention.dotted or mention.name[:1].isupper() else None


def _raise_statement(mention: Mention) -> SiteKind | None:
    if mention.after.startswith("("):
        return None
    return SiteKind.RAISE if mention.before.split() in (["raise"], ["raise", "from"]) else None


def _decorated(mention: Mention) -> SiteKind | None:
    return SiteKind.DECORATOR if mention.before.strip() == "@" and not mention.is_variant else None


def _type_statement(mention: Mention) -> SiteKind | None:
    if mention.before.strip() == "type":
        return SiteKind.DEFINITION
    return in_type_statement(mention)


def _generic_definition(mention: Mention) -> SiteKind | None:
    """The same in languages that are not Python: `data Kind`, `enum Kind`, `func price`."""
    return SiteKind.DEFINITION if mention.before.split() == [mention.head] else None


def _always(kind: SiteKind, _mention: Mention) -> SiteKind:
    return kind


_STATEMENTS: Final[Mapping[str, Ask]] = {
    "def": _defined,
    "async": lambda mention: _defined(mention) if mention.code.lstrip().startswith("async def") else None,
    "class": _class_statement,
    "from": _import_statement,
    "import": _import_statement,
    "case": _case_statement,
    "raise": _raise_statement,
    "except": partial(_always, SiteKind.EXCEPT),
    "del": partial(_always, SiteKind.DELETE),
    "@": _decorated,
    "type": _type_statement,
    "data": _generic_definition,
    "newtype": _generic_definition,
    "enum": _generic_definition,
    "interface": _generic_definition,
    "struct": _generic_definition,
    "trait": _generic_definition,
    "fn": _generic_definition,
    "func": _generic_definition,
    "function": _generic_definition,
}


# Brackets, by what they hold.


def _in_signature(mention: Mention) -> SiteKind | None:
    """A parameter's name; its type and its default are looked at like any other."""
    named = mention.after[:1] in ("", ":", "=", ",", ")") and not mention.dotted and mention.is_member
    return SiteKind.DECLARATION if named and _STARTS_PARAMETER.search(mention.before) else None


_STARTS_PARAMETER: Final = re.compile(r"(?:^|[(,])\s*\*{0,2}$")


def _in_bases(mention: Mention) -> SiteKind | None:
    return None if mention.after.startswith("(") else SiteKind.SUBCLASS


def _alone(mention: Mention) -> SiteKind | None:
    """A name that has its line to itself, in a bracket that is not seen: mostly the names of an import."""
    if not mention.starts_line:
        return None
    other = other_name(mention)
    if not other and mention.after not in ("", ",") and not mention.after.startswith(("#", ",#", ", #", ",  #")):
        return None
    if mention.dotted or mention.is_variant:
        return None
    if mention.is_member and mention.lens.of_class:
        return None
    return _import_statement(mention) if other or _looks_imported(mention) else None


IMPORTS_END_LINE: Final = 500
"""Where imports are over at the latest, in lines: what lists names further down is a collection."""


def _looks_imported(mention: Mention) -> bool:
    if len(mention.number) > 3 or int(mention.number) > IMPORTS_END_LINE:
        return False
    if not 0 < indent(mention.raw) <= 8:
        return False
    return all(map(_BARE_NAME.fullmatch, mention.lines[max(0, mention.index - 1) : mention.index + 2]))


_BARE_NAME: Final = re.compile(r"\s*(?:\w+(?:\s+as\s+\w+)?,?\s*(?:#.*)?|\)|from [\w.]+ import \(.*)?")


def _in_group(mention: Mention) -> SiteKind | None:
    """`except (` with its classes on lines of their own."""
    line = mention.above[mention.above.rfind("\n", 0, mention.opener) + 1 : mention.opener]
    return SiteKind.EXCEPT if line.strip() == "except" else None


_WITHIN: Final[Mapping[Within, Ask]] = {
    Within.IMPORT: _import_statement,
    Within.BASES: _in_bases,
    Within.SIGNATURE: _in_signature,
    Within.UNSEEN: _alone,
    Within.GROUP: _in_group,
}
