"""How often what a model calls likely is so: steps that only rise, as near as can be to what was seen. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

LEAST_IN_STEP: Final = 25
"""Weight a step has at least: a share of fewer examples says little."""


def rising_steps(seen: Iterable[tuple[float, bool, float]]) -> tuple[list[float], list[float]]:
    """The steps' bounds and shares, by pooling neighbours that fall.

    Args:
        seen: for each example the probability that was said, whether it was so, and its weight.
    """
    steps: list[tuple[float, float, float]] = []  # where it begins, the weight of what was so, the weight of all
    for probability, was_so, weight in sorted(seen):
        steps.append((probability, weight * was_so, weight))
        while len(steps) > 1 and _falls(steps[-2], steps[-1]):
            begins, so, all_of = steps[-2]
            _, more, of = steps.pop()
            steps[-1] = (begins, so + more, all_of + of)
    return [begins for begins, _, _ in steps], [so / all_of if all_of else 0.0 for _, so, all_of in steps]


def _falls(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether two steps are one: the second is no higher, or the first is too small to tell."""
    return one[2] < LEAST_IN_STEP or one[1] * other[2] >= other[1] * one[2]
