"""The served heuristic against a bare Starlette endpoint that only parses and returns the same JSON.

Both run under the same uvicorn settings, each in a process of its own, and are asked in turn over kept-alive
connections by a client that takes a fraction of the servers' time. What the bare endpoint does for a node of an array
is to parse and to write it, some microseconds; the heuristic takes some twenty. So an array's ratio tells what rating
costs, and a single node's what serving does: that one has a target.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ROOT = Path(__file__).parents[2]
TARGET = 0.6
CLIENTS = 8
ROUNDS = 50
SECONDS = 0.2  # short, so that both sides of a round meet with the same weather
QUESTIONS = (
    ("What breaks if I add a variant to ChangeKind?", ["Exhaustive", "PatternMatch"]),
    ("What breaks if I rename Place to Position?", ["DataType"]),
    ("What breaks if I add a required parameter to attempt?", ["Function"]),
    ("What breaks if `read_change` may return None?", []),
)
SERVED = [sys.executable, "-m", "interpreters.edge.tidepool_cli", "serve", "--port", "0"]
BARE = [sys.executable, __file__, "bare"]


def main() -> bool:
    """Print the nodes a second of both, the ratios and the latency; answer whether single nodes meet the target."""
    nodes = _nodes()
    singles = [_request(node) for node in nodes]
    fifties = [_request(nodes[at : at + 50]) for at in range(0, len(nodes) - 50, 50)]
    with _server(SERVED) as served, _server(BARE) as bare:
        ratio = _compare("single nodes", 1, singles, served, bare)
        _compare("arrays of 50", 50, fifties, served, bare)
        print(f"\nneeded: {TARGET} of the bare endpoint's nodes/s for single nodes")
    return ratio >= TARGET


def _compare(what: str, nodes: int, requests: Sequence[bytes], served: Running, bare: Running) -> float:
    """The median of the rounds' ratios: it is what a machine that has other things to do changes least."""
    pairs: list[float] = []
    cpu_s = {server: server.cpu_s() for server in (served, bare)}
    times: dict[Running, list[float]] = {served: [], bare: []}
    used, started = process_time(), perf_counter()
    for turn in range(ROUNDS):
        order = (served, bare) if turn % 2 else (bare, served)
        taken = {server: asyncio.run(_load(server.address, requests)) for server in order}
        pairs.append(len(taken[served]) / len(taken[bare]))
        for server, some in taken.items():
            times[server] += some
    client = (process_time() - used) / (perf_counter() - started)
    pairs.sort()
    ours, theirs = (nodes * len(times[server]) / (ROUNDS * SECONDS) for server in (served, bare))
    each_us = [1e6 * (server.cpu_s() - cpu_s[server]) / len(times[server]) for server in (bare, served)]
    taken_ms = [1e3 * seconds for seconds in sorted(times[served])]
    p50, p99 = (taken_ms[int(len(taken_ms) * share)] for share in (0.5, 0.99))
    print(f"{what}, {CLIENTS} clients: bare {theirs:,.0f} nodes/s, heuristic {ours:,.0f} nodes/s")
    print(f"  ratio {median(pairs):.2f}, the median of {ROUNDS} rounds; nine in ten above {pairs[ROUNDS // 10]:.2f}")
    print(f"  processor time of a request: bare {each_us[0]:.0f} µs, heuristic {each_us[1]:.0f} µs", end="")
    print(f", ratio {each_us[0] / each_us[1]:.2f}")
    print(f"  heuristic, one POST /score: p50 {p50:.2f} ms, p99 {p99:.2f} ms over {len(taken_ms):,} requests")
    print(f"  the client was busy for {client:.0%} of the time")
    return median(pairs)


async def _load(address: str, requests: Sequence[bytes]) -> list[float]:
    """How long each request took; a few to begin with are not counted."""
    await _ask(address, requests, perf_counter() + 0.02)
    end = perf_counter() + SECONDS
    step = len(requests) // CLIENTS
    shares = [[*requests[at * step :], *requests[: at * step]] for at in range(CLIENTS)]
    return [took for times in await asyncio.gather(*(_ask(address, own, end) for own in shares)) for took in times]


async def _ask(address: str, requests: Sequence[bytes], end: float) -> list[float]:
    url = urlsplit(address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    times: list[float] = []
    for request in cycle(requests):
        started = perf_counter()
        if started > end:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        times.append(perf_counter() - started)
    writer.close()
    await writer.wait_closed()
    return times


def _request(asked: object) -> bytes:
    body = json.dumps(asked).encode()
    head = f"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def _nodes() -> list[dict[str, object]]:
    """A thousand places of this repository, as an exploration asks about them."""
    nodes: list[dict[str, object]] = []
    for path in sorted((ROOT / "tidepool").rglob("*.py")):
        lines = path.read_text(encoding="utf-8").split("\n")
        for number in range(1, len(lines) + 1, 7):
            query, tags = QUESTIONS[len(nodes) // 50 % len(QUESTIONS)]
            snippet = "\n".join(lines[max(0, number - 3) : number + 2])
            location = f"{path.relative_to(ROOT).as_posix()}:{number}"
            nodes.append({"query": query, "tags": tags, "location": location, "hover": None, "snippet": snippet})
    return nodes[:1000]


class Running(NamedTuple):
    """A server in a process of its own."""

    address: str
    process: psutil.Process

    def cpu_s(self) -> float:
        """The processor time it has taken, in seconds."""
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def _server(command: Sequence[str]) -> Iterator[Running]:
    """A server; it is stopped at the end."""
    with tempfile.NamedTemporaryFile("w+") as log:
        process = subprocess.Popen(command, stderr=log, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        try:
            yield Running(_address(process, Path(log.name)), psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(20)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        for line in log.read_text().splitlines():
            about = json.loads(line)
            if about["event"] == "listening":
                return str(about["address"])
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {log.read_text()}")


def _serve_bare() -> None:
    from interpreters.edge.serve import address_of, json_lines, listening, server_of

    async def echo(request: Request) -> JSONResponse:
        return JSONResponse(await request.json())

    log = json_lines(sys.stderr)
    with listening("127.0.0.1", 0) as listener:
        server = server_of(Starlette(routes=[Route("/score", echo, methods=["POST"])]), 5, log)
        log("listening", {"address": address_of(listener)})
        asyncio.run(server.serve([listener]))


if __name__ == "__main__":
    sys.exit(_serve_bare() if sys.argv[1:] == ["bare"] else not main())
