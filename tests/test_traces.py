"""What nobody who goes by definitions leads to: values in strings, look-ups by name, documents, twins, look-alikes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from interpreters.clock import stopped_clock
from interpreters.gemma.heuristic import heuristic
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.session import Session
from interpreters.lsp.text import find_words, words_in
from interpreters.report import silent
from tests.lsp_world import World, a_world
from tests.test_explore import NOON
from tidepool.domain import Pointer, ScoutQuery, ScoutResponse, Status
from tidepool.eff import run_async
from tidepool.effects.lsp import Place, Writing, Written
from tidepool.explore import explore
from tidepool.reading.documents import speaks_of_today
from tidepool.reading.lookups import is_distinctive, looks_up, names_code
from tidepool.reading.twins import twins_of

LLMKIND: Final = Path(__file__).parent / "fixtures" / "llmkind"

SHOP: Final = {
    "shop/__init__.py": 'from shop.orders import Order, price_of\n\n__all__ = ["Order", "price_of"]\n',
    "shop/orders.py": """\
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Protocol


class State(StrEnum):
    OPEN = auto()
    PAID = auto()
    SENT = auto()


class Key(StrEnum):
    NAME = "name"
    TEXT = "text"
    CODE = "code"
    SIZE = "size"


@dataclass
class Order:
    number: int
    total: float
    note: str = ""


def price_of(order: Order) -> float:
    return order.total


class Store(Protocol):
    def load(self, number: int) -> Order: ...

    def save(self, order: Order) -> None: ...


class Client:
    def fetch(self, number: int) -> Order: ...


class AsyncClient:
    async def fetch(self, number: int) -> Order: ...


class AsyncOther:
    async def load(self, number: int) -> Order: ...
""",
    "shop/wire.py": """\
from shop.orders import Order


def to_dict(order: Order) -> dict[str, object]:
    return {
        "number": order.number,
        "total": order.total,
    }


def label(state: str) -> str:
    if state == "open":
        return "Open"
    elif state == "paid":
        return "Paid"
    return "Sent"


def noise(order):
    print("open")
    return {"name": 1, "other": 2}, {"text": 3}
""",
    "shop/disk.py": """\
class DiskStore:
    def load(self, number):
        return None

    def save(self, order):
        return None


class Reader:
    def load(self, number):
        return None
""",
    "shop/tests/test_orders.py": """\
import pytest


def test_price(monkeypatch):
    monkeypatch.setattr("shop.orders.price_of", lambda order: 1)


@pytest.mark.parametrize("state", ["open", "paid", "sent"])
def test_states(state):
    assert state
