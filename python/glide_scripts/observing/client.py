"""The interface of a client of any kind, for scripts and observers."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import glide_scripts

from .._core import Script
from ..values import TEncodable

T = TypeVar("T")


class Client:
    """The base of all clients.

    A class, not a protocol: each typed call checks its client, and a protocol's check takes a
    hundred times as long.
    """

    _is_blocking = False
    _is_observed = False
    _reply_type_errors = 0
    """Replies that were not of their declared type, which the core cannot know."""

    def invoke_script(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None = None,
        args: Iterable[TEncodable] | None = None,
        *,
        once: bool | TEncodable | None = None,
        once_ttl: float | None = None,
    ) -> Any:
        """Run a script on the server. With an asynchronous client, await it."""
        raise NotImplementedError

    def _run(self, calling: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of a synchronous client to its end."""
        raise NotImplementedError

    async def _observed_call(self, call: Any) -> Any:
        """Run a declared script for a client that has an observer."""
        raise NotImplementedError

    def stats(self) -> glide_scripts.Stats:
        """Return the client's counters since it was created."""
        raise NotImplementedError
