"""Shell completion, made from the parsers of the commands.

A script holds all that there is to complete, so that a shell need not start Python for it. It knows three things: how
words lead to a subcommand, what follows a flag, and what else may stand there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeAlias, cast

import attrs

from interpreters.edge.keys import SETTINGS


@attrs.frozen
class Flag:
    """A flag of a command.

    Attributes:
        takes: whether a value follows it.
        choices: the values, where they can be listed.
        is_path: whether the value is a file or a folder.
    """

    name: str
    says: str
    takes: bool
    choices: tuple[str, ...] = ()
    is_path: bool = False


@attrs.frozen
class Words:
    """What may follow a command, or one of its subcommands: flags, and the words that lead on with what they mean."""

    flags: tuple[Flag, ...]
    onward: Mapping[str, str]


Tree: TypeAlias = Mapping[str, Words]
"""By the words that lead there, each with a space before it; "" for the command itself."""

_PLACES: Final = frozenset({"PATH", "FILE", "DIR", "[DIR]"})
"""What the value of a flag is called that is a file or a folder."""


def joined(parser: argparse.ArgumentParser, apart: Mapping[str, argparse.ArgumentParser]) -> Tree:
    """What a command completes.

    Args:
        apart: the subcommands that have parsers of their own, by name.
    """
    tree = _tree(parser)
    onward = {name: one.description or "" for name, one in apart.items()} | dict(tree[""].onward)
    tree[""] = attrs.evolve(tree[""], onward=onward)
    for name, one in apart.items():
        tree |= _tree(one, f" {name}")
    return tree


def script(shell: str, command: str, tree: Tree) -> str:
    """What a shell is to read so that it completes a command.

    Args:
        shell: one of `interpreters.edge.keys.SHELLS`.
    """
    function = f"_{command.replace('-', '_')}"
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](command, function, tree)


def _tree(parser: argparse.ArgumentParser, path: str = "") -> dict[str, Words]:
    below: dict[str, Words] = {}
    onward: dict[str, str] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            onward |= {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, one in action.choices.items():
                below |= _tree(cast("argparse.ArgumentParser", one), f"{path} {name}")
    return {path: Words(_flags(parser), onward), **below}


def _flags(parser: argparse.ArgumentParser) -> tuple[Flag, ...]:
    listed = {key.name: key.kind.choices for key in SETTINGS}
    return tuple(
        Flag(
            name,
            (action.help or "").partition(" (default")[0].replace("%(default)s", str(action.default)),
            takes=action.nargs not in {0, "?"},
            choices=tuple(map(str, action.choices or listed.get(action.dest, ()))),
            is_path=action.metavar in _PLACES or action.type is Path,
        )
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--")
    )


def _quoted(text: str) -> str:
    """A text as one word of any of the shells: what they would read in it is left out."""
    return "'" + "".join(" " if char in "'\\\n" else char for char in text) + "'"


def _cases(tree: Tree) -> Iterable[tuple[str, Flag]]:
    return ((path, flag) for path, words in tree.items() for flag in words.flags if flag.takes)


def _onward(tree: Tree) -> str:
    """A pattern of all the words that lead on."""
    return "|".join(_quoted(path) for path in tree if path) or "''"


def _listed(words: Words) -> str:
    return " ".join([*words.onward, *(flag.name for flag in words.flags)])


def _bash(command: str, function: str, tree: Tree) -> str:
    values = [_value_in_bash(path, flag) for path, flag in _cases(tree)]
    rest = [
        f'    {_quoted(path)}) COMPREPLY=($(compgen -W "{_listed(words)}" -- "$word")) ;;'
        for path, words in tree.items()
    ]
    return _BASH.format(
        function=function, command=command, onward=_onward(tree), values="\n".join(values), rest="\n".join(rest)
    )


def _value_in_bash(path: str, flag: Flag) -> str:
    asks = f'-W "{" ".join(flag.choices)}"' if flag.choices else "-f" if flag.is_path else None
    files = "compopt -o filenames 2>/dev/null; " if flag.is_path else ""
    doing = f'{files}COMPREPLY=($(compgen {asks} -- "$word")); return' if asks else "return"
    return f"    {_quoted(f'{path} {flag.name}')}) {doing} ;;"


def _zsh(command: str, function: str, tree: Tree) -> str:
    values = [_value_in_zsh(path, flag) for path, flag in _cases(tree)]
    rest = [f"    {_quoted(path)}) compadd -- {_listed(words)} ;;" for path, words in tree.items()]
    return _ZSH.format(
        function=function, command=command, onward=_onward(tree), values="\n".join(values), rest="\n".join(rest)
    )


def _value_in_zsh(path: str, flag: Flag) -> str:
    doing = f"compadd -- {' '.join(flag.choices)}; " if flag.choices else "_files; " if flag.is_path else ""
    return f"    {_quoted(f'{path} {flag.name}')}) {doing}return ;;"


def _fish(command: str, function: str, tree: Tree) -> str:
    lines: list[str] = [_FISH.format(function=function, onward=_onward(tree).replace("|", " "), command=command)]
    for path, words in tree.items():
        start = f'complete -c {command} -n "{function}_at {_quoted(path)}"'
        lines += [f"{start} -a {word} -d {_quoted(says)}" for word, says in words.onward.items()]
        lines += [f"{start} {_flag_in_fish(flag)}" for flag in words.flags]
    return "\n".join([*lines, ""])


def _flag_in_fish(flag: Flag) -> str:
    wants = [f"-l {flag.name.removeprefix('--')}", f"-d {_quoted(flag.says)}"]
    if flag.takes:
        wants.append("-r -F" if flag.is_path else "-x")
    if flag.choices:
        wants.append(f"-a {_quoted(' '.join(flag.choices))}")
    return " ".join(wants)


_BASH: Final = """\
# Completion of {command}.  Read it with:  source <({command} --completion bash)
{function}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} path="" index
  if [[ $word == "=" ]]; then
    word=""
  elif [[ $before == "=" && $COMP_CWORD -ge 2 ]]; then
    before=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$path ${{COMP_WORDS[index]}}" in
      {onward}) path="$path ${{COMP_WORDS[index]}}" ;;
    esac
  done
  COMPREPLY=()
  case "$path $before" in
{values}
  esac
  case "$path" in
{rest}
  esac
}}
complete -F {function} {command}
"""

_ZSH: Final = """\
#compdef {command}
# Completion of {command}.  Read it after compinit with:  source <({command} --completion zsh)
{function}() {{
  local before=${{words[CURRENT-1]}} line="" index
  if compset -P '--*='; then
    before=${{IPREFIX%=}}
  fi
  for ((index = 2; index < CURRENT; index++)); do
    case "$line ${{words[index]}}" in
      {onward}) line="$line ${{words[index]}}" ;;
    esac
  done
  case "$line $before" in
{values}
  esac
  case "$line" in
{rest}
  esac
}}
if [[ ${{funcstack[1]}} == {function} ]]; then
  {function} "$@"
else
  compdef {function} {command}
fi
"""

_FISH: Final = """\
# Completion of {command}.  Read it with:  {command} --completion fish | source
function {function}_at
    set -l line ""
    for word in (commandline -opc)[2..-1]
        if contains -- "$line $word" {onward}
            set line "$line $word"
        end
    end
    test "$line" = "$argv[1]"
end
complete -c {command} -f"""
