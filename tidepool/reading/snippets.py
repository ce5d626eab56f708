"""Reading a few lines of Python without parsing them: what is code and what is text, and which bracket is open.

A snippet starts and ends in the middle of things, so no parser takes it. What is said here about it is exact for
what the lines show and a guess, the likelier way, for what they do not. Total: any text is a snippet.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

_LITERAL: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*(?:"""|\Z)'
    r"|'''(?:[^'\\]|\\.|'(?!''))*(?:'''|\Z)"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"?'
    r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'?"
    r"|#[^\n]*",
    re.DOTALL,
)
_TRIPLE: Final = re.compile(r'"""|\'\'\'')
_HOLE: Final = re.compile(r"(\{[^{}\n]*\})")
_BRACKET: Final = re.compile(r"[()\[\]{}]")
_KEYWORDS: Final = frozenset(
    "and as assert await case del elif else except for from if import in is lambda not or raise return while with "
    "yield".split()
)
"""Words that a bracket may follow without being called."""


class Within(StrEnum):
    """What the innermost open bracket around a place makes of it."""

    STATEMENT = "a statement"
    CALL = "the arguments of a call"
    SIGNATURE = "the parameters of a definition"
    BASES = "the bases of a class"
    IMPORT = "the names of an import"
    INDEX = "the brackets behind a name"
    LIST = "a list"
    BRACES = "a dictionary or a set"
    GROUP = "parentheses"
    UNSEEN = "a bracket opened further above"


def without_text(code: str) -> str:
    """The code with all that is inside strings turned to quotes and all that is a comment to `#`, as long as before.

    What stands between the braces of an f-string stays, as if it stood in parentheses.
    """
    if '"' not in code and "'" not in code and "#" not in code:
        return code
    if tail := tail_of_string(code):
        return _blank(code[:tail], '"') + _LITERAL.sub(_without, code[tail:])
    return _LITERAL.sub(_without, code)


def file_without_text(source: str) -> str:
    """The same of a whole file, which starts in no string."""
    return _LITERAL.sub(_without, source)


def _without(literal: re.Match[str]) -> str:
    text = literal[0]
    if text[0] == "#":
        return "#" * len(text)
    start = literal.start()
    if "{" in text and start and literal.string[start - 1] in "fF":
        parts = _HOLE.split(text)
        return "".join(f"({part[1:-1]})" if part[:1] == "{" else _blank(part, '"') for part in parts)
    return _blank(text, '"')


def _blank(text: str, mark: str) -> str:
    if "\n" not in text:
        return mark * len(text)
    return "\n".join(mark * len(line) for line in text.split("\n"))


def tail_of_string(code: str) -> int:
    """How much of the code, from its start, is the end of a string that was opened above it."""
    if '"""' not in code and "'''" not in code:
        return 0
    marks = list(_TRIPLE.finditer(code))
    first = marks[0]
    before = code[code.rfind("\n", 0, first.start()) + 1 : first.start()].strip()
    behind = code[first.end() :].partition("\n")[0].strip()
    if before:  # prose in front of the quotes ends a string; an operator, a bracket or a keyword starts one
        return 0 if _STARTS_STRING.search(before) else first.end()
    if behind or len(marks) % 2 == 0:
        return 0
    above = code[: first.start()].rstrip()
    return 0 if above.endswith(":") else first.end()


_STARTS_STRING: Final = re.compile(r"(?:[=(\[{,:+%]\s*|\b(?:return|yield|in|not|and|or|else)\s+|^)[rbfuRBFU]{0,2}$")


def innermost(code: str) -> int:
    """Where the innermost bracket stands that is still open at the code's end, or -1."""
    depth = 0
    for mark in reversed(list(_BRACKET.finditer(code))):
        depth += -1 if mark[0] in "([{" else 1
        if depth < 0:
            return mark.start()
    return -1


def closing(code: str, opener: int) -> int:
    """Where the bracket that opens at `opener` is closed, or -1 where the code ends before that."""
    depth = 0
    for mark in _BRACKET.finditer(code, opener):
        depth += 1 if mark[0] in "([{" else -1
        if depth == 0:
            return mark.start()
    return -1


def dotted_start(code: str, end: int) -> int:
    """Where the dotted expression starts that goes on at `end`: `a.b(c).` of `x = a.b(c).name`, or `end` itself."""
    start = end
    while start:
        word = last_word(code[:start], also=".")
        if not word and code[start - 1] in ")]" and start < end:
            opener = innermost(code[: start - 1])
            if opener < 0:
                return start
            start = opener
        elif word and (start < end or word.endswith(".")):
            start -= len(word)
        else:
            break
    return start


def within(code: str, opener: int) -> tuple[Within, str]:
    """What the bracket at `opener` makes of what follows it, and the dotted name in front of it."""
    bracket = code[opener]
    line = code[code.rfind("\n", 0, opener) + 1 : opener]
    if bracket == "{":
        return Within.BRACES, ""
    owner = last_word(line.rstrip(), also=".)]")
    if owner in _KEYWORDS:
        owner = ""
    if bracket == "[":
        return (Within.INDEX, owner) if owner else (Within.LIST, "")
    return _parenthesis(line.lstrip(), owner)


def _parenthesis(line: str, owner: str) -> tuple[Within, str]:
    if line.startswith(("def ", "async def ")) and "(" not in line:
        return Within.SIGNATURE, owner
    if line.startswith("class ") and "(" not in line:
        return Within.BASES, owner
    if line.startswith(("from ", "import ")) and line.rstrip().endswith("import"):
        return Within.IMPORT, ""
    return (Within.CALL, owner) if owner else (Within.GROUP, "")


def hangs(lines: list[str], index: int) -> bool:
    """Whether a line looks like one of several inside a bracket that was opened further above."""
    line = lines[index].rstrip()
    if line.endswith(","):
        return True
    if line.endswith((":", "(", "[", "{")):
        return False
    below = lines[index + 1].lstrip() if index + 1 < len(lines) else ""
    if not below.startswith((")", "]", "}")):
        return False
    opens = line.count("(") + line.count("[") + line.count("{")
    return opens <= line.count(")") + line.count("]") + line.count("}")


def indent(line: str) -> int:
    """How far a line is indented, in characters."""
    return len(line) - len(line.lstrip())


def last_word(text: str, also: str = "") -> str:
    """The longest run of word characters, and of those in `also`, that a text ends with."""
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] == "_" or text[start - 1] in also):
        start -= 1
    return text[start:]
