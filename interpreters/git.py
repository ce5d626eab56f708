"""Reading a git repository that anybody may have written, without running anything that it names.

    with open_repository(folder) as repository:
        for commit in repository.commits(repository.resolve("HEAD"), 500): ...
        repository.check_out(commit.id, empty_folder)

Only plumbing that lists and prints objects is run: no hook, no filter, no text conversion, no pager, no file monitor.
The configuration of the system and of the user is not read, no transport is allowed, and nobody is asked for a
password. A revision is written to a folder object by object and not by git, so what the repository says of attributes
means nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import attrs

from tidepool.errors import BadAnswer, ConfigError, Unavailable

TIMEOUT_S: Final = 120.0
"""For one listing: that of a hundred thousand commits takes some seconds."""

FILE_BYTES: Final = 2**20
"""The largest file that is read: a larger one is no source anybody wrote."""

_OFF: Final = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.attributesFile=/dev/null"),
    *("-c", "core.pager=cat", "-c", "safe.directory=*", "-c", "core.commitGraph=false", "-c", "gc.auto=0"),
    *("-c", "protocol.allow=never", "-c", "maintenance.auto=false", "-c", "core.alternateRefsCommand="),
)
"""What overrides the repository's own configuration. `safe.directory` concerns whose files they are: nothing in them
is run, so anybody's can be read."""

_VARIABLES: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_ALLOW_PROTOCOL": "",  # of all transports none, whatever the repository's configuration allows
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C.UTF-8",
}

_FILE_MODES: Final = frozenset({"100644", "100755", "100664"})
"""What a tree calls files; links and other repositories are neither read nor written."""


class Commit(NamedTuple):
    """A commit.

    Attributes:
        id: its hash.
        parents: the hashes of its parents, none of the first one.
        time_s: when it was committed, in seconds since 1970.
        subject: the first line of its message.
    """

    id: str
    parents: tuple[str, ...]
    time_s: int
    subject: str


class Entry(NamedTuple):
    """A file of a revision: its path, and the hash of what stands in it."""

    path: str
    blob: str


class Difference(NamedTuple):
    """A file that a commit touched; the blob is None on the side where there is no file."""

    path: str
    before: str | None
    after: str | None


@contextmanager
def open_repository(folder: Path) -> Generator[Repository]:
    """A repository, bare or with a work tree, for as long as the block lasts.

    Raises:
        ConfigError: git is not installed, or the folder is no repository.
    """
    git = shutil.which("git")
    if git is None:
        raise ConfigError("git is not installed: install it to read a repository's history")
    repository = Repository(git, _git_folder(git, folder))
    try:
        yield repository
    finally:
        repository.close()


def _git_folder(git: str, folder: Path) -> Path:
    try:
        real = folder.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{folder} does not exist: name the folder of a git repository") from error
    if not real.is_dir():
        raise ConfigError(f"{folder} is a file: name the folder of a git repository")
    around = _environ() | {"GIT_CEILING_DIRECTORIES": str(real.parent)}  # not a repository that holds the folder
    try:
        found = subprocess.run(
            [git, *_OFF, "-C", str(real), "rev-parse", "--absolute-git-dir"],
            env=around,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            "git", f"did not answer within {TIMEOUT_S:g} s; is {folder} on a disk that answers?"
        ) from error
    if found.returncode:
        raise ConfigError(f"{folder} is no git repository: name a clone, or a bare repository")
    return Path(os.fsdecode(found.stdout.rstrip(b"\n")))


def _environ() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, **_VARIABLES}


