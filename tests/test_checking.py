"""What a checker's words, and its silence, make of a rubric."""

from __future__ import annotations

import asyncio

import attrs
import pytest
from returns.result import Success

from interpreters.clock import stopped_clock
from interpreters.gemma.heuristic import heuristic
from interpreters.gemma.oracle import oracle
from interpreters.lsp.in_memory import in_memory
from interpreters.report import silent
from tests.test_explore import LLMKIND, NOON, SHOP
from tidepool.change import Change, ChangeKind, Target
from tidepool.checking import CLEAN_RISK, Trial, findings, judge, sees, trial
from tidepool.domain import NodeContext, QueryContext, Rubric, ScoutQuery, ScoutResponse, Status, Verdict
from tidepool.eff import AsyncHandler, Handler, lift, run, run_async
from tidepool.effects.gemma import RateNode
from tidepool.effects.lsp import Diagnostic, DocumentSymbols, Edit, Lsp, Place, Source, Symbol, SymbolKind, WhatIf
from tidepool.errors import BadAnswer, Unavailable, Unsupported
from tidepool.explore import explore
from tidepool.sites import Site, SiteKind, Subject, classify

REMOVE = "Is it safe to delete `find_price`?"
PARAMETER = "What breaks if I add a required parameter to `find_price`?"
CALL = NodeContext("shop/till.py:9", None, "\ndef quote(name):\n    total = find_price(name) * 2\n    return total\n")


def broken_at(*locations: str, code: str = "missing-argument") -> tuple[Diagnostic, ...]:
    places = (location.rpartition(":") for location in locations)
    return tuple(Diagnostic(Place(path, int(line), 4), code, "No argument provided") for path, _, line in places)


def world(*diagnostics: Diagnostic, files: dict[str, str] = SHOP) -> Handler[Lsp]:
    """The files in memory, and a checker that says these things of every edit."""

    def answer(op: WhatIf) -> tuple[Diagnostic, ...]:
        return tuple(one for one in diagnostics if op.paths is None or one.place.path in op.paths)

    return in_memory(files) | WhatIf.by(answer)


def ask(question: str, codebase: Handler[Lsp], *, budget: int = 50) -> ScoutResponse:
    handlers = heuristic() | codebase | stopped_clock(NOON) | silent()
    return run(explore(ScoutQuery(question, budget_nodes=budget, keep_examples=True, verify=True)), handlers)


def test_what_a_checker_finds_is_as_risky_as_can_be_and_told_in_its_words() -> None:
    change = Change(ChangeKind.ADD_PARAMETER, (Target("find_price"),))
    (found,) = broken_at("shop/till.py:9")
    judged = judge(change, CALL, classify(change, CALL), Rubric(3, 2, 2, "A call."), found)
    assert (judged.relevance, judged.risk, judged.confidence) == (5, 5, 5)
    assert "No argument provided [missing-argument]" in judged.reasoning


def test_a_checker_that_is_silent_where_it_would_speak_lowers_the_risk() -> None:
    change = Change(ChangeKind.ADD_PARAMETER, (Target("find_price"),))
    judged = judge(change, CALL, classify(change, CALL), Rubric(5, 5, 3, "The call lacks it."), None)
    assert judged.risk == CLEAN_RISK and judged.relevance == 5
    assert judged.reasoning == "The call lacks it; with the change made in memory, a checker finds nothing wrong here."


@pytest.mark.parametrize("site", [SiteKind.TABLE, SiteKind.CHAIN, SiteKind.LITERAL, SiteKind.EXPORT, SiteKind.SUBCLASS])
def test_a_checker_is_silent_about_what_no_type_ties_to_the_change(site: SiteKind) -> None:
    assert not sees(ChangeKind.CHANGE_RETURN_TYPE, Site(site, Subject.TARGET, ""))
    assert sees(ChangeKind.CHANGE_RETURN_TYPE, Site(SiteKind.CALL, Subject.TARGET, ""))


@pytest.mark.parametrize("site", [SiteKind.CALL, SiteKind.ANNOTATION])
def test_a_checker_is_silent_about_what_lacks_a_variant(site: SiteKind) -> None:
    assert not sees(ChangeKind.ADD_VARIANT, Site(site, Subject.SIBLING, ""))


@pytest.mark.parametrize("site", [SiteKind.CALL, SiteKind.VALUE, SiteKind.SUPER_CALL])
def test_a_checker_is_silent_about_coroutines_that_nobody_uses_as_what_they_were(site: SiteKind) -> None:
    assert not sees(ChangeKind.MAKE_ASYNC, Site(site, Subject.TARGET, ""))


def test_quoted_words_are_not_judged() -> None:
    assert not sees(ChangeKind.CHANGE_RETURN_TYPE, Site(SiteKind.COMPARISON, Subject.WORD, ""))


def test_a_low_risk_that_a_checker_agrees_with_is_surer_and_says_the_same() -> None:
    change = Change(ChangeKind.ADD_PARAMETER, (Target("find_price"),))
    judged = judge(change, CALL, classify(change, CALL), Rubric(3, 1, 2, "It is passed."), None)
    assert (judged.risk, judged.confidence, judged.reasoning) == (1, 4, "It is passed.")


