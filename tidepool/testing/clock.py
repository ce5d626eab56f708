"""An event loop whose clock jumps: what waits an hour there takes no time here.

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(asyncio.sleep(3600))

When nothing is ready, the clock is set to the next timer. So a run is as fast as its computing, and the same every
time: nothing in it depends on how fast the machine is. Where there is no timer either, the run would wait for ever,
and `Deadlock` is raised instead.
"""

from __future__ import annotations

import asyncio
from selectors import SelectorKey, SelectSelector


class Deadlock(RuntimeError):
    """Everything waits, and no timer runs that could end it: the program waits for what never comes.

    What comes from a socket, a thread or a process never does: an interpreter waits by asyncio's timers alone here.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"everything waits for what never comes, after {seconds:g} s of virtual time: "
            "what is simulated is to wait by asyncio's timers alone"
        )


def virtual_loop() -> asyncio.SelectorEventLoop:
    """An event loop whose clock starts at 0 s and jumps; sockets, threads and processes never wake it."""
    return _VirtualLoop(_JumpingSelector())


class _JumpingSelector(SelectSelector):
    """Waits for nothing outside; whoever would wait for some seconds is told that they have passed."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None:
            raise Deadlock(self.seconds)
        self.seconds += max(0.0, timeout)
        return []


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _JumpingSelector) -> None:
        self._jumping = selector
        super().__init__(selector)

    def time(self) -> float:
        return self._jumping.seconds
