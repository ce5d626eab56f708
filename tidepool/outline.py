"""The definitions of one file, and which of them holds a line. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tidepool.effects.lsp import Symbol, SymbolKind

FUNCTIONS: Final = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.PROPERTY})


class Outline:
    """The definitions of one file, looked up by line."""

    def __init__(self, symbols: Iterable[Symbol] = ()) -> None:
        """Read a file's definitions, outer ones before those they hold, as `DocumentSymbols` answers them."""
        self.symbols = tuple(symbols)
        functions = {symbol.qualified_name for symbol in self.symbols if symbol.kind in FUNCTIONS}
        self._holders: dict[int, Symbol] = {}
        for symbol in self.symbols:
            # What a function defines for itself is part of the function, to whoever reads the answer.
            if not any(name in functions for name in _containers(symbol)):
                self._holders.update(dict.fromkeys(range(symbol.first_line, symbol.last_line + 1), symbol))

    def holder(self, line: int) -> Symbol | None:
        """The innermost definition that holds a line (from 1), with its decorators; None at a file's top level."""
        return self._holders.get(line)


def _containers(symbol: Symbol) -> list[str]:
    parts = symbol.container.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
