"""From rated nodes to the ranked answer, and the words for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from tidepool.change import Change, ChangeKind
from tidepool.checking import Check
from tidepool.domain import NodeContext, Pointer, Rubric, ScoutResponse, Status, Step, TrainingExample, Verdict
from tidepool.effects.lsp import Diagnostic, Place, Symbol
from tidepool.errors import InterpreterError, Unsupported
from tidepool.frontier import Frontier, Lead, Relation
from tidepool.outline import Outline
from tidepool.reading.documents import is_document
from tidepool.resolve import Found, NotFound
from tidepool.rulebook import NO_WORK
from tidepool.rules import action, expected
from tidepool.sites import Site, SiteKind, classify, tags
from tidepool.ties import meant

MUST_CHANGE_RISK: Final = 4
"""The risk from which a place is called likely to break."""

MAY_CHANGE_RISK: Final = 3
"""The risk from which a place is worth a look, be it in a test; below that it stays as it is."""

TEST_DISCOUNT: Final = 2
"""How many steps a place in test code ranks below one in product code: a test that breaks is found by running it."""

UNMENTIONED: Final = "Resolve what the checker says here"
"""What to do where a checker complains and nothing is mentioned."""

TOGETHER_LINES: Final = 2
"""How far apart two places may be to be one: a reader sees both."""

_ORDER: Final = {verdict: order for order, verdict in enumerate(Verdict)}

NAMES_SHOWN: Final = 5
LINES_SHOWN: Final = 8


@attrs.frozen
class Rated:
    """A node with its rubric.

    Attributes:
        scored: what the scorer said.
        rubric: the same, by somebody who knows what a checker says.
        site: what stands there.
        holder: the definition that holds it, or None at a file's top level.
        found: what a checker newly finds wrong there.
    """

    lead: Lead
    node: NodeContext
    scored: Rubric
    rubric: Rubric
    site: Site
    holder: Symbol | None
    found: Diagnostic | None = None

    @property
    def verdict(self) -> Verdict:
        """How sure it is that the place breaks."""
        if self.found is not None:
            return Verdict.VERIFIED
        return Verdict.LIKELY if self.rubric.risk >= MUST_CHANGE_RISK else Verdict.POSSIBLE

    @property
    def rank(self) -> tuple[object, ...]:
        """Sorts the answer, best first; two nodes never rank the same."""
        rubric = self.rubric
        aside = self.site.in_test or is_document(self.lead.place.path)
        weight = rubric.risk + rubric.relevance - TEST_DISCOUNT * aside
        return (
            _ORDER[self.verdict],
            rubric.risk < MAY_CHANGE_RISK,
            -weight,
            aside,
            -rubric.risk,
            -rubric.confidence,
            self.lead.relation,
            self.lead.place,
        )


def ranked(
    change: Change,
    found: Found,
    rated: Sequence[Rated],
    frontier: Frontier,
    outlines: dict[str, Outline],
    *,
    check: Check,
    limits: Sequence[str],
    examples: tuple[TrainingExample, ...] | None,
) -> ScoutResponse:
    """The answer, best first: a pointer for every definition that holds rated nodes, and for each place that breaks.

    Args:
        check: how far the change was checked.
        frontier: every lead there was; what is left in it was not rated.
        outlines: the definitions of the files that hold rated nodes.
        limits: what could not be looked at, each a clause.
    """
    leads: dict[object, list[Lead]] = {}
    for lead in frontier.known:
        if outline := outlines.get(lead.place.path):
            leads.setdefault(group(lead.place, outline.holder(lead.place.line)), []).append(lead)
    pointers = tuple(_pointer(change, row, leads.get(row.part, ())) for row in _rows(change, rated))
    return ScoutResponse(
        summary=_summary(change, found, pointers, check, len(rated), len(frontier), limits),
        status=Status.PARTIAL if len(frontier) or limits else Status.COMPLETE,
        pointers=pointers,
        nodes_visited=len(rated),
        frontier_left=len(frontier),
        training_examples=examples,
        reached=None if examples is None else _steps(rated, frontier),
    )


def _steps(rated: Iterable[Rated], frontier: Frontier) -> tuple[Step, ...]:
    """How the rated places were reached, those on the way to one included, the definition that changes first."""
    known = {lead.place.location: lead for lead in frontier.known}
    start = next((place for place, lead in known.items() if lead.relation is Relation.DEFINITION), None)
    steps: dict[str, Step] = {}
    left = [node.lead.place.location for node in rated]
    while left:
        location = left.pop()
        lead = known.get(location)
        if lead is not None and location not in steps:
            origin = None if location == start else lead.origin or start
            steps[location] = Step(location, lead.relation.name.lower(), origin)
            left += [origin] if origin is not None else []

    def order(step: Step) -> tuple[object, ...]:
        return (step.origin is not None, known[step.location].depth, known[step.location].place)

    return tuple(sorted(steps.values(), key=order))


@attrs.define(eq=False)
class _Row:
    """What one pointer is about.

    Attributes:
        part: what holds it.
        best: the node that it points to.
        shown: the lines of the same part that have rows.
        is_first: whether it is the first row of its part, which lists the lines that have none.
    """

    part: tuple[str, str]
    best: Rated
    shown: list[int]
    is_first: bool


def _rows(change: Change, rated: Iterable[Rated]) -> list[_Row]:
    """A row for each definition, and one for each further place in it that is likely to break by itself."""
    rows: list[_Row] = []
    first: dict[tuple[str, str], _Row] = {}
    for node in sorted(rated, key=lambda node: node.rank):
        part, line = group(node.lead.place, node.holder), node.lead.place.line
        known = first.get(part)
        if known is None:
            known = first[part] = _Row(part, node, [line], is_first=True)
            rows.append(known)
        elif _stands_alone(change, node) and all(abs(line - shown) > TOGETHER_LINES for shown in known.shown):
            known.shown.append(line)
            rows.append(_Row(part, node, known.shown, is_first=False))
    return rows


def _stands_alone(change: Change, node: Rated) -> bool:
    """Whether a place breaks by itself: what treats each variant is one place, however many it names."""
    of_variants = change.kind is ChangeKind.ADD_VARIANT
    return node.found is not None or (node.rubric.risk >= MUST_CHANGE_RISK and not of_variants)


def not_found(missing: NotFound, limits: Sequence[str] = ()) -> ScoutResponse:
    """The answer to a question about names that the codebase does not define.

    Args:
        limits: what could not be looked at, each a clause: the name may be there.
    """
    if not missing.written:
        advice = "The question names no definition: say what you want to change, and write its name in backticks."
        return ScoutResponse(advice, Status.NOT_FOUND)
    names = _listed(missing.written)
    be = "name is" if len(missing.closest) == 1 else "names are"
    closest = f"; the closest {be} {_listed(missing.closest)}" if missing.closest else ""
    sentences = [f"Nothing named {names} is defined under the root{closest}.", *_not_looked_at(limits)]
    return ScoutResponse(" ".join(sentences), Status.NOT_FOUND)


def could_not_look(error: InterpreterError) -> ScoutResponse:
    """The answer where the language server did not even find the definition."""
    status = Status.UNSUPPORTED if isinstance(error, Unsupported) else Status.NOT_READY
    return ScoutResponse(f"The codebase could not be looked at: {error}.", status)


def group(place: Place, holder: Symbol | None) -> tuple[str, str]:
    """What shares one pointer: the lines of one definition, its overloads included, or of a file's top level."""
    return (place.path, holder.qualified_name if holder else "")


