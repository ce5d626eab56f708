"""The words of questions about code, by what they mean there.

A *sort* is a set of words that a question may exchange without asking something else: `delete`, `drop` and
`get rid of` are all of the sort `remove`. Every sort has a letter, so that a sentence becomes a short string which
regular expressions can read. To teach a word, write it into its sort.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_VERBS: Final = {
    "add": "add introduce insert append create attach tack support thread wire plumb / put puts putting",
    "give": "/ give gives gave given giving",
    "extend": "extend augment enrich expand",
    "remove": "remove delete drop* erase eliminate kill strip* deprecate retire prune purge discard omit rid* nuke axe"
    " scrap* ditch sunset decommission / cut cuts cutting",
    "lose": "/ lose loses lost losing",
    "vanish": "vanish disappear / gone",
    "rename": "rename",
    "label": "/ name names naming",
    "call": "/ call calls calling",
    "move": "move relocate migrate transfer extract pull hoist shift live",
    "change": "change modify alter edit update tweak adjust rework refactor redefine replace swap* switch turn fix"
    " optimise optimize touch transform restructure simplify reimplement convert rejig* overhaul flip* factor"
    " / rewrite rewrites rewriting rewrote rewritten split splits splitting",
    "widen": "widen narrow broaden loosen tighten relax restrict",
    "make": "force mark declare allow permit cause annotate / make makes made making let lets letting",
    "return": "return yield",
    "take": "accept expect need want receive demand / take takes took taken taking require requires requiring",
    "have": "gain include contain carry / have has had having grow grows grew grown growing",
    "get": "/ get gets getting got gotten become becomes became becoming",
    "pass": "pass",
    "raise": "raise crash fail / throw throws threw thrown throwing",
    "use": "use depend reference import consume invoke inherit construct instantiate mention"
    " / rely relies relied relying",
    "await": "await",
    "implement": "implement / override overrides overriding overrode overridden",
    "stop": "stop* cease",
    "default": "default",
}
"""Verbs; `*`: the last consonant is doubled; after `/`: forms as they are."""

_NOUNS: Final = {
    "add": "addition",
    "extend": "extension",
    "remove": "removal deletion deprecation",
    "change": "modification simplification",
    "use": "usage user caller consumer dependent dependency invocation call-site callsite occurrence trace",
    "variant": "variant case member enumerator alternative choice",
    "parameter": "parameter param argument arg kwarg flag",
    "field": "field attribute attr column property slot",
    "method": "method function func fn procedure routine constructor initializer helper",
    "enum": "enum enumeration strenum intenum",
    "protocol": "protocol interface abc trait typeclass mixin",
    "alias": "alias union literal",
    "kind": "class dataclass model struct record namedtuple typeddict constant variable symbol decorator"
    " definition identifier exception",
    "module": "module package file namespace folder directory",
    "type": "type annotation hint typehint",
    "signature": "signature",
    "value": "value",
    "subclass": "subclass subtype implementer implementor implementation child descendant inheritor",
    "order": "order ordering",
}

_WORDS: Final = {
    "outcome": "result results output outputs outcome",
    "more": "more new another extra additional further fresh",
    "adjective": "required mandatory keyword keyword-only kw-only positional positional-only trailing leading nested"
    " private public protected internal static boolean integer numeric unused redundant legacy typed untyped computed"
    " derived readonly read-only non-optional non-nullable generic variadic cached frozen"
    " instance top-level module-level whole entire compulsory synchronous immutable mutable hashable final keyworded"
    " old first second third last next base parent",
    "abstract": "abstract abstractmethod abstractproperty virtual",
    "asynchronous": "async asynchronous asynchronously async-def coroutine coroutines awaitable awaitables await-able",
    "none": "none null nil nullable optional nothing undefined",
    "builtin": "int str float bool bytes list dict tuple set frozenset object complex callable iterable iterator"
    " sequence mapping generator string number dictionary lists dicts tuples"
    " strings ints floats bools void iterables generators",
    "not": "not never no without cannot",
    "instead": "instead rather",
    "safe": "safe okay ok fine harmless dangerous risky possible unsafe",
    "be": "be is are was were been being am",
    "called": "called named dubbed",
    "to": "to into onto through -> => →",
    "as": "as",
    "from": "from",
    "of": "of than about regarding concerning",
    "in": "in on inside within for at by under across",
    "with": "with",
    "out": "out away off back over",
    "or": "or and | & / either",
    "what": "what how whatever",
    "if": "if when whether suppose supposing assuming whenever once",
    "we": "i we you he she they people someone anyone somebody anybody",
    "this": "this these those that",
    "it": "it them",
    # Behind a name they show that the name is over; anywhere else they say nothing.
    "article": "a an the my our your his her their its",
    # Said of a verb or a noun without changing what is asked: as if it were not there.
    "light": "any start starts started starting begin begins began beginning able going gonna some each every all"
    " existing current just simply also now maybe perhaps possibly sometimes might may could would will can shall must"
    " should really actually suddenly always ever then still only even already soon later directly please kindly do"
    " does did one two three four longer anymore both me us occasionally usually often eventually quietly silently"
    " accidentally completely entirely safely such certain specific particular following above below sort kind too"
    " ourselves myself itself ",
    # Words that are never a name.
    "filler": "which who whom whose where why there here so because since while but nor yet break breaks broke"
    " broken breaking breakage happen happens happened happening affect affects affected impacted influences blast"
    " radius ripple anything everything something nobody everybody everyone tell show find know see look looking like"
    " likely unlikely think thought thinking wonder wondering ask asked asking explain explains describe checking"
    " verify planned planning intend intending after before during between against up down again else other others"
    " same different own much many few most least less anywhere everywhere somewhere elsewhere help helps him works"
    " working worked run runs running ran go goes went come coming comes came yes well oh quick quickly curious sure"
    " true false resulting yesterday early immediately twice via per until till unless though although however"
    " therefore thus hence e.g i.e etc vs e.g. i.e. downstream upstream todo fyi asap btw imo pls done doing right"
    " wrong good bad better best fast faster slow slower try tries tried trying",
    # They have a capital and are no name for all that.
    "proper": "hey hi hello dear thanks thank thx cheers folks guys sir sorry monday tuesday wednesday thursday"
    " friday saturday sunday january february march april june july august september october november december python"
    " typescript haskell rust golang java english",
    # Abbreviations that most texts about code have, and that may be the name of a class all the same.
    "acronym": "api apis http https json xml url urls sql ui cli ci cd pr ai ide lsp sdk",
    # Nouns that are a name only with a capital.
    "noise": "code codebase codebases project projects repo repos repository repositories stuff thing things"
    " place places site sites line lines test tests suite question questions answer answers problem problems issue"
    " issues bug bugs error errors warning warnings risk risks part parts way ways effect effects impact impacts"
    " consequence consequences fallout influence team plan plans check checks work rest today tomorrow",
}

VERB_STEMS: Final = frozenset(
    word.rstrip("*")
    for sort, words in _VERBS.items()
    if sort != "default"
    for word in (*words.partition("/")[0].split(), *words.partition("/")[2].split()[:1])
)
"""Verbs as a function may be called: `get`, not `gets`."""

COMPOUNDS: Final = {
    ("in", "case"): "if",
    ("use", "case"): "filler",
    ("use", "cases"): "filler",
    ("keyword", "only"): "adjective",
    ("positional", "only"): "adjective",
    ("no", "one"): "we",
    ("async", "def"): "asynchronous",
    ("as", "well"): "light",
    ("set", "of"): "light",
    ("about", "to"): "light",
    ("to", "be"): "be",
    ("from", "now"): "light",
    ("take", "out"): "remove",
    ("taking", "out"): "remove",
    ("phase", "out"): "remove",
    ("phasing", "out"): "remove",
    ("go", "away"): "vanish",
    ("goes", "away"): "vanish",
    ("end", "up"): "move",
    ("ends", "up"): "move",
    ("ended", "up"): "move",
}
"""Pairs of words that mean something of their own: the sort of the two together."""

_MARKS: Final = ("name", "word", "opening", "quoted", "possessive", "comma", "end", "asks", "cjk")
"""Sorts of what is no known word: names that look like code; unknown words, and those that open a sentence with a
capital; quoted built-in types; `'s`; the ends of clauses, sentences and questions; and a
run of Chinese, Japanese or Korean."""

_SORTS: Final = tuple(dict.fromkeys((*_VERBS, *_NOUNS, *_WORDS, *_MARKS)))
_FIRST_LETTER: Final = 0x100  # past everything that means something in a regular expression
LETTERS: Final = {sort: chr(_FIRST_LETTER + number) for number, sort in enumerate(_SORTS)}
"""Every sort's letter."""

