"""What a compiler says of a change: a program that asks it once, and the rubric of a node by its answer.

check = yield from consult(change)                   over `Lsp`: the change made in memory, and what newly fails
rubric = rate_by(check, query, node)                 pure
"""

from __future__ import annotations

import attrs
from returns.result import Failure

from tidepool.change import Change, read_change
from tidepool.checking import UNSURE, Check, findings, is_judged, judge, trial
from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.eff import Eff
from tidepool.effects.lsp import Lsp, what_if
from tidepool.resolve import Found, resolve
from tidepool.rules import rate
from tidepool.sites import classify
from tidepool.ties import meant


def consult(change: Change) -> Eff[Lsp, Check]:
    """What a change breaks anywhere, or why there is no telling.

    Raises:
        InterpreterError: the codebase could not be asked.
    """
    match (yield from resolve(change)):
        case Found(symbol=symbol, namesakes=namesakes):
            tried = yield from trial(change, symbol, namesakes)
            if isinstance(tried, Failure):
                return Check(lacks=tried.failure())
            diagnostics = yield from what_if(tried.unwrap().edit)
            return Check(findings(diagnostics, tried.unwrap()), asked=True, everywhere=True)
        case _:
            return Check(lacks="nothing of that name is defined")


def rate_by(check: Check, query: QueryContext, node: NodeContext) -> Rubric:
    """A node whose line newly fails is 5, 5, 5, with the checker's words; one that a checker found right risks little.

    What no checker can judge is rated by the rules, which is said, with little confidence.
    """
    asked = read_change(query)
    change = meant(asked, node)
    site = classify(asked, node)
    rubric = rate(asked, node, query.tags)
    found = check.broken.get(node.location)
    if found is not None or (check.everywhere and is_judged(change.kind, node, site)):
        return judge(change, node, site, rubric, found)
    why = check.lacks or "no checker sees that"
    reasoning = f"{rubric.reasoning.rstrip('.')} (by the rules: {why})."
    return attrs.evolve(rubric, confidence=min(rubric.confidence, UNSURE), reasoning=reasoning)
