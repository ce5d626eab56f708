"""What was said in each place that configures: checked, and each value with where it was said.

The user's own words must be right: what is wrong with them is raised, in a sentence. A codebase's must not stop an
answer, since anyone may have written them: what is wrong with them is told, and passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from interpreters.edge.documents import Document, Keys, Unreadable, read_document
from interpreters.edge.keys import (
    ANYTHING,
    MODEL_TOKEN,
    PREFIX,
    REPLAY,
    SERVER,
    SERVER_KIND,
    SERVER_TOKEN,
    SETTINGS,
    TABLE,
    TEXT,
    BuiltIn,
    Key,
    by_name,
    keys_of,
    nearest,
    of_text,
    variable,
    wrong,
)
from interpreters.lsp.plain import plain
from tidepool.errors import ConfigError

FILE: Final = "tidepool.toml"
MOST_STRANGE: Final = 5
"""How many of the keys in a codebase's file that nobody knows are told one by one."""

_CODEBASE: Final[tuple[tuple[str, Keys], ...]] = ((FILE, ()), ("pyproject.toml", ("tool", "tidepool")))
_TABLES: Final = {name: Key(name, TABLE, None, "") for name in ("scorers", "servers")}
_KIND: Final = Key("kind", TEXT, None, "")
_BUILT_IN: Final = frozenset(map(str, BuiltIn))
_AKIN: Final = (
    0.75  # how like the name of a variable another has to be that is told of: others' begin like ours as well
)


@attrs.frozen
class Given:
    """A value, and where it was said."""

    value: Any
    said: str


Layer: TypeAlias = dict[Keys, Given]
"""What was said in one place, by the names on the way to it; a table of a name is there by itself as well."""


def from_codebase(root: Path, environ: Mapping[str, str]) -> tuple[Layer, tuple[str, ...]]:
    """What the files of a codebase set that they may, and a sentence about each thing that was passed over."""
    notes: list[str] = []
    layer: Layer = {}
    for name, under in _CODEBASE:
        try:
            document = read_document(root / name, name, under, within=root)
        except Unreadable as error:
            notes.append(f"the codebase's {name} {error}, and was passed over")
            continue
        settings = document.settings if document is not None else {}
        if document is not None and not isinstance(settings, Mapping):
            notes.append(f"{document.at()}: {'.'.join(under)} is not {TABLE.allowed}, and was passed over")
        elif document is not None:
            layer |= _allowed(document, settings, str(own_file(environ) or "a flag"), notes.append)
    return layer, tuple(notes)


def from_own_file(environ: Mapping[str, str]) -> Layer:
    """What the user's own file sets.

    Raises:
        ConfigError: some of it cannot be used.
    """
    file = own_file(environ)
    try:
        document = read_document(file, str(file)) if file is not None else None
    except Unreadable as error:
        raise ConfigError(f"{file} {error}: mend or remove it") from error
    layer: Layer = {}
    if document is None:
        return layer
    for name, value in document.settings.items():
        checked = _checked((name,), value, {**by_name(SETTINGS), **_TABLES}, document.at(name))
        if name in _TABLES:
            for entry, table in checked.items():
                layer |= _entry(document, (name, entry), table)
        else:
            layer[(name,)] = Given(_beside(document, checked), document.at(name))
    return layer


def from_variables(environ: Mapping[str, str]) -> tuple[Layer, tuple[str, ...]]:
    """What the environment's variables set, and a sentence about each that is not known and like one that is.

    Raises:
        ConfigError: one of them cannot be used.
    """
    known: dict[str, tuple[Keys, Key]] = {variable(key.name): ((key.name,), key) for key in SETTINGS}
    for kind in BuiltIn:
        known |= {variable(kind, key.name): (("scorers", kind.value, key.name), key) for key in keys_of(kind)}
    layer: Layer = {}
    for name in known.keys() & environ.keys():
        path, key = known[name]
        if environ[name]:  # to set one to nothing is how some unset it
            layer[path] = Given(_from_text(key, environ[name], name), name)
    strange = [name for name in environ if name.startswith(PREFIX) and name not in {*known, MODEL_TOKEN, SERVER_TOKEN}]
    return layer, tuple(_akin(strange, known)) if strange else ()


def from_flags(flags: Mapping[str, Any]) -> Layer:
    """What the flags set, by the names of keys; one that is None was not given.

    Raises:
        ConfigError: one of them cannot be used.
    """
    keys = by_name(SETTINGS)
    layer: Layer = {}
    for name, value in flags.items():
        if value is not None:
            said = keys[name].flag.partition(" ")[0] if name in keys else "a flag"
            layer[(name,)] = Given(_checked((name,), value, keys, said), said)
    return layer


