"""Scripts from files and from package resources."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .. import checks
from ..declared.comments import from_comments, script_name
from ..declared.folder import Folder, looked_for
from ..declared.signature import Undeclarable
from ..declared.source import Source, included, read
from ..errors import ScriptSourceError
from .typed import TypedScript

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..errors import ScriptError


def script_from_file(path: Any, name: str | None, root: Any) -> TypedScript[..., Any]:
    """``Script.from_file``."""
    file = _path("path", path)
    if root is None:
        return load(Folder(file.parent, _shown(file.parent)), (file.name,), name=_name(name))
    folder = _path("root", root)
    try:
        inside = Path(os.path.abspath(file)).relative_to(os.path.abspath(folder))
    except ValueError:
        raise ScriptSourceError(f"it is not in root, {folder}", file=str(file)) from None
    return load(Folder(folder, _shown(folder)), inside.parts, name=_name(name))


def script_from_resource(package: Any, resource: Any, name: str | None) -> TypedScript[..., Any]:
    """``Script.from_resource``."""
    folder = package_folder(package)
    path = resource_path(resource)
    if not path:
        raise ValueError("resource is empty; pass the path of a file in the package")
    return load(folder, path, name=_name(name))


def load(
    folder: Folder,
    path: tuple[str, ...],
    *,
    name: str | None = None,
    prefix: str | None = None,
    errors: Mapping[str, type[ScriptError]] | None = None,
) -> TypedScript[..., Any]:
    """Load a script of a folder.

    ``prefix`` is the library's namespace. In a library, a script's name must be a valid attribute
    name.

    Raises:
        ScriptSourceError: A file or a declaration in it is wrong.
    """
    source = read(folder, path)
    declared = from_comments(source)
    if name is None:
        name = declared.name
    if name is None:
        name = path[-1].removesuffix(".lua") if prefix is None else check_stem(folder, path)
    try:
        return TypedScript(
            source.code,
            name=(prefix or "") + name,
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
        ScriptSourceError: The folder does not exist, or contains a link to a folder around itself.
    """
    folder = _path("path", path)
    if not folder.is_dir():
        missing = "the folder does not exist" + looked_for(folder, str(folder))
        why = "it is a file, not a folder" if folder.exists() else missing
        raise ScriptSourceError(why, file=str(folder))
    _check_links(folder, ())
    return Folder(folder, _shown(folder))


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
        # Whoever reads it says so.
        return
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        raise ScriptSourceError("it is a link to a folder that it is in", file=str(folder))
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
        raise ScriptSourceError(f"{name!r} is not a package, but a module or nothing") from None
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


def library_scripts(folder: Folder) -> list[tuple[str, ...]]:
    """The paths of a library's scripts, by name.

    A file that gives no name to an attribute is left out where another one includes it.

    Raises:
        ScriptSourceError: A folder cannot be read.
    """
    paths = list(folder.scripts())
    if unnamed := {path for path in paths if not _is_named(folder, path)}:
        parts = included(_readable(folder, paths))
        return [path for path in paths if path not in unnamed or folder.name(path) not in parts]
    return paths


def _is_named(folder: Folder, path: tuple[str, ...]) -> bool:
    try:
        return all(check_stem(folder, path[: depth + 1]) for depth in range(len(path)))
    except ScriptSourceError:
        return False


def _readable(folder: Folder, paths: Iterable[tuple[str, ...]]) -> Iterator[Source]:
    """What can be read; loading the rest raises why it cannot."""
    for path in paths:
        with suppress(ScriptSourceError):
            yield read(folder, path)


def check_stem(folder: Folder, path: tuple[str, ...]) -> str:
    """Return the attribute name for a file or folder of a library.

    Raises:
        ScriptSourceError: The name is not a valid attribute.
    """
    try:
        return script_name(path[-1].removesuffix(".lua").replace("-", "_"))
    except Undeclarable as error:
        raise ScriptSourceError(str(error), file=folder.name(path)) from None


def _path(argument: str, path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise checks.wrong_type(argument, path, "str or a path")
    if not os.fspath(path):
        raise ValueError(f"{argument} is empty; pass a path")
    return Path(path)


def _shown(folder: Path) -> str:
    return "" if str(folder) == "." else folder.as_posix()


def _name(name: str | None) -> str | None:
    checks.optional(checks.of_type, "name", name, str, "str")
    return name
