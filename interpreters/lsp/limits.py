"""What limits the answers to one question, noted while they are given."""

from __future__ import annotations

import attrs


@attrs.define
class Limits:
    """What was not looked at.

    Attributes:
        left_out: how many places or symbols of an answer were not looked at, by what they are.
        remarks: what else limits the answers, each a clause.
    """

    left_out: dict[str, int] = attrs.field(factory=dict)
    remarks: dict[str, None] = attrs.field(factory=dict)
