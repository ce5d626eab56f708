"""A dataset's examples, read one after another; what a person said of one wins over what it was labelled with.

for split, example in read_examples(folder, ("train",)): ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar

import attrs

from tidepool.domain import NodeContext, Provenance, QueryContext, TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.training.splits import SPLITS
from tidepool.wire import loads

CORRECTIONS: Final = "corrections.jsonl"
"""In a dataset's folder: what persons said, later lines over earlier ones."""

Asked: TypeAlias = tuple[QueryContext, NodeContext]
"""What tells an example from others: its question and its place."""

T = TypeVar("T")


def asked_in(example: TrainingExample) -> Asked:
    """What tells an example from others."""
    return example.query, example.node


def read_examples(folder: Path, splits: Sequence[str] = SPLITS) -> Iterator[tuple[str, TrainingExample]]:
    """Every example of a dataset with its split, shard by shard in the order of their names.

    One shard's line is held at a time, and all corrections.

    Raises:
        ConfigError: there is no dataset, or a line of it is none.
    """
    shards = shards_of(folder, splits)
    said = read_corrections(folder)
    for split, file in shards:
        for example in read_lines(file, TrainingExample, "build the dataset again"):
            yield split, corrected(example, said)


def shards_of(folder: Path, splits: Sequence[str] = SPLITS) -> list[tuple[str, Path]]:
    """The shards of a dataset's splits, each with its split, in the order of their names.

    Raises:
        ConfigError: there is none.
    """
    found = [(split, file) for split in splits for file in sorted((folder / split).glob("*.jsonl"))]
    if found:
        return found
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: name one that `tidepool dataset build` wrote")
    raise ConfigError(
        f"{folder} holds no dataset: there is no {' or '.join(f'{split}/*.jsonl' for split in splits)} in it; "
        "name a folder that `tidepool dataset build` wrote"
    )


def corrected(example: TrainingExample, said: Mapping[Asked, TrainingExample]) -> TrainingExample:
    """An example as a person sees it, if one said so; what they did not say of its origin is kept."""
    found = said.get(asked_in(example)) if said else None
    if found is None:
        return example
    return attrs.evolve(found, provenance=_filled(found.provenance, example.provenance))


def _filled(one: Provenance | None, other: Provenance | None) -> Provenance | None:
    if one is None or other is None:
        return one or other
    known = attrs.asdict(one, filter=lambda _, value: value is not None)
    return attrs.evolve(other, **known)


def read_corrections(folder: Path) -> dict[Asked, TrainingExample]:
    """What persons said of a dataset's examples, the last of each.

    Raises:
        ConfigError: a line of it is no example. A last line that was cut short as it was written is passed over.
    """
    file = folder / CORRECTIONS
    if not file.exists():
        return {}
    found = read_lines(file, TrainingExample, "mend the line, or take it out", may_be_cut=True)
    return {asked_in(example): example for example in found}


def read_lines(file: Path, kind: type[T], how_to_mend: str, *, may_be_cut: bool = False) -> Iterator[T]:
    """The values of a file of JSON lines.

    Args:
        how_to_mend: what to do where a line is none, a clause.
        may_be_cut: whether a last line that does not end may be passed over.

    Raises:
        ConfigError: the file cannot be read, or a line of it stands for no such value.
    """
    for row in read_rows(file, kind):
        if not isinstance(row.value, InvalidData):
            yield row.value
        elif not (may_be_cut and row.is_cut):
            raise ConfigError(f"{file}:{row.number}: {row.value}; {how_to_mend}") from row.value


@attrs.frozen
class Row(Generic[T]):
    """A line of a file.

    Attributes:
        number: of the line, from 1.
        value: what it stands for, or why it stands for nothing.
        is_cut: whether it does not end, as the last line that was being written.
    """

    number: int
    value: T | InvalidData
    is_cut: bool


def read_rows(file: Path, kind: type[T]) -> Iterator[Row[T]]:
    """Every line of a file of JSON lines.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield Row(number, _value(kind, line), not line.endswith(b"\n"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}): name another one") from error


def _value(kind: type[T], line: bytes) -> T | InvalidData:
    try:
        return loads(kind, line)
    except InvalidData as error:
        return error
