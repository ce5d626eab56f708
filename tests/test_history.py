from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.clock import stopped_clock
from interpreters.edge.dataset.history import Tally, history
from tests.repositories import commit, git
from tidepool.change import Change, ChangeKind, Target, read_change
from tidepool.domain import TrainingExample
from tidepool.errors import ConfigError
from tidepool.training.annotations import alternatives
from tidepool.training.answered import Answered, is_positive
from tidepool.training.differences import AT_ONCE, REBOUND, UNPARSED, changes_between
from tidepool.training.history import (
    MOST_FILES,
    Passed,
    followers,
    is_fix,
    is_foreign,
    means_the_same,
    noise_of_paths,
    noise_of_texts,
)
from tidepool.training.touched import Span, span, touched

BODY = "    return [item for item in order if item.price > 3 and item.sold]\n"


def told(before: str | Mapping[str, str], after: str | Mapping[str, str]) -> list[tuple[object, ...]]:
    """What is told of a commit: the kind, the definition, the member, the new name, and whether it is optional."""
    old = {"shop/till.py": before} if isinstance(before, str) else before
    new = {"shop/till.py": after} if isinstance(after, str) else after
    return [
        (
            one.change.kind,
            one.change.targets[0].qualified_name,
            one.change.member,
            one.change.new_name,
            one.change.optional,
        )
        for one in changes_between(old, new).made
    ]


C = ChangeKind
ENUM = "class Kind(Enum):\n    A = 1\n"
RECORD = "@dataclass\nclass Order:\n    total: int\n"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (ENUM, ENUM + "    B = 2\n", (C.ADD_VARIANT, "Kind", "B", None, False)),
        (ENUM + "    B = 2\n", ENUM, (C.REMOVE_VARIANT, "Kind.B", "B", None, False)),
        ("def pay(a): ...", "def pay(a, b): ...", (C.ADD_PARAMETER, "pay", "b", None, False)),
        ("def pay(a): ...", "def pay(a, *, b=1): ...", (C.ADD_PARAMETER, "pay", "b", None, True)),
        ("def pay(a, b): ...", "def pay(a): ...", (C.REMOVE_PARAMETER, "pay", "b", None, False)),
        ("def pay(a: int): ...", "def pay(b: int): ...", (C.RENAME, "pay", "a", "b", False)),
        ("def pay(a: int): ...", "def pay(a: str): ...", (C.CHANGE_PARAMETER_TYPE, "pay", "a", None, False)),
        ("def pay(a: int): ...", "def pay(a: int | None): ...", (C.CHANGE_PARAMETER_TYPE, "pay", "a", None, True)),
        ("def pay() -> int: ...", "def pay() -> str: ...", (C.CHANGE_RETURN_TYPE, "pay", None, None, False)),
        ("def pay() -> int: ...", "def pay() -> Optional[int]: ...", (C.MAKE_NULLABLE, "pay", None, None, False)),
        (RECORD, RECORD + "    rate: int\n", (C.ADD_FIELD, "Order", "rate", None, False)),
        (RECORD, RECORD + "    rate: int = 1\n", (C.ADD_FIELD, "Order", "rate", None, True)),
        (RECORD, RECORD + "    rate: int = field(repr=False)\n", (C.ADD_FIELD, "Order", "rate", None, False)),
        (RECORD + "    rate: int\n", RECORD, (C.REMOVE_FIELD, "Order.rate", "rate", None, False)),
        (RECORD, RECORD.replace("total", "sum"), (C.RENAME_FIELD, "Order.total", "total", "sum", False)),
        (f"def pay(order):\n{BODY}", f"def settle(order):\n{BODY}", (C.RENAME, "pay", None, "settle", False)),
        (f"def pay(order):\n{BODY}\nX = 1\n", "X = 1\n", (C.REMOVE, "pay", None, None, False)),
        (
            "class Base:\n    x = 1\n",
            "class Base:\n    x = 1\n    @abstractmethod\n    def go(self): ...\n",
            (C.ADD_ABSTRACT_METHOD, "Base", "go", None, False),
        ),
        ("Money = Union[int, str]", "Money = Union[int, float]", (C.CHANGE_ALIAS, "Money", None, None, False)),
    ],
)
def test_a_change_is_told_by_its_kind(before: str, after: str, expected: tuple[object, ...]) -> None:
    assert told(before, after) == [expected]


