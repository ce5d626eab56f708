"""Hypothetical edits: what they write, that what they write parses, and that a checker then finds what breaks."""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from tidepool.change import Change
from tidepool.edit import hypothetical
from tidepool.editing.text import Cut, Refusal, parsed
from tidepool.effects.lsp import Place, Splice, Symbol, SymbolKind
from tidepool.kinds import ChangeKind as Kind

AT = "‸"
"""Stands before the name of the definition that is changed."""


def change(kind: Kind, member: str | None = None, new_name: str | None = None, *, optional: bool = False) -> Change:
    return Change(kind, (), member, new_name, optional)


def marked(text: str) -> tuple[Symbol, str]:
    """The definition whose name a mark stands before, and the text without the mark."""
    before, _, after = text.partition(AT)
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
    name = re.match(r"\w+", after)
    assert name is not None
    return Symbol(name[0], SymbolKind.OTHER, "", Place("m.py", line, column), line, line), before + after


def edited(text: str, asked: Change) -> str:
    symbol, source = marked(text)
    return hypothetical(asked, symbol, source).unwrap().applied(source)


WRITTEN = {
    # Names.
    "rename a function": (
        change(Kind.RENAME, new_name="g"),
        "def ‸f(): return f()\n",
        "def g(): return f()\n",
    ),
    "rename a class behind other letters": (
        change(Kind.RENAME, new_name="D"),
        "é = 'ünï𝄞'; x = 1\nö = 'é'\nclass ‸C: pass\n",
        "é = 'ünï𝄞'; x = 1\nö = 'é'\nclass D: pass\n",
    ),
    "rename every overload": (
        change(Kind.RENAME, new_name="g"),
        "@overload\ndef f(a: int) -> int: ...\n@overload\ndef f(a: str) -> str: ...\ndef ‸f(a): return a\n",
        "@overload\ndef g(a: int) -> int: ...\n@overload\ndef g(a: str) -> str: ...\ndef g(a): return a\n",
    ),
    "rename a property with its setter": (
        change(Kind.RENAME, new_name="q"),
        "class C:\n    @property\n    def ‸p(self): ...\n    @p.setter\n    def p(self, v): ...\n",
        "class C:\n    @property\n    def q(self): ...\n    @q.setter\n    def q(self, v): ...\n",
    ),
    "rename in both branches": (
        change(Kind.RENAME, new_name="g"),
        "try:\n    from x import f\nexcept ImportError:\n    def ‸f(): ...\n",
        "try:\n    from x import f as g\nexcept ImportError:\n    def g(): ...\n",
    ),
    "rename a constant to a name that nothing has": (
        change(Kind.RENAME),
        "‸LIMIT = 1\nLIMIT_renamed = 2\nLIMIT += 1\n",
        "LIMIT_renamed_ = 1\nLIMIT_renamed = 2\nLIMIT_renamed_ += 1\n",
    ),
    "rename a parameter and its uses": (
        change(Kind.RENAME, "a", "b"),
        'def ‸f(a, *, c=a):\n    a.a = g(a=a)\n    return [lambda a: a, lambda x=a: x, f"{a}"]\n',
        'def f(b, *, c=a):\n    b.a = g(a=b)\n    return [lambda a: a, lambda x=b: x, f"{b}"]\n',
    ),
    "rename a parameter of a class": (
        change(Kind.RENAME, "a", "b"),
        "class ‸C:\n    def __init__(self, a: int = 1): self.a = a\n",
        "class C:\n    def __init__(self, b: int = 1): self.a = b\n",
    ),
    "rename a variant": (
        change(Kind.RENAME, new_name="CRIMSON"),
        "class Color(Enum):\n    ‸RED = 1\n    BLUE = 2\n",
        "class Color(Enum):\n    CRIMSON = 1\n    BLUE = 2\n",
    ),
    # How it runs.
    "make a function async": (
        change(Kind.MAKE_ASYNC),
        "x = 1\ndef ‸f(): return 1\n",
        "x = 1\nasync def f(): return 1\n",
    ),
    "make a decorated method async": (
        change(Kind.MAKE_ASYNC),
        "class C:\n    @classmethod\n    @override\n    def ‸f(\n        cls,\n    ): ...\n",
        "class C:\n    @classmethod\n    @override\n    async def f(\n        cls,\n    ): ...\n",
    ),
    "make every overload async": (
        change(Kind.MAKE_ASYNC),
        "@overload\ndef f(a: int) -> int: ...\n@overload\ndef f(a: str) -> str: ...\ndef ‸f(a): return a\n",
        (
            "@overload\nasync def f(a: int) -> int: ...\n@overload\nasync def f(a: str) -> str: ...\n"
            "async def f(a): return a\n"
        ),
    ),
    "make a nested function async": (
        change(Kind.MAKE_ASYNC),
        "def g():\n    def ‸f(): ...\n    def f2(): ...\ndef f(): ...\n",
        "def g():\n    async def f(): ...\n    def f2(): ...\ndef f(): ...\n",
    ),
    "make async what is so in another branch": (
        change(Kind.MAKE_ASYNC),
        "if x:\n    async def f(): ...\nelse:\n    def ‸f(): ...\n",
        "if x:\n    async def f(): ...\nelse:\n    async def f(): ...\n",
    ),
    "make async what holds a generator": (
        change(Kind.MAKE_ASYNC),
        "def ‸f():\n    def g(): yield 1\n    return g, (lambda: (yield))\n",
        "async def f():\n    def g(): yield 1\n    return g, (lambda: (yield))\n",
    ),
    # What is gone.
    "remove a decorated function, keeping the lines": (
        change(Kind.REMOVE),
        "x = 1\n@a\n@b(\n  1)\nasync def ‸f():\n    # why\n    return 1\ny = 2\n",
        "x = 1\n\n\n\n\n\n\ny = 2\n",
    ),
    "remove the only method": (
        change(Kind.REMOVE),
        "class C:\n\tdef ‸f(self):\n\t\treturn 1\n",
        "class C:\n\tpass\n\n",
    ),
    "remove every overload of a method": (
        change(Kind.REMOVE),
        "class C:\n    @overload\n    def ‸f(self): ...\n    def f(self): ...\n",
        "class C:\n    pass\n\n    \n",
    ),
    "remove one of the statements of a line": (change(Kind.REMOVE), "a = 1; ‸b = 2; c = 3\n", "a = 1; c = 3\n"),
    "remove the last statement of a line": (change(Kind.REMOVE), "a = 1; ‸b = 2\n", "a = 1\n"),
    "remove one link of a chain": (change(Kind.REMOVE), "a = ‸b = c = 2\n", "a = c = 2\n"),
    "remove one of several that are assigned": (change(Kind.REMOVE), "a, (‸b, c) = f()\n", "a, (_removed, c) = f()\n"),
    "remove what is imported in another branch": (
        change(Kind.REMOVE),
        "if TYPE_CHECKING:\n    from x import f, g\nelse:\n    def ‸f(): ...\n",
        "if TYPE_CHECKING:\n    from x import g\nelse:\n    pass\n",
    ),
    "move a class": (change(Kind.MOVE, new_name="other"), "class ‸C:\n    x = 1\ny = 2\n", "\n\ny = 2\n"),
    "remove a name from the exports": (
        change(Kind.REMOVE_PARAMETER, "b"),
        '‸__all__ = [\n    "a",\n    "b",\n]\n__all__ += ("b", "c")\n',
        '__all__ = [\n    "a",\n]\n__all__ += ("c")\n'.replace('"a",\n]', '"a"\n,\n]'),
    ),
    # Parameters.
    "add a parameter": (change(Kind.ADD_PARAMETER), "def ‸f(a, b): ...\n", "def f(a, b, added): ...\n"),
    "add a parameter to none": (change(Kind.ADD_PARAMETER, "x"), "def ‸f(): ...\n", "def f(x): ...\n"),
    "add a parameter to a method": (
        change(Kind.ADD_PARAMETER, "x"),
        "class C:\n    @classmethod\n    async def ‸f(cls): ...\n",
        "class C:\n    @classmethod\n    async def f(cls, x): ...\n",
    ),
    "add a parameter behind defaults": (
        change(Kind.ADD_PARAMETER, "x"),
        "def ‸f(a, /, b=1): ...\n",
        "def f(a, /, b=1, *, x): ...\n",
    ),
    "add a parameter behind any number": (
        change(Kind.ADD_PARAMETER, "x"),
        "def ‸f(a, *b, c=1, **d): ...\n",
        "def f(a, *b, x, c=1, **d): ...\n",
    ),
    "add a parameter before keywords": (
        change(Kind.ADD_PARAMETER, "x"),
        "def ‸f(**d): ...\n",
        "def f(x, **d): ...\n",
    ),
    "add a parameter before a star": (
        change(Kind.ADD_PARAMETER, "x"),
        "def ‸f(a, *, c): ...\n",
        "def f(a, x, *, c): ...\n",
    ),
    "add a parameter on many lines": (
        change(Kind.ADD_PARAMETER, "x"),
        "def ‸f(\n    a: int,  # why\n    b: str,\n) -> None: ...\n",
        "def f(\n    a: int,  # why\n    b: str, x,\n) -> None: ...\n",
    ),
    "add a parameter to every overload": (
        change(Kind.ADD_PARAMETER, "x"),
        "@overload\ndef f(a: int): ...\n@overload\ndef f(a: str): ...\ndef ‸f(a=1): ...\n",
        "@overload\ndef f(a: int, x): ...\n@overload\ndef f(a: str, x): ...\ndef f(a=1, *, x): ...\n",
    ),
    "add an optional parameter": (
        change(Kind.ADD_PARAMETER, "x", optional=True),
        "def ‸f(a, b=1, **c): ...\n",
        "def f(a, b=1, x=None, **c): ...\n",
    ),
    "add a parameter to a lambda": (change(Kind.ADD_PARAMETER, "x"), "‸f = lambda: 1\n", "f = lambda x: 1\n"),
    "add a parameter to a class": (
        change(Kind.ADD_PARAMETER, "x"),
        "class ‸C:\n    def __init__(self, a): ...\n",
        "class C:\n    def __init__(self, a, x): ...\n",
    ),
    "add a parameter to a class on one line": (
        change(Kind.ADD_PARAMETER, "x"),
        "class ‸E(Exception): pass\n",
        "class E(Exception): \n    pass\n    def __init__(self, *args, x, **kwargs): ...\n",
    ),
    "remove the first parameter": (
        change(Kind.REMOVE_PARAMETER, "a"),
        "def ‸f(a: int = 1, b=2): ...\n",
        "def f(b=2): ...\n",
    ),
    "remove the last parameter": (
        change(Kind.REMOVE_PARAMETER, "b"),
        "def ‸f(\n    a,\n    b,\n): ...\n",
        "def f(\n    a\n,\n): ...\n",
    ),
    "remove the only parameter behind a star": (
        change(Kind.REMOVE_PARAMETER, "b"),
        "def ‸f(a, *, b, **c): ...\n",
        "def f(a, **c): ...\n",
    ),
    "remove the only parameter before a slash": (
        change(Kind.REMOVE_PARAMETER, "a"),
        "def ‸f(a, /, b): ...\n",
        "def f(b): ...\n",
    ),
    "remove any number of arguments": (
        change(Kind.REMOVE_PARAMETER, "*rest"),
        "def ‸f(a, *rest: int, b): ...\n",
        "def f(a, *, b): ...\n",
    ),
    "change a parameter's type": (
        change(Kind.CHANGE_PARAMETER_TYPE, "a"),
        "def ‸f(a: int = 1, *b): ...",
        'def f(a: "_Changed" = 1, *b): ...\nclass _Changed: ...\n',
    ),
    "change a parameter's type to a builtin one": (
        change(Kind.CHANGE_PARAMETER_TYPE, "b", "list[str] | None"),
        "def ‸f(a, *b): ...\n",
        'def f(a, *b: "list[str] | None"): ...\n',
    ),
    # What comes out.
    "change the return type": (
        change(Kind.CHANGE_RETURN_TYPE),
        "class _Changed: ...\nasync def ‸f() -> list[\n    int\n]: ...\n",
        'class _Changed: ...\nasync def f() -> "_Changed_": ...\nclass _Changed_: ...\n',
    ),
    "write a return type": (
        change(Kind.CHANGE_RETURN_TYPE, new_name="int"),
        "def ‸f(\n    a,\n): return 1\n",
        'def f(\n    a,\n) -> "int": return 1\n',
    ),
    "change a field's type": (
        change(Kind.CHANGE_RETURN_TYPE, new_name="str"),
        "class C:\n    ‸x: ClassVar[int] = 1\n",
        'class C:\n    x: ClassVar["str"] = 1\n',
    ),
    "change what is yielded to the caller": (
        change(Kind.CHANGE_RETURN_TYPE, new_name="str"),
        "@contextmanager\ndef ‸f() -> Iterator[int]: yield 1\n",
        '@contextmanager\ndef f() -> Iterator["str"]: yield 1\n',
    ),
    "change what a property is, and takes": (
        change(Kind.CHANGE_RETURN_TYPE, new_name="str"),
        "class C:\n    @property\n    def ‸p(self) -> int: ...\n    @p.setter\n    def p(self, v: int) -> None: ...\n",
        (
            'class C:\n    @property\n    def p(self) -> "str": ...\n'
            '    @p.setter\n    def p(self, v: "str") -> None: ...\n'
        ),
    ),
    "nullable return": (
        change(Kind.MAKE_NULLABLE),
        "async def ‸f() -> Foo[int]: ...\n",
        'async def f() -> "Foo[int] | None": ...\n',
    ),
    "nullable return in a string": (
        change(Kind.MAKE_NULLABLE),
        "def ‸f() -> 'Foo': ...\n",
        "def f() -> 'Foo | None': ...\n",
    ),
    "nullable return with a string in it": (
        change(Kind.MAKE_NULLABLE),
        'def ‸f() -> list["Foo"]: ...\n',
        "def f() -> 'list[\"Foo\"] | None': ...\n",
    ),
    "nullable return on many lines": (
        change(Kind.MAKE_NULLABLE),
        "def ‸f() -> Union[\n    int,\n    str,\n]: ...\n",
        "def f() -> '''Union[\n    int,\n    str,\n] | None''': ...\n",
    ),
    "nullable once awaited": (
        change(Kind.MAKE_NULLABLE),
        "def ‸f() -> 'Coroutine[Any, Any, int]': ...\n",
        "def f() -> 'Coroutine[Any, Any, int | None]': ...\n",
    ),
    "nullable without a written type": (
        change(Kind.MAKE_NULLABLE),
        "def ‸f(a): return a\n",
        'def f(a) -> "_Any | None": return a\nfrom typing import Any as _Any\n',
    ),
    "nullable field": (
        change(Kind.MAKE_NULLABLE, "x"),
        "class ‸C:\n    x: Final[int] = 1\n",
        'class C:\n    x: Final["int | None"] = 1\n',
    ),
    "nullable attribute": (
        change(Kind.MAKE_NULLABLE),
        "class C:\n    def __init__(self, x):\n        self.‸x = x\n",
        "class C:\n    def __init__(self, x):\n        self.x = (x) if id(0) else None\n",
    ),
    "nullable attribute that the class declares": (
        change(Kind.MAKE_NULLABLE),
        "class C:\n    x: int\n    def __init__(self, x):\n        self.‸x = x\n",
        'class C:\n    x: "int | None"\n    def __init__(self, x):\n        self.x = x\n',
    ),
    "nullable constant": (
        change(Kind.MAKE_NULLABLE),
        "‸X: int = 1\n",
        'X: "int | None" = (1) if id(0) else None\n',
    ),
    "nullable alias": (
        change(Kind.MAKE_NULLABLE),
        "‸U = Callable[[int], str]\n",
        "U = Callable[[int], str] | None\n",
    ),
    "nullable lambda": (
        change(Kind.MAKE_NULLABLE),
        "‸f = lambda x: x\n",
        "f = lambda x: (x) if id(0) else None\n",
    ),
    # Fields.
    "add a field": (
        change(Kind.ADD_FIELD, "b"),
        "@dataclass\nclass ‸C:\n    a: int  # why\n",
        "@dataclass\nclass C:\n    a: int; b: object  # why\n",
    ),
    "add a field before defaults": (
        change(Kind.ADD_FIELD, "b"),
        "@dataclass(frozen=True)\nclass ‸C:\n    a: int\n    c: list[int] = field(default_factory=list)\n",
        (
            '@dataclass(frozen=True)\nclass C:\n    a: int; b: "_Added"\n'
            "    c: list[int] = field(default_factory=list)\nclass _Added: ...\n"
        ),
    ),
    "add a field behind inherited defaults": (
        change(Kind.ADD_FIELD, "b"),
        "@attrs.frozen\nclass A:\n    a: int = 1\n@attrs.frozen\nclass ‸C(A):\n    c: int = 1\n",
        (
            "@attrs.frozen\nclass A:\n    a: int = 1\n@attrs.frozen(kw_only=True)\n"
            'class C(A):\n    b: "_Added"; c: int = 1\nclass _Added: ...\n'
        ),
    ),
    "add a field that is given by keyword": (
        change(Kind.ADD_FIELD, "b"),
        "@dataclass\nclass ‸C:\n    a: int = 1\n    _: KW_ONLY\n    c: int = 1\n",
        "@dataclass\nclass C:\n    a: int = 1\n    _: KW_ONLY\n    c: int = 1; b: object\n",
    ),
    "add a field like the others": (
        change(Kind.ADD_FIELD, "b"),
        "@attr.s\nclass ‸C:\n    a = attr.ib()\n",
        "@attr.s\nclass C:\n    a = attr.ib(); b: object = attr.ib()\n",
    ),
    "add a field to a documented class without any": (
        change(Kind.ADD_FIELD, "b"),
        'class ‸C(NamedTuple):\n    """C."""\n\n    def f(self): ...\n',
        'class C(NamedTuple):\n    """C."""; b: object\n\n    def f(self): ...\n',
    ),
    "add a field to a class of methods": (
        change(Kind.ADD_FIELD, "b"),
        "class ‸C(Protocol):\n    @a\n    def f(self): ...\n",
        "class C(Protocol):\n    b: object\n    @a\n    def f(self): ...\n",
    ),
    "add a key": (
        change(Kind.ADD_FIELD, "b"),
        "class A(TypedDict): ...\nclass ‸C(A, total=False):\n    a: int\n",
        (
            'class A(TypedDict): ...\nclass C(A, total=False):\n    a: int; b: "_Required[object]"\n'
            "from typing_extensions import Required as _Required\n"
        ),
    ),
    "add a field to a model": (
        change(Kind.ADD_FIELD, "b"),
        "class ‸C(pydantic.BaseModel):\n    a: int = 1\n",
        "class C(pydantic.BaseModel):\n    a: int = 1; b: object\n",
    ),
    "add a field to a plain class": (
        change(Kind.ADD_FIELD, "b"),
        "class ‸C:\n    def __init__(self, a):\n        self.a = a\n",
        "class C:\n    def __init__(self, a, b):\n        self.a = a\n",
    ),
    "add an optional field": (
        change(Kind.ADD_FIELD, "b", optional=True),
        "@define\nclass ‸C:\n    a: int\n",
        '@define\nclass C:\n    a: int; b: "object | None" = None\n',
    ),
    "add a field to a call": (
        change(Kind.ADD_FIELD, "b"),
        '‸C = namedtuple("C", ["a"])\n',
        'C = namedtuple("C", ["a", "b"])\n',
    ),
    "add a key to a call": (
        change(Kind.ADD_FIELD, "b"),
        '‸C = TypedDict("C", {"a": int})\n',
        'C = TypedDict("C", {"a": int, "b": object})\n',
    ),
    "remove a field and its assignments": (
        change(Kind.REMOVE_FIELD, "x"),
        (
            "class ‸C:\n    x: int\n    y: int\n    def f(this):\n        this.x = 1\n    def g(self):\n"
            "        self.y, self.x = 1, 2\n        return other.x\n"
        ),
        (
            "class C:\n    \n    y: int\n    def f(this):\n        pass\n    def g(self):\n"
            "        self.y, _removed = 1, 2\n        return other.x\n"
        ),
    ),
    "rename a field where it is assigned": (
        change(Kind.RENAME_FIELD, new_name="y"),
        (
            "class C:\n    def __init__(self, x):\n        self.‸x = x\n    def f(self):\n        self.x += 1\n"
            "        return self.x\n"
        ),
        (
            "class C:\n    def __init__(self, x):\n        self.y = x\n    def f(self):\n        self.y += 1\n"
            "        return self.x\n"
        ),
    ),
    "rename a field of a call": (
        change(Kind.RENAME_FIELD, "b", "z"),
        '‸C = namedtuple("C", "a, b")\n',
        'C = namedtuple("C", "a, z")\n',
    ),
    # Variants.
    "add a variant": (
        change(Kind.ADD_VARIANT, "GREEN"),
        "class ‸C(str, Enum):\n    RED = 'red'  # why\n\n    def f(self): ...\n",
        "class C(str, Enum):\n    RED = 'red'; GREEN = \"green\"  # why\n\n    def f(self): ...\n",
    ),
    "add a variant like the others": (
        change(Kind.ADD_VARIANT),
        "class ‸C(enum.Flag):\n    a = enum.auto()\n",
        "class C(enum.Flag):\n    a = enum.auto(); added = enum.auto()\n",
    ),
    "add a numbered variant": (
        change(Kind.ADD_VARIANT),
        "class B(IntFlag): ...\nclass ‸C(B):\n    A = 0x4\n    B = 1\n",
        "class B(IntFlag): ...\nclass C(B):\n    A = 0x4\n    B = 1; ADDED = 8\n",
    ),
    "add a variant of several parts": (
        change(Kind.ADD_VARIANT),
        "class ‸C(Enum):\n    A = (1, 'é')\n",
        "class C(Enum):\n    A = (1, 'é'); ADDED = (9999, 'é')\n",
    ),
    "add a type to a union": (
        change(Kind.ADD_VARIANT, "New"),
        "if x:\n    ‸U = A | B\n",
        "if x:\n    class New:\n        def __getattr__(self, anything): return anything\n    U = A | B | New\n",
    ),
    "add a type to a subscripted union": (
        change(Kind.ADD_VARIANT, "New"),
        "‸U = Union[\n    A,\n    B,\n]\n",
        'U = Union[\n    A,\n    B, "New",\n]\nclass New:\n    def __getattr__(self, anything): return anything\n',
    ),
    "add a builtin type to a quoted union": (
        change(Kind.ADD_VARIANT, "bytes"),
        "‸U: TypeAlias = 'A | B'\n",
        "U: TypeAlias = 'A | B | bytes'\n",
    ),
    "add a value to a literal": (
        change(Kind.ADD_VARIANT, "x"),
        "‸M = Literal['r', 'w']\n",
        "M = Literal['r', 'w', \"x\"]\n",
    ),
    "add a subclass": (
        change(Kind.ADD_VARIANT, "New"),
        "class A:\n    class ‸B: ...\n",
        "class A:\n    class B: ...\nclass New(A.B): ...\n",
    ),
    "remove a variant of a class": (
        change(Kind.REMOVE_VARIANT, "A"),
        "class ‸C(Enum):\n    A = 1\n",
        "class C(Enum):\n    pass\n",
    ),
    "remove a type from a union": (
        change(Kind.REMOVE_VARIANT, "A"),
        "‸U = A | B | C\n",
        "U = B | C\n",
    ),
    "remove a value from a literal": (
        change(Kind.REMOVE_VARIANT, "w"),
        "‸M = Literal['r', 'w']\n",
        "M = Literal['r']\n",
    ),
    # What classes demand, and what aliases stand for.
    "add an abstract method": (
        change(Kind.ADD_ABSTRACT_METHOD, "f"),
        "import abc\nclass ‸C(abc.ABC):\n\tx = 1  # why\ny = 1\n",
        "import abc\nclass C(abc.ABC):\n\tx = 1  # why\n\t@abc.abstractmethod\n\tdef f(self): ...\ny = 1\n",
    ),
    "make a class abstract": (
        change(Kind.ADD_ABSTRACT_METHOD, "f"),
        '"""M."""\nfrom __future__ import annotations\nclass A(Generic[T]): ...\nclass ‸C(A):\n    x = 1\n',
        (
            '"""M."""\nfrom __future__ import annotations; import abc as _abc\nclass A(Generic[T]): ...\n'
            "class C(A, metaclass=_abc.ABCMeta):\n    x = 1\n    @_abc.abstractmethod\n    def f(self): ...\n"
        ),
    ),
    "make a method abstract": (
        change(Kind.ADD_ABSTRACT_METHOD, "f"),
        "x = 1\nclass ‸C:\n    @classmethod\n    def f(cls): ...\n",
        (
            "import abc as _abc; x = 1\nclass C(_abc.ABC):\n    @classmethod\n"
            "    @_abc.abstractmethod\n    def f(cls): ...\n"
        ),
    ),
    "add a method to a protocol": (
        change(Kind.ADD_ABSTRACT_METHOD, "f"),
        "class ‸C(Protocol):\n    x: int\n",
        "class C(Protocol):\n    x: int\n    def f(self): ...\n",
    ),
    "change an alias": (
        change(Kind.CHANGE_ALIAS),
        "‸U = Union[\n    A,\n    B,\n]  # why\n",
        "class U: ...\n\n\n  # why\n",
    ),
    "change a lazy alias": (change(Kind.CHANGE_ALIAS), "type ‸U[T] = A | list[T]\n", "class U[T]: ...\n"),
    "change an alias to a builtin type": (
        change(Kind.CHANGE_ALIAS, new_name="bytes"),
        "‸U = int\n",
        "U = bytes\n",
    ),
    "change an alias by a member": (change(Kind.CHANGE_ALIAS, "None"), "‸U = A | B\n", "U = A | B | None\n"),
}


