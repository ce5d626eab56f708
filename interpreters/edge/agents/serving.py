"""`semantic-scout --mcp`: the server's process, over standard input and output or over HTTP on this machine.

It imports no language server before it is asked a question, so that it is there at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from interpreters.edge.agents.roots import Roots, allow
from interpreters.edge.printing import printable
from tidepool.errors import ConfigError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer


STOPPED: Final = 0
USAGE: Final = 2
INTERRUPTED: Final = 128 + signal.SIGINT

LOOPBACK: Final = "127.0.0.1"
PATH: Final = "/mcp"
MOST_BODY_BYTES: Final = 2**20
DRAIN_S: Final = 5


@attrs.frozen
class Serving:
    """What the command was asked to serve.

    Attributes:
        roots: the codebases that may be asked about; the current folder where there is none.
        flags: the settings among the command's flags, by name; None for one that was not given.
        port: of HTTP on loopback, 0 for any that is free; None for standard input and output.
    """

    roots: Sequence[Path]
    flags: Mapping[str, Any]
    port: int | None


def serve(asked: Serving) -> int:
    """Serve until standard input ends, or a signal says to stop; answer the command's exit code."""
    try:
        if find_spec("mcp") is None:
            raise ConfigError("--mcp needs the extra mcp: install semantic-scout[mcp]")
        if asked.port is None and (
            sys.stdin is None or sys.stdout is None
        ):  # as where this was started with them closed
            raise ConfigError("--mcp is heard on standard input and output, which are closed: see --transport http")
        roots = allow(asked.roots)
        with asyncio.Runner() as runner:
            return runner.run(_serve(asked, roots))
    except ConfigError as error:
        print(f"semantic-scout: {printable(str(error))}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED


async def _serve(asked: Serving, roots: Roots) -> int:
    from interpreters.edge.agents.asking import Scout
    from interpreters.edge.agents.server import agent_server
    from interpreters.edge.warm.client import open_warm

    flags = {name: value for name, value in asked.flags.items() if value is not None}
    async with open_warm(os.environ) as ask:
        server = agent_server(Scout(roots, ask, flags))
        return await (_over_stdio(server) if asked.port is None else _over_http(server, asked.port))


async def _over_stdio(server: MCPServer[Any]) -> int:
    """Serve until standard input ends.

    A signal cannot wait for that: a thread reads there, and whoever started this process may keep it open for ever.
    """
    serving = asyncio.ensure_future(server.run_stdio_async())
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _tell, told, 128 + number)
    await asyncio.wait((serving, asyncio.ensure_future(asyncio.shield(told))), return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        asyncio.get_running_loop().call_later(0, os._exit, told.result())
    await serving
    return STOPPED


def _tell(told: asyncio.Future[int], code: int) -> None:
    if not told.done():
        told.set_result(code)


async def _over_http(server: MCPServer[Any], port: int) -> int:
    """Serve on loopback alone, until a signal says to stop."""
    from interpreters.edge.serve import address_of, json_lines, listening, server_of

    app = server.streamable_http_app(streamable_http_path=PATH, host=LOOPBACK, max_request_body_size=MOST_BODY_BYTES)
    with listening(LOOPBACK, port) as listener:
        log = json_lines(sys.stderr)
        async with server.session_manager.run():
            http = server_of(app, DRAIN_S, log)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, http.handle_exit)
            log("listening", {"address": address_of(listener) + PATH})
            await http.serve([listener])
    return STOPPED
