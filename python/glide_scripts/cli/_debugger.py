"""The debugger behind the prompt: its commands, and what it shows."""

import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from prompt_toolkit.completion import NestedCompleter
from rich.text import Text

from .. import Script, ScriptSourceError
from ..declared.lines import Place
from ..testing._wire import ServerReplyError
from ._console import Output
from ._coverage import NOT_COVERED, Covered
from ._failure import FAILED, NO_CLUSTER, UNUSABLE, Failure, script_error_text
from ._inspection import STEP, Frame, Inspected
from ._ldb import Ended, Event, Listing, NotTakenError, Stopped
from ._lua_colors import LUA
from ._origin import Origin
from ._prompt import Lines, printable
from ._servers import Servers
from ._shown import shown_reply
from ._stepping import Breakpoint, Stepper, breakpoint_of

_PROMPT = "debug> "
_AROUND = 5


@dataclass(frozen=True)
class _Command:
    names: tuple[str, ...]
    do: Callable[[str], None]


class Debugger:
    """A debugged script: its session, and the user's commands."""

    def __init__(
        self,
        target: Servers,
        origin: Origin,
        keys: Sequence[bytes],
        args: Sequence[bytes],
        *,
        about: str,
        refill: Callable[[], None],
        covered: Covered | None = None,
    ) -> None:
        self._target, self._origin, self._keys, self._args = target, origin, keys, args
        self._about, self._refill, self._covered = about, refill, covered
        self._console = Output(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._session: Inspected | None = None
        self._stepper: Stepper | None = None
        self._given: dict[str, list[bytes]] = {}
        self._unchanged: dict[str, list[str]] = {}
        """What LDB says of KEYS and ARGV as they were given."""
        self._breaks: dict[Place, Breakpoint] = {}
        self._frame = 0
        """Which of the frames is looked at; 0 is the innermost."""
        self._shown_file: str | None = None
        self._is_over = False
        self.has_failed = False
        """Whether the script's last run failed, or a command that came by a pipe."""
        self._commands = (
            _Command(("step", "s"), lambda _: self._run("step")),
            _Command(("next", "n"), lambda _: self._show(self._steps().to_depth(0))),
            _Command(("out", "o"), lambda _: self._show(self._steps().to_depth(-1))),
            _Command(("continue", "c", "cont"), lambda _: self._run("continue")),
            _Command(("break", "b"), self._break),
            _Command(("delete", "d"), self._delete),
            _Command(("list", "l"), self._list),
            _Command(("where", "w", "trace", "t", "bt"), self._where),
            _Command(("up", "u"), lambda _: self._look(1)),
            _Command(("down",), lambda _: self._look(-1)),
            _Command(("print", "p", "locals"), self._print),
            _Command(("eval", "e"), self._eval),
            _Command(("redis", "r", "valkey", "v"), self._redis),
            _Command(("abort", "a"), lambda _: self._run("abort")),
            _Command(("restart",), self._restart),
            _Command(("quit", "q", "exit"), self._quit),
            _Command(("help", "h", "?"), self._help),
        )

    # From the start to the end

    def prepare(self, script: Script, breaks: Sequence[str]) -> None:
        """
        Raises:
            Failure: A breakpoint is at no line.
        """
        self._script, self._listing = script, Listing(script)
        try:
            self._breaks |= dict(breakpoint_of(self._listing, each) for each in breaks)
        except NotTakenError as error:
            raise Failure(f"--break: {error}", UNUSABLE) from error

    def start(self) -> None:
        """Begin a session, and show where it stands.

        Raises:
            Failure: The script is no Lua; the server cannot be reached or does not debug.
        """
        try:
            self._session = Inspected(
                self._target, self._script, self._keys, self._args, self._covered
            )
            tell = partial(self._say, style="red")
            self._stepper = Stepper(self._session, self._listing, self._breaks, tell, self._say)
            if isinstance(self._session.now, Stopped):
                self._steps().set_all()
        except NotTakenError as error:
            raise Failure(str(error), UNUSABLE) from error
        except ServerReplyError as error:
            if error.code == "MOVED":
                raise Failure(NO_CLUSTER, UNUSABLE) from error
            code = UNUSABLE if error.code in ("NOAUTH", "WRONGPASS") else FAILED
            raise Failure(f"{self._target.shown}: {error}", code) from error
        except OSError as error:
            why = f"{self._target.shown} cannot be reached: {error.strerror or error}"
            raise Failure(why, UNUSABLE) from error
        now = self._session.now
        if isinstance(now, Ended) and now.error is not None:
            raise Failure(script_error_text(now.error, self._origin), FAILED) from now.error
        self.has_failed, self._shown_file = False, None
        self._say("the script runs in a fork of the server: its writes are discarded")
        if self._covered is not None and self._session.program is None:
            self._say(NOT_COVERED, "yellow")
        self._given = {"KEYS": list(self._keys), "ARGV": list(self._args)}
        for name, values in self._given.items():
            self._say(f"{name} = {values}")
        if isinstance(now, Stopped):
            self._unchanged = {name: self._session.ask("print", name) for name in self._given}
            first = self._listing.place(now.line).file
            if first != self._listing.files[0]:
                self._say(f"it begins in {first}, which {self._listing.files[0]} includes")
        self._show(now)

    def converse(self) -> None:
        """Carry out commands until there are no more.

        Raises:
            OSError: The connection was lost.
        """
        files = dict.fromkeys(f"{file}:" for file in self._listing.files)
        known = {each.names[0]: None for each in self._commands}
        lines = Lines("debug", NestedCompleter.from_nested_dict({**known, "break": files}))
        last = ""
        while not self._is_over:
            try:
                line = lines.read(_PROMPT)
            except KeyboardInterrupt:
                if not lines.is_interactive:
                    raise
                continue
            if line is None:
                return
            word, _, rest = (line.strip() or last).partition(" ")
            if not word:
                continue
            last = word if self._is_repeated(word) and lines.is_interactive else ""
            try:
                self._command(word).do(rest.strip())
            except NotTakenError as error:
                self.has_failed |= not lines.is_interactive
                self._say(f"{error}", "red")
            except KeyboardInterrupt:
                self.close()
                if not lines.is_interactive:
                    raise
                what = "is ended" if self._target.is_own else "is left, and ends when it stops"
                self._say(f"interrupted: the script {what}; restart or quit", "yellow")

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _command(self, word: str) -> _Command:
        for each in self._commands:
            if word in each.names:
                return each
        raise NotTakenError(f"there is no command {word!r}; help lists them")

    def _is_repeated(self, word: str) -> bool:
        return any(word in each.names for each in self._commands[:4])

    # Commands

    def _running(self) -> Inspected:
        if self._session is None:
            raise NotTakenError("the script is over; restart or quit")
        return self._session

    def _steps(self) -> Stepper:
        self._running()
        assert self._stepper is not None
        return self._stepper

    def _run(self, word: str) -> None:
        self._show(self._steps().go(word))

    def _break(self, spec: str) -> None:
        if not spec:
            for place in sorted(self._breaks, key=lambda each: (each.file, each.line)):
                condition = _shown(self._breaks[place])
                text = self._listing.lines(place.file)[place.line].strip()
                self._say(f"{place}{condition}: {text}")
            if not self._breaks:
                self._say("there are no breakpoints")
            return
        place, found = breakpoint_of(self._listing, spec)
        # The server refuses to set one twice.
        if self._session is not None and place not in self._breaks:
            self._steps().set(place)
        self._breaks[place] = found
        self._say(f"breakpoint at {place}{_shown(found)}")

    def _delete(self, spec: str) -> None:
        places = {self._listing.find(spec)} if spec else set(self._breaks)
        if not places <= self._breaks.keys():
            raise NotTakenError(f"there is no breakpoint at {spec}")
        for place in places:
            del self._breaks[place]
        if self._session is not None:
            self._steps().set_all()
        for place in sorted(places, key=str):
            self._say(f"no breakpoint at {place} any more")

    def _list(self, spec: str) -> None:
        here = self._listing.place
        place = self._listing.find(spec) if spec else here(self._looked_at().line)
        self._say(f"{place.file}", "bold")
        self._show_lines(place, _AROUND)

    def _where(self, _: str) -> None:
        for number, frame in enumerate(self._running().frames()):
            place = self._listing.place(frame.line)
            text = self._listing.lines(place.file)[place.line].strip()
            mark = "-> " if self._frame and number == self._frame else ""
            self._say(f"{mark}{'From' if number else 'In'} {frame.name}, {place}: {text}")

    def _look(self, further: int) -> None:
        """Look at a frame further out, or further in."""
        frames = self._running().frames()
        number = self._frame + further
        if not 0 <= number < len(frames):
            where = "outermost" if further > 0 else "innermost"
            raise NotTakenError(f"this is the {where} function")
        self._frame = number
        place = self._listing.place(frames[number].line)
        self._say(f"{frames[number].name}, {place}", "bold")
        self._show_lines(place, 2)

    def _print(self, name: str) -> None:
        session = self._running()
        if not name:
            for each in session.variables(self._looked_at()):
                self._say(f"{each.name} = {each.text}")
            return
        if name in self._given and session.ask("print", name) == self._unchanged.get(name):
            # Not as LDB shows them, which leaves out what is no text.
            self._say(f"{name} = {self._given[name]}")
            return
        try:
            value = session.evaluate(name, self._looked_at())
        except NotTakenError as error:
            if name.isidentifier():
                raise NotTakenError(f"there is no variable {name!r} here") from error
            raise
        self._say(f"{name} = {value.text}")

    def _looked_at(self) -> Frame:
        return self._running().frames()[self._frame]

    def _eval(self, code: str) -> None:
        if not code:
            raise NotTakenError("eval takes Lua, as in: eval #KEYS")
        try:
            self._say(self._running().evaluate(code, self._looked_at()).text)
        except NotTakenError as error:
            self._say(f"     error: {error}", "red")

    def _redis(self, text: str) -> None:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise NotTakenError(f"{text}: {error}") from error
        if not words:
            raise NotTakenError("redis takes a command, as in: redis get user:1")
        self._show_log(self._running().ask("redis", *(os.fsencode(word) for word in words)))

    def _restart(self, _: str) -> None:
        self.close()
        try:
            script = self._origin.read()
            self._refill()
            self._script, self._listing = script, Listing(script)
            for place in [each for each in self._breaks if not self._listing.has_code(each)]:
                del self._breaks[place]
                self._say(f"no breakpoint at {place} any more: the line is gone", "yellow")
            self.start()
        except (Failure, ScriptSourceError) as error:
            self.close()
            self.has_failed = True
            raise NotTakenError(str(error)) from error

    def _quit(self, _: str) -> None:
        self._is_over = True

    def _help(self, _: str) -> None:
        self._say(self._about)

    # What is shown

    def _show(self, event: Event) -> None:
        self._frame = 0
        self._show_log(event.log)
        if isinstance(event, Stopped):
            self._show_stop(event)
        else:
            self._show_end(event)

    def _show_stop(self, stopped: Stopped) -> None:
        place = self._listing.place(stopped.line)
        is_step = stopped.reason == STEP
        if not is_step or place.file != self._shown_file:
            why = "" if is_step else f": {stopped.reason.replace('break point', 'breakpoint')}"
            self._say(f"{place}{why}", "bold")
        self._shown_file = place.file
        self._show_lines(place, 0 if is_step else 2)

    def _show_end(self, ended: Ended) -> None:
        self.close()
        if ended.error is not None:
            self.has_failed = True
            self._say(script_error_text(ended.error, self._origin), "red")
        elif ended.is_aborted:
            self._say("the script is aborted", "yellow")
        else:
            self._say(f"the script returned {shown_reply(ended.reply)}", "green")

    def _show_lines(self, around: Place, more: int) -> None:
        now = self._session.now if self._session is not None else None
        here = None
        if isinstance(now, Stopped):
            sent = self._looked_at().line if self._frame else now.line
            here = self._listing.place(sent)
        lines = self._listing.lines(around.file)
        width = len(str(max(lines)))
        for number in range(around.line - more, around.line + more + 1):
            if number not in lines:
                continue
            place = Place(around.file, number)
            mark = "->" if place == here else "  "
            dot = "*" if place in self._breaks else " "
            line = Text(f"{mark}{dot}{number:>{width}} | ", style="bold" if place == here else "")
            code = LUA.highlight(lines[number])
            code.rstrip()
            self._console.print(line.append_text(code))

    def _show_log(self, log: list[str]) -> None:
        for line in log:
            kind, _, rest = line.partition(" ")
            match kind:
                case "<command>" | "<redis>":
                    self._say(f"     > {rest}", "cyan")
                case "<reply>":
                    self._say(f"     < {rest}", "cyan")
                case "<debug>":
                    self._say(f"     debug, {self._with_place(rest)}", "magenta")
                case "<error>":
                    self._say(f"     error: {_words(line)}", "red")
                case "<hint>":
                    pass
                case _:
                    self._say(_value(line))

    def _with_place(self, text: str) -> str:
        """``line 9: text`` with the place that the line is."""
        number = re.match(r"line (\d+)", text)
        if number is None:
            return text
        return f"{self._listing.place(int(number[1]))}{text[number.end() :]}"

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(printable(text), style=style))


def _shown(found: Breakpoint) -> str:
    return f" if {found.condition}" if found.condition else ""


def _words(line: str) -> str:
    return re.sub(r"^<error> (?:@?ldb_eval:\d+: )?", "", line)


def _value(line: str) -> str:
    return line.removeprefix("<value> ").removeprefix("<retval> ")
