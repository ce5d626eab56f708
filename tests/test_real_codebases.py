"""Questions about published packages: `make slow`. What must be found stands in `real/questions.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.real.codebases import ask, questions, unpacked


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("codebases")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("question", questions(), ids=lambda question: question["text"])
def test_a_question_about_a_published_package(question: dict[str, Any], packages: Path) -> None:
    answer = ask(question, unpacked(question["package"], packages))
    assert answer["status"] in {"complete", "partial"}, answer["summary"]
    assert "could not be looked at" not in answer["summary"]
    first_ten = [pointer["what"].partition(" (also")[0] for pointer in answer["pointers"][:10]]
    assert set(question.get("finds", ())) <= set(first_ten)
    assert not set(question.get("never", ())) & set(first_ten)
