"""`Report` answered on a terminal, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:  # else imported once the language server has been started: it takes time that the server can use
    from tidepool.eff import Handler
    from tidepool.effects.report import Note, Progress


def silent() -> Handler[Progress | Note]:
    """Tell nobody."""
    from tidepool.effects.report import Note, Progress

    return Progress.by(lambda _: None) | Note.by(lambda _: None)


@contextmanager
def terminal(stream: TextIO | None) -> Generator[Callable[[], Handler[Progress | Note]]]:
    """A progress bar and notes on a terminal, gone when the block ends; silence where the stream is not a terminal.

    What builds the handler is what the block is given.
    """
    if stream is None or not stream.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(file=stream)
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting the language server", total=None)

        def handler() -> Handler[Progress | Note]:
            from tidepool.effects.report import Note, Progress

            return Progress.by(show) | Note.by(lambda note: console.print(escape(note.text), style="dim"))

        def show(step: Progress) -> None:
            bar.update(task, completed=step.done, total=step.total, description=escape(step.doing))

        yield handler
