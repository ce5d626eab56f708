"""Adapters: two thin matrices beside each linear layer, trained in its place and added to it in the end.

The product of training is a model like any other, so whoever loads it need not know of adapters.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import attrs

LAYERS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of a block; the embeddings stay as they are."""

DOWN: Final = "lora_down"
UP: Final = "lora_up"


@attrs.frozen
class Adapters:
    """The adapters of a model.

    Attributes:
        layers: those that have one.
        scale: of what an adapter adds.
        hooks: what adds it, until they are merged.
    """

    layers: tuple[Any, ...]
    scale: float
    hooks: tuple[Any, ...]


def attach(model: Any, rank: int, alpha: float, seed: int) -> Adapters:
    """Give a model adapters, and leave nothing else of it to be trained. At first they add nothing."""
    torch = import_module("torch")
    dice = torch.Generator().manual_seed(seed)
    model.requires_grad_(False)
    layers = tuple(module for name, module in model.named_modules() if name.rpartition(".")[2] in LAYERS)
    scale = alpha / rank
    for layer in layers:
        spread = layer.in_features**-0.5
        down = (torch.rand(rank, layer.in_features, generator=dice) * 2 - 1) * spread
        layer.register_parameter(DOWN, torch.nn.Parameter(down.to(layer.weight)))
        layer.register_parameter(UP, torch.nn.Parameter(layer.weight.new_zeros(layer.out_features, rank)))
    hooks = tuple(layer.register_forward_hook(_adding(scale)) for layer in layers)
    return Adapters(layers, scale, hooks)


def _adding(scale: float) -> Any:
    linear = import_module("torch").nn.functional.linear

    def add(layer: Any, given: tuple[Any, ...], answer: Any) -> Any:
        return answer + scale * linear(linear(given[0], layer.lora_down), layer.lora_up)

    return add


def merge(adapters: Adapters) -> None:
    """Add the adapters to the weights, and take them away."""
    no_grad = import_module("torch").no_grad
    for hook in adapters.hooks:
        hook.remove()
    with no_grad():
        for layer in adapters.layers:
            layer.weight += adapters.scale * (layer.lora_up @ layer.lora_down)
            delattr(layer, DOWN)
            delattr(layer, UP)
