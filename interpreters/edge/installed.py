"""Scorers of other distributions, found by their entry points.

A distribution offers one in its `pyproject.toml`:

    [project.entry-points."tidepool.scorers"]
    seer = "my_package:seer"

`seer` is called with the table that the user configured, and returns a handler of `RateNode`, or an asynchronous
context manager that gives one. What its code raises, but a `ConfigError` and tidepool's errors about the world, is told
as a `ConfigError` while it is made, and as a `BadAnswer` when it rates.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from tidepool.domain import Rubric
from tidepool.eff import AsyncHandler, Handler, attempt, each, lift, run_async
from tidepool.effects.gemma import RateNode
from tidepool.errors import BadAnswer, ConfigError, InterpreterError, TidepoolError

if TYPE_CHECKING:
    from collections.abc import Generator
    from importlib.metadata import EntryPoint

    AnyHandler: TypeAlias = Handler[RateNode] | AsyncHandler[RateNode]
    Factory: TypeAlias = Callable[[Mapping[str, Any]], AnyHandler | AbstractAsyncContextManager[AnyHandler]]

GROUP: Final = "tidepool.scorers"


@attrs.frozen
class Offer:
    """An entry point, and what a person calls it."""

    entry: EntryPoint

    @property
    def said(self) -> str:
        """Its name and its home, as the subject of a sentence."""
        return f"the installed scorer {self.entry.name} ({self.entry.value})"


def offers() -> Mapping[str, Offer]:
    """The scorers that are installed, by name."""
    from importlib.metadata import entry_points

    return {entry.name: Offer(entry) for entry in entry_points(group=GROUP)}


@asynccontextmanager
async def open_offer(offer: Offer, table: Mapping[str, Any]) -> AsyncGenerator[AnyHandler]:
    """A scorer of another distribution's, for as long as the block lasts.

    Raises:
        ConfigError: it cannot be made.
    """
    with _blamed(offer, "cannot be made"):
        factory: Factory = offer.entry.load()
        if isinstance(factory, Handler | AsyncHandler):  # which is callable too, with an operation
            raise ConfigError(f"{offer.said} is a handler itself and no function that returns one: ask who made it")
        made = factory(table)
    if isinstance(made, AbstractAsyncContextManager):
        with _blamed(offer, "cannot be opened"):
            handler = await made.__aenter__()
        try:
            yield _guarded(offer, handler)
        except BaseException as error:
            if not await made.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await made.__aexit__(None, None, None)
    else:
        yield _guarded(offer, made)


def _guarded(offer: Offer, made: object) -> AsyncHandler[RateNode]:
    """What it made, each answer and each error of which is one that programs know; rounds stay rounds."""
    if not isinstance(made, Handler | AsyncHandler):
        raise ConfigError(f"{offer.said} gave a {type(made).__name__}, which is no handler: ask who made it")
    handler: AsyncHandler[RateNode] = lift(made)
    if RateNode not in {*handler.now, *handler.later, *handler.many}:
        raise ConfigError(f"{offer.said} gave a handler that does not answer RateNode: ask who made it")

    async def rated(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, Exception]]:
        answers = await run_async(each(attempt(op, Exception) for op in ops), handler)
        return [answer.bind(_rubric).alt(named) for answer in answers]

    def named(error: Exception) -> Exception:
        if isinstance(error, TidepoolError):
            return error
        mapped = BadAnswer(offer.said, f"raised {type(error).__name__}: {error}; ask who made it")
        mapped.__cause__ = error
        return mapped

    return RateNode.by_many_or_raise(rated)


def _rubric(answer: object) -> Result[Rubric, Exception]:
    if isinstance(answer, Rubric):
        return Success(answer)
    return Failure(TypeError(f"a {type(answer).__name__} is no rubric"))


@contextmanager
def _blamed(offer: Offer, what: str) -> Generator[None]:
    """Whatever the code of others raises here names it."""
    try:
        yield
    except (ConfigError, InterpreterError):
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{offer.said} {what} ({why}): check its settings, or ask who made it") from error
