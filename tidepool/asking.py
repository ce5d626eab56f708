"""Questions about a given change, as people ask them. Pure.

Every phrasing is read back: one that is understood as anything but the change it stands for is not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Template
from typing import Final, NamedTuple

from tidepool.change import Change, ChangeKind, Target, read_change
from tidepool.domain import QueryContext, Tag
from tidepool.seeds import shuffled

PHRASINGS: Final[Mapping[ChangeKind, tuple[str, ...]]] = {
    ChangeKind.RENAME: (
        "What breaks if I rename `$name` to `$new`?",
        "What has to follow when `$name` is renamed to `$new`?",
        "rename $name to $new",
        "Is it safe to rename `$name` to `$new`, or does something depend on the name?",
        "I want to rename $name to $new. What else do I have to touch?",
        "Which places need an update if `$name` gets renamed to `$new`?",
    ),
    ChangeKind.REMOVE: (
        "What breaks if I remove `$name`?",
        "Can I delete `$name`, or does anything still depend on it?",
        "remove $name",
        "What would deleting `$name` break?",
        "I'd like to get rid of `$name`. What is affected?",
        "Who depends on `$name`? I want to drop it.",
    ),
    ChangeKind.ADD_PARAMETER: (
        "What breaks if I add a required parameter `$member` to `$name`?",
        "Which callers break when `$name` gets a new required parameter `$member`?",
        "add a mandatory argument $member to $name",
        "I want `$name` to take another argument, `$member`. Which calls have to change?",
        "What if I add a parameter `$member` without a default to `$name`?",
        "add `$member` as a new required parameter of `$name`",
    ),
    ChangeKind.REMOVE_PARAMETER: (
        "What breaks if I remove the parameter `$member` of `$name`?",
        "Which callers have to change if I drop the argument `$member` from `$name`?",
        "remove the $member parameter from $name",
        "What if `$name` no longer took the parameter `$member`?",
        "Is it safe to delete the `$member` argument of `$name`?",
    ),
    ChangeKind.CHANGE_PARAMETER_TYPE: (
        "What breaks if I change the type of the parameter `$member` of `$name`?",
        "Which calls stop working when the type of parameter `$member` of `$name` changes?",
        "change the type of the $member parameter of $name",
        "What if the argument `$member` of `$name` gets another type?",
        "I have to change the annotation of the parameter `$member` in `$name`. What else changes?",
    ),
    ChangeKind.CHANGE_RETURN_TYPE: (
        "What breaks if I change the return type of `$name`?",
        "Who is affected when the return type of `$name` changes?",
        "change the return type of $name",
        "What if the return type of `$name` were another one?",
        "I want to change what type `$name` returns. Which callers break?",
        "Which places rely on the return type of `$name`? I am changing it.",
    ),
    ChangeKind.MAKE_NULLABLE: (
        "What breaks if `$name` may return None?",
        "Which callers have to handle it when `$name` can return None?",
        "make $name return None sometimes",
        "What if `$name` returned None in some cases?",
        "Where would it hurt if `$name` returned None now and then?",
        "What breaks if the return of `$name` becomes optional?",
    ),
    ChangeKind.MAKE_ASYNC: (
        "What breaks if I make `$name` async?",
        "Which callers have to change if `$name` becomes a coroutine?",
        "make $name async",
        "What if `$name` were an async function?",
        "I want to turn `$name` into a coroutine function. What else has to become async?",
        "What has to follow when `$name` is converted to `async def`?",
        "Who would have to await `$name` if it became asynchronous?",
    ),
    ChangeKind.ADD_FIELD: (
        "What breaks if I add a required field `$member` to `$name`?",
        "Where is `$name` built? I am adding a required field `$member` to it.",
        "add a required field $member to $name",
        "What has to change when `$name` gets a new mandatory field `$member`?",
        "I want to add a field `$member` without a default to `$name`. What breaks?",
    ),
    ChangeKind.REMOVE_FIELD: (
        "What breaks if I remove the field `$member` of `$owner`?",
        "Can the attribute `$member` of `$owner` be dropped?",
        "remove the field $member from $owner",
        "Who still needs the field `$member` of `$owner`? I want to delete it.",
        "What if `$owner` lost its field `$member`?",
    ),
    ChangeKind.RENAME_FIELD: (
        "What breaks if I rename the field `$member` of `$owner` to `$new`?",
        "What has to follow when the attribute `$member` of `$owner` is renamed to `$new`?",
        "rename the field $member of $owner to $new",
        "I want to rename the `$member` field of `$owner` to `$new`. What else changes?",
    ),
    ChangeKind.ADD_VARIANT: (
        "What breaks if I add a variant `$member` to `$name`?",
        "Which places have to know about it when the enum `$name` gets a new member `$member`?",
        "add the member $member to the enum $name",
        "What if I add another case `$member` to `$name`?",
        "What has to change if `$name` gains the variant `$member`?",
    ),
    ChangeKind.REMOVE_VARIANT: (
        "What breaks if I remove the variant `$member` of `$owner`?",
        "Can the enum member `$member` of `$owner` be deleted?",
        "remove the variant $member from $owner",
        "What if `$owner` lost its variant `$member`?",
        "Who still uses the case `$member` of `$owner`? I want to drop it.",
    ),
    ChangeKind.ADD_ABSTRACT_METHOD: (
        "What breaks if I add an abstract method `$member` to `$name`?",
        "Which classes have to implement it if `$name` gets an abstract method `$member`?",
        "add an abstract method $member to $name",
        "What if I add the abstract method `$member` to the class `$name`?",
    ),
    ChangeKind.CHANGE_ALIAS: (
        "What breaks if I change the type alias `$name`?",
        "What is affected if I change the definition of the type alias `$name`?",
        "change the alias $name",
        "I am about to change the type alias $name. Which places break?",
        "What if the alias `$name` becomes another type?",
    ),
}
"""Ways to ask. `$name` is what changes, `$owner` the class of a field or variant, `$member` a part, `$new` a name."""

TAGS: Final[Mapping[ChangeKind, tuple[Tag, ...]]] = {
    ChangeKind.RENAME: (Tag.FUNCTION,),
    ChangeKind.REMOVE: (Tag.FUNCTION,),
    ChangeKind.ADD_PARAMETER: (Tag.FUNCTION,),
    ChangeKind.REMOVE_PARAMETER: (Tag.FUNCTION,),
    ChangeKind.CHANGE_PARAMETER_TYPE: (Tag.FUNCTION,),
    ChangeKind.CHANGE_RETURN_TYPE: (Tag.FUNCTION,),
    ChangeKind.MAKE_NULLABLE: (Tag.FUNCTION,),
    ChangeKind.MAKE_ASYNC: (Tag.FUNCTION,),
    ChangeKind.ADD_FIELD: (Tag.DATA_TYPE,),
    ChangeKind.REMOVE_FIELD: (Tag.DATA_TYPE,),
    ChangeKind.RENAME_FIELD: (Tag.DATA_TYPE,),
    ChangeKind.ADD_VARIANT: (Tag.EXHAUSTIVE, Tag.PATTERN_MATCH),
    ChangeKind.REMOVE_VARIANT: (Tag.EXHAUSTIVE, Tag.PATTERN_MATCH),
    ChangeKind.ADD_ABSTRACT_METHOD: (Tag.TYPE_FAMILY, Tag.CONSTRAINT),
    ChangeKind.CHANGE_ALIAS: (Tag.TYPE_ALIAS,),
}
"""What somebody who adds tags to such a question adds."""

UNTAGGED: Final = (ChangeKind.RENAME, ChangeKind.REMOVE)
"""Changes to anything at all: that it is a function is not known from the kind."""


def ask(change: Change, *, is_function: bool, seed: str) -> QueryContext | None:
    """A question that asks about a change and is read as exactly that; None where no phrasing is.

    Args:
        change: with one target, the most specific.
        is_function: whether what changes is one; for the tags.
        seed: chooses among the phrasings, and whether there are tags.
    """
    (tagged,) = shuffled((True, False), f"{seed} tags")[:1]
    usual = () if change.kind in UNTAGGED and not is_function else TAGS[change.kind]
    phrased = phrase(change, shuffled(PHRASINGS[change.kind], seed), usual if tagged else ())
    return phrased and phrased.query


class Phrased(NamedTuple):
    """A question, and the phrasing that made it."""

    query: QueryContext
    phrasing: str


def phrase(change: Change, phrasings: Iterable[str], tags: tuple[Tag, ...]) -> Phrased | None:
    """A change in the first of the phrasings that is read as exactly that change; None where none is."""
    for phrasing in phrasings:
        query = QueryContext(filled(phrasing, change), tags)
        if _is_about(read_change(query), change):
            return Phrased(query, phrasing)
    return None


def filled(phrasing: str, change: Change) -> str:
    """A phrasing with the names of a change in it."""
    target = change.targets[0]
    words = {"name": target.qualified_name, "owner": target.container, "member": change.member, "new": change.new_name}
    return Template(phrasing).substitute({word: text for word, text in words.items() if text})


def _is_about(read: Change, change: Change) -> bool:
    parts = ("kind", "member", "new_name", "optional")
    return _first(read.targets) == change.targets[0] and all(
        getattr(read, part) == getattr(change, part) for part in parts
    )


def _first(targets: Iterable[Target]) -> Target | None:
    return next(iter(targets), None)
