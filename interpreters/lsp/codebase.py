"""The files under a root, and nothing else: which paths are the codebase's, and what is written in them.

A path that leads out of the root, by `..` or by a link, is not the codebase's: a server may name it, but it is neither
answered nor read. So is one in other people's code (`.venv`, `node_modules`, …), and one with control characters in
it, which would break every line it is printed on.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

import attrs

from interpreters.lsp.project import is_passed_over, is_virtual
from tidepool.errors import BadAnswer

if TYPE_CHECKING:
    from tidepool.effects.lsp import Place

NAME: Final = "codebase"
LINES_AROUND: Final = 2
LINE_CHARACTERS: Final = (
    400  # of a longer line, a snippet shows as many; minified and generated files have lines of 1 MB
)
MAX_FILE_BYTES: Final = 32 * 2**20
CACHE_BYTES: Final = 64 * 2**20
_MAX_PATHS: Final = 200_000  # remembered before starting afresh; a codebase has fewer files than that

_SAFELY: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@attrs.frozen
class Text:
    """A file as it was read.

    Attributes:
        lines: ended by line feed, carriage return or both, as the protocol counts them.
        ended: whether the last of them is.
        broken: whether it is not UTF-8: what is not is read as U+FFFD.
        stamp: what tells whether the file has changed since.
        weight: what it counts against the cache, in bytes.
    """

    lines: list[str]
    ended: bool
    ascii: bool
    broken: bool
    stamp: tuple[int, int, int]
    weight: int


class Codebase:
    """The files under a root.

    Attributes:
        root: its real path.
        cached_bytes: what the texts weigh that are kept.
    """

    def __init__(self, root: Path, environment: Path | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        self.root = root
        self._prefix = os.path.join(root, "")  # noqa: PTH118 - with the separator at its end
        self._cache_bytes = cache_bytes
        self.cached_bytes = 0
        self._texts: OrderedDict[str, Text] = OrderedDict()
        self._paths: dict[str, str | None] = {}
        self._foreign: dict[str, bool] = {"": False}
        if environment is not None and (folder := self._within(os.path.realpath(environment))):
            self._foreign[folder] = True
        self._given = frozenset(self._foreign)

    def path(self, uri: str) -> str | None:
        """The path of a file that a server names, or None where it is not the codebase's."""
        try:
            return self._paths[uri]
        except KeyError:
            if len(self._paths) >= _MAX_PATHS:
                self._paths.clear()
            path = self._paths[uri] = self._owned(local(uri))
            return path

    def uri(self, path: str) -> str:
        """The address of a file.

        Raises:
            BadAnswer: it is not the codebase's, or does not exist.
        """
        return uri_of(self._existing(path))

    def text(self, path: str) -> Text:
        """What is written in a file.

        Raises:
            BadAnswer: it is not the codebase's, or cannot be read.
        """
        known = self._unchanged(
            self._prefix + path
        )  # most paths go by no link: what was read there needs no look at it
        if known is not None:
            return known
        full = self._existing(path)
        known = self._unchanged(full)
        if known is not None:
            return known
        try:
            read = _read(full)
        except OSError as error:
            raise _unreadable(path, error) from error
        self._remember(full, read)
        return read

    def source(self, path: str) -> str:
        """All that is written in a file, its lines ended by line feeds; a byte order mark is its first character.

        Servers count columns with the mark, and so do places.

        Raises:
            BadAnswer: as `text`.
        """
        text = self.text(path)
        return "\n".join([*text.lines, ""] if text.ended else text.lines)

    def snippet(self, place: Place) -> str:
        """The line of a place with the two before and the two after it, long ones cut around the place.

        Raises:
            BadAnswer: the file is not the codebase's, cannot be read, or has no such line.
        """
        lines = self.text(place.path).lines
        if not 1 <= place.line <= len(lines):
            raise BadAnswer(
                NAME, f"{place.path} has {len(lines)} lines, so none is number {place.line}: it has changed; ask again"
            )
        first = max(1, place.line - LINES_AROUND)
        last = min(len(lines), place.line + LINES_AROUND)
        shown = (_cut(lines[n - 1], place.column if n == place.line else 0) for n in range(first, last + 1))
        return "\n".join(shown).removeprefix("\ufeff")

    def forget_paths(self) -> None:
        """Know no longer which paths are the codebase's: files have come, gone or been moved."""
        self._paths.clear()
        self._foreign = {folder: foreign for folder, foreign in self._foreign.items() if folder in self._given}

    def _unchanged(self, full: str) -> Text | None:
        """What was read at a real path, if the same file still stands there as it was."""
        known = self._texts.get(full)
        if known is None:
            return None
        try:
            same = known.stamp == _stamp(os.lstat(full))
        except OSError:
            return None
        if not same:
            return None
        self._texts.move_to_end(full)
        return known

    def _existing(self, path: str) -> str:
        real = os.path.realpath(self._prefix + path) if "\0" not in path else ""
        if self._within(real) is None:
            raise BadAnswer(NAME, f"{path!r} leads out of the root: ask for files inside it")
        try:
            os.lstat(real)
        except OSError as error:
            raise _unreadable(path, error) from error
        return real

    def _owned(self, full: str | None) -> str | None:
        path = None if full is None else self._within(os.path.realpath(full))
        if path is None or not path.isprintable() or self._is_foreign(path.rpartition("/")[0]):
            return None
        return path

    def _within(self, real: str) -> str | None:
        return real[len(self._prefix) :].replace(os.sep, "/") if real.startswith(self._prefix) else None

    def _is_foreign(self, folder: str) -> bool:
        """Whether what stands in a folder is other people's code."""
        unknown: list[str] = []
        while (foreign := self._foreign.get(folder)) is None:
            unknown.append(folder)
            folder = folder.rpartition("/")[0]
        for below in reversed(unknown):  # in a loop: folders may be nested deeper than calls
            above, _, name = below.rpartition("/")
            foreign = foreign or is_passed_over(above.rpartition("/")[2], name) or is_virtual(self.root / below)
            self._foreign[below] = foreign
        return foreign

    def _remember(self, full: str, text: Text) -> None:
        """Keep a text; the least recently used ones make room for it. It is kept in any case: it is asked for again."""
        old = self._texts.pop(full, None)
        self.cached_bytes += text.weight - (old.weight if old is not None else 0)
        self._texts[full] = text
        while self.cached_bytes > self._cache_bytes and len(self._texts) > 1:
            _, dropped = self._texts.popitem(last=False)
            self.cached_bytes -= dropped.weight


