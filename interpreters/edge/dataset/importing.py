"""`tidepool dataset import`: Label Studio's annotations as a person's labels of a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from interpreters.edge.dataset.corrections import opened
from interpreters.edge.dataset.outcome import NOTHING, outcome, say
from interpreters.edge.dataset.reading import CORRECTIONS, Asked, asked_in, read_corrections
from tidepool.domain import TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.training.label_studio import Annotated, read_tasks
from tidepool.wire import parse

VERB: Final = "import"


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="what Label Studio exports in its format JSON")
    add("--data", metavar="DIR", type=Path, required=True, help=f"the dataset; {CORRECTIONS} in it is added to")


def main(arguments: argparse.Namespace) -> int:
    """Take the annotations over and answer the exit code."""
    return outcome(VERB, lambda: _import(arguments.file, arguments.data))


def _import(file: Path, folder: Path) -> int:
    found = _read(file)
    if not found.corrections:
        return say(VERB, f"{file} holds no annotation: annotate its tasks, and export them again", NOTHING)
    with opened(folder) as corrections:
        said = read_corrections(folder)
        new = [one for one in found.corrections if not _is_known(one, said)]
        corrections.add(new)
    passed = f"; {found.passed_over} tasks have none" if found.passed_over else ""
    known = f", {len(found.corrections) - len(new)} of them known" if len(new) < len(found.corrections) else ""
    return say(VERB, f"{folder / CORRECTIONS}: {len(found.corrections)} annotations{known}{passed}")


def _is_known(one: TrainingExample, said: Mapping[Asked, TrainingExample]) -> bool:
    known = said.get(asked_in(one))
    return known is not None and known.rubric == one.rubric


def _read(file: Path) -> Annotated:
    try:
        return read_tasks(parse(file.read_bytes()), datetime.now(UTC))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}): name a file that Label Studio wrote") from error
    except InvalidData as error:
        raise ConfigError(f"{file}: {error}") from error
