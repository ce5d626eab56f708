"""`tidepool train embedded`: train the scorer that is shipped, on a dataset, to the same bytes for the same seed.

Only the splits `train` and `validation` shape a model. Trees grow from the first, and the second says when to stop.
How sure the model may be is measured by trees that grew without a part of the first. `test` is scored for the card.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import compress
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from interpreters.edge.dataset.outcome import DONE, outcome, say
from interpreters.edge.dataset.reading import corrected, read_corrections, read_rows, shards_of
from interpreters.edge.training.rows import data_hash
from tidepool.answer import MUST_CHANGE_RISK
from tidepool.domain import Rubric, TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.learned.calibration import rising_steps
from tidepool.learned.features import FEATURES, RISING, SCHEME, View, look
from tidepool.learned.scoring import FORMAT, Calibration, LearnedModel, probability_of, read_model, rubric_of
from tidepool.learned.trees import read_tree, sum_of
from tidepool.wire import dumps

VERB: Final = "embedded"
COMMAND: Final = "train"

ROUNDS: Final = 100
"""Trees of an ensemble, at most: it ends where validation gets no better."""
PATIENCE: Final = 30
"""Rounds that may bring nothing."""
UNWATCHED_ROUNDS: Final = 25
"""Trees where there is no validation to say when it is enough."""

FOLDS: Final = 4
"""Parts that the codebases of training are dealt into, so that trees rate what they have not seen."""

BOOSTING: Final[Mapping[str, Any]] = {
    "objective": "binary",
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

Flat: TypeAlias = list[list[Any]]
"""The five lists of a `tidepool.learned.trees.Tree`."""

UNKNOWN: Final = "unknown"

TRUST: Final[Mapping[str | None, float]] = {
    "person": 3.0,
    "oracle": 1.0,
    "history": 1.0,
    "mixed": 1.0,
    "heuristic": 0.3,
}
"""What an example weighs by who labelled it: the rules' own word teaches nothing but what is known."""
TRUST_OF_OTHERS: Final = 0.5

OVERRULES_FROM: Final = 0.9
STAYS_BELOW: Final = 0.3
"""The probabilities from which, and below which, trees overrule the rules.

Chosen by what explorations of three codebases came to that were left out of training.
"""

DIGITS: Final = 5
"""Significant digits of what a leaf says; decimals of a share."""


@attrs.frozen
class Part:
    """Examples as numbers, each list with one entry for each of them.

    Attributes:
        views: what trees see.
        rubrics: their labels.
        weights: what each counts, above 0; 1 for a label that a compiler gave and is certain of.
        codebases: which each is of.
    """

    views: list[View] = attrs.field(factory=list)
    rubrics: list[Rubric] = attrs.field(factory=list)
    weights: list[float] = attrs.field(factory=list)
    codebases: list[str] = attrs.field(factory=list)

    @property
    def breaks(self) -> list[bool]:
        """Whether each place has to change."""
        return [rubric.risk >= MUST_CHANGE_RISK for rubric in self.rubrics]

    def add(self, example: TrainingExample) -> None:
        """Take an example over; it weighs the trust in its labeller times its confidence, as a share of 5."""
        origin = example.provenance
        trust = TRUST.get(origin.labeller, TRUST_OF_OTHERS) if origin else TRUST_OF_OTHERS
        self.views.append(look(example.query, example.node))
        self.rubrics.append(example.rubric)
        self.weights.append(trust * example.rubric.confidence / 5)
        self.codebases.append((origin.codebase if origin else None) or UNKNOWN)

    def of(self, codebases: Collection[str]) -> Part:
        """The examples of some codebases."""
        kept = [name in codebases for name in self.codebases]
        return Part(
            list(compress(self.views, kept)),
            list(compress(self.rubrics, kept)),
            list(compress(self.weights, kept)),
            list(compress(self.codebases, kept)),
        )


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
    if len(set(training.breaks)) < 2:
        raise ConfigError(f"{data} has no examples of places that break and of others: build a larger set")
    validation = read_part(data, "validation") if (data / "validation").is_dir() else Part()
    _write(out, packed_model(training, validation, data, seed))


def _write(out: Path, packed: bytes) -> None:
    """The file appears whole or not at all."""
    half = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with half.open("wb") as stream:
            stream.write(packed)
            stream.flush()
            os.fsync(stream.fileno())
        half.replace(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}): name another one") from error
    finally:
        half.unlink(missing_ok=True)


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


def tell_of_leaks(parts: Mapping[str, Part]) -> None:
    """Tell which codebases stand in more than one split: what is measured on them looks better than it is."""
    splits: dict[str, list[str]] = {}
    for split, part in parts.items():
        for codebase in sorted(set(part.codebases) - {UNKNOWN}):
            splits.setdefault(codebase, []).append(split)
    for codebase, some in sorted(splits.items()):
        if len(some) > 1:
            say(VERB, f"{codebase} stands in {' and '.join(some)}: its scores look better than they are", DONE, COMMAND)


