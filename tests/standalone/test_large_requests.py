"""Requests that a server refuses to read.

It limits each argument by ``proto-max-bulk-len``, and says so before it ends the connection. It
limits what it has read of a request by ``client-query-buffer-limit``, and says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import Batch, ConnectionError, GlideClient, RequestError, Script, TimeoutError
from glide_scripts.testing import ValkeyServer

COUNT = Script("redis.call('INCR', KEYS[1]) return #ARGV[1]")
REPEATED = Script("redis.call('INCR', KEYS[1])", idempotent=True)
# The smallest that both settings can have.
LIMIT = 1 << 20
# The system does not take all of it at once.
LARGE = b"x" * 50_000_000
PATIENCE = 60_000

Call = Callable[[GlideClient, bytes], Coroutine[Any, Any, object]]


async def script(client: GlideClient, value: bytes) -> object:
    return await client.invoke_script(COUNT, ["runs"], [value])


async def repeated(client: GlideClient, value: bytes) -> object:
    return await client.invoke_script(REPEATED, ["runs"], [value])


async def once(client: GlideClient, value: bytes) -> object:
    return await client.invoke_script(COUNT, ["runs"], [value], once=True)


async def command(client: GlideClient, value: bytes) -> object:
    return await client.set("runs", value)


async def batch(client: GlideClient, value: bytes, is_atomic: bool) -> object:
    batch = Batch(is_atomic=is_atomic)
    batch.invoke_script(COUNT, ["runs"], [value])
    return await client.exec(batch, raise_on_error=True)


async def pipeline(client: GlideClient, value: bytes) -> object:
    return await batch(client, value, is_atomic=False)


async def transaction(client: GlideClient, value: bytes) -> object:
    return await batch(client, value, is_atomic=True)


CALLS: list[Call] = [script, repeated, once, command, pipeline, transaction]


async def connect_with(setting: str, server: ValkeyServer, connect: Connect) -> GlideClient:
    server.command("CONFIG", "SET", setting, str(LIMIT))
    return await connect(server, request_timeout=PATIENCE)


def connects(client: GlideClient) -> int:
    return sum(node.connects for node in client.stats().nodes.values())


@pytest.mark.every_server
@pytest.mark.parametrize(
    ("call", "size"),
    [
        *((call, len(LARGE)) for call in CALLS),
        # The client repeats the others itself where the reply is lost.
        *((call, LIMIT + 1) for call in (script, command, pipeline, transaction)),
    ],
)
async def test_a_longer_argument_than_the_server_reads_is_refused_and_has_not_run(
    own_server: ValkeyServer, connect: Connect, call: Call, size: int
) -> None:
    client = await connect_with("proto-max-bulk-len", own_server, connect)

    async def is_refused() -> bool:
        """A reset may discard the server's reply before the client reads it."""
        with pytest.raises((RequestError, ConnectionError)) as caught:
            await call(client, LARGE[:size])
        if isinstance(caught.value, ConnectionError):
            return False
        assert "Protocol error: invalid bulk length" in str(caught.value)
        assert not caught.value.may_have_executed
        assert call is transaction or "proto-max-bulk-len" in str(caught.value)
        return True

    await until(is_refused)
    # Over another connection, since the client's is ending.
    assert own_server.command("GET", "runs") is None


@pytest.mark.every_server
@pytest.mark.parametrize("call", CALLS)
async def test_a_larger_request_than_the_server_reads_has_not_run_and_does_not_stop_the_client(
    own_server: ValkeyServer, connect: Connect, call: Call
) -> None:
    client = await connect_with("client-query-buffer-limit", own_server, connect)
    before = connects(client)
    large = asyncio.ensure_future(call(client, LARGE))
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(client.get("runs")) for _ in range(3)]
    with pytest.raises(ConnectionError, match="lost 3 times while this request of 500") as caught:
        await large
    assert not caught.value.may_have_executed
    assert "client-query-buffer-limit" in str(caught.value)
    assert await asyncio.gather(*others) == [None] * 3
    assert connects(client) - before <= 4


@pytest.mark.every_server
async def test_a_watched_transaction_that_is_too_large_is_no_changed_key(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect_with("client-query-buffer-limit", own_server, connect)
    batch = Batch(is_atomic=True).set("runs", LARGE)
    await client.watch(["runs"])
    with pytest.raises(ConnectionError, match="lost once while this request of 500") as caught:
        await client.exec(batch, raise_on_error=True)
    assert not caught.value.may_have_executed
    assert await client.get("runs") is None


@pytest.mark.every_server
@pytest.mark.parametrize("call", [script, command, pipeline, transaction])
async def test_calls_that_follow_a_request_that_the_server_refuses_to_read_run_once(
    own_server: ValkeyServer, connect: Connect, call: Call
) -> None:
    """Whether they were written before the server's answer or after it."""
    client = await connect_with("proto-max-bulk-len", own_server, connect)

    async def is_refused() -> bool:
        """A reset may discard the server's reply before the client reads it."""
        with pytest.raises((RequestError, ConnectionError)) as caught:
            await call(client, LARGE[: LIMIT + 1])
        return not isinstance(caught.value, ConnectionError)

    rounds = 0
    for _ in range(30):
        large = asyncio.ensure_future(is_refused())
        calls: list[asyncio.Future[Any]] = []
        for _ in range(10):
            await asyncio.sleep(0)
            calls.append(asyncio.ensure_future(client.invoke_script(COUNT, ["runs"], ["x"])))
        replies = await asyncio.gather(*calls, return_exceptions=True)
        if await large:
            assert replies == [1] * len(calls)
            rounds += 1
            assert await client.getdel("runs") == b"10"
        await client.delete(["runs"])
    assert rounds


async def test_a_repeated_call_that_ends_its_connection_each_time_ends_few_connections(
    own_server: ValkeyServer, connect: Connect
) -> None:
    own_server.command("CONFIG", "SET", "client-query-buffer-limit", str(LIMIT))
    client = await connect(own_server, request_timeout=1000)
    before = connects(client)
    with pytest.raises(TimeoutError):
        await repeated(client, LARGE[: LIMIT + 1000])
    assert connects(client) - before < 20


async def test_a_script_that_says_so_itself_has_run(client: GlideClient) -> None:
    own_words = Script("return redis.error_reply('Protocol error: invalid bulk length')")
    for size in (1, LIMIT + 1):
        with pytest.raises(RequestError, match="invalid bulk length") as caught:
            await client.invoke_script(own_words, [], [LARGE[:size]])
        assert caught.value.may_have_executed
