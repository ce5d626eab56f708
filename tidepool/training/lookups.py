"""Questions that ask where something is done and for no change, and what answers them: sites of a kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tidepool.change import read_change
from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.reading.mentions import AKIN, DEFINITIONS, IMPORTS, TEXTS, SiteKind
from tidepool.sites import Subject, classify


class Lookup(StrEnum):
    """What is looked for, in a phrase."""

    CALLS = "who calls it"
    CONSTRUCTIONS = "where it is constructed"
    IMPORTS = "who imports it"
    SUBCLASSES = "what derives from it"
    TYPE_USES = "where it is a type"
    TYPE_CHECKS = "where types are told apart"


ANSWERS: Final[Mapping[Lookup, frozenset[SiteKind]]] = {
    Lookup.CALLS: frozenset({SiteKind.CALL, SiteKind.SUPER_CALL, SiteKind.CONSTRUCTION, SiteKind.DECORATOR}),
    Lookup.CONSTRUCTIONS: frozenset({SiteKind.CONSTRUCTION, SiteKind.RAISE}),
    Lookup.IMPORTS: frozenset({SiteKind.IMPORT, SiteKind.IMPORT_AS, SiteKind.REEXPORT}),
    Lookup.SUBCLASSES: frozenset({SiteKind.SUBCLASS}),
    Lookup.TYPE_USES: frozenset({SiteKind.ANNOTATION, SiteKind.ALIAS}),
    Lookup.TYPE_CHECKS: frozenset({SiteKind.ISINSTANCE, SiteKind.CASE, SiteKind.EXCEPT}),
}
"""The sites that are asked for."""

_ELSEWHERE: Final[Mapping[SiteKind, int]] = {
    **dict.fromkeys(SiteKind, 3),
    **dict.fromkeys(DEFINITIONS, 4),
    **dict.fromkeys(IMPORTS | AKIN, 2),
    **dict.fromkeys(TEXTS, 2),
    SiteKind.NONE: 1,
}
"""How relevant a place is at which something else is done: what is asked about is there all the same, or is not."""


def rate_lookup(lookup: Lookup, query: QueryContext, node: NodeContext) -> Rubric:
    """How well a node answers; nothing is risked, since nothing is to change.

    The language server says what the name refers to, and the syntax what is done with it there.
    """
    site = classify(read_change(query), node)
    if site.kind in ANSWERS[lookup] and site.subject is Subject.TARGET:
        return Rubric(5, 1, 5, f"`{site.name}` stands here: {site.kind}, which is what was asked for.")
    if site.kind is SiteKind.NONE:
        return Rubric(1, 1, 4, "What was asked about is not mentioned here.")
    relevance = _ELSEWHERE[site.kind] if site.subject is Subject.TARGET else 2
    return Rubric(relevance, 1, 4, f"`{site.name}` stands here as {site.kind}, which was not asked for.")
