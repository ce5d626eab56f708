"""A text and what an edit makes of it: which place of the one a place of the other is."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from interpreters.lsp.columns import to_code_points
from tidepool.effects.lsp import Edit, Splice
from tidepool.errors import BadAnswer

_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class Spliced:
    """An edit of a text.

    Attributes:
        text: the edited one.

    Raises:
        BadAnswer: it is no edit of this text.
    """

    def __init__(self, edit: Edit, text: str) -> None:
        check(edit, text)
        self.text = edit.applied(text)
        self._splices = edit.splices
        self._unedited = _Lines(text)
        self._edited = _Lines(self.text)

    def unedited(self, line: int, column: int, encoding: str) -> tuple[int, int]:
        """Where in the unedited text a place of the edited one is; lines and columns count from 0.

        What stands in the edited stretch is at its start. A place past the end of a line, or of the text, stands for
        that end.

        Args:
            column: in the units of `encoding`; what is answered is in characters.
        """
        return self._unedited.place(self._before(self._edited.offset(line, column, encoding)))

    def settled(self, line: int, column: int, encoding: str) -> tuple[int, int]:
        """A place of the unedited text as `unedited` answers it: one that the edit takes away is at the start too."""
        offset = self._unedited.offset(line, column, encoding)
        around = (start for start, end, _ in self._splices if start <= offset < end)
        return self._unedited.place(next(around, offset))

    def _before(self, offset: int) -> int:
        """The offset in the unedited text of one in the edited text."""
        longer = 0  # by how much the splices so far have made the text longer
        for start, end, instead in self._splices:
            if offset < start + longer:
                break
            if offset < start + longer + len(instead):
                return start
            longer += len(instead) - (end - start)
        return offset - longer


class _Lines:
    """Where the lines of a text begin."""

    def __init__(self, text: str) -> None:
        self._text = text
        ends = [found.span() for found in _LINE_END.finditer(text)]
        self._starts = [0, *(after for _, after in ends)]
        self._ends = [*(before for before, _ in ends), len(text)]

    def offset(self, line: int, column: int, encoding: str) -> int:
        if line >= len(self._starts):
            return len(self._text)
        start, end = self._starts[line], self._ends[line]
        return start + to_code_points(self._text[start:end], min(column, 4 * (end - start)), encoding)

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset) - 1
        return line, offset - self._starts[line]


def check(edit: Edit, text: str) -> None:
    """Refuse an edit that is none of this text.

    Raises:
        BadAnswer: its splices are not in order, or go beyond the text, as they do when the file has changed since.
    """
    if not _in_order(edit.splices, len(text)):
        raise BadAnswer("codebase", f"{edit.path} is not the text that this edit is of: it has changed; ask again")
    if any("\ud800" <= char <= "\udfff" for splice in edit.splices for char in splice.text):
        raise BadAnswer("codebase", f"the edit of {edit.path} holds half a character: it cannot be sent")


def _in_order(splices: Sequence[Splice], length: int) -> bool:
    reached = 0
    for start, end, _ in splices:
        if not reached <= start <= end:
            return False
        reached = end
    return reached <= length
