"""`Clock` answered by the machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime

from tidepool.eff import Handler
from tidepool.effects.clock import Now


def system_clock() -> Handler[Now]:
    """The time now, in UTC and to the second."""
    return Now.by(lambda _: datetime.now(UTC).replace(microsecond=0))


def stopped_clock(at: datetime) -> Handler[Now]:
    """Always the same time: for tests and for answers that must be the same to the byte."""
    return Now.by(lambda _: at)
