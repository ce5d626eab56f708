"""Whose turn it is: which stratum the next question is from, and how many examples of each a codebase is to give. Pure.

turns = Turns(wanted={Tag.FUNCTION: 100, None: 100})
for stratum in turns: turns.given[stratum] += 7          the one furthest from what is wanted, until none is
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import ceil

import attrs

from tidepool.training.questions import STRATA, Stratum


@attrs.define
class Turns:
    """The turns of one codebase. Between two of them the caller says what the first one gave.

    Attributes:
        wanted: how many examples of each stratum.
        given: how many there are.
        exhausted: the strata that have no more questions.
    """

    wanted: Mapping[Stratum, int]
    given: Counter[Stratum] = attrs.field(factory=Counter)
    exhausted: set[Stratum] = attrs.field(factory=set)

    def __iter__(self) -> Iterator[Stratum]:
        while left := [one for one in STRATA if self._is_open(one)]:
            yield min(left, key=lambda one: self.given[one] / self.wanted[one])

    def _is_open(self, stratum: Stratum) -> bool:
        return stratum not in self.exhausted and self.given[stratum] < self.wanted.get(stratum, 0)


def wanted_of_each(codebases: Sequence[Turns], total: int) -> list[dict[Stratum, int]]:
    """How many examples of each stratum each codebase is to give in the end, beside what it has given.

    The strata are to be even. What one lacks, since no codebase has more of it, the others make good.
    """
    level = _level(codebases, total)
    wanted: list[dict[Stratum, int]] = [dict(turns.given) for turns in codebases]
    for stratum in STRATA:
        givers = [number for number, turns in enumerate(codebases) if stratum not in turns.exhausted]
        missing = level - sum(turns.given[stratum] for turns in codebases)
        for number in givers:
            wanted[number][stratum] = codebases[number].given[stratum] + max(0, ceil(missing / len(givers)))
    return wanted


def _level(codebases: Sequence[Turns], total: int) -> int:
    """The number of examples that each stratum which can is to have, so that all together have the total."""
    given = {one: sum(turns.given[one] for turns in codebases) for one in STRATA}
    open_ones = {one for one in STRATA if any(one not in turns.exhausted for turns in codebases)}
    closed = sum(count for one, count in given.items() if one not in open_ones)
    return ceil((total - closed) / len(open_ones)) if open_ones else 0
