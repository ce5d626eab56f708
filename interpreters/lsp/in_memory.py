"""`Lsp` answered by Python's own parser and a search for whole words, over files held in memory.

It needs no server, no disk and no waiting: for tests, for examples, and as the floor that a language server must beat.
A mention is any occurrence of the word in code, so namesakes mix; hover says nothing; what an edit breaks is what is
mentioned and no longer defined.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from interpreters.lsp.text import words_in
from tidepool.domain import LINES_AROUND
from tidepool.eff import Handler
from tidepool.effects.lsp import (
    Call,
    Callers,
    Definition,
    Diagnostic,
    DocumentSymbols,
    FindSymbol,
    Hover,
    Implementations,
    Lsp,
    Place,
    References,
    Snippet,
    Source,
    Subtypes,
    Symbol,
    SymbolKind,
    TextMentions,
    Unseen,
    WhatIf,
    Written,
)
from tidepool.errors import BadAnswer

NAME: Final = "in-memory search"


def in_memory(files: Mapping[str, str]) -> Handler[Lsp]:
    """Answer from these files.

    Args:
        files: the text of every file by its path, relative to the root and with `/`.

    Raises:
        SyntaxError: a file is not Python.
    """
    codebase = _Codebase({path: text.split("\n") for path, text in files.items()}, dict(_all_symbols(files)))
    return (
        FindSymbol.by(lambda op: codebase.similar(op.name))
        | Definition.by(lambda op: tuple(symbol.place for symbol in codebase.defined(op.place)))
        | References.by(lambda op: codebase.mentions(codebase.word(op.place)))
        | Hover.by(lambda op: None)
        | DocumentSymbols.by(lambda op: tuple(codebase.symbols.get(op.path, ())))
        | Implementations.by(lambda op: codebase.implementations(op.place))
        | Subtypes.by(lambda op: codebase.subtypes(codebase.word(op.place)))
        | Callers.by(lambda op: codebase.callers(codebase.word(op.place)))
        | Snippet.by(lambda op: codebase.snippet(op.place))
        | TextMentions.by(codebase.written)
        | Source.by(lambda op: codebase.source(op.path))
        | WhatIf.by(codebase.what_if)
        | Unseen.by(lambda op: ())
    )


@attrs.frozen
class _Codebase:
    lines: Mapping[str, list[str]]
    symbols: Mapping[str, list[Symbol]]

    def every_symbol(self) -> Iterator[Symbol]:
        return (symbol for path in sorted(self.symbols) for symbol in self.symbols[path])

    def similar(self, name: str) -> tuple[Symbol, ...]:
        letters = re.compile(".*".join(map(re.escape, name)), re.IGNORECASE)
        return tuple(symbol for symbol in self.every_symbol() if letters.search(symbol.name))

    def line(self, place: Place) -> str:
        lines = self.lines.get(place.path, [])
        if not 1 <= place.line <= len(lines):
            raise BadAnswer(NAME, f"there is no line {place.location}")
        return lines[place.line - 1]

    def word(self, place: Place) -> str:
        words = re.finditer(r"\w+", self.line(place))
        return next((word[0] for word in words if word.start() <= place.column < word.end()), "")

    def defined(self, place: Place) -> list[Symbol]:
        name = self.word(place)
        return [symbol for symbol in self.every_symbol() if symbol.name == name]

    def mentions(self, name: str) -> tuple[Place, ...]:
        word = re.compile(rf"\b{re.escape(name)}\b")
        return tuple(
            Place(path, number, found.start())
            for path in sorted(self.lines)
            for number, line in enumerate(self.lines[path], start=1)
            for found in (word.finditer(line.partition("#")[0]) if name else ())
        )

    def written(self, op: TextMentions) -> tuple[Written, ...]:
        return tuple(
            found
            for path in sorted(self.lines)
            for found in words_in(path, "\n".join(self.lines[path]), op.words, op.writings)
        )

    def subtypes(self, name: str) -> tuple[Symbol, ...]:
        head = re.compile(rf"class\s+\w+\s*\(.*\b{re.escape(name)}\b")
        return tuple(
            symbol
            for symbol in self.every_symbol()
            if symbol.kind is SymbolKind.CLASS and head.search(self.line(symbol.place))
        )

    def implementations(self, place: Place) -> tuple[Place, ...]:
        own = next((symbol for symbol in self.every_symbol() if symbol.place == place), None)
        if own is None:
            return ()
        if own.kind is SymbolKind.CLASS:
            return (place, *(child.place for child in self.subtypes(own.name)))
        return tuple(
            symbol.place
            for symbol in self.every_symbol()
            if symbol.name == own.name and symbol.kind is own.kind and bool(symbol.container) == bool(own.container)
        )

    def callers(self, name: str) -> tuple[Call, ...]:
        called = [place for place in self.mentions(name) if self._is_call(place, name)]
        return tuple(
            Call(caller, tuple(place for place in called if place.path == caller.place.path and _holds(caller, place)))
            for caller in self.every_symbol()
            if caller.kind in (SymbolKind.FUNCTION, SymbolKind.METHOD)
            and any(place.path == caller.place.path and _holds(caller, place) for place in called)
        )

    def _is_call(self, place: Place, name: str) -> bool:
        line = self.line(place)
        return re.match(r"\s*\(", line[place.column + len(name) :]) is not None and "def " not in line[: place.column]

    def source(self, path: str) -> str:
        if path not in self.lines:
            raise BadAnswer(NAME, f"there is no file {path}")
        return "\n".join(self.lines[path])

    def what_if(self, op: WhatIf) -> tuple[Diagnostic, ...]:
        """Mentions of what nothing defines any more under the edit."""
        path = op.edit.path
        after = op.edit.applied(self.source(path))
        try:
            kept = {symbol.name for symbol in _symbols(path, after.split("\n"), ast.parse(after, path).body, ())}
        except SyntaxError as error:
            raise BadAnswer(NAME, f"the edited {path} is not Python: {error.msg}") from error
        kept |= {symbol.name for other in self.symbols if other != path for symbol in self.symbols[other]}
        gone = {symbol.name: symbol.place for symbol in self.symbols[path] if symbol.name not in kept}
        return tuple(
            Diagnostic(place, "undefined", f"nothing defines {name}")
            for name, own in sorted(gone.items())
            for place in self.mentions(name)
            if place != own and (op.paths is None or place.path in op.paths)
        )

    def snippet(self, place: Place) -> str:
        self.line(place)
        return "\n".join(self.lines[place.path][max(0, place.line - 1 - LINES_AROUND) : place.line + LINES_AROUND])


def _holds(symbol: Symbol, place: Place) -> bool:
    return symbol.first_line <= place.line <= symbol.last_line


def _all_symbols(files: Mapping[str, str]) -> Iterator[tuple[str, list[Symbol]]]:
    for path, text in files.items():
        yield path, list(_symbols(path, text.split("\n"), ast.parse(text, path).body, ()))


def _symbols(path: str, lines: list[str], body: Iterable[ast.stmt], around: tuple[str, ...]) -> Iterator[Symbol]:
    for node in body:
        for name, kind in _defines(node, bool(around)):
            start = lines[node.lineno - 1].index(name) if name in lines[node.lineno - 1] else node.col_offset
            first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
            place = Place(path, node.lineno, start)
            yield Symbol(name, kind, ".".join(around), place, first, node.end_lineno or node.lineno)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inside = node.body if isinstance(node, ast.ClassDef) else [s for s in node.body if _is_scope(s)]
            yield from _symbols(path, lines, inside, (*around, node.name))


def _is_scope(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)


def _defines(node: ast.stmt, in_class: bool) -> list[tuple[str, SymbolKind]]:
    match node:
        case ast.ClassDef(name=name):
            return [(name, SymbolKind.CLASS)]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [(name, SymbolKind.METHOD if in_class else SymbolKind.FUNCTION)]
        case ast.Assign(targets=targets):
            return [(target.id, _value_kind(target.id, in_class)) for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [(name, _value_kind(name, in_class))]
        case _:
            return []


def _value_kind(name: str, in_class: bool) -> SymbolKind:
    if name.isupper():
        return SymbolKind.CONSTANT
    return SymbolKind.FIELD if in_class else SymbolKind.VARIABLE
