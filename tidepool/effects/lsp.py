"""`Lsp`: ask a codebase about itself, as a language server answers.

Paths are relative to the root and use `/`; lines count from 1; columns count characters (code points) from 0. Every
answer is sorted, and places outside the root are left out of it. Any operation may raise `Unavailable` (the server
crashed or did not answer in time), `BadAnswer` or `Unsupported`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

import attrs

from tidepool.eff import Op, operation

UNTYPED: Final = "Unknown"
"""What a language server says where it cannot tell what something is."""


def is_untyped(said: str | None) -> bool:
    """Whether a server says that it cannot tell what something is."""
    return said is not None and said.partition("\n")[0] == UNTYPED


class SymbolKind(StrEnum):
    """What a symbol is."""

    MODULE = "module"
    CLASS = "class"
    ENUM = "enum"
    ENUM_MEMBER = "enum member"
    FUNCTION = "function"
    METHOD = "method"
    PROPERTY = "property"
    FIELD = "field"
    VARIABLE = "variable"
    CONSTANT = "constant"
    TYPE_PARAMETER = "type parameter"
    OTHER = "symbol"


class Place(NamedTuple):
    """A position in a file of the codebase. A tuple, since thousands of them are sorted in one answer.

    Attributes:
        path: relative to the root, with `/`.
        line: from 1.
        column: in characters, from 0.
    """

    path: str
    line: int
    column: int

    @property
    def location(self) -> str:
        """The place as `path:line`."""
        return f"{self.path}:{self.line}"


@attrs.frozen
class Symbol:
    """A definition.

    Attributes:
        name: its own name, without its container's.
        kind: what it is.
        container: the dotted names of the definitions around it in its file, or "" at the top or where the server
            does not say.
        place: where its name stands; from `FindSymbol` it may be where the definition starts.
        first_line: the first line of the definition, from 1, its decorators included.
        last_line: the last line of the definition, from 1.
    """

    name: str
    kind: SymbolKind
    container: str
    place: Place
    first_line: int
    last_line: int

    @property
    def qualified_name(self) -> str:
        """Its name behind its container's: `Class.method`."""
        return f"{self.container}.{self.name}" if self.container else self.name


@attrs.frozen
class Call:
    """Calls of one definition from inside another.

    Attributes:
        caller: the definition that calls; its `place` is where its name stands.
        places: where it calls, sorted.
    """

    caller: Symbol
    places: tuple[Place, ...]


class Writing(StrEnum):
    """How a text writes a word."""

    ATTRIBUTE = "attribute"  # in code, behind a dot: `.word`
    STRING = "string"  # in code, as a string or as a dotted part of one: `"word"`, `"module.word"`
    DOCUMENT = "document"  # anywhere in documentation or configuration


class Written(NamedTuple):
    """A word in the text of a codebase, whatever it means there.

    Attributes:
        place: where the word starts; of several on a line, the first.
        word: which word it is.
    """

    place: Place
    word: str
    writing: Writing


class Splice(NamedTuple):
    """A stretch of a file's text and what stands there instead.

    Attributes:
        start: where it begins, in characters from the start of the text that `Source` answers.
        end: where it ends, the first character that stays.
        text: what replaces it; "" where it is only taken away.
    """

    start: int
    end: int
    text: str


@attrs.frozen
class Edit:
    """A hypothetical change to the text of one file. It is never written to disk.

    Attributes:
        path: the file.
        splices: from the start of the text to its end, none over another.
        of: the `digest` of the text that it is an edit of, or "" where it is not to be checked.
    """

    path: str
    splices: tuple[Splice, ...]
    of: str = ""

    def applied(self, text: str) -> str:
        """The text as it would be."""
        parts, kept_to = [], 0
        for start, end, instead in self.splices:
            parts += [text[kept_to:start], instead]
            kept_to = end
        return "".join([*parts, text[kept_to:]])


