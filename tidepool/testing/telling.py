"""A run as text: what was asked, what went wrong, every operation with its answer, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs
from returns.result import Failure

from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutResponse
from tidepool.effects.lsp import Call, Place, Symbol
from tidepool.explore import ScorerFailed
from tidepool.tape import Entry
from tidepool.testing.simulation import Outcome

LONGEST: Final = 100
"""Characters that are shown of an answer."""


def told(outcome: Outcome) -> str:
    """The whole story of a run, to be read from the top."""
    return "\n".join(_lines(outcome))


def tape_lines(outcome: Outcome) -> list[str]:
    """The tape, an operation a line; the same for the same run, in every process."""
    return [_line(entry) for entry in outcome.run.tape]


def _lines(outcome: Outcome) -> Iterator[str]:
    scenario, query = outcome.scenario, outcome.scenario.query
    yield f"seed {scenario.seed}"
    for promise, why in outcome.broken.items():
        yield f"broken: {promise}: {why}"
    yield f"question: {query.query}"
    tags = f", tags {' '.join(query.tags)}" if query.tags else ""
    yield f"budget: {query.budget_nodes} nodes{tags}{', a whole round in one request' if scenario.rounds else ''}"
    for fault in scenario.plan:
        happened = "" if fault in outcome.done else " (never came to it)"
        yield f"fault: {fault.operation} number {fault.nth}, {fault.seconds:g} s: {fault.deed}{happened}"
    for path, text in scenario.codebase.files.items():
        yield f"file {path}:"
        yield from (f"    {line}".rstrip() for line in text.rstrip("\n").split("\n"))
    yield f"tape of {len(outcome.run.tape)} operations, {outcome.run.seconds:g} s:"
    yield from (f"    {line}" for line in tape_lines(outcome))
    yield f"end: {_end(outcome.run.ended)}"


def _line(entry: Entry) -> str:
    if isinstance(entry.answer, Failure):
        error = entry.answer.failure()
        return f"{shown(entry.op)} raised {type(error).__name__}: {error}"
    return f"{shown(entry.op)} -> {shown(entry.answer.unwrap())}"


def _end(ended: ScoutResponse | BaseException) -> str:
    if isinstance(ended, ScoutResponse):
        return f"{ended.status}, {ended.nodes_visited} rated, {ended.frontier_left} left: {ended.summary}"
    if isinstance(ended, ScorerFailed):
        return f"ScorerFailed: {ended}; so far {_end(ended.answer)}"
    return f"{type(ended).__name__}: {ended}"


def shown(value: Any) -> str:
    """An operation or an answer in one short line."""
    match value:
        case Place():
            text = f"{value.location}:{value.column}"
        case Symbol():
            text = f"{value.qualified_name} at {value.place.location}"
        case Call():
            text = f"{value.caller.qualified_name} at {shown(value.places)}"
        case NodeContext():
            text = value.location
        case QueryContext():
            text = value.query
        case Rubric():
            text = f"{value.relevance}/{value.risk}/{value.confidence} {value.reasoning}"
        case tuple():
            text = f"[{', '.join(map(shown, value))}]"
        case _ if attrs.has(type(value)):
            fields = [shown(getattr(value, field.name)) for field in attrs.fields(type(value))]
            return f"{type(value).__name__}({', '.join(fields)})"
        case _:
            text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
