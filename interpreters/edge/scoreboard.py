"""How measured answers are shown: a table for people, JSON for programs, and case by case for whoever mends rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

import attrs

from interpreters.edge.comparison import CODEBASES, OVERALL, Sheet, as_plain
from interpreters.edge.tables import print_sheet
from tidepool.bootstrap import Sums
from tidepool.cases import Case
from tidepool.metrics import FIGURES, Row, Score, bins_in, cases_with, sums_of, sums_of_pair
from tidepool.wire import dumps, to_wire

COLUMNS: Final = (
    ("cases", "cases"),
    ("@5", "recall_at_5"),
    ("@10", "recall_at_10"),
    ("recall@20", "recall"),
    ("@50", "recall_at_50"),
    ("by location", "recall_at_location"),
    ("precision", "precision"),
    ("nDCG@20", "ndcg"),
    ("first", "first"),
    ("ECE", "ece"),
    ("seconds", "seconds"),
)
"""The table's headings, and the figure below each."""

UNCERTAIN: Final = tuple(one for one in COLUMNS if one[1] not in {"cases", "recall_at_location", "seconds"})
"""Those whose intervals the table shows: how long an answer took depends on the machine more than on the cases."""

NO_TAG: Final = "no tag"


@attrs.frozen
class Measured:
    """How good the answer of one way to a case was.

    Attributes:
        way: what answered: a scorer's name, or a baseline.
    """

    way: str
    case: Case
    score: Score
    rows: tuple[Row, ...]


@attrs.frozen
class Measurement:
    """All that was measured in one run.

    Attributes:
        measured: every answer.
        against: the way that the others are compared with.
        model_bytes: how large a scorer's model is, where it is known to have one.
    """

    measured: tuple[Measured, ...]
    against: str
    model_bytes: Mapping[str, int] = attrs.field(factory=dict)


GROUPINGS: Final[Mapping[str, Callable[[Case], Sequence[str]]]] = {
    OVERALL: lambda _case: (OVERALL,),
    CODEBASES: lambda case: (case.codebase,),
    "kinds": lambda case: (str(case.kind),),
    "tags": lambda case: [str(tag) for tag in case.tags] or (NO_TAG,),
}
"""What is summed up, and by what; a case with two tags counts for both."""


def sheet_of(found: Measurement) -> Sheet:
    """What was measured, as sums by codebase; answers to one case are the pairs that are compared."""
    sheet = Sheet({"cases": _cases, **FIGURES}, {"precision": _silent})
    others = {one.case: one.score for one in found.measured if one.way == found.against}
    for one in found.measured:
        sums = [*sums_of(one.score), 1.0]
        own, other = sums_of_pair(one.score, others[one.case])
        for grouping, groups_of in GROUPINGS.items():
            for group in groups_of(one.case):
                at = (grouping, group, one.way, one.case.codebase)
                sheet.add(*at, sums)
                sheet.add_pair(*at, ([*own, 1.0], [*other, 1.0]))
    return sheet


def _cases(sums: Sums) -> int:
    return round(sums[-1])


def _silent(sums: Sums) -> float:
    """How many cases have no precision: nothing in them is said to break."""
    return sums[-1] - cases_with("precision", sums)


def as_table(found: Measurement, stream: TextIO) -> None:
    """Print what was measured: overall, by codebase, kind and tag; then what is uncertain of it, and the costs."""
    print_sheet(
        sheet_of(found),
        stream,
        columns=COLUMNS,
        uncertain=UNCERTAIN,
        groupings=GROUPINGS,
        against=found.against,
        model_bytes=found.model_bytes,
    )


def as_json(found: Measurement, stream: TextIO) -> None:
    """Print the same as one JSON object, with intervals and differences of every group, and the reliability."""
    plain = as_plain(sheet_of(found), [*GROUPINGS][1:], found.against, bins_in)
    stream.write(dumps(to_wire({**plain, "model_bytes": found.model_bytes}), indent=2) + "\n")


def as_details(measured: Iterable[Measured]) -> str:
    """JSON lines, one for each case: the question, what each way missed and had wrong, and its rows in order."""
    cases: dict[str, dict[str, Any]] = {}
    for one in measured:
        case = cases.setdefault(one.case.id, {**to_wire(one.case), "ways": {}})
        score = to_wire(one.score)
        del score["claims"]
        case["ways"][one.way] = {**score, "rows": [_row(row) for row in one.rows[:40]]}
    return "".join(f"{dumps(case)}\n" for case in cases.values())


def _row(row: Row) -> dict[str, Any]:
    also = [spot.line for spot in row.also]
    return {"location": row.spot.location, "risk": row.risk, "confidence": row.confidence, "also": also}


SHOWN: Final[Mapping[str, Callable[[Measurement, TextIO], None]]] = {"table": as_table, "json": as_json}
"""How the result can be printed."""
