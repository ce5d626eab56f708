"""A whole answer about mypy's sources, cold, against the bare language-server requests it makes.

A recording proxy stands between the command and the server once and writes down every message in both directions.
The floor sends the same messages from raw bytes, each as soon as the replies it waited for have come, to a server
started afresh in the same environment (it decides which packages the server reads). What remains is what tidepool
adds: Python's start, the imports, the program, the scorer, the printing. That is about the same for every question,
so the target is for all of them together; the shortest one is the furthest from it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

QUESTIONS = (
    "What breaks if I add a required parameter to get_proper_type?",
    "What breaks if I rename the class Instance?",
    "What breaks if I add a variant to ArgKind?",
    "What breaks if I add an abstract method to TypeVisitor?",
)
TARGET = 1.25
RUNS = 5


def main() -> bool:
    """Print the ratios; answer whether the questions together meet the target."""
    all_whole_s = all_bare_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        root = sources(Path(folder))
        for question in QUESTIONS:
            environment, messages = record(Path(folder), _command(root, question))
            whole, bare = [], []
            for _ in range(RUNS):  # interleaved, so that a noisy neighbour is everybody's
                bare.append(bare_s(messages, root, environment))
                whole.append(_whole(root, question))
            all_whole_s += min(whole)
            all_bare_s += min(bare)
            ratio = min(whole) / min(bare)
            print(f"{question}\n  bare {min(bare):.2f} s, whole answer {min(whole):.2f} s: {ratio:.2f}")
    print(f"together {all_whole_s / all_bare_s:.2f} (at most {TARGET})")
    return all_whole_s / all_bare_s <= TARGET


def sources(folder: Path) -> Path:
    """A copy of mypy's sources in a folder."""
    root = folder / "sources"
    for package in ("mypy", "mypyc"):
        spec = find_spec(package)
        assert spec is not None and spec.submodule_search_locations, f"{package} is not installed"
        ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
        shutil.copytree(spec.submodule_search_locations[0], root / package, ignore=ignored)
    return root


def _command(root: Path, question: str) -> list[str]:
    return [str(Path(sys.executable).with_name("semantic-scout")), question, "--root", str(root), "--format", "json"]


def _whole(root: Path, question: str) -> float:
    started = time.perf_counter()
    subprocess.run(_command(root, question), check=True, stdout=subprocess.DEVNULL, env=with_bytecode())
    return time.perf_counter() - started


def with_bytecode() -> dict[str, str]:
    """This environment, in which Python keeps what it has compiled, as it does unless told otherwise."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def record(folder: Path, command: list[str]) -> tuple[dict[str, str], list[tuple[str, bytes]]]:
    """The server's environment, and every message of one run in order: `c` from the client, `s` from the server."""
    log, variables = through_proxy(folder)
    environment = {**with_bytecode(), **variables}
    subprocess.run([*command, "--server", "proxy"], check=True, stdout=subprocess.DEVNULL, env=environment)
    return messages_of(log)


def through_proxy(folder: Path) -> tuple[Path, dict[str, str]]:
    """The log of a server called proxy, and the variables that make it known."""
    log = folder / "messages"
    log.unlink(missing_ok=True)
    config = folder / "config" / "tidepool" / "tidepool.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    proxy = [sys.executable, str(Path(__file__).with_name("proxy.py")), str(log)]
    config.write_text(f'[servers.proxy]\nlike = "ty"\ncommand = {json.dumps([*proxy, *server()])}\n')
    return log, {"XDG_CONFIG_HOME": str(folder / "config")}


def messages_of(log: Path) -> tuple[dict[str, str], list[tuple[str, bytes]]]:
    """What a proxy has written: the server's environment, and the messages."""
    with log.open("rb") as lines:
        (_, started_in), *messages = [(line[:1].decode(), line[2:].rstrip(b"\n")) for line in lines]
        return json.loads(started_in), messages


def server() -> list[str]:
    return [str(Path(sys.executable).with_name("ty")), "server"]


def bare_s(messages: list[tuple[str, bytes]], root: Path, environment: dict[str, str]) -> float:
    """How long the same messages take, sent by a program that does nothing else."""
    started = time.perf_counter()
    process = subprocess.Popen(
        server(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=root,
        env=environment,
    )
    assert process.stdin and process.stdout
    send(messages, process.stdin, Replies(process.stdout))
    elapsed = time.perf_counter() - started
    process.kill()
    process.wait()
    return elapsed


def send(messages: list[tuple[str, bytes]], stdin: IO[bytes], replies: Replies) -> None:
    """Send what a client sent, each message as soon as the replies that came before it have come."""
    for side, body in messages:
        message = json.loads(body)
        if side == "c":
            stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            stdin.flush()
        elif "method" not in message:
            replies.wait(message["id"])


class Replies:
    """Reads a server's messages in a thread; a reply can be waited for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._come: set[Any] = set()
        self._news = threading.Condition()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: IO[bytes]) -> None:
        while header := stream.readline():
            length = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            message = json.loads(stream.read(length))
            with self._news:
                self._come.add(message.get("id"))
                self._news.notify()

    def wait(self, message_id: Any) -> None:
        with self._news:
            self._news.wait_for(lambda: message_id in self._come, timeout=60)


if __name__ == "__main__":
    sys.exit(not main())
