"""What is configured, the codebase, the language server at work on it, and the scorer."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs

from interpreters.edge.config import ReplayServer, check_scorer, choose_server, scorers_of
from interpreters.edge.doctor.checks import Check, blamed, ok, warning, wrong
from interpreters.edge.home import current_model
from interpreters.edge.layers import FILE, own_file
from interpreters.edge.settings import (
    FunctionGemmaScorer,
    HybridScorer,
    LearnedScorer,
    ModelScorer,
    ReplayScorer,
    Scorer,
    Settings,
    read_settings,
)
from interpreters.lsp.project import check_root, find_environment, landmarks, source_files, unread
from interpreters.lsp.readiness import size
from interpreters.lsp.servers import Server
from interpreters.lsp.session import Session, open_session
from tidepool.errors import ConfigError, InterpreterError

if TYPE_CHECKING:
    from interpreters.edge.warm.messages import Standing

REACHED_S: Final = 2.0
"""How long a scorer's server may take to accept a connection."""

SHOWN: Final = 3
"""How many of the files that are passed over are named."""


def configuration(root: Path, environ: Mapping[str, str]) -> tuple[Settings, list[Check]]:
    """What is configured, or where that cannot be used, what there is by default."""
    own = own_file(environ)
    files = [own] if own is not None else []
    files += [root / FILE, root / "pyproject.toml"]
    there = [str(file) for file in files if file.is_file()]
    try:
        settings = read_settings(root if root.is_dir() else None, environ, {})
    except ConfigError as error:
        by_default = attrs.evolve(read_settings(None, {}, {}), environ=environ)
        return by_default, [blamed("configuration", error)]
    except OSError as error:
        by_default = attrs.evolve(read_settings(None, {}, {}), environ=environ)
        return by_default, [wrong("configuration", str(error), "Make its file readable.")]
    notes = [warning("configuration", note, "Mend or remove it.") for note in settings.notes]
    return settings, notes or [ok("configuration", f"read {', '.join(there)}" if there else "nothing is configured")]


def own_servers(settings: Settings) -> dict[str, Server]:
    """The servers that are configured and can be used."""
    found: dict[str, Server] = {}
    for name in settings.servers:
        with suppress(ConfigError):
            server = choose_server(attrs.evolve(settings, server=name))
            if isinstance(server, Server):
                found[name] = server
    return found


def server_of(settings: Settings) -> tuple[Server | None, list[Check]]:
    """The server that is used, or a check that says why there is none."""
    try:
        server = choose_server(settings)
    except ConfigError as error:
        return None, [blamed("server", error)]
    if not isinstance(server, ReplayServer):
        return server, []
    there = server.file.is_file() and os.access(server.file, os.R_OK)
    found = f"the recording {server.file} answers in its place"
    fix = "Record it again with --record, or name another file."
    return None, [ok("server", found) if there else wrong("server", f"{found}, and cannot be read", fix)]


