"""What a reply to `POST /score` says: a rubric for each node, why one has none, or why there is no reply to speak of.

Nothing in it is trusted. What a server wrote is quoted in an error only where it is an error text, made printable, or a
plain key; a reasoning is cut, and left to whoever renders it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

import attrs
from returns.result import Failure, Result, Success

from tidepool.domain import Rubric
from tidepool.errors import InvalidData
from tidepool.wire import MISSING, from_wire, parse

REASONING_CHARACTERS: Final = 2_000
"""What is kept of a reasoning: it is to be a sentence."""

REPLY_BYTES_PER_NODE: Final = 16_384
"""What is read of a reply, for each node: a reasoning of the length above, all its characters escaped, and the rest."""

_FIELDS: Final = frozenset(field.name for field in attrs.fields(Rubric))
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class Trouble(Exception):
    """A request had no reply from which any node's answer could be read.

    Attributes:
        why: a clause that follows the server's name.
        again: whether the same request may be answered later.
        about_request: whether it is what was asked that is wrong, and not the server.
        timed_out: whether a time-out was waited for.
        wait_s: how long the server wants to be left alone, in seconds.
    """

    def __init__(
        self,
        why: str,
        *,
        again: bool = False,
        about_request: bool = False,
        timed_out: bool = False,
        wait_s: float = 0.0,
    ) -> None:
        self.why = why
        self.again = again
        self.about_request = about_request
        self.timed_out = timed_out
        self.wait_s = wait_s
        super().__init__(why)


@attrs.frozen
class _Status:
    """What an HTTP status means here; the fields as those of `Trouble`."""

    why: str
    again: bool = False
    about_request: bool = False


# Repeated are the statuses with which a server, or what stands before it, says that it is not the request's fault and
# will pass. 500 is none of them: the same nodes would most likely break the same model again.
_STATUSES: Final[Mapping[int, _Status]] = {
    400: _Status("cannot read the request", about_request=True),
    401: _Status("does not accept the token"),
    403: _Status("does not let this token rate nodes: set another"),
    404: _Status("has no /score: correct its address"),
    405: _Status("takes no POST to /score: correct its address"),
    413: _Status("finds the request too large: ask about fewer nodes at once", about_request=True),
    422: _Status("does not accept what it was asked", about_request=True),
    429: _Status("is asked too often: have fewer requests in flight", again=True),
    500: _Status("failed on its own side"),
    502: _Status("is behind a gateway that cannot reach it", again=True),
    503: _Status("is not ready", again=True),
    504: _Status("is behind a gateway that waited for it in vain", again=True),
}


def read_reply(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    count: int,
    *,
    token_sent: bool = True,
    token_hint: str = "",
) -> Sequence[Result[Rubric, str]]:
    """The answer to each of `count` nodes, or why there is none, in their order.

    Args:
        status: the HTTP status.
        headers: by their names in lower case.
        body: all of it.
        count: how many nodes were asked about.
        token_sent: whether a token was sent.
        token_hint: what to do where the server accepts none; "" for words that fit anyone.

    Raises:
        Trouble: the reply as a whole is none.
    """
    data = read_json(status, headers, body, token_sent=token_sent, token_hint=token_hint)
    if not isinstance(data, list):
        raise Trouble("answered a list of nodes with something that is not a list")
    if len(data) != count:
        raise Trouble(f"answered {count} nodes with a list of {len(data)}")
    return [_node(item) for item in data]


def read_json(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    path: str = "/score",
    token_sent: bool = True,
    token_hint: str = "",
) -> Any:
    """The data of a reply that went well; the rest as in `read_reply`.

    Args:
        path: what was asked for, below the server's address.

    Raises:
        Trouble: it did not go well, or the reply is no JSON.
    """
    if status != 200:
        raise _not_ok(status, headers, body, _refused(token_hint, token_sent=token_sent), path)
    return _json(headers, body)


def _node(item: Any) -> Result[Rubric, str]:
    match item:
        case {"error": str(text), **rest} if not rest:
            return Failure(f"could not rate the node: {_quoted(text)}")
    try:
        rubric = from_wire(Rubric, item)
    except InvalidData as error:
        return Failure(f"answered with what is no rubric: {_wrong(error)}")
    if len(rubric.reasoning) > REASONING_CHARACTERS:
        rubric = attrs.evolve(rubric, reasoning=rubric.reasoning[: REASONING_CHARACTERS - 1] + "…")
    return Success(rubric)


def _wrong(error: InvalidData) -> str:
    """The error's own text without what the server wrote, but for numbers."""
    if error.field in _FIELDS and error.value is MISSING:
        return f"{error.field} is missing"
    if isinstance(error.value, str) and error.field not in _FIELDS:  # quoted whole or not at all: it may hold a secret
        key = error.value if _PLAIN_KEY.fullmatch(error.value) else "that stands there"
        return f"the key {key} is not {error.allowed}"
    where = error.field if error.field in _FIELDS else "an answer"
    plain = error.value is MISSING or error.value is None or isinstance(error.value, bool | int | float)
    return f"{where}: {str(error.value)[:20] if plain else 'what stands there'} is not {error.allowed}"


def _json(headers: Mapping[str, str], body: bytes) -> Any:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        if not kind:
            raise Trouble("sent its answer without a Content-Type: let it send application/json")
        raise Trouble(f"answered with {_quoted(kind)} and not with application/json")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Trouble("compressed its answer, which it was not asked to")
    try:
        return parse(body)
    except InvalidData as error:
        raise Trouble(f"answered with what is not {error.allowed}") from None


def _refused(token_hint: str, *, token_sent: bool) -> str:
    """What a 401 means."""
    if token_sent:
        return f"{_STATUSES[401].why}: {token_hint or 'set the right one'}"
    return f"wants a token, and none was sent: {token_hint or 'set one'}"


def _not_ok(status: int, headers: Mapping[str, str], body: bytes, refused: str, path: str) -> Trouble:
    if 300 <= status < 400:
        return Trouble(f"wants the question sent elsewhere (status {status}), which is not done: correct its address")
    known = _STATUSES.get(status, _Status("answered with a status that has no meaning here"))
    why = f"{refused if status == 401 else known.why.replace('/score', path)} (status {status})"
    if said := _error_text(headers, body):
        why += f": {said}"
    wait_s = retry_after_s(headers) if known.again else 0.0
    return Trouble(why, again=known.again, about_request=known.about_request, wait_s=wait_s)


def _error_text(headers: Mapping[str, str], body: bytes) -> str:
    try:
        data = _json(headers, body)
    except Trouble:
        return ""
    match data:
        case {"error": str(text)} | {"error": {"message": str(text)}} | {"object": "error", "message": str(text)}:
            return _quoted(text)
    return ""


def retry_after_s(headers: Mapping[str, str]) -> float:
    """How long a server wants to be left alone, in seconds; 0 where it does not say.

    A date is compared with the server's own, so that no clock of this machine matters.
    """
    said = headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,9}", said):
        return float(said)
    try:
        wait = parsedate_to_datetime(said) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError, OverflowError):  # one has no zone; one is no date; one is out of the calendar
        return 0.0
    return max(0.0, wait.total_seconds())


def _quoted(text: str) -> str:
    """A server's text for an error of one line."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
