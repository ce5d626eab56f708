"""`tidepool train rollback NAME`: make an earlier version the current one, or the model that is shipped."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from interpreters.edge.dataset.outcome import outcome, say
from interpreters.edge.home import Home, own_home

VERB: Final = "rollback"
COMMAND: Final = "train"


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("version", metavar="NAME", help="one that `tidepool train versions` lists, or `shipped`")
    add("--home", metavar="DIR", type=Path, help="where versions are kept (default: where `--scorer learned` looks)")


def main(arguments: argparse.Namespace) -> int:
    """Point to the version, and answer the command's exit code."""
    return outcome(VERB, lambda: _roll_back(Home(arguments.home or own_home(os.environ)), arguments.version), COMMAND)


def _roll_back(home: Home, name: str) -> int:
    with home.held():
        home.point_to(name)
    return say(VERB, f"{name} is current now", command=COMMAND)
