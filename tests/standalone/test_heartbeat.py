"""Connections that are silent: dead ones are replaced, and long scripts may run."""

from __future__ import annotations

import asyncio
import logging
import sys

import pytest
from tests.conftest import Connect
from tests.records import Records
from tests.tunnel import Tunnel, tunnel
from tests.waiting import until

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    ConnectionError,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    RequestError,
    Script,
)
from glide_scripts.testing import FaultProxy, ValkeyServer

QUICK = AdvancedGlideClientConfiguration(connection_timeout=1000, heartbeat_interval=200)
# As in the defaults, connecting may take less than a heartbeat.
USUAL = AdvancedGlideClientConfiguration(connection_timeout=1000, heartbeat_interval=1500)
LENGTH = Script("return #ARGV[1]")
INCR = Script("return redis.call('INCR', KEYS[1])")


def lasting(seconds: float) -> Script:
    """A script that takes a while, however busy the machine is."""
    return Script(
        "local start = redis.call('TIME')\n"
        "local function passed() local now = redis.call('TIME')"
        " return now[1] - start[1] + (now[2] - start[2]) / 1000000 end\n"
        f"while passed() < {seconds} do end return redis.call('INCR', KEYS[1])"
    )


async def client_through(
    way: Tunnel, advanced: AdvancedGlideClientConfiguration = QUICK
) -> GlideClient:
    config = GlideClientConfiguration(
        [NodeAddress("127.0.0.1", way.port)], request_timeout=20_000, advanced_config=advanced
    )
    return await GlideClient.create(config)


async def client_of(proxy: FaultProxy, interval: int = 250) -> GlideClient:
    advanced = AdvancedGlideClientConfiguration(heartbeat_interval=interval)
    config = GlideClientConfiguration(
        [NodeAddress(proxy.host, proxy.port)], request_timeout=20_000, advanced_config=advanced
    )
    return await GlideClient.create(config)


@pytest.mark.parametrize("advanced", [QUICK, USUAL], ids=["quick", "usual"])
async def test_an_idle_connection_whose_peer_is_gone_is_made_anew(
    server: ValkeyServer, advanced: AdvancedGlideClientConfiguration
) -> None:
    async with tunnel(server) as way, await client_through(way, advanced) as client:
        await client.ping()
        way.swallow()
        # A probe connection checks the server; then the client replaces the first connection.
        await until(lambda: client.stats().reconnects == 1)
        assert await client.invoke_script(INCR, keys=["k"]) == 1
        assert client.stats().reconnects == 1


async def test_a_call_on_a_connection_whose_peer_is_gone_is_given_up_before_its_deadline(
    server: ValkeyServer,
) -> None:
    async with tunnel(server) as way, await client_through(way) as client:
        await client.ping()
        way.swallow()
        with pytest.raises(ConnectionError, match="the server runs no script") as caught:
            await client.invoke_script(INCR, keys=["k"])
        assert caught.value.may_have_executed
        assert await client.get("k") is None
        assert await client.invoke_script(INCR, keys=["k"]) == 1


async def test_calls_that_go_on_do_not_hide_that_the_peer_is_gone(server: ValkeyServer) -> None:
    async with tunnel(server) as way, await client_through(way, USUAL) as client:
        await client.ping()
        way.swallow()

        async def succeeds() -> bool:
            try:
                await client.invoke_script(INCR, keys=["k"], timeout=100)
            except RequestError:
                return False
            return True

        await until(succeeds, 20)
        assert client.stats().reconnects == 1


async def test_others_scripts_do_not_cut_idle_connections(
    own_server: ValkeyServer, connect: Connect
) -> None:
    # At first a server that runs a script says nothing at all, not even BUSY; four intervals are
    # longer than that, on a machine that others load, too.
    advanced = AdvancedGlideClientConfiguration(connection_timeout=300, heartbeat_interval=1000)
    idle = await connect(own_server, advanced_config=advanced)
    busy = await connect(own_server, request_timeout=30_000)
    await busy.config_set({"lua-time-limit": "1500"})
    assert await busy.invoke_script(lasting(5.0), keys=["k"]) == 1
    assert await idle.ping() == b"PONG"
    assert idle.stats().reconnects == 0


