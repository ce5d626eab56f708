"""What a person is shown of an example, and how what they say becomes its label. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import attrs

from tidepool.domain import LINES_AROUND, NodeContext, Provenance, Rubric, TrainingExample

PERSON: Final = "person"
"""The labeller of what a person said."""

CERTAIN: Final = 5
CORRECTED: Final = "A person who read the code rated it so."


def judged(
    example: TrainingExample,
    when: datetime,
    *,
    relevance: int,
    risk: int,
    confidence: int = CERTAIN,
    reasoning: str = "",
) -> TrainingExample:
    """An example as a person sees it: confirmed where the digits are its label's, else corrected.

    Args:
        when: the person said so.
        reasoning: of the person; "" keeps the label's where it is confirmed, and drops it where it is not.
    """
    label = example.rubric
    is_confirmed = (relevance, risk) == (label.relevance, label.risk)
    why = reasoning.strip() or (label.reasoning if is_confirmed else CORRECTED)
    origin = example.provenance or Provenance()
    disputed = origin.disputed if is_confirmed else _against(label, origin.labeller)
    provenance = attrs.evolve(origin, labeller=PERSON, disputed=disputed)
    return attrs.evolve(example, rubric=Rubric(relevance, risk, confidence, why), timestamp=when, provenance=provenance)


def _against(label: Rubric, labeller: str | None) -> str:
    said = f"relevance {label.relevance}, risk {label.risk}: {label.reasoning}"
    return f"the label ({labeller}) says {said}" if labeller else f"the label says {said}"


def is_a_persons(example: TrainingExample) -> bool:
    """Whether a person has labelled an example."""
    return example.provenance is not None and example.provenance.labeller == PERSON


def marked(node: NodeContext) -> str:
    """A node's snippet with the numbers of its lines, and a mark at the line that it is about."""
    lines = node.snippet.split("\n")
    first = node.line - min(LINES_AROUND, node.line - 1, len(lines) - 1)
    return "\n".join(
        f"{'>' if number == node.line else ' '} {number:>5} | {line}" for number, line in enumerate(lines, start=first)
    )
