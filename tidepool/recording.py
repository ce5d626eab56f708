"""A tape as text: JSON lines that can be kept, sent and read again.

    {"tidepool": "recording", "version": 1, "query": {"query": "What breaks if …", …}}
    {"op": "Hover", "of": {"place": ["shop/till.py", 3, 4]}, "answer": "def pay(name) -> int"}
    {"op": "Hover", "of": {"place": …}, "error": {"kind": "Unavailable", "of": {"interpreter": "ty", "why": "…"}}}
    {"end": 2}

Every line ends with a line feed, and the last one says how many entries there are: what stops before it was cut, by a
process that was killed or a disk that was full. The entries before the cut can be used.

Reading is strict: what is not what the classes allow raises `InvalidData`, which names the line and the field. The type
of an answer comes from its operation's class. Operations and errors of one's own are told by a `vocabulary`.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import Parameter, signature
from math import isfinite
from types import FunctionType
from typing import Any, Final, get_args, get_origin, get_type_hints

import attrs
from returns.result import Failure, Success

from tidepool import errors as _errors
from tidepool.domain import ScoutQuery
from tidepool.eff import Op
from tidepool.effects.clock import Clock
from tidepool.effects.gemma import Gemma
from tidepool.effects.lsp import Lsp
from tidepool.effects.report import Report
from tidepool.errors import InvalidData, ProgramError
from tidepool.tape import Entry
from tidepool.wire import MISSING, dumps, from_wire, is_readable, parse, read_object

VERSION: Final = 1
"""Of the format; a file of another version is not read."""

BEGINNING: Final = '{"tidepool": "recording"'
"""What every recording begins with."""


class ForeignError(Exception):
    """Stands for a recorded error whose class the vocabulary does not know.

    It is no `TidepoolError`: a program that caught the error by a class of tidepool's would have had it by name.

    Attributes:
        kind: the full name of the class.
        text: what the error said.
    """

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text
        super().__init__(text)


@attrs.frozen
class Recording:
    """What the text of a recording holds.

    Attributes:
        query: the question whose exploration it is, or None.
        entries: the tape.
        is_whole: whether it goes on to its end; else it was cut, and these are the entries before the cut.
    """

    query: ScoutQuery | None
    entries: tuple[Entry, ...]
    is_whole: bool


@attrs.frozen
class _Question:
    """A class of operations, and the type of its answers."""

    kind: type[Any]
    answer: Any


@attrs.frozen
class _Mistake:
    """A class of errors, and what it is built from: named arguments by type, or any as it keeps them in `args`."""

    kind: type[Exception]
    arguments: Mapping[str, Any] | None

    @property
    def can_be_read(self) -> bool:
        return self.arguments is None or all(map(is_readable, self.arguments.values()))

    def taken_apart(self, error: Exception) -> dict[str, Any] | list[Any]:
        if self.arguments is None:
            return list(error.args)
        return {name: getattr(error, name, MISSING) for name in self.arguments}

    def put_together(self, parts: object) -> Exception:
        if self.arguments is None:
            return self.kind(*(_scalar(part) for part in _read("error.of", list[Any], parts)))
        whole = read_object(parts, [*self.arguments], "error.of")
        return self.kind(**{name: _read(f"error.of.{name}", self.arguments[name], whole[name]) for name in whole})


@attrs.frozen
class Vocabulary:
    """The operations and errors that a recording may hold, by name."""

    operations: Mapping[str, _Question]
    errors: Mapping[str, _Mistake]


def vocabulary(*operations: type[Any], errors: Iterable[type[Exception]] = ()) -> Vocabulary:
    """What an exploration's recordings hold, and operations and errors of one's own.

    Args:
        operations: classes derived from `Op[...]`; their fields and answers of the types that `wire.is_readable` tells.
        errors: classes built from arguments that are kept in attributes of the same names, and are text, numbers,
            true, false or None.

    Raises:
        ProgramError: one of them cannot be recorded, or has the name of another.
    """
    asked, thrown = dict(EXPLORING.operations), dict(EXPLORING.errors)
    for kind in operations:
        question = _Question(kind, answer_type(kind))
        for part, what in ((kind, "its fields"), (question.answer, "its answer")):
            if not is_readable(part):
                raise ProgramError(f"{kind.__name__} cannot be recorded: give {what} types that JSON can hold")
        if asked.setdefault(kind.__name__, question) != question:
            raise ProgramError(f"there are two operations {kind.__name__}: give one of them another name")
    for error in errors:
        if not _mistake(error).can_be_read:
            raise ProgramError(f"{error.__name__} cannot be recorded: give its arguments types that JSON can hold")
        if thrown.setdefault(error.__name__, _mistake(error)).kind is not error:
            raise ProgramError(f"there are two errors {error.__name__}: give one of them another name")
    return Vocabulary(asked, thrown)


def answer_type(kind: type[Any]) -> Any:
    """The type of the answer to a class of operations.

    Raises:
        ProgramError: the class does not say.
    """
    for base in kind.__mro__:
        for generic in vars(base).get("__orig_bases__", ()):
            if get_origin(generic) is Op:
                return get_args(generic)[0]
    raise ProgramError(f"{kind.__name__} does not say what it is answered: derive it from Op[...]")


def _mistake(kind: type[Exception]) -> _Mistake:
    if not isinstance(kind.__init__, FunctionType):
        return _Mistake(kind, None)
    hints = get_type_hints(kind.__init__)
    _, *parameters = signature(kind.__init__).parameters.values()
    if any(parameter.kind is not Parameter.POSITIONAL_OR_KEYWORD for parameter in parameters):
        return _Mistake(kind, None)
    types = {parameter.name: hints.get(parameter.name, object) for parameter in parameters}
    return _Mistake(kind, {name: type_ if type_ is not object else Any for name, type_ in types.items()})


def _known_errors() -> dict[str, _Mistake]:
    known = [kind for home in (builtins, _errors) for kind in vars(home).values() if isinstance(kind, type)]
    mistakes = [_mistake(kind) for kind in known if issubclass(kind, Exception)]
    return {mistake.kind.__name__: mistake for mistake in mistakes if mistake.can_be_read}


EXPLORING: Final = Vocabulary(
    {kind.__name__: _Question(kind, answer_type(kind)) for kind in get_args(Gemma | Lsp | Clock | Report)},
    _known_errors(),
)
"""What an exploration asks, and every error of tidepool and of Python itself."""


# Writing


def header_line(query: ScoutQuery | None = None) -> str:
    """The first line of a recording."""
    return dumps({"tidepool": "recording", "version": VERSION, "query": query}) + "\n"


def entry_line(entry: Entry, known: Vocabulary = EXPLORING) -> str:
    """One entry's line.

    Raises:
        ProgramError: the vocabulary does not know the operation.
        InvalidData: its fields or its answer hold what JSON cannot.
    """
    kind = type(entry.op)
    question = known.operations.get(kind.__name__)
    if question is None or question.kind is not kind:
        raise ProgramError(f"{kind.__name__} cannot be recorded: name it in the recording's vocabulary")
    line: dict[str, Any] = {"op": kind.__name__, "of": entry.op}
    match entry.answer:
        case Success(answer):
            line["answer"] = answer
        case Failure(error):
            line["error"] = _told(error, known)
    return dumps(line) + "\n"


def end_line(count: int) -> str:
    """The last line of a recording with so many entries."""
    return dumps({"end": count}) + "\n"


def lines_of(tape: Sequence[Entry], query: ScoutQuery | None = None, known: Vocabulary = EXPLORING) -> Iterator[str]:
    """The whole recording of a tape, line by line.

    Raises:
        ProgramError: the vocabulary does not know an operation.
        InvalidData: an entry holds what JSON cannot.
    """
    yield header_line(query)
    for entry in tape:
        yield entry_line(entry, known)
    yield end_line(len(tape))


def _told(error: Exception, known: Vocabulary) -> dict[str, Any]:
    """An error in plain data: by its arguments where an equal one can be built from them, else by its text."""
    kind = type(error)
    notes = {"notes": list(error.__notes__)} if getattr(error, "__notes__", None) else {}
    mistake = known.errors.get(kind.__name__)
    if mistake is not None and mistake.kind is kind:
        parts = mistake.taken_apart(error)
        if _is_rebuilt(error, mistake, parts):
            return {"kind": kind.__name__, "of": parts, **notes}
    if isinstance(error, ForeignError):  # as in the recording of a replay
        return {"foreign": error.kind, "text": error.text, **notes}
    return {"foreign": f"{kind.__module__}.{kind.__qualname__}", "text": str(error), **notes}


def _is_rebuilt(error: Exception, mistake: _Mistake, parts: object) -> bool:
    try:
        again = mistake.put_together(parts)
    except (TypeError, ValueError):
        return False
    return type(again) is type(error) and str(again) == str(error)


# Reading


def parse_recording(lines: Iterable[bytes], known: Vocabulary = EXPLORING) -> Recording:
    """What a recording holds.

    Args:
        lines: each with its line feed, as a file opened to read bytes has them.

    Raises:
        InvalidData: they are no recording; the field names the line, from 1, and what in it.
    """
    query: ScoutQuery | None = None
    entries: list[Entry] = []
    number, is_whole = 0, False
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return Recording(query, tuple(entries), is_whole=False) if number > 1 else _no_recording(line)
        if is_whole:
            raise InvalidData(f"line {number}", line, "nothing: the recording ended before it")
        try:
            data = parse(line)
            if number == 1:
                query = _header(data)
            elif isinstance(data, dict) and "end" in data:
                is_whole = _is_end(data, len(entries))
            else:
                entries.append(_entry(data, known))
        except InvalidData as error:
            raise InvalidData(f"line {number}, {error.field}", error.value, error.allowed) from None
        except (TypeError, ValueError) as error:  # what a class of the user's makes of its arguments
            raise InvalidData(f"line {number}", line, f"what can be built: {error}") from error
    return Recording(query, tuple(entries), is_whole) if number else _no_recording(MISSING)


def _no_recording(found: object) -> Recording:
    raise InvalidData("line 1", found, f"the beginning of a recording, {BEGINNING}")


def _header(data: object) -> ScoutQuery | None:
    if not isinstance(data, dict) or data.get("tidepool") != "recording":
        return _no_recording(data).query
    whole = read_object(data, ("tidepool", "version", "query"))
    if whole["version"] != VERSION:
        raise InvalidData("version", whole["version"], f"{VERSION}: record it again")
    return None if whole["query"] is None else from_wire(ScoutQuery, whole["query"], field="query", any_text=True)


def _is_end(data: object, count: int) -> bool:
    if read_object(data, ("end",))["end"] != count:
        raise InvalidData("end", data, f"the number of the entries before it, {count}")
    return True


def _entry(data: object, known: Vocabulary) -> Entry:
    whole = read_object(data, ("op", "of", "answer", "error"), "entry")
    question = _by_name(known.operations, "op", whole["op"])
    if (whole["answer"] is MISSING) == (whole["error"] is MISSING):
        raise InvalidData("entry", data, "one with either an answer or an error")
    op = _read("of", question.kind, whole["of"])
    if whole["error"] is MISSING:
        return Entry(op, Success(_read("answer", question.answer, whole["answer"])))
    return Entry(op, Failure(_error(whole["error"], known)))


def _error(data: object, known: Vocabulary) -> Exception:
    whole = read_object(data, ("kind", "of", "foreign", "text", "notes"), "error")
    if whole["foreign"] is MISSING:
        error: Exception = _by_name(known.errors, "error.kind", whole["kind"]).put_together(whole["of"])
    else:
        error = ForeignError(*(_read(f"error.{name}", str, whole[name]) for name in ("foreign", "text")))
    for note in () if whole["notes"] is MISSING else _read("error.notes", list[str], whole["notes"]):
        error.add_note(note)
    return error


def _by_name(table: Mapping[str, Any], field: str, name: object) -> Any:
    if not isinstance(name, str) or name not in table:
        raise InvalidData(field, name, "known here: name its class in the vocabulary")
    return table[name]


def _read(field: str, kind: Any, data: object) -> Any:
    return _scalar(data) if kind is Any else from_wire(kind, data, field=field, any_text=True)


def _scalar(data: object) -> Any:
    if data is None or isinstance(data, str | int) or (isinstance(data, float) and isfinite(data)):
        return data
    raise InvalidData("error.of", data, "text, a number, true, false or null")
