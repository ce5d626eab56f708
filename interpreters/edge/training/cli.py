"""`tidepool train`: a table of verbs. What each does is in a module of its own, imported when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple

EXIT_CODES: Final = """\
exit codes:
  0 done    1 nothing was promoted    2 wrong usage, or a file that cannot be used    3 there is nothing to learn from
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
        "tidepool train",
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


PURPOSE: Final = "train scorers on sets of examples"

VERBS: Final = {
    "embedded": Verb(
        "train the small scorer that needs no library to rate",
        "  tidepool train embedded --data data --out model.json.gz\n",
        "embedded",
    ),
    "functiongemma": Verb(
        "fine-tune FunctionGemma, or a small model of its kind",
        "  tidepool train functiongemma --data data --base ../functiongemma-270m-it --out tuned\n"
        "  tidepool train functiongemma --data data --base tiny --out tiny-model\n",
        "functiongemma",
    ),
    "loop": Verb(
        "learn from what was kept, and promote what is no worse",
        "  tidepool train loop --data data\n",
        "loop",
    ),
    "versions": Verb("list the promoted models", "  tidepool train versions\n", "versions"),
    "rollback": Verb(
        "make an earlier model the current one",
        "  tidepool train rollback 0001-3f2a91c4\n  tidepool train rollback shipped\n",
        "rollback",
    ),
}
