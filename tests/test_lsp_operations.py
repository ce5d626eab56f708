"""Every operation of `Lsp`, answered by the real default server about small codebases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from interpreters.lsp.answers import MOST
from interpreters.lsp.interpreter import language_server
from interpreters.lsp.servers import TY
from interpreters.lsp.session import Session
from tests.lsp_world import World, a_world, odd
from tidepool.eff import Eff, attempt, each, run_async
from tidepool.effects.lsp import (
    Call,
    Lsp,
    Place,
    Symbol,
    SymbolKind,
    callers,
    definition,
    document_symbols,
    find_symbol,
    hover,
    implementations,
    references,
    snippet,
    subtypes,
    unseen,
)
from tidepool.errors import BadAnswer

BASE = '''\
"""Shapes."""
from abc import ABC, abstractmethod
from enum import Enum


class Shape(ABC):
    """A shape."""

    @abstractmethod
    def area(self, scale: int) -> int:
        """Its area."""


class Color(Enum):
    RED = 1


def grown(n: int) -> int:
    """One more."""
    return n + 1
'''
SUB = """\
from shapes.base import Color, Shape, grown


class Square(Shape):
    def area(self, scale: int) -> int:
        return grown(scale) * grown(2)


class Tile(Square):
    def area(self, scale: int) -> int:
        return super().area(scale)


