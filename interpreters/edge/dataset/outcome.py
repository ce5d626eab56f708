"""How a verb ends: every error in one sentence, every ending by its own exit code, also where it is told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from interpreters.edge.ending import TERMINATED
from interpreters.edge.printing import printable
from tidepool.errors import ConfigError, InterpreterError

DONE: Final = 0
USAGE: Final = 2
NOTHING: Final = 3
NO_SERVER: Final = 4
INTERRUPTED: Final = 130


class Terminated(BaseException):
    """The process was told to end; what is open is closed on the way out."""


def outcome(verb: str, work: Callable[[], int], command: str = "dataset") -> int:
    """The exit code of a verb's work, which ends in order where it fails or is told to end.

    Args:
        command: the one that the verb is of.
    """
    try:
        with _ending_in_order():
            return work()
    except ConfigError as error:
        return say(verb, error, USAGE, command)
    except InterpreterError as error:
        return say(verb, error, NO_SERVER, command)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Terminated, asyncio.CancelledError):
        return TERMINATED


def say(verb: str, what: object, code: int = DONE, command: str = "dataset") -> int:
    """Tell on standard error, and answer the exit code."""
    print(f"tidepool {command} {verb}: {printable(str(what))}", file=sys.stderr)
    return code


@contextmanager
def _ending_in_order() -> Generator[None]:
    told = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
    before: list[tuple[int, Any]] = [(number, signal.signal(number, _terminate)) for number in told]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
