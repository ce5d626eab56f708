"""What a checker says about a change: it is made to a definition's text in memory, and what newly fails is told.

    tried = yield from trial(change, symbol)            how it would be written, or why there is no telling
    found = yield from what_if(tried.unwrap().edit)     what a checker then newly finds wrong
    judge(change, site, rubric, diagnostic)             a rubric that knows it

A checker sees what types say. It sees no table that lacks a variant, no text, and no use of a name behind an import
that fails: what it is silent about is therefore only judged harmless where `sees` says that it would have spoken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import attrs
from returns.result import Failure, Result

from tidepool.change import Change, ChangeKind
from tidepool.domain import NodeContext, Rubric
from tidepool.eff import Eff
from tidepool.effects.lsp import Diagnostic, Edit, Source, Symbol, is_untyped, source
from tidepool.kinds import NAMING_KINDS
from tidepool.outline import FUNCTIONS
from tidepool.reading.mentions import USES, SiteKind
from tidepool.sites import Site, Subject

Findings: TypeAlias = Mapping[str, Diagnostic]
"""The first of what a checker newly finds wrong on a line, by the line's `path:line`."""

CLEAN_RISK: Final = 2
"""The most that is risked at a place that a checker looked at and found right."""

SURE: Final = 4
"""How sure it is that such a place is right: values without a type may still reach it."""

UNSURE: Final = 2
"""How sure anybody is of a place that no checker can judge."""

_SILENT_ABOUT: Final = frozenset(
    {
        SiteKind.CASE,
        SiteKind.CHAIN,
        SiteKind.TABLE,
        SiteKind.LITERAL,
        SiteKind.ENUMERATION,
        SiteKind.TABLE_VALUE,
        SiteKind.ITERATION,
        SiteKind.TALLY,
        SiteKind.EXPORT,
        SiteKind.REEXPORT,
        SiteKind.SUBCLASS,  # it complains of who makes one
    }
)
"""Sites at which a checker finds nothing wrong although the change concerns them."""

_UNSEEN: Final[Mapping[ChangeKind, frozenset[SiteKind]]] = {
    ChangeKind.ADD_VARIANT: USES,
    ChangeKind.MAKE_ASYNC: USES,  # a coroutine may be ignored, tested, printed, and given where anything is taken
    **dict.fromkeys(NAMING_KINDS, USES),  # where an import fails, a checker does not complain of what was imported
}
"""What a checker does not see besides, by the kind of change."""


@attrs.frozen
class Check:
    """How far a change was checked.

    Attributes:
        broken: what a checker newly finds wrong.
        asked: whether one has answered at all.
        everywhere: whether it has looked at the whole codebase, so that its silence says something.
        lacks: why there is no more of it, a clause, or "".
    """

    broken: Findings = attrs.field(factory=dict)
    asked: bool = False
    everywhere: bool = False
    lacks: str = ""


@attrs.frozen
class Trial:
    """A change made to a definition's text.

    Attributes:
        edit: how.
        lines: those of the file that the edit touches, and the body of a function that changes: what is wrong there
            belongs to the change.
    """

    edit: Edit
    lines: frozenset[int]


def trial(change: Change, symbol: Symbol, namesakes: Iterable[Symbol] = ()) -> Eff[Source, Result[Trial, str]]:
    """How the definition would be written after the change, or a clause that says why there is no telling.

    Args:
        namesakes: other definitions of its name.

    Raises:
        InterpreterError: its file cannot be read.
    """
    from tidepool.edit import hypothetical  # which takes a parser: only who verifies needs it

    if any(other.place.path == f"{symbol.place.path}i" for other in namesakes):
        return Failure("a stub stands beside the definition's file, and a checker reads that one")
    text = yield from source(symbol.place.path)
    return hypothetical(change, symbol, text).map(lambda edit: Trial(edit, _own_lines(edit, symbol, text)))


def _own_lines(edit: Edit, symbol: Symbol, text: str) -> frozenset[int]:
    body = range(symbol.first_line, symbol.last_line + 1) if symbol.kind in FUNCTIONS else ()
    touched = (range(text.count("\n", 0, one.start), text.count("\n", 0, one.end) + 1) for one in edit.splices)
    return frozenset(body).union(line + 1 for lines in touched for line in lines)


def findings(diagnostics: Iterable[Diagnostic], tried: Trial) -> Findings:
    """What a change breaks, by line, besides the lines that are the change."""
    found: dict[str, Diagnostic] = {}
    for diagnostic in sorted(diagnostics):
        place = diagnostic.place
        if place.path != tried.edit.path or place.line not in tried.lines:
            found.setdefault(place.location, diagnostic)
    return found


def sees(kind: ChangeKind, site: Site) -> bool:
    """Whether a checker that is silent about a site has judged it."""
    unseen = _SILENT_ABOUT | _UNSEEN.get(kind, _NOTHING)
    return site.kind in USES - unseen and site.subject is not Subject.WORD


_NOTHING: Final[frozenset[SiteKind]] = frozenset()


def is_judged(kind: ChangeKind, node: NodeContext, site: Site) -> bool:
    """Whether a checker that is silent at a node has found it right: it saw what is there, and might speak."""
    return sees(kind, site) and not is_untyped(node.hover) and _SILENCED.search(node.snippet) is None


def judge(change: Change, node: NodeContext, site: Site, rubric: Rubric, diagnostic: Diagnostic | None) -> Rubric:
    """A rubric by somebody who knows what a checker found wrong at its place, or None for nothing."""
    if diagnostic is not None:
        return Rubric(5, 5, 5, told(diagnostic))
    if not is_judged(change.kind, node, site):
        return rubric
    if rubric.risk <= CLEAN_RISK:
        return attrs.evolve(rubric, confidence=SURE)
    reasoning = f"{rubric.reasoning.rstrip('.')}; with the change made in memory, a checker finds nothing wrong here."
    return attrs.evolve(rubric, risk=CLEAN_RISK, confidence=SURE, reasoning=reasoning)


_SILENCED: Final = re.compile(r"#\s*(?:ty|type|pyrefly|pyright)\s*:\s*ignore|no_type_check")
"""What makes a checker silent where it stands, whatever is wrong."""


def told(diagnostic: Diagnostic) -> str:
    """What a checker said, as a reason."""
    rule = f" [{diagnostic.code}]" if diagnostic.code else ""
    return f"With the change made in memory, the checker says: {diagnostic.message}{rule}"
