"""Labels from history: which commits are worth asking about, and what they say of the places of an answer. Pure.

    why = noise(commit, pairs)                      a reason to pass a commit over, or None
    asked = question(made, target, seed)            the question that the commit answers
    verdict(asked.change, node, evidence)           what the commit says of a node, or None where it says nothing

A place that the commit touched, or a fix soon after, had to follow. One that neither touched is a negative with little
confidence: history is silent about what it got wrong.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

import attrs

from tidepool.asking import TAGS, UNTAGGED, Phrased, phrase
from tidepool.cases import WITHIN_LINES, Spot
from tidepool.change import Change, ChangeKind, Target
from tidepool.domain import NodeContext, Rubric, Tag
from tidepool.kinds import GONE_KINDS, OPTIONAL_KINDS, PARAMETER_KINDS, PART_KINDS, VARIANT_KINDS
from tidepool.reading.mentions import BRANCHES, DISPATCHES, TEXTS, SiteKind
from tidepool.rules import rate
from tidepool.seeds import shuffled
from tidepool.sites import Site, Subject, classify
from tidepool.training.differences import Made
from tidepool.training.phrasings import FRAMES, phrasings
from tidepool.training.touched import UNTOUCHED, Hunk, Span, Touched, calls_within, span

MOST_FILES: Final = 40
"""Files that a commit may touch: one that touches more does many things, or the same thing to everything."""

MOST_LINES: Final = 1500
"""Lines that a commit may touch in Python files."""

MOST_CHANGES: Final = 3
"""Changes of definitions that a commit may make: of more, nobody can say which one a place had to follow."""

REFORMATTED: Final = 0.5
"""The share of a commit's Python files that mean the same as before, from which it is one of formatting."""

REWRITTEN: Final = 0.5
"""The share of a file's lines from which, where all are touched, none is said to have followed a change."""

FIX_COMMITS: Final = 40
FIX_DAYS: Final = 14
"""How soon a fix has to follow, in commits and in days."""

FIX_WORDS: Final = frozenset(
    "fix fixes fixed fixing bug bugs forgot forgotten missed missing regression broke broken breaks follow-up followup"
    " oops revert correct repair leftover leftovers remaining".split()
)
"""What the subject of a commit says that mends an earlier one."""


class Passed(StrEnum):
    """Why a commit, or a change in it, gives no examples."""

    MERGE = "a merge"
    FIRST = "a commit without a parent"
    NO_PYTHON = "no Python was changed"
    MANY_FILES = f"more than {MOST_FILES} files"
    MANY_LINES = f"more than {MOST_LINES} lines"
    FORMATTING = "bulk reformatting"
    FOREIGN = "only vendored or generated code"
    NO_CHANGE = "no definition was changed in a known way"
    MANY_CHANGES = f"more than {MOST_CHANGES} changes of definitions"
    SAME_NAME = "another definition has the same name"
    ALONE = "nothing else mentions the definition"
    NO_QUESTION = "no phrasing is understood"
    UNANSWERED = "the question could not be answered"
    NOTHING_FOLLOWED = "no place had to follow"


class AnyCommit(Protocol):
    """What is to be known of a commit."""

    @property
    def id(self) -> str:
        """Its hash."""
        ...

    @property
    def parents(self) -> tuple[str, ...]:
        """The hashes of its parents."""
        ...

    @property
    def time_s(self) -> int:
        """When it was made, in seconds since 1970."""
        ...

    @property
    def subject(self) -> str:
        """The first line of its message."""
        ...


_FOREIGN_FOLDERS: Final = frozenset(
    "vendor vendored _vendor _vendored third_party thirdparty extern externals node_modules site-packages generated"
    " _generated build dist".split()
)
_GENERATED_ENDS: Final = ("_pb2.py", "_pb2_grpc.py", "_pb2.pyi", "_version.py", ".gen.py", "_generated.py")


def is_foreign(path: str) -> bool:
    """Whether a file is vendored or generated, by its path."""
    return not _FOREIGN_FOLDERS.isdisjoint(path.split("/")[:-1]) or path.endswith(_GENERATED_ENDS)


def is_python(path: str) -> bool:
    """Whether a file is Python of the codebase's own."""
    return path.endswith((".py", ".pyi")) and not is_foreign(path)


def noise_of_paths(commit: AnyCommit, paths: Sequence[str]) -> Passed | None:
    """Why a commit is passed over, as far as its parents and the paths that it touched tell."""
    if len(commit.parents) != 1:
        return Passed.MERGE if commit.parents else Passed.FIRST
    if not any(path.endswith((".py", ".pyi")) for path in paths):
        return Passed.NO_PYTHON
    if len(paths) > MOST_FILES:
        return Passed.MANY_FILES
    return None if any(map(is_python, paths)) else Passed.FOREIGN


def noise_of_texts(before: Mapping[str, str], after: Mapping[str, str], lines: int) -> Passed | None:
    """Why a commit is passed over, as far as its Python files tell.

    Args:
        lines: how many lines of theirs it touched.
    """
    if lines > MOST_LINES:
        return Passed.MANY_LINES
    both = [path for path in before if path in after]
    if len(both) <= 1:  # a file that is formatted alone makes no change that is known
        return None
    same = sum(means_the_same(before[path], after[path]) for path in both)
    return Passed.FORMATTING if same >= REFORMATTED * len(both) else None


