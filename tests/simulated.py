"""Who plays in the simulations of this repository's own interpreters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from returns.result import Result, Success

from interpreters.gemma.breaker import Breaker, RequestFailed
from interpreters.gemma.heuristic import heuristic
from interpreters.gemma.hybrid import as_fallback, hybrid
from interpreters.lsp.in_memory import in_memory
from tidepool.domain import Rubric
from tidepool.eff import AsyncHandler, Handler, run
from tidepool.effects.gemma import Gemma, Model, RateNode
from tidepool.effects.lsp import UNTYPED, Hover, Lsp, Place
from tidepool.errors import ModelFailure
from tidepool.testing import Cast, Faults, Run

NODE_FAILURES: Final = ("it did not rate a node", "it answered nonsense")
"""What befalls one node; everything else that a model says befalls a whole request."""


@lru_cache(maxsize=512)
def _in_memory(files: tuple[tuple[str, str], ...]) -> Handler[Lsp]:
    return in_memory(dict(files)) | Hover.by(lambda op: _hover(op.place))


def _hover(place: Place) -> str | None:
    """Something else at every place, and that the type is unknown at some: all that matters to an exploration."""
    return (UNTYPED, None, f"(variable) at column {place.column}")[(place.line + place.column) % 3]


def remembered(files: Mapping[str, str]) -> Handler[Lsp]:
    """The in-memory codebase, read once, and a hover text for many of its places."""
    return _in_memory(tuple(files.items()))


def plain() -> Cast:
    """The scorer fails by itself, node by node or a round at a time."""
    return Cast(remembered, heuristic())


def model_in_front() -> Cast:
    """A model that fails, and a fallback that does not: no failure of the model's may show but in the rubrics."""
    said: dict[RateNode, Result[Rubric, ModelFailure]] = {}

    def scorer(faults: Faults) -> AsyncHandler[Gemma]:
        said.clear()
        model = _requests(faults.model(RateNode.by(by_model), "the model"), said)
        return hybrid(model, heuristic(), Breaker(failures=2, cool_down_s=10.0))

    def is_the_mix(run: Run) -> str | None:
        if run.unrated:
            return f"a failure came through: {run.unrated[0]}"
        wrong = (op for op, rubric in run.rated if rubric != expected(op, said.get(op)))
        return next((f"{op.node.location} has neither the model's rubric nor the fallback's" for op in wrong), None)

    return Cast(remembered, scorer, promises={"every rubric is the model's or the fallback's": is_the_mix})


def by_model(op: RateNode) -> Rubric:
    """What the model says where it answers: never what the heuristic says."""
    return Rubric(1 + op.node.line % 5, 1 + len(op.node.snippet) % 5, 3, "as the model has it")


def expected(op: RateNode, said: Result[Rubric, ModelFailure] | None) -> Rubric:
    """The law: the model's rubric where it gave one, else the fallback's, marked; the breaker may not have asked."""
    if isinstance(said, Success):
        rubric: Rubric = said.unwrap()
        return rubric
    return as_fallback(run(op, heuristic()), ModelFailure("the model", "whatever it was", op.node.location))


def _requests(rate: Model, said: dict[RateNode, Result[Rubric, ModelFailure]]) -> Model:
    """The same model; what befalls whole requests is marked so that a breaker sees it, and all it says is kept."""

    async def ask(ops: Sequence[RateNode]) -> Sequence[Result[Rubric, ModelFailure]]:
        results = [result.alt(_as_request) for result in await rate(ops)]
        said.update(zip(ops, results, strict=True))
        return results

    return ask


def _as_request(failure: ModelFailure) -> ModelFailure:
    if failure.why in NODE_FAILURES:
        return failure
    timed_out = "in time" in failure.why
    return RequestFailed(failure.interpreter, failure.why, failure.location, timed_out=timed_out)


CASTS: Final = (plain(), plain(), plain(), model_in_front())
"""By the seed's remainder."""


def cast_of(seed: int) -> Cast:
    """Who plays under a seed."""
    return CASTS[seed % len(CASTS)]
