"""What a model's folder holds, as transformers saves it: the shape of a Gemma 3 for text, weights, a tokenizer.

Nothing in it is run: the shape is numbers, and the weights are safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from tidepool.errors import ConfigError, InvalidData
from tidepool.wire import MISSING, parse

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

_MOST_SIZE: Final = 10_000_000
"""Of any size: some forty times the largest one of FunctionGemma, its vocabulary. The weights have the last word."""

_MOST_LAYERS: Final = 1000
_LEAST_NUMBER: Final = 1e-12
_MOST_NUMBER: Final = 1e12
"""Of what is no size: between them no root, quotient or power of one is out of the range of a 32-bit float."""


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
    file = folder / CONFIG
    try:
        config = parse(file.read_bytes())
    except (OSError, InvalidData) as error:
        raise ConfigError(f"{file} cannot be read: save the model again") from error
    try:
        return _shape(config)
    except ValueError as error:
        raise ConfigError(f"{file} is of no model that is computed here ({error}): name a Gemma 3 for text") from error


def _shape(config: object) -> Shape:
    if not isinstance(config, dict):
        raise InvalidData("it", config, "an object")
    if (kind := config.get("model_type", MISSING)) != "gemma3_text":
        raise InvalidData("model_type", kind, "gemma3_text")
    for unusual in _UNUSUAL:
        if config.get(unusual):
            raise ValueError(f"it has {unusual}")
    if config.get("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh":
        raise ValueError("its hidden_activation is another")
    shape = Shape(
        hidden=_whole(config, "hidden_size"),
        intermediate=_whole(config, "intermediate_size"),
        heads=_whole(config, "num_attention_heads"),
        kv_heads=_whole(config, "num_key_value_heads"),
        head_dim=_whole(config, "head_dim"),
        vocabulary=_whole(config, "vocab_size"),
        sliding=tuple(one == _SLIDING for one in _layers(config)),
        window=_whole(config, "sliding_window"),
        theta_full=_rotation(config, _FULL, "rope_theta", 1e6),
        theta_sliding=_rotation(config, _SLIDING, "rope_local_base_freq", 1e4),
        scale=_number(config, "query_pre_attn_scalar") ** -0.5,
        eps=_number(config, "rms_norm_eps"),
    )
    if shape.heads % shape.kv_heads:
        raise ValueError("its heads are no multiple of its key-value heads")
    if shape.head_dim % 2:
        raise ValueError("its head_dim is odd, and cannot be turned in pairs")
    return shape


def _whole(config: Mapping[str, Any], name: str, most: int = _MOST_SIZE) -> int:
    value = config.get(name, MISSING)
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidData(name, value, f"a whole number from 1 to {most}")
    return value


def _number(config: Mapping[str, Any], name: str, usual: object = MISSING) -> float:
    value = config.get(name, usual)
    # Compared and not converted: a whole number may be too large for that.
    if type(value) not in (int, float) or not _LEAST_NUMBER <= value <= _MOST_NUMBER:
        raise InvalidData(name, value, f"a number from {_LEAST_NUMBER:g} to {_MOST_NUMBER:g}")
    return float(value)


def _layers(config: Mapping[str, Any]) -> list[str]:
    count = _whole(config, "num_hidden_layers", _MOST_LAYERS)
    layers = config.get("layer_types") or _usual_layers(config, count)
    is_list = isinstance(layers, list) and len(layers) == count
    if not is_list or any(one not in (_SLIDING, _FULL) for one in layers):
        raise ValueError("its layer_types are others")
    return layers


def _usual_layers(config: Mapping[str, Any], count: int) -> list[str]:
    """The kinds of so many layers of a configuration that does not list them."""
    name = next((one for one in ("sliding_window_pattern", "_sliding_window_pattern") if one in config), None)
    every = _SLIDING_TO_FULL if name is None else _whole(config, name)
    return [_SLIDING if (place + 1) % every else _FULL for place in range(count)]


def _rotation(config: Mapping[str, Any], kind: str, older: str, usual: float) -> float:
    """The base of a kind of layer's rotation, as newer configurations say it, or older ones."""
    said = _object(_object(config, "rope_parameters"), kind)
    if said.get("rope_type", "default") != "default" or (kind == _FULL and config.get("rope_scaling")):
        raise ValueError("its rotations are scaled")
    return _number(said, "rope_theta") if "rope_theta" in said else _number(config, older, usual)


def _object(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name) or {}
    if not isinstance(found, dict):
        raise InvalidData(name, found, "an object")
    return found


def read_card(folder: Path) -> Mapping[str, Any]:
    """What the training wrote of the model; empty where another made it, who wrote none, or one of another kind.

    Raises:
        ConfigError: there is one, and it cannot be read.
    """
    file = folder / CARD
    try:
        card = parse(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, InvalidData) as error:
        raise ConfigError(f"{file} cannot be read: copy the model again, or train it again") from error
    return card if isinstance(card, dict) else {}


def is_declared(folder: Path) -> bool:
    """Whether the model's prompts declare the function, as its training's card says; without a card they do.

    Raises:
        ConfigError: the card cannot be read.
    """
    return read_card(folder).get("declared") is not False


def check_sums(folder: Path) -> None:
    """Compare the files that the model is read from with their SHA-256, where the card names it.

    All of each such file is read, a piece at a time.

    Raises:
        ConfigError: one is another than the training wrote, or cannot be read.
    """
    sums = read_card(folder).get("sha256")
    for name in (CONFIG, TOKENIZER, WEIGHTS):
        if isinstance(sums, dict) and name in sums and _sha256(folder / name) != sums[name]:
            file = folder / name
            raise ConfigError(f"{file} is not what {CARD} says it is: copy the model again, or train it again")


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: save or download the model again") from error


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
    """The tokenizer, to which no text is a special token.

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
    tokenizer.encode_special_tokens = True
    return tokenizer
