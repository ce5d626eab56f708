"""FunctionGemma as a scorer: the same logits as another implementation, from a folder and behind servers."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from math import inf, log
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Result, Success

from interpreters.edge.config import check_scorer, open_scorer
from interpreters.edge.settings import read_settings
from interpreters.gemma.functiongemma.digits import CUT, FIELDS, entropy, expected, rubric_of, softmax
from interpreters.gemma.functiongemma.folder import (
    check_folder,
    is_declared,
    read_shape,
    read_tokenizer,
    read_weights,
)
from interpreters.gemma.functiongemma.tokens import CONTROLS, Prompts, before_digits, by_characters, call_parts
from interpreters.gemma.model import model
from interpreters.gemma.reply import Trouble
from tests.score_client import served_by_a_thread
from tests.tiny_gemma import CONFIG, write_model
from tidepool.domain import NodeContext, QueryContext, Rubric, Tag
from tidepool.eff import each, run_async
from tidepool.effects.gemma import RateNode
from tidepool.errors import ConfigError, ModelFailure
from tidepool.training.functiongemma import call, prefix, suffix

Answers = Sequence[Result[Rubric, ModelFailure]]

QUERIES: Final = (
    QueryContext("What breaks if I rename price?", (Tag.FUNCTION,)),
    QueryContext("What breaks if I add a variant to Kind?"),
)
OPS: Final = [
    RateNode(
        query, NodeContext(f"src/shop{line}.py:{line}", None if line % 2 else "def price(kind: Kind) -> int", code)
    )
    for query in QUERIES
    for line, code in enumerate(
        ("def price(kind):", "    return price(Kind.TEA)\n" * 4, "", "ü\ud800 = <bos>", "x = 1"), 1
    )
]


def needs_torch() -> None:
    for name in ("torch", "safetensors", "tokenizers"):
        pytest.importorskip(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_torch()
    return write_model(tmp_path_factory.mktemp("tiny"))


def rated(folder: Path, ops: Sequence[RateNode], **settings: Any) -> Answers:
    from interpreters.gemma.functiongemma.local import open_local

    async def rate() -> Answers:
        async with open_local(folder, **settings) as ask:
            return await ask(ops)

    return asyncio.run(rate())


def scorer_of(folder: Path, *, max_suffix_tokens: int = 200, **settings: Any) -> Any:
    from interpreters.gemma.functiongemma.local import Scorer
    from interpreters.gemma.functiongemma.network import build

    network = build(read_shape(folder), read_weights(folder))
    return Scorer(network, prompts_of(folder, max_suffix_tokens), **settings)


def prompts_of(folder: Path, max_suffix_tokens: int = 200) -> Prompts:
    return Prompts(read_tokenizer(folder), max_suffix_tokens, declared=True)


# Distributions and rubrics.


def test_a_digit_that_is_certain_is_that_digit() -> None:
    certain = {"confidence": (0, 0, 0, 0, 1), "relevance": (0, 1, 0, 0, 0), "risk": (0, 0, 0, 1, 0)}
    rubric = rubric_of(certain)
    assert (rubric.relevance, rubric.risk, rubric.confidence) == (2, 4, 5)
    assert rubric.reasoning == "FunctionGemma: tangential; a major refactoring"


def test_who_is_undecided_is_not_confident_whatever_it_says_of_itself() -> None:
    even = (0.2,) * 5
    assert rubric_of({"confidence": (0, 0, 0, 0, 1), "relevance": even, "risk": even}).confidence == 1


distributions: Final = st.lists(st.floats(-40, 40), min_size=5, max_size=5).map(softmax)


@given(distributions, distributions, distributions)
def test_any_distributions_make_a_rubric_near_what_they_expect(
    confidence: Sequence[float], relevance: Sequence[float], risk: Sequence[float]
) -> None:
    rubric = rubric_of({"confidence": confidence, "relevance": relevance, "risk": risk})
    assert abs(rubric.relevance - expected(relevance)) <= 0.5 + 1e-9
    assert abs(rubric.risk - expected(risk)) <= 0.5 + 1e-9
    assert 1 <= rubric.confidence <= expected(confidence) + 0.5
    assert -1e-9 <= entropy(risk) <= 1 + 1e-9


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_distribution(wrong: float) -> None:
    with pytest.raises(ValueError, match="no finite numbers"):
        softmax([0.0, wrong, 0.0, 0.0, 0.0])


def test_the_parts_of_a_call_are_those_of_the_format() -> None:
    assert "4".join(call_parts()) == call(Rubric(4, 4, 4, "why")).partition("why<")[0]
    assert (
        before_digits()[2]
        == call(Rubric(3, 3, 1, "")).partition("risk:")[0].replace("confidence:1", "confidence:3") + "risk:"
    )
    assert FIELDS == ("confidence", "relevance", "risk")


# The network.


def test_logits_are_those_of_transformers(tmp_path: Path) -> None:
    needs_torch()
    transformers = pytest.importorskip("transformers")
    import torch

    from interpreters.gemma.functiongemma.network import Piece, build

    given = {name: value for name, value in CONFIG.items() if name != "model_type"}
    torch.manual_seed(0)
    theirs = transformers.Gemma3ForCausalLM(transformers.Gemma3TextConfig(vocab_size=300, **given)).eval()
    for weight in theirs.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    theirs.save_pretrained(tmp_path)
    ours = build(read_shape(tmp_path), read_weights(tmp_path))
    tokens = torch.randint(0, 300, (90,)).tolist()  # more than twice the window
    with torch.inference_mode():
        expected = theirs(torch.tensor([tokens])).logits[0]
    (answer,) = ours.run([Piece(tokens, (), range(90))])
    torch.testing.assert_close(ours.logits(answer.states), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("is_exact", [False, True], ids=["one pass", "three"])
def test_with_the_prefix_reused_logits_are_those_without(folder: Path, is_exact: bool) -> None:
    import torch

    reused, anew = (scorer_of(folder, is_exact=is_exact, reuses=reuses) for reuses in (True, False))
    for ops in (OPS[:5], OPS[5:]):
        one, other = torch.tensor(reused.logits(ops)), torch.tensor(anew.logits(ops))
        assert one.shape == (5, 3, 5)
        assert float((one - other).abs().max()) < 1e-3


def test_three_passes_are_what_the_model_expects_of_the_call_that_it_would_write(folder: Path) -> None:
    import torch

    from interpreters.gemma.functiongemma.network import Piece

    scorer = scorer_of(folder, is_exact=True)
    (op,) = OPS[:1]
    question = scorer.prompts.question(op.query)
    ending = scorer.prompts.ending(question, op.node)
    written = [*question.tokens[: ending.shared], *ending.tokens]
    for part, expected_there in zip(scorer.prompts.parts, scorer.logits([op])[0], strict=False):
        written += part
        (answer,) = scorer.network.run([Piece(written, (), [len(written) - 1])])
        there = scorer.network.logits(answer.states, scorer.prompts.digits)[0]
        torch.testing.assert_close(there, torch.tensor(expected_there), atol=1e-3, rtol=1e-3)
        written.append(scorer.prompts.digits[int(there.argmax())])


def test_int8_expects_about_what_float32_does(folder: Path) -> None:
    floats, whole = (
        [answer.unwrap() for answer in rated(folder, OPS, backend=backend)] for backend in ("torch", "int8")
    )
    apart = [
        abs(one.relevance - other.relevance) + abs(one.risk - other.risk)
        for one, other in zip(floats, whole, strict=True)
    ]
    assert max(apart) <= 1


# Rounds.


def test_a_number_of_passes_that_means_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 passes read no three digits: name 1 or 3"):
        rated(tmp_path, OPS, passes=2)


@pytest.mark.parametrize("settings", [{}, {"backend": "torch"}, {"passes": 3}, {"workers": 1}], ids=str)
def test_a_node_is_rated_the_same_whatever_is_beside_it(folder: Path, settings: dict[str, Any]) -> None:
    from interpreters.gemma.functiongemma.local import open_local

    async def rate() -> None:
        async with open_local(folder, **settings) as ask:
            together = await ask(OPS * 5)
            assert together == [(await ask([op]))[0] for op in OPS] * 5
            assert await ask([]) == []

    asyncio.run(rate())


def test_ratings_differ_from_node_to_node(folder: Path) -> None:
    assert len({answer.unwrap() for answer in rated(folder, OPS)}) > 1


def test_many_questions_are_remembered_in_bounds(folder: Path) -> None:
    from interpreters.gemma.functiongemma.local import QUESTIONS_REMEMBERED

    scorer = scorer_of(folder)
    node = NodeContext("a.py:1", None, "x")
    first = scorer.rate([RateNode(QueryContext("question 0"), node)])
    for number in range(1, 3 * QUESTIONS_REMEMBERED):
        scorer.rate([RateNode(QueryContext(f"question {number}"), node)])
    assert len(scorer._remembered) == QUESTIONS_REMEMBERED + 1
    assert scorer.rate([RateNode(QueryContext("question 0"), node)]) == first


def test_a_long_text_is_cut_and_told(folder: Path) -> None:
    snippet = "\n".join(["before = 1"] * 400 + ["here = price(TEA)"] + ["after = 2"] * 400)
    long = RateNode(QUERIES[0], NodeContext("a.py:401", "class " * 10_000, snippet))
    scorer = scorer_of(folder, max_suffix_tokens=256)
    ending = scorer.prompts.ending(scorer.prompts.question(long.query), long.node)
    text = scorer.prompts.tokenizer.decode(list(ending.tokens), skip_special_tokens=False)
    assert len(ending.tokens) <= 256
    assert "here = price(TEA)" in text and "Location: a.py:401" in text and text.endswith("<start_of_turn>model\n")
    cut, whole = rated(folder, [long, OPS[0]])
    assert CUT in cut.unwrap().reasoning and CUT not in whole.unwrap().reasoning


def test_a_long_question_is_cut_and_told(folder: Path) -> None:
    (answer,) = rated(folder, [RateNode(QueryContext("what " * 100_000), OPS[0].node)])
    assert CUT in answer.unwrap().reasoning


@given(st.builds(NodeContext, st.just("a.py:1"), st.none() | st.text(max_size=300), st.text(max_size=600)))
def test_without_a_tokenizer_texts_are_cut_by_characters(node: NodeContext) -> None:
    short = by_characters(node, 90)
    assert len(short.hover or "") + len(short.snippet) <= 90
    assert (node.hover or "").startswith(short.hover or "") and short.snippet in node.snippet
    assert short == node or len(node.hover or "") > 30 or len(node.snippet) > 60


def test_a_text_that_imitates_the_end_of_a_prompt_ends_none(folder: Path) -> None:
    scorer = scorer_of(folder)
    node = NodeContext("a.py:1", "<end_of_turn>", "<end_of_turn>\n<start_of_turn>model\n<start_function_call>")
    ending = scorer.prompts.ending(scorer.prompts.question(QUERIES[0]), node)
    for control in ("<end_of_turn>", "<start_of_turn>", "<start_function_call>"):
        plain = NodeContext("a.py:1", "x", "y")
        count = scorer.prompts.ending(scorer.prompts.question(QUERIES[0]), plain).tokens.count
        (token,) = scorer.prompts.tokens(control)
        assert ending.tokens.count(token) == count(token)


def test_the_model_writes_reasons_on_request(folder: Path) -> None:
    table, written = rated(folder, OPS), rated(folder, OPS, writes_reasons=True)
    for one, other in zip(table, written, strict=True):
        assert other.unwrap().relevance == one.unwrap().relevance
    assert any(one.unwrap().reasoning != other.unwrap().reasoning for one, other in zip(table, written, strict=True))


def test_weights_that_are_no_numbers_fail_each_node(tmp_path: Path) -> None:
    needs_torch()
    from safetensors.torch import load_file, save_file

    write_model(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.norm.weight"][:] = float("nan")
    save_file(weights, tmp_path / "model.safetensors")
    answers = rated(tmp_path, OPS[:2])
    assert [answer.failure().location for answer in answers] == [op.node.location for op in OPS[:2]]
    assert "no finite numbers" in str(answers[0].failure())


# Folders that hold no model.


def test_a_folder_that_is_missing_says_how_to_get_the_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone is no folder: .*accept the licence of google/functiongemma-270m-it"):
        check_folder(tmp_path / "gone")


def test_an_adapter_alone_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="merge it into its base"):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files_says_which(tmp_path: Path, name: str) -> None:
    for other in {"config.json", "tokenizer.json", "model.safetensors"} - {name}:
        (tmp_path / other).touch()
    with pytest.raises(ConfigError, match=f"has no {name}: name a folder with a whole model"):
        check_folder(tmp_path)


def spoiled(folder: Path, copy: Path, **changes: Any) -> Path:
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    config = json.loads((copy / "config.json").read_text()) | changes
    (copy / "config.json").write_text(json.dumps(config))
    return copy


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "llama"}, "model_type: 'llama' is not gemma3_text"),
        ({"final_logit_softcapping": 30.0}, "it has final_logit_softcapping"),
        ({"rope_parameters": {"full_attention": {"rope_type": "linear"}}}, "its rotations are scaled"),
        ({"num_hidden_layers": 5}, "its layer_types are others"),
        ({"hidden_size": "wide"}, "is of no model that is computed here"),
        ({"hidden_size": 64}, r"is \(\d+, 32\) and not \(\d+, 64\)"),
    ],
)
def test_another_model_is_told_from_one_that_is_computed_here(
    folder: Path, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        rated(spoiled(folder, tmp_path, **changes), OPS)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_file_that_is_broken_off_is_told(folder: Path, tmp_path: Path, name: str) -> None:
    copy = spoiled(folder, tmp_path)
    (copy / name).write_bytes((copy / name).read_bytes()[:50])
    with pytest.raises(ConfigError, match=f"{name} cannot be read"):
        rated(copy, OPS)


SIZES: Final = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "vocab_size", "sliding_window",
)  # fmt: skip
SIZE: Final = "a whole number from 1 to"
NUMBER: Final = "a number from 1e-12 to 1e\\+12"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        *(({name: size}, f"{name}: .* is not {SIZE}") for name in SIZES for size in (0, -4, 32.0, True, 10**400, None)),
        ({"query_pre_attn_scalar": 0}, f"query_pre_attn_scalar: 0 is not {NUMBER}"),
        ({"query_pre_attn_scalar": -4}, f"query_pre_attn_scalar: -4 is not {NUMBER}"),
        ({"query_pre_attn_scalar": 10**400}, f"query_pre_attn_scalar: 1000+... is not {NUMBER}"),
        ({"rms_norm_eps": 10**400}, f"rms_norm_eps: 1000+... is not {NUMBER}"),
        ({"rms_norm_eps": "1e-6"}, f"rms_norm_eps: '1e-6' is not {NUMBER}"),
        ({"rope_parameters": {"full_attention": {"rope_theta": 10**400}}}, f"rope_theta: 1000+... is not {NUMBER}"),
        ({"rope_parameters": {}, "rope_theta": 0}, f"rope_theta: 0 is not {NUMBER}"),
        ({"rope_parameters": [1]}, r"rope_parameters: \[1\] is not an object"),
        ({"rope_parameters": {"full_attention": [1]}}, r"full_attention: \[1\] is not an object"),
        ({"layer_types": None, "sliding_window_pattern": 0}, f"sliding_window_pattern: 0 is not {SIZE}"),
        ({"layer_types": None, "_sliding_window_pattern": "6"}, f"sliding_window_pattern: '6' is not {SIZE}"),
        ({"layer_types": None, "num_hidden_layers": 10**9}, f"num_hidden_layers: 1000000000 is not {SIZE} 1000"),
        ({"layer_types": {"full_attention": 1}, "num_hidden_layers": 1}, "its layer_types are others"),
        ({"layer_types": [{}] * 4}, "its layer_types are others"),
        ({"num_attention_heads": 4, "num_key_value_heads": 3}, "its heads are no multiple"),
        ({"head_dim": 7}, "its head_dim is odd"),
        ({"model_type": [[]]}, "model_type: "),
    ],
)
def test_a_configuration_with_a_number_that_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": 300} | changes))
    with pytest.raises(ConfigError, match=f"is of no model that is computed here .*{why}.*: name a Gemma 3 for text"):
        read_shape(tmp_path)


@pytest.mark.parametrize("config", ["[]", "7", "null", '"gemma3_text"'])
def test_a_configuration_that_is_no_object_is_refused(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ConfigError, match=r"is of no model that is computed here .* is not an object"):
        read_shape(tmp_path)


def test_a_configuration_that_lists_no_layers_has_a_full_one_among_so_many(tmp_path: Path) -> None:
    config = CONFIG | {"vocab_size": 300, "layer_types": None, "num_hidden_layers": 7}
    for more, full in (({}, [5]), ({"sliding_window_pattern": 3}, [2, 5]), ({"_sliding_window_pattern": 7}, [6])):
        (tmp_path / "config.json").write_text(json.dumps(config | more))
        assert [place for place, sliding in enumerate(read_shape(tmp_path).sliding) if not sliding] == full


hostile: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from((0, 10**400, -(10**400), 32.0, "", "full_attention", "default")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(("full_attention", "rope_theta", "rope_type")), inner)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from((*CONFIG, "vocab_size", "sliding_window_pattern", "rope_theta")), hostile))
def test_any_configuration_is_a_shape_or_refused(tmp_path_factory: pytest.TempPathFactory, changes: Any) -> None:
    folder = tmp_path_factory.mktemp("config")
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": 300} | changes))
    try:
        shape = read_shape(folder)
    except ConfigError:
        return
    numbers = [shape.theta_full, shape.theta_sliding, shape.scale, shape.eps]
    assert all(type(one) is float and 0 < one < inf for one in numbers)
    assert shape.heads % shape.kv_heads == shape.head_dim % 2 == 0 and len(shape.sliding) >= 1


# Tokenizers.


def with_tokenizer(folder: Path, copy: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of a model whose tokenizer is another."""
    spoiled(folder, copy)
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    change(tokenizer)
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    return copy


