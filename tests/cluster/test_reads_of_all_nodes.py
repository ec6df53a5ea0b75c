"""Reads in turn on all nodes of a shard, the primary among them."""

from __future__ import annotations

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.support import calls, key_on, reset_stats
from tests.waiting import until

from glide_scripts import ReadFrom
from glide_scripts.testing import ValkeyCluster


async def test_reads_go_to_the_primary_and_the_replicas_in_turn(
    cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(cluster, read_from=ReadFrom.ALL_NODES)
    primary = cluster.primaries()[0]
    nodes = [primary, *cluster.replicas(of=primary)]
    key = key_on(cluster, primary)
    await client.set(key, "v")

    async def all_answer() -> bool:
        await client.get(key)
        return all(calls(nodes, "get"))

    await until(all_answer)
    reset_stats(nodes)
    for _ in range(20):
        await client.get(key)
    counts = calls(nodes, "get")
    assert sum(counts) == 20
    assert max(counts) - min(counts) <= 1


@pytest.mark.needs("availability zones")
async def test_nodes_of_the_own_zone_come_first(
    own_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    primary = own_cluster.primaries()[0]
    (replica,) = own_cluster.replicas(of=primary)
    for node in own_cluster.nodes:
        node.command("CONFIG", "SET", "availability-zone", "here" if node is primary else "there")
    client = await connect_cluster(
        own_cluster, read_from=ReadFrom.AZ_AFFINITY_ALL_NODES, client_az="here"
    )
    key = key_on(own_cluster, primary)
    await client.set(key, "v")

    async def stays() -> bool:
        reset_stats([primary, replica])
        for _ in range(10):
            await client.get(key)
        return calls([primary, replica], "get") == [10, 0]

    await until(stays)
    other = await connect_cluster(
        own_cluster, read_from=ReadFrom.AZ_AFFINITY_ALL_NODES, client_az="nowhere"
    )
    reset_stats([primary, replica])

    async def both_answer() -> bool:
        await other.get(key)
        return all(calls([primary, replica], "get"))

    await until(both_answer)
