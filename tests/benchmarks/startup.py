"""`semantic-scout --help` against the start of Python with attrs imported."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

TARGET = 2.0
RUNS = 30


def main() -> bool:
    """Print the ratio; answer whether it meets the target."""
    scout = [str(Path(sys.executable).with_name("semantic-scout")), "--help"]
    floor = [sys.executable, "-c", "import attrs"]
    best = {"help": float("inf"), "floor": float("inf")}
    for _ in range(RUNS):
        best["floor"] = min(best["floor"], _seconds(floor))
        best["help"] = min(best["help"], _seconds(scout))
    ratio = best["help"] / best["floor"]
    print(
        f"import attrs {best['floor'] * 1e3:.0f} ms, --help {best['help'] * 1e3:.0f} ms: {ratio:.2f} (at most {TARGET})"
    )
    return ratio <= TARGET


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(not main())
