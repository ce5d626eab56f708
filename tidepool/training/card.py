"""What a set holds and how it was made: `card.json` for programs, `README.md` for people. Pure.

    census = Census()
    for answered in chosen: census.count("train", answered)
    card = carded(census, facts, …)
    card_text(card), readme(card, facts)

What is counted is held as numbers only, however many examples there are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

import attrs

from tidepool.domain import Provenance, TrainingExample
from tidepool.training.answered import Answered, is_positive
from tidepool.training.balance import FEWEST_POSITIVE, MOST_POSITIVE
from tidepool.training.duplicates import SIMILARITY
from tidepool.training.questions import STRATA, Stratum
from tidepool.training.splits import SPLITS
from tidepool.wire import dumps

FORMAT: Final = 1

MOST_OF_ONE_PHRASING: Final = Fraction(1, 10)
"""The share of the examples that have a question of the same phrasing, from which on the card warns."""

COUNTED: Final = ("tag", "change kind", "label source", "language", "codebase", "licence", "split")
UNKNOWN: Final = "unknown"
NO_TAG: Final = "no tag"

LIMITS: Final = (
    "A rubric is what a labeller says, and no proof: `labeller` names it, and `disputed` holds what another one said.",
    f"Near duplicates are found by a node's text: what is less than {SIMILARITY:.0%} alike stays in both splits.",
    "Secrets are found by their form: what looks like ordinary text is not one.",
    "Code keeps the licence of the codebase that it comes from.",
)

_TIME: Final = re.compile(r'"timestamp": "[^"]*"')
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@attrs.frozen
class Facts:
    """What a set's maker knows of it beyond its examples.

    Attributes:
        title: of the set.
        how: how it was made, in Markdown; such as the file that says what to build.
        versions: of what made it, by name.
        programs: what kind of program each codebase is.
        left_out: how many questions or commits gave nothing, by the reason.
        limits: sentences on what the set cannot do, beyond `LIMITS`.
        sections: more of the card for people, Markdown by heading.
        made_at: when, as text; "" for not told.
        seconds: how long it took.
    """

    title: str = "Training examples"
    how: str = ""
    versions: Mapping[str, str] = _NOTHING
    programs: Mapping[str, str] = _NOTHING
    left_out: Mapping[str, int] = _NOTHING
    limits: tuple[str, ...] = ()
    sections: Mapping[str, str] = _NOTHING
    made_at: str = ""
    seconds: float = 0.0


@attrs.define
class Census:
    """What is in a set.

    Attributes:
        counts: examples by what is counted and by its value.
        phrasings: examples by the phrasing of their question.
        questions: how many there are.
        positives: examples that are positive.
        disputed: examples of which another labeller said something else.
    """

    counts: dict[str, Counter[str]] = attrs.field(factory=lambda: {what: Counter() for what in COUNTED})
    phrasings: Counter[str] = attrs.field(factory=Counter)
    questions: int = 0
    positives: int = 0
    disputed: int = 0
    _digest: Any = attrs.field(factory=sha256)

    def count(self, split: str, answered: Answered) -> None:
        """Add a question's examples, in the order in which they are written."""
        self.questions += bool(answered.examples)
        self.phrasings[answered.phrasing] += len(answered.examples)
        for example in answered.examples:
            origin = example.provenance or Provenance()
            self.positives += is_positive(example.rubric)
            self.disputed += origin.disputed is not None
            values = (
                example.query.tags[0] if example.query.tags else NO_TAG,
                origin.change_kind,
                origin.labeller,
                origin.language,
                answered.codebase,
                origin.licence,
                split,
            )
            for what, value in zip(COUNTED, values, strict=True):
                self.counts[what][value or UNKNOWN] += 1
            self._digest.update(timeless(example))

    @property
    def examples(self) -> int:
        """How many there are."""
        return self.counts["split"].total()

    @property
    def commonest_phrasing(self) -> tuple[str, float]:
        """The phrasing of most examples' questions, and their share."""
        phrasing, count = max(self.phrasings.items(), key=lambda item: (item[1], item[0]), default=("", 0))
        return phrasing, count / (self.examples or 1)

    @property
    def sha256(self) -> str:
        """Of all examples, apart from their timestamps."""
        return str(self._digest.hexdigest())


def timeless(example: TrainingExample) -> bytes:
    """What of an example is the same whenever it is made: its line without the time."""
    return f"{_TIME.sub('', dumps(example), count=1)}\n".encode()


def carded(census: Census, facts: Facts, made: Mapping[str, Any]) -> dict[str, Any]:
    """The card as plain data.

    Args:
        made: further entries: of the shards, what was dropped, what is short.
    """
    phrasing, share = census.commonest_phrasing
    return {
        "format": FORMAT,
        "title": facts.title,
        "examples": census.examples,
        "questions": census.questions,
        "counts": {what: dict(sorted(counts.items())) for what, counts in census.counts.items()},
        "positives": {
            "examples": census.positives,
            "share": round(census.positives / (census.examples or 1), 4),
            "range": [float(FEWEST_POSITIVE), float(MOST_POSITIVE)],
        },
        "disputed": census.disputed,
        "phrasings": {
            "different": len(census.phrasings),
            "commonest": phrasing,
            "share": round(share, 4),
            "bound": float(MOST_OF_ONE_PHRASING),
        },
        "programs": dict(sorted(facts.programs.items())),
        "left out": dict(sorted(facts.left_out.items())),
        "sha256": census.sha256,
        **made,
        "versions": dict(sorted(facts.versions.items())),
        "run": {"made at": facts.made_at, "seconds": round(facts.seconds, 1)},
    }


