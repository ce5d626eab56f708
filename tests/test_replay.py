"""Recordings in files, whatever happens to the process or the disk; and handlers that answer from them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from interpreters.clock import stopped_clock
from interpreters.gemma.heuristic import heuristic
from interpreters.lsp.in_memory import in_memory
from interpreters.replay import (
    NotRecorded,
    RecordingLost,
    lsp_from,
    read_recording,
    read_tape,
    record_to,
    replaying,
    scorer_from,
)
from interpreters.report import silent
from tests.programs import ASYNC, SYNC, Events, Fetch, Get, Plan, Rate, Row, awaited, done, outcome, plans, program
from tests.recordings.record import ANSWER, MOST_BYTES, TAPE
from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutQuery, ScoutResponse, Status
from tidepool.eff import AsyncHandler, Eff, Handler, attempt, each, run, run_async
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import FindSymbol, Hover, Lsp, Place, References, Unseen
from tidepool.effects.report import Note
from tidepool.errors import BadAnswer, ConfigError, Diverged, ProgramError, TidepoolError, Unavailable
from tidepool.explore import ScorerFailed, explore
from tidepool.recording import vocabulary
from tidepool.tape import Entry, recorded
from tidepool.wire import loads

FIXTURE: Final = Path(__file__).parent / "fixtures" / "llmkind"
LLMKIND: Final = {path.relative_to(FIXTURE).as_posix(): path.read_text() for path in sorted(FIXTURE.rglob("*.py"))}
QUERY: Final = ScoutQuery("What breaks if I add a variant to LLMKind?", budget_nodes=30, keep_examples=True)
NOON: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)
WORLD: Final[Handler[Any]] = in_memory(LLMKIND) | stopped_clock(NOON) | silent()
OWN: Final = vocabulary(*get_args(Row))
SAY: Final = Entry(Note("said"), Success(None))


def note_of(size: int) -> Entry:
    return Entry(Note(size * "x"), Success(None))


def explored(handlers: Any) -> ScoutResponse:
    return run(explore(QUERY), handlers)


def kept(path: Path, *entries: Entry) -> Path:
    with record_to(path) as sink:
        for entry in entries:
            sink(entry)
    return path


def ended_by(error: BaseException, path: Path) -> None:
    with record_to(path) as sink:
        sink(SAY)
        raise error


def tape_of(handlers: Handler[Any]) -> list[Entry]:
    tape: list[Entry] = []
    with suppress(ScorerFailed):
        run(recorded(explore(QUERY), tape.append), handlers)
    return tape


# Through a file


def test_an_exploration_is_replayed_from_its_file(tmp_path: Path) -> None:
    with record_to(tmp_path / "tape", QUERY) as sink:
        live = run(recorded(explore(QUERY), sink), heuristic() | WORLD)
    recording = read_recording(tmp_path / "tape")
    assert (recording.query, recording.is_whole) == (QUERY, True)
    with replaying(read_tape(tmp_path / "tape")) as world:
        assert explored(world) == live == explored(heuristic() | WORLD)
    assert len(live.pointers) > 3


def test_an_exploration_that_awaited_is_replayed_from_its_file_under_both_runners(tmp_path: Path) -> None:
    rate = heuristic()

    async def later(op: RateNode) -> Rubric:
        for _ in range(op.node.line % 3):
            await asyncio.sleep(0)
        return rate(op)  # type: ignore[no-any-return]

    with record_to(tmp_path / "tape") as sink:
        live = awaited(run_async(recorded(explore(QUERY), sink), RateNode.by_async(later) | WORLD))
    tape = read_tape(tmp_path / "tape")
    with replaying(tape) as world:
        assert explored(world) == live
    with replaying(tape) as world:
        assert awaited(run_async(explore(QUERY), world)) == live


def test_an_exploration_whose_scorer_failed_fails_again_with_the_same_answer(tmp_path: Path) -> None:
    def failing(op: RateNode) -> Rubric:
        raise Unavailable("model", f"no rubric for {op.node.location}")

    with pytest.raises(ScorerFailed, match="no rubric for") as live, record_to(tmp_path / "tape") as sink:
        run(recorded(explore(QUERY), sink), RateNode.by(failing) | WORLD)
    with pytest.raises(ScorerFailed) as again, replaying(read_tape(tmp_path / "tape")) as world:
        explored(world)
    assert (str(again.value), again.value.answer) == (str(live.value), live.value.answer)


@given(plan=plans)
def test_any_program_is_replayed_from_its_file_under_both_runners(
    tmp_path_factory: pytest.TempPathFactory, plan: Plan
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"

    def live() -> object:
        with record_to(path, known=OWN) as sink:
            return run(recorded(program(plan, []), sink), SYNC)

    def again(events: Events) -> object:
        with replaying(read_tape(path, known=OWN)) as world:
            return run(program(plan, events), world)

    def again_awaiting(events: Events) -> object:
        with replaying(read_tape(path, known=OWN)) as world:
            return awaited(run_async(program(plan, events), world))

    assert outcome(live) == done(plan)[0]
    for replayed in (again, again_awaiting):
        events: Events = []
        assert (outcome(lambda: replayed(events)), events) == done(plan)  # noqa: B023 - called at once


@given(plan=plans)
def test_a_run_that_awaited_is_replayed_awaiting(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> None:
    path = tmp_path_factory.getbasetemp() / "awaited"

    def live() -> object:
        with record_to(path, known=OWN) as sink:
            return awaited(run_async(recorded(program(plan, []), sink), ASYNC))

    def again() -> object:
        with replaying(read_tape(path, known=OWN)) as world:
            return awaited(run_async(program(plan, []), world))

    assert outcome(live) == outcome(again)


# The file


def test_a_recording_is_for_its_owner_alone_even_where_the_file_was_not(tmp_path: Path) -> None:
    path = kept(tmp_path / "tape", SAY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    kept(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_earlier_recording_is_overwritten_whole(tmp_path: Path) -> None:
    kept(tmp_path / "tape", note_of(1000), SAY)
    assert read_tape(kept(tmp_path / "tape", SAY)) == (SAY,)


def test_an_empty_file_can_be_recorded_to(tmp_path: Path) -> None:
    (tmp_path / "tape").touch()
    assert read_tape(kept(tmp_path / "tape", SAY)) == (SAY,)


def a_file_of_ones_own(path: Path) -> None:
    path.write_text("import os\n")


def a_link(path: Path) -> None:
    path.with_name("target").touch()
    path.symlink_to("target")


def a_file_in_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


NOT_WRITTEN: Final[dict[str, tuple[Callable[[Path], object], str]]] = {
    "holds something else": (a_file_of_ones_own, "exists and is no recording; name another file to record to"),
    "is a folder": (Path.mkdir, "is a folder; name a file in it"),
    "is a link": (a_link, "is a link; name the file itself"),
    "is a pipe": (os.mkfifo, "is no file but a device or a pipe; name a file"),
    "is in no folder": (lambda path: path.parent.rmdir(), "is in no folder that exists; make the folder first"),
    "is in a file": (a_file_in_a_file, "cannot be written: Not a directory"),
}


@pytest.mark.parametrize("how", NOT_WRITTEN)
def test_a_file_that_cannot_be_recorded_to_is_an_error_before_the_run(tmp_path: Path, how: str) -> None:
    prepare, text = NOT_WRITTEN[how]
    path = tmp_path / "folder" / "tape"
    path.parent.mkdir()
    prepare(path)
    with pytest.raises(ConfigError, match=f"^{re.escape(f'{path} {text}')}$"):
        kept(path)


def test_a_file_that_is_refused_keeps_what_it_holds(tmp_path: Path) -> None:
    a_file_of_ones_own(tmp_path / "tape")
    with pytest.raises(ConfigError, match="is no recording"):
        kept(tmp_path / "tape")
    assert (tmp_path / "tape").read_text() == "import os\n"


def test_two_runs_do_not_record_to_one_file(tmp_path: Path) -> None:
    with record_to(tmp_path / "tape") as sink:
        with pytest.raises(ConfigError, match="is being recorded to by another process; name another file"):
            kept(tmp_path / "tape")
        sink(SAY)
    assert read_tape(tmp_path / "tape") == (SAY,)


def test_each_entry_is_in_the_file_at_once(tmp_path: Path) -> None:
    with record_to(tmp_path / "tape") as sink:
        for count in range(1, 4):
            sink(SAY)
            recording = read_recording(tmp_path / "tape")
            assert (recording.entries, recording.is_whole) == (count * (SAY,), False)


def test_a_run_that_fails_has_a_whole_recording(tmp_path: Path) -> None:
    with pytest.raises(BadAnswer, match="its own"):
        ended_by(BadAnswer("world", "its own"), tmp_path / "tape")
    assert read_tape(tmp_path / "tape") == (SAY,)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError, SystemExit])
def test_a_run_that_is_interrupted_has_a_recording_that_was_cut(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    with pytest.raises(interruption):
        ended_by(interruption(), tmp_path / "tape")
    assert not read_recording(tmp_path / "tape").is_whole
    with pytest.raises(ConfigError, match="was cut after 1 operations while it was being recorded; record it again"):
        read_tape(tmp_path / "tape")


KILLED: Final = """
import sys
from pathlib import Path
from returns.result import Success
from interpreters.replay import record_to
from tidepool.effects.report import Note
from tidepool.tape import Entry
with record_to(Path(sys.argv[1])) as sink:
    for number in range(10**9):
        sink(Entry(Note(f"{number} " + "x" * 5000), Success(None)))
        print(number, flush=True)
