"""`tidepool dataset check DIR`: whether a set is what its card says, and nothing leaks across its splits."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import attrs

from interpreters.edge.dataset import seen
from interpreters.edge.dataset.extra import require_extra
from interpreters.edge.dataset.shards import CARD, parquet_of, read_parquet
from interpreters.edge.printing import printable
from tidepool.domain import Provenance, TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.training.splits import BY_WEIGHT, SPLITS
from tidepool.wire import loads, parse

DONE: Final = 0
LEAKS: Final = 1
USAGE: Final = 2

BLOCK_BYTES: Final = 1 << 20


def flags(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="the dataset")


def main(arguments: argparse.Namespace) -> int:
    """Print each fault on a line of its own, and answer the command's exit code."""
    count = 0
    try:
        require_extra()
        for fault in faults(arguments.folder):
            count += 1
            print(printable(fault), flush=True)
    except ConfigError as error:
        return _say(error, USAGE)
    if count:
        return _say(f"{arguments.folder} has {count} fault{'s' * (count > 1)}: build it again", LEAKS)
    return _say(f"{arguments.folder} is in order", DONE)


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with a set, a clause each, as it is found.

    Raises:
        ConfigError: there is no set to check, or no room to do so.
    """
    card = _card(folder)
    yield from _wrong_files(folder, card)
    with tempfile.TemporaryDirectory(prefix="tidepool-") as scratch, seen.opened(Path(scratch)) as known:
        checked = _Checked(folder, known)
        for split in BY_WEIGHT:
            for file in sorted((folder / split).glob("*.jsonl")):
                yield from checked.shard(split, file)
        yield from checked.torn_codebases()


def _card(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: name one that `tidepool dataset build` wrote")
    try:
        card = parse((folder / CARD).read_bytes())
        if isinstance(card, dict) and isinstance(card.get("shards"), list):
            return card
    except OSError as error:
        raise ConfigError(f"{folder / CARD} cannot be read ({error.strerror}): build the dataset again") from error
    except InvalidData as error:
        raise ConfigError(f"{folder / CARD} is no card ({error}): build the dataset again") from error
    raise ConfigError(f"{folder / CARD} is no card, since it lists no shards: build the dataset again")


def _wrong_files(folder: Path, card: dict[str, Any]) -> Iterator[str]:
    """Shards that are missing, that the card does not list, or that have other bytes than it says."""
    told = {}
    for one in card["shards"]:
        name = str(one.get("name")) if isinstance(one, dict) else ""
        if name.rpartition("/")[0] not in SPLITS:
            yield f"{CARD}: {name!r} is no name of a shard"
            continue
        told[name] = one.get("sha256")
        told[str(Path(name).with_suffix(".parquet").as_posix())] = one.get("parquet_sha256")
    there = {file.relative_to(folder).as_posix() for split in SPLITS for file in (folder / split).glob("[!.]*")}
    for name in sorted(there | set(told)):
        if name not in there:
            yield f"{name} is missing"
        elif name not in told:
            yield f"{name} is not in {CARD}"
        elif told[name] != _hash(folder / name):
            yield f"{name} has another hash than {CARD} says"


def _hash(file: Path) -> str:
    digest = sha256()
    try:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}): mend that, and check again") from error
    return digest.hexdigest()


@attrs.define
class _Checked:
    """What was checked so far."""

    folder: Path
    known: seen.Seen
    codebases: defaultdict[str, set[str]] = attrs.field(factory=lambda: defaultdict(set))

    def shard(self, split: str, file: Path) -> Iterator[str]:
        """What is wrong with a shard, and what in it stands in an earlier one as well."""
        name = file.relative_to(self.folder).as_posix()
        examples: list[TrainingExample] = []
        is_whole = True
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    example = loads(TrainingExample, line)
                except InvalidData as error:
                    is_whole = False
                    yield f"{name}:{number}: {error}"
                    continue
                examples.append(example)
                yield from (f"{name}:{number}: {fault}" for fault in self._leaks(split, example))
        if is_whole and (fault := _other_parquet(file, examples)):
            yield f"{name}: {fault}"

    def _leaks(self, split: str, example: TrainingExample) -> Iterator[str]:
        origin = example.provenance
        if origin is not None and origin.codebase is not None:
            self.codebases[origin.codebase].add(split)
        if not self.known.is_new(example):
            yield f"the question about {example.node.location} was there before"
        other = self.known.split_of(example.node, split)
        if other != split:
            yield f"{example.node.location} says nearly the same as a place in {other}"

    def torn_codebases(self) -> Iterator[str]:
        """The codebases that stand in more than one split."""
        for codebase, splits in sorted(self.codebases.items()):
            if len(splits) > 1:
                yield f"the codebase {codebase} stands in {' and '.join(sorted(splits))}"


def _other_parquet(file: Path, examples: list[TrainingExample]) -> str:
    """In what a shard's Parquet differs from its lines, a clause, or ""."""
    beside = parquet_of(file)
    if not beside.exists():
        return ""  # which was told before
    try:
        others = read_parquet(beside)
    except (ConfigError, InvalidData) as error:
        return f"{beside.name} cannot be read as examples: {error}"
    if len(others) != len(examples):
        return f"{beside.name} holds {len(others)} examples, and the lines {len(examples)}"
    pairs = enumerate(zip(examples, others, strict=True), start=1)
    wrong = next((number for number, (one, other) in pairs if _comparable(one) != _comparable(other)), None)
    return "" if wrong is None else f"{beside.name} holds another example than line {wrong}"


def _comparable(example: TrainingExample) -> TrainingExample:
    """An origin of which nothing is known is none: columns cannot tell the two apart."""
    return attrs.evolve(example, provenance=None) if example.provenance == Provenance() else example


def _say(what: object, code: int) -> int:
    print(f"tidepool dataset check: {printable(str(what))}", file=sys.stderr)
    return code
