"""What a broker and who asks it write to each other: one JSON object a line.

A connection carries one request. A question's answer is preceded by its progress; whoever closes the connection takes
the question back.

    {"ask": {…}}       {"progress": [done, total, doing]} and {"note": text}, then {"outcome": {…}} or {"refused": why}
    {"status": true}   {"status": {…}}
    {"stop": true}     {"stopping": true}
    {"hold": true}     nothing: the broker stays for as long as the connection is open
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from interpreters.edge.answering import Outcome, Question
from interpreters.edge.keys import PATH, SETTINGS
from tidepool.domain import ScoutResponse, TrainingExample
from tidepool.wire import from_wire, to_wire

MOST_BYTES: Final = 64 * 2**20
"""Of one line: an answer of a thousand places with its examples has 2 MB."""


@attrs.frozen
class Ask:
    """A question to a broker.

    Attributes:
        environ: the variables of the process that asks: the settings are read again from what it would read.
    """

    question: Question
    environ: Mapping[str, str]


@attrs.frozen
class Standing:
    """What a broker says of itself.

    Attributes:
        asked: questions, so far.
        busy: questions that are being answered.
        resident_bytes: the memory of the broker and of its language server; 0 where that cannot be told.
        idle_s: seconds since it was last asked.
    """

    pid: int
    root: str
    server: str
    server_pid: int | None
    asked: int
    busy: int
    resident_bytes: int
    idle_s: float


def line(message: Mapping[str, Any]) -> bytes:
    """A message as it is written."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def read_line(text: bytes) -> dict[str, Any]:
    """A message as it was written.

    Raises:
        ValueError: it is none.
    """
    try:
        message = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(message, dict):
        raise ValueError("not an object")  # noqa: TRY004 - as any other text that is no message
    return message


def write_ask(ask: Ask) -> dict[str, Any]:
    """A question as plain data."""
    question = ask.question
    return {
        "text": question.text,
        "root": str(question.root),
        "flags": write_flags(question.flags),
        "within_s": question.within_s,
        "rated": [to_wire(example) for example in question.rated],
        "environ": dict(ask.environ),
    }


def read_ask(data: Mapping[str, Any]) -> Ask:
    """A question from plain data.

    Raises:
        ValueError: it is none.
    """
    try:
        rated = tuple(from_wire(TrainingExample, example) for example in data["rated"])
        within_s = None if data["within_s"] is None else float(data["within_s"])
        flags = read_flags(data["flags"])
        environ = {str(name): str(value) for name, value in data["environ"].items()}
        question = Question(str(data["text"]), Path(data["root"]), flags, within_s=within_s, rated=rated)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no question: {error!r}") from error
    return Ask(question, environ)


def write_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as plain data; those that were not given are left out."""
    return {name: _plain(value) for name, value in flags.items() if value is not None}


def read_flags(data: Mapping[str, Any]) -> dict[str, Any]:
    """Settings from plain data."""
    return {str(name): _typed(str(name), value) for name, value in data.items()}


def write_outcome(outcome: Outcome) -> dict[str, Any]:
    """What came of a question, as plain data."""
    return {
        "response": to_wire(outcome.response),
        "code": outcome.code,
        "failure": outcome.failure,
        "notes": list(outcome.notes),
    }


def read_outcome(data: Mapping[str, Any]) -> Outcome:
    """What came of a question, from plain data.

    Raises:
        ValueError: it is none.
    """
    try:
        response = from_wire(ScoutResponse, data["response"])
        return Outcome(response, int(data["code"]), data["failure"], tuple(map(str, data["notes"])))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no outcome: {error!r}") from error


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value


def _typed(name: str, value: Any) -> Any:
    return Path(value) if name in _PATHS else tuple(value) if isinstance(value, list) else value


_PATHS: Final = frozenset(key.name for key in SETTINGS if key.kind is PATH)
