from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.lsp.interpreter import language_server
from interpreters.lsp.session import Session
from interpreters.lsp.spliced import Spliced
from interpreters.lsp.turns import Turns
from tests.lsp_world import World, a_world, odd
from tidepool.eff import run_async
from tidepool.effects.lsp import (
    Diagnostic,
    Edit,
    Hover,
    Place,
    References,
    Source,
    Splice,
    WhatIf,
    digest,
    hover,
    source,
    unseen,
    what_if,
)
from tidepool.errors import BadAnswer, InterpreterError, Unavailable, Unsupported

FIXTURE = Path(__file__).parent / "fixtures" / "llmkind"
KINDS = "llmapp/kinds.py"
PRICE = Diagnostic(
    Place("llmapp/pricing.py", 15, 12),
    "type-assertion-failure",
    "Type `Literal[LLMKind.LLAMA]` is not equivalent to `Never`",
)
WIDTH = {
    "width.py": "def width(text: str) -> int:\n    return len(text)\n",
    "use.py": "from width import width\n\nwidth(1)\n",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from a_world(tmp_path)


@pytest.fixture
def llmkind(world: World) -> World:
    shutil.copytree(FIXTURE, world.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return world


def replaced(path: str, text: str, old: str, new: str) -> Edit:
    at = text.index(old)
    return Edit(path, (Splice(at, at + len(old), new),))


def a_variant(world: World) -> Edit:
    text = (world.root / KINDS).read_text("utf-8")
    return replaced(KINDS, text, '    GEMINI = "gemini"\n', '    GEMINI = "gemini"\n    LLAMA = "llama"\n')


async def try_it(session: Session, edit: Edit, paths: tuple[str, ...] | None = None) -> tuple[Diagnostic, ...]:
    return await run_async(what_if(edit, paths), language_server(session))


async def everything_wrong(session: Session) -> list[Any]:
    """What the server itself says of the whole codebase."""
    result = await session.ask("workspace/diagnostic", {"identifier": "ty", "previousResultIds": []})
    return sorted(result["items"], key=lambda report: report["uri"])


def on_disk(root: Path) -> str:
    """A hash of every file's name and content."""
    total = hashlib.sha256()
    for file in sorted(file for file in root.rglob("*") if file.is_file()):
        total.update(f"{file.relative_to(root)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


# What is answered.


@pytest.mark.parametrize("paths", [None, ("llmapp/pricing.py", "llmapp/service.py", KINDS)])
def test_a_new_variant_breaks_what_must_be_exhaustive_and_nothing_else(
    llmkind: World, paths: tuple[str, ...] | None
) -> None:
    assert llmkind.ask(what_if(a_variant(llmkind), paths)) == (PRICE,)


def test_where_nothing_is_wrong_before_or_after_the_answer_comes_at_once(world: World) -> None:
    text = "def width(text: str) -> int:\n    return len(text)\n"
    world.write({"width.py": text})
    assert world.ask(what_if(Edit("width.py", (Splice(0, len(text), ""),))), request_timeout_s=20) == ()


@pytest.mark.parametrize(
    "settings",
    [
        '[rules]\nall = "ignore"\n',
        '[rules]\ninvalid-argument-type = "ignore"\nmissing-argument = "ignore"\n',
        "[analysis]\nrespect-type-ignore-comments = true\n",
    ],
)
def test_what_a_codebase_does_not_want_checked_breaks_all_the_same(world: World, settings: str) -> None:
    files = {**WIDTH, "use.py": 'from width import width\n\nwidth("a")  # type: ignore\n', "ty.toml": settings}
    world.write(files)
    edit = replaced("width.py", WIDTH["width.py"], "text: str)", "text: str, unit: str)")
    assert [found.place.location for found in world.ask(what_if(edit))] == ["use.py:3"]


def test_settings_that_nobody_can_overrule_are_told(world: World) -> None:
    override = '[[overrides]]\ninclude = ["use.py"]\n[overrides.rules]\ninvalid-argument-type = "ignore"\n'
    world.write({**WIDTH, "ty.toml": override})

    async def use(session: Session) -> None:
        world = language_server(session)
        await run_async(what_if(replaced("width.py", WIDTH["width.py"], "str", "int"), None), world)
        assert any("ty.toml has overrides" in clause for clause in await run_async(unseen(), world))

    world.talk(use)


def test_an_edit_of_a_text_that_has_changed_meanwhile_is_refused(world: World) -> None:
    world.write(WIDTH)
    edit = replaced("width.py", WIDTH["width.py"], "str", "int")
    stale = Edit(edit.path, edit.splices, digest("something else"))
    with pytest.raises(BadAnswer, match="has changed since the edit was made"):
        world.ask(what_if(stale))
    assert world.ask(what_if(Edit(edit.path, edit.splices, digest(WIDTH["width.py"]))))


def test_the_codebase_is_afterwards_as_it_was(llmkind: World) -> None:
    before = on_disk(llmkind.root)

    async def use(session: Session) -> None:
        written, wrong = await run_async(source(KINDS), language_server(session)), await everything_wrong(session)
        assert await try_it(session, a_variant(llmkind)) == (PRICE,)
        assert await run_async(source(KINDS), language_server(session)) == written
        assert await everything_wrong(session) == wrong

    llmkind.talk(use)
    assert on_disk(llmkind.root) == before


def test_only_the_files_that_were_named_are_looked_at(llmkind: World) -> None:
    assert llmkind.ask(what_if(a_variant(llmkind), ("llmapp/service.py",))) == ()
    assert llmkind.ask(what_if(a_variant(llmkind), ())) == ()


def test_files_that_no_checker_reads_are_passed_over(llmkind: World) -> None:
    llmkind.write({"notes.md": "LLMKind\n"})
    assert llmkind.ask(what_if(a_variant(llmkind), ("notes.md", "llmapp/pricing.py"))) == (PRICE,)


def test_what_was_wrong_before_is_not_new(world: World) -> None:
    world.write(WIDTH)
    edit = replaced("width.py", WIDTH["width.py"], "text: str)", "text: str, most: int)")
    found = world.ask(what_if(edit))
    assert [(it.place, it.code) for it in found] == [(Place("use.py", 3, 0), "missing-argument")]


def test_what_was_wrong_before_is_not_new_for_being_worded_otherwise(world: World) -> None:
    world.write(WIDTH)
    edit = replaced("width.py", WIDTH["width.py"], "text: str)", "text: str | bytes)")
    assert world.ask(what_if(edit)) == ()


def test_one_more_error_of_a_kind_on_a_line_is_new_and_it_is_the_one_that_nobody_said_before(world: World) -> None:
    text = "class C:\n    one = 1\n\n    def two(self) -> None: ...\n"
    world.write({"a.py": text, "b.py": "from a import C\n\nprint(C().one, C().other)\n"})
    (found,) = world.ask(what_if(replaced("a.py", text, "one = 1", "uno = 1")))
    assert found.place == Place("b.py", 3, 6)
    assert "`one`" in found.message


def test_a_hint_is_no_error(world: World) -> None:
    world.write({"a.py": "def f(x: int) -> int:\n    return x\n"})
    edit = replaced("a.py", "def f(x: int) -> int:\n    return x\n", "    return x\n", "    return x\n    x += 1\n")

    assert world.ask(what_if(edit)) == ()


# Where it is.


def test_lines_below_an_edit_that_adds_lines_are_told_as_they_are(world: World) -> None:
    text = "def f(x: int) -> int:\n    return x\n\n\nf(1)\n"
    world.write({"a.py": text})
    edit = replaced("a.py", text, "x: int)", "\n    x: int,\n    y: int,\n)")
    (found,) = world.ask(what_if(edit))
    assert (found.place, found.code) == (Place("a.py", 5, 0), "missing-argument")


def test_lines_below_an_edit_that_takes_lines_away_are_told_as_they_are(world: World) -> None:
    text = "x = 1\n\n\ndef f() -> int:\n    return 2\n\n\nprint(x, f())\n"
    world.write({"a.py": text})
    (found,) = world.ask(what_if(replaced("a.py", text, "def f() -> int:\n    return 2\n\n\n", "")))
    assert (found.place, found.code) == (Place("a.py", 8, 9), "unresolved-reference")


def test_columns_behind_an_edit_are_told_as_they_are(world: World) -> None:
    text = "a = 1; b: str = 'é'; c: int = a\n"
    world.write({"a.py": text})
    (found,) = world.ask(what_if(replaced("a.py", text, "a = 1", "a = 'a long text'")))
    assert found.place == Place("a.py", 1, text.index("a\n"))


def test_what_the_edit_itself_gets_wrong_is_where_it_begins(world: World) -> None:
    text = "import sys\n\na = 1\n"
    world.write({"a.py": text})
    (found,) = world.ask(what_if(replaced("a.py", text, "1\n", "1\n\n\nprint(nowhere)\n")))
    assert (found.place, found.code) == (Place("a.py", 3, 4), "unresolved-reference")


def test_the_first_line_and_the_end_of_a_file_can_be_edited(world: World) -> None:
    text = "x: int = 1"
    world.write({"a.py": text})
    (first,) = world.ask(what_if(Edit("a.py", (Splice(0, 0, "y: int = ''\n"),))))
    (last,) = world.ask(what_if(Edit("a.py", (Splice(len(text), len(text), "\ny: int = ''"),))))
    assert (first.place, last.place) == (Place("a.py", 1, 0), Place("a.py", 1, len(text)))


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encodings", [("utf-32",), ("utf-16",), ("utf-8",)])
def test_marks_line_ends_tabs_and_wide_characters_move_nothing(
    world: World, ends: str, encodings: tuple[str, ...]
) -> None:
    import attrs

    from interpreters.lsp.servers import TY

    text = "\ufeffa = 1; s = '😀'; b: int = a\nif a:\n\tt = '😀é'; c: int = a\n"
    world.write({"a.py": text.replace("\n", ends)})

    async def use(session: Session) -> None:
        answered = await run_async(source("a.py"), language_server(session))
        assert answered == text
        edit = replaced("a.py", text, "a = 1", "😀 = 1; a = 'é'".replace("😀", "é"))
        found = await try_it(session, edit)
        ends_of = [line.rindex("a") for line in text.split("\n")[:3]]
        assert [it.place for it in found if it.code == "invalid-assignment"] == [
            Place("a.py", 1, ends_of[0]),
            Place("a.py", 3, ends_of[2]),
        ]

    world.talk(use, attrs.evolve(TY, position_encodings=encodings))


@pytest.mark.parametrize("name", ["with space.py", "ü+@%41#.py", "ordinary.py"])
def test_a_file_may_have_any_name(world: World, name: str) -> None:
    world.write({f"in a folder/{name}": "import os\nx: int = ''\n"})
    edit = Edit(f"in a folder/{name}", (Splice(0, 0, "\n\ny: int = ''\n\n"),))
    for paths in (None, (edit.path,)):
        (found,) = world.ask(what_if(edit, paths))
        assert found.place == Place(edit.path, 1, 0)


def test_what_is_answered_is_what_a_checker_says_of_an_edited_copy(llmkind: World, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ty")
    line = re.compile(r"^(llmapp/[^:]+):(\d+):\d+: (?:error|warning)\[([\w-]+)\]", re.MULTILINE)

    def checked(root: Path) -> set[tuple[str, int, str]]:
        command = [str(program), "check", "--output-format", "concise", "--color", "never", "--exit-zero"]
        said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, env=llmkind.environ)
        return {(path, int(number), code) for path, number, code in line.findall(said.stdout)}

    edits = [
        replaced(path, (llmkind.root / path).read_text("utf-8"), old, new)
        for path, old, new in (
            (KINDS, "    GPT = ", "    GPT2 = "),
            (KINDS, "class LLMKind(Enum)", "class LLMKind(int)"),
            ("llmapp/pricing.py", "(kind: LLMKind) -> float", "(kind: str) -> float"),
            ("llmapp/pricing.py", "return 2.5", "return ''"),
            ("llmapp/clients.py", "def gpt_client(prompt: str)", "def gpt_client(prompt: str, seed: int)"),
        )
    ]

    async def use(session: Session) -> list[tuple[Diagnostic, ...]]:
        return [await try_it(session, edit) for edit in edits]

    before = checked(llmkind.root)
    for number, (edit, found) in enumerate(zip(edits, llmkind.talk(use), strict=True)):
        copy = tmp_path / str(number)
        shutil.copytree(llmkind.root, copy)
        file = copy / edit.path
        file.write_text(edit.applied(file.read_text("utf-8")), "utf-8")
        assert {(it.place.path, it.place.line, it.code) for it in found} == checked(copy) - before
    assert number == 4


# What is left behind: nothing.


def random_edit(dice: Random, root: Path, files: list[str]) -> Edit:
    path = dice.choice(files)
    text = (root / path).read_text("utf-8")
    at = sorted(dice.sample(range(len(text) + 1), 2 * dice.randint(1, 3)))
    pieces = ("", "x", "\n", "def f(:\n", "    pass\n", "é😀", text[: dice.randint(0, 40)], "class LLMKind: ...\n", ")")
    pairs = zip(at[::2], at[1::2], strict=True)
    return Edit(
        path, tuple(Splice(a, min(b, a + dice.choice((0, 1, 30, 10_000))), dice.choice(pieces)) for a, b in pairs)
    )


def sources(root: Path) -> list[str]:
    return sorted(file.relative_to(root).as_posix() for file in root.rglob("*.py") if file.stat().st_size > 100)


def test_two_hundred_random_edits_leave_everything_as_it_was(llmkind: World) -> None:
    dice, files, before = Random(7), sources(llmkind.root), on_disk(llmkind.root)

    async def use(session: Session) -> None:
        wrong = await everything_wrong(session)
        found = 0
        for _ in range(200):
            edit = random_edit(dice, llmkind.root, files)
            found += len(await try_it(session, edit, dice.choice((None, tuple(dice.sample(files, 3))))))
        assert found > 200
        assert await everything_wrong(session) == wrong
        assert await try_it(session, a_variant(llmkind)) == (PRICE,)
        assert session.notes == ()

    llmkind.talk(use)
    assert on_disk(llmkind.root) == before


def test_the_same_edit_is_answered_alike_whatever_was_asked_before(llmkind: World) -> None:
    dice, files = Random(8), sources(llmkind.root)
    edits = [random_edit(dice, llmkind.root, files) for _ in range(12)]

    async def use(session: Session, order: list[Edit]) -> dict[Edit, tuple[Diagnostic, ...]]:
        return {edit: await try_it(session, edit) for edit in order}

    one = llmkind.talk(lambda session: use(session, edits))
    other = llmkind.talk(lambda session: use(session, [*reversed(edits)]))
    assert one == other


def test_cancelling_at_any_moment_leaves_everything_as_it_was(llmkind: World) -> None:
    dice, files = Random(9), sources(llmkind.root)

    async def use(session: Session) -> None:
        wrong = await everything_wrong(session)
        cancelled = 0
        for _ in range(60):
            paths = dice.choice((None, tuple(files)))
            trial = asyncio.ensure_future(try_it(session, random_edit(dice, llmkind.root, files), paths))
            await asyncio.sleep(dice.choice((0, 0.0003, 0.001, 0.002, 0.004)))
            trial.cancel()
            await asyncio.wait([trial])
            cancelled += trial.cancelled()
        assert cancelled > 20
        assert await everything_wrong(session) == wrong
        assert await try_it(session, a_variant(llmkind)) == (PRICE,)
        assert session.notes == ()

    llmkind.talk(use)


def test_a_session_that_is_closed_in_the_middle_leaves_no_process(llmkind: World) -> None:
    async def use(session: Session) -> None:
        trial = asyncio.ensure_future(try_it(session, a_variant(llmkind)))
        await asyncio.sleep(0.001)
        await session.close()
        with pytest.raises(Unavailable, match="the session is over"):
            await trial

    llmkind.talk(use)


# Side by side.


def test_edits_at_the_same_time_do_not_see_each_other(llmkind: World) -> None:
    gone = replaced(KINDS, (llmkind.root / KINDS).read_text("utf-8"), "KindName", "OtherName")

    async def use(session: Session) -> None:
        alone = await try_it(session, gone)
        assert alone
        found = await asyncio.gather(*(try_it(session, edit) for edit in (gone, a_variant(llmkind)) * 5))
        assert found == [alone, (PRICE,)] * 5

    llmkind.talk(use)


def test_whatever_is_asked_meanwhile_is_answered_from_the_text_as_it_is(llmkind: World) -> None:
    text = (llmkind.root / KINDS).read_text("utf-8")
    edit = replaced(KINDS, text, text, "\n\n\nKindName = 3\n")
    line = next(n for n, it in enumerate(text.splitlines(), 1) if it.startswith("KindName"))
    place = Place(KINDS, line, 0)

    async def use(session: Session) -> None:
        world = language_server(session)

        async def both() -> tuple[object, object]:
            return await asyncio.gather(run_async(Hover(place), world), run_async(References(place), world))

        alone = await both()
        for _ in range(20):
            trials = [asyncio.ensure_future(try_it(session, edit)) for _ in range(2)]
            await asyncio.sleep(0)
            assert await both() == alone
            await asyncio.gather(*trials)

    llmkind.talk(use)


def test_who_waits_to_be_alone_is_not_overtaken() -> None:
    said: list[str] = []

    async def main() -> None:
        turns = Turns()

        async def ask(name: str) -> None:
            async with turns:
                said.append(f"{name} begins")
                await asyncio.sleep(0)
                said.append(f"{name} ends")

        async def edit() -> None:
            async with turns.alone():
                said.append("edit begins")
                await asyncio.sleep(0)
                said.append("edit ends")

        await asyncio.gather(ask("a"), ask("b"), edit(), ask("c"))

    asyncio.run(main())
    assert said == ["a begins", "b begins", "a ends", "b ends", "edit begins", "edit ends", "c begins", "c ends"]


def test_who_gives_up_waiting_keeps_nobody_out() -> None:
    async def main() -> None:
        turns = Turns()

        async def edit() -> None:
            async with turns.alone():
                raise AssertionError("it was given up before its turn")

        async with turns:
            waiting = asyncio.ensure_future(edit())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            async with turns:
                pass
        async with turns.alone():
            pass

    asyncio.run(main())


# Files that change on disk.


def test_what_changes_on_disk_is_told_to_the_server_and_what_it_said_before_is_forgotten(world: World) -> None:
    world.write(WIDTH)
    edit = replaced("width.py", WIDTH["width.py"], "text: str)", "text: str, most: int)")

    async def use(session: Session) -> list[list[Place]]:
        found = []
        changes: list[dict[str, str | bytes]] = [
            {},
            {"use.py": "from width import width\n\n\nwidth('')\n"},
            {"more.py": "from width import width\nwidth('')\n"},
        ]
        for change in changes:
            world.write(change)
            found.append([it.place for it in await try_it(session, edit)])
        (world.root / "more.py").unlink()
        found.append([it.place for it in await try_it(session, edit)])
        found.append([it.place for it in await try_it(session, edit, ("use.py",))])
        return found

    use_3, use_4, more = Place("use.py", 3, 0), Place("use.py", 4, 0), Place("more.py", 2, 0)
    assert world.talk(use) == [[use_3], [use_4], [more, use_4], [use_4], [use_4]]


def test_the_baseline_is_asked_only_once(world: World, tmp_path: Path) -> None:
    world.write({"code.py": "landmark = 1\n"})
    world.environ["ODD_LOG"] = str(tmp_path / "log")
    wrong = [{"range": _at(0, 0), "message": "bad", "severity": 1}]
    server = odd("checks", json.dumps(wrong * 2), json.dumps(wrong), checks_unsaved=True)

    async def use(session: Session) -> None:
        for _ in range(3):
            assert len(await try_it(session, Edit("code.py", ()))) == 1

    world.talk(use, server)
    messages = [json.loads(line).get("method") for line in (tmp_path / "log").read_text().splitlines()]
    assert messages.count("workspace/diagnostic") == 3
    assert messages.count("textDocument/diagnostic") == 1
    assert messages.count("textDocument/didOpen") == messages.count("textDocument/didClose") == 3


def test_a_codebase_with_something_wrong_in_every_file_is_no_different(world: World) -> None:
    wrong = "from width import width\n\nwidth(1)\nnowhere\n"
    world.write({**{f"wrong{number}.py": wrong for number in range(120)}, "width.py": WIDTH["width.py"]})
    world.write({"right.py": "from width import width\n\nwidth('')\n"})
    worse = replaced("width.py", WIDTH["width.py"], "text: str)", "text: str, most: int)")
    no_worse = replaced("width.py", WIDTH["width.py"], "text: str)", "text: str | bytes)")

    async def use(session: Session) -> None:
        for _ in range(2):
            assert await try_it(session, no_worse) == ()
            found = await try_it(session, worse)
            assert len(found) == 121
            assert {it.code for it in found} == {"missing-argument"}

    world.talk(use)


# Servers that fail.


def test_a_server_that_is_killed_in_mid_edit_is_asked_again(llmkind: World) -> None:
    async def use(session: Session) -> None:
        await try_it(session, a_variant(llmkind))
        trial = asyncio.ensure_future(try_it(session, a_variant(llmkind)))
        await asyncio.sleep(0.001)
        assert session.pid is not None
        os.kill(session.pid, signal.SIGKILL)
        assert await trial == (PRICE,)
        assert (await everything_wrong(session))[0]["items"][0]["severity"] == 4

    llmkind.talk(use)


@pytest.mark.parametrize("method", ["workspace/diagnostic", "textDocument/diagnostic", "textDocument/didClose"])
def test_a_server_that_crashes_once_is_asked_again(world: World, tmp_path: Path, method: str) -> None:
    world.write({"code.py": "landmark = 1\n"})
    server = odd("crashes", method, str(tmp_path / "mark"), checks_unsaved=True)

    async def use(session: Session) -> None:
        assert await try_it(session, Edit("code.py", ())) == ()
        assert await try_it(session, Edit("code.py", ()), ("code.py",)) == ()

    world.talk(use, server)
    assert (tmp_path / "mark").exists()


def test_a_server_that_crashes_twice_is_given_up(world: World) -> None:
    world.write({"code.py": "landmark = 1\n"})
    with pytest.raises(Unavailable, match="crashed twice"):
        world.ask(what_if(Edit("code.py", ())), odd("crashes", "workspace/diagnostic", checks_unsaved=True))


@pytest.mark.parametrize("paths", [None, ("code.py",)])
def test_a_server_that_never_checks_times_out_and_answers_the_next_question(
    world: World, tmp_path: Path, paths: tuple[str, ...] | None
) -> None:
    world.write({"code.py": "landmark = 1\n"})
    world.environ["ODD_LOG"] = str(tmp_path / "log")
    server = odd("deaf", "workspace/diagnostic", "textDocument/diagnostic", checks_unsaved=True)

    async def use(session: Session) -> None:
        with pytest.raises(Unavailable, match=r"did not answer \w+/diagnostic within 0.5 s"):
            await try_it(session, Edit("code.py", ()), paths)
        assert await run_async(hover(Place("code.py", 1, 0)), language_server(session))

    world.talk(use, server, request_timeout_s=0.5)
    messages = [json.loads(line).get("method") for line in (tmp_path / "log").read_text().splitlines()]
    assert messages.index("textDocument/didOpen") < messages.index("textDocument/didClose")
    assert messages.index("textDocument/didClose") < messages.index("textDocument/hover")


def test_a_pull_that_is_put_off_is_asked_again(world: World) -> None:
    world.write({"code.py": "landmark = 1\n"})
    server = odd("postpones", "workspace/diagnostic", "2", checks_unsaved=True)
    assert world.ask(what_if(Edit("code.py", ())), server) == ()


def test_a_pull_that_is_put_off_for_ever_is_not_asked_for_ever(world: World) -> None:
    world.write({"code.py": "landmark = 1\n"})
    refusal = {"refused": {"code": -32802, "message": "later", "data": {"retriggerRequest": True}}}
    server = odd("answers", "workspace/diagnostic", json.dumps(refusal), checks_unsaved=True)
    with pytest.raises(Unavailable, match="refused workspace/diagnostic"):
        world.ask(what_if(Edit("code.py", ())), server)


def test_servers_that_check_only_what_is_saved_say_so(world: World) -> None:
    world.write({"code.py": "landmark = 1\n"})
    with pytest.raises(Unsupported, match="not saved"):
        world.ask(what_if(Edit("code.py", ())), odd("serve"))


# Servers that lie.


def _at(line: Any, column: Any) -> dict[str, Any]:
    return {"start": {"line": line, "character": column}, "end": {"line": line, "character": column}}


def ask_liar(world: World, edited: Any, unedited: Any = (), paths: tuple[str, ...] | None = ("code.py",)) -> Any:
    world.write({"code.py": "landmark = 1\n"})
    server = odd("checks", json.dumps(edited), json.dumps(unedited), checks_unsaved=True)
    return world.ask(what_if(Edit("code.py", (Splice(0, 0, "\n"),)), paths), server)


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (7, "items: 7 is not a list"),
        ("", "items: '' is not a list"),
        (None, "items: None is not a list"),
        ([7], "items[0].range: 7 is not in an object"),
        ([{"message": "m"}], "items[0].range: None is not an object"),
        ([{"range": _at(0, -1), "message": "m"}], "items[0].character: -1 is not a whole number from 0 up"),
        ([{"range": _at(2**31, 0), "message": "m"}], "items[0].line: 2147483648 is not a whole number from 0 up"),
        ([{"range": _at("0", 0), "message": "m"}], "items[0].line: '0' is not a whole number"),
        ([{"range": _at(0, 0)}], "items[0].message: None is not text"),
        ([{"range": _at(0, 0), "message": ["m"]}], "items[0].message: ['m'] is not text"),
        ([{"range": _at(0, 0), "message": "m", "severity": 9}], "items[0].severity: 9 is not one from 1 to 4"),
        ([{"range": _at(0, 0), "message": "m", "severity": True}], "items[0].severity: True is not a whole number"),
        ([{"range": _at(0, 0), "message": "m", "tags": 1}], "items[0].tags: 1 is not a list or null"),
    ],
)
def test_what_is_no_diagnostic_is_named(world: World, items: Any, why: str) -> None:
    with pytest.raises(BadAnswer, match=r"^odd: answered textDocument/diagnostic with nonsense") as raised:
        ask_liar(world, items)
    assert raised.value.why.endswith(why)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (None, "items: None is not in an object"),
        ([], "items: [] is not in an object"),
        ({}, "items: None is not a list"),
        ({"items": {}}, "items: {} is not a list"),
        ({"items": [7]}, "items[0].uri: 7 is not in an object"),
        ({"items": [{"uri": 7, "kind": "full", "items": []}]}, "items[0].uri: 7 is not text"),
        ({"items": [{"uri": "file:///x", "items": []}]}, "items[0].kind: None is not text"),
        ({"items": [{"uri": "file:///x", "kind": "unchanged", "resultId": "1"}]}, "kind: 'unchanged' is not \"full\""),
        ({"items": [{"uri": "file:///x", "kind": "full"}]}, "items[0].items: None is not a list"),
    ],
)
def test_what_is_no_report_is_named(world: World, result: Any, why: str) -> None:
    world.write({"code.py": "landmark = 1\n"})
    server = odd("checks", "[]", "[]", json.dumps(result), checks_unsaved=True)
    with pytest.raises(BadAnswer, match=r"^odd: answered workspace/diagnostic with nonsense") as raised:
        world.ask(what_if(Edit("code.py", ())), server)
    assert raised.value.why.endswith(why)


