"""A reliability diagram: how often claims were right, over the probability that their confidence states. SVG.

A scorer whose points lie on the diagonal says what it knows; below it, it is too sure of itself. The larger a point,
the more claims it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import sqrt
from typing import Final

import attrs

from tidepool.metrics import BINS, stated

SIDE: Final = 320
"""Of the square that is plotted in, in pixels."""

LEFT: Final = 50
TOP: Final = 20
LEGEND: Final = 180
MOST_RADIUS: Final = 12
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Told apart by people who see few colours as well (Okabe and Ito)."""

DASHES: Final = ("none", "7 4", "2 3")


@attrs.frozen
class Reliability:
    """How often claims of one confidence were right.

    Attributes:
        stated: the probability that the confidence states.
        right: the share of the claims that were.
        claims: how many there were.
    """

    confidence: int
    stated: float
    right: float
    claims: int


def reliability_of(bins: Sequence[float]) -> list[Reliability]:
    """Of claims that `tidepool.metrics.bins_of` counted: each confidence that was stated at all, lowest first."""
    counts = ((at + 1, int(bins[2 * at]), bins[2 * at + 1]) for at in range(BINS))
    return [Reliability(at, stated(at), right / said, said) for at, said, right in counts if said]


def as_svg(lines: Mapping[str, Sequence[Reliability]]) -> str:
    """The diagram.

    Args:
        lines: the points of each scorer, by its name.
    """
    parts = [_axes()]
    for number, (name, points) in enumerate(lines.items()):
        parts += [_line(points, number), _legend(name, number)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + SIDE + LEGEND}" height="{TOP + SIDE + 50}"'
        f' font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _at(stated: float, right: float) -> tuple[float, float]:
    """Where a point is drawn, in pixels."""
    return LEFT + SIDE * stated, TOP + SIDE * (1 - right)


def _axes() -> str:
    (x, y), (far, top), middle = _at(0, 0), _at(1, 1), TOP + SIDE // 2
    marks = [
        f'<text x="{_at(share, 0)[0]:.0f}" y="{y + 16:.0f}" text-anchor="middle">{share}</text>'
        f'<text x="{x - 6:.0f}" y="{_at(0, share)[1] + 4:.0f}" text-anchor="end">{share}</text>'
        for share in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    return "\n".join(
        [
            f'<rect x="{x:.0f}" y="{top:.0f}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>',
            f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{far:.0f}" y2="{top:.0f}" stroke="#bbb"/>',
            *marks,
            f'<text x="{LEFT + SIDE / 2:.0f}" y="{y + 36:.0f}" text-anchor="middle">stated probability</text>',
            f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">share right</text>',
        ]
    )


def _line(points: Sequence[Reliability], number: int) -> str:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
    most = max((point.claims for point in points), default=1)
    placed = [(*_at(point.stated, point.right), MOST_RADIUS * sqrt(point.claims / most), point) for point in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in placed)
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.5">'
        f"<title>confidence {point.confidence}: {point.right:.3f} of {point.claims} right</title></circle>"
        for x, y, radius, point in placed
    ]
    return "\n".join([f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-dasharray="{dash}"/>', *dots])


def _legend(name: str, number: int) -> str:
    x, y = LEFT + SIDE + 16, TOP + 10 + 18 * number
    colour = COLOURS[number % len(COLOURS)]
    return f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{colour}"/><text x="{x + 12}" y="{y}">{escape(name)}</text>'
