"""How good a ranked answer is, measured against a case. Pure; `docs/evaluation.md` says why it is measured so.

    row = Row(Spot("shop/till.py", 12), risk=5, confidence=4)
    score = measure(case, [row, …], seconds=0.4)
    figures_of([score, …])["recall"]             means over cases
    FIGURES["recall"](sums_of(score))            the same, of sums that may be resampled (`tidepool.bootstrap`)
    sums_of_pair(score, other)                   two ways to answer one case, to be compared

A row of an answer is one place: its location. A row that stands for a function also lists further lines of it; whether
these count is told apart: `recall` takes a place for found that a row lists, `recall_at_location` does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

import attrs

from tidepool.answer import MUST_CHANGE_RISK
from tidepool.bootstrap import Statistic, Sums, total
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
class Cost:
    """What a scorer took for an answer.

    Attributes:
        nodes: how many it rated.
        seconds: for all of them.
        bytes: of what it was given about them, as a scoring server is sent it, without headers.
    """

    nodes: int
    seconds: float
    bytes: int


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
        recall_at_5: `recall` with that many rows; likewise the others.
        cost: of the scorer; None where no scorer was asked.
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
    recall_at_5: float | None = None
    recall_at_10: float | None = None
    recall_at_50: float | None = None
    cost: Cost | None = None


def measure(case: Case, rows: Sequence[Row], seconds: float, cost: Cost | None = None) -> Score:
    """Measure an answer.

    Args:
        rows: best first.
        seconds: how long the answer took.
        cost: what the scorer took for it; None where none was asked.

    Raises:
        ValueError: the case has no place that must change, so that there is nothing to find.
    """
    must, may = ([Spot.at(location) for location in side] for side in (case.must, case.may))
    if not must:
        raise ValueError(f"{case.id} has no place that must change")
    ranked = [row for row in rows if not case.is_own(row.spot)]
    first = ranked[:FIRST_ROWS]
    own = [row for row in rows if case.is_own(row.spot)]  # not in the ranking, but what they list is read
    missed = _missed(must, (*own, *first))
    breaking = [row for row in ranked if row.risk >= MUST_CHANGE_RISK]
    wrong = [row.spot.location for row in breaking if not _holds(may, row.spot)]
    located = [row.spot for row in first]
    return Score(
        recall=1 - len(missed) / len(must),
        recall_at_location=sum(_holds(located, spot) for spot in must) / len(must),
        precision=1 - len(wrong) / len(breaking) if breaking else None,
        ndcg=ndcg(must, may, (row.spot for row in ranked)),
        first=bool(located) and _holds(may, located[0]),
        seconds=seconds,
        claims=tuple(_claims(may, first)),
        missed=tuple(spot.location for spot in missed),
        wrong=tuple(wrong),
        recall_at_5=1 - len(_missed(must, (*own, *ranked[:5]))) / len(must),
        recall_at_10=1 - len(_missed(must, (*own, *ranked[:10]))) / len(must),
        recall_at_50=1 - len(_missed(must, (*own, *ranked[:50]))) / len(must),
        cost=cost,
    )


def _missed(must: Iterable[Spot], rows: Iterable[Row]) -> list[Spot]:
    """The places that no row shows, by its location or by a further line."""
    listed = [spot for row in rows for spot in (row.spot, *row.also)]
    return [spot for spot in must if not _holds(listed, spot)]


def _holds(spots: Iterable[Spot], spot: Spot) -> bool:
    return any(map(spot.is_near, spots))


def ndcg(must: Sequence[Spot], may: Sequence[Spot], ranking: Iterable[Spot]) -> float:
    """Normalised discounted cumulative gain over the first rows, 0 to 1.

    A row gains 1 for a place that must change and that no row before it has shown, and 0 for one that need not change.
    One that only may have to change, or was shown before, is passed over: it is none of the first rows.

    Args:
        must: at least one place.
        ranking: the places of all rows, best first.
    """
    unseen = list(must)
    gains: list[int] = []
    for spot in ranking:
        if len(gains) == FIRST_ROWS:
            break
        shown = [place for place in unseen if place.is_near(spot)]
        if shown:
            unseen.remove(min(shown, key=lambda place: abs(place.line - spot.line)))
        if shown or not _holds((*must, *may), spot):
            gains.append(bool(shown))
    return _discounted(gains) / _discounted([1] * min(len(must), FIRST_ROWS))


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
    return error_of_bins(bins_of(claims))


def bins_of(claims: Iterable[Claim]) -> list[float]:
    """For each confidence from 1 to 5, how many claims state it and how many of them are right: ten numbers."""
    counts = [0.0] * (2 * BINS)
    for claim in claims:
        counts[2 * claim.confidence - 2] += 1
        counts[2 * claim.confidence - 1] += claim.right
    return counts


def error_of_bins(counts: Sums) -> float | None:
    """The calibration error of claims that were counted by `bins_of`; None where there are none."""
    stated_all, right_all = counts[::2], counts[1::2]
    if not sum(stated_all):
        return None
    pairs = enumerate(zip(stated_all, right_all, strict=True), start=1)
    return sum(abs(right - said * stated(confidence)) for confidence, (said, right) in pairs) / sum(stated_all)


@attrs.frozen
class _Part:
    """A number that sums up scores, and the sums that it is computed from.

    Attributes:
        width: how many sums.
        sums: what a score adds to each.
        of: the number, or None where no score had a part in it.
        is_mean: whether it is the mean over the cases that have a value; the second sum says how many these are.
    """

    width: int
    sums: Callable[[Score], Sums]
    of: Statistic
    is_mean: bool = False


def _mean(of: Callable[[Score], float | None]) -> _Part:
    """The mean over the cases that have a value."""

    def sums(score: Score) -> Sums:
        value = of(score)
        return (0.0, 0.0) if value is None else (value, 1.0)

    return _Part(2, sums, ratio, is_mean=True)


def _a_node(of: Callable[[Cost], float]) -> _Part:
    """The mean over all the nodes that were rated."""

    def sums(score: Score) -> Sums:
        return (of(score.cost), score.cost.nodes) if score.cost is not None else (0.0, 0.0)

    return _Part(2, sums, ratio)


def ratio(sums: Sums) -> float | None:
    """The first of two sums as a share of the second; None where that is 0."""
    part, whole = sums
    return part / whole if whole else None


_PARTS: Final[Mapping[str, _Part]] = {
    "recall": _mean(lambda score: score.recall),
    "recall_at_5": _mean(lambda score: score.recall_at_5),
    "recall_at_10": _mean(lambda score: score.recall_at_10),
    "recall_at_50": _mean(lambda score: score.recall_at_50),
    "recall_at_location": _mean(lambda score: score.recall_at_location),
    "precision": _mean(lambda score: score.precision),
    "ndcg": _mean(lambda score: score.ndcg),
    "first": _mean(lambda score: float(score.first)),
    "ece": _Part(2 * BINS, lambda score: bins_of(score.claims), error_of_bins),
    "seconds": _mean(lambda score: score.seconds),
    "seconds_a_node": _a_node(lambda cost: cost.seconds),
    "bytes_a_node": _a_node(lambda cost: cost.bytes),
}


def sums_of(score: Score) -> list[float]:
    """What a score adds to the sums that `FIGURES` are computed from."""
    return [value for part in _PARTS.values() for value in part.sums(score)]


def sums_of_pair(one: Score, other: Score) -> tuple[list[float], list[float]]:
    """The same of two answers to one case, to compare them: what one of them lacks is left out of both.

    Who says of nothing in a hard case that it breaks would else be compared over the easy ones.
    """
    sums: tuple[list[float], list[float]] = ([], [])
    for part in _PARTS.values():
        pair = part.sums(one), part.sums(other)
        if part.is_mean and not all(count for _, count in pair):
            pair = ((0.0, 0.0), (0.0, 0.0))
        sums[0].extend(pair[0])
        sums[1].extend(pair[1])
    return sums


def within(start: int, end: int, statistic: Statistic) -> Statistic:
    """A figure of some of the sums: from `start` to before `end`."""
    return lambda sums: statistic(sums[start:end])


_SPANS: Final[Mapping[str, tuple[int, int]]] = {
    name: (end - part.width, end)
    for (name, part), end in zip(_PARTS.items(), accumulate(part.width for part in _PARTS.values()), strict=True)
}

FIGURES: Final[Mapping[str, Statistic]] = {name: within(*_SPANS[name], part.of) for name, part in _PARTS.items()}
"""What a group of scores is summed up by; None where no case has a value.

    recall             in the first 20 rows; the others say in how many
    precision          over the cases in which some row was said to break
    first              the share of cases whose first row is right
    ece                the calibration error over all rows of all cases
    seconds            for one case
    seconds_a_node     that the scorer took, over all nodes of all cases
    bytes_a_node       that the scorer was given
"""


def cases_with(figure: str, sums: Sums) -> float:
    """How many cases have a value of a figure that is a mean over cases."""
    return sums[_SPANS[figure][0] + 1]


def bins_in(sums: Sums) -> Sums:
    """The part of the sums that the calibration error is of, as `bins_of` counts."""
    return sums[slice(*_SPANS["ece"])]


def figures_of(scores: Sequence[Score]) -> dict[str, float | None]:
    """`FIGURES` of scores: every case weighs the same."""
    sums = total([sums_of(score) for score in scores] or [[0.0] * sum(part.width for part in _PARTS.values())])
    return {name: figure(sums) for name, figure in FIGURES.items()}
