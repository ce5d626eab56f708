"""The laws of programs, handlers and the synchronous runner."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Sequence
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from tests.programs import (
    SYNC,
    Events,
    Fetch,
    Get,
    Plan,
    Rate,
    answer,
    answer_later,
    answer_together,
    done,
    outcome,
    plans,
    program,
)
from tidepool.eff import AsyncHandler, Eff, Handler, Op, Prog, Raised, attempt, each, lift, operation, run
from tidepool.errors import AlreadyRun, BadAnswer, MissingHandler, ProgramError, TidepoolError, Unavailable

BROKEN = Get(3)  # what no handler here can answer


@operation
class Say(Op[None]):
    text: str


class Said:
    """A handler for `Say`, and what was said."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def handler(self) -> Handler[Say | Get]:
        return Say.by(lambda op: self.texts.append(op.text)) | Get.by(answer)


def getting(*keys: int) -> Eff[Get, list[int]]:
    answers = []
    for key in keys:
        answers.append((yield from Get(key)))  # noqa: PERF401 - no `yield` in a comprehension
    return answers


def lockstep(*progs: Prog[Any, Any]) -> Eff[Any, list[Any]]:
    """`each`, of programs that have no type in common."""
    return each(progs)


def saying_goodbye(name: str, prog: Prog[Any, Any]) -> Eff[Any, Any]:
    """A program that uses an effect on the way out."""
    try:
        return (yield from prog)
    finally:
        yield from Say(f"goodbye from {name}")


