"""A scorer that is not asked again what it has rated before: how an answer is continued.

    earlier = await run_async(explore(query), scorer | world)                   with `keep_examples`
    further = remembered(earlier.training_examples, scorer)
    whole = await run_async(explore(attrs.evolve(query, budget_nodes=40)), further | world)

A node whose code has changed since is another node, and is rated anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from returns.result import Result, Success

from tidepool.domain import Rubric, TrainingExample
from tidepool.eff import AsyncHandler, Handler, attempt, each, lift, run_async
from tidepool.effects.gemma import Gemma, RateNode


def remembered(rated: Iterable[TrainingExample], scorer: Handler[Gemma] | AsyncHandler[Gemma]) -> AsyncHandler[Gemma]:
    """The rubrics of these examples for their questions and nodes; for any other what the scorer says.

    What the scorer raises on a node is thrown into the program that asked about that node, as it would be without this.
    """
    known = {RateNode(example.query, example.node): example.rubric for example in rated}
    other = lift(scorer)

    async def rate(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, Exception]]:
        unknown = [op for op in ops if op not in known]
        said = iter(await run_async(each(attempt(op, Exception) for op in unknown), other))
        return [Success(known[op]) if op in known else next(said) for op in ops]

    return RateNode.by_many_or_raise(rate)
