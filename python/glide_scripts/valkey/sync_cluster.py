"""valkey-py's synchronous cluster client over this package's connections."""

from __future__ import annotations

import valkey.cluster
from valkey.cluster import ClusterNode

from ..transport.blocking_cluster import BlockingClusterClient, BlockingClusterPipeline
from . import library

__all__ = ["ClusterNode", "ClusterPipeline", "ValkeyCluster"]


class ClusterPipeline(BlockingClusterPipeline, valkey.cluster.ClusterPipeline):
    """valkey-py's pipeline for clusters. It may contain scripts, and may be a transaction."""


class ValkeyCluster(BlockingClusterClient, valkey.cluster.ValkeyCluster):
    """valkey-py's synchronous cluster client over this package's connections.

    ``glide_scripts.valkey.ValkeyCluster`` is the same for asyncio, and its docstring applies here,
    too.
    """

    _library = library
    _pipeline = ClusterPipeline
