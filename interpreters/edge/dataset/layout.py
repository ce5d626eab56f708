"""The folder that a build works in: where its codebases lie, what they gave so far, and what it is a build of.

It stands beside the set, so that the set itself appears whole, at the end. One build works in it at a time.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Final

import attrs

from interpreters.edge.dataset.archives import unpack
from interpreters.edge.dataset.harvest import PYTHON, Codebase, read_sources
from interpreters.edge.dataset.origin import origin_of
from interpreters.edge.dataset.spec import Origin
from interpreters.git import open_repository
from interpreters.lsp.project import check_root
from tidepool.errors import ConfigError

PLAN: Final = "plan.json"


@attrs.frozen
class Work:
    """A build's folder."""

    folder: Path

    def journals(self, name: str) -> Path:
        """Where the journals of a codebase lie."""
        return self.folder / "journals" / name

    def hold_to(self, plan: str) -> None:
        """Remember what is built, or find it to be the same as before.

        Raises:
            ConfigError: the folder holds a part of another build.
        """
        file = self.folder / PLAN
        if not file.exists():
            _write(file, plan)
        if file.read_text(encoding="utf-8") != plan:
            raise ConfigError(
                f"{self.folder} holds a part of another build, of other sources, or by another version:"
                " remove it, or build into another folder"
            )

    def lay_out(self, origin: Origin) -> Codebase:
        """A codebase as a folder, unpacked or checked out if need be, once.

        Raises:
            ConfigError: it cannot be, or holds no Python.
        """
        commit = _commit(origin)
        root = check_root(self._root(origin, commit), PYTHON)
        name = origin.name or root.name
        said = origin_of(name, root, read_sources(root), origin.licence)
        return Codebase(name, root, attrs.evolve(said, revision=commit or said.revision))

    def _root(self, origin: Origin, commit: str) -> Path:
        if origin.path is not None:
            return Path(origin.path)
        tree = self.folder / "codebases" / (origin.name or "")
        if not tree.exists():
            half = tree.with_name(f".{tree.name}")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            _fetch(origin, commit, half)
            half.rename(tree)
        inside = list(tree.iterdir())
        return inside[0] if origin.archive and len(inside) == 1 and inside[0].is_dir() else tree


def _commit(origin: Origin) -> str:
    """The commit that a repository's revision names, or ""."""
    if origin.git is None:
        return ""
    with open_repository(Path(origin.git)) as repository:
        return repository.resolve(origin.revision)


def _fetch(origin: Origin, commit: str, folder: Path) -> None:
    if origin.archive is not None:
        unpack(Path(origin.archive), folder)
    elif origin.git is not None:
        with open_repository(Path(origin.git)) as repository:
            repository.check_out(commit, folder)


@contextmanager
def working(out: Path) -> Generator[Work]:
    """The folder in which the set at `out` is built; nobody else builds it meanwhile.

    Raises:
        ConfigError: it cannot be made, or somebody does.
    """
    folder = out.absolute().with_name(f"{out.absolute().name}.work")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            flock(lock, LOCK_EX | LOCK_NB)
            yield Work(folder)
    except BlockingIOError as error:
        raise ConfigError(f"{out} is being built by another process: wait for it, or end it") from error
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used ({error.strerror}): build into another folder") from error


def remove(work: Work) -> None:
    """Remove a build's folder, as far as it can be."""
    with suppress(OSError):
        shutil.rmtree(work.folder)


def _write(file: Path, text: str) -> None:
    half = file.with_name(f".{file.name}")
    half.write_text(text, encoding="utf-8")
    half.rename(file)
