"""Which changes of a codebase make cases: its definitions, what could be done to each, and how to ask about it. Pure.

    for candidate in candidates(files, ChangeKind.RENAME, seed=0): ...     in an order that the seed makes

Names that several definitions share make an ambiguous question. Such a definition is asked about by its class or its
module, and where that does not tell it apart either, it is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import zip_longest
from typing import Final

import attrs

from tidepool.asking import ask
from tidepool.cases import Spot
from tidepool.change import Change, ChangeKind, Target
from tidepool.definitions import Defined, definitions, exports
from tidepool.domain import QueryContext
from tidepool.effects.lsp import Symbol, SymbolKind
from tidepool.kinds import PART_KINDS
from tidepool.outline import FUNCTIONS
from tidepool.reading.coroutines import can_be_async
from tidepool.seeds import shuffled
from tidepool.sites import in_test

NEW_PARAMETERS: Final = ("strict", "deadline", "verbose", "audit", "quota", "origin", "trace_id")
NEW_FIELDS: Final = ("region", "revision", "checksum", "priority", "owner_id", "created_by")
NEW_VARIANTS: Final = ("SPARE", "CUSTOM", "HYBRID", "EXPERIMENTAL", "REMOTE")
NEW_METHODS: Final = ("describe", "snapshot", "warm_up", "validate_all", "teardown")
SUFFIXES: Final = {"lower": ("_impl", "_value", "_raw", "_item"), "Class": ("Base", "Spec", "Impl", "Info")}
"""Made-up names: what is added, and what something is renamed to."""


@attrs.frozen
class Candidate:
    """A change to a definition, and how somebody asks about it."""

    change: Change
    defined: Defined
    query: QueryContext

    @property
    def symbol(self) -> Symbol:
        """The definition that is edited."""
        return self.defined.symbol


@attrs.frozen
class Skipped:
    """A definition that no case can be made from, and why: a clause."""

    symbol: Symbol
    why: str


@attrs.frozen
class Sources:
    """The source files of a codebase.

    Attributes:
        files: the text of each, by its path.
    """

    files: Mapping[str, str] = attrs.field(eq=False, repr=False)

    def parse(self) -> None:
        """Find the definitions now, and not when they are first needed."""
        _ = self.by_path

    @cached_property
    def by_path(self) -> dict[str, tuple[Defined, ...]]:
        """The definitions of each file that can be parsed; of overloads, the function alone."""
        return dict(self._read())

    def _read(self) -> Iterator[tuple[str, tuple[Defined, ...]]]:
        for path in sorted(self.files):
            try:
                found = definitions(path, self.files[path])
            except SyntaxError:  # made on purpose, in tests; or written for a later Python
                continue
            yield path, tuple(one for one in found if not one.is_overload)

    @cached_property
    def everything(self) -> tuple[Defined, ...]:
        """Every definition."""
        return tuple(one for found in self.by_path.values() for one in found)

    @cached_property
    def _marks(self) -> dict[int, str]:
        """What tells each definition from others, by its identity: to print one takes longer than to choose it."""
        return {id(one): repr(one) for one in self.everything}

    def mark(self, one: Defined) -> str:
        """What tells a definition from others."""
        return self._marks[id(one)]

    @cached_property
    def _spelled(self) -> Counter[str]:
        """How many definitions a spelling may mean."""
        return Counter(spelling for one in self.everything for spelling in set(_spellings(one.symbol)))

    @cached_property
    def derived(self) -> Counter[str]:
        """How many classes derive from a class of a name."""
        return Counter(base for one in self.everything for base in set(one.bases))

    @cached_property
    def words(self) -> Counter[str]:
        """How often each word stands in the codebase."""
        return Counter(word for text in self.files.values() for word in re.findall(r"\w+", text))

    def exporting(self, name: str, paths: Iterable[str]) -> list[Spot]:
        """Where those of the files that can be parsed list a name in `__all__`."""
        listed = ((path, exports(self.files[path]).get(name)) for path in paths if path in self.by_path)
        return [Spot(path, line) for path, line in listed if line is not None]

    def spelling(self, symbol: Symbol) -> Target | None:
        """The shortest way to write a definition's name that means no other, its class before its module."""
        for spelling in _spellings(symbol):
            if self._spelled[spelling] == 1:
                container, _, name = spelling.rpartition(".")
                return Target(name, container)
        return None


