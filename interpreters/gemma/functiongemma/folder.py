"""What a model's folder holds, as transformers saves it: the shape of a Gemma 3 for text, weights, a tokenizer.

Nothing in it is run: the shape is numbers, and the weights are safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from tidepool.errors import ConfigError, InvalidData

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

NAME: Final = "google/functiongemma-270m-it"
CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
CARD: Final = "card.json"
GET_THEM: Final = f"accept the licence of {NAME} where it is published, then `hf download {NAME} --local-dir DIR`"
EXTRA: Final = "pip install 'semantic-scout[local]'"

_UNUSUAL: Final = ("final_logit_softcapping", "attn_logit_softcapping", "use_bidirectional_attention", "attention_bias")
_SLIDING: Final = "sliding_attention"
_FULL: Final = "full_attention"
_SLIDING_TO_FULL: Final = 6
"""Where a configuration does not list its layers, each sixth one is full."""


@attrs.frozen
class Shape:
    """The numbers of a Gemma 3 text model.

    Attributes:
        hidden: width of the stream between layers.
        heads: of queries; a multiple of `kv_heads`.
        head_dim: width of each.
        sliding: for each layer, whether it sees only the last `window` tokens.
        window: in tokens, the one that looks among them.
        theta_full: base of the rotation's wavelengths in full layers, `theta_sliding` in the others.
        scale: what products of queries and keys are multiplied with.
        eps: what keeps a norm from dividing by nothing.
    """

    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    sliding: tuple[bool, ...]
    window: int
    theta_full: float
    theta_sliding: float
    scale: float
    eps: float


def check_folder(folder: Path) -> None:
    """Find what is missing in a model's folder; nothing is read.

    Raises:
        ConfigError: it is no folder, or one without a model.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: name the one that holds the model; to get it, {GET_THEM}")
    if (folder / "adapter_config.json").is_file() and not (folder / WEIGHTS).is_file():
        raise ConfigError(f"{folder} holds an adapter and no whole model: merge it into its base, and name that folder")
    for name in (CONFIG, TOKENIZER, WEIGHTS):
        if not (folder / name).is_file():
            raise ConfigError(f"{folder} has no {name}: name a folder with a whole model; to get it, {GET_THEM}")


def read_shape(folder: Path) -> Shape:
    """The shape that a folder's configuration says.

    Raises:
        ConfigError: it cannot be read, or is of a model that is not computed here.
    """
    from tidepool.wire import parse

    file = folder / CONFIG
    try:
        config = parse(file.read_bytes())
        return _shape(config)
    except (OSError, InvalidData) as error:
        raise ConfigError(f"{file} cannot be read: save the model again") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{file} is of no model that is computed here ({error}): name a Gemma 3 for text") from error


def _shape(config: Mapping[str, Any]) -> Shape:
    if config["model_type"] != "gemma3_text":
        raise ValueError(f"its model_type is {config['model_type']!r:.40}")
    for unusual in _UNUSUAL:
        if config.get(unusual):
            raise ValueError(f"it has {unusual}")
    if config.get("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh":
        raise ValueError("its hidden_activation is another")
    shape = Shape(
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        vocabulary=config["vocab_size"],
        sliding=tuple(one == _SLIDING for one in _layers(config)),
        window=config["sliding_window"],
        theta_full=_rotation(config, _FULL, "rope_theta", 1e6),
        theta_sliding=_rotation(config, _SLIDING, "rope_local_base_freq", 1e4),
        scale=float(config["query_pre_attn_scalar"]) ** -0.5,
        eps=float(config["rms_norm_eps"]),
    )
    if min(shape.hidden, shape.intermediate, shape.kv_heads, shape.head_dim, shape.window) < 1 or not shape.sliding:
        raise ValueError("one of its sizes is not above 0")
    if shape.heads % shape.kv_heads:
        raise ValueError("its heads are no multiple of its key-value heads")
    return shape


def _layers(config: Mapping[str, Any]) -> list[str]:
    every = config.get("sliding_window_pattern", config.get("_sliding_window_pattern", _SLIDING_TO_FULL))
    usual = [_SLIDING if (place + 1) % every else _FULL for place in range(config["num_hidden_layers"])]
    layers = config.get("layer_types") or usual
    if len(layers) != config["num_hidden_layers"] or set(layers) - {_SLIDING, _FULL}:
        raise ValueError("its layer_types are others")
    return list(layers)


def _rotation(config: Mapping[str, Any], kind: str, older: str, usual: float) -> float:
    """The base of a kind of layer's rotation, as newer configurations say it, or older ones."""
    said = (config.get("rope_parameters") or {}).get(kind) or {}
    if said.get("rope_type", "default") != "default" or (kind == _FULL and config.get("rope_scaling")):
        raise ValueError("its rotations are scaled")
    return float(said.get("rope_theta", config.get(older, usual)))


def is_declared(folder: Path) -> bool:
    """Whether the model's prompts declare the function, as its training's card says; without a card they do."""
    from tidepool.wire import parse

    try:
        card = parse((folder / CARD).read_bytes())
    except (OSError, InvalidData):  # another's model has no card, or one of another kind
        return True
    return not isinstance(card, dict) or card.get("declared") is not False


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights by name, as they were saved.

    Raises:
        ConfigError: they cannot be read, or what reads them is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ConfigError(f"a local model needs torch and safetensors: {EXTRA}") from error
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{folder / WEIGHTS} cannot be read: save or download the model again") from error


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer.

    Raises:
        ConfigError: it cannot be read, or what reads it is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ConfigError(f"a local model needs tokenizers: {EXTRA}") from error
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:
        raise ConfigError(f"{folder / TOKENIZER} cannot be read: save or download the model again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
