"""No command of a server's client is sent twice over the library's own connections.

The library repeats a command if its connection is lost, as ``retry`` says, also after the server
may have run it. A pipeline that watches raises ``WatchError`` then, after which its caller repeats
it. Commands that could not be sent are still repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from .library import Library


class _LostReplyError(BaseException):
    """Carries the library's error past its ``retry``, which may know each kind of Exception."""

    def __init__(self, error: Any) -> None:
        super().__init__(error)
        self.error = error


class AsyncReplies:
    """Goes before what reads replies in the library's asynchronous clients and pipelines."""

    _library: ClassVar[Library]

    async def parse_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().parse_response(*args, **options)  # type: ignore[misc]
        except Exception as error:
            if _is_loss(error, self._library):
                raise _LostReplyError(error) from None
            raise


class BlockingReplies:
    """Goes before what reads replies in the library's synchronous clients and pipelines."""

    _library: ClassVar[Library]

    def parse_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().parse_response(*args, **options)  # type: ignore[misc]
        except Exception as error:
            if _is_loss(error, self._library):
                raise _LostReplyError(error) from None
            raise


@contextmanager
def losses_as_errors() -> Iterator[None]:
    """Raise the library's error if a reply is lost while the library executes commands."""
    try:
        yield
    except _LostReplyError as lost:
        lost.error.may_have_executed = True
        raise lost.error from lost.error.__cause__


def _is_loss(error: Exception, library: Library) -> bool:
    # Errors that a server answers with, such as LOADING, are of subclasses of these.
    return type(error) in {library.exceptions.ConnectionError, library.exceptions.TimeoutError}
