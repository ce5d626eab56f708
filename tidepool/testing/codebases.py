"""Small Python codebases drawn from a seed, and questions about them of every kind of change."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

import attrs

from tidepool.kinds import ChangeKind


@attrs.frozen
class Codebase:
    """Files of Python, each made of statements that stand for themselves, so that any can be left out.

    Attributes:
        parts: the statements at the top level of every file, by its path.
        questions: what can be asked about it.
    """

    parts: tuple[tuple[str, tuple[str, ...]], ...]
    questions: tuple[str, ...]

    @property
    def files(self) -> dict[str, str]:
        """The text of every file, by its path, relative to the root and with `/`."""
        return {path: "\n\n\n".join(parts) + "\n" for path, parts in self.parts}


QUESTIONS: Final[Mapping[ChangeKind, tuple[str, ...]]] = {
    ChangeKind.ADD_VARIANT: ("What breaks if I add a variant to {enum}?", "Add a variant to the type alias {alias}"),
    ChangeKind.REMOVE_VARIANT: ("What breaks if I remove the variant {first} from {enum}?",),
    ChangeKind.RENAME: (
        "What breaks if I rename {function}?",
        "Rename the parameter {parameter} of {function} to other",
        "What breaks if I rename {child}.{method}?",
    ),
    ChangeKind.ADD_PARAMETER: (
        "What breaks if I add a required parameter to {function}?",
        "What breaks if I add a required parameter to {base}.{method}?",
    ),
    ChangeKind.REMOVE_PARAMETER: ("What breaks if I remove the parameter {parameter} from {base}.{method}?",),
    ChangeKind.CHANGE_PARAMETER_TYPE: ("What breaks if I change the type of the parameter {parameter} of {function}?",),
    ChangeKind.CHANGE_RETURN_TYPE: ("What breaks if I change the return type of {function}?",),
    ChangeKind.MAKE_NULLABLE: (
        "What breaks if `{function}` may return None?",
        "What breaks if `{base}.{method}` may return None?",
    ),
    ChangeKind.MAKE_ASYNC: (
        "What breaks if I make {function} async?",
        "What breaks if {base}.{method} becomes a coroutine?",
    ),
    ChangeKind.ADD_FIELD: ("What breaks if I add a field size to {base}?",),
    ChangeKind.REMOVE_FIELD: (
        "What breaks if I remove the field {field} from {base}?",
        "What breaks if I remove the field {hidden} from {child}?",
    ),
    ChangeKind.RENAME_FIELD: ("What breaks if I rename the field {field} of {base} to other?",),
    ChangeKind.ADD_ABSTRACT_METHOD: ("What breaks if I add an abstract method draw to {base}?",),
    ChangeKind.REMOVE: ("Is it safe to delete {function}?", "Is it safe to delete {child}.{method}?"),
    ChangeKind.MOVE: ("What breaks if I move {function} to other.py?",),
    ChangeKind.CHANGE_ALIAS: ("What breaks if I change the type alias {alias}?",),
    ChangeKind.CHANGE_BEHAVIOUR: ("Tell me about {base}", "Tell me about {function}x", "Is this safe?"),
}
"""By the change that is asked about; the last two lead to no definition."""

_DEFINITIONS: Final = tuple(
    """
class {enum}(Enum):
    {first} = 1
    {second} = 2
    {third} = 3


class {base}:
    {field}: int = 0

    def __init__(self, {parameter}):
        self.{hidden} = {parameter}

    def {method}(self, {parameter}=1):
        return self.{field} * {parameter}


class {child}({base}):
    def draw(self, {parameter}=1):
        return self.{method}({parameter})


def {function}({parameter}, limit=3):
    if {parameter}:
        return {parameter} + limit
    return limit


{alias} = {base} | {child}
""".strip().split("\n\n\n")
)
"""What a question may be about: every codebase has one of each."""

_USES: Final = tuple(
    """
def {fresh}(kind):
    match kind:
        case {enum}.{first}:
            return 1
        case {enum}.{second} | {enum}.{third}:
            return 2


def {fresh}(kind):
    if kind is {enum}.{first}:
        return 1
    elif kind is {enum}.{second}:
        return 2
    return 3


{fresh} = {{{enum}.{first}: 1, {enum}.{second}: 2, {enum}.{third}: 3}}


def {fresh}(x):
    return {function}(x)


def {fresh}(x):
    total = {function}(x, limit=4) * 2
    return total


def {fresh}(x):
    {function}({parameter}=x)


def {fresh}(item: {base}):
    return item.{field} + item.{method}({parameter}=2)


def {fresh}(item):
    item.{method}(3)
    item.{hidden} = item.{field}


class {fresh}({base}):
    {field} = 5

    def {method}(self, {parameter}=1):
        return {parameter}


class {fresh}({child}):
    pass


def {fresh}(x: {alias}) -> {alias} | None:
    return x


{fresh} = {function}


{fresh} = {base}


def {fresh}():
    try:
        return {base}({function}(1)).{method}()
    except ValueError:
        return None


def test_{fresh}():
    assert {function}(1) == {child}(2).{method}()


def {function}(other):  # a namesake
    return other
""".strip().split("\n\n\n")
)
"""What else there may be, each under a name of its own; the last takes the function's."""

_IMPORTS: Final = ("from {module} import {name}", "from {module} import {name} as {fresh}", "import {module}")

_PATHS: Final = ("shop/kinds.py", "shop/model.py", "shop/till.py", "app.py", "tests/test_shop.py")

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "enum": ("Kind", "Color"),
    "first": ("TEA", "RED"),
    "second": ("COFFEE", "GREEN"),
    "third": ("WATER", "BLUE"),
    "base": ("Order", "Shape"),
    "child": ("Refund", "Circle"),
    "field": ("total", "name"),
    "hidden": ("secret", "state"),
    "method": ("show", "send"),
    "parameter": ("amount", "key"),
    "function": ("price", "load"),
    "alias": ("AnyOrder", "AnyShape"),
}


def draw_codebase(dice: Random) -> Codebase:
    """Some files with classes, an enum, functions, aliases, subclasses and calls, and whatever may be asked of them."""
    names = {role: dice.choice(choices) for role, choices in _NAMES.items()}
    paths = dice.sample(_PATHS, dice.randint(2, len(_PATHS)))
    parts: dict[str, list[str]] = {path: [] for path in paths}
    for number, template in enumerate((*_DEFINITIONS, *dice.choices(_USES, k=dice.randint(3, 24)))):
        parts[dice.choice(paths)].append(template.format(**names, fresh=f"made{number}"))
    for number in range(dice.randint(0, 5)):
        name = names[dice.choice(("enum", "base", "child", "function", "alias"))]
        module = dice.choice(paths).removesuffix(".py").replace("/", ".")
        line = dice.choice(_IMPORTS).format(module=module, name=name, fresh=f"alias{number}")
        parts[dice.choice(paths)].insert(0, line)
    questions = [question.format(**names) for kind in QUESTIONS for question in QUESTIONS[kind]]
    return Codebase(tuple((path, tuple(parts[path])) for path in paths if parts[path]), tuple(questions))
