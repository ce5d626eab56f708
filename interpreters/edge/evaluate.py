"""`tidepool evaluate`: answer the questions of cases, and measure the answers against what is known.

Several scorers may be measured in one run. Two baselines answer the same questions beside them: a search for the whole
word, and the server's references in their own order, which are told where the definition stands.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

import attrs

from interpreters.clock import system_clock
from interpreters.edge.comparison import reliability
from interpreters.edge.config import Settings, check_scorer, choose_server, open_scorer, read_settings
from interpreters.edge.dataset.whole import written_whole
from interpreters.edge.ending import TERMINATED, until_terminated
from interpreters.edge.metering import Meter, metered, model_bytes
from interpreters.edge.printing import printable
from interpreters.edge.reliability import as_svg
from interpreters.edge.scoreboard import SHOWN, Measured, Measurement, as_details, sheet_of
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.project import check_root, source_files
from interpreters.lsp.servers import Server
from interpreters.lsp.session import open_session
from interpreters.report import silent
from tidepool.cases import Case, Spot, read_cases
from tidepool.domain import Pointer, ScoutQuery, ScoutResponse
from tidepool.eff import AsyncHandler, run_async
from tidepool.effects.gemma import Gemma
from tidepool.effects.lsp import Lsp, Place, references
from tidepool.errors import ConfigError, InterpreterError, InvalidData
from tidepool.explore import ScorerFailed, explore
from tidepool.metrics import Cost, Row, bins_in, measure

DONE: Final = 0
USAGE: Final = 2
NO_SERVER: Final = 4
NO_SCORER: Final = 5
INTERRUPTED: Final = 130

TEXT_SEARCH: Final = "text search"
REFERENCES: Final = "references"
BASELINE_RISK: Final = 5
"""What a baseline says of all its rows: it names them because they may break."""


@attrs.frozen
class Evaluation:
    """What `tidepool evaluate` was asked to do, in its flags' words.

    Attributes:
        cases: the file that holds them.
        scorers: their names; none for the one that is configured.
        budget: how many places may be rated for a question; None for what is configured.
        verify: whether the change is made in memory and checked; None for what is configured.
        python: the environment that the codebases' imports come from; None for the one that is found.
        form: how to print the result, one of `SHOWN`.
        details: where to write what was missed, case by case, or None.
        against: the way that the others are compared with; None for the first scorer.
        plot: where to draw how far confidences can be relied on, or None.
    """

    cases: Path
    scorers: tuple[str, ...]
    budget: int | None
    verify: bool | None
    python: Path | None
    form: str
    details: Path | None
    against: str | None = None
    plot: Path | None = None


def evaluate(asked: Evaluation) -> int:
    """Measure, print the result on standard output, and answer the command's exit code."""
    return ended(lambda: _evaluate(asked))


def ended(work: Callable[[], int]) -> int:
    """The exit code of work that may fail, or be told to end."""
    try:
        return work()
    except (ConfigError, InterpreterError) as error:
        return say(error, USAGE if isinstance(error, ConfigError) else _code(error))
    except BrokenPipeError:  # whoever read the figures has read enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED


def _code(error: InterpreterError) -> int:
    return NO_SCORER if isinstance(error, ScorerFailed) else NO_SERVER


def _evaluate(asked: Evaluation) -> int:
    cases = _read(asked.cases)
    with asyncio.Runner() as runner:
        found = runner.run(until_terminated(_measured(asked, cases)))
    if asked.details is not None:
        _write(asked.details, as_details(found.measured))
    if asked.plot is not None:
        _write(asked.plot, as_svg(reliability(sheet_of(found), bins_in)))
    SHOWN[asked.form](found, sys.stdout)
    sys.stdout.flush()
    return DONE


