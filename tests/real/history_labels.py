"""What the histories of repositories give, and labels to read by hand: `python tests/real/history_labels.py REPO...`.

Prints what became of the commits of each, then labels that a seed chooses, of every question in turn, half of them
positive where there are as many, each with what the commit did to its file near the place.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from itertools import zip_longest
from pathlib import Path

from interpreters.edge.dataset.history import Tally, history
from interpreters.git import open_repository
from tidepool.domain import TrainingExample
from tidepool.seeds import shuffled
from tidepool.training.answered import Answered, is_positive
from tidepool.training.touched import touched


async def collected(repository: Path, commits: int, questions: int, seed: int) -> list[Answered]:
    """The first questions of a repository; what became of its commits is printed."""
    tally, begun_s = Tally(), time.perf_counter()
    answered: list[Answered] = []
    told = history(
        repository,
        "HEAD",
        name=repository.name,
        seed=seed,
        licence=None,
        commits_looked_at=commits,
        python=None,
        tally=tally,
    )
    async for one in told:
        answered += [one] * bool(one.examples)
        if len(answered) == questions:
            break
    await told.aclose()
    print(f"{repository}: {time.perf_counter() - begun_s:.0f} s, {len(answered)} questions")
    for field in ("commits", "positives", "negatives", "unreached", "found", "asked", "passed", "left_out"):
        value = getattr(tally, field)
        print(f"    {field}: {value if isinstance(value, int) else dict(value.most_common())}")
    return answered


def chosen(answered: list[Answered], most: int, seed: int) -> list[TrainingExample]:
    """Labels of every question in turn, half of them positive."""
    halves = []
    for wanted in (True, False):
        turns = [
            shuffled((one for one in each.examples if is_positive(one.rubric) is wanted), str(seed))
            for each in answered
        ]
        halves.append([one for turn in zip_longest(*turns) for one in turn if one is not None])
    positives, negatives = halves
    kept = positives[: most // 2]
    return kept + negatives[: most - len(kept)]


def shown(repository: Path, example: TrainingExample) -> None:
    """Print a label, and what its commit did near the place."""
    rubric, node, provenance = example.rubric, example.node, example.provenance
    print(f"\n[{provenance and provenance.change_kind}] {example.query.query}")
    print(f"    {node.location}: {rubric.relevance}/{rubric.risk}/{rubric.confidence} {rubric.reasoning}")
    print(f"    {node.code.strip()[:150]}")
    parent = provenance.revision if provenance else None
    with open_repository(repository) as opened:
        commits = [one for one in opened.commits(opened.resolve("HEAD"), 100_000) if one.parents == (parent,)]
        for commit in commits:
            for file in opened.differences([commit.id])[commit.id]:
                before, after = opened.text(file.before), opened.text(file.after)
                if file.path == node.path and before is not None and after is not None:
                    print(f"    {commit.id[:10]} {commit.subject[:90]}")
                    for hunk in touched(before, after).within(node.line - 3, node.line + 3):
                        instead = re.sub(r"\s+", " ", hunk.instead)[:300]
                        print(f"      lines {hunk.first} to {hunk.last} became: {instead}")


def main() -> int:
    """Read the flags, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=12)
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    for repository in flags.repositories:
        answered = asyncio.run(collected(repository, flags.commits, flags.questions, flags.seed))
        for example in chosen(answered, flags.labels // len(flags.repositories), flags.seed):
            shown(repository, example)
    return 0


if __name__ == "__main__":
    sys.exit(main())
