"""Columns: the protocol counts bytes or 16-bit units or code points, tidepool counts code points.

A file that is not UTF-8 is counted as it reads with each broken sequence replaced by U+FFFD, which is how servers
read it that read it at all. A column past the end of a line stands for its end, as the protocol says.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from interpreters.lsp.codebase import Codebase, Text
from tidepool.errors import BadAnswer

if TYPE_CHECKING:
    from tidepool.effects.lsp import Place


@attrs.frozen
class Unit:
    """What columns are counted in.

    Attributes:
        codec: in which text is a sequence of these units.
        size_bytes: of one unit.
    """

    codec: str
    size_bytes: int


CODE_POINTS: Final = "utf-32"
UNITS: Final[Mapping[str, Unit]] = MappingProxyType(
    {"utf-8": Unit("utf-8", 1), "utf-16": Unit("utf-16-le", 2), CODE_POINTS: Unit("utf-32-le", 4)}
)
"""By the protocol's name of the encoding."""


def to_code_points(line: str, column: int, encoding: str) -> int:
    """The code points before a column that is counted in the units of `encoding`.

    A column inside a character stands for the character's beginning.
    """
    if line.isascii():
        return min(column, len(line))
    unit = UNITS[encoding]
    return len(line.encode(unit.codec)[: column * unit.size_bytes].decode(unit.codec, "ignore"))


def from_code_points(line: str, column: int, encoding: str) -> int:
    """The units of `encoding` before a column that is counted in code points."""
    if line.isascii():
        return min(column, len(line))
    unit = UNITS[encoding]
    return len(line[:column].encode(unit.codec)) // unit.size_bytes


class Columns:
    """Translates the columns of one request or answer; files are read only where their columns differ."""

    def __init__(self, codebase: Codebase, encoding: str) -> None:
        self._codebase = codebase
        self._encoding = encoding
        self._texts: dict[str, Text | None] = {}

    def heard(self, path: str, line: int, column: int) -> int:
        """A server's column, in code points; `line` counts from 1.

        Where the line cannot be read any more the column stays as it is: whoever reads the place will be told.
        """
        text = self._line(path, line) if column else None
        return column if text is None else to_code_points(text, column, self._encoding)

    def said(self, place: Place) -> int:
        """A place's column, as the server counts it."""
        text = self._line(place.path, place.line) if place.column else None
        return place.column if text is None else from_code_points(text, place.column, self._encoding)

    def _line(self, path: str, line: int) -> str | None:
        """A line that has to be read for its columns to be counted, None where it need not be or cannot."""
        if self._encoding == CODE_POINTS:
            return None
        if path not in self._texts:
            self._texts[path] = self._read(path)
        text = self._texts[path]
        return None if text is None or text.ascii or line > len(text.lines) else text.lines[line - 1]

    def _read(self, path: str) -> Text | None:
        try:
            return self._codebase.text(path)
        except BadAnswer:
            return None
