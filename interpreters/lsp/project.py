"""What stands under a root: whether there is anything to ask about, and which Python environment it is written for."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Final

import attrs

from interpreters.lsp.plain import plain
from tidepool.errors import ConfigError

NOT_SOURCE: Final = frozenset(
    {
        ".bzr", ".direnv", ".eggs", ".git", ".hg", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn",
        ".tox", ".venv", "__pycache__", "__pypackages__", "node_modules", "site-packages",
    }
)  # fmt: skip
"""Folders that hold other people's code, or none: what stands in them is not the codebase's."""

SETTINGS_FILES: Final = (
    ".gitignore", ".ignore", "pyproject.toml", "pyrefly.toml", "pyrightconfig.json", "setup.cfg", "ty.toml",
)  # fmt: skip
"""What a root may hold that says how servers read the codebase."""

COPIES: Final = ("build/lib", "build/lib.*")  # where setuptools puts what it builds: every name is defined there again
"""Patterns of folders that hold copies of the codebase, by their own name and that of the folder they stand in."""

_UNMISTAKABLE: Final = frozenset({"__pycache__", "node_modules"})  # as are the ones with a dot
_MAX_FOLDERS: Final = 50  # passed over that are looked into for source files
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
        if is_virtual(folder):
            return Environment(folder, _python_of(folder), virtual=True, origin=origin)
    return None


def watched(root: Path, environment: Environment | None) -> tuple[str, ...]:
    """The files and folders on which it depends how a server reads a codebase: settings, and what is installed."""
    settings = [root / name for name in SETTINGS_FILES]
    if environment is None:
        return tuple(map(str, settings))
    packages = sorted(environment.folder.glob("lib*/python*/site-packages"))
    return tuple(map(str, (*settings, environment.folder / "pyvenv.cfg", *packages)))


def source_files(root: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files whose names end in one of `suffixes`, breadth first and in order; links are not followed."""
    return _walk(root, suffixes, [])


def is_passed_over(above: str, name: str) -> bool:
    """Whether a folder counts as no part of the codebase, by its name and that of the folder it stands in."""
    return name in NOT_SOURCE or (above == "build" and any(fnmatchcase(f"build/{name}", copy) for copy in COPIES))


def is_virtual(folder: Path) -> bool:
    """Whether a folder is a virtual environment; one that cannot be looked into is none.

    The file that says so does not suffice: among sources, it would hide a whole package.
    """
    if not _is_file(folder / "pyvenv.cfg"):
        return False
    interpreter = any(os.path.lexists(folder / python) for python in ("bin/python", "Scripts/python.exe"))
    return interpreter or next(folder.glob("lib*/python*/site-packages"), None) is not None


def _walk(root: Path, suffixes: tuple[str, ...], passed_over: list[Path]) -> Iterator[Path]:
    """As `source_files`; the folders that are passed over and might be taken for the codebase's are added to a list."""
    folders = deque([root])
    looked_at = 0
    while folders and looked_at < _MAX_ENTRIES:
        folder = folders.popleft()
        above = "" if folder == root else folder.name
        entries = _entries(folder)
        if above and any(entry.name == "pyvenv.cfg" for entry in entries) and is_virtual(folder):
            continue
        for entry in entries:
            looked_at += 1
            if entry.name.endswith(suffixes) and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                over = is_passed_over(above, entry.name)
                if not over:
                    folders.append(Path(entry.path))
                elif not entry.name.startswith(".") and entry.name not in _UNMISTAKABLE:
                    passed_over.append(Path(entry.path))


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
    if is_virtual(path):
        return Environment(path, _python_of(path), virtual=True, origin=Origin.NAMED)
    if not _is_file(path) or not os.access(path, os.X_OK):
        there = os.path.lexists(path)
        what = "is no virtual environment" if os.path.isdir(path) else "cannot be run" if there else "does not exist"  # noqa: PTH112
        raise ConfigError(f"{path} {what}: name an interpreter or the folder of a virtual environment with --python")
    folder = path.parent.parent  # not resolved: in a virtual environment the interpreter is a link out of it
    virtual = is_virtual(folder)
    return Environment(folder if virtual else path.resolve().parent.parent, path, virtual, Origin.NAMED)


def _python_of(folder: Path) -> Path:
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - pathlib's raises where it cannot tell: a name too long, a closed folder


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def search_path(root: Path, pythonpath: str) -> str:
    """A `PYTHONPATH` without the folders that hold the codebase itself.

    From such a folder every module of the codebase has a second, longer name; a server then takes an import by the
    short one for another module, and finds no use of anything.
    """
    entries = [entry for entry in pythonpath.split(os.pathsep) if entry]
    return os.pathsep.join(entry for entry in entries if Path(entry).resolve() not in root.parents)


@attrs.frozen
class Unread:
    """What is passed over, relative to the root.

    Attributes:
        files: source files that are not UTF-8, of which a server says nothing, or that have control characters in
            their names, which cannot be shown to anybody as they are.
        folders: folders with source files that count as copies or as other people's code, and may yet be neither.
            Left out are those that nobody writes in: `.git`, `node_modules`, virtual environments, caches.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


def unread(root: Path, suffixes: tuple[str, ...]) -> Unread:
    """Look for what is passed over under a root."""
    passed_over: list[Path] = []
    files = [(str(file.relative_to(root)), file) for file in _walk(root, suffixes, passed_over)]
    folders = [folder for folder in passed_over[:_MAX_FOLDERS] if next(source_files(folder, suffixes), None)]
    return Unread(
        tuple(plain(name) for name, file in files if not (name.isprintable() and _is_utf8(file))),
        tuple(plain(folder.relative_to(root).as_posix()) for folder in folders),
    )


def _is_utf8(file: Path) -> bool:
    try:
        if file.stat().st_size > _READ_BYTES:
            return True
        content = file.read_bytes()
        return content.isascii() or content.decode() is not None
    except (OSError, UnicodeDecodeError):
        return False
