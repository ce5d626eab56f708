"""From the words of a question to its sentences, and to the phrases in them that name something.

    What breaks if I remove the parameter `depth` of Walker.walk?
    what · filler · if · we · remove · PARAMETER(depth, of Walker.walk) · asks

A word is a letter, that of its sort (`vocabulary`); the letters that form a phrase around a name become one
letter. On the string that is left, the sentence's shape, `phrasings` reads what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from tidepool.question.vocabulary import LETTERS, SORTS
from tidepool.question.words import Mention


class Phrase(NamedTuple):
    """Words that stand together because they name one thing.

    Attributes:
        sort: `parameter`, `field`, `variant`, `return`, `name`, or the sort of a word that stands alone.
        name: the thing's name; of a return, the function's.
        owner: what it belongs to: the class or the function.
        outer: what the owner belongs to.
        nouns: the sorts of the other words in it.
        owner_nouns: the sorts of those beside the owner's name, where they can be told from the rest.
    """

    sort: str
    name: Mention | None = None
    owner: Mention | None = None
    outer: Mention | None = None
    nouns: frozenset[str] = frozenset()
    owner_nouns: frozenset[str] = frozenset()


_PHRASE_LETTERS: Final = {"PARAMETER": "1", "FIELD": "2", "VARIANT": "3", "RETURN": "4", "NAME": "5"}
_PHRASE_SORTS: Final = {letter: sort.lower() for sort, letter in _PHRASE_LETTERS.items()}

_PART_LETTERS: Final = {LETTERS[sort.lower()]: letter for sort, letter in list(_PHRASE_LETTERS.items())[:3]}
_ARTICLE: Final = LETTERS["article"]
_VARIANT: Final = LETTERS["variant"]
_WORD: Final = LETTERS["word"]
_NAMES: Final = frozenset(LETTERS[sort] for sort in ("name", "opening"))
_PRONOUNS: Final = frozenset(LETTERS[sort] for sort in ("it", "this"))
_SENTENCES_REMEMBERED: Final = 3  # how far before `it` the name may stand that it means
_PHRASES_REMEMBERED: Final = 20
_SUPPOSE: Final = frozenset(LETTERS[sort] for sort in ("if", "asks"))
_BREAKS: Final = f"[{LETTERS['end']}{LETTERS['asks']}]+"

_MACROS: Final = {
    "ANY": "name|opening|quoted|it|this",
    "NOUN": "method|enum|protocol|alias|kind|module|abstract",
    "KIND": "method|enum|protocol|alias|kind|module",
    "LIKE": "method|enum|protocol|alias|kind|module|abstract|type|value|more|adjective|this",
    "SUCH": "method|enum|protocol|alias|kind|abstract|more|adjective|this|none|builtin",
    "LIKEWISE": "adjective|none|builtin|method|enum|protocol|kind|abstract|alias",
    "HAS": "possessive",
    "VALUE": "type|value",
}

_PART: Final = """
    (?:(?P<apposed><name|quoted>) <comma>)?
    SUCH{0,5} (?:(?P<whose>ONE) KIND{0,2} HAS SUCH{0,5})?
    (?:(?:(?P<outside><name>) KIND{0,2})? (?P<before>ONE) LIKEWISE{0,5})?
    (?:(?P<noun><parameter|field|variant>) | <enum>(?P<value><value>))
    (?:<called|label>? (?!<it|this>) (?P<after>ONE) | <comma> (?P<named><name|quoted>)
        (?:<comma> | (?=<end|asks|of|in|from|to>) | $))?
    (?:(?:<of|in>|<from>(?!SUCH{0,3} ONE KIND{0,2} <to>)) SUCH{0,3} (?:<word> KIND{1,2} (?=<name|quoted>))?
        (?P<holder>ONE) KIND{0,2}
        (?:<of|from> NOUN{0,3} (?P<holds>ONE) | <in> NOUN{0,3} (?P<around><name>) | HAS NOUN{0,3} (?P<inner>ONE))?
        KIND{0,2}
    )?
"""
_RETURN: Final = """
    SUCH{0,3} (?P<returner>ONE) KIND{0,2} HAS SUCH{0,3} (?:<return> VALUE{0,2} | <outcome>)
  | (?P<returning>ONE) KIND{0,2} <return> VALUE{1,2}
  | SUCH{0,3} (?:<return> (?:VALUE{1,2} <of|in> | <of>) | <outcome> <of>) NOUN{0,3} (?P<returned>ONE) KIND{0,2}
        (?:<of|in> NOUN{0,3} (?P<source>ONE))?
  | <return> VALUE{1,2}
