"""The command, as its user runs it: a real process, the real language server, real and hostile codebases."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest

from tests.servers.scoring import scoring

FIXTURE = Path(__file__).parent / "fixtures" / "llmkind"
ADD_VARIANT = "What breaks if I add a variant to LLMKind?"
EXHAUSTIVE = ("--tag", "Exhaustive", "--tag", "PatternMatch")
COMMAND = (sys.executable, "-m", "interpreters.edge.cli")
REPOSITORY = Path(__file__).parents[1]


@attrs.frozen
class Run:
    """What a run of the command left."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.out)
        return answer

    @property
    def names(self) -> list[str]:
        return [pointer["what"].partition(" (also")[0] for pointer in self.answer["pointers"]]


class Scout:
    """Runs the command so that whatever processes it leaves behind can be found."""

    def __init__(self, config: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.environ = {**os.environ, "TIDEPOOL_TEST_MARK": self.mark, "XDG_CONFIG_HOME": str(config)}
        self.environ["PYTHONPATH"] = str(REPOSITORY)  # which holds the fixture as well: that must not confuse a server

    def __call__(self, *arguments: str, cwd: Path = FIXTURE) -> Run:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=cwd, env=self.environ, capture_output=True, timeout=100, check=False
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str, cwd: Path = FIXTURE) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, *arguments], cwd=cwd, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def left(self) -> list[psutil.Process]:
        """Processes that a run started and that still live."""

        def marked(process: psutil.Process) -> bool:
            try:
                alive = process.status() != psutil.STATUS_ZOMBIE
                return bool(alive and process.environ().get("TIDEPOOL_TEST_MARK") == self.mark)
            except psutil.Error:
                return False

        return [process for process in psutil.process_iter() if marked(process)]


@pytest.fixture
def scout(tmp_path: Path) -> Iterator[Scout]:
    runner = Scout(tmp_path / "config")
    yield runner
    wait_until(lambda: not runner.left())


def wait_until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"it did not come to hold within {seconds} s"
        time.sleep(0.02)


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def own_server(scout: Scout, *command: str) -> None:
    write(
        Path(scout.environ["XDG_CONFIG_HOME"]),
        {"tidepool/tidepool.toml": f'server = "own"\n[servers.own]\ncommand = {json.dumps(command)}\n'},
    )


# The answer


def test_what_treats_every_variant_comes_first_and_what_is_untouched_last(scout: Scout) -> None:
    run = scout(ADD_VARIANT, *EXHAUSTIVE, "--format", "json", "--budget", "100")
    assert run.code == 0
    needed = {"price", "context_window", "CLIENTS"}
    assert needed <= set(run.names[:5])
    pointers = run.answer["pointers"]
    assert all(pointer["risk"] >= 4 for pointer in pointers[:5] if pointer["what"].split()[0] in needed)
    last_needed = max(run.names.index(name) for name in needed)
    untouched = [row for row, name in enumerate(run.names) if name in {"label", "unrelated"} or "import" in name]
    assert untouched
    assert min(untouched) > last_needed


def test_the_default_budget_gives_the_same_first_five(scout: Scout) -> None:
    run = scout(ADD_VARIANT, *EXHAUSTIVE, "--format", "json")
    assert {"price", "context_window", "CLIENTS"} <= set(run.names[:5])
    assert run.answer["nodes_visited"] == 20


def test_two_runs_answer_the_same_bytes(scout: Scout) -> None:
    first, second = (scout(ADD_VARIANT, "--format", "json").out for _ in range(2))
    assert first == second


def test_json_is_a_scout_response_and_nothing_else(scout: Scout) -> None:
    run = scout(ADD_VARIANT, "--format", "json")
    assert set(run.answer) == {"summary", "status", "pointers", "nodes_visited", "frontier_left"}
    assert set(run.answer["pointers"][0]) == {
        "location", "what", "relevance", "risk", "confidence", "reasoning", "tags", "action", "verdict",
    }  # fmt: skip
    assert run.err == ""


def test_examples_are_included_on_request(scout: Scout) -> None:
    run = scout(ADD_VARIANT, "--format", "json", "--examples", "--budget", "3")
    assert len(run.answer["training_examples"]) == 3


