"""Reading lines from a terminal or a pipe."""

import asyncio
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from ..failures.one_line import on_its_lines

T = TypeVar("T")


def listed(command: Callable[..., None]) -> str:
    """What the help of a command lists: what may be typed at its prompt."""
    return (inspect.getdoc(command) or "").partition("\b\n")[2].partition("\n\n")[0]


def is_interactive() -> bool:
    """Whether there is someone to prompt."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def history(name: str) -> History:
    """What was typed before, kept in the user's folder for such, if it can be."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    directory = Path(base, "glide-scripts")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = directory / f"{name}_history"
        file.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))


def piped_line() -> str | None:
    """The next line of a pipe; None at its end.

    Bytes that are no text are kept, as those of the command line are.
    """
    return os.fsdecode(sys.stdin.buffer.readline()) or None


def printable(text: str) -> str:
    """A text that came in, with a mark for each byte that is no text, and no control characters."""
    return on_its_lines(os.fsencode(text).decode(errors="replace"))


class Lines:
    """Reads one line after another; those of a pipe are shown as if they had been typed."""

    def __init__(self, name: str, completer: Completer) -> None:
        self.is_interactive = is_interactive()
        self._session: PromptSession[str] | None = None
        if self.is_interactive:
            self._session = PromptSession(
                history=history(name), completer=completer, complete_while_typing=False
            )

    def read(self, prompt: str) -> str | None:
        """The next line; None at the end.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        if self._session is None:
            if (line := piped_line()) is not None:
                print(f"{prompt}{printable(line.rstrip())}", flush=True)
            return line
        try:
            return self._session.prompt(prompt)
        except EOFError:
            return None


@contextmanager
def entered(runner: asyncio.Runner, context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter an asynchronous context, for code that waits for the user between its calls.

    Ctrl-C then interrupts the prompt; while `runner` runs something, it interrupts that.
    """
    value = runner.run(context.__aenter__())
    try:
        yield value
    finally:
        runner.run(context.__aexit__(None, None, None))
