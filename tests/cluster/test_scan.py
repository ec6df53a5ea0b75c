"""Scans of a whole cluster, also while its slots move."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.support import key_on

from glide_scripts import (
    ByAddressRoute,
    ClusterBatch,
    ClusterScanCursor,
    GlideClusterClient,
    ObjectType,
)
from glide_scripts.testing import ValkeyCluster


async def scanned(client: GlideClusterClient, **filters: Any) -> list[bytes]:
    cursor, found = ClusterScanCursor(), []
    while not cursor.is_finished():
        cursor, keys = await client.scan(cursor, **filters)
        found += keys
    return found


async def test_a_scan_returns_the_keys_of_all_nodes(client: GlideClusterClient) -> None:
    keys = {f"u:{number}": "v" for number in range(600)}
    await client.mset({**keys, "other": "v"})
    await client.rpush("u:list", ["x"])
    found = await scanned(client, match="u:*", count=50, type=ObjectType.STRING)
    assert sorted(found) == sorted(key.encode() for key in keys)
    assert len(await scanned(client)) == 602


async def test_a_scan_is_continued_from_text(
    cluster: ValkeyCluster, resp3_client: GlideClusterClient, connect_cluster: Connect
) -> None:
    keys = {f"u:{number}": "v" for number in range(300)}
    await resp3_client.mset(keys)
    cursor, first = await resp3_client.scan(ClusterScanCursor(), count=20)
    other = await connect_cluster(cluster)
    cursor = ClusterScanCursor(cursor.get_cursor())
    found = list(first)
    while not cursor.is_finished():
        cursor, more = await other.scan(cursor, count=20)
        found += more
    assert {key.encode() for key in keys} == set(found)


async def test_a_finished_cursor_is_refused(resp3_client: GlideClusterClient) -> None:
    cursor = ClusterScanCursor()
    while not cursor.is_finished():
        cursor, _ = await resp3_client.scan(cursor, count=1000)
    with pytest.raises(ValueError, match="cursor is finished; begin another scan"):
        await resp3_client.scan(cursor)
    wrong: Any = "0"
    with pytest.raises(TypeError, match="cursor is str; pass a ClusterScanCursor"):
        await resp3_client.scan(wrong)


@pytest.fixture
def moving() -> Iterator[ValkeyCluster]:
    with ValkeyCluster(primaries=3, replicas=0) as cluster:
        yield cluster


async def test_a_scan_misses_no_key_whose_slot_moves_meanwhile(
    moving: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(moving)
    keys = {f"u:{number}": "v" for number in range(400)}
    await client.mset(keys)
    moves = []
    for turn in range(6):
        source, target = moving.nodes[turn % 3], moving.nodes[(turn + 1) % 3]
        moves.append((moving.key_slot(key_on(moving, source, f"u{turn}")), target))
    cursor, found = ClusterScanCursor(), set()
    # The client looks at the slots by itself only once a minute.
    async with asyncio.timeout(30):
        while not cursor.is_finished():
            cursor, some = await client.scan(cursor, count=30)
            found |= set(some)
            if moves:
                await asyncio.to_thread(moving.move_slot, *moves.pop())
    assert {key.encode() for key in keys} == found


async def test_a_batch_scans_a_node(
    cluster: ValkeyCluster, resp3_client: GlideClusterClient
) -> None:
    node = cluster.primaries()[0]
    key = key_on(cluster, node)
    await resp3_client.set(key, "v")
    route = ByAddressRoute(node.host, node.port)
    batch = ClusterBatch(is_atomic=False).scan("0", match="key:*", route=route)
    assert await resp3_client.exec(batch, raise_on_error=True) == [[b"0", [key.encode()]]]
