"""The base protocol of language servers, as bytes: headers, a blank line, and the JSON whose length they announce."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from interpreters.lsp.plain import quote

MAX_MESSAGE_BYTES: Final = 256 * 2**20  # the symbols of a file of 5 MB are 30 MB; past this a server has lost its mind
_MAX_HEADER_BYTES: Final = 4096
_HEADER: Final = re.compile(rb"(Content-Length|Content-Type):[ \t]*([^\r\n]*?)[ \t]*\r?\n", re.IGNORECASE)

_PLAIN_HEADERS: Final = re.compile(rb"Content-Length: (\d{1,9})\r\n(?:Content-Type: [^\r\n]*\r\n)?\r\n")

_HEADERS_BEGIN: Final = b"Content-"


class Garbled(Exception):
    """What a server wrote is not the protocol; nothing after it can be understood."""


class Lost(Exception):
    """The server is gone: it ended, or closed its pipes."""


class TimedOut(Exception):
    """The server did not answer in time. Attribute `silent`: nor did it say anything else meanwhile."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__()
        self.silent = silent


def frame(message: Mapping[str, Any]) -> bytes:
    """A message as it goes over the wire; a field that is None is left out."""
    told = {name: value for name, value in message.items() if value is not None}
    body = json.dumps({"jsonrpc": "2.0", **told}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Inbox:
    """What a server wrote and nobody has read yet; it reads like the stream that pygls' message loop expects.

    Unlike a plain stream it refuses what cannot be the protocol at once, so that a server which prints a usage text
    or a traceback is not waited for.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._closed = False
        self._wanted = 0
        self._reader: asyncio.Future[None] | None = None
        self._announced: int | None = None
        self._listener: tuple[Callable[[bytes], bool], Callable[[], None]] | None = None

    def listen(self, take: Callable[[bytes], bool], otherwise: Callable[[], None]) -> None:
        """Offer every whole message to `take`, until it refuses one, or what comes is no message, or the end comes.

        Then, or on `ignore`, what is left stays to be read; `otherwise` is told. Until then nobody may read.
        """
        self._listener = (take, otherwise)

    @property
    def at_end(self) -> bool:
        """Whether everything was read and nothing more will come."""
        return self._closed and not self._bytes

    def ignore(self) -> None:
        """Listen no more."""
        self._listener = None

    def feed(self, data: bytes) -> None:
        """Take what the server wrote."""
        self._bytes += data
        while self._listener is not None and self._offered(*self._listener):
            pass
        if len(self._bytes) >= self._wanted:
            self._wake()

    def close(self) -> None:
        """Note that the server will write no more."""
        self._closed = True
        if self._listener is not None:
            _, otherwise = self._listener
            otherwise()
        self._wake()

    async def readline(self) -> bytes:
        """One header line, or the blank one after the headers; empty at the end.

        Raises:
            Garbled: it is neither.
        """
        while (end := self._bytes.find(b"\n")) < 0:
            if len(self._bytes) > _MAX_HEADER_BYTES:
                raise Garbled(f"it wrote {quote(bytes(self._bytes[:80]))}")
            if self._closed:
                return b""
            await self._more(1)
        line = self._take(end + 1)
        return self._blank(line) if not line.strip() else self._header(line)

    async def readexactly(self, n: int) -> bytes:
        """The next `n` bytes; empty if the end comes before them."""
        self._announced = None
        while len(self._bytes) < n:
            if self._closed:
                return b""
            await self._more(n - len(self._bytes))
        return self._take(n)

    def _offered(self, take: Callable[[bytes], bool], otherwise: Callable[[], None]) -> bool:
        """Offer the first message if all of it has come; answers whether there may be another."""
        headers = _PLAIN_HEADERS.match(self._bytes)
        if headers is None:
            begins = _HEADERS_BEGIN.startswith(self._bytes[: len(_HEADERS_BEGIN)])
            taken = begins and b"\r\n\r\n" not in self._bytes
        elif int(headers.group(1)) > MAX_MESSAGE_BYTES:
            taken = False
        else:
            end = headers.end() + int(headers.group(1))
            if end > len(self._bytes):
                return False
            taken = take(bytes(self._bytes[headers.end() : end]))
            if taken:
                del self._bytes[:end]
        if not taken:
            self._listener = None
            otherwise()
        return taken and headers is not None

    def _blank(self, line: bytes) -> bytes:
        if self._announced is None:
            raise Garbled("it wrote a message without its Content-Length")
        return line

    def _header(self, line: bytes) -> bytes:
        """Check a header, and spell the one that counts as pygls expects it."""
        header = _HEADER.fullmatch(line)
        if header is None:
            raise Garbled(f"it wrote {quote(line)}")
        name, value = header.groups()
        if name.lower() != b"content-length":
            return line
        if not value.isdigit() or len(value) > 12 or not 0 < int(value) <= MAX_MESSAGE_BYTES:
            raise Garbled(f"it announced a message of {quote(value)} bytes; from 1 to {MAX_MESSAGE_BYTES} can be read")
        self._announced = int(value)
        return b"Content-Length: %d\r\n" % self._announced

    def _take(self, n: int) -> bytes:
        taken = bytes(self._bytes[:n])
        del self._bytes[:n]
        return taken

    async def _more(self, n: int) -> None:
        self._wanted = len(self._bytes) + n
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
