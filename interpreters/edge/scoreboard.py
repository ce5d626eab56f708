"""How measured answers are shown: a table for people, JSON for programs, and case by case for whoever mends rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

import attrs

from tidepool.cases import Case
from tidepool.metrics import Row, Score, Summary, summary
from tidepool.wire import dumps, to_wire

COLUMNS: Final = (
    ("cases", "cases"),
    ("recall@20", "recall"),
    ("by location", "recall_at_location"),
    ("precision", "precision"),
    ("nDCG@20", "ndcg"),
    ("first", "first"),
    ("ECE", "ece"),
    ("seconds", "seconds"),
)
"""The table's headings, and which part of a summary stands below each."""

WIDTH: Final = 120
"""Columns that the table needs: a number that is cut is none."""


@attrs.frozen
class Measured:
    """How good the answer of one way to a case was.

    Attributes:
        way: what answered: a scorer's name, or a baseline.
    """

    way: str
    case: Case
    score: Score
    rows: tuple[Row, ...]


def _overall(_measured: Measured) -> str:
    return "overall"


GROUPINGS: Final[Mapping[str, Callable[[Measured], str]]] = {
    "overall": _overall,
    "codebases": lambda one: one.case.codebase,
    "kinds": lambda one: str(one.case.kind),
}
"""What is summed up, and by what."""


def summaries(measured: Iterable[Measured]) -> dict[str, dict[str, dict[str, Summary]]]:
    """The summary of each way, by grouping, by group and by way; groups are sorted, ways stand as they first came."""
    sorts: dict[str, dict[str, dict[str, list[Score]]]] = {grouping: {} for grouping in GROUPINGS}
    for one in measured:
        for grouping, group_of in GROUPINGS.items():
            sorts[grouping].setdefault(group_of(one), {}).setdefault(one.way, []).append(one.score)
    return {
        grouping: {
            group: {way: summary(scores) for way, scores in ways.items()} for group, ways in sorted(groups.items())
        }
        for grouping, groups in sorts.items()
    }


def as_table(measured: Sequence[Measured], stream: TextIO) -> None:
    """Print what was measured, overall, by codebase and by kind, in colour where the stream is a terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, highlight=False)
    console.width = max(console.width, WIDTH)
    table = Table(show_lines=False, pad_edge=False, box=None, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True)
    for heading, _ in COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for number, groups in enumerate(summaries(measured).values()):
        if number:
            table.add_row()
        for group, ways in groups.items():
            for place, (way, one) in enumerate(ways.items()):
                cells = [_cell(getattr(one, field)) for _, field in COLUMNS]
                table.add_row("" if place else group, way, *cells, style="dim" if place else "")
    with console.capture() as drawn:
        console.print(table)
    stream.write(re.sub(r" +$", "", drawn.get(), flags=re.MULTILINE))


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def as_json(measured: Sequence[Measured], stream: TextIO) -> None:
    """Print the same as one JSON object: `overall`, `codebases` and `kinds`."""
    found = summaries(measured)
    plain = {**found, "overall": found["overall"].get("overall", {})}
    stream.write(dumps(to_wire(plain), indent=2) + "\n")


def as_details(measured: Iterable[Measured]) -> str:
    """JSON lines, one for each case: the question, what each way missed and had wrong, and its rows in order."""
    cases: dict[str, dict[str, Any]] = {}
    for one in measured:
        case = cases.setdefault(one.case.id, {**to_wire(one.case), "ways": {}})
        score = to_wire(one.score)
        del score["claims"]
        case["ways"][one.way] = {**score, "rows": [_row(row) for row in one.rows[:40]]}
    return "".join(f"{dumps(case)}\n" for case in cases.values())


def _row(row: Row) -> dict[str, Any]:
    also = [spot.line for spot in row.also]
    return {"location": row.spot.location, "risk": row.risk, "confidence": row.confidence, "also": also}


SHOWN: Final[Mapping[str, Callable[[Sequence[Measured], TextIO], None]]] = {"table": as_table, "json": as_json}
"""How the result can be printed."""
