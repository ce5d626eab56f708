"""The interpreter of `Lsp` that asks a language server.

The operations of one round are asked side by side. Snippets are read from the files, without the server.
What a server answers is not trusted: whatever cannot be read is its `BadAnswer`, and of an answer too long to be one
the beginning is read, which `Unseen` tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import attrs

from interpreters.lsp.answers import MOST, Answers, Item, first
from interpreters.lsp.codebase import uri_of
from interpreters.lsp.columns import Columns
from interpreters.lsp.fields import blaming
from interpreters.lsp.limits import Limits
from interpreters.lsp.plain import plain
from interpreters.lsp.session import Session
from interpreters.lsp.text import find_words
from interpreters.lsp.what_if import newly_wrong
from tidepool.eff import AsyncHandler
from tidepool.effects.lsp import (
    Call,
    Callers,
    Definition,
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
    TextMentions,
    Unseen,
    WhatIf,
    Written,
)

NAMED: Final = 3  # of the files, or folders, that were not read; the others are counted
_ANSWERED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "textDocument/references": "mentions of what stands at",
        "textDocument/definition": "definitions of what stands at",
        "textDocument/implementation": "implementations of what stands at",
        "textDocument/documentSymbol": "definitions in",
        "workspace/symbol": "definitions with a name like",
        "typeHierarchy/subtypes": "classes below",
        "callHierarchy/incomingCalls": "calls of",
    }
)

T = TypeVar("T")


def language_server(session: Session) -> AsyncHandler[Lsp]:
    """Answer by asking a session's server. What limits the answers is told of all that this one handler answered."""
    asked = _Asked(session)
    return (
        FindSymbol.by_async(asked.find_symbol)
        | Definition.by_async(asked.definition)
        | References.by_async(asked.references)
        | Hover.by_async(asked.hover)
        | DocumentSymbols.by_async(asked.document_symbols)
        | Implementations.by_async(asked.implementations)
        | Subtypes.by_async(asked.subtypes)
        | Callers.by_async(asked.callers)
        | Snippet.by(lambda op: session.codebase.snippet(op.place))
        | TextMentions.by_async(asked.text_mentions)
        | Source.by(lambda op: session.codebase.source(op.path))
        | WhatIf.by_async(lambda op: newly_wrong(session, op.edit, op.paths, asked.limits))
        | Unseen.by_async(asked.unseen)
    )


