"""Which functions answer which operations, what handlers add up to, and which programs they can run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Never, assert_type

from returns.result import Result, Success

from tidepool.domain import Rubric
from tidepool.eff import AsyncHandler, Eff, Handler, lift, run, run_async
from tidepool.effects.clock import Now
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Hover
from tidepool.errors import Unavailable


def rate(op: RateNode) -> Rubric:
    return Rubric(1, 1, 1, op.node.snippet)


def rate_anything(_: object) -> Rubric:
    return Rubric(1, 1, 1, "")


def rate_in_words(op: RateNode) -> str:
    return op.node.snippet


def hover(op: Hover) -> str | None:
    return op.place.path


def hover_always(op: Hover) -> str:
    return op.place.path


async def rate_later(op: RateNode) -> Rubric:
    return rate(op)


async def rate_many(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, Never]]:
    return [Success(rate(op)) for op in ops]


async def rate_many_or_fail(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, Unavailable]]:
    return [Success(rate(op)) for op in ops]


async def rate_many_in_words(ops: Sequence[RateNode]) -> Sequence[Result[str, Never]]:
    return [Success(op.node.snippet) for op in ops]


def now(_: Now) -> datetime:
    return datetime.now(UTC)


def handlers_of_one_operation() -> None:
    assert_type(RateNode.by(rate), Handler[RateNode])
    assert_type(RateNode.by_async(rate_later), AsyncHandler[RateNode])
    assert_type(RateNode.by_many(rate_many), AsyncHandler[RateNode])
    RateNode.by(rate_anything)
    Hover.by(hover_always)
    RateNode.by(rate_in_words)  # rejected
    RateNode.by(hover)  # rejected
    RateNode.by(rate_later)  # rejected
    RateNode.by_async(rate)  # rejected
    RateNode.by_many(rate_later)  # rejected
    RateNode.by_many(rate_many_in_words)  # rejected
    RateNode.by_many(rate_many_or_fail)  # rejected


def sums() -> None:
    assert_type(RateNode.by(rate) | Hover.by(hover), Handler[RateNode | Hover])
    assert_type(RateNode.by_many(rate_many) | Hover.by(hover), AsyncHandler[RateNode | Hover])
    assert_type(Hover.by(hover) | RateNode.by_many(rate_many), AsyncHandler[Hover | RateNode])
    assert_type(RateNode.by_many(rate_many) | RateNode.by_async(rate_later), AsyncHandler[RateNode])
    assert_type(lift(Hover.by(hover)), AsyncHandler[Hover])


def a_handler_of_more_stands_for_a_handler_of_less(more: Handler[RateNode | Hover]) -> Handler[RateNode]:
    return more


def a_handler_of_less_does_not_stand_for_one_of_more(less: Handler[RateNode]) -> Handler[RateNode | Hover]:
    return less  # rejected


def a_handler_that_awaits_does_not_stand_for_one_that_does_not(later: AsyncHandler[RateNode]) -> Handler[RateNode]:
    return later  # rejected


def program() -> Eff[RateNode | Hover, int]:
    raise NotImplementedError


def runs() -> None:
    both = RateNode.by(rate) | Hover.by(hover)
    assert_type(run(program(), both), int)
    assert_type(run(program(), both | Now.by(now)), int)
    run(program(), RateNode.by(rate))  # rejected
    run(program(), RateNode.by(rate) | Now.by(now))  # rejected
    run(program(), Hover.by(hover) | RateNode.by_async(rate_later))  # rejected
    run(program(), Hover.by(hover) | RateNode.by_many(rate_many))  # rejected


async def runs_async() -> None:
    assert_type(await run_async(program(), RateNode.by(rate) | Hover.by(hover)), int)
    assert_type(await run_async(program(), RateNode.by_many(rate_many) | Hover.by(hover)), int)
    assert_type(await run_async(program(), Now.by(now) | Hover.by(hover) | RateNode.by_async(rate_later)), int)
    await run_async(program(), RateNode.by_async(rate_later))  # rejected
    await run_async(program(), Now.by(now) | RateNode.by_many(rate_many))  # rejected
