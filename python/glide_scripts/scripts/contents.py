"""What the files of a folder are: scripts, libraries of functions, or parts of other files.

`ScriptLibrary` and the commands ``check``, ``load`` and ``stubs`` all read folders by this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from ..commands.function_library import FunctionLibrary, names_library
from ..declared.comments import Declarations, from_comments, script_name
from ..declared.signature import Undeclarable
from ..declared.source import INCLUDE, Source, included, read
from ..errors import ScriptSourceError

if TYPE_CHECKING:
    from collections.abc import Container

    from ..declared.folder import Folder


class Kind(Enum):
    """What a file is."""

    SCRIPT = "script"
    FUNCTIONS = "library"
    """Its first line names a library of functions."""
    PART = "part"
    """Another file includes it, and it declares nothing of its own."""


@dataclass(frozen=True, slots=True)
class Content:
    """A file of a folder."""

    path: tuple[str, ...]
    """From the folder in which it may include others."""
    kind: Kind
    source: Source
    declared: Declarations
    functions: FunctionLibrary | None
    """None for a script or a part."""
    attributes: tuple[str, ...] = ()
    """The names of its namespaces, and of the script in the last one. Only scripts have them."""
    misnamed: ScriptSourceError | None = None
    """Why a script has no attributes."""


def contents(
    folder: Folder, below: tuple[str, ...], reserved: Container[str]
) -> Iterator[Content | ScriptSourceError]:
    """Return what each file below a folder is, by name, or why it cannot be used.

    Args:
        folder: What may be included.
        below: The path in it of the folder to read. Attributes count from there.
        reserved: The names that no script may have.

    Raises:
        ScriptSourceError: A folder cannot be read.
    """
    files = [(path, _content(folder, path)) for path in folder.scripts(below)]
    parts = included(file.source for _, file in files if isinstance(file, Content))
    names = _Names(folder, below, reserved)
    for path, file in files:
        if isinstance(file, ScriptSourceError) or file.kind is Kind.FUNCTIONS:
            yield file
        elif file.source.file in parts and not _declares(file.source):
            yield replace(file, kind=Kind.PART)
        else:
            try:
                yield replace(file, attributes=names.of(path, file.declared.name))
            except ScriptSourceError as error:
                yield replace(file, misnamed=error)


def content(folder: Folder, path: tuple[str, ...]) -> Content:
    """What one file is by itself: a script, or a library of functions.

    Raises:
        ScriptSourceError: It, or a declaration in it, is wrong.
    """
    source = read(folder, path)
    functions = _functions(source)
    kind = Kind.SCRIPT if functions is None else Kind.FUNCTIONS
    return Content(path, kind, source, from_comments(source), functions)


def _content(folder: Folder, path: tuple[str, ...]) -> Content | ScriptSourceError:
    try:
        return content(folder, path)
    except ScriptSourceError as error:
        return error


def _functions(source: Source) -> FunctionLibrary | None:
    if not names_library(source.code):
        return None
    try:
        return FunctionLibrary(source.code)
    except ValueError as error:
        raise ScriptSourceError(str(error), file=source.file, line=1) from None


def _declares(source: Source) -> bool:
    return any(
        each.in_head and not each.is_spaced and each.word != INCLUDE for each in source.directives
    )


class _Names:
    """The attributes of a folder's scripts, each with the file or folder that has it."""

    def __init__(self, folder: Folder, below: tuple[str, ...], reserved: Container[str]) -> None:
        self._folder, self._depth, self._reserved = folder, len(below), reserved
        self._origins: dict[tuple[str, ...], str] = {}

    def of(self, path: tuple[str, ...], declared: str | None) -> tuple[str, ...]:
        """The attributes of a script.

        Raises:
            ScriptSourceError: A name is not a valid attribute, is reserved, or is another's.
        """
        names: tuple[str, ...] = ()
        for end in range(self._depth + 1, len(path)):
            inner = path[:end]
            names = self._taken((*names, _attribute(self._folder, inner)), inner)
        own = _attribute(self._folder, path) if declared is None else declared
        return self._taken((*names, own), path)

    def _taken(self, names: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...]:
        shown, name = self._folder.name(path), names[-1]
        origin = self._origins.setdefault(names, shown)
        if origin != shown:
            why = f"{origin} has the same name {name!r}; rename one of them"
            raise ScriptSourceError(why, file=shown)
        if name in self._reserved:
            why = f"{name!r} is the name of a library's own method; rename the script"
            raise ScriptSourceError(why, file=shown)
        return names


def _attribute(folder: Folder, path: tuple[str, ...]) -> str:
    try:
        return script_name(path[-1].removesuffix(".lua").replace("-", "_"))
    except Undeclarable as error:
        raise ScriptSourceError(str(error), file=folder.name(path)) from None
