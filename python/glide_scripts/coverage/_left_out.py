"""Lines of Lua that comments, or the settings of coverage.py, leave out of its reports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from coverage.misc import join_regex

from ..declared.lines import split_lines
from ..probes.program import outermost
from ._texts import Text

if TYPE_CHECKING:
    from coverage import Coverage
    from tree_sitter import Node

_PRAGMA = r"(?i:--.*\bpragma:?\s*no\s?{}\b)"


@dataclass(frozen=True)
class _Clause:
    """A statement, a part of an ``if``, or a function, with its block, by its lines in the text."""

    head: frozenset[int]
    """Those up to its block."""
    all: range


class LeftOut:
    """What the comments in a text and the settings of coverage.py leave out."""

    def __init__(self, coverage: Coverage | None) -> None:
        self._cover = _matching(coverage, "report:exclude_lines", "cover")
        self._branch = _matching(coverage, "report:partial_branches", "branch")

    def lines(self, text: Text) -> set[int]:
        """The file's lines that are excluded, with the blocks that begin there."""
        found = _found(text, self._cover)
        return {text.place(line) for each in found for line in each.all}

    def branches(self, text: Text) -> set[int]:
        """The file's lines that may have branches which are never taken."""
        return {text.place(each.all.start) for each in _found(text, self._branch)}


def own_patterns(coverage: Coverage | None, option: str) -> list[str]:
    """Return the patterns of a setting, but for the one of Python's bodies of ``...``.

    In Lua, these three dots are a function's arguments.
    """
    patterns: Any = (coverage.get_option(option) if coverage else None) or []
    return [each for each in patterns if not re.search(each, "...")]


def _matching(coverage: Coverage | None, option: str, what: str) -> re.Pattern[str]:
    return re.compile(join_regex([*own_patterns(coverage, option), _PRAGMA.format(what)]))


def _found(text: Text, pattern: re.Pattern[str]) -> Iterator[_Clause]:
    lines = [line.decode(errors="replace") for line in split_lines(text.code)]
    matching = {number for number, line in enumerate(lines, 1) if pattern.search(line)}
    if matching and text.program is not None:
        for statement in text.program.statements:
            for clause in _clauses(statement.node):
                if not matching.isdisjoint(clause.head):
                    yield clause


def _clauses(node: Node) -> Iterator[_Clause]:
    """A statement; of an ``if``, the part before its first alternative, and its ``else``.

    A function that begins on a line of its own, such as in a table, is one by itself.
    """
    parts = node.children_by_field_name("alternative")
    own = _clause(node, parts[0] if parts else None)
    functions = [
        _clause(each, None)
        for each in outermost(node, "function_definition")
        if each.start_point.row > node.start_point.row
    ]
    yield replace(own, head=own.head.difference(*(each.head for each in functions)))
    yield from functions
    yield from (_clause(each, None) for each in parts if each.type == "else_statement")


def _clause(node: Node, following: Node | None) -> _Clause:
    first, last = node.start_point.row + 1, node.end_point.row + 1
    if following is not None:
        last = max(first, following.start_point.row)
    block = next(outermost(node, "block"), None)
    before = None if block is None else block.prev_sibling
    while before is not None and before.type == "comment":
        before = before.prev_sibling
    head = last if before is None else min(before.end_point.row + 1, last)
    return _Clause(frozenset(range(first, head + 1)), range(first, last + 1))
