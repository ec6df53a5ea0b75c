"""A command, ready to be sent. Each function that defines a command returns one.

The function checks its arguments and returns a ``Command``, which clients and batches send. Its
docstring is also that of the client's method of the same name. Besides the listed errors, each
method may raise ``TimeoutError``, ``ConnectionError``, ``ClosingError``, and ``RequestError`` for
any other refusal of the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .._core import Library
from ..values import TEncodable

T = TypeVar("T")


class Command(Generic[T]):
    """A command, ready to be sent.

    Not a dataclass: creating one takes longer than importing all commands.
    """

    __slots__ = ("code", "decode", "library", "read_only", "words")

    def __init__(
        self,
        words: list[TEncodable],
        decode: Callable[[Any], T] | None = None,
        *,
        read_only: bool = False,
        code: bytes | None = None,
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
        self.library = library
        """The library of the function it calls, which is loaded where it is missing."""

    def settings(self) -> dict[str, Any]:
        """Return the core's keyword arguments for sending it."""
        return {
            "read_only": self.read_only,
            "code": self.code,
            **({} if self.library is None else {"library": self.library}),
        }
