"""The known language servers: how each is started, what it reads, and how it differs from the others.

Everything here is data. In `options` and `settings` the text `{python}` stands for the interpreter of the codebase's
Python environment, and `{named}` for the environment's folder if the user named it; where there is none, the entry is
left out.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs

from interpreters.lsp.plain import plain
from interpreters.lsp.project import COPIES, NOT_SOURCE, Environment, Origin
from tidepool.errors import ConfigError, Unavailable

_OWN: Final = Environment(
    Path(sys.prefix), Path(sys.executable), virtual=sys.prefix != sys.base_prefix, origin=Origin.ACTIVE
)
_PROGRAMS: Final = (
    "python-interpreter", "python_interpreter", "python_executable", "conda-env", "conda_env", "build-system",
    "build_system",
)  # fmt: skip
"""What settings begin with that name a program."""
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


@attrs.frozen
class Server:
    """A language server.

    The defaults are those of a server nothing is known about.

    Attributes:
        name: what the user calls it, and what its errors are signed with.
        command: the program and its arguments; a program without a path is looked for beside the running Python, then
            on PATH.
        suffixes: what the names of the files it reads end in.
        language: what the protocol calls their language.
        install: the command that installs it.
        options: its `initializationOptions`.
        settings: what it is answered when it asks for its configuration; sections are keys, dotted ones nested.
        position_encodings: the units of columns it may choose from; utf-32 costs nothing to translate.
        opens_files: whether it answers only about files that were opened.
        first_answers_complete: whether it answers about the whole codebase from the first answer on. Where not, it is
            waited for until it finds what is known to be there.
        pipelines_start: whether it reads on before its answer to `initialize` was acknowledged.
        runs_python: whether it runs the environment's interpreter. It is then told only of one that the user chose,
            or of the one that runs this.
        obeys: files of the codebase in which it may be told of another program to run, whatever it was told before,
            and the tables of each TOML file that hold its settings.
        checks_unsaved: whether it can be asked what it finds wrong, in files that were never opened too, and answers of
            text that was never saved.
        idles_at_exit: whether after `shutdown` it only frees its memory, page by page: that is not waited for.
        caveat: what a person should know about its answers.
    """

    name: str
    command: tuple[str, ...] = attrs.field(converter=_texts)
    suffixes: tuple[str, ...] = attrs.field(default=(".py", ".pyi"), converter=_texts)
    language: str = "python"
    install: str | None = None
    options: Mapping[str, Any] = _NONE
    settings: Mapping[str, Any] = _NONE
    position_encodings: tuple[str, ...] = attrs.field(default=("utf-32", "utf-16"), converter=_texts)
    opens_files: bool = False
    first_answers_complete: bool = False
    pipelines_start: bool = False
    runs_python: bool = False
    obeys: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType({})
    checks_unsaved: bool = False
    idles_at_exit: bool = False
    caveat: str | None = None


OFF_BY_DEFAULT: Final = (
    "blanket-ignore-comment",
    "disjoint-cast",
    "division-by-zero",
    "dynamic-function-decorator-return",
    "invalid-legacy-positional-parameter",
    "mismatched-sentinel-name",
    "missing-direct-dependency",
    "missing-override-decorator",
    "missing-type-argument",
    "possibly-missing-attribute",
    "possibly-missing-import",
    "possibly-unresolved-reference",
    "redundant-condition-strict",
    "truthiness-test-of-none-union",
    "unsound-assignment",
    "unsound-return",
    "unsound-yield",
    "unsupported-dynamic-base",
)
"""Rules of ty that are not on unless a codebase wants them: what they find is no break."""

TY: Final = Server(
    "ty",
    ("ty", "server"),
    install="pip install ty",
    options={
        "diagnosticMode": "workspace",
        "untrustedWorkspace": True,  # it then runs no other program
        "configuration": {
            # What the codebase does not want checked, or does not share, breaks all the same: its own lists are
            # overruled. The last pattern that matches decides, so what is no source is left out again at the end.
            "src": {
                "include": ["**"],
                "exclude": ["!**", *(f"**/{folder}/" for folder in (*sorted(NOT_SOURCE), *COPIES))],
                "respect-ignore-files": False,
            },
            # Any other it learns of by VIRTUAL_ENV, after the codebase's own choice. The codebase's `extra-paths` and
            # links may lead out of the root, and a hover then quotes what stands there: lists given here are joined
            # with its own and do not replace them.
            "environment": {"python": "{named}"},
            # Whether a change breaks something is not the codebase's to turn off: every rule that is on by default is
            # on, and a comment that hides one complaint hides no other. Comments of its own kind ty obeys all the same.
            "rules": {"all": "error", **dict.fromkeys(OFF_BY_DEFAULT, "ignore")},
            "analysis": {"respect-type-ignore-comments": False},
        },
    },
    first_answers_complete=True,
    pipelines_start=True,
    checks_unsaved=True,
    idles_at_exit=True,
)

PYREFLY: Final = Server(
    "pyrefly",
    # By default it answers while it is still indexing, and stops indexing at 2000 files without a word.
    ("pyrefly", "lsp", "--indexing-mode", "lazy-blocking", "--workspace-indexing-limit", "1000000"),
    install="pip install pyrefly",
    settings={"python": {"pythonPath": "{python}"}},
    opens_files=True,
    runs_python=True,
    obeys=MappingProxyType(
        {
            "pyrefly.toml": ((),),
            "pyproject.toml": (("tool", "pyrefly"), ("tool", "mypy")),
            "mypy.ini": (),
            ".mypy.ini": (),
            "setup.cfg": (),
        }
    ),
    caveat="pyrefly finds no method by its name alone, and takes the subclasses of a subclass for direct ones",
)

_PYRIGHT_ANALYSIS: Final = {"analysis": {"diagnosticMode": "openFilesOnly"}}

BASEDPYRIGHT: Final = Server(
    "basedpyright",
    ("basedpyright-langserver", "--stdio"),
    install="pip install basedpyright",
    settings={"python": {"pythonPath": "{python}"}, "basedpyright": _PYRIGHT_ANALYSIS},
    runs_python=True,
)

PYRIGHT: Final = Server(
    "pyright",
    ("pyright-langserver", "--stdio"),
    install="npm install --global pyright",
    settings={"python": {"pythonPath": "{python}", **_PYRIGHT_ANALYSIS}},
    runs_python=True,
)

JEDI: Final = Server(
    "jedi-language-server",
    ("jedi-language-server",),
    install="pip install jedi-language-server",
    options={
        "diagnostics": {"enable": False},
        "workspace": {"environmentPath": "{python}", "symbols": {"maxSymbols": 0}},  # by default it stops at 20
    },
    runs_python=True,
    caveat="jedi-language-server finds only some of the references in a large codebase",
)

GOPLS: Final = Server(
    "gopls", ("gopls",), (".go",), "go", install="go install golang.org/x/tools/gopls@latest"
)  # fmt: skip

TYPESCRIPT: Final = Server(
    "typescript",
    ("tsc", "--lsp", "--stdio"),
    (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"),
    "typescript",
    install="npm install --global typescript@7",
    opens_files=True,
)

CLANGD: Final = Server(
    "clangd",
    ("clangd", "--background-index"),
    (".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx"),
    "cpp",
    install="your system's package manager",
    opens_files=True,
)

RUST_ANALYZER: Final = Server(
    "rust-analyzer",
    ("rust-analyzer",),
    (".rs",),
    "rust",
    install="rustup component add rust-analyzer",
    # Both run the codebase's own code: build scripts and macros.
    options={"cargo": {"buildScripts": {"enable": False}}, "procMacro": {"enable": False}, "checkOnSave": False},
)

HASKELL: Final = Server(
    "haskell-language-server",
    ("haskell-language-server-wrapper", "--lsp"),
    (".hs",),
    "haskell",
    install="ghcup install hls",
    opens_files=True,
)

SERVERS: Final[Mapping[str, Server]] = MappingProxyType(
    {
        server.name: server
        for server in (
            TY, PYREFLY, BASEDPYRIGHT, PYRIGHT, JEDI, GOPLS, TYPESCRIPT, CLANGD, RUST_ANALYZER, HASKELL,
        )
    }
)  # fmt: skip


def known_server(name: str) -> Server:
    """The known server of a name.

    Raises:
        ConfigError: there is none.
    """
    if name in SERVERS:
        return SERVERS[name]
    from difflib import get_close_matches

    close = get_close_matches(name, SERVERS, n=1, cutoff=0.4)
    meant = f"did you mean {close[0]}? The known ones are" if close else "the known ones are"
    raise ConfigError(f"no language server is called {name!r}: {meant} {', '.join(SERVERS)}")


def find_command(server: Server, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The server's command, its program as an absolute path.

    Raises:
        ConfigError: the command is empty.
        Unavailable: there is no such program.
    """
    if not server.command or not server.command[0]:
        raise ConfigError(f"the command of the language server {server.name} is empty: name its program")
    program, *arguments = server.command
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program, path=_path(environ))
    if found is None:
        remedy = f"install it ({server.install})" if server.install else "check the command in your configuration"
        raise Unavailable(server.name, f"there is no program {program}: {remedy}, or name another language server")
    return (str(Path(found).absolute()), *arguments)


