"""Going on in a debugged script: by steps, and to breakpoints whose conditions hold."""

import operator
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..declared.lines import Place
from ..probes.program import parsed
from ._inspection import BREAKPOINT, STEP, Inspected
from ._ldb import Event, Listing, NotTakenError, Stopped

_HITS = re.compile(r"(==|=|>=|>|<=|<|%)?\s*([1-9]\d{0,8})")
_VALUE = re.compile(r"\{([^{}]+)\}")
_MAX_BREAKPOINTS = 64
_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "%": lambda count, number: count % number == 0,
}


@dataclass(frozen=True)
class Breakpoint:
    """When a script stops at a place, or what it says there instead."""

    condition: str = ""
    """An expression; empty: in any case."""
    hits: str = ""
    """How often it is to be reached: ``3``, ``>= 3`` or ``% 3``; empty: once."""
    says: str = ""
    """A text with expressions in braces: it is told, and the script goes on. Empty: it stops."""

    def __post_init__(self) -> None:
        """
        Raises:
            NotTakenError: The condition is no expression, or the count is none.
        """
        if self.condition and not _is_expression(self.condition):
            raise NotTakenError(
                f"{self.condition!r} is not a condition; write an expression, such as n > 3"
            )
        if self.hits and not _HITS.fullmatch(self.hits):
            raise NotTakenError(f"{self.hits!r} is not a count of hits; write 3, >= 3 or % 3")

    def is_hit(self, count: int) -> bool:
        """Whether the script stops at the hit of that number."""
        found = _HITS.fullmatch(self.hits)
        return found is None or _COMPARED[found[1] or "=="](count, int(found[2]))


def breakpoint_of(listing: Listing, spec: str) -> tuple[Place, Breakpoint]:
    """The place and the condition of ``12 if n > 3``.

    Raises:
        NotTakenError: There is no such line, or no condition.
    """
    at, *given = re.split(r"\sif\b", spec, maxsplit=1)
    condition = given[0].strip() if given else ""
    if given and not condition:
        raise NotTakenError("if takes a condition, as in: break 12 if n > 3")
    return listing.find(at.strip()), Breakpoint(condition)


def _is_expression(code: str) -> bool:
    return not parsed(f"return (\n{code}\n)".encode(errors="replace")).root_node.has_error


class Stepper:
    """Lets a script go on, and decides where it stops."""

    def __init__(
        self,
        session: Inspected,
        listing: Listing,
        breaks: dict[Place, Breakpoint],
        tell: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        """
        Args:
            session: The session.
            listing: The lines of its script.
            breaks: The breakpoints; they may change while the script stands.
            tell: Is called with what is wrong with a condition.
            say: Is called with what a breakpoint says.
        """
        self._session, self._listing = session, listing
        self._breaks, self._tell, self._say = breaks, tell, say
        self._hits: Counter[Place] = Counter()
        self.is_to_pause = False
        """Whether ``next`` and ``out`` are to stop at the next line."""

    def set(self, place: Place) -> None:
        """Let the server stop at a place.

        Raises:
            NotTakenError: It does not.
        """
        answer = self._session.ask("break", self._listing.sent(place) or 0)
        if not any(line.startswith(("->", "  ", "  #")) for line in answer):
            if len(self._breaks.keys() | {place}) > _MAX_BREAKPOINTS:
                raise NotTakenError(f"the server takes at most {_MAX_BREAKPOINTS} breakpoints")
            raise NotTakenError(f"{place}: {' '.join(answer)}")

    def set_all(self) -> None:
        """Let the server stop at these breakpoints, and no others."""
        # All are set again: asked to delete one of several, a server may delete another.
        self._session.ask("break", 0)
        for place in sorted(self._breaks, key=str):
            self.set(place)

    def go(self, word: str) -> Event:
        """Resume with ``step`` or ``continue``, and pass breakpoints whose conditions fail."""
        event = self._session.resume(word)
        while (
            isinstance(event, Stopped) and event.reason == BREAKPOINT and not self.is_to_stop(event)
        ):
            if word == "step":
                return replace(event, reason=STEP)
            again = self._session.resume(word)
            event = replace(again, log=event.log + again.log)
        return event

    def to_depth(self, relative: int) -> Event:
        """Step until the call depth is at most the current one plus ``relative``."""
        self.is_to_pause = False
        depth = self._session.depth() + relative
        event = self.go("step")
        while (
            isinstance(event, Stopped)
            and event.reason == STEP
            and self._session.depth() > depth
            and not self.is_to_pause
        ):
            again = self.go("step")
            event = replace(again, log=event.log + again.log)
        return event

    def is_to_stop(self, stopped: Stopped) -> bool:
        """Whether the script stops at the breakpoint of its line, if there is one."""
        place = self._listing.place(stopped.line)
        found = self._breaks.get(place)
        if found is None:
            return False
        if found.condition:
            try:
                value = self._evaluated(found.condition)
            except NotTakenError as error:
                self._tell(f"the condition {found.condition!r} fails: {error}")
                return True
            if value in ("false", "nil"):
                return False
        self._hits[place] += 1
        if not found.is_hit(self._hits[place]):
            return False
        if found.says:
            self._say(_VALUE.sub(self._inserted, found.says))
        return not found.says

    def _evaluated(self, code: str) -> str:
        return self._session.evaluate(code, self._session.frames()[0]).text

    def _inserted(self, found: re.Match[str]) -> str:
        try:
            return self._evaluated(found[1])
        except NotTakenError as error:
            return f"<{error}>"
