"""What the documentation shows is what happens.

The fences of a page are taken from top to bottom, in a directory of their own that holds the `llmkind` fixture, by
language and by what follows the language:

    python                   run, in one namespace a page
    text output              what the `python` above it printed; `...` stands for anything
    console                  each `$ command` is run; what it prints is compared where the page shows it
    console exit=3           the same, and the last command ends with that status
    json · toml              parsed
    text                     only shown
    console background       the one command is started, and ended with the page; it has come far enough when it prints
    … file=NAME              written to that file instead; `~` is the reader's home
    … norun: REASON          not run, for that reason
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final
from urllib.parse import urlsplit

import attrs
import pytest
from markdown_it import MarkdownIt

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNABLE: Final = frozenset({"semantic-scout", "tidepool", "python", "cat", "echo"})
"""What a `console` block may run; whatever else it shows has to say why it is not run."""

PORT: Final = "8377"
"""The port that pages show; another one is used, since this one may be taken."""


@attrs.frozen
class Fence:
    """A fenced block: its info string in parts, its text, and the line of the page its text begins at, from 1."""

    page: Path
    line: int
    language: str
    words: frozenset[str]
    norun: str | None
    text: str

    def option(self, name: str) -> str | None:
        """The value of `name=value` in the info string."""
        return next((word.removeprefix(f"{name}=") for word in self.words if word.startswith(f"{name}=")), None)

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


@attrs.define
class Reader:
    """Someone who follows a page from its top, in `folder`, and remembers what the last `python` printed."""

    folder: Path
    module: ModuleType
    ending: contextlib.ExitStack
    printed: str = ""

    def follow(self, fence: Fence) -> None:
        if fence.norun is not None:
            assert fence.norun, f"{fence.place}: say why it is not run: `norun: reason`"
        elif (name := fence.option("file")) is not None:
            file = self.folder.parent / name[2:] if name.startswith("~/") else self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(fence.text, encoding="utf-8")
        elif "output" in fence.words:
            expect_output(fence, fence.text, self.printed)
        else:
            assert fence.language in MEANING, f"{fence.place}: `{fence.language}` is none of {', '.join(MEANING)}"
            MEANING[fence.language](self, fence)

    def run_python(self, fence: Fence) -> None:
        # Empty lines in front make a traceback point into the page.
        code = compile("\n" * (fence.line - 1) + fence.text, str(fence.page), "exec", dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as stdout, contextlib.chdir(self.folder), as_main(self.module):
            exec(code, self.module.__dict__)
        self.printed = stdout.getvalue()

    def run_console(self, fence: Fence) -> None:
        if "background" in fence.words:
            ((command, _),) = commands(fence)
            self.ending.enter_context(running(fence, command, self.folder))
            return
        *first, last = commands(fence)
        for command, shown in first:
            self.run_command(fence, command, shown, 0)
        self.run_command(fence, *last, int(fence.option("exit") or 0))

    def run_command(self, fence: Fence, command: str, shown: str, status: int) -> None:
        name = command.split(maxsplit=1)[0]
        assert name in RUNNABLE, f"{fence.place}: `{name}` is not run here: say why with `norun: reason`"
        ended = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=environment(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ended.returncode == status, f"{fence.place}: `{command}` ended with {ended.returncode}:\n{ended.stdout}"
        if shown:
            expect_output(fence, shown, ended.stdout)

    def parse_json(self, fence: Fence) -> None:
        json.loads(fence.text)

    def parse_toml(self, fence: Fence) -> None:
        tomllib.loads(fence.text)

    def only_look(self, fence: Fence) -> None:
        pass


MEANING: Final[Mapping[str, Callable[[Reader, Fence], None]]] = {
    "python": Reader.run_python,
    "console": Reader.run_console,
    "json": Reader.parse_json,
    "toml": Reader.parse_toml,
    "text": Reader.only_look,
}


@contextlib.contextmanager
def as_main(module: ModuleType) -> Iterator[None]:
    """Let annotations be resolved, and `__name__` be tested, as they are in a script."""
    usual = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = usual


def environment(folder: Path) -> dict[str, str]:
    """A user with our commands, a terminal of 100 columns and no settings."""
    unset = {"VIRTUAL_ENV", "XDG_CONFIG_HOME"}
    inherited = {name: text for name, text in os.environ.items() if name not in unset and "TIDEPOOL" not in name}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**inherited, "PATH": path, "COLUMNS": "100", "HOME": str(folder.parent), "PYTHONUTF8": "1"}


@contextlib.contextmanager
def running(fence: Fence, command: str, folder: Path) -> Iterator[None]:
    """A command that runs meanwhile."""
    words = shlex.split(command)
    assert words[0] in RUNNABLE, f"{fence.place}: `{words[0]}` is not run here: say why with `norun: reason`"
    process = subprocess.Popen(
        words, cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline(), f"{fence.place}: `{command}` ended without a word"
            yield
        finally:
            process.terminate()
            process.communicate(timeout=30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def expect_output(fence: Fence, shown: str, printed: str) -> None:
    want, got = (re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip("\n") + "\n" for text in (shown, printed))
    checker = doctest.OutputChecker()
    if not checker.check_output(want, got, doctest.ELLIPSIS):
        example, flags = doctest.Example(fence.text, want), doctest.ELLIPSIS | doctest.REPORT_NDIFF
        pytest.fail(f"{fence.place}:\n{checker.output_difference(example, got, flags)}")


def commands(fence: Fence) -> list[tuple[str, str]]:
    """What follows each `$ `, with the lines a backslash joins to it, and the lines shown below it."""
    assert fence.text.startswith("$ "), f"{fence.place}: a `console` block begins with a `$ ` prompt"
    return [split_command(entry) for entry in re.split(r"^\$ ", fence.text, flags=re.MULTILINE)[1:]]


def split_command(entry: str) -> tuple[str, str]:
    lines = entry.splitlines(keepends=True)
    last = next(i for i, line in enumerate(lines) if not line.endswith("\\\n"))
    return "".join(lines[: last + 1]).strip(), "".join(lines[last + 1 :])


def fences(page: Path, text: str) -> Iterable[Fence]:
    for token in MarkdownIt("commonmark").parse(text):
        if token.type in {"fence", "code_block"}:
            assert token.map is not None
            info, marked, reason = token.info.partition("norun")
            language, *words = info.split() or [""]
            norun = reason.removeprefix(":").strip() if marked else None
            yield Fence(page, token.map[0] + 2, language, frozenset(words), norun, token.content)


def follow(page: Path, text: str, folder: Path) -> None:
    """Do what a page says, from its top."""
    home = folder / "llmkind"
    shutil.copytree(ROOT / "tests" / "fixtures" / "llmkind", home)
    with contextlib.ExitStack() as ending:
        reader = Reader(home, ModuleType("__main__"), ending)
        for fence in fences(page, text.replace(PORT, str(free_port()))):
            reader.follow(fence)


def targets(text: str) -> Iterable[str]:
    for token in MarkdownIt("commonmark").parse(text):
        for child in token.children or []:
            address = child.attrGet("href") or child.attrGet("src")
            if address is not None:
                yield str(address)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_happens(page: Path, tmp_path: Path) -> None:
    follow(page, page.read_text(encoding="utf-8"), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_links_to_files_that_exist(page: Path) -> None:
    links = [urlsplit(address) for address in targets(page.read_text(encoding="utf-8"))]
    missing = [link.path for link in links if not link.netloc and not (page.parent / link.path).exists()]
    assert missing == []


RIGHT = """
```python
from pathlib import Path

import attrs

@attrs.define
class Later:
    first: "Now | None" = None

@attrs.define
class Now:
    pass

attrs.resolve_types(Later)
print(__name__, Path("pyproject.toml").read_text()[:9])
```

