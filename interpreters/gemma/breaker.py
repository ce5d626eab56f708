"""A circuit breaker: a model that is down is left alone for a while, then tried with one node.

    closed ── `failures` rounds in a row reach nothing, or one that waits in vain ──► open
    open ── `cool_down_s` later ──► half-open: one node of one round is asked about
    half-open ── it reached the model ──► closed; it did not ──► open

Only what befalls whole requests counts (`RequestFailed`). A model that answers nonsense about a node is not down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import attrs
from returns.result import Failure, Result

from tidepool.domain import Rubric
from tidepool.effects.gemma import Model, RateNode
from tidepool.errors import ConfigError, ModelFailure

FAILURES: Final = 3
"""Rounds in a row that reach nothing: one may be an accident, of which each request has been repeated already."""

COOL_DOWN_S: Final = 30.0
"""Longer than most explorations take, and as long as a server takes to load a small model."""


class RequestFailed(ModelFailure):
    """A whole request failed, whichever nodes it asked about.

    Attributes:
        timed_out: whether a time-out was waited for.
    """

    def __init__(self, interpreter: str, why: str, location: str, *, timed_out: bool = False) -> None:
        self.timed_out = timed_out
        super().__init__(interpreter, why, location)


@attrs.define(eq=False)
class Breaker:
    """Whether a model is worth asking, by what came of asking it.

    It belongs to one model; rounds that run concurrently may share it.

    Attributes:
        failures: how many rounds in a row may reach nothing, from 1. One that waited for a time-out is enough.
        cool_down_s: how long the model is then left alone, in seconds of the event loop's clock, from 0.
    """

    failures: int = FAILURES
    cool_down_s: float = COOL_DOWN_S
    _failed: int = attrs.field(default=0, init=False)
    _opened_by: RequestFailed | None = attrs.field(default=None, init=False)
    _open_until_s: float = attrs.field(default=0.0, init=False)
    _trying: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        if self.failures < 1 or not self.cool_down_s >= 0:
            raise ConfigError("a breaker opens after at least 1 failure, for at least 0 seconds: set it so")

    @property
    def opened_by(self) -> RequestFailed | None:
        """The last failure of a model that is left alone; None where it may be asked freely."""
        return self._opened_by

    def may_try(self, now_s: float) -> bool:
        """Whether it has been open long enough, and nobody else is trying."""
        return self._opened_by is not None and now_s >= self._open_until_s and not self._trying

    def record(self, results: Sequence[Result[Rubric, ModelFailure]], now_s: float) -> None:
        """Learn from the answers to one or more nodes that were asked about together."""
        failures = [result.failure() for result in results if isinstance(result, Failure)]
        lost = [failure for failure in failures if isinstance(failure, RequestFailed)]
        if len(lost) < len(results):
            self._failed, self._opened_by = 0, None
            return
        self._failed += 1
        if self._trying or self._failed >= self.failures or any(failure.timed_out for failure in lost):
            self._opened_by, self._open_until_s = lost[-1], now_s + self.cool_down_s

    async def attempt(self, rate: Model, op: RateNode) -> Sequence[Result[Rubric, ModelFailure]]:
        """Ask about one node, and close or stay open by what comes of it."""
        self._trying = True
        try:
            results = await rate([op])
            self.record(results, asyncio.get_running_loop().time())
        finally:
            self._trying = False
        return results


def guarded(rate: Model, breaker: Breaker) -> Model:
    """The same model, which is not asked while the breaker is open: its nodes fail at once."""

    async def ask(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, ModelFailure]]:
        clock = asyncio.get_running_loop().time
        results: list[Result[Rubric, ModelFailure]] = []
        if ops and breaker.may_try(clock()):
            results += await breaker.attempt(rate, ops[0])
        left = ops[len(results) :]
        if left and breaker.opened_by is not None:
            results += [Failure(_left_alone(op, breaker.opened_by)) for op in left]
        elif left:
            answers = await rate(left)
            breaker.record(answers, clock())
            results += answers
        return results

    return ask


def _left_alone(op: RateNode, opened_by: RequestFailed) -> RequestFailed:
    why = f"is left alone for a while after it failed: {opened_by.why}"
    return RequestFailed(opened_by.interpreter, why, op.node.location)
