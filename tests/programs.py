"""Small programs that tests run in processes of their own, with the installed package."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PRELUDE = """\
import asyncio, contextlib, gc, os, signal, sys, threading, time, warnings
from glide_scripts import *
from glide_scripts import _core

# Python 3.12 and later warn of every fork in a process with threads. These tests show that it
# works.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

URL = sys.argv[1]
ECHO = Script("return ARGV[1]")


def count(directory):
    return len(os.listdir(directory))
"""


def run_program(code: str, url: str, *flags: str, **environment: str) -> str:
    """Return what it prints. It must end with exit code 0 and write nothing to standard error."""
    with started(code, url, *flags, **environment) as process:
        output, complaints = process.communicate(timeout=300)
    assert (process.returncode, complaints) == (0, ""), (
        f"exit code {process.returncode}\n{complaints}"
    )
    return output


@contextmanager
def started(
    code: str, url: str, *flags: str, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A program that runs, and is killed if it still runs at the end."""
    with tempfile.TemporaryDirectory() as directory:
        # A file, because multiprocessing imports the main program again.
        program = Path(directory, "program.py")
        program.write_text(_PRELUDE + code)
        with subprocess.Popen(
            [sys.executable, *flags, program, url],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def rest(process: subprocess.Popen[str], said: str = "") -> tuple[str, str]:
    """Wait for the end of a program, some of whose lines were read; return all that follows.

    `communicate` loses what `readline` has read ahead.

    Args:
        process: The program.
        said: What it reads from its standard input.
    """
    bound = threading.Timer(300, process.kill)
    bound.start()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(said)
        process.stdin.close()
        output, complaints = process.stdout.read(), process.stderr.read()
        process.wait()
    finally:
        bound.cancel()
    return output, complaints
