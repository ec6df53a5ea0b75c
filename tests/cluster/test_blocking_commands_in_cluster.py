"""Commands that wait for others in a cluster: each at the node that holds its keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.support import a_key_each, key_on
from tests.waiting import until

from glide_scripts import ClusterBatch, GlideClusterClient, TimeoutError
from glide_scripts.testing import ValkeyCluster, ValkeyServer


def blocked(node: ValkeyServer) -> bool:
    reply = node.command("INFO", "clients")
    assert isinstance(reply, bytes)
    return b"blocked_clients:0" not in reply


async def waiting(node: ValkeyServer, call: Any) -> asyncio.Task[Any]:
    """Starts a call, and waits until it waits for others on that node."""
    task = asyncio.create_task(call)
    await until(lambda: blocked(node))
    return task


async def test_it_waits_where_its_key_is_and_holds_up_nobody(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    for node, key in zip(cluster.primaries(), a_key_each(cluster), strict=True):
        call = await waiting(node, client.custom_command(["BLPOP", key, "0"]))
        async with asyncio.timeout(20):
            assert await client.custom_command(["RPUSH", key, "job"]) == 1
        assert await call == [key.encode(), b"job"]


async def test_a_cancelled_one_takes_nothing(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    node = cluster.primaries()[1]
    key = key_on(cluster, node)
    for _ in range(10):
        call = await waiting(node, client.custom_command(["BLPOP", key, "0"]))
        call.cancel()
        assert await client.custom_command(["RPUSH", key, "job"]) == 1
        assert await client.custom_command(["LPOP", key]) == b"job"


async def test_a_pipeline_with_one_keeps_each_nodes_order(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    first, second = cluster.primaries()[:2]
    mine, other = key_on(cluster, first), key_on(cluster, second)
    batch = ClusterBatch(False).set(other, "1").custom_command(["BLPOP", f"{{{mine}}}jobs", "0"])
    batch.set(mine, "2").get(mine).get(other)
    call = await waiting(first, client.exec(batch, True))
    assert await asyncio.wait_for(client.get(mine), 2) is None
    await until(lambda: second.command("GET", other) == b"1")
    await client.custom_command(["RPUSH", f"{{{mine}}}jobs", "job"])
    results = await call
    assert results[1:] == [[f"{{{mine}}}jobs".encode(), b"job"], b"OK", b"2", b"1"]


async def test_wait_in_a_pipeline_asks_each_primary(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    key = a_key_each(cluster)[0]
    batch = ClusterBatch(False).set(key, "1").custom_command(["WAIT", "0", "100"])
    results = await client.exec(batch, True)
    assert results is not None
    assert results[1] in (0, 1)


async def test_one_whose_slot_moves_waits_on_at_the_new_node(
    own_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(own_cluster, request_timeout=2_000)
    source, target = own_cluster.primaries()[:2]
    key = key_on(own_cluster, source)
    call = await waiting(source, client.custom_command(["BLPOP", key, "0"]))
    await asyncio.to_thread(own_cluster.move_slot, own_cluster.key_slot(key), target)
    await until(lambda: blocked(target))
    await client.custom_command(["RPUSH", key, "job"])
    assert await call == [key.encode(), b"job"]


@pytest.mark.parametrize("in_pipeline", [False, True])
async def test_one_whose_slot_moves_to_a_dead_node_waits_for_no_longer_than_a_new_call(
    connect_cluster: Connect, in_pipeline: bool
) -> None:
    with ValkeyCluster(primaries=3, replicas=0) as cluster:
        client = await connect_cluster(cluster, request_timeout=300)
        source, target = cluster.primaries()[:2]
        key, other = key_on(cluster, source), key_on(cluster, target)
        command = ["BLPOP", key, "0"]
        call: Any
        if in_pipeline:
            call = client.exec(ClusterBatch(False).custom_command(command), True)
        else:
            call = client.custom_command(command)
        waits = await waiting(source, call)
        owner = target.command("CLUSTER", "MYID")
        assert isinstance(owner, bytes)
        # It is sent again after its deadline: the deadline of a later call has passed.
        target.pause()
        with pytest.raises(TimeoutError):
            await client.get(other)
        await asyncio.to_thread(target.kill)
        source.command("CLUSTER", "SETSLOT", str(cluster.key_slot(key)), "NODE", owner.decode())
        async with asyncio.timeout(20):
            with pytest.raises(TimeoutError) as late:
                await waits
        assert not late.value.may_have_executed
