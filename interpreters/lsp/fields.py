"""The parts of a server's plain data, strictly: what is not as the protocol has it is named.

Every reader raises `InvalidData` for it, of which `blaming` makes the server's `BadAnswer`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, TypeVar

from interpreters.lsp.plain import plain
from tidepool.errors import BadAnswer, InvalidData

T = TypeVar("T")

_NONSENSE: Final = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
_MAX_NUMBER: Final = 2**31 - 1  # of a line or a column: the protocol's `uinteger`


@contextmanager
def blaming(name: str, method: str) -> Generator[None, None, None]:
    """Blame a server for whatever its answer to a method breaks, also where no reader foresaw it."""
    try:
        yield
    except _NONSENSE as error:
        why = plain(str(error)) or type(error).__name__
        raise BadAnswer(name, f"answered {method} with nonsense: {why}") from error


def position(extent: dict[str, Any], which: str) -> tuple[int, int]:
    """The line and the column that a range starts or ends at, both from 0.

    An answer holds them by the ten thousand: they are looked at one by one only where they are not as they should be.
    """
    try:
        line, column = extent[which]["line"], extent[which]["character"]
        if type(line) is int is type(column) and 0 <= line <= _MAX_NUMBER and 0 <= column <= _MAX_NUMBER:
            return line, column
    except (KeyError, TypeError):
        pass
    at = field(extent, which, dict)
    return number(at, "line"), number(at, "character")


def each(items: list[Any], read: Callable[[Any], T], what: str) -> list[T]:
    """Every item as it is read; `what` names the list."""
    read_items: list[T] = []
    try:
        for item in items:
            read_items.append(read(item))  # noqa: PERF401 - how many have been read tells which one is wrong
    except InvalidData as error:
        raise InvalidData(f"{what}[{len(read_items)}].{error.field}", error.value, error.allowed) from None
    return read_items


def listed(value: Any, what: str) -> list[Any]:
    """A list, or none for null; `what` names it."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidData(what, value, "a list or null")
    return value


def field(value: Any, name: str, kind: type[T]) -> T:
    """What an object has under a name, of a kind."""
    if not isinstance(value, dict):
        raise InvalidData(name, value, "in an object")
    found = value.get(name)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise InvalidData(name, found, _CALLED[kind])
    return found


def number(value: dict[str, Any], name: str) -> int:
    """The line or the column that an object has under a name."""
    found = field(value, name, int)
    if not 0 <= found <= _MAX_NUMBER:
        raise InvalidData(name, found, "a whole number from 0 up")
    return found


_CALLED: Final[Mapping[type, str]] = MappingProxyType(
    {str: "text", int: "a whole number", dict: "an object", list: "a list", object: "given"}
)
