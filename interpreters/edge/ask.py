"""The `semantic-scout` command at work: build the interpreters, run `explore`, print the answer."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from interpreters.edge.config import choose_scorer, choose_server
from interpreters.edge.render import RENDERERS, prepare, printable
from interpreters.lsp.session import Session, open_session
from interpreters.report import terminal
from tidepool.errors import ConfigError, InterpreterError

if TYPE_CHECKING:
    from tidepool.domain import ScoutResponse
    from tidepool.eff import Handler
    from tidepool.effects.gemma import Gemma
    from tidepool.effects.report import Report

ANSWERED: Final = 0
USAGE: Final = 2
NOT_FOUND: Final = 3
NO_SERVER: Final = 4
NO_SCORER: Final = 5
INTERRUPTED: Final = 128 + signal.SIGINT
TERMINATED: Final = 128 + signal.SIGTERM

EXIT_CODES: Final = {
    "complete": ANSWERED,
    "partial": ANSWERED,
    "not_found": NOT_FOUND,
    "not_ready": NO_SERVER,
    "unsupported": NO_SERVER,
}
"""By the answer's status."""

IDLE_S: Final = 0.2
"""When what prints the answer is imported: a server that takes longer leaves this process idle by then."""

T = TypeVar("T")


@attrs.frozen
class Request:
    """What the command was asked to do, in its flags' words."""

    question: str
    root: Path
    tags: tuple[str, ...]
    budget_nodes: int
    scorer: str
    server: str | None
    python: Path | None
    timeout_s: float
    output: str
    examples: bool


def ask(request: Request) -> int:
    """Answer a question on standard output and return the command's exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no bars shows question marks
    try:
        with asyncio.Runner() as runner:
            outcome = runner.run(_until_terminated(_answer(request)))
    except ConfigError as error:
        return _say(error, USAGE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    try:
        if outcome.failure is None or outcome.response.pointers or request.output == "json":
            _print(outcome.response, request)
    except BrokenPipeError:  # whoever read the answer has read enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _say(f"the answer cannot be written: {error.strerror}; free some space or write elsewhere", USAGE)
    return outcome.code if outcome.failure is None else _say(outcome.failure, outcome.code)


@attrs.frozen
class Outcome:
    """What there is to print, the command's exit code, and what went wrong."""

    response: ScoutResponse
    code: int
    failure: InterpreterError | None = None


async def _answer(request: Request) -> Outcome:
    """Start the language server, and explore while it runs."""
    server = choose_server(request.server, os.environ)
    scorer = choose_scorer(request.scorer)
    with terminal(sys.stderr) as report:
        try:
            async with open_session(
                request.root,
                server,
                python=request.python,
                request_timeout_s=request.timeout_s,
                start_timeout_s=request.timeout_s,
                meanwhile=_import_the_rest,
            ) as session:
                return await _explored(request, scorer, session, report)
        except InterpreterError as failure:
            from tidepool.answer import could_not_look

            return Outcome(could_not_look(failure), NO_SERVER, failure)


async def _explored(
    request: Request,
    scorer: Callable[[], Handler[Gemma]],
    session: Session,
    report: Callable[[], Handler[Report]],
) -> Outcome:
    """The whole composition: what each effect means on this machine, and the program that is run with it."""
    from interpreters.clock import system_clock
    from interpreters.lsp.interpreter import language_server
    from tidepool.domain import ScoutQuery, Tag
    from tidepool.eff import run_async
    from tidepool.explore import ScorerFailed, explore

    asyncio.get_running_loop().call_later(IDLE_S, prepare, request.output)
    query = ScoutQuery(request.question, tuple(map(Tag, request.tags)), request.budget_nodes, keep_examples=True)
    try:
        handlers = scorer() | language_server(session) | system_clock() | report()
        response = await run_async(explore(query), handlers)
    except ScorerFailed as failure:
        return Outcome(failure.answer, NO_SCORER, failure)
    return Outcome(response, EXIT_CODES[response.status.value])


def _import_the_rest() -> None:
    """Import what is needed once the server answers: it reads the codebase meanwhile, and loses no time by it."""
    for module in ("clock", "gemma.heuristic", "lsp.interpreter"):
        import_module(f"interpreters.{module}")
    import_module("tidepool.explore")


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Do the work; on SIGTERM cancel it, so that it leaves nothing behind, as Ctrl-C does by itself."""
    task = asyncio.ensure_future(work)
    with suppress(NotImplementedError):  # Windows has no such handlers
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _print(response: ScoutResponse, request: Request) -> None:
    examples = response.training_examples or ()
    code = {example.node.location: example.node.code.strip() for example in examples}
    if not request.examples:
        response = attrs.evolve(response, training_examples=None)
    if sys.stdout is None:  # as where the process was started with it closed
        raise OSError(errno.EBADF, "standard output is closed")
    RENDERERS[request.output](response, code, sys.stdout)
    sys.stdout.flush()


def _say(what: object, code: int) -> int:
    print(f"semantic-scout: {printable(str(what))}", file=sys.stderr)
    return code
