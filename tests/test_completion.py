"""Completion, as the shells do it: each reads the script that the command prints, and is asked what may follow."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from interpreters.edge.completion import Flag, Words, script
from interpreters.edge.keys import FORMATS

COMMANDS: Final = ("semantic-scout", "tidepool")
SHELLS: Final = ("bash", "zsh", "fish")
PATIENCE_S: Final = 20.0

BASH: Final = """
words=("$@")
COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def printed(command: str, shell: str) -> str:
    program = Path(sys.executable).with_name(command)
    return subprocess.run([program, "--completion", shell], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Path]:
    folder = tmp_path_factory.mktemp("scripts")
    files = {(command, shell): folder / f"{command}.{shell}" for command in COMMANDS for shell in SHELLS}
    for (command, shell), file in files.items():
        file.write_text(printed(command, shell))
    return files


def shell_of(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def in_bash(file: Path, *words: str, folder: Path) -> set[str]:
    asked = f"source {file}\n{BASH}"
    ended = subprocess.run(
        [shell_of("bash"), "--norc", "-c", asked, "bash", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    return set(ended.stdout.split())


def in_fish(file: Path, *words: str, folder: Path) -> set[str]:
    line = " ".join(words)
    ended = subprocess.run(
        [shell_of("fish"), "--no-config", "-c", f"source {file}; complete -C '{line}'"],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    return {line.partition("\t")[0] for line in ended.stdout.splitlines()}


ZSH: Final = """
autoload -Uz compinit; compinit -u -D
source {file}
setopt no_beep no_always_last_prompt
PS1='ready>' LISTMAX=1000
"""


def in_zsh(file: Path, *words: str, folder: Path) -> set[str]:
    """What zsh makes of the line, and lists below it, at a terminal: it completes nowhere else."""
    program = shell_of("zsh")
    (folder / ".zshrc").write_text(ZSH.format(file=file))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        home = {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(folder), "ZDOTDIR": str(folder)}
        os.execve(program, [program, "-d", "-i"], home)
    try:
        until(terminal, "", lambda said: "ready>" in said)
        said = until(terminal, " ".join(words) + "\t\t", lambda said: True)
        return set(re.findall(r"[\w.-]+", said.replace(" ".join(words[:-1]), " ")))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def until(terminal: int, typed: str, holds: Callable[[str], bool]) -> str:
    """What a terminal shows once something was typed, when it shows no more and that holds."""
    os.write(terminal, typed.encode())
    said, end = "", time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        readable, _, _ = select.select([terminal], [], [], 0.4)
        if readable:
            said += os.read(terminal, 65536).decode(errors="replace")
        elif said and holds(said):
            return said
    raise AssertionError(f"the shell said no more than {said!r}")


COMPLETE: Final = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("semantic-scout", "--form"), {"--format"}),
        (("semantic-scout", "--format", ""), set(FORMATS)),
        (("semantic-scout", "do"), {"doctor"}),
        (("semantic-scout", "doctor", "--format", ""), {"table", "json"}),
        (("tidepool", "tr"), {"train"}),
        (("tidepool", "train", "ro"), {"rollback"}),
        (("tidepool", "evaluate", "--split", ""), {"train", "validation", "test"}),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_shell_completes(
    shell: str, words: tuple[str, ...], found: set[str], scripts: Mapping[tuple[str, str], Path], tmp_path: Path
) -> None:
    (tmp_path / "format.txt").touch()
    said = COMPLETE[shell](scripts[words[0], shell], *words, folder=tmp_path) - {words[-1]}
    if shell == "zsh":  # which echoes what was typed, and the prompt
        assert found <= said
        assert not {"format.txt", ".zshrc", "script"} & said
    else:
        assert said == found


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_value_is_completed_after_an_equals_sign(
    shell: str, scripts: Mapping[tuple[str, str], Path], tmp_path: Path
) -> None:
    words = {"bash": ("--format", "=", "j"), "fish": ("--format=j",)}[shell]
    found = COMPLETE[shell](scripts["semantic-scout", shell], "semantic-scout", *words, folder=tmp_path)
    assert {one.removeprefix("--format=") for one in found} == {"json"}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_path_is_completed_where_one_is_wanted(
    shell: str, scripts: Mapping[tuple[str, str], Path], tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    found = COMPLETE[shell](scripts["semantic-scout", shell], "semantic-scout", "--root", "sh", folder=tmp_path)
    assert {one.rstrip("/") for one in found} == {"shop"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_help_text_cannot_break_a_script(shell: str, tmp_path: Path) -> None:
    flag = Flag("--odd", "it's `odd` $(touch broken)\n; done", takes=True, choices=("one", "two"))
    file = tmp_path / "script"
    file.write_text(script(shell, "odd", {"": Words((flag,), {"go": "on's"})}))
    reads = f"compdef() :; . {file}" if shell == "zsh" else f". {file}"
    ended = subprocess.run(
        [shell_of(shell), *(["-f"] if shell == "zsh" else []), "-c", reads],
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (tmp_path / "broken").exists()


def test_an_unknown_shell_is_refused() -> None:
    program = Path(sys.executable).with_name("semantic-scout")
    ended = subprocess.run([program, "--completion", "csh"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "bash" in ended.stderr
