"""Whether a newly trained model takes the place of the current one. Pure.

    standings = standings_of([Judged(example, before, after), …])
    decision = decided(standings)                    decision.promoted, decision.why

Both rate the places of a test set that nothing is ever trained on. The new one is refused where the questions of a
tag, or all of them, are rated worse beyond noise: where the whole interval of the difference lies below zero. Questions
are what intervals draw anew, since the places of one question are alike. There are ten intervals or so; with each of
them at 95%, a model that is as good as the current one would be refused every fifth time. So all together hold at 95%.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, TypeAlias

import attrs

from tidepool.bootstrap import LEVEL, Resamples, Sums, of_difference, total
from tidepool.domain import QueryContext, Rubric, TrainingExample
from tidepool.metrics import ratio
from tidepool.training.marks import quality

OVERALL: Final = "overall"
NO_TAG: Final = "no tag"

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
        low: the lower end of the difference's interval, after less before; None where one question says nothing.
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


def standings_of(judged: Iterable[Judged], seed: int = 0) -> tuple[Standing, ...]:
    """How both models do overall, and by the questions' tags.

    Args:
        seed: of the resamples.
    """
    parts: dict[str, dict[_Question, list[Sums]]] = {OVERALL: {}}
    for one in judged:
        example = one.example
        question = (example.provenance.codebase if example.provenance else None, example.query)
        sums = (quality(one.after, example.rubric), 1.0, quality(one.before, example.rubric), 1.0)
        for part in (OVERALL, str(example.query.tags[0]) if example.query.tags else NO_TAG):
            parts.setdefault(part, {}).setdefault(question, []).append(sums)
    resamples = cache(Resamples.of)
    level = 1 - (1 - LEVEL) / len(parts)
    return tuple(
        _standing(part, [total(some) for some in questions.values()], resamples(len(questions), seed), level)
        for part, questions in sorted(parts.items(), key=lambda item: (item[0] != OVERALL, item[0]))
        if questions
    )


def _standing(part: str, sums: Sequence[Sums], resamples: Resamples, level: float) -> Standing:
    after, examples, before, _ = total(sums)
    ends = resamples.interval(sums, of_difference(ratio, 2), level)
    low, high = ends or (None, None)
    return Standing(part, round(examples), len(sums), before / examples, after / examples, low, high)


def decided(standings: Sequence[Standing]) -> Decision:
    """Whether the new model is promoted."""
    if not standings:
        return Decision(promoted=False, why="the test set holds nothing to compare the models by")
    worse = [one for one in standings if one.is_worse]
    if worse:
        parts = ", ".join(f"{one.part} ({one.after - one.before:+.4f})" for one in worse)
        return Decision(promoted=False, why=f"it is worse beyond noise: {parts}")
    overall = standings[0]
    return Decision(promoted=True, why=f"no tag is worse beyond noise; {told(overall)}")


def told(one: Standing) -> str:
    """A standing as a clause."""
    ends = f", {one.low:+.4f}..{one.high:+.4f}" if one.low is not None and one.high is not None else ""
    return (
        f"{one.part} {one.before:.4f} -> {one.after:.4f} ({one.after - one.before:+.4f}{ends}; "
        f"{one.questions} question{'s' * (one.questions != 1)})"
    )