async def test_a_pause_of_writes_costs_no_call(own_server: ValkeyServer, connect: Connect) -> None:
    client = await connect(own_server, request_timeout=20_000, advanced_config=USUAL)
    await client.invoke_script(INCR, keys=["k"])
    own_server.command("CLIENT", "PAUSE", "1300", "WRITE")
    assert await client.invoke_script(INCR, keys=["k"]) == 2
    assert client.stats().reconnects == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems are not asked")
async def test_a_large_request_on_a_slow_link_is_given_its_time(server: ValkeyServer) -> None:
    size = 2 << 20
    with FaultProxy(server.host, server.port) as proxy:
        # On a busy machine, the proxy itself may stand still for a second.
        async with await client_of(proxy, interval=750) as client:
            await client.ping()
            # Four intervals would be much too short.
            proxy.slow_requests(600_000)
            assert await client.invoke_script(LENGTH, args=[b"x" * size]) == size
            assert client.stats().reconnects == 0


async def test_a_peer_that_stops_taking_a_large_request_is_given_up(
    server: ValkeyServer, log: Records
) -> None:
    # More than the socket buffers of both sides hold.
    size = 48 << 20
    with FaultProxy(server.host, server.port) as proxy:
        # To read the request may take a busy machine longer than four shorter intervals.
        async with await client_of(proxy, interval=750) as client:
            await client.ping()
            proxy.slow_requests(0)
            calling = asyncio.ensure_future(client.invoke_script(LENGTH, args=[b"x" * size]))
            await until(lambda: log.count(logging.WARNING, "is given up"))
            proxy.clear()
            # The client had not written the whole request, so the server cannot have executed it.
            assert await calling == size


async def test_what_may_run_twice_is_sent_again(server: ValkeyServer) -> None:
    script = Script("return redis.call('INCR', KEYS[1]) -- again", idempotent=True)
    async with tunnel(server) as way, await client_through(way) as client:
        await client.invoke_script(script, keys=["k"])
        way.swallow()
        assert await client.invoke_script(script, keys=["k"]) == 2


async def test_a_stalled_server_is_given_up_and_found_again(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=20_000, advanced_config=QUICK)
    await client.invoke_script(INCR, keys=["k"])
    own_server.pause()
    try:
        with pytest.raises(ConnectionError, match=r"has not answered for") as caught:
            await client.invoke_script(INCR, keys=["k"])
        assert caught.value.may_have_executed
    finally:
        own_server.resume()
    assert await client.ping() == b"PONG"


async def test_a_script_that_runs_longer_than_many_heartbeats_is_left_to_run(
    own_server: ValkeyServer, connect: Connect
) -> None:
    # Four intervals, in which it must have said BUSY, are long on a machine that others load, too.
    advanced = AdvancedGlideClientConfiguration(heartbeat_interval=750)
    client = await connect(own_server, request_timeout=30_000, advanced_config=advanced)
    # Past it the server says BUSY, which is a sign of life.
    await client.config_set({"lua-time-limit": "100"})
    assert await client.invoke_script(lasting(4.0), keys=["k"]) == 1
    assert client.stats().reconnects == 0


async def test_a_call_that_waits_for_others_is_left_to_wait(
    server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(server, request_timeout=20_000, advanced_config=QUICK)
    assert await client.custom_command(["BLPOP", "nothing", "1.5"]) is None
    assert client.stats().reconnects == 0


async def test_without_heartbeats_a_silent_connection_stays(server: ValkeyServer) -> None:
    never = AdvancedGlideClientConfiguration(heartbeat_interval=0)
    async with tunnel(server) as way:
        config = GlideClientConfiguration(
            [NodeAddress("127.0.0.1", way.port)], request_timeout=1500, advanced_config=never
        )
        async with await GlideClient.create(config) as client:
            await client.ping()
            way.swallow()
            with pytest.raises(RequestError, match="timeout after 1500 ms"):
                await client.ping()
            assert way.made == 1
