"""Asking a broker: finding it, starting it where it is wanted and not there, and doing without it where it fails.

async with open_warm(os.environ) as ask:
outcome = await ask(Question("What breaks if I rename price?", root, {}), print)
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import attrs

from interpreters.edge.answering import NO_SERVER, Outcome, Question, answer_alone, nothing
from interpreters.edge.config import ReplayServer, check_scorer, choose_server, read_settings, scorers_of
from interpreters.edge.settings import Settings
from interpreters.edge.warm.folder import folder_of, sockets
from interpreters.edge.warm.lock import remove_if_abandoned
from interpreters.edge.warm.messages import (
    MOST_BYTES,
    Ask,
    Standing,
    line,
    read_line,
    read_outcome,
    write_ask,
    write_flags,
)
from interpreters.edge.warm.place import Place, place_at, place_of
from interpreters.lsp.session import prepare
from tidepool.effects.report import Note, Progress
from tidepool.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from interpreters.lsp.servers import Server

NAME: Final = "broker"
START_S: Final = 30.0
"""For a broker to listen; its language server is not waited for."""

LIVES: Final = 3
"""How often one question is asked: a broker that dies in the middle is followed by another, and may be met dying."""

PAUSE_S: Final = 0.1
"""Before it is asked again: for one that was killed to be gone."""

STATUS_S: Final = 5.0

_OF_THE_SERVER: Final = ("server", "python", "timeout_s")

Hearing: TypeAlias = Callable[[Progress | Note], None]
Asking: TypeAlias = Callable[[Question, Hearing], Awaitable[Outcome]]

_Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Gone(Exception):
    """The broker hung up before it had answered, or was never there."""


@asynccontextmanager
async def open_warm(
    environ: Mapping[str, str], *, idle_s: float | None = None, memory_bytes: int | None = None
) -> AsyncGenerator[Asking]:
    """What asks brokers, and keeps those that it asked alive for as long as the block lasts.

    Args:
        environ: the variables that configure what is asked.
        idle_s: how long a broker that is started here outlives its last connection; else as brokers do.
        memory_bytes: what such a broker and its language server may take together; else as brokers do.
    """
    limits = {"idle_s": idle_s, "memory_bytes": memory_bytes}
    held = _Held(environ, {name: value for name, value in limits.items() if value is not None})
    try:
        yield held.ask
    finally:
        await held.release()


async def ask_if_running(
    question: Question, settings: Settings, environ: Mapping[str, str], heard: Hearing
) -> Outcome | None:
    """What a broker that is there answers; None where there is none, or it fails, or cannot answer such a question.

    Raises:
        ConfigError: what is configured cannot be used.
    """
    if not _can_be_asked(question, settings):
        return None
    try:
        place = await _place(question, settings, environ)
        return await _asked(await _connected(place), question, environ, heard)
    except (_Gone, Unavailable):
        return None


@attrs.define
class _Held:
    """Brokers, each with a connection that keeps it alive.

    Attributes:
        limits: what brokers that are started here are told beside their purpose.
    """

    environ: Mapping[str, str]
    limits: Mapping[str, Any]
    leases: dict[Path, _Stream] = attrs.field(factory=dict)

    async def ask(self, question: Question, heard: Hearing) -> Outcome:
        """What a broker answers, which is started if there is none; where none can be, an answer without one.

        Raises:
            ConfigError: what is configured cannot be used.
        """
        settings = read_settings(question.root, self.environ, question.flags)
        check_scorer(settings.scorer, settings)
        if not _can_be_asked(question, settings):
            return await _alone(question, settings, self.environ, heard)
        try:
            place = await _place(question, settings, self.environ)
        except Unavailable as failure:
            return nothing(failure, NO_SERVER)
        for life in range(LIVES):
            await asyncio.sleep(PAUSE_S * (life > 0))
            with suppress(_Gone):
                stream = await self._reached(place, question, settings)
                return await _asked(stream, question, self.environ, heard)
        why = f"ended {LIVES} times while it answered: ask with --no-broker; {place.log} may say why"
        return nothing(Unavailable(NAME, why), NO_SERVER)

    async def _reached(self, place: Place, question: Question, settings: Settings) -> _Stream:
        """A connection to the broker, which is started if there is none, and kept."""
        try:
            stream = await _connected(place)
        except _Gone:
            await _start(place, question, settings, self.environ, self.limits)
            stream = await _connected(place)
        lease = self.leases.get(place.socket)
        if lease is None or lease[0].at_eof():
            if lease is not None:
                lease[1].close()
            self.leases[place.socket] = await _connected(place)
            self.leases[place.socket][1].write(line({"hold": True}))
        return stream

    async def release(self) -> None:
        """Let the brokers go, which end by themselves when nobody else needs them."""
        while self.leases:
            _, (_, writer) = self.leases.popitem()
            await _closed(writer)


async def standings(environ: Mapping[str, str]) -> list[Standing]:
    """What the brokers of this user say of themselves; those that say nothing are left out.

    Raises:
        ConfigError: there is no folder that only this user can open.
    """
    said = [await _said(socket, {"status": True}) for socket in _checked(environ)]
    return [Standing(**message["status"]) for message in said if message is not None and "status" in message]


async def stop_all(environ: Mapping[str, str]) -> int:
    """Tell the brokers of this user to end; answers how many were told.

    Raises:
        ConfigError: there is no folder that only this user can open.
    """
    return sum([await _said(socket, {"stop": True}) is not None for socket in _checked(environ)])


def _checked(environ: Mapping[str, str]) -> list[Path]:
    folder_of(environ)
    return sockets(environ)


async def _said(socket: Path, message: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(STATUS_S):
            reader, writer = await _connected(place_at(socket))
            try:
                writer.write(line(message))
                return read_line(await reader.readline())
            finally:
                await _closed(writer)
    except _Gone:
        remove_if_abandoned(socket)
    except (TimeoutError, ConnectionError, ValueError):
        pass
    return None


def _can_be_asked(question: Question, settings: Settings) -> bool:
    """Whether a broker is wanted, and would answer the same: it runs in another folder, and records nothing."""
    if not settings.broker:
        return False
    scorers = scorers_of(settings.scorer, settings)
    paths = [value for scorer in scorers for value in attrs.asdict(scorer, recurse=False).values()]
    relative = any(isinstance(path, Path) and not path.is_absolute() for path in paths)
    return question.record is None and not relative and not isinstance(choose_server(settings), ReplayServer)


async def _place(question: Question, settings: Settings, environ: Mapping[str, str]) -> Place:
    server = cast("Server", choose_server(settings))  # `_can_be_asked` of it
    launch = await prepare(
        question.root, server, python=settings.python, start_timeout_s=settings.timeout_s, environ=environ
    )
    return place_of(launch, environ)


async def _alone(question: Question, settings: Settings, environ: Mapping[str, str], heard: Hearing) -> Outcome:
    return await answer_alone(question, settings, lambda: Progress.by(heard) | Note.by(heard), environ)


async def _connected(place: Place) -> _Stream:
    try:
        return await asyncio.open_unix_connection(place.socket, limit=MOST_BYTES)
    except OSError as error:
        raise _Gone from error


async def _asked(stream: _Stream, question: Question, environ: Mapping[str, str], heard: Hearing) -> Outcome:
    """What a broker answers; cancelling this takes the question back."""
    reader, writer = stream
    try:
        writer.write(line({"ask": write_ask(Ask(_placed(question), environ))}))
        while True:
            message = read_line(await reader.readline())
            if "progress" in message:
                done, total, doing = message["progress"]
                heard(Progress(done, total, doing))
            elif "note" in message:
                heard(Note(message["note"]))
            elif "refused" in message:
                raise ConfigError(message["refused"])
            else:
                return read_outcome(message["outcome"])
    except (ConnectionError, ValueError, KeyError) as error:  # it hung up, or another kind of program listens there
        raise _Gone from error
    finally:
        await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Hang up; that the other end was faster is no matter."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _start(
    place: Place, question: Question, settings: Settings, environ: Mapping[str, str], limits: Mapping[str, Any]
) -> None:
    """Start a broker and wait until it, or another one, listens.

    Raises:
        ConfigError: it says what is wrong.
    """
    purpose = {
        "root": str(_placed(question).root),
        "flags": write_flags({name: getattr(settings, name) for name in _OF_THE_SERVER}),
        "socket": str(place.socket),
        **limits,
    }
    said = await asyncio.to_thread(_spawned, line(purpose), dict(environ))
    if said.startswith("wrong: "):
        raise ConfigError(said.removeprefix("wrong: "))
    if said not in {"ready", "taken"}:
        raise ConfigError("the broker did not start: ask with --no-broker, and see `semantic-scout doctor`")


def _placed(question: Question) -> Question:
    """The question as somebody in another folder can read it."""
    return attrs.evolve(question, root=Path(os.path.realpath(question.root)))


def _spawned(purpose: bytes, environ: dict[str, str]) -> str:
    """The first line that a new broker says, or "" where it says none in time."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "interpreters.edge.warm.broker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",  # not in the codebase, from which nothing may be imported
        env=environ,
        start_new_session=True,
    )
    with process:
        try:
            said, _ = process.communicate(purpose, START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return ""
    return said.partition(b"\n")[0].decode(errors="replace")
