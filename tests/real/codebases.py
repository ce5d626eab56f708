"""Published packages as folders, and the questions asked about them.

python tests/real/codebases.py [FOLDER]     asks every question and prints the first ten answers, to be read
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def questions() -> list[dict[str, Any]]:
    """Every question, with the package it is about."""
    with (HERE / "questions.toml").open("rb") as file:
        listed: list[dict[str, Any]] = tomllib.load(file)["question"]
        return listed


def unpacked(package: str, folder: Path) -> Path:
    """The sources of a package (`name==version`), fetched by name from the configured index and unpacked once."""
    root = folder / package.replace("==", "-")
    if not root.is_dir():
        wheels = folder / "wheels"
        download = (*PIP, "download", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels), package)
        subprocess.run(download, check=True)
        name, _, version = package.partition("==")
        (wheel,) = wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root, [name for name in archive.namelist() if name.endswith((".py", ".pyi"))])
    return root


def ask(question: dict[str, Any], root: Path) -> dict[str, Any]:
    """The answer of the command, as json."""
    # What a checker verifies comes first; these questions are about what the rules put first by themselves.
    command = [sys.executable, "-m", "interpreters.edge.cli", question["text"], "--root", str(root), "--no-verify"]
    command += ["--format", "json"]
    tags = [word for tag in question.get("tags", ()) for word in ("--tag", tag)]
    done = subprocess.run([*command, *tags], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main(folder: Path) -> None:
    """Ask everything and print what is to be read."""
    for number, question in enumerate(questions(), start=1):
        root = unpacked(question["package"], folder)
        answer = ask(question, root)
        print(f"\n## {number}. {question['package']}: {question['text']}\n\n{answer['status']}: {answer['summary']}\n")
        for row, pointer in enumerate(answer["pointers"][:10], start=1):
            path, _, line = pointer["location"].rpartition(":")
            code = (root / path).read_text(errors="replace").split("\n")[int(line) - 1].strip()
            print(f"{row:2}. r{pointer['relevance']} k{pointer['risk']} {pointer['what']} {pointer['location']}")
            print(f"      {code}\n      {pointer['reasoning']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build") / "codebases")
