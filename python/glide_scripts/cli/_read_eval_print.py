"""The loop behind ``glide-scripts repl``."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.styles import Style
from pygments.lexers.scripting import LuaLexer
from rich.text import Text

from .. import (
    GlideClient,
    GlideClusterClient,
    RequestError,
    ScriptError,
    ScriptKilledError,
    ScriptSourceError,
)
from ..declared.lines import Place
from ..failures.one_line import on_its_lines
from ._console import Output
from ._evaluator import Evaluator, Known, LeftAloneError, Piece
from ._failure import Failure
from ._origin import origin
from ._prompt import history, is_interactive, piped_line
from ._servers import Servers

T = TypeVar("T")

_PROMPT = "lua> "
_MORE = "...> "
_SETTINGS = (":args", ":help", ":keys", ":load", ":lua", ":quit")
_WORDS = ("help", "exit", "quit")
"""What is understood without its colon, too."""
# The terminal's own colours, which are readable on its background.
_COLOURS = Style.from_dict(
    {
        "pygments.keyword": "ansimagenta",
        "pygments.literal.string": "ansigreen",
        "pygments.literal.number": "ansicyan",
        "pygments.name.builtin": "ansiblue",
        "pygments.comment": "italic",
    }
)
_KEYWORDS = (
    *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in"),
    *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
)


class Loop:
    """Reads Lua and settings, and prints what comes of them, until there are no more."""

    def __init__(
        self,
        runner: asyncio.Runner,
        client: GlideClient | GlideClusterClient,
        target: Servers,
        *,
        keys: Sequence[str],
        args: Sequence[str],
        about: str,
    ) -> None:
        self._runner, self._target, self._about = runner, target, about
        self._evaluator = Evaluator(client, keys, args)
        self._console = Output(markup=False, emoji=False, soft_wrap=True)
        self._session: PromptSession[str] | None = None
        self._aside = ThreadPoolExecutor(max_workers=1)
        self._is_over = False
        self.has_failed = False
        """Whether something that came by a pipe failed."""

    def run(self) -> None:
        """
        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, and there is nobody to prompt.
        """
        if is_interactive():
            self._session = self._prompting()
            self._greet()
        while not self._is_over:
            try:
                text = self._runner.run(self._typed()) if self._session else self._piped()
            except KeyboardInterrupt:
                if self._session is None:
                    raise
                continue
            if text is None:
                return
            try:
                self._take(text.strip())
            except RequestError as error:
                self.has_failed |= self._session is None
                self._print_notes(_error_text(error, self._evaluator))

    def _take(self, text: str) -> None:
        if text.startswith(":") or text in _WORDS:
            self._set(f":{text.removeprefix(':')}")
        elif text and self._session is None:
            self._print(self._evaluated(self._evaluator.evaluate(text)))
        elif text:
            value = self._evaluated(self._evaluator.value(text))
            self._print(value.reply)
            if not value.is_plain:
                self._console.print(Text(f"in Lua: {value.lua}", style="cyan"))

    def _evaluated(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(call)
        except LeftAloneError:
            raise KeyboardInterrupt from None

    def _print(self, reply: object) -> None:
        if self._session is None:
            print(repr(reply), flush=True)
        else:
            self._console.print(self._console.highlighter(repr(reply)))

    def _load(self, name: str) -> None:
        script = origin(Path(name), None, None, stdin=False).read()
        if self._evaluated(self._evaluator.load(script)):
            self._say(f"{name}: its functions and variables are known from here on")
        else:
            self._print(self._evaluated(self._evaluator.run(script)))

    def _set(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        try:
            values = [] if word == ":lua" else shlex.split(rest)
        except ValueError as error:
            self._refuse(f"{text}: {error}")
            return
        match word:
            case ":keys":
                self._evaluator.keys = values
                self._say(f"KEYS = {[os.fsencode(each) for each in values]}")
            case ":args":
                self._evaluator.args = values
                self._say(f"ARGV = {[os.fsencode(each) for each in values]}")
            case ":load" if len(values) == 1:
                try:
                    self._load(values[0])
                except (Failure, ScriptSourceError) as error:
                    self._refuse(str(error))
            case ":load":
                self._refuse(":load takes one file, as in: :load scripts/util.lua")
            case ":lua" if rest.strip():
                value = self._evaluated(self._evaluator.value(rest))
                print(value.lua, flush=True)
            case ":lua":
                self._refuse(":lua takes an expression, as in: :lua {a = 1}")
            case ":help":
                print(self._about)
            case ":quit" | ":exit":
                self._is_over = True
            case _:
                self._refuse(f"there is no {word}; :help lists the commands")

    def _say(self, text: str) -> None:
        if self._session is not None:
            print(text)

    def _refuse(self, text: str) -> None:
        self.has_failed |= self._session is None
        self._print_notes(f"error: {text}")

    def _print_notes(self, text: str) -> None:
        text = on_its_lines(text)
        if self._session is None:
            print(text, file=sys.stderr, flush=True)
            return
        first, *notes = text.split("\n")
        self._console.print(Text(first, style="red"), *(Text(note) for note in notes), sep="\n")

    # Where the text comes from

    def _piped(self) -> str | None:
        """The next lines that make a whole; None at the end."""
        text = ""
        while (line := piped_line()) is not None:
            text += line
            if text.startswith(":") or not self._runner.run(self._is_unfinished(text.strip())):
                return text
        return text or None

    async def _typed(self) -> str | None:
        assert self._session is not None
        try:
            return await self._session.prompt_async(_PROMPT)
        except EOFError:
            return None
        except KeyboardInterrupt:
            return ""

    async def _is_unfinished(self, text: str) -> bool:
        if not text or text.startswith(":"):
            return False
        try:
            return await self._evaluator.piece(text) is Piece.UNFINISHED
        except RequestError:
            # What is wrong shows when it is run.
            return False

    def _prompting(self) -> PromptSession[str]:
        return PromptSession(
            history=history("repl"),
            completer=LuaCompleter(self._runner.run(self._evaluator.known())),
            complete_while_typing=False,
            lexer=PygmentsLexer(LuaLexer),
            style=_COLOURS,
            include_default_pygments_style=False,
            multiline=True,
            prompt_continuation=_MORE,
            key_bindings=self._keys(),
        )

    def _keys(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("enter")
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            # Not on this loop, which would take the next key before there is an answer.
            asked = self._aside.submit(asyncio.run, self._is_unfinished(buffer.text.strip()))
            if asked.result():
                buffer.insert_text("\n")
            else:
                buffer.validate_and_handle()

        @bindings.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        return bindings

    def _greet(self) -> None:
        kind = "cluster" if self._target.is_cluster else "server"
        where = f"a scratch {kind}" if self._target.is_own else self._target.shown
        print(f"Lua on {where}; help shows what there is, exit or Ctrl-D ends")


_DECLARE = "  help: declare it with 'local "
_LOCAL = "  help: each input is a script; use a variable where it is: local x = 1 return x + 1"


class LuaCompleter(Completer):
    """Commands within ``redis.call('``, and what a script sees elsewhere."""

    _COMMAND = re.compile(r"\b(?:redis|server)\.p?call\(\s*(?P<quote>['\"])(?P<word>\w*)$")
    _SETTING = re.compile(r"\A(?P<word>:\w*)$")
    _NAME = re.compile(r"(?P<word>[A-Za-z_][\w.]*)$")

    def __init__(self, known: Known) -> None:
        self._commands = known.commands
        self._names = sorted({*known.names, *_KEYWORDS, "KEYS", "ARGV"})

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterable[Completion]:
        """What may stand where the cursor is."""
        before = document.text_before_cursor
        for pattern, words in (
            (self._COMMAND, self._commands),
            (self._SETTING, _SETTINGS),
            (self._NAME, self._names),
        ):
            if (found := pattern.search(before)) is None:
                continue
            begun = found["word"]
            for word in words:
                # Commands are the same in small letters, and names are not.
                start = word[: len(begun)]
                if start == begun or (words is self._commands and start == begun.upper()):
                    yield Completion(word, start_position=-len(begun))
            return


def _error_text(error: RequestError, evaluator: Evaluator) -> str:
    """What happened, and what that means."""
    if isinstance(error, ScriptKilledError):
        return "\nkilled"
    if not isinstance(error, ScriptError) or error.message is None:
        return f"error: {str(error).splitlines()[0]}"
    code = "" if error.code in (None, "ERR") else f"{error.code} "
    place: Place | int = 1
    if error.line is not None:
        known = evaluator.place(error.line)
        place = known if error.file is None else Place(error.file, error.line)
    line = f"{place}: " if isinstance(place, Place) else f"line {place}: " if place > 1 else ""
    notes = [
        each.replace("   = ", "  ", 1)
        for each in str(error).splitlines()
        if each.startswith(("   = note:", "   = help:"))
    ]
    notes = [_LOCAL if each.startswith(_DECLARE) else each for each in notes]
    return "\n".join([f"error: {line}{code}{error.message}", *notes])