def test_the_table_shows_the_risk_the_place_and_the_line_of_code(scout: Scout) -> None:
    run = scout(ADD_VARIANT, *EXHAUSTIVE)
    assert "█████ 5" in run.out
    assert "llmapp/pricing.py" in run.out
    assert "assert_never(kind)" in run.out and "verified" in run.out
    assert "\x1b" not in run.out


def test_markdown_is_one_table(scout: Scout) -> None:
    run = scout(ADD_VARIANT, *EXHAUSTIVE, "--format", "markdown")
    rows = [line for line in run.out.splitlines() if line.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert len(rows) > 5


def test_progress_is_drawn_on_a_terminal_and_on_standard_error_only(scout: Scout) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, ADD_VARIANT, "--format", "json"]
    done = subprocess.run(command, cwd=FIXTURE, env=scout.environ, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    drawn = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while chunk := terminal.read(65536):
                drawn += chunk
        except OSError:  # the terminal's other end is closed
            pass
    assert b"\x1b" in drawn
    assert json.loads(done.stdout)["pointers"]


def test_names_that_many_classes_define_do_not_mix(scout: Scout, tmp_path: Path) -> None:
    root = write(
        tmp_path / "root",
        {
            "a.py": "class A:\n    def get(self) -> int: ...\n\n\ndef use_a(a: A) -> int:\n    return a.get()\n",
            "b.py": "class B:\n    def get(self) -> int: ...\n\n\ndef use_b(b: B) -> int:\n    return b.get()\n",
        },
    )
    run = scout("What breaks if I rename A.get?", "--format", "json", cwd=root)
    assert "use_a" in run.names
    assert not any("b" in name.lower() for name in run.names)


def test_a_name_is_followed_through_aliases_and_re_exports(scout: Scout, tmp_path: Path) -> None:
    root = write(
        tmp_path / "root",
        {
            "shop/__init__.py": "from shop.prices import price as price\n",
            "shop/prices.py": "def price() -> int:\n    return 1\n",
            "till.py": "from shop import price as cost\n\n\ndef pay() -> int:\n    return cost() + 1\n",
        },
    )
    run = scout("What breaks if I add a required parameter to price?", "--format", "json", cwd=root)
    assert "pay" in run.names


def test_a_member_of_a_value_of_no_known_type_is_found_by_its_name(scout: Scout, tmp_path: Path) -> None:
    root = write(
        tmp_path / "root",
        {
            "till.py": "class Till:\n    def settle(self) -> int: ...\n",
            "use.py": "def close(till):\n    return till.settle()\n\n\nTEXT = 'x'.title()\n",
        },
    )
    run = scout("What breaks if I rename Till.settle?", "--format", "json", cwd=root)
    assert "close" in run.names
    assert "1 line with `.settle` on values whose type the server cannot tell" in run.answer["summary"]


def test_the_environment_of_the_codebase_is_found(scout: Scout, tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"app.py": "import dep\n\nSIZE = dep.Thing().size()\n"})

    def hover() -> str:
        run = scout("What breaks if I rename SIZE?", "--format", "json", "--examples", cwd=root)
        return str(run.answer["training_examples"][0]["node"]["hover"])

    assert hover() == "Unknown"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    (site,) = (root / ".venv" / "lib").glob("python*/site-packages")
    write(site, {"dep.py": "class Thing:\n    def size(self) -> int:\n        return 1\n"})
    assert hover() == "int"


# What goes wrong, by exit code


