"""Student's t: how far a mean of few units may lie from the truth. Pure.

Source:
    The distribution by the regularised incomplete beta function, and that by Lentz's continued fraction: DLMF 8.17.
"""

from __future__ import annotations

import math
from typing import Final

_TINY: Final = 1e-300
_STEPS: Final = 300
_MOST: Final = 1e9


def quantile(probability: float, freedom: int) -> float:
    """What a t with so many degrees of freedom stays below with this probability, to ten digits.

    Args:
        probability: from 0.5 to below 1.
        freedom: 1 at least.
    """
    low, high = 0.0, _MOST
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def _below(value: float, freedom: int) -> float:
    """The probability that a t is below a value from 0 on."""
    return 1 - _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + value * value)) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):  # where the fraction converges fast
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
