"""valkey-py's asynchronous cluster client over this package's connections."""

from __future__ import annotations

import valkey.asyncio.cluster
from valkey.asyncio.cluster import ClusterNode

from ..transport.asynchronous_cluster import AsyncClusterClient, AsyncClusterPipeline
from . import library

__all__ = ["ClusterNode", "ClusterPipeline", "ValkeyCluster"]


class ClusterPipeline(AsyncClusterPipeline, valkey.asyncio.cluster.ClusterPipeline):  # type: ignore[misc] # valkey-py's own bases disagree
    """valkey-py's pipeline for clusters. It may contain scripts, and may be a transaction."""


class ValkeyCluster(AsyncClusterClient, valkey.asyncio.cluster.ValkeyCluster):  # type: ignore[misc] # valkey-py's own bases disagree
    """valkey-py's asynchronous cluster client over this package's connections.

    Commands with keys go over this package's connections. Those that valkey-py sends to several
    nodes, or to nodes of the caller's choice, go over its own.
    """

    _library = library
    _pipeline = ClusterPipeline
