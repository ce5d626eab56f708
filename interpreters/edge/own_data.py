"""Where what this program learns lies, in the user's folder for data. Imported at the start: nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def kept_folder(environ: Mapping[str, str]) -> Path | None:
    """Where explorations are kept unless another folder is named; None where the user has no home."""
    folder = data_folder(environ)
    return folder and folder / "kept"


def data_folder(environ: Mapping[str, str]) -> Path | None:
    """The user's folder for what this program learns; None where the user has no home."""
    folder = Path(environ.get("XDG_DATA_HOME", ""))
    if not folder.is_absolute():
        home = Path(environ.get("HOME") or environ.get("USERPROFILE", ""))
        if not home.is_absolute():
            return None
        folder = home / ".local" / "share"
    return folder / "tidepool"
