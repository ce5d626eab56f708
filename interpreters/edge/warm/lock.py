"""The lock that a broker holds for as long as it lives: the system lets go of it however the broker ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from interpreters.edge.warm.place import place_at


def locked(file: Path) -> int | None:
    """The lock, held; None where another process holds it. One that was removed meanwhile is none."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        os.close(descriptor)


def remove_if_abandoned(socket: Path) -> None:
    """Remove what a broker left that was killed; one that only begins holds its lock."""
    place = place_at(socket)
    descriptor = locked(place.lock)
    if descriptor is not None:
        socket.unlink(missing_ok=True)
        place.lock.unlink(missing_ok=True)
        os.close(descriptor)
