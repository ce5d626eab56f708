"""What is installed on this machine, and where things are kept."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Final

from interpreters.edge.doctor.checks import Check, ok, warning, wrong
from interpreters.edge.own_data import data_folder
from interpreters.lsp.servers import SERVERS, TY, Server, find_command
from tidepool.errors import ConfigError, Unavailable

PROGRAM: Final = "semantic-scout"
VERSION_S: Final = 5.0
"""How long a program may take to say its version."""

LITTLE_BYTES: Final = 500 * 2**20
"""Of free disk; below it a language server's cache or a kept answer may not fit."""

_ASKED_FOR_VERSION: Final = {
    "ty": "--version",
    "pyrefly": "--version",
    "jedi-language-server": "--version",
    "gopls": "version",
    "typescript": "--version",
    "clangd": "--version",
    "rust-analyzer": "--version",
    "haskell-language-server": "--numeric-version",
}
"""What the programs of known servers are asked for their version with; the others have no such flag."""

_OPTIONAL: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+).*;.*extra == ['\"](?P<extra>[^'\"]+)['\"]")


def versions(root: Path, environ: Mapping[str, str]) -> Iterator[Check]:
    """This program, what it runs on and what it needs; nothing under the root is run."""
    yield ok(PROGRAM, version(PROGRAM))
    yield ok("Python", f"{platform.python_version()}, {sys.executable}")
    yield _ty()
    git = _program("git", root, environ)
    if git is None:
        yield warning("git", "not found", "Install git, without which no examples are made of a codebase's history.")
    else:
        yield ok("git", f"{_said_version(git, '--version') or 'its version is not known'}, {git}")


def extras() -> Iterator[Check]:
    """The optional parts of this program: what is missing is no fault."""
    needed: dict[str, list[str]] = {name: [] for name in metadata(PROGRAM).get_all("Provides-Extra") or ()}
    for requirement in requires(PROGRAM) or ():
        if found := _OPTIONAL.match(requirement):
            needed.setdefault(found["extra"], []).append(found["name"])
    for extra, names in sorted(needed.items()):
        missing = [name for name in names if _version_of(name) is None]
        if missing:
            found_text = f"not installed: {', '.join(missing)}"
            yield ok(f"extra {extra}", found_text, f"To have it, install {PROGRAM}[{extra}].")
        else:
            yield ok(f"extra {extra}", ", ".join(f"{name} {_version_of(name)}" for name in names))


def servers(chosen: str, own: Mapping[str, Server], root: Path, environ: Mapping[str, str]) -> Iterator[Check]:
    """The language servers that are known or configured; the one that is used has to be there.

    Args:
        chosen: the name of the one that is used.
        own: those that are configured.
        root: the codebase, from which no program is run.
    """
    real = Path(os.path.realpath(root))
    for name, server in {**SERVERS, **own}.items():
        what = f"server {name}{' (used)' if name == chosen else ''}"
        try:
            program = Path(find_command(server, environ)[0])
        except (Unavailable, ConfigError) as error:
            remedy = f"Install it: {server.install}." if server.install else "Mend its command in your configuration."
            yield wrong(what, str(error), remedy) if name == chosen else ok(what, "not installed", remedy)
            continue
        yield _found(what, name, program, real)


def kept(environ: Mapping[str, str]) -> Iterator[Check]:
    """Where answers and models are kept, and how much room there is."""
    folder = data_folder(environ)
    if folder is None:
        yield warning("data", "you have no folder for data", "Set HOME or XDG_DATA_HOME to an absolute path.")
        return
    there = next(above for above in (folder, *folder.parents) if above.is_dir())
    if os.access(there, os.W_OK):
        yield ok("data", f"{folder}{'' if folder.is_dir() else ', which is made when it is needed'}")
    else:
        yield warning("data", f"{folder} cannot be written", f"Make {there} writable, or keep answers with --keep=DIR.")
    try:
        free_bytes = shutil.disk_usage(there).free
    except OSError as error:
        yield warning("disk", f"cannot be looked at: {error.strerror}", "See whether the disk is mounted.")
        return
    found = f"{free_bytes / 2**30:.1f} GiB free at {there}"
    little = free_bytes < LITTLE_BYTES
    yield warning("disk", found, "Free some space.") if little else ok("disk", found)


def _ty() -> Check:
    found = _version_of(TY.name)
    wanted = next((text for text in requires(PROGRAM) or () if text.startswith("ty==")), "ty")
    if found is None:
        return warning("ty", "not installed beside this Python", f"Install {wanted}.")
    if wanted not in {"ty", f"ty=={found}"}:
        return warning("ty", f"{found}, whose answers were not tried", f"Install {wanted}.")
    return ok("ty", found)


def _found(what: str, name: str, program: Path, root: Path) -> Check:
    """A server that is there; one that stands in the codebase is not run."""
    ours = program.parent == Path(sys.executable).parent  # this program may be installed in the codebase's environment
    if not ours and (program.is_relative_to(root) or program.resolve().is_relative_to(root)):
        return warning(what, f"{program} stands in the codebase", "Take that folder off your PATH.")
    argument = _ASKED_FOR_VERSION.get(name) if name in SERVERS else None
    said = _said_version(program, argument) if argument is not None else _version_of(name)
    if said is None and argument is not None:  # as where it only starts another program, which is missing
        return warning(what, f"{program} does not say its version", f"Install it whole: {SERVERS[name].install}.")
    return ok(what, f"{said or 'its version is not known'}, {program}")


def _program(name: str, root: Path, environ: Mapping[str, str]) -> Path | None:
    """A program on the PATH: not from a folder that depends on where this runs, and not from the codebase."""
    real = Path(os.path.realpath(root))
    folders = [Path(folder) for folder in environ.get("PATH", os.defpath).split(os.pathsep)]
    trusted = [folder for folder in folders if folder.is_absolute() and not folder.resolve().is_relative_to(real)]
    found = shutil.which(name, path=os.pathsep.join(map(str, trusted)))
    return Path(found) if found else None


def _version_of(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _said_version(program: Path, argument: str) -> str | None:
    """The first number with a dot in it that a program says of itself; None where it says none in time."""
    try:
        said = subprocess.run(
            [program, argument],
            cwd="/",  # not in the codebase, which may say which version is run
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    number = re.search(rb"\d+(?:\.\d+)+[\w.+-]*", said.stdout)
    return number[0].decode() if number else None
