"""The program that makes examples: ask a question, and label what exploration looked at and what newly breaks.

answer = yield from examples_of(question, Labels.MIXED, origin)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain, zip_longest
from typing import Final

import attrs

from tidepool.checking import Check
from tidepool.domain import NodeContext, Provenance, ScoutQuery, Status, TrainingExample
from tidepool.eff import Eff, each
from tidepool.effects.clock import now
from tidepool.effects.lsp import Lsp, Place, document_symbols, hover, snippet
from tidepool.explore import HOVER_CHARACTERS, Exploring, explore
from tidepool.oracle import consult
from tidepool.reading.documents import is_document
from tidepool.seeds import shuffled
from tidepool.training.answered import is_positive
from tidepool.training.labels import Label, Labels, label
from tidepool.training.lookups import Lookup
from tidepool.training.questions import Question

BUDGET: Final = 40
"""Places looked at for a question."""

POSITIVES: Final = 12
"""Positive examples that one question gives, at most: the fiftieth call of a function teaches nothing new."""

NEGATIVES_EACH: Final = 2
"""Negative examples for each positive one."""

NEGATIVES_ALONE: Final = 4
"""Negative examples that a question gives however few positive ones it has."""

BESIDE: Final = 6
"""Definitions beside what breaks that are examples of what has nothing to do with it, at most."""

FILES_BESIDE: Final = 3
"""Files that such definitions are taken from, at most."""


@attrs.frozen
class Harvested:
    """What a question gave.

    Attributes:
        examples: the positive ones first, in the order in which the places were rated.
        left_out: why there are none, a clause, or "".
    """

    examples: tuple[TrainingExample, ...] = ()
    left_out: str = ""


def examples_of(question: Question, labels: Labels, origin: Provenance) -> Eff[Exploring, Harvested]:
    """Ask a question and label what its answer looked at.

    Args:
        labels: all but `HISTORY`, for which a codebase alone does not suffice.
        origin: of the codebase.

    Raises:
        InterpreterError: the codebase could not be asked.
    """
    check = Check()
    if labels is not Labels.HEURISTIC and not isinstance(question.asked, Lookup):
        check = yield from consult(question.change)
        if not check.everywhere:
            return Harvested(left_out=check.lacks or "no checker answered")
    asked = ScoutQuery(question.query.query, question.query.tags, budget_nodes=BUDGET, keep_examples=True)
    response = yield from explore(asked)
    if response.status not in (Status.COMPLETE, Status.PARTIAL):
        return Harvested(left_out=f"the answer is {response.status}")
    explored = [example.node for example in response.training_examples or ()]
    known = {node.location for node in explored}
    further = yield from _read(found.place for found in check.broken.values() if found.place.location not in known)
    stamp = yield from now()
    nodes = [*explored, *further, *(yield from _beside(question, [*explored, *further]))]
    labelled = ((node, label(labels, question, node, check)) for node in nodes)
    kept = _chosen([(node, one) for node, one in labelled if one is not None])
    return Harvested(
        tuple(_example(question, node, one, origin, stamp) for node, one in kept),
        "" if kept else "no place could be labelled",
    )


def _beside(question: Question, known: Sequence[NodeContext]) -> Eff[Lsp, list[NodeContext]]:
    """Other definitions in the files that were looked at first: what exploration comes to is seldom unrelated."""
    paths = [path for path in dict.fromkeys(node.path for node in known) if not is_document(path)][:FILES_BESIDE]
    outlines = yield from each(document_symbols(path) for path in paths)
    places = {symbol.place for symbols in outlines for symbol in symbols}
    fresh = {place.location: place for place in sorted(places)}.keys() - {node.location for node in known}
    chosen = shuffled(fresh, question.query.query)[:BESIDE]
    return (yield from _read(place for place in places if place.location in chosen))


def _read(places: Iterable[Place]) -> Eff[Lsp, list[NodeContext]]:
    """The nodes of places that exploration did not reach."""
    wanted = sorted(places)[:POSITIVES]
    texts = yield from each(snippet(place) for place in wanted)
    said = yield from each(hover(place) for place in wanted if not is_document(place.path))
    hovers = iter(said)
    return [
        NodeContext(place.location, _cut(None if is_document(place.path) else next(hovers)), text)
        for place, text in zip(wanted, texts, strict=True)
    ]


def _cut(said: str | None) -> str | None:
    return said and said[:HOVER_CHARACTERS]


def _chosen(labelled: Sequence[tuple[NodeContext, Label]]) -> list[tuple[NodeContext, Label]]:
    """The examples that a question gives: positive ones, and negative ones of every degree."""
    positives = [one for one in labelled if is_positive(one[1].rubric)][:POSITIVES]
    negatives = [one for one in labelled if not is_positive(one[1].rubric)]
    by_degree = [[one for one in negatives if one[1].rubric.relevance == degree] for degree in range(5, 0, -1)]
    mixed = [one for one in chain.from_iterable(zip_longest(*by_degree)) if one is not None]
    return positives + mixed[: max(NEGATIVES_ALONE, NEGATIVES_EACH * len(positives))]


def _example(
    question: Question, node: NodeContext, labelled: Label, origin: Provenance, stamp: datetime
) -> TrainingExample:
    provenance = attrs.evolve(
        origin, labeller=labelled.labeller, change_kind=str(question.asked), disputed=labelled.disputed
    )
    return TrainingExample(question.query, node, labelled.rubric, stamp, provenance)
