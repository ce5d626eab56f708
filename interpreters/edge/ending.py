"""How a command ends when it is told to: in order, so that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

TERMINATED: Final = 128 + signal.SIGTERM

T = TypeVar("T")


async def until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Do the work; on SIGTERM or SIGHUP cancel it, as Ctrl-C does by itself. Then they mean what they did before."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}
    with suppress(NotImplementedError, AttributeError):  # Windows has no such handlers, and no SIGHUP
        for number in (signal.SIGTERM, signal.SIGHUP):
            before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    finally:
        for caught, handler in before.items():
            loop.remove_signal_handler(caught)
            signal.signal(caught, handler)
