"""1,000 nodes through the model over HTTP, a request taking the server 20 ms, against the ideal for those in flight.

The ideal is that of a client that takes no time, and of a server that sleeps for exactly as long as it is told: it
oversleeps by about a millisecond, and reads and writes JSON besides. Judged is the median of the runs, and in every
shape, so that what `open_model` does unless told otherwise is one of those judged.
"""

from __future__ import annotations

import asyncio
import gc
import math
import sys
from contextlib import AbstractContextManager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from interpreters.gemma.model import open_model
from tidepool.domain import NodeContext, QueryContext
from tidepool.effects.gemma import Model, RateNode

TARGET = 1.3
NODES = 1_000
DELAY_S = 0.02
RUNS = 9
SHAPES = ((10, 4), (25, 2), (50, 4), (10, 8))
"""Nodes a request and requests in flight; (50, 4) is what `open_model` does unless told otherwise."""


def main() -> bool:
    """Print what each shape takes beside its ideal; answer whether the median of each meets the target."""
    query = QueryContext("What breaks if I rename price?")
    ops = [RateNode(query, node(line)) for line in range(1, NODES + 1)]
    ratios = []
    with scoring_process(delay_s=DELAY_S) as url:
        for nodes_per_request, in_flight in SHAPES:
            requests = math.ceil(NODES / nodes_per_request)
            ideal_s = math.ceil(requests / in_flight) * DELAY_S
            took_s = asyncio.run(seconds(url, ops, nodes_per_request, in_flight))
            ratios.append(median(took_s) / ideal_s)
            print(
                f"{requests} requests of {nodes_per_request} nodes, {in_flight} in flight: {ratios[-1]:.2f} (ideal "
                f"{ideal_s * 1e3:.0f} ms, best {min(took_s) * 1e3:.0f} ms, median {median(took_s) * 1e3:.0f} ms)"
            )
    print(f"{max(ratios):.2f} times the ideal at most (at most {TARGET})")
    return max(ratios) <= TARGET


async def seconds(url: str, ops: list[RateNode], nodes_per_request: int, in_flight: int) -> list[float]:
    """What each of some runs takes, after one that opens the connections."""
    async with open_model(url, nodes_per_request=nodes_per_request, requests_in_flight=in_flight) as rate:
        await one(rate, ops)
        return [await one(rate, ops) for _ in range(RUNS)]


async def one(rate: Model, ops: list[RateNode]) -> float:
    """What a round of all nodes takes."""
    gc.collect()
    started = perf_counter()
    answers = await rate(ops)
    took_s = perf_counter() - started
    assert all(answer.unwrap() for answer in answers)
    return took_s


def node(line: int) -> NodeContext:
    """A node of an ordinary size."""
    snippet = "\n".join(["    total += price(2)"] * 5)
    return NodeContext(f"shop/prices.py:{line}", "def price(kind: Kind) -> int", snippet)


def scoring_process(**settings: Any) -> AbstractContextManager[str]:
    """The tests' server; its module has the name of a benchmark."""
    path = Path(__file__).parents[1] / "servers" / "scoring.py"
    spec = spec_from_file_location("scoring_server", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    process: AbstractContextManager[str] = module.scoring_process(**settings)
    return process


if __name__ == "__main__":
    sys.exit(not main())
