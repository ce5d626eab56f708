"""In which order rows are trained on: by their lengths, the recipe and a seed alone, so that it can be resumed. Pure.

Rows of a like length are put together, since a batch is as long as its longest row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from random import Random
from typing import Final, TypeAlias

import attrs

from interpreters.edge.training.recipes import Recipe

Batch: TypeAlias = list[int]
"""Rows, by their place in the set."""

SORTED_TOGETHER: Final = 16
"""Batches that are drawn at random and then sorted by length among themselves: enough to save padding, and no order."""


@attrs.frozen
class Step:
    """One change of the weights: its number, from 1, its epoch, from 0, and the batches that it is computed from."""

    number: int
    epoch: int
    batches: tuple[Batch, ...]


def count_steps(rows: int, recipe: Recipe) -> int:
    """How many steps a recipe takes for so many rows."""
    return recipe.epochs * ceil(ceil(rows / recipe.batch) / recipe.accumulate)


def steps(lengths: Sequence[int], recipe: Recipe, seed: int) -> Iterator[Step]:
    """Every step of a training; an epoch has each row once."""
    number = 0
    for epoch in range(recipe.epochs):
        batches = list(Batches(lengths, recipe.batch, seed, epoch))
        for begin in range(0, len(batches), recipe.accumulate):
            number += 1
            yield Step(number, epoch, tuple(batches[begin : begin + recipe.accumulate]))


@attrs.define
class Batches:
    """The batches of an epoch, for a loader of data, which says which epoch.

    Attributes:
        lengths: of all rows, in tokens.
        size: rows of a batch.
        epoch: from 0.
    """

    lengths: Sequence[int]
    size: int
    seed: int
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Go on to an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return ceil(len(self.lengths) / self.size)

    def __iter__(self) -> Iterator[Batch]:
        dice = Random(f"{self.seed}/{self.epoch}")  # noqa: S311 - it only shuffles
        rows = list(range(len(self.lengths)))
        dice.shuffle(rows)
        found: list[Batch] = []
        for begin in range(0, len(rows), self.size * SORTED_TOGETHER):
            some = sorted(rows[begin : begin + self.size * SORTED_TOGETHER], key=self.lengths.__getitem__)
            found += [some[at : at + self.size] for at in range(0, len(some), self.size)]
        dice.shuffle(found)
        return iter(found)
