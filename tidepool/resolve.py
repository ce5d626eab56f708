"""From the names in a question to the one definition it is about: a program over `Lsp`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final, TypeAlias

import attrs
from returns.result import Failure, Success

from tidepool.change import Change, ChangeKind, Target
from tidepool.eff import Eff, attempt, each
from tidepool.effects.lsp import (
    Definition,
    DocumentSymbols,
    FindSymbol,
    Place,
    Snippet,
    Symbol,
    SymbolKind,
    definition,
    document_symbols,
    find_symbol,
)
from tidepool.errors import InterpreterError
from tidepool.lines import lines_of
from tidepool.sites import in_test

OUTLINES_READ: Final = 64
"""Files whose outline is read to tell namesakes apart: a name with more definitions than that needs a container."""

GENERATIONS: Final = 4
"""How far up the classes a name that a class does not define itself is looked for."""

HEAD_LINES: Final = 8
"""Lines of a class statement that are read for what the class derives from."""

CLOSEST_NAMES: Final = 5

Resolving: TypeAlias = FindSymbol | DocumentSymbols | Definition | Snippet


@attrs.define
class Reading:
    """What was read to find a definition.

    Attributes:
        outlines: the definitions of files, by path.
        limits: what could not be read, each a clause.
    """

    outlines: dict[str, tuple[Symbol, ...]] = attrs.field(factory=dict)
    limits: list[str] = attrs.field(factory=list)


@attrs.frozen
class Found:
    """The definition a question is about.

    Attributes:
        symbol: the definition.
        namesakes: other definitions the name may mean, best first.
        written: the name as the question writes it.
        undefined: names that the question is more likely about, and that are not defined.
    """

    symbol: Symbol
    namesakes: tuple[Symbol, ...]
    written: str
    undefined: tuple[str, ...]
    reading: Reading


@attrs.frozen
class NotFound:
    """None of the names in a question is defined in the codebase.

    Attributes:
        written: the names the question writes.
        closest: names that are defined, the most alike first.
    """

    written: tuple[str, ...]
    closest: tuple[str, ...]
    reading: Reading = attrs.field(factory=Reading, eq=False)


def resolve(change: Change) -> Eff[Resolving, Found | NotFound]:
    """The first of the change's targets that the codebase defines.

    Raises:
        InterpreterError: the server cannot search for names, or none of the files that may hold the name can be read.
    """
    reading = Reading()
    written = tuple(target.qualified_name for target in change.targets)
    for place, target in enumerate(change.targets):
        symbols = yield from _definitions(target, reading)
        if symbols:
            best, *namesakes = sorted(symbols, key=lambda symbol: _rank(change.kind, target, symbol))
            return Found(best, tuple(namesakes), written[place], written[:place], reading)
    return NotFound(written, (yield from _closest(change.targets)), reading)


def _definitions(target: Target, reading: Reading) -> Eff[Resolving, list[Symbol]]:
    """Every definition of this name; of the named container only, or of what it derives from, where it has one."""
    symbols = yield from _exactly(target.name, reading)
    wanted = [part for part in target.container.split(".") if part]
    inside = [symbol for symbol in symbols if _around(symbol)[-len(wanted) :] == wanted or not wanted]
    # A package may offer the name of a module inside of it: `httpx.get` is defined in `httpx._api`.
    inside = inside or [symbol for symbol in symbols if _in_order(wanted, _around(symbol))]
    if inside or not wanted:
        return inside
    above, _, name = target.container.rpartition(".")
    for owner in (yield from _definitions(Target(name, above), reading)):
        members = yield from _members(owner, target.name, reading, GENERATIONS)
        if members:
            return members
    return []


def _members(owner: Symbol, name: str, reading: Reading, generations: int) -> Eff[Resolving, list[Symbol]]:
    """What a class calls by a name: what it defines, or only assigns, or what a class above it does."""
    outline = reading.outlines.get(owner.place.path, ())
    defined = [symbol for symbol in outline if symbol.container == owner.qualified_name and symbol.name == name]
    if defined:
        return defined
    place = yield from _assigned(owner, name)
    if place is not None:
        return [Symbol(name, SymbolKind.FIELD, owner.qualified_name, place, place.line, place.line)]
    for base in (yield from _bases(owner, reading)) if generations else ():
        inherited = yield from _members(base, name, reading, generations - 1)
        if inherited:
            return inherited
    return []


def _bases(owner: Symbol, reading: Reading) -> Eff[Resolving, list[Symbol]]:
    """The classes of the codebase that a class derives from directly."""
    if owner.kind is not SymbolKind.CLASS:
        return []
    path, first = owner.place.path, owner.place.line
    head = yield from lines_of(path, first, min(owner.last_line, first + HEAD_LINES))
    start = owner.place.column + len(owner.name)
    names = [
        Place(path, number, name.start())
        for number, line in _until_colon(head, start)
        for name in re.finditer(r"[^\W\d]\w*", line)
        if number > first or name.start() >= start
    ]
    answers = yield from each(attempt(definition(name), InterpreterError) for name in names)
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, Failure):
            reading.limits.append(f"what {owner.qualified_name} derives from at {name.location} ({answer.failure()})")
    places = dict.fromkeys(place for answer in answers for place in answer.value_or(()))
    yield from _read({place.path for place in places}, reading)
    outlines = reading.outlines
    return [symbol for place in places for symbol in outlines.get(place.path, ()) if symbol.place.line == place.line]


def _until_colon(head: Iterable[tuple[int, str]], start: int) -> Iterator[tuple[int, str]]:
    """The lines of a class statement; what follows its colon, outside of brackets, is its body."""
    depth = 0
    for number, line in head:
        for column, char in enumerate(line):
            depth += (char in "([") - (char in ")]")
            if char == ":" and depth == 0 and column >= start:
                yield number, line[:column]
                return
        start = 0
        yield number, line


def _exactly(name: str, reading: Reading) -> Eff[Resolving, list[Symbol]]:
    """The definitions of exactly this name, with their containers; whatever its case where none has this one."""
    found = yield from find_symbol(name)
    same = [symbol for symbol in found if symbol.name == name]
    same = same or [symbol for symbol in found if symbol.name.casefold() == name.casefold()]
    paths = sorted({symbol.place.path for symbol in same}, key=lambda path: (in_test(path), path.count("/"), path))
    paths = paths[:OUTLINES_READ]
    yield from _read(paths, reading)
    names = {symbol.name for symbol in same}
    unique: dict[tuple[str, str], Symbol] = {}
    for symbol in (symbol for path in paths for symbol in reading.outlines.get(path, ()) if symbol.name in names):
        key = (symbol.place.path, symbol.qualified_name)
        if key not in unique or unique[key].kind is not SymbolKind.PROPERTY:  # of overloads the last is the function
            unique[key] = symbol
    return list(unique.values())


def _read(paths: Iterable[str], reading: Reading) -> Eff[DocumentSymbols, None]:
    """Read the definitions of files. That one cannot be read is a limit of the answer; that none can, an error."""
    unread = sorted(path for path in paths if path not in reading.outlines)
    answers = yield from each(attempt(document_symbols(path), InterpreterError) for path in unread)
    failures: list[InterpreterError] = []
    for path, answer in zip(unread, answers, strict=True):
        match answer:
            case Success(symbols):
                reading.outlines[path] = symbols
            case Failure(error):
                failures.append(error)
                reading.limits.append(f"the definitions in {path} ({error})")
    if failures and len(failures) == len(unread):
        raise failures[0]


def _around(symbol: Symbol) -> list[str]:
    """The names of what stands around a symbol: packages, module, and definitions, from the outside in."""
    module = re.sub(r"(/__init__)?\.\w+$", "", symbol.place.path).split("/")
    return [*module, *(part for part in symbol.container.split(".") if part)]


def _in_order(wanted: Iterable[str], names: Iterable[str]) -> bool:
    left = iter(names)
    return all(part in left for part in wanted)


def _assigned(owner: Symbol, name: str) -> Eff[Resolving, Place | None]:
    """Where a class first assigns an attribute that it does not declare, as `self.name = …`."""
    assignment = re.compile(rf"\bself\.({re.escape(name)})\b\s*(?::[^=]*)?=(?!=)")
    for number, line in (yield from lines_of(owner.place.path, owner.place.line, owner.last_line)):
        if found := assignment.search(line):
            return Place(owner.place.path, number, found.start(1))
    return None


_CALLABLE: Final = (SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CLASS)
_TYPE: Final = (SymbolKind.CLASS, SymbolKind.ENUM)
_VALUE: Final = (SymbolKind.VARIABLE, SymbolKind.CONSTANT, SymbolKind.FIELD)
_MEMBER: Final = (SymbolKind.FIELD, SymbolKind.PROPERTY, SymbolKind.VARIABLE, SymbolKind.CONSTANT)

EXPECTED: Final[dict[ChangeKind, tuple[SymbolKind, ...]]] = {
    ChangeKind.ADD_VARIANT: (*_TYPE, *_VALUE),
    ChangeKind.REMOVE_VARIANT: (SymbolKind.ENUM_MEMBER, SymbolKind.CONSTANT, SymbolKind.FIELD, SymbolKind.CLASS),
    ChangeKind.ADD_PARAMETER: _CALLABLE,
    ChangeKind.REMOVE_PARAMETER: _CALLABLE,
    ChangeKind.CHANGE_PARAMETER_TYPE: _CALLABLE,
    ChangeKind.CHANGE_RETURN_TYPE: (SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.PROPERTY),
    ChangeKind.MAKE_NULLABLE: (SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.PROPERTY),
    ChangeKind.ADD_FIELD: _TYPE,
    ChangeKind.REMOVE_FIELD: _MEMBER,
    ChangeKind.RENAME_FIELD: _MEMBER,
    ChangeKind.ADD_ABSTRACT_METHOD: _TYPE,
    ChangeKind.CHANGE_ALIAS: _VALUE,
}
"""What kind of definition a change is made to; a change that is not listed is made to any."""


def _rank(kind: ChangeKind, target: Target, symbol: Symbol) -> tuple[object, ...]:
    """Sorts namesakes: what the change can be made to first, then product code, then what is least nested."""
    expected = EXPECTED.get(kind)
    return (
        symbol.name != target.name,
        expected is not None and symbol.kind not in expected,
        in_test(symbol.place.path),
        symbol.container.count(".") + bool(symbol.container),
        symbol.name.startswith("_"),
        symbol.place.path.endswith(".pyi"),
        symbol.place.path.count("/"),
        symbol.place,
    )


def _closest(targets: Iterable[Target]) -> Eff[FindSymbol, tuple[str, ...]]:
    """Names that are defined and resemble those that are not.

    A server's search finds names that hold the letters asked for in their order. So a misspelt name is found by
    asking without each of its letters in turn: that undoes a wrong, an additional or two swapped letters.
    """
    names = list(dict.fromkeys(target.name for target in targets))[:3]
    spellings = {spelling for name in names for spelling in _spellings(name)}
    found = yield from each(find_symbol(spelling) for spelling in sorted(spellings))
    defined = sorted({symbol.name for symbols in found for symbol in symbols})
    by_folded = {name.casefold(): name for name in defined}
    alike = [match for name in names for match in get_close_matches(name.casefold(), by_folded, n=CLOSEST_NAMES)]
    return tuple(by_folded[match] for match in dict.fromkeys(alike))[:CLOSEST_NAMES]


def _spellings(name: str) -> set[str]:
    name = name[:40]
    without_one = {name[:at] + name[at + 1 :] for at in range(len(name))}
    return {spelling for spelling in (*without_one, name[: max(3, len(name) // 2)]) if len(spelling) >= 2}
