"""What trees look at: whole numbers, made from the five fields that a scorer sees and from nothing else.

    view = look(query, node)
    view.values                 one number for each of FEATURES, in that order
    SCHEME                      a name for the list and what its values mean: a model is of one scheme

All values are whole numbers, so that a threshold means the same wherever it is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

import attrs

from tidepool.change import Change, ChangeKind, read_change
from tidepool.domain import LINES_AROUND, NodeContext, QueryContext, Rubric, Tag
from tidepool.effects.lsp import is_untyped
from tidepool.reading.documents import is_document
from tidepool.rules import propagates, rate
from tidepool.sites import Around, Passing, Site, SiteKind, Subject, Use, classify, tags
from tidepool.ties import How, inside_in, meant, tie_in

MOST: Final = 100
"""What counts and lengths are cut at: beyond it they say nothing more."""

LINE_CHARACTERS: Final = 1_000
TEXT_CHARACTERS: Final = 5_000
"""What is read of a line, and of a snippet or a hover text."""


@attrs.frozen
class View:
    """A node as trees see it.

    Attributes:
        values: one for each of `FEATURES`.
        rubric: what the rules say.
    """

    values: Sequence[int]
    rubric: Rubric


def look(query: QueryContext, node: NodeContext) -> View:
    """A node's features; total, pure, some tens of microseconds."""
    change = read_change(query)
    rubric = rate(change, node, query.tags)
    asked = _asked(query)
    values = [
        *asked.values,
        rubric.relevance,
        rubric.risk,
        rubric.confidence,
        *_of_site(change, node, query.tags),
        *_of_place(node.location, asked),
        *_of_hover(node.hover or "", asked),
        *_of_lines(node, asked),
    ]
    return View(values, rubric)


def _codes(kind: type[StrEnum]) -> dict[str, int]:
    return {value: number for number, value in enumerate(kind, start=1)}


_CODED: Final = (ChangeKind, SiteKind, Subject, Use, Passing, Around, How, Tag)
_CODE: Final = {kind: _codes(kind) for kind in _CODED}

_ASKS: Final = {
    "asks_calls": r"call|invo[kc]|uses? of",
    "asks_imports": r"import",
    "asks_constructions": r"construct|creat|instan|built|build|made",
    "asks_subclasses": r"subclass|deriv|inherit|extend|descend",
    "asks_types": r"annotat|as a type|\btype[ds]?\b|hint",
    "asks_checks": r"isinstance|told apart|type check|narrow|match|distinguish",
    "asks_where": r"\bwh(?:o|ere|ich|at)\b",
    "asks_breaks": r"break|affect|impact|change|need|fail|touch",
}
_ASKING: Final = [re.compile(pattern, re.IGNORECASE) for pattern in _ASKS.values()]
_NOTHING: Final = re.compile(r"(?!)")


@attrs.frozen
class _Asked:
    """A question, prepared once for its nodes."""

    values: tuple[int, ...]
    name: str
    target: re.Pattern[str]
    container: re.Pattern[str]
    member: re.Pattern[str]
    new: re.Pattern[str]


_OF_QUESTION: Final = (
    "change",
    *(f"tag_{tag.lower()}" for tag in Tag),
    "targets",
    "has_member",
    "has_new_name",
    "optional",
    "has_container",
    "target_is_class",
    "target_is_private",
    "target_is_constant",
    "target_is_dunder",
    "target_length",
    *_ASKS,
)


@lru_cache(maxsize=32)
def _asked(query: QueryContext) -> _Asked:
    change = read_change(query)
    target = change.targets[0] if change.targets else None
    name, container = (target.name, target.container.rpartition(".")[2]) if target else ("", "")
    text = query.query[:TEXT_CHARACTERS]
    values = (
        _CODE[ChangeKind][change.kind],
        *(tag in query.tags for tag in Tag),
        len(change.targets),
        change.member is not None,
        change.new_name is not None,
        change.optional,
        bool(container),
        name.lstrip("_")[:1].isupper(),
        name.startswith("_"),
        name.isupper(),
        name.startswith("__") and name.endswith("__"),
        min(len(name), MOST),
        *(pattern.search(text) is not None for pattern in _ASKING),
    )
    return _Asked(
        tuple(map(int, values)), name, _word(name), _word(container), _word(change.member), _word(change.new_name)
    )


def _word(name: str | None) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") if name else _NOTHING


_OF_RULES: Final = ("rule_relevance", "rule_risk", "rule_confidence")

