"""Examples as tasks of Label Studio, and its annotations as a person's labels. Pure.

A task shows an example's fields, holds the example itself, and offers what each labeller said as a prediction, which
an annotator may take over. `LABELING` is the labeling configuration that such tasks need.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from tidepool.domain import Rubric, TrainingExample
from tidepool.errors import InvalidData
from tidepool.training.judgement import CERTAIN, judged, marked
from tidepool.training.uncertainty import LABEL, Opinion, worded
from tidepool.wire import dumps, from_wire, loads

LABELING: Final = """\
<View>
  <Header value="$query"/>
  <Text name="about" value="$about"/>
  <Text name="hover" value="$hover"/>
  <Text name="node" value="$snippet"/>
  <Text name="said" value="$said"/>
  <Header size="5" value="Relevance: 5 critical to the query, 4 highly, 3 moderately, 2 tangentially, 1 barely"/>
  <Rating name="relevance" toName="node" maxRating="5" required="true" requiredMessage="Rate the relevance"/>
  <Header size="5" value="Risk: 5 breaking change, 4 major refactoring, 3 minor changes, 2 maybe an update, 1 none"/>
  <Rating name="risk" toName="node" maxRating="5" icon="fire" required="true" requiredMessage="Rate the risk"/>
  <Header size="5" value="Confidence: 5 certain, 1 a guess (left out: certain)"/>
  <Rating name="confidence" toName="node" maxRating="5"/>
  <TextArea name="reasoning" toName="node" rows="2" maxSubmissions="1" placeholder="One sentence that says why"/>
</View>
"""
"""The labeling configuration of a project."""

NODE: Final = "node"
"""The object tag that every control of `LABELING` is about."""

DIGITS: Final = ("relevance", "risk", "confidence")
REASONING: Final = "reasoning"


@attrs.frozen
class Annotated:
    """What a file of annotated tasks holds.

    Attributes:
        corrections: the annotated examples, in the order of their tasks.
        passed_over: how many tasks have no annotation, or only ones that were skipped.
    """

    corrections: tuple[TrainingExample, ...]
    passed_over: int


def task(example: TrainingExample, opinions: Sequence[Opinion] = (), score: float | None = None) -> dict[str, Any]:
    """A task, as plain data.

    Args:
        opinions: what scorers say besides the label; each becomes a prediction.
        score: how much a person's look is worth; None where nobody knows.
    """
    query, node = example.query, example.node
    labeller = example.provenance.labeller if example.provenance else None
    said = [Opinion(labeller or LABEL, example.rubric), *(one for one in opinions if one.scorer != LABEL)]
    shown = {
        "query": query.query,
        "about": f"{node.location}\n{', '.join(query.tags)}".rstrip(),
        "hover": node.hover or "",
        "snippet": marked(example.node),
        "said": "\n".join(map(worded, said)),
    }
    worth = {} if score is None else {"score": score}
    return {
        "data": {key: _storable(text) for key, text in shown.items()} | {"example": dumps(example)} | worth,
        "predictions": [_prediction(one) for one in said],
    }


def _storable(text: str) -> str:
    """A text that a database can hold; what is read back is not this one."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _prediction(one: Opinion) -> dict[str, Any]:
    return {"model_version": one.scorer, "score": one.rubric.confidence / 5, "result": results(one.rubric)}


def results(rubric: Rubric) -> list[dict[str, Any]]:
    """A rubric as the results of a prediction or an annotation."""
    digits = [_result(name, "rating", {"rating": getattr(rubric, name)}) for name in DIGITS]
    words = [_result(REASONING, "textarea", {"text": [_storable(rubric.reasoning)]})] if rubric.reasoning else []
    return digits + words


