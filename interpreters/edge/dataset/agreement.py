"""`tidepool dataset agreement DIR`: where the rules and the compiler say different things of the same place."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from interpreters.edge.dataset.outcome import DONE, NOTHING, outcome, say
from interpreters.edge.dataset.reading import read_examples
from interpreters.edge.printing import printable
from tidepool.training.agreement import Agreement, Disagreement, Shares

HEAD: Final = ("places", "same", "within one", "missed", "alarmed")


def flags(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="the dataset")


def main(arguments: argparse.Namespace) -> int:
    """Print the tables, in Markdown, and answer the command's exit code."""
    return outcome("agreement", lambda: _print(arguments.folder))


def _print(folder: Path) -> int:
    agreement = Agreement()
    for _, example in read_examples(folder):
        agreement.count(example)
    if not agreement.all.places:
        return say("agreement", "no label says what a compiler says: build with mixed or oracle labels", NOTHING)
    print(in_markdown(agreement))
    return DONE


def in_markdown(agreement: Agreement) -> str:
    """The tables and the worst disagreements."""
    tables = {"question's tag": agreement.by_tag, "what is asked": agreement.by_kind}
    parts = [_table(title, {**dict(sorted(table.items())), "all": agreement.all}) for title, table in tables.items()]
    worst = [_disagreement(number, one) for number, one in enumerate(agreement.worst, start=1)]
    return "\n\n".join([*parts, "The places where the two are furthest apart:", "\n".join(worst)])


def _table(title: str, rows: Mapping[str, Shares]) -> str:
    lines = [f"| {title} | {' | '.join(HEAD)} |", f"|{'---|' * (len(HEAD) + 1)}"]
    for name, shares in rows.items():
        parts = (shares.same, shares.near, shares.missed, shares.alarmed)
        lines.append(f"| {name} | {shares.places} | {' | '.join(f'{part / shares.places:.3f}' for part in parts)} |")
    return "\n".join(lines)


def _disagreement(number: int, one: Disagreement) -> str:
    example, rules = one.example, one.rules
    codebase = example.provenance.codebase if example.provenance else ""
    return "\n".join(
        [
            f"{number}. {printable(example.query.query)}  ",
            f"   `{codebase}/{example.node.location}`: `{printable(example.node.code.strip())}`  ",
            f"   rules {rules.relevance}/{rules.risk}: {printable(rules.reasoning)}  ",
            f"   label {example.rubric.relevance}/{example.rubric.risk}: {printable(example.rubric.reasoning)}",
        ]
    )
