"""One pass through a model: rows padded to one length, and the loss of their completions' tokens."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import attrs

from interpreters.edge.training.devices import Device
from interpreters.edge.training.rows import Row


@attrs.frozen
class Given:
    """Rows as a model is given them.

    Attributes:
        tokens: rows by the longest one's length, 0 where a row has ended.
        mask: 1 where it has not.
        predicts: whether a place predicts a token of a completion.
        targets: the tokens that are predicted, row by row.
        length: tokens of all rows, without padding.
        completions: of those, how many are predicted.
    """

    tokens: Any
    mask: Any
    predicts: Any
    targets: Any
    length: int
    completions: int


def collated(rows: Sequence[Row], device: Device) -> Given:
    """Rows as tensors on a device."""
    torch = import_module("torch")
    width = max(len(row.tokens) for row in rows)
    tokens = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    predicts = torch.zeros((len(rows), width), dtype=torch.bool)
    for at, row in enumerate(rows):
        end = len(row.tokens)
        tokens[at, :end] = torch.tensor(row.tokens, dtype=torch.long)
        mask[at, :end] = 1
        predicts[at, row.prompt - 1 : end - 1] = True
    targets = tokens.roll(-1, dims=1)[predicts]
    length = sum(len(row.tokens) for row in rows)
    on = device.name
    return Given(tokens.to(on), mask.to(on), predicts.to(on), targets.to(on), length, int(targets.numel()))


def loss_of(model: Any, given: Given, device: Device) -> tuple[Any, Any]:
    """The sum of the losses of the completions' tokens, and the scores that it is computed from.

    Only places that predict one are given scores: a vocabulary of 262,144 makes those of a whole batch gigabytes.
    """
    cross_entropy = import_module("torch").nn.functional.cross_entropy
    with device.casting():
        states = model.model(input_ids=given.tokens, attention_mask=given.mask, use_cache=False).last_hidden_state
        scores = model.lm_head(states[given.predicts])
    return cross_entropy(scores.float(), given.targets, reduction="sum"), scores
