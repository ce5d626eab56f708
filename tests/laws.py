"""The laws of every interpreter of `Gemma` that there is, over real sockets where it uses them.

A scorer may stand behind another: what `hybrid(model(serve(X)))` answers is X's answer, wherever the model answers.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Never, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Result, Success

from interpreters import heuristic, in_memory, silent, stopped_clock
from interpreters.edge.keys import BuiltIn
from interpreters.gemma.hybrid import as_fallback, hybrid
from interpreters.gemma.learned import learned
from interpreters.gemma.model import model, open_model
from interpreters.gemma.oracle import oracle
from interpreters.replay import scorer_from
from tests.score_client import served_by_a_thread
from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutQuery, ScoutResponse
from tidepool.eff import lift, run, run_async
from tidepool.effects.gemma import Model, RateNode
from tidepool.errors import BadAnswer, ModelFailure, ProgramError
from tidepool.explore import explore
from tidepool.tape import Entry, recorded, replay
from tidepool.testing.laws import LAWS, Scorer, check_law, check_scorer, last_first, operations, rated, rounds

Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[Scorer]]


def by_length(op: RateNode) -> Rubric:
    """A scorer unlike the rules."""
    size = 1 + len(op.node.snippet) % 5
    return Rubric(size, 6 - size, 3, f"{len(op.query.query)} characters asked")


def picky(op: RateNode) -> Rubric:
    """A scorer that cannot answer about every node."""
    if len(op.node.snippet) % 3 == 0:
        raise BadAnswer("picky", f"no opinion on {op.node.location}; ask another")
    return by_length(op)


def fails_on(op: RateNode) -> bool:
    """Which nodes the half-dead model does not answer."""
    return len(op.node.location) % 2 == 0


async def half_dead(ops: Sequence[RateNode]) -> list[Result[Rubric, ModelFailure]]:
    """A model that answers every other node."""
    return [
        Failure(ModelFailure("model", "lost its place; ask again", op.node.location))
        if fails_on(op)
        else Success(by_length(op))
        for op in ops
    ]


@contextmanager
def nobody() -> Iterator[str]:
    """The address of nobody: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def model_at(url: str, nodes_per_request: int = 50) -> AbstractAsyncContextManager[Model]:
    return open_model(url, nodes_per_request=nodes_per_request, request_timeout_s=20, total_timeout_s=60, attempts=1)


@asynccontextmanager
async def itself(scorer: Scorer) -> AsyncIterator[Scorer]:
    yield scorer


@asynccontextmanager
async def over(url: str, nodes_per_request: int = 50) -> AsyncIterator[Scorer]:
    async with model_at(url, nodes_per_request) as rate:
        yield model(rate)


@asynccontextmanager
async def over_http(scorer: Scorer, nodes_per_request: int = 50) -> AsyncIterator[Scorer]:
    with served_by_a_thread(scorer) as url:
        async with over(url, nodes_per_request) as client:
            yield client


@asynccontextmanager
async def hybrid_over_http(scorer: Scorer) -> AsyncIterator[Scorer]:
    with served_by_a_thread(scorer) as url:
        async with model_at(url) as rate:
            yield hybrid(rate, RateNode.by(picky))


@asynccontextmanager
async def hybrid_of_nobody() -> AsyncIterator[Scorer]:
    with nobody() as url:
        async with model_at(url) as rate:
            yield hybrid(rate, heuristic())


@asynccontextmanager
async def replayed() -> AsyncIterator[Scorer]:
    tape: list[Entry] = []
    for op in KNOWN:
        run(recorded(op, tape.append), heuristic())
    yield scorer_from(tape)


@asynccontextmanager
async def functiongemma() -> AsyncIterator[Scorer]:
    for name in ("torch", "safetensors", "tokenizers"):
        pytest.importorskip(name)
    from interpreters.gemma.functiongemma.local import open_local
    from tests.tiny_gemma import write_model

    with TemporaryDirectory() as folder:
        async with open_local(write_model(Path(folder))) as rate:
            yield model(rate)


async def at_once(ops: Sequence[RateNode]) -> list[Result[Rubric, Never]]:
    """A scorer that answers a round in one go."""
    return [Success(by_length(op)) for op in ops]


async def after_a_while(op: RateNode) -> Rubric:
    """A scorer that awaits."""
    await asyncio.sleep(0)
    return by_length(op)


KNOWN: Final = [
    RateNode(QueryContext(question), NodeContext(f"shop.py:{line}", None, code))
    for question in ("What breaks if I rename price?", "What breaks if I add a variant to Kind?")
    for line, code in enumerate(["def price(kind):", "    return price(Kind.TEA)", "from shop import price"], start=1)
]
"""What the recording holds; of anything else it says that it does not know."""

ONE_FILE: Final = {
    "shop.py": "def price(kind):\n    return 1\n\n\ndef bill(kinds):\n    return sum(map(price, kinds))\n"
}

