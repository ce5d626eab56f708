"""Consecutive lines of a file, read by its snippets: a program over `Lsp`."""

from __future__ import annotations

from tidepool.domain import LINES_AROUND
from tidepool.eff import Eff, each
from tidepool.effects.lsp import Place, Snippet, snippet


def lines_of(path: str, first: int, last: int) -> Eff[Snippet, list[tuple[int, str]]]:
    """The lines `first` to `last` of a file, both from 1, each with its number; fewer where the file ends before."""
    middles = [min(line, last) for line in range(first + LINES_AROUND, last + LINES_AROUND + 1, 2 * LINES_AROUND + 1)]
    texts = yield from each(snippet(Place(path, middle, 0)) for middle in middles or [last])
    numbered = {
        number: line
        for middle, text in zip(middles or [last], texts, strict=True)
        for number, line in enumerate(text.split("\n"), start=max(1, middle - LINES_AROUND))
    }
    return [(number, numbered[number]) for number in sorted(numbered) if first <= number <= last]
