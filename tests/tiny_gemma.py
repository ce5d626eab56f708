"""A tiny Gemma of random weights with a tokenizer of its own, in a folder as transformers saves one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tidepool.domain import QueryContext
from tidepool.training.functiongemma import prefix

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL: Final = (
    "<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>",
    "<start_function_declaration>", "<end_function_declaration>", "<start_function_call>", "<end_function_call>",
    "<start_function_response>", "<end_function_response>", "<escape>",
)  # fmt: skip
LAYERS: Final = ("sliding_attention", "sliding_attention", "full_attention", "sliding_attention")
CONFIG: Final[dict[str, Any]] = {
    "model_type": "gemma3_text",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": len(LAYERS),
    "layer_types": list(LAYERS),
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "sliding_window": 40,
    "query_pre_attn_scalar": 8,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {
        "full_attention": {"rope_theta": 1e6, "rope_type": "default"},
        "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"},
    },
}


def write_model(folder: Path, seed: int = 0) -> Path:
    """The folder, with a model in it that mostly expects digits, and not the same ones everywhere."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder)
    config = CONFIG | {"vocab_size": tokenizer.get_vocab_size(), "tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    dice = torch.Generator().manual_seed(seed)
    weights = {name: torch.randn(shape, generator=dice) * 0.3 for name, shape in shapes(config).items()}
    head = weights["model.embed_tokens.weight"].clone()
    head[[tokenizer.token_to_id(digit) for digit in "12345"]] *= 3
    save_file(weights | {"lm_head.weight": head}, folder / "model.safetensors")
    return folder


def write_tokenizer(folder: Path) -> Tokenizer:
    """A tokenizer of bytes, and of what is frequent in prompts, in which digits stand by themselves."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([prefix(QueryContext("What breaks if I rename price?"))], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of a configuration, by their names."""
    hidden, between = config["hidden_size"], config["intermediate_size"]
    wide = config["num_attention_heads"] * config["head_dim"]
    narrow = config["num_key_value_heads"] * config["head_dim"]
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config["vocab_size"], hidden),
        "model.norm.weight": (hidden,),
    }
    for place in range(config["num_hidden_layers"]):
        layer = {
            "self_attn.q_proj": (wide, hidden),
            "self_attn.k_proj": (narrow, hidden),
            "self_attn.v_proj": (narrow, hidden),
            "self_attn.o_proj": (hidden, wide),
            "self_attn.q_norm": (config["head_dim"],),
            "self_attn.k_norm": (config["head_dim"],),
            "mlp.gate_proj": (between, hidden),
            "mlp.up_proj": (between, hidden),
            "mlp.down_proj": (hidden, between),
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
            "pre_feedforward_layernorm": (hidden,),
            "post_feedforward_layernorm": (hidden,),
        }
        found |= {f"model.layers.{place}.{name}.weight": shape for name, shape in layer.items()}
    return found
