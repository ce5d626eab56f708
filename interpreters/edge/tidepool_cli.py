"""The `tidepool` command: a table of subcommands. What each does is in a module of its own, imported when it is run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from interpreters.edge.keys import SHELLS

DESCRIPTION: Final = (
    "What semantic-scout is made of: its configuration, its scorers behind HTTP, how good its answers are."
)
EXIT_CODES: Final = """\
exit codes:
  0 done    2 wrong usage, or a setting that cannot be used    3 no case could be made
  4 the language server failed    5 the scorer could not be started, or failed
"""


class Command(NamedTuple):
    """A subcommand: what it is for, its flags, and what it does with them."""

    purpose: str
    examples: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and answer its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        if words[:1] == ["dataset"]:
            return _dataset(words[1:])
        if words[:1] == ["train"]:
            return _train(words[1:])
        arguments = command_parser().parse_args(words)
        return COMMANDS[arguments.command].run(arguments)
    except KeyboardInterrupt:  # before the command was set up to end in order
        return 130


def command_parser() -> argparse.ArgumentParser:
    """The flags of every subcommand that is parsed here."""
    parser = argparse.ArgumentParser(
        "tidepool",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parser.add_argument("--completion", action=_Completion, choices=SHELLS, help="print the shell's completion script")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    subparsers.add_parser("dataset", help="make, check and correct sets of training examples")  # parsed apart
    subparsers.add_parser("train", help="train scorers on such sets")
    for name, command in COMMANDS.items():
        one = subparsers.add_parser(
            name,
            help=command.purpose,
            description=f"{command.purpose[0].upper()}{command.purpose[1:]}.",
            epilog=f"examples:\n{command.examples}\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_flags(one)
    return parser


def _dataset(words: Sequence[str]) -> int:
    from interpreters.edge.dataset.cli import main

    return main(words)


def _train(words: Sequence[str]) -> int:
    from interpreters.edge.training.cli import main

    return main(words)


def _brokers_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stop", action="store_true", help="end them, with their language servers")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: %(default)s)")


def _brokers(arguments: argparse.Namespace) -> int:
    from interpreters.edge.warm.listing import brokers

    return brokers(os.environ, stop=arguments.stop, form=arguments.format)


def _serve_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--scorer", metavar="NAME", help="what rates the nodes (default: the one that is configured, or heuristic)")
    add("--model", metavar="DIR", type=Path, help="the model's folder, for --scorer functiongemma")
    add("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    add("--port", type=_number(0, 65535), default=8377, help="0 for any that is free (default: %(default)s)")
    add("--token-file", metavar="PATH", type=Path, help="holds what clients send as `Authorization: Bearer TOKEN`")
    add("--allow-anyone", action="store_true", help="listen on more than loopback without a token")
    add(
        "--requests",
        metavar="N",
        type=_number(1, 10_000),
        default=64,
        help="answered at the same time; more are told to come back (default: %(default)s)",
    )
    add(
        "--drain-timeout",
        metavar="SECONDS",
        type=_number(1, 3600),
        default=30,
        help="for what is being answered when it is told to stop (default: %(default)s)",
    )


def _serve(arguments: argparse.Namespace) -> int:
    from interpreters.edge.serve import Serving, serve

    return serve(
        Serving(
            scorer=arguments.scorer,
            model=arguments.model,
            host=arguments.host,
            port=arguments.port,
            token_file=arguments.token_file,
            allow_anyone=arguments.allow_anyone,
            drain_timeout_s=arguments.drain_timeout,
            requests=arguments.requests,
        ),
        os.environ,
    )


def _config_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", metavar="PATH", type=Path, default=Path(), help="the codebase (default: this folder)")


def _config(arguments: argparse.Namespace) -> int:
    from interpreters.edge.config import shadowed
    from interpreters.edge.overview import overview
    from interpreters.edge.settings import read_settings
    from tidepool.errors import ConfigError

    try:
        if not arguments.root.is_dir():
            raise ConfigError(f"{arguments.root} is no folder: name one with --root")
        settings = read_settings(arguments.root, os.environ, {})
    except ConfigError as error:
        print(f"tidepool config: {error}", file=sys.stderr)
        return 2
    for note in (*settings.notes, *shadowed()):
        print(f"tidepool config: {note}", file=sys.stderr)
    print(overview(settings), end="")
    return 0


def _cases_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--root", metavar="PATH", type=Path, action="append", required=True, help="a codebase; may be repeated")
    add("--out", metavar="FILE", type=Path, required=True, help="the file to write, in JSON lines")
    add(
        "--per-kind",
        metavar="N",
        type=_number(1, 10_000),
        default=2,
        help="cases of each kind of change, in each codebase, at most (default: %(default)s)",
    )
    add(
        "--kind",
        metavar="KIND",
        action="append",
        help="a kind of change, such as rename; may be repeated (default: all)",
    )
    add("--seed", metavar="S", type=_number(0, 999_999_999), default=0, help="chooses the cases (default: %(default)s)")
    add("--python", metavar="PATH", type=Path, help="the interpreter or environment that imports come from")


def _cases(arguments: argparse.Namespace) -> int:
    from interpreters.edge.cases import Wanted, kinds_of, make_cases
    from tidepool.errors import ConfigError

    try:
        kinds = kinds_of(arguments.kind)
    except ConfigError as error:
        print(f"tidepool cases: {error}", file=sys.stderr)
        return 2
    return make_cases(
        Wanted(
            roots=tuple(arguments.root),
            per_kind=arguments.per_kind,
            seed=arguments.seed,
            kinds=kinds,
            python=arguments.python,
            out=arguments.out,
        )
    )


def _evaluate_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--cases", metavar="FILE", type=Path, help="what `tidepool cases` wrote")
    data.add_argument(
        "--examples", metavar="DIR", type=Path, help="a dataset: scorers are compared with its labels, place by place"
    )
    add("--split", choices=("train", "validation", "test"), help="of the dataset (default: test)")
    add(
        "--scorer",
        metavar="NAME",
        action="append",
        help="what rates the places; may be repeated (default: the one that is configured, or heuristic)",
    )
    add("--against", metavar="NAME", help="compare the others with this one (default: the first scorer)")
    add(
        "--budget",
        metavar="N",
        type=_number(0, 999_999_999),
        help="how many places may be rated (default: as configured)",
    )
    add(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="make the change in memory and ask a checker what newly fails (default: as configured)",
    )
    add("--python", metavar="PATH", type=Path, help="the interpreter or environment that imports come from")
    add("--format", choices=("table", "json"), default="table", help="how to print the result (default: %(default)s)")
    add("--details", metavar="FILE", type=Path, help="also write what each answer missed, case by case")
    add("--plot", metavar="FILE", type=Path, help="also draw how far confidences can be relied on, as SVG")


OF_CASES: Final = ("budget", "verify", "python", "details")
"""The flags of `tidepool evaluate` that are about explorations."""


def _evaluate(arguments: argparse.Namespace) -> int:
    if arguments.examples is not None:
        return _evaluate_examples(arguments)
    if arguments.split is not None:
        return _misused("evaluate", "--split is of a dataset: name it with --examples")
    from interpreters.edge.evaluate import Evaluation, evaluate

    return evaluate(
        Evaluation(
            cases=arguments.cases,
            scorers=tuple(arguments.scorer or ()),
            budget=arguments.budget,
            verify=arguments.verify,
            python=arguments.python,
            form=arguments.format,
            details=arguments.details,
            against=arguments.against,
            plot=arguments.plot,
        )
    )


def _evaluate_examples(arguments: argparse.Namespace) -> int:
    from interpreters.edge.labelled import Labelled, evaluate_labelled

    for name in OF_CASES:
        if getattr(arguments, name) is not None:
            return _misused("evaluate", f"--{name} is about explorations: it does not go with --examples")
    return evaluate_labelled(
        Labelled(
            folder=arguments.examples,
            split=arguments.split or "test",
            scorers=tuple(arguments.scorer or ()),
            form=arguments.format,
            against=arguments.against,
            plot=arguments.plot,
        )
    )


def _misused(command: str, why: str) -> int:
    print(f"tidepool {command}: {why}", file=sys.stderr)
    return 2


COMMANDS: Final[dict[str, Command]] = {
    "brokers": Command(
        "show the language servers that are kept running, or end them",
        "  tidepool brokers\n  tidepool brokers --stop\n",
        _brokers_flags,
        _brokers,
    ),
    "cases": Command(
        "make cases from typed codebases: questions with the places that two checkers see break",
        "  tidepool cases --root ../shop --root ../bank --per-kind 3 --out cases.jsonl\n"
        "  tidepool cases --root ../shop --kind rename --kind remove --seed 7 --out cases.jsonl\n",
        _cases_flags,
        _cases,
    ),
    "config": Command(
        "show what is configured, and where each value was said",
        "  tidepool config\n  tidepool config --root ../shop\n",
        _config_flags,
        _config,
    ),
    "evaluate": Command(
        "measure how good answers are, against cases, with two baselines beside it",
        "  tidepool evaluate --cases cases.jsonl\n"
        "  tidepool evaluate --cases cases.jsonl --scorer heuristic --scorer learned --no-verify --plot plot.svg\n"
        "  tidepool evaluate --examples data --split test --scorer heuristic --scorer learned --format json\n",
        _evaluate_flags,
        _evaluate,
    ),
    "serve": Command(
        "rate nodes for other programs, over HTTP",
        "  tidepool serve\n"
        "  tidepool serve --scorer hybrid --port 0\n"
        "  tidepool serve --scorer functiongemma --model ../functiongemma\n"
        "  TIDEPOOL_TOKEN=... tidepool serve --host 0.0.0.0\n",
        _serve_flags,
        _serve,
    ),
}


class _Version(argparse.Action):
    """Prints the version; reads it only when asked, since that takes longer than the rest of `--help`."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version

        print("tidepool", version("semantic-scout"))
        parser.exit()


class _Completion(argparse.Action):
    """Prints what a shell is to read, so that it completes this command."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: object, option_string: str | None = None
    ) -> None:
        from interpreters.edge.completion import joined, script
        from interpreters.edge.dataset import cli as dataset
        from interpreters.edge.training import cli as training

        del namespace, option_string
        apart = {
            "dataset": dataset.verbs_parser(tuple(dataset.VERBS)),
            "train": training.verbs_parser(tuple(training.VERBS)),
        }
        print(script(str(values), "tidepool", joined(parser, apart)), end="")
        parser.exit()


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


if __name__ == "__main__":
    sys.exit(main())
