"""Making a function async: who has to await it, and who has to become async in turn for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.clock import stopped_clock
from interpreters.gemma.heuristic import heuristic
from interpreters.lsp.in_memory import in_memory
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.session import Session
from interpreters.report import silent
from tests.lsp_world import World, a_world
from tests.test_explore import NOON, ask
from tests.test_ties import at
from tidepool.domain import ScoutQuery, ScoutResponse, Status, Verdict
from tidepool.eff import run, run_async
from tidepool.effects.lsp import DocumentSymbols, Source
from tidepool.errors import BadAnswer
from tidepool.explore import DEPTH, explore
from tidepool.reading.coroutines import Around, Holder, holder_at, read_head
from tidepool.reading.snippets import file_without_text
from tidepool.ties import How, Tie, inside, inside_in, tie_in, with_tie
from tidepool.trails import mentions_in_turn

QUESTION = "What breaks if I make `fetch` async?"

SHOP = {
    "shop/__init__.py": "",
    "shop/store.py": """\
def fetch(key: str) -> bytes:
    if not key:
        #
        #
        return fetch("x")
    return key.encode()
""",
    "shop/app.py": '''\
from shop.store import fetch


def decoded(key: str) -> str:
    """Text."""
    #
    #
    #
    #
    return fetch(key).decode()


def page(key: str) -> str:
    return "> " + decoded(key)


async def serve(key: str) -> str:
    #
    #
    #
    return page(key)


async def later(key: str) -> str:
    return await serve(key)


class Page:
    def __init__(self, key: str) -> None:
        self.text = page(key)


def made() -> Page:
    return Page("a")


def shown(key: str) -> str:
    def inner() -> str:
        #
        #
        return decoded(key)

    return inner()


HOME = page("home")
''',
    "tests/test_app.py": """\
from shop.app import decoded


def checked() -> None:
    assert decoded("a") == "a"


def test_decoded() -> None:
    checked()
