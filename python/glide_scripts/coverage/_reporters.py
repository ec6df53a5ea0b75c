"""What coverage.py's reports ask about a file with Lua."""

from __future__ import annotations

import warnings
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from coverage.exceptions import CoverageException, CoverageWarning
from coverage.misc import join_regex
from coverage.parser import PythonParser
from coverage.plugin import CodeRegion, FileReporter
from coverage.python import PythonFileReporter

from ..declared.lines import split_lines
from ..probes.program import Outcome, outermost, parsed
from ._left_out import LeftOut, own_patterns
from ._texts import Text, texts_of

if TYPE_CHECKING:
    from coverage import Coverage
    from coverage.types import TArc, TLineNo, TMorf, TSourceTokenLines
    from tree_sitter import Node

_CLASSES = {"comment": "com", "number": "num", "string": "str", "identifier": "nam"}


only_lua: weakref.WeakSet[Coverage] = weakref.WeakSet()
"""Those that measure no Python."""


def reporter(morf: TMorf, coverage: Coverage | None = None) -> FileReporter:
    """Return what reports on a file or a module."""
    if isinstance(morf, str) and morf.endswith(".lua"):
        return LuaReporter(morf, coverage)
    is_of_lua = coverage is not None and coverage in only_lua
    return (LuaInPythonReporter if is_of_lua else PythonWithLuaReporter)(morf, coverage)


class LuaReporter(FileReporter):
    """A ``.lua`` file."""

    def __init__(self, filename: str, coverage: Coverage | None = None) -> None:
        super().__init__(filename)
        self._left_out = LeftOut(coverage)

    @cached_property
    def _excluded(self) -> set[int]:
        return self._left_out.lines(self._text)

    @cached_property
    def _text(self) -> Text:
        (text,) = texts_of(self.filename)
        if text.program is None:
            # Not NotPython: pytest-cov would call it a Python file.
            raise CoverageException(
                f"{self.relative_filename()} does not parse as Lua; correct it, or leave it out "
                "with coverage's setting omit"
            )
        return text

    @cached_property
    def _outcomes(self) -> list[Outcome]:
        return _included([self._text], self._excluded)

    def lines(self) -> set[TLineNo]:
        return set(self._text.lines - self._excluded)

    def excluded_lines(self) -> set[TLineNo]:
        return self._excluded

    def no_branch_lines(self) -> set[TLineNo]:
        return self._left_out.branches(self._text)

    def translate_lines(self, lines: Iterable[TLineNo]) -> set[TLineNo]:
        lines = set(lines)
        if not lines <= self._text.lines:
            warnings.warn(
                f"{self.relative_filename()} has changed since its coverage was measured; run the "
                "tests again",
                CoverageWarning,
                stacklevel=2,
            )
        return lines

    def arcs(self) -> set[TArc]:
        return {(each.line, each.to) for each in self._outcomes}

    def exit_counts(self) -> dict[TLineNo, int]:
        return Counter(each.line for each in self._outcomes)

    def missing_arc_description(
        self, start: TLineNo, end: TLineNo, executed_arcs: Iterable[TArc] | None = None
    ) -> str:
        return _says(self._outcomes, start, end) or super().missing_arc_description(start, end)

    def source(self) -> str:
        return Path(self.filename).read_bytes().decode(errors="replace")

    def source_token_lines(self) -> TSourceTokenLines:
        line: list[tuple[str, str]] = []
        for kind, text in _pieces(self._text.code):
            first, *others = split_lines(text)
            line += [(kind, first.decode(errors="replace"))] if first else []
            for other in others:
                yield line
                line = [(kind, other.decode(errors="replace"))] if other else []
        if line:
            yield line

    def code_regions(self) -> Iterable[CodeRegion]:
        root = parsed(self._text.code).root_node
        for node in outermost(root, "function_declaration"):
            name = node.child_by_field_name("name")
            shown = name.text.decode(errors="replace") if name is not None and name.text else ""
            first, last = node.start_point.row + 1, node.end_point.row + 1
            yield CodeRegion("function", shown, first, set(range(first + 1, last + 1)))

    def code_region_kinds(self) -> Iterable[tuple[str, str]]:
        return [("function", "functions")]


