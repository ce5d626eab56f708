"""Which examples are worth a person's time: where a scorer is unsure, or several do not agree. Pure.

opinions = yield from opinions_of(examples)              by one interpreter; run it with each
doubt = weighed(example, (Opinion("heuristic", rubric), Opinion("label", example.rubric)))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum, log
from typing import Final, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from tidepool.domain import Rubric, TrainingExample
from tidepool.eff import Eff, attempt, each
from tidepool.effects.gemma import Gemma, rate_node
from tidepool.errors import ModelFailure

DIGITS: Final = 5
LABEL: Final = "label"
"""Who says what stands in the data."""

Distribution: TypeAlias = tuple[float, ...]
"""How probable each of the digits 1 to 5 is; they add up to 1."""


@attrs.frozen
class Belief:
    """What a scorer holds probable of a node."""

    relevance: Distribution
    risk: Distribution


@attrs.frozen
class Opinion:
    """What one scorer says of an example."""

    scorer: str
    rubric: Rubric


def worded(opinion: Opinion) -> str:
    """An opinion as a person reads it."""
    rubric = opinion.rubric
    digits = f"relevance {rubric.relevance}, risk {rubric.risk}, confidence {rubric.confidence}"
    return f"{opinion.scorer}: {digits}: {rubric.reasoning}"


@attrs.frozen
class Doubt:
    """An example in the queue for review.

    Attributes:
        score: entropy and disagreement together, from 0 to 2; a person looks at the highest first.
        why: what each scorer says.
    """

    example: TrainingExample
    score: float
    why: tuple[Opinion, ...]


def entropy(distribution: Sequence[float]) -> float:
    """How unsure a distribution over the digits is: 0 where one is certain, 1 where all are as probable."""
    return max(0.0, -fsum(p * log(p) for p in distribution if p > 0) / log(DIGITS))


def estimated(rubric: Rubric) -> Belief:
    """The belief behind a rubric, of a scorer that tells its rubric alone.

    The rubric's own digit has a fifth of the probability for each step of its confidence, and the others share the
    rest evenly: 5 is certain, and 1, a guess, says nothing of any digit.
    """
    own = rubric.confidence / DIGITS
    return Belief(_around(rubric.relevance, own), _around(rubric.risk, own))


def _around(digit: int, own: float) -> Distribution:
    other = (1 - own) / (DIGITS - 1)
    return tuple(own if at == digit else other for at in range(1, DIGITS + 1))


def unsureness(belief: Belief) -> float:
    """The entropy of a belief, from 0 to 1: the mean of both digits'."""
    return (entropy(belief.relevance) + entropy(belief.risk)) / 2


def disagreement(rubrics: Sequence[Rubric]) -> float:
    """How far apart rubrics are, from 0 to 1: the widest gap of each digit, of the widest there can be; their mean."""
    gaps = (_gap(rubric.relevance for rubric in rubrics), _gap(rubric.risk for rubric in rubrics))
    return sum(gaps) / len(gaps)


def _gap(digits: Iterable[int]) -> float:
    held = list(digits)
    return (max(held) - min(held)) / (DIGITS - 1) if held else 0.0


def weighed(example: TrainingExample, opinions: Sequence[Opinion]) -> Doubt:
    """How much a person's look at an example is worth.

    Args:
        opinions: of one scorer at least; the label is one only where it is named.
    """
    held = [estimated(one.rubric) for one in opinions if one.scorer != LABEL]
    unsure = fsum(map(unsureness, held)) / len(held) if held else 0.0
    return Doubt(example, unsure + disagreement([one.rubric for one in opinions]), tuple(opinions))


def opinions_of(examples: Iterable[TrainingExample]) -> Eff[Gemma, list[Result[Rubric, ModelFailure]]]:
    """What the interpreter it is run with says of examples, or why it does not say; asked together, in their order."""
    return (yield from each(attempt(rate_node(example.query, example.node), ModelFailure) for example in examples))


def told(results: Sequence[Result[Rubric, ModelFailure]]) -> Result[list[Rubric], ModelFailure]:
    """All the rubrics, or the first failure."""
    rubrics = []
    for result in results:
        if isinstance(result, Failure):
            return Failure(result.failure())
        rubrics.append(result.unwrap())
    return Success(rubrics)
