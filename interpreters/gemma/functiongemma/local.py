"""A model from a folder, on threads of this process: a `Model` that answers rounds of nodes.

The prompt's beginning is run once for all nodes of a question, and what it left is remembered for a few questions. What
a node is rated depends on its question and on itself: not on its neighbours, nor on what was asked before.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from interpreters.gemma.functiongemma.digits import FIELDS, rubric_of, softmax
from interpreters.gemma.functiongemma.folder import (
    EXTRA,
    check_folder,
    check_sums,
    is_declared,
    read_shape,
    read_tokenizer,
    read_weights,
)
from interpreters.gemma.functiongemma.tokens import Ending, Prompts, Question
from tidepool.domain import Rubric
from tidepool.effects.gemma import Model, RateNode
from tidepool.errors import ConfigError, ModelFailure

if TYPE_CHECKING:
    from interpreters.gemma.functiongemma.network import Answer, Cache, Network, Piece

Logits: TypeAlias = list[list[float]]
"""Of each of the three digits, in the order in which they stand in a call, what is expected of 1 to 5."""

BACKENDS: Final = ("auto", "int8", "torch")
MAX_SUFFIX_TOKENS: Final = 200
"""Twice what a node's place, hover and five lines of code mostly are; each more costs as much time as the last."""

QUESTIONS_REMEMBERED: Final = 8
"""Some 10 MB each of the 270M shape in float32. A client asks about one question at a time, and a few clients do."""

NODES_AT_ONCE: Final = {"int8": 4, "float32": 1, "bfloat16": 50}
"""How many nodes are computed together. Sums of whole numbers are the same whatever is beside them; float32 ones are
not quite, so there each is by itself, which costs nothing. A round that is given up ends after these."""

REASON_TOKENS: Final = 48
"""Of a reason that the model writes: a sentence."""


@asynccontextmanager
async def open_local(
    folder: Path,
    *,
    backend: str = "auto",
    passes: int = 1,
    max_suffix_tokens: int = MAX_SUFFIX_TOKENS,
    declared: bool | None = None,
    writes_reasons: bool = False,
    workers: int | None = None,
    name: str = "functiongemma",
) -> AsyncGenerator[Model]:
    """Load a model, and let go of it at the end.

    Args:
        folder: the model's, as transformers saves it.
        backend: `int8` on the processor, `torch` in bfloat16 on a GPU and in float32 where there is none, or `auto`:
            the GPU where there is one, else `int8`.
        passes: 1 reads the three digits at once, each as if those before it were in the middle of the scale; 3 reads
            each with the likeliest ones before it, as the model would write them.
        max_suffix_tokens: of a node's own part of the prompt; more is cut, and its reasoning tells.
        declared: whether prompts declare the function; None for as in the model's training.
        writes_reasons: whether the model writes the reasons: many times slower. Else they are of a table.
        workers: how many threads compute, each by itself; None for one on each processor this process may use.
        name: who is to blame in errors.

    Raises:
        ConfigError: the model cannot be loaded, or there are other passes than 1 or 3.
    """
    if passes not in (1, len(FIELDS)):
        raise ConfigError(f"{passes} passes read no three digits: name 1 or {len(FIELDS)}")
    check_folder(folder)
    try:
        import torch
    except ImportError as error:
        raise ConfigError(f"a local model needs torch: {EXTRA}") from error
    backend = _resolved(backend, has_gpu=torch.cuda.is_available())
    before = torch.get_num_threads()
    threads = 1 if backend == "bfloat16" else workers or _processors()
    pool = ThreadPoolExecutor(threads, "functiongemma", initializer=partial(torch.set_num_threads, 1))
    try:
        network = await asyncio.get_running_loop().run_in_executor(pool, _network, folder, backend)
        declared = is_declared(folder) if declared is None else declared
        prompts = Prompts(read_tokenizer(folder), max_suffix_tokens, declared)
        _check_tokens(prompts, network)
        scorer = Scorer(network, prompts, is_exact=passes == len(FIELDS), writes_reasons=writes_reasons)
        yield Rounds(scorer, pool, NODES_AT_ONCE[backend], name).rate
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _resolved(backend: str, *, has_gpu: bool) -> str:
    """What is computed with."""
    if backend not in BACKENDS:
        raise ConfigError(f"{backend!r:.40} computes nothing here: the backend is one of {', '.join(BACKENDS)}")
    if backend == "int8" or (backend == "auto" and not has_gpu):
        return "int8"
    return "bfloat16" if has_gpu else "float32"


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # there is no such call on some systems
        return os.cpu_count() or 1


