"""The scorer that asks a compiler: the change is made in memory, and a place that newly fails is as risky as can be.

It runs `tidepool.oracle` once for each question, by whatever answers `Lsp`, and is then as fast as the rules whose
sentences it uses.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import attrs
from returns.result import Failure, Result, Success

from tidepool.change import read_change
from tidepool.checking import Check
from tidepool.domain import QueryContext, Rubric
from tidepool.eff import AsyncHandler, Handler, lift, run_async
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Lsp
from tidepool.errors import InterpreterError
from tidepool.oracle import consult, rate_by

QUESTIONS_REMEMBERED: Final = 8
"""Their findings are kept; each may have thousands."""


def oracle(codebase: Handler[Lsp] | AsyncHandler[Lsp]) -> AsyncHandler[RateNode]:
    """Rate nodes by what a checker newly finds wrong with the change made.

    A node whose line newly fails is relevance 5, risk 5, confidence 5, with the checker's words as the reasoning. One
    at which a checker would have seen a fault, and saw none, has little risk.

    Args:
        codebase: answers about the code that the nodes are of.

    Raises:
        InterpreterError: for each node of a question about which the codebase could not be asked.
    """
    asked = _Asked(lift(codebase))
    return RateNode.by_many_or_raise(asked.rate)


@attrs.define(eq=False)
class _Asked:
    """What was found out so far."""

    codebase: AsyncHandler[Lsp]
    checks: OrderedDict[QueryContext, Check] = attrs.field(factory=OrderedDict)
    asking: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def rate(self, ops: Sequence[RateNode]) -> list[Result[Rubric, Exception]]:
        checks: dict[QueryContext, Result[Check, Exception]] = {}
        for query in dict.fromkeys(op.query for op in ops):
            try:
                checks[query] = Success(await self.check(query))
            except InterpreterError as error:
                checks[query] = Failure(error)
        return [_rated(op, checks[op.query]) for op in ops]

    async def check(self, query: QueryContext) -> Check:
        async with self.asking:  # one edit at a time; who waits finds what the first one found
            check = self.checks.get(query)
            if check is None:
                check = self.checks[query] = await run_async(consult(read_change(query)), self.codebase)
                while len(self.checks) > QUESTIONS_REMEMBERED:
                    self.checks.popitem(last=False)
            return check


def _rated(op: RateNode, check: Result[Check, Exception]) -> Result[Rubric, Exception]:
    return check.map(lambda found: rate_by(found, op.query, op.node))
