"""Programs are generators that yield operations; handlers answer them; two runners drive them.

    class Ask(Op[str]): ...                      an operation, and the type of its answer
    def hello() -> Eff[Ask, str]:                a program: what it may ask, what it returns
        return "Hello " + (yield from Ask())     always `yield from`: a bare `yield` is untyped
    run(hello(), Ask.by(lambda _: "world"))      a handler, and the program run with it

A *row* is a union of operations. Handlers are summed with `|` and are contravariant in their row, so a type checker
rejects a run that leaves an operation unanswered. Dispatch is one dictionary look-up, however many handlers there are.
A handler's error is thrown into the program at the line that asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from inspect import iscoroutinefunction
from itertools import islice
from types import GeneratorType, TracebackType
from typing import Any, Final, Generic, Never, Protocol, Self, TypeAlias, TypeVar, dataclass_transform, overload

import attrs
from returns.result import Failure, Result, Success

from tidepool.errors import AlreadyRun, BadAnswer, MissingHandler, ProgramError

E = TypeVar("E")
E2 = TypeVar("E2")
R = TypeVar("R")
T = TypeVar("T")
X = TypeVar("X", bound=Exception)
X_base = TypeVar("X_base", bound=BaseException)
E_co = TypeVar("E_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)

Eff: TypeAlias = Generator[E, Any, R]
"""A program that asks operations of the row `E` and returns `R`."""


class Prog(Protocol[E_co, R_co]):
    """Whatever `yield from` takes: an operation or a program."""

    def __iter__(self) -> Generator[E_co, Any, R_co]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def operation(cls: type[T]) -> type[T]:
    """Make a class of annotated fields an operation's data: hashable, compared by value.

    Type checkers see it frozen. At run time it is not: building the operation is most of what asking it costs,
    and attrs builds a class that is frozen at run time at half the speed (`make bench`). Nor can it be referred to
    weakly, which would cost a twentieth.
    """
    return attrs.define(unsafe_hash=True, weakref_slot=False)(cls)


class Op(Generic[R]):
    """An operation whose answer is an `R`; asked with `yield from`."""

    __slots__ = ()

    def __iter__(self) -> Generator[Self, Any, R]:
        answer: R = yield self
        return answer

    @classmethod
    def by(cls, answer: Callable[[Self], R]) -> Handler[Self]:
        """Answer this operation with a function.

        Raises:
            ProgramError: it is a coroutine function, whose answer would be a coroutine.
        """
        if iscoroutinefunction(answer):
            raise ProgramError(
                f"{getattr(answer, '__qualname__', answer)} awaits: compose it with {cls.__name__}.by_async"
            )
        return Handler({cls: answer})

    @classmethod
    def by_async(cls, answer: Callable[[Self], Awaitable[R]]) -> AsyncHandler[Self]:
        """Answer it with a coroutine function; those of one round run concurrently."""
        return AsyncHandler(now={}, later={cls: answer}, many={})

    @classmethod
    def by_many(cls, answers: Callable[[Sequence[Self]], Awaitable[Sequence[Result[R, Never]]]]) -> AsyncHandler[Self]:
        """Answer all of a round's operations of this kind at once, as one request to a server does.

        Args:
            answers: given the operations, one result for each, in their order. `Never` as the failure means that a
                fallback has been composed: an interpreter that may still fail does not type-check here.
        """
        return AsyncHandler(now={}, later={}, many={cls: answers})

    @classmethod
    def by_many_or_raise(
        cls, answers: Callable[[Sequence[Self]], Awaitable[Sequence[Result[R, Exception]]]]
    ) -> AsyncHandler[Self]:
        """As `by_many`, of an interpreter that may fail: each failure is thrown into the program that asked for it."""
        return AsyncHandler(now={}, later={}, many={cls: answers})


@attrs.frozen
class Batch:
    """One round of `each`: operations to be answered together."""

    ops: Sequence[Any]


@attrs.frozen
class Raised:
    """The answer to one operation of a round that failed: the error to throw into the program that asked."""

    error: Exception
    traceback: TracebackType | None = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "traceback", self.error.__traceback__)

    def again(self) -> Exception:
        """The error, showing where the handler raised it and not which programs it was thrown into since."""
        return self.error.with_traceback(self.traceback)


@attrs.frozen
class Handler(Generic[E_contra]):
    """Answers every operation of the row `E`, without awaiting."""

    one: Mapping[type, Callable[[Any], Any]]

    def __call__(self, op: E_contra, /) -> Any:
        """The answer to one operation."""
        kind = type(op)
        return self.one[kind](op) if kind in self.one else self.unlisted(kind)(op)

    @overload
    def __or__(self, other: Handler[E2]) -> Handler[E_contra | E2]: ...
    @overload
    def __or__(self, other: AsyncHandler[E2]) -> AsyncHandler[E_contra | E2]: ...
    def __or__(self, other: Handler[E2] | AsyncHandler[E2]) -> Handler[E_contra | E2] | AsyncHandler[E_contra | E2]:
        """Answer both rows; where they overlap the right one answers."""
        if isinstance(other, AsyncHandler):
            return _sum(lift(self), other)
        return Handler({**self.one, **other.one})

    def unlisted(self, kind: type) -> Callable[[Any], Any]:
        """What answers an operation that `one` does not list: a round's batch, or nothing."""
        if kind is Batch:
            return self.round
        raise MissingHandler(kind, tuple(self.one))

    def round(self, batch: Batch) -> list[Any]:
        """The answers to a round's operations, in their order, a failed one as `Raised`."""
        one = self.one
        answers: list[Any] = []
        for op in batch.ops:
            kind = type(op)
            try:
                answers.append(one[kind](op) if kind in one else self.unlisted(kind)(op))
            except Exception as error:
                answers.append(Raised(_throwable(error)))
        return answers


