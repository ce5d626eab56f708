"""A whole exploration against interpreters that misbehave, on a clock that jumps; the same seed gives the same run.

    simulate(7, in_memory, heuristic()).broken         empty, or which promise was broken and how

A seed draws a codebase, a question, a budget and a plan of faults. `play` runs that, and `shrink` finds the smallest
scenario that still breaks the same promise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Final, TypeAlias, get_args

import attrs

from tidepool.domain import ScoutQuery, ScoutResponse, Tag
from tidepool.eff import AsyncHandler, Eff, Handler, lift, run_async
from tidepool.effects.clock import Now
from tidepool.effects.gemma import Gemma
from tidepool.effects.lsp import Lsp, WhatIf
from tidepool.effects.report import Note, Progress
from tidepool.explore import Exploring, explore
from tidepool.tape import Entry, recorded
from tidepool.testing.clock import Deadlock, virtual_loop
from tidepool.testing.codebases import Codebase, draw_codebase
from tidepool.testing.faults import HARMLESS, Endless, Fault, Faults, draw_faults, in_rounds
from tidepool.testing.invariants import INVARIANTS, Invariant, Run, broken

Scorer: TypeAlias = Handler[Gemma] | AsyncHandler[Gemma]
Program: TypeAlias = Callable[[ScoutQuery], Eff[Exploring, ScoutResponse]]

CODEBASES: Final = 256
"""Different codebases that seeds draw from: few enough to be kept, so that most seeds build none."""

BUDGETS: Final = (0, 1, 2, 3, 5, 8, 20, 200)
"""Nodes that may be rated; the last is more than any of the codebases has."""

MOST_OPERATIONS: Final = 3_000
"""What an exploration may ask: some ten times what any asks of these codebases when nothing goes wrong."""

START: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)

OPERATIONS: Final = tuple(
    sorted((*get_args(Lsp), WhatIf, WhatIf, Gemma, Gemma, Gemma, Gemma, Now, Note, Progress), key=str)
)
"""What faults are drawn for: what all turns around as often as several of the others."""


@attrs.frozen
class Scenario:
    """Everything a run depends on.

    Attributes:
        rounds: whether the scorer is asked for a whole round at once.
    """

    seed: int
    codebase: Codebase
    query: ScoutQuery
    plan: tuple[Fault, ...]
    rounds: bool


@attrs.frozen
class Cast:
    """Who plays: healthy interpreters and the program that is run with them.

    Attributes:
        lsp: answers about the files that it is given.
        gemma: the scorer; or, given the faults of a run, one whose insides they are in.
        may_wait_s: how long the interpreters wait by themselves at most, in virtual seconds.
        promises: what is checked besides the invariants, by name.
    """

    lsp: Callable[[Mapping[str, str]], Handler[Lsp] | AsyncHandler[Lsp]]
    gemma: Scorer | Callable[[Faults], Scorer]
    program: Program = explore
    may_wait_s: float = 0.0
    promises: Mapping[str, Invariant] = attrs.field(factory=dict)


@attrs.frozen
class Outcome:
    """What came of a scenario.

    Attributes:
        done: the faults of the plan that were done.
        broken: what is wrong, by the invariant that is broken.
    """

    scenario: Scenario
    run: Run
    done: tuple[Fault, ...]
    broken: Mapping[str, str]


def simulate(
    seed: int,
    lsp: Callable[[Mapping[str, str]], Handler[Lsp] | AsyncHandler[Lsp]],
    gemma: Scorer | Callable[[Faults], Scorer],
    *,
    program: Program = explore,
    may_wait_s: float = 0.0,
) -> Outcome:
    """Run what a seed draws, and check every invariant.

    Args:
        lsp: answers about the files that it is given; `interpreters.in_memory` is one.
        gemma: a healthy scorer; or a function of a run's faults to one that has them inside.
        program: what is run: `explore`, or one of one's own that promises the same.
        may_wait_s: how long the interpreters wait by themselves at most, in virtual seconds.
    """
    return play(draw_scenario(seed), Cast(lsp, gemma, program, may_wait_s))


def draw_scenario(seed: int) -> Scenario:
    """What a seed stands for."""
    dice = Random(seed)  # noqa: S311 - dice that always fall the same way
    codebase = _codebase(dice.randrange(CODEBASES))
    query = ScoutQuery(
        dice.choice(codebase.questions),
        tuple(dice.sample([*Tag], dice.choice((0, 0, 0, 1, 2)))),
        dice.choice(BUDGETS),
        keep_examples=dice.random() < 0.75,
        verify=dice.random() < 0.5,
    )
    return Scenario(seed, codebase, query, draw_faults(dice, OPERATIONS), dice.random() < 0.5)


@lru_cache(maxsize=CODEBASES)
def _codebase(number: int) -> Codebase:
    return draw_codebase(Random(number))  # noqa: S311 - dice that always fall the same way


def play(scenario: Scenario, cast: Cast) -> Outcome:
    """Run a scenario and check every invariant."""
    outcome = _play(scenario, cast)
    if outcome.broken or not outcome.done or any(fault.deed not in HARMLESS for fault in outcome.done):
        return outcome
    undisturbed = _play(attrs.evolve(scenario, plan=()), cast).run.ended
    run = attrs.evolve(outcome.run, undisturbed=undisturbed)
    return attrs.evolve(outcome, run=run, broken=broken(run))


def _play(scenario: Scenario, cast: Cast) -> Outcome:
    faults = Faults(scenario.plan, most_operations=MOST_OPERATIONS)
    tape: list[Entry] = []
    complaints: list[str] = []
    stopped: list[bool] = []
    loop = virtual_loop()
    try:
        loop.set_exception_handler(lambda _, context: complaints.append(str(context["message"])))
        prog = recorded(cast.program(scenario.query), tape.append)
        task = loop.create_task(run_async(prog, _handlers(scenario, cast, faults)))
        faults.cancel = lambda: stopped.append(task.cancel())
        ended = _ended(loop, task)
        seconds = loop.time()
        for timer in faults.timers:
            timer.cancel()
        residue = [*_residue(loop), *complaints]
    finally:
        loop.close()
    may_take_s = sum(fault.seconds for fault in faults.done) + cast.may_wait_s
    run = Run(scenario.query, faults.asked, tape, ended, any(stopped), residue, None, seconds, may_take_s + 1e-6)
    return Outcome(scenario, run, tuple(faults.done), broken(run, {**INVARIANTS, **cast.promises}))


def _handlers(scenario: Scenario, cast: Cast, faults: Faults) -> AsyncHandler[Exploring]:
    lsp = faults.around(cast.lsp(scenario.codebase.files), "the language server")
    clock = faults.around(Now.by(lambda _: START))
    report = faults.around(Progress.by(lambda _: None) | Note.by(lambda _: None))
    return lsp | _scorer(scenario, cast, faults) | clock | report


def _scorer(scenario: Scenario, cast: Cast, faults: Faults) -> AsyncHandler[Gemma]:
    if not isinstance(cast.gemma, Handler | AsyncHandler):
        return lift(cast.gemma(faults))
    return faults.around(in_rounds(cast.gemma) if scenario.rounds else cast.gemma, "the scorer")


def _ended(loop: asyncio.AbstractEventLoop, task: asyncio.Task[ScoutResponse]) -> ScoutResponse | BaseException:
    try:
        return loop.run_until_complete(task)
    except (Exception, asyncio.CancelledError, Endless) as error:  # noqa: BLE001 - which errors may come is what is checked
        return error


def _residue(loop: asyncio.AbstractEventLoop) -> list[str]:
    """What a run left in its loop: tasks, and timers, which make the clock jump once more."""
    left = [f"a task in {getattr(task.get_coro(), '__qualname__', '?')}" for task in asyncio.all_tasks(loop)]
    before = loop.time()
    with suppress(Deadlock):
        loop.run_until_complete(loop.create_future())
    if loop.time() > before:
        left.append(f"a timer for {loop.time() - before:g} s")
    if tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        with suppress(Deadlock):
            loop.run_until_complete(asyncio.wait(tasks))
    return left
