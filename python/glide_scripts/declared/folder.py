"""Folders of scripts: on disk, in a package or in a zip file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ScriptSourceError
from .lines import LINE_END, Place

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path


_NO_FILE = "the file does not exist"


def shown_folder(folder: Path) -> str:
    """Return a folder's name in errors; the current one has none."""
    return "" if str(folder) == "." else folder.as_posix()


def as_text(name: str) -> str:
    """Return a file's name as text, which it need not be on Linux."""
    return os.fsencode(name).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder whose files scripts may include: on disk, in a package or in a zip file."""

    root: Traversable
    shown: str
    """Its name in errors; empty for the current folder."""
    is_open: bool = False
    """Whether its scripts may include files outside of it."""

    def name(self, path: tuple[str, ...]) -> str:
        """Return a file's or folder's name for errors."""
        return "/".join([self.shown.rstrip("/"), *path] if self.shown else path)

    def path(self, path: tuple[str, ...]) -> str | None:
        """Return where a file is on disk; None if it is in a zip file."""
        entry = self.at(path)
        return os.path.abspath(entry) if isinstance(entry, os.PathLike) else None

    @property
    def outside(self) -> str:
        """What errors say of a file that is not in it."""
        return f"outside of {self.shown or 'the folder'}"

    def at(self, path: tuple[str, ...]) -> Traversable:
        """A file or a folder in it."""
        entry = self.root
        for part in path:
            entry = entry.joinpath(part)
        return entry

    def scripts(self, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        """The paths of all scripts below a folder of it, by name.

        Scripts are files whose names end with ``.lua``; what begins with a dot is left alone.

        Raises:
            ScriptSourceError: A folder cannot be read.
        """
        try:
            entries = sorted(self.at(path).iterdir(), key=lambda entry: entry.name)
        except OSError as error:
            why = f"it cannot be read: {error.strerror}"
            raise ScriptSourceError(why, file=self.name(path)) from None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from self.scripts((*path, entry.name))
            elif entry.name.endswith(".lua"):
                yield (*path, entry.name)

    def read(self, path: tuple[str, ...], included_at: Place | None = None) -> bytes:
        """A file's bytes, which are UTF-8.

        Raises:
            ScriptSourceError: It is missing, cannot be read, or is not UTF-8.
        """
        name, entry = self.name(path), self.at(path)
        try:
            data = entry.read_bytes()
        except (OSError, KeyError) as error:
            why = _why_unread(error, entry)
            if included_at is None:
                if why == _NO_FILE:
                    why += looked_for(entry, name)
                raise ScriptSourceError(why, file=name) from None
            raise ScriptSourceError(
                f'it includes "{name}": {why}', file=included_at.file, line=included_at.line
            ) from None
        check_text(name, data)
        return data


def looked_for(entry: Traversable, shown: str) -> str:
    """Where a file or a folder was looked for, to go behind its name in an error."""
    at = os.path.abspath(entry) if isinstance(entry, os.PathLike) else shown
    return "" if at == shown else f"; it was looked for at {at}"


def _why_unread(error: Exception, entry: Traversable) -> str:
    # A zip raises KeyError, with a text about its internals.
    if isinstance(error, (KeyError, FileNotFoundError, NotADirectoryError)):
        if isinstance(entry, os.PathLike) and os.path.islink(entry):
            return f"it is a link to {os.readlink(os.fspath(entry))}, which does not exist"
        return _NO_FILE
    if isinstance(error, IsADirectoryError):
        return "it is a folder, not a file"
    return f"it cannot be read: {getattr(error, 'strerror', None) or error}"


def check_text(name: str, data: bytes) -> None:
    """
    Raises:
        ScriptSourceError: It is not UTF-8, or begins with a byte order mark, which Lua refuses.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise ScriptSourceError(
            "it begins with a byte order mark, which Lua refuses; save the file without it",
            file=name,
        )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = len(LINE_END.findall(data, 0, error.start)) + 1
        byte = f"byte 0x{data[error.start]:02x} at {error.start}"
        raise ScriptSourceError(f"it is not UTF-8: {byte}", file=name, line=line) from None
