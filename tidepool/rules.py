"""What a change does to a place: a table over (kind of change, kind of site), and how a rubric is read from it.

    rate(change, node)                   the rubric of a node
    expected(change, site)               the rule for a site: what its text alone makes likely
    action(change, site)                 what to do there, in the imperative
    propagates(change, site)             whether the change goes on to the callers of the function that holds the site

The tables themselves are in `tidepool.rulebook` and `tidepool.particulars`. Pure and total: every change has a rule for
every site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import attrs

from tidepool.change import Change, ChangeKind
from tidepool.domain import NodeContext, Rubric, Tag
from tidepool.effects.lsp import is_untyped
from tidepool.kinds import PROPAGATING_KINDS, VARIANT_KINDS
from tidepool.particulars import (
    BY_AROUND,
    BY_PASSING,
    BY_USE,
    DOTTED,
    FALLBACK,
    MEMBER_RULES,
    OPTIONAL,
    RENAMED_PARAMETER,
    WORD_RULES,
)
from tidepool.reading.lens import lens
from tidepool.reading.mentions import AKIN, CALLS, IMPORTS, INVOKED, USES, VALUES
from tidepool.rulebook import DEFAULTS, NEARBY, NOT_MENTIONED, PARENTS, RULES, SIBLING_STAYS, Row, Rule
from tidepool.sites import Around, Passing, Site, SiteKind, Subject, Use, classify, tags
from tidepool.ties import How, meant, tie_in

NAME_CHARACTERS: Final = 80
"""What is shown of a name in a sentence."""


UNTYPED_RISK: Final = 3
"""The most that is risked where nobody can tell whether a value is of the type that changes."""


def rate(change: Change, node: NodeContext, asked: tuple[Tag, ...] = ()) -> Rubric:
    """How much a node matters to a change.

    Args:
        asked: what kind of code the question is about: a site of that kind is one step more relevant.
    """
    site = classify(change, node)
    rubric = _in_turn(node, rate_site(meant(change, node), site, asked))
    if (most := _tied_risk(change, node, site)) < rubric.risk:
        rubric = attrs.evolve(rubric, risk=most)
    if not is_untyped(node.hover) or rubric.risk <= UNTYPED_RISK:
        return rubric
    reasoning = f"{rubric.reasoning}, if the value is one of that type: the server cannot tell"
    return attrs.evolve(rubric, risk=UNTYPED_RISK, confidence=min(rubric.confidence, 2), reasoning=reasoning)


INDIRECT: Final = 4
"""The most relevance and risk of what a change only reaches if the function in between follows it."""


def _in_turn(node: NodeContext, rubric: Rubric) -> Rubric:
    """The rubric of a call of a function that has to become async because of what it calls."""
    tie = tie_in(node.hover)
    if tie is None or tie.how is not How.CALLS:
        return rubric
    return Rubric(
        min(rubric.relevance, INDIRECT),
        min(rubric.risk, INDIRECT),
        min(rubric.confidence, 3),
        f"`{_shown(tie.name)}` has to become async in turn, since it calls `{_shown(tie.to)}`: {rubric.reasoning}",
    )


def _tied_risk(change: Change, node: NodeContext, site: Site) -> int:
    """The most that is risked where an alias that changes is tied to a place: the new type may fit there as well."""
    tie = tie_in(node.hover) if change.kind is ChangeKind.CHANGE_ALIAS else None
    if tie is None:
        return 5
    return 2 if tie.how is How.TAKES and site.passing is not Passing.NAMED else 3


def rate_site(change: Change, site: Site, asked: tuple[Tag, ...] = ()) -> Rubric:
    """How much a site matters to a change."""
    rule = expected(change, site)
    relevance = rule.relevance
    if asked and 1 < relevance < 5 and not set(asked).isdisjoint(tags(site.kind)):
        relevance += 1
    if site.in_test and relevance > 1:
        relevance -= 1
    return Rubric(relevance, rule.risk, rule.confidence, _say(change, site, rule.why))


def expected(change: Change, site: Site) -> Rule:
    """The rule for a site."""
    if site.kind is SiteKind.NONE:
        return NEARBY if site.name else NOT_MENTIONED
    if site.subject is Subject.SIBLING and change.kind is ChangeKind.REMOVE_VARIANT:
        return SIBLING_STAYS
    if site.subject is Subject.HELD and site.kind is SiteKind.WRITE:
        return DEFAULTS[SiteKind.WRITE]  # the variable holds something else from here on
    if site.subject is Subject.WORD and change.kind in _WORDS:
        return _WORDS[change.kind][site.kind]
    rule = _by_facts(change, site) or _rows(change, site.subject is Subject.MEMBER)[site.kind]
    return _soften(change.kind, rule) if site.subject is Subject.OTHER and site.kind not in AKIN else rule


def action(change: Change, site: Site) -> str:
    """What to do at a site, in the imperative."""
    return _say(change, site, expected(change, site).do)


def propagates(change: Change, site: Site) -> bool:
    """Whether the change goes on from a site to the callers of the function that holds it."""
    if change.kind is ChangeKind.MAKE_ASYNC:
        return site.around is Around.SYNC and not site.in_test
    return change.kind in PROPAGATING_KINDS and site.kind in VALUES and site.use is Use.RETURNED and not site.in_test


def _by_facts(change: Change, site: Site) -> Rule | None:
    """The rule that what is seen besides the kind of the site decides, if any does."""
    kind = change.kind
    if change.optional and site.kind in INVOKED:
        return OPTIONAL[kind]
    if site.kind in CALLS and site.passing is not Passing.UNKNOWN:
        by_passing = RENAMED_PARAMETER.passing if _renames_parameter(change) else BY_PASSING.get(kind, _NOTHING_PASSED)
        if rule := by_passing.get(site.passing):
            return rule
    if site.kind in VALUES and (by_use := BY_USE.get(kind)):
        return by_use[site.use]
    if rule := BY_AROUND.get(kind, _NOTHING_AROUND).get(site.around):
        return rule
    if site.fallback and kind in FALLBACK:
        return FALLBACK[kind]
    return DOTTED.get(kind) if site.dotted and site.kind in USES - IMPORTS else None


_NOTHING_PASSED: Final[Mapping[Passing, Rule]] = {}
_NOTHING_AROUND: Final[Mapping[Around, Rule]] = {}


def _renames_parameter(change: Change) -> bool:
    return change.kind is ChangeKind.RENAME and change.member is not None


def _rows(change: Change, of_member: bool) -> Mapping[SiteKind, Rule]:
    """The row of the table, every kind of site filled in."""
    if _renames_parameter(change):
        return _RENAMED_MEMBER if of_member else _RENAMED_TARGET
    if of_member and change.kind in _MEMBERS:
        return _MEMBERS[change.kind]
    return _TARGETS[change.kind]


def _filled(row: Row) -> dict[SiteKind, Rule]:
    """A row with a rule for every kind of site."""
    return {kind: _rule_in(row, kind) for kind in SiteKind}


def _rule_in(row: Row, kind: SiteKind) -> Rule:
    """A row's rule for a kind of site, that for any use, that for the kind's parent, or the default."""
    anywhere = row.get(None) if kind in USES else None
    if rule := row.get(kind) or anywhere:
        return rule
    parent = PARENTS.get(kind)
    if parent is not None and (parent in row or kind not in DEFAULTS):
        return _rule_in(row, parent)
    return DEFAULTS[kind]


_TARGETS: Final = {kind: _filled(row) for kind, row in RULES.items()}
_MEMBERS: Final = {kind: _filled(row) for kind, row in MEMBER_RULES.items()}
_WORDS: Final = {kind: _filled(row) for kind, row in WORD_RULES.items()}
_RENAMED_TARGET: Final = _filled(RENAMED_PARAMETER.target)
_RENAMED_MEMBER: Final = _filled(RENAMED_PARAMETER.member)


@lru_cache(maxsize=1024)
def _soften(kind: ChangeKind, rule: Rule) -> Rule:
    """The rule for a name that the question does not mention.

    A variant's siblings are often classes of their own, so a match over names that the question does not mention is
    likely the one that matters; elsewhere such a name matters only if the change reaches it.
    """
    steps = 1 if kind in VARIANT_KINDS else 2
    return rule._replace(
        relevance=max(1, rule.relevance - steps),
        risk=max(1, rule.risk - steps),
        confidence=min(2, rule.confidence),
        why=f"if the change reaches `{{name}}`: {rule.why}",
    )


@lru_cache(maxsize=64)
def _words(change: Change) -> dict[str, str]:
    """What stands for the names in a change's sentences."""
    with_name, without = MEMBER_WORDS.get(change.kind, ("`{}`", "the member"))
    member = change.member or lens(change).member
    target = change.targets[0].qualified_name if change.targets else ""
    return {
        "member": with_name.format(_shown(member)) if member else without,
        "target": f"`{_shown(target)}`" if target else "what is asked about",
        "new": f"`{_shown(change.new_name)}`" if change.new_name else "the new name",
        "place": f"`{_shown(change.new_name)}`" if change.new_name else "its new module",
    }


