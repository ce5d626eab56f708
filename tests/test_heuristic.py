"""The heuristic scorer, asked as a program asks it: a question in English about nodes of real code."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from interpreters.gemma.heuristic import heuristic
from tidepool.domain import NodeContext, QueryContext, Rubric, Tag
from tidepool.eff import Eff, each, run
from tidepool.effects.gemma import Gemma, RateNode, rate_node

LLMKIND: Final = Path(__file__).parent / "fixtures" / "llmkind"
ADD_VARIANT: Final = QueryContext("What breaks if I add a variant to LLMKind?", (Tag.EXHAUSTIVE, Tag.PATTERN_MATCH))


def node_at(path: str, lines: list[str], index: int) -> NodeContext:
    return NodeContext(f"{path}:{index + 1}", None, "\n".join(lines[max(0, index - 2) : index + 3]))


def rated(question: str, line: str, path: str = "app/code.py") -> Rubric:
    return run(iter(rate_node(QueryContext(question), NodeContext(f"{path}:3", None, f"\n\n{line}\n\n"))), heuristic())


def rubrics_by_definition() -> dict[str, Rubric]:
    """The fixture's definitions and imports, each with the rubric of its worst line."""
    worst: dict[str, Rubric] = {}
    for file in sorted(LLMKIND.rglob("*.py")):
        path, text = file.relative_to(LLMKIND).as_posix(), file.read_text(encoding="utf-8")
        for statement in ast.parse(text).body:
            lines = range(statement.lineno - 1, statement.end_lineno or statement.lineno)
            nodes = [node_at(path, text.split("\n"), index) for index in lines]
            rubrics = run(each(rate_node(ADD_VARIANT, node) for node in nodes), heuristic())
            worst[name_of(statement, path)] = max(rubrics, key=lambda rubric: (rubric.risk, rubric.relevance))
    return worst


def name_of(statement: ast.stmt, path: str) -> str:
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return f"import at {path}:{statement.lineno}"


def test_what_dispatches_on_the_variants_is_rated_above_everything_else() -> None:
    worst = rubrics_by_definition()
    dispatching = {"price", "context_window", "CLIENTS", "test_codes"}
    lowest = min(worst[name].risk for name in dispatching)
    assert lowest >= 4
    assert all(worst[name].relevance == 5 - name.startswith("test") for name in dispatching)
    assert {name for name, rubric in worst.items() if rubric.risk >= lowest} == dispatching


def test_imports_and_code_that_treats_all_variants_alike_are_rated_low() -> None:
    worst = rubrics_by_definition()
    low = {name for name in worst if name.startswith("import")} | {"unrelated", "label", "run", "claude_client"}
    assert {name: worst[name].risk for name in low if worst[name].risk > 2} == {}
    assert max(worst[name].relevance for name in low) < min(worst[name].relevance for name in ("price", "test_codes"))


@pytest.mark.parametrize(
    ("question", "breaking", "safe"),
    [
        (
            "What breaks if I add a required parameter currency to charge?",
            ["shop.charge(3)", "return super().charge(3)", "hooks = map(charge, amounts)"],
            ["from shop import charge", 'shop.charge(3, currency="EUR")', '__all__ = ["charge"]'],
        ),
        (
            "What breaks if I rename charge to bill?",
            ["charge(3)", "from shop import charge", '__all__ = ["charge"]', "hook = charge"],
            ["def charged(): ...", "# it may charge", "x = recharge(3)"],
        ),
        (
            "What breaks if I add a field note to Order?",
            ["order = Order(1)", "class Express(Order):"],
            [
                "from shop import Order",
                "def pay(order: Order) -> None:",
                "isinstance(order, Order)",
                'Order(1, note="x")',
            ],
        ),
        (
            "What breaks if I remove the field note from Order?",
            ["print(order.note)", 'order.note = "x"', 'Order(1, note="x")'],
            ["from shop import Order", "def pay(order: Order) -> None:", "Order()"],
        ),
        (
            "What breaks if find_user can return None?",
            [
                "print(find_user(1).name)",
                "total = find_user(1) + 1",
                "for part in find_user(1):",
                "return find_user(1)",
            ],
            ["find_user(1)", "if find_user(1) is None:", "from users import find_user"],
        ),
        (
            "What breaks if I add an abstract method flush to Transport?",
            ["class Socket(Transport):", "transport = Transport()"],
            ["from net import Transport", "def send(transport: Transport) -> None:"],
        ),
        (
            "What breaks if I remove the variant GPT from LLMKind?",
            ["        case LLMKind.GPT:", "kind = LLMKind.GPT", "    LLMKind.GPT: client,"],
            ["        case LLMKind.CLAUDE:", "from kinds import LLMKind", "def price(kind: LLMKind) -> float:"],
        ),
        (
            "What breaks if I move slugify to text.slugs?",
            ["from app.text import slugify", "text.slugify(title)", 'patch("app.text.slugify")'],
            ["slugify(title)"],
        ),
        (
            "What breaks if I remove Redirect?",
            ["from http import Redirect", "raise Redirect(3)", "answer: Redirect", "class Permanent(Redirect):"],
            ["# like Redirect", "return 3"],
        ),
    ],
)
def test_a_change_breaks_what_relies_on_it_and_nothing_else(
    question: str, breaking: list[str], safe: list[str]
) -> None:
    assert {line: rated(question, line).risk for line in breaking if rated(question, line).risk < 4} == {}
    assert {line: rated(question, line).risk for line in safe if rated(question, line).risk > 2} == {}


def test_the_reasoning_says_what_stands_there_and_why_it_breaks() -> None:
    rubric = rated("What breaks if I add a required parameter currency to charge?", "shop.charge(3)")
    assert rubric.reasoning == "`charge` is called here without the new parameter `currency`, so the call fails"


def test_a_whole_round_is_rated_in_its_order() -> None:
    nodes = [NodeContext(f"app/code.py:{line}", None, "\n\nprint(LLMKind)\n\n") for line in range(3, 53)]

    def program() -> Eff[Gemma, list[Rubric]]:
        return (yield from each(rate_node(ADD_VARIANT, node) for node in nodes))

    assert run(program(), heuristic()) == [heuristic()(RateNode(ADD_VARIANT, node)) for node in nodes]


def test_a_question_that_names_nothing_gets_rubrics_too() -> None:
    rubric = rated("", "price(3)")
    assert (rubric.relevance, rubric.risk) == (1, 1)
