"""The folder in which models are kept: every promoted version, and a pointer to the current one.

    home = Home(folder)
    home.current()                               the current version, or None for the model that is shipped
    with home.held(): home.promote(version, model)

    versions/0001-3f2a91c4/version.json          what it was made from, how it scored, what it followed
    versions/0001-3f2a91c4/model…
    current.json                                 {"version": "0001-3f2a91c4"}

A version appears whole, and the pointer is replaced at once: whenever a process is killed, what is current is whole.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

import attrs

from interpreters.edge.own_data import data_folder
from tidepool.errors import ConfigError, InvalidData
from tidepool.training.promotion import Standing
from tidepool.wire import dumps, loads

_Kind = TypeVar("_Kind")

SHIPPED: Final = "shipped"
"""The name of the model that is part of this program, which is current where no version is."""

VERSION: Final = "version.json"
POINTER: Final = "current.json"
_NAME: Final = re.compile("[0-9]{4,}-[0-9a-f]{8}")


@attrs.frozen
class Version:
    """A model that was promoted.

    Attributes:
        name: of its folder.
        parent: the version that was current when it was promoted, or `shipped`.
        made_at: when, in UTC.
        learner: what trained it.
        seed: of the training.
        data_sha256: of the examples that it was trained on, apart from their times.
        test_sha256: of the examples that it was compared by.
        model: the name of its file.
        model_sha256: of that file.
        standings: how it compared with its parent.
    """

    name: str
    parent: str
    made_at: str
    learner: str
    seed: int
    data_sha256: str
    test_sha256: str
    model: str
    model_sha256: str
    standings: tuple[Standing, ...]


@attrs.frozen
class _Pointer:
    version: str


def own_home(environ: Mapping[str, str]) -> Path:
    """The home in which `--scorer learned` looks for the current version.

    Raises:
        ConfigError: the user has no folder for data.
    """
    folder = data_folder(environ)
    if folder is None:
        raise ConfigError("there is no folder for your data: set XDG_DATA_HOME to one, or name one with --home")
    return folder


def current_model(environ: Mapping[str, str]) -> Path | None:
    """The file of the user's current version, or None for the model that is shipped.

    Raises:
        ConfigError: the pointer, or the version that it points to, cannot be used.
    """
    folder = data_folder(environ)
    if folder is None:
        return None
    home = Home(folder)
    version = home.current()
    return None if version is None else home.model_of(version)


@attrs.frozen
class Home:
    """A folder of versions."""

    folder: Path

    @property
    def _versions(self) -> Path:
        return self.folder / "versions"

    def versions(self, passed_over: Callable[[ConfigError], object]) -> list[Version]:
        """All of them, oldest first.

        Args:
            passed_over: is told of each that cannot be read; it may be another than the current one.
        """
        found: list[Version] = []
        for file in sorted(self._versions.glob(f"[!.]*/{VERSION}")):
            try:
                found.append(self.version(file.parent.name))
            except ConfigError as error:
                passed_over(error)
        return found

    def version(self, name: str) -> Version:
        """A version by its name.

        Raises:
            ConfigError: there is none, or it cannot be read.
        """
        file = self._versions / name / VERSION
        if not _NAME.fullmatch(name) or not file.is_file():
            known = "name one that `tidepool train versions` lists"
            raise ConfigError(f"{self.folder} has no version {name[:40]!r}: {known}")
        version = _read(Version, file)
        if version.name != name:
            raise ConfigError(f"{file} is of another version: go back with `tidepool train rollback NAME`")
        return version

    def model_of(self, version: Version) -> Path:
        """A version's model.

        Raises:
            ConfigError: it is not there, or is not the one that was promoted.
        """
        file = self._versions / version.name / Path(version.model).name
        back = "go back to another version with `tidepool train rollback NAME`"
        if not file.is_file():
            raise ConfigError(f"{file} is gone: {back}")
        if digest_of(file) != version.model_sha256:
            raise ConfigError(f"{file} is damaged, or another model than was promoted: {back}")
        return file

    def current(self) -> Version | None:
        """The current version, or None for the model that is shipped.

        Raises:
            ConfigError: the pointer cannot be read, or points to no version.
        """
        file = self.folder / POINTER
        if not os.path.lexists(file):
            return None
        name = _read(_Pointer, file).version
        return None if name == SHIPPED else self.version(name)

    def point_to(self, name: str) -> None:
        """Make a version the current one, or the model that is shipped.

        Raises:
            ConfigError: there is no such version, or the pointer cannot be written.
        """
        if name != SHIPPED:
            self.model_of(self.version(name))
        with _writing(self.folder):
            _write(self.folder / POINTER, f"{dumps(_Pointer(name))}\n")

    def next_name(self, data_sha256: str) -> str:
        """What a version that is trained on these examples is called."""
        numbers = [int(name.partition("-")[0]) for name in self._names() if _NAME.fullmatch(name)]
        return f"{max(numbers, default=0) + 1:04}-{data_sha256[:8]}"

    def _names(self) -> list[str]:
        return [folder.name for folder in self._versions.glob("[!.]*")]

    def promote(self, version: Version, model: Path) -> None:
        """Keep a version with its model, and make it the current one.

        Raises:
            ConfigError: it cannot be written; the current version stays.
        """
        half, whole = self._versions / f".{version.name}", self._versions / version.name
        with _writing(self.folder):
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            _write_bytes(half / version.model, model.read_bytes())
            _write(half / VERSION, f"{dumps(version, indent=2)}\n")
            _sync(half)
            half.rename(whole)
            _sync(self._versions)
        self.point_to(version.name)

    @contextmanager
    def held(self) -> Generator[None]:
        """Nobody else changes the home while the block lasts.

        Raises:
            ConfigError: somebody does, or it cannot be made.
        """
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("w")
        with lock:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError(f"{self.folder} is used by another process: wait for it, or end it") from error
            yield


def digest_of(file: Path) -> str:
    """The SHA-256 of a file."""
    return sha256(file.read_bytes()).hexdigest()


@contextmanager
def _writing(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"{folder} cannot be written ({why}): make room, or name another with --home") from error


def _read(kind: type[_Kind], file: Path) -> _Kind:
    try:
        return loads(kind, file.read_bytes())
    except (OSError, InvalidData) as error:
        why = error.strerror if isinstance(error, OSError) else error
        mend = "make it readable, or go back with `tidepool train rollback NAME`"
        raise ConfigError(f"{file} cannot be read ({why}): {mend}") from error


def _write(file: Path, text: str) -> None:
    _write_bytes(file, text.encode())
    _sync(file.parent)


def _write_bytes(file: Path, data: bytes) -> None:
    half = file.with_name(f".{file.name}")
    with half.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    half.replace(file)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
