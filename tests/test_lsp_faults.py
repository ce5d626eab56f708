"""A language server that fails in every way it can: the right answer or a clear error, and nothing left running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from interpreters.lsp.interpreter import language_server
from interpreters.lsp.servers import TY, Server
from interpreters.lsp.session import Session, open_session
from tests.lsp_world import World, a_world, odd
from tidepool.eff import Eff, attempt, each, run_async
from tidepool.effects.lsp import (
    Callers,
    Definition,
    DocumentSymbols,
    FindSymbol,
    Hover,
    Implementations,
    Lsp,
    Place,
    References,
    Subtypes,
    find_symbol,
    hover,
    references,
)
from tidepool.errors import BadAnswer, ConfigError, InterpreterError, Unavailable, Unsupported

TOP = Place("code.py", 1, 0)
SOON = {"request_timeout_s": 0.4, "start_timeout_s": 30.0}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for made in a_world(tmp_path):
        made.write({"code.py": "landmark = 1\n" + "\n" * 99})
        yield made


def stop(pid: int) -> None:
    """Stop a process; each of its threads stops when it is next scheduled."""
    os.kill(pid, signal.SIGSTOP)
    while any(state != "T" for state in thread_states(pid)):
        time.sleep(0.001)


def thread_states(pid: int) -> list[str]:
    stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return [stat.rpartition(")")[2].split()[0] for stat in stats]


def stopped_then_killed(session: Session, work: Awaitable[Any]) -> Awaitable[Any]:
    """Do work whose requests reach a server that is stopped, so that all are under way when it is killed."""

    async def main() -> Any:
        assert session.pid is not None
        stop(session.pid)
        working = asyncio.ensure_future(work)
        await asyncio.sleep(0.05)
        assert not working.done()
        os.kill(session.pid, signal.SIGKILL)
        return await working

    return main()


# It crashes.


def test_a_server_killed_in_mid_request_is_started_again_and_answers(world: World) -> None:
    world.write({"code.py": "def helper() -> int: ...\nhelper()\n"})

    async def use(session: Session) -> Any:
        first = session.pid
        asked = run_async(references(Place("code.py", 1, 4)), language_server(session))
        answer = await stopped_then_killed(session, asked)
        return answer, first != session.pid

    assert world.talk(use) == ((Place("code.py", 1, 4), Place("code.py", 2, 0)), True)


def test_a_server_killed_between_requests_is_started_again_and_answers(world: World) -> None:
    world.write({"code.py": "def helper() -> int: ...\nhelper()\n"})

    async def use(session: Session) -> Any:
        assert session.pid is not None
        os.kill(session.pid, signal.SIGKILL)
        return await run_async(references(Place("code.py", 1, 4)), language_server(session))

    assert len(world.talk(use)) == 2


def test_a_server_killed_twice_is_given_up(world: World) -> None:
    async def use(session: Session) -> None:
        handler = language_server(session)
        for _ in range(2):
            await stopped_then_killed(session, run_async(hover(TOP), handler))

    with pytest.raises(Unavailable, match="crashed twice, the second time it was killed by SIGKILL"):
        world.talk(use)


def test_a_session_given_up_answers_no_more(world: World) -> None:
    async def use(session: Session) -> list[str]:
        handler = language_server(session)
        whys = []
        for _ in range(3):
            failed = await run_async(attempt(hover(TOP), Unavailable), handler)
            whys.append(failed.failure().why)
        return whys

    assert len(set(world.talk(use, odd("crashes", "textDocument/hover")))) == 1


def test_a_whole_round_survives_a_crash(world: World, tmp_path: Path) -> None:
    def program() -> Eff[Lsp, list[str | None]]:
        return (yield from each([hover(Place("code.py", line, 0)) for line in range(1, 51)]))

    answers = world.ask(program(), odd("crashes", "textDocument/hover", str(tmp_path / "crashed")))
    assert len(answers) == 50
    assert (tmp_path / "crashed").exists()
    assert None not in answers


def test_a_crash_is_told_with_its_last_words_and_no_control_characters(world: World) -> None:
    with pytest.raises(Unavailable) as caught:
        world.ask(hover(TOP), odd("crashes", "textDocument/hover"))
    assert "it exited with status 101; it last wrote: thread 'main' panicked at line 7; update it" in caught.value.why
    assert str(caught.value).isprintable()


def test_a_server_that_closes_its_output_counts_as_crashed(world: World) -> None:
    with pytest.raises(Unavailable, match="crashed twice, the second time it stopped talking"):
        world.ask(hover(TOP), odd("closes", "textDocument/hover"))


def test_what_was_opened_is_opened_again_after_a_crash(world: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    world.environ["ODD_LOG"] = str(log)
    server = odd("crashes", "textDocument/hover", str(tmp_path / "crashed"), opens_files=True)

    def program() -> Eff[Lsp, Any]:
        yield from hover(TOP)
        return (yield from hover(TOP))

    world.ask(program(), server)
    methods = [json.loads(line).get("method") for line in log.read_text().splitlines()]
    about_files = [method for method in methods if str(method).startswith("textDocument/")]
    opened, asked = "textDocument/didOpen", "textDocument/hover"
    assert about_files == [opened, asked, opened, asked, asked]


# It does not start.


def test_a_server_that_ends_at_once_is_an_error_that_quotes_it(world: World) -> None:
    with pytest.raises(
        Unavailable, match="ended before it was ready: it exited with status 3; it last wrote: no licence"
    ):
        world.ask(hover(TOP), odd("exits", "3", "no licence"))


def test_a_server_that_never_greets_is_an_error_that_says_how_long_it_was_waited_for(world: World) -> None:
    with pytest.raises(Unavailable, match=r"odd: did not answer initialize within 0\.5 s; run .*odd\.py mute by hand"):
        world.ask(hover(TOP), odd("mute"), start_timeout_s=0.5)


def test_a_command_that_does_not_exist_is_an_error_that_says_how_to_install_it(world: World) -> None:
    server = Server("gone", ("no-such-server", "--stdio"), install="pip install no-such-server")
    with pytest.raises(Unavailable, match=r"no program no-such-server: install it \(pip install no-such-server\)"):
        world.ask(hover(TOP), server)


def test_a_command_that_is_not_a_program_is_an_error(world: World, tmp_path: Path) -> None:
    script = tmp_path / "server"
    script.write_bytes(b"\x00\x01\x02")
    script.chmod(0o755)
    with pytest.raises(Unavailable, match=r"ended before it was ready: it exited with status 127.*Exec format error"):
        world.ask(hover(TOP), Server("binary", (str(script),)))


@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        ("7", "answered initialize without its capabilities"),
        ("null", "answered initialize without its capabilities"),
        ('{"capabilities": []}', "answered initialize without its capabilities"),
        ('{"capabilities": {"positionEncoding": "ebcdic"}}', "counts columns in 'ebcdic', which is none of utf-8"),
        (
            '{"refused": {"code": -32603, "message": "no\\u001b[2J root"}}',
            "refused initialize with error -32603: no root",
        ),
    ],
)
def test_a_greeting_that_is_none_is_an_error(world: World, greeting: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        world.ask(hover(TOP), odd("answers", "initialize", greeting))


# It does not answer.


def test_a_request_that_is_not_answered_fails_alone_and_is_called_off(world: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    world.environ["ODD_LOG"] = str(log)

    def program() -> Eff[Lsp, Any]:
        asked: list[Any] = [attempt(hover(TOP), Unavailable), attempt(find_symbol("landmark"), Unavailable)]
        failed, found = yield from each(asked)
        return failed.failure().why, found.unwrap()

    why, found = world.ask(program(), odd("deaf", "textDocument/hover"), **SOON)
    assert why.startswith("did not answer textDocument/hover within 0.4 s")
    assert [it.name for it in found] == ["landmark"]
    sent = [json.loads(line) for line in log.read_text().splitlines()]
    (asked,) = (message["id"] for message in sent if message.get("method") == "textDocument/hover")
    assert {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": asked}} in sent


def test_a_server_that_is_silent_twice_is_given_up(world: World) -> None:
    def program() -> Eff[Lsp, list[str]]:
        whys = []
        for _ in range(3):
            failed = yield from each([attempt(hover(TOP), Unavailable) for _ in range(10)])
            whys.append(failed[0].failure().why)
        return whys

    first, second, third = world.ask(program(), odd("deaf", "textDocument/hover"), **SOON)
    assert first == second
    assert first.startswith("did not answer textDocument/hover within")
    assert third.startswith("hangs: it said nothing within 0.4 s, twice")


def test_a_cancelled_request_is_called_off_and_the_others_go_on(world: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    world.environ["ODD_LOG"] = str(log)

    async def use(session: Session) -> Any:
        asked = asyncio.ensure_future(run_async(hover(TOP), language_server(session)))
        await asyncio.sleep(0.05)
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()
        return await run_async(find_symbol("landmark"), language_server(session))

    assert len(world.talk(use, odd("deaf", "textDocument/hover"))) == 1
    assert '"$/cancelRequest"' in log.read_text()


# It answers nonsense.

ANSWER = '{"jsonrpc": "2.0", "id": {id}, "result": null}'


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Content-Length: 5\\r\\n\\r\\nhello", "answered nonsense: Expecting value"),
        ("Content-Length: 4\\r\\n\\r\\n\\xc3\\x28{}", "answered nonsense: 'utf-8' codec"),
        (f"Content-Length: 10\\r\\n\\r\\n{ANSWER}", "answered nonsense"),
        ("Content-Length: 6\\r\\n\\r\\n[1, 2]", r"answered nonsense: `\[1, 2\]` is no message"),
        ("Content-Length: 2\\r\\n\\r\\n{}", r"answered nonsense: `{}` is no message"),
        ('Content-Length: 18\\r\\n\\r\\n{"jsonrpc": "2.0"}', "answered nonsense"),
        ('Content-Length: 28\\r\\n\\r\\n{"jsonrpc": "2.0", "id": [1]}', "answered nonsense"),
        (
            'Content-Length: 45\\r\\n\\r\\n{"jsonrpc": "2.0", "id": [1], "result": null}',
            "answered nonsense",
        ),
        ("Usage: odd [OPTIONS]\\n", r"does not speak .*it wrote `Usage: odd \[OPTIONS\]`; check its command"),
        ("Traceback (most recent call last):\\n", "does not speak the language server protocol"),
        ("Content-Length: 0\\r\\n\\r\\n", "does not speak .*announced a message of `0` bytes"),
        ("Content-Length: -5\\r\\n\\r\\n", "does not speak .*announced a message of `-5` bytes"),
        (
            "Content-Length: 1099511627776\\r\\n\\r\\n",
            "does not speak .*`1099511627776` bytes; from 1 to 268435456 can",
        ),
        (
            "Content-Length: 268435457\\r\\n\\r\\n",
            "does not speak .*`268435457` bytes; from 1 to 268435456 can",
        ),
        ("Content-Type: x\\r\\n\\r\\n", "does not speak .*a message without its Content-Length"),
        ("X-Header: 1\\r\\n\\r\\n", "does not speak .*it wrote `X-Header: 1`"),
        ("x" * 9000, "does not speak the language server protocol: it wrote `xxxx"),
        ("\\x1b]0;title\\x07\\x00\\n", "does not speak"),
    ],
)
@pytest.mark.parametrize("method", ["textDocument/hover", "initialize"])
def test_garbage_is_an_error_at_once(world: World, method: str, said: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=why) as caught:
        world.ask(hover(TOP), odd("says", method, said))
    assert str(caught.value).isprintable()


def test_a_message_nested_too_deep_is_an_error(world: World) -> None:
    said = "Content-Length: 100000\\r\\n\\r\\n" + "[" * 100_000
    with pytest.raises(BadAnswer, match="answered nonsense"):
        world.ask(hover(TOP), odd("says", "textDocument/hover", said))


def test_a_message_shorter_than_announced_is_not_waited_for_longer_than_any_other(world: World) -> None:
    said = f"Content-Length: 1000\\r\\n\\r\\n{ANSWER}"
    with pytest.raises(Unavailable, match="did not answer textDocument/hover within"):
        world.ask(hover(TOP), odd("says", "textDocument/hover", said), **SOON)


def test_nonsense_spoils_what_is_under_way_and_nothing_else(world: World) -> None:
    def program() -> Eff[Lsp, Any]:
        failed = yield from attempt(hover(TOP), BadAnswer)
        return failed.failure().why, (yield from find_symbol("landmark"))

    said = "Content-Length: 5\\r\\n\\r\\nhello"
    why, found = world.ask(program(), odd("says", "textDocument/hover", said))
    assert "nonsense" in why
    assert [it.name for it in found] == ["landmark"]


def test_a_line_that_is_no_message_ends_the_conversation_for_good(world: World) -> None:
    def program() -> Eff[Lsp, Any]:
        failures = []
        questions: list[Any] = [hover(TOP), find_symbol("landmark")]
        for asked in questions:
            failed = yield from attempt(asked, BadAnswer)
            failures.append(failed.failure().why)
        return failures

    first, second = world.ask(program(), odd("says", "textDocument/hover", "oops\\n"))
    assert first == second


RANGE = '{"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}'
ITEM = f'{{"name": "x", "kind": 5, "uri": "ROOT/code.py", "range": {RANGE}, "selectionRange": {RANGE}}}'


@pytest.mark.parametrize(
    ("asked", "method", "result", "why"),
    [
        (FindSymbol("x"), "workspace/symbol", "7", "result: 7 is not a list or null"),
        (FindSymbol("x"), "workspace/symbol", "[null]", r"result\[0\]\.location: None is not in an object"),
        (FindSymbol("x"), "workspace/symbol", '[{"name": "x"}]', r"result\[0\]\.location: None is not an object"),
        (Definition(TOP), "textDocument/definition", '"here"', "result: 'here' is not a list or null"),
        (Definition(TOP), "textDocument/definition", "{}", r"result\[0\]\.uri: None is not text"),
        (References(TOP), "textDocument/references", '[{"uri": 3}]', r"result\[0\]\.uri: 3 is not text"),
        (
            References(TOP),
            "textDocument/references",
            '[{"uri": "ROOT/code.py", "range": {"start": {"line": true, "character": 0}}}]',
            r"result\[0\]\.line: True is not a whole number",
        ),
        (
            References(TOP),
            "textDocument/references",
            '[{"uri": "ROOT/code.py", "range": {"start": {"line": -1, "character": 0}}}]',
            r"result\[0\]\.line: -1 is not a whole number from 0 up",
        ),
        (Hover(TOP), "textDocument/hover", "[]", r"contents: \[\] is not in an object"),
        (Hover(TOP), "textDocument/hover", '{"contents": {"value": 1}}', r"contents\[0\]\.value: 1 is not text"),
        (DocumentSymbols("code.py"), "textDocument/documentSymbol", "{}", "result: {} is not a list or null"),
        (
            DocumentSymbols("code.py"),
            "textDocument/documentSymbol",
            '[{"name": 1, "kind": 5}]',
            "name: 1 is not text",
        ),
        (Implementations(TOP), "textDocument/implementation", "true", "result: True is not a list or null"),
        (Subtypes(TOP), "textDocument/prepareTypeHierarchy", "[3]", r"result\[0\]\.uri: 3 is not in an object"),
        (
            Callers(TOP),
            "textDocument/prepareCallHierarchy",
            "[" + ITEM.replace('"kind": 5', '"kind": null') + "]",
            r"result\[0\]\.kind: None is not a whole number",
        ),
    ],
)
def test_a_result_of_the_wrong_type_is_named(world: World, asked: Any, method: str, result: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=f"answered {method} with nonsense: {why}"):
        world.ask(asked, odd("answers", method, result))


@pytest.mark.parametrize(
    ("code", "kind"), [(-32601, Unsupported), (-32801, Unavailable), (-32802, Unavailable), (-32603, BadAnswer)]
)
def test_a_refusal_is_told_by_what_it_means(world: World, code: int, kind: type[InterpreterError]) -> None:
    refusal = json.dumps({"refused": {"code": code, "message": "because"}})
    with pytest.raises(kind, match="textDocument/hover"):
        world.ask(hover(TOP), odd("answers", "textDocument/hover", refusal))


def test_what_a_server_puts_off_is_asked_again(world: World) -> None:
    assert world.ask(hover(TOP), odd("postpones", "textDocument/hover", "3")) is not None


def test_what_a_server_always_puts_off_is_an_error(world: World) -> None:
    with pytest.raises(Unavailable, match="refused textDocument/hover with error -32801: content modified"):
        world.ask(hover(TOP), odd("postpones", "textDocument/hover", "1000"))


def test_what_a_server_does_not_offer_is_not_asked(world: World) -> None:
    greeting = '{"capabilities": {"hoverProvider": true, "referencesProvider": false}}'
    with pytest.raises(Unsupported, match="odd: does not offer textDocument/references: name another"):
        world.ask(references(TOP), odd("answers", "initialize", greeting))


# It talks too much, or asks.


def test_a_flood_on_standard_error_stops_nothing(world: World) -> None:
    found = world.ask(find_symbol("landmark"), odd("floods", "35"))  # three requests: 105 MB
    assert [it.name for it in found] == ["landmark"]


def test_everything_a_server_asks_is_answered(world: World) -> None:
    answered = world.ask(hover(TOP), odd("asks", settings={"odd": {"depth": 3}}))
    assert answered is not None
    assert json.loads(answered) == {
        "1": [3, None, {"odd": {"depth": 3}}],
        "2": None,
        "3": None,
        "4": None,
        "5": None,
        "6": None,
        "7": {"applied": False},
        "8": {"error": -32601},
        "9": {"error": -32603},
    }


def test_the_requests_of_a_round_are_under_way_together(world: World) -> None:
    def program() -> Eff[Lsp, list[str | None]]:
        return (yield from each([hover(Place("code.py", 51, 0))] * 50))

    assert world.ask(program(), odd("counts")) == ["50"] * 50


# It has not read the codebase yet.


def test_a_server_that_is_still_reading_is_waited_for(world: World) -> None:
    world.write({"other.py": "def hidden() -> int: ...\n", "third.py": "class Landed: ...\n"})
    server = odd("reads", "0.8", "hidden,Landed,wanted", first_answers_complete=False)
    assert [it.name for it in world.ask(find_symbol("wanted"), server)] == ["wanted"]


def test_a_server_that_never_finishes_reading_is_an_error_and_not_an_empty_answer(world: World) -> None:
    world.write({"other.py": "def hidden() -> int: ...\n"})
    server = odd("reads", "600", "hidden", first_answers_complete=False)
    with pytest.raises(Unavailable, match=r"had not read the codebase after 1\.5 s; allow it more time"):
        world.ask(find_symbol("wanted"), server, start_timeout_s=1.5)


# The block is left.


def test_an_error_in_the_block_is_the_one_that_is_seen(world: World) -> None:
    async def use(session: Session) -> None:
        await run_async(hover(TOP), language_server(session))
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        world.talk(use, odd("serve"))


@pytest.mark.parametrize("mode", ["mute", "serve", "stays"])
@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.05, 0.2, 0.4])
def test_a_cancellation_at_any_moment_leaves_nothing_behind(world: World, mode: str, after_s: float) -> None:
    async def main() -> None:
        async with open_session(world.root, odd(mode), environ=world.environ) as session:
            await run_async(hover(TOP), language_server(session))
            await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.ensure_future(main())
        await asyncio.sleep(after_s)
        for _ in range(3):  # the impatient press Ctrl-C again
            task.cancel()
            await asyncio.sleep(0.01)
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(cancelled())
    assert world.running() == []


def test_a_server_that_heeds_nothing_is_ended_all_the_same(world: World) -> None:
    assert world.ask(hover(TOP), odd("stays")) is not None


def test_what_a_server_started_ends_with_it(world: World) -> None:
    async def use(session: Session) -> int:
        await run_async(hover(TOP), language_server(session))
        return len(world.running())

    assert world.talk(use, odd("clings")) >= 4  # the server, its guard, its two children


def test_what_a_server_started_ends_when_it_crashes(world: World) -> None:
    with pytest.raises(Unavailable, match="crashed twice"):
        world.ask(hover(TOP), odd("clings", "textDocument/hover"))


def test_two_sessions_live_and_end_apart(world: World) -> None:
    async def use(outer: Session) -> Any:
        async with open_session(world.root, environ=world.environ) as inner:
            assert inner.pid != outer.pid
            await run_async(hover(TOP), language_server(inner))
        await asyncio.sleep(0.1)
        return await run_async(hover(TOP), language_server(outer))

    assert world.talk(use, odd("serve")) is not None


def test_a_session_that_is_over_says_so(world: World) -> None:
    async def use(session: Session) -> Session:
        return session

    session = world.talk(use, odd("serve"))

    async def late() -> None:
        await session.close()
        await run_async(hover(TOP), language_server(session))

    with pytest.raises(Unavailable, match="the session is over"):
        asyncio.run(late())


def open_files(pid: int | None) -> set[str]:
    return {entry.name for entry in Path(f"/proc/{pid}/fd").iterdir()}


def test_a_server_inherits_no_open_file(world: World) -> None:
    async def use(session: Session) -> set[str]:
        await run_async(hover(TOP), language_server(session))
        return open_files(session.pid)

    with (world.root / "held.txt").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        assert world.talk(use, odd("serve")) == {"0", "1", "2"}


# However we die.

HOLDER = """
import asyncio, os, sys
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.servers import TY, Server
from interpreters.lsp.session import open_session
from tidepool.eff import run_async
from tidepool.effects.lsp import Place, hover

