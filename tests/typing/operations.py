"""What an operation, and asking it, is to a type checker."""

from __future__ import annotations

from typing import assert_type

from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.eff import Eff, Op, operation
from tidepool.effects.clock import Now
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Hover, Lsp, Place

QUERY = QueryContext("what breaks?")
NODE = NodeContext("a.py:1", None, "x = 1")


@operation
class Roll(Op[int]):
    sides: int
    times: int = 1


def asking_has_the_type_of_the_answer() -> Eff[RateNode | Hover | Roll, int]:
    rubric = yield from RateNode(QUERY, NODE)
    assert_type(rubric, Rubric)
    text = yield from Hover(Place("a.py", 1, 0))
    assert_type(text, str | None)
    rolled = yield from Roll(6)
    assert_type(rolled, int)
    yield from text.split()  # rejected
    return rubric.risk + rolled


def a_row_may_be_wider_than_what_is_asked() -> Eff[Lsp | Now, str | None]:
    return (yield from Hover(Place("a.py", 1, 0)))


def a_row_that_lacks_what_is_asked() -> Eff[Hover, Rubric]:
    return (yield from RateNode(QUERY, NODE))  # rejected


def a_row_that_lacks_what_another_program_asks() -> Eff[Now, int]:
    return (yield from asking_has_the_type_of_the_answer())  # rejected


def an_answer_that_is_not_what_the_program_returns() -> Eff[RateNode, str]:
    return (yield from RateNode(QUERY, NODE))  # rejected


def fields(roll: Roll) -> None:
    assert_type(roll.sides, int)
    Roll(6, times=2)
    Roll()  # rejected
    Roll("six")  # rejected
    Roll(6, 2, 3)  # rejected
    roll.sides = 20  # rejected
    RateNode(NODE, QUERY)  # rejected
    RateNode(QUERY, NODE).query = QUERY  # rejected
