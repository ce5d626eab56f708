"""What the learned scorer costs a node, its features included, beside the rules: one core, no network.

python tests/benchmarks learned
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import scoring

from interpreters.gemma.learned import load_model
from tidepool.change import read_change
from tidepool.domain import NodeContext, QueryContext
from tidepool.learned.features import look
from tidepool.rules import rate

TARGET_US = 1_000.0
RUNS = 3
NODES = 400


def main() -> bool:
    """Print what each part costs; answer whether a node costs at most the target, whatever is asked."""
    every = scoring._nodes(Path(__file__).parents[2] / "tidepool")
    nodes = every[:: max(1, len(every) // NODES)]
    model, met = load_model(), True
    for question in scoring.QUESTIONS:
        query = QueryContext(question)
        change = read_change(query)
        rules = _cost_us(lambda node: rate(change, node), nodes)  # noqa: B023 - called before the next question
        features = _cost_us(lambda node: look(query, node), nodes)  # noqa: B023
        whole = _cost_us(lambda node: model.rate(query, node), nodes)  # noqa: B023
        met &= whole <= TARGET_US
        print(
            f"{whole:5.0f} µs a node (at most {TARGET_US:.0f}), features {features:.0f}, rules {rules:.0f}: {question}"
        )
    return met


def _cost_us(work: Callable[[NodeContext], object], nodes: Sequence[NodeContext]) -> float:
    """The least of some runs over all nodes, in microseconds a node."""
    return min(_seconds(work, nodes) for _ in range(RUNS)) / len(nodes) * 1e6


def _seconds(work: Callable[[NodeContext], object], nodes: Sequence[NodeContext]) -> float:
    started = perf_counter()
    for node in nodes:
        work(node)
    return perf_counter() - started


if __name__ == "__main__":
    sys.exit(not main())
