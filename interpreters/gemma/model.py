"""A model behind HTTP: a round of nodes becomes a few requests to `POST /score`, and each node its own answer.

    async with open_model("http://127.0.0.1:8000") as rate:
        answer = await run_async(explore(query), model(rate) | world)

Code goes to the address that was named and to no other: no redirect is followed, and no proxy of the environment is
used. A request may be repeated, since rating a node changes nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

import attrs
import httpx
from returns.result import Failure, Result
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_combine, wait_random_exponential

from interpreters.gemma.access import A_TOKEN, UNREADABLE, check_address, is_token
from interpreters.gemma.breaker import RequestFailed
from interpreters.gemma.reply import REPLY_BYTES_PER_NODE, Trouble, read_reply
from tidepool.domain import Rubric
from tidepool.eff import AsyncHandler
from tidepool.effects.gemma import Gemma, Model, RateNode
from tidepool.errors import ConfigError, ModelFailure
from tidepool.wire import dumps, score_request

MAX_NODES_PER_REQUEST: Final = 50
"""What the contract of `/score` allows, and what a round of an exploration holds at most."""

REQUESTS_IN_FLIGHT: Final = 4
"""Enough to keep a small server busy while replies travel; more only wait in its queue, on the time-out's account."""

REQUEST_TIMEOUT_S: Final = 30.0
"""A small model on a processor needs some tenths of a second a node, and a request holds up to 50."""

TOTAL_TIMEOUT_S: Final = 60.0
"""One request that is lost and repeated; somebody is waiting for the answer."""

ATTEMPTS: Final = 3
"""One accident passes by the second attempt, a restart often by the third; a server that is down does not."""

PAUSE_S: Final = 0.2
"""Before the second attempt at most; before each further one twice as long. A random part of it is waited."""

PAUSE_MOST_S: Final = 5.0
"""Before any attempt at most, unless the server asks for more."""

IDLE_S: Final = 30.0
"""How long a connection is kept without a request: longer than it takes to find the next round's nodes."""

WHY_CHARACTERS: Final = 300
"""What is kept of the reason of a failure, which may quote the server."""


@attrs.frozen
class Dialect:
    """How servers of a kind are asked to rate nodes.

    Attributes:
        path: where, below a server's address.
        body: the request about some nodes.
        read: the answer to each of these nodes, of a reply's status, headers and body, of whether a token was sent,
            and of what to do where it is not accepted. It raises `Trouble` where the reply as a whole is none.
        reply_bytes_per_node: what a reply may be long, for each node.
    """

    path: str
    body: Callable[[Sequence[RateNode]], bytes]
    read: Callable[[Sequence[RateNode], int, Mapping[str, str], bytes, bool, str], Sequence[Result[Rubric, str]]]
    reply_bytes_per_node: int


def _score_body(ops: Sequence[RateNode]) -> bytes:
    return dumps([score_request(op.query, op.node) for op in ops]).encode()


def _score_read(
    ops: Sequence[RateNode],
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    token_sent: bool,
    token_hint: str,
) -> Sequence[Result[Rubric, str]]:
    return read_reply(status, headers, body, len(ops), token_sent=token_sent, token_hint=token_hint)


SCORE: Final = Dialect("/score", _score_body, _score_read, REPLY_BYTES_PER_NODE)
"""Our own: a rubric for each node."""


def model(rate: Model) -> AsyncHandler[Gemma]:
    """Rate nodes by a model and by nothing else: a node that it does not rate fails the program that asked.

    It fails with a `ModelFailure` and no class below it, so that whoever reads a recording knows its class.
    """

    async def rated(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, ModelFailure]]:
        return [answer.alt(_plain) for answer in await rate(ops)]

    return RateNode.by_many_or_raise(rated)


def _plain(failure: ModelFailure) -> ModelFailure:
    return ModelFailure(failure.interpreter, failure.why, failure.location)


