"""Requests that nobody would send, over a real socket: each is answered, and none breaks the server.

A request begins right and is then spoilt: its data, its JSON, its bytes, its head, or how it is cut up. Whatever comes
back is a status below 500, JSON that the published document promises, and in time.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from interpreters.edge.score_server import Limits
from interpreters.gemma.heuristic import heuristic
from tests.score_client import NODE, Reply, complaints, connect, get, read_reply, served_by_a_thread
from tidepool.domain import Tag

FEW: Final = 400
MANY: Final = 21_000
LIMITS: Final = Limits(body_bytes=20_000, swallowed_bytes=100_000, body_timeout_s=0.05)
"""Bodies that never end, as some of these do, are to be given up soon."""

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_texts = st.text(st.characters(), max_size=80) | st.sampled_from(
    [NODE["query"], NODE["snippet"], "", "\0", "`a` to `b`"]
)
_rows = st.fixed_dictionaries(
    {
        "query": _texts,
        "tags": st.lists(st.sampled_from([tag.value for tag in Tag]), max_size=4),
        "location": st.sampled_from(["a.py:1", "a b/c.py:99", "x:123456789"]),
        "hover": st.none() | _texts,
        "snippet": _texts,
    }
)


@st.composite
def _spoilt(draw: st.DrawFn) -> Any:
    """A row with one thing wrong."""
    row: dict[str, Any] = {**draw(_rows)}
    name = draw(st.sampled_from([*row, "more"]))
    if draw(st.booleans()):
        row[name] = draw(_json)
    else:
        row.pop(name, None)
    return row


_data = st.one_of(
    _rows, _spoilt(), st.lists(_rows | _spoilt(), max_size=4), _json, st.lists(_rows, max_size=3), st.just([NODE] * 51)
)
_texts_of_data = _data.map(lambda data: json.dumps(data).encode())
_odd_bodies = st.sampled_from(
    [b"", b"[" * 5_000, b'{"query":' * 3_000, b"9" * 5_000, b"[1e999]", b"\xef\xbb\xbf{}", b'"\\ud800"', b" " * 30_000]
) | st.binary(max_size=60)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """The JSON of a request with some bytes overwritten, cut out or put in."""
    body = bytearray(draw(_texts_of_data))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


_heads: Final = {
    "host": st.sampled_from(["localhost", "127.0.0.1:1", "evil.example", "[::1", "::::", ""]),
    "content-type": st.sampled_from(["application/json", "text/html", "application/json;x", ";", "é"]),
    "content-encoding": st.sampled_from(["gzip", "identity", ""]),
    "content-length": st.sampled_from(["0", "1", "-1", "+3", "1 2", "99999", "9" * 19, "9" * 30, "x", ""]),
    "transfer-encoding": st.sampled_from(["chunked", "gzip, chunked", "identity", "CHUNKED", ""]),
    "expect": st.sampled_from(["100-continue", "a miracle"]),
    "connection": st.sampled_from(["close", "keep-alive", "upgrade", ""]),
    "upgrade": st.sampled_from(["websocket", "h2c"]),
    "authorization": st.sampled_from(["Bearer", "Bearer x", "é"]),
    "origin": st.sampled_from(["null", "http://evil.example"]),
    "x-anything": st.text(st.characters(max_codepoint=255), max_size=20),
}
_methods = st.sampled_from(
    ["POST"] * 6 + ["GET", "PUT", "OPTIONS", "DELETE", "TRACE", "PATCH", "post", "B@D", "", "P\0ST"]
)
_paths = st.sampled_from(
    ["/score"] * 8 + ["/healthz", "/metrics", "/openapi.json", "/score/", "/%ff", "//", "*", "x", "/é", ""]
)
_versions = st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2", "HTTP/9.9", "", "FTP/1.1"])


@attrs.frozen
class Spoilt:
    """A request's bytes, in the pieces they are sent in.

    Attributes:
        method: as it was before bytes were spoilt.
        path: the same.
        is_http: whether what is spoilt is the body alone.
        ends: whether the client says that it has sent everything.
    """

    method: str
    path: str
    is_http: bool
    ends: bool
    pieces: tuple[bytes, ...]


@st.composite
def _requests(draw: st.DrawFn) -> Spoilt:
    body = draw(st.one_of(_texts_of_data, _mutated(), _odd_bodies))
    method, path, version = "POST", "/score", "HTTP/1.1"
    heads = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body))}
    if chunked := draw(st.integers(0, 3)) == 0:
        del heads["content-length"]
        heads["transfer-encoding"] = "chunked"
        body = _in_chunks(body, draw(st.integers(1, 50)), ending=draw(st.integers(0, 7)) > 0)
    is_http, ends = True, False
    if draw(st.integers(0, 2)) == 0:
        is_http = False
        method, path, version = draw(_methods), draw(_paths), draw(_versions)
    for name in draw(st.lists(st.sampled_from([*_heads]), max_size=2, unique=True)) if not chunked else []:
        heads[name] = draw(_heads[name])
        is_http = False
    data = _bytes_of(f"{method} {path} {version}".strip(), heads) + body
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=4)) + data[at + draw(st.integers(0, 4)) :]
        is_http, ends = False, True
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    return Spoilt(
        method, path, is_http, ends, tuple(data[at:to] for at, to in zip([0, *cuts], [*cuts, len(data)], strict=True))
    )


def _in_chunks(body: bytes, size: int, *, ending: bool) -> bytes:
    chunks = [body[at : at + size * 40] for at in range(0, len(body), size * 40)]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if ending else b"")


def _bytes_of(line: str, heads: Mapping[str, str]) -> bytes:
    lines = [line, *(f"{name}: {value}" for name, value in heads.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[str]:
    """A server's address. It has answered everything and logged no defect when it is done."""
    events: list[tuple[str, Mapping[str, Any]]] = []
    with served_by_a_thread(heuristic(), limits=LIMITS, log=lambda *event: events.append(event)) as address:
        yield address
        health = asyncio.run(get(address, "/healthz"))
        metrics = asyncio.run(get(address, "/metrics")).body
    assert health.json == {"status": "ok", "scorer": "test"}
    assert b"tidepool_score_requests_in_flight 0.0" in metrics
    assert [event for event in events if event[0] in {"defect", "scorer failed"}] == []
    statuses = Counter(about["status"] for event, about in events if event == "request")
    assert statuses.keys() >= {200, 400, 404, 405, 408, 413, 415, 421, 422}


