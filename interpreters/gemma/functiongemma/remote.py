"""A model of this format behind a server of somebody else's: llama.cpp's, or one with OpenAI's completions, like vLLM.

Each node is three prompts, each ending where a digit of the call is to follow, with the middle of the scale for the
digits before it; of each the server tells how likely the next tokens are. Nothing else is generated. All that is sent
and waited for is `interpreters.gemma.model`'s.

llama.cpp's server is told to prefer the digits by so much that it tells of nothing else: what it tells is exact. Of
another server the digits among its likeliest tokens are taken, and the others for impossible.
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


def _shares(likely: Iterable[tuple[Any, Any]]) -> Distribution | None:
    """The digits' shares of the probability that fell to them; None where that is nothing."""
    found = dict.fromkeys(DIGITS, 0.0)
    for token, probability in likely:
        if token in found and isinstance(probability, int | float) and 0 <= probability <= 1.001:
            found[token] = max(found[token], float(probability))
    whole = sum(found.values())
    return [one / whole for one in found.values()] if whole > 0 else None


def _of_llama(data: Any, count: int) -> Sequence[Distribution | None]:
    """llama.cpp's server answers one prompt with an object and several with a list of them."""
    items = data if isinstance(data, list) else [data]
    return [_shares(_llama_likely(item)) for item in _in_order(items, count)]


def _llama_likely(item: Any) -> Iterable[tuple[Any, Any]]:
    match item:
        case {"completion_probabilities": [{"top_probs": list(likely)}, *_]}:
            return [(one.get("token"), one.get("prob")) for one in likely if isinstance(one, dict)]
    raise Trouble("answered without completion_probabilities: let it be llama.cpp's server, of 2025 or later")


def _of_openai(data: Any, count: int) -> Sequence[Distribution | None]:
    match data:
        case {"choices": list(choices)}:
            return [_shares(_openai_likely(one)) for one in _in_order(choices, count)]
    raise Trouble("answered without choices: let it be a server with OpenAI's completions")


def _openai_likely(choice: Any) -> Iterable[tuple[Any, Any]]:
    match choice:
        case {"logprobs": {"top_logprobs": [dict(likely), *_]}}:
            return [(token, exp(min(0.0, one))) for token, one in likely.items() if isinstance(one, int | float)]
    raise Trouble("answered without top_logprobs: let it tell how likely tokens are")


def _in_order(items: Sequence[Any], count: int) -> Sequence[Any]:
    """The answers to so many prompts in the prompts' order, by their own count where each has one."""
    if len(items) != count:
        raise Trouble(f"answered {count} prompts with {len(items)} completions")
    by_place = {item["index"]: item for item in items if isinstance(item, dict) and type(item.get("index")) is int}
    return [by_place[place] for place in range(count)] if by_place.keys() == set(range(count)) else items


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
