"""Ways to say that something is done to a thing: tables of phrasings, and how they are read off a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import Final

import attrs

from tidepool.question.phrases import Phrase, Sentence, letters
from tidepool.question.vocabulary import LETTERS
from tidepool.question.words import Mention


@attrs.frozen(eq=False)
class Table:
    """Phrasings in the order in which they are looked for.

    Attributes:
        rows: what is done, and how that is said.
    """

    rows: tuple[tuple[str, str], ...]

    @cached_property
    def index(self) -> dict[str, tuple[int, ...]]:
        """The numbers of the rows, by the letters that show that a sentence may have them."""
        index: dict[str, tuple[int, ...]] = {}
        for number, (_, phrasing) in enumerate(self.rows):
            for letter in _telling(phrasing):
                index[letter] = (*index.get(letter, ()), number)
        return index


TELLING: Final = Table(
    (
        ("behave", "default value? of|in|from THING"),
        ("behave", "order of THING"),
        ("behave", "give THING default"),
        ("add", "add THING to|of|in|from AMONG"),
        ("add", "add value? THING builtin? to|in OWNER"),
        ("add abstract", "add more? abstract method|field|value? to|in OWNER"),
        ("add method", "add more? method to|in OWNER"),
        ("accept", "add more? builtin|none|quoted|alias to|in OWNER"),
        ("add", "give RECEIVER PART"),
        ("add", "extend OWNER with|in THING"),
        ("add", "THING be|get add to|in OWNER"),
        ("add", "THING be|get add to|in AMONG"),
        ("add", "add PART ... to|in CODE"),
        ("add", "add ... PART ... to|in CODE"),
        ("add", "pass PART to OWNER"),
        ("remove", "OWNER have? not|lose take|have|get? PART"),
        ("remove", "OWNER not take THING"),
        ("remove", "not|stop pass THING to OWNER"),
        ("remove", "remove THING of|from|in AMONG"),
        ("remove from", "remove builtin|none|quoted|alias of|from OWNER"),
        ("remove", "THING be|get to? be? remove"),
        ("remove", "remove of? use? of? THING"),
        ("remove", "THING safe? to remove"),
        ("rename", "rename of? PART from MEMBER to NEW in? OWNER?"),
        ("rename", "rename of? THING to|as|with|in NEW in? OWNER?"),
        ("rename", "THING be|get to? be? rename to|as? NEW"),
        ("rename", "THING be|get to? be? rename"),
        ("rename", "rename of? THING"),
        ("rename", "THING safe? to rename"),
        ("rename", "change label of|in THING to NEW"),
        ("rename", "change THING possessive label to NEW"),
        ("rename", "change label of|in THING"),
        ("rename", "call|label NEW instead of THING"),
        ("rename", "call|label NAME NEW instead of THING"),
        ("rename", "call|label THING NEW"),
        ("rename", "THING be|get call|called|label NEW"),
        ("move", "move of? THING out? of|from OWNER to NEW"),
        ("move", "move of? THING out? to|in NEW"),
        ("move", "THING be|get to? be? move out? to|in NEW"),
        ("move", "THING be|get to? be? move"),
        ("move", "move of? THING out? of|from OWNER"),
        ("move", "move of? THING"),
        ("move", "THING safe? to move"),
        ("behave", "OWNER to? raise"),
        ("make abstract", "make|change|move THING to|be|as? abstract"),
        ("make abstract", "THING be|get abstract"),
        ("make abstract", "subclass of OWNER to? implement MEMBER"),
        ("make abstract", "OWNER take MEMBER to? be? implement"),
        ("make abstract", "implement MEMBER in subclass of OWNER"),
        ("return", "OWNER be|have? to? not|stop return TYPE? or? none"),
        ("return none", "OWNER to? return or? TYPE? or? none"),
        ("return none", "return TYPE? or? none from|in|of OWNER"),
        ("make none", "RETURN be|get? to? TYPE? or? none"),
        ("make none", "RETURN from TYPE to TYPE? or? none"),
        ("make none", "make|change|widen THING to|be? none"),
        ("make none", "THING get none"),
        ("make none", "PART be none"),
        ("return none", "CODE ... return TYPE? or? none"),
        ("return", "return builtin from|in|of OWNER"),
        ("return", "OWNER to? return TYPE"),
        ("return", "OWNER return ... instead"),
        ("return", "what OWNER return"),
        ("change", "RETURN"),
        ("retype", "AMONG type of|in OWNER"),
        ("retype", "type of|in THING"),
        ("retype", "THING possessive? type"),
        ("retype", "make|change|widen FIELD to|be|from? builtin|quoted"),
        ("change", "make|change PART"),
        ("widen", "widen THING"),
        ("change", "PARAMETER be|get|take"),
        ("retype", "make|change THING from? builtin"),
        ("accept", "OWNER to? take TYPE instead"),
        ("accept", "OWNER to? take more? builtin|none|quoted|alias"),
        ("take", "OWNER to? take THING"),
        ("accept", "OWNER to? take TYPE"),
        ("signature", "signature of OWNER"),
        ("signature", "OWNER possessive? signature"),
        ("add", "OWNER have|get|take PART"),
        ("add", "OWNER have|get|take ... PART"),
        ("gain", "OWNER have|get THING"),
        ("more", "OWNER PART"),
        ("add", "add PART to|in HOLDER"),
        ("add to", "add to OWNER"),
        ("add to", "extend to? OWNER"),
        ("add", "add to AMONG"),
        ("add one", "add THING"),
        ("more", "THING"),
        ("alias", "change|make|move THING"),
        ("alias", "THING be|get"),
    )
)
"""Ways to say that a deed is done to a thing; the more telling ones come first.

