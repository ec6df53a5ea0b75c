"""Statements that need no probe of their own, since another probe tells that they run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .program import CONSTANTS, Program, Statement, outermost

if TYPE_CHECKING:
    from tree_sitter import Node

_GIVEN = {b"KEYS", b"ARGV"}
_NAMING = ("parameters", "variable_list")


@dataclass(frozen=True, slots=True)
class Shared:
    """What the probes of a text stand for, besides their own statement or outcome."""

    without: set[int] = field(default_factory=set)
    """The ids of the nodes that have no probe."""
    _before: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _after: dict[tuple[int, int], int] = field(default_factory=dict)

    def before(self, node: Node) -> tuple[int, ...]:
        """The lines of the statements that have run if this one does."""
        return self._before.get(node.id, ())

    def after(self, decision: Node, outcome: int) -> tuple[int, ...]:
        """The line of the statement that runs next after an outcome of a decision."""
        line = self._after.get((decision.id, outcome))
        return () if line is None else (line,)


def shared(program: Program, *, is_library: bool) -> Shared:
    """Return which statements of a text need no probe.

    The first statement of a block runs if the condition has led there. A statement that cannot fail
    has run if the next one of its block does.
    """
    found = Shared()
    lines = {each.node.id: each.line for each in program.statements}
    for decision in program.decisions:
        for outcome, first in enumerate(decision.first):
            if first is not None:
                found.without.add(first.id)
                found._after[decision.node.id, outcome] = lines[first.id]
    # A library has none of its own.
    are_given = not is_library and not _names_given(program.root)
    waiting: defaultdict[int, list[int]] = defaultdict(list)
    for each in program.statements:
        before = waiting.pop(each.node.id, [])
        if each.node.id in found.without:
            continue
        following = _next_statement(each.node)
        if following is not None and following.id in lines and _cannot_fail(each, are_given):
            found.without.add(each.node.id)
            waiting[following.id] = [*before, each.line]
        else:
            found._before[each.node.id] = tuple(before)
    return found


def _next_statement(node: Node) -> Node | None:
    following = node.next_named_sibling
    while following is not None and following.type == "comment":
        following = following.next_named_sibling
    return following


def _cannot_fail(statement: Statement, are_given: bool) -> bool:
    node = statement.node
    if node.type == "function_declaration":
        # A global one does: servers refuse to assign it.
        return node.children[0].type == "local"
    if node.type != "variable_declaration":
        return False
    values = [
        value
        for declared in node.named_children
        if declared.type == "assignment_statement"
        for side in declared.named_children
        if side.type == "expression_list"
        for value in side.named_children
    ]
    return all(_is_known(value, are_given) for value in values)


def _is_known(value: Node, are_given: bool) -> bool:
    """Whether a value can be read in any case: a constant, a function, ``{}``, or ``KEYS[1]``."""
    if value.type in CONSTANTS or value.type == "function_definition":
        return True
    if value.type == "table_constructor":
        return not value.named_children
    if value.type != "bracket_index_expression" or not are_given:
        return False
    table, index = (value.child_by_field_name(each) for each in ("table", "field"))
    if table is None or index is None:
        return False
    return table.text in _GIVEN and index.type == "number"


def _names_given(root: Node) -> bool:
    """Whether the text has its own ``KEYS`` or ``ARGV``, as functions of libraries may."""
    pending = [root]
    while pending:
        node = pending.pop()
        for names in outermost(node, *_NAMING):
            if any(each.text in _GIVEN for each in names.named_children):
                return True
            pending += names.named_children
    return False
