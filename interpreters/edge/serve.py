"""The scoring server's process: its socket, its signals, its log, and the end that every connection comes to.

It listens before anything else is done, so that a port that is taken is told at once. On SIGTERM or SIGINT it refuses
new connections, answers what it has begun, and ends with status 0; what takes longer than the drain's time-out is told
so with a 503.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TextIO

import attrs
import uvicorn
from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

from interpreters.edge.config import check_scorer, open_scorer, shadowed_by
from interpreters.edge.keys import SERVER_TOKEN, BuiltIn, variable
from interpreters.edge.score_server import Limits, Log, frames_of, score_app
from interpreters.edge.settings import Settings, read_settings
from interpreters.edge.tokens import token_in, token_of
from tidepool.errors import ConfigError, InterpreterError, ModelFailure

if TYPE_CHECKING:
    from starlette.applications import Starlette

STOPPED: Final = 0
CUT_OFF: Final = 1
USAGE: Final = 2
NO_SCORER: Final = 5
INTERRUPTED: Final = 128 + signal.SIGINT

BACKLOG: Final = 512
"""Connections that wait to be accepted: enough for every client of a large exploration at once."""

MAX_CONNECTIONS: Final = 512
"""Open at once; below the 1024 files that a process may usually open."""

HEAD_TIMEOUT_S: Final = 10.0
"""How long a connection may be open without a request that has begun: whoever sends headers this slowly, never ends."""

KEEP_ALIVE_S: Final = 30
"""How long a connection waits for the next request: longer than an exploration's pause between two rounds."""

LOG_DELAY_S: Final = 0.05
"""How long a request's line waits for others: what a server that is killed may not have logged."""

LAST_RESORT_S: Final = 5.0
"""After the drain's time-out, for a scorer that does not even let itself be cancelled."""


@attrs.frozen
class Serving:
    """What `tidepool serve` was asked to do, in its flags' words.

    Attributes:
        scorer: its name; None for the one that is configured.
        model: the folder of the scorer functiongemma; None for the one that is configured.
        port: 0 for any that is free.
        token_file: holds the token; None for the one in the environment, if any.
        allow_anyone: listen on more than loopback although there is no token.
        drain_timeout_s: for the requests that are being answered when the server is told to stop.
    """

    scorer: str | None
    host: str
    port: int
    token_file: Path | None
    allow_anyone: bool
    drain_timeout_s: int
    requests: int
    model: Path | None = None


def serve(asked: Serving, environ: Mapping[str, str]) -> int:
    """Serve until a signal says to stop; answer the command's exit code."""
    try:
        told = {} if asked.model is None else {variable(BuiltIn.FUNCTIONGEMMA, "model"): str(asked.model)}
        settings = read_settings(None, {**environ, **told}, {"scorer": asked.scorer})
        check_scorer(settings.scorer, settings)
        for note in shadowed_by(settings.scorer, settings):
            _say(note, STOPPED)
        file = asked.token_file
        token = token_of(SERVER_TOKEN, environ) if file is None else token_in(file)
        with listening(asked.host, asked.port) as listener:
            local = _is_loopback(listener)
            if not local and token is None and not asked.allow_anyone:
                raise ConfigError(
                    f"{asked.host} can be reached from other machines and there is no token: set {SERVER_TOKEN} "
                    "or --token-file, or say --allow-anyone"
                )
            with asyncio.Runner() as runner:
                runner.run(_serve(asked, listener, token, settings, local=local))
    except ConfigError as error:
        return _say(error, USAGE)
    except InterpreterError as error:
        return _say(error, NO_SCORER)
    except KeyboardInterrupt:  # before the signal was taken charge of
        return INTERRUPTED
    return STOPPED


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: it cannot: there is no such host, or the port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError, OverflowError) as error:
        if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno:
            why: object = os.strerror(error.errno)  # its own text repeats the address
        else:
            why = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot listen on {host} port {port} ({why}): name another with --host or --port") from error


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def address_of(listener: socket.socket) -> str:
    """Where to reach it, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _serve(
    asked: Serving, listener: socket.socket, token: str | None, settings: Settings, *, local: bool
) -> None:
    log = json_lines(sys.stderr)
    logging.basicConfig(handlers=[_Others(log)], level=logging.WARNING, force=True)

    def fell_back(failure: ModelFailure) -> None:
        log("fell back", {"level": "warning", "scorer": failure.interpreter, "error": type(failure).__name__})

    async with open_scorer(settings.scorer, settings, tell=fell_back) as scorer:
        app = score_app(
            scorer,
            name=settings.scorer,
            token=token,
            limits=Limits(requests=asked.requests),
            local_names_only=local,
            log=log,
        )
        server = server_of(app, asked.drain_timeout_s, log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, server.handle_exit)
        log("listening", {"address": address_of(listener), "scorer": settings.scorer, "token": token is not None})
        for note in settings.notes:
            log("passed over", {"level": "warning", "what": note})
        await server.serve([listener])
    log("stopped", {})


def server_of(app: Starlette, drain_timeout_s: int, log: Log, *, last_resort_s: float = LAST_RESORT_S) -> Server:
    """A server of an application, as every application is served here."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=drain_timeout_s,
    )
    return Server(config, log, last_resort_s)