@attrs.define(eq=False)
class Repository:
    """A repository that is read. Made by `open_repository`, which also ends its processes.

    Attributes:
        git: the program.
        folder: where the objects are.
    """

    git: str
    folder: Path
    _objects: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    def close(self) -> None:
        """End what was started."""
        process, self._objects = self._objects, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def resolve(self, revision: str) -> str:
        """The hash of the commit that a revision names.

        Raises:
            ConfigError: it names none.
        """
        unknown = f"{self.folder} has no revision {revision[:80]!r}: name a branch, a tag or a commit of it"
        if revision.startswith("-") or "\0" in revision:
            raise ConfigError(unknown)
        try:
            found = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except BadAnswer as error:
            raise ConfigError(unknown) from error
        return found.decode().strip()

    def commits(self, revision: str, most: int) -> list[Commit]:
        """A commit and those before it, each before its parents, `most` of them at most.

        Args:
            revision: as `resolve` answers it.
        """
        shape = "--format=%H%x00%P%x00%ct%x00%s"
        printed = self._run(
            "rev-list", "--no-commit-header", "--topo-order", f"--max-count={most}", shape, _hash(revision)
        )
        found = []
        for line in printed.decode(errors="replace").split("\n"):
            if line:
                name, parents, time_s, subject = line.split("\0", 3)
                found.append(Commit(name, tuple(parents.split()), int(time_s), subject))
        return found

    def differences(self, commits: Iterable[str]) -> dict[str, list[Difference]]:
        """The files that each commit touched; of merges and first commits, none."""
        asked = "".join(f"{_hash(commit)}\n" for commit in commits)
        options = ("--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv")
        words = iter(self._run("diff-tree", *options, given=asked.encode()).split(b"\0"))
        found: dict[str, list[Difference]] = {}
        of_commit: list[Difference] = []
        for word in words:
            if not word.startswith(b":"):
                of_commit = found.setdefault(word.decode(), []) if word else []
                continue
            old_mode, new_mode, old, new, _ = word[1:].decode().split()
            before, after = (blob if mode in _FILE_MODES else None for mode, blob in ((old_mode, old), (new_mode, new)))
            if path := _safe(next(words)):
                of_commit.append(Difference(path, before, after))
        return found

    def files(self, revision: str) -> list[Entry]:
        """The files of a revision, by path; without links, other repositories, and paths that lead out of it."""
        entries = []
        for line in self._run("ls-tree", "-r", "-z", "--full-tree", _hash(revision)).split(b"\0"):
            about, _, path = line.partition(b"\t")
            mode, _, blob = about.decode().partition(" ")
            if mode in _FILE_MODES and (safe := _safe(path)):
                entries.append(Entry(safe, blob.removeprefix("blob ")))
        return sorted(entries)

    def content(self, blob: str) -> bytes | None:
        """What stands in a file; None of one that is too large, or that a partial clone lacks.

        Raises:
            Unavailable: git ended.
        """
        process = self._reader()
        assert process.stdin is not None  # noqa: S101 - it was opened so
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(f"{_hash(blob)}\n".encode())
            process.stdin.flush()
            head = process.stdout.readline().split()
            if len(head) != 3:
                if head[1:] == [b"missing"]:
                    return None
                raise Unavailable("git", "ended while it read an object; look at the repository with `git fsck`")
            if int(head[2]) > FILE_BYTES:
                self.close()  # what it goes on to print is not worth reading
                return None
            content = process.stdout.read(int(head[2]) + 1)
            if len(content) != int(head[2]) + 1:
                raise Unavailable("git", "ended while it read an object; look at the repository with `git fsck`")
        except (OSError, ValueError) as error:
            raise Unavailable("git", f"ended while it read an object ({error}); run it again") from error
        return content[:-1]

    def text(self, blob: str | None) -> str | None:
        """The text of a file, its lines ended by line feeds; None where there is none, or where it is no UTF-8."""
        content = self.content(blob) if blob is not None else None
        if content is None or b"\0" in content:
            return None
        try:
            return content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            return None

    def check_out(self, revision: str, folder: Path) -> dict[str, str]:
        """Write the text files of a revision into an empty folder, as they are stored, and answer them by path."""
        texts: dict[str, str] = {}
        for path, blob in self.files(revision):
            text = self.text(blob)
            if text is None:
                continue
            file = folder / path
            with suppress(OSError):  # two names that this file system takes for one, or one that it does not take
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("x", encoding="utf-8", newline="\n") as opened:
                    opened.write(text)
                texts[path] = text
        return texts

    def _reader(self) -> subprocess.Popen[bytes]:
        if self._objects is None:
            self._objects = subprocess.Popen(
                self._command("cat-file", ["--batch"]),
                env=_environ(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._objects

    def _command(self, verb: str, arguments: Sequence[str]) -> list[str]:
        return [self.git, *_OFF, f"--git-dir={self.folder}", verb, *arguments]

    def _run(self, verb: str, *arguments: str, given: bytes = b"") -> bytes:
        """What a listing prints.

        Raises:
            BadAnswer: git refuses.
            Unavailable: it does not end.
        """
        try:
            done = subprocess.run(
                self._command(verb, arguments),
                env=_environ(),
                input=given,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable("git", f"did not answer {verb} within {TIMEOUT_S:g} s; name fewer commits") from error
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise BadAnswer("git", f"{verb} failed ({last[:200]}); look at the repository with `git fsck`")
        return done.stdout


def _hash(name: str) -> str:
    """A hash, and nothing that git could take for an option.

    Raises:
        BadAnswer: it is none.
    """
    if len(name) not in (40, 64) or not set(name) <= set("0123456789abcdef"):
        raise BadAnswer("git", f"{name[:80]!r} is no hash; ask for a revision that `resolve` answered")
    return name


def _safe(path: bytes) -> str:
    """A path that stays in the folder it is written to, or ""."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return ""
    parts = PurePosixPath(text).parts
    odd = text.startswith("/") or "\\" in text or "\n" in text or ":" in text
    inside = not odd and not any(part in ("..", ".") or part.lower().startswith(".git") for part in parts)
    return text if inside and "/".join(parts) == text else ""
