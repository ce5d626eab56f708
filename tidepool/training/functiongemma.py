r"""Examples as FunctionGemma is trained on them, and what it answers read back. Pure.

    rendered = render(example)                         a prompt, and the call that completes it
    query, node, rubric = parse(rendered.prompt, rendered.completion)
    rubric = parse_call(generated)                     of what a model wrote

The prompt begins with the question, so that all nodes of one question share `prefix(query)`; `suffix(node)` ends it.

No text becomes a control token. Where one would stand in a text, a backslash follows its first character: `<bos>` is
written `<\bos>`, and `<\bos>` is written `<\\bos>`. To take one away again gives the text back, whatever it was. A line
that begins like a field, such as `Tags:`, is told from the field in the same way. All other text stands as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from tidepool.domain import NodeContext, QueryContext, Rubric, Tag, TrainingExample
from tidepool.errors import InvalidData
from tidepool.wire import from_wire

FUNCTION: Final = "rate_node"
CALL_ENDS: Final = "<end_function_call>"
STOP: Final = "<start_function_response>"
"""What a completion ends with, and where generating is to stop."""

_CALL_BEGINS: Final = "<start_function_call>"
_QUOTE: Final = "<escape>"


class Rendered(NamedTuple):
    """An example as text."""

    prompt: str
    completion: str


class Parameter(NamedTuple):
    """A parameter of the function that a model calls.

    Attributes:
        field: the field of `Rubric` that it is.
        description: what the model is told.
        is_number: whether it is a whole number from 1 to 5; else it is text.
    """

    field: str
    description: str
    is_number: bool


PARAMETERS: Final[Mapping[str, Parameter]] = {
    "confidence": Parameter("confidence", "How sure the rating is, from 1 (a guess) to 5 (certain).", True),
    "relevance": Parameter(
        "relevance", "How much the node matters to the query, from 1 (barely) to 5 (critical).", True
    ),
    "risk": Parameter(
        "risk", "What the change does there, from 1 (nothing) to 5 (a breaking change is required).", True
    ),
    "why": Parameter("reasoning", "One sentence that says why.", False),
}
"""By the name in a call; they stand in a call in this order, which is the alphabet's.

