"""What servers write, in every shape the protocol allows, becomes the domain's own words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.lsp.answers import KINDS, MAX_HOVER, MOST, Answers, first, within_file
from interpreters.lsp.codebase import Codebase, uri_of
from interpreters.lsp.columns import UNITS, from_code_points, to_code_points
from interpreters.lsp.framing import MAX_MESSAGE_BYTES, Garbled, Inbox, frame
from interpreters.lsp.plain import plain, quote
from tidepool.effects.lsp import Place, SymbolKind
from tidepool.errors import InvalidData


def extent(line: int, column: int, last: int = -1, end: int = 9) -> dict[str, Any]:
    start = {"line": line, "character": column}
    return {"start": start, "end": {"line": line if last < 0 else last, "character": end}}


@pytest.fixture
def codebase(tmp_path: Path) -> Codebase:
    (tmp_path / "a.py").write_text("one\ntwo\n")
    (tmp_path / "b.py").write_text("one\n")
    return Codebase(tmp_path.resolve())


@pytest.fixture
def answers(codebase: Codebase) -> Answers:
    return Answers(codebase, "utf-16")


@pytest.fixture
def uri(codebase: Codebase) -> Callable[[str], str]:
    return lambda path: uri_of(codebase.root / path)


# Places.


def test_places_come_from_a_location_a_list_or_links(answers: Answers, uri: Callable[[str], str]) -> None:
    location = {"uri": uri("a.py"), "range": extent(1, 2)}
    link = {"targetUri": uri("a.py"), "targetRange": extent(0, 0), "targetSelectionRange": extent(1, 2)}
    for result in (location, [location], [location, location], [link]):
        assert answers.places(result) == (Place("a.py", 2, 2),)
    assert answers.places(None) == answers.places([]) == ()


def test_places_are_sorted_and_only_the_codebases(answers: Answers, uri: Callable[[str], str]) -> None:
    elsewhere = [
        "file:///elsewhere/a.py",
        "untitled:a.py",
        "http://host/a.py",
        "file://host/a.py",
        "zipfile:/a.zip",
        "",
    ]
    foreign = [uri(path) for path in (".venv/a.py", "node_modules/a.py", "../a.py", "a\nb.py")]
    found = [{"uri": it, "range": extent(0, 0)} for it in (uri("b.py"), *elsewhere, *foreign, uri("a.py"))]
    assert answers.places(found) == (Place("a.py", 1, 0), Place("b.py", 1, 0))


# Symbols.


def test_an_outline_comes_nested_or_flat(answers: Answers, uri: Callable[[str], str]) -> None:
    method = {"name": "m", "kind": 6, "range": extent(1, 2, 1), "selectionRange": extent(1, 6)}
    nested = {"name": "C", "kind": 5, "range": extent(0, 0, 1), "selectionRange": extent(0, 6), "children": [method]}
    flat = [
        {"name": "m", "kind": 6, "containerName": "C", "location": {"uri": uri("a.py"), "range": extent(1, 2, 1)}},
        {"name": "C", "kind": 5, "location": {"uri": uri("a.py"), "range": extent(0, 0, 1)}},
    ]
    for result, columns in (([nested], (6, 6)), (flat, (0, 2))):
        outline = answers.outline(result, "a.py")
        assert [it.qualified_name for it in outline] == ["C", "C.m"]
        assert tuple(it.place.column for it in outline) == columns
        assert [(it.first_line, it.last_line) for it in outline] == [(1, 2), (2, 2)]


def test_an_outline_may_nest_deeper_than_python_may_recurse(answers: Answers) -> None:
    deep: dict[str, Any] = {"name": "x", "kind": 5, "range": extent(0, 0), "selectionRange": extent(0, 0)}
    for _ in range(5_000):
        deep = {**deep, "children": [deep]}
    assert len(answers.outline([deep], "a.py")) == 5_001


def test_a_range_that_ends_before_a_line_does_not_cover_it(answers: Answers, uri: Callable[[str], str]) -> None:
    location = {"uri": uri("a.py"), "range": extent(0, 0, last=1, end=0)}
    (found,) = answers.found([{"name": "x", "kind": 12, "location": location}])
    assert (found.first_line, found.last_line) == (1, 1)


@pytest.mark.parametrize("number", range(30))
def test_every_kind_of_symbol_is_some_kind(answers: Answers, uri: Callable[[str], str], number: int) -> None:
    location = {"uri": uri("a.py"), "range": extent(0, 0)}
    (found,) = answers.found([{"name": "x", "kind": number, "location": location}])
    assert found.kind is KINDS.get(number, SymbolKind.OTHER)


@pytest.mark.parametrize(
    ("container", "path", "name", "within"),
    [
        ("", "pkg/mod.py", "f", ""),
        ("Class", "pkg/mod.py", "f", "Class"),
        ("pkg.mod.Class", "pkg/mod.py", "f", "Class"),
        ("mod.Class", "pkg/mod.py", "f", "Class"),
        ("pkg.mod.Class.f", "pkg/mod.py", "f", "Class"),
        ("pkg.mod", "pkg/mod.py", "f", ""),
        ("pkg.mod", "src/pkg/mod.py", "f", ""),
        ("pkg", "pkg/__init__.py", "f", ""),
        ("Outer.Inner", "Outer.py", "f", "Inner"),
    ],
)
def test_a_container_is_what_is_around_within_the_file(container: str, path: str, name: str, within: str) -> None:
    assert within_file(container, path, name) == within


def test_what_has_no_name_is_left_out_and_what_it_holds_is_not(answers: Answers, uri: Callable[[str], str]) -> None:
    method = {"name": "m", "kind": 6, "range": extent(1, 2, 1), "selectionRange": extent(1, 6)}
    nameless = {"name": "", "kind": 5, "range": extent(0, 0, 1), "selectionRange": extent(0, 6), "children": [method]}
    assert [it.qualified_name for it in answers.outline([nameless], "a.py")] == ["m"]
    assert answers.found([{"name": "", "kind": 5, "location": {"uri": uri("a.py"), "range": extent(0, 0)}}]) == ()
    (item,) = answers.items([{**nameless, "uri": uri("a.py")}])
    assert item.symbol is None


@pytest.mark.parametrize("container", [5, ["a"], {}, True])
def test_a_container_that_is_no_text_is_named(answers: Answers, uri: Callable[[str], str], container: object) -> None:
    location = {"uri": uri("a.py"), "range": extent(0, 0)}
    with pytest.raises(InvalidData, match=r"result\[0\].containerName"):
        answers.found([{"name": "x", "kind": 12, "containerName": container, "location": location}])


def test_an_address_that_is_no_text_names_no_file(answers: Answers, uri: Callable[[str], str]) -> None:
    assert answers.places({"uri": f"{uri('a.py')}\ud800", "range": extent(0, 0)}) == ()


# Too much.


@given(order=st.permutations(range(12)))
def test_the_first_of_too_many_are_the_same_in_whatever_order_they_come(order: list[int]) -> None:
    def listed(number: int) -> dict[str, Any]:
        return {"uri": f"file:///{'code' if number % 2 else 'elsewhere'}/{number % 3}.py", "range": extent(number, 0)}

    kept, left_out = first([listed(number) for number in order], 5, "file:///code/")
    assert kept == [listed(number) for number in (3, 9, 1, 7, 5)]
    assert left_out == 7


@pytest.mark.parametrize("wrong", [None, 5, "x", {}, {"uri": 5}, {"range": {"start": {"line": "x", "character": 0}}}])
def test_what_is_wrong_is_among_the_first(wrong: object) -> None:
    right = {"uri": "file:///code/a.py", "range": extent(0, 1)}
    assert first([right, right, wrong], 1, "file:///code/") == ([wrong], 2)


def test_an_outline_is_read_up_to_a_bound_and_the_rest_is_counted(answers: Answers) -> None:
    children = [
        {"name": "x", "kind": 13, "range": extent(line, 0), "selectionRange": extent(line, 0)} for line in range(MOST)
    ]
    outline = answers.outline([{**children[0], "children": children}], "a.py")
    assert (len(outline), answers.left_out) == (MOST, 1)


def test_calls_are_read_up_to_a_bound_and_the_rest_is_counted(answers: Answers, uri: Callable[[str], str]) -> None:
    def call(line: int) -> dict[str, Any]:
        where = {"uri": uri("a.py"), "range": extent(line, 0), "selectionRange": extent(line, 0)}
        return {"from": {"name": "f", "kind": 12, **where}, "fromRanges": [extent(at, 0) for at in range(MOST - 1)]}

    first_call, second_call = answers.calls([call(7), call(3)])
    assert (first_call.caller.place.line, len(first_call.places), len(second_call.places)) == (4, MOST - 1, 1)
    assert answers.left_out == MOST - 2


# Hover.


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ({"kind": "plaintext", "value": "def f() -> `int`\n"}, "def f() -> `int`"),
        (
            {"kind": "markdown", "value": "```python\ndef f()\n```\n---\nSee [f](file:///a.py#L1)."},
            "def f()\n---\nSee f.",
        ),
        ({"language": "python", "value": "def f()"}, "def f()"),
        ("~~~\nf\n~~~", "f"),
        ([{"language": "python", "value": "def f()"}, "", "doc"], "def f()\n\ndoc"),
        ("", None),
        ([], None),
        ({"kind": "plaintext", "value": " \n"}, None),
    ],
)
def test_hover_is_plain_text_whatever_shape_it_comes_in(answers: Answers, contents: object, text: str | None) -> None:
    assert answers.hover({"contents": contents}) == text


@pytest.mark.parametrize("piece", ["[", "![", "[a](", "[x]([", "`", "~~~", " ", "\x1b[31m", "\n", "\n ```"])
def test_a_hover_of_any_length_is_cut(answers: Answers, piece: str) -> None:
    for contents in (piece * 300_000, {"kind": "markdown", "value": piece * 300_000}, [piece * 100] * 10_000):
        assert len(answers.hover({"contents": contents}) or "") <= MAX_HOVER


def test_no_hover_is_none(answers: Answers) -> None:
    assert answers.hover(None) is None


# Anything else.

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["uri", "range", "start", "end", "line", "character", "name", "kind", "location", "children", "contents",
         "value", "from", "fromRanges", "selectionRange", "targetUri", "targetSelectionRange", "containerName"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(result=json_values)
def test_nonsense_is_named_or_read_and_never_crashes(result: object) -> None:
    answers = Answers(Codebase(Path("/nowhere/at/all")), "utf-8")
    readers: list[Callable[[Any], object]] = [
        answers.places, answers.found, answers.items, answers.calls, answers.hover,
        lambda value: answers.outline(value, "a.py"),
    ]  # fmt: skip
    for read in readers:
        with suppress(InvalidData):
            read(result)


# Columns.

lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=40)


@given(line=lines, encoding=st.sampled_from(sorted(UNITS)), data=st.data())
def test_columns_survive_the_way_there_and_back(line: str, encoding: str, data: st.DataObject) -> None:
    column = data.draw(st.integers(0, len(line)))
    units = from_code_points(line, column, encoding)
    assert units == len(line[:column].encode(UNITS[encoding].codec)) // UNITS[encoding].size_bytes
    assert to_code_points(line, units, encoding) == column


@given(line=lines, encoding=st.sampled_from(sorted(UNITS)), column=st.integers(0, 500))
def test_a_column_never_leads_out_of_its_line(line: str, encoding: str, column: int) -> None:
    assert 0 <= to_code_points(line, column, encoding) <= len(line)
    assert from_code_points(line, column, encoding) <= from_code_points(line, len(line), encoding)


def test_a_column_inside_a_character_stands_for_its_beginning() -> None:
    assert to_code_points("é😀x", 1, "utf-8") == 0
    assert to_code_points("é😀x", 4, "utf-8") == 1
    assert to_code_points("é😀x", 2, "utf-16") == 1
    assert to_code_points("é😀x", 3, "utf-16") == 2


def test_columns_in_a_file_that_is_gone_stay_as_they_are(answers: Answers, uri: Callable[[str], str]) -> None:
    assert answers.places({"uri": uri("gone.py"), "range": extent(3, 7)}) == (Place("gone.py", 4, 7),)


# Framing.


async def all_read(inbox: Inbox) -> list[bytes]:
    bodies = []
    length = 0
    while header := await inbox.readline():
        if header.startswith(b"Content-Length: "):
            length = int(header.split()[1])
        elif header == b"\r\n":
            bodies.append(await inbox.readexactly(length))
    return bodies


@given(
    bodies=st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=30), max_size=3), max_size=5), data=st.data()
)
def test_messages_are_the_same_however_they_arrive(bodies: list[dict[str, str]], data: st.DataObject) -> None:
    stream = b"".join(map(frame, bodies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    listening = data.draw(st.integers(0, len(bodies)))

    async def main() -> list[bytes]:
        taken: list[bytes] = []

        def take(message: bytes) -> bool:
            if len(taken) == listening:
                return False
            taken.append(message)
            return True

        inbox = Inbox()
        refused: list[None] = []
        inbox.listen(take, lambda: refused.append(None))
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            inbox.feed(stream[start:end])
        inbox.close()
        assert (len(taken), len(refused)) == (listening, 1)
        return [*taken, *await all_read(inbox)]

    assert [json.loads(body) for body in asyncio.run(main())] == [{"jsonrpc": "2.0", **body} for body in bodies]


@given(garbage=st.binary(max_size=200))
def test_garbage_is_refused_or_ends(garbage: bytes) -> None:
    async def main() -> None:
        inbox = Inbox()
        inbox.feed(garbage)
        inbox.close()
        with suppress(Garbled):
            for body in await all_read(inbox):
                assert body in garbage

    asyncio.run(main())


@pytest.mark.parametrize(
    "headers", [b"content-length:2\r\n\r\n", b"Content-Type: x; charset=utf-8\r\nContent-Length: 2 \r\n\r\n"]
)
def test_headers_are_read_as_servers_write_them(headers: bytes) -> None:
    async def main() -> list[bytes]:
        inbox = Inbox()
        inbox.feed(headers + b"{}")
        inbox.close()
        return await all_read(inbox)

    assert asyncio.run(main()) == [b"{}"]


def test_a_message_too_large_to_be_one_is_refused_before_it_comes() -> None:
    async def main() -> None:
        inbox = Inbox()
        inbox.feed(b"Content-Length: %d\r\n\r\n" % (MAX_MESSAGE_BYTES + 1))
        await inbox.readline()

    with pytest.raises(Garbled, match="from 1 to 268435456 can be read"):
        asyncio.run(main())


# Quoting.


@given(text=st.text() | st.binary(), most=st.integers(1, 50))
def test_what_is_quoted_is_one_short_printable_line(text: str | bytes, most: int) -> None:
    assert plain(text, most).isprintable()
    assert len(plain(text, most)) <= most
    assert quote(text, most).isprintable()
    assert len(quote(text, most)) <= most + 2


@pytest.mark.parametrize("piece", ["\x1b[31m", "\x1b[0", "\x1b]", "\x1b", "x"])
def test_megabytes_are_quoted_by_their_end_or_their_beginning(piece: str) -> None:
    said = f"first {piece * 1_000_000}\x07last"
    assert plain(said).endswith("last")
    assert quote(said).startswith("`first")


def test_escape_sequences_leave_no_trace() -> None:
    assert plain("\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\x1b]8;;http://x\x1b\\link\x9b2J") == "red plainlink 2J"