@attrs.frozen
class _Asked:
    """One method for each operation.

    Attributes:
        limits: what limits the answers, so far.
    """

    session: Session
    limits: Limits = attrs.field(factory=Limits)

    async def find_symbol(self, op: FindSymbol) -> tuple[Symbol, ...]:
        if not op.name.isprintable() or not op.name.strip():  # no definition is called that, and not all can be sent
            return ()
        found = await self._found(op.name)
        if not found and not await self.session.proves_that_it_sees():
            found = await self._found(op.name)
        if found:
            self.session.has_found_something()
        return found

    async def text_mentions(self, op: TextMentions) -> tuple[Written, ...]:
        root, suffixes = self.session.codebase.root, self.session.server.suffixes
        return await asyncio.to_thread(find_words, root, suffixes, op.words, op.writings)

    async def unseen(self, _: Unseen) -> tuple[str, ...]:
        unread = await asyncio.shield(self.session.unread())
        reasons = {
            "for not being UTF-8 or for their names": unread.files,
            "as copies or as other people's code": unread.folders,
        }
        passed_over = (f"not read, {reason}: {_some(names)}" for reason, names in reasons.items() if names)
        left_out = [f"{number} more {what}" for what, number in sorted(self.limits.left_out.items())]
        not_looked_at = [f"not looked at: {_some(tuple(left_out))}"] if left_out else []
        return (*passed_over, *not_looked_at, *self.session.notes, *self.limits.remarks)

    async def _found(self, name: str) -> tuple[Symbol, ...]:
        return await self._ask("workspace/symbol", {"query": name}, None, Answers.found, whole=True)

    async def definition(self, op: Definition) -> tuple[Place, ...]:
        return await self._ask_at("textDocument/definition", op.place, Answers.places)

    async def references(self, op: References) -> tuple[Place, ...]:
        self.session.unread()  # nothing takes the server longer than this: the files are looked at meanwhile
        asks = {**self._at(op.place), "context": {"includeDeclaration": True}}
        return await self._ask("textDocument/references", asks, op.place.path, Answers.places, whole=True)

    async def hover(self, op: Hover) -> str | None:
        return await self._ask_at("textDocument/hover", op.place, Answers.hover)

    async def document_symbols(self, op: DocumentSymbols) -> tuple[Symbol, ...]:
        asks = {"textDocument": {"uri": self.session.codebase.uri(op.path)}}
        return await self._ask(
            "textDocument/documentSymbol", asks, op.path, lambda answers, result: answers.outline(result, op.path)
        )

    async def implementations(self, op: Implementations) -> tuple[Place, ...]:
        below, own = await asyncio.gather(  # some servers leave out the one that was asked about
            self._ask_at("textDocument/implementation", op.place, Answers.places, whole=True),
            self.definition(Definition(op.place)),
        )
        return tuple(sorted({*below, *own}))

    async def subtypes(self, op: Subtypes) -> tuple[Symbol, ...]:
        items = await self._ask_at("textDocument/prepareTypeHierarchy", op.place, Answers.items, whole=True)
        derived = await asyncio.gather(*(self._below("typeHierarchy/subtypes", item, Answers.items) for item in items))
        found = {item.symbol for below in derived for item in below if item.symbol is not None}
        whole = await self._completed(found)
        return tuple(sorted(whole.values(), key=_by_place))

    async def callers(self, op: Callers) -> tuple[Call, ...]:
        items = await self._ask_at("textDocument/prepareCallHierarchy", op.place, Answers.items, whole=True)
        calling = await asyncio.gather(
            *(self._below("callHierarchy/incomingCalls", item, Answers.calls) for item in items)
        )
        places: dict[Symbol, set[Place]] = {}
        for call in (call for calls in calling for call in calls):
            places.setdefault(call.caller, set()).update(call.places)
        whole = await self._completed(places)
        calls = (Call(whole[caller], tuple(sorted(found))) for caller, found in places.items())
        return tuple(sorted(calls, key=lambda call: _by_place(call.caller)))

    async def _completed(self, symbols: Iterable[Symbol]) -> dict[Symbol, Symbol]:
        """Symbols with what a hierarchy leaves out, as their files' outlines have it: container and extent."""
        wanted = list(symbols)
        paths = sorted({symbol.place.path for symbol in wanted})
        outlines = await asyncio.gather(*(self.document_symbols(DocumentSymbols(path)) for path in paths))
        known = {symbol.place: symbol for outline in outlines for symbol in outline}
        return {symbol: _merged(symbol, known.get(symbol.place)) for symbol in wanted}

    async def _below(self, method: str, item: Item, read: Callable[[Answers, Any], T]) -> T:
        return await self._ask(method, {"item": item.data}, None, read)

    async def _ask_at(self, method: str, place: Place, read: Callable[[Answers, Any], T], *, whole: bool = False) -> T:
        return await self._ask(method, self._at(place), place.path, read, whole=whole)

    async def _ask(
        self, method: str, asks: Any, about: str | None, read: Callable[[Answers, Any], T], *, whole: bool = False
    ) -> T:
        session = self.session
        result = await session.ask(method, asks, about, whole=whole)
        answers = Answers(session.codebase, session.encoding)
        with blaming(session.server.name, method):
            if isinstance(result, list) and len(result) > MOST:  # in a thread: millions take seconds
                root_uri = uri_of(session.codebase.root) + "/"
                result, answers.left_out = await asyncio.to_thread(first, result, MOST, root_uri)
            answer = read(answers, result)
        if answers.left_out:
            self.limits.left_out[f"{_ANSWERED.get(method, method)} {_subject(asks, about)}"] = answers.left_out
        return answer

    def _at(self, place: Place) -> dict[str, Any]:
        codebase = self.session.codebase
        column = Columns(codebase, self.session.encoding).said(place)
        return {
            "textDocument": {"uri": codebase.uri(place.path)},
            "position": {"line": place.line - 1, "character": column},
        }


def _subject(asks: Any, about: str | None) -> str:
    """What was asked about, as a person would find it."""
    if about is None:
        return plain(str(asks["query"] if "query" in asks else asks["item"].get("name")))
    return f"{about}:{asks['position']['line'] + 1}" if "position" in asks else about


def _merged(symbol: Symbol, known: Symbol | None) -> Symbol:
    """A symbol as the outline has it. What the hierarchy knows of its extent may go further: to its last call."""
    return symbol if known is None else attrs.evolve(known, last_line=max(known.last_line, symbol.last_line))


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _by_place(symbol: Symbol) -> tuple[Place, str]:
    return (symbol.place, symbol.name)
