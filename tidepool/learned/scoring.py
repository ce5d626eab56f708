"""A model: an ensemble of trees, and how what it says becomes a rubric.

    model = read_model(text)
    model.rate(query, node)      a rubric, like every scorer's

The trees say how likely a place has to change. Where they are sure that the rules are wrong, its risk comes to the
other side of `MUST_CHANGE_RISK`; every other digit is the rules'. How often places of a probability had to change, on
codebases that the trees had not seen, is the confidence.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import attrs

from tidepool.answer import MUST_CHANGE_RISK
from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.errors import InvalidData
from tidepool.learned.features import FEATURES, SCHEME, View, look
from tidepool.learned.trees import Tree, read_tree, sum_of
from tidepool.wire import parse

FORMAT: Final = 2
CONFIDENCES: Final = 5

CERTAIN: Final = 50.0
"""What trees say is cut there, on both sides: beyond it a probability is as good as 0 or 1."""


@attrs.frozen
class Calibration:
    """What a model's probabilities mean.

    The thresholds are chosen; the steps are measured, on codebases that the trees which spoke had not seen.

    Attributes:
        breaks_from: the probability from which a place breaks that the rules let stay, 0 to 1.
        stays_below: the one below which a place stays that the rules let break, 0 to 1.
        bounds: where each step of `shares` begins, rising, as probabilities; below the first, its share holds too.
        shares: how often a place of that step has to change, rising, 0 to 1; one for each bound.
    """

    breaks_from: float
    stays_below: float
    bounds: tuple[float, ...]
    shares: tuple[float, ...]

    def share(self, probability: float) -> float:
        """How often a place of this probability has to change, as measured."""
        return self.shares[max(0, bisect_right(self.bounds, probability) - 1)]


@attrs.frozen
class LearnedModel:
    """A model.

    Attributes:
        trees: what they say, added up, is the logarithm of the odds that a place has to change.
        card: what it was made from and how it scored, for people.
    """

    trees: Sequence[Tree]
    calibration: Calibration
    card: Mapping[str, Any]

    def rate(self, query: QueryContext, node: NodeContext) -> Rubric:
        """How much a node matters: pure and total."""
        view = look(query, node)
        return rubric_of(self.say(view.values), view, self.calibration)

    def say(self, values: Sequence[int]) -> float:
        """The probability, 0 to 1, that a place with these features has to change."""
        return probability_of(sum_of(self.trees, values))


def probability_of(odds: float) -> float:
    """The probability whose odds have this logarithm."""
    return 1 / (1 + math.exp(-max(-CERTAIN, min(CERTAIN, odds))))


def rubric_of(probability: float, view: View, calibration: Calibration) -> Rubric:
    """The digits of a node: the rules', corrected where trees are sure that they are wrong."""
    rules = view.rubric
    breaks_by_rules = rules.risk >= MUST_CHANGE_RISK
    breaks = probability >= (calibration.stays_below if breaks_by_rules else calibration.breaks_from)
    share = calibration.share(probability)
    right = share if breaks else 1 - share
    return Rubric(
        rules.relevance,
        max(rules.risk, MUST_CHANGE_RISK) if breaks else min(rules.risk, MUST_CHANGE_RISK - 1),
        min(CONFIDENCES, 1 + int(right * CONFIDENCES)),
        rules.reasoning if breaks == breaks_by_rules else _reasoning(rules, breaks, share),
    )


def _reasoning(rules: Rubric, breaks: bool, share: float) -> str:
    """The rules' sentence, and that the trees say otherwise."""
    seen = f"of places like this, {share:.0%} had to change"
    return f"{rules.reasoning}; by that {'little' if breaks else 'more'} would be at risk, but {seen}"


def read_model(text: str) -> LearnedModel:
    """The model that a file holds.

    Raises:
        InvalidData: it holds none, or one that was made for other features.
    """
    data = parse(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InvalidData(
            "model", "another file", f"a model of format {FORMAT}, as `tidepool train embedded` writes it"
        )
    if data.get("scheme") != SCHEME:
        raise InvalidData("scheme", data.get("scheme"), f"{SCHEME}, the one of this version: train the model again")
    trees, card = data.get("trees"), data.get("card")
    if not isinstance(trees, list):
        raise InvalidData("trees", "none", "a list")
    return LearnedModel(
        trees=tuple(read_tree(tree, len(FEATURES)) for tree in trees),
        calibration=_calibration(data.get("calibration")),
        card=card if isinstance(card, dict) else {},
    )


def _calibration(data: object) -> Calibration:
    known = data if isinstance(data, dict) else {}
    bounds, shares = _rising("bounds", known.get("bounds")), _rising("shares", known.get("shares"))
    if len(bounds) != len(shares):
        raise InvalidData("calibration", len(shares), f"as many shares as bounds, {len(bounds)}")
    return Calibration(
        _share("breaks_from", known.get("breaks_from")), _share("stays_below", known.get("stays_below")), bounds, shares
    )


def _rising(field: str, values: object) -> tuple[float, ...]:
    if not isinstance(values, list) or not values:
        raise InvalidData(field, "none", "a list of numbers")
    found = tuple(_share(field, value) for value in values)
    if any(one > other for one, other in pairwise(found)):
        raise InvalidData(field, "some that fall", "numbers that rise")
    return found


def _share(field: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise InvalidData(field, value, "a number from 0 to 1")
