"""What the timers of many calls add up to: by line, by command, and by stack."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median_low
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
    steps: float = 0.0
    """The part of this that does not grow with the time, such as the clock's steps."""

    def times(self, other: Row) -> float:
        """How many times as long as a shorter line it takes at the least; a logarithm."""
        least, most = self.micros - self.steps, other.micros + other.steps
        return math.log(least / most) if least > most > 0 else 0.0


@dataclass(frozen=True)
class Hot:
    """One of the lines that take the most time."""

    number: int
    """Of the line, in the text."""
    row: Row
    is_tied: bool
    """It is in a group of lines with the line before it."""
    is_short: bool = False
    """It takes less than a timer can tell."""


# How much a line's time, and that of the timers that were subtracted from it, may differ from run
# to run.
_OF_LINE, _OF_TIMERS = 0.1, 0.03
# Lines that differ by less than a twentieth are in one group of the hottest, lines that differ by
# more than a third are not.
_ALIKE = (math.log(1.05), math.log(1.35))
_HOTTEST, _MOST = 5, 10
"""How many lines are the hottest, and at most how many of them are parted into groups."""
_LEAST = 0.01
"""The share of the whole below which a line is none of them."""
_IN_GROUP = 16
"""How many calls are in a group."""
_SELDOM_SLOW = 2.0
"""How much longer than its quicker half a line may take on average, compared with other lines."""
_BUSY = 3.0
"""How much longer than their quicker half lines take on a very busy machine."""
_SHORT = (math.log(0.35), math.log(0.7))
"""The part of a timer that a line must take each time to be told from shorter ones."""
_KEPT = 0.2
"""The part of a line's time that remains, however much its timers disturbed it."""


@dataclass
class _Group:
    """A line in calls that were made together."""

    micros: float = 0.0
    """Without the timers."""
    count: int = 0

    def __add__(self, other: _Group) -> _Group:
        return _Group(self.micros + other.micros, self.count + other.count)

    @property
    def each(self) -> float:
        return self.micros / max(self.count, 1)


