"""Gradient-boosted trees as data, read and evaluated without the library that trained them.

    sum_of(trees, values)        what an ensemble says about a row of features

In a file a tree is the five lists of a `Tree`. A walk only ever goes to later nodes, so that it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tidepool.errors import InvalidData


class Tree(NamedTuple):
    """A tree: where the value of a feature is at most the threshold, a walk goes left.

    Attributes:
        features: of each inner node, the index of what it looks at.
        thresholds: of each inner node.
        left: of each inner node, the inner node to go to, or below 0 the complement of a leaf's index.
        right: the same for the other side.
        leaves: what each leaf says, at most `MOST_OF_LEAF` from 0.
    """

    features: tuple[int, ...]
    thresholds: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    leaves: tuple[float, ...]


def sum_of(trees: Sequence[Tree], values: Sequence[int]) -> float:
    """What the trees say of a row, added up."""
    total = 0.0
    for features, thresholds, left, right, leaves in trees:
        node = 0 if features else -1
        while node >= 0:
            node = left[node] if values[features[node]] <= thresholds[node] else right[node]
        total += leaves[~node]
    return total


PARTS: Final = 5

MOST_OF_LEAF: Final = 1e6
"""What a leaf says is not further from 0: at 50 a probability is as good as certain, and sums must stay finite."""


def read_tree(data: object, features: int) -> Tree:
    """A tree of plain data, checked so that every walk ends at a leaf.

    Args:
        data: the lists of a `Tree`, in its order.
        features: how many a row has.

    Raises:
        InvalidData: it is none.
    """
    if not isinstance(data, list) or len(data) != PARTS or not all(isinstance(part, list) for part in data):
        raise InvalidData("trees", data, "five lists for each tree")
    looks, thresholds, left, right, leaves = data
    nodes = len(looks)
    if not (len(thresholds) == len(left) == len(right) == nodes and len(leaves) == nodes + 1):
        raise InvalidData("trees", nodes, "as many thresholds and sides as features, and one leaf more")
    if not all(type(value) is int for part in data[:4] for value in part):
        raise InvalidData("trees", "a node", "whole numbers")
    if not all(type(leaf) in {int, float} and -MOST_OF_LEAF <= leaf <= MOST_OF_LEAF for leaf in leaves):
        raise InvalidData("trees", "a leaf", f"numbers from {-MOST_OF_LEAF:.0f} to {MOST_OF_LEAF:.0f}")
    if not all(0 <= look < features for look in looks):
        raise InvalidData("trees", "a feature", f"indices from 0 to {features - 1}")
    for side in (left, right):
        if not all(node < child < nodes or -len(leaves) <= child < 0 for node, child in enumerate(side)):
            raise InvalidData("trees", "a side", "later nodes, or leaves")
    return Tree(tuple(looks), tuple(thresholds), tuple(left), tuple(right), tuple(map(float, leaves)))
