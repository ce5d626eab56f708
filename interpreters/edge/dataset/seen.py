"""What stands in a set so far: which questions were asked of which nodes, and which split a node's text belongs to.

It lies in a database on disk, in a file that is gone when it is closed, so that it may be larger than the memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final

from tidepool.domain import NodeContext, TrainingExample
from tidepool.errors import ConfigError
from tidepool.training.duplicates import Bands, are_alike, packed, shingles, unpacked
from tidepool.training.splits import BY_WEIGHT

KEY_BYTES: Final = 16
CACHE_KIB: Final = 64 * 1024
"""Of the database, in memory."""

_TABLES: Final = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA temp_store = MEMORY;
    CREATE TABLE asked (key BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE text (key BLOB PRIMARY KEY, split INTEGER) WITHOUT ROWID;
    CREATE TABLE node (id INTEGER PRIMARY KEY, split INTEGER, shingles BLOB);
    CREATE TABLE band (key INTEGER, node INTEGER, PRIMARY KEY (key, node)) WITHOUT ROWID;
"""
_NEAR: Final = """
    SELECT split, shingles FROM node WHERE split < ? AND id IN
    (SELECT node FROM band WHERE key IN (SELECT value FROM json_each(?))) ORDER BY split
"""


class Seen:
    """What stands in a set so far; its splits are told of one after another, those first that keep what they have."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._bands = Bands()

    def is_new(self, example: TrainingExample) -> bool:
        """Whether its question was never asked of its node before."""
        query, node = example.query, example.node
        asked = repr((query.query, query.tags, node.location, node.hover, node.snippet))
        key = _digest(asked.encode(errors="replace"))
        return self._database.execute("INSERT OR IGNORE INTO asked VALUES (?)", (key,)).rowcount > 0

    def split_of(self, node: NodeContext, split: str) -> str:
        """The split that a node's text belongs to: a weightier one that has nearly the same text, or else this one."""
        grams = shingles(node)
        key, rank = _digest(packed(grams)), BY_WEIGHT.index(split)
        known = self._database.execute("SELECT split FROM text WHERE key = ?", (key,)).fetchone()
        if known is None:
            known = (self._place(grams, rank),)
            self._database.execute("INSERT INTO text VALUES (?, ?)", (key, *known))
        return BY_WEIGHT[min(known[0], rank)]

    def _place(self, grams: frozenset[int], rank: int) -> int:
        keys = self._bands.keys(grams)
        near = self._database.execute(_NEAR, (rank, str(keys))) if rank else ()
        found = next((split for split, data in near if are_alike(grams, unpacked(data))), None)
        if found is not None:
            return int(found)
        if rank < len(BY_WEIGHT) - 1:  # no split is told of after the last
            row = self._database.execute("INSERT INTO node (split, shingles) VALUES (?, ?)", (rank, packed(grams)))
            rows = [(key, row.lastrowid) for key in keys]
            self._database.executemany("INSERT OR IGNORE INTO band VALUES (?, ?)", rows)
        return rank


@contextmanager
def opened(folder: Path) -> Generator[Seen]:
    """An empty one, in a folder that has room for it.

    Raises:
        ConfigError: there is no room.
    """
    file = folder / "seen.sqlite"
    try:
        database = sqlite3.connect(file, isolation_level=None)
        try:
            database.executescript(f"PRAGMA cache_size = -{CACHE_KIB};{_TABLES}")
            database.execute("BEGIN")
            yield Seen(database)
        finally:
            database.close()
            file.unlink(missing_ok=True)
    except sqlite3.Error as error:
        raise ConfigError(f"{file} cannot be written ({error}): make room there, or write to another folder") from error


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=KEY_BYTES).digest()
