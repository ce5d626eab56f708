"""Gemma 3 in plain torch, for one purpose: many short continuations of one beginning, a few rows of logits of each.

    cache = network.run([Piece(beginning)])[0].cache
    answers = network.run([Piece(end, cache, wanted) for end in ends])

Pieces need not be as long as each other: nothing is padded. Products with weights are of all pieces together; attention
is computed piece by piece, over what came before and the piece itself. In the last layer only the wanted rows are
computed. Weights are float32 or bfloat16, or whole numbers of 8 bits (`Int8`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import attrs
import torch
from torch import Tensor
from torch.nn import functional

from interpreters.gemma.functiongemma.folder import Shape
from tidepool.errors import ConfigError

Linear: TypeAlias = Callable[[Tensor], Tensor]
Cache: TypeAlias = tuple[tuple[Tensor, Tensor], ...]
"""For each layer the keys and the values of the tokens so far, each of (key-value heads, tokens, width of a head)."""

_MOST: Final = 127


class Piece(NamedTuple):
    """Tokens that follow others.

    Attributes:
        tokens: one at least.
        past: what came before; () for nothing.
        wanted: after which of the tokens to answer what is expected next; places from 0, ascending.
    """

    tokens: Sequence[int]
    past: Cache = ()
    wanted: Sequence[int] = ()


class Answer(NamedTuple):
    """What came of a piece.

    Attributes:
        states: a row for each wanted token, for `Network.logits`.
        cache: its past and the piece itself.
    """

    states: Tensor
    cache: Cache


@attrs.frozen(eq=False)
class Float:
    """A product with weights as they are."""

    weight: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        """The product of each row."""
        return functional.linear(rows, self.weight)


class Int8:
    """A product with weights of 8 bits, scaled column by column; each row is made 8 bits by a scale of its own.

    A scale for all rows together, as libraries have it, would let a node's rating depend on its neighbours in a batch.
    The sums are of whole numbers, so no order of adding matters either.
    """

    def __init__(self, weight: Tensor) -> None:
        self.scale = weight.abs().amax(dim=1).clamp_min(1e-12) / _MOST
        self.weight = (weight / self.scale[:, None]).round_().to(torch.int8).t()

    def __call__(self, rows: Tensor) -> Tensor:
        """The product of each row."""
        scale = rows.abs().amax(dim=1, keepdim=True).clamp_min_(1e-12).div_(_MOST)
        whole = (rows / scale).round_().to(torch.int8)
        sums: Tensor = torch.ops.aten._int_mm(whole, self.weight)
        return sums.to(torch.float32).mul_(self.scale).mul_(scale)


@attrs.frozen(eq=False)
class _Layer:
    """The weights of a layer. Products of the same rows are one product."""

    sliding: bool
    query_key_value: Linear
    out: Linear
    gate_up: Linear
    down: Linear
    before_attention: Tensor
    after_attention: Tensor
    before_mlp: Tensor
    after_mlp: Tensor
    query_norm: Tensor
    key_norm: Tensor


@attrs.frozen(eq=False)
class Network:
    """A Gemma 3 text model. It may be run by several threads at once."""

    shape: Shape
    embedding: Tensor
    head: Tensor
    norm: Tensor
    layers: tuple[_Layer, ...]

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return self.embedding.device

    @torch.inference_mode()
    def run(self, pieces: Sequence[Piece], *, keep: bool = True) -> list[Answer]:
        """What comes of each piece.

        Args:
            keep: whether caches are wanted; else they are ().
        """
        batch = _Batch.of(pieces, self.shape, self.embedding)
        rows = functional.embedding(batch.tokens, self.embedding) * self.shape.hidden**0.5
        caches: list[list[tuple[Tensor, Tensor]]] = [[] for _ in pieces]
        for place, layer in enumerate(self.layers):
            is_last = place == len(self.layers) - 1
            heard, kept = self._attention(layer, place, _normed(rows, layer.before_attention, self), batch, is_last)
            if keep:
                for cache, pair in zip(caches, kept, strict=True):
                    cache.append(pair)
            rows = rows[batch.wanted_rows] if is_last else rows
            rows = rows + _normed(layer.out(heard), layer.after_attention, self)
            rows = rows + _normed(_mlp(layer, _normed(rows, layer.before_mlp, self)), layer.after_mlp, self)
        states = torch.split(_normed(rows, self.norm, self), [len(piece.wanted) for piece in pieces])
        return [Answer(state, tuple(cache)) for state, cache in zip(states, caches, strict=True)]

    @torch.inference_mode()
    def logits(self, states: Tensor, tokens: Sequence[int] | None = None) -> Tensor:
        """What is expected after each state: a row of logits, of some tokens or of all."""
        head = self.head if tokens is None else self.head[list(tokens)]
        return functional.linear(states, head).float()

    def _attention(
        self, layer: _Layer, place: int, rows: Tensor, batch: _Batch, only_wanted: bool
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """What each token hears of those before it, and each piece's keys and values with its past's."""
        shape = self.shape
        cos, sin = batch.rotations[layer.sliding]
        heads = layer.query_key_value(rows).view(len(rows), -1, shape.head_dim)
        queries, keys, values = torch.split(heads, [shape.heads, shape.kv_heads, shape.kv_heads], dim=1)
        queries = _rotated(_normed(queries, layer.query_norm, self), cos, sin)
        keys = _rotated(_normed(keys, layer.key_norm, self), cos, sin)
        heard, kept = [], []
        for span in batch.spans:
            pair = _after(span.past, place, keys[span.start : span.end], values[span.start : span.end])
            kept.append(pair)
            asking = queries[span.start : span.end]
            mask = span.masks[layer.sliding]
            if only_wanted:
                asking, mask = asking[span.wanted], mask[span.wanted]
            heard.append(_heard(asking, *pair, mask, shape))
        return torch.cat(heard), kept


def _normed(rows: Tensor, weight: Tensor, network: Network) -> Tensor:
    """Rows of mean square 1, times a weight."""
    return functional.rms_norm(rows.float(), weight.shape, weight, network.shape.eps).type_as(rows)


def _mlp(layer: _Layer, rows: Tensor) -> Tensor:
    gate, up = layer.gate_up(rows).chunk(2, dim=1)
    return layer.down(functional.gelu(gate, approximate="tanh") * up)


def _rotated(rows: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rows of (tokens, heads, width), turned by where the tokens stand."""
    first, second = rows.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def _after(past: Cache, place: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    own = keys.transpose(0, 1), values.transpose(0, 1)
    if not past:
        return own
    before = past[place]
    return torch.cat((before[0], own[0]), dim=1), torch.cat((before[1], own[1]), dim=1)


def _heard(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, shape: Shape) -> Tensor:
    """The attention of one piece's queries; the heads that share keys are asked as if they were more tokens."""
    count, shared = len(queries), shape.heads // shape.kv_heads
    asking = queries.transpose(0, 1).reshape(1, shape.kv_heads, shared * count, shape.head_dim)
    answer = functional.scaled_dot_product_attention(
        asking, keys[None], values[None], attn_mask=mask.repeat(shared, 1), scale=shape.scale
    )
    return answer.reshape(shape.heads, count, shape.head_dim).transpose(0, 1).flatten(1)


class _Span(NamedTuple):
    """A piece among others: its rows, its past, its masks by whether a layer is sliding, and the wanted rows in it."""

    start: int
    end: int
    past: Cache
    masks: tuple[Tensor, Tensor]
    wanted: Tensor


class _Batch(NamedTuple):
    """Pieces in one row of tokens; rotations by whether a layer is sliding."""

    tokens: Tensor
    spans: tuple[_Span, ...]
    wanted_rows: Tensor
    rotations: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]

    @classmethod
    def of(cls, pieces: Sequence[Piece], shape: Shape, like: Tensor) -> _Batch:
        """The batch, where a tensor is and of its type."""
        device = like.device
        spans = tuple(_spans(pieces, shape, device))
        positions = torch.cat([_positions(piece, device) for piece in pieces])
        return cls(
            torch.tensor([token for piece in pieces for token in piece.tokens], device=device),
            spans,
            torch.cat([span.start + span.wanted for span in spans]),
            (
                _rotation(positions, shape.theta_full, shape, like),
                _rotation(positions, shape.theta_sliding, shape, like),
            ),
        )


