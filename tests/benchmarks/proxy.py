"""Start a language server and write down what it is told: `python proxy.py LOG COMMAND…`.

LOG gets a line for each message in either direction, after one with the environment that the server was started in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO


def main(log: str, command: list[str]) -> int:
    """Pass messages on until either side ends."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin and server.stdout
    lock = threading.Lock()
    with Path(log).open("wb", buffering=0) as sink:
        sink.write(b"e " + json.dumps(dict(os.environ)).encode() + b"\n")

        def pump(side: bytes, source: IO[bytes], target: IO[bytes]) -> None:
            while header := source.readline():
                length = int(header.split(b":")[1]) if header.lower().startswith(b"content-length") else 0
                while (line := source.readline()).strip():
                    length = int(line.split(b":")[1]) if line.lower().startswith(b"content-length") else length
                body = source.read(length)
                with lock:
                    sink.write(side + b" " + body.replace(b"\n", b" ") + b"\n")
                target.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                target.flush()

        threading.Thread(target=pump, args=(b"c", sys.stdin.buffer, server.stdin), daemon=True).start()
        pump(b"s", server.stdout, sys.stdout.buffer)
        return server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
