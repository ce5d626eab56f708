"""A time by which an answer is to be there, whatever the world does meanwhile.

    answer = await run_async(explore(query), within(30.0, scorer | world))

No operation is waited for any longer then: it is `OutOfTime`, and `explore` answers what it knows by that time. A
checker that tries an edit is given up half-way there, so that what is known without it can still be rated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import attrs

from tidepool.eff import AsyncHandler, Handler, lift
from tidepool.effects.lsp import WhatIf
from tidepool.errors import InterpreterError, OutOfTime, Unavailable

NAME: Final = "deadline"

E = TypeVar("E")
T = TypeVar("T")


def within(time_s: float, world: Handler[E] | AsyncHandler[E]) -> AsyncHandler[E]:
    """The same answers as the world's, until the time given is over; it runs from this call on.

    Args:
        time_s: seconds for everything that is asked, above 0.

    Raises, in the program that asks:
        OutOfTime: the time is over.
        Unavailable: an edit took half of the time that was left.
    """
    whole, deadline = lift(world), _Deadline(time_s, asyncio.get_running_loop().time() + time_s)
    return AsyncHandler(
        whole.now,
        {kind: deadline.bounded(answer, kind) for kind, answer in whole.later.items()},
        {kind: deadline.bounded(answers, kind) for kind, answers in whole.many.items()},
    )


@attrs.frozen
class _Deadline:
    """How much time there was, and the event loop's time at which it is over, in seconds."""

    time_s: float
    at_s: float

    def bounded(self, answer: Callable[[Any], Awaitable[T]], kind: type) -> Callable[[Any], Awaitable[T]]:
        """The same answer, or the error that says that it was too late for one."""

        async def ask(op: Any | Sequence[Any]) -> T:
            now_s = asyncio.get_running_loop().time()
            if now_s >= self.at_s:
                raise self.over()
            limit = asyncio.timeout_at(self.at_s if kind is not WhatIf else (now_s + self.at_s) / 2)
            try:
                async with limit:
                    return await answer(op)
            except TimeoutError:
                if not limit.expired():
                    raise
                raise self.over() if kind is not WhatIf else self.half_over() from None

        return ask

    def over(self) -> InterpreterError:
        return OutOfTime(NAME, f"the {self.time_s:g} s for the answer were over: allow more time")

    def half_over(self) -> InterpreterError:
        why = f"to check the change took half of what was left of the {self.time_s:g} s for the answer"
        return Unavailable(NAME, f"{why}: allow more time")
