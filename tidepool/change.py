"""From a question in English to the change it asks about. Pure: nothing is looked up here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache, lru_cache
from typing import Final

import attrs

from tidepool.domain import QueryContext, Tag
from tidepool.kinds import NAMING_KINDS, OPTIONAL_KINDS, OWNER_KINDS, PART_KINDS, TYPE_KINDS, ChangeKind
from tidepool.question.defaults import tells_a_default, tells_required
from tidepool.question.meanings import MEANINGS
from tidepool.question.phrases import sentences
from tidepool.question.phrasings import MENTIONING, PARTS, TELLING, Deed, deeds, is_code
from tidepool.question.slots import with_a_slot_quoted, with_parts_quoted
from tidepool.question.vocabulary import LETTERS
from tidepool.question.words import Mention, words_of

__all__ = ["TARGETS_KEPT", "Change", "ChangeKind", "Target", "read_change"]


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


@attrs.frozen(cache_hash=True)  # what is prepared for a change is looked up once and more a node
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
        optional: whether the parameter or the field that is added has a default, or the parameter whose type changes
            takes all that it took before.
    """

    kind: ChangeKind
    targets: tuple[Target, ...]
    member: str | None = None
    new_name: str | None = None
    optional: bool = False


_WIDENING: Final = frozenset({"make none", "be none", "accept", "widen"})
"""Deeds after which a parameter takes more than before."""

TARGETS_KEPT: Final = 8
"""Names a change may be about: who names more asks about a paragraph, not about a definition."""

QUESTIONS_REMEMBERED: Final = 32
"""A scorer reads the same question once for every node; few, since a question may be 100 kB long."""

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
    return change if change.targets else next((other for other in others if other.targets), change)


def _read(text: str, tags: Sequence[Tag]) -> Change:
    words = words_of(text)
    asked = sentences(words)
    for table in (TELLING, MENTIONING):
        for sentence in asked:
            for deed in deeds(table, sentence):
                kind = _kind(deed, tags)
                if kind is ChangeKind.CHANGE_PARAMETER_TYPE and deed.name == "change":
                    # Who does not pass what is required from now on, breaks as if it were new.
                    kind = ChangeKind.ADD_PARAMETER if tells_required(sentence.words_from(0)) else kind
                if kind is not None:
                    change = _change(kind, deed, words)
                    return attrs.evolve(change, optional=_is_optional(change, deed, sentence.words_from(0)))
    return Change(ChangeKind.CHANGE_BEHAVIOUR, tuple(dict.fromkeys(_mentioned(words, frozenset())))[:TARGETS_KEPT])


def _is_optional(change: Change, deed: Deed, sentence: Sequence[Mention]) -> bool:
    """Whether what is added has a default, as the sentence says, or what changes takes more than before."""
    if change.kind is ChangeKind.CHANGE_PARAMETER_TYPE:
        return deed.name in _WIDENING
    if change.kind not in OPTIONAL_KINDS:
        return False
    parts = [part for target in change.targets for part in target.qualified_name.split(".")]
    return tells_a_default(sentence, deed.thing, {change.member, *parts})


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
    if kind in PART_KINDS:
        targets, member = [*targets, *_spelled(*owners)], thing
    elif deed.sort in ("field", "variant") and kind not in OWNER_KINDS:
        targets = targets or _spelled(*owners)
    elif (deed.is_owner_apart and kind not in NAMING_KINDS) or is_parameter or (kind in OWNER_KINDS and owners):
        # "remove parse from utils" may speak of a function and its parameter, or of a module and its function.
        guesses = targets if kind is ChangeKind.REMOVE_PARAMETER and deed.sort == "name" else []
        targets, member = [*_spelled(*owners), *guesses], thing
    told = {mention.text for mention in (deed.thing, deed.new, *deed.owners) if mention}
    others = _mentioned(words, told | {word.text for word in deed.rest} if kind in TYPE_KINDS else told)
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
    is_part = deed.sort in PARTS or kind in PART_KINDS or kind is ChangeKind.ADD_ABSTRACT_METHOD
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
