"""The table of rules: what stands there and why it breaks, or why not, and what to do.

A rule is `relevance, risk, confidence, why, do`; what the numbers mean is said in `tidepool.domain.Rubric`. In the
sentences `{name}` is the name as it stands at the site, `{target}` what changes, `{member}` the parameter, field,
variant or method that the change is about, `{new}` the new name and `{place}` the new module.

A row lists what is particular to a change. Its `None` is the rule for any other use; a kind of site that a row
does not list has the rule of its parent in `PARENTS`, and last the one in `DEFAULTS`, which says why nothing happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from tidepool.change import ChangeKind as C
from tidepool.reading.mentions import SiteKind as S


class Rule(NamedTuple):
    """What a change does to a kind of site.

    Attributes:
        relevance: 1 to 5, for product code; in tests it is one less.
        risk: 1 to 5.
        confidence: 1 to 5.
        why: a sentence, its names in braces.
        do: what to do, in the imperative, likewise.
    """

    relevance: int
    risk: int
    confidence: int
    why: str
    do: str


Row: TypeAlias = Mapping[S | None, Rule]


NO_WORK: Final = "leave it as it is"

PARENTS: Final[Mapping[S, S]] = {
    S.CHAIN: S.ISINSTANCE,
    S.LITERAL: S.ANNOTATION,
    S.TABLE: S.VALUE,
    S.TABLE_VALUE: S.VALUE,
    S.ENUMERATION: S.VALUE,
    S.PARAMETER: S.VALUE,
    S.CONSTRUCTION: S.CALL,
    S.SUPER_CALL: S.CALL,
    S.RAISE: S.CONSTRUCTION,
    S.DELETE: S.WRITE,
    S.REEXPORT: S.IMPORT,
    S.IMPORT_AS: S.IMPORT,
}
"""The kind of site whose rule holds where a row has none for this one."""

NOT_MENTIONED: Final = Rule(1, 1, 3, "nothing on these lines mentions {target}", NO_WORK)
NEARBY: Final = Rule(2, 1, 2, "this line does not mention {target}; `{name}` stands near it", NO_WORK)
SIBLING_STAYS: Final = Rule(2, 1, 4, "`{name}` is another variant than {member}, and it stays", NO_WORK)

# fmt: off
DEFAULTS: Final[Mapping[S, Rule]] = {
    S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here", "make the change here"),
    S.OVERRIDE: Rule(3, 2, 3, "`{name}` is an override of what changes", "check whether the override still fits"),
    S.METHOD: Rule(4, 2, 3,
        "`{name}` is defined here: it is what changes, or a method of that name in a class next to it",
        "make the change here, or check whether this override still fits"),
    S.SUBCLASS: Rule(3, 2, 3, "a subclass of `{name}` inherits the change", "check what the subclass relies on"),
    S.DECLARATION: Rule(3, 1, 3, "`{name}` is declared here", NO_WORK),
    S.CASE: Rule(3, 2, 3, "`{name}` is matched here", "check what the case relies on"),
    S.ITERATION: Rule(3, 2, 3, "`{name}` is iterated over here", "check what the loop relies on"),
    S.CALL: Rule(3, 2, 3, "`{name}` is called here", "check what the call relies on"),
    S.DECORATOR: Rule(3, 2, 3, "`{name}` decorates a definition here", "check what the decorated function relies on"),
    S.EXCEPT: Rule(2, 1, 4, "`{name}` is caught here by its class, which stays", NO_WORK),
    S.WRITE: Rule(3, 2, 3, "`{name}` is assigned here", "check whether the value still fits"),
    S.KEYWORD: Rule(2, 1, 3, "`{name}` is the name of an argument here", NO_WORK),
    S.ATTRIBUTE: Rule(3, 2, 3, "`{name}` is read from an object here", "check what is made of the value"),
    S.SUBSCRIPT: Rule(3, 2, 3, "an item of `{name}` is looked up here", "check what is made of the item"),
    S.ISINSTANCE: Rule(2, 1, 4, "only the class of a value is checked against `{name}` here", NO_WORK),
    S.COMPARISON: Rule(2, 1, 3, "a value is compared with `{name}` here", NO_WORK),
    S.MEMBER: Rule(2, 1, 3, "something else of `{name}` is used here", NO_WORK),
    S.ALIAS: Rule(3, 2, 3, "`{name}` gets another name here, under which it is used on", "check the uses of that name"),
    S.VALUE: Rule(3, 2, 2, "`{name}` is handed on here as a value", "check who uses it from here"),
    S.ANNOTATION: Rule(2, 1, 4, "`{name}` is only named as a type here", NO_WORK),
    S.EXPORT: Rule(1, 1, 5, "`{name}` is only exported by name here", NO_WORK),
    S.REEXPORT: Rule(2, 1, 5, "`{name}` is only imported here to be imported from here", NO_WORK),
    S.IMPORT_AS: Rule(2, 1, 5, "`{name}` is only imported here, under another name", "check the uses of that name"),
    S.IMPORT: Rule(2, 1, 5, "`{name}` is only imported here", NO_WORK),
    S.STRING: Rule(1, 1, 3, "`{name}` stands in a string here", NO_WORK),
    S.DOCSTRING: Rule(2, 2, 3, "documentation mentions `{name}` here", "check whether the text still holds"),
    S.COMMENT: Rule(1, 1, 4, "a comment mentions `{name}` here", "check whether the comment still holds"),
    S.NONE: NOT_MENTIONED,
}
"""What holds where a change has no rule of its own."""

TEXT_OF_A_NAME_THAT_GOES: Final[Row] = {
    S.STRING: Rule(3, 3, 2, "a string says `{name}` here: a look-up by that name fails at run time",
        "check whether the string is a name, and change it"),
    S.DOCSTRING: Rule(2, 2, 4, "documentation speaks of `{name}`, which is no longer there", "correct the text"),
    S.COMMENT: Rule(2, 2, 4, "a comment speaks of `{name}`, which is no longer there", "correct the comment"),
}

_SIGNATURE_FOLLOWS: Final = (
    "the override of `{name}` must take what the base class takes, or it no longer stands in for it"
)

RULES: Final[Mapping[C, Row]] = {
    C.ADD_VARIANT: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and gets {member}", "add {member} here"),
        S.DECLARATION: Rule(4, 1, 4, "`{name}` is declared here, a variant next to {member}", NO_WORK),
        S.SUBCLASS: Rule(3, 1, 3, "this class is a variant of `{name}` next to {member}", NO_WORK),
        S.CASE: Rule(5, 5, 4, "`{name}` is one arm of a match, and no arm matches {member}", "add a case for {member}"),
        S.CHAIN: Rule(5, 4, 4, "`{name}` is one branch of an if/elif chain, and {member} falls through to its end",
            "add a branch for {member}"),
        S.TABLE: Rule(5, 4, 4, "`{name}` is a key of a table that has no entry for {member}: a look-up by `[]` fails",
            "add an entry for {member}"),
        S.LITERAL: Rule(4, 4, 3, "`{name}` is one of the values that a literal type lists, and {member} is not",
            "add {member} to the literal type, if it belongs there"),
        S.ENUMERATION: Rule(4, 3, 3, "`{name}` stands in a list of variants written by hand, without {member}",
            "add {member} to the list, if it belongs there"),
        S.TABLE_VALUE: Rule(4, 3, 3, "a table leads to `{name}`, and not to {member}",
            "add an entry that leads to {member}"),
        S.ITERATION: Rule(4, 3, 3,
            "every variant of `{name}` is visited here, so what is done to each must work for {member}",
            "check that this works for {member}"),
        S.ISINSTANCE: Rule(3, 2, 3, "one variant is told apart by its class, `{name}`; {member} counts as the rest",
            "check that {member} belongs with the rest"),
        S.COMPARISON: Rule(3, 2, 3, "one variant is told apart, `{name}`; {member} counts as the rest",
            "check that {member} belongs with the rest"),
        S.CONSTRUCTION: Rule(3, 2, 3, "a variant of `{name}` is made from a value here: {member} can come out now",
            "check that {member} may come out of this"),
        S.SUBSCRIPT: Rule(3, 2, 3, "a variant of `{name}` is looked up by name here: {member} can come out now",
            "check that {member} may come out of this"),
        S.MEMBER: Rule(3, 2, 2, "a method of `{name}` is used here, which may treat the variants one by one",
            "look at it"),
        S.ALIAS: Rule(3, 2, 3, "`{name}` gets another name here: dispatch on that name lacks {member} too",
            "check its uses"),
        S.VALUE: Rule(2, 1, 4, "`{name}` is only used as a value here", NO_WORK),
        S.ANNOTATION: Rule(2, 2, 3,
            "values of `{name}` pass here, {member} among them; only what is done with them can break",
            "check that what is done with it suits {member}"),
        S.STRING: Rule(2, 2, 2, "a string says `{name}` here", "check whether the string lists variants"),
    },
    C.REMOVE_VARIANT: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and loses {member}", "remove {member} here"),
        S.ITERATION: Rule(4, 3, 3, "every variant of `{name}` is visited here, and {member} no longer",
            "check who needs {member} here"),
        S.CONSTRUCTION: Rule(4, 3, 3,
            "a variant of `{name}` is made from a value here, which fails for stored values of {member}",
            "handle values that meant {member}"),
        S.SUBSCRIPT: Rule(4, 3, 3, "a variant of `{name}` is looked up by name here, which fails for {member}",
            "handle names that meant {member}"),
    },
    C.RENAME: {
        S.DEFINITION: Rule(5, 5, 5, "`{name}` is defined here under the old name", "rename it to {new}"),
        S.OVERRIDE: Rule(5, 5, 4, "`{name}` overrides the renamed method here: under the old name it overrides nothing",
            "rename the override to {new}"),
        S.METHOD: Rule(5, 5, 4,
            "`{name}` is defined here: it is the renamed method, or overrides it and then overrides nothing",
            "rename it to {new}"),
        S.KEYWORD: Rule(2, 2, 2, "an argument has the name `{name}` here", "check whether it means what is renamed"),
        S.IMPORT: Rule(5, 5, 5, "`{name}` is imported here by the old name, so the import fails", "import {new}"),
        S.IMPORT_AS: Rule(5, 5, 5,
            "`{name}` is imported here by the old name, so the import fails; uses of the other name go on",
            "import {new} under the same other name"),
        S.REEXPORT: Rule(5, 5, 5,
            "`{name}` is re-exported here by the old name: the import fails, and importers rely on it",
            "import {new}, and keep the old name for importers if it is public"),
        S.EXPORT: Rule(5, 5, 5, "`__all__` lists `{name}`, which is no longer there, so a star import fails",
            "list {new} instead"),
        **TEXT_OF_A_NAME_THAT_GOES,
        None: Rule(5, 5, 5, "`{name}` is used here by the old name, which is no longer there", "use {new}"),
    },
    C.ADD_PARAMETER: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and gets {member}", "add {member} here"),
        S.OVERRIDE: Rule(5, 5, 4, _SIGNATURE_FOLLOWS, "add {member} to the override"),
        S.METHOD: Rule(5, 4, 3,
            "`{name}` is defined here: it gets {member}, as the method that changes or as an override of it",
            "add {member} here"),
        S.SUBCLASS: Rule(4, 4, 3, "a subclass of `{name}` passes on what its constructor needs, now {member} too",
            "pass {member} on from the subclass"),
        S.CALL: Rule(5, 5, 4, "`{name}` is called here without {member}, so the call fails", "pass {member}"),
        S.SUPER_CALL: Rule(5, 5, 4, "`{name}` of the base class is called here without {member}, so the call fails",
            "pass {member} on"),
        S.CONSTRUCTION: Rule(5, 5, 4, "an instance of `{name}` is made here without {member}, so the call fails",
            "pass {member}"),
        S.RAISE: Rule(5, 5, 4, "`{name}` is raised here without arguments, so making it fails for want of {member}",
            "raise it with {member}"),
        S.DECORATOR: Rule(5, 4, 3, "`{name}` decorates a definition here, which calls it without {member}",
            "pass {member} to the decorator"),
        S.ATTRIBUTE: Rule(4, 4, 3, "`{name}` is handed on here uncalled: whoever calls it knows nothing of {member}",
            "wrap it so that {member} is passed"),
        S.VALUE: Rule(4, 4, 3, "`{name}` is handed on here uncalled: whoever calls it knows nothing of {member}",
            "wrap it so that {member} is passed"),
        S.ALIAS: Rule(3, 3, 3, "`{name}` gets another name here: calls by that name lack {member} too",
            "check its calls"),
        S.STRING: Rule(2, 2, 2, "a string says `{name}` here, as a patch or a look-up does", "check what calls it"),
    },
    C.REMOVE_PARAMETER: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and loses {member}", "remove {member} here"),
        S.OVERRIDE: Rule(4, 3, 3, "the override of `{name}` still takes {member}, which nobody passes any more",
            "remove {member} from the override"),
        S.METHOD: Rule(5, 3, 3,
            "`{name}` is defined here: it loses {member}, as the method that changes or as an override of it",
            "remove {member} here"),
        S.SUBCLASS: Rule(4, 3, 3, "a subclass of `{name}` may pass {member} to its constructor",
            "stop passing {member} on"),
        S.CALL: Rule(4, 4, 3, "`{name}` is called with arguments here; one of them may be {member}, passed by position",
            "stop passing {member}"),
        S.CONSTRUCTION: Rule(4, 4, 3,
            "an instance of `{name}` is made with arguments here; one of them may be {member}",
            "stop passing {member}"),
        S.DECORATOR: Rule(4, 3, 2, "`{name}` decorates a definition here, perhaps with {member}",
            "stop passing {member}"),
        S.ATTRIBUTE: Rule(4, 3, 3, "`{name}` is handed on here uncalled: whoever calls it may pass {member}",
            "check who calls it"),
        S.VALUE: Rule(4, 3, 3, "`{name}` is handed on here uncalled: whoever calls it may pass {member}",
            "check who calls it"),
    },
    C.CHANGE_PARAMETER_TYPE: {
        S.DEFINITION: Rule(5, 3, 5, "`{name}` is defined here, and {member} changes its type", "change the type here"),
        S.OVERRIDE: Rule(5, 4, 4, "the override of `{name}` declares the old type of {member}",
            "change the type in the override"),
        S.METHOD: Rule(5, 4, 3, "`{name}` is defined here: {member} changes its type in it, or in what it overrides",
            "change the type here"),
        S.SUBCLASS: Rule(4, 3, 3, "a subclass of `{name}` may pass {member} to its constructor",
            "pass {member} with the new type"),
        S.CALL: Rule(5, 4, 3, "`{name}` is called here; what it gets for {member} must fit the new type",
            "pass the new type"),
        S.CONSTRUCTION: Rule(5, 4, 3,
            "an instance of `{name}` is made here; what it gets for {member} must fit the new type",
            "pass the new type"),
        S.DECORATOR: Rule(4, 3, 3, "`{name}` decorates a definition here; what it gets must fit the new type",
            "check what it gets"),
        S.ATTRIBUTE: Rule(4, 3, 3, "`{name}` is handed on here uncalled: whoever calls it passes the old type",
            "check who calls it"),
        S.VALUE: Rule(4, 3, 3, "`{name}` is handed on here uncalled: whoever calls it passes the old type",
            "check who calls it"),
    },
    C.CHANGE_RETURN_TYPE: {
        S.DEFINITION: Rule(5, 3, 5, "`{name}` is defined here, and changes its type", "change the type here"),
        S.OVERRIDE: Rule(5, 4, 4, "the override of `{name}` declares the old type, which no longer fits the base class",
            "change the type of the override"),
        S.METHOD: Rule(5, 4, 3, "`{name}` is defined here: it changes its type, or overrides what does",
            "change the type here"),
        S.DECORATOR: Rule(4, 4, 3, "`{name}` decorates a definition here, whose type is what it returns",
            "check the uses of the decorated definition"),
        S.WRITE: Rule(5, 4, 3, "`{name}` is assigned here; the value must fit the new type", "assign the new type"),
        S.KEYWORD: Rule(4, 3, 3, "`{name}` is passed by keyword here; the value must fit the new type",
            "pass the new type"),
        S.VALUE: Rule(4, 3, 3, "`{name}` is handed on here uncalled: whoever calls it gets the new type",
            "check who calls it"),
        S.ALIAS: Rule(3, 3, 3, "`{name}` gets another name here, which has the new type too", "check its uses"),
    },
    C.MAKE_NULLABLE: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and may be None from now on", "declare the None here"),
        S.OVERRIDE: Rule(3, 2, 4, "the override of `{name}` never gives None, which still fits the base class",
            "decide whether the override may give None too"),
        S.VALUE: Rule(4, 3, 3, "`{name}` is handed on here uncalled: whoever calls it may get None",
            "check who calls it"),
        S.DECORATOR: Rule(4, 4, 3, "`{name}` decorates a definition here, which becomes None when it returns None",
            "check the uses of the decorated definition"),
        S.ALIAS: Rule(3, 3, 3, "`{name}` gets another name here, under which it may be None too", "check its uses"),
    },
    C.ADD_FIELD: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and gets {member}", "add {member} here"),
        S.SUBCLASS: Rule(5, 4, 3, "a subclass of `{name}` gets {member} in its constructor, before its own fields",
            "let the subclass take {member}"),
        S.CASE: Rule(4, 3, 3, "`{name}` is matched here; sub-patterns by position shift if {member} comes before them",
            "check the sub-patterns"),
        S.CONSTRUCTION: Rule(5, 5, 4, "an instance of `{name}` is made here without {member}, so the call fails",
            "pass {member}"),
        S.DECORATOR: Rule(4, 4, 3, "an instance of `{name}` is made here as a decorator without {member}",
            "pass {member}"),
        S.MEMBER: Rule(3, 2, 3,
            "something of `{name}` is used here; if it makes instances, it does so without {member}",
            "check whether it makes instances"),
        S.VALUE: Rule(4, 3, 2,
            "the class `{name}` is handed on here: whoever makes instances or reads the fields must know {member}",
            "check who makes instances"),
        S.ALIAS: Rule(3, 3, 3, "`{name}` gets another name here: instances made by it lack {member} too",
            "check its uses"),
    },
    C.REMOVE_FIELD: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and loses {member}", "remove {member} here"),
        S.SUBCLASS: Rule(4, 3, 3, "a subclass of `{name}` may use {member} or pass it on",
            "remove {member} from the subclass"),
        S.CASE: Rule(4, 4, 3,
            "`{name}` is matched here; a sub-pattern for {member}, or one by position, no longer fits",
            "correct the sub-patterns"),
        S.CONSTRUCTION: Rule(5, 4, 3,
            "an instance of `{name}` is made with arguments here; one of them may be {member}",
            "stop passing {member}"),
        S.VALUE: Rule(3, 3, 2, "the class `{name}` is handed on here: whoever makes instances may pass {member}",
            "check who makes instances"),
    },
    C.RENAME_FIELD: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and {member} gets another name", "rename {member} here"),
        S.SUBCLASS: Rule(4, 3, 3, "a subclass of `{name}` may use {member} by its old name",
            "use {new} in the subclass"),
        S.CASE: Rule(4, 3, 3, "`{name}` is matched here; a sub-pattern may use {member} by its old name",
            "correct the sub-patterns"),
        S.CONSTRUCTION: Rule(4, 2, 3, "an instance of `{name}` is made here, on these lines without naming {member}",
            "check that {member} is not passed by keyword"),
    },
    C.ADD_ABSTRACT_METHOD: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here, and gets {member}", "add {member} here"),
        S.SUBCLASS: Rule(5, 5, 4,
            "this subclass of `{name}` has to define {member}, or it can no longer be instantiated",
            "define {member} in the subclass"),
        S.CONSTRUCTION: Rule(5, 5, 4, "`{name}` itself is instantiated here, which an abstract class forbids",
            "instantiate a subclass that defines {member}"),
        S.RAISE: Rule(5, 5, 4, "`{name}` itself is raised here, and so instantiated, which an abstract class forbids",
            "raise a subclass that defines {member}"),
        S.VALUE: Rule(3, 3, 2, "the class `{name}` is handed on here: whoever instantiates it fails",
            "check who instantiates it"),
        S.ALIAS: Rule(3, 3, 3, "`{name}` gets another name here: whoever derives from that name has to define {member}",
            "check its subclasses"),
    },
    C.REMOVE: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here", "remove it here"),
        S.OVERRIDE: Rule(4, 3, 3,
            "`{name}` overrides a method that goes: nothing calls it through the base class any more",
            "remove the override, or check who still calls it"),
        S.METHOD: Rule(4, 3, 3, "`{name}` is defined here: it goes, or what it overrides goes", "remove it here"),
        S.SUBCLASS: Rule(5, 5, 5, "this class derives from `{name}`, which goes", "derive from something else"),
        S.IMPORT: Rule(5, 5, 5, "`{name}` is imported here, so the import fails", "remove the import"),
        S.EXPORT: Rule(5, 5, 5, "`__all__` lists `{name}`, which is no longer there, so a star import fails",
            "take it out of the list"),
        S.KEYWORD: Rule(2, 2, 2, "an argument has the name `{name}` here", "check whether it means what is removed"),
        **TEXT_OF_A_NAME_THAT_GOES,
        None: Rule(5, 5, 5, "`{name}` is used here, and is no longer there", "do without it"),
    },
    C.MOVE: {
        S.DEFINITION: Rule(5, 2, 5, "`{name}` is defined here",
            "move it to {place}, and import it from there if need be"),
        S.IMPORT: Rule(5, 5, 5, "`{name}` is imported here from where it was, so the import fails",
            "import it from {place}"),
        S.IMPORT_AS: Rule(5, 5, 5,
            "`{name}` is imported here from where it was, so the import fails; uses of the other name go on",
            "import it from {place}"),
        S.REEXPORT: Rule(5, 5, 4,
            "`{name}` is re-exported here from where it was: the import fails, and importers rely on it",
            "import it from {place}, and keep the re-export"),
        S.EXPORT: Rule(4, 4, 3, "`__all__` lists `{name}`, which must still be found in this module",
            "import it here, or take it out"),
        S.STRING: Rule(4, 4, 3, "a string says `{name}` here: a patch or a look-up by its path fails at run time",
            "correct the path in the string"),
        S.DOCSTRING: Rule(2, 2, 3, "documentation mentions `{name}` here, perhaps with its path", "correct the path"),
        None: Rule(3, 1, 4, "`{name}` is used here by the name it is imported by: only the import changes", NO_WORK),
    },
    C.CHANGE_ALIAS: {
        S.DEFINITION: Rule(5, 3, 5, "`{name}` is defined here", "change the alias here"),
        S.ANNOTATION: Rule(4, 4, 3,
            "values are declared as `{name}` here: what fitted the old type may not fit the new one",
            "check the values against the new type"),
        S.ALIAS: Rule(4, 4, 3, "another type is made of `{name}` here, and changes with it",
            "check the uses of that type"),
        S.VALUE: Rule(4, 3, 3, "`{name}` is used at run time here, where a type of another form may not do",
            "check this use"),
        S.CONSTRUCTION: Rule(4, 4, 3, "an instance is made through `{name}` here: it becomes one of the new type",
            "check the arguments"),
        S.CALL: Rule(4, 4, 3, "a value is made through `{name}` here: it becomes one of the new type",
            "check the arguments"),
        S.SUBCLASS: Rule(4, 4, 3, "this class derives from `{name}`, and gets another base", "check the class"),
        S.ISINSTANCE: Rule(4, 4, 3, "a value is checked against `{name}` here, which some forms of types do not allow",
            "check this use"),
        S.CASE: Rule(4, 4, 3, "a value is matched against `{name}` here", "check that the new type can be matched"),
        S.ITERATION: Rule(4, 3, 3, "`{name}` is iterated over here, at run time", "check this use"),
        S.EXCEPT: Rule(4, 4, 3, "`{name}` says which errors are caught here", "check which errors are caught now"),
    },
    C.CHANGE_BEHAVIOUR: {
        S.OVERRIDE: Rule(3, 3, 3, "`{name}` is overridden here and keeps the old behaviour",
            "decide whether the override follows"),
        S.METHOD: Rule(4, 3, 3,
            "`{name}` is defined here: it changes, or overrides what changes and keeps the old behaviour",
            "make the change here, or decide whether the override follows"),
        S.SUBCLASS: Rule(4, 3, 3, "a subclass of `{name}` inherits the new behaviour",
            "check what the subclass relies on"),
        S.DECORATOR: Rule(4, 3, 3, "`{name}` decorates a definition here, which behaves in the new way",
            "check what relies on it"),
        S.VALUE: Rule(3, 3, 2, "`{name}` is handed on here: whoever calls it gets the new behaviour",
            "check who calls it"),
        S.DOCSTRING: Rule(3, 2, 3, "documentation describes `{name}` here", "correct the text"),
    },
}
# fmt: on
"""What a change does where its target stands; for a variant that is added, where a variant next to it stands too."""
