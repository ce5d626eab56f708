"""Statements: where they begin, and how they are taken away or put beside others without moving a line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from tidepool.editing.text import Cut, Node, Refusal, Text

SCOPES: Final = frozenset({"function_definition", "class_definition", "lambda", "module"})
"""What has names of its own."""

_BLOCKS: Final = frozenset({"block", "module"})


def above(node: Node) -> Iterator[Node]:
    """What a node stands in, from the inside out."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def scope(node: Node) -> Node:
    """Whose names a node belongs to; the file's where it stands in nothing else."""
    last = node
    for last in above(node):
        if last.type in SCOPES:
            break
    return last


def child(node: Node, field: str) -> Node:
    """The part of a node that its syntax requires.

    Raises:
        Refusal: the text is broken there.
    """
    found = node.child_by_field_name(field)
    if found is None:
        raise Refusal("the definition is no valid Python")
    return found


def statement(node: Node) -> Node:
    """The whole statement that a node stands in, decorators included."""
    whole = node
    for parent in above(node):
        if parent.type in _BLOCKS:
            return whole
        whole = parent
    return whole


def statements(block: Node) -> list[Node]:
    """The statements of a block, or of a file."""
    return [node for node in block.named_children if node.type != "comment"]


def decorators(definition: Node) -> list[Node]:
    """What a function or a class is decorated with, each without its `@`."""
    whole = definition.parent
    if whole is None or whole.type != "decorated_definition":
        return []
    return [node.named_children[0] for node in whole.children if node.type == "decorator" and node.named_child_count]


def last_name(text: Text, node: Node) -> str:
    """What a decorator, a base or a called function is called: the last name of it, without what it is called with."""
    while node.type in ("call", "subscript", "generic_type", "type"):
        inner = node.named_children[0] if node.named_child_count else None
        if inner is None:
            break
        node = inner
    return text.of(node).rpartition(".")[2].strip()


def docstring(block: Node) -> Node | None:
    """The string a block begins with."""
    first = next(iter(statements(block)), None)
    return first if first is not None and is_string(first) else None


def is_string(whole: Node) -> bool:
    """Whether a statement is only a string."""
    return whole.type == "expression_statement" and whole.named_children[0].type in ("string", "concatenated_string")


def without(text: Text, wholes: Collection[Node]) -> list[Cut]:
    """The cuts that take statements away; a block that loses all of its statements keeps a `pass`."""
    cuts = []
    for block in dict.fromkeys(whole.parent for whole in wholes if whole.parent is not None):
        inside = statements(block)
        gone = [node for node in inside if node in wholes]
        for node in gone:
            if len(gone) == len(inside) and node == gone[0] and block.type == "block":
                lines = text.lines(node.start_byte, node.end_byte)
                cuts.append(Cut(node.start_byte, node.end_byte, "pass" + "\n" * lines))
            else:
                cuts.append(_taken(text, node))
    return cuts


def _taken(text: Text, node: Node) -> Cut:
    start, end = node.start_byte, node.end_byte
    after, before = node.next_sibling, node.prev_sibling
    if after is not None and after.type == ";":
        end = after.end_byte
        end += len(text.data[end:]) - len(text.data[end:].lstrip(b" \t"))
        rest = text.data[end : end + 1]
        if rest in (b"", b"\n", b"#") and before is not None and before.type == ";":
            start = before.start_byte
    elif before is not None and before.type == ";":
        start = before.start_byte
    return Cut(start, end, "\n" * text.lines(start, end))


def beside(whole: Node, line: str) -> Cut:
    """A simple statement behind another simple one, on its last line."""
    return Cut(whole.end_byte, whole.end_byte, f"; {line}")


def before(text: Text, whole: Node, line: str, *, simple: bool = True) -> Cut:
    """A statement before another: on its first line where both are simple, else on a line of its own."""
    if simple and is_simple(whole):
        return Cut(whole.start_byte, whole.start_byte, f"{line}; ")
    return Cut(whole.start_byte, whole.start_byte, f"{line}\n{indent(text, whole)}")


def is_simple(whole: Node) -> bool:
    """Whether a statement may stand beside another on a line."""
    return whole.type.endswith("_statement") and whole.type not in _COMPOUND


_COMPOUND: Final = frozenset(
    {"if_statement", "for_statement", "while_statement", "try_statement", "with_statement", "match_statement"}
)


def indent(text: Text, whole: Node) -> str:
    """The white space before the first statement of its line.

    Raises:
        Refusal: its block begins behind a colon, where no further line fits.
    """
    start = text.data.rfind(b"\n", 0, whole.start_byte) + 1
    margin = text.data[start : whole.start_byte].decode()
    if margin.strip():
        raise Refusal("the definition stands behind something else on its line")
    return margin


def behind(text: Text, block: Node, lines: Sequence[str]) -> list[Cut]:
    """Lines behind the last statement of an indented block, indented as its first statement is."""
    inside = statements(block)
    if not inside:
        raise Refusal("the definition is no valid Python")
    cuts, margin = _on_its_own_line(text, inside[0])
    end = text.data.find(b"\n", inside[-1].end_byte)
    end = len(text.data) if end < 0 else end
    return [*cuts, Cut(end, end, "".join(f"\n{margin}{line}" for line in lines))]


def _on_its_own_line(text: Text, first: Node) -> tuple[list[Cut], str]:
    """What it takes that a block begins on a line of its own, and how far it is indented there."""
    start = text.data.rfind(b"\n", 0, first.start_byte) + 1
    head = text.data[start : first.start_byte].decode()
    if not head.strip():
        return [], head
    outer = head[: len(head) - len(head.lstrip())]
    margin = outer + ("\t" if outer.endswith("\t") else "    ")
    return [Cut(first.start_byte, first.start_byte, f"\n{margin}")], margin


def items_without(text: Text, items: Sequence[Node], gone: Collection[Node]) -> list[Cut]:
    """The cuts that take items away from a list that commas separate, each with a comma."""
    cuts, kept_before, at = [], None, 0
    while at < len(items):
        if items[at] not in gone:
            kept_before, at = items[at], at + 1
            continue
        run_end = at
        while run_end + 1 < len(items) and items[run_end + 1] in gone:
            run_end += 1
        start, end = items[at].start_byte, items[run_end].end_byte
        comma = _comma(items[run_end])
        if kept_before is not None and run_end + 1 == len(items):
            start = kept_before.end_byte
        elif comma is not None:
            end = comma.end_byte
            end += len(text.data[end:]) - len(text.data[end:].lstrip(b" \t"))
        cuts.append(Cut(start, end, "\n" * text.lines(start, end)))
        at = run_end + 1
    return cuts


def _comma(node: Node) -> Node | None:
    after = node.next_sibling
    while after is not None and after.type == "comment":
        after = after.next_sibling
    return after if after is not None and after.type == "," else None
