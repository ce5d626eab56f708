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
from functools import partial
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import AttributeValidationNote, BaseConverter, BaseValidationError, Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from tidepool.domain import (
    NodeContext,
    Provenance,
    QueryContext,
    ScoutQuery,
    ScoutResponse,
    TrainingExample,
    a_kind_of,
)
from tidepool.errors import InvalidData

T = TypeVar("T")

# What an object may lack, beside the keys that are left out where they are None.
_OPTIONAL: Final[Mapping[type, frozenset[str]]] = {
    ScoutQuery: frozenset({"tags", "budget_nodes", "keep_examples", "verify"}),
}
_LEFT_OUT_WHERE_NONE: Final[Mapping[type, frozenset[str]]] = {
    Provenance: frozenset(field.name for field in attrs.fields(Provenance)),
    TrainingExample: frozenset({"provenance"}),
    ScoutResponse: frozenset({"training_examples", "reached"}),
}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_READABLE: Final = frozenset({Any, NoneType, bool, int, float, str, datetime})
_PLAIN: Final = frozenset({str, int, bool, str | None})
"""The types of fields that are read as they stand where the class checks them itself: it has more to say."""


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Final = _Missing()
"""The `value` of an `InvalidData` where nothing stands."""


def to_wire(value: object) -> Any:
    """Plain data, as JSON has it: an object for a domain value, a list for several."""
    return _CONVERTER.unstructure(value)


def from_wire(kind: type[T], data: object, *, field: str = "", any_text: bool = False) -> T:
    """The value that plain data stands for.

    Args:
        kind: a class of the domain, or any type of `is_readable`.
        field: where the data stands, for the error.
        any_text: whether text may hold what UTF-8 cannot encode, as code does that no scorer is to be sent.

    Raises:
        InvalidData: it stands for none.
    """
    try:
        value: T = (_ANY_TEXT if any_text else _CONVERTER).structure(data, kind)
    except (BaseValidationError, InvalidData) as error:
        wrong = _within(field, error)
        raise InvalidData(wrong.field or _in_words(kind), wrong.value, wrong.allowed) from None
    return value


def is_readable(kind: Any) -> bool:
    """Whether values of a type can be read.

    They can be None, `bool`, `int`, `float`, `str`, `datetime`, a `StrEnum`, an attrs class, a `NamedTuple`, a tuple or
    a list of such, a dictionary of them by text, one of them or None, and plain data as `Any`.
    """
    try:
        return _is_readable(kind)
    except (NameError, RecursionError):  # an annotation that names nothing, or a type that holds itself
        return False


def dumps(value: object, *, indent: int | None = None) -> str:
    """JSON text of a domain value, of several, or of plain data; it can always be written as UTF-8.

    Raises:
        InvalidData: it holds a number that JSON has none for.
    """
    try:
        text = (_ENCODER if indent is None else _encoder(indent)).encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidData("JSON text", value, f"what JSON can say: {error}") from None
    return text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate as the escape that JSON has for it


def _to_plain(value: object) -> Any:
    """What JSON has no word for, in its words; plain data is never asked about."""
    plain = to_wire(value)
    if plain is value:
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return plain


def _encoder(indent: int | None = None) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=indent, default=_to_plain)


_ENCODER: Final = _encoder()


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
    whole = read_object(data, _QUERY + _NODE, "a score request")
    query = {name: whole[name] for name in _QUERY}
    node = {name: whole[name] for name in _NODE}
    return from_wire(QueryContext, query), from_wire(NodeContext, node)


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind))


_QUERY: Final = _names(QueryContext)
_NODE: Final = _names(NodeContext)


def read_object(data: object, known: Sequence[str], what: str = "") -> dict[str, Any]:
    """An object's entries by key; a key it lacks is `MISSING`.

    Raises:
        InvalidData: it is no object, or has a key that is not known.
    """
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


def _left_to_its_class(data: Any, _: object) -> Any:
    return data