@pytest.mark.parametrize(("asked", "before", "after"), WRITTEN.values(), ids=WRITTEN)
def test_an_edit_writes_what_a_person_would(asked: Change, before: str, after: str) -> None:
    assert edited(before, asked) == after


REFUSED = {
    "no text": (change(Kind.CHANGE_BEHAVIOUR), "def ‸f(): ...\n", "no text of its own"),
    "async already": (change(Kind.MAKE_ASYNC), "async def ‸f(): ...\n", "async already"),
    "generator": (change(Kind.MAKE_ASYNC), "def ‸f():\n    x = yield from g()\n", "it yields"),
    "property that nobody awaits": (
        change(Kind.MAKE_ASYNC),
        "class C:\n  @cached_property\n  def ‸f(self): ...\n",
        "nobody awaits what is read",
    ),
    "constructor": (change(Kind.MAKE_ASYNC), "class C:\n  def ‸__init__(self): ...\n", "nobody awaits `__init__`"),
    "class that nobody awaits": (change(Kind.MAKE_ASYNC), "class ‸C: ...\n", "a class cannot be awaited"),
    "lambda": (change(Kind.MAKE_ASYNC), "‸f = lambda: 1\n", "no function that is written here"),
    "no such parameter": (change(Kind.REMOVE_PARAMETER, "b"), "def ‸f(a): ...\n", "no parameter `b`"),
    "the instance": (change(Kind.REMOVE_PARAMETER, "self"), "class C:\n    def ‸f(self): ...\n", "no parameter `self`"),
    "no parameter named": (change(Kind.REMOVE_PARAMETER), "def ‸f(a): ...\n", "names no parameter"),
    "parameter there": (change(Kind.ADD_PARAMETER, "a"), "def ‸f(a): ...\n", "has a parameter `a` already"),
    "no name": (change(Kind.ADD_PARAMETER, "a=1, b"), "def ‸f(): ...\n", "cannot be a name"),
    "keyword": (change(Kind.RENAME, new_name="class"), "def ‸f(): ...\n", "`class` cannot be a name"),
    "same name": (change(Kind.RENAME, new_name="f"), "def ‸f(): ...\n", "is called `f` already"),
    "property": (change(Kind.ADD_PARAMETER), "class C:\n  @property\n  def ‸f(self): ...\n", "property has no param"),
    "nullable": (change(Kind.MAKE_NULLABLE), "def ‸f() -> Optional[int]: ...\n", "may be None already"),
    "nullable union": (change(Kind.MAKE_NULLABLE), "def ‸f() -> t.Union[int, None]: ...\n", "may be None already"),
    "nullable string": (change(Kind.MAKE_NULLABLE), "def ‸f() -> 'int | None': ...\n", "may be None already"),
    "returns nothing": (change(Kind.MAKE_NULLABLE), "def ‸f():\n    print(1)\n", "returns nothing"),
    "class": (change(Kind.MAKE_NULLABLE), "class ‸C: ...\n", "a class returns nothing"),
    "field there": (change(Kind.ADD_FIELD, "a"), "class ‸C:\n    a: int\n", "has `a` already"),
    "fields of a function": (change(Kind.ADD_FIELD, "a"), "def ‸f(): ...\n", "only a class"),
    "fields of an enumeration": (change(Kind.ADD_FIELD, "a"), "class ‸C(Enum):\n    A = 1\n", "no fields"),
    "variant there": (change(Kind.ADD_VARIANT, "A"), "class ‸C(Enum):\n    A = 1\n", "has `A` already"),
    "variants of a number": (change(Kind.ADD_VARIANT, "A"), "‸x = 1 | 2\n", "no enumeration, union or literal"),
    "only variant": (change(Kind.REMOVE_VARIANT, "r"), "‸M = Literal['r']\n", "no other variant"),
    "abstract": (
        change(Kind.ADD_ABSTRACT_METHOD, "f"),
        "class ‸C:\n    @abstractmethod\n    def f(self): ...\n",
        "abstract already",
    ),
    "no alias": (change(Kind.CHANGE_ALIAS), "‸x = f(1)\n", "no enumeration, union or literal"),
    "type variable": (change(Kind.MAKE_NULLABLE), '‸T = TypeVar("T")\n', "a type is made there"),
    "type of a variant": (change(Kind.CHANGE_RETURN_TYPE), "class C(Enum):\n    ‸A = 1\n", "type of its enumeration"),
    "not exported": (change(Kind.REMOVE, "c"), "‸__all__ = ['a']\n", "does not list `c`"),
    "renamed to another": (change(Kind.RENAME, "a", "b"), "def ‸f(a, b): ...\n", "has a parameter `b` already"),
}