def test_an_unknown_name_is_exit_3_with_the_closest(scout: Scout) -> None:
    run = scout("What breaks if I rename contxt_window?", "--format", "json")
    assert run.code == 3
    assert run.answer["status"] == "not_found"
    assert "context_window" in run.answer["summary"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "QUESTION"),
        (("",), "the question is empty"),
        (("\n\t ",), "the question is empty"),
        (("What", "breaks", "if", "--budget", "3"), "put the question in quotes"),
        ((ADD_VARIANT, "--bugdet", "3"), "unrecognized arguments: --bugdet 3"),
        ((ADD_VARIANT, "--examples"), "--examples are printed in json alone: add --format json"),
        ((ADD_VARIANT, "--budget", "-1"), "not a whole number"),
        ((ADD_VARIANT, "--budget", "9" * 5000), "not a whole number"),
        ((ADD_VARIANT, "--tag", "Exhaustion"), "not one of Exhaustive"),
        ((ADD_VARIANT, "--timeout", "nan"), "not a number of seconds"),
        ((ADD_VARIANT, "--scorer", "seer"), "no scorer is called 'seer'"),
        ((ADD_VARIANT, "--server", "tyy"), "did you mean ty?"),
        ((ADD_VARIANT, "--root", "/nowhere/at/all"), "/nowhere/at/all"),
        ((ADD_VARIANT, "--root", __file__), "folder"),
        ((ADD_VARIANT, "--python", "/nowhere/python"), "/nowhere/python"),
    ],
)
def test_wrong_usage_is_exit_2_and_one_sentence(scout: Scout, arguments: tuple[str, ...], complaint: str) -> None:
    run = scout(*arguments)
    assert (run.code, run.out) == (2, "")
    assert complaint in run.err.splitlines()[-1]
    assert "Traceback" not in run.err


def test_a_configuration_that_cannot_be_used_is_exit_2_and_names_the_key(scout: Scout) -> None:
    write(Path(scout.environ["XDG_CONFIG_HOME"]), {"tidepool/tidepool.toml": '[servers.own]\ncomand = ["x"]\n'})
    run = scout(ADD_VARIANT, "--server", "own")
    assert run.code == 2
    assert "servers.own.comand is not known; did you mean command?" in run.err


# What is configured


def configure(scout: Scout, text: str) -> None:
    write(Path(scout.environ["XDG_CONFIG_HOME"]), {"tidepool/tidepool.toml": text})


def test_what_is_configured_is_what_the_flags_would_be_else(scout: Scout, tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"till.py": "def price() -> int: ...\n\n\nTOTAL = price() + price()\n"})
    write(root, {"tidepool.toml": 'budget = 1\nformat = "json"\nserver = "evil"\n'})
    question = "What breaks if I add a required parameter to price?"
    run = scout(question, cwd=root)
    assert run.answer["nodes_visited"] == 1
    assert run.err.startswith("semantic-scout: tidepool.toml:3: server is not for a codebase to set")
    assert len(run.err.splitlines()) == 1
    configure(scout, "budget = 2\n")
    assert scout(question, cwd=root).answer["nodes_visited"] == 2
    scout.environ["TIDEPOOL_BUDGET"] = "0"
    assert scout(question, cwd=root).answer["nodes_visited"] == 0
    assert scout(question, "--budget", "1", cwd=root).answer["nodes_visited"] == 1
    assert scout(question, "--format", "markdown", cwd=root).out.startswith("To ")


def test_a_model_that_fails_is_exit_5_and_what_was_rated_is_kept(scout: Scout) -> None:
    with scoring("right", "400") as server:
        scout.environ["TIDEPOOL_MODEL_URL"] = server.url
        run = scout(ADD_VARIANT, "--scorer", "model", "--format", "json", "--budget", "8")
    assert run.code == 5
    assert (run.answer["status"], run.answer["nodes_visited"]) == ("partial", 4)
    assert run.answer["pointers"]
    assert len(run.err.splitlines()) == 1
    assert "model: " in run.err
    assert "Traceback" not in run.err


def test_a_model_that_is_down_is_exit_5_and_one_sentence(scout: Scout) -> None:
    scout.environ["TIDEPOOL_MODEL_URL"] = "http://127.0.0.1:1"
    run = scout(ADD_VARIANT, "--scorer", "model")
    assert (run.code, run.out) == (5, "")
    assert run.err == "semantic-scout: model: cannot be reached: start it, or correct its address\n"


def test_a_hybrid_answers_though_its_model_is_down_and_says_so(scout: Scout) -> None:
    scout.environ["TIDEPOOL_MODEL_URL"] = "http://127.0.0.1:1"
    run = scout(ADD_VARIANT, "--scorer", "hybrid", "--format", "json", "--budget", "5", "--no-verify")
    assert run.code == 0
    assert all("(by the fallback: model did not rate it)" in pointer["reasoning"] for pointer in run.answer["pointers"])
    assert "5 places were rated by the fallback (model: cannot be reached" in run.err


