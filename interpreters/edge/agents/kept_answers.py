"""Answers that may be continued, by their handles: the last few, in memory."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from tidepool.domain import Pointer, ScoutResponse
from tidepool.errors import ConfigError

MOST: Final = 32
"""Answers kept; one of 1000 places is some 2 MB."""

HANDLE_DIGITS: Final = 12


@attrs.frozen
class Asked:
    """What identifies a question: the same asked again has the same handle.

    Attributes:
        root: the codebase's real path.
        tags: what kind of code it is about; None for what is configured.
        verify: whether to check the change; None for what is configured.
    """

    root: Path
    question: str
    tags: tuple[str, ...] | None
    verify: bool | None


@attrs.frozen
class Kept:
    """A question and all that is known of its answer by now.

    Attributes:
        response: with its training examples, which say what has been rated.
    """

    asked: Asked
    response: ScoutResponse


class KeptAnswers:
    """The last answers; the one that was not used for the longest time makes room for a new one."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def keep(self, asked: Asked, response: ScoutResponse) -> str:
        """Keep an answer in the place of an earlier one to the same question; answers its handle."""
        handle = _handle(asked)
        self._kept[handle] = Kept(asked, response)
        self._kept.move_to_end(handle)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return handle

    def find(self, handle: str) -> Kept:
        """The answer of a handle.

        Raises:
            ConfigError: there is none, or none any more.
        """
        if handle not in self._kept:
            raise ConfigError(f"no answer has the handle {handle[:40]!r}, or none any more: ask the question again")
        self._kept.move_to_end(handle)
        return self._kept[handle]


def further(earlier: ScoutResponse, whole: ScoutResponse) -> tuple[Pointer, ...]:
    """The rows of the whole answer that the earlier one did not have, or had otherwise."""
    known = set(earlier.pointers)
    return tuple(pointer for pointer in whole.pointers if pointer not in known)


def _handle(asked: Asked) -> str:
    said: Sequence[object] = (asked.root, asked.question, asked.tags, asked.verify)
    return hashlib.sha256(repr(said).encode(errors="surrogatepass")).hexdigest()[:HANDLE_DIGITS]
