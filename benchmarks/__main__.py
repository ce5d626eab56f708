"""Every benchmark; ends with status 1 where one misses its target."""

from __future__ import annotations

import sys

import answer
import bench_eff
import scoring
import startup

BENCHMARKS = {
    "effects: what an operation costs": bench_eff.main,
    "scoring: what the heuristic costs": scoring.main,
    "startup: what --help costs": startup.main,
    "answer: what a whole answer costs": answer.main,
}
