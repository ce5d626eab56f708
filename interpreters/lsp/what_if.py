"""What a checker would newly find wrong if a file were edited: the edit is made in the server's memory alone.

    found = await newly_wrong(session, edit, None)

The file is opened with the edited text, diagnostics are pulled, and it is closed again, whatever happens: the server
then has the file as it is on disk. Nobody else is answered meanwhile. What is found is compared with what is wrong
without the edit, which is asked afterwards, and only of the files in which there is anything to compare: most have
nothing wrong, and what a server has worked out of them for the edit holds without it. It is kept for the next edit,
until a file changes on disk. The server is told of that; of a pull for some files, only if one of these has changed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from interpreters.lsp.codebase import NAME, local, uri_of
from interpreters.lsp.columns import Columns
from interpreters.lsp.fields import blaming
from interpreters.lsp.framing import Lost
from interpreters.lsp.life import Life
from interpreters.lsp.limits import Limits
from interpreters.lsp.reports import MOST, Finding, findings, news, report, reports
from interpreters.lsp.session import Session
from interpreters.lsp.spliced import Spliced
from interpreters.lsp.stamps import Stamp, look_at, look_everywhere
from tidepool.effects.lsp import Diagnostic, Edit, Place, digest
from tidepool.errors import BadAnswer, Unsupported

_OF_FILE: Final = "textDocument/diagnostic"
_OF_ALL: Final = "workspace/diagnostic"
_NO_FILE: Final = ".tidepool-no-such-file.py"
_MANY: Final = 100  # files whose diagnostics without the edit are asked one by one; of more, all are asked at once

Reported: TypeAlias = dict[str, list[Any]]
"""A checker's own data about files, by address."""


async def newly_wrong(
    session: Session, edit: Edit, paths: Iterable[str] | None, limits: Limits
) -> tuple[Diagnostic, ...]:
    """What would newly be wrong, in some files or everywhere.

    Args:
        limits: is told what was not looked at.

    Raises:
        Unsupported: the server cannot tell, or does not check such a file.
        BadAnswer: the file cannot be read, or is not the text that the edit is of; or the server answered nonsense.
        Unavailable: the server did not answer in time, or crashed for the second time.
    """
    trial = _trial(session, edit, paths)
    limits.remarks.update(dict.fromkeys(await asyncio.to_thread(_overrides, session.codebase.root)))
    while True:
        life = await session.living()
        try:
            return await _Run(session, life, trial, limits).answer()
        except Lost:  # the edit died with the server, and so did what was known of the files without it
            continue


def _overrides(root: Path) -> list[str]:
    """What may keep a checker silent about some files whatever it is told: settings that nobody can overrule."""
    found = []
    for name in ("ty.toml", "pyproject.toml"):
        with suppress(OSError, UnicodeDecodeError):
            with (root / name).open("rb") as file:
                settings = file.read(_SETTINGS_BYTES).decode()
            if _OVERRIDES.search(settings):
                found.append(f"{name} has overrides for ty, which may keep it silent about some files")
    return found


_SETTINGS_BYTES: Final = 1 << 20
_OVERRIDES: Final = re.compile(r"^\s*\[\[\s*(?:tool\s*\.\s*ty\s*\.\s*)?overrides\s*\]\]", re.MULTILINE)


@attrs.frozen
class _Trial:
    """An edit to be tried.

    Attributes:
        path: of the edited file.
        files: the paths of those that are asked about, by address; None for all.
    """

    path: str
    uri: str
    spliced: Spliced
    files: Mapping[str, str] | None


def _trial(session: Session, edit: Edit, paths: Iterable[str] | None) -> _Trial:
    server, codebase = session.server, session.codebase
    if not server.checks_unsaved:
        why = "does not check text that is not saved: name another language server for this, such as ty"
        raise Unsupported(server.name, why)
    if not edit.path.endswith(server.suffixes):
        raise Unsupported(server.name, f"does not check {edit.path}: name a file of its language")
    source = codebase.source(edit.path)
    if edit.of not in ("", digest(source)):
        raise BadAnswer(NAME, f"{edit.path} has changed since the edit was made: ask again")
    if codebase.text(edit.path).broken:
        raise BadAnswer(NAME, f"{edit.path} is not UTF-8: it cannot be edited")
    checked = None if paths is None else [path for path in paths if path.endswith(server.suffixes)]
    files = None if checked is None else {codebase.uri(path): path for path in checked}
    return _Trial(edit.path, codebase.uri(edit.path), Spliced(edit, source), files)


