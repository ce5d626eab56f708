"""How often what a model calls likely is so: steps that only rise, as near as can be to what was seen. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

LEAST_IN_STEP: Final = 25.0
"""Weight a step has at least, an example of full trust weighing 1: a share of fewer examples says little."""


class _Step(NamedTuple):
    """Probabilities from the first to the last, the weight of what was so among them, and the weight of all."""

    first: float
    last: float
    so: float
    weight: float


def rising_steps(seen: Iterable[tuple[float, bool, float]]) -> tuple[list[float], list[float]]:
    """The steps' bounds and shares, by pooling neighbours that fall, and those that are too small to tell.

    Examples of one probability are always in one step. All that was seen is one step where it weighs less than
    `LEAST_IN_STEP`; every step weighs as much otherwise.

    Args:
        seen: for each example the probability that was said, 0 to 1, whether it was so, and its weight, above 0.

    Returns:
        The bounds, rising: the probability from which each step holds. The first is the least that was seen; others
        lie midway between what was seen on both sides, so that no rounding takes a place across. And the shares,
        rising: the weight of what was so in each step, as a share of the step's weight, 0 to 1.
    """
    steps: list[_Step] = []
    for step in _by_probability(seen):
        steps.append(step)
        while len(steps) > 1 and _falls(steps[-2], steps[-1]):
            steps[-2:] = [_pooled(*steps[-2:])]
    if len(steps) > 1 and steps[-1].weight < LEAST_IN_STEP:
        steps[-2:] = [_pooled(*steps[-2:])]
    between = [_between(one.last, other.first) for one, other in pairwise(steps)]
    return [step.first for step in steps[:1]] + between, [step.so / step.weight for step in steps]


def _by_probability(seen: Iterable[tuple[float, bool, float]]) -> list[_Step]:
    """A step for each probability: trees say the same of many places, which stand in no order."""
    sums: dict[float, tuple[float, float]] = {}
    for probability, was_so, weight in seen:
        so, of = sums.get(probability, (0.0, 0.0))
        sums[probability] = (so + weight * was_so, of + weight)
    return [_Step(probability, probability, *sums[probability]) for probability in sorted(sums)]


def _falls(one: _Step, other: _Step) -> bool:
    """Whether two steps are one: the second is no higher, or the first is too small to tell."""
    return one.weight < LEAST_IN_STEP or one.so * other.weight >= other.so * one.weight


def _pooled(one: _Step, other: _Step) -> _Step:
    return _Step(one.first, other.last, one.so + other.so, one.weight + other.weight)


def _between(one: float, other: float) -> float:
    """Above the one, and at most the other."""
    middle = (one + other) / 2
    return middle if middle > one else other
