"""How many tokens an agent reads: the tool's listing, and an answer of twenty places.

    npm install --prefix FOLDER gpt-tokenizer
    python tests/benchmarks/tokens.py FOLDER

Counted in OpenAI's encoding o200k; other models' differ by a tenth or two.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import answer
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

COUNT = """
const { encode } = require("gpt-tokenizer");
let text = "";
process.stdin.on("data", (part) => (text += part)).on("end", () => console.log(encode(text).length));
"""
FIXTURE = Path(__file__).parent.parent / "fixtures" / "llmkind"


async def main(folder: Path) -> None:
    """Print the counts."""
    with tempfile.TemporaryDirectory() as copies:
        asked = [(FIXTURE, "What breaks if I add a variant to LLMKind?")]
        mypy = answer.sources(Path(copies))
        asked += [(mypy, question) for question in answer.QUESTIONS]
        for at, (root, question) in enumerate(asked):
            await count(folder, root, question, listing=at == 0)


async def count(folder: Path, root: Path, question: str, *, listing: bool) -> None:
    """Print how long an answer is."""
    scout = str(Path(sys.executable).with_name("semantic-scout"))
    async with Client(
        StdioServerParameters(command=scout, args=["--mcp", "--no-broker", "--root", str(root)])
    ) as client:
        if listing:
            (tool,) = (await client.list_tools()).tools
            listed = json.dumps(tool.model_dump(mode="json", by_alias=True, exclude_none=True))
            print(f"the tool's listing: {tokens(folder, listed)} tokens")
        said = await client.call_tool("scout", {"question": question, "budget": 20, "timeout_s": 120})
        text = getattr(said.content[0], "text", "")
        rows = len((said.structured_content or {})["pointers"])
        print(f"{question}\n  {rows} places: {tokens(folder, text)} tokens, {len(text)} characters")


def tokens(folder: Path, text: str) -> int:
    """How many tokens a text has."""
    return int(subprocess.check_output(["node", "-e", COUNT], input=text, cwd=folder, text=True))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
