"""The second question about mypy's sources, asked of a warm broker, against the bare language-server requests it makes.

A broker's messages with its server are recorded once, for a first question and then for a second one. The floor sends
those of the first to a server of its own, and then, timed, those of the second, each as soon as the replies it waited
for have come. The whole is timed in a client that is already there, as an agent's server is.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import answer

from interpreters.edge.answering import Question
from interpreters.edge.warm.client import open_warm, stop_all

FIRST = "What breaks if I rename the class TypeInfo?"
TARGET = 1.5
RUNS = 3


def main() -> bool:
    """Print the ratios; answer whether the questions together meet the target."""
    all_whole_s = all_bare_s = 0.0
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(prefix="tp-") as runtime:
        root = answer.sources(Path(folder))
        environ = {**answer.with_bytecode(), "XDG_RUNTIME_DIR": runtime}
        for question in answer.QUESTIONS:
            started_in, first, second = record(Path(folder), root, question, environ)
            whole, bare = [], []
            for _ in range(RUNS):  # interleaved, so that a noisy neighbour is everybody's
                bare.append(bare_s(first, second, root, started_in))
                whole.append(asyncio.run(whole_s(root, question, environ)))
            all_whole_s += min(whole)
            all_bare_s += min(bare)
            ratio = min(whole) / min(bare)
            print(f"{question}\n  bare {min(bare):.3f} s, second answer {min(whole):.3f} s: {ratio:.2f}")
    print(f"together {all_whole_s / all_bare_s:.2f} (at most {TARGET})")
    return all_whole_s / all_bare_s <= TARGET


async def whole_s(root: Path, question: str, environ: dict[str, str]) -> float:
    """Seconds for the second answer of a broker that is started afresh, and ends when it has answered."""
    async with open_warm(environ) as ask:
        await ask(Question(FIRST, root, {}), lambda _: None)
        started = time.perf_counter()
        outcome = await ask(Question(question, root, {}), lambda _: None)
        elapsed = time.perf_counter() - started
        assert outcome.failure is None, outcome.failure
    await stop_all(environ)
    return elapsed


def record(
    folder: Path, root: Path, question: str, environ: dict[str, str]
) -> tuple[dict[str, str], list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """The server's environment, and every message of a first and of a second question."""
    log, proxied = answer.through_proxy(folder)

    async def ask_both() -> int:
        async with open_warm({**environ, **proxied}) as ask:
            await ask(Question(FIRST, root, {"server": "proxy"}), lambda _: None)
            count = len(log.read_bytes().splitlines())
            await ask(Question(question, root, {"server": "proxy"}), lambda _: None)
        return count

    count = asyncio.run(ask_both())
    started_in, messages = answer.messages_of(log)
    asyncio.run(stop_all(environ))
    return started_in, messages[: count - 1], messages[count - 1 :]


def bare_s(
    first: list[tuple[str, bytes]], second: list[tuple[str, bytes]], root: Path, environment: dict[str, str]
) -> float:
    """How long the messages of the second question take, sent by a program that does nothing else."""
    server = subprocess.Popen(
        answer.server(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=root,
        env=environment,
    )
    assert server.stdin and server.stdout
    replies = answer.Replies(server.stdout)
    answer.send(first, server.stdin, replies)
    started = time.perf_counter()
    answer.send(second, server.stdin, replies)
    elapsed = time.perf_counter() - started
    server.kill()
    server.wait()
    return elapsed


if __name__ == "__main__":
    sys.exit(not main())
