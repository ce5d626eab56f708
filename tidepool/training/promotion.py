"""Whether a newly trained model takes the place of the current one. Pure.

    standings = standings_of([Judged(example, before, after), …])
    decision = decided(standings)                    decision.promoted, decision.why

Both rate the places of a test set that nothing is ever trained on. The new one is refused where a tag's questions, or
all of them, are rated worse beyond noise: where the whole interval of the difference lies below zero. What is measured
in one codebase is alike, so codebases are the units of an interval where there are enough of them, and else questions;
the places of one question are one unit in any case. A tag of few questions says nothing either way.

There are up to ten intervals. Each is as wide as it takes for all of them together to refuse a model that is as good as
the current one once in forty times.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from tidepool.bootstrap import Sums, total
from tidepool.domain import QueryContext, Rubric, TrainingExample
from tidepool.training.marks import quality
from tidepool.training.student import quantile

OVERALL: Final = "overall"
NO_TAG: Final = "no tag"

REFUSED_BY_CHANCE: Final = 0.025
"""How often a model that is as good as the current one may be refused."""

LEAST_QUESTIONS: Final = 20
"""Of a part of the test set that can be judged: with fewer, two unlucky ones decide."""

LEAST_CODEBASES: Final = 5
"""To be the units of an interval: with fewer, hardly any difference would be told from noise."""

_Question: TypeAlias = tuple[str | None, QueryContext]


@attrs.frozen
class Judged:
    """A place of the test set, and what both models say of it.

    Attributes:
        before: of the current model.
        after: of the new one.
    """

    example: TrainingExample
    before: Rubric
    after: Rubric


@attrs.frozen
class Standing:
    """How both models do on a part of the test set, by `tidepool.training.marks.quality`.

    Attributes:
        part: a tag, `no tag`, or `overall`.
        questions: how many there are in it.
        low: the lower end of the difference's interval, after less before; None where there are too few questions.
        high: the upper end.
    """

    part: str
    examples: int
    questions: int
    before: float
    after: float
    low: float | None
    high: float | None

    @property
    def is_worse(self) -> bool:
        """Whether the new model is worse beyond noise."""
        return self.high is not None and self.high < 0


@attrs.frozen
class Decision:
    """What becomes of a new model, and why, a sentence."""

    promoted: bool
    why: str


def standings_of(judged: Iterable[Judged]) -> tuple[Standing, ...]:
    """How both models do overall, and by the questions' tags."""
    parts: dict[str, dict[_Question, list[Sums]]] = {OVERALL: {}}
    for one in judged:
        example = one.example
        question = (example.provenance.codebase if example.provenance else None, example.query)
        sums = (quality(one.after, example.rubric), quality(one.before, example.rubric), 1.0)
        for part in (OVERALL, str(example.query.tags[0]) if example.query.tags else NO_TAG):
            parts.setdefault(part, {}).setdefault(question, []).append(sums)
    chance = REFUSED_BY_CHANCE / max(1, sum(len(questions) >= LEAST_QUESTIONS for questions in parts.values()))
    return tuple(
        _standing(part, {question: total(some) for question, some in questions.items()}, chance)
        for part, questions in sorted(parts.items(), key=lambda item: (item[0] != OVERALL, item[0]))
        if questions
    )


def _standing(part: str, questions: Mapping[_Question, Sums], chance: float) -> Standing:
    after, before, examples = total(list(questions.values()))
    difference = (after - before) / examples
    off = None if len(questions) < LEAST_QUESTIONS else _off(questions, difference, chance)
    low, high = (None, None) if off is None else (difference - off, difference + off)
    return Standing(part, round(examples), len(questions), before / examples, after / examples, low, high)


def _off(questions: Mapping[_Question, Sums], difference: float, chance: float) -> float:
    """How far the difference may be off, either way, but for this chance: by the spread of the units' own."""
    codebases = {codebase for codebase, _ in questions}
    by_codebase = len(codebases) >= LEAST_CODEBASES
    units: dict[object, float] = {}
    for question, (after, before, examples) in questions.items():
        unit = question[0] if by_codebase else question
        units[unit] = units.get(unit, 0.0) + after - before - difference * examples
    count, examples = len(units), math.fsum(sums[2] for sums in questions.values())
    variance = count / (count - 1) * math.fsum(own * own for own in units.values()) / examples**2
    return quantile(1 - chance, count - 1) * math.sqrt(variance)


def decided(standings: Sequence[Standing]) -> Decision:
    """Whether the new model is promoted."""
    if not standings:
        return Decision(promoted=False, why="the test set holds nothing to compare the models by")
    overall = standings[0]
    if overall.high is None:
        few = f"the test set has {overall.questions} question{'s' * (overall.questions != 1)}"
        return Decision(promoted=False, why=f"{few}, and {LEAST_QUESTIONS} are the least to compare models by")
    worse = [one for one in standings if one.is_worse]
    if worse:
        parts = ", ".join(f"{one.part} ({one.after - one.before:+.4f})" for one in worse)
        return Decision(promoted=False, why=f"it is worse beyond noise: {parts}")
    tags = sum(one.high is not None for one in standings[1:])
    judged = "no tag is worse beyond noise" if tags else "no tag has enough questions to be judged by"
    return Decision(promoted=True, why=f"{judged}; {told(overall)}")


def told(one: Standing) -> str:
    """A standing as a clause."""
    ends = f", {one.low:+.4f}..{one.high:+.4f}" if one.low is not None and one.high is not None else ""
    return (
        f"{one.part} {one.before:.4f} -> {one.after:.4f} ({one.after - one.before:+.4f}{ends}; "
        f"{one.questions} question{'s' * (one.questions != 1)})"
    )
