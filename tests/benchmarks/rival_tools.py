"""How each tool of `rivals.py` is started and asked, and how the places that its answer names are read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

KINDS: Final = "llmapp/kinds.py"

Spot = tuple[str, int | str | None]
"""A file below the root, and a line from 1, or the name of a definition at the top of it, or nothing."""

Call = tuple[str, dict[str, Any]]
"""A tool and its arguments; `{root}` in a text stands for the codebase, as it does in a command."""


class Way(NamedTuple):
    """A way of asking a tool: how its server is started, and what is called for each of three questions.

    The words of `command` are the program's, below the tool's virtual environment, first. `files` are written below a
    fresh home, `{venv}` in them standing for that environment. `first` is called once, before anything is asked.
    """

    tool: str
    asks: str
    command: tuple[str, ...]
    variant: Call
    price: Call
    absent: Call
    read: Callable[[Any, Path], Iterator[Spot]]
    first: tuple[Call, ...] = ()
    environment: Mapping[str, str] = {}
    files: Mapping[str, str] = {}


def ways() -> tuple[Way, ...]:
    """Every tool in every way, the one that its documentation offers for the question before the others."""
    return (
        _scout(),
        *_serena("python", "pyright-langserver", "pyright"),
        _serena("python_ty", "ty", "ty")[0],
        *_graph(),
    )


def _scout() -> Way:
    def asked(text: str) -> Call:
        return "scout", {"question": f"What breaks if I add {text}?"}

    return Way(
        tool="semantic-scout",
        asks="`scout`",
        command=("semantic-scout", "--mcp", "--root", "{root}"),
        variant=asked("a variant to LLMKind"),
        price=asked("a required parameter to price"),
        absent=asked("a variant to LLMSort"),
        read=_pointers,
    )


def _pointers(answer: Any, _root: Path) -> Iterator[Spot]:
    for pointer in answer["pointers"]:
        file, _, line = pointer["location"].rpartition(":")
        yield file, int(line)


def _serena(language: str, server: str, called: str) -> tuple[Way, ...]:
    """References through a language server, of the class and of one of its variants, and a search for text."""
    config = {
        "agent_interface": "tools",  # one MCP tool an operation; by default a model writes Python that calls the same
        "web_dashboard": False,
        "gui_log_window": False,
        "ls_priorities": {"python": 0, language: 3},
        "ls_specific_settings": {language: {"ls_path": f"{{venv}}/bin/{server}"}},
        "projects": [],
    }
    usual = Way(
        tool=f"serena-agent, {called}",
        asks="`find_referencing_symbols` of the enum",
        command=("serena", "start-mcp-server", "--context", "ide", "--project", "{root}"),
        variant=_references("LLMKind", KINDS),
        price=_references("price", "llmapp/pricing.py"),
        absent=_references("LLMSort", KINDS),
        read=_marked_lines,
        environment={"SERENA_USAGE_REPORTING": "false", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        files={".serena/serena_config.yml": json.dumps(config)},  # which is YAML too
    )
    return (
        usual,
        usual._replace(
            asks="`find_referencing_symbols` of a sibling, `GEMINI`", variant=_references("LLMKind/GEMINI", KINDS)
        ),
        usual._replace(
            asks="`search_for_pattern` for `LLMKind\\|gemini`",
            variant=_pattern("LLMKind|gemini"),
            price=_pattern("price"),
            absent=_pattern("LLMSort"),
        ),
    )


def _references(name: str, file: str) -> Call:
    return "find_referencing_symbols", {"name_path": name, "relative_path": file}


def _pattern(pattern: str) -> Call:
    return "search_for_pattern", {"substring_pattern": pattern}


_MARKED: Final = re.compile(r" +> +(\d+):")


def _marked_lines(answer: Any, _root: Path) -> Iterator[Spot]:
    """The lines it marks in the code it quotes; it counts them from 0."""
    for file, found in json.loads(answer["result"]).items():
        for line in _MARKED.findall(json.dumps(found)):
            yield file, int(line) + 1


def _graph() -> tuple[Way, ...]:
    """The blast radius of the file, what refers to the enum, everything near it, and what is found by its name."""
    radius = Way(
        tool="code-review-graph",
        asks="`get_impact_radius_tool` of the file",
        command=("code-review-graph", "serve", "--repo", "{root}"),
        first=(("build_or_update_graph_tool", {}),),
        variant=_changed(KINDS),
        price=_changed("llmapp/pricing.py"),
        absent=_changed("llmapp/sorts.py"),
        read=_nodes,
    )
    return (
        radius,
        radius._replace(
            asks="`query_graph_tool`, `references_to` the enum",
            variant=_refer_to(f"{KINDS}::LLMKind"),
            price=_refer_to("llmapp/pricing.py::price"),
            absent=_refer_to(f"{KINDS}::LLMSort"),
        ),
        radius._replace(
            asks="`traverse_graph_tool` from the enum",
            variant=("traverse_graph_tool", {"query": "LLMKind"}),
            price=("traverse_graph_tool", {"query": "price"}),
            absent=("traverse_graph_tool", {"query": "LLMSort"}),
        ),
        radius._replace(
            asks="`semantic_search_nodes_tool` for its name",
            variant=("semantic_search_nodes_tool", {"query": "LLMKind"}),
            price=("semantic_search_nodes_tool", {"query": "price"}),
            absent=("semantic_search_nodes_tool", {"query": "LLMSort"}),
        ),
    )


def _changed(file: str) -> Call:
    return "get_impact_radius_tool", {"changed_files": [file]}


def _refer_to(name: str) -> Call:
    return "query_graph_tool", {"pattern": "references_to", "target": f"{{root}}/{name}"}


def _nodes(answer: Any, root: Path) -> Iterator[Spot]:
    """The nodes it lists as found; what connects them names files and lines of imports only, and is left out."""
    for listed in ("impacted_nodes", "results", "traversal"):
        for node in answer.get(listed, ()):
            file, _, name = node["qualified_name"].partition("::")
            yield Path(file).relative_to(root).as_posix(), name or None
