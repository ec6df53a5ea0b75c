"""Servers that run a long script, and refuse nearly everything meanwhile.

Redis refuses more than Valkey does: SELECT, and the name of a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.conftest import Connect
from tests.waiting import timed_out, until

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    Batch,
    GlideClient,
    NotBusyError,
    ProtocolVersion,
    Script,
    ScriptBusyError,
    ScriptKilledError,
    TimeoutError,
)
from glide_scripts.testing import ServerReplyError, ValkeyServer

ENDLESS = Script("while true do end", read_only=True)
# Its server is busy for some seconds.
LONG = Script("for i = 1, 5e8 do end return 'done'", read_only=True)
DATABASE_AND_NAME: dict[str, object] = {"database_id": 1, "client_name": "somebody"}


@pytest.fixture(autouse=True)
def soon_busy(own_server: ValkeyServer) -> None:
    own_server.command("CONFIG", "SET", "lua-time-limit", "100")


def is_busy(server: ValkeyServer) -> bool:
    try:
        server.command("PING")
    except ServerReplyError as error:
        return str(error).startswith("BUSY")
    return False


@asynccontextmanager
async def endless_script(client: GlideClient, server: ValkeyServer) -> AsyncIterator[None]:
    running = asyncio.ensure_future(client.invoke_script(ENDLESS))
    await until(lambda: is_busy(server))
    yield
    with pytest.raises(ScriptKilledError):
        await running


async def kill(client: GlideClient) -> None:
    async def kills() -> bool:
        try:
            await client.script_kill()
        except NotBusyError:
            return False
        return True

    await until(kills)


async def test_a_script_can_be_killed_whatever_the_connections_need(
    own_server: ValkeyServer, connect: Connect, protocol: ProtocolVersion
) -> None:
    client = await connect(
        own_server, protocol=protocol, request_timeout=10_000, **DATABASE_AND_NAME
    )
    async with endless_script(client, own_server):
        await kill(client)


async def test_a_kill_as_a_custom_command_reaches_the_own_script(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=10_000)
    async with endless_script(client, own_server):
        assert await client.custom_command(["script", b"kill"]) == b"OK"
    async with endless_script(client, own_server):
        batch = Batch(is_atomic=False).custom_command(["SCRIPT", "KILL"])
        assert await client.exec(batch, raise_on_error=True) == [b"OK"]


async def test_a_script_whose_deadline_passed_is_killed_whatever_the_connections_need(
    own_server: ValkeyServer, connect: Connect, protocol: ProtocolVersion
) -> None:
    client = await connect(
        own_server, protocol=protocol, request_timeout=10_000, **DATABASE_AND_NAME
    )
    late = await timed_out(client, ENDLESS, timeout=300, on_timeout="kill")
    assert "will try to kill it" in str(late)
    await until(lambda: not is_busy(own_server))


async def test_heartbeats_leave_a_long_script_alone_whatever_the_connections_need(
    own_server: ValkeyServer, connect: Connect, protocol: ProtocolVersion
) -> None:
    advanced = AdvancedGlideClientConfiguration(heartbeat_interval=500, connection_timeout=1000)
    client = await connect(
        own_server,
        protocol=protocol,
        request_timeout=60_000,
        advanced_config=advanced,
        **DATABASE_AND_NAME,
    )
    assert await client.invoke_script(LONG) == b"done"
    assert client.stats().reconnects == 0


async def test_a_client_that_is_made_while_the_server_is_busy_waits_for_its_end(
    own_server: ValkeyServer, connect: Connect, protocol: ProtocolVersion
) -> None:
    first = await connect(own_server, protocol=protocol, request_timeout=10_000)
    advanced = AdvancedGlideClientConfiguration(connection_timeout=10_000)
    async with endless_script(first, own_server):
        making = asyncio.ensure_future(
            connect(own_server, protocol=protocol, advanced_config=advanced, **DATABASE_AND_NAME)
        )
        # Valkey accepts it.
        await asyncio.wait([making], timeout=0.2)
        await kill(first)
    second = await making
    assert await second.ping() == b"PONG"
    assert await second.custom_command(["CLIENT", "GETNAME"]) == b"somebody"


async def test_calls_that_may_be_killed_share_a_few_connections(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    script = Script("return ARGV[1]", read_only=True)
    calls = [client.invoke_script(script, args=[str(i)], on_timeout="kill") for i in range(1000)]
    assert await asyncio.gather(*calls) == [b"%d" % i for i in range(1000)]
    (node,) = client.stats().nodes.values()
    assert node.connects <= 17


async def test_who_waits_for_such_a_connection_too_long_is_told(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    await client.ping()
    own_server.pause()
    try:
        calls = [
            client.invoke_script(LONG, timeout=2000 if i < 16 else 300, on_timeout="kill")
            for i in range(20)
        ]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    finally:
        own_server.resume()
    waited = outcomes[16:]
    assert all(isinstance(error, TimeoutError) for error in waited)
    for error in waited:
        assert isinstance(error, TimeoutError)
        assert "at most 16 connections" in str(error)
        assert not error.may_have_executed


async def test_the_server_says_that_it_is_busy(own_server: ValkeyServer, connect: Connect) -> None:
    client = await connect(own_server, request_timeout=10_000)
    other = await connect(own_server)
    async with endless_script(client, own_server):
        with pytest.raises(ScriptBusyError):
            await other.ping()
        await kill(other)
