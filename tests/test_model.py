"""The model over HTTP, against a real server that answers rightly or does one thing wrong."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Result, Success

from interpreters import in_memory, silent, stopped_clock
from interpreters.gemma.breaker import RequestFailed
from interpreters.gemma.model import MAX_NODES_PER_REQUEST, model, open_model
from interpreters.gemma.reply import REASONING_CHARACTERS, Trouble, read_reply, retry_after_s
from tests.servers.scoring import TOKEN, WRONGS, ScoringServer, rubric_of, scoring
from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutQuery, Status
from tidepool.eff import attempt, each, run_async
from tidepool.effects.gemma import Model, RateNode
from tidepool.errors import ConfigError, ModelFailure
from tidepool.explore import ScorerFailed, explore
from tidepool.recording import lines_of, parse_recording
from tidepool.tape import Entry, recorded, replay
from tidepool.testing.values import plain
from tidepool.wire import from_wire, score_request

ROOT = Path(__file__).parent.parent
Answers = Sequence[Result[Rubric, ModelFailure]]


def nodes(count: int) -> list[RateNode]:
    return [RateNode(QueryContext("what?"), NodeContext(f"src/ü.py:{line}", None, "x")) for line in range(1, count + 1)]


def right(op: RateNode) -> Rubric:
    """What the server answers where nothing goes wrong."""
    return from_wire(Rubric, rubric_of(score_request(op.query, op.node)))


def opened(server: ScoringServer | str, **settings: Any) -> AbstractAsyncContextManager[Model]:
    url = server if isinstance(server, str) else server.url
    return open_model(url, **{"request_timeout_s": 20, "total_timeout_s": 60, "attempts": 3, **settings})


def rated(server: ScoringServer | str, ops: Sequence[RateNode], **settings: Any) -> Answers:
    async def rate() -> Answers:
        async with opened(server, **settings) as ask:
            return await ask(ops)

    return asyncio.run(rate())


def failures(answers: Answers) -> list[ModelFailure]:
    return [answer.failure() for answer in answers]


# How a round becomes requests.


def test_each_node_has_its_own_answer_in_the_order_of_the_nodes() -> None:
    ops = nodes(7)
    with scoring() as server:
        assert rated(server, ops, nodes_per_request=3) == [Success(right(op)) for op in ops]
    places = [op.node.location for op in ops]
    assert sorted(asked.locations for asked in server.requests) == sorted(
        [tuple(places[:3]), tuple(places[3:6]), tuple(places[6:])]
    )


def test_a_round_of_an_exploration_is_one_request() -> None:
    with scoring() as server:
        assert len(rated(server, nodes(MAX_NODES_PER_REQUEST))) == len(server.requests[0].locations) == 50
    assert len(server.requests) == 1


@pytest.mark.parametrize("nodes_per_request", [1, 2])
def test_a_request_holds_a_list_also_of_one_node(nodes_per_request: int) -> None:
    (op,) = nodes(1)
    with scoring() as server:
        assert rated(server, [op], nodes_per_request=nodes_per_request) == [Success(right(op))]
    assert [asked.locations for asked in server.requests] == [(op.node.location,)]  # it can read no object


def test_no_nodes_are_no_request() -> None:
    with scoring() as server:
        assert rated(server, []) == []
    assert server.requests == []


def test_requests_in_flight_are_bounded_over_all_rounds_together() -> None:
    async def rounds(server: ScoringServer) -> None:
        async with opened(server, nodes_per_request=1, requests_in_flight=3) as rate:
            await asyncio.gather(*(rate(nodes(6)) for _ in range(3)))

    with scoring(delay_s=0.02) as server:
        asyncio.run(rounds(server))
    assert len(server.requests) == 18
    assert max(asked.in_flight for asked in server.requests) == 3


def test_connections_are_kept_from_round_to_round() -> None:
    async def rounds(server: ScoringServer) -> None:
        async with opened(server, nodes_per_request=2, requests_in_flight=2) as rate:
            for _ in range(4):
                await rate(nodes(8))

    with scoring() as server:
        asyncio.run(rounds(server))
    assert {asked.connection for asked in server.requests} == {0, 1}


# What is repeated and what is not.


@pytest.mark.parametrize("wrong", ["drop", "truncate", "no http", "429", "502", "503", "504"])
def test_what_may_pass_is_repeated(wrong: str) -> None:
    ops = nodes(2)
    with scoring(wrong) as server:
        assert rated(server, ops) == [Success(right(op)) for op in ops]
    assert server.done == [wrong, "right"]


def test_a_request_that_hangs_is_repeated_after_its_time_out() -> None:
    ops = nodes(2)
    with scoring("hang") as server:
        assert rated(server, ops, request_timeout_s=0.3) == [Success(right(op)) for op in ops]
    assert server.done == ["hang", "right"]


WHOLE = {
    "401": "wants a token, and none was sent: set one (status 401): told to say 401",
    "403": "does not let this token",
    "404": "has no /score",
    "418": "a status that has no meaning here (status 418)",
    "500": "failed on its own side (status 500): told to say 500",
    "redirect": "wants the question sent elsewhere (status 307)",
    "empty list": "answered 2 nodes with a list of 0",
    "one short": "answered 2 nodes with a list of 1",
    "one more": "answered 2 nodes with a list of 3",
    "an object": "not a list",
    "invalid json": "not JSON: Expecting",
    "not a number": "not a number that JSON has",
    "no utf-8": "not UTF-8: byte 2",
    "deep": "not JSON",
    "huge number": "not JSON",
    "nothing": "not JSON: Expecting value",
    "huge": "more than 32768 bytes",
    "html": "text/html and not with application/json",
    "no type": "without a Content-Type: let it send application/json",
    "compressed": "compressed its answer",
}
"""What befalls every node of a request, and says that something is wrong with the server."""


@pytest.mark.parametrize("wrong", WHOLE)
def test_a_reply_that_is_none_fails_every_node_at_once(wrong: str) -> None:
    ops = nodes(2)
    with scoring(wrong) as server:
        failed = failures(rated(server, ops, name="scorer"))
    assert server.done == [wrong]
    assert [failure.location for failure in failed] == [op.node.location for op in ops]
    assert all(isinstance(failure, RequestFailed) and WHOLE[wrong] in failure.why for failure in failed), failed
    assert all(str(failure).startswith("scorer: ") for failure in failed)


@pytest.mark.parametrize("wrong", ["400", "413", "422"])
def test_a_request_that_is_refused_says_nothing_against_the_server(wrong: str) -> None:
    with scoring(wrong) as server:
        failed = failures(rated(server, nodes(2)))
    assert server.done == [wrong]
    assert [type(failure) for failure in failed] == [ModelFailure, ModelFailure]
    assert all(f"(status {wrong}): told to say {wrong}" in failure.why for failure in failed)


FIRST = {
    "out of range": "relevance: 9 is not a whole number from 1 to 5",
    "text for a number": "risk: what stands there is not a whole number",
    "a fraction": "risk: 2.5 is not a whole number",
    "true for a number": "confidence: True is not a whole number",
    "null": "an answer: None is not an object",
    "extra junk": "the key junk is not one of relevance",
    "a key to be printed": "the key that stands there is not one of relevance",
    "missing field": "risk is missing",
    "surrogate": "reasoning: what stands there is not text that UTF-8 can encode",
    "error": "could not rate the node: lost its [31mplace",
    "error and more": "is no rubric",
    "error of no text": "is no rubric",
}
"""What is wrong with the answer to one node alone."""


@pytest.mark.parametrize("wrong", FIRST)
def test_an_answer_that_is_no_rubric_fails_its_node_alone(wrong: str) -> None:
    ops = nodes(3)
    with scoring(wrong) as server:
        first, *others = rated(server, ops)
    assert server.done == [wrong]
    assert type(first.failure()) is ModelFailure
    assert FIRST[wrong] in first.failure().why
    assert first.failure().location == ops[0].node.location
    assert others == [Success(right(op)) for op in ops[1:]]


def test_the_wrongs_of_the_server_are_all_tested() -> None:
    repeated = {"drop", "hang", "truncate", "no http", "429", "502", "503", "504"}
    elsewhere = {"right", "late", "400", "413", "422", "429 later", "429 too late", "long reasoning", "a cookie"}
    assert {*WHOLE, *FIRST, *repeated, *elsewhere, "echo", "echo for a node"} == {*WRONGS}


def test_a_request_is_sent_as_often_as_attempts_allow_and_no_more() -> None:
    with scoring(then="drop") as server:
        failed = failures(rated(server, nodes(2), attempts=4))
    assert server.done == ["drop"] * 4
    assert all(isinstance(failure, RequestFailed) and not failure.timed_out for failure in failed)
    assert "broke off its answer" in failed[0].why


def test_a_server_that_asks_to_be_left_alone_is() -> None:
    async def seconds(server: ScoringServer) -> float:
        async with opened(server) as rate:
            start_s = asyncio.get_running_loop().time()
            assert await rate(nodes(1)) == [Success(right(nodes(1)[0]))]
            return asyncio.get_running_loop().time() - start_s

    with scoring("429 later") as server:
        assert asyncio.run(seconds(server)) >= 1
    assert server.done == ["429 later", "right"]


def test_a_server_that_asks_for_more_time_than_there_is_fails_at_once() -> None:
    with scoring("429 too late") as server:
        (failed,) = failures(rated(server, nodes(1)))
    assert server.done == ["429 too late"]
    assert "asked too often" in failed.why


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "-7"}, 0),
        ({"retry-after": "1e9"}, 0),
        ({"retry-after": "9" * 5000}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "Thu, 15 Jan 2026 10:30:09 GMT", "date": "Thu, 15 Jan 2026 10:30:00 GMT"}, 9),
        ({"retry-after": "Thu, 15 Jan 2026 10:30:00 GMT", "date": "Thu, 15 Jan 2026 10:30:09 GMT"}, 0),
        ({"retry-after": "Thu, 15 Jan 2026 10:30:00 GMT"}, 0),
        ({"retry-after": "Thu, 15 Jan 2026 10:30:00", "date": "Thu, 15 Jan 2026 10:30:09 GMT"}, 0),
    ],
)
def test_retry_after_is_a_number_or_a_date_by_the_servers_clock(headers: dict[str, str], seconds: float) -> None:
    assert retry_after_s(headers) == seconds


def test_a_round_ends_at_its_time_out_and_keeps_what_was_answered() -> None:
    ops = nodes(3)
    with scoring("right", then="hang") as server:
        first, *others = rated(server, ops, nodes_per_request=1, requests_in_flight=1, total_timeout_s=0.5)
    assert first == Success(right(ops[0]))
    assert server.done == ["right", "hang"]
    for answer in others:
        failed = answer.failure()
        assert isinstance(failed, RequestFailed) and failed.timed_out
        assert failed.why == "did not answer a round within 0.5 s"


def test_that_a_time_out_was_waited_for_is_not_forgotten() -> None:
    with scoring("hang", "500") as server:
        (failed,) = failures(rated(server, nodes(1), request_timeout_s=0.2))
    assert server.done == ["hang", "500"]
    assert isinstance(failed, RequestFailed) and failed.timed_out and "500" in failed.why


@pytest.mark.parametrize("url", ["http://nowhere.invalid", "http://127.0.0.1:1"])
def test_an_address_where_nobody_can_be_is_a_failure_too(url: str) -> None:
    (failed,) = failures(rated(url, nodes(1), attempts=1))
    assert isinstance(failed, RequestFailed) and "cannot be reached" in failed.why


def test_a_server_that_is_not_there_is_a_failure_that_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        failed = failures(rated(f"http://127.0.0.1:{taken.getsockname()[1]}", nodes(2), attempts=2))
    assert [failure.why for failure in failed] == ["cannot be reached: start it, or correct its address"] * 2


def test_a_round_that_is_cancelled_leaves_the_connections_usable() -> None:
    async def rounds(server: ScoringServer) -> Answers:
        async with opened(server, requests_in_flight=1) as rate:
            given_up = asyncio.ensure_future(rate(nodes(1)))
            await asyncio.to_thread(server.asked.wait)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
            return await rate(nodes(1))

    with scoring("hang") as server:
        assert asyncio.run(rounds(server)) == [Success(right(nodes(1)[0]))]


# What is not trusted.


def test_a_reasoning_is_cut() -> None:
    with scoring("long reasoning") as server:
        (answer,) = rated(server, nodes(1))
    reasoning = answer.unwrap().reasoning
    assert len(reasoning) == REASONING_CHARACTERS
    assert reasoning.startswith("long long") and reasoning.endswith("…")


def test_the_token_is_sent_and_shows_nowhere() -> None:
    async def told(server: ScoringServer) -> list[str]:
        async with opened(server, token=TOKEN) as rate:
            assert await rate(nodes(1)) == [Success(right(nodes(1)[0]))]
            echoes = [*failures(await rate(nodes(1))), *failures(await rate(nodes(1)))]
            return [repr(rate), *map(str, echoes), *map(repr, echoes)]

    with scoring("right", "echo", "echo for a node") as server:
        texts = asyncio.run(told(server))
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "[token] is wrong" in texts[1]
    assert "no [token]" in texts[2]
    assert not any(TOKEN in text for text in texts)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"token": TOKEN}, "model: does not accept the token: set the right one"),
        ({"token": TOKEN, "token_hint": "set LAB"}, "model: does not accept the token: set LAB"),
        ({"token_hint": "set LAB"}, "model: wants a token, and none was sent: set LAB"),
    ],
)
def test_a_token_that_is_wrong_is_told_from_one_that_is_missing(settings: dict[str, Any], why: str) -> None:
    with scoring("401") as server:
        (failure,) = failures(rated(server, nodes(1), **settings))
    assert str(failure).startswith(why)


def test_without_a_token_none_is_sent() -> None:
    with scoring() as server:
        rated(server, nodes(1))
    assert "authorization" not in server.requests[0].headers


def test_a_redirect_is_not_followed() -> None:
    with scoring("redirect") as server:
        rated(server, nodes(1))
    assert [asked.headers[""] for asked in server.requests] == ["POST /score HTTP/1.1"]


def test_cookies_are_not_kept() -> None:
    async def twice(server: ScoringServer) -> None:
        async with opened(server) as rate:
            await rate(nodes(1))
            await rate(nodes(1))

    with scoring("a cookie") as server:
        asyncio.run(twice(server))
    assert "cookie" not in server.requests[1].headers


BEHIND_A_PROXY = """
import asyncio, sys
from interpreters.gemma.model import open_model
from tidepool.domain import NodeContext, QueryContext
from tidepool.effects.gemma import RateNode

