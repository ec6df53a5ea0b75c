"""What the timers of many calls add up to: by line, by command, and by stack."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from ..declared.lines import split_lines
from ..declared.source import SourceMap
from ._timers import Timed


@dataclass
class Node:
    """A function, a line of one, or a command that a line calls."""

    name: str
    kind: str
    """``script``, ``function``, ``line`` or ``command``."""
    line: int = 0
    """The line of the text: its own, of a command that calls it, of a function that defines it."""
    count: int = 0
    micros: float = 0.0
    """Its own time, without that of the nodes below it."""
    below: dict[str, Node] = field(default_factory=dict)
    total: float = 0.0
    """Its time with that of the nodes below it, once `add_up` has run."""


@dataclass(frozen=True)
class Row:
    """A line, or a command."""

    count: int
    micros: float
    margin: float = 0.0
    """How far off the time of a line may be, in microseconds, either way."""

    def is_about(self, other: Row) -> bool:
        """Whether the measurement does not tell two lines apart."""
        return abs(self.micros - other.micros) <= self.margin + other.margin


@dataclass(frozen=True)
class Hot:
    """One of the lines that take the most time."""

    number: int
    """Of the line, in the text."""
    row: Row
    is_tied: bool
    """It is in a group of lines with the line before it."""


# How much of a line's time, and of the time of the timers that were subtracted from it, differs
# from run to run. That is more than calls of one run differ: each server has its memory elsewhere,
# and other programs use the processor's caches. With less, fewer of ten runs had the same order;
# so had groups whose lines are all about as long as their first.
_OF_LINE, _OF_TIMERS = 0.12, 0.03
_HOTTEST, _MOST = 5, 10
"""How many lines are the hottest, and how many with those that cannot be told from the fifth."""
_LEAST = 0.01
"""The share of the whole below which a line is none of them."""


@dataclass
class _Spread:
    """How much a line's time differs from call to call."""

    sum: float = 0.0
    squares: float = 0.0
    timers: float = 0.0

    def add(self, micros: float) -> None:
        self.sum += micros
        self.squares += micros * micros

    def margin(self, calls: int) -> float:
        """How far off the sum may be."""
        off = _OF_LINE * abs(self.sum) + _OF_TIMERS * self.timers
        if calls < 2:
            return abs(self.sum) + off
        variance = max(self.squares - self.sum * self.sum / calls, 0.0) / (calls - 1)
        return 2 * math.sqrt(variance * calls) + off


@dataclass(frozen=True)
class Failed:
    """A call that failed."""

    words: str
    """What the script raised or returned."""
    line: int | None
    """The line of the text that raised it; None if the script returned it."""


