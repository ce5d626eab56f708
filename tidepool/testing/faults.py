"""What goes wrong, drawn from a seed, and handlers through which it does.

    faults = Faults(plan)
    faults.around(language_server(session)) | faults.around(RateNode.by(mine)) | …

`around` takes any handler: it asks the handler and spoils what was said. Nothing is left to chance at run time: a
`Fault` names the operation it spoils and how many of them came before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from random import Random
from typing import Any, Final, TypeVar, get_args

import attrs
from returns.result import Failure, Result, Success

from tidepool.domain import Rubric
from tidepool.eff import AsyncHandler, Batch, Handler, Raised, lift, run_async
from tidepool.effects.gemma import Model, RateNode
from tidepool.effects.lsp import Diagnostic, DocumentSymbols, Lsp, Place, Unseen, WhatIf
from tidepool.errors import BadAnswer, InterpreterError, ModelFailure, Unavailable, Unsupported

E = TypeVar("E")


class Deed(StrEnum):
    """What is done to one operation. The first two change no answer."""

    SLOW = "answered late"
    SHUFFLED = "answered in another order"
    TIMED_OUT = "not answered in time"
    CRASHED = "its server crashed, and takes a while to start again"
    NONSENSE = "answered with nonsense"
    REFUSED = "not supported"
    MODEL_FAILED = "not rated by the model"
    CUT_SHORT = "answered in part, and nobody says so"
    CUT_AND_TOLD = "answered in part, and `Unseen` says so"
    DOUBLED = "answered with everything twice"
    ELSEWHERE = "answered with places that are wrong"
    STALE = "answered with what the operation before it was answered"
    MADE_UP = "answered with more than there is"
    ROUND_LOST = "its whole round failed"
    ROUND_SHORT = "its round was answered with one answer too few"
    ROUND_GARBLED = "its round was answered with something that is no answer"
    CANCELLED = "the run was cancelled while it waited"
    CANCELLED_BEHIND = "the run was cancelled, and it was answered all the same"
    CANCELLED_LATER = "the run was cancelled some time later"


HARMLESS: Final = frozenset({Deed.SLOW, Deed.SHUFFLED})
"""What must not change an exploration's answer."""

CANCELLING: Final = frozenset({Deed.CANCELLED, Deed.CANCELLED_BEHIND, Deed.CANCELLED_LATER})

_ANYWHERE: Final = (Deed.SLOW, *sorted(CANCELLING))
_LSP: Final = (
    *(Deed.SLOW, Deed.SHUFFLED, Deed.TIMED_OUT, Deed.CRASHED, Deed.NONSENSE, Deed.REFUSED) * 2,
    *(Deed.CUT_SHORT, Deed.CUT_AND_TOLD, Deed.DOUBLED, Deed.ELSEWHERE, Deed.STALE),
    *sorted(CANCELLING),
)
_GEMMA: Final = (
    *(Deed.SLOW, Deed.SLOW, Deed.TIMED_OUT, Deed.CRASHED, Deed.NONSENSE, Deed.REFUSED, Deed.MODEL_FAILED),
    *(Deed.ROUND_LOST, Deed.ROUND_SHORT, Deed.ROUND_GARBLED, Deed.STALE),
    *sorted(CANCELLING),
)

DEEDS: Final[Mapping[type, Sequence[Deed]]] = {
    RateNode: _GEMMA,
    **dict.fromkeys(get_args(Lsp), _LSP),
    WhatIf: (*_LSP, *(Deed.MADE_UP,) * 6),
}
"""What may be done to which operation; to any other, what can be done to a clock."""

