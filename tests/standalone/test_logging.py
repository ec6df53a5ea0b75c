"""What the client says to Python's logging."""

from __future__ import annotations

import logging

import pytest
from tests.conftest import Connect
from tests.records import Records
from tests.waiting import timed_out, until

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    Script,
    TimeoutError,
)
from glide_scripts.testing import FaultProxy, ValkeyServer

ENDLESS = Script("while true do end", read_only=True)


async def test_connections_made_lost_and_made_again_are_told_though_nobody_calls(
    own_server: ValkeyServer, connect: Connect, log: Records
) -> None:
    name = f"{own_server.host}:{own_server.port}"
    client = await connect(own_server)
    await until(lambda: log.count(logging.INFO, f"connected to {name}$"))
    # From here on no reply of a call wakes the loop.
    own_server.kill()
    await until(lambda: log.count(logging.INFO, f"lost the connection to {name}: "))
    await until(lambda: log.count(logging.INFO, f"no connection to {name}: "))
    own_server.start()
    await until(lambda: log.count(logging.INFO, f"connected to {name} again$"))
    await client.ping()


async def test_a_connection_that_is_given_up_is_told(server: ValkeyServer, log: Records) -> None:
    quick = AdvancedGlideClientConfiguration(connection_timeout=300, heartbeat_interval=100)
    with FaultProxy(server.host, server.port) as proxy:
        config = GlideClientConfiguration(
            [NodeAddress(proxy.host, proxy.port)], advanced_config=quick
        )
        async with await GlideClient.create(config):
            proxy.black_hole()
            proxy.clear()
            await until(
                lambda: log.count(logging.WARNING, "is given up: .*the server runs no script")
            )


async def test_a_failover_is_told(own_server: ValkeyServer, connect: Connect, log: Records) -> None:
    with ValkeyServer() as replica:
        replica.command("REPLICAOF", own_server.host, own_server.port)
        addresses = [NodeAddress(each.host, each.port) for each in (own_server, replica)]
        async with await GlideClient.create(GlideClientConfiguration(addresses)) as client:
            await until(lambda: log.count(logging.INFO, f"the primaries: .*:{own_server.port}$"))
            own_server.kill()
            replica.command("REPLICAOF", "NO", "ONE")
            await until(
                lambda: log.count(logging.INFO, f"the primaries are now .*:{replica.port}$")
            )
            assert await client.ping() == b"PONG"


async def test_a_topology_that_cannot_be_refreshed_is_told_once(
    own_server: ValkeyServer, log: Records
) -> None:
    with ValkeyServer() as replica:
        replica.command("REPLICAOF", own_server.host, own_server.port)
        addresses = [NodeAddress(each.host, each.port) for each in (own_server, replica)]
        async with await GlideClient.create(GlideClientConfiguration(addresses)) as client:
            own_server.kill()
            with pytest.raises(TimeoutError):
                await client.invoke_script(Script("return 1"), timeout=500)
            await until(
                lambda: log.count(logging.WARNING, "could not be refreshed: none of the addresses")
            )
            assert log.count(logging.WARNING, "could not be refreshed") == 1
            assert log.count(logging.DEBUG, "could not be refreshed") > 0


async def test_a_program_that_makes_its_scripts_up_is_warned_once(
    client: GlideClient, log: Records
) -> None:
    for number in range(300):
        assert await client.invoke_script(Script(f"return {number}")) == number
    await client.ping()
    assert log.count(logging.WARNING, "^more than 256 different scripts") == 1
    assert log.count(logging.WARNING, "") == 1


async def test_a_kill_is_told(own_server: ValkeyServer, connect: Connect, log: Records) -> None:
    client = await connect(own_server)
    await client.config_set({"lua-time-limit": "50"})
    await timed_out(client, ENDLESS, timeout=200, on_timeout="kill")
    await until(lambda: log.count(logging.INFO, "a script .* was killed on"))


@pytest.mark.needs("finer rights")
async def test_a_kill_that_is_refused_is_told(
    own_server: ValkeyServer, connect: Connect, log: Records
) -> None:
    own_server.command("ACL", "SETUSER", "default", "-script|kill")
    client = await connect(own_server)
    await client.config_set({"lua-time-limit": "50"})
    await timed_out(client, ENDLESS, timeout=200, on_timeout="kill")
    await until(lambda: log.count(logging.WARNING, "was not killed on .*: NOPERM"))


async def test_calls_are_not_told(client: GlideClient, log: Records) -> None:
    script = Script("return ARGV[1]")
    await client.invoke_script(script, args=["0"])
    before = log.all()
    for number in range(100):
        await client.invoke_script(script, args=[str(number)])
    assert log.all() == before
