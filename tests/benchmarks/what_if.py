"""What an edit would break, against the bare requests that find it out: on these sources and on mypy's.

Two servers of one kind run side by side on the same files. One is asked by the interpreter, the other is sent the same
messages as raw bytes: the file opened with the edited text, the pull, the file closed; and the answer is parsed. What
remains is what the interpreter adds: locking, the look at the disk, and what of the answer is new. Other sources are
measured with `python tests/benchmarks/what_if.py ROOT PATH OLD NEW`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from answer import sources

from interpreters.lsp.interpreter import language_server
from interpreters.lsp.project import find_environment
from interpreters.lsp.servers import TY, fill, find_command
from interpreters.lsp.session import open_session
from tidepool.eff import run_async
from tidepool.effects.lsp import Edit, Splice, source, what_if

TARGET = 1.3
ROUNDS = 21
OWN = Path(__file__).parents[2]
OWN_EDIT = ("tidepool/effects/lsp.py", "def hover(place: Place)", "def hover(place: Place, deep: bool)")
MYPY_EDIT = ("mypy/types.py", "def get_proper_type(typ: Type) ", "def get_proper_type(typ: Type, deep: bool) ")


def main() -> bool:
    """Print the ratios; answer whether all meet the target."""
    with tempfile.TemporaryDirectory() as folder:
        own, mypy = Path(folder, "own"), Path(folder, "mypy")
        for part in ("tidepool", "interpreters", "tests"):
            shutil.copytree(OWN / part, own / part, ignore=shutil.ignore_patterns("__pycache__"))
        mypy.mkdir()
        return all([_measured(own, *OWN_EDIT), _measured(sources(mypy), *MYPY_EDIT)])


def _measured(root: Path, path: str, old: str, new: str) -> bool:
    return asyncio.run(_compared(root.resolve(), path, old, new))


async def _compared(root: Path, path: str, old: str, new: str) -> bool:
    async with open_session(root, python=sys.prefix) as session:
        world = language_server(session)
        text = await run_async(source(path), world)
        edit = Edit(path, (Splice(text.index(old), text.index(old) + len(old), new),))
        everywhere = await run_async(what_if(edit), world)
        some = tuple(sorted({path, *(found.place.path for found in everywhere)}))
        with _bare(root, path, edit.applied(text)) as bare:
            met = True
            for paths, where in ((some, f"{len(some)} files"), (None, "everywhere")):
                asked, sent = [], []
                for number in range(ROUNDS + 1):
                    begun = time.perf_counter()
                    bare.pull(paths)
                    between = time.perf_counter()
                    found = await run_async(what_if(edit, paths), world)
                    assert found == everywhere
                    if number:  # the first one finds nothing worked out yet
                        sent.append(between - begun)
                        asked.append(time.perf_counter() - between)
                ratio = median(asked) / median(sent)
                met &= ratio <= TARGET
                print(
                    f"{'PASS' if ratio <= TARGET else 'FAIL'} {root.name}, {where}: bare {median(sent) * 1000:.1f} ms, "
                    f"the interpreter {median(asked) * 1000:.1f} ms, {len(found)} found: {ratio:.2f} (at most {TARGET})"
                )
    return met


class _Bare:
    """A server, and the messages that find out what an edit breaks."""

    def __init__(self, server: subprocess.Popen[bytes], root: Path, path: str, text: str) -> None:
        assert server.stdin and server.stdout
        self._said, self._heard = server.stdin, server.stdout
        self._root, self._uri, self._text = root, (root / path).as_uri(), text

    def tell(self, method: str, params: Any, **of_requests: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **of_requests, "method": method, "params": params}).encode()
        self._said.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._said.flush()

    def ask(self, asks: Sequence[tuple[str, Any]]) -> None:
        """Ask everything at once, and wait until all of it is answered."""
        for number, (method, params) in enumerate(asks):
            self.tell(method, params, id=number)
        left = len(asks)
        while left:
            length = 0
            while header := self._heard.readline().strip():
                length = int(header.removeprefix(b"Content-Length: "))
            left -= "result" in json.loads(self._heard.read(length))

    def pull(self, paths: Sequence[str] | None) -> None:
        document = {"uri": self._uri, "languageId": "python", "version": 1, "text": self._text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        if paths is None:
            self.ask([("workspace/diagnostic", {"identifier": "ty", "previousResultIds": []})])
        else:
            uris = [(self._root / path).as_uri() for path in paths]
            self.ask([("textDocument/diagnostic", {"textDocument": {"uri": uri}}) for uri in uris])
        self.tell("textDocument/didClose", {"textDocument": {"uri": self._uri}})


@contextmanager
def _bare(root: Path, path: str, text: str) -> Iterator[_Bare]:
    environ = {**os.environ, "VIRTUAL_ENV": sys.prefix, "PYTHONPATH": ""}
    server = subprocess.Popen(
        find_command(TY, environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=root,
        env=environ,
    )
    try:
        bare = _Bare(server, root, path, text)
        greeting = {
            "processId": os.getpid(),
            "rootUri": root.as_uri(),
            "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
            "capabilities": {"textDocument": {"diagnostic": {}}, "general": {"positionEncodings": ["utf-32"]}},
            "initializationOptions": fill(TY.options, find_environment(root, sys.prefix, environ)),
        }
        bare.ask([("initialize", greeting)])
        bare.tell("initialized", {})
        yield bare
    finally:
        server.kill()
        server.wait()
        for pipe in (server.stdin, server.stdout):
            assert pipe
            pipe.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(not (_measured(Path(arguments[0]), *arguments[1:]) if arguments else main()))
