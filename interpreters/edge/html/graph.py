"""How each place was reached, as a drawing: the definition at the left, each step further one column to the right."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

import attrs

from interpreters.edge.printing import printable
from tidepool.domain import Pointer, ScoutResponse, Step

MOST: Final = 150
"""Places that are drawn: what ranks lower is in the list."""

_COLUMN: Final = 330
_ROW: Final = 30
_BOX: Final = 230
_MARGIN: Final = 12
_CHARACTERS: Final = 34


@attrs.frozen
class _Node:
    """A place of the drawing: where, how it was reached, its row in the list and its risk, if it has them."""

    step: Step
    column: int
    row: int
    rank: int | None
    risk: int | None

    @property
    def x(self) -> int:
        return _MARGIN + self.column * _COLUMN

    @property
    def y(self) -> int:
        return _MARGIN + self.row * _ROW + _ROW // 2


def way_to(pointer: Pointer, steps: Mapping[str, Step]) -> list[Step]:
    """The steps to a place, from itself back to the definition that changes."""
    way: list[Step] = []
    step = steps.get(pointer.location)
    while step is not None and step not in way:
        way.append(step)
        step = steps.get(step.origin) if step.origin is not None else None
    return way


def graph(response: ScoutResponse) -> str:
    """The drawing, as SVG; a place that has a row in the list leads there."""
    nodes = _laid_out(response)
    known = {node.step.location: node for node in nodes}
    width = _MARGIN * 2 + max(node.column for node in nodes) * _COLUMN + _BOX
    height = _MARGIN * 2 + (1 + max(node.row for node in nodes)) * _ROW
    edges = "".join(_edge(known[node.step.origin], node) for node in nodes if node.step.origin in known)
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="drawn">'
        f'<title id="drawn">{len(nodes)} places and the steps between them</title>'
        f"{edges}{''.join(map(_box, nodes))}</svg>"
    )


def _laid_out(response: ScoutResponse) -> list[_Node]:
    """A column for each step, and in each the best-ranked places first."""
    steps = {step.location: step for step in response.reached or ()}
    ranks = {pointer.location: (at, pointer.risk) for at, pointer in enumerate(response.pointers, 1)}
    columns: dict[str, int] = {}
    for location in steps:
        columns[location] = _depth(location, steps)
    last = len(ranks) + 1
    wanted = sorted(steps, key=lambda location: (columns[location], ranks.get(location, (last, 0))[0], location))
    rows: dict[int, int] = {}
    nodes: list[_Node] = []
    for location in wanted[:MOST]:
        column = columns[location]
        rank, risk = ranks.get(location, (None, None))
        nodes.append(_Node(steps[location], column, rows.get(column, 0), rank, risk))
        rows[column] = rows.get(column, 0) + 1
    return nodes


def _depth(location: str, steps: Mapping[str, Step]) -> int:
    seen = {location}
    origin = steps[location].origin
    while origin is not None and origin in steps and origin not in seen:
        seen.add(origin)
        origin = steps[origin].origin
    return len(seen) - 1


def _edge(origin: _Node, node: _Node) -> str:
    start, end = origin.x + _BOX, node.x
    bend = (start + end) // 2
    return (
        f'<path class="edge" d="M{start} {origin.y}C{bend} {origin.y} {bend} {node.y} {end} {node.y}"/>'
        f'<text class="relation" x="{end - 6}" y="{node.y - 4}">{_text(node.step.relation)}</text>'
    )


def _box(node: _Node) -> str:
    risk = f" r{node.risk}" if node.risk is not None else ""
    box = (
        f'<rect class="box{risk}" x="{node.x}" y="{node.y - 11}" width="{_BOX}" height="22" rx="4"/>'
        f'<text x="{node.x + 8}" y="{node.y + 4}">{_text(_cut(node.step.location))}</text>'
        f"<title>{_text(node.step.location)}</title>"
    )
    return f'<a href="#place-{node.rank}">{box}</a>' if node.rank is not None else f"<g>{box}</g>"


def _cut(location: str) -> str:
    """The end of a location tells most."""
    return location if len(location) <= _CHARACTERS else "…" + location[1 - _CHARACTERS :]


def _text(text: str) -> str:
    return escape(printable(text))
