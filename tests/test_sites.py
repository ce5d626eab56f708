"""What stands at a place, and what a change does there: real code in `fixtures/sites`, every line's site beside it.

A file there starts with the change (`# kind:`, or its own name; `# target:`, `# member:`, `# new:`), holds one file of
code after each `# --- path`, and marks lines with `#: site kind, facts… -> verdict`. The verdict is what a person says
about the line: it breaks, it has to be checked, or it is safe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidepool.change import Change, ChangeKind, Target
from tidepool.domain import NodeContext, Tag
from tidepool.particulars import (
    BY_AROUND,
    BY_PASSING,
    BY_USE,
    DOTTED,
    FALLBACK,
    MEMBER_RULES,
    OPTIONAL,
    RENAMED_PARAMETER,
    WORD_RULES,
)
from tidepool.rulebook import DEFAULTS, NEARBY, NOT_MENTIONED, RULES, SIBLING_STAYS, Rule
from tidepool.rules import action, expected, rate, rate_site
from tidepool.sites import Site, SiteKind, Subject, classify, in_test, tags

CODE: Final = Path(__file__).parent / "fixtures" / "sites"
MARK: Final = re.compile(
    r"\s*#: (?P<kind>[^,>]+?)(?P<facts>(?:, (?!hover=)[^,>]+?)*)(?P<hover>(?:, hover=.+)?) -> (?P<verdict>\w+)$"
)
VERDICTS: Final = {"breaks": (4, 5), "check": (3,), "safe": (1, 2)}


@attrs.frozen
class Example:
    """One marked line.

    Attributes:
        facts: what is said of the line besides the kind of site: its subject, use, passing, and flags.
        verdict: what a person says the change does to it.
    """

    change: Change
    node: NodeContext
    kind: SiteKind
    facts: frozenset[str]
    verdict: str

    @property
    def site(self) -> Site:
        return classify(self.change, self.node)


def examples_in(path: Path) -> Iterator[Example]:
    head, *files = re.split(r"^# --- ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    change = change_of(path.stem, head)
    for file in files:
        name, *marked = file.split("\n")
        lines = [MARK.sub("", line) for line in marked]
        for index, line in enumerate(marked):
            mark = MARK.search(line)
            assert ("#:" in line) == (mark is not None), f"{path.name}: {line}"
            if mark is not None:
                snippet = "\n".join(lines[max(0, index - 2) : index + 3])
                node = NodeContext(f"{name}:{index + 1}", mark["hover"].removeprefix(", hover=") or None, snippet)
                facts = frozenset(fact for fact in mark["facts"].split(", ") if fact)
                yield Example(change, node, SiteKind(mark["kind"]), facts, mark["verdict"])


def change_of(name: str, head: str) -> Change:
    said: dict[str, list[str]] = {"kind": [name], "target": [], "member": [], "new": [], "optional": []}
    for key, value in re.findall(r"# (\w+): (.+)", head):
        said[key].append(value)
    targets = tuple(Target(name, container) for container, _, name in (text.rpartition(".") for text in said["target"]))
    member, new = (said[key][-1] if said[key] else None for key in ("member", "new"))
    return Change(ChangeKind[said["kind"][-1].upper()], targets, member, new, optional=bool(said["optional"]))


EXAMPLES: Final = [example for path in sorted(CODE.glob("*.py")) for example in examples_in(path)]
FLAGS: Final[Mapping[str, Callable[[Site], bool]]] = {
    "member": lambda site: site.subject is Subject.MEMBER,
    "word": lambda site: site.subject is Subject.WORD,
    "sibling": lambda site: site.subject is Subject.SIBLING,
    "in test": lambda site: site.in_test,
    "dotted": lambda site: site.dotted,
    "fallback": lambda site: site.fallback,
}
"""What is said of a site exactly where it holds; a variant next to the one that is added is no news."""


def name_of(example: Example) -> str:
    return f"{example.change.kind}-{example.node.location}-{example.kind}"


def flags_of(example: Example) -> set[str]:
    site = example.site
    flags = {flag for flag, holds in FLAGS.items() if holds(site)}
    if example.change.kind is ChangeKind.ADD_VARIANT:
        flags -= {"sibling", "dotted"}
    return flags | ({f"alias={site.alias}"} if site.alias else set())


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_a_line_is_the_kind_of_site_that_a_person_says_it_is(example: Example) -> None:
    site = example.site
    shown = {str(site.use), str(site.passing), str(site.around)}
    assert (site.kind, flags_of(example)) == (example.kind, set(example.facts - shown)), example.node.snippet


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_a_line_breaks_or_not_as_a_person_says(example: Example) -> None:
    rubric = rate(example.change, example.node)
    assert rubric.risk in VERDICTS[example.verdict], rubric
    assert rubric.relevance >= 4 - example.site.in_test or example.verdict != "breaks", rubric


def every_rule() -> Iterator[tuple[ChangeKind | None, object, Rule]]:
    """Each rule of every table: the change it is about, or None where it is about any, and where it stands."""
    for tables in (RULES, MEMBER_RULES, WORD_RULES, BY_PASSING, BY_USE, BY_AROUND):
        for change, row in tables.items():
            yield from ((change, key, rule) for key, rule in row.items())
    for row in RENAMED_PARAMETER:
        yield from ((ChangeKind.RENAME, key, rule) for key, rule in row.items())
    for change, rule in (*FALLBACK.items(), *DOTTED.items(), *OPTIONAL.items()):
        yield change, "by facts", rule
    yield from ((None, key, rule) for key, rule in DEFAULTS.items())
    yield from ((None, "", rule) for rule in (NEARBY, NOT_MENTIONED, SIBLING_STAYS))


def test_every_rule_has_an_example() -> None:
    found = [(example.change.kind, expected(example.change, example.site)) for example in EXAMPLES]
    used: set[tuple[object, Rule]] = {*found, *((None, rule) for _, rule in found)}
    assert [where for *where, rule in every_rule() if (where[0], rule) not in used] == []


@pytest.mark.parametrize("kind", ChangeKind)
def test_every_change_has_a_rule_for_every_site(kind: ChangeKind) -> None:
    for change in (Change(kind, (Target("price"),)), Change(kind, (Target("price", "Shop"),), "tax", "total")):
        for site in (Site(site, subject, "price") for site in SiteKind for subject in Subject):
            rubric = rate_site(change, site)
            assert "{" not in rubric.reasoning + action(change, site)
            assert rubric.reasoning.endswith(rubric.reasoning.strip(" :,"))


PRICE: Final = Change(ChangeKind.RENAME, (Target("price"),), new_name="cost")
KINDS: Final = Change(ChangeKind.ADD_VARIANT, (Target("LLMKind"),))


def site_of(change: Change, line: str, hover: str | None = None, path: str = "shop/basket.py") -> Site:
    return classify(change, NodeContext(f"{path}:3", hover, f"\n\n{line}\n\n"))


@pytest.mark.parametrize(
    "line",
    [
        "total = unit_price(item)",
        "total = price_of(item)",
        "total = prices[0]",
        "total = Price(item)",
        "total = übprice(item)",
    ],
)
def test_a_name_inside_a_longer_name_is_no_mention(line: str) -> None:
    assert site_of(PRICE, line).kind is SiteKind.NONE


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('print("price")  # nothing', SiteKind.STRING),
        ("print('it\\'s the price')", SiteKind.STRING),
        ("total = 3  # the price of it", SiteKind.COMMENT),
        ('"""The price."""', SiteKind.DOCSTRING),
        ('print(f"{price(item)}")', SiteKind.CALL),
        ('print(f"price {item}")', SiteKind.STRING),
        ("print('#', price(item))", SiteKind.CALL),
    ],
)
def test_text_is_told_from_code(line: str, kind: SiteKind) -> None:
    assert site_of(PRICE, line).kind is kind


def test_a_line_below_the_end_of_a_docstring_is_code() -> None:
    node = NodeContext("shop.py:9", None, '    what it costs.\n    """\n    return price(item)\n\n\ndef other(): ...')
    assert classify(PRICE, node).kind is SiteKind.CALL