@attrs.frozen
class AsyncHandler(Generic[E_contra]):
    """Answers every operation of the row `E`, some of them by awaiting.

    Attributes:
        now: answered at once, without a task.
        later: answered by awaiting, one by one or concurrently within a round.
        many: answered by awaiting, all of a round in one call.
    """

    now: Mapping[type, Callable[[Any], Any]]
    later: Mapping[type, Callable[[Any], Awaitable[Any]]]
    many: Mapping[type, Callable[[Sequence[Any]], Awaitable[Sequence[Result[Any, Exception]]]]]

    def __or__(self, other: Handler[E2] | AsyncHandler[E2]) -> AsyncHandler[E_contra | E2]:
        """Answer both rows; where they overlap the right one answers."""
        return _sum(self, lift(other))

    async def unlisted(self, op: Any) -> Any:
        """The answer to an operation that neither `now` nor `later` lists: by a request for one, a round's, or none."""
        kind = type(op)
        if kind is Batch:
            return await self.round(op)
        if kind not in self.many:
            raise self._missing(kind)
        (answer,) = await _all_at_once(self.many[kind], [op])
        if type(answer) is Raised:
            raise answer.error
        return answer

    async def round(self, batch: Batch) -> list[Any]:
        """The answers to a round's operations, in their order, a failed one as `Raised`."""
        ops = batch.ops
        first, *others = dict.fromkeys(map(type, ops))
        if not others:
            return await self._alike(first, ops)
        answers: list[Any] = [None] * len(ops)

        async def fill(kind: type) -> None:
            places = [place for place, op in enumerate(ops) if type(op) is kind]
            for place, answer in zip(places, await self._alike(kind, [ops[place] for place in places]), strict=True):
                answers[place] = answer

        await _together(fill(first), [asyncio.create_task(fill(kind)) for kind in others])
        return answers

    async def _alike(self, kind: type, ops: Sequence[Any]) -> list[Any]:
        if kind in self.many:
            return await _all_at_once(self.many[kind], ops)
        if kind in self.later:
            return await _concurrently(self.later[kind], ops)
        if kind in self.now:
            return Handler(self.now).round(Batch(ops))
        return [Raised(self._missing(kind)) for _ in ops]

    def _missing(self, kind: type) -> MissingHandler:
        return MissingHandler(kind, (*self.now, *self.later, *self.many))


def lift(handler: Handler[E] | AsyncHandler[E]) -> AsyncHandler[E]:
    """The same handler for the asynchronous runner."""
    return handler if isinstance(handler, AsyncHandler) else AsyncHandler(handler.one, {}, {})


def run(prog: Prog[E, R], handler: Handler[E]) -> R:
    """Run a program to its result.

    Raises:
        MissingHandler: it asked for an operation the handler does not answer.
        AlreadyRun: it has run before.
        ProgramError: it is no program, or the handler has to await.
        Exception: whatever the program, or a handler it did not catch, raised.
    """
    if isinstance(handler, AsyncHandler):
        raise ProgramError("a handler awaits: run the program with run_async")
    gen, one = fresh(prog), handler.one
    send, throw = gen.send, gen.throw
    try:
        op: Any = next(gen)
        while True:
            try:
                try:
                    answer_of = one[type(op)]
                except KeyError:
                    answer_of = handler  # a round, or an error that is not to be raised in here
                answer = answer_of(op)
            except BaseException as error:
                op = throw(_throwable(error))
            else:
                op = send(answer)
    except StopIteration as stop:
        result: R = stop.value
        return result