_ERRORS: Final[Mapping[Deed, Callable[[str, Any], InterpreterError]]] = {
    Deed.TIMED_OUT: lambda name, _: Unavailable(name, "it did not answer in time"),
    Deed.CRASHED: lambda name, _: Unavailable(name, "it crashed"),
    Deed.NONSENSE: lambda name, _: BadAnswer(name, "it answered nonsense"),
    Deed.REFUSED: lambda name, _: Unsupported(name, "it cannot do that"),
    Deed.MODEL_FAILED: lambda name, op: ModelFailure(name, "it did not rate a node", op.node.location),
    Deed.ROUND_LOST: lambda name, _: Unavailable(name, "it lost the connection"),
    Deed.ROUND_SHORT: lambda name, _: BadAnswer(name, "it answered too little"),
    Deed.ROUND_GARBLED: lambda name, _: BadAnswer(name, "it answered in no known language"),
}

LONGEST_S: Final = 30.0
"""How long, in virtual seconds, anything waits at most."""


@attrs.frozen
class Fault:
    """One thing that goes wrong.

    Attributes:
        operation: the name of the operation's class.
        nth: how many operations of that class are asked before it.
        seconds: how long it takes, or how long its server is down.
        salt: what else there is to choose, such as where a list is cut.
    """

    operation: str
    nth: int
    deed: Deed
    seconds: float = 0.0
    salt: int = 0


def draw_faults(dice: Random, operations: Sequence[type]) -> tuple[Fault, ...]:
    """A plan for a run that asks these operations: mostly of a few faults, now and then of very many, or of none.

    One in six plans is of nothing but delays and shuffled answers, and very many of those.
    """
    only = HARMLESS if dice.random() < 1 / 6 else frozenset(Deed)
    count = dice.choice((0, 1, 1, 1, 2, 2, 3, 4, 6, 40)) if only is not HARMLESS else 40
    drawn: dict[tuple[str, int], Fault] = {}
    for _ in range(count):
        kind = dice.choice(operations)
        fault = Fault(
            kind.__name__,
            dice.choice((0, 0, 1, 2, dice.randrange(8), dice.randrange(64))),
            dice.choice([deed for deed in DEEDS.get(kind, _ANYWHERE) if deed in only]),
            round(LONGEST_S ** dice.random() - 1, 2),
            dice.randrange(1000),
        )
        drawn.setdefault((fault.operation, fault.nth), fault)
    return tuple(drawn.values())


class Endless(BaseException):
    """A run asked for more operations than it may; no program can catch this by accident."""


@attrs.define(eq=False)
class Faults:
    """The faults of one run, and what has been asked so far.

    Attributes:
        plan: what goes wrong.
        cancel: cancels the run.
        most_operations: how many may be asked before the run is taken to be endless.
        asked: every operation in the order in which it was asked.
        done: the faults that have been done.
    """

    plan: Sequence[Fault]
    cancel: Callable[[], object] = attrs.field(default=lambda: None)
    most_operations: int = 10_000
    asked: list[Any] = attrs.field(factory=list)
    done: list[Fault] = attrs.field(factory=list)
    told: list[str] = attrs.field(factory=list)
    timers: list[asyncio.TimerHandle] = attrs.field(factory=list)
    _due: dict[tuple[str, int], Fault] = attrs.field(init=False)
    _counts: dict[str, int] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._due = {(fault.operation, fault.nth): fault for fault in self.plan}

    def around(self, handler: Handler[E] | AsyncHandler[E], name: str = "a server") -> AsyncHandler[E]:
        """The same handler, and everything behind it one server that can fail in every way of the plan.

        Args:
            name: what its errors call it.
        """
        whole = lift(handler)
        server = _Server(self, whole, name)
        alone = dict.fromkeys([*whole.now, *whole.later], server.one)
        return AsyncHandler(now={}, later=alone, many=dict.fromkeys(whole.many, server.round))

    def model(self, handler: Handler[RateNode] | AsyncHandler[RateNode], name: str = "a model") -> Model:
        """The same faults as a model makes them: whatever fails, fails node by node, and nothing is raised."""
        server = _Server(self, lift(handler), name)

        async def rate(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, ModelFailure]]:
            try:
                results = await server.round(ops)
            except InterpreterError as error:
                results = [Failure(error)] * len(ops)
            return [_per_node(name, op, result) for op, result in zip_longest(ops, results)]

        return rate

    def next(self, op: Any) -> Fault | None:
        """Count an operation that is asked, and say what is done to it."""
        if len(self.asked) >= self.most_operations:
            raise Endless(f"more than {self.most_operations} operations were asked")
        self.asked.append(op)
        name = type(op).__name__
        nth = self._counts.get(name, 0)
        self._counts[name] = nth + 1
        fault = self._due.get((name, nth))
        if fault is not None:
            self.done.append(fault)
            if fault.deed is Deed.CANCELLED_LATER:
                self.timers.append(asyncio.get_running_loop().call_later(fault.seconds, self.cancel))
            elif fault.deed in CANCELLING:
                self.cancel()
        return fault


