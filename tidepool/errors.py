"""Every error tidepool raises, by who is to blame.

    TidepoolError
    ├── ProgramError             a program, or the way it was composed, is wrong
    │   ├── MissingHandler       it asked for an operation that no handler answers
    │   ├── AlreadyRun           it was run a second time
    │   └── Diverged             on replay it asked for something else than the tape holds
    ├── InvalidData              a value breaks the data model (also a ValueError)
    ├── ConfigError              what the user set cannot be used
    └── InterpreterError         the world did not answer
        ├── Unavailable          it may answer later: worth asking again
        │   └── OutOfTime        the time given for the whole answer is over
        ├── BadAnswer            it answered nonsense: asking again will not help
        ├── Unsupported          it cannot answer this kind of question at all
        └── ModelFailure         a model did not rate one node; another scorer may

Third-party errors are mapped onto these once, in the interpreter that met them, with `raise … from`.
"""

from __future__ import annotations


class TidepoolError(Exception):
    """Any error tidepool raises; its text is one sentence that says what to do."""


class ProgramError(TidepoolError):
    """A program, or the way it was composed, is wrong."""


class MissingHandler(ProgramError):
    """A program asked for an operation that no handler answers.

    Attributes:
        operation: the class of the operation that was asked for.
        handled: the classes that the composed handler does answer.
    """

    def __init__(self, operation: type, handled: tuple[type, ...]) -> None:
        self.operation = operation
        self.handled = handled
        names = ", ".join(sorted(kind.__name__ for kind in handled)) or "nothing"
        super().__init__(
            f"no handler answers {operation.__name__}: this program is run with handlers for {names}; "
            f"compose one for {operation.__name__} with `|`"
        )


class AlreadyRun(ProgramError):
    """A program is a generator: it runs once. Build a new one to run it again."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} has already run: call the function again for a fresh program")


class Diverged(ProgramError):
    """A replayed program asked for something else than it asked when the tape was recorded.

    Attributes:
        step: index of the tape's entry, from 0.
        recorded: the operation that the tape holds there.
        asked: the operation that the program asked. The text shows the part of both in which they differ.
    """

    def __init__(self, step: int, recorded: object, asked: object) -> None:
        self.step = step
        self.recorded = recorded
        self.asked = asked
        held, wanted = _apart(repr(recorded), repr(asked))
        super().__init__(
            f"replay diverged at step {step}: the tape holds {held}, the program asked {wanted}; record it again"
        )


def _apart(left: str, right: str) -> tuple[str, str]:
    """Two texts, cut where they are long to their beginnings and to what follows where they part."""
    alike = next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    return _cut(left, alike), _cut(right, alike)


def _cut(text: str, at: int) -> str:
    start = max(60, at - 40)
    shown = text if start < 160 else f"{text[:60]}...{text[start:]}"
    return shown if len(shown) <= 300 else shown[:297] + "..."


class InvalidData(TidepoolError, ValueError):
    """A value breaks the data model.

    Attributes:
        field: where it stands, dotted from the outermost object, such as `rubric.relevance` or `tags[1]`.
        value: what it was.
        allowed: what it may be.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(f"{field}: {_shown(value)} is not {allowed}")


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except (RecursionError, ValueError):  # nested too deep; a number of thousands of digits
        return f"this {type(value).__name__}"
    return shown if len(shown) <= 80 else shown[:77] + "..."


class ConfigError(TidepoolError):
    """What the user set, by flag, environment or file, cannot be used."""


class InterpreterError(TidepoolError):
    """The world did not answer an operation.

    Attributes:
        interpreter: who was asked, such as `ty` or `scorer heuristic`.
    """

    def __init__(self, interpreter: str, why: str) -> None:
        self.interpreter = interpreter
        self.why = why
        super().__init__(f"{interpreter}: {why}")


class Unavailable(InterpreterError):
    """It may answer later: worth asking again."""


class OutOfTime(Unavailable):
    """The time given for the whole answer is over: nothing more is asked for it."""


class BadAnswer(InterpreterError):
    """It answered nonsense: asking again will not help."""


class Unsupported(InterpreterError):
    """It cannot answer this kind of question at all."""


class ModelFailure(InterpreterError):
    """A model did not rate a node.

    Attributes:
        location: the node's `path:line`.
    """

    def __init__(self, interpreter: str, why: str, location: str) -> None:
        self.location = location
        super().__init__(interpreter, why)