@pytest.mark.parametrize(
    "node",
    [
        attrs.evolve(CALL, hover="Unknown"),
        attrs.evolve(CALL, snippet=CALL.snippet.replace("* 2", "* 2  # type: ignore")),
        attrs.evolve(CALL, snippet=CALL.snippet.replace("* 2", "* 2  # ty: ignore[missing-argument]")),
    ],
    ids=["a value without a type", "an ignored line", "a line that ty ignores"],
)
def test_where_a_checker_cannot_speak_its_silence_says_nothing(node: NodeContext) -> None:
    change = Change(ChangeKind.ADD_PARAMETER, (Target("find_price"),))
    rubric = Rubric(5, 5, 3, "The call lacks it.")
    assert judge(change, node, classify(change, node), rubric, None) == rubric
    assert rated(PARAMETER, node, world()).risk == heuristic()(RateNode(QueryContext(PARAMETER), node)).risk


@pytest.mark.parametrize("kind", [ChangeKind.REMOVE, ChangeKind.RENAME, ChangeKind.MOVE])
def test_a_checker_is_silent_about_uses_behind_an_import_that_fails(kind: ChangeKind) -> None:
    assert not sees(kind, Site(SiteKind.CALL, Subject.TARGET, ""))


def test_only_the_first_finding_of_a_line_counts_and_none_inside_the_function_that_changes() -> None:
    tried = Trial(Edit("shop/prices.py", ()), frozenset({1, 2}))
    inside, first = broken_at("shop/prices.py:2", "shop/till.py:9")
    second = first._replace(place=first.place._replace(column=30))
    assert findings([second, inside, first], tried) == {"shop/till.py:9": first}


def test_what_is_found_where_nothing_else_leads_is_part_of_the_answer_and_comes_first() -> None:
    elsewhere = {**SHOP, "shop/other.py": "from shop import till\n\n\ndef show():\n    return till.quote(1)\n"}
    response = ask(PARAMETER, world(*broken_at("shop/other.py:5"), files=elsewhere))
    first = response.pointers[0]
    assert (first.location, first.verdict, first.what) == ("shop/other.py:5", Verdict.VERIFIED, "show")
    assert {pointer.verdict for pointer in response.pointers[1:]} == {Verdict.POSSIBLE}
    assert "1 is verified" in response.summary and response.status is Status.COMPLETE


def test_examples_hold_what_the_scorer_said_and_not_the_verdict() -> None:
    response = ask(PARAMETER, world(*broken_at("shop/till.py:9")))
    rated = heuristic()
    assert response.training_examples
    for example in response.training_examples:
        assert example.rubric == rated(RateNode(example.query, example.node))


def test_a_finding_outside_the_budget_leaves_the_answer_partial() -> None:
    lines = "".join(f"\n\ndef use{number}():\n    return find_price({number})\n" for number in range(9))
    files = {**SHOP, "shop/many.py": f"from shop.prices import find_price\n{lines}"}
    found = broken_at(*(f"shop/many.py:{5 + 4 * number}" for number in range(9)))
    response = ask(PARAMETER, world(*found, files=files), budget=4)
    assert response.status is Status.PARTIAL and response.nodes_visited == 4
    assert all(pointer.verdict is Verdict.VERIFIED for pointer in response.pointers)


@pytest.mark.parametrize("error", [Unavailable("ty", "crashed twice"), BadAnswer("ty", "answered nonsense")])
@pytest.mark.parametrize("whole", [False, True], ids=["at once", "when it is asked about everything"])
def test_a_checker_that_fails_leaves_the_unverified_answer_and_says_so(error: Exception, whole: bool) -> None:
    def answer(op: WhatIf) -> tuple[Diagnostic, ...]:
        if whole and op.paths is not None:
            return broken_at("shop/till.py:9")
        raise error

    response = ask(PARAMETER, in_memory(SHOP) | WhatIf.by(answer))
    verified = [pointer.location for pointer in response.pointers if pointer.verdict is Verdict.VERIFIED]
    assert response.status is Status.PARTIAL
    assert verified == (["shop/till.py:9"] if whole else [])
    assert str(error) in response.summary and len(response.pointers) >= 3
    assert any(pointer.verdict is Verdict.LIKELY for pointer in response.pointers)


def test_a_server_that_cannot_check_is_no_loss_but_told() -> None:
    def refuse(_: WhatIf) -> tuple[Diagnostic, ...]:
        raise Unsupported("jedi", "does not check types")

    response = ask(PARAMETER, in_memory(SHOP) | WhatIf.by(refuse))
    assert response.status is Status.COMPLETE and "Nothing was verified: jedi: does not check types" in response.summary


def test_a_change_without_a_text_is_not_verified_and_told() -> None:
    response = ask("What breaks if I change what `find_price` does?", world())
    assert response.status is Status.COMPLETE and "Nothing was verified: " in response.summary


