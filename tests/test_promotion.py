"""Whether a new model is promoted: by hand-made answers to questions of known quality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, Tag, TrainingExample
from tidepool.training.promotion import Judged, Standing, decided, standings_of

RIGHT = Rubric(5, 5, 5, "")
NEAR = Rubric(5, 4, 5, "")
FAR = Rubric(1, 1, 5, "")
RUBRICS = st.builds(Rubric, st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.just(""))


def judged(tag: Tag | None, before: Rubric, after: Rubric, question: int = 0) -> Judged:
    query = QueryContext(f"rename f{question}", (tag,) if tag else ())
    node = NodeContext("a.py:1", None, f"f{question}()")
    origin = Provenance(codebase="shop")
    return Judged(TrainingExample(query, node, RIGHT, datetime(2026, 1, 1, tzinfo=UTC), origin), before, after)


def of_tag(tag: Tag | None, before: Rubric, after: Callable[[int], Rubric], questions: int = 12) -> list[Judged]:
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


@given(st.lists(st.tuples(st.sampled_from([None, *Tag]), RUBRICS), min_size=1, max_size=30))
def test_a_model_that_says_the_same_is_never_worse(said: list[tuple[Tag | None, Rubric]]) -> None:
    standings = standings_of(judged(tag, rubric, rubric, number) for number, (tag, rubric) in enumerate(said))
    assert all(one.before == one.after and not one.is_worse for one in standings)
