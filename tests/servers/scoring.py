"""A scoring server that reads lists of nodes and answers rightly or, on purpose, wrongly: see `WRONGS`.

    with scoring("drop", "truncate") as server:               the first two requests go wrong, all after them are right
    with scoring(wrong_rate=0.3, seed=1, kinds=...) as server:   each request by chance, the same for the same seed
    python scoring.py '{"delay_s": 0.02}'                     in a process of its own; it prints its port

What it was asked, and what it did about it, is in `requests`, and answers `GET /log`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import attrs

NEVER_S = 3600.0
TOKEN = "s3cret-t0ken"


@attrs.frozen
class Reply:
    """What is written after a request, and when; `said` is all of it where it is no HTTP."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=lambda: {"Content-Type": "application/json"})
    after_s: float = 0.0
    cut: int = 0  # bytes of the body that are promised and not sent
    said: bytes | None = None

    @property
    def closes(self) -> bool:
        return self.cut > 0 or self.said is not None

    @property
    def whole(self) -> bytes:
        if self.said is not None:
            return self.said
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in self.headers.items())]
        head = "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""])
        return head.encode() + self.body[: len(self.body) - self.cut]


Answer = dict[str, Any]


def rubric_of(question: Mapping[str, Any]) -> Answer:
    """The right answer: a function of the node and the query alone."""
    seed = sum(f"{question['location']}{question['query']}".encode())
    return {
        "relevance": 1 + seed % 5,
        "risk": 1 + seed // 5 % 5,
        "confidence": 1 + seed // 25 % 5,
        "reasoning": f"the model saw {question['location']}",
    }


def _json(data: object) -> Reply:
    return Reply(json.dumps(data).encode())


def _first(**changes: object) -> Callable[[list[Answer]], Reply]:
    """Right but for the first node."""
    return lambda answers: _json([{**answers[0], **changes}, *answers[1:]])


def _status(status: int, **headers: str) -> Callable[[list[Answer]], Reply]:
    kind = {"Content-Type": "application/json"}
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Reply(json.dumps({"error": f"told to say {status}"}).encode(), status, {**kind, **more})


def _right(answers: list[Answer]) -> Reply:
    return _json(answers)


WRONGS: dict[str, Callable[[list[Answer]], Reply]] = {
    "right": _right,
    "drop": lambda _: Reply(said=b""),
    "hang": lambda _: Reply(after_s=NEVER_S),
    "late": lambda answers: attrs.evolve(_right(answers), after_s=0.05),
    "truncate": lambda answers: attrs.evolve(_right(answers), cut=9),
    "no http": lambda _: Reply(said=b"\0\1\2 hello\r\n\r\n"),
    "400": _status(400),
    "401": _status(401),
    "403": _status(403),
    "404": _status(404),
    "413": _status(413),
    "418": _status(418),
    "422": _status(422),
    "429": _status(429),
    "429 later": _status(429, Retry_After="1"),
    "429 too late": _status(429, Retry_After="86400"),
    "500": _status(500),
    "502": _status(502),
    "503": _status(503),
    "504": _status(504),
    "echo": lambda _: Reply(json.dumps({"error": f"{TOKEN} is wrong"}).encode(), 401),
    "echo for a node": lambda answers: _json([{"error": f"no {TOKEN}"}, *answers[1:]]),
    "redirect": _status(307, Location="/elsewhere"),
    "empty list": lambda _: _json([]),
    "one short": lambda answers: _json(answers[1:]),
    "one more": lambda answers: _json([*answers, answers[0]]),
    "an object": lambda answers: _json({"answers": answers}),
    "out of range": _first(relevance=9),
    "text for a number": _first(risk="high"),
    "a fraction": _first(risk=2.5),
    "true for a number": _first(confidence=True),
    "null": lambda answers: _json([None, *answers[1:]]),
    "extra junk": _first(junk="more"),
    "a key to be printed": lambda answers: _json([{**answers[0], "\x1b[31m" + "k" * 100: 1}, *answers[1:]]),
    "missing field": lambda answers: _json([{"relevance": 1}, *answers[1:]]),
    "long reasoning": _first(reasoning="long " * 1000),
    "surrogate": _first(reasoning="\ud800"),
    "error": lambda answers: _json([{"error": "lost\nits \x1b[31mplace"}, *answers[1:]]),
    "error and more": lambda answers: _json([{"error": "no", **answers[0]}, *answers[1:]]),
    "error of no text": lambda answers: _json([{"error": 5}, *answers[1:]]),
    "invalid json": lambda answers: Reply(json.dumps(answers).encode()[:-1] + b"}"),
    "not a number": lambda _: Reply(b"[NaN]"),
    "no utf-8": lambda _: Reply(b'["\xff"]'),
    "deep": lambda _: Reply(b"[" * 9_000),
    "huge number": lambda _: Reply(b"[" + b"9" * 9_000 + b"]"),
    "nothing": lambda _: Reply(b""),
    "huge": lambda _: Reply(b" " * 4_000_000),
    "html": lambda _: Reply(b"<html></html>", headers={"Content-Type": "text/html; charset=utf-8"}),
    "no type": lambda answers: attrs.evolve(_right(answers), headers={}),
    "compressed": lambda _: Reply(
        gzip.compress(b" " * 9_000_000), headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
    ),
    "a cookie": lambda answers: attrs.evolve(
        _right(answers), headers={"Content-Type": "application/json", "Set-Cookie": "seen=1"}
    ),
}
"""What may be done about a request, given the right answers to its nodes."""


