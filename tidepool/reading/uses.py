"""What becomes of a value where it is read, and what the arguments of a call show."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from tidepool.reading.mentions import Mention
from tidepool.reading.snippets import Within, closing


class Use(StrEnum):
    """What becomes of a value where it is read or returned."""

    IGNORED = "ignored"
    RETURNED = "returned"
    DEREFERENCED = "dereferenced"  # an attribute, an item or a call of it; `with` too
    OPERAND = "operand"
    ITERATED = "iterated"  # unpacked too
    TESTED = "tested"  # compared or taken for true or false
    ASSIGNED = "assigned"
    FORMATTED = "put into text"  # in the braces of an f-string
    PASSED = "passed on"  # as an argument or inside a collection


class Passing(StrEnum):
    """What the arguments of a call show about the member."""

    NAMED = "named"  # it is passed by keyword
    NOTHING = "nothing"  # there are no arguments at all
    SPREAD = "spread"  # `*` or `**` may hold it
    ABSENT = "absent"  # others are passed by keyword and it is not, or it is taken by keyword only
    UNKNOWN = "unknown"


def use_of(mention: Mention) -> Use:
    """What becomes of the value that a call returns or an attribute holds."""
    tail = tail_of(mention)
    before = mention.before.rstrip()
    if before.endswith("await"):
        before = before[: -len("await")].rstrip()
    if tail.startswith((".", "[", "(")) and mention.head != "@":
        return Use.DEREFERENCED
    if before.endswith("(") and mention.raw[: mention.first].rstrip().endswith("{"):
        return _by_tail(tail) or Use.FORMATTED  # a hole of an f-string is read as if in parentheses
    return _by_tail(tail) or _by_word(before) or _by_sign(before, mention) or _by_bracket(mention, before)


def tail_of(mention: Mention) -> str:
    """What follows the whole call, or the name where it is not called, up to the end of its line."""
    after = mention.after
    if not after.startswith("("):
        return after
    end = closing(after, 0)
    if end >= 0:
        return after[end + 1 :].lstrip()
    for line in mention.lines[mention.index + 1 :]:
        text = line.lstrip()
        if text.startswith((")", "]", "}")):
            return text[1:].lstrip()
    return ""


_TESTS_BEHIND: Final = ("is ", "==", "!=", "or ", "and ", "in ", "not in ")
_SIGNS: Final = ("+", "-", "*", "/", "%", "@", "<", ">", "^", "&")


def _by_tail(tail: str) -> Use | None:
    if tail.startswith(_TESTS_BEHIND):
        return Use.TESTED
    return Use.OPERAND if tail.startswith(_SIGNS) else None


_BY_WORD: Final = {
    "return": Use.RETURNED,
    "yield": Use.RETURNED,
    "if": Use.TESTED,
    "elif": Use.TESTED,
    "while": Use.TESTED,
    "assert": Use.TESTED,
    "not": Use.TESTED,
    "is": Use.TESTED,
    "match": Use.TESTED,
    "in": Use.ITERATED,
    "from": Use.ITERATED,  # `yield from`
    "with": Use.DEREFERENCED,
    "raise": Use.DEREFERENCED,
    "del": Use.IGNORED,
}


def _by_word(before: str) -> Use | None:
    """By the keyword in front of it."""
    for word in (before[before.rfind(" ") + 1 :], before.lstrip()):
        if word in _BY_WORD:
            return _BY_WORD[word]
    return None


def _by_sign(before: str, mention: Mention) -> Use | None:
    if before.endswith(("==", "!=")):
        return Use.TESTED
    if before.endswith("*"):
        return Use.ITERATED if before[:-1].rstrip().endswith(("(", ",", "[", "*", "=")) else Use.OPERAND
    if before.endswith(_SIGNS) and not before.endswith("->"):
        return Use.OPERAND
    if before.endswith(":=") and mention.head in ("if", "elif", "while"):
        return Use.TESTED
    if before.endswith("=") and mention.opener < 0:
        return _assigned(before, mention)
    return None


_TARGET: Final = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(?::[^=]*)?=")


def _assigned(before: str, mention: Mention) -> Use:
    """By what the next lines do with the variable it is assigned to."""
    if before.endswith(("+=", "-=", "*=", "/=", "|=", "%=")):
        return Use.OPERAND
    target = _TARGET.fullmatch(before)
    if target is None:
        return Use.ITERATED if "," in before else Use.ASSIGNED
    for line in mention.lines[mention.index + 1 :]:
        later = _use_in(line.strip(), target[1])
        if later is not None:
            return later
    return Use.ASSIGNED


_OPENS_TEST: Final = ("if ", "elif ", "if not ", "assert ", "while ", "return None if ")


def _use_in(line: str, name: str) -> Use | None:
    """What a line does with a variable, where it is plain to see."""
    if line == f"return {name}":
        return Use.RETURNED
    for opening in _OPENS_TEST:
        rest = line[len(opening) :]
        if (
            line.startswith(opening)
            and rest.startswith(name)
            and rest[len(name) :].startswith((":", " is ", " and ", " or "))
        ):
            return Use.TESTED
    at = line.find(name)
    if at < 0 or (at and (line[at - 1].isalnum() or line[at - 1] in "_.\"'")):
        return None
    return Use.DEREFERENCED if line[at + len(name) : at + len(name) + 1] in (".", "[") else None


_TESTS: Final = frozenset({"isinstance", "bool", "callable", "any", "all"})


def _by_bracket(mention: Mention, before: str) -> Use:
    """By where it stands, when nothing in front or behind tells."""
    if mention.within is Within.INDEX:
        return Use.OPERAND
    if mention.within is not Within.STATEMENT:
        return Use.TESTED if mention.owner in _TESTS and mention.within is Within.CALL else Use.PASSED
    if not before:
        return Use.IGNORED
    if before.endswith(":"):  # a lambda's or a one-line block's
        return Use.RETURNED if "lambda" in before else Use.IGNORED
    if mention.head in _BY_WORD:
        return _BY_WORD[mention.head]
    return Use.ASSIGNED if "=" in before else Use.PASSED


def passing_of(mention: Mention) -> Passing:
    """What the arguments of the call show, as far as the lines hold them."""
    if not mention.after.startswith("("):
        return Passing.UNKNOWN
    call = "\n".join((mention.after, *mention.lines[mention.index + 1 :]))
    end = closing(call, 0)
    inside = call[1:end] if end >= 0 else call[1:]
    if end >= 0 and not inside.strip():
        return Passing.NOTHING
    if mention.lens.keyword is not None and mention.lens.keyword.search(inside):
        return Passing.NAMED
    if "*" in inside and _SPREAD.search(inside):
        return Passing.SPREAD
    if end >= 0 and (_is_keyword_only(mention.lens.member, mention.hover) or _ALL_NAMED.fullmatch(_flat(inside))):
        return Passing.ABSENT
    return Passing.UNKNOWN


_ALL_NAMED: Final = re.compile(r"\s*\w+\s*=(?!=)[^,]*(?:,\s*\w+\s*=(?!=)[^,]*)*,?\s*")


def _flat(arguments: str) -> str:
    """Arguments without what stands in brackets inside of them."""
    while (shorter := _INNERMOST.sub("", arguments)) != arguments:
        arguments = shorter
    return arguments


_INNERMOST: Final = re.compile(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}")


def _is_keyword_only(parameter: str, signature: str) -> bool:
    """Whether a signature, as a server shows it, takes a parameter by keyword only: behind a bare star."""
    star = _BARE_STAR.search(signature)
    if star is None or not parameter:
        return False
    return re.search(rf"[,(]\s*{re.escape(parameter)}\s*[:=,)]", signature[star.end() - 1 :]) is not None


_BARE_STAR: Final = re.compile(r"[(,]\s*\*\s*,")


_SPREAD: Final = re.compile(r"(?:^|,)\s*\*{1,2}[\w(\[{]")
