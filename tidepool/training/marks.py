"""How a scorer's rubrics compare with labels: what each place adds to sums, and the figures of these. Pure.

    sums = marked(rubric, example.rubric)
    MARKS["risk_exact"](total([sums, …]))            the share of places whose risk is the label's
    MARKS["quality"]                                 one number for how near rubrics are to labels, 1 for the same

A place is positive if it has to change, or is what was asked for (`tidepool.training.answered.is_positive`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tidepool.bootstrap import Statistic, Sums
from tidepool.domain import Rubric
from tidepool.metrics import BINS, Claim, Cost, bins_of, error_of_bins, ratio, within
from tidepool.training.answered import is_positive

FIELDS: Final = ("relevance", "risk", "confidence")

RISK_WEIGHS: Final = 2
"""A step of risk counts as two of relevance: a place that breaks and is not said to is what costs."""

MOST_STEPS: Final = 4 * (1 + RISK_WEIGHS)
"""How far apart two rubrics can be."""


def quality(rubric: Rubric, label: Rubric) -> float:
    """How near a rubric's relevance and risk are to a label's: 1 for the same, 0 for the furthest there can be."""
    relevance, risk = abs(rubric.relevance - label.relevance), abs(rubric.risk - label.risk)
    return 1 - (relevance + RISK_WEIGHS * risk) / MOST_STEPS


def marked(rubric: Rubric, label: Rubric) -> list[float]:
    """What a place that a scorer rated adds to the sums that `MARKS` are computed from."""
    said, is_so = is_positive(rubric), is_positive(label)
    gaps = [abs(getattr(rubric, field) - getattr(label, field)) for field in FIELDS]
    return [
        1.0,
        *(float(gap == 0) for gap in gaps),
        *(float(gap <= 1) for gap in gaps),
        quality(rubric, label),
        float(said == is_so),
        float(said),
        float(is_so),
        float(said and is_so),
        *bins_of([Claim(rubric.confidence, said == is_so)]),
        *NO_COST,
    ]


NO_COST: Final = (0.0, 0.0, 0.0)


def costing(cost: Cost) -> list[float]:
    """What the rating of places adds to the same sums."""
    return [0.0] * _COST + [cost.nodes, cost.seconds, cost.bytes]


_PLACES: Final = 0
_QUALITY: Final = 2 * len(FIELDS) + 1
_RIGHT: Final = _QUALITY + 1
_SAID, _SO, _BOTH = _RIGHT + 1, _RIGHT + 2, _RIGHT + 3
_BINS: Final = _BOTH + 1
_COST: Final = _BINS + 2 * BINS


def _share(part: int, whole: int = _PLACES) -> Statistic:
    return lambda sums: ratio((sums[part], sums[whole]))


def _places(sums: Sums) -> float:
    return sums[_PLACES]


MARKS: Final[Mapping[str, Statistic]] = {
    "examples": _places,
    **{f"{field}_exact": _share(1 + at) for at, field in enumerate(FIELDS)},
    **{f"{field}_within_one": _share(1 + len(FIELDS) + at) for at, field in enumerate(FIELDS)},
    "quality": _share(_QUALITY),
    "right": _share(_RIGHT),
    "precision": _share(_BOTH, _SAID),
    "recall": _share(_BOTH, _SO),
    "ece": within(_BINS, _COST, error_of_bins),
    "seconds_a_node": _share(_COST + 1, _COST),
    "bytes_a_node": _share(_COST + 2, _COST),
}
"""What is computed from the sums.

    …_exact, …_within_one   the share of places where that field is the label's, or one step from it
    quality                 1 less the distance to the label, of the greatest there can be; risk weighs twice
    right                   the share of places that are positive by both, or by neither
    precision, recall       of the places that are said to be positive
    ece                     the calibration error of what is said of that
"""


def bins_in(sums: Sums) -> Sums:
    """The part of the sums that the calibration error is of (`tidepool.metrics.bins_of`)."""
    return sums[_BINS:_COST]
