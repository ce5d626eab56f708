"""`Gemma`: ask a scorer how much a node matters to a question.

Interpreters: `interpreters.gemma`. A scorer sees the fields of `QueryContext` and `NodeContext` and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from returns.result import Result

from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.eff import Op, operation
from tidepool.errors import ModelFailure


@operation
class RateNode(Op[Rubric]):
    """How much does this node matter to this question?"""

    query: QueryContext
    node: NodeContext


Gemma: TypeAlias = RateNode

Model: TypeAlias = Callable[[Sequence[RateNode]], Awaitable[Sequence[Result[Rubric, ModelFailure]]]]
"""Rates any number of nodes at once, in their order; each may fail by itself. It raises nothing but a cancellation."""


def rate_node(query: QueryContext, node: NodeContext) -> RateNode:
    """How much does this node matter to this question?"""
    return RateNode(query, node)
