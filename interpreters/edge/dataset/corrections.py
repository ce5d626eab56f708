"""The file of what persons said of a dataset: added to at its end, a line on the disk before the next is asked for."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from io import FileIO
from pathlib import Path
from typing import Final

from interpreters.edge.dataset.reading import CORRECTIONS, read_corrections, shards_of
from tidepool.domain import TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.wire import dumps, loads

WHY: Final = "free some space and go on: what was said before is kept"


class Corrections:
    """The file, open and held by this process alone."""

    def __init__(self, file: FileIO, name: str) -> None:
        self._file, self._name = file, name
        self._starts: list[int] = []

    def add(self, examples: Iterable[TrainingExample]) -> None:
        """Add what was said, all of it or nothing, and return when it is on the disk.

        Raises:
            ConfigError: it cannot be written.
        """
        data = "".join(f"{dumps(example)}\n" for example in examples).encode()
        start = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(data) != len(data):
                raise OSError(0, "the disk is full")
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(start)
            raise ConfigError(f"{self._name} cannot be written ({error.strerror}): {WHY}") from error
        self._starts.append(start)

    def undo(self) -> None:
        """Take back what was added last.

        Raises:
            ConfigError: it cannot be written.
        """
        try:
            self._file.truncate(self._starts.pop())
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ConfigError(f"{self._name} cannot be written ({error.strerror}): {WHY}") from error


@contextmanager
def opened(folder: Path) -> Generator[Corrections]:
    """Open a dataset's corrections to add to them.

    Raises:
        ConfigError: there is no dataset, somebody else adds to them, or they cannot be read or written.
    """
    shards_of(folder)
    path = folder / CORRECTIONS
    try:
        with path.open("a+b", buffering=0) as file:
            flock(file, LOCK_EX | LOCK_NB)
            read_corrections(folder)
            _end_last_line(file)
            _keep_name(folder)
            yield Corrections(file, str(path))
    except BlockingIOError as error:
        raise ConfigError(f"{path} is being added to by another process: wait for it, or end it") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): make it so that it can be") from error


def _end_last_line(file: FileIO) -> None:
    """Cut off what a kill has left of a last line; end one that is whole."""
    file.seek(0)
    whole, _, rest = file.read().rpartition(b"\n")
    if not rest:
        return
    try:
        loads(TrainingExample, rest)
        file.write(b"\n")
    except InvalidData:
        file.truncate(len(whole) + 1 if whole else 0)


def _keep_name(folder: Path) -> None:
    """Have the file's name on the disk, where the file is new."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
