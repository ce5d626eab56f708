"""What an operation costs, as ratios measured in one run: `python tests/benchmarks/effects.py [--format json]`.

Every contestant asks the same number of operations of the same shape, and its handler does the same. Runs are
interleaved and the least time of each counts, since whatever else a machine does only ever adds. A run includes what
starting it includes: `stateless.run` starts an event loop, so whatever awaits here starts one too. The contestants "in
a running loop" leave that out, for the ratio that a program of any length tends to.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from time import perf_counter_ns
from typing import Any, Final, Never, TypeAlias

import attrs
from returns.result import Result, Success
from stateless import effect
from stateless.ability import Ability
from stateless.handler import handle

from tidepool.eff import AsyncHandler, Eff, Handler, Op, each, operation, run, run_async

OPERATIONS: Final = 500  # of one timed run
ROUND: Final = 50  # operations a round of `each` holds: as many as a scorer takes in one request
REPEATS: Final = 60
STATELESS: Final = "stateless 0.6.1, 5 handlers, the innermost"
ASKED: Final = ("What breaks?", "a.py:1")
SUCCESSES: Final = [Success(length) for length in range(10)]

Contestants: TypeAlias = Mapping[str, Callable[[], object]]


@attrs.frozen
class Target:
    """A ratio that is not to be exceeded."""

    contestant: str
    to: str
    at_most: float


TARGETS: Final = (
    Target("run, 5 handlers", STATELESS, 0.5),
    Target("run, 20 handlers", "run, 5 handlers", 1.15),
    Target("run_async, each of 50, by", STATELESS, 1.0),
    Target("run_async, each of 50, by_async", STATELESS, 1.0),
    Target("run_async, each of 50, by_many", STATELESS, 1.0),
)


# The operation, and what answers it.


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
class StatelessRate(Ability[int]):
    """The same, as the guide of `stateless` defines one."""

    query: str
    node: str


def answer(op: Any) -> int:
    """What every handler does."""
    return len(op.node)


async def answer_later(op: Any) -> int:
    """The same, in a coroutine that never waits."""
    return len(op.node)


async def answer_together(ops: Sequence[Any]) -> Sequence[Result[int, Never]]:
    """The same for a round at once. A `Success` costs more than an operation: these were made beforehand."""
    return [SUCCESSES[len(op.node)] for op in ops]


async def answer_together_anew(ops: Sequence[Any]) -> Sequence[Result[int, Never]]:
    """The same, each `Success` made when it is needed."""
    return [Success(len(op.node)) for op in ops]


def handlers(count: int) -> Handler[Any]:
    """Handlers for this many operations, the one that is asked among them."""
    others: list[type[Op[int]]] = [operation(type(f"Other{i}", (Op,), {})) for i in range(count - 1)]
    kinds: list[type[Op[int]]] = [Rate, *others]
    return reduce(or_, [kind.by(answer) for kind in kinds])


# The programs: each asks `OPERATIONS` operations.


def in_turn(kind: Callable[[str, str], Op[int]] = Rate, times: int = OPERATIONS) -> Eff[Any, int]:
    """One operation after another."""
    total = 0
    for _ in range(times):
        total += yield from kind(*ASKED)
    return total


def in_rounds() -> Eff[Rate, int]:
    """A round of operations after another."""
    total = 0
    for _ in range(OPERATIONS // ROUND):
        total += sum((yield from each([Rate(*ASKED) for _ in range(ROUND)])))
    return total


def side_by_side() -> Eff[Rate, int]:
    """Programs in lockstep, each asking one operation after another."""
    return sum((yield from each([in_turn(times=OPERATIONS // ROUND) for _ in range(ROUND)])))


def called() -> int:
    """No effects: a call in place of an operation."""
    return sum([_node(*ASKED) for _ in range(OPERATIONS)])


def _node(_query: str, node: str) -> int:
    return len(node)


def built_and_answered() -> int:
    """No program: the operation is built and its handler called."""
    return sum([answer(Rate(*ASKED)) for _ in range(OPERATIONS)])


def stateless_in_turn(place: int, count: int) -> Callable[[], effect.Success[int]]:
    """The same as `in_turn` under `stateless`: the handler at `place` of `count` answers, counted from the inside."""

    def program() -> effect.Depend[StatelessRate, int]:
        total = 0
        for _ in range(OPERATIONS):
            total += yield from StatelessRate(*ASKED)
        return total

    handled: Any = program
    for i in range(count):
        handled = handle(_stateless_handler(StatelessRate if i == place else None))(handled)
    begin: Callable[[], effect.Success[int]] = handled
    return begin


def _stateless_handler(kind: type | None) -> Callable[[Any], int]:
    def handler(op: Any) -> int:
        return len(op.node)

    handler.__annotations__ = {"op": kind or dataclass(type("Other", (Ability,), {})), "return": int}
    return handler


# The contest.


def contestants(loop: asyncio.AbstractEventLoop) -> Contestants:
    """Everything that is timed, by name."""
    five = handlers(5)
    later, together = five | Rate.by_async(answer_later), five | Rate.by_many(answer_together)
    anew = five | Rate.by_many(answer_together_anew)

    def rounds(handler: Handler[Rate] | AsyncHandler[Rate]) -> Callable[[], Coroutine[Any, Any, int]]:
        return lambda: run_async(in_rounds(), handler)

    def begun(begin: Callable[[], Coroutine[Any, Any, object]]) -> Callable[[], object]:
        return lambda: asyncio.run(begin())

    def running(begin: Callable[[], Coroutine[Any, Any, object]]) -> Callable[[], object]:
        return lambda: loop.run_until_complete(begin())

    frozen = FrozenRate.by(answer) | five
    innermost, outermost = stateless_in_turn(0, 5), stateless_in_turn(4, 5)
    return {
        "a direct call": called,
        "build the operation, call its handler": built_and_answered,
        "make a Success": lambda: [Success(i) for i in range(OPERATIONS)],
        "run, 1 handler": _run_with(handlers(1)),
        "run, 5 handlers": _run_with(five),
        "run, 20 handlers": _run_with(handlers(20)),
        "run, 5 handlers, an operation frozen by attrs": lambda: run(in_turn(FrozenRate), frozen),
        "run, each of 50": lambda: run(in_rounds(), five),
        "run, each of 50 programs": lambda: run(side_by_side(), five),
        "run_async, 5 handlers, by": begun(lambda: run_async(in_turn(), five)),
        "run_async, 5 handlers, by_async": begun(lambda: run_async(in_turn(), later)),
        "run_async, 5 handlers, by_many": begun(lambda: run_async(in_turn(), together)),
        "run_async, each of 50, by": begun(rounds(five)),
        "run_async, each of 50, by_async": begun(rounds(later)),
        "run_async, each of 50, by_many": begun(rounds(together)),
        "run_async, each of 50, by_many, made anew": begun(rounds(anew)),
        "run_async, each of 50 programs, by_many": begun(lambda: run_async(side_by_side(), together)),
        STATELESS: lambda: effect.run(innermost()),
        "stateless 0.6.1, 5 handlers, the outermost": lambda: effect.run(outermost()),
        "in a running loop: run_async, each of 50, by": running(rounds(five)),
        "in a running loop: run_async, each of 50, by_async": running(rounds(later)),
        "in a running loop: run_async, each of 50, by_many": running(rounds(together)),
        f"in a running loop: {STATELESS}": running(lambda: effect.run_async(innermost())),
    }


def _run_with(handler: Handler[Any]) -> Callable[[], object]:
    return lambda: run(in_turn(), handler)


def least_ns(timed: Contestants, repeats: int = REPEATS) -> dict[str, float]:
    """The least time of each, in nanoseconds an operation, over interleaved runs."""
    best = dict.fromkeys(timed, float("inf"))
    for _ in range(repeats):
        gc.collect()
        gc.disable()
        asyncio.run(asyncio.sleep(0))  # the first event loop after a collection is slower to start
        for name, once in timed.items():
            started = perf_counter_ns()
            once()
            best[name] = min(best[name], (perf_counter_ns() - started) / OPERATIONS)
        gc.enable()
    return best


def measured() -> dict[str, float]:
    """The cost of an operation in nanoseconds, by contestant."""
    loop = asyncio.new_event_loop()
    try:
        return least_ns(contestants(loop))
    finally:
        loop.close()


# The report.


def verdicts(cost: Mapping[str, float]) -> list[dict[str, Any]]:
    """Each target, the ratio there was, and whether it meets it."""
    ratios = [(target, cost[target.contestant] / cost[target.to]) for target in TARGETS]
    return [{**attrs.asdict(target), "ratio": ratio, "met": ratio <= target.at_most} for target, ratio in ratios]


def table(cost: Mapping[str, float]) -> str:
    """The costs and the targets, for people."""
    width = max(map(len, cost))
    direct, other = cost["a direct call"], cost[STATELESS]
    lines = [f"{'':{width}}   ns  to a direct call  to stateless"]
    lines += [f"{name:{width}} {ns:4.0f} {ns / direct:17.1f} {ns / other:13.2f}" for name, ns in cost.items()]
    lines += [
        f"{'PASS' if one['met'] else 'FAIL'} {one['ratio']:.2f} (at most {one['at_most']}) "
        f"{one['contestant']}, to {one['to']}"
        for one in verdicts(cost)
    ]
    return "\n".join(lines)


def main(form: str = "table") -> bool:
    """Measure and print; answer whether every target is met."""
    cost = measured()
    print(json.dumps({"ns": cost, "targets": verdicts(cost)}, indent=2) if form == "json" else table(cost))
    return all(one["met"] for one in verdicts(cost))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What an operation costs.")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    sys.exit(not main(parser.parse_args().format))
