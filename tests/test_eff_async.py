"""The laws of the asynchronous runner: the same results, rounds answered together, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Never

import pytest
from hypothesis import given
from returns.result import Failure, Result, Success

from tests.programs import (
    ASYNC,
    SYNC,
    Fetch,
    Get,
    Plan,
    Rate,
    answer,
    answer_later,
    answer_together,
    awaited,
    done,
    done_async,
    plans,
)
from tidepool.eff import AsyncHandler, Eff, Op, Prog, attempt, each, operation, run_async
from tidepool.errors import AlreadyRun, BadAnswer, MissingHandler, Unavailable


@operation
class Say(Op[None]):
    text: str


def saying(texts: list[str]) -> AsyncHandler[Say]:
    """A handler that waits a little before each is said."""

    async def say(op: Say) -> None:
        await asyncio.sleep(0)
        texts.append(op.text)

    return Say.by_async(say)


def saying_goodbye(name: str, prog: Prog[Any, Any]) -> Eff[Any, Any]:
    """A program that uses an effect on the way out."""
    try:
        return (yield from prog)
    finally:
        yield from Say(f"goodbye from {name}")


def lockstep(*progs: Prog[Any, Any]) -> Eff[Any, list[Any]]:
    return each(progs)


def fetching(*keys: int) -> Eff[Fetch, list[int]]:
    answers = []
    for key in keys:
        answers.append((yield from Fetch(key)))  # noqa: PERF401 - no `yield` in a comprehension
    return answers


async def never(_: object) -> Never:
    await asyncio.Event().wait()
    raise AssertionError("nothing sets this event")


# The same as without awaiting


@given(plans)
def test_a_program_sees_and_does_the_same_under_both_runners(plan: Plan) -> None:
    assert done_async(plan) == done(plan)


def test_handlers_that_do_not_await_answer_there_too() -> None:
    assert awaited(run_async(lockstep(Get(1), Fetch(2), Rate(4)), SYNC)) == [2, 4, 8]


def test_a_program_that_has_run_cannot_run_again() -> None:
    prog = fetching(1)
    awaited(run_async(prog, ASYNC))
    with pytest.raises(AlreadyRun, match="fetching has already run"):
        awaited(run_async(prog, ASYNC))


@pytest.mark.parametrize("place", ["alone", "in each", "beside others"])
def test_a_missing_handler_is_raised_in_the_program_where_it_asks(place: str) -> None:
    def careful() -> Eff[Fetch, str]:
        with pytest.raises(MissingHandler, match=r"no handler answers Fetch: .* for Get, Rate; compose") as caught:
            yield from Fetch(1)
        return caught.value.operation.__name__

    prog = {"alone": careful(), "in each": each([careful()]), "beside others": lockstep(careful(), Get(1), Rate(1))}
    assert "Fetch" in str(awaited(run_async(prog[place], Rate.by_many(answer_together) | Get.by(answer))))  # type: ignore[misc]


# Rounds


def test_those_answered_by_awaiting_in_one_round_wait_side_by_side() -> None:
    async def main() -> list[int]:
        barrier = asyncio.Barrier(50)

        async def meet(op: Fetch) -> int:
            await barrier.wait()
            return op.key

        return await run_async(each([Fetch(i) for i in range(50)]), Fetch.by_async(meet))

    assert asyncio.run(main()) == list(range(50))


def test_ten_thousand_wait_side_by_side() -> None:
    async def main() -> list[int]:
        barrier = asyncio.Barrier(10_000)

        async def meet(op: Fetch) -> int:
            await barrier.wait()
            return op.key

        return await run_async(each([Fetch(i) for i in range(10_000)]), Fetch.by_async(meet))

    assert asyncio.run(main()) == list(range(10_000))


def test_kinds_of_one_round_wait_side_by_side() -> None:
    async def main() -> list[int]:
        barrier = asyncio.Barrier(2)

        async def fetch(_: Fetch) -> int:
            await barrier.wait()
            return 1

        async def rate(ops: Sequence[Rate]) -> Sequence[Result[int, Never]]:
            await barrier.wait()
            return [Success(2) for _ in ops]

        return await run_async(lockstep(Fetch(1), Rate(1)), Fetch.by_async(fetch) | Rate.by_many(rate))

    assert asyncio.run(main()) == [1, 2]


def test_those_that_never_wait_cost_no_task() -> None:
    tasks: set[int] = set()

    async def count(op: Fetch) -> int:
        tasks.add(id(asyncio.current_task()))
        assert len(asyncio.all_tasks()) == 1
        return op.key

    assert awaited(run_async(each([Fetch(i) for i in range(50)]), Fetch.by_async(count))) == list(range(50))
    assert len(tasks) == 1


def test_one_that_waits_does_not_keep_the_others_from_being_answered() -> None:
    async def main() -> list[int]:
        last = asyncio.Event()

        async def fetch(op: Fetch) -> int:
            if op.key == 0:
                await last.wait()
            elif op.key == 49:
                last.set()
            return op.key

        return await run_async(each([Fetch(i) for i in range(50)]), Fetch.by_async(fetch))

    assert asyncio.run(main()) == list(range(50))


def asked_together(prog: Prog[Rate | Get, Any]) -> list[list[int]]:
    """The keys of each request that a handler for many is given."""
    requests: list[list[int]] = []

    async def rate(ops: Sequence[Rate]) -> Sequence[Result[int, Never]]:
        requests.append([op.key for op in ops])
        return [Success(op.key) for op in ops]

    awaited(run_async(prog, Get.by(answer) | Rate.by_many(rate)))
    return requests


def rating(*keys: int) -> Eff[Rate, list[int]]:
    answers = []
    for key in keys:
        answers.append((yield from Rate(key)))  # noqa: PERF401 - no `yield` in a comprehension
    return answers


def test_a_handler_for_many_is_given_a_round_at_a_time_in_order() -> None:
    assert asked_together(each([rating(1, 2), rating(4), rating(5, 6, 8)])) == [[1, 4, 5], [2, 6], [8]]


def test_a_handler_for_many_is_given_its_own_kind_only() -> None:
    assert asked_together(lockstep(Rate(1), Get(1), Rate(2), rating(3, 4), Get(2))) == [[1, 2, 3], [4]]


def test_nested_rounds_are_one_request() -> None:
    assert asked_together(each([each([Rate(10 * i + j) for j in range(10)]) for i in range(5)])) == [list(range(50))]


def test_a_handler_for_many_is_asked_for_one_outside_of_each() -> None:
    assert asked_together(rating(1, 2)) == [[1], [2]]


@pytest.mark.parametrize("results", [[], [Success(1)], [Success(1)] * 3])
def test_a_handler_for_many_that_answers_another_number_is_an_error_in_each_program(results: list[Any]) -> None:
    async def rate(_: Sequence[Rate]) -> Sequence[Result[int, Never]]:
        return results

    prog = each([attempt(Rate(1), BadAnswer), attempt(Rate(2), BadAnswer)])
    for result in awaited(run_async(prog, Rate.by_many(rate))):
        assert str(result.failure()) == f"Rate: {len(results)} results for 2 operations"


@pytest.mark.parametrize("wrong", [Unavailable("scorer", "busy"), "busy", None])
def test_a_failure_among_the_results_of_many_hits_the_program_that_asked_and_no_other(wrong: object) -> None:
    async def rate(ops: Sequence[Rate]) -> Sequence[Any]:
        return [Failure(wrong) if op.key == 3 else Success(op.key) for op in ops]

    answers = awaited(run_async(each([attempt(rating(key), Exception) for key in (1, 3, 5)]), Rate.by_many(rate)))
    assert [answers[0], answers[2]] == [Success([1]), Success([5])]
    failure = answers[1].failure()
    assert failure is wrong or f"<Failure: {wrong}> is not a Success" in str(failure)
    with pytest.raises(type(failure)):
        awaited(run_async(Rate(3), Rate.by_many(rate)))


def test_a_result_of_many_that_is_no_result_is_an_error_in_the_program_that_asked() -> None:
    async def rate(ops: Sequence[Rate]) -> Sequence[Any]:
        return [op.key for op in ops]

    with pytest.raises(BadAnswer, match="5 is not a Success"):
        awaited(run_async(Rate(5), Rate.by_many(rate)))


def test_an_error_of_a_request_for_many_is_raised_in_every_program_as_if_in_it_alone() -> None:
    async def rate(_: Sequence[Rate]) -> Sequence[Result[int, Never]]:
        raise Unavailable("scorer", "busy")

    def careful(key: int) -> Eff[Rate, int]:
        try:
            return (yield from Rate(key))
        except Unavailable as error:
            depth, frames = 0, error.__traceback__
            while frames is not None:
                depth, frames = depth + 1, frames.tb_next
            return depth

    depths = awaited(run_async(each([careful(i) for i in range(5)]), Rate.by_many(rate)))
    assert depths == depths[:1] * 5


# Errors of handlers

PLACES: Final[dict[str, Callable[[Any], Any]]] = {
    "alone": lambda prog: prog,
    "in each": lambda prog: each([prog, fetching()]),
    "in each, beside another": lambda prog: lockstep(prog, Get(1)),
}
HANDLERS: Final[dict[str, Callable[[Callable[[Any], int]], AsyncHandler[Any]]]] = {
    "by": lambda one: Get.by(answer) | _nobody() | Fetch.by(one),
    "by_async": lambda one: Get.by(answer) | Fetch.by_async(_later(one)),
    "by_many": lambda one: Get.by(answer) | Fetch.by_many(_together(one)),
}
everywhere = pytest.mark.parametrize("place", PLACES)
however = pytest.mark.parametrize("how", HANDLERS)


def _nobody() -> AsyncHandler[Rate]:
    return Rate.by_many(answer_together)


def _later(one: Callable[[Any], int]) -> Callable[[Any], Awaitable[int]]:
    async def later(op: Any) -> int:
        await asyncio.sleep(0)
        return one(op)

    return later


def _together(one: Callable[[Any], int]) -> Callable[[Sequence[Any]], Awaitable[Sequence[Result[int, Never]]]]:
    async def together(ops: Sequence[Any]) -> Sequence[Result[int, Never]]:
        return [Success(one(op)) for op in ops]

    return together


@everywhere
@however
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
def test_an_end_of_iteration_in_a_handler_is_an_error_in_the_program(
    kind: type[Exception], how: str, place: str
) -> None:
    def ends(_: object) -> int:
        raise kind("by mistake")

    def careful() -> Eff[Fetch, str]:
        try:
            yield from Fetch(1)
        except RuntimeError as error:
            return str(error)
        return "was answered"

    result = str(awaited(run_async(PLACES[place](careful()), HANDLERS[how](ends))))
    assert f"raised {kind.__name__}" in result


@everywhere
@however
def test_an_interrupt_in_a_handler_passes_through_the_programs_finally(how: str, place: str) -> None:
    said: list[str] = []

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    prog = saying_goodbye("outer", PLACES[place](saying_goodbye("inner", Fetch(1))))
    with pytest.raises(KeyboardInterrupt):
        awaited(run_async(prog, HANDLERS[how](interrupted) | saying(said)))
    assert said == ["goodbye from inner", "goodbye from outer"]


@everywhere
@pytest.mark.parametrize("how", ["by_async", "by_many"])
def test_a_handler_that_cancels_itself_cancels_the_program(how: str, place: str) -> None:
    said: list[str] = []

    def cancelled(_: object) -> int:
        raise asyncio.CancelledError

    prog = PLACES[place](saying_goodbye("inner", Fetch(1)))
    with pytest.raises(asyncio.CancelledError):
        awaited(run_async(prog, HANDLERS[how](cancelled) | saying(said)))
    assert said == ["goodbye from inner"]


# Cancellation


async def cancelled_once_waiting(running: Coroutine[Any, Any, object]) -> None:
    """Start it, let it come to where it waits, cancel it and wait for its end."""
    task = asyncio.create_task(running)
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@everywhere
def test_a_cancellation_is_thrown_into_the_program_whose_finally_may_still_use_effects(place: str) -> None:
    said: list[str] = []
    prog = saying_goodbye("outer", PLACES[place](saying_goodbye("inner", Fetch(1))))
    handler = Get.by(answer) | Fetch.by_async(never) | saying(said)
    asyncio.run(cancelled_once_waiting(run_async(prog, handler)))
    assert said == ["goodbye from inner", "goodbye from outer"]


def test_every_program_of_an_each_uses_effects_on_its_way_out_of_a_cancellation_in_order() -> None:
    said: list[str] = []
    lanes = [saying_goodbye(name, Fetch(1)) for name in "ab"]
    prog = lockstep(*lanes, lockstep(saying_goodbye("c", Fetch(1))), saying_goodbye("d", fetching()))
    asyncio.run(cancelled_once_waiting(run_async(prog, Fetch.by_async(never) | saying(said))))
    assert said == [f"goodbye from {name}" for name in "dabc"]


def test_a_handler_is_cancelled_with_the_round_it_answers() -> None:
    left: list[int] = []

    async def wait(op: Fetch) -> int:
        try:
            await never(op)
        finally:
            left.append(op.key)
        raise AssertionError("it goes on")

    asyncio.run(cancelled_once_waiting(run_async(each([Fetch(i) for i in range(5)]), Fetch.by_async(wait))))
    assert sorted(left) == [0, 1, 2, 3, 4]


def test_a_cancellation_while_siblings_of_a_failure_leave_is_not_lost() -> None:
    said: list[str] = []

    def slow_to_leave(name: str) -> Eff[Any, Any]:
        try:
            yield from Get(1)
            yield from Get(2)
        finally:
            yield from saying_goodbye(name, Fetch(1))

    prog = lockstep(slow_to_leave("a"), Get(3), slow_to_leave("b"))
    handler = Get.by(answer) | Fetch.by_async(never) | saying(said)

    async def main() -> None:
        task = asyncio.create_task(run_async(prog, handler))
        for _ in range(2):  # both wait for ever on their way out
            for _ in range(20):
                await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert isinstance(caught.value.__context__, BadAnswer)

    asyncio.run(main())
    assert said == ["goodbye from a", "goodbye from b"]


def test_a_program_may_outlive_a_time_limit_it_catches() -> None:
    def careful() -> Eff[Fetch | Get, int]:
        try:
            return (yield from Fetch(1))
        except TimeoutError:
            return (yield from Get(2))

    async def hurried(op: Fetch) -> int:
        async with asyncio.timeout(0):
            return await answer_later(Fetch(op.key + 1))

    handler = Get.by(answer) | Fetch.by_async(hurried)
    assert awaited(run_async(careful(), handler)) == 4
    assert awaited(run_async(each([careful(), careful()]), handler)) == [4, 4]


@everywhere
def test_closing_the_runner_runs_the_programs_finally(place: str) -> None:
    left: list[str] = []

    def leaving() -> Eff[Fetch, None]:
        try:
            yield from Fetch(1)
        finally:
            left.append("left")

    async def main() -> None:
        running = run_async(PLACES[place](leaving()), Get.by(answer) | Fetch.by_async(never))
        running.send(None)
        running.close()
        assert left == ["left"]

    asyncio.run(main())


def test_a_program_that_would_ask_after_its_runner_was_closed_is_an_error() -> None:
    async def main() -> None:
        running = run_async(saying_goodbye("nobody", Fetch(1)), Fetch.by_async(never) | saying([]))
        running.send(None)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            running.close()

    asyncio.run(main())


@pytest.mark.parametrize("steps", range(1, 8))
def test_no_handler_outlives_its_round_whenever_that_was_cancelled(steps: int) -> None:
    asked: list[int] = []

    async def slow_to_leave(op: Fetch) -> int:
        asked.append(op.key)
        try:
            await never(op)
        finally:
            for _ in range(op.key % 5):
                await asyncio.sleep(0)
        raise AssertionError("it goes on")

    async def main() -> None:
        task = asyncio.create_task(run_async(each([Fetch(i) for i in range(50)]), Fetch.by_async(slow_to_leave)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1
        before = list(asked)
        for _ in range(20):
            await asyncio.sleep(0)
        assert before == asked

    asyncio.run(main())
