"""Which examples make a set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.answers import answered, examples_of, questions
from tidepool.domain import Tag, TrainingExample
from tidepool.training.answered import Answered, is_positive
from tidepool.training.balance import FEWEST_POSITIVE, MOST_POSITIVE, Plan, Supply, evened, planned
from tidepool.training.questions import STRATA, Stratum


def balanced(start: Callable[[], Iterator[Answered]], examples: int, seed: int = 0) -> tuple[Plan, list[Answered]]:
    supply = Supply()
    for one in start():
        supply.count(one)
    plan = planned(supply, examples, seed)
    return plan, [plan.kept(one) for one in start()]


def by_stratum(answers: list[Answered]) -> Counter[Stratum]:
    return Counter(next(iter(one.query.tags), None) for one in examples_of(answers))


def share(examples: list[TrainingExample]) -> float:
    return sum(is_positive(one.rubric) for one in examples) / len(examples)


def test_strata_are_even_and_so_are_the_codebases_within_them() -> None:
    plan, kept = balanced(questions(["a", "b", "c", "d"], each=20), 3600)
    assert plan.short == {}
    assert by_stratum(kept) == dict.fromkeys(STRATA, 400)
    cells = Counter((one.codebase, one.examples[0].query.tags) for one in kept for _ in one.examples)
    assert set(cells.values()) == {100}


def test_what_one_stratum_lacks_others_make_good_and_it_is_told() -> None:
    def start() -> Iterator[Answered]:
        yield answered("a", 10**6, Tag.TYPE_ALIAS)
        yield from questions(["a", "b"], each=40, tags=[one for one in STRATA if one is not Tag.TYPE_ALIAS])()

    plan, kept = balanced(start, 1800)
    counts = by_stratum(kept)
    assert plan.short == {Tag.TYPE_ALIAS: 188}
    assert counts[Tag.TYPE_ALIAS] == 12 and counts.total() == 1800
    rest = [counts[one] for one in STRATA if one is not Tag.TYPE_ALIAS]
    assert max(rest) - min(rest) <= 1


def test_what_is_within_a_tenth_of_even_is_not_called_short() -> None:
    plan, _ = balanced(questions(["a"], each=1, positives=3, negatives=6), 9 * 10)
    assert plan.short == {}
    plan, _ = balanced(questions(["a"], each=1, positives=3, negatives=6), 9 * 12)
    assert plan.short == dict.fromkeys(STRATA, 3)


def test_whole_questions_are_taken_but_for_the_last_of_a_codebase() -> None:
    _, kept = balanced(questions(["a", "b"], each=50, tags=[None]), 300)
    sizes = Counter(len(one.examples) for one in kept if one.codebase == "a")
    assert sizes[12] == 12 and sum(size * count for size, count in sizes.items()) == 150
    assert len([size for size in sizes.elements() if size not in (0, 12)]) <= 2


@pytest.mark.parametrize(("positives", "negatives"), [(1, 20), (12, 1), (4, 8), (1, 4), (3, 2)])
def test_the_share_of_positive_examples_is_in_the_range(positives: int, negatives: int) -> None:
    _, kept = balanced(questions(["a", "b"], each=20, positives=positives, negatives=negatives), 400)
    assert FEWEST_POSITIVE <= share(examples_of(kept)) <= MOST_POSITIVE


def test_where_there_is_too_much_of_one_kind_each_question_keeps_its_first_ones_of_both() -> None:
    _, kept = balanced(questions(["a"], each=10, tags=[None], positives=1, negatives=20), 10_000)
    assert {len(one.examples) for one in kept} == {5}
    assert all(one.examples[0].rubric.risk == 5 for one in kept)
    assert [one.node.line for one in kept[0].examples] == [1, 2, 3, 4, 5]


def test_the_lack_of_positive_examples_in_one_codebase_is_made_good_by_others() -> None:
    def start() -> Iterator[Answered]:
        yield from questions(["a"], each=10, tags=[None], positives=0, negatives=6)()
        yield from questions(["b"], each=10, tags=[None], positives=6, negatives=0)()

    _, kept = balanced(start, 120)
    assert share(examples_of(kept)) == 0.5 and len(examples_of(kept)) == 120


def test_where_nothing_is_positive_all_is_kept() -> None:
    _, kept = balanced(questions(["a"], each=2, tags=[None], positives=0, negatives=6), 100)
    assert len(examples_of(kept)) == 12


def test_the_same_seed_takes_the_same() -> None:
    start = questions(["a", "b", "c"], each=7)
    assert balanced(start, 500) == balanced(start, 500)


def test_a_question_without_examples_is_none_to_take_from() -> None:
    plan, kept = balanced(lambda: iter([Answered("a", 0, "", ())]), 10)
    assert examples_of(kept) == [] and plan.short == dict.fromkeys(STRATA, 2)


@given(st.integers(0, 300), st.dictionaries(st.text(max_size=3), st.integers(0, 60), max_size=9))
def test_shares_are_as_even_as_supplies_allow(total: int, supplies: dict[str, int]) -> None:
    given_out = evened(total, supplies)
    assert sum(given_out.values()) == min(total, sum(supplies.values()))
    assert all(count <= supplies[key] for key, count in given_out.items())
    level = max(given_out.values(), default=0)
    assert all(count >= level - 1 for key, count in given_out.items() if count < supplies[key])


mixes = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(STRATA), st.integers(0, 6), st.integers(0, 9)), max_size=25
)


@given(mixes, st.integers(0, 200))
def test_whatever_there_is_no_more_is_taken_than_wanted_and_the_range_holds_if_it_can(
    mix: list[tuple[str, Stratum, int, int]], wanted: int
) -> None:
    answers = [answered(name, number, tag, *sizes) for number, (name, tag, *sizes) in enumerate(mix)]
    _, kept = balanced(lambda: iter(answers), wanted)
    examples, before = examples_of(kept), examples_of(answers)
    assert len(examples) <= wanted and set(examples) <= set(before)
    positives = sum(is_positive(one.rubric) for one in examples)
    if 0 < positives < len(examples):
        assert FEWEST_POSITIVE <= share(examples) <= MOST_POSITIVE
