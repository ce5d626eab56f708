"""The explore loop over the in-memory codebase: what it visits, in which order, and what it says of the rest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.clock import stopped_clock
from interpreters.gemma.heuristic import heuristic
from interpreters.lsp.in_memory import in_memory
from interpreters.report import silent
from tidepool.domain import Rubric, ScoutQuery, ScoutResponse, Status, Tag
from tidepool.eff import Handler, run, run_async
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Callers, Definition, FindSymbol, Hover, Lsp, References, Snippet
from tidepool.effects.report import Note, Progress
from tidepool.errors import BadAnswer, Unavailable, Unsupported
from tidepool.explore import ScorerFailed, explore
from tidepool.tape import Entry, recorded, replay

FIXTURE = Path(__file__).parent / "fixtures" / "llmkind"
LLMKIND = {path.relative_to(FIXTURE).as_posix(): path.read_text() for path in sorted(FIXTURE.rglob("*.py"))}
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
ADD_VARIANT = "What breaks if I add a variant to LLMKind?"
EXHAUSTIVE = (Tag.EXHAUSTIVE, Tag.PATTERN_MATCH)

SHOP = {
    "shop/prices.py": """\
def find_price(name):
    return TABLE.get(name)


def doubled(name):
    return find_price(name)


TABLE = {}
""",
    "shop/till.py": """\
from shop.prices import doubled, find_price


def pay(name):
    return doubled(name) + 1


def quote(name):
    total = find_price(name) * 2
    return total


def log(name):
    find_price(name)
