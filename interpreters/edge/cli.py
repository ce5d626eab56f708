"""The `semantic-scout` command: its flags. What it does is in `interpreters.edge.ask`, imported when it is needed."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from interpreters.edge.keys import SETTINGS, YES_OR_NO, Key, of_text

DESCRIPTION: Final = "Ask a codebase what a change would break; get a ranked, reasoned answer."
EPILOG: Final = """\
examples:
  semantic-scout "What breaks if I add a variant to LLMKind?" --tag Exhaustive --tag PatternMatch
  semantic-scout "Is it safe to rename `Session.get` to `fetch`?" --root ../shop --format json
  semantic-scout "What if parse_price returned None?" --budget 100 --scorer hybrid

Flags can be set for good in ~/.config/tidepool/tidepool.toml and by variables such as TIDEPOOL_BUDGET.

exit codes:
  0 answered, perhaps in part (the answer says so)    2 wrong usage    3 no such name in the codebase
  4 the language server did not start or get ready    5 the scorer failed
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and answer its exit code."""
    parser = _parser()
    arguments, left = parser.parse_known_args(argv)
    if left and not left[0].startswith("-"):
        parser.error("the question is to be one argument: put the question in quotes")
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
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
            flags={key.name: getattr(arguments, key.name) for key in SETTINGS},
            examples=arguments.examples,
            record=arguments.record,
            replay=arguments.replay,
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
    for key in SETTINGS:
        _add_flag(parser, key)
    add("--examples", action="store_true", help="include a training example for every rated place in the json")
    tape = parser.add_mutually_exclusive_group()
    tape.add_argument("--record", metavar="FILE", type=Path, help="keep all that is asked and answered in a file")
    tape.add_argument("--replay", metavar="FILE", type=Path, help="answer from such a file, and from nothing else")
    add("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


def _add_flag(parser: argparse.ArgumentParser, key: Key) -> None:
    if key.kind is YES_OR_NO:
        says = f"{key.says} (default: {'yes' if key.default else 'no'})"
        parser.add_argument(key.flag, dest=key.name, action=argparse.BooleanOptionalAction, default=None, help=says)
        return
    flag, _, metavar = key.flag.partition(" ")
    options: dict[str, Any] = {"dest": key.name, "metavar": metavar, "type": _value(key)}
    about = f": {', '.join(key.kind.choices)}" if key.kind.choices else ""
    if isinstance(key.default, tuple):
        options |= {"action": "extend", "help": f"{key.says}{about}; may be repeated"}
    else:
        options |= {"help": f"{key.says}{about} (default: {'found' if key.default is None else key.default})"}
    parser.add_argument(flag, **options)


def _value(key: Key) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return of_text(key, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


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


if __name__ == "__main__":
    sys.exit(main())
