"""The loop: from a question to a ranked answer, a program over `Gemma`, `Lsp`, `Clock` and `Report`.

    explore(ScoutQuery("What breaks if I rename price?"))     is a program: nothing has happened yet
    await run_async(program, heuristic() | language_server(session) | system_clock() | silent())

It resolves the question to a definition, follows the trails that lead from it, and rates the places they lead to,
best first and a round at a time, until the budget is spent or nothing is left. What it could not look at is said in
the answer. The answer depends on what the interpreters answer and not on the order in which they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from tidepool.answer import TEST_DISCOUNT, Rated, could_not_look, group, not_found, ranked
from tidepool.change import Change, ChangeKind, read_change
from tidepool.checking import Check, Trial, findings, judge, trial
from tidepool.domain import ScoutQuery, ScoutResponse, TrainingExample
from tidepool.eff import Eff, attempt, each
from tidepool.effects.clock import Clock, now
from tidepool.effects.gemma import Gemma, rate_node
from tidepool.effects.lsp import (
    UNTYPED,
    Lsp,
    Place,
    Symbol,
    SymbolKind,
    Writing,
    document_symbols,
    hover,
    snippet,
    source,
    text_mentions,
    unseen,
    what_if,
)
from tidepool.effects.report import Report, note, progress
from tidepool.errors import InterpreterError, OutOfTime, Unsupported
from tidepool.frontier import Frontier, Lead, Relation
from tidepool.kin import kin
from tidepool.onward import carried, is_in_signature, onward
from tidepool.outline import FUNCTIONS, Outline
from tidepool.reading.coroutines import Holder, holder_at
from tidepool.reading.documents import is_document
from tidepool.reading.mentions import CALLS, IMPORTS
from tidepool.reading.snippets import file_without_text
from tidepool.resolve import Found, NotFound, resolve
from tidepool.rules import expected, propagates
from tidepool.sites import PYTHON, Around, Site, SiteKind, classify, in_test
from tidepool.ties import inside, meant, with_tie
from tidepool.traces import traces
from tidepool.trails import Trail, find_siblings, trails

Exploring: TypeAlias = Gemma | Lsp | Clock | Report
"""The row of `explore`: what its interpreters must answer."""

ROUND_NODES: Final = 50
"""Nodes rated together at most: what one request to a scorer takes."""

DEPTH: Final = 3
"""How many definitions away from the one that changes it is followed: each one multiplies the places."""

NAMES_FOLLOWED: Final = 48
"""Other names for the definition, and names that are tied to it, whose mentions are followed."""

UNTYPED_ASKED: Final = 100
"""Lines with a member's name whose values' types are asked for: enough for a name that says what it is."""

MEMBERS: Final = frozenset({SymbolKind.METHOD, SymbolKind.PROPERTY, SymbolKind.FIELD})
"""What is reached through a value, and so found only where the value's type is known."""

CARRIES_FROM_RELEVANCE: Final = 4
"""The relevance from which a place may carry the change on to the callers of the function that holds it."""

HOVER_CHARACTERS: Final = 4000
"""What is kept of a hover text: the signature and the first lines of documentation."""


FILES_CHECKED_FIRST: Final = 500
"""Files with leads that a checker is asked about before it is asked about everything."""

BROKEN_PROMISE: Final = 20
"""What a place promises that a checker newly finds something wrong at: more than any other."""

LEAST_PROMISE: Final = {Relation.DEFINITION: 16, Relation.SIBLING: 8, Relation.OVERRIDE: 10, Relation.SUBTYPE: 8}
"""What a place promises whatever its text suggests; 15 is the most a text can."""


_SILENT_IMPORTS: Final = IMPORTS - {SiteKind.IMPORT_AS}
"""Imports that lead to nothing which is not led to anyway."""