"""
_THING: Final = """
    (?:(?P<possessor>ONE) KIND{0,2} HAS)? LIKE{0,5} (?:<word> KIND{1,2} (?=<name|quoted>))?
    (?P<thing>ONE) (?:<comma>? <article>? <type>? <alias> <comma>? | (?:<adjective>? KIND){0,2})
    (?:(?P<link><of>) LIKE{0,3} (?P<home>ONE) KIND{0,2} END
      | (?P<back><from>) LIKE{0,3} (?P<origin>ONE) KIND{0,2} END (?!<to>)
      | (?P<site><in>) LIKE{0,3} (?P<place><name>) KIND{0,2} END
    )?
"""


def letters(sorts: str) -> str:
    """A regular expression for one word of any of these sorts; a sort in capitals is that of a phrase."""
    return f"[{''.join(_PHRASE_LETTERS.get(sort) or LETTERS[sort] for sort in sorts.split('|'))}]"


@cache  # compiled when it is first needed: most commands ask nothing
def _phrases() -> re.Pattern[str]:
    macros = {name: letters(sorts) for name, sorts in _MACROS.items()}
    for name in ("LIKE", "SUCH", "LIKEWISE"):
        macros[name] = f"(?:{macros[name]}|{_asynchronous(macros['KIND'])})"
    # An unknown word is a name if no name follows: of "to track totals" neither is the name of a function.
    macros["ONE"] = f"(?:{macros['ANY']}|{letters('word')}(?!{_ARTICLE}?{letters('word|name|opening|quoted')}))"
    macros["END"] = f"(?!{letters('possessive|parameter|field|variant')})"
    source = f"(?P<a_part>{_PART})|(?P<a_return>{_RETURN})|(?P<a_name>{_THING})"
    source = re.sub(r"(?<!P)<([a-z|]+)>", lambda found: letters(found[1]), source)
    return re.compile(re.sub(r"[A-Z]{2,}", lambda found: macros[found[0]], source), re.VERBOSE)


def _asynchronous(kind: str) -> str:
    """`async` where it belongs to a name: in "the async method f", but not in "f becomes async" or "f as an async one".

    Args:
        kind: the expression for a word for what has a name.
    """
    word, article, name, to = (letters(sorts) for sorts in ("asynchronous", "article", "name|quoted", "to"))
    told = letters("name|quoted|word|it|this|be|get|as|to")
    unlike_told = f"(?<!{told})(?<!{told}{article}){word}"
    added_to = f"(?:(?<={to})|(?<={to}{article})){word}(?={kind}{{1,2}}{letters('word')})"
    return f"(?:{unlike_told}|{added_to}|{word}(?={kind}{{0,2}}{name}))"


class Sentence:
    """A sentence.

    Attributes:
        shape: a letter for every phrase, and for every word that stands alone.
        start: which word of the question it starts with, from 0.
    """

    def __init__(
        self, words: Sequence[Mention], line: str, start: int, end: int, previous: Sentence | None = None
    ) -> None:
        """Find the phrases of a sentence.

        Args:
            words: of the whole question.
            line: the letters of these words.
            start: the sentence's first word.
            end: the word after its last.
            previous: the sentence before it, where `it` may have been named.
        """
        self._words = words
        self._previous = previous
        self._end = end
        self.start: Final = start
        self._places: list[re.Match[str] | int] = []
        shape: list[str] = []
        at = start
        for match in _phrases().finditer(line, start, end):
            shape += (line[at : match.start()].replace(_ARTICLE, ""), _letter(match))
            self._places += (*_places(line, at, match.start()), match)
            at = match.end()
        shape.append(line[at:end].replace(_ARTICLE, ""))
        self._places += _places(line, at, end)
        self.shape: Final = "".join(shape)

    def phrase(self, place: int) -> Phrase:
        """The phrase whose letter stands at this place of the shape."""
        found = self._places[place]
        if isinstance(found, int):
            return Phrase(SORTS[self._words[found].letter], self._words[found])
        phrase = self._read(found)
        if _is_pronoun(phrase.name):
            return self.spoken_of(place) or phrase._replace(name=None)
        if _is_pronoun(phrase.owner):
            meant = self.spoken_of(place, "name")
            return phrase._replace(owner=meant.name if meant else None)
        return phrase

    def spoken_of(self, place: int, sort: str = "") -> Phrase | None:
        """The last phrase with a name of its own before this place, in this sentence or one of those before it.

        Args:
            place: where something is mentioned that was named before.
            sort: of which sort it is; a name serves as well.
        """
        earlier, sentence = self._places[:place], self
        for _ in range(_SENTENCES_REMEMBERED):
            for found in earlier[: -_PHRASES_REMEMBERED - 1 : -1]:
                phrase = None if isinstance(found, int) else sentence._read(found)
                if phrase and _has_a_name(phrase) and phrase.sort in (sort or phrase.sort, "name"):
                    return phrase
            if sentence._previous is None:
                break
            sentence = sentence._previous
            earlier = sentence._places
        return None

    def _read(self, match: re.Match[str]) -> Phrase:
        return _READ[str(match.lastgroup)](self, match)

    def words_from(self, place: int) -> Sequence[Mention]:
        """The sentence's words from this place of the shape on."""
        found = self._places[place]
        return self._words[found if isinstance(found, int) else found.start() : self._end]

    def mention(self, match: re.Match[str], *groups: str) -> Mention | None:
        """The word in the first of these groups that has one."""
        for group in groups:
            at = match.start(group)
            if at >= 0:
                return self._words[at]
        return None