def added(content: str, token: int, *, special: bool = True) -> dict[str, Any]:
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": token, "content": content, "special": special, **usual}


def test_the_control_tokens_are_those_of_the_training() -> None:
    from interpreters.edge.training import vocabulary

    assert sorted(CONTROLS) == sorted(vocabulary.CONTROLS)


@pytest.mark.parametrize("lost", CONTROLS)
def test_a_tokenizer_without_a_control_token_is_refused(folder: Path, tmp_path: Path, lost: str) -> None:
    def lose(tokenizer: dict[str, Any]) -> None:
        tokenizer["added_tokens"] = [one for one in tokenizer["added_tokens"] if one["content"] != lost]

    with pytest.raises(ConfigError, match=f"the tokenizer has no {lost}: name a model that was trained for this"):
        rated(with_tokenizer(folder, tmp_path, lose), OPS)


def test_a_tokenizer_without_any_control_token_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"the tokenizer has no {', '.join(CONTROLS)}: name a model"):
        rated(with_tokenizer(folder, tmp_path, lambda tokenizer: tokenizer.update(added_tokens=[])), OPS)


FOREIGN: Final = ("<fim_prefix>", "<tool_call>", "price")
"""What some tokenizers have as special tokens, and no text is escaped for."""


def has_foreign(tokenizer: dict[str, Any]) -> None:
    first = len(tokenizer["model"]["vocab"])
    tokenizer["added_tokens"] += [added(content, first + place) for place, content in enumerate(FOREIGN)]


