"""From the text of a question to its words, names among them. Pure, total, and linear in the length of the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, NamedTuple

from tidepool.question.vocabulary import COMPOUNDS, LETTER_OF, LETTERS, NOUN_LETTERS, TYPES, VERB_STEMS

READ_CHARACTERS: Final = 8_000
"""How much is read at either end of a text: people ask before or after what they paste, not in the midst of it."""

NAMES_IN_A_FENCE: Final = 4
"""Names that are taken from a fenced block of code."""


class Mention(NamedTuple):
    """A word of the question.

    Attributes:
        text: what it names: `Class.method` of `` `Class.method()` ``, `module.func` of `src/module.py:func`; any other
            word as it was written.
        letter: its sort's letter.
        written: how it was written, without quotes.
        is_assigned: whether it was written with a value, `timeout=None`.
    """

    text: str
    letter: str
    written: str
    is_assigned: bool = False

    @property
    def is_path(self) -> bool:
        """Whether it was written as a file, or as a name in a file."""
        return _is_path(self.written)

    @property
    def is_file(self) -> bool:
        """Whether it was written as a file and nothing in it."""
        return self.is_path and "." not in self.text

    @property
    def is_call(self) -> bool:
        """Whether it was written as a call, `name()`."""
        return self.written.endswith(")")


_DOTTED: Final = r"[^\W\d]\w*+(?:(?:\.|::|\#)[^\W\d]\w*+)*"
_PATH: Final = (
    r"(?:(?:[\w.\-]{1,80}/){1,20}[\w\-]{1,80}\.(?:pyi?|hs|rs|go|tsx?|jsx?|java|c|h|cc|cpp|hpp)\b|[\w\-]{1,80}\.pyi?\b)"
    rf"(?::{{1,2}}(?:\d+|{_DOTTED}))*"
)
_LETTERS: Final = (
    r"A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff"  # where a space parts a name from the rest: no Chinese
)
_RUN: Final = rf"[{_LETTERS}][{_LETTERS}0-9]*+"
_BARE: Final = rf"@?{_RUN}(?:(?:\.|::|\#|-(?=[A-Za-z])){_RUN})*+"

_VALUE: Final = r"(?:-?[\w'\"]{1,80}+(?:\.\w{1,80}+)?)?(?:\(\)|\[\]|\{\})?"
_ASSIGNED: Final = r"(?::\s?[\w.|\[\]]{1,80}+)?\s?=\s?(?=[^\s=>])"

_TOKEN: Final = rf"""
    (?P<assigned>{_RUN}{_ASSIGNED}{_VALUE})
  | (?P<bare>{_BARE}(?![\w./:'\u2019(\[]))
  | ```(?P<fence>(?:.|\n)*?)(?:```|\Z)
  | `(?P<code>[^`\s][^`\n]{{0,200}})`
  | (?<!\w)["'\u2018\u201c](?P<quoted>(?:{_PATH}|{_DOTTED})(?:\(\))?)["'\u2019\u201d](?!\w)
  | https?://\S++
  | (?P<path>{_PATH})
  | (?P<word>{_BARE}(?:\[[^\]\n]{{0,80}}\]|\([^()\n]{{0,80}}\)|['\u2019](?:t|re|ve|ll|d|m)\b){{0,2}})
  | (?P<possessive>['\u2019]s\b)
  | (?P<asks>[?\uff1f])
  | (?P<end>[.!;](?=\s|$)|[\u3002\uff01\uff1b]|\n\s*\n)
  | (?P<comma>[,()\uff0c\u3001\uff08\uff09])
  | (?P<symbol>[-=]>|[\u2192|&])
  | (?P<cjk>[\u2e80-\u2fff\u3040-\ua4cf\uac00-\ud7ff\uf900-\ufaff]++)
"""
_CODE: Final = rf"(?:(?:async\s+)?(?:def|class|enum)\s+|@)?(?P<name>{_PATH}|{_DOTTED})(?P<rest>\s*(?:[\[(:=|,]|->).*)?"
_NAMED_AT_FIRST: Final = rf"@?(?P<name>{_PATH}|{_DOTTED})"
_DEFINED: Final = r"\b(?:def|class)\s+(\w+)|\b([^\W\d]\w*)(?=\()"

_NAME, _WORD, _OPENING, _QUOTED = (LETTERS[sort] for sort in ("name", "word", "opening", "quoted"))
_NONE, _BUILTIN, _FILLER, _LIGHT = (LETTERS[sort] for sort in ("none", "builtin", "filler", "light"))
_END, _ASKS = (LETTERS[sort] for sort in ("end", "asks"))
_ABSTRACT, _ACRONYM, _ARTICLE, _CJK = (LETTERS[sort] for sort in ("abstract", "acronym", "article", "cjk"))
_KINDS: Final = ("method", "enum", "protocol", "kind", "alias", "module", "parameter", "field", "variant")
_BREAKS: Final = frozenset((_END, _ASKS))
_OWNERS: Final = frozenset((_NAME, _WORD, _OPENING, _QUOTED, *(LETTERS[sort] for sort in ("it", *_KINDS))))
_LIKE_NAMES: Final = frozenset((_NAME, _WORD, _OPENING, _QUOTED))
_NEVER_NAMES: Final = frozenset(LETTERS[sort] for sort in ("if", "filler", "to", "of"))
_AFTER_A_NAME: Final = frozenset(LETTERS[sort] for sort in ("be", "get", "have", "take", "lose", "return"))
_VERBS: Final = frozenset(LETTER_OF[verb] for verb in VERB_STEMS)
_PARTS: Final = frozenset(LETTERS[sort] for sort in ("parameter", "field", "variant"))
_LABEL, _TO = LETTERS["label"], LETTERS["to"]
_NAMED: Final = frozenset(
    LETTERS[sort] for sort in ("method", "kind", "parameter", "field", "variant", "module", "alias", "enum", "protocol")
)
_BEHIND_A_NAME: Final = frozenset(
    LETTERS[sort] for sort in ("of", "in", "from", "to", "be", "end", "asks", "comma", "proper", "possessive")
)
_KEYWORDS: Final = frozenset({"async", "await"})
"""Words of the language that a question quotes: no name, even in backticks."""

_CAN_BE_NAMES: Final = _VERBS | NOUN_LETTERS | {_FILLER}
_GREETING: Final = frozenset(LETTERS[sort] for sort in ("proper", "filler", "noise", "comma", "we", "article", "it"))
_PREPOSITIONS: Final = frozenset(LETTERS[sort] for sort in ("of", "in", "from", "to"))
_SECONDS: Final = frozenset(second for _, second in COMPOUNDS)


@cache  # compiled when it is first needed: most commands ask nothing
def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(source, re.VERBOSE if source is _TOKEN else 0)


def _is_path(written: str) -> bool:
    return "/" in written or written.endswith((".py", ".pyi")) or ".py:" in written


def words_of(text: str) -> list[Mention]:
    """The words of a text, without those that say nothing (`the`, `just`, `please`)."""
    if len(text) > 2 * READ_CHARACTERS:
        text = f"{text[:READ_CHARACTERS]}\n\n{text[-READ_CHARACTERS:]}"
    words: list[Mention] = []
    before = ""
    opens = True  # nobody has come to the point yet: "Hey, could you tell me: "
    for token in _pattern(_TOKEN).finditer(text):
        kind = token.lastgroup
        if kind is None:
            continue
        written = token.group(kind)
        word = written.lower()
        if word in _SECONDS and (before, word) in COMPOUNDS:
            if words and words[-1].written.lower() == before:
                words.pop()
            found = _known(word, COMPOUNDS[before, word])
        elif kind == "possessive":
            found = _possessive(words)
        else:
            found = _READERS[kind](written, _END if opens else words[-1].letter)
        words += found
        opens = opens and all(word.letter in _GREETING for word in found)
        before = word
    if any(word.letter == _CJK for word in words):
        return [word._replace(letter=_NAME) if word.letter == _WORD else word for word in words]
    return _with_known_words_read(_with_capitals_read(words))


def _with_capitals_read(words: list[Mention]) -> list[Mention]:
    """Known nouns with a capital are names, `a field of Order`, unless the whole question Is Written Like This."""
    capitals = [at for at, word in enumerate(words) if word.written[0].isupper() and not word.written.isupper()]
    nouns = [at for at in capitals if words[at].letter in NOUN_LETTERS]
    if not nouns or sum(at > 0 and words[at].letter in _NEVER_NAMES for at in capitals) > 1:
        return words
    greeted = next((at for at, word in enumerate(words) if word.letter not in _GREETING), 0)
    for at in nouns:
        opens = at <= greeted or words[at - 1].letter in _BREAKS
        following = words[at + 1].letter if at + 1 < len(words) else _END
        if following in _AFTER_A_NAME if opens else following not in _LIKE_NAMES:
            words[at] = words[at]._replace(letter=_NAME)
    return words


def _with_known_words_read(words: list[Mention]) -> list[Mention]:
    """A known word is a name where only a name can stand: `the method get of Session`, `a field of Delete`."""
    for at in range(1, len(words)):
        before, word = words[at - 1], words[at]
        if word.letter in _CAN_BE_NAMES and (before.letter in _NAMED or before.letter in _PREPOSITIONS):
            following = words[at + 1].letter if at + 1 < len(words) else _END
            if _is_name_between(before, word, following):
                words[at] = word._replace(letter=_NAME)
    return words


def _is_name_between(before: Mention, word: Mention, following: str) -> bool:
    if before.letter in _PREPOSITIONS:
        is_infinitive = before.letter == _TO and word.letter in _VERBS
        return word.written.istitle() and following in _BEHIND_A_NAME and not is_infinitive
    if word.written.isupper() and word.letter in NOUN_LETTERS:
        return not before.written.isupper()
    is_stem = word.letter in _VERBS and word.written.lower() in VERB_STEMS
    return is_stem and following in _BEHIND_A_NAME and (word.letter != _LABEL or before.letter in _PARTS)


def _possessive(words: list[Mention]) -> tuple[Mention, ...]:
    """The `'s` behind the last of these words, which it may show to be a name: `Order's total`, not `what's`."""
    if not words:
        return ()
    last = words[-1]
    if last.letter in NOUN_LETTERS and last.written[0].isupper():
        words[-1] = last = last._replace(letter=_NAME)
    return _known("'s", "possessive") if last.letter in _OWNERS else ()


def _known(written: str, sort: str) -> tuple[Mention, ...]:
    return () if sort == "light" else (Mention(written, LETTERS[sort], written),)


def _bare(written: str, previous: str) -> tuple[Mention, ...]:
    """A word without brackets or quotes: a known one, or a name if it looks like code."""
    word = written.lower().lstrip("@")
    letter = LETTER_OF.get(word)
    if written in TYPES and written[0].isupper():
        letter = _BUILTIN
    if letter is None or (written[0] == "@" and letter != _ABSTRACT):
        return (_unknown(written, previous),)
    if letter == _ACRONYM and written.isupper():
        letter = _OPENING
    if letter == _LIGHT or (letter == _ARTICLE and previous not in _LIKE_NAMES):
        return ()
    return (Mention(written, letter, written),)


def _unknown(written: str, previous: str) -> Mention:
    if "-" in written:
        return Mention(written, _FILLER, written)
    if not written.isalpha():
        return _named(written)
    if len(written) > 1 and written[1:].islower():
        ordinary = _WORD if written[0].islower() else _OPENING if previous in _BREAKS else _NAME
        return Mention(written, ordinary, written)
    return Mention(written, _NAME, written)


def _bracketed(written: str, previous: str) -> tuple[Mention, ...]:
    """A word with what is attached to it: `name(x)`, `list[int]`, `parameter(s)`, `don't`."""
    word = re.sub(r"\(e?s\)$", "", written)
    if word.endswith((")", "]")):
        return (_expression(word),)
    base, apostrophe, _ = word.replace("\u2019", "'").partition("'")
    if apostrophe and base.lower().endswith("n"):
        return _known(word, "not")
    return _bare(base, previous)


def _code(written: str, _previous: str) -> tuple[Mention, ...]:
    """What stands in backticks or in quotes: a name, an expression or a signature; other text as if unquoted."""
    found = _pattern(_CODE).fullmatch(written)
    if found is None:
        return tuple(words_of(written))
    name, rest = found["name"], (found["rest"] or "").strip()
    if rest.startswith(("[", "|")) or not rest:
        return (_expression(name + rest),)
    named = _named(name + "()" if rest.startswith("(") else name)
    return (named._replace(is_assigned=re.match(r"(?::[^=]*)?=(?![=>])", rest) is not None),)


def _assigned(written: str, _previous: str) -> tuple[Mention, ...]:
    """A name with the value it is given: a parameter or a field with its default, as code has it."""
    return (_named(written.partition("=")[0].partition(":")[0].rstrip())._replace(is_assigned=True),)


def _expression(written: str) -> Mention:
    """A name, a call of it, or a type made with it."""
    base = re.match(_DOTTED, written.lstrip("@"))
    name = base.group() if base else written
    if name in ("None", "Optional") or ("None" in written and name != written and not written.endswith(")")):
        return Mention(written, _NONE, written)
    if name in TYPES:
        return Mention(written, _QUOTED if name == written else _BUILTIN, written)
    if LETTER_OF.get(name) == _ABSTRACT or name in _KEYWORDS:
        return Mention(written, LETTER_OF[name], written)
    return _named(written)


def _named(written: str) -> Mention:
    """A name, however it is written, dotted."""
    found = _pattern(_NAMED_AT_FIRST).match(written)
    name = found["name"] if found else written
    kept = f"{name}()" if written.endswith(")") else name
    if _is_path(name):
        path, *inside = re.split(r"::?", name)
        folders, _, file = path.rpartition("/")
        stem = file.partition(".")[0]
        if stem == "__init__":
            stem = folders.rpartition("/")[2] or stem
        return Mention(".".join([stem, *(part for part in inside if not part.isdigit())]), _NAME, kept)
    dotted = name.replace("::", ".").replace("#", ".")
    return Mention(re.sub(r"^(?:self|cls)\.", "", dotted), _NAME, kept)


def _fence(written: str, _previous: str) -> tuple[Mention, ...]:
    """Of a block of code, what it defines or else calls; each ends a sentence, so that no phrase is made of them.

    What is defined first comes last: that is what `it` means behind the block.
    """
    found = re.findall(_DEFINED, written)
    names = [defined for defined, _ in found if defined] or [called for _, called in found]
    ends = Mention(".", _END, ".")
    kept = list(dict.fromkeys(names))[:NAMES_IN_A_FENCE]
    return tuple(word for name in reversed(kept) for word in (ends, _named(name), ends))


def _mark(sort: str) -> Callable[[str, str], tuple[Mention, ...]]:
    return lambda written, _previous: (Mention(written, LETTERS[sort], written),)


_READERS: Final[Mapping[str, Callable[[str, str], tuple[Mention, ...]]]] = {
    "assigned": _assigned,
    "bare": _bare,
    "fence": _fence,
    "code": _code,
    "quoted": _code,
    "path": lambda written, _previous: (_named(written),),
    "word": _bracketed,
    "symbol": _bare,
    **{mark: _mark(mark) for mark in ("asks", "end", "comma", "cjk")},
}
"""How each kind of token is read: from how it is written and the letter before it to words, or none."""
