"""Intervals: computed by hand where that is possible, and what holds for any figures."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidepool.bootstrap import Interval, Resamples, Sums, of_difference, total
from tidepool.metrics import ratio

SHARES = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=8)


def value_of(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


def test_two_units_are_drawn_as_often_as_chance_has_it() -> None:
    drawn = Counter(Resamples.of(2, seed=3).drawn)
    assert set(drawn) == {(2, 0), (1, 1), (0, 2)}
    assert drawn[1, 1] / 2_000 == pytest.approx(0.5, abs=0.05)
    assert drawn[2, 0] / 2_000 == pytest.approx(0.25, abs=0.05)


def test_the_ends_are_the_extremes_where_few_units_make_them_likely() -> None:
    assert Resamples.of(2).interval([(1.0, 1.0), (3.0, 1.0)], ratio) == Interval(1.0, 3.0)


def test_a_narrower_level_gives_a_narrower_interval() -> None:
    sums: list[Sums] = [(float(number), 1.0) for number in range(20)]
    wide = value_of(Resamples.of(20).interval(sums, ratio, 0.99))
    narrow = value_of(Resamples.of(20).interval(sums, ratio, 0.5))
    assert wide.low < narrow.low < 9.5 < narrow.high < wide.high


def test_an_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    sums: list[Sums] = [(float(number), 1.0) for number in range(100)]
    found = value_of(Resamples.of(100, seed=1).interval(sums, ratio))
    error = math.sqrt(sum((number - 49.5) ** 2 for number in range(100)) / 100) / math.sqrt(100)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    assert Resamples.of(5, seed=1) == Resamples.of(5, seed=1) != Resamples.of(5, seed=2)


def test_one_unit_says_nothing_of_the_next_one() -> None:
    assert Resamples.of(1).interval([(1.0, 2.0)], ratio) is None
    assert Resamples.of(0).interval([], ratio) is None


def test_units_that_have_no_part_in_a_figure_do_not_make_it_sure() -> None:
    assert Resamples.of(3).interval([(1.0, 2.0), (0.0, 0.0), (0.0, 0.0)], ratio) is None


def test_the_wrong_number_of_units_is_refused() -> None:
    with pytest.raises(ValueError, match="3 units were given where 2 are drawn from"):
        Resamples.of(2).interval([(1.0, 1.0)] * 3, ratio)


def test_a_difference_that_every_unit_has_is_sure_however_far_apart_the_units_are() -> None:
    pairs: list[Sums] = [(base + 0.1, 1.0, base, 1.0) for base in (0.0, 0.3, 0.9)]
    found = value_of(Resamples.of(3).interval(pairs, of_difference(ratio, 2)))
    assert found.low == pytest.approx(0.1) and found.high == pytest.approx(0.1)
    alone = value_of(Resamples.of(3).interval([pair[:2] for pair in pairs], ratio))
    assert alone.high - alone.low > 0.5


@given(SHARES)
def test_an_interval_lies_within_what_the_units_have(shares: list[tuple[int, int]]) -> None:
    found = value_of(Resamples.of(len(shares), resamples=200).interval(shares, ratio))
    each = [part / whole for part, whole in shares]
    assert min(each) - 1e-9 <= found.low <= found.high <= max(each) + 1e-9


@given(SHARES, SHARES)
def test_a_difference_the_other_way_round_has_the_opposite_interval(
    ours: list[tuple[int, int]], theirs: list[tuple[int, int]]
) -> None:
    pairs = [(*one, *other) for one, other in zip(ours, theirs, strict=False)]
    turned = [(*pair[2:], *pair[:2]) for pair in pairs]
    resamples = Resamples.of(len(pairs), resamples=200)
    one = resamples.interval(pairs, of_difference(ratio, 2))
    other = resamples.interval(turned, of_difference(ratio, 2))
    assert value_of(one).low == pytest.approx(-value_of(other).high)


def test_the_total_is_that_of_each_sum() -> None:
    assert total([(1.0, 2.0), (3.0, 4.0)]) == [4.0, 6.0]
