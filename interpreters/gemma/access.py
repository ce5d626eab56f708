"""What the address of a scoring server may be, and the token that it lets in: one rule for all who are told them.

Nothing heavy is imported here: the rule is asked before anything is started.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tidepool.errors import ConfigError

A_TOKEN: Final = "one line of visible ASCII characters without spaces"  # noqa: S105 - what one looks like

UNREADABLE: Final = "the model's address cannot be read: write http://host:port"

_VISIBLE: Final = re.compile("[!-~]{1,16384}")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+){3}")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)(:[0-9]{0,5})?")


def check_address(url: str) -> None:
    """Find what is wrong with an address. It is in no error: it may hold a secret.

    Raises:
        ConfigError: it is not `http://host:port` or `https://…`, with the path that `/score` is below, if any.
    """
    parts = _parts(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigError("the model's address is to begin with http:// or https:// and a host")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError("the model's address is to hold no user, query or fragment: a secret is given as the token")
    if not _is_host(parts, url):
        raise ConfigError(UNREADABLE)
    if parts.path.rstrip("/").endswith("/score"):
        raise ConfigError("the model's address ends in /score, which is added to it: leave out /score")


def _parts(url: str) -> SplitResult:
    try:
        if not _VISIBLE.fullmatch(url):  # Python would leave out a tab
            raise ValueError
        return urlsplit(url)
    except ValueError:
        raise ConfigError(UNREADABLE) from None


def _is_host(parts: SplitResult, url: str) -> bool:
    """Whether a name or a number stands there, perhaps with a port."""
    try:
        if _HOST.fullmatch(parts.netloc) is None or parts.port == 0:
            return False
        host = parts.hostname or ""
        if ":" in host or _NUMBER.fullmatch(host):
            from ipaddress import ip_address

            ip_address(host)
        elif "xn--" in host:  # a name in letters beyond ASCII, as it is written in ASCII
            from httpx import URL

            URL(url).host  # noqa: B018 - it is decoded
    except ValueError:
        return False
    return True


def is_token(text: str) -> bool:
    """Whether a header can bear it."""
    return _VISIBLE.fullmatch(text) is not None
