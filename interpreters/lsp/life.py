"""One life of a language server: from its start and handshake to its end.

Where a server reads on by itself (`Server.pipelines_start`), the first question is written right behind the greeting:
one whose answer costs it a look at every file, and that nobody needs.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs

from interpreters.lsp.codebase import Codebase, uri_of
from interpreters.lsp.columns import UNITS
from interpreters.lsp.conversation import Conversation
from interpreters.lsp.framing import Lost, TimedOut
from interpreters.lsp.process import ServerProcess, undisturbed
from interpreters.lsp.reports import Unedited
from interpreters.lsp.servers import Server
from tidepool.errors import BadAnswer, InterpreterError, Unavailable

_WARM_UP: Final = {"query": "no name is like this one 0"}
_POLITE_S: Final = 1.0  # for a server to end by itself; longer than any takes that means to
_MAX_OPENED: Final = 100  # files that are open at a time; a server keeps more in memory of one that is

PROVIDERS: Final[Mapping[str, str]] = {
    "workspace/symbol": "workspaceSymbolProvider",
    "textDocument/definition": "definitionProvider",
    "textDocument/references": "referencesProvider",
    "textDocument/hover": "hoverProvider",
    "textDocument/documentSymbol": "documentSymbolProvider",
    "textDocument/implementation": "implementationProvider",
    "textDocument/prepareTypeHierarchy": "typeHierarchyProvider",
    "textDocument/prepareCallHierarchy": "callHierarchyProvider",
    "textDocument/diagnostic": "diagnosticProvider",
    "workspace/diagnostic": "diagnosticProvider",
}
"""By which of its capabilities a server says that it knows a method."""

_CAPABILITIES: Final[Mapping[str, Any]] = {
    "workspace": {"symbol": {}, "workspaceFolders": True, "didChangeConfiguration": {}},
    "textDocument": {
        "callHierarchy": {},
        "definition": {"linkSupport": False},
        "diagnostic": {},
        "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
        "hover": {"contentFormat": ["plaintext"]},
        "implementation": {"linkSupport": False},
        "references": {},
        "synchronization": {},
        "typeHierarchy": {},
    },
}


@attrs.frozen
class Launch:
    """Everything that a server is started with.

    Attributes:
        command: with its program as an absolute path.
        environ: its environment variables.
        options: its `initializationOptions`, for this codebase.
        settings: its configuration, for this codebase.
        start_timeout_s: for the handshake.
        meanwhile: what there is to do here while the server starts.
        watched: the files and folders on which it depends how the server reads the codebase.
    """

    server: Server
    codebase: Codebase
    command: tuple[str, ...]
    environ: Mapping[str, str]
    options: Any
    settings: Mapping[str, Any]
    start_timeout_s: float
    meanwhile: Callable[[], object]
    watched: tuple[str, ...] = ()


class Life:
    """A server that has been started and greeted.

    Attributes:
        encoding: the unit it counts columns in.
        began_s: when, on the event loop's clock.
        proven: whether it has shown that it sees the codebase.
        settling: held while it is waited for.
        unedited: what it finds wrong in the codebase as it is, as far as that was asked.
    """

    def __init__(
        self,
        launch: Launch,
        process: ServerProcess,
        conversation: Conversation,
        capabilities: Mapping[str, Any],
        warming: asyncio.Future[Any] | None,
    ) -> None:
        self.process = process
        self.conversation = conversation
        self.encoding = _encoding(launch.server.name, capabilities)
        self.began_s = asyncio.get_running_loop().time()
        self.proven = False
        self.settling = asyncio.Lock()
        self.unedited = Unedited()
        self._launch = launch
        self._capabilities = capabilities
        self._warming = warming
        self._opened: OrderedDict[str, None] = OrderedDict()

    def knows(self, method: str) -> bool:
        """Whether the server says that it can answer a method."""
        provider = PROVIDERS.get(method)
        return provider is None or bool(self._capabilities.get(provider)) or method in self.conversation.offered

    @property
    def checks_all(self) -> str | None:
        """Under which identifier the server checks the whole codebase, maybe ""; None where it does not."""
        provider = self._capabilities.get("diagnosticProvider")
        if not isinstance(provider, Mapping) or not provider.get("workspaceDiagnostics"):
            return None
        identifier = provider.get("identifier")
        return identifier if isinstance(identifier, str) else ""

    async def warmed(self, timeout_s: float) -> None:
        """Wait until the server has answered the question that nobody needed, or has failed to in time."""
        if self._warming is not None:
            await asyncio.wait([self._warming], timeout=timeout_s)

    async def ask(self, method: str, params: Any, timeout_s: float, about: str | None = None) -> Any:
        """The server's answer, as `Conversation.ask` has it.

        Args:
            about: the file that it is asked about.
        """
        if about is not None:
            self.show(about)
        return await self.conversation.ask(method, params, timeout_s)

    def tell_of(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Have the server read anew what has changed on disk; what was wrong in any file may no longer be.

        Args:
            changes: as `workspace/didChangeWatchedFiles` tells them.
        """
        if not changes:
            return
        for path in [path for path in self._opened if any(path == self._path(change) for change in changes)]:
            del self._opened[path]
            closed = {"uri": uri_of(self._launch.codebase.root / path)}
            self.conversation.notify("textDocument/didClose", {"textDocument": closed})
        self.conversation.notify("workspace/didChangeWatchedFiles", {"changes": changes})
        self.unedited.forget()

    def _path(self, change: Mapping[str, Any]) -> str | None:
        return self._launch.codebase.path(change["uri"])

    async def end(self) -> None:
        """Bid the server farewell if it still listens, and leave nothing of it behind. Safe to call again."""
        await undisturbed(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        try:
            if not self.conversation.lost:
                with suppress(InterpreterError, Lost, TimedOut, TimeoutError):
                    async with asyncio.timeout(_POLITE_S):
                        await self.conversation.ask("shutdown", None, _POLITE_S)
                        self.conversation.notify("exit", None)
                        if not self._launch.server.idles_at_exit:
                            await self.process.exited()
        finally:
            await _part(self.process, self.conversation)

    def show(self, path: str) -> None:
        """Open a file for a server that answers only about those that are open."""
        if not self._launch.server.opens_files:
            return
        if path in self._opened:
            self._opened.move_to_end(path)
            return
        uri = self._launch.codebase.uri(path)
        document = {
            "uri": uri,
            "languageId": self._launch.server.language,
            "version": 1,
            "text": "\n".join([*self._launch.codebase.text(path).lines, ""]),
        }
        self.conversation.notify("textDocument/didOpen", {"textDocument": document})
        self._opened[path] = None
        if len(self._opened) > _MAX_OPENED:
            oldest, _ = self._opened.popitem(last=False)
            with suppress(BadAnswer):  # it was deleted: the server will have noticed
                closed = {"uri": self._launch.codebase.uri(oldest)}
                self.conversation.notify("textDocument/didClose", {"textDocument": closed})


async def begin(launch: Launch) -> Life:
    """Start a server and greet it.

    Raises:
        Unavailable: it cannot be started, or ended, or did not answer in time.
        BadAnswer: what it answered is not the protocol.
    """
    name = launch.server.name
    try:
        process = await ServerProcess.start(launch.command, launch.codebase.root, launch.environ)
    except (OSError, ValueError) as error:
        raise Unavailable(name, f"cannot be started: {error}; check its command ({launch.command[0]})") from error
    try:
        return await _greet(launch, process)
    except BaseException:  # a cancellation as well: nothing may be left behind
        await process.end()
        raise


async def _greet(launch: Launch, process: ServerProcess) -> Life:
    server = launch.server
    conversation = Conversation(process, server.name, launch.settings)
    warming: asyncio.Future[Any] | None = None
    try:
        greeting = asyncio.ensure_future(conversation.ask("initialize", _initialize(launch), launch.start_timeout_s))
        if server.pipelines_start:
            await asyncio.sleep(0)  # for the greeting to be written
            conversation.notify("initialized", {})
            warming = conversation.prepare("workspace/symbol", _WARM_UP)
        launch.meanwhile()
        result = await greeting
        if not isinstance(result, dict) or not isinstance(capabilities := result.get("capabilities"), dict):
            raise BadAnswer(server.name, "answered initialize without its capabilities; check its command")
        if not server.pipelines_start:
            conversation.notify("initialized", {})
        if launch.settings:
            conversation.notify("workspace/didChangeConfiguration", {"settings": launch.settings})
        return Life(launch, process, conversation, capabilities, warming)
    except Lost:
        await process.ends_by_itself()
        await _part(process, conversation)
        raise Unavailable(server.name, f"ended before it was ready: {process.obituary()}; {_by_hand(launch)}") from None
    except TimedOut:
        await _part(process, conversation)
        within = f"within {launch.start_timeout_s:g} s"
        raise Unavailable(server.name, f"did not answer initialize {within}; {_by_hand(launch)}") from None
    except BaseException:
        await _part(process, conversation)
        raise


async def _part(process: ServerProcess, conversation: Conversation) -> None:
    """Listen no more, then end it: what a dying server writes is not worth reading."""
    try:
        await conversation.close()
    finally:
        await process.end()


def _by_hand(launch: Launch) -> str:
    return f"run {' '.join(launch.command)} by hand to see why"


def _initialize(launch: Launch) -> dict[str, Any]:
    root = launch.codebase.root
    asks = {**_CAPABILITIES["workspace"], "configuration": bool(launch.settings)}
    encodings = {"positionEncodings": list(launch.server.position_encodings)}
    # One whose first answers are complete is not waited for, and what it tells of its work only costs time.
    progress = {"workDoneProgress": not launch.server.first_answers_complete}
    return {
        "processId": os.getpid(),  # many servers end by themselves when this process does
        "clientInfo": {"name": "tidepool"},
        "rootPath": str(root),
        "rootUri": uri_of(root),
        "workspaceFolders": [{"uri": uri_of(root), "name": root.name or "root"}],
        "capabilities": {**_CAPABILITIES, "workspace": asks, "window": progress, "general": encodings},
        "initializationOptions": launch.options,
    }


def _encoding(name: str, capabilities: Mapping[str, Any]) -> str:
    encoding = capabilities.get("positionEncoding") or "utf-16"
    if encoding not in UNITS:
        raise BadAnswer(name, f"counts columns in {encoding!r}, which is none of {', '.join(UNITS)}")
    return str(encoding)