@pytest.mark.parametrize(("asked", "before", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_written_is_refused(asked: Change, before: str, why: str) -> None:
    symbol, source = marked(before)
    answer = hypothetical(asked, symbol, source)
    assert isinstance(answer, Failure)
    assert why in answer.failure()


def test_a_name_that_is_not_defined_there_is_refused() -> None:
    symbol = Symbol("f", SymbolKind.FUNCTION, "", Place("m.py", 2, 0), 2, 3)
    answer = hypothetical(change(Kind.REMOVE), symbol, "def f(): ...\nf()\nf\ndef f(): ...\n")
    assert answer == Failure("no definition of `f` is written at m.py:2")


def test_a_definition_is_found_within_its_lines_where_its_place_is_not_its_name() -> None:
    symbol = Symbol("f", SymbolKind.FUNCTION, "", Place("m.py", 2, 0), 2, 4)
    source = "def f(): ...\n@f\n\ndef f(a): ...\n"
    edit = hypothetical(change(Kind.ADD_PARAMETER, "b"), symbol, source).unwrap()
    assert edit.applied(source) == "def f(b): ...\n@f\n\ndef f(a, b): ...\n"


def test_splices_count_characters() -> None:
    symbol, source = marked('x = "ü𝄞"; ‸f = lambda: "é"\n')
    edit = hypothetical(change(Kind.RENAME, new_name="g"), symbol, source).unwrap()
    assert edit.splices == (Splice(10, 11, "g"),)


def test_a_file_that_is_broken_elsewhere_can_still_be_edited() -> None:
    assert edited("def ‸f(a): ...\nx = = 1\n", change(Kind.ADD_PARAMETER, "b")) == "def f(a, b): ...\nx = = 1\n"


@pytest.mark.parametrize(
    "deep", ["A | " * 3000 + "B", "(" * 3000, "Union[" * 3000 + "A" + "]" * 3000, "-" * 9000 + "1"]
)
@pytest.mark.parametrize("kind", [Kind.ADD_VARIANT, Kind.REMOVE, Kind.MAKE_NULLABLE])
def test_what_is_nested_deeply_has_an_answer(deep: str, kind: Kind) -> None:
    symbol, source = marked(f"‸U = {deep}\n")
    assert isinstance(hypothetical(change(kind), symbol, source), Success | Failure)


def test_other_languages_are_not_edited() -> None:
    symbol = Symbol("f", SymbolKind.FUNCTION, "", Place("m.rs", 1, 3), 1, 1)
    assert hypothetical(change(Kind.REMOVE), symbol, "fn f() {}\n") == Failure("only Python can be edited")


def test_cuts_that_leave_no_python_are_not_accepted() -> None:
    text = parsed("x = 1\ndef f(a): ...\n")
    assert text.parses_with([Cut(4, 5, "(2)")])
    assert not text.parses_with([Cut(4, 5, "(2")])
    assert not text.parses_with([Cut(12, 12, "b=1, ")])  # which only Python's own parser knows


def test_cuts_over_each_other_are_refused() -> None:
    with pytest.raises(Refusal, match="lie over each other"):
        parsed("x = 1\n").splices([Cut(0, 3, ""), Cut(2, 4, "")])


# What is written in real code.

KINDS = tuple(Kind)

MOST_BYTES = 60_000
"""A larger file takes Python longer to read than all edits of it together."""


def library(count: int) -> list[Path]:
    """Some of the modules that come with Python, the same ones in every run."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    paths = [path for path in paths if path.stat().st_size <= MOST_BYTES]
    return random.Random(4).sample(paths, min(count, len(paths)))


def definitions(source: str) -> Iterator[tuple[Symbol, list[str | None]]]:
    """The definitions of a file, and the names of some things inside of each."""
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            line = lines[node.lineno - 1]
            found = re.search(rf"(?:def|class)\s+({node.name})\b", line)
            if found is not None:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                place = Place("m.py", node.lineno, found.start(1))
                inside = [each.arg for each in ast.walk(node) if isinstance(each, ast.arg)]
                inside += [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
                symbol = Symbol(node.name, SymbolKind.OTHER, "", place, first, node.end_lineno or first)
                yield symbol, [None, *inside[:3]]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            column = len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
            place = Place("m.py", node.lineno, column)
            yield Symbol(node.id, SymbolKind.VARIABLE, "", place, node.lineno, node.lineno), [None]


def parses(source: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source)
        except SyntaxError:
            return False
    return True


@pytest.mark.parametrize(("files", "each"), [(60, 2), pytest.param(1000, 8, marks=pytest.mark.slow)])
def test_in_real_code_an_edit_is_refused_or_parses_and_touches_only_its_splices(files: int, each: int) -> None:
    dice, made = random.Random(5), Counter[Kind]()
    for path in library(files):
        source = path.read_text(encoding="utf-8")
        held = list(definitions(source))
        for symbol, inside in dice.sample(held, min(each, len(held))):
            for kind in KINDS:
                asked = change(kind, dice.choice(inside), optional=dice.random() < 0.2)
                answer = hypothetical(asked, symbol, source)
                if isinstance(answer, Success):
                    edit, made[kind] = answer.unwrap(), made[kind] + 1
                    text = edit.applied(source)
                    assert text != source
                    assert parses(text), (path, symbol, asked)
                    assert undone(text, source, edit.splices) == source
    assert len(made) >= 12


def undone(text: str, source: str, splices: tuple[Splice, ...]) -> str:
    """The text with what stood there instead of each splice."""
    for start, end, instead in splices:
        assert text[start : start + len(instead)] == instead
        text = text[:start] + source[start:end] + text[start + len(instead) :]
    return text


SNIPPETS = (
    "def f(",
    "class C",
    ":\n",
    "    ",
    "\n",
    "x",
    " = ",
    "(",
    ")",
    "é",
    '"',
    "*",
    ",",
    "f",
    "@",
    ";",
    "\t",
    "\x0c",
)
sources = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=3), max_size=30).map("".join)
changes = st.builds(
    Change,
    kind=st.sampled_from(KINDS),
    targets=st.just(()),
    member=st.none() | st.sampled_from(["x", "f", "", "*", "a b", "é"]),
    new_name=st.none() | st.sampled_from(["y", "int", "", "1", "]"]),
    optional=st.booleans(),
)
symbols = st.builds(
    Symbol,
    name=st.sampled_from(["f", "C", "x", "é", ""]),
    kind=st.sampled_from(SymbolKind),
    container=st.just(""),
    place=st.builds(Place, path=st.just("m.py"), line=st.integers(1, 9), column=st.integers(0, 40)),
    first_line=st.integers(1, 5),
    last_line=st.integers(1, 9),
)


@given(changes, symbols, sources)
def test_whatever_the_text_is_there_is_an_answer(asked: Change, symbol: Symbol, source: str) -> None:
    answer = hypothetical(asked, symbol, source)
    if isinstance(answer, Success) and parses(source):
        assert parses(answer.unwrap().applied(source))


@given(
    changes, st.sampled_from([before for _, before, _ in WRITTEN.values()]), st.integers(0, 200), st.text(max_size=2)
)
def test_a_text_that_is_damaged_is_edited_or_refused(asked: Change, text: str, at: int, more: str) -> None:
    symbol, source = marked(text)
    source = source[:at] + more + source[at + 1 :]
    answer = hypothetical(asked, symbol, source)
    if isinstance(answer, Success) and parses(source):
        assert parses(answer.unwrap().applied(source))


# What a checker says of it.

EDITED = """
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Awaitable, Generator, Literal, NamedTuple, Protocol, TypedDict, Union


def price(name: str, tax: int = 0) -> int:
    return len(name) + tax


def bare(name, tax=0):
    return str(name)


async def fetch(key: str) -> bytes:
    return key.encode()


def later(key: str) -> Awaitable[bytes]: ...


@contextmanager
def opened(key: str) -> Generator[bytes]:
    yield key.encode()


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Order:
    total: int
    note: str = ""


class Point(NamedTuple):
    x: int


class Movie(TypedDict):
    name: str


class Shape(Protocol):
    def area(self) -> float: ...


class Square:
    def __init__(self, side: int) -> None:
        self.side = side

    def area(self) -> float:
        return 1.0

    @property
    def title(self) -> str:
        return ""


class Job:
    def run(self) -> int:
        return 1


class Night(Job): ...


Kind = Square | Order
Choice = Union[Square, Order]
Mode = Literal["r", "w"]
LIMIT = 5
"""

USES = """
from typing import assert_never

from . import edited
from .edited import Choice, Color, Job, Kind, Mode, Movie, Night, Order, Point, Shape, Square, fetch, later, opened

edited.price("a").bit_length()  # rename, remove, add parameter, nullable, return type, make async
edited.price("a", 1)  # rename, remove, add parameter, remove parameter, parameter type
edited.price("a", tax=1)  # rename, remove, rename parameter, add parameter, remove parameter, parameter type
edited.bare(1).upper()  # bare nullable
edited.LIMIT.bit_length()  # constant, nullable constant


async def wait() -> None:
    (await fetch("a")).decode()  # async nullable
    (await later("a")).decode()  # awaitable nullable


with opened("a") as content:
    content.decode()  # yielded nullable

Order(1).total.bit_length()  # add field, remove field, rename field, nullable field
Order(1, "")  # add field, remove field
Order(note="", total=1)  # add field, remove field, rename field
Point(1)  # add item
Movie(name="a")  # add key
shape: Shape = Square(1)  # add init parameter, add to protocol
Square(1).side.bit_length()  # add init parameter, rename attribute, nullable attribute
Square(1).title.upper()  # add init parameter, nullable property
Night()  # add abstract method
Job()  # add abstract method
mode: Mode = "r"  # change alias


def color(one: Color) -> int:  # add variant
    match one:
        case Color.RED:
            return 1
        case Color.BLUE:
            return 2


def kind(one: Kind) -> None:
    if not isinstance(one, Square | Order):
        assert_never(one)  # add type


def choice(one: Choice) -> None:
    if not isinstance(one, Square | Order):
        assert_never(one)  # add choice


def modes(one: Mode) -> None:
    if one != "r" and one != "w":
        assert_never(one)  # add literal, change alias
"""

CHECKED = {
    "rename": ("price", change(Kind.RENAME, new_name="cost")),
    "remove": ("price", change(Kind.REMOVE)),
    "constant": ("LIMIT", change(Kind.REMOVE)),
    "rename parameter": ("price", change(Kind.RENAME, "tax", "vat")),
    "add parameter": ("price", change(Kind.ADD_PARAMETER)),
    "remove parameter": ("price", change(Kind.REMOVE_PARAMETER, "tax")),
    "parameter type": ("price", change(Kind.CHANGE_PARAMETER_TYPE, "tax")),
    "add init parameter": ("Square", change(Kind.ADD_PARAMETER)),
    "nullable": ("price", change(Kind.MAKE_NULLABLE)),
    "bare nullable": ("bare", change(Kind.MAKE_NULLABLE)),
    "async nullable": ("fetch", change(Kind.MAKE_NULLABLE)),
    "awaitable nullable": ("later", change(Kind.MAKE_NULLABLE)),
    "yielded nullable": ("opened", change(Kind.MAKE_NULLABLE)),
    "nullable constant": ("LIMIT", change(Kind.MAKE_NULLABLE)),
    "nullable field": ("Order", change(Kind.MAKE_NULLABLE, "total")),
    "nullable attribute": ("Square", change(Kind.MAKE_NULLABLE, "side")),
    "nullable property": ("title", change(Kind.MAKE_NULLABLE)),
    "return type": ("price", change(Kind.CHANGE_RETURN_TYPE)),
    "make async": ("price", change(Kind.MAKE_ASYNC)),
    "add field": ("Order", change(Kind.ADD_FIELD)),
    "add item": ("Point", change(Kind.ADD_FIELD)),
    "add key": ("Movie", change(Kind.ADD_FIELD)),
    "remove field": ("Order", change(Kind.REMOVE_FIELD, "total")),
    "rename field": ("Order", change(Kind.RENAME_FIELD, "total")),
    "rename attribute": ("Square", change(Kind.RENAME_FIELD, "side")),
    "add variant": ("Color", change(Kind.ADD_VARIANT)),
    "add type": ("Kind", change(Kind.ADD_VARIANT)),
    "add choice": ("Choice", change(Kind.ADD_VARIANT)),
    "add literal": ("Mode", change(Kind.ADD_VARIANT)),
    "add abstract method": ("Job", change(Kind.ADD_ABSTRACT_METHOD)),
    "add to protocol": ("Shape", change(Kind.ADD_ABSTRACT_METHOD)),
    "change alias": ("Mode", change(Kind.CHANGE_ALIAS)),
    "optional parameter": ("price", change(Kind.ADD_PARAMETER, optional=True)),
    "optional field": ("Order", change(Kind.ADD_FIELD, optional=True)),
}
"""What is changed in `EDITED`; a line of `USES` that breaks by it says so in its comment."""


@pytest.fixture(scope="module")
def flagged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[int]]:
    """The lines of `USES` that a checker finds wrong, by what is changed; one run over a package for each."""
    root = tmp_path_factory.mktemp("checked")
    texts = {name: changed_text(*asked) for name, asked in CHECKED.items()} | {"as it is": EDITED}
    packages = {name.replace(" ", "_"): name for name in texts}
    for package, name in packages.items():
        (root / package).mkdir()
        (root / package / "__init__.py").touch()
        (root / package / "edited.py").write_text(texts[name], encoding="utf-8")
        (root / package / "uses.py").write_text(USES, encoding="utf-8")
    program = str(Path(sys.executable).with_name("ty"))
    command = (program, "check", "--output-format", "concise", "--python-version", "3.13", "--color", "never", ".")
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    lines: dict[str, set[int]] = {name: set() for name in texts}
    for package, line in re.findall(r"^(\w+)[/\\]uses\.py:(\d+):\d+: error", ran.stdout, flags=re.MULTILINE):
        lines[packages[package]].add(int(line))
    return lines


def changed_text(name: str, asked: Change) -> str:
    return edited(re.sub(rf"(?m)^(\s*(?:async )?(?:def |class )?)({name}\b)", rf"\1{AT}\2", EDITED, count=1), asked)


def test_the_fixture_is_right_as_it_is(flagged: dict[str, set[int]]) -> None:
    assert not flagged["as it is"]


@pytest.mark.parametrize("name", CHECKED)
def test_a_checker_finds_exactly_what_a_change_breaks(flagged: dict[str, set[int]], name: str) -> None:
    comments = {number: line.partition("  # ")[2] for number, line in enumerate(USES.split("\n"), 1)}
    assert flagged[name] == {number for number, told in comments.items() if name in told.split(", ")}


def test_the_parser_is_only_loaded_by_who_edits() -> None:
    program = "import sys, tidepool.explore, interpreters.edge.cli; print('tree_sitter' in sys.modules)"
    ran = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "False"
