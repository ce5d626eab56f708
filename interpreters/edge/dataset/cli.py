"""`tidepool dataset`: a table of verbs. What each does is in a module of its own, imported when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple

EXIT_CODES: Final = """\
exit codes:
  0 done    1 something leaks, or is wrong    2 wrong usage, or a file that cannot be used
  3 there is nothing, or less than was wanted    4 the language server failed
"""


class Verb(NamedTuple):
    """What a verb is for, examples of it, and the module that does it."""

    purpose: str
    examples: str
    module: str


def main(argv: Sequence[str]) -> int:
    """Do what a verb says and answer its exit code."""
    arguments = verbs_parser(argv[:1]).parse_args(argv)
    code: int = import_module(f"{__package__}.{VERBS[arguments.verb].module}").main(arguments)
    return code


def verbs_parser(asked: Sequence[str]) -> argparse.ArgumentParser:
    """The verbs, with the flags of the one that is asked for."""
    parser = argparse.ArgumentParser(
        "tidepool dataset",
        description=f"{PURPOSE[0].upper()}{PURPOSE[1:]}.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        one = verbs.add_parser(
            name,
            help=verb.purpose,
            description=f"{verb.purpose[0].upper()}{verb.purpose[1:]}.",
            epilog=f"examples:\n{verb.examples}\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name in asked:
            import_module(f"{__package__}.{verb.module}").flags(one)
    return parser


PURPOSE: Final = "make, check and correct sets of training examples"

VERBS: Final = {
    "build": Verb(
        "make a set of training examples from codebases",
        "  tidepool dataset build spec.toml --out data\n",
        "build",
    ),
    "check": Verb(
        "fail where a codebase or a duplicate leaks from one split to another",
        "  tidepool dataset check data\n",
        "check",
    ),
    "agreement": Verb(
        "show where the rules and the compiler say different things",
        "  tidepool dataset agreement data\n",
        "agreement",
    ),
    "render": Verb(
        "write prompts and completions for FunctionGemma",
        "  tidepool dataset render data\n",
        "render",
    ),
    "uncertain": Verb(
        "rank the examples that a person should look at",
        "  tidepool dataset uncertain data --scorer heuristic --scorer model --out queue.jsonl\n",
        "uncertain",
    ),
    "review": Verb(
        "confirm or correct them in the terminal",
        "  tidepool dataset review queue.jsonl --data data\n",
        "review",
    ),
    "export": Verb(
        "write examples for Label Studio",
        "  tidepool dataset export data --label-studio tasks.json\n",
        "exporting",
    ),
    "import": Verb(
        "take over what was annotated in Label Studio",
        "  tidepool dataset import annotated.json --data data\n",
        "importing",
    ),
}
