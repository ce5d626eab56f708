"""What is done beside a training after each of its steps: measuring it, judging it, and ending it when told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeAlias

import attrs

from interpreters.edge.training.checkpoints import place, seal
from interpreters.edge.training.devices import Device, flop
from interpreters.edge.training.judging import Judged
from interpreters.edge.training.order import Step
from interpreters.edge.training.plot import Point
from interpreters.edge.training.rows import Row
from interpreters.edge.training.stopping import Stop
from tidepool.errors import ConfigError

METRICS: Final = "metrics.jsonl"
"""In the folder of a training: a line for each step, and one for each time it was judged."""

Tell: TypeAlias = Callable[[int, str], None]
"""Takes the number of the step, and what is to be told of it."""


class Cadence(NamedTuple):
    """After which steps what is done: all of them, those of an epoch, and those between two checkpoints."""

    steps: int
    epoch: int
    save: int


@attrs.define(slots=False, eq=False)
class Watch:
    """A trainer's callback.

    Attributes:
        rows: that are trained on.
        order: the steps that are to come.
        judge: how well the model does by now.
        judged: how well it did when it was judged last.
        is_begun: whether a step was.
        is_saving: whether a checkpoint is being written.
    """

    model: Any
    rows: Sequence[Row]
    order: Iterator[Step]
    cadence: Cadence
    device: Device
    log: Log
    stop: Stop
    tell: Tell
    judge: Callable[[], Judged | None]
    judged: Judged | None = None
    is_begun: bool = False
    is_saving: bool = False
    _begun_s: float = attrs.field(default=0.0, init=False)

    def on_step_begin(self, _arguments: Any, _state: Any, _control: Any, **_more: Any) -> None:
        """Called by the trainer before a step."""
        self.is_begun = True
        self._begun_s = perf_counter()

    def on_log(self, _arguments: Any, _state: Any, control: Any, logs: dict[str, Any], **_more: Any) -> None:
        """Called by the trainer when it knows the loss of a step, and before it saves.

        Raises:
            ConfigError: the loss is no number any more.
        """
        if "loss" not in logs:  # what it says in the end of all steps together
            return
        step = next(self.order)
        self._measure(step, logs["loss"], logs["learning_rate"])
        self.tell(step.number, f"loss {logs['loss']:.3f}")
        is_last = step.number == self.cadence.steps
        if is_last or step.number % self.cadence.epoch == 0:
            self.judged = self.judge()
            self.log.write_judged(step.number, self.judged)
        control.should_training_stop = is_last or self.stop.by is not None
        control.should_save = self.is_saving = control.should_training_stop or step.number % self.cadence.save == 0

    def on_save(self, _arguments: Any, state: Any, _control: Any, **_more: Any) -> None:
        """Called by the trainer when a checkpoint is written."""
        seal(place(self.log.file.parent, state.global_step))
        self.is_saving = False

    def _measure(self, step: Step, loss: float, rate: float) -> None:
        took_s = perf_counter() - self._begun_s
        if not isfinite(loss):
            raise ConfigError(f"the loss of step {step.number} is {loss}: set a lower --learning-rate")
        rows = [self.rows[at] for batch in step.batches for at in batch]
        tokens = sum(len(row.tokens) for row in rows)
        completions = tokens - sum(row.prompt for row in rows)
        peak = self.device.peak_flop_s
        share = flop(self.model, tokens, completions) / took_s / peak if peak else None
        self.log.write_step(step, loss, rate, tokens, took_s, share)


@attrs.frozen
class Log:
    """The file of metrics."""

    file: Path

    @classmethod
    def opened(cls, out: Path, step: int) -> Log:
        """The log of a training as far as a step; what follows it is taken away, since it will be done again."""
        log = cls(out / METRICS)
        kept = [line for line in log.lines() if line["step"] <= step]
        log.file.write_text("".join(f"{json.dumps(line)}\n" for line in kept), encoding="utf-8")
        return log

    def lines(self) -> list[dict[str, Any]]:
        """Every line that was written whole; what else stands there is passed over."""
        if not self.file.exists():
            return []
        text = self.file.read_text(encoding="utf-8", errors="replace")
        return [line for line in map(_read, text.splitlines(keepends=True)) if line is not None]

    def write_step(self, step: Step, loss: float, rate: float, tokens: int, took_s: float, share: float | None) -> None:
        """A line for a step."""
        known = {} if share is None else {"share_of_peak": round(share, 4)}
        self._write(
            {
                "step": step.number,
                "epoch": step.epoch,
                "loss": loss,
                "learning_rate": rate,
                "tokens": tokens,
                "tokens_per_s": round(tokens / took_s, 1),
                **known,
            }
        )

    def write_judged(self, step: int, judged: Judged | None) -> None:
        """A line for a judgement."""
        if judged is not None:
            self._write({"step": step, "validation": attrs.asdict(judged)})

    def _write(self, line: dict[str, Any]) -> None:
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(line)}\n")

    def losses(self) -> tuple[list[Point], list[Point]]:
        """Steps with their losses: of training, and of validation."""
        lines = self.lines()
        training = [(line["step"], line["loss"]) for line in lines if "loss" in line]
        return training, [(line["step"], line["validation"]["loss"]) for line in lines if "validation" in line]


def _read(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text) if text.endswith("\n") else None
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None
