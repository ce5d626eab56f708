"""Ten thousand nodes through the hybrid, against a real server that goes wrong three times in ten."""

from __future__ import annotations

import asyncio
import gc
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs
import psutil

from interpreters import heuristic
from interpreters.gemma.breaker import Breaker
from interpreters.gemma.hybrid import as_fallback, hybrid
from interpreters.gemma.model import open_model
from tests.servers.scoring import Asked, log_of, rubric_of, scoring_process
from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.eff import each, run_async
from tidepool.effects.gemma import RateNode
from tidepool.errors import ModelFailure
from tidepool.wire import from_wire, score_request

NODES: Final = 10_000
ROUND: Final = 2_000
PER_REQUEST: Final = 10
ATTEMPTS: Final = 2

REPEATED: Final = ("drop", "hang", "truncate")
WHOLE: Final = ("500", "one short", "invalid json")
FIRST: Final = ("out of range",)
WRONG: Final = ("late", *REPEATED, *WHOLE, *FIRST)
"""What goes wrong: it passes by itself, may be repeated, fails a whole request, fails its first node."""

KINDS: Final = (*WRONG, *(what for what in WRONG if what != "hang"))
"""As often each; only waiting for a time-out is half as often, since it is all that takes long."""

OBJECTS_KEPT: Final = 550
"""What gc may see more of after a later part than after the second: up to 16 connections of 30 objects are open or not.
Three parts have 600 requests and 6,000 nodes."""

BYTES_KEPT: Final = 4_000_000
"""What the process may have grown by in that time; the replies of three parts are as much again."""


def node(number: int) -> RateNode:
    return RateNode(QueryContext("What breaks if I rename price?"), NodeContext(f"a.py:{number}", None, "price(2)"))


def parts() -> Iterator[list[RateNode]]:
    for first in range(1, NODES + 1, ROUND):
        yield [node(number) for number in range(first, first + ROUND)]


def by_model(op: RateNode) -> Rubric:
    return from_wire(Rubric, rubric_of(score_request(op.query, op.node)))


def by_fallback(op: RateNode) -> Rubric:
    return as_fallback(heuristic()(op), ModelFailure("model", "", op.node.location))


def last_done(log: Sequence[Asked]) -> Mapping[str, tuple[str, bool]]:
    """What was done the last time each node was asked about, and whether it was the first of its request."""
    return {place: (asked.done, place == asked.locations[0]) for asked in log for place in asked.locations}


def attempts_in(log: Sequence[Asked]) -> Mapping[tuple[str, ...], Sequence[int]]:
    """Where in the log each request was sent, and sent again."""
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, asked in enumerate(log):
        places[asked.locations].append(place)
    return places


def expected(op: RateNode, last: Mapping[str, tuple[str, bool]]) -> Rubric:
    """What the law says, given what the server did."""
    done, first = last[op.node.location]
    right = done in ("right", "late") or (done in FIRST and not first)
    return by_model(op) if right else by_fallback(op)


@attrs.define
class Memory:
    """What is in use after each part."""

    objects: list[int] = attrs.field(factory=list)
    process_bytes: list[int] = attrs.field(factory=list)

    def look(self) -> None:
        gc.collect()
        self.objects.append(len(gc.get_objects()))
        self.process_bytes.append(psutil.Process().memory_info().rss)


async def rate_all(url: str, memory: Memory) -> Sequence[int]:
    """A number for the rubric of each node; all are made before, so that nothing need be kept."""
    numbers = array("q", bytes(8 * NODES))
    async with open_model(
        url, nodes_per_request=PER_REQUEST, requests_in_flight=16, request_timeout_s=1, attempts=ATTEMPTS
    ) as rate:
        scorer = hybrid(rate, heuristic(), Breaker(failures=NODES))
        for part in parts():
            for op, rubric in zip(part, await run_async(each(part), scorer), strict=True):
                numbers[op.node.line - 1] = hash(rubric)
            memory.look()
    return numbers


def test_every_node_has_the_rubric_that_the_law_says_and_nothing_is_lost_doubled_or_kept() -> None:
    memory = Memory()
    with scoring_process(wrong_rate=0.3, kinds=KINDS, seed=7) as url:
        numbers = asyncio.run(rate_all(url, memory))
        log = log_of(url)

    last = last_done(log)
    ops = [op for part in parts() for op in part]
    assert [op.node.location for op in ops if numbers[op.node.line - 1] != hash(expected(op, last))] == []

    requests = attempts_in(log)
    assert len(requests) == NODES // PER_REQUEST
    assert sum(map(len, requests)) == NODES  # every node in one request, however often that is sent
    over = {asked.connection: place for place, asked in enumerate(log)}
    for sent in requests.values():
        for place in sent[:-1]:
            # An answer that came too late for a busy machine: the connection was given up with it.
            assert log[place].done in REPEATED or over[log[place].connection] == place, log[place]
        assert len(sent) <= ATTEMPTS

    assert {asked.done for asked in log} == {"right", *WRONG}
    assert 0.25 < sum(asked.done != "right" for asked in log) / len(log) < 0.35
    assert max(memory.objects[2:]) - memory.objects[1] < OBJECTS_KEPT, memory
    assert max(memory.process_bytes[2:]) - memory.process_bytes[1] < BYTES_KEPT, memory
