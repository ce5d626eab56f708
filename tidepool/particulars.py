"""The table of rules, continued: what the particulars of a site decide.

The rows of `tidepool.rulebook` are about the target of a change. Here are those about its member (the field, the
variant, the parameter), and what holds where the arguments of a call, the use of a value or a default branch tell more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from tidepool.change import ChangeKind as C
from tidepool.reading.coroutines import Around
from tidepool.reading.mentions import SiteKind as S
from tidepool.reading.uses import Passing, Use
from tidepool.rulebook import NO_WORK, TEXT_OF_A_NAME_THAT_GOES, Row, Rule


class RenamedParameter(NamedTuple):
    """The rows for a parameter that gets another name: a rename that only its own function and keywords notice."""

    target: Row
    member: Row
    passing: Mapping[Passing, Rule]


# fmt: off
_TEXT_OF_A_FIELD_THAT_GOES: Final[Row] = {
    **TEXT_OF_A_NAME_THAT_GOES,
    S.LOOKUP: Rule(4, 3, 3, "{member} is looked up by its name here, in a string that no checker reads",
        "correct the string"),
    S.STRING: Rule(3, 3, 2, "a string says `{name}` here: a look-up or a serialised form may rely on {member}",
        "check whether the string means {member}"),
}

MEMBER_RULES: Final[Mapping[C, Row]] = {
    C.REMOVE_VARIANT: {
        S.DECLARATION: Rule(5, 2, 5, "{member} is declared here", "remove it here"),
        S.CASE: Rule(5, 5, 5, "an arm of a match names {member}, which is no longer there", "remove the case"),
        S.CHAIN: Rule(5, 5, 5, "a branch tests for {member}, which is no longer there", "remove the branch"),
        S.TABLE: Rule(5, 5, 5, "a table has an entry for {member}, which is no longer there", "remove the entry"),
        S.LITERAL: Rule(5, 5, 5, "a literal type lists {member}, which is no longer there", "take it out of the type"),
        S.ENUMERATION: Rule(5, 5, 5, "a list names {member}, which is no longer there", "take it out of the list"),
        **TEXT_OF_A_NAME_THAT_GOES,
        None: Rule(5, 5, 5, "`{name}` is used here, and is no longer there", "use another variant, or none"),
    },
    C.REMOVE_PARAMETER: {
        S.DECLARATION: Rule(5, 2, 5, "{member} is declared here", "remove it here"),
        S.KEYWORD: Rule(3, 2, 2, "an argument has the name of {member} here", "check which function gets it"),
        S.PARAMETER: Rule(5, 5, 4, "{member} is used here, and no longer passed", "do without {member}"),
        S.DOCSTRING: Rule(2, 2, 4, "documentation mentions {member}", "correct the text"),
    },
    C.CHANGE_PARAMETER_TYPE: {
        S.DECLARATION: Rule(5, 3, 5, "{member} is declared here with the old type", "change the type here"),
        S.KEYWORD: Rule(3, 2, 2, "an argument has the name of {member} here", "check which function gets it"),
        S.PARAMETER: Rule(5, 4, 4, "{member} is used here as what it was", "use it as the new type"),
        S.DOCSTRING: Rule(2, 2, 4, "documentation mentions {member}", "correct the text"),
    },
    C.REMOVE_FIELD: {
        S.DECLARATION: Rule(5, 2, 5, "{member} is declared here", "remove it here"),
        S.WRITE: Rule(5, 5, 5, "{member} is assigned here, and is no longer there", "remove the assignment"),
        S.KEYWORD: Rule(5, 5, 4, "{member} is passed by keyword here, and no longer taken", "stop passing it"),
        **_TEXT_OF_A_FIELD_THAT_GOES,
        None: Rule(5, 5, 5, "{member} is read here, and is no longer there", "do without it"),
    },
    C.RENAME_FIELD: {
        S.DECLARATION: Rule(5, 2, 5, "{member} is declared here under the old name", "rename it to {new}"),
        S.WRITE: Rule(5, 5, 5, "{member} is assigned here by its old name", "assign {new}"),
        S.KEYWORD: Rule(5, 5, 4, "{member} is passed by keyword here, by its old name", "pass {new}"),
        **_TEXT_OF_A_FIELD_THAT_GOES,
        None: Rule(5, 5, 5, "{member} is read here by its old name", "read {new}"),
    },
    C.ADD_ABSTRACT_METHOD: {
        S.OVERRIDE: Rule(4, 1, 4, "`{name}` is defined here already",
            "check that it does what the new method asks for"),
        S.CALL: Rule(3, 1, 3, "`{name}` is called here already", NO_WORK),
    },
}
"""What a change does where the member it is about stands."""

_TEXT_OF_VARIANTS: Final[Row] = {
    S.DOCUMENT: Rule(1, 2, 2, "a document lists what may be the variants of {target}", "correct the list"),
    S.SETTING: Rule(2, 2, 2, "configuration, or a schema, lists what may be the variants of {target}",
        "correct the list, if it lists the variants"),
}

WORD_RULES: Final[Mapping[C, Row]] = {
    C.ADD_VARIANT: {
        S.TABLE: Rule(4, 3, 2,
            "a table is keyed by text here, `{name}` and its like; if these are the variants of {target}, it has no "
            "entry for {member}, and a look-up by `[]` fails",
            "add an entry for {member}, if the keys are variants"),
        S.LITERAL: Rule(4, 3, 2,
            "a literal type lists `{name}` and its like here; if these are the variants of {target}, it lacks {member}",
            "add {member} to the literal type, if it lists the variants"),
        S.CASE: Rule(4, 3, 2,
            "`{name}` is one arm of a match; if the arms are the variants of {target}, none matches {member}",
            "add a case for {member}, if the arms are variants"),
        S.CHAIN: Rule(4, 3, 2,
            "text is told apart here by an if/elif chain, `{name}` first; if it is a variant of {target}, {member} "
            "falls through to the chain's end",
            "add a branch for {member}, if the branches are variants"),
        S.ENUMERATION: Rule(4, 3, 2,
            "`{name}` and its like are listed here; if these are the variants of {target}, {member} is missing",
            "add {member} to the list, if it lists the variants"),
        S.TABLE_VALUE: Rule(3, 3, 2,
            "a table leads to `{name}` and its like; if these are the variants of {target}, nothing leads to {member}",
            "add an entry that leads to {member}, if the values are variants"),
        **_TEXT_OF_VARIANTS,
        S.COMPARISON: Rule(3, 2, 2,
            "`{name}` is told apart here; if it is a variant of {target}, {member} counts as the rest",
            "check that {member} belongs with the rest"),
    },
    C.REMOVE_VARIANT: {
        **_TEXT_OF_VARIANTS,
        None: Rule(3, 3, 2,
            "`{name}` and its like are written here; if one of these is {member}, it is no longer there",
            "take {member} out of it, if it is one of these"),
    },
    C.ADD_FIELD: {
        S.TABLE: Rule(4, 3, 2,
            "a mapping is keyed by text here, `{name}` and its like; if these are the fields of {target}, {member} is "
            "neither written nor read",
            "add {member} to the mapping, if it holds the fields"),
        S.DOCUMENT: Rule(1, 2, 2, "a document lists what may be the fields of {target}", "add {member} to the text"),
        S.SETTING: Rule(2, 2, 2, "configuration, or a schema, lists what may be the fields of {target}",
            "add {member}, if it belongs there"),
        None: Rule(3, 3, 2, "`{name}` and its like are listed here; if these are the fields of {target}, {member} is "
            "missing", "add {member} to the list, if it lists the fields"),
    },
}
"""What a change to the variants does where quoted words stand that may be their values."""

RENAMED_PARAMETER: Final = RenamedParameter(
    target={
        S.DEFINITION: Rule(5, 3, 5, "`{name}` is defined here, and {member} gets another name", "rename {member} here"),
        S.OVERRIDE: Rule(5, 4, 4, "the override of `{name}` still takes {member} by its old name, so keywords miss it",
            "rename {member} in the override"),
        S.METHOD: Rule(5, 4, 3, "`{name}` is defined here: {member} gets another name in it, or in what it overrides",
            "rename {member} here"),
        S.CALL: Rule(3, 1, 3, "`{name}` is called here, on these lines without naming {member}", NO_WORK),
        S.CONSTRUCTION: Rule(3, 1, 3, "an instance of `{name}` is made here, on these lines without naming {member}",
            NO_WORK),
        S.VALUE: Rule(3, 2, 2, "`{name}` is handed on here uncalled: whoever calls it may name {member}",
            "check who calls it"),
    },
    member={
        S.DECLARATION: Rule(5, 3, 5, "{member} is declared here under the old name", "rename it to {new}"),
        S.KEYWORD: Rule(3, 2, 2, "an argument has the name of {member} here", "check which function gets it"),
        S.PARAMETER: Rule(5, 5, 5, "{member} is used here by its old name", "use {new}"),
        S.DOCSTRING: Rule(2, 2, 4, "documentation mentions {member} by its old name", "correct the text"),
    },
    passing={
        Passing.NAMED: Rule(5, 5, 5, "`{name}` is called here with {member} by its old name, so the call fails",
            "pass {new}"),
        Passing.SPREAD: Rule(4, 3, 2, "`{name}` is called here with unpacked arguments, which may name {member}",
            "check what is unpacked"),
    },
)

BY_PASSING: Final[Mapping[C, Mapping[Passing, Rule]]] = {
    C.ADD_PARAMETER: {
        Passing.NAMED: Rule(4, 1, 4, "`{name}` is called here with {member} by keyword already", NO_WORK),
        Passing.SPREAD: Rule(5, 4, 3, "`{name}` is called here with unpacked arguments, which have to hold {member}",
            "put {member} into what is unpacked"),
    },
    C.REMOVE_PARAMETER: {
        Passing.NAMED: Rule(5, 5, 5, "`{name}` is called here with {member} by keyword, so the call fails",
            "stop passing {member}"),
        Passing.NOTHING: Rule(3, 1, 5, "`{name}` is called here without arguments", NO_WORK),
        Passing.ABSENT: Rule(3, 1, 5, "`{name}` is called here without {member}, which is only taken by keyword",
            NO_WORK),
        Passing.SPREAD: Rule(4, 3, 2, "`{name}` is called here with unpacked arguments, which may hold {member}",
            "check what is unpacked"),
    },
    C.CHANGE_PARAMETER_TYPE: {
        Passing.NAMED: Rule(5, 4, 4, "`{name}` is called here with {member} by keyword, which must fit the new type",
            "pass the new type"),
        Passing.NOTHING: Rule(3, 1, 4, "`{name}` is called here without arguments", NO_WORK),
        Passing.ABSENT: Rule(3, 1, 4, "`{name}` is called here without {member}, which is only taken by keyword",
            NO_WORK),
    },
    C.ADD_FIELD: {
        Passing.NAMED: Rule(4, 1, 4, "an instance of `{name}` is made here with {member} already", NO_WORK),
        Passing.SPREAD: Rule(5, 4, 3,
            "an instance of `{name}` is made here from unpacked arguments, which have to hold {member}",
            "put {member} into what is unpacked"),
    },
    C.REMOVE_FIELD: {
        Passing.NAMED: Rule(5, 5, 5, "an instance of `{name}` is made here with {member} by keyword, so the call fails",
            "stop passing {member}"),
        Passing.NOTHING: Rule(3, 1, 5, "an instance of `{name}` is made here without arguments", NO_WORK),
        Passing.ABSENT: Rule(3, 1, 4, "an instance of `{name}` is made here without {member}", NO_WORK),
    },
    C.RENAME_FIELD: {
        Passing.NAMED: Rule(5, 5, 5,
            "an instance of `{name}` is made here with {member} by its old name, so the call fails",
            "pass {new}"),
        Passing.NOTHING: Rule(3, 1, 5, "an instance of `{name}` is made here without arguments", NO_WORK),
        Passing.SPREAD: Rule(4, 3, 2,
            "an instance of `{name}` is made here from unpacked arguments, which may name {member}",
            "check what is unpacked"),
    },
}
"""What a call's arguments decide; a call whose arguments show nothing has the rule of its row."""