def sentences(words: Sequence[Mention]) -> list[Sentence]:
    """The sentences of a question; first those that ask or suppose something, each group in its order."""
    line = "".join([word.letter for word in words])
    found: list[Sentence] = []
    first = 0
    start = 0
    previous = None
    for end in [match.end() for match in re.finditer(_BREAKS, line)] + [len(line)]:
        if start < end:
            previous = sentence = Sentence(words, line, start, end, previous)
            supposes = any(letter in _SUPPOSE for letter in line[start:end])
            found.insert(first if supposes else len(found), sentence)
            first += supposes
        start = end
    return found


def _is_pronoun(word: Mention | None) -> bool:
    return word is not None and word.letter in _PRONOUNS


def _has_a_name(phrase: Phrase) -> bool:
    """Whether a phrase names what it is about so clearly that `it` may mean that."""
    if phrase.name is None or _is_pronoun(phrase.name):
        return False
    return phrase.sort != "name" or phrase.name.letter in _NAMES


def _places(line: str, start: int, end: int) -> Iterator[int]:
    return (at for at in range(start, end) if line[at] != _ARTICLE)


def _letter(match: re.Match[str]) -> str:
    if match.lastgroup == "a_part":
        return _PART_LETTERS[match["noun"] or _VARIANT]
    return _PHRASE_LETTERS["RETURN" if match.lastgroup == "a_return" else "NAME"]


def _part(sentence: Sentence, match: re.Match[str]) -> Phrase:
    """A parameter, a field or a variant, wherever its name and its owner's stand around the word for it."""
    before, after, apposed = (sentence.mention(match, group) for group in ("before", "after", "apposed"))
    after = after or sentence.mention(match, "named")
    owner, outer = sentence.mention(match, "whose", "inner", "holder"), sentence.mention(match, "holds", "around")
    if match["whose"] or match["inner"]:
        outer = None if match["whose"] else sentence.mention(match, "holder")
    owner = owner or sentence.mention(match, "outside")
    if owner is None and after:  # "Color member RED" · "in Order, the field total"
        owner = before if before and before.letter in _NAMES else apposed
    nouns = frozenset(SORTS[letter] for letter in match.string[match.start() : match.end()])
    return Phrase(_PHRASE_SORTS[_letter(match)], after or before or apposed, owner, outer, nouns)


def _return(sentence: Sentence, match: re.Match[str]) -> Phrase:
    owner = sentence.mention(match, "returner", "returning", "returned")
    return Phrase("return", owner, sentence.mention(match, "source"))


def _name(sentence: Sentence, match: re.Match[str]) -> Phrase:
    name = sentence.mention(match, "thing")
    owner = sentence.mention(match, "possessor", "home", "origin", "place")
    container = name.text.rpartition(".")[0] if name else ""
    if owner and container and (owner.letter == _WORD or container.endswith(owner.text)):
        owner = None  # "drop Color.RED from the enum Color": it is said already
    start, end = match.span()
    if match["possessor"]:
        border = match.start("thing")
        near, far = match.string[border:end], match.string[start:border]
    else:
        border = max(match.start("link"), match.start("back"), match.start("site"))
        border = border if border >= 0 else end
        near, far = match.string[start:border], match.string[border:end]
    beside, around = (frozenset(SORTS[letter] for letter in part) for part in (near, far))
    return Phrase("name", name, owner, None, beside, around)


_READ: Final = {"a_part": _part, "a_return": _return, "a_name": _name}