def test_a_line_above_the_end_of_a_docstring_is_text() -> None:
    node = NodeContext("shop.py:9", None, 'What it costs.\n\n    See price for more.\n    """\n    return 3')
    assert classify(PRICE, node).kind is SiteKind.DOCSTRING


def test_the_most_telling_mention_of_a_line_counts() -> None:
    assert site_of(PRICE, "price: float = price(item)  # the price").kind is SiteKind.DEFINITION
    assert site_of(PRICE, "check(price=price(item))").kind is SiteKind.CALL


def test_of_two_targets_the_more_plausible_one_counts() -> None:
    change = Change(ChangeKind.REMOVE, (Target("discount"), Target("price")))
    assert site_of(change, "price(discount)").name == "discount"
    assert site_of(change, "price(3)").name == "price"


def test_the_server_tells_a_mention_under_another_name() -> None:
    change = Change(ChangeKind.RENAME, (Target("LLMKind"),))
    site = site_of(change, "def run(kind: Kind = Kind(1)) -> None: ...", "<class 'LLMKind'>")
    assert (site.kind, site.subject, site.name) == (SiteKind.CONSTRUCTION, Subject.TARGET, "Kind")


def test_the_server_tells_a_variant_under_another_name() -> None:
    site = site_of(KINDS, "    case Kind.CLAUDE:", "Literal[LLMKind.CLAUDE]")
    assert (site.kind, site.subject) == (SiteKind.CASE, Subject.SIBLING)


