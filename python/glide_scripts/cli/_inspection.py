"""What a script under the debugger holds: its frames, their variables, and values of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..testing._wire import Word
from ._frame_probes import Variable
from ._ldb import Event, NotTakenError, Session, Stopped
from ._lua_value import lua_string, readable

STEP = "step over"
BREAKPOINT = "break point"
_TRACED = re.compile(r"(?:->|  )[# ] *(\d+)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b"}


@dataclass(frozen=True)
class Value:
    """A value in Lua's words."""

    name: str
    text: str
    kind: str
    """Its type in Lua; empty if only the server's text of it is known."""
    ref: int = 0
    """Of a table, what ``fields`` takes, until the script goes on; else 0."""


@dataclass(frozen=True)
class Frame:
    """A function that runs, at a line of the text that was sent."""

    name: str
    line: int
    function: int | None = None
    """Which of the program's; None if that is not known."""
    index: int = 0
    """Where it stands among the probes' frames."""
    times: dict[int, int] = field(default_factory=dict)
    """When each of its probes ran last, in their order."""


class Inspected(Session):
    """A session that knows the script's frames and their variables."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if isinstance(self.now, Stopped) and self._is_probe(self.now, 0):
            self.resume("step")

    def resume(self, *words: Word) -> Event:
        """Let the script go on, and not stop where only probes are."""
        last = self.now.line if isinstance(self.now, Stopped) else 0
        event = super().resume(*words)
        while isinstance(event, Stopped) and event.reason == STEP and self._is_probe(event, last):
            last = event.line
            again = super().resume("step")
            event = replace(again, log=event.log + again.log)
        self.now = event
        return event

    def _is_probe(self, stopped: Stopped, last: int) -> bool:
        """Whether it stopped where it would not have stopped without probes."""
        line = stopped.line
        if self.program is None:
            return False
        # A loop's probe is the first of its body, and stands on the line of its head.
        if line in self.program.quiet or (line == last and line in self.program.loops):
            return True
        return self.program.is_entry(line) and self.frames()[0].function is None

    def frames(self) -> list[Frame]:
        """The functions that run, the innermost first."""
        traced = self.ask("trace")
        names = [name.partition(" ")[2].removesuffix(":") for name in traced[::2]]
        lines = [int(at[1]) for line in traced[1::2] if (at := _TRACED.match(line))]
        frames = [Frame(*each) for each in zip(names, lines, strict=False)]
        if self.program is None:
            return frames
        known = list(self._known())
        found: list[Frame] = []
        after = 0
        # A function that returned by a call of another is known and not traced.
        for frame in reversed(frames):
            of_line = self.program.of_line(frame.line)
            match = next((each for each in known[after:] if each[1] in of_line), None)
            if match is None:
                found.append(frame)
                continue
            index, function, times = match
            after = index
            name = self.program.functions[function].name
            found.append(Frame(name, frame.line, function, index, times))
        return found[::-1]

    def _known(self) -> Iterator[tuple[int, int, dict[int, int]]]:
        for index, text in enumerate(filter(None, self._query("list()").split(";")), start=1):
            function, _, sites = text.partition(" ")
            times = dict(each.split("=") for each in sites.split(",") if each)
            yield index, int(function), {int(site): int(time) for site, time in times.items()}

    def variables(self, frame: Frame) -> list[Value]:
        """The local variables that a frame sees."""
        probed, rest = self._places(frame, None)
        values: list[Value] = []
        for spec in _chunks(probed):
            values += self._values(f"variables({lua_string(spec)})")
        if self._has_extra(frame):
            values += self._values(f"extra({frame.index})")
        # The server shows the innermost function's variables, without their types.
        if rest and frame == self.frames()[0]:
            values += [each for name in rest if (each := self._printed(name)) is not None]
        return values

    def evaluate(self, code: str, frame: Frame) -> Value:
        """The value of an expression, or of statements, which see the frame's variables.

        Raises:
            NotTakenError: It is no Lua, or fails.
        """
        probed, rest = self._places(frame, set(_WORD.findall(code)))
        if frame.function is None or (not probed and rest):
            return self._evaluated(code)
        places = lua_string(" ".join(probed))
        (value,) = self._values(f"eval({places}, {lua_string(code)}, {frame.index})")
        return value

    def fields(self, ref: int) -> list[Value]:
        """What a table holds: its elements, and its other fields by name.

        Raises:
            NotTakenError: There is no such table, or no longer.
        """
        return self._values(f"fields({ref})")

    def forget(self) -> None:
        """Let go of the tables that were shown."""
        self._query("forget()")

    def _has_extra(self, frame: Frame) -> bool:
        if self.program is None or frame.function is None:
            return False
        return self.program.functions[frame.function].has_extra

    def _places(self, frame: Frame, only: set[str] | None) -> tuple[list[str], list[str]]:
        """Where the probes have a frame's variables, and the names of those that none has."""
        if self.program is None or frame.function is None:
            return [], []
        probed, rest = [], []
        for variable in self.program.visible(frame.function, frame.line):
            if only is not None and variable.name not in only:
                continue
            place = self._place(variable, frame)
            if place is None:
                rest.append(variable.name)
            else:
                probed.append(f"{variable.name} {frame.index} {place[0]} {place[1]}")
        return probed, rest

    def _place(self, variable: Variable, frame: Frame) -> tuple[int, int] | None:
        assert self.program is not None
        sites = self.program.sites
        for site in sorted(frame.times, key=lambda each: -frame.times[each]):
            if variable in sites[site]:
                return site, sites[site].index(variable) + 1
        return None

    def _printed(self, name: str) -> Value | None:
        answer = self.ask("print", name)
        if not answer or not answer[0].startswith("<value> "):
            return None
        return Value(name, answer[0].removeprefix("<value> "), "")

    def _evaluated(self, code: str) -> Value:
        answer = self.ask("eval", code)
        text = answer[0] if answer else ""
        if text.startswith("<error> "):
            raise NotTakenError(re.sub(r"^<error> (?:@?ldb_eval:\d+: )?", "", text))
        return Value("", re.sub(r"^<(?:retval|value)> ", "", text), "")

    def _values(self, call: str) -> list[Value]:
        return list(_parsed(self._query(call)))

    def _query(self, call: str) -> str:
        """
        Raises:
            NotTakenError: The script's variables cannot be read, or code fails.
        """
        answer = self._raw(call)
        if answer.startswith("!"):
            raise NotTakenError(re.sub(r"^eval:\d+: ", "", answer[1:]))
        return answer[1:]

    def _raw(self, call: str) -> str:
        # Texts of the script's own are cut, but not these.
        self.ask("maxlen", "0")
        try:
            # Before the first line is run, there is nothing.
            code = f"local kept = getmetatable(KEYS) return kept and kept.d.{call} or '='"
            answer = self.ask("eval", code)
        finally:
            self.ask("maxlen", "1000")
        text = (answer[0] if answer else "").removeprefix("<retval> ")
        if text.startswith('"'):
            # Servers show texts with or without quotes and escapes.
            text = _ESCAPE.sub(_unescaped, text[1:-1])
        if not text.startswith(("=", "!")):
            raise NotTakenError(f"the script's variables cannot be read: {text}")
        return text


def _unescaped(found: re.Match[str]) -> str:
    escape = found[1]
    if len(escape) == 3:
        return chr(int(escape[1:], 16))
    return _CONTROLS.get(escape, escape)


def _parsed(text: str) -> Iterator[Value]:
    """The values of an answer: name, text, type and number of each, with their lengths."""
    parts, at = [], 0
    while at < len(text):
        colon = text.index(":", at)
        end = colon + 1 + int(text[at:colon])
        parts.append(text[colon + 1 : end])
        at = end
    for name, shown, kind, ref in zip(*[iter(parts)] * 4, strict=True):
        yield Value(readable(name), readable(shown), kind, int(ref))


def _chunks(places: list[str]) -> Iterator[str]:
    """Places in texts that the debugger takes as a word."""
    for start in range(0, len(places), 12):
        yield " ".join(places[start : start + 12])
