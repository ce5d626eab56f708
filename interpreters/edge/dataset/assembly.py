"""From questions and their examples to a set: scrubbed, split, without duplicates, balanced, written, checked.

It reads the questions twice and goes over copies on disk after that, so that it needs the same memory for any number.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import attrs

from interpreters.edge.dataset import seen
from interpreters.edge.dataset.check import faults
from interpreters.edge.dataset.extra import require_extra
from interpreters.edge.dataset.reading import read_lines
from interpreters.edge.dataset.scrub import Scrubber
from interpreters.edge.dataset.shards import CARD, README, published, write_shards, write_text
from tidepool.domain import TrainingExample
from tidepool.errors import ConfigError
from tidepool.training.answered import Answered
from tidepool.training.balance import Plan, Supply, planned
from tidepool.training.card import Census, Facts, carded, named, readme, warnings_of
from tidepool.training.splits import BY_WEIGHT, NONE_PINNED, SPLITS, split_of
from tidepool.wire import dumps, to_wire

Start: TypeAlias = Callable[[], Iterator[Answered]]
"""Begins the questions anew, the same ones in the same order every time."""

TWICE: Final = "the same question about the same place a second time"
ALIKE: Final = "nearly the same code as in a split that is held out"
NOT_NEEDED: Final = "more of a stratum, or of one answer's kind, than a balanced set takes"


@attrs.frozen
class Summary:
    """What became of the examples.

    Attributes:
        card: as it is in the set's folder.
        warnings: what the set falls short of, a sentence each.
    """

    card: Mapping[str, Any]
    warnings: tuple[str, ...]

    @property
    def examples(self) -> int:
        """How many the set holds."""
        return int(self.card["examples"])


@attrs.define
class _Assembly:
    """A set in the making.

    Attributes:
        folder: where copies are kept on the way.
        dropped: how many examples, by the reason.
    """

    folder: Path
    splits: Mapping[str, str]
    scrubber: Scrubber = attrs.field(factory=Scrubber)
    supply: Supply = attrs.field(factory=Supply)
    census: Census = attrs.field(factory=Census)
    dropped: Counter[str] = attrs.field(factory=Counter)

    def part(self, answered: Iterator[Answered]) -> None:
        """Scrub what was answered, and lay it out by split."""
        with ExitStack() as stack:
            files = {split: stack.enter_context(self._raw(split).open("wb")) for split in SPLITS}
            for one in answered:
                examples = tuple(map(self.scrubber.scrubbed, one.examples))
                _add(files[self.splits[one.codebase]], attrs.evolve(one, examples=examples))

    def drop_duplicates(self) -> None:
        """Keep what was not seen before, in this split or, nearly the same, in a weightier one."""
        with seen.opened(self.folder) as known:
            for split in BY_WEIGHT:
                with self._kept(split).open("wb") as file:
                    for one in _read(self._raw(split)):
                        examples = tuple(example for example in one.examples if self._is_kept(example, split, known))
                        answered = attrs.evolve(one, examples=examples)
                        self.supply.count(answered)
                        _add(file, answered)
                self._raw(split).unlink()

    def _is_kept(self, example: TrainingExample, split: str, known: seen.Seen) -> bool:
        why = "" if known.is_new(example) else TWICE
        why = why or ("" if known.split_of(example.node, split) == split else ALIKE)
        self.dropped[why] += bool(why)
        return not why

    def chosen(self, split: str, plan: Plan) -> Iterator[TrainingExample]:
        """The examples of a split that the plan takes."""
        for one in _read(self._kept(split)):
            answered = plan.kept(one)
            self.dropped[NOT_NEEDED] += len(one.examples) - len(answered.examples)
            self.census.count(split, answered)
            yield from answered.examples

    def _raw(self, split: str) -> Path:
        return self.folder / f"{split}.raw"

    def _kept(self, split: str) -> Path:
        return self.folder / f"{split}.kept"


def assemble(
    answered: Start,
    out: Path,
    *,
    examples: int,
    seed: int,
    facts: Facts,
    validation: float = 0.1,
    test: float = 0.2,
    pinned: Mapping[str, str] = NONE_PINNED,
) -> Summary:
    """Put a set together in the folder `out`, which appears whole or not at all.

    One process may do so for a folder at a time.

    Args:
        examples: how many are wanted, at most.
        seed: chooses the splits and the examples.
        validation: as `test` and `pinned` of `tidepool.training.splits.split_of`.

    Raises:
        ConfigError: it cannot be written, or leaks.
    """
    require_extra()
    with published(out) as half:
        splits = split_of({one.codebase for one in answered()}, seed, validation, test, pinned)
        work = half / ".work"
        work.mkdir()
        assembly = _Assembly(work, splits)
        assembly.part(answered())
        assembly.drop_duplicates()
        plan = planned(assembly.supply, examples, seed)
        shards = [shard for split in SPLITS for shard in write_shards(half, split, assembly.chosen(split, plan))]
        shutil.rmtree(work)
        made = {
            "wanted": examples,
            "seed": seed,
            "splits": splits,
            "short": {named(stratum): missing for stratum, missing in plan.short.items()},
            "dropped": {why: assembly.dropped[why] for why in (TWICE, ALIKE, NOT_NEEDED)},
            "secrets": dict(sorted(assembly.scrubber.found.items())),
            "shards": [to_wire(shard) for shard in shards],
        }
        card = carded(assembly.census, facts, made)
        write_text(half / CARD, f"{dumps(card, indent=2)}\n")
        write_text(half / README, readme(card, facts))
        for fault in faults(half):
            raise ConfigError(f"the set would be wrong: {fault}; build it again")
    return Summary(card, tuple(warnings_of(card)))


def _add(file: BinaryIO, answered: Answered) -> None:
    if answered.examples:
        file.write(f"{dumps(answered)}\n".encode())


def _read(file: Path) -> Iterator[Answered]:
    return read_lines(file, Answered, "build the dataset again")
