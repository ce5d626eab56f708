"""Which files have changed on disk since a server read them: it looks at none again unless it is told to.

A server reads a file when it first needs it, and that is not known here. So a file counts as changed when it is
younger than the server, or not as it was when it was looked at before. What changes between a look and a question is
noticed at the next one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from interpreters.lsp.codebase import uri_of
from interpreters.lsp.project import source_files

Stamp: TypeAlias = tuple[int, int, int]
"""A file's identity, size and time of change, in nanoseconds."""

_CREATED: Final = 1
_CHANGED: Final = 2
_DELETED: Final = 3


class Stamps:
    """The files as they were when they were last looked at, since a server began."""

    def __init__(self) -> None:
        self._known: dict[str, Stamp] = {}
        self._all = False
        self._began_ns = time.time_ns()

    def news(self, found: Mapping[str, Stamp], *, everywhere: bool) -> list[dict[str, Any]]:
        """What has changed, as `workspace/didChangeWatchedFiles` tells it; from now on it is known.

        Args:
            found: the files as they are, by their full paths.
            everywhere: whether these are all: what was known and is not among them is gone.
        """
        changes = {
            full: _CHANGED if full in self._known else _CREATED
            for full, stamp in found.items()
            if self._is_news(full, stamp)
        }
        if everywhere:
            changes |= dict.fromkeys(self._known.keys() - found.keys(), _DELETED)
            self._known, self._all = dict(found), True
        else:
            self._known.update(found)
        return [{"uri": uri_of(full), "type": change} for full, change in sorted(changes.items())]

    def _is_news(self, full: str, stamp: Stamp) -> bool:
        known = self._known.get(full)
        return known != stamp if known is not None or self._all else stamp[2] >= self._began_ns


def look_at(files: Iterable[str]) -> dict[str, Stamp]:
    """How some files are; those that are not there are left out."""
    found: dict[str, Stamp] = {}
    for full in files:
        try:
            status = os.lstat(full)
        except OSError:
            continue
        found[full] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def look_everywhere(root: Path, suffixes: tuple[str, ...]) -> dict[str, Stamp]:
    """How all source files under a root are."""
    return look_at(str(file) for file in source_files(root, suffixes))