def _result(name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": NODE, "type": kind, "value": value}


# Back from there.


def read_tasks(data: object, when: datetime) -> Annotated:
    """The annotations of tasks, as Label Studio exports them in its format JSON.

    Of several annotations of a task, the one that was updated last wins, and of those that do not say, the last.

    Args:
        when: they were made, where an annotation does not say.

    Raises:
        InvalidData: it is something else; the field says where.
    """
    corrections = []
    tasks = _list("tasks", data)
    for place, one in enumerate(tasks):
        corrections += list(_correction(f"tasks[{place}]", one, when))
    return Annotated(tuple(corrections), len(tasks) - len(corrections))


def _correction(place: str, one: object, when: datetime) -> Iterator[TrainingExample]:
    """The example of a task as its annotation has it; none where nobody annotated it."""
    whole = _object(place, one)
    held = _object(
        f"{place}.data", _part(place, whole, "data", "the export of the format JSON has it, JSON-MIN has not")
    )
    example = _example(f"{place}.data.example", _part(f"{place}.data", held, "example", "export the examples anew"))
    found = _list(f"{place}.annotations", whole.get("annotations", []))
    said = []
    for number, annotation in enumerate(found):
        where = f"{place}.annotations[{number}]"
        if not _object(where, annotation).get("was_cancelled"):
            said.append((_time(where, annotation, when), number, where, annotation))
    if said:
        at, _, where, annotation = max(said, key=lambda entry: entry[:2])
        yield _judged(where, annotation, example, at)


def _example(field: str, text: object) -> TrainingExample:
    if not isinstance(text, str):
        raise InvalidData(field, text, "the text of an example")
    try:
        return loads(TrainingExample, text)
    except InvalidData as error:
        raise InvalidData(f"{field}: {error.field}", error.value, error.allowed) from None


def _time(place: str, annotation: Mapping[str, Any], when: datetime) -> datetime:
    for name in ("updated_at", "created_at"):
        if annotation.get(name) is not None:
            return from_wire(datetime, annotation[name], field=f"{place}.{name}")
    return when


def _judged(place: str, annotation: Mapping[str, Any], example: TrainingExample, when: datetime) -> TrainingExample:
    given: dict[str, Any] = {}
    for number, one in enumerate(_list(f"{place}.result", _part(place, annotation, "result", "annotate it anew"))):
        where = f"{place}.result[{number}]"
        result = _object(where, one)
        name = result.get("from_name")
        if name in (*DIGITS, REASONING):
            kind = _part(where, result, "type", "annotate it anew")
            given[name] = _value(
                where, name, kind, _object(f"{where}.value", _part(where, result, "value", "annotate it"))
            )
    for name in ("relevance", "risk"):
        if name not in given:
            raise InvalidData(f"{place}.result", given, f"an annotation with the {name}: rate it, or skip the task")
    own = given.get(REASONING, "")
    return judged(
        example,
        when,
        relevance=given["relevance"],
        risk=given["risk"],
        confidence=given.get("confidence", CERTAIN),
        reasoning="" if own == _storable(example.rubric.reasoning).strip() else own,
    )


def _value(where: str, name: str, kind: object, value: Mapping[str, Any]) -> int | str:
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None or (kind == "textarea") != (name == REASONING):
        expected = "textarea" if name == REASONING else "rating or choices"
        raise InvalidData(f"{where}.type", kind, f"what {name} is given by: {expected}")
    return reader(f"{where}.value.{_KEYS[str(kind)]}", value.get(_KEYS[str(kind)]))


def _rating(field: str, value: object) -> int:
    if type(value) is not int or not 1 <= value <= CERTAIN:
        raise InvalidData(field, value, "a whole number from 1 to 5")
    return value


def _choice(field: str, value: object) -> int:
    if not (isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and _CHOICE.fullmatch(value[0])):
        raise InvalidData(field, value, 'a list of one of "1" to "5"')
    return int(value[0])


def _text(field: str, value: object) -> str:
    parts = [value] if isinstance(value, str) else value
    if not (isinstance(parts, list) and all(isinstance(part, str) for part in parts)):
        raise InvalidData(field, value, "text, or a list of texts")
    return "\n".join(parts).strip()


_CHOICE: Final = re.compile("[1-5]")
_KEYS: Final[Mapping[str, str]] = {"rating": "rating", "choices": "choices", "textarea": "text"}
_READERS: Final[Mapping[str, Callable[[str, object], int | str]]] = {
    "rating": _rating,
    "choices": _choice,
    "textarea": _text,
}


def _object(field: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidData(field, value, "an object")
    return value


def _list(field: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidData(field, value, "a list")
    return value


def _part(place: str, whole: Mapping[str, Any], name: str, how_to_mend: str) -> Any:
    if name not in whole:
        raise InvalidData(place, dict(whole), f"an object with {name}: {how_to_mend}")
    return whole[name]
