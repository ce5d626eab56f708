"""Explorations that are kept to learn from: JSON lines in a folder, on the disk when an answer is shown.

    keep(examples_of(response, query, scorer, root), folder)
    for example in read_kept(folder): ...

The folder is bounded: a file that is full is followed by another, and the oldest of too many is removed.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fcntl import LOCK_EX, flock
from io import FileIO
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Final

import attrs

from tidepool.change import read_change
from tidepool.domain import Pointer, Provenance, Rubric, ScoutResponse, TrainingExample, Verdict
from tidepool.errors import ConfigError, InvalidData
from tidepool.wire import dumps, loads

FILE_BYTES: Final = 4 * 2**20
"""From this size on a file is followed by another: some 4,000 examples."""

FILES: Final = 16
"""So many are kept: 64 MiB, which is a few thousand questions."""

PYTHON: Final = ".py"
MOST_SETTINGS_BYTES: Final = 2**20
_NAME: Final = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def examples_of(response: ScoutResponse, scorer: str, root: Path) -> list[TrainingExample]:
    """What an answer teaches: each rated place with who labelled it.

    Where a checker has judged a place that has a row of its own, its word is the label, and the labeller `oracle`. Else
    it is the scorer's: `heuristic` for the rules, and nobody for any other, whose word is no label.

    Args:
        response: with its training examples.
        scorer: the name of the one that rated.
        root: the codebase's folder; the examples are kept under the name that the project gives itself, or its own.
    """
    rows = {row.location: row for row in response.pointers}
    name = codebase_name(root)
    return [
        _labelled(example, rows.get(example.node.location), scorer, name)
        for example in response.training_examples or ()
    ]


def codebase_name(root: Path) -> str:
    """What a codebase is called: by its `pyproject.toml`, or else as its folder."""
    with suppress(OSError, UnicodeDecodeError, TOMLDecodeError, RecursionError):
        with (root / "pyproject.toml").open("rb") as file:
            project = tomllib.loads(file.read(MOST_SETTINGS_BYTES).decode()).get("project")
        name = project.get("name") if isinstance(project, dict) else None
        if isinstance(name, str) and _NAME.fullmatch(name):
            return name
    return root.resolve().name


def _labelled(example: TrainingExample, row: Pointer | None, scorer: str, codebase: str) -> TrainingExample:
    said = example.rubric
    judged = said if row is None else Rubric(row.relevance, row.risk, row.confidence, row.reasoning)
    by_checker = row is not None and (row.verdict is Verdict.VERIFIED or judged != said)
    origin = Provenance(
        codebase=codebase,
        language="Python" if example.node.path.endswith(PYTHON) else None,
        labeller="oracle" if by_checker else "heuristic" if scorer == "heuristic" else None,
        change_kind=str(read_change(example.query).kind),
    )
    return attrs.evolve(example, rubric=judged, provenance=origin)


def keep(examples: Iterable[TrainingExample], folder: Path, *, file_bytes: int = FILE_BYTES, files: int = FILES) -> int:
    """Add examples to a folder, and answer how many; they are on the disk then.

    Whoever else adds to it waits.

    Raises:
        ConfigError: it cannot be written.
    """
    lines = [f"{dumps(example)}\n".encode() for example in examples]
    if not lines:
        return 0
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds the user's code
        with (folder / "lock").open("w") as lock:
            flock(lock, LOCK_EX)
            _append(_file_for(folder, file_bytes), b"".join(lines))
            for old in kept_files(folder)[:-files]:
                old.unlink()
            _sync(folder)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error.strerror}): keep in another folder") from error
    return len(lines)


def kept_files(folder: Path) -> list[Path]:
    """The files of kept examples, oldest first."""
    return sorted(folder.glob("[0-9]" * 8 + ".jsonl"))


def _file_for(folder: Path, file_bytes: int) -> Path:
    known = kept_files(folder)
    if known and known[-1].stat().st_size < file_bytes:
        return known[-1]
    return folder / f"{int(known[-1].stem) + 1 if known else 0:08}.jsonl"


def _append(file: Path, data: bytes) -> None:
    """Add all of it or nothing, behind the last whole line."""
    with file.open("a+b", buffering=0) as stream:
        _end_last_line(stream)
        start = stream.seek(0, os.SEEK_END)
        try:
            if stream.write(data) != len(data):
                raise OSError(0, "the disk is full")
            os.fsync(stream.fileno())
        except OSError:
            with suppress(OSError):
                stream.truncate(start)
            raise


def _end_last_line(stream: FileIO) -> None:
    """Cut off what a kill has left of a last line."""
    stream.seek(0)
    whole, _, rest = stream.read().rpartition(b"\n")
    if rest:
        stream.truncate(len(whole) + 1 if whole else 0)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@attrs.define
class Kept:
    """What a folder holds.

    Attributes:
        examples: oldest first.
        unreadable: how many lines are no example.
    """

    examples: list[TrainingExample] = attrs.field(factory=list)
    unreadable: int = 0


def read_kept(folder: Path) -> Kept:
    """What was kept in a folder; one that is not there holds nothing.

    Raises:
        ConfigError: a file cannot be read.
    """
    kept = Kept()
    for line in _lines(folder):
        if not line.endswith(b"\n"):  # it is being written, or a kill has cut it short
            continue
        try:
            kept.examples.append(loads(TrainingExample, line))
        except InvalidData:
            kept.unreadable += 1
    return kept


def _lines(folder: Path) -> Iterator[bytes]:
    for file in kept_files(folder):
        try:
            with file.open("rb") as stream:
                yield from stream
        except OSError as error:
            raise ConfigError(f"{file} cannot be read ({error.strerror}): name another folder") from error
