"""`tidepool train functiongemma`: fine-tune FunctionGemma, or a small model of its kind, on a dataset."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from hashlib import file_digest, sha256
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

import attrs

from interpreters.edge.dataset.outcome import DONE, INTERRUPTED, NOTHING, outcome
from interpreters.edge.dataset.outcome import say as say_of
from interpreters.edge.dataset.reading import read_corrections
from interpreters.edge.dataset.told import told
from interpreters.edge.dataset.whole import written_whole
from interpreters.edge.ending import TERMINATED
from interpreters.edge.training import checkpoints, devices, recipes, shapes
from interpreters.edge.training.base import Base, check_base, load_base, require_extra
from interpreters.edge.training.judging import Written, spread, write
from interpreters.edge.training.plot import loss_plot
from interpreters.edge.training.recipes import Recipe
from interpreters.edge.training.rows import RowMaker, Split, data_hash, examples_of, read_split
from interpreters.edge.training.stopping import told_to_stop
from interpreters.edge.training.tuning import Ended, Task, tune
from interpreters.edge.training.vocabulary import plain_parts
from interpreters.edge.training.watching import METRICS, Log
from tidepool.domain import TrainingExample
from tidepool.errors import ConfigError
from tidepool.training.functiongemma import render

VERB: Final = "functiongemma"
COMMAND: Final = "train"
PLAN: Final = "plan.json"
CARD: Final = "card.json"
PLOT: Final = "loss.svg"

MOST_THREADS: Final = 1024

TEXTS: Final = 4000
"""Examples that a small model's tokenizer is learnt from."""
TEXT_CHARACTERS: Final = 4096
"""Of one text of them: a longer one is data, and teaches no words."""


@attrs.frozen
class Plan:
    """What is trained: a training goes on only where this is the same. Written to its folder.

    Attributes:
        base_sha256: of the files of a base that is a folder, or "".
        data: a hash of what it is trained on.
        most_steps: where it ends before the recipe does, or None.
        declared: whether prompts declare the function.
    """

    base: str
    base_sha256: str
    data: str
    recipe: Recipe
    seed: int
    most_steps: int | None
    declared: bool
    is_bf16: bool

    def wire(self) -> dict[str, Any]:
        """As plain data."""
        return attrs.asdict(self)


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("--data", metavar="DIR", type=Path, required=True, help="what `tidepool dataset build` wrote")
    add(
        "--base",
        metavar="PATH|NAME|tiny",
        required=True,
        help=f"a model's folder, its name on the hub, or random weights: {' or '.join(shapes.SHAPES)}",
    )
    add("--out", metavar="DIR", type=Path, required=True, help="the folder that the model is written to")
    add("--resume", action="store_true", help="go on from the last checkpoint in --out")
    add("--seed", type=_seed, default=0, metavar="N", help="of the order of rows, and of random weights (default: 0)")
    add("--steps", type=_count, metavar="N", help="end after so many (default: when the recipe's epochs are over)")
    add("--without-declaration", action="store_true", help="leave the function's declaration out of the prompts")
    add("--device", choices=devices.DEVICES, default="auto", help="(default: a GPU where there is one)")
    add("--precision", choices=devices.PRECISIONS, default="auto", help="(default: bf16 on a GPU, else fp32)")
    add("--threads", type=_threads, metavar="N", help="of the processor (default: all cores)")
    add("--save-every", type=_count, default=200, metavar="N", help="steps between two checkpoints (default: 200)")
    add("--judge", type=_count, default=512, metavar="N", help="rows to validate with, at most (default: 512)")
    add("--write", type=_count, default=16, metavar="N", help="rows to write calls for in the end (default: 16)")
    recipes.flags(parser)


