"""Where the text of a codebase writes the name of a member: what a server that knows no types would have to go by."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from interpreters.lsp.project import source_files
from tidepool.effects.lsp import Place

PLACES_KEPT: Final = 2_000
"""Lines that are answered: a name on more of them is a word of the language, not one definition's."""

_READ_BYTES: Final = 4 * 2**20  # of one file: a larger one is data


def lines_that_write(root: Path, suffixes: tuple[str, ...], name: str) -> tuple[Place, ...]:
    """The places in the source files under a root where `.name` stands, one a line, in order."""
    places: list[Place] = []
    wanted = name.encode()
    attribute = re.compile(rf"\.\s*({re.escape(name)})\b")
    for file in source_files(root, suffixes):
        try:
            content = file.read_bytes() if file.stat().st_size <= _READ_BYTES else b""
        except OSError:
            continue
        if wanted not in content:
            continue
        path = file.relative_to(root).as_posix()
        for number, line in enumerate(re.split(r"\r\n|\r|\n", content.decode("utf-8", "replace")), start=1):
            if (found := attribute.search(line)) and path.isprintable():
                places.append(Place(path, number, found.start(1)))
                if len(places) >= PLACES_KEPT:
                    return tuple(sorted(places))
    return tuple(sorted(places))