class PythonWithLuaReporter(PythonFileReporter):
    """A Python file with strings of Lua: their lines count, too."""

    @cached_property
    def _texts(self) -> tuple[Text, ...]:
        try:
            return texts_of(self.filename)
        except OSError:
            return ()

    @cached_property
    def _excluded(self) -> set[int]:
        python = super().excluded_lines() - self._lua_lines
        return python.union(*map(self._left_out.lines, self._texts))

    @cached_property
    def _left_out(self) -> LeftOut:
        return LeftOut(self.coverage)

    @cached_property
    def _lua_lines(self) -> set[int]:
        """Lines of Lua on which no statement of Python begins."""
        lines: set[int] = set().union(*(text.lines for text in self._texts))
        hidden = {
            line
            for line in lines
            # A string in a statement that is excluded.
            if self.multiline_map().get(line, line) in self._excluded_python
        }
        return lines - super().lines() - hidden

    @cached_property
    def _excluded_python(self) -> set[int]:
        """The first lines of statements that are excluded, except for a body of ``...``.

        coverage.py excludes a function with such a body by default, with its decorators. One of
        these may be ``typed_script``, with a script that does run.
        """
        if not self._texts:
            return set()
        excluding = own_patterns(self.coverage, "report:exclude_lines")
        parser = PythonParser(filename=self.filename, exclude=join_regex(excluding))
        parser.parse_source()
        return parser.excluded

    @cached_property
    def _outcomes(self) -> list[Outcome]:
        included = _included(self._texts, self._excluded)
        return [each for each in included if each.line in self._lua_lines]

    def lines(self) -> set[TLineNo]:
        return super().lines() | (self._lua_lines - self._excluded)

    def excluded_lines(self) -> set[TLineNo]:
        return self._excluded

    def no_branch_lines(self) -> set[TLineNo]:
        return super().no_branch_lines().union(*map(self._left_out.branches, self._texts))

    def translate_lines(self, lines: Iterable[TLineNo]) -> set[TLineNo]:
        lines = set(lines)
        lua = lines & self._lua_lines
        return super().translate_lines(lines - lua) | lua

    def arcs(self) -> set[TArc]:
        return super().arcs() | {(each.line, each.to) for each in self._outcomes}

    def translate_arcs(self, arcs: Iterable[TArc]) -> set[TArc]:
        arcs = set(arcs)
        lua = {arc for arc in arcs if arc[0] in self._lua_lines or arc[1] in self._lua_lines}
        return super().translate_arcs(arcs - lua) | lua

    def exit_counts(self) -> dict[TLineNo, int]:
        return {**super().exit_counts(), **Counter(each.line for each in self._outcomes)}

    def missing_arc_description(
        self, start: TLineNo, end: TLineNo, executed_arcs: Iterable[TArc] | None = None
    ) -> str:
        said = _says(self._outcomes, start, end)
        return said or super().missing_arc_description(start, end, executed_arcs)

    def arc_description(self, start: TLineNo, end: TLineNo) -> str:
        if start in self._lua_lines:
            return FileReporter.arc_description(self, start, end)
        return super().arc_description(start, end)


class LuaInPythonReporter(PythonWithLuaReporter):
    """The strings of Lua in a Python file that was not measured itself."""

    def lines(self) -> set[TLineNo]:
        return self._lua_lines - self._excluded

    def arcs(self) -> set[TArc]:
        return {(each.line, each.to) for each in self._outcomes}

    def exit_counts(self) -> dict[TLineNo, int]:
        return Counter(each.line for each in self._outcomes)


def _included(texts: Iterable[Text], excluded: set[int]) -> list[Outcome]:
    outcomes = (outcome for text in texts for outcome in text.outcomes)
    return [each for each in outcomes if excluded.isdisjoint((each.line, each.to))]


def _says(outcomes: Iterable[Outcome], start: int, end: int) -> str | None:
    return next((each.says for each in outcomes if (each.line, each.to) == (start, end)), None)


def _tokens(node: Node) -> Iterator[tuple[Node, str]]:
    """The leaves of a tree, with coverage.py's classes for its colours."""
    pending = [node]
    while pending:
        each = pending.pop()
        if each.type in _CLASSES:
            yield each, _CLASSES[each.type]
        elif not each.children:
            yield each, "key" if each.type.isalpha() else "op"
        else:
            pending += reversed(each.children)


def _pieces(code: bytes) -> Iterator[tuple[str, bytes]]:
    """All of a text in order, with the classes of its parts."""
    at = 0
    for node, kind in _tokens(parsed(code).root_node):
        # A comment may have a part of the end of its line.
        text = code[node.start_byte : node.end_byte].rstrip(b"\r\n")
        if at < node.start_byte:
            yield "ws", code[at : node.start_byte]
        yield kind, text
        at = node.start_byte + len(text)
    if at < len(code):
        yield "ws", code[at:]
