"""Examples from one codebase: open it once, then ask question after question.

    async with open_harvest(codebase, settings, labels=Labels.MIXED, seed=0) as harvest:
        async for line in harvest.ask(turns): ...

The order of the questions depends on the sources and the seed alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from interpreters.clock import system_clock
from interpreters.edge.config import Settings, choose_server
from interpreters.edge.dataset.journal import Event, Line
from interpreters.gemma.heuristic import heuristic
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.project import check_root, source_files
from interpreters.lsp.servers import Server
from interpreters.lsp.session import open_session
from tidepool.candidates import Sources
from tidepool.domain import Provenance
from tidepool.eff import AsyncHandler, run_async
from tidepool.effects.report import Note, Progress
from tidepool.errors import ConfigError, InterpreterError
from tidepool.training.answered import Answered
from tidepool.training.generate import Harvested, examples_of
from tidepool.training.labels import Labels
from tidepool.training.questions import Question, Questions, Stratum
from tidepool.training.turns import Turns

PYTHON: Final = (".py",)
FILE_BYTES: Final = 2 * 2**20
"""A larger file was written by a program: nobody asks about its definitions."""

TRIES: Final = 2
"""How often a question is asked where the language server fails: it may have been killed."""


@attrs.frozen
class Codebase:
    """A codebase to take examples from.

    Attributes:
        name: as the examples call it.
        root: its folder.
        origin: what the examples say of it.
    """

    name: str
    root: Path
    origin: Provenance


def read_sources(root: Path) -> Sources:
    """The source files that questions are made from; those that are no text, or too large, are left out."""
    files: dict[str, str] = {}
    for file in source_files(root, PYTHON):
        try:
            if file.stat().st_size <= FILE_BYTES:
                files[file.relative_to(root).as_posix()] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
    return Sources(files)


@asynccontextmanager
async def open_harvest(codebase: Codebase, settings: Settings, *, labels: Labels, seed: int) -> AsyncGenerator[Harvest]:
    """Start the codebase's language server, and end it when the block ends.

    Args:
        settings: those that say which server, and with which Python.

    Raises:
        ConfigError: there is no such codebase, or no such server.
        InterpreterError: the server did not start.
    """
    server = choose_server(settings)
    if not isinstance(server, Server):
        raise ConfigError(f"{server.name} is a recording, and a recording answers one question: name a language server")
    root = check_root(codebase.root, PYTHON)
    sources = read_sources(root)
    async with open_session(
        root,
        server,
        python=settings.python,
        request_timeout_s=settings.timeout_s,
        start_timeout_s=settings.timeout_s,
        meanwhile=sources.parse,  # not in a thread: in Python 3.11, two that parse at once may fail
    ) as session:
        yield Harvest(codebase, Questions(sources, seed), labels, language_server(session))


@attrs.define(eq=False)
class Harvest:
    """One codebase while it is asked.

    Attributes:
        asked: how many questions of each stratum were asked.
    """

    codebase: Codebase
    questions: Questions
    labels: Labels
    server: AsyncHandler[Any]
    asked: Counter[Stratum] = attrs.field(factory=Counter)
    _streams: dict[Stratum, Iterator[Question]] = attrs.field(factory=dict)

    def pass_over(self, stratum: Stratum) -> None:
        """Count the next question of a stratum as asked."""
        self._next(stratum)

    async def ask(self, turns: Turns) -> AsyncIterator[Line]:
        """Ask until all that is wanted is there; what was done is told line by line, and counted in `turns`."""
        for stratum in turns:
            question = self._next(stratum)
            if question is None:
                turns.exhausted.add(stratum)
                yield Line(Event.EXHAUSTED, stratum or "")
                continue
            harvested = await self._examples_of(question)
            examples = harvested.examples[: turns.wanted[stratum] - turns.given[stratum]]
            turns.given[stratum] += len(examples)
            answered = Answered(self.codebase.name, self.asked.total() - 1, question.phrasing, examples)
            yield Line(Event.ASKED, stratum or "", harvested.left_out, answered)

    def _next(self, stratum: Stratum) -> Question | None:
        stream = self._streams.get(stratum)
        if stream is None:
            stream = self._streams[stratum] = self.questions.about(stratum)
        question = next(stream, None)
        self.asked[stratum] += question is not None
        return question

    async def _examples_of(self, question: Question) -> Harvested:
        """A question's examples; none where anything could not be looked at, since they would differ next time."""
        for _ in range(TRIES):
            noted: list[Note] = []
            world = heuristic() | self.server | system_clock() | Progress.by(_ignored) | Note.by(noted.append)
            try:
                harvested = await run_async(examples_of(question, self.labels, self.codebase.origin), world)
            except InterpreterError:
                continue
            return Harvested(left_out="something could not be looked at") if noted else harvested
        return Harvested(left_out="the language server failed")


def _ignored(_: Progress) -> None:
    """Nobody watches a single question."""