def test_a_definition_that_cannot_be_read_leaves_the_answer_partial() -> None:
    def gone(op: Source) -> str:
        raise BadAnswer("codebase", f"{op.path} cannot be read")

    response = ask(PARAMETER, in_memory(SHOP) | Source.by(gone))
    assert response.status is Status.PARTIAL and "shop/prices.py cannot be read" in response.summary


# The oracle


def rated(question: str, node: NodeContext, codebase: Handler[Lsp] | AsyncHandler[Lsp]) -> Rubric:
    return asyncio.run(run_async(RateNode(QueryContext(question), node), oracle(codebase)))


def test_the_oracle_is_sure_of_what_a_checker_finds() -> None:
    rubric = rated(PARAMETER, CALL, world(*broken_at("shop/till.py:9")))
    assert (rubric.relevance, rubric.risk, rubric.confidence) == (5, 5, 5)


def test_the_oracle_puts_little_risk_where_a_checker_finds_nothing() -> None:
    rubric = rated(PARAMETER, CALL, world())
    assert rubric.risk == CLEAN_RISK and rubric.confidence >= 4


def test_the_oracle_is_unsure_of_what_no_checker_sees() -> None:
    table = NodeContext(
        "llmapp/registry.py:7", None, "CLIENTS = {\n    LLMKind.CLAUDE: claude,\n    LLMKind.GPT: gpt,\n}"
    )
    rubric = rated("What breaks if I add a variant to LLMKind?", table, world(files=LLMKIND))
    assert rubric.risk >= 3 and rubric.confidence <= 2 and "no checker sees" in rubric.reasoning


@pytest.mark.parametrize("question", ["What breaks if I rename Nobody?", "What if `find_price` became slower?"])
def test_the_oracle_says_why_nothing_was_checked(question: str) -> None:
    rubric = rated(question, CALL, world())
    assert rubric.confidence <= 2 and "(by the rules: " in rubric.reasoning


def test_the_oracle_makes_an_edit_once_for_all_nodes_of_a_question() -> None:
    asked: list[Edit] = []

    def answer(op: WhatIf) -> tuple[Diagnostic, ...]:
        asked.append(op.edit)
        return ()

    async def main() -> None:
        scorer = oracle(in_memory(SHOP) | WhatIf.by(answer))
        ops = [RateNode(QueryContext(question), CALL) for question in (PARAMETER, REMOVE, PARAMETER)]
        for _ in range(2):
            assert all(isinstance(answer, Success) for answer in await scorer.many[RateNode](ops))

    asyncio.run(main())
    assert len(asked) == 2


def test_a_codebase_that_cannot_be_asked_fails_the_oracle_by_name() -> None:
    def crash(_: WhatIf) -> tuple[Diagnostic, ...]:
        raise Unavailable("ty", "crashed twice; update it")

    with pytest.raises(Unavailable, match="crashed twice"):
        rated(PARAMETER, CALL, lift(in_memory(SHOP)) | WhatIf.by(crash))


def test_how_a_definition_would_be_written_is_asked_of_its_file_alone() -> None:
    symbol = Symbol("find_price", SymbolKind.FUNCTION, "", Place("shop/prices.py", 1, 4), 1, 2)
    change = Change(ChangeKind.RENAME, (Target("find_price"),), new_name="price_of")
    tried = run(trial(change, symbol), in_memory(SHOP)).unwrap()
    assert tried.edit.applied(SHOP["shop/prices.py"]).startswith("def price_of(name):")
    assert tried.lines == {1, 2}


def test_the_lines_of_a_class_that_the_edit_touches_belong_to_the_change() -> None:
    symbols = run(DocumentSymbols("llmapp/kinds.py"), in_memory(LLMKIND))
    symbol = next(one for one in symbols if one.name == "LLMKind")
    tried = run(trial(Change(ChangeKind.ADD_VARIANT, (Target("LLMKind"),)), symbol), in_memory(LLMKIND)).unwrap()
    assert tried.lines and tried.lines < set(range(symbol.first_line, symbol.last_line + 2))


def test_an_edit_of_a_file_that_a_stub_stands_in_for_is_not_tried() -> None:
    symbol = Symbol("find_price", SymbolKind.FUNCTION, "", Place("shop/prices.py", 1, 4), 1, 2)
    stub = attrs.evolve(symbol, place=Place("shop/prices.pyi", 1, 4))
    tried = run(trial(Change(ChangeKind.REMOVE, (Target("find_price"),)), symbol, [stub]), in_memory(SHOP))
    assert "a stub stands beside" in tried.failure()


def test_what_breaks_in_product_code_is_rated_before_what_breaks_in_tests() -> None:
    uses = "from shop.prices import find_price\n\n\n" + "".join(
        f"def use{n}():\n    find_price({n})\n" for n in range(4)
    )
    files = {**SHOP, "shop/tests/test_it.py": uses, "shop/zoo.py": uses}
    lines = range(5, 12, 2)
    found = broken_at(*(f"{path}:{line}" for path in ("shop/tests/test_it.py", "shop/zoo.py") for line in lines))
    response = ask(PARAMETER, world(*found, files=files), budget=4)
    assert {pointer.location.partition(":")[0] for pointer in response.pointers} == {"shop/zoo.py"}
