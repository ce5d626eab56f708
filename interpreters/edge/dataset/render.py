"""`tidepool dataset render`: prompts and completions for FunctionGemma, each one read back before it is kept."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from interpreters.edge.dataset.outcome import DONE, NOTHING, outcome, say
from interpreters.edge.dataset.reading import (
    Asked,
    corrected,
    read_corrections,
    read_rows,
    shards_of,
)
from interpreters.edge.dataset.whole import written_whole
from tidepool.domain import TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.training.functiongemma import Rendered, parse, render
from tidepool.training.splits import SPLITS
from tidepool.wire import dumps, loads

VERB: Final = "render"
FOLDER: Final = "functiongemma"
"""In a dataset's folder."""


@attrs.define
class LeftOut:
    """Rows that were left out for one reason: how many, and where the first one is."""

    first: str
    rows: int = 0


@attrs.frozen
class Line:
    """A line of what is written: what a trainer reads."""

    prompt: str
    completion: str


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("data", metavar="DIR", type=Path, help="what `tidepool dataset build` wrote")
    add("--out", metavar="DIR", type=Path, help=f"the folder to write into (default: {FOLDER} in DIR)")
    add("--without-declaration", action="store_true", help="leave the function's declaration out of the prompts")
    add("--split", choices=SPLITS, action="append", help="write this one; may be repeated (default: all there are)")


def main(arguments: argparse.Namespace) -> int:
    """Write the files and answer the exit code."""
    return outcome(VERB, lambda: _render(arguments))


def _render(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.data
    out: Path = arguments.out or folder / FOLDER
    shards = shards_of(folder, arguments.split or SPLITS)
    said = read_corrections(folder)
    written = 0
    for split in dict(shards):
        left_out: dict[str, LeftOut] = {}
        with written_whole(out / f"{split}.jsonl") as stream:
            count = 0
            for line in _lines([file for of, file in shards if of == split], said, left_out, arguments):
                stream.write(line)
                count += 1
        say(VERB, f"{out / f'{split}.jsonl'}: {count} examples")
        for why, rows in left_out.items():
            say(VERB, f"{split}: rows left out: {rows.rows}, since {why}; the first is {rows.first}")
        written += count
    return DONE if written else say(VERB, "no row could be rendered: build the dataset again", NOTHING)


def _lines(
    files: list[Path],
    said: Mapping[Asked, TrainingExample],
    left_out: dict[str, LeftOut],
    arguments: argparse.Namespace,
) -> Iterator[str]:
    for file in files:
        for row in read_rows(file, TrainingExample):
            place = f"{file}:{row.number}"
            if isinstance(row.value, InvalidData):
                left_out.setdefault(_reason(row.value), LeftOut(place)).rows += 1
                continue
            example = corrected(row.value, said)
            yield checked(example, render(example, declared=not arguments.without_declaration), place)


def _reason(error: InvalidData) -> str:
    return "no JSON" if error.field == "JSON text" else f"{error.field} is not {error.allowed}"


def checked(example: TrainingExample, rendered: Rendered, place: str) -> str:
    """The line of an example, read back as a trainer reads it and found to be the example.

    Raises:
        ConfigError: it is not.
    """
    line = dumps(Line(*rendered))
    try:
        again = loads(Line, line)
        same = parse(again.prompt, again.completion) == (example.query, example.node, example.rubric)
    except InvalidData as error:
        raise ConfigError(f"{place}: cannot be read back once it is rendered ({error}): take the row out") from error
    if not same:
        raise ConfigError(f"{place}: is another example once it is rendered and read back: take the row out")
    return f"{line}\n"