def _pointer(change: Change, row: _Row, leads: Sequence[Lead]) -> Pointer:
    node, rubric = row.best, row.best.rubric
    return Pointer(
        location=node.node.location,
        what=_what(node, sorted({lead.place.line for lead in leads} - {*row.shown}) if row.is_first else ()),
        relevance=rubric.relevance,
        risk=rubric.risk,
        confidence=rubric.confidence,
        reasoning=rubric.reasoning,
        tags=tags(node.site.kind),
        action=_action(change, node, leads),
        verdict=node.verdict,
    )


def _action(change: Change, node: Rated, leads: Iterable[Lead]) -> str:
    """What to do at a node; where a checker stops at a line without a mention, what the best line around asks for."""
    sites = [(meant(change, node.node), node.site)]
    if node.found and node.site.kind is SiteKind.NONE:
        sites = [(meant(change, lead.node), classify(change, lead.node)) for lead in leads]
        sites = [(change, site) for change, site in sites if site.kind is not SiteKind.NONE]
    best = max(sites, key=lambda site: expected(*site)[:2], default=None)
    if best is None or (node.found and expected(*best).do == NO_WORK):
        return UNMENTIONED
    return action(*best)


def _what(node: Rated, others: Sequence[int]) -> str:
    name = node.holder.qualified_name if node.holder else f"{node.site.kind} at the top level of {node.lead.place.path}"
    if not others:
        return name
    shown = ", ".join(map(str, others[:LINES_SHOWN])) + (", …" if len(others) > LINES_SHOWN else "")
    return f"{name} (also line{'s' * (len(others) > 1)} {shown})"


