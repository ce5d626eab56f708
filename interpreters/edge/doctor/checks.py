"""What a check says."""

from __future__ import annotations

from enum import StrEnum

import attrs


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@attrs.frozen
class Check:
    """One thing that was looked at.

    Attributes:
        what: was looked at.
        state: warnings are worth knowing and stop nothing.
        found: what there is; it holds no secret.
        fix: a sentence that says what to do; "" where there is nothing to do.
    """

    what: str
    state: State
    found: str
    fix: str = ""


def ok(what: str, found: str, fix: str = "") -> Check:
    """A check in which all is well; `fix` then says what would add something."""
    return Check(what, State.OK, found, fix)


def warning(what: str, found: str, fix: str) -> Check:
    """A check that found something worth knowing."""
    return Check(what, State.WARNING, found, fix)


def wrong(what: str, found: str, fix: str) -> Check:
    """A check that found what stops answers."""
    return Check(what, State.WRONG, found, fix)


def blamed(what: str, error: Exception) -> Check:
    """A check that met an error of ours: such a sentence says what is wrong, and after a colon or semicolon what to do.

    Where it has no such end, all of it is what was found.
    """
    text = str(error)
    at = max(text.rfind(": "), text.rfind("; "))
    return wrong(what, text[:at], _sentence(text[at + 2 :])) if at > 0 else wrong(what, text, "")


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."
