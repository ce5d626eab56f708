"""What is configured: the user's words, from wherever they were said, as typed values.

Later wins: the codebase's `tidepool.toml`, `[tool.tidepool]` in its `pyproject.toml`, the user's own file, variables,
flags. What a codebase may not set, or sets wrongly, is passed over and told; whatever the user sets must be right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

import attrs

from interpreters.edge.documents import Keys
from interpreters.edge.keys import SETTINGS, BuiltIn, keys_of
from interpreters.edge.layers import Layer, from_codebase, from_flags, from_own_file, from_variables

BY_DEFAULT: Final = "the default"


@attrs.frozen
class HeuristicScorer:
    """A table of rules, on this machine."""

    kind: ClassVar = BuiltIn.HEURISTIC
    name: str
    said: str


@attrs.frozen
class LearnedScorer:
    """Trees that were trained, on this machine; `interpreters.edge.keys.LEARNED` says the rest."""

    kind: ClassVar = BuiltIn.LEARNED
    name: str
    said: str
    model: Path | None


@attrs.frozen
class ModelScorer:
    """A scoring server. `interpreters.edge.keys.MODEL` says what each field means."""

    kind: ClassVar = BuiltIn.MODEL
    name: str
    said: str
    url: str | None
    token_env: str | None
    token_file: Path | None
    nodes_per_request: int
    requests_in_flight: int
    request_timeout_s: float
    total_timeout_s: float
    attempts: int


@attrs.frozen
class HybridScorer:
    """A model, and another scorer for what it does not rate. `interpreters.edge.keys.HYBRID` says the rest."""

    kind: ClassVar = BuiltIn.HYBRID
    name: str
    said: str
    model: str
    fallback: str
    failures: int
    cool_down_s: float


@attrs.frozen
class OracleScorer:
    """A checker of the codebase that is asked about."""

    kind: ClassVar = BuiltIn.ORACLE
    name: str
    said: str


@attrs.frozen
class ReplayScorer:
    """A recording that answers."""

    kind: ClassVar = BuiltIn.REPLAY
    name: str
    said: str
    file: Path | None


@attrs.frozen
class FunctionGemmaScorer:
    """A model of this format, from a folder or behind a server; see `interpreters.edge.keys.FUNCTIONGEMMA`."""

    kind: ClassVar = BuiltIn.FUNCTIONGEMMA
    name: str
    said: str
    model: Path | None
    backend: str
    passes: int
    max_suffix_tokens: int
    declared: bool | None
    writes_reasons: bool
    url: str | None
    served_as: str | None
    token_env: str | None
    token_file: Path | None


@attrs.frozen
class InstalledScorer:
    """A scorer of another distribution's.

    Attributes:
        kind: the name of its entry point.
        table: what is configured of it; nobody here knows what that means.
    """

    name: str
    said: str
    kind: str
    table: Mapping[str, Any]


Scorer: TypeAlias = (
    HeuristicScorer
    | LearnedScorer
    | ModelScorer
    | HybridScorer
    | OracleScorer
    | ReplayScorer
    | FunctionGemmaScorer
    | InstalledScorer
)
"""A scorer as it is configured, under its `name`; `said` is where, such as a file and its line."""

_BUILT_IN: Final[Mapping[BuiltIn, Callable[..., Scorer]]] = {
    BuiltIn.HEURISTIC: HeuristicScorer,
    BuiltIn.LEARNED: LearnedScorer,
    BuiltIn.MODEL: ModelScorer,
    BuiltIn.HYBRID: HybridScorer,
    BuiltIn.ORACLE: OracleScorer,
    BuiltIn.REPLAY: ReplayScorer,
    BuiltIn.FUNCTIONGEMMA: FunctionGemmaScorer,
}


@attrs.frozen
class Settings:
    """Everything that is configured. `interpreters.edge.keys` says what each value means.

    Attributes:
        scorers: those that are built in and those that are configured, by name.
        servers: the tables of the configured language servers, by name.
        origins: where each value was said, such as `tidepool.toml:2`, by the names on the way to it; the default where
            there is none.
        notes: a sentence about each thing that was passed over.
        environ: the variables, for the tokens in them.
    """

    budget: int
    tags: tuple[str, ...]
    format: str
    timeout_s: float
    scorer: str
    server: str
    verify: bool
    broker: bool
    python: Path | None
    keep: Path | None
    scorers: Mapping[str, Scorer]
    servers: Mapping[str, Mapping[str, Any]]
    origins: Mapping[Keys, str]
    notes: tuple[str, ...] = ()
    environ: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)


def read_settings(root: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """What is configured for a question about a codebase, or where the root is None, for no codebase.

    Args:
        flags: the values of keys of `interpreters.edge.keys.SETTINGS`, by name; None where it was not given.

    Raises:
        ConfigError: something that the user set cannot be used.
    """
    codebase, notes = from_codebase(root, environ) if root is not None else ({}, ())
    variables, unknown = from_variables(environ)
    merged = codebase | from_own_file(environ) | variables | from_flags(flags)
    return _settings(merged, (*notes, *unknown), environ)


def _settings(given: Layer, notes: tuple[str, ...], environ: Mapping[str, str]) -> Settings:
    values = {key.name: given[(key.name,)].value if (key.name,) in given else key.default for key in SETTINGS}
    return Settings(
        **values,
        scorers=MappingProxyType(_scorers(given)),
        servers=MappingProxyType({name: _branch(given, "servers", name) for name in _names(given, "servers")}),
        origins=MappingProxyType({path: one.said for path, one in given.items()}),
        notes=notes,
        environ=environ,
    )


def _scorers(given: Layer) -> dict[str, Scorer]:
    names = [*BuiltIn, *(name for name in _names(given, "scorers") if name not in set(BuiltIn))]
    return {str(name): _scorer(str(name), given) for name in names}


def _scorer(name: str, given: Layer) -> Scorer:
    table = _branch(given, "scorers", name)
    said = next((one.said for path, one in given.items() if path[:2] == ("scorers", name)), BY_DEFAULT)
    kind = table.pop("kind", name)
    if kind not in set(BuiltIn):
        return InstalledScorer(name, said, kind, table)
    built_in = BuiltIn(kind)
    values = {key.name: table.get(key.name, key.default) for key in keys_of(built_in)}
    return _BUILT_IN[built_in](name, said, **values)


def _names(given: Layer, tables: str) -> list[str]:
    return list(dict.fromkeys(path[1] for path in given if path[0] == tables))


def _branch(given: Layer, *path: str) -> dict[str, Any]:
    return {keys[-1]: one.value for keys, one in given.items() if len(keys) > 2 and keys[:-1] == path}
