"""Whether a sentence says that what is added has a default, so that nobody has to give it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from tidepool.question.vocabulary import LETTERS
from tidepool.question.words import Mention

_NAMES: Final = frozenset(LETTERS[sort] for sort in ("name", "quoted", "builtin"))
_NEEDED: Final = "(?:required|mandatory|compulsory)"
_NOT: Final = r"\b(?:no|not|without|never|lack(?:s|ing)?|non|\w+n['\u2019]t)"
_REQUIRED: Final = re.compile(
    rf"\b{_NEEDED}\b|\bnon-optional\b|{_NOT}(?:\s+(?:an?|any|have|has|be))*[\s-]+(?:optional|default)", re.IGNORECASE
)
_NOT_REQUIRED: Final = re.compile(rf"{_NOT}(?:\s+be)?[\s-]+{_NEEDED}\b", re.IGNORECASE)
_DEFAULT: Final = re.compile(r"\b(?:optional|default(?:s|ed|ing)?)\b", re.IGNORECASE)


def tells_a_default(sentence: Sequence[Mention], thing: Mention | None, names: AbstractSet[str | None]) -> bool:
    """Whether what is added has a default.

    Args:
        sentence: the words of the sentence that adds it.
        thing: the mention of what is added, where it has a name.
        names: what is no word but a name, be it spelled like one: the thing's, and those it is added to.
    """
    said = " ".join("…" if _is_name(word) or word.text in names else word.written for word in sentence)
    told = _NOT_REQUIRED.sub("optional", said)
    if _REQUIRED.search(told):
        return False
    return (thing is not None and thing.is_assigned) or _DEFAULT.search(told) is not None


def tells_required(sentence: Sequence[Mention]) -> bool:
    """Whether something is said to be required from now on."""
    said = _NOT_REQUIRED.sub("", " ".join("…" if _is_name(word) else word.written for word in sentence))
    return _REQUIRED.search(said) is not None


def _is_name(word: Mention) -> bool:
    """Whether a word names something, be it a type that allows None."""
    return word.letter in _NAMES or word.written == "Optional" or "[" in word.written