async def main():
    async with open_model(sys.argv[1], attempts=1) as rate:
        (answer,) = await rate([RateNode(QueryContext("what?"), NodeContext("a.py:1", None, "x"))])
    print(answer.unwrap().reasoning)

asyncio.run(main())
"""


def test_a_proxy_of_the_environment_does_not_get_the_code() -> None:
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")
    with scoring() as server:
        ended = subprocess.run(
            [sys.executable, "-c", BEHIND_A_PROXY, server.url],
            env={**os.environ, **proxies, "NO_PROXY": "", "no_proxy": "", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.stdout == "the model saw a.py:1\n", ended.stderr
    assert server.requests[0].headers["host"] == server.url.removeprefix("http://")


def answers_in(body: bytes) -> int | None:
    """How many answers a reply holds, asked about two nodes; None where it is no reply."""
    try:
        return len(read_reply(200, {"content-type": "application/json"}, body, 2))
    except Trouble:
        return None


@given(plain | st.lists(plain))
def test_whatever_json_a_server_answers_each_node_has_a_result_or_none_has(data: Any) -> None:
    body = json.dumps(data).encode()
    numbers = "NaN" not in str(body) and "Infinity" not in str(body)
    assert answers_in(body) == (2 if numbers and isinstance(data, list) and len(data) == 2 else None)


@given(
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["content-type", "content-encoding", "retry-after", "date"]), st.text()),
    st.binary(),
)
def test_whatever_a_server_writes_is_a_trouble_in_one_line(status: int, headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Trouble) as caught:
        read_reply(status, headers, body, 2)
    assert caught.value.why.isprintable()
    assert caught.value.wait_s >= 0


# How it is set up.


@pytest.mark.parametrize(
    ("url", "settings", "complaint"),
    [
        ("127.0.0.1:8000", {}, "begin with http://"),
        ("ftp://host", {}, "begin with http://"),
        ("http://", {}, "begin with http://"),
        ("http://host:port", {}, "cannot be read"),
        ("http://user:s3cret@host", {}, "no user, query or fragment"),
        ("http://host?key=s3cret", {}, "no user, query or fragment"),
        ("http://host/score", {}, "leave out /score"),
        ("http://host/models/score/", {}, "leave out /score"),
        ("http://host", {"token": "s3cret\r\nX: y"}, "visible ASCII"),
        ("http://host", {"token": ""}, "visible ASCII"),
        ("http://host", {"nodes_per_request": 0}, "from 1 to 50, not 0"),
        ("http://host", {"nodes_per_request": 51}, "from 1 to 50, not 51"),
        ("http://host", {"requests_in_flight": 0}, "requests in flight are to be 1 at least"),
        ("http://host", {"attempts": 0}, "attempts are to be 1 at least"),
        ("http://host", {"request_timeout_s": 0}, "request time-out is to be more than 0"),
        ("http://host", {"total_timeout_s": float("nan")}, "total time-out is to be more than 0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(url: str, settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        rated(url, nodes(1), **settings)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/models/small", "/models/small/"])
def test_score_stands_below_the_address(path: str) -> None:
    with scoring() as server:
        assert rated(server.url + path, nodes(1)) == [Success(right(nodes(1)[0]))]
    assert [asked.headers[""] for asked in server.requests] == [f"POST {path.rstrip('/')}/score HTTP/1.1"]


# As an interpreter.


def test_a_node_that_the_model_does_not_rate_fails_its_program_alone() -> None:
    async def rate(server: ScoringServer, ops: Sequence[RateNode]) -> list[Result[Rubric, ModelFailure]]:
        async with opened(server) as ask:
            return await run_async(each(attempt(op, ModelFailure) for op in ops), model(ask))

    ops = nodes(3)
    with scoring("out of range") as server:
        first, *others = asyncio.run(rate(server, ops))
    assert isinstance(first, Failure) and first.failure().location == ops[0].node.location
    assert others == [Success(right(op)) for op in ops[1:]]


def test_a_run_that_the_model_failed_can_be_recorded_and_replayed() -> None:
    async def fails(server: ScoringServer, tape: list[Entry]) -> Result[Rubric, ModelFailure]:
        async with opened(server) as ask:
            return await run_async(recorded(attempt(nodes(1)[0], ModelFailure), tape.append), model(ask))

    tape: list[Entry] = []
    with scoring("500") as server:
        live = asyncio.run(fails(server, tape)).failure()
    read = parse_recording(line.encode() for line in lines_of(tape)).entries
    again = replay(attempt(nodes(1)[0], ModelFailure), read).failure()
    assert (str(again), again.location) == (str(live), live.location)


SHOP = {
    "kinds.py": "from enum import Enum\n\n\nclass Kind(Enum):\n    TEA = 1\n    COFFEE = 2\n",
    "prices.py": "from kinds import Kind\n\n\ndef price(kind):\n    match kind:\n        case Kind.TEA:\n"
    "            return 2\n",
    "shop.py": "from kinds import Kind\n\n\ndef sold(kind):\n    return kind is Kind.TEA\n",
}


def explored(server: ScoringServer, settings: Callable[[Model], Any] = model) -> Any:
    async def ask() -> Any:
        world = in_memory(SHOP) | stopped_clock(datetime(2026, 1, 15, tzinfo=UTC)) | silent()
        async with opened(server) as rate:
            return await run_async(
                explore(ScoutQuery("What breaks if I add a variant to Kind?")), settings(rate) | world
            )

    return asyncio.run(ask())


def test_an_exploration_that_the_model_fails_keeps_what_was_rated_in_the_same_round() -> None:
    with scoring() as server:
        whole = explored(server)
    with scoring("out of range") as server, pytest.raises(ScorerFailed, match="relevance: 9") as caught:
        explored(server)
    asked = len(server.requests[0].locations)
    answer = caught.value.answer
    assert len(server.requests) == 1 and asked > 2
    assert answer.nodes_visited == asked - 1
    assert answer.status is Status.PARTIAL and "relevance: 9" in answer.summary
    assert whole.nodes_visited > answer.nodes_visited
