"""The broker: real processes that keep a real language server, killed, lied to, and asked about what has changed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import psutil
import pytest

from interpreters.edge.answering import Outcome, Question, answer_alone
from interpreters.edge.config import read_settings
from interpreters.edge.warm.client import LIVES, Asking, open_warm, standings, stop_all
from interpreters.edge.warm.folder import folder_of, sockets
from interpreters.edge.warm.messages import Ask, Standing, read_ask, read_line, read_outcome, write_ask, write_outcome
from interpreters.report import silent
from tidepool.domain import ScoutResponse, Status
from tidepool.effects.report import Note, Progress
from tidepool.errors import ConfigError

FIXTURE: Final = Path(__file__).parent / "fixtures" / "llmkind"
SCOUT: Final = Path(sys.executable).with_name("semantic-scout")
ADD_VARIANT: Final = "What breaks if I add a variant to LLMKind?"
QUESTIONS: Final = (ADD_VARIANT, "rename price", "add a required parameter to `price`", "delete `is_anthropic`")
PATIENCE_S: Final = 120
GONE_S: Final = 20


@attrs.frozen
class User:
    """Somebody with a home, a folder for sockets, and a codebase."""

    home: Path
    root: Path
    runtime: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(self.runtime)}

    @asynccontextmanager
    async def warm(self, *, idle_s: float = 0.5, memory_bytes: int | None = None) -> AsyncGenerator[Asking]:
        """A broker that is kept; when the block ends it is seen to end, with its language server."""
        try:
            async with open_warm(self.environ, idle_s=idle_s, memory_bytes=memory_bytes) as ask:
                yield ask
                processes = await self.processes()
        except BaseException:
            await stop_all(self.environ)
            raise
        gone, alive = await asyncio.to_thread(psutil.wait_procs, processes, GONE_S)
        assert not alive, f"{gone} ended"
        await standings(self.environ)  # what one that was killed left is removed when somebody looks
        assert sockets(self.environ) == []

    async def processes(self) -> list[psutil.Process]:
        """The brokers, and all that they started."""
        found = []
        for standing in await standings(self.environ):
            with suppress(psutil.NoSuchProcess):
                broker = psutil.Process(standing.pid)
                found += [broker, *broker.children(recursive=True)]
        return found

    async def standing(self) -> Standing:
        (standing,) = await standings(self.environ)
        return standing

    def question(self, text: str, **others: Any) -> Question:
        return Question(text, self.root, {}, **others)

    async def alone(self, text: str) -> ScoutResponse:
        question = self.question(text)
        settings = read_settings(self.root, self.environ, {})
        return bare(await answer_alone(question, settings, silent, self.environ))

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await work()

        asyncio.run(bounded())


@pytest.fixture
def user(tmp_path: Path) -> Generator[User]:
    with tempfile.TemporaryDirectory(prefix="tp-") as runtime:  # a socket's path has to be short
        yield User(tmp_path, Path(shutil.copytree(FIXTURE, tmp_path / "llmkind")), Path(runtime))


def bare(outcome: Outcome) -> ScoutResponse:
    """An answer without its examples, which tell the time of day."""
    return attrs.evolve(outcome.response, training_examples=None)


def ignore(_: Progress | Note) -> None:
    pass


def test_what_a_broker_answers_is_what_is_answered_without_one(user: User) -> None:
    async def work() -> None:
        async with user.warm() as ask:
            for text in (*QUESTIONS, "rename nothing_of_this_name", ADD_VARIANT):
                assert bare(await ask(user.question(text), ignore)) == await user.alone(text)
            assert (await user.standing()).asked == len(QUESTIONS) + 2

    user.run(work)


def _append(root: Path) -> None:
    with (root / "llmapp" / "service.py").open("a") as file:
        file.write("\n\ndef more(kind: LLMKind) -> int:\n    return price(kind)\n")


def _create(root: Path) -> None:
    text = "from llmapp.kinds import LLMKind\n\nTABLE = {LLMKind.CLAUDE: 1, LLMKind.GPT: 2, LLMKind.GEMINI: 3}\n"
    (root / "llmapp" / "tables.py").write_text(text)


def _move_into_place(root: Path) -> None:
    """A file that is older than everything, by its own word."""
    outside = root.parent / "moved.py"
    outside.write_text("from llmapp.kinds import LLMKind\n\n\ndef first() -> LLMKind:\n    return LLMKind.CLAUDE\n")
    os.utime(outside, (0, 0))
    outside.rename(root / "llmapp" / "moved.py")


OVERRIDES: Final = '[[overrides]]\ninclude = ["llmapp"]\n[overrides.rules]\ninvalid-argument-type = "ignore"\n'

EDITS: Final[Mapping[str, Callable[[Path], object]]] = {
    "appended": _append,
    "created": _create,
    "moved into place": _move_into_place,
    "deleted": lambda root: (root / "llmapp" / "pricing.py").unlink(),
    "renamed": lambda root: (root / "llmapp" / "wire.py").rename(root / "llmapp" / "cable.py"),
    "settings": lambda root: (root / "ty.toml").write_text(OVERRIDES),
    "a folder": lambda root: shutil.copytree(root / "llmapp", root / "copied"),
}


def test_an_edit_on_disk_is_seen_by_the_next_answer(user: User) -> None:
    async def work() -> None:
        async with user.warm() as ask:
            before = bare(await ask(user.question(ADD_VARIANT, within_s=60), ignore))
            for name, edit in EDITS.items():
                edit(user.root)
                after = bare(await ask(user.question(ADD_VARIANT, within_s=60), ignore))
                assert after == await user.alone(ADD_VARIANT), name
                assert after != before, name
                before = after

    user.run(work)


def test_two_who_start_at_once_share_one_broker_and_hear_their_own_progress(user: User) -> None:
    async def work() -> None:
        heard: list[list[Progress | Note]] = [[], []]
        async with user.warm() as left, open_warm(user.environ, idle_s=0.5) as right:
            answers = await asyncio.gather(
                left(user.question(ADD_VARIANT), heard[0].append), right(user.question("rename price"), heard[1].append)
            )
            assert (await user.standing()).asked == 2
        assert [bare(answer) for answer in answers] == [await user.alone(ADD_VARIANT), await user.alone("rename price")]
        for own, name in zip(heard, ("LLMKind", "price"), strict=True):
            assert own[0] == Progress(0, 20, f"following {name}")

    user.run(work)


@asynccontextmanager
async def hanging_scorer() -> AsyncGenerator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A scoring server that never answers: its address, whether it was asked, and whether who asked has gone."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        while await reader.read(65536):
            pass
        gone.set()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked, gone


def hangs(user: User, url: str) -> Mapping[str, str]:
    return {**user.environ, "TIDEPOOL_SCORER": "model", "TIDEPOOL_MODEL_URL": url}


def test_a_question_that_is_taken_back_stops_the_brokers_work(user: User) -> None:
    async def work() -> None:
        async with hanging_scorer() as (url, asked, gone), user.warm() as ask:
            await ask(user.question("rename price"), ignore)
            async with open_warm(hangs(user, url)) as other:
                question = asyncio.ensure_future(other(user.question(ADD_VARIANT), ignore))
                await asked.wait()
                assert (await user.standing()).busy == 1
                question.cancel()
                await gone.wait()
            await ask(user.question("rename price"), ignore)
            standing = await user.standing()
            assert (standing.asked, standing.busy) == (3, 0)

    user.run(work)


def killer(pid: int | None) -> Callable[[Progress | Note], None]:
    """What kills a process whenever it hears of progress."""
    assert pid is not None

    def kill(_: Progress | Note) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    return kill


@pytest.mark.parametrize("who", ["broker", "server"])
def test_a_broker_or_a_server_killed_in_the_middle_costs_no_answer(user: User, who: str) -> None:
    async def work() -> None:
        async with user.warm() as ask:
            expected = bare(await ask(user.question(ADD_VARIANT), ignore))
            for _ in range(3):
                await ask(user.question("rename price"), ignore)  # a server that was killed last is started again
                standing = await user.standing()
                kill = killer(standing.pid if who == "broker" else standing.server_pid)
                assert bare(await ask(user.question(ADD_VARIANT), kill)) == expected

    user.run(work)


def test_a_broker_that_dies_every_time_ends_with_a_sentence(user: User) -> None:
    async def work() -> None:
        async with user.warm() as ask:
            await ask(user.question("rename price"), ignore)

            async def kill_all() -> None:
                while True:
                    for standing in await standings(user.environ):
                        if standing.busy:
                            os.kill(standing.pid, signal.SIGKILL)
                    await asyncio.sleep(0.005)

            async with hanging_scorer() as (url, _, _):
                killing = asyncio.ensure_future(kill_all())
                async with open_warm(hangs(user, url), idle_s=0.5) as other:
                    outcome = await other(user.question(ADD_VARIANT), ignore)
                killing.cancel()
            assert (outcome.response.status, outcome.code) == (Status.NOT_READY, 4)
            assert f"broker: ended {LIVES} times while it answered: ask with --no-broker" in outcome.response.summary
            await ask(user.question("rename price"), ignore)

    user.run(work)


def test_what_is_no_question_harms_nobody(user: User) -> None:
    async def work() -> None:
        async with user.warm() as ask:
            await ask(user.question("rename price"), ignore)
            (file,) = sockets(user.environ)
            for garbage in (
                b"",
                b"\n",
                b"{}\n",
                b"[]\n",
                b"\xff\x00\n",
                b"[" * 100_000 + b"\n",
                b'{"ask": {}}\n',
                b"x" * 10**6,
            ):
                _, writer = await asyncio.open_unix_connection(file)
                writer.write(garbage)
                with suppress(ConnectionError):
                    await writer.drain()
                writer.close()
            assert (await ask(user.question("rename price"), ignore)).code == 0
            assert (await user.standing()).asked == 2

    user.run(work)


def test_a_broker_answers_about_its_own_root_alone(user: User) -> None:
    async def work() -> None:
        async with user.warm() as ask:
            await ask(user.question("rename price"), ignore)
            (file,) = sockets(user.environ)
            reader, writer = await asyncio.open_unix_connection(file)
            asks = write_ask(Ask(Question("rename price", Path("/etc"), {}), user.environ))
            writer.write(json.dumps({"ask": asks}).encode() + b"\n")
            assert "alone" in read_line(await reader.readline())["refused"]
            writer.close()

    user.run(work)


def test_a_socket_that_nobody_listens_on_is_replaced(user: User) -> None:
    async def work() -> None:
        async with user.warm() as ask:
            await ask(user.question("rename price"), ignore)
            (file,) = sockets(user.environ)
            broker = psutil.Process((await user.standing()).pid)
            broker.kill()
            await asyncio.to_thread(psutil.wait_procs, [broker], GONE_S)
            assert file.exists()
            assert (await ask(user.question("rename price"), ignore)).code == 0
            assert sockets(user.environ) == [file]

    user.run(work)


def test_a_server_that_has_become_too_large_is_started_afresh(user: User) -> None:
    async def work() -> None:
        async with user.warm(memory_bytes=1) as ask:
            expected = bare(await ask(user.question(ADD_VARIANT), ignore))
            first = (await user.standing()).server_pid
            assert bare(await ask(user.question(ADD_VARIANT), ignore)) == expected
            assert (await user.standing()).server_pid != first or first is None
            (log,) = folder_of(user.environ).glob("*.log")
            assert "was started afresh" in log.read_text()

    user.run(work)


def test_one_that_was_told_to_stop_ends_with_everything_it_started(user: User) -> None:
    async def work() -> None:
        async with user.warm(idle_s=600) as ask:
            await ask(user.question("rename price"), ignore)
            processes = await user.processes()
            assert await stop_all(user.environ) == 1
            _, alive = await asyncio.to_thread(psutil.wait_procs, processes, GONE_S)
            assert not alive

    user.run(work)


def test_the_command_asks_a_broker_where_there_is_one_and_prints_the_same(user: User) -> None:
    def scout(*arguments: str) -> str:
        asks = [str(SCOUT), ADD_VARIANT, "--root", str(user.root), *arguments]
        return subprocess.check_output(asks, env=user.environ, cwd=user.home, text=True)

    async def work() -> None:
        cold = await asyncio.to_thread(scout)
        assert sockets(user.environ) == []
        async with user.warm() as ask:
            await ask(user.question("rename price"), ignore)
            assert await asyncio.to_thread(scout) == cold
            assert (await user.standing()).asked == 2
            assert await asyncio.to_thread(scout, "--no-broker") == cold
            assert (await user.standing()).asked == 2

    user.run(work)


def test_the_brokers_of_a_user_are_listed_and_stopped(user: User) -> None:
    tidepool = SCOUT.with_name("tidepool")

    def brokers(*arguments: str) -> str:
        return subprocess.check_output([str(tidepool), "brokers", *arguments], env=user.environ, text=True)

    async def work() -> None:
        assert "no broker" in await asyncio.to_thread(brokers)
        async with user.warm(idle_s=600) as ask:
            await ask(user.question("rename price"), ignore)
            pid = (await user.standing()).pid
            processes = await user.processes()
            said = await asyncio.to_thread(brokers)
            assert str(user.root) in said
            assert str(pid) in said
            (row,) = json.loads(await asyncio.to_thread(brokers, "--format", "json"))
            assert (row["pid"], row["asked"], row["root"]) == (pid, 1, str(user.root))
            assert "1 broker" in await asyncio.to_thread(brokers, "--stop")
            _, alive = await asyncio.to_thread(psutil.wait_procs, processes, GONE_S)
            assert not alive

    user.run(work)


def test_a_folder_that_others_can_open_or_that_is_a_link_is_refused(user: User) -> None:
    environ, tmp_path = user.environ, user.runtime
    folder = folder_of(environ)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="is not a folder that only you can open"):
        folder_of(environ)
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is not a folder that only you can open"):
        folder_of(environ)


def test_what_is_asked_and_answered_comes_back_from_the_wire_as_it_was(user: User) -> None:
    async def work() -> None:
        settings = read_settings(user.root, user.environ, {})
        question = Question(ADD_VARIANT, user.root, {})
        outcome = await answer_alone(question, settings, silent, user.environ)
        assert read_outcome(write_outcome(outcome)) == outcome
        examples = outcome.response.training_examples or ()
        ask = Ask(
            Question("a\udc80b", user.root, {"tags": ("Function",), "python": Path("/x")}, None, 3.5, examples),
            {"A": "\udcff"},
        )
        assert read_ask(json.loads(json.dumps(write_ask(ask)))) == ask

    user.run(work)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_questions_leave_the_memory_as_it_was_after_a_hundred(user: User) -> None:
    async def work() -> None:
        sizes: dict[int, int] = {}
        async with user.warm() as ask:
            for count in range(1, 1001):
                await ask(user.question(QUESTIONS[count % len(QUESTIONS)]), ignore)
                if count in {100, 1000}:
                    sizes[count] = (await user.standing()).resident_bytes
        assert sizes[1000] <= 1.1 * sizes[100], sizes

    asyncio.run(asyncio.wait_for(work(), 1700))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_at_any_moment_leave_no_question_without_an_answer_and_no_process(user: User) -> None:
    async def work() -> None:
        dice = random.Random(20261123)
        answered: list[str] = []
        async with user.warm() as ask:
            expected = bare(await ask(user.question(ADD_VARIANT), ignore))
            seen = await user.processes()
            for _ in range(50):
                asking = asyncio.ensure_future(ask(user.question(ADD_VARIANT, within_s=60), ignore))
                await asyncio.sleep(dice.random() * 0.6)
                processes = await user.processes()
                seen += processes
                if processes:
                    with suppress(psutil.NoSuchProcess):
                        dice.choice(processes).kill()
                outcome = await asyncio.wait_for(asking, 90)
                answered.append(outcome.response.status.value)
                assert outcome.failure or bare(outcome) == expected
        assert answered.count("not_ready") < 10
        _, alive = await asyncio.to_thread(psutil.wait_procs, seen, GONE_S)
        assert not alive

    asyncio.run(asyncio.wait_for(work(), 1700))
