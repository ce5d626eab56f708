"""Which examples a person is asked about, and what becomes of the keys they press at a terminal or through a pipe."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from io import StringIO
from pathlib import Path
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.edge.dataset import uncertain
from interpreters.edge.dataset.corrections import opened
from interpreters.edge.dataset.keystrokes import keystrokes
from interpreters.edge.dataset.reading import CORRECTIONS, read_corrections, read_examples
from interpreters.edge.dataset.review import Review
from interpreters.gemma.heuristic import heuristic
from tests.score_client import served_by_a_thread
from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, Tag, TrainingExample
from tidepool.eff import run
from tidepool.effects.gemma import RateNode
from tidepool.errors import ModelFailure
from tidepool.testing import values
from tidepool.training.judgement import CORRECTED, judged, marked
from tidepool.training.uncertainty import (
    Doubt,
    Opinion,
    disagreement,
    entropy,
    estimated,
    opinions_of,
    told,
    unsureness,
    weighed,
)
from tidepool.wire import dumps, loads

WHEN: Final = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
LATER: Final = datetime(2026, 2, 1, tzinfo=UTC)
QUERY: Final = QueryContext("rename `price` to `cost`", (Tag.FUNCTION,))


RUN: Final = (
    "import argparse, sys; from interpreters.edge.dataset import {} as verb\n"
    "parser = argparse.ArgumentParser(); verb.flags(parser); sys.exit(verb.main(parser.parse_args()))"
)
CALLED: Final = Rubric(5, 4, 4, "It is called here")


def example(line: int, rubric: Rubric = CALLED, labeller: str = "oracle") -> TrainingExample:
    node = NodeContext(f"app/pay.py:{line}", "def price() -> int", f"one\ntwo\n{line}: price()\nfour")
    return TrainingExample(QUERY, node, rubric, WHEN, Provenance("shop", labeller=labeller))


# How unsure.


def test_a_certain_scorer_has_no_entropy_and_one_that_guesses_has_all() -> None:
    assert unsureness(estimated(Rubric(3, 4, 5, ""))) == 0
    assert unsureness(estimated(Rubric(3, 4, 1, ""))) == pytest.approx(1)
    assert entropy((0.5, 0.5, 0, 0, 0)) == pytest.approx(0.4307, abs=1e-4)


@given(values.rubrics)
def test_an_estimated_belief_is_a_distribution_about_the_rubrics_own_digit(rubric: Rubric) -> None:
    belief = estimated(rubric)
    for digit, distribution in ((rubric.relevance, belief.relevance), (rubric.risk, belief.risk)):
        assert sum(distribution) == pytest.approx(1)
        assert distribution[digit - 1] == pytest.approx(max(distribution)) == pytest.approx(rubric.confidence / 5)


@given(st.integers(1, 4))
def test_who_is_surer_is_less_unsure(confidence: int) -> None:
    surer, less_sure = Rubric(3, 3, confidence + 1, ""), Rubric(3, 3, confidence, "")
    assert unsureness(estimated(surer)) < unsureness(estimated(less_sure))


@given(st.lists(values.rubrics, min_size=1, max_size=4))
def test_disagreement_is_a_share_that_is_nothing_where_all_say_the_same(rubrics: list[Rubric]) -> None:
    assert 0 <= disagreement(rubrics) <= 1
    same = len({(rubric.relevance, rubric.risk) for rubric in rubrics}) == 1
    assert (disagreement(rubrics) == 0) is same


def test_disagreement_grows_with_the_gap() -> None:
    near, far = [Rubric(5, 5, 5, ""), Rubric(4, 5, 5, "")], [Rubric(5, 5, 5, ""), Rubric(1, 1, 5, "")]
    assert (disagreement(near), disagreement(far)) == (0.125, 1)


def test_the_labels_own_confidence_is_nobodys_entropy() -> None:
    doubt = weighed(example(1), (Opinion("sure", Rubric(5, 4, 5, "")), Opinion("label", Rubric(5, 4, 1, ""))))
    assert doubt.score == 0


def test_a_program_asks_each_interpreter_for_its_opinions() -> None:
    flat = RateNode.by(lambda op: Rubric(1, 1, 1, op.node.location))
    first, second = (told(run(opinions_of([example(3), example(4)]), one)).unwrap() for one in (flat, heuristic()))
    assert [rubric.reasoning for rubric in first] == ["app/pay.py:3", "app/pay.py:4"]
    assert [rubric.risk for rubric in second] == [5, 5]


def test_a_scorer_that_fails_at_one_example_still_answers_for_the_others() -> None:
    def rate(op: RateNode) -> Rubric:
        if op.node.line == 2:
            raise ModelFailure("model", "it is tired", op.node.location)
        return Rubric(1, 1, 1, "")

    failed, rated = run(opinions_of([example(2), example(3)]), RateNode.by(rate))
    assert told([failed]).failure().location == "app/pay.py:2"
    assert told([rated]).unwrap() == [Rubric(1, 1, 1, "")]


# What a person says.


def test_what_a_person_confirms_is_certain_and_keeps_its_reason() -> None:
    said = judged(example(3), LATER, relevance=5, risk=4)
    assert said.rubric == Rubric(5, 4, 5, "It is called here")
    assert said.provenance == Provenance("shop", labeller="person")
    assert said.timestamp == LATER


def test_what_a_person_corrects_keeps_what_the_label_said() -> None:
    said = judged(example(3), LATER, relevance=2, risk=1)
    assert said.rubric == Rubric(2, 1, 5, CORRECTED)
    assert said.provenance is not None
    assert said.provenance.disputed == "the label (oracle) says relevance 5, risk 4: It is called here"


@pytest.mark.parametrize(
    ("line", "snippet", "shown"),
    [
        (12, "a\nb\nc\nd\ne", ["     10 | a", "     11 | b", ">    12 | c", "     13 | d", "     14 | e"]),
        (1, "a\nb\nc", [">     1 | a", "      2 | b", "      3 | c"]),
        (2, "a\nb\nc", ["      1 | a", ">     2 | b", "      3 | c"]),
        (9, "a", [">     9 | a"]),
    ],
)
def test_the_line_of_a_node_is_marked_and_numbered(line: int, snippet: str, shown: list[str]) -> None:
    node = NodeContext(f"a.py:{line}", None, snippet)
    assert marked(node).split("\n") == shown
    (of_node,) = [row for row in shown if row.startswith(">")]
    assert of_node.endswith(f" | {node.code}")


# The queue.


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rows = [
        example(3),  # as the heuristic says
        example(4, Rubric(1, 1, 5, "A checker finds nothing wrong")),
        example(5, Rubric(3, 2, 5, "It is near")),
        example(6, Rubric(1, 1, 5, "Seen before"), labeller="person"),
    ]
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    (folder / "train/00000.jsonl").write_text("".join(f"{dumps(row)}\n" for row in rows))
    return folder


def ranked(folder: Path, *flags: str) -> int:
    parser = argparse.ArgumentParser()
    uncertain.flags(parser)
    return uncertain.main(parser.parse_args([str(folder), *flags]))


def queued(capsys: pytest.CaptureFixture[str], folder: Path, *flags: str) -> list[Doubt]:
    assert ranked(folder, *flags) == 0
    return [loads(Doubt, line) for line in capsys.readouterr().out.splitlines()]


def asking_a_model(address: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TIDEPOOL_MODEL_URL": address}
    return subprocess.run(
        [sys.executable, "-c", RUN.format("uncertain"), str(folder), *flags],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_where_rules_and_label_are_furthest_apart_comes_first(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = queued(capsys, dataset)
    assert [doubt.example.node.line for doubt in found] == [4, 5, 3]
    assert [opinion.scorer for opinion in found[0].why] == ["heuristic", "label"]
    assert found[0].score > found[1].score > found[2].score


def test_a_queue_is_as_long_as_is_asked_for_and_goes_into_a_file(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "queue.jsonl"
    assert queued(capsys, dataset, "--top", "2", "--out", str(out)) == []
    assert [loads(Doubt, line).example.node.line for line in out.read_text().splitlines()] == [4, 5]


def test_named_scorers_are_compared_with_each_other(
    dataset: Path,
) -> None:
    other = RateNode.by(lambda op: Rubric(5, 5 if op.node.line == 4 else 1, 5, "a model"))
    with served_by_a_thread(other) as address:
        ended = asking_a_model(address, dataset, "--scorer", "heuristic", "--scorer", "model")
    found = [loads(Doubt, line) for line in ended.stdout.splitlines()]
    assert [opinion.scorer for opinion in found[0].why] == ["heuristic", "model"]
    assert [doubt.example.node.line for doubt in found] == [3, 5, 4]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--scorer", "oracle"], "the scorer oracle asks a codebase, and a dataset holds none: name another one"),
        (["--scorer", "heuristik"], "did you mean heuristic?"),
        (["--split", "test"], "there is no test/*.jsonl in it"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    dataset: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ranked(dataset, *flags) == 2
    assert said in capsys.readouterr().err


def test_a_dataset_that_persons_have_read_through_gives_no_queue(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dataset / "train/00000.jsonl").write_text(f"{dumps(example(6, labeller='person'))}\n")
    assert ranked(dataset) == 3
    assert "there is no example that no person has seen" in capsys.readouterr().err


def test_a_scorer_that_is_not_there_is_told(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "queue.jsonl"
    ended = asking_a_model("http://127.0.0.1:9", dataset, "--scorer", "model", "--out", str(out))
    assert ended.returncode == 4
    assert "3 examples were left out, since a scorer did not rate them: model: cannot be reached" in ended.stderr
    assert not out.exists()


# The review.


@pytest.fixture
def queue(dataset: Path, tmp_path: Path) -> Path:
    out = tmp_path / "queue.jsonl"
    assert ranked(dataset, "--out", str(out)) == 0
    return out


def command(queue: Path, dataset: Path) -> list[str]:
    return [sys.executable, "-c", RUN.format("review"), str(queue), "--data", str(dataset)]


def piped(queue: Path, dataset: Path, keys: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(queue, dataset), input=keys, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def said_of(dataset: Path) -> list[tuple[int, int, int]]:
    """The line, the relevance and the risk of every correction, in the order of the file."""
    rows = [loads(TrainingExample, line) for line in (dataset / CORRECTIONS).read_text().splitlines()]
    return [(row.node.line, row.rubric.relevance, row.rubric.risk) for row in rows]


def test_two_keys_correct_or_confirm_an_example(queue: Path, dataset: Path) -> None:
    ended = piped(queue, dataset, "23\n\ny")
    assert ended.returncode == 0, ended.stderr
    assert said_of(dataset) == [(4, 2, 3), (5, 3, 2), (3, 5, 4)]
    assert "2 confirmed, 1 corrected, 0 skipped" in ended.stderr


def test_what_was_said_wins_when_the_dataset_is_read(queue: Path, dataset: Path) -> None:
    pressed(queue, dataset, "23q")
    read = {one.node.line: one for _, one in read_examples(dataset)}
    assert read[4].rubric.risk == 3 and read[5].rubric.risk == 2
    assert read[4].provenance == Provenance(
        "shop", labeller="person", disputed="the label (oracle) says relevance 1, risk 1: A checker finds nothing wrong"
    )


def test_the_question_the_code_and_every_opinion_are_shown(queue: Path, dataset: Path) -> None:
    shown = pressed(queue, dataset, "q")
    assert "--- 1 of 3 ---\nrename `price` to `cost`  [Function]\napp/pay.py:4\n  def price() -> int\n" in shown
    assert ">     4 | 4: price()\n" in shown
    assert "label (oracle): relevance 1, risk 1, confidence 5: A checker finds nothing wrong\n" in shown
    assert "heuristic: relevance 5, risk 5" in shown


def test_a_review_goes_on_where_it_stopped(queue: Path, dataset: Path) -> None:
    assert piped(queue, dataset, "11q").returncode == 0
    ended = piped(queue, dataset, "22s")
    assert "1 of 3 were reviewed before" in ended.stderr
    assert "--- 1 of 2 ---" in ended.stdout
    assert said_of(dataset) == [(4, 1, 1), (5, 2, 2)]
    assert "--- 1 of 1 ---" in piped(queue, dataset, "33").stdout, "what was skipped is asked again"
    assert piped(queue, dataset, "").returncode == 3


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("1u22q", [(4, 2, 2)]),  # a digit is taken back
        ("11u22q", [(4, 2, 2)]),  # an answer is
        ("s11u33q", [(5, 3, 3)]),
        ("11suu22q", [(4, 2, 2)]),  # a skip, and then an answer
        ("u22q", [(4, 2, 2)]),
        ("112233u44", [(4, 1, 1), (5, 2, 2), (3, 4, 4)]),  # also the last
        ("1y", [(4, 1, 1)]),  # y keeps what was not typed
        ("x?0622q", [(4, 2, 2)]),  # keys that mean nothing, and help
        ("\x1b[1;5C\x1bOA22q", [(4, 2, 2)]),  # keys that are no characters
        ("1\x0444", []),  # Ctrl-D
        ("", []),
    ],
)
def test_keys_can_be_taken_back_and_others_do_no_harm(
    queue: Path, dataset: Path, keys: str, said: list[tuple[int, int, int]]
) -> None:
    pressed(queue, dataset, keys)
    assert said_of(dataset) == said


def pressed(queue: Path, dataset: Path, keys: str) -> str:
    """What is shown to a person who presses keys, without a process of its own."""
    doubts = [loads(Doubt, line) for line in queue.read_text().splitlines()]
    out = StringIO()
    read, write = os.pipe()
    with os.fdopen(write, "w") as typed:
        typed.write(keys)
    with os.fdopen(read) as stream, opened(dataset) as corrections, keystrokes(stream) as typed_keys:
        Review(doubts, corrections, out, lambda: LATER).answer(typed_keys)
    return out.getvalue()


def test_help_says_what_the_keys_and_the_digits_mean(queue: Path, dataset: Path) -> None:
    shown = pressed(queue, dataset, "?xq")
    assert "u             undo" in shown and "5 breaking change required" in shown
    assert "'x' means nothing here" in shown


def test_code_cannot_move_the_cursor(dataset: Path, tmp_path: Path) -> None:
    node = NodeContext("a.py:1", "\x1b[2J", "\x1b]0;owned\x07 price")
    doubt = Doubt(attrs.evolve(example(1), node=node), 1.0, ())
    (tmp_path / "queue.jsonl").write_text(f"{dumps(doubt)}\n")
    assert "\x1b" not in pressed(tmp_path / "queue.jsonl", dataset, "q")


def test_what_a_kill_left_of_a_line_is_cut_off(queue: Path, dataset: Path) -> None:
    pressed(queue, dataset, "11q")
    whole = (dataset / CORRECTIONS).read_text()
    (dataset / CORRECTIONS).write_text(whole + whole[:-40])
    pressed(queue, dataset, "22q")
    assert said_of(dataset) == [(4, 1, 1), (4, 2, 2)]


def test_a_last_line_that_is_whole_but_for_its_end_is_kept(queue: Path, dataset: Path) -> None:
    pressed(queue, dataset, "11q")
    (dataset / CORRECTIONS).write_text((dataset / CORRECTIONS).read_text().rstrip("\n"))
    pressed(queue, dataset, "22q")
    assert said_of(dataset) == [(4, 1, 1), (4, 2, 2)]


def test_two_cannot_review_at_once(queue: Path, dataset: Path) -> None:
    with (dataset / CORRECTIONS).open("ab") as other:
        flock(other, LOCK_EX)
        ended = piped(queue, dataset, "11")
    assert ended.returncode == 2
    assert "is being added to by another process: wait for it, or end it" in ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]\n", "queue.jsonl:1: a doubt: [] is not"),
        (None, "queue.jsonl cannot be read (No such file or directory)"),
    ],
)
def test_what_is_no_queue_is_refused(dataset: Path, tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "queue.jsonl").write_text(text)
    ended = piped(tmp_path / "queue.jsonl", dataset, "11")
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_folder_without_a_dataset_is_refused_and_stays_as_it_is(queue: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ended = piped(queue, tmp_path / "other", "11")
    assert ended.returncode == 2
    assert "holds no dataset" in ended.stderr
    assert not list((tmp_path / "other").iterdir())


# At a terminal.


@attrs.frozen
class Terminal:
    """A pseudo-terminal with the review at its end."""

    person: int
    process: subprocess.Popen[bytes]

    def wait_for(self, text: str) -> str:
        seen = b""
        while text.encode() not in seen:
            data = os.read(self.person, 4096)
            assert data, f"{text!r} was never shown; this was: {seen!r}"
            seen += data
        return seen.decode()

    def type(self, keys: str) -> None:
        os.write(self.person, keys.encode())

    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self.person))

    def waits_for_lines(self) -> bool:
        return bool(termios.tcgetattr(self.person)[3] & termios.ICANON)


@contextmanager
def at_a_terminal(arguments: Sequence[str]) -> Iterator[Terminal]:
    person, end = os.openpty()
    process = subprocess.Popen(arguments, stdin=end, stdout=end, stderr=subprocess.PIPE, start_new_session=True)
    try:
        yield Terminal(person, process)
    finally:
        process.kill()
        process.communicate()
        os.close(person)
        os.close(end)


def test_at_a_terminal_keys_need_no_enter(queue: Path, dataset: Path) -> None:
    with at_a_terminal(command(queue, dataset)) as terminal:
        before = terminal.settings()
        terminal.wait_for("relevance? ")
        assert not terminal.waits_for_lines()
        terminal.type("2")
        terminal.wait_for("2  risk? ")
        terminal.type("3")
        terminal.wait_for("2 of 3")
        terminal.type("\r\r")
        terminal.wait_for("3 of 3")
        terminal.type("q")
        assert terminal.process.wait(20) == 0
        assert terminal.settings() == before
    assert said_of(dataset) == [(4, 2, 3), (5, 3, 2)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)])
def test_a_signal_ends_it_in_order_and_leaves_the_terminal_as_it_was(
    queue: Path, dataset: Path, number: signal.Signals, code: int
) -> None:
    with at_a_terminal(command(queue, dataset)) as terminal:
        before = terminal.settings()
        terminal.wait_for("relevance? ")
        terminal.type("11")
        terminal.wait_for("2 of 3")
        assert terminal.settings() != before
        terminal.process.send_signal(number)
        assert terminal.process.wait(20) == code
        assert terminal.settings() == before
    assert said_of(dataset) == [(4, 1, 1)]


def test_an_error_leaves_the_terminal_as_it_was(queue: Path, dataset: Path) -> None:
    (dataset / CORRECTIONS).write_text("{}\n")
    with at_a_terminal(command(queue, dataset)) as terminal:
        before = terminal.settings()
        assert terminal.process.wait(20) == 2
        assert terminal.settings() == before
        assert terminal.process.stderr is not None
        assert f"{CORRECTIONS}:1: query: missing" in terminal.process.stderr.read().decode()


def test_what_was_said_before_a_kill_is_kept(queue: Path, dataset: Path) -> None:
    with at_a_terminal(command(queue, dataset)) as terminal:
        terminal.wait_for("relevance? ")
        terminal.type("11")
        terminal.wait_for("2 of 3")
        terminal.process.kill()
        terminal.process.wait(20)
    assert [one.rubric.risk for one in read_corrections(dataset).values()] == [1]
    assert json.loads((dataset / CORRECTIONS).read_text())["provenance"]["labeller"] == "person"
