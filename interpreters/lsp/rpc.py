"""pygls' JSON-RPC client, brought to keep what is asked and answered as plain dictionaries and lists.

It matches answers to requests, dispatches what the server asks and tells, and reads the stream. This is the only
module that imports pygls: import it while the server starts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import attrs
from cattrs import Converter
from lsprotocol.types import ResponseError, ResponseErrorMessage
from pygls.client import JsonRPCClient
from pygls.exceptions import JsonRpcException, PyglsError
from pygls.io_ import run_async
from pygls.protocol import JsonRPCNotification, JsonRPCProtocol, JsonRPCRequestMessage, JsonRPCResponseMessage

from interpreters.lsp.plain import quote
from interpreters.lsp.process import ServerProcess

_LOGGER: Final = logging.getLogger("pygls")
_LOGGER.addHandler(logging.NullHandler())  # what a server does wrong is answered, not printed over the user's terminal

_MESSAGES: Final = (JsonRPCRequestMessage, JsonRPCNotification, JsonRPCResponseMessage, ResponseErrorMessage)


class Listener(Protocol):
    """Who is told what happens on the line."""

    def heard(self) -> None:
        """The server said something."""

    def misunderstood(self, error: Exception) -> None:
        """It said something that cannot be read."""


Settle: TypeAlias = Callable[[Any], None]
Refuse: TypeAlias = Callable[[int, str], None]


class _Checked(JsonRPCProtocol):
    """JSON-RPC whose messages have been checked to be some."""

    listener: Listener

    def handle_message(self, message: Any) -> None:
        if type(message) not in _MESSAGES or message.jsonrpc != self.VERSION:
            raise TypeError(f"{quote(repr(message))} is no message")
        self.listener.heard()
        if getattr(message, "method", None) != "$/cancelRequest":  # everything a server asks is answered at once
            super().handle_message(message)


class Client(JsonRPCClient):
    """Reads what a server writes, and answers what it asks."""

    protocol: _Checked

    def __init__(self, process: ServerProcess, listener: Listener, answers: Mapping[str, Callable[[Any], Any]]) -> None:
        super().__init__(protocol_cls=_Checked, converter_factory=_plain_converter)
        self.protocol.listener = listener
        self.protocol.set_writer(process)
        self._process = process
        self._listener = listener
        for method, answer in answers.items():
            self.feature(method)(partial(answer))  # pygls marks what it is given, which a method does not allow

    def request(self, msg_id: str, method: str, params: Any, settle: Settle, refuse: Refuse) -> None:
        """Ask the server; `settle` is called with its result, or `refuse` with its error's code and message."""

        def answered(done: Future[Any]) -> None:
            error = done.exception()
            if error is None:
                settle(done.result())
            elif isinstance(error, JsonRpcException):
                refuse(error.code, error.message)

        self.protocol.send_request(method, params, msg_id=msg_id).add_done_callback(answered)

    def adopt(self, msg_id: str, method: str, settle: Settle, refuse: Refuse) -> None:
        """Listen for the answer to a request that has been written already."""
        self.protocol.set_writer(_NOWHERE)
        self.request(msg_id, method, None, settle, refuse)
        self.protocol.set_writer(self._process)

    def notify(self, method: str, params: Any) -> None:
        """Tell the server something it does not answer."""
        self.protocol.notify(method, params)

    async def read(self) -> None:
        """Read until the server writes no more."""
        await run_async(
            stop_event=threading.Event(),
            reader=self._process.inbox,
            protocol=self.protocol,
            logger=_LOGGER,
            error_handler=self.report_server_error,
        )

    def report_server_error(self, error: Exception, source: type[PyglsError | JsonRpcException]) -> None:
        """Tell of a message that cannot be read; what it may not ask, pygls has answered."""
        if source is JsonRpcException:
            self._listener.misunderstood(error)


class _Nowhere:
    """Where a request goes that has been written already."""

    def write(self, data: bytes) -> None:
        """Drop it."""

    def close(self) -> None:
        """Do nothing."""


_NOWHERE: Final = _Nowhere()


def _plain_converter() -> Converter:
    """Messages as they are: what is in them is left alone, and what is left out of them is left out on the wire."""
    converter = Converter()
    converter.register_structure_hook(JsonRPCRequestMessage, _with_params)
    converter.register_structure_hook(JsonRPCNotification, _with_params)
    converter.register_structure_hook(JsonRPCResponseMessage, _response)
    converter.register_structure_hook(ResponseErrorMessage, _error)
    for kind in _MESSAGES:
        converter.register_unstructure_hook(kind, _message)
    return converter


def _with_params(data: Any, kind: Any) -> Any:
    if not isinstance(data["method"], str):
        raise TypeError("a method that is no text")
    known = {name: data[name] for name in ("id", "method", "jsonrpc") if name in data}
    return kind(**known, params=data.get("params"))


def _response(data: Any, _: Any) -> JsonRPCResponseMessage:
    if "result" not in data:
        raise TypeError("an answer with neither a result nor an error")
    return JsonRPCResponseMessage(data["id"], data["jsonrpc"], data["result"])


def _error(data: Any, kind: Any) -> JsonRPCResponseMessage | ResponseErrorMessage:
    error = data["error"]
    if error is None:  # some servers send both fields always
        return _response(data, kind)
    if type(error["code"]) is not int or not isinstance(error["message"], str):
        raise TypeError("an error without a code and a message")
    content = ResponseError(code=error["code"], message=error["message"])
    return ResponseErrorMessage(id=data["id"], error=content, jsonrpc=data["jsonrpc"])


def _message(message: Any) -> dict[str, Any]:
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(type(message))
    data = {field.name: getattr(message, field.name) for field in fields}
    if data.get("params") is None:
        data.pop("params", None)
    if isinstance(message, ResponseErrorMessage):
        data["error"] = {"code": message.error.code, "message": message.error.message} if message.error else None
    return data