""",
    "README.md": "# Shop\n\nUse `price_of(order)` to get the price of it.\n",
    "CHANGELOG.md": "- `price_of` is new\n",
    "schema.json": '{"properties": {"state": {"enum": ["open", "paid", "sent"]}}}\n',
    "pyproject.toml": '[project]\nname = "shop"\n[project.scripts]\nprice = "shop.orders:price_of"\n',
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from a_world(tmp_path)


def ask(world: World, question: str) -> ScoutResponse:
    async def answered(session: Session) -> ScoutResponse:
        handlers = heuristic() | language_server(session) | stopped_clock(NOON) | silent()
        return await run_async(explore(ScoutQuery(question, budget_nodes=100)), handlers)

    return world.talk(answered)


def by_name(response: ScoutResponse) -> dict[str, Pointer]:
    return {pointer.what.partition(" (also")[0]: pointer for pointer in response.pointers}


def test_all_seven_places_that_treat_every_variant_are_among_the_first_ten(world: World) -> None:
    world.write({path.relative_to(LLMKIND).as_posix(): path.read_text() for path in LLMKIND.rglob("*.py")})
    found = by_name(ask(world, "What breaks if I add a variant to LLMKind?"))
    needed = {"price", "context_window", "CLIENTS", "_CODES", "KindName", "test_all_priced", "test_codes"}
    assert needed <= set(list(found)[:10])
    assert next(iter(found)) == "price"
    assert all(found[name].risk <= 3 for name in ("label", "is_anthropic", "parse", "run"))
    assert "unrelated" not in found


def test_values_of_several_variants_next_to_each_other_are_found(world: World) -> None:
    world.write(SHOP)
    response = ask(world, "What breaks if I add a variant to State?")
    assert set(by_name(response)) == {"State", "label", "test_states", "configuration at the top level of schema.json"}
    assert response.status is Status.COMPLETE


def test_words_that_stand_alone_or_with_too_few_of_their_kind_are_not(world: World) -> None:
    world.write(SHOP)
    assert set(by_name(ask(world, "What breaks if I add a variant to Key?"))) == {"Key"}


def test_a_mapping_with_the_names_of_the_fields_is_found(world: World) -> None:
    world.write(SHOP)
    found = by_name(ask(world, "What breaks if I add a required field currency to Order?"))
    assert "keyed by text" in found["to_dict"].reasoning
    assert found["to_dict"].risk == 3


def test_strings_documents_and_configuration_that_say_a_name_are_found(world: World) -> None:
    world.write(SHOP)
    found = by_name(ask(world, "What breaks if I rename price_of to cost_of?"))
    assert found["__all__"].risk == 5
    assert "looked up by its name" in found["test_price"].reasoning
    assert found["configuration at the top level of pyproject.toml"].risk == 3
    assert found["documentation at the top level of README.md"].risk == 2
    assert not any("CHANGELOG" in pointer.location for pointer in found.values())


def test_classes_with_all_methods_of_a_protocol_are_found(world: World) -> None:
    world.write(SHOP)
    found = by_name(ask(world, "What breaks if I add an abstract method drop to Store?"))
    assert set(found) == {"Store", "DiskStore"}


def test_the_twin_of_a_class_is_found_if_it_has_such_a_method(world: World) -> None:
    world.write(SHOP)
    found = by_name(ask(world, "What breaks if I add a required parameter timeout to Client.fetch?"))
    assert set(found) == {"Client.fetch", "AsyncClient"}
    assert found["AsyncClient"].risk == 2


@pytest.mark.parametrize(
    ("text", "writing"),
    [
        ("order.price", Writing.ATTRIBUTE),
        ('"price"', Writing.STRING),
        ("x = 'price'", Writing.STRING),
        ("patch('shop.price')", Writing.STRING),
        ("patch('shop.price.value')", Writing.STRING),
        ("run = 'shop:price'", Writing.STRING),
    ],
)
def test_how_a_word_is_written_is_told(text: str, writing: Writing) -> None:
    place = Place("a.py", 1, text.index("price"))
    assert words_in("a.py", text, ["price"], tuple(Writing)) == [Written(place, "price", writing)]


@pytest.mark.parametrize("text", ["price", "'the price'", "prices", "unit_price", "'price-tag'", "('priced')"])
def test_what_is_no_whole_word_or_written_otherwise_is_not(text: str) -> None:
    assert words_in("a.py", text, ["price"], tuple(Writing)) == []


def test_lines_are_counted_as_everywhere(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b'a = 1\r\nb = "gpt"; c = "gpt", "claude"\rd = "gpt"')
    found = find_words(tmp_path, (".py",), ["gpt", "claude"], (Writing.STRING,))
    assert [(word.word, word.place.line, word.place.column) for word in found] == [
        ("gpt", 2, 5),
        ("claude", 2, 23),
        ("gpt", 3, 5),
    ]


def test_other_peoples_folders_and_links_are_passed_over(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside.md"
    outside.write_text("gpt")
    for folder in (".venv", "node_modules", "docs"):
        (root / folder).mkdir(parents=True)
        (root / folder / "a.md").write_text("gpt\n")
    (root / "link.md").symlink_to(outside)
    found = find_words(root, (".py",), ["gpt"], (Writing.DOCUMENT,))
    assert [word.place for word in found] == [Place("docs/a.md", 1, 0)]


def test_a_document_that_is_data_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.json").write_text('"gpt"' + " " * 2**18)
    (tmp_path / "small.json").write_text('"gpt"')
    found = find_words(tmp_path, (".py",), ["gpt"], (Writing.DOCUMENT,))
    assert [word.place.path for word in found] == ["small.json"]


@pytest.mark.parametrize(
    "path", ["CHANGELOG.md", "docs/changelog/3.rst", "LICENSE.txt", "package-lock.json", "HISTORY.rst"]
)
def test_a_document_of_the_past_says_nothing_of_today(path: str) -> None:
    assert not speaks_of_today(path)


def test_any_other_document_does() -> None:
    assert all(map(speaks_of_today, ["README.md", "docs/usage.rst", "pyproject.toml", "docs/changing.md"]))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('getattr(shop, "price")', True),
        ('monkeypatch.setattr("app.shop.price", free)', True),
        ("with patch.object(Shop, 'price'):", True),
        ('path = "shop.price"', True),
        ('path = "other.price"', False),
        ('row.get("price")', False),
        ('print("price")', False),
    ],
)
def test_a_look_up_by_name_is_told_from_a_word(line: str, expected: bool) -> None:
    assert looks_up(line, "price", around=("Shop", "shop")) is expected


def test_a_document_means_code_by_its_marks_or_its_spelling() -> None:
    assert names_code("Call `close` first", "close", ())
    assert names_code("Call session.close first", "close", ("session",))
    assert names_code(".. autofunction:: close", "close", ())
    assert names_code("an LLMKind is needed", "LLMKind", ())
    assert not names_code("Please close the door", "close", ())


def test_a_distinctive_name_is_hardly_a_word() -> None:
    assert all(map(is_distinctive, ["price_of", "LLMKind", "camelCase", "serialisation"]))
    assert not any(map(is_distinctive, ["close", "Order", "_private", "__all__", "HTTP"]))


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("Client", "AsyncClient"),
        ("AsyncClient", "Client"),
        ("get", "aget"),
        ("load", "async_load"),
        ("load_async", "load"),
    ],
)
def test_a_twin_goes_by_its_name(name: str, twin: str) -> None:
    assert twin in twins_of(name)


def test_special_methods_have_no_twin() -> None:
    assert twins_of("__init__") == ()
