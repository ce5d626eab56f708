"""Every benchmark, or those named: `python tests/benchmarks [NAME…]`. Ends with status 1 if one misses its target."""

from __future__ import annotations

import sys

import answer
import client
import effects
import functiongemma
import harvest
import learned
import scoring
import serving
import startup
import warm
import what_if

BENCHMARKS = {
    "effects": effects.main,
    "scoring": scoring.main,
    "startup": startup.main,
    "answer": answer.main,
    "warm": warm.main,
    "serving": serving.main,
    "client": client.main,
    "what_if": what_if.main,
    "harvest": harvest.main,
    "functiongemma": functiongemma.main,
    "learned": learned.main,
}


def run(names: list[str]) -> bool:
    """Run them one after another; answer whether all meet their targets."""
    met = True
    for name in names or BENCHMARKS:
        print(f"\n{name}: {(sys.modules[name].__doc__ or '').splitlines()[0]}\n")
        met &= BENCHMARKS[name]()
    return met


if __name__ == "__main__":
    sys.exit(not run(sys.argv[1:]))
