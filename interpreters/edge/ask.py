"""The `semantic-scout` command at work: build the interpreters, run `explore`, print the answer."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from interpreters.edge.answering import (
    ANSWERED,
    NO_SCORER,
    USAGE,
    Outcome,
    Question,
    answer_alone,
    answered,
    query,
)
from interpreters.edge.config import Settings, read_settings, shadowed_by
from interpreters.edge.ending import TERMINATED, until_terminated
from interpreters.edge.printing import printable
from interpreters.edge.render import RENDERERS, prepare
from interpreters.edge.shown import Shown
from interpreters.edge.warm.folder import sockets
from interpreters.report import terminal
from tidepool.errors import ConfigError, Diverged

if TYPE_CHECKING:
    from tidepool.eff import Handler
    from tidepool.effects.report import Report

INTERRUPTED: Final = 128 + signal.SIGINT

WHOLE: Final = ("json", "html")
"""The formats that say themselves that there is no answer, and why."""

IDLE_S: Final = 0.2
"""When what prints the answer is imported: a server that takes longer leaves this process idle by then."""


@attrs.frozen
class Request:
    """What the command was asked to do.

    Attributes:
        question: what is asked, of which codebase.
        replay: the recording to answer from, and from nothing else.
    """

    question: Question
    examples: bool
    replay: Path | None


def ask(request: Request) -> int:
    """Answer a question on standard output and return the command's exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no bars shows question marks
    question = request.question
    try:
        settings = read_settings(question.root, os.environ, _with_folder(question.flags))
        if request.examples and settings.format != "json":
            raise ConfigError("--examples are printed in json alone: add --format json, or leave out --examples")
        for note in settings.notes:
            _say(note)
        if request.replay is not None:
            if question.flags.get("scorer") is not None:
                _say(f"the scorer {settings.scorer} is not asked: {request.replay} holds every answer")
            outcome = _replayed(request.replay, question, settings)
        else:
            with asyncio.Runner() as runner:
                outcome = runner.run(until_terminated(_answer(question, settings)))
            outcome = _kept(outcome, question, settings)
    except ConfigError as error:
        return _say(error, USAGE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    return _told(question.text, outcome, settings, examples=request.examples)


def _with_folder(flags: Mapping[str, Any]) -> Mapping[str, Any]:
    """The flags, with the usual folder where `--keep` names none."""
    if flags.get("keep") is not True:
        return flags
    from interpreters.edge.own_data import kept_folder

    folder = kept_folder(os.environ)
    if folder is None:
        raise ConfigError("--keep has no folder, since you have none for data: name one, as in --keep=DIR")
    return {**flags, "keep": folder}


def _kept(outcome: Outcome, question: Question, settings: Settings) -> Outcome:
    """Keep what was answered, if that is wanted; an answer is worth more than that it is kept."""
    if settings.keep is None or outcome.failure is not None:
        return outcome
    from interpreters.edge.keeping import examples_of, keep

    try:
        keep(examples_of(outcome.response, settings.scorer, question.root), settings.keep)
    except ConfigError as lost:
        return attrs.evolve(outcome, code=USAGE, failure=str(lost))
    return outcome


def _told(question: str, outcome: Outcome, settings: Settings, *, examples: bool) -> int:
    """Print the answer, then what went wrong."""
    try:
        if outcome.failure is None or outcome.response.pointers or settings.format in WHOLE:
            _print(question, outcome, settings.format, examples=examples)
    except BrokenPipeError:  # whoever read the answer has read enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _say(f"the answer cannot be written: {error.strerror}; free some space or write elsewhere", USAGE)
    for note in outcome.notes:
        _say(note)
    return outcome.code if outcome.failure is None else _say(outcome.failure, outcome.code)


async def _answer(question: Question, settings: Settings) -> Outcome:
    """Explore, and prepare to print the answer meanwhile."""
    for note in shadowed_by(settings.scorer, settings):
        _say(note)
    asyncio.get_running_loop().call_later(IDLE_S, prepare, settings.format)
    with terminal(sys.stderr) as report:
        if (outcome := await _by_broker(question, settings, report)) is not None:
            return outcome
        return await answer_alone(question, settings, report, os.environ)


async def _by_broker(question: Question, settings: Settings, report: Callable[[], Handler[Report]]) -> Outcome | None:
    """What a broker answers; None where there is none."""
    if not settings.broker or not sockets(os.environ):
        return None
    from interpreters.edge.warm.client import ask_if_running

    return await ask_if_running(question, settings, os.environ, report())


def _replayed(file: Path, question: Question, settings: Settings) -> Outcome:
    """Explore once more what was recorded, without a world."""
    from interpreters.replay import held_to, read_recording, read_tape
    from tidepool.explore import ScorerFailed, explore
    from tidepool.tape import replay

    tape, asked = read_tape(file), read_recording(file).query
    wanted = query(question, settings)
    if asked is not None and question.flags.get("verify") is None:
        wanted = attrs.evolve(wanted, verify=asked.verify)
    try:
        with held_to(tape, file):
            try:
                return answered(replay(explore(wanted), tape))
            except ScorerFailed as failure:
                return Outcome(failure.answer, NO_SCORER, str(failure))
    except Diverged as error:
        if asked is None or asked == wanted:
            raise ConfigError(f"{file}: {error}") from error
        how = f"{asked.query!r} with a budget of {asked.budget_nodes}"
        how += f" and the tags {', '.join(asked.tags)}" if asked.tags else " and no tags"
        how += "" if asked.verify == wanted.verify else f", {'--verify' if asked.verify else '--no-verify'}"
        raise ConfigError(f"{file} is of another question: ask {how}, or record this one ({error})") from error


def _print(question: str, outcome: Outcome, form: str, *, examples: bool) -> None:
    response = outcome.response
    nodes = {example.node.location: example.node for example in response.training_examples or ()}
    notes = outcome.notes if outcome.failure is None else (*outcome.notes, outcome.failure)
    if not examples:
        response = attrs.evolve(response, training_examples=None)
    if form != "html":
        response = attrs.evolve(response, reached=None)
    if sys.stdout is None:  # as where the process was started with it closed
        raise OSError(errno.EBADF, "standard output is closed")
    RENDERERS[form](Shown(response, question, nodes, notes), sys.stdout)
    sys.stdout.flush()


def _say(what: object, code: int = ANSWERED) -> int:
    print(f"semantic-scout: {printable(str(what))}", file=sys.stderr)
    return code