def _network(folder: Path, backend: str) -> Network:
    check_sums(folder)
    shape = read_shape(folder)
    weights = read_weights(folder)
    from interpreters.gemma.functiongemma.network import build

    return build(shape, weights, int8=backend == "int8", device="cuda" if backend == "bfloat16" else "cpu")


def _check_tokens(prompts: Prompts, network: Network) -> None:
    """Control tokens of no use here may be beyond the embedding, as one for images is of Gemma's text models."""
    if prompts.highest >= network.shape.vocabulary:
        why = f"the tokenizer has a token {prompts.highest}, and the weights have {network.shape.vocabulary} in all"
        raise ConfigError(f"{why}: save or download the model again")


@attrs.frozen(eq=False)
class Rounds:
    """Rounds of nodes, a few nodes at a time on each thread."""

    scorer: Scorer
    pool: ThreadPoolExecutor
    nodes_at_once: int
    name: str

    async def rate(self, ops: Sequence[RateNode]) -> Sequence[Result[Rubric, ModelFailure]]:
        """Rate any number of nodes, as a `Model` does."""
        answers: list[Result[Rubric, ModelFailure]] = [Failure(self._failed(op, "was not asked")) for op in ops]

        async def part(places: Sequence[int]) -> None:
            asked = [ops[place] for place in places]
            for place, answer in zip(places, await self._rated(asked), strict=True):
                answers[place] = answer

        async with asyncio.TaskGroup() as group:
            for places in _parts(ops, self.nodes_at_once):
                group.create_task(part(places))
        return answers

    async def _rated(self, ops: Sequence[RateNode]) -> Sequence[Result[Rubric, ModelFailure]]:
        try:
            rubrics = await asyncio.get_running_loop().run_in_executor(self.pool, self.scorer.rate, ops)
        except ConfigError as error:  # a text cannot be read: one node's, and no reason to fail its neighbours
            if len(ops) > 1:
                return [answer for op in ops for answer in await self._rated([op])]
            return [Failure(self._failed(op, f"could not read it: {error}")) for op in ops]
        except (RuntimeError, MemoryError) as error:  # torch raises the first of whatever it cannot do
            why = f"could not compute it ({' '.join(str(error).split())[:200]}): ask about fewer or shorter nodes"
            return [Failure(self._failed(op, why)) for op in ops]
        return [
            Failure(self._failed(op, "expects no finite numbers there: train it again, or use backend torch"))
            if rubric is None
            else Success(rubric)
            for op, rubric in zip(ops, rubrics, strict=True)
        ]

    def _failed(self, op: RateNode, why: str) -> ModelFailure:
        return ModelFailure(self.name, why, op.node.location)


def _parts(ops: Sequence[RateNode], most: int) -> list[list[int]]:
    """The places of nodes of the same question, so many together."""
    by_query: dict[object, list[int]] = {}
    for place, op in enumerate(ops):
        by_query.setdefault(op.query, []).append(place)
    return [places[at : at + most] for places in by_query.values() for at in range(0, len(places), most)]


