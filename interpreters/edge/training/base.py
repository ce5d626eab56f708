"""The model that training starts from: a folder, a name, or random weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import attrs

from interpreters.edge.training import shapes
from interpreters.edge.training.vocabulary import Vocabulary, vocabulary_of
from tidepool.errors import ConfigError

NEEDED: Final = ("torch", "transformers", "trl", "datasets", "accelerate", "peft", "tokenizers", "safetensors")

KIND: Final = "gemma3_text"
"""What `transformers` calls FunctionGemma's architecture."""

HOW_TO_GET: Final = (
    "accept Google's Gemma terms on the page of google/functiongemma-270m-it at the Hugging Face hub, fetch it with"
    " `hf download google/functiongemma-270m-it --local-dir DIR`, and name that folder with --base DIR;"
    " --base tiny trains a small model without any"
)

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@attrs.frozen
class Base:
    """What training starts from."""

    model: Any
    vocabulary: Vocabulary


def require_extra() -> None:
    """Make sure that what the extra brings is there.

    Raises:
        ConfigError: something of it is not installed.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ConfigError(f"{', '.join(missing)} cannot be imported: install the extra, `semantic-scout[train]`")


def load_base(base: str, texts: Callable[[], Iterable[str]], seed: int) -> Base:
    """The model and its tokenizer, in float32.

    Args:
        base: a folder, a name on the hub, or one of `SHAPES`.
        texts: what the tokenizer of the last is learnt from.

    Raises:
        ConfigError: there are no weights; the text says how to get them.
    """
    import_module("transformers.utils.logging").disable_progress_bar()
    if (shape := shapes.SHAPES.get(base)) is not None:
        vocabulary = vocabulary_of(shapes.made_tokenizer(texts()))
        return Base(shapes.random_model(shape, vocabulary, seed), vocabulary)
    found = _loaded(base)
    if (kind := found.model.config.model_type) != KIND:
        raise ConfigError(f"--base {base} is a model of type {kind}, and no {KIND}: {HOW_TO_GET}")
    if found.vocabulary.size > (rows := found.model.get_input_embeddings().num_embeddings):
        raise ConfigError(f"{base}: the tokenizer has more tokens than the model has rows ({rows}): fetch both again")
    return found


def check_base(base: str) -> None:
    """See, before anything heavy is imported, that a folder holds a model.

    Raises:
        ConfigError: it does not.
    """
    folder = Path(base)
    if base in shapes.SHAPES or (not folder.is_dir() and _NAME.fullmatch(base)):
        return
    if not folder.is_dir():
        raise ConfigError(f"--base {base} is no folder: {HOW_TO_GET}")
    lacking = [
        what
        for what, pattern in (
            ("config.json", "config.json"),
            ("weights", "*.safetensors"),
            ("tokenizer", "tokenizer.json"),
        )
        if not any(file.stat().st_size for file in folder.glob(pattern))
    ]
    if lacking:
        raise ConfigError(f"--base {base} holds no {' and no '.join(lacking)}: {HOW_TO_GET}")


def _loaded(base: str) -> Base:
    check_base(base)
    transformers = import_module("transformers")
    told = {"local_files_only": Path(base).is_dir(), "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(base, **told)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            base, dtype=import_module("torch").float32, use_safetensors=True, **told
        )
    except Exception as error:
        # Whatever a library of libraries raises for a broken file, no network, no licence or no such name.
        raise ConfigError(f"--base {base} cannot be loaded ({_first_line(error)}): {HOW_TO_GET}") from error
    return Base(model, vocabulary_of(tokenizer))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".:")[:160]
