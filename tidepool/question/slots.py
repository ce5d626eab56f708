"""Ordinary words that stand where only a name can stand: put into backticks, so that they are read as names.

`field`, `type`, `run` and `kind` are words of a question, and are what people call their fields and functions as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_NOUN: Final = r"(?:the\s+)?(?:(?:function|class|enum|method|variable|constant|alias|module|protocol|type)\s+)?"
_PART: Final = r"(?:field|attribute|parameter|argument|param|arg|variant|member|column|property)"
_WORD: Final = r"([^\W\d]\w*)"
_OF: Final = r"(?:of|from|in|on)"


def _phrase(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_PART_OF: Final = _phrase(rf"\b(?:remove|delete|drop|rename)\s+(?:the\s+)?{_PART}\s+{_WORD}(?=\s+{_OF}\b)")
_ADDED_TO: Final = _phrase(
    rf"\badd\s+(?:\w+\s+){{0,3}}{_PART}\s+(optional|required|mandatory|compulsory)(?=\s+(?:to|{_OF})\b)"
)
_ASYNC: Final = r"(?:an?\s+)?(?:async|asynchronous|coroutine|awaitable)\b"
_SLOTS: Final = (
    _phrase(rf"\b(?:if|when)\s+{_NOUN}{_WORD}\s+(?:is|was|were|becomes?|became|gets|got)\s+{_ASYNC}"),
    _phrase(rf"\b(?:mak|turn|convert|mark)(?:e|ing)?\s+{_NOUN}{_WORD}\s+(?:(?:as|be|into|to)\s+)?{_ASYNC}"),
    _phrase(rf"\b(?:if|when)\s+{_NOUN}{_WORD}\s+(?:returns?|returned|raises?|raised)\b"),
    _phrase(rf"\b(?:rename|remove|delete|drop|move)\s+{_NOUN}{_WORD}\s*(?:[?.!]|\bto\b|$)"),
    _phrase(rf"\b(?:to|{_OF})\s+{_NOUN}{_WORD}\s*[?.!]*\s*$"),
)
_NO_NAME: Final = frozenset(
    """a all an any anything code everything he her here him his i it its me more my nothing our she some
    something that the their them there these they this those us we what which you your""".split()
)


def with_parts_quoted(text: str) -> str:
    """The text with the part of `remove the field type from Node`, or `add a field optional to Node`, in backticks."""
    found = _PART_OF.search(text) or _ADDED_TO.search(text)
    return _quoted(text, found) if found and _may_name(found[1]) else text


def with_a_slot_quoted(text: str) -> Iterator[str]:
    """The text with a word that stands where a name stands in backticks, for every such place."""
    for slot in _SLOTS:
        if (found := slot.search(text)) and _may_name(found[1]):
            yield _quoted(text, found)


def _quoted(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start(1)]}`{found[1]}`{text[found.end(1) :]}"


def _may_name(word: str) -> bool:
    return word.casefold() not in _NO_NAME
