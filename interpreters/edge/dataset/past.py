"""One repository's part of a build: the examples that its history gives, written down change by change."""

from __future__ import annotations

from pathlib import Path

import attrs

from interpreters.edge.dataset import journal
from interpreters.edge.dataset.history import history
from interpreters.edge.dataset.journal import Event, Line
from interpreters.edge.dataset.rounds import Heard, Tally
from tidepool.errors import InterpreterError


@attrs.frozen
class Past:
    """What a repository's commits are asked.

    Attributes:
        name: the codebase's.
        commits: how many of them are looked at, from `revision` back.
        journals: the folder of the codebase's journals.
    """

    name: str
    repository: Path
    revision: str
    commits: int
    licence: str | None
    python: Path | None
    seed: int
    journals: Path

    @property
    def journal(self) -> Path:
        """The history's."""
        return self.journals / "history.jsonl"

    async def play(self, heard: Heard) -> None:
        """Ask what the history answers, going on behind what the journal holds already.

        Raises:
            ConfigError: there is no such repository or revision, or the journal cannot be written.
        """
        done = Tally()
        done.count(journal.read(self.journal))
        if done.is_done:
            return
        with journal.opened(self.journal) as written:
            try:
                async for answered in history(
                    self.repository,
                    self.revision,
                    name=self.name,
                    seed=self.seed,
                    licence=self.licence,
                    commits_looked_at=self.commits,
                    python=self.python,
                    begin=done.asked.total(),
                ):
                    tag = next((str(tag) for example in answered.examples for tag in example.query.tags), "")
                    line = Line(Event.ASKED, tag, "" if answered.examples else "nothing followed", answered)
                    written.write(line)
                    heard(line)
            except InterpreterError as error:
                written.write(Line(Event.GIVEN_UP, left_out=str(error)))
            written.write(Line(Event.DONE))
