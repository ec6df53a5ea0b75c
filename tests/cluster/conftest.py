"""Clusters and their clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from tests.runtimes import Runtime

from glide_scripts import (
    GlideClusterClient,
    GlideClusterClientConfiguration,
    NodeAddress,
    ProtocolVersion,
)
from glide_scripts.testing import ValkeyCluster

Connect = Callable[..., Awaitable[GlideClusterClient]]


@pytest.fixture
def cluster(valkey_cluster: ValkeyCluster) -> ValkeyCluster:
    """The session's cluster, without data, scripts, functions and statistics."""
    return valkey_cluster


@pytest.fixture
def own_cluster() -> Iterator[ValkeyCluster]:
    """A cluster with replicas that a test may break; a replica takes over quickly."""
    with ValkeyCluster(primaries=3, replicas=1, cluster_node_timeout_ms=1000) as cluster:
        yield cluster


@pytest.fixture
async def connect_cluster(runtime: Runtime) -> AsyncIterator[Connect]:
    """Makes clients of a cluster, with further settings, and closes them after the test.

    Instead of the cluster, it takes the addresses to connect to.
    """
    clients: list[GlideClusterClient] = []

    async def connect(
        cluster: ValkeyCluster | list[tuple[str, int]], **settings: object
    ) -> GlideClusterClient:
        seeds = cluster.addresses if isinstance(cluster, ValkeyCluster) else cluster
        addresses = [NodeAddress(host, port) for host, port in seeds]
        config = GlideClusterClientConfiguration(addresses, **settings)  # type: ignore[arg-type]
        client: GlideClusterClient = await runtime.made(GlideClusterClient, config)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        await client.close()


@pytest.fixture
async def client(
    cluster: ValkeyCluster, protocol: ProtocolVersion, connect_cluster: Connect
) -> GlideClusterClient:
    """A client of the shared cluster, once for each protocol."""
    return await connect_cluster(cluster, protocol=protocol)


@pytest.fixture
async def resp3_client(cluster: ValkeyCluster, connect_cluster: Connect) -> GlideClusterClient:
    """A client of the shared cluster, for tests in which the protocol plays no part."""
    return await connect_cluster(cluster)
