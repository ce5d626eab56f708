"""A tokenizer as FunctionGemma's rows need it: control tokens come from us alone, and each digit is one token.

vocabulary = vocabulary_of(tokenizer)
tokens = vocabulary.encode(rendered.prompt)
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from tidepool.domain import NodeContext, QueryContext, Rubric, TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.training.functiongemma import CALL_ENDS, STOP, call, escaped, render

CONTROLS: Final = (
    "<bos>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_function_declaration>",
    "<end_function_declaration>",
    "<start_function_call>",
    CALL_ENDS,
    STOP,
    "<escape>",
)
"""The control tokens that a rendered example may hold."""

DIGITS: Final = range(1, 6)

_CONTROL: Final = re.compile(f"({'|'.join(map(re.escape, CONTROLS))})")


@attrs.frozen
class Vocabulary:
    """A tokenizer.

    Attributes:
        tokenizer: of `transformers`.
        controls: the ids of `CONTROLS`.
        reserved: the ids of every control token that the tokenizer has.
        digits: the ids of the digits 1 to 5.
        longest: characters of its longest token.
    """

    tokenizer: Any
    controls: Mapping[str, int]
    reserved: frozenset[int]
    digits: Mapping[int, int]
    longest: int

    @property
    def stop(self) -> int:
        """What generating is to stop at."""
        return self.controls[STOP]

    @property
    def size(self) -> int:
        """One more than the highest id."""
        ids: dict[str, int] = self.tokenizer.get_vocab()
        return max(ids.values()) + 1

    def encode(self, text: str) -> array[int]:
        """The tokens of a rendered text, none of which is added, and in which only `CONTROLS` are control tokens.

        Raises:
            InvalidData: other text in it became a control token.
        """
        tokens = array("i")
        for place, part in enumerate(_CONTROL.split(text)):
            if place % 2:
                tokens.append(self.controls[part])
            elif part:
                tokens.extend(self._plain(part))
        return tokens

    def _plain(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if not self.reserved.isdisjoint(found):
            raise InvalidData("text", text, "text without a control token of the tokenizer")
        return found

    def reserved_in(self, tokens: Iterable[int]) -> Counter[int]:
        """How often each control token stands in a row."""
        return Counter(token for token in tokens if token in self.reserved)

    def text(self, tokens: Iterable[int]) -> str:
        """The text of tokens, control tokens included."""
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text


def plain_parts(text: str) -> list[str]:
    """What stands between the control tokens of a rendered text."""
    return [part for part in _CONTROL.split(text)[::2] if part]


def vocabulary_of(tokenizer: Any) -> Vocabulary:
    """A tokenizer, found to be fit.

    Raises:
        ConfigError: it lacks a control token, or joins digits to other text.
    """
    ids = tokenizer.get_vocab()
    if missing := [name for name in CONTROLS if name not in ids]:
        raise ConfigError(f"the tokenizer has no {', '.join(missing)}: name a FunctionGemma model as --base")
    added = {int(number): token for number, token in tokenizer.added_tokens_decoder.items()}
    reserved = {number for number, token in added.items() if token.special or escaped(token.content) != token.content}
    controls = {name: int(ids[name]) for name in CONTROLS}
    vocabulary = Vocabulary(
        tokenizer,
        controls,
        frozenset({*reserved, *controls.values(), *tokenizer.all_special_ids}),
        {digit: _digit(tokenizer, digit) for digit in DIGITS},
        max(map(len, ids)),
    )
    _check_digits(vocabulary)
    return vocabulary


def _digit(tokenizer: Any, digit: int) -> int:
    found: list[int] = tokenizer(str(digit), add_special_tokens=False)["input_ids"]
    if len(found) != 1:
        raise ConfigError(f"the tokenizer has {len(found)} tokens for the digit {digit}: name another model as --base")
    return found[0]


def _check_digits(vocabulary: Vocabulary) -> None:
    """Each digit of a call has to be a token of its own, so that a rating is read from three distributions."""
    for digit in DIGITS:
        found = vocabulary.encode(call(Rubric(digit, digit, digit, "")))
        if found.count(vocabulary.digits[digit]) != 3:
            raise ConfigError("the tokenizer joins digits to what is beside them: name another model as --base")


def controls_of_a_row(vocabulary: Vocabulary, *, declared: bool) -> Counter[int]:
    """How often each control token stands in every row, whatever its texts are."""
    node = NodeContext("a:1", None, "")
    blank = TrainingExample(QueryContext(""), node, Rubric(1, 1, 1, ""), datetime.fromtimestamp(0, UTC))
    rendered = render(blank, declared=declared)
    return vocabulary.reserved_in(vocabulary.encode(rendered.prompt + rendered.completion))
