"""Record what a program asked and was answered; replay it without the world.

Recording transforms the *program*, not the handlers, so a tape is in program order whatever order the world answered
in, and a tape made under `run_async` replays under `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Never, Self, TypeVar

import attrs
from returns.result import Failure, Result, Success

from tidepool.eff import Batch, Eff, Handler, Prog, Raised, fresh, run
from tidepool.errors import Diverged, ProgramError

NOTHING_MORE: Final = "nothing more"
"""What a tape holds, or a program asks, past its end."""

E = TypeVar("E")
R = TypeVar("R")


@attrs.frozen
class Entry:
    """One operation a program asked, and what it was answered or which error was thrown at it."""

    op: Any
    answer: Result[Any, Exception]

    def told(self) -> Any:
        """The answer again, or the error again as it was before programs let it through."""
        if isinstance(self.answer, Failure):
            raise self.answer.failure().with_traceback(None)
        return self.answer.unwrap()


def recorded(prog: Prog[E, R], sink: Callable[[Entry], object]) -> Eff[E, R]:
    """The same program; every operation it asks and the answer go to `sink`, a round's in the round's order."""
    gen = fresh(prog)
    move: Callable[[Any], Any] = gen.send
    value: Any = None
    while True:
        try:
            op = move(value)
        except StopIteration as stop:
            result: R = stop.value
            return result
        try:
            value, move = (yield op), gen.send
        except BaseException as error:
            if isinstance(error, Exception):  # being cancelled or closed is no answer
                sink(Entry(op, Failure(error)))
            value, move = error, gen.throw
        else:
            for entry in _entries(op, value):
                sink(entry)


def replay(prog: Prog[E, R], tape: Sequence[Entry]) -> R:
    """Run a program on a tape alone.

    Raises:
        Diverged: it asked for something else than the tape holds next, even where the program itself would catch this
            error; or it ended before the tape did.
    """
    with Player(tape) as player:
        return run(prog, player)


def _entries(op: Any, answer: Any) -> Iterable[Entry]:
    if type(op) is not Batch:
        return [Entry(op, Success(answer))]
    return [
        Entry(asked, Failure(got.error) if type(got) is Raised else Success(got))
        for asked, got in zip(op.ops, answer, strict=True)
    ]


@attrs.define(eq=False)
class _Head(Mapping[type, Callable[[Any], Any]]):
    """A place on a tape. As the table of a handler it answers every kind of operation, a round as a whole."""

    tape: Sequence[Entry]
    step: int = 0
    divergence: Diverged | None = None

    def __getitem__(self, kind: type) -> Callable[[Any], Any]:
        return Handler(self).round if kind is Batch else self.answer

    def __iter__(self) -> Iterator[Never]:
        raise ProgramError("a replay answers a whole run by itself: compose no other handler with it")

    def __len__(self) -> int:
        return len(self.tape)

    def answer(self, op: Any) -> Any:
        """What the tape holds next, if that is the answer to this operation."""
        entry = self.tape[self.step] if self.step < len(self.tape) else None
        self.step += 1
        if entry is None or entry.op != op:
            raise self.diverged(entry, op)
        return entry.told()

    def diverged(self, entry: Entry | None, asked: object) -> Diverged:
        """An error at the last step; the first one is kept, whatever the program makes of it."""
        error = Diverged(self.step - 1, entry.op if entry else NOTHING_MORE, asked)
        self.divergence = self.divergence or error
        return error


@attrs.frozen
class Player(Handler[Any]):
    """Answers whatever one whole run asks from a tape, in its order, under either runner.

    As a context manager it checks, when the block ends, that the run asked what the tape holds, and all of it; a
    divergence that the program itself caught is raised there.

        with Player(tape) as world:
            answer = run(program, world)

    Raises:
        Diverged: when it is asked for something else than the tape holds next, and when the block ends.
        ProgramError: when it is composed with another handler.
    """

    one: _Head = attrs.field(converter=_Head)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        first = self.one.divergence
        if first is not None and first is not error:
            raise first
        if error is None:
            self.expect_end()

    def expect_end(self) -> None:
        """Check that the run has asked for everything on the tape.

        Raises:
            Diverged: it has not, or it has diverged before.
        """
        head = self.one
        if head.divergence is None and head.step < len(head.tape):
            head.step += 1
            head.diverged(head.tape[head.step - 1], NOTHING_MORE)
        if head.divergence is not None:
            raise head.divergence