def _encodable(data: Any, _: object) -> Any:
    if isinstance(data, str) and _LONE_SURROGATE.search(data):
        raise InvalidData("", data, "text that UTF-8 can encode: it has a lone surrogate")
    return data


def _reading_exactly(kind: type, allowed: str) -> Callable[[Any, Any], Any]:
    def read(data: Any, _: object) -> Any:
        if type(data) is not kind:
            raise InvalidData("", data, allowed)
        return data

    return read


def _read_text(data: Any, _: object) -> Any:
    if not isinstance(data, str):
        raise InvalidData("", data, "text")
    return data


def _read_encodable_text(data: Any, _: object) -> Any:
    return _encodable(_read_text(data, _), _)


def _read_number(data: Any, _: object) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise InvalidData("", data, "a number")
    with suppress(OverflowError):
        if isfinite(number := float(data)):
            return number
    raise InvalidData("", data, "a number of a size that can be kept")


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
    origin, (member, *_) = get_origin(kind), get_args(kind)
    hook = converter.get_structure_hook(member)

    def read(data: Any, _: object) -> Any:
        if not isinstance(data, list):
            raise InvalidData("", data, f"a list, each {_in_words(member)}")
        members: list[Any] = []
        try:
            for value in data:
                members.append(hook(value, member))  # noqa: PERF401 - how far it came is where the error is
        except (InvalidData, BaseValidationError) as error:
            raise _within(f"[{len(members)}]", error) from None
        return members if origin is list else tuple(members)

    return read


def _reading_row(kind: Any, converter: BaseConverter) -> Callable[[Any, Any], Any]:
    """Read a tuple whose parts are of types of their own, with names or without."""
    named = _is_named_tuple(kind)
    types = [*get_type_hints(kind).values()] if named else [*get_args(kind)]
    names = kind._fields if named else [f"[{place}]" for place in range(len(types))]
    build = kind._make if named else tuple
    hooks = [converter.get_structure_hook(part) for part in types]
    allowed = f"a list of {', '.join(names) if named else len(names)}"

    def read(data: Any, _: object) -> Any:
        if not isinstance(data, list) or len(data) != len(hooks):
            raise InvalidData("", data, allowed)
        parts = []
        for name, part, hook, value in zip(names, types, hooks, data, strict=True):
            try:
                parts.append(hook(value, part))
            except (InvalidData, BaseValidationError) as error:
                raise _within(name, error) from None
        return build(parts)

    return read


def _reading_table(kind: Any, converter: BaseConverter) -> Callable[[Any, Any], Any]:
    _, member = get_args(kind)
    hook = converter.get_structure_hook(member)

    def read(data: Any, _: object) -> Any:
        if not isinstance(data, dict):
            raise InvalidData("", data, f"an object, each of its values {_in_words(member)}")
        table = {}
        for key, value in data.items():
            try:
                table[key] = hook(value, member)
            except (InvalidData, BaseValidationError) as error:
                raise _within(repr(key[:80]), error) from None
        return table

    return read


def _writing_row(kind: Any, converter: BaseConverter) -> Callable[[Any], list[Any]]:
    if _PLAIN.issuperset(get_type_hints(kind).values()):
        return list
    return lambda row: [converter.unstructure(part) for part in row]


def _reading_object(
    kind: type[Any], converter: BaseConverter, left: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], Any]:
    attrs.resolve_types(kind)
    checked = [field.name for field in attrs.fields(kind) if field.validator is not None and field.type in _PLAIN]
    as_they_stand: dict[str, Any] = dict.fromkeys(checked, override(struct_hook=left))
    build = make_dict_structure_fn(kind, converter, **as_they_stand)
    known, all_of_them = _names(kind), frozenset(_names(kind))
    optional = _OPTIONAL.get(kind, frozenset()) | _LEFT_OUT_WHERE_NONE.get(kind, frozenset())

    def read(data: Any, _: object) -> Any:
        if type(data) is dict and data.keys() == all_of_them:  # the usual case, at half the time
            return build(data, kind)
        whole = read_object(data, known)
        return build({key: whole[key] for key in known if not (whole[key] is MISSING and key in optional)}, kind)

    return read


