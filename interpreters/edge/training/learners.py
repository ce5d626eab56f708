"""What the loop trains: how a model is made from a set, and how one rates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import attrs

from tidepool.eff import AsyncHandler, Handler
from tidepool.effects.gemma import Gemma

Scorer: TypeAlias = Handler[Gemma] | AsyncHandler[Gemma]


@attrs.frozen
class Learner:
    """A kind of model.

    Attributes:
        name: of the kind.
        file: what a model's file is called.
        train: makes a model: from a set's folder, into a file, with a seed; the same for the same.
        open: a scorer that rates with a model, or with the shipped one where there is none.
        trained_on: the codebases that a model, or the shipped one, was trained on or stopped by, as far as it says so.
    """

    name: str
    file: str
    train: Callable[[Path, Path, int], None]
    open: Callable[[Path | None], Scorer]
    trained_on: Callable[[Path | None], frozenset[str]] = lambda _: frozenset()
