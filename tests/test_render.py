"""What hostile code, names and paths come out as."""

from __future__ import annotations

import io
import json

import pytest

from interpreters.edge.printing import printable
from interpreters.edge.render import RENDERERS
from interpreters.edge.shown import Shown
from tidepool.domain import NodeContext, Pointer, ScoutResponse, Status, Verdict

HOSTILE = "a]b`|<img src=x onerror=1>[l](javascript:1)\x1b[31m\u202e\u009b31m.py"


def rendered(form: str) -> str:
    where = f"{HOSTILE}:1"
    pointer = Pointer(where, HOSTILE, 5, 5, 5, f"`{HOSTILE}` is called", (), "Look", Verdict.LIKELY)
    stream = io.StringIO()
    response = ScoutResponse(HOSTILE, Status.COMPLETE, (pointer,))
    RENDERERS[form](Shown(response, HOSTILE, {where: NodeContext(where, HOSTILE, HOSTILE)}, (HOSTILE,)), stream)
    return stream.getvalue()


@pytest.mark.parametrize("form", RENDERERS)
def test_nothing_moves_the_cursor_or_turns_the_direction(form: str) -> None:
    shown = rendered(form)
    assert not set(shown) & {"\x1b", "\u202e", "\u009b"}


def test_markdown_has_neither_links_nor_html_nor_cells_of_the_code_s_own() -> None:
    shown = rendered("markdown")
    *_, head, rule, row = shown.splitlines()
    assert row.replace("\\|", "").count("|") == head.count("|") == rule.count("|")
    prose = "".join(shown.replace("\\`", "").split("`")[::2])
    assert "[l](" not in prose
    assert "<img" not in prose.replace("\\<", "")


def test_json_says_it_all() -> None:
    assert json.loads(rendered("json"))["summary"] == HOSTILE


def test_printable_text_stays_as_it_is() -> None:
    assert printable("Größe 大小 price(kind)") == "Größe 大小 price(kind)"
