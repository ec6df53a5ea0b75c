"""The folder that a script's includes must be in.

It is that of ``--root``, or of ``pyproject.toml``::

    [tool.glide-scripts]
    root = "scripts"  # or several: ["scripts", "jobs/lua"]

Otherwise a folder's includes must be in it, as for `ScriptLibrary.from_directory`, and a single
file may include any other.
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..declared.folder import Folder, check_text, shown_folder
from ..declared.lines import Place
from ..scripts.files import directory_folder
from ._failure import UNUSABLE, Failure

_TABLE = "[tool.glide-scripts]"


@dataclass(frozen=True)
class Files(Folder):
    """A folder whose files are named from the current folder, unless it was given as absolute."""

    given: tuple[str, bytes] | None = None
    """The name and the text of a file in it that is not on disk."""

    @property
    def outside(self) -> str:
        return f"{super().outside}; --root DIR names a folder that holds both"

    def name(self, path: tuple[str, ...]) -> str:
        if self.given is not None and path == self.given[:1]:
            return self.given[0]
        name = super().name(path)
        return Path(name if os.path.isabs(name) else os.path.relpath(name)).as_posix()

    def read(self, path: tuple[str, ...], included_at: Place | None = None) -> bytes:
        if self.given is None or path != self.given[:1]:
            return super().read(path, included_at)
        name, text = self.given
        check_text(name, text)
        return text


def of_file(file: Path, root: Path | None) -> tuple[Folder, tuple[str, ...]]:
    """Return the folder that a file's includes must be in, and the way from there to the file.

    Args:
        file: The file.
        root: The folder of ``--root``.

    Raises:
        Failure: The file is not in the folder of ``--root``, or ``pyproject.toml`` is wrong.
    """
    chosen = root_of(file, root)
    if chosen is None:
        return Files(file.parent, shown_folder(file.parent), is_open=True), (file.name,)
    return Files(chosen, shown_folder(chosen)), _inside(file, chosen)


def of_text(name: str, text: bytes, root: Path | None) -> tuple[Folder, tuple[str, ...]]:
    """Return the folder for a script that is in no file, and the way from there to the script.

    Its includes are relative to ``--root``, or to the current folder.
    """
    folder = root or Path()
    return Files(folder, shown_folder(folder), is_open=root is None, given=(name, text)), (name,)


def of_folder(folder: Path, root: Path | None) -> tuple[Folder, tuple[str, ...]]:
    """Return the folder that a folder's includes must be in, and the way from there to the folder.

    Raises:
        Failure: As for `of_file`.
        ScriptSourceError: The folder contains a link to a folder around itself.
    """
    directory_folder(folder)
    chosen = root_of(folder, root) or folder
    return Files(chosen, shown_folder(chosen)), _inside(folder, chosen)


def root_of(path: Path, root: Path | None) -> Path | None:
    """Return the folder of ``--root`` or ``pyproject.toml`` for a path; None if there is none."""
    if root is not None:
        if not _is_in(path, root):
            raise Failure(f"{path}: it is not in --root {root}", UNUSABLE)
        return root
    around = [each for each in _configured(path) if _is_in(path, each)]
    # The innermost one.
    found = max(around, key=lambda each: len(each.parts), default=None)
    return found if found is None or path.is_absolute() else Path(os.path.relpath(found))


def _configured(path: Path) -> list[Path]:
    """The roots that the nearest ``pyproject.toml`` with settings has."""
    for folder in _above(path):
        file = folder / "pyproject.toml"
        if file.is_file() and (settings := _settings(file)) is not None:
            return _roots(file, settings)
    return []


def _settings(file: Path) -> Any:
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{file}: it cannot be read: {error}", UNUSABLE) from error
    tool = read.get("tool")
    return tool.get("glide-scripts") if isinstance(tool, dict) else None


def _roots(file: Path, settings: Any) -> list[Path]:
    def wrong(why: str) -> Failure:
        return Failure(f"{file}: {_TABLE} {why}", UNUSABLE)

    if not isinstance(settings, dict):
        raise wrong("must be a table")
    if unknown := sorted(settings.keys() - {"root"}):
        raise wrong(f"has no setting {unknown[0]!r}; it has root")
    value = settings.get("root", [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise wrong('root must be a folder or a list of folders: root = "scripts"')
    for name in names:
        if not (file.parent / name).is_dir():
            raise wrong(f"root: there is no folder {name!r}")
    return [_absolute(file.parent / name) for name in names]


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _above(path: Path) -> list[Path]:
    whole = _absolute(path)
    return [whole, *whole.parents]


def _is_in(path: Path, root: Path) -> bool:
    return _absolute(path).is_relative_to(_absolute(root))


def _inside(path: Path, root: Path) -> tuple[str, ...]:
    return _absolute(path).relative_to(_absolute(root)).parts
