"""Which of many examples make a set: as many of each stratum, of each codebase, and enough positive ones. Pure.

    supply = Supply()
    for answered in start(): supply.count(answered)      the first pass counts
    plan = planned(supply, examples=10_000, seed=0)
    for answered in start(): plan.kept(answered)         the second one chooses

What is held in memory are numbers for each stratum of each codebase, however many examples there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Final, TypeAlias, TypeVar

import attrs

from tidepool.domain import TrainingExample
from tidepool.seeds import shuffled
from tidepool.training.answered import Answered, is_positive
from tidepool.training.questions import STRATA, Stratum

K = TypeVar("K", bound=Hashable)

FEWEST_POSITIVE: Final = Fraction(1, 5)
MOST_POSITIVE: Final = Fraction(3, 5)
"""The share of positive examples that a set has where its source allows."""

UNEVEN: Final = Fraction(1, 10)
"""How far below an even share a stratum may be before it is called short."""

Cell: TypeAlias = tuple[str, Stratum]
"""A stratum of a codebase."""


@attrs.define
class Sizes:
    """How many examples are positive, and how many are not."""

    positives: int = 0
    negatives: int = 0

    @property
    def all(self) -> int:
        """Both together."""
        return self.positives + self.negatives

    @property
    def share(self) -> Fraction:
        """Of the positive ones; 0 where there are none at all."""
        return Fraction(self.positives, self.all or 1)

    def add(self, other: Sizes) -> None:
        """Count others as well."""
        self.positives += other.positives
        self.negatives += other.negatives


def sizes_of(examples: Sequence[TrainingExample]) -> Sizes:
    """How many of these are positive, and how many are not."""
    positives = sum(is_positive(example.rubric) for example in examples)
    return Sizes(positives, len(examples) - positives)


def cell_of(answered: Answered) -> Cell:
    """The stratum of the codebase that a question is about; its examples all have the question's tag."""
    tags = answered.examples[0].query.tags if answered.examples else ()
    return answered.codebase, tags[0] if tags else None


@attrs.define
class Supply:
    """How many examples there are to choose from, in each cell."""

    cells: defaultdict[Cell, Sizes] = attrs.field(factory=lambda: defaultdict(Sizes))

    def count(self, answered: Answered) -> None:
        """Add a question's examples."""
        if answered.examples:
            self.cells[cell_of(answered)].add(sizes_of(answered.examples))


@attrs.define
class _Taking:
    """What is taken of one cell, as its questions go by."""

    supply: Sizes
    wanted: Sizes
    seen: Sizes = attrs.field(factory=Sizes)
    taken: Sizes = attrs.field(factory=Sizes)

    def of(self, sizes: Sizes) -> Sizes:
        """How much of the next question is taken: whole ones, the first of them, if their mix is the one wanted.

        Where it is not, what there is too much of is thinned out evenly, so that each question keeps some of both.
        """
        positives = self.wanted.positives * self.supply.negatives
        negatives = self.wanted.negatives * self.supply.positives
        before, after = attrs.evolve(self.seen), self.seen
        after.add(sizes)
        taken = Sizes(
            _thinned(before.positives, after.positives, positives, negatives),
            _thinned(before.negatives, after.negatives, negatives, positives),
        )
        taken.positives = min(taken.positives, self.wanted.positives - self.taken.positives)
        taken.negatives = min(taken.negatives, self.wanted.negatives - self.taken.negatives)
        self.taken.add(taken)
        return taken


def _thinned(before: int, after: int, wanted: int, other: int) -> int:
    """How many to keep of those between two counts, if `wanted` of every `other` are; all, if that is all of them."""
    return after - before if wanted >= other else _parts(after, wanted, other) - _parts(before, wanted, other)


