"""The project as it is cloned, built and installed."""

from __future__ import annotations

import email
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("tidepool", "interpreters")
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Written so that this file names none of them.
REGISTRY: Final = re.compile(r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|anaconda|crates)\.(?:org|com|io)\b")
MACHINE_PATH: Final = re.compile(r"(?<![\w.~])/(?:home|root|Users|work|tmp/dev)/\w")


def output_of(*command: str | Path, cwd: Path = ROOT, status: int = 0) -> str:
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == status, f"{command} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def python(code: str, cwd: Path = ROOT) -> str:
    return output_of(sys.executable, "-c", code, cwd=cwd)


def repository_files() -> list[Path]:
    """What git tracks, or would if it were added."""
    listed = output_of("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def shipped_files() -> set[str]:
    """Every file of the packages, as the repository holds them."""
    names = (path.relative_to(ROOT) for path in repository_files())
    return {str(name) for name in names if name.parts[0] in PACKAGES}


# What imports what.

LINT_IMPORTS: Final = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"


def test_the_import_contracts_hold() -> None:
    assert "0 broken" in python(LINT_IMPORTS)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("tidepool/domain.py", "import interpreters"),
        ("tidepool/effects/lsp.py", "import pygls"),
        ("tidepool/tape.py", "import asyncio"),
        ("tidepool/change.py", "import logging"),
        ("tidepool/domain.py", "import tidepool.change"),
        ("tidepool/effects/clock.py", "import tidepool.effects.gemma"),
        ("tidepool/errors.py", "import tidepool.domain"),
    ],
)
def test_the_import_contracts_refuse(module: str, line: str, tmp_path: Path) -> None:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    assert "BROKEN" in output_of(sys.executable, "-c", LINT_IMPORTS, cwd=tmp_path, status=1)


TIDEPOOL_ALONE: Final = """
import importlib, json, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"interpreters", "httpx", "lsprotocol", "pygls", "rich", "tenacity"}:
            raise ImportError(f"{name} is not for tidepool")

sys.meta_path.insert(0, Refuse())
import tidepool
names = [module.name for module in pkgutil.walk_packages(tidepool.__path__, "tidepool.")]
for name in names:
    importlib.import_module(name)
print(json.dumps(["tidepool", *names]))
"""


def test_every_module_of_tidepool_imports_where_no_interpreter_can_be() -> None:
    imported = json.loads(python(TIDEPOOL_ALONE))
    files = (Path(name) for name in shipped_files() if name.startswith("tidepool/") and name.endswith(".py"))
    assert sorted(imported) == sorted(".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files)


HELP: Final = """
import io, json, sys
from contextlib import redirect_stdout
from interpreters.edge.cli import main

with redirect_stdout(io.StringIO()) as shown:
    try:
        status = main(["--help"])
    except SystemExit as stop:
        status = stop.code
print(json.dumps([status, shown.getvalue(), sorted(sys.modules)]))
"""


def test_help_imports_nothing_heavy() -> None:
    status, shown, imported = json.loads(python(HELP))
    assert not status
    assert "semantic-scout" in shown
    heavy = {"asyncio", "cattrs", "httpx", "lsprotocol", "pygls", "returns", "rich", "tenacity"}
    assert heavy & set(imported) == set()


# What is built.


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    output_of(sys.executable, "-m", "hatchling", "build", "--directory", folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_both_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == shipped_files()
    assert {"tidepool/py.typed", "interpreters/py.typed"} <= names
    parts = ["METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"]
    assert sorted(name.partition(".dist-info/")[2] for name in about) == parts


def test_the_wheel_says_what_it_is_and_needs(wheel: Path) -> None:
    said = metadata(wheel)
    assert wheel.name == f"semantic_scout-{said['Version']}-py3-none-any.whl"
    assert (said["Name"], said["License-Expression"], said["Requires-Python"]) == ("semantic-scout", "MIT", ">=3.11")
    required = [Requirement(line) for line in said.get_all("Requires-Dist", [])]
    needs = {canonicalize_name(it.name) for it in required if it.marker is None or it.marker.evaluate({"extra": ""})}
    assert needs == {canonicalize_name(Requirement(line).name) for line in PROJECT["project"]["dependencies"]}
    with zipfile.ZipFile(wheel) as archive:
        commands = archive.read(f"semantic_scout-{said['Version']}.dist-info/entry_points.txt").decode()
    assert "semantic-scout = interpreters.edge.cli:main" in commands


def test_the_unpacked_wheel_imports_and_answers_help(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    first = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    where = python(f"{first}import tidepool, interpreters\nprint(tidepool.__file__, interpreters.__file__)", tmp_path)
    assert where.split() == [str(tmp_path / name / "__init__.py") for name in PACKAGES]
    assert json.loads(python(first + HELP, tmp_path))[1].startswith("usage: semantic-scout")


def test_a_wheel_can_be_built_from_the_source_archive(built: Path, wheel: Path, tmp_path: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # the first releases of 3.11 have none
        archive.extractall(tmp_path)
    (unpacked,) = tmp_path.iterdir()
    assert {"LICENSE", "README.md", "Makefile", "requirements", "tests"} <= {path.name for path in unpacked.iterdir()}
    output_of(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path, cwd=unpacked)
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(tmp_path / wheel.name) as theirs:
        assert theirs.namelist() == ours.namelist()


# What is pinned.


def pinned(lock: str) -> dict[str, str]:
    """The version of each distribution a lock names; every one of its entries must have an exact one, and hashes."""
    entries = (ROOT / "requirements" / lock).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    versions: dict[str, str] = {}
    for entry in entries:
        said = re.fullmatch(r"([\w.-]+)==([\w.]+)(?: ; [^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+", entry)
        assert said is not None, f"{lock}: {entry[:80]}"
        versions[canonicalize_name(said[1])] = said[2]
    return versions


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("run.lock", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["run"]),
        ("dev.lock", [line for line in PROJECT["dependency-groups"]["dev"] if isinstance(line, str)]),
    ],
)
def test_a_lock_pins_all_that_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    versions = pinned(lock)
    for needed in map(Requirement, wanted):
        assert needed.specifier.contains(versions[canonicalize_name(needed.name)]), f"run `make lock`: {needed}"


def test_the_checks_run_with_the_versions_that_users_of_a_clone_get() -> None:
    assert pinned("run.lock").items() <= pinned("dev.lock").items()


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[([\d.]+)\]", changelog, flags=re.MULTILINE)
    assert versions[0] == PROJECT["project"]["version"]


# What is kept in the repository.


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    found = []
    for path in repository_files():
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1):
            if REGISTRY.search(line) or MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_no_file_is_larger_than_a_megabyte() -> None:
    assert [path.name for path in repository_files() if path.stat().st_size > 1_000_000] == []
