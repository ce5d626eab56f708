"""How good a ranked answer is, measured against a case. Pure; `docs/evaluation.md` says why it is measured so.

    row = Row(Spot("shop/till.py", 12), risk=5, confidence=4)
    score = measure(case, [row, …], seconds=0.4)
    summary([score, …]).recall                   means over cases

A row of an answer is one place: its location. A row that stands for a function also lists further lines of it; whether
these count is told apart: `recall` takes a place for found that a row lists, `recall_at_location` does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

import attrs

from tidepool.answer import MUST_CHANGE_RISK
from tidepool.cases import Case, Spot

FIRST_ROWS: Final = 20
"""How many rows of an answer are looked at: what a person reads."""

BINS: Final = 5
"""Confidences are whole numbers from 1 to 5: each is a bin of its own."""


@attrs.frozen
class Row:
    """One row of an answer.

    Attributes:
        spot: its location.
        risk: from 1 to 5; from `MUST_CHANGE_RISK` on it says that the place breaks.
        confidence: from 1 to 5, or None for an answer that states none.
        also: the further lines that it lists.
    """

    spot: Spot
    risk: int
    confidence: int | None = None
    also: tuple[Spot, ...] = ()


@attrs.frozen
class Claim:
    """That a place breaks, or that it does not: how sure the row was, and whether it was right."""

    confidence: int
    right: bool


@attrs.frozen
class Score:
    """How good one answer is. Shares are from 0 to 1.

    Attributes:
        recall: share of the places that must change that are found in the first rows, by location or further line.
        recall_at_location: the same by location alone.
        precision: share of the rows said to break that may have to change; None where no row is.
        ndcg: how far up the places that must change stand, 1 for a perfect order.
        first: whether the first row may have to change.
        seconds: how long the answer took.
        claims: what each row claims, for the calibration.
        missed: places that must change and are not found.
        wrong: locations of rows said to break that need not change.
    """

    recall: float
    recall_at_location: float
    precision: float | None
    ndcg: float
    first: bool
    seconds: float
    claims: tuple[Claim, ...] = ()
    missed: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


def measure(case: Case, rows: Sequence[Row], seconds: float) -> Score:
    """Measure an answer.

    Args:
        rows: best first.
        seconds: how long the answer took.

    Raises:
        ValueError: the case has no place that must change, so that there is nothing to find.
    """
    must, may = ([Spot.at(location) for location in side] for side in (case.must, case.may))
    if not must:
        raise ValueError(f"{case.id} has no place that must change")
    ranked = [row for row in rows if not case.is_own(row.spot)]
    first = ranked[:FIRST_ROWS]
    own = [row for row in rows if case.is_own(row.spot)]  # not in the ranking, but what they list is read
    listed = [spot for row in (*own, *first) for spot in (row.spot, *row.also)]
    missed = [spot for spot in must if not _holds(listed, spot)]
    breaking = [row for row in ranked if row.risk >= MUST_CHANGE_RISK]
    wrong = [row.spot.location for row in breaking if not _holds(may, row.spot)]
    located = [row.spot for row in first]
    return Score(
        recall=1 - len(missed) / len(must),
        recall_at_location=sum(_holds(located, spot) for spot in must) / len(must),
        precision=1 - len(wrong) / len(breaking) if breaking else None,
        ndcg=ndcg(must, may, located),
        first=bool(located) and _holds(may, located[0]),
        seconds=seconds,
        claims=tuple(_claims(may, first)),
        missed=tuple(spot.location for spot in missed),
        wrong=tuple(wrong),
    )


def _holds(spots: Iterable[Spot], spot: Spot) -> bool:
    return any(map(spot.is_near, spots))


def ndcg(must: Sequence[Spot], may: Sequence[Spot], ranking: Iterable[Spot]) -> float:
    """Normalised discounted cumulative gain over the first rows, 0 to 1.

    A row gains 1 for a place that must change and that no row before it has shown, and 0 for one that need not change.
    One that only may have to change, or was shown before, is passed over: it takes no place in the ranking.
    """
    unseen = list(must)
    gains: list[int] = []
    for spot in ranking:
        shown = [place for place in unseen if place.is_near(spot)]
        if shown:
            unseen.remove(min(shown, key=lambda place: abs(place.line - spot.line)))
        if shown or not _holds((*must, *may), spot):
            gains.append(bool(shown))
    return _discounted(islice(gains, FIRST_ROWS)) / _discounted([1] * min(len(must), FIRST_ROWS))


def _discounted(gains: Iterable[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _claims(may: Sequence[Spot], rows: Iterable[Row]) -> Iterable[Claim]:
    """A row of a high risk claims that its place breaks, one of a low risk that it does not."""
    for row in rows:
        if row.confidence is not None:
            yield Claim(row.confidence, (row.risk >= MUST_CHANGE_RISK) == _holds(may, row.spot))


def stated(confidence: int) -> float:
    """The probability of being right that a confidence from 1 to 5 states: the middle of its fifth."""
    return (confidence - 0.5) / BINS


def calibration_error(claims: Sequence[Claim]) -> float | None:
    """The expected calibration error, 0 to 1: how far off the stated probabilities are, on average over the claims.

    None where there are no claims.
    """
    if not claims:
        return None
    off = 0.0
    for confidence in range(1, BINS + 1):
        right = [claim.right for claim in claims if claim.confidence == confidence]
        off += abs(sum(right) - len(right) * stated(confidence))
    return off / len(claims)


@attrs.frozen
class Summary:
    """Means over the cases of a group; None where no case has a value.

    Attributes:
        cases: how many there are.
        precision: over the cases in which some row was said to break.
        first: the share of cases whose first row is right.
        ece: the calibration error over all rows of all cases.
        seconds: for one case.
    """

    cases: int
    recall: float | None
    recall_at_location: float | None
    precision: float | None
    ndcg: float | None
    first: float | None
    ece: float | None
    seconds: float | None


def summary(scores: Sequence[Score]) -> Summary:
    """The means of scores: every case weighs the same."""
    return Summary(
        cases=len(scores),
        recall=_mean(scores, lambda score: score.recall),
        recall_at_location=_mean(scores, lambda score: score.recall_at_location),
        precision=_mean(scores, lambda score: score.precision),
        ndcg=_mean(scores, lambda score: score.ndcg),
        first=_mean(scores, lambda score: float(score.first)),
        ece=calibration_error([claim for score in scores for claim in score.claims]),
        seconds=_mean(scores, lambda score: score.seconds),
    )


def _mean(scores: Iterable[Score], of: Callable[[Score], float | None]) -> float | None:
    values = [value for value in map(of, scores) if value is not None]
    return math.fsum(values) / len(values) if values else None
