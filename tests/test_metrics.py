"""How answers are measured: examples computed by hand, and what holds for any answer."""

from __future__ import annotations

import math
import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidepool.bootstrap import total
from tidepool.cases import Case, Spot
from tidepool.change import ChangeKind
from tidepool.metrics import (
    FIGURES,
    Claim,
    Cost,
    Row,
    Score,
    calibration_error,
    cases_with,
    figures_of,
    measure,
    ndcg,
    stated,
    sums_of_pair,
)

MUST = ("a.py:10", "a.py:40", "b.py:7")
CASE = Case(
    id="shop/rename/f",
    codebase="shop",
    root=".",
    kind=ChangeKind.RENAME,
    question="What breaks if I rename `f` to `g`?",
    tags=(),
    name="f",
    definition="f.py:3",
    own_lines=(2, 9),
    must=MUST,
    may=(*MUST, "c.py:1"),
)


def row(location: str, risk: int = 5, confidence: int | None = 5, also: tuple[int, ...] = ()) -> Row:
    spot = Spot.at(location)
    return Row(spot, risk, confidence, tuple(Spot(spot.path, line) for line in also))


PERFECT = [row(location) for location in MUST]


def test_a_perfect_answer_has_full_marks() -> None:
    score = measure(CASE, PERFECT, 0.5)
    assert (score.recall, score.recall_at_location, score.precision, score.ndcg, score.first) == (1, 1, 1, 1, True)
    assert (score.missed, score.wrong, score.seconds) == ((), (), 0.5)


def test_an_empty_answer_finds_nothing_and_claims_nothing() -> None:
    score = measure(CASE, [], 0.5)
    assert (score.recall, score.precision, score.ndcg, score.first) == (0, None, 0, False)
    assert score.missed == MUST


def test_lines_up_to_two_apart_are_one_place_and_three_apart_are_not() -> None:
    assert measure(CASE, [row("a.py:12")], 0).recall == pytest.approx(1 / 3)
    assert measure(CASE, [row("a.py:8")], 0).recall == pytest.approx(1 / 3)
    assert measure(CASE, [row("a.py:13")], 0).recall == 0
    assert measure(CASE, [row("b.py:10")], 0).recall == 0


def test_a_line_that_a_row_lists_is_found_but_not_by_location() -> None:
    score = measure(CASE, [row("a.py:10", also=(40,))], 0)
    assert score.recall == pytest.approx(2 / 3)
    assert score.recall_at_location == pytest.approx(1 / 3)
    assert score.missed == ("b.py:7",)


def test_only_the_first_twenty_rows_are_looked_at() -> None:
    others = [row(f"z.py:{10 * number}", risk=1) for number in range(1, 21)]
    assert measure(CASE, [*others[:19], row("b.py:7")], 0).recall == pytest.approx(1 / 3)
    assert measure(CASE, [*others, row("b.py:7")], 0).recall == 0


def test_recall_is_told_for_fewer_and_for_more_rows_as_well() -> None:
    others = [row(f"z.py:{10 * number}", risk=1) for number in range(1, 60)]
    rows = [*others[:4], row("a.py:10"), *others[4:8], row("a.py:40"), *others[8:48], row("b.py:7")]
    score = measure(CASE, rows, 0)
    found = (score.recall_at_5, score.recall_at_10, score.recall, score.recall_at_50)
    assert found == pytest.approx((1 / 3, 2 / 3, 2 / 3, 2 / 3))
    assert measure(CASE, [*others[:49], row("b.py:7")], 0).recall_at_50 == pytest.approx(1 / 3)


def test_what_a_scorer_took_is_told_for_each_node() -> None:
    costs = [Cost(10, 1.0, 1_000), Cost(30, 1.0, 5_000)]
    both = figures_of([measure(CASE, PERFECT, 0, cost) for cost in costs])
    assert (both["seconds_a_node"], both["bytes_a_node"]) == (0.05, 150)
    assert figures_of([measure(CASE, PERFECT, 0)])["seconds_a_node"] is None


