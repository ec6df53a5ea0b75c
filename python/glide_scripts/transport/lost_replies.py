"""No command is sent twice over the library's own connections, whatever its ``retry`` says.

The library repeats a command if its connection is lost, also after the server may have run it. A
pipeline that watches raises ``WatchError`` then, after which its caller repeats it. Commands that
could not be sent are still repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, ClassVar

from .library import Library


class _LostReplyError(BaseException):
    """Carries the library's error past its ``retry``, which may know each kind of Exception."""

    def __init__(self, error: Any) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def losses_carried(library: Library) -> Iterator[None]:
    """Carry the error of a lost reply past the library's ``retry``, to `losses_as_errors`."""
    try:
        yield
    except Exception as error:
        # Errors that a server answers with, such as LOADING, are of subclasses of these.
        if type(error) in {library.exceptions.ConnectionError, library.exceptions.TimeoutError}:
            raise _LostReplyError(error) from None
        raise


class AsyncReplies:
    """Goes before what reads replies in the library's asynchronous clients and pipelines."""

    __slots__ = ()
    _library: ClassVar[Library]

    async def parse_response(self, *args: Any, **options: Any) -> Any:
        with losses_carried(self._library):
            return await super().parse_response(*args, **options)  # type: ignore[misc]


class BlockingReplies:
    """Goes before what reads replies in the library's synchronous clients."""

    _library: ClassVar[Library]

    def parse_response(self, *args: Any, **options: Any) -> Any:
        # After `install()`, this is also what the library's pipeline calls as its client's method.
        kind: Any = type(self)
        read = _read_of_library(kind)
        with losses_carried(self._library):
            return read(self, *args, **options)


@cache
def _read_of_library(kind: Any) -> Callable[..., Any]:
    """Return the method of the library's client, from which others are derived."""
    found: Callable[..., Any] = next(
        vars(each)["parse_response"]
        for each in reversed(kind.__mro__)
        if "parse_response" in vars(each)
    )
    return found


_for_caller = ContextVar("_for_caller", default=False)


@contextmanager
def for_caller() -> Iterator[None]:
    """Send a caller's command to a cluster's node; what the library asks nodes is not one."""
    token = _for_caller.set(True)
    try:
        yield
    finally:
        _for_caller.reset(token)


class _NodeReplies(AsyncReplies):
    __slots__ = ()

    async def parse_response(self, *args: Any, **options: Any) -> Any:
        replies: Any = super() if _for_caller.get() else super(AsyncReplies, self)
        return await replies.parse_response(*args, **options)


def read_from_node(node: Any, library: Library) -> None:
    """Let a node of an asynchronous cluster client read its replies in this way."""
    if not isinstance(node, _NodeReplies):
        # It has slots, so its method cannot be replaced.
        kind: Any = type(node)
        node.__class__ = _node_class(kind, library)


@cache
def _node_class(base: Any, library: Library) -> type[Any]:
    return type(base.__name__, (_NodeReplies, base), {"__slots__": (), "_library": library})


def read_from_node_client(client: Any, library: Library) -> None:
    """Let the client of a synchronous cluster client's node read its replies in this way."""
    if "parse_response" in vars(client):
        return
    read = client.parse_response

    def parse_response(*args: Any, **options: Any) -> Any:
        if not _for_caller.get():
            return read(*args, **options)
        with losses_carried(library):
            return read(*args, **options)

    client.parse_response = parse_response


@contextmanager
def losses_as_errors() -> Iterator[None]:
    """Raise the library's error if a reply is lost while the library executes commands."""
    try:
        yield
    except _LostReplyError as lost:
        lost.error.may_have_executed = True
        raise lost.error from lost.error.__cause__