async def main(how, root, command):
    server = Server("odd", tuple(command), first_answers_complete=True) if command else TY
    async with open_session(root, server) as session:
        await run_async(hover(Place("code.py", 1, 0)), language_server(session))
        print("up", flush=True)
        if how == "exit":
            os._exit(1)
        if how == "raise":
            raise SystemExit(1)
        if how == "busy":
            while True:
                pass
        await asyncio.Event().wait()

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
"""


@pytest.mark.parametrize("server", ["ty", "clings", "stays"])
@pytest.mark.parametrize(
    ("how", "blow"),
    [
        ("wait", signal.SIGKILL),
        ("wait", signal.SIGTERM),
        ("wait", signal.SIGINT),
        ("wait", signal.SIGHUP),
        ("busy", signal.SIGKILL),
        ("exit", None),
        ("raise", None),
    ],
)
def test_nothing_outlives_us_however_we_die(world: World, server: str, how: str, blow: signal.Signals | None) -> None:
    command = [] if server == "ty" else list(odd(server).command)
    holder = psutil.Popen(
        [sys.executable, "-c", HOLDER, how, str(world.root), *command],
        env={**world.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=-1,
        stderr=-1,
    )
    with holder:
        assert holder.stdout.readline() == b"up\n", holder.stderr.read().decode()
        if blow is not None:
            assert len(world.running()) >= 3  # the holder, the server, its guard
            holder.send_signal(blow)
        holder.wait(30)
    assert world.left_after() == []


def test_nothing_outlives_the_last_thread_of_us(world: World) -> None:
    """A guard watches the process, not the task: one that is killed together with its group dies with everything."""
    script = HOLDER.replace('print("up", flush=True)', "os.killpg(0, 9)")
    holder = psutil.Popen(
        [sys.executable, "-c", script, "wait", str(world.root)],
        env={**world.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
    )
    holder.wait(30)
    assert world.left_after() == []


def test_an_environment_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(ConfigError, match="no-such-python does not exist: name an interpreter or"):
        world.ask(hover(TOP), TY, python=world.root / "no-such-python")


def test_a_server_that_lost_its_guard_is_ended_all_the_same(world: World) -> None:
    async def use(session: Session) -> str | None:
        (guard,) = (process for process in world.running() if "guard.py" in " ".join(process.cmdline()))
        guard.kill()
        return await run_async(hover(TOP), language_server(session))

    assert world.talk(use, odd("stays")) is not None
