"""The laws that make scorers interchangeable; needs the extra `testing`, which is Hypothesis.

    check_scorer(RateNode.by(mine))         an `AssertionError` shows the smallest nodes that break a law

A law takes a scorer and the operations of one round. Whatever a scorer answers is its own affair; the laws say that the
answer to a node depends on the node and its question alone, however it is asked. A scorer that is not a function of
them, such as a model that samples, breaks the laws, and its explorations cannot be reproduced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from returns.result import Result, Success

from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.eff import AsyncHandler, Eff, Handler, attempt, each, lift, run, run_async
from tidepool.effects.gemma import Gemma, RateNode
from tidepool.errors import InterpreterError, ProgramError
from tidepool.tape import Entry, recorded, replay
from tidepool.testing.values import locations, nodes, queries, tags
from tidepool.wire import dumps, from_wire, loads, parse, read_score_request, score_request, to_wire

Scorer: TypeAlias = Handler[Gemma] | AsyncHandler[Gemma]
Law: TypeAlias = Callable[[Scorer, Sequence[RateNode]], Awaitable[None]]
Told: TypeAlias = tuple[str, object]
"""What a scorer answered to one node, so that it can be compared: the rubric, or the error's class and text."""

_QUESTIONS: Final = (
    "What breaks if I add a variant to Kind?",
    "What breaks if I rename the class Kind to Sort?",
    "What breaks if I add a required parameter to price?",
    "What breaks if `price` may return None?",
    "Remove the field name from Kind",
    "Is it safe to move price?",
)
_LINES: Final = (
    "class Kind(Enum):",
    "    TEA = 1",
    "def price(kind: Kind, size: int = 1) -> int:",
    "    match kind:",
    "        case Kind.TEA:",
    "    if kind is Kind.TEA:",
    "    return price(kind) + 1",
    "from kinds import Kind, price",
    "PRICES = {Kind.TEA: 2}",
    "    assert price(Kind.TEA) == 2",
    "    # a Kind costs its price",
    "",
)
_code: Final = st.lists(st.sampled_from(_LINES), min_size=1, max_size=5).map("\n".join)
_likely: Final = st.builds(
    RateNode,
    st.builds(QueryContext, st.sampled_from(_QUESTIONS), tags),
    st.builds(NodeContext, locations, st.none() | st.sampled_from(_LINES), _code),
)
operations: Final = _likely | st.builds(RateNode, queries, nodes)
"""One node to rate: like those of an exploration, or anything at all."""
rounds: Final = st.lists(operations, max_size=6)
"""What a scorer is asked at once; the same node may be among them twice."""


def check_scorer(
    scorer: Scorer,
    *,
    asked: st.SearchStrategy[list[RateNode]] = rounds,
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
    max_examples: int = 50,
) -> None:
    """Check every law of `LAWS`.

    Args:
        asked: the rounds to try, for a scorer that does not know every node.
        run: drives a coroutine to its end; a scorer that holds connections needs the same event loop each time, such
            as an `asyncio.Runner`'s `run`.
        max_examples: rounds that are tried for each law.

    Raises:
        AssertionError: a law is broken, by the round that is shown; or the scorer rates no node at all, so that there
            is nothing to check.
        ProgramError: it is no handler, or an event loop is running already.
    """
    _check_that_it_rates(scorer, asked, run)
    for law in LAWS.values():
        check_law(law, scorer, asked=asked, run=run, max_examples=max_examples)


