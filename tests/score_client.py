"""Asking a scoring server over real sockets, byte by byte where that matters; answers checked against its document."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from queue import Queue
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from interpreters.edge.openapi import document
from interpreters.edge.score_server import Limits, Log, Scorer, ignore, score_app
from interpreters.edge.serve import Server, address_of, listening, server_of

DOCUMENT: Final = document(Limits().nodes)
NODE: Final[Mapping[str, Any]] = {
    "query": "What breaks if I add a variant to LLMKind?",
    "tags": ["Exhaustive", "PatternMatch"],
    "location": "llmapp/pricing.py:8",
    "hover": None,
    "snippet": "    match kind:\n        case LLMKind.GPT:\n            return 2\n        case LLMKind.CLAUDE:\n",
}
DEADLINE_S: Final = 20.0
"""No answer takes this long: a test that waits for it has failed."""


@attrs.frozen
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@asynccontextmanager
async def served(scorer: Scorer, *, log: Log = ignore, **options: Any) -> AsyncGenerator[str]:
    """The address of a server with this scorer, in this event loop."""
    with listening("127.0.0.1", 0) as listener:
        server: Server = server_of(score_app(scorer, name="test", log=log, **options), 5, log)
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield address_of(listener)
        finally:
            server.should_exit = True
            await task


@contextmanager
def served_by_a_thread(scorer: Scorer, **options: Any) -> Iterator[str]:
    """The address of a server in an event loop of its own, for tests that do not mind one another."""
    found: Queue[str] = Queue()
    over = threading.Event()

    async def main() -> None:
        async with served(scorer, **options) as address:
            found.put(address)
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        yield found.get(timeout=DEADLINE_S)
    finally:
        over.set()
        thread.join(DEADLINE_S)


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(address)
    return await asyncio.open_connection(url.hostname, url.port)


def request(body: bytes, method: str = "POST", path: str = "/score", **headers: str) -> bytes:
    """A request's bytes. Headers are named with `_` for `-`; an empty one is left out."""
    usual = {"host": "localhost", "content_type": "application/json", "content_length": str(len(body))}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {**usual, **headers}.items() if value]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body


async def read_reply(reader: asyncio.StreamReader, method: str = "POST") -> Reply:
    """The next answer of a connection.

    Raises:
        EOFError: there is none.
    """
    async with asyncio.timeout(DEADLINE_S):
        while (head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")).startswith("HTTP/1.1 1"):
            pass
        status, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if method == "HEAD" else int(headers["content-length"])
        return Reply(int(status.split()[1]), headers, await reader.readexactly(length))


async def send(address: str, data: bytes, method: str = "POST") -> Reply:
    """The answer to these bytes on a connection of their own."""
    reader, writer = await connect(address)
    try:
        writer.write(data)
        return await read_reply(reader, method)
    finally:
        writer.close()


async def post(address: str, asked: object, **headers: str) -> Reply:
    """The answer to plain data, or to bytes."""
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return await send(address, request(body, **headers))


async def get(address: str, path: str, method: str = "GET", **headers: str) -> Reply:
    return await send(address, request(b"", method, path, **{"content_type": "", **headers}), method)


def complaints(path: str, method: str, reply: Reply) -> list[str]:
    """What an answer has that the server's document does not promise."""
    operations = DOCUMENT["paths"].get(path, {})
    if method.lower() not in operations:
        return (
            complaints_of(reply.json, ERROR, "") if reply.status in {404, 405, 400, 421, 403} else [str(reply.status)]
        )
    promised = operations[method.lower()]["responses"].get(str(reply.status))
    if promised is None:
        return [f"{path} does not promise {reply.status}"]
    ((kind, content),) = promised["content"].items()
    if not reply.headers["content-type"].startswith(kind):
        return [f"{reply.headers['content-type']} is not {kind}"]
    return complaints_of(reply.json if kind == "application/json" else reply.body.decode(), content["schema"], "")


ERROR: Final = {"$ref": "#/components/schemas/Error"}
_KINDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda data: isinstance(data, dict),
    "array": lambda data: isinstance(data, list),
    "string": lambda data: isinstance(data, str),
    "integer": lambda data: type(data) is int,
    "null": lambda data: data is None,
}


def complaints_of(data: Any, schema: Mapping[str, Any], at: str) -> list[str]:
    """Where data breaks a schema: the part of JSON Schema that the document uses, and no more."""
    known = {"$ref", "oneOf", "type", "enum", "const", "required", "properties", "additionalProperties", "items"}
    assert schema.keys() <= known | {"maxItems", "minimum", "maximum", "pattern", "description"}, schema
    if "$ref" in schema:
        return complaints_of(data, DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], at)
    if "oneOf" in schema:
        told = [complaints_of(data, one, at) for one in schema["oneOf"]]
        return [] if told.count([]) == 1 else [f"{at}: {told}"]
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if kinds and not any(_KINDS[kind](data) for kind in kinds):
        return [f"{at}: {data!r} is no {kinds}"]
    inner: list[str] = []
    if isinstance(data, dict) and "properties" in schema:
        names = schema["properties"]
        inner += [f"{at}: {name} is missing" for name in schema["required"] if name not in data]
        inner += [f"{at}: {name} is unknown" for name in data if name not in names]
        inner += [
            text
            for name in names.keys() & data.keys()
            for text in complaints_of(data[name], names[name], f"{at}.{name}")
        ]
    if isinstance(data, list) and "items" in schema:
        inner += [
            text for place, item in enumerate(data) for text in complaints_of(item, schema["items"], f"{at}[{place}]")
        ]
    return inner + [
        f"{at}: {data!r} breaks {key}"
        for key, holds in _BOUNDS.items()
        if key in schema and not holds(data, schema[key])
    ]


_BOUNDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "enum": lambda data, values: data in values,
    "const": lambda data, value: data == value,
    "maxItems": lambda data, most: not isinstance(data, list) or len(data) <= most,
    "minimum": lambda data, least: data >= least,
    "maximum": lambda data, most: data <= most,
    "pattern": lambda data, pattern: re.search(pattern, data) is not None,
}
