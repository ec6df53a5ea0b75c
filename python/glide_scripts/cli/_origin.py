"""The one script that a command line is about: in a file, from a pipe, or written there."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import Script
from ..declared.folder import as_text
from ..scripts.files import load
from . import _roots
from ._failure import UNUSABLE, Failure

STDIN = Path("-")


@dataclass(frozen=True)
class Origin:
    """Where a script comes from. Its text is what errors call it."""

    name: str
    root: Path | None
    """The folder of ``--root``."""
    text: bytes | None = None
    """None for a file, which is read each time."""

    def __str__(self) -> str:
        return self.name

    @property
    def file(self) -> Path | None:
        """The file, which may change; None if there is none."""
        return Path(self.name) if self.text is None else None

    def read(self) -> Script:
        """The script.

        Raises:
            Failure: The file cannot be read or is empty, or its root is wrong.
            ScriptSourceError: It cannot be used, or what it includes.
        """
        code = read_file(Path(self.name)) if self.text is None else self.text
        refuse_empty(self.name, code)
        name = as_text(self.name)
        try:
            code.decode()
        except UnicodeDecodeError:
            # It cannot include others, and runs all the same.
            return Script(code, name=name)
        if self.text is None:
            return load(*_roots.of_file(Path(self.name), self.root), name=name)
        return load(*_roots.of_text(self.name, self.text, self.root), name=name)


def origin(
    file: Path | None, code: Sequence[str] | None, root: Path | None, *, stdin: bool = True
) -> Origin:
    """Return where the script of a command line comes from.

    Args:
        file: What was given as FILE: ``-`` is standard input.
        code: The lines that were given with ``-e``.
        root: What was given as ``--root``.
        stdin: Whether the script may come from standard input.

    Raises:
        Failure: There is none, there are two, it is empty, or standard input has another use.
    """
    if code:
        if file is not None:
            raise Failure(f"-e CODE and a file do not go together; leave {file} out", UNUSABLE)
        return _of_text("-e", os.fsencode("\n".join(code)), root)
    if not stdin and file in (None, STDIN):
        why = "its commands come from standard input; name the script's file, or write -e CODE"
        raise Failure(why, UNUSABLE)
    if file is None and sys.stdin.isatty():
        why = "which script? Name a file, write -e CODE, or - for standard input"
        raise Failure(why, UNUSABLE)
    if file is None or file == STDIN:
        return _of_text("<stdin>", sys.stdin.buffer.read(), root)
    if is_pipe(file):
        return _of_text(str(file), read_file(file), root)
    return Origin(str(file), root)


def _of_text(name: str, text: bytes, root: Path | None) -> Origin:
    refuse_empty(name, text)
    return Origin(name, root, text)


def refuse_empty(name: object, code: bytes) -> None:
    """
    Raises:
        Failure: A script is empty: something went wrong before.
    """
    if why := emptiness(code):
        raise Failure(f"{name}: {why}", UNUSABLE)


def emptiness(code: bytes) -> str | None:
    """Return why a script has nothing to run; None if it has something."""
    if not code.strip():
        return "it is empty"
    if code.startswith(b"#!") and b"\n" not in code:
        # A server would say that this is no valid shebang.
        return "it has only the #! line; write the script below it"
    return None


def is_pipe(file: Path) -> bool:
    """Whether a path can be read only once, as ``<(command)`` of a shell."""
    return file.exists() and not file.is_file() and not file.is_dir()


def write_file(file: Path, text: str) -> None:
    """
    Raises:
        Failure: The file cannot be written.
    """
    try:
        # A path in the text may be no UTF-8.
        file.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", UNUSABLE) from error


def read_file(file: Path) -> bytes:
    """
    Raises:
        Failure: The file cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", UNUSABLE) from error