SORTS: Final = {letter: sort for sort, letter in LETTERS.items()}
"""Every letter's sort."""

_THINGS: Final = tuple(sort for sort in _NOUNS if sort not in _VERBS)
NOUN_LETTERS: Final = frozenset(
    LETTERS[sort]
    for sort in (*_THINGS, "default", "label", "use", "adjective", "asynchronous", "noise", "outcome", "acronym")
)
"""Sorts whose words, written with a capital, may well be the name of a class."""

_TYPES: Final = (
    "int str float bool bytes list dict tuple set frozenset object complex type Any Callable Iterable Iterator"
    " Sequence Mapping Generator Awaitable Coroutine List Dict Tuple Set Union Literal"
)
TYPES: Final = frozenset(_TYPES.split())
"""Types that every Python file knows, as they are written in code."""

_IRREGULAR: Final = {
    "property": ("property", "properties"),
    "child": ("child", "children"),
    "alias": ("alias", "aliases"),
    "class": ("class", "classes"),
    "attr": ("attr",),  # attrs is a package
}


def _conjugated(words: str) -> Iterator[str]:
    """The forms of regular verbs, then those that are given."""
    regular, _, given = words.partition("/")
    for verb in regular.split():
        stem = verb.rstrip("*")
        yield stem
        if verb.endswith("*"):
            yield from (stem + "s", stem + stem[-1] + "ed", stem + stem[-1] + "ing")
        elif stem.endswith("e"):
            yield from (stem + "s", stem + "d", stem[:-1] + "ing")
        elif stem.endswith("y") and stem[-2] not in "aeiou":
            yield from (stem[:-1] + "ies", stem[:-1] + "ied", stem + "ing")
        else:
            yield from (stem + ("es" if stem.endswith(("ch", "sh", "ss", "x")) else "s"), stem + "ed", stem + "ing")
    yield from given.split()


def _numbered(words: str) -> Iterator[str]:
    """Nouns, and more than one of them."""
    for noun in words.split():
        plural = noun[:-1] + "ies" if noun.endswith("cy") else noun + ("es" if noun.endswith(("ch", "s")) else "s")
        yield from _IRREGULAR.get(noun, (noun, plural))


def spellings() -> Iterator[tuple[str, str]]:
    """Every form of every known word in lower case, and its letter."""
    for table, forms in ((_VERBS, _conjugated), (_NOUNS, _numbered), (_WORDS, str.split)):
        for sort, words in table.items():
            yield from ((form, LETTERS[sort]) for form in forms(words))


LETTER_OF: Final = dict(spellings())
"""Every known word's letter; the word is in lower case."""
