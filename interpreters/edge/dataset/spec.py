"""What `tidepool dataset build` is told to build: a file in TOML.

    examples = 10000
    labels = "mixed"

    [[codebase]]
    path = "../shop"

    [[codebase]]
    git = "../bank.git"
    revision = "v2.1"
    commits = 500

What is wrong in it is told with the key and with what may stand there.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, Final

import attrs

from tidepool.errors import ConfigError, InvalidData
from tidepool.training.labels import Labels
from tidepool.training.splits import SPLITS
from tidepool.wire import from_wire, read_object, to_wire

MOST_JOBS: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@attrs.frozen
class Origin:
    """A codebase of the file.

    Attributes:
        path: a folder, or None; as `git` and `archive`, relative to the file.
        git: a repository, or None.
        archive: a `.tar`, `.tar.gz`, `.tar.bz2`, `.tar.xz` or `.zip`, or None.
        name: as the examples call it; None for the last part of where it lies.
        revision: a repository's.
        commits: how many of a repository's commits are looked at for what broke in its history.
        licence: as its owners name it; None for what it says itself.
        program: what kind of program it is, for the card.
        python: the environment that its imports come from; None for the one that is found.
        split: which split it is to be in; None for whichever the seed says.
    """

    path: str | None = None
    git: str | None = None
    archive: str | None = None
    name: str | None = None
    revision: str = "HEAD"
    commits: int = 0
    licence: str | None = None
    program: str = ""
    python: str | None = None
    split: str | None = None

    @property
    def lies_at(self) -> str:
        """Where it is, as the file says."""
        return self.path or self.git or self.archive or ""


@attrs.frozen
class Spec:
    """What to build.

    Attributes:
        examples: how many.
        labels: who labels them.
        seed: chooses the questions, the splits and the examples.
        validation: the share of codebases held out for choosing among models, from 0 to below 1.
        test: the share held out for the last word.
        jobs: how many codebases are asked at the same time.
        timeout_s: for a language server's start and each of its answers.
        codebase: where the examples come from, one at least.
    """

    examples: int = 10_000
    labels: str = "mixed"
    seed: int = 0
    validation: float = 0.1
    test: float = 0.2
    jobs: int = 2
    timeout_s: float = 60.0
    codebase: tuple[Origin, ...] = ()


def read_spec(file: Path) -> Spec:
    """The file's contents, with the codebases' names and absolute paths filled in.

    Raises:
        ConfigError: it cannot be read, or says what cannot be built.
    """
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        spec = _spec(data)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}): name the file that says what to build") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{file} is no TOML ({error}): correct it") from error
    except InvalidData as error:
        raise ConfigError(f"{file}: {error}") from error
    spec = attrs.evolve(spec, codebase=tuple(_placed(one, file.absolute().parent) for one in spec.codebase))
    names = Counter(one.name for one in spec.codebase)
    if shared := [name for name, count in names.items() if count > 1]:
        raise ConfigError(f"{file}: two codebases are called {shared[0]}: give one of them another name")
    return spec


def _spec(data: dict[str, Any]) -> Spec:
    known = to_wire(Spec())
    given = known | _known_only(data, known, "")
    listed = given["codebase"]
    if not isinstance(listed, list) or not listed:
        raise InvalidData("codebase", listed, "one table [[codebase]] at least")
    given["codebase"] = [_origin(one, f"codebase[{number}]") for number, one in enumerate(listed)]
    for share in ("validation", "test", "timeout_s"):
        given[share] = float(given[share]) if type(given[share]) is int else given[share]
    spec = from_wire(Spec, given)
    _require(spec.labels in set(Labels), "labels", spec.labels, f"one of {', '.join(Labels)}")
    _require(spec.examples > 0, "examples", spec.examples, "a whole number from 1")
    _require(0 < spec.jobs <= MOST_JOBS, "jobs", spec.jobs, f"a whole number from 1 to {MOST_JOBS}")
    _require(0 < spec.timeout_s < 86_400, "timeout_s", spec.timeout_s, "a number of seconds above 0 and below a day")
    for share, value in (("validation", spec.validation), ("test", spec.test)):
        _require(value >= 0 and spec.validation + spec.test < 1, share, value, "shares from 0, below 1 together")
    return spec


def _origin(data: Any, field: str) -> dict[str, Any]:
    known = to_wire(Origin())
    given: dict[str, Any] = known | _known_only(data, known, field)
    places = [key for key in ("path", "git", "archive") if given[key] is not None]
    _require(len(places) == 1, field, places, "one of path, git and archive")
    _require(given["split"] in (None, *SPLITS), f"{field}.split", given["split"], f"one of {', '.join(SPLITS)}")
    return given


def _known_only(data: Any, known: dict[str, Any], field: str) -> dict[str, Any]:
    """The keys that were given, each of them known."""
    try:
        read_object(data, tuple(known), field)
    except InvalidData as error:
        raise InvalidData(".".join(filter(None, (field, error.field))), error.value, error.allowed) from None
    return dict(data)


def _placed(origin: Origin, folder: Path) -> Origin:
    lies_at = (folder / Path(origin.lies_at).expanduser()).resolve()
    name = origin.name or re.sub(r"(\.tar)?\.\w+$", "", lies_at.name) or lies_at.name
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{lies_at.name} is no name for a codebase: give it one of letters, digits, `.`, `_` and `-`")
    python = str((folder / Path(origin.python).expanduser()).absolute()) if origin.python else None
    placed = attrs.evolve(origin, name=name, python=python)
    if origin.path is not None:
        return attrs.evolve(placed, path=str(lies_at))
    return attrs.evolve(placed, git=str(lies_at)) if origin.git else attrs.evolve(placed, archive=str(lies_at))


def _require(holds: bool, field: str, value: object, allowed: str) -> None:
    if not holds:
        raise InvalidData(field, value, allowed)