A word in small letters stands for any word of its sort, `|` for or, `?` for perhaps, `...` for up to eight words.
`THING` is any phrase that names something, `PART` a parameter, field or variant; `OWNER` is what holds it, `CODE` the
same where it is written like code, `RECEIVER` the same where it may be any word; `AMONG` is a phrase such as "the
fields of C". `NEW` is the name or place a thing gets, `MEMBER` its own name, `TYPE` a name or a type, `WORD` any word.
"""

MENTIONING: Final = Table(
    (
        ("rename", "rename WORD to|as NEW"),
        ("remove", "remove WORD"),
        ("change", "change|make THING"),
        ("change", "THING be|get? change|widen|make"),
        ("behave", "what THING"),
        ("behave", "use of? THING"),
        ("behave", "THING be? use"),
        ("behave", "call to? THING"),
        ("behave", "THING be? call"),
        ("behave", "subclass|implement of? THING"),
        ("behave", "add|pass|give ... to OWNER"),
        ("behave", "of THING"),
        ("behave", "we word THING"),
        ("behave", "if THING"),
        ("behave", "change|use|what WORD"),
    )
)
"""Ways to ask that only say which thing is meant; read where no sentence says more."""

_ROLES: Final = {
    "THING": ("thing", "NAME|PARAMETER|FIELD|VARIANT|RETURN"),
    "PART": ("thing", "PARAMETER|FIELD|VARIANT"),
    "PARAMETER": ("thing", "PARAMETER"),
    "FIELD": ("thing", "FIELD"),
    "RETURN": ("thing", "RETURN"),
    "AMONG": ("among", "PARAMETER|FIELD|VARIANT"),
    "OWNER": ("owner", "NAME"),
    "CODE": ("code", "NAME"),
    "RECEIVER": ("owner", "NAME|word"),
    "MEMBER": ("member", "NAME"),
}
_OTHERS: Final = {"TYPE": "NAME|builtin|quoted|none"}
_ANY_WORD: Final = {"NEW": "new", "WORD": "thing", "HOLDER": "owner"}
_NO_NAME: Final = "we|if|what|filler|noise|more|it|this|to|of|in|from|be|not|comma|end|asks|possessive|instead"
_UNTELLING: Final = frozenset(("to", "of", "in", "from", "be", "get", "with", "as"))
_CODE_LETTERS: Final = frozenset(LETTERS[sort] for sort in ("name", "quoted"))


@attrs.frozen
class Deed:
    """Something that is done, and to what.

    Attributes:
        name: the phrasing's, such as `add`.
        sort: what kind of phrase the thing is that it is done to; `nothing` where it is not said.
        thing: the thing's name.
        nouns: sorts of the words beside that name.
        owners: what the thing belongs to, and what that belongs to, as far as they are named.
        owner_nouns: sorts of the words beside the owner's name.
        is_owner_apart: whether the owner has a phrase of its own, as in "add x to f".
        new: what the thing becomes, or where it goes.
        rest: the words of the sentence from here on.
    """

    name: str
    sort: str
    thing: Mention | None
    nouns: frozenset[str]
    owners: tuple[Mention, ...]
    owner_nouns: frozenset[str]
    is_owner_apart: bool
    new: Mention | None
    rest: Sequence[Mention]


def deeds(table: Table, sentence: Sentence) -> Iterator[Deed]:
    """What a sentence says, read by a table, in the table's order."""
    for number in sorted({number for letter in set(sentence.shape) for number in table.index.get(letter, ())}):
        name, phrasing = table.rows[number]
        for match in _pattern(phrasing).finditer(sentence.shape):
            deed = _deed(name, sentence, match)
            if deed is not None:
                yield deed