def _summary(
    change: Change,
    found: Found,
    pointers: Sequence[Pointer],
    check: Check,
    visited: int,
    left: int,
    limits: Sequence[str],
) -> str:
    symbol = found.symbol
    likely = [pointer for pointer in pointers if pointer.risk >= MUST_CHANGE_RISK]
    sentences = [f"To {change.kind}: `{symbol.qualified_name}` ({symbol.place.location})."]
    if likely:
        names = _listed(pointer.what.partition(" (also")[0] for pointer in likely)
        be = "is" if len(likely) == 1 else "are"
        sentences.append(f"{len(likely)} of {len(pointers)} places {be} likely to break: {names}.")
    elif not pointers:
        sentences.append("Nothing was rated.")
    elif change.kind is ChangeKind.CHANGE_BEHAVIOUR:
        sentences.append(f"Whether the {len(pointers)} places listed break depends on what it does then.")
    elif len(pointers) > 1 or left or limits:
        sentences.append(f"None of the {len(pointers)} places rated is likely to break.")
    else:
        sentences.append("The language server knows no use of it; one whose type it cannot tell may be there.")
    sentences += _checked(check, pointers)
    if left:
        sentences.append(f"{visited} of {visited + left} known lines were rated; a larger budget rates the rest.")
    if found.undefined:
        sentences.append(f"No {_listed(found.undefined)} is defined, so this is about {found.written}.")
    if found.namesakes:
        sentences.append(_ambiguity(found))
    return " ".join([*sentences, *_not_looked_at(limits)])


def _checked(check: Check, pointers: Sequence[Pointer]) -> list[str]:
    """How far the change was checked, in a sentence or two; nothing where nobody wanted it to be."""
    verified = sum(pointer.verdict is Verdict.VERIFIED for pointer in pointers)
    sentences = []
    if verified:
        sentences.append(
            f"{verified} {'is' if verified == 1 else 'are'} verified: made in memory, the change fails there."
        )
    elif check.everywhere:
        sentences.append("With the change made in memory, a checker finds nothing new that is wrong.")
    if check.lacks:
        sentences.append(f"{'No more was' if check.asked else 'Nothing was'} verified: {check.lacks}.")
    return sentences


def _not_looked_at(limits: Sequence[str]) -> list[str]:
    return [f"Not everything could be looked at: {'; '.join(limits)}."] if limits else []


def _ambiguity(found: Found) -> str:
    others = _listed(f"{other.qualified_name} ({other.place.location})" for other in found.namesakes)
    return f"The name {found.written} is ambiguous: it is also {others}; write more of the one you mean."


def _listed(names: Iterable[str]) -> str:
    """Names as a list in a sentence, the first few of many."""
    every = list(dict.fromkeys(names))
    shown = ", ".join(f"`{name}`" for name in every[:NAMES_SHOWN])
    return shown + (f" and {len(every) - NAMES_SHOWN} more" if len(every) > NAMES_SHOWN else "")