_OF_SITE: Final = (
    "site",
    "subject",
    "use",
    "passing",
    "around",
    "in_test",
    "dotted",
    "fallback",
    "aliased",
    "propagates",
    "tie",
    "tie_parameter",
    "meant",
    "inside",
    "inside_async",
    "tags_met",
)


def _of_site(change: Change, node: NodeContext, asked: Sequence[Tag]) -> tuple[int, ...]:
    site: Site = classify(change, node)
    tie = tie_in(node.hover)
    within = inside_in(node.hover) or ""
    amounts = meant(change, node)
    return (
        _CODE[SiteKind][site.kind],
        _CODE[Subject][site.subject],
        _CODE[Use][site.use],
        _CODE[Passing][site.passing],
        _CODE[Around][site.around],
        int(site.in_test),
        int(site.dotted),
        int(site.fallback),
        int(bool(site.alias)),
        int(propagates(amounts, site)),
        _CODE[How][tie.how] if tie else 0,
        int(tie is not None and bool(tie.parameter)),
        _CODE[ChangeKind][amounts.kind],
        int(bool(within)),
        int(within.startswith("async")),
        len({*asked} & {*tags(site.kind)}),
    )


_OF_PLACE: Final = ("depth", "is_package", "is_stub", "is_document", "is_python", "path_says_target", "at_top")


def _of_place(location: str, asked: _Asked) -> tuple[int, ...]:
    path, _, line = location.rpartition(":")
    stem = path.rpartition("/")[2].partition(".")[0].lstrip("_").lower()
    return (
        min(path.count("/"), MOST),
        int(path.endswith("__init__.py")),
        int(path.endswith(".pyi")),
        int(is_document(path)),
        int(path.endswith(".py")),
        int(bool(stem) and stem in asked.name.lower()),
        int(len(line) < 3 and int(line) <= LINES_AROUND),
    )


_HOVERS: Final = {
    "hover_is_class": r"<class |class \w",
    "hover_is_function": r"\bdef |\) -> ",
    "hover_is_bound": r"bound method",
    "hover_is_module": r"<module ",
    "hover_is_type": r"\btype\[",
    "hover_is_literal": r"Literal\[",
    "hover_is_optional": r"\| None|None \|",
    "hover_is_union": r" \| ",
    "hover_is_unknown": r"Unknown|Any\b",
    "hover_is_coroutine": r"Coroutine|Awaitable|async def",
    "hover_is_property": r"property",
    "hover_has_defaults": r" = ",
    "hover_is_variadic": r"\*\w",
    "hover_is_overloaded": r"Overload|@overload",
}
_HOVERING: Final = [re.compile(pattern) for pattern in _HOVERS.values()]
_OF_HOVER: Final = (
    "hover_length",
    "hover_untyped",
    "hover_says_target",
    "hover_says_container",
    "hover_says_member",
    "hover_commas",
    *_HOVERS,
)


def _of_hover(hover: str, asked: _Asked) -> tuple[int, ...]:
    head = hover[:TEXT_CHARACTERS].partition("\n---")[0]
    return (
        min(len(head), MOST),
        int(is_untyped(hover or None)),
        _count(asked.target, head),
        _count(asked.container, head),
        _count(asked.member, head),
        min(head.count(","), MOST),
        *(int(pattern.search(head) is not None) for pattern in _HOVERING),
    )


_LINES: Final = {
    "line_defines": r"^\s*(?:async\s+)?def\b",
    "line_is_class": r"^\s*class\b",
    "line_imports": r"^\s*(?:from|import)\b",
    "line_returns": r"^\s*(?:return|yield)\b",
    "line_raises": r"^\s*raise\b",
    "line_asserts": r"^\s*assert\b",
    "line_decorates": r"^\s*@",
    "line_is_comment": r"^\s*#",
    "line_branches": r"^\s*(?:if|elif|else|while|match|case)\b",
    "line_excepts": r"^\s*except\b",
    "line_assigns": r"^\s*[\w.\[\]\"', ]+(?::[^=]+)?=(?!=)",
    "line_annotates": r"^\s*[\w.]+\s*:\s*\S",
    "line_awaits": r"\bawait\b",
    "line_quotes": r"[\"']",
    "line_checks_type": r"isinstance|issubclass|type\(",
    "line_compares": r"[=!]=|\bis\b|\bin\b",
    "line_spreads": r"\*\w",
    "line_supers": r"super\(\)",
    "line_is_lambda": r"\blambda\b",
    "line_has_arrow": r"->",
    "line_has_none": r"\bNone\b",
    "line_has_ignore": r"type:\s*ignore|noqa",
    "line_opens": r"[(\[{]\s*$",
    "line_ends_colon": r":\s*$",
}
_LINING: Final = [re.compile(pattern) for pattern in _LINES.values()]
_CALLED: Final = re.compile(r"\s*\(([^()]*)(\)?)")
_OF_LINES: Final = (
    "line_length",
    "line_indent",
    "line_commas",
    "line_keywords",
    "target_on_line",
    "container_on_line",
    "member_on_line",
    "new_on_line",
    "target_around",
    "container_around",
    "member_around",
    "target_above",
    "target_below",
    "target_after_dot",
    "target_before_dot",
    "target_called",
    "call_arguments",
    "call_keywords",
    "call_closes",
    "target_as_keyword",
    "member_as_keyword",
    "target_quoted",
    "lines",
    "indent_above",
    "def_around",
    "class_around",
    *_LINES,
)