def own_file(environ: Mapping[str, str]) -> Path | None:
    """The user's own file, which need not exist; None where the user has no home."""
    # A relative one would be looked for in the current folder, which may be the codebase's: the file names a command.
    folder = Path(environ.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():
        home = Path(environ.get("HOME") or environ.get("USERPROFILE", ""))
        if not home.is_absolute():  # nobody has a home in some containers
            return None
        folder = home / ".config"
    return folder / "tidepool" / FILE


def _allowed(document: Document, settings: Mapping[str, Any], place: str, complain: Callable[[str], None]) -> Layer:
    """What a codebase says, as far as a codebase may say it."""
    keys = {key.name: key for key in SETTINGS if key.for_codebase is not None}
    layer: Layer = {}
    for name in [*by_name(SETTINGS), *_TABLES]:
        if name not in settings:
            continue
        said = document.at(name)
        if name not in keys:
            complain(
                f"{said}: {name} is not for a codebase to set, and was passed over; say it in {place} if you mean it"
            )
            continue
        try:
            value = _checked((name,), settings[name], keys, said)
        except ConfigError as error:
            complain(f"{error} (passed over)")
            continue
        if isinstance(value, int | float):
            least, most = keys[name].for_codebase or ANYTHING
            asked, value = value, type(value)(min(max(value, least), most))
            if asked != value:
                complain(
                    f"{said}: a codebase may set {name} from {least:g} to {most:g}, and it was taken for {value:g}"
                )
        layer[(name,)] = Given(value, said)
    _complain_of_strange(document, settings, keys, complain)
    return layer


def _complain_of_strange(
    document: Document, settings: Mapping[str, Any], keys: Mapping[str, Key], complain: Callable[[str], None]
) -> None:
    strange = [name for name in settings if name not in by_name(SETTINGS) and name not in _TABLES]
    for name in strange[:MOST_STRANGE]:
        complain(f"{document.at(name)}: {_shown((name,))} is not known; {nearest(name, keys)} (passed over)")
    if len(strange) > MOST_STRANGE:
        complain(f"{document.shown}: {len(strange) - MOST_STRANGE} more of its keys are not known (passed over)")


def _entry(document: Document, path: Keys, value: Any) -> Layer:
    """A table of the user's, `[scorers.NAME]` or `[servers.NAME]`."""
    said = document.at(*path)
    table = _checked(path, value, {path[-1]: Key(path[-1], TABLE, None, "")}, said)
    keys = _server_keys(document, path, table) if path[0] == "servers" else _scorer_keys(document, path, table)
    layer: Layer = {path: Given(None, said)}
    for name, inner in table.items():
        where = document.at(*path, name)
        checked = inner if keys is None else _checked((*path, name), inner, keys, where)
        layer[(*path, name)] = Given(_beside(document, checked), where)
    return layer


def _server_keys(document: Document, path: Keys, table: Mapping[str, Any]) -> dict[str, Key]:
    """What a server's table may hold."""
    kind = {SERVER_KIND.name: SERVER_KIND}
    if SERVER_KIND.name not in table:
        return kind | by_name(SERVER)
    inner = (*path, SERVER_KIND.name)
    _checked(inner, table[SERVER_KIND.name], kind, document.at(*inner))
    return kind | by_name(REPLAY)


def _scorer_keys(document: Document, path: Keys, table: Mapping[str, Any]) -> dict[str, Key] | None:
    """What a scorer's table may hold; None where only another distribution knows."""
    name = path[-1]
    said = document.at(*path, _KIND.name)
    kind = _checked((*path, _KIND.name), table.get(_KIND.name, name), {_KIND.name: _KIND}, said)
    if name in _BUILT_IN and kind != name:
        raise ConfigError(f"{said}: {name} is built in, of its own kind: give a scorer of kind {kind} another name")
    return {_KIND.name: _KIND, **by_name(keys_of(BuiltIn(kind)))} if kind in _BUILT_IN else None


def _checked(path: Keys, value: Any, keys: Mapping[str, Key], said: str) -> Any:
    """The value of a key that is known, if it may be that."""
    name = _shown(path)
    if path[-1] not in keys:
        raise ConfigError(f"{said}: {name} is not known; {nearest(path[-1], keys)}")
    key = keys[path[-1]]
    try:
        return key.kind.accept(value)
    except ValueError:
        raise ConfigError(f"{said}: {name}: {wrong(key, value)}") from None


def _shown(path: Keys) -> str:
    name = ".".join(path)
    return name if plain(name, 100) == name else repr(name[:100])


def _from_text(key: Key, text: str, said: str) -> Any:
    try:
        return of_text(key, text)
    except ValueError as error:
        raise ConfigError(f"{said}: {error}") from None


def _beside(document: Document, value: Any) -> Any:
    """A path in a file is relative to the file's folder."""
    if not isinstance(value, Path):
        return value
    try:
        return document.folder / value.expanduser()
    except RuntimeError:  # there is no such user, or nobody has a home
        return document.folder / value


def _akin(strange: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    from difflib import get_close_matches

    ours = {name.removeprefix(PREFIX): name for name in known}
    for name in strange:
        for close in get_close_matches(name.removeprefix(PREFIX)[:100], ours, n=1, cutoff=_AKIN):
            yield f"the variable {plain(name, 60)} is not known, and was passed over; did you mean {ours[close]}?"
