"""Everything that can be configured: each key once, with what it may be, what it is by default, and what it means.

The flags, the variables, the files and the page that documents them are all made from these tables. Nothing heavy is
imported here: the flags are needed for `--help`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple, assert_never

TAGS: Final = (
    "Exhaustive", "PatternMatch", "TypeFamily", "Constraint", "DataType", "TypeAlias", "Function", "Module",
)  # fmt: skip
FORMATS: Final = ("table", "json", "markdown", "html")
SHELLS: Final = ("bash", "zsh", "fish")
BACKENDS: Final = ("auto", "int8", "torch", "llama.cpp", "openai")
DEFAULT_SERVER: Final = "ty"
PREFIX: Final = "TIDEPOOL_"
MODEL_TOKEN: Final = "TIDEPOOL_MODEL_TOKEN"  # noqa: S105 - the name of one
SERVER_TOKEN: Final = "TIDEPOOL_TOKEN"  # noqa: S105 - what `tidepool serve` lets in
A_DAY_S: Final = 86_400
MOST_NODES_PER_REQUEST: Final = 50  # what a scoring server takes at a time


class Kind(NamedTuple):
    """What the values of a key may be.

    Attributes:
        allowed: what a value is to be, to end a sentence that begins "… is not".
        accept: the value of what a file holds; a ValueError where it is none.
        of_text: what a file would hold, of the text of a flag or a variable; a ValueError where it is nothing.
        choices: the texts that it may be, where they can be listed.
    """

    allowed: str
    accept: Callable[[Any], Any]
    of_text: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()


class Key(NamedTuple):
    """Something that can be configured.

    Attributes:
        name: what it is called in a file.
        kind: what it may be.
        default: what it is unless it is given.
        says: what it means, to follow its name.
        flag: its flag of `semantic-scout` with what follows it, in brackets what may be left out; or "".
        for_codebase: the least and the most that a codebase may set it to; infinities for whatever it may be. None
            where only the user may set it. A codebase may ask for more than the default, so that its answers are
            whole, and not for so little that there are none.
    """

    name: str
    kind: Kind
    default: Any
    says: str
    flag: str = ""
    for_codebase: tuple[float, float] | None = None


class BuiltIn(StrEnum):
    """The kinds of scorers that are built in; each is also the name of one."""

    HEURISTIC = "heuristic"
    LEARNED = "learned"
    MODEL = "model"
    HYBRID = "hybrid"
    ORACLE = "oracle"
    REPLAY = "replay"
    FUNCTIONGEMMA = "functiongemma"


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError


def _text(value: Any) -> str:
    _require(isinstance(value, str) and bool(value) and "\x00" not in value)
    return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    _require(isinstance(value, list | tuple) and bool(value))
    _require(all(isinstance(text, str) for text in value))
    return tuple(value)


def _table(value: Any) -> Mapping[str, Any]:
    _require(isinstance(value, Mapping))
    return dict(value)


def _yes_or_no(value: Any) -> bool:
    _require(isinstance(value, bool))
    return bool(value)


def _path(value: Any) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


def _address(value: Any) -> str:
    from interpreters.gemma.access import check_address
    from tidepool.errors import ConfigError

    try:
        check_address(_text(value))
    except ConfigError as error:
        raise ValueError from error
    return str(value)


def _tags(value: Any) -> tuple[str, ...]:
    known = {tag.casefold(): tag for tag in TAGS}
    _require(isinstance(value, list | tuple))
    _require(all(isinstance(tag, str) and tag.casefold() in known for tag in value))
    return tuple(dict.fromkeys(known[tag.casefold()] for tag in value))


def _digits(text: str) -> int:
    _require(text.isascii() and text.isdigit() and len(text) < 10)
    return int(text)


def _said_yes(text: str) -> bool:
    _require(text.lower() in {"true", "false"})
    return text.lower() == "true"


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole(least: int, most: int) -> Kind:
    def accept(value: Any) -> int:
        _require(type(value) is int and least <= value <= most)
        return int(value)

    return Kind(f"a whole number from {least} to {most}", accept, _digits)


def _one_or_three(value: Any) -> int:
    _require(type(value) is int and value in {1, 3})
    return int(value)


def _seconds(least: str, holds: Callable[[float], bool]) -> Kind:
    def accept(value: Any) -> float:
        _require(type(value) in {int, float} and value < A_DAY_S and holds(value))
        return float(value)

    return Kind(f"a number of seconds {least} and below a day", accept, float)


def _one_of(choices: tuple[str, ...]) -> Kind:
    def accept(value: Any) -> str:
        _require(value in choices)
        return str(value)

    return Kind(f"one of {', '.join(choices)}", accept, choices=choices)


TEXT: Final = Kind("a text", _text)
TEXTS: Final = Kind("a list of texts, of one at least", _texts, _list)
TABLE: Final = Kind("a table", _table)
YES_OR_NO: Final = Kind("true or false", _yes_or_no, _said_yes)
PATH: Final = Kind("a path", _path)
ADDRESS: Final = Kind(
    "an http or https address without a password, query or fragment, and without /score at its end", _address
)
SOME_TAGS: Final = Kind(f"one of {', '.join(TAGS)}, or a list of them", _tags, _list, TAGS)
SECONDS: Final = _seconds("above 0", lambda value: value > 0)
PAUSE: Final = _seconds("from 0", lambda value: value >= 0)
ONE_OR_THREE: Final = Kind("1 or 3", _one_or_three, _digits)
ANYTHING: Final = (float("-inf"), float("inf"))

SETTINGS: Final = (
    Key("budget", _whole(0, 999_999_999), 20, "how many places may be rated", "--budget N", (1, 1_000)),
    Key("tags", SOME_TAGS, (), "what questions are about", "--tag TAG", ANYTHING),
    Key("format", _one_of(FORMATS), "table", "how to print the answer", "--format FORMAT", ANYTHING),
    Key("timeout_s", SECONDS, 60.0, "seconds for the server's start and each answer", "--timeout SECONDS", (60, 600)),
    Key("scorer", TEXT, BuiltIn.HEURISTIC.value, "what rates places: built in, configured, installed", "--scorer NAME"),
    Key("server", TEXT, DEFAULT_SERVER, "the language server, known or configured", "--server NAME"),
    Key("verify", YES_OR_NO, True, "make the change in memory and ask a checker what newly fails", "--verify"),
    Key("broker", YES_OR_NO, True, "ask a language server that is kept running, where there is one", "--broker"),
    Key("python", PATH, None, "the codebase's interpreter or virtual environment", "--python PATH"),
    Key("keep", PATH, None, "the folder in which answers are kept to learn from", "--keep [DIR]"),
)
"""At the top of a file."""

MODEL: Final = (
    Key("url", ADDRESS, None, "where the scoring server is, without `/score`"),
    Key("token_env", TEXT, None, "the environment variable that holds the token to send"),
    Key("token_file", PATH, None, "the file that holds the token to send"),
    Key("nodes_per_request", _whole(1, MOST_NODES_PER_REQUEST), 50, "how many places one request asks about"),
    Key("requests_in_flight", _whole(1, 64), 4, "how many requests are under way at a time"),
    Key("request_timeout_s", SECONDS, 30.0, "for the answer to one request, in seconds"),
    Key("total_timeout_s", SECONDS, 60.0, "for a round of requests with its repetitions, in seconds"),
    Key("attempts", _whole(1, 10), 3, "how often a request that may be repeated is sent"),
)
HYBRID: Final = (
    Key("model", TEXT, BuiltIn.MODEL.value, "the scorer of kind `model` that is asked first"),
    Key("fallback", TEXT, BuiltIn.HEURISTIC.value, "the scorer that rates what the model does not"),
    Key("failures", _whole(1, 1_000), 3, "how many rounds in a row may fail before the model is left alone"),
    Key("cool_down_s", PAUSE, 30.0, "how long it is then left alone, in seconds"),
)
REPLAY: Final = (Key("file", PATH, None, "the recording to answer from, made by `--record`"),)

LEARNED: Final = (Key("model", PATH, None, "the model's file; unless given, your current version or the shipped one"),)

FUNCTIONGEMMA: Final = (
    Key("model", PATH, None, "the folder with the model"),
    Key("backend", _one_of(BACKENDS), "auto", "what computes it: a GPU where there is one, else int8; or a server"),
    Key("passes", ONE_OR_THREE, 1, "1 reads the three digits at once, 3 each after the likeliest before it"),
    Key("max_suffix_tokens", _whole(64, 4_096), 200, "of a place's own part of the prompt; more is cut"),
    Key("declared", YES_OR_NO, None, "whether prompts declare the function; else as in the model's training"),
    Key("writes_reasons", YES_OR_NO, False, "whether the model writes its reasons, many times slower"),
    Key("url", ADDRESS, None, "where the server is, for the backends that are one"),
    Key("served_as", TEXT, None, "what an OpenAI-compatible server calls the model"),
    Key("token_env", TEXT, None, "the environment variable that holds the token to send to the server"),
    Key("token_file", PATH, None, "the file that holds the token to send to the server"),
)


def keys_of(kind: BuiltIn) -> tuple[Key, ...]:
    """The keys of a scorer's table, by its kind."""
    match kind:
        case BuiltIn.HEURISTIC | BuiltIn.ORACLE:
            return ()
        case BuiltIn.LEARNED:
            return LEARNED
        case BuiltIn.MODEL:
            return MODEL
        case BuiltIn.HYBRID:
            return HYBRID
        case BuiltIn.REPLAY:
            return REPLAY
        case BuiltIn.FUNCTIONGEMMA:
            return FUNCTIONGEMMA
        case _:
            assert_never(kind)


