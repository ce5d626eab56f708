"""What a question asks: kind, target, member and new name, however it is put."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.questions import IN_OTHER_WORDS, PHRASINGS, Asked
from tidepool.change import TARGETS_KEPT, Change, ChangeKind, Target, read_change
from tidepool.domain import QueryContext, Tag
from tidepool.question.meanings import MEANINGS
from tidepool.question.phrases import sentences
from tidepool.question.phrasings import MENTIONING, TELLING, Table, deeds
from tidepool.question.vocabulary import LETTER_OF, LETTERS, spellings
from tidepool.question.words import READ_CHARACTERS, words_of


def ask(question: str, tags: str = "") -> Change:
    return read_change(QueryContext(question, tuple(Tag(tag) for tag in tags.split())))


def gist(change: Change) -> tuple[ChangeKind, str | None, str | None, str | None]:
    target = change.targets[0].qualified_name if change.targets else None
    return change.kind, target, change.member, change.new_name


EVERY_QUESTION = [
    pytest.param(kind, asked, id=asked.question[:60] or "nothing")
    for table in (PHRASINGS, IN_OTHER_WORDS)
    for kind, questions in table.items()
    for asked in questions
]
LONG_ENOUGH = [asked for questions in PHRASINGS.values() for asked in questions if " " in asked.question]


@pytest.mark.parametrize(("kind", "asked"), EVERY_QUESTION)
def test_a_question_is_read(kind: ChangeKind, asked: Asked) -> None:
    assert gist(ask(asked.question, asked.tags)) == (kind, asked.target, asked.member, asked.new)


def test_every_kind_is_asked_for_in_many_ways() -> None:
    assert {kind: len(PHRASINGS[kind]) >= 8 for kind in ChangeKind} == dict.fromkeys(ChangeKind, True)


def names(change: Change) -> list[str]:
    return [target.qualified_name for target in change.targets]


class TestTargets:
    def test_a_removed_field_is_looked_for_in_its_class_and_then_the_class_itself(self) -> None:
        assert ask("remove field x from C").targets == (Target("x", "C"), Target("C"))

    def test_what_may_stand_in_a_module_is_looked_for_without_it_too(self) -> None:
        assert names(ask("rename parse in utils.py to read")) == ["utils.parse", "parse"]

    def test_what_stands_in_a_class_is_looked_for_nowhere_else(self) -> None:
        assert names(ask("remove method foo from C")) == ["C.foo"]

    def test_other_names_follow_in_their_order_and_files_last(self) -> None:
        question = "See `src/app.py`: does `helper` or `Other.thing` break if I rename `foo` to `bar`?"
        assert names(ask(question)) == ["foo", "helper", "Other.thing", "app"]

    def test_types_are_no_targets(self) -> None:
        assert names(ask("change the return type of load from User to Account")) == ["load"]

    def test_the_new_name_is_no_target_wherever_it_is_written(self) -> None:
        assert names(ask("rename foo to `bar`; is `bar` taken?")) == ["foo"]

    def test_what_is_added_is_no_target(self) -> None:
        assert names(ask("add a field `x` to `C`, `x` being optional")) == ["C"]

    def test_the_module_something_moves_to_is_no_target(self) -> None:
        assert names(ask("move Order to `shop.models`")) == ["Order"]

    def test_a_built_in_type_is_a_target_only_if_nothing_else_is_named(self) -> None:
        assert names(ask("what uses `int`?")) == ["int"]
        assert names(ask("what uses `int` besides `parse`?")) == ["parse"]

    def test_a_dotted_name_is_split_at_its_last_dot(self) -> None:
        assert ask("what uses app.models.Order.total?").targets == (Target("total", "app.models.Order"),)

    def test_a_question_with_many_names_keeps_the_first_few(self) -> None:
        question = "what uses " + ", ".join(f"`name_{number}`" for number in range(100))
        assert names(ask(question)) == [f"name_{number}" for number in range(TARGETS_KEPT)]

    def test_it_is_what_was_named_last(self) -> None:
        question = "`Point` was easy. Now `Color` is an enum. What breaks if I add a member to it?"
        assert names(ask(question))[0] == "Color"

    def test_it_with_nothing_before_it_names_nothing(self) -> None:
        assert ask("What breaks if I rename it?").targets == ()


class TestTags:
    @pytest.mark.parametrize(
        ("question", "tags", "kind"),
        [
            ("extend Shape", "", ChangeKind.CHANGE_BEHAVIOUR),
            ("extend Shape", "Exhaustive", ChangeKind.ADD_VARIANT),
            ("extend Shape", "PatternMatch", ChangeKind.ADD_VARIANT),
            ("extend Shape", "TypeAlias", ChangeKind.CHANGE_ALIAS),
            ("extend Shape", "DataType", ChangeKind.ADD_FIELD),
            ("extend area_of", "Function", ChangeKind.ADD_PARAMETER),
            ("add reset() to Shape", "Constraint", ChangeKind.ADD_ABSTRACT_METHOD),
        ],
    )
    def test_tags_decide_what_words_leave_open(self, question: str, tags: str, kind: ChangeKind) -> None:
        assert ask(question, tags).kind == kind

    @pytest.mark.parametrize("tag", list(Tag))
    def test_words_that_are_clear_outweigh_any_tag(self, tag: Tag) -> None:
        assert ask("add a field x to C", tag).kind == ChangeKind.ADD_FIELD
        assert ask("remove the parameter x of f", tag).kind == ChangeKind.REMOVE_PARAMETER


class TestTotality:
    @given(st.text(st.characters(exclude_categories=()), max_size=300), st.lists(st.sampled_from(Tag), max_size=3))
    def test_any_text_is_read(self, text: str, tags: list[Tag]) -> None:
        change = read_change(QueryContext(text, tuple(tags)))
        assert isinstance(change.kind, ChangeKind)
        assert len(change.targets) <= TARGETS_KEPT
        assert all(target.name for target in change.targets)

    @given(st.text(st.sampled_from("ab Z_.`'\"()[]/:,?!'s\n#@-|>01日"), max_size=200))
    def test_any_punctuation_is_read(self, text: str) -> None:
        change = read_change(QueryContext(f"rename {text} foo of {text} to bar"))
        assert all(target.name for target in change.targets)

    @given(st.lists(st.sampled_from("what if i rename remove the field x of C to y it return None . `a`".split())))
    def test_any_order_of_telling_words_is_read(self, words: list[str]) -> None:
        assert isinstance(ask(" ".join(words)).kind, ChangeKind)

    @pytest.mark.parametrize("piece", ["`", "```a", "a.", "a/", "f(", "a[", '"a', "x's ", "new ", "it ", "删"])
    def test_a_text_of_100_kb_of_anything_is_read(self, piece: str) -> None:
        assert len(ask(piece * (100_000 // len(piece))).targets) <= TARGETS_KEPT

    @pytest.mark.parametrize("asked", [PHRASINGS[kind][0] for kind in ChangeKind], ids=lambda asked: asked.question)
    def test_a_question_is_found_before_and_behind_a_long_paste(self, asked: Asked) -> None:
        paste = "lorem ipsum dolor sit amet. " * (3 * READ_CHARACTERS // 28)
        expected = gist(ask(asked.question, asked.tags))
        assert gist(ask(f"{asked.question}\n\n{paste}", asked.tags)) == expected
        assert gist(ask(f"{paste}\n\n{asked.question}", asked.tags)) == expected


IDENTIFIERS = st.from_regex(
    r"[a-z]{2,8}_[a-z]{1,5}|[A-Z][a-z]{1,7}[A-Z][a-z]{1,5}|[a-zà-öø-ÿ]{3,9}[0-9]?", fullmatch=True
)


class TestLaws:
    @given(
        st.lists(IDENTIFIERS, min_size=1, max_size=TARGETS_KEPT, unique=True),
        st.lists(
            st.sampled_from(["what if I change", "and", ",", "rename", "who uses", "move", "delete", "or", "with"]),
            min_size=TARGETS_KEPT,
            max_size=TARGETS_KEPT,
        ),
    )
    def test_names_in_backticks_are_never_lost(self, identifiers: list[str], between: list[str]) -> None:
        pairs = zip(between, identifiers, strict=False)
        change = ask(" ".join(f"{words} `{name}`" for words, name in pairs))
        parts = {part for target in change.targets for part in (target.name, *target.container.split("."))}
        assert set(identifiers) <= parts | {change.member, change.new_name}

    @given(
        st.sampled_from(LONG_ENOUGH),
        st.sampled_from(["Hey, could you tell me: ", "Please, ", "hi there, quick question - ", "Thanks! ", ""]),
        st.sampled_from(["", "?", " please?", "\n", " Thanks!", "??"]),
    )
    def test_politeness_changes_nothing(self, asked: Asked, before: str, behind: str) -> None:
        assert gist(ask(before + asked.question + behind, asked.tags)) == gist(ask(asked.question, asked.tags))

    @given(st.sampled_from(LONG_ENOUGH), st.sampled_from([str.upper, str.capitalize]))
    def test_the_case_of_a_verb_changes_nothing(self, asked: Asked, cased: Callable[[str], str]) -> None:
        verbs = (
            r"(?<!\.)\b(add|remove|delete|drop|rename|move|change|make|extend|give|widen)\b(?=[^`]*(?:`[^`]*`[^`]*)*$)"
        )
        question = re.sub(verbs, lambda verb: cased(verb[0]), asked.question)
        assert gist(ask(question, asked.tags)) == gist(ask(asked.question, asked.tags))

    @pytest.mark.parametrize("written", ["{}", "`{}`", "'{}'", '"{}"', "\u201c{}\u201d", "{}()", "`{}()`", "{}(a, b)"])
    @pytest.mark.parametrize("name", ["Client.get", "total_price", "__init__", "MAX_SIZE", "HTTPClient", "b64decode"])
    def test_a_name_is_read_however_it_is_written(self, name: str, written: str) -> None:
        assert gist(ask(f"What breaks if I rename {written.format(name)} to other_name?")) == (
            ChangeKind.RENAME,
            name,
            None,
            "other_name",
        )

    def test_a_question_is_read_once(self) -> None:
        assert ask("rename foo to bar") is ask("rename foo to bar")


ROLES = {
    "THING": "`foo`",
    "DEFINITION": "`foo`",
    "MEMBER": "`foo`",
    "NAME": "`foo`",
    "PART": "the parameter `foo`",
    "PARAMETER": "the parameter `foo`",
    "FIELD": "the field `foo`",
    "RETURN": "the return type",
    "AMONG": "the parameters",
    "OWNER": "`Base`",
    "CODE": "`Base`",
    "RECEIVER": "fetch",
    "SAME": "the function",
    "NEW": "`bar`",
    "ANOTHER": "`bar`",
    "WORD": "update",
    "HOLDER": "update",
    "TYPE": "`Path`",
    "...": "quickly",
    "possessive": "'s",
    "comma": ",",
    "quoted": "`str`",
    "word": "frobnicate",
}


def in_english(phrasing: str, alternative: int) -> str:
    """A sentence with this phrasing: for every word that it must have, some word of its sort."""
    words = []
    for element in phrasing.split():
        sort = element.split("|")[alternative]
        if not element.endswith("?"):
            words.append(ROLES.get(sort) or next(word for word, letter in LETTER_OF.items() if letter == LETTERS[sort]))
    return " ".join(words).replace(" 's", "'s")


def deeds_in(table: Table, text: str) -> set[str]:
    sentence = max(sentences(words_of(f"There is `a_function`. {text}")), key=lambda part: part.start)
    return {deed.name for deed in deeds(table, sentence)}


class TestTables:
    @pytest.mark.parametrize(
        ("table", "deed", "phrasing"),
        [(table, *row) for table in (TELLING, MENTIONING) for row in table.rows],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_phrasing_is_met_in_a_sentence_made_of_it(self, table: Table, deed: str, phrasing: str) -> None:
        first, last = (deeds_in(table, in_english(phrasing, alternative)) for alternative in (0, -1))
        assert deed in first | last

    def test_every_deed_has_a_meaning_and_every_meaning_is_used(self) -> None:
        assert {deed for deed, _ in (*TELLING.rows, *MENTIONING.rows)} == set(MEANINGS)

    def test_every_word_has_one_sort(self) -> None:
        words = [word for word, _ in spellings()]
        assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize(
    ("question", "optional"),
    [
        ("What breaks if I add an optional parameter `timeout` to fetch?", True),
        ("add a parameter with a default to fetch", True),
        ("add a field `note` to Order, defaulting to None", True),
        ("add a required parameter to fetch", False),
        ("add a field without a default to Order", False),
        ("rename the optional parameter x of fetch to y", False),  # nothing is added
        ("add an optional parameter", True),
        ("add a parameter with a default", True),
        ("add a keyword argument timeout=None to fetch", True),
        ("add a keyword argument timeout=None to fetch.", True),
        ("add a keyword argument `timeout=None` to fetch", True),
        ("add a parameter `timeout: float = 3.0` to fetch", True),
        ("add a parameter timeout: float = 3.0 to fetch", True),
        ("add a parameter timeout to fetch, which is None by default", True),
        ("add a parameter timeout to fetch that is not required", True),
        ("I load orders. What if I add an optional field note to Order? It is required in the API.", True),
        ("add a required parameter timeout=None to fetch", False),
        ("add a required parameter `default` to fetch", False),
        ("add a parameter `default` to fetch", False),
        ("add a required parameter timeout to fetch? By default it waits for ever.", False),
        ("The cache is optional. What breaks if I add a parameter timeout to fetch?", False),
        ("add a mandatory field optional to Order", False),
        ("add a field optional to Order", False),
        ("add a compulsory keyword argument x to fetch, without the default", False),
        ("add a non-optional parameter x to fetch", False),
        ("add a parameter x to fetch that isn't optional", False),
        ("add a parameter x to fetch that lacks a default", False),
        ("add a parameter `x` of type Optional[int] to fetch", False),
        ("add a parameter timeout to default", False),
        ("add a parameter `timeout` to Default.optional", False),
        ("add a parameter timeout to fetch? We call fetch(timeout=3).", False),
        ("add a parameter timeout to fetch where mode == 3", False),
    ],
)
def test_what_is_added_with_a_default_is_optional(question: str, optional: bool) -> None:
    assert read_change(QueryContext(question)).optional is optional


@pytest.mark.parametrize(
    ("question", "target", "member"),
    [
        ("What breaks if I add a variant to Kind?", "Kind", None),
        ("What breaks if I rename run?", "run", None),
        ("What breaks if I add a parameter to each?", "each", None),
        ("What breaks if use returned None?", "use", None),
        ("What breaks if I remove the field type from Node?", "Node.type", "type"),
        ("remove the parameter value of read", "read", "value"),
        ("add a mandatory field optional to Order", "Order", "optional"),
        ("add a parameter required to fetch", "fetch", "required"),
    ],
)
def test_a_word_of_the_language_is_a_name_where_only_a_name_can_stand(
    question: str, target: str, member: str | None
) -> None:
    change = read_change(QueryContext(question))
    assert (change.targets[0].qualified_name, change.member) == (target, member)
