"""Unpacking an archive that nobody vouches for: plain files alone, inside of one folder, and not too many."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, Final, TypeAlias

from tidepool.errors import ConfigError

MOST_FILES: Final = 100_000
MOST_BYTES: Final = 2**30
"""What an archive may unpack to: the largest codebases have some hundred megabytes of source."""

_Member: TypeAlias = tuple[str, int, AbstractContextManager[IO[bytes]]]


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive's plain files into a folder, and answer the codebase's root: the one folder that holds all.

    Links, devices and names that lead out of the folder are passed over.

    Raises:
        ConfigError: it cannot be read, or is larger than any codebase.
    """
    try:
        _write(_members(archive), archive, folder)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        why = str(error).partition("\n")[0].rstrip(":")
        raise ConfigError(f"{archive} cannot be unpacked ({why}): name a .tar, .tar.gz or .zip file") from error
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _write(members: Iterator[_Member], archive: Path, folder: Path) -> None:
    total = 0
    for count, (name, size, opened) in enumerate(members, start=1):
        total += size
        if count > MOST_FILES or total > MOST_BYTES:
            raise ConfigError(
                f"{archive} holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB: name a codebase"
            )
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with opened as source, file.open("wb") as out:
            shutil.copyfileobj(source, out)


def _members(archive: Path) -> Iterator[_Member]:
    return _of_zip(archive) if zipfile.is_zipfile(archive) else _of_tar(archive)


def _of_zip(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            if not member.is_dir() and _is_inside(member.filename):
                yield member.filename, member.file_size, packed.open(member)


def _of_tar(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as packed:
        for member in packed:
            source = packed.extractfile(member) if member.isfile() and _is_inside(member.name) else None
            if source is not None:
                yield member.name, member.size, source


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]
