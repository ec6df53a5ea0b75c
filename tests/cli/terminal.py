"""The command line as someone uses it: through pipes, and at a terminal."""

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

import pexpect

from glide_scripts.cli import main

_PROGRAM = [sys.executable, "-m", "glide_scripts"]
_WIDTH, _HEIGHT = 80, 40
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])")
_WITHIN = 20.0  # seconds


@dataclass(frozen=True)
class Ended:
    """A command that has ended, and what it wrote."""

    code: int
    out: str
    err: str


def piped(*words: str, text: str = "") -> Ended:
    """Run a command whose standard input is `text`."""
    given = io.TextIOWrapper(io.BytesIO(os.fsencode(text)))
    with (
        patch.object(sys, "stdin", given),
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        code = main(words)
    return Ended(code, out.getvalue(), err.getvalue())


def start(*words: str) -> subprocess.Popen[bytes]:
    """Start a command whose output is read later."""
    return subprocess.Popen([*_PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Terminal:
    """A command at a terminal of 80 columns, in a process of its own."""

    def __init__(self, child: "pexpect.spawn[str]") -> None:
        self._child = child
        self._shown = ""
        self._seen = 0

    def see(self, text: str) -> None:
        """Wait until it shows a text, after what was seen before."""
        deadline = time.monotonic() + _WITHIN
        while (at := self.shown.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.shown[self._seen :]!r}"
            try:
                self._shown += self._child.read_nonblocking(4096, timeout=0.1)
            except pexpect.TIMEOUT:
                pass
            except pexpect.EOF:
                raise AssertionError(f"it ended without {text!r}: {self.shown!r}") from None
        self._seen = at + len(text)

    @property
    def shown(self) -> str:
        """All that it has shown, without colours and control characters."""
        return _ESCAPES.sub("", self._shown)

    @property
    def raw(self) -> str:
        """All that it has shown, with colours and control characters."""
        return self._shown

    def type(self, text: str) -> None:
        """Type a line."""
        self._child.send(f"{text}\r")

    def press(self, keys: str) -> None:
        """Press keys, as the terminal sends them."""
        self._child.send(keys)

    def end(self) -> int:
        """Wait for its end; the exit code."""
        self._child.expect_exact(pexpect.EOF)
        self._shown += self._child.before or ""
        self._child.close()
        assert self._child.exitstatus is not None, f"it died of {self._child.signalstatus}"
        return int(self._child.exitstatus)


# No terminal answers the question for the cursor's position.
_TERMINAL = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}

CTRL_C, CTRL_D, TAB, UP = "\x03", "\x04", "\t", "\x1b[A"


@contextmanager
def at_terminal(*words: str, **environment: str) -> Iterator[Terminal]:
    """Start a command at a terminal; it is killed if it still runs in the end."""
    child: pexpect.spawn[str] = pexpect.spawn(
        _PROGRAM[0],
        [*_PROGRAM[1:], *words],
        env=os.environ | _TERMINAL | environment,
        dimensions=(_HEIGHT, _WIDTH),
        encoding="utf-8",
        timeout=_WITHIN,
    )
    try:
        yield Terminal(child)
    finally:
        child.close(force=True)
