"""What a training runs on, in which precision, and how much arithmetic that can do."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import attrs

from tidepool.errors import ConfigError

DEVICES: Final = ("auto", "cpu", "cuda")
PRECISIONS: Final = ("auto", "bf16", "fp32")

PEAKS_TFLOP_S: Final = {
    "B200": 2250.0,
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "A10G": 70.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
}
"""Dense bfloat16 arithmetic, in 10^12 operations a second, as the makers state it; the first name that fits counts."""


@attrs.frozen
class Device:
    """Where tensors are.

    Attributes:
        name: `cpu` or `cuda`.
        is_bf16: whether products are made of bfloat16; weights and their changes are float32 all the same.
        peak_flop_s: what it can do in this precision, or None where that is not known.
    """

    name: str
    is_bf16: bool
    peak_flop_s: float | None

    def casting(self) -> Any:
        """A context in which products are made in the precision."""
        torch = import_module("torch")
        return torch.autocast(self.name, dtype=torch.bfloat16, enabled=self.is_bf16)


def chosen(device: str, precision: str) -> Device:
    """What to run on; `auto` takes a GPU where there is one, and bfloat16 on it.

    Raises:
        ConfigError: there is no such device.
    """
    cuda = import_module("torch").cuda
    if device == "cuda" and not cuda.is_available():
        raise ConfigError("--device cuda: no GPU can be used here; leave it out, or install a torch that finds it")
    name = "cuda" if device != "cpu" and cuda.is_available() else "cpu"
    is_bf16 = precision == "bf16" or (precision == "auto" and name == "cuda")
    known = peak_flop_s(cuda.get_device_name()) if name == "cuda" and is_bf16 else None
    return Device(name, is_bf16, known)


def peak_flop_s(gpu: str) -> float | None:
    """The bfloat16 operations a second that a GPU can do, by its name, or None for one that is not in the table."""
    words = f" {gpu.replace('-', ' ')} "
    return next((peak * 1e12 for name, peak in PEAKS_TFLOP_S.items() if f" {name} " in words), None)


def flop(model: Any, tokens: int, completions: int) -> float:
    """The operations of a step over so many tokens, and so many of them of completions.

    Two for each weight and token forward, two for what goes back, two more for each weight that is trained. Scores are
    made for completions only. Attention's own products are left out, as is what padding costs: it is work done.
    """
    embeddings = model.get_input_embeddings().weight
    head = embeddings.numel()
    body = [weight for weight in model.parameters() if weight is not embeddings]
    counted = sum(weight.numel() * (6 if weight.requires_grad else 4) for weight in body)
    return float(counted * tokens + head * (6 if embeddings.requires_grad else 4) * completions)
