"""`Gemma`: ask a scorer how much a node matters to a question.

Interpreters: `interpreters.gemma`. A scorer sees the fields of `QueryContext` and `NodeContext` and nothing else.
"""

from __future__ import annotations

from typing import TypeAlias

from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.eff import Op, operation


@operation
class RateNode(Op[Rubric]):
    """How much does this node matter to this question?"""

    query: QueryContext
    node: NodeContext


Gemma: TypeAlias = RateNode


def rate_node(query: QueryContext, node: NodeContext) -> RateNode:
    """How much does this node matter to this question?"""
    return RateNode(query, node)
