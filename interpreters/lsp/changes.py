"""When the files of a codebase change on disk: they are looked at again and again.

Links are not followed, and what is no part of the codebase is not looked at, as where a server is told of changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from interpreters.lsp.project import SETTINGS_FILES
from interpreters.lsp.stamps import Stamp, look_at, look_everywhere
from tidepool.errors import ConfigError

Look: TypeAlias = Mapping[str, Stamp]
"""How the files were at one moment, by their full paths."""

PAUSE_S: Final = 0.5
"""Between two looks. One at the 1,100 files of mypy's sources takes about 8 ms."""

QUIET_S: Final = 0.2
"""How long nothing may change before what changed counts as one change: a checkout writes for as long as it takes."""

MOST_QUIET_LOOKS: Final = 50
"""After this many looks in which something changed it is no more waited for quiet: something writes all the time."""


async def look(root: Path, suffixes: tuple[str, ...]) -> Look:
    """How the source files and the settings of a codebase are now.

    Raises:
        ConfigError: the root is gone.
    """
    return await asyncio.to_thread(_look, root, suffixes)


async def changed(root: Path, suffixes: tuple[str, ...], before: Look) -> None:
    """Wait until the codebase is otherwise than at an earlier look, and has been left alone for a moment.

    Raises:
        ConfigError: the root is gone.
    """
    while (now := await look(root, suffixes)) == before:  # noqa: ASYNC110 - nobody tells when a file changes
        await asyncio.sleep(PAUSE_S)
    for _ in range(MOST_QUIET_LOOKS):
        await asyncio.sleep(QUIET_S)
        last, now = now, await look(root, suffixes)
        if last == now:
            return


def _look(root: Path, suffixes: tuple[str, ...]) -> Look:
    found = look_everywhere(root, suffixes) | look_at(str(root / name) for name in SETTINGS_FILES)
    if not root.is_dir():
        raise ConfigError(f"{root} is there no more: watch another folder with --root")
    return found
