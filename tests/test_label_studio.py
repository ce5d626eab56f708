"""Tasks for Label Studio, its labeling configuration, and what its annotations become."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from xml.etree import ElementTree as ET

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.edge.dataset import exporting, importing, uncertain
from interpreters.edge.dataset.reading import CORRECTIONS, read_examples
from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, Tag, TrainingExample
from tidepool.errors import InvalidData
from tidepool.testing import values
from tidepool.training.judgement import CORRECTED, judged
from tidepool.training.label_studio import LABELING, read_tasks, results, task
from tidepool.training.uncertainty import Opinion
from tidepool.wire import dumps, parse

WHEN: Final = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
LATER: Final = datetime(2026, 3, 9, 22, 16, 8, 728353, tzinfo=UTC)
EXAMPLE: Final = TrainingExample(
    QueryContext("rename `price` to `cost`", (Tag.FUNCTION,)),
    NodeContext("app/pay.py:3", None, "one\ntwo\nprice()\nfour"),
    Rubric(5, 4, 4, "It is called here"),
    WHEN,
    Provenance("shop", labeller="oracle"),
)


def annotated(example: TrainingExample, *annotations: dict[str, Any]) -> dict[str, Any]:
    """A task as Label Studio exports it, with more than what was imported."""
    return {"id": 7, "project": 83, "drafts": [], **task(example), "annotations": list(annotations), "meta": {}}


def annotation(rubric: Rubric = EXAMPLE.rubric, **other: Any) -> dict[str, Any]:
    return {"id": 1001, "completed_by": 10, "was_cancelled": False, "result": results(rubric), **other}


def test_a_task_shows_the_example_and_offers_each_opinion() -> None:
    made = task(EXAMPLE, (Opinion("heuristic", Rubric(3, 2, 2, "It is near")),), 1.25)
    data = {key: value for key, value in made["data"].items() if key != "example"}
    assert data == {
        "query": "rename `price` to `cost`",
        "about": "app/pay.py:3\nFunction",
        "hover": "",
        "snippet": "      1 | one\n      2 | two\n>     3 | price()\n      4 | four",
        "said": "oracle: relevance 5, risk 4, confidence 4: It is called here\n"
        "heuristic: relevance 3, risk 2, confidence 2: It is near",
        "score": 1.25,
    }
    assert [(one["model_version"], one["score"]) for one in made["predictions"]] == [
        ("oracle", 0.8),
        ("heuristic", 0.4),
    ]
    assert made["predictions"][0]["result"] == [
        {"id": "relevance", "from_name": "relevance", "to_name": "node", "type": "rating", "value": {"rating": 5}},
        {"id": "risk", "from_name": "risk", "to_name": "node", "type": "rating", "value": {"rating": 4}},
        {"id": "confidence", "from_name": "confidence", "to_name": "node", "type": "rating", "value": {"rating": 4}},
        {
            "id": "reasoning",
            "from_name": "reasoning",
            "to_name": "node",
            "type": "textarea",
            "value": {"text": ["It is called here"]},
        },
    ]


def test_the_labeling_configuration_has_every_tag_that_tasks_name() -> None:
    root = ET.fromstring(LABELING)
    made = task(EXAMPLE)
    shown = {tag.attrib["value"].removeprefix("$") for tag in root.iter() if tag.get("value", "").startswith("$")}
    assert shown <= made["data"].keys()
    objects = {tag.attrib["name"] for tag in root.iter("Text")}
    controls = {tag.attrib["name"]: tag for tag in root.iter() if "toName" in tag.attrib}
    for result in made["predictions"][0]["result"]:
        control = controls[result["from_name"]]
        assert control.tag.lower() == result["type"]
        assert control.attrib["toName"] == result["to_name"] and result["to_name"] in objects
    assert [name for name, control in controls.items() if control.get("required")] == ["relevance", "risk"]


@given(st.lists(st.tuples(values.examples, values.rubrics), max_size=4))
def test_what_is_annotated_comes_back_as_a_persons_label(pairs: list[tuple[TrainingExample, Rubric]]) -> None:
    exported = [annotated(example, annotation(rubric)) for example, rubric in pairs]
    found = read_tasks(parse(dumps(exported)), LATER)
    assert found.passed_over == 0
    for (example, rubric), back in zip(pairs, found.corrections, strict=True):
        assert (back.query, back.node, back.timestamp) == (example.query, example.node, LATER)
        assert attrs.evolve(back.rubric, reasoning="") == attrs.evolve(rubric, reasoning="")
        assert back.provenance is not None and back.provenance.labeller == "person"


def test_a_prediction_that_is_taken_over_confirms_the_label() -> None:
    exported = task(EXAMPLE)
    taken = {"result": exported["predictions"][0]["result"], "updated_at": "2026-03-09T22:16:08.728353Z"}
    (said,) = read_tasks([{**exported, "annotations": [taken]}], WHEN).corrections
    assert said == judged(EXAMPLE, LATER, relevance=5, risk=4, confidence=4)


def test_a_reason_that_was_left_as_it_was_goes_with_a_label_that_is_corrected() -> None:
    (said,) = read_tasks([annotated(EXAMPLE, annotation(Rubric(1, 1, 5, "It is called here")))], WHEN).corrections
    assert said.rubric == Rubric(1, 1, 5, CORRECTED)
    (said,) = read_tasks([annotated(EXAMPLE, annotation(Rubric(1, 1, 5, "Another price")))], WHEN).corrections
    assert said.rubric == Rubric(1, 1, 5, "Another price")


def test_choices_are_read_as_ratings_are() -> None:
    chosen = [
        {"from_name": "relevance", "to_name": "node", "type": "choices", "value": {"choices": ["2"]}},
        {"from_name": "risk", "to_name": "node", "type": "choices", "value": {"choices": ["1"]}},
        {"from_name": "a control of their own", "to_name": "node", "type": "choices", "value": {"choices": ["red"]}},
    ]
    (said,) = read_tasks([annotated(EXAMPLE, annotation(result=chosen))], WHEN).corrections
    assert said.rubric == Rubric(2, 1, 5, CORRECTED)


def test_the_annotation_that_was_updated_last_wins_and_skipped_ones_do_not_count() -> None:
    said = read_tasks(
        [
            annotated(
                EXAMPLE,
                annotation(Rubric(3, 3, 3, ""), updated_at="2026-03-02T00:00:00Z"),
                annotation(Rubric(2, 2, 2, ""), updated_at="2026-03-01T00:00:00Z"),
                annotation(Rubric(1, 1, 1, ""), updated_at="2026-03-03T00:00:00Z", was_cancelled=True),
            ),
            annotated(EXAMPLE, annotation(was_cancelled=True)),
            annotated(EXAMPLE),
            task(EXAMPLE),
        ],
        WHEN,
    )
    assert [one.rubric.risk for one in said.corrections] == [3]
    assert said.passed_over == 3


def with_result(at: int, **change: Any) -> dict[str, Any]:
    found = results(EXAMPLE.rubric)
    return annotated(EXAMPLE, annotation(result=[*found[:at], {**found[at], **change}, *found[at + 1 :]]))


@pytest.mark.parametrize(
    ("data", "field", "said"),
    [
        ({"tasks": []}, "tasks", "a list"),
        ([3], "tasks[0]", "an object"),
        ([{"id": 1, "relevance": 4}], "tasks[0]", "JSON-MIN has not"),
        ([{"data": []}], "tasks[0].data", "an object"),
        ([{"data": {"text": ""}}], "tasks[0].data", "export the examples anew"),
        ([{"data": {"example": 3}}], "tasks[0].data.example", "the text of an example"),
        ([{"data": {"example": "{"}}], "tasks[0].data.example: JSON text", "JSON"),
        ([{"data": {"example": dumps(EXAMPLE).replace('"risk": 4', '"risk": 9')}}],
         "tasks[0].data.example: rubric.risk", "a whole number from 1 to 5"),
        ([{**task(EXAMPLE), "annotations": {}}], "tasks[0].annotations", "a list"),
        ([annotated(EXAMPLE), annotated(EXAMPLE, annotation(), {})], "tasks[1].annotations[1]", "with result"),
        ([annotated(EXAMPLE, annotation(updated_at="yesterday"))], "tasks[0].annotations[0].updated_at", "a time"),
        ([annotated(EXAMPLE, annotation(result=results(EXAMPLE.rubric)[:1]))], "tasks[0].annotations[0].result",
         "an annotation with the risk: rate it"),
        ([with_result(1, value={"rating": 6})], "tasks[0].annotations[0].result[1].value.rating", "from 1 to 5"),
        ([with_result(1, value={"rating": 4.5})], "tasks[0].annotations[0].result[1].value.rating", "from 1 to 5"),
        ([with_result(1, value={"rating": True})], "tasks[0].annotations[0].result[1].value.rating", "from 1 to 5"),
        ([with_result(1, value={})], "tasks[0].annotations[0].result[1].value.rating", "from 1 to 5"),
        ([with_result(1, value=[])], "tasks[0].annotations[0].result[1].value", "an object"),
        ([with_result(1, type="labels")], "tasks[0].annotations[0].result[1].type", "rating or choices"),
        ([with_result(1, type="textarea")], "tasks[0].annotations[0].result[1].type", "rating or choices"),
        ([with_result(3, type="rating")], "tasks[0].annotations[0].result[3].type", "textarea"),
        ([with_result(3, value={"text": [1]})], "tasks[0].annotations[0].result[3].value.text", "list of texts"),
        ([with_result(0, type="choices", value={"choices": ["1", "2"]})],
         "tasks[0].annotations[0].result[0].value.choices", 'a list of one of "1" to "5"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_where(data: object, field: str, said: str) -> None:
    with pytest.raises(InvalidData) as caught:
        read_tasks(data, WHEN)
    assert caught.value.field == field
    assert said in str(caught.value)


@given(values.plain)
def test_whatever_a_file_holds_is_read_or_refused_with_its_place(data: Any) -> None:
    around = [data], [{"data": data}], [{**task(EXAMPLE), "annotations": [data]}], [with_result(0, value=data)]
    for whole in (data, *around):
        try:
            found = read_tasks(whole, WHEN)
        except InvalidData as error:
            place = error.field
        else:
            place = "tasks" if len(found.corrections) + found.passed_over == len(whole) else "lost"
        assert place.startswith("tasks")


# The commands.


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    other = attrs.evolve(EXAMPLE, rubric=Rubric(1, 1, 5, "Clean"), query=QueryContext("rename `price` to `fee`"))
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    (folder / "train/00000.jsonl").write_text(f"{dumps(EXAMPLE)}\n{dumps(other)}\n")
    return folder


def done(verb: ModuleType, *arguments: object) -> int:
    parser = argparse.ArgumentParser()
    verb.flags(parser)
    code: int = verb.main(parser.parse_args([str(one) for one in arguments]))
    return code


def annotate(file: Path, how: Callable[[int], list[dict[str, Any]]]) -> None:
    """Do what Label Studio does between import and export."""
    tasks = json.loads(file.read_text())
    file.write_text(json.dumps([{"id": at, **one, "annotations": how(at)} for at, one in enumerate(tasks)]))


def test_a_dataset_goes_to_label_studio_and_comes_back_corrected(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tasks.json"
    assert done(exporting, dataset, "--label-studio", file) == 0
    annotate(file, lambda at: [annotation(Rubric(2, 2, 5, "It is near"))] if at else [])
    assert done(importing, file, "--data", dataset) == 0
    assert "1 annotations; 1 tasks have none" in capsys.readouterr().err
    assert [example.rubric.reasoning for _, example in read_examples(dataset)] == ["It is called here", "It is near"]
    before = (dataset / CORRECTIONS).read_text()
    assert done(importing, file, "--data", dataset) == 0
    assert "1 annotations, 1 of them known" in capsys.readouterr().err
    assert (dataset / CORRECTIONS).read_text() == before


def test_a_queue_goes_there_with_what_scorers_said(dataset: Path, tmp_path: Path) -> None:
    queue, file = tmp_path / "queue.jsonl", tmp_path / "tasks.json"
    assert done(uncertain, dataset, "--out", queue) == 0
    assert done(exporting, queue, "--label-studio", file) == 0
    tasks = json.loads(file.read_text())
    assert [one["model_version"] for one in tasks[0]["predictions"]] == ["oracle", "heuristic"]
    assert tasks[0]["data"]["score"] >= tasks[1]["data"]["score"]


def test_the_labeling_configuration_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert done(exporting, "--config") == 0
    assert capsys.readouterr().out == LABELING


def test_an_export_without_annotations_says_so(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert done(exporting, dataset, "--label-studio", tmp_path / "tasks.json") == 0
    assert done(importing, tmp_path / "tasks.json", "--data", dataset) == 3
    assert "holds no annotation: annotate its tasks, and export them again" in capsys.readouterr().err
    assert not (dataset / CORRECTIONS).exists()


def test_one_wrong_task_and_nothing_is_imported(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tasks.json"
    assert done(exporting, dataset, "--label-studio", file) == 0
    annotate(file, lambda at: [{"result": []}] if at else [annotation()])
    assert done(importing, file, "--data", dataset) == 2
    assert f"{file}: tasks[1].annotations[0].result: {{}} is not an annotation with the relevance" in (
        capsys.readouterr().err
    )
    assert not (dataset / CORRECTIONS).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a dataset or a queue, and a file with --label-studio"),
        (["missing.jsonl", "--label-studio", "out.json"], "missing.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_exported_is_said(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert done(exporting, *(tmp_path / one if one.endswith(("jsonl", "json")) else one for one in arguments)) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
