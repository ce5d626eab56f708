"""`tidepool dataset build`: what it is told, where its codebases come from, and that no end of it loses anything."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from interpreters.edge.dataset import journal
from interpreters.edge.dataset.archives import unpack
from interpreters.edge.dataset.cli import VERBS
from interpreters.edge.dataset.journal import Event, Line
from interpreters.edge.dataset.origin import licence_of, origin_of
from interpreters.edge.dataset.spec import read_spec
from tests.test_cases import SHOP
from tidepool.candidates import Sources
from tidepool.errors import ConfigError

TIDEPOOL = str(Path(sys.executable).with_name("tidepool"))
BANK = {path.replace("shop", "bank"): text.replace("shop", "bank") for path, text in SHOP.items()}
MILL = {path.replace("shop", "mill"): text.replace("shop", "mill") for path, text in SHOP.items()}


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def distinct(files: dict[str, str], mark: str) -> dict[str, str]:
    """The files with other names in them, so that they are no near duplicates of the ones they were made from."""
    words = ("Order", "Status", "Store", "total", "amount", "label", "describe", "number", "rate", "load", "Amount")
    for word in words:
        files = {path: text.replace(word, f"{word}{mark}") for path, text in files.items()}
    return files


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spec")
    lay_out(folder / "shop", SHOP)
    lay_out(folder / "bank", distinct(BANK, "Cell"))
    with tarfile.open(folder / "mill.tar.gz", "w:gz") as archive:
        archive.add(lay_out(folder / "unpacked", distinct(MILL, "Grain")), "mill")
    file = folder / "spec.toml"
    file.write_text(
        """\
        examples = 120
        labels = "mixed"
        seed = 3

        [[codebase]]
        path = "shop"
        licence = "MIT"
        program = "library"

        [[codebase]]
        path = "bank"

        [[codebase]]
        archive = "mill.tar.gz"
        """,
        encoding="utf-8",
    )
    return file


def build(spec: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = (TIDEPOOL, "dataset", "build", str(spec), "--out", str(out))
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def contents(out: Path) -> dict[str, list[dict[str, Any]]]:
    """A set's examples by shard, apart from when they were made."""
    shards = {file.relative_to(out).as_posix(): file for file in sorted(out.rglob("*.jsonl"))}
    examples = {name: map(json.loads, file.read_text(encoding="utf-8").splitlines()) for name, file in shards.items()}
    return {name: [{**one, "timestamp": ""} for one in lines] for name, lines in examples.items()}


@pytest.fixture(scope="module")
def whole(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "data"
    ran = build(spec, out)
    assert ran.returncode == 0, ran.stderr
    assert f"120 examples in {out}" in ran.stderr
    return out


def test_a_set_is_split_by_codebase_and_says_what_it_is_made_of(whole: Path) -> None:
    card = json.loads((whole / "card.json").read_text(encoding="utf-8"))
    split_of = {
        one["provenance"]["codebase"]: name.partition("/")[0] for name, of in contents(whole).items() for one in of
    }
    assert sorted(split_of) == ["bank", "mill", "shop"]
    assert sorted(split_of.values()) == ["test", "train", "validation"]
    assert card["examples"] == 120
    text = (whole / "README.md").read_text(encoding="utf-8")
    assert "| MIT | " in text
    assert "seed = 3" in text
    assert "## The rules and the compiler" in text


def test_what_a_build_worked_in_is_gone_afterwards(whole: Path) -> None:
    assert [file.name for file in whole.parent.iterdir()] == ["data"]


def test_a_finished_set_is_checked(whole: Path) -> None:
    ran = subprocess.run((TIDEPOOL, "dataset", "check", str(whole)), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, ran.stderr)


def killed_at_random(spec: Path, out: Path, kills: int, seed: int) -> None:
    """Start the build again and again, and kill it at random moments; then let it come to its end."""
    dice = random.Random(seed)
    for _ in range(kills):
        command = (TIDEPOOL, "dataset", "build", str(spec), "--out", str(out))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(timeout=dice.uniform(0.2, 3.0))
            running.kill()
    ran = build(spec, out)
    assert ran.returncode == 0, ran.stderr


def servers() -> list[int]:
    """The language servers that belong to no process any more."""
    return [
        one.pid for one in psutil.process_iter(["name", "ppid"]) if one.info["name"] == "ty" and one.info["ppid"] == 1
    ]


def test_a_build_that_is_killed_comes_to_the_same_set(spec: Path, whole: Path, tmp_path: Path) -> None:
    killed_at_random(spec, tmp_path / "data", kills=4, seed=1)
    assert contents(tmp_path / "data") == contents(whole)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_change_nothing_and_leave_no_server_behind(spec: Path, whole: Path, tmp_path: Path) -> None:
    before = servers()
    killed_at_random(spec, tmp_path / "data", kills=20, seed=2)
    assert contents(tmp_path / "data") == contents(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    time.sleep(5)
    assert servers() == before


def test_two_builds_of_one_set_do_not_meet(spec: Path, tmp_path: Path) -> None:
    command = (TIDEPOOL, "dataset", "build", str(spec), "--out", str(tmp_path / "data"))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        work = tmp_path / "data.work"
        while not (work / "lock").exists():
            time.sleep(0.01)
        time.sleep(0.1)
        ran = build(spec, tmp_path / "data")
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 143
    assert ran.returncode == 2
    assert "is being built by another process" in ran.stderr


def test_a_build_of_something_else_is_not_gone_on_with(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    command = (TIDEPOOL, "dataset", "build", str(spec), "--out", str(out))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while not (tmp_path / "data.work" / "plan.json").exists():
            time.sleep(0.01)
        running.kill()
    other = spec.with_name("other.toml")
    other.write_text(spec.read_text(encoding="utf-8").replace("seed = 3", "seed = 4"), encoding="utf-8")
    ran = build(other, out)
    assert ran.returncode == 2
    assert "holds a part of another build" in ran.stderr


def test_a_line_that_was_cut_off_is_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "0.jsonl"
    with journal.opened(file) as written:
        written.write(Line(Event.EXHAUSTED, "Function"))
    with file.open("ab") as torn:
        torn.write(b'{"event": "asked", "stra')
    assert [line.event for line in journal.read(file)] == [Event.EXHAUSTED]
    with journal.opened(file) as written:
        written.write(Line(Event.DONE))
    assert [line.event for line in journal.read(file)] == [Event.EXHAUSTED, Event.DONE]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "codebase: "),
        ("examples = 0\n[[codebase]]\npath = 'a'", "examples"),
        ("labels = 'guess'\n[[codebase]]\npath = 'a'", "labels"),
        ("exampels = 3\n[[codebase]]\npath = 'a'", "did you mean examples?"),
        ("[[codebase]]\npath = 'a'\ngit = 'b'", "one of path, git and archive"),
        ("[[codebase]]\npath = 'a'\nsplit = 'all'", "codebase[0].split"),
        ("[[codebase]]\npath = 'a/x'\n[[codebase]]\npath = 'b/x'", "two codebases are called x"),
        ("[[codebase]]\npath = 'a'\nname = '../a'", "is no name for a codebase"),
        ("test = 0.6\nvalidation = 0.4\n[[codebase]]\npath = 'a'", "below 1 together"),
        ("examples = [", "is no TOML"),
    ],
)
def test_what_is_wrong_in_a_specification_is_told(tmp_path: Path, text: str, wrong: str) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        read_spec(file)
    assert wrong in str(raised.value)