def check_law(
    law: Law,
    scorer: Scorer,
    *,
    asked: st.SearchStrategy[list[RateNode]] = rounds,
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
    max_examples: int = 50,
) -> None:
    """Check one law, as `check_scorer` does."""
    _check_usable(scorer)

    async def holds(ops: Sequence[RateNode]) -> None:
        try:
            await law(scorer, ops)
        except AssertionError as broken:
            raise AssertionError(f"broken: {law.__doc__} {broken}") from None

    @settings(max_examples=max_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(asked)
    def for_every_round(ops: list[RateNode]) -> None:
        run(holds(ops))

    for_every_round()


def _check_usable(scorer: Scorer) -> None:
    if not isinstance(scorer, Handler | AsyncHandler):
        raise ProgramError(f"{scorer!r} is no handler: wrap a function of an operation as RateNode.by(function)")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ProgramError("an event loop is running: check the laws outside of it, with the `run` of an asyncio.Runner")


def _check_that_it_rates(
    scorer: Scorer,
    asked: st.SearchStrategy[list[RateNode]],
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """A scorer that fails on every node would keep every law: equal failures are equal."""
    told: list[Told] = []

    async def asked_once(_: Scorer, ops: Sequence[RateNode]) -> None:
        told.extend(await rated(scorer, ops))

    check_law(asked_once, scorer, asked=asked, run=run, max_examples=10)
    if told and all(kind != "rubric" for kind, _ in told):
        kind, why = told[0]
        raise AssertionError(f"it rated none of {len(told)} nodes; the first failed with {kind}: {why}")


async def rated(scorer: Scorer, ops: Sequence[RateNode]) -> list[Told]:
    """What a scorer answers to the operations of one round."""
    return _told(await run_async(_round(ops), scorer))


async def an_answer_is_a_rubric(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """What is answered to a node is a rubric, unless it is one of the documented errors."""
    for kind, answer in await rated(scorer, ops):
        if kind == "rubric" and type(answer) is not Rubric:
            raise AssertionError(f"{answer!r} is not a Rubric")


async def together_is_one_by_one(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """Rating nodes together is rating them one by one."""
    one_by_one = [(await rated(scorer, [op]))[0] for op in ops]
    _agree(await rated(scorer, ops), one_by_one)


async def order_changes_nothing(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """The order of nodes in a round changes no answer."""
    backwards = await rated(scorer, ops[::-1])
    _agree(await rated(scorer, ops), backwards[::-1])


async def again_is_the_same(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """The same node is answered the same again, also twice in one round."""
    twice = await rated(scorer, [*ops, *ops])
    _agree(twice, 2 * await rated(scorer, ops))


async def awaiting_changes_nothing(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """Both runners agree about a scorer that never awaits, and so does one that awaits it; else there is no other."""
    if isinstance(scorer, Handler):
        at_once = _told(run(_round(ops), scorer))
        _agree(await rated(scorer, ops), at_once)
        _agree(await rated(handed_on(scorer), ops), at_once)


async def passing_on_changes_nothing(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """A program that passes everything on, and a scorer that hands everything on, change no answer."""
    direct = await rated(scorer, ops)
    _agree(_told(await run_async(recorded(_round(ops), _unheard), scorer)), direct)
    _agree(await rated(handed_on(scorer), ops), direct)


async def a_replay_is_the_run(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """A program on the tape of its run gives what the run gave, and recording changes nothing."""
    tape: list[Entry] = []
    live = _told(await run_async(recorded(_round(ops), tape.append), scorer))
    _agree(live, await rated(scorer, ops))
    _agree(_told(replay(_round(ops), tape)), live)


async def completion_order_changes_nothing(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """Whichever node of a round is answered first, the answers are the same and in the nodes' order."""
    _agree(await rated(last_first(scorer, len(ops)), ops), await rated(scorer, ops))


async def the_wire_changes_nothing(scorer: Scorer, ops: Sequence[RateNode]) -> None:
    """A node that has been through JSON text is rated the same, and so is its rubric still the same."""
    sent = [read_score_request(parse(dumps(score_request(op.query, op.node)))) for op in ops]
    arrived = [RateNode(query, node) for query, node in sent]
    _agree(arrived, list(ops))
    for answer in await rated(scorer, arrived):
        if isinstance(rubric := answer[1], Rubric):
            _agree(loads(Rubric, dumps(rubric)), rubric)
            _agree(from_wire(Rubric, to_wire(rubric)), rubric)


LAWS: Final[Mapping[str, Law]] = {
    "an answer is a rubric": an_answer_is_a_rubric,
    "rating together is rating one by one": together_is_one_by_one,
    "the order of nodes changes nothing": order_changes_nothing,
    "the same node is rated the same again": again_is_the_same,
    "awaiting changes nothing": awaiting_changes_nothing,
    "passing on changes nothing": passing_on_changes_nothing,
    "a replay is the run": a_replay_is_the_run,
    "the order of completion changes nothing": completion_order_changes_nothing,
    "the wire changes nothing": the_wire_changes_nothing,
}
"""Every law by its name."""


def handed_on(scorer: Scorer) -> AsyncHandler[Gemma]:
    """A scorer that answers nothing itself and asks another."""
    return RateNode.by_async(_asking(scorer))


def last_first(scorer: Scorer, count: int) -> AsyncHandler[Gemma]:
    """The same scorer, whose answers to a round of `count` nodes come in the opposite order."""
    left = list(range(count))
    ask = _asking(scorer)

    async def after_the_later_ones(op: RateNode) -> Rubric:
        for _ in range(3 * left.pop() if left else 0):
            await asyncio.sleep(0)
        return await ask(op)

    return RateNode.by_async(after_the_later_ones)


def _asking(scorer: Scorer) -> Callable[[RateNode], Coroutine[Any, Any, Rubric]]:
    whole = lift(scorer)

    async def ask(op: RateNode) -> Rubric:
        return await run_async(op, whole)

    return ask


def _round(ops: Sequence[RateNode]) -> Eff[Gemma, list[Result[Rubric, InterpreterError]]]:
    return each(attempt(op, InterpreterError) for op in ops)


def _told(answers: Sequence[Result[Rubric, InterpreterError]]) -> list[Told]:
    return [
        ("rubric", answer.unwrap())
        if isinstance(answer, Success)
        else (type(answer.failure()).__name__, str(answer.failure()))
        for answer in answers
    ]


def _agree(got: object, expected: object) -> None:
    if got != expected:
        raise AssertionError(f"{got!r} is not {expected!r}")


def _unheard(_: Entry) -> None:
    pass