def test_what_is_wrong_outside_of_the_codebase_is_left_out(world: World) -> None:
    world.write({"code.py": "landmark = 1\n", ".venv/lib/a.py": "", "other.py": ""})
    items = [{"range": _at(0, 0), "message": "bad"}]
    uris = (
        "file:///etc/passwd",
        "ROOT/../x.py",
        "ROOT/.venv/lib/a.py",
        "http://x/y",
        "",
        "file:///%00",
        "ROOT/other.py",
    )
    result = {"items": [{"uri": uri, "kind": "full", "items": items} for uri in uris]}
    server = odd("checks", "[]", "[]", json.dumps(result), checks_unsaved=True)
    assert world.ask(what_if(Edit("code.py", ())), server) == (Diagnostic(Place("other.py", 1, 0), "", "bad"),)


def test_reports_of_related_files_that_nobody_asked_about_are_not_looked_at(world: World) -> None:
    world.write({"code.py": "landmark = 1\n"})
    related = {"ROOT/code.py": {"kind": "full", "items": [{"range": _at(0, 0), "message": "bad"}]}}
    answer = {"kind": "full", "items": [], "relatedDocuments": related}
    server = odd("answers", "textDocument/diagnostic", json.dumps(answer), checks_unsaved=True)
    assert world.ask(what_if(Edit("code.py", ()), ("code.py",)), server) == ()