""",
}


def ask(
    question: str,
    files: dict[str, str] = LLMKIND,
    *,
    tags: tuple[Tag, ...] = (),
    budget: int = 200,
    scorer: Handler[RateNode] | None = None,
    world: Handler[Lsp] | None = None,
    examples: bool = False,
) -> ScoutResponse:
    query = ScoutQuery(question, tags, budget, examples)
    handlers = (scorer or heuristic()) | (world or in_memory(files)) | stopped_clock(NOON) | silent()
    return run(explore(query), handlers)


def names(response: ScoutResponse) -> list[str]:
    return [pointer.what.partition(" (also")[0] for pointer in response.pointers]


def test_adding_a_variant_puts_what_treats_every_variant_first() -> None:
    response = ask(ADD_VARIANT, tags=EXHAUSTIVE)
    first_five = names(response)[:5]
    assert {"price", "context_window", "CLIENTS"} <= set(first_five)
    assert all(p.risk >= 4 for p in response.pointers if p.what.split()[0] in {"price", "context_window", "CLIENTS"})


def test_a_node_is_rated_once_and_the_budget_is_kept() -> None:
    seen: list[str] = []

    def scorer(op: RateNode) -> Rubric:
        seen.append(op.node.location)
        return Rubric(3, 3, 3, "seen")

    response = ask(ADD_VARIANT, budget=7, scorer=RateNode.by(scorer))
    assert len(seen) == len(set(seen)) == response.nodes_visited == 7
    assert response.status is Status.PARTIAL
    assert f"7 of {7 + response.frontier_left}" in response.summary


def test_a_budget_of_zero_rates_nothing_and_says_so() -> None:
    response = ask(ADD_VARIANT, budget=0)
    assert (response.nodes_visited, response.pointers, response.status) == (0, (), Status.PARTIAL)
    assert response.frontier_left > 0


def test_a_large_budget_leaves_nothing() -> None:
    response = ask(ADD_VARIANT, budget=10_000)
    assert (response.status, response.frontier_left) == (Status.COMPLETE, 0)


@pytest.mark.parametrize("budget", [1, 2, 3, 20])
def test_a_larger_budget_keeps_what_a_smaller_one_rated_of_the_first_round(budget: int) -> None:
    visited: list[str] = []

    def scorer(op: RateNode) -> Rubric:
        visited.append(op.node.location)
        return Rubric(1, 1, 1, "nothing carries on")

    ask(ADD_VARIANT, budget=10_000, scorer=RateNode.by(scorer))
    everything = list(visited)
    visited.clear()
    ask(ADD_VARIANT, budget=budget, scorer=RateNode.by(scorer))
    assert visited == everything[:budget]


@given(st.integers(0, 2**32))
def test_the_answer_does_not_depend_on_the_order_in_which_the_world_answers(seed: int) -> None:
    shuffled = in_memory(LLMKIND) | _shuffling(in_memory(LLMKIND), random.Random(seed))
    assert ask(ADD_VARIANT, tags=EXHAUSTIVE, budget=20, world=shuffled) == ask(ADD_VARIANT, tags=EXHAUSTIVE, budget=20)


@given(st.integers(0, 2**32))
def test_the_answer_does_not_depend_on_the_order_of_completion(seed: int) -> None:
    delays = random.Random(seed)

    async def slow(op: RateNode) -> Rubric:
        for _ in range(delays.randrange(5)):
            await asyncio.sleep(0)
        rubric: Rubric = heuristic()(op)
        return rubric

    handlers = RateNode.by_async(slow) | in_memory(LLMKIND) | stopped_clock(NOON) | silent()
    query = ScoutQuery(ADD_VARIANT, EXHAUSTIVE, 20)
    assert asyncio.run(run_async(explore(query), handlers)) == ask(ADD_VARIANT, tags=EXHAUSTIVE, budget=20)


def test_a_recorded_exploration_replays_without_the_world() -> None:
    tape: list[Entry] = []
    query = ScoutQuery(ADD_VARIANT, EXHAUSTIVE, 20, keep_examples=True)
    handlers = heuristic() | in_memory(LLMKIND) | stopped_clock(NOON) | silent()
    answer = run(recorded(explore(query), tape.append), handlers)
    assert replay(explore(query), tape) == answer


def test_a_nullable_return_is_followed_to_the_callers_of_what_passes_it_on() -> None:
    response = ask("What breaks if `find_price` may return None?", SHOP)
    assert {"doubled", "quote", "pay"} <= set(names(response))


def test_an_unnoticed_result_is_less_at_risk_than_one_that_is_used() -> None:
    risks = {
        pointer.what.split()[0]: pointer.risk
        for pointer in ask("What breaks if `find_price` may return None?", SHOP).pointers
    }
    assert risks["log"] < risks["quote"]


def test_an_unknown_name_is_not_found_and_the_closest_are_named() -> None:
    response = ask("What breaks if I rename contxt_window?")
    assert (response.status, response.pointers) == (Status.NOT_FOUND, ())
    assert "`context_window`" in response.summary


def test_a_question_without_a_name_says_how_to_write_one() -> None:
    response = ask("Is this safe?")
    assert response.status is Status.NOT_FOUND
    assert "backticks" in response.summary


def test_an_ambiguous_name_is_answered_for_the_best_and_says_so() -> None:
    files = {"a.py": "class A:\n    def get(self): ...\n", "b.py": "def get(): ...\n\n\nget()\n"}
    response = ask("What breaks if I remove get?", files)
    assert "ambiguous" in response.summary
    assert "`A.get (a.py:2)`" in response.summary


def test_a_container_in_the_question_picks_the_namesake() -> None:
    files = {"a.py": "class A:\n    def get(self): ...\n", "b.py": "def get(): ...\n\n\nget()\n"}
    response = ask("What breaks if I remove A.get?", files)
    assert "`A.get` (a.py:2)" in response.summary
    assert "ambiguous" not in response.summary


def test_an_attribute_that_is_only_assigned_is_found_in_its_class() -> None:
    till = (
        "class Till:\n    def open(self):\n        self.total = 0\n\n    def show(self):\n        return self.total\n"
    )
    files = {"a.py": till}
    response = ask("What breaks if I remove the field total from Till?", files)
    assert "`Till.total` (a.py:3)" in response.summary
    assert "Till.show" in names(response)


def test_a_failing_scorer_raises_with_the_answer_so_far() -> None:
    def scorer(op: RateNode) -> Rubric:
        if "pricing" in op.node.location:
            raise Unavailable("scorer", "connection refused")
        return Rubric(5, 5, 5, "fine")

    with pytest.raises(ScorerFailed, match="scorer: connection refused") as failed:
        ask(ADD_VARIANT, tags=EXHAUSTIVE, scorer=RateNode.by(scorer))
    answer = failed.value.answer
    assert answer.status is Status.PARTIAL
    assert answer.pointers
    assert "the scorer failed" in answer.summary


def test_a_server_that_finds_nothing_because_it_is_down_is_not_an_empty_answer() -> None:
    response = ask(ADD_VARIANT, world=_with(FindSymbol, Unavailable("ty", "crashed twice")))
    assert response.status is Status.NOT_READY
    assert "crashed twice" in response.summary


def test_a_server_without_a_symbol_search_is_unsupported() -> None:
    response = ask(ADD_VARIANT, world=_with(FindSymbol, Unsupported("ty", "it has no symbol search")))
    assert response.status is Status.UNSUPPORTED


def test_what_could_not_be_looked_at_is_said() -> None:
    response = ask(ADD_VARIANT, world=_with(References, Unavailable("ty", "no answer in 5 s")))
    assert response.status is Status.PARTIAL
    assert "the references of LLMKind (ty: no answer in 5 s)" in response.summary


def test_a_place_that_cannot_be_read_is_said() -> None:
    response = ask(ADD_VARIANT, world=_with(Snippet, BadAnswer("ty", "the file is gone"), only=_in_wire))
    assert response.status is Status.PARTIAL
    assert "llmapp/wire.py" in response.summary


def test_a_hover_text_that_failed_is_said_once_for_all_places_and_they_are_rated() -> None:
    response = ask(ADD_VARIANT, world=_with(Hover, Unavailable("ty", "no answer in 5 s")))
    assert response.status is Status.PARTIAL
    assert response.nodes_visited > 2
    more = response.nodes_visited - 1
    assert response.summary.count("no answer in 5 s") == 1
    assert f"and {more} more places (ty: no answer in 5 s)" in response.summary


def test_a_base_class_that_could_not_be_looked_up_is_said() -> None:
    files = {"a.py": "class A:\n    def get(self): ...\n\n\nclass B(A):\n    pass\n"}
    response = ask("What breaks if I rename B.get?", world=_with(Definition, BadAnswer("ty", "nonsense"), files=files))
    assert response.status is Status.NOT_FOUND
    assert "what B derives from at a.py:5 (ty: nonsense)" in response.summary


def test_no_mention_at_all_is_doubted() -> None:
    nothing = in_memory(LLMKIND) | References.by(lambda _: ())
    response = ask("What breaks if I rename price?", world=nothing)
    assert response.status is Status.PARTIAL
    assert "the references of price (there are none" in response.summary


def test_a_name_with_namesakes_is_not_followed_by_its_text() -> None:
    one, other = "class A:\n    def get(self): ...\n", "class B:\n    def get(self): ...\n"
    files = {"a.py": f"{one}\n\n{other}", "b.py": "x = y.get()\n"}
    blind = in_memory(files) | References.by(lambda op: (op.place,)) | Hover.by(lambda op: "Unknown")
    assert "on values whose type" not in ask("What breaks if I rename get?", files, world=blind).summary
    files["a.py"] = one
    blind = in_memory(files) | References.by(lambda op: (op.place,)) | Hover.by(lambda op: "Unknown")
    assert "1 line with `.get` on values whose type" in ask("What breaks if I rename get?", files, world=blind).summary


def test_callers_that_cannot_be_listed_do_not_stop_the_answer() -> None:
    world = _with(Callers, Unsupported("ty", "it has no call hierarchy"), files=SHOP)
    response = ask("What breaks if `find_price` may return None?", SHOP, world=world)
    assert {"doubled", "quote"} <= set(names(response))
    assert "no call hierarchy" in response.summary


def test_every_rated_node_becomes_an_example_when_asked() -> None:
    response = ask(ADD_VARIANT, tags=EXHAUSTIVE, examples=True, budget=20)
    assert response.training_examples is not None
    assert len(response.training_examples) == response.nodes_visited
    assert {example.timestamp for example in response.training_examples} == {NOON}
    assert {example.query.tags for example in response.training_examples} == {EXHAUSTIVE}


def test_the_program_reports_how_far_it_is() -> None:
    steps: list[Progress] = []
    handlers = (
        heuristic() | in_memory(LLMKIND) | stopped_clock(NOON) | Progress.by(steps.append) | Note.by(lambda _: None)
    )
    run(explore(ScoutQuery(ADD_VARIANT, EXHAUSTIVE, 20)), handlers)
    assert [step.done for step in steps] == sorted({step.done for step in steps})
    assert steps[-1].done == 20


def _in_wire(op: Any) -> bool:
    return bool(op.place.path.endswith("wire.py"))


def _with(
    kind: type[Any],
    error: Exception,
    only: Callable[[Any], bool] = lambda _: True,
    files: dict[str, str] = LLMKIND,
) -> Handler[Lsp]:
    """The in-memory codebase, except that one operation fails."""
    world = in_memory(files)

    def answer(op: Any) -> Any:
        if only(op):
            raise error
        return world(op)

    handler: Handler[Lsp] = world | kind.by(answer)
    return handler


def _shuffling(world: Handler[Lsp], dice: random.Random) -> Handler[References]:
    def answer(op: References) -> Any:
        places = list(world(op))
        dice.shuffle(places)
        return tuple(places)

    return References.by(answer)