async def run_async(prog: Prog[E, R], handler: Handler[E] | AsyncHandler[E]) -> R:
    """Run a program whose handlers may await; the same as `run` otherwise.

    A cancellation is thrown into the program, so that its `finally` blocks may still use effects.
    """
    gen, whole = fresh(prog), lift(handler)
    now, later, send, throw = whole.now, whole.later, gen.send, gen.throw
    try:
        op: Any = next(gen)
        while True:
            try:
                kind = type(op)
                if kind in now:
                    answer = now[kind](op)
                else:
                    answer = await (later[kind](op) if kind in later else whole.unlisted(op))
            except BaseException as error:
                op = throw(_throwable(error))
            else:
                op = send(answer)
    except StopIteration as stop:
        result: R = stop.value
        return result


def each(progs: Iterable[Prog[E, R]]) -> Eff[E, list[R]]:
    """Run programs in lockstep: one round a step, its operations answered together.

    A nested `each` joins the round of the outer one. The first program to fail, by round and then by order, fails the
    whole with its error. The others are then cancelled, in order and one after another: `asyncio.CancelledError` is
    thrown in where they ask, and their `finally` blocks may still use effects; an error they raise meanwhile becomes a
    note on the first.

    Returns:
        Their results, in order.
    """
    whole: list[Any] = list(progs)
    if all(isinstance(prog, Op) for prog in whole):  # nothing to step: a common case, at half the time
        return _values((yield _batch(whole))) if whole else []
    lanes: list[_Lane] = []
    try:
        lanes.extend(map(_Lane, whole))  # where one fails at once, those before it have begun
        asking = lanes
        while asking := [lane for lane in asking if lane.asks is not _NOTHING]:
            answers = yield from _asked_together([lane.asks for lane in asking])
            for lane, answer in zip(asking, answers, strict=True):
                lane.resume(answer)
    except GeneratorExit:  # whoever answered is gone
        with ExitStack() as closing:
            for lane in reversed(lanes):
                closing.callback(lane.gen.close)
        raise
    except BaseException as error:
        yield from _cancel([lane.gen for lane in lanes], error)
        raise
    return [lane.result for lane in lanes]


def attempt(prog: Prog[E, R], *errors: type[X]) -> Eff[E, Result[R, X]]:
    """Turn the named errors of a program, or of the interpreters it asked, into a value."""
    gen = fresh(prog)
    try:
        return Success((yield from gen))
    except errors as error:
        return Failure(error)


def fresh(prog: Prog[E, R]) -> Eff[E, R]:
    """The generator of a program that has not begun.

    Raises:
        AlreadyRun: it has.
        ProgramError: it is no program.
    """
    try:
        gen = iter(prog)
    except TypeError as error:
        raise ProgramError(f"{prog!r} is no program ({error}): call the function that makes one") from None
    if gen is prog and isinstance(gen, GeneratorType) and (gen.gi_suspended or gen.gi_running or gen.gi_frame is None):
        raise AlreadyRun(gen.__qualname__)
    return gen


_NOTHING: Final = object()


class _Lane:
    """One program of an `each`: what it asks now, or its result once it asks `_NOTHING`."""

    __slots__ = ("asks", "gen", "result")

    def __init__(self, prog: Prog[Any, Any]) -> None:
        self.gen = fresh(prog)
        self.asks: Any = _NOTHING
        self.result: Any = None
        self.resume(None)

    def resume(self, answer: Any) -> None:
        """Take an answer, and go on to the next question."""
        try:
            self.asks = self.gen.throw(answer.again()) if type(answer) is Raised else self.gen.send(answer)
        except StopIteration as stop:
            self.asks, self.result = _NOTHING, stop.value


def _asked_together(asks: Sequence[Any]) -> Eff[Any, Sequence[Any]]:
    """Ask a round. Nested rounds join it, and each has its own answers back."""
    if Batch not in set(map(type, asks)):
        together: Sequence[Any] = yield _batch(asks)
        return together
    ops = [op for ask in asks for op in (ask.ops if type(ask) is Batch else (ask,))]
    answers = iter((yield _batch(ops)))
    return [list(islice(answers, len(ask.ops))) if type(ask) is Batch else next(answers) for ask in asks]


def _batch(ops: Sequence[Any]) -> Any:
    """A round; which operations it holds, the row of `each` says."""
    return Batch(ops)


