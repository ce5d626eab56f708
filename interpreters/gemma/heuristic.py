"""The scorer that is a table of rules: no model, no network, the same answer every time.

It sees what every scorer sees: the question's text and tags, and a node's location, hover text and snippet. From the
question it reads the change, from the snippet what stands on the line, and from the table what that change does there
(`tidepool.rules`).
"""

from __future__ import annotations

from tidepool.change import read_change
from tidepool.domain import Rubric
from tidepool.eff import Handler
from tidepool.effects.gemma import RateNode
from tidepool.rules import rate


def heuristic() -> Handler[RateNode]:
    """Rate nodes by rules: a pure function of the operation, some microseconds a node."""
    return RateNode.by(_rated)


def _rated(asked: RateNode) -> Rubric:
    query = asked.query
    return rate(read_change(query), asked.node, query.tags)
