"""Scripts from files and from package resources."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .. import checks
from ..declared.comments import from_comments
from ..declared.folder import Folder, as_text, looked_for, shown_folder
from ..declared.source import read
from ..errors import ScriptSourceError
from .typed import TypedScript

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..declared.comments import Declarations
    from ..declared.source import Source
    from ..errors import ScriptError


def script_from_file(path: Any, name: str | None, root: Any) -> TypedScript[..., Any]:
    """``Script.from_file``."""
    file = _path("path", path)
    if root is None:
        return load(Folder(file.parent, shown_folder(file.parent)), (file.name,), name=_name(name))
    folder = _path("root", root)
    return load(Folder(folder, shown_folder(folder)), _inside(file, folder), name=_name(name))


def script_from_resource(package: Any, resource: Any, name: str | None) -> TypedScript[..., Any]:
    """``Script.from_resource``."""
    folder = package_folder(package)
    path = resource_path(resource)
    if not path:
        raise ValueError("resource is empty; pass the path of a file in the package")
    return load(folder, path, name=_name(name))


def load(
    folder: Folder, path: tuple[str, ...], *, name: str | None = None
) -> TypedScript[..., Any]:
    """Load a script of a folder.

    Raises:
        ScriptSourceError: A file or a declaration in it is wrong.
    """
    source = read(folder, path)
    declared = from_comments(source)
    if name is None:
        name = declared.name or as_text(path[-1]).removesuffix(".lua")
    return typed(source, declared, name)


def typed(
    source: Source,
    declared: Declarations,
    name: str,
    errors: Mapping[str, type[ScriptError]] | None = None,
) -> TypedScript[..., Any]:
    """The script of a source.

    Raises:
        ScriptSourceError: Its first line and its declarations contradict each other.
    """
    try:
        return TypedScript(
            source.code,
            name=name,
            read_only=True if declared.read_only else None,
            idempotent=declared.idempotent,
            once=declared.once,
            once_ttl=declared.once_ttl,
            _signature=declared.signature,
            _source_map=source.map,
            _errors=errors,
        )
    except ValueError as error:
        # The first line may declare that it only reads, which goes with no --@once.
        raise ScriptSourceError(str(error), file=source.file) from None


def directory_folder(path: Any) -> Folder:
    """Open a folder on disk.

    Raises:
        TypeError: ``path`` is not a path.
        ScriptSourceError: The folder does not exist, cannot be read, or contains a link to a folder
            around itself.
    """
    folder = _folder("path", path)
    _check_links(folder, ())
    return Folder(folder, shown_folder(folder))


def rooted_folder(path: Any, root: Any) -> tuple[Folder, tuple[str, ...]]:
    """Open a folder around another one; return it, and the way to that one.

    Raises:
        TypeError: ``path`` or ``root`` is not a path.
        ScriptSourceError: As for ``directory_folder``; or ``root`` is no folder, or ``path`` is not
            in it.
    """
    directory_folder(path)
    folder = _folder("root", root)
    inside = _inside(_path("path", path), folder)
    return Folder(folder, shown_folder(folder)), inside


def _folder(argument: str, path: Any) -> Path:
    folder = _path(argument, path)
    try:
        # From Python 3.14 on, `is_dir()` hides why a folder cannot be read.
        if stat.S_ISDIR(folder.stat().st_mode):
            return folder
        why = "it is a file, not a folder"
    except (FileNotFoundError, NotADirectoryError, ValueError):
        why = "the folder does not exist" + looked_for(folder, str(folder))
    except OSError as error:
        # Such as of a folder in one that this user may not read.
        why = f"it cannot be read: {error.strerror}"
    raise ScriptSourceError(why if argument == "path" else f"{argument}: {why}", file=str(folder))


def _inside(path: Path, root: Path) -> tuple[str, ...]:
    try:
        return Path(os.path.abspath(path)).relative_to(os.path.abspath(root)).parts
    except ValueError:
        raise ScriptSourceError(f"it is not in root, {root}", file=str(path)) from None


def _check_links(folder: Path, above: tuple[tuple[int, int], ...]) -> None:
    """
    Raises:
        ScriptSourceError: The folder contains a link to a folder around itself, which would never
            end.
    """
    try:
        status = folder.stat()
        inner = sorted(each for each in folder.iterdir() if each.name[0] != "." and each.is_dir())
    except OSError:
        # Reading it raises the error.
        return
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        raise ScriptSourceError("it is a link to a folder that contains it", file=str(folder))
    for each in inner:
        _check_links(each, (*above, identity))


def package_folder(package: Any) -> Folder:
    """Open a package's folder.

    Raises:
        TypeError: ``package`` is not a package.
        ScriptSourceError: The package does not exist.
    """
    import importlib.resources  # noqa: PLC0415 - saves time at import

    if not isinstance(package, (str, ModuleType)):
        raise checks.wrong_type("package", package, "the name of a package")
    name = package if isinstance(package, str) else package.__name__
    try:
        root = importlib.resources.files(package)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ScriptSourceError(f"there is no package {name!r}") from None
    except (TypeError, ValueError):
        raise ScriptSourceError(
            f"{name!r} is not a package; pass a package that contains the files"
        ) from None
    return Folder(root, name.replace(".", "/"))


def resource_path(resource: Any) -> tuple[str, ...]:
    """Return the parts of a path inside a package.

    Raises:
        TypeError: ``resource`` is not str.
        ValueError: The path leads out of the package.
    """
    checks.of_type("resource", resource, str, "str")
    parts = tuple(part for part in resource.split("/") if part not in ("", "."))
    if resource.startswith("/") or ".." in parts:
        raise ValueError(f"resource is {resource!r}; pass a path inside the package")
    return parts


def _path(argument: str, path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise checks.wrong_type(argument, path, "str or a path")
    if not os.fspath(path):
        raise ValueError(f"{argument} is empty; pass a path")
    if "\0" in os.fspath(path):
        raise ValueError(f"{argument} contains a zero character; pass a path without it")
    return Path(path)


def _name(name: str | None) -> str | None:
    checks.optional(checks.of_type, "name", name, str, "str")
    return name
