"""How measured answers are shown: a table for people, JSON for programs, and case by case for whoever mends rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

import attrs

from interpreters.edge.comparison import OVERALL, Sheet
from interpreters.edge.reliability import Reliability, reliability_of
from interpreters.edge.tables import by_group, print_sheet
from tidepool.cases import Case
from tidepool.metrics import FIGURES, Row, Score, Summary, bins_of, summary, sums_of
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
    "codebases": lambda case: (case.codebase,),
    "kinds": lambda case: (str(case.kind),),
    "tags": lambda case: [str(tag) for tag in case.tags] or (NO_TAG,),
}
"""What is summed up, and by what; a case with two tags counts for both."""


def summaries(measured: Iterable[Measured]) -> dict[str, dict[str, dict[str, Summary]]]:
    """The summary of each way, by grouping, by group and by way; groups are sorted, ways stand as they first came."""
    sorts: dict[str, dict[str, dict[str, list[Score]]]] = {grouping: {} for grouping in GROUPINGS}
    for one in measured:
        for grouping, groups_of in GROUPINGS.items():
            for group in groups_of(one.case):
                sorts[grouping].setdefault(group, {}).setdefault(one.way, []).append(one.score)
    return {
        grouping: {
            group: {way: summary(scores) for way, scores in ways.items()} for group, ways in sorted(groups.items())
        }
        for grouping, groups in sorts.items()
    }


def sheet_of(measured: Iterable[Measured]) -> Sheet:
    """What was measured, as sums by codebase."""
    sheet = Sheet({**FIGURES, "cases": lambda sums: sums[-1]})
    for one in measured:
        sums = [*sums_of(one.score), 1.0]
        for grouping, groups_of in GROUPINGS.items():
            for group in groups_of(one.case):
                sheet.add(grouping, group, one.way, one.case.codebase, sums)
    return sheet


def as_table(found: Measurement, stream: TextIO) -> None:
    """Print what was measured: overall, by codebase, kind and tag; then what is uncertain of it, and the costs."""
    print_sheet(
        sheet_of(found.measured),
        stream,
        columns=COLUMNS,
        uncertain=UNCERTAIN,
        groupings=GROUPINGS,
        against=found.against,
        model_bytes=found.model_bytes,
    )


def as_json(found: Measurement, stream: TextIO) -> None:
    """Print the same as one JSON object, with intervals and differences of every group, and the reliability."""
    means = summaries(found.measured)
    sheet = sheet_of(found.measured)
    plain = {
        **means,
        OVERALL: means[OVERALL].get(OVERALL, {}),
        **uncertainties(sheet, ("kinds", "tags"), found.against),
        "reliability": reliability(found.measured),
        "model_bytes": found.model_bytes,
    }
    stream.write(dumps(to_wire(plain), indent=2) + "\n")


def uncertainties(sheet: Sheet, groupings: Sequence[str], against: str) -> dict[str, Any]:
    """The intervals of all figures and differences, overall and by group, as `--format json` shows them."""
    return {
        "intervals": {
            OVERALL: _intervals(sheet, sheet.overall),
            **{name: by_group(sheet, name, lambda ways: _intervals(sheet, ways)) for name in groupings},
        },
        "against": against,
        "differences": {
            OVERALL: sheet.differences(sheet.overall, against),
            **{name: by_group(sheet, name, lambda ways: sheet.differences(ways, against)) for name in groupings},
        },
    }


def _intervals(sheet: Sheet, ways: Mapping[str, dict[str, list[float]]]) -> dict[str, Any]:
    return {way: sheet.intervals(units) for way, units in ways.items()}


def reliability(measured: Iterable[Measured]) -> dict[str, list[Reliability]]:
    """How often each way's claims of each confidence were right; ways that claim none are left out."""
    claims: dict[str, list[Score]] = {}
    for one in measured:
        claims.setdefault(one.way, []).append(one.score)
    points = {
        way: reliability_of(bins_of(claim for score in scores for claim in score.claims))
        for way, scores in claims.items()
    }
    return {way: some for way, some in points.items() if some}


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
