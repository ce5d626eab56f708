"""What breaks if `LLMKind` gets a variant? Asked of semantic-scout and of two other tools, side by side, in one run.

    python tests/benchmarks/rivals.py --serena VENV --graph VENV

Each tool is in a virtual environment of its own (`docs/rivals.md` says how they are made) and is asked over its own MCP
server by the client of the official SDK, in the ways that its documentation offers for the question. Every run has a
fresh process, a fresh home and a fresh copy of the `llmkind` fixture, committed to git. The rounds are interleaved, so
that a noisy neighbour is everybody's, and each way's shortest times count. Nothing is fetched.

The first answer is timed from starting the process, with whatever the tool wants done before it can answer: a graph to
be built, a language server to be started. Then the same process is asked the same again, and then about `price`.

What counts as named is the same for all. A line, or the name of a definition, stands for the statement at the top of
its module that holds it: a function, a class, a table, an import. However many lines of it an answer names, it is named
once. A file without a line or a name counts as named too, and is never one of the needed places. The definition that is
to be changed does not count.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple, TextIO

import psutil
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult
from rival_tools import KINDS, Call, Spot, Way, ways

FIXTURE: Final = Path(__file__).parents[1] / "fixtures" / "llmkind"
LIMIT_S: Final = 120.0
"""For one process, from its start to its last answer."""

ENDING_S: Final = 10.0
"""For whatever a server has started, to end after it."""

MARK: Final = "TIDEPOOL_BENCHMARK_RUN"
"""The environment variable by which a process that outlives its server is found."""

Statement = tuple[str, int | None]
"""A file below the root, and the first line of a statement at the top of it."""

NEEDED: Final[Mapping[str, tuple[Spot, ...]]] = {
    "price": (("llmapp/pricing.py", "price"),),
    "context_window": (("llmapp/pricing.py", "context_window"),),
    "CLIENTS": (("llmapp/registry.py", "CLIENTS"),),
    "_CODES": (("llmapp/wire.py", "_CODES"), ("llmapp/wire.py", "encode")),  # where the look-up fails
    "KindName": ((KINDS, "KindName"),),
    "test_all_priced": (("llmapp/tests/test_pricing.py", "test_all_priced"),),
    "test_codes": (("llmapp/tests/test_pricing.py", "test_codes"),),
}
"""The places that need attention: the statement that is to be edited, and others that are as good as it."""

CHANGED: Final[Spot] = (KINDS, "LLMKind")


class Run(NamedTuple):
    """What one process took, in seconds, and said."""

    first_s: float
    again_s: float
    other_s: float
    named: tuple[Statement, ...]
    characters: int
    said: str  # in answer to the question
    absent: str  # to one about what is not there
    tools: int
    listing: int  # characters
    left: int  # processes that outlived the server


def main() -> int:
    """Ask every tool in every way, and print the tables."""
    arguments = _arguments()
    venvs = {"semantic-scout": arguments.scout, "serena-agent": arguments.serena, "code-review-graph": arguments.graph}
    asked = [way for way in ways() if venvs[_package(way)] is not None]
    runs: dict[str, list[Run]] = {_label(way): [] for way in asked}
    for _ in range(arguments.runs):
        for way in asked:
            runs[_label(way)].append(_run(way, venvs[_package(way)]))
    _print_versions({name: venv for name, venv in venvs.items() if venv is not None})
    _print_places(runs)
    _print_absent(runs)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    here = Path(sys.prefix)
    for name, default in (("scout", here), ("serena", None), ("graph", None)):
        parser.add_argument(f"--{name}", metavar="VENV", type=_venv, default=default)
    parser.add_argument("--runs", metavar="N", type=int, default=5, help="processes for each way (default: 5)")
    return parser.parse_args()


def _venv(text: str) -> Path:
    venv = Path(text).absolute()
    if not (venv / "bin" / "python").exists():
        raise argparse.ArgumentTypeError(f"{text} is no virtual environment: make one as docs/rivals.md says")
    return venv


def _package(way: Way) -> str:
    return way.tool.partition(",")[0]


def _label(way: Way) -> str:
    return f"{way.tool} | {way.asks}"


def _run(way: Way, venv: Path) -> Run:
    """Ask in a fresh process, and end whatever it leaves."""
    with tempfile.TemporaryDirectory(prefix="rivals") as name, Path(os.devnull).open("w") as nowhere:
        folder = Path(name).resolve()
        root, home = folder / "project", folder / "home"  # no word of a question, which a search would find
        _copy(root)
        _write(way, home, venv)
        program, *words = (word.format(root=root) for word in way.command)
        mark = uuid.uuid4().hex
        environment = {**way.environment, "HOME": str(home), "XDG_RUNTIME_DIR": str(home), MARK: mark}
        server = StdioServerParameters(command=f"{venv}/bin/{program}", args=words, env=environment, cwd=root)
        try:
            run = asyncio.run(_ask(way, server, root, nowhere))
            return run._replace(left=_left(mark))
        finally:
            _end(_marked(mark))


async def _ask(way: Way, server: StdioServerParameters, root: Path, errors: TextIO) -> Run:
    async def call(one: Call) -> CallToolResult:
        tool, arguments = one
        return await client.call_tool(tool, json.loads(json.dumps(arguments).replace("{root}", str(root))))

    async with asyncio.timeout(LIMIT_S):
        started = perf_counter()
        async with Client(stdio_client(server, errlog=errors)) as client:
            for one in way.first:
                await call(one)
            answer = await call(way.variant)
            first_s = perf_counter() - started
            again_s = await _seconds(call(way.variant))
            other_s = await _seconds(call(way.price))
            absent = await call(way.absent)
            listed = (await client.list_tools()).tools
    assert not answer.is_error, _text(answer)
    named = _named(way.read(answer.structured_content, root), root)
    return Run(
        first_s,
        again_s,
        other_s,
        named,
        characters=len(_text(answer)),
        said=_said(answer, root),
        absent=_said(absent, root),
        tools=len(listed),
        listing=sum(len(tool.model_dump_json(by_alias=True, exclude_none=True)) for tool in listed),
        left=0,
    )


async def _seconds(calling: Awaitable[object]) -> float:
    started = perf_counter()
    await calling
    return perf_counter() - started


def _text(answer: CallToolResult) -> str:
    return "\n".join(block.text for block in answer.content if block.type == "text")


def _said(answer: CallToolResult, root: Path) -> str:
    """What a person would read first of an answer: its summary and its word on what it is worth, or all of it."""
    told = answer.structured_content or {}
    words = [str(told[name]) for name in ("error", "status", "summary", "confidence") if told.get(name)]
    said = " · ".join(words) if words else _text(answer)
    return ("error: " if answer.is_error else "") + " ".join(said.replace(f"{root}/", "").split())


def _named(spots: Iterable[Spot], root: Path) -> tuple[Statement, ...]:
    """The statements that an answer names, each once, in its order."""
    statements = dict.fromkeys(_statement(spot, root) for spot in spots)
    return tuple(statement for statement in statements if statement != _statement(CHANGED, root))


def _statement(spot: Spot, root: Path) -> Statement:
    file, at = spot
    if at is None:
        return file, None
    for statement in ast.parse((root / file).read_bytes()).body:
        if at in _names(statement) or (isinstance(at, int) and statement.lineno <= at <= (statement.end_lineno or at)):
            return file, statement.lineno
    raise LookupError(f"{file} holds no statement at {at}")


def _names(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _found(named: Iterable[Statement]) -> dict[str, bool]:
    """The needed places among the named ones; for each, whether it is named where the edit goes."""
    among = set(named)
    places = {place: [_statement(spot, FIXTURE) for spot in spots] for place, spots in NEEDED.items()}
    return {place: spots[0] in among for place, spots in places.items() if not among.isdisjoint(spots)}


def _copy(root: Path) -> None:
    shutil.copytree(FIXTURE, root, ignore=shutil.ignore_patterns("__pycache__"))
    for words in ("init --quiet", "add --all", "-c user.name=a -c user.email=a@b.c commit --quiet --message first"):
        subprocess.run(["git", *words.split()], cwd=root, check=True)


def _write(way: Way, home: Path, venv: Path) -> None:
    home.mkdir(mode=0o700)
    for name, text in way.files.items():
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{venv}", str(venv)))


def _left(mark: str) -> int:
    """How many processes of a run outlive its server by some seconds."""
    return len(psutil.wait_procs(list(_marked(mark)), timeout=ENDING_S)[1])


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                yield process
        except psutil.Error:  # ended meanwhile, or another user's
            continue


def _end(processes: Iterable[psutil.Process]) -> None:
    ended = list(processes)
    for process in ended:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(ended, timeout=ENDING_S)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _print_versions(venvs: Mapping[str, Path]) -> None:
    for package, venv in venvs.items():
        look = f"from importlib.metadata import version; print(version({package!r}))"
        print(package, subprocess.check_output([venv / "bin" / "python", "-c", look], text=True).strip())


HEAD: Final = (
    "tool|asked|found|named|found in its first 7|first answer|again|another|characters|tools, characters|left".split(
        "|"
    )
)


def _print_places(runs: Mapping[str, list[Run]]) -> None:
    """The table; what stands behind a number of seconds is how many times the first row's it is."""
    ours = None
    print("", f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|", sep="\n")
    for label, ran in runs.items():
        named = ran[0].named
        assert all(run.named == named for run in ran), f"{label} did not always name the same"
        best_s = [min(times) for times in zip(*(run[:3] for run in ran), strict=True)]
        ours = ours or best_s
        cells = [
            f"{len(_found(named))} of {len(NEEDED)}",
            str(len(named)),
            str(len(_found(named[: len(NEEDED)]))),
            *(f"{time_s:.2f} s ({time_s / our_s:.1f})" for time_s, our_s in zip(best_s, ours, strict=True)),
            str(ran[0].characters),
            f"{ran[0].tools}, {ran[0].listing}",
            str(max(run.left for run in ran)),
        ]
        print(f"| {label} | {' | '.join(cells)} |")
    print()
    for label, ran in runs.items():
        found = _found(ran[0].named)
        missed = ", ".join(place for place in NEEDED if place not in found) or "nothing"
        beside = "".join(f"; {place} by where it fails only" for place, edited in found.items() if not edited)
        said = "" if found else f", and says: {ran[0].said[:400]}"
        print(f"{label.replace(' | ', ', ')} misses {missed}{beside}{said}")


def _print_absent(runs: Mapping[str, list[Run]]) -> None:
    print("\nasked about what is not there:")
    for label, ran in runs.items():
        print(f"{label.replace(' | ', ', ')}: {ran[0].absent[:400]}")


if __name__ == "__main__":
    sys.exit(main())
