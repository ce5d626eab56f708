"""Record what a program asked and was answered; replay it without the world.

Recording transforms the *program*, not the handlers, so a tape is in program order whatever order the world answered
in, and a tape made under `run_async` replays under `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, TypeVar

import attrs
from returns.result import Failure, Result, Success

from tidepool.eff import Batch, Eff, Handler, Prog, Raised, fresh, run
from tidepool.errors import Diverged

E = TypeVar("E")
R = TypeVar("R")


@attrs.frozen
class Entry:
    """One operation a program asked, and what it was answered or which error was thrown at it."""

    op: Any
    answer: Result[Any, Exception]


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
    player = _Player({}, enumerate(chain(tape, repeat(None))))
    try:
        result = run(prog, player)
    finally:
        player.expect_no_divergence()
    player.expect_end()
    return result


def _entries(op: Any, answer: Any) -> Iterable[Entry]:
    if type(op) is not Batch:
        return [Entry(op, Success(answer))]
    return [
        Entry(asked, Failure(got.error) if type(got) is Raised else Success(got))
        for asked, got in zip(op.ops, answer, strict=True)
    ]


@attrs.frozen
class _Player(Handler[Any]):
    """Answers whatever is asked from the tape, in its order; past its end the tape holds None."""

    entries: Iterator[tuple[int, Entry | None]]
    divergences: list[Diverged] = attrs.field(init=False, factory=list)

    def unlisted(self, kind: type) -> Callable[[Any], Any]:
        return self.round if kind is Batch else self._next

    def _next(self, op: Any) -> Any:
        step, entry = next(self.entries)
        if entry is None or entry.op != op:
            self.divergences.append(Diverged(step, entry.op if entry else "nothing more", op))
            raise self.divergences[-1]
        if isinstance(entry.answer, Failure):
            raise entry.answer.failure().with_traceback(None)
        return entry.answer.unwrap()

    def expect_no_divergence(self) -> None:
        if self.divergences:
            raise self.divergences[0]

    def expect_end(self) -> None:
        step, entry = next(self.entries)
        if entry is not None:
            raise Diverged(step, entry.op, "nothing more")
