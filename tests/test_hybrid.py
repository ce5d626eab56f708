"""The model with another scorer behind it, and the breaker that leaves a model alone which is down."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Never, TypeVar

import attrs
import pytest
from returns.result import Failure, Result, Success

from interpreters import heuristic, in_memory, stopped_clock
from interpreters.edge.score_server import Limits
from interpreters.gemma.breaker import Breaker, RequestFailed, guarded
from interpreters.gemma.hybrid import as_fallback, hybrid
from interpreters.gemma.model import TOTAL_TIMEOUT_S, open_model
from tests.score_client import NODE, get, post, served
from tests.servers.scoring import rubric_of, scoring
from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutQuery, ScoutResponse, Status
from tidepool.eff import AsyncHandler, Handler, attempt, each, lift, run_async
from tidepool.effects.gemma import Gemma, Model, RateNode
from tidepool.effects.report import Note, Progress
from tidepool.errors import BadAnswer, ConfigError, ModelFailure
from tidepool.explore import explore
from tidepool.testing.clock import virtual_loop
from tidepool.wire import from_wire, score_request

R = TypeVar("R")
Answers = Sequence[Result[Rubric, ModelFailure]]


def nodes(count: int) -> list[RateNode]:
    return [RateNode(QueryContext("what?"), NodeContext(f"a.py:{line}", None, "x")) for line in range(1, count + 1)]


def right(op: RateNode) -> Rubric:
    """What the model answers."""
    return from_wire(Rubric, rubric_of(score_request(op.query, op.node)))


def plain(op: RateNode) -> Rubric:
    """What the fallback answers."""
    return Rubric(3, 3, 1 + op.node.line % 5, f"a guess about {op.node.location}")


def unrated(op: RateNode) -> ModelFailure:
    return ModelFailure("model", "answered with what is no rubric", op.node.location)


def lost(op: RateNode, *, timed_out: bool = False) -> ModelFailure:
    return RequestFailed("model", "cannot be reached", op.node.location, timed_out=timed_out)


def slow(op: RateNode) -> ModelFailure:
    return lost(op, timed_out=True)


@attrs.define(eq=False)
class Script:
    """A model that does the next thing of a script with each round, and remembers how many nodes that had."""

    acts: Iterator[Callable[[RateNode], Rubric | ModelFailure]]
    rounds: list[int] = attrs.field(factory=list)

    async def rate(self, ops: Sequence[RateNode]) -> Answers:
        act = next(self.acts)
        self.rounds.append(len(ops))
        answers = [act(op) for op in ops]
        return [Failure(answer) if isinstance(answer, ModelFailure) else Success(answer) for answer in answers]


def script(*acts: Callable[[RateNode], Rubric | ModelFailure]) -> Script:
    return Script(iter(acts))


def virtually(work: Coroutine[Any, Any, R]) -> R:
    """Run on a clock that jumps."""
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(work)


async def rated(
    scorer: Handler[Gemma] | AsyncHandler[Gemma], ops: Sequence[RateNode]
) -> list[Result[Rubric, Exception]]:
    return await run_async(each(attempt(op, Exception) for op in ops), scorer)


def mixed(op: RateNode) -> Rubric | ModelFailure:
    return unrated(op) if op.node.line % 2 else right(op)


# Who answers.


def test_where_the_model_answers_it_is_the_model() -> None:
    def unasked(op: RateNode) -> Rubric:
        raise AssertionError(f"{op} was asked of the fallback")

    scorer = hybrid(script(right).rate, RateNode.by(unasked))
    assert virtually(rated(scorer, nodes(4))) == [Success(right(op)) for op in nodes(4)]


async def plainly(op: RateNode) -> Rubric:
    return plain(op)


async def plainly_together(ops: Sequence[RateNode]) -> list[Result[Rubric, Never]]:
    return [Success(plain(op)) for op in ops]


@pytest.mark.parametrize(
    "fallback", [RateNode.by(plain), RateNode.by_async(plainly), RateNode.by_many(plainly_together)]
)
def test_where_the_model_does_not_answer_it_is_the_fallback_node_by_node(
    fallback: Handler[Gemma] | AsyncHandler[Gemma],
) -> None:
    ops = nodes(5)
    expected = [as_fallback(plain(op), unrated(op)) if op.node.line % 2 else right(op) for op in ops]
    assert virtually(rated(hybrid(script(mixed).rate, fallback), ops)) == list(map(Success, expected))


def test_the_fallback_is_asked_about_a_whole_round_at_once() -> None:
    rounds: list[int] = []

    async def together(ops: Sequence[RateNode]) -> list[Result[Rubric, Never]]:
        rounds.append(len(ops))
        return await plainly_together(ops)

    virtually(rated(hybrid(script(mixed).rate, RateNode.by_many(together)), nodes(9)))
    assert rounds == [5]


@pytest.mark.parametrize(("confidence", "shown"), [(5, 4), (2, 1), (1, 1)])
def test_a_rubric_of_the_fallback_says_so_and_is_less_confident(confidence: int, shown: int) -> None:
    failure = RequestFailed("scorer small", "did not answer within 30 s", "a.py:1")
    assert as_fallback(Rubric(5, 4, confidence, "matches on it"), failure) == Rubric(
        5, 4, shown, "matches on it (by the fallback: scorer small did not rate it)"
    )


def test_a_node_that_the_fallback_cannot_rate_fails_its_program_alone() -> None:
    def picky(op: RateNode) -> Rubric:
        if op.node.line == 3:
            raise BadAnswer("picky", f"no opinion on {op.node.location}")
        return plain(op)

    answers = virtually(rated(hybrid(script(mixed).rate, RateNode.by(picky)), nodes(5)))
    assert [isinstance(answer, Success) for answer in answers] == [True, True, False, True, True]
    assert str(answers[2].failure()) == "picky: no opinion on a.py:3"


def test_why_the_model_did_not_rate_a_node_can_be_heard() -> None:
    told: list[ModelFailure] = []
    virtually(rated(hybrid(script(mixed).rate, heuristic(), tell=told.append), nodes(4)))
    assert [(failure.location, failure.why) for failure in told] == [
        ("a.py:1", "answered with what is no rubric"),
        ("a.py:3", "answered with what is no rubric"),
    ]


# The breaker.


async def in_rounds(rate: Model, counts: Sequence[int]) -> list[Answers]:
    return [await rate(nodes(count)) for count in counts]


def test_a_model_that_fails_whole_rounds_in_a_row_is_left_alone() -> None:
    model = script(lost, lost, lost)
    *_, last = virtually(in_rounds(guarded(model.rate, Breaker(failures=3)), [2, 2, 2, 2, 2]))
    assert model.rounds == [2, 2, 2]
    assert [answer.failure().location for answer in last] == ["a.py:1", "a.py:2"]
    assert str(last[0].failure()) == "model: is left alone for a while after it failed: cannot be reached"


def test_one_time_out_is_enough() -> None:
    model = script(slow)
    virtually(in_rounds(guarded(model.rate, Breaker(failures=3)), [2, 2, 2]))
    assert model.rounds == [2]


def test_a_round_that_reaches_the_model_starts_the_count_anew() -> None:
    model = script(lost, right, lost, unrated, lost, mixed, lost, right)
    virtually(in_rounds(guarded(model.rate, Breaker(failures=2)), [1] * 8))
    assert model.rounds == [1] * 8


def test_a_round_that_is_lost_in_part_does_not_open_the_breaker() -> None:
    model = script(*[lambda op: slow(op) if op.node.line == 1 else right(op)] * 3)
    virtually(in_rounds(guarded(model.rate, Breaker(failures=1)), [2] * 3))
    assert model.rounds == [2] * 3


def test_answers_that_are_no_rubrics_do_not_open_the_breaker() -> None:
    model = script(*[unrated] * 9)
    virtually(in_rounds(guarded(model.rate, Breaker(failures=1)), [1] * 9))
    assert model.rounds == [1] * 9


def test_rounds_without_nodes_say_nothing() -> None:
    model = script(lost, lost)
    virtually(in_rounds(guarded(model.rate, Breaker(failures=2)), [0, 0, 1, 0, 1, 0, 1]))
    assert model.rounds == [1, 1]


async def after_a_while(rate: Model, waits_s: Sequence[float]) -> list[Answers]:
    answers: list[Answers] = []
    for wait_s in waits_s:
        await asyncio.sleep(wait_s)
        answers.append(await rate(nodes(3)))
    return answers


def test_after_the_cool_down_one_node_is_tried_and_then_the_rest() -> None:
    model = script(slow, right, right, right)
    *_, before, after, _ = virtually(after_a_while(guarded(model.rate, Breaker(cool_down_s=30)), [0, 29.9, 0.2, 0]))
    assert model.rounds == [3, 1, 2, 3]
    assert all(isinstance(answer, Failure) for answer in before)
    assert after == [Success(right(op)) for op in nodes(3)]


def test_a_trial_that_fails_doubles_the_cool_down() -> None:
    model = script(slow, lost, right, right)
    virtually(after_a_while(guarded(model.rate, Breaker(failures=3, cool_down_s=30)), [0, 31, 59, 2]))
    assert model.rounds == [3, 1, 1, 2]


def test_only_one_round_tries() -> None:
    model = script(slow, right, right)

    async def waiting(ops: Sequence[RateNode]) -> Answers:
        answers = await model.rate(ops)
        await asyncio.sleep(1)
        return answers

    async def together() -> list[Answers]:
        rate = guarded(waiting, Breaker(cool_down_s=5))
        await rate(nodes(3))
        await asyncio.sleep(6)
        return await asyncio.gather(*(rate(nodes(3)) for _ in range(3)))

    first, *others = virtually(together())
    assert model.rounds == [3, 1, 2]
    assert all(isinstance(answer, Success) for answer in first)
    assert all(isinstance(answer, Failure) for answers in others for answer in answers)


def test_a_trial_that_is_given_up_is_one_in_vain_and_can_be_made_again() -> None:
    acts = script(slow, right, right, right)

    async def waiting(ops: Sequence[RateNode]) -> Answers:
        answers = await acts.rate(ops)
        await asyncio.sleep(1)
        return answers

    async def cancelled() -> Answers:
        rate = guarded(waiting, Breaker(cool_down_s=5))
        await rate(nodes(3))
        await asyncio.sleep(6)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await rate(nodes(3))
        assert all(isinstance(answer, Failure) for answer in await rate(nodes(3)))
        await asyncio.sleep(10)
        return await rate(nodes(3))

    assert virtually(cancelled()) == [Success(right(op)) for op in nodes(3)]
    assert acts.rounds == [3, 1, 1, 2]


def test_rounds_that_nobody_waits_for_open_the_breaker() -> None:
    asked: list[int] = []

    async def hanging(ops: Sequence[RateNode]) -> Answers:
        asked.append(len(ops))
        await asyncio.sleep(1e6)
        return []

    async def given_up() -> Answers:
        rate = guarded(hanging, Breaker(failures=2, cool_down_s=30))
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(59):
                    await rate(nodes(3))
        return await rate(nodes(3))

    assert all(isinstance(answer.failure(), RequestFailed) for answer in virtually(given_up()))
    assert asked == [3, 3]


def test_a_trial_that_never_ends_keeps_nobody_from_trying() -> None:
    asked: list[int] = []

    async def hanging_twice(ops: Sequence[RateNode]) -> Answers:
        asked.append(len(ops))
        if len(asked) == 1:
            return [Failure(slow(op)) for op in ops]
        if len(asked) == 2:
            await asyncio.Event().wait()
        return [Success(right(op)) for op in ops]

    async def tried() -> Answers:
        rate = guarded(hanging_twice, Breaker(cool_down_s=5))
        await rate(nodes(3))
        await asyncio.sleep(6)
        trial = asyncio.ensure_future(rate(nodes(3)))
        await asyncio.sleep(9)
        assert all(isinstance(answer, Failure) for answer in await rate(nodes(3)))
        await asyncio.sleep(2)
        answers = await rate(nodes(3))
        trial.cancel()
        return answers

    assert virtually(tried()) == [Success(right(op)) for op in nodes(3)]
    assert asked == [3, 1, 1, 2]


async def trials_at(rate: Model, model: Script, until_s: float) -> list[float]:
    """When a model was asked that is offered a round each second."""
    times: list[float] = []
    for second in range(int(until_s)):
        before = len(model.rounds)
        await rate(nodes(1))
        times += [second] * (len(model.rounds) - before)
        await asyncio.sleep(1)
    return times


def test_pauses_double_up_to_ten_minutes_and_begin_anew_once_it_was_reached() -> None:
    model = script(*[slow] * 8, right, slow, right)
    times = virtually(trials_at(guarded(model.rate, Breaker(cool_down_s=30)), model, 2_762))
    assert [after - before for before, after in itertools.pairwise(times)] == [
        *[30, 60, 120, 240, 480, 600, 600, 600],  # the ninth reaches it
        *[1, 30],  # it fails a second later, and is tried again
    ]


@pytest.mark.parametrize("cool_down_s", [0.0, 1e-9, float("inf")])
def test_any_number_of_trials_in_vain_can_be_counted(cool_down_s: float) -> None:
    model = script(*[slow] * 2_000)
    answers = virtually(in_rounds(guarded(model.rate, Breaker(cool_down_s=cool_down_s)), [1] * 1_500))
    assert all(isinstance(answer.failure(), RequestFailed) for (answer,) in answers)


def test_a_model_whose_rounds_were_given_up_goes_by_its_name() -> None:
    async def hanging(_: Sequence[RateNode]) -> Answers:
        await asyncio.Event().wait()
        return []

    async def given_up() -> Answers:
        rate = guarded(hanging, Breaker(failures=1, name="small"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await rate(nodes(2))
        return await rate(nodes(1))

    (answer,) = virtually(given_up())
    assert str(answer.failure()) == (
        "small: is left alone for a while after it failed: did not answer before it was given up"
    )


@pytest.mark.parametrize("settings", [{"failures": 0}, {"cool_down_s": -1}, {"cool_down_s": float("nan")}])
def test_a_breaker_that_could_never_work_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="opens after at least 1 failure"):
        Breaker(**settings)


# Behind a server, which gives up on its own account.


async def asked_four_times(scorer: AsyncHandler[Gemma], limits: Limits, patience_s: float) -> list[int | str]:
    """What comes of requests, one after another: a reasoning, a status, or that the client left before."""
    seen: list[int | str] = []
    async with served(scorer, limits=limits) as url:
        for _ in range(4):
            try:
                async with asyncio.timeout(patience_s):
                    reply = await post(url, NODE)
                seen.append(reply.json["reasoning"] if reply.status == 200 else reply.status)
            except TimeoutError:
                seen.append("left")
                while b"in_flight 1.0" in (await get(url, "/metrics")).body:
                    pass
    return seen


@pytest.mark.parametrize(
    ("total_timeout_s", "answer_timeout_s", "patience_s", "seen"),
    [
        (0.2, 20, 20, ["the fallback"] * 4),
        (60, 0.2, 20, [503, 503, 503, "the fallback"]),
        (60, 20, 0.2, ["left", "left", "left", "the fallback"]),
    ],
    ids=["the model's time-out", "the server's time-out", "the client leaves"],
)
def test_behind_a_server_a_model_that_hangs_is_left_to_its_fallback(
    total_timeout_s: float, answer_timeout_s: float, patience_s: float, seen: list[int | str]
) -> None:
    async def ask(url: str) -> list[int | str]:
        async with open_model(url, total_timeout_s=total_timeout_s) as rate:
            scorer = hybrid(rate, heuristic())
            return await asked_four_times(scorer, Limits(answer_timeout_s=answer_timeout_s), patience_s)

    with scoring(then="hang") as server:
        answers = asyncio.run(ask(server.url))
    assert ["the fallback" if "(by the fallback: model did" in str(answer) else answer for answer in answers] == seen


def test_a_server_waits_longer_than_a_model_takes_to_be_given_up() -> None:
    assert Limits().answer_timeout_s > TOTAL_TIMEOUT_S


# Whole explorations.

MENTIONS = "".join(f"def f{number}(kind):\n    return kind is Kind.TEA\n\n\n" for number in range(120))
SHOP = {
    "kinds.py": "from enum import Enum\n\n\nclass Kind(Enum):\n    TEA = 1\n    COFFEE = 2\n",
    "shop.py": f"from kinds import Kind\n\n\n{MENTIONS}",
}


async def answered(scorer: Handler[Gemma] | AsyncHandler[Gemma]) -> tuple[ScoutResponse, int]:
    """An exploration's answer, and how many rounds it took."""
    steps: list[Progress] = []
    report = Progress.by(steps.append) | Note.by(lambda _: None)
    world = in_memory(SHOP) | stopped_clock(datetime(2026, 1, 15, tzinfo=UTC)) | report
    whole = lift(scorer) | world
    question = ScoutQuery("What breaks if I add a variant to Kind?", budget_nodes=200)
    return await run_async(explore(question), whole), len(steps) - 1