def test_places_that_do_not_exist_in_the_edited_file_are_its_end(world: World) -> None:
    found = ask_liar(world, [{"range": _at(10**9, 10**9), "message": "m"}, {"range": _at(1, 10**9), "message": "n"}])
    assert [it.place for it in found] == [Place("code.py", 1, 12), Place("code.py", 2, 0)]


def test_messages_are_one_bounded_line(world: World) -> None:
    said = "bad \x1b[31mthing\x07\n on two lines  " + "x" * 100_000 + "\n\ninfo: and why"
    (found,) = ask_liar(world, [{"range": _at(0, 0), "message": said, "code": "c\n" * 1000}])
    assert found.message.startswith("bad thing on two lines xxx")
    assert len(found.message) == 400
    assert len(found.code) == 80
    assert found.message.isprintable()
    assert found.code.isprintable()


@pytest.mark.parametrize("code", [None, 7, "7"], ids=["none", "number", "text"])
def test_a_rule_may_have_a_number_or_no_name(world: World, code: object) -> None:
    (found,) = ask_liar(world, [{"range": _at(0, 0), "message": "m", "code": code}])
    assert found.code == ("" if code is None else "7")


def test_of_more_than_anybody_reads_nothing_is_judged_and_that_is_told(world: World) -> None:
    world.write({"code.py": "landmark = 1\n"})

    async def use(session: Session) -> None:
        world = language_server(session)
        for paths in (None, ("code.py",)):
            assert await run_async(what_if(Edit("code.py", ()), paths), world) == ()
        told = await run_async(unseen(), world)
        assert told == ("not looked at: 100000 more diagnostics under an edit of code.py",)

    world.talk(use, odd("finds", "100000", checks_unsaved=True))