def test_a_definition_that_moves_is_told_with_its_new_module() -> None:
    before = {"src/shop/till.py": f"def pay(order):\n{BODY}", "src/shop/bank.py": ""}
    after = {"src/shop/till.py": "", "src/shop/bank.py": f"def pay(order):\n{BODY}"}
    assert told(before, after) == [(C.MOVE, "pay", None, "shop.bank", False)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def pay(a: Optional[List[int]]): ...", "def pay(\n    a: 'list[int] | None',\n): ..."),
        ("def pay(a): ...", "def pay(a: int) -> str: ..."),
        ("def pay(a):\n    return 1", "def pay(a):\n    # why\n    return 2"),
        ("class A:\n    x = 1\n", "class A:\n    x = 1\n    y = 2\n"),
        ("class A(Enum):\n    X = 1\n", 'class A(Enum):\n    "Says."\n    X = 2\n'),
    ],
    ids=["spelling of types", "new annotations", "bodies", "plain attributes", "values"],
)
def test_what_nobody_has_to_follow_is_no_change(before: str, after: str) -> None:
    assert told(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("def pay(a): ...", "def pay(b: int, c): ...", AT_ONCE),
        ("def pay(a): ...", "from bank import pay", REBOUND),
        ("class A:\n    x: int\n", "class A:\n    def __init__(self): self.x = 1\n", REBOUND),
        ("class A:\n    def go(self): ...\n", "class A:\n    def __init__(self): self.go = 1\n", REBOUND),
        ("class A:\n    x: int\n", "class B:\n    x: int\nclass A(B): ...\n", REBOUND),
        ("def pay(a): ...", "def pay(a:", UNPARSED),
    ],
    ids=["several", "imported", "assigned", "replaced", "inherited", "broken"],
)
def test_what_is_not_clear_is_left_out_and_counted(before: str, after: str, why: str) -> None:
    found = changes_between({"a.py": before}, {"a.py": after})
    assert (found.made, found.left_out) == ((), {why: 1})


def test_changes_of_test_code_are_not_told() -> None:
    assert told({"tests/test_a.py": "def pay(a): ..."}, {"tests/test_a.py": "def pay(a, b): ..."}) == []


@given(st.text(max_size=40))
def test_any_text_can_be_read_as_an_annotation(text: str) -> None:
    assert alternatives(text)


@pytest.mark.parametrize(
    ("before", "after", "lines", "gaps"),
    [
        ("a\nb\nc", "a\nX\nc", {2}, set()),
        ("a\nb\nc", "a\nb\nX\nc", set(), {2}),
        ("a\nb\nc", "a\nc", {2}, set()),
        ("a\n  b\nc", "a\n    b\nc", set(), set()),
        ("a", "X\na", set(), {0}),
        ("same", "same", set(), set()),
    ],
)
def test_lines_that_were_touched_are_those_before_the_commit(
    before: str, after: str, lines: set[int], gaps: set[int]
) -> None:
    done = touched(before, after)
    assert (set(done.lines), set(done.gaps)) == (lines, gaps)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_what_was_not_touched_is_still_there(before: list[str], after: list[str]) -> None:
    done = touched("\n".join(before), "\n".join(after))
    kept = [line for number, line in enumerate(before, start=1) if number not in done.lines]
    rest = iter(after)
    assert all(line in rest for line in kept)


def test_a_place_spans_what_begins_on_its_line() -> None:
    source = "x = pay(\n    a,\n    b,\n)\ndef f(\n    c,\n):\n    return 1\n"
    assert [span(source, line) for line in (1, 2, 5, 8)] == [Span(1, 4), Span(2, 2), Span(5, 7), Span(8, 8)]


def test_a_branch_stands_for_its_chain_where_that_is_asked_for() -> None:
    source = "if a is X:\n    f()\nelif a is Y:\n    g()\n"
    assert span(source, 3, branches=True) == Span(1, 4)
    assert span(source, 3) == Span(3, 3)


def test_a_commit_is_passed_over_for_a_reason_that_is_named() -> None:
    class Made:
        id, time_s, subject = "a", 0, ""

        def __init__(self, *parents: str) -> None:
            self.parents = parents

    assert noise_of_paths(Made("b", "c"), ["a.py"]) is Passed.MERGE
    assert noise_of_paths(Made(), ["a.py"]) is Passed.FIRST
    assert noise_of_paths(Made("b"), ["a.md"]) is Passed.NO_PYTHON
    assert noise_of_paths(Made("b"), ["a.py"] * (MOST_FILES + 1)) is Passed.MANY_FILES
    assert noise_of_paths(Made("b"), ["app/_vendor/a.py", "b.md"]) is Passed.FOREIGN
    assert noise_of_paths(Made("b"), ["app/a.py"]) is None


