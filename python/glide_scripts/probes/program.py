"""What can run in a text of Lua: the lines of its statements, and the outcomes of its decisions."""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..declared.lines import line_starts

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

_STATEMENTS = {
    "assignment_statement",
    "break_statement",
    "for_statement",
    "function_call",
    "function_declaration",
    "if_statement",
    "repeat_statement",
    "return_statement",
    "variable_declaration",
    "while_statement",
}
# These contain statements but are not statements: nothing runs on their own lines.
_BLOCKS = {"do_statement"}
# These are decided by the compiler, not by the script's data.
CONSTANTS = {"true", "false", "nil", "number", "string"}

# Comments, long strings, and as the last group strings with escapes.
_STRINGS = re.compile(
    rb"--\[(=*)\[.*?\]\1\]|--[^\n]*|\[(=*)\[.*?\]\2\]|"
    rb"(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')",
    re.DOTALL,
)
# An escape, and as the group what follows the backslash if the parser does not know it.
_ESCAPES = re.compile(rb"\\(?:[abfnrtv\\\"'0-9\r\n]|(.[\x80-\xbf]*))", re.DOTALL)

EXIT = -1
"""Where a function or the script ends, as the line that an outcome leads to."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, or a condition that is a line of its own, such as that of ``elseif``."""

    line: int
    node: Node


@dataclass(frozen=True, slots=True)
class Outcome:
    """One of the ways out of a condition or a loop."""

    line: int
    to: int
    """The line that runs next; negative if it is none, or the same line."""
    says: str
    """What a report says if it is missing, such as ``the condition was never true``."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A condition, or the head of a ``for``, and its two outcomes."""

    node: Node
    """The condition; of a ``for`` the whole statement."""
    outcomes: tuple[Outcome, Outcome]
    """The outcome if it is true or the body runs, and the one if it is false or the loop ends."""
    first: tuple[Node | None, Node | None] = (None, None)
    """The statements that run next after each outcome, and only then."""
    breaks: tuple[Node, ...] = ()
    """What leaves a ``for`` before its end."""


@dataclass(frozen=True, slots=True)
class Program:
    """The statements and decisions of a text, in its order."""

    statements: tuple[Statement, ...]
    decisions: tuple[Decision, ...]
    end: int
    """Where its last statement ends, or begins if that is a ``return``."""
    root: Node
    """Its tree."""

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """Those of all decisions."""
        return (outcome for decision in self.decisions for outcome in decision.outcomes)


@functools.cache
def parser() -> Parser:
    """Return the parser of Lua.

    Raises:
        ImportError: The extra ``coverage`` is not installed.
    """
    import tree_sitter_lua  # noqa: PLC0415 - an extra
    from tree_sitter import Language, Parser  # noqa: PLC0415 - an extra

    return Parser(Language(tree_sitter_lua.language()))


def blank_shebang(code: bytes) -> bytes:
    """Return the code without the text of a first line that begins with ``#!``."""
    if not code.startswith(b"#!"):
        return code
    end = code.find(b"\n")
    end = len(code) if end < 0 else end
    return b" " * end + code[end:]


def parsed(code: bytes) -> Tree:
    """Return the tree of a text. Its places are those of the text."""
    code = blank_shebang(code)
    tree = parser().parse(code)
    if tree.root_node.has_error:
        # Lua 5.1 takes any escape, such as in '\\d', which is a 'd'.
        tree = parser().parse(_STRINGS.sub(_with_known_escapes, code))
    return tree


def _with_known_escapes(found: re.Match[bytes]) -> bytes:
    def known(escape: re.Match[bytes]) -> bytes:
        return escape[0] if escape[1] is None else b"\\" + b"a" * len(escape[1])

    return found[0] if found[3] is None else _ESCAPES.sub(known, found[0])


def program(code: bytes) -> Program | None:
    """Return what can run in a text of Lua; None if it does not parse."""
    root = parsed(code).root_node
    if root.has_error:
        return None
    walk = _Walk(line_starts(code))
    walk.block(root, EXIT)
    if walk.is_later_lua:
        return None
    walk.statements.sort(key=lambda each: each.node.start_byte)
    walk.decisions.sort(key=lambda each: each.node.start_byte)
    last = (statements_of(root) or [root])[-1]
    end = last.start_byte if last.type == "return_statement" else last.end_byte
    return Program(tuple(walk.statements), tuple(walk.decisions), end, root)


