"""Measuring the scripts that this process sends, for one ``Coverage`` of coverage.py."""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from coverage import Coverage
from coverage.exceptions import CoverageWarning
from coverage.files import canonical_filename, relative_filename

from ..declared.lines import split_lines
from ..declared.source import SourceMap
from ..probes import logs
from ..probes.commands import substitute
from ..probes.insertion import Form, Insertions, Probe, insertions, too_many_variables
from ..probes.program import Program, program
from ..probes.substitutes import Substitutes
from ._reporters import only_lua
from ._scope import Scope
from ._texts import Text, texts_of

if TYPE_CHECKING:
    from coverage import CoverageData

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
# Before the line of a statement that ran there is no line that led to it.
_ENTRY = -1

Hit: TypeAlias = tuple[str, int, int]
"""A file, and an arc in it: a line that led to another, or ``_ENTRY`` and a line that ran."""
Places: TypeAlias = Callable[[int], tuple[str, Text, int]]
"""Gives a line's file, its text there, and its line in the file."""


class Measuring:
    """What the scripts of this process have run, until it is written to coverage.py's data."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage
        self._scope = Scope(coverage)
        self._id = os.urandom(4).hex()
        self._hits: dict[str, list[list[Hit]]] = {}
        self._static_context = str(coverage.get_option("run:context") or "")
        self._found: defaultdict[str, set[Hit]] = defaultdict(set)
        self._warned: set[str] = set()
        self.unplaced: set[str] = set()
        """Where measured files send texts of several lines that are in no measured file."""
        self._get_data = coverage.get_data
        # Not `get_data`, which complains if there is none yet.
        data = coverage._data
        assert data is not None
        self._set_context = data.set_context
        self._context = data._current_context or self._static_context
        """Of the test that runs, or ran last."""

    def begin(self) -> None:
        """Measure from now on."""
        # Through these two coverage.py says when a test begins, and when the data is wanted.
        set_method(self.coverage._data, "set_context", self._switched)
        set_method(self.coverage, "get_data", self._data)
        logs.listen(self._ran)
        substitute(Substitutes(self.insert))

    def end(self, before: Substitutes | None) -> None:
        """Measure no more, and send again what was sent before."""
        substitute(before)
        logs.unlisten(self._ran)

    def _switched(self, context: str | None) -> str | None:
        logs.read()
        # With the setting dynamic_context, a test has no context while its coroutine waits for a
        # script.
        if context and context != self._static_context:
            self._context = context
        return self._set_context(context)

    def _data(self) -> CoverageData:
        logs.read()
        if self._found:
            # There may be no data of Python.
            self.coverage._warn_no_data = False
        data = self._get_data()
        before = data._current_context
        name = relative_filename if self.coverage.get_option("run:relative_files") else str
        has_branches = bool(self.coverage.get_option("run:branch"))
        add: Callable[[Any], None] = data.add_arcs if has_branches else data.add_lines
        # So the data is of lines or of arcs, even if nothing ran.
        add({})
        for context, hits in self._found.items():
            self._set_context(context)
            lines: defaultdict[str, set[Any]] = defaultdict(set)
            for path, line, to in hits:
                if has_branches:
                    lines[name(path)].add((line, to))
                elif line == _ENTRY:
                    lines[name(path)].add(to)
            add(lines)
        self._set_context(before)
        self._found.clear()
        if self._scope.has_source:
            is_of_lua = self.coverage in only_lua
            files = self._scope.files_with_lua() if is_of_lua else self._scope.lua_files()
            data.touch_files([name(path) for path in files])
        return data

    def _ran(self, id: str, probe: int) -> None:
        """Note what a server's log says."""
        hits = self._hits.get(id)
        if hits is not None and probe <= len(hits):
            self._found[self._context].update(hits[probe - 1])

    def insert(self, code: bytes, source_map: SourceMap | None) -> bytes | None:
        """Return a text with probes, if it is of a file that is measured."""
        found = self.probes(code, source_map)
        return None if found is None else found.into(code)

    def probes(
        self, code: bytes, source_map: SourceMap | None, form: Form | None = None
    ) -> Insertions | None:
        """Return the probes for a text, if it is of a file that is measured."""
        standing = self._standing(code, source_map)
        if not standing and b"\n" in code and (sender := self._sender()) is not None:
            self.unplaced.add(sender)
        if not standing or (parsed := program(code)) is None:
            return None
        if form is None and (why := too_many_variables(code, parsed)) is not None:
            path = standing[0](1)[0]
            self._warn(path, f"has {why}, and no room for probes; it is not measured")
            return None
        id = f"{self._id}x{len(self._hits)}"
        found = insertions(code, parsed, id, form)
        hits: list[list[Hit]] = [[] for _ in found.probes]
        for places in standing:
            self._add_hits(hits, found.probes, parsed, places)
        if not any(hits):
            return None
        self._hits[id] = hits
        return found

    def _add_hits(
        self, hits: list[list[Hit]], probes: list[Probe], parsed: Program, places: Places
    ) -> None:
        """Add what each probe of a text says of one place that the text stands at."""
        # A file's outcomes are those of the file alone, in its order.
        numbers: dict[int, tuple[str, Text, int]] = {}
        seen: Counter[str] = Counter()
        for number, outcome in enumerate(parsed.outcomes):
            path, part, _ = places(outcome.line)
            numbers[number] = path, part, seen[path]
            seen[path] += 1
        for hit, probe in zip(hits, probes, strict=True):
            said: list[Hit] = []
            for line in (probe.line, *probe.others) if probe.outcome is None else probe.others:
                path, part, at = places(line)
                # Text that comes from a value which Python inserted is in no file.
                if at in part.lines:
                    said.append((path, _ENTRY, at))
            if probe.outcome is not None:
                path, part, number = numbers[probe.outcome]
                at, outcomes = places(probe.line)[2], part.outcomes
                if number < len(outcomes) and outcomes[number].line == at:
                    said.append((path, at, outcomes[number].to))
            hit += [each for each in said if self._scope.contains(each[0])]

    def _standing(self, code: bytes, source_map: SourceMap | None) -> list[Places]:
        """Return the places that a text stands at: the same string may be in several files."""
        if source_map is None or not source_map.paths:
            return [partial(_place, *found) for found in self._scope.find(code)]
        places = self._in_files(code, source_map)
        return [] if places is None else [places]

    def _in_files(self, code: bytes, source_map: SourceMap) -> Places | None:
        """Return the place of a text that files were put together to."""
        files: list[tuple[str, Text]] = []
        lines: list[list[bytes]] = []
        for each in source_map.paths:
            if each is None:
                return None
            path = canonical_filename(each)
            try:
                (text,) = texts_of(path)
            except OSError:
                return None
            files.append((path, text))
            lines.append(split_lines(text.code))
        sent = split_lines(code)
        for number, (file, line) in enumerate(source_map.lines):
            if number < len(sent) and lines[file][line - 1 : line] != [sent[number]]:
                path = files[file][0]
                why = "has changed since it was loaded, and is not measured; load it again"
                self._warn(path, why)
                return None
        return lambda line: (*files[source_map.lines[line - 1][0]], source_map.lines[line - 1][1])

    def _sender(self) -> str | None:
        """Where a text is sent now, if that is in a measured file."""
        frame = sys._getframe()
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
            frame = frame.f_back
        path = canonical_filename(frame.f_code.co_filename)
        return f"{relative_filename(path)}:{frame.f_lineno}" if self._scope.contains(path) else None

    def _warn(self, path: str, why: str) -> None:
        if path not in self._warned and self._scope.contains(path):
            self._warned.add(path)
            warnings.warn(f"{relative_filename(path)} {why}", CoverageWarning, stacklevel=2)


def _place(path: str, text: Text, places: tuple[int, ...], line: int) -> tuple[str, Text, int]:
    return path, text, places[min(line, len(places)) - 1]


def set_method(of: object, name: str, method: Callable[..., Any]) -> None:
    """Put a function in the place of a method of one object, or of a class."""
    setattr(of, name, method)
