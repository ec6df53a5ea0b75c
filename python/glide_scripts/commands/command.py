"""A command, ready to be sent: what each function that defines one returns.

A function checks its arguments and gives a ``Command``; clients and batches send it, each in its
way. The docstrings are those of the clients' methods of the same names, whose errors are, besides
what each lists: ``TimeoutError``, ``ConnectionError``, ``ClosingError``, and ``RequestError`` for
whatever else the server refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .._core import Library
from ..values import TEncodable

T = TypeVar("T")


class Command(Generic[T]):
    """A command, ready to be sent.

    No dataclass: to make that would take longer than to import all commands.
    """

    __slots__ = ("admin", "code", "decode", "library", "read_only", "words")

    def __init__(
        self,
        words: list[TEncodable],
        decode: Callable[[Any], T] | None = None,
        *,
        read_only: bool = False,
        code: bytes | None = None,
        admin: bool = False,
        library: Library | None = None,
    ) -> None:
        self.words = words
        """The command's name and its arguments, as sent."""
        self.decode = decode
        """The server's reply, in RESP2 or RESP3, to what the method returns; None: it is that."""
        self.read_only = read_only
        """Whether it reads keys and nothing else, so that a replica may answer it."""
        self.code = code
        """The Lua code it runs, so that its errors are a script's; empty where not known."""
        self.admin = admin
        """Whether it must get through while a script is running."""
        self.library = library
        """The library of the function it calls, which is loaded where it is missing."""

    def settings(self) -> dict[str, Any]:
        """The keyword arguments with which the core sends it."""
        return {
            "read_only": self.read_only,
            "code": self.code,
            "admin": self.admin,
            **({} if self.library is None else {"library": self.library}),
        }
