"""`tidepool cases`: make cases from codebases, and say what was left out.

A case takes a change to a definition, makes the edit on a copy, and asks two checkers what newly fails. The language
server adds what no checker says: where a name is gone, every mention of it, and the overrides of a method.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import attrs
from returns.result import Failure, Result, Success

from interpreters.checkers import CHECKERS, Labeller, command_of, copied
from interpreters.edge.ending import TERMINATED, until_terminated
from interpreters.edge.keys import nearest
from interpreters.edge.printing import printable
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.project import check_root, find_environment
from interpreters.lsp.session import open_session
from tidepool.candidates import SUITS, Candidate, Skipped, Sources, candidates
from tidepool.cases import Case, Spot, labels, own_lines, written
from tidepool.change import ChangeKind
from tidepool.edit import hypothetical
from tidepool.eff import AsyncHandler, run_async
from tidepool.effects.lsp import Lsp, Place, SymbolKind, implementations, references
from tidepool.errors import ConfigError, InterpreterError
from tidepool.explore import DEPTH
from tidepool.kinds import GONE_KINDS, NAMING_KINDS
from tidepool.metrics import FIRST_ROWS
from tidepool.trails import descendants, mentions_in_turn

DONE: Final = 0
USAGE: Final = 2
NOTHING: Final = 3
NO_SERVER: Final = 4
INTERRUPTED: Final = 130

TRIES: Final = 6
"""How many definitions are tried for each case that is wanted, before a kind is given up in a codebase."""

MOST_PLACES: Final = FIRST_ROWS
"""Places that must change, at most: no first rows of an answer could hold more of them."""


@attrs.frozen
class Wanted:
    """What `tidepool cases` was asked to do, in its flags' words.

    Attributes:
        roots: the codebases.
        per_kind: how many cases of each kind of change, in each codebase, at most.
        kinds: which kinds.
        python: the environment their imports come from; None for the one that is found.
        out: the file to write.
    """

    roots: tuple[Path, ...]
    per_kind: int
    seed: int
    kinds: tuple[ChangeKind, ...]
    python: Path | None
    out: Path


def kinds_of(names: Sequence[str] | None) -> tuple[ChangeKind, ...]:
    """The kinds of changes of these names, or all that cases can be made of.

    Raises:
        ConfigError: there is no such kind.
    """
    known = tuple(map(str, SUITS))
    for name in names or ():
        if name not in known:
            raise ConfigError(f"no cases can be made of the kind {name[:60]!r}; {nearest(name, known)}")
    return tuple(kind for kind in SUITS if names is None or kind in names)


def make_cases(wanted: Wanted) -> int:
    """Write the cases and answer the command's exit code."""
    try:
        for checker in CHECKERS:
            command_of(checker)
        _check_names(wanted.roots)
        with asyncio.Runner() as runner:
            cases = runner.run(until_terminated(_cases(wanted)))
        _write(wanted.out, cases)
    except ConfigError as error:
        return _say(error, USAGE)
    except InterpreterError as error:
        return _say(error, NO_SERVER)
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    places = sum(len(case.must) for case in cases)
    _say(f"{len(cases)} cases with {places} places that must change, from {len(wanted.roots)} codebases")
    return DONE if cases else _say("no case could be made: name a codebase with more type annotations", NOTHING)


def _check_names(roots: tuple[Path, ...]) -> None:
    names = Counter(root.resolve().name for root in roots)
    if shared := [name for name, count in names.items() if count > 1]:
        raise ConfigError(f"two codebases are called {shared[0]}: rename the folder of one, or name it once")


async def _cases(wanted: Wanted) -> list[Case]:
    cases: list[Case] = []
    for root in wanted.roots:
        async with _open_maker(root, wanted) as maker:
            for kind in wanted.kinds:
                made = await maker.of_kind(kind)
                cases += made
                left_out = ", ".join(f"{count} {why}" for why, count in sorted(maker.left_out.items()))
                _say(f"{maker.name}: {kind}: {len(made)} cases" + (f"; left out: {left_out}" if left_out else ""))
    return cases


@asynccontextmanager
async def _open_maker(root: Path, wanted: Wanted) -> AsyncGenerator[_Maker]:
    real = check_root(root, (".py",))
    environment = find_environment(real, wanted.python, os.environ)
    with copied(real) as copy:
        async with open_session(real, python=wanted.python) as session:
            yield _Maker(
                wanted, real, Sources(copy.texts), Labeller(copy, CHECKERS, environment), language_server(session)
            )


