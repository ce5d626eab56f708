"""Where the codebases of a build are asked: side by side in this process; over many machines is `on_ray`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from interpreters.edge.dataset.rounds import Heard


class Job(Protocol):
    """A codebase's part of the work: it goes on behind what its journal holds, and writes down what it does."""

    async def play(self, heard: Heard, /) -> None:
        """Do it, telling every line."""


Engine: TypeAlias = Callable[[Sequence[Job], Heard], Awaitable[None]]
"""Plays jobs, in any order and as many at a time as it likes."""


def side_by_side(jobs: int) -> Engine:
    """In this process, so many codebases at a time, each with a language server of its own."""

    async def engine(parts: Sequence[Job], heard: Heard) -> None:
        room = asyncio.Semaphore(jobs)

        async def one(part: Job) -> None:
            async with room:
                await part.play(heard)

        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(one(part))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    return engine