def _values(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if type(answer) is Raised:
            raise answer.again()
    return answers


def _cancel(gens: Iterable[Eff[Any, Any]], cause: BaseException) -> Eff[Any, None]:
    """Cancel programs whose sibling failed. What interrupts that, such as a cancellation, is raised when it is done."""
    interruption: BaseException | None = None
    for gen in gens:
        try:
            yield from _cancel_one(gen)
        except Exception as error:
            note = f"{getattr(gen, '__qualname__', 'a program')}, cancelled because of this, raised {error!r}"
            if note not in getattr(cause, "__notes__", ()):  # a replay throws the same error again
                cause.add_note(note)
        except BaseException as error:
            interruption = interruption or error
    if interruption is not None:
        raise interruption


def _cancel_one(gen: Eff[Any, Any]) -> Eff[Any, None]:
    """Throw a cancellation into a program, and answer whatever it asks until it has ended."""
    cancellation = asyncio.CancelledError()
    move: Callable[[Any], Any] = gen.throw
    value: Any = cancellation
    while True:
        try:
            op = move(value)
        except StopIteration:
            return
        except asyncio.CancelledError as error:
            if error is cancellation:
                return
            raise
        try:
            value, move = (yield op), gen.send
        except BaseException as error:
            value, move = error, gen.throw


def _throwable(error: X_base) -> X_base | RuntimeError:
    """The error as it can be thrown into a program: `StopIteration` would end a generator as if it had returned."""
    if not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    stopped = RuntimeError(f"a handler raised {type(error).__name__}")
    stopped.__cause__ = error
    return stopped


def _sum(left: AsyncHandler[E], right: AsyncHandler[E2]) -> AsyncHandler[E | E2]:
    taken = {*right.now, *right.later, *right.many}

    def both(mine: Mapping[type, T], theirs: Mapping[type, T]) -> dict[type, T]:
        return {**{kind: answer for kind, answer in mine.items() if kind not in taken}, **theirs}

    return AsyncHandler(both(left.now, right.now), both(left.later, right.later), both(left.many, right.many))


async def _all_at_once(
    answers: Callable[[Sequence[Any]], Awaitable[Sequence[Result[Any, Exception]]]], ops: Sequence[Any]
) -> list[Any]:
    name = type(ops[0]).__name__
    try:
        results = await answers(ops)
        if len(results) != len(ops):
            raise BadAnswer(name, f"{len(results)} results for {len(ops)} operations")
    except Exception as error:
        return [Raised(_throwable(error))] * len(ops)
    return [result.unwrap() if type(result) is Success else _not_a_success(name, result) for result in results]


def _not_a_success(name: str, result: Any) -> Raised:
    """A failure's error; or that there is no result at all, which does not type-check and can be there."""
    why = result.failure() if isinstance(result, Failure) else result
    return Raised(why if isinstance(why, Exception) else BadAnswer(name, f"{result!r} is not a Success"))


async def _concurrently(answer: Callable[[Any], Awaitable[Any]], ops: Sequence[Any]) -> list[Any]:
    """Answer operations side by side, with a task only for those that wait.

    A worker takes one operation after another, and the first is the round itself; whenever all the workers so far wait
    and operations are left, as many again are hired. So fifty handlers that never wait cost no task, and fifty that
    all wait run together.
    """
    answers: list[Any] = [None] * len(ops)
    left = iter(range(len(ops)))
    taken = 0
    workers: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()

    async def work() -> None:
        nonlocal taken
        for place in left:
            taken += 1
            try:
                answers[place] = await answer(ops[place])
            except Exception as error:
                answers[place] = Raised(_throwable(error))

    def hire() -> None:
        if taken < len(ops):
            workers.extend([loop.create_task(work()) for _ in range(min(len(workers) + 1, len(ops) - taken))])
            loop.call_soon(hire)

    async def lead() -> None:
        nonlocal taken
        try:
            await work()
        finally:
            taken = len(ops)  # also where it was cancelled: nobody else is hired

    loop.call_soon(hire)
    await _together(lead(), workers)
    return answers


async def _together(work: Awaitable[None], tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for work, and for the tasks that are there when it is done. No task outlives an error or a cancellation."""
    try:
        await work
        if tasks:
            await asyncio.gather(*tasks)
    except GeneratorExit:  # in a runner that is closed nothing can wait any more
        _cancel_tasks(tasks)
        raise
    except BaseException:
        _cancel_tasks(tasks)
        if tasks:
            await asyncio.wait(tasks)
        raise


def _cancel_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
