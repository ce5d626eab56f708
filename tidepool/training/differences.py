"""From the files of a commit, before and after it, to the changes of definitions that it made. Pure.

    found = changes_between({"till.py": "def pay(): ..."}, {"till.py": "def pay(cash): ..."})
    found.made                      what was done, and to which definition of the text before
    found.left_out                  why nothing is said of other definitions, counted

Definitions are told apart by their qualified names in two syntax trees. A definition to which several things were done
at once is left out, since nobody could say which of them a place had to follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Final

import attrs

from tidepool.change import Change, ChangeKind, Target
from tidepool.editing.definitions import attributes
from tidepool.effects.lsp import Symbol, SymbolKind
from tidepool.kinds import PART_KINDS
from tidepool.outline import FUNCTIONS
from tidepool.sites import in_test
from tidepool.training.annotations import NOTHING, alternatives
from tidepool.training.written import Given, Reading, Written, read

ALIKE: Final = 0.8
"""The share of its words that a definition keeps when it is only renamed or moved."""

FEWEST_WORDS: Final = 12
"""Words that a definition has to have to be known again under another name: short ones are alike by chance."""

MOST_PAIRS: Final = 200
"""Pairs of definitions that are compared, one that is gone and one that is new: more is a commit that moves all."""

AT_ONCE: Final = "several things were done to the definition at once"
UNPARSED: Final = "the file does not parse"
REBOUND: Final = "the name stays, for something else"
AMBIGUOUS: Final = "what became of the definition is not clear"


@attrs.frozen
class Made:
    """A change that was made.

    Attributes:
        change: what was done; its one target is the qualified name in the text before.
        symbol: the definition, in the text before.
    """

    change: Change
    symbol: Symbol

    @property
    def is_to_function(self) -> bool:
        """Whether the definition is a function or a method."""
        return self.symbol.kind in FUNCTIONS


@attrs.frozen
class Differences:
    """What a commit did to definitions, and why some of it is left out, counted by reason."""

    made: tuple[Made, ...]
    left_out: Counter[str]


def changes_between(before: Mapping[str, str], after: Mapping[str, str]) -> Differences:
    """The changes that a commit made to definitions outside of test code.

    Args:
        before: the text of each Python file that the commit touched, by path, as it was; a new file is not in it.
        after: the same after the commit; a deleted file is not in it.
    """
    left_out: Counter[str] = Counter()
    pairs: list[tuple[str, Reading, Reading]] = []
    for path in sorted({*before, *after}):
        old, new = read(path, before.get(path)), read(path, after.get(path))
        if not (old.is_python and new.is_python):
            left_out[UNPARSED] += 1
        elif not in_test(path):
            pairs.append((path, old, new))
    made = [*_parts(pairs, left_out), *_wholes(pairs, left_out)]
    return Differences(tuple(sorted(made, key=lambda one: (one.symbol.place, str(one.change)))), left_out)


def _parts(pairs: Iterable[tuple[str, Reading, Reading]], left_out: Counter[str]) -> Iterator[Made]:
    """What was done to definitions that are still there."""
    for _, old, new in pairs:
        for name in sorted(old.definitions.keys() & new.definitions.keys()):
            was, now = old.definitions[name], new.definitions[name]
            found = [*_within(was, now), *_members(was, now, old, new)]
            if any(_is_kept(one, was, now, new) for one in found):
                left_out[REBOUND] += 1
            elif len(found) == 1:
                yield from found
            elif found:
                left_out[AT_ONCE] += 1


def _is_kept(one: Made, was: Written, now: Written, new: Reading) -> bool:
    """Whether a part that is gone from a class's body is still there: in its methods, or in another class."""
    if one.change.kind not in PART_KINDS:
        return False
    name = one.symbol.name
    elsewhere = (other.symbol for other in new.definitions.values() if other.symbol.container)
    is_inherited = any(other.name == name and other.container != was.symbol.qualified_name for other in elsewhere)
    return is_inherited or next(attributes(now.text, now.node, name), None) is not None


