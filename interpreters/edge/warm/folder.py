"""The folder with this user's brokers. Imported by every question: nothing heavy."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tidepool.errors import ConfigError

SUFFIX: Final = ".sock"
MOST_CHARACTERS: Final = 70
"""Of the folder's path, so that a socket's may be in it."""


def sockets(environ: Mapping[str, str]) -> list[Path]:
    """Where brokers listen, or have listened."""
    return sorted(_folder(environ).glob(f"*{SUFFIX}"))


def folder_of(environ: Mapping[str, str]) -> Path:
    """The folder, which is made where it is missing.

    Raises:
        ConfigError: it is somebody else's, a link, or open to others.
    """
    folder = _folder(environ)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used for brokers ({error.strerror}): say --no-broker") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(f"{folder} is not a folder that only you can open: remove it, or say --no-broker")
    return folder


def _folder(environ: Mapping[str, str]) -> Path:
    said = environ.get("XDG_RUNTIME_DIR", "")
    runtime = Path(said, "tidepool")
    if runtime.is_absolute() and Path(said).is_dir() and len(str(runtime)) <= MOST_CHARACTERS:
        return runtime
    return Path(tempfile.gettempdir(), f"tidepool-{os.getuid()}")
