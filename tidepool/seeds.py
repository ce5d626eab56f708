"""Choices that a seed makes, the same on every machine and in every version of Python. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")


def shuffled(items: Iterable[T], seed: str) -> list[T]:
    """The items in an order that depends on the seed and on what each of them is, as its `repr` says.

    One item more or less leaves the order of the others as it is.
    """
    return sorted(items, key=lambda item: sha256(f"{seed}\0{item!r}".encode(errors="replace")).digest())
