"""`tidepool train versions`: what was promoted, from what, and which version is current."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from interpreters.edge.dataset.outcome import DONE, NOTHING, outcome, say
from interpreters.edge.home import SHIPPED, Home, Version, own_home
from interpreters.edge.printing import printable
from tidepool.wire import dumps

VERB: Final = "versions"
COMMAND: Final = "train"


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("--home", metavar="DIR", type=Path, help="where versions are kept (default: where `--scorer learned` looks)")
    add("--format", choices=("table", "json"), default="table", help="how to print them (default: %(default)s)")


def main(arguments: argparse.Namespace) -> int:
    """Print the versions, and answer the command's exit code."""
    return outcome(VERB, lambda: _list(Home(arguments.home or own_home(os.environ)), arguments.format), COMMAND)


def _list(home: Home, form: str) -> int:
    current = home.current()
    versions = home.versions(lambda why: say(VERB, f"passed over: {why}", command=COMMAND))
    name = SHIPPED if current is None else current.name
    if form == "json":
        print(dumps({"current": name, "versions": versions}, indent=2))
        return DONE
    if not versions:
        return say(VERB, f"nothing was promoted in {home.folder}: the shipped model is current", NOTHING, COMMAND)
    print(f"  {'version':<16}{'parent':<16}{'made at':<22}{'data':<10}{'tested by':<11}{'model':<10}overall")
    for one in versions:
        print(f"{'*' if one.name == name else ' '} {_row(one)}")
    if current is None:
        print(f"* {SHIPPED}")
    return DONE


def _row(one: Version) -> str:
    overall = next((each for each in one.standings if each.part == "overall"), None)
    scored = f"{overall.before:.4f} -> {overall.after:.4f}" if overall else "-"
    hashes = f"{one.data_sha256[:8]:<10}{one.test_sha256[:8]:<11}{one.model_sha256[:8]:<10}"
    return printable(f"{one.name:<16}{one.parent:<16}{one.made_at:<22}{hashes}{scored}")
