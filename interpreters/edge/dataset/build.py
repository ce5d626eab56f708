"""`tidepool dataset build SPEC.toml --out DIR`: ask every codebase of the file, then put the set together.

A build goes round by round: each round says how many examples of each stratum every codebase is to give, by what all
have given so far. Every question is written down before the next one is asked (`interpreters.edge.dataset.journal`), so
that whoever starts the same build again goes on where it ended, and comes to the same set.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, Final

import attrs

from interpreters.edge.dataset import journal
from interpreters.edge.dataset.agreement import in_markdown
from interpreters.edge.dataset.assembly import Summary, assemble
from interpreters.edge.dataset.engines import Engine, side_by_side
from interpreters.edge.dataset.extra import require_extra
from interpreters.edge.dataset.harvest import Codebase
from interpreters.edge.dataset.journal import Line
from interpreters.edge.dataset.layout import Work, remove, working
from interpreters.edge.dataset.outcome import DONE, NOTHING, outcome, say
from interpreters.edge.dataset.past import Past
from interpreters.edge.dataset.rounds import Part, Tally, tally
from interpreters.edge.dataset.spec import Origin, Spec, read_spec
from interpreters.edge.dataset.told import Tell, told
from interpreters.edge.ending import until_terminated
from tidepool.training.agreement import Agreement
from tidepool.training.answered import Answered
from tidepool.training.card import Facts
from tidepool.training.labels import Labels
from tidepool.training.questions import STRATA, Stratum
from tidepool.training.turns import wanted_of_each
from tidepool.wire import dumps

SURPLUSES: Final = (1.1, 1.5, 2.5)
"""How many more examples are made than are wanted, until enough can be kept: near duplicates across splits cannot."""

MADE_BY: Final = ("semantic-scout", "ty")
"""The packages on whose versions the examples depend."""


def flags(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("spec", metavar="SPEC.toml", type=Path, help="what to build, and from which codebases")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder of the set")
    parser.add_argument(
        "--engine", choices=("here", "ray"), default="here", help="where codebases are asked (default: %(default)s)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Build, and answer the command's exit code."""
    return outcome("build", lambda: _build(arguments.spec, arguments.out, arguments.engine))


def _build(file: Path, out: Path, engine: str) -> int:
    require_extra()
    spec = read_spec(file)
    begun_s = time.monotonic()
    with working(out) as work, told(sys.stderr, int(spec.examples * SURPLUSES[0])) as tell:
        plan = _Plan(spec, work, [work.lay_out(origin) for origin in spec.codebase])
        work.hold_to(plan.written())
        build = _Build(plan, _ENGINES[engine](spec.jobs), tell)
        for surplus in SURPLUSES:
            with asyncio.Runner() as runner:
                runner.run(until_terminated(build.harvest(int(spec.examples * surplus))))
            tell(build.made, "putting the set together")
            facts = build.facts(file.read_text(encoding="utf-8"), time.monotonic() - begun_s)
            summary = _assembled(build, out.absolute(), facts)
            if summary.examples >= spec.examples or build.is_exhausted or surplus == SURPLUSES[-1]:
                remove(work)
                return _summed_up(summary, spec.examples, out)
    raise AssertionError("the last surplus ends a build")


def _summed_up(summary: Summary, wanted: int, out: Path) -> int:
    for warning in summary.warnings:
        say("build", warning)
    say("build", f"{summary.examples} examples in {out}; see {out / 'README.md'}")
    return DONE if summary.examples >= wanted else NOTHING


def _assembled(build: _Build, out: Path, facts: Facts) -> Summary:
    spec = build.plan.spec
    return assemble(
        build.answered,
        out,
        examples=spec.examples,
        seed=spec.seed,
        validation=spec.validation,
        test=spec.test,
        pinned={str(origin.name): origin.split for origin in spec.codebase if origin.split},
        facts=facts,
    )


def _ray(jobs: int) -> Engine:
    from interpreters.edge.dataset.on_ray import on_ray

    return on_ray(jobs)


_ENGINES: Final[Mapping[str, Callable[[int], Engine]]] = {"here": side_by_side, "ray": _ray}


def versions() -> dict[str, str]:
    """What makes the examples, by name."""
    return {name: version(name) for name in MADE_BY}


