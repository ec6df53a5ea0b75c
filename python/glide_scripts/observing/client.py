"""What scripts and observers know of a client, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Iterable

import glide_scripts

from .._core import Script
from ..values import TEncodable, TResult


class Client:
    """The base of the clients of a server and of a cluster.

    A class and no protocol: each typed call makes sure that it is given one, and a protocol takes
    a hundred times as long for that.
    """

    async def invoke_script(
        self,
        script: Script,
        keys: Iterable[TEncodable] | None = None,
        args: Iterable[TEncodable] | None = None,
    ) -> TResult:
        """Run a script on the server."""
        raise NotImplementedError

    def stats(self) -> glide_scripts.Stats:
        """What the client has counted since it was made."""
        raise NotImplementedError