def _spellings(symbol: Symbol) -> Iterator[str]:
    if not symbol.name.startswith("__"):  # nobody calls a constructor `__init__` without its class
        yield symbol.name
    if symbol.container:
        yield symbol.qualified_name
    module = re.sub(r"(/__init__)?\.\w+$", "", symbol.place.path).rpartition("/")[2]
    yield f"{module}.{symbol.qualified_name}"


def candidates(sources: Sources, kind: ChangeKind, seed: int) -> Iterator[Candidate | Skipped]:
    """What a change of a kind can be made to, file by file in turn, and what it cannot and why.

    Definitions in test code are left out: nobody asks what a change to a test breaks.
    """
    files = [
        shuffled((one for one in found if _suits(kind, one, sources)), f"{seed} {kind} {path}", sources.mark)
        for path, found in sources.by_path.items()
        if not in_test(path)
    ]
    ordered = shuffled(filter(None, files), f"{seed} {kind}", lambda found: f"[{', '.join(map(sources.mark, found))}]")
    for one in (one for turn in zip_longest(*ordered) for one in turn if one is not None):
        yield _candidate(sources, kind, one, f"{seed} {kind} {one.symbol.place.location}")


def _candidate(sources: Sources, kind: ChangeKind, one: Defined, seed: str) -> Candidate | Skipped:
    target = sources.spelling(one.symbol)
    if target is None:
        return Skipped(one.symbol, "another definition has the same name")
    if sources.words[_mentioned(one)] <= 1:
        return Skipped(one.symbol, "nothing else mentions it")
    if kind in PART_KINDS and not target.container:
        target = Target(target.name, one.symbol.container.rpartition(".")[2])
    change = _change(sources, kind, one, target, seed)
    query = ask(change, is_function=one.symbol.kind in FUNCTIONS, seed=seed)
    return Candidate(change, one, query) if query else Skipped(one.symbol, "no phrasing is understood")


def _mentioned(one: Defined) -> str:
    """The word that stands where a definition is used: a constructor is called by its class's name."""
    symbol = one.symbol
    return symbol.container.rpartition(".")[2] if symbol.name == "__init__" else symbol.name


def _change(sources: Sources, kind: ChangeKind, one: Defined, target: Target, seed: str) -> Change:
    name = one.symbol.name
    member: str | None = None
    new: str | None = None
    if kind in PART_KINDS:
        member = name
    elif kind in (ChangeKind.REMOVE_PARAMETER, ChangeKind.CHANGE_PARAMETER_TYPE):
        member = shuffled(_changeable(kind, one), seed)[0]
    elif kind in _ADDED:
        member = next(new for new in shuffled(_ADDED[kind], seed) if not _is_taken(new, one))
        if kind is ChangeKind.ADD_VARIANT and not _is_upper(sources, one):
            member = member.lower()
    if kind in (ChangeKind.RENAME, ChangeKind.RENAME_FIELD):
        suffixes = SUFFIXES["Class" if name.lstrip("_")[:1].isupper() and not name.isupper() else "lower"]
        renamed = (name + (suffix.upper() if name.isupper() else suffix) for suffix in shuffled(suffixes, seed))
        new = next((each for each in renamed if not sources.words[each]), f"{name}_2")
    return Change(kind, (target,), member, new)


_ADDED: Final[Mapping[ChangeKind, tuple[str, ...]]] = {
    ChangeKind.ADD_PARAMETER: NEW_PARAMETERS,
    ChangeKind.ADD_FIELD: NEW_FIELDS,
    ChangeKind.ADD_VARIANT: NEW_VARIANTS,
    ChangeKind.ADD_ABSTRACT_METHOD: NEW_METHODS,
}


def _is_taken(name: str, one: Defined) -> bool:
    return any(parameter.name == name for parameter in one.parameters)


