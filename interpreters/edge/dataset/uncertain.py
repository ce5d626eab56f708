"""`tidepool dataset uncertain`: a queue of the examples that scorers are least sure of, or least agree on."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from heapq import heappush, heappushpop
from itertools import islice
from pathlib import Path
from typing import Final, TextIO, TypeAlias

from returns.result import Failure, Success

from interpreters.edge.config import Settings, check_scorer, open_scorer, read_settings
from interpreters.edge.dataset.outcome import DONE, NO_SERVER, NOTHING, outcome, say
from interpreters.edge.dataset.reading import read_examples
from interpreters.edge.dataset.whole import written_whole
from interpreters.edge.settings import HybridScorer, OracleScorer
from tidepool.domain import TrainingExample
from tidepool.eff import AsyncHandler, Handler, run_async
from tidepool.effects.gemma import Gemma
from tidepool.errors import ConfigError, ModelFailure
from tidepool.training.judgement import is_a_persons
from tidepool.training.splits import SPLITS
from tidepool.training.uncertainty import LABEL, Doubt, Opinion, opinions_of, told, weighed
from tidepool.wire import dumps

VERB: Final = "uncertain"
TOP: Final = 200
"""Examples in a queue, where it is not said: what a person may read at one sitting."""

TOGETHER: Final = 50
"""Examples that scorers are asked about at the same time: what one request to a scoring server may hold."""

Scorers: TypeAlias = Sequence[tuple[str, Handler[Gemma] | AsyncHandler[Gemma]]]


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("data", metavar="DIR", type=Path, help="what `tidepool dataset build` wrote")
    add(
        "--scorer",
        metavar="NAME",
        action="append",
        help="one to ask; may be repeated. A single one is compared with the labels (default: heuristic)",
    )
    add("--top", metavar="N", type=_count, default=TOP, help="examples in the queue, at most (default: %(default)s)")
    add("--split", choices=SPLITS, action="append", help="look at this one; may be repeated (default: all there are)")
    add("--out", metavar="FILE", type=Path, help="where to write the queue (default: standard output)")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1")
    return int(text)


def main(arguments: argparse.Namespace) -> int:
    """Write the queue and answer the exit code."""
    return outcome(VERB, lambda: _rank(arguments))


def _rank(arguments: argparse.Namespace) -> int:
    settings = read_settings(None, os.environ, {})
    names = list(dict.fromkeys(arguments.scorer or ["heuristic"]))
    for name in names:
        refuse_asking_a_codebase(name, settings)
        check_scorer(name, settings)
    examples = (example for _, example in read_examples(arguments.data, arguments.split or SPLITS))
    with asyncio.Runner() as runner:
        queue = runner.run(_ranked(names, settings, examples, arguments.top))
    if not queue.doubts:
        return queue.ended()
    if arguments.out is None:
        _write(sys.stdout, queue.doubts)
    else:
        with written_whole(arguments.out) as stream:
            _write(stream, queue.doubts)
    return queue.ended()


def refuse_asking_a_codebase(name: str, settings: Settings) -> None:
    """Tell that a scorer needs more than a dataset holds.

    Raises:
        ConfigError: it does.
    """
    scorer = settings.scorers.get(name)
    if isinstance(scorer, HybridScorer):
        refuse_asking_a_codebase(scorer.fallback, settings)
    if isinstance(scorer, OracleScorer):
        raise ConfigError(f"the scorer {name} asks a codebase, and a dataset holds none: name another one")


class Queue:
    """The examples with the highest scores of those that were put in; of equals, the first.

    Attributes:
        doubts: best first.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self._heap: list[tuple[float, int, Doubt]] = []
        self._seen = 0
        self._unrated = 0
        self._why = ""

    def put(self, doubt: Doubt) -> None:
        """Take an example in, if it belongs to them."""
        self._seen += 1
        entry = (doubt.score, -self._seen, doubt)
        if len(self._heap) < self._top:
            heappush(self._heap, entry)
        else:
            heappushpop(self._heap, entry)

    def left_out(self, failure: ModelFailure) -> None:
        """Count an example that a scorer did not rate."""
        self._unrated += 1
        self._why = self._why or str(failure)

    @property
    def doubts(self) -> list[Doubt]:
        """Best first."""
        return [doubt for _, _, doubt in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]

    def ended(self) -> int:
        """Tell what came of it, and answer the exit code."""
        if self._unrated:
            say(VERB, f"{self._unrated} examples were left out, since a scorer did not rate them: {self._why}")
        if self._heap:
            return say(VERB, f"{len(self._heap)} of {self._seen} examples are in the queue", DONE)
        if self._unrated:
            return NO_SERVER
        return say(VERB, "there is no example that no person has seen: build a larger dataset", NOTHING)


async def _ranked(names: Sequence[str], settings: Settings, examples: Iterator[TrainingExample], top: int) -> Queue:
    queue = Queue(top)
    unseen = (example for example in examples if not is_a_persons(example))
    async with AsyncExitStack() as opened:
        scorers = [(name, await opened.enter_async_context(open_scorer(name, settings))) for name in names]
        while chunk := list(islice(unseen, TOGETHER)):
            for example, opinions in zip(chunk, await _opinions(scorers, chunk, queue), strict=True):
                if opinions:
                    queue.put(weighed(example, opinions))
    return queue


async def _opinions(scorers: Scorers, chunk: Sequence[TrainingExample], queue: Queue) -> list[list[Opinion]]:
    """What the scorers say of each example, and the label where there is one scorer; [] where one does not say."""
    by_scorer = [(name, await run_async(opinions_of(chunk), handler)) for name, handler in scorers]
    found = []
    for at, example in enumerate(chunk):
        match told([answers[at] for _, answers in by_scorer]):
            case Success(rubrics):
                opinions = [Opinion(name, rubric) for (name, _), rubric in zip(by_scorer, rubrics, strict=True)]
                found.append(opinions if len(opinions) > 1 else [*opinions, Opinion(LABEL, example.rubric)])
            case Failure(failure):
                queue.left_out(failure)
                found.append([])
    return found


def _write(stream: TextIO, doubts: Iterable[Doubt]) -> None:
    stream.writelines(f"{dumps(doubt)}\n" for doubt in doubts)