def means_the_same(before: str, after: str) -> bool:
    """Whether two texts have the same syntax tree: they differ in layout, quotes and comments."""
    try:
        return ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return before.split() == after.split()


def followers(commits: Sequence[AnyCommit], commit: AnyCommit) -> Iterator[AnyCommit]:
    """The commits soon after one that are built on it, oldest first."""
    children: dict[str, list[AnyCommit]] = {}
    for each in reversed(commits):
        for parent in each.parents:
            children.setdefault(parent, []).append(each)
    seen, waiting = {commit.id}, deque(children.get(commit.id, ()))
    given = 0
    while waiting and given < FIX_COMMITS:
        each = waiting.popleft()
        if each.id in seen or each.time_s - commit.time_s > FIX_DAYS * 86_400:
            continue
        seen.add(each.id)
        waiting.extend(children.get(each.id, ()))
        given += 1
        yield each


def is_fix(subject: str, change: Change) -> bool:
    """Whether the subject of a later commit speaks of mending something, or names what was changed."""
    words = {word.strip(".,:;!?()[]`'\"#").lower() for word in subject.split()}
    names = {change.targets[0].name, change.new_name, change.member} - {None}
    named = {str(name).lower() for name in names if name and len(name) > 3}
    return not FIX_WORDS.isdisjoint(words) or not named.isdisjoint(words)


class Asked(NamedTuple):
    """A change with the question about it."""

    change: Change
    phrased: Phrased


_FURTHER: Final[Mapping[ChangeKind, tuple[str, ...]]] = {
    ChangeKind.ADD_PARAMETER: (
        "What breaks if I add an optional parameter `$member` to `$name`?",
        "Which callers are concerned if `$name` gets a new parameter `$member` with a default?",
        "add an optional argument $member to $name",
        "I want to give `$name` an optional parameter `$member`. What else should change?",
    ),
    ChangeKind.ADD_FIELD: (
        "What breaks if I add an optional field `$member` to `$name`?",
        "add an optional field $member to $name",
        "I want to give `$name` an optional field `$member`. What else should change?",
    ),
    ChangeKind.CHANGE_PARAMETER_TYPE: (
        "What breaks if I widen the parameter `$member` of `$name`?",
        "widen the parameter $member of $name",
        "Widen the parameter `$member` of `$name` so that it takes more types. What else should change?",
    ),
    ChangeKind.RENAME: (  # of a parameter
        "What breaks if I rename the parameter `$member` of `$name` to `$new`?",
        "rename the parameter $member of $name to $new",
        "Which calls have to follow when the parameter `$member` of `$name` is renamed to `$new`?",
    ),
}
"""Ways to ask about what is optional, and about a parameter's name."""


def question(made: Made, target: Target, seed: str) -> Asked | None:
    """A question that is read as exactly the change that was made; None where no phrasing is.

    Args:
        target: how the definition is called where its name alone means others as well.
    """
    if made.change.kind in PART_KINDS and not target.container:
        target = Target(target.name, made.symbol.container.rpartition(".")[2])
    change = attrs.evolve(made.change, targets=(target,))
    is_special = change.optional or (change.kind is ChangeKind.RENAME and change.member is not None)
    if is_special:
        cores = _FURTHER.get(change.kind, ())
        ways = shuffled((frame.format(core) for core in cores for frame in FRAMES), seed)
    else:
        ways = phrasings(change.kind, seed)
    tagged = None if change.kind in UNTAGGED and not made.is_to_function else TAGS.get(change.kind, (Tag.MODULE,))
    tag = shuffled((None, *(tagged or ())), f"{seed} tag")[0]
    phrased = phrase(change, ways, (tag,) if tag else ())
    return phrased and Asked(change, phrased)


@attrs.frozen
class Evidence:
    """What a commit and its followers did to the files of an answer, in their lines before the commit.

    Attributes:
        own: the lines of the definition that changed, of which nothing is said.
        others: what else the commit changed, by name: a place that mentions it may have followed that.
        sources: the text of each Python file that was touched.
        at_once: what the commit itself touched, by path; None where the file was rewritten, renamed or deleted.
        soon_after: what fixes touched, by path.
    """

    own: tuple[Spot, Spot]
    others: frozenset[str]
    sources: Mapping[str, str] = attrs.field(repr=False)
    at_once: Mapping[str, Touched | None]
    soon_after: Mapping[str, Touched] = attrs.field(factory=dict)


def is_rewritten(before: str, done: Touched) -> bool:
    """Whether a commit touched so much of a file that a line of it says nothing."""
    return len(done.lines) > max(20, REWRITTEN * (before.count("\n") + 1))


