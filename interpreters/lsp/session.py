"""A conversation with a language server about one codebase, whatever becomes of the server meanwhile.

    async with open_session(root) as session:
        ...                                     `language_server(session)` answers the operations of `Lsp`

A server that crashes is started again once, and asked again what it had not answered. One that stays silent twice for
a whole timeout is given up. However the block is left, no process of the server's is left behind.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from interpreters.lsp.codebase import Codebase
from interpreters.lsp.conversation import Postponed
from interpreters.lsp.framing import Lost, TimedOut
from interpreters.lsp.life import Launch, Life, begin
from interpreters.lsp.project import (
    Unread,
    check_root,
    find_environment,
    landmarks,
    search_path,
    unread,
    watched,
)
from interpreters.lsp.readiness import size, wait_until_read
from interpreters.lsp.servers import TY, Server, check_trusted, fill, find_command, told_of
from interpreters.lsp.stamps import Stamps, look_at, look_everywhere
from interpreters.lsp.turns import Turns
from tidepool.errors import BadAnswer, InterpreterError, Unavailable, Unsupported

MAX_IN_FLIGHT: Final = 64  # requests at a time: more only wait in the server's queue, and in its memory
REQUEST_TIMEOUT_S: Final = 60.0  # a cold search for references in 159k lines takes a slow server half of that
START_TIMEOUT_S: Final = 60.0  # to start, and to read the codebase
MAX_CRASHES: Final = 2
MAX_SILENCES: Final = 2
_LANDMARKS: Final = 3
_AGAIN_AFTER_S: Final = (0.0, 0.05, 0.2, 0.5)  # where a server puts a request off, as some do when a file is opened
_PAUSE_S: Final = 0.5  # before a server that finds nothing at all is asked once more


@asynccontextmanager
async def open_session(
    root: Path | str,
    server: Server = TY,
    *,
    python: Path | str | None = None,
    request_timeout_s: float = REQUEST_TIMEOUT_S,
    start_timeout_s: float = START_TIMEOUT_S,
    environ: Mapping[str, str] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> AsyncGenerator[Session, None]:
    """A running language server that is asked about one codebase, for as long as the block lasts.

    Args:
        root: the folder of the codebase.
        python: an interpreter, or the folder of a virtual environment; else `.venv` in the root, or the active one.
        request_timeout_s: for the answer to one request.
        start_timeout_s: for the server to start, and for it to have read the codebase.
        environ: environment variables, for finding the server and for the server; by default this process's.
        meanwhile: called whenever the server has just been started, which takes it a while: the time to import what
            its answers are needed for.

    Raises:
        ConfigError: the root or the environment cannot be used.
        Unavailable: the server cannot be started.
        BadAnswer: it is no language server.
    """
    launch = await prepare(
        root, server, python=python, start_timeout_s=start_timeout_s, environ=environ, meanwhile=meanwhile
    )
    session = Session(launch, request_timeout_s)
    try:
        await session.start()
        yield session
    finally:
        await session.close()


async def prepare(
    root: Path | str,
    server: Server = TY,
    *,
    python: Path | str | None = None,
    start_timeout_s: float = START_TIMEOUT_S,
    environ: Mapping[str, str] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> Launch:
    """All that a server is started with, as `open_session` has it; nothing is started.

    Raises:
        ConfigError: the root or the environment cannot be used.
        Unavailable: the server is not installed.
    """
    variables = dict(os.environ if environ is None else environ)
    real = check_root(root, server.suffixes)
    found = find_environment(real, python, variables)
    if server.obeys:
        await asyncio.to_thread(check_trusted, server, real, found)
    environment = told_of(server, found)
    variables["PYTHONPATH"] = search_path(real, variables.get("PYTHONPATH", ""))
    variables.pop("VIRTUAL_ENV", None)  # a server believes it without a look, and gives up where there is nothing
    if environment is not None and environment.virtual:
        variables["VIRTUAL_ENV"] = str(environment.folder)
    return Launch(
        server=server,
        codebase=Codebase(real, environment.folder if environment is not None else None),
        command=find_command(server, variables),
        environ=variables,
        options=fill(server.options, environment),
        settings=fill(server.settings, environment),
        start_timeout_s=start_timeout_s,
        meanwhile=meanwhile,
        watched=watched(real, environment),
    )


class Session:
    """A server and the codebase it is asked about. Made by `open_session`.

    Attributes:
        server: which one.
        codebase: its files.
        stamps: the source files, as they were when they were last looked at.
        turns: who asks about the codebase as it is asks together with others; who edits it in memory is alone.
    """

    def __init__(self, launch: Launch, request_timeout_s: float) -> None:
        self.stamps = Stamps()
        self.turns = Turns()
        self.server = launch.server
        self.codebase = launch.codebase
        self._launch = launch
        self._request_timeout_s = request_timeout_s
        self._life: Life | None = None
        self._past: list[Life] = []
        self._starting = asyncio.Lock()
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._crashes = 0
        self._silences = 0
        self._silent_at_s = 0.0
        self._closed = False
        self._failure: InterpreterError | None = None
        self._landmarks: Mapping[str, str] | None = None
        self._unread: asyncio.Future[Unread] | None = None
        self._settings = look_at(launch.watched)

    @property
    def encoding(self) -> str:
        """The unit that the server counts columns in."""
        return "utf-16" if self._life is None else self._life.encoding

    @property
    def pid(self) -> int | None:
        """The server's process id, while it runs."""
        return self._life.process.pid if self._life is not None and self._life.process.running else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about this server's answers: what it is known for, what it complained about."""
        complaints = () if self._life is None else self._life.conversation.complaints
        known = () if self.server.caveat is None else (self.server.caveat,)
        return (*known, *(f"{self.server.name} says: {complaint}" for complaint in complaints))

    async def start(self) -> None:
        """Start the server."""
        await self.living()

    def unread(self) -> asyncio.Future[Unread]:
        """The source files and folders that are passed over; the first call begins to look for them, in a thread."""
        if self._unread is None:
            look = asyncio.to_thread(unread, self.codebase.root, self.server.suffixes)
            self._unread = asyncio.ensure_future(look)
        return self._unread

    async def refresh(self) -> None:
        """Have what is answered from now on be about the codebase as it is on disk now.

        For a session that is asked again after a while. What failed before counts no more: a server that was given up
        is started again.
        """
        if self._closed:
            return
        self._crashes = self._silences = 0
        self._failure = None
        root, suffixes = self.codebase.root, self.server.suffixes
        found = await asyncio.to_thread(look_everywhere, root, suffixes)
        settings = look_at(self._launch.watched)
        async with self.turns.alone():  # from here on nothing waits: what is noted as told is told
            if settings != self._settings:
                self._settings = settings
                self._forget_server()
            if news := self.stamps.news(found, everywhere=True):
                self.codebase.forget_paths()
                self._landmarks, self._unread = None, None
                if self._life is not None:
                    self._life.tell_of(news)
        await self._ended()

    async def renew(self) -> None:
        """Have the next request start the server afresh, which frees its memory."""
        async with self.turns.alone():
            self._forget_server()
        await self._ended()

    def _forget_server(self) -> None:
        if self._life is not None:
            self._past.append(self._life)
            self._life = None

    async def _ended(self) -> None:
        while self._past:
            await self._past.pop().end()

    async def close(self) -> None:
        """End the server and leave nothing of it behind; whatever is asked from now on fails. Safe to call again."""
        self._closed = True
        self._failure = self._failure or Unavailable(self.server.name, "the session is over; open another one")
        self._forget_server()
        await self._ended()

    async def ask(self, method: str, params: Any, about: str | None = None, *, whole: bool = False) -> Any:
        """The server's answer to one request, as plain data.

        Args:
            about: the file that it is asked about.
            whole: whether the answer depends on the whole codebase: the server is then waited for until it has read it.

        Raises:
            Unavailable: it did not answer in time, or crashed for the second time, or is still reading.
            BadAnswer: it answered nonsense.
            Unsupported: it does not know the method.
        """
        async with self.turns:
            while True:
                life = await self.living()
                try:
                    return await self.ask_once(life, method, params, about, whole=whole)
                except Lost:
                    continue

    async def ask_once(
        self, life: Life, method: str, params: Any, about: str | None = None, *, whole: bool = False
    ) -> Any:
        """The answer of a server in one of its lives, as `ask` has it; for whoever has taken a turn.

        Raises:
            Lost: that life is over.
        """
        if not life.knows(method):
            raise Unsupported(self.server.name, f"does not offer {method}: name another language server for this")
        pauses_s = iter(_AGAIN_AFTER_S)
        async with self._slots:
            while True:
                try:
                    if whole and not self.server.first_answers_complete:
                        await self._settle(life)
                    answer = await life.ask(method, params, self._request_timeout_s, about)
                except Postponed:
                    if (pause_s := next(pauses_s, None)) is None:
                        raise
                    await asyncio.sleep(pause_s)
                except TimedOut as late:
                    raise self._too_late(method, late) from None
                except BadAnswer:
                    if self._closed:  # meanwhile: a server that is ending refuses what it is asked
                        raise Lost from None
                    raise
                else:
                    self._silences = 0
                    return answer

    async def living(self) -> Life:
        """The running server; if it crashed it is started again, once.

        Raises:
            InterpreterError: it is not started again.
        """
        life = self._life
        if life is not None and life.conversation.lost is None:
            return life
        async with self._starting:
            if self._failure is None and self._life is not None and (reason := self._life.conversation.lost):
                await self._bury(self._life, reason)
            if self._failure is not None:
                raise type(self._failure)(self._failure.interpreter, self._failure.why)
            if self._life is None:
                self._life = await self._begin()
            return self._life

    @asynccontextmanager
    async def alone(self, life: Life) -> AsyncGenerator[None, None]:
        """A turn in which nobody else asks, and the server has nothing left to do."""
        async with self.turns.alone():
            # ty is at work on its first look at the files until then, and fails if one is edited meanwhile.
            await life.warmed(self._request_timeout_s)
            yield

    async def proves_that_it_sees(self) -> bool:
        """Whether the server has shown that it sees the codebase, before an empty answer is believed.

        Returns:
            Whether that was known already: if not, the answer is worth asking for again.

        Raises:
            BadAnswer: it finds nothing of what stands in the codebase.
        """
        life = await self.living()
        if life.proven:
            return True
        names = await self._known_names()
        for pause_s in (_PAUSE_S, 0.0):
            for name in names:
                if size(await self.ask("workspace/symbol", {"query": name})):
                    life.proven = True
            if life.proven or not names:
                return False
            await asyncio.sleep(pause_s)
        why = f"finds nothing under {self.codebase.root}, not even {next(iter(names))}, which is defined there"
        raise BadAnswer(self.server.name, f"{why}: its settings or a .gitignore may leave the codebase out")

    def has_found_something(self) -> None:
        """Note that the server has answered something that stands in the codebase."""
        if self._life is not None:
            self._life.proven = True

    async def _begin(self) -> Life:
        try:
            life = await begin(self._launch)
        except InterpreterError as error:
            self._failure = error
            raise
        if self._closed:  # meanwhile, by another task
            await life.end()
            raise Unavailable(self.server.name, "the session is over; open another one")
        return life

    async def _bury(self, life: Life, reason: Exception) -> None:
        """Clear away a server that cannot be asked any more, and decide whether there is to be another."""
        await life.process.ends_by_itself()
        await life.end()
        self._life = None
        if isinstance(reason, InterpreterError):
            self._failure = reason
            return
        self._crashes += 1
        if self._crashes >= MAX_CRASHES:
            why = f"crashed twice, the second time {life.process.obituary()}"
            self._failure = Unavailable(self.server.name, f"{why}; update it, or name another language server")

    def _too_late(self, method: str, late: TimedOut) -> Unavailable:
        """The error for a request that was not answered in time; silence for that long, and again, is a server hung.

        Requests that wait side by side are silent together: that counts once.
        """
        now_s = asyncio.get_running_loop().time()
        if not late.silent:
            self._silences = 0
        elif now_s - self._silent_at_s >= self._request_timeout_s / 2:
            self._silent_at_s = now_s
            self._silences += 1
        within = f"within {self._request_timeout_s:g} s"
        if self._silences >= MAX_SILENCES:
            why = f"hangs: it said nothing {within}, twice; name another language server, or allow it more time"
            self._failure = Unavailable(self.server.name, why)
            if self._life is not None:
                self._life.process.kill()
        return Unavailable(self.server.name, f"did not answer {method} {within}; allow it more time, or ask again")

    async def _settle(self, life: Life) -> None:
        """Wait until a server that answers before it has read the codebase has read it."""
        async with life.settling:
            if not life.proven:
                known = await self._known_names()
                await wait_until_read(life, self.server, known, self._launch.start_timeout_s)
                life.proven = True

    async def _known_names(self) -> Mapping[str, str]:
        if self._landmarks is None:
            root, suffixes = self.codebase.root, self.server.suffixes
            self._landmarks = await asyncio.to_thread(landmarks, root, suffixes, _LANDMARKS)
        return self._landmarks
