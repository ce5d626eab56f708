"""What the 270M shape costs a node, with random weights: 50 nodes of a question, half of them on each of two threads.

    python tests/benchmarks functiongemma        at most a minute

The floor is what the products with the body's weights would take alone: 2 x 100.3 M x tokens, at the rate at which this
machine multiplies matrices of 8 bits of that size, or of float32, in a second of one thread's work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from interpreters.gemma.functiongemma.network import Network

TARGET_MS = 100.0
AT_TOKENS = 100
NODES = 50
WORKERS = 2
PREFIX_TOKENS = 250
"""The declaration, and a question of usual length, of the published tokenizer."""

BODY = 100.3e6
RUNS = 2


class Cost(NamedTuple):
    """Seconds that passed, and seconds that processors worked: on a machine with other work the first say little."""

    passed_s: float
    worked_s: float


def main() -> bool:
    """Print what each length costs; answer whether 100 tokens cost at most the target."""
    if find_spec("torch") is None:
        print("left out: torch is not installed (`make test-train` installs it)")
        return True
    import torch

    from interpreters.gemma.functiongemma.local import NODES_AT_ONCE
    from interpreters.gemma.functiongemma.network import Piece

    def timed(network: Network, tokens: int, at_once: int, pool: ThreadPoolExecutor) -> Cost:
        """What 50 nodes cost after what they share."""
        past = network.run([Piece(range(1000, 1000 + PREFIX_TOKENS))])[0].cache
        wanted = [tokens - 9, tokens - 5, tokens - 1]
        pieces = [Piece(range(2000 + node, 2000 + node + tokens), past, wanted) for node in range(NODES)]
        parts = [pieces[at : at + at_once] for at in range(0, NODES, at_once)]
        return _best(lambda: list(pool.map(partial(network.run, keep=False), parts)))

    met = True
    with ThreadPoolExecutor(WORKERS, initializer=partial(torch.set_num_threads, 1)) as pool:
        for backend, lengths in (("int8", (60, 100, 150)), ("float32", (100,))):
            network = pool.submit(_network, backend == "int8").result()
            rate = _rate(backend, pool)
            for tokens in lengths:
                cost = timed(network, tokens, NODES_AT_ONCE[backend], pool)
                cost_ms, worked_ms = (seconds / NODES * 1e3 for seconds in cost)
                floor_ms = 2 * BODY * tokens / rate * 1e3
                beside = f"{worked_ms / floor_ms:.1f} times the floor of {floor_ms:.1f} at {rate / 1e9:.0f} G/s"
                said = f"{cost_ms:.0f} ms a node on {WORKERS} threads; {worked_ms:.0f} ms of work, {beside}"
                print(f"{backend}, {tokens} tokens: {said}", flush=True)
                met &= cost_ms < TARGET_MS or (backend, tokens) != ("int8", AT_TOKENS)
            alone = _best(partial(_without_reuse, network, pool))
            alone_ms, worked_ms = (seconds / WORKERS * 1e3 for seconds in alone)
            said = f"{alone_ms:.0f} ms a node, {worked_ms:.0f} ms of work"
            print(f"{backend}, 100 tokens, the {PREFIX_TOKENS} before run again for each: {said}", flush=True)
    return met


def _best(work: Callable[[], object]) -> Cost:
    """What the fastest run cost, and the one of least work."""
    passed, worked = [], []
    for _ in range(RUNS):
        started, idle = perf_counter(), process_time()
        work()
        passed.append(perf_counter() - started)
        worked.append(process_time() - idle)
    return Cost(min(passed), min(worked))


def _without_reuse(network: Network, pool: ThreadPoolExecutor) -> None:
    from interpreters.gemma.functiongemma.network import Piece

    tokens = PREFIX_TOKENS + AT_TOKENS
    run = partial(network.run, keep=False)
    list(pool.map(run, [[Piece(range(tokens), (), [tokens - 1])]] * WORKERS))


def _rate(backend: str, pool: ThreadPoolExecutor) -> float:
    """Operations in a second of work of the body's largest product."""
    import torch

    rows, hidden, wide, repeats = 400, 640, 4096, 40
    left, right = torch.randn(rows, hidden), torch.randn(wide, hidden)
    if backend == "int8":
        whole, weight = left.mul(40).to(torch.int8), right.mul(40).to(torch.int8).t()
        product = partial(torch._int_mm, whole, weight)
    else:
        product = partial(torch.nn.functional.linear, left, right)

    def work(_: int) -> None:
        for _ in range(repeats):
            product()

    cost = _best(lambda: list(pool.map(work, range(WORKERS))))
    return 2 * rows * hidden * wide * repeats * WORKERS / cost.worked_s


def _network(int8: bool) -> Network:
    import torch

    from interpreters.gemma.functiongemma.folder import Shape
    from interpreters.gemma.functiongemma.network import build
    from tests.tiny_gemma import shapes

    layers = 18
    config = {
        "hidden_size": 640, "intermediate_size": 2048, "num_hidden_layers": layers, "num_attention_heads": 4,
        "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 262_144,
    }  # fmt: skip
    shape = Shape(
        hidden=640,
        intermediate=2048,
        heads=4,
        kv_heads=1,
        head_dim=256,
        vocabulary=262_144,
        sliding=tuple(place % 6 != 5 for place in range(layers)),
        window=512,
        theta_full=1e6,
        theta_sliding=1e4,
        scale=256**-0.5,
        eps=1e-6,
    )
    weights = {name: torch.randn(size) * 0.02 for name, size in shapes(config).items()}
    body = sum(weight.numel() for name, weight in weights.items() if "embed" not in name)
    assert round(body / 1e6, 1) == round(BODY / 1e6, 1)
    return build(shape, weights, int8=int8)


if __name__ == "__main__":
    sys.exit(not main())
