"""What has to hold of every exploration, however its interpreters misbehave. Pure.

All of it is told from what the program asked and was answered, and never from the faults that were planned: so it
holds of any interpreter, and a fault that nobody can notice, such as a list that is shorter than it should be, is no
loss. *Lost* is what an operation of `Lsp` failed to answer, and what `Unseen` says was left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias, get_args

import attrs
from returns.result import Failure, Success

from tidepool.change import ChangeKind, read_change
from tidepool.domain import Pointer, Rubric, ScoutQuery, ScoutResponse, Status, Verdict
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Lsp, References, Source, Unseen, WhatIf
from tidepool.errors import Unsupported
from tidepool.explore import ScorerFailed
from tidepool.tape import Entry
from tidepool.testing.clock import Deadlock
from tidepool.testing.faults import Endless

LSP: Final = frozenset(get_args(Lsp))

NO_REFERENCES: Final = "there are none, where one at least was expected"
"""What an exploration says of a definition that nothing mentions, not even itself."""

COULD_NOT_LOOK: Final = frozenset({Status.NOT_READY, Status.UNSUPPORTED})


@attrs.frozen
class Run:
    """One exploration that has ended.

    Attributes:
        asked: the operations that reached an interpreter, those included that were never answered.
        tape: what was asked and answered, in the program's order.
        ended: the response, or the error that the exploration ended with.
        cancelled: whether it was cancelled before it had ended.
        residue: what it left behind in the event loop: tasks, timers, complaints.
        undisturbed: how it ends where nothing goes wrong, if it must end like that; else None.
        seconds: how long it took, in virtual time.
        may_take_s: how long it may.
    """

    query: ScoutQuery
    asked: Sequence[Any]
    tape: Sequence[Entry]
    ended: ScoutResponse | BaseException
    cancelled: bool
    residue: Sequence[str]
    undisturbed: object
    seconds: float
    may_take_s: float

    @property
    def answer(self) -> ScoutResponse | None:
        """What it answered, whole or in part."""
        if isinstance(self.ended, ScorerFailed):
            return self.ended.answer
        return self.ended if isinstance(self.ended, ScoutResponse) else None

    @property
    def end(self) -> str:
        """How it ended, in a word: the answer's status, or the error's name."""
        ended = self.ended
        return ended.status.value if isinstance(ended, ScoutResponse) else type(ended).__name__

    @property
    def rated(self) -> list[tuple[RateNode, Rubric]]:
        """What the scorer answered, in order."""
        return [
            (entry.op, entry.answer.unwrap())
            for entry in self.tape
            if type(entry.op) is RateNode and isinstance(entry.answer, Success)
        ]

    @property
    def unrated(self) -> list[Exception]:
        """How the scorer failed."""
        return [
            entry.answer.failure()
            for entry in self.tape
            if type(entry.op) is RateNode and isinstance(entry.answer, Failure)
        ]

    @property
    def found_wrong(self) -> dict[str, set[str]]:
        """What a checker said would newly be wrong, by `path:line`."""
        found: dict[str, set[str]] = {}
        for entry in self.tape:
            for it in entry.answer.value_or(()) if type(entry.op) is WhatIf else ():
                found.setdefault(it.place.location, set()).add(it.message)
        return found

    @property
    def was_checked(self) -> bool:
        """Whether a checker has answered about the whole codebase."""
        checks = (entry for entry in self.tape if type(entry.op) is WhatIf and entry.op.paths is None)
        return any(isinstance(entry.answer, Success) for entry in checks)

    @property
    def lost(self) -> list[list[str]]:
        """What could not be looked at, each in words of which one has to be said.

        Failures of one kind that come one after another may share a clause: `each` raises the first of a round.
        """
        return self._lost(self.tape)

    @property
    def lost_for_good(self) -> list[list[str]]:
        """The same, without a check by who cannot check: whoever asks lives without it."""
        return self._lost([entry for entry in self.tape if not _cannot_check(entry)])

    def _lost(self, tape: Sequence[Entry]) -> list[list[str]]:
        lost: list[list[str]] = []
        for kind, entries in groupby(tape, lambda entry: type(entry.op)):
            answers = [entry.answer for entry in entries]
            if kind in LSP:
                lost.append([str(answer.failure()) for answer in answers if isinstance(answer, Failure)])
            if kind is Unseen:
                lost += [[clause] for answer in answers for clause in answer.value_or(())]
        references = [entry for entry in self.tape if type(entry.op) is References]
        if references and references[0].answer == Success(()):  # those of the definition: it is one itself
            lost.append([NO_REFERENCES])
        return [words for words in lost if words]


def _cannot_check(entry: Entry) -> bool:
    asks = type(entry.op) in (WhatIf, Source)
    return asks and isinstance(entry.answer, Failure) and isinstance(entry.answer.failure(), Unsupported)


Invariant: TypeAlias = Callable[[Run], str | None]
"""None where it holds, else what is wrong, as a sentence."""


def it_ends(run: Run) -> str | None:
    """After a bounded number of operations and a bounded time."""
    if isinstance(run.ended, Deadlock | Endless):
        return str(run.ended)
    if run.seconds > run.may_take_s:
        waited = f"it took {run.seconds:g} s, and everything it waited for took {run.may_take_s:g} s"
        return f"{waited}: say how long the interpreters wait by themselves in `may_wait_s`, if they do"
    return None


def errors_are_documented(run: Run) -> str | None:
    """`explore` raises `ScorerFailed` where the scorer failed, a cancellation where it is cancelled, nothing else."""
    error = run.ended
    if isinstance(error, ScoutResponse | Deadlock) or not isinstance(error, Exception):
        return None
    if not isinstance(error, ScorerFailed):
        return f"it raised {error!r}"
    return None if run.unrated else "it blames the scorer, which has not failed"


def cancellations_are_obeyed(run: Run) -> str | None:
    """A cancelled run ends with the cancellation, or with an error that was on its way; no other run does."""
    if run.cancelled and isinstance(run.ended, ScoutResponse):
        return "it was cancelled, and answered"
    if not run.cancelled and isinstance(run.ended, asyncio.CancelledError):
        return "it ended as if it had been cancelled"
    return None


def nothing_is_left_behind(run: Run) -> str | None:
    """No task, timer or complaint remains in the event loop."""
    return f"it left behind: {'; '.join(run.residue)}" if run.residue else None


def budget_is_kept(run: Run) -> str | None:
    """No more nodes are sent to the scorer than may be rated."""
    count = sum(type(op) is RateNode for op in run.asked)
    budget = run.query.budget_nodes
    return f"{count} nodes were sent to the scorer, and {budget} may be rated" if count > budget else None


def nothing_is_rated_twice(run: Run) -> str | None:
    """No place is sent to the scorer a second time."""
    places = [op.node.location for op in run.asked if type(op) is RateNode]
    twice = sorted({place for place in places if places.count(place) > 1})
    return f"{', '.join(twice)} went to the scorer more than once" if twice else None


def what_was_rated_is_kept(run: Run) -> str | None:
    """The answer, also that of a run in which the scorer failed, holds every node as it was rated, or then checked."""
    answer, rated = run.answer, run.rated
    if answer is None:
        return None
    if answer.nodes_visited != len(rated):
        return f"{len(rated)} nodes were rated, and the answer says {answer.nodes_visited}"
    if answer.training_examples is not None:
        examples = [(example.node, example.rubric) for example in answer.training_examples]
        if examples != [(op.node, rubric) for op, rubric in rated]:
            return "the training examples are not what was rated"
    rubrics = {op.node.location: rubric for op, rubric in rated}
    for pointer in answer.pointers:
        if not _is_of(pointer, rubrics.get(pointer.location), run):
            return f"the answer lists {pointer.location} with a rubric that the scorer did not give"
    missing = {op.node.path for op, _ in rated} - {_path(pointer.location) for pointer in answer.pointers}
    return f"the answer lists nothing in {', '.join(sorted(missing))}, where nodes were rated" if missing else None


def _is_of(pointer: Pointer, scored: Rubric | None, run: Run) -> bool:
    """Whether a rubric is the scorer's, or what a checker's word makes of it: no more risk where it is silent."""
    rubric = Rubric(pointer.relevance, pointer.risk, pointer.confidence, pointer.reasoning)
    if rubric == scored or scored is None:
        return scored is not None
    if pointer.verdict is Verdict.VERIFIED:
        return any(message in rubric.reasoning for message in run.found_wrong.get(pointer.location, ()))
    kept = rubric.relevance == scored.relevance and rubric.reasoning.startswith(scored.reasoning.rstrip("."))
    return run.was_checked and kept and rubric.risk <= scored.risk


def verified_means_checked(run: Run) -> str | None:
    """What calls itself verified is where a checker said that something is newly wrong; it is asked only on request."""
    reads = read_change(run.query.context).kind is ChangeKind.MAKE_ASYNC  # the files, for what is async in them
    asked = [op for op in run.asked if type(op) is WhatIf or (type(op) is Source and not reads)]
    if asked and not run.query.verify:
        return f"nobody wanted the change to be checked, and {type(asked[0]).__name__} was asked"
    found = run.found_wrong
    verified = [it.location for it in (run.answer.pointers if run.answer else ()) if it.verdict is Verdict.VERIFIED]
    return next(
        (f"it calls {place} verified, where no checker complains" for place in verified if place not in found), None
    )


def _path(location: str) -> str:
    return location.rpartition(":")[0]


def complete_means_complete(run: Run) -> str | None:
    """An answer that calls itself complete has lost nothing, left nothing, and had everything rated."""
    answer = run.answer
    if answer is None or answer.status is not Status.COMPLETE:
        return None
    why = [*(words[0] for words in run.lost_for_good), *map(str, run.unrated)]
    why += [f"{answer.frontier_left} places were left"] * (answer.frontier_left > 0)
    return f"it calls itself complete, and {why[0]}" if why else None


def what_is_lost_is_said(run: Run) -> str | None:
    """A failure ends up in the summary; and an answer that blames the codebase's interpreter was failed by it."""
    answer = run.answer
    if answer is None:
        return None
    if run.unrated and not isinstance(run.ended, ScorerFailed):
        return f"the scorer failed, and nobody says so: {run.unrated[0]}"
    if answer.status in COULD_NOT_LOOK:
        if any(word in answer.summary for words in run.lost for word in words):
            return None
        return "it says that it could not look, and does not say why"
    names = read_change(run.query.context).targets
    missing = [words[0] for words in run.lost if not any(word in answer.summary for word in words)]
    return f"the summary does not say: {missing[0]}" if missing and names else None