def test_paths_are_relative_to_the_specification_and_names_come_from_them(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text("[[codebase]]\npath = 'shop'\n[[codebase]]\narchive = 'x/till-1.0.tar.gz'\n", encoding="utf-8")
    shop, till = read_spec(file).codebase
    assert (shop.path, shop.name) == (str(tmp_path / "shop"), "shop")
    assert (till.archive, till.name) == (str(tmp_path / "x" / "till-1.0.tar.gz"), "till-1.0")


@pytest.mark.parametrize("name", ["../out.py", "/etc/out.py", "a/../../out.py", "C:\\out.py"])
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_nothing_is_unpacked_beside_the_folder(tmp_path: Path, form: str, name: str) -> None:
    archive = tmp_path / f"bad.{form}"
    if form == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr(name, "x = 1\n")
            packed.writestr("good.py", "x = 1\n")
    else:
        with tarfile.open(archive, "w") as taped:
            for each in (name, "good.py"):
                member = tarfile.TarInfo(each)
                member.size = 6
                taped.addfile(member, io.BytesIO(b"x = 1\n"))
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    unpack(archive, folder)
    assert [file.relative_to(tmp_path).as_posix() for file in sorted(tmp_path.rglob("*.py"))] == ["in/here/good.py"]


def test_links_in_an_archive_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "links.tar", "w") as taped:
        link = tarfile.TarInfo("link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        taped.addfile(link)
    (tmp_path / "here").mkdir()
    unpack(tmp_path / "links.tar", tmp_path / "here")
    assert not list((tmp_path / "here").iterdir())


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"no archive")
    with pytest.raises(ConfigError, match=r"cannot be unpacked .*: name a \.tar"):
        unpack(tmp_path / "x.tar", tmp_path)


def test_a_codebase_names_its_licence_and_its_sources_have_a_mark(tmp_path: Path) -> None:
    assert licence_of(tmp_path) is None
    (tmp_path / "PKG-INFO").write_text("Metadata-Version: 2.4\nLicense-Expression: MPL-2.0\n\nText", encoding="utf-8")
    assert licence_of(tmp_path) == "MPL-2.0"
    (tmp_path / "pyproject.toml").write_text('[project]\nlicense = {text = "MIT"}\n', encoding="utf-8")
    one, other = (origin_of("x", tmp_path, Sources({"a.py": text})) for text in ("a = 1\n", "a = 2\n"))
    assert (one.licence, one.codebase, one.language) == ("MIT", "x", "Python")
    assert one.revision != other.revision


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    ran = subprocess.run((TIDEPOOL, "dataset", verb, "--help"), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"tidepool dataset {verb}" in ran.stdout


def test_a_codebase_that_is_missing_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text("[[codebase]]\npath = 'nowhere'\n", encoding="utf-8")
    ran = build(file, tmp_path / "data")
    assert ran.returncode == 2
    assert "nowhere does not exist" in ran.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ray_makes_the_same_set(spec: Path, whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    command = (TIDEPOOL, "dataset", "build", str(spec), "--out", str(tmp_path / "data"), "--engine", "ray")
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert contents(tmp_path / "data") == contents(whole)
