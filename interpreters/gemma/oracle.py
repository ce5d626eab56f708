"""The scorer that asks a compiler: the change is made in memory, and a place that newly fails is as risky as can be.

It is a program over `Lsp`, run once for each question by whatever answers that effect, and then as fast as the rules
whose sentences it uses. What a checker cannot judge is rated by the rules, and said to be so, with little confidence.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs
from returns.result import Failure, Result, Success

from tidepool.change import Change, read_change
from tidepool.checking import UNSURE, Check, findings, is_judged, judge, trial
from tidepool.domain import QueryContext, Rubric
from tidepool.eff import AsyncHandler, Eff, Handler, lift, run_async
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Lsp, what_if
from tidepool.errors import InterpreterError
from tidepool.resolve import Found, resolve
from tidepool.rules import rate
from tidepool.sites import classify
from tidepool.ties import meant

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
        return [checks[op.query].map(partial(_rated, op)) for op in ops]

    async def check(self, query: QueryContext) -> Check:
        async with self.asking:  # one edit at a time; who waits finds what the first one found
            check = self.checks.get(query)
            if check is None:
                check = self.checks[query] = await run_async(_check(read_change(query)), self.codebase)
                while len(self.checks) > QUESTIONS_REMEMBERED:
                    self.checks.popitem(last=False)
            return check


def _check(change: Change) -> Eff[Lsp, Check]:
    """What a change breaks anywhere, or why there is no telling."""
    match (yield from resolve(change)):
        case Found(symbol=symbol, namesakes=namesakes):
            tried = yield from trial(change, symbol, namesakes)
            if isinstance(tried, Failure):
                return Check(lacks=tried.failure())
            diagnostics = yield from what_if(tried.unwrap().edit)
            return Check(findings(diagnostics, tried.unwrap()), asked=True, everywhere=True)
        case _:
            return Check(lacks="nothing of that name is defined")


def _rated(op: RateNode, check: Check) -> Rubric:
    asked = read_change(op.query)
    change = meant(asked, op.node)
    site = classify(asked, op.node)
    rubric = rate(asked, op.node, op.query.tags)
    found = check.broken.get(op.node.location)
    if found is not None or (check.everywhere and is_judged(change.kind, op.node, site)):
        return judge(change, op.node, site, rubric, found)
    why = check.lacks or "no checker sees that"
    reasoning = f"{rubric.reasoning.rstrip('.')} (by the rules: {why})."
    return attrs.evolve(rubric, confidence=min(rubric.confidence, UNSURE), reasoning=reasoning)
