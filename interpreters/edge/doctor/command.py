"""`semantic-scout doctor`: its flags, the checks in their order, and how they are printed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from interpreters.edge.doctor import machine, subject
from interpreters.edge.doctor.checks import Check, State
from interpreters.edge.ending import TERMINATED, until_terminated
from interpreters.edge.printing import printable

WELL: Final = 0
ILL: Final = 1
INTERRUPTED: Final = 130

STYLES: Final = {State.OK: "green", State.WARNING: "yellow", State.WRONG: "bold red"}


def main(words: Sequence[str]) -> int:
    """Look at everything; answer 0 where nothing is wrong, 1 where something is."""
    arguments = doctor_parser().parse_args(words)
    try:
        with asyncio.Runner() as runner:
            checks = runner.run(until_terminated(examine(arguments.root, os.environ)))
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    try:
        (_as_json if arguments.format == "json" else _as_table)(checks)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has read enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ILL if any(check.state is State.WRONG for check in checks) else WELL


def doctor_parser() -> argparse.ArgumentParser:
    """Its flags."""
    parser = argparse.ArgumentParser(
        "semantic-scout doctor",
        description="Say what is installed, configured and found, what is wrong, and what mends it.",
        epilog="exit codes:\n  0 nothing is wrong    1 something is    2 wrong usage\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--root", metavar="PATH", type=Path, default=Path(), help="the codebase (default: this folder)")
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="how to print it (default: %(default)s)"
    )
    return parser


async def examine(root: Path, environ: Mapping[str, str]) -> list[Check]:
    """All checks, in the order in which a person would mend what they find."""
    settings, configured = subject.configuration(root, environ)
    server, chosen = subject.server_of(settings)
    own = subject.own_servers(settings)
    checks = [*machine.versions(root, environ), *machine.extras()]
    checks += machine.servers(settings.server, own, root, environ)
    checks += [*chosen, *configured]
    if server is not None:
        checks += subject.codebase(root, server, settings)
        checks.append(await subject.first_answer(root, server, settings))
    checks.append(await subject.broker(environ))
    checks += await subject.scorer(settings)
    return [*checks, *machine.kept(environ)]


def _as_json(checks: Sequence[Check]) -> None:
    print(json.dumps([attrs.asdict(check) for check in checks]))


def _as_table(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    table = Table(show_lines=False, pad_edge=False, box=None, header_style="bold")
    table.add_column("what", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found, and what to do", overflow="fold")
    for check in checks:
        found = Text(printable(check.found))
        if check.fix:
            found.append(f"\n→ {printable(check.fix)}", "italic")
        table.add_row(printable(check.what), Text(check.state, STYLES[check.state]), found)
    console.print(table)
    count = sum(check.state is State.WRONG for check in checks)
    says = f"{count} thing{' is' if count == 1 else 's are'} wrong" if count else "nothing is wrong"
    console.print(Text(says, "bold"))