BY_USE: Final[Mapping[C, Mapping[Use, Rule]]] = {
    C.MAKE_NULLABLE: {
        Use.IGNORED: Rule(2, 1, 5, "the result of `{name}` is not used here, so None does no harm", NO_WORK),
        Use.RETURNED: Rule(5, 4, 4, "`{name}` is returned from here, so the function around it may give None too",
            "handle None here, or declare it and look at the callers"),
        Use.DEREFERENCED: Rule(5, 5, 5,
            "what `{name}` gives is used at once, by an attribute, an item or a call, which None does not have",
            "handle None before it is used"),
        Use.OPERAND: Rule(5, 5, 4, "what `{name}` gives is calculated or indexed with here, which fails for None",
            "handle None first"),
        Use.ITERATED: Rule(5, 5, 4, "what `{name}` gives is iterated over or unpacked here, which fails for None",
            "handle None first"),
        Use.TESTED: Rule(3, 2, 4, "what `{name}` gives is tested here, so None may already be provided for",
            "check that the test means the right thing for None"),
        Use.ASSIGNED: Rule(4, 3, 3, "what `{name}` gives is kept in a variable here, whose uses may fail for None",
            "handle None after the assignment"),
        Use.FORMATTED: Rule(3, 2, 4, "what `{name}` gives is put into text here, which then says None",
            "check what the text says then"),
        Use.PASSED: Rule(5, 3, 3, "what `{name}` gives is passed on here to code that may not take None",
            "handle None before it is passed on"),
    },
    C.CHANGE_RETURN_TYPE: {
        Use.IGNORED: Rule(2, 1, 5, "the result of `{name}` is not used here", NO_WORK),
        Use.RETURNED: Rule(5, 4, 4, "`{name}` is returned from here, so the function around it changes its type too",
            "convert it here, or change the type and look at the callers"),
        Use.DEREFERENCED: Rule(5, 5, 4,
            "what `{name}` gives is used at once, by an attribute, an item or a call that the new type may lack",
            "use what the new type offers"),
        Use.OPERAND: Rule(5, 4, 4, "what `{name}` gives is calculated or indexed with here, as what it was",
            "use it as the new type"),
        Use.ITERATED: Rule(5, 4, 4, "what `{name}` gives is iterated over or unpacked here, as what it was",
            "use it as the new type"),
        Use.TESTED: Rule(4, 3, 3,
            "what `{name}` gives is tested here: the new type may be true or equal in other cases",
            "check what the test means for the new type"),
        Use.ASSIGNED: Rule(4, 3, 3, "what `{name}` gives is kept in a variable here, and used as what it was",
            "check the variable's uses"),
        Use.FORMATTED: Rule(3, 2, 3, "what `{name}` gives is put into text here, in the words of its new type",
            "check what the text says then"),
        Use.PASSED: Rule(5, 4, 3, "what `{name}` gives is passed on here, as what it was",
            "check that the new type is taken there"),
    },
    C.CHANGE_BEHAVIOUR: {
        use: Rule(4, 3, 3, "`{name}` is used here, and what follows may rely on how it behaved",
            "check what relies on it")
        for use in Use
    },
}
"""What becomes of a value decides, where a change is one of what comes out."""

