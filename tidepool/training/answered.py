"""A question that was asked of a codebase, with the examples its answer gave: what a set is put together from."""

from __future__ import annotations

from typing import Final

import attrs

from tidepool.domain import Rubric, TrainingExample


@attrs.frozen
class Answered:
    """One question's examples.

    Attributes:
        codebase: its name, the same for every revision of one project.
        number: which of the codebase's questions it is, from 0.
        phrasing: the template that the question was made by.
        examples: in the order in which the places were rated; each one's query is the question.
    """

    codebase: str
    number: int
    phrasing: str
    examples: tuple[TrainingExample, ...]


def is_positive(rubric: Rubric) -> bool:
    """Whether a place has to change, or is what was asked for."""
    return rubric.risk >= _HAS_TO_CHANGE or rubric.relevance == _CRITICAL


_HAS_TO_CHANGE: Final = 4
_CRITICAL: Final = 5
