"""Which nodes say nearly the same, and which split their text belongs to."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.edge.dataset import seen
from tests.answers import code, example
from tidepool.domain import NodeContext
from tidepool.errors import ConfigError
from tidepool.training.duplicates import SIMILARITY, Bands, are_alike, packed, shingles, unpacked
from tidepool.training.splits import TEST, TRAIN, VALIDATION


def node(snippet: str, hover: str | None = None) -> NodeContext:
    return NodeContext("a.py:1", hover, snippet)


def test_white_space_and_numbers_make_no_difference() -> None:
    assert shingles(node("x = f(1,  2.5)\n\ty = 0x1F")) == shingles(node("x=f(7,100)\n        y = 3"))
    assert shingles(node("x = f(a)")) != shingles(node("x = f(b)"))


def test_what_the_server_says_of_a_node_is_part_of_its_text() -> None:
    assert not are_alike(shingles(node("f(a)", "def f(a: int) -> str")), shingles(node("f(a)", None)))


@given(st.text(max_size=60), st.none() | st.text(max_size=60))
def test_any_text_has_shingles_and_they_are_packed_without_loss(snippet: str, hover: str | None) -> None:
    grams = shingles(node(snippet, hover))
    assert grams and unpacked(packed(grams)) == grams and are_alike(grams, grams)


@given(st.sets(st.integers(0, 99), min_size=1), st.sets(st.integers(0, 99), min_size=1))
def test_alike_is_what_shares_four_fifths(one: set[int], other: set[int]) -> None:
    assert are_alike(one, other) == (len(one & other) / len(one | other) >= SIMILARITY)


def variants(random: Random) -> list[NodeContext]:
    """Some code, and the same with more and more of its words replaced."""
    words = [f"name{random.randrange(10**6)}x" for _ in range(60)]
    made = []
    for _ in range(8):
        made.append(node(" ".join(words)))
        words[random.randrange(60)] = f"other{random.randrange(10**6)}x"
    return made


def test_no_near_duplicate_is_missed_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    random = Random(5)
    groups = [variants(random) for _ in range(50)]
    tested, others = [first for first, *_ in groups], [one for _, *more in groups for one in more]
    known_grams = [shingles(one) for one in tested]
    held = [any(are_alike(shingles(one), grams) for grams in known_grams) for one in others]
    assert 60 < sum(held) < len(held) - 60
    with seen.opened(tmp_path) as known:
        assert all(known.split_of(one, TEST) == TEST for one in tested)
        assert [known.split_of(one, TRAIN) == TEST for one in others] == held


def test_the_bands_are_the_same_on_every_run() -> None:
    keys = Bands().keys(shingles(node("def price(kind: LLMKind) -> float:\n    return 0.5")))
    assert (len(keys), keys[0], keys[-1]) == (32, -7544213585945932078, 6476493035833611355)


def test_a_text_belongs_to_the_weightiest_split_that_has_it(tmp_path: Path) -> None:
    shared, more = node(code("shared")), node(code("more"))
    with seen.opened(tmp_path) as known:
        assert known.split_of(shared, TEST) == TEST
        assert [known.split_of(one, VALIDATION) for one in (shared, more, shared)] == [TEST, VALIDATION, TEST]
        assert [known.split_of(one, TRAIN) for one in (shared, more, node(code("new")))] == [TEST, VALIDATION, TRAIN]


def test_a_question_about_a_place_is_new_once(tmp_path: Path) -> None:
    with seen.opened(tmp_path) as known:
        assert known.is_new(example())
        assert not known.is_new(example(codebase="shop"))
        assert known.is_new(example(asked="Who calls f?")) and known.is_new(example(location="a.py:4"))
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make room there, or write to another folder"), seen.opened(tmp_path / "no"):
        pass
