"""Fine-tuning itself: step by step, measured, and so that it can be interrupted and gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import islice
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import attrs

from interpreters.edge.training import checkpoints
from interpreters.edge.training.base import Base
from interpreters.edge.training.devices import Device, flop
from interpreters.edge.training.judging import Judged, judge
from interpreters.edge.training.lora import attach, merge
from interpreters.edge.training.order import Step, count_steps, steps
from interpreters.edge.training.passes import collated, loss_of
from interpreters.edge.training.plot import Point
from interpreters.edge.training.recipes import Recipe, learning_rate
from interpreters.edge.training.rows import Row
from interpreters.edge.training.stopping import Stop
from tidepool.errors import ConfigError

METRICS: Final = "metrics.jsonl"
"""In the folder of a training: a line for each step, and one for each time it was judged."""


@attrs.frozen
class Task:
    """What is to be done.

    Attributes:
        base: what it starts from; its model is changed.
        rows: to train on.
        validation: to judge by after each epoch.
        most_steps: where to end before the recipe does, or None.
        save_every: steps between two checkpoints.
    """

    base: Base
    rows: Sequence[Row]
    validation: Sequence[Row]
    recipe: Recipe
    seed: int
    device: Device
    out: Path
    most_steps: int | None
    save_every: int

    @property
    def steps(self) -> int:
        """How many there are."""
        found = count_steps(len(self.rows), self.recipe)
        return found if self.most_steps is None else min(found, self.most_steps)


class Ended(NamedTuple):
    """How it ended: after which step, with which checkpoint if it was told to stop, and how well it does."""

    step: int
    checkpoint: Path | None
    judged: Judged | None


class _Done(NamedTuple):
    loss: float
    tokens: int
    completions: int


Tell = Callable[[int, str], None]


def tune(task: Task, stop: Stop, tell: Tell, *, resume: bool) -> Ended:
    """Fine-tune a model, until its recipe is done or it is told to stop; then there is a checkpoint.

    Raises:
        ConfigError: there is none to resume from, one cannot be written, or the loss is no number any more.
    """
    torch = import_module("torch")
    torch.manual_seed(task.seed)
    model = task.base.model.to(task.device.name)
    model.train()
    adapters = (
        attach(model, task.recipe.lora_rank, task.recipe.lora_alpha, task.seed) if task.recipe.lora_rank else None
    )
    optimizer = _optimizer(model, task.recipe)
    begun = _resumed(task, model, optimizer) if resume else 0
    log = Log.opened(task.out, begun)
    judged: Judged | None = None
    for step in islice(steps([len(row.tokens) for row in task.rows], task.recipe, task.seed), begun, task.steps):
        loss = _measured_step(task, model, optimizer, step, log)
        tell(step.number, f"loss {loss:.3f}")
        is_last = step.number == task.steps
        if is_last or step.number % count_steps(len(task.rows), attrs.evolve(task.recipe, epochs=1)) == 0:
            judged = judge(model, task.base.vocabulary, task.validation, task.device, task.recipe.batch)
            log.write_judged(step.number, judged)
        if stop.by is not None and not is_last:
            return Ended(step.number, checkpoints.save(task.out, step.number, model, optimizer), judged)
        if is_last or step.number % task.save_every == 0:
            checkpoints.save(task.out, step.number, model, optimizer)
    if judged is None:
        judged = judge(model, task.base.vocabulary, task.validation, task.device, task.recipe.batch)
    if adapters is not None:
        merge(adapters)
    return Ended(task.steps, None, judged)


def _optimizer(model: Any, recipe: Recipe) -> Any:
    """AdamW, whose whole change is one operation, on a CPU as on a GPU."""
    return import_module("torch").optim.AdamW(
        checkpoints.trained(model).values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )


def _resumed(task: Task, model: Any, optimizer: Any) -> int:
    """The step that the last checkpoint was written after."""
    found = checkpoints.latest(task.out)
    if found is None:
        raise ConfigError(f"{task.out} holds no checkpoint: leave --resume out")
    step, folder = found
    checkpoints.restore(folder, model, optimizer)
    return step


def _measured_step(task: Task, model: Any, optimizer: Any, step: Step, log: Log) -> float:
    begun_s = perf_counter()
    rate = learning_rate(task.recipe, step.number, task.steps)
    done = _step(task, model, optimizer, step, rate)
    took_s = perf_counter() - begun_s
    if not isfinite(done.loss):
        raise ConfigError(f"the loss of step {step.number} is {done.loss}: set a lower --learning-rate")
    peak = task.device.peak_flop_s
    share = flop(model, done.tokens, done.completions) / took_s / peak if peak else None
    log.write_step(step, done.loss, rate, done.tokens, took_s, share)
    return done.loss


def _step(task: Task, model: Any, optimizer: Any, step: Step, rate: float) -> _Done:
    """Change the weights once; the loss is the mean over all tokens of completions of the step's batches."""
    given = [collated([task.rows[at] for at in batch], task.device) for batch in step.batches]
    completions = sum(one.completions for one in given)
    total = 0.0
    for one in given:
        loss = loss_of(model, one, task.device)[0] / completions
        loss.backward()
        total += float(loss.detach())
    import_module("torch").nn.utils.clip_grad_norm_(checkpoints.trained(model).values(), task.recipe.clip)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return _Done(total, sum(one.length for one in given), completions)


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
        """Every line that was written whole."""
        if not self.file.exists():
            return []
        text = self.file.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

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
