"""The scoring server over real sockets, and `tidepool serve` as a real process."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Never
from urllib.parse import urlsplit

import attrs
import pytest
from returns.result import Failure, Result, Success

from interpreters.edge.score_server import Limits, Scorer, is_local_name
from interpreters.edge.serve import LOG_DELAY_S, json_lines
from interpreters.gemma.heuristic import heuristic
from tests.score_client import (
    DEADLINE_S,
    DOCUMENT,
    NODE,
    complaints,
    complaints_of,
    connect,
    get,
    post,
    read_reply,
    request,
    send,
    served,
    served_by_a_thread,
)
from tidepool.domain import Rubric
from tidepool.effects.gemma import RateNode
from tidepool.errors import BadAnswer
from tidepool.wire import read_score_request, to_wire

ROOT = Path(__file__).parent.parent
SECRET = "a secret that stands in the code"


def node(line: int, **changes: Any) -> dict[str, Any]:
    return {**NODE, "location": f"a.py:{line}", **changes}


def by_line(op: RateNode) -> Rubric:
    """Every third line cannot be rated, and every seventh shows a defect of the scorer."""
    line = op.node.line
    if line % 7 == 0:
        raise ZeroDivisionError(op.node.snippet)
    if line % 3 == 0:
        raise BadAnswer("by line", f"{line} is a third")
    return Rubric(1 + line % 5, 3, 2, f"line {line}")


async def by_line_later(op: RateNode) -> Rubric:
    await asyncio.sleep(0)
    return by_line(op)


async def by_line_together(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, Exception]]:
    await asyncio.sleep(0)
    return [one_result(op) for op in ops]


def one_result(op: RateNode) -> Result[Rubric, Exception]:
    try:
        return Success(by_line(op))
    except (BadAnswer, ZeroDivisionError) as error:
        return Failure(error)


SCORERS: Mapping[str, Scorer] = {
    "at once": RateNode.by(by_line),
    "later": RateNode.by_async(by_line_later),
    "together": RateNode.by_many_or_raise(by_line_together),
}


@pytest.fixture(scope="module")
def heuristics() -> Iterator[str]:
    """The address of a server that tests share."""
    with served_by_a_thread(heuristic()) as address:
        yield address


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """The address of one with a token."""
    with served_by_a_thread(heuristic(), token="right") as address:
        yield address


# What is answered.


async def heuristics_rubrics() -> None:
    async with served(heuristic()) as address:
        one = await post(address, NODE)
        many = await post(address, [NODE, node(3), NODE])
    rubric = to_wire(heuristic()(RateNode(*read_score_request(NODE))))
    assert (one.status, one.json) == (200, rubric)
    assert (many.status, len(many.json), many.json[::2]) == (200, 3, [rubric, rubric])


def test_a_node_is_answered_with_its_rubric_and_an_array_with_as_many_in_order() -> None:
    asyncio.run(heuristics_rubrics())


@pytest.mark.parametrize("name", SCORERS)
def test_a_failure_is_told_for_its_node_alone(name: str) -> None:
    async def main() -> None:
        async with served(SCORERS[name]) as address:
            lines = [*range(1, 51)]
            reply = await post(address, [node(line) for line in lines])
            alone = await post(address, node(3))
            broken = await post(address, node(7, snippet=SECRET))
        assert reply.status == 200 and complaints("/score", "POST", reply) == []
        for line, answer in zip(lines, reply.json, strict=True):
            if line % 7 == 0:
                assert "ZeroDivisionError" in answer["error"]
            elif line % 3 == 0:
                assert answer == {"error": f"by line: {line} is a third"}
            else:
                assert answer["reasoning"] == f"line {line}"
        assert (alone.status, alone.json) == (503, {"error": "by line: 3 is a third"})
        assert broken.status == 503 and "ZeroDivisionError" in broken.json["error"]
        assert SECRET not in broken.body.decode() and "Traceback" not in broken.body.decode()

    asyncio.run(main())


def test_an_answer_that_is_no_rubric_is_that_nodes_failure() -> None:
    async def main() -> None:
        broken: Any = RateNode.by(lambda _: "five")  # type: ignore[arg-type,return-value]
        async with served(broken) as address:
            reply = await post(address, [NODE])
        assert (reply.status, reply.json) == (200, [{"error": "scorer test: it gave no rubric"}])

    asyncio.run(main())


def test_no_nodes_are_answered_with_no_rubrics() -> None:
    async def main() -> None:
        for scorer in SCORERS.values():
            async with served(scorer) as address:
                reply = await post(address, [])
            assert (reply.status, reply.json) == (200, [])

    asyncio.run(main())


def test_the_scorer_sees_a_request_as_one_round() -> None:
    rounds: list[int] = []

    async def together(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, Never]]:
        rounds.append(len(ops))
        return [Success(Rubric(1, 1, 1, "")) for _ in ops]

    async def main() -> None:
        async with served(RateNode.by_many(together)) as address:
            await post(address, [NODE] * 50)
            await post(address, NODE)

    asyncio.run(main())
    assert rounds == [50, 1]


# What is refused.

BODY = json.dumps(NODE).encode()
DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff\xfe", 400, None),
        (b"[NaN]", 400, None),
        (b"9" * 5000, 400, None),
        (DEEP, 400, None),
        (b"null", 422, "a score request"),
        (b"1e999", 422, "a score request"),
        (b'{"x": 1}', 422, "x"),
        (b"[1]", 422, "[0]"),
        (BODY.replace(b'"tags"', b'"tag"'), 422, "tag"),
        (BODY.replace(b'"Exhaustive"', b'"Exhaustiv"'), 422, "tags[0]"),
        (BODY.replace(b'"llmapp', b'"\\ud800'), 422, "location"),
        (BODY.replace(b":8", b":0"), 422, "location"),
        (BODY.replace(b"null", b"7"), 422, "hover"),
        (b"[" + b",".join([BODY] * 3) + b"," + BODY.replace(b'"PatternMatch"', b"[[]]") + b"]", 422, "[3].tags[1]"),
        (b"[" + b",".join([BODY] * 51) + b"]", 413, None),
    ],
    ids=range(17),
)
def test_what_asks_about_no_node_is_told_what_is_wrong_with_it(
    body: bytes, status: int, field: str | None, heuristics: str
) -> None:
    async def main() -> None:
        reply = await post(heuristics, body)
        assert (reply.status, reply.json.get("field")) == (status, field)
        assert reply.json["error"] and "Traceback" not in reply.json["error"]
        assert complaints("/score", "POST", reply) == []
        assert (await post(heuristics, NODE)).status == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(BODY, "GET"), 405),
        (request(BODY, "OPTIONS"), 405),
        (request(BODY, "BREW"), 405),
        (request(BODY, path="/score/"), 404),
        (request(BODY, path="/%00"), 404),
        (request(BODY, path="/score?x=1"), 200),
        (request(BODY, content_type="text/plain"), 415),
        (request(BODY, content_type="application/x-www-form-urlencoded"), 415),
        (request(BODY, content_type="Application/JSON; charset=utf-8"), 200),
        (request(BODY, content_type=""), 200),
        (request(BODY, content_encoding="gzip"), 415),
        (request(BODY, host="evil.example"), 421),
        (request(BODY, host="localhost.evil.example:80"), 421),
        (request(BODY, host="[::1]:8377"), 200),
        (request(BODY, host="127.0.0.1:1"), 200),
        (request(BODY, host=""), 400),
        (request(BODY, origin="http://localhost"), 403),
        (request(BODY, origin="null"), 403),
        (request(BODY, connection="Upgrade", upgrade="websocket"), 200),
        (request(BODY, connection="Upgrade, HTTP2-Settings", upgrade="h2c"), 200),
        (request(BODY, content_length="x"), 400),
        (request(BODY, transfer_encoding="gzip"), 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"POST /score HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY, 200),
    ],
    ids=range(24),
)
def test_every_refusal_is_json_with_a_status_that_fits(data: bytes, status: int, heuristics: str) -> None:
    reply = asyncio.run(send(heuristics, data))
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert status == 200 or complaints_of(reply.json, {"$ref": "#/components/schemas/Error"}, "") == []


@pytest.mark.parametrize(
    ("host", "local"),
    [
        (b"localhost:1", True),
        (b"LOCALHOST", True),
        (b"127.8.8.8:80", True),
        (b"[::1]", True),
        (b"127.0.0.1.evil.example", False),
        (b"10.0.0.1", False),
        (b"", False),
        (b":80", False),
        (b"\xff", False),
    ],
)
def test_only_loopback_has_local_names(host: bytes, local: bool) -> None:
    assert is_local_name(host) is local


def test_a_server_for_other_machines_is_called_by_any_name() -> None:
    async def main() -> None:
        async with served(heuristic(), local_names_only=False, token="right") as address:
            reply = await post(address, NODE, host="scores.example", authorization="Bearer right")
        assert reply.status == 200

    asyncio.run(main())


def test_no_answer_invites_a_browser() -> None:
    async def main() -> None:
        async with served(heuristic()) as address:
            replies = [
                await post(address, NODE),
                await get(address, "/healthz"),
                await get(address, "/score", "OPTIONS"),
            ]
        assert not [name for reply in replies for name in reply.headers if name.startswith("access-control")]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("", 401),
        ("Bearer wrong", 401),
        ("Bearer rightly", 401),
        ("Basic right", 401),
        ("right", 401),
        ("Bearer r\xefght", 401),
        ("Bearer right", 200),
        ("bearer  right", 200),
    ],
)
def test_a_token_guards_everything_but_the_health(given: str, status: int, guarded: str) -> None:
    async def main() -> None:
        asked = await post(guarded, NODE, authorization=given)
        assert asked.status == status
        assert status == 200 or asked.headers["www-authenticate"] == "Bearer"
        for path in ("/metrics", "/openapi.json"):
            assert (await get(guarded, path, authorization=given)).status == status
        assert (await get(guarded, "/healthz", authorization=given)).status == 200

    asyncio.run(main())


# Limits.

SMALL = Limits(body_bytes=2_000, swallowed_bytes=20_000, body_timeout_s=0.2, answer_timeout_s=0.2, requests=2)


@pytest.mark.parametrize(("size", "closes"), [(2_001, False), (20_001, True), (10**19, True)])
def test_a_body_that_is_declared_too_large_is_not_waited_for(size: int, closes: bool) -> None:
    async def main() -> None:
        async with served(heuristic(), limits=SMALL) as address:
            reply = await send(address, request(b"", content_length=str(size), expect="100-continue"))
        assert reply.status == 413 and "2000 bytes" in reply.json["error"]
        assert (reply.headers.get("connection") == "close") is closes

    asyncio.run(main())


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


@pytest.mark.parametrize(("chunks", "closes"), [(3, False), (30, True)])
def test_a_body_in_chunks_is_measured_while_it_is_read(chunks: int, closes: bool) -> None:
    async def main() -> None:
        async with served(heuristic(), limits=SMALL) as address:
            head = request(b"", content_length="", transfer_encoding="chunked")
            end = b"" if closes else b"0\r\n\r\n"
            reply = await send(address, head + chunked(*[b" " * 1_000] * chunks) + end)
        assert reply.status == 413
        assert (reply.headers.get("connection") == "close") is closes

    asyncio.run(main())


def test_a_body_in_chunks_is_read_whole() -> None:
    async def main() -> None:
        async with served(heuristic()) as address:
            head = request(b"", content_length="", transfer_encoding="chunked")
            parts = [BODY[at : at + 7] for at in range(0, len(BODY), 7)]
            assert (await send(address, head + chunked(*parts) + b"0\r\n\r\n")).status == 200

    asyncio.run(main())


def test_a_body_that_never_ends_is_given_up() -> None:
    async def main() -> None:
        async with served(heuristic(), limits=SMALL) as address:
            reply = await send(address, request(BODY, content_length=str(len(BODY) + 1)))
        assert (reply.status, reply.headers["connection"]) == (408, "close")

    asyncio.run(main())


def test_a_scorer_that_never_answers_is_given_up_and_cancelled() -> None:
    scorer = Waiting()

    async def main() -> None:
        async with served(scorer.handler, limits=SMALL) as address:
            reply = await post(address, NODE)
            assert reply.status == 503 and "within 0.2 s" in reply.json["error"]
            await asyncio.wait_for(scorer.cancelled.wait(), DEADLINE_S)

    asyncio.run(main())


def test_a_scorer_that_does_not_let_itself_be_cancelled_is_left_behind() -> None:
    released, seen = asyncio.Event(), list[str]()

    async def deaf(_op: RateNode) -> Rubric:
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()
        raise ZeroDivisionError  # which nobody waits for

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
        limits = Limits(answer_timeout_s=0.1, requests=1)
        async with served(RateNode.by_async(deaf), limits=limits, log=lambda event, _: seen.append(event)) as address:
            for _ in range(2):
                reply = await post(address, NODE)
                assert reply.status == 503 and "within 0.1 s" in reply.json["error"]
            assert b"in_flight 0.0" in (await get(address, "/metrics")).body
            released.set()
        await asyncio.sleep(0)
        gc.collect()

    asyncio.run(main())
    assert [event for event in seen if event != "request"] == ["left behind", "left behind", "draining"]


@attrs.define
class Waiting:
    """A scorer that waits until it is released."""

    asked: asyncio.Event = attrs.field(factory=asyncio.Event)
    release: asyncio.Event = attrs.field(factory=asyncio.Event)
    cancelled: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def rate(self, _op: RateNode) -> Rubric:
        self.asked.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Rubric(1, 1, 1, "at last")

    @property
    def handler(self) -> Any:
        return RateNode.by_async(self.rate)


def test_more_requests_than_it_answers_at_once_are_told_to_come_back() -> None:
    scorer = Waiting()

    async def main() -> None:
        async with served(scorer.handler, limits=Limits(requests=1)) as address:
            first = asyncio.create_task(post(address, NODE))
            await asyncio.wait_for(scorer.asked.wait(), DEADLINE_S)
            busy = await post(address, NODE)
            assert (busy.status, busy.headers["retry-after"]) == (503, "1")
            assert (await get(address, "/healthz")).status == 200
            assert b"in_flight 1.0" in (await get(address, "/metrics")).body
            scorer.release.set()
            assert (await first).json["reasoning"] == "at last"
            assert (await post(address, NODE)).status == 200

    asyncio.run(main())


def test_a_client_that_leaves_cancels_its_work() -> None:
    scorer = Waiting()
    seen: list[Mapping[str, Any]] = []

    async def main() -> None:
        async with served(scorer.handler, log=lambda _, about: seen.append(about)) as address:
            _, writer = await connect(address)
            writer.write(request(BODY))
            await asyncio.wait_for(scorer.asked.wait(), DEADLINE_S)
            writer.close()
            await asyncio.wait_for(scorer.cancelled.wait(), DEADLINE_S)

    asyncio.run(main())
    assert [about["status"] for about in seen if "status" in about] == [499]


def test_requests_one_after_another_on_a_connection_are_answered_in_order() -> None:
    async def main() -> None:
        async with served(RateNode.by(by_line)) as address:
            reader, writer = await connect(address)
            writer.write(b"".join(request(json.dumps(node(line)).encode()) for line in (1, 2, 4, 5)))
            replies = [await read_reply(reader) for _ in range(4)]
            writer.close()
        assert [reply.json["reasoning"] for reply in replies] == ["line 1", "line 2", "line 4", "line 5"]

    asyncio.run(main())


# What it says about itself.


def test_the_document_is_published_and_every_page_keeps_to_it() -> None:
    async def main() -> None:
        async with served(heuristic()) as address:
            replies = {path: await get(address, path) for path in ("/healthz", "/metrics", "/openapi.json")}
            rated = await post(address, [NODE, NODE])
        assert replies["/openapi.json"].json == DOCUMENT
        assert replies["/healthz"].json == {"status": "ok", "scorer": "test"}
        assert [complaint for path, reply in replies.items() for complaint in complaints(path, "GET", reply)] == []
        assert complaints("/score", "POST", rated) == []

    asyncio.run(main())


def test_the_document_takes_what_the_server_takes_and_nothing_else() -> None:
    asked = DOCUMENT["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    for right in (NODE, [], [NODE] * 50):
        assert complaints_of(right, asked, "") == []
    for wrong in ({}, {**NODE, "x": 1}, {**NODE, "tags": ["x"]}, {**NODE, "location": "a"}, [NODE] * 51, [[NODE]]):
        assert complaints_of(wrong, asked, "") != []


def test_metrics_count_requests_and_nodes() -> None:
    async def main() -> str:
        async with served(RateNode.by(by_line)) as address:
            await post(address, [node(line) for line in (1, 2, 3, 4)])
            await post(address, {})
            await get(address, "/secret-path")
            return (await get(address, "/metrics")).body.decode()

    lines = asyncio.run(main()).splitlines()
    for line in (
        'tidepool_score_requests_total{path="/score",status="200"} 1.0',
        'tidepool_score_requests_total{path="/score",status="422"} 1.0',
        'tidepool_score_requests_total{path="other",status="404"} 1.0',
        'tidepool_score_nodes_total{outcome="rated"} 3.0',
        'tidepool_score_nodes_total{outcome="failed"} 1.0',
        "tidepool_score_request_seconds_count 2.0",
        'tidepool_scorer{scorer="test"} 1.0',
    ):
        assert line in lines
    assert not any("_created" in line for line in lines)


def test_two_servers_in_one_process_count_for_themselves() -> None:
    async def main() -> None:
        async with served(heuristic()) as one, served(heuristic()) as other:
            await post(one, NODE)
            assert b'outcome="rated"} 0.0' in (await get(other, "/metrics")).body

    asyncio.run(main())


# The process.


SERVE = ("-m", "interpreters.edge.tidepool_cli", "serve")


class Command:
    """`tidepool serve`, running."""

    def __init__(self, *flags: str, program: Sequence[str] = SERVE, **environ: str) -> None:
        command = [sys.executable, *program, *flags]
        env = {name: value for name, value in os.environ.items() if name != "TIDEPOOL_TOKEN"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**env, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.said: list[str] = []
        self.listens = threading.Event()
        self.drains = threading.Event()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.decode().rstrip("\n"))
            if b'"draining"' in line:
                self.drains.set()
            self.listens.set()  # or it failed, which is told as well
        self.listens.set()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said]

    @property
    def address(self) -> str:
        assert self.listens.wait(DEADLINE_S)
        return str(self.events[0]["address"])

    def end(self) -> int:
        code = self.process.wait(DEADLINE_S)
        self.reader.join(DEADLINE_S)
        return code


def serving(*flags: str, **environ: str) -> AbstractContextManager[Command]:
    return running(Command("--port", "0", *flags, **environ))


@contextmanager
def running(command: Command) -> Iterator[Command]:
    try:
        yield command
    finally:
        command.process.kill()
        command.end()
        for stream in (command.process.stdout, command.process.stderr):
            assert stream is not None
            stream.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_was_begun_be_answered_and_refuses_the_rest(number: signal.Signals) -> None:
    async def main(command: Command) -> None:
        reader, writer = await connect(command.address)
        idle, idle_writer = await connect(command.address)
        writer.write(request(BODY)[:-10])
        await writer.drain()
        assert (await get(command.address, "/healthz")).status == 200  # so the first has begun
        command.process.send_signal(number)
        assert await asyncio.to_thread(command.drains.wait, DEADLINE_S)
        assert await idle.read() == b""
        with pytest.raises(ConnectionError):
            await connect(command.address)
        writer.write(BODY[-10:])
        assert (await read_reply(reader)).status == 200
        for one in (writer, idle_writer):
            one.close()
            await one.wait_closed()

    with serving() as command:
        asyncio.run(main(command))
        assert command.end() == 0
        events = [event["event"] for event in command.events]
        assert (events[0], events[-1]) == ("listening", "stopped")


def test_what_does_not_end_in_time_is_told_so() -> None:
    async def main(command: Command) -> None:
        reader, writer = await connect(command.address)
        writer.write(request(BODY)[:-10])
        assert (await get(command.address, "/healthz")).status == 200
        command.process.terminate()
        reply = await read_reply(reader)
        assert reply.status == 503 and "being stopped" in reply.json["error"]
        writer.close()

    with serving("--drain-timeout", "1") as command:
        asyncio.run(main(command))
        assert command.end() == 0


def test_the_lines_of_requests_are_written_together_and_before_any_other_line_that_follows() -> None:
    async def main() -> list[list[str]]:
        stream = io.StringIO()
        log = json_lines(stream)
        seen: list[list[str]] = []

        def look() -> None:
            seen.append([json.loads(line)["event"] for line in stream.getvalue().splitlines()])

        log("request", {"status": 200})
        log("request", {"status": 200})
        look()
        log("scorer failed", {})
        look()
        log("request", {"status": 200})
        await asyncio.sleep(2 * LOG_DELAY_S)
        look()
        return seen

    together = ["request", "request", "scorer failed"]
    assert asyncio.run(main()) == [[], together, [*together, "request"]]


DEAF = """
import asyncio, signal, sys
from interpreters.edge.score_server import score_app
from interpreters.edge.serve import address_of, json_lines, listening, server_of
from tidepool import RateNode

