"""`tidepool dataset export`: a dataset or a queue as tasks for Label Studio."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from interpreters.edge.dataset.outcome import DONE, NOTHING, outcome, say
from interpreters.edge.dataset.reading import read_examples, read_lines
from interpreters.edge.dataset.whole import written_whole
from tidepool.errors import ConfigError
from tidepool.training.label_studio import LABELING, task
from tidepool.training.splits import SPLITS
from tidepool.training.uncertainty import Doubt
from tidepool.wire import dumps

VERB: Final = "export"


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add(
        "source",
        metavar="DIR|QUEUE",
        type=Path,
        nargs="?",
        help="a dataset, or what `tidepool dataset uncertain` wrote",
    )
    add("--label-studio", metavar="FILE", type=Path, help="the file of tasks to write")
    add("--split", choices=SPLITS, action="append", help="of a dataset, this one; may be repeated (default: all)")
    add("--config", action="store_true", help="print the labeling configuration that the tasks need, and no more")


def main(arguments: argparse.Namespace) -> int:
    """Write the tasks and answer the exit code."""
    return outcome(VERB, lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> int:
    if arguments.config:
        sys.stdout.write(LABELING)
        return DONE
    if arguments.source is None or arguments.label_studio is None:
        raise ConfigError("there is nothing to export: name a dataset or a queue, and a file with --label-studio")
    count = 0
    with written_whole(arguments.label_studio) as stream:
        for one in _tasks(arguments.source, arguments.split or SPLITS):
            stream.write(f"{',' if count else '['}\n{dumps(one)}")
            count += 1
        stream.write("\n]\n" if count else "[]\n")
    said = f"{arguments.label_studio}: {count} tasks"
    return say(VERB, said) if count else say(VERB, f"{said}: there is no example", NOTHING)


def _tasks(source: Path, splits: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if source.is_dir():
        return (task(example) for _, example in read_examples(source, splits))
    doubts = read_lines(source, Doubt, "name a dataset, or what `tidepool dataset uncertain` wrote")
    return (task(doubt.example, doubt.why, doubt.score) for doubt in doubts)