INTERPRETERS: Final[dict[str, Opening]] = {
    "heuristic": lambda: itself(heuristic()),
    "learned": lambda: itself(learned()),
    "function": lambda: itself(RateNode.by(by_length)),
    "function that fails on some": lambda: itself(RateNode.by(picky)),
    "coroutine function": lambda: itself(RateNode.by_async(after_a_while)),
    "function of a round": lambda: itself(RateNode.by_many(at_once)),
    "model that serves the heuristic": lambda: over_http(heuristic()),
    "model that fails on some": lambda: over_http(RateNode.by(picky)),
    "model of one node a request that fails on some": lambda: over_http(RateNode.by(picky), 1),
    "hybrid with a healthy model": lambda: hybrid_over_http(heuristic()),
    "hybrid with a dead model": hybrid_of_nobody,
    "hybrid with a half-dead model": lambda: itself(hybrid(half_dead, heuristic())),
    "oracle of a codebase in memory": lambda: itself(oracle(in_memory(ONE_FILE))),
    "replay of the heuristic": replayed,
    "functiongemma of random weights": functiongemma,
}
"""By a name whose first word is the kind."""

NEVER_AWAIT: Final = ("heuristic", "learned", "function", "function that fails on some", "replay of the heuristic")
AWAITING: Final = "awaiting changes nothing"
"""The law that says something only of those."""

