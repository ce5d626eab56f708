"""Questions about a codebase's own definitions, for every kind of change and every tag. Pure.

    questions = Questions(sources, seed=0)
    next(questions.about(Tag.FUNCTION))          Question(…), each definition once for every way to ask about it

A question is in one stratum: that of its tag, or of no tag at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

import attrs

from tidepool.asking import phrase
from tidepool.candidates import SUITS, Candidate, Skipped, Sources, candidates
from tidepool.change import Change, ChangeKind
from tidepool.definitions import Defined
from tidepool.domain import QueryContext, Tag
from tidepool.effects.lsp import SymbolKind
from tidepool.outline import FUNCTIONS
from tidepool.seeds import shuffled
from tidepool.sites import in_test
from tidepool.training.lookups import Lookup
from tidepool.training.phrasings import phrasings

Stratum: TypeAlias = Tag | None
"""The tag of a question, or None for one that has none."""

Asked: TypeAlias = ChangeKind | Lookup
"""What a question asks about."""

STRATA: Final[tuple[Stratum, ...]] = (*Tag, None)


@attrs.frozen
class Question:
    """A question for training data.

    Attributes:
        asked: what it asks.
        change: as it is read.
        phrasing: the template that it was made by.
        path: the file of the definition that it is about.
    """

    asked: Asked
    change: Change
    query: QueryContext
    phrasing: str
    path: str

    @property
    def stratum(self) -> Stratum:
        """Its tag, if it has one."""
        return self.query.tags[0] if self.query.tags else None


@attrs.frozen
class _Strand:
    """One thing to ask in a stratum, and of which definitions that suit it."""

    asked: Asked
    suits: Callable[[Defined, Sources], bool] = lambda _one, _sources: True


def _is_class(one: Defined, _: Sources) -> bool:
    return one.symbol.kind in _CLASSES


def _is_function(one: Defined, _: Sources) -> bool:
    return one.symbol.kind in FUNCTIONS


def _is_base(one: Defined, sources: Sources) -> bool:
    """Whether it is a class that others derive from, or a method that a class of another name has as well."""
    if one.symbol.kind in _CLASSES:
        return sources.derived[one.symbol.name] > 0
    return one.symbol.kind is SymbolKind.METHOD and sources.derived[one.symbol.container.rpartition(".")[2]] > 0


def _is_alias(one: Defined, _: Sources) -> bool:
    return one.is_alias


def _is_at_top(one: Defined, _: Sources) -> bool:
    return not one.symbol.container


_CLASSES: Final = frozenset({SymbolKind.CLASS, SymbolKind.ENUM})

_STRANDS: Final[Mapping[Stratum, tuple[_Strand, ...]]] = {
    Tag.EXHAUSTIVE: (_Strand(ChangeKind.ADD_VARIANT), _Strand(ChangeKind.REMOVE_VARIANT)),
    Tag.PATTERN_MATCH: (
        _Strand(ChangeKind.ADD_VARIANT),
        _Strand(ChangeKind.REMOVE_VARIANT),
        _Strand(Lookup.TYPE_CHECKS, _is_class),
        _Strand(ChangeKind.REMOVE, _is_class),
        _Strand(ChangeKind.RENAME, _is_class),
    ),
    Tag.TYPE_FAMILY: (
        _Strand(ChangeKind.ADD_ABSTRACT_METHOD),
        _Strand(ChangeKind.RENAME, _is_base),
        _Strand(ChangeKind.REMOVE, _is_base),
        _Strand(Lookup.SUBCLASSES, _is_base),
    ),
    Tag.CONSTRAINT: (
        _Strand(ChangeKind.CHANGE_PARAMETER_TYPE),
        _Strand(ChangeKind.ADD_ABSTRACT_METHOD),
        _Strand(Lookup.TYPE_USES, _is_class),
    ),
    Tag.DATA_TYPE: (
        _Strand(ChangeKind.ADD_FIELD),
        _Strand(ChangeKind.REMOVE_FIELD),
        _Strand(ChangeKind.RENAME_FIELD),
        _Strand(Lookup.CONSTRUCTIONS, _is_class),
    ),
    Tag.TYPE_ALIAS: (
        _Strand(ChangeKind.CHANGE_ALIAS),
        _Strand(ChangeKind.RENAME, _is_alias),
        _Strand(ChangeKind.REMOVE, _is_alias),
        _Strand(Lookup.TYPE_USES, _is_alias),
        _Strand(ChangeKind.MOVE, _is_alias),
    ),
    Tag.FUNCTION: (
        _Strand(ChangeKind.ADD_PARAMETER),
        _Strand(ChangeKind.REMOVE_PARAMETER),
        _Strand(ChangeKind.CHANGE_RETURN_TYPE),
        _Strand(ChangeKind.MAKE_NULLABLE),
        _Strand(ChangeKind.MAKE_ASYNC),
        _Strand(ChangeKind.RENAME, _is_function),
        _Strand(ChangeKind.REMOVE, _is_function),
        _Strand(Lookup.CALLS, _is_function),
    ),
    Tag.MODULE: (
        _Strand(ChangeKind.MOVE, _is_at_top),
        _Strand(ChangeKind.REMOVE, _is_at_top),
        _Strand(ChangeKind.RENAME, _is_at_top),
        _Strand(Lookup.IMPORTS, _is_at_top),
    ),
    None: (
        *(_Strand(kind) for kind in ChangeKind if kind is not ChangeKind.CHANGE_BEHAVIOUR),
        _Strand(Lookup.CALLS, _is_function),
        _Strand(Lookup.CONSTRUCTIONS, _is_class),
    ),
}
"""What is asked in each stratum."""

_LIKE_REMOVING: Final = frozenset({ChangeKind.MOVE, *Lookup})
"""What can be asked about whatever can be removed as a whole."""


@attrs.frozen
class Questions:
    """The questions about one codebase, in an order that the seed makes."""

    sources: Sources
    seed: int

    def about(self, stratum: Stratum) -> Iterator[Question]:
        """The questions of a stratum, one of each thing to ask in turn."""
        strands = [self._of(strand, stratum) for strand in _STRANDS[stratum]]
        while strands:
            for strand in tuple(strands):
                question = next(strand, None)
                if question is None:
                    strands.remove(strand)
                else:
                    yield question

    def _of(self, strand: _Strand, stratum: Stratum) -> Iterator[Question]:
        asked = strand.asked
        kind = ChangeKind.REMOVE if asked in _LIKE_REMOVING else ChangeKind(asked)
        if kind not in SUITS:
            return
        for one in candidates(self.sources, kind, self.seed):
            if isinstance(one, Skipped) or not strand.suits(one.defined, self.sources):
                continue
            question = self._question(asked, one, stratum)
            if question is not None:
                yield question

    def _question(self, asked: Asked, one: Candidate, stratum: Stratum) -> Question | None:
        seed = f"{self.seed} {stratum} {asked} {one.symbol.place.location}"
        change = self._change(asked, one, seed)
        if change is None:
            return None
        made = phrase(change, phrasings(asked, seed), (stratum,) if stratum else ())
        return made and Question(asked, change, made.query, made.phrasing, one.symbol.place.path)

    def _change(self, asked: Asked, one: Candidate, seed: str) -> Change | None:
        if isinstance(asked, Lookup):
            return Change(ChangeKind.CHANGE_BEHAVIOUR, one.change.targets)
        if asked is not ChangeKind.MOVE:
            return one.change
        here = one.symbol.place.path
        modules = [path for path in self.sources.by_path if path != here and not in_test(path)]
        if not modules:
            return None
        path = shuffled(modules, seed)[0]
        return attrs.evolve(one.change, kind=asked, new_name=path.removesuffix(".py").replace("/", "."))
