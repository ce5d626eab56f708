"""Whether a line that says a name in words means a definition: it looks it up, gives its path, or shows its use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from tidepool.reading.snippets import last_word

DISTINCTIVE_CHARACTERS: Final = 12
"""How long a word is that is hardly a word of the language."""

_LOOKS_UP: Final = r"""(?:getattr|setattr|hasattr|delattr|attrgetter|methodcaller|getattr_static|import_string|setitem|
    patch|object|spy|stub|register|resolve|load_object|locate|__getattribute__|__setattr__)"""
_BY_NAME: Final = re.compile(rf"""(?<!\w){_LOOKS_UP}\(\s*(?:[\w.\[\]()]+\s*,\s*)?[bru]?["'][\w.:]*\Z""", re.VERBOSE)
_HUMP: Final = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}[a-z]")


def looks_up(line: str, name: str, around: Sequence[str] = ()) -> bool:
    """Whether a line looks up something by a string that ends in this name, or by a path that goes through it.

    Args:
        around: what may stand in front of it, in a dotted path.
    """
    for found in _word(name).finditer(line):
        if _BY_NAME.search(line, 0, found.start()) or _is_path(line, found.start(), around):
            return True
    return False


def names_code(line: str, name: str, around: Sequence[str]) -> bool:
    """Whether a line of a document means code by this word, by its spelling or by its marks."""
    for found in _word(name).finditer(line):
        if is_distinctive(name) or _is_path(line, found.start(), around):
            return True
        before, after = line[: found.start()], line[found.end() :]
        if before.endswith("`") or after.startswith(("`", "()")) or _DIRECTIVE.search(before):
            return True
    return False


_DIRECTIVE: Final = re.compile(r"(?:::\s*|`[\w.~!]+\.)\Z")


def is_path(text: str, name: str) -> bool:
    """Whether a text is a dotted path, or one with a colon in it, that ends in this name."""
    return text.endswith((f".{name}", f":{name}")) and _PATH.fullmatch(text) is not None


_PATH: Final = re.compile(r"[^\W\d]\w*(?:[.:][^\W\d]\w*)+")


def is_distinctive(name: str) -> bool:
    """Whether a name is hardly a word of the language: `find_user`, `LLMKind`, but not `close`."""
    inner = name.strip("_")
    return "_" in inner or _HUMP.search(inner) is not None or len(inner) >= DISTINCTIVE_CHARACTERS


def _is_path(line: str, start: int, around: Sequence[str]) -> bool:
    """Whether one of these names stands in front of a place, and a dot or a colon between them."""
    if not start or line[start - 1] not in ".:":
        return False
    return last_word(line[: start - 1]) in around


@lru_cache(maxsize=64)
def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
