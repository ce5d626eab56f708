"""Files that appear whole or not at all, however the process that writes them ends."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tidepool.errors import ConfigError


@contextmanager
def written_whole(file: Path) -> Generator[TextIO]:
    """A file to write; it takes its name, and the place of an earlier one, when the block has ended well.

    Raises:
        ConfigError: it cannot be written.
    """
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with half.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        half.replace(file)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written ({error.strerror}): name another one") from error
    finally:
        half.unlink(missing_ok=True)