def delays_change_nothing(run: Run) -> str | None:
    """Where answers only came late or in another order, the answer is that of an undisturbed run."""
    if not isinstance(run.undisturbed, ScoutResponse) or run.ended == run.undisturbed:
        return None
    return f"undisturbed it answers {run.undisturbed.summary!r}, with {len(run.undisturbed.pointers)} pointers"


INVARIANTS: Final[Mapping[str, Invariant]] = {
    "it ends": it_ends,
    "every error is documented": errors_are_documented,
    "a cancellation is obeyed": cancellations_are_obeyed,
    "nothing is left behind": nothing_is_left_behind,
    "the budget is kept": budget_is_kept,
    "nothing is rated twice": nothing_is_rated_twice,
    "what was rated is kept": what_was_rated_is_kept,
    "verified means checked": verified_means_checked,
    "complete means complete": complete_means_complete,
    "what is lost is said": what_is_lost_is_said,
    "delays change nothing": delays_change_nothing,
}
"""Every invariant, by what it promises."""


def broken(run: Run, invariants: Mapping[str, Invariant] = INVARIANTS) -> dict[str, str]:
    """What is wrong with a run, by the invariant that it breaks; empty where all hold."""
    wrong = {name: invariant(run) for name, invariant in invariants.items()}
    return {name: why for name, why in wrong.items() if why is not None}
