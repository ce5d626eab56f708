"""The doctor, as its user runs it, on machines and codebases that are well and ill."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

FIXTURE: Final = Path(__file__).parent / "fixtures" / "llmkind"
SILENT: Final = "import time; time.sleep(1000)"


@attrs.frozen
class Patient:
    """A user whose home is a folder of their own."""

    home: Path

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        usual = {name: text for name, text in os.environ.items() if not name.startswith(("TIDEPOOL_", "XDG_"))}
        usual.pop("VIRTUAL_ENV", None)
        return subprocess.run(
            [sys.executable, "-m", "interpreters.edge.cli", "doctor", *words],
            cwd=FIXTURE,
            env={**usual, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home), **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def examined(self, *words: str, **variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """The exit code, and the checks by what was looked at."""
        ended = self.run(*words, "--format", "json", **variables)
        assert ended.stderr == ""
        return ended.returncode, {check["what"]: check for check in json.loads(ended.stdout)}

    def configure(self, text: str) -> None:
        file = self.home / ".config" / "tidepool" / "tidepool.toml"
        file.parent.mkdir(parents=True)
        file.write_text(text)


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Patient(home)


def test_nothing_is_wrong_with_a_healthy_codebase(patient: Patient) -> None:
    code, checks = patient.examined()
    assert code == 0
    assert {check["state"] for check in checks.values()} <= {"ok", "warning"}
    assert "8 source files" in checks["codebase"]["found"]
    assert "is defined" in checks["first answer"]["found"]
    assert "MiB" in checks["first answer"]["found"]
    assert str(Path(sys.executable).with_name("ty")) in checks["server ty (used)"]["found"]


def test_a_table_ends_with_what_it_comes_to(patient: Patient) -> None:
    ended = patient.run()
    assert ended.returncode == 0
    assert ended.stdout.rstrip().endswith("nothing is wrong")


@pytest.mark.parametrize("there", [True, False])
def test_a_root_without_a_codebase_is_wrong_and_named(there: bool, patient: Patient, tmp_path: Path) -> None:
    root = tmp_path / "root"
    if there:
        root.mkdir()
    code, checks = patient.examined("--root", str(root))
    assert code == 1
    assert checks["codebase"]["state"] == "wrong"
    assert str(root) in checks["codebase"]["found"]
    assert "--root" in checks["codebase"]["fix"]


def test_a_broken_file_of_the_codebase_is_a_warning_and_the_rest_goes_on(patient: Patient, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("def price() -> int:\n    return 1\n")
    (tmp_path / "pyproject.toml").write_text("[tool.tidepool\n")
    _, checks = patient.examined("--root", str(tmp_path))
    assert checks["configuration"]["state"] == "warning"
    assert "pyproject.toml" in checks["configuration"]["found"]
    assert "price" in checks["first answer"]["found"]


def test_a_broken_file_of_the_user_is_wrong_and_the_rest_goes_on(patient: Patient) -> None:
    patient.configure("budget = 'many'\n")
    code, checks = patient.examined()
    assert code == 1
    assert checks["configuration"]["state"] == "wrong"
    assert checks["first answer"]["state"] == "ok"


def test_a_server_that_is_not_there_is_wrong_and_told_how_to_install(patient: Patient) -> None:
    patient.configure('server = "mine"\n[servers.mine]\ncommand = ["no-such-server"]\ninstall = "make server"\n')
    code, checks = patient.examined()
    assert code == 1
    assert checks["server mine (used)"]["state"] == "wrong"
    assert "make server" in checks["server mine (used)"]["fix"]


def test_a_server_that_hangs_is_given_up(patient: Patient) -> None:
    patient.configure(
        f'server = "mine"\ntimeout_s = 1\n[servers.mine]\ncommand = {json.dumps([sys.executable, "-c", SILENT])}\n'
    )
    code, checks = patient.examined()
    assert code == 1
    assert checks["first answer"]["state"] == "wrong"
    assert "within 1 s" in checks["first answer"]["found"]


def test_a_scorer_that_nobody_serves_is_wrong(patient: Patient) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        variables = {"TIDEPOOL_SCORER": "model", "TIDEPOOL_MODEL_URL": f"http://127.0.0.1:{port}"}
        code, checks = patient.examined(**variables)
    assert code == 1
    assert checks["scorer model"]["state"] == "wrong"
    assert str(port) in checks["scorer model"]["found"]


def test_a_scorer_that_is_served_is_well_and_its_token_is_not_shown(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        variables = {"TIDEPOOL_SCORER": "hybrid", "TIDEPOOL_MODEL_URL": url, "TIDEPOOL_MODEL_TOKEN": "s3cr3t-word"}
        ended = patient.run("--format", "json", **variables)
    checks = {check["what"]: check for check in json.loads(ended.stdout)}
    assert checks["scorer model"]["state"] == "ok"
    assert "s3cr3t-word" not in ended.stdout + ended.stderr


def test_a_model_that_cannot_be_read_is_wrong(patient: Patient, tmp_path: Path) -> None:
    patient.configure(f'scorer = "learned"\n[scorers.learned]\nmodel = "{tmp_path}/none.json"\n')
    code, checks = patient.examined()
    assert code == 1
    assert "none.json" in checks["scorer learned"]["found"]


def test_nothing_of_the_codebase_is_run(patient: Patient, tmp_path: Path) -> None:
    root, ran = tmp_path / "root", tmp_path / "ran"
    (root / "bin").mkdir(parents=True)
    (root / "shop.py").write_text(f"open({str(ran)!r}, 'w')\ndef price() -> int:\n    return 1\n")
    for name in ("git", "gopls", "clangd", "ty"):
        program = root / "bin" / name
        program.write_text(f"#!/bin/sh\ntouch {ran}\n")
        program.chmod(0o755)
    _, checks = patient.examined("--root", str(root), PATH=f"{root}/bin:{os.environ['PATH']}")
    assert checks["server gopls"]["state"] == "warning"
    assert not ran.exists()


def test_a_home_that_cannot_be_written_stops_nothing(patient: Patient) -> None:
    code, checks = patient.examined(HOME="/proc")
    assert code == 0
    assert checks["data"]["state"] in {"ok", "warning"}
    assert checks["first answer"]["state"] == "ok"


def test_a_word_too_many_is_wrong_usage(patient: Patient) -> None:
    assert patient.run("again").returncode == 2
