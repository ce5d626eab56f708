"""Which codebases are trained on and which are held out. Pure.

split_of(["shop", "bank", "mail"], seed=0)       {"bank": "test", "mail": "train", "shop": "validation"}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor
from types import MappingProxyType
from typing import Final

from tidepool.seeds import shuffled

TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"

SPLITS: Final = (TRAIN, VALIDATION, TEST)

BY_WEIGHT: Final = (TEST, VALIDATION, TRAIN)
"""Where the same stands in two splits, the first of them keeps it: what is held out is not to shrink."""

NONE_PINNED: Final[Mapping[str, str]] = MappingProxyType({})


def split_of(
    names: Iterable[str],
    seed: int,
    validation: float = 0.1,
    test: float = 0.2,
    pinned: Mapping[str, str] = NONE_PINNED,
) -> dict[str, str]:
    """The split of every codebase; the same for the same names and seed, in whatever order they come.

    A split whose share is above 0 has one codebase at least, as far as one is left for training: of two codebases one
    is tested on, of three one is in each split.

    Args:
        names: of the codebases. All revisions of a project have one name.
        validation: the share of the codebases in that split, to the nearest whole one, from 0 to below 1.
        test: likewise; both together are below 1.
        pinned: the splits that were chosen for some of them, by name. They count towards the shares.
    """
    known = sorted(set(names))
    splits = {name: pinned[name] for name in known if name in pinned}
    free = shuffled((name for name in known if name not in pinned), f"{seed} splits")
    for split, share in ((TEST, test), (VALIDATION, validation)):
        wanted = floor(share * len(known) + 0.5) or int(share > 0)
        missing = wanted - sum(held == split for held in splits.values())
        spare = len(free) - (TRAIN not in splits.values())
        for _ in range(min(missing, spare)):
            splits[free.pop()] = split
    splits.update(dict.fromkeys(free, TRAIN))
    return dict(sorted(splits.items()))
