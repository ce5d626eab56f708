"""Checkpoints: what a training needs to go on as if it had not been interrupted. One appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

from tidepool.errors import ConfigError

FOLDER: Final = "checkpoints"
KEPT: Final = 2
"""The last ones; the one before the last is there for a disk that lost the last one."""

_STATE: Final = "state.pt"


def trained(model: Any) -> dict[str, Any]:
    """The weights that are trained, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save(out: Path, step: int, model: Any, optimizer: Any) -> Path:
    """Write a checkpoint after a step, and take away those that are older than the last ones.

    Raises:
        ConfigError: it cannot be written.
    """
    folder = out / FOLDER / f"step-{step:08}"
    half = folder.with_name(f".{folder.name}")
    weights = {name: weight.detach() for name, weight in trained(model).items()}
    try:
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        with (half / _STATE).open("wb") as stream:
            import_module("torch").save({"weights": weights, "optimizer": optimizer.state_dict()}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error.strerror}): make room, or name another --out") from error
    for old in _all(out)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def latest(out: Path) -> tuple[int, Path] | None:
    """The last checkpoint and the step that it was written after."""
    found = _all(out)
    return (int(found[-1].name.removeprefix("step-")), found[-1]) if found else None


def _all(out: Path) -> list[Path]:
    return sorted((out / FOLDER).glob("step-*"))


def restore(folder: Path, model: Any, optimizer: Any) -> None:
    """Go back to a checkpoint.

    Raises:
        ConfigError: it cannot be read, or is one of another model.
    """
    torch = import_module("torch")
    try:
        state = torch.load(folder / _STATE, map_location="cpu", weights_only=True)
        weights = trained(model)
        if {name: weight.shape for name, weight in weights.items()} != {
            name: weight.shape for name, weight in state["weights"].items()
        }:
            raise ConfigError(f"{folder} is a checkpoint of another model: remove it, or name another --out")
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(state["weights"][name])
        optimizer.load_state_dict(state["optimizer"])
    except (OSError, RuntimeError, KeyError, EOFError, UnpicklingError) as error:
        raise ConfigError(f"{folder} cannot be read: remove it, and go on from the one before it") from error


def remove(out: Path) -> None:
    """Take all checkpoints away, once there is nothing left to go on with."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)
