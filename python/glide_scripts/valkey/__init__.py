"""valkey-py's asynchronous client over this package's connections.

    pip install "glide-scripts[valkey]"

    from glide_scripts.valkey import Valkey

``Valkey`` is a ``valkey.asyncio.Valkey``: its commands, options, replies and exceptions are
valkey-py's code. Only the connections to the server differ. The synchronous client is in
``glide_scripts.valkey.sync``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import glide_scripts  # noqa: F401 - waits until the package is there

from ..transport.library import Library

# Before anything else of valkey-py: the error says what to do.
library = Library("valkey", "valkey-py", range(6, 7))

import valkey.asyncio  # noqa: E402
import valkey.asyncio.client  # noqa: E402
import valkey.asyncio.sentinel  # noqa: E402
from valkey.asyncio import (  # noqa: E402
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    BlockingConnectionPool,
    BusyLoadingError,
    ChildDeadlockedError,
    Connection,
    ConnectionError,
    ConnectionPool,
    DataError,
    InvalidResponse,
    OutOfMemoryError,
    PubSubError,
    ReadOnlyError,
    ResponseError,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
    SSLConnection,
    TimeoutError,
    UnixDomainSocketConnection,
    ValkeyError,
    WatchError,
    default_backoff,
)

from ..public import later  # noqa: E402
from ..transport import installing  # noqa: E402
from ..transport.asynchronous import AsyncClient, AsyncPipeline  # noqa: E402
from ..transport.own_names import with_own_names  # noqa: E402
from ..transport.sentinels import SentinelWithClients  # noqa: E402

if TYPE_CHECKING:
    from . import exceptions
    from .cluster import ClusterPipeline, ValkeyCluster

__all__ = [
    "AuthenticationError",
    "AuthenticationWrongNumberOfArgsError",
    "BlockingConnectionPool",
    "BusyLoadingError",
    "ChildDeadlockedError",
    "ClusterPipeline",
    "Connection",
    "ConnectionError",
    "ConnectionPool",
    "DataError",
    "InvalidResponse",
    "OutOfMemoryError",
    "Pipeline",
    "PubSubError",
    "ReadOnlyError",
    "ResponseError",
    "SSLConnection",
    "Sentinel",
    "SentinelConnectionPool",
    "SentinelManagedConnection",
    "SentinelManagedSSLConnection",
    "StrictValkey",
    "TimeoutError",
    "UnixDomainSocketConnection",
    "Valkey",
    "ValkeyCluster",
    "ValkeyError",
    "WatchError",
    "default_backoff",
    "exceptions",
    "from_url",
    "install",
    "uninstall",
]


class Pipeline(AsyncPipeline, valkey.asyncio.client.Pipeline):  # type: ignore[misc] # valkey-py's own bases disagree
    """valkey-py's pipeline. Without a watch, its commands go together, as a batch."""

    _library = library


class Valkey(AsyncClient, valkey.asyncio.Valkey):  # type: ignore[misc] # valkey-py's own bases disagree
    """valkey-py's asynchronous client over this package's connections.

    All clients of a pool share one connection, except for commands that would keep other calls
    waiting or change the connection. It is opened by the first call. ``socket_timeout`` is the
    deadline of a call with all its steps. A call whose reply was lost is not repeated, whatever
    ``retry`` says; its error has ``may_have_executed``.
    """

    _library = library

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class Sentinel(SentinelWithClients, valkey.asyncio.sentinel.Sentinel):
    """valkey-py's Sentinel, whose clients follow the primary over this package's connections.

    valkey-py's own connections go to the Sentinels. Clients of ``slave_for`` use them, too, for all
    commands but reads.
    """

    _library = library
    _client = Valkey


StrictValkey = Valkey


def from_url(url: str, **kwargs: Any) -> Valkey:
    """Return a client of a URL, as ``valkey.asyncio.from_url`` does."""
    client: Any = Valkey.from_url(url, **kwargs)
    made: Valkey = client
    return made


def install() -> installing.Installation:
    """Replace valkey-py's classes by these and those of ``sync``.

    For trials, and for libraries that make their own clients. Call it before you import them: a
    module that has valkey-py's class already keeps it. Where you can, pass a client instead.

    Returns:
        A context manager that calls ``uninstall`` at its end.
    """
    return installing.install("valkey", _replacements)


def uninstall() -> None:
    """Put valkey-py's own classes back. Clients that were made meanwhile stay as they are."""
    installing.uninstall("valkey")


def _replacements() -> dict[type, type]:
    import valkey.asyncio.cluster  # noqa: PLC0415 - saves time at import
    import valkey.cluster  # noqa: PLC0415
    import valkey.sentinel  # noqa: PLC0415

    from . import cluster, sync, sync_cluster  # noqa: PLC0415

    return {
        valkey.asyncio.Valkey: Valkey,
        valkey.asyncio.ValkeyCluster: cluster.ValkeyCluster,
        valkey.asyncio.sentinel.Sentinel: Sentinel,
        valkey.Valkey: sync.Valkey,
        valkey.ValkeyCluster: sync_cluster.ValkeyCluster,
        valkey.sentinel.Sentinel: sync.Sentinel,
    }


if not TYPE_CHECKING:
    _get, __dir__ = later(
        globals(), dict.fromkeys(("ClusterPipeline", "ValkeyCluster"), "valkey.cluster")
    )
    __getattr__ = with_own_names(globals(), _get, "valkey.asyncio", "valkey")
