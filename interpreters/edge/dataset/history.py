"""Examples from a git repository's history: what followed a change is what its commit, or a fix soon after, touched.

    async for answered in history(folder, "HEAD", name="till", seed=0, licence=None, commits_looked_at=99, python=None):
        ...

The question is asked at the parent of the commit, checked out to a folder of its own, and answered by exploration with
the built-in rules. What exploration did not reach is counted and not made up.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import attrs

from interpreters.clock import system_clock
from interpreters.gemma.heuristic import heuristic
from interpreters.git import Commit, Difference, Repository, open_repository
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.session import open_session
from interpreters.report import silent
from tidepool.candidates import Sources
from tidepool.cases import Spot, own_lines
from tidepool.domain import Provenance, ScoutQuery, ScoutResponse, Status, TrainingExample
from tidepool.eff import Handler, run_async
from tidepool.effects.clock import Now
from tidepool.errors import ConfigError, InterpreterError
from tidepool.explore import explore
from tidepool.kinds import PARAMETER_KINDS
from tidepool.seeds import shuffled
from tidepool.training.answered import Answered, is_positive
from tidepool.training.differences import Differences, Made, changes_between
from tidepool.training.history import (
    MOST_CHANGES,
    Asked,
    Evidence,
    Passed,
    called,
    followers,
    is_fix,
    is_python,
    is_rewritten,
    noise_of_paths,
    noise_of_texts,
    question,
    verdict,
    words_of,
)
from tidepool.training.labels import Labels
from tidepool.training.touched import Touched, touched

BUDGET: Final = 40
"""Places looked at for a question."""

LANGUAGE: Final = "Python"


_PARSING: Final = threading.Lock()
"""Held where sources are parsed: in Python 3.11, a thread that does so while another one does may fail."""

P = ParamSpec("P")
T = TypeVar("T")


async def _apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do in a thread what takes long and parses, while nobody else does."""

    def alone() -> T:
        with _PARSING:
            return work(*args, **kwargs)

    return await asyncio.to_thread(alone)


@attrs.define
class Tally:
    """What became of the commits and of the changes in them, counted while `history` runs.

    Attributes:
        commits: how many commits were looked at.
        found: how many changes of each kind commits made.
        asked: how many changes of each kind gave examples.
        passed: how many commits and changes were passed over, by the reason.
        left_out: how many definitions were passed over in commits that were looked into, by the reason.
        positives: how many examples are of places that followed.
        negatives: how many are of places that did not.
        unreached: how many places that mention the definition and that the commit touched no exploration came to.
    """

    commits: int = 0
    found: Counter[str] = attrs.field(factory=Counter)
    asked: Counter[str] = attrs.field(factory=Counter)
    passed: Counter[str] = attrs.field(factory=Counter)
    left_out: Counter[str] = attrs.field(factory=Counter)
    positives: int = 0
    negatives: int = 0
    unreached: int = 0


@attrs.frozen
class _Change:
    """A change that a commit made, with what the commit touched."""

    commit: Commit
    made: Made
    others: frozenset[str] = attrs.field(repr=False)
    files: tuple[Difference, ...] = attrs.field(repr=False, eq=False)


async def history(  # noqa: PLR0913 - what a repository is asked about, and who counts
    repository: Path,
    revision: str,
    *,
    name: str,
    seed: int,
    licence: str | None,
    commits_looked_at: int,
    python: Path | None,
    begin: int = 0,
    tally: Tally | None = None,
    clock: Handler[Now] | None = None,
) -> AsyncGenerator[Answered]:
    """What a repository's commits answer, change by change, the same for a repository and a seed; some answer nothing.

    Args:
        revision: the newest commit that is looked at; the others are those before it.
        name: the codebase's.
        licence: of the codebase, or None.
        commits_looked_at: how many commits, at most.
        python: the environment that the codebase's imports come from, or None for the one that is found.
        begin: how many of the changes are passed over, since they were asked about before.
        tally: counts what became of the commits.

    Raises:
        ConfigError: git is not installed, or there is no such repository or revision.
        InterpreterError: git cannot read it.
    """
    counts = tally if tally is not None else Tally()
    with open_repository(repository) as opened:
        newest = await asyncio.to_thread(opened.resolve, revision)
        commits = await asyncio.to_thread(opened.commits, newest, commits_looked_at)
        teller = _Teller(opened, commits, name, seed, licence, python, counts, clock or system_clock())
        changes = await _apart(teller.changes)
        for number, change in enumerate(shuffled(changes, f"{seed} {name}")):
            if number >= begin:
                yield await teller.answered(change, number) or Answered(name, number, "", ())