@attrs.define
class _Maker:
    """Makes the cases of one codebase.

    Attributes:
        left_out: how many definitions no case was made from, by the reason, since a kind was begun.
    """

    wanted: Wanted
    root: Path
    sources: Sources
    labeller: Labeller
    server: AsyncHandler[Lsp]
    left_out: Counter[str] = attrs.field(factory=Counter)

    @property
    def name(self) -> str:
        """The codebase's."""
        return self.root.name

    async def of_kind(self, kind: ChangeKind) -> list[Case]:
        """Cases of one kind of change, as many as are wanted or as there are."""
        self.left_out.clear()
        cases: list[Case] = []
        for candidate in islice(self.tried(kind), self.wanted.per_kind * TRIES):
            match await self.case(candidate):
                case Success(made):
                    cases.append(made)
                case Failure(why):
                    self.left_out[f"because {why}"] += 1
            if len(cases) >= self.wanted.per_kind:
                break
        return cases

    def tried(self, kind: ChangeKind) -> Iterator[Candidate]:
        """The definitions that a case may be made from."""
        for one in candidates(self.sources, kind, self.wanted.seed):
            if isinstance(one, Skipped):
                self.left_out[f"because {one.why}"] += 1
            else:
                yield one

    async def case(self, candidate: Candidate) -> Result[Case, str]:
        """The case, or a clause that says why there is none."""
        change, symbol = candidate.change, candidate.symbol
        made = hypothetical(change, symbol, self.sources.files[symbol.place.path])
        if isinstance(made, Failure):
            return Failure(f"there is no edit ({_general(made.failure(), candidate)})")
        try:
            found = await self.labeller.found(made.unwrap())
            further = await self.further(candidate)
        except InterpreterError as error:
            return Failure(f"of {error}")
        blank = self.blank(candidate)
        outside = [{spot for spot in spots if not blank.is_own(spot)} for spots in found]
        must, may = labels(outside, [spot for spot in further if not blank.is_own(spot)])
        if not must:
            return Failure("no place fails for both checkers")
        if len(must) > MOST_PLACES:
            return Failure(f"more than {MOST_PLACES} places fail")
        return Success(attrs.evolve(blank, must=must, may=may))

    def blank(self, candidate: Candidate) -> Case:
        """The case without its places."""
        change, symbol, query = candidate.change, candidate.symbol, candidate.query
        parts = [self.name, change.kind.replace(" ", "-"), change.targets[0].qualified_name, change.member]
        return Case(
            id="/".join(dict.fromkeys(part for part in parts if part)),
            codebase=self.name,
            root=_seen_from(self.root, self.wanted.out),
            kind=change.kind,
            question=query.query,
            tags=query.tags,
            name=symbol.qualified_name,
            definition=symbol.place.location,
            own_lines=own_lines(change.kind, symbol),
            must=(),
            may=(),
        )

    async def further(self, candidate: Candidate) -> list[Spot]:
        """What has to follow though no checker says so.

        That is every mention of what is gone, `__all__` included, the overrides of a method that goes, the callers that
        have to become asynchronous in turn, and the classes that have to implement a new abstract method.
        """
        kind, symbol = candidate.change.kind, candidate.symbol
        places: list[Place] = []
        listed: list[Spot] = []
        if kind in GONE_KINDS:
            places += await run_async(references(symbol.place), self.server)
        if kind in NAMING_KINDS and not symbol.container:
            listed = self.sources.exporting(symbol.name, sorted({place.path for place in places}))
        if kind in NAMING_KINDS and symbol.kind in (SymbolKind.METHOD, SymbolKind.PROPERTY):
            places += await run_async(implementations(symbol.place), self.server)
        if kind is ChangeKind.MAKE_ASYNC:
            places += await run_async(mentions_in_turn(symbol, DEPTH), self.server)
            if symbol.kind is SymbolKind.METHOD:
                places += await run_async(implementations(symbol.place), self.server)
        if kind is ChangeKind.ADD_ABSTRACT_METHOD:
            places += await run_async(descendants(symbol), self.server)
        return [*listed, *(Spot(place.path, place.line) for place in places)]


def _general(why: str, candidate: Candidate) -> str:
    """A reason without the names in it, so that it can be counted."""
    change, symbol = candidate.change, candidate.symbol
    for name in filter(None, (symbol.qualified_name, symbol.name, change.member, change.new_name, symbol.container)):
        why = why.replace(f"`{name}`", "it").replace(f" {name} ", " it ")
    return why


def _seen_from(root: Path, out: Path) -> str:
    """The root as the file of cases is to write it: so the two can be moved together."""
    return Path(os.path.relpath(root, out.absolute().parent)).as_posix()


def _write(out: Path, cases: list[Case]) -> None:
    try:
        out.write_text(written(cases), encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}): name another file with --out") from error


def _say(what: object, code: int = DONE) -> int:
    print(f"tidepool cases: {printable(str(what))}", file=sys.stderr)
    return code