def _within(was: Written, now: Written) -> Iterator[Made]:
    """What was done to a signature, a type, an alias."""
    if was.symbol.kind is not now.symbol.kind:
        return
    if was.symbol.kind in FUNCTIONS:
        for kind, member, new_name, optional in _signature(was.parameters, now.parameters):
            yield _made(kind, was, member, new_name, optional=optional)
        if kind_of_type := _outcome(was.annotation, now.annotation):
            yield _made(kind_of_type, was)
    elif (
        was.is_alias and now.is_alias and was.value and now.value and alternatives(was.value) != alternatives(now.value)
    ):
        yield _made(ChangeKind.CHANGE_ALIAS, was)


def _signature(was: tuple[Given, ...], now: tuple[Given, ...]) -> Iterator[tuple[ChangeKind, str, str | None, bool]]:
    """What was done to parameters: the kind, the parameter, its new name, and whether nobody has to follow."""
    old, new = ({each.name: each for each in side} for side in (was, now))
    gone, fresh = [each for each in was if each.name not in new], [each for each in now if each.name not in old]
    if len(gone) == len(fresh) == 1 and _is_renamed(was, now, gone[0], fresh[0]):
        yield ChangeKind.RENAME, gone[0].name, fresh[0].name, False
    else:
        yield from ((ChangeKind.REMOVE_PARAMETER, each.name, None, False) for each in gone)
        yield from ((ChangeKind.ADD_PARAMETER, each.name, None, each.default is not None) for each in fresh)
    for name in old.keys() & new.keys():
        before, after = old[name].annotation, new[name].annotation
        if before is None or after is None or alternatives(before) == alternatives(after):
            continue
        yield ChangeKind.CHANGE_PARAMETER_TYPE, name, None, alternatives(before) < alternatives(after)


def _is_renamed(was: tuple[Given, ...], now: tuple[Given, ...], gone: Given, fresh: Given) -> bool:
    same_place = was.index(gone) == now.index(fresh)
    return same_place and (gone.annotation, gone.default) == (fresh.annotation, fresh.default)


def _outcome(was: str | None, now: str | None) -> ChangeKind | None:
    """What was done to what a function returns; where one side does not tell, nothing is known."""
    if was is None or now is None:
        return None
    before, after = alternatives(was), alternatives(now)
    if before == after:
        return None
    return ChangeKind.MAKE_NULLABLE if after == before | {NOTHING} else ChangeKind.CHANGE_RETURN_TYPE


def _members(was: Written, now: Written, old: Reading, new: Reading) -> Iterator[Made]:
    """What was done to the variants, the fields and the abstract methods of a class."""
    if was.symbol.kind is not now.symbol.kind or was.symbol.kind not in (SymbolKind.CLASS, SymbolKind.ENUM):
        return
    before, after = _inside(was, old), _inside(now, new)
    gone = [before[name] for name in sorted(before.keys() - after.keys())]
    fresh = [after[name] for name in sorted(after.keys() - before.keys())]
    is_record = was.is_record and now.is_record
    if len(gone) == len(fresh) == 1 and _is_same_field(gone[0], fresh[0]):
        yield _of_part(ChangeKind.RENAME_FIELD, was, gone[0], fresh[0].symbol.name)
        return
    for one in gone:
        if one.symbol.kind is SymbolKind.ENUM_MEMBER:
            yield _of_part(ChangeKind.REMOVE_VARIANT, was, one)
        elif one.symbol.kind is SymbolKind.FIELD and (is_record or one.annotation):
            yield _of_part(ChangeKind.REMOVE_FIELD, was, one)
    for one in fresh:
        name = one.symbol.name
        if one.symbol.kind is SymbolKind.ENUM_MEMBER:
            yield _made(ChangeKind.ADD_VARIANT, was, name)
        elif one.symbol.kind is SymbolKind.FIELD and is_record and _is_own(one):
            yield _made(ChangeKind.ADD_FIELD, was, name, optional=not one.is_required)
        elif "abstractmethod" in one.decorators:
            yield _made(ChangeKind.ADD_ABSTRACT_METHOD, was, name)


def _inside(owner: Written, reading: Reading) -> dict[str, Written]:
    container = owner.symbol.qualified_name
    return {
        one.symbol.name: one
        for one in reading.definitions.values()
        if one.symbol.container == container and not one.symbol.name.startswith("__")
    }


def _is_own(field: Written) -> bool:
    """Whether it is a field of what a record is made of: neither a class's variable nor a plain constant."""
    annotation = field.annotation
    return field.is_required if annotation is None else "ClassVar" not in annotation