class _Walk:
    def __init__(self, starts: list[int]) -> None:
        self._starts = starts
        self.statements: list[Statement] = []
        self.decisions: list[Decision] = []
        self._loops: list[list[Node]] = []
        self._taken: set[tuple[int, int]] = set()
        self.is_later_lua = False
        """Whether a statement follows a ``break``: Lua 5.1 refuses it, the parser does not."""

    def block(self, block: Node | None, after: int) -> None:
        """Walk a block's statements, of which the last one leads to the line ``after``."""
        statements = statements_of(block)
        for index, node in enumerate(statements):
            following = self._first_line(statements, after, index + 1)
            if node.type == "break_statement" and index + 1 < len(statements):
                self.is_later_lua = True
            if node.type not in _BLOCKS:
                self.statements.append(Statement(self._line(node), node))
            special = getattr(self, f"_{node.type}", None)
            if special is None:
                self._expressions(node)
            else:
                special(node, following)

    def _line(self, node: Node) -> int:
        return bisect.bisect(self._starts, node.start_byte)

    def _first_line(self, statements: list[Node], otherwise: int, start: int = 0) -> int:
        for index in range(start, len(statements)):
            node = statements[index]
            if node.type not in _BLOCKS:
                return self._line(node)
            inner = self._first_line(statements_of(node.child_by_field_name("body")), 0)
            if inner:
                return inner
        return otherwise

    def _expressions(self, node: Node | None) -> None:
        """Walk the functions that are defined within an expression."""
        if node is not None:
            for function in outermost(node, "function_definition"):
                self.block(function.child_by_field_name("body"), EXIT)

    def _decide(
        self,
        node: Node | None,
        line: int,
        to: tuple[int, int],
        says: tuple[str, str],
        *,
        first: tuple[Node | None, Node | None],
        breaks: tuple[Node, ...] = (),
    ) -> None:
        if node is not None and node.type not in CONSTANTS:
            yes, no = (self._outcome(line, *each) for each in zip(to, says, strict=True))
            self.decisions.append(Decision(node, (yes, no), first, breaks))

    def _outcome(self, line: int, to: int, says: str) -> Outcome:
        # A line that leads to itself, and another outcome of this line that leads to the same one,
        # have a number of their own, which reports show as an exit.
        while to == line or (line, to) in self._taken:
            to = min(to, 0) - 1
        self._taken.add((line, to))
        return Outcome(line, to, says)

    def _condition(
        self,
        node: Node,
        line: int,
        to: tuple[int, int],
        first: tuple[Node | None, Node | None] = (None, None),
    ) -> None:
        condition = node.child_by_field_name("condition")
        never = "the condition on line {} was never {}"
        says = (never.format(line, "true"), never.format(line, "false"))
        self._decide(condition, line, to, says, first=first)
        self._expressions(condition)

    def _if_statement(self, node: Node, after: int) -> None:
        parts = [node, *node.children_by_field_name("alternative")]
        for index, part in enumerate(parts):
            if part.type == "else_statement":
                self.block(part.child_by_field_name("body"), after)
                continue
            line = self._line(part)
            if index:
                self.statements.append(Statement(line, part))
            other = parts[index + 1] if index + 1 < len(parts) else None
            if other is None:
                false, next_part = after, None
            elif other.type == "else_statement":
                otherwise = statements_of(other.child_by_field_name("body"))
                false, next_part = self._first_line(otherwise, after), _first(otherwise)
            else:
                false, next_part = self._line(other), other
            block = part.child_by_field_name("consequence")
            inner = statements_of(block)
            to = (self._first_line(inner, after), false)
            self._condition(part, line, to, (_first(inner), next_part))
            self.block(block, after)

    def _while_statement(self, node: Node, after: int) -> None:
        line, body = self._line(node), node.child_by_field_name("body")
        inner = statements_of(body)
        self._condition(node, line, (self._first_line(inner, line), after), (_first(inner), None))
        self._loop(body, line)

    def _repeat_statement(self, node: Node, after: int) -> None:
        body, condition = node.child_by_field_name("body"), node.child_by_field_name("condition")
        assert condition is not None
        until = next(child for child in node.children if child.type == "until")
        line = self._line(until)
        if line != self._line(node):
            self.statements.append(Statement(line, until))
        self._condition(node, line, (after, self._first_line(statements_of(body), line)))
        self._loop(body, line)

    def _for_statement(self, node: Node, after: int) -> None:
        line, body = self._line(node), node.child_by_field_name("body")
        self._expressions(node.child_by_field_name("clause"))
        breaks = self._loop(body, line)
        inner = statements_of(body)
        to = (self._first_line(inner, line), after)
        says = (f"the loop on line {line} never started", f"the loop on line {line} never ended")
        first = _first(inner), None
        self._decide(node, line, to, says, first=first, breaks=tuple(breaks))

    def _loop(self, body: Node | None, line: int) -> list[Node]:
        self._loops.append([])
        self.block(body, line)
        return self._loops.pop()

    def _break_statement(self, node: Node, after: int) -> None:
        if self._loops:
            self._loops[-1].append(node)

    def _do_statement(self, node: Node, after: int) -> None:
        self.block(node.child_by_field_name("body"), after)

    def _function_declaration(self, node: Node, after: int) -> None:
        # A break cannot leave a function.
        self.block(node.child_by_field_name("body"), EXIT)


def outermost(root: Node, *types: str) -> Iterator[Node]:
    """The nodes of these types in a tree, in their order, but for those within another of them."""
    # Not by recursion: a chain of many operators is as deep as it is long.
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type in types:
            yield node
        else:
            pending += reversed(node.named_children)


def _first(statements: list[Node]) -> Node | None:
    return next((each for each in statements[:1] if each.type not in _BLOCKS), None)


def statements_of(block: Node | None) -> list[Node]:
    """Return the statements of a block, or of a whole text."""
    if block is None:
        return []
    return [each for each in block.named_children if each.type in _STATEMENTS | _BLOCKS]
