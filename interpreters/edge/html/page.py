"""The page: what was asked and what limits the answer, the ranked places with their code, and how each was reached.

Everything that comes from the repository is escaped, and a policy in the page itself forbids whatever it does not bring
along: style and script are allowed by their hashes, and nothing else is loaded or run. Without its script the page
shows the same; the script only moves, filters and unfolds.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Final

from interpreters.edge.html.graph import graph, way_to
from interpreters.edge.printing import bar, printable
from interpreters.edge.shown import Shown
from interpreters.lsp.codebase import LINES_AROUND
from tidepool.domain import NodeContext, Pointer, ScoutResponse, Status, Step

STATUSES: Final[Mapping[Status, str]] = {
    Status.COMPLETE: "Everything that is known was looked at.",
    Status.PARTIAL: "Not everything was looked at: what is missing here may break all the same.",
    Status.NOT_FOUND: "No answer: what was asked about was not found.",
    Status.NOT_READY: "No answer: the codebase could not be looked at.",
    Status.UNSUPPORTED: "No answer: the language server cannot tell.",
}
"""What each status says to a person."""

UNFOLDED: Final = 3
"""Rows that are open at first: what ranks first is read first."""

_LIMITS: Final = "Not everything could be looked at: "

_KEYS: Final = {
    "j, k": "to the next place, to the one before",
    "Enter": "unfold a place, or fold it",
    "e": "unfold all, or fold all",
    "/": "filter by words",
    "Escape": "leave the filter",
    "?": "show or hide these keys",
}


def page(shown: Shown) -> str:
    """The page, in ASCII: what is not is written as references, so that it survives any encoding."""
    style, script = _asset("style.css"), _asset("page.js")
    policy = f"default-src 'none'; style-src {_allowed(style)}; script-src {_allowed(script)}; base-uri 'none'"
    title = shown.question or shown.response.summary.partition(".")[0]
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(title)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#places">To the places</a>
{_header(shown, title)}
<main>
{_places(shown)}
{_reached(shown.response)}
</main>
{_keys()}
<script>{script}</script>
</body>
</html>
"""
    return text.encode("ascii", "xmlcharrefreplace").decode()


def _asset(name: str) -> str:
    return files("interpreters.edge.html").joinpath(name).read_text("utf-8")


def _allowed(asset: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(asset.encode()).digest()).decode()}'"


def _text(text: str) -> str:
    """Text of anyone's as text of the page."""
    return escape(printable(text))


def _prose(text: str) -> str:
    """The same, with what stands between backticks as code."""
    parts = printable(text).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    return "".join(f"<code>{escape(part)}</code>" if at % 2 else escape(part) for at, part in enumerate(parts))


def _header(shown: Shown, title: str) -> str:
    response = shown.response
    summary, _, limits = response.summary.partition(_LIMITS)
    clauses = [clause for clause in limits.rstrip(".").split("; ") if clause]
    left = f"{response.frontier_left} known lines were not rated" if response.frontier_left else ""
    lacking = [f"<li>{_prose(text)}</li>" for text in (*clauses, left, *shown.notes) if text]
    lacks = f"<h2>What limits it</h2><ul>{''.join(lacking)}</ul>" if lacking else ""
    return f"""<header>
<h1>{_prose(title)}</h1>
<p class="summary">{_prose(summary.strip())}</p>
<section class="status {response.status.value}" aria-label="How far the answer goes">
<p><strong>{response.status.value.replace("_", " ")}</strong> {STATUSES[response.status]}</p>
{lacks}
</section>
</header>"""


def _places(shown: Shown) -> str:
    response = shown.response
    if not response.pointers:
        return '<section id="places" aria-labelledby="ranked"><h2 id="ranked">Places</h2><p>None.</p></section>'
    steps = {step.location: step for step in response.reached or ()}
    rows = "\n".join(
        _row(at, pointer, shown.nodes.get(pointer.location), steps) for at, pointer in enumerate(response.pointers, 1)
    )
    return f"""<section id="places" aria-labelledby="ranked">
<h2 id="ranked">Places, the likeliest to break first</h2>
<p class="filter" hidden><label for="words">Filter</label> <input id="words" type="search" autocomplete="off">
<output for="words"></output></p>
<ol>
{rows}
</ol>
</section>"""


def _row(at: int, pointer: Pointer, node: NodeContext | None, steps: Mapping[str, Step]) -> str:
    unfolded = " open" if at <= UNFOLDED else ""
    meter = f'<span class="risk r{pointer.risk}" aria-label="risk {pointer.risk} of 5">{bar(pointer.risk)}</span>'
    way = " ← ".join(f"{_text(step.location)} <small>{_text(step.relation)}</small>" for step in way_to(pointer, steps))
    return f"""<li><details id="place-{at}"{unfolded}><summary>{meter}
<span class="verdict {pointer.verdict.value}">{pointer.verdict.value}</span>
<span class="what">{_text(pointer.what)}</span> <span class="where">{_text(pointer.location)}</span></summary>
<p>{_prose(pointer.reasoning)}</p>
<p class="action">{_prose(pointer.action)}</p>
{_code(node) if node is not None else ""}
{f'<p class="way">{way}</p>' if way else ""}
</details></li>"""


def _code(node: NodeContext) -> str:
    """The lines around a place, the place itself marked."""
    first = max(1, node.line - LINES_AROUND)
    lines = "".join(
        _line(first + at, text, hit=first + at == node.line) for at, text in enumerate(node.snippet.split("\n"))
    )
    return f'<pre tabindex="0" aria-label="code around {_text(node.location)}"><code>{lines}</code></pre>'


def _line(number: int, text: str, *, hit: bool) -> str:
    shown = f'<span class="number">{number:>5}</span> {_text(text)}'
    return f"<mark>{shown}</mark>\n" if hit else f"{shown}\n"


def _reached(response: ScoutResponse) -> str:
    if not response.reached:
        return ""
    return f"""<section aria-labelledby="how">
<h2 id="how">How they were reached</h2>
<div class="graph" tabindex="0" role="group" aria-label="graph of the steps; it scrolls">{graph(response)}</div>
</section>"""


def _keys() -> str:
    def rows() -> Iterator[str]:
        for key, meaning in _KEYS.items():
            yield f"<dt><kbd>{escape(key)}</kbd></dt><dd>{escape(meaning)}</dd>"

    return f'<aside id="keys" aria-label="Keys" hidden><h2>Keys</h2><dl>{"".join(rows())}</dl></aside>'
