"""redis-py's asynchronous client over this package's connections.

    pip install "glide-scripts[redis]"

    from glide_scripts.redis import Redis

``Redis`` is a ``redis.asyncio.Redis``: its commands, options, replies and exceptions are redis-py's
code. Only the connections to the server differ. The synchronous client is in
``glide_scripts.redis.sync``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import glide_scripts  # noqa: F401 - waits until the package is there

from ..transport.library import Library

# Before anything else of redis-py: the error says what to do.
library = Library("redis", "redis-py", range(5, 9))

import redis.asyncio  # noqa: E402
import redis.asyncio.client  # noqa: E402
import redis.asyncio.sentinel  # noqa: E402
from redis.asyncio import (  # noqa: E402
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
)

from ..public import later  # noqa: E402
from ..transport import installing  # noqa: E402
from ..transport.asynchronous import AsyncClient, AsyncPipeline  # noqa: E402
from ..transport.own_names import with_own_names  # noqa: E402
from ..transport.sentinels import SentinelWithClients  # noqa: E402

if TYPE_CHECKING:
    from . import exceptions
    from .cluster import ClusterPipeline, RedisCluster

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
    "install",
    "uninstall",
]


class Pipeline(AsyncPipeline, redis.asyncio.client.Pipeline):  # type: ignore[misc] # redis-py's own bases disagree
    """redis-py's pipeline. Without a watch, its commands go together, as a batch."""

    _library = library


class Redis(AsyncClient, redis.asyncio.Redis):  # type: ignore[misc] # redis-py's own bases disagree
    """redis-py's asynchronous client over this package's connections.

    All clients of a pool share one connection, except for commands that would keep other calls
    waiting or change the connection. It is opened by the first call. ``socket_timeout`` is the
    deadline of a call with all its steps. A call whose reply was lost is not repeated, whatever
    ``retry`` says; its error has ``may_have_executed``.
    """

    _library = library

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class Sentinel(SentinelWithClients, redis.asyncio.sentinel.Sentinel):
    """redis-py's Sentinel, whose clients follow the primary over this package's connections.

    redis-py's own connections go to the Sentinels. Clients of ``slave_for`` use them, too, for all
    commands but reads.
    """

    _library = library
    _client = Redis


StrictRedis = Redis


def from_url(url: str, **kwargs: Any) -> Redis:
    """Return a client of a URL, as ``redis.asyncio.from_url`` does."""
    client: Any = Redis.from_url(url, **kwargs)
    made: Redis = client
    return made


def install() -> installing.Installation:
    """Replace redis-py's classes by these and those of ``sync``.

    For trials, and for libraries that make their own clients. Call it before you import them: a
    module that has redis-py's class already keeps it. Where you can, pass a client instead.

    Returns:
        A context manager that calls ``uninstall`` at its end.
    """
    return installing.install("redis", _replacements)


def uninstall() -> None:
    """Put redis-py's own classes back. Clients that were made meanwhile stay as they are."""
    installing.uninstall("redis")


def _replacements() -> dict[type, type]:
    import redis.asyncio.cluster  # noqa: PLC0415 - saves time at import
    import redis.cluster  # noqa: PLC0415
    import redis.sentinel  # noqa: PLC0415

    from . import cluster, sync, sync_cluster  # noqa: PLC0415

    return {
        redis.asyncio.Redis: Redis,
        redis.asyncio.RedisCluster: cluster.RedisCluster,
        redis.asyncio.sentinel.Sentinel: Sentinel,
        redis.Redis: sync.Redis,
        redis.RedisCluster: sync_cluster.RedisCluster,
        redis.sentinel.Sentinel: sync.Sentinel,
    }


if not TYPE_CHECKING:
    _get, __dir__ = later(
        globals(), dict.fromkeys(("ClusterPipeline", "RedisCluster"), "redis.cluster")
    )
    __getattr__ = with_own_names(globals(), _get, "redis.asyncio", "redis")
