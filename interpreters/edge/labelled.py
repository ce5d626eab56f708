"""`tidepool evaluate --examples DIR`: scorers rate the places of a dataset, and are compared with its labels."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TextIO

import attrs
from returns.result import Failure

from interpreters.edge.comparison import CODEBASES, OVERALL, Sheet, as_plain, reliability
from interpreters.edge.config import Settings, check_scorer, open_scorer, read_settings
from interpreters.edge.dataset.reading import read_examples
from interpreters.edge.dataset.uncertain import refuse_asking_a_codebase
from interpreters.edge.dataset.whole import written_whole
from interpreters.edge.ending import until_terminated
from interpreters.edge.evaluate import NO_SCORER, ended, say
from interpreters.edge.metering import Meter, metered, model_bytes
from interpreters.edge.reliability import as_svg
from interpreters.edge.scoreboard import NO_TAG
from interpreters.edge.tables import print_sheet
from tidepool.domain import Provenance, Rubric, TrainingExample
from tidepool.eff import AsyncHandler, Handler, run_async
from tidepool.effects.gemma import Gemma
from tidepool.errors import ConfigError
from tidepool.training.marks import MARKS, bins_in, costing, marked
from tidepool.training.uncertainty import opinions_of, told
from tidepool.wire import dumps, to_wire

TOGETHER: Final = 50
"""Places that a scorer is asked about at the same time: what one request to a scoring server may hold."""

DONE: Final = 0
UNKNOWN: Final = "unknown"

COLUMNS: Final = (
    ("examples", "examples"),
    ("relevance", "relevance_exact"),
    ("±1", "relevance_within_one"),
    ("risk", "risk_exact"),
    ("±1", "risk_within_one"),
    ("confidence", "confidence_exact"),
    ("±1", "confidence_within_one"),
    ("quality", "quality"),
    ("right", "right"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("ECE", "ece"),
)
"""The table's headings, and the figure below each."""

