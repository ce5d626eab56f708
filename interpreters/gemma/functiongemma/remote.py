"""A model of this format behind a server of somebody else's: llama.cpp's, or one with OpenAI's completions, like vLLM.

Each node is three prompts, each ending where a digit of the call is to follow, with the middle of the scale for the
digits before it; of each the server tells how likely the next tokens are. Nothing else is generated. All that is sent
and waited for is `interpreters.gemma.model`'s.

llama.cpp's server is told to prefer the digits by so much that it tells of nothing else: what it tells is exact. Of
another server the digits among its likeliest tokens are taken, and the others for impossible. Where next to nothing
falls to digits, the node has no rating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from math import exp
from typing import Any, Final, NamedTuple

import attrs
from returns.result import Failure, Result, Success

from interpreters.gemma.functiongemma.digits import DIGITS, FIELDS, rubric_of
from interpreters.gemma.functiongemma.tokens import MOST_QUERY_TOKENS, before_digits, by_characters
from interpreters.gemma.model import Dialect, open_model
from interpreters.gemma.reply import Trouble, read_json
from tidepool.domain import Rubric
from tidepool.effects.gemma import Model, RateNode
from tidepool.errors import ConfigError
from tidepool.training.functiongemma import prefix, suffix
from tidepool.wire import dumps

BEGINS: Final = "<bos>"
CHARACTERS_PER_TOKEN: Final = 3
"""Of code, at least as a rule: there is no tokenizer here to count by."""

NODES_PER_REQUEST: Final = 16
"""Three prompts each: about what a server computes at a time."""

REQUEST_TIMEOUT_S: Final = 60.0
TOTAL_TIMEOUT_S: Final = 120.0
"""A processor needs some tenths of a second a node; llama.cpp's server runs the prompt's beginning for each slot."""

REPLY_BYTES_PER_NODE: Final = 65_536
"""llama.cpp's server sends the prompt back with all its settings, for each of the three."""

PREFERENCE: Final = 100.0
"""What is added to the logits of digits: more than any two logits differ by, and the same for each digit."""

LIKELIEST: Final = 20
"""How many of the likeliest tokens are asked for: as many as vLLM tells unless it is set up to tell more."""

LEAST_SHARE: Final = 1e-3
"""Of the probability, what has to fall to digits. Below it a model does not rate, and which digit leads is chance."""

LEAST_LOG: Final = -1e6
"""Of the logarithm of a probability; vLLM tells -9999 where there is none."""

ROUNDING: Final = 1e-3
"""What a probability may be above 1, and its logarithm above 0: 16-bit floats are off by so much."""

_NUMBERS: Final = (int, float)
"""The types of a number in JSON; `bool` is none of them."""

Distribution = Sequence[float]


class Asked(NamedTuple):
    """A node's three prompts, and whether its texts were cut."""

    prompts: tuple[str, ...]
    was_cut: bool


@attrs.frozen
class Kind:
    """A kind of server.

    Attributes:
        path: where it completes prompts, below its address.
        adds_bos: whether it begins each prompt with `<bos>` by itself.
        settings: what is asked beside the prompts.
        distributions: the probabilities of the five digits for each prompt, of a reply's data; None where there are
            none. It raises `Trouble` where the data is something else altogether.
    """

    path: str
    adds_bos: bool
    settings: Mapping[str, Any]
    distributions: Callable[[Any, int], Sequence[Distribution | None]]


def open_remote(  # noqa: PLR0913 - each is one setting, and named where it is given
    url: str,
    *,
    backend: str,
    served_as: str | None = None,
    max_suffix_tokens: int = 200,
    declared: bool = True,
    token: str | None = None,
    token_hint: str = "",
    name: str = "functiongemma",
    request_timeout_s: float = REQUEST_TIMEOUT_S,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
    attempts: int = 3,
) -> AbstractAsyncContextManager[Model]:
    """Open connections to a server when they are needed; see `interpreters.gemma.model.open_model` for the rest.

    Args:
        url: where the server is, without the path of what it is asked for.
        backend: one of `KINDS`.
        served_as: what an OpenAI-like server calls the model.
        max_suffix_tokens: about how much of a node's texts is sent: three characters for each.
        declared: whether prompts declare the function; as in the model's training.

    Raises:
        ConfigError: one of them cannot be used.
    """
    if backend not in KINDS:
        raise ConfigError(f"{backend!r:.40} is no kind of server: it is one of {', '.join(KINDS)}")
    kind, named = KINDS[backend], {} if served_as is None else {"model": served_as}
    ask = partial(_asked, most=CHARACTERS_PER_TOKEN * max_suffix_tokens, declared=declared)

    def body(ops: Sequence[RateNode]) -> bytes:
        texts = [text for op in ops for text in ask(op).prompts]
        prompts = [text.removeprefix(BEGINS) for text in texts] if kind.adds_bos else texts
        return dumps({**named, "prompt": prompts, **kind.settings}).encode()

    def read(
        ops: Sequence[RateNode],
        status: int,
        headers: Mapping[str, str],
        reply: bytes,
        token_sent: bool,
        token_hint: str,
    ) -> Sequence[Result[Rubric, str]]:
        data = read_json(status, headers, reply, path=kind.path, token_sent=token_sent, token_hint=token_hint)
        found = kind.distributions(data, len(FIELDS) * len(ops))
        return [
            _rubric(found[at : at + len(FIELDS)], was_cut=ask(op).was_cut)
            for op, at in zip(ops, range(0, len(found), len(FIELDS)), strict=True)
        ]

    return open_model(
        url,
        token=token,
        token_hint=token_hint,
        name=name,
        nodes_per_request=NODES_PER_REQUEST,
        request_timeout_s=request_timeout_s,
        total_timeout_s=total_timeout_s,
        attempts=attempts,
        dialect=Dialect(kind.path, body, read, REPLY_BYTES_PER_NODE),
    )


