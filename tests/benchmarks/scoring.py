"""What the heuristic costs a node, over real lines of this repository and every kind of change."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from time import perf_counter

from interpreters.gemma.heuristic import heuristic
from tidepool.domain import NodeContext, QueryContext
from tidepool.effects.gemma import RateNode

TARGET_US = 30.0
RUNS = 7
QUESTIONS = (
    "What breaks if I add a variant to ChangeKind?",
    "What breaks if I rename Place to Position?",
    "What breaks if I add a required parameter to attempt?",
    "What breaks if I remove the field path from Place?",
    "What breaks if `read_change` may return None?",
    "What breaks if I change what each does?",
)


def main() -> bool:
    """Print the cost of each question's nodes; answer whether all meet the target."""
    nodes = _nodes(Path(__file__).parents[2] / "tidepool")
    scorer, met = heuristic(), True
    for question in QUESTIONS:
        operations = [RateNode(QueryContext(question), node) for node in nodes]
        best = min(_seconds(scorer, operations) for _ in range(RUNS))
        cost = best / len(operations) * 1e6
        met &= cost <= TARGET_US
        print(f"{cost:5.1f} µs a node (at most {TARGET_US:.0f}), {len(operations)} nodes: {question}")
    return met


def _seconds(scorer: object, operations: list[RateNode]) -> float:
    gc.collect()
    started = perf_counter()
    for op in operations:
        scorer(op)  # type: ignore[operator]
    return perf_counter() - started


def _nodes(folder: Path) -> list[NodeContext]:
    """Every line of code that mentions a name the questions are about, and as many that do not."""
    names = ("ChangeKind", "Place", "attempt", "path", "read_change", "each")
    mentions: list[NodeContext] = []
    others: list[NodeContext] = []
    for path in sorted(folder.rglob("*.py")):
        lines = path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines, start=1):
            snippet = "\n".join(lines[max(0, number - 3) : number + 2])
            node = NodeContext(f"{path.name}:{number}", None, snippet)
            (mentions if any(name in line for name in names) else others).append(node)
    return mentions + others[: len(mentions)]


if __name__ == "__main__":
    sys.exit(not main())
