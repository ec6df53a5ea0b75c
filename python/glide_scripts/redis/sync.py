"""redis-py's synchronous client over this package's connections.

    from glide_scripts.redis.sync import Redis

``Redis`` is a ``redis.Redis``. Any number of threads may share one client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
import redis.client
import redis.sentinel
from redis import (
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
    RedisError,
    ResponseError,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
    SSLConnection,
    TimeoutError,
    UnixDomainSocketConnection,
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
    from .sync_cluster import ClusterPipeline, RedisCluster

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
    "Redis",
    "RedisCluster",
    "RedisError",
    "ResponseError",
    "SSLConnection",
    "Sentinel",
    "SentinelConnectionPool",
    "SentinelManagedConnection",
    "SentinelManagedSSLConnection",
    "StrictRedis",
    "TimeoutError",
    "UnixDomainSocketConnection",
    "WatchError",
    "default_backoff",
    "exceptions",
    "from_url",
]


class Pipeline(BlockingPipeline, redis.client.Pipeline):
    """redis-py's pipeline. Without a watch, its commands go together, as a batch."""

    _library = library


class Redis(BlockingClient, redis.Redis):
    """redis-py's synchronous client over this package's connections.

    ``glide_scripts.redis.Redis`` is the same for asyncio, and its docstring applies here, too.
    """

    _library = library

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class Sentinel(SentinelWithClients, redis.sentinel.Sentinel):
    """redis-py's Sentinel: like ``glide_scripts.redis.Sentinel``, but synchronous."""

    _library = library
    _client = Redis


StrictRedis = Redis


def from_url(url: str, **kwargs: Any) -> Redis:
    """Return a client of a URL, as ``redis.from_url`` does."""
    client: Any = Redis.from_url(url, **kwargs)
    made: Redis = client
    return made


if not TYPE_CHECKING:
    _get, __dir__ = later(
        globals(), dict.fromkeys(("ClusterPipeline", "RedisCluster"), "redis.sync_cluster")
    )
    __getattr__ = with_own_names(globals(), _get, "redis")
