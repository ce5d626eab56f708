"""From a question in English to the change it asks about. Pure: nothing is looked up here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

import attrs

from tidepool.domain import QueryContext, Tag
from tidepool.question.phrases import sentences
from tidepool.question.phrasings import MENTIONING, PARTS, TELLING, Deed, deeds, is_code
from tidepool.question.slots import with_a_slot_quoted, with_parts_quoted
from tidepool.question.vocabulary import LETTERS
from tidepool.question.words import Mention, words_of


class ChangeKind(StrEnum):
    """What is done to a definition."""

    ADD_VARIANT = "add a variant"
    REMOVE_VARIANT = "remove a variant"
    RENAME = "rename"
    ADD_PARAMETER = "add a parameter"
    REMOVE_PARAMETER = "remove a parameter"
    CHANGE_PARAMETER_TYPE = "change a parameter's type"
    CHANGE_RETURN_TYPE = "change the return type"
    MAKE_NULLABLE = "make the return nullable"
    ADD_FIELD = "add a field"
    REMOVE_FIELD = "remove a field"
    RENAME_FIELD = "rename a field"
    ADD_ABSTRACT_METHOD = "add an abstract method"
    REMOVE = "remove"
    MOVE = "move"
    CHANGE_ALIAS = "change an alias"
    CHANGE_BEHAVIOUR = "change behaviour"


@attrs.frozen
class Target:
    """A name as the question writes it.

    Attributes:
        name: the last part, `method` of `Class.method`.
        container: what stands before it, `Class` or `module.Class`, or "".
    """

    name: str
    container: str = ""

    @property
    def qualified_name(self) -> str:
        """The name as it was written, dotted."""
        return f"{self.container}.{self.name}" if self.container else self.name


@attrs.frozen
class Change:
    """A change to a codebase, as far as the question tells it.

    A variant or a field that is removed or renamed is looked for inside its class, and then the class itself is the
    next target. A parameter is never a target: its function is. To rename a parameter is a `RENAME` of its function's
    `member`, since calls may pass it by keyword. A field that becomes optional is `MAKE_NULLABLE`, and one whose type
    changes `CHANGE_RETURN_TYPE`: for who reads it, a field is what a function without parameters is.

    Attributes:
        kind: what is done.
        targets: names the question may be about, the most plausible first; the change is made to the first that is
            defined. Empty where the question names nothing.
        member: the parameter, field, variant or method that is added, or that is removed or changed inside the target.
        new_name: what the target, or the member, is renamed to, or where it is moved to.
        optional: whether the parameter or the field that is added has a default.
    """

    kind: ChangeKind
    targets: tuple[Target, ...]
    member: str | None = None
    new_name: str | None = None
    optional: bool = False


TARGETS_KEPT: Final = 8
"""Names a change may be about: who names more asks about a paragraph, not about a definition."""

QUESTIONS_REMEMBERED: Final = 32
"""A scorer reads the same question once for every node; few, since a question may be 100 kB long."""

MEANINGS: Final[dict[str, tuple[tuple[str, ChangeKind], ...]]] = {
    "add": (
        ("parameter", ChangeKind.ADD_PARAMETER),
        ("field abstract", ChangeKind.ADD_ABSTRACT_METHOD),
        ("field", ChangeKind.ADD_FIELD),
        ("variant", ChangeKind.ADD_VARIANT),
        ("abstract", ChangeKind.ADD_ABSTRACT_METHOD),
        ("method to-protocol", ChangeKind.ADD_ABSTRACT_METHOD),
        ("call to-protocol", ChangeKind.ADD_ABSTRACT_METHOD),
        ("method #Constraint", ChangeKind.ADD_ABSTRACT_METHOD),
        ("call #Constraint", ChangeKind.ADD_ABSTRACT_METHOD),
        ("method", ChangeKind.CHANGE_BEHAVIOUR),
        ("call", ChangeKind.CHANGE_BEHAVIOUR),
        ("to-enum", ChangeKind.ADD_VARIANT),
        ("to-alias", ChangeKind.CHANGE_ALIAS),
        ("activity", ChangeKind.CHANGE_BEHAVIOUR),
        ("to-method", ChangeKind.ADD_PARAMETER),
        ("to-Class #TypeAlias", ChangeKind.CHANGE_ALIAS),
        ("to-Class #Exhaustive", ChangeKind.ADD_VARIANT),
        ("to-Class #PatternMatch", ChangeKind.ADD_VARIANT),
        ("to-Class #DataType", ChangeKind.ADD_FIELD),
        ("to-Class value", ChangeKind.ADD_VARIANT),
        ("to-Class CONSTANT", ChangeKind.ADD_VARIANT),
        ("to-Class Class", ChangeKind.ADD_VARIANT),
        ("to-Class", ChangeKind.ADD_FIELD),
        ("to-function", ChangeKind.ADD_PARAMETER),
    ),
    "add one": (
        ("parameter", ChangeKind.ADD_PARAMETER),
        ("field", ChangeKind.ADD_FIELD),
        ("variant", ChangeKind.ADD_VARIANT),
        ("abstract", ChangeKind.ADD_ABSTRACT_METHOD),
        ("Class more", ChangeKind.ADD_VARIANT),
        ("Class #Exhaustive", ChangeKind.ADD_VARIANT),
        ("Class #PatternMatch", ChangeKind.ADD_VARIANT),
    ),
    "add to": (
        ("to-enum", ChangeKind.ADD_VARIANT),
        ("to-alias", ChangeKind.CHANGE_ALIAS),
        ("#TypeAlias", ChangeKind.CHANGE_ALIAS),
        ("#Exhaustive", ChangeKind.ADD_VARIANT),
        ("#PatternMatch", ChangeKind.ADD_VARIANT),
        ("to-Class #DataType", ChangeKind.ADD_FIELD),
        ("to-function #Function", ChangeKind.ADD_PARAMETER),
        ("", ChangeKind.CHANGE_BEHAVIOUR),
    ),
    "more": (
        ("parameter more", ChangeKind.ADD_PARAMETER),
        ("field more", ChangeKind.ADD_FIELD),
        ("variant more", ChangeKind.ADD_VARIANT),
    ),
    "gain": (
        ("abstract", ChangeKind.ADD_ABSTRACT_METHOD),
        ("method to-protocol", ChangeKind.ADD_ABSTRACT_METHOD),
        ("method #Constraint", ChangeKind.ADD_ABSTRACT_METHOD),
        ("method", ChangeKind.CHANGE_BEHAVIOUR),
        ("CONSTANT to-Class", ChangeKind.ADD_VARIANT),
        ("CONSTANT to-enum", ChangeKind.ADD_VARIANT),
    ),
    "add abstract": (("", ChangeKind.ADD_ABSTRACT_METHOD),),
    "add method": (
        ("to-protocol", ChangeKind.ADD_ABSTRACT_METHOD),
        ("#Constraint", ChangeKind.ADD_ABSTRACT_METHOD),
        ("", ChangeKind.CHANGE_BEHAVIOUR),
    ),
    "make abstract": (
        ("inside", ChangeKind.ADD_ABSTRACT_METHOD),
        ("method", ChangeKind.ADD_ABSTRACT_METHOD),
        ("Class", ChangeKind.CHANGE_BEHAVIOUR),
        ("", ChangeKind.ADD_ABSTRACT_METHOD),
    ),
    "remove": (
        ("parameter", ChangeKind.REMOVE_PARAMETER),
        ("field", ChangeKind.REMOVE_FIELD),
        ("variant", ChangeKind.REMOVE_VARIANT),
        ("return", ChangeKind.CHANGE_RETURN_TYPE),
        ("method", ChangeKind.REMOVE),
        ("call", ChangeKind.REMOVE),
        ("to-module", ChangeKind.REMOVE),
        ("to-enum", ChangeKind.REMOVE_VARIANT),
        ("to-alias", ChangeKind.CHANGE_ALIAS),
        ("to-method", ChangeKind.REMOVE_PARAMETER),
        ("to-Class #TypeAlias", ChangeKind.CHANGE_ALIAS),
        ("to-Class #DataType", ChangeKind.REMOVE_FIELD),
        ("inside #Exhaustive", ChangeKind.REMOVE_VARIANT),
        ("inside #PatternMatch", ChangeKind.REMOVE_VARIANT),
        ("to-Class CONSTANT", ChangeKind.REMOVE_VARIANT),
        ("to-function", ChangeKind.REMOVE_PARAMETER),
        ("", ChangeKind.REMOVE),
    ),
    "remove from": (
        ("to-Class", ChangeKind.CHANGE_ALIAS),
        ("to-alias", ChangeKind.CHANGE_ALIAS),
    ),
    "rename": (
        ("field", ChangeKind.RENAME_FIELD),
        ("inside #DataType", ChangeKind.RENAME_FIELD),
        ("", ChangeKind.RENAME),
    ),
    "relabel": (
        ("field label", ChangeKind.RENAME_FIELD),
        ("parameter label", ChangeKind.RENAME),
        ("variant label", ChangeKind.RENAME),
    ),
    "move": (("", ChangeKind.MOVE),),
    "make none": (
        ("parameter", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("field", ChangeKind.MAKE_NULLABLE),
        ("return", ChangeKind.MAKE_NULLABLE),
        ("to-method", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("to-function", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("alias", ChangeKind.CHANGE_ALIAS),
        ("Class", ChangeKind.CHANGE_BEHAVIOUR),
        ("", ChangeKind.MAKE_NULLABLE),
    ),
    "be none": (
        ("to-method", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("to-function", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("inside", ChangeKind.MAKE_NULLABLE),
    ),
    "return none": (("", ChangeKind.MAKE_NULLABLE),),
    "return": (("", ChangeKind.CHANGE_RETURN_TYPE),),
    "retype": (
        ("parameter", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("to-method", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("to-function", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("variant", ChangeKind.CHANGE_BEHAVIOUR),
        ("alias", ChangeKind.CHANGE_ALIAS),
        ("Class #TypeAlias", ChangeKind.CHANGE_ALIAS),
        ("", ChangeKind.CHANGE_RETURN_TYPE),
    ),
    "accept": (
        ("to-alias", ChangeKind.CHANGE_ALIAS),
        ("to-Class", ChangeKind.CHANGE_ALIAS),
        ("", ChangeKind.CHANGE_PARAMETER_TYPE),
    ),
    "alias": (
        ("alias", ChangeKind.CHANGE_ALIAS),
        ("type Class", ChangeKind.CHANGE_ALIAS),
        ("Class #TypeAlias", ChangeKind.CHANGE_ALIAS),
    ),
    "widen": (
        ("parameter", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("variant", ChangeKind.CHANGE_BEHAVIOUR),
        ("alias", ChangeKind.CHANGE_ALIAS),
        ("name Class", ChangeKind.CHANGE_ALIAS),
        ("", ChangeKind.CHANGE_RETURN_TYPE),
    ),
    "change": (
        ("parameter", ChangeKind.CHANGE_PARAMETER_TYPE),
        ("return", ChangeKind.CHANGE_RETURN_TYPE),
        ("name Class #Exhaustive", ChangeKind.ADD_VARIANT),
        ("name Class #PatternMatch", ChangeKind.ADD_VARIANT),
        ("", ChangeKind.CHANGE_BEHAVIOUR),
    ),
    "take": (
        ("abstract", ChangeKind.ADD_ABSTRACT_METHOD),
        ("method to-protocol", ChangeKind.ADD_ABSTRACT_METHOD),
        ("to-enum", ChangeKind.ADD_VARIANT),
        ("CONSTANT to-Class", ChangeKind.ADD_VARIANT),
        ("lower", ChangeKind.ADD_PARAMETER),
    ),
    "signature": (("", ChangeKind.CHANGE_PARAMETER_TYPE),),
    "default": (("", ChangeKind.CHANGE_BEHAVIOUR),),
    "behave": (("", ChangeKind.CHANGE_BEHAVIOUR),),
}
"""What a deed means, by what is known of the thing it is done to: the first line of which all words hold.

