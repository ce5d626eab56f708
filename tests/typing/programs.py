"""What `each`, `attempt` and the tape do to the type of a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_type

from returns.result import Result

from tidepool.domain import Rubric
from tidepool.eff import Eff, Handler, Prog, attempt, each, run
from tidepool.effects.clock import Now
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Hover, References, Snippet
from tidepool.errors import BadAnswer, InterpreterError, Unavailable
from tidepool.tape import Entry, recorded, replay


def rating(op: RateNode) -> Eff[RateNode | Hover, Rubric]:
    return (yield from op)


def rounds(ops: Sequence[RateNode]) -> Eff[RateNode | Hover, int]:
    rubrics = yield from each(ops)
    assert_type(rubrics, list[Rubric])
    again = yield from each(rating(op) for op in ops)
    assert_type(again, list[Rubric])
    nested = yield from each([each(ops), each(ops)])
    assert_type(nested, list[list[Rubric]])
    return len(rubrics)


def rounds_of_several_kinds(hover: Hover, snippet: Snippet) -> Eff[Hover | Snippet, list[str | None]]:
    lanes: list[Prog[Hover | Snippet, str | None]] = [hover, snippet]
    return (yield from each(lanes))


def a_round_beyond_the_row(ops: Sequence[RateNode]) -> Eff[Hover, None]:
    yield from each(ops)  # rejected


def attempts(op: RateNode) -> Eff[RateNode, Rubric]:
    result = yield from attempt(op, Unavailable)
    assert_type(result, Result[Rubric, Unavailable])
    either: Result[Rubric, InterpreterError] = yield from attempt(op, Unavailable, BadAnswer)
    return result.value_or(either.unwrap())


def an_attempt_beyond_the_row(op: RateNode) -> Eff[Hover, None]:
    yield from attempt(op, Unavailable)  # rejected


def an_attempt_of_what_is_no_error(op: RateNode) -> Eff[RateNode, None]:
    yield from attempt(op, KeyboardInterrupt)  # rejected
    yield from attempt(op, Rubric)  # rejected


def tapes(ops: Sequence[RateNode], tape: list[Entry], handler: Handler[RateNode | Hover]) -> None:
    assert_type(run(recorded(rounds(ops), tape.append), handler), int)
    assert_type(replay(rounds(ops), tape), int)
    run(recorded(rounds(ops), tape.append), Now.by(lambda _: tape[0].op))  # rejected


def runs(op: RateNode, handler: Handler[RateNode], references: References) -> None:
    assert_type(run(op, handler), Rubric)
    assert_type(run(each([op]), handler), list[Rubric])
    run(references, handler)  # rejected
    run(each([references]), handler)  # rejected