MEMBER_WORDS: Final[Mapping[ChangeKind, tuple[str, str]]] = {
    ChangeKind.ADD_VARIANT: ("the new variant `{}`", "the new variant"),
    ChangeKind.REMOVE_VARIANT: ("the variant `{}`", "the removed variant"),
    ChangeKind.RENAME: ("the parameter `{}`", "the parameter"),
    ChangeKind.ADD_PARAMETER: ("the new parameter `{}`", "the new parameter"),
    ChangeKind.REMOVE_PARAMETER: ("the parameter `{}`", "the removed parameter"),
    ChangeKind.CHANGE_PARAMETER_TYPE: ("the parameter `{}`", "the changed parameter"),
    ChangeKind.ADD_FIELD: ("the new field `{}`", "the new field"),
    ChangeKind.REMOVE_FIELD: ("the field `{}`", "the removed field"),
    ChangeKind.RENAME_FIELD: ("the field `{}`", "the renamed field"),
    ChangeKind.ADD_ABSTRACT_METHOD: ("the abstract method `{}`", "the new abstract method"),
}
"""How the member of a change is spoken of, with its name and without."""


def _say(change: Change, site: Site, template: str) -> str:
    """A sentence about a site, its first letter a capital."""
    if site.subject is Subject.HELD:  # not what the variable gives, but what it is
        template = _OF_CALL.sub("`{name}`", template)
    function = f"`{_shown(site.function)}`" if site.function else "the function around it"
    text = template.format(name=_shown(site.name), function=function, **_words(change))
    return text[:1].upper() + text[1:]


_OF_CALL: Final = re.compile(r"(?:what|the result of) `\{name\}`(?: gives)?")


def _shown(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else name[:NAME_CHARACTERS] + "…"
