"""Going on in a debugged script: by steps, and to breakpoints whose conditions hold."""

import re
from collections.abc import Callable
from dataclasses import replace

from ..declared.lines import Place
from ._inspection import BREAKPOINT, STEP, Inspected
from ._ldb import Event, Listing, NotTakenError, Stopped


def breakpoint_of(listing: Listing, spec: str) -> tuple[Place, str]:
    """The place and the condition of ``12 if n > 3``; the condition is empty if there is none.

    Raises:
        NotTakenError: There is no such line, or no condition.
    """
    at, *given = re.split(r"\sif\b", spec, maxsplit=1)
    condition = given[0].strip() if given else ""
    if given and not condition:
        raise NotTakenError("if takes a condition, as in: break 12 if n > 3")
    return listing.find(at.strip()), condition


class Stepper:
    """Lets a script go on, and decides where it stops."""

    def __init__(
        self,
        session: Inspected,
        listing: Listing,
        breaks: dict[Place, str],
        tell: Callable[[str], None],
    ) -> None:
        """
        Args:
            session: The session.
            listing: The lines of its script.
            breaks: Each breakpoint with its condition; it may change while the script stands.
            tell: Is called with what is wrong with a condition.
        """
        self._session, self._listing = session, listing
        self._breaks, self._tell = breaks, tell
        self.is_to_pause = False
        """Whether ``next`` and ``out`` are to stop at the next line."""

    def set(self, place: Place) -> None:
        """Let the server stop at a place.

        Raises:
            NotTakenError: It does not.
        """
        answer = self._session.ask("break", self._listing.sent(place) or 0)
        if not any(line.startswith(("->", "  ", "  #")) for line in answer):
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
        while isinstance(event, Stopped) and event.reason == BREAKPOINT and not self._holds(event):
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

    def _holds(self, stopped: Stopped) -> bool:
        condition = self._breaks.get(self._listing.place(stopped.line))
        if not condition:
            return True
        try:
            value = self._session.evaluate(condition, self._session.frames()[0])
        except NotTakenError as error:
            self._tell(f"the condition {condition!r} fails: {error}")
            return True
        return value.text not in ("false", "nil")
