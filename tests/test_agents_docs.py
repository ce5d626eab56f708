"""What `docs/agents.md` has people paste is what the agents read, and starts a command that is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from markdown_it import MarkdownIt

from interpreters.edge.cli import _wrong, command_parser

PAGE: Final = Path(__file__).parents[1] / "docs" / "agents.md"
PARSERS: Final = {"json": json.loads, "toml": tomllib.loads}

TABLES: Final = {
    "Claude Code": ("mcpServers",),
    "Claude Desktop": ("mcpServers",),
    "Cursor": ("mcpServers",),
    "VS Code": ("servers",),
    "Codex": ("mcp_servers",),
    "Gemini CLI": ("mcpServers",),
    "Zed": ("context_servers",),
    "Windsurf": ("mcpServers",),
    "OpenCode": ("mcp", "servers"),
}
"""Where each agent looks for its servers."""


def sections() -> Iterator[tuple[str, str, str]]:
    """The fenced blocks with the heading that they stand below, and their language."""
    heading = ""
    tokens = MarkdownIt("commonmark").parse(PAGE.read_text(encoding="utf-8"))
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[at + 1].content
        elif token.type == "fence":
            yield heading, token.info.partition(" ")[0], token.content


def entry(agent: str) -> dict[str, Any]:
    """What the page says an agent is to be told of the server."""
    ((language, text),) = [(language, text) for at, language, text in sections() if at == agent and language in PARSERS]
    table: dict[str, Any] = PARSERS[language](text)
    for name in TABLES[agent]:
        table = table[name]
    found: dict[str, Any] = table["semantic-scout"]
    return found


def command(agent: str) -> list[str]:
    found = entry(agent)
    program = found["command"]
    return program if isinstance(program, list) else [program, *found["args"]]


def test_every_entry_of_the_page_is_looked_at() -> None:
    assert {at for at, language, _ in sections() if language in PARSERS} == set(TABLES)


@pytest.mark.parametrize("agent", TABLES)
def test_an_entry_starts_the_command_for_agents(agent: str) -> None:
    program, *words = command(agent)
    assert Path(sys.executable).with_name(program).exists()
    arguments = command_parser().parse_args(words)
    assert _wrong(arguments) == ""
    assert arguments.mcp
    assert len(arguments.root) == 1


def test_commands_shown_for_a_shell_are_ones_that_are_understood() -> None:
    shown = [text for _, language, text in sections() if language == "console"]
    words = [found.split() for text in shown for found in re.findall(r"semantic-scout (--mcp .*)", text)]
    assert len(words) == 2
    assert [_wrong(command_parser().parse_args(one)) for one in words] == ["", ""]


def test_an_entry_that_names_the_current_folder_serves_it(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("def price() -> int:\n    return 1\n")
    program, *words = command("Claude Code")
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "page", "version": "1"},
        },
    }
    with subprocess.Popen(
        [Path(sys.executable).with_name(program), *words],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as served:
        assert served.stdin is not None
        assert served.stdout is not None
        served.stdin.write(json.dumps(hello).encode() + b"\n")
        served.stdin.flush()
        answer = json.loads(served.stdout.readline())
        served.stdin.close()
        assert served.wait(30) == 0
    assert answer["result"]["capabilities"]["tools"] is not None


def test_the_paragraph_for_agents_names_the_tool_and_a_question_in_backticks() -> None:
    ((_, _, text),) = [one for one in sections() if "AGENTS.md" in one[0]]
    assert "`scout`" in text
    assert re.search(r"`\w+\.\w+`", text)
