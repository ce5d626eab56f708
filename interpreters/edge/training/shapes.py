"""Gemma3 from random weights, with a tokenizer made from the data: what is trained where no weights are at hand.

`tiny` has the parts of the large one, sliding and full attention, tied embeddings and the same control tokens.
`random-270m` has its shape as well, and shows what training costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final

import attrs

from interpreters.edge.training.vocabulary import CONTROLS, Vocabulary


@attrs.frozen
class Shape:
    """The numbers of a Gemma3.

    Attributes:
        hidden: width of the stream.
        intermediate: width inside of a block's second half.
        heads: of attention; they share one head of keys and values.
        head_width: of each.
        layers: s for sliding attention, f for full, in their order.
        window: tokens that sliding attention looks back.
        rows: of the embedding; None for as many as the tokenizer has tokens.
    """

    hidden: int
    intermediate: int
    heads: int
    head_width: int
    layers: str
    window: int
    rows: int | None


SHAPES: Final[Mapping[str, Shape]] = {
    "tiny": Shape(128, 512, heads=4, head_width=32, layers="sf", window=512, rows=None),
    "random-270m": Shape(640, 2048, heads=4, head_width=256, layers="sssssf" * 3, window=512, rows=262_144),
}
"""By the name that --base gives them."""

TOKENS: Final = 2048
"""Of its vocabulary: enough for the words that questions and rubrics repeat, few enough for a small embedding."""

TOKEN_CHARACTERS: Final = 24
"""Of a token, at most: else a text that repeats one character is a single token, however long it is."""

_FIRST: Final = ("<pad>", "<eos>", "<bos>", "<unk>")
"""By their ids, which are those of Gemma."""


def made_tokenizer(texts: Iterable[str]) -> Any:
    """Byte pairs, learnt from texts. Every byte is in it, so that no text is unknown; digits stand alone."""
    parts = import_module("tokenizers")
    ours = [name for name in CONTROLS if name not in _FIRST]
    made = parts.Tokenizer(parts.models.BPE())
    made.pre_tokenizer = parts.pre_tokenizers.Sequence(
        [parts.pre_tokenizers.Digits(individual_digits=True), parts.pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = parts.decoders.ByteLevel()
    trainer = parts.trainers.BpeTrainer(
        vocab_size=TOKENS,
        special_tokens=[*_FIRST, *ours],
        initial_alphabet=sorted(parts.pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=TOKEN_CHARACTERS,
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return import_module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",  # noqa: S106 - a token of text, and no secret
        eos_token="<eos>",  # noqa: S106
        bos_token="<bos>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        additional_special_tokens=ours,
    )


def random_model(shape: Shape, vocabulary: Vocabulary, seed: int) -> Any:
    """A model of a shape. The same shape, vocabulary and seed give the same weights."""
    transformers = import_module("transformers")
    import_module("torch").manual_seed(seed)
    config = transformers.Gemma3TextConfig(
        vocab_size=shape.rows or vocabulary.size,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=len(shape.layers),
        num_attention_heads=shape.heads,
        num_key_value_heads=1,
        head_dim=shape.head_width,
        hidden_activation="gelu_pytorch_tanh",
        max_position_embeddings=32768,
        initializer_range=0.02,
        rms_norm_eps=1e-6,
        use_cache=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
        tie_word_embeddings=True,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            "full_attention": {"rope_type": "default", "rope_theta": 1_000_000.0},
        },
        attention_bias=False,
        attention_dropout=0.0,
        query_pre_attn_scalar=shape.head_width,
        sliding_window=shape.window,
        layer_types=[_ATTENTION[letter] for letter in shape.layers],
        final_logit_softcapping=None,
        attn_logit_softcapping=None,
        use_bidirectional_attention=False,
    )
    return transformers.Gemma3ForCausalLM(config)


_ATTENTION: Final = {"s": "sliding_attention", "f": "full_attention"}
