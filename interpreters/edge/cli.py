"""The `semantic-scout` command: its flags. What it does is in `interpreters.edge.ask`, imported when it is needed."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TAGS: Final = (
    "Exhaustive", "PatternMatch", "TypeFamily", "Constraint", "DataType", "TypeAlias", "Function", "Module",
)  # fmt: skip
FORMATS: Final = ("table", "json", "markdown")

DESCRIPTION: Final = "Ask a codebase what a change would break; get a ranked, reasoned answer."
EPILOG: Final = """\
examples:
  semantic-scout "What breaks if I add a variant to LLMKind?" --tag Exhaustive --tag PatternMatch
  semantic-scout "Is it safe to rename `Session.get` to `fetch`?" --root ../shop --format json
  semantic-scout "What if parse_price returned None?" --budget 100

exit codes:
  0 answered, perhaps in part (the answer says so)    2 wrong usage    3 no such name in the codebase
  4 the language server did not start or get ready    5 the scorer failed
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and answer its exit code."""
    arguments = _parser().parse_args(argv)
    # An answer makes a hundred thousand objects and hardly a cycle. To look for cycles as often as Python does by
    # itself, and once more through everything at exit, takes a quarter of this process's time.
    gc.set_threshold(100_000, 20, 20)
    try:
        return _ask(arguments)
    except KeyboardInterrupt:  # before the command was set up to end in order: it has started nothing yet
        return 130
    finally:
        gc.freeze()


def _ask(arguments: argparse.Namespace) -> int:
    from interpreters.edge.ask import Request, ask

    return ask(
        Request(
            question=arguments.question,
            root=arguments.root,
            tags=tuple(dict.fromkeys(arguments.tag)),
            budget_nodes=arguments.budget,
            scorer=arguments.scorer,
            server=arguments.server,
            python=arguments.python,
            timeout_s=arguments.timeout,
            output=arguments.format,
            examples=arguments.examples,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "semantic-scout",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("question", metavar="QUESTION", type=_question, help="what you are about to change; `name` marks a name")
    add("--root", metavar="PATH", type=Path, default=Path(), help="the codebase (default: the current folder)")
    add("--tag", action="append", default=[], type=_tag, help=f"what it is about: {', '.join(TAGS)}; may be repeated")
    add("--budget", metavar="N", type=_count, default=20, help="how many places may be rated (default: %(default)s)")
    add("--scorer", metavar="NAME", default="heuristic", help="what rates them (default: %(default)s)")
    add("--server", metavar="NAME", help="the language server, known or from your configuration (default: ty)")
    add("--format", choices=FORMATS, default="table", help="how to print the answer (default: %(default)s)")
    add("--examples", action="store_true", help="include a training example for every rated place in the json")
    add("--python", metavar="PATH", type=Path, help="its interpreter or virtual environment (default: found)")
    add(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=60.0,
        help="for the server's start and each of its answers",
    )
    add("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


class _Version(argparse.Action):
    """Prints the version; reads it only when asked, since that takes longer than the rest of `--help`."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version

        print("semantic-scout", version("semantic-scout"))
        parser.exit()


def _question(text: str) -> str:
    text = text.encode(errors="replace").decode().strip()  # the shell may pass bytes that are no text
    if not text:
        raise argparse.ArgumentTypeError("the question is empty: ask what breaks if you change something")
    return text


def _tag(text: str) -> str:
    for tag in TAGS:
        if tag.casefold() == text.casefold():
            return tag
    raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(TAGS)}")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 to 999999999")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0 and below a day")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