def test_what_one_of_two_answers_lacks_is_left_out_of_both() -> None:
    silent = measure(CASE, [row("a.py:10", 3)], 1)
    sure, wrong = measure(CASE, PERFECT, 1), measure(CASE, [row("z.py:1"), row("a.py:10")], 1)
    pairs = [sums_of_pair(sure, sure), sums_of_pair(wrong, silent)]
    one, other = (total(side) for side in zip(*pairs, strict=True))
    assert (FIGURES["precision"](one), FIGURES["precision"](other)) == (1, 1)
    assert (cases_with("precision", one), cases_with("recall", one)) == (1, 2)
    assert FIGURES["recall"](one) == pytest.approx((1 + 1 / 3) / 2)
    assert figures_of([sure, wrong])["precision"] == 0.75 and figures_of([sure, silent])["precision"] == 1


def test_the_changed_definition_is_neither_right_nor_wrong() -> None:
    assert measure(CASE, [row("f.py:3"), *PERFECT], 0) == measure(CASE, PERFECT, 0)
    assert measure(CASE, [row("f.py:9"), *PERFECT], 0) == measure(CASE, PERFECT, 0)
    assert measure(CASE, [row("f.py:12"), *PERFECT], 0).first is False


def test_what_the_row_of_the_definition_lists_is_found() -> None:
    case = attrs.evolve(CASE, must=("f.py:30",), may=("f.py:30",))
    score = measure(case, [row("f.py:3", also=(30,))], 0)
    assert (score.recall, score.recall_at_location, score.first) == (1, 0, False)


def test_precision_is_over_the_rows_that_are_said_to_break() -> None:
    rows = [row("a.py:10", 5), row("c.py:2", 4), row("z.py:1", 4), row("z.py:50", 3)]
    score = measure(CASE, rows, 0)
    assert score.precision == pytest.approx(2 / 3)
    assert score.wrong == ("z.py:1",)


def test_a_first_row_that_only_may_have_to_change_is_right() -> None:
    assert measure(CASE, [row("c.py:1"), row("z.py:1")], 0).first
    assert not measure(CASE, [row("z.py:1"), row("c.py:1")], 0).first


def test_gain_is_discounted_by_the_rank() -> None:
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    score = measure(CASE, [row("z.py:1"), row("a.py:10"), row("z.py:9"), row("b.py:7")], 0)
    assert score.ndcg == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)


def test_a_place_that_may_change_or_was_shown_takes_no_rank() -> None:
    score = measure(CASE, [row("c.py:1"), row("a.py:10"), row("a.py:11"), row("a.py:40"), row("b.py:7")], 0)
    assert score.ndcg == 1


def test_what_takes_no_rank_is_passed_over_before_the_ranking_is_cut() -> None:
    must = tuple(f"a.py:{10 * number}" for number in range(1, 21))
    case = attrs.evolve(CASE, must=must, may=(*must, "c.py:1"))
    assert measure(case, [row("c.py:1"), *map(row, must)], 0).ndcg == 1
    assert measure(case, [row("z.py:1"), *map(row, must)], 0).ndcg < 1


def test_what_stands_behind_twenty_ranks_gains_nothing() -> None:
    others = [row(f"z.py:{10 * number}") for number in range(1, 21)]
    behind_19, behind_20 = (measure(CASE, [*others[:count], row("b.py:7")], 0).ndcg for count in (19, 20))
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert behind_19 == pytest.approx(1 / math.log2(21) / ideal) and behind_20 == 0


def test_confidence_is_calibrated_where_it_is_right_as_often_as_it_states() -> None:
    assert [stated(confidence) for confidence in range(1, 6)] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    claims = [Claim(5, right=True)] * 9 + [Claim(5, right=False)] + [Claim(3, right=True), Claim(3, right=False)]
    assert calibration_error(claims) == pytest.approx(0)