@attrs.frozen(eq=False)
class Scorer:
    """A model and its prompts. Several threads may ask it at once.

    Attributes:
        is_exact: whether each digit is read with the likeliest ones before it.
        reuses: whether the beginning of the prompts of a question is run once for all its nodes.
    """

    network: Network
    prompts: Prompts
    is_exact: bool = False
    writes_reasons: bool = False
    reuses: bool = True
    _remembered: OrderedDict[tuple[int, ...], Cache] = attrs.field(factory=OrderedDict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def rate(self, ops: Sequence[RateNode]) -> list[Rubric | None]:
        """The rubrics of nodes of one question; None where the model expects nothing that is a number."""
        question, endings, begun = self._begun(ops)
        logits = self._read(begun)
        reasons = self._reasons(begun, logits) if self.writes_reasons else [None] * len(ops)
        rubrics = []
        for row, ending, why in zip(logits, endings, reasons, strict=True):
            rubrics.append(_rubric(row, was_cut=question.was_cut or ending.was_cut, why=why))
        return rubrics

    def logits(self, ops: Sequence[RateNode]) -> list[Logits]:
        """What the model expects of nodes of one question."""
        return self._read(self._begun(ops)[2])

    def _begun(self, ops: Sequence[RateNode]) -> tuple[Question, list[Ending], list[Piece]]:
        """The prompts of nodes, each after what they share."""
        from interpreters.gemma.functiongemma.network import Piece

        question = self.prompts.question(ops[0].query)
        endings = [self.prompts.ending(question, op.node) for op in ops]
        if not self.reuses:
            return question, endings, [Piece(question.tokens[: one.shared] + one.tokens) for one in endings]
        past = self._past(question.tokens)
        return question, endings, [Piece(one.tokens, _cut(past, one.shared, question)) for one in endings]

    def _past(self, tokens: tuple[int, ...]) -> Cache:
        """What the tokens of a question leave behind, remembered; always computed in the same two steps."""
        with self._lock:
            found = self._remembered.pop(tokens, None) or self._extended(tokens)
            self._remembered[tokens] = found
            while len(self._remembered) > QUESTIONS_REMEMBERED + 1:  # the base, and the questions
                self._remembered.pop(next(one for one in self._remembered if one != self.prompts.base))
        return found

    def _extended(self, tokens: tuple[int, ...]) -> Cache:
        from interpreters.gemma.functiongemma.network import Piece

        base = self.prompts.base
        if not base or tokens[: len(base)] != base or tokens == base:
            return self.network.run([Piece(tokens)])[0].cache
        if base not in self._remembered:
            self._remembered[base] = self.network.run([Piece(base)])[0].cache
        return self.network.run([Piece(tokens[len(base) :], self._remembered[base])])[0].cache

    def _read(self, begun: Sequence[Piece]) -> list[Logits]:
        return self._one_by_one(begun) if self.is_exact else self._at_once(begun)

    def _at_once(self, begun: Sequence[Piece]) -> list[Logits]:
        """All three from one run, as if each digit before were in the middle of the scale."""
        head, first, second, _ = self.prompts.parts
        middle = self.prompts.digits[len(self.prompts.digits) // 2]
        call = (*head, middle, *first, middle, *second)
        last = [len(head) - 1, len(head) + len(first), len(call) - 1]
        pieces = [
            one._replace(tokens=(*one.tokens, *call), wanted=[len(one.tokens) + place for place in last])
            for one in begun
        ]
        return [self._of_digits(answer) for answer in self.network.run(pieces, keep=False)]

    def _one_by_one(self, begun: Sequence[Piece]) -> list[Logits]:
        """Each after the likeliest ones before it."""
        head, first, second, _ = self.prompts.parts
        pieces = [_asking((*one.tokens, *head), one.past) for one in begun]
        answers = self.network.run(pieces)
        found = [self._of_digits(answer) for answer in answers]
        for part in (first, second):
            pieces = [
                _asking((self._likeliest(rows[-1]), *part), answer.cache)
                for rows, answer in zip(found, answers, strict=True)
            ]
            answers = self.network.run(pieces)
            found = [[*rows, *self._of_digits(answer)] for rows, answer in zip(found, answers, strict=True)]
        return found

    def _of_digits(self, answer: Answer) -> Logits:
        """Of each wanted token, what is expected of 1 to 5 after it."""
        logits: Logits = self.network.logits(answer.states, list(self.prompts.digits)).tolist()
        return logits

    def _likeliest(self, logits: Sequence[float]) -> int:
        return self.prompts.digits[max(range(len(logits)), key=logits.__getitem__)]

    def _reasons(self, begun: Sequence[Piece], found: Sequence[Logits]) -> list[str | None]:
        """What the model writes as its reasons after the likeliest digits, word by likeliest word."""
        *parts, last = self.prompts.parts
        pieces = []
        for one, rows in zip(begun, found, strict=True):
            call = [token for part, row in zip(parts, rows, strict=True) for token in (*part, self._likeliest(row))]
            pieces.append(_asking((*one.tokens, *call, *last), one.past))
        return [self._written(piece) for piece in pieces]

    def _written(self, piece: Piece) -> str | None:
        """What follows a piece, until it is quoted no more; None for nothing."""
        written: list[int] = []
        for _ in range(REASON_TOKENS):
            (answer,) = self.network.run([piece])
            token = int(self.network.logits(answer.states)[0].argmax())
            if token in self.prompts.ends:
                break
            written.append(token)
            piece = _asking((token,), answer.cache)
        return self.prompts.tokenizer.decode(written, skip_special_tokens=True).strip() or None


def _asking(tokens: Sequence[int], past: Cache) -> Piece:
    """Tokens after whose last one the answer is wanted."""
    from interpreters.gemma.functiongemma.network import Piece

    return Piece(tokens, past, (len(tokens) - 1,))


def _cut(past: Cache, shared: int, question: Question) -> Cache:
    from interpreters.gemma.functiongemma.network import cut

    return past if shared == len(question.tokens) else cut(past, shared)


def _rubric(logits: Logits, *, was_cut: bool, why: str | None) -> Rubric | None:
    try:
        digits = dict(zip(FIELDS, map(softmax, logits), strict=True))
    except ValueError:
        return None
    return rubric_of(digits, was_cut=was_cut, why=why)
