"""Prompts and calls as a model's tokens; what is too long is cut, and told.

A prompt is made into tokens as it was in training: its control tokens one by one, and what stands between two of them
as text, in which nothing is a control token, whatever the tokenizer has. Then it is parted where it differs from its
question's: that is where the prompts of a question's nodes part as well, whatever a tokenizer joins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs

from interpreters.gemma.functiongemma.digits import DIGITS
from tidepool.domain import NodeContext, QueryContext, Rubric
from tidepool.errors import ConfigError
from tidepool.training.functiongemma import CALL_ENDS, STOP, call, escaped, prefix, suffix

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

MOST_QUERY_TOKENS: Final = 256
"""Of a question: ten times a long one. What is remembered of a question grows with it."""

CHARACTERS_PER_TOKEN: Final = 8
"""What is looked at of a text before it is made into tokens, for each token there is room for; code has 3 or 4."""

LOCATION_CHARACTERS: Final = 200
"""The end of a longer one is kept: it names the file and the line."""

_HOVER_SHARE: Final = 3
"""A hover gets a third of the room at most: its beginning holds the type, the rest documents it."""

_PLACEHOLDER: Final = 3


def _controls() -> tuple[str, ...]:
    """The control tokens of the format, in the order in which they first stand in a prompt and its call."""
    blank = prefix(QueryContext("")) + suffix(NodeContext("a:1", None, "")) + call(Rubric(1, 1, 1, ""))
    return tuple(dict.fromkeys(re.findall("<[a-z_]+>", blank)))


CONTROLS: Final = _controls()

_CONTROL: Final = re.compile(f"({'|'.join(map(re.escape, CONTROLS))})")


def call_parts() -> tuple[str, str, str, str]:
    """The texts of a call around its three digits; the last ends where the reason is to follow."""
    head, first, second, rest = re.split(
        rf"(?<=:){_PLACEHOLDER}", call(Rubric(_PLACEHOLDER, _PLACEHOLDER, _PLACEHOLDER, "\n"))
    )
    return head, first, second, rest.partition("\n")[0]


def before_digits() -> tuple[str, str, str]:
    """What stands in a call before each digit; for those before it, which are not known, the middle of the scale."""
    head, first, second, _ = call_parts()
    until = f"{head}{_PLACEHOLDER}{first}"
    return head, until, f"{until}{_PLACEHOLDER}{second}"


class Question(NamedTuple):
    """A question's tokens, which its nodes' prompts begin with, and what it came from."""

    query: QueryContext
    tokens: tuple[int, ...]
    was_cut: bool


class Ending(NamedTuple):
    """The rest of a node's prompt.

    Attributes:
        shared: how many tokens of the question's it follows; seldom fewer than all.
        tokens: those of the prompt that follow.
    """

    shared: int
    tokens: tuple[int, ...]
    was_cut: bool


def _found(find: Callable[[Prompts], Any]) -> Any:
    """A field that is found out when the others are known."""
    return attrs.field(init=False, default=attrs.Factory(find, takes_self=True))


@attrs.frozen(eq=False)
class Prompts:
    """Makes tokens.

    Attributes:
        max_suffix_tokens: of what stands in a node's prompt after the question; more is cut.
        declared: whether a prompt declares the function first.
        controls: the tokens of `CONTROLS`.
        reserved: every control token that the tokenizer has: none of them is made of text.
        digits: the tokens of 1 to 5.
        parts: the tokens of `call_parts`.
        base: the tokens that all prompts begin with.
        ends: the tokens that end a reason.

    Raises:
        ConfigError: the tokenizer lacks a control token, or joins digits with what is beside them.
    """

    tokenizer: Tokenizer
    max_suffix_tokens: int
    declared: bool
    controls: Mapping[str, int] = _found(lambda self: self._controls())
    reserved: frozenset[int] = _found(lambda self: self._reserved())
    digits: tuple[int, ...] = _found(lambda self: self._digits())
    parts: tuple[tuple[int, ...], ...] = _found(lambda self: self._parts())
    base: tuple[int, ...] = _found(lambda self: self._base())
    ends: frozenset[int] = _found(lambda self: self._ends())

    def _controls(self) -> Mapping[str, int]:
        added = {token.content: number for number, token in self.tokenizer.get_added_tokens_decoder().items()}
        if missing := [control for control in CONTROLS if control not in added]:
            raise ConfigError(
                f"the tokenizer has no {', '.join(missing)}: name a model that was trained for this format"
            )
        return {control: added[control] for control in CONTROLS}

    def _reserved(self) -> frozenset[int]:
        added = self.tokenizer.get_added_tokens_decoder().items()
        others = (number for number, one in added if one.special or escaped(one.content) != one.content)
        return frozenset((*self.controls.values(), *others))

    def _digits(self) -> tuple[int, ...]:
        found = [self.tokens(digit) for digit in DIGITS]
        if any(len(one) != 1 for one in found) or len({*found}) != len(DIGITS):
            raise ConfigError(
                "the tokenizer has no token for each digit: name a model that was trained for this format"
            )
        return tuple(one[0] for one in found)

    def _parts(self) -> tuple[tuple[int, ...], ...]:
        parts = tuple(map(self.tokens, call_parts()))
        for digit, token in enumerate(self.digits, start=1):
            whole = self.tokens(str(digit).join(call_parts()))
            if whole != tuple(one for part in parts for one in (*part, token))[:-1]:
                raise ConfigError(
                    "the tokenizer joins digits with what is beside them: name a model that keeps them apart"
                )
        return parts

    def _base(self) -> tuple[int, ...]:
        one, other = (self.tokens(prefix(QueryContext(text), declared=self.declared)) for text in ("What", "0"))
        return one[: alike(one, other)]

    def _ends(self) -> frozenset[int]:
        return frozenset(self.controls[one] for one in ("<escape>", CALL_ENDS, STOP))

    @property
    def highest(self) -> int:
        """The highest token that may stand in a prompt."""
        every = frozenset(self.tokenizer.get_vocab(with_added_tokens=True).values())
        return max(every - self.reserved | frozenset(self.controls.values()))

    def tokens(self, text: str) -> tuple[int, ...]:
        """The tokens of a rendered text: `CONTROLS` become control tokens, and nothing else does."""
        found: list[int] = []
        for place, part in enumerate(_CONTROL.split(text)):
            if place % 2:
                found.append(self.controls[part])
            elif part:
                # What a tokenizer makes of text all the same, such as of a word that it does not know, is left out.
                found += (token for token in self._encoded(part).ids if token not in self.reserved)
        return tuple(found)

    def _encoded(self, text: str) -> Encoding:
        """What the tokenizer makes of text in which it is to find no control token."""
        # A lone half of a pair of code units, which JSON may hold, is no text to a tokenizer.
        plain = text.encode("utf-8", "replace").decode()
        try:
            return self.tokenizer.encode(plain, add_special_tokens=False)
        except Exception as error:  # it has no class of its own
            raise ConfigError(
                f"the tokenizer cannot read a text ({error}): save or download the model again"
            ) from error

    def question(self, query: QueryContext) -> Question:
        """A question's tokens."""
        text = query.query[: CHARACTERS_PER_TOKEN * MOST_QUERY_TOKENS]
        text = self._first(text, MOST_QUERY_TOKENS)
        short = attrs.evolve(query, query=text)
        return Question(short, self.tokens(prefix(short, declared=self.declared)), text != query.query)

    def ending(self, question: Question, node: NodeContext) -> Ending:
        """What follows a question's tokens in a node's prompt."""
        short = self.fitted(node)
        whole = self.tokens(prefix(question.query, declared=self.declared) + suffix(short))
        shared = alike(question.tokens, whole)
        return Ending(shared, whole[shared:], question.was_cut or short != node)

    def fitted(self, node: NodeContext) -> NodeContext:
        """The node, or as much of it as there is room for: around the snippet's middle line, which it is about."""
        characters = CHARACTERS_PER_TOKEN * self.max_suffix_tokens
        hover = node.hover if node.hover is None else node.hover[:characters]
        snippet, middle = _around(node.snippet, characters)
        near = NodeContext(node.location[-LOCATION_CHARACTERS:], hover, snippet)
        short, room = near, self.max_suffix_tokens
        while (too_many := len(self.tokens(suffix(short))) - self.max_suffix_tokens) > 0 and room > 0:
            room = room if short is near else max(0, room - too_many)
            short = self._within(near, middle, room)
        return short

    def _within(self, node: NodeContext, middle: int, room: int) -> NodeContext:
        hover = self._first(node.hover or "", room // _HOVER_SHARE) or None
        snippet = self._near(node.snippet, middle, room - len(self._offsets(hover or "")))
        return attrs.evolve(node, hover=hover, snippet=snippet)

    def _first(self, text: str, count: int) -> str:
        ends = self._offsets(text)
        return text if len(ends) <= count else text[: ends[count][0]]

    def _near(self, text: str, middle: int, count: int) -> str:
        offsets = self._offsets(text)
        if len(offsets) <= count:
            return text
        if count <= 0:
            return ""
        at = next((place for place, (_, end) in enumerate(offsets) if end > middle), 0)
        start = min(max(0, at - count // 3), len(offsets) - count)
        return text[offsets[start][0] : offsets[start + count - 1][1]]

    def _offsets(self, text: str) -> Sequence[tuple[int, int]]:
        return self._encoded(text).offsets


def alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many of their first tokens are the same."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def by_characters(node: NodeContext, most: int) -> NodeContext:
    """The node with about so many characters at most, where there is no tokenizer to count tokens."""
    hover = node.hover if node.hover is None else node.hover[: most // _HOVER_SHARE]
    snippet, _ = _around(node.snippet, most - len(hover or ""))
    return NodeContext(node.location[-LOCATION_CHARACTERS:], hover, snippet)


def _around(text: str, most: int) -> tuple[str, int]:
    """So many characters around the beginning of the middle line, and where that is among them."""
    middle = _middle_line(text)
    start = max(0, min(middle - most // 3, len(text) - most))
    return text[start : start + most], middle - start


def _middle_line(text: str) -> int:
    """Where the middle line begins."""
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: len(lines) // 2])
