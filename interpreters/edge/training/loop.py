"""`tidepool train loop`: from what was kept since to a model that is promoted, or to the reason why it is not.

Rebuild, train, evaluate on the frozen test set, decide. Everything is written down before the current version changes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Final

import attrs
from returns.result import Failure

from interpreters.edge.dataset.extra import NEEDED
from interpreters.edge.dataset.outcome import DONE, NOTHING, outcome, say
from interpreters.edge.dataset.reading import read_rows
from interpreters.edge.ending import until_terminated
from interpreters.edge.home import SHIPPED, Home, Version, digest_of, own_home
from interpreters.edge.keeping import read_kept
from interpreters.edge.training.learners import Learner, Scorer
from interpreters.edge.training.rebuilding import Frozen, Rebuilt, freeze, rebuild, tested_by
from tidepool.domain import Rubric, TrainingExample
from tidepool.eff import run_async
from tidepool.errors import ConfigError, InvalidData
from tidepool.training.promotion import Decision, Judged, Standing, decided, standings_of, told
from tidepool.training.uncertainty import opinions_of
from tidepool.wire import dumps

VERB: Final = "loop"
COMMAND: Final = "train"
HISTORY: Final = "history.jsonl"

NOT_PROMOTED: Final = 1

TOGETHER: Final = 50
"""Places that a scorer is asked about at the same time."""


@attrs.frozen
class Attempt:
    """A line of the history: a model that was trained, and what became of it.

    Attributes:
        made_at: when, in UTC.
        learner: what was trained.
        seed: of the training.
        data_sha256: of the examples that it was trained on, apart from their times.
        parent: what it was compared with.
        version: under which name it was promoted, or None.
        why: it was promoted, or was not.
        standings: how it compared.
    """

    made_at: str
    learner: str
    seed: int
    data_sha256: str
    parent: str
    version: str | None
    why: str
    standings: tuple[Standing, ...]


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("--data", metavar="DIR", type=Path, required=True, help="the base set, which `tidepool dataset build` wrote")
    add("--home", metavar="DIR", type=Path, help="where versions are kept (default: where `--scorer learned` looks)")
    add("--kept", metavar="DIR", type=Path, help="what `semantic-scout --keep` wrote (default: `kept` in the home)")
    add("--seed", metavar="S", type=_seed, default=0, help="of the training (default: %(default)s)")


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 to 999999999")
    return int(text)


def main(arguments: argparse.Namespace) -> int:
    """Go round once, and answer the command's exit code."""
    return outcome(VERB, lambda: _main(arguments), COMMAND)


def _main(arguments: argparse.Namespace) -> int:
    home = Home(arguments.home or own_home(os.environ))
    return go_round(home, arguments.data, arguments.kept or home.folder / "kept", embedded(), arguments.seed)


def embedded() -> Learner:
    """The small model that is shipped with this program.

    Raises:
        ConfigError: what it takes is not installed.
    """
    if missing := [name for name in (*NEEDED, "lightgbm") if find_spec(name) is None]:
        extras = "install the extras, `semantic-scout[dataset,learn]`"
        raise ConfigError(f"{', '.join(missing)} cannot be imported: {extras}")
    from interpreters.edge.training.embedded import train
    from interpreters.gemma.learned import learned, trained_on

    return Learner("embedded", "model.json.gz", train, learned, trained_on)


def go_round(home: Home, base: Path, kept: Path, learner: Learner, seed: int) -> int:
    """Rebuild, train, compare, and promote or say why not; answers the exit code.

    Raises:
        ConfigError: something cannot be read, written or trained on.
    """
    with home.held():
        work = home.folder / "work"
        _removed(work)
        try:
            return _Round(home, learner, seed, work).play(base, kept)
        finally:
            _removed(work)


def _removed(work: Path) -> None:
    """Remove what a round leaves on its way, and whatever stands in its place."""
    with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
        work.unlink()
    shutil.rmtree(work, ignore_errors=True)


