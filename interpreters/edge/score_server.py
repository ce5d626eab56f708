"""The scoring server's application: `POST /score` over any scorer, and the door that every request comes through.

A request is looked at from the outside in, and the first thing wrong is what is answered, as JSON:

    Watch      counts, times and logs; answers what nobody else did      499 500 503
    Starlette  which path, which method                                  404 405
    Door       who asks, and through which name                          400 401 403 421
    Score      how much is asked, and is it JSON                         400 408 413 415 503
    wire       is it about nodes                                         422
    scorer     one node's failure: 503, or that node's `{"error"}` in an array

No log line and no metric holds anything that came in a request's body, its headers or its path.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from interpreters.edge.openapi import document
from tidepool.domain import Rubric
from tidepool.eff import AsyncHandler, Batch, Handler, Raised
from tidepool.effects.gemma import Gemma, RateNode
from tidepool.errors import BadAnswer, InvalidData, TidepoolError
from tidepool.wire import dumps, parse, read_score_request

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Log: TypeAlias = Callable[[str, Mapping[str, Any]], None]
"""Takes an event's name and what there is to say about it."""

Scorer: TypeAlias = "Handler[Gemma] | AsyncHandler[Gemma]"

GONE: Final = 499
"""What the log and the metrics call a request whose client went away before the answer."""

TOO_BUSY_S: Final = 1
"""When a client that was turned away may ask again: most requests take a fraction of it."""

LET_GO_S: Final = 1.0
"""How long a scorer that is cancelled may take to tidy up before its request is answered without it."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What the log tells apart; the rest is a client's own text."""


@attrs.frozen
class Limits:
    """How much one client may ask for.

    Attributes:
        nodes: in one request.
        body_bytes: of one request.
        swallowed_bytes: of a body that is too large and still read, so that its sender gets to read the answer.
        body_timeout_s: from a request's head to the end of its body.
        answer_timeout_s: for the scorer. One that does not await cannot be interrupted.
        requests: rated, or read, at the same time.
    """

    nodes: int = 50
    body_bytes: int = 1 << 20
    swallowed_bytes: int = 8 << 20
    body_timeout_s: float = 10.0
    answer_timeout_s: float = 90.0  # more than a model's round may take: its fallback is still to answer
    requests: int = 64


def ignore(_event: str, _about: Mapping[str, Any]) -> None:
    """A log that nobody reads."""


def score_app(
    scorer: Scorer,
    *,
    name: str,
    token: str | None = None,
    limits: Limits | None = None,
    local_names_only: bool = True,
    log: Log = ignore,
) -> Starlette:
    """The application: `POST /score`, `GET /healthz`, `GET /metrics` and `GET /openapi.json`.

    Args:
        scorer: rates the nodes; all of a request's reach it as one round.
        name: the scorer's, for `/healthz` and the metrics.
        token: what every request but those to `/healthz` has to bear; None for no such thing.
        local_names_only: refuse requests that name this server by anything but a loopback name or address. A page in
            a browser can reach a server on its user's machine by giving it a name of its own; this keeps it out.
        log: told of every request, without anything that came in it.
    """
    limits = limits or Limits()
    meters = _Meters(name)
    score = _Score(scorer, name, limits, meters, log)
    meters.requests_in_flight.set_function(lambda: score.in_flight)
    described = json.dumps(document(limits.nodes), indent=1).encode()
    health = json.dumps({"status": "ok", "scorer": name}).encode()
    door = [Middleware(_Door, token=token, local_names_only=local_names_only)]
    open_door = [Middleware(_Door, token=None, local_names_only=local_names_only)]
    app = Starlette(
        routes=[
            Route("/score", score, methods=["POST"], middleware=door),
            Route("/healthz", _Shown(lambda: health), methods=["GET"], middleware=open_door),
            Route("/metrics", _Shown(meters.text, CONTENT_TYPE_PLAIN_1_0_0), methods=["GET"], middleware=door),
            Route("/openapi.json", _Shown(lambda: described), methods=["GET"], middleware=door),
        ],
        middleware=[Middleware(_Watch, meters=meters, log=log)],
        exception_handlers={HTTPException: _refusal, InvalidData: _invalid},
    )
    app.router.redirect_slashes = False
    return app


