"""Which files are neither code nor data: documentation and configuration, by their names."""

from __future__ import annotations

import re
from typing import Final

PROSE: Final = (".md", ".rst", ".txt", ".adoc")
SETTINGS: Final = (".toml", ".cfg", ".ini", ".yaml", ".yml", ".json")
DOCUMENTS: Final = PROSE + SETTINGS
"""What the names of documentation and configuration end in."""

_OF_THE_PAST: Final = re.compile(
    r"(?:^|/)(?:change(?:s|log)|history|news|releases?|licen[cs]e|copying|authors)[^/]*$"
    r"|(?:^|/)(?:changelog|changes|releases|newsfragments)/"
    r"|lock\.(?:json|ya?ml)$",
    re.IGNORECASE,
)


def is_document(path: str) -> bool:
    """Whether a file is documentation or configuration, by its name: a server knows nothing of it."""
    return path.endswith(DOCUMENTS)


def speaks_of_today(path: str) -> bool:
    """Whether a document is about the codebase as it is: a list of changes, a licence or a lock file is not."""
    return _OF_THE_PAST.search(path) is None
