"""A debug adapter: the debugger for editors, by the Debug Adapter Protocol.

One thread answers requests. Another lets the script go on, since that takes as long as the script.
See https://microsoft.github.io/debug-adapter-protocol/specification.
"""

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import Script, ScriptError
from ..declared.lines import Place
from ..failures.one_line import on_its_lines
from ..testing._wire import ServerReplyError
from . import _dap_bodies as bodies
from ._call_arguments import fit
from ._callee import refuse_library
from ._coverage import NOT_COVERED, Covered
from ._dap_stream import Stream
from ._failure import failure_of, script_error_text
from ._inspection import BREAKPOINT, Frame, Inspected
from ._launch import Data, Launch, Refused, data, words
from ._ldb import Ended, Event, Listing, NotTakenError, Stopped
from ._origin import Origin, origin
from ._servers import Servers
from ._shown import shown_reply
from ._stepping import Breakpoint, Stepper


class Adapter:
    """Answers the requests of one client, until it disconnects."""

    def __init__(
        self,
        stream: Stream,
        enter: Callable[[Sequence[str] | None, Data | None], Servers],
        cover: Callable[[Origin, Sequence[str] | None], Covered],
        launch: Launch,
    ) -> None:
        """
        Args:
            stream: The client.
            enter: Starts or finds the server, given its URLs or None, and what to fill it with.
            cover: Measures a script, given the same URLs.
            launch: What is debugged unless the client says otherwise.
        """
        self._stream, self._enter, self._cover, self._launch = stream, enter, cover, launch
        self._covered: Covered | None = None
        self._session: Inspected | None = None
        self._stepper: Stepper | None = None
        self._breaks: dict[Place, Breakpoint] = {}
        self._numbers = itertools.count(1)
        self._is_set: set[Place] = set()
        """The breakpoints that the server has."""
        self._frames: list[Frame] = []
        self._error: ScriptError | None = None
        """The script ended in it, and the client still looks at it."""
        self._stops_at_errors = True
        self._running: threading.Thread | None = None
        self._is_over = False

    def run(self) -> None:
        """
        Raises:
            ProtocolError: The client does not speak the protocol.
            OSError: The connection was lost.
        """
        try:
            while not self._is_over and (request := self._stream.read()) is not None:
                self._answer(request)
        finally:
            self._close()

    def _answer(self, request: dict[str, Any]) -> None:
        command = str(request.get("command"))
        method = getattr(self, f"_do_{command}", None)
        arguments = request.get("arguments") or {}
        if method is None:
            self._stream.refuse(request, f"the request {command!r} is not supported")
            return
        try:
            body = method(arguments)
        except (Refused, NotTakenError) as error:
            self._stream.refuse(request, str(error))
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            self._stream.refuse(request, failure.message)
        else:
            then = body.pop("then", None) if body else None
            self._stream.respond(request, body or {})
            if then is not None:
                then()

    # The beginning and the end

    def _do_initialize(self, _: dict[str, Any]) -> dict[str, Any]:
        return dict(bodies.CAPABILITIES)

    def _do_launch(self, given: dict[str, Any]) -> dict[str, Any]:
        source = self._source_of(given)
        keys = words(given, "keys", self._launch.keys)
        args = words(given, "args", self._launch.args)
        script = source.read()
        refuse_library(source, script)
        fit(script, source, keys, args)
        self._file, self._listing = source, Listing(script)
        self._stops_on_entry = bool(given.get("stopOnEntry"))
        urls = self._urls(given)
        if given.get("coverage", self._launch.coverage):
            self._covered = self._cover(source, urls)
        session = self._begin(self._enter(urls, data(given)), script, keys, args)
        self._stepper = Stepper(session, self._listing, self._breaks, self._complain, self._say)
        # Only now is it known which lines can have breakpoints.
        return {"then": lambda: self._stream.event("initialized")}

    def _urls(self, given: dict[str, Any]) -> Sequence[str] | None:
        url = given.get("url")
        if url is None:
            return self._launch.urls
        if not isinstance(url, str):
            raise Refused("url is not a string")
        return [url]

    def _source_of(self, given: dict[str, Any]) -> Origin:
        program, root = given.get("program"), given.get("root")
        if program is None and self._launch.origin is not None:
            return self._launch.origin
        if not isinstance(program, str) or not program:
            raise Refused("program is missing: the script's file")
        return origin(Path(program), None, Path(root) if root else None, stdin=False)

    def _begin(
        self, target: Servers, script: Script, keys: list[bytes], args: list[bytes]
    ) -> Inspected:
        try:
            session = Inspected(target, script, keys, args, self._covered)
        except ServerReplyError as error:
            raise Refused(f"{target.shown}: {error}") from error
        except OSError as error:
            raise Refused(f"{target.shown} cannot be reached: {error.strerror or error}") from error
        if isinstance(session.now, Ended) and session.now.error is not None:
            raise Refused(script_error_text(session.now.error, self._file))
        if self._covered is not None and session.program is None:
            self._complain(NOT_COVERED)
        self._session = session
        return session

    def _do_configurationDone(self, _: dict[str, Any]) -> dict[str, Any]:
        session = self._live()
        now = session.now
        if self._stops_on_entry or isinstance(now, Ended) or self._steps().is_to_stop(now):
            return {"then": lambda: self._report(session.now, "entry")}
        return {"then": lambda: self._go(lambda: self._steps().go("continue"), "breakpoint")}

    def _do_disconnect(self, _: dict[str, Any]) -> dict[str, Any]:
        self._is_over = True
        self._close()
        return {}

    def _do_terminate(self, _: dict[str, Any]) -> dict[str, Any]:
        self._close()
        return {"then": lambda: self._end(130)}

    def _close(self) -> None:
        """End the session. While the script runs, its thread reads; it is woken, and closes."""
        session, self._session = self._session, None
        if session is not None:
            if self._running is None:
                session.close()
            else:
                session.wake()

    # Breakpoints

    def _do_setBreakpoints(self, given: dict[str, Any]) -> dict[str, Any]:
        if self._stepper is None:
            raise Refused("breakpoints can be set after the launch")
        path, wanted = bodies.path(given), bodies.objects(given, "breakpoints")
        file = next((each for each in self._listing.files if _is_same(each, path)), None)
        if file is None:
            why = f"it is not a file of {self._file}"
            return {"breakpoints": [self._unverified(why) for _ in wanted]}
        for place in [each for each in self._breaks if each.file == file]:
            del self._breaks[place]
        found = [self._breakpoint(file, each) for each in wanted]
        if self._running is None:
            self._apply()
        return {"breakpoints": found}

    def _breakpoint(self, file: str, wanted: dict[str, Any]) -> dict[str, Any]:
        try:
            place = self._listing.find(f"{file}:{wanted.get('line')}")
            names = ("condition", "hitCondition", "logMessage")
            found = Breakpoint(*(str(wanted.get(name) or "").strip() for name in names))
        except NotTakenError as error:
            return self._unverified(str(error))
        self._breaks[place] = found
        number = next(self._numbers)
        return {"id": number, "verified": True, "line": place.line, "source": bodies.source(file)}

    def _unverified(self, why: str) -> dict[str, Any]:
        return {"id": next(self._numbers), "verified": False, "message": why}

    def _apply(self) -> None:
        """Give the server the breakpoints; it takes them only while the script stands."""
        if self._session is None or not isinstance(self._session.now, Stopped):
            return
        if self._is_set != self._breaks.keys():
            self._steps().set_all()
            self._is_set = set(self._breaks)

    def _do_setExceptionBreakpoints(self, given: dict[str, Any]) -> dict[str, Any]:
        self._stops_at_errors = "error" in (given.get("filters") or [])
        return {}

    # Going on

    def _do_continue(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._resume(
            lambda: self._steps().go("continue"), "breakpoint", allThreadsContinued=True
        )

    def _do_next(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._resume(lambda: self._steps().to_depth(0), "step")

    def _do_stepIn(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._resume(lambda: self._steps().go("step"), "step")

    def _do_stepOut(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._resume(lambda: self._steps().to_depth(-1), "step")

    def _do_pause(self, _: dict[str, Any]) -> dict[str, Any]:
        if self._stepper is not None:
            self._stepper.is_to_pause = True
        if self._running is None:
            raise Refused("the script is already stopped")
        return {}

    def _resume(self, go: Callable[[], Event], reason: str, **body: Any) -> dict[str, Any]:
        if self._error is not None:
            self._error = None
            return body | {"then": lambda: self._end(1)}
        self._live()
        return body | {"then": lambda: self._go(go, reason)}

    def _go(self, go: Callable[[], Event], reason: str) -> None:
        """Let the script go on in a thread of its own, and tell where it stops."""
        session = self._live()

        def work() -> None:
            event: Event | Exception
            try:
                self._apply()
                session.forget()
                event = go()
            except (OSError, NotTakenError, Refused) as error:
                event = error
            self._running = None
            if self._session is not session:
                session.close()
            elif isinstance(event, Exception):
                self._complain(f"the debugger's connection is lost: {event}")
                self._end(1)
            else:
                self._report(event, reason)

        self._frames = []
        self._running = threading.Thread(target=work, name="script", daemon=True)
        self._running.start()

    def _report(self, event: Event, reason: str) -> None:
        for line in event.log:
            self._stream.event("output", category="console", output=f"{bodies.log_line(line)}\n")
        if isinstance(event, Stopped):
            reason = "breakpoint" if event.reason == BREAKPOINT else reason
            if event.reason not in (BREAKPOINT, "step over"):
                reason = "pause"
            self._stopped(reason)
        elif event.error is not None:
            text = script_error_text(event.error, self._file)
            self._stream.event("output", category="stderr", output=f"{text}\n")
            self._close()
            if not self._stops_at_errors:
                self._end(1)
                return
            self._error = event.error
            self._stopped("exception", text=text.split("\n", 1)[0])
        else:
            shown = shown_reply(event.reply)
            text = "the script is aborted" if event.is_aborted else f"the script returned {shown}"
            self._stream.event("output", category="stdout", output=f"{text}\n")
            self._close()
            self._end(0)

    def _stopped(self, reason: str, **more: str) -> None:
        self._stream.event(
            "stopped", reason=reason, threadId=bodies.THREAD, allThreadsStopped=True, **more
        )

    def _end(self, code: int) -> None:
        if self._covered is not None and (report := self._covered.report()):
            self._stream.event("output", category="console", output=report)
        self._stream.event("exited", exitCode=code)
        self._stream.event("terminated")

    def _say(self, text: str) -> None:
        self._stream.event("output", category="console", output=f"{on_its_lines(text)}\n")

    def _complain(self, text: str) -> None:
        self._stream.event("output", category="important", output=f"{text}\n")

    # What is there

    def _do_threads(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"threads": [{"id": bodies.THREAD, "name": "script"}]}

    def _do_stackTrace(self, given: dict[str, Any]) -> dict[str, Any]:
        if self._error is not None:
            place = Place(self._error.file or self._listing.files[0], self._error.line or 1)
            frames = [bodies.frame(1, "top level", place)]
        else:
            frames = [
                bodies.frame(number, each.name, self._listing.place(each.line))
                for number, each in enumerate(self._all_frames(), start=1)
            ]
        start = bodies.number(given, "startFrame", 0)
        levels = bodies.number(given, "levels", 0) or len(frames)
        return {"stackFrames": frames[start : start + levels], "totalFrames": len(frames)}

    def _do_scopes(self, given: dict[str, Any]) -> dict[str, Any]:
        if self._error is not None:
            return {"scopes": []}
        return {"scopes": bodies.scopes(bodies.number(given, "frameId"))}

    def _do_variables(self, given: dict[str, Any]) -> dict[str, Any]:
        ref = bodies.number(given, "variablesReference")
        session = self._live()
        if ref >= bodies.FIELDS:
            values = session.fields(ref - bodies.FIELDS)
        elif ref >= bodies.LOCALS:
            values = session.variables(self._frame_of(ref - bodies.LOCALS))
        else:
            frame = self._all_frames()[-1]
            values = [session.evaluate(name, frame) for name in ("KEYS", "ARGV")]
            named = zip(values, ("KEYS", "ARGV"), strict=True)
            return {"variables": [bodies.variable(each, name) for each, name in named]}
        return {"variables": [bodies.variable(each, each.name) for each in values]}

    def _do_evaluate(self, given: dict[str, Any]) -> dict[str, Any]:
        session = self._live()
        # Without a frame, it is about the innermost one.
        frame = self._frame_of(bodies.number(given, "frameId", 1))
        value = session.evaluate(str(given.get("expression")), frame)
        shown = bodies.variable(value, "")
        return {"result": shown.pop("value")} | shown

    def _do_exceptionInfo(self, _: dict[str, Any]) -> dict[str, Any]:
        if self._error is None:
            raise Refused("the script has not failed")
        return bodies.exception(self._error)

    # Helpers

    def _live(self) -> Inspected:
        if self._running is not None and self._running is not threading.current_thread():
            raise Refused("the script runs; the server's debugger answers when it stops")
        if self._session is None:
            raise Refused("the script is over")
        return self._session

    def _steps(self) -> Stepper:
        assert self._stepper is not None
        return self._stepper

    def _all_frames(self) -> list[Frame]:
        if not self._frames:
            self._frames = self._live().frames()
        return self._frames

    def _frame_of(self, number: int) -> Frame:
        frames = self._all_frames()
        if not 1 <= number <= len(frames):
            raise Refused(f"there is no frame {number}")
        return frames[number - 1]


def _is_same(file: str, path: str) -> bool:
    return os.path.realpath(file) == os.path.realpath(path)
