"""valkey-py's synchronous client over this package's connections.

    from glide_scripts.valkey.sync import Valkey

``Valkey`` is a ``valkey.Valkey``. Any number of threads may share one client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import valkey
import valkey.client
import valkey.sentinel
from valkey import (
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
    exceptions,
)

from ..public import later
from ..transport.blocking import BlockingClient, BlockingPipeline
from ..transport.own_names import with_own_names
from ..transport.sentinels import SentinelWithClients
from . import library

if TYPE_CHECKING:
    from .sync_cluster import ClusterPipeline, ValkeyCluster

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
]


class Pipeline(BlockingPipeline, valkey.client.Pipeline):
    """valkey-py's pipeline. Without a watch, its commands go together, as a batch."""

    _library = library


class Valkey(BlockingClient, valkey.Valkey):
    """valkey-py's synchronous client over this package's connections.

    ``glide_scripts.valkey.Valkey`` is the same for asyncio, and its docstring applies here, too.
    """

    _library = library

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        made: Any = Pipeline
        pipeline: Pipeline = made(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        return pipeline


class Sentinel(SentinelWithClients, valkey.sentinel.Sentinel):
    """valkey-py's Sentinel: like ``glide_scripts.valkey.Sentinel``, but synchronous."""

    _library = library
    _client = Valkey


StrictValkey = Valkey


def from_url(url: str, **kwargs: Any) -> Valkey:
    """Return a client of a URL, as ``valkey.from_url`` does."""
    client: Any = Valkey.from_url(url, **kwargs)
    made: Valkey = client
    return made


if not TYPE_CHECKING:
    _get, __dir__ = later(
        globals(), dict.fromkeys(("ClusterPipeline", "ValkeyCluster"), "valkey.sync_cluster")
    )
    __getattr__ = with_own_names(globals(), _get, "valkey")