def test_where_too_much_was_wrong_before_nothing_is_judged_either(world: World) -> None:
    world.write({"code.py": "landmark = 1\n"})
    assert world.ask(what_if(Edit("code.py", ())), odd("finds", "1", "20001", checks_unsaved=True)) == ()
    assert len(world.ask(what_if(Edit("code.py", ())), odd("finds", "20000", checks_unsaved=True))) == 20_000


# What is asked.


def test_a_source_is_as_it_is_written_but_for_its_line_ends(world: World) -> None:
    written = {
        "a.py": "a = 1\r\nb = 2\rc = 3\n",
        "b.py": "a = 1\nb = 2",
        "c.py": "",
        "d.py": "\n",
        "e.py": "\ufeff# é😀\n\n",
        "f.py": "a = '\x0c\u2028'\n",
    }
    world.write(written)

    async def use(session: Session) -> dict[str, str]:
        return {path: await run_async(source(path), language_server(session)) for path in written}

    assert world.talk(use) == {**written, "a.py": "a = 1\nb = 2\nc = 3\n"}


@pytest.mark.parametrize(
    ("path", "why"),
    [("none.py", "No such file"), ("../x.py", "leads out of the root"), ("big.py", "larger than 32 MiB")],
)
def test_a_source_that_cannot_be_read_is_named(world: World, path: str, why: str) -> None:
    world.write({"a.py": ""})
    with (world.root / "big.py").open("wb") as file:
        file.truncate(32 * 2**20 + 1)
    for op in (Source(path), WhatIf(Edit(path, ()))):
        with pytest.raises(BadAnswer, match=why):
            world.ask(op, odd("serve", checks_unsaved=True))


