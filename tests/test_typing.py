"""What type checkers reject, and what they accept, of the examples in `typing/`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
EXAMPLES: Final = Path(__file__).parent / "typing"
PYTHON: Final = sys.executable
CHECKERS: Final[dict[str, list[str]]] = {
    "mypy": [PYTHON, "-m", "mypy", "--strict", "--config-file=", "--explicit-package-bases",
             "--cache-dir=.mypy_cache/typing", str(EXAMPLES)],
    "pyright": [PYTHON, "-m", "pyright", "--project", str(EXAMPLES), "--pythonpath", PYTHON],
    "ty": [str(Path(PYTHON).with_name("ty")), "check", "--project", str(EXAMPLES), "--python", sys.prefix,
           "--output-format=concise"],
}  # fmt: skip
REPORTED: Final = re.compile(r"(\w+\.py):(\d+):[\d:]*[ -]*(?:error|warning)")


def marked() -> set[tuple[str, int]]:
    """The lines that every checker is to reject."""
    return {
        (file.name, number)
        for file in EXAMPLES.glob("*.py")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith("# rejected")
    }


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_rejects_the_marked_lines_and_no_other(checker: str) -> None:
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # pyright would ask for a newer version
    checked = subprocess.run(
        CHECKERS[checker], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=100, check=False
    )
    rejected = {(file, int(line)) for file, line in REPORTED.findall(checked.stdout)}
    assert rejected == marked(), checked.stdout + checked.stderr
    assert checked.returncode == 1


def test_there_are_examples_of_both() -> None:
    assert {file for file, _ in marked()} == {file.name for file in EXAMPLES.glob("*.py")}
