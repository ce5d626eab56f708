"""What stands at a place in the code, as far as it concerns a change: worked out from the text around it.

    site = classify(change, node)        total, deterministic, no I/O; a node costs some microseconds
    site.kind                            what the name in question does there: it is called, imported, matched, …
    site.subject                         which name that is: the target, its member, another variant, or another name

The line that the snippet is about is what is classified. Where the name stands on it more than once, the most telling
of its sites is the answer: the one whose kind comes first in `SiteKind`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from keyword import iskeyword
from typing import Final, NamedTuple

import attrs

from tidepool.change import Change, ChangeKind
from tidepool.domain import NodeContext, Tag
from tidepool.kinds import FIELD_KINDS, PARAMETER_KINDS, PROPAGATING_KINDS, VARIANT_KINDS
from tidepool.reading.chains import gives_up
from tidepool.reading.coroutines import Around, Holder, around
from tidepool.reading.documents import DOCUMENTS, PROSE, is_document
from tidepool.reading.lens import Lens, Subject, lens
from tidepool.reading.literals import words_on
from tidepool.reading.mentions import (
    BRANCHES,
    CALLS,
    DEFINITIONS,
    DISPATCHES,
    IMPORTS,
    TEXTS,
    USES,
    VALUES,
    Mention,
    SiteKind,
)
from tidepool.reading.snippets import indent, tail_of_string, without_text
from tidepool.reading.statements import kind_of
from tidepool.reading.types import other_name_column
from tidepool.reading.uses import Passing, Use, passing_of, use_of
from tidepool.ties import How, amounts_to, inside_in, tie_in

__all__ = ["Around", "Passing", "Site", "SiteKind", "Subject", "Use", "classify", "in_test", "tags"]


class Site(NamedTuple):
    """What stands at a place.

    Attributes:
        kind: what the name does there.
        subject: which name it is.
        name: the name as it is written there, a variant with its enum; "" where there is none.
        in_test: whether the place is in test code.
        use: what becomes of the value, for a call or an attribute.
        passing: what the arguments of a call show.
        dotted: whether the name is reached through a module or an object: `module.name`.
        fallback: whether a default branch that raises nothing follows a match arm or a chain.
        alias: the other name that the line gives the target, or "".
        alias_column: where the other name stands on the line, in characters from 0.
        around: what stands around a call of what becomes async; of no other change.
        function: the function around it, where that is known and decides, or "".
    """

    kind: SiteKind
    subject: Subject
    name: str
    in_test: bool = False
    use: Use = Use.PASSED
    passing: Passing = Passing.UNKNOWN
    dotted: bool = False
    fallback: bool = False
    alias: str = ""
    alias_column: int = 0
    around: Around = Around.UNKNOWN
    function: str = ""


TAGS: Final[Mapping[SiteKind, tuple[Tag, ...]]] = {
    SiteKind.OVERRIDE: (Tag.FUNCTION, Tag.TYPE_FAMILY),
    SiteKind.METHOD: (Tag.FUNCTION,),
    SiteKind.SUBCLASS: (Tag.TYPE_FAMILY,),
    SiteKind.IMPLEMENTER: (Tag.TYPE_FAMILY,),
    SiteKind.TWIN: (Tag.FUNCTION,),
    SiteKind.DECLARATION: (Tag.DATA_TYPE,),
    SiteKind.CASE: (Tag.EXHAUSTIVE, Tag.PATTERN_MATCH),
    SiteKind.CHAIN: (Tag.EXHAUSTIVE,),
    SiteKind.TABLE: (Tag.EXHAUSTIVE,),
    SiteKind.LITERAL: (Tag.EXHAUSTIVE, Tag.TYPE_ALIAS),
    SiteKind.ENUMERATION: (Tag.EXHAUSTIVE,),
    SiteKind.TABLE_VALUE: (Tag.EXHAUSTIVE,),
    SiteKind.TALLY: (Tag.EXHAUSTIVE,),
    SiteKind.ITERATION: (Tag.EXHAUSTIVE,),
    SiteKind.CONSTRUCTION: (Tag.DATA_TYPE,),
    SiteKind.SUPER_CALL: (Tag.FUNCTION, Tag.TYPE_FAMILY),
    SiteKind.CALL: (Tag.FUNCTION,),
    SiteKind.DECORATOR: (Tag.FUNCTION,),
    SiteKind.WRITE: (Tag.DATA_TYPE,),
    SiteKind.DELETE: (Tag.DATA_TYPE,),
    SiteKind.KEYWORD: (Tag.DATA_TYPE,),
    SiteKind.ATTRIBUTE: (Tag.DATA_TYPE,),
    SiteKind.ISINSTANCE: (Tag.PATTERN_MATCH,),
    SiteKind.COMPARISON: (Tag.PATTERN_MATCH,),
    SiteKind.PARAMETER: (Tag.FUNCTION,),
    SiteKind.ALIAS: (Tag.TYPE_ALIAS,),
    SiteKind.VALUE: (Tag.FUNCTION,),
    SiteKind.ANNOTATION: (Tag.CONSTRAINT,),
    SiteKind.EXPORT: (Tag.MODULE,),
    SiteKind.REEXPORT: (Tag.MODULE,),
    SiteKind.IMPORT_AS: (Tag.MODULE,),
    SiteKind.IMPORT: (Tag.MODULE,),
}


def tags(kind: SiteKind) -> tuple[Tag, ...]:
    """What kind of code a site is."""
    return TAGS.get(kind, ())


_IN_TEST: Final = re.compile(r"(?:^|/)(?:tests?|testing)/|(?:^|/)(?:test_[^/]*|[^/]*_tests?|conftest|tests?)\.\w+$")


def in_test(path: str) -> bool:
    """Whether a file holds test code, by its path."""
    return "test" in path and _IN_TEST.search(path) is not None


LINE_CHARACTERS: Final = 1_000
"""What is read of a line: generated code has lines of any length."""

MENTIONS_READ: Final = 6
"""Mentions on one line that are classified; a line with more lists the same thing."""

PYTHON: Final = (".py", ".pyi")
_CUT_AROUND: Final = PYTHON + DOCUMENTS

_ORDER: Final = {kind: order for order, kind in enumerate(SiteKind)}
_HEAD: Final = re.compile(r"\s*(@|\w+)")
_FIRST_LINES: Final = {"1": 0, "2": 1}


def classify(change: Change, node: NodeContext) -> Site:
    """What stands at a node, as far as it concerns a change."""
    tie = tie_in(node.hover)
    if tie is not None:
        change = amounts_to(change, tie)
    sought = lens(change, held=tie is not None and tie.how is How.HOLDS)
    path, _, number = node.location.rpartition(":")
    lines = node.snippet.split("\n")
    if len(node.snippet) > LINE_CHARACTERS:
        lines = [line[:LINE_CHARACTERS] for line in lines[:LINES_READ]]
    index = _FIRST_LINES.get(number, 2)
    if index >= len(lines) or not path.endswith(_CUT_AROUND):  # not cut as snippets are, or laid out as Python is
        index = next((index for index, line in enumerate(lines) if sought.find(line)), 0)
    hits = sought.find(lines[index])
    if not hits and not node.hover and change.kind not in _WAKE and not sought.twins and not sought.mentioned(lines):
        return _nothing(path)  # most of what surrounds an answer, so it costs no reading
    reading = _Reading(sought, lines, index, path, number, node.hover or "")
    site = reading.most_telling(hits) if hits else reading.unmentioned()
    if tie is not None and tie.how is How.GOES and site.kind in _BY_KEYWORD and site.name == tie.name:
        return site._replace(kind=SiteKind.CALL, subject=Subject.TARGET, name=sought.called, passing=Passing.NAMED)
    return site


def _nothing(path: str, near: str = "") -> Site:
    """No mention; the name is that of one nearby."""
    return Site(SiteKind.NONE, Subject.NONE, near, in_test(path))


@attrs.define(eq=False)
class _Reading:
    """A snippet while it is read."""

    lens: Lens
    lines: list[str]
    index: int
    path: str
    number: str
    hover: str
    above: str = ""
    code: str = ""
    head: str = ""

    def __attrs_post_init__(self) -> None:
        text = without_text("\n".join(self.lines[: self.index + 1]))
        start = text.rfind("\n") + 1
        self.above, self.code = text[:start], text[start:]
        if tail_of_string("\n".join(self.lines[self.index :])):  # a docstring that is closed further below
            self.code = '"' * len(self.code)
        head = _HEAD.match(self.code)
        self.head = head[1] if head is not None else ""

    def most_telling(self, hits: Sequence[re.Match[str]]) -> Site:
        """The site of the mention whose kind comes first."""
        if len(hits) == 1:
            return self.site(*hits[0].span())
        return min((self.site(*hit.span()) for hit in hits[:MENTIONS_READ]), key=_by_order)

    def site(self, start: int, end: int) -> Site:
        """The site of a name in question."""
        name = self.lines[self.index][start:end]
        if name == self.lens.member:
            return self._describe(self._mention(start, end, is_member=True), Subject.MEMBER)
        if not self.lens.of_variants:
            return self._describe(self._mention(start, end), Subject.TARGET)
        variant = _VARIANT.match(self.lines[self.index], end)
        if variant is None or not self._is_variant(variant):
            return self._describe(self._mention(start, end), Subject.TARGET)
        is_member = variant[1] == self.lens.member
        mention = self._mention(start, variant.end(), is_variant=True, is_member=is_member)
        return self._describe(mention, Subject.MEMBER if is_member else Subject.SIBLING)

    def _is_variant(self, attribute: re.Match[str]) -> bool:
        """Whether an attribute of an enum is one of its variants, by its spelling: what is called is a method."""
        name = attribute[1]
        if name[0].isupper() or name == self.lens.member:
            return True
        return name[0] != "_" and not attribute.string.startswith("(", attribute.end())

    def _mention(self, start: int, end: int, *, is_variant: bool = False, is_member: bool = False) -> Mention:
        raw = self.lines[self.index]
        mention = Mention(
            self.lens,
            self.lines,
            self.index,
            raw,
            self.code,
            self.above,
            self.head,
            self.path,
            self.number,
            self.hover,
            start,
            end,
            raw[start:end].rpartition(".")[2],
            is_variant or (is_member and self.lens.of_variants),
            is_member,
        )
        mention.settle()
        return mention

    def _describe(self, mention: Mention, subject: Subject) -> Site:
        kind = kind_of(mention)
        if subject is Subject.MEMBER and self.lens.kind in FIELD_KINDS:
            if kind in USES and kind not in _OF_A_FIELD and not mention.dotted:
                return _nothing(self.path, mention.name)  # a variable with the name of a field
            kind = SiteKind.STRING if kind is SiteKind.EXPORT else kind
        if self.lens.held and subject is Subject.TARGET:
            subject = Subject.HELD
            kind = SiteKind.ATTRIBUTE if kind in _HELD else SiteKind.WRITE if kind in DEFINITIONS else kind
        if subject is Subject.MEMBER and self.lens.kind in PARAMETER_KINDS and kind not in _NOT_A_USE:
            kind = SiteKind.PARAMETER
        elif kind is SiteKind.KEYWORD and self.lens.kind in PARAMETER_KINDS and mention.hands_on_its_own_name:
            kind = SiteKind.PARAMETER  # `timeout=timeout`
        column = other_name_column(mention) if kind in _RENAMING else -1
        holder = _NOWHERE
        if self.lens.kind is ChangeKind.MAKE_ASYNC:
            holder = around(mention, kind, inside_in(self.hover))
        start = mention.first if mention.is_variant else mention.start
        return Site(
            kind,
            subject,
            ".".join(mention.raw[start : mention.end].split(".")[-2:]),
            in_test(self.path),
            self._use(mention) if kind in VALUES and self.lens.kind in PROPAGATING_KINDS else Use.PASSED,
            passing_of(mention) if kind in _TAKING_ARGUMENTS else Passing.UNKNOWN,
            mention.dotted,
            kind in BRANCHES and self._falls_back(),
            _word_at(mention.raw, column) if column >= 0 else "",
            max(column, 0),
            holder.around,
            holder.name,
        )

    def _use(self, mention: Mention) -> Use:
        """What becomes of a value; one that a variable holds is used by calling it, and not what the call returns."""
        return Use.DEREFERENCED if self.lens.held and mention.after.startswith("(") else use_of(mention)

    def _falls_back(self) -> bool:
        """Whether the lines below show a default branch, and that it raises nothing."""
        depth = indent(self.lines[self.index])
        below = self.lines[self.index + 1 :]
        for line, following in pairwise((*below, "")):
            if indent(line) == depth and line.lstrip().startswith(_DEFAULTS):
                inside = line.partition(":")[2].strip() or following.strip()
                return bool(inside) and not gives_up(inside)
        return False

    def unmentioned(self) -> Site:
        """What stands on a line that mentions none of the names in question."""
        if self.lens.names is None:
            return _nothing(self.path)
        found = (
            self._decorated()
            or self._akin()
            or self._as_the_server_says()
            or self._by_its_words()
            or self._by_its_shape()
        )
        return found or _nothing(self.path, self._near())

    def _decorated(self) -> Site | None:
        """A decorator stands for the definition below it."""
        if self.head != "@":
            return None
        for index in range(self.index + 1, len(self.lines)):
            hits = self.lens.find(self.lines[index])
            if hits:
                below = attrs.evolve(self, index=index).most_telling(hits)
                return below if below.kind in _DECORATED else None
        return None

    def _akin(self) -> Site | None:
        """A definition with the name of a twin of the target or of its class, or a class that derives from nothing."""
        defined = _DEFINES.match(self.code) if self.head in _DEFINING else None
        if defined is None:
            return None
        if defined[1] in self.lens.twins:
            return Site(SiteKind.TWIN, Subject.OTHER, defined[1], in_test(self.path))
        if self.lens.kind is not ChangeKind.ADD_ABSTRACT_METHOD or not _BASELESS.match(self.code, defined.end()):
            return None
        return Site(SiteKind.IMPLEMENTER, Subject.OTHER, defined[1], in_test(self.path))

    def _as_the_server_says(self) -> Site | None:
        """A mention under another name, or of another name, by what the server says about it."""
        said = _SAID.match(self.hover)
        if said is None:
            return None
        enum, variant = said["enum"], said["variant"]
        if enum and (enum in self.lens.ranks or variant == self.lens.member):
            subject = Subject.MEMBER if variant == self.lens.member else Subject.SIBLING
            return self._under_another_name(subject, variant)
        name = said[said.lastgroup or 0]
        if name in self.lens.ranks:
            return self._under_another_name(Subject.MEMBER if name == self.lens.member else Subject.TARGET, name)
        found = _word(name).search(self.code)
        return self._in_its_wake(found.span()) if found is not None else None

    def _under_another_name(self, subject: Subject, name: str) -> Site | None:
        """A mention of what is in question, wherever on the line it may be."""
        found = _word(name).search(self.code) or _CAPITALISED.search(self.code) or _CALLEE.search(self.code)
        if found is None:
            return None
        is_member = subject is Subject.MEMBER
        is_variant = subject is Subject.SIBLING or (is_member and self.lens.of_variants)
        sites = (
            self._describe(self._mention(*hit.span(), is_variant=is_variant, is_member=is_member), subject)
            for hit in islice(_word(found[0]).finditer(self.code), MENTIONS_READ)
        )
        return min(sites, key=_by_order, default=None)

    def _by_its_words(self) -> Site | None:
        """A line that treats several quoted words alike, which may be the values of the variants."""
        if self.lens.kind not in _SPOKEN_OF:
            return None
        if is_document(self.path):
            kind = SiteKind.DOCUMENT if self.path.endswith(PROSE) else SiteKind.SETTING
            return Site(kind, Subject.WORD, "")
        words = words_on(self.lines, self.index)
        if words is None:
            return None
        falls_back = words.kind in BRANCHES and self._falls_back()
        return Site(words.kind, Subject.WORD, words.first, in_test(self.path), fallback=falls_back)

    def _by_its_shape(self) -> Site | None:
        """A mention of another name that may concern the change, where the line looks like one that does."""
        if self.head == "class":
            found = _BASE.match(self.code)
            return self._in_its_wake(found.span(1)) if found is not None else None
        guess = _CALLEE if self.lens.kind in PROPAGATING_KINDS else _CAPITALISED
        found = guess.search(self.code)
        return self._in_its_wake(found.span()) if found is not None and not iskeyword(found[0]) else None

    def _in_its_wake(self, span: tuple[int, int]) -> Site | None:
        """The site of a name that the question does not mention, if the change may reach such a site."""
        site = self._describe(self._mention(*span, is_variant=self.lens.of_variants), Subject.OTHER)
        if site.kind is SiteKind.DECLARATION and any(map(self.lens.find, self.lines[: self.index])):
            return site._replace(subject=Subject.SIBLING)  # in the body of the target
        return site if site.kind in _WAKE.get(self.lens.kind, _NOTHING) else None

    def _near(self) -> str:
        """The first of the names in question that the snippet mentions, or ""."""
        lines = self.lines if self.lens.mentioned(self.lines) else ()
        return next((hits[0][0] for line in lines if (hits := self.lens.find(line))), "")


_NOWHERE: Final = Holder(Around.UNKNOWN)

LINES_READ: Final = 20
"""Lines that are read of a snippet that is much longer than one should be."""

_VARIANT: Final = re.compile(r"\.([^\W\d]\w*)")
_WORD: Final = re.compile(r"\w*")
_CAPITALISED: Final = re.compile(r"(?<![\w.])(?:\w+\.)*_*[A-Z]\w*")
_CALLEE: Final = re.compile(r"(?<!\w)[^\W\d]\w*(?=\()")
_SAID: Final = re.compile(
    r"(?:async )?(?:def|class)\s+(?P<defined>\w+)"
    r"|<class '(?:[\w.]*\.)?(?P<class>\w+)'"
    r"|bound method [^\n(]*?\.(?P<method>\w+)[\[(]"
    r"|Literal\[(?P<enum>\w+)\.(?P<variant>\w+)\]"
    r"|type\[(?P<type>\w+)\]"
)
_DEFAULTS: Final = ("case _:", "else:")

_DEFINING: Final = frozenset({"class", "def", "async"})
_DEFINES: Final = re.compile(r"\s*(?:class|(?:async\s+)?def)\s+(\w+)")
_BASELESS: Final = re.compile(r"\s*(?:\[[^\]]*\]\s*)?(?:\(\s*\)\s*)?:")
_DECORATED: Final = DEFINITIONS | {SiteKind.SUBCLASS}
_TAKING_ARGUMENTS: Final = CALLS | {SiteKind.DECORATOR}
_RENAMING: Final = frozenset({SiteKind.IMPORT_AS, SiteKind.ALIAS, SiteKind.VALUE})
_HELD: Final = USES - {SiteKind.WRITE, SiteKind.DELETE, SiteKind.EXCEPT, SiteKind.KEYWORD} - IMPORTS
"""What a variable may do that reads what it holds, as an attribute does."""

_BY_KEYWORD: Final = frozenset({SiteKind.KEYWORD, SiteKind.PARAMETER})
"""How a parameter is named in a call whose function the snippet does not show."""

_OF_A_FIELD: Final = frozenset({SiteKind.KEYWORD, SiteKind.EXPORT, SiteKind.CASE})
"""What may name a field without a dot in front."""

_NOT_A_USE: Final = TEXTS | {SiteKind.DECLARATION, SiteKind.KEYWORD}
_BASE: Final = re.compile(r"\s*class\s+\w+\s*(?:\[[^\]]*\]\s*)?\(\s*([\w.]+)")

_SPOKEN_OF: Final = VARIANT_KINDS | {ChangeKind.ADD_FIELD}
"""Changes that concern text which writes several variants, or fields, next to each other."""

_NOTHING: Final[frozenset[SiteKind]] = frozenset()
_DERIVING: Final = frozenset({SiteKind.SUBCLASS})
_WAKE: Final[Mapping[ChangeKind, frozenset[SiteKind]]] = {
    ChangeKind.ADD_VARIANT: DISPATCHES,
    ChangeKind.REMOVE_VARIANT: DISPATCHES,
    ChangeKind.ADD_FIELD: _DERIVING,
    ChangeKind.ADD_ABSTRACT_METHOD: _DERIVING,
    ChangeKind.MAKE_NULLABLE: VALUES,
    ChangeKind.CHANGE_RETURN_TYPE: VALUES,
    ChangeKind.CHANGE_BEHAVIOUR: VALUES | _DERIVING,
}
"""Sites of names that the question does not mention, but that a change may reach: by way of what a function returns,
of a class in between, or of a variant that is a class of its own."""


def _word_at(line: str, column: int) -> str:
    found = _WORD.match(line, column)
    return found[0] if found is not None else ""


def _by_order(site: Site) -> int:
    return _ORDER[site.kind]


@lru_cache(maxsize=256)
def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
