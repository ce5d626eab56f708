"""`tidepool train embedded`: train the scorer that is shipped, on a dataset, to the same bytes for the same seed.

Only the splits `train` and `validation` shape a model; `test` is scored once, for its card.
"""

from __future__ import annotations

import argparse
import gzip
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import attrs

from interpreters.edge.dataset.outcome import DONE, outcome, say
from interpreters.edge.dataset.reading import corrected, read_corrections, read_rows, shards_of
from interpreters.edge.training.rows import data_hash
from tidepool.answer import MUST_CHANGE_RISK
from tidepool.domain import Rubric, TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.learned.calibration import rising_steps
from tidepool.learned.features import FEATURES, RISING, SCHEME, View, look
from tidepool.learned.scoring import FORMAT, HEADS, Calibration, LearnedModel, read_model, rubric_of
from tidepool.wire import dumps

VERB: Final = "embedded"
COMMAND: Final = "train"

ROUNDS: Final = 100
"""Trees of an ensemble, at most: it ends where validation gets no better."""
PATIENCE: Final = 30
"""Rounds that may bring nothing."""

BOOSTING: Final[Mapping[str, Any]] = {
    "learning_rate": 0.1,
    "num_leaves": 24,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
OBJECTIVES: Final = {"breaks": "binary", "risk": "regression", "relevance": "regression"}

TRUST: Final[Mapping[str | None, float]] = {
    "person": 3.0,
    "oracle": 1.0,
    "history": 1.0,
    "mixed": 1.0,
    "heuristic": 0.3,
}
"""What an example weighs by who labelled it: the rules' own word teaches nothing but what is known."""
TRUST_OF_OTHERS: Final = 0.5

RULES: Final = 1.0
"""How much of a digit is the rules': trees say on which side of breaking it is."""

OVERRULES_FROM: Final = 0.9
STAYS_BELOW: Final = 0.3
"""The probabilities from which, and below which, trees overrule the rules."""

DIGITS: Final = 5
"""Significant digits of what a leaf says."""


@attrs.frozen
class Part:
    """A split as numbers.

    Attributes:
        views: of its examples.
        rubrics: their labels.
        weights: what each counts.
        codebases: how many examples each has.
    """

    views: list[View] = attrs.field(factory=list)
    rubrics: list[Rubric] = attrs.field(factory=list)
    weights: list[float] = attrs.field(factory=list)
    codebases: Counter[str] = attrs.field(factory=Counter)

    def goals(self, head: str) -> list[int]:
        """What a head is to say of each example."""
        if head == "breaks":
            return [int(rubric.risk >= MUST_CHANGE_RISK) for rubric in self.rubrics]
        return [getattr(rubric, head) for rubric in self.rubrics]

    def add(self, example: TrainingExample) -> None:
        """Take an example over."""
        origin = example.provenance
        trust = TRUST.get(origin.labeller, TRUST_OF_OTHERS) if origin else TRUST_OF_OTHERS
        self.views.append(look(example.query, example.node))
        self.rubrics.append(example.rubric)
        self.weights.append(trust * example.rubric.confidence / 5)
        self.codebases[(origin.codebase if origin else None) or "unknown"] += 1


def flags(parser: argparse.ArgumentParser) -> None:
    """What the verb is told."""
    add = parser.add_argument
    add("--data", metavar="DIR", type=Path, required=True, help="what `tidepool dataset build` wrote")
    add("--out", metavar="FILE", type=Path, required=True, help="the model's file, such as model.json.gz")
    add("--seed", metavar="S", type=_seed, default=0, help="the same data and seed give the same file (default: 0)")


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 to 999999999")
    return int(text)


def main(arguments: argparse.Namespace) -> int:
    """Train, and answer the exit code."""
    return outcome(VERB, lambda: _main(arguments), COMMAND)


def _main(arguments: argparse.Namespace) -> int:
    train(arguments.data, arguments.out, arguments.seed)
    return say(VERB, f"{arguments.out} is written; `model` in [scorers.learned] names it", DONE, COMMAND)


def train(data: Path, out: Path, seed: int) -> None:
    """Make a model from a set's folder; rows that cannot be read are counted and told.

    Raises:
        ConfigError: there is nothing to train on, the extra is not installed, or the file cannot be written.
    """
    if find_spec("lightgbm") is None:
        raise ConfigError("lightgbm cannot be imported: install the extra, `semantic-scout[learn]`")
    training = read_part(data, "train")
    if len({rubric.risk >= MUST_CHANGE_RISK for rubric in training.rubrics}) < 2:
        raise ConfigError(f"{data} has no examples of places that break and of others: build a larger set")
    validation = read_part(data, "validation") if (data / "validation").is_dir() else Part()
    packed = packed_model(training, validation, data, seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        half = out.with_name(f".{out.name}.half")
        half.write_bytes(packed)
        half.replace(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}): name another one") from error


def read_part(data: Path, split: str) -> Part:
    """A split's examples as numbers.

    Raises:
        ConfigError: the set has no such split.
    """
    part, wrong = Part(), Counter[str]()
    said = read_corrections(data)
    for _, file in shards_of(data, (split,)):
        for row in read_rows(file, TrainingExample):
            if isinstance(row.value, InvalidData):
                wrong[row.value.field] += 1
            else:
                part.add(corrected(row.value, said))
    for field, rows in sorted(wrong.items()):
        say(VERB, f"{split}: {rows} rows are left out, their {field} cannot be read", DONE, COMMAND)
    return part


def packed_model(training: Part, validation: Part, data: Path, seed: int) -> bytes:
    """The bytes of a model's file."""
    heads = {head: _head(head, training, validation, seed) for head in HEADS}
    unset = Calibration(0.5, 0.5, RULES, (0.0,), (0.5,))
    wire: dict[str, Any] = {"format": FORMAT, "scheme": SCHEME, "heads": heads, "calibration": attrs.asdict(unset)}
    judges = validation if validation.views else training
    wire["calibration"] = attrs.asdict(_calibrated(read_model(dumps(wire)), judges))
    model = read_model(dumps(wire))
    wire["card"] = _card(model, {"train": training, "validation": validation}, data, seed)
    return _packed(dumps(wire))


def _packed(text: str) -> bytes:
    """Packed without a time or a name, so that the same text gives the same bytes."""
    stream = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, stream, mtime=0) as packed:
        packed.write(text.encode())
    return stream.getvalue()


