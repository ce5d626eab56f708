"""What stands under a root: whether there is anything to ask about, and which Python environment it is written for."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Final

import attrs

from interpreters.lsp.plain import plain
from tidepool.errors import ConfigError

NOT_SOURCE: Final = frozenset(
    {
        ".bzr", ".direnv", ".eggs", ".git", ".hg", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn",
        ".tox", ".venv", "__pycache__", "__pypackages__", "node_modules", "site-packages", "venv",
    }
)  # fmt: skip
"""Folders that hold other people's code, or none: what stands in them is not the codebase's."""

_MAX_ENTRIES: Final = 200_000  # looked at before giving up on finding a source file: a second or two
_SAMPLED_FILES: Final = 400  # looked at for landmarks, so that they come from several corners of the codebase
_SAMPLED_BYTES: Final = 65_536
_READ_BYTES: Final = 64 * 2**20  # of one file: a larger one is no source anybody wrote
_DEFINITION: Final = re.compile(
    rb"^(?:export |public |pub |async |abstract )*"
    rb"(?:class|def|func|fn|function|struct|interface|type|data|enum)[ \t]+([A-Za-z][A-Za-z0-9_]{3,})",
    re.MULTILINE,
)  # only at the margin: some servers find no methods and nothing private


class Origin(Enum):
    """How an environment was found."""

    NAMED = "the user named it"
    IN_ROOT = "it stands in the root"  # it may be read but must not be run: the codebase is not trusted
    ACTIVE = "it is active"


@attrs.frozen
class Environment:
    """A Python environment that a codebase's imports come from.

    Attributes:
        folder: the virtual environment, or the prefix of an interpreter outside of one.
        python: its interpreter.
        virtual: whether it is a virtual environment.
        origin: how it was found.
    """

    folder: Path
    python: Path
    virtual: bool
    origin: Origin


def check_root(root: Path | str, suffixes: tuple[str, ...]) -> Path:
    """The real path of a folder that holds source files.

    Args:
        suffixes: what the names of source files may end in.

    Raises:
        ConfigError: it is no folder, or holds no such file.
    """
    try:
        real = Path(root).resolve(strict=True)
        if not real.is_dir():
            raise ConfigError(f"{root} is a file: name the folder of a codebase with --root")
        os.scandir(real).close()
    except FileNotFoundError as error:
        raise ConfigError(f"{root} does not exist: name the folder of a codebase with --root") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{root} cannot be read ({_reason(error)}): name another folder with --root") from error
    if next(source_files(real, suffixes), None) is None:
        raise ConfigError(f"{root} holds no {' or '.join(suffixes)} file: name the folder of a codebase with --root")
    return real


def find_environment(root: Path, explicit: Path | str | None, environ: Mapping[str, str]) -> Environment | None:
    """The codebase's Python environment: the one named, or `.venv` in the root, or the active one.

    Args:
        explicit: an interpreter, or the folder of a virtual environment.

    Raises:
        ConfigError: the one named is neither.
    """
    if explicit is not None:
        return _named(Path(explicit).absolute())
    places = [(root / ".venv", Origin.IN_ROOT)]
    if active := environ.get("VIRTUAL_ENV"):
        places.append((Path(active), Origin.ACTIVE))
    for folder, origin in places:
        if _is_virtual(folder):
            return Environment(folder, _python_of(folder), virtual=True, origin=origin)
    return None


def source_files(root: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files whose names end in one of `suffixes`, breadth first and in order; links are not followed."""
    folders = deque([root])
    looked_at = 0
    while folders and looked_at < _MAX_ENTRIES:
        for entry in _entries(folders.popleft()):
            looked_at += 1
            if entry.name.endswith(suffixes) and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            elif entry.name not in NOT_SOURCE and entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))


def landmarks(root: Path, suffixes: tuple[str, ...], most: int) -> Mapping[str, str]:
    """Names that a server which has read the codebase must be able to find, from files far apart, and their files."""
    files = list(islice(source_files(root, suffixes), _SAMPLED_FILES))
    names: dict[str, str] = {}
    for file in _far_apart(files):
        if len(names) == most:
            break
        if (found := _DEFINITION.search(_beginning(file))) is not None:
            names[found.group(1).decode()] = file.relative_to(root).as_posix()
    return names


def _far_apart(files: list[Path]) -> Iterator[Path]:
    """All of them, the last, the first, the middle, the quarters and so on first."""
    step = len(files)
    seen: set[int] = set()
    while step:
        for index in range(len(files) - 1, -1, -step):
            if index not in seen:
                seen.add(index)
                yield files[index]
        step //= 2


def _beginning(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_SAMPLED_BYTES)
    except OSError:
        return b""


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _named(path: Path) -> Environment:
    """The environment that the user named by its folder or by its interpreter."""
    if _is_virtual(path):
        return Environment(path, _python_of(path), virtual=True, origin=Origin.NAMED)
    if not path.is_file() or not os.access(path, os.X_OK):
        what = "is no virtual environment" if path.is_dir() else "cannot be run" if path.exists() else "does not exist"
        raise ConfigError(f"{path} {what}: name an interpreter or the folder of a virtual environment with --python")
    folder = path.parent.parent  # not resolved: in a virtual environment the interpreter is a link out of it
    virtual = _is_virtual(folder)
    return Environment(folder if virtual else path.resolve().parent.parent, path, virtual, Origin.NAMED)


def _python_of(folder: Path) -> Path:
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def _is_virtual(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def search_path(root: Path, pythonpath: str) -> str:
    """A `PYTHONPATH` without the folders that hold the codebase itself.

    From such a folder every module of the codebase has a second, longer name; a server then takes an import by the
    short one for another module, and finds no use of anything.
    """
    entries = [entry for entry in pythonpath.split(os.pathsep) if entry]
    return os.pathsep.join(entry for entry in entries if Path(entry).resolve() not in root.parents)


def unread(root: Path, suffixes: tuple[str, ...]) -> tuple[str, ...]:
    """The source files, relative to the root, that are passed over: not UTF-8, or with control characters in the name.

    A server says nothing of the first. The second cannot be shown to anybody as they are.
    """
    files = ((str(file.relative_to(root)), file) for file in source_files(root, suffixes))
    return tuple(plain(name) for name, file in files if not (name.isprintable() and _is_utf8(file)))


def _is_utf8(file: Path) -> bool:
    try:
        if file.stat().st_size > _READ_BYTES:
            return True
        content = file.read_bytes()
        return content.isascii() or content.decode() is not None
    except (OSError, UnicodeDecodeError):
        return False
