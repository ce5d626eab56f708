"""A set to train on: a base set, and what was kept since. What the frozen test set is of never enters it.

frozen = freeze(base, home / "frozen")
rebuilt = rebuild(base, kept, frozen, home / "data", seed=0)
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final

import attrs

from interpreters.edge.dataset.assembly import assemble
from interpreters.edge.dataset.reading import Asked, asked_in, corrected, read_corrections, read_examples
from interpreters.edge.dataset.shards import write_text
from tidepool.domain import TrainingExample
from tidepool.errors import ConfigError
from tidepool.training.answered import Answered
from tidepool.training.card import Facts, timeless
from tidepool.training.judgement import PERSON, is_a_persons
from tidepool.training.splits import TEST, TRAIN, VALIDATION
from tidepool.wire import dumps

UNKNOWN: Final = "unknown"

STRENGTH: Final[Mapping[str | None, int]] = {PERSON: 4, "oracle": 3, "history": 2, "mixed": 2, "heuristic": 1}
"""Whose word counts, and for more the higher: a person's over a compiler's, and that over the rules'. What a model says
is no label: one that learns from itself learns its mistakes."""

ORACLE: Final = 3

_BRANCH: Final = re.compile(r"[-_.](?:main|master|trunk|head|develop)$")
_VERSION: Final = re.compile(r"[-_. ]v?[0-9]+(?:[-_.]?(?:[0-9]+|a|b|c|rc|alpha|beta|pre|post|dev))*$")
"""A version as it stands behind a name, such as `-1.2`, `_v3` or `-2.0rc1`."""

HELD_OUT: Final = "of a codebase that models are tested on"
NO_LABEL: Final = "rated by a model, whose word is no label"
TOLD_BETTER: Final = "told again later, or by somebody who knows better"


@attrs.frozen
class Rebuilt:
    """A set to train on.

    Attributes:
        folder: of the set.
        sha256: of its examples, apart from their times.
        added: how many kept examples were put in, before what follows was dropped.
        left_out: how many were not, by the reason.
        dropped: how many examples, of the base set's and of the kept ones, the set does not take, by the reason.
        splits: how many examples each split has.
    """

    folder: Path
    sha256: str
    added: int
    left_out: Mapping[str, int]
    dropped: Mapping[str, int]
    splits: Mapping[str, int]


@attrs.frozen
class Frozen:
    """A test set that stays as it is.

    Attributes:
        folder: of a dataset with that split alone.
        codebases: what it is of; nothing of these is trained on.
        sha256: of its examples, apart from their times.
    """

    folder: Path
    codebases: frozenset[str]
    sha256: str

    def holds(self, codebase: str) -> bool:
        """Whether it is of that codebase, however that is written."""
        return same_codebase(codebase) in set(map(same_codebase, self.codebases))

    def examples(self) -> Iterator[TrainingExample]:
        """What it holds."""
        return (example for _, example in read_examples(self.folder, (TEST,)))


def freeze(base: Path, folder: Path) -> Frozen:
    """The test set in a folder; where there is none yet, a copy of the base set's, with its corrections.

    Raises:
        ConfigError: neither has one.
    """
    if not folder.exists():
        half = folder.with_name(f".{folder.name}")
        shutil.rmtree(half, ignore_errors=True)
        (half / TEST).mkdir(parents=True)
        lines = [f"{dumps(example)}\n" for _, example in read_examples(base, (TEST,))]
        if not lines:
            raise ConfigError(f"{base} has no example to test with: name a set whose test split holds some")
        try:
            write_text(half / TEST / "00000.jsonl", "".join(lines))
            half.rename(folder)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be written ({error.strerror}): make room there") from error
    codebases, digest = set(), sha256()
    for _, example in read_examples(folder, (TEST,)):
        codebases.add(codebase_of(example))
        digest.update(timeless(example))
    return Frozen(folder, frozenset(codebases), digest.hexdigest())


def tested_by(base: Path) -> frozenset[str]:
    """The codebases of a base set's test split, if it has one."""
    if not any((base / TEST).glob("*.jsonl")):
        return frozenset()
    return frozenset(codebase_of(example) for _, example in read_examples(base, (TEST,)))


def codebase_of(example: TrainingExample) -> str:
    """The codebase that an example is of."""
    origin = example.provenance
    return (origin.codebase if origin else None) or UNKNOWN


def same_codebase(name: str) -> str:
    """A codebase's name as it is compared: however it is written, a version, a branch or `.git` behind it aside.

    Only names are compared: a copy by another name is another codebase.
    """
    plain = name.casefold().removesuffix(".git")
    for tail in (_BRANCH, _VERSION, _BRANCH):
        plain = tail.sub("", plain) or plain
    return re.sub(r"[-_.]+", "-", plain)


