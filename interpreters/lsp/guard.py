"""Run a command that cannot outlive whoever started it: `python -I -S guard.py FD COMMAND [ARGUMENT]...`.

FD is one end of a socket pair (a pipe does as well) whose other end only the starter holds. The process forks: its
child keeps FD and watches, the process itself becomes COMMAND, so that its pid, pipes and exit status are the
command's own. When the starter's end closes, which the system sees to however the starter dies, or when the command
ends, the watcher kills every process of the session, and itself.

Only a process that leaves the session (`setsid`) can escape. This file imports four modules and nothing of
tidepool: it is run as a script, in an interpreter that has to start within 10 ms.
"""

from __future__ import annotations

import os
import select
import signal
import sys

_POLL_MS = 200  # how often to look after the command where the system cannot tell that it ended
_SWEEP_S = 0.002
_SWEEPS = 1000  # two seconds and more: what has not died by then waits for a disk


def main(lifeline: int, command: list[str]) -> None:
    """Become `command`, watched by a child."""
    if os.getsid(0) != os.getpid():
        sys.exit("guard: start me in a session of my own, or I would kill yours")
    guarded = os.getpid()
    if os.fork() == 0:
        _watch(lifeline, guarded)
        _kill_session()
    os.close(lifeline)
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):  # what is ignored stays ignored in a new program
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming that command is what this script is for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(127)


def _watch(lifeline: int, guarded: int) -> None:
    """Wait until the starter or the command is gone."""
    for deadly in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(deadly, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for inherited in (0, 1, 2):  # or the starter would never see the command's pipes close
        os.dup2(nowhere, inherited)
    events = select.poll()
    events.register(lifeline, select.POLLIN)
    timeout = _await_end_of(guarded, events)
    while not events.poll(timeout) and os.getppid() == guarded:
        pass


def _await_end_of(guarded: int, events: select.poll) -> int | None:
    """Register the command's end with `events`; answers how long a poll may last, in milliseconds."""
    try:
        events.register(os.pidfd_open(guarded), select.POLLIN)
    except (AttributeError, OSError):  # not Linux, or a Linux before 5.3
        return _POLL_MS
    return None


def _kill_session() -> None:
    """Kill whatever is left, wait until it is gone, and kill this process too."""
    for _ in range(_SWEEPS):  # a process may fork while its session is being swept, and dies only when it next runs
        members = _session_members()
        if not members:
            break
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:  # gone already
                continue
        select.select([], [], [], _SWEEP_S)
    os.killpg(0, signal.SIGKILL)  # where there is no /proc, the group is all that can be found; this is in it


def _session_members() -> list[int]:
    """The other living processes of this session, whatever process group they moved to."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - pathlib starts slowly
    except OSError:
        return []
    session = os.getsid(0)
    return [pid for pid in pids if pid != os.getpid() and _lives_in(session, pid)]


def _lives_in(session: int, pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            state, _, _, its_session, *_ = file.read().rpartition(b")")[2].split()
    except (OSError, ValueError):
        return False
    return int(its_session) == session and state not in (b"Z", b"X")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
