"""The `semantic-scout` command: its flags. What it does is in `interpreters.edge.ask`, imported when it is needed."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from interpreters.edge.keys import SETTINGS, SHELLS, YES_OR_NO, Key, of_text

DESCRIPTION: Final = "Ask a codebase what a change would break; get a ranked, reasoned answer."
EPILOG: Final = """\
examples:
  semantic-scout "What breaks if I add a variant to LLMKind?" --tag Exhaustive --tag PatternMatch
  semantic-scout "Is it safe to rename `Session.get` to `fetch`?" --root ../shop --format json
  semantic-scout "What if parse_price returned None?" --budget 100 --scorer hybrid
  semantic-scout --gen-training 10000 --root ../shop --root ../bank > dataset.json
  semantic-scout --mcp --root ../shop
  semantic-scout doctor --root ../shop

Flags can be set for good in ~/.config/tidepool/tidepool.toml and by variables such as TIDEPOOL_BUDGET.

exit codes:
  0 answered, perhaps in part (the answer says so)    2 wrong usage    3 no such name in the codebase
  4 the language server did not start or get ready    5 the scorer failed
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and answer its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["doctor"]:
        return _doctor(words[1:])
    parser = command_parser()
    arguments, left = parser.parse_known_args(words)
    if wrong := _wrong(arguments):
        parser.error(wrong)
    if left and not left[0].startswith("-"):
        parser.error("the question is to be one argument: put the question in quotes")
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    # An answer makes a hundred thousand objects and hardly a cycle. To look for cycles as often as Python does by
    # itself, and once more through everything at exit, takes a quarter of this process's time.
    gc.set_threshold(100_000, 20, 20)
    try:
        if arguments.mcp:
            return _serve_agents(arguments)
        return _ask(arguments) if arguments.gen_training is None else _generate(arguments)
    except KeyboardInterrupt:  # before the command was set up to end in order: it has started nothing yet
        return 130
    finally:
        gc.freeze()


def _doctor(words: Sequence[str]) -> int:
    from interpreters.edge.doctor.command import main

    return main(words)


def _ask(arguments: argparse.Namespace) -> int:
    from interpreters.edge.answering import Question
    from interpreters.edge.ask import Request, ask

    question = Question(
        text=arguments.question,
        root=arguments.root[0] if arguments.root else Path(),
        flags={key.name: getattr(arguments, key.name) for key in SETTINGS},
        record=arguments.record,
    )
    if arguments.watch:
        from interpreters.edge.watch import watch

        return watch(question, examples=arguments.examples)
    return ask(Request(question, examples=arguments.examples, replay=arguments.replay))


def _serve_agents(arguments: argparse.Namespace) -> int:
    from interpreters.edge.agents.serving import Serving, serve

    over_http = arguments.transport == "http"
    return serve(
        Serving(
            roots=tuple(arguments.root or ()),
            flags={name: getattr(arguments, name) for name in SERVING},
            port=(AGENTS_PORT if arguments.port is None else arguments.port) if over_http else None,
        )
    )


def _generate(arguments: argparse.Namespace) -> int:
    from interpreters.edge.dataset.generate import Wanted, generate
    from tidepool.training.labels import Labels

    return generate(
        Wanted(
            examples=arguments.gen_training,
            roots=tuple(arguments.root or [Path()]),
            labels=Labels(arguments.labels or Labels.MIXED),
            seed=arguments.seed or 0,
            flags={name: getattr(arguments, name) for name in GENERATING},
        )
    )


GENERATING: Final = ("timeout_s", "server", "python")
"""The settings that matter where examples are made; the others are of a question."""

OF_A_QUESTION: Final = ("--examples", "--record", "--replay", "--watch")

UNWATCHED: Final = ("--record", "--replay", "--keep")
"""What is made of one answer, of which `--watch` gives many."""

SERVING: Final = ("timeout_s", "scorer", "server", "verify", "python", "broker")
"""The settings that matter where agents ask; the others come with each question."""

AGENTS_PORT: Final = 8378

LABELS: Final = ("heuristic", "oracle", "history", "mixed")


def _wrong(arguments: argparse.Namespace) -> str:
    """What is wrong with the flags together, or ""."""
    if arguments.mcp:
        return _wrong_for_agents(arguments)
    if arguments.transport is not None or arguments.port is not None:
        return "--transport and --port go with --mcp"
    return _wrong_for_question(arguments) if arguments.gen_training is None else _wrong_for_training(arguments)