async def deaf(op):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def main():
    log = json_lines(sys.stderr)
    with listening("127.0.0.1", 0) as listener:
        server = server_of(score_app(RateNode.by_async(deaf), name="deaf", log=log), 0, log, last_resort_s=2)
        signal.signal(signal.SIGTERM, server.handle_exit)
        log("listening", {"address": address_of(listener)})
        await server.serve([listener])

asyncio.run(main())
"""


def test_a_scorer_that_holds_up_the_end_is_killed_after_its_client_was_answered() -> None:
    async def main(command: Command) -> None:
        reader, writer = await connect(command.address)
        writer.write(request(BODY))
        while b"in_flight 1.0" not in (await get(command.address, "/metrics")).body:
            pass
        command.process.terminate()
        reply = await read_reply(reader)
        assert reply.status == 503 and "being stopped" in reply.json["error"]
        writer.close()

    with running(Command(program=("-c", DEAF))) as command:
        asyncio.run(main(command))
        assert command.end() == 1
        last = json.loads(command.said[-1])  # not every line is: libraries are not told here what the log is
        assert (last["event"], last["level"]) == ("killed", "error")


def test_the_log_says_that_a_model_did_not_rate_and_its_fallback_did() -> None:
    with serving("--scorer", "hybrid", TIDEPOOL_MODEL_URL="http://127.0.0.1:1") as command:
        reply = asyncio.run(post(command.address, NODE))
        command.process.terminate()
        assert command.end() == 0
    assert reply.status == 200 and "(by the fallback: " in reply.json["reasoning"]
    (fell,) = [event for event in command.events if event["event"] == "fell back"]
    assert (fell["level"], fell["scorer"]) == ("warning", "model")


def test_a_connection_reset_and_one_that_sends_nothing_change_nothing() -> None:
    async def main(command: Command) -> None:
        url = urlsplit(command.address)
        silent = socket.create_connection((url.hostname, url.port))
        for part in (b"", b"POST", request(BODY)[:-5], request(BODY)):
            reset = socket.create_connection((url.hostname, url.port))
            reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            reset.sendall(part)
            reset.close()
        assert (await post(command.address, NODE)).status == 200
        silent.close()

    with serving() as command:
        asyncio.run(main(command))
        command.process.terminate()
        assert command.end() == 0
        assert not [line for line in command.said if "Traceback" in line or '"defect"' in line]


def test_the_log_is_json_and_holds_nothing_that_a_client_sent(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hunter2\n")
    bearing = {"authorization": "Bearer hunter2"}

    async def main(address: str) -> None:
        assert (
            await post(address, {**NODE, "query": SECRET, "snippet": SECRET, "hover": SECRET}, **bearing)
        ).status == 200
        assert (await post(address, {**NODE, "tags": [SECRET]}, **bearing)).status == 422
        assert (await post(address, {**NODE, "tags": [SECRET]}, authorization=f"Bearer {SECRET}")).status == 401
        assert (await get(address, f"/{SECRET.replace(' ', '')}?{SECRET.replace(' ', '')}", **bearing)).status == 404
        assert (await send(address, SECRET.encode() + b"\r\n\r\n")).status == 400

    with serving("--token-file", str(token)) as command:
        asyncio.run(main(command.address))
        command.process.terminate()
        assert command.end() == 0
        log = "\n".join(command.said)
        assert "hunter2" not in log and SECRET not in log and SECRET.replace(" ", "") not in log
        statuses = [event["status"] for event in command.events if event["event"] == "request"]
        assert statuses == [200, 422, 401, 404]
        assert {"time", "level", "event"} <= command.events[1].keys()


def failed(*flags: str, **environ: str) -> tuple[int, list[str]]:
    """The exit code and the words of a command that does not get to serve."""
    command = Command(*flags, **environ)
    code = command.end()
    for stream in (command.process.stdout, command.process.stderr):
        assert stream is not None
        stream.close()
    return code, command.said


def test_a_port_that_is_taken_is_one_sentence_and_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = failed("--port", str(port))
    assert (code, len(said)) == (2, 1)
    assert f"cannot listen on 127.0.0.1 port {port} (Address already in use): name another" in said[0]


@pytest.mark.parametrize(
    ("flags", "environ", "words"),
    [
        (["--host", "0.0.0.0"], {}, "there is no token"),
        (["--host", "no.such.host.invalid"], {}, "cannot listen on no.such.host.invalid"),
        (["--scorer", "heuristics"], {}, "'heuristics'"),
        (["--token-file", "no/such/file"], {}, "no/such/file"),
        ([], {"TIDEPOOL_TOKEN": " "}, "TIDEPOOL_TOKEN holds no token"),
        ([], {"TIDEPOOL_TOKEN": "two words"}, "TIDEPOOL_TOKEN holds no token"),
    ],
)
def test_what_cannot_be_served_is_one_sentence_and_status_2(
    flags: list[str], environ: dict[str, str], words: str
) -> None:
    code, said = failed("--port", "0", *flags, **environ)
    assert (code, len(said)) == (2, 1) and words in said[0]


@pytest.mark.parametrize("flag", ["--port=x", "--port=65536", "--requests=0", "--drain-timeout=0"])
def test_a_flag_that_is_wrong_is_usage(flag: str) -> None:
    code, said = failed(flag)
    assert code == 2 and flag.partition("=")[0] in said[-1]


def test_it_listens_on_more_than_loopback_with_a_token_or_when_told() -> None:
    for flags, environ, status in (((), {"TIDEPOOL_TOKEN": "right"}, 401), (("--allow-anyone",), {}, 200)):
        with serving("--host", "0.0.0.0", *flags, **environ) as command:
            address = command.address.replace("0.0.0.0", "127.0.0.1")
            assert asyncio.run(post(address, NODE, host="scores.example")).status == status


def test_help_imports_no_server() -> None:
    code = (
        "import sys; from interpreters.edge.tidepool_cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    )
    heavy = "print(sorted({'starlette', 'uvicorn', 'attrs', 'prometheus_client', 'asyncio'} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code + heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "serve" in ran.stdout and ran.stdout.splitlines()[-1] == "[]"