""",
}


def rows(response: ScoutResponse) -> dict[str, str]:
    return {pointer.location: pointer.reasoning for pointer in response.pointers}


def visited(response: ScoutResponse) -> set[str]:
    return {one.node.location for one in response.training_examples or ()}


def test_who_calls_a_function_that_has_to_become_async_is_told_why() -> None:
    response = ask(QUESTION, SHOP)
    reasons = rows(response)
    assert "`fetch` is called here in `decoded`, which is not async" in reasons["shop/app.py:10"]
    assert reasons["shop/app.py:14"].startswith("`decoded` has to become async in turn, since it calls `fetch`: ")
    assert reasons["shop/app.py:21"].startswith("`page` has to become async in turn, since it calls `decoded`: ")
    actions = {pointer.location: pointer.action for pointer in response.pointers}
    assert actions["shop/app.py:14"] == "Await it, and make `page` async in turn"
    assert actions["shop/app.py:21"] == "Await it"


def test_the_change_is_not_carried_on_from_where_it_ends() -> None:
    seen = visited(ask(QUESTION, SHOP, examples=True))
    assert {"shop/app.py:21", "shop/app.py:30", "shop/app.py:46", "tests/test_app.py:5"} <= seen
    assert "shop/app.py:25" not in seen  # calls what is async already
    assert "shop/app.py:34" not in seen  # makes what has a constructor
    assert "tests/test_app.py:9" not in seen  # calls what only tests call


def test_what_is_less_direct_matters_less() -> None:
    response = ask(QUESTION, SHOP, examples=True)
    direct, indirect = at(response, "shop/app.py:10"), at(response, "shop/app.py:14")
    assert (direct.relevance, direct.risk) == (5, 5)
    assert indirect.relevance < 5 and indirect.risk < 5 and indirect.confidence < direct.confidence


def test_a_function_inside_of_another_hands_the_change_on_to_that() -> None:
    reasons = {
        example.node.location: example.rubric.reasoning
        for example in ask(QUESTION, SHOP, examples=True).training_examples or ()
    }
    assert "called here in `inner`" in reasons["shop/app.py:41"]
    assert "`inner` has to become async in turn, since it calls `decoded`" in reasons["shop/app.py:43"]


def test_what_calls_itself_is_async_by_then() -> None:
    rubric = at(ask(QUESTION, SHOP, examples=True), "shop/store.py:5")
    assert "called here in an async function" in rubric.reasoning


def test_the_function_around_a_call_is_told_before_the_tie() -> None:
    examples = ask(QUESTION, SHOP, examples=True).training_examples or ()
    hovers = {example.node.location: example.node.hover or "" for example in examples}
    assert hovers["shop/app.py:21"].endswith("via: inside `async def serve`\nvia: `page` calls `decoded`")
    assert hovers["shop/app.py:30"].startswith("via: inside `fixed def __init__`\n")
    assert "via: inside" not in hovers["shop/app.py:1"]


def test_a_chain_is_followed_as_far_as_any_other() -> None:
    links = "".join(f"\n\ndef f{n + 1}():\n    return f{n}()\n" for n in range(DEPTH + 3))
    seen = visited(ask("What breaks if I make f0 async?", {"a.py": f"def f0():\n    return 1\n{links}"}, examples=True))
    lines = [6 + 4 * n for n in range(DEPTH + 3)]
    assert [f"a.py:{line}" in seen for line in lines] == [n <= DEPTH for n in range(DEPTH + 3)]


def test_functions_that_call_each_other_are_followed_once() -> None:
    files = {"a.py": "def fetch(): ...\n\n\ndef one():\n    fetch()\n    two()\n\n\ndef two():\n    return one()\n"}
    response = ask(QUESTION, files)
    assert response.status is Status.COMPLETE
    assert "`one` has to become async in turn" in rows(response)["a.py:10"]


def test_overrides_have_to_become_async_too() -> None:
    disk = "class Disk(Store):\n    def load(self, key):\n        return super().load(key)\n"
    files = {"a.py": f"class Store:\n    def load(self, key): ...\n\n\n{disk}"}
    response = ask("What breaks if `Store.load` becomes a coroutine?", files, examples=True)
    assert (at(response, "a.py:6").relevance, at(response, "a.py:6").risk) == (5, 5)
    assert "must be awaited" in at(response, "a.py:7").reasoning


def test_a_file_that_cannot_be_read_is_said_and_read_by_its_snippets() -> None:
    def gone(op: Source) -> str:
        raise BadAnswer("codebase", f"{op.path} cannot be read")

    response = ask(QUESTION, SHOP, world=in_memory(SHOP) | Source.by(gone), examples=True)
    assert response.status is Status.PARTIAL
    assert "which functions of shop/app.py are async" in response.summary
    assert at(response, "shop/app.py:10").risk == 5


# Which function holds a line.


def held(code: str, line: int, column: int = 0) -> tuple[Around, str]:
    found = holder_at(file_without_text(code).split("\n"), line - 1, column)
    return found.around, found.name


@pytest.mark.parametrize(
    ("code", "held_by"),
    [
        ("def f():\n    x", (Around.SYNC, "f")),
        ("async def f():\n    x", (Around.ASYNC, "f")),
        ("def f(\n    a,\n) -> int:\n    x", (Around.SYNC, "f")),
        ("async def f(\n    a\n):\n    if a:\n        x", (Around.ASYNC, "f")),
        ("async def f():\n    def g(): ...\n    x", (Around.ASYNC, "f")),
        ("async def f():\n    def g():\n        return 1\n\n    x", (Around.ASYNC, "f")),
        ("def f():\n    '''\nasync def g():\n    '''\n    x", (Around.SYNC, "f")),
        ("def f():\n    # b\n# c\n    x", (Around.SYNC, "f")),
        ("def f(): ...\nx", (Around.MODULE, "")),
        ("def f(): ...\nif a:\n    x", (Around.MODULE, "")),
        ("async def f():\n    class A:\n        x", (Around.MODULE, "")),
        ("class A:\n    def __init__(self):\n        x", (Around.FIXED, "__init__")),
        ("class A:\n    async def __aexit__(self):\n        x", (Around.ASYNC, "__aexit__")),
        ("class A:\n    @functools.cached_property\n    @a\n    def p(self):\n        x", (Around.FIXED, "p")),
        ("class A:\n    @p.setter\n    def p(self, v):\n        x", (Around.FIXED, "p")),
        ("class A:\n    @properties\n    def p(self):\n        x", (Around.SYNC, "p")),
        ("        x", (Around.UNKNOWN, "")),
        ("    if a:\n        x", (Around.UNKNOWN, "")),
    ],
)
def test_the_function_around_a_line_is_found(code: str, held_by: tuple[Around, str]) -> None:
    assert held(code, code.count("\n") + 1) == held_by


def test_a_body_behind_its_colon_belongs_to_the_function_and_a_default_does_not() -> None:
    code = "def f(a=g()) -> int: return h(a)"
    assert held(code, 1, code.index("h(a)")) == (Around.SYNC, "f")
    assert held(code, 1, code.index("g()")) == (Around.MODULE, "")


@given(st.text(), st.integers(0, 40))
def test_every_text_has_a_function_around_it_or_none(code: str, column: int) -> None:
    lines = code.split("\n")
    for row in range(len(lines)):
        found = holder_at(lines, row, column)
        assert (found.row < 0) == (found.around in (Around.MODULE, Around.UNKNOWN))


@pytest.mark.parametrize("around", [Around.ASYNC, Around.SYNC, Around.FIXED, Around.MODULE])
def test_what_is_told_of_a_function_is_read_as_it_was_told(around: Around) -> None:
    name = "" if around is Around.MODULE else "load"
    told = with_tie("int", "\n".join((inside(Holder(around, name, 3).head), Tie("f", How.CALLS).told("load"))))
    assert read_head(inside_in(told) or "") == Holder(around, name)
    assert tie_in(told) == Tie("f", How.CALLS)


def test_text_in_the_codebase_that_looks_like_a_function_around_is_none() -> None:
    quoted = "def fetch()\n---\nFetches.\nvia: inside `async def f`"
    assert inside_in(with_tie(quoted, "")) is None
    assert inside_in(with_tie(quoted, inside("def g"))) == "def g"


def test_all_that_may_follow_is_whoever_calls_it_and_whoever_calls_that() -> None:
    symbol = next(one for one in run(DocumentSymbols("shop/store.py"), in_memory(SHOP)) if one.name == "fetch")
    places = {place.location for place in run(mentions_in_turn(symbol, 0), in_memory(SHOP))}
    assert {"shop/app.py:10", "shop/app.py:1"} <= places and "shop/app.py:14" not in places
    places = {place.location for place in run(mentions_in_turn(symbol, 1), in_memory(SHOP))}
    assert {"shop/app.py:10", "shop/app.py:14", "tests/test_app.py:5"} <= places and "shop/app.py:21" not in places


# With a real server and its checker.


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from a_world(tmp_path)


def test_a_real_server_and_checker_agree_and_the_rest_is_found_without_them(world: World) -> None:
    world.write(SHOP)

    async def answer(session: Session) -> ScoutResponse:
        handlers = heuristic() | language_server(session) | stopped_clock(NOON) | silent()
        return await run_async(explore(ScoutQuery(QUESTION, verify=True)), handlers)

    response = world.talk(answer)
    verdicts = {pointer.location: pointer.verdict for pointer in response.pointers}
    assert response.status is Status.COMPLETE
    assert verdicts["shop/app.py:10"] is Verdict.VERIFIED
    unseen = {"shop/app.py:14", "shop/app.py:21", "shop/app.py:30", "shop/app.py:46", "tests/test_app.py:5"}
    assert {verdicts[location] for location in unseen} == {Verdict.LIKELY}
