"""What to look for in a line of code: a change, prepared once for reading many places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

import attrs

from tidepool.change import Change, ChangeKind
from tidepool.kinds import CLASS_KINDS, PARAMETER_KINDS, PART_KINDS, VARIANT_KINDS
from tidepool.reading.twins import twins_of

_SOUGHT: Final = PART_KINDS | PARAMETER_KINDS | {ChangeKind.ADD_ABSTRACT_METHOD}
"""Changes whose member is looked for; one that is only added stands nowhere yet."""

_CONSTRUCTORS: Final = frozenset({"__init__", "__new__", "__post_init__", "__attrs_post_init__"})


class Subject(StrEnum):
    """Which name a site is about."""

    TARGET = "target"
    HELD = "held"  # a variable that holds what the target gives
    MEMBER = "member"  # the variant, field, parameter or method that the change names inside the target
    SIBLING = "sibling"  # a variant next to the one that is added or removed
    WORD = "word"  # quoted text that may stand for a variant: the value of one, or its name
    OTHER = "other"  # a name that the question does not mention
    NONE = "none"


@attrs.frozen
class Lens:
    """What to look for in a line.

    Attributes:
        kind: what is done.
        names: finds every name in question, or None where the question names nothing.
        ranks: of each name, how plausible it is that the change is about it, 0 first.
        member: the member's name where it is looked for, or "".
        keyword: finds the member as a keyword argument.
        owner: the class that holds the target, where the question names it, or "".
        of_variants: whether it looks for the variants of an enum, a union or a base class.
        of_class: whether the target is a class.
        held: whether the target is a variable that holds what changes.
        called: the target's name, or "".
        twins: the names that a twin of the target, or of the class that holds it, may have.
    """

    kind: ChangeKind
    names: re.Pattern[str] | None
    ranks: Mapping[str, int]
    member: str
    keyword: re.Pattern[str] | None
    owner: str
    of_variants: bool
    of_class: bool
    held: bool
    twins: frozenset[str]
    called: str

    def mentioned(self, lines: Iterable[str]) -> bool:
        """Whether any of these lines mentions any of the names."""
        return self.names is not None and self.names.search("\n".join(lines)) is not None

    def find(self, line: str) -> list[re.Match[str]]:
        """Every mention of the most plausible of the names that a line mentions."""
        if self.names is None:
            return []
        hits = list(self.names.finditer(line))
        if len(hits) > 1 and hits[0][0] in _CONSTRUCTORS and line[: hits[0].start()].endswith("def "):
            hits = hits[1:]  # another class's constructor, which takes an instance
        if len(hits) > 1 and len(self.ranks) > 1:
            best = min(self.ranks[hit[0]] for hit in hits)
            hits = [hit for hit in hits if self.ranks[hit[0]] == best]
        if len(hits) > 1 and self.owner and not self.of_variants:  # of `node = table.node` the second is the attribute
            return [hit for hit in hits if line[: hit.start()].endswith(".")] or hits
        return hits


@lru_cache(maxsize=64)
def lens(change: Change, *, held: bool = False) -> Lens:
    """What to look for in a line.

    Args:
        held: whether the target is a variable that holds what changes.
    """
    targets = change.targets
    first = targets[0] if targets else None
    member = change.member or ""
    owner = first.container.rpartition(".")[2] if first else ""
    if change.kind in PART_KINDS and first and member in ("", first.name):
        member = first.name
    ranks: dict[str, int] = {}
    if member and change.kind in _SOUGHT:
        ranks[member] = len(targets) if change.kind in PARAMETER_KINDS else 0
    for rank, target in enumerate(targets):
        if target.container and (target.name in _CONSTRUCTORS or target.name == member):
            ranks.setdefault(target.container.rpartition(".")[2], rank)
        ranks.setdefault(target.name, rank)
    ranks.pop("", None)
    names = "|".join(re.escape(name) for name in sorted(ranks, key=len, reverse=True))
    return Lens(
        kind=change.kind,
        names=re.compile(rf"(?<!\w)(?:{names})(?!\w)") if names else None,
        ranks=ranks,
        member=member if member in ranks else "",
        keyword=re.compile(rf"(?<![\w.]){re.escape(member)}\s*=(?!=)") if member else None,
        owner=owner,
        of_variants=change.kind in VARIANT_KINDS,
        of_class=change.kind in CLASS_KINDS,
        held=held,
        twins=frozenset()
        if change.kind in CLASS_KINDS or not first
        else frozenset(twins_of(first.name) + twins_of(owner)),
        called=first.name if first else "",
    )
