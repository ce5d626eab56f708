"""Record a run to a file, and answer from a recording instead of the world.

    with record_to(path) as sink:
        answer = run(recorded(program(), sink), handlers)         the same run, kept line by line

    with replaying(read_tape(path)) as world:
        answer = run(program(), world)                            the whole run again, or `Diverged`

    run(program(), scorer | lsp_from(tape) | clock | report)      one effect answered from the recording

A recording holds the code that was looked at: its file is readable by its owner alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, get_args

import attrs
from returns.result import Failure

from tidepool.domain import ScoutQuery
from tidepool.eff import Handler
from tidepool.effects.gemma import Gemma, RateNode
from tidepool.effects.lsp import Lsp
from tidepool.errors import ConfigError, InterpreterError, InvalidData, TidepoolError
from tidepool.recording import (
    BEGINNING,
    EXPLORING,
    Recording,
    Vocabulary,
    end_line,
    entry_line,
    header_line,
    parse_recording,
)
from tidepool.tape import Entry, Player

MOST_BYTES: Final = 256 * 2**20
"""The largest recording that is read: its entries take some ten times as much memory."""

_OWNER_ALONE: Final = 0o600
_MOST_SHOWN: Final = 200
"""Characters of an operation in an error's text."""

_WHY: Final[Mapping[int | None, str]] = {
    errno.EISDIR: "is a folder; name a file in it",
    errno.ELOOP: "is a link; name the file itself",
    errno.EWOULDBLOCK: "is being recorded to by another process; name another file",
    errno.ENOENT: "is in no folder that exists; make the folder first",
}
_NO_FILE: Final[Mapping[int | None, str]] = {
    errno.EISDIR: _WHY[errno.EISDIR],
    errno.ENOENT: "does not exist; record it first",
}


class RecordingLost(ConfigError):
    """A recording could not be kept to its end, though the run that it was of went on to its own.

    The file has no end line, so that reading it says that it was cut.
    """


class NotRecorded(InterpreterError):
    """A recording has no answer to an operation.

    Attributes:
        op: the operation.
    """

    def __init__(self, op: object) -> None:
        self.op = op
        shown = f"RateNode at {op.node.location}" if isinstance(op, RateNode) else repr(op)
        super().__init__("the recording", f"it holds no answer to {shown[:_MOST_SHOWN]}; record it again")


@contextmanager
def record_to(
    path: Path, query: ScoutQuery | None = None, *, known: Vocabulary = EXPLORING
) -> Generator[Callable[[Entry], None]]:
    """A sink for `tidepool.tape.recorded` that writes every entry to a file at once.

    A process that is killed loses one line at most. An earlier recording is overwritten; a file that holds anything
    else is not. Where the run is interrupted, the recording has no end line, as where the process is killed.

    Args:
        query: the question that is explored, for whoever reads the recording.
        known: the operations and errors that may occur.

    Raises:
        ConfigError: at the beginning: the file cannot be written.
        RecordingLost: at the end, since an answer is worth more than its recording: an entry could not be written. A
            run that fails itself fails with its own error, and this becomes a note on it.
    """
    recorder = _begun(path, query, known)
    try:
        yield recorder.keep
    except BaseException as error:
        recorder.close(with_end=isinstance(error, Exception))
        if recorder.lost is not None:
            error.add_note(str(recorder.lost))
        raise
    recorder.close(with_end=True)
    if recorder.lost is not None:
        raise recorder.lost


