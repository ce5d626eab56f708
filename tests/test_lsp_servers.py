"""The table of known servers, how a server is started, and the guard that it is started under."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import interpreters.lsp
from interpreters.lsp.project import Environment, Origin
from interpreters.lsp.servers import (
    BASEDPYRIGHT,
    JEDI,
    PYREFLY,
    SERVERS,
    TY,
    Server,
    check_trusted,
    fill,
    find_command,
    known_server,
    told_of,
)
from tests.lsp_world import ODD, World, a_world, odd
from tidepool.eff import Eff, attempt, each
from tidepool.effects.lsp import (
    Lsp,
    Place,
    Symbol,
    callers,
    document_symbols,
    find_symbol,
    hover,
    implementations,
    references,
)
from tidepool.errors import ConfigError, Unavailable, Unsupported

GUARD = Path(interpreters.lsp.__file__).with_name("guard.py")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from a_world(tmp_path)


# The table.


def test_every_known_server_can_be_named() -> None:
    assert [known_server(name).name for name in SERVERS] == list(SERVERS)


def test_a_server_that_is_not_known_is_an_error_that_names_the_closest() -> None:
    with pytest.raises(ConfigError, match="no language server is called 'pyrigth': did you mean pyright"):
        known_server("pyrigth")


def test_a_program_is_looked_for_beside_the_running_python_and_then_on_path(tmp_path: Path) -> None:
    assert find_command(TY, {"PATH": str(tmp_path)}) == (str(Path(sys.executable).with_name("ty")), "server")
    own = tmp_path / "own-server"
    own.write_text("#!/bin/sh\n")
    with pytest.raises(Unavailable, match="no program own-server: check the command in your configuration"):
        find_command(Server("own", ("own-server",)), {"PATH": str(tmp_path)})  # it cannot be executed yet
    own.chmod(0o755)
    assert find_command(Server("own", ("own-server", "-v")), {"PATH": str(tmp_path)}) == (str(own), "-v")


@pytest.mark.parametrize("command", [(), ("",)])
def test_a_command_without_a_program_is_an_error(command: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="the command of the language server own is empty: name its program"):
        find_command(Server("own", command), {})


NAMED = Environment(Path("/env"), Path("/env/bin/python"), virtual=True, origin=Origin.NAMED)
IN_ROOT = attrs.evolve(NAMED, origin=Origin.IN_ROOT)


def test_what_stands_for_the_environment_is_filled_in_or_left_out() -> None:
    template = {"a": "{python}", "b": {"c": "{named}", "d": [1, "{python}", {"e": "{named}"}]}, "f": "python"}
    assert fill(template, NAMED) == {
        "a": "/env/bin/python", "b": {"c": "/env", "d": [1, "/env/bin/python", {"e": "/env"}]}, "f": "python",
    }  # fmt: skip
    assert fill(template, IN_ROOT)["b"] == {"d": [1, "/env/bin/python", {}]}
    assert fill(template, None) == {"b": {"d": [1, {}]}, "f": "python"}


def test_a_server_that_runs_python_is_not_told_of_one_that_stands_in_the_codebase() -> None:
    for untrusted in (IN_ROOT, None):
        told = told_of(PYREFLY, untrusted)
        assert told is not None
        assert told.python == Path(sys.executable)
    assert told_of(PYREFLY, NAMED) == NAMED
    assert told_of(TY, IN_ROOT) == IN_ROOT


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("pyrefly.toml", 'python-interpreter-path = "evil/python"'),
        ("deep/er/pyrefly.toml", '"python\\u002dinterpreter" = "evil/python"'),
        (".hidden/pyproject.toml", '[tool.pyrefly.build-system]\ntype = "custom"'),
        ("mypy.ini", "[mypy]\npython_executable = evil/python"),
        ("a/setup.cfg", "[mypy]\nPython_Executable: evil/python"),
        ("pyproject.toml", '[tool.mypy]\npython_executable = "evil/python"'),
        ("pyrefly.toml", "not = [toml"),
        ("pyproject.toml", "tool = 5"),
        ("pyproject.toml", b"\xff"),
    ],
)
def test_a_server_that_obeys_the_codebase_is_refused_where_that_may_name_a_program(
    world: World, file: str, settings: str | bytes
) -> None:
    root = world.write({file: settings, "code.py": ""})
    with pytest.raises(ConfigError, match=f"pyrefly would run a program that {file} may name: if you trust"):
        world.ask(find_symbol("x"), PYREFLY)
    check_trusted(PYREFLY, root, NAMED)
    check_trusted(TY, root, None)


def test_a_server_that_obeys_the_codebase_is_not_refused_for_other_settings(world: World) -> None:
    root = world.write({"pyrefly.toml": 'search-path = ["src"]', "a/pyproject.toml": "[build-system]\nrequires = []"})
    world.write({"mypy.ini": "[mypy]\nstrict = true", "code.py": ""})
    check_trusted(PYREFLY, root, None)


def environment(folder: Path, module: str) -> Path:
    """A virtual environment that holds a module, without an interpreter that could be run."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / f"{module}.py").write_text('class Theirs:\n    """From elsewhere."""\n')
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\nversion = {version[6:]}\n")
    return folder


@pytest.mark.parametrize("where", ["named", "in root", "active", "broken active", "none"])
def test_imports_are_resolved_in_the_environment_that_was_found(world: World, tmp_path: Path, where: str) -> None:
    world.write({"code.py": "from theirs_only import Theirs\n\nmade = Theirs()\n"})
    options: dict[str, Any] = {}
    if where == "named":
        options["python"] = environment(tmp_path / "env", "theirs_only") / "bin" / "python"
    elif where == "in root":
        environment(world.root / ".venv", "theirs_only")
    elif where == "active":
        world.environ["VIRTUAL_ENV"] = str(environment(tmp_path / "env", "theirs_only"))
    elif where == "broken active":
        world.environ["VIRTUAL_ENV"] = str(tmp_path)
    said = world.ask(hover(Place("code.py", 3, 0)), **options)
    assert (said == "Theirs") is (where not in {"broken active", "none"})


# The guard.


def guard(*command: str, apart: bool = True) -> tuple[subprocess.Popen[bytes], int]:
    """A guarded command, and the end of its lifeline that keeps it alive."""
    lifeline, ours = os.pipe()
    os.set_inheritable(lifeline, True)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(GUARD), str(lifeline), *command],
        pass_fds=[lifeline], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=apart,
    )  # fmt: skip
    os.close(lifeline)
    return process, ours


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -TERM $$", -signal.SIGTERM), ("echo said", 0)])
def test_a_guarded_command_ends_as_it_does_unguarded(script: str, status: int) -> None:
    process, lifeline = guard("/bin/sh", "-c", script)
    said, _ = process.communicate(timeout=20)
    os.close(lifeline)
    assert process.returncode == status
    assert said == (b"said\n" if "echo" in script else b"")


def test_a_guarded_command_is_killed_when_the_lifeline_closes() -> None:
    process, lifeline = guard("/bin/sh", "-c", "trap '' TERM HUP INT; echo up; sleep 600; sleep 600")
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    os.close(lifeline)
    said, _ = process.communicate(timeout=20)  # whoever held the pipes is gone, too
    assert (process.returncode, said) == (-signal.SIGKILL, b"")


def test_a_guarded_command_has_the_signals_that_python_ignores() -> None:
    process, lifeline = guard("/bin/sh", "-c", "yes | head -n 1")
    said, complaint = process.communicate(timeout=20)
    os.close(lifeline)
    assert (said, complaint) == (b"y\n", b"")


def test_a_guard_refuses_to_watch_a_session_that_is_not_its_own() -> None:
    process, lifeline = guard("/bin/true", apart=False)
    _, complaint = process.communicate(timeout=20)
    os.close(lifeline)
    assert process.returncode == 1
    assert b"start me in a session of my own" in complaint


# Before pygls.

ALONE = """
import asyncio, os, sys
from pathlib import Path
from interpreters.lsp.conversation import Conversation
from interpreters.lsp.process import ServerProcess