def test_a_scorer_that_cannot_be_used_is_told_before_the_server_starts(scout: Scout) -> None:
    own_server(scout, sys.executable, "-c", "import time; time.sleep(1000)")
    run = scout(ADD_VARIANT, "--scorer", "hybird")
    assert (run.code, run.out) == (2, "")
    assert run.err == "semantic-scout: --scorer: no scorer is called 'hybird'; did you mean hybrid?\n"


FACTORIES = """
from contextlib import asynccontextmanager

from tidepool import RateNode, Rubric
from tidepool.effects.clock import Now
from tidepool.errors import ConfigError, Unavailable


def same(table):
    return RateNode.by(lambda op: Rubric(1, table["risk"], 5, table.get("reasoning", "oracle")))


@asynccontextmanager
async def opened(table):
    print("opened")
    try:
        async def rated(op):
            return Rubric(1, 2, 5, "by an oracle that awaits")
        yield RateNode.by_async(rated)
    finally:
        print("closed")


def none(table):
    return 5


def wrong(table):
    return RateNode.by(lambda op: 5)


itself = RateNode.by(lambda op: Rubric(1, 1, 1, "itself"))


def other(table):
    return Now.by(lambda op: None)


def refusing(table):
    raise ConfigError("the oracle needs a risk")


def model(table):
    return itself


@asynccontextmanager
async def absent(table):
    raise Unavailable("oracle", "is out")
    yield
"""


@pytest.fixture
def installed(scout: Scout, tmp_path: Path) -> Scout:
    """With a distribution installed that offers scorers."""
    names = ("same", "opened", "none", "wrong", "absent", "gone", "itself", "other", "refusing", "model")
    entries = "".join(f"{name} = oracles:{name}\n" for name in names)
    write(
        tmp_path / "site",
        {
            "oracles.py": FACTORIES,
            "oracles-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: oracles\nVersion: 1.0\n",
            "oracles-1.0.dist-info/entry_points.txt": f"[tidepool.scorers]\n{entries}",
        },
    )
    scout.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(tmp_path / "site")])
    return scout


def test_a_scorer_of_another_distribution_is_told_what_is_configured(installed: Scout) -> None:
    configure(installed, 'scorer = "mine"\n[scorers.mine]\nkind = "same"\nrisk = 4\nreasoning = "as configured"\n')
    run = installed(ADD_VARIANT, "--format", "json", "--budget", "2", "--no-verify")
    assert run.code == 0
    assert {(pointer["risk"], pointer["reasoning"]) for pointer in run.answer["pointers"]} == {(4, "as configured")}


def test_a_scorer_of_another_distribution_is_opened_and_closed(installed: Scout) -> None:
    run = installed(ADD_VARIANT, "--scorer", "opened", "--budget", "2", "--format", "markdown")
    assert run.code == 0
    assert run.out.startswith("opened\nclosed\n")
    assert "by an oracle that awaits" in run.out


@pytest.mark.parametrize(
    ("name", "code", "complaint"),
    [
        ("same", 5, "the installed scorer same (oracles:same): raised KeyError: 'risk'; ask who made it"),
        ("none", 2, "the installed scorer none (oracles:none) gave a int, which is no handler: ask who made it"),
        ("gone", 2, "the installed scorer gone (oracles:gone) cannot be made (AttributeError: "),
        ("wrong", 5, "the installed scorer wrong (oracles:wrong): raised TypeError: a int is no rubric; ask"),
        ("absent", 5, "oracle: is out"),
        ("itself", 2, "scorer itself (oracles:itself) is a handler itself and no function that returns one: ask"),
        ("other", 2, "scorer other (oracles:other) gave a handler that does not answer RateNode: ask who made it"),
        ("refusing", 2, "semantic-scout: the oracle needs a risk"),
        ("opend", 2, "no scorer is called 'opend'; did you mean opened?"),
    ],
)
def test_a_scorer_of_another_distribution_that_cannot_be_is_told(
    installed: Scout, name: str, code: int, complaint: str
) -> None:
    run = installed(ADD_VARIANT, "--scorer", name)
    assert run.code == code
    assert complaint in run.err
    assert "Traceback" not in run.err