@attrs.define(eq=False)
class _Server:
    """What answers behind the faults: up, or down for a while after a crash."""

    faults: Faults
    handler: AsyncHandler[Any]
    name: str
    down_until_s: float = 0.0
    last: dict[type, Any] = attrs.field(factory=dict)

    async def one(self, op: Any) -> Any:
        fault = self.faults.next(op)
        if fault is None and not self.down_until_s:
            return await self._answer(op, None)
        await self._wait([fault])
        self._expect_up(fault, op)
        if fault is not None and fault.deed in _ERRORS:
            raise _ERRORS[fault.deed](self.name, op)
        return await self._answer(op, fault)

    async def round(self, ops: Sequence[Any]) -> Sequence[Any]:
        """A round's answers as results, which is how an interpreter that takes all at once gives them."""
        faults = [self.faults.next(op) for op in ops]
        await self._wait(faults)
        for op, fault in zip(ops, faults, strict=True):
            self._expect_up(fault, op)
            if fault is not None and fault.deed is Deed.ROUND_LOST:
                raise _ERRORS[fault.deed](self.name, op)
        answers = await self.handler.round(Batch(ops))
        results = [self._result(*each) for each in zip(ops, faults, answers, strict=True)]
        for deed in (fault.deed for fault in faults if fault):
            if deed is Deed.ROUND_SHORT:
                results.pop()
            elif deed is Deed.ROUND_GARBLED and results:
                results[0] = None
        return results

    def _result(self, op: Any, fault: Fault | None, answer: Any) -> Any:
        if type(answer) is Raised:
            return Failure(answer.error)
        if fault is not None and fault.deed in _ERRORS and fault.deed not in _ROUNDS:
            return Failure(_ERRORS[fault.deed](self.name, op))
        return Success(self._spoilt(op, fault, answer))

    async def _wait(self, faults: Sequence[Fault | None]) -> None:
        """Wait as long as the slowest does; whatever is cancelled is cancelled here."""
        waits = [fault.seconds for fault in faults if fault and fault.deed in _WAITING]
        if waits:
            await asyncio.sleep(max(waits))

    def _expect_up(self, fault: Fault | None, op: Any) -> None:
        now = asyncio.get_running_loop().time()
        if fault is not None and fault.deed is Deed.CRASHED:
            self.down_until_s = now + fault.seconds
        if now < self.down_until_s:
            raise _ERRORS[Deed.CRASHED](self.name, op)

    async def _answer(self, op: Any, fault: Fault | None) -> Any:
        kind = type(op)
        if kind in self.handler.now:
            return self._spoilt(op, fault, self.handler.now[kind](op))
        return self._spoilt(op, fault, await run_async(op, self.handler))

    def _spoilt(self, op: Any, fault: Fault | None, answer: Any) -> Any:
        kind = type(op)
        before = self.last.get(kind, answer)
        self.last[kind] = answer
        if kind is Unseen:
            answer = (*answer, *self.faults.told)
        if fault is None or fault.deed not in _SPOILING:
            return answer
        if fault.deed is Deed.STALE:
            return before
        if fault.deed is Deed.CUT_AND_TOLD and kind is not Unseen:
            self.faults.told.append(f"what it left out of {kind.__name__}")
        if fault.deed is Deed.SHUFFLED and kind is DocumentSymbols:
            return answer  # its order says what holds what
        return _SPOILING[fault.deed](answer, Random(fault.salt))  # noqa: S311 - dice that always fall the same way


