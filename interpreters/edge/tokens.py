"""Tokens, from the file or the variable that holds them. None is ever in an error."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from interpreters.gemma.access import A_TOKEN, is_token
from tidepool.errors import ConfigError

MOST_BYTES: Final = 16_384
"""Of a file with a token; a header may hardly be longer."""


def token_in(file: Path) -> str:
    """The token that a file holds.

    Raises:
        ConfigError: the file cannot be read, is too long, or holds no token.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(descriptor, "rb") as stream:  # a pipe that nobody writes to would else be waited for
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(None, "it is no regular file")
            held = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"the token cannot be read from {file} ({why}): name a file that holds it") from error
    return _token(held.decode("utf-8", "replace") if len(held) <= MOST_BYTES else "", str(file))


def token_of(variable: str, environ: Mapping[str, str]) -> str | None:
    """The token that a variable holds, or None where it is not set.

    Raises:
        ConfigError: it holds no token.
    """
    return _token(environ[variable], variable) if variable in environ else None


def _token(text: str, source: str) -> str:
    token = text.strip()
    if not is_token(token):
        raise ConfigError(f"{source} holds no token: it is {A_TOKEN}")
    return token
