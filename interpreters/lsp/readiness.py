"""Whether a server has read the codebase: a question of its own, since most answer before they have, with nothing.

What is asked for are landmarks: names that are known to be defined, since they were read in the files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from interpreters.lsp.framing import TimedOut
from interpreters.lsp.life import Life
from interpreters.lsp.servers import Server
from tidepool.errors import BadAnswer, Unavailable

_PAUSE_S: Final = 0.5  # between two looks at a server that is still reading
_PATIENCE: Final = 6  # equal looks in a row before a server is believed that does not find all of the landmarks


async def wait_until_read(life: Life, server: Server, landmarks: Mapping[str, str], timeout_s: float) -> None:
    """Wait until what a server finds of the landmarks, and how much, no longer changes.

    Args:
        landmarks: the file of each name. Some may stay unknown for ever: a server may leave out a file on purpose.
        timeout_s: since the beginning of the server's life.

    Raises:
        Unavailable: the time is up.
    """
    names = list(landmarks) if life.knows("workspace/symbol") else []
    with suppress(BadAnswer):  # it may have been deleted since
        for path in list(landmarks.values())[:1]:
            life.show(path)  # some servers look for a codebase only around a file that is open
    previous: list[int] = []
    looks = 0
    while True:
        left_s = life.began_s + timeout_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            why = f"had not read the codebase after {timeout_s:g} s"
            raise Unavailable(server.name, f"{why}; allow it more time, or ask about a smaller root")
        found = [await _count(life, name, left_s) for name in names]
        looks = looks + 1 if found == previous else 1
        previous = found
        if looks >= (2 if all(found) else _PATIENCE) and (any(found) or not names) and not life.conversation.working:
            return
        await asyncio.sleep(_PAUSE_S)


def size(answer: Any) -> int:
    """How much a server found."""
    return len(answer) if isinstance(answer, list) else 0


async def _count(life: Life, name: str, timeout_s: float) -> int:
    try:
        return size(await life.ask("workspace/symbol", {"query": name}, timeout_s))
    except TimedOut:
        return 0  # it is busy reading; whoever counts sees that the time is up
