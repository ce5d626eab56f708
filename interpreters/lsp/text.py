"""Where the text of a codebase writes a word: what nobody who goes by definitions leads to.

Files are read once for all the words that are asked for. Links are not followed, and other people's folders are passed
over, as everywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from interpreters.lsp.project import source_files
from tidepool.effects.lsp import Place, Writing, Written
from tidepool.reading.documents import DOCUMENTS, is_document, speaks_of_today
from tidepool.reading.snippets import last_word

PLACES_KEPT: Final = 2_000
"""Lines that are answered for a word: one on more of them is a word of the language, not one definition's."""

CODE_BYTES: Final = 4 * 2**20
"""What is read of a source file: a larger one is data."""

DOCUMENT_BYTES: Final = 2**18
"""What is read of a document, likewise."""

_DOTTED_STRING: Final = re.compile(r"""(["'])[\w.:]*\1""")
_BEFORE_CHARACTERS: Final = 200  # of a line, in front of a word, in which its string may start


def find_words(
    root: Path, suffixes: tuple[str, ...], words: Sequence[str], writings: Sequence[Writing]
) -> tuple[Written, ...]:
    """Where the files under a root write these words, in order.

    Args:
        suffixes: what the names of source files end in.
    """
    sought = [(word, word.encode()) for word in dict.fromkeys(words) if word]
    ends = suffixes if set(writings) - {Writing.DOCUMENT} else ()
    ends += DOCUMENTS if Writing.DOCUMENT in writings else ()
    found: list[Written] = []
    counts: Counter[str] = Counter()
    for file in source_files(root, ends) if ends else ():
        path = file.relative_to(root).as_posix()
        content = _content(file, path)
        here = [word for word, encoded in sought if encoded in content and counts[word] < PLACES_KEPT]
        if here and path.isprintable():
            text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
            for written in words_in(path, text, here, writings):
                if counts[written.word] < PLACES_KEPT:
                    counts[written.word] += 1
                    found.append(written)
    return tuple(sorted(found))


def words_in(path: str, text: str, words: Sequence[str], writings: Sequence[Writing]) -> list[Written]:
    """Where one file writes these words, in order; its lines are ended by line feeds."""
    return sorted(written for word in words for written in _written(path, text, word, writings))


def _content(file: Path, path: str) -> bytes:
    """What is written in a file, or nothing where it is data, or not about the codebase as it is."""
    most = DOCUMENT_BYTES if is_document(path) else CODE_BYTES
    if is_document(path) and not speaks_of_today(path):
        return b""
    try:
        return file.read_bytes() if file.stat().st_size <= most else b""
    except OSError:
        return b""


def _written(path: str, text: str, word: str, writings: Sequence[Writing]) -> Iterator[Written]:
    in_document = is_document(path)
    counted_to, line = 0, 1
    last: tuple[int, Writing] | None = None
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (_goes_on(text[at - 1 : at]) or _goes_on(text[end : end + 1])):
            writing = Writing.DOCUMENT if in_document else _writing(text, at, end)
            if writing is not None and writing in writings:
                line += text.count("\n", counted_to, at)
                counted_to = at
                if last != (line, writing):
                    last = (line, writing)
                    yield Written(Place(path, line, at - text.rfind("\n", 0, at) - 1), word, writing)
        at = text.find(word, end)


def _goes_on(mark: str) -> bool:
    return mark.isalnum() or mark == "_"


def _writing(text: str, start: int, end: int) -> Writing | None:
    """How code writes a word."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if before and before == after and before in _QUOTES:
        return Writing.STRING
    if before in _STARTS_PART and after in _ENDS_PART:
        first = start - len(last_word(text[max(0, start - _BEFORE_CHARACTERS) : start], also=".:"))
        if first and _DOTTED_STRING.match(text, first - 1):
            return Writing.STRING
    return Writing.ATTRIBUTE if text[max(0, start - 20) : start].rstrip().endswith(".") else None


_QUOTES: Final = frozenset("\"'")
_STARTS_PART: Final = _QUOTES | set(".:")
_ENDS_PART: Final = _STARTS_PART
