"""Whether a test is one of several of the same value: a branch of a chain of `if` and `elif`.

A branch asks one thing: whether a value is this variant, or one of these. What asks something besides
(`kind is LLMKind.GPT and ready`), the opposite, or whether a collection holds a variant, is no branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tidepool.reading.mentions import Mention
from tidepool.reading.snippets import indent, without_text


class _Branch(NamedTuple):
    """A test of one value.

    Attributes:
        subject: what is tested.
        variants: what it is tested against; None, text and numbers left out.
        families: what these belong to: `LLMKind` of `kinds.LLMKind.GPT`; "" of a class, and of a name on its own.
    """

    subject: str
    variants: frozenset[str]
    families: frozenset[str]


class _Line(NamedTuple):
    """A line of the block in which a test stands.

    Attributes:
        text: its code, without the indent.
        following: the code of the line below it, likewise.
        same: whether it goes on with the statement of the test, or began it.
        below: whether it stands below the test.
    """

    text: str
    following: str
    same: bool
    below: bool


_HEAD: Final = re.compile(r"\s*(?:el)?if\b\s*")
_EQUAL: Final = re.compile(r"([\w.()\[\]]+)\s*(?:==|\bis\b)\s*([\w.()\[\]]+)")
_AMONG: Final = re.compile(r"([\w.()\[\]]+)\s+in\s+([(\[{]_*[)\]}])")
_CHECKED: Final = re.compile(r"(?:isinstance|issubclass)\((_*)\)")
_NAME: Final = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
_NO_VARIANTS: Final = frozenset({"None", "True", "False"})
_GIVES_UP: Final = re.compile(r"raise\b|(?:\w+\.)?assert_never\(|assert False\b|unreachable\(")


def gives_up(statement: str) -> bool:
    """Whether a statement says that nothing else may come."""
    return _GIVES_UP.match(statement) is not None


def is_chain(mention: Mention) -> bool:
    """Whether the line tests a value that other branches test too, or that must be one of those named there."""
    branch = _branch(mention.code, mention.name)
    if branch is None:
        return False
    unrelated = False
    for line in _block(mention):
        if line.below and _ends(line):
            return True
        if not line.text.startswith(("if ", "elif ")):
            continue
        if _is_sibling(branch, _branch(line.text)) or (line.same and _speaks_of(line.text, branch.subject)):
            return True
        unrelated |= line.same
    return mention.head == "elif" and not unrelated


def _block(mention: Mention) -> Iterator[_Line]:
    """The lines around a test that are indented as it is, in the same block."""
    depth, lines = indent(mention.raw), mention.lines
    same = True
    for index in range(mention.index + 1, len(lines)):
        line = lines[index]
        if line.strip() and indent(line) < depth:
            break
        if line.strip() and indent(line) == depth:
            same = same and line.lstrip().startswith(("elif ", "else:"))
            yield _line(lines, index, same=same, below=True)
    same = mention.head == "elif"
    for index in range(mention.index - 1, -1, -1):
        line = lines[index]
        if line.strip() and indent(line) < depth:
            break
        if line.strip() and indent(line) == depth:
            yield _line(lines, index, same=same, below=False)
            same = same and line.lstrip().startswith("elif ")


def _line(lines: list[str], index: int, *, same: bool, below: bool) -> _Line:
    following = lines[index + 1].strip() if index + 1 < len(lines) else ""
    return _Line(without_text(lines[index].strip()), following, same, below)


def _ends(line: _Line) -> bool:
    """Whether a line below the test says that all that may come was tested."""
    if line.text.startswith("else:"):
        return line.same and gives_up(line.text.removeprefix("else:").strip() or line.following)
    return gives_up(line.text)


def _is_sibling(branch: _Branch, other: _Branch | None) -> bool:
    """Whether another test asks of the same value whether it is another variant of the same kind."""
    if other is None or other.subject != branch.subject:
        return False
    return bool(other.variants - branch.variants) and not branch.families.isdisjoint(other.families)


def _speaks_of(test: str, subject: str) -> bool:
    """Whether two tests of one statement are about the same value, however they put it."""
    other = _branch(test)
    within = re.search(rf"(?<![\w.]){re.escape(subject)}(?!\w)", test) is not None
    return within or (other is not None and re.search(rf"(?<!\w){re.escape(other.subject)}(?!\w)", subject) is not None)


def _branch(code: str, variant: str = "") -> _Branch | None:
    """The test of a line, if it is one of one value; of the alternatives of an `or`, all have to be.

    Args:
        variant: the name in question, which has to be what is tested against; "" for any.
    """
    head = _HEAD.match(code)
    if head is None:
        return None
    flat = _flattened(code)
    end = flat.find(":", head.end())
    if end < 0:
        return None
    tests: list[_Branch] = []
    start = head.end()
    for part in flat[start:end].split(_OR):
        test = _test(code[start : start + len(part)], part)
        if test is None or (tests and test.subject != tests[0].subject):
            return None
        tests.append(test)
        start += len(part) + len(_OR)
    variants = frozenset(name for test in tests for name in test.variants)
    if variant and not any(name.rpartition(".")[2] == variant for name in variants):
        return None
    return _Branch(tests[0].subject, variants, frozenset(name for test in tests for name in test.families))


_OR: Final = " or "


def _test(code: str, flat: str) -> _Branch | None:
    """A test of a value against variants, or None where it is no such test, or one against none.

    Args:
        code: the test.
        flat: the same, all that is in brackets struck out.
    """
    code, flat = code.strip(), flat.strip()
    if found := _CHECKED.fullmatch(flat):
        comma = _flattened(code[found.start(1) : found.end(1)]).find(",") + found.start(1)
        subject, against, is_class = code[found.start(1) : comma].strip(), code[comma : found.end(1)], True
    elif found := _EQUAL.fullmatch(flat) or _AMONG.fullmatch(flat):
        subject, against = (code[slice(*found.span(group))] for group in (1, 2))
        if subject[:1].isupper() and against[:1].islower() and found.re is _EQUAL:
            subject, against = against, subject
        is_class = False
    else:
        return None
    names = frozenset(_NAME.findall(against)) - _NO_VARIANTS
    families = frozenset("" if is_class else name.rpartition(".")[0].rpartition(".")[2] for name in names)
    return _Branch(subject, names, families) if names else None


def _flattened(code: str) -> str:
    """The code, as long as before, with all that is in brackets struck out."""
    flat: list[str] = []
    depth = 0
    for mark in code:
        depth -= mark in ")]}"
        flat.append("_" if depth > 0 else mark)
        depth += mark in "([{"
    return "".join(flat)
