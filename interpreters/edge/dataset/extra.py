"""What a set needs beyond the package itself: the extra `dataset`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from tidepool.errors import ConfigError

NEEDED: Final = ("datasketch", "detect_secrets", "pyarrow")


def require_extra() -> None:
    """Make sure that what the extra brings is there.

    Raises:
        ConfigError: something of it is not installed.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ConfigError(f"{', '.join(missing)} cannot be imported: install the extra, `semantic-scout[dataset]`")