def read_recording(path: Path, *, known: Vocabulary = EXPLORING, most_bytes: int = MOST_BYTES) -> Recording:
    """What a file holds, and whether it was cut.

    Raises:
        ConfigError: it is no recording, holds what `known` does not, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            _expect_regular(path, state)
            if state.st_size > most_bytes:
                raise ConfigError(f"{path} has {state.st_size} bytes, more than the {most_bytes} that are read")
            return parse_recording(file, known)
    except OSError as error:
        raise ConfigError(f"{path} {_NO_FILE.get(error.errno, f'cannot be read: {error.strerror}')}") from error
    except InvalidData as error:
        raise ConfigError(f"{path} is no recording that can be read: {error}") from error


def read_tape(path: Path, *, known: Vocabulary = EXPLORING) -> tuple[Entry, ...]:
    """The tape of a whole recording.

    Raises:
        ConfigError: as `read_recording`; or it was cut, and `read_recording` has what is left.
    """
    recording = read_recording(path, known=known)
    if not recording.is_whole:
        count = len(recording.entries)
        raise ConfigError(f"{path} was cut after {count} operations while it was being recorded; record it again")
    return recording.entries


@contextmanager
def held_to(tape: Iterable[Entry], file: Path) -> Generator[None]:
    """Blame a recording for an error that it holds, and that no program catches.

    Raises:
        ConfigError: such an error came out of the block.
    """
    try:
        yield
    except Exception as error:
        held = {id(entry.answer.failure()) for entry in tape if isinstance(entry.answer, Failure)}
        if id(error) not in held and id(error.__cause__) not in held:
            raise
        why = f"{file} is of a run that ended with {type(error).__name__}: {error}; record it again"
        raise ConfigError(why) from error


def replaying(tape: Sequence[Entry]) -> Player:
    """Answer a whole run from its tape, in order, under `run` and `run_async`.

    Use it in a `with`, or call `expect_end` after the run, to know that the run asked for all of the tape.

    Raises:
        Diverged: the run asks for something else than the tape holds next.
    """
    return Player(tape)


def scorer_from(tape: Sequence[Entry]) -> Handler[Gemma]:
    """Answer `RateNode` alone from a tape, by operation, in whatever order it is asked.

    Equal operations are answered as they were, one after another; the last answer holds for all that follow, since
    another scorer or language server may lead an exploration to ask more often.

    Raises:
        NotRecorded: the tape holds no answer to an operation.
    """
    return _by_operation(tape, (RateNode,))


def lsp_from(tape: Sequence[Entry]) -> Handler[Lsp]:
    """Answer `Lsp` alone from a tape, as `scorer_from` does.

    An exploration that asks what the tape does not hold goes on without, and its answer says so, as it does of a
    language server that fails.
    """
    return _by_operation(tape, get_args(Lsp))


def _by_operation(tape: Iterable[Entry], kinds: Iterable[type]) -> Handler[Any]:
    told: dict[type, dict[Any, deque[Entry]]] = {kind: {} for kind in kinds}
    for entry in tape:
        if type(entry.op) in told:
            told[type(entry.op)].setdefault(entry.op, deque()).append(entry)

    def answer(op: Any) -> Any:
        entries = told[type(op)].get(op)
        if entries is None:
            raise NotRecorded(op)
        return (entries.popleft() if len(entries) > 1 else entries[0]).told()

    return Handler(dict.fromkeys(told, answer))


@attrs.define(eq=False)
class _Recorder:
    """A recording that is being written; `lost` is why it has stopped being so."""

    path: Path
    file: BinaryIO
    known: Vocabulary
    count: int = 0
    lost: RecordingLost | None = None

    def keep(self, entry: Entry) -> None:
        """Write an entry; nothing more once one could not be written."""
        self._try(lambda: self.write(entry_line(entry, self.known)))
        self.count += 1

    def close(self, *, with_end: bool) -> None:
        if with_end:
            self._try(lambda: self.write(end_line(self.count)))
        try:
            self.file.close()
        except OSError as error:
            self._lose(error.strerror)

    def write(self, line: str) -> None:
        left = memoryview(line.encode())
        while left:
            left = left[self.file.write(left) :]

    def _try(self, write: Callable[[], None]) -> None:
        if self.lost is None:
            try:
                write()
            except OSError as error:
                self._lose(error.strerror)
            except TidepoolError as error:
                self._lose(error)

    def _lose(self, why: object) -> None:
        if self.lost is None:
            self.lost = RecordingLost(f"{self.path} holds {self.count} operations only: {why}; record it again")


def _begun(path: Path, query: ScoutQuery | None, known: Vocabulary) -> _Recorder:
    """A recording with its header, in a file that no one else reads or records to."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.fdopen(os.open(path, flags, _OWNER_ALONE), "r+b", buffering=0)
        recorder = _Recorder(path, file, known)
        try:
            _make_empty(path, file.fileno())
            recorder.write(header_line(query))
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise ConfigError(f"{path} {_WHY.get(error.errno, f'cannot be written: {error.strerror}')}") from error
    return recorder


def _make_empty(path: Path, descriptor: int) -> None:
    _expect_regular(path, os.fstat(descriptor))
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    beginning = BEGINNING.encode()
    if os.read(descriptor, len(beginning)) not in (b"", beginning):
        raise ConfigError(f"{path} exists and is no recording; name another file to record to")
    os.fchmod(descriptor, _OWNER_ALONE)
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)


def _expect_regular(path: Path, state: os.stat_result) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if not stat.S_ISREG(state.st_mode):
        raise ConfigError(f"{path} is no file but a device or a pipe; name a file")
