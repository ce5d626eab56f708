"""Record an exploration of this repository's own sources with the real language server, as a fixture.

python tests/recordings/record.py           records it again, where `explore` has changed on purpose
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from interpreters.clock import stopped_clock
from interpreters.gemma.heuristic import heuristic
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.servers import TY
from interpreters.lsp.session import open_session
from interpreters.replay import record_to
from interpreters.report import silent
from tidepool.domain import ScoutQuery, ScoutResponse
from tidepool.eff import run_async
from tidepool.explore import explore
from tidepool.tape import recorded
from tidepool.wire import dumps

REPOSITORY: Final = Path(__file__).parent.parent.parent
FIXTURES: Final = REPOSITORY / "tests" / "fixtures" / "recordings"
TAPE: Final = FIXTURES / "own_sources.jsonl"
ANSWER: Final = FIXTURES / "own_sources.answer.json"
QUERY: Final = ScoutQuery("What breaks if I add a variant to ChangeKind?", budget_nodes=20, keep_examples=True)
AT: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)
MOST_BYTES: Final = 330_000
"""What a fixture may take of the repository."""


async def record(root: Path) -> ScoutResponse:
    """Ask about the sources in a folder, and keep what was asked and answered."""
    async with open_session(root, TY, python=Path(sys.executable)) as session:
        world = heuristic() | language_server(session) | stopped_clock(AT) | silent()
        with record_to(TAPE, QUERY) as sink:
            return await run_async(recorded(explore(QUERY), sink), world)


def main() -> None:
    """Record a copy of the sources, so that nothing else lies beside them."""
    FIXTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for package in ("tidepool", "interpreters"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / package, root / package, ignore=ignored)
        answer = asyncio.run(record(root))
    TAPE.chmod(0o644)  # of open sources, it is nobody's secret
    ANSWER.write_text(dumps(answer, indent=2) + "\n")
    size = TAPE.stat().st_size
    sys.stdout.write(f"{TAPE.name}: {size} bytes, {answer.status}: {answer.summary}\n")
    if size > MOST_BYTES:
        sys.exit(f"{TAPE.name} is larger than {MOST_BYTES} bytes: ask about less")


if __name__ == "__main__":
    main()
