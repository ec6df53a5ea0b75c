"""The scripts and libraries in the files and folders of a command line."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .. import FunctionLibrary, ScriptError, ScriptSourceError
from ..declared.comments import Declarations, from_comments
from ..declared.folder import Folder
from ..declared.lines import Place
from ..declared.source import Source, included, read
from ..scripts.files import directory_folder
from ._failure import UNUSABLE, Failure


@dataclass(frozen=True)
class Unit:
    """A unit for loading: a script, or a library of functions."""

    path: Path
    source: Source
    declarations: Declarations
    library: FunctionLibrary | None
    """None for a script."""
    may_be_part: bool = False
    """Whether it may be of another file of its folder, whose includes are wrong."""

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
        return "script" if self.library is None else "library"

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


def collect(paths: Iterable[Path]) -> Collected:
    """Return all units of files and folders in order, each once.

    A file that another file of its folder includes is not a unit, unless it is named itself. In a
    folder, names that begin with a dot are ignored.

    Raises:
        Failure: A path is not there or cannot be read, or a folder has no scripts.
    """
    collected = Collected([], [])
    seen: set[Path] = set()
    for path in paths:
        for unit in _in_folder(path) if path.is_dir() else _one(path.parent, (path.name,)):
            if isinstance(unit, ScriptSourceError):
                collected.unusable.append(unit)
            elif (resolved := unit.path.resolve()) not in seen:
                seen.add(resolved)
                collected.units.append(unit)
    return collected


def _in_folder(path: Path) -> Iterator[Unit | ScriptSourceError]:
    names = list(directory_folder(path).scripts())
    if not names:
        raise Failure(f"{path}: it has no .lua files", UNUSABLE)
    found = [each for name in names for each in _one(path, name)]
    if any(isinstance(each, ScriptSourceError) for each in found):
        found = [
            replace(each, may_be_part=True) if isinstance(each, Unit) else each for each in found
        ]
    parts = included(each.source for each in found if isinstance(each, Unit))
    for each in found:
        if isinstance(each, ScriptSourceError) or each.file not in parts:
            yield each


def _one(root: Path, name: tuple[str, ...]) -> Iterator[Unit | ScriptSourceError]:
    path = root.joinpath(*name)
    if not path.exists():
        raise Failure(f"{path}: {os.strerror(2)}", UNUSABLE)
    shown = "" if str(root) == "." else root.as_posix()
    try:
        source = read(Folder(root, shown), name)
        yield Unit(path, source, from_comments(source), _library(source))
    except ScriptSourceError as error:
        yield error


def _library(source: Source) -> FunctionLibrary | None:
    """
    Raises:
        ScriptSourceError: Its first line names a library, and wrongly.
    """
    first, *_ = source.code.splitlines() or [b""]
    if not (first.startswith(b"#!") and b" name=" in first.lower()):
        return None
    try:
        return FunctionLibrary(source.code)
    except ValueError as error:
        raise ScriptSourceError(str(error), file=source.file, line=1) from None


def refusal(unit: Unit, error: ScriptError) -> tuple[Place, str]:
    """Where and why a server did not take a script or a library."""
    place = unit.source.map.place(error.line or 1)
    return place, error.message or str(error).splitlines()[0]