async def main(root, *command):
    process = await ServerProcess.start(command, Path(root), os.environ)
    conversation = Conversation(process, "odd", {}, alone_s=1e9)
    greeting = {"rootUri": "file:///", "capabilities": {"general": {"positionEncodings": ["utf-8"]}}}
    await conversation.ask("initialize", greeting, 60)
    conversation.notify("initialized", {})
    alone = "pygls" not in sys.modules
    asked = [conversation.ask("textDocument/hover", {}, 60) for _ in range(3)]
    said = (await asyncio.gather(*asked, return_exceptions=True))[0]
    print(alone, "pygls" not in sys.modules, type(said).__name__, said)
    await process.end()
    await conversation.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("mode", "printed"),
    [
        (("serve",), "True True dict {'contents': {'kind': 'plaintext', 'value': '2'}}"),
        (("asks",), """True False dict {'contents': '{"1": [null, null, {}]"""),
        (("says", "textDocument/hover", "oops\\n"), "True False BadAnswer odd: does not speak the language server"),
        (("says", "textDocument/hover", "Content-Length: 2\\r\\n\\r\\n{]"), "True False BadAnswer odd: answered nonse"),
        (
            ("answers", "textDocument/hover", '{"refused": {"code": 1, "message": "no"}}'),
            "True False BadAnswer odd: refus",
        ),
        (("says", "textDocument/hover", "Content-Length: 268435457\\r\\n\\r\\n"), "True False BadAnswer odd: does not"),
        (
            (
                "says",
                "textDocument/hover",
                'Content-Length: 45\\r\\n\\r\\n{"jsonrpc": "2.0", "id": [1], "result": null}',
            ),
            "True False BadAnswer odd: answered nonsense",
        ),
        (("crashes", "textDocument/hover"), "True True Lost"),
    ],
)
def test_what_is_simple_needs_no_pygls_and_what_is_not_gets_it(
    world: World, mode: tuple[str, ...], printed: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(world.root), *odd(*mode).command],
        env={**world.environ, "PYTHONPATH": str(ODD.parents[2])}, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith(printed)
    assert world.left_after() == []


