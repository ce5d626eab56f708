"""How far a figure would move if other units had been looked at: intervals by the percentile bootstrap. Pure.

    resamples = Resamples.of(6)                                          six codebases, drawn anew 2,000 times
    resamples.interval([(3.0, 4.0), …], lambda sums: sums[0] / sums[1])  of a mean, from a sum and a count for each

A figure is computed from sums, and each unit brings its own. So a resample costs one weighted sum for each of them.

Source:
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 12 and 13.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import shake_256
from operator import mul
from typing import Final, NamedTuple, TypeAlias

import attrs

RESAMPLES: Final = 2_000
"""With so many, an end of an interval moves by some fiftieth of the interval's length from seed to seed."""

LEVEL: Final = 0.95
BYTES_A_DRAW: Final = 8

Sums: TypeAlias = Sequence[float]
"""What a unit adds to each of the sums that a figure is computed from."""

Statistic: TypeAlias = Callable[[Sums], float | None]
"""A figure of sums, or None where they give none."""


class Interval(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


@attrs.frozen
class Resamples:
    """Units drawn with replacement, as many as there are, again and again.

    Attributes:
        units: how many there are.
        drawn: for each resample, how often it holds each unit.
    """

    units: int
    drawn: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, units: int, seed: int = 0, resamples: int = RESAMPLES) -> Resamples:
        """The same for the same numbers, on every machine."""
        return cls(units, tuple(_drawn(units, f"{seed} {number}") for number in range(resamples)))

    def interval(self, sums: Sequence[Sums], statistic: Statistic, level: float = LEVEL) -> Interval | None:
        """The interval of a figure, or None where fewer than two units have a part in it.

        Args:
            sums: what each unit adds; of every unit as many.
            level: the share of the resamples whose figure lies within, above 0 and below 1.

        Raises:
            ValueError: there are more units, or fewer, than were drawn from.
        """
        return self.intervals(sums, {"": statistic}, level)[""]

    def intervals(
        self, sums: Sequence[Sums], statistics: Mapping[str, Statistic], level: float = LEVEL
    ) -> dict[str, Interval | None]:
        """The intervals of several figures of the same sums, by their names; otherwise as `interval`."""
        if len(sums) != self.units:
            raise ValueError(f"{len(sums)} units were given where {self.units} are drawn from")
        if self.units < 2:
            return dict.fromkeys(statistics)
        columns = list(zip(*sums, strict=True))
        drawn = [
            ([sum(map(mul, weights, column)) for column in columns], times)
            for weights, times in Counter(self.drawn).items()
        ]
        found: dict[str, Interval | None] = {}
        for name, statistic in statistics.items():
            units = sum(statistic(own) is not None for own in sums)
            values = [(value, times) for totals, times in drawn if (value := statistic(totals)) is not None]
            found[name] = _middle(values, level) if units > 1 and values else None
        return found


def _drawn(units: int, seed: str) -> tuple[int, ...]:
    data = shake_256(seed.encode()).digest(BYTES_A_DRAW * units)
    weights = [0] * units
    for at in range(0, len(data), BYTES_A_DRAW):
        weights[int.from_bytes(data[at : at + BYTES_A_DRAW]) % units] += 1
    return tuple(weights)


def _middle(values: Iterable[tuple[float, int]], level: float) -> Interval:
    """The ends of what is left when the same share is cut off at either side; each value was met so many times."""
    met = [value for value, times in sorted(values) for _ in range(times)]
    cut = math.floor(len(met) * (1 - level) / 2)
    return Interval(met[cut], met[-1 - cut])


def total(sums: Sequence[Sums]) -> list[float]:
    """What all units add together."""
    return [math.fsum(column) for column in zip(*sums, strict=True)]


def of_difference(statistic: Statistic, width: int) -> Statistic:
    """The figure of a first part of the sums less the figure of the rest; for pairs that were measured together.

    Args:
        width: how many sums the first part has.
    """

    def difference(sums: Sums) -> float | None:
        one, other = statistic(sums[:width]), statistic(sums[width:])
        return None if one is None or other is None else one - other

    return difference