class ScorerFailed(InterpreterError):
    """The scorer failed on a node.

    Attributes:
        answer: what had been rated by then, ranked; its status is partial.
    """

    def __init__(self, failure: InterpreterError, answer: ScoutResponse) -> None:
        self.answer = answer
        super().__init__(failure.interpreter, failure.why)


def explore(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    """Answer a question about the codebase that the interpreters see.

    Raises:
        ScorerFailed: the scorer failed; the error carries the answer so far. A language server that fails does not
            raise: the answer's status and summary say what could not be looked at.
    """
    change = read_change(query.context)
    match (yield from attempt(resolve(change), InterpreterError)):
        case Success(Found() as found):
            return (yield from _Survey(query, change, found).conduct())
        case Success(NotFound() as missing):
            return not_found(missing, (*missing.reading.limits, *(yield from _unseen())))
        case Failure(error):
            return could_not_look(error)
    raise AssertionError("a result is a success or a failure")


def _unseen() -> Eff[Lsp, tuple[str, ...]]:
    """What the server could not see; that it cannot say so is a limit as well."""
    match (yield from attempt(unseen(), InterpreterError)):
        case Success(clauses):
            return tuple(clauses)
        case Failure(error):
            return (f"what the server left out ({error})",)
    raise AssertionError("a result is a success or a failure")


class _Reached(NamedTuple):
    """A place that is not read yet, and how it was reached, as in a `Lead`."""

    relation: Relation
    place: Place
    depth: int = 0
    tie: str = ""
    origin: str = ""


@attrs.define(eq=False)
class _Survey:
    """One exploration under way: what is known, what was rated, and what could not be looked at."""

    query: ScoutQuery
    change: Change
    found: Found
    frontier: Frontier = attrs.field(factory=Frontier)
    check: Check = attrs.field(factory=Check)
    outlines: dict[str, Outline] = attrs.field(factory=dict)
    rated: list[Rated] = attrs.field(factory=list)
    examples: list[TrainingExample] = attrs.field(factory=list)
    limits: list[str] = attrs.field(factory=list)
    parts_seen: set[object] = attrs.field(factory=set)
    carried_from: set[Place] = attrs.field(factory=set)
    texts: dict[str, Sequence[str]] = attrs.field(factory=dict)
    unheard: dict[str, list[Place]] = attrs.field(factory=dict)
    told: set[str] = attrs.field(factory=set)
    followed: int = 0
    late: OutOfTime | None = None

    def conduct(self) -> Eff[Exploring, ScoutResponse]:
        """Set out, then rate round by round."""
        yield from progress(0, self.query.budget_nodes, f"following {self.found.symbol.qualified_name}")
        yield from self.set_out()
        if self.query.verify:
            yield from self.check_change()
        while not self.late and len(self.frontier) and (room := self.query.budget_nodes - len(self.rated)) > 0:
            picked = yield from self.pick(min(room, self.round_nodes))
            news = yield from self.rate(picked)
            yield from self.carry_on(news)
            total = min(self.query.budget_nodes, len(self.rated) + len(self.frontier))
            yield from progress(len(self.rated), total, picked[-1].place.location)
        self.limits += [str(self.late)] if self.late else (yield from _unseen())
        return self.answer()

    @property
    def round_nodes(self) -> int:
        """Two rounds at least, so that what the first one finds can still be rated."""
        return max(1, min(ROUND_NODES, self.query.budget_nodes // 2))

    def set_out(self) -> Eff[Exploring, None]:
        """From the definition to the first leads."""
        symbol = self.found.symbol
        reading = self.found.reading
        self.limits += reading.limits
        self.outlines.update((path, Outline(symbols)) for path, symbols in reading.outlines.items())
        outline = reading.outlines.get(symbol.place.path, ())
        siblings: tuple[Place, ...] = ()
        if self.change.kind is ChangeKind.ADD_VARIANT:
            match (yield from attempt(find_siblings(symbol, outline), InterpreterError)):
                case Success(places):
                    siblings = places
                case Failure(error):
                    yield from self.could_not_read(f"the variants of {symbol.qualified_name}", error)
        yield from self.add([_Reached(Relation.DEFINITION, symbol.place)])
        ways = [*trails(self.change, symbol, siblings, outline), *traces(self.change, symbol, outline)]
        ways += kin(self.change, symbol, outline)
        yield from self.follow(ways)
        yield from self.follow_untyped()

    def follow_untyped(self) -> Eff[Exploring, None]:
        """Add the lines that write the name of a member on values whose types the server cannot tell.

        A server ties such a line to no definition. Where the name has a namesake, it could be either's.
        """
        symbol = self.found.symbol
        if symbol.kind not in MEMBERS or self.found.namesakes:
            return
        match (yield from attempt(text_mentions([symbol.name], Writing.ATTRIBUTE), InterpreterError)):
            case Success(mentions):
                unknown = [mention.place for mention in mentions if not self.frontier.is_known(mention.place)]
                asked = sorted(unknown, key=lambda place: (in_test(place.path), place))[:UNTYPED_ASKED]
                said = yield from each(self.hear(place) for place in asked)
                yield from self.tell_unheard()
                untyped = [place for place, text in zip(asked, said, strict=True) if text == UNTYPED]
                yield from self.add(sorted(_Reached(Relation.UNTYPED, place) for place in untyped))
                if untyped:
                    count = f"{len(untyped)} line{'s' * (len(untyped) > 1)}"
                    self.limits.append(f"{count} with `.{symbol.name}` on values whose type the server cannot tell")
                if left := len(unknown) - len(asked):
                    self.limits.append(f"{left} more lines with `.{symbol.name}`, about whose values nobody asked")
            case Failure(error):
                yield from self.could_not_read(f"the text for `.{symbol.name}`", error)

    def check_change(self) -> Eff[Exploring, None]:
        """Make the change in memory and ask a checker what it breaks, at the places that are known and at others."""
        symbol = self.found.symbol
        match (yield from attempt(trial(self.change, symbol, self.found.namesakes), InterpreterError)):
            case Success(Success(tried)):
                near = sorted({symbol.place.path, *(lead.place.path for lead in self.frontier.known)})
                if (yield from self.check_edit(tried, tuple(near[:FILES_CHECKED_FIRST]))):
                    yield from self.check_edit(tried, None)
            case Success(Failure(why)):
                self.check = Check(lacks=why)
            case Failure(error):
                yield from self.could_not_check(error)

    def check_edit(self, tried: Trial, paths: tuple[str, ...] | None) -> Eff[Exploring, bool]:
        """Ask a checker about some files, or about all; whether it answered."""
        where = "everywhere" if paths is None else f"{len(paths)} files"
        yield from progress(len(self.rated), self.query.budget_nodes, f"checking {where}")
        match (yield from attempt(what_if(tried.edit, paths), InterpreterError)):
            case Success(diagnostics):
                broken = findings(diagnostics, tried)
                self.check = Check({**self.check.broken, **broken}, asked=True, everywhere=paths is None)
                yield from self.add(_Reached(Relation.BROKEN, found.place) for found in broken.values())
                for aside in (False, True):  # what breaks in product code first
                    places = {one.place.location for one in broken.values() if in_test(one.place.path) is aside}
                    self.frontier.promote(places, BROKEN_PROMISE - TEST_DISCOUNT * aside)
                return True
            case Failure(error):
                yield from self.could_not_check(error)
                return False
        raise AssertionError("a result is a success or a failure")

    def could_not_check(self, error: InterpreterError) -> Eff[Report, None]:
        """Remember that no checker judges the change; one that cannot do so is no loss, one that failed is."""
        self.check = attrs.evolve(self.check, lacks=str(error))
        if not isinstance(error, Unsupported):
            yield from self.could_not_read("what the change breaks, as a checker sees it", error)

    def follow(self, ways: Sequence[Trail]) -> Eff[Exploring, None]:
        """Add the leads that the trails answer."""
        answers = yield from each(attempt(way.ask, InterpreterError) for way in ways)
        reached: list[_Reached] = []
        for way, answer in zip(ways, answers, strict=True):
            match answer:
                case Success(places):
                    reached += [_Reached(way.relation, place, way.depth, way.tie, way.origin) for place in places]
                    if not places and way.relation in (Relation.REFERENCE, Relation.PARAMETER):
                        yield from self.lacks(f"{way.name} (there are none, where one at least was expected)")
                case Failure(error):
                    yield from self.could_not_read(way.name, error)
        yield from self.add(sorted(reached))

    def add(self, reached: Iterable[_Reached]) -> Eff[Exploring, None]:
        """Read the places that are not known yet and queue them; the first relation to a line counts."""
        fresh: dict[str, _Reached] = {}
        for one in reached:
            if not self.frontier.is_known(one.place):
                fresh.setdefault(one.place.location, one)
        yield from self.read_texts(one.place.path for one in fresh.values())
        texts = yield from each(attempt(snippet(one.place), InterpreterError) for one in fresh.values())
        ways: list[Trail] = []
        referring = {lead.place.path for lead in self.frontier.known if lead.relation is not Relation.TEXT}
        referring |= {one.place.path for one in fresh.values() if one.relation is not Relation.TEXT}
        for (relation, place, depth, tie, origin), text in zip(fresh.values(), texts, strict=True):
            match text:
                case Success(code):
                    lead = self.with_surroundings(Lead(place, relation, code, 0, depth, tie=tie, origin=origin))
                    site = classify(self.change, lead.node)
                    if relation is Relation.TEXT and site.kind is SiteKind.EXPORT and place.path not in referring:
                        continue  # another module's own name
                    if relation is Relation.CALLER and site.kind in _SILENT_IMPORTS:
                        continue  # it stays as it is
                    self.frontier.add(attrs.evolve(lead, promise=self.promise(lead, site)))
                    ways += self.onward(lead, site)
                case Failure(error):
                    yield from self.could_not_read(place.location, error)
        if ways:
            yield from self.follow(ways)

    def promise(self, lead: Lead, site: Site) -> int:
        """What is expected of a place before it is rated: twice the risk and the relevance that its text suggests."""
        guess = expected(meant(self.change, lead.node), site)
        text = 2 * guess.risk + guess.relevance - TEST_DISCOUNT * site.in_test
        return max(text, LEAST_PROMISE.get(lead.relation, 0) - TEST_DISCOUNT * site.in_test)

    def onward(self, lead: Lead, site: Site) -> list[Trail]:
        """The ways on from a place, while there are not too many of them."""
        if lead.depth >= DEPTH or self.followed >= NAMES_FOLLOWED:
            return []
        ways = [attrs.evolve(way, origin=lead.place.location) for way in onward(self.change, lead, site)]
        self.followed += len(ways)
        return ways

    def pick(self, count: int) -> Eff[Exploring, list[Lead]]:
        """The best leads, of every definition one, before a second one of any."""
        picked: list[Lead] = []
        while len(picked) < count and len(self.frontier):
            leads = self.frontier.take(count - len(picked))
            yield from self.read_outlines(lead.place.path for lead in leads)
            for lead in leads:
                part = group(lead.place, self.outlines[lead.place.path].holder(lead.place.line))
                if part in self.parts_seen and not lead.deferred:
                    self.frontier.defer(lead)
                else:
                    if lead.relation is not Relation.DEFINITION:  # what it holds has to be looked at all the same
                        self.parts_seen.add(part)
                    picked.append(lead)
        return picked

    def rate(self, leads: Sequence[Lead]) -> Eff[Exploring, list[Rated]]:
        """Ask what stands at each place, then ask the scorer."""
        answers = yield from each(self.rate_one(lead) for lead in leads)
        news = [answer.unwrap() for answer in answers if isinstance(answer, Success)]
        self.rated += news
        yield from self.tell_unheard()
        if self.query.keep_examples:
            time = yield from now()
            self.examples += [TrainingExample(self.query.context, node.node, node.scored, time) for node in news]
        for lead, answer in zip(leads, answers, strict=True):
            if isinstance(answer, Failure):
                failure = answer.failure()
                if isinstance(failure, OutOfTime):
                    self.late = failure
                    self.frontier.defer(lead)
                    continue
                self.limits.append(f"the scorer failed ({failure})")
                raise ScorerFailed(failure, self.answer()) from failure
        return news

    def rate_one(self, lead: Lead) -> Eff[Exploring, Result[Rated, InterpreterError]]:
        """One node with its rubric, or the scorer's failure; a node without a hover text is rated all the same."""
        said = yield from self.hear(lead.place)
        node = attrs.evolve(lead.node, hover=with_tie(said and said[:HOVER_CHARACTERS], lead.tie))
        rubric = yield from attempt(rate_node(self.query.context, node), InterpreterError)
        holder = self.outlines[lead.place.path].holder(lead.place.line)
        site = classify(self.change, node)
        return rubric.map(lambda scored: self.judged(Rated(lead, node, scored, scored, site, holder)))

    def with_surroundings(self, lead: Lead) -> Lead:
        """The lead of a call that tells a scorer which function holds it, where that decides and is known."""
        place, holder = lead.place, self.holder_at(lead.place)
        if holder is None or not holder.head or classify(self.change, lead.node).kind not in CALLS:
            return lead
        changes = self.found.symbol.place
        if (place.path, holder.row + 1) == (changes.path, changes.line):
            holder = holder._replace(around=Around.ASYNC)  # it calls itself
        return attrs.evolve(lead, tie="\n".join(filter(None, (inside(holder.head), lead.tie))))

    def holder_at(self, place: Place) -> Holder | None:
        """The function around a place, as its whole file shows it; None where nobody has read that."""
        lines = self.texts.get(place.path, ())
        return holder_at(lines, place.line - 1, place.column) if 0 < place.line <= len(lines) else None

    def judged(self, node: Rated) -> Rated:
        """What is made of a scorer's rubric by what a checker found, or did not find, at its place."""
        found = self.check.broken.get(node.lead.place.location)
        if found is None and not self.check.everywhere:
            return node
        change = meant(self.change, node.node)
        return attrs.evolve(node, rubric=judge(change, node.node, node.site, node.scored, found), found=found)

    def hear(self, place: Place) -> Eff[Lsp, str | None]:
        """What the server says about what stands at a place, or None; that it failed is remembered."""
        if is_document(place.path):
            return None
        said = yield from attempt(hover(place), InterpreterError)
        if isinstance(said, Failure):
            self.miss(said.failure(), place)
        return said.value_or(None)

    def miss(self, error: InterpreterError, place: Place) -> None:
        """Remember that nobody said what stands at a place; that the time is over is told once."""
        if isinstance(error, OutOfTime):
            self.late = error
        else:
            self.unheard.setdefault(str(error), []).append(place)

    def carry_on(self, news: Sequence[Rated]) -> Eff[Exploring, None]:
        """Follow the change to the callers of the functions that pass it on."""
        ways: list[Trail] = []
        for node in news:
            function = self.passed_on_by(node)
            if function is not None and function.place not in self.carried_from and self.carries(node, function):
                self.carried_from.add(function.place)
                way = carried(self.change, node.lead, node.site, function)
                ways.append(attrs.evolve(way, origin=node.lead.place.location))
        if ways:
            yield from self.follow(ways)

    def passed_on_by(self, node: Rated) -> Symbol | None:
        """The function that holds a place: of one inside of another the inner, where it has to become async."""
        place, function = node.lead.place, node.holder
        inner = self.holder_at(place)
        if function is None or inner is None or not inner.name or inner.row + 1 == function.place.line:
            return function
        where = Place(place.path, inner.row + 1, inner.column)
        return Symbol(inner.name, SymbolKind.FUNCTION, function.qualified_name, where, where.line, place.line)

    def carries(self, node: Rated, function: Symbol) -> bool:
        """Whether the change goes on from this place to whoever calls the function that holds it."""
        return (
            function.kind in FUNCTIONS
            and node.lead.depth < DEPTH
            and node.rubric.relevance >= CARRIES_FROM_RELEVANCE
            and (propagates(self.change, node.site) or self.is_typed_by_it(node))
        )

    def is_typed_by_it(self, node: Rated) -> bool:
        """Whether an alias that changes is the type of a parameter here, or of what the function returns."""
        return self.change.kind is ChangeKind.CHANGE_ALIAS and is_in_signature(node.site, node.node.code)

    def read_outlines(self, paths: Iterable[str]) -> Eff[Exploring, None]:
        """Read the definitions of files that have not been read."""
        fresh = [path for path in dict.fromkeys(paths) if path not in self.outlines]
        self.outlines.update((path, Outline()) for path in fresh if is_document(path))  # no server reads these
        fresh = [path for path in fresh if path not in self.outlines]
        answers = yield from each(attempt(document_symbols(path), InterpreterError) for path in fresh)
        for path, answer in zip(fresh, answers, strict=True):
            match answer:
                case Success(symbols):
                    self.outlines[path] = Outline(symbols)
                case Failure(error):
                    self.outlines[path] = Outline()
                    yield from self.could_not_read(f"the definitions in {path}", error)

    def read_texts(self, paths: Iterable[str]) -> Eff[Exploring, None]:
        """Read the files that have not been read, where it decides which of their functions are async."""
        if self.change.kind is not ChangeKind.MAKE_ASYNC:
            return
        fresh = [path for path in dict.fromkeys(paths) if path not in self.texts and path.endswith(PYTHON)]
        answers = yield from each(attempt(source(path), InterpreterError) for path in fresh)
        for path, answer in zip(fresh, answers, strict=True):
            match answer:
                case Success(text):
                    self.texts[path] = file_without_text(text).split("\n")
                case Failure(error):
                    self.texts[path] = ()
                    yield from self.could_not_read(f"which functions of {path} are async", error)

    def tell_unheard(self) -> Eff[Report, None]:
        """Tell what `hear` remembered. It tells nothing itself: that would split the round it is asked in."""
        for error in [error for error in self.unheard if error not in self.told]:
            self.told.add(error)
            yield from note(f"not looked at: {_unheard(self.unheard[error])} ({error})")

    def could_not_read(self, what: str, error: InterpreterError) -> Eff[Report, None]:
        """Remember, and tell at once, what an error kept from being looked at; that the time is over is told once."""
        if isinstance(error, OutOfTime):
            self.late = error
            return
        yield from self.lacks(f"{what} ({error})")

    def lacks(self, what: str) -> Eff[Report, None]:
        """Remember, and tell at once, what the answer lacks."""
        self.limits.append(what)
        yield from note(f"not looked at: {what}")

    def answer(self) -> ScoutResponse:
        """What is known by now, ranked."""
        return ranked(
            self.change,
            self.found,
            self.rated,
            self.frontier,
            self.outlines,
            check=self.check,
            limits=[*self.limits, *(f"{_unheard(places)} ({error})" for error, places in self.unheard.items())],
            examples=tuple(self.examples) if self.query.keep_examples else None,
        )


def _unheard(places: Sequence[Place]) -> str:
    """What a server did not say, as a clause."""
    count = len(places) - 1
    more = f" and {count} more place{'s' * (count > 1)}" if count else ""
    return f"what the server says about {places[0].location}{more}"