@attrs.frozen
class _Round:
    """One time round."""

    home: Home
    learner: Learner
    seed: int
    work: Path

    def play(self, base: Path, kept: Path) -> int:
        frozen = freeze(base, self.home.folder / "frozen")
        self.finish()
        current = self.home.current()
        before = self.learner.open(None if current is None else self.home.model_of(current))
        self.doubt(current, frozen)
        self.tell_of_test_set(base, frozen)
        rebuilt = self.rebuilt(base, kept, frozen)
        if tried := self.tried(rebuilt, SHIPPED if current is None else current.name):
            return _say(f"nothing is new: {tried}", NOTHING)
        model = self.trained(rebuilt.folder)
        judged = asyncio.run(until_terminated(_judged(frozen.examples(), before, self.learner.open(model))))
        standings = standings_of(judged)
        decision = decided(standings)
        for one in standings:
            _say(told(one))
        return self.settle(current, frozen, rebuilt, model, standings, decision)

    def finish(self) -> None:
        """Make a version current whose promotion was cut short: it is whole, and nothing is written of it yet."""
        current = self.home.current()
        parent = SHIPPED if current is None else current.name
        known = {attempt.version for attempt in read_history(self.home)}
        for version in self.home.versions(_pass_over):
            if version.name not in known and version.name != parent and version.parent == parent:
                self.home.point_to(version.name)
                parent = version.name
            if version.name not in known:
                _write_down(self.home, _attempt_of(version))

    def tell_of_test_set(self, base: Path, frozen: Frozen) -> None:
        """Tell where what is tested by is not the base set's: the base set loses what it has of these codebases."""
        if tested_by(base) - frozen.codebases:
            names = ", ".join(sorted(frozen.codebases))
            what = f"tested by what was frozen before, of {names}, and not by {base}"
            _say(f"{what}; remove {frozen.folder} to freeze anew")

    def doubt(self, current: Version | None, frozen: Frozen) -> None:
        """Tell where the current model has seen what it is going to be judged by."""
        model = None if current is None else self.home.model_of(current)
        seen = sorted(name for name in self.learner.trained_on(model) if frozen.holds(name))
        if seen:
            what = f"the current model was trained on {', '.join(seen)}, which it is judged by"
            _say(f"{what}: it looks better than it is; remove {frozen.folder} and test on other codebases")

    def rebuilt(self, base: Path, kept: Path, frozen: Frozen) -> Rebuilt:
        """The set to train on, and what became of what was kept, told."""
        found = read_kept(kept)
        if found.unreadable:
            _say(f"{found.unreadable} lines in {kept} are no examples, and were passed over")
        rebuilt = rebuild(base, found.examples, frozen, self.home.folder / "data", self.seed)
        for why, count in rebuilt.left_out.items():
            if count:
                _say(f"{count} kept examples left out: {why}")
        _say(f"{rebuilt.added} kept examples put to the base set")
        for why, count in rebuilt.dropped.items():
            if count:
                _say(f"{count} examples of both dropped: {why}")
        _say(f"in all {', '.join(f'{count} for {split}' for split, count in rebuilt.splits.items())}")
        return rebuilt

    def tried(self, rebuilt: Rebuilt, current: str) -> str:
        """What came of the same before, a clause, or "" where it was not tried: it would come to the same."""
        same = (self.learner.name, self.seed, rebuilt.sha256)
        for version in self.home.versions(_pass_over):
            if same == (version.learner, version.seed, version.data_sha256):
                return f"{version.name} was trained on the same"
        for attempt in read_history(self.home):
            if (*same, current) == (attempt.learner, attempt.seed, attempt.data_sha256, attempt.parent):
                return f"a model that was trained on the same was not promoted, since {attempt.why}"
        return ""

    def trained(self, data: Path) -> Path:
        """A model in a file of its own."""
        self.work.mkdir(parents=True)
        model = self.work / self.learner.file
        self.learner.train(data, model, self.seed)
        if not model.is_file():
            raise ConfigError(f"training with {data} made no model: look at what it said above, and mend the data")
        return model

    def settle(
        self,
        current: Version | None,
        frozen: Frozen,
        rebuilt: Rebuilt,
        model: Path,
        standings: tuple[Standing, ...],
        decision: Decision,
    ) -> int:
        """Promote it or keep the current one, write down which, and tell."""
        parent = SHIPPED if current is None else current.name
        attempt = Attempt(
            made_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            learner=self.learner.name,
            seed=self.seed,
            data_sha256=rebuilt.sha256,
            parent=parent,
            version=self.home.next_name(rebuilt.sha256) if decision.promoted else None,
            why=decision.why,
            standings=standings,
        )
        if attempt.version is not None:
            self.home.promote(_version(attempt.version, attempt, frozen, model), model)
        _write_down(self.home, attempt)
        if attempt.version is None:
            return _say(f"{parent} stays current: {decision.why}", NOT_PROMOTED)
        return _say(f"{attempt.version} is current now: {decision.why}")


def _pass_over(why: ConfigError) -> None:
    _say(f"passed over: {why}")


def _attempt_of(version: Version) -> Attempt:
    """The line that its promotion would have written."""
    return Attempt(
        made_at=version.made_at,
        learner=version.learner,
        seed=version.seed,
        data_sha256=version.data_sha256,
        parent=version.parent,
        version=version.name,
        why="its promotion was cut short, and is finished",
        standings=version.standings,
    )


def _version(name: str, attempt: Attempt, frozen: Frozen, model: Path) -> Version:
    return Version(
        name=name,
        parent=attempt.parent,
        made_at=attempt.made_at,
        learner=attempt.learner,
        seed=attempt.seed,
        data_sha256=attempt.data_sha256,
        test_sha256=frozen.sha256,
        model=model.name,
        model_sha256=digest_of(model),
        standings=attempt.standings,
    )


async def _judged(examples: Iterator[TrainingExample], before: Scorer, after: Scorer) -> list[Judged]:
    """What both models say of every example."""
    judged: list[Judged] = []
    while chunk := list(islice(examples, TOGETHER)):
        said = [await _said(chunk, scorer) for scorer in (before, after)]
        judged += [Judged(example, *both) for example, *both in zip(chunk, *said, strict=True)]
    return judged


async def _said(chunk: Sequence[TrainingExample], scorer: Scorer) -> list[Rubric]:
    answers = await run_async(opinions_of(chunk), scorer)
    for answer in answers:
        if isinstance(answer, Failure):
            raise answer.failure()
    return [answer.unwrap() for answer in answers]


def read_history(home: Home) -> list[Attempt]:
    """What was tried, oldest first; a line that a kill has cut short is passed over.

    Raises:
        ConfigError: it cannot be read.
    """
    file = home.folder / HISTORY
    if not file.exists():
        return []
    return [row.value for row in read_rows(file, Attempt) if not isinstance(row.value, InvalidData)]


def _write_down(home: Home, attempt: Attempt) -> None:
    file = home.folder / HISTORY
    try:
        with file.open("ab", buffering=0) as stream:
            whole = not stream.tell() or file.read_bytes().endswith(b"\n")
            stream.write(f"{'' if whole else chr(10)}{dumps(attempt)}\n".encode())
            os.fsync(stream.fileno())
    except OSError as error:
        raise ConfigError(f"{file} cannot be written ({error.strerror}): make room there") from error


def _say(what: object, code: int = DONE) -> int:
    return say(VERB, what, code, COMMAND)
