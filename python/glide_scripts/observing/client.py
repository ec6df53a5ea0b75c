"""The interface of a client of any kind, for scripts and observers."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

import glide_scripts

from ..public import show_as_public

R_contra = TypeVar("R_contra", contravariant=True)
TCall_co = TypeVar("TCall_co", covariant=True)


class AnyClient(Protocol[R_contra, TCall_co]):
    """A client, asynchronous or synchronous, for type checkers and stub files.

    It tells them what a typed call returns: with a synchronous client the reply, with an
    asynchronous client an awaitable for the reply.
    """

    def _run(self, calling: Coroutine[Any, Any, R_contra], /) -> TCall_co: ...


class Client:
    """The base of all clients.

    A class, not a protocol: each typed call checks its client, and a protocol's check takes a
    hundred times as long.
    """

    _is_blocking = False
    """Whether threads wait for its calls, and no event loop does."""
    _is_observed = False
    _reply_type_errors = 0
    """Replies that were not of their declared type, which the core cannot know."""

    async def _observed_call(self, call: Any) -> Any:
        """Run a declared script for a client that has an observer."""
        raise NotImplementedError

    def stats(self) -> glide_scripts.Stats:
        """Return the client's counters since it was created."""
        raise NotImplementedError


show_as_public(globals())