def test_reformatting_is_seen_through() -> None:
    ugly, nice = "x = {'a':1,\n'b' : 2}\n", 'x = {\n    "a": 1,  # one\n    "b": 2,\n}\n'
    assert means_the_same(ugly, nice)
    assert not means_the_same(ugly, nice.replace("2", "3"))
    assert noise_of_texts({"a.py": ugly, "b.py": ugly}, {"a.py": nice, "b.py": nice}, 9) is Passed.FORMATTING
    assert noise_of_texts({"a.py": ugly}, {"a.py": "y = 1"}, 9) is None
    assert noise_of_texts({}, {}, 10_000) is Passed.MANY_LINES


@pytest.mark.parametrize(
    ("path", "foreign"), [("a/vendor/b.py", True), ("a/b_pb2.py", True), ("vendor.py", False), ("a/b.py", False)]
)
def test_foreign_code_is_known_by_its_path(path: str, *, foreign: bool) -> None:
    assert is_foreign(path) is foreign


@pytest.mark.parametrize(
    ("subject", "expected"),
    [("Fix crash (#12)", True), ("forgot one call", True), ("`settle`: docs", True), ("Add a prefix", False)],
)
def test_a_fix_says_so_or_names_what_changed(subject: str, *, expected: bool) -> None:
    assert is_fix(subject, Change(C.RENAME, (Target("pay"),), None, "settle")) is expected


