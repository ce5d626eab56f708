"""From a tool's call to its result: the codebase is allowed, the time is bounded, the answer is kept by its handle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from interpreters.edge.agents.kept_answers import Asked, Kept, KeptAnswers, further
from interpreters.edge.agents.roots import Roots
from interpreters.edge.answering import Outcome, Question, answered
from tidepool.domain import Pointer, ScoutResponse, Status
from tidepool.effects.report import Note, Progress
from tidepool.errors import ConfigError

GRACE_S: Final = 2.0
"""How much longer than its time an answer is waited for: what is known by then has to be ranked and brought here."""

DEFAULT_BUDGET: Final = 20


ANSWERS: Final = frozenset({Status.COMPLETE, Status.PARTIAL})
"""What is worth continuing; anything else is an error to whoever asked, and never looks as if nothing broke."""


class Asker(Protocol):
    """Answers a question, and tells how far it is."""

    def __call__(self, question: Question, heard: Callable[[Progress | Note], None], /) -> Awaitable[Outcome]:
        """What came of it; cancelling this ends the work.

        Raises:
            ConfigError: what is configured cannot be used.
        """
        ...


@attrs.frozen
class Call:
    """What the tool was called with; None for what was left out.

    Attributes:
        timeout_s: seconds for the whole answer.
        handle: of the answer that is to be continued.
    """

    question: str | None
    tags: tuple[str, ...] | None
    budget: int
    root: str | None
    verify: bool | None
    timeout_s: float
    handle: str | None


@attrs.frozen
class Told:
    """What the tool answers.

    Attributes:
        response: all that is known.
        pointers: what is new in it, best first.
        handle: by which it is continued; None where there is nothing to continue.
        root: the codebase.
    """

    response: ScoutResponse
    pointers: tuple[Pointer, ...]
    handle: str | None
    root: Path
    notes: tuple[str, ...] = ()


@attrs.frozen
class Scout:
    """The tool.

    Attributes:
        flags: the settings that were said when the server was started, by name.
    """

    roots: Roots
    ask: Asker
    flags: Mapping[str, Any]
    kept: KeptAnswers = attrs.field(factory=KeptAnswers)

    async def __call__(self, call: Call, heard: Callable[[Progress | Note], None]) -> Told:
        """Answer a call within its time.

        Raises:
            ConfigError: the root is not allowed, there is no such handle, or what is configured cannot be used.
        """
        earlier = None if call.handle is None else self.kept.find(call.handle)
        asked = self._asked(call) if earlier is None else _continued(earlier, call)
        self.roots.find(str(asked.root))
        outcome = await self._in_time(self._question(asked, call, earlier), heard)
        response = outcome.response
        if response.status not in ANSWERS:
            return Told(response, (), None, asked.root, outcome.notes)
        new = response.pointers if earlier is None else further(earlier.response, response)
        return Told(response, new, self.kept.keep(asked, response), asked.root, outcome.notes)

    def _asked(self, call: Call) -> Asked:
        if call.question is None or not call.question.strip():
            raise ConfigError("there is no question: ask what breaks if you change something, or name a handle")
        return Asked(self.roots.find(call.root), call.question.strip(), call.tags, call.verify)

    def _question(self, asked: Asked, call: Call, earlier: Kept | None) -> Question:
        visited, rated = (0, ()) if earlier is None else _known(earlier)
        said = {"tags": asked.tags, "verify": asked.verify, "budget": visited + call.budget}
        return Question(
            text=asked.question,
            root=asked.root,
            flags={**self.flags, **{name: value for name, value in said.items() if value is not None}},
            within_s=call.timeout_s,
            rated=rated,
        )

    async def _in_time(self, question: Question, heard: Callable[[Progress | Note], None]) -> Outcome:
        """The outcome, or that there is none yet: whoever asks is never left waiting."""
        doing = "starting the language server"

        def hear(said: Progress | Note) -> None:
            nonlocal doing
            if isinstance(said, Progress):
                doing = f"{said.doing}, {said.done} of {said.total}"
            heard(said)

        limit = asyncio.timeout((question.within_s or 0) + GRACE_S)
        try:
            async with limit:
                return await self.ask(question, hear)
        except TimeoutError:
            if not limit.expired():
                raise
            why = f"There is no answer yet after {question.within_s:g} s ({doing})."
            not_yet = ScoutResponse(f"{why} Nothing was looked at: ask again, or allow more time.", Status.NOT_READY)
            return answered(not_yet)


def _continued(earlier: Kept, call: Call) -> Asked:
    """The earlier question; whatever is said once more has to be the same."""
    asked = earlier.asked
    if call.question is not None and call.question.strip() != asked.question:
        raise ConfigError("the handle is of another question: leave out the question, or the handle")
    return asked


def _known(earlier: Kept) -> tuple[int, tuple[Any, ...]]:
    return earlier.response.nodes_visited, earlier.response.training_examples or ()
