"""Whether a new model is promoted: by hand-made answers to questions of known quality."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, Tag, TrainingExample
from tidepool.training.promotion import LEAST_QUESTIONS, Decision, Judged, Standing, decided, standings_of
from tidepool.training.student import quantile

RIGHT = Rubric(5, 5, 5, "")
NEAR = Rubric(5, 4, 5, "")
FAR = Rubric(1, 1, 5, "")
RUBRICS = st.builds(Rubric, st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.just(""))


def judged(tag: Tag | None, before: Rubric, after: Rubric, question: int = 0) -> Judged:
    query = QueryContext(f"rename f{question}", (tag,) if tag else ())
    node = NodeContext("a.py:1", None, f"f{question}()")
    origin = Provenance(codebase="shop")
    return Judged(TrainingExample(query, node, RIGHT, datetime(2026, 1, 1, tzinfo=UTC), origin), before, after)


def of_tag(tag: Tag | None, before: Rubric, after: Callable[[int], Rubric], questions: int = 24) -> list[Judged]:
    return [judged(tag, before, after(number), number) for number in range(questions)]


def part(standings: Sequence[Standing], name: str) -> Standing:
    return next(one for one in standings if one.part == name)


def test_a_model_that_is_better_everywhere_is_promoted() -> None:
    standings = standings_of(of_tag(Tag.FUNCTION, FAR, lambda _: RIGHT) + of_tag(None, NEAR, lambda _: RIGHT))
    assert [one.part for one in standings] == ["overall", "Function", "no tag"]
    assert (part(standings, "Function").before, part(standings, "Function").after) == (0, 1)
    assert decided(standings).promoted


def test_one_tag_that_gets_worse_keeps_the_current_model_however_much_better_the_others_are() -> None:
    better = of_tag(Tag.FUNCTION, FAR, lambda _: RIGHT, 40)
    decision = decided(standings_of(better + of_tag(Tag.MODULE, RIGHT, lambda _: NEAR)))
    assert not decision.promoted
    assert decision.why == "it is worse beyond noise: Module (-0.1667)"


def test_what_may_be_noise_does_not_keep_a_model_back() -> None:
    mixed = of_tag(Tag.MODULE, NEAR, lambda number: FAR if number == 0 else RIGHT if number % 2 else NEAR)
    standings = standings_of(mixed)
    module = part(standings, "Module")
    assert module.low is not None and module.high is not None and module.low < 0 < module.high
    assert decided(standings).promoted


def test_places_of_one_question_count_as_one_piece_of_evidence() -> None:
    same = [judged(Tag.MODULE, RIGHT, FAR) for _ in range(50)]
    module = part(standings_of(same), "Module")
    assert (module.examples, module.questions, module.high) == (50, 1, None)
    assert not module.is_worse


def test_with_nothing_to_compare_by_nothing_is_promoted() -> None:
    decision = decided(standings_of([]))
    assert not decision.promoted and "nothing to compare" in decision.why


def test_a_tag_of_few_questions_says_nothing_either_way() -> None:
    few = of_tag(Tag.MODULE, RIGHT, lambda _: FAR, LEAST_QUESTIONS - 1)
    standings = standings_of(of_tag(Tag.FUNCTION, NEAR, lambda _: RIGHT, 200) + few)
    assert (part(standings, "Module").low, part(standings, "Module").high) == (None, None)
    assert decided(standings).promoted


def test_a_test_set_of_few_questions_promotes_nothing() -> None:
    decision = decided(standings_of(of_tag(None, FAR, lambda _: RIGHT, LEAST_QUESTIONS - 1)))
    assert decision == Decision(
        promoted=False, why="the test set has 19 questions, and 20 are the least to compare models by"
    )


def test_an_interval_is_that_of_a_mean_by_student() -> None:
    """By hand: 24 questions, every second one better by a sixth; two parts, so 0.0125 at either side."""
    mixed = [judged(None, NEAR, (RIGHT, NEAR)[number % 2], number) for number in range(24)]
    (overall, _) = standings_of(mixed)
    differences = [1 / 6 * (number % 2 == 0) for number in range(24)]
    error = (sum((one - 1 / 12) ** 2 for one in differences) / 23 / 24) ** 0.5
    assert overall.low == pytest.approx(1 / 12 - 2.3979 * error, abs=1e-4)
    assert overall.high == pytest.approx(1 / 12 + 2.3979 * error, abs=1e-4)


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [(0.975, 1, 12.7062), (0.975, 5, 2.5706), (0.995, 10, 3.1693), (0.9975, 23, 3.1040), (0.975, 1000, 1.9623)],
)
def test_students_t_is_as_in_the_tables(probability: float, freedom: int, expected: float) -> None:
    assert quantile(probability, freedom) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(("codebases", "shared"), [(1, 0.0), (6, 0.0), (6, 1.0)])
def test_a_model_that_is_as_good_is_refused_about_as_often_as_is_said(codebases: int, shared: float) -> None:
    """Two noisy models, neither of them better; what a codebase adds to all its questions is noise as well."""
    dice = random.Random(20261123)
    refused = sum(not decided(standings_of(equally_good(dice, codebases, shared))).promoted for _ in range(200))
    assert refused <= 12  # 5 are expected; 12 or fewer come with a probability of 0.998


def equally_good(dice: random.Random, codebases: int, shared: float) -> list[Judged]:
    tags = (None, Tag.FUNCTION, Tag.MODULE, Tag.DATA_TYPE)
    one: list[Judged] = []
    for codebase in range(codebases):
        lean = dice.choice((-0.3, 0.3)) * shared
        for number in range(160 // codebases):
            before, after = (NEAR if dice.random() < 0.5 + sign * lean else RIGHT for sign in (1, -1))
            found = judged(tags[number % len(tags)], before, after, number)
            origin = Provenance(codebase=f"shop{codebase}")
            one.append(attrs.evolve(found, example=attrs.evolve(found.example, provenance=origin)))
    return one


def test_a_model_that_is_worse_is_refused_although_codebases_differ() -> None:
    dice = random.Random(7)
    worse = [attrs.evolve(one, after=FAR) for one in equally_good(dice, 6, 1.0)]
    assert not decided(standings_of(worse)).promoted


@given(st.lists(st.tuples(st.sampled_from([None, *Tag]), RUBRICS), min_size=1, max_size=60))
def test_a_model_that_says_the_same_is_never_worse_and_one_that_says_better_is_not_either(
    said: list[tuple[Tag | None, Rubric]],
) -> None:
    for after in (None, RIGHT):
        standings = standings_of(
            judged(tag, rubric, after or rubric, number) for number, (tag, rubric) in enumerate(said)
        )
        assert all(one.before <= one.after and not one.is_worse for one in standings)
        assert after is not None or all(one.before == one.after for one in standings)


def test_only_parts_that_are_judged_share_the_chance() -> None:
    many = [judged(None, NEAR, (RIGHT, NEAR)[number % 2], number) for number in range(24)]
    few = [judged(tag, NEAR, NEAR, number) for tag in Tag for number in range(3)]
    alone, among = part(standings_of(many), "no tag"), part(standings_of([*many, *few]), "no tag")
    assert (alone.low, alone.high) == (among.low, among.high)
    scattered = of_tag(Tag.MODULE, NEAR, lambda _: RIGHT, 15) + of_tag(None, NEAR, lambda _: RIGHT, 15)
    assert "no tag has enough questions to be judged by" in decided(standings_of(scattered)).why