SHOP: Mapping[str, str | None] = {
    "shop/till.py": f"def pay(order):\n{BODY}\n\ndef greet(name):\n    return name\n",
    "shop/day.py": "from shop.till import greet, pay\n\n\n"
    "def close(orders):\n    return [pay(one) for one in orders]\n",
    "shop/night.py": "import shop.till\n\n\ndef late(order):\n    print('late')\n    return shop.till.pay(order)\n",
    "shop/__init__.py": "",
}
SETTLED: Mapping[str, str | None] = {
    "shop/till.py": f"def settle(order):\n{BODY}\n\ndef greet(name):\n    return name\n",
    "shop/day.py": "from shop.till import greet, settle\n\n\n"
    "def close(orders):\n    return [settle(one) for one in orders]\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "repository"
    made.mkdir()
    git(made, "init", "-q", "-b", "main")
    commit(made, dict(SHOP), "begin")
    return made


def answers(folder: Path, tally: Tally | None = None, *, seed: int = 0, most: int = 99) -> list[Answered]:
    """What the history of a repository answers."""

    async def collect() -> list[Answered]:
        told = history(
            folder,
            "HEAD",
            name="shop",
            seed=seed,
            licence="MIT",
            commits_looked_at=most,
            python=None,
            tally=tally,
            clock=stopped_clock(datetime(2026, 1, 15, tzinfo=UTC)),
        )
        return [answered async for answered in told if answered.examples]

    return asyncio.run(collect())


def by_place(answered: Answered) -> dict[str, TrainingExample]:
    return {example.node.location: example for example in answered.examples}


def test_what_the_commit_touched_is_positive_and_a_fix_soon_after_as_well(folder: Path) -> None:
    parent = git(folder, "rev-parse", "HEAD")
    commit(folder, dict(SETTLED), "rename")
    commit(folder, {"shop/night.py": str(SHOP["shop/night.py"]).replace("till.pay", "till.settle")}, "forgot the night")
    tally = Tally()
    (answered,) = answers(folder, tally)
    places = by_place(answered)
    rated = {place: (one.rubric.relevance, one.rubric.risk, one.rubric.confidence) for place, one in places.items()}
    assert rated["shop/day.py:5"] == rated["shop/day.py:1"] == (5, 5, 5)
    assert rated["shop/night.py:6"] == (5, 5, 4)
    assert "fix" in places["shop/night.py:6"].rubric.reasoning.lower()
    assert not any(place.startswith("shop/till.py:1") for place in places), "the definition itself is no example"
    read = read_change(places["shop/day.py:5"].query)
    assert (read.kind, read.targets[0], read.new_name) == (C.RENAME, Target("pay"), "settle")
    provenance = places["shop/day.py:5"].provenance
    assert provenance is not None
    assert (provenance.codebase, provenance.revision, provenance.labeller) == ("shop", parent, "history")
    assert (provenance.licence, provenance.language, provenance.change_kind) == ("MIT", "Python", "rename")
    assert tally.positives == sum(is_positive(example.rubric) for example in answered.examples)
    assert tally.asked == {"rename": 1}


CASH: Mapping[str, str | None] = {
    "shop/till.py": str(SHOP["shop/till.py"]).replace("pay(order)", "pay(order, cash)"),
    "shop/day.py": str(SHOP["shop/day.py"]).replace("pay(one)", "pay(one, 1)"),
}


def test_a_place_that_nobody_touched_is_a_negative_with_little_confidence(folder: Path) -> None:
    commit(folder, dict(CASH), "ask for cash")
    (answered,) = answers(folder)
    rubric = by_place(answered)["shop/night.py:6"].rubric
    assert (rubric.relevance <= 3, rubric.risk <= 2, rubric.confidence) == (True, True, 3)


def test_a_later_commit_that_mends_nothing_does_not_count(folder: Path) -> None:
    commit(folder, dict(CASH), "ask for money")
    commit(folder, {"shop/night.py": str(SHOP["shop/night.py"]).replace("pay(order)", "pay(order, 0)")}, "more work")
    (answered,) = answers(folder)
    assert not is_positive(by_place(answered)["shop/night.py:6"].rubric)


def test_a_place_that_still_writes_a_name_that_is_gone_is_no_example(folder: Path) -> None:
    commit(folder, dict(SETTLED), "rename")
    (answered,) = answers(folder)
    assert "shop/day.py:5" in by_place(answered)
    assert "shop/night.py:6" not in by_place(answered)


def test_a_call_that_is_only_moved_did_not_follow_a_new_parameter(folder: Path) -> None:
    till, day, night = (str(SHOP[f"shop/{name}.py"]) for name in ("till", "day", "night"))
    commit(
        folder,
        {
            "shop/till.py": till.replace("pay(order)", "pay(order, cash)"),
            "shop/day.py": day.replace("pay(one)", "pay(one, 1)"),
            "shop/night.py": night.replace("return shop.till.pay(order)", "return [shop.till.pay(order)]"),
        },
        "ask for cash",
    )
    (answered,) = answers(folder)
    places = by_place(answered)
    assert is_positive(places["shop/day.py:5"].rubric)
    assert "shop/night.py:6" not in places


def test_the_same_seed_gives_the_same_answers(folder: Path) -> None:
    commit(folder, dict(SETTLED), "rename")
    assert answers(folder, seed=3) == answers(folder, seed=3) != []


def test_what_is_passed_over_is_counted_by_reason(folder: Path) -> None:
    git(folder, "checkout", "-q", "-b", "side")
    commit(folder, {"README.md": "A shop.\n"}, "documents")
    git(folder, "checkout", "-q", "main")
    commit(folder, {f"shop/all/m{number}.py": "X = 1\n" for number in range(MOST_FILES + 1)}, "huge")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "side")
    commit(folder, {path: f"{text}\n\n# end\n" for path, text in SHOP.items()}, "tidy up")
    tally = Tally()
    assert answers(folder, tally) == []
    reasons = (Passed.MERGE, Passed.FIRST, Passed.NO_PYTHON, Passed.MANY_FILES, Passed.FORMATTING)
    assert tally.passed == dict.fromkeys(reasons, 1)
    assert tally.commits == 5


def test_a_change_that_nothing_follows_gives_no_examples(folder: Path) -> None:
    commit(folder, {"shop/till.py": str(SHOP["shop/till.py"]).replace("(name)", "(name, loud=False)")}, "louder")
    tally = Tally()
    assert answers(folder, tally) == []
    assert tally.passed[Passed.NOTHING_FOLLOWED] == 1


def test_followers_are_built_on_the_commit(folder: Path) -> None:
    from interpreters.git import open_repository

    first = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "-q", "-b", "side")
    commit(folder, {}, "beside")
    git(folder, "checkout", "-q", "main")
    second = commit(folder, {}, "next")
    third = commit(folder, {}, "after")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "side")
    with open_repository(folder) as repository:
        commits = repository.commits(repository.resolve("HEAD"), 9)
    by_id = {one.id: one for one in commits}
    assert [one.subject for one in followers(commits, by_id[second])] == ["after", "merge"]
    assert {one.subject for one in followers(commits, by_id[first])} == {"beside", "next", "after", "merge"}
    assert [one.subject for one in followers(commits, by_id[third])] == ["merge"]


def test_a_folder_without_history_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no git repository"):
        answers(tmp_path)