def digest(text: str) -> str:
    """What tells one text from another, in 16 characters."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


class Diagnostic(NamedTuple):
    """What a checker finds wrong at a place.

    Attributes:
        place: where, in the text as it is.
        code: the rule's name, or "" where the checker gives none.
        message: in its own words, on one line.
    """

    place: Place
    code: str
    message: str


@operation
class FindSymbol(Op[tuple[Symbol, ...]]):
    """Which definitions have a name like this one? Exact matches and whatever the server finds similar."""

    name: str


@operation
class Definition(Op[tuple[Place, ...]]):
    """Where is what stands here defined?"""

    place: Place


@operation
class References(Op[tuple[Place, ...]]):
    """Where is what stands here mentioned, its definition included?"""

    place: Place


@operation
class Hover(Op[str | None]):
    """What does the server say about what stands here? None where it says nothing."""

    place: Place


@operation
class DocumentSymbols(Op[tuple[Symbol, ...]]):
    """Which definitions does a file hold? In order of position, nested ones after the one that holds them."""

    path: str


@operation
class Implementations(Op[tuple[Place, ...]]):
    """Where is the class or method that stands here implemented or overridden, itself included?"""

    place: Place


@operation
class Subtypes(Op[tuple[Symbol, ...]]):
    """Which classes derive directly from the class that stands here?"""

    place: Place


@operation
class Callers(Op[tuple[Call, ...]]):
    """Who calls the function that stands here?"""

    place: Place


@operation
class Snippet(Op[str]):
    """What is written on this line, the two before it and the two after it?"""

    place: Place


@operation
class TextMentions(Op[tuple[Written, ...]]):
    """Where does the text of the codebase write these words, whole and in one of these ways?

    Each word once a line for each way. Of a word that stands nearly everywhere, some lines are left out.
    """

    words: tuple[str, ...]
    writings: tuple[Writing, ...]


@operation
class Source(Op[str]):
    """What is written in a file? All of it, its lines ended by line feeds."""

    path: str


@operation
class WhatIf(Op[tuple[Diagnostic, ...]]):
    """What would a checker newly find wrong if the file were edited so? Nothing is written, and nothing stays edited.

    Only in the files of `paths`, or everywhere where that is None. Places are those of the text as it is: what stands
    in the edited stretch is at its start.
    """

    edit: Edit
    paths: tuple[str, ...] | None = None


@operation
class Unseen(Op[tuple[str, ...]]):
    """What could the server not see so far, and what else limits its answers? Each a clause, such as a file's name."""


Lsp: TypeAlias = (
    FindSymbol
    | Definition
    | References
    | Hover
    | DocumentSymbols
    | Implementations
    | Subtypes
    | Callers
    | Snippet
    | TextMentions
    | Source
    | WhatIf
    | Unseen
)


def find_symbol(name: str) -> FindSymbol:
    """Which definitions have a name like this one?"""
    return FindSymbol(name)


def definition(place: Place) -> Definition:
    """Where is what stands here defined?"""
    return Definition(place)


def references(place: Place) -> References:
    """Where is what stands here mentioned, its definition included?"""
    return References(place)


def hover(place: Place) -> Hover:
    """What does the server say about what stands here?"""
    return Hover(place)


def document_symbols(path: str) -> DocumentSymbols:
    """Which definitions does a file hold?"""
    return DocumentSymbols(path)


def implementations(place: Place) -> Implementations:
    """Where is what stands here implemented or overridden?"""
    return Implementations(place)


def subtypes(place: Place) -> Subtypes:
    """Which classes derive directly from the class that stands here?"""
    return Subtypes(place)


def callers(place: Place) -> Callers:
    """Who calls the function that stands here?"""
    return Callers(place)


def snippet(place: Place) -> Snippet:
    """What is written on this line and around it?"""
    return Snippet(place)


def text_mentions(words: Iterable[str], *writings: Writing) -> TextMentions:
    """Where does the text of the codebase write these words in one of these ways?"""
    return TextMentions(tuple(words), writings)


def source(path: str) -> Source:
    """What is written in a file?"""
    return Source(path)


def what_if(edit: Edit, paths: tuple[str, ...] | None = None) -> WhatIf:
    """What would a checker newly find wrong if a file were edited so, in some files or everywhere?"""
    return WhatIf(edit, paths)


def unseen() -> Unseen:
    """What could the server not see so far?"""
    return Unseen()
