"""Checkpoints, as the trainer writes them: one counts from when it is whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

FOLDER: Final = "checkpoints"
KEPT: Final = 2
"""The last ones; the one before the last is there for a disk that lost the last one."""

_PREFIX: Final = "checkpoint-"
_WRITTEN_LAST: Final = "trainer_state.json"
"""Where it is missing, the writing of a checkpoint was cut off."""


def place(out: Path, step: int) -> Path:
    """The folder of the checkpoint after a step."""
    return out / FOLDER / f"{_PREFIX}{step}"


def latest(out: Path) -> tuple[int, Path] | None:
    """The last checkpoint and the step that it was written after."""
    whole = (file.parent for file in (out / FOLDER).glob(f"{_PREFIX}*/{_WRITTEN_LAST}"))
    return max(((int(folder.name.removeprefix(_PREFIX)), folder) for folder in whole), default=None)


def remove(out: Path) -> None:
    """Take all checkpoints away, once there is nothing left to go on with."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)
