"""Trails that no server leads along: where the text of a codebase speaks of a definition without mentioning it.

A table keyed by the values of an enum, a `Literal` of them, `patch("module.name")` or a page of documentation refers to
a definition only in words. Words are cheap, so a place counts only if something around it bears it out: the values of
several variants next to each other, a dotted path, a look-up by name, a spelling that nothing else has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from tidepool.change import Change
from tidepool.domain import LINES_AROUND, NodeContext
from tidepool.eff import Eff, each
from tidepool.effects.lsp import Place, Symbol, SymbolKind, Writing, Written, snippet, text_mentions
from tidepool.frontier import Relation
from tidepool.kinds import FIELD_KINDS, GONE_KINDS, PART_KINDS, VARIANT_KINDS
from tidepool.reading.documents import is_document
from tidepool.reading.lookups import is_distinctive, looks_up, names_code
from tidepool.sites import SiteKind, classify, in_test
from tidepool.trails import Following, Trail
from tidepool.variants import Variant, fields, variants

VARIANTS_SOUGHT: Final = 24
"""Variants or fields whose words are searched for; a list of more is a table of data."""

GAP_LINES: Final = 4
"""How far apart, in lines, two variants may be written and still stand together: one branch of a chain."""

CLUSTERS_KEPT: Final = 24
"""Places where variants are written next to each other that are answered, the most complete first."""

WORDS_READ: Final = 200
"""Lines that write a name whose text is looked at for what bears it out; those in tests last."""

LOOKUPS_KEPT: Final = 40
"""Strings that say the name which are answered."""

COMMON_STRINGS: Final = 12
"""Strings that say a name without more; what is said more often is a word, not a name."""

DOCUMENTS_KEPT: Final = 12
"""Documents that are answered, one place of each."""

_WITHOUT_STRINGS: Final = frozenset({"__init__", "__new__", "__call__", "main"})
"""Names that everybody has: that a text says them means nothing."""


def traces(change: Change, symbol: Symbol, outline: Sequence[Symbol]) -> list[Trail]:
    """Every way to follow by the text of the codebase.

    Args:
        outline: the definitions of the file that holds the definition.
    """
    ways: list[Trail] = []
    if change.kind in VARIANT_KINDS:
        name = f"the text for the variants of {symbol.qualified_name}"
        ways.append(Trail(Relation.TEXT, _together(symbol, variants(symbol, outline)), name))
    if change.kind in FIELD_KINDS:
        name = f"the text for the fields of {symbol.qualified_name}"
        ways.append(Trail(Relation.TEXT, _together(symbol, fields(symbol, outline), change.member), name))
    word = change.member if change.kind in PART_KINDS and change.member else symbol.name
    if word not in _WITHOUT_STRINGS:
        ways.append(Trail(Relation.TEXT, _spoken_of(change, symbol, word), f"the text for {word}"))
    return ways


# Several words next to each other: the values of the variants, the names of the fields.


def _together(
    symbol: Symbol, known: Eff[Following, list[Variant]], member: str | None = None
) -> Eff[Following, tuple[Place, ...]]:
    """Where several variants are written next to each other, by their values or by their names.

    Args:
        member: a field that has to be among them, if it is one that is known.
    """
    found = (yield from known)[:VARIANTS_SOUGHT]
    if len(found) < 2:
        return ()
    by_value = {value: variant.name for variant in found for value in variant.values}
    by_name = {variant.name: variant.name for variant in found}
    written = yield from text_mentions(dict.fromkeys([*by_value, *by_name]), Writing.STRING, Writing.DOCUMENT)
    elsewhere = [one for one in written if not _is_inside(symbol, one.place)]
    needed = member if member in by_name else None
    sizes: dict[Place, int] = {}
    for of_words in (by_name, by_value):
        sizes |= dict(_clusters(elsewhere, of_words, _most_of(len(set(of_words.values()))), needed))
    best = sorted(sizes, key=lambda place: (is_document(place.path), in_test(place.path), -sizes[place], place))
    return tuple(best[:CLUSTERS_KEPT])


def _most_of(count: int) -> int:
    """How many variants must be written together for all of them to be meant."""
    return max(2, count // 2 + 1)


def _is_inside(symbol: Symbol, place: Place) -> bool:
    return place.path == symbol.place.path and symbol.first_line <= place.line <= symbol.last_line


def _clusters(
    written: Iterable[Written], of_words: Mapping[str, str], least: int, needed: str | None
) -> Iterator[tuple[Place, int]]:
    """Places around which at least so many variants are written, one for each cluster, and how many there are."""
    near: list[Written] = []
    for found in sorted(found for found in written if found.word in of_words):
        if near and (found.place.path != near[-1].place.path or found.place.line - near[-1].place.line > GAP_LINES):
            yield from _cluster(near, of_words, least, needed)
            near = []
        near.append(found)
    yield from _cluster(near, of_words, least, needed)


def _cluster(
    near: Sequence[Written], of_words: Mapping[str, str], least: int, needed: str | None
) -> Iterator[tuple[Place, int]]:
    """The first place of a cluster whose snippet shows the most of it, if the cluster is large enough."""
    told = {of_words[found.word] for found in near}
    if len(told) < least or (needed and needed not in told):
        return
    places = [found.place for found in near if needed in (None, of_words[found.word])]
    shown = {place: sum(abs(place.line - other.place.line) <= LINES_AROUND for other in near) for place in places}
    yield max(places, key=lambda place: shown[place]), len(told)


# One word: the name itself.


def _spoken_of(change: Change, symbol: Symbol, word: str) -> Eff[Following, tuple[Place, ...]]:
    """Where strings and documents say a name and mean the definition, as far as the text bears it out."""
    in_strings = change.kind in GONE_KINDS
    writings = (Writing.STRING, Writing.DOCUMENT) if in_strings else (Writing.DOCUMENT,)
    written = [found for found in (yield from text_mentions([word], *writings)) if not _is_inside(symbol, found.place)]
    written.sort(key=lambda found: (in_test(found.place.path), found.place))
    read = written[:WORDS_READ]
    texts = yield from each(snippet(found.place) for found in read)
    nodes = [NodeContext(found.place.location, None, text) for found, text in zip(read, texts, strict=True)]
    strings = sum(found.writing is Writing.STRING for found in written)
    meant = [
        found
        for found, node in zip(read, nodes, strict=True)
        if _is_meant(change, symbol, found, node, is_rare=strings <= COMMON_STRINGS)
    ]
    said = [found.place for found in meant if found.writing is Writing.STRING][:LOOKUPS_KEPT]
    return (*said, *_one_a_file([found.place for found in meant if found.writing is Writing.DOCUMENT]))


def _is_meant(change: Change, symbol: Symbol, found: Written, node: NodeContext, *, is_rare: bool) -> bool:
    if found.writing is Writing.DOCUMENT:
        return names_code(node.code, found.word, around=_around(symbol))
    if classify(change, node).kind is SiteKind.EXPORT:
        return True
    if looks_up(node.code, found.word, around=_around(symbol)):
        return is_rare or is_distinctive(found.word) or symbol.kind is not SymbolKind.METHOD
    return is_rare and is_distinctive(found.word)


def _around(symbol: Symbol) -> tuple[str, ...]:
    """What may stand in front of the name of a definition, in a dotted path: its class, its module, its package."""
    *folders, file = symbol.place.path.removesuffix(".py").split("/")
    module = file if file != "__init__" else ""
    return tuple(part for part in (*symbol.container.split(".")[-1:], module, *folders[-1:]) if part)


def _one_a_file(places: Sequence[Place]) -> tuple[Place, ...]:
    seen: Counter[str] = Counter()
    kept: list[Place] = []
    for place in places:
        seen[place.path] += 1
        if seen[place.path] == 1:
            kept.append(place)
    return tuple(kept[:DOCUMENTS_KEPT])
