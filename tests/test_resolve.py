"""From the names in a question to a definition, over the in-memory codebase."""

from __future__ import annotations

import pytest

from interpreters.lsp.in_memory import in_memory
from tidepool.change import Change, ChangeKind, Target
from tidepool.eff import run
from tidepool.resolve import Found, NotFound, resolve

FILES = {
    "shop/prices.py": "def price():\n    ...\n\n\nclass Price:\n    amount: int\n\n"
    "    def get(self):\n        self.tax = 1\n",
    "shop/till/stock.py": "class Till:\n    def get(self):\n        ...\n\n\ndef get():\n    ...\n",
    "tests/test_prices.py": "def price():\n    ...\n\n\ndef only_here():\n    ...\n",
    "shop/family.py": "class Base:\n    def walk(self):\n        ...\n\n\n"
    "class Child(Base, dict[str, int]):\n    ...\n\n\n"
    "class Grandchild(\n    Child,\n):\n    ...\n",
    "shop/overloads.py": "def many(x):\n    ...\n\n\ndef many(x, y):\n    ...\n",
}


def resolved(kind: ChangeKind, *names: str) -> Found | NotFound:
    targets = tuple(Target(name.rpartition(".")[2], name.rpartition(".")[0]) for name in names)
    return run(resolve(Change(kind, targets)), in_memory(FILES))


def location(kind: ChangeKind, *names: str) -> str:
    found = resolved(kind, *names)
    assert isinstance(found, Found)
    return f"{found.symbol.qualified_name} {found.symbol.place.location}"


@pytest.mark.parametrize(
    ("kind", "name", "where"),
    [
        (ChangeKind.RENAME, "only_here", "only_here tests/test_prices.py:5"),
        (ChangeKind.RENAME, "price", "price shop/prices.py:1"),  # product code before tests
        (ChangeKind.ADD_FIELD, "PRICE", "Price shop/prices.py:5"),  # another case where none has this one, and a class
        (ChangeKind.RENAME, "get", "get shop/till/stock.py:6"),  # what is least nested
        (ChangeKind.RENAME, "Till.get", "Till.get shop/till/stock.py:2"),
        (ChangeKind.RENAME, "stock.Till.get", "Till.get shop/till/stock.py:2"),
        (ChangeKind.RENAME, "shop.till.stock.get", "get shop/till/stock.py:6"),
        (ChangeKind.RENAME, "shop.prices.price", "price shop/prices.py:1"),
        (ChangeKind.REMOVE_FIELD, "Price.amount", "Price.amount shop/prices.py:6"),
        (ChangeKind.REMOVE_FIELD, "Price.tax", "Price.tax shop/prices.py:9"),  # that is only assigned
        (ChangeKind.RENAME, "Grandchild.walk", "Base.walk shop/family.py:2"),  # that is inherited
    ],
)
def test_a_name_resolves_to_the_best_definition(kind: ChangeKind, name: str, where: str) -> None:
    assert location(kind, name) == where


def test_the_first_target_that_is_defined_counts() -> None:
    assert location(ChangeKind.RENAME, "nowhere", "only_here", "price") == "only_here tests/test_prices.py:5"


def test_likelier_names_that_are_not_defined_are_told() -> None:
    found = resolved(ChangeKind.REMOVE_FIELD, "Price.nothing", "Price")
    assert isinstance(found, Found)
    assert (found.symbol.name, found.undefined) == ("Price", ("Price.nothing",))


def test_namesakes_are_told_best_first() -> None:
    found = resolved(ChangeKind.RENAME, "get")
    assert isinstance(found, Found)
    assert [symbol.qualified_name for symbol in found.namesakes] == ["Price.get", "Till.get"]


def test_overloads_of_one_definition_are_no_namesakes() -> None:
    found = resolved(ChangeKind.RENAME, "many")
    assert isinstance(found, Found)
    assert found.namesakes == ()


def test_a_container_that_does_not_hold_the_name_is_not_ignored() -> None:
    assert isinstance(resolved(ChangeKind.RENAME, "Till.price"), NotFound)


@pytest.mark.parametrize("misspelt", ["pricee", "prce", "prixe", "rpice", "Pric"])
def test_a_misspelt_name_tells_the_closest(misspelt: str) -> None:
    found = resolved(ChangeKind.RENAME, misspelt)
    assert isinstance(found, NotFound)
    assert found.closest
    assert found.closest[0].casefold() == "price"


def test_a_name_like_none_tells_nothing() -> None:
    assert resolved(ChangeKind.RENAME, "zzzzzz") == NotFound(("zzzzzz",), ())


def test_no_name_at_all_is_not_found() -> None:
    assert resolved(ChangeKind.RENAME) == NotFound((), ())