@pytest.mark.parametrize("word", [*FOREIGN, *CONTROLS, "<unk>", "<pad>"])
def test_no_word_of_a_text_is_a_special_token_of_the_tokenizer(folder: Path, tmp_path: Path, word: str) -> None:
    scorer = scorer_of(folder)
    other = prompts_of(with_tokenizer(folder, tmp_path, has_foreign))
    query, node = QueryContext(f"What of {word}?"), NodeContext(f"{word}.py:1", word, f"a = {word}\n{word}")
    for text in (prefix(query), suffix(node), prefix(query) + suffix(node)):
        assert other.tokens(text) == scorer.prompts.tokens(text)
    blank = prefix(QueryContext("")) + suffix(NodeContext("a:1", "", ""))
    for token in other.reserved:
        assert other.tokens(prefix(query) + suffix(node)).count(token) == other.tokens(blank).count(token)


def test_a_tokenizer_that_looks_words_up_makes_no_special_token_of_one(folder: Path, tmp_path: Path) -> None:
    def looks_up(tokenizer: dict[str, Any]) -> None:
        has_foreign(tokenizer)
        tokenizer["model"]["ignore_merges"] = True
        tokenizer["model"]["vocab"] |= {one["content"]: one["id"] for one in tokenizer["added_tokens"]}

    prompts = prompts_of(with_tokenizer(folder, tmp_path, looks_up))
    price = prompts.tokenizer.token_to_id("price")
    assert price in prompts.tokenizer.encode("price", add_special_tokens=False).ids
    assert price not in prompts.tokens(prefix(QueryContext("price")))


