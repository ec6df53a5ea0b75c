"""What a client counts."""

from __future__ import annotations

import asyncio

import pytest
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    Batch,
    ClosingError,
    GlideClient,
    GlideClientConfiguration,
    Key,
    NodeAddress,
    ReplyTypeError,
    RequestError,
    Script,
    TimeoutError,
    typed_script,
)
from glide_scripts.testing import ValkeyServer

INCR = Script("return redis.call('INCR', KEYS[1])")
FAILS = Script("return redis.error_reply('NO')")


async def test_calls_scripts_and_errors_are_counted(
    server: ValkeyServer, client: GlideClient
) -> None:
    assert client.stats().calls == 0
    for _ in range(10):
        await client.invoke_script(INCR, keys=["k"])
    for _ in range(2):
        with pytest.raises(RequestError):
            await client.invoke_script(FAILS)
    with pytest.raises(RequestError):
        await client.custom_command(["NOPE"])
    await client.exec(Batch(is_atomic=False).get("k").invoke_script(INCR, ["k"]), True)
    # The I/O thread counts a burst after it has handed over the replies.
    await until(lambda: client.stats().in_flight == 0)
    stats = client.stats()
    assert stats.calls == 15
    assert stats.errors == {"ScriptError": 2, "RequestError": 1}
    assert stats.evalsha_misses == 2
    assert stats.evalsha_hits == 10
    assert stats.taught == 2
    assert (stats.redirects, stats.reconnects, stats.in_flight) == (0, 0, 0)


async def test_a_reply_of_another_type_is_counted(client: GlideClient) -> None:
    @typed_script(Script("return 'x'", name="words"))
    def words(key: Key) -> int:
        raise NotImplementedError

    with pytest.raises(ReplyTypeError):
        await words(client, "k")
    batch = words.add_to(words.add_to(Batch(is_atomic=False), "k"), "k").get("k")
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    assert [type(result) for result in results] == [ReplyTypeError, ReplyTypeError, type(None)]
    await until(lambda: client.stats().in_flight == 0)
    assert client.stats().errors == {"ReplyTypeError": 3}
    assert client.stats().calls == 4


async def test_bytes_and_times_are_counted_by_server(
    server: ValkeyServer, client: GlideClient
) -> None:
    value = b"x" * 1_000_000
    await client.set("k", value)
    assert await client.get("k") == value
    # The I/O thread counts a burst after it has handed over the replies.
    await until(lambda: client.stats().latency.count == 2)
    stats = client.stats()
    (node,) = stats.nodes.values()
    assert list(stats.nodes) == [f"{server.host}:{server.port}"]
    assert (node.connects, node.requests, node.errors) == (1, 2, 0)
    assert 1_000_000 < stats.bytes_sent < 1_001_000
    assert 1_000_000 < stats.bytes_received < 1_001_000
    assert (node.bytes_sent, node.bytes_received) == (stats.bytes_sent, stats.bytes_received)
    assert stats.latency == node.latency
    latency = stats.latency
    assert latency.count == 2
    assert 0 < latency.p50 <= latency.p90 <= latency.p99 <= latency.p999
    assert latency.p999 <= latency.max * 1.01


async def test_what_waits_on_a_stalled_server_is_seen_and_bounded(
    own_server: ValkeyServer, connect: Connect
) -> None:
    limit = 16 << 20
    advanced = AdvancedGlideClientConfiguration(pending_bytes_limit=limit, heartbeat_interval=0)
    client = await connect(own_server, request_timeout=60_000, advanced_config=advanced)
    await client.ping()
    own_server.pause()
    value = b"x" * (1 << 20)
    calls: list[asyncio.Future[object]] = []
    try:

        async def is_refused() -> bool:
            calls.append(asyncio.ensure_future(client.set(f"k{len(calls)}", value)))
            await asyncio.sleep(0)
            return any(call.done() for call in calls)

        await until(is_refused)
        refused = [call for call in calls if call.done()]
        with pytest.raises(RequestError, match=r"pending_bytes_limit: .* bytes wait") as caught:
            await refused[0]
        assert not caught.value.may_have_executed
        stats = client.stats()
        assert limit < stats.pending_bytes < 4 * limit
        assert stats.in_flight >= 1
    finally:
        own_server.resume()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(result == b"OK" or isinstance(result, RequestError) for result in results)
    await until(lambda: client.stats().pending_bytes == 0)
    assert await client.ping() == b"PONG"


async def test_lost_connections_and_deadlines_are_counted(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server)
    await client.ping()
    own_server.kill()
    with pytest.raises(TimeoutError):
        await client.invoke_script(INCR, keys=["k"], timeout=50)
    await until(lambda: client.stats().reconnects == 1)
    await until(lambda: client.stats().errors == {"TimeoutError": 1})
    own_server.restart()
    assert await client.ping() == b"PONG"
    (node,) = client.stats().nodes.values()
    assert node.connects == 2


async def test_stats_stay_as_they_were_taken(client: GlideClient) -> None:
    before = client.stats()
    await client.ping()
    await until(lambda: client.stats().calls == 1)
    assert before.calls == 0
    await client.close()
    assert client.stats().calls == 1


async def test_calls_that_wait_for_any_of_several_servers_are_bounded_too(
    own_server: ValkeyServer, connect: Connect
) -> None:
    with ValkeyServer() as second:
        second.command("REPLICAOF", own_server.host, str(own_server.port))
        addresses = [NodeAddress(each.host, each.port) for each in (own_server, second)]
        advanced = AdvancedGlideClientConfiguration(pending_bytes_limit=4 << 20)
        config = GlideClientConfiguration(
            addresses, request_timeout=60_000, advanced_config=advanced
        )
        async with await GlideClient.create(config) as client:
            await client.ping()
            own_server.kill()
            second.kill()
            await until(lambda: client.stats().reconnects >= 1)
            value = b"x" * (1 << 20)
            calls = [asyncio.ensure_future(client.set("k", value)) for _ in range(3)]
            await until(lambda: client.stats().pending_bytes > 2 << 20)
            calls += [asyncio.ensure_future(client.set("k", value)) for _ in range(3)]
            await until(lambda: client.stats().pending_bytes > 4 << 20)
            with pytest.raises(RequestError, match="pending_bytes_limit"):
                await client.set("k", value)
            for call in calls:
                call.cancel()
            await until(lambda: client.stats().pending_bytes == 0)


async def test_a_closed_client_has_nothing_in_flight(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server)
    waiting = asyncio.ensure_future(client.custom_command(["BLPOP", "nothing", "0"]))
    await until(lambda: client.stats().in_flight == 1)
    with pytest.raises(RequestError):
        await client.script_kill()
    # The I/O thread counts a burst after it has handed over the replies.
    await until(lambda: client.stats().in_flight == 1)
    await client.close()
    with pytest.raises(ClosingError):
        await waiting
    await until(lambda: client.stats().in_flight == 0)
