"""What an example is taught to be: by the rules, by a compiler, or by both, who may disagree. Pure.

label(Labels.MIXED, question, node, check)       the rubric, who says so, and what others said instead
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from tidepool.checking import CLEAN_RISK, Check, is_judged, told
from tidepool.domain import NodeContext, Rubric
from tidepool.kinds import ChangeKind
from tidepool.oracle import rate_by
from tidepool.reading.mentions import AKIN, IMPORTS, TEXTS, SiteKind
from tidepool.rules import rate
from tidepool.sites import Site, classify
from tidepool.ties import meant
from tidepool.training.lookups import Lookup, rate_lookup
from tidepool.training.questions import Question


class Labels(StrEnum):
    """Who labels, as it is named on the command line."""

    HEURISTIC = "heuristic"
    ORACLE = "oracle"
    HISTORY = "history"
    MIXED = "mixed"


@attrs.frozen
class Label:
    """What an example is taught to be.

    Attributes:
        labeller: who says so: one of `Labels`.
        disputed: what the rules say instead, or None where they agree.
    """

    rubric: Rubric
    labeller: str
    disputed: str | None = None


_Labeller: TypeAlias = Callable[[Question, NodeContext, Check], Label | None]


def label(labels: Labels, question: Question, node: NodeContext, check: Check) -> Label | None:
    """The label of a node, or None where the labeller has nothing to say about it."""
    return _LABELLERS[labels](question, node, check)


def by_rules(question: Question, node: NodeContext, _: Check) -> Label:
    """What the rules say."""
    return Label(rate(question.change, node, question.query.tags), Labels.HEURISTIC)


def by_oracle(question: Question, node: NodeContext, check: Check) -> Label | None:
    """What a compiler says, or the language server where no change is asked about; None where neither can judge."""
    if isinstance(question.asked, Lookup):
        return Label(rate_lookup(question.asked, question.query, node), Labels.ORACLE)
    if (found := check.broken.get(node.location)) is not None:
        # Where it was, one import mends what the edit, which can but remove it, leaves behind.
        is_left_behind = question.asked is ChangeKind.MOVE and node.path == question.path
        return None if is_left_behind else Label(Rubric(5, 5, 5, told(found)), Labels.ORACLE)
    site = classify(question.change, node)
    if not (check.everywhere and _is_telling(question, node, site)):
        return None
    return Label(_clean(question, node, site), Labels.ORACLE)


def by_both(question: Question, node: NodeContext, check: Check) -> Label:
    """What a compiler says, surer where the rules agree; what they say instead is kept. Else what the rules say."""
    rules = by_rules(question, node, check)
    oracle = by_oracle(question, node, check)
    if oracle is None:
        return attrs.evolve(rules, rubric=rate_by(check, question.query, node))
    if agree(oracle.rubric, rules.rubric):
        return Label(attrs.evolve(oracle.rubric, confidence=5), Labels.MIXED)
    said = rules.rubric
    disputed = f"the rules say relevance {said.relevance}, risk {said.risk}: {said.reasoning}"
    return Label(attrs.evolve(oracle.rubric, confidence=min(oracle.rubric.confidence, 4)), Labels.MIXED, disputed)


def agree(one: Rubric, other: Rubric) -> bool:
    """Whether two rubrics say the same of a place: each number is at most one step from the other's."""
    return abs(one.relevance - other.relevance) <= 1 and abs(one.risk - other.risk) <= 1


_LABELLERS: Final[Mapping[Labels, _Labeller]] = {
    Labels.HEURISTIC: by_rules,
    Labels.ORACLE: by_oracle,
    Labels.MIXED: by_both,
}


def _is_telling(question: Question, node: NodeContext, site: Site) -> bool:
    """Whether a checker's silence at a node says something: it could have spoken, or there is nothing to speak of."""
    if site.kind in (SiteKind.NONE, SiteKind.DEFINITION):
        return True
    return is_judged(meant(question.change, node).kind, node, site)


def _clean(question: Question, node: NodeContext, site: Site) -> Rubric:
    """A place that a checker found right, graded by what stands there.

    What is used as what breaks elsewhere is nearer to the change than a type or an import, and these than other code.
    """
    rubric = rate(question.change, node, question.query.tags)
    if site.kind in (SiteKind.NONE, SiteKind.DEFINITION):
        return attrs.evolve(rubric, risk=min(rubric.risk, CLEAN_RISK))
    why = f"{rubric.reasoning.rstrip('.')}; with the change made in memory, a checker finds nothing wrong here."
    relevance = min(rubric.relevance, _MOST_WHERE_CLEAN[site.kind])
    return Rubric(relevance, min(rubric.risk, CLEAN_RISK), 4, why)


_MOST_WHERE_CLEAN: Final[Mapping[SiteKind, int]] = {
    **dict.fromkeys(SiteKind, 3),
    **dict.fromkeys(IMPORTS | TEXTS | AKIN, 2),
    **dict.fromkeys((SiteKind.ANNOTATION, SiteKind.ISINSTANCE, SiteKind.EXCEPT, SiteKind.KEYWORD), 2),
}
"""The relevance of a place that a checker found right, at most."""