@attrs.frozen
class _Run:
    """A trial in one life of a server; everything raises `Lost` when that is over."""

    session: Session
    life: Life
    trial: _Trial
    limits: Limits

    async def answer(self) -> tuple[Diagnostic, ...]:
        """What is newly wrong."""
        self.limits.left_out.pop(self.limit, None)
        reported, changed = await self.edited()
        if changed:
            reported, _ = await self.edited()
        after = self.read(reported)
        await self.compare_with(after)
        return self.new(after)

    async def edited(self) -> tuple[Reported, bool]:
        """What is wrong while the file is edited, and whether files have changed on disk since the server read them.

        It has been told of these, and is to be asked again.
        """
        notify, uri = self.life.conversation.notify, self.trial.uri
        document = {"uri": uri, "languageId": self.session.server.language, "version": 1}
        async with self.session.alone(self.life):
            notify("textDocument/didOpen", {"textDocument": {**document, "text": self.trial.spliced.text}})
            try:
                async with _side_by_side() as group:
                    pulling = group.create_task(self.pull())
                    looking = group.create_task(asyncio.to_thread(self.look))  # takes less time than the checker
            finally:
                notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            news = self.session.stamps.news(looking.result(), everywhere=self.trial.files is None)
            self.life.tell_of(news)
        return pulling.result(), bool(news)

    async def pull(self) -> Reported:
        return await (self.everywhere() if self.trial.files is None else self.in_files(self.trial.files))

    def look(self) -> dict[str, Stamp]:
        codebase = self.session.codebase
        if self.trial.files is None:
            return look_everywhere(codebase.root, self.session.server.suffixes)
        return look_at(str(codebase.root / path) for path in (self.trial.path, *self.trial.files.values()))

    def read(self, reported: Reported) -> dict[str, list[Finding]]:
        """The errors and warnings of each file of the codebase about which not the same is said without the edit."""
        known, codebase, room = self.life.unedited, self.session.codebase, MOST
        read: dict[str, list[Finding]] = {}
        for uri in sorted(reported):
            items = reported[uri]
            if codebase.path(uri) is None or (uri != self.trial.uri and items == known.of(uri)):
                continue
            if len(items) > room:
                self.leave_out(items)
                continue
            room -= len(items)
            if found := self.findings(items):
                read[uri] = found
        return read

    def leave_out(self, items: list[Any]) -> None:
        """Count what is not looked at: of a file of which not all is read, nobody can say what is new."""
        left_out = self.limits.left_out
        left_out[self.limit] = left_out.get(self.limit, 0) + len(items)

    @property
    def limit(self) -> str:
        return f"diagnostics under an edit of {self.trial.path}"

    async def compare_with(self, uris: Iterable[str]) -> None:
        """Have the server's word on files as they are."""
        known = self.life.unedited
        unknown = [uri for uri in uris if known.of(uri) is None]
        if not unknown:
            return
        async with self.session.turns:
            if self.trial.files is None and len(unknown) > _MANY:
                known.files, known.whole = await self.everywhere(), True
            else:
                known.files.update(await self.in_files(unknown))

    def new(self, after: Mapping[str, list[Finding]]) -> tuple[Diagnostic, ...]:
        """What is found after the edit and was not before, where it is in the text as it is."""
        new: set[Diagnostic] = set()
        for uri, found in after.items():
            path = self.session.codebase.path(uri) or ""
            known = self.life.unedited.of(uri) or []
            if len(known) > MOST:
                self.leave_out(known)
                continue
            before = self.findings(known)
            if uri == self.trial.uri:
                spliced = self.trial.spliced
                fresh = news(self.placed(before, spliced.settled), self.placed(found, spliced.unedited))
                new.update(_diagnostic(path, it, it.column) for it in fresh)
            else:
                columns = Columns(self.session.codebase, self.life.encoding)
                fresh = news(before, found)
                new.update(_diagnostic(path, it, columns.heard(path, it.line + 1, it.column)) for it in fresh)
        return tuple(sorted(new))

    def placed(self, found: Iterable[Finding], place: Callable[[int, int, str], tuple[int, int]]) -> list[Finding]:
        placed: list[Finding] = []
        for finding in found:
            line, column = place(finding.line, finding.column, self.life.encoding)
            placed.append(finding._replace(line=line, column=column))
        return placed

    def findings(self, items: list[Any]) -> list[Finding]:
        with blaming(self.session.server.name, _OF_FILE):
            return findings(items)

    async def everywhere(self) -> Reported:
        name, identifier = self.session.server.name, self.life.checks_all
        if identifier is None:
            raise Unsupported(name, "does not check a whole codebase: name another language server for this")
        # ty answers once there is something to tell: where nothing is wrong anywhere, that a file is gone.
        nowhere = uri_of(self.session.codebase.root / _NO_FILE)
        asks = {"identifier": identifier, "previousResultIds": [{"uri": nowhere, "value": ""}]}
        result = await self.session.ask_once(self.life, _OF_ALL, asks)
        with blaming(name, _OF_ALL):
            return {self.address(uri): items for uri, items in reports(result).items()}

    def address(self, uri: str) -> str:
        """An address that a server spells in its own way: the edited file's is that of the edit."""
        trial, codebase = self.trial, self.session.codebase
        return trial.uri if codebase.path(uri) == trial.path and local(uri) == local(trial.uri) else uri

    async def in_files(self, uris: Iterable[str]) -> Reported:
        async with _side_by_side() as group:
            asked = {uri: group.create_task(self.in_file(uri)) for uri in uris}
        return {uri: task.result() for uri, task in asked.items()}

    async def in_file(self, uri: str) -> list[Any]:
        result = await self.session.ask_once(self.life, _OF_FILE, {"textDocument": {"uri": uri}})
        with blaming(self.session.server.name, _OF_FILE):
            return report(result)


def _diagnostic(path: str, finding: Finding, column: int) -> Diagnostic:
    return Diagnostic(Place(path, finding.line + 1, column), finding.code, finding.message)


@asynccontextmanager
async def _side_by_side() -> AsyncGenerator[asyncio.TaskGroup, None]:
    """A group of tasks that has ended when the block has; when one fails the others are given up, and that is told."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
