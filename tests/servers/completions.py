"""A server that completes prompts by a model of a folder, in the words of llama.cpp's server and of OpenAI's.

    with completing(folder) as server:             it answers rightly
    with completing(folder, "500", "hang") as …    its first two replies go wrong, all after them are right

What it was asked is in `requests`, and which of its replies went wrong in `done`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import exp, log
from pathlib import Path
from queue import Queue
from typing import Any, Final

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from interpreters.edge.serve import address_of, listening, server_of
from interpreters.gemma.functiongemma.folder import read_shape, read_tokenizer, read_weights
from interpreters.gemma.functiongemma.network import Network, Piece, build

SAMPLING: Final = {
    "n_predict": 1, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "post_sampling_probs": True,
    "cache_prompt": True,
}  # fmt: skip
"""What makes llama.cpp's server tell the whole distribution of a token."""

NEVER_S: Final = 3600.0


@attrs.define
class Completing:
    """A server that is under way."""

    folder: Path
    wrongs: list[str]
    url: str = ""
    requests: list[dict[str, Any]] = attrs.field(factory=list)
    done: list[str] = attrs.field(factory=list)
    _network: Network = attrs.field(init=False)
    _tokenizer: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._network = build(read_shape(self.folder), read_weights(self.folder))
        self._tokenizer = read_tokenizer(self.folder)
        self._tokenizer.encode_special_tokens = False  # as servers read prompts

    def logits(self, prompt: str) -> list[tuple[str, float]]:
        """Each token that may follow a prompt, with its logit."""
        tokens = self._tokenizer.encode(prompt, add_special_tokens=False).ids
        assert tokens.count(self._tokenizer.token_to_id("<bos>")) == 1
        (answer,) = self._network.run([Piece(tokens, (), [len(tokens) - 1])])
        logits = self._network.logits(answer.states)[0].tolist()
        return [(self._tokenizer.decode([token], skip_special_tokens=False), one) for token, one in enumerate(logits)]

    def llama(self, asked: Mapping[str, Any]) -> Any:
        """What llama.cpp's server answers."""
        assert SAMPLING.items() <= asked.items()
        return [
            {
                "index": index,
                "content": "3",
                "stop": True,
                "completion_probabilities": [self._llama_token(prompt, asked)],
            }
            for index, prompt in enumerate(asked["prompt"])
        ]

    def _llama_token(self, prompt: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        biases = dict(asked["logit_bias"])
        biased = [(token, one + biases.get(token, 0.0)) for token, one in self.logits("<bos>" + prompt)]
        likely = [{"id": 7, "token": token, "bytes": [*token.encode()], "prob": one} for token, one in _softmax(biased)]
        return {
            "id": 7,
            "token": likely[0]["token"],
            "prob": likely[0]["prob"],
            "top_probs": likely[: asked["n_probs"]],
        }

    def openai(self, asked: Mapping[str, Any]) -> Any:
        """What vLLM's server answers."""
        assert (asked["model"], asked["max_tokens"], asked["add_special_tokens"]) == ("tiny", 1, False)
        choices = []
        for index, prompt in enumerate(asked["prompt"]):
            likely = self._likely(prompt)[: asked["logprobs"]]
            top = dict(likely)
            one = {
                "tokens": [likely[0][0]],
                "token_logprobs": [likely[0][1]],
                "text_offset": [0],
                "top_logprobs": [top],
            }
            choices.append({"index": index, "text": likely[0][0], "logprobs": one, "finish_reason": "length"})
        return {"id": "cmpl-1", "object": "text_completion", "model": "tiny", "choices": choices[::-1]}

    def _likely(self, prompt: str) -> list[tuple[str, float]]:
        return [(token, log(one)) for token, one in _softmax(self.logits(prompt))]

    def answer(self, kind: Callable[[Mapping[str, Any]], Any]) -> Callable[[Request], Any]:
        """What answers requests."""

        async def answer(request: Request) -> Response:
            asked = await request.json()
            self.requests.append(asked)
            wrong = self.wrongs.pop(0) if self.wrongs else "right"
            self.done.append(wrong)
            return await WRONGS[wrong](kind(asked))

        return answer


def _softmax(logits: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    most = max(one for _, one in logits)
    weights = [(token, exp(one - most)) for token, one in logits]
    whole = sum(one for _, one in weights)
    return sorted(((token, one / whole) for token, one in weights), key=lambda pair: -pair[1])


async def _right(data: Any) -> Response:
    return JSONResponse(data)


async def _hang(data: Any) -> Response:
    await asyncio.sleep(NEVER_S)
    return JSONResponse(data)


async def _fails(_: Any) -> Response:
    return JSONResponse({"error": {"code": 500, "message": "the slots are gone", "type": "server_error"}}, 500)


async def _loads(_: Any) -> Response:
    return JSONResponse({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503)


async def _no_json(_: Any) -> Response:
    return PlainTextResponse("<html>")


async def _one_short(data: Any) -> Response:
    return JSONResponse(data[1:] if isinstance(data, list) else {**data, "choices": data["choices"][1:]})


async def _other(_: Any) -> Response:
    return JSONResponse({"content": "3"})


async def _scalars(data: Any) -> Response:
    items = data if isinstance(data, list) else data["choices"]
    return JSONResponse([7] * len(items) if isinstance(data, list) else {"choices": [7] * len(items)})


async def _no_digit(data: Any) -> Response:
    """Right but for the second digit of the first node, where no digit is expected."""
    if isinstance(data, list):
        data[1]["completion_probabilities"][0]["top_probs"] = [{"token": "<eos>", "prob": 1.0}]
    else:
        next(one for one in data["choices"] if one["index"] == 1)["logprobs"]["top_logprobs"] = [{"<eos>": 0.0}]
    return JSONResponse(data)


async def _nonsense(data: Any) -> Response:
    """Tokens and probabilities that are none."""
    for one in _completions(data):
        if isinstance(data, list):
            one["completion_probabilities"][0]["top_probs"] = [{"token": ["1"], "prob": 0.9}, {"token": {}}]
        else:
            one["logprobs"]["top_logprobs"] = [{"1": -(10**400), "2": "high"}]
    return JSONResponse(data)


async def _same_index(data: Any) -> Response:
    for one in _completions(data):
        one["index"] = 0
    return JSONResponse(data)


async def _from_one(data: Any) -> Response:
    for one in _completions(data):
        one["index"] += 1
    return JSONResponse(data)


def _completions(data: Any) -> list[dict[str, Any]]:
    """The completions of an answer of either kind."""
    found: list[dict[str, Any]] = data if isinstance(data, list) else data["choices"]
    return found


WRONGS: Final[dict[str, Callable[[Any], Awaitable[Response]]]] = {
    "right": _right,
    "hang": _hang,
    "500": _fails,
    "503": _loads,
    "no JSON": _no_json,
    "one short": _one_short,
    "another answer": _other,
    "scalars": _scalars,
    "no digit": _no_digit,
    "nonsense": _nonsense,
    "same index": _same_index,
    "counts from 1": _from_one,
}


@contextmanager
def completing(folder: Path, *wrongs: str) -> Iterator[Completing]:
    """A server in a thread of its own."""
    state = Completing(folder, list(wrongs))
    app = Starlette(
        routes=[
            Route("/completion", state.answer(state.llama), methods=["POST"]),
            Route("/v1/completions", state.answer(state.openai), methods=["POST"]),
        ]
    )
    started: Queue[Callable[[], None]] = Queue()

    async def serve() -> None:
        with listening("127.0.0.1", 0) as listener:
            server = server_of(app, 1, lambda *_: None)
            state.url = address_of(listener)
            started.put(lambda: setattr(server, "should_exit", True))
            await server.serve([listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    stop = started.get(timeout=20)
    try:
        yield state
    finally:
        stop()
        thread.join(timeout=20)
