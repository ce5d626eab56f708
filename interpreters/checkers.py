"""Type checkers run from the command line over a copy of a codebase, and what they newly find wrong under an edit.

    async with copied(root) as copy:
        labeller = Labeller(copy, (TY, PYREFLY), environment)
        found = await labeller.found(edit)                 for each checker, the lines, as the text is without the edit

Independent of the language server that answers questions: these make the labels that its answers are measured by.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import attrs

from interpreters.lsp.project import Environment, source_files
from tidepool.cases import Spot, unedited
from tidepool.effects.lsp import Edit
from tidepool.errors import BadAnswer, ConfigError, Unavailable

SUFFIXES: Final = (".py", ".pyi")
CHECK_TIMEOUT_S: Final = 120.0
"""For one run over the whole codebase: the checkers need some seconds for 200k lines."""


class Complaint(NamedTuple):
    """Something that a checker finds wrong: where, the column in characters from 0, and its rule."""

    path: str
    line: int
    column: int
    rule: str


_Key: TypeAlias = tuple[str, int, str]


@attrs.frozen
class Checker:
    """How a checker is run.

    Attributes:
        arguments: what follows the command, given the folder and the interpreter of the environment, or None.
        settings: the file that keeps it from looking for another configuration, and what stands in it.
        read: what it printed, as complaints.
    """

    name: str
    arguments: Callable[[Path, Path | None], list[str]]
    settings: tuple[str, str]
    read: Callable[[Any], list[Complaint]]


def _ty_arguments(_folder: Path, python: Path | None) -> list[str]:
    environment = ["--python", str(python)] if python else []
    return ["check", "--output-format", "gitlab", "--exit-zero", "--no-progress", *environment, "."]


def _read_ty(printed: Any) -> list[Complaint]:
    complaints = []
    for one in printed:
        begin = one["location"]["positions"]["begin"]
        if one["severity"] != "info":
            complaints.append(
                Complaint(one["location"]["path"], begin["line"], begin["column"] - 1, str(one["check_name"]))
            )
    return complaints


def _pyrefly_arguments(folder: Path, python: Path | None) -> list[str]:
    environment = ["--python-interpreter-path", str(python)] if python else []
    searched = [folder / "src", folder] if (folder / "src").is_dir() else [folder]
    paths = [word for path in searched for word in ("--search-path", str(path))]
    # A preset has to be named: without a configuration of the codebase's own it would check little.
    options = ["--preset", "default", "--output-format", "json", "--summary", "none", "--min-severity", "warn"]
    return ["check", *options, *paths, *environment, "."]


def _read_pyrefly(printed: Any) -> list[Complaint]:
    return [
        Complaint(one["path"], one["line"], one["column"] - 1, str(one["name"]))
        for one in printed["errors"]
        if one["severity"] in {"error", "warn"}
    ]


TY: Final = Checker("ty", _ty_arguments, ("ty.toml", ""), _read_ty)
PYREFLY: Final = Checker("pyrefly", _pyrefly_arguments, ("pyrefly.toml", ""), _read_pyrefly)
CHECKERS: Final = (TY, PYREFLY)


def command_of(checker: Checker) -> str:
    """Where a checker is: beside the interpreter that runs this, or on the search path.

    Raises:
        ConfigError: it is nowhere.
    """
    beside = str(Path(sys.executable).parent)
    found = shutil.which(checker.name, path=beside) or shutil.which(checker.name)
    if found is None:
        raise ConfigError(f"the checker {checker.name} is not installed: install it with `pip install {checker.name}`")
    return found


@attrs.frozen
class Copy:
    """A copy of a codebase's sources, with nothing else of it.

    Attributes:
        folder: where it is.
        texts: the text of each file by its path, its lines ended by line feeds.
    """

    folder: Path
    texts: dict[str, str] = attrs.field(repr=False)

    @contextmanager
    def edited(self, edit: Edit) -> Generator[None]:
        """Hold the edited text of a file for as long as the block lasts."""
        file, text = self.folder / edit.path, self.texts[edit.path]
        try:
            _write(file, edit.applied(text))
            yield
        finally:
            _write(file, text)


@contextmanager
def copied(root: Path) -> Generator[Copy]:
    """A copy of the sources under a root, for as long as the block lasts; files that are not UTF-8 are left out."""
    with tempfile.TemporaryDirectory(prefix="tidepool-cases-") as name:
        folder = Path(name).resolve()
        texts: dict[str, str] = {}
        for file in sorted(source_files(root, SUFFIXES)):
            path = file.relative_to(root).as_posix()
            try:
                texts[path] = file.read_text(encoding="utf-8-sig")
            except (UnicodeDecodeError, OSError):
                continue
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            _write(folder / path, texts[path])
        for settings, text in (checker.settings for checker in CHECKERS):
            _write(folder / settings, text)
        yield Copy(folder, texts)


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


@attrs.define
class Labeller:
    """Asks checkers what an edit breaks. What they found wrong without it is found once and kept.

    Attributes:
        environment: where the imports of the codebase come from, or None for the standard library alone.
    """

    copy: Copy
    checkers: Sequence[Checker]
    environment: Environment | None
    timeout_s: float = CHECK_TIMEOUT_S
    _before: dict[str, Counter[_Key]] = attrs.field(factory=dict, init=False)

    async def found(self, edit: Edit) -> list[set[Spot]]:
        """For each checker, the lines of the unedited text where it newly finds something wrong.

        What stands in inserted text is left out. A complaint is new where there are more of its rule on its line than
        without the edit: what a checker says of the same thing may read otherwise under the edit.

        Raises:
            Unavailable: a checker crashed, or did not end in time.
            BadAnswer: it printed nonsense.
        """
        for checker in self.checkers:
            if checker.name not in self._before:
                complaints = await self._run(checker)
                self._before[checker.name] = Counter((one.path, one.line, one.rule) for one in complaints)
        with self.copy.edited(edit):
            answers = await asyncio.gather(*map(self._run, self.checkers), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [
            self._new(checker, answer, edit)
            for checker, answer in zip(self.checkers, answers, strict=True)
            if not isinstance(answer, BaseException)
        ]

    def _new(self, checker: Checker, complaints: Sequence[Complaint], edit: Edit) -> set[Spot]:
        text = self.copy.texts[edit.path]
        now: Counter[_Key] = Counter()
        for one in complaints:
            is_edited = one.path == edit.path
            line = unedited(edit, text, one.line, one.column) if is_edited else one.line
            if line is not None:
                now[one.path, line, one.rule] += 1
        return {Spot(path, line) for path, line, _ in now - self._before[checker.name]}

    async def _run(self, checker: Checker) -> list[Complaint]:
        folder = self.copy.folder
        arguments = checker.arguments(folder, self.environment.python if self.environment else None)
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("TY_", "PYREFLY_"))}
        variables.pop("VIRTUAL_ENV", None)  # what is not named is not to be found either
        process = await asyncio.create_subprocess_exec(
            command_of(checker),
            *arguments,
            cwd=folder,
            env=variables,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,  # a checker may be a script that starts another program: both are ended
        )
        try:
            async with asyncio.timeout(self.timeout_s):
                printed, complained = await process.communicate()
        except TimeoutError as error:
            why = f"did not check the codebase within {self.timeout_s:g} s; leave the codebase out"
            raise Unavailable(checker.name, why) from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode not in (0, 1):
            last = complained.decode(errors="replace").strip().rpartition("\n")[2]
            raise Unavailable(checker.name, f"ended with status {process.returncode} ({last[:200]})")
        try:
            return checker.read(json.loads(printed))
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            why = f"printed what is no list of complaints ({error!r}); install a version that is known"
            raise BadAnswer(checker.name, why) from error