def explored(url: str, **settings: Any) -> tuple[ScoutResponse, int]:
    """The same with a hybrid."""

    async def ask() -> tuple[ScoutResponse, int]:
        async with open_model(url, **settings) as rate:
            return await answered(hybrid(rate, heuristic()))

    return asyncio.run(ask())


def test_an_exploration_with_a_model_that_hangs_waits_for_one_time_out() -> None:
    with scoring(then="hang") as server:
        answer, rounds = explored(server.url, request_timeout_s=0.2, total_timeout_s=5, attempts=2)
    assert rounds > 2
    assert server.done == ["hang", "hang"]  # the one request of the first round, repeated as it may be
    assert answer.status is Status.COMPLETE
    assert all("by the fallback" in pointer.reasoning for pointer in answer.pointers)


def test_an_exploration_with_a_model_that_is_not_there_is_the_fallbacks() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead, _ = explored(f"http://127.0.0.1:{taken.getsockname()[1]}", attempts=1)
    alone, _ = asyncio.run(answered(heuristic()))
    assert [(place.location, place.risk, place.relevance) for place in dead.pointers] == [
        (place.location, place.risk, place.relevance) for place in alone.pointers
    ]


def test_a_model_that_raises_is_not_hidden() -> None:
    async def broken(_: Sequence[RateNode]) -> Answers:
        raise ZeroDivisionError("a mistake in the model's own code")

    rate: Callable[[Sequence[RateNode]], Awaitable[Answers]] = broken
    (answer,) = virtually(rated(hybrid(rate, heuristic()), nodes(1)))
    assert isinstance(answer.failure(), ZeroDivisionError)
