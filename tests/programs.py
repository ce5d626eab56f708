"""Random programs for laws that hold of every program, and handlers that answer them with and without awaiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Never, TypeAlias

import attrs
from hypothesis import strategies as st
from returns.result import Failure, Result, Success

from tidepool.eff import AsyncHandler, Eff, Handler, Op, attempt, each, operation, run, run_async
from tidepool.errors import BadAnswer


@operation
class Get(Op[int]):
    """Answered at once."""

    key: int


@operation
class Fetch(Op[int]):
    """Answered later, where handlers may await."""

    key: int


@operation
class Rate(Op[int]):
    """Answered together with the others of its round, where handlers may await."""

    key: int


Row: TypeAlias = Get | Fetch | Rate
Events: TypeAlias = list[tuple[object, ...]]


@attrs.frozen
class Ask:
    """Ask one operation; within `each`, `bare` stands for the operation itself in place of a program that asks it."""

    op: Row
    bare: bool = False


@attrs.frozen
class Raise:
    """Raise an error of the program's own."""

    key: int


@attrs.frozen
class InTurn:
    """Do one after another."""

    plans: tuple[Plan, ...]


@attrs.frozen
class SideBySide:
    """Do each in lockstep."""

    plans: tuple[Plan, ...]


@attrs.frozen
class Attempt:
    """Do it, and take what an interpreter raises for a value."""

    plan: Plan


@attrs.frozen
class Finally:
    """Do it, and something else on the way out."""

    plan: Plan
    last: Plan


Plan: TypeAlias = Ask | Raise | InTurn | SideBySide | Attempt | Finally


def program(plan: Plan, events: Events) -> Eff[Row, object]:
    """The program that does as planned, and tells of everything it sees."""
    match plan:
        case Ask(op):
            answer = yield from op
            events.append(("answered", op, answer))
            return answer
        case Raise(key):
            events.append(("raising", key))
            raise LookupError(key)
        case InTurn(plans):
            results = []
            for one in plans:
                results.append((yield from program(one, events)))  # noqa: PERF401 - no `yield` in a comprehension
            return results
        case SideBySide(plans):
            lanes = [one.op if isinstance(one, Ask) and one.bare else program(one, events) for one in plans]
            return (yield from each(lanes))
        case Attempt(one):
            result = yield from attempt(program(one, events), BadAnswer)
            events.append(("attempted", shown(result)))
            return shown(result)
        case Finally(one, last):
            try:
                return (yield from program(one, events))
            finally:
                events.append(("leaving",))
                yield from program(last, events)


def shown(result: object) -> object:
    """A result that can be compared: errors are not equal to one another."""
    match result:
        case Success(value):
            return "success", value
        case Failure(error) | (Exception() as error):
            return type(error), str(error), tuple(getattr(error, "__notes__", ()))
        case _:
            return "result", result


def answer(op: Row) -> int:
    """Every seventh key cannot be answered."""
    if op.key % 7 == 3:
        raise BadAnswer("world", f"no {op}")
    return op.key * 2


async def answer_later(op: Row) -> int:
    """Waits, each for another while, so that answers come in another order than they were asked for."""
    for _ in range(op.key % 4):
        await asyncio.sleep(0)
    return answer(op)


async def answer_together(ops: Sequence[Rate]) -> Sequence[Result[int, Never]]:
    """One request for all."""
    await asyncio.sleep(0)
    return [_result(op) for op in ops]


def _result(op: Rate) -> Any:  # a failure where the type says that there is none
    try:
        return Success(answer(op))
    except BadAnswer as error:
        return Failure(error)


SYNC: Handler[Row] = Get.by(answer) | Fetch.by(answer) | Rate.by(answer)
ASYNC: AsyncHandler[Row] = Get.by(answer) | Fetch.by_async(answer_later) | Rate.by_many(answer_together)


def outcome(once: Callable[[], object]) -> object:
    """What came of it: a value, or an error's type, text and notes."""
    try:
        return shown(once())
    except Exception as error:  # noqa: BLE001 - whatever a program raises is what is compared
        return shown(error)


def done(plan: Plan) -> tuple[object, Events]:
    """What comes of a plan under `run`, and everything its program saw."""
    events: Events = []
    return outcome(lambda: run(program(plan, events), SYNC)), events


def done_async(plan: Plan) -> tuple[object, Events]:
    """The same under `run_async`."""
    events: Events = []
    return outcome(lambda: awaited(run_async(program(plan, events), ASYNC))), events


def awaited(result: Awaitable[Any]) -> Any:
    """The result of something to be awaited, in an event loop of its own."""

    async def main() -> Any:
        return await result

    return asyncio.run(main())


def _plans(inner: st.SearchStrategy[Plan]) -> st.SearchStrategy[Plan]:
    several = st.lists(inner, max_size=4).map(tuple)
    return st.one_of(
        several.map(InTurn), several.map(SideBySide), inner.map(Attempt), st.builds(Finally, plan=inner, last=inner)
    )


_keys = st.integers(0, 20)
_asks = st.builds(Ask, st.builds(Get, _keys) | st.builds(Fetch, _keys) | st.builds(Rate, _keys), st.booleans())
plans: st.SearchStrategy[Plan] = st.recursive(_asks | _asks | st.builds(Raise, _keys), _plans, max_leaves=25)