def codebase(root: Path, server: Server, settings: Settings) -> Iterator[Check]:
    """The root, its environment and what in it is passed over."""
    try:
        real = check_root(root, server.suffixes)
    except ConfigError as error:
        yield blamed("codebase", error)
        return
    count = sum(1 for _ in source_files(real, server.suffixes))
    yield ok("codebase", f"{real}, {count} source file{'s' if count != 1 else ''}")
    yield _environment(real, settings)
    passed_over = unread(real, server.suffixes)
    for what, names in (("files", passed_over.files), ("folders", passed_over.folders)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            fix = "Save them as UTF-8." if what == "files" else "Ask about one of them with --root, if it is yours."
            yield warning(f"passed over, {what}", f"{', '.join(names[:SHOWN])}{more}", fix)


def _environment(root: Path, settings: Settings) -> Check:
    try:
        environment = find_environment(root, settings.python, settings.environ)
    except ConfigError as error:
        return blamed("environment", error)
    if environment is None:
        fix = "Make a .venv in the root, or name one with --python, for imports to be known."
        return warning("environment", "none was found", fix)
    return ok("environment", f"{environment.folder}: {environment.origin.value}")


async def first_answer(root: Path, server: Server, settings: Settings) -> Check:
    """A server that is started on the codebase and asked for one of its definitions."""
    what = "first answer"
    try:
        real = await asyncio.to_thread(check_root, root, server.suffixes)
    except ConfigError:  # the check of the codebase tells it
        return warning(what, "not tried, since there is no codebase", "Name one with --root.")
    names = await asyncio.to_thread(landmarks, real, server.suffixes, 1)
    began_s = time.perf_counter()
    try:
        async with (
            asyncio.timeout(2 * settings.timeout_s),
            open_session(
                real,
                server,
                python=settings.python,
                request_timeout_s=settings.timeout_s,
                start_timeout_s=settings.timeout_s,
                environ=settings.environ,
            ) as session,
        ):
            return ok(what, await _asked(session, next(iter(names), None), began_s))
    except TimeoutError:
        found = f"{server.name} did not answer within {2 * settings.timeout_s:g} s"
        return wrong(what, found, "Allow it more time with --timeout, or name another language server.")
    except (ConfigError, InterpreterError) as error:
        return blamed(what, error)


async def _asked(session: Session, name: str | None, began_s: float) -> str:
    """What came of the question, with the time and the memory it took."""
    if name is None:
        found = "there is no definition to ask for; it started"
    elif size(await session.ask("workspace/symbol", {"query": name}, whole=True)):
        found = f"where {name} is defined"
    else:
        await session.proves_that_it_sees()
        found = f"{name} was not found at once"
    took_s = time.perf_counter() - began_s
    return f"{found}: {took_s:.2f} s with the start of {session.server.name}, which takes {_memory(session.pid)}"


def _memory(pid: int | None) -> str:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return "an unknown amount of memory"
    return f"{pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f} MiB"


async def broker(environ: Mapping[str, str]) -> Check:
    """The language servers that are kept running."""
    from interpreters.edge.warm.client import standings

    try:
        found = await standings(environ)
    except (ConfigError, OSError) as error:
        return blamed("brokers", error)
    return ok("brokers", "; ".join(map(_standing, found)) or "none is running")


def _standing(one: Standing) -> str:
    return f"{one.server} for {one.root}, pid {one.pid}, {one.resident_bytes / 2**20:.0f} MiB"


async def scorer(settings: Settings) -> list[Check]:
    """The scorer that is configured, and those that it asks."""
    what = f"scorer {settings.scorer}"
    try:
        check_scorer(settings.scorer, settings)
        found = scorers_of(settings.scorer, settings)
    except (ConfigError, OSError) as error:
        return [blamed(what, error)]
    asked: list[Any] = [settings.scorers[one.model] for one in found if isinstance(one, HybridScorer)]
    return [await _scorer(one, settings) for one in (*found, *asked)]


async def _scorer(one: Scorer, settings: Settings) -> Check:
    what = f"scorer {one.name}"
    match one:
        case ModelScorer(url=str(url)) | FunctionGemmaScorer(url=str(url), model=None):
            return await _reached(what, url)
        case LearnedScorer():
            return _readable(what, one.model, "a version of your own, or the shipped model", settings)
        case ReplayScorer() | FunctionGemmaScorer():
            file = one.file if isinstance(one, ReplayScorer) else one.model
            return _readable(what, file, "no file", settings)
        case _:
            return ok(what, f"said by {one.said}")


def _readable(what: str, file: Path | None, otherwise: str, settings: Settings) -> Check:
    try:
        file = file or current_model(settings.environ)
    except ConfigError as error:
        return blamed(what, error)
    if file is None:
        return ok(what, otherwise if "no file" in otherwise else "the model that is shipped")
    if os.access(file, os.R_OK):
        return ok(what, str(file))
    return wrong(what, f"{file} cannot be read", "Name the model's file or folder in your configuration.")


async def _reached(what: str, url: str) -> Check:
    """Whether somebody accepts connections at an address; nothing is sent."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    where = f"{parts.hostname}:{port}"
    try:
        async with asyncio.timeout(REACHED_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or f"no answer within {REACHED_S:g} s"
        return wrong(what, f"{where} cannot be reached: {why}", "Start the server there, or mend the scorer's url.")
    writer.close()
    return ok(what, f"{where} accepts connections")
