"""What a scorer takes: how many nodes it rated, how long that took, and how much it was given about them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import attrs
from returns.result import Failure, Result, Success

from tidepool.domain import Rubric
from tidepool.eff import AsyncHandler, Batch, Handler, Raised, lift
from tidepool.effects.gemma import Gemma, RateNode
from tidepool.metrics import Cost
from tidepool.wire import dumps, score_request

LEARNED: Final = "learned"


@attrs.define
class Meter:
    """Counts what a scorer takes.

    Attributes:
        cost: by now.
    """

    cost: Cost = attrs.field(factory=lambda: Cost(0, 0.0, 0))

    def add(self, ops: Sequence[RateNode], seconds: float) -> None:
        """Count nodes that were rated together."""
        given = sum(len(dumps(score_request(op.query, op.node)).encode(errors="replace")) for op in ops)
        self.cost = Cost(self.cost.nodes + len(ops), self.cost.seconds + seconds, self.cost.bytes + given)

    def since(self, before: Cost) -> Cost:
        """What it took after an earlier moment."""
        now = self.cost
        return Cost(now.nodes - before.nodes, now.seconds - before.seconds, now.bytes - before.bytes)


def metered(scorer: Handler[Gemma] | AsyncHandler[Gemma], meter: Meter) -> AsyncHandler[Gemma]:
    """The same scorer, and what it takes is counted."""
    whole = lift(scorer)

    async def rate(ops: Sequence[RateNode]) -> list[Result[Rubric, Exception]]:
        begun_s = time.perf_counter()
        answers = await whole.round(Batch(ops))
        meter.add(ops, time.perf_counter() - begun_s)
        return [Failure(answer.error) if isinstance(answer, Raised) else Success(answer) for answer in answers]

    return RateNode.by_many_or_raise(rate)


def model_bytes(scorer: Any, environ: Mapping[str, str]) -> int | None:
    """How large a scorer's model is: a file, or all files of a folder; None for one that is not known to have either.

    Args:
        scorer: as it is configured.
        environ: the variables, which say where the user's own models are.
    """
    model = getattr(scorer, "model", None)
    if model is None and getattr(scorer, "kind", None) == LEARNED:
        model = _current(environ)
    if not isinstance(model, Path):
        return None
    held = [model] if model.is_file() else [file for file in model.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in held) if held else None


def _current(environ: Mapping[str, str]) -> Path | None:
    """The model that is learned by default."""
    from interpreters.edge.home import current_model
    from interpreters.gemma.learned import SHIPPED

    shipped = files("tidepool.learned") / SHIPPED
    return current_model(environ) or (shipped if isinstance(shipped, Path) else None)
