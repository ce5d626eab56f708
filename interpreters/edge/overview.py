"""Everything that is configured, for a person to read: each value, and where it was said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from interpreters.edge.documents import Keys
from interpreters.edge.keys import SETTINGS
from interpreters.edge.settings import BY_DEFAULT, InstalledScorer, Scorer, Settings

_ABOUT: Final = frozenset({"name", "said"})
_HIDDEN: Final = "…"
"""In the place of values that only another distribution knows the meaning of: they may be secrets."""


def overview(settings: Settings) -> str:
    """The settings as a file would say them, each with where it was said. No secret is among them."""
    return "\n".join(_lines(settings)) + "\n"


def _lines(settings: Settings) -> Iterator[str]:
    for key in SETTINGS:
        yield from _line(settings, (key.name,), getattr(settings, key.name))
    for scorer in settings.scorers.values():
        yield from _block(settings, ("scorers", scorer.name), _values(scorer))
    for name, table in settings.servers.items():
        yield from _block(settings, ("servers", name), table)


def _block(settings: Settings, path: Keys, values: Mapping[str, Any]) -> Iterator[str]:
    lines = [line for name, value in values.items() for line in _line(settings, (*path, name), value)]
    if lines:
        yield from ("", f"[{path[0]}.{json.dumps(path[1])}]" if not path[1].isidentifier() else f"[{'.'.join(path)}]")
        yield from lines


def _line(settings: Settings, path: Keys, value: Any) -> Iterator[str]:
    if value is not None:
        plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
        said = settings.origins.get(path, BY_DEFAULT)
        yield f"{path[-1]} = {json.dumps(plain, default=str, ensure_ascii=False)}  # {said}"


def _values(scorer: Scorer) -> dict[str, Any]:
    if isinstance(scorer, InstalledScorer):
        return {"kind": scorer.kind, **dict.fromkeys(scorer.table, _HIDDEN)}
    kind = {} if scorer.name == scorer.kind else {"kind": scorer.kind.value}
    return kind | attrs.asdict(scorer, recurse=False, filter=lambda field, _: field.name not in _ABOUT)
