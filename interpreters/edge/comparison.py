"""Figures of several ways to answer, by group; how sure they are, and how far the ways are apart.

Codebases are what intervals draw anew: what is measured in one of them is alike, and what matters is the next codebase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from interpreters.edge.reliability import Reliability, reliability_of
from tidepool.bootstrap import Interval, Resamples, Statistic, Sums, of_difference, total

OVERALL: Final = "overall"
CODEBASES: Final = "codebases"
"""Groupings: all that was measured, and by codebase; others are a table's own."""

Units: TypeAlias = dict[str, list[float]]
"""The sums of one way, by codebase."""

Groups: TypeAlias = dict[str, dict[str, Units]]
"""The same by group, and by way."""


@attrs.frozen
class Difference:
    """How far a figure is from that of another way.

    Attributes:
        low: the lower end of the difference's interval; None where there is none.
        high: the upper end.
        passed_over: how many pairs the difference is not of, since one of the two has no such figure.
    """

    difference: float
    low: float | None
    high: float | None
    passed_over: int = 0


@attrs.define
class Sheet:
    """What was measured, as sums.

    Attributes:
        figures: what is computed from the sums, by name.
        passed_over: what says, of the sums of pairs' first halves, how many a figure is not of; for figures that not
            every answer has.
        groupings: the sums, by grouping, group, way and codebase; ways stand in the order in which they came.
        pairs: in the same way the sums of ways and, behind each, of what it is compared with, answer by answer. Where
            there are none, codebases are the pairs.
    """

    figures: Mapping[str, Statistic]
    passed_over: Mapping[str, Statistic] = attrs.field(factory=dict)
    groupings: dict[str, Groups] = attrs.field(factory=dict)
    pairs: dict[str, Groups] = attrs.field(factory=dict)
    _resamples: dict[int, Resamples] = attrs.field(factory=dict, init=False)

    def add(self, grouping: str, group: str, way: str, codebase: str, sums: Sums) -> None:
        """Add what was measured once."""
        _add(self.groupings, (grouping, group, way, codebase), sums)

    def add_pair(self, grouping: str, group: str, way: str, codebase: str, sums: tuple[Sums, Sums]) -> None:
        """Add an answer of a way, to be compared, and the one that it is compared with."""
        _add(self.pairs, (grouping, group, way, codebase), [*sums[0], *sums[1]])

    def groups(self, grouping: str) -> list[tuple[str, dict[str, Units]]]:
        """The groups of a grouping, sorted."""
        return sorted(self.groupings.get(grouping, {}).items())

    def ways(self, grouping: str, group: str) -> dict[str, Units]:
        """What is known of a group, by way."""
        return self.groupings.get(grouping, {}).get(group, {})

    @property
    def overall(self) -> dict[str, Units]:
        """Everything, by way."""
        return self.ways(OVERALL, OVERALL)

    def values(self, units: Units) -> dict[str, float | None]:
        """The figures themselves."""
        sums = total(list(units.values()))
        return {name: figure(sums) for name, figure in self.figures.items()}

    def intervals(self, units: Units) -> dict[str, Interval | None]:
        """The interval of each figure; None where one codebase alone has a part in it."""
        return self._drawn(len(units)).intervals(list(units.values()), self.figures)

    def differences(self, grouping: str, group: str, against: str) -> dict[str, dict[str, Difference | None]]:
        """How far each way is from another in a group, over the pairs that both answered."""
        ways = self.ways(grouping, group)
        if against not in ways:
            return {}
        paired = self.pairs.get(grouping, {}).get(group) or {
            way: {name: [*units[name], *ways[against][name]] for name in units if name in ways[against]}
            for way, units in ways.items()
        }
        return {way: self._compared(list(paired.get(way, {}).values())) for way in ways if way != against}

    def _compared(self, pairs: Sequence[Sums]) -> dict[str, Difference | None]:
        if not pairs:
            return dict.fromkeys(self.figures)
        sums, width = total(pairs), len(pairs[0]) // 2
        statistics = {name: of_difference(figure, width) for name, figure in self.figures.items()}
        ends = self._drawn(len(pairs)).intervals(pairs, statistics)
        found: dict[str, Difference | None] = {}
        for name, statistic in statistics.items():
            difference, (low, high) = statistic(sums), ends[name] or (None, None)
            lacking = self.passed_over[name](sums[:width]) if name in self.passed_over else None
            found[name] = None if difference is None else Difference(difference, low, high, round(lacking or 0))
        return found

    def _drawn(self, units: int) -> Resamples:
        """The same draws for every figure of as many codebases."""
        if units not in self._resamples:
            self._resamples[units] = Resamples.of(units)
        return self._resamples[units]


def _add(groupings: dict[str, Groups], at: tuple[str, str, str, str], sums: Sums) -> None:
    grouping, group, way, codebase = at
    units = groupings.setdefault(grouping, {}).setdefault(group, {}).setdefault(way, {})
    known = units.get(codebase)
    units[codebase] = list(sums) if known is None else [one + other for one, other in zip(known, sums, strict=True)]


def reliability(sheet: Sheet, bins_in: Callable[[Sums], Sums]) -> dict[str, list[Reliability]]:
    """How often each way's claims of each confidence were right; ways that claim none are left out.

    Args:
        bins_in: the part of the sums that counts claims, as `tidepool.metrics.bins_of` does.
    """
    points = {way: reliability_of(bins_in(total(list(units.values())))) for way, units in sheet.overall.items()}
    return {way: some for way, some in points.items() if some}


def as_plain(sheet: Sheet, groupings: Iterable[str], against: str, bins_in: Callable[[Sums], Sums]) -> dict[str, Any]:
    """A sheet as `--format json` shows it: all figures by grouping, group and way, and how sure they are.

    Args:
        groupings: all but `overall`; those that say more of a codebase than its name have intervals and differences.
        against: the way that the others are compared with.
        bins_in: as of `reliability`.
    """
    sure = [grouping for grouping in groupings if grouping != CODEBASES]

    def by_group(of: Callable[[str, str], object], some: Iterable[str]) -> dict[str, Any]:
        """Something about all that was measured, and about each group."""
        found = {name: {group: of(name, group) for group, _ in sheet.groups(name)} for name in some}
        return {OVERALL: of(OVERALL, OVERALL), **found}

    def each_way(of: Callable[[Units], object]) -> Callable[[str, str], object]:
        return lambda grouping, group: {way: of(units) for way, units in sheet.ways(grouping, group).items()}

    return {
        **by_group(each_way(sheet.values), groupings),
        "intervals": by_group(each_way(sheet.intervals), sure),
        "against": against,
        "differences": by_group(lambda grouping, group: sheet.differences(grouping, group, against), sure),
        "reliability": reliability(sheet, bins_in),
    }
