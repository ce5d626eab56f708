"""The laws of the tape: recording changes nothing, and a replay gives the same again or says where it differs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from tests.programs import (
    ASYNC,
    SYNC,
    Events,
    Fetch,
    Get,
    Plan,
    Rate,
    Row,
    awaited,
    done,
    outcome,
    plans,
    program,
    shown,
)
from tidepool.eff import Eff, Prog, attempt, each, run, run_async
from tidepool.errors import AlreadyRun, BadAnswer, Diverged, TidepoolError
from tidepool.tape import Entry, recorded, replay


def getting(*keys: int) -> Eff[Get, list[int]]:
    answers = []
    for key in keys:
        answers.append((yield from Get(key)))  # noqa: PERF401 - no `yield` in a comprehension
    return answers


def tape_of(prog: Prog[Row, object]) -> list[Entry]:
    tape: list[Entry] = []
    outcome(lambda: run(recorded(prog, tape.append), SYNC))
    return tape


def comparable(tape: list[Entry]) -> list[object]:
    """A tape that can be compared: errors are not equal to one another."""
    return [(entry.op, shown(entry.answer)) for entry in tape]


def unheard(_: Entry) -> None:
    """A sink that keeps nothing."""


# Recording


@given(plans)
def test_a_recorded_program_does_and_sees_the_same(plan: Plan) -> None:
    events: Events = []
    assert (outcome(lambda: run(recorded(program(plan, events), unheard), SYNC)), events) == done(plan)


@given(plans)
def test_a_tape_is_the_same_under_both_runners(plan: Plan) -> None:
    tape: list[Entry] = []
    outcome(lambda: awaited(run_async(recorded(program(plan, []), tape.append), ASYNC)))
    assert comparable(tape) == comparable(tape_of(program(plan, [])))


@given(st.lists(plans, max_size=3))
def test_programs_recorded_apart_in_one_each_have_their_own_tapes(several: list[Plan]) -> None:
    tapes: list[list[Entry]] = [[] for _ in several]
    progs = [recorded(program(plan, []), tape.append) for plan, tape in zip(several, tapes, strict=True)]
    run(each([attempt(prog, Exception) for prog in progs]), SYNC)
    assert [comparable(tape) for tape in tapes] == [comparable(tape_of(program(plan, []))) for plan in several]


def test_a_tape_holds_the_operations_of_a_round_in_its_order() -> None:
    prog = each([each([Get(1), Get(2)]), getting(4)])
    assert tape_of(prog) == [Entry(Get(key), Success(2 * key)) for key in (1, 2, 4)]


def test_a_tape_holds_the_errors_that_were_thrown() -> None:
    (entry,) = tape_of(Get(3))
    assert isinstance(entry.answer, Failure)
    assert str(entry.answer.failure()) == "world: no Get(key=3)"


def test_a_program_that_has_run_cannot_be_recorded() -> None:
    prog = getting(1)
    run(prog, SYNC)
    with pytest.raises(AlreadyRun, match="getting has already run"):
        run(recorded(prog, unheard), SYNC)


def test_closing_a_recorded_program_closes_the_program() -> None:
    left: list[str] = []

    def leaving() -> Eff[Get, None]:
        try:
            yield from Get(1)
        finally:
            left.append("left")

    prog = recorded(leaving(), unheard)
    next(prog)
    prog.close()
    assert left == ["left"]


# Replaying


@given(plans)
def test_a_replay_does_and_sees_the_same(plan: Plan) -> None:
    tape = tape_of(program(plan, []))
    events: Events = []
    assert (outcome(lambda: replay(program(plan, events), tape)), events) == done(plan)


@given(plans)
def test_a_tape_can_be_replayed_again(plan: Plan) -> None:
    tape = tape_of(program(plan, []))
    first, second = (outcome(lambda: replay(program(plan, []), tape)) for _ in range(2))
    assert first == second


def test_an_error_is_replayed_with_its_type_and_text_in_the_program_that_asked() -> None:
    def careful() -> Eff[Get, str]:
        with pytest.raises(BadAnswer, match=r"^world: no Get\(key=3\)$") as caught:
            yield from Get(3)
        return caught.value.why

    assert replay(careful(), tape_of(careful())) == "no Get(key=3)"


def test_an_error_is_replayed_as_it_was_recorded_however_often() -> None:
    def failing(key: int) -> Eff[Row, Any]:
        try:
            return (yield from getting(1, 2))
        finally:
            yield from Get(key)

    def prog() -> Eff[Row, Any]:
        lanes: list[Prog[Row, Any]] = [failing(10), Get(3), failing(17)]
        return (yield from each(lanes))

    def seen() -> tuple[list[str], list[str]]:
        with pytest.raises(BadAnswer) as caught:
            replay(prog(), tape)
        return caught.value.__notes__, [frame.name for frame in caught.traceback]

    tape = tape_of(prog())
    notes, frames = seen()
    assert len(notes) == 2
    assert (notes, frames) == seen() == seen()


def test_a_cancellation_is_not_on_the_tape() -> None:
    tape: list[Entry] = []

    async def never(_: Fetch) -> int:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets this event")

    def prog() -> Eff[Row, None]:
        try:
            yield from Get(1)
            yield from Fetch(1)
        finally:
            yield from Get(2)

    async def main() -> None:
        task = asyncio.create_task(run_async(recorded(prog(), tape.append), ASYNC | Fetch.by_async(never)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert tape == [Entry(Get(1), Success(2)), Entry(Get(2), Success(4))]


def test_a_tape_made_by_awaiting_is_replayed_without() -> None:
    tape: list[Entry] = []

    def prog() -> Eff[Row, list[int]]:
        lanes: list[Prog[Row, int]] = [Rate(8), Fetch(2), Fetch(1)]
        return (yield from each(lanes))

    assert awaited(run_async(recorded(prog(), tape.append), ASYNC)) == replay(prog(), tape) == [16, 4, 2]


DIVERGING: dict[str, tuple[Callable[[], Prog[Any, Any]], int, object, object]] = {
    "asks something else": (lambda: getting(1, 5, 4), 1, Get(2), Get(5)),
    "asks something else in a round": (lambda: each([Get(1), Get(4), Get(2)]), 1, Get(2), Get(4)),
    "asks more": (lambda: getting(1, 2, 4, 5), 3, "nothing more", Get(5)),
    "asks less": (lambda: getting(1), 1, Get(2), "nothing more"),
    "asks nothing": (getting, 0, Get(1), "nothing more"),
    "asks another kind": (lambda: Fetch(1), 0, Get(1), Fetch(1)),
    "catches what is raised": (lambda: attempt(getting(1, 5), TidepoolError), 1, Get(2), Get(5)),
    "fails because of it": (lambda: _translating(getting(1, 5)), 1, Get(2), Get(5)),
}


def _translating(prog: Eff[Get, Any]) -> Eff[Get, Any]:
    try:
        return (yield from prog)
    except Diverged:
        raise ValueError("something else") from None


@pytest.mark.parametrize("how", DIVERGING)
def test_a_program_that_diverges_from_the_tape_is_an_error_that_names_the_step(how: str) -> None:
    prog, step, held, asked = DIVERGING[how]
    tape = tape_of(getting(1, 2, 4))
    with pytest.raises(Diverged, match=f"replay diverged at step {step}: the tape holds ") as caught:
        replay(prog(), tape)
    assert (caught.value.step, caught.value.recorded, caught.value.asked) == (step, held, asked)


@given(plans, st.data())
def test_a_tape_that_was_cut_short_is_noticed(plan: Plan, data: st.DataObject) -> None:
    tape = tape_of(program(plan, []))
    length = data.draw(st.integers(0, len(tape)))
    try:
        replay(program(plan, []), tape[:length])
    except Diverged as error:
        assert error.step == length < len(tape)  # noqa: PT017 - that it is raised, the next branch sees to
    except Exception:  # noqa: BLE001 - the program's own
        assert length == len(tape)
    else:
        assert length == len(tape)