def _asked(op: RateNode, *, most: int, declared: bool) -> Asked:
    query = attrs.evolve(op.query, query=op.query.query[: CHARACTERS_PER_TOKEN * MOST_QUERY_TOKENS])
    node = by_characters(op.node, most)
    prompt = prefix(query, declared=declared) + suffix(node)
    return Asked(tuple(prompt + call for call in before_digits()), (query, node) != (op.query, op.node))


def _rubric(found: Sequence[Distribution | None], *, was_cut: bool) -> Result[Rubric, str]:
    digits = {field: one for field, one in zip(FIELDS, found, strict=True) if one is not None}
    missing = [field for field in FIELDS if field not in digits]
    if missing:
        what = f"expects no digit where {missing[0]} is to stand"
        return Failure(f"{what}: serve a model that was trained for this format")
    return Success(rubric_of(digits, was_cut=was_cut))


def _shares(likely: Iterable[tuple[str, float]]) -> Distribution | None:
    """The digits' shares of the probability that fell to them; None where that is next to nothing."""
    found = dict.fromkeys(DIGITS, 0.0)
    for token, probability in likely:
        if token in found:
            found[token] = max(found[token], probability)
    whole = sum(found.values())
    if whole > 1 + ROUNDING:
        raise _no_probability()
    return [one / whole for one in found.values()] if whole >= LEAST_SHARE else None


def _of_llama(data: Any, count: int) -> Sequence[Distribution | None]:
    """llama.cpp's server answers one prompt with an object and several with a list of them."""
    items = data if isinstance(data, list) else [data]
    return [_shares(_llama_likely(item)) for item in _in_order(items, count)]


def _llama_likely(item: Any) -> Iterable[tuple[str, float]]:
    match item:
        case {"completion_probabilities": [{"top_probs": list(likely)}, *_]}:
            return [_llama_one(one) for one in likely]
    raise Trouble("answered without completion_probabilities: let it be llama.cpp's server, of 2025 or later")


def _llama_one(item: Any) -> tuple[str, float]:
    match item:
        case {"token": str(token), "prob": one} if type(one) in _NUMBERS and 0 <= one <= 1 + ROUNDING:
            return token, float(one)
    raise _no_probability()


def _of_openai(data: Any, count: int) -> Sequence[Distribution | None]:
    match data:
        case {"choices": list(choices)}:
            return [_shares(_openai_likely(one)) for one in _in_order(choices, count)]
    raise Trouble("answered without choices: let it be a server with OpenAI's completions")


def _openai_likely(choice: Any) -> Iterable[tuple[str, float]]:
    match choice:
        case {"logprobs": {"top_logprobs": [dict(likely), *_]}}:
            return [(token, _openai_one(one)) for token, one in likely.items()]
    raise Trouble("answered without top_logprobs: let it tell how likely tokens are")


def _openai_one(one: Any) -> float:
    # Compared and not converted: a whole number may be too large for that.
    if type(one) not in _NUMBERS or not LEAST_LOG <= one <= ROUNDING:
        raise _no_probability()
    return exp(min(0.0, one))


def _no_probability() -> Trouble:
    return Trouble("told how likely tokens are in no probabilities: let it be a server of the kind that is set")


def _in_order(items: Sequence[Any], count: int) -> Sequence[Any]:
    """The answers to so many prompts in the prompts' order, by the places that they name, if they name any."""
    if len(items) != count:
        raise Trouble(f"answered {count} prompts with {len(items)} completions")
    named = [item.get("index") if isinstance(item, dict) else None for item in items]
    if not any(place is not None for place in named):
        return items
    by_place = {place: item for place, item in zip(named, items, strict=True) if type(place) is int}
    if by_place.keys() != set(range(count)):
        raise Trouble(f"answered {count} prompts with completions whose indices are not those from 0 to {count - 1}")
    return [by_place[place] for place in range(count)]


KINDS: Final[Mapping[str, Kind]] = {
    "llama.cpp": Kind(
        path="/completion",
        adds_bos=True,
        settings={
            "n_predict": 1,
            "temperature": 1.0,
            "top_k": 0,
            "top_p": 1.0,
            "min_p": 0.0,
            "logit_bias": [[digit, PREFERENCE] for digit in DIGITS],
            "n_probs": len(DIGITS),
            "post_sampling_probs": True,
            "cache_prompt": True,
            "stream": False,
        },
        distributions=_of_llama,
    ),
    "openai": Kind(
        path="/v1/completions",
        adds_bos=False,
        settings={
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": LIKELIEST,
            "add_special_tokens": False,
            "stream": False,
        },
        distributions=_of_openai,
    ),
}
