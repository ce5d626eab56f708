"""A set's examples in files: JSON lines, and the same as Parquet beside them; and how a whole set appears at once.

The same examples give the same bytes, of both.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

import attrs

from tidepool.domain import Provenance, TrainingExample
from tidepool.errors import ConfigError
from tidepool.training.splits import SPLITS
from tidepool.wire import dumps, from_wire

EXAMPLES_EACH: Final = 5_000
"""Examples in a shard, at most: some 5 MB, which is held in memory as it becomes Parquet."""

CARD: Final = "card.json"
README: Final = "README.md"

_OURS: Final = frozenset({*SPLITS, CARD, README})
_ORIGIN: Final = tuple(field.name for field in attrs.fields(Provenance))


@attrs.frozen
class Shard:
    """A shard that was written.

    Attributes:
        split: which it is of.
        name: of its JSON lines, relative to the set's folder, with `/`.
        examples: how many.
        sha256: of its JSON lines.
        parquet_sha256: of the file beside it.
    """

    split: str
    name: str
    examples: int
    sha256: str
    parquet_sha256: str


def write_shards(folder: Path, split: str, examples: Iterable[TrainingExample]) -> Iterator[Shard]:
    """Write a split's examples, in their order; each shard is on the disk when it is told.

    Raises:
        OSError: it cannot be written.
    """
    (folder / split).mkdir()
    for number, some in enumerate(_batches(examples)):
        file = folder / split / f"{number:05}.jsonl"
        lines = "".join(f"{dumps(example)}\n" for example in some).encode()
        _write(file, lines)
        parquet = _parquet(some)
        _write(parquet_of(file), parquet)
        name = file.relative_to(folder).as_posix()
        yield Shard(split, name, len(some), sha256(lines).hexdigest(), sha256(parquet).hexdigest())
    _sync(folder / split)


def _batches(examples: Iterable[TrainingExample]) -> Iterator[list[TrainingExample]]:
    left = iter(examples)
    while some := list(islice(left, EXAMPLES_EACH)):
        yield some


def parquet_of(file: Path) -> Path:
    """The file beside a shard's JSON lines."""
    return file.with_suffix(".parquet")


def read_parquet(file: Path) -> list[TrainingExample]:
    """The examples of a shard's Parquet.

    Raises:
        ConfigError: it cannot be read.
        InvalidData: it holds something else.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"{file} cannot be read ({error}): build the dataset again") from error
    return [_nested(row) for row in rows]


@contextmanager
def published(out: Path) -> Generator[Path]:
    """A folder to write a set to, which becomes `out` when the block ends well, and is gone otherwise.

    What was there before stays until then. Of it, corrections and whatever else is no part of a set are taken over.

    Raises:
        ConfigError: it cannot be written, or something else is there.
    """
    out = out.absolute()
    half, old = out.with_name(f".{out.name}.half"), out.with_name(f".{out.name}.old")
    try:
        _recover(out, old)
        _check_replaceable(out)
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        yield half
        _take_over(out, half)
        _sync(half)
        if out.exists():
            out.rename(old)
        half.rename(out)
        _sync(out.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written ({error.strerror or error}): make room there, or name another folder with --out"
        ) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _recover(out: Path, old: Path) -> None:
    """Bring back what was there, if whoever replaced it was killed between the two renamings."""
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            old.rename(out)


def _check_replaceable(out: Path) -> None:
    if not out.exists() or (out.is_dir() and ((out / CARD).exists() or not any(out.iterdir()))):
        return
    raise ConfigError(f"{out} is there, and no dataset: name another folder with --out")


def _take_over(out: Path, half: Path) -> None:
    for one in out.iterdir() if out.exists() else ():
        if one.name in _OURS:
            continue
        if one.is_dir() and not one.is_symlink():
            shutil.copytree(one, half / one.name, symlinks=True)
        else:
            shutil.copy2(one, half / one.name, follow_symlinks=False)


def write_text(file: Path, text: str) -> None:
    """Write a file that is on the disk when this returns.

    Raises:
        OSError: it cannot be written.
    """
    _write(file, text.encode())


def _write(file: Path, data: bytes) -> None:
    half = file.with_name(f".{file.name}")
    with half.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    half.rename(file)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parquet(examples: Iterable[TrainingExample]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pylist([_flat(example) for example in examples], schema=_schema())
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _schema() -> Any:
    import pyarrow as pa

    text, score = pa.string(), pa.int8()
    return pa.schema(
        [
            pa.field("query", text, nullable=False),
            pa.field("tags", pa.list_(pa.field("element", text, nullable=False)), nullable=False),
            pa.field("location", text, nullable=False),
            pa.field("hover", text),
            pa.field("snippet", text, nullable=False),
            *(pa.field(name, score, nullable=False) for name in ("relevance", "risk", "confidence")),
            pa.field("reasoning", text, nullable=False),
            pa.field("timestamp", pa.timestamp("us", "UTC"), nullable=False),
            *(pa.field(name, text) for name in _ORIGIN),
        ]
    )


def _flat(example: TrainingExample) -> dict[str, Any]:
    parts = (example.query, example.node, example.rubric, example.provenance or Provenance())
    row = {name: value for part in parts for name, value in attrs.asdict(part, recurse=False).items()}
    return {**row, "tags": [str(tag) for tag in example.query.tags], "timestamp": example.timestamp}


def _nested(row: dict[str, Any]) -> TrainingExample:
    origin = {name: row[name] for name in _ORIGIN if row.get(name) is not None}
    parts = {
        "query": {name: row.get(name) for name in ("query", "tags")},
        "node": {name: row.get(name) for name in ("location", "hover", "snippet")},
        "rubric": {name: row.get(name) for name in ("relevance", "risk", "confidence", "reasoning")},
        "timestamp": str(row.get("timestamp")).replace(" ", "T"),
    }
    return from_wire(TrainingExample, {**parts, "provenance": origin} if origin else parts)
