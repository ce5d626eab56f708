"""Cases: how they are written and read, which changes they are made of, how these are asked about and labelled."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.checkers import CHECKERS, TY, Checker, Labeller, copied
from interpreters.edge.tidepool_cli import main
from tidepool.asking import PHRASINGS, ask
from tidepool.candidates import SUITS, Candidate, Skipped, Sources, candidates
from tidepool.cases import Case, Spot, grouped, labels, own_lines, read_cases, unedited, written
from tidepool.change import Change, ChangeKind, Target, read_change
from tidepool.definitions import Defined, definitions, exports
from tidepool.domain import Tag
from tidepool.effects.lsp import Edit, Splice, SymbolKind
from tidepool.errors import BadAnswer, InvalidData, Unavailable
from tidepool.seeds import shuffled

SHOP = {
    "shop/__init__.py": "",
    "shop/orders.py": '''\
"""Orders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, Union, assert_never

Amount: TypeAlias = Union[int, float]
Rate = Union[int, float]


class Status(Enum):
    OPEN = "open"
    PAID = "paid"


@dataclass
class Order:
    number: int
    amount: Amount
    status: Status = Status.OPEN

    @classmethod
    def of(cls, number: int) -> Order:
        return cls(number, 0)

    def total(
        self,
        rate: Rate,
    ) -> float:
        return self.amount * rate

    @property
    def label(self) -> str:
        return describe(self)


class Store:
    def load(self, number: int) -> Order:
        return Order(number, 0)


class MemoryStore(Store):
    def load(self, number: int) -> Order:
        return Order(number, 1)


def describe(order: Order) -> str:
    match order.status:
        case Status.OPEN:
            return "open"
        case Status.PAID:
            return "paid"
        case other:
            assert_never(other)
