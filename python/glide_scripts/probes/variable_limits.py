"""Whether there is room for probes in a text of Lua, whose functions have limited variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

# Of a function in Lua 5.1: its local variables at one place, and those of functions around it.
_MAX_LOCALS, _MAX_UPVALUES = 200, 60
# A loop has variables without names, too.
_OF_LOOP = 3
_FUNCTIONS = ("function_declaration", "function_definition")


def too_many(root: Node, *, locals: int, upvalues: int) -> str | None:
    """Return what a text has too many of; None if there is room.

    Where the compiler may count fewer variables, this counts more.

    Args:
        root: The tree of the text.
        locals: How many local variables the probes have at its beginning.
        upvalues: How many of these a function of the text may use.
    """
    counting = _Counting(_MAX_UPVALUES - upvalues)
    script = _Function()
    counting.block(root, script, 0)
    if script.most + locals > _MAX_LOCALS:
        return f"{script.most} local variables outside of functions"
    return counting.found


@dataclass
class _Function:
    """A function, or the script itself."""

    around: _Function | None = None
    declared: set[bytes] = field(default_factory=set)
    """The names of its local variables so far."""
    used: set[bytes] = field(default_factory=set)
    """All names in it and in functions within it."""
    most: int = 0
    """Local variables at one place."""

    def is_known_around(self, name: bytes) -> bool:
        around = self.around
        while around is not None and name not in around.declared:
            around = around.around
        return around is not None


class _Counting:
    def __init__(self, max_upvalues: int) -> None:
        self._max_upvalues = max_upvalues
        self.found: str | None = None

    def block(self, block: Node, function: _Function, active: int) -> None:
        """Count a block that begins with so many local variables of its function."""
        for node in block.named_children:
            if node.type == "for_statement":
                names = list(_declared(node))
                function.declared.update(names)
                self._within(node, function, active + _OF_LOOP + len(names))
                continue
            if node.type == "variable_declaration":
                names = list(_declared(node))
            elif node.type == "function_declaration" and node.children[0].type == "local":
                names = list(_text(node.child_by_field_name("name")))
            else:
                names = []
            function.declared.update(names)
            self._within(node, function, active)
            active += len(names)
            function.most = max(function.most, active)

    def _within(self, node: Node, function: _Function, active: int) -> None:
        """Count what is in a statement."""
        function.most = max(function.most, active)
        pending = [node]
        while pending:
            each = pending.pop()
            if each.type == "block":
                self.block(each, function, active)
            elif each.type in _FUNCTIONS:
                self._function(each, function)
            elif each.type == "identifier":
                function.used.update(_text(each))
            else:
                pending += each.named_children

    def _function(self, node: Node, around: _Function) -> None:
        function = _Function(around)
        parameters, body = (node.child_by_field_name(each) for each in ("parameters", "body"))
        if parameters is not None:
            function.declared.update(_identifiers(parameters))
        if body is not None:
            self.block(body, function, 0)
        around.used |= function.used
        count = sum(map(function.is_known_around, function.used))
        if count > self._max_upvalues:
            line = node.start_point.row + 1
            self.found = f"{count} variables of functions around it in the function of line {line}"


def _declared(node: Node) -> Iterator[bytes]:
    """The names that a declaration or the head of a ``for`` declares."""
    for child in node.named_children:
        if child.type == "variable_list":
            yield from _identifiers(child)
        elif child.type in ("assignment_statement", "for_generic_clause"):
            yield from _declared(child)
        elif child.type == "for_numeric_clause":
            yield from _text(child.child_by_field_name("name"))


def _identifiers(node: Node) -> Iterator[bytes]:
    for child in node.named_children:
        if child.type == "identifier":
            yield from _text(child)


def _text(node: Node | None) -> Iterator[bytes]:
    if node is not None and node.text is not None:
        yield node.text
