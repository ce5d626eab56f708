"""What an operation costs, as ratios measured in one run: `python -m benchmarks.bench_eff [--format json]`.

Every contestant asks the same number of operations of the same shape. Their runs are interleaved and the least time of
each counts, since whatever else a machine does only ever adds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from time import perf_counter_ns
from typing import Any, Final, TypeAlias

import attrs
import stateless
from returns.result import Result, Success
from typing_extensions import Never

from tidepool.eff import AsyncHandler, Eff, Handler, Op, each, operation, run, run_async

OPERATIONS: Final = 500  # in one timed run: enough to hide what starting a run costs
ROUND: Final = 50  # operations an `each` round holds, as many as a scorer takes in one request
Contestants: TypeAlias = Mapping[str, Callable[[], object]]


@operation
class Rate(Op[int]):
    """An operation of two fields, as `RateNode` is one."""

    query: str
    node: str


@attrs.frozen
class FrozenRate(Op[int]):
    """The same, frozen at run time too."""

    query: str
    node: str


@dataclass
class StatelessRate(stateless.Ability[int]):
    """The same, as the documentation of `stateless` defines one."""

    query: str
    node: str


def others(count: int) -> list[type[Op[int]]]:
    """Operations that are handled too, and never asked."""
    return [operation(type(f"Other{i}", (Op,), {"__annotations__": {"query": str, "node": str}})) for i in range(count)]


def handlers(count: int) -> Handler[Any]:
    """Handlers for this many operations, one of them `Rate`."""
    return reduce(or_, [Rate.by(answer), FrozenRate.by(answer), *(kind.by(answer) for kind in others(count - 1))])


def answer(op: Any) -> int:
    """What every contestant's handler does."""
    return len(op.node)


async def answer_later(op: Any) -> int:
    """The same, in a coroutine that never waits."""
    return len(op.node)


async def answer_many(ops: Sequence[Any]) -> Sequence[Result[int, Never]]:
    """The same for a round at once."""
    return [Success(len(op.node)) for op in ops]


def asks(kind: type[Op[int]]) -> Eff[Any, int]:
    """A program that asks one operation after another."""
    total = 0
    for _ in range(OPERATIONS):
        total += yield from kind("what breaks?", "a.py:1")  # type: ignore[call-arg]
    return total


def asks_in_rounds(_: object = None) -> Eff[Rate, int]:
    """A program that asks as many operations, a round at a time."""
    total = 0
    for _round in range(OPERATIONS // ROUND):
        total += sum((yield from each([Rate("what breaks?", "a.py:1") for _ in range(ROUND)])))
    return total


def each_of_programs() -> Eff[Rate, int]:
    """As many operations, asked by `ROUND` programs side by side, each asking one after another."""

    def one() -> Eff[Rate, int]:
        total = 0
        for _ in range(OPERATIONS // ROUND):
            total += yield from Rate("what breaks?", "a.py:1")
        return total

    return sum((yield from each([one() for _ in range(ROUND)])))


def called_directly() -> int:
    """What it costs without effects: a call."""
    total = 0
    for _ in range(OPERATIONS):
        total += len(_said("what breaks?", "a.py:1"))
    return total


def _said(_query: str, node: str) -> str:
    return node


def built_and_called() -> int:
    """What it costs to build the operation and call its handler."""
    total = 0
    for _ in range(OPERATIONS):
        total += answer(Rate("what breaks?", "a.py:1"))
    return total


def stateless_asks(place: int, count: int) -> Callable[[], Any]:
    """The same program under `stateless`, handled by the handler at `place` of `count`, from the innermost."""

    def program() -> stateless.Depend[StatelessRate, int]:
        total = 0
        for _ in range(OPERATIONS):
            total += yield from StatelessRate("what breaks?", "a.py:1")
        return total

    def rate(op: StatelessRate) -> int:
        return len(op.node)

    effect: Any = program
    for i in range(count):
        effect = stateless.handle(rate if i == place else _other_of(i))(effect)
    return lambda: stateless.run_async(effect())


def _other_of(i: int) -> Callable[[Any], int]:
    other = dataclass(type(f"StatelessOther{i}", (stateless.Ability,), {"__annotations__": {"query": str, "node": str}}))

    def handle(op: Any) -> int:
        return len(op.node)

    handle.__annotations__ = {"op": other, "return": int}
    return handle


def contestants(loop: asyncio.AbstractEventLoop) -> Contestants:
    """Everything that is timed, by name."""
    five = handlers(5)

    def awaited(begin: Callable[[], Awaitable[object]]) -> Callable[[], object]:
        return lambda: loop.run_until_complete(_awaiting(begin))

    def rounds_with(handler: Handler[Rate] | AsyncHandler[Rate]) -> Callable[[], object]:
        return awaited(lambda: run_async(asks_in_rounds(), handler))

    return {
        "direct call": called_directly,
        "build the operation, call its handler": built_and_called,
        **{f"run, {n} handlers": _run_with(handlers(n)) for n in (1, 5, 20)},
        "run, 5 handlers, operation frozen by attrs": lambda: run(asks(FrozenRate), five),
        "run_async, 5 handlers": awaited(lambda: run_async(asks(Rate), five)),
        "run_async, 5 handlers, by_async": awaited(lambda: run_async(asks(Rate), five | Rate.by_async(answer_later))),
        "run_async, 5 handlers, by_many": awaited(lambda: run_async(asks(Rate), five | Rate.by_many(answer_many))),
        "run, each of 50 operations": lambda: run(asks_in_rounds(), five),
        "run, each of 50 programs": lambda: run(each_of_programs(), five),
        "run_async, each of 50, by": rounds_with(five),
        "run_async, each of 50, by_many": rounds_with(five | Rate.by_many(answer_many)),
        "run_async, each of 50, by_async": rounds_with(five | Rate.by_async(answer_later)),
        "run_async, each of 50 programs, by_many": awaited(
            lambda: run_async(each_of_programs(), five | Rate.by_many(answer_many))
        ),
        "stateless 0.6.1, 5 handlers, the innermost": awaited(stateless_asks(0, 5)),
        "stateless 0.6.1, 5 handlers, the outermost": awaited(stateless_asks(4, 5)),
    }


def _run_with(handler: Handler[Any]) -> Callable[[], object]:
    return lambda: run(asks(Rate), handler)


async def _awaiting(begin: Callable[[], Awaitable[object]]) -> object:
    return await begin()


def least_ns(timed: Contestants, repeats: int) -> dict[str, float]:
    """The least time of each, in nanoseconds an operation, over interleaved runs."""
    best = dict.fromkeys(timed, float("inf"))
    gc.disable()
    try:
        for _ in range(repeats):
            for name, once in timed.items():
                started = perf_counter_ns()
                once()
                best[name] = min(best[name], (perf_counter_ns() - started) / OPERATIONS)
            gc.collect()
    finally:
        gc.enable()
    return best
