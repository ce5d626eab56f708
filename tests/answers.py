"""Questions with rated places, made up, for what a set is put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from random import Random

from tidepool.domain import NodeContext, Provenance, QueryContext, Rubric, Tag, TrainingExample
from tidepool.training.answered import Answered
from tidepool.training.questions import STRATA, Stratum

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
BREAKS = Rubric(5, 5, 4, "It breaks here.")
STAYS = Rubric(2, 1, 4, "It stays as it is.")


def code(seed: object, lines: int = 5, words: int = 6) -> str:
    """Lines of code that no other seed gives, nor anything like it."""
    random = Random(str(seed))
    return "\n".join(" ".join(f"w{random.randrange(10**6)}x" for _ in range(words)) for _ in range(lines))


def example(
    codebase: str = "shop",
    tag: Stratum = Tag.FUNCTION,
    rubric: Rubric = BREAKS,
    asked: str = "What breaks if I rename f?",
    location: str = "a.py:3",
    snippet: str | None = None,
    hover: str | None = None,
) -> TrainingExample:
    """A rated place; its code is its own unless it is given."""
    query = QueryContext(asked, (tag,) if tag else ())
    snippet = code((codebase, asked, location)) if snippet is None else snippet
    origin = Provenance(codebase, "r1", "Python", "MIT", "mixed", "rename")
    return TrainingExample(query, NodeContext(location, hover, snippet), rubric, NOON, origin)


def answered(
    codebase: str = "shop", number: int = 0, tag: Stratum = Tag.FUNCTION, positives: int = 4, negatives: int = 8
) -> Answered:
    """A question and its places, the positive ones first."""
    rubrics = [BREAKS] * positives + [STAYS] * negatives
    asked = f"What breaks if I rename f{number} of {tag}?"
    places = (example(codebase, tag, one, asked, f"m{number}.py:{line}") for line, one in enumerate(rubrics, start=1))
    return Answered(codebase, number, f"phrasing {number} for {codebase}", tuple(places))


def questions(
    codebases: Sequence[str], each: int, tags: Sequence[Stratum] = STRATA, positives: int = 4, negatives: int = 8
) -> Callable[[], Iterator[Answered]]:
    """So many questions of each stratum about each codebase, made anew whenever they are asked for."""
    return lambda: (
        answered(codebase, number * len(tags) + place, tag, positives, negatives)
        for codebase in codebases
        for number in range(each)
        for place, tag in enumerate(tags)
    )


def examples_of(answers: Iterable[Answered]) -> list[TrainingExample]:
    """All their examples."""
    return [one for answer in answers for one in answer.examples]
