"""The scorer that was learnt: trees over what the rules see and more, from a file that is part of this package.

No network, no library: a pure function of the operation, some tenths of a millisecond a node.
"""

from __future__ import annotations

import gzip
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Final

from tidepool.domain import Rubric
from tidepool.eff import Handler
from tidepool.effects.gemma import RateNode
from tidepool.errors import ConfigError, InvalidData
from tidepool.learned.scoring import LearnedModel, read_model

SHIPPED: Final = "model.json.gz"
"""The file in `tidepool.learned`."""

MOST_BYTES: Final = 8_000_000
"""A model's file holds less, unpacked, some hundred times what ships: more would be no model, and fill the memory."""


def learned(model: Path | None = None) -> Handler[RateNode]:
    """Rate nodes by a model.

    Args:
        model: its file; None for the one that is shipped.

    Raises:
        ConfigError: it cannot be read.
    """
    known = load_model(model)

    def rated(asked: RateNode) -> Rubric:
        return known.rate(asked.query, asked.node)

    return RateNode.by(rated)


def trained_on(model: Path | None = None) -> frozenset[str]:
    """The codebases that a model was trained on, or stopped by, as its card says.

    Raises:
        ConfigError: it cannot be read.
    """
    splits = load_model(model).card.get("splits")
    parts = [splits.get(name) for name in ("train", "validation")] if isinstance(splits, dict) else []
    named = [part.get("codebases") for part in parts if isinstance(part, dict)]
    return frozenset(str(name) for names in named if isinstance(names, dict) for name in names)


def load_model(model: Path | None = None) -> LearnedModel:
    """The model of a file, or the one that is shipped.

    Raises:
        ConfigError: it cannot be read.
    """
    name = model if model is not None else f"the shipped model ({SHIPPED})"
    try:
        with (model or files("tidepool.learned") / SHIPPED).open("rb") as packed, gzip.open(packed) as unpacked:
            text = unpacked.read(MOST_BYTES)
        return read_model(text.decode())
    except OSError as error:
        why = error.strerror or "it is not packed with gzip"
        raise ConfigError(f"{name} cannot be read ({why}): name one that `tidepool train embedded` wrote") from error
    except (EOFError, zlib.error, UnicodeDecodeError, InvalidData) as error:
        why = str(error) if isinstance(error, InvalidData) else "it is damaged"
        raise ConfigError(f"{name} cannot be used: {why}; name one that `tidepool train embedded` wrote") from error
