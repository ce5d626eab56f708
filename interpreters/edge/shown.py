"""What a renderer is given: an answer, and what else is known of the places in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from tidepool.domain import NodeContext, ScoutResponse


@attrs.frozen
class Shown:
    """An answer to print.

    Attributes:
        response: the answer, with the training examples only if they are to be printed.
        question: what was asked.
        nodes: what stands at each place that was rated, by its location.
        notes: what else a person should know of how it was answered, each a sentence.
    """

    response: ScoutResponse
    question: str = ""
    nodes: Mapping[str, NodeContext] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def code(self) -> dict[str, str]:
        """The line of code at each place."""
        return {location: node.code.strip() for location, node in self.nodes.items()}