UNCERTAIN: Final = (
    ("relevance", "relevance_exact"),
    ("risk", "risk_exact"),
    ("risk ±1", "risk_within_one"),
    ("quality", "quality"),
    ("right", "right"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("ECE", "ece"),
)
"""Those whose intervals the table shows; `--format json` has all."""

Scorer = Handler[Gemma] | AsyncHandler[Gemma]


@attrs.frozen
class Labelled:
    """What `tidepool evaluate --examples` was asked to do, in its flags' words.

    Attributes:
        folder: the dataset.
        split: which part of it.
        scorers: their names; none for the one that is configured.
        form: how to print the result, one of `SHOWN`.
        against: the scorer that the others are compared with; None for the first.
        plot: where to draw how far confidences can be relied on, or None.
    """

    folder: Path
    split: str
    scorers: tuple[str, ...]
    form: str
    against: str | None
    plot: Path | None


@attrs.frozen
class Compared:
    """What came of it.

    Attributes:
        left_out: how many places no figure counts, since a scorer did not rate them.
        why: the first time.
    """

    sheet: Sheet
    against: str
    model_bytes: Mapping[str, int]
    left_out: int = 0
    why: str = ""


def codebase_of(example: TrainingExample) -> str:
    """The codebase that an example is of."""
    return _origin(example).codebase or UNKNOWN


def tag_of(example: TrainingExample) -> str:
    """The tag of an example's question."""
    return str(example.query.tags[0]) if example.query.tags else NO_TAG


def _origin(example: TrainingExample) -> Provenance:
    return example.provenance or Provenance()


GROUPINGS: Final[Mapping[str, Callable[[TrainingExample], str]]] = {
    OVERALL: lambda _example: OVERALL,
    CODEBASES: codebase_of,
    "kinds": lambda example: _origin(example).change_kind or UNKNOWN,
    "tags": tag_of,
}
"""What is summed up, and by what."""


def evaluate_labelled(asked: Labelled) -> int:
    """Measure, print the result on standard output, and answer the command's exit code."""
    return ended(lambda: _evaluate(asked))


def _evaluate(asked: Labelled) -> int:
    settings = read_settings(None, os.environ, {})
    names = tuple(dict.fromkeys(asked.scorers)) or (settings.scorer,)
    against = asked.against or names[0]
    if against not in names:
        raise ConfigError(f"{against!r} is not measured, so nothing can be compared with it: add --scorer {against}")
    for name in names:
        refuse_asking_a_codebase(name, settings)
        check_scorer(name, settings)
    examples = (example for _, example in read_examples(asked.folder, (asked.split,)))
    with asyncio.Runner() as runner:
        found = runner.run(until_terminated(_measured(names, settings, examples, against)))
    if found.left_out:
        say(f"{found.left_out} examples were left out, since a scorer did not rate them: {found.why}")
    if not found.sheet.overall:
        return say("no example was rated by every scorer, so nothing can be compared", NO_SCORER)
    if asked.plot is not None:
        with written_whole(asked.plot) as stream:
            stream.write(as_svg(reliability(found.sheet, bins_in)))
    SHOWN[asked.form](found, sys.stdout)
    sys.stdout.flush()
    return DONE


async def _measured(
    names: Sequence[str], settings: Settings, examples: Iterator[TrainingExample], against: str
) -> Compared:
    sizes = {name: model_bytes(settings.scorers.get(name), settings.environ) for name in names}
    async with _opened(names, settings) as scorers:
        found = await compare(scorers, examples)
    return attrs.evolve(
        found, against=against, model_bytes={name: size for name, size in sizes.items() if size is not None}
    )


@asynccontextmanager
async def _opened(names: Sequence[str], settings: Settings) -> AsyncGenerator[dict[str, Scorer]]:
    async with AsyncExitStack() as opened:
        yield {name: await opened.enter_async_context(open_scorer(name, settings)) for name in names}


async def compare(scorers: Mapping[str, Scorer], examples: Iterable[TrainingExample]) -> Compared:
    """Ask every scorer about every example, and compare what it says with the label.

    An example that one of them does not rate is left out for all. What a scorer took for examples that were asked about
    together counts where one of them does.
    """
    sheet, left_out, why = Sheet(MARKS), 0, ""
    meters = {name: Meter() for name in scorers}
    asked = {name: metered(scorer, meters[name]) for name, scorer in scorers.items()}
    for codebase, some in _together(examples):
        before = {name: meter.cost for name, meter in meters.items()}
        answers = {name: await run_async(opinions_of(some), scorer) for name, scorer in asked.items()}
        rated = 0
        for at, example in enumerate(some):
            said = told([found[at] for found in answers.values()])
            if isinstance(said, Failure):
                left_out, why = left_out + 1, why or str(said.failure())
                continue
            rated += 1
            for name, rubric in zip(scorers, said.unwrap(), strict=True):
                count(sheet, name, example, rubric)
        for name, meter in meters.items() if rated else ():
            for grouping, group in ((OVERALL, OVERALL), (CODEBASES, codebase)):
                sheet.add(grouping, group, name, codebase, costing(meter.since(before[name])))
    return Compared(sheet, next(iter(scorers)), {}, left_out, why)


def _together(examples: Iterable[TrainingExample]) -> Iterator[tuple[str, list[TrainingExample]]]:
    """Examples of one codebase, so many at a time: what these take, the codebase takes."""
    waiting: dict[str, list[TrainingExample]] = {}
    for example in examples:
        some = waiting.setdefault(codebase_of(example), [])
        some.append(example)
        if len(some) == TOGETHER:
            yield codebase_of(example), waiting.pop(codebase_of(example))
    yield from waiting.items()


def count(sheet: Sheet, scorer: str, example: TrainingExample, rubric: Rubric) -> None:
    """Add what a scorer said of an example."""
    sums = marked(rubric, example.rubric)
    for grouping, group_of in GROUPINGS.items():
        sheet.add(grouping, group_of(example), scorer, codebase_of(example), sums)


def as_table(found: Compared, stream: TextIO) -> None:
    """Print it: overall, by codebase, kind and tag; then what is uncertain of it, and the costs."""
    print_sheet(
        found.sheet,
        stream,
        columns=COLUMNS,
        uncertain=UNCERTAIN,
        groupings=GROUPINGS,
        against=found.against,
        model_bytes=found.model_bytes,
    )


def as_json(found: Compared, stream: TextIO) -> None:
    """Print it as one JSON object, with intervals and differences of every group, and the reliability."""
    plain = as_plain(found.sheet, [*GROUPINGS][1:], found.against, bins_in)
    stream.write(
        dumps(to_wire({**plain, "model_bytes": found.model_bytes, "left_out": found.left_out}), indent=2) + "\n"
    )


SHOWN: Final[Mapping[str, Callable[[Compared, TextIO], None]]] = {"table": as_table, "json": as_json}
"""How the result can be printed."""
