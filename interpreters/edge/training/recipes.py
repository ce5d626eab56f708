"""How a model is fine-tuned: the published recipes, each value of which may be set by itself. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from math import inf, isfinite
from typing import Any, Final, NamedTuple

import attrs

from tidepool.errors import ConfigError

CONSTANT: Final = "constant"
COSINE: Final = "cosine"
SCHEDULES: Final = (CONSTANT, COSINE)


@attrs.frozen
class Recipe:
    """How a model is fine-tuned.

    Attributes:
        learning_rate: the highest one.
        schedule: `constant`, or `cosine`, which falls to 0 at the last step.
        epochs: how often every row is seen.
        batch: rows of one pass through the model.
        accumulate: passes whose gradients are added up before the weights change: a step.
        max_tokens: of a row, prompt and completion together; longer ones are left out.
        warmup: the share of the steps in which the learning rate rises from 0.
        weight_decay: of AdamW.
        clip: the length that a step's gradient is cut to.
        lora_rank: of the two matrices beside each linear layer that are trained in its place; 0 trains all weights.
        lora_alpha: their product is scaled by this over the rank.
    """

    learning_rate: float
    schedule: str
    epochs: int
    batch: int
    accumulate: int
    max_tokens: int
    warmup: float = 0.0
    weight_decay: float = 0.0
    clip: float = 1.0
    lora_rank: int = 0
    lora_alpha: float = 16.0


RECIPES: Final[Mapping[str, Recipe]] = {
    "docs": Recipe(5e-5, CONSTANT, epochs=8, batch=4, accumulate=1, max_tokens=512),
    "mobile": Recipe(1e-5, COSINE, epochs=2, batch=4, accumulate=8, max_tokens=997),
    "lora": Recipe(1e-4, COSINE, epochs=1, batch=8, accumulate=1, max_tokens=997, lora_rank=8),
    "tiny": Recipe(3e-3, COSINE, epochs=1, batch=16, accumulate=1, max_tokens=1024, warmup=0.05),
}
"""The first three are those that FunctionGemma was published with: for tens of rows, for thousands, and of adapters.

The last one is for a small model that starts from random weights, which a rate of 1e-5 would leave where they are.
"""


class Setting(NamedTuple):
    """A value of a recipe that a flag may set: its type, what it is in words, and its range."""

    kind: type[int | float | str]
    meaning: str
    least: float = 0
    most: float = inf
    excluded: bool = False  # whether the least one is


SETTINGS: Final[Mapping[str, Setting]] = {
    "learning_rate": Setting(float, "the highest learning rate", excluded=True),
    "schedule": Setting(str, f"of the learning rate: {' or '.join(SCHEDULES)}"),
    "epochs": Setting(int, "how often every row is seen", least=1),
    "batch": Setting(int, "rows of one pass", least=1),
    "accumulate": Setting(int, "passes of one step", least=1),
    "max_tokens": Setting(int, "rows with more tokens are left out", least=1),
    "warmup": Setting(float, "the share of the steps in which the rate rises", most=1),
    "weight_decay": Setting(float, "of AdamW"),
    "clip": Setting(float, "the length that a gradient is cut to", excluded=True),
    "lora_rank": Setting(int, "train adapters of this rank; 0 trains all weights", most=1024),
    "lora_alpha": Setting(float, "adapters are scaled by this over the rank", excluded=True),
}


def flags(parser: argparse.ArgumentParser) -> None:
    """A flag for the recipe, and one for each of its values."""
    parser.add_argument(
        "--recipe", choices=tuple(RECIPES), help="(default: tiny for random weights, mobile for others)"
    )
    group = parser.add_argument_group("values of the recipe")
    for name, setting in SETTINGS.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=setting.kind, metavar="N", help=setting.meaning)


def chosen(name: str, arguments: argparse.Namespace) -> Recipe:
    """A recipe with what the flags say otherwise.

    Raises:
        ConfigError: a value is out of its range.
    """
    told = {one: value for one in SETTINGS if (value := getattr(arguments, one, None)) is not None}
    for one, value in told.items():
        _check(one, value)
    return attrs.evolve(RECIPES[name], **told)


def _check(name: str, value: Any) -> None:
    setting = SETTINGS[name]
    flag = f"--{name.replace('_', '-')}"
    if setting.kind is str:
        if value not in SCHEDULES:
            raise ConfigError(f"{flag} {value}: set one of {', '.join(SCHEDULES)}")
        return
    above = value > setting.least if setting.excluded else value >= setting.least
    if not (above and value <= setting.most and isfinite(value)):
        bound = f"above {setting.least:g}" if setting.excluded else f"from {setting.least:g}"
        upper = f" to {setting.most:g}" if isfinite(setting.most) else ""
        raise ConfigError(f"{flag} {value}: set a number {bound}{upper}")