@asynccontextmanager
async def open_model(  # noqa: PLR0913 - each is one setting, and named where it is given
    url: str,
    *,
    token: str | None = None,
    name: str = "model",
    nodes_per_request: int = MAX_NODES_PER_REQUEST,
    requests_in_flight: int = REQUESTS_IN_FLIGHT,
    request_timeout_s: float = REQUEST_TIMEOUT_S,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
    attempts: int = ATTEMPTS,
    token_hint: str = "",
    dialect: Dialect = SCORE,
) -> AsyncGenerator[Model]:
    """Open connections to a scoring server when they are needed, and close them at the end.

    Args:
        url: where `/score` is: `http://host:port` or `https://…`, with a path where it has one.
        token: sent as `Authorization: Bearer …`; it never shows in an error.
        name: who is to blame in errors.
        nodes_per_request: 1 to 50. A request holds a list, also of one node: so a node that cannot be rated is answered
            the same way whether it is asked about alone or not.
        requests_in_flight: at the same time, of all rounds together, from 1.
        request_timeout_s: for one attempt at one request, in seconds.
        total_timeout_s: for a whole round with whatever is repeated, in seconds.
        attempts: at one request, from 1. Repeated is what a later attempt can mend: a connection that failed or broke
            off, a time-out, and the statuses 429, 502, 503 and 504, after the time that `Retry-After` asks for.
        token_hint: what to do where the token is not accepted, to end a sentence: where it is set.
        dialect: how the server is asked.

    Raises:
        ConfigError: one of them cannot be used.
    """
    address = _address(url, dialect.path)
    _check_token(token)
    _check_numbers(nodes_per_request, requests_in_flight, attempts, request_timeout_s, total_timeout_s)
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    # Without `httpx.AsyncClient` there is nothing that follows a redirect or keeps a cookie.
    async with httpx.AsyncHTTPTransport(
        verify=ssl.create_default_context() if address.scheme == "https" else False,
        limits=httpx.Limits(
            max_connections=requests_in_flight,
            max_keepalive_connections=requests_in_flight,
            keepalive_expiry=IDLE_S,
        ),
        trust_env=False,  # a proxy there would get the code
    ) as transport:
        yield _Client(
            transport=transport,
            address=address,
            dialect=dialect,
            headers=httpx.Headers(headers),
            name=name,
            token=token,
            token_hint=token_hint,
            nodes_per_request=nodes_per_request,
            request_timeout_s=request_timeout_s,
            total_timeout_s=total_timeout_s,
            attempts=attempts,
            requests_in_flight=requests_in_flight,
            slots=asyncio.Semaphore(requests_in_flight),
        ).rate


def _address(url: str, path: str) -> httpx.URL:
    check_address(url)
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise ConfigError(UNREADABLE) from None
    return address.copy_with(path=address.path.rstrip("/") + path)


def _check_token(token: str | None) -> None:
    if token is not None and not is_token(token):
        raise ConfigError(f"the model's token is to be {A_TOKEN}")


def _check_numbers(
    nodes_per_request: int, requests_in_flight: int, attempts: int, request_timeout_s: float, total_timeout_s: float
) -> None:
    if not 1 <= nodes_per_request <= MAX_NODES_PER_REQUEST:
        raise ConfigError(f"nodes per request are to be from 1 to {MAX_NODES_PER_REQUEST}, not {nodes_per_request}")
    for what, number in (("requests in flight", requests_in_flight), ("attempts", attempts)):
        if number < 1:
            raise ConfigError(f"{what} are to be 1 at least, not {number}")
    for what, seconds in (("request", request_timeout_s), ("total", total_timeout_s)):
        if not seconds > 0:
            raise ConfigError(f"the {what} time-out is to be more than 0 seconds, not {seconds:g}")