class Profile:
    """The figures of all calls."""

    def __init__(self, name: str, code: bytes, timed: Timed, source_map: SourceMap | None) -> None:
        self.root = Node(name, "script")
        self.calls = self.failed = 0
        self.first_failure: Failed | None = None
        self.probes = 0.0
        """How long the timers took, in microseconds; it is subtracted."""
        self._measured = 0.0
        self._timed = timed
        self._name, self._code, self._map = name, code, source_map
        self._of_line: list[float] = []
        self._spreads: defaultdict[int, _Spread] = defaultdict(_Spread)

    def add(self, reply: Any) -> None:
        """Add what a call of the text with timers returned."""
        is_done, why, failed_at, total, of_line, of_call, of_new, tree = reply
        self.calls += 1
        self._measured += float(total)
        self._of_line.append(float(of_line))
        self.failed += not is_done
        failed_in: int | None = None
        path = [self.root]
        of_lines: defaultdict[int, float] = defaultdict(float)

        def add(node: Node, micros: float, timers: float = 0.0) -> None:
            node.micros += micros - timers
            self.probes += timers
            of_lines[node.line] += micros - timers
            self._spreads[node.line].timers += timers

        for number, each in enumerate(tree.decode(errors="replace").split("\n"), 1):
            depth, count, micros, key = each.split(" ", 3)
            node = self.root if depth == "0" else self._below(path[int(depth) - 1], key)
            path[int(depth) :] = [node]
            node.count += int(count)
            times = int(count)
            add(node, float(micros))
            if number == failed_at:
                failed_in = node.line or None
            if node.kind == "script":
                continue
            above = path[-2]
            # A timer reads the clock halfway: a part of its time is before, the rest after.
            if node.kind == "command":
                add(node, 0, times * float(of_call) / 2 + float(of_new))
                add(above, 0, times * float(of_call) / 2)
            else:
                add(node, 0, times * float(of_line) + float(of_new))
            if node.kind == "function":
                # It is left, too.
                add(above, 0, times * float(of_line))
        for line, own in of_lines.items():
            self._spreads[line].add(own)
        if not is_done and self.first_failure is None:
            self.first_failure = Failed(why.decode(errors="replace"), failed_in)

    @property
    def micros(self) -> float:
        """How long all calls took on the server, without the timers."""
        return self._measured - self.probes

    @property
    def of_line(self) -> float:
        """How long a timer takes, in microseconds."""
        return sum(self._of_line) / len(self._of_line) if self._of_line else 0.0

    def lines(self) -> dict[int, Row]:
        """The lines of the text that ran: each with its commands, without functions it calls."""
        rows: defaultdict[int, list[float]] = defaultdict(lambda: [0, 0.0])
        entered: Counter[int] = Counter()
        for node in _all(self.root):
            if node.kind == "line":
                commands = (each for each in node.below.values() if each.kind == "command")
                rows[node.line][0] += node.count
                rows[node.line][1] += node.micros + sum(each.micros for each in commands)
            elif node.kind in ("function", "script"):
                # Before its first line; of a function, that is the line that defines it.
                line = node.line or min((each.line for each in node.below.values()), default=1)
                rows[line][1] += node.micros
                entered[line] += node.count if node.kind == "function" else 0
        # The line that defines a library's function runs while that is loaded.
        return {
            line: Row(
                int(row[0]) or entered[line],
                max(row[1], 0.0),
                self._spreads[line].margin(self.calls),
            )
            for line, row in sorted(rows.items())
        }

    def hottest(self) -> list[Hot]:
        """The five lines that take the most time, and those that cannot be told from the fifth.

        A group of lines, each of which cannot be told from the next slower one, is in the order of
        the text, which is the same in each run.
        """
        groups: list[list[tuple[int, Row]]] = []
        for number, row in sorted(self.lines().items(), key=lambda each: -each[1].micros)[:_MOST]:
            if self.share(row.micros) < _LEAST:
                break
            if groups and groups[-1][-1][1].is_about(row):
                groups[-1].append((number, row))
            elif sum(map(len, groups)) < _HOTTEST:
                groups.append([(number, row)])
            else:
                break
        return [
            Hot(number, row, is_tied=at > 0)
            for group in groups
            for at, (number, row) in enumerate(sorted(group, key=lambda each: each[0]))
        ]

    def commands(self) -> dict[str, Row]:
        """The commands, the slowest first."""
        rows: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0])
        for node in _all(self.root):
            if node.kind == "command":
                rows[node.name][0] += node.count
                rows[node.name][1] += node.micros
        found = {name: Row(int(row[0]), max(row[1], 0.0)) for name, row in rows.items()}
        return dict(sorted(found.items(), key=lambda each: -each[1].micros))

    def source(self) -> list[tuple[str, int, str]]:
        """Of each line of the text, its file, its line there, and itself."""
        lines = [line.decode(errors="replace") for line in split_lines(self._code)]
        if not lines[-1]:
            # After the last line's end.
            del lines[-1]
        if self._map is None:
            return [(self._name, number, line) for number, line in enumerate(lines, 1)]
        places = [self._map.place(number) for number in range(1, len(lines) + 1)]
        return [(at.file, at.line, line) for at, line in zip(places, lines, strict=True)]

    def share(self, micros: float) -> float:
        """A part of the whole, from 0 to 1."""
        return micros / self.micros if self.micros > 0 else 0.0

    def _below(self, node: Node, key: str) -> Node:
        if key not in node.below:
            node.below[key] = self._made(key, node)
        return node.below[key]

    def _made(self, key: str, above: Node) -> Node:
        if key.startswith("-") and key[1:].isdigit():
            name, line = self._timed.functions[int(key[1:]) - 1]
            return Node(name, "function", line)
        if not key.isdigit():
            return Node(key, "command", above.line)
        line = int(key)
        if self._map is None:
            return Node(f"{self._name}:{line}", "line", line)
        return Node(str(self._map.place(line)), "line", line)


def stacks(root: Node) -> list[tuple[tuple[str, ...], float]]:
    """The stacks and their own microseconds, as flame graphs take them.

    What ran took at least a nanosecond, whatever is left of it without the timers.
    """
    found = []
    pending: list[tuple[tuple[str, ...], Node]] = [((root.name,), root)]
    while pending:
        path, node = pending.pop()
        if node.count:
            found.append((path, max(node.micros, 0.001)))
        pending += [((*path, each.name), each) for each in node.below.values()]
    return sorted(found)


def add_up(root: Node) -> None:
    """Give each node its total."""
    # Not by recursion: a script's calls may be deeper than Python's.
    for node in reversed(_all(root)):
        # It can be negative, if the timers took less time than was measured for them.
        node.total = max(node.micros, 0.0) + sum(each.total for each in node.below.values())


def _all(root: Node) -> list[Node]:
    """All nodes, each before those below it."""
    found, pending = [], [root]
    while pending:
        node = pending.pop()
        found.append(node)
        pending += node.below.values()
    return found
