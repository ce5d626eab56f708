"""Which codebases are held out."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidepool.training.splits import SPLITS, TEST, TRAIN, VALIDATION, split_of

names = st.sets(st.text(max_size=8), max_size=40)


@given(names, st.integers())
def test_every_codebase_is_in_one_split_whatever_the_order(known: set[str], seed: int) -> None:
    splits = split_of(sorted(known), seed)
    assert splits.keys() == known
    assert set(splits.values()) <= set(SPLITS)
    assert splits == split_of(sorted(known, reverse=True), seed)


@given(st.sets(st.text(max_size=8), min_size=3, max_size=40), st.integers())
def test_from_three_codebases_on_every_split_has_one(known: set[str], seed: int) -> None:
    assert set(split_of(known, seed).values()) == set(SPLITS)


@pytest.mark.parametrize(
    ("count", "held"),
    [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (10, (7, 1, 2)), (12, (9, 1, 2)), (50, (35, 5, 10))],
)
def test_a_fifth_is_tested_on_and_a_tenth_is_for_choosing(count: int, held: tuple[int, int, int]) -> None:
    found = Counter(split_of([f"c{number}" for number in range(count)], seed=0).values())
    assert (found[TRAIN], found[VALIDATION], found[TEST]) == held


def test_a_share_of_nothing_holds_nothing_out() -> None:
    assert set(split_of("abcdef", 0, validation=0, test=0).values()) == {TRAIN}


def test_another_seed_holds_out_others() -> None:
    assert len({tuple(split_of("abcdefghij", seed).items()) for seed in range(10)}) > 5


def test_what_is_pinned_stays_and_counts_towards_its_share() -> None:
    splits = split_of("abcdefghij", 0, pinned={"a": TEST, "b": TEST, "c": TRAIN, "elsewhere": TEST})
    assert (splits["a"], splits["b"], splits["c"]) == (TEST, TEST, TRAIN)
    assert Counter(splits.values())[TEST] == 2
    assert "elsewhere" not in splits