ASKED: Final = {"replay of the heuristic": st.lists(st.sampled_from(KNOWN), max_size=6)}


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all: clients keep their connections."""
    with asyncio.Runner() as runner:
        yield runner


def test_every_kind_of_scorer_is_among_them() -> None:
    assert {name.split()[0] for name in INTERPRETERS} >= {kind.value for kind in BuiltIn}


@pytest.mark.parametrize(
    ("law", "interpreter"),
    [(law, name) for law in LAWS for name in (NEVER_AWAIT if law == AWAITING else INTERPRETERS)],
)
def test_the_law_holds_of_the_interpreter(law: str, interpreter: str, runner: asyncio.Runner) -> None:
    with opened(INTERPRETERS[interpreter], runner) as scorer:
        check_law(LAWS[law], scorer, asked=ASKED.get(interpreter, rounds), run=runner.run, max_examples=15)


@contextmanager
def opened(opening: Opening, runner: asyncio.Runner) -> Iterator[Scorer]:
    opening_now = opening()
    scorer = runner.run(opening_now.__aenter__())
    try:
        yield scorer
    finally:
        runner.run(opening_now.__aexit__(None, None, None))


# What stands behind another interpreter


@pytest.mark.parametrize("scorer", [heuristic(), RateNode.by(by_length)], ids=["heuristic", "a function"])
def test_a_model_that_is_served_is_the_scorer_that_is_served(scorer: Scorer, runner: asyncio.Runner) -> None:
    with opened(lambda: over_http(scorer), runner) as client:

        async def holds(_: Scorer, ops: Sequence[RateNode]) -> None:
            assert await rated(client, ops) == await rated(scorer, ops)

        check_law(holds, scorer, run=runner.run, max_examples=40)


def test_a_served_scorer_fails_where_it_fails_by_itself(runner: asyncio.Runner) -> None:
    with opened(lambda: over_http(RateNode.by(picky)), runner) as client:

        async def holds(scorer: Scorer, ops: Sequence[RateNode]) -> None:
            for (kind, told), (direct_kind, direct) in zip(
                await rated(client, ops), await rated(scorer, ops), strict=True
            ):
                assert (kind, direct_kind) in {("rubric", "rubric"), ("ModelFailure", "BadAnswer")}
                assert kind == "ModelFailure" or told == direct

        check_law(holds, RateNode.by(picky), run=runner.run, max_examples=40)


def test_a_hybrid_with_a_healthy_model_is_the_model(runner: asyncio.Runner) -> None:
    with opened(lambda: hybrid_over_http(heuristic()), runner) as both:

        async def holds(scorer: Scorer, ops: Sequence[RateNode]) -> None:
            assert await rated(both, ops) == await rated(scorer, ops)

        check_law(holds, heuristic(), run=runner.run, max_examples=40)


def test_a_hybrid_with_a_dead_model_is_the_fallback_and_says_so(runner: asyncio.Runner) -> None:
    with opened(hybrid_of_nobody, runner) as both:

        async def holds(scorer: Scorer, ops: Sequence[RateNode]) -> None:
            for (_, told), (_, own) in zip(await rated(both, ops), await rated(scorer, ops), strict=True):
                assert isinstance(told, Rubric) and isinstance(own, Rubric)
                assert (told.relevance, told.risk) == (own.relevance, own.risk)
                assert told.confidence == max(1, own.confidence - 1)
                assert own.reasoning in told.reasoning and "model" in told.reasoning

        check_law(holds, heuristic(), run=runner.run, max_examples=40)


@given(rounds)
def test_a_hybrid_with_a_half_dead_model_is_the_mix_node_by_node(ops: list[RateNode]) -> None:
    rate = heuristic()
    failures = {
        op: failed.failure() for op, failed in zip(ops, asyncio.run(half_dead(ops)), strict=True) if fails_on(op)
    }
    mix = [as_fallback(rate(op), failures[op]) if fails_on(op) else by_length(op) for op in ops]
    assert asyncio.run(rated(hybrid(half_dead, rate), ops)) == [("rubric", rubric) for rubric in mix]


@given(st.lists(operations, min_size=1, max_size=6))
def test_a_scorer_from_a_tape_is_the_scorer_that_was_recorded(ops: list[RateNode]) -> None:
    tape: list[Entry] = []
    for op in ops:
        run(recorded(op, tape.append), heuristic())
    assert asyncio.run(rated(scorer_from(tape), ops)) == asyncio.run(rated(heuristic(), ops))


# Whole explorations

FILES: Final = {
    "kinds.py": "from enum import Enum\n\n\nclass Kind(Enum):\n    TEA = 1\n    COFFEE = 2\n    WATER = 3\n",
    "prices.py": "from kinds import Kind\n\n\ndef price(kind: Kind) -> int:\n    match kind:\n        case Kind.TEA:\n"
    "            return 2\n        case Kind.COFFEE:\n            return 3\n    return 0\n\n\n"
    "NAMES = {Kind.TEA: 'tea', Kind.COFFEE: 'coffee', Kind.WATER: 'water'}\n",
    "shop.py": "from kinds import Kind\nfrom prices import price\n\n\ndef bill(kinds: list[Kind]) -> int:\n"
    "    if Kind.WATER in kinds:\n        return 0\n    return sum(price(kind) for kind in kinds)\n",
    "test_shop.py": "from kinds import Kind\nfrom shop import bill\n\n\ndef test_tea() -> None:\n"
    "    assert bill([Kind.TEA]) == 2\n",
}
QUESTIONS: Final = (
    "What breaks if I add a variant to Kind?",
    "What breaks if I add a required parameter to price?",
    "What breaks if price may return None?",
)
WORLD: Final = in_memory(FILES) | stopped_clock(datetime(2026, 1, 15, tzinfo=UTC)) | silent()


async def explored(scorer: Scorer, question: str) -> ScoutResponse:
    whole = lift(scorer) | WORLD
    return await run_async(explore(ScoutQuery(question, keep_examples=True)), whole)


TOTAL: Final = [name for name in INTERPRETERS if not name.endswith("on some") and not name.startswith("replay")]
"""Those that answer about every node, so that the exploration has an answer."""


@pytest.mark.parametrize("interpreter", TOTAL)
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_depends_on_what_the_scorer_answers_and_not_on_when(
    question: str, interpreter: str, runner: asyncio.Runner
) -> None:
    with opened(INTERPRETERS[interpreter], runner) as scorer:
        answer = runner.run(explored(scorer, question))
        assert answer.nodes_visited >= 3
        assert runner.run(explored(last_first(scorer, 50), question)) == answer


@pytest.mark.parametrize("interpreter", TOTAL)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_recorded_exploration_replays_to_the_same_answer(
    question: str, interpreter: str, runner: asyncio.Runner
) -> None:
    tape: list[Entry] = []
    query = ScoutQuery(question, keep_examples=True)
    with opened(INTERPRETERS[interpreter], runner) as scorer:
        whole = lift(scorer) | WORLD
        live = runner.run(run_async(recorded(explore(query), tape.append), whole))
    assert replay(explore(query), tape) == live


def test_a_law_that_is_broken_is_found() -> None:
    calls = iter(range(10**9))

    def moody(op: RateNode) -> Rubric:
        return Rubric(1 + next(calls) % 5, 1, 1, op.node.snippet)

    for law in ("rating together is rating one by one", "the same node is rated the same again"):
        with pytest.raises(AssertionError, match=re.escape(f"broken: {LAWS[law].__doc__}")):
            check_law(LAWS[law], RateNode.by(moody))


def test_what_is_no_rubric_is_found() -> None:
    with pytest.raises(AssertionError, match="'risk 5' is not a Rubric"):
        check_scorer(RateNode.by(lambda _: "risk 5"))  # type: ignore[arg-type, return-value]


def test_a_scorer_that_rates_nothing_keeps_no_law(runner: asyncio.Runner) -> None:
    told = pytest.raises(AssertionError, match=r"rated none of \d+ nodes; the first failed with ModelFailure: model")
    with nobody() as url, opened(lambda: over(url), runner) as scorer, told:
        check_scorer(scorer, run=runner.run)


def test_what_cannot_be_checked_is_told_what_to_do() -> None:
    with pytest.raises(ProgramError, match=r"wrap .* as RateNode\.by"):
        check_scorer(by_length)  # type: ignore[arg-type]

    async def inside() -> None:
        check_scorer(heuristic())

    with pytest.raises(ProgramError, match="an event loop is running"):
        asyncio.run(inside())