`parameter`, `field`, `variant`, `return`, `name`: which kind of phrase the thing is. `method`, `alias`, … `more`: words
beside its name. `Class`, `CONSTANT`, `call`, `activity`: how the name is written. `inside`: it has an owner.
`to-…`: the same of the owner it is added to or removed from. `#Tag`: a tag of the question.
"""

_INSIDE: Final = frozenset((ChangeKind.REMOVE_VARIANT, ChangeKind.REMOVE_FIELD, ChangeKind.RENAME_FIELD))
"""What is done to a part of a class, which may have to be looked for there."""

_ON_OWNER: Final = frozenset(
    (
        ChangeKind.ADD_VARIANT,
        ChangeKind.ADD_FIELD,
        ChangeKind.ADD_ABSTRACT_METHOD,
        ChangeKind.ADD_PARAMETER,
        ChangeKind.REMOVE_PARAMETER,
        ChangeKind.CHANGE_PARAMETER_TYPE,
    )
)
"""What is done to a class or a function by way of a part of it."""

_ON_THING: Final = frozenset((ChangeKind.REMOVE, ChangeKind.RENAME, ChangeKind.MOVE))
"""What is done to a definition, wherever it stands."""

_OF_TYPES: Final = frozenset(
    (
        ChangeKind.CHANGE_PARAMETER_TYPE,
        ChangeKind.CHANGE_RETURN_TYPE,
        ChangeKind.MAKE_NULLABLE,
        ChangeKind.CHANGE_ALIAS,
    )
)
"""Where such a change is told, the names that follow are types, and nothing is done to them."""

_ACTIVITIES: Final = (
    "ing",
    "tion",
    "sion",
    "ment",
    "ance",
    "ence",
    "ity",
    "ness",
    "logs",
    "docs",
    "support",
    "cache",
    "lock",
    "retries",
    "overload",
    "comment",
)
"""Ends of words for what code does: they name no parameter and no field."""

_PLAIN: Final = frozenset(LETTERS[sort] for sort in ("word", "opening"))
_SILENT: Final = frozenset(LETTERS[sort] for sort in ("comma", "end", "asks", "filler", "proper", "noise", "article"))


@lru_cache(maxsize=QUESTIONS_REMEMBERED)
def read_change(query: QueryContext) -> Change:
    """The change a question asks about; whatever the text is, there is an answer, in linear time."""
    change = _read(with_parts_quoted(query.query), query.tags)
    others = (_read(text, query.tags) for text in with_a_slot_quoted(query.query))
    change = change if change.targets else next((other for other in others if other.targets), change)
    return attrs.evolve(change, optional=change.kind in _MAY_BE_OPTIONAL and _tells_a_default(query.query))


_MAY_BE_OPTIONAL: Final = frozenset((ChangeKind.ADD_PARAMETER, ChangeKind.ADD_FIELD))
_DEFAULT: Final = re.compile(r"\b(?:optional|default(?:s|ed|ing)?)\b", re.IGNORECASE)
_NO_DEFAULT: Final = re.compile(
    r"\b(?:no|without|non|not|lacks?|required)[\s-]+(?:an?\s+)?(?:optional|default)", re.IGNORECASE
)


def _tells_a_default(text: str) -> bool:
    return _DEFAULT.search(text) is not None and _NO_DEFAULT.search(text) is None


def _read(text: str, tags: Sequence[Tag]) -> Change:
    words = words_of(text)
    asked = sentences(words)
    for table in (TELLING, MENTIONING):
        for sentence in asked:
            for deed in deeds(table, sentence):
                kind = _kind(deed, tags)
                if kind is not None:
                    return _change(kind, deed, words)
    return Change(ChangeKind.CHANGE_BEHAVIOUR, tuple(dict.fromkeys(_mentioned(words, frozenset())))[:TARGETS_KEPT])


def _kind(deed: Deed, tags: Sequence[Tag]) -> ChangeKind | None:
    """What a deed means; None where the phrasing was met by chance."""
    known = _known(deed) | {f"#{tag}" for tag in tags}
    return next((kind for needed, kind in _meanings(deed.name) if needed <= known), None)


@cache
def _meanings(deed: str) -> tuple[tuple[frozenset[str], ChangeKind], ...]:
    return tuple((frozenset(needed.split()), kind) for needed, kind in MEANINGS[deed])


def _known(deed: Deed) -> set[str]:
    """What is known of the thing and of its owner, in the words of `MEANINGS`."""
    known = {deed.sort, *deed.nouns, *(f"to-{noun}" for noun in deed.owner_nouns)}
    if deed.owners or (deed.thing and "." in deed.thing.text):
        known.add("inside")
    if deed.thing:
        known.update(_looks(deed.thing))
    if deed.owners:
        owner = deed.owners[0]
        is_class = "Class" in _looks(owner) or "kind" in deed.owner_nouns
        known.add("to-module" if owner.is_path else "to-Class" if is_class else "to-function")
    return known


def _looks(name: Mention) -> Iterator[str]:
    """What the spelling of a name says about what it names."""
    last = name.text.rpartition(".")[2].lstrip("_")
    yield "Class" if last[:1].isupper() else "lower"
    if last.isupper() and len(last) > 1:
        yield "CONSTANT"
    if name.is_call:
        yield "call"
    if name.letter == LETTERS["word"] and last.endswith(_ACTIVITIES):
        yield "activity"


def _change(kind: ChangeKind, deed: Deed, words: Sequence[Mention]) -> Change:
    thing, owners = _taken_apart(kind, deed)
    is_parameter = deed.sort == "parameter" or (deed.name == "default" and bool(owners))
    targets, member = _spelled(thing, *owners), None
    if kind is ChangeKind.CHANGE_BEHAVIOUR and thing and owners and not is_code(thing):
        targets[1:1] = _spelled(*owners)  # "the cache in load_all": a definition, or something inside of one
    if kind in _INSIDE:
        targets, member = [*targets, *_spelled(*owners)], thing
    elif deed.sort in ("field", "variant") and kind not in _ON_OWNER:
        targets = targets or _spelled(*owners)
    elif (deed.is_owner_apart and kind not in _ON_THING) or is_parameter or (kind in _ON_OWNER and owners):
        # "remove parse from utils" may speak of a function and its parameter, or of a module and its function.
        guesses = targets if kind is ChangeKind.REMOVE_PARAMETER and deed.sort == "name" else []
        targets, member = [*_spelled(*owners), *guesses], thing
    told = {mention.text for mention in (deed.thing, deed.new, *deed.owners) if mention}
    others = _mentioned(words, told | {word.text for word in deed.rest} if kind in _OF_TYPES else told)
    if others and thing and thing.letter == LETTERS["quoted"] and not owners:
        targets = []  # who names `int` beside another thing asks about that other thing
    targets += others
    return Change(
        kind,
        tuple(dict.fromkeys(targets))[:TARGETS_KEPT],
        member.text if member else None,
        _new_name(kind, deed.new) if deed.new else None,
    )


def _taken_apart(kind: ChangeKind, deed: Deed) -> tuple[Mention | None, tuple[Mention, ...]]:
    """The thing and its owners, where a dotted name holds both."""
    thing = deed.thing
    is_part = deed.sort in PARTS or kind in _INSIDE or kind is ChangeKind.ADD_ABSTRACT_METHOD
    if thing is None or deed.owners or not is_part or "." not in thing.text:
        return thing, deed.owners
    container, _, last = thing.text.rpartition(".")
    return thing._replace(text=last), (thing._replace(text=container),)


def _new_name(kind: ChangeKind, new: Mention) -> str:
    if kind is ChangeKind.MOVE:
        return new.written if new.is_path else new.text
    return new.text.rpartition(".")[2]


def _spelled(*mentions: Mention | None) -> list[Target]:
    """A definition with all that is said to be around it, then without what may be the module that holds it."""
    chain = [mention for mention in mentions if mention]
    spelled: list[Target] = []
    while chain:
        container, _, name = ".".join(mention.text for mention in reversed(chain)).rpartition(".")
        spelled.append(Target(name, container))
        last = chain.pop()
        if last.is_path and not chain and container:
            spelled.append(Target(name, container.partition(".")[2]))
        if not last.is_path and "Class" in _looks(last):
            break
    return spelled


def _mentioned(words: Sequence[Mention], told: AbstractSet[str]) -> list[Target]:
    """The other names that look like code, files last; failing these, quoted types, or a question's only word."""
    names = [word for word in words if word.letter == LETTERS["name"]]
    names = names or [word for word in words if word.letter == LETTERS["quoted"]]
    if not names and len([word for word in words if word.letter not in _SILENT]) == 1:
        names = [word for word in words if word.letter in _PLAIN]
    names.sort(key=lambda word: word.is_file)
    return [target for word in names if word.text not in told for target in _spelled(word)]
