"""The conversation with one server process: requests that are answered, refused, too late, or lost with the server.

pygls reads and dispatches the messages (`rpc.py`), but importing it takes 0.25 s, a quarter of what a server needs to
find a thousand references in a large codebase, and takes that time from the server where there are two cores. So it
is imported, in a thread, when the first message comes that is anything but the answer to a request, or when a session
that has outlived the time of one answer (`ALONE_S`) waits for nothing; until then whole answers are taken as they come,
and any other message stays where it is, for pygls to read.
What is asked and answered stays plain dictionaries and lists, which are translated, and checked, once (`answers.py`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from interpreters.lsp.framing import Garbled, Lost, TimedOut, frame
from interpreters.lsp.plain import plain
from interpreters.lsp.process import ServerProcess
from tidepool.errors import BadAnswer, Unavailable, Unsupported

if TYPE_CHECKING:
    from interpreters.lsp.rpc import Client

T = TypeVar("T")

METHOD_NOT_FOUND: Final = -32601
PASSING: Final = frozenset({-32802, -32801, -32800, -32002})  # cancelled, the code changed, not initialised yet
_PLAIN_ANSWER: Final = frozenset({"jsonrpc", "id", "result"})
ALONE_S: Final = 3.0  # without pygls, whose import slows the server down: as long as an answer about much code takes
_MAX_COMPLAINTS: Final = 20
_ERROR: Final = 1  # of the kinds of message that a server may want shown


class Postponed(Unavailable):
    """The server could not answer just then: it is worth asking again at once."""


@attrs.frozen
class _Waiting:
    """A request that has been written and not been answered."""

    method: str
    answer: asyncio.Future[Any]


class Conversation:
    """Requests to a running server, and what it asks in turn.

    Args:
        alone_s: how long pygls is not imported as long as it is not needed; then it is when nothing is waited for.

    Attributes:
        complaints: what it wanted shown to the user as an error.
        offered: methods that it registered after its start.
        working: its announced pieces of work that have not ended.
        lost: why nothing can be asked any more, if so: `Lost`, or a `BadAnswer` after which none can be understood.
    """

    def __init__(
        self, process: ServerProcess, name: str, configuration: Mapping[str, Any], alone_s: float = ALONE_S
    ) -> None:
        self.complaints: list[str] = []
        self.offered: set[str] = set()
        self.working: set[str] = set()
        self.lost: Exception | None = None
        self._process = process
        self._name = name
        self._configuration = configuration
        self._waiting: dict[str, _Waiting] = {}
        self._asked = 0
        self._heard_s = 0.0
        self._client: Client | None = None
        self._needs_client = asyncio.Event()
        self._alone_s = alone_s
        self._reading = asyncio.ensure_future(self._read())

    async def ask(self, method: str, params: Any, timeout_s: float) -> Any:
        """The server's answer to a request.

        Raises:
            Lost: the server is gone.
            TimedOut: it did not answer in time.
            BadAnswer: it answered nonsense, or that it failed.
            Unsupported: it does not know the method.
            Postponed: it answered that it could not just then.
        """
        since_s = asyncio.get_running_loop().time()
        msg_id, answer = self._request(method, params)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise TimedOut(silent=self._heard_s < since_s) from None
        finally:
            self._waiting.pop(msg_id, None)
            if answer.cancelled():
                self.notify("$/cancelRequest", {"id": msg_id})

    def prepare(self, method: str, params: Any) -> asyncio.Future[Any]:
        """Ask something whose answer is worth nothing but the server's having worked it out; not to be cancelled."""
        _, answer = self._request(method, params)
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        return answer

    def notify(self, method: str, params: Any) -> None:
        """Tell the server something it does not answer."""
        if self._client is not None:
            self._client.notify(method, params)
        else:
            self._process.write(frame({"method": method, "params": params}))

    async def close(self) -> None:
        """Stop listening; whatever is still waited for is lost."""
        self._reading.cancel()
        await asyncio.wait([self._reading])

    def _request(self, method: str, params: Any) -> tuple[str, asyncio.Future[Any]]:
        self._asked += 1
        msg_id = f"tidepool-{self._asked}"  # a text, so that no server's own number can be mistaken for it
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.lost is not None:
            answer.set_exception(_again(self.lost))
            return msg_id, answer
        waiting = self._waiting[msg_id] = _Waiting(method, answer)
        if self._client is not None:
            self._client.request(msg_id, method, params, partial(self._settle, waiting), partial(self._refuse, waiting))
        else:
            self._process.write(frame({"id": msg_id, "method": method, "params": params}))
        return msg_id, answer

    async def _read(self) -> None:
        """Read what the server writes until there is no more, or no sense in it."""
        reason: Exception = Lost()
        self._process.inbox.listen(self._take, self._needs_client.set)
        try:
            client_class = await self._client_class()
            if client_class is None:
                return
            client = client_class(self._process, self, self._answers())
            self._process.inbox.ignore()
            for msg_id, waiting in self._waiting.items():
                client.adopt(msg_id, waiting.method, partial(self._settle, waiting), partial(self._refuse, waiting))
            self._client = client
            await client.read()
        except ImportError as error:
            reason = BadAnswer(self._name, f"cannot be talked to: {error}; install tidepool again, with what it needs")
        except Garbled as garbled:
            why = f"does not speak the language server protocol: {garbled}; check its command"
            reason = BadAnswer(self._name, why)
        finally:
            self._process.inbox.ignore()
            self.lost = reason
            self._fail_all(reason)

    async def _client_class(self) -> type[Client] | None:
        """The client of pygls: at once if it was imported before, else when the first requests have had their time.

        There is none where the server ended meanwhile and left nothing to read.
        """
        if "interpreters.lsp.rpc" not in sys.modules:
            await self._alone()
            if self._process.inbox.at_end:
                return None
        return await _in_background(_load)

    async def _alone(self) -> None:
        """Wait until there is something for pygls to read, or time to import it."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._alone_s):  # `wait_for` of 3.11 may swallow being cancelled
                    await self._needs_client.wait()
                return
            if not self._waiting:
                return

    def _take(self, message: bytes) -> bool:
        """Take a message if it is nothing but the answer to a request; answers whether it was."""
        try:
            data = json.loads(message)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or data.keys() != _PLAIN_ANSWER:
            return False
        msg_id = data["id"]
        if not isinstance(msg_id, str) or msg_id not in self._waiting:
            return False
        self._settle(self._waiting[msg_id], data["result"])
        self.heard()
        return True

    def _settle(self, waiting: _Waiting, result: Any) -> None:
        if not waiting.answer.done():  # else it is too late: nobody waits for it any more
            waiting.answer.set_result(result)

    def _refuse(self, waiting: _Waiting, code: int, message: str) -> None:
        if waiting.answer.done():
            return
        if code == METHOD_NOT_FOUND:
            why = f"does not know {waiting.method}: name another language server for this"
            waiting.answer.set_exception(Unsupported(self._name, why))
        else:
            kind = Postponed if code in PASSING else BadAnswer
            why = f"refused {waiting.method} with error {code}: {plain(message)}"
            waiting.answer.set_exception(kind(self._name, why))

    def _fail_all(self, reason: Exception) -> None:
        waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            if not request.answer.done():
                request.answer.set_exception(_again(reason))

    # What the client calls.

    def heard(self) -> None:
        """Note that the server said something."""
        self._heard_s = asyncio.get_running_loop().time()

    def misunderstood(self, error: Exception) -> None:
        """Note that a message could not be read: it may be the answer to anything that is waited for."""
        self._fail_all(BadAnswer(self._name, f"answered nonsense: {plain(str(error)) or repr(error)}"))

    # What a server asks and tells.

    def _answers(self) -> Mapping[str, Callable[[Any], Any]]:
        return {
            "workspace/configuration": self._configure,
            "client/registerCapability": self._register,
            "window/showMessageRequest": self._show,
            "window/showMessage": self._show,
            "$/progress": self._progress,
            **_FIXED_ANSWERS,
        }

    def _configure(self, params: Any) -> list[Any]:
        return [_section(self._configuration, item.get("section")) for item in params["items"]]

    def _register(self, params: Any) -> None:
        self.offered.update(registration["method"] for registration in params["registrations"])

    def _show(self, params: Any) -> None:
        if params["type"] == _ERROR and len(self.complaints) < _MAX_COMPLAINTS:
            self.complaints.append(plain(params["message"]))

    def _progress(self, params: Any) -> None:
        kind = params["value"].get("kind")
        if kind == "begin":
            self.working.add(str(params["token"]))
        elif kind == "end":
            self.working.discard(str(params["token"]))


_FIXED_ANSWERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "client/unregisterCapability": lambda _: None,
    "window/workDoneProgress/create": lambda _: None,
    "window/showDocument": lambda _: {"success": False},
    "workspace/applyEdit": lambda _: {"applied": False},
    "workspace/codeLens/refresh": lambda _: None,
    "workspace/diagnostic/refresh": lambda _: None,
    "workspace/foldingRange/refresh": lambda _: None,
    "workspace/inlayHint/refresh": lambda _: None,
    "workspace/inlineValue/refresh": lambda _: None,
    "workspace/semanticTokens/refresh": lambda _: None,
    "workspace/workspaceFolders": lambda _: None,
}


async def _in_background(work: Callable[[], T]) -> T:
    """The result of work in a thread that nobody waits for at exit, unlike asyncio's own threads."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], what: Any) -> None:
        if not result.done():
            how(what)

    def run() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            try:
                loop.call_soon_threadsafe(settle, result.set_result, work())
            except ImportError as error:
                loop.call_soon_threadsafe(settle, result.set_exception, error)

    threading.Thread(target=run, name="import of pygls", daemon=True).start()
    return await result


def _load() -> type[Client]:
    from interpreters.lsp.rpc import Client

    return Client


def _again(error: Exception) -> Exception:
    """The same error for another who waits: each raise of it gets its own traceback."""
    return BadAnswer(error.interpreter, error.why) if isinstance(error, BadAnswer) else Lost()


def _section(configuration: Any, dotted: str | None) -> Any:
    """The part of a configuration that a section names; None where there is none, as the protocol has it."""
    for key in dotted.split(".") if dotted else ():
        if not isinstance(configuration, Mapping) or key not in configuration:
            return None
        configuration = configuration[key]
    return configuration
