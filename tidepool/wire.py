"""The wire format: the only place where domain values meet plain data and JSON text.

Reading is strict. Anything that is not what the domain allows raises `InvalidData`, which names the place (`tags[1]`,
`rubric.risk`), what stood there and what may stand there; the first thing wrong is the one that is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from types import GenericAlias
from typing import Any, Final, TypeVar, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, BaseConverter, BaseValidationError, Converter, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from tidepool.domain import (
    NodeContext,
    Provenance,
    QueryContext,
    ScoutQuery,
    ScoutResponse,
    Status,
    Tag,
    TrainingExample,
    Verdict,
    a_kind_of,
)
from tidepool.errors import InvalidData

T = TypeVar("T")

# What an object may lack, beside the keys that are left out where they are None.
_OPTIONAL: Final[Mapping[type, frozenset[str]]] = {
    ScoutQuery: frozenset({"tags", "budget_nodes", "keep_examples"}),
}
_LEFT_OUT_WHERE_NONE: Final[Mapping[type, frozenset[str]]] = {
    Provenance: frozenset(field.name for field in attrs.fields(Provenance)),
    TrainingExample: frozenset({"provenance"}),
    ScoutResponse: frozenset({"training_examples"}),
}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Final = _Missing()
"""The `value` of an `InvalidData` where nothing stands."""


def to_wire(value: object) -> Any:
    """Plain data, as JSON has it: an object for a domain value, a list for several."""
    return _CONVERTER.unstructure(value)


def from_wire(kind: type[T], data: object) -> T:
    """The domain value that plain data stands for.

    Raises:
        InvalidData: it stands for none.
    """
    try:
        value: T = _CONVERTER.structure(data, kind)
    except BaseValidationError as error:
        raise _first(error) from None
    except InvalidData as error:
        raise InvalidData(error.field or a_kind_of(kind), error.value, error.allowed) from None
    return value


def dumps(value: object, *, indent: int | None = None) -> str:
    """JSON text of a domain value, of several, or of plain data; it can always be written as UTF-8.

    Raises:
        InvalidData: it holds a number that JSON has none for.
    """
    try:
        text = json.dumps(to_wire(value), ensure_ascii=False, allow_nan=False, indent=indent)
    except (ValueError, RecursionError) as error:
        raise InvalidData("JSON text", value, f"what JSON can say: {error}") from None
    return text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate as the escape that JSON has for it


def parse(text: str | bytes) -> Any:
    """Plain data from JSON text.

    Raises:
        InvalidData: it is no JSON, or no UTF-8.
    """
    try:
        return json.loads(text if isinstance(text, str) else text.decode(), parse_constant=_no_constant)
    except InvalidData:
        raise
    except UnicodeDecodeError as error:
        raise InvalidData("JSON text", text, f"UTF-8: byte {error.start} cannot be decoded") from None
    except (ValueError, RecursionError) as error:
        raise InvalidData("JSON text", text, f"JSON: {error}") from None


def loads(kind: type[T], text: str | bytes) -> T:
    """The domain value that JSON text stands for.

    Raises:
        InvalidData: it stands for none.
    """
    return from_wire(kind, parse(text))


def score_request(query: QueryContext, node: NodeContext) -> dict[str, Any]:
    """The body of a request to `/score`: everything a scorer may see, flat."""
    return {**to_wire(query), **to_wire(node)}


def read_score_request(data: object) -> tuple[QueryContext, NodeContext]:
    """What the body of a request to `/score` asks about.

    Raises:
        InvalidData: it asks about nothing.
    """
    whole = _object(data, [*_names(QueryContext), *_names(NodeContext)], "a score request")
    query, node = ({name: whole[name] for name in _names(kind)} for kind in (QueryContext, NodeContext))
    return from_wire(QueryContext, query), from_wire(NodeContext, node)


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in attrs.fields(kind)]


def _object(data: object, known: Sequence[str], what: str = "") -> dict[str, Any]:
    """An object's entries by key; a key it lacks is `MISSING`, one that is not known must not be there."""
    if not isinstance(data, Mapping):
        raise InvalidData(what, data, f"an object with {', '.join(known)}")
    for key in data:
        if key not in known:
            name = key[:80] if isinstance(key, str) else type(key).__name__
            raise InvalidData(name if name.isprintable() else repr(name), key, _one_of(known, name))
    return {**dict.fromkeys(known, MISSING), **data}