class _Registry(CollectorRegistry):
    """Without the time at which each series began, which is a series by itself and which nobody asks for."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _Meters:
    """What Prometheus is told, in a registry of the application's own."""

    def __init__(self, scorer: str) -> None:
        self.registry = _Registry()
        self.requests = self._counter("requests", "Requests by path and by the status of the answer.", "path", "status")
        self.nodes = self._counter("nodes", "Nodes by whether the scorer rated them.", "outcome")
        self.requests_in_flight = Gauge(
            "tidepool_score_requests_in_flight", "Requests to /score being answered.", registry=self.registry
        )
        self.seconds = Histogram(
            "tidepool_score_request_seconds",
            "Time from the head of a request to /score to the end of its answer.",
            registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        Gauge("tidepool_scorer", "1 for the scorer that answers.", ["scorer"], registry=self.registry).labels(
            scorer
        ).set(1)
        self._answered: dict[tuple[str, int], Counter] = {}
        self._rated, self._failed = self.nodes.labels("rated"), self.nodes.labels("failed")

    def _counter(self, what: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"tidepool_score_{what}", help_text, labels, registry=self.registry)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """One request was."""
        counter = self._answered.get((path, status))
        if counter is None:  # `labels` takes a lock and costs more than to count
            counter = self._answered[path, status] = self.requests.labels(path, status)
        counter.inc()
        if path == "/score":
            self.seconds.observe(seconds)

    def rated(self, nodes: int, failed: int) -> None:
        """One request's nodes were, but for those that failed."""
        self._rated.inc(nodes - failed)
        if failed:
            self._failed.inc(failed)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)


class _Watch:
    """Sees every request in and its answer out: the outer boundary, where nothing is raised any further."""

    def __init__(self, app: ASGIApp, *, meters: _Meters, log: Log) -> None:
        self.app = app
        self.meters = meters
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = perf_counter(), 0
        about: dict[str, Any] = {}
        scope["tidepool.about"] = about

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except _Gone:
            status = GONE
        except asyncio.CancelledError:
            if not status:
                await _reply(noting, 503, _error("the server is being stopped: ask another one"), _CLOSE)
            raise
        except Exception as error:  # noqa: BLE001 - nobody else is left to answer
            self.log("defect", {"level": "error", "error": type(error).__name__, "at": frames_of(error)})
            if not status:
                await _reply(noting, 500, _error("the server failed to answer; its log says where"))
        finally:
            seconds = perf_counter() - started
            path = scope["path"] if scope["path"] in _PATHS else "other"
            self.meters.answered(path, status, seconds)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.log(
                "request", {"method": method, "path": path, "status": status, "ms": round(seconds * 1e3, 2), **about}
            )


class _Door:
    """Lets in who may ask."""

    def __init__(self, app: ASGIApp, *, token: str | None, local_names_only: bool) -> None:
        self.app = app
        self.token = None if token is None else token.encode()
        self.local_names_only = local_names_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        hosts = [value for key, value in headers if key == b"host"]
        if len(hosts) != 1 and not (not hosts and scope["http_version"] == "1.0"):
            raise HTTPException(400, "send one Host header")
        if self.local_names_only and hosts and not is_local_name(hosts[0]):
            raise HTTPException(421, "this server is asked by a loopback name only, such as localhost or 127.0.0.1")
        if any(key == b"origin" for key, _ in headers):
            raise HTTPException(403, "pages in a browser may not ask: leave out the Origin header")
        if self.token is not None and not _bears(headers, self.token):
            raise HTTPException(401, "send the header `Authorization: Bearer TOKEN`", {"WWW-Authenticate": "Bearer"})
        await self.app(scope, receive, send)


def is_local_name(host: bytes) -> bool:
    """Whether a Host header names this machine to itself: `localhost`, or a loopback address, with any port."""
    if host in _LOCAL_HOSTS:
        return True
    name, _, port = host.decode("latin-1").rpartition(":")
    if not port.isdigit():
        name = host.decode("latin-1")
    if name.lower() == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    return False


