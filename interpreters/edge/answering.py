"""One question and its answer: what each effect means here, composed for it, and the program that is run with them.

    outcome = await answer(question, settings, language_server(session), silent)

Whoever asks, the command or a server that others ask, comes through here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from interpreters.edge.config import ReplayServer, Settings, check_scorer, choose_server, import_scorer, open_scorer
from interpreters.lsp.session import open_session
from tidepool.errors import InterpreterError, ModelFailure

if TYPE_CHECKING:
    from tidepool.domain import ScoutQuery, ScoutResponse, TrainingExample
    from tidepool.eff import AsyncHandler, Handler
    from tidepool.effects.lsp import Lsp
    from tidepool.effects.report import Report

ANSWERED: Final = 0
USAGE: Final = 2
NOT_FOUND: Final = 3
NO_SERVER: Final = 4
NO_SCORER: Final = 5

EXIT_CODES: Final = {
    "complete": ANSWERED,
    "partial": ANSWERED,
    "not_found": NOT_FOUND,
    "not_ready": NO_SERVER,
    "unsupported": NO_SERVER,
}
"""By the answer's status."""


@attrs.frozen
class Question:
    """What is asked of a codebase, and what is known before.

    Attributes:
        flags: the settings that were said with the question, by name; None for one that was not.
        record: the file to record the run to.
        within_s: seconds for the whole answer; None for as long as it takes.
        rated: what an earlier answer to the same question rated: it is not asked again.
    """

    text: str
    root: Path
    flags: Mapping[str, Any]
    record: Path | None = None
    within_s: float | None = None
    rated: tuple[TrainingExample, ...] = ()


@attrs.frozen
class Outcome:
    """What came of a question.

    Attributes:
        response: it always carries the training examples.
        code: the exit code of a command that asked.
        failure: what went wrong, a sentence; None where nothing did.
        notes: what a person should know of how it was answered, each a sentence.
    """

    response: ScoutResponse
    code: int
    failure: str | None = None
    notes: tuple[str, ...] = ()


@attrs.define
class _Fallen:
    """What a model did not rate and its fallback did: how many places, and why the first."""

    places: int = 0
    first: ModelFailure | None = None

    def tell(self, failure: ModelFailure) -> None:
        """Count one more."""
        self.places += 1
        self.first = self.first or failure

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence, if there is anything to tell."""
        if self.first is None:
            return ()
        count = f"{self.places} place{'s were' if self.places > 1 else ' was'}"
        return (f"{count} rated by the fallback ({self.first})",)


async def answer(
    question: Question,
    settings: Settings,
    codebase: Handler[Lsp] | AsyncHandler[Lsp],
    report: Callable[[], Handler[Report]],
) -> Outcome:
    """Answer a question about a codebase that somebody else holds open.

    Args:
        settings: what came of the question's flags and of all else that is configured.
        report: is told how far it is.

    Raises:
        ConfigError: the scorer that is configured cannot be used, or the recording cannot be begun.
    """
    from interpreters.clock import system_clock

    fallen = _Fallen()
    try:
        async with open_scorer(settings.scorer, settings, codebase=codebase, tell=fallen.tell) as scorer:
            world: Handler[Any] | AsyncHandler[Any] = scorer | codebase | system_clock() | report()
            if question.rated:
                from interpreters.gemma.remembered import remembered

                world = world | remembered(question.rated, scorer)
            if question.within_s is not None:
                from interpreters.deadline import within

                world = within(question.within_s, world)
            outcome = await _run(query(question, settings), world, question.record)
    except InterpreterError as failure:  # the scorer could not be opened: one that fails later is part of the answer
        return nothing(failure, NO_SCORER)
    return attrs.evolve(outcome, notes=(*fallen.notes, *outcome.notes))


async def answer_alone(
    question: Question, settings: Settings, report: Callable[[], Handler[Report]], environ: Mapping[str, str]
) -> Outcome:
    """Answer a question with a language server of its own, unless a recording stands in for one.

    Raises:
        ConfigError: what is configured cannot be used.
    """
    server = choose_server(settings)
    check_scorer(settings.scorer, settings)
    if isinstance(server, ReplayServer):
        from interpreters.replay import lsp_from, read_tape

        return await answer(question, settings, lsp_from(read_tape(server.file)), report)
    try:
        async with open_session(
            question.root,
            server,
            python=settings.python,
            request_timeout_s=settings.timeout_s,
            start_timeout_s=settings.timeout_s,
            environ=environ,
            meanwhile=partial(_import_the_rest, settings),
        ) as session:
            from interpreters.lsp.interpreter import language_server

            return await answer(question, settings, language_server(session), report)
    except InterpreterError as failure:
        return nothing(failure, NO_SERVER)


def _import_the_rest(settings: Settings) -> None:
    """Import what is needed once the server answers: it reads the codebase meanwhile, and loses no time by it."""
    for module in ("clock", "lsp.interpreter"):
        import_module(f"interpreters.{module}")
    import_scorer(settings.scorer, settings)
    import_module("tidepool.explore")


async def _run(asked: ScoutQuery, world: Handler[Any] | AsyncHandler[Any], record: Path | None) -> Outcome:
    from tidepool.eff import run_async
    from tidepool.explore import ScorerFailed, explore

    try:
        if record is not None:
            return await _run_recorded(asked, world, record)
        return answered(await run_async(explore(asked), world))
    except ScorerFailed as failure:  # what else there is to tell is a note on an error
        return Outcome(failure.answer, NO_SCORER, str(failure), tuple(getattr(failure, "__notes__", ())))


async def _run_recorded(asked: ScoutQuery, world: Handler[Any] | AsyncHandler[Any], file: Path) -> Outcome:
    """The same, kept in a file; an answer is worth more than its recording."""
    from interpreters.replay import RecordingLost, record_to
    from tidepool.eff import run_async
    from tidepool.explore import explore
    from tidepool.tape import recorded

    outcome: Outcome | None = None
    try:
        with record_to(file, asked) as sink:
            outcome = answered(await run_async(recorded(explore(asked), sink), world))
    except RecordingLost as lost:
        if outcome is None:
            raise
        return attrs.evolve(outcome, code=USAGE, failure=str(lost))
    return outcome


def query(question: Question, settings: Settings) -> ScoutQuery:
    """What is explored."""
    from tidepool.domain import ScoutQuery, Tag

    tags = tuple(map(Tag, settings.tags))
    return ScoutQuery(question.text, tags, settings.budget, keep_examples=True, verify=settings.verify)


def answered(response: ScoutResponse) -> Outcome:
    """An answer with its exit code."""
    return Outcome(response, EXIT_CODES[response.status.value])


def nothing(failure: InterpreterError, code: int) -> Outcome:
    """What comes of a question where nobody could look at the codebase."""
    from tidepool.answer import could_not_look

    return Outcome(could_not_look(failure), code, str(failure))