async def sent(address: str, asked: Spoilt) -> Reply | None:
    """The answer, or None where the server closed the connection without one; it does so in time."""
    reader, writer = await connect(address)
    try:
        for piece in asked.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if asked.ends:
            writer.write_eof()
        return await read_reply(reader)
    except TimeoutError as error:
        raise AssertionError("it hangs") from error
    except (EOFError, OSError):  # a server that does not read the rest cannot know whether its answer is read
        return None
    finally:
        writer.close()


def check(address: str, asked: Spoilt) -> None:
    reply = asyncio.run(sent(address, asked))
    again = 0
    while reply is None and asked.is_http:  # a machine that is busy gets to send the end after it was given up
        again += 1
        assert again < 5, "what is HTTP is answered"
        reply = asyncio.run(sent(address, asked))
    if reply is None:
        return
    assert reply.status < 500
    assert b"Traceback" not in reply.body
    if asked.is_http:
        assert complaints(asked.path, asked.method, reply) == []
    elif reply.headers["content-type"] == "application/json":
        assert isinstance(reply.json, dict | list)


USUAL: Final = settings(
    deadline=None, phases=[Phase.generate, Phase.shrink], suppress_health_check=[*HealthCheck], database=None
)


@settings(USUAL, max_examples=FEW)
@given(_requests())
def test_whatever_is_sent_is_answered(fuzzed: str, asked: Spoilt) -> None:
    check(fuzzed, asked)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(USUAL, max_examples=MANY, derandomize=False)
@given(_requests())
def test_whatever_is_sent_very_often_is_answered(fuzzed: str, asked: Spoilt) -> None:
    check(fuzzed, asked)