@attrs.frozen
class _Plan:
    """What is built from what.

    Attributes:
        codebases: those of the specification, laid out, in its order.
    """

    spec: Spec
    work: Work
    codebases: Sequence[Codebase]

    def written(self) -> str:
        """The plan as text: whoever goes on with a build holds to it."""
        revisions = {one.name: one.origin.revision for one in self.codebases}
        return dumps({"spec": self.spec, "revisions": revisions, "versions": versions()}, indent=2)

    def round(self, number: int, wanted: Sequence[Mapping[Stratum, int]]) -> list[Part]:
        """What a round wants of each codebase."""
        labels, seed = Labels(self.spec.labels), self.spec.seed
        return [
            Part(one, self._flags(origin), labels, seed, self.work.journals(one.name), number, each)
            for one, origin, each in zip(self.codebases, self.spec.codebase, wanted, strict=True)
        ]

    def past(self) -> list[Past]:
        """What the histories of those that have one are asked."""
        return [
            Past(
                one.name,
                Path(origin.git),
                origin.revision,
                origin.commits,
                one.origin.licence,
                Path(origin.python) if origin.python else None,
                self.spec.seed,
                self.work.journals(one.name),
            )
            for one, origin in zip(self.codebases, self.spec.codebase, strict=True)
            if origin.git is not None and origin.commits > 0
        ]

    def _flags(self, origin: Origin) -> dict[str, Any]:
        return {"python": Path(origin.python) if origin.python else None, "timeout_s": self.spec.timeout_s}


@attrs.define(eq=False)
class _Build:
    """A build under way.

    Attributes:
        made: how many examples there are.
        rounds: how many rounds were played.
        tallies: what each codebase's journals told, when all was harvested.
    """

    plan: _Plan
    engine: Engine
    tell: Tell
    made: int = 0
    rounds: int = 0
    tallies: list[Tally] = attrs.field(factory=list)

    @property
    def is_exhausted(self) -> bool:
        """Whether no codebase has any more questions."""
        return all(len(one.turns.exhausted) == len(STRATA) for one in self.tallies)

    async def harvest(self, total: int) -> None:
        """Ask the histories, then play rounds until there are so many examples or no codebase has more."""
        past = self.plan.past()
        self.made = sum(_count(one.journal) for one in past)
        await self.engine(past, self.heard)
        if self.plan.spec.labels != Labels.HISTORY:
            await self.play_rounds(total)

    async def play_rounds(self, total: int) -> None:
        """Play rounds, each by what all codebases have given in those before it."""
        for number in count(self.rounds):
            self.rounds = number
            journals = [self.plan.work.journals(one.name) for one in self.plan.codebases]
            self.tallies = [tally(folder, number) for folder in journals]
            given = sum(one.turns.given.total() for one in self.tallies)
            if given >= total or self.is_exhausted:
                return
            wanted = wanted_of_each([one.turns for one in self.tallies], total)
            parts = self.plan.round(number, wanted)
            self.made = given + sum(_count(part.journal) for part in parts)
            await self.engine(parts, self.heard)

    def heard(self, line: Line) -> None:
        """Count what a codebase gave, and tell."""
        if line.answered is not None:
            self.made += len(line.answered.examples)
            self.tell(self.made, line.answered.codebase)

    def answered(self) -> Iterator[Answered]:
        """All that the codebases gave, in an order that depends on the plan alone."""
        for one in sorted(self.plan.codebases, key=lambda one: one.name):
            folder = self.plan.work.journals(one.name)
            for file in (folder / "history.jsonl", *(folder / f"{number}.jsonl" for number in range(self.rounds))):
                for line in journal.read(file):
                    if line.answered is not None and line.answered.examples:
                        yield line.answered

    def facts(self, how: str, seconds: float) -> Facts:
        """What the card says besides what it counts."""
        left_out: Counter[str] = Counter()
        for one in self.tallies:
            left_out.update(one.left_out)
        given_up = zip(self.plan.codebases, (one.given_up for one in self.tallies), strict=False)
        agreement = Agreement()
        for answered in self.answered():
            for example in answered.examples:
                agreement.count(example)
        return Facts(
            how=f"```toml\n{how.strip()}\n```",
            versions=versions(),
            programs={str(origin.name): origin.program for origin in self.plan.spec.codebase if origin.program},
            left_out=left_out,
            limits=tuple(f"{one.name} was given up: {why}." for one, why in given_up if why),
            sections={
                "What it took": _cost(self.made, seconds),
                **({"The rules and the compiler": in_markdown(agreement)} if agreement.all.places else {}),
            },
            made_at=datetime.now(UTC).strftime("%Y-%m-%d"),
            seconds=seconds,
        )


def _cost(made: int, seconds: float) -> str:
    """What the part of the build that was done in one go took, in Markdown."""
    own, servers = (resource.getrusage(whose).ru_maxrss / KIB_A_MIB for whose in _WHOSE)
    return (
        f"{made:,} examples were harvested in {seconds:,.0f} s, {made / seconds * 3600:,.0f} an hour, if the build was"
        f" not begun before. At most {own:,.0f} MiB of memory were this process's, and {servers:,.0f} MiB the largest"
        " language server's."
    )


KIB_A_MIB: Final = 1024 if sys.platform != "darwin" else 1024 * 1024
"""`ru_maxrss` counts KiB, and bytes on macOS."""

_WHOSE: Final = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _count(file: Path) -> int:
    """The examples in a journal."""
    return sum(len(line.answered.examples) for line in journal.read(file) if line.answered is not None)
