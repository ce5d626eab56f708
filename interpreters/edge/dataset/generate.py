"""`semantic-scout --gen-training N`: examples from codebases as a JSON array on standard output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, TextIO

import attrs

from interpreters.edge.config import Settings, read_settings
from interpreters.edge.dataset.harvest import PYTHON, Codebase, open_harvest, read_sources
from interpreters.edge.dataset.journal import Event, Line
from interpreters.edge.dataset.origin import origin_of
from interpreters.edge.dataset.told import told
from interpreters.edge.ending import TERMINATED, until_terminated
from interpreters.edge.printing import printable
from interpreters.lsp.project import check_root
from tidepool.domain import TrainingExample
from tidepool.errors import ConfigError, InterpreterError
from tidepool.training.labels import Labels
from tidepool.training.questions import STRATA, Stratum
from tidepool.training.turns import Turns, wanted_of_each
from tidepool.wire import dumps

DONE: Final = 0
USAGE: Final = 2
TOO_FEW: Final = 3
NO_SERVER: Final = 4
INTERRUPTED: Final = 130


COMMITS: Final = 1_000
"""A repository's newest commits, in which changes are looked for."""


@attrs.frozen
class Wanted:
    """What the command was asked to do.

    Attributes:
        examples: how many.
        roots: the codebases.
        flags: the settings among its flags, by name; None for one that was not given.
    """

    examples: int
    roots: tuple[Path, ...]
    labels: Labels
    seed: int
    flags: Mapping[str, Any]


def generate(wanted: Wanted) -> int:
    """Print the examples and answer the command's exit code. The array is closed whatever happens on the way."""
    array = _Array(sys.stdout)
    try:
        with asyncio.Runner() as runner:
            code = runner.run(until_terminated(_generate(wanted, array)))
    except ConfigError as error:
        code = _say(error, USAGE)
    except InterpreterError as error:
        code = _say(error, NO_SERVER)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except asyncio.CancelledError:
        code = TERMINATED
    except BrokenPipeError:  # whoever read the examples has enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    array.close()
    return code


@attrs.define
class _Array:
    """A JSON array that is written as it comes; nothing is written before its first member."""

    stream: TextIO
    strata: Counter[Stratum] = attrs.field(factory=Counter)

    @property
    def count(self) -> int:
        return self.strata.total()

    def add(self, example: TrainingExample) -> None:
        self.stream.write(f"{',' if self.count else '['}\n{dumps(example)}")
        self.strata[next(iter(example.query.tags), None)] += 1

    def close(self) -> None:
        if self.count:
            self.stream.write("\n]\n")
        self.stream.flush()


async def _generate(wanted: Wanted, array: _Array) -> int:
    given: Counter[Stratum] = Counter()
    left_out: Counter[str] = Counter()
    with told(sys.stderr, wanted.examples) as tell:
        opened = [(_codebase(root), read_settings(root, os.environ, wanted.flags)) for root in wanted.roots]
        for number, (codebase, settings) in enumerate(opened, start=1):
            tell(array.count, f"opening {codebase.name}")
            total = wanted.examples * number // len(opened)
            source = _of_history if wanted.labels is Labels.HISTORY else _of_questions
            async with aclosing(source(codebase, settings, wanted, Turns({}, given), total)) as lines:
                async for line in lines:
                    left_out[line.left_out] += 1
                    for example in line.answered.examples[: total - array.count] if line.answered else ():
                        array.add(example)
                    tell(array.count, f"{codebase.name}: {line.stratum or 'no tag'}")
                    if array.count >= total:
                        break
    return _told(wanted, array, left_out)


async def _of_history(
    codebase: Codebase, settings: Settings, wanted: Wanted, _: Turns, _total: int
) -> AsyncGenerator[Line]:
    """What a repository's newest commits answer, as long as somebody asks."""
    from interpreters.edge.dataset.history import history

    async for answered in history(
        codebase.root,
        "HEAD",
        name=codebase.name,
        seed=wanted.seed,
        licence=codebase.origin.licence,
        commits_looked_at=COMMITS,
        python=settings.python,
    ):
        yield Line(Event.ASKED, "history", "" if answered.examples else "nothing followed a change", answered)


async def _of_questions(
    codebase: Codebase, settings: Settings, wanted: Wanted, turns: Turns, total: int
) -> AsyncGenerator[Line]:
    """What a codebase gives until there are so many examples in all, or it has no more."""
    async with open_harvest(codebase, settings, labels=wanted.labels, seed=wanted.seed) as harvest:
        while turns.given.total() < total and len(turns.exhausted) < len(STRATA):
            (turns.wanted,) = wanted_of_each([turns], total)
            async for line in harvest.ask(turns):
                yield line


def _codebase(root: Path) -> Codebase:
    real = check_root(root, PYTHON)
    return Codebase(real.name, real, origin_of(real.name, real, read_sources(real)))


def _told(wanted: Wanted, array: _Array, left_out: Mapping[str, int]) -> int:
    """Say what the examples are about, what was left out, and whether there are as many as were wanted."""
    shares = ", ".join(f"{stratum or 'no tag'} {array.strata[stratum]}" for stratum in STRATA)
    _say(f"{array.count} examples: {shares}")
    for why, times in sorted(left_out.items()):
        if why:
            _say(f"{times} questions gave none, because {why}")
    if array.count >= wanted.examples:
        return DONE
    return _say(f"{wanted.examples} were wanted: name more codebases with --root, or ask for fewer", TOO_FEW)


def _say(what: object, code: int = DONE) -> int:
    print(f"semantic-scout: {printable(str(what))}", file=sys.stderr)
    return code
