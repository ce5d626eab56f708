"""What a codebase says of itself: its licence, and a mark that tells one state of its sources from another."""

from __future__ import annotations

import re
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tidepool.candidates import Sources
from tidepool.domain import Provenance

LANGUAGE: Final = "Python"
_LICENCE_CHARACTERS: Final = 80


def origin_of(name: str, root: Path, sources: Sources, licence: str | None = None) -> Provenance:
    """What examples of a codebase say of where they come from.

    Args:
        licence: what the user says it is; None to look in the codebase.
    """
    return Provenance(
        codebase=name, revision=revision_of(sources), language=LANGUAGE, licence=licence or licence_of(root)
    )


def revision_of(sources: Sources) -> str:
    """A mark of the sources: the same for the same files, whatever folder they lie in."""
    digest = sha256()
    for path in sorted(sources.files):
        digest.update(f"{path}\0{sources.files[path]}\0".encode(errors="surrogatepass"))
    return f"sha256:{digest.hexdigest()[:16]}"


def licence_of(root: Path) -> str | None:
    """The licence that a codebase names in its metadata, or None."""
    return _of_project(root / "pyproject.toml") or _of_package(root / "PKG-INFO")


def _of_project(file: Path) -> str | None:
    try:
        project: Any = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
        named = project.get("license")
        named = named.get("text") if isinstance(named, dict) else named
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return _one_line(named)


def _of_package(file: Path) -> str | None:
    try:
        text = file.read_text(encoding="utf-8").partition("\n\n")[0]
    except (OSError, ValueError):
        return None
    found = re.search(r"^License(?:-Expression)?: *(.+)$", text, re.MULTILINE)
    return _one_line(found[1]) if found else None


def _one_line(named: object) -> str | None:
    """A licence's name; None for a licence's whole text."""
    if not isinstance(named, str) or "\n" in named.strip() or len(named) > _LICENCE_CHARACTERS:
        return None
    return named.strip() or None