@attrs.define(eq=False)
class _Teller:
    """Finds the changes in one repository, and asks about them."""

    repository: Repository
    commits: Sequence[Commit]
    name: str
    seed: int
    licence: str | None
    python: Path | None
    tally: Tally
    clock: Handler[Now]
    touching: dict[str, list[Difference]] = attrs.field(factory=dict, init=False)

    def changes(self) -> list[_Change]:
        """What the commits did to definitions; why the others are passed over is counted."""
        self.touching = self.repository.differences(commit.id for commit in self.commits)
        found: list[_Change] = []
        for commit in self.commits:
            self.tally.commits += 1
            files = self.touching.get(commit.id, [])
            of_commit = noise_of_paths(commit, [file.path for file in files]) or self._read(files)
            if isinstance(of_commit, Passed):
                self.tally.passed[of_commit] += 1
                continue
            self.tally.found.update(str(made.change.kind) for made in of_commit.made)
            names = {made: frozenset({called(made.change), made.change.new_name or ""}) for made in of_commit.made}
            for made, own in names.items():
                others = frozenset().union(*names.values()) - own - {""}
                found.append(_Change(commit, made, others, tuple(files)))
        return found

    def _read(self, files: Sequence[Difference]) -> Differences | Passed:
        """What the files of a commit tell, or why they tell nothing."""
        own = [file for file in files if is_python(file.path)]
        before = self._texts((file.path, file.before) for file in own)
        after = self._texts((file.path, file.after) for file in own)
        lines = sum(len(touched(text, after.get(path, "")).lines) for path, text in before.items())
        noise = noise_of_texts(before, after, lines)
        if noise is not None:
            return noise
        found = changes_between(before, after)
        self.tally.left_out.update(found.left_out)
        if len(found.made) > MOST_CHANGES:
            return Passed.MANY_CHANGES
        return found if found.made else Passed.NO_CHANGE

    def _texts(self, blobs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
        read = ((path, self.repository.text(blob)) for path, blob in blobs)
        return {path: text for path, text in read if text is not None}

    async def answered(self, change: _Change, number: int) -> Answered | None:
        """The examples of a change, or None and a reason counted."""
        parent = change.commit.parents[0]
        with tempfile.TemporaryDirectory(prefix="tidepool-history-") as folder:
            root = Path(folder)
            texts = await asyncio.to_thread(self.repository.check_out, parent, root)
            asked = await _apart(self._asked, change, texts)
            if isinstance(asked, Passed):
                self._pass(asked)
                return None
            response = await self._explored(root, asked)
        if response is None or response.status in _UNANSWERED or not response.training_examples:
            self._pass(Passed.UNANSWERED)
            return None
        evidence = await _apart(self._evidence, change, texts)
        provenance = Provenance(
            self.name, parent, LANGUAGE, self.licence, str(Labels.HISTORY), str(asked.change.kind), None
        )
        examples = tuple(_labelled(response.training_examples, asked, evidence, provenance))
        positives = sum(is_positive(example.rubric) for example in examples)
        self._count_unreached(change.made, evidence, response.training_examples)
        if not positives:
            self._pass(Passed.NOTHING_FOLLOWED)
            return None
        self.tally.asked[str(asked.change.kind)] += 1
        self.tally.positives += positives
        self.tally.negatives += len(examples) - positives
        return Answered(self.name, number, asked.phrased.phrasing, examples)

    def _pass(self, why: Passed) -> None:
        self.tally.passed[why] += 1

    def _asked(self, change: _Change, texts: Mapping[str, str]) -> Asked | Passed:
        sources = Sources({path: text for path, text in texts.items() if is_python(path)})
        symbol = change.made.symbol
        target = sources.spelling(symbol)
        if target is None:
            return Passed.SAME_NAME
        if sources.words[called(change.made.change)] <= 1:
            return Passed.ALONE
        seed = f"{self.seed} {change.commit.id} {symbol.place.location}"
        return question(change.made, target, seed) or Passed.NO_QUESTION

    async def _explored(self, root: Path, asked: Asked) -> ScoutResponse | None:
        query = asked.phrased.query
        wanted = ScoutQuery(query.query, query.tags, budget_nodes=BUDGET, keep_examples=True)
        try:
            async with open_session(root, python=self.python) as session:
                world = heuristic() | language_server(session) | self.clock | silent()
                return await run_async(explore(wanted), world)
        except (ConfigError, InterpreterError):  # an old revision may be one that no server reads
            return None

    def _evidence(self, change: _Change, texts: Mapping[str, str]) -> Evidence:
        """What the commit and the fixes soon after touched."""
        symbol, kind = change.made.symbol, change.made.change.kind
        first, last = own_lines(kind, symbol)
        if change.made.change.member is not None and kind in PARAMETER_KINDS:
            first, last = symbol.first_line, symbol.last_line
        at_once: dict[str, Touched | None] = {}
        for file in change.files:
            if file.path in texts:
                after = self.repository.text(file.after)
                done = touched(texts[file.path], after) if after is not None else None
                at_once[file.path] = None if done is None or is_rewritten(texts[file.path], done) else done
        path = symbol.place.path
        sources = {path: text for path, text in texts.items() if is_python(path)}
        return Evidence(
            (Spot(path, first), Spot(path, last)), change.others, sources, at_once, self._fixed(change, texts)
        )

    def _fixed(self, change: _Change, texts: Mapping[str, str]) -> dict[str, Touched]:
        """What fixes soon after touched, in files that the commit and others since had left as they were."""
        fixed: dict[str, Touched] = {}
        dirty = {file.path for file in change.files}
        for commit in followers(self.commits, change.commit):
            for file in self.touching.get(commit.id, ()):
                is_clean = file.path not in dirty and file.path in texts
                after = (
                    self.repository.text(file.after)
                    if is_clean and is_fix(commit.subject, change.made.change)
                    else None
                )
                if after is not None:
                    fixed[file.path] = touched(texts[file.path], after)
                dirty.add(file.path)
        return fixed

    def _count_unreached(self, made: Made, evidence: Evidence, examples: Sequence[TrainingExample]) -> None:
        reached = {example.node.location for example in examples}
        named = called(made.change)
        first, last = evidence.own
        for path, done in evidence.at_once.items():
            lines = evidence.sources[path].split("\n") if done is not None and path in evidence.sources else []
            for number in done.lines if done is not None and lines else ():
                is_own = path == first.path and first.line <= number <= last.line
                if not is_own and named in words_of(lines[number - 1]) and f"{path}:{number}" not in reached:
                    self.tally.unreached += 1


_UNANSWERED: Final = frozenset({Status.NOT_FOUND, Status.NOT_READY, Status.UNSUPPORTED})


def _labelled(
    explored: Sequence[TrainingExample], asked: Asked, evidence: Evidence, provenance: Provenance
) -> Iterator[TrainingExample]:
    judge = partial(verdict, asked.change, evidence=evidence, tags=asked.phrased.query.tags)
    for example in explored:
        rubric = judge(example.node)
        if rubric is not None:
            yield TrainingExample(asked.phrased.query, example.node, rubric, example.timestamp, provenance)
