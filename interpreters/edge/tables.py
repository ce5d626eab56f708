"""A sheet of figures as tables for people: figures by group, how sure they are, how far ways are apart, and costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

from interpreters.edge.comparison import OVERALL, Difference, Sheet

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH: Final = 160
"""Columns that the tables have on a terminal at least: a number that is cut is none."""

WIDE: Final = 1000
"""Columns elsewhere: no table needs as many, and none is cut."""

Columns: TypeAlias = Sequence[tuple[str, str]]
"""Headings, and the figure below each."""

Row: TypeAlias = Sequence[str]

INTERVALS: Final = "95% intervals over codebases"
DIFFERENCES: Final = "differences to {}, with their 95% intervals"
PASSED_OVER: Final = "{} passes over"
"""Heads the number of cases that a difference is not of."""

COSTS: Final = "what the scorers took"


def print_sheet(
    sheet: Sheet,
    stream: TextIO,
    *,
    columns: Columns,
    uncertain: Columns,
    groupings: Iterable[str],
    against: str,
    model_bytes: Mapping[str, int],
) -> None:
    """Print a sheet, in colour where the stream is a terminal.

    Args:
        columns: of the first table.
        uncertain: the columns whose intervals and differences are shown.
        groupings: in the order in which they are shown.
        against: the way that the others are compared with.
        model_bytes: how large the model of a way is.
    """
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    console.width = max(console.width, WIDTH) if console.is_terminal else WIDE
    parts = [_drawn(console, _figures(sheet, columns, groupings))]
    for title, headings, rows in (
        (INTERVALS, _headings(uncertain), _interval_rows(sheet, uncertain)),
        (
            DIFFERENCES.format(against),
            [*_headings(uncertain), *(PASSED_OVER.format(figure) for figure in sheet.passed_over)],
            _difference_rows(sheet, uncertain, against),
        ),
        (COSTS, ["ms a node", "bytes a node", "KiB of model"], _cost_rows(sheet, model_bytes)),
    ):
        if rows:
            parts.append(f"{title}\n{_drawn(console, _lines(headings, rows))}")
    stream.write("\n".join(parts))


def _drawn(console: Console, table: Table) -> str:
    with console.capture() as drawn:
        console.print(table)
    return re.sub(r" +$", "", drawn.get(), flags=re.MULTILINE)


def _headings(columns: Columns) -> list[str]:
    return [heading for heading, _ in columns]


def _table(labels: int, headings: Iterable[str]) -> Table:
    from rich.table import Table

    table = Table(show_lines=False, pad_edge=False, box=None, header_style="bold")
    for _ in range(labels):
        table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _lines(headings: Iterable[str], rows: Iterable[Row]) -> Table:
    table = _table(1, headings)
    for row in rows:
        table.add_row(*row)
    return table


def _figures(sheet: Sheet, columns: Columns, groupings: Iterable[str]) -> Table:
    table = _table(2, _headings(columns))
    for number, grouping in enumerate(groupings):
        if number:
            table.add_row()
        for group, ways in sheet.groups(grouping):
            for place, (way, units) in enumerate(ways.items()):
                values = sheet.values(units)
                cells = [_cell(figure, values[figure]) for _, figure in columns]
                table.add_row("" if place else group, way, *cells, style="dim" if place else "")
    return table


def _cell(figure: str, value: float | None) -> str:
    if value is None:
        return "-"
    return str(round(value)) if figure in COUNTS else f"{value:.3f}"


COUNTS: Final = frozenset({"cases", "examples"})
"""Figures that are whole numbers."""


def _interval_rows(sheet: Sheet, columns: Columns) -> list[Row]:
    """For each way, its intervals; nothing where there is one codebase."""
    rows: list[Row] = []
    for way, units in sheet.overall.items():
        found = sheet.intervals(units)
        ends = [found[figure] for _, figure in columns]
        if any(ends):
            rows.append([way, *(f"{end.low:.3f}..{end.high:.3f}" if end else "-" for end in ends)])
    return rows


def _difference_rows(sheet: Sheet, columns: Columns, against: str) -> list[Row]:
    """For each way two lines: its differences and how many cases they are not of, and their intervals."""
    rows: list[Row] = []
    for way, differences in sheet.differences(OVERALL, OVERALL, against).items():
        found = [differences[figure] for _, figure in columns]
        lacking = [differences[figure] for figure in sheet.passed_over]
        rows.append(
            [
                way,
                *("-" if one is None else f"{one.difference:+.3f}" for one in found),
                *("-" if one is None else str(one.passed_over) for one in lacking),
            ]
        )
        rows.append(["", *map(_ends, found), *("" for _ in lacking)])
    return rows


def _ends(one: Difference | None) -> str:
    return f"{one.low:+.3f}..{one.high:+.3f}" if one is not None and one.low is not None else "-"


def _cost_rows(sheet: Sheet, model_bytes: Mapping[str, int]) -> list[Row]:
    rows: list[Row] = []
    for way, units in sheet.overall.items():
        values = sheet.values(units)
        seconds, given = values["seconds_a_node"], values["bytes_a_node"]
        if seconds is not None and given is not None:
            held = f"{model_bytes[way] / 1024:.0f}" if way in model_bytes else "-"
            rows.append([way, f"{1000 * seconds:.3f}", f"{given:.0f}", held])
    return rows
