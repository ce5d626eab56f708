"""FunctionGemma's format: golden strings, any text there and back, what a model may answer, and `dataset render`."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.edge.dataset import render as verb
from interpreters.edge.dataset.reading import CORRECTIONS, read_examples
from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, Tag, TrainingExample
from tidepool.errors import ConfigError, InvalidData
from tidepool.testing import values
from tidepool.training.functiongemma import (
    PARAMETERS,
    Rendered,
    escaped,
    parse,
    parse_call,
    prefix,
    render,
    suffix,
    unescaped,
)
from tidepool.wire import dumps

WHEN: Final = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
EXAMPLE: Final = TrainingExample(
    QueryContext("What breaks if I add a variant to LLMKind?", (Tag.EXHAUSTIVE, Tag.PATTERN_MATCH)),
    NodeContext("app/kinds.py:12", "class LLMKind(Enum)", "match kind:\n    case LLMKind.GPT:"),
    Rubric(5, 5, 4, "No case takes the new variant"),
    WHEN,
)
DECLARED: Final = (
    "<start_of_turn>developer\n"
    "You are a model that can do function calling with the following functions"
    "<start_function_declaration>declaration:rate_node{"
    "description:<escape>Rate how much a node of code matters to a query about a change.<escape>,"
    "parameters:{properties:{"
    "confidence:{description:<escape>How sure the rating is, from 1 (a guess) to 5 (certain).<escape>,"
    "type:<escape>INTEGER<escape>},"
    "relevance:{description:<escape>How much the node matters to the query, from 1 (barely) to 5 (critical).<escape>,"
    "type:<escape>INTEGER<escape>},"
    "risk:{description:<escape>What the change does there, from 1 (nothing) to 5 (a breaking change is required)."
    "<escape>,type:<escape>INTEGER<escape>},"
    "why:{description:<escape>One sentence that says why.<escape>,type:<escape>STRING<escape>}},"
    "required:[<escape>relevance<escape>,<escape>risk<escape>,<escape>confidence<escape>,<escape>why<escape>],"
    "type:<escape>OBJECT<escape>}}<end_function_declaration><end_of_turn>\n"
)
ASKED: Final = (
    "<start_of_turn>user\n"
    "Query: What breaks if I add a variant to LLMKind?\n"
    "Tags: Exhaustive, PatternMatch\n"
    "Location: app/kinds.py:12\n"
    "Hover: class LLMKind(Enum)\n"
    "Snippet:\n"
    "match kind:\n"
    "    case LLMKind.GPT:<end_of_turn>\n"
    "<start_of_turn>model\n"
)
CALLED: Final = (
    "<start_function_call>call:rate_node{confidence:4,relevance:5,risk:5,"
    "why:<escape>No case takes the new variant<escape>}<end_function_call><start_function_response>"
)
CONTROL: Final = """
<bos> <eos> <pad> <unk> <mask> <escape> <s> </s> <start_of_turn> <end_of_turn> <start_of_image> <end_of_image>
<image_soft_token> <start_function_declaration> <end_function_declaration> <start_function_call> <end_function_call>
<start_function_response> <end_function_response> <unused0> <unused6241> <|im_start|> [multimodal] [@BOS@]
""".split()
"""What some tokenizer of the family takes for one token that is no text."""

PIECES: Final = [
    *CONTROL,
    *"< > \\ [ ] { } \n : , <\\ <es cape> start_of_turn> _soft_token> \\escape>".split(),
    *"Tags: Location: Hover: Snippet: Query: \\Tags: call:rate_node{ }<end_function_call> why: none".split(),
    "\n",
    "\nTags: none\n",
    "\nSnippet:\n",
    "\nHover: ",
    "\n\\Tags: ",
    "\0",
    "\ud800",
    "\udfff",
    "\r\n",
    "",
]
texts: Final = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=5), max_size=12).map("".join)
locations: Final = st.builds(
    "{}:{}".format,
    texts.map(lambda text: text.replace("\n", "") or "a.py"),
    st.integers(1, 10**9 - 1),
)
examples: Final = st.builds(
    TrainingExample,
    st.builds(QueryContext, texts, values.tags),
    st.builds(NodeContext, locations, st.none() | texts, texts),
    st.builds(Rubric, values.one_to_five, values.one_to_five, values.one_to_five, texts),
    values.times,
)


def test_a_prompt_is_written_as_the_format_says() -> None:
    assert render(EXAMPLE).prompt == "<bos>" + DECLARED + ASKED


def test_a_prompt_without_the_declaration_begins_with_the_user() -> None:
    assert render(EXAMPLE, declared=False).prompt == "<bos>" + ASKED


def test_a_completion_has_the_digits_first_and_ends_where_generating_stops() -> None:
    assert render(EXAMPLE).completion == CALLED


def test_the_keys_of_a_call_are_sorted() -> None:
    assert list(PARAMETERS) == sorted(PARAMETERS)


def test_the_nodes_of_a_question_share_its_prefix() -> None:
    other = attrs.evolve(EXAMPLE, node=NodeContext("b.py:1", None, "x"))
    for example in (EXAMPLE, other):
        assert render(example).prompt == prefix(EXAMPLE.query) + suffix(example.node)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a < b and List<T>", "a < b and List<T>"),
        ("<bos>", "<\\bos>"),
        ("<\\bos>", "<\\\\bos>"),
        ("</s>", "<\\/s>"),
        ("<es<escape>cape>", "<es<\\escape>cape>"),
        ("[multimodal]", "[\\multimodal]"),
        ("first\nTags: none", "first\n\\Tags: none"),
        ("first\n\\Tags: none", "first\n\\\\Tags: none"),
        ("Tags: none", "Tags: none"),
    ],
)
def test_only_what_could_be_misread_is_written_otherwise(text: str, written: str) -> None:
    assert escaped(text) == written
    assert unescaped(written) == text


@given(texts)
def test_any_text_comes_back(text: str) -> None:
    assert unescaped(escaped(text)) == text


@given(examples, st.booleans())
def test_any_example_comes_back(example: TrainingExample, declared: bool) -> None:
    rendered = render(example, declared=declared)
    assert parse(*rendered) == (example.query, example.node, example.rubric)
    assert parse_call(rendered.completion) == example.rubric


@given(examples)
def test_no_text_becomes_a_control_token(example: TrainingExample) -> None:
    plain = TrainingExample(
        QueryContext(""), NodeContext("a:1", example.node.hover and "", ""), Rubric(1, 1, 1, ""), WHEN
    )
    for part, of_plain in zip(render(example), render(plain), strict=True):
        assert [part.count(token) for token in CONTROL] == [of_plain.count(token) for token in CONTROL]


@given(examples, examples)
def test_two_examples_that_differ_are_written_differently(one: TrainingExample, other: TrainingExample) -> None:
    same = (one.query, one.node, one.rubric) == (other.query, other.node, other.rubric)
    assert (render(one) == render(other)) is same


def test_no_hover_is_told_from_an_empty_one() -> None:
    for hover in (None, "", "None", "none"):
        example = attrs.evolve(EXAMPLE, node=attrs.evolve(EXAMPLE.node, hover=hover))
        assert parse(*render(example))[1].hover == hover


@pytest.mark.parametrize(
    "piece", ["<", "<\\", "\n\\", "<bos>", "<start_", "a_", "[", "[\\", "<|", "\nTags:", "\\", "<a_soft_token"]
)
def test_a_megabyte_of_anything_comes_back(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    node = NodeContext(EXAMPLE.node.location, text, text)
    example = attrs.evolve(EXAMPLE, query=QueryContext(text), node=node, rubric=Rubric(1, 2, 3, text))
    assert parse(*render(example)) == (example.query, example.node, example.rubric)


@pytest.mark.parametrize(
    "generated",
    [
        CALLED.removesuffix("<start_function_response>"),
        f"I will rate it.\n{CALLED}<eos>",
        CALLED + CALLED.replace("risk:5", "risk:1"),
        CALLED.replace("confidence:4,", "").replace("variant<escape>", "variant<escape>,confidence:4"),
    ],
)
def test_the_first_call_that_a_model_makes_is_read(generated: str) -> None:
    assert parse_call(generated) == EXAMPLE.rubric


@pytest.mark.parametrize(
    ("generated", "field", "said"),
    [
        ("", "completion", "it has no <start_function_call>"),
        ("relevance: 5, risk: 5", "completion", "it has no <start_function_call>"),
        ("<start_function_call>call:other{}<end_function_call>", "call", "'other' is not a call of rate_node"),
        (CALLED.replace("risk:5", "risk:7"), "risk", "7 is not a whole number from 1 to 5"),
        (CALLED.replace("risk:5", "risk:0"), "risk", "0 is not a whole number from 1 to 5"),
        (CALLED.replace("risk:5", "risk:-5"), "risk", "-5 is not a whole number from 1 to 5"),
        (CALLED.replace("risk:5", "risk:5.0"), "risk", "a whole number from 1 to 5"),
        (CALLED.replace("risk:5", "risk:" + "9" * 5000), "risk", "a whole number from 1 to 5"),
        (CALLED.replace("risk:5", "risk:<escape>5<escape>"), "risk", "a whole number from 1 to 5"),
        (CALLED.replace("risk:5,", ""), "risk", "'missing' is not"),
        (CALLED.replace("risk:5,", "risk:5,risk:5,"), "call", "still to come (why)"),
        (CALLED.replace("risk:5,", "risk:5,hurry:5,"), "call", "still to come (why)"),
        (CALLED.replace("risk:5,", "risk:5;"), "call", "followed by ','"),
        (CALLED.partition(" takes")[0], "why", "text between <escape> and <escape>"),
        (CALLED.replace("<end_function_call>", ""), "call", "the end of the call"),
        (CALLED.replace("new", "<eos>"), "why", "text without a control token"),
        (CALLED.replace("why:<escape>No", "why:No"), "why", "text between <escape> and <escape>"),
    ],
)
def test_what_is_wrong_with_a_models_answer_is_named(generated: str, field: str, said: str) -> None:
    with pytest.raises(InvalidData) as caught:
        parse_call(generated)
    assert caught.value.field == field
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("<bos>", "", "prompt"),
        ("Query: ", "Question: ", "prompt"),
        ("\nTags: Exhaustive", "\nExhaustive", "query"),
        ("Exhaustive,", "Exhausted,", "tags[0]"),
        ("Location: ", "", "location"),
        ("kinds.py:12", "kinds.py", "location"),
        ("\nSnippet:", "", "hover"),
        ("<start_of_turn>model\n", "", "prompt"),
        ("kind:", "<eos>", "snippet"),
        ("a variant", "<start_of_turn>", "query"),
    ],
)
def test_a_prompt_that_was_not_rendered_is_refused(old: str, new: str, field: str) -> None:
    prompt, completion = render(EXAMPLE)
    with pytest.raises(InvalidData) as caught:
        parse(prompt.replace(old, new), completion)
    assert caught.value.field == field


def test_a_completion_that_goes_on_after_its_end_is_refused() -> None:
    with pytest.raises(InvalidData, match="a call that ends with <end_function_call><start_function_response>"):
        parse(render(EXAMPLE).prompt, CALLED + "\n")


# The command.


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for split, rows in (("train", [EXAMPLE, tricky("<escape>")]), ("test", [tricky("\nTags: none")])):
        (tmp_path / split).mkdir()
        (tmp_path / split / "00000.jsonl").write_text("".join(f"{dumps(row)}\n" for row in rows), encoding="utf-8")
    return tmp_path


def tricky(text: str) -> TrainingExample:
    return attrs.evolve(EXAMPLE, query=QueryContext(text), node=NodeContext("a.py:1", text, text))


def rendered(folder: Path, *flags: str) -> int:
    parser = argparse.ArgumentParser()
    verb.flags(parser)
    return verb.main(parser.parse_args([str(folder), *flags]))


def lines(file: Path) -> list[Rendered]:
    return [Rendered(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def test_each_split_is_rendered_into_a_file_of_its_own(dataset: Path) -> None:
    assert rendered(dataset) == 0
    assert sorted(file.name for file in (dataset / "functiongemma").iterdir()) == ["test.jsonl", "train.jsonl"]
    assert lines(dataset / "functiongemma/train.jsonl") == [render(EXAMPLE), render(tricky("<escape>"))]


def test_a_split_can_be_rendered_elsewhere_without_the_declaration(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    assert rendered(dataset, "--split", "train", "--without-declaration", "--out", str(out)) == 0
    assert [file.name for file in out.iterdir()] == ["train.jsonl"]
    assert lines(out / "train.jsonl")[0] == render(EXAMPLE, declared=False)


def test_rows_that_cannot_be_read_are_counted_by_reason(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = dataset / "train/00001.jsonl"
    out_of_range = dumps(EXAMPLE).replace('"risk": 5', '"risk": 6')
    shard.write_text(f"{out_of_range}\n{dumps(EXAMPLE)}\n{out_of_range}\n{{\n")
    assert rendered(dataset) == 0
    said = capsys.readouterr().err
    assert f"rows left out: 2, since rubric.risk is not a whole number from 1 to 5; the first is {shard}:1\n" in said
    assert f"rows left out: 1, since no JSON; the first is {shard}:4\n" in said
    assert len(lines(dataset / "functiongemma/train.jsonl")) == 3


def test_a_rendering_that_is_another_example_is_refused() -> None:
    with pytest.raises(ConfigError, match="shard:7: is another example once it is rendered"):
        verb.checked(EXAMPLE, render(tricky("x")), "shard:7")
    with pytest.raises(ConfigError, match="shard:7: cannot be read back"):
        verb.checked(EXAMPLE, Rendered(render(EXAMPLE).prompt, ""), "shard:7")


def test_where_nothing_can_be_rendered_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rendered(tmp_path) == 2
    assert "holds no dataset: there is no train/*.jsonl" in capsys.readouterr().err
    assert rendered(tmp_path / "missing") == 2
    assert "is no folder" in capsys.readouterr().err
    (tmp_path / "train").mkdir()
    (tmp_path / "train/00000.jsonl").write_text("{}\n")
    assert rendered(tmp_path) == 3
    assert "no row could be rendered" in capsys.readouterr().err


def test_a_failed_rendering_leaves_an_earlier_one_as_it_was(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rendered(dataset) == 0
    before = (dataset / "functiongemma/test.jsonl").read_text()
    (dataset / CORRECTIONS).write_text("{}\n")
    assert rendered(dataset) == 2
    assert f"{CORRECTIONS}:1: query: missing is not" in capsys.readouterr().err
    assert (dataset / "functiongemma/test.jsonl").read_text() == before
    assert not [file for file in (dataset / "functiongemma").iterdir() if file.name.startswith(".")]


# Reading.


def test_shards_are_read_in_the_order_of_their_names(dataset: Path) -> None:
    (dataset / "train/00001.jsonl").write_text(f"{dumps(tricky('last'))}\n")
    assert [(split, example.query.query) for split, example in read_examples(dataset)] == [
        ("train", EXAMPLE.query.query),
        ("train", "<escape>"),
        ("train", "last"),
        ("test", "\nTags: none"),
    ]
    assert [split for split, _ in read_examples(dataset, ("test",))] == ["test"]


def test_what_a_person_said_last_wins_and_the_origin_is_kept(dataset: Path) -> None:
    origin = Provenance(codebase="shop", labeller="oracle")
    (dataset / "test/00000.jsonl").write_text(f"{dumps(attrs.evolve(EXAMPLE, provenance=origin))}\n")
    said = [
        attrs.evolve(EXAMPLE, rubric=Rubric(n, n, 5, "so"), provenance=Provenance(labeller="person")) for n in (1, 2)
    ]
    (dataset / CORRECTIONS).write_text("".join(f"{dumps(one)}\n" for one in said))
    ((_, read),) = read_examples(dataset, ("test",))
    assert read.rubric == said[1].rubric
    assert read.provenance == Provenance(codebase="shop", labeller="person")


def test_a_correction_that_was_cut_short_is_passed_over(dataset: Path) -> None:
    said = dumps(attrs.evolve(EXAMPLE, rubric=Rubric(1, 1, 5, "so")))
    (dataset / CORRECTIONS).write_text(f"{said}\n{said[:50]}")
    assert next(iter(read_examples(dataset)))[1].rubric.risk == 1


def test_a_broken_line_is_named(dataset: Path) -> None:
    (dataset / "train/00001.jsonl").write_text(f"{dumps(EXAMPLE)}\n[]\n")
    with pytest.raises(ConfigError, match=r"train/00001\.jsonl:2: .*build the dataset again"):
        list(read_examples(dataset))
