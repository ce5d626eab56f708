"""`tidepool dataset review`: a person confirms or corrects a queue's labels, with two keys each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO, TypeAlias

import attrs

from interpreters.edge.dataset.corrections import Corrections, opened
from interpreters.edge.dataset.keystrokes import keystrokes
from interpreters.edge.dataset.outcome import DONE, NOTHING, outcome, say
from interpreters.edge.dataset.reading import CORRECTIONS, asked_in, read_corrections, read_lines
from interpreters.edge.printing import printable
from tidepool.domain import TrainingExample
from tidepool.training.judgement import judged, marked
from tidepool.training.uncertainty import LABEL, Doubt, Opinion, worded

VERB: Final = "review"
HOVER_LINES: Final = 12
"""Of a hover are shown: what follows is documentation."""

HELP: Final = """\
  1-5 1-5       the relevance, then the risk
  Enter Enter   keep the label's
  y             keep what was not typed, and go on
  u             undo: take back the digit, or else the example before
  s             skip it: it is shown again next time
  q             quit: what was said is kept
  ?             this
  relevance     5 critical to the query, 4 highly, 3 moderately, 2 tangentially, 1 barely
  risk          5 breaking change required, 4 major refactoring, 3 minor changes, 2 might need an update, 1 none
"""
Clock: TypeAlias = Callable[[], datetime]


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("queue", metavar="QUEUE", type=Path, help="what `tidepool dataset uncertain` wrote")
    add("--data", metavar="DIR", type=Path, required=True, help=f"the dataset; {CORRECTIONS} in it is added to")


def main(arguments: argparse.Namespace) -> int:
    """Ask a person and answer the exit code."""
    return outcome(VERB, lambda: _review(arguments.queue, arguments.data))


def _review(queue: Path, folder: Path) -> int:
    doubts = tuple(read_lines(queue, Doubt, "make the queue again with `tidepool dataset uncertain`"))
    with opened(folder) as corrections, keystrokes(sys.stdin) as keys:
        said = read_corrections(folder)
        left = tuple(doubt for doubt in doubts if asked_in(doubt.example) not in said)
        if len(left) < len(doubts):
            say(VERB, f"{len(doubts) - len(left)} of {len(doubts)} were reviewed before")
        if not left:
            return say(VERB, "nothing is left to review: make a new queue", NOTHING)
        review = Review(left, corrections, sys.stdout, lambda: datetime.now(UTC))
        review.answer(keys)
    say(VERB, f"{review.counted()}; {folder / CORRECTIONS} has what was said")
    return DONE


@attrs.define
class Review:
    """One person at one queue.

    Attributes:
        doubts: what is left to review.
        answers: what was said of those before the one that is shown; None of one that was skipped.
        relevance: of the one that is shown, where its risk is still to come.
    """

    doubts: Sequence[Doubt]
    corrections: Corrections
    out: TextIO
    now: Clock
    answers: list[TrainingExample | None] = attrs.field(factory=list)
    relevance: int | None = None

    def answer(self, keys: Iterator[str]) -> None:
        """Take keys until the queue or they are at an end, or the person quits."""
        self._show()
        for key in keys:
            if key == "q" or (self._is_over and key != "u"):
                break
            self.press(key)
        self.out.write("\n")
        self.out.flush()

    def press(self, key: str) -> None:
        """Do what one key says."""
        if key in _DIGITS:
            self._give(int(key))
        elif key in _KEYS:
            _KEYS[key](self)
        else:
            self._say(f"\n{key!r} means nothing here: ? shows the keys\n")

    def counted(self) -> str:
        """What came of it, in words."""
        skipped = self.answers.count(None)
        pairs = zip(self.answers, self.doubts, strict=False)
        changed = sum(one is not None and _digits(one) != _digits(doubt.example) for one, doubt in pairs)
        return f"{len(self.answers) - skipped - changed} confirmed, {changed} corrected, {skipped} skipped"

    def _keep(self) -> None:
        label = self._shown.rubric
        self._give(label.relevance if self.relevance is None else label.risk)

    def _confirm(self) -> None:
        if self.relevance is None:
            self._keep()
        self._keep()

    def _give(self, digit: int) -> None:
        if self.relevance is None:
            self.relevance = digit
            self._say(f"{digit}  risk? ")
            return
        self._say(f"{digit}\n")
        said = judged(self._shown, self.now(), relevance=self.relevance, risk=digit)
        self.corrections.add([said])
        self._go_on(said)

    def _skip(self) -> None:
        self._say("skipped\n")
        self._go_on(None)

    def _go_on(self, said: TrainingExample | None) -> None:
        self.relevance = None
        self.answers.append(said)
        self._show()

    def _undo(self) -> None:
        if self.relevance is not None:
            self.relevance = None
        elif not self.answers:
            self._say("\nthere is nothing to undo\n")
        elif self.answers.pop() is not None:
            self.corrections.undo()
        self._show()

    def _help(self) -> None:
        self._say(f"\n{HELP}")

    @property
    def _is_over(self) -> bool:
        return len(self.answers) == len(self.doubts)

    @property
    def _shown(self) -> TrainingExample:
        return self.doubts[len(self.answers)].example

    def _show(self) -> None:
        if self._is_over:
            self._say("\nthat was the last: u takes it back, any other key ends\n")
            return
        place = f"{len(self.answers) + 1} of {len(self.doubts)}"
        self._say(f"\n--- {place} ---\n{described(self.doubts[len(self.answers)])}\nrelevance? ")

    def _say(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()


_DIGITS: Final = frozenset("12345")
_KEYS: Final[Mapping[str, Callable[[Review], None]]] = {
    "\n": Review._keep,
    "\r": Review._keep,
    "y": Review._confirm,
    "u": Review._undo,
    "s": Review._skip,
    "?": Review._help,
}


def described(doubt: Doubt) -> str:
    """What a person is shown of an example; code is untrusted text, and what would move the cursor is made visible."""
    example = doubt.example
    query, node = example.query, example.node
    tags = f"  [{', '.join(query.tags)}]" if query.tags else ""
    label = Opinion(_labeller(example), example.rubric)
    others = [one for one in doubt.why if one.scorer != LABEL]
    disputed = example.provenance.disputed if example.provenance else None
    return "\n".join(
        [
            f"{_safe(query.query)}{tags}",
            f"{_safe(node.location)}",
            *_hover(node.hover),
            _safe(marked(node)),
            *(_safe(worded(one)) for one in (label, *others)),
            *([f"disputed: {_safe(disputed)}"] if disputed else []),
        ]
    )


def _hover(hover: str | None) -> list[str]:
    lines = (hover or "").strip().split("\n")
    more = ["  …"] if len(lines) > HOVER_LINES else []
    return [f"  {_safe(line)}" for line in lines[:HOVER_LINES] if line] + more


def _labeller(example: TrainingExample) -> str:
    labeller = example.provenance.labeller if example.provenance else None
    return f"{LABEL} ({labeller})" if labeller else LABEL


def _digits(example: TrainingExample) -> tuple[int, int]:
    return example.rubric.relevance, example.rubric.risk


def _safe(text: str) -> str:
    return "\n".join(map(printable, text.expandtabs(4).split("\n")))