def is_code(name: Mention | None) -> bool:
    """Whether a word is written like code."""
    return name is not None and name.letter in _CODE_LETTERS


def _deed(name: str, sentence: Sentence, match: re.Match[str]) -> Deed | None:
    """None where `it` stands for nothing, or where a name should look like code and does not."""
    found = {role: sentence.phrase(match.start(role)) for role in match.groupdict() if match.start(role) >= 0}
    if any(phrase.sort == "name" and phrase.name is None for phrase in found.values()):
        return None
    if "code" in found and not is_code(found["code"].name):
        return None
    thing = found.get("thing") or Phrase("nothing")
    if "member" in found:
        thing = thing._replace(name=found["member"].name)
    apart = found.get("owner") or found.get("code")
    if "among" in found:
        thing = thing._replace(sort=found["among"].sort, owner=found["among"].owner, outer=found["among"].outer)
    if apart:
        thing = thing._replace(owner=apart.name, outer=apart.owner, owner_nouns=apart.nouns)
    elif thing.owner is None and "new" in found:
        thing = thing._replace(owner=found["new"].owner)
    return Deed(
        name=name,
        sort=thing.sort,
        thing=thing.name,
        nouns=thing.nouns,
        owners=tuple(owner for owner in (thing.owner, thing.outer) if owner),
        owner_nouns=thing.owner_nouns,
        is_owner_apart=apart is not None,
        new=found["new"].name if "new" in found else None,
        rest=sentence.words_from(match.start()),
    )


def _element(word: str) -> str:
    """The regular expression for one word of a phrasing."""
    word, optional = word.removesuffix("?"), "?" if word.endswith("?") else ""
    if word == "...":
        return f"[^{letters('end|asks|not|instead')[1:]}{{0,8}}?"
    if word in _ANY_WORD:
        return f"(?P<{_ANY_WORD[word]}>[^{letters(_NO_NAME)[1:]}){optional}"
    if word in _ROLES:
        role, sorts = _ROLES[word]
        return f"(?P<{role}>{letters(sorts)}){optional}"
    return letters(_OTHERS.get(word, word)) + optional


@cache  # compiled when it is first needed: most questions need few
def _pattern(phrasing: str) -> re.Pattern[str]:
    return re.compile("".join(map(_element, phrasing.split())))


def _telling(phrasing: str) -> str:
    """The letters of which every sentence with this phrasing has one: those of its most unusual word."""
    needed = [word for word in phrasing.split() if not word.endswith("?") and word != "..." and word not in _ANY_WORD]
    word = min(needed, key=lambda word: (word.isupper(), not _UNTELLING.isdisjoint(word.split("|"))))
    return letters(_ROLES[word][1] if word in _ROLES else _OTHERS.get(word, word))[1:-1]
