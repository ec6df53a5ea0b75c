"""Ports that refuse connections."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from glide_scripts import NodeAddress


@contextmanager
def refusing() -> Iterator[NodeAddress]:
    """An address where nothing listens. No server can take the port meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield NodeAddress("127.0.0.1", held.getsockname()[1])
