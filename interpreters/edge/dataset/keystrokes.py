"""What a person types, key by key: at a terminal without Enter, and from a pipe character by character."""

from __future__ import annotations

import os
import re
import termios
import tty
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

END: Final = "\x04"
"""Ctrl-D, which is not the end of a file where keys are read one by one."""

_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""What a key that is no character sends, such as an arrow; digits may be in it, which nobody typed."""


@contextmanager
def keystrokes(stream: TextIO) -> Generator[Iterator[str]]:
    """The keys typed at a stream, until its end; a terminal is as it was when the block ends, however it ends."""
    descriptor = stream.fileno()
    if not os.isatty(descriptor):
        yield _keys(descriptor)
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield _keys(descriptor)
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _keys(descriptor: int) -> Iterator[str]:
    while data := _read(descriptor):
        for key in _SEQUENCE.sub("", data.decode("utf-8", "replace")):
            if key == END:
                return
            yield key


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1024)
    except OSError:  # the terminal is gone
        return b""
