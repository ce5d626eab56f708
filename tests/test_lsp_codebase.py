"""Which files are the codebase's, and how they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.lsp.codebase import LINE_CHARACTERS, MAX_FILE_BYTES, Codebase, uri_of
from interpreters.lsp.project import Origin, check_root, find_environment, landmarks, source_files
from tidepool.effects.lsp import Place
from tidepool.errors import BadAnswer, ConfigError

PY = (".py", ".pyi")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "root"
    root.mkdir()
    return root


def snippet(root: Path, content: bytes, line: int, column: int = 0) -> list[str]:
    (root / "code.py").write_bytes(content)
    return Codebase(root).snippet(Place("code.py", line, column)).split("\n")


# Snippets.


def test_a_snippet_has_fewer_lines_at_the_ends_of_a_file(root: Path) -> None:
    content = b"1\n2\n3\n4\n5\n6\n"
    assert snippet(root, content, 1) == ["1", "2", "3"]
    assert snippet(root, content, 2) == ["1", "2", "3", "4"]
    assert snippet(root, content, 4) == ["2", "3", "4", "5", "6"]
    assert snippet(root, content, 6) == ["4", "5", "6"]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_lines_end_as_the_protocol_has_it(root: Path, newline: bytes) -> None:
    form_feed_and_others = "a\x0cb\x0bc\x1cd\x85e\u2028f".encode()
    assert snippet(root, newline.join([b"1", form_feed_and_others, b"3", b""]), 2) == [
        "1", form_feed_and_others.decode(), "3",
    ]  # fmt: skip


def test_a_last_line_needs_no_end(root: Path) -> None:
    assert snippet(root, b"1\n2", 2) == ["1", "2"]


def test_a_byte_order_mark_is_not_shown(root: Path) -> None:
    assert snippet(root, b"\xef\xbb\xbf1\n2\n", 1) == ["1", "2"]


def test_a_file_that_is_not_utf_8_is_read_with_marks_for_what_is_not(root: Path) -> None:
    assert snippet(root, b"caf\xe9\nna\xc3\xafve\n", 1) == ["caf\ufffd", "naïve"]


@pytest.mark.parametrize(("column", "start", "end"), [(0, False, True), (5_000, True, True), (9_999, True, False)])
def test_a_long_line_is_cut_around_the_place(root: Path, column: int, start: bool, end: bool) -> None:
    before, line, after = snippet(
        root, b"short\n" + b"x" * column + b"^" + b"x" * (9_999 - column) + b"\n" + b"y" * 900, 2, column
    )
    assert before == "short"
    assert "^" in line
    assert (line.startswith("…"), line.endswith("…")) == (start, end)
    assert len(line.strip("…")) == LINE_CHARACTERS
    assert after == "y" * LINE_CHARACTERS + "…"


@pytest.mark.parametrize("line", [0, -1, 3, 10**9])
def test_a_line_that_is_not_there_is_an_error(root: Path, line: int) -> None:
    with pytest.raises(BadAnswer, match=f"code.py has 2 lines, so none is number {line}"):
        snippet(root, b"1\n2\n", line)


def test_a_file_that_changes_is_read_again(root: Path) -> None:
    codebase = Codebase(root)
    (root / "code.py").write_text("old\n")
    assert codebase.snippet(Place("code.py", 1, 0)) == "old"
    (root / "code.py").write_text("newer\n")
    assert codebase.snippet(Place("code.py", 1, 0)) == "newer"


def test_a_file_deleted_after_it_was_named_is_an_error(root: Path) -> None:
    codebase = Codebase(root)
    (root / "code.py").write_text("here\n")
    codebase.snippet(Place("code.py", 1, 0))
    (root / "code.py").unlink()
    with pytest.raises(BadAnswer, match=r"code\.py cannot be read: No such file or directory; if it was moved"):
        codebase.snippet(Place("code.py", 1, 0))


def test_files_too_large_to_be_source_are_refused(root: Path) -> None:
    with (root / "code.py").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(BadAnswer, match="it is larger than 32 MiB"):
        Codebase(root).snippet(Place("code.py", 1, 0))


def test_what_is_no_regular_file_is_refused_without_waiting(root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    (root / "folder.py").mkdir()
    for path, why in (("pipe.py", "it is no regular file"), ("folder.py", "Is a directory|no regular file")):
        with pytest.raises(BadAnswer, match=why):
            Codebase(root).snippet(Place(path, 1, 0))


def test_no_more_text_is_kept_than_allowed(root: Path) -> None:
    codebase = Codebase(root, cache_bytes=100_000)
    for number in range(40):
        (root / f"f{number}.py").write_text("x" * 10_000)
        assert codebase.snippet(Place(f"f{number}.py", 1, 0)).startswith("xxx")
        assert codebase.cached_bytes <= 100_000


def test_a_text_larger_than_all_that_is_kept_is_read_once(root: Path) -> None:
    codebase = Codebase(root, cache_bytes=100)
    (root / "long.py").write_text("x = 1\n" * 1000)
    assert codebase.text("long.py") is codebase.text("long.py")


# Whose a path is.


@pytest.mark.parametrize("path", ["../outside.py", "a/../../outside.py", "linked/outside.py", "link.py", "\0.py"])
def test_what_leads_out_of_the_root_is_not_read(root: Path, path: str) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    for file in (root.parent / "outside.py", outside / "outside.py"):
        file.write_text("secret\n")
    (root / "linked").symlink_to(outside)
    (root / "link.py").symlink_to(outside / "outside.py")
    codebase = Codebase(root)
    with pytest.raises(BadAnswer, match="leads out of the root: ask for files inside it"):
        codebase.snippet(Place(path, 1, 0))
    assert codebase.path(f"file://{root}/{path}") is None


def test_a_link_within_the_root_is_the_file_it_leads_to(root: Path) -> None:
    (root / "real.py").write_text("here\n")
    (root / "link.py").symlink_to("real.py")
    codebase = Codebase(root)
    assert codebase.path(uri_of(root / "link.py")) == "real.py"
    assert codebase.snippet(Place("link.py", 1, 0)) == "here"


def test_a_link_that_leads_in_circles_is_no_file(root: Path) -> None:
    (root / "a.py").symlink_to("b.py")
    (root / "b.py").symlink_to("a.py")
    with pytest.raises(BadAnswer, match=r"a\.py cannot be read"):
        Codebase(root).snippet(Place("a.py", 1, 0))


def test_a_virtual_environment_within_the_root_is_not_the_codebases(root: Path) -> None:
    for folder in ("env", "deep/er/env2"):
        (root / folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
        (root / folder / "pyvenv.cfg").touch()
    codebase = Codebase(root, environment=root / "named")
    for path in ("env/lib/x.py", "deep/er/env2/lib/x.py", "named/lib/x.py", "a/.tox/x.py", "b/site-packages/x.py"):
        assert codebase.path(uri_of(root / path)) is None
    assert codebase.path(uri_of(root / "deep/er/x.py")) == "deep/er/x.py"


def test_folders_may_be_nested_deeper_than_calls(root: Path) -> None:
    codebase = Codebase(root)
    deep = "a/" * 1500
    assert codebase.path(f"file://{root}/{deep}x.py") == f"{deep}x.py"
    assert codebase.path(f"file://{root}/node_modules/{deep}x.py") is None


def test_copies_that_were_built_are_not_the_codebases(root: Path) -> None:
    codebase = Codebase(root)
    for path, own in {"build/lib/x.py": False, "a/build/lib.b/x.py": False, "build/library/x.py": True}.items():
        assert (codebase.path(uri_of(root / path)) is not None) is own


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(parts=st.lists(names.filter(lambda name: name not in {".", ".."}), min_size=1, max_size=3))
def test_a_path_survives_the_way_to_an_address_and_back(parts: list[str]) -> None:
    codebase = Codebase(Path("/nowhere/at all"))
    path = "/".join(parts)
    shown = path.isprintable() and not {".git", ".venv", "venv"} & set(parts)
    assert codebase.path(uri_of(f"/nowhere/at all/{path}")) == (path if shown else None)


@pytest.mark.parametrize("uri", ["file:///nowhere/at%20all/%61.py", "file://localhost/nowhere/at%20all/a.py"])
def test_an_address_may_be_spelled_in_many_ways(uri: str) -> None:
    assert Codebase(Path("/nowhere/at all")).path(uri) == "a.py"


# The root.


def test_a_root_is_its_real_path(root: Path) -> None:
    (root / "code.py").touch()
    (root.parent / "link").symlink_to(root)
    assert check_root(root.parent / "link", PY) == root


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone", "gone does not exist: name the folder"),
        ("file.py", r"file\.py is a file: name the folder"),
        ("empty", r"empty holds no \.py or \.pyi file: name the folder"),
        ("text", r"text holds no \.py or \.pyi file"),
        ("theirs", r"theirs holds no \.py or \.pyi file"),
        ("pipes", r"pipes holds no \.py or \.pyi file"),
        ("loop", "loop cannot be read"),
        ("nul\0", "cannot be read"),
    ],
)
def test_a_root_that_cannot_be_asked_about_is_an_error(root: Path, name: str, why: str) -> None:
    (root / "file.py").touch()
    for folder in ("empty", "text", "theirs/.venv/lib", "theirs/node_modules", "pipes"):
        (root / folder).mkdir(parents=True)
    (root / "text" / "notes.txt").touch()
    (root / "theirs" / ".venv" / "lib" / "code.py").touch()
    (root / "theirs" / "node_modules" / "code.py").touch()
    os.mkfifo(root / "pipes" / "code.py")
    (root / "loop").symlink_to("loop")
    with pytest.raises(ConfigError, match=why):
        check_root(f"{root}/{name}", PY)


def test_source_files_are_found_breadth_first_and_not_through_links(root: Path) -> None:
    for path in ("z.py", "a/b/c.pyi", "a/d.py", "a/e.txt", "__pycache__/f.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    (root / "circle").symlink_to(root)
    assert [str(file.relative_to(root)) for file in source_files(root, PY)] == ["z.py", "a/d.py", "a/b/c.pyi"]


def test_landmarks_are_names_from_files_far_apart(root: Path) -> None:
    for number in range(9):
        (root / f"f{number}.py").write_text(f"# no class here\nasync def define_{number}():\n    pass\n")
    (root / "f9.py").write_bytes(b"\xff\xfe\x00")
    assert landmarks(root, PY, 3) == {"define_4": "f4.py", "define_7": "f7.py", "define_5": "f5.py"}
    assert landmarks(root, PY, 99).keys() == {f"define_{n}" for n in range(9)}


# The environment.


def virtual(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    (folder / "bin" / "python").symlink_to("/bin/sh")
    return folder


def test_the_named_environment_comes_first_then_the_roots_then_the_active_one(root: Path, tmp_path: Path) -> None:
    active = {"VIRTUAL_ENV": str(virtual(tmp_path / "active"))}
    found = find_environment(root, None, active)
    assert found is not None
    assert (found.folder, found.origin) == (tmp_path / "active", Origin.ACTIVE)
    virtual(root / ".venv")
    found = find_environment(root, None, active)
    assert found is not None
    assert (found.folder, found.origin) == (root / ".venv", Origin.IN_ROOT)
    named = virtual(tmp_path / "named")
    for spelled in (named, named / "bin" / "python"):
        found = find_environment(root, spelled, active)
        assert found is not None
        assert (found.folder, found.python, found.virtual, found.origin) == (
            named, named / "bin" / "python", True, Origin.NAMED,
        )  # fmt: skip


def test_an_interpreter_outside_of_a_virtual_environment_stands_for_its_prefix(root: Path, tmp_path: Path) -> None:
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    python = tmp_path / "usr" / "bin" / "python3"
    python.symlink_to("/bin/sh")
    found = find_environment(root, python, {})
    assert found is not None
    assert (found.python, found.virtual) == (python, False)
    assert found.folder == Path("/bin/sh").resolve().parent.parent


@pytest.mark.parametrize("active", [{}, *({"VIRTUAL_ENV": it} for it in ("", "/no/such/folder", "x" * 9000, "a\0b"))])
def test_an_active_environment_that_is_none_is_passed_over(root: Path, active: dict[str, str]) -> None:
    assert find_environment(root, None, active) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone", "does not exist"),
        ("x" * 300, "does not exist"),
        ("", "is no virtual environment"),
        ("text.txt", "cannot be run"),
    ],
)
def test_a_named_environment_that_is_none_is_an_error(root: Path, name: str, why: str) -> None:
    (root / "text.txt").touch()
    with pytest.raises(ConfigError, match=f"{why}: name an interpreter or the folder of a virtual environment"):
        find_environment(root, root / name, {})