def _count(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 up is needed")
    return value


def _threads(text: str) -> int:
    if (value := _count(text)) > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{MOST_THREADS} threads are the most")
    return value


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 to 999999999")
    return int(text)


def main(arguments: argparse.Namespace) -> int:
    """Train, and answer the exit code."""
    return outcome(VERB, lambda: _train(arguments), COMMAND)


def _train(arguments: argparse.Namespace) -> int:
    recipe = recipes.chosen(arguments.recipe or _usual(arguments.base), arguments)
    check_base(arguments.base)
    require_extra()
    device = devices.chosen(arguments.device, arguments.precision)
    declared = not arguments.without_declaration
    data = data_hash(arguments.data)
    plan = Plan(
        arguments.base,
        _base_hash(arguments.base),
        data,
        recipe,
        arguments.seed,
        arguments.steps,
        declared,
        device.is_bf16,
    )
    _check_out(arguments.out, plan, resume=arguments.resume)
    if arguments.threads:
        import_module("torch").set_num_threads(arguments.threads)
    base = load_base(arguments.base, lambda: _texts(arguments.data, declared=declared), arguments.seed)
    maker = RowMaker(base.vocabulary, recipe.max_tokens, declared)
    splits = {split: read_split(arguments.data, split, maker) for split in _splits(arguments.data)}
    _tell_rows(splits)
    if not splits["train"].rows:
        return say_of(
            VERB, "there is no row to train on: build the dataset again, or raise --max-tokens", NOTHING, COMMAND
        )
    _write_json(arguments.out / PLAN, plan.wire())
    judged_by = spread(splits["validation"].rows, arguments.judge) if "validation" in splits else []
    task = Task(
        base,
        splits["train"].rows,
        judged_by,
        recipe,
        arguments.seed,
        device,
        arguments.out,
        arguments.steps,
        arguments.save_every,
    )
    return _tuned(task, arguments, plan, splits)


def _base_hash(base: str) -> str:
    """The hash of what a base's folder holds of a model, or "" where it is no folder."""
    folder = Path(base)
    if not folder.is_dir():
        return ""
    files = sorted({*folder.glob("*.safetensors"), *folder.glob("*.json")})
    return sha256("\n".join(f"{file.name} {_sha256(file)}" for file in files if file.is_file()).encode()).hexdigest()


def _say(what: str) -> None:
    say_of(VERB, what, command=COMMAND)


def _usual(base: str) -> str:
    return "tiny" if base in shapes.SHAPES else "mobile"


def _splits(data: Path) -> list[str]:
    return ["train", *(["validation"] if any((data / "validation").glob("*.jsonl")) else [])]


def _texts(data: Path, *, declared: bool) -> Iterator[str]:
    """The texts of a set's first rows, without control tokens."""
    found = (one for _, one in examples_of(data, "train", read_corrections(data)) if isinstance(one, TrainingExample))
    for example in islice(found, TEXTS):
        for part in plain_parts("".join(render(example, declared=declared))):
            if len(part) <= TEXT_CHARACTERS:
                yield part


def _check_out(out: Path, plan: Plan, *, resume: bool) -> None:
    """Make sure that nothing is lost of what a folder holds.

    Raises:
        ConfigError: something would be, or what is to be resumed is another training.
    """
    if (out / CARD).exists():
        raise ConfigError(f"{out} holds a finished model: name another --out")
    is_begun = checkpoints.latest(out) is not None
    if is_begun and not resume:
        raise ConfigError(f"{out} holds a training that has not ended: go on with --resume, or name another --out")
    if resume and not is_begun:
        raise ConfigError(f"{out} holds no checkpoint: leave --resume out")
    if not resume:
        return
    checkpoints.verify(out)
    before, now = _read_json(out / PLAN), json.loads(json.dumps(plan.wire()))
    if differing := sorted(name for name in now if before.get(name) != now[name]):
        raise ConfigError(
            f"{out} holds another training, of other {', '.join(differing)}: say what was said before,"
            " or name another --out"
        )


def _tell_rows(splits: Mapping[str, Split]) -> None:
    for name, split in splits.items():
        tokens = sum(len(row.tokens) for row in split.rows)
        _say(f"{name}: {len(split.rows)} rows, {tokens} tokens")
        for why, rows in split.left_out.items():
            _say(f"{name}: rows left out: {rows.rows}, since {why}; the first is {rows.first}")


def _tuned(task: Task, arguments: argparse.Namespace, plan: Plan, splits: Mapping[str, Split]) -> int:
    with told_to_stop() as stop, told(sys.stderr, task.steps) as tell:
        ended = tune(task, stop, tell, resume=arguments.resume)
    log = Log(task.out / METRICS)
    with written_whole(task.out / PLOT) as stream:
        stream.write(loss_plot(*log.losses()))
    if ended.checkpoint is not None:
        _say(f"stopped after step {ended.step} of {task.steps}, saved in {ended.checkpoint}; go on with")
        _say(f"tidepool train {VERB} {_again()}")
        return INTERRUPTED if stop.by == signal.SIGINT else TERMINATED
    written = write(task.base.model, task.base.vocabulary, spread(task.validation, arguments.write), task.device)
    _finish(task, plan, splits, ended, written)
    _tell_end(task, ended, written)
    return DONE


def _again() -> str:
    """What was typed behind the verb, with `--resume`."""
    words = sys.argv[sys.argv.index(VERB) + 1 :] if VERB in sys.argv else []
    return shlex.join([*[word for word in words if word != "--resume"], "--resume"])


def _tell_end(task: Task, ended: Ended, written: Written | None) -> None:
    if ended.judged is not None:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in ended.judged.exact.items())
        _say(f"validation, {ended.judged.rows} rows: loss {ended.judged.loss:.4f}; exact: {shares}")
    if written is not None:
        _say(f"of {written.rows} calls that it wrote, {written.whole:.0%} can be read")
    _say(f"{task.out}: trained in {ended.step} steps")


def _finish(task: Task, plan: Plan, splits: Mapping[str, Split], ended: Ended, written: Written | None) -> None:
    """Write the model; the card comes last, so that a folder with one is whole. Then checkpoints are of no more use."""
    out = task.out
    try:
        _name_stops(task.base)
        task.base.model.to("cpu").save_pretrained(out)
        task.base.vocabulary.tokenizer.save_pretrained(out)
        made = [*sorted(out.glob("*.safetensors")), out / "config.json", out / "tokenizer.json"]
        weights = {file.name: _sha256(file) for file in made if file.is_file()}
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}): make room, and go on with --resume") from error
    card = {
        "format": 1,
        **plan.wire(),
        "steps": ended.step,
        "rows": {name: len(split.rows) for name, split in splits.items()},
        "left out": {name: {why: rows.rows for why, rows in split.left_out.items()} for name, split in splits.items()},
        "validation": None if ended.judged is None else attrs.asdict(ended.judged),
        "written": None if written is None else attrs.asdict(written),
        "device": task.device.name,
        "made with": {name: import_module(name).__version__ for name in ("torch", "transformers", "trl")},
        "sha256": weights,
    }
    _write_json(out / CARD, card)
    checkpoints.remove(out)


def _name_stops(base: Base) -> None:
    """Whoever generates with the model stops where a call has ended."""
    model, tokenizer = base.model, base.vocabulary.tokenizer
    config = model.generation_config
    config.eos_token_id = [tokenizer.eos_token_id, base.vocabulary.stop]
    config.pad_token_id = tokenizer.pad_token_id


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _write_json(file: Path, value: Mapping[str, Any]) -> None:
    with written_whole(file) as stream:
        json.dump(value, stream, indent=1)
        stream.write("\n")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: name another --out") from error
    return found if isinstance(found, dict) else {}
