"""The `semantic-scout` command at work: build the interpreters, run `explore`, print the answer."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from interpreters.edge.config import (
    ReplayServer,
    Settings,
    check_scorer,
    choose_server,
    import_scorer,
    open_scorer,
    read_settings,
    shadowed_by,
)
from interpreters.edge.ending import TERMINATED, until_terminated
from interpreters.edge.render import RENDERERS, prepare, printable
from interpreters.lsp.session import open_session
from interpreters.report import terminal
from tidepool.errors import ConfigError, Diverged, InterpreterError, ModelFailure, TidepoolError

if TYPE_CHECKING:
    from tidepool.domain import ScoutQuery, ScoutResponse
    from tidepool.eff import AsyncHandler, Handler
    from tidepool.effects.lsp import Lsp
    from tidepool.effects.report import Report

ANSWERED: Final = 0
USAGE: Final = 2
NOT_FOUND: Final = 3
NO_SERVER: Final = 4
NO_SCORER: Final = 5
INTERRUPTED: Final = 128 + signal.SIGINT

EXIT_CODES: Final = {
    "complete": ANSWERED,
    "partial": ANSWERED,
    "not_found": NOT_FOUND,
    "not_ready": NO_SERVER,
    "unsupported": NO_SERVER,
}
"""By the answer's status."""

IDLE_S: Final = 0.2
"""When what prints the answer is imported: a server that takes longer leaves this process idle by then."""

T = TypeVar("T")


@attrs.frozen
class Request:
    """What the command was asked to do.

    Attributes:
        flags: the settings among its flags, by name; None for one that was not given.
        record: the file to record the run to.
        replay: the recording to answer from, and from nothing else.
    """

    question: str
    root: Path
    flags: Mapping[str, Any]
    examples: bool
    record: Path | None
    replay: Path | None


@attrs.frozen
class Outcome:
    """What there is to print, the command's exit code, what went wrong, and why there is no recording of that."""

    response: ScoutResponse
    code: int
    failure: TidepoolError | None = None
    lost: str | None = None


@attrs.define
class Fallen:
    """What a model did not rate and its fallback did: how many places, and why the first."""

    places: int = 0
    first: ModelFailure | None = None

    def tell(self, failure: ModelFailure) -> None:
        """Count one more."""
        self.places += 1
        self.first = self.first or failure


