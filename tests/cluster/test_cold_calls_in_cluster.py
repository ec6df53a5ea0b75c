"""Many calls at once of code that the nodes of a cluster lack: each node gets it once."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.cluster.conftest import Connect
from tests.cluster.support import a_key_each, calls, reset_stats
from tests.waiting import until

from glide_scripts import ClusterBatch, GlideClusterClient, Script
from glide_scripts.testing import ValkeyCluster

CALLS = 300
INCR = "return redis.call('INCR', KEYS[1])"


def requests_of(client: GlideClusterClient) -> int:
    return sum(node.requests for node in client.stats().nodes.values())


async def test_the_first_calls_of_a_script_send_its_code_once_to_each_node(
    cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(cluster)
    script = Script(INCR)
    keys = a_key_each(cluster) * CALLS
    reset_stats(cluster.primaries())
    replies = await asyncio.gather(*(client.invoke_script(script, keys=[key]) for key in keys))
    assert Counter(replies) == dict.fromkeys(range(1, CALLS + 1), 3)
    assert max(calls(cluster.primaries(), "eval")) <= 1


async def test_calls_that_all_miss_a_flushed_script_send_its_code_once_to_each_node(
    cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(cluster, request_timeout=30_000)
    script = Script(INCR)
    keys = a_key_each(cluster)
    for key in keys:
        await client.invoke_script(script, keys=[key])
    primaries = cluster.primaries()
    for primary in primaries:
        primary.command("SCRIPT", "FLUSH")
    reset_stats(primaries)
    before = requests_of(client)
    for primary in primaries:
        primary.pause()
    try:
        made = [
            asyncio.ensure_future(client.invoke_script(script, keys=[key])) for key in keys * CALLS
        ]
        await until(lambda: requests_of(client) >= before + 3 * CALLS)
    finally:
        for primary in primaries:
            primary.resume()
    assert Counter(await asyncio.gather(*made)) == dict.fromkeys(range(2, CALLS + 2), 3)
    assert calls(primaries, "eval") == [1, 1, 1]


async def test_first_batches_at_once_load_a_script_once_to_each_node(
    cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(cluster)
    script = Script(INCR)
    keys = a_key_each(cluster)
    batches = [ClusterBatch(is_atomic=False) for _ in range(50)]
    for batch in batches:
        for key in keys:
            batch.invoke_script(script, keys=[key])
    reset_stats(cluster.primaries())
    replies = await asyncio.gather(*(client.exec(batch, True) for batch in batches))
    assert sorted(map(tuple, replies)) == [(n, n, n) for n in range(1, 51)]  # type: ignore[arg-type]
    primaries = cluster.primaries()
    # Redis 6.2 does not count subcommands apart.
    loads = zip(calls(primaries, "script|load"), calls(primaries, "script"), strict=True)
    assert [max(each) for each in loads] == [1, 1, 1]
