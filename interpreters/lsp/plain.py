"""What others wrote, made fit to be quoted in one sentence on a terminal."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.?)")
_MOST_READ: Final = 20_000  # of what is quoted; a server may say megabytes


def plain(text: str | bytes, most: int = 300) -> str:
    """One line without control characters, its end kept where it is longer than `most` characters.

    The end of what a program said last is where it says why.
    """
    end = text[-max(most, _MOST_READ) :]
    decoded = end.decode("utf-8", "replace") if isinstance(end, bytes) else end
    visible = decoded if decoded.isprintable() else _visible(decoded)
    line = " ".join(visible.split())
    return line if len(line) <= most else "…" + line[len(line) + 1 - most :]


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in _ESCAPES.sub("", text))


def opening(text: str | bytes, most: int) -> str:
    """The beginning of a text, made plain; the end of one that is longer than `most` characters is left out."""
    beginning = text[:_MOST_READ]
    line = plain(beginning, most=len(beginning) + 1)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def quote(text: str | bytes, most: int = 80) -> str:
    """The beginning of a text, made plain, in quotation marks."""
    return f"`{opening(text, most)}`"