@pytest.mark.parametrize(
    ("edit", "error", "why"),
    [
        (Edit("a.py", (Splice(3, 2, ""),)), BadAnswer, "it has changed"),
        (Edit("a.py", (Splice(0, 7, ""),)), BadAnswer, "it has changed"),
        (Edit("a.py", (Splice(-1, 2, ""),)), BadAnswer, "it has changed"),
        (Edit("a.py", (Splice(2, 3, ""), Splice(1, 2, ""))), BadAnswer, "it has changed"),
        (Edit("a.py", (Splice(0, 0, "\ud800"),)), BadAnswer, "half a character"),
        (Edit("broken.py", ()), BadAnswer, "not UTF-8"),
        (Edit("a.md", ()), Unsupported, "does not check a.md"),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused(
    world: World, edit: Edit, error: type[InterpreterError], why: str
) -> None:
    world.write({"a.py": "x = 1\n", "broken.py": b"x = '\xff'\n", "a.md": "x"})
    with pytest.raises(error, match=why):
        world.ask(what_if(edit), odd("crashes", "textDocument/didOpen", checks_unsaved=True))


@st.composite
def texts_and_edits(draw: st.DrawFn) -> tuple[str, Edit]:
    letters = st.text("ab\né\r", max_size=30)
    text = draw(letters).replace("\r", "\n")
    at = sorted(draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=6)))
    pairs = zip(at[::2], at[1::2], strict=False)
    return text, Edit("a.py", tuple(Splice(start, end, draw(letters)) for start, end in pairs))


@given(texts_and_edits())
def test_every_character_that_stays_is_where_it_was(drawn: tuple[str, Edit]) -> None:
    text, edit = drawn
    spliced = Spliced(edit, text)
    for index, char in enumerate(text):
        if char == "\n" or any(start <= index < end for start, end, _ in edit.splices):
            continue
        longer = sum(len(new) - (end - start) for start, end, new in edit.splices if end <= index)
        lines = re.split(r"\r\n|\r|\n", spliced.text[: index + longer])
        was = (text.count("\n", 0, index), index - (text.rfind("\n", 0, index) + 1))
        assert spliced.unedited(len(lines) - 1, len(lines[-1]), "utf-32") == was