def test_calibration_weighs_each_confidence_by_how_often_it_was_stated() -> None:
    claims = [Claim(5, right=False)] * 3 + [Claim(1, right=False)]
    assert calibration_error(claims) == pytest.approx((3 * 0.9 + 1 * 0.1) / 4)
    assert calibration_error([]) is None


def test_a_row_of_a_low_risk_claims_that_nothing_breaks() -> None:
    score = measure(CASE, [row("a.py:10", 5, 4), row("z.py:1", 2, 3), row("c.py:1", 1, 2)], 0)
    assert score.claims == (Claim(4, right=True), Claim(3, right=True), Claim(2, right=False))


def test_an_answer_that_states_no_confidence_has_no_calibration() -> None:
    score = measure(CASE, [row("a.py:10", confidence=None)], 0)
    assert figures_of([score])["ece"] is None


def test_a_summary_weighs_every_case_the_same_and_passes_over_what_has_no_value() -> None:
    one = Score(1, 1, 0.5, 1, True, 1, (Claim(5, right=True),))
    other = Score(0, 0, None, 0, False, 3, (Claim(5, right=False),))
    both = figures_of([one, other])
    means = [both[name] for name in ("recall", "precision", "ndcg", "first", "seconds")]
    assert means == [0.5, 0.5, 0.5, 0.5, 2] and both["ece"] == pytest.approx(0.4)


def test_a_summary_of_nothing_has_no_values() -> None:
    assert figures_of([])["recall"] is None


def test_a_case_with_nothing_to_find_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="shop/rename/f has no place that must change"):
        measure(attrs.evolve(CASE, must=()), PERFECT, 0)


SPOTS = st.builds(Spot, st.sampled_from(["a.py", "b.py", "c.py", "f.py"]), st.integers(1, 60))
ROWS = st.lists(st.builds(Row, SPOTS, st.integers(1, 5), st.integers(1, 5), st.tuples(SPOTS)), max_size=30)


@given(ROWS)
def test_every_value_is_a_share(rows: list[Row]) -> None:
    score = measure(CASE, rows, 0)
    shares = [score.recall, score.recall_at_location, score.precision or 0, score.ndcg, figures_of([score])["ece"] or 0]
    assert all(0 <= share <= 1 + 1e-9 for share in shares)
    assert score.recall_at_location <= score.recall + 1e-9


@given(st.permutations(PERFECT))
def test_a_perfect_answer_has_full_marks_in_any_order(rows: list[Row]) -> None:
    assert measure(CASE, rows, 0).ndcg == pytest.approx(1)


@given(ROWS.filter(lambda rows: len(rows) <= 20), st.integers(0, 2**32))
def test_recall_and_precision_do_not_depend_on_the_order_of_the_first_rows(rows: list[Row], seed: int) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))
    one, other = measure(CASE, rows, 0), measure(CASE, shuffled, 0)
    assert (one.recall, one.precision) == (other.recall, other.precision)
    assert sorted(one.wrong) == sorted(other.wrong)


@given(st.lists(SPOTS, max_size=15))
def test_what_is_wrong_before_a_right_row_never_raises_the_gain(wrong: list[Spot]) -> None:
    must = [Spot.at(location) for location in MUST]
    elsewhere = [Spot(f"z/{spot.path}", spot.line) for spot in wrong]
    assert ndcg(must, must, [*elsewhere, *must]) <= ndcg(must, must, must)
    assert (ndcg(must, must, [*elsewhere, *must]) == 1) == (not elsewhere)


@given(st.sets(SPOTS, min_size=1, max_size=25))
def test_an_answer_that_lists_exactly_what_must_change_is_perfect(spots: set[Spot]) -> None:
    places = [Spot(spot.path, 10 * spot.line) for spot in sorted(spots)]
    locations = tuple(spot.location for spot in places)
    case = attrs.evolve(CASE, definition="own.py:1", own_lines=(1, 1), must=locations, may=locations)
    score = measure(case, [Row(spot, 5, 5) for spot in places], 0)
    assert score.ndcg == pytest.approx(1)
    assert score.recall == pytest.approx(min(len(places), 20) / len(places))