def _one_of(known: Sequence[str], word: object) -> str:
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(word[:80].casefold(), folded, n=1) if isinstance(word, str) else []
    return f"one of {', '.join(known)}" + (f"; did you mean {folded[near[0]]}?" if near else "")


def _no_constant(name: str) -> Any:
    raise InvalidData("JSON text", name, "a number that JSON has")


# Reading one kind of value. The domain checks itself: what only it has to say, such as bounds, is left to it.


def _read_text(data: Any, _: object) -> Any:
    if isinstance(data, str) and _LONE_SURROGATE.search(data):
        raise InvalidData("", data, "text that UTF-8 can encode: it has a lone surrogate")
    return data


def _read_as_it_is(data: Any, _: object) -> Any:
    return data


def _read_word(data: Any, kind: type[StrEnum]) -> StrEnum:
    if isinstance(data, str):
        with suppress(ValueError):
            return kind(data)
    raise InvalidData("", data, _one_of([*kind], data))


def _write_word(word: StrEnum) -> str:
    return word.value


def _read_time(data: Any, _: object) -> datetime:
    if isinstance(data, str) and _TIME.fullmatch(data):
        with suppress(ValueError, OverflowError):
            return datetime.fromisoformat(data).astimezone(UTC)
    raise InvalidData("", data, "a time such as 2026-01-15T10:30:00Z")


def _write_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def _reading_many(kind: Any, converter: BaseConverter) -> Callable[[Any, Any], Any]:
    member, _ = get_args(kind)
    members: Any = GenericAlias(list, (member,))

    def read(data: Any, _: object) -> Any:
        if not isinstance(data, list):
            raise InvalidData("", data, f"a list, each {a_kind_of(member)}")
        return tuple(converter.structure(data, members))

    return read


def _reading_object(kind: type[Any], converter: BaseConverter) -> Callable[[Any, Any], Any]:
    build = make_dict_structure_fn(kind, converter)
    known = _names(kind)
    optional = _OPTIONAL.get(kind, frozenset()) | _LEFT_OUT_WHERE_NONE.get(kind, frozenset())

    def read(data: Any, _: object) -> Any:
        whole = _object(data, known)
        return build({key: whole[key] for key in known if not (whole[key] is MISSING and key in optional)}, kind)

    return read


def _writing_object(kind: type[Any], converter: BaseConverter) -> Callable[[Any], dict[str, Any]]:
    left_out: dict[str, Any] = dict.fromkeys(_LEFT_OUT_WHERE_NONE.get(kind, ()), override(omit_if_default=True))
    return make_dict_unstructure_fn(kind, converter, **left_out)


def _converter() -> Converter:
    converter = Converter(unstruct_collection_overrides={tuple: list})
    converter.register_structure_hook(str, _read_text)
    converter.register_structure_hook(int, _read_as_it_is)
    converter.register_structure_hook(bool, _read_as_it_is)
    converter.register_structure_hook(datetime, _read_time)
    for words in (Tag, Status, Verdict):  # by name: as kinds of `str` they would be read as text
        converter.register_structure_hook(words, _read_word)
        converter.register_unstructure_hook(words, _write_word)
    converter.register_structure_hook_factory(_is_tuple, _reading_many)
    converter.register_structure_hook_factory(attrs.has, _reading_object)
    converter.register_unstructure_hook(datetime, _write_time)
    converter.register_unstructure_hook_factory(attrs.has, _writing_object)
    return converter


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _first(error: BaseException) -> InvalidData:
    """The first thing wrong, at the place that the notes of the errors around it add up to."""
    field = ""
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            field += f".{note.name}" if isinstance(note, AttributeValidationNote) else ""
            field += f"[{note.index}]" if isinstance(note, IterableValidationNote) else ""
    if not isinstance(error, InvalidData):
        raise error
    return InvalidData(f"{field}.{error.field}".strip("."), error.value, error.allowed)


_CONVERTER: Final = _converter()