def uri_of(full: str | Path) -> str:
    """The address of an absolute path."""
    if os.name == "nt":
        return Path(full).as_uri()
    return "file://" + quote_from_bytes(os.fsencode(full))


def local(uri: str) -> str | None:
    """The absolute path that an address stands for, if it stands for a file of this machine."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    try:
        path = os.fsdecode(unquote_to_bytes(parts.path))
    except UnicodeError:  # half of a pair of surrogates is no text, and in no name
        return None
    if os.name == "nt":
        path = path.lstrip("/").replace("/", os.sep)
    return path if path and "\0" not in path else None


def _read(full: str) -> Text:
    """A regular file; what else has a path (a pipe, a device) is refused before it can block."""
    with open(full, "rb", buffering=0, opener=lambda name, _: os.open(name, _SAFELY)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "it is no regular file")
        data = file.read(MAX_FILE_BYTES + 1) or b""
    if len(data) > MAX_FILE_BYTES:
        raise OSError(None, f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
    text = data.decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if ended := lines[-1] == "":
        lines.pop()
    broken = "\ufffd" in text and text.encode() != data
    return Text(lines, ended, data.isascii(), broken, _stamp(status), 2 * len(data) + 64 * len(lines))


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _cut(line: str, column: int) -> str:
    """A line of at most `LINE_CHARACTERS`, those around the column."""
    if len(line) <= LINE_CHARACTERS:
        return line
    start = max(0, min(column - LINE_CHARACTERS // 2, len(line) - LINE_CHARACTERS))
    end = start + LINE_CHARACTERS
    return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"


def _unreadable(path: str, error: OSError) -> BadAnswer:
    return BadAnswer(NAME, f"{path} cannot be read: {error.strerror}; if it was moved or deleted, ask again")
