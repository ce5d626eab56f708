"""By which names an asynchronous twin goes."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

CLASS_PREFIXES: Final = ("Async", "Sync")
PREFIXES: Final = ("async_", "a", "sync_")
SUFFIXES: Final = ("_async", "_sync")
SHORTEST: Final = 2
"""Characters of a name that is left when its prefix is taken off: `add` is no twin of `dd`."""


@lru_cache(maxsize=64)
def twins_of(name: str) -> tuple[str, ...]:
    """The names that a twin of this name may have, the likelier first."""
    if not name or name.startswith("__"):
        return ()
    if name[:1].isupper():
        bare = next((name.removeprefix(prefix) for prefix in CLASS_PREFIXES if name.startswith(prefix)), "")
        return (bare,) if bare else tuple(prefix + name for prefix in CLASS_PREFIXES)
    for prefix in ("async_", "sync_"):
        if name.startswith(prefix) and len(name) - len(prefix) >= SHORTEST:
            return (name.removeprefix(prefix),)
    for suffix in SUFFIXES:
        if name.endswith(suffix) and len(name) - len(suffix) >= SHORTEST:
            return (name.removesuffix(suffix),)
    return (*(prefix + name for prefix in PREFIXES[:2]), name + SUFFIXES[0])
