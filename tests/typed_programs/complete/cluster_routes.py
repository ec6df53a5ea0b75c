"""A cluster: routes, scans, hash tags, functions everywhere."""

from __future__ import annotations

import asyncio

from glide_scripts import (
    AllNodes,
    AllPrimaries,
    BatchRetryStrategy,
    ByAddressRoute,
    ClusterBatch,
    ClusterBatchOptions,
    ClusterScanCursor,
    CrossSlotError,
    FunctionLibrary,
    GlideClusterClient,
    GlideClusterClientConfiguration,
    InfoSection,
    NodeAddress,
    ObjectType,
    RandomNode,
    ReadFrom,
    Route,
    Script,
    SlotKeyRoute,
    SlotType,
    TEncodable,
)
from glide_scripts.testing import ValkeyCluster

COUNT = Script("return redis.call('DBSIZE')", read_only=True)
MOVE = Script("return redis.call('RENAME', KEYS[1], KEYS[2])")
LIBRARY = FunctionLibrary(
    "#!lua name=shop\n"
    "server.register_function{function_name='size', flags={'no-writes'},"
    " callback=function() return server.call('DBSIZE') end}"
)


async def keys_of(client: GlideClusterClient, pattern: str) -> list[bytes]:
    found: list[bytes] = []
    cursor = ClusterScanCursor()
    while not cursor.is_finished():
        cursor, keys = await client.scan(cursor, match=pattern, count=100, type=ObjectType.STRING)
        found += keys
    return found


async def total(client: GlideClusterClient, route: Route) -> int:
    reply = await client.invoke_script_route(COUNT, route=route)
    if isinstance(reply, dict):
        return sum(size for size in reply.values() if isinstance(size, int))
    assert isinstance(reply, int)
    return reply


async def main(cluster: ValkeyCluster) -> None:
    config = GlideClusterClientConfiguration(
        [NodeAddress(node.host, node.port) for node in cluster.nodes],
        read_from=ReadFrom.PREFER_REPLICA,
        request_timeout=5000,
    )
    async with await GlideClusterClient.create(config) as client:
        pairs: dict[TEncodable, TEncodable] = {f"k{n}": str(n) for n in range(30)}
        assert await client.mset(pairs) == "OK"
        routes: list[Route] = [AllPrimaries(), SlotKeyRoute(SlotType.PRIMARY, "k1"), RandomNode()]
        print(await total(client, routes[0]))
        print(len(await keys_of(client, "k*")))
        try:
            await client.invoke_script(MOVE, keys=["k1", "k2"])
        except CrossSlotError as error:
            print(error.may_have_executed, error.code)
        print(await client.function_load(LIBRARY, replace=True, route=AllPrimaries()))
        sizes = await client.fcall_ro_route("size", route=AllPrimaries())
        print(len(sizes) if isinstance(sizes, dict) else sizes)
        info = await client.info([InfoSection.SERVER], AllNodes())
        print(len(info) if isinstance(info, dict) else info.decode())
        first = cluster.nodes[0]
        print(await client.ping(route=ByAddressRoute(first.host, first.port)))
        batch = ClusterBatch(is_atomic=False)
        for key in pairs:
            batch.get(key)
        options = ClusterBatchOptions(
            timeout=2000,
            retry_strategy=BatchRetryStrategy(
                retry_server_error=True, retry_connection_error=False
            ),
        )
        results = await client.exec(batch, raise_on_error=True, options=options)
        print(len(results or []))


if __name__ == "__main__":
    with ValkeyCluster() as cluster:
        asyncio.run(main(cluster))
# prints: 30
# prints: 30
# prints: False CROSSSLOT
# prints: b'shop'
# prints: 3
# prints: 6
# prints: b'PONG'
# prints: 30
