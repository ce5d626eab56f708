"""`tidepool brokers`: which language servers are kept running, and ending them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Final

import attrs

from interpreters.edge.printing import printable
from interpreters.edge.warm.client import standings, stop_all
from tidepool.errors import ConfigError

DONE: Final = 0
USAGE: Final = 2


def brokers(environ: Mapping[str, str], *, stop: bool, form: str) -> int:
    """Print what this user's brokers say of themselves, or end them; answer the command's exit code."""
    try:
        if stop:
            count = asyncio.run(stop_all(environ))
            print(f"{count} broker{'s were' if count != 1 else ' was'} told to end")
            return DONE
        found = asyncio.run(standings(environ))
    except ConfigError as error:
        print(f"tidepool: {printable(str(error))}", file=sys.stderr)
        return USAGE
    if form == "json":
        print(json.dumps([attrs.asdict(standing) for standing in found]))
    elif not found:
        print("no broker is running")
    for standing in found if form == "table" else ():
        mebibytes = standing.resident_bytes / 2**20
        print(f"{printable(standing.root)}  {standing.server}, pid {standing.pid}, {mebibytes:.0f} MiB")
        print(f"  {standing.asked} questions, {standing.busy} under way, last {standing.idle_s:.0f} s ago")
    return DONE