class _Groups:
    """The figures of something in groups of calls, one after the other.

    Whatever else runs on the machine, it disturbs some groups more than others. So the time is
    that of the quicker half of the groups. In ten runs on a busy machine, times differed half as
    much as those of all calls, and the order was the same more often than with medians, with the
    quickest calls, or with larger groups.
    """

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        self._last, self._left = _Group(), _IN_GROUP
        self.timers = 0.0
        """How much time they took, in microseconds."""
        self.count_of_timers = 0

    def add(self, call: _Group) -> None:
        """Add a call."""
        self._last += call
        self._left -= 1
        if not self._left:
            self._groups.append(self._last)
            self._last, self._left = _Group(), _IN_GROUP

    @property
    def sum(self) -> _Group:
        """That of all groups."""
        return sum(self._groups, self._last)

    @property
    def quicker_half(self) -> _Group:
        """The groups in which it took the least each time, with half of its runs or more."""
        found, whole = _Group(), self.sum.count
        for group in sorted([*self._groups, self._last], key=lambda each: each.each):
            found += group
            if 2 * found.count >= whole:
                break
        return found


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
        self.micros = 0.0
        """How long all calls took on the server, without the timers, once `settle` has run."""
        self.is_corrected = False
        """Whether calls without timers have shown how long all of them take."""
        self._timed = timed
        self._name, self._code, self._map = name, code, source_map
        self._of_line: list[float] = []
        self._lines: defaultdict[int, _Groups] = defaultdict(_Groups)
        self._without_timers = _Groups()
        self._doubt: dict[int, float] = {}
        """What slow groups add to the time of a line whose other groups are quick."""

    def add_without_timers(self, reply: Any) -> None:
        """Add what a call of the text returned that has no timers in it."""
        _, _, _, total, of_line, *_ = reply
        # The clock is read at both ends.
        self._without_timers.add(_Group(max(float(total) - float(of_line), 0.0), 1))

    def add(self, reply: Any) -> None:
        """Add what a call of the text with timers returned."""
        is_done, why, failed_at, _, of_line, of_call, tree = reply
        group: defaultdict[int, _Group] = defaultdict(_Group)
        self.calls += 1
        self._of_line.append(float(of_line))
        self.failed += not is_done
        failed_in: int | None = None
        path = [self.root]

        def add(node: Node, micros: float, timers: float = 0.0, count: int = 0) -> None:
            node.micros += micros - timers
            self.probes += timers
            group[node.line].micros += micros - timers
            self._lines[node.line].timers += timers
            self._lines[node.line].count_of_timers += count

        for number, each in enumerate(tree.decode(errors="replace").split("\n"), 1):
            depth, count, micros, key = each.split(" ", 3)
            node = self.root if depth == "0" else self._below(path[int(depth) - 1], key)
            path[int(depth) :] = [node]
            times = int(count)
            node.count += times
            add(node, float(micros))
            if node.kind != "command":
                group[node.line].count += times
            if number == failed_at:
                failed_in = node.line or None
            if node.kind == "script":
                continue
            above = path[-2]
            # A timer reads the clock halfway: a part of its time is before, the rest after.
            if node.kind == "command":
                add(node, 0, times * float(of_call) / 2, times)
                add(above, 0, times * float(of_call) / 2, times)
            else:
                add(node, 0, times * float(of_line), times)
            if node.kind == "function":
                # It is left, too.
                add(above, 0, times * float(of_line), times)
        for line, each_line in group.items():
            self._lines[line].add(each_line)
        if not is_done and self.first_failure is None:
            self.first_failure = Failed(why.decode(errors="replace"), failed_in)

    def settle(self) -> None:
        """Give each line and what it calls the time that it takes if nothing disturbs it.

        Other programs do, and the timers: each leaves the processor's caches to other code. So the
        lines of short scripts add up to more than calls without timers take; those of long loops
        may add up to less, as too much is subtracted. The difference is the timers'.
        """
        found = {line: groups.sum for line, groups in self._lines.items()}
        halves = {line: groups.quicker_half.each for line, groups in self._lines.items()}
        quick = {line: max(halves[line], 0.0) * max(each.count, 1) for line, each in found.items()}
        ratios = [found[line].micros / each for line, each in quick.items() if each > 0]
        usual = min(median_low(ratios), _BUSY) if ratios else 1.0
        # With its data, a line may seldom be slow; or it was interrupted.
        self._doubt = {
            line: found[line].micros - each
            for line, each in quick.items()
            if found[line].micros > _SELDOM_SLOW * usual * each
        }
        # Also in the quicker half of the calls.
        whole = self._without_timers.quicker_half.each * self.calls
        self.is_corrected = whole > 0
        if self.is_corrected:
            self.probes += sum(quick.values()) - whole
            quick = self._undisturbed(quick, whole)
        micros = {line: each + self._doubt.get(line, 0.0) for line, each in quick.items()}
        self.micros = sum(micros.values())
        own: defaultdict[int, float] = defaultdict(float)
        counts: Counter[int] = Counter()
        for node in _all(self.root):
            node.micros = max(node.micros, 0.0)
            own[node.line] += node.micros
            counts[node.line] += node.count
        for node in _all(self.root):
            # By its count, where the timers took all that was measured.
            by_count = not own[node.line]
            part = node.count if by_count else node.micros
            node.micros = micros[node.line] * part / (counts if by_count else own)[node.line]

    def _undisturbed(self, micros: dict[int, float], whole: float) -> dict[int, float]:
        """The times of lines so that they add up to the whole: each timer took as much more.

        Or less, if the lines do not take as long as the whole.
        """

        def left(each: float) -> dict[int, float]:
            return {
                line: max(time - each * self._lines[line].count_of_timers, _KEPT * time)
                for line, time in micros.items()
            }

        least, most = -whole, max(micros.values())
        for _ in range(60):
            middle = (least + most) / 2
            if sum(left(middle).values()) > whole:
                least = middle
            else:
                most = middle
        return left(most)

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
                row[1],
                row[1] * (_OF_LINE if self.calls > 1 else 1)
                + _OF_TIMERS * self._lines[line].timers
                + steps,
                steps if self.calls > 1 else row[1],
            )
            for line, row in sorted(rows.items())
            # The clock has steps of a microsecond.
            for steps in [math.sqrt(row[0]) + self._doubt.get(line, 0.0)]
        }

    def hottest(self) -> list[Hot]:
        """The five lines that take the most time, if there are as many that take 1 % or more.

        A group of lines, each of which takes about as long as the next slower one, is in the order
        of the text, which is the same in each run. The last group is shown as a whole, so there may
        be more than five lines. Lines that take less than a timer can tell are one group, those
        that run most often first.
        """
        lines = sorted(self.lines().items(), key=lambda each: -each[1].micros)
        short = self._short(lines)
        numbers = set(map(_number, short))
        others = [
            (number, row)
            for number, row in lines
            if number not in numbers and self.share(row.micros) >= _LEAST
        ][:_MOST]
        groups = _groups(others)
        order = [
            [Hot(*each, at > 0) for at, each in enumerate(sorted(group, key=_number))]
            for group in groups
        ]
        if short:
            slowest = short[0][1].micros
            place = sum(group[0][1].micros >= slowest for group in groups)
            short.sort(key=lambda each: (-each[1].count, each[0]))
            order.insert(place, [Hot(*each, at > 0, True) for at, each in enumerate(short)])
        found: list[Hot] = []
        for each in order:
            left = _HOTTEST - len(found)
            if left > 0:
                found += each[:left] if each[0].is_short else each
        return found

    def _short(self, lines: list[tuple[int, Row]]) -> list[tuple[int, Row]]:
        """The lines that take less than a timer can tell, but may be among the hottest."""
        if not self.of_line:
            return []
        parts = {
            number: math.log(max(row.micros, 0.001) / (self.of_line * row.count))
            for number, row in lines
            if row.count
        }
        least = _clearest(parts.values(), *_SHORT)
        most = math.exp(least) * self.of_line
        fifth = max(lines[:_HOTTEST][-1][1].micros, _LEAST * self.micros)
        return [
            (number, row)
            for number, row in lines
            if parts.get(number, 0.0) < least and most * row.count >= fifth
        ]

    def commands(self) -> dict[str, Row]:
        """The commands, the slowest first."""
        rows: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0])
        for node in _all(self.root):
            if node.kind == "command":
                rows[node.name][0] += node.count
                rows[node.name][1] += node.micros
        found = {name: Row(int(row[0]), row[1]) for name, row in rows.items()}
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


