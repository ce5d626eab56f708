"""Watching, as its user does: a real process, a real language server, files that are edited meanwhile."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from interpreters.edge.watch import differences
from tidepool.domain import Pointer, ScoutResponse, Status, Verdict

FIXTURE: Final = Path(__file__).parent / "fixtures" / "llmkind"
QUESTION: Final = "What breaks if I add a variant to LLMKind?"
PATIENCE_S: Final = 30.0
ANOTHER_MATCH: Final = """

def cost_in_cents(kind: LLMKind) -> int:
    match kind:
        case LLMKind.CLAUDE:
            return 1
        case _:
            return 2
"""


class Watcher:
    """The command, watching a codebase."""

    def __init__(self, root: Path, *words: str, stdout: int = subprocess.PIPE) -> None:
        self.mark = uuid.uuid4().hex
        environ = {**os.environ, "TIDEPOOL_TEST_MARK": self.mark, "XDG_CONFIG_HOME": str(root.parent)}
        command = [sys.executable, "-m", "interpreters.edge.cli", QUESTION, "--watch", "--budget", "100", *words]
        self.process = subprocess.Popen(
            [*command, "--no-verify"], cwd=root, env=environ, stdout=stdout, stderr=subprocess.PIPE
        )

    def answer(self) -> dict[str, Any]:
        """The next answer, in json."""
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def left(self) -> list[psutil.Process]:
        def marked(process: psutil.Process) -> bool:
            try:
                alive = process.status() != psutil.STATUS_ZOMBIE
                return bool(alive and process.environ().get("TIDEPOOL_TEST_MARK") == self.mark)
            except psutil.Error:
                return False

        return [process for process in psutil.process_iter() if marked(process)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "llmkind"
    shutil.copytree(FIXTURE, folder)
    return folder


@pytest.fixture
def watching(root: Path) -> Iterator[Callable[..., Watcher]]:
    begun: list[Watcher] = []

    def watch(*words: str, stdout: int = subprocess.PIPE) -> Watcher:
        begun.append(Watcher(root, *words, stdout=stdout))
        return begun[-1]

    yield watch
    for one in begun:
        one.process.kill()
        one.process.communicate(timeout=PATIENCE_S)
        end = time.monotonic() + PATIENCE_S
        while one.left():
            assert time.monotonic() < end
            time.sleep(0.05)


def names(answer: dict[str, Any]) -> set[str]:
    return {pointer["what"].partition(" (also")[0] for pointer in answer["pointers"]}


def edit(file: Path, change: Callable[[str], str]) -> None:
    file.write_text(change(file.read_text()))


def test_an_edit_is_in_the_next_answer_and_one_server_gives_both(root: Path, watching: Callable[..., Watcher]) -> None:
    watcher = watching("--format", "json")
    assert "cost_in_cents" not in names(watcher.answer())
    servers = {one.pid for one in watcher.left()}
    edit(root / "llmapp" / "pricing.py", lambda text: text + ANOTHER_MATCH)
    assert "cost_in_cents" in names(watcher.answer())
    assert {one.pid for one in watcher.left()} == servers
    assert watcher.end() == 130


def test_a_name_that_vanishes_is_told_and_watched_for(root: Path, watching: Callable[..., Watcher]) -> None:
    watcher = watching("--format", "json")
    assert watcher.answer()["status"] == "complete"
    files = sorted((root / "llmapp").rglob("*.py"))
    for file in files:
        edit(file, lambda text: text.replace("LLMKind", "Provider"))
    assert watcher.answer()["status"] == "not_found"
    for file in files:
        edit(file, lambda text: text.replace("Provider", "LLMKind"))
    assert watcher.answer()["status"] == "complete"
    assert watcher.end(signal.SIGTERM) == 143


def test_a_root_that_is_deleted_ends_it_with_a_sentence(root: Path, watching: Callable[..., Watcher]) -> None:
    watcher = watching("--format", "json")
    watcher.answer()
    shutil.rmtree(root)
    _, said = watcher.process.communicate(timeout=PATIENCE_S)
    assert watcher.process.returncode == 2
    assert said.decode().splitlines()[-1].endswith("is there no more: watch another folder with --root")


def test_on_a_terminal_the_screen_is_redrawn_and_what_is_new_is_marked(
    root: Path, watching: Callable[..., Watcher]
) -> None:
    ours, theirs = pty.openpty()
    watching("--format", "table", stdout=theirs)
    os.close(theirs)
    read_until(ours, lambda said: "To add a variant" in said)
    edit(root / "llmapp" / "pricing.py", lambda text: text + ANOTHER_MATCH)
    said = read_until(ours, lambda said: " + " in said)
    os.close(ours)
    assert "\x1b[2J" in said
    assert " + 5 cost_in_cents" in said


def read_until(terminal: int, holds: Callable[[str], bool]) -> str:
    said, end = "", time.monotonic() + PATIENCE_S
    while not holds(said):
        assert time.monotonic() < end, said
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 65536).decode(errors="replace")
    return said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--record", "tape.jsonl"), "--record does not go with --watch"),
        (("--replay", "tape.jsonl"), "--replay does not go with --watch"),
        (("--format", "html"), "page of one answer"),
        (("--examples", "--format", "table"), "--format json"),
    ],
)
def test_what_is_made_of_one_answer_is_refused(
    words: tuple[str, ...], why: str, watching: Callable[..., Watcher]
) -> None:
    watcher = watching(*words)
    _, said = watcher.process.communicate(timeout=PATIENCE_S)
    assert watcher.process.returncode == 2
    assert why in said.decode()


def pointer(what: str, location: str, risk: int = 3) -> Pointer:
    return Pointer(location, what, 3, risk, 3, "why", (), "what to do", Verdict.POSSIBLE)


def response(*pointers: Pointer) -> ScoutResponse:
    return ScoutResponse("what there is", Status.COMPLETE, pointers)


def test_a_place_that_only_moved_is_not_marked() -> None:
    assert differences(response(pointer("f", "a.py:1")), response(pointer("f (also line 9)", "a.py:7"))) == []


def test_new_gone_and_otherwise_are_told_apart() -> None:
    before = response(pointer("f", "a.py:1"), pointer("g", "a.py:5"), pointer("h", "b.py:1"))
    now = response(pointer("f", "a.py:1", risk=5), pointer("g", "c.py:5"), pointer("h", "b.py:1"))
    marks = [(mark, one.what, one.location) for mark, one in differences(before, now)]
    assert marks == [("~", "f", "a.py:1"), ("+", "g", "c.py:5"), ("-", "g", "a.py:5")]


def test_a_second_place_of_the_same_name_is_new() -> None:
    before, now = response(pointer("f", "a.py:1")), response(pointer("f", "a.py:1"), pointer("f", "a.py:9"))
    assert [(mark, one.location) for mark, one in differences(before, now)] == [("+", "a.py:9")]