def warnings_of(card: Mapping[str, Any]) -> Iterator[str]:
    """What a set falls short of, a sentence each."""
    wanted, found = card["wanted"], card["examples"]
    if found < wanted:
        yield f"{wanted:,} examples were wanted, and the codebases gave {found:,} that could be kept"
    for name, missing in card["short"].items():
        yield f"{name} lacks {missing:,} examples to an even share of {wanted // len(STRATA):,}"
    share, (least, most) = card["positives"]["share"], card["positives"]["range"]
    if found and not least <= share <= most:
        yield f"{share:.0%} of the examples are positive, where {least:.0%} to {most:.0%} are wanted"
    phrasings = card["phrasings"]
    if phrasings["share"] > phrasings["bound"]:
        yield f"{phrasings['share']:.0%} of the examples have one phrasing, where {phrasings['bound']:.0%} is the most"
    for split in SPLITS:
        if not card["counts"]["split"].get(split):
            yield f"no example is for {split}"


def named(stratum: Stratum) -> str:
    """A stratum in words."""
    return stratum or NO_TAG


def readme(card: Mapping[str, Any], facts: Facts) -> str:
    """The card for people, in Markdown, with what programs look for at its top."""
    parts = [_front(card), f"# {facts.title}", _summary(card), *_warned(card)]
    parts += [f"## By {what}\n\n{_table(what, card['counts'][what], card)}" for what in COUNTED]
    parts += ["## What was left out", _dropped(card)]
    parts += [f"## {heading}\n\n{text.strip()}" for heading, text in facts.sections.items()]
    parts += ["## How it was made", *([facts.how.strip()] if facts.how else []), _made(card)]
    parts += ["## What it cannot do", _listed((*LIMITS, *facts.limits))]
    parts += ["## Files", _files(card)]
    return "\n\n".join(parts) + "\n"


def _front(card: Mapping[str, Any]) -> str:
    """What tools that list data sets read: where the splits are, and what is in them."""
    languages = [name for name in card["counts"]["language"] if name != UNKNOWN]
    lines = ["---", f"pretty_name: {dumps(card['title'])}", "tags:", "- code", "- change-impact-analysis"]
    lines += [f"- {dumps(language)}" for language in languages]
    lines += ["configs:", "- config_name: default", "  data_files:"]
    for split in SPLITS:
        if card["counts"]["split"].get(split):
            lines += [f"  - split: {split}", f'    path: "{split}/*.parquet"']
    return "\n".join([*lines, "---"])


def _summary(card: Mapping[str, Any]) -> str:
    splits = card["counts"]["split"]
    positives, phrasings = card["positives"], card["phrasings"]
    return (
        f"{card['examples']:,} rated places in code, the answers to {card['questions']:,} questions about"
        f" {len(card['counts']['codebase'])} codebases: "
        + ", ".join(f"{splits.get(split, 0):,} for {split}" for split in SPLITS)
        + f". {positives['share']:.0%} have to change or are what was asked for. Of {phrasings['different']} phrasings,"
        f" the commonest has {phrasings['share']:.1%} of the examples. Labellers disagree about {card['disputed']:,}."
    )


def _warned(card: Mapping[str, Any]) -> list[str]:
    found = list(warnings_of(card))
    return ["It falls short:", _listed(found)] if found else []


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _table(what: str, counts: Mapping[str, int], card: Mapping[str, Any]) -> str:
    more = card["splits"] if what == "codebase" else {}
    programs = card["programs"] if what == "codebase" else {}
    head = [what, "examples", "share", *(["split", "program"] if more else [])]
    rows = [
        [_cell(name), f"{count:,}", f"{count / card['examples']:.1%}"]
        + ([more.get(name, ""), _cell(programs.get(name, ""))] if more else [])
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _dropped(card: Mapping[str, Any]) -> str:
    dropped, secrets = card["dropped"], card["secrets"]
    sentences = [f"{count:,} examples: {why}" for why, count in dropped.items() if count]
    sentences += [f"secrets replaced by a mark, {_cell(kind)}: {count:,}" for kind, count in secrets.items()]
    sentences += [f"{count:,} gave nothing: {_cell(why)}" for why, count in card["left out"].items() if why and count]
    return _listed(sentences) or "Nothing."


def _made(card: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{_cell(name)} {_cell(version)}" for name, version in card["versions"].items())
    sentences = [f"seed {card['seed']}"]
    sentences += [f"by {versions}"] if versions else []
    sentences += [f"in {card['run']['seconds']:,.0f} s"] if card["run"]["seconds"] else []
    sentences += [f"on {card['run']['made at']}"] if card["run"]["made at"] else []
    sentences += [f"sha256 of all examples without their timestamps: `{card['sha256']}`"]
    return _listed(sentences)


def _files(card: Mapping[str, Any]) -> str:
    rows = [f"| `{one['name']}` | {one['examples']:,} | `{one['sha256'][:16]}…` |" for one in card["shards"]]
    return "\n".join(
        [
            "Each shard is JSON lines, with the same examples as Parquet beside it. `card.json` has the whole hashes.",
            "",
            "| shard | examples | sha256 |",
            "| --- | --- | --- |",
            *rows,
        ]
    )
