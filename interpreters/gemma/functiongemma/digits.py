"""What a model expects where three digits stand, as a rubric. Pure.

Each digit is a distribution over 1 to 5. A rubric's relevance and risk are its expected values, rounded: they hold more
than the likeliest digit does where two neighbours are about as likely. The confidence is what the model says of itself,
taken down by how undecided it is about the other two: an even spread over all five is a 1, whatever it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, isfinite, log
from typing import Final

from tidepool.domain import Rubric
from tidepool.training.functiongemma import PARAMETERS

DIGITS: Final = ("1", "2", "3", "4", "5")

FIELDS: Final = tuple(one.field for one in PARAMETERS.values() if one.is_number)
"""The fields that are digits, in the order in which they stand in a call."""

CUT: Final = "long texts were cut"

_RELEVANCE: Final = ("barely related", "tangential", "moderately related", "highly related", "critical to the query")
_RISK: Final = (
    "nothing to do",
    "might need an update",
    "minor changes",
    "a major refactoring",
    "a breaking change is required",
)


def softmax(logits: Sequence[float]) -> tuple[float, ...]:
    """Probabilities of logits.

    Raises:
        ValueError: one of them is no finite number.
    """
    if not all(map(isfinite, logits)):
        raise ValueError("logits that are no finite numbers")
    most = max(logits)
    weights = [exp(logit - most) for logit in logits]
    return tuple(weight / sum(weights) for weight in weights)


def expected(probabilities: Sequence[float]) -> float:
    """The expected digit, from 1 to 5."""
    return sum(digit * probability for digit, probability in enumerate(probabilities, start=1))


def entropy(probabilities: Sequence[float]) -> float:
    """How undecided it is, from 0 (one digit is certain) to 1 (all are as likely)."""
    return -sum(one * log(one) for one in probabilities if one > 0) / log(len(DIGITS))


def rubric_of(digits: Mapping[str, Sequence[float]], *, was_cut: bool = False, why: str | None = None) -> Rubric:
    """The rubric of the distributions of `FIELDS`, each of five probabilities that sum to 1.

    Args:
        was_cut: whether the model saw only a part of the node's texts; the reasoning tells.
        why: what the model wrote as its reason; None for a sentence of a table's.
    """
    relevance, risk = (_nearest(expected(digits[field])) for field in ("relevance", "risk"))
    undecided = (entropy(digits["relevance"]) + entropy(digits["risk"])) / 2
    confidence = _nearest(1 + (expected(digits["confidence"]) - 1) * (1 - undecided))
    reasoning = why or f"FunctionGemma: {_RELEVANCE[relevance - 1]}; {_RISK[risk - 1]}"
    return Rubric(relevance, risk, confidence, f"{reasoning} ({CUT})" if was_cut else reasoning)


def _nearest(value: float) -> int:
    return min(5, max(1, int(value + 0.5)))