def test_a_constant_that_stands_for_a_variant_is_that_variant() -> None:
    site = site_of(KINDS, "    if kind == CLAUDE and ready:", "Literal[LLMKind.CLAUDE]")
    assert (site.kind, site.subject, site.name) == (SiteKind.COMPARISON, Subject.SIBLING, "CLAUDE")


def test_the_server_tells_a_class_from_a_function() -> None:
    change = Change(ChangeKind.ADD_PARAMETER, (Target("cached"),))
    assert site_of(change, "x = cached(3)", "def cached(size: int) -> None").kind is SiteKind.CALL
    assert site_of(change, "x = cached(3)", "class cached(size: int)").kind is SiteKind.CONSTRUCTION


def test_variants_that_are_classes_are_matched_by_name() -> None:
    change = Change(ChangeKind.ADD_VARIANT, (Target("Shape"),))
    site = site_of(change, "        case Circle(radius):")
    assert (site.kind, site.subject) == (SiteKind.CASE, Subject.OTHER)
    assert rate_site(change, site).risk == 4


def test_a_call_of_a_function_that_may_pass_the_change_on_counts_less_than_one_of_the_target() -> None:
    change = Change(ChangeKind.MAKE_NULLABLE, (Target("find"),))
    direct, indirect = (rate_site(change, site_of(change, f"    print({name}().title)")) for name in ("find", "lookup"))
    assert indirect.risk < direct.risk
    assert indirect.relevance < direct.relevance
    assert indirect.confidence < direct.confidence


def test_a_class_further_down_counts_less_than_a_direct_subclass() -> None:
    change = Change(ChangeKind.ADD_ABSTRACT_METHOD, (Target("Transport"),), "flush")
    direct, indirect = (rate_site(change, site_of(change, f"class Fast({base}):")) for base in ("Transport", "Socket"))
    assert 1 < indirect.risk < direct.risk


def test_a_line_that_has_nothing_to_do_with_the_change_matters_least() -> None:
    rubric = rate(PRICE, NodeContext("shop.py:3", None, "\n\nreturn 42\n\n"))
    assert (rubric.relevance, rubric.risk) == (1, 1)
    assert "`price`" in rubric.reasoning


def test_a_snippet_that_is_not_cut_around_its_line_is_read_for_the_name() -> None:
    node = NodeContext("Types.hs:127", "data LLMKind = ...", "data LLMKind\n  = Sonnet\n  ...")
    assert classify(KINDS, node).kind is SiteKind.DEFINITION
    assert classify(KINDS, NodeContext("a.py:9", None, "def f(kind: LLMKind): ...")).kind is SiteKind.ANNOTATION


