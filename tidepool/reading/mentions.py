"""One mention of a name in a line of code, and the kinds of site it can be."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from tidepool.reading.lens import Lens
from tidepool.reading.snippets import Within, dotted_start, hangs, innermost, within


class SiteKind(StrEnum):
    """What a name does where it stands, in a phrase; the most telling first."""

    DEFINITION = "definition"
    OVERRIDE = "override"
    METHOD = "definition or override"  # a method of that name, in a class that the snippet does not show
    SUBCLASS = "subclass"
    IMPLEMENTER = "implementer"  # a class that may stand in for the target by its methods, and does not name it
    TWIN = "twin"  # by its name, the same for who awaits it, or for who does not
    DECLARATION = "declaration"  # of the member: the field, the variant, the parameter
    CASE = "match arm"
    CHAIN = "if/elif chain"
    TABLE = "dispatch table"
    LITERAL = "literal type"
    ENUMERATION = "list of variants"
    TABLE_VALUE = "table value"
    TALLY = "count of variants"  # all of them, or what is made of each, compared with what is written there
    ITERATION = "iteration"
    CONSTRUCTION = "construction"
    SUPER_CALL = "call of super"
    CALL = "call"
    PARAMETER = "use of the parameter"
    DECORATOR = "decorator"
    RAISE = "raise"
    EXCEPT = "except clause"
    WRITE = "write"
    DELETE = "deletion"
    ATTRIBUTE = "attribute"
    KEYWORD = "keyword argument"
    SUBSCRIPT = "subscript"
    ISINSTANCE = "type check"
    COMPARISON = "comparison"
    MEMBER = "use of a member"
    ALIAS = "alias"
    VALUE = "value"
    ANNOTATION = "annotation"
    EXPORT = "export"
    REEXPORT = "re-export"
    IMPORT_AS = "import under another name"
    IMPORT = "import"
    LOOKUP = "look-up by name"
    STRING = "string"
    SETTING = "configuration"
    DOCUMENT = "documentation"
    DOCSTRING = "docstring"
    COMMENT = "comment"
    NONE = "no mention"


TEXTS: Final = frozenset(
    {
        *(SiteKind.LOOKUP, SiteKind.STRING, SiteKind.SETTING),
        *(SiteKind.DOCUMENT, SiteKind.DOCSTRING, SiteKind.COMMENT),
    }
)
"""Sites that only speak of the name."""

DEFINITIONS: Final = frozenset({SiteKind.DEFINITION, SiteKind.METHOD, SiteKind.OVERRIDE})
"""Sites that define it, or what overrides it."""

AKIN: Final = frozenset({SiteKind.IMPLEMENTER, SiteKind.TWIN})
"""Sites that define what may have to follow, though nothing ties it to the name."""

USES: Final = frozenset(SiteKind) - DEFINITIONS - TEXTS - AKIN - {SiteKind.DECLARATION, SiteKind.NONE}
"""Sites that use the name: neither definitions nor text about it."""

CALLS: Final = frozenset({SiteKind.CALL, SiteKind.CONSTRUCTION, SiteKind.SUPER_CALL})
"""Sites that pass arguments."""

IMPORTS: Final = frozenset({SiteKind.IMPORT, SiteKind.IMPORT_AS, SiteKind.REEXPORT, SiteKind.EXPORT})
"""Sites that only hand the name on to other modules."""

VALUES: Final = CALLS | {SiteKind.ATTRIBUTE}
"""Sites that get a value."""

INVOKED: Final = VALUES | {SiteKind.VALUE, SiteKind.DECORATOR, SiteKind.RAISE}
"""Sites that call the name, or hand it to what will."""

BRANCHES: Final = frozenset({SiteKind.CASE, SiteKind.CHAIN})
"""Sites that are one of several branches."""

DISPATCHES: Final = BRANCHES | {
    *(SiteKind.TABLE, SiteKind.LITERAL, SiteKind.ENUMERATION, SiteKind.TABLE_VALUE),
    *(SiteKind.ISINSTANCE, SiteKind.COMPARISON, SiteKind.SUBCLASS, SiteKind.DECLARATION),
}
"""Sites that tell variants apart, or list them."""


@attrs.define(eq=False)
class Mention:
    """One mention of a name, with what is read around it.

    Attributes:
        lens: what is looked for.
        lines: the snippet's lines.
        index: which of them it is.
        raw: the line as written.
        code: the line without strings and comments.
        above: the lines above, likewise.
        head: the first word of the line, or "@".
        path: the file.
        number: the line's number in the file, in digits.
        hover: what the language server says, or "".
        start: where the mention starts in the line.
        end: where it ends, a variant included.
        name: the name alone.
        is_variant: whether it is a variant of the target.
        is_member: whether it is the member.
        first: where the dotted name that it ends starts.
        dotted: whether something stands in front of it, behind a dot.
        before: the code of the line in front of the dotted name.
        after: the code behind the mention, from the first character that is no space.
        opener: where the innermost open bracket stands in `above` and `before` together, or -1.
        within: what the innermost open bracket makes of it.
        owner: what stands in front of that bracket.
    """

    lens: Lens
    lines: list[str]
    index: int
    raw: str
    code: str
    above: str
    head: str
    path: str
    number: str
    hover: str
    start: int
    end: int
    name: str
    is_variant: bool
    is_member: bool
    first: int = 0
    dotted: bool = False
    before: str = ""
    after: str = ""
    opener: int = -1
    within: Within = Within.STATEMENT
    owner: str = ""

    def settle(self) -> None:
        """Work out what depends on where the mention starts and ends."""
        self.dotted = self.start > 0 and self.code[self.start - 1] == "."
        self.first = dotted_start(self.code, self.start) if self.dotted else self.start
        self.before = self.code[: self.first]
        self.after = self.code[self.end :].lstrip()
        text = self.above + self.before
        self.opener = innermost(text)
        if self.opener >= 0:
            self.within, self.owner = within(text, self.opener)
        elif hangs(self.lines, self.index):
            self.within = Within.UNSEEN

    @property
    def is_continued(self) -> bool:
        """Whether the line stands inside a bracket that was opened above it."""
        return 0 <= self.opener < len(self.above)

    @property
    def starts_line(self) -> bool:
        """Whether nothing stands in front of it."""
        return not self.before or self.before.isspace()

    @property
    def hands_on_its_own_name(self) -> bool:
        """Whether it is a keyword whose value is the variable of the same name: `timeout=timeout`."""
        sign, value = self.after[:1], self.after[1:].lstrip()
        return sign == "=" and re.match(rf"{re.escape(self.name)}\b(?!\s*[.(\[])", value) is not None

    @property
    def is_class(self) -> bool:
        """Whether the name is a class: as the server says, or as its spelling suggests."""
        if self.hover.startswith(("class ", "<class ", "type[")):
            return True
        if self.hover.startswith(("def ", "bound method ", "Overload[")):
            return False
        return (self.lens.of_class and not self.is_member) or self.name[:1].isupper()

    @property
    def is_attribute(self) -> bool:
        """Whether it is read from an object, as a field is."""
        if not self.dotted or self.is_variant:
            return False
        return self.is_member or not (self.lens.of_class or self.name[:1].isupper())


Ask: TypeAlias = Callable[[Mention], SiteKind | None]
"""A question to a mention: which kind of site it is, or None where it does not tell."""
