"""What a build has done so far, on disk: a line for each question, so that a build that was killed goes on behind it.

A line is written whole or is cut off by whoever opens the journal next, and is on the disk before the next question.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from tidepool.errors import ConfigError, InvalidData
from tidepool.training.answered import Answered
from tidepool.wire import dumps, loads

BLOCK_BYTES: Final = 1 << 16


class Event(StrEnum):
    """What a line tells."""

    ASKED = "asked"
    EXHAUSTED = "exhausted"
    GIVEN_UP = "given up"
    DONE = "done"


@attrs.frozen
class Line:
    """A line of a journal.

    Attributes:
        event: a question was asked; a stratum has no more questions; the codebase cannot be asked; or all that was
            wanted is there.
        stratum: the question's tag, or the one that is exhausted; "" for none.
        left_out: why the question gave no example, or why the codebase cannot be asked; or "".
        answered: the question's examples.
    """

    event: Event
    stratum: str = ""
    left_out: str = ""
    answered: Answered | None = None


class Journal:
    """A journal that is open for writing at its end."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name

    def write(self, line: Line) -> None:
        """Add a line, and return when it is on the disk.

        Raises:
            ConfigError: it cannot be written.
        """
        try:
            self._file.write(f"{dumps(line)}\n".encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ConfigError(f"{self._name} cannot be written ({error.strerror}): free some space, go on") from error


@contextmanager
def opened(path: Path) -> Generator[Journal]:
    """Open a journal to add to it; what a kill has left of a last line is cut off.

    Raises:
        ConfigError: it cannot be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            file.truncate(_whole_bytes(file))
            yield Journal(file, str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be opened ({error.strerror}): build in another folder") from error


def _whole_bytes(file: BinaryIO) -> int:
    """How long the journal is up to the end of its last whole line."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def read(path: Path) -> Iterator[Line]:
    """The lines of a journal, one at a time; none where there is no journal.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield loads(Line, line)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): remove it, and build again") from error
    except InvalidData as error:
        raise ConfigError(f"{path} holds something else ({error}): remove its folder, and build again") from error
