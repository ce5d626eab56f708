"""From the names a user writes to interpreters.

A language server of the user's own is named in the user's configuration file, never in the codebase's: it is a command
that is run. The file is `tidepool/tidepool.toml` in `$XDG_CONFIG_HOME`, or in `~/.config`:

    server = "mine"                        # the server to use unless a flag names another

    [servers.mine]
    like = "pyright"                       # a known server whose entry this one starts from; optional
    command = ["my-language-server", "--stdio"]
    suffixes = [".py"]                     # and any other field of `interpreters.lsp.servers.Server`
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from interpreters.lsp.servers import SERVERS, TY, Server, known_server
from tidepool.errors import ConfigError

if TYPE_CHECKING:
    from tidepool.eff import Handler
    from tidepool.effects.gemma import Gemma

DEFAULT_SERVER: Final = TY.name


def _heuristic() -> Handler[Gemma]:
    from interpreters.gemma.heuristic import heuristic

    return heuristic()


SCORERS: Final[Mapping[str, Callable[[], Handler[Gemma]]]] = {"heuristic": _heuristic}
"""Every scorer by its name."""


def choose_scorer(name: str) -> Callable[[], Handler[Gemma]]:
    """What builds the scorer of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in SCORERS:
        raise ConfigError(f"no scorer is called {name!r}; the known ones are {', '.join(SCORERS)}")
    return SCORERS[name]


def choose_server(name: str | None, environ: Mapping[str, str]) -> Server:
    """The language server of a name, known or from the user's configuration; of no name, the configured one.

    Raises:
        ConfigError: there is none, or the configuration cannot be used.
    """
    file = _config_file(environ)
    config = _read(file) if file is not None else {}
    own = config.get("servers", {})
    chosen = str(name or config.get("server", DEFAULT_SERVER))
    if chosen not in own and chosen not in SERVERS and own:
        raise ConfigError(
            f"no language server is called {chosen!r}; yours are {', '.join(own)}, known {', '.join(SERVERS)}"
        )
    return _own_server(file, chosen, own[chosen]) if file is not None and chosen in own else known_server(chosen)


def _config_file(environ: Mapping[str, str]) -> Path | None:
    # A relative one would be looked for in the current folder, which may be the codebase's: the file names a command.
    folder = Path(environ.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():
        try:
            folder = Path.home() / ".config"
        except RuntimeError:  # nobody has a home in some containers
            return None
    return folder / "tidepool" / "tidepool.toml"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        config = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({error}): mend or remove it") from error
    _check(file, "", config, {"server": str, "servers": dict})
    for name, entry in config.get("servers", {}).items():
        _check(file, "servers", {name: entry}, {name: dict})
    return config


_FIELDS: Final[Mapping[str, type]] = {
    "like": str,
    "command": list,
    "suffixes": list,
    "language": str,
    "install": str,
    "options": dict,
    "settings": dict,
    "position_encodings": list,
    "opens_files": bool,
    "first_answers_complete": bool,
    "pipelines_start": bool,
    "runs_python": bool,
    "idles_at_exit": bool,
    "caveat": str,
}


def _own_server(file: Path, name: str, entry: Mapping[str, Any]) -> Server:
    _check(file, f"servers.{name}", entry, _FIELDS)
    for key in ("command", "suffixes", "position_encodings"):
        if not all(isinstance(item, str) for item in entry.get(key, ())):
            raise ConfigError(f"{file}: servers.{name}.{key} is to be a list of texts")
    for key in ("command", "suffixes", "position_encodings"):
        if key in entry and not entry[key]:
            raise ConfigError(f"{file}: servers.{name}.{key} is empty: fill it, or leave it out")
    changes = {key: value for key, value in entry.items() if key != "like"}
    if "like" in entry:
        if entry["like"] not in SERVERS:
            raise ConfigError(f"{file}: servers.{name}.like is to be one of {', '.join(SERVERS)}")
        return attrs.evolve(SERVERS[entry["like"]], name=name, **changes)
    if "command" not in entry:
        raise ConfigError(f"{file}: servers.{name} needs a command, or a known server that it is `like`")
    return Server(name, **changes)


def _check(file: Path, where: str, table: Mapping[str, Any], fields: Mapping[str, type]) -> None:
    """Every key is known and of its type, or an error names it and what it may be."""
    for key, value in table.items():
        path = f"{where}.{key}" if where else key
        if key not in fields:
            close = get_close_matches(key, fields, n=1)
            meant = f"did you mean {close[0]}?" if close else f"it may be one of {', '.join(fields)}"
            raise ConfigError(f"{file}: {path} is not known; {meant}")
        if not isinstance(value, fields[key]):
            raise ConfigError(f"{file}: {path} is to be {_KINDS[fields[key]]}")


_KINDS: Final[Mapping[type, str]] = {str: "a text", list: "a list of texts", dict: "a table", bool: "true or false"}
