"""A circuit breaker: a model that is down is left alone for a while, then tried with one node.

    closed ── `failures` rounds in a row reach nothing, or one that waits in vain ──► open
    open ── `cool_down_s` later ──► half-open: one node of one round is asked about
    half-open ── it reached the model ──► closed; it did not ──► open, for twice as long as before

Only what befalls whole requests counts (`RequestFailed`), and a round that whoever asked gave up waiting for. A model
that answers nonsense about a node is not down.
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

COOL_DOWN_MOST_S: Final = 600.0
"""However often it has been tried in vain: a model that is started again is found within ten minutes."""

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
        cool_down_s: how long the model is then left alone, in seconds of the event loop's clock, from 0; after each
            attempt in vain twice as long as before, up to `COOL_DOWN_MOST_S`.
        name: the model's, where it never got to say it: of a round that nobody waited for there is no answer.
    """

    failures: int = FAILURES
    cool_down_s: float = COOL_DOWN_S
    name: str = attrs.field(default="model", kw_only=True)
    _failed: int = attrs.field(default=0, init=False)
    _opened_by: RequestFailed | None = attrs.field(default=None, init=False)
    _open_until_s: float = attrs.field(default=0.0, init=False)
    _pause_s: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        if self.failures < 1 or not self.cool_down_s >= 0:
            raise ConfigError("a breaker opens after at least 1 failure, for at least 0 seconds: set it so")

    @property
    def opened_by(self) -> RequestFailed | None:
        """The last failure of a model that is left alone; None where it may be asked freely."""
        return self._opened_by

    def may_try(self, now_s: float) -> bool:
        """Whether it has been open long enough since it opened, and since somebody last tried."""
        return self._opened_by is not None and now_s >= self._open_until_s

    def record(self, results: Sequence[Result[Rubric, ModelFailure]], now_s: float) -> None:
        """Learn from the answers to one or more nodes that were asked about together."""
        failures = [result.failure() for result in results if isinstance(result, Failure)]
        lost = [failure for failure in failures if isinstance(failure, RequestFailed)]
        if len(lost) < len(results):
            self._failed, self._opened_by = 0, None
        else:
            self._lost(lost[-1], now_s, timed_out=any(failure.timed_out for failure in lost))

    def given_up(self, op: RateNode, now_s: float) -> None:
        """Learn that whoever asked did not wait for the answer, about this node among others."""
        self._lost(RequestFailed(self.name, "did not answer before it was given up", op.node.location), now_s)

    def _lost(self, failure: RequestFailed, now_s: float, *, timed_out: bool = False) -> None:
        self._failed += 1
        if self._opened_by is None and (self._failed >= self.failures or timed_out):
            self._opened_by, self._pause_s = failure, self.cool_down_s
        if self._opened_by is not None:
            self._opened_by, self._open_until_s = failure, now_s + self._pause_s

    async def attempt(self, rate: Model, op: RateNode) -> Sequence[Result[Rubric, ModelFailure]]:
        """Ask about one node, and close or stay open by what comes of it.

        The next pause begins with it and again with its end: one that never ends keeps nobody from trying.
        """
        self._pause_s = min(2 * self._pause_s, max(self.cool_down_s, COOL_DOWN_MOST_S))
        self._open_until_s = asyncio.get_running_loop().time() + self._pause_s
        return await self.ask(rate, [op])

    async def ask(self, rate: Model, ops: Sequence[RateNode]) -> Sequence[Result[Rubric, ModelFailure]]:
        """Ask about nodes, and learn from what comes of it."""
        clock = asyncio.get_running_loop().time
        try:
            results = await rate(ops)
        except asyncio.CancelledError:
            self.given_up(ops[0], clock())
            raise
        self.record(results, clock())
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
            results += await breaker.ask(rate, left)
        return results

    return ask


def _left_alone(op: RateNode, opened_by: RequestFailed) -> RequestFailed:
    why = f"is left alone for a while after it failed: {opened_by.why}"
    return RequestFailed(opened_by.interpreter, why, op.node.location)