def verdict(change: Change, node: NodeContext, evidence: Evidence, tags: tuple[Tag, ...] = ()) -> Rubric | None:
    """What history says of a node; None where it says nothing.

    That is so of the definition itself, of a file that was rewritten, and of a place that was touched though what is
    asked about does not stand there.
    """
    first, last = evidence.own
    done = evidence.at_once.get(node.path, UNTOUCHED)
    if done is None or (node.path == first.path and first.line <= node.line <= last.line):
        return None
    site = classify(change, node)
    there = _span(change, site.kind, node, evidence)
    later = evidence.soon_after.get(node.path, UNTOUCHED)
    for hunks, who, confidence in ((done.within(*there), _AT_ONCE, 5), (later.within(*there), _SOON_AFTER, 4)):
        if hunks:
            followed = _is_about(change, site, node, there, evidence) and _is_for_it(
                change, hunks, evidence.sources.get(node.path), there
            )
            why = f"{who} changed this place too: {site.kind}."
            return _followed(change, site.kind, confidence, why) if followed else None
    is_unsure = any(each.is_near(*there, WITHIN_LINES) for each in (done, later))  # a guard above it may be for it
    if is_unsure or _contradicts(change, site):
        return None
    return _untouched(rate(change, node, tags), is_mention=site.kind is not SiteKind.NONE)


def _contradicts(change: Change, site: Site) -> bool:
    """Whether a place still writes a name that is gone: it was forgotten, or the name was kept in some other way.

    What moved is only imported from elsewhere, and its uses stay; but documents are forgotten then as well.
    """
    if change.kind not in GONE_KINDS or site.kind is SiteKind.NONE:
        return False
    return site.kind in TEXTS or change.kind is not ChangeKind.MOVE


_AT_ONCE: Final = "The commit that did this"
_SOON_AFTER: Final = "A fix soon after the commit that did this"


def _is_about(change: Change, site: Site, node: NodeContext, there: Span, evidence: Evidence) -> bool:
    """Whether a place that was touched was so for the change: it names what changed, and nothing else that did."""
    if site.kind is SiteKind.NONE or site.subject is Subject.WORD:
        return False
    if change.kind in VARIANT_KINDS:
        return change.kind is not ChangeKind.ADD_VARIANT or site.kind in _LISTING
    words = words_of(_written(node, there, evidence))
    return called(change) in words and evidence.others.isdisjoint(words)


def _is_for_it(change: Change, hunks: Sequence[Hunk], source: str | None, there: Span) -> bool:
    """Whether what stands there instead can be what the change asked for.

    Who only deletes a place, or moves it, had no need to where the name stays. A call whose arguments are the same did
    not follow a change of a parameter, and nobody follows an optional one without naming it.
    """
    if change.kind in GONE_KINDS and not (change.kind is ChangeKind.RENAME and change.member):
        return True
    if change.kind in VARIANT_KINDS or source is None:
        return True
    instead = "\n".join(hunk.instead for hunk in hunks)
    words = words_of(instead)
    if called(change) not in words or (change.optional and change.member not in words):
        return False
    calls = calls_within(source, called(change), there) if change.kind in _OF_PARAMETERS else []
    return not calls or any(call not in "".join(instead.split()) for call in calls)


_OF_PARAMETERS: Final = PARAMETER_KINDS | {ChangeKind.ADD_PARAMETER, ChangeKind.ADD_FIELD}


def called(change: Change) -> str:
    """What a use of what changes is written as: a constructor by its class's name."""
    target = change.targets[0]
    return target.container.rpartition(".")[2] if target.name == "__init__" else target.name


def words_of(code: str) -> frozenset[str]:
    """The names and words of some code."""
    return frozenset("".join(char if char.isalnum() or char == "_" else " " for char in code).split())


def _written(node: NodeContext, there: Span, evidence: Evidence) -> str:
    source = evidence.sources.get(node.path)
    return node.code if source is None else "\n".join(source.split("\n")[there.first - 1 : there.last])


def _span(change: Change, kind: SiteKind, node: NodeContext, evidence: Evidence) -> Span:
    source = evidence.sources.get(node.path)
    if source is None or not node.path.endswith((".py", ".pyi")):
        return Span(node.line, node.line)
    branches = change.kind in VARIANT_KINDS and kind in _TOLD_APART
    body = change.kind is ChangeKind.ADD_ABSTRACT_METHOD and kind is SiteKind.SUBCLASS
    return span(source, node.line, branches=branches, body=body)


_LISTING: Final = DISPATCHES | {SiteKind.TALLY, SiteKind.ITERATION}
_TOLD_APART: Final = BRANCHES | {SiteKind.TABLE, SiteKind.ENUMERATION, SiteKind.TABLE_VALUE, SiteKind.LITERAL}


def _followed(change: Change, kind: SiteKind, confidence: int, why: str) -> Rubric:
    is_needed = not (change.optional and change.kind in OPTIONAL_KINDS) and kind not in TEXTS
    return Rubric(5, 5 if is_needed else 3, confidence, why)


def _untouched(rubric: Rubric, *, is_mention: bool) -> Rubric:
    relevance, risk = min(rubric.relevance, 3), min(rubric.risk, 2 if is_mention else 1)
    why = "The commit that did this, and the fixes soon after, left this place as it is"
    return Rubric(relevance, risk, 3, f"{why}.")