"""


def test_a_process_that_is_killed_loses_one_line_at_most(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 50:
                break
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().split()
    recording = read_recording(path)
    assert not recording.is_whole
    last = int(said[-1]) if said else 50
    assert [entry.op.text.split()[0] for entry in recording.entries][: last + 1] == [str(n) for n in range(last + 1)]


FULL: Final = """
import resource, sys
from pathlib import Path
from returns.result import Success
from interpreters.replay import RecordingLost, record_to
from tidepool.eff import run
from tidepool.effects.report import Note
from tidepool.tape import recorded
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
answer = None
def program():
    for _ in range(20):
        yield from Note("x" * 100)
    return "the answer"
try:
    with record_to(Path(sys.argv[1])) as sink:
        answer = run(recorded(program(), sink), Note.by(lambda _: None))
        {then}
except {error} as error:
    print(answer, error, *getattr(error, "__notes__", ()), sep="|")
"""


@pytest.mark.parametrize(
    ("then", "error", "said"),
    [("pass", "RecordingLost", "the answer|"), ("raise LookupError('own')", "LookupError", "the answer|own|")],
)
def test_a_full_disk_costs_the_recording_and_not_the_answer(tmp_path: Path, then: str, error: str, said: str) -> None:
    path = tmp_path / "tape"
    script = FULL.replace("{then}", then).replace("{error}", error)
    command = [sys.executable, "-c", script, str(path)]
    told = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    entries = read_recording(path).entries
    assert told.stdout == f"{said}{path} holds {len(entries)} operations only: File too large; record it again\n"
    assert 2 < len(entries) < 20
    with pytest.raises(ConfigError, match=f"was cut after {len(entries)} operations"):
        read_tape(path)


def test_a_disk_that_is_full_at_the_beginning_is_an_error_before_the_run(tmp_path: Path) -> None:
    script = FULL.replace("(1000, 1000)", "(10, 10)").replace("{then}", "pass").replace("{error}", "Exception")
    command = [sys.executable, "-c", script, str(tmp_path / "tape")]
    told = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    assert told.stdout == f"None|{tmp_path / 'tape'} cannot be written: File too large\n"


def test_what_cannot_be_recorded_costs_the_recording_and_not_the_answer(tmp_path: Path) -> None:
    answer = None
    with (
        pytest.raises(RecordingLost, match=r"holds 0 operations only: Get cannot be recorded: name it in the "),
        record_to(tmp_path / "tape") as sink,
    ):
        answer = run(recorded(each([Get(1), Get(2)]), sink), SYNC)
    assert answer == [2, 4]


def test_nothing_follows_what_could_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(RecordingLost, match="holds 1 operations only"):
        kept(tmp_path / "tape", SAY, Entry(Get(1), Success(2)), SAY)
    recording = read_recording(tmp_path / "tape")
    assert (recording.entries, recording.is_whole) == ((SAY,), False)


def test_a_sink_does_not_write_once_its_recording_has_ended(tmp_path: Path) -> None:
    with record_to(tmp_path / "tape") as sink:
        pass
    with pytest.raises(ValueError, match="closed file"):
        sink(SAY)
    assert read_tape(tmp_path / "tape") == ()


def test_recording_keeps_nothing_in_memory(tmp_path: Path) -> None:
    with record_to(tmp_path / "tape") as sink:
        sink(SAY)
        tracemalloc.start()
        try:
            for _ in range(2000):
                sink(note_of(2000))
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (tmp_path / "tape").stat().st_size > 4_000_000
    assert most < 200_000


NOT_READ: Final[dict[str, tuple[Callable[[Path], object], str]]] = {
    "does not exist": (lambda path: None, "does not exist; record it first"),
    "is a folder": (Path.mkdir, "is a folder; name a file in it"),
    "is a pipe": (os.mkfifo, "is no file but a device or a pipe; name a file"),
    "is empty": (Path.touch, "is no recording that can be read: line 1: missing is not the beginning of a recording"),
    "holds something else": (a_file_of_ones_own, "is no recording that can be read: line 1, JSON text: b'import os"),
    "holds another format": (
        lambda path: path.write_text('{"tidepool": "recording", "version": 9, "query": null}\n'),
        "is no recording that can be read: line 1, version: 9 is not 1: record it again",
    ),
}


@pytest.mark.parametrize("how", NOT_READ)
def test_a_file_that_is_no_recording_is_an_error_that_says_so(tmp_path: Path, how: str) -> None:
    prepare, text = NOT_READ[how]
    prepare(tmp_path / "tape")
    with pytest.raises(ConfigError) as caught:
        read_tape(tmp_path / "tape")
    assert str(caught.value).startswith(f"{tmp_path / 'tape'} {text}")


def test_a_recording_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    size = kept(tmp_path / "tape", note_of(1000)).stat().st_size
    assert read_recording(tmp_path / "tape", most_bytes=size).is_whole
    with pytest.raises(ConfigError, match=f"has {size} bytes, more than the {size - 1} that are read"):
        read_recording(tmp_path / "tape", most_bytes=size - 1)


# A whole run in order


TAPE_OF_THREE: Final = [Entry(Get(key), Success(2 * key)) for key in (1, 2, 4)]


def getting(*keys: int) -> Eff[Get, list[int]]:
    answers = []
    for key in keys:
        answers.append((yield from Get(key)))  # noqa: PERF401 - no `yield` in a comprehension
    return answers


def by_run(prog: Eff[Any, Any], world: Handler[Any]) -> Any:
    return run(prog, world)


def by_run_async(prog: Eff[Any, Any], world: Handler[Any]) -> Any:
    return awaited(run_async(prog, world))


RUNNERS: Final = pytest.mark.parametrize("runner", [by_run, by_run_async])


@RUNNERS
@pytest.mark.parametrize(
    ("prog", "step", "held", "asked"),
    [
        (lambda: getting(1, 5, 4), 1, Get(2), Get(5)),
        (lambda: each([Get(1), Get(4), Get(2)]), 1, Get(2), Get(4)),
        (lambda: getting(1, 2, 4, 5), 3, "nothing more", Get(5)),
        (lambda: getting(1), 1, Get(2), "nothing more"),
        (lambda: each([Get(1), Fetch(2)]), 1, Get(2), Fetch(2)),
        (lambda: attempt(getting(1, 5), TidepoolError), 1, Get(2), Get(5)),
    ],
    ids=["else", "else in a round", "more", "less", "another kind", "caught"],
)
def test_a_run_that_diverges_is_told_with_the_step(
    runner: Callable[..., Any], prog: Callable[[], Eff[Any, Any]], step: int, held: object, asked: object
) -> None:
    with (
        pytest.raises(Diverged, match=f"replay diverged at step {step}: the tape holds ") as caught,
        replaying(TAPE_OF_THREE) as world,
    ):
        runner(prog(), world)
    assert (caught.value.step, caught.value.recorded, caught.value.asked) == (step, held, asked)


@RUNNERS
def test_rounds_of_several_kinds_are_answered_in_order(runner: Callable[..., Any]) -> None:
    tape = [
        Entry(Rate(1), Success(1)),
        Entry(Get(2), Failure(BadAnswer("world", "no"))),
        Entry(Rate(3), Success(3)),
        Entry(Fetch(4), Success(4)),
    ]
    lanes: list[Any] = [Rate(1), attempt(Get(2), BadAnswer), Rate(3), Fetch(4)]
    with replaying(tape) as world:
        first, failed, *others = runner(each(lanes), world)
    assert (first, str(failed.failure()), others) == (1, "world: no", [3, 4])


def test_what_is_left_of_a_tape_can_be_asked_for_without_a_block() -> None:
    world = replaying(TAPE_OF_THREE)
    assert run(getting(1, 2), world) == [2, 4]
    with pytest.raises(Diverged, match=r"step 2: the tape holds Get\(key=4\), the program asked 'nothing more'"):
        world.expect_end()
    whole = replaying(TAPE_OF_THREE)
    run(getting(1, 2, 4), whole)
    whole.expect_end()


def test_a_run_that_fails_by_itself_fails_with_its_own_error() -> None:
    with pytest.raises(LookupError, match="own"), replaying(TAPE_OF_THREE):
        raise LookupError("own")


def test_a_long_divergence_is_cut_to_where_it_differs() -> None:
    def rating(location: str) -> RateNode:
        return RateNode(QueryContext("q" * 1000), NodeContext(location, "h" * 5000, "s" * 5000))

    error = Diverged(0, rating("shop/till.py:3"), rating("shop/till.py:14"))
    assert len(str(error)) < 800
    assert "till.py:3'" in str(error) and "till.py:14'" in str(error)


@pytest.mark.parametrize(
    "compose",
    [
        lambda world: world | SYNC,
        lambda world: SYNC | world,
        lambda world: world | ASYNC,
        lambda world: ASYNC | world,
    ],
    ids=["with", "behind", "with one that awaits", "behind one that awaits"],
)
def test_a_replay_of_a_whole_run_is_not_composed(compose: Callable[[Any], object]) -> None:
    with pytest.raises(ProgramError, match="a replay answers a whole run by itself: compose no other handler with it"):
        compose(replaying(TAPE_OF_THREE))


# One effect


def test_another_scorer_explores_a_recorded_codebase() -> None:
    tape = tape_of(heuristic() | WORLD)
    bold = RateNode.by(lambda op: attrs.evolve(heuristic()(op), risk=5))
    assert explored(heuristic() | lsp_from(tape) | stopped_clock(NOON) | silent()) == explored(heuristic() | WORLD)
    live = explored(bold | WORLD)
    assert explored(bold | lsp_from(tape) | stopped_clock(NOON) | silent()) == live != explored(heuristic() | WORLD)


def test_a_recorded_scorer_explores_the_codebase_again() -> None:
    tape = tape_of(heuristic() | WORLD)
    assert explored(scorer_from(tape) | WORLD) == explored(heuristic() | WORLD)


def test_a_recorded_scorer_works_where_others_await() -> None:
    tape = tape_of(heuristic() | WORLD)
    world: AsyncHandler[Any] = Note.by_async(lambda _: asyncio.sleep(0)) | scorer_from(tape) | lsp_from(tape)
    whole = stopped_clock(NOON) | silent() | world
    assert awaited(run_async(explore(QUERY), whole)) == explored(heuristic() | WORLD)


def test_what_the_tape_lacks_is_an_error_that_names_it() -> None:
    op = RateNode(QueryContext("q"), NodeContext("shop/till.py:3", "h" * 5000, "s"))
    with pytest.raises(NotRecorded, match=r"holds no answer to RateNode at shop/till.py:3; record it again$") as caught:
        scorer_from([])(op)
    assert caught.value.op == op
    with pytest.raises(NotRecorded, match=r"^the recording: it holds no answer to Hover\(place=Place\(path='a.py'"):
        lsp_from([SAY])(Hover(Place("a.py", 1, 0)))


def test_an_exploration_that_asks_what_the_tape_lacks_says_what_it_could_not_see() -> None:
    answer = explored(heuristic() | WORLD)
    tape = [entry for entry in tape_of(heuristic() | WORLD) if not isinstance(entry.op, References)]
    partial = explored(heuristic() | lsp_from(tape) | stopped_clock(NOON) | silent())
    assert (answer.status, partial.status) == (Status.COMPLETE, Status.PARTIAL)
    assert "the recording: it holds no answer to References(" in partial.summary


def test_equal_operations_are_answered_in_order_and_the_last_answer_holds() -> None:
    clauses = [Success(()), Failure(Unavailable("ty", "it crashed")), Success(("a.py",))]
    lsp = lsp_from([Entry(Unseen(), answer) for answer in clauses])

    def asking() -> Eff[Lsp, list[Any]]:
        return (yield from each([attempt(Unseen(), Unavailable) for _ in range(5)]))

    first, second, *others = run(asking(), lsp)
    assert (first, str(second.failure()), others) == (Success(()), "ty: it crashed", 3 * [Success(("a.py",))])


@given(st.lists(st.sampled_from([FindSymbol("a"), FindSymbol("b"), Unseen()]), max_size=5))
def test_by_operation_the_order_does_not_matter(ops: list[Any]) -> None:
    lsp = lsp_from(
        [
            Entry(FindSymbol("a"), Success(())),
            Entry(FindSymbol("b"), Failure(BadAnswer("ty", "no b"))),
            Entry(Unseen(), Success(("a.py",))),
        ]
    )
    expected = {FindSymbol("a"): "()", FindSymbol("b"): "ty: no b", Unseen(): "('a.py',)"}
    for op in ops:
        try:
            assert str(lsp(op)) == expected[op]
        except BadAnswer as error:
            assert str(error) == expected[op]  # noqa: PT017 - the answer that was recorded


# A recorded run of a real codebase


AGAIN: Final = (
    "`explore` asks or answers otherwise than in the fixture; if it is meant to: python tests/recordings/record.py"
)


def test_a_recorded_exploration_of_these_sources_gives_the_same_answer_without_a_server() -> None:
    recording = read_recording(TAPE)
    assert recording.is_whole and recording.query is not None
    try:
        with replaying(recording.entries) as world:
            answer = run(explore(recording.query), world)
    except Diverged as error:
        pytest.fail(f"{AGAIN}\n{error}")
    assert answer == loads(ScoutResponse, ANSWER.read_text()), AGAIN
    assert len(answer.pointers) >= 5 and answer.nodes_visited == recording.query.budget_nodes


def test_the_fixture_is_small_and_names_no_place_outside_the_sources() -> None:
    assert TAPE.stat().st_size <= MOST_BYTES
    text = TAPE.read_text() + ANSWER.read_text()
    assert re.findall(r'"/|file:/|[A-Za-z]:\\\\|/(?:home|Users|root|tmp|usr|opt)/', text) == []
    places = [entry.op.place.path for entry in read_tape(TAPE) if hasattr(entry.op, "place")]
    assert {path.split("/")[0] for path in places} <= {"tidepool", "interpreters"}
