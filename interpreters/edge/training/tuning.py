"""Fine-tuning itself, with TRL's trainer for supervised fine-tuning: what it is given, and how it is gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from math import ceil
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final, NamedTuple
from warnings import catch_warnings, filterwarnings

import attrs

from interpreters.edge.training import checkpoints
from interpreters.edge.training.base import Base
from interpreters.edge.training.devices import Device
from interpreters.edge.training.judging import Judged, judge
from interpreters.edge.training.order import Batches, count_steps, steps
from interpreters.edge.training.recipes import COSINE, Recipe
from interpreters.edge.training.rows import Row
from interpreters.edge.training.stopping import Stop
from interpreters.edge.training.watching import Cadence, Log, Tell, Watch
from tidepool.errors import ConfigError

LAYERS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of a block, which adapters stand beside; the embeddings stay as they are."""

NOT_LEARNT: Final = -100
"""The label of a token that adds nothing to the loss."""


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

    @property
    def lengths(self) -> list[int]:
        """Of the rows, in tokens."""
        return [len(row.tokens) for row in self.rows]

    def judged(self) -> Judged | None:
        """How well the model does by now."""
        return judge(self.base.model, self.base.vocabulary, self.validation, self.device, self.recipe.batch)


class Ended(NamedTuple):
    """How it ended: after which step, with which checkpoint if it was told to stop, and how well it does."""

    step: int
    checkpoint: Path | None
    judged: Judged | None


def tune(task: Task, stop: Stop, tell: Tell, *, resume: bool) -> Ended:
    """Fine-tune a model, until its recipe is done or it is told to stop; then there is a checkpoint.

    Raises:
        ConfigError: there is none to resume from, one cannot be read or written, or the loss is no number any more.
    """
    begun, folder = _begun(task) if resume else (0, None)
    watch = _watch(task, begun, stop, tell)
    trainer = _trainer(task, watch)
    _train(trainer, watch, folder, is_done=begun == task.steps)
    ended: int = max(begun, trainer.state.global_step)
    if ended < task.steps:
        return Ended(ended, checkpoints.place(task.out, ended), watch.judged)
    judged = watch.judged or task.judged()
    if task.recipe.lora_rank:
        trainer.model.merge_and_unload()
    return Ended(ended, None, judged)


def _begun(task: Task) -> tuple[int, Path]:
    """The last checkpoint, and the step that it was written after."""
    if (found := checkpoints.latest(task.out)) is None:
        raise ConfigError(f"{task.out} holds no checkpoint: leave --resume out")
    return found


def _watch(task: Task, begun: int, stop: Stop, tell: Tell) -> Watch:
    made = type("Watching", (Watch, import_module("transformers").TrainerCallback), {})
    found: Watch = made(
        task.base.model,
        task.rows,
        islice(steps(task.lengths, task.recipe, task.seed), begun, None),
        Cadence(task.steps, count_steps(len(task.rows), attrs.evolve(task.recipe, epochs=1)), task.save_every),
        task.device,
        Log.opened(task.out, begun),
        stop,
        tell,
        task.judged,
    )
    return found


class _Ours:
    """What a trainer does otherwise than TRL's: rows of a like length together, and nothing for others to know."""

    batches: Batches

    def get_train_dataloader(self: Any) -> Any:
        """Batches in an order of ours: the trainer's own one by length is another one once it is resumed."""
        loader = import_module("torch").utils.data.DataLoader
        return self.accelerator.prepare(
            loader(self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator)
        )

    def create_model_card(self, **_told: Any) -> None:
        """None: `card.json` is written in the end."""

    def _send_telemetry(self) -> None:
        """None is sent."""


def _trainer(task: Task, watch: Watch) -> Any:
    """TRL's trainer, with rows that it need not prepare."""
    trl, datasets, transformers = (import_module(name) for name in ("trl", "datasets", "transformers"))
    transformers.utils.logging.set_verbosity_error()
    kind: Any = type("Tuner", (_Ours, trl.SFTTrainer), {})
    task.base.model.name_or_path = ""  # by which peft would ask the hub, each time it saves
    with catch_warnings():
        filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks for it
        trainer = kind(
            model=task.base.model,
            args=_arguments(task),
            train_dataset=datasets.Dataset.from_dict(
                {"input_ids": [row.tokens.tolist() for row in task.rows], "labels": [_labels(row) for row in task.rows]}
            ),
            processing_class=task.base.vocabulary.tokenizer,
            callbacks=[watch],
            peft_config=adapters(task.recipe) if task.recipe.lora_rank else None,
        )
    trainer.remove_callback(import_module("transformers.trainer_callback").PrinterCallback)
    trainer.batches = Batches(task.lengths, task.recipe.batch, task.seed)
    return trainer


def _labels(row: Row) -> list[int]:
    return [NOT_LEARNT] * row.prompt + row.tokens[row.prompt :].tolist()


def adapters(recipe: Recipe) -> Any:
    """What adapters of a recipe are, in the words of peft."""
    peft: Any = import_module("peft")
    return peft.LoraConfig(
        r=recipe.lora_rank, lora_alpha=recipe.lora_alpha, target_modules=list(LAYERS), task_type="CAUSAL_LM"
    )


def _arguments(task: Task) -> Any:
    recipe, device = task.recipe, task.device
    made = import_module("trl").SFTConfig(
        output_dir=str(task.out / checkpoints.FOLDER),
        seed=task.seed,
        use_cpu=device.name == "cpu",
        bf16=device.is_bf16,
        max_steps=task.steps,
        per_device_train_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulate,
        activation_checkpointing=False,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine" if recipe.schedule == COSINE else "constant_with_warmup",
        warmup_steps=ceil(recipe.warmup * task.steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.clip,
        # The rows are tokens already, and none of them too long: none is cut, and no text is appended to one.
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        # Its callback says when to save and to judge, and what to tell whom.
        save_strategy="no",
        save_total_limit=checkpoints.KEPT,
        eval_strategy="no",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )
    made._n_gpu = min(made.n_gpu, 1)  # TRL refuses several, and there is no other way to say that one will do
    return made


def _train(trainer: Any, watch: Watch, folder: Path | None, *, is_done: bool) -> None:
    """Train, or only load what is trained already.

    Raises:
        ConfigError: a checkpoint cannot be read or written.
    """
    try:
        if is_done:
            trainer._load_from_checkpoint(str(folder))  # resuming would add a step to the last one
        else:
            trainer.train(resume_from_checkpoint=None if folder is None else str(folder))
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, UnpicklingError, _broken()) as error:
        if watch.is_saving:
            raise ConfigError(
                f"{trainer.args.output_dir} cannot be written ({_reason(error)}): make room, and go on with --resume,"
                " or name another --out"
            ) from error
        if folder is not None and not watch.is_begun:
            raise ConfigError(f"{folder} cannot be read: remove it, and go on from the one before it") from error
        raise


def _broken() -> type[Exception]:
    found: type[Exception] = import_module("safetensors").SafetensorError
    return found


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).partition("\n")[0]
