"""An answer as a table for people, as markdown, or as json.

Code is untrusted text: what would move a terminal's cursor or turn the direction of writing is made visible.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from tidepool.domain import Pointer, ScoutResponse

RISK_STYLES: Final = {5: "bold red", 4: "red", 3: "yellow", 2: "cyan", 1: "dim"}
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def as_table(response: ScoutResponse, code: Mapping[str, str], stream: TextIO) -> None:
    """Print a table in colour where the stream is a terminal.

    Args:
        code: the line of code at each location.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, soft_wrap=False, highlight=False)
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


def as_markdown(response: ScoutResponse, code: Mapping[str, str], stream: TextIO) -> None:
    """Print a markdown table, for a review or a ticket."""
    lines = [_cell(response.summary), ""]
    if response.pointers:
        lines += ["| risk | what | where | code | why | what to do |", "|---|---|---|---|---|---|"]
        lines += [_row(pointer, code.get(pointer.location, "")) for pointer in response.pointers]
    stream.write("\n".join(lines) + "\n")


def as_json(response: ScoutResponse, _code: Mapping[str, str], stream: TextIO) -> None:
    """Print the `ScoutResponse` of the wire format."""
    from tidepool.wire import dumps

    text = dumps(response)  # what it escapes by itself keeps the json valid, not a terminal safe
    stream.write("".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text) + "\n")


RENDERERS: Final[Mapping[str, Callable[[ScoutResponse, Mapping[str, str], TextIO], None]]] = {
    "table": as_table,
    "markdown": as_markdown,
    "json": as_json,
}


def prepare(form: str) -> None:
    """Import what a renderer needs, which it would else do when there is an answer to print."""
    import_module({"table": "rich.table", "markdown": "unicodedata", "json": "tidepool.wire"}[form])


def bar(risk: int) -> str:
    """A risk from 1 to 5 as a bar and a number."""
    return "█" * risk + "·" * (5 - risk) + f" {risk}"


def printable(text: str) -> str:
    """The text with every character that is not for reading, such as an escape sequence's first, as U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in _UNPRINTABLE else char for char in text)


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