def test_a_scorer_with_the_name_of_one_that_is_built_in_is_told(installed: Scout) -> None:
    installed.environ["TIDEPOOL_MODEL_URL"] = "http://127.0.0.1:1"
    run = installed(ADD_VARIANT, "--scorer", "model")
    first, _ = run.err.splitlines()
    assert first.startswith("semantic-scout: the installed scorer model (oracles:model) cannot be asked for, since")
    assert "oracles" not in installed(ADD_VARIANT, "--scorer", "opened", "--budget", "0").err
    overview = subprocess.run(
        [sys.executable, "-m", "interpreters.edge.tidepool_cli", "config"],
        cwd=FIXTURE, env=installed.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert overview.stderr.startswith("tidepool config: the installed scorer model (oracles:model) cannot")


# Recording


def test_a_recorded_run_is_replayed_without_a_server_or_a_codebase(scout: Scout, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    first = scout(ADD_VARIANT, *EXHAUSTIVE, "--format", "json", "--examples", "--record", str(tape))
    own_server(scout, "no-such-program")
    again = scout(ADD_VARIANT, *EXHAUSTIVE, "--format", "json", "--examples", "--replay", str(tape), cwd=tmp_path)
    assert (first.code, again) == (0, first)


def test_a_scorer_that_is_named_beside_a_replay_is_said_not_to_be_asked(scout: Scout, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    first = scout(ADD_VARIANT, "--budget", "2", "--record", str(tape))
    again = scout(ADD_VARIANT, "--budget", "2", "--scorer", "heuristic", "--replay", str(tape))
    assert (again.code, again.out) == (0, first.out)
    assert again.err == f"semantic-scout: the scorer heuristic is not asked: {tape} holds every answer\n"


def test_a_replay_of_another_question_is_exit_2_and_says_which_was_recorded(scout: Scout, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    scout(ADD_VARIANT, *EXHAUSTIVE, "--budget", "2", "--record", str(tape))
    run = scout(ADD_VARIANT, "--budget", "3", "--replay", str(tape))
    assert (run.code, run.out) == (2, "")
    assert f"ask {ADD_VARIANT!r} with a budget of 2 and the tags Exhaustive, PatternMatch, or record" in run.err
    assert "Traceback" not in run.err


def test_a_failed_run_is_recorded_and_replayed_as_it_failed(scout: Scout, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    with scoring("right", "400") as server:
        scout.environ["TIDEPOOL_MODEL_URL"] = server.url
        arguments = (ADD_VARIANT, "--format", "json", "--budget", "8")
        first = scout(*arguments, "--scorer", "model", "--record", str(tape))
    assert (first.code, scout(*arguments, "--replay", str(tape))) == (5, first)


def test_a_recording_rates_another_run(scout: Scout, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    first = scout(ADD_VARIANT, "--format", "json", "--record", str(tape))
    scout.environ["TIDEPOOL_REPLAY_FILE"] = str(tape)
    assert scout(ADD_VARIANT, "--format", "json", "--scorer", "replay") == first
    other = scout("What breaks if I rename price?", "--format", "json", "--scorer", "replay")
    assert other.code == 5
    assert "the recording: it holds no answer to RateNode at " in other.err


def test_a_recording_answers_for_the_language_server_while_another_scorer_rates(scout: Scout, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    first = scout(ADD_VARIANT, "--format", "json", "--budget", "5", "--record", str(tape), "--no-verify")
    configure(
        scout, f'server = "past"\nverify = false\n[servers.past]\nkind = "replay"\nfile = {json.dumps(str(tape))}\n'
    )
    again = scout(ADD_VARIANT, "--format", "json", "--budget", "5", cwd=tmp_path)
    assert first.code == again.code == 0
    assert again.answer["pointers"] == first.answer["pointers"]
    scout.environ["TIDEPOOL_MODEL_URL"] = "http://127.0.0.1:1"
    other = scout(ADD_VARIANT, "--format", "json", "--budget", "5", "--scorer", "hybrid", cwd=tmp_path)
    assert all("(by the fallback: " in pointer["reasoning"] for pointer in other.answer["pointers"])
    unknown = scout("What breaks if I rename Unheard?", cwd=tmp_path)
    assert unknown.code == 4
    assert "the recording: it holds no answer to FindSymbol(name='Unheard')" in unknown.out.replace("\n", "")


def test_a_recording_that_is_lost_is_told_though_the_scorer_failed_too(scout: Scout, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    full = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({FULL_AT}, {FULL_AT})); "
    command = [sys.executable, "-c", full + "from interpreters.edge.cli import main; raise SystemExit(main())"]
    scout.environ["TIDEPOOL_MODEL_URL"] = "http://127.0.0.1:1"
    arguments = [ADD_VARIANT, "--scorer", "model", "--record", str(tape)]
    done = subprocess.run([*command, *arguments], cwd=FIXTURE, env=scout.environ, capture_output=True, check=False)
    lost, failed = done.stderr.decode().splitlines()
    assert (done.returncode, failed) == (
        5,
        "semantic-scout: model: cannot be reached: start it, or correct its address",
    )
    assert lost.startswith(f"semantic-scout: {tape} holds ") and "File too large" in lost


FULL_AT = 1000
"""Bytes of a file."""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--record", "/nowhere/run.jsonl"), "/nowhere/run.jsonl is in no folder that exists"),
        (("--replay", "/nowhere/run.jsonl"), "/nowhere/run.jsonl does not exist; record it first"),
        (("--replay", __file__), "is no recording that can be read"),
        (("--replay", "a", "--record", "b"), "not allowed with argument"),
    ],
)
def test_a_recording_that_cannot_be_used_is_exit_2(scout: Scout, arguments: tuple[str, ...], complaint: str) -> None:
    run = scout(ADD_VARIANT, *arguments)
    assert (run.code, run.out) == (2, "")
    assert complaint in run.err
    assert "Traceback" not in run.err


# Imports

HEAVY = ("httpx", "tenacity", "starlette", "uvicorn", "prometheus_client", "importlib.metadata", "tomllib", "difflib")
IMPORTED = f"""
import sys
from interpreters.edge.cli import main
started = []
import interpreters.lsp.process as process
sys.addaudithook(lambda event, about: started.append(set(sys.modules)) if event == "subprocess.Popen" else None)
code = main(sys.argv[1:])
before = started[0] if started else set()
print("BEFORE", *(name for name in {HEAVY!r} if name in before))
print("AFTER", *(name for name in {HEAVY[:-1]!r} if name in sys.modules))
"""


def imported(scout: Scout, question: str, root: Path) -> list[str]:
    """What was imported before the server was started, and at all."""
    environ = {name: text for name, text in scout.environ.items() if not name.startswith("TIDEPOOL_")}
    command = [sys.executable, "-c", IMPORTED, question, "--budget", "2"]
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, timeout=100, check=True)
    return done.stdout.decode().splitlines()[-2:]


def test_the_heuristic_imports_nothing_that_it_does_not_need(scout: Scout) -> None:
    assert imported(scout, ADD_VARIANT, FIXTURE) == ["BEFORE", "AFTER"]


def test_a_file_that_speaks_to_us_has_the_parser_imported(scout: Scout, tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"a.py": "def price(): ...\n", "tidepool.toml": "budget = 2\n"})
    assert imported(scout, "What breaks if I rename price?", root) == ["BEFORE tomllib", "AFTER tomllib"]


# The language server


@pytest.mark.parametrize("code", ["", "raise SystemExit(1)", "print('hello')", "import time; time.sleep(1000)"])
def test_a_server_that_is_none_is_exit_4_and_not_an_empty_answer(scout: Scout, code: str) -> None:
    own_server(scout, sys.executable, "-c", code)
    run = scout(ADD_VARIANT, "--format", "json", "--timeout", "2")
    assert run.code == 4
    assert run.answer["status"] == "not_ready"
    assert run.err.startswith("semantic-scout: own: ")


def test_a_server_that_does_not_exist_is_exit_4(scout: Scout) -> None:
    own_server(scout, "no-such-program-anywhere")
    run = scout(ADD_VARIANT, "--timeout", "2")
    assert run.code == 4
    assert "no-such-program-anywhere" in run.err


# Codebases


def test_an_empty_root_and_one_without_python_are_said_to_be_so(scout: Scout, tmp_path: Path) -> None:
    for root in (write(tmp_path / "a", {".keep": ""}), write(tmp_path / "b", {"readme.md": "LLMKind"})):
        run = scout(ADD_VARIANT, cwd=root)
        assert run.code == 2
        assert "holds no .py or .pyi file" in run.err
        assert run.out == ""


def test_hostile_files_do_not_hide_the_answer(scout: Scout, tmp_path: Path) -> None:
    root = write(
        tmp_path / "root",
        {
            "good.py": "def price() -> int:\n    return 1\n\n\ndef pay() -> int:\n    return price()\n",
            "broken.py": "from good import price\n\ndef broken(:\n    price(\n",
            "latin.py": "from good import price\n# caf\xe9\nTOTAL = price()\n".encode("latin-1"),
            "large.py": "from good import price\n"
            + "".join(f"X_{i} = {i}\n" for i in range(330_000))
            + "LARGE = price()\n",
            "tabs\tand \x1b[31mred.py": "from good import price\nRED = price()\n",
        },
    )
    outside = write(tmp_path / "outside", {"secret.py": "from good import price\nSECRET = price()\n"})
    (root / "link.py").symlink_to(outside / "secret.py")
    (root / "folder").symlink_to(outside, target_is_directory=True)
    run = scout("What breaks if I add a required parameter to price?", "--format", "json", "--budget", "50", cwd=root)
    assert run.code == 0
    assert "pay" in run.names
    assert any("large.py" in pointer["location"] for pointer in run.answer["pointers"])
    assert "not read, for not being UTF-8 or for their names: latin.py, tabs and red.py" in run.answer["summary"]
    assert "secret" not in run.out.lower()
    table = scout("What breaks if I add a required parameter to price?", "--budget", "50", cwd=root)
    assert "\x1b" not in table.out


def test_the_codebase_may_not_name_a_server(scout: Scout, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    evil = f'server = "evil"\n[servers.evil]\ncommand = ["touch", "{touched}"]\n'
    write(
        tmp_path / "root",
        {"good.py": "def price() -> int: ...\n", "tidepool.toml": evil, "tidepool/tidepool.toml": evil},
    )
    run = scout("What breaks if I rename price?", cwd=tmp_path / "root")
    assert run.code == 0
    assert not touched.exists()


# Questions and budgets


@pytest.mark.parametrize(
    "question",
    [
        "Was geht kaputt, wenn ich `LLMKind` um eine Variante erweitere?",
        "如果给 LLMKind 添加一个变体会发生什么",
        "add a variant to \x00\x1b[2J LLMKind\r\n\x07?".replace("\x00", ""),
        "What breaks if I add a variant to LLMKind? " + "really " * 14_000,
    ],
)
def test_strange_questions_are_answered(scout: Scout, question: str) -> None:
    run = scout(question, "--format", "json")
    assert run.code == 0
    assert "LLMKind" in run.answer["summary"]
    assert "\x1b" not in scout(question).out


@pytest.mark.parametrize(("budget", "status"), [(0, "partial"), (1, "partial"), (10_000, "complete")])
def test_budgets(scout: Scout, budget: int, status: str) -> None:
    run = scout(ADD_VARIANT, "--format", "json", "--budget", str(budget))
    assert run.code == 0
    assert run.answer["status"] == status
    assert run.answer["nodes_visited"] <= budget
    assert (run.answer["frontier_left"] > 0) == (status == "partial")


# Signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_signal_in_mid_answer_leaves_no_process(scout: Scout, number: int, code: int) -> None:
    own_server(scout, sys.executable, "-c", "import time; time.sleep(1000)")
    process = scout.start(ADD_VARIANT)
    wait_until(lambda: any("time.sleep(1000)" in " ".join(child.cmdline()) for child in scout.left()))
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in err
    wait_until(lambda: not scout.left())


def test_a_reader_that_stops_reading_is_no_error(scout: Scout) -> None:
    with scout.start(ADD_VARIANT, "--format", "json", "--examples") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=100) == 0