def packed_model(training: Part, validation: Part, data: Path, seed: int) -> bytes:
    """The bytes of a model's file, packed with gzip: some 20,000 of them.

    Args:
        training: what trees are grown from.
        validation: what says when it is enough; may be empty.
        data: the set's folder, for the card.
        seed: of the growing, from 0.

    Raises:
        ConfigError: there is too little to measure on how sure the model may be.
    """
    trees = _grown(training, seed, ROUNDS if validation.views else UNWATCHED_ROUNDS, validation)
    seen, how = _seen_apart(training, validation, trees, seed)
    bounds, shares = rising_steps(seen)
    steps = Calibration(OVERRULES_FROM, STAYS_BELOW, tuple(bounds), tuple(round(share, DIGITS) for share in shares))
    wire: dict[str, Any] = {"format": FORMAT, "scheme": SCHEME, "trees": trees, "calibration": attrs.asdict(steps)}
    model = read_model(dumps(wire))
    wire["card"] = {"calibrated": how, **_card(model, {"train": training, "validation": validation}, data, seed)}
    return _packed(dumps(wire))


def _seen_apart(
    training: Part, validation: Part, trees: Sequence[Flat], seed: int
) -> tuple[list[tuple[float, bool, float]], str]:
    """What trees said of codebases that they had not seen, with what was so and its weight; and how that was come by.

    Each fold of the training codebases is rated by trees that grew without it, as many as the model has. Validation is
    asked only where training is of one codebase, for it has already said when to stop.

    Raises:
        ConfigError: there is one codebase and no validation.
    """
    folds = folds_of(training.codebases)
    if len(folds) > 1:
        names = set(training.codebases)
        grown = [(training.of(fold), _grown(training.of(names - fold), seed, len(trees))) for fold in folds]
        return [one for part, some in grown for one in _seen(some, part)], f"{len(folds)} folds of train"
    if validation.views:
        return _seen(trees, validation), "validation"
    raise ConfigError(
        "train is of one codebase and there is no validation, so nothing says how sure the model may be: "
        "build a set of more codebases"
    )


def folds_of(codebases: Iterable[str]) -> list[set[str]]:
    """Codebases dealt into `FOLDS` parts or fewer, the largest first, each to the part with the fewest examples.

    Args:
        codebases: of each example.
    """
    counts = Counter(codebases)
    folds: list[set[str]] = [set() for _ in range(min(FOLDS, len(counts)))]
    for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        min(folds, key=lambda fold: sum(counts[one] for one in fold)).add(name)
    return folds


def _seen(trees: Sequence[Flat], part: Part) -> list[tuple[float, bool, float]]:
    """For each example the probability that trees say, whether it is so, and its weight."""
    read = tuple(read_tree(tree, len(FEATURES)) for tree in trees)
    said = (probability_of(sum_of(read, view.values)) for view in part.views)
    return list(zip(said, part.breaks, part.weights, strict=True))


def _packed(text: str) -> bytes:
    """Packed without a time or a name, so that the same text gives the same bytes."""
    stream = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, stream, mtime=0) as packed:
        packed.write(text.encode())
    return stream.getvalue()


def _grown(training: Part, seed: int, rounds: int, validation: Part | None = None) -> list[Flat]:
    """An ensemble of so many trees, or of fewer where validation gets no better."""
    lightgbm: Any = import_module("lightgbm")
    first = _rows(training)
    watched: dict[str, Any] = {}
    if validation is not None and validation.views:
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        watched = {"valid_sets": [_rows(validation, first)], "callbacks": [stop]}
    parameters = {**BOOSTING, "seed": seed, "monotone_constraints": [int(name in RISING) for name in FEATURES]}
    booster = lightgbm.train(parameters, first, rounds, **watched)
    dumped = booster.dump_model(num_iteration=booster.best_iteration or -1)
    return [flat_tree(tree["tree_structure"]) for tree in dumped["tree_info"]]


def _rows(part: Part, reference: Any = None) -> Any:
    """A part as the library takes it."""
    lightgbm, numpy = import_module("lightgbm"), import_module("numpy")
    values = numpy.array([view.values for view in part.views], dtype=numpy.float64)
    goals = [int(breaks) for breaks in part.breaks]
    return lightgbm.Dataset(values, goals, weight=part.weights, reference=reference, feature_name=list(FEATURES))


def flat_tree(root: Mapping[str, Any]) -> Flat:
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


def _card(model: LearnedModel, parts: Mapping[str, Part], data: Path, seed: int) -> dict[str, Any]:
    """What a model was made from, and how it does on each split, beside the rules."""
    scored = dict(parts)
    if (data / "test").is_dir():
        scored["test"] = read_part(data, "test")
    tell_of_leaks(scored)
    return {
        "data_sha256": data_hash(data),
        "seed": seed,
        "lightgbm": str(import_module("lightgbm").__version__),
        "trees": len(model.trees),
        "splits": {name: _scores(model, part) for name, part in scored.items() if part.views},
    }


def _scores(model: LearnedModel, part: Part) -> dict[str, Any]:
    rated = [rubric_of(model.say(view.values), view, model.calibration) for view in part.views]
    return {
        "examples": len(part.views),
        "codebases": dict(sorted(Counter(part.codebases).items())),
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
