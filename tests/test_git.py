from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from interpreters.git import FILE_BYTES, Commit, Repository, open_repository
from tests.repositories import commit, git
from tidepool.errors import BadAnswer, ConfigError, Unavailable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "repository"
    made.mkdir()
    git(made, "init", "-q", "-b", "main")
    return made


def test_commits_come_newest_first_with_parents_and_subjects(folder: Path) -> None:
    first = commit(folder, {"a.py": "x = 1\n"}, "begin")
    second = commit(folder, {"a.py": "x = 2\n"}, "go on: ärger")
    with open_repository(folder) as repository:
        found = repository.commits(repository.resolve("main"), 9)
    assert [(one.id, one.parents, one.subject) for one in found] == [
        (second, (first,), "go on: ärger"),
        (first, (), "begin"),
    ]
    assert all(isinstance(one, Commit) and one.time_s > 0 for one in found)


def test_no_more_commits_are_listed_than_asked_for(folder: Path) -> None:
    for number in range(4):
        commit(folder, {}, str(number))
    with open_repository(folder) as repository:
        assert [one.subject for one in repository.commits(repository.resolve("HEAD"), 2)] == ["3", "2"]


def test_differences_name_the_files_on_both_sides(folder: Path) -> None:
    commit(folder, {"a b.py": "x = 1\n", "gone.py": "y = 1\n"}, "begin")
    second = commit(folder, {"a b.py": "x = 2\n", "gone.py": None, "ü.py": "z = 1\n"}, "go on")
    with open_repository(folder) as repository:
        found = {one.path: one for one in repository.differences([second])[second]}
        assert (repository.text(found["a b.py"].before), repository.text(found["a b.py"].after)) == (
            "x = 1\n",
            "x = 2\n",
        )
        assert found["gone.py"].after is None
        assert found["ü.py"].before is None


def test_a_bare_repository_is_read_as_one_with_a_work_tree(folder: Path, tmp_path: Path) -> None:
    name = commit(folder, {"a.py": "x = 1\n"}, "begin")
    bare = tmp_path / "bare"
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(bare))
    with open_repository(bare) as repository:
        assert repository.resolve("main") == name
        assert [one.path for one in repository.files(name)] == ["a.py"]


def test_a_revision_is_checked_out_as_it_was(folder: Path, tmp_path: Path) -> None:
    first = commit(folder, {"a.py": "x = 1\r\n", "in/b.py": "y\n"}, "begin")
    commit(folder, {"a.py": "x = 2\n"}, "go on")
    out = tmp_path / "out"
    with open_repository(folder) as repository:
        texts = repository.check_out(first, out)
    assert texts == {"a.py": "x = 1\n", "in/b.py": "y\n"}
    assert {path: (out / path).read_text() for path in texts} == texts


