"""A dataset's splits as rows of tokens. What cannot be trained on is left out, counted by why, and told."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from interpreters.edge.dataset.reading import (
    CORRECTIONS,
    Asked,
    corrected,
    read_corrections,
    read_rows,
    shards_of,
)
from interpreters.edge.training.vocabulary import Vocabulary, controls_of_a_row
from tidepool.domain import QueryContext, Rubric, TrainingExample
from tidepool.errors import InvalidData
from tidepool.training.functiongemma import PARAMETERS, prefix, render

USER: Final = "<start_of_turn>user"

NUMBERS: Final = tuple(one.field for one in PARAMETERS.values() if one.is_number)
"""The fields of a rubric that are digits, in the order in which a call has them."""


@attrs.frozen
class Row:
    """An example as tokens.

    Attributes:
        tokens: the prompt's, and then the completion's.
        prompt: how many are the prompt's.
        digits: where the three digits stand, in the order of `NUMBERS`.
        rubric: what they say.
    """

    tokens: array[int]
    prompt: int
    digits: tuple[int, ...]
    rubric: Rubric


@attrs.define
class LeftOut:
    """Rows that were left out for one reason: how many, and where the first one is."""

    first: str
    rows: int = 0


@attrs.frozen
class Split:
    """A split's rows, and by reason what was left out of them."""

    rows: list[Row]
    left_out: Mapping[str, LeftOut]


def read_split(folder: Path, split: str, maker: RowMaker) -> Split:
    """The rows of a split.

    Raises:
        ConfigError: the set has no such split.
    """
    said = read_corrections(folder)
    rows: list[Row] = []
    left_out: dict[str, LeftOut] = {}
    for place, example in examples_of(folder, split, said):
        made = example if isinstance(example, InvalidData) else _row_or_why(maker, example)
        if isinstance(made, Row):
            rows.append(made)
        else:
            left_out.setdefault(_reason(made), LeftOut(place)).rows += 1
    return Split(rows, left_out)


def _row_or_why(maker: RowMaker, example: TrainingExample) -> Row | InvalidData:
    try:
        return maker.row(example)
    except InvalidData as error:
        return error


def examples_of(
    folder: Path, split: str, said: Mapping[Asked, TrainingExample]
) -> Iterator[tuple[str, TrainingExample | InvalidData]]:
    """Every line of a split: where it stands, and its example or why it is none."""
    for _, file in shards_of(folder, (split,)):
        for line in read_rows(file, TrainingExample):
            value = line.value
            found = value if isinstance(value, InvalidData) else corrected(value, said)
            yield f"{file}:{line.number}", found


def _reason(error: InvalidData) -> str:
    return "no JSON" if error.field == "JSON text" else f"{error.field} is not {error.allowed}"


@attrs.define
class RowMaker:
    """Makes rows.

    Attributes:
        vocabulary: the model's.
        max_tokens: a row may have.
        declared: whether the prompts declare the function.
    """

    vocabulary: Vocabulary
    max_tokens: int
    declared: bool
    controls: Counter[int] = attrs.field(init=False)
    _head: str = attrs.field(init=False)
    _head_tokens: array[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.controls = controls_of_a_row(self.vocabulary, declared=self.declared)
        # What every prompt begins with, up to a control token, so that it is the same tokens whatever follows.
        self._head = prefix(QueryContext(""), declared=self.declared).rpartition(USER)[0]
        self._head_tokens = self.vocabulary.encode(self._head)

    def row(self, example: TrainingExample) -> Row:
        """The row of an example.

        Raises:
            InvalidData: it is too long, or a text of it became a control token.
        """
        rendered = render(example, declared=self.declared)
        text = rendered.prompt.removeprefix(self._head)
        self._check_length(len(text) + len(rendered.completion), 1 / self.vocabulary.longest)
        prompt = self._head_tokens + self.vocabulary.encode(text)
        tokens = prompt + self.vocabulary.encode(rendered.completion)
        self._check_length(len(tokens), 1)
        if self.vocabulary.reserved_in(tokens) != self.controls:
            raise InvalidData("text", example.node.location, "text that makes no control token")
        return Row(tokens, len(prompt), self._digits(tokens, len(prompt), example.rubric), example.rubric)

    def _check_length(self, length: int, tokens_each: float) -> None:
        """Before a text is made tokens of, which takes long for a long one, its characters say how many are too few."""
        if length * tokens_each > self.max_tokens:
            raise InvalidData("length", length, f"at most {self.max_tokens} tokens")

    def _digits(self, tokens: array[int], begins: int, rubric: Rubric) -> tuple[int, ...]:
        known = set(self.vocabulary.digits.values())
        places = [at for at in range(begins, len(tokens)) if tokens[at] in known][: len(NUMBERS)]
        wanted = [self.vocabulary.digits[getattr(rubric, name)] for name in NUMBERS]
        if [tokens[at] for at in places] != wanted:
            raise InvalidData("rubric", rubric, "three digits that are a token each")
        return tuple(places)


def data_hash(folder: Path) -> str:
    """A name for what is trained on and validated with: the same bytes have the same one."""
    files = [file for _, file in shards_of(folder, ("train",))]
    files += [*sorted((folder / "validation").glob("*.jsonl")), *sorted(folder.glob(CORRECTIONS))]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
