"""What a line does with quoted words that may stand for variants: their values, or their names.

A line that writes `"claude"` and `"gpt"` mentions no variant, and nobody who sees but the line knows whether it means
any. That it treats several words alike, as keys, as branches, as values of a `Literal`, is what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tidepool.reading.mentions import SiteKind
from tidepool.reading.snippets import indent


class Words(NamedTuple):
    """What a line does with quoted words.

    Attributes:
        first: the first of them, with its quotes.
    """

    kind: SiteKind
    first: str


_WORD: Final = r"""(?:"[\w.:/+ -]{1,60}"|'[\w.:/+ -]{1,60}')"""
_QUOTED: Final = re.compile(_WORD)
_KEY: Final = re.compile(rf"(?:^\s*|[{{,(]\s*){_WORD}\s*:(?!=)")
_ALONE: Final = re.compile(rf"\s*{_WORD}\s*,?\s*(?:#.*)?")
_VALUE: Final = re.compile(rf":\s*{_WORD}\s*(?:[,}}]|$)")
_TEST: Final = re.compile(rf"\s*(?P<head>el)?if\s+(?P<subject>[\w.()\[\]]+)\s*==\s*{_WORD}")
_AMONG: Final = re.compile(r"""\bin\s+[(\[{]["']""")
_COMPARED: Final = re.compile(rf"[!=]=\s*{_WORD}|{_WORD}\s*[!=]=")
_CASE: Final = re.compile(rf"\s*case\s+{_WORD}")
_LISTS: Final = re.compile(rf"[\[({{]\s*{_WORD}\s*,")


def words_on(lines: Sequence[str], index: int) -> Words | None:
    """What the line at `index` does with quoted words, or None where it does nothing that concerns variants."""
    line = lines[index]
    if ('"' not in line and "'" not in line) or _QUOTED.search(line) is None:
        return None
    kind = _kind(lines, index, line)
    if kind is None:
        return None
    listed = _LISTS.search(line) if kind is SiteKind.ENUMERATION else None  # behind the name of what is parametrised
    first = _QUOTED.search(line, listed.start() if listed else 0)
    return Words(kind, first[0]) if first else None


def _kind(lines: Sequence[str], index: int, line: str) -> SiteKind | None:
    """By what must stand on a line of each kind, which is looked for first: most lines are of none."""
    for marks, kind, holds in _SHAPES:
        if any(mark in line for mark in marks) and holds(lines, index):
            return kind
    if "Literal[" in "\n".join(lines[:index]) and _is_alone(lines, index):
        return SiteKind.LITERAL
    return SiteKind.ENUMERATION if _is_alone(lines, index) else None


def _is_chain(lines: Sequence[str], index: int) -> bool:
    """Whether the line tests a value for one word, as one of several branches."""
    test = _TEST.match(lines[index])
    return test is not None and (test["head"] is not None or _is_tested_again(lines, index, test))


def _is_comparison(lines: Sequence[str], index: int) -> bool:
    return _AMONG.search(lines[index]) is not None or _COMPARED.search(lines[index]) is not None


def _is_keyed(lines: Sequence[str], index: int) -> bool:
    line = lines[index]
    return len(_KEY.findall(line)) > 1 or (_KEY.match(line) is not None and _others(lines, index, _KEY))


def _is_listed(lines: Sequence[str], index: int) -> bool:
    return _LISTS.search(lines[index]) is not None and len(_QUOTED.findall(lines[index])) > 1


def _is_led_to(lines: Sequence[str], index: int) -> bool:
    line = lines[index]
    return len(_VALUE.findall(line)) > 1 or (_VALUE.search(line) is not None and _others(lines, index, _VALUE))


_SHAPES: Final[tuple[tuple[tuple[str, ...], SiteKind, Callable[[Sequence[str], int], bool]], ...]] = (
    (("case ",), SiteKind.CASE, lambda lines, index: _CASE.match(lines[index]) is not None),
    (("if ",), SiteKind.CHAIN, _is_chain),
    (("Literal[",), SiteKind.LITERAL, lambda lines, index: len(_QUOTED.findall(lines[index])) > 1),
    (('":', "':"), SiteKind.TABLE, _is_keyed),
    (("==", "!=", " in (", " in [", " in {"), SiteKind.COMPARISON, _is_comparison),
    (('["', '("', '{"', "['", "('", "{'"), SiteKind.ENUMERATION, _is_listed),
    ((': "', ": '"), SiteKind.TABLE_VALUE, _is_led_to),
)


def _is_tested_again(lines: Sequence[str], index: int, test: re.Match[str]) -> bool:
    """Whether another line asks of the same value whether it is another word."""
    tests = (_TEST.match(line) for at, line in enumerate(lines) if at != index)
    return any(other["subject"] == test["subject"] for other in tests if other)


def _is_alone(lines: Sequence[str], index: int) -> bool:
    """Whether the line is one of several that hold a quoted word and nothing else."""
    return _ALONE.fullmatch(lines[index]) is not None and _others(lines, index, _ALONE, whole=True)


def _others(lines: Sequence[str], index: int, pattern: re.Pattern[str], *, whole: bool = False) -> bool:
    """Whether a line next to it, indented as it is, looks alike."""
    depth = indent(lines[index])
    near = (lines[at] for at in (index - 1, index + 1) if 0 <= at < len(lines))
    look = pattern.fullmatch if whole else pattern.search
    return any(indent(line) == depth and look(line) for line in near)