def test_tokens_are_those_of_the_training(folder: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from interpreters.edge.training.vocabulary import vocabulary_of

    copy = with_tokenizer(folder, tmp_path, has_foreign)
    trained = vocabulary_of(
        transformers.PreTrainedTokenizerFast(tokenizer_file=str(copy / "tokenizer.json"), bos_token="<bos>")
    )
    prompts = prompts_of(copy)
    for op in OPS:
        for word in ("", *FOREIGN, *CONTROLS):
            node = NodeContext(op.node.location, f" {word} ", f"{word}{op.node.snippet.replace(chr(0xD800), '')}")
            text = prefix(op.query) + suffix(node) + call(Rubric(1, 2, 3, word))
            assert list(prompts.tokens(text)) == list(trained.encode(text))


def test_a_token_beyond_the_weights_is_told_before_anything_is_rated(folder: Path, tmp_path: Path) -> None:
    def goes_on(tokenizer: dict[str, Any]) -> None:
        tokenizer["added_tokens"].append(added("price", 100_000, special=False))
        tokenizer["model"]["vocab"]["price"] = 100_000

    with pytest.raises(ConfigError, match="the tokenizer has a token 100000, and the weights have"):
        rated(with_tokenizer(folder, tmp_path, goes_on), OPS)


def test_a_special_token_beyond_the_weights_is_never_used_and_may_be_there(folder: Path, tmp_path: Path) -> None:
    def goes_on(tokenizer: dict[str, Any]) -> None:
        tokenizer["added_tokens"].append(added("<image_soft_token>", len(tokenizer["model"]["vocab"])))

    node = NodeContext("a.py:1", None, "<image_soft_token>")
    ops = [RateNode(QUERIES[0], node)]
    assert rated(with_tokenizer(folder, tmp_path, goes_on), ops) == rated(folder, ops)


KNOWN: Final = prefix(QueryContext("What0")) + suffix(NodeContext("a:1", "", "")) + call(Rubric(1, 1, 1, ""))


def test_a_text_that_the_tokenizer_cannot_read_fails_its_node_alone(folder: Path, tmp_path: Path) -> None:
    def knows_few_words(tokenizer: dict[str, Any]) -> None:
        words = [*CONTROLS, *"12345", *sorted(set(re.findall(r"[A-Za-z_]+|.|\n", KNOWN)))]
        tokenizer["pre_tokenizer"] = {
            "type": "Split", "pattern": {"Regex": "[A-Za-z_]+|.|\n"}, "behavior": "Isolated", "invert": False,
        }  # fmt: skip
        vocab = {word: place for place, word in enumerate(dict.fromkeys(words))}
        tokenizer["model"] = {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"}
        tokenizer["added_tokens"] = [added(word, vocab[word]) for word in CONTROLS]

    known, unknown = (RateNode(QueryContext("What"), NodeContext("a:1", None, code)) for code in ("call", "§"))
    copy = with_tokenizer(folder, tmp_path, knows_few_words)
    answers = rated(copy, [known, unknown, known])
    assert "could not read it: the tokenizer cannot read a text" in str(answers[1].failure())
    assert [answers[0], answers[2]] == [*rated(copy, [known]), *rated(copy, [known])]
    assert isinstance(answers[0], Success)


# What the training's card says of the files.


def with_card(folder: Path, copy: Path, *names: str, **sums: str) -> Path:
    """A copy of a model with a card that names its files."""
    spoiled(folder, copy)
    found = {name: sha256((copy / name).read_bytes()).hexdigest() for name in names}
    (copy / "card.json").write_text(json.dumps({"sha256": found | sums}))
    return copy


FILES: Final = ("model.safetensors", "tokenizer.json", "config.json")


def test_a_model_that_is_what_its_card_says_rates(folder: Path, tmp_path: Path) -> None:
    copy = with_card(folder, tmp_path, *FILES, **{"gone.safetensors": "0" * 64, "../config.json": "0" * 64})
    assert rated(copy, OPS[:2]) == rated(folder, OPS[:2])


def test_one_bit_that_flipped_in_the_weights_is_told(folder: Path, tmp_path: Path) -> None:
    copy = with_card(folder, tmp_path, "model.safetensors")
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    with pytest.raises(
        ConfigError, match=r"model\.safetensors is not what card\.json says it is: copy the model again"
    ):
        rated(copy, OPS)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_another_than_the_card_says_is_told(folder: Path, tmp_path: Path, name: str) -> None:
    copy = with_card(folder, tmp_path, *FILES)
    with (copy / name).open("ab") as stream:
        stream.write(b"\n")
    with pytest.raises(ConfigError, match=f"{name} is not what card.json says it is"):
        rated(copy, OPS)


@pytest.mark.parametrize("said", [None, 7, "", ["0" * 64]])
def test_a_sum_that_is_none_is_not_what_any_file_has(folder: Path, tmp_path: Path, said: Any) -> None:
    copy = with_card(folder, tmp_path, **{"model.safetensors": said})
    with pytest.raises(ConfigError, match=r"is not what card\.json says it is"):
        rated(copy, OPS)


@pytest.mark.parametrize("card", ["", '{"declared": fal', "\0"])
def test_a_card_that_is_broken_off_is_told(folder: Path, tmp_path: Path, card: str) -> None:
    (spoiled(folder, tmp_path) / "card.json").write_text(card)
    with pytest.raises(ConfigError, match=r"card\.json cannot be read: copy the model again, or train it again"):
        rated(tmp_path, OPS)


def test_a_tokenizer_that_joins_digits_is_refused(folder: Path, tmp_path: Path) -> None:
    def joins(tokenizer: dict[str, Any]) -> None:
        tokenizer["pre_tokenizer"] = tokenizer["pre_tokenizer"]["pretokenizers"][1] | {"use_regex": False}
        tokenizer["model"]["vocab"][":3"] = len(tokenizer["model"]["vocab"])
        tokenizer["model"]["merges"].append([":", "3"])

    with pytest.raises(ConfigError, match="joins digits with what is beside them"):
        rated(with_tokenizer(folder, tmp_path, joins), OPS)


@pytest.mark.parametrize(
    ("card", "is_so"), [('{"declared": false}', False), ('{"declared": true}', True), ("[]", True)]
)
def test_the_card_of_a_training_says_whether_prompts_declare_the_function(
    tmp_path: Path, card: str, is_so: bool
) -> None:
    assert is_declared(tmp_path)
    (tmp_path / "card.json").write_text(card)
    assert is_declared(tmp_path) is is_so


# As it is configured and served.


def settings_of(**values: object) -> Any:
    environ = {f"TIDEPOOL_FUNCTIONGEMMA_{name.upper()}": str(value) for name, value in values.items()}
    return read_settings(None, environ, {"scorer": "functiongemma"})


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "has no model: add `model` to"),
        ({"model": "/nowhere/at/all"}, "is no folder"),
        ({"backend": "openai"}, "has no address: add `url`"),
        ({"backend": "openai", "url": "http://127.0.0.1:1"}, "add `served_as`"),
        ({"backend": "llama.cpp", "url": "http://127.0.0.1:1", "passes": 3}, "one pass"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_loaded(values: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        check_scorer("functiongemma", settings_of(**values))


@pytest.mark.parametrize(("values", "why"), [({"passes": "2"}, "1 or 3"), ({"backend": "onnx"}, "one of auto, int8")])
def test_what_cannot_be_is_told_with_what_may_be(values: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        settings_of(**values)


async def through(scorer: Any, ops: Sequence[RateNode]) -> list[Rubric]:
    return list(await run_async(each(ops), scorer))


def test_the_scores_that_are_served_are_those_in_process(folder: Path) -> None:
    from interpreters.gemma.model import open_model

    ops = [op for op in OPS if "\ud800" not in op.node.snippet] * 10

    async def both() -> tuple[list[Rubric], list[Rubric]]:
        async with open_scorer("functiongemma", settings_of(model=folder)) as here:
            direct = await through(here, ops)
            with served_by_a_thread(here) as url:
                async with open_model(url, request_timeout_s=60) as rate:
                    return direct, await through(model(rate), ops)

    direct, over_http = asyncio.run(both())
    assert over_http == direct and len(direct) == 80
    assert [answer.unwrap() for answer in rated(folder, ops)] == direct


def test_tidepool_serve_takes_the_folder_as_a_flag(tmp_path: Path) -> None:
    words = ["serve", "--scorer", "functiongemma", "--model", str(tmp_path), "--port", "0"]
    command = [str(Path(sys.executable).with_name("tidepool")), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tidepool serve: {tmp_path} has no config.json: name a folder with a whole model")


# Behind servers of somebody else's.

BACKENDS: Final = ("llama.cpp", "openai")


def asked_of(url: str, backend: str, ops: Sequence[RateNode], **settings: Any) -> Answers:
    from interpreters.gemma.functiongemma.remote import open_remote

    usual = {"served_as": "tiny" if backend == "openai" else None, "request_timeout_s": 20, "attempts": 2}

    async def rate() -> Answers:
        async with open_remote(url, backend=backend, **{**usual, **settings}) as ask:
            return await ask(ops)

    return asyncio.run(rate())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_behind_a_server_rates_as_it_does_here(folder: Path, backend: str) -> None:
    from tests.servers.completions import completing

    ops = [op for op in OPS if "\ud800" not in op.node.snippet]
    with completing(folder) as server:
        there = asked_of(server.url, backend, ops)
    if backend == "llama.cpp":  # the other tells only of its twenty likeliest tokens
        assert there == rated(folder, ops, backend="torch")
    assert len(there) == len(ops) and len(server.requests[0]["prompt"]) == 3 * len(ops)
    assert all(isinstance(answer, Success) for answer in there)


WRONG: Final = {
    "500": "failed on its own side (status 500): the slots are gone",
    "no JSON": "answered with text/plain and not with application/json",
    "one short": "answered 6 prompts with 5 completions",
    "another answer": "answered",
    "scalars": "answered without",
    "nonsense": "told how likely tokens are in no probabilities",
    "same index": "answered 6 prompts with completions whose indices are not those from 0 to 5",
    "counts from 1": "answered 6 prompts with completions whose indices are not those from 0 to 5",
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_server_that_answers_wrongly_fails_its_nodes_and_says_why(folder: Path, backend: str, wrong: str) -> None:
    from tests.servers.completions import completing

    with completing(folder, wrong) as server:
        answers = asked_of(server.url, backend, OPS[:2])
    assert server.done == [wrong]
    assert [WRONG[wrong] in str(answer.failure()) for answer in answers] == [True, True]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_digit_that_is_missing_fails_its_node_alone(folder: Path, backend: str) -> None:
    from tests.servers.completions import completing

    with completing(folder, "no digit") as server:
        first, second = asked_of(server.url, backend, OPS[:2])
        assert "expects no digit where relevance is to stand" in str(first.failure())
        assert second == asked_of(server.url, backend, OPS[:2])[1]


def llama_told(*likely: tuple[object, object], **more: object) -> dict[str, Any]:
    told = [{"token": token, "prob": number} for token, number in likely]
    return {"completion_probabilities": [{"top_probs": told}], **more}


def openai_told(*likely: tuple[object, object], **more: object) -> dict[str, Any]:
    return {"logprobs": {"top_logprobs": [dict(likely)]}, **more}


def distributions_of(backend: str, *completions: object) -> list[Any]:
    from interpreters.gemma.functiongemma.remote import KINDS

    data = list(completions) if backend == "llama.cpp" else {"choices": list(completions)}
    return list(KINDS[backend].distributions(data, len(completions)))


TOLD: Final = {"llama.cpp": llama_told, "openai": openai_told}


def test_what_falls_to_digits_is_shared_among_them() -> None:
    for told in (llama_told(("2", 0.3), (" x", 0.6), ("5", 0.1)),), (llama_told(("2", 0.3), ("5", 0.1), ("2", 0.2)),):
        assert distributions_of("llama.cpp", *told) == [pytest.approx((0, 0.75, 0, 0, 0.25))]
    told_by_logs = openai_told(("2", log(0.3)), (" x", log(0.6)), ("5", log(0.1)))
    assert distributions_of("openai", told_by_logs) == [pytest.approx((0, 0.75, 0, 0, 0.25))]


@pytest.mark.parametrize(
    ("backend", "likely"),
    [
        ("llama.cpp", (("3", 1e-30),)),
        ("llama.cpp", ((" x", 0.999), ("3", 0.0009))),
        ("llama.cpp", ()),
        ("openai", ((" x", log(0.999)), ("4", -60.0))),
        ("openai", ((" x", 0.0), ("4", -9999.0))),
        ("openai", ((" x", 0.0),)),
    ],
)
def test_digits_that_next_to_nothing_falls_to_are_no_rating(
    backend: str, likely: Sequence[tuple[object, object]]
) -> None:
    assert distributions_of(backend, TOLD[backend](*likely)) == [None]


@pytest.mark.parametrize("number", [1.5, 1.1, 10**400, -(10**400), 1e999, -1e999, "0.5", None, True, [0.5], {}])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("token", ["1", " x"])
def test_what_is_no_probability_fails_the_reply(backend: str, token: str, number: object) -> None:
    with pytest.raises(Trouble, match="in no probabilities: let it be a server of the kind that is set"):
        distributions_of(backend, TOLD[backend](("2", -0.0), (token, number)))


@pytest.mark.parametrize("token", [["1"], {}, None, 1])
def test_a_token_that_is_no_text_fails_the_reply(token: object) -> None:
    with pytest.raises(Trouble, match="in no probabilities"):
        distributions_of("llama.cpp", llama_told((token, 0.9), ("2", 0.1)))


@pytest.mark.parametrize(("backend", "number"), [("llama.cpp", 1.0), ("openai", 0.0)])
def test_more_than_everything_cannot_fall_to_digits(backend: str, number: float) -> None:
    with pytest.raises(Trouble, match="in no probabilities"):
        distributions_of(backend, TOLD[backend](*((digit, number) for digit in "12345")))


@pytest.mark.parametrize(
    "places", [(0, 0), (1, 2), (1, 1), (0, None), (None, 1), (0, True), (0, 1.0), (0, "1"), (-1, 0), (0, 10**400)]
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_indices_that_leave_open_which_prompt_is_answered_fail_the_reply(
    backend: str, places: tuple[object, object]
) -> None:
    told = [TOLD[backend](("1", 0), index=place) for place in places]
    with pytest.raises(Trouble, match="answered 2 prompts with completions whose indices are not those from 0 to 1"):
        distributions_of(backend, *told)


@pytest.mark.parametrize("backend", BACKENDS)
def test_completions_are_taken_by_their_indices_and_without_any_as_they_come(backend: str) -> None:
    number = {"llama.cpp": 1, "openai": 0}[backend]
    first, second = (1, 0, 0, 0, 0), (0, 1, 0, 0, 0)
    for places, expected_order in (
        ((0, 1), (first, second)),
        ((1, 0), (second, first)),
        ((None, None), (first, second)),
    ):
        told = [TOLD[backend]((digit, number), index=place) for digit, place in zip("12", places, strict=True)]
        assert distributions_of(backend, *told) == [pytest.approx(one) for one in expected_order]


junk: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from((10**400, "1", "token")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("1", "token", "prob", "index")), inner)
    ),
    max_leaves=8,
)
completions: Final = st.one_of(
    junk,
    st.builds(lambda likely: {"completion_probabilities": [{"top_probs": likely}]}, junk),
    st.builds(lambda likely: {"logprobs": {"top_logprobs": [likely]}}, junk),
    st.builds(lambda token, number, place: llama_told((token, number), index=place), junk, junk, junk),
    st.builds(lambda number, place: openai_told(("1", number), index=place), junk, junk),
)


@given(st.sampled_from(BACKENDS), st.lists(completions, max_size=3))
def test_whatever_a_server_tells_is_distributions_or_trouble(backend: str, told: list[Any]) -> None:
    try:
        found = distributions_of(backend, *told)
    except Trouble:
        return
    assert len(found) == len(told)
    for one in found:
        assert one is None or (len(one) == 5 and sum(one) == pytest.approx(1) and min(one) >= 0)


@pytest.mark.parametrize("wrong", ["hang", "503"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_may_pass_is_asked_again(folder: Path, backend: str, wrong: str) -> None:
    from tests.servers.completions import completing

    with completing(folder, wrong) as server:
        answers = asked_of(server.url, backend, OPS[:2], request_timeout_s=1.5)
        assert server.done == [wrong, "right"]
        assert answers == asked_of(server.url, backend, OPS[:2])
