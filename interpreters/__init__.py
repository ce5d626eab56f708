"""How tidepool's effects happen: scorers, language servers, clocks, and the edge that composes them.

The names a user needs most are here; each is imported from its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from interpreters.clock import stopped_clock as stopped_clock
    from interpreters.clock import system_clock as system_clock
    from interpreters.gemma.heuristic import heuristic as heuristic
    from interpreters.gemma.hybrid import hybrid as hybrid
    from interpreters.gemma.model import model as model
    from interpreters.gemma.model import open_model as open_model
    from interpreters.gemma.oracle import oracle as oracle
    from interpreters.lsp.in_memory import in_memory as in_memory
    from interpreters.lsp.interpreter import language_server as language_server
    from interpreters.lsp.session import open_session as open_session
    from interpreters.report import silent as silent

_HOME_OF: Final = {
    "stopped_clock": "interpreters.clock",
    "system_clock": "interpreters.clock",
    "heuristic": "interpreters.gemma.heuristic",
    "hybrid": "interpreters.gemma.hybrid",
    "model": "interpreters.gemma.model",
    "open_model": "interpreters.gemma.model",
    "oracle": "interpreters.gemma.oracle",
    "in_memory": "interpreters.lsp.in_memory",
    "language_server": "interpreters.lsp.interpreter",
    "open_session": "interpreters.lsp.session",
    "silent": "interpreters.report",
}

__all__ = [
    "heuristic",
    "hybrid",
    "in_memory",
    "language_server",
    "model",
    "open_model",
    "open_session",
    "oracle",
    "silent",
    "stopped_clock",
    "system_clock",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
