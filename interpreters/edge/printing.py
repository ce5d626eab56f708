"""Text of anyone's as it can be printed: what would move a cursor or turn the direction of writing is made visible."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def bar(risk: int) -> str:
    """A risk from 1 to 5 as a bar and a number."""
    return "█" * risk + "·" * (5 - risk) + f" {risk}"


def printable(text: str) -> str:
    """The text with every character that is not for reading, such as an escape sequence's first, as U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in _UNPRINTABLE else char for char in text)
