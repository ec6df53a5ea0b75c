"""WAIT counts the replicas that have what went over the shared connection."""

from __future__ import annotations

from tests.transport.conftest import Connect
from tests.transport.kinds import Kind, closed, done
from tests.waiting import until

from glide_scripts.testing import ValkeyCluster, ValkeyServer


async def test_wait_counts_the_replicas_that_have_the_write(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = connect(own_server)
    with ValkeyServer(config={"replicaof": f"127.0.0.1 {own_server.port}"}) as replica:

        async def is_replicated() -> bool:
            await done(client.incr("count"))
            return bool(await done(client.wait(1, 100)) == 1)

        await until(is_replicated)
        replica.pause()
        await done(client.incr("count"))
        assert await done(client.wait(1, 100)) == 0
        replica.resume()
        await until(is_replicated)


async def test_wait_counts_the_replicas_of_a_clusters_node(kind: Kind) -> None:
    with ValkeyCluster(primaries=2, replicas=1) as cluster:
        client = kind.cluster(*cluster.addresses[0])
        await done(client.ping())
        node = client.get_node_from_key("count")
        primary = next(each for each in cluster.primaries() if each.port == node.port)
        (replica,) = cluster.replicas(of=primary)

        async def is_replicated() -> bool:
            await done(client.incr("count"))
            return bool(await done(client.wait(1, 100, target_nodes=node)) == 1)

        await until(is_replicated)
        assert await done(client.wait(1, 10_000, target_nodes="primaries")) == 2
        replica.pause()
        await done(client.incr("count"))
        assert await done(client.wait(1, 100, target_nodes=node)) == 0
        replica.resume()
        await until(is_replicated)
        assert await done(client.keys(target_nodes="primaries")) == [b"count"]
        await closed(client)