def _wrong_for_question(arguments: argparse.Namespace) -> str:
    if arguments.watch and (given := [flag for flag in UNWATCHED if _is_given(arguments, flag)]):
        return f"{given[0]} does not go with --watch"
    if arguments.question is None and arguments.keep not in {None, True}:
        return f"there is no QUESTION, since --keep took {str(arguments.keep)[:60]!r} for its folder: ask first"
    if arguments.question is None:
        return "there is no QUESTION: ask what breaks if you change something, or say --gen-training N"
    if len(arguments.root or ()) > 1:
        return "a question is about one codebase: name one --root"
    return "--labels and --seed go with --gen-training" if arguments.labels or arguments.seed is not None else ""


def _wrong_for_training(arguments: argparse.Namespace) -> str:
    if arguments.question is not None:
        return "--gen-training makes its own questions: leave out the question, or --gen-training"
    return _does_not_go(arguments, GENERATING, "--gen-training")


def _wrong_for_agents(arguments: argparse.Namespace) -> str:
    if arguments.question is not None or arguments.gen_training is not None:
        return "--mcp serves agents, which ask themselves: leave out the question and --gen-training"
    if arguments.port is not None and arguments.transport != "http":
        return "--port goes with --transport http"
    return _does_not_go(arguments, SERVING, "--mcp")


def _does_not_go(arguments: argparse.Namespace, settings: Sequence[str], mode: str) -> str:
    """The first flag that was given and is not one of these settings, as a complaint, or ""."""
    others = [key.flag.split()[0] for key in SETTINGS if key.name not in settings]
    given = [flag for flag in (*others, *OF_A_QUESTION) if _is_given(arguments, flag)]
    return f"{given[0]} does not go with {mode}" if given else ""


def _is_given(arguments: argparse.Namespace, flag: str) -> bool:
    names = {key.flag.split()[0]: key.name for key in SETTINGS}
    return getattr(arguments, names.get(flag, flag.strip("-"))) not in (None, False)


def command_parser() -> argparse.ArgumentParser:
    """The flags of a question."""
    parser = argparse.ArgumentParser(
        "semantic-scout",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "question",
        metavar="QUESTION",
        nargs="?",
        type=_question,
        help="what you are about to change; `name` marks a name",
    )
    add(
        "--root",
        metavar="PATH",
        type=Path,
        action="append",
        help="the codebase (default: the current folder); may be repeated with --gen-training and --mcp",
    )
    for key in SETTINGS:
        _add_flag(parser, key)
    add("--examples", action="store_true", help="include a training example for every rated place in the json")
    tape = parser.add_mutually_exclusive_group()
    tape.add_argument("--record", metavar="FILE", type=Path, help="keep all that is asked and answered in a file")
    tape.add_argument("--replay", metavar="FILE", type=Path, help="answer from such a file, and from nothing else")
    training = parser.add_argument_group("training data")
    training.add_argument("--gen-training", metavar="N", type=_count, help="print N training examples as a JSON array")
    training.add_argument("--labels", choices=LABELS, help="who labels them (default: mixed)")
    training.add_argument("--seed", metavar="S", type=_count, help="chooses the questions (default: 0)")
    agents = parser.add_argument_group("agents")
    agents.add_argument("--mcp", action="store_true", help="serve agents over the Model Context Protocol")
    agents.add_argument("--transport", choices=("stdio", "http"), help="how they are heard (default: stdio)")
    agents.add_argument("--port", metavar="N", type=_port, help=f"of HTTP on this machine (default: {AGENTS_PORT})")
    add("--watch", action="store_true", help="ask again whenever files of the codebase change")
    add("--completion", action=_Completion, choices=SHELLS, help="print the shell's completion script and exit")
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
        options |= {"help": f"{key.says}{about} (default: {_default(key)})"}
    if metavar.startswith("["):
        options |= {"metavar": metavar.strip("[]"), "nargs": "?", "const": True}
    parser.add_argument(flag, **options)


def _default(key: Key) -> str:
    """What holds where a flag is not given, in a word or a clause."""
    return {"python": "found", "keep": "nothing is kept; without DIR, in your data folder"}.get(key.name) or str(
        key.default
    )


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


class _Completion(argparse.Action):
    """Prints what a shell is to read, so that it completes this command."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: object, option_string: str | None = None
    ) -> None:
        from interpreters.edge.completion import joined, script
        from interpreters.edge.doctor.command import doctor_parser

        del namespace, option_string
        print(script(str(values), "semantic-scout", joined(parser, {"doctor": doctor_parser()})), end="")
        parser.exit()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 to 999999999")
    return int(text)


def _question(text: str) -> str:
    text = text.encode(errors="replace").decode().strip()  # the shell may pass bytes that are no text
    if not text:
        raise argparse.ArgumentTypeError("the question is empty: ask what breaks if you change something")
    return text


if __name__ == "__main__":
    sys.exit(main())
