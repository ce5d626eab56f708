"""A training's losses as a picture, in SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import Final, TypeAlias

Point: TypeAlias = tuple[float, float]
"""A step and a loss."""

WIDTH: Final = 640
HEIGHT: Final = 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 32, 40
TICKS: Final = 5
SMOOTHED: Final = 20
"""Points that the heavy line is a mean of, at most: itself and those before it."""

GREY, BLUE, RED = "#b8c4d0", "#1f5fa8", "#c0392b"
FONT: Final = 'font-family="sans-serif" font-size="11"'
TITLE: Final = (
    f'loss a token of a completion: <tspan fill="{BLUE}">training</tspan>, <tspan fill="{RED}">validation</tspan>'
)


def loss_plot(training: Sequence[Point], validation: Sequence[Point]) -> str:
    """Each step's loss, their running mean, and the loss on the validation rows as dots."""
    points = [*training, *validation]
    most_x = max((x for x, _ in points), default=1) or 1
    most_y = _rounded_up(max((y for _, y in points), default=1))

    def place(point: Point) -> str:
        x = LEFT + point[0] / most_x * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - point[1] / most_y * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="18">{TITLE}</text>',
        *[_across(most_y * tick / TICKS, place((0, most_y * tick / TICKS))) for tick in range(TICKS + 1)],
        *[_below(most_x * tick / TICKS, place((most_x * tick / TICKS, 0))) for tick in range(TICKS + 1)],
        _line([place(point) for point in training], GREY, 1),
        _line([place(point) for point in _smoothed(training)], BLUE, 2),
        *[_dot(place(point)) for point in validation],
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _rounded_up(value: float) -> float:
    """The next of 1, 2, 3 …, 9 times a power of ten that is not below a value."""
    if value <= 0:
        return 1.0
    unit: float = 10.0 ** floor(log10(value))
    return next((unit * times for times in range(1, 10) if unit * times >= value), unit * 10)


def _smoothed(points: Sequence[Point]) -> list[Point]:
    found: list[Point] = []
    for end, (x, _) in enumerate(points, start=1):
        window = points[max(0, end - SMOOTHED) : end]
        found.append((x, sum(y for _, y in window) / len(window)))
    return found


def _across(value: float, at: str) -> str:
    y = at.partition(",")[2]
    return (
        f'<path d="M{LEFT},{y}H{WIDTH - RIGHT}" stroke="#e4e8ec"/>'
        f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{value:g}</text>'
    )


def _below(value: float, at: str) -> str:
    x = at.partition(",")[0]
    return f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:.0f}</text>'


def _line(places: Sequence[str], colour: str, width: int) -> str:
    if not places:
        return ""
    return f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _dot(at: str) -> str:
    x, _, y = at.partition(",")
    return f'<circle cx="{x}" cy="{y}" r="3" fill="{RED}"/>'
