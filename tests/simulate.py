"""Explore among interpreters that misbehave, a seed each: `make simulate`, or `python tests/simulate.py --seeds 1000`.

A seed that breaks a promise is shrunk, and told with its whole tape; the command then ends with 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tree that this file stands in, wherever it was copied to

from tests.simulated import cast_of
from tidepool.testing import Cast, Outcome, Scenario, draw_scenario, play, shrink, told
from tidepool.testing.faults import Endless

CHUNK = 500
"""Seeds a process takes at a time: about a second's work."""

HUNG_S = 5
"""A run takes some milliseconds."""

SHOWN = 3
"""Failing seeds that are told in full."""


class Hung(Endless):
    """A run computes for ever and asks for nothing."""


def watched(scenario: Scenario, cast: Cast) -> Outcome:
    """What comes of a scenario, also where a run hangs, which no count of operations can tell."""

    def bark(_signal: int, _frame: object) -> None:
        raise Hung(f"after {HUNG_S} s it still computes, and asks for nothing")

    before = signal.signal(signal.SIGALRM, bark)
    left_s, _ = signal.setitimer(signal.ITIMER_REAL, HUNG_S)
    try:
        return play(scenario, cast)
    finally:
        signal.setitimer(signal.ITIMER_REAL, left_s)
        signal.signal(signal.SIGALRM, before)


def failing(seeds: range) -> tuple[Counter[str], list[int]]:
    """How the explorations of these seeds ended, and which of them broke a promise."""
    ends: Counter[str] = Counter()
    broken: list[int] = []
    for seed in seeds:
        outcome = watched(draw_scenario(seed), cast_of(seed))
        ends.update({outcome.run.end: 1, "seeds": 1, "faults": len(outcome.done)})
        if outcome.broken:
            broken.append(seed)
        if isinstance(outcome.run.ended, Hung):
            break  # those that follow may hang as long
    return ends, broken


def story(seed: int) -> str:
    """The smallest run that breaks what a seed breaks."""
    cast = cast_of(seed)
    outcome = watched(draw_scenario(seed), cast)
    return told(outcome if isinstance(outcome.run.ended, Hung) else shrink(outcome, cast, watched))


def chunks(first: int, count: int) -> Iterator[range]:
    return (range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK))


def simulate(first: int, count: int, jobs: int, *, until_one_fails: bool) -> tuple[Counter[str], list[int]]:
    """How the explorations ended, and the seeds that failed, in order."""
    ends: Counter[str] = Counter()
    broken: list[int] = []
    with ExitStack() as stack:
        apply = stack.enter_context(multiprocessing.Pool(jobs)).imap if jobs > 1 else map
        for part, seeds in apply(failing, chunks(first, count)):
            ends += part
            broken += seeds
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{ends['seeds']:,} of {count:,} seeds, {len(broken)} failing")
            if broken and until_one_fails:
                break
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    return ends, broken


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 where a seed failed."""
    parser = argparse.ArgumentParser(description="explore among interpreters that misbehave, a seed each")
    parser.add_argument("--seeds", type=int, default=100_000, help="how many explorations (default: %(default)s)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--until-one-fails", action="store_true", help="stop at the first seeds that fail")
    args = parser.parse_args(argv)
    begun = time.perf_counter()
    ends, broken = simulate(args.first, args.seeds, args.jobs, until_one_fails=args.until_one_fails)
    took_s = time.perf_counter() - begun
    seeds, faults = ends.pop("seeds"), ends.pop("faults", 0)
    write(f"{seeds:,} explorations, {faults:,} faults, {took_s:.0f} s, {seeds / took_s:.0f} a second")
    write("ended: " + ", ".join(f"{end} {count:,}" for end, count in ends.most_common()))
    for seed in broken[:SHOWN]:
        write("", story(seed), f"again: python tests/simulate.py --from {seed} --seeds 1")
    if not broken:
        return 0
    write("", f"{len(broken)} of {seeds} seeds failed; the first is {broken[0]}")
    return 1


def write(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
