"""What is kept of answers: whose word it is, that it is bounded, and that a kill leaves whole lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interpreters.edge.cli import main
from interpreters.edge.keeping import examples_of, keep, kept_files, read_kept
from interpreters.edge.own_data import kept_folder
from tidepool.domain import (
    NodeContext,
    Pointer,
    QueryContext,
    Rubric,
    ScoutResponse,
    Status,
    TrainingExample,
    Verdict,
)
from tidepool.errors import ConfigError

ROOT = Path(__file__).parent.parent
FIXTURE = Path(__file__).parent / "fixtures" / "llmkind"
QUESTION = "What breaks if I add a variant to LLMKind?"


def example(number: int, risk: int = 3) -> TrainingExample:
    node = NodeContext(f"a.py:{number + 1}", None, f"call_{number}()")
    rubric = Rubric(3, risk, 3, "says the scorer")
    return TrainingExample(QueryContext("rename f to g"), node, rubric, datetime(2026, 1, 1, tzinfo=UTC))


def row(number: int, risk: int, verdict: Verdict) -> Pointer:
    return Pointer(f"a.py:{number + 1}", "f", 3, risk, 3, "says the scorer", (), "", verdict)


def test_a_checkers_word_is_kept_as_its_own_and_another_scorers_as_nobodys() -> None:
    rows = (row(0, 5, Verdict.VERIFIED), row(1, 2, Verdict.POSSIBLE), row(2, 3, Verdict.POSSIBLE))
    answer = ScoutResponse("", Status.COMPLETE, rows, training_examples=tuple(map(example, range(4))))
    kept = examples_of(answer, "heuristic", Path("/code/shop"))
    origins = [one.provenance for one in kept if one.provenance is not None]
    assert [one.labeller for one in origins] == ["oracle", "oracle", "heuristic", "heuristic"]
    assert [one.rubric.risk for one in kept] == [5, 2, 3, 3]
    assert {(one.codebase, one.language, one.change_kind) for one in origins} == {("shop", "Python", "rename")}
    others = examples_of(answer, "learned", Path("/code/shop"))
    assert [one.provenance and one.provenance.labeller for one in others] == ["oracle", "oracle", None, None]


def test_what_is_kept_is_read_back_in_order(tmp_path: Path) -> None:
    assert keep([example(0), example(1)], tmp_path / "kept") == 2
    assert keep([example(2)], tmp_path / "kept") == 1
    assert read_kept(tmp_path / "kept").examples == [example(0), example(1), example(2)]
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0


def test_nothing_is_written_where_there_is_nothing_to_keep(tmp_path: Path) -> None:
    assert keep([], tmp_path / "kept") == 0
    assert not (tmp_path / "kept").exists()
    assert read_kept(tmp_path / "kept").examples == []


def test_the_folder_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    for number in range(10):
        keep([example(number)], tmp_path, file_bytes=1, files=3)
    assert [file.name for file in kept_files(tmp_path)] == ["00000007.jsonl", "00000008.jsonl", "00000009.jsonl"]
    assert read_kept(tmp_path).examples == [example(7), example(8), example(9)]


def test_a_line_that_was_cut_short_is_passed_over_and_then_replaced(tmp_path: Path) -> None:
    keep([example(0)], tmp_path)
    (file,) = kept_files(tmp_path)
    with file.open("ab") as stream:
        stream.write(b'{"query": {"que')
    assert read_kept(tmp_path).examples == [example(0)] and not read_kept(tmp_path).unreadable
    keep([example(1)], tmp_path)
    assert read_kept(tmp_path).examples == [example(0), example(1)]


def test_a_line_that_is_no_example_is_counted(tmp_path: Path) -> None:
    keep([example(0)], tmp_path)
    (file,) = kept_files(tmp_path)
    file.write_bytes(b"{}\n" + file.read_bytes() + b"\xff\n")
    found = read_kept(tmp_path)
    assert (found.examples, found.unreadable) == ([example(0)], 2)


def test_a_process_that_is_killed_while_it_keeps_leaves_whole_lines(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests'); from test_keeping import example; from pathlib import Path\n"
        "from interpreters.edge.keeping import keep\n"
        f"while True: keep([example(n) for n in range(200)], Path({str(tmp_path / 'kept')!r})); print(flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    keep([example(7)], tmp_path / "kept")
    found = read_kept(tmp_path / "kept")
    assert found.unreadable == 0 and len(found.examples) >= 601 and found.examples[-1] == example(7)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file cannot be written"):
        keep([example(0)], tmp_path / "file")


def test_the_usual_folder_is_the_users_for_data(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    usual = Path(".local", "share", "tidepool", "kept")
    assert kept_folder({"XDG_DATA_HOME": str(data), "HOME": str(home)}) == data / "tidepool" / "kept"
    assert kept_folder({"XDG_DATA_HOME": "relative", "HOME": str(home)}) == home / usual
    assert kept_folder({}) is None


def test_a_question_keeps_what_it_rated_where_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [QUESTION, "--root", str(FIXTURE), "--format", "json"]
    assert main(asked) == 0
    plain = capsys.readouterr().out
    assert main([*asked, "--keep", str(tmp_path / "kept")]) == 0
    assert capsys.readouterr().out == plain
    kept = read_kept(tmp_path / "kept").examples
    assert {one.provenance.codebase for one in kept if one.provenance} == {"llmapp"}
    verified = [one for one in kept if one.provenance and one.provenance.labeller == "oracle" and one.rubric.risk == 5]
    assert [one.node.location for one in verified] == ["llmapp/pricing.py:15"]


def test_a_question_that_finds_nothing_keeps_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["rename `nowhere_at_all` to `x`", "--root", str(FIXTURE), "--keep", str(tmp_path / "kept")]
    assert main(asked) == 3
    assert capsys.readouterr().out and not (tmp_path / "kept").exists()


def test_an_answer_is_shown_where_it_cannot_be_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([QUESTION, "--root", str(FIXTURE), "--keep", str(tmp_path / "file")]) == 2
    printed = capsys.readouterr()
    assert "pricing.py:15" in printed.out and "cannot be written" in printed.err


def test_a_question_that_was_taken_for_a_folder_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--keep", QUESTION])
    assert "--keep took 'What breaks if I add a variant to LLMKind?' for its folder" in capsys.readouterr().err


def test_a_codebase_cannot_have_answers_kept(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "a.py").write_text("def price() -> int:\n    return 1\n\n\nprice()\n")
    (tmp_path / "shop" / "tidepool.toml").write_text(f'keep = "{tmp_path / "kept"}"\n')
    scout = Path(sys.executable).with_name("semantic-scout")
    ended = subprocess.run(
        [scout, "rename `price` to `cost`", "--root", tmp_path / "shop"],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0 and "keep is not for a codebase to set" in ended.stderr
    assert not (tmp_path / "kept").exists()
