"""Ask a codebase what a change would break, as programs over typed effects.

The names a user needs most are here; each is imported from its module when it is first used. The program itself is
`tidepool.explore.explore`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tidepool.domain import NodeContext as NodeContext
    from tidepool.domain import Rubric as Rubric
    from tidepool.domain import ScoutQuery as ScoutQuery
    from tidepool.domain import ScoutResponse as ScoutResponse
    from tidepool.domain import Tag as Tag
    from tidepool.eff import Eff as Eff
    from tidepool.eff import Op as Op
    from tidepool.eff import attempt as attempt
    from tidepool.eff import each as each
    from tidepool.eff import operation as operation
    from tidepool.eff import run as run
    from tidepool.eff import run_async as run_async
    from tidepool.effects.gemma import RateNode as RateNode

_HOME_OF: Final = {
    "NodeContext": "tidepool.domain",
    "Rubric": "tidepool.domain",
    "ScoutQuery": "tidepool.domain",
    "ScoutResponse": "tidepool.domain",
    "Tag": "tidepool.domain",
    "Eff": "tidepool.eff",
    "Op": "tidepool.eff",
    "attempt": "tidepool.eff",
    "each": "tidepool.eff",
    "operation": "tidepool.eff",
    "run": "tidepool.eff",
    "run_async": "tidepool.eff",
    "RateNode": "tidepool.effects.gemma",
}

__all__ = [
    "Eff",
    "NodeContext",
    "Op",
    "RateNode",
    "Rubric",
    "ScoutQuery",
    "ScoutResponse",
    "Tag",
    "attempt",
    "each",
    "operation",
    "run",
    "run_async",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