def _cut(answer: Any, dice: Random) -> Any:
    return answer[: dice.randint(0, len(answer))] if isinstance(answer, tuple | str) else answer


def _shuffled(answer: Any, dice: Random) -> Any:
    return tuple(dice.sample(answer, len(answer))) if isinstance(answer, tuple) else answer


def _doubled(answer: Any, _: Random) -> Any:
    return (*answer, *answer) if isinstance(answer, tuple) else answer


def _elsewhere(answer: Any, dice: Random) -> Any:
    """Places on other lines, some of which do not exist; text that begins further down; of none, other text."""
    if isinstance(answer, tuple):
        return tuple(_moved(member, dice) for member in answer)
    if isinstance(answer, str):
        return "\n" * dice.randrange(3) + answer
    return dice.choice((None, "Unknown", "(" * 5000)) if answer is None else answer


def _moved(member: Any, dice: Random) -> Any:
    if isinstance(member, Place):
        return member._replace(line=dice.choice((1, member.line, member.line + 1, 9999)))
    if isinstance(member, Diagnostic):
        return member._replace(place=_moved(member.place, dice))
    if attrs.has(type(member)) and hasattr(member, "place"):
        return attrs.evolve(member, place=_moved(member.place, dice))
    return member


def _made_up(answer: Any, dice: Random) -> Any:
    """What a checker finds, and findings where nothing need be, in words that say nothing."""
    if not isinstance(answer, tuple):
        return answer
    known = [found.place for found in answer if isinstance(found, Diagnostic)] or [Place("app.py", 1, 0)]
    places = [_moved(dice.choice([*known, Place("nowhere.py", 7, 0)]), dice) for _ in range(dice.randrange(1, 40))]
    return tuple(sorted((*answer, *(Diagnostic(place, dice.choice(("", "odd")), "?" * 400) for place in places))))


_ROUNDS: Final = frozenset({Deed.ROUND_LOST, Deed.ROUND_SHORT, Deed.ROUND_GARBLED})
_WAITING: Final = frozenset({Deed.SLOW, Deed.TIMED_OUT, Deed.CANCELLED})
_SPOILING: Final[Mapping[Deed, Callable[[Any, Random], Any]]] = {
    Deed.SHUFFLED: _shuffled,
    Deed.CUT_SHORT: _cut,
    Deed.CUT_AND_TOLD: _cut,
    Deed.DOUBLED: _doubled,
    Deed.ELSEWHERE: _elsewhere,
    Deed.MADE_UP: _made_up,
    Deed.STALE: lambda answer, _: answer,
}


def _per_node(name: str, op: RateNode, result: Any) -> Result[Rubric, ModelFailure]:
    if isinstance(result, Success):
        return result
    error = result.failure() if isinstance(result, Failure) else BadAnswer(name, "it left a node out")
    if isinstance(error, ModelFailure):
        return Failure(error)
    return Failure(ModelFailure(name, str(error.why), op.node.location))


def in_rounds(handler: Handler[E] | AsyncHandler[E]) -> AsyncHandler[E]:
    """The same handler, asked for all of a round at once, as a server is that takes many in one request."""
    whole = lift(handler)

    async def answers(ops: Sequence[Any]) -> Sequence[Result[Any, Exception]]:
        told = await whole.round(Batch(ops))
        return [Failure(answer.error) if type(answer) is Raised else Success(answer) for answer in told]

    return AsyncHandler(now={}, later={}, many=dict.fromkeys([*whole.now, *whole.later, *whole.many], answers))
