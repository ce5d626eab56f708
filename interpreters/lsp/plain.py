"""What others wrote, made fit to be quoted in one sentence on a terminal."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.?)")


def plain(text: str | bytes, most: int = 300) -> str:
    """One line without control characters, its end kept where it is longer than `most` characters.

    The end of what a program said last is where it says why.
    """
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    visible = "".join(char if char.isprintable() else " " for char in _ESCAPES.sub("", decoded))
    line = " ".join(visible.split())
    return line if len(line) <= most else "…" + line[len(line) + 1 - most :]


def quote(text: str | bytes, most: int = 80) -> str:
    """The beginning of a text, made plain, in quotation marks."""
    line = plain(text, most=len(text) + 1)
    return f"`{line}`" if len(line) <= most else f"`{line[: most - 1]}…`"
