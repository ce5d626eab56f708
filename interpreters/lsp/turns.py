"""Turns at one server: many may ask it side by side, or one is alone with it.

async with turns:                 beside others
async with turns.alone():         when all others are over, and before any other begins
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Turns:
    """Whoever waits to be alone is not overtaken by who comes later. A turn inside of another waits for ever.

    A turn beside others costs next to nothing where nobody is or wants to be alone: every request takes one.
    """

    def __init__(self) -> None:
        self._door = asyncio.Lock()  # held by who is alone, or waits for those inside to leave
        self._inside = 0
        self._left = asyncio.Event()

    async def __aenter__(self) -> None:
        if self._door.locked():
            async with self._door:
                self._inside += 1
        else:
            self._inside += 1

    async def __aexit__(self, *_: object) -> None:
        self._inside -= 1
        if not self._inside:
            self._left.set()

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None, None]:
        """A turn without others."""
        async with self._door:
            while self._inside:
                self._left.clear()
                await self._left.wait()
            yield
