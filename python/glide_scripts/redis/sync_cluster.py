"""redis-py's synchronous cluster client over this package's connections."""

from __future__ import annotations

import redis.cluster
from redis.cluster import ClusterNode

from ..transport.blocking_cluster import BlockingClusterClient, BlockingClusterPipeline
from . import library

__all__ = ["ClusterNode", "ClusterPipeline", "RedisCluster"]


class ClusterPipeline(BlockingClusterPipeline, redis.cluster.ClusterPipeline):
    """redis-py's pipeline for clusters. It may contain scripts, and may be a transaction."""


class RedisCluster(BlockingClusterClient, redis.cluster.RedisCluster):
    """redis-py's synchronous cluster client over this package's connections.

    ``glide_scripts.redis.RedisCluster`` is the same for asyncio, and its docstring applies here,
    too.
    """

    _library = library
    _pipeline = ClusterPipeline