def _groups(lines: list[tuple[int, Row]]) -> list[list[tuple[int, Row]]]:
    """Part lines, the slowest first, where they differ clearly."""
    differences = [more.times(less) for (_, more), (_, less) in pairwise(lines)]
    alike = _clearest(differences[:_HOTTEST], *_ALIKE)
    groups: list[list[tuple[int, Row]]] = []
    for line, difference in zip(lines, [math.inf, *differences], strict=False):
        if difference > alike:
            groups.append([])
        groups[-1].append(line)
    return groups


def _number(line: tuple[int, Row]) -> int:
    return line[0]


def _clearest(values: Iterable[float], least: float, most: float) -> float:
    """The number from the least to the most that is the farthest from all values.

    Values differ from run to run. So most likely, each of them is on the same side of this number
    in the next run.
    """
    found = sorted(values)
    middles = [(one + other) / 2 for one, other in pairwise(found)]
    return max(
        [each for each in (least, *middles, most) if least <= each <= most],
        key=lambda each: min((abs(each - value) for value in found), default=0.0),
    )


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
        node.total = node.micros + sum(each.total for each in node.below.values())


def _all(root: Node) -> list[Node]:
    """All nodes, each before those below it."""
    found, pending = [], [root]
    while pending:
        node = pending.pop()
        found.append(node)
        pending += node.below.values()
    return found
