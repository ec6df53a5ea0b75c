"""What expressions of Lua are: numbers, operators, calls of the server's functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tree_sitter import Node

from ._lua import Program

SERVER = (b"redis", b"server")


def is_command(program: Program, callee: Node) -> bool:
    """Whether what is called runs a command."""
    return any(
        program.is_field(value, SERVER, (b"call", b"pcall")) for value in program.values(callee)
    )


def leaves(nodes: Sequence[Node]) -> Iterator[Node]:
    """Expressions, and those in tables."""
    for node in nodes:
        if node.type == "table_constructor":
            for each in node.named_children:
                value = each.child_by_field_name("value")
                if value is not None:
                    yield value
        else:
            yield node


def operator_of(node: Node) -> str:
    """The operator of an expression with one or two operands."""
    return next((child.type for child in node.children if not child.is_named), "")


def integer_of(node: Node) -> int | None:
    """The value of a number that stands there and is whole."""
    if node.type != "number" or node.text is None:
        return None
    text = node.text.decode("ascii", "replace").lower()
    try:
        if text.startswith("0x"):
            return int(text, 16)
        if text.isdecimal():
            return int(text)
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None
