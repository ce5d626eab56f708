"""Which codebases may be asked about: those that were named at the start, by their real paths, and no other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from interpreters.edge.printing import printable
from tidepool.errors import ConfigError

SHOWN: Final = 200
"""Characters of a path that an error repeats."""


@attrs.frozen
class Roots:
    """The folders that may be asked about, each by its real path; the first is meant where none is named."""

    allowed: tuple[Path, ...]

    def find(self, named: str | None) -> Path:
        """The allowed folder of that path or, where only one has it, of that last name.

        Raises:
            ConfigError: it is none of them, or has been replaced by a link to somewhere else since.
        """
        found = self.allowed[0] if named is None else self._named(named)
        if Path(os.path.realpath(found)) != found:
            raise ConfigError(f"{found} leads somewhere else than when this server was started: start it again")
        return found

    def _named(self, named: str) -> Path:
        if (real := _real(named)) in self.allowed:
            return real
        alike = [root for root in self.allowed if root.name == named]
        if len(alike) == 1:
            return alike[0]
        known = ", ".join(map(str, self.allowed))
        raise ConfigError(f"{printable(named[:SHOWN])!r} is not one of the allowed roots: name one of {known}")


def allow(named: Sequence[Path]) -> Roots:
    """The folders that were named, once each; the current one where none was.

    Raises:
        ConfigError: one is no folder.
    """
    for path in named:
        if not path.is_dir():
            raise ConfigError(f"{path} is not a folder: name the codebase with --root")
    return Roots(tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in named or [Path()])))


def _real(named: str) -> Path | None:
    try:
        return Path(os.path.realpath(named)) if os.path.isabs(named) else None  # noqa: PTH117 - it may be no path at all
    except (OSError, ValueError):
        return None