def _parts(count: int, wanted: int, other: int) -> int:
    """So many in `other` of a count, rounded up: what is left out is left out late, when enough may be taken."""
    return -(-count * wanted // other)


@attrs.define
class Plan:
    """What is taken of each cell.

    Attributes:
        short: by how many examples a stratum is below an even share, for those that are short.
        takings: how far each cell's choice is.
    """

    short: Mapping[Stratum, int]
    takings: Mapping[Cell, _Taking]

    def kept(self, answered: Answered) -> Answered:
        """A question with those of its examples that are taken; the ones rated last are left out first.

        It is to be asked about each of the questions that were counted, once, in the same order in every run.
        """
        if not answered.examples:
            return answered
        left = self.takings[cell_of(answered)].of(sizes_of(answered.examples))
        return attrs.evolve(answered, examples=tuple(_first(answered.examples, left)))


def _first(examples: Sequence[TrainingExample], left: Sizes) -> Iterator[TrainingExample]:
    counts = Counter({True: left.positives, False: left.negatives})
    for example in examples:
        positive = is_positive(example.rubric)
        counts[positive] -= 1
        if counts[positive] >= 0:
            yield example


def planned(supply: Supply, examples: int, seed: int) -> Plan:
    """What to take so that there are `examples` in all, or as many as there can be.

    Strata get even shares, and within each the codebases do; what one lacks the others make good.
    """
    of_strata = evened(examples, {one: sum(s.all for c, s in supply.cells.items() if c[1] == one) for one in STRATA})
    wanted: dict[Cell, Sizes] = {}
    for stratum, count in of_strata.items():
        cells = [cell for cell in shuffled(supply.cells, f"{seed} balance") if cell[1] == stratum]
        for cell, quota in evened(count, {cell: supply.cells[cell].all for cell in cells}).items():
            wanted[cell] = _mixed(quota, supply.cells[cell])
    _mend(wanted)
    return Plan(
        short=_short(wanted, examples),
        takings={cell: _Taking(supply.cells[cell], sizes) for cell, sizes in wanted.items()},
    )


def evened(total: int, supplies: Mapping[K, int]) -> dict[K, int]:
    """As even shares of a total as the supplies allow; what is left of a division goes to the largest supplies."""
    given: dict[K, int] = {}
    ascending = sorted(supplies, key=lambda key: supplies[key])
    for place, key in enumerate(ascending):
        given[key] = min(supplies[key], (total - sum(given.values())) // (len(ascending) - place))
    return given


def _mixed(quota: int, supply: Sizes) -> Sizes:
    """So many of a cell, with a share of positive ones that is its own, or the nearest one in the range."""
    own = floor(quota * supply.share)
    aim = min(max(own, ceil(quota * FEWEST_POSITIVE)), floor(quota * MOST_POSITIVE))
    positives = min(aim, supply.positives)
    negatives = min(quota - positives, supply.negatives)
    return Sizes(min(quota - negatives, supply.positives), negatives)


def _mend(wanted: Mapping[Cell, Sizes]) -> None:
    """Leave out what there is too much of in the whole, in those cells first that have the most of it."""
    whole = _sum(wanted.values())
    if whole.positives and whole.share < FEWEST_POSITIVE:
        for sizes in sorted(wanted.values(), key=lambda sizes: sizes.share):
            surplus = _surplus(sizes.negatives, sizes.positives, 1 - FEWEST_POSITIVE)
            left_out = min(surplus, _surplus(whole.negatives, whole.positives, 1 - FEWEST_POSITIVE))
            sizes.negatives -= left_out
            whole.negatives -= left_out
    elif whole.negatives and whole.share > MOST_POSITIVE:
        for sizes in sorted(wanted.values(), key=lambda sizes: -sizes.share):
            surplus = _surplus(sizes.positives, sizes.negatives, MOST_POSITIVE)
            left_out = min(surplus, _surplus(whole.positives, whole.negatives, MOST_POSITIVE))
            sizes.positives -= left_out
            whole.positives -= left_out


def _surplus(many: int, few: int, most: Fraction) -> int:
    """How many of the many are above their largest share."""
    return max(0, many - floor(few * most / (1 - most)))


def _sum(parts: Iterable[Sizes]) -> Sizes:
    whole = Sizes()
    for part in parts:
        whole.add(part)
    return whole


def _short(wanted: Mapping[Cell, Sizes], examples: int) -> dict[Stratum, int]:
    even = Fraction(examples, len(STRATA))
    found = {one: sum(sizes.all for cell, sizes in wanted.items() if cell[1] == one) for one in STRATA}
    return {one: ceil(even) - count for one, count in found.items() if count < floor(even * (1 - UNEVEN))}