''',
    "shop/till.py": """\
from shop.orders import MemoryStore, Order, Rate, Status, Store, describe


def pay(store: Store, number: int, rate: Rate = 1) -> float:
    order = store.load(number)
    return order.total(rate)


def receipt(order: Order) -> str:
    text = describe(order)
    return text.upper()


def new_order(number: int) -> Order:
    return Order(number, 5, Status.OPEN)


def is_paid(order: Order) -> bool:
    return order.status is Status.PAID


def main() -> None:
    pay(MemoryStore(), 1, 2)
    print(receipt(new_order(1)).strip())
""",
    "tests/test_till.py": """\
from shop.orders import Order
from shop.till import pay, receipt


def describe_nothing(order: Order) -> str:
    return receipt(order)
""",
}
CASE = Case(
    id="shop/rename/describe",
    codebase="shop",
    root="shop",
    kind=ChangeKind.RENAME,
    question="What breaks if I rename `describe` to `tell`?",
    tags=(Tag.FUNCTION,),
    name="describe",
    definition="shop/orders.py:48",
    own_lines=(48, 55),
    must=("shop/till.py:1",),
    may=("shop/till.py:1", "shop/till.py:10"),
)


def found(text: str, path: str = "shop/orders.py") -> dict[str, Defined]:
    return {one.symbol.qualified_name: one for one in definitions(path, text)}


def test_cases_are_read_as_they_were_written() -> None:
    assert read_cases(written([CASE])) == (CASE,)
    assert read_cases("\n" + written([CASE, attrs.evolve(CASE, id="other")]) + "\n")[1].id == "other"


@pytest.mark.parametrize(
    ("line", "field", "allowed"),
    [
        ("{", "line 1: JSON text", "JSON"),
        ("[]", "line 1: a case", "an object with id"),
        (written([CASE]).replace('"rename"', '"renam"'), "line 1: kind", "did you mean rename?"),
        (written([CASE]).replace('"root"', '"rot"'), "line 1: rot", "did you mean root?"),
        (written([CASE]).replace("till.py:1", "till.py:0"), "line 1: must[0]", "a line from 1"),
        (
            written([CASE]).replace("[48,55]", "[55,48]").replace("[48, 55]", "[55,48]"),
            "line 1: own_lines",
            "not before",
        ),
        (written([CASE, CASE]), "line 2: id", "one case alone"),
    ],
)
def test_what_is_no_case_is_told_with_its_line(line: str, field: str, allowed: str) -> None:
    with pytest.raises(InvalidData) as raised:
        read_cases(line)
    assert raised.value.field == field
    assert allowed in raised.value.allowed


def test_places_are_grouped_within_two_lines() -> None:
    spots = [Spot("a.py", line) for line in (9, 3, 5, 6)] + [Spot("b.py", 5)]
    assert grouped(spots) == [Spot("a.py", 3), Spot("a.py", 6), Spot("a.py", 9), Spot("b.py", 5)]


def test_what_both_checkers_find_must_change_and_what_either_finds_may() -> None:
    one = {Spot("a.py", 10), Spot("a.py", 50), Spot("c.py", 1)}
    other = {Spot("a.py", 12), Spot("b.py", 10)}
    must, may = labels([one, other], [Spot("d.py", 4)])
    assert must == ("a.py:10",)
    assert may == ("a.py:10", "a.py:12", "a.py:50", "b.py:10", "c.py:1", "d.py:4")


def test_a_function_is_its_own_with_its_body_and_a_class_only_where_it_changes_as_a_whole() -> None:
    defined = found(SHOP["shop/orders.py"])
    order, total = defined["Order"].symbol, defined["Order.total"].symbol
    assert own_lines(ChangeKind.ADD_PARAMETER, total) == (28, 32)
    assert own_lines(ChangeKind.ADD_FIELD, order) == (18, 19)
    assert own_lines(ChangeKind.RENAME, order) == (18, 36)


def test_a_position_under_an_edit_is_found_in_the_text_as_it_is() -> None:
    text = "a = 1\nb = 2\nc = 3\n"
    edit = Edit("x.py", (Splice(6, 6, "new = 0\nmore = 0\n"), Splice(12, 18, "")))
    assert edit.applied(text) == "a = 1\nnew = 0\nmore = 0\nb = 2\n"
    assert unedited(edit, text, 1, 2) == 1
    assert unedited(edit, text, 2, 0) is None
    assert unedited(edit, text, 3, 5) is None
    assert unedited(edit, text, 4, 0) == 2


@given(st.text("ab\n", max_size=40), st.data())
def test_what_an_edit_leaves_alone_is_found_where_it_was(text: str, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4)))
    edit = Edit("x.py", (Splice(ends[0], ends[1], "XX\n"), Splice(ends[2], ends[3], "Y")))
    after = edit.applied(text)
    place = data.draw(st.integers(0, len(after)))
    line, column = after.count("\n", 0, place) + 1, place - (after.rfind("\n", 0, place) + 1)
    at = unedited(edit, text, line, column)
    if place < ends[0]:
        assert at == text.count("\n", 0, place) + 1
    elif place < len(after) and after[place] in "XY":
        assert at is None
    elif place >= len(after) - (len(text) - ends[3]):
        assert at == text.count("\n", 0, len(text) - (len(after) - place)) + 1


def test_definitions_are_read_with_what_can_be_changed_about_them() -> None:
    defined = found(SHOP["shop/orders.py"])
    assert {name: one.symbol.kind for name, one in defined.items()} == {
        "Amount": SymbolKind.VARIABLE,
        "Rate": SymbolKind.VARIABLE,
        "Status": SymbolKind.ENUM,
        "Status.OPEN": SymbolKind.ENUM_MEMBER,
        "Status.PAID": SymbolKind.ENUM_MEMBER,
        "Order": SymbolKind.CLASS,
        "Order.number": SymbolKind.FIELD,
        "Order.amount": SymbolKind.FIELD,
        "Order.status": SymbolKind.FIELD,
        "Order.of": SymbolKind.METHOD,
        "Order.total": SymbolKind.METHOD,
        "Order.label": SymbolKind.PROPERTY,
        "Store": SymbolKind.CLASS,
        "Store.load": SymbolKind.METHOD,
        "MemoryStore": SymbolKind.CLASS,
        "MemoryStore.load": SymbolKind.METHOD,
        "describe": SymbolKind.FUNCTION,
    }
    assert defined["Order"].is_record and not defined["Store"].is_record
    assert {name for name, one in defined.items() if one.is_alias} == {"Amount", "Rate"}
    assert defined["MemoryStore"].bases == ("Store",)
    total = defined["Order.total"]
    assert [(each.name, each.annotation) for each in total.parameters] == [("rate", "Rate")]
    assert (total.returns, total.symbol.first_line, total.symbol.last_line) == ("float", 28, 32)
    assert [each.name for each in defined["Order.of"].parameters] == ["number"]


def test_the_place_of_a_definition_is_where_its_name_stands() -> None:
    text = "größe = 1\nclass A:\n    @staticmethod\n    async def  b(x): ...\n    ä: int = 1; ö: int = 2\n"
    places = {name: one.symbol.place for name, one in found(text, "x.py").items()}
    lines = text.split("\n")
    for name, place in places.items():
        last = name.rpartition(".")[2]
        assert lines[place.line - 1][place.column :].startswith(last)
    assert found(text, "x.py")["A.b"].parameters[0].name == "x"


def test_what_stands_in_branches_is_defined_and_what_stands_in_functions_is_not() -> None:
    text = "if X:\n    def f(): ...\nelse:\n    def g():\n        def inner(): ...\n"
    text += "try:\n    h = 1\nexcept E:\n    i = 2\n"
    assert list(found(text)) == ["f", "g", "h", "i"]


def test_a_file_that_is_no_python_defines_nothing() -> None:
    assert Sources({"a.py": "def (:", "b.py": "def f(): ...", "c.py": "\x00"}).by_path.keys() == {"b.py"}


def every(kind: ChangeKind, files: dict[str, str], seed: int = 0) -> Iterator[Candidate | Skipped]:
    return candidates(Sources(files), kind, seed)


def asked(kind: ChangeKind, files: dict[str, str]) -> dict[str, Candidate]:
    return {one.symbol.qualified_name: one for one in every(kind, files) if isinstance(one, Candidate)}


@pytest.mark.parametrize("kind", SUITS)
def test_every_question_is_read_as_the_change_it_was_made_for(kind: ChangeKind) -> None:
    for seed in range(8):
        made = [one for one in every(kind, SHOP, seed) if isinstance(one, Candidate)]
        assert made
        for one in made:
            read = read_change(one.query)
            assert (read.kind, read.targets[0], read.member, read.new_name) == (
                kind,
                one.change.targets[0],
                one.change.member,
                one.change.new_name,
            )


@pytest.mark.parametrize("kind", PHRASINGS)
def test_every_phrasing_can_be_read(kind: ChangeKind) -> None:
    owner = (
        "" if kind not in (ChangeKind.REMOVE_FIELD, ChangeKind.RENAME_FIELD, ChangeKind.REMOVE_VARIANT) else "Basket"
    )
    member = "weight" if owner else None if kind in NAMELESS else "surcharge"
    new = "mass" if kind in (ChangeKind.RENAME, ChangeKind.RENAME_FIELD) else None
    name = "weight" if owner else "weigh" if kind is ChangeKind.MAKE_ASYNC else "Parcel"
    change = Change(kind, (Target(name, owner),), member, new)
    texts = {query.query for seed in range(200) if (query := ask(change, is_function=True, seed=str(seed)))}
    assert len(texts) == len(PHRASINGS[kind])


NAMELESS = frozenset(
    {
        ChangeKind.RENAME,
        ChangeKind.REMOVE,
        ChangeKind.CHANGE_RETURN_TYPE,
        ChangeKind.MAKE_NULLABLE,
        ChangeKind.MAKE_ASYNC,
        ChangeKind.CHANGE_ALIAS,
    }
)


def test_a_change_that_no_phrasing_asks_about_has_no_question() -> None:
    change = Change(ChangeKind.REMOVE, (Target("None"),))
    assert ask(change, is_function=True, seed="0") is None


def test_a_name_that_two_definitions_share_is_asked_about_by_its_class() -> None:
    questions = asked(ChangeKind.MAKE_NULLABLE, SHOP)
    assert "Store.load" in questions["Store.load"].query.query
    assert "MemoryStore.load" in questions["MemoryStore.load"].query.query
    assert "Order" not in questions["Order.total"].query.query


def test_a_name_that_nothing_tells_apart_is_skipped_and_so_is_one_that_nothing_mentions() -> None:
    files = {"a/x.py": "def f() -> int: ...\n", "b/x.py": "def f() -> int: ...\n", "c.py": "def alone() -> int: ...\n"}
    skipped = {one.symbol.place.path: one.why for one in every(ChangeKind.RENAME, files) if isinstance(one, Skipped)}
    assert skipped == {
        "a/x.py": "another definition has the same name",
        "b/x.py": "another definition has the same name",
        "c.py": "nothing else mentions it",
    }


def test_only_what_its_callers_could_await_becomes_async() -> None:
    assert set(asked(ChangeKind.MAKE_ASYNC, SHOP)) == {
        *("Order.total", "Store.load", "MemoryStore.load"),
        *("describe", "pay", "receipt", "new_order"),
    }
    text = "class A:\n    def __init__(self): ...\n    def __call__(self): ...\n    def each(self): yield 1\n"
    text += "    async def get(self): ...\n    def made(self):\n        def inner():\n            yield 1\n"
    uses = "import a\na.A().each, a.A().get, a.A().made, a.A().__call__\n"
    assert set(asked(ChangeKind.MAKE_ASYNC, {"a.py": text, "b.py": uses})) == {"A.made"}


def test_definitions_in_test_code_are_not_asked_about() -> None:
    assert {one.symbol.place.path for kind in SUITS for one in every(kind, SHOP)} == {"shop/orders.py", "shop/till.py"}


def test_a_class_that_nothing_derives_from_and_a_protocol_get_no_abstract_method() -> None:
    assert set(asked(ChangeKind.ADD_ABSTRACT_METHOD, SHOP)) == {"Store"}
    files = {"a.py": "class P(Protocol):\n    def __call__(self) -> int: ...\n\n\nclass Q(P): ...\n\n\nx: P\n"}
    assert set(asked(ChangeKind.ADD_ABSTRACT_METHOD, files)) == set()


def test_candidates_come_file_by_file_in_turn() -> None:
    paths = [one.symbol.place.path for one in islice(every(ChangeKind.RENAME, SHOP), 6)]
    assert paths[::2] == [paths[0]] * 3 and paths[1::2] == [paths[1]] * 3 and paths[0] != paths[1]


def test_a_seed_makes_an_order_and_another_seed_another() -> None:
    assert list(every(ChangeKind.RENAME, SHOP, 1)) == list(every(ChangeKind.RENAME, SHOP, 1))
    assert list(every(ChangeKind.RENAME, SHOP, 1)) != list(every(ChangeKind.RENAME, SHOP, 2))


@given(st.lists(st.integers(), unique=True), st.text(max_size=5))
def test_one_item_more_leaves_the_order_of_the_others(items: list[int], seed: str) -> None:
    whole = shuffled(items, seed)
    assert sorted(whole) == sorted(items)
    assert shuffled(items[1:], seed) == [item for item in whole if item not in items[:1]]


needs_pyrefly = pytest.mark.skipif(
    shutil.which("pyrefly", path=str(Path(sys.executable).parent)) is None and shutil.which("pyrefly") is None,
    reason="pyrefly is not installed",
)


def write(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def spliced(text: str, old: str, new: str) -> tuple[Splice, ...]:
    at = text.index(old)
    return (Splice(at, at + len(old), new),)


def broken(root: Path, edit: Edit, checkers: tuple[Checker, ...]) -> list[set[Spot]]:
    with copied(root) as copy:
        return asyncio.run(Labeller(copy, checkers, None).found(edit))


def test_a_checker_finds_what_an_edit_breaks_and_not_what_was_broken_before(tmp_path: Path) -> None:
    files = {**SHOP, "shop/wrong.py": 'from shop.orders import describe\n\ndescribe(1)\nx: int = ""\n'}
    root = write(tmp_path / "shop", files)
    edit = Edit(
        "shop/orders.py", spliced(SHOP["shop/orders.py"], "order: Order) -> str", "order: Order, how: int) -> str")
    )
    (spots,) = broken(root, edit, (TY,))
    assert spots == {Spot("shop/orders.py", 36), Spot("shop/till.py", 10), Spot("shop/wrong.py", 3)}


@needs_pyrefly
def test_both_checkers_point_at_the_same_places(tmp_path: Path) -> None:
    root = write(tmp_path / "shop", SHOP)
    text = SHOP["shop/orders.py"]
    edit = Edit("shop/orders.py", spliced(text, 'PAID = "paid"\n', 'PAID = "paid"\n    LOST = "lost"\n'))
    one, other = broken(root, edit, CHECKERS)
    assert one and all(any(spot.is_near(near) for near in other) for spot in one)
    assert labels([one, other]).must == ("shop/orders.py:56",)


def test_the_copy_is_as_it_was_after_an_edit_and_the_codebase_is_never_touched(tmp_path: Path) -> None:
    root = write(tmp_path / "shop", SHOP)
    with copied(root) as copy:
        with copy.edited(Edit("shop/till.py", (Splice(0, 4, "junk"),))):
            assert (copy.folder / "shop/till.py").read_text().startswith("junk ")
            assert (root / "shop/till.py").read_text() == SHOP["shop/till.py"]
        assert (copy.folder / "shop/till.py").read_text() == SHOP["shop/till.py"]
        folder = copy.folder
    assert not folder.exists()


def test_a_codebase_cannot_configure_its_checkers(tmp_path: Path) -> None:
    files = {**SHOP, "ty.toml": '[rules]\nall = "ignore"\n', "pyproject.toml": '[tool.ty.rules]\nall = "ignore"\n'}
    root = write(tmp_path / "shop", files)
    edit = Edit("shop/orders.py", spliced(SHOP["shop/orders.py"], "def describe(", "def tell("))
    (spots,) = broken(root, edit, (TY,))
    assert Spot("shop/till.py", 1) in spots


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (["version"], BadAnswer, "printed what is no list of complaints"),
        (["no-such-command"], Unavailable, "ended with status 2"),
    ],
)
def test_a_checker_that_fails_says_how(tmp_path: Path, arguments: list[str], error: type[Exception], text: str) -> None:
    root = write(tmp_path / "shop", SHOP)
    failing = attrs.evolve(TY, arguments=lambda *_: arguments)
    with pytest.raises(error, match=text):
        broken(root, Edit("shop/till.py", ()), (failing,))


def test_a_checker_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    root = write(tmp_path / "shop", SHOP)
    endless = attrs.evolve(TY, arguments=lambda *_: ["check", "--watch"])
    with copied(root) as copy, pytest.raises(Unavailable, match=r"did not check the codebase within 0\.1 s"):
        asyncio.run(Labeller(copy, (endless,), None, timeout_s=0.1).found(Edit("shop/till.py", ())))


def make(root: Path, out: Path, *flags: str) -> int:
    return main(["cases", "--root", str(root), "--out", str(out), *flags])


@needs_pyrefly
def test_cases_are_made_of_every_kind_that_breaks_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path / "shop", SHOP)
    assert make(root, tmp_path / "cases.jsonl", "--per-kind", "1") == 0
    cases = read_cases((tmp_path / "cases.jsonl").read_text())
    assert {case.kind for case in cases} >= set(SUITS) - {ChangeKind.CHANGE_ALIAS, ChangeKind.ADD_ABSTRACT_METHOD}
    for case in cases:
        lines = SHOP[Spot.at(case.definition).path].split("\n")
        assert case.name.rpartition(".")[2] in lines[Spot.at(case.definition).line - 1]
        assert case.must and set(case.must) <= set(case.may)
        assert not any(case.is_own(Spot.at(location)) for location in case.may)
        assert (tmp_path / case.root).resolve() == root
    told = capsys.readouterr().err
    assert "left out: " in told and f"{len(cases)} cases" in told


@needs_pyrefly
def test_where_an_import_breaks_every_mention_may_have_to_change(tmp_path: Path) -> None:
    files = {
        "a.py": "class Store:\n    def load(self) -> int:\n        return 1\n\n\ndef tell(text: str) -> None: ...\n",
        "b.py": "from a import Store, tell\n\n\nclass Memory(Store):\n    def load(self) -> int:\n        return 2\n"
        "\n\ndef main() -> None:\n    tell('x')\n    # a\n    # b\n    Store().load()\n",
    }
    root = write(tmp_path / "shop", files)
    make(root, tmp_path / "cases.jsonl", "--kind", "rename", "--per-kind", "9")
    cases = {case.name: case for case in read_cases((tmp_path / "cases.jsonl").read_text())}
    assert (cases["tell"].must, cases["tell"].may) == (("b.py:1",), ("b.py:1", "b.py:10"))
    assert cases["Store.load"].must == ("b.py:13",)
    assert cases["Store.load"].may == ("b.py:5", "b.py:13")  # the override follows


@needs_pyrefly
def test_exports_and_classes_that_have_to_implement_a_method_may_have_to_change(tmp_path: Path) -> None:
    files = {
        "a.py": "class Store:\n    pass\n\n\ndef tell(text: str) -> None: ...\n",
        "b.py": "from a import Store, tell\n\nx = 1\n\n__all__ = [\n    'Store',\n    'x',\n    'tell',\n]\n",
        "c.py": "from b import Store\n\n\nclass Near(Store): ...\n\n\nclass Far(Near): ...\n\n\n# a\n# b\nFar()\n",
        "d.py": "__all__ = ['tell']\n\n\ndef tell_all(): ...\n",
    }
    root = write(tmp_path / "shop", files)
    make(root, tmp_path / "cases.jsonl", "--kind", "remove", "--kind", "add an abstract method", "--per-kind", "9")
    cases = {(case.kind, case.name): case for case in read_cases((tmp_path / "cases.jsonl").read_text())}
    assert cases[ChangeKind.REMOVE, "tell"].may == ("b.py:1", "b.py:8")
    assert cases[ChangeKind.ADD_ABSTRACT_METHOD, "Store"].must == ("c.py:12",)
    assert cases[ChangeKind.ADD_ABSTRACT_METHOD, "Store"].may == ("c.py:4", "c.py:7", "c.py:12")


def test_exports_are_read_where_they_are_listed() -> None:
    text = "__all__ = ['f']\n__all__ += [\n    'g',\n]\nx = ['h']\n"
    assert exports(text) == {"f": 1, "g": 3}
    assert exports("x = 1\n") == {}


@needs_pyrefly
def test_the_same_seed_makes_the_same_cases_and_another_seed_others(tmp_path: Path) -> None:
    root = write(tmp_path / "shop", SHOP)
    flags = ("--per-kind", "1", "--kind", "rename", "--kind", "make the return nullable")
    for name, seed in (("one", "1"), ("same", "1"), ("other", "2")):
        assert make(root, tmp_path / name, *flags, "--seed", seed) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "same").read_bytes()
    assert (tmp_path / "one").read_bytes() != (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--kind", "renam"], "no cases can be made of the kind 'renam'; did you mean rename?"),
        (["--root", "nowhere"], "nowhere does not exist: name the folder of a codebase"),
        (["--root", "{root}"], "two codebases are called shop: "),
        (["--out", "{root}"], "cannot be written"),
    ],
)
@needs_pyrefly
def test_what_cannot_be_used_is_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], says: str
) -> None:
    root = write(tmp_path / "shop", {"a.py": "def f() -> int:\n    return 1\n"})
    given = [flag.format(root=root) for flag in flags]
    assert make(root, tmp_path / "cases.jsonl", *given) == 2
    told = capsys.readouterr().err.splitlines()
    assert says in told[-1] and not (tmp_path / "cases.jsonl").exists()