@attrs.frozen(eq=False)
class _Client:
    """What a round of requests needs; see `open_model`."""

    transport: httpx.AsyncHTTPTransport
    address: httpx.URL
    dialect: Dialect
    headers: httpx.Headers = attrs.field(repr=False)
    name: str
    token: str | None = attrs.field(repr=False)
    token_hint: str
    nodes_per_request: int
    request_timeout_s: float
    total_timeout_s: float
    attempts: int
    requests_in_flight: int
    slots: asyncio.Semaphore

    async def rate(self, ops: Sequence[RateNode]) -> Sequence[Result[Rubric, ModelFailure]]:
        """Rate any number of nodes, as a `Model` does."""
        deadline_s = asyncio.get_running_loop().time() + self.total_timeout_s
        starts = range(0, len(ops), self.nodes_per_request)
        answers: dict[int, Sequence[Result[Rubric, ModelFailure]]] = {}
        left = iter(starts)

        async def work() -> None:
            for start in left:
                answers[start] = await self.request(ops[start : start + self.nodes_per_request], deadline_s)

        async with asyncio.TaskGroup() as group:
            for _ in starts[: self.requests_in_flight]:
                group.create_task(work())
        return [answer for start in starts for answer in answers[start]]

    async def request(self, ops: Sequence[RateNode], deadline_s: float) -> Sequence[Result[Rubric, ModelFailure]]:
        """The answers to the nodes of one request, repeated where that may help."""
        timed_out = False

        async def attempt() -> Sequence[Result[Rubric, str]]:
            nonlocal timed_out
            try:
                return await self.attempt(ops)
            except Trouble as trouble:
                timed_out |= trouble.timed_out
                raise

        try:
            async with asyncio.timeout_at(deadline_s):
                answers: Sequence[Result[Rubric, str]] = await self.attempts_until(deadline_s)(attempt)
        except TimeoutError:
            trouble = Trouble(f"did not answer a round within {self.total_timeout_s:g} s", timed_out=True)
            return [Failure(self.lost(op, trouble, timed_out=True)) for op in ops]
        except Trouble as trouble:
            return [Failure(self.lost(op, trouble, timed_out=timed_out)) for op in ops]
        return [self.named(op, answer) for op, answer in zip(ops, answers, strict=True)]

    def attempts_until(self, deadline_s: float) -> AsyncRetrying:
        """Repeats what may be repeated, unless the pause before it would last until the deadline."""
        loop = asyncio.get_running_loop()

        def enough(state: RetryCallState) -> bool:
            return state.attempt_number >= self.attempts or loop.time() + state.upcoming_sleep >= deadline_s

        return AsyncRetrying(
            sleep=asyncio.sleep,
            wait=wait_combine(_asked_s, wait_random_exponential(PAUSE_S, PAUSE_MOST_S)),
            stop=enough,
            retry=retry_if_exception(_may_help),
            reraise=True,
        )

    async def attempt(self, ops: Sequence[RateNode]) -> Sequence[Result[Rubric, str]]:
        """Send one request once.

        Raises:
            Trouble: there was no reply to speak of.
        """
        body = self.dialect.body(ops)
        async with self.slots:  # other rounds may be under way
            try:
                async with asyncio.timeout(self.request_timeout_s):
                    status, headers, reply = await self.send(body, self.dialect.reply_bytes_per_node * len(ops))
            except TimeoutError:
                why = f"did not answer within {self.request_timeout_s:g} s"
                raise Trouble(why, again=True, timed_out=True) from None
            except (httpx.HTTPError, OSError) as error:
                raise _broken(error) from error
        return self.dialect.read(ops, status, headers, reply, self.token is not None, self.token_hint)

    async def send(self, body: bytes, most_bytes: int) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body of a reply that is not too long."""
        request = httpx.Request("POST", self.address, headers=self.headers, content=body)
        reply = await self.transport.handle_async_request(request)
        async with aclosing(reply):
            read = bytearray()
            async for chunk in reply.aiter_raw():
                read += chunk
                if len(read) > most_bytes:
                    raise Trouble(f"answered with more than {most_bytes} bytes")
        return reply.status_code, reply.headers, bytes(read)

    def named(self, op: RateNode, answer: Result[Rubric, str]) -> Result[Rubric, ModelFailure]:
        """The answer to a node, its failure with all its names."""
        return answer.alt(lambda why: self.failed(op, why))

    def lost(self, op: RateNode, trouble: Trouble, *, timed_out: bool) -> ModelFailure:
        """The failure of a node whose whole request failed; one that was wrong itself says nothing of the server."""
        if trouble.about_request:
            return self.failed(op, trouble.why)
        return RequestFailed(self.name, self.shown(trouble.why), op.node.location, timed_out=timed_out)

    def failed(self, op: RateNode, why: str) -> ModelFailure:
        """The failure of one node."""
        return ModelFailure(self.name, self.shown(why), op.node.location)

    def shown(self, why: str) -> str:
        """A clause that may quote a server, short, and without the token, which the server may have sent back."""
        text = why if self.token is None else why.replace(self.token, "[token]")
        return text if len(text) <= WHY_CHARACTERS else text[: WHY_CHARACTERS - 1] + "…"


def _may_help(error: BaseException) -> bool:
    return isinstance(error, Trouble) and error.again


def _asked_s(state: RetryCallState) -> float:
    """How long the server asks to be left alone."""
    trouble = state.outcome.exception() if state.outcome is not None else None
    return trouble.wait_s if isinstance(trouble, Trouble) else 0.0


def _broken(error: httpx.HTTPError | OSError) -> Trouble:
    """What a connection that failed means."""
    match error:
        case httpx.ConnectError():
            return Trouble("cannot be reached: start it, or correct its address", again=True)
        case httpx.LocalProtocolError():
            return Trouble("cannot be sent this request: correct its address and token")
        case httpx.RemoteProtocolError():
            return Trouble("broke off its answer, or does not speak HTTP", again=True)
    return Trouble("lost the connection", again=True)
