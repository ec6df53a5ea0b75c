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
    from .contents import Content

E = TypeVar("E", bound=type[ScriptError])


class TypedLibrary:
    """The type of a ``ScriptLibrary`` in stub files, which list its attributes."""

    if TYPE_CHECKING:
        __entries: dict[str, TypedScript[..., Any] | TypedLibrary]
        __errors: dict[str, type[ScriptError]]
        __left_out: dict[str, Content]
        __shown: str

    def __init__(self) -> None:
        """For ``from_directory`` and ``from_resource``, which read the scripts."""
        # Tracebacks may show local variables, and this one has a repr from now on.
        self.__entries, self.__shown = {}, ""
        raise TypeError(
            "make a library with ScriptLibrary.from_directory(path) or "
            "ScriptLibrary.from_resource(package, folder)"
        )

    @classmethod
    def from_directory(
        cls, path: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None
    ) -> Self:
        """Load all scripts of a folder.

        Args:
            path: The folder.
            root: The folder that included files must be in. Default: ``path``.

        Raises:
            ScriptSourceError: The folder does not exist or is not in ``root``, a file in it cannot
                be used, or two scripts have the same name. The text names them.
        """
        from .files import directory_folder, rooted_folder  # noqa: PLC0415 - saves time at import

        if root is None:
            return cls.__read(directory_folder(path), ())
        return cls.__read(*rooted_folder(path, root))

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
        from .files import package_folder, resource_path  # noqa: PLC0415 - saves time at import

        whole = package_folder(package)
        path = resource_path(folder)
        part = Folder(whole.at(path), whole.name(path))
        if not part.root.is_dir():
            why = "the folder does not exist" + looked_for(part.root, part.shown)
            raise ScriptSourceError(why, file=part.shown)
        return cls.__read(part, ())

    @classmethod
    def __read(cls, folder: Folder, below: tuple[str, ...]) -> Self:
        files = []
        for each in folder_contents(folder, below):
            if isinstance(each, ScriptSourceError):
                raise each
            if each.misnamed is not None:
                raise each.misnamed
            files.append(each)
        return cls.__of(files, (), len(below), folder.name(below), {})

    @classmethod
    def __of(
        cls,
        files: Iterable[Content],
        namespace: tuple[str, ...],
        depth: int,
        shown: str,
        errors: dict[str, type[ScriptError]],
    ) -> Self:
        """Return the library of files that are in the same folder, `depth` parts down."""
        from .contents import Kind  # noqa: PLC0415 - saves time at import
        from .files import typed  # noqa: PLC0415 - saves time at import

        self = object.__new__(cls)
        self.__entries, self.__errors, self.__shown = {}, errors, shown or "."
        self.__left_out = {}
        for part, group in itertools.groupby(files, key=lambda each: each.path[depth]):
            below = list(group)
            scripts = [each for each in below if each.kind is Kind.SCRIPT]
            if not scripts:
                name = part.removesuffix(".lua").replace("-", "_")
                self.__left_out[name] = below[0]
                continue
            first = scripts[0]
            name = first.attributes[len(namespace)]
            inner = (*namespace, name)
            value: Any
            if len(first.path) > depth + 1:
                value = TypedLibrary.__of(below, inner, depth + 1, f"{shown}/{part}", errors)
            else:
                value = typed(first.source, first.declared, ".".join(inner), errors)
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
            if not self.__entries:
                hint = "; no file in it is a script"
            if name in self.__left_out:
                hint = f": {_why_left_out(self.__left_out[name])}"
            raise AttributeError(f"there is no script {name!r} in {self.__shown}{hint}")

    def __iter__(self) -> Iterator[TypedScript[..., Any]]:
        for entry in self.__entries.values():
            if isinstance(entry, TypedLibrary):
                yield from entry
            else:
                yield entry

    def __repr__(self) -> str:
        names = ", ".join(self.__entries) or "no scripts"
        return f"<{type(self).__name__} {self.__shown}: {names}>"

    def _entries(self) -> dict[str, TypedScript[..., Any] | TypedLibrary]:
        """By their attributes' names."""
        return self.__entries


class ScriptLibrary(TypedLibrary):
    """The scripts of a folder.

    ``rate_limit.lua`` becomes the attribute ``rate_limit``, and ``billing/charge.lua`` becomes
    ``billing.charge``. A ``-`` in a name becomes ``_``; ``--@name`` in a file gives its script
    another name. Other files, folders without scripts, and names that begin with a dot are ignored.
    So are libraries of functions, and files that others include unless they declare something.

    Iterating over a library yields all its scripts, including those of its namespaces.
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def folder_contents(
    folder: Folder, below: tuple[str, ...] = ()
) -> Iterator[Content | ScriptSourceError]:
    """Return what each file below a folder is, by name, or why it cannot be used.

    Raises:
        ScriptSourceError: A folder cannot be read.
    """
    from .contents import contents  # noqa: PLC0415 - saves time at import

    return contents(folder, below, reserved=frozenset(dir(ScriptLibrary)))


def _why_left_out(content: Content) -> str:
    file = content.source.file
    if content.functions is not None:
        return f"{file} is a library of functions; FunctionLibrary loads it"
    return f"other files include {file}, and it declares nothing of its own"


show_as_public(globals())