# Other servers, where they are installed.

BASE = "class Base:\n    def go(self) -> int:\n        return 1\n\n\ndef helper() -> int:\n    return 1\n"
SUB = """\
from pkg.base import Base, helper


class Sub(Base):
    def go(self) -> int:
        _ = "😀"; return helper()
"""
FILES = {"pkg/__init__.py": "", "pkg/base.py": BASE, "pkg/sub.py": SUB}


@pytest.mark.parametrize("server", [TY, PYREFLY, BASEDPYRIGHT, JEDI], ids=lambda server: server.name)
def test_every_installed_server_answers_alike(world: World, server: Server) -> None:
    try:
        find_command(server, world.environ)
    except Unavailable as missing:
        pytest.skip(str(missing))
    world.write(FILES)
    used = Place("pkg/base.py", 6, 4)

    def program() -> Eff[Lsp, Any]:
        found = yield from find_symbol("helper")
        asked: list[Any] = [document_symbols("pkg/base.py"), hover(used), references(used)]
        outline, said, mentions = yield from each(asked)
        calls = yield from attempt(callers(used), Unsupported)
        below = yield from attempt(implementations(Place("pkg/base.py", 2, 8)), Unsupported)
        return found, outline, said, mentions, calls.value_or(None), below.value_or(None)

    found, outline, said, mentions, calls, below = world.ask(program(), server, start_timeout_s=100)
    assert [(it.name, it.place.location) for it in found] == [("helper", "pkg/base.py:6")]
    names = {it.qualified_name: it for it in outline}
    assert {"Base", "Base.go", "helper"} <= names.keys()
    assert isinstance(names["helper"], Symbol)
    assert (names["helper"].place, names["helper"].last_line) == (used, 7)
    assert "helper() -> int" in said
    assert mentions == (used, Place("pkg/sub.py", 1, 27), Place("pkg/sub.py", 6, 24))
    if calls is not None:
        assert [(call.caller.qualified_name, call.places) for call in calls] == [
            ("Sub.go", (Place("pkg/sub.py", 6, 24),))
        ]
    if below is not None:
        assert below == (Place("pkg/base.py", 2, 8), Place("pkg/sub.py", 5, 8))
