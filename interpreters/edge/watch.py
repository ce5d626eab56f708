"""`semantic-scout QUESTION --watch`: the same question asked again whenever files of the codebase change.

One language server answers all rounds. It is this process's own, so that nothing of it is left when the watching ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from io import TextIOWrapper
from typing import Final, Protocol, TextIO, TypeAlias

import attrs

from interpreters.edge.answering import NO_SERVER, USAGE, Outcome, Question, answer, nothing
from interpreters.edge.ask import INTERRUPTED
from interpreters.edge.config import ReplayServer, check_scorer, choose_server, import_scorer, read_settings
from interpreters.edge.ending import TERMINATED, until_terminated
from interpreters.edge.printing import printable
from interpreters.edge.render import RENDERERS
from interpreters.edge.settings import Settings
from interpreters.edge.shown import Shown
from interpreters.lsp.changes import Look, changed, look
from interpreters.lsp.session import Session, open_session
from interpreters.report import silent
from tidepool.domain import Pointer, ScoutResponse
from tidepool.errors import ConfigError, InterpreterError

ENOUGH: Final = 0
CLEAR: Final = "\x1b[H\x1b[2J\x1b[3J"
"""What empties a terminal."""

MOST_LINES: Final = 40
"""How many differences are shown; a large change makes more of them than anybody reads."""

NEW, GONE, OTHERWISE = "+", "-", "~"

Answering: TypeAlias = Callable[[], Awaitable[Outcome]]
"""Answers the question about the codebase as it is now."""


class Printing(Protocol):
    """What shows answers."""

    def __call__(self, outcome: Outcome, before: ScoutResponse | None) -> None:
        """Show an answer, with what sets it apart from the one before it."""


def watch(question: Question, *, examples: bool) -> int:
    """Answer a question again and again, until Ctrl-C; answer the command's exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        settings = read_settings(question.root, os.environ, question.flags)
        if examples and settings.format != "json":
            raise ConfigError("--examples are printed in json alone: add --format json, or leave out --examples")
        if settings.format == "html":
            raise ConfigError("--format html is a page of one answer: leave out --watch, or name another format")
        for note in settings.notes:
            _say(note)
        with asyncio.Runner() as runner:
            runner.run(until_terminated(_watch(question, settings, examples=examples)))
    except (ConfigError, InterpreterError) as error:
        _say(error)
        return USAGE if isinstance(error, ConfigError) else NO_SERVER
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    except BrokenPipeError:  # whoever read the answers has read enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ENOUGH


async def _watch(question: Question, settings: Settings, *, examples: bool) -> None:
    async with _opened(question, settings) as session:
        root, suffixes = session.codebase.root, session.server.suffixes
        import_scorer(settings.scorer, settings)

        async def ask() -> Outcome:
            return await _answer(question, settings, session)

        def show(outcome: Outcome, before: ScoutResponse | None) -> None:
            _show(_shown(outcome, question, examples=examples), before, settings.format, sys.stdout)
            for note in (*outcome.notes, *filter(None, [outcome.failure])):
                _say(note)

        await rounds(ask, show, lambda: look(root, suffixes), lambda before: changed(root, suffixes, before))


async def rounds(
    ask: Answering,
    show: Printing,
    look_now: Callable[[], Awaitable[Look]],
    until_changed: Callable[[Look], Awaitable[None]],
) -> None:
    """Ask, show, and wait for a change, for ever. What changes while it is asked makes it ask again."""
    before: ScoutResponse | None = None
    while True:
        seen = await look_now()
        outcome = await ask()
        show(outcome, before)
        before = outcome.response
        await until_changed(seen)


def _opened(question: Question, settings: Settings) -> AbstractAsyncContextManager[Session]:
    server = choose_server(settings)
    check_scorer(settings.scorer, settings)
    if isinstance(server, ReplayServer):
        raise ConfigError("a recording never changes: leave out --watch, or name a language server with --server")
    return open_session(
        question.root,
        server,
        python=settings.python,
        request_timeout_s=settings.timeout_s,
        start_timeout_s=settings.timeout_s,
        environ=os.environ,
    )


async def _answer(question: Question, settings: Settings, session: Session) -> Outcome:
    from interpreters.lsp.interpreter import language_server

    try:
        await session.refresh()
        return await answer(question, settings, language_server(session), silent)
    except InterpreterError as failure:  # the next change may mend it
        return nothing(failure, NO_SERVER)


def differences(before: ScoutResponse, now: ScoutResponse) -> list[tuple[str, Pointer]]:
    """What sets two answers apart: what is new, what is gone, and what is rated otherwise, in the order of the answers.

    A place is the same one where it has the same name in the same file, whichever line it has moved to.
    """
    old, new = _by_place(before.pointers), _by_place(now.pointers)
    marked = [
        (NEW if place not in old else OTHERWISE, pointer)
        for place, pointer in new.items()
        if place not in old or _rating(old[place]) != _rating(pointer)
    ]
    return [*marked, *((GONE, pointer) for place, pointer in old.items() if place not in new)]


def _by_place(pointers: Iterable[Pointer]) -> Mapping[tuple[str, str, int], Pointer]:
    """Pointers by name, file and how many like them came before."""
    count: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str, int], Pointer] = {}
    for pointer in pointers:
        place = (pointer.what.partition(" (also")[0], pointer.location.rpartition(":")[0])
        found[(*place, count[place])] = pointer
        count[place] += 1
    return found


def _rating(pointer: Pointer) -> tuple[int, str, str]:
    return pointer.risk, pointer.verdict.value, pointer.action


def _shown(outcome: Outcome, question: Question, *, examples: bool) -> Shown:
    response = outcome.response
    nodes = {example.node.location: example.node for example in response.training_examples or ()}
    rated = response.training_examples if examples else None
    return Shown(attrs.evolve(response, training_examples=rated, reached=None), question.text, nodes, outcome.notes)


def _show(shown: Shown, before: ScoutResponse | None, form: str, stream: TextIO) -> None:
    """Print an answer; on a terminal in the place of the one before it, else below it. Json is a line of its own."""
    if stream.isatty():
        stream.write(CLEAR)
    RENDERERS[form](shown, stream)
    if form != "json" and before is not None:
        _tell(differences(before, shown.response), stream)
    stream.flush()


def _tell(found: list[tuple[str, Pointer]], stream: TextIO) -> None:
    at = time.strftime("%H:%M:%S")
    if not found:
        stream.write(f"{at}   nothing is otherwise\n")
    stream.writelines(
        f"{at} {mark} {pointer.risk} {printable(pointer.what)}  {printable(pointer.location)}\n"
        for mark, pointer in found[:MOST_LINES]
    )
    if len(found) > MOST_LINES:
        stream.write(f"{at}   and {len(found) - MOST_LINES} more\n")


def _say(what: object) -> None:
    print(f"semantic-scout: {printable(str(what))}", file=sys.stderr)
