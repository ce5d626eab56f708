"""The model where it answers, another scorer where it does not: node by node, and visibly.

async with open_model(url) as rate:
    answer = await run_async(explore(query), hybrid(rate, heuristic()) | world)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs
from returns.result import Failure, Result

from interpreters.gemma.breaker import Breaker, guarded
from tidepool.domain import Rubric
from tidepool.eff import AsyncHandler, Handler, attempt, each, lift, run_async
from tidepool.effects.gemma import Gemma, Model, RateNode
from tidepool.errors import ModelFailure

E = TypeVar("E", bound=Exception)


def hybrid(
    rate: Model,
    fallback: Handler[Gemma] | AsyncHandler[Gemma],
    breaker: Breaker | None = None,
    *,
    tell: Callable[[ModelFailure], None] = lambda _: None,
) -> AsyncHandler[Gemma]:
    """Rate nodes by a model, and each that it does not rate by another scorer; a rubric says which it was.

    No failure of the model is left. What the fallback raises on a node is its own, as it would be without a model in
    front of it: it is thrown into the program that asked about that node, and into no other.

    Args:
        rate: the model; what it fails on is asked of the fallback, all nodes of a round at once.
        breaker: when to leave the model alone; one of this hybrid's own unless given.
        tell: is told why the model did not rate a node, for each; a rubric tells only that it did not.
    """
    ask, other = guarded(rate, breaker or Breaker()), lift(fallback)

    async def rated(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, Exception]]:
        answers = await ask(ops)
        failures = [answer.failure() for answer in answers if isinstance(answer, Failure)]
        for failure in failures:
            tell(failure)
        unrated = [op for op, answer in zip(ops, answers, strict=True) if isinstance(answer, Failure)]
        others = iter(await run_async(each(attempt(op, Exception) for op in unrated), other))
        return [answer.lash(lambda failure: _instead(next(others), failure)) for answer in answers]

    return RateNode.by_many_or_raise(rated)


def _instead(other: Result[Rubric, E], failure: ModelFailure) -> Result[Rubric, E]:
    return other.map(lambda rubric: as_fallback(rubric, failure))


def as_fallback(rubric: Rubric, failure: ModelFailure) -> Rubric:
    """The fallback's rubric as it is shown: its reasoning says whose it is, and it is one less confident, at least 1.

    Why the model failed is left out: that depends on the time of day, and a rubric on its node alone.
    """
    return attrs.evolve(
        rubric,
        confidence=max(1, rubric.confidence - 1),
        reasoning=f"{rubric.reasoning} (by the fallback: {failure.interpreter} did not rate it)",
    )