def told_of(server: Server, environment: Environment | None) -> Environment | None:
    """The environment that the server is told of.

    One that runs the interpreter is told of this process's own rather than of none, or of one that stands in the
    codebase: left to itself, it looks for one there, and runs it.
    """
    trusted = environment is not None and environment.origin is not Origin.IN_ROOT
    return environment if trusted or not server.runs_python else _OWN


def check_trusted(server: Server, root: Path, environment: Environment | None) -> None:
    """Refuse a server that would run what the codebase names.

    Raises:
        ConfigError: the codebase's settings name a program, and the user named no interpreter.
    """
    if not server.obeys or (environment is not None and environment.origin is Origin.NAMED):
        return
    for folder, _, names in os.walk(root):  # all of it: in any folder the settings hold for what stands there
        for name in server.obeys.keys() & names:
            file = Path(folder, name)
            if not _names_no_program(file, server.obeys[name]):
                where = plain(str(file.relative_to(root)))
                raise ConfigError(
                    f"{server.name} would run a program that {where} may name: if you trust this codebase, name its "
                    "interpreter with --python, else name another language server"
                )


def _names_no_program(file: Path, tables: tuple[tuple[str, ...], ...]) -> bool:
    """Whether it is certain that a file has no setting that has a program run, if it is TOML: in some of its tables."""
    import tomllib

    try:
        text = file.read_text("utf-8") if file.is_file() else ""
        if file.suffix != ".toml":
            return not any(setting in text.casefold() for setting in _PROGRAMS)
        settings = tomllib.loads(text)
        named = (name for table in tables for name in reduce(lambda inner, key: inner.get(key, {}), table, settings))
        return not any(name.startswith(_PROGRAMS) for name in named)
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def fill(template: Any, environment: Environment | None) -> Any:
    """A server's options or settings for one codebase."""
    values: dict[str, str | None] = {"{python}": None, "{named}": None}
    if environment is not None:
        values["{python}"] = str(environment.python)
        values["{named}"] = str(environment.folder) if environment.origin is Origin.NAMED else None
    return _filled(template, values)


def _path(environ: Mapping[str, str]) -> str:
    scripts = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))]
    return os.pathsep.join([*scripts, environ.get("PATH", os.defpath)])


def _filled(template: Any, values: Mapping[str, str | None]) -> Any:
    if isinstance(template, Mapping):
        entries = {key: _filled(value, values) for key, value in template.items()}
        return {key: value for key, value in entries.items() if value is not None}
    if isinstance(template, list | tuple):
        return [filled for item in template if (filled := _filled(item, values)) is not None]
    return values.get(template, template) if isinstance(template, str) else template
