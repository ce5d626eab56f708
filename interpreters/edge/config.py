"""From what is configured to the interpreters that are run.

    settings = read_settings(root, os.environ, {})
    async with open_scorer(settings.scorer, settings) as scorer:
        answer = await run_async(explore(query), scorer | world)

A language server of the user's own is a command, and a scorer may send code to other machines: what names them is the
user's to say, never the codebase's (`interpreters.edge.layers`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import attrs

from interpreters.edge.functiongemma import check_functiongemma, open_functiongemma
from interpreters.edge.keys import MODEL_TOKEN, BuiltIn, nearest
from interpreters.edge.settings import (
    FunctionGemmaScorer,
    HeuristicScorer,
    HybridScorer,
    InstalledScorer,
    LearnedScorer,
    ModelScorer,
    OracleScorer,
    ReplayScorer,
    Scorer,
    Settings,
    read_settings,
)
from interpreters.edge.tokens import token_in, token_of
from interpreters.lsp.servers import SERVERS, Server, known_server
from tidepool.errors import ConfigError, ModelFailure

if TYPE_CHECKING:
    from tidepool.eff import AsyncHandler, Handler
    from tidepool.effects.gemma import Gemma, Model
    from tidepool.effects.lsp import Lsp

__all__ = [
    "ReplayServer",
    "Settings",
    "check_scorer",
    "choose_server",
    "import_scorer",
    "open_scorer",
    "read_settings",
    "shadowed",
    "shadowed_by",
]


@attrs.frozen
class ReplayServer:
    """A recording that answers in the place of a language server."""

    name: str
    file: Path


def choose_server(settings: Settings) -> Server | ReplayServer:
    """The language server that is configured, or the recording in its place.

    Raises:
        ConfigError: there is none of that name, or its table cannot be used.
    """
    name, own = settings.server, settings.servers
    if name in own:
        return _own_server(settings, name, dict(own[name]))
    if name not in SERVERS and own:
        meant = nearest(name, (*own, *SERVERS))
        raise ConfigError(f"no language server is called {name!r}; {meant}")
    return known_server(name)


def _own_server(settings: Settings, name: str, table: dict[str, Any]) -> Server | ReplayServer:
    said = settings.origins["servers", name]
    if "kind" in table:
        if "file" not in table:
            raise ConfigError(f"{said}: servers.{name} has no recording: add `file`")
        return ReplayServer(name, table["file"])
    if "like" not in table and "command" not in table:
        raise ConfigError(f"{said}: servers.{name} needs a command, or a known server that it is `like`")
    if "like" not in table:
        return Server(name, **table)
    like = table.pop("like")
    if like not in SERVERS:
        where = settings.origins["servers", name, "like"]
        raise ConfigError(f"{where}: servers.{name}.like: no known server is called {like!r}; {nearest(like, SERVERS)}")
    return attrs.evolve(SERVERS[like], name=name, **table)


def check_scorer(name: str, settings: Settings) -> None:
    """Find what is wrong with a scorer's settings before anything is started. Nothing heavy is imported.

    Raises:
        ConfigError: there is no scorer of that name, or it, or one that it asks, cannot be used.
    """
    for scorer in scorers_of(name, settings):
        match scorer:
            case ModelScorer():
                _url(scorer)
                _token(scorer, settings)
            case ReplayScorer():
                _file(scorer)
            case FunctionGemmaScorer():
                check_functiongemma(scorer)
                _token(scorer, settings)
            case HybridScorer():
                asked = _model_of(scorer, settings)
                _url(asked)
                _token(asked, settings)
            case HeuristicScorer() | LearnedScorer() | OracleScorer() | InstalledScorer():
                pass
            case _:
                assert_never(scorer)


def import_scorer(name: str, settings: Settings) -> None:
    """Import what a scorer needs, which `open_scorer` would else do."""
    for scorer in scorers_of(name, settings):
        match scorer:
            case HeuristicScorer():
                import_module("interpreters.gemma.heuristic")
            case LearnedScorer():
                import_module("interpreters.gemma.learned")
            case ModelScorer():
                import_module("interpreters.gemma.model")
            case HybridScorer():
                import_module("interpreters.gemma.hybrid")
                import_module("interpreters.gemma.model")
            case OracleScorer():
                import_module("interpreters.gemma.oracle")
            case ReplayScorer():
                import_module("interpreters.replay")
            case FunctionGemmaScorer():
                import_module("interpreters.gemma.functiongemma.local")
                import_module("interpreters.gemma.functiongemma.remote")
            case InstalledScorer():
                import_module("interpreters.edge.installed")
            case _:
                assert_never(scorer)


def shadowed(kinds: Iterable[str] = tuple(BuiltIn)) -> tuple[str, ...]:
    """A sentence about each installed scorer that nobody can ask for, since what is built in has its name."""
    from interpreters.edge.installed import offers

    found = offers()
    why = "cannot be asked for, since a scorer of that name is built in: it has to be installed by another name"
    return tuple(f"{found[kind].said} {why}" for kind in kinds if kind in found)


def shadowed_by(name: str, settings: Settings) -> tuple[str, ...]:
    """The same about what a scorer asks; for the heuristic nobody looks: that would take longer than to ask it."""
    kinds = {scorer.kind for scorer in scorers_of(name, settings)} - {BuiltIn.HEURISTIC}
    return shadowed(kinds & set(BuiltIn)) if kinds & set(BuiltIn) else ()


def ignore(_failure: ModelFailure) -> None:
    """Nobody wants to know why a model did not rate a node."""


@asynccontextmanager
async def open_scorer(
    name: str,
    settings: Settings,
    *,
    codebase: Handler[Lsp] | AsyncHandler[Lsp] | None = None,
    tell: Callable[[ModelFailure], None] = ignore,
) -> AsyncGenerator[Handler[Gemma] | AsyncHandler[Gemma]]:
    """The scorer of a name, with whatever it holds open, for as long as the block lasts.

    Args:
        name: one that is built in, configured or installed.
        codebase: answers about the code, for a scorer that asks; None where there is none to ask.
        tell: is told why a model did not rate a node that its fallback rates instead.

    Raises:
        ConfigError: there is none, or it, or one that it asks, cannot be used.
    """
    check_scorer(name, settings)
    scorer = _find(name, settings)
    match scorer:
        case HeuristicScorer():
            from interpreters.gemma.heuristic import heuristic

            yield heuristic()
        case LearnedScorer():
            from interpreters.edge.home import current_model
            from interpreters.gemma.learned import learned

            yield learned(scorer.model or current_model(settings.environ))
        case ModelScorer():
            from interpreters.gemma.model import model

            async with _open(scorer, settings) as rate:
                yield model(rate)
        case HybridScorer():
            from interpreters.gemma.breaker import Breaker
            from interpreters.gemma.hybrid import hybrid

            asked = _model_of(scorer, settings)
            async with (
                _open(asked, settings) as rate,
                open_scorer(scorer.fallback, settings, codebase=codebase, tell=tell) as fallback,
            ):
                breaker = Breaker(scorer.failures, scorer.cool_down_s, name=asked.name)
                yield hybrid(rate, fallback, breaker, tell=tell)
        case OracleScorer():
            from interpreters.gemma.oracle import oracle

            if codebase is None:
                raise ConfigError(f"the scorer {scorer.name} asks a codebase, and there is none here: name another")
            yield oracle(codebase)
        case ReplayScorer():
            from interpreters.replay import held_to, read_tape, scorer_from

            tape = read_tape(_file(scorer))
            with held_to(tape, _file(scorer)):
                yield scorer_from(tape)
        case FunctionGemmaScorer():
            from interpreters.gemma.model import model

            async with open_functiongemma(scorer, _token(scorer, settings), _token_hint(scorer)) as rate:
                yield model(rate)
        case InstalledScorer():
            from interpreters.edge.installed import offers, open_offer

            async with open_offer(offers()[scorer.kind], scorer.table) as handler:
                yield handler
        case _:
            assert_never(scorer)


def scorers_of(name: str, settings: Settings) -> tuple[Scorer, ...]:
    """A scorer, its fallback, that one's fallback, and so on."""
    found: list[Scorer] = []
    said = settings.origins.get(("scorer",), "") if name == settings.scorer else ""
    while True:
        scorer = _find(name, settings, f"{said}: " if said else "")
        if scorer in found:
            raise ConfigError(f"{said}: {name} falls back to itself in the end: let one of them fall back to heuristic")
        found.append(scorer)
        if not isinstance(scorer, HybridScorer):
            return tuple(found)
        name, said = scorer.fallback, scorer.said


