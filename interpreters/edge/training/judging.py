"""How well a model does on rows that it was not trained on: its loss, its digits, and the calls that it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Final

import attrs

from interpreters.edge.training.devices import Device
from interpreters.edge.training.passes import collated, loss_of
from interpreters.edge.training.rows import NUMBERS, Row
from interpreters.edge.training.vocabulary import Vocabulary
from tidepool.domain import Rubric
from tidepool.errors import InvalidData
from tidepool.training.functiongemma import parse_call

WRITTEN_TOKENS: Final = 160
"""Of a call that a model writes: a reason longer than that is none, and the call counts as not whole."""


@attrs.frozen
class Judged:
    """What a model does with rows.

    Attributes:
        rows: how many.
        loss: a token of a completion.
        exact: by field, the share of rows whose digit is the likeliest of the five, given the call as far as before it.
        within_one: the share of those that are off by one at most.
        commonest: the share of rows that have the commonest digit, which who always says that one gets right.
    """

    rows: int
    loss: float
    exact: dict[str, float]
    within_one: dict[str, float]
    commonest: dict[str, float]


@attrs.frozen
class Written:
    """What a model writes by itself.

    Attributes:
        rows: how many it was asked.
        whole: the share of those that it answered with a call that can be read.
        exact: by field, the share of those whose digit is right.
    """

    rows: int
    whole: float
    exact: dict[str, float]


def judge(model: Any, vocabulary: Vocabulary, rows: Sequence[Row], device: Device, batch: int) -> Judged | None:
    """Loss and digits on rows, without generating; None if there are none."""
    if not rows:
        return None
    losses, tokens = 0.0, 0
    off: list[tuple[int, ...]] = []
    digits = list(vocabulary.digits.values())
    model.eval()
    with import_module("torch").no_grad():
        for some in _batches(sorted(rows, key=lambda row: len(row.tokens)), batch):
            given = collated(some, device)
            loss, scores = loss_of(model, given, device)
            losses += float(loss)
            tokens += given.completions
            off += _off(some, scores[:, digits].float().cpu())
    model.train()
    exact = {name: _share(off, at, 0) for at, name in enumerate(NUMBERS)}
    within_one = {name: _share(off, at, 1) for at, name in enumerate(NUMBERS)}
    return Judged(len(rows), losses / tokens, exact, within_one, {name: _commonest(rows, name) for name in NUMBERS})


def spread(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """So many of the rows at most, from all over: one after another, they are of one codebase."""
    return [rows[at * len(rows) // most] for at in range(most)] if len(rows) > most else rows


def _batches(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]


def _off(rows: Sequence[Row], scores: Any) -> Iterator[tuple[int, ...]]:
    """By how much each row's three digits are off.

    Args:
        scores: of the five digits, at each token of a completion, row by row.
    """
    begins = 0
    for row in rows:
        likeliest = [int(scores[begins + at - row.prompt].argmax()) + 1 for at in row.digits]
        yield tuple(abs(said - getattr(row.rubric, name)) for said, name in zip(likeliest, NUMBERS, strict=True))
        begins += len(row.tokens) - row.prompt


def _commonest(rows: Sequence[Row], name: str) -> float:
    return round(Counter(getattr(row.rubric, name) for row in rows).most_common(1)[0][1] / len(rows), 4)


def _share(off: Sequence[tuple[int, ...]], at: int, most: int) -> float:
    return round(sum(one[at] <= most for one in off) / len(off), 4)


def write(model: Any, vocabulary: Vocabulary, rows: Sequence[Row], device: Device) -> Written | None:
    """What a model writes by itself, always its likeliest token; None if there is nothing to ask."""
    if not rows:
        return None
    said = [(row.rubric, written_call(model, vocabulary, row, device)) for row in rows]
    whole = [(rubric, found) for rubric, found in said if found is not None]
    exact = {
        name: round(sum(getattr(rubric, name) == getattr(found, name) for rubric, found in whole) / len(rows), 4)
        for name in NUMBERS
    }
    return Written(len(rows), round(len(whole) / len(rows), 4), exact)


def written_call(model: Any, vocabulary: Vocabulary, row: Row, device: Device) -> Rubric | None:
    """The rubric that a model writes for a row's prompt, or None where it writes no whole call."""
    torch = import_module("torch")
    prompt = torch.tensor([row.tokens[: row.prompt].tolist()], device=device.name)
    model.eval()
    with torch.no_grad(), device.casting():
        found = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=WRITTEN_TOKENS,
            do_sample=False,
            eos_token_id=vocabulary.stop,
            pad_token_id=vocabulary.tokenizer.pad_token_id,
        )
    model.train()
    try:
        return parse_call(vocabulary.text(found[0, row.prompt :].tolist()))
    except InvalidData:
        return None
