"""From rated nodes to the ranked answer, and the words for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from tidepool.change import Change, ChangeKind
from tidepool.domain import NodeContext, Pointer, Rubric, ScoutResponse, Status, TrainingExample, Verdict
from tidepool.effects.lsp import Place, Symbol
from tidepool.errors import InterpreterError, Unsupported
from tidepool.frontier import Lead
from tidepool.outline import Outline
from tidepool.resolve import Found, NotFound
from tidepool.rules import action
from tidepool.sites import Site, tags

MUST_CHANGE_RISK: Final = 4
"""The risk from which a place is called likely to break."""

TEST_DISCOUNT: Final = 2
"""How many steps a place in test code ranks below one in product code: a test that breaks is found by running it."""

NAMES_SHOWN: Final = 5
LINES_SHOWN: Final = 8


@attrs.frozen
class Rated:
    """A node with its rubric.

    Attributes:
        holder: the definition that holds it, or None at a file's top level.
        site: what stands there.
    """

    lead: Lead
    node: NodeContext
    rubric: Rubric
    site: Site
    holder: Symbol | None

    @property
    def rank(self) -> tuple[object, ...]:
        """Sorts the answer, best first; two nodes never rank the same."""
        rubric = self.rubric
        weight = rubric.risk + rubric.relevance - TEST_DISCOUNT * self.site.in_test
        return (-weight, self.site.in_test, -rubric.risk, -rubric.confidence, self.lead.relation, self.lead.place)


def ranked(
    change: Change,
    found: Found,
    rated: Sequence[Rated],
    known: Iterable[Lead],
    outlines: dict[str, Outline],
    *,
    left: int,
    limits: Sequence[str],
    examples: tuple[TrainingExample, ...] | None,
) -> ScoutResponse:
    """The answer: one pointer for every definition that holds rated nodes, the best of them first.

    Args:
        known: every lead there was, rated or not.
        outlines: the definitions of the files that hold rated nodes.
        left: how many leads were not rated.
        limits: what could not be looked at, each a clause.
    """
    best: dict[object, Rated] = {}
    for node in sorted(rated, key=lambda node: node.rank):
        best.setdefault(group(node.lead.place, node.holder), node)
    lines: dict[object, list[int]] = {}
    for lead in known:
        if outline := outlines.get(lead.place.path):
            lines.setdefault(group(lead.place, outline.holder(lead.place.line)), []).append(lead.place.line)
    pointers = tuple(_pointer(change, node, sorted(lines.get(group, ()))) for group, node in best.items())
    return ScoutResponse(
        summary=_summary(change, found, pointers, len(rated), left, limits),
        status=Status.PARTIAL if left or limits else Status.COMPLETE,
        pointers=pointers,
        nodes_visited=len(rated),
        frontier_left=left,
        training_examples=examples,
    )


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


def _pointer(change: Change, node: Rated, lines: Sequence[int]) -> Pointer:
    rubric = node.rubric
    return Pointer(
        location=node.node.location,
        what=_what(node, [line for line in lines if line != node.lead.place.line]),
        relevance=rubric.relevance,
        risk=rubric.risk,
        confidence=rubric.confidence,
        reasoning=rubric.reasoning,
        tags=tags(node.site.kind),
        action=action(change, node.site),
        verdict=Verdict.LIKELY if rubric.risk >= MUST_CHANGE_RISK else Verdict.POSSIBLE,
    )


def _what(node: Rated, others: Sequence[int]) -> str:
    name = node.holder.qualified_name if node.holder else f"{node.site.kind} at the top level of {node.lead.place.path}"
    if not others:
        return name
    shown = ", ".join(map(str, others[:LINES_SHOWN])) + (", …" if len(others) > LINES_SHOWN else "")
    return f"{name} (also line{'s' * (len(others) > 1)} {shown})"


def _summary(
    change: Change, found: Found, pointers: Sequence[Pointer], visited: int, left: int, limits: Sequence[str]
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
    if left:
        sentences.append(f"{visited} of {visited + left} known lines were rated; a larger budget rates the rest.")
    if found.undefined:
        sentences.append(f"No {_listed(found.undefined)} is defined, so this is about {found.written}.")
    if found.namesakes:
        sentences.append(_ambiguity(found))
    return " ".join([*sentences, *_not_looked_at(limits)])


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