`reasoning` would stand before two of the digits. As `why` it comes last, and the digits can be read before it is made.
"""

REQUIRED: Final = ("relevance", "risk", "confidence", "why")


# Text, and text that cannot be taken for anything else.

_CONTROL: Final = (
    r"<(?=\\*(?:bos|eos|pad|unk|mask|s|escape|2mass|unused\d+|start_[a-z_]+|end_[a-z_]+|[a-z_]+_soft_token|\|[a-z_]+\|)>)"
    r"|<(?=\\*/s>)"
    r"|\[(?=\\*(?:multimodal|@BOS@)\])"
)
"""What may begin a control token, of this model and of its kin, with any number of backslashes behind it."""

_FIELD: Final = r"\n(?=\\*(?:Tags|Location|Hover|Snippet):)"
_TO_ESCAPE: Final = re.compile(f"{_CONTROL}|{_FIELD}")
_TO_UNESCAPE: Final = re.compile(rf"({_CONTROL}|{_FIELD})\\")
_BARE: Final = re.compile(rf"(?:{_CONTROL})(?!\\)")


def escaped(text: str) -> str:
    """A text in which nothing is a control token or begins a field, and that `unescaped` gives back."""
    return _TO_ESCAPE.sub(r"\g<0>\\", text)


def unescaped(text: str) -> str:
    """The text that was escaped."""
    return _TO_UNESCAPE.sub(r"\1", text)


def _read(field: str, text: str) -> str:
    """The text of a field.

    Raises:
        InvalidData: it holds a control token, which no escaped text does.
    """
    if (bare := _BARE.search(text)) is not None:
        raise InvalidData(field, text[bare.start() : bare.start() + 40], "text without a control token")
    return unescaped(text)


# The prompt.


def _declaration() -> str:
    properties = ",".join(f"{name}:{_described(one)}" for name, one in PARAMETERS.items())
    required = ",".join(map(_quoted, REQUIRED))
    return (
        f"<start_function_declaration>declaration:{FUNCTION}{{description:"
        f"{_quoted('Rate how much a node of code matters to a query about a change.')},"
        f"parameters:{{properties:{{{properties}}},required:[{required}],type:{_quoted('OBJECT')}}}}}"
        "<end_function_declaration>"
    )


def _described(parameter: Parameter) -> str:
    kind = "INTEGER" if parameter.is_number else "STRING"
    return f"{{description:{_quoted(parameter.description)},type:{_quoted(kind)}}}"


def _quoted(text: str) -> str:
    return f"{_QUOTE}{text}{_QUOTE}"


_BEGINS: Final = "<bos>"
_DEVELOPER: Final = (
    "<start_of_turn>developer\nYou are a model that can do function calling with the following functions"
    f"{_declaration()}<end_of_turn>\n"
)
_USER: Final = "<start_of_turn>user\nQuery: "
_MODEL: Final = "<end_of_turn>\n<start_of_turn>model\n"
_NO_TAGS: Final = "none"


def prefix(query: QueryContext, *, declared: bool = True) -> str:
    """How the prompts of all nodes of a question begin.

    Args:
        declared: whether the function is declared first; a model that was trained without needs no declaration.
    """
    tags = ", ".join(query.tags) or _NO_TAGS
    return f"{_BEGINS}{_DEVELOPER if declared else ''}{_USER}{escaped(query.query)}\nTags: {tags}\n"


def suffix(node: NodeContext) -> str:
    """How the prompt of a node ends; a hover of None has no line, as an empty one has."""
    hover = "" if node.hover is None else f"Hover: {escaped(node.hover)}\n"
    return f"Location: {escaped(node.location)}\n{hover}Snippet:\n{escaped(node.snippet)}{_MODEL}"


def call(rubric: Rubric) -> str:
    """The call that a model is to complete a prompt with."""
    values = ",".join(f"{name}:{_value(getattr(rubric, one.field))}" for name, one in PARAMETERS.items())
    return f"{_CALL_BEGINS}call:{FUNCTION}{{{values}}}{CALL_ENDS}{STOP}"


def _value(value: int | str) -> str:
    return str(value) if isinstance(value, int) else _quoted(escaped(value))


def render(example: TrainingExample, *, declared: bool = True) -> Rendered:
    """An example as a prompt, and the call that completes it."""
    return Rendered(prefix(example.query, declared=declared) + suffix(example.node), call(example.rubric))


# And back.


def parse(prompt: str, completion: str) -> tuple[QueryContext, NodeContext, Rubric]:
    """What was rendered, with the declaration or without.

    Raises:
        InvalidData: that is not what `render` writes.
    """
    query, node = parse_prompt(prompt)
    if not completion.startswith(_CALL_BEGINS) or not completion.endswith(f"}}{CALL_ENDS}{STOP}"):
        raise InvalidData("completion", completion, f"a call that ends with {CALL_ENDS}{STOP}")
    return query, node, parse_call(completion)


def parse_prompt(prompt: str) -> tuple[QueryContext, NodeContext]:
    """What a prompt asks.

    Raises:
        InvalidData: `render` writes no such prompt.
    """
    rest = _after(_BEGINS, prompt, "prompt").removeprefix(_DEVELOPER)
    if not rest.endswith(_MODEL):
        raise InvalidData("prompt", prompt[-80:], "a prompt that ends where the model's turn begins")
    text, rest = _cut("query", _after(_USER, rest, "prompt")[: -len(_MODEL)], "\nTags: ")
    tags, rest = _cut("tags", rest, "\n")
    query = QueryContext(_read("query", text), _tags(tags))
    return query, _node(_after("Location: ", rest, "location"))


def _node(text: str) -> NodeContext:
    location, rest = _cut("location", text, "\n")
    hover = None
    if rest.startswith("Hover: "):
        said, snippet = _cut("hover", rest.removeprefix("Hover: "), "\nSnippet:\n")
        hover = _read("hover", said)
    else:
        snippet = _after("Snippet:\n", rest, "snippet")
    return NodeContext(_read("location", location), hover, _read("snippet", snippet))


def _cut(field: str, text: str, ends: str) -> tuple[str, str]:
    """What stands before the first of a mark, and after it."""
    before, found, after = text.partition(ends)
    if not found:
        raise InvalidData(field, text, f"what ends before {ends!r}")
    return before, after


def _after(begins: str, text: str, field: str) -> str:
    if not text.startswith(begins):
        raise InvalidData(field, text, f"what begins with {begins!r}")
    return text[len(begins) :]


def _tags(text: str) -> tuple[Tag, ...]:
    words = () if text == _NO_TAGS else text.split(", ")
    known = {str(tag): tag for tag in Tag}
    for place, word in enumerate(words):
        if word not in known:
            raise InvalidData(f"tags[{place}]", word, f"one of {', '.join(known)}")
    return tuple(known[word] for word in words)


_HEAD: Final = re.compile(r"call:([A-Za-z0-9_]{1,80})\{")
_NAME: Final = re.compile(r"([A-Za-z0-9_]{1,80}):")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?![0-9.])")


def parse_call(completion: str) -> Rubric:
    """The rubric of the first call in what a model wrote; what stands before it and after it is not looked at.

    Raises:
        InvalidData: there is none, or it is not whole, or of another function, or its arguments make no rubric.
    """
    _, begun, rest = completion.partition(_CALL_BEGINS)
    if not begun:
        raise InvalidData("completion", completion, f"a call: it has no {_CALL_BEGINS}")
    head = _HEAD.match(rest)
    if head is None or head[1] != FUNCTION:
        raise InvalidData("call", head[1] if head else rest, f"a call of {FUNCTION}")
    given = _arguments(rest, head.end())
    for name in PARAMETERS:
        if name not in given:
            raise InvalidData(name, "missing", "left out in a call")
    return from_wire(Rubric, {one.field: given[name] for name, one in PARAMETERS.items()}, any_text=True)


def _arguments(text: str, at: int) -> dict[str, int | str]:
    """The arguments of a call whose first one begins at a place in a text."""
    given: dict[str, int | str] = {}
    while not text.startswith(f"}}{CALL_ENDS}", at):
        if given:
            at = _past(",", text, at)
        found = _NAME.match(text, at)
        if found is None or found[1] not in PARAMETERS or found[1] in given:
            raise InvalidData("call", text[at : at + 80], _expected(given))
        name = found[1]
        given[name], at = _READERS[PARAMETERS[name].is_number](name, text, found.end())
    return given


def _past(sign: str, text: str, at: int) -> int:
    if not text.startswith(sign, at):
        raise InvalidData("call", text[at : at + 80], f"followed by {sign!r}, or by the end of the call, }}{CALL_ENDS}")
    return at + len(sign)


def _expected(given: Mapping[str, object]) -> str:
    left = [name for name in PARAMETERS if name not in given]
    return f"an argument that is still to come ({', '.join(left) or 'none'}), or the end of the call, }}{CALL_ENDS}"


def _read_number(name: str, text: str, at: int) -> tuple[int, int]:
    found = _NUMBER.match(text, at)
    if found is None:
        raise InvalidData(name, text[at : at + 20], "a whole number from 1 to 5")
    return int(found[0]), found.end()


def _read_string(name: str, text: str, at: int) -> tuple[str, int]:
    begins = at + len(_QUOTE)
    ends = text.find(_QUOTE, begins)
    if not text.startswith(_QUOTE, at) or ends < 0:
        raise InvalidData(name, text[at : at + 80], f"text between {_QUOTE} and {_QUOTE}")
    return _read(name, text[begins:ends]), ends + len(_QUOTE)


_Reader = Callable[[str, str, int], tuple[int | str, int]]
_READERS: Final[Mapping[bool, _Reader]] = {True: _read_number, False: _read_string}
