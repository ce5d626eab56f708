"""What can be done to a definition, and which changes have something in common."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


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
    MAKE_ASYNC = "make asynchronous"
    ADD_FIELD = "add a field"
    REMOVE_FIELD = "remove a field"
    RENAME_FIELD = "rename a field"
    ADD_ABSTRACT_METHOD = "add an abstract method"
    REMOVE = "remove"
    MOVE = "move"
    CHANGE_ALIAS = "change an alias"
    CHANGE_BEHAVIOUR = "change behaviour"


VARIANT_KINDS: Final = frozenset({ChangeKind.ADD_VARIANT, ChangeKind.REMOVE_VARIANT})
FIELD_KINDS: Final = frozenset({ChangeKind.ADD_FIELD, ChangeKind.REMOVE_FIELD, ChangeKind.RENAME_FIELD})
CLASS_KINDS: Final = VARIANT_KINDS | FIELD_KINDS | {ChangeKind.ADD_ABSTRACT_METHOD}
"""Changes that are made to classes only."""

PART_KINDS: Final = frozenset({ChangeKind.REMOVE_VARIANT, ChangeKind.REMOVE_FIELD, ChangeKind.RENAME_FIELD})
"""Changes to a part of a class that is there already: the part may have to be looked for in the class, and a question
may name it as the member of a target or as the target itself."""

PARAMETER_KINDS: Final = frozenset({ChangeKind.RENAME, ChangeKind.REMOVE_PARAMETER, ChangeKind.CHANGE_PARAMETER_TYPE})
"""Changes to a parameter that is there already: it is mentioned inside the function."""

PROPAGATING_KINDS: Final = frozenset(
    {ChangeKind.MAKE_NULLABLE, ChangeKind.CHANGE_RETURN_TYPE, ChangeKind.CHANGE_BEHAVIOUR}
)
"""Changes to what comes out of a function: what becomes of it decides, and a function that returns what it got hands
them on to its callers."""

OPTIONAL_KINDS: Final = frozenset({ChangeKind.ADD_PARAMETER, ChangeKind.ADD_FIELD})
"""Changes that add what a caller has to give, unless it has a default."""

NAMING_KINDS: Final = frozenset({ChangeKind.REMOVE, ChangeKind.RENAME, ChangeKind.MOVE})
"""Changes to a definition as a whole, wherever it stands."""

GONE_KINDS: Final = NAMING_KINDS | PART_KINDS
"""Changes after which a name is no longer there: who says it, in code or in words, has to follow."""

OWNER_KINDS: Final = frozenset(
    {
        ChangeKind.ADD_VARIANT,
        ChangeKind.ADD_FIELD,
        ChangeKind.ADD_ABSTRACT_METHOD,
        ChangeKind.ADD_PARAMETER,
        ChangeKind.REMOVE_PARAMETER,
        ChangeKind.CHANGE_PARAMETER_TYPE,
    }
)
"""Changes to a class or a function by way of a part of it."""

TYPE_KINDS: Final = frozenset(
    {
        ChangeKind.CHANGE_PARAMETER_TYPE,
        ChangeKind.CHANGE_RETURN_TYPE,
        ChangeKind.MAKE_NULLABLE,
        ChangeKind.CHANGE_ALIAS,
    }
)
"""Changes of a type: where one is told, the names that follow are types, and nothing is done to them."""