def _of_lines(node: NodeContext, asked: _Asked) -> tuple[int, ...]:
    lines = [line[:LINE_CHARACTERS] for line in node.snippet[:TEXT_CHARACTERS].split("\n")]
    index = min(LINES_AROUND, node.line - 1, len(lines) - 1)
    line, above, below = lines[index], "\n".join(lines[:index]), "\n".join(lines[index + 1 :])
    around = f"{above}\n{below}"
    return (
        min(len(line), MOST),
        _indent(line),
        min(line.count(","), MOST),
        len(_KEYWORD.findall(line)),
        _count(asked.target, line),
        _count(asked.container, line),
        _count(asked.member, line),
        _count(asked.new, line),
        _count(asked.target, around),
        _count(asked.container, around),
        _count(asked.member, around),
        _count(asked.target, above),
        _count(asked.target, below),
        *_of_mention(line, asked),
        len(lines),
        _indent(lines[index - 1]) if index else 0,
        int("def " in around),
        int("class " in around),
        *(int(pattern.search(line) is not None) for pattern in _LINING),
    )


_KEYWORD: Final = re.compile(r"[(,]\s*\w+=(?!=)")


def _of_mention(line: str, asked: _Asked) -> tuple[int, ...]:
    """What stands around the first mention of the target on a line, and of its member."""
    found = asked.target.search(line)
    member = asked.member.search(line)
    as_keyword = int(member is not None and _is_keyword(line, member.end()))
    if found is None:
        return (0, 0, 0, 0, 0, 0, 0, as_keyword, 0)
    before, after = line[: found.start()], line[found.end() :]
    call = _CALLED.match(after)
    arguments = call[1] if call else ""
    return (
        int(before.endswith(".")),
        int(after.startswith(".")),
        int(after.startswith("(")),
        arguments.count(",") + 1 if arguments.strip() else 0,
        arguments.count("="),
        int(call is not None and bool(call[2])),
        int(_is_keyword(line, found.end())),
        as_keyword,
        int(before.endswith(("'", '"', "`"))),
    )


def _is_keyword(line: str, end: int) -> bool:
    return line.startswith("=", end) and not line.startswith("==", end)


def _indent(line: str) -> int:
    return min(len(line) - len(line.lstrip()), MOST)


def _count(pattern: re.Pattern[str], text: str) -> int:
    return min(len(pattern.findall(text)), MOST) if pattern is not _NOTHING else 0


FEATURES: Final = (*_OF_QUESTION, *_OF_RULES, *_OF_SITE, *_OF_PLACE, *_OF_HOVER, *_OF_LINES)
"""Their names, in the order of a view's values."""

RISING: Final = frozenset({"rule_relevance", "rule_risk"})
"""Features that never lower what trees say: who follows the rules, follows them the same way everywhere."""

_MEANINGS: Final = (
    *FEATURES,
    *(f"{kind.__name__}: {', '.join(kind)}" for kind in _CODED),
    *(f"{name}: {pattern}" for patterns in (_ASKS, _HOVERS, _LINES) for name, pattern in patterns.items()),
    *(pattern.pattern for pattern in (_CALLED, _KEYWORD)),
    f"at most {MOST}; {LINE_CHARACTERS}, {TEXT_CHARACTERS} characters; {LINES_AROUND} lines around",
)

SCHEME: Final = sha256("\n".join(_MEANINGS).encode()).hexdigest()[:16]
"""A name for the list of features and for what their codes, patterns and limits mean.

A model that was made for another is of no use. What is computed in code, such as what the rules say, no name can tell:
the tests look at fixed nodes for that.
"""
