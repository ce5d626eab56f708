"""Which nodes say nearly the same. Pure.

    grams = shingles(node)
    keys = Bands().keys(grams)                       nodes that share none of them are not alike
    are_alike(grams, others)                         nodes that share one may be: this decides

A node's text is what a model reads of it: the hover text and the snippet, without white space, and with every number
the same. Needs the extra `dataset`.

Source:
    Broder, "On the resemblance and containment of documents", 1997; Leskovec, Rajaraman, Ullman, "Mining of Massive
    Datasets", chapter 3, for banding.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Set as AbstractSet
from typing import Any, Final
from zlib import crc32

from tidepool.domain import NodeContext

SIMILARITY: Final = 0.8
"""The share of all shingles of two nodes that both have, from which on they are near duplicates."""

SHINGLE_TOKENS: Final = 3
"""A snippet has some 40 tokens: with 3 in a row, one changed identifier costs 3 shingles of them."""

BANDS: Final = 32
ROWS: Final = 5
"""Of 32 bands of 5 hashes, one at least agrees for all but 3 in a million pairs that are 0.8 alike, and for 3 in
ten thousand that are 0.1 alike, as any two snippets may be."""

SEED: Final = 1

_TOKEN: Final = re.compile(r"[^\W\d]\w*|\d[\w.]*|[^\w\s]")


def shingles(node: NodeContext) -> frozenset[int]:
    """The runs of tokens in a node's text, each as a number of 32 bits; never empty."""
    tokens = [
        "0" if token[0].isdecimal() else token
        for text in (node.hover or "", node.snippet)
        for token in _TOKEN.findall(text)
    ]
    runs = range(max(1, len(tokens) - SHINGLE_TOKENS + 1))
    return frozenset(crc32(" ".join(tokens[at : at + SHINGLE_TOKENS]).encode(errors="replace")) for at in runs)


def are_alike(one: AbstractSet[int], other: AbstractSet[int]) -> bool:
    """Whether the nodes of these shingles are near duplicates."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) >= SIMILARITY


def packed(grams: AbstractSet[int]) -> bytes:
    """The shingles in as few bytes as can be; equal for equal ones, on every machine of one byte order."""
    return array("I", sorted(grams)).tobytes()


def unpacked(data: bytes) -> frozenset[int]:
    """The shingles that were packed."""
    grams = array("I")
    grams.frombytes(data)
    return frozenset(grams)


class Bands:
    """What near duplicates are found by: the keys of their bands, the same on every run and machine."""

    def __init__(self) -> None:
        import numpy as np
        from datasketch import MinHash

        self._blank: Any = MinHash(BANDS * ROWS, seed=SEED, hashfunc=int)
        self._weights: Any = np.random.RandomState(SEED).randint(1, 1 << 62, (BANDS, ROWS), dtype=np.uint64)

    def keys(self, grams: AbstractSet[int]) -> list[int]:
        """One number of 64 bits, with a sign, for each band."""
        sketch = self._blank.copy()
        sketch.update_batch(grams)
        rows = sketch.hashvalues.reshape(BANDS, ROWS).astype("u8")
        keys: list[int] = (rows * self._weights).sum(axis=1, dtype="u8").view("i8").tolist()
        return keys
