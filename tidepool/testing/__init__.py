"""For whoever writes an interpreter: a simulator in which everything fails on purpose, and laws of scorers.

    simulate(7, in_memory, RateNode.by(mine)).broken        empty, or what broke under seed 7

The names a user needs most are here; each is imported from its module when it is first used. `tidepool.testing.laws`
needs Hypothesis, the extra `testing`; everything else needs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tidepool.testing.clock import Deadlock as Deadlock
    from tidepool.testing.clock import virtual_loop as virtual_loop
    from tidepool.testing.faults import Deed as Deed
    from tidepool.testing.faults import Fault as Fault
    from tidepool.testing.faults import Faults as Faults
    from tidepool.testing.invariants import INVARIANTS as INVARIANTS
    from tidepool.testing.invariants import Run as Run
    from tidepool.testing.laws import check_scorer as check_scorer
    from tidepool.testing.shrinking import shrink as shrink
    from tidepool.testing.simulation import Cast as Cast
    from tidepool.testing.simulation import Outcome as Outcome
    from tidepool.testing.simulation import Scenario as Scenario
    from tidepool.testing.simulation import draw_scenario as draw_scenario
    from tidepool.testing.simulation import play as play
    from tidepool.testing.simulation import simulate as simulate
    from tidepool.testing.telling import told as told

_HOME_OF: Final = {
    "Deadlock": "tidepool.testing.clock",
    "virtual_loop": "tidepool.testing.clock",
    "Deed": "tidepool.testing.faults",
    "Fault": "tidepool.testing.faults",
    "Faults": "tidepool.testing.faults",
    "INVARIANTS": "tidepool.testing.invariants",
    "Run": "tidepool.testing.invariants",
    "check_scorer": "tidepool.testing.laws",
    "shrink": "tidepool.testing.shrinking",
    "Cast": "tidepool.testing.simulation",
    "Outcome": "tidepool.testing.simulation",
    "Scenario": "tidepool.testing.simulation",
    "draw_scenario": "tidepool.testing.simulation",
    "play": "tidepool.testing.simulation",
    "simulate": "tidepool.testing.simulation",
    "told": "tidepool.testing.telling",
}

__all__ = [
    "INVARIANTS",
    "Cast",
    "Deadlock",
    "Deed",
    "Fault",
    "Faults",
    "Outcome",
    "Run",
    "Scenario",
    "check_scorer",
    "draw_scenario",
    "play",
    "shrink",
    "simulate",
    "told",
    "virtual_loop",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
