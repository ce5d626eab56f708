"""An answer that has to be there by a time: what is known by then, and never longer than that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interpreters.clock import stopped_clock
from interpreters.deadline import within
from interpreters.gemma.heuristic import heuristic
from interpreters.gemma.remembered import remembered
from interpreters.lsp.in_memory import in_memory
from interpreters.report import silent
from tidepool.domain import Rubric, ScoutQuery, ScoutResponse, Status
from tidepool.eff import AsyncHandler, Handler, run_async
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import FindSymbol, Hover, References, WhatIf
from tidepool.explore import explore

FIXTURE = Path(__file__).parent / "fixtures" / "llmkind"
LLMKIND = {path.relative_to(FIXTURE).as_posix(): path.read_text() for path in sorted(FIXTURE.rglob("*.py"))}
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
ADD_VARIANT = "What breaks if I add a variant to LLMKind?"
WORLD: Handler[Any] = in_memory(LLMKIND) | stopped_clock(NOON) | silent()


async def never(_: object) -> Any:
    await asyncio.Event().wait()


def ask(
    world: Handler[Any] | AsyncHandler[Any], time_s: float, *, budget: int = 200, verify: bool = False
) -> ScoutResponse:
    async def answer() -> ScoutResponse:
        query = ScoutQuery(ADD_VARIANT, (), budget, keep_examples=True, verify=verify)
        return await run_async(explore(query), within(time_s, world))

    return asyncio.run(answer())


def test_with_enough_time_an_answer_is_the_same_as_without_a_limit() -> None:
    async def unlimited() -> ScoutResponse:
        return await run_async(explore(ScoutQuery(ADD_VARIANT, (), 200, keep_examples=True)), heuristic() | WORLD)

    assert ask(heuristic() | WORLD, 600) == asyncio.run(unlimited())


def test_a_server_that_does_not_even_find_the_definition_in_time_is_not_ready() -> None:
    answer = ask(heuristic() | WORLD | FindSymbol.by_async(never), 0.05)
    assert answer.status is Status.NOT_READY
    assert "the 0.05 s for the answer were over: allow more time" in answer.summary


def test_places_that_nobody_could_be_asked_about_in_time_are_counted() -> None:
    answer = ask(heuristic() | WORLD | References.by_async(never), 0.05)
    assert answer.status is Status.PARTIAL
    assert "deadline: the 0.05 s for the answer were over" in answer.summary


def test_the_time_is_over_is_told_once_however_many_hovers_it_cost() -> None:
    answer = ask(heuristic() | WORLD | Hover.by_async(never), 0.05)
    assert answer.status is Status.PARTIAL
    assert answer.nodes_visited > 0
    assert answer.summary.count("were over") == 1
    assert "what the server says about" not in answer.summary


def test_what_a_scorer_does_not_rate_in_time_is_left_unrated_and_is_no_failure_of_it() -> None:
    asked = 0

    async def first_round_only(_: RateNode) -> Rubric:
        nonlocal asked
        asked += 1
        if asked > 2:
            await asyncio.Event().wait()
        return Rubric(3, 3, 3, "because")

    answer = ask(WORLD | RateNode.by_async(first_round_only), 0.2, budget=4)
    assert (answer.status, answer.nodes_visited) == (Status.PARTIAL, 2)
    whole = ask(heuristic() | WORLD, 600)
    assert answer.nodes_visited + answer.frontier_left <= whole.nodes_visited + whole.frontier_left
    assert answer.frontier_left >= 2


def test_a_checker_takes_half_of_the_time_at_most_and_the_rest_is_rated_without_it() -> None:
    answer = ask(heuristic() | WORLD | WhatIf.by_async(never), 2.0, verify=True)
    assert answer.status is Status.PARTIAL
    assert answer.nodes_visited > 5
    assert "to check the change took half of what was left of the 2 s for the answer" in answer.summary


def test_a_timeout_of_the_world_itself_is_not_taken_for_the_deadline() -> None:
    async def broken(_: object) -> Any:
        raise TimeoutError("a bug")

    with pytest.raises(TimeoutError, match="a bug"):
        ask(heuristic() | WORLD | FindSymbol.by_async(broken), 600)


def test_a_cancellation_goes_through() -> None:
    async def cancelled() -> None:
        query = ScoutQuery(ADD_VARIANT)
        world: AsyncHandler[Any] = within(600, heuristic() | WORLD | FindSymbol.by_async(never))
        task = asyncio.ensure_future(run_async(explore(query), world))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def test_an_answer_is_continued_without_asking_the_scorer_again_what_it_rated() -> None:
    asked: list[str] = []
    rules = heuristic()

    def counting(op: RateNode) -> Rubric:
        asked.append(op.node.location)
        rubric: Rubric = rules(op)
        return rubric

    async def both() -> tuple[ScoutResponse, ScoutResponse]:
        scorer = RateNode.by(counting)
        first = await run_async(explore(ScoutQuery(ADD_VARIANT, (), 6, keep_examples=True)), scorer | WORLD)
        further = remembered(first.training_examples or (), scorer)
        return first, await run_async(explore(ScoutQuery(ADD_VARIANT, (), 200)), further | WORLD)

    first, whole = asyncio.run(both())
    assert first.nodes_visited == 6 < whole.nodes_visited
    assert len(asked) == len(set(asked)) == whole.nodes_visited
    assert whole.pointers == ask(heuristic() | WORLD, 600).pointers
