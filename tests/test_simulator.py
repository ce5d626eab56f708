"""The simulator: that it finds nothing here, that it repeats itself, and that it finds what is broken on purpose."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from random import Random
from typing import TypeVar

import attrs
import pytest

from interpreters.gemma.heuristic import heuristic
from interpreters.lsp.in_memory import in_memory
from tests.mutations import MUTATIONS, Mutation, found, mutated
from tests.simulate import main
from tests.simulated import cast_of, model_in_front, plain, remembered
from tidepool.change import read_change
from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutQuery, ScoutResponse, Status, Verdict
from tidepool.eff import AsyncHandler, Eff, Handler, attempt, run_async
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import FindSymbol, Lsp, Place, References, Snippet, snippet
from tidepool.errors import InterpreterError, Unavailable
from tidepool.explore import Exploring, ScorerFailed, explore
from tidepool.kinds import ChangeKind
from tidepool.testing import (
    INVARIANTS,
    Cast,
    Deadlock,
    Deed,
    Fault,
    Faults,
    Outcome,
    draw_scenario,
    play,
    shrink,
    simulate,
    told,
    virtual_loop,
)
from tidepool.testing.codebases import QUESTIONS, draw_codebase
from tidepool.testing.invariants import LSP
from tidepool.testing.simulation import Program
from tidepool.testing.telling import tape_lines

ROOT = Path(__file__).parent.parent
PARTS = 8

T = TypeVar("T")


def on_virtual_time(work: Callable[[], Coroutine[None, None, T]]) -> T:
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(work())


# This code, under seeds.


@pytest.mark.parametrize("part", range(PARTS))
def test_no_promise_is_broken(part: int) -> None:
    outcomes = (play(draw_scenario(seed), cast_of(seed)) for seed in range(part * 500, part * 500 + 500))
    failing = next((outcome for outcome in outcomes if outcome.broken), None)
    assert failing is None, told(shrink(failing, cast_of(failing.scenario.seed)))


def test_every_deed_is_done_and_every_end_is_met() -> None:
    outcomes = [play(draw_scenario(seed), plain()) for seed in range(1500)]
    assert {fault.deed for outcome in outcomes for fault in outcome.done} == set(Deed)
    ends = Counter(outcome.run.end for outcome in outcomes)
    assert {*ends} == {*Status, "ScorerFailed", "CancelledError"}
    assert min(ends.values()) >= 10


def test_with_a_model_in_front_both_it_and_the_fallback_rate_nodes() -> None:
    outcomes = [play(draw_scenario(seed), model_in_front()) for seed in range(400)]
    marked = Counter("by the fallback" in rubric.reasoning for outcome in outcomes for _, rubric in outcome.run.rated)
    assert min(marked[True], marked[False]) > 50
    assert not any(outcome.broken for outcome in outcomes)


TAPES = """
import hashlib
from tests.simulated import cast_of
from tidepool.testing import draw_scenario, play
from tidepool.testing.telling import told
stories = "".join(told(play(draw_scenario(seed), cast_of(seed))) for seed in range(200))
print(hashlib.sha256(stories.encode()).hexdigest())
"""


def test_a_seed_gives_the_same_tape_in_every_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", TAPES],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_two_seeds_give_two_tapes() -> None:
    tapes = {tuple(tape_lines(simulate(seed, in_memory, heuristic()))) for seed in range(50)}
    assert len(tapes) > 40


@pytest.mark.parametrize("kind", ChangeKind)
def test_the_codebases_are_asked_about_every_kind_of_change(kind: ChangeKind) -> None:
    names = draw_codebase(Random(1)).questions
    place = [kind for kind in QUESTIONS for _ in QUESTIONS[kind]].index(kind)
    assert read_change(QueryContext(names[place])).kind is kind


@pytest.mark.parametrize("number", range(40))
def test_a_codebase_is_python_also_where_any_statement_is_left_out(number: int) -> None:
    codebase = draw_codebase(Random(number))
    for path, parts in codebase.parts:
        for left_out in range(len(parts)):
            compile("\n\n\n".join((*parts[:left_out], *parts[left_out + 1 :])), path, "exec")


# Broken on purpose, from outside.


def broken_by(program: Program, promise: str, cast: Callable[[Program], Cast] | None = None) -> Outcome:
    """The first seed under which a program breaks a promise, shrunk."""
    players = cast(program) if cast else Cast(remembered, heuristic(), program)
    for seed in range(2000):
        outcome = play(draw_scenario(seed), players)
        if outcome.broken and next(iter(outcome.broken)) == promise:
            return shrink(outcome, players)
    pytest.fail(f"nothing broke: {promise}")


def claims_to_be_complete(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    response = yield from explore(query)
    return attrs.evolve(response, status=Status.COMPLETE)


def claims_to_be_complete_without_the_server(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    response = yield from explore(query)
    unsaid = response.status is Status.PARTIAL and not response.frontier_left
    return attrs.evolve(response, status=Status.COMPLETE) if unsaid else response


def spends_more(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    return (yield from explore(attrs.evolve(query, budget_nodes=query.budget_nodes + 1)))


def asks_twice(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    yield from explore(attrs.evolve(query, budget_nodes=query.budget_nodes // 2))
    return (yield from explore(attrs.evolve(query, budget_nodes=query.budget_nodes // 2)))


def forgets_what_was_rated(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    try:
        return (yield from explore(query))
    except ScorerFailed as failed:
        raise ScorerFailed(failed, attrs.evolve(failed.answer, nodes_visited=0)) from failed


def hides_that_the_scorer_failed(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    try:
        return (yield from explore(query))
    except ScorerFailed as failed:
        return failed.answer


def verifies_what_it_does_not_know(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    response = yield from explore(query)
    sure = tuple(attrs.evolve(pointer, verdict=Verdict.VERIFIED) for pointer in response.pointers)
    return attrs.evolve(response, pointers=sure)


def checks_what_nobody_wanted_checked(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    return (yield from explore(attrs.evolve(query, verify=True)))


def makes_more_of_what_a_checker_says(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    response = yield from explore(query)
    worse = (attrs.evolve(pointer, relevance=1) for pointer in response.pointers)
    verified = tuple(worse) if any(it.verdict is Verdict.VERIFIED for it in response.pointers) else response.pointers
    return attrs.evolve(response, pointers=verified)


def says_nothing_of_the_server(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    response = yield from explore(query)
    return attrs.evolve(response, summary="Fine.")


def looks_for_itself(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    yield from FindSymbol("price")
    return (yield from explore(query))


def never_gives_up(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    while True:
        yield from attempt(FindSymbol("price"), InterpreterError)
        if query.budget_nodes != 8:
            return (yield from explore(query))


def works_on_when_cancelled(query: ScoutQuery) -> Eff[Exploring, ScoutResponse]:
    try:
        return (yield from explore(query))
    except asyncio.CancelledError:
        return ScoutResponse("It was cancelled.", Status.PARTIAL)


@pytest.mark.parametrize(
    ("program", "promise"),
    [
        (claims_to_be_complete, "complete means complete"),
        (claims_to_be_complete_without_the_server, "complete means complete"),
        (spends_more, "the budget is kept"),
        (asks_twice, "nothing is rated twice"),
        (forgets_what_was_rated, "what was rated is kept"),
        (verifies_what_it_does_not_know, "verified means checked"),
        (checks_what_nobody_wanted_checked, "verified means checked"),
        (makes_more_of_what_a_checker_says, "what was rated is kept"),
        (hides_that_the_scorer_failed, "what is lost is said"),
        (says_nothing_of_the_server, "what is lost is said"),
        (looks_for_itself, "every error is documented"),
        (never_gives_up, "it ends"),
        (works_on_when_cancelled, "a cancellation is obeyed"),
    ],
)
def test_a_program_that_breaks_a_promise_is_found(program: Program, promise: str) -> None:
    smallest = broken_by(program, promise)
    assert promise in smallest.broken
    assert len(smallest.scenario.plan) <= 2


def test_a_server_whose_answers_depend_on_when_they_are_asked_for_is_found() -> None:
    def forgetful(files: Mapping[str, str]) -> AsyncHandler[Lsp]:
        world = in_memory(files)

        async def answer(op: References) -> tuple[Place, ...]:
            places: tuple[Place, ...] = world(op)
            return places[:1] if asyncio.get_running_loop().time() > 0 else places

        return world | References.by_async(answer)

    players = Cast(forgetful, heuristic())
    outcomes = (play(draw_scenario(seed), players) for seed in range(2000))
    assert "delays change nothing" in next(outcome for outcome in outcomes if outcome.broken).broken


def test_a_scorer_that_leaves_a_task_behind_is_found() -> None:
    async def careless(op: RateNode) -> Rubric:
        careless_tasks.append(asyncio.create_task(asyncio.sleep(5)))
        return Rubric(3, 3, 3, op.node.location)

    careless_tasks: list[asyncio.Task[None]] = []
    outcomes = (simulate(seed, in_memory, RateNode.by_async(careless)) for seed in range(100))
    broken = next(outcome for outcome in outcomes if outcome.broken)
    assert "a task in sleep" in broken.broken["nothing is left behind"]
    assert "a timer for 5 s" in broken.broken["nothing is left behind"]


def test_a_scorer_that_raises_what_nobody_documented_is_found() -> None:
    def raw(op: RateNode) -> Rubric:
        raise ConnectionResetError(op.node.location)

    outcomes = (simulate(seed, in_memory, RateNode.by(raw)) for seed in range(100))
    why = next(outcome for outcome in outcomes if outcome.broken).broken["every error is documented"]
    assert why.startswith("it raised ConnectionResetError")


def test_a_scorer_that_waits_for_what_never_comes_is_found() -> None:
    async def stuck(_: RateNode) -> Rubric:
        never: asyncio.Future[Rubric] = asyncio.get_running_loop().create_future()
        return await never

    outcomes = (simulate(seed, in_memory, RateNode.by_async(stuck)) for seed in range(100))
    why = next(outcome for outcome in outcomes if outcome.broken).broken
    assert "waits for what never comes" in why["it ends"]
    assert "by asyncio's timers alone" in why["it ends"]


def test_a_scorer_that_waits_longer_than_it_said_is_told_how_to_say_it() -> None:
    async def patient(op: RateNode) -> Rubric:
        await asyncio.sleep(5)
        return Rubric(3, 3, 3, op.node.location)

    outcomes = (simulate(seed, in_memory, RateNode.by_async(patient)) for seed in range(100))
    why = next(outcome for outcome in outcomes if outcome.broken).broken
    assert why["it ends"].endswith("say how long the interpreters wait by themselves in `may_wait_s`, if they do")


def test_a_hybrid_that_passes_a_fallback_off_as_the_model_is_found() -> None:
    honest = model_in_front()
    assert not isinstance(honest.gemma, Handler | AsyncHandler)
    marked = honest.gemma

    def unmarked(faults: Faults) -> AsyncHandler[RateNode]:
        inner = marked(faults)

        async def rate(op: RateNode) -> Rubric:
            rubric = await run_async(op, inner)
            return attrs.evolve(rubric, reasoning=rubric.reasoning.partition(" (by the fallback")[0])

        return RateNode.by_async(rate)

    players = attrs.evolve(honest, gemma=unmarked)
    outcomes = (play(draw_scenario(seed), players) for seed in range(1000))
    broken = next(outcome for outcome in outcomes if outcome.broken).broken
    assert "neither the model's rubric nor the fallback's" in broken["every rubric is the model's or the fallback's"]


# Shrinking, and the story of a run.


def test_the_story_of_a_failing_run_shows_how_it_came_to_it() -> None:
    story = told(broken_by(hides_that_the_scorer_failed, "what is lost is said"))
    for part in (
        "seed ",
        "broken: what is lost is said",
        "question: ",
        "fault: RateNode number 0",
        "tape of ",
        "end: ",
    ):
        assert part in story
    assert len(story.splitlines()) < 40


def test_shrinking_leaves_nothing_that_can_be_left_out() -> None:
    players = Cast(remembered, heuristic(), hides_that_the_scorer_failed)
    smallest = broken_by(hides_that_the_scorer_failed, "what is lost is said")
    assert smallest.scenario.query.budget_nodes == 1
    (fault,) = smallest.scenario.plan
    assert not play(attrs.evolve(smallest.scenario, plan=()), players).broken
    assert (fault.operation, fault.nth) == ("RateNode", 0)


def test_what_is_not_broken_is_not_shrunk() -> None:
    outcome = simulate(0, in_memory, heuristic())
    assert shrink(outcome, plain()) is outcome


# The clock.


def test_an_hour_of_virtual_time_passes_at_once() -> None:
    async def wait() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert on_virtual_time(wait) == 3600


def test_timers_ring_in_order_whatever_order_they_were_set_in() -> None:
    rung: list[float] = []

    async def ring(after_s: float) -> None:
        await asyncio.sleep(after_s)
        rung.append(after_s)

    async def wait() -> None:
        await asyncio.gather(*map(ring, (30, 0.001, 2, 0)))

    on_virtual_time(wait)
    assert rung == [0, 0.001, 2, 30]


def test_a_time_out_comes_on_time() -> None:
    async def wait() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert on_virtual_time(wait) == 5


def test_waiting_for_what_never_comes_is_a_deadlock() -> None:
    async def wait() -> None:
        await asyncio.sleep(7)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock, match="after 7 s of virtual time"):
        on_virtual_time(wait)


# The faults, one by one, around somebody's own handler.


def snippets(count: int, *plan: Fault) -> list[str | None]:
    """What is answered about the first lines of a file, one after another; None where the server failed."""

    async def ask() -> list[str | None]:
        spoilt = Faults(plan).around(Snippet.by(lambda op: f"line {op.place.line}"), "mine")
        asked = [attempt(snippet(Place("a.py", line, 0)), InterpreterError) for line in range(1, count + 1)]
        return [(await run_async(prog, spoilt)).value_or(None) for prog in asked]

    return on_virtual_time(ask)


def test_a_fault_spoils_the_operation_it_names_and_no_other() -> None:
    assert snippets(3, Fault("Snippet", 1, Deed.NONSENSE)) == ["line 1", None, "line 3"]


def test_a_crashed_server_is_down_until_it_has_started_again() -> None:
    crash, late = Fault("Snippet", 0, Deed.CRASHED, 3), Fault("Snippet", 2, Deed.SLOW, 4)
    assert snippets(4, crash, late) == [None, None, "line 3", "line 4"]


def test_a_stale_answer_is_that_of_the_operation_before() -> None:
    assert snippets(3, Fault("Snippet", 2, Deed.STALE)) == ["line 1", "line 2", "line 2"]


def test_a_model_fails_node_by_node_and_raises_nothing() -> None:
    node = RateNode(QueryContext("What breaks if I rename price?"), NodeContext("a.py:1", None, "price()"))

    async def ask(deed: Deed) -> list[str]:
        model = Faults([Fault("RateNode", 1, deed)]).model(heuristic(), "mine")
        return [str(result.swap().value_or("rated")) for result in await model([node] * 3)]

    assert on_virtual_time(lambda: ask(Deed.ROUND_LOST)) == ["mine: it lost the connection"] * 3
    assert on_virtual_time(lambda: ask(Deed.MODEL_FAILED)) == ["rated", "mine: it did not rate a node", "rated"]
    assert on_virtual_time(lambda: ask(Deed.ROUND_SHORT)) == [
        "rated",
        "rated",
        "mine: it left a node out",
    ]


# The commands.


def test_the_command_tells_how_many_explorations_ended_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "40", "--jobs", "1"]) == 0
    assert capsys.readouterr().out.startswith("40 explorations, ")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_changes_text_that_is_there(mutation: Mutation) -> None:
    assert mutated(mutation)


def test_the_command_that_breaks_code_explains_itself_before_it_does() -> None:
    command = [sys.executable, "tests/mutations.py", "--help"]
    ran = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True, timeout=60)
    assert "try only mutations whose names hold one of these" in ran.stdout


def test_a_mutation_is_found_and_the_command_fails() -> None:
    seeds, promise = found(MUTATIONS[0], seeds=500) or (0, "nothing")
    assert promise == "the budget is kept"
    assert 1 <= seeds <= 500


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_every_mutation_is_found(mutation: Mutation) -> None:
    assert found(mutation) is not None


def test_every_invariant_says_what_it_promises() -> None:
    assert all(invariant.__doc__ for invariant in INVARIANTS.values())


def test_an_unavailable_server_is_no_reason_to_raise() -> None:
    def fail(_: object) -> object:
        raise Unavailable("the server", "it is down")

    def dead(_: object) -> Handler[Lsp]:
        return Handler(dict.fromkeys(LSP, fail))

    outcome = play(attrs.evolve(draw_scenario(3), plan=()), Cast(dead, heuristic()))
    assert outcome.run.end == Status.NOT_READY