SERVER: Final = (
    Key("like", TEXT, None, "the known server whose entry this one starts from"),
    Key("command", TEXTS, None, "the program and its arguments"),
    Key("suffixes", TEXTS, None, "what the names of the files it reads end in"),
    Key("language", TEXT, None, "what the protocol calls their language"),
    Key("install", TEXT, None, "the command that installs it"),
    Key("options", TABLE, None, "its `initializationOptions`"),
    Key("settings", TABLE, None, "what it is answered when it asks for its configuration"),
    Key("position_encodings", TEXTS, None, "the units of columns it may choose from"),
    Key("opens_files", YES_OR_NO, None, "whether it answers only about files that were opened"),
    Key("first_answers_complete", YES_OR_NO, None, "whether its first answers are about the whole codebase"),
    Key("pipelines_start", YES_OR_NO, None, "whether it reads on before its greeting was acknowledged"),
    Key("runs_python", YES_OR_NO, None, "whether it runs the codebase's interpreter"),
    Key("idles_at_exit", YES_OR_NO, None, "whether it need not be waited for when it ends"),
    Key("caveat", TEXT, None, "what a person should know about its answers"),
)
"""In a table `[servers.NAME]`; what is left out is as for the server it is like, or one that nothing is known about."""

SERVER_KIND: Final = Key("kind", _one_of((BuiltIn.REPLAY.value,)), None, "that a recording answers in its place")
"""In a table `[servers.NAME]` that is about no server: what else it holds is as for a scorer of that kind."""


