"""Many ways to put a question, for training data: what is asked, and what stands around it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Final

from tidepool.asking import PHRASINGS
from tidepool.kinds import ChangeKind as C
from tidepool.seeds import shuffled
from tidepool.training.lookups import Lookup

FRAMES: Final = (
    "{}",
    "{} Please list every place.",
    "{} I need the files and the lines.",
    "{} Thanks!",
    "Quick question: {}",
    "Hi, {}",
    "Before I start: {}",
    "In this codebase: {}",
    "We are planning a refactoring. {}",
    "For the next release: {}",
    "Code review: {}",
    "{} Be thorough.",
    "Hello! {}",
    "Just checking: {}",
)
"""What may stand around a question; each is read as the question alone."""

FURTHER: Final[Mapping[C, tuple[str, ...]]] = {
    C.RENAME: (
        "If I call `$name` `$new` instead, what else has to change?",
        "`$name` should be called `$new` from now on. What breaks?",
        "Give `$name` the new name `$new`: which places are affected?",
        "What would renaming `$name` to `$new` break?",
        "What is the impact of renaming $name to $new?",
    ),
    C.REMOVE: (
        "Is it safe to delete `$name`?",
        "Is `$name` still needed, or can I remove it?",
        "What happens if `$name` goes away?",
        "What is the impact of removing $name?",
        "I plan to delete `$name`: which places have to follow?",
    ),
    C.MOVE: (
        "What breaks if I move `$name` to `$new`?",
        "move $name to $new",
        "Which imports have to change when `$name` moves to `$new`?",
        "What has to follow if `$name` is moved to `$new`?",
        "I want to move `$name` into `$new`. What is affected?",
        "Is it safe to move `$name` to `$new`?",
    ),
    C.ADD_PARAMETER: (
        "If `$name` needed one more required argument `$member`, which calls would break?",
        "What is the impact of adding a required parameter `$member` to `$name`?",
        "Which places call `$name` and would have to pass a new required parameter `$member`?",
    ),
    C.REMOVE_PARAMETER: (
        "What is the impact of removing the parameter `$member` from `$name`?",
        "What breaks if `$name` loses its parameter `$member`?",
    ),
    C.CHANGE_PARAMETER_TYPE: (
        "What is the impact of changing the type of the parameter `$member` of `$name`?",
        "Which callers break if the type of the argument `$member` of `$name` changes?",
    ),
    C.CHANGE_RETURN_TYPE: ("What is the impact of changing the return type of `$name`?",),
    C.MAKE_NULLABLE: (
        "`$name` may return None from now on. Which places break?",
        "What is the impact of `$name` returning None?",
        "What if `$name` can return None?",
    ),
    C.MAKE_ASYNC: (
        "What is the impact of making `$name` async?",
        "Is it safe to make `$name` asynchronous?",
        "If `$name` has to be awaited, which places break?",
    ),
    C.ADD_FIELD: (
        "What is the impact of adding a required field `$member` to `$name`?",
        "Which places build `$name` and have to pass a new required field `$member`?",
        "What if `$name` had one more required field, `$member`?",
    ),
    C.REMOVE_FIELD: (
        "What is the impact of removing the field `$member` from `$owner`?",
        "Is it safe to delete the field `$member` of `$owner`?",
        "Who reads or writes the field `$member` of `$owner`? I want to remove it.",
    ),
    C.RENAME_FIELD: (
        "What is the impact of renaming the field `$member` of `$owner` to `$new`?",
        "Is it safe to rename the field `$member` of `$owner` to `$new`?",
        "If the attribute `$member` of `$owner` is renamed to `$new`, what breaks?",
    ),
    C.ADD_VARIANT: (
        "What is the impact of adding the variant `$member` to `$name`?",
        "Which matches miss a case when I add the variant `$member` to `$name`?",
    ),
    C.REMOVE_VARIANT: (
        "What is the impact of removing the variant `$member` from `$owner`?",
        "Is it safe to delete the variant `$member` of `$owner`?",
        "Which places treat the variant `$member` of `$owner`? I want to remove it.",
    ),
    C.ADD_ABSTRACT_METHOD: (
        "What is the impact of adding an abstract method `$member` to `$name`?",
        "Which subclasses break if `$name` demands an abstract method `$member`?",
        "I am adding the abstract method `$member` to `$name`. What has to follow?",
    ),
    C.CHANGE_ALIAS: (
        "What is the impact of changing the type alias `$name`?",
        "Which signatures depend on the type alias `$name`? I am changing it.",
    ),
}
"""Ways to ask besides those of `tidepool.asking`, for more than cases need."""

LOOKUPS: Final[Mapping[Lookup, tuple[str, ...]]] = {
    Lookup.CALLS: (
        "Who calls `$name`?",
        "find callers of $name",
        "Where is `$name` called?",
        "Which functions call `$name`?",
        "Show me the call sites of `$name`.",
        "From where is $name invoked?",
    ),
    Lookup.CONSTRUCTIONS: (
        "Where is `$name` constructed?",
        "who instantiates $name",
        "Show me every place that builds a `$name`.",
        "Where do we create a `$name`?",
        "Which code makes a `$name`?",
    ),
    Lookup.IMPORTS: (
        "Which modules import `$name`?",
        "what imports $name",
        "Where is `$name` imported?",
        "Which files need `$name` from its module?",
        "Show me the imports of `$name`.",
    ),
    Lookup.SUBCLASSES: (
        "Which classes derive from `$name`?",
        "What inherits from `$name`?",
        "find subclasses of $name",
        "Show me the classes below `$name`.",
        "Who extends `$name`?",
    ),
    Lookup.TYPE_USES: (
        "Which signatures mention `$name`?",
        "Where is `$name` used as a type?",
        "Where do annotations use `$name`?",
        "Which functions take or give a `$name`?",
    ),
    Lookup.TYPE_CHECKS: (
        "Where is something checked to be a `$name`?",
        "Which places match on `$name`?",
        "Where do we tell `$name` apart from other types?",
        "find isinstance checks of $name",
    ),
}
"""Questions that ask for no change. `$name` is the definition."""


def phrasings(asked: C | Lookup, seed: str) -> list[str]:
    """Every way to ask, with what may stand around it, in an order that the seed makes."""
    cores = LOOKUPS[asked] if isinstance(asked, Lookup) else (*PHRASINGS.get(asked, ()), *FURTHER.get(asked, ()))
    return shuffled((frame.format(core) for core, frame in product(cores, FRAMES)), seed)
