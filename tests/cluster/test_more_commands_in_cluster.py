"""The commands with routes that programs for GLIDE use, and those on two keys."""

from __future__ import annotations

import pytest
from tests.cluster.support import a_key_each, calls

from glide_scripts import (
    OK,
    AllNodes,
    AllPrimaries,
    ByAddressRoute,
    ClusterBatch,
    CrossSlotError,
    FlushMode,
    GlideClusterClient,
)
from glide_scripts.testing import ValkeyCluster


async def test_commands_about_servers_take_a_route(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    every = {f"{node.host}:{node.port}".encode() for node in cluster.nodes}
    ids = await client.client_id(AllNodes())
    assert isinstance(ids, dict)
    assert ids.keys() == every
    assert all(type(number) is int for number in ids.values())
    assert isinstance(await client.client_id(), int)
    assert await client.client_getname(AllNodes()) == dict.fromkeys(every)
    assert await client.client_getname() is None
    saved = await client.lastsave(AllNodes())
    assert isinstance(saved, dict)
    assert saved.keys() == every
    drawings = await client.lolwut(5, [20, 2], AllPrimaries())
    assert isinstance(drawings, dict)
    assert len(drawings) == len(cluster.primaries())
    drawing = await client.lolwut()
    assert isinstance(drawing, bytes)
    assert b"ver" in drawing


async def test_statistics_are_reset_on_all_nodes_or_on_one(
    cluster: ValkeyCluster, resp3_client: GlideClusterClient
) -> None:
    node = cluster.nodes[0]
    await resp3_client.echo("hi", AllNodes())
    assert await resp3_client.config_resetstat(ByAddressRoute(node.host, node.port)) is OK
    assert calls([node], "echo") == [0]
    assert sum(calls(cluster.nodes, "echo")) == len(cluster.nodes) - 1
    assert await resp3_client.config_resetstat() is OK
    assert sum(calls(cluster.nodes, "echo")) == 0
    assert await resp3_client.config_rewrite() is OK


async def test_a_database_is_flushed_on_all_primaries_or_on_one(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    keys = a_key_each(cluster)
    await client.mset(dict.fromkeys(keys, "v"))
    node = cluster.primaries()[0]
    assert await client.flushdb(FlushMode.SYNC, ByAddressRoute(node.host, node.port)) is OK
    assert await client.exists(keys) == len(keys) - 1
    assert await client.flushdb() is OK
    assert await client.exists(keys) == 0


async def test_a_random_key_is_found_on_whichever_node_has_one(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    assert await client.random_key() is None
    key = a_key_each(cluster)[-1]
    await client.set(key, "v")
    for _ in range(10):
        assert await client.random_key() == key.encode()
    empty = cluster.primaries()[0]
    assert await client.random_key(ByAddressRoute(empty.host, empty.port)) is None


async def test_two_keys_must_be_in_one_slot(client: GlideClusterClient) -> None:
    await client.set("{t}a", "v")
    assert await client.copy("{t}a", "{t}b", True) is True
    assert await client.rename("{t}b", "{t}c") is OK
    assert await client.renamenx("{t}a", "{t}c") is False
    for call in (client.copy, client.rename, client.renamenx):
        with pytest.raises(CrossSlotError):
            await call("a", "b")
    batch = ClusterBatch(is_atomic=True).copy("{t}a", "{t}d", True).get("{t}d")
    assert await client.exec(batch, raise_on_error=True) == [True, b"v"]


async def test_keys_of_several_slots_are_touched_and_unlinked(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    keys = a_key_each(cluster)
    await client.mset(dict.fromkeys(keys, "v"))
    assert await client.touch([*keys, "none"]) == len(keys)
    assert await client.unlink([*keys, "none"]) == len(keys)


@pytest.mark.parametrize(
    "sharded", [False, pytest.param(True, marks=pytest.mark.needs("functions"))]
)
async def test_a_message_is_published(client: GlideClusterClient, sharded: bool) -> None:
    assert await client.publish("hi", "nobody", sharded) == 0
    batch = ClusterBatch(is_atomic=False).publish("hi", "nobody", sharded)
    assert await client.exec(batch, raise_on_error=True) == [0]
