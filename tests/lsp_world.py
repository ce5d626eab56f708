"""What the language-server tests share: small codebases, servers that misbehave, and what a test left running."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil

from interpreters.lsp.interpreter import language_server
from interpreters.lsp.servers import TY, Server
from interpreters.lsp.session import Session, open_session
from tidepool.eff import Prog, run_async
from tidepool.effects.lsp import Lsp

T = TypeVar("T")

ODD: Final = Path(__file__).parent / "servers" / "odd.py"
_MARK: Final = "TIDEPOOL_TEST_MARK"
_GONE_WITHIN_S: Final = 20.0


def odd(mode: str, *arguments: str, **quirks: Any) -> Server:
    """A server that misbehaves; see `tests/servers/odd.py`."""
    quirks.setdefault("first_answers_complete", True)
    return Server("odd", (sys.executable, str(ODD), mode, *arguments), **quirks)


class World:
    """A codebase in a folder, and the processes that were started for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mark = uuid.uuid4().hex
        self.environ: dict[str, str] = {**os.environ, _MARK: self.mark}

    def write(self, files: Mapping[str, str | bytes]) -> Path:
        """Put files into the codebase."""
        for path, content in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.root

    def talk(self, use: Callable[[Session], Awaitable[T]], server: Server = TY, **options: Any) -> T:
        """The result of using a session; nothing may be left running afterwards."""

        async def main() -> T:
            options.setdefault("environ", self.environ)
            async with open_session(self.root, server, **options) as session:
                return await use(session)

        try:
            return asyncio.run(main())
        finally:
            assert self.running() == [], "a process was left behind"

    def ask(self, program: Prog[Lsp, T], server: Server = TY, **options: Any) -> T:
        """The result of a program that asks a server about the codebase."""
        return self.talk(lambda session: run_async(program, language_server(session)), server, **options)

    def running(self) -> list[psutil.Process]:
        """The processes that were started for this codebase and have not ended."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def left_after(self, most_s: float = _GONE_WITHIN_S) -> list[psutil.Process]:
        """Those that still run when they have had time to end."""
        until = time.monotonic() + most_s
        while (left := self.running()) and time.monotonic() < until:
            time.sleep(0.02)
        return left

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return bool(process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MARK) == self.mark)
        except psutil.Error:
            return False


def a_world(tmp_path: Path) -> Iterator[World]:
    """An empty codebase; for a fixture: whatever a failed test left running is killed."""
    root = tmp_path / "root"
    root.mkdir()
    world = World(root)
    yield world
    for process in world.running():
        process.kill()