def _read(file: Path) -> tuple[Case, ...]:
    """The cases of a file, their roots made absolute.

    Raises:
        ConfigError: it cannot be read, or holds none.
    """
    try:
        cases = read_cases(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ConfigError(f"{file} cannot be read ({why}): name a file that `tidepool cases` wrote") from error
    except InvalidData as error:
        raise ConfigError(f"{file}: {error}; make the file again with `tidepool cases`") from error
    if not cases:
        raise ConfigError(f"{file} holds no case: make some with `tidepool cases`")
    for case in cases:
        if not case.must:
            raise ConfigError(f"{file}: {case.id} has no place that must change: leave the case out")
    return tuple(attrs.evolve(case, root=str(file.absolute().parent / case.root)) for case in cases)


async def _measured(asked: Evaluation, cases: Sequence[Case]) -> Measurement:
    names = tuple(dict.fromkeys(asked.scorers)) or (read_settings(None, os.environ, {}).scorer,)
    ways = (*names, REFERENCES, TEXT_SEARCH)
    against = asked.against or names[0]
    if against not in ways:
        raise ConfigError(f"{against!r} is not measured, so nothing can be compared with it: name one of {_list(ways)}")
    by_root: dict[str, list[Case]] = {}
    for case in cases:
        by_root.setdefault(case.root, []).append(case)
    for root in by_root:
        check_root(root, (".py",))  # before hours are spent on the others
    measured: list[Measured] = []
    sizes: dict[str, int] = {}
    for root, of_root in by_root.items():
        say(f"{of_root[0].codebase}: {len(of_root)} cases")
        async with _opened(asked, Path(root), names) as answerer:
            sizes.update(answerer.model_bytes)
            for case in of_root:
                measured += await answerer.measured(case)
    return Measurement(tuple(measured), against, sizes)


def _list(ways: Sequence[str]) -> str:
    return ", ".join(map(repr, ways))


@asynccontextmanager
async def _opened(asked: Evaluation, root: Path, names: Sequence[str]) -> AsyncGenerator[_Answerer]:
    """What answers questions about one codebase: a server that is started, and scorers that are opened, once."""
    flags = {"scorer": names[0], "budget": asked.budget, "verify": asked.verify, "python": asked.python}
    settings = read_settings(root, os.environ, flags)
    for name in names:
        check_scorer(name, settings)
    server = choose_server(settings)
    if not isinstance(server, Server):
        raise ConfigError(f"{server.name} is a recording, and a recording answers one question: name a language server")
    async with open_session(
        root,
        server,
        python=settings.python,
        request_timeout_s=settings.timeout_s,
        start_timeout_s=settings.timeout_s,
    ) as session:
        codebase = language_server(session)
        async with AsyncExitStack() as opened:
            scorers = {}
            for name in names:
                scorer = await opened.enter_async_context(open_scorer(name, settings, codebase=codebase))
                meter = Meter()
                scorers[name] = (metered(scorer, meter), meter)
            yield _Answerer(settings, check_root(root, server.suffixes), server.suffixes, codebase, scorers)


@attrs.define(slots=False)
class _Answerer:
    """Answers the questions about one codebase, in each way that is compared."""

    settings: Settings
    root: Path
    suffixes: tuple[str, ...]
    codebase: AsyncHandler[Lsp]
    scorers: Mapping[str, tuple[AsyncHandler[Gemma], Meter]]

    @property
    def model_bytes(self) -> dict[str, int]:
        """How large the scorers' models are, where that is known."""
        sizes = ((name, model_bytes(self.settings.scorers.get(name), self.settings.environ)) for name in self.scorers)
        return {name: size for name, size in sizes if size is not None}

    async def measured(self, case: Case) -> list[Measured]:
        """A case's answers, measured."""
        measured = [await self.explored(case, name, scorer, meter) for name, (scorer, meter) in self.scorers.items()]
        for way, answer in {REFERENCES: self.referring, TEXT_SEARCH: self.mentioning}.items():
            begun_s = time.perf_counter()
            rows = await answer(case)
            measured.append(_one(way, case, rows, time.perf_counter() - begun_s, None))
        return measured

    async def explored(self, case: Case, name: str, scorer: AsyncHandler[Gemma], meter: Meter) -> Measured:
        """What an exploration answers with a scorer, measured."""
        query = ScoutQuery(case.question, case.tags, self.settings.budget, verify=self.settings.verify)
        before, begun_s = meter.cost, time.perf_counter()
        world = scorer | self.codebase | system_clock() | silent()
        response: ScoutResponse = await run_async(explore(query), world)
        seconds = time.perf_counter() - begun_s
        rows = [row_of(pointer) for pointer in response.pointers]
        return _one(name, case, rows, seconds, meter.since(before))

    async def referring(self, case: Case) -> list[Row]:
        """The server's references, in its order."""
        found = await run_async(references(self.place(case)), self.codebase)
        return _baseline(Spot(place.path, place.line) for place in found)

    async def mentioning(self, case: Case) -> list[Row]:
        """The lines with the definition's name as a whole word, by path and line."""
        word = re.compile(rf"\b{re.escape(_called(case))}\b")
        return _baseline(
            Spot(path, number)
            for path, lines in self.lines.items()
            for number, line in enumerate(lines, start=1)
            if word.search(line)
        )

    @cached_property
    def lines(self) -> Mapping[str, Sequence[str]]:
        """The lines of each source file, by path."""
        files = {file.relative_to(self.root).as_posix(): file for file in source_files(self.root, self.suffixes)}
        return {
            path: files[path].read_text(encoding="utf-8-sig", errors="replace").split("\n") for path in sorted(files)
        }

    def place(self, case: Case) -> Place:
        """Where the definition's name stands, a constructor's class for the constructor: so it is called."""
        spot, name = Spot.at(case.definition), _called(case)
        lines = self.lines.get(spot.path, ())
        if not name_at(lines, spot.line, case.name.rpartition(".")[2]):
            raise ConfigError(
                f"{case.id}: {case.definition} does not define {case.name}, since the codebase is not as it was when "
                "the case was made; make the cases again"
            )
        for number in range(spot.line, 0, -1):  # up from a constructor to the head of its class
            if (found := re.search(rf"\b{re.escape(name)}\b", lines[number - 1])) and (
                number == spot.line or re.match(r"\s*class\b", lines[number - 1])
            ):
                return Place(spot.path, number, found.start())
        raise ConfigError(f"{case.id}: no class {name} stands above {case.definition}; make the cases again")


def _one(way: str, case: Case, rows: Sequence[Row], seconds: float, cost: Cost | None) -> Measured:
    return Measured(way, case, measure(case, rows, seconds, cost), tuple(rows))


def name_at(lines: Sequence[str], line: int, name: str) -> bool:
    """Whether a name stands on a line as a whole word."""
    return line <= len(lines) and re.search(rf"\b{re.escape(name)}\b", lines[line - 1]) is not None


def _called(case: Case) -> str:
    """What a use of the definition writes."""
    container, _, name = case.name.rpartition(".")
    return container.rpartition(".")[2] if name == "__init__" and container else name


def _baseline(spots: Iterator[Spot]) -> list[Row]:
    return [Row(spot, BASELINE_RISK) for spot in dict.fromkeys(spots)]


_ALSO: Final = re.compile(r" \(also lines? ([0-9, ]+)(?:, …)?\)\Z")


def row_of(pointer: Pointer) -> Row:
    """A row of an answer, with the further lines that it lists."""
    spot = Spot.at(pointer.location)
    listed = _ALSO.search(pointer.what)
    also = tuple(Spot(spot.path, int(line)) for line in listed[1].split(", ")) if listed else ()
    return Row(spot, pointer.risk, pointer.confidence, also)


def _write(file: Path, text: str) -> None:
    with written_whole(file) as stream:
        stream.write(text)


def say(what: object, code: int = DONE) -> int:
    """Tell on standard error, and answer the exit code."""
    print(f"tidepool evaluate: {printable(str(what))}", file=sys.stderr)
    return code
