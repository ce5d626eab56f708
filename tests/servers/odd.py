"""A small language server that does one thing wrong: `python odd.py MODE [ARGUMENT]...`; see `MODES`.

In everything else it is right: it greets, finds a definition `landmark` at the top of `code.py`, hovers with the
number of requests it has had, and ends when it is told to. What it was sent it writes to the file `$ODD_LOG`, if any.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]
OFFERED = ("definition", "references", "hover", "documentSymbol", "implementation", "typeHierarchy", "callHierarchy")
NOWHERE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 8}}


def read() -> Message:
    length = 0
    while (header := sys.stdin.buffer.readline()).strip():
        if header.lower().startswith(b"content-length:"):
            length = int(header.split(b":")[1])
    if not header:
        sys.exit(0)
    message: Message = json.loads(sys.stdin.buffer.read(length))
    if log := os.environ.get("ODD_LOG"):
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
    return message


def write_raw(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write(message: Message) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    write_raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def right(message: Message, count: int) -> None:
    """Answer as a language server should."""
    method, params = message.get("method"), message.get("params", {})
    if method == "exit":
        sys.exit(0)
    if "id" not in message or method is None:
        return
    if method == "initialize":
        provided = {f"{name}Provider": True for name in (*OFFERED, "workspaceSymbol")}
        encoding = params["capabilities"]["general"]["positionEncodings"][0]
        checks = {"identifier": "odd", "interFileDependencies": True, "workspaceDiagnostics": True}
        result: Any = {"capabilities": {**provided, "positionEncoding": encoding, "diagnosticProvider": checks}}
        root[:] = [params["rootUri"]]
    elif method == "workspace/symbol":
        location = {"uri": f"{root[0]}/code.py", "range": NOWHERE}
        result = [{"name": "landmark", "kind": 12, "location": location}] if params["query"] in "landmark" else []
    elif method == "textDocument/hover":
        result = {"contents": {"kind": "plaintext", "value": str(count)}}
    elif method == "textDocument/diagnostic":
        result = {"kind": "full", "items": []}
    elif method == "workspace/diagnostic":
        result = {"items": []}
    else:
        result = None
    write({"id": message["id"], "result": result})


root: list[str] = []


def serve(odd: Callable[[Message, int], bool] = lambda message, count: False) -> None:
    """Answer rightly whatever `odd` does not answer; it is given each message and how many came before it."""
    count = 0
    while True:
        message = read()
        if not odd(message, count):
            right(message, count)
        count += 1


def forever() -> None:
    while True:
        time.sleep(1)


def mute() -> None:
    """Read everything, answer nothing."""
    while True:
        read()


def deaf(*methods: str) -> None:
    """Do not answer these methods."""
    serve(lambda message, count: message.get("method") in methods)


def exits(status: str, *words: str) -> None:
    """End at once, with a word on standard error."""
    sys.stderr.write(" ".join(words))
    sys.exit(int(status))


def crashes(method: str, mark: str = "") -> None:
    """End without a farewell when asked this; with a mark, only until that file exists."""

    def odd(message: Message, _: int) -> bool:
        if message.get("method") == method and not (mark and Path(mark).exists()):
            if mark:
                Path(mark).touch()
            sys.stderr.write("\x1b[31mthread 'main' panicked\x1b[0m\x07 at\tline 7\n")
            sys.stderr.flush()
            os._exit(101)
        return False

    serve(odd)


def says(method: str, what: str) -> None:
    """Answer this method with these bytes instead; `{id}` in them is the request's."""

    def odd(message: Message, _: int) -> bool:
        if message.get("method") == method:
            text = what.encode().decode("unicode_escape").replace("{id}", json.dumps(message.get("id")))
            write_raw(text.encode("latin-1"))
            return True
        return False

    serve(odd)


def answers(method: str, result: str) -> None:
    """Answer this method with this result, or refuse it with `{"refused": error}`."""

    def odd(message: Message, _: int) -> bool:
        if message.get("method") != method or "id" not in message:
            return False
        value = json.loads(result.replace("ROOT", root[0] if root else ""))
        refused = isinstance(value, dict) and "refused" in value
        write({"id": message["id"], **({"error": value["refused"]} if refused else {"result": value})})
        return True

    serve(odd)


def postpones(method: str, times: str) -> None:
    """Put this method off so many times before each answer."""
    seen: list[Any] = []

    def odd(message: Message, _: int) -> bool:
        if message.get("method") != method:
            return False
        seen.append(message)
        if len(seen) % (int(times) + 1):
            write({"id": message["id"], "error": {"code": -32801, "message": "content modified"}})
            return True
        return False

    serve(odd)


def floods(megabytes: str) -> None:
    """Write so much to standard error before each answer."""

    def odd(message: Message, _: int) -> bool:
        for _ in range(int(megabytes) * 16 if "id" in message else 0):
            sys.stderr.buffer.write(b"x" * 65535 + b"\n")
        sys.stderr.flush()
        return False

    serve(odd)


def closes(method: str) -> None:
    """When asked this, close standard output and live on."""

    def odd(message: Message, _: int) -> bool:
        if message.get("method") == method:
            os.close(1)
            forever()
        return False

    serve(odd)


def clings(method: str = "") -> None:
    """Start processes that hold on to all pipes and heed no signal, one of them in a group of its own."""
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    for group in (None, 0):
        subprocess.Popen([sys.executable, "-c", stubborn], process_group=group)
    crashes(method)


