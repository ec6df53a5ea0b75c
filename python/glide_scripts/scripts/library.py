"""A folder of scripts as an object: each file is an attribute, each subfolder a namespace."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .. import checks
from ..errors import ScriptError, ScriptSourceError
from ..public import show_as_public
from .typed import TypedScript

if TYPE_CHECKING:
    from ..declared.folder import Folder

E = TypeVar("E", bound=type[ScriptError])


class TypedLibrary:
    """The type of a ``ScriptLibrary`` in stub files, which list its attributes."""

    if TYPE_CHECKING:
        __entries: dict[str, TypedScript[..., Any] | TypedLibrary]
        __errors: dict[str, type[ScriptError]]
        __shown: str

    def __init__(self) -> None:
        """For ``from_directory`` and ``from_resource``, which read the scripts."""
        raise TypeError(
            "make a library with ScriptLibrary.from_directory(path) or "
            "ScriptLibrary.from_resource(package, folder)"
        )

    @classmethod
    def from_directory(cls, path: str | os.PathLike[str]) -> Self:
        """Load all scripts of a folder.

        Args:
            path: The folder. Included files must be in it.

        Raises:
            ScriptSourceError: The folder does not exist, a file in it cannot be used, or two
                scripts have the same name. The text names them.
        """
        from .files import directory_folder, library_scripts  # noqa: PLC0415 - saves time at import

        whole = directory_folder(path)
        return cls.__read(whole, (), "", {}, library_scripts(whole))

    @classmethod
    def from_resource(cls, package: str | ModuleType, folder: str = "") -> Self:
        """Load all scripts of a folder in a package, which may be in a zip file.

        Args:
            package: The package.
            folder: The folder's path inside the package, with ``/``; empty for the package's own
                folder. Included files must be in it.

        Raises:
            ScriptSourceError: As for ``from_directory``; or the package does not exist.
        """
        from ..declared.folder import Folder, looked_for  # noqa: PLC0415 - saves time at import
        from .files import (  # noqa: PLC0415 - saves time at import
            library_scripts,
            package_folder,
            resource_path,
        )

        whole = package_folder(package)
        path = resource_path(folder)
        part = Folder(whole.at(path), whole.name(path))
        if not part.root.is_dir():
            why = "the folder does not exist" + looked_for(part.root, part.shown)
            raise ScriptSourceError(why, file=part.shown)
        return cls.__read(part, (), "", {}, library_scripts(part))

    @classmethod
    def __read(
        cls,
        folder: Folder,
        path: tuple[str, ...],
        prefix: str,
        errors: dict[str, type[ScriptError]],
        scripts: Iterable[tuple[str, ...]],
    ) -> Self:
        """Return the library of a folder, given the paths of the scripts in it."""
        from .files import check_stem, load  # noqa: PLC0415 - saves time at import

        self = object.__new__(cls)
        self.__entries, self.__errors, self.__shown = {}, errors, folder.name(path)
        origins: dict[str, str] = {}
        depth = len(path) + 1
        for inner, group in itertools.groupby(scripts, key=lambda script: script[:depth]):
            below = list(group)
            if below != [inner]:
                name = check_stem(folder, inner)
                value: Any = TypedLibrary.__read(folder, inner, f"{prefix}{name}.", errors, below)
            else:
                value = load(folder, inner, prefix=prefix, errors=errors)
                name = value.name.removeprefix(prefix)
            shown = folder.name(inner)
            if name in origins:
                why = f"{origins[name]} has the same name {name!r}; rename one of them"
                raise ScriptSourceError(why, file=shown)
            if hasattr(ScriptLibrary, name):
                why = f"{name!r} is the name of a library's own method; rename the script"
                raise ScriptSourceError(why, file=shown)
            origins[name] = shown
            self.__entries[name] = value
            # An attribute of its own is found without a call of __getattr__.
            self.__dict__[name] = value
        return self

    def error(self, code: str) -> Callable[[E], E]:
        """Register an exception class for an error code of the library's scripts.

        ::

            @scripts.error("OUT_OF_STOCK")
            class OutOfStock(ScriptError):
                pass

        ``redis.error_reply("OUT_OF_STOCK sku 7")`` then raises ``OutOfStock`` with the ``message``
        ``"sku 7"``. The class's ``__init__`` is not called.

        Args:
            code: The first word of the error.

        Raises:
            TypeError: ``code`` is not str, or the class is not a ``ScriptError``.
            ValueError: ``code`` is not a single word, is a code of the server such as ``ERR``, or
                already has a class.
        """
        from ..failures.codes import SERVER_CODES  # noqa: PLC0415 - saves time at import

        checks.of_type("code", code, str, "str")
        if not code or len(code.split()) != 1 or code != code.strip():
            raise ValueError(f"code is {code!r}; pass one word, such as 'OUT_OF_STOCK'")
        if code.startswith("-"):
            raise ValueError(f"code is {code!r}, but servers remove the '-'; leave it out")
        if code in SERVER_CODES:
            raise ValueError(
                f"code is {code!r}, which servers use for their own errors; choose another code"
            )

        def register(error: E) -> E:
            known: object = error
            if not (isinstance(known, type) and issubclass(known, ScriptError)):
                raise TypeError(f"the class for {code} must be a ScriptError, not {error!r}")
            taken = self.__errors.setdefault(code, error)
            if taken is not error:
                raise ValueError(f"{code} already has a class: {taken.__qualname__}")
            return error

        return register

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Only called for missing names: scripts are real attributes."""
            if name.startswith("_"):
                raise AttributeError(name)
            import difflib  # noqa: PLC0415 - saves time at import

            near = difflib.get_close_matches(name, self.__entries, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise AttributeError(f"there is no script {name!r} in {self.__shown}{hint}")

    def __iter__(self) -> Iterator[TypedScript[..., Any]]:
        for entry in self.__entries.values():
            if isinstance(entry, TypedLibrary):
                yield from entry
            else:
                yield entry

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__shown}: {', '.join(self.__entries)}>"

    def _entries(self) -> dict[str, TypedScript[..., Any] | TypedLibrary]:
        """By their attributes' names."""
        return self.__entries


class ScriptLibrary(TypedLibrary):
    """The scripts of a folder.

    ``rate_limit.lua`` becomes the attribute ``rate_limit``, and ``billing/charge.lua`` becomes
    ``billing.charge``. A ``-`` in a name becomes ``_``; ``--@name`` in a file gives its script
    another name. Other files, folders without scripts, and names that begin with a dot are ignored.

    Iterating over a library yields all its scripts, including those of its namespaces.
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


show_as_public(globals())