def test_in_a_test_a_site_is_less_relevant_and_as_risky() -> None:
    places = ("shop/a.py", "tests/test_a.py")
    product, test = (rate_site(PRICE, site_of(PRICE, "price(1)", path=path)) for path in places)
    assert (test.relevance, test.risk) == (product.relevance - 1, product.risk)


def test_a_site_of_the_kind_asked_about_is_more_relevant() -> None:
    site = site_of(KINDS, "kind = LLMKind(name)")
    plain, asked = rate_site(KINDS, site), rate_site(KINDS, site, (Tag.DATA_TYPE,))
    assert (asked.relevance, asked.risk) == (plain.relevance + 1, plain.risk)


def test_another_name_is_told_with_the_column_where_it_stands() -> None:
    site = site_of(PRICE, "from shop.pricing import price as unit")
    assert (site.alias, site.alias_column) == ("unit", 34)
    assert site_of(PRICE, "from shop.pricing import price").alias == ""


@pytest.mark.parametrize(
    ("path", "expected_in_test"),
    [
        ("tests/test_a.py", True),
        ("src/app/tests/helpers.py", True),
        ("app/test_pricing.py", True),
        ("conftest.py", True),
        ("app/pricing_test.py", True),
        ("app/latest.py", False),
        ("app/testimony.py", False),
        ("contest/run.py", False),
    ],
)
def test_test_code_is_told_by_its_path(path: str, expected_in_test: bool) -> None:
    assert in_test(path) is expected_in_test


def test_every_tag_of_a_site_is_one_a_question_may_have() -> None:
    assert {tag for kind in SiteKind for tag in tags(kind)} == set(Tag)


WORDS: Final = st.sampled_from(
    [
        *"price Shop . , : = == ( ) [ ] { } -> def class case if elif for in import from as return @ * ** is".split(),
        *("\n", "\n    ", " ", "\\", "#", "'", '"', 'f"', '"""', "Ünï", "isinstance(", "LLMKind.CLAUDE", "super()."),
    ]
)
PIECES: Final = st.lists(WORDS, max_size=40)
SNIPPETS: Final = st.one_of(st.text(), PIECES.map(" ".join), PIECES.map("".join))
NAMES: Final = st.sampled_from(["price", "LLMKind", "CLAUDE", "", "a.b", "(", "ünï", "__init__"])
TARGETS: Final = st.builds(Target, NAMES, NAMES)
CHANGES: Final = st.builds(
    Change,
    st.sampled_from(ChangeKind),
    st.lists(TARGETS, max_size=3).map(tuple),
    st.none() | NAMES,
    st.none() | NAMES,
)
PATHS: Final = st.sampled_from(["a.py", "x/__init__.py", "tests/t.py", "a.hs"])
LOCATIONS: Final = st.builds("{}:{}".format, PATHS, st.integers(1, 10**6))
SAID: Final = [
    "<class 'LLMKind'>",
    "Literal[LLMKind.CLAUDE]",
    "def price() -> int",
    "bound method Shop.price()",
    "price",
]
HOVERS: Final = st.none() | st.text() | st.sampled_from(SAID)
NODES: Final = st.builds(NodeContext, LOCATIONS, HOVERS, SNIPPETS)


@given(CHANGES, NODES)
def test_every_text_has_a_rubric_and_always_the_same(change: Change, node: NodeContext) -> None:
    rubric = rate(change, node)
    assert rubric.reasoning
    assert rubric == rate(change, node)
    assert action(change, classify(change, node))


HUGE: Final = ["price(", "((((", "a.", '"""', 'f"{', "price = ", "in price ", "x: ", "  \n", "price, ", "price", "as "]


@pytest.mark.parametrize("piece", HUGE)
def test_a_snippet_of_any_size_is_rated(piece: str) -> None:
    assert rate(PRICE, NodeContext("a.py:999999", piece * 2_000, piece * 20_000)).reasoning
