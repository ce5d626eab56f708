"""Checkpoints, as the trainer writes them: one counts from when it is whole."""

from __future__ import annotations

import json
import shutil
from hashlib import file_digest
from pathlib import Path
from typing import Final

from tidepool.errors import ConfigError

FOLDER: Final = "checkpoints"
KEPT: Final = 2
"""The last ones; the one before the last is there for a disk that lost the last one."""

_SEAL: Final = "sha256.json"
_PREFIX: Final = "checkpoint-"
_WRITTEN_LAST: Final = "trainer_state.json"
"""Where it is missing, the writing of a checkpoint was cut off."""


def place(out: Path, step: int) -> Path:
    """The folder of the checkpoint after a step."""
    return out / FOLDER / f"{_PREFIX}{step}"


def latest(out: Path) -> tuple[int, Path] | None:
    """The last checkpoint and the step that it was written after."""
    whole = (file.parent for file in (out / FOLDER).glob(f"{_PREFIX}*/{_WRITTEN_LAST}"))
    numbered = ((folder.name.removeprefix(_PREFIX), folder) for folder in whole)
    return max(((int(step), folder) for step, folder in numbered if step.isascii() and step.isdigit()), default=None)


def seal(folder: Path) -> None:
    """Write down what a checkpoint holds, so that a disk that spoils it is noticed."""
    (folder / _SEAL).write_text(json.dumps(_hashes(folder)), encoding="utf-8")


def verify(out: Path) -> None:
    """Make sure that the last checkpoint is as it was written; one that was never sealed is not looked at.

    Raises:
        ConfigError: it is not.
    """
    found = latest(out)
    if found is None or not (found[1] / _SEAL).is_file():
        return
    folder = found[1]
    try:
        sealed = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        sealed = None
    if sealed != _hashes(folder):
        raise ConfigError(f"{folder} is damaged: remove it, and go on from the one before it with --resume")


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name != _SEAL)
    hashes: dict[str, str] = {}
    for file in files:
        with file.open("rb") as stream:
            hashes[file.name] = file_digest(stream, "sha256").hexdigest()
    return hashes


def remove(out: Path) -> None:
    """Take all checkpoints away, once there is nothing left to go on with."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)
