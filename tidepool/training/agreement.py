"""How often the rules say what a compiler says, by tag and by kind of change: what there is for a model to learn. Pure.

agreement = Agreement()
for example in examples: agreement.count(example)
agreement.by_kind["rename"].within_one            the share of places where both say nearly the same
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

import attrs

from tidepool.change import read_change
from tidepool.domain import Rubric, TrainingExample
from tidepool.rules import rate
from tidepool.training.answered import is_positive
from tidepool.training.labels import Labels, agree

JUDGED: Final = frozenset({str(Labels.ORACLE), str(Labels.MIXED)})
"""Whose labels say what a compiler, or the language server, says."""

WORST_KEPT: Final = 10


@attrs.define
class Shares:
    """How often two labellers agree.

    Attributes:
        places: how many both have judged.
        same: of those, where relevance and risk are the same.
        near: where each is at most one step from the other's.
        missed: where the compiler says that a place has to change, or is what was asked for, and the rules do not.
        alarmed: where the rules say so, and the compiler does not.
    """

    places: int = 0
    same: int = 0
    near: int = 0
    missed: int = 0
    alarmed: int = 0

    def count(self, oracle: Rubric, rules: Rubric) -> None:
        """Add a place."""
        self.places += 1
        self.same += (oracle.relevance, oracle.risk) == (rules.relevance, rules.risk)
        self.near += agree(oracle, rules)
        self.missed += is_positive(oracle) and not is_positive(rules)
        self.alarmed += is_positive(rules) and not is_positive(oracle)


class Disagreement(NamedTuple):
    """A place of which the rules say something else than its label."""

    steps: int
    example: TrainingExample
    rules: Rubric


@attrs.define
class Agreement:
    """Agreement over a set of examples; those that nobody but the rules has labelled are passed over.

    Attributes:
        by_tag: by the question's tag, "no tag" for none.
        by_kind: by what is asked.
        worst: the places where the two are furthest apart, at most one for each question, `WORST_KEPT` at most.
    """

    by_tag: defaultdict[str, Shares] = attrs.field(factory=lambda: defaultdict(Shares))
    by_kind: defaultdict[str, Shares] = attrs.field(factory=lambda: defaultdict(Shares))
    all: Shares = attrs.field(factory=Shares)
    worst: list[Disagreement] = attrs.field(factory=list)

    def count(self, example: TrainingExample) -> None:
        """Add an example."""
        origin = example.provenance
        if origin is None or origin.labeller not in JUDGED:
            return
        rules = rate(read_change(example.query), example.node, example.query.tags)
        tag = example.query.tags[0] if example.query.tags else "no tag"
        for shares in (self.all, self.by_tag[tag], self.by_kind[origin.change_kind or "unknown"]):
            shares.count(example.rubric, rules)
        self._keep(Disagreement(_steps(example.rubric, rules), example, rules))

    def _keep(self, one: Disagreement) -> None:
        if any(other.example.query == one.example.query and other.steps >= one.steps for other in self.worst):
            return
        others = [other for other in self.worst if other.example.query != one.example.query]
        kinds = sorted([*others, one], key=lambda each: -each.steps)
        self.worst = kinds[:WORST_KEPT] if one.steps else self.worst


def _steps(oracle: Rubric, rules: Rubric) -> int:
    """How far apart two rubrics are, in steps; what is more dangerous counts for more."""
    return abs(oracle.relevance - rules.relevance) + 2 * abs(oracle.risk - rules.risk)