BY_AROUND: Final[Mapping[C, Mapping[Around, Rule]]] = {
    C.MAKE_ASYNC: {
        Around.AWAITED: Rule(2, 1, 4, "`{name}` is awaited here already", NO_WORK),
        Around.RUN: Rule(3, 2, 3, "`{name}` is given here to what runs a coroutine, which it gives from now on",
            "check that it is meant to be a coroutine here"),
        Around.LAMBDA: Rule(5, 4, 4, "a lambda gives what `{name}` gives, so whoever calls the lambda gets a coroutine",
            "check that whoever calls the lambda awaits it, or make it an async function"),
        Around.ASYNC: Rule(5, 4, 5, "`{name}` is called here in an async function, and must be awaited from now on",
            "await it"),
        Around.SYNC: Rule(5, 5, 4,
            "`{name}` is called here in {function}, which is not async: the call must be awaited, so {function} has to "
            "become async in turn, or to run a loop itself",
            "await it, and make {function} async in turn"),
        Around.FIXED: Rule(5, 5, 4,
            "`{name}` is called here in {function}, which cannot be async, so the call cannot be awaited",
            "move the call to where it can be awaited, or run it in a loop"),
        Around.MODULE: Rule(5, 5, 4, "`{name}` is called here outside of functions, where nothing can be awaited",
            "run it in a loop, as by `asyncio.run`, or call it later"),
    },
}
"""What stands around a call decides, where it gives a coroutine from now on; else the rule of its row."""

OPTIONAL: Final[Mapping[C, Rule]] = {
    C.CHANGE_PARAMETER_TYPE: Rule(3, 1, 4, "`{name}` is used here; what it gets for {member} is taken as before",
        NO_WORK),
    C.ADD_PARAMETER: Rule(3, 1, 4, "`{name}` is used here without {member}, and may be: it has a default", NO_WORK),
    C.ADD_FIELD: Rule(3, 1, 4, "an instance of `{name}` is made here without {member}, and may be: it has a default",
        NO_WORK),
}
"""What holds wherever a function or a class is used, where that which is added has a default."""

FALLBACK: Final[Mapping[C, Rule]] = {
    C.ADD_VARIANT: Rule(5, 3, 4,
        "`{name}` is one of several branches that end in a default, which {member} takes without a word",
        "decide whether the default suits {member}"),
}
"""What holds for a match arm or a chain whose default branch raises nothing."""

DOTTED: Final[Mapping[C, Rule]] = {
    C.MOVE: Rule(5, 5, 4,
        "`{name}` is reached here through the module or object it was in, and is no longer found there",
        "reach it where it is now: {place}"),
}
"""What holds for a use through a module or an object: `module.name`."""
# fmt: on