def rebuild(base: Path, kept: Iterable[TrainingExample], frozen: Frozen, out: Path, seed: int) -> Rebuilt:
    """Put the base set, and what was kept since, together in the folder `out`.

    The frozen test set is part of it, so that code nearly the same as in it is dropped from what is trained on.
    Codebases that the base set does not have are for training. What persons said of the set that is there counts.

    Raises:
        ConfigError: the base set cannot be read, or the new one not be written.
    """
    said = {**(read_corrections(out) if out.is_dir() else {})}
    left_out: Counter[str] = Counter()
    chosen = _chosen((corrected(example, said) for example in kept), frozen, left_out)
    pinned = _splits_of(base, frozen)
    if TRAIN not in pinned.values():
        raise ConfigError(f"nothing is left of {base} to train on: all of it is of codebases that are tested by")
    alike = {same_codebase(name): split for name, split in pinned.items()}
    pinned |= {name: alike.get(same_codebase(name), TRAIN) for name in map(codebase_of, chosen)}
    parts = _Parts(base, chosen, frozen, said)
    examples = sum(len(one.examples) for one in parts.answered())
    facts = Facts(title="Examples to train on", how=f"A base set, and {len(chosen):,} examples that were kept since.")
    summary = assemble(
        parts.answered, out, examples=examples, seed=seed, facts=facts, validation=0, test=0, pinned=pinned
    )
    card = summary.card
    counts = dict(card["counts"]["split"])
    return Rebuilt(out, str(card["sha256"]), len(chosen), dict(left_out), dict(card["dropped"]), counts)


def _chosen(kept: Iterable[TrainingExample], frozen: Frozen, left_out: Counter[str]) -> list[TrainingExample]:
    """What of the kept examples may be trained on: of several about one question and place the one that counts most."""
    best: dict[Asked, TrainingExample] = {}
    for example in kept:
        if frozen.holds(codebase_of(example)):
            left_out[HELD_OUT] += 1
        elif not _strength(example):
            left_out[NO_LABEL] += 1
        else:
            other = best.pop(asked_in(example), None)
            left_out[TOLD_BETTER] += other is not None
            best[asked_in(example)] = other if other and _strength(other) > _strength(example) else example
    return list(best.values())


def _strength(example: TrainingExample) -> int:
    return STRENGTH.get(example.provenance.labeller, 0) if example.provenance else 0


def _splits_of(base: Path, frozen: Frozen) -> dict[str, str]:
    """The split of every codebase of the base set that is not tested on, and of those that are."""
    examples = ((split, codebase_of(example)) for split, example in read_examples(base, _trained_on(base)))
    found = {name: split for split, name in examples if not frozen.holds(name)}
    return {**found, **dict.fromkeys(frozen.codebases, TEST)}


def _trained_on(base: Path) -> tuple[str, ...]:
    splits = tuple(split for split in (TRAIN, VALIDATION) if any((base / split).glob("*.jsonl")))
    if TRAIN not in splits:
        raise ConfigError(f"{base} has nothing to train on: name a folder that `tidepool dataset build` wrote")
    return splits


@attrs.frozen
class _Parts:
    """What a set is put together from; where the same question about a place is told twice, the first counts."""

    base: Path
    kept: list[TrainingExample]
    frozen: Frozen
    said: Mapping[Asked, TrainingExample]

    def answered(self) -> Iterator[Answered]:
        """The frozen test set, what persons said, what a compiler said since, the base set, and what the rules say."""
        yield from _questions(self.frozen.examples())
        yield from _questions(example for example in self.kept if is_a_persons(example))
        yield from _questions(example for example in self._of_base() if is_a_persons(example))
        yield from _questions(example for example in self.kept if _strength(example) == ORACLE)
        yield from _questions(example for example in self._of_base() if not is_a_persons(example))
        yield from _questions(example for example in self.kept if _strength(example) < ORACLE)

    def _of_base(self) -> Iterator[TrainingExample]:
        for _, example in read_examples(self.base, _trained_on(self.base)):
            if not self.frozen.holds(codebase_of(example)):
                yield corrected(example, self.said)


def _questions(examples: Iterable[TrainingExample]) -> Iterator[Answered]:
    together = groupby(examples, key=lambda example: (codebase_of(example), example.query))
    for number, ((codebase, query), some) in enumerate(together):
        yield Answered(codebase, number, query.query, tuple(some))
