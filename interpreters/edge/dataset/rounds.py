"""One codebase's part of a build: the examples that one round wants of it, written down question by question."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from interpreters.edge.config import read_settings
from interpreters.edge.dataset import journal
from interpreters.edge.dataset.harvest import Codebase, Harvest, open_harvest
from interpreters.edge.dataset.journal import Event, Journal, Line
from tidepool.domain import Tag
from tidepool.errors import InterpreterError
from tidepool.training.labels import Labels
from tidepool.training.questions import STRATA, Stratum
from tidepool.training.turns import Turns

Heard: TypeAlias = Callable[[Line], None]
"""Hears of every line that is written."""


@attrs.frozen
class Part:
    """What a round wants of a codebase.

    Attributes:
        flags: settings that the build says, by name.
        journals: the folder of the codebase's journals, one for each round.
        number: of the round, from 0.
        wanted: how many examples of each stratum there are to be after it.
    """

    codebase: Codebase
    flags: Mapping[str, Any]
    labels: Labels
    seed: int
    journals: Path
    number: int
    wanted: Mapping[Stratum, int]

    @property
    def journal(self) -> Path:
        """This round's."""
        return self.journals / f"{self.number}.jsonl"

    async def play(self, heard: Heard) -> None:
        """Ask the codebase what the round wants of it, going on behind what the journal holds already.

        A codebase whose language server cannot be started, twice, is given up: its journal says why.

        Raises:
            ConfigError: a journal cannot be written.
        """
        done = tally(self.journals, self.number + 1)
        if done.is_done:
            return
        done.turns.wanted = self.wanted
        with journal.opened(self.journal) as written:
            if next(iter(done.turns), ...) is not ...:
                await self._ask(done, written, heard)
            written.write(Line(Event.DONE))

    async def _ask(self, done: Tally, written: Journal, heard: Heard) -> None:
        settings = read_settings(self.codebase.root, os.environ, self.flags)
        for last in (False, True):
            try:
                async with open_harvest(self.codebase, settings, labels=self.labels, seed=self.seed) as harvest:
                    pass_over(harvest, done)
                    async for line in harvest.ask(done.turns):
                        done.asked[Tag(line.stratum) if line.stratum else None] += line.event is Event.ASKED
                        written.write(line)
                        heard(line)
                    break
            except InterpreterError as error:
                if last:
                    written.write(Line(Event.GIVEN_UP, left_out=str(error)))


@attrs.define
class Tally:
    """What the journals of a codebase tell.

    Attributes:
        turns: the examples of each stratum, and which strata have no more.
        asked: the questions of each stratum.
        left_out: how many questions gave none, by the reason.
        given_up: why the codebase is asked nothing more, or "".
        is_done: whether the last journal that was read came to its end.
    """

    turns: Turns = attrs.field(factory=lambda: Turns({}))
    asked: Counter[Stratum] = attrs.field(factory=Counter)
    left_out: Counter[str] = attrs.field(factory=Counter)
    given_up: str = ""
    is_done: bool = True

    def count(self, lines: Iterator[Line]) -> None:
        """Add what a journal tells."""
        self.is_done = False
        for line in lines:
            stratum = Tag(line.stratum) if line.stratum else None
            match line.event:
                case Event.ASKED:
                    self.asked[stratum] += 1
                    self.turns.given[stratum] += len(line.answered.examples) if line.answered else 0
                    self.left_out[line.left_out] += bool(line.left_out)
                case Event.EXHAUSTED:
                    self.turns.exhausted.add(stratum)
                case Event.GIVEN_UP:
                    self.turns.exhausted.update(STRATA)
                    self.given_up = line.left_out
                case Event.DONE:
                    self.is_done = True


def tally(journals: Path, rounds: int) -> Tally:
    """What a codebase has given in so many rounds."""
    told = Tally()
    for number in range(rounds):
        told.count(journal.read(journals / f"{number}.jsonl"))
    return told


def pass_over(harvest: Harvest, done: Tally) -> None:
    """Pass over the questions that were asked before."""
    for stratum, count in done.asked.items():
        for _ in range(count):
            harvest.pass_over(stratum)
