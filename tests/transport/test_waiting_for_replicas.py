"""WAIT counts the replicas that have what went over the shared connection."""

from __future__ import annotations

from tests.transport.conftest import Connect
from tests.transport.kinds import done
from tests.waiting import until

from glide_scripts.testing import ValkeyServer


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
