"""From a scenario that fails to the smallest one that still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import attrs

from tidepool.testing.codebases import Codebase
from tidepool.testing.faults import Endless, Fault
from tidepool.testing.simulation import Cast, Outcome, Scenario, play

T = TypeVar("T")

MOST_PLAYS: Final = 2_000
"""How many scenarios are tried; at some milliseconds each, whoever waits for the story waits seconds."""


def shrink(outcome: Outcome, cast: Cast, play: Callable[[Scenario, Cast], Outcome] = play) -> Outcome:
    """The smallest scenario that breaks what this one breaks first: fewer faults, a smaller codebase and budget.

    It is smallest in that nothing more can be left out of it or made less by one step: delta debugging. Where a smaller
    one never ends, that is as far as it goes.

    Args:
        play: plays a scenario.
    """
    if not outcome.broken:
        return outcome
    promise = next(iter(outcome.broken))
    plays = 0
    smaller: Outcome | None = outcome
    while smaller is not None:
        outcome, smaller = smaller, None
        for scenario in _smaller(outcome.scenario):
            plays += 1
            if plays > MOST_PLAYS:
                return outcome
            tried = play(scenario, cast)
            if promise in tried.broken:
                smaller = tried
                break
            if isinstance(tried.run.ended, Endless):
                return outcome
    return outcome


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Scenarios that are one step smaller, the largest steps first."""
    for plan in _without_some(scenario.plan):
        yield attrs.evolve(scenario, plan=plan)
    for codebase in _smaller_codebases(scenario.codebase):
        yield attrs.evolve(scenario, codebase=codebase)
    for budget in range(min(scenario.query.budget_nodes, 20)):
        yield attrs.evolve(scenario, query=attrs.evolve(scenario.query, budget_nodes=budget))
    if scenario.query.tags:
        yield attrs.evolve(scenario, query=attrs.evolve(scenario.query, tags=()))
    if scenario.rounds:
        yield attrs.evolve(scenario, rounds=False)
    for place, fault in enumerate(scenario.plan):
        for lesser in _lesser(fault, scenario.plan):
            yield attrs.evolve(scenario, plan=(*scenario.plan[:place], lesser, *scenario.plan[place + 1 :]))


def _without_some(whole: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Nothing of a sequence, then all but one of its halves, its quarters, and so on down to single members."""
    size = len(whole)
    while size:
        for start in range(0, len(whole), size):
            yield (*whole[:start], *whole[start + size :])
        size //= 2


def _smaller_codebases(codebase: Codebase) -> Iterator[Codebase]:
    for fewer_files in _without_some(codebase.parts):
        yield attrs.evolve(codebase, parts=fewer_files)
    for place, (path, parts) in enumerate(codebase.parts):
        for fewer in _without_some(parts) if len(parts) > 1 else ():
            yield attrs.evolve(codebase, parts=(*codebase.parts[:place], (path, fewer), *codebase.parts[place + 1 :]))


def _lesser(fault: Fault, plan: Sequence[Fault]) -> Iterator[Fault]:
    """The same fault earlier, or sooner."""
    taken = {(other.operation, other.nth) for other in plan}
    for nth in range(fault.nth):
        if (fault.operation, nth) not in taken:
            yield attrs.evolve(fault, nth=nth)
    for seconds in (0.0, 1.0):
        if fault.seconds > seconds:
            yield attrs.evolve(fault, seconds=seconds)
            return
