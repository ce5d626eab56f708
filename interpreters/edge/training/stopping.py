"""Ending long work where it may be ended: a signal is remembered, and asked for between two steps."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import attrs

STOPPING: Final = ("SIGINT", "SIGTERM", "SIGHUP")


@attrs.define
class Stop:
    """Whether work is to end.

    Attributes:
        by: the number of the signal that said so, or None.
    """

    by: int | None = None


@contextmanager
def told_to_stop() -> Generator[Stop]:
    """Remember the first signal. A second one does what it did before, for those who do not want to wait."""
    stop = Stop()
    before: dict[int, Any] = {}

    def remember(number: int, _frame: FrameType | None) -> None:
        stop.by = number
        for one, handler in before.items():
            signal.signal(one, handler)

    for name in STOPPING:
        if (number := getattr(signal, name, None)) is not None:
            before[number] = signal.signal(number, remember)
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
