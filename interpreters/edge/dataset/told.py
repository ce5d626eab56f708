"""How far long work is: on a terminal a bar with the rate and the time left, and silence elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TextIO, TypeAlias

Tell: TypeAlias = Callable[[int, str], None]
"""Takes how many examples there are by now, and what is being done."""


@contextmanager
def told(stream: TextIO | None, total: int) -> Generator[Tell]:
    """A bar that is gone when the block ends."""
    if stream is None or not stream.isatty():
        yield _tell_nobody
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("", total=total, rate="")

        def tell(count: int, doing: str) -> None:
            speed = bar.tasks[task].speed
            rate = f"{speed:.0f} a second" if speed else ""
            bar.update(task, completed=count, description=escape(doing), rate=rate)

        yield tell


def _tell_nobody(_count: int, _doing: str) -> None:
    """Nobody watches."""
