"""A server's process: started under guard, listened to on both its outputs, and ended with everything it started.

On POSIX it runs in a session of its own, watched by `guard.py`, so that neither it nor any process it starts there
outlives this one by more than an instant, however this one dies. On Windows there is no such guard: a server whose
standard input closes is expected to end by itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, TypeVar, cast

from interpreters.lsp.framing import Inbox
from interpreters.lsp.plain import plain

T = TypeVar("T")

GUARDED: Final = sys.platform != "win32"
_GUARD: Final = Path(__file__).with_name("guard.py")
_LAST_WORDS_BYTES: Final = 4096  # of what a server writes to standard error; where it crashes, it says why last
_LAST_WORDS_LINES: Final = 20
_LINGER_S: Final = 0.5  # how long the pipes of a process that ended may stay open before they count as closed
_END_S: Final = 5.0  # how long the system may take to end what was killed: a process in disk sleep dies late


class ServerProcess(asyncio.SubprocessProtocol):
    """A running server.

    Attributes:
        inbox: what it wrote to standard output.
        pid: its process id, which is the id of its session and process group as well.
    """

    def __init__(self, lifeline: socket.socket) -> None:
        self.inbox = Inbox()
        self.pid = 0
        self._lifeline = lifeline
        self._last_words = bytearray()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.SubprocessTransport | None = None
        self._ending: asyncio.Future[None] | None = None
        self._killed = False

    @classmethod
    async def start(cls, command: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> Self:
        """Start a command; it runs until it ends by itself or is ended.

        Raises:
            OSError: the system cannot start it.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        # Not cancelled half-way: asyncio would poll the process then, and its watcher complain of one it cannot find.
        starting = asyncio.ensure_future(cls._started(command, cwd, environ, ours, theirs))
        try:
            return await undisturbed(starting)
        except asyncio.CancelledError:
            if not starting.cancelled() and starting.exception() is None:
                await starting.result().end()
            raise

    @classmethod
    async def _started(
        cls, command: Sequence[str], cwd: Path, environ: Mapping[str, str], ours: socket.socket, theirs: socket.socket
    ) -> Self:
        with theirs:
            try:
                _, process = await asyncio.get_running_loop().subprocess_exec(
                    lambda: cls(ours), *_guarded(command, theirs), cwd=cwd, env=environ, **_apart(theirs)
                )
            except BaseException:  # whatever came up is killed by its guard
                ours.close()
                raise
        return process

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._exited.done()

    def write(self, data: bytes) -> None:
        """Send it something; what it does not live to read is lost."""
        if self._transport is None:
            return
        stdin = cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(0))
        if stdin is not None and not stdin.is_closing():
            stdin.write(data)

    def close(self) -> None:
        """Send it nothing any more."""
        if self._transport is not None and (stdin := self._transport.get_pipe_transport(0)) is not None:
            stdin.close()

    async def exited(self) -> None:
        """Wait until it has ended."""
        await asyncio.shield(self._exited)

    async def ends_by_itself(self) -> bool:
        """Whether it ends without being killed, within the time that its pipes may close before."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                await self.exited()
        return not self.running

    def kill(self) -> None:
        """End it and whatever it started, at once; `end` waits until that is done."""
        self._killed = self._killed or self.running
        if self._guard_lives():
            with suppress(OSError):
                self._lifeline.shutdown(socket.SHUT_WR)
        elif sys.platform != "win32":
            # Not by the transport: it polls the process first, and takes its exit status from the loop's watcher.
            with suppress(ProcessLookupError, PermissionError):
                if self.running:
                    os.killpg(self.pid, signal.SIGKILL)
        elif self._transport is not None:
            with suppress(ProcessLookupError):
                self._transport.kill()

    async def end(self) -> None:
        """Kill what is left of it, and wait until everything it started is gone too. Safe to call again."""
        self.kill()
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._bury())
        await undisturbed(self._ending)

    def obituary(self) -> str:
        """How it ended and what it said last, as the end of a sentence."""
        code = None if self._transport is None or self._killed else self._transport.get_returncode()
        words = [plain(line) for line in bytes(self._last_words).splitlines()[-_LAST_WORDS_LINES:]]
        said = plain(" ".join(word for word in words if word), most=600)
        return f"{_manner(code)}; {f'it last wrote: {said}' if said else 'it wrote no reason'}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It was started."""
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self.pid = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """It wrote to standard output or standard error."""
        if fd == 1:
            self.inbox.feed(data)
        else:  # however much it writes, only the end is kept
            self._last_words += data[-_LAST_WORDS_BYTES:]
            del self._last_words[:-_LAST_WORDS_BYTES]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - how a pipe ended is no help
        """It closed a pipe. Without either it is of no use, even if it lives on."""
        if fd == 1:
            self.inbox.close()
        elif fd == 0:
            self._close_soon()

    def process_exited(self) -> None:
        """It ended; what it wrote before may still be on its way."""
        if not self._exited.done():
            self._exited.set_result(None)
        self._close_soon()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """It ended and all its pipes are closed."""
        if not self._closed.done():
            self._closed.set_result(None)

    def _close_soon(self) -> None:
        asyncio.get_running_loop().call_later(_LINGER_S, self.inbox.close)

    def _guard_lives(self) -> bool:
        try:
            return GUARDED and self._lifeline.recv(1) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    async def _bury(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self.exited()
                await self._guard_ended()
        self._lifeline.close()
        if self._transport is not None:
            self._transport.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed, _END_S)

    async def _guard_ended(self) -> None:
        """Wait for the other end of the lifeline to close: then the guard has killed the session, and itself."""
        with suppress(OSError):
            await asyncio.get_running_loop().sock_recv(self._lifeline, 1)


def _guarded(command: Sequence[str], lifeline: socket.socket) -> list[str]:
    return [sys.executable, "-I", "-S", str(_GUARD), str(lifeline.fileno()), *command] if GUARDED else [*command]


def _apart(lifeline: socket.socket) -> dict[str, Any]:
    return {"pass_fds": [lifeline.fileno()], "start_new_session": True} if GUARDED else {}


async def undisturbed(task: asyncio.Future[T]) -> T:
    """The result of a task that is waited for even where this one is cancelled; the cancellation is raised then."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # noqa: BLE001 - raised below
            break
    if cancelled is not None:
        raise cancelled
    return task.result()


def _manner(code: int | None) -> str:
    if code is None:
        return "it stopped talking"
    if code >= 0:
        return f"it exited with status {code}"
    try:
        return f"it was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was killed by signal {-code}"
