"""Figures of several ways to answer, by group; how sure they are, and how far the ways are apart.

Codebases are what intervals draw anew: what is measured in one of them is alike, and what matters is the next codebase.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, TypeAlias

import attrs

from tidepool.bootstrap import Interval, Resamples, Statistic, Sums, of_difference, total

OVERALL: Final = "overall"

Units: TypeAlias = dict[str, list[float]]
"""The sums of one way, by codebase."""

Groups: TypeAlias = dict[str, dict[str, Units]]
"""The same by group, and by way."""

resamples = cache(Resamples.of)
"""The same draws for every figure of as many codebases."""


@attrs.frozen
class Compared:
    """How far a figure is from that of another way, and the ends of the difference's interval, if there is one."""

    difference: float
    low: float | None
    high: float | None


@attrs.define
class Sheet:
    """What was measured, as sums.

    Attributes:
        figures: what is computed from the sums, by name.
        groupings: the sums, by grouping, group, way and codebase; ways stand in the order in which they came.
    """

    figures: Mapping[str, Statistic]
    groupings: dict[str, Groups] = attrs.field(factory=dict)

    def add(self, grouping: str, group: str, way: str, codebase: str, sums: Sums) -> None:
        """Add what was measured once."""
        units = self.groupings.setdefault(grouping, {}).setdefault(group, {}).setdefault(way, {})
        known = units.get(codebase)
        units[codebase] = list(sums) if known is None else [one + other for one, other in zip(known, sums, strict=True)]

    def groups(self, grouping: str) -> list[tuple[str, dict[str, Units]]]:
        """The groups of a grouping, sorted."""
        return sorted(self.groupings.get(grouping, {}).items())

    @property
    def overall(self) -> dict[str, Units]:
        """Everything, by way."""
        return self.groupings.get(OVERALL, {}).get(OVERALL, {})

    def values(self, units: Units) -> dict[str, float | None]:
        """The figures themselves."""
        sums = total(list(units.values()))
        return {name: figure(sums) for name, figure in self.figures.items()}

    def intervals(self, units: Units) -> dict[str, Interval | None]:
        """The interval of each figure; None where one codebase alone has a part in it."""
        return resamples(len(units)).intervals(list(units.values()), self.figures)

    def differences(self, ways: Mapping[str, Units], against: str) -> dict[str, dict[str, Compared | None]]:
        """How far each way is from another, over the codebases that both answered about."""
        others = ways.get(against)
        if others is None:
            return {}
        return {way: self._compared(units, others) for way, units in ways.items() if way != against}

    def _compared(self, units: Units, others: Units) -> dict[str, Compared | None]:
        pairs = [[*units[name], *others[name]] for name in units if name in others]
        if not pairs:
            return dict.fromkeys(self.figures)
        width = len(pairs[0]) // 2
        statistics = {name: of_difference(figure, width) for name, figure in self.figures.items()}
        ends = resamples(len(pairs)).intervals(pairs, statistics)
        return {name: _compared(statistic(total(pairs)), ends[name]) for name, statistic in statistics.items()}


def _compared(difference: float | None, ends: Interval | None) -> Compared | None:
    if difference is None:
        return None
    return Compared(difference, ends and ends.low, ends and ends.high)