def test_links_are_not_checked_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "link.py").symlink_to(tmp_path / "secret")
    (folder / "around").symlink_to(tmp_path)
    name = commit(folder, {"a.py": "x\n"}, "links")
    with open_repository(folder) as repository:
        repository.check_out(name, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.py"]


def test_paths_that_lead_out_of_the_folder_are_not_checked_out(folder: Path, tmp_path: Path) -> None:
    blob = git(folder, "hash-object", "-w", "--stdin", given=b"bad\n")
    entry = b"100644 ..\0" + bytes.fromhex(blob)
    tree = git(folder, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", given=entry)
    inner = b"100644 .git\0" + bytes.fromhex(blob) + b"40000 sub\0" + bytes.fromhex(tree)
    outer = git(folder, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", given=inner)
    name = git(folder, "commit-tree", outer, "-m", "hostile")
    with open_repository(folder) as repository:
        assert repository.check_out(name, tmp_path / "out") == {}
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_text_or_too_large_are_passed_over(folder: Path, tmp_path: Path) -> None:
    (folder / "binary.py").write_bytes(b"\0\1")
    (folder / "latin.py").write_bytes(b"\xe9")
    name = commit(folder, {"large.py": "x" * (FILE_BYTES + 1), "small.py": "x"}, "files")
    with open_repository(folder) as repository:
        assert repository.check_out(name, tmp_path / "out") == {"small.py": "x"}


def test_nothing_that_a_repository_configures_is_run(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    script.chmod(0o755)
    first = commit(folder, {"a.py": "x = 1\n", ".gitattributes": "*.py filter=evil diff=evil\n"}, "begin")
    second = commit(folder, {"a.py": "x = 2\n"}, "go on")
    settings = {
        "filter.evil.smudge": script,
        "filter.evil.clean": script,
        "filter.evil.process": script,
        "diff.evil.textconv": script,
        "diff.evil.command": script,
        "diff.external": script,
        "core.fsmonitor": script,
        "core.pager": script,
        "core.sshCommand": script,
        "core.hooksPath": tmp_path / "hooks",
        "core.alternateRefsCommand": script,
        "remote.evil.url": f"ext::{script}",
        "remote.evil.promisor": "true",
        "extensions.partialClone": "evil",
        "protocol.ext.allow": "always",
    }
    for name, value in settings.items():
        git(folder, "config", name, str(value))
    (tmp_path / "hooks").mkdir()
    for hook in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change"):
        shutil.copy(script, tmp_path / "hooks" / hook)
    with open_repository(folder) as repository:
        commits = repository.commits(repository.resolve("HEAD"), 9)
        assert [one.id for one in commits] == [second, first]
        (difference,) = repository.differences([second])[second]
        assert repository.text(difference.after) == "x = 2\n"
        assert repository.check_out(first, tmp_path / "out")["a.py"] == "x = 1\n"
        assert repository.content("1" * 40) is None
    assert not ran.exists()


@pytest.mark.parametrize("revision", ["nothing", "--output=/tmp/x", "-h", "HEAD~9", "a\0b", ""])
def test_an_unknown_revision_is_the_users_to_mend(folder: Path, revision: str) -> None:
    commit(folder, {}, "begin")
    with open_repository(folder) as repository, pytest.raises(ConfigError, match="name a branch, a tag or a commit"):
        repository.resolve(revision)


def test_only_hashes_are_handed_to_git(folder: Path) -> None:
    with open_repository(folder) as repository, pytest.raises(BadAnswer, match="is no hash"):
        repository.files("--help")


def test_a_folder_inside_a_repository_is_none(folder: Path) -> None:
    (folder / "inner").mkdir()
    with pytest.raises(ConfigError, match="is no git repository"), open_repository(folder / "inner"):
        pass


@pytest.mark.parametrize(("name", "why"), [("nowhere", "does not exist"), ("file", "is a file")])
def test_what_is_no_folder_is_the_users_to_mend(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=why), open_repository(tmp_path / name):
        pass


def test_no_process_is_left_behind(folder: Path) -> None:
    import psutil

    commit(folder, {"a.py": "x\n"}, "begin")
    with open_repository(folder) as repository:
        repository.text(repository.files(repository.resolve("HEAD"))[0].blob)
        assert [child.name() for child in psutil.Process().children()] == ["git"]
    assert psutil.Process().children() == []


def test_an_object_that_is_cut_short_is_no_content(folder: Path, tmp_path: Path) -> None:
    commit(folder, {"a.py": "x = 1\n"}, "begin")
    real = shutil.which("git")
    short = tmp_path / "bin" / "git"
    short.parent.mkdir()
    pretends = 'read name; echo "$name blob 1000"; printf "only a part"'
    lies = f'case " $* " in *" cat-file "*) {pretends};; *) exec {real} "$@";; esac'
    short.write_text(f"#!/bin/sh\n{lies}\n")
    short.chmod(0o755)
    with open_repository(folder) as repository:
        cut = Repository(str(short), repository.folder)
        (_, blob), *_ = repository.files(repository.resolve("HEAD"))
        assert repository.content(blob) == b"x = 1\n"
        with pytest.raises(Unavailable, match="ended while it read an object"):
            cut.content(blob)
        cut.close()
