"""Ways to say that something is done to a thing: tables of phrasings, and how they are read off a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import islice
from typing import Final, NamedTuple

from tidepool.question.phrases import Phrase, Sentence, letters
from tidepool.question.vocabulary import LETTERS, VERB_STEMS
from tidepool.question.words import Mention


class Table:
    """Phrasings in the order in which they are looked for.

    Attributes:
        rows: what is done, and how that is said.
    """

    def __init__(self, rows: tuple[tuple[str, str], ...]) -> None:
        self.rows: Final = rows

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
        ("default", "default value? of|in|from THING"),
        ("behave", "order of THING"),
        ("default", "give THING default"),
        ("default", "PART possessive? to? default"),
        ("add", "add THING to|of|in|from AMONG"),
        ("add abstract", "add MEMBER as more? abstract method|field? to|of|in OWNER"),
        ("add method", "add MEMBER as more? method to|of|in OWNER"),
        ("add", "add THING builtin? as AMONG"),
        ("add", "add THING to|in signature of OWNER"),
        ("add", "add ... MEMBER builtin? to|in OWNER possessive signature"),
        ("add", "extend signature of OWNER with|in THING"),
        ("add", "add THING builtin? to|in OWNER"),
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
        ("add", "add ... MEMBER comma? to CODE"),
        ("remove", "OWNER have? not|lose take|have|get? PART"),
        ("remove", "OWNER not take THING"),
        ("remove", "not|stop pass THING to OWNER"),
        ("remove", "remove THING of|from|in AMONG"),
        ("remove from", "remove builtin|none|quoted|alias of|from OWNER"),
        ("remove", "THING be|get to? be? remove"),
        ("remove", "remove out? of? use? of? THING"),
        ("remove", "take THING out of|from OWNER"),
        ("remove", "remove SAME"),
        ("remove", "THING be? vanish"),
        ("remove", "THING safe? to remove"),
        ("rename", "rename of? PART from MEMBER to NEW in? OWNER?"),
        ("rename", "rename of? use? of? THING to|as|with|in NEW in? OWNER?"),
        ("rename", "THING be|get to? be? rename to|as? NEW"),
        ("rename", "THING be|get to? be? rename"),
        ("rename", "rename of? use? of? THING"),
        ("relabel", "change PART to NEW"),
        ("rename", "THING safe? to rename"),
        ("rename", "give THING ... label NEW"),
        ("rename", "change kind|method? label of|in THING to NEW"),
        ("rename", "change THING possessive label to NEW"),
        ("rename", "change label of|in THING"),
        ("rename", "call|label NEW instead of THING"),
        ("rename", "call|label NAME NEW instead of THING"),
        ("rename", "call|label THING ANOTHER"),
        ("rename", "THING be|get to? be? call|called|label NEW"),
        ("make async", "make|change|move THING out? to? be? as? asynchronous"),
        ("make async", "THING have? to? be|get to? be? make|change|move? to? be? as? asynchronous"),
        ("make async", "THING have? to? be|get await"),
        ("make async", "have to? await THING"),
        ("make async", "make|change RECEIVER out? to? be? as? asynchronous"),
        ("make async", "add asynchronous adjective? to|in THING"),
        ("move", "move of? THING out? of|from OWNER out? to NEW"),
        ("move", "THING be|get? to? be? move out? of|from OWNER out? to NEW"),
        ("move", "move of? THING out? to|in NEW"),
        ("move", "THING be|get? to? be? move out? to|in NEW"),
        ("move", "THING be|get to? be? move"),
        ("move", "move of? THING out? of|from OWNER"),
        ("move", "move of? THING ... to NEW"),
        ("move", "move of? THING"),
        ("move", "change DEFINITION out to? NEW?"),
        ("move", "THING safe? to move"),
        ("behave", "OWNER to? raise"),
        ("make abstract", "make|change|move THING to|be|as|with? abstract"),
        ("make abstract", "THING be|get abstract"),
        ("make abstract", "subclass of OWNER have|take? to? implement MEMBER"),
        ("make abstract", "OWNER subclass have|take? to? implement MEMBER"),
        ("add abstract", "OWNER have|get more? abstract method|field?"),
        ("make abstract", "OWNER take MEMBER to? be? implement"),
        ("make abstract", "implement MEMBER in subclass of OWNER"),
        ("behave", "remove asynchronous of|from|in|to THING"),
        ("return", "OWNER be|have? to? not|stop return TYPE? or? none"),
        ("return none", "OWNER be? to? return|give out? or? TYPE? or? none"),
        ("return none", "return TYPE? or? none from|in|of OWNER"),
        ("return none", "none filler? out? from OWNER"),
        ("make none", "RETURN be|get? to? TYPE? or? none"),
        ("make none", "RETURN from TYPE to TYPE? or? none"),
        ("make none", "make|change|widen THING to|be? none"),
        ("make none", "THING get none"),
        ("make none", "make|take|pass none in|as|to PART"),
        ("make none", "PART be none"),
        ("be none", "THING be none"),
        ("return none", "CODE ... return TYPE? or? none"),
        ("return", "return builtin|asynchronous from|in|of OWNER"),
        ("return", "OWNER to? return|give out? TYPE"),
        ("return", "OWNER return ... instead"),
        ("return", "what OWNER return"),
        ("change", "RETURN"),
        ("retype", "THING be|get TYPE instead"),
        ("retype", "AMONG type of|in OWNER"),
        ("retype", "type of|in THING"),
        ("retype", "THING possessive? type"),
        ("retype", "make|change|widen FIELD to|be|from? builtin|quoted"),
        ("add", "OWNER to? have|get|take THING as AMONG"),
        ("change", "OWNER to? take TYPE in|as PART"),
        ("change", "make|change PART"),
        ("widen", "widen THING"),
        ("change", "PARAMETER be|get|take"),
        ("change", "PARAMETER builtin|quoted|none to TYPE"),
        ("retype", "make|change THING from? builtin"),
        ("accept", "OWNER to? take TYPE instead"),
        ("accept", "OWNER to? take more? builtin|asynchronous|none|quoted|alias"),
        ("take", "OWNER to? take THING"),
        ("accept", "OWNER to? take TYPE"),
        ("signature", "signature of OWNER"),
        ("signature", "OWNER possessive? signature"),
        ("add", "OWNER to? have|get|take PART"),
        ("add", "OWNER to? have|get|take ... PART"),
        ("gain", "OWNER be? have|get THING"),
        ("more", "OWNER PART"),
        ("add", "add PART to|in HOLDER"),
        ("add to", "add to OWNER"),
        ("add to", "extend to? OWNER"),
        ("add", "add to AMONG"),
        ("add one", "add THING"),
        ("more", "THING"),
        ("alias", "change|make|move kind? of? THING"),
        ("alias", "THING be|get|make|take|have"),
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
        ("change", "change|make kind? of? THING"),
        ("change", "THING be|get? change|widen|make"),
        ("behave", "what THING"),
        ("behave", "use of? THING"),
        ("behave", "await THING"),
        ("behave", "THING be|get not asynchronous"),
        ("behave", "be THING asynchronous"),
        ("behave", "THING be? use"),
        ("behave", "call to? THING"),
        ("behave", "THING be? call"),
        ("behave", "subclass|implement of? THING"),
        ("behave", "add|pass|give ... to|in OWNER"),
        ("behave", "of THING"),
        ("behave", "we word THING"),
        ("behave", "if THING"),
        ("behave", "change|use|what WORD"),
    )
)
"""Ways to ask that only say which thing is meant; read where no sentence says more."""

_MATCHES_READ: Final = 40  # of one phrasing in one sentence: no sentence that people write has more

_ROLES: Final = {
    "THING": ("thing", "NAME|PARAMETER|FIELD|VARIANT|RETURN"),
    "PART": ("thing", "PARAMETER|FIELD|VARIANT"),
    "DEFINITION": ("thing", "NAME"),
    "PARAMETER": ("thing", "PARAMETER"),
    "FIELD": ("thing", "FIELD"),
    "RETURN": ("thing", "RETURN"),
    "AMONG": ("among", "PARAMETER|FIELD|VARIANT"),
    "OWNER": ("owner", "NAME"),
    "CODE": ("code", "NAME"),
    "RECEIVER": ("owner", "NAME|word"),
    "MEMBER": ("member", "NAME"),
    "ANOTHER": ("new", "NAME|word"),
    "SAME": ("same", "method|enum|protocol|alias|kind|module"),
}
_OTHERS: Final = {"TYPE": "NAME|builtin|asynchronous|quoted|none"}
_ANY_WORD: Final = {"NEW": "new", "WORD": "word", "HOLDER": "owner"}
_NO_NAME: Final = (
    "we|if|what|or|as|asynchronous|filler|proper|noise|outcome|more|it|this|to|of|in|from|with|out|be|have|not|comma|end|asks|possessive|instead"
    "|method|kind|enum|protocol|alias|module"
)
_UNTELLING: Final = frozenset(("to", "of", "in", "from", "be", "get", "with", "as"))
_OF_KNOWN_THINGS: Final = frozenset(("remove", "rename", "move", "change", "retype", "widen", "make none", "default"))
PARTS: Final = frozenset(("parameter", "field", "variant"))
"""The sorts of what belongs to something else."""

_CODE_LETTERS: Final = frozenset(LETTERS[sort] for sort in ("name", "quoted"))


class Deed(NamedTuple):
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
        for match in islice(_pattern(phrasing).finditer(sentence.shape), _MATCHES_READ):
            deed = _deed(name, sentence, match)
            if deed is not None:
                yield deed


def is_code(name: Mention | None) -> bool:
    """Whether a word is written like code."""
    return name is not None and name.letter in _CODE_LETTERS


def _deed(name: str, sentence: Sentence, match: re.Match[str]) -> Deed | None:
    """None where `it` stands for nothing, or where a name should look like code and does not."""
    places = {role: match.start(role) for role in match.groupdict() if match.start(role) >= 0}
    found = {role: sentence.phrase(place) for role, place in places.items() if role != "same"}
    if "same" in places:
        found["thing"] = sentence.spoken_of(places["same"]) or Phrase("name")
    if "word" in places:
        word = found["word"].name
        found["thing"] = Phrase("name", word if word and word.text in VERB_STEMS else None)
    if any(phrase.sort == "name" and phrase.name is None for phrase in found.values()):
        return None
    if "code" in found and not is_code(found["code"].name):
        return None
    apart = found.get("owner") or found.get("code")
    thing = _thing(name, sentence, found, places.get("thing", 0))
    if apart:
        owner = apart.owner if apart.sort in PARTS else apart.name
        thing = thing._replace(owner=owner, outer=apart.owner, owner_nouns=apart.nouns)
    elif thing.owner is None and "new" in found:
        thing = thing._replace(owner=found["new"].owner)
    if thing.owner is None and (thing.sort in PARTS or "abstract" in thing.nouns):
        thing = thing._replace(owner=_owner_elsewhere(sentence, places, thing))
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


def _thing(deed: str, sentence: Sentence, found: Mapping[str, Phrase], place: int) -> Phrase:
    """What the deed is done to, be it told in another phrase."""
    thing = found.get("thing") or Phrase("nothing")
    if "member" in found:
        thing = thing._replace(name=found["member"].name)
    if "among" in found:
        thing = thing._replace(sort=found["among"].sort, owner=found["among"].owner, outer=found["among"].outer)
    if thing.sort in PARTS and deed in _OF_KNOWN_THINGS and not (thing.name or thing.owner):
        before = sentence.spoken_of(place, thing.sort)  # "… the field total of Order. What if I remove that field?"
        thing = before._replace(sort=thing.sort) if before else thing
    return thing


def _owner_elsewhere(sentence: Sentence, places: Mapping[str, int], thing: Phrase) -> Mention | None:
    """What owns a thing whose own phrase names no owner: what something is said to be in, or what was spoken of."""
    if thing.name and "." in thing.name.text:
        return None
    for match in _pattern("to|of|in|from THING").finditer(sentence.shape):
        if match.start("thing") not in places.values():
            phrase = sentence.phrase(match.start("thing"))
            if phrase.sort == "name" and is_code(phrase.name):
                return phrase.name
    before = sentence.spoken_of(min(places.values()), "name")
    return before.name if before and before.name != thing.name else None


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