def _head(head: str, training: Part, validation: Part, seed: int) -> dict[str, Any]:
    """An ensemble, grown until validation gets no better."""
    lightgbm: Any = import_module("lightgbm")
    numpy: Any = import_module("numpy")

    def rows(part: Part, of: Any = None) -> Any:
        values = numpy.array([view.values for view in part.views], dtype=numpy.float64)
        return lightgbm.Dataset(
            values,
            part.goals(head),
            weight=part.weights,
            reference=of,
            feature_name=list(FEATURES),
            free_raw_data=False,
        )

    parameters = {
        **BOOSTING,
        "objective": OBJECTIVES[head],
        "seed": seed,
        "monotone_constraints": [int(name in RISING) for name in FEATURES],
    }
    first = rows(training)
    judged = {"valid_sets": [rows(validation, first)]} if validation.views else {}
    stops = [lightgbm.early_stopping(PATIENCE, verbose=False)] if judged else []
    booster = lightgbm.train(parameters, first, ROUNDS if judged else ROUNDS // 4, callbacks=stops, **judged)
    dumped = booster.dump_model(num_iteration=booster.best_iteration or -1)
    return {"base": 0.0, "trees": [flat_tree(tree["tree_structure"]) for tree in dumped["tree_info"]]}


def flat_tree(root: Mapping[str, Any]) -> list[list[Any]]:
    """A tree of the library's as the lists of `tidepool.learned.trees.Tree`."""
    features: list[int] = []
    thresholds: list[int] = []
    left: list[int] = []
    right: list[int] = []
    leaves: list[float] = []

    def add(node: Mapping[str, Any]) -> int:
        if "split_feature" not in node:
            leaves.append(float(f"{node['leaf_value']:.{DIGITS}g}"))
            return ~(len(leaves) - 1)
        place = len(features)
        features.append(node["split_feature"])
        thresholds.append(int(node["threshold"] // 1))  # values are whole, so that the part behind the point is empty
        left.append(0)
        right.append(0)
        left[place] = add(node["left_child"])
        right[place] = add(node["right_child"])
        return place

    add(root)
    return [features, thresholds, left, right, leaves]


def _calibrated(model: LearnedModel, part: Part) -> Calibration:
    """What the model's numbers mean on a split."""
    said = [model.say(view.values) for view in part.views]
    goals = part.goals("breaks")
    seen = [(one.breaks, bool(goal), weight) for one, goal, weight in zip(said, goals, part.weights, strict=True)]
    bounds, shares = rising_steps(seen)
    return Calibration(
        OVERRULES_FROM,
        STAYS_BELOW,
        RULES,
        tuple(round(bound, 4) for bound in bounds),
        tuple(round(share, 4) for share in shares),
    )


def _card(model: LearnedModel, parts: Mapping[str, Part], data: Path, seed: int) -> dict[str, Any]:
    """What a model was made from, and how it does on each split, beside the rules."""
    scored = dict(parts)
    if (data / "test").is_dir():
        scored["test"] = read_part(data, "test")
    return {
        "data_sha256": data_hash(data),
        "seed": seed,
        "lightgbm": str(import_module("lightgbm").__version__),
        "trees": {head: len(model.trees[head]) for head in HEADS},
        "splits": {name: _scores(model, part) for name, part in scored.items() if part.views},
    }


def _scores(model: LearnedModel, part: Part) -> dict[str, Any]:
    rated = [rubric_of(model.say(view.values), view, model.calibration) for view in part.views]
    return {
        "examples": len(part.views),
        "codebases": dict(sorted(part.codebases.items())),
        "learned": agreement(rated, part.rubrics),
        "heuristic": agreement([view.rubric for view in part.views], part.rubrics),
    }


def agreement(rated: Sequence[Rubric], labels: Sequence[Rubric]) -> dict[str, float]:
    """How a scorer's rubrics and the labels go together, each from 0 to 1."""
    pairs = list(zip(rated, labels, strict=True))
    said = sum(one.risk >= MUST_CHANGE_RISK for one, _ in pairs)
    so = sum(label.risk >= MUST_CHANGE_RISK for _, label in pairs)
    both = sum(one.risk >= MUST_CHANGE_RISK <= label.risk for one, label in pairs)
    shares = {
        "breaks_precision": both / said if said else 0.0,
        "breaks_recall": both / so if so else 0.0,
        "risk_exact": sum(one.risk == label.risk for one, label in pairs) / len(pairs),
        "relevance_exact": sum(one.relevance == label.relevance for one, label in pairs) / len(pairs),
    }
    return {name: round(share, 4) for name, share in shares.items()}
