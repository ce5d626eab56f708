"""Where a broker is found: a socket in a folder that only its user can open, named after what the broker answers for.

One broker answers for one way of starting a language server: the root, the command, what it is told, the environment
that imports come from, and the version of this program. Whoever would start another one, finds another broker.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import attrs

import interpreters
import tidepool
from interpreters.edge.warm.folder import SUFFIX, folder_of
from interpreters.lsp.life import Launch

NAME_DIGITS: Final = 20
"""Of a hash: a socket's path may have 107 characters on Linux."""

_TELLING: Final = ("PYTHONPATH", "VIRTUAL_ENV", "HOME", "XDG_CONFIG_HOME")
"""The variables on which it depends how a server reads a codebase."""


@attrs.frozen
class Place:
    """A broker's files.

    Attributes:
        lock: held by the broker for as long as it lives, so that there is one.
        log: what went wrong.
    """

    socket: Path
    lock: Path
    log: Path


def place_of(launch: Launch, environ: Mapping[str, str]) -> Place:
    """Where the broker is, or would be, that answers for such a server.

    Raises:
        ConfigError: there is no folder that only this user can open.
    """
    return place_at(folder_of(environ) / f"{_name(launch)}{SUFFIX}")


def place_at(socket: Path) -> Place:
    """The files of the broker that listens there."""
    return Place(socket, socket.with_suffix(".lock"), socket.with_suffix(".log"))


def _name(launch: Launch) -> str:
    told = {
        "root": str(launch.codebase.root),
        "command": launch.command,
        "options": launch.options,
        "settings": launch.settings,
        "environ": {name: launch.environ.get(name) for name in _TELLING},
        "watched": launch.watched,
        "program": (sys.prefix, sys.version, version("semantic-scout"), _newest_source_ns()),
    }
    text = json.dumps(told, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:NAME_DIGITS]


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


@cache
def _newest_source_ns() -> int:
    """When this program's own files were last changed: a broker that runs older ones would answer otherwise."""
    folders = [Path(str(package.__file__)).parent for package in (interpreters, tidepool)]
    files = (Path(above, name) for folder in folders for above, _, names in os.walk(folder) for name in names)
    return max((file.stat().st_mtime_ns for file in files if file.suffix == ".py"), default=0)
