"""A configuration file: read without trusting it, and each of its keys with the line it stands on.

A codebase's file is untrusted: it may be a pipe, endless, no text, or made to keep its reader busy.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

Keys: TypeAlias = tuple[str, ...]
"""The names on the way to a value, from the outermost table inwards."""

MOST_BYTES: Final = 256 * 1024
"""Of one file; Python's parser takes a tenth of a second for that much."""

_ENDLESS_KEY: Final = re.compile(
    rb"""(?<![\w-])(?:(?:[\w-]++|"(?:[^"\\\n]|\\.){0,100}+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){20}"""
)
"""A key of more than twenty parts: Python's parser takes their number squared to read it.

A quoted part is looked at for a hundred characters, or looking would be squared as well; few longer ones have room.
"""

_TOKEN: Final = re.compile(
    r"""
      (?P<space> [ \t\r]+ | \#[^\n]* )
    | (?P<text>  \"{3} (?: \\. | [^\\] )*? \"{3,5} | '{3} .*? '{3,5} | \" (?: \\. | [^"\\\n] )* \" | ' [^'\n]* ' )
    | (?P<word>  [A-Za-z0-9_-]+ )
    | (?P<sign>  . )
    """,
    re.VERBOSE | re.DOTALL,
)


class Unreadable(Exception):
    """A file that is there and cannot be read, and why; as a clause that follows its name."""


@attrs.frozen(slots=False)
class Document:
    """A file that was read.

    Attributes:
        shown: what a person calls the file.
        folder: what its relative paths are relative to.
        text: what is written in it.
        table: what that means.
        under: where in it our keys are.
    """

    shown: str
    folder: Path
    text: str
    table: Mapping[str, Any]
    under: Keys = ()

    @property
    def settings(self) -> Any:
        """What it says to us, which may be anything."""
        value: Any = self.table
        for key in self.under:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        return value

    def at(self, *path: str) -> str:
        """The file and the line of a key, or of the first in a table; in an inline table, of the statement it is in."""
        whole = (*self.under, *path)
        known = (self._lines[whole[:end]] for end in range(len(whole), 0, -1) if whole[:end] in self._lines)
        line = next(known, None)
        return self.shown if line is None else f"{self.shown}:{line}"

    @cached_property
    def _lines(self) -> Mapping[Keys, int]:
        statements = list(_statements(self.text))
        lines = dict(reversed(statements))
        for keys, line in statements:
            for end in range(1, len(keys)):
                lines.setdefault(keys[:end], line)
        return lines


def read_document(file: Path, shown: str, under: Keys = (), within: Path | None = None) -> Document | None:
    """A file's content, or None where there is no file, or none that speaks to us.

    Args:
        shown: what a person calls the file.
        under: the tables in it that hold our keys.
        within: the folder that no link may lead out of.

    Raises:
        Unreadable: it is there and cannot be used.
    """
    try:
        data = _bytes(file, within)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RuntimeError) as error:  # a link to itself is a RuntimeError
        raise Unreadable(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not all(key.encode() in data for key in under):  # most never name us: they need no parser
        return None
    if _ENDLESS_KEY.search(data):
        raise Unreadable("has a key of more than 20 parts")
    import tomllib

    try:
        text = data.decode()
        return Document(shown, file.parent, text, tomllib.loads(text), under)
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8") from error
    except RecursionError as error:
        raise Unreadable("is nested too deep") from error
    except ValueError as error:
        raise Unreadable(f"is not TOML: {error}") from error


def _bytes(file: Path, within: Path | None) -> bytes:
    real = file.resolve(strict=True)
    if within is not None and not real.is_relative_to(within.resolve()):
        raise Unreadable("is a link that leads out of the codebase")
    descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable("is no regular file")
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - a path would be waited for if it is a pipe
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Unreadable(f"is larger than {MOST_BYTES // 1024} KiB")
    return data


def _statements(text: str) -> Iterator[tuple[Keys, int]]:
    """Every header and every key of a text that is TOML, with its line, from 1. Inline tables are not looked into."""
    table: Keys = ()
    for line, parts in _logical_lines(text):
        if parts[0] == "[":
            table = _names(parts)
            yield table, line
        elif "=" in parts:
            yield (*table, *_names(parts[: parts.index("=")])), line


def _logical_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The parts of each line, without its space, and with the lines that its brackets go on over."""
    line, start, depth = 1, 1, 0
    parts: list[str] = []
    for match in _TOKEN.finditer(text + "\n"):
        part = match[0]
        if part == "\n" and depth == 0:
            if parts:
                yield start, parts
            parts = []
        elif match.lastgroup != "space" and part != "\n":
            start = start if parts else line
            parts.append(part)
            depth += (part in {"[", "{"}) - (part in {"]", "}"})
        line += part.count("\n")


def _names(parts: list[str]) -> Keys:
    return tuple(_unquoted(part) for part in parts if part not in {".", "[", "]"})


def _unquoted(part: str) -> str:
    if part.startswith('"') and "\\" in part:
        import tomllib

        return str(tomllib.loads(f"key = {part}")["key"])
    return part.strip("\"'")
