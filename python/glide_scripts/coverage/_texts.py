"""The texts of Lua that are measured: in ``.lua`` files, and in strings of ``.py`` files."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from ..declared.lines import split_lines
from ..probes.program import Outcome, Program, program
from ._strings import Literal, literals

# A string without any of these is not taken for Lua.
_LUA = re.compile(rb"\b(?:KEYS|ARGV|redis|server)\b")


@dataclass(frozen=True)
class Text:
    """A text of Lua in a file."""

    code: bytes
    places: tuple[int, ...]
    """The file's line of each of its lines."""
    literal: Literal | None = None
    """Where it is a string in a Python file, that string."""
    taken: frozenset[tuple[int, int]] = frozenset()
    """The arcs of the file's other texts: two of them may share a line."""

    @cached_property
    def program(self) -> Program | None:
        """What can run in it; None if it does not parse."""
        return program(self.code)

    @cached_property
    def lines(self) -> frozenset[int]:
        """The file's lines on which statements begin."""
        statements = () if self.program is None else self.program.statements
        return frozenset(self.place(each.line) for each in statements)

    @cached_property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Those of its decisions, by the file's lines."""
        if self.program is None:
            return ()
        placed: dict[tuple[int, int], Outcome] = {}
        for each in self.program.outcomes:
            line, to = self.place(each.line), each.to if each.to < 0 else self.place(each.to)
            # Two lines of the text may be one of the file.
            while to == line or (line, to) in placed or (line, to) in self.taken:
                to = min(to, 0) - 1
            says = each.says.replace(f"line {each.line} ", f"line {line} ")
            placed[line, to] = Outcome(line, to, says)
        return tuple(placed.values())

    def place(self, line: int) -> int:
        """Return the file's line of a line of the text."""
        return self.places[min(line, len(self.places)) - 1]


def texts_of(path: str) -> tuple[Text, ...]:
    """Return the texts in a file.

    Raises:
        OSError: It cannot be read.
    """
    status = os.stat(path)
    return _texts_of(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _texts_of(path: str, _changed: int, _size: int) -> tuple[Text, ...]:
    data = Path(path).read_bytes()
    if path.endswith(".lua"):
        return (Text(data, tuple(range(1, len(split_lines(data)) + 1))),)
    return tuple(_strings(data)) if _LUA.search(data) else ()


def _strings(source: bytes) -> Iterator[Text]:
    """The strings of several lines in a Python file that are Lua.

    A line on which a statement of Python begins belongs to Python.
    """
    taken: frozenset[tuple[int, int]] = frozenset()
    for literal in literals(source):
        if "\n" not in literal.text or not _LUA.search(literal.text.encode(errors="replace")):
            continue
        texts = (Text(code, literal.places, literal, taken) for code in literal.filled())
        text = next((each for each in texts if each.program is not None), None)
        if text is not None:
            yield text
            taken = taken.union((each.line, each.to) for each in text.outcomes)


def forms(text: Text) -> Iterator[Text]:
    """Return a text in the forms in which programs send it: as it is, dedented, stripped."""
    dedented = textwrap.dedent(text.code.decode(errors="replace")).encode(errors="replace")
    for code in (text.code, dedented):
        yield replace(text, code=code)
        first = len(split_lines(code[: len(code) - len(code.lstrip())])) - 1
        yield replace(text, code=code.strip(), places=text.places[first:])