```text output
__main__ [project]
```

```toml file=made.toml
a = 1
```

```toml file=~/there/made.toml
b = 2
```

```console background
$ python -uc 'import time; open("begun", "w").close(); print(1); time.sleep(1000)'
```

```console
$ cat begun
$ cat made.toml
a = 1
$ cat ~/there/made.toml
b = 2
$ echo one \\
    two
one two
```

```console exit=3
$ python -c 'raise SystemExit(3)'
```

```console norun: it takes the page's reader nowhere
$ rm -rf .
```
"""


def test_a_page_that_is_right_is_followed_to_its_end(tmp_path: Path) -> None:
    follow(Path("page.md"), RIGHT, tmp_path)
    assert (tmp_path / "llmkind" / "made.toml").read_text() == "a = 1\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```python\nraise ValueError('not so')\n```", "not so"),
        ("```python\nprint(1)\n```\n```text output\n2\n```", "page.md:5:(.|\n)*- 2(.|\n)*\\+ 1"),
        ("```console\n$ echo one\ntwo\n```", "page.md:2:(.|\n)*- two(.|\n)*\\+ one"),
        ("```console\n$ python -c 'raise SystemExit(3)'\n```", "ended with 3"),
        ("```console\n$ make test\n```", "`make` is not run here"),
        ("```console background\n$ python -c 1\n```", "ended without a word"),
        ("```console background\n$ make\n```", "`make` is not run here"),
        ("```console\nmake test\n```", "begins with a `\\$ ` prompt"),
        ("```python norun\n1\n```", "say why it is not run"),
        ("```ruby\n1\n```", "`ruby` is none of python, console"),
        ("    indented\n", "`` is none of python"),
        ("```json\n{,}\n```", "property name"),
        ("```toml\n=\n```", "Invalid statement"),
    ],
)
def test_a_page_that_is_wrong_is_noticed(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)) as caught:
        follow(Path("page.md"), text, tmp_path)
    assert re.search(complaint, str(caught.value))
