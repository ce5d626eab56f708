"""The queue of places: a total order, each line once."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tidepool.effects.lsp import Place
from tidepool.frontier import Frontier, Lead, Relation

leads = st.builds(
    Lead,
    place=st.builds(Place, path=st.sampled_from(["a.py", "b.py"]), line=st.integers(1, 4), column=st.integers(0, 3)),
    relation=st.sampled_from(Relation),
    snippet=st.just(""),
    promise=st.integers(0, 3),
)


def drained(frontier: Frontier, step: int = 1) -> list[Lead]:
    taken: list[Lead] = []
    while len(frontier):
        taken += frontier.take(step)
    return taken


def filled(added: list[Lead]) -> Frontier:
    frontier = Frontier()
    for lead in added:
        frontier.add(lead)
    return frontier


@given(st.lists(leads))
def test_each_line_comes_out_once_as_it_was_first_added(added: list[Lead]) -> None:
    first = {lead.place.location: lead for lead in reversed(added)}
    assert {lead.place.location: lead for lead in drained(filled(added))} == first


@given(
    st.lists(leads, unique_by=lambda lead: lead.place.location), st.randoms(use_true_random=False), st.integers(1, 5)
)
def test_the_order_does_not_depend_on_the_order_of_adding_nor_on_how_many_are_taken(
    added: list[Lead], dice: Random, step: int
) -> None:
    shuffled = list(added)
    dice.shuffle(shuffled)
    assert drained(filled(added)) == drained(filled(shuffled), step)


@given(st.lists(leads))
def test_the_best_promise_comes_first(added: list[Lead]) -> None:
    promises = [lead.promise for lead in drained(filled(added))]
    assert promises == sorted(promises, reverse=True)


@given(st.lists(leads, min_size=2, unique_by=lambda lead: lead.place.location))
def test_what_is_deferred_comes_after_everything_else(added: list[Lead]) -> None:
    frontier = filled(added)
    (best,) = frontier.take(1)
    frontier.defer(best)
    assert drained(frontier)[-1].place == best.place


@given(st.lists(leads))
def test_what_was_taken_is_known_and_does_not_come_back(added: list[Lead]) -> None:
    frontier = filled(added)
    drained(frontier)
    for lead in added:
        frontier.add(lead)
    assert len(frontier) == 0
    assert all(frontier.is_known(lead.place) for lead in added)
