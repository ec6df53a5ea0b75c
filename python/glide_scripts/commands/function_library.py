"""Libraries of functions that load themselves."""

import re
from dataclasses import dataclass

from .. import checks
from .._core import Library
from ..public import show_as_public
from ..values import TEncodable

_NAME = re.compile(rb"[A-Za-z0-9_]+")
_NAMES_LIBRARY = re.compile(rb"#![^\n]*\sname=", re.IGNORECASE)


class FunctionLibrary:
    """A library of functions. The client loads it on servers that lack it.

    If a server answers ``Function not found``, the client loads the library with ``FUNCTION LOAD
    REPLACE`` and repeats the call. A server with an older library of the same name that has the
    function keeps the older one: give an incompatible version a new name.

    See https://valkey.io/topics/functions-intro/.

    Args:
        code: The library's code. Its first line names the engine and the library: ``#!lua
            name=mylib``.

    Raises:
        TypeError: ``code`` is not str or bytes.
        ValueError: The first line has no name of letters, digits and underscores.

    Example:
        >>> library = FunctionLibrary(pathlib.Path("counters.lua").read_text())
        >>> bump = library.function("bump")
        >>> await client.fcall(bump, keys=["visits"], arguments=["5"])
        5
    """

    __slots__ = ("__weakref__", "_code", "_core", "_name")

    def __init__(self, code: TEncodable) -> None:
        # Tracebacks may show local variables, and this one has a repr from now on.
        self._name = ""
        checks.encodable("code", code)
        self._code = code.encode() if isinstance(code, str) else bytes(code)
        self._name = _name_in(self._code)
        self._core = Library(self._code)

    @property
    def code(self) -> bytes:
        """The library's code."""
        return self._code

    @property
    def name(self) -> str:
        """The library's name, from the first line of its code."""
        return self._name

    def function(self, name: str, *, read_only: bool = False) -> "Function":
        """Return one of its functions, for ``fcall``.

        Args:
            name: The name under which the library registers it.
            read_only: Whether to call it with FCALL_RO: a replica may then run it, and the client
                repeats a lost call. The library must register it with the flag ``no-writes``.

        Raises:
            TypeError: ``name`` is not str, or ``read_only`` is not a bool.
            ValueError: ``name`` has characters other than letters, digits and underscores.
        """
        return Function(self, name, read_only)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionLibrary) and self._code == other._code

    def __hash__(self) -> int:
        return hash(self._code)

    def __repr__(self) -> str:
        return f"<FunctionLibrary {self._name}>"

    def __reduce__(self) -> "tuple[type[FunctionLibrary], tuple[bytes]]":
        return FunctionLibrary, (self._code,)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a ``FunctionLibrary``, for ``fcall`` and ``fcall_ro``.

    Args:
        library: The library.
        name: The name under which the library registers it.
        read_only: See ``FunctionLibrary.function``.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``name`` has characters other than letters, digits and underscores.
    """

    library: FunctionLibrary
    name: str
    read_only: bool = False

    def __post_init__(self) -> None:
        checks.of_type("library", self.library, FunctionLibrary)
        checks.of_type("name", self.name, str, "str")
        if not _NAME.fullmatch(self.name.encode("utf-8", "replace")):
            raise ValueError(f"name is {self.name!r}; pass letters, digits and underscores")
        checks.flag("read_only", self.read_only)


def names_library(code: bytes) -> bool:
    """Whether a text is a library of functions, by its first line."""
    return _NAMES_LIBRARY.match(code) is not None


def _name_in(code: bytes) -> str:
    line = code.split(b"\n", 1)[0]
    example = "begin it with a line such as '#!lua name=mylib'"
    if not line.startswith(b"#!"):
        raise ValueError(f"code does not say the library's name; {example}")
    names = [word[5:] for word in line.split()[1:] if word[:5].lower() == b"name="]
    if len(names) != 1:
        found = "no name" if not names else "more than one name"
        raise ValueError(f"code's first line says {found}; {example}")
    if not _NAME.fullmatch(names[0]):
        shown = names[0].decode("utf-8", "replace")
        raise ValueError(
            f"code's first line says the name {shown!r}; a library's name has only letters, digits "
            "and underscores"
        )
    return names[0].decode("ascii")


show_as_public(globals())
