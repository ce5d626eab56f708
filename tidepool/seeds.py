"""Choices that a seed makes, the same on every machine and in every version of Python. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")


def shuffled(items: Iterable[T], seed: str, mark: Callable[[T], str] = repr) -> list[T]:
    """The items in an order that depends on the seed and on the mark of each.

    One item more or less leaves the order of the others as it is.
    """
    return sorted(items, key=lambda item: sha256(f"{seed}\0{mark(item)}".encode(errors="replace")).digest())
