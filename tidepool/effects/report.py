"""`Report`: tell whoever is watching how far a program is, and what they should know."""

from __future__ import annotations

from typing import TypeAlias

from tidepool.eff import Op, operation


@operation
class Progress(Op[None]):
    """So many of so many steps are done; `total` may grow as work is discovered."""

    done: int
    total: int
    doing: str


@operation
class Note(Op[None]):
    """Something a person should know about the answer, in one sentence."""

    text: str


Report: TypeAlias = Progress | Note


def progress(done: int, total: int, doing: str) -> Progress:
    """So many of so many steps are done."""
    return Progress(done, total, doing)


def note(text: str) -> Note:
    """Something a person should know about the answer."""
    return Note(text)