def _positions(piece: Piece, device: torch.device) -> Tensor:
    before = _length(piece.past)
    return torch.arange(before, before + len(piece.tokens), device=device)


def _length(cache: Cache) -> int:
    return cache[0][0].shape[1] if cache else 0


def _rotation(positions: Tensor, theta: float, shape: Shape, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine for each position, of (tokens, 1, half the width of a head)."""
    steps = torch.arange(0, shape.head_dim, 2, dtype=torch.float32, device=positions.device) / shape.head_dim
    angles = positions[:, None, None].float() * theta**-steps
    return angles.cos().type_as(like), angles.sin().type_as(like)


def _spans(pieces: Sequence[Piece], shape: Shape, device: torch.device) -> Iterator[_Span]:
    start = 0
    for piece in pieces:
        end = start + len(piece.tokens)
        masks = _masks(_length(piece.past), len(piece.tokens), shape.window, device)
        yield _Span(start, end, piece.past, masks, torch.tensor(piece.wanted, dtype=torch.long, device=device))
        start = end


def _masks(before: int, count: int, window: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """What each of so many tokens sees, in full layers and in sliding ones."""
    asking = torch.arange(before, before + count, device=device)[:, None]
    asked = torch.arange(before + count, device=device)
    full = asked <= asking
    return full, full if before + count <= window else full & (asking - asked < window)


def cut(cache: Cache, tokens: int) -> Cache:
    """The cache of the first so many tokens."""
    return tuple((keys[:, :tokens], values[:, :tokens]) for keys, values in cache)


def build(shape: Shape, weights: Mapping[str, Tensor], *, int8: bool = False, device: str = "cpu") -> Network:
    """A network of weights by their names in transformers.

    Args:
        int8: make the layers' weights whole numbers of 8 bits; on a processor.
        device: where to compute: float32 on a processor, else bfloat16.

    Raises:
        ConfigError: one is missing, or has another shape than the configuration says.
    """
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    linear: Callable[[Tensor], Linear] = Int8 if int8 else Float
    wide, narrow = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim

    def get(name: str, *size: int) -> Tensor:
        found = weights.get(name)
        if found is None or found.shape != size:
            said = "is missing" if found is None else f"is {tuple(found.shape)} and not {size}"
            raise ConfigError(f"the weight {name} {said}: the weights are not of this configuration; save them again")
        return found.to(device=device, dtype=dtype)

    def norm(name: str, size: int) -> Tensor:
        return get(name, size).float() + 1

    def layer(place: int, sliding: bool) -> _Layer:
        at = f"model.layers.{place}."
        sizes = (("q", wide), ("k", narrow), ("v", narrow))
        asked = [get(f"{at}self_attn.{name}_proj.weight", size, shape.hidden) for name, size in sizes]
        both = [get(f"{at}mlp.{name}_proj.weight", shape.intermediate, shape.hidden) for name in ("gate", "up")]
        return _Layer(
            sliding=sliding,
            query_key_value=linear(torch.cat(asked)),
            out=linear(get(f"{at}self_attn.o_proj.weight", shape.hidden, wide)),
            gate_up=linear(torch.cat(both)),
            down=linear(get(f"{at}mlp.down_proj.weight", shape.hidden, shape.intermediate)),
            before_attention=norm(f"{at}input_layernorm.weight", shape.hidden),
            after_attention=norm(f"{at}post_attention_layernorm.weight", shape.hidden),
            before_mlp=norm(f"{at}pre_feedforward_layernorm.weight", shape.hidden),
            after_mlp=norm(f"{at}post_feedforward_layernorm.weight", shape.hidden),
            query_norm=norm(f"{at}self_attn.q_norm.weight", shape.head_dim),
            key_norm=norm(f"{at}self_attn.k_norm.weight", shape.head_dim),
        )

    embedding = get("model.embed_tokens.weight", shape.vocabulary, shape.hidden)
    own_head = "lm_head.weight" in weights
    return Network(
        shape=shape,
        embedding=embedding,
        head=get("lm_head.weight", shape.vocabulary, shape.hidden) if own_head else embedding,
        norm=norm("model.norm.weight", shape.hidden),
        layers=tuple(layer(place, sliding) for place, sliding in enumerate(shape.sliding)),
    )