def _writing_object(kind: type[Any], converter: BaseConverter) -> Callable[[Any], dict[str, Any]]:
    left_out: dict[str, Any] = dict.fromkeys(_LEFT_OUT_WHERE_NONE.get(kind, ()), override(omit_if_default=True))
    return make_dict_unstructure_fn(kind, converter, **left_out)


def _converter(read_text: Callable[[Any, Any], Any], left: Callable[[Any, Any], Any]) -> Converter:
    converter = Converter(unstruct_collection_overrides={tuple: list})
    converter.register_structure_hook(str, read_text)
    converter.register_structure_hook(int, _reading_exactly(int, "a whole number"))
    converter.register_structure_hook(bool, _reading_exactly(bool, "true or false"))
    converter.register_structure_hook(NoneType, _reading_exactly(NoneType, "null"))
    converter.register_structure_hook(float, _read_number)
    converter.register_structure_hook(datetime, _read_time)
    converter.register_structure_hook(StrEnum, _read_word)
    converter.register_structure_hook_factory(_is_many, _reading_many)
    converter.register_structure_hook_factory(_is_row, _reading_row)
    converter.register_structure_hook_factory(_is_table, _reading_table)
    converter.register_structure_hook_factory(attrs.has, partial(_reading_object, left=left))
    converter.register_unstructure_hook(StrEnum, _write_word)
    converter.register_unstructure_hook(datetime, _write_time)
    converter.register_unstructure_hook_factory(_is_named_tuple, _writing_row)
    converter.register_unstructure_hook_factory(attrs.has, _writing_object)
    return converter


def _is_many(kind: Any) -> bool:
    origin, members = get_origin(kind), get_args(kind)
    return (origin is tuple and members[1:] == (...,)) or (origin is list and len(members) == 1)


def _is_row(kind: Any) -> bool:
    return _is_named_tuple(kind) or (get_origin(kind) is tuple and ... not in get_args(kind))


def _is_named_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _is_table(kind: Any) -> bool:
    return get_origin(kind) is dict and get_args(kind)[:1] == (str,)


def _is_readable(kind: Any) -> bool:
    parts = get_args(kind)
    if _is_named_tuple(kind):
        return all(map(_is_readable, get_type_hints(kind).values()))
    if isinstance(kind, type) and attrs.has(kind):
        return all(_is_readable(field.type) for field in attrs.fields(attrs.resolve_types(kind)))
    if _is_many(kind):
        return _is_readable(parts[0])
    if _is_row(kind) or _is_table(kind) or (get_origin(kind) in (Union, UnionType) and len({*parts} - {NoneType}) == 1):
        return all(map(_is_readable, parts))
    return kind in _READABLE or (isinstance(kind, type) and issubclass(kind, StrEnum))


def _in_words(kind: Any) -> str:
    return a_kind_of(kind) if isinstance(kind, type) else str(kind)


def _first(error: BaseException) -> InvalidData:
    """The first thing wrong, at the place that the notes of the errors around it add up to."""
    field = ""
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            field += f".{note.name}" if isinstance(note, AttributeValidationNote) else ""
    return _within(field, error)


def _within(field: str, error: BaseException) -> InvalidData:
    """What is wrong, of something that stands inside something else."""
    if isinstance(error, BaseValidationError):
        error = _first(error)
    if not isinstance(error, InvalidData):
        raise error
    dot = "" if error.field.startswith("[") else "."
    return InvalidData(f"{field}{dot}{error.field}".strip("."), error.value, error.allowed)


_CONVERTER: Final = _converter(_read_encodable_text, _encodable)
_ANY_TEXT: Final = _converter(_read_text, _left_to_its_class)
