"""An answer as a table for people, as markdown, as json, or as a page.

Code is untrusted text: what would move a terminal's cursor or turn the direction of writing is made visible.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final, TextIO

from interpreters.edge.printing import bar, printable

if TYPE_CHECKING:
    from interpreters.edge.shown import Shown
    from tidepool.domain import Pointer

RISK_STYLES: Final = {5: "bold red", 4: "red", 3: "yellow", 2: "cyan", 1: "dim"}


def as_table(shown: Shown, stream: TextIO) -> None:
    """Print a table in colour where the stream is a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, soft_wrap=False, highlight=False)
    response, code = shown.response, shown.code
    if response.pointers:
        table = Table(show_lines=False, pad_edge=False, box=None, header_style="bold")
        table.add_column("risk", no_wrap=True)
        table.add_column("what and where", ratio=2, overflow="fold")
        table.add_column("why, and what to do", ratio=4)
        for pointer in response.pointers:
            style = RISK_STYLES[pointer.risk]
            where = Text.assemble((printable(pointer.what), "bold"), "\n", (printable(pointer.location), "dim"))
            line = printable(code.get(pointer.location, ""))
            why = Text.assemble(
                (line + "\n" if line else "", "green"),
                printable(pointer.reasoning),
                ("\n→ " + printable(pointer.action) + "\n", "italic"),
            )
            table.add_row(Text(bar(pointer.risk) + _mark(pointer, "\n"), style), where, why)
        with console.capture() as drawn:
            console.print(table)
        stream.write(re.sub(r" +$", "", drawn.get(), flags=re.MULTILINE))
    console.print(Text(printable(response.summary), "bold"))


def as_markdown(shown: Shown, stream: TextIO) -> None:
    """Print a markdown table, for a review or a ticket."""
    response, code = shown.response, shown.code
    lines = [_cell(response.summary), ""]
    if response.pointers:
        lines += ["| risk | what | where | code | why | what to do |", "|---|---|---|---|---|---|"]
        lines += [_row(pointer, code.get(pointer.location, "")) for pointer in response.pointers]
    stream.write("\n".join(lines) + "\n")


def as_json(shown: Shown, stream: TextIO) -> None:
    """Print the `ScoutResponse` of the wire format."""
    from tidepool.wire import dumps

    text = dumps(shown.response)  # what it escapes by itself keeps the json valid, not a terminal safe
    stream.write("".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text) + "\n")


def as_html(shown: Shown, stream: TextIO) -> None:
    """Print one page that needs nothing else, for a browser."""
    from interpreters.edge.html.page import page

    stream.write(page(shown))


RENDERERS: Final[Mapping[str, Callable[[Shown, TextIO], None]]] = {
    "table": as_table,
    "markdown": as_markdown,
    "json": as_json,
    "html": as_html,
}


def prepare(form: str) -> None:
    """Import what a renderer needs, which it would else do when there is an answer to print."""
    import_module(_NEEDED[form])


_NEEDED: Final = {
    "table": "rich.table",
    "markdown": "unicodedata",
    "json": "tidepool.wire",
    "html": "interpreters.edge.html.page",
}


def _mark(pointer: Pointer, before: str) -> str:
    """What sets a row apart on which a checker stands."""
    return f"{before}verified" if pointer.verdict.value == "verified" else ""


def _row(pointer: Pointer, line: str) -> str:
    cells = [
        f"{pointer.risk}/5{_mark(pointer, ', ')}",
        _cell(pointer.what),
        _code(pointer.location),
        _code(line) if line else "",
        _cell(pointer.reasoning),
        _cell(pointer.action),
    ]
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """Text as code in a cell; what would end the code or the cell is replaced."""
    return f"`{printable(text).replace('`', chr(39)).replace('|', _BAR)}`"


def _cell(text: str) -> str:
    """Prose in a cell: names stay code, and nothing else is markdown or html."""
    parts = printable(text).split("`")
    closed = parts if len(parts) % 2 else [*parts[:-2], parts[-2] + "'" + parts[-1]]
    shown = (part.replace("|", _BAR) if at % 2 else _MARKUP.sub(r"\\\g<0>", part) for at, part in enumerate(closed))
    return "`".join(shown)


_BAR: Final = "\\|"
_MARKUP: Final = re.compile(r"[\\*\[\]<>&|!]")
"""What prose may hold that markdown or html would read as more than itself."""
