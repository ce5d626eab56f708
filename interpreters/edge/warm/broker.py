"""The broker's process: one language server, asked by everyone who has a question about its codebase.

It is started by who needs it (`interpreters.edge.warm.client`), reads one line that says what for, and answers one:
`ready`, `taken` where another broker answers already, or what is wrong. It ends when nobody has been connected for a
while, when it is told to, and on SIGTERM; its language server ends with it, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import attrs

from interpreters.edge.answering import Outcome, answer
from interpreters.edge.config import ReplayServer, choose_server, import_scorer, read_settings
from interpreters.edge.warm.lock import locked
from interpreters.edge.warm.messages import (
    MOST_BYTES,
    Ask,
    Standing,
    line,
    read_ask,
    read_flags,
    read_line,
    write_outcome,
)
from interpreters.edge.warm.place import Place, place_at
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.session import Session, prepare
from tidepool.effects.report import Note, Progress
from tidepool.errors import ConfigError, InterpreterError, TidepoolError

IDLE_S: Final = 600.0
MEMORY_BYTES: Final = 3 * 2**30
"""Of the broker and its language server together; above it the server is started afresh between two questions."""

TIDY_AFTER: Final = 20
"""Questions, before cycles are looked for: to do so takes as long as a small answer."""

AT_ONCE: Final = 16
"""Questions that are answered side by side; others wait their turn."""

PATIENCE_S: Final = 30.0
"""How long a connection may be open without having said what for."""

ENDING_S: Final = 15.0
"""How long a broker may take to end, with its language server."""

LOG_BYTES: Final = 256 * 2**10


@attrs.frozen
class Purpose:
    """What a broker is started for.

    Attributes:
        flags: the settings that say which language server, by name.
        socket: where it is looked for.
        idle_s: how long it outlives its last connection.
        memory_bytes: what it and its language server may take together.
    """

    root: Path
    flags: Mapping[str, Any]
    socket: Path
    idle_s: float = IDLE_S
    memory_bytes: int = MEMORY_BYTES


class Broker:
    """Answers connections, from `serve` until it is told to stop."""

    def __init__(self, purpose: Purpose, session: Session, place: Place) -> None:
        self._purpose = purpose
        self._session = session
        self._place = place
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._stop = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._busy = 0
        self._last_s = time.monotonic()
        self._ending: asyncio.TimerHandle | None = None

    async def serve(self, listener: socket.socket) -> None:
        """Answer until nobody is connected any more for long enough, or a signal or a message says to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        server = await asyncio.start_unix_server(self._connected, sock=listener, limit=MOST_BYTES)
        starting = asyncio.ensure_future(self._begin())
        self._end_when_idle()
        try:
            await self._stop.wait()
        finally:
            server.close()
            for task in (*self._connections, starting):
                task.cancel()
            await asyncio.wait((starting, *self._connections))

    async def _begin(self) -> None:
        """Start the language server before it is asked; that it cannot be started is told to whoever asks."""
        with contextlib.suppress(InterpreterError):
            await self._session.start()
        await self._session.refresh()

    def _end_when_idle(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = None
        if not self._connections:
            self._ending = asyncio.get_running_loop().call_later(self._purpose.idle_s, self._stop.set)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        self._end_when_idle()
        try:
            if _is_ours(writer.get_extra_info("socket")):
                await self._heard(reader, writer)
        except (ConnectionError, TimeoutError, ValueError):  # gone, silent, or no client of ours
            pass
        except Exception:  # noqa: BLE001 - one question must not end the others
            self._log(traceback.format_exc())
        finally:
            writer.close()
            self._connections.discard(task)
            self._end_when_idle()

    async def _heard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(PATIENCE_S):
            message = read_line(await reader.readline())
        if "ask" in message:
            await self._answered(read_ask(message["ask"]), reader, writer)
        elif "status" in message:
            writer.write(line({"status": attrs.asdict(self._standing())}))
        elif "stop" in message:
            writer.write(line({"stopping": True}))
            self._stop.set()
        elif "hold" in message:
            await reader.read(1)
        await writer.drain()

    async def _answered(self, ask: Ask, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a question, unless whoever asks hangs up."""

        def tell(said: Progress | Note) -> None:
            if isinstance(said, Progress):
                writer.write(line({"progress": [said.done, said.total, said.doing]}))
            else:
                writer.write(line({"note": said.text}))

        answering = asyncio.ensure_future(self._answer(ask, tell))
        hanging_up = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((answering, hanging_up), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                writer.write(line(answering.result()))
                await writer.drain()
        finally:
            for task in (answering, hanging_up):
                task.cancel()
            await asyncio.wait((answering, hanging_up))

    async def _answer(self, ask: Ask, tell: Callable[[Progress | Note], None]) -> dict[str, Any]:
        """The message that ends a question."""
        began_s = time.monotonic()
        async with self._slots:
            self._busy += 1
            self._asked += 1
            try:
                await self._session.refresh()
                waited_s = time.monotonic() - began_s
                return {"outcome": write_outcome(await self._explored(ask, waited_s, tell))}
            except ConfigError as error:
                return {"refused": str(error)}
            finally:
                self._busy -= 1
                self._last_s = time.monotonic()
                await self._stay_small()

    async def _explored(self, ask: Ask, waited_s: float, tell: Callable[[Progress | Note], None]) -> Outcome:
        question = ask.question
        if question.root != self._session.codebase.root:
            raise ConfigError(f"this broker answers about {self._session.codebase.root} alone")
        if question.within_s is not None:
            question = attrs.evolve(question, within_s=max(0.01, question.within_s - waited_s))
        settings = read_settings(question.root, ask.environ, question.flags)
        import_scorer(settings.scorer, settings)
        report = lambda: Progress.by(tell) | Note.by(tell)  # noqa: E731
        return await answer(question, settings, language_server(self._session), report)

    async def _stay_small(self) -> None:
        """Free what can be freed, where it has become too much and nobody is being answered."""
        if self._asked % TIDY_AFTER == 0:
            gc.collect()
        if self._busy or self._resident_bytes() <= self._purpose.memory_bytes:
            return
        await self._session.renew()
        self._log(f"the language server was started afresh: it took more than {self._purpose.memory_bytes} bytes\n")

    def _resident_bytes(self) -> int:
        return sum(_resident_bytes(pid) for pid in (os.getpid(), self._session.pid) if pid is not None)

    def _standing(self) -> Standing:
        return Standing(
            pid=os.getpid(),
            root=str(self._session.codebase.root),
            server=self._session.server.name,
            server_pid=self._session.pid,
            asked=self._asked,
            busy=self._busy,
            resident_bytes=self._resident_bytes(),
            idle_s=round(time.monotonic() - self._last_s, 1),
        )

    def _log(self, text: str) -> None:
        with contextlib.suppress(OSError), self._place.log.open("a") as log:
            if log.tell() < LOG_BYTES:
                log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}")


def _is_ours(connection: socket.socket) -> bool:
    """Whether the other end is a process of the same user; where that cannot be told, the folder's mode is trusted."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def _alone(place: Place) -> Generator[socket.socket | None]:
    """The broker's socket, listening; None where another broker lives. Its files are removed in the end."""
    lock = _lock_of(place)
    if lock is None:
        yield None
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            place.socket.unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                listener.bind(str(place.socket))
            finally:
                os.umask(before)
            listener.listen(AT_ONCE)
            listener.setblocking(False)
            yield listener
    finally:
        place.socket.unlink(missing_ok=True)
        place.lock.unlink(missing_ok=True)
        os.close(lock)


def _lock_of(place: Place) -> int | None:
    """The lock, held; None where another broker answers. One that is ending is waited for."""
    until_s = time.monotonic() + ENDING_S
    while (lock := locked(place.lock)) is None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            if other.connect_ex(str(place.socket)) == 0 or time.monotonic() > until_s:
                return None
        time.sleep(0.02)
    return lock


async def _run(purpose: Purpose, say: Callable[[str], None]) -> None:
    settings = read_settings(purpose.root, os.environ, purpose.flags)
    server = choose_server(settings)
    if isinstance(server, ReplayServer):
        raise ConfigError("a recording needs no broker: ask without one")
    launch = await prepare(purpose.root, server, python=settings.python, start_timeout_s=settings.timeout_s)
    place = place_at(purpose.socket)
    with _alone(place) as listener:
        if listener is None:
            say("taken")
            return
        say("ready")
        session = Session(launch, settings.timeout_s)
        try:
            await Broker(purpose, session, place).serve(listener)
        finally:
            place.socket.unlink(missing_ok=True)
            await session.close()


def main() -> None:
    """Read what for from standard input, leave whoever started this, and serve."""
    said = read_line(sys.stdin.buffer.readline())
    if os.fork():
        os._exit(0)  # whoever started this waits for it, and for nothing that is left
    purpose = Purpose(
        root=Path(said["root"]),
        flags=read_flags(said["flags"]),
        socket=Path(said["socket"]),
        idle_s=said.get("idle_s", IDLE_S),
        memory_bytes=said.get("memory_bytes", MEMORY_BYTES),
    )
    gc.set_threshold(100_000, 20, 20)  # an answer makes a hundred thousand objects and hardly a cycle

    def say(word: str) -> None:
        os.write(1, word.encode(errors="replace") + b"\n")
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)

    try:
        asyncio.run(_run(purpose, say))
    except (TidepoolError, OSError) as error:
        say(f"wrong: {error}")
    os._exit(0)  # threads that search text may still be at it


if __name__ == "__main__":
    main()
