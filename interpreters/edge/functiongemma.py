"""The scorer functiongemma as it is configured: a folder that is computed here, or the address of a server.

Nothing heavy is imported until it is opened.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interpreters.edge.keys import BuiltIn
from interpreters.edge.settings import FunctionGemmaScorer
from tidepool.errors import ConfigError

if TYPE_CHECKING:
    from tidepool.effects.gemma import Model

SERVERS: Final = ("llama.cpp", "openai")
"""The backends that compute elsewhere."""


def check_functiongemma(scorer: FunctionGemmaScorer) -> None:
    """Find what is wrong with its settings.

    Raises:
        ConfigError: something is missing, or does not go together.
    """
    if scorer.backend not in SERVERS:
        from interpreters.gemma.functiongemma.folder import check_folder

        check_folder(_folder(scorer))
        return
    _url(scorer)
    if scorer.passes != 1 or scorer.writes_reasons:
        why = f"{scorer.backend} reads the digits in one pass and writes no reasons: leave out passes, writes_reasons"
        raise ConfigError(f"{scorer.said}: {scorer.name}: {why}")
    if scorer.backend == "openai" and scorer.served_as is None:
        raise ConfigError(f"{scorer.said}: {scorer.name} needs what the server calls the model: add `served_as`")


def open_functiongemma(
    scorer: FunctionGemmaScorer, token: str | None, token_hint: str
) -> AbstractAsyncContextManager[Model]:
    """The model, for as long as the block lasts; see `open_local` and `open_remote`."""
    if scorer.backend in SERVERS:
        from interpreters.gemma.functiongemma.remote import open_remote

        return open_remote(
            _url(scorer),
            backend=scorer.backend,
            served_as=scorer.served_as,
            max_suffix_tokens=scorer.max_suffix_tokens,
            declared=scorer.declared is not False,
            token=token,
            token_hint=token_hint,
            name=scorer.name,
        )
    from interpreters.gemma.functiongemma.local import open_local

    return open_local(
        _folder(scorer),
        backend=scorer.backend,
        passes=scorer.passes,
        max_suffix_tokens=scorer.max_suffix_tokens,
        declared=scorer.declared,
        writes_reasons=scorer.writes_reasons,
        name=scorer.name,
    )


def _folder(scorer: FunctionGemmaScorer) -> Path:
    if scorer.model is None:
        how = ", set TIDEPOOL_FUNCTIONGEMMA_MODEL, or serve with --model" if _is_usual(scorer) else ""
        raise ConfigError(f"the scorer {scorer.name} has no model: add `model` to [scorers.{scorer.name}]{how}")
    return scorer.model


def _url(scorer: FunctionGemmaScorer) -> str:
    if scorer.url is None:
        how = " or set TIDEPOOL_FUNCTIONGEMMA_URL" if _is_usual(scorer) else ""
        raise ConfigError(f"the scorer {scorer.name} has no address: add `url` to [scorers.{scorer.name}]{how}")
    return scorer.url


def _is_usual(scorer: FunctionGemmaScorer) -> bool:
    return scorer.name == BuiltIn.FUNCTIONGEMMA
