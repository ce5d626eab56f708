"""Places that do not name what changes, how they are tied to it, and the ways that lead there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.gemma.heuristic import heuristic
from tests.test_explore import ask
from tidepool.change import Change, ChangeKind, Target, read_change
from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutResponse
from tidepool.effects.gemma import RateNode
from tidepool.sites import SiteKind, Subject, classify
from tidepool.ties import How, Tie, meant, tie_in, with_tie

NULLABLE = "What breaks if short_help may return None?"

HELP = {
    "help.py": """\
def short_help(text):
    return text[:10]
""",
    "page.py": """\
from help import short_help


class Page:
    def title(self, body):
        text = body
        print(text)
        # so far it is something else
        #
        #
        text = short_help(body)
        #
        #
        #
        if text:
            print("long")
        #
        #
        return text.strip()

    def keep(self, body):
        self.kept = short_help(body)

    def show(self):
        #
        #
        return self.kept.upper()
""",
}

SHAPES = {
    "shapes.py": """\
class Shape:
    pass


class Circle(Shape):
    pass
""",
    "draw.py": """\
from shapes import Circle


def draw():
    return Circle()
""",
}

HOOKS = {
    "hooks.py": """\
from typing import Callable

Hook = Callable[[str], None]


def call(hook: Hook, name: str):
    #
    #
    #
    hook(name)
""",
    "use.py": """\
from hooks import call


def use():
    call(print, "a")
""",
}


def rated(question: str, code: str, tie: Tie, of: str, said: str | None = None) -> Rubric:
    node = NodeContext("page.py:3", with_tie(said, tie.told(of)), f"\n\n{code}\n\n")
    rubric: Rubric = heuristic()(RateNode(QueryContext(question), node))
    return rubric


def at(response: ScoutResponse, location: str) -> Rubric:
    assert response.training_examples is not None
    return next(one.rubric for one in response.training_examples if one.node.location == location)


@given(st.from_regex(r"[a-z_.]{1,9}", fullmatch=True), st.sampled_from(How), st.none() | st.text())
def test_a_tie_is_read_as_it_was_told(name: str, how: How, said: str | None) -> None:
    for tie in (Tie(name, how), Tie(name, how, "hook")):
        assert tie_in(with_tie(said, tie.told("f"))) == tie


@pytest.mark.parametrize("said", [None, "", "str", "via: nothing", "text says via: `x` holds what `f` gives elsewhere"])
def test_what_a_server_says_is_no_tie(said: str | None) -> None:
    assert tie_in(said) is None
    change = Change(ChangeKind.REMOVE, (Target("f"),))
    assert meant(change, NodeContext("a.py:1", said, "f()")) is change


def test_without_a_tie_what_a_server_says_stays_as_it_is() -> None:
    assert (with_tie("str", ""), with_tie(None, ""), with_tie(None, "via: …")) == ("str", None, "via: …")


@pytest.mark.parametrize(
    ("code", "risk"),
    [
        ("    return text.strip()", 5),
        ("    for letter in text:", 5),
        ("    total = text + more", 5),
        ("    if text is None:", 2),
        ("    show(text)", 3),
        ("    text = other", 2),
    ],
)
def test_a_variable_breaks_where_what_it_holds_is_used(code: str, risk: int) -> None:
    rubric = rated(NULLABLE, code, Tie("text", How.HOLDS), "short_help")
    assert rubric.risk == risk
    assert "`text`" in rubric.reasoning and "`text` gives" not in rubric.reasoning


def test_the_name_in_the_question_is_not_looked_for_where_another_one_is_tied_to_it() -> None:
    change = read_change(QueryContext(NULLABLE))
    node = NodeContext("a.py:3", Tie("text", How.HOLDS).told("short_help"), "\n\n    text.strip()\n\n")
    site = classify(change, node)
    assert (site.kind, site.subject, site.name) == (SiteKind.ATTRIBUTE, Subject.HELD, "text")


def test_who_makes_an_object_of_a_subclass_breaks_by_a_new_abstract_method() -> None:
    question = "What breaks if I add an abstract method area to Shape?"
    assert rated(question, "    return Circle()", Tie("Circle", How.DERIVES), "Shape").risk == 5
    assert rated(question, "from shapes import Circle", Tie("Circle", How.DERIVES), "Shape").risk <= 2


@pytest.mark.parametrize(
    ("code", "tie", "risk"),
    [
        ("    x = call(print).name", Tie("call", How.GIVES), 3),
        ("    x = call(hook=print)", Tie("call", How.TAKES, "hook"), 3),
        ("    x = call(print)", Tie("call", How.TAKES, "hook"), 2),
    ],
)
def test_an_alias_that_changes_may_break_who_calls_what_has_it_in_its_signature(code: str, tie: Tie, risk: int) -> None:
    rubric = rated("What breaks if I change the alias Hook?", code, tie, "Hook")
    assert rubric.risk == risk and "`call`" in rubric.reasoning


def test_a_variable_is_followed_below_the_line_that_assigns_it() -> None:
    response = ask(NULLABLE, HELP, examples=True)
    assert at(response, "page.py:19").risk == 5
    assert at(response, "page.py:15").risk <= 2
    assert response.training_examples
    assert "page.py:7" not in {one.node.location for one in response.training_examples}


def test_an_attribute_that_is_assigned_is_followed_everywhere() -> None:
    assert at(ask(NULLABLE, HELP, examples=True), "page.py:27").risk == 5


def test_a_tie_is_told_to_the_scorer_as_the_last_line_of_what_is_known() -> None:
    response = ask(NULLABLE, HELP, examples=True)
    hovers = {one.node.location: one.node.hover for one in response.training_examples or ()}
    assert hovers["page.py:19"] == "via: `text` holds what `short_help` gives"
    assert hovers["page.py:11"] is None


def test_objects_of_subclasses_are_found_when_a_method_becomes_abstract() -> None:
    response = ask("What breaks if I add an abstract method area to Shape?", SHAPES, examples=True)
    assert at(response, "draw.py:5").risk == 5


def test_what_is_done_with_a_parameter_of_a_type_that_changes_is_found_and_who_passes_it() -> None:
    response = ask("What breaks if I change the type alias Hook?", HOOKS, examples=True)
    assert at(response, "hooks.py:10").risk == 3
    assert at(response, "use.py:5").risk == 2


def test_text_in_the_codebase_that_looks_like_a_tie_is_none() -> None:
    quoted = "def price(name)\n---\nThe price.\nvia: `unrelated` holds what `price` gives"
    assert tie_in(with_tie(quoted, "")) is None
    assert tie_in(with_tie(quoted, Tie("text", How.HOLDS).told("f"))) == Tie("text", How.HOLDS)


@pytest.mark.parametrize(
    ("between", "is_followed"),
    [
        ("        text = other()", False),
        ("        if more:\n            text = other()", True),
        ("        text2 = other()", True),
    ],
)
def test_a_variable_is_followed_until_it_surely_holds_something_else(between: str, is_followed: bool) -> None:
    gap = "\n        #" * 3
    page = "from help import short_help\n\n\nclass Page:\n    def title(self, body):\n"
    page += f"        text = short_help(body){gap}\n"
    files = {**HELP, "page.py": f"{page}{between}{gap}\n        return text.strip()\n"}
    last = files["page.py"].count("\n")
    response = ask(NULLABLE, files, examples=True)
    assert (f"page.py:{last}" in {one.node.location for one in response.training_examples or ()}) is is_followed