def ask(request: Request) -> int:
    """Answer a question on standard output and return the command's exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no bars shows question marks
    fallen = Fallen()
    try:
        settings = read_settings(request.root, os.environ, _with_folder(request.flags))
        if request.examples and settings.format != "json":
            raise ConfigError("--examples are printed in json alone: add --format json, or leave out --examples")
        for note in settings.notes:
            _say(note)
        if request.replay is not None:
            if request.flags.get("scorer") is not None:
                _say(f"the scorer {settings.scorer} is not asked: {request.replay} holds every answer")
            outcome = _replayed(request.replay, request, settings)
        else:
            with asyncio.Runner() as runner:
                outcome = runner.run(until_terminated(_answer(request, settings, fallen)))
            outcome = _kept(outcome, request, settings)
    except ConfigError as error:
        return _say(error, USAGE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    return _told(outcome, request, settings, fallen)


def _with_folder(flags: Mapping[str, Any]) -> Mapping[str, Any]:
    """The flags, with the usual folder where `--keep` names none."""
    if flags.get("keep") is not True:
        return flags
    from interpreters.edge.own_data import kept_folder

    folder = kept_folder(os.environ)
    if folder is None:
        raise ConfigError("--keep has no folder, since you have none for data: name one, as in --keep=DIR")
    return {**flags, "keep": folder}


def _kept(outcome: Outcome, request: Request, settings: Settings) -> Outcome:
    """Keep what was answered, if that is wanted; an answer is worth more than that it is kept."""
    if settings.keep is None or outcome.failure is not None:
        return outcome
    from interpreters.edge.keeping import examples_of, keep

    try:
        keep(examples_of(outcome.response, settings.scorer, request.root), settings.keep)
    except ConfigError as lost:
        return attrs.evolve(outcome, code=USAGE, failure=lost)
    return outcome


def _told(outcome: Outcome, request: Request, settings: Settings, fallen: Fallen) -> int:
    """Print the answer, then what went wrong."""
    try:
        if outcome.failure is None or outcome.response.pointers or settings.format == "json":
            _print(outcome.response, settings.format, examples=request.examples)
    except BrokenPipeError:  # whoever read the answer has read enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _say(f"the answer cannot be written: {error.strerror}; free some space or write elsewhere", USAGE)
    if fallen.first is not None:
        count = f"{fallen.places} place{'s were' if fallen.places > 1 else ' was'}"
        _say(f"{count} rated by the fallback ({fallen.first})")
    if outcome.lost is not None:
        _say(outcome.lost)
    return outcome.code if outcome.failure is None else _say(outcome.failure, outcome.code)


async def _answer(request: Request, settings: Settings, fallen: Fallen) -> Outcome:
    """Start the language server, unless a recording stands in for it, and explore while it runs."""
    server = choose_server(settings)
    check_scorer(settings.scorer, settings)
    for note in shadowed_by(settings.scorer, settings):
        _say(note)
    with terminal(sys.stderr) as report:
        if isinstance(server, ReplayServer):
            from interpreters.replay import lsp_from, read_tape

            return await _explored(request, settings, lsp_from(read_tape(server.file)), report, fallen)
        try:
            async with open_session(
                request.root,
                server,
                python=settings.python,
                request_timeout_s=settings.timeout_s,
                start_timeout_s=settings.timeout_s,
                meanwhile=partial(_import_the_rest, settings),
            ) as session:
                from interpreters.lsp.interpreter import language_server

                return await _explored(request, settings, language_server(session), report, fallen)
        except InterpreterError as failure:
            return _nothing(failure, NO_SERVER)


async def _explored(
    request: Request,
    settings: Settings,
    codebase: Handler[Lsp] | AsyncHandler[Lsp],
    report: Callable[[], Handler[Report]],
    fallen: Fallen,
) -> Outcome:
    """The whole composition: what each effect means on this machine, and the program that is run with it."""
    from interpreters.clock import system_clock

    asyncio.get_running_loop().call_later(IDLE_S, prepare, settings.format)
    try:
        async with open_scorer(settings.scorer, settings, codebase=codebase, tell=fallen.tell) as scorer:
            world = scorer | codebase | system_clock() | report()
            return await _run(_query(request, settings), world, request.record)
    except InterpreterError as failure:  # the scorer could not be opened: one that fails later is part of the answer
        return _nothing(failure, NO_SCORER)


async def _run(query: ScoutQuery, world: Handler[Any] | AsyncHandler[Any], record: Path | None) -> Outcome:
    from tidepool.eff import run_async
    from tidepool.explore import ScorerFailed, explore

    try:
        if record is not None:
            return await _run_recorded(query, world, record)
        return _answered(await run_async(explore(query), world))
    except ScorerFailed as failure:
        lost = " ".join(getattr(failure, "__notes__", ()))  # what else there is to tell is a note on an error
        return Outcome(failure.answer, NO_SCORER, failure, lost or None)


async def _run_recorded(query: ScoutQuery, world: Handler[Any] | AsyncHandler[Any], file: Path) -> Outcome:
    """The same, kept in a file; an answer is worth more than its recording."""
    from interpreters.replay import RecordingLost, record_to
    from tidepool.eff import run_async
    from tidepool.explore import explore
    from tidepool.tape import recorded

    outcome: Outcome | None = None
    try:
        with record_to(file, query) as sink:
            outcome = _answered(await run_async(recorded(explore(query), sink), world))
    except RecordingLost as lost:
        if outcome is None:
            raise
        return attrs.evolve(outcome, code=USAGE, failure=lost)
    return outcome


def _replayed(file: Path, request: Request, settings: Settings) -> Outcome:
    """Explore once more what was recorded, without a world."""
    from interpreters.replay import held_to, read_recording, read_tape
    from tidepool.explore import ScorerFailed, explore
    from tidepool.tape import replay

    tape, asked = read_tape(file), read_recording(file).query
    query = _query(request, settings)
    if asked is not None and request.flags.get("verify") is None:
        query = attrs.evolve(query, verify=asked.verify)
    try:
        with held_to(tape, file):
            try:
                return _answered(replay(explore(query), tape))
            except ScorerFailed as failure:
                return Outcome(failure.answer, NO_SCORER, failure)
    except Diverged as error:
        if asked is None or asked == query:
            raise ConfigError(f"{file}: {error}") from error
        how = f"{asked.query!r} with a budget of {asked.budget_nodes}"
        how += f" and the tags {', '.join(asked.tags)}" if asked.tags else " and no tags"
        how += "" if asked.verify == query.verify else f", {'--verify' if asked.verify else '--no-verify'}"
        raise ConfigError(f"{file} is of another question: ask {how}, or record this one ({error})") from error


def _query(request: Request, settings: Settings) -> ScoutQuery:
    from tidepool.domain import ScoutQuery, Tag

    return ScoutQuery(
        request.question, tuple(map(Tag, settings.tags)), settings.budget, keep_examples=True, verify=settings.verify
    )


def _answered(response: ScoutResponse) -> Outcome:
    return Outcome(response, EXIT_CODES[response.status.value])


def _nothing(failure: InterpreterError, code: int) -> Outcome:
    from tidepool.answer import could_not_look

    return Outcome(could_not_look(failure), code, failure)


def _import_the_rest(settings: Settings) -> None:
    """Import what is needed once the server answers: it reads the codebase meanwhile, and loses no time by it."""
    for module in ("clock", "lsp.interpreter"):
        import_module(f"interpreters.{module}")
    import_scorer(settings.scorer, settings)
    import_module("tidepool.explore")


def _print(response: ScoutResponse, form: str, *, examples: bool) -> None:
    rated = response.training_examples or ()
    code = {example.node.location: example.node.code.strip() for example in rated}
    if not examples:
        response = attrs.evolve(response, training_examples=None)
    if sys.stdout is None:  # as where the process was started with it closed
        raise OSError(errno.EBADF, "standard output is closed")
    RENDERERS[form](response, code, sys.stdout)
    sys.stdout.flush()


def _say(what: object, code: int = ANSWERED) -> int:
    print(f"semantic-scout: {printable(str(what))}", file=sys.stderr)
    return code