def _bears(headers: Sequence[tuple[bytes, bytes]], token: bytes) -> bool:
    given = [value for key, value in headers if key == b"authorization"]
    scheme, _, credentials = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    return hmac.compare_digest(credentials.strip(), token) and scheme.lower() == b"bearer"


class _Score:
    """`POST /score`."""

    def __init__(self, scorer: Scorer, name: str, limits: Limits, meters: _Meters, log: Log) -> None:
        self.scorer = scorer
        self.name = name
        self.limits = limits
        self.meters = meters
        self.log = log
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.in_flight >= self.limits.requests:
            why = f"{self.in_flight} requests are being answered: ask again later"
            raise HTTPException(503, why, {"Retry-After": str(TOO_BUSY_S)})
        self.in_flight += 1
        try:
            asked = parse_body(await _body(scope, receive, self.limits))
            status, answer = await self._answer(asked, scope["tidepool.about"], receive)
        finally:
            self.in_flight -= 1
        await _reply(send, status, answer)

    async def _answer(self, asked: object, about: dict[str, Any], receive: Receive) -> tuple[int, bytes]:
        """The status and the body for what was asked."""
        ops = self._operations(asked)
        about["nodes"] = len(ops)
        answers = [self._told(answer) for answer in await self._rate(ops, receive)] if ops else []
        failures = [answer for answer in answers if type(answer) is dict]
        self.meters.rated(len(ops), len(failures))
        if failures:
            about["failed"] = len(failures)
        if isinstance(asked, list):
            return 200, dumps(answers).encode()
        return (503 if failures else 200), dumps(answers[0]).encode()

    def _operations(self, asked: object) -> list[RateNode]:
        """What to ask the scorer; the place of what is wrong in an array begins with its index."""
        if not isinstance(asked, list):
            return [RateNode(*read_score_request(asked))]
        if len(asked) > self.limits.nodes:
            raise HTTPException(413, f"{len(asked)} nodes are more than {self.limits.nodes}: ask for fewer at once")
        ops = []
        for place, node in enumerate(asked):
            try:
                ops.append(RateNode(*read_score_request(node)))
            except InvalidData as error:
                field = f"[{place}]" if error.value is node else f"[{place}].{error.field}"
                raise InvalidData(field, error.value, error.allowed) from None
        return ops

    async def _rate(self, ops: Sequence[RateNode], receive: Receive) -> Sequence[Any]:
        """The scorer's answers; a client that leaves, and a time-out, cancel a scorer that awaits."""
        if isinstance(self.scorer, Handler):
            return self.scorer.round(Batch(ops))
        work = asyncio.create_task(self.scorer.round(Batch(ops)))
        leaving = asyncio.create_task(_left(receive))
        try:
            done, _ = await asyncio.wait(
                (work, leaving), timeout=self.limits.answer_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            leaving.cancel()
            await self._let_go(work)
        if work in done:
            return work.result()
        if leaving in done:
            raise _Gone
        raise HTTPException(503, f"the scorer did not answer within {self.limits.answer_timeout_s:g} s")

    async def _let_go(self, work: asyncio.Task[Any]) -> None:
        """Cancel it where it is not done, and leave it behind where it does not let itself be cancelled in time."""
        if work.done():
            return
        work.add_done_callback(_forget)
        work.cancel()
        _, running = await asyncio.wait((work,), timeout=LET_GO_S)
        if running:
            self.log("left behind", {"level": "error", "why": "the scorer did not let itself be cancelled"})

    def _told(self, answer: object) -> Rubric | dict[str, str]:
        """One node's answer as it is sent."""
        if type(answer) is Rubric:
            return answer
        error = answer.error if isinstance(answer, Raised) else BadAnswer(f"scorer {self.name}", "it gave no rubric")
        if isinstance(error, TidepoolError):
            self.log("scorer failed", {"level": "warning", "error": type(error).__name__})
            return {"error": str(error)}
        self.log("scorer failed", {"level": "error", "error": type(error).__name__, "at": frames_of(error)})
        return {"error": f"scorer {self.name}: it failed with {type(error).__name__}; the server's log says where"}


def _forget(work: asyncio.Task[Any]) -> None:
    """Take what it raised, which nobody waits for any more, or Python would complain of it."""
    if not work.cancelled():
        work.exception()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """A request's body.

    Raises:
        HTTPException: it is too large, too slow, or nothing that could be JSON.
        _Gone: the client is.
    """
    headers = dict(scope["headers"])
    _check_kind(headers)
    length = headers.get(b"content-length", b"0")
    if len(length) > 18 or int(length) > limits.body_bytes:
        # What still comes of it is dropped by who parses it; one that is too long for that is not waited for.
        close = len(length) > 18 or int(length) > limits.swallowed_bytes
        raise _too_large(limits, close=close)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _read(receive, limits)
    except TimeoutError:
        why = f"the body did not arrive within {limits.body_timeout_s:g} s"
        raise HTTPException(408, why, {"Connection": "close"}) from None


async def _read(receive: Receive, limits: Limits) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= limits.swallowed_bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        more = message.get("more_body", False)
        part = message.get("body", b"")
        size += len(part)
        if size <= limits.body_bytes:
            parts.append(part)
    if size > limits.body_bytes:
        raise _too_large(limits, close=more)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_kind(headers: Mapping[bytes, bytes]) -> None:
    """A body said to be anything but JSON is not: that is what a browser's page could send unasked."""
    kind = headers.get(b"content-type", b"application/json")
    if kind.partition(b";")[0].strip().lower() != b"application/json":
        raise HTTPException(415, "send JSON, with the header `Content-Type: application/json`")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise HTTPException(415, "send it as it is: no Content-Encoding is known here")


def _too_large(limits: Limits, *, close: bool) -> HTTPException:
    why = f"the body is larger than {limits.body_bytes} bytes: ask for fewer nodes at once"
    return HTTPException(413, why, {"Connection": "close"} if close else None)


def parse_body(body: bytes) -> object:
    """Plain data from a request's body.

    Raises:
        HTTPException: it is no JSON.
    """
    try:
        return parse(body)
    except InvalidData as error:
        raise HTTPException(400, f"the body is not {error.allowed}") from None


class _Shown:
    """A page that is the same for everybody."""

    def __init__(self, text: Callable[[], bytes], kind: str = "application/json") -> None:
        self.text = text
        self.headers = [(b"content-type", kind.encode())]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _reply(send, 200, self.text(), self.headers)


async def _refusal(_request: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)  # as Starlette knows, and its types do not say
    why = refused.detail if refused.detail != HTTPStatus(refused.status_code).phrase else _USUAL[refused.status_code]
    return Response(_error(why), refused.status_code, refused.headers, "application/json")


async def _invalid(_request: Request, error: Exception) -> Response:
    field = cast("InvalidData", error).field
    return Response(dumps({"error": str(error), "field": field}).encode(), 422, None, "application/json")


async def _reply(send: Send, status: int, body: bytes, headers: Collection[tuple[bytes, bytes]] = ()) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *(headers or _JSON)]})
    await send({"type": "http.response.body", "body": body})


def _error(why: str) -> bytes:
    return json.dumps({"error": why}).encode()


def frames_of(error: BaseException) -> list[str]:
    """Where an error was raised, outermost first; its text, which may quote code, is left out."""
    places, traceback = [], error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_qualname}")
        traceback = traceback.tb_next
    return places


class _Gone(Exception):
    """The client went away: nobody is left to answer."""


_PATHS: Final = frozenset({"/score", "/healthz", "/metrics", "/openapi.json"})
_LOCAL_HOSTS: Final = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
_JSON: Final = ((b"content-type", b"application/json"),)
_CLOSE: Final = (*_JSON, (b"connection", b"close"))
_USUAL: Final[Mapping[int, str]] = {
    404: f"no such path; there are {', '.join(sorted(_PATHS))}",
    405: "not with this method: the Allow header says which",
}