def _find(name: str, settings: Settings, said: str = "") -> Scorer:
    scorer = settings.scorers.get(name)
    if scorer is not None and not isinstance(scorer, InstalledScorer):
        return scorer
    from interpreters.edge.installed import offers

    installed = offers()
    if scorer is None and name not in installed:
        meant = nearest(name, (*settings.scorers, *installed))
        raise ConfigError(f"{said}no scorer is called {name[:60]!r}; {meant}")
    if scorer is None:
        return InstalledScorer(name, "installed", name, {})
    if scorer.kind not in installed and scorer.kind == name:  # `kind` was left out, or is as wrong as the name
        meant = nearest(name, (*BuiltIn, *installed))
        meant = meant if meant.startswith("did") else 'add kind = "model", or another'
        raise ConfigError(f"{scorer.said}: scorers.{name} has no kind: {meant}")
    if scorer.kind not in installed:
        meant = nearest(scorer.kind, (*BuiltIn, *installed))
        raise ConfigError(f"{scorer.said}: {name} is of no kind that is installed, {scorer.kind[:60]!r}; {meant}")
    return scorer


def _model_of(scorer: HybridScorer, settings: Settings) -> ModelScorer:
    found = settings.scorers.get(scorer.model)
    if not isinstance(found, ModelScorer):
        models = [one.name for one in settings.scorers.values() if isinstance(one, ModelScorer)]
        why = f"{scorer.model[:60]!r} is no scorer of kind model; {nearest(scorer.model, models)}"
        raise ConfigError(f"{scorer.said}: scorers.{scorer.name}.model: {why}")
    return found


