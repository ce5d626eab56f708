"""Break the code on purpose, and see that the simulator finds it: `python tests/mutations.py`.

Each `Mutation` changes one place in a copy of the tree, in which `tests/simulate.py` then has to fail. The command ends
with 1 where a mutation is not found, or where the copy that nothing was changed in fails.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent

SEEDS: Final = 20_000
"""How many seeds may be needed to find a mutation."""


class Mutation(NamedTuple):
    """One place changed: what that breaks, in which file, and the text that is there once and what it becomes."""

    name: str
    file: str
    text: str
    instead: str


EXPLORE: Final = "tidepool/explore.py"
EFF: Final = "tidepool/eff.py"

MUTATIONS: Final = (
    Mutation(
        "the budget is off by one",
        EXPLORE,
        "(room := self.query.budget_nodes - len(self.rated)) > 0",
        "(room := self.query.budget_nodes + 1 - len(self.rated)) > 0",
    ),
    Mutation(
        "what could not be looked at leaves an answer complete",
        "tidepool/answer.py",
        "Status.PARTIAL if len(frontier) or limits else",
        "Status.PARTIAL if len(frontier) else",
    ),
    Mutation(
        "a finding is looked for in the next line",
        EXPLORE,
        "found = self.check.broken.get(node.lead.place.location)",
        "found = self.check.broken.get(node.lead.place._replace(line=node.lead.place.line + 1).location)",
    ),
    Mutation(
        "a check that failed is not told",
        EXPLORE,
        "        if not isinstance(error, Unsupported):\n",
        "        if False:\n",
    ),
    Mutation(
        "a change is checked that nobody wanted to be checked",
        EXPLORE,
        "        if self.query.verify:\n",
        "        if True:\n",
    ),
    Mutation(
        "a failing round loses what was rated in it",
        EXPLORE,
        "news = [answer.unwrap() for answer in answers if isinstance(answer, Success)]",
        "news = [] if any(isinstance(a, Failure) for a in answers) else [a.unwrap() for a in answers]",
    ),
    Mutation(
        "a line that is known is queued again",
        "tidepool/frontier.py",
        "return place.location in self._known",
        "return place in self._known",
    ),
    Mutation(
        "a failed operation is told and not remembered",
        EXPLORE,
        "        self.limits.append(what)\n",
        "",
    ),
    Mutation(
        "a hover text that failed is forgotten",
        EXPLORE,
        "            self.unheard.setdefault(str(error), []).append(place)",
        "            pass",
    ),
    Mutation(
        "what the server says that it left out is dropped",
        EXPLORE,
        "return tuple(clauses)",
        "return ()",
    ),
    Mutation(
        "a base class that could not be looked up is forgotten",
        "tidepool/resolve.py",
        "        if isinstance(answer, Failure):\n",
        "        if isinstance(answer, str):\n",
    ),
    Mutation(
        "a failing scorer is swallowed",
        EXPLORE,
        "raise ScorerFailed(failure, self.answer()) from failure",
        "return news",
    ),
    Mutation(
        "a lead that is put off is put off for ever",
        "tidepool/frontier.py",
        "self._queue(attrs.evolve(lead, deferred=True))",
        "self._queue(lead)",
    ),
    Mutation(
        "the order of an answer decides what is looked at",
        EXPLORE,
        "        yield from self.add(sorted(reached))",
        "        yield from self.add(reached)",
    ),
    Mutation(
        "a round with too few answers is taken for whole",
        EFF,
        "        if len(results) != len(ops):",
        "        if len(results) > len(ops):",
    ),
    Mutation(
        "a cancelled round leaves its tasks running",
        EFF,
        "        _cancel_tasks(tasks)\n        if tasks:\n            await asyncio.wait(tasks)\n",
        "",
    ),
    Mutation(
        "a cancellation is taken for a failure",
        EFF,
        "    except errors as error:\n        return Failure(error)",
        "    except BaseException as error:\n        return Failure(error)",
    ),
    Mutation(
        "a fallback's rubric passes for the model's",
        "interpreters/gemma/hybrid.py",
        "_instead(next(others), failure)",
        "next(others)",
    ),
)


def copied(folder: Path) -> Path:
    """The tree, as far as the simulator needs it."""
    for name in ("tidepool", "interpreters"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests").mkdir()
    for name in ("simulate.py", "simulated.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    return folder


def mutated(mutation: Mutation) -> str:
    """The text of the mutation's file once it is made.

    Raises:
        ValueError: the text to change is not there, or more than once.
    """
    before = (ROOT / mutation.file).read_text(encoding="utf-8")
    if before.count(mutation.text) != 1:
        raise ValueError(f"{mutation.file} holds {before.count(mutation.text)} times what {mutation.name!r} changes")
    return before.replace(mutation.text, mutation.instead)


def simulated(folder: Path, seeds: int) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        str(folder / "tests" / "simulate.py"),
        "--jobs=1",
        f"--seeds={seeds}",
        "--until-one-fails",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)


def found(mutation: Mutation, seeds: int = SEEDS) -> tuple[int, str] | None:
    """How many seeds it takes to find a mutation, and which promise is broken; None where they do not find it."""
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        (folder / mutation.file).write_text(mutated(mutation), encoding="utf-8")
        told = simulated(folder, seeds).stdout
    first = re.search(r"the first is (\d+)", told)
    broken = re.search(r"^broken: (.*?):", told, re.MULTILINE)
    return (int(first[1]) + 1, broken[1]) if first and broken else None


def main(argv: Sequence[str]) -> int:
    """Try every mutation, or those whose names hold one of the arguments."""
    parser = argparse.ArgumentParser(description="break the code on purpose, and see that the simulator finds it")
    parser.add_argument("words", metavar="WORD", nargs="*", help="try only mutations whose names hold one of these")
    words: list[str] = parser.parse_args(argv).words
    with tempfile.TemporaryDirectory() as name:
        unchanged = simulated(copied(Path(name)), 2_000)
    sys.stdout.write(f"unchanged: {unchanged.stdout.splitlines()[0] if unchanged.returncode == 0 else 'FAILS'}\n")
    missed = unchanged.returncode
    for mutation in MUTATIONS:
        if words and not any(word in mutation.name for word in words):
            continue
        result = found(mutation)
        missed += result is None
        verdict = f"found after {result[0]} seeds: {result[1]}" if result else f"NOT FOUND in {SEEDS} seeds"
        sys.stdout.write(f"{mutation.name}: {verdict}\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
