"""Training examples from one codebase, against the bare language-server requests that they need.

Its floor is measured as that of a whole answer is (`answer`): the same messages, sent from raw bytes to a server that
is started afresh. A session of hundreds of questions: what tidepool adds is mostly reading, labelling and printing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import answer

EXAMPLES = 500
TARGET = 1.3
RUNS = 2


def main() -> bool:
    """Print the ratio; answer whether it meets the target."""
    whole, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        root = answer.sources(Path(folder))
        command = [
            str(Path(sys.executable).with_name("semantic-scout")),
            *("--gen-training", str(EXAMPLES), "--root", str(root)),
        ]
        environment, messages = answer.record(Path(folder), command)
        requests = sum(side == "c" for side, _ in messages)
        for _ in range(RUNS):  # interleaved, so that a noisy neighbour is everybody's
            bare.append(answer.bare_s(messages, root, environment))
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=answer.with_bytecode())
            whole.append(time.perf_counter() - started)
    ratio = min(whole) / min(bare)
    print(f"{EXAMPLES} examples from mypy's sources, {requests} messages sent: bare {min(bare):.2f} s, ", end="")
    print(f"whole {min(whole):.2f} s, {EXAMPLES / min(whole):.0f} examples a second: {ratio:.2f} (at most {TARGET})")
    return ratio <= TARGET


if __name__ == "__main__":
    sys.exit(not main())
