"""What scripts and observers know of a client, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import glide_scripts

from .._core import Script
from ..values import TEncodable, TResult


class Client:
    """The base of the clients of a server and of a cluster.

    A class and no protocol: each typed call makes sure that it is given one, and a protocol takes
    a hundred times as long for that.
    """

    _is_observed = False
    _reply_type_errors = 0
    """Replies that were not of their declared type, which the core cannot know."""

    async def invoke_script(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None = None,
        args: Iterable[TEncodable] | None = None,
    ) -> TResult:
        """Run a script on the server."""
        raise NotImplementedError

    async def _observed_call(self, call: Any) -> Any:
        """Run a declared script for a client that has an observer."""
        raise NotImplementedError

    def stats(self) -> glide_scripts.Stats:
        """What the client has counted since it was made."""
        raise NotImplementedError