def _is_same_field(gone: Written, fresh: Written) -> bool:
    if not gone.symbol.kind is fresh.symbol.kind is SymbolKind.FIELD or gone.annotation is None:
        return False
    return (gone.annotation, gone.value) == (fresh.annotation, fresh.value)


def _of_part(kind: ChangeKind, owner: Written, part: Written, new_name: str | None = None) -> Made:
    name, container = part.symbol.name, owner.symbol.qualified_name
    return Made(Change(kind, (Target(name, container),), name, new_name), part.symbol)


def _made(
    kind: ChangeKind, one: Written, member: str | None = None, new_name: str | None = None, *, optional: bool = False
) -> Made:
    symbol = one.symbol
    return Made(Change(kind, (Target(symbol.name, symbol.container),), member, new_name, optional), symbol)


def _wholes(pairs: Iterable[tuple[str, Reading, Reading]], left_out: Counter[str]) -> Iterator[Made]:
    """What was removed, renamed or moved as a whole."""
    pairs = list(pairs)
    gone = [one for _, old, new in pairs for one in _missing(old, new)]
    fresh = [one for _, old, new in pairs for one in _missing(new, old)]
    after = {path: new for path, _, new in pairs}
    for one in gone:
        symbol = one.symbol
        if _is_bound(symbol, after[symbol.place.path]):
            left_out[REBOUND] += 1
            continue
        heirs = _heirs(one, fresh) if len(gone) * len(fresh) <= MOST_PAIRS else None
        if heirs is None or len(heirs) > 1 or any(len(_heirs(heir, gone)) > 1 for heir in heirs):
            left_out[AMBIGUOUS] += 1
        else:
            yield _renamed(one, heirs[0].symbol) if heirs else _made(ChangeKind.REMOVE, one)


def _is_bound(symbol: Symbol, new: Reading) -> bool:
    """Whether a name that is no longer defined still stands for something: an import, or what methods assign."""
    if not symbol.container:
        return symbol.name in new.bound
    owner = new.definitions.get(symbol.container)
    return owner is not None and next(attributes(owner.text, owner.node, symbol.name), None) is not None


def _missing(here: Reading, there: Reading) -> Iterator[Written]:
    """What one side defines as a whole and the other does not: what stands in a class that is missing goes with it."""
    for name, one in here.definitions.items():
        container, kind = one.symbol.container, one.symbol.kind
        is_whole = kind in FUNCTIONS or kind in _WHOLE
        is_inside = bool(container) and container not in there.definitions
        if name not in there.definitions and is_whole and not is_inside and not one.symbol.name.startswith("__"):
            yield one


_WHOLE: Final = frozenset({SymbolKind.CLASS, SymbolKind.ENUM, SymbolKind.CONSTANT})


def _heirs(one: Written, others: Iterable[Written]) -> list[Written]:
    """What may be the same definition under another name, or in another module."""
    return [other for other in others if any(is_heir(one, other) for is_heir in _INHERITING)]


def _is_moved(one: Written, other: Written) -> bool:
    mine, theirs = one.symbol, other.symbol
    same_name = mine.qualified_name == theirs.qualified_name and not mine.container
    return same_name and mine.place.path != theirs.place.path and mine.kind is theirs.kind and _likeness(one, other)


def _is_another_name(one: Written, other: Written) -> bool:
    mine, theirs = one.symbol, other.symbol
    same_place = (mine.place.path, mine.container) == (theirs.place.path, theirs.container)
    is_long = min(len(one.words), len(other.words)) >= FEWEST_WORDS
    return same_place and mine.kind is theirs.kind and is_long and _likeness(one, other)


_INHERITING: Final[tuple[Callable[[Written, Written], bool], ...]] = (_is_moved, _is_another_name)


def _likeness(one: Written, other: Written) -> bool:
    matcher = SequenceMatcher(None, one.words, other.words, autojunk=False)
    return matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


def _renamed(one: Written, heir: Symbol) -> Made:
    if heir.place.path == one.symbol.place.path:
        return _made(ChangeKind.RENAME, one, new_name=heir.name)
    return _made(ChangeKind.MOVE, one, new_name=module_of(heir.place.path))


def module_of(path: str) -> str:
    """The dotted name of a file's module."""
    return path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
