"""`Clock`: ask for the time, so that programs that stamp what they make can be replayed."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from tidepool.eff import Op, operation


@operation
class Now(Op[datetime]):
    """What time is it? Answered with a time zone."""


Clock: TypeAlias = Now


def now() -> Now:
    """What time is it?"""
    return Now()