class Server(uvicorn.Server):
    """A server that ends in bounded time, whatever its scorer does."""

    def __init__(self, config: uvicorn.Config, log: Log, last_resort_s: float) -> None:
        super().__init__(config)
        self.log = log
        self.last_resort_s = last_resort_s
        self._last_resort: threading.Timer | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal to stop; before and after the server runs it is taken here as well."""
        if self._last_resort is None:
            wait_s = (self.config.timeout_graceful_shutdown or 0) + self.last_resort_s
            self._last_resort = threading.Timer(wait_s, self._give_up)
            self._last_resort.daemon = True
            self._last_resort.start()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new connections, and answer what was begun."""
        self.log("draining", {"requests": len(self.server_state.tasks)})
        await super().shutdown(sockets)

    def _give_up(self) -> None:
        self.log("killed", {"level": "error", "why": "the scorer did not let itself be stopped"})
        os._exit(CUT_OFF)


class Connection(H11Protocol):
    """One connection. Bounded in number, and in the time it may be open without a request."""

    _idle_since: object = attrs.NOTHING  # the request after which nothing had come when it was looked at last
    _next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client, or turn it away where there are too many."""
        super().connection_made(transport)
        # asyncio does so for sockets that it makes. An answer's head and body are two writes: the second would else
        # wait until the client acknowledges the first, which it does after 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.write(_plain_reply(503, "too many connections are open: ask again later", "retry-after: 1"))
            transport.close()
        else:
            self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, as JSON like every other answer; one that has begun cannot be taken back."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_plain_reply(400, msg.removesuffix(".")))
        self.transport.close()

    def shutdown(self) -> None:
        """End when the request that is being answered has been."""
        with suppress(LocalProtocolError):  # it has failed, and is being closed
            super().shutdown()

    def _look(self) -> None:
        """Close it if nothing has come since the last look."""
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is self._idle_since and self.timeout_keep_alive_task is None:
            self.transport.close()
            return
        self._idle_since = self.cycle if idle else attrs.NOTHING
        self._next_look = self.loop.call_later(HEAD_TIMEOUT_S, self._look)


def _plain_reply(status: int, why: str, *headers: str) -> bytes:
    body = json.dumps({"error": why})
    usual = ("content-type: application/json", f"content-length: {len(body)}", "connection: close")
    phrase = {400: "Bad Request", 503: "Service Unavailable"}[status]
    return "\r\n".join([f"HTTP/1.1 {status} {phrase}", *usual, *headers, "", body]).encode()


def json_lines(stream: TextIO) -> Log:
    """A log of one JSON object a line: `time`, `level`, `event`, and what there is to say about it.

    Lines about requests wait a moment and are written together, which halves what they cost; any other line is written
    at once, after those that wait.
    """
    encode = json.JSONEncoder(default=repr).encode
    waiting: list[tuple[datetime, str, Mapping[str, Any]]] = []

    def line(time: datetime, event: str, about: Mapping[str, Any]) -> str:
        stamp = time.isoformat(timespec="milliseconds")[:-6]
        return encode({"time": f"{stamp}Z", "level": "info", "event": event, **about}) + "\n"

    def flush() -> None:
        lines = "".join(line(*event) for event in waiting)
        waiting.clear()
        with suppress(OSError, ValueError):  # nobody reads it any more: that is no reason to stop answering
            stream.write(lines)
            stream.flush()

    def write(event: str, about: Mapping[str, Any]) -> None:
        waiting.append((datetime.now(UTC), event, about))
        if event != "request":
            flush()
        elif len(waiting) == 1:
            asyncio.get_running_loop().call_later(LOG_DELAY_S, flush)

    return write


class _Others(logging.Handler):
    """What libraries log, on the same log; only the words they wrote themselves, for the rest may be a client's."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, asyncio.CancelledError):  # answered with a 503
            return
        about: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
        if error is not None:
            about |= {"error": type(error).__name__, "at": frames_of(error)}
        self.log(str(record.msg).strip().partition("\n")[0], about)


def _say(error: object, code: int) -> int:
    print(f"tidepool serve: {error}", file=sys.stderr)
    return code
