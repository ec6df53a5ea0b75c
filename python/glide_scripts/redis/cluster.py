"""redis-py's asynchronous cluster client over this package's connections."""

from __future__ import annotations

import redis.asyncio.cluster
from redis.asyncio.cluster import ClusterNode

from ..transport.asynchronous_cluster import AsyncClusterClient, AsyncClusterPipeline
from . import library

__all__ = ["ClusterNode", "ClusterPipeline", "RedisCluster"]


class ClusterPipeline(AsyncClusterPipeline, redis.asyncio.cluster.ClusterPipeline):  # type: ignore[misc] # redis-py's own bases disagree
    """redis-py's pipeline for clusters. It may contain scripts, and may be a transaction."""


class RedisCluster(AsyncClusterClient, redis.asyncio.cluster.RedisCluster):  # type: ignore[misc] # redis-py's own bases disagree
    """redis-py's asynchronous cluster client over this package's connections.

    Commands with keys go over this package's connections. Those that redis-py sends to several
    nodes, or to nodes of the caller's choice, go over its own.
    """

    _library = library
    _pipeline = ClusterPipeline