def _is_upper(sources: Sources, one: Defined) -> bool:
    members = [
        other.symbol.name
        for other in sources.by_path[one.symbol.place.path]
        if other.symbol.container == one.symbol.qualified_name and other.symbol.kind is SymbolKind.ENUM_MEMBER
    ]
    return sum(name.isupper() for name in members) * 2 >= len(members)


def _changeable(kind: ChangeKind, one: Defined) -> list[str]:
    """The parameters that can be removed, or whose type can be changed."""
    typed = kind is ChangeKind.CHANGE_PARAMETER_TYPE
    return [each.name for each in one.parameters if not each.name.startswith("__") and (each.annotation or not typed)]


_CALLABLE: Final = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD})


def _suits(kind: ChangeKind, one: Defined, sources: Sources) -> bool:
    """Whether a change of a kind makes sense for a definition. A protocol of one method has no subclasses to break."""
    return SUITS[kind](one) and (kind is not ChangeKind.ADD_ABSTRACT_METHOD or sources.derived[one.symbol.name] > 0)


def _is_plain(one: Defined) -> bool:
    return not one.symbol.name.startswith("__") and one.symbol.name != "_"


def _is_called(one: Defined) -> bool:
    return one.symbol.kind in _CALLABLE and (_is_plain(one) or one.symbol.name == "__init__")


def _is_whole(one: Defined) -> bool:
    known = FUNCTIONS | {SymbolKind.CLASS, SymbolKind.ENUM, SymbolKind.CONSTANT}
    return one.symbol.kind in known and _is_plain(one) and not {"setter", "deleter", "getter"} & {*one.decorators}


def _returns_a_value(one: Defined) -> bool:
    nothing = {None, "None", "NoReturn", "Never", "typing.NoReturn", "'None'"}
    return one.symbol.kind in FUNCTIONS and _is_plain(one) and one.returns not in nothing


def _returns_no_none(one: Defined) -> bool:
    return _returns_a_value(one) and re.search(r"\b(?:None|Optional|Any|object)\b", one.returns or "") is None


def _can_become_async(one: Defined) -> bool:
    return _is_called(one) and can_be_async(one.symbol.name) and not (one.is_async or one.yields)


def _is_field(one: Defined) -> bool:
    annotation = one.returns or ""
    return one.symbol.kind is SymbolKind.FIELD and _is_plain(one) and bool(annotation) and "ClassVar" not in annotation


SUITS: Final[Mapping[ChangeKind, Callable[[Defined], bool]]] = {
    ChangeKind.RENAME: _is_whole,
    ChangeKind.REMOVE: _is_whole,
    ChangeKind.ADD_PARAMETER: _is_called,
    ChangeKind.REMOVE_PARAMETER: lambda one: _is_called(one) and bool(_changeable(ChangeKind.REMOVE_PARAMETER, one)),
    ChangeKind.CHANGE_PARAMETER_TYPE: lambda one: (
        _is_called(one) and bool(_changeable(ChangeKind.CHANGE_PARAMETER_TYPE, one))
    ),
    ChangeKind.CHANGE_RETURN_TYPE: _returns_a_value,
    ChangeKind.MAKE_NULLABLE: _returns_no_none,
    ChangeKind.MAKE_ASYNC: _can_become_async,
    ChangeKind.ADD_FIELD: lambda one: one.symbol.kind is SymbolKind.CLASS and one.is_record,
    ChangeKind.REMOVE_FIELD: _is_field,
    ChangeKind.RENAME_FIELD: _is_field,
    ChangeKind.ADD_VARIANT: lambda one: one.symbol.kind is SymbolKind.ENUM,
    ChangeKind.REMOVE_VARIANT: lambda one: one.symbol.kind is SymbolKind.ENUM_MEMBER,
    ChangeKind.ADD_ABSTRACT_METHOD: lambda one: one.symbol.kind is SymbolKind.CLASS and "Protocol" not in one.bases,
    ChangeKind.CHANGE_ALIAS: lambda one: one.is_alias,
}
"""The kinds that cases are made of, and which definitions each can be done to."""