def _url(scorer: ModelScorer) -> str:
    if scorer.url is None:
        how = " or set TIDEPOOL_MODEL_URL" if scorer.name == BuiltIn.MODEL else ""
        raise ConfigError(f"the scorer {scorer.name} has no address: add `url` to [scorers.{scorer.name}]{how}")
    return scorer.url


def _file(scorer: ReplayScorer) -> Path:
    if scorer.file is None:
        how = " or set TIDEPOOL_REPLAY_FILE" if scorer.name == BuiltIn.REPLAY else ""
        raise ConfigError(f"the scorer {scorer.name} has no recording: add `file` to [scorers.{scorer.name}]{how}")
    return scorer.file


def _open(scorer: ModelScorer, settings: Settings) -> AbstractAsyncContextManager[Model]:
    from interpreters.gemma.model import open_model

    return open_model(
        _url(scorer),
        token=_token(scorer, settings),
        token_hint=_token_hint(scorer),
        name=scorer.name,
        nodes_per_request=scorer.nodes_per_request,
        requests_in_flight=scorer.requests_in_flight,
        request_timeout_s=scorer.request_timeout_s,
        total_timeout_s=scorer.total_timeout_s,
        attempts=scorer.attempts,
    )


def _token(scorer: ModelScorer | FunctionGemmaScorer, settings: Settings) -> str | None:
    """What a model is sent to be let in. It is in no error."""
    if scorer.token_file is not None and scorer.token_env is not None:
        raise ConfigError(f"{scorer.said}: {scorer.name} has both token_env and token_file: keep one")
    if scorer.token_file is not None:
        return token_in(scorer.token_file)
    if scorer.token_env is not None:
        token = token_of(scorer.token_env, settings.environ)
        if token is None:
            raise ConfigError(f"{scorer.said}: {scorer.name} needs the token in {scorer.token_env}, which is not set")
        return token
    usual = scorer.name == BuiltIn.MODEL and settings.environ.get(MODEL_TOKEN)  # to set it to nothing unsets it
    return token_of(MODEL_TOKEN, settings.environ) if usual else None


def _token_hint(scorer: ModelScorer | FunctionGemmaScorer) -> str:
    """Where the token is set, for whoever is told that it is not accepted."""
    if scorer.token_file is not None:
        return f"mend what {scorer.token_file} holds"
    if scorer.token_env is not None:
        return f"set {scorer.token_env} to the right one"
    own = f"add token_env or token_file to [scorers.{scorer.name}]"
    return f"set {MODEL_TOKEN}, or {own}" if scorer.name == BuiltIn.MODEL else own
