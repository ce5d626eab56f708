"""What a checker reports of files, and what of it is new: strictly read, and without trust in its size.

Of most files a checker says under an edit what it said before: their reports are compared as they came, and only
those that differ are read. A file with more diagnostics than are read is not judged: what is new among them cannot be
told from a part of them.

Source: the Language Server Protocol 3.17, pull diagnostics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from interpreters.lsp.fields import each, field, listed, position
from interpreters.lsp.plain import opening
from tidepool.errors import InvalidData

MOST: Final = 20_000  # diagnostics of one answer that are read: nobody looks at as many
MAX_MESSAGE: Final = 400  # characters of what a checker says; types are spelt out, and may be long
MAX_CODE: Final = 80
_SEVERITIES: Final = range(1, 5)
_WARNING: Final = 2  # the mildest that counts; what is milder informs or hints
_UNNECESSARY: Final = 1  # the tag of code that is only not needed


class Finding(NamedTuple):
    """A diagnostic where the checker has it: its line and column count from 0, the column in the server's unit."""

    line: int
    column: int
    code: str
    message: str


class Unedited:
    """What a server finds wrong in files as they are, in its own data.

    Attributes:
        files: by address; what is not in it was not asked about.
        whole: whether everything was asked about: of any other file nothing is wrong.
    """

    def __init__(self) -> None:
        self.files: dict[str, list[Any]] = {}
        self.whole = False

    def of(self, uri: str) -> list[Any] | None:
        """A file's, or None where it is not known."""
        return self.files.get(uri, [] if self.whole else None)

    def forget(self) -> None:
        """Know nothing any more: what is wrong in a file depends on the others."""
        self.files.clear()
        self.whole = False


def report(result: Any) -> list[Any]:
    """Of `DocumentDiagnosticReport`."""
    kind = field(result, "kind", str)
    if kind != "full":  # "unchanged" is said only to who names an earlier report, and nobody does
        raise InvalidData("kind", kind, '"full"')
    return listed(field(result, "items", list), "items")


def reports(result: Any) -> dict[str, list[Any]]:
    """Of `WorkspaceDiagnosticReport`: those of every file in which something is found, by address."""
    found: dict[str, list[Any]] = {}
    for uri, items in each(field(result, "items", list), _of_file, "items"):
        if items:
            found[uri] = [*found.get(uri, []), *items]
    return found


def findings(items: list[Any]) -> list[Finding]:
    """Of `Diagnostic[]`: the errors and warnings."""
    return [finding for finding in each(items, _finding, "items") if finding is not None]


def news(before: Iterable[Finding], after: Iterable[Finding]) -> list[Finding]:
    """Which of the findings after an edit are new, both in the same coordinates.

    A line on which there was such an error before has as many more as there are more of them, whatever they say: an
    error that was there is often worded otherwise, since messages spell out the types that an edit changes.
    """
    old = Counter((finding.line, finding.code) for finding in before)
    same = Counter((finding.line, finding.code, finding.message) for finding in before)
    ordered = sorted(after, key=lambda it: (it.line, it.code, not same[it.line, it.code, it.message], it))
    fresh: list[Finding] = []
    for finding in ordered:
        if old[finding.line, finding.code]:
            old[finding.line, finding.code] -= 1
        else:
            fresh.append(finding)
    return fresh


def _of_file(data: Any) -> tuple[str, list[Any]]:
    return field(data, "uri", str), report(data)


def _finding(item: Any) -> Finding | None:
    extent = field(item, "range", dict)
    severity = 1 if item.get("severity") is None else field(item, "severity", int)
    if severity not in _SEVERITIES:
        raise InvalidData("severity", severity, "one from 1 to 4")
    if severity > _WARNING or _UNNECESSARY in listed(item.get("tags"), "tags"):
        return None
    line, column = position(extent, "start")
    code = item.get("code")
    return Finding(line, column, opening(str(code), MAX_CODE) if isinstance(code, str | int) else "", _said(item))


def _said(item: Any) -> str:
    """What a diagnostic says first; what explains it further comes behind a blank line."""
    said = field(item, "message", str).strip()
    return opening(said.partition("\n\n")[0], MAX_MESSAGE)
