"""The scripts and libraries in the files and folders of a command line."""

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import FunctionLibrary, ScriptError, ScriptSourceError
from ..declared.comments import Declarations
from ..declared.folder import Folder
from ..declared.lines import Place
from ..declared.source import Source
from ..scripts.contents import Content, Kind, content
from ..scripts.library import folder_contents
from . import _roots
from ._failure import UNUSABLE, Failure
from ._origin import STDIN, is_pipe, read_file, refuse_empty


@dataclass(frozen=True)
class Unit:
    """A unit for loading: a script, or a library of functions."""

    path: Path
    content: Content
    may_be_part: bool = False
    """Whether it may be of another file of its folder, whose includes are wrong."""

    @property
    def source(self) -> Source:
        return self.content.source

    @property
    def declarations(self) -> Declarations:
        return self.content.declared

    @property
    def library(self) -> FunctionLibrary | None:
        """None for a script."""
        return self.content.functions

    @property
    def file(self) -> str:
        """Its file, as errors show it."""
        return self.source.file

    @property
    def code(self) -> bytes:
        """What is sent."""
        return self.source.code

    @property
    def sha1(self) -> str:
        """The SHA1 of the code, by which servers know a script."""
        return hashlib.sha1(self.code, usedforsecurity=False).hexdigest()

    @property
    def kind(self) -> str:
        """``script`` or ``library``."""
        return self.content.kind.value

    @property
    def first_line(self) -> bytes:
        """The line of the ``#!``; empty if there is none."""
        return self.code.splitlines()[0] if self.code.startswith(b"#!") else b""


@dataclass(frozen=True)
class Collected:
    """What was found."""

    units: list[Unit]
    unusable: list[ScriptSourceError]
    """Of files that cannot be used, why."""


def collect(
    paths: Iterable[Path] | None, code: Sequence[str] | None, root: Path | None
) -> Collected:
    """Return all units of files and folders in order, each once.

    A folder has the scripts that `ScriptLibrary.from_directory` finds in it, and libraries of
    functions. A file that is named itself is always a unit. ``-`` is standard input.

    Args:
        paths: The files and folders.
        code: The lines that were given with ``-e``.
        root: The folder of ``--root``.

    Raises:
        Failure: A path is not there or cannot be read, a folder has no scripts, or there is nothing
            to collect.
    """
    collected = Collected([], [])
    seen: set[Path] = set()
    for unit in _all(list(paths or []), code, root):
        if isinstance(unit, ScriptSourceError):
            collected.unusable.append(unit)
        elif (resolved := unit.path.resolve()) not in seen:
            seen.add(resolved)
            collected.units.append(unit)
    return collected


def _all(
    paths: list[Path], code: Sequence[str] | None, root: Path | None
) -> Iterator[Unit | ScriptSourceError]:
    if code:
        if paths:
            raise Failure(f"-e CODE and a file do not go together; leave {paths[0]} out", UNUSABLE)
        yield from _text("-e", os.fsencode("\n".join(code)), root)
    elif not paths:
        if sys.stdin.isatty():
            why = "which scripts? Name files or folders, write -e CODE, or - for standard input"
            raise Failure(why, UNUSABLE)
        paths = [STDIN]
    for path in paths:
        if path == STDIN:
            yield from _text("<stdin>", sys.stdin.buffer.read(), root)
        elif path.is_dir():
            yield from _in_folder(path, root)
        elif is_pipe(path):
            yield from _text(str(path), read_file(path), root)
        else:
            read_file(path)
            yield from _one(*_roots.of_file(path, root), path)


def _in_folder(path: Path, root: Path | None) -> Iterator[Unit | ScriptSourceError]:
    folder, below = _roots.of_folder(path, root)
    found = list(folder_contents(folder, below))
    if not found:
        raise Failure(f"{path}: it has no .lua files", UNUSABLE)
    is_unsure = any(isinstance(each, ScriptSourceError) for each in found)
    for each in found:
        if isinstance(each, ScriptSourceError):
            yield each
        elif each.kind is not Kind.PART:
            yield Unit(path.joinpath(*each.path[len(below) :]), each, may_be_part=is_unsure)


def _text(name: str, text: bytes, root: Path | None) -> Iterator[Unit | ScriptSourceError]:
    refuse_empty(name, text)
    yield from _one(*_roots.of_text(name, text, root), Path(name))


def _one(folder: Folder, inside: tuple[str, ...], path: Path) -> Iterator[Unit | ScriptSourceError]:
    try:
        yield Unit(path, content(folder, inside))
    except ScriptSourceError as error:
        yield error


def refusal(unit: Unit, error: ScriptError) -> tuple[Place, str]:
    """Where and why a server did not take a script or a library."""
    place = unit.source.map.place(error.line or 1)
    return place, error.message or str(error).splitlines()[0]