def lines_of(error: BaseException) -> list[str]:
    """The functions a traceback shows, outermost first."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


PLACES: Final[dict[str, Callable[[Any], Any]]] = {
    "alone": lambda prog: prog,
    "in each": lambda prog: each([prog, getting()]),
    "in a nested each": lambda prog: each([each([prog]), getting()]),
}
everywhere = pytest.mark.parametrize("place", PLACES)


# Operations


def test_an_operation_is_compared_and_hashed_by_its_class_and_fields() -> None:
    assert Get(1) == Get(1) != Get(2)
    assert len({Get(1), Fetch(1), Rate(1)}) == 3
    assert {Get(1): "one"}[Get(1)] == "one"


def test_an_operation_shows_what_it_asks() -> None:
    assert repr(Get(1)) == "Get(key=1)"


# Programs and dispatch


def test_a_program_is_given_the_answers_to_what_it_asks() -> None:
    assert run(getting(1, 2), SYNC) == [2, 4]


def test_an_operation_by_itself_is_a_program() -> None:
    assert run(Get(5), SYNC) == 10


def test_a_program_that_asks_nothing_returns() -> None:
    assert run(getting(), Handler({})) == []


class Counted(dict[type, Callable[[Any], Any]]):
    """A table that counts how often it is looked into."""

    looks = 0

    def __getitem__(self, kind: type) -> Callable[[Any], Any]:
        self.looks += 1
        return super().__getitem__(kind)

    def __contains__(self, kind: object) -> bool:
        self.looks += 1
        return super().__contains__(kind)

    def get(self, *_: Any) -> Any:
        raise AssertionError("counted nowhere")

    def __iter__(self) -> Any:
        raise AssertionError("went through the handlers one by one")


def test_dispatch_costs_the_same_whatever_the_number_of_handlers() -> None:
    def looks(others: int) -> int:
        kinds: list[type] = [operation(type(f"Other{i}", (Op,), {})) for i in range(others)]
        table = Counted({**dict.fromkeys(kinds, answer), Get: answer})
        run(getting(1, 2, 4), Handler[Get](table))
        return table.looks

    assert looks(0) == looks(5) == looks(200) > 0


def test_a_handler_answers_an_operation_by_itself() -> None:
    assert SYNC(Get(4)) == 8


# Sums of handlers

HANDLERS: Sequence[Handler[Any] | AsyncHandler[Any]] = [
    Get.by(answer),
    Get.by(lambda _: 0),
    Fetch.by(answer),
    Fetch.by_async(answer_later),
    Rate.by(answer),
    Rate.by_async(answer_later),
    Rate.by_many(answer_together),
]
handlers = st.lists(st.sampled_from(HANDLERS), min_size=1, max_size=3).map(lambda some: reduce(or_, some))


def test_the_right_handler_of_a_sum_answers_where_both_could() -> None:
    assert run(Get(1), SYNC | Get.by(lambda _: -1)) == -1
    assert run(Get(1), Get.by(lambda _: -1) | SYNC) == 2


@given(handlers, handlers, handlers)
def test_a_sum_of_handlers_is_associative(a: Any, b: Any, c: Any) -> None:
    assert lift((a | b) | c) == lift(a | (b | c))


@given(handlers, handlers)
def test_a_sum_answers_each_operation_in_one_way_only(a: Any, b: Any) -> None:
    whole, right = lift(a | b), lift(b)
    tables = [whole.now, whole.later, whole.many]
    assert sum(map(len, tables)) == len(set().union(*tables))
    for table, of_right in zip(tables, [right.now, right.later, right.many], strict=True):
        assert of_right.items() <= table.items()


def test_the_sum_of_handlers_that_need_not_await_need_not_await() -> None:
    assert isinstance(Get.by(answer) | Fetch.by(answer), Handler)
    assert isinstance(Get.by(answer) | Fetch.by_async(answer_later), AsyncHandler)
    assert isinstance(Fetch.by_async(answer_later) | Get.by(answer), AsyncHandler)


# Missing handlers


def test_a_missing_handler_names_the_operation_and_the_handlers_there_are() -> None:
    with pytest.raises(MissingHandler, match=r"no handler answers Get: .* for Fetch, Rate; compose one") as caught:
        run(getting(1), Rate.by(answer) | Fetch.by(answer))  # type: ignore[misc]
    assert caught.value.operation is Get
    assert set(caught.value.handled) == {Fetch, Rate}
    assert caught.value.__context__ is None


@everywhere
def test_a_missing_handler_is_raised_in_the_program_where_it_asks(place: str) -> None:
    def careful() -> Eff[Fetch, str]:
        try:
            yield from Fetch(1)
        except MissingHandler as error:
            return f"did without {error.operation.__name__}"
        return "was answered"

    assert "did without Fetch" in str(run(PLACES[place](careful()), Get.by(answer)))


def test_a_bare_yield_is_an_operation_that_no_handler_answers() -> None:
    def bare() -> Generator[Any, Any, str]:
        yield None
        return "went on"

    for prog in (bare(), each([bare()])):
        with pytest.raises(MissingHandler, match="no handler answers NoneType"):
            run(prog, SYNC)


# Errors


def test_a_handlers_error_is_thrown_into_the_program_at_the_line_that_asked() -> None:
    def careful() -> Eff[Get, list[int]]:
        answers = []
        for key in (1, 3, 5):
            try:
                answers.append((yield from Get(key)))
            except BadAnswer:
                answers.append(-1)
        return answers

    assert run(careful(), SYNC) == [2, -1, 10]


def test_a_traceback_shows_the_program_the_programs_inside_it_and_the_handler() -> None:
    def outer() -> Eff[Get, int]:
        return (yield from inner())

    def inner() -> Eff[Get, int]:
        return (yield from BROKEN)

    with pytest.raises(BadAnswer) as caught:
        run(outer(), SYNC)
    lines = lines_of(caught.value)
    assert [name for name in lines if name in {"outer", "inner", "answer"}] == ["outer", "inner", "answer"]

    with pytest.raises(BadAnswer) as caught:
        run(each([outer(), getting(1)]), SYNC)
    lines = lines_of(caught.value)
    assert [name for name in lines if name in {"each", "outer", "inner", "answer"}] == [
        "each",
        "outer",
        "inner",
        "answer",
    ]


def test_an_error_that_replaces_a_handlers_error_remembers_it() -> None:
    def translating() -> Eff[Get, int]:
        try:
            return (yield from BROKEN)
        except BadAnswer:
            raise ValueError("translated")  # noqa: B904 - the context is what is looked at

    with pytest.raises(ValueError, match="translated") as caught:
        run(translating(), SYNC)
    assert isinstance(caught.value.__context__, BadAnswer)


@everywhere
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
def test_an_end_of_iteration_in_a_handler_is_an_error_in_the_program(kind: type[Exception], place: str) -> None:
    def ends(_: Get) -> int:
        raise kind("by mistake")

    def careful() -> Eff[Get, None]:
        with pytest.raises(RuntimeError, match=f"a handler raised {kind.__name__}") as caught:
            yield from Get(1)
        assert isinstance(caught.value.__cause__, kind)

    run(PLACES[place](careful()), Get.by(ends))
    with pytest.raises(RuntimeError, match=f"a handler raised {kind.__name__}"):
        run(PLACES[place](Get(1)), Get.by(ends))


def test_an_interrupt_in_a_handler_passes_through_the_programs_finally() -> None:
    said = Said()

    def interrupted(_: Get) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(saying_goodbye("one", Get(1)), said.handler() | Get.by(interrupted))
    lanes = [saying_goodbye("two", Get(1)), saying_goodbye("three", Get(2))]
    with pytest.raises(KeyboardInterrupt):
        run(saying_goodbye("all", each(lanes)), said.handler() | Get.by(interrupted))
    assert said.texts == [f"goodbye from {name}" for name in ("one", "two", "three", "all")]


# Attempts


def test_an_attempt_turns_a_named_error_into_a_value() -> None:
    match run(attempt(getting(1, 3), BadAnswer), SYNC):
        case Failure(BadAnswer(interpreter="world", why="no Get(key=3)")):
            pass
        case other:
            pytest.fail(repr(other))
    assert run(attempt(getting(1), BadAnswer), SYNC) == Success([2])


def test_an_attempt_lets_other_errors_pass() -> None:
    with pytest.raises(BadAnswer, match=r"no Get\(key=3\)"):
        run(attempt(BROKEN, Unavailable, ValueError), SYNC)


# `each`


def test_each_answers_in_order() -> None:
    assert run(lockstep(getting(1, 2), getting(4), Get(5), getting()), SYNC) == [[2, 4], [8], 10, []]


def rounds(prog: Eff[Any, Any]) -> list[list[Any]]:
    """The operations of each round a program asks, when all are answered by their keys."""
    asked = []
    try:
        batch = next(prog)
        while True:
            asked.append(list(batch.ops))
            batch = prog.send([op.key for op in batch.ops])
    except StopIteration:
        return asked


def test_each_asks_a_round_of_operations_at_a_time() -> None:
    assert rounds(each([getting(1, 2), getting(4, 5)])) == [[Get(1), Get(4)], [Get(2), Get(5)]]


def test_a_program_that_asks_more_than_its_siblings_goes_on_alone() -> None:
    lanes = [getting(1), getting(2, 4, 5), getting()]
    assert rounds(each(lanes)) == [[Get(1), Get(2)], [Get(4)], [Get(5)]]
    assert run(each([getting(1), getting(2, 4, 5), getting()]), SYNC) == [[2], [4, 8, 10], []]


def test_a_nested_each_joins_the_round_around_it() -> None:
    nested = [each([Get(10 * i + j) for j in range(10)]) for i in range(5)]
    assert rounds(each(nested)) == [[Get(i) for i in range(50)]]


def test_a_nested_each_beside_other_programs_has_its_own_answers() -> None:
    assert run(lockstep(getting(1, 2), lockstep(Get(4), getting(5, 6)), Get(8)), SYNC) == [[2, 4], [8, [10, 12]], 16]


def test_each_of_nothing_asks_nothing() -> None:
    assert run(each([]), Handler({})) == []
    assert run(each([each([]), each([])]), Handler({})) == [[], []]


def test_each_takes_ten_thousand_programs() -> None:
    keys = [key for key in range(20_000) if key % 7 != 3][:10_000]
    assert run(each(Get(key) for key in keys), SYNC) == [2 * key for key in keys]
    assert run(each(getting(key) for key in keys), SYNC) == [[2 * key] for key in keys]


def test_the_first_failure_is_the_one_of_the_earliest_round_and_in_it_of_the_first_program() -> None:
    with pytest.raises(BadAnswer, match=r"no Get\(key=10\)"):
        run(each([getting(1, 3), getting(10, 1), getting(17)]), SYNC)
    with pytest.raises(BadAnswer, match=r"no Get\(key=3\)"):
        run(each([BROKEN, Get(10)]), SYNC)


def test_a_failure_that_a_program_catches_is_its_own_affair() -> None:
    results = run(each([attempt(getting(1), BadAnswer), attempt(getting(3), BadAnswer)]), SYNC)
    assert results[0] == Success([2])
    assert isinstance(results[1], Failure)


def test_siblings_of_a_failure_use_effects_on_their_way_out_in_order() -> None:
    said = Said()
    lanes = [saying_goodbye(name, getting(*keys)) for name, keys in [("a", (1, 2, 4)), ("b", (3,)), ("c", (4, 5, 6))]]
    with pytest.raises(BadAnswer, match=r"no Get\(key=3\)"):
        run(each([*lanes, getting(1)]), said.handler())
    assert said.texts == ["goodbye from b", "goodbye from a", "goodbye from c"]


def test_programs_inside_siblings_of_a_failure_use_effects_on_their_way_out_too() -> None:
    said = Said()

    def deeper(name: str) -> Eff[Any, Any]:
        return (yield from saying_goodbye(f"outer {name}", saying_goodbye(f"inner {name}", getting(1, 2))))

    with pytest.raises(BadAnswer):
        run(lockstep(deeper("a"), lockstep(deeper("b"), each([deeper("c")])), BROKEN), said.handler())
    assert said.texts == [f"goodbye from {depth} {name}" for name in "abc" for depth in ("inner", "outer")]


def test_an_error_of_a_sibling_on_its_way_out_becomes_a_note_on_the_first() -> None:
    said = Said()

    def failing(name: str, key: int) -> Eff[Any, Any]:
        try:
            yield from getting(1, 2)
        finally:
            yield from saying_goodbye(name, Get(key))

    with pytest.raises(BadAnswer, match=r"no Get\(key=3\)") as caught:
        run(lockstep(failing("a", 10), BROKEN, failing("b", 17)), said.handler())
    assert said.texts == ["goodbye from a", "goodbye from b"]
    assert [note.partition("failing, ")[2] for note in caught.value.__notes__] == [
        f"cancelled because of this, raised BadAnswer('world: no Get(key={key})')" for key in (10, 17)
    ]


def test_a_sibling_that_goes_on_after_it_was_cancelled_is_answered_to_its_end() -> None:
    said = Said()

    def stubborn() -> Eff[Any, str]:
        try:
            yield from getting(1, 2)
        except BaseException:  # noqa: BLE001 - a program that lets nothing pass
            yield from Say("and yet")
        yield from Say("it went on")
        return "to no avail"

    with pytest.raises(BadAnswer):
        run(lockstep(stubborn(), BROKEN), said.handler())
    assert said.texts == ["and yet", "it went on"]


def test_an_error_while_programs_are_built_cancels_those_that_have_begun() -> None:
    said = Said()

    def fails_at_once() -> Eff[Get, None]:
        if said.texts == []:
            raise ValueError("at once")
        yield from Get(1)

    with pytest.raises(ValueError, match="at once"):
        run(each([saying_goodbye("a", Get(1)), fails_at_once(), saying_goodbye("never begun", Get(1))]), said.handler())
    assert said.texts == ["goodbye from a"]


def test_closing_a_program_closes_the_programs_inside_it() -> None:
    closed: list[str] = []

    def leaving(name: str) -> Eff[Get, None]:
        try:
            yield from Get(1)
        finally:
            closed.append(name)

    prog = each([leaving("a"), each([leaving("b")]), leaving("c")])
    next(prog)
    prog.close()
    assert closed == ["a", "b", "c"]


def test_closing_a_program_while_it_is_cancelled_closes_what_has_not_ended() -> None:
    closed: list[str] = []

    def leaving(name: str) -> Eff[Any, None]:
        try:
            yield from getting(1, 2)
        finally:
            try:
                yield from Say("slowly")
            finally:
                closed.append(name)

    prog = lockstep(leaving("a"), BROKEN)
    next(prog)
    assert prog.send([2, Raised(BadAnswer("world", "broken"))]) == Say("slowly")
    prog.close()
    assert closed == ["a"]


def test_closing_a_program_that_would_ask_on_its_way_out_is_an_error() -> None:
    prog = each([saying_goodbye("a", Get(1)), getting(1)])
    next(prog)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        prog.close()


@given(st.lists(st.lists(st.integers(0, 2), max_size=4), max_size=5))
def test_the_rounds_of_each_are_the_columns_of_what_its_programs_ask(keys: list[list[int]]) -> None:
    asked = rounds(each([getting(*some) for some in keys]))
    columns = [[Get(some[i]) for some in keys if i < len(some)] for i in range(max(map(len, keys), default=0))]
    assert asked == columns
    assert all(len(after) <= len(before) for before, after in pairwise(asked))


@given(plans)
def test_each_of_one_program_is_that_program(plan: Plan) -> None:
    def lane(events: Events) -> object:
        (only,) = run(each([program(plan, events)]), SYNC)
        return only

    within: Events = []
    assert (outcome(lambda: lane(within)), within) == done(plan)


# A program runs once


@everywhere
def test_a_program_that_has_run_cannot_run_again(place: str) -> None:
    prog = getting(1)
    run(prog, SYNC)
    with pytest.raises(AlreadyRun, match="getting has already run: call the function again"):
        run(PLACES[place](prog), SYNC)


def test_an_attempt_of_a_program_that_has_run_is_an_error_and_no_value() -> None:
    prog = getting(1)
    run(prog, SYNC)
    with pytest.raises(AlreadyRun):
        run(attempt(prog, TidepoolError), SYNC)


def test_a_program_cannot_run_twice_at_once() -> None:
    prog = getting(1, 2)
    with pytest.raises(AlreadyRun):
        run(each([prog, prog]), SYNC)

    begun = getting(1, 2)
    next(begun)
    with pytest.raises(AlreadyRun):
        run(begun, SYNC)


def test_an_operation_can_be_asked_again() -> None:
    op = Get(1)
    assert run(lockstep(op, op, getting(1)), SYNC) == [2, 2, [2]]
    assert run(op, SYNC) == 2


# Depth


def nested(depth: int, prog: Prog[Get, int]) -> Eff[Get, int]:
    for _ in range(depth):
        prog = _inside(prog)
    return (yield from prog)


def _inside(prog: Prog[Get, int]) -> Eff[Get, int]:
    return (yield from prog)


def test_programs_nest_five_hundred_deep() -> None:
    assert run(nested(500, Get(1)), SYNC) == 2
    with pytest.raises(BadAnswer):
        run(nested(500, BROKEN), SYNC)


def test_programs_nested_too_deep_are_an_error_that_a_program_can_catch() -> None:
    def careful() -> Eff[Get, object]:
        try:
            return (yield from nested(5_000, Get(1)))
        except RecursionError:
            return (yield from Get(2))

    assert run(careful(), SYNC) == 4
    assert run(lockstep(careful(), Get(4)), SYNC) == [4, 8]


# What is composed wrongly, and can be told at once


async def fetched(op: Fetch) -> int:
    return op.key


def test_a_coroutine_function_is_no_answer_at_once() -> None:
    with pytest.raises(ProgramError, match=r"fetched awaits: compose it with Fetch\.by_async"):
        Fetch.by(fetched)  # type: ignore[arg-type]


def test_what_awaits_is_run_asynchronously() -> None:
    with pytest.raises(ProgramError, match="run_async"):
        run(Fetch(1), Fetch.by_async(fetched))  # type: ignore[arg-type]


def test_a_function_that_makes_a_program_is_none() -> None:
    def program() -> Eff[Get, int]:
        return (yield from Get(1))

    with pytest.raises(ProgramError, match=r"is no program .* call the function"):
        run(program, Get.by(lambda op: op.key))  # type: ignore[arg-type]
