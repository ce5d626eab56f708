"""A model: three ensembles of trees, and how what they say becomes a rubric.

    model = read_model(text)
    model.rate(query, node)      a rubric, like every scorer's

`breaks` says how likely a place has to change, `risk` and `relevance` what to expect of these. The first decides
whether a risk is 4 or more. How often that is right, measured on codebases that no tree has seen, is the confidence.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from tidepool.answer import MUST_CHANGE_RISK
from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.errors import InvalidData
from tidepool.learned.features import FEATURES, SCHEME, View, look
from tidepool.learned.trees import Tree, read_tree, sum_of
from tidepool.wire import parse

FORMAT: Final = 1
HEADS: Final = ("breaks", "risk", "relevance")
CONFIDENCES: Final = 5


@attrs.frozen
class Calibration:
    """What a model's numbers mean, measured on codebases apart from those it was trained on.

    Attributes:
        breaks_from: the probability from which a place breaks that the rules let stay, 0 to 1.
        stays_below: the one below which a place stays that the rules let break.
        rules: how much of a digit is the rules', 0 to 1; risk is then brought to the side where it has to be.
        bounds: where each step of `shares` begins, rising, as probabilities.
        shares: how often a place of that step has to change, rising; one for each bound.
    """

    breaks_from: float
    stays_below: float
    rules: float
    bounds: tuple[float, ...]
    shares: tuple[float, ...]

    def share(self, probability: float) -> float:
        """How often a place of this probability has to change, as measured."""
        return self.shares[max(0, bisect_right(self.bounds, probability) - 1)]


@attrs.frozen
class Said:
    """What a model says of a node, before it is made digits of.

    Attributes:
        breaks: the probability that it has to change.
        risk: what to expect of it, 1 to 5.
        relevance: likewise.
    """

    breaks: float
    risk: float
    relevance: float


@attrs.frozen
class LearnedModel:
    """A model.

    Attributes:
        trees: of each of `HEADS`.
        bases: what is added to each.
        card: what it was made from and how it scored, for people.
    """

    trees: Mapping[str, Sequence[Tree]]
    bases: Mapping[str, float]
    calibration: Calibration
    card: Mapping[str, Any]

    def rate(self, query: QueryContext, node: NodeContext) -> Rubric:
        """How much a node matters: pure and total."""
        view = look(query, node)
        return rubric_of(self.say(view.values), view, self.calibration)

    def say(self, values: Sequence[int]) -> Said:
        """What it says of a row of features."""
        breaks, risk, relevance = (self.bases[head] + sum_of(self.trees[head], values) for head in HEADS)
        return Said(_probability(breaks), risk, relevance)


def _probability(score: float) -> float:
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, score))))


def rubric_of(said: Said, view: View, calibration: Calibration) -> Rubric:
    """The digits of a node: the rules', corrected where trees are sure that they are wrong."""
    rules = view.rubric
    breaks_by_rules = rules.risk >= MUST_CHANGE_RISK
    breaks = said.breaks >= (calibration.stays_below if breaks_by_rules else calibration.breaks_from)
    share = calibration.share(said.breaks)
    right = share if breaks else 1 - share
    confidence = min(CONFIDENCES, 1 + int(right * CONFIDENCES))
    reasoning = _reasoning(rules, breaks, share)
    least, most = (MUST_CHANGE_RISK, 5) if breaks else (1, MUST_CHANGE_RISK - 1)
    part = calibration.rules
    return Rubric(
        _digit(part * rules.relevance + (1 - part) * said.relevance),
        _digit(part * rules.risk + (1 - part) * said.risk, least, most),
        confidence,
        reasoning,
    )


def _digit(value: float, least: int = 1, most: int = 5) -> int:
    return max(least, min(most, math.floor(value + 0.5)))


def _reasoning(rules: Rubric, breaks: bool, share: float) -> str:
    """The rules' sentence; where the trees say otherwise, that they do."""
    if breaks == (rules.risk >= MUST_CHANGE_RISK):
        return rules.reasoning
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
    heads = data.get("heads")
    if not isinstance(heads, dict) or set(heads) != set(HEADS):
        raise InvalidData("heads", "others", f"the ensembles {', '.join(HEADS)}")
    card = data.get("card")
    return LearnedModel(
        trees={name: _trees(heads[name]) for name in HEADS},
        bases={name: _number("base", heads[name].get("base")) for name in HEADS},
        calibration=_calibration(data.get("calibration")),
        card=card if isinstance(card, dict) else {},
    )


def _trees(head: object) -> tuple[Tree, ...]:
    trees = head.get("trees") if isinstance(head, dict) else None
    if not isinstance(trees, list):
        raise InvalidData("trees", "none", "a list")
    return tuple(read_tree(tree, len(FEATURES)) for tree in trees)


def _calibration(data: object) -> Calibration:
    known = data if isinstance(data, dict) else {}
    bounds, shares = known.get("bounds"), known.get("shares")
    if not (isinstance(bounds, list) and isinstance(shares, list) and len(bounds) == len(shares) > 0):
        raise InvalidData("calibration", "no steps", "as many shares as bounds")
    return Calibration(
        _number("breaks_from", known.get("breaks_from")),
        _number("stays_below", known.get("stays_below")),
        _number("rules", known.get("rules")),
        tuple(_number("bounds", bound) for bound in bounds),
        tuple(min(1.0, max(0.0, _number("shares", share))) for share in shares),
    )


def _number(field: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise InvalidData(field, value, "a number")