@attrs.frozen
class Asked:
    """A request that came in whole, and what was done about it.

    Attributes:
        locations: of the nodes that it asked about.
        done: a name of `WRONGS`.
        connection: which one it came over, from 0.
        in_flight: how many there were then, itself included.
    """

    locations: tuple[str, ...]
    done: str
    connection: int
    in_flight: int
    headers: Mapping[str, str]


@attrs.define(eq=False)
class ScoringServer:
    """The server's settings and its log.

    Attributes:
        script: what is done about the first requests, one after another.
        then: what is done about all that follow it.
        wrong_rate: with which chance one of `kinds` is done about a request instead.
        delay_s: how long after a request anything is answered.
        asked: set once a request came in.
    """

    script: Sequence[str] = ()
    then: str = "right"
    wrong_rate: float = 0.0
    kinds: Sequence[str] = ()
    seed: int = 0
    delay_s: float = 0.0
    requests: list[Asked] = attrs.field(factory=list)
    asked: threading.Event = attrs.field(factory=threading.Event)
    port: int = 0
    _connections: int = 0
    _in_flight: int = 0
    _chance: Random = attrs.field(init=False, default=attrs.Factory(lambda self: Random(self.seed), takes_self=True))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def done(self) -> list[str]:
        return [asked.done for asked in self.requests]

    def choose(self) -> str:
        """What to do about the next request."""
        if len(self.requests) < len(self.script):
            return self.script[len(self.requests)]
        if self.kinds and self._chance.random() < self.wrong_rate:
            return self._chance.choice(self.kinds)
        return self.then

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side ends it."""
        connection, self._connections = self._connections, self._connections + 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while reply := await self.heed(reader, connection):
                if reply.after_s < NEVER_S:
                    await asyncio.sleep(reply.after_s)
                else:
                    await reader.read(1)  # until the other side gives up
                    break
                writer.write(reply.whole)
                await writer.drain()
                if reply.closes:
                    break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def heed(self, reader: asyncio.StreamReader, connection: int) -> Reply:
        """Read a request, and decide about it."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if first.startswith("GET /log "):
            return Reply(json.dumps([attrs.asdict(asked) for asked in self.requests]).encode())
        questions = json.loads(await reader.readexactly(int(headers["content-length"])))
        self._in_flight += 1
        try:
            done, locations = self.choose(), tuple(question["location"] for question in questions)
            self.requests.append(Asked(locations, done, connection, self._in_flight, {**headers, "": first}))
            self.asked.set()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            return WRONGS[done]([rubric_of(question) for question in questions])
        finally:
            self._in_flight -= 1

    async def listen(self, tell: Callable[[int], object], until: asyncio.Event) -> None:
        """Serve on a free port of the loopback interface."""
        server = await asyncio.start_server(self.talk, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        tell(self.port)
        await until.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextlib.contextmanager
def scoring(*script: str, **settings: Any) -> Iterator[ScoringServer]:
    """A server in a thread of this process."""
    server, ready, over = ScoringServer(script, **settings), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    def tell(_: int) -> None:
        loops.append(asyncio.get_running_loop())
        ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(server.listen(tell, over)))
    thread.start()
    try:
        assert ready.wait(30)
        yield server
    finally:
        loops[0].call_soon_threadsafe(over.set)
        thread.join()


@contextlib.contextmanager
def scoring_process(**settings: Any) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, str(Path(__file__)), json.dumps(settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def log_of(url: str) -> list[Asked]:
    """What the server at an address was asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/log", timeout=30) as reply:
        return [Asked(**{**entry, "locations": tuple(entry["locations"])}) for entry in json.load(reply)]


if __name__ == "__main__":
    asyncio.run(
        ScoringServer(**json.loads(sys.argv[1])).listen(
            lambda port: os.write(sys.stdout.fileno(), b"%d\n" % port), asyncio.Event()
        )
    )