TOP = grown(3)
"""
SHAPES = {"shapes/__init__.py": "", "shapes/base.py": BASE, "shapes/sub.py": SUB}

SHAPE = Place("shapes/base.py", 6, 6)
AREA = Place("shapes/base.py", 10, 8)
GROWN = Place("shapes/base.py", 18, 4)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from a_world(tmp_path)


@pytest.fixture
def shapes(world: World) -> World:
    world.write(SHAPES)
    return world


def places(*where: tuple[str, int, int]) -> tuple[Place, ...]:
    return tuple(Place(f"shapes/{name}.py", line, column) for name, line, column in where)


def symbol(name: str, kind: SymbolKind, container: str, place: Place, first: int, last: int) -> Symbol:
    return Symbol(name, kind, container, place, first, last)


def test_find_symbol_answers_every_definition_that_is_called_like_it(shapes: World) -> None:
    found = shapes.ask(find_symbol("area"))
    assert [(it.name, it.kind, it.place.path, it.first_line, it.last_line) for it in found] == [
        ("area", SymbolKind.METHOD, "shapes/base.py", 9, 11),
        ("area", SymbolKind.METHOD, "shapes/sub.py", 5, 6),
        ("area", SymbolKind.METHOD, "shapes/sub.py", 10, 11),
    ]


def test_find_symbol_answers_nothing_for_a_name_that_is_not_defined(shapes: World) -> None:
    assert shapes.ask(find_symbol("no_such_name_here")) == ()


@pytest.mark.parametrize("name", ["", "  ", "\n", "a\0b", "\ud800", "x" * 100_000, "Ärger", "日本", "a b; c", "🦆"])
def test_find_symbol_answers_nothing_for_what_is_no_name(shapes: World, name: str) -> None:
    assert shapes.ask(find_symbol(name)) == ()


def test_definition_leads_from_a_use_to_where_it_is_defined(shapes: World) -> None:
    assert shapes.ask(definition(Place("shapes/sub.py", 6, 15))) == (GROWN,)


def test_definition_of_what_other_people_wrote_is_not_in_the_codebase(shapes: World) -> None:
    assert shapes.ask(definition(Place("shapes/base.py", 2, 18))) == ()


def test_references_are_every_mention_and_the_definition(shapes: World) -> None:
    assert shapes.ask(references(GROWN)) == places(
        ("base", 18, 4), ("sub", 1, 38), ("sub", 6, 15), ("sub", 6, 30), ("sub", 14, 6)
    )


def test_hover_says_what_stands_there_as_plain_text(shapes: World) -> None:
    text = shapes.ask(hover(GROWN))
    assert text is not None
    assert text.startswith("def grown(n: int) -> int")
    assert text.endswith("One more.")


def test_hover_says_nothing_where_nothing_stands(shapes: World) -> None:
    assert shapes.ask(hover(Place("shapes/base.py", 4, 0))) is None


def test_document_symbols_nest_and_stand_in_order(shapes: World) -> None:
    assert shapes.ask(document_symbols("shapes/base.py")) == (
        symbol("Shape", SymbolKind.CLASS, "", SHAPE, 6, 11),
        symbol("area", SymbolKind.METHOD, "Shape", AREA, 9, 11),
        symbol("Color", SymbolKind.CLASS, "", Place("shapes/base.py", 14, 6), 14, 15),
        symbol("RED", SymbolKind.CONSTANT, "Color", Place("shapes/base.py", 15, 4), 15, 15),
        symbol("grown", SymbolKind.FUNCTION, "", GROWN, 18, 20),
    )


def test_implementations_are_every_override_and_the_method_itself(shapes: World) -> None:
    assert shapes.ask(implementations(AREA)) == places(("base", 10, 8), ("sub", 5, 8), ("sub", 10, 8))


def test_subtypes_are_the_direct_ones_with_their_whole_extent(shapes: World) -> None:
    square = symbol("Square", SymbolKind.CLASS, "", Place("shapes/sub.py", 4, 6), 4, 6)
    assert shapes.ask(subtypes(SHAPE)) == (square,)


def test_callers_are_the_definitions_that_call_and_where(shapes: World) -> None:
    method = symbol("area", SymbolKind.METHOD, "Square", Place("shapes/sub.py", 5, 8), 5, 6)
    module = symbol("sub", SymbolKind.MODULE, "", Place("shapes/sub.py", 1, 0), 1, 14)
    assert shapes.ask(callers(GROWN)) == (
        Call(module, places(("sub", 14, 6))),
        Call(method, places(("sub", 6, 15), ("sub", 6, 30))),
    )


def test_snippet_is_the_line_and_two_on_either_side(shapes: World) -> None:
    assert shapes.ask(snippet(Place("shapes/sub.py", 5, 8))) == "\n".join(SUB.split("\n")[2:7])


def test_a_round_is_answered_in_its_order(shapes: World) -> None:
    def program() -> Eff[Lsp, list[Any]]:
        asked: list[Any] = [hover(GROWN), snippet(GROWN), references(GROWN), hover(SHAPE), find_symbol("Tile")]
        return (yield from each(asked))

    grown, text, mentions, shape, tile = shapes.ask(program())
    assert grown.startswith("def grown")
    assert "One more" in text
    assert len(mentions) == 5
    assert shape.startswith("<class 'Shape'>")
    assert tile[0].name == "Tile"


LINE = 'greeting = "é e\u0301 👩\u200d🚀 日本"; target = 1; other = target + len("😀😀") + target\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_columns_are_characters_in_whatever_unit_the_server_counts(world: World, encoding: str) -> None:
    world.write({"code.py": "# ünïcödé\n" + LINE})
    server = attrs.evolve(TY, position_encodings=(encoding,))
    uses = [at for at in range(len(LINE)) if LINE.startswith("target", at)]

    def program() -> Eff[Lsp, Any]:
        first = Place("code.py", 2, uses[0])
        last = Place("code.py", 2, uses[-1])
        asked: list[Any] = [document_symbols("code.py"), references(first), definition(last), hover(last)]
        return (yield from each(asked))

    async def use(session: Session) -> Any:
        assert session.encoding == encoding
        return await run_async(program(), language_server(session))

    outline, mentions, defined, said = world.talk(use, server)
    assert [(it.name, it.place.column) for it in outline] == [
        ("greeting", 0),
        ("target", uses[0]),
        ("other", uses[0] + 12),
    ]
    assert [place.column for place in mentions] == uses
    assert [place.column for place in defined] == uses[:1]
    assert said.splitlines()[0] == "Literal[1]"


def test_places_in_a_file_that_is_not_utf_8_do_not_stop_the_others(world: World) -> None:
    world.write({"a.py": "def helper() -> int:\n    return 1\n", "latin.py": b"# \xe9\xe8\nname = '\xe9'\n"})
    world.write({"b.py": "from a import helper\nhelper()\n"})
    assert world.ask(references(Place("a.py", 1, 4))) == (
        Place("a.py", 1, 4), Place("b.py", 1, 14), Place("b.py", 2, 0),
    )  # fmt: skip
    assert world.ask(snippet(Place("latin.py", 2, 0))) == "# \ufffd\ufffd\nname = '\ufffd'"


def test_a_syntax_error_does_not_hide_the_rest(world: World) -> None:
    world.write(
        {"broken.py": "def broken(:\n    ]\n\ndef intact() -> int:\n    return 1\n", "use.py": "import broken\n"}
    )
    found = world.ask(find_symbol("intact"))
    assert [it.place for it in found] == [Place("broken.py", 4, 0)]


def test_a_file_of_five_megabytes_is_read(world: World) -> None:
    filler = "".join(f"value_{n} = {n}\n" for n in range(290_000))
    assert len(filler) > 5 * 2**20
    world.write({"big.py": filler + "def needle() -> int:\n    return value_7\n"})

    def program() -> Eff[Lsp, Any]:
        found = yield from find_symbol("needle")
        return found, (yield from snippet(found[0].place)), (yield from references(Place("big.py", 8, 0)))

    found, text, mentions = world.ask(program())
    assert [it.place.line for it in found] == [290_001]
    assert text.splitlines()[2] == "def needle() -> int:"
    assert mentions == (Place("big.py", 8, 0), Place("big.py", 290_002, 11))


def test_nothing_leaks_through_a_link_out_of_the_root(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("from code_here import shared\nTOKEN = shared()\n")
    world.write(
        {"code_here.py": "def shared() -> int:\n    return 1\n", "use.py": "import code_here\ncode_here.shared()\n"}
    )
    (world.root / "linked").symlink_to(outside)
    (world.root / "secret.py").symlink_to(outside / "secret.py")

    def program() -> Eff[Lsp, Any]:
        mentions = yield from references(Place("code_here.py", 1, 4))
        found = yield from find_symbol("TOKEN")
        read = yield from attempt(snippet(Place("secret.py", 1, 0)), BadAnswer)
        return mentions, found, read.failure()

    mentions, found, refused = world.ask(program())
    assert mentions == (Place("code_here.py", 1, 4), Place("use.py", 2, 10))
    assert found == ()
    assert "leads out of the root" in refused.why


def test_other_peoples_code_inside_the_root_is_not_the_codebases(world: World) -> None:
    world.write(
        {
            "env/pyvenv.cfg": "home = /usr\n",
            "env/lib/python3.11/site-packages/vendored.py": "def theirs() -> int: ...\n",
            "node_modules/pkg/theirs_too.py": "def theirs() -> int: ...\n",
            "ours.py": "def theirs() -> int: ...\n",
        }
    )
    assert [it.place.path for it in world.ask(find_symbol("theirs"))] == ["ours.py"]


def test_what_the_codebase_does_not_want_checked_is_looked_at_all_the_same(world: World) -> None:
    world.write(
        {
            "pyproject.toml": '[project]\nname = "x"\n[tool.ty.src]\ninclude = ["src"]\nexclude = ["tests"]\n',
            "src/lib.py": "def used() -> int: ...\n",
            "tests/check.py": "from lib import used\nused()\n",
            "tools/run.py": "from lib import used\nused()\n",
        }
    )
    paths = [place.path for place in world.ask(references(Place("src/lib.py", 1, 4)))]
    assert sorted(set(paths)) == ["src/lib.py", "tests/check.py", "tools/run.py"]


def test_the_settings_of_a_folder_above_do_not_hide_the_codebase(world: World, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.ty.src]\ninclude = ["elsewhere"]\n')
    (tmp_path / "beside.py").write_text("def shared() -> int: ...\n")
    world.write({"code.py": "def shared() -> int: ...\n"})
    assert [it.place.path for it in world.ask(find_symbol("shared"))] == ["code.py"]


def test_a_codebase_that_the_server_cannot_see_is_an_error_and_not_an_empty_answer(world: World) -> None:
    world.write({"code.py": "def present() -> int: ...\n"})
    with pytest.raises(BadAnswer, match=r"not even present, .*\.gitignore"):
        world.ask(find_symbol("absent"), odd("answers", "workspace/symbol", "[]"))


def test_what_the_codebase_does_not_share_is_looked_at_all_the_same(world: World) -> None:
    use = "from lib_ import used\nused()\n"
    hidden = ("gen.py", "out/a.py", "dist/b.py", "_build/c.py", "build/d.py", "pkg/venv/e.py", ".hidden/f.py")
    (world.root / ".git" / "info").mkdir(parents=True)
    world.write({
        "lib_.py": "def used() -> int: ...\n", ".gitignore": "gen.py\nout/\ndist/\nbuild/\n", ".ignore": "pkg/\n",
        ".git/info/exclude": "_build/\n", **dict.fromkeys(hidden, use),
    })  # fmt: skip
    paths = [place.path for place in world.ask(references(Place("lib_.py", 1, 4)))]
    assert sorted(set(paths)) == sorted(("lib_.py", *hidden))
    assert world.ask(unseen()) == ()


def test_folders_that_may_be_the_codebases_are_named_where_they_are_passed_over(world: World) -> None:
    ours = "def used() -> int: ...\n"
    passed_over = ("build/lib/lib_.py", "build/lib.linux-x86_64/lib_.py", "vendored/site-packages/theirs.py")
    silently = (".venv/x.py", "env/x.py", "node_modules/x.py", "a/__pycache__/x.py", ".git/x.py", "b/.tox/x.py")
    world.write(
        {"lib_.py": ours, "env/pyvenv.cfg": "", "env/bin/python": "", **dict.fromkeys((*passed_over, *silently), ours)}
    )
    world.write({"c/site-packages/readme.txt": "", "latin.py": b"x = '\xe9'\n"})

    def program() -> Eff[Lsp, Any]:
        return (yield from find_symbol("used")), (yield from unseen())

    found, limits = world.ask(program())
    assert [it.place.path for it in found] == ["lib_.py"]
    assert limits == (
        "not read, for not being UTF-8 or for their names: latin.py",
        "not read, as copies or as other people's code: build/lib, build/lib.linux-x86_64, vendored/site-packages",
    )


def test_a_file_that_says_so_does_not_make_a_package_a_virtual_environment(world: World) -> None:
    world.write({"shop/pyvenv.cfg": "", "shop/sale.py": "def used() -> int: ...\n", "lib_.py": "x = 1\n"})
    assert [it.place.path for it in world.ask(find_symbol("used"))] == ["shop/sale.py"]


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (
            '[{"name": "x", "kind": 12, "containerName": 5, "location": {"uri": "ROOT/code.py", "range": {}}}]',
            r"result\[0\]\.containerName: 5 is not text",
        ),
        ('[{"name": 5}]', r"result\[0\]\.location: None is not an object"),
        ('[{"name": "x", "location": {"uri": "file://[", "range": 5}}, 5]', r"result\[1\]\.location: 5 is not in an"),
    ],
)
def test_what_a_lying_server_answers_is_a_bad_answer(world: World, result: str, why: str) -> None:
    world.write({"code.py": "def present() -> int: ...\n"})
    with pytest.raises(BadAnswer, match=f"odd: answered workspace/symbol with nonsense: {why}"):
        world.ask(find_symbol("absent"), odd("answers", "workspace/symbol", result))


def test_of_an_answer_that_is_too_long_the_rest_is_counted(world: World) -> None:
    world.write({"code.py": "def present() -> int: ...\n"})

    def program() -> Eff[Lsp, Any]:
        return (yield from references(Place("code.py", 1, 4))), (yield from unseen())

    mentions, limits = world.ask(program(), odd("places", str(MOST + 7)))
    assert [place.line for place in mentions] == list(range(1, MOST + 1))
    assert limits == ("not looked at: 7 more mentions of what stands at code.py:1",)


@pytest.mark.parametrize("name", ["build", "dist", "site-packages", "venv"])
def test_what_the_root_itself_is_called_hides_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    for world in a_world(tmp_path / name):
        world.write({"lib/a.py": "def used() -> int: ...\n", "use.py": "from lib.a import used\n"})
        assert [place.path for place in world.ask(references(Place("lib/a.py", 1, 4)))] == ["lib/a.py", "use.py"]


def test_what_the_server_complains_of_is_noted(world: World) -> None:
    world.write(
        {"pyproject.toml": "[tool.ty.environment]\npython-version = 7\n", "code.py": "def here() -> int: ...\n"}
    )

    async def use(session: Session) -> Any:
        found = await run_async(find_symbol("here"), language_server(session))
        return [it.name for it in found], await noted(session)

    names, notes = world.talk(use)
    assert names == ["here"]
    assert any("Failed to load project" in note for note in notes)


async def noted(session: Session) -> tuple[str, ...]:
    """What the session has to note; pygls, which hears it, is imported while the first requests are under way."""
    while not session.notes:  # noqa: ASYNC110 - a session's notes are for when it is over; nothing tells of them
        await asyncio.sleep(0.02)
    return session.notes