def stays() -> None:
    """Heed neither `exit` nor the end of standard input nor any signal that can be ignored."""
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)

    def odd(message: Message, _: int) -> bool:
        if message.get("method") == "exit":
            forever()
        return False

    serve(odd)


def reads(seconds: str, names: str) -> None:
    """Know nothing at first, then `landmark`, and after some seconds everything; announce the work."""
    began = time.monotonic()

    def odd(message: Message, count: int) -> bool:
        if message.get("method") == "initialized":
            write({"id": "server-1", "method": "window/workDoneProgress/create", "params": {"token": 1}})
            write({"method": "$/progress", "params": {"token": 1, "value": {"kind": "begin", "title": "reading"}}})
        if message.get("method") != "workspace/symbol":
            return False
        done = time.monotonic() - began > float(seconds)
        if done and not finished:
            finished.append(count)
            write({"method": "$/progress", "params": {"token": 1, "value": {"kind": "end"}}})
        found = [name for name in ("landmark", *names.split(",")) if message["params"]["query"] == name]
        location = {"uri": f"{root[0]}/code.py", "range": NOWHERE}
        known = found if done or (found == ["landmark"] and time.monotonic() - began > float(seconds) / 2) else []
        write({"id": message["id"], "result": [{"name": name, "kind": 12, "location": location} for name in known]})
        return True

    finished: list[int] = []
    serve(odd)


def asks() -> None:
    """Ask the client everything that a server may; hover with what it answered."""
    questions = [
        ("workspace/configuration", {"items": [{"section": "odd.depth"}, {"section": "none.such"}, {}]}),
        ("client/registerCapability", {"registrations": [{"id": "1", "method": "textDocument/declaration"}]}),
        ("client/unregisterCapability", {"unregisterations": []}),
        ("window/workDoneProgress/create", {"token": "t"}),
        ("window/showMessageRequest", {"type": 1, "message": "Oh\x1b[1m no", "actions": [{"title": "Retry"}]}),
        ("workspace/diagnostic/refresh", None),
        ("workspace/applyEdit", {"edit": {}}),
        ("odd/unheard-of", {"x": 1}),
        ("workspace/configuration", {"items": 7}),
    ]
    answered: dict[str, Any] = {}
    waiting: list[Any] = []

    def odd(message: Message, _: int) -> bool:
        if message.get("method") == "initialized":
            for number, (method, params) in enumerate(questions, 1):
                write({"id": number, "method": method, "params": params})
            write({"method": "odd/notice", "params": None})
            write({"method": "$/cancelRequest", "params": {"id": 1}})
            write({"method": "window/logMessage", "params": {"type": 4, "message": "psst"}})
        elif "method" not in message:
            error = message.get("error")
            answered[str(message["id"])] = {"error": error["code"]} if error else message.get("result")
        elif message["method"] == "textDocument/hover":
            waiting.append(message["id"])
        else:
            return False
        while waiting and len(answered) == len(questions):
            write({"id": waiting.pop(), "result": {"contents": json.dumps(answered)}})
        return True

    serve(odd)


def counts() -> None:
    """Hover only when as many hovers wait as the first one's line says, and then with the most that waited."""
    waiting: list[Any] = []

    def odd(message: Message, _: int) -> bool:
        if message.get("method") != "textDocument/hover":
            return False
        waiting.append(message["id"])
        if len(waiting) == message["params"]["position"]["line"]:
            for one in waiting:
                write({"id": one, "result": {"contents": str(len(waiting))}})
            waiting.clear()
        return True

    serve(odd)


def places(number: str) -> None:
    """Find mentions in the first so many lines of `code.py`, the last line first."""

    def odd(message: Message, _: int) -> bool:
        if message.get("method") != "textDocument/references":
            return False
        starts = ({"line": line, "character": 0} for line in reversed(range(int(number))))
        found = [{"uri": f"{root[0]}/code.py", "range": {"start": start, "end": start}} for start in starts]
        write({"id": message["id"], "result": found})
        return True

    serve(odd)


def checks(edited: str, unedited: str = "[]", of_all: str = "") -> None:
    """Find these diagnostics wrong in `code.py` while it is open, and those while it is not.

    With a third argument that is the answer about the whole codebase, open or not.
    """
    opened: list[Any] = []

    def odd(message: Message, _: int) -> bool:
        if message.get("method") == "textDocument/didOpen":
            opened.append(message)
        elif message.get("method") == "textDocument/didClose":
            opened.clear()
        elif message.get("method") in ("textDocument/diagnostic", "workspace/diagnostic"):
            items = json.loads(edited if opened else unedited)
            result: Any = {"kind": "full", "items": items}
            if message["method"] == "workspace/diagnostic":
                whole = of_all.replace("ROOT", root[0])
                result = json.loads(whole) if whole else {"items": [{**result, "uri": f"{root[0]}/code.py"}]}
            write({"id": message["id"], "result": result})
            return True
        return False

    serve(odd)


def finds(number: str, before: str = "0") -> None:
    """Find so many diagnostics wrong in `code.py` while it is open, and so many while it is not."""
    where = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
    edited, unedited = ([{"range": where, "message": f"{n}"} for n in range(int(most))] for most in (number, before))
    checks(json.dumps(edited), json.dumps(unedited))


MODES: dict[str, Callable[..., None]] = {
    made.__name__: made
    for made in (
        answers, asks, checks, clings, closes, counts, crashes, deaf, exits, finds, floods, mute, places, postpones,
        reads, says, serve, stays,
    )
}  # fmt: skip

if __name__ == "__main__":
    MODES[sys.argv[1]](*sys.argv[2:])
