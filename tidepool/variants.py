"""The variants and the fields of a definition as text may speak of them: their names and their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import attrs

from tidepool.eff import Eff
from tidepool.effects.lsp import Place, Symbol, SymbolKind
from tidepool.lines import lines_of
from tidepool.trails import Following, find_siblings

BODY_LINES_READ: Final = 120
"""Lines of a definition in which the values of its variants are looked for."""

SHORTEST_WORD: Final = 2
"""Characters that a word must have: a letter alone is in every text."""


@attrs.frozen
class Variant:
    """A variant, or a field, by its name and by the text that stands for it."""

    name: str
    values: tuple[str, ...] = ()


def variants(symbol: Symbol, outline: Sequence[Symbol]) -> Eff[Following, list[Variant]]:
    """The variants of a definition, with the values that its source gives them.

    Args:
        outline: the definitions of its file.
    """
    last = min(symbol.last_line, symbol.place.line + BODY_LINES_READ)
    lines = dict((yield from lines_of(symbol.place.path, symbol.place.line, last)))
    siblings = yield from find_siblings(symbol, outline)
    head = lines.get(symbol.place.line, "")
    inside = [_variant(place, lines[place.line], head) for place in siblings if _is_in(symbol, place, lines)]
    elsewhere = {place for place in siblings if not _is_in(symbol, place, lines)}
    named = [variant for variant in inside if len(variant.name) >= SHORTEST_WORD] if not elsewhere else []
    return named or [Variant(value, (value,)) for value in _literal_values("\n".join(lines.values()))]


def fields(symbol: Symbol, outline: Sequence[Symbol]) -> Eff[Following, list[Variant]]:
    """The fields of a class, or of the class that holds the field it is asked about."""
    yield from ()
    owner = symbol.qualified_name if symbol.kind is SymbolKind.CLASS else symbol.container
    return [
        Variant(other.name)
        for other in outline
        if other.container == owner and other.kind in _FIELDS and len(other.name) >= SHORTEST_WORD
    ]


_FIELDS: Final = (SymbolKind.FIELD, SymbolKind.VARIABLE, SymbolKind.PROPERTY)


def _is_in(symbol: Symbol, place: Place, lines: dict[int, str]) -> bool:
    return place.path == symbol.place.path and place.line in lines


def _variant(place: Place, line: str, head: str) -> Variant:
    """A variant by the line that declares it, and by the first line of its definition."""
    name = _NAME_AT.match(line, place.column)
    declared = _DECLARED.match(line, name.end()) if name else None
    if name is None or declared is None:
        return Variant(name[0] if name else "")
    if _AUTO.match(declared[1]):
        return Variant(name[0], (name[0].lower(),) if "StrEnum" in head else ())
    texts = (text for _, text in _TEXT.findall(declared[1])[:1])
    return Variant(name[0], tuple(text for text in texts if len(text) >= SHORTEST_WORD))


_NAME_AT: Final = re.compile(r"[^\W\d]\w*")
_DECLARED: Final = re.compile(r"\s*(?::[^=]*)?=\s*(.*)")
_AUTO: Final = re.compile(r"(?:enum\.)?auto\(")
_TEXT: Final = re.compile(r"""(["'])([^"'\\\n]+)\1""")
_LITERAL: Final = re.compile(r"\bLiteral\[([^\]]*)\]")


def _literal_values(source: str) -> list[str]:
    """The strings that an alias of a literal type lists."""
    return [text for listed in _LITERAL.findall(source) for _, text in _TEXT.findall(listed)]