def variable(*path: str) -> str:
    """The environment variable of a key: `TIDEPOOL_BUDGET`, or `TIDEPOOL_MODEL_URL` for the built-in model's."""
    return PREFIX + "_".join(path).upper()


def by_name(keys: Iterable[Key]) -> dict[str, Key]:
    """The keys by their names."""
    return {key.name: key for key in keys}


def nearest(name: str, known: Iterable[str]) -> str:
    """What was meant by a name that is not known, as a clause."""
    from difflib import get_close_matches

    known = tuple(known)
    close = get_close_matches(name[:100], known, n=1)
    return f"did you mean {close[0]}?" if close else f"it may be {', '.join(known)}"


def of_text(key: Key, text: str) -> Any:
    """The value of a key, of the text of a flag or a variable.

    Raises:
        ValueError: there is none; the text says what there may be.
    """
    try:
        return key.kind.accept(key.kind.of_text(text))
    except ValueError:
        raise ValueError(wrong(key, text)) from None


def wrong(key: Key, value: object) -> str:
    """What is wrong with a value that its key does not accept, as a clause."""
    if key.kind is ADDRESS and "@" in str(value):  # it may hold a password
        return f"this is not {key.kind.allowed}"
    try:
        shown = repr(value)
    except (RecursionError, ValueError):  # nested too deep; a number of thousands of digits
        shown = f"this {type(value).__name__}"
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    close = nearest(value, key.kind.choices) if isinstance(value, str) and key.kind.choices else ""
    meant = f"; {close}" if close.startswith("did") else ""
    return f"{shown} is not {key.kind.allowed}{meant}"
