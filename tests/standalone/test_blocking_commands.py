"""Commands that wait for others: nobody waits behind them, and a cancelled one takes nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    Batch,
    BatchOptions,
    ClosingError,
    ConnectionError,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    RequestError,
    ServerCredentials,
    TimeoutError,
)
from glide_scripts.testing import FaultProxy, ValkeyServer

# The client keeps up to this many idle connections for the next blocking commands.
KEPT = 8


@pytest.fixture
def server(own_server: ValkeyServer) -> ValkeyServer:
    """A server of the test's own: it counts connections."""
    return own_server


def blocked(server: ValkeyServer) -> int:
    """How many clients wait for others."""
    reply = server.command("INFO", "clients")
    assert isinstance(reply, bytes)
    (count,) = re.findall(rb"blocked_clients:(\d+)", reply)
    return int(count)


def connections(server: ValkeyServer) -> int:
    reply = server.command("CLIENT", "LIST")
    assert isinstance(reply, bytes)
    return len(reply.splitlines())


async def waiting(
    server: ValkeyServer, *calls: Coroutine[Any, Any, Any]
) -> list[asyncio.Task[Any]]:
    """Starts calls that wait for others, and waits until they do."""
    before = blocked(server)
    tasks = [asyncio.create_task(call) for call in calls]
    await until(lambda: blocked(server) == before + len(calls))
    return tasks


async def test_a_cancelled_one_takes_nothing_and_leaves_no_connection(
    client: GlideClient, server: ValkeyServer
) -> None:
    before = connections(server)
    for number in range(20):
        (call,) = await waiting(server, client.custom_command(["BLPOP", "jobs", "0"]))
        call.cancel()
        # Later requests reach the server after the waiting command was removed.
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await client.custom_command(["RPUSH", "jobs", str(number)]) == 1
        assert await client.custom_command(["LPOP", "jobs"]) == str(number).encode()
    await until(lambda: connections(server) <= before)


@pytest.mark.parametrize("in_pipeline", [False, True])
async def test_a_cancelled_one_takes_nothing_on_a_busy_connection(
    connect: Connect, server: ValkeyServer, *, in_pipeline: bool
) -> None:
    client = await connect(server)
    pop = ["BLPOP", "jobs", "0"]
    batch = Batch(False).custom_command(pop)
    ended = False

    async def others() -> None:
        while not ended:
            await client.get("k")

    # The server reads their commands, the push, and the end of the connection at the same time.
    noise = [asyncio.create_task(others()) for _ in range(20)]
    for _ in range(100):
        call = client.exec(batch, True) if in_pipeline else client.custom_command(pop)
        (waiting_,) = await waiting(server, call)
        waiting_.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting_
        assert await client.custom_command(["RPUSH", "jobs", "job"]) == 1
        assert await client.custom_command(["LPOP", "jobs"]) == b"job"
    ended = True
    await asyncio.gather(*noise)


@pytest.mark.parametrize("in_pipeline", [False, True])
async def test_one_that_is_cancelled_while_it_is_sent_takes_nothing(
    connect: Connect, server: ValkeyServer, *, in_pipeline: bool
) -> None:
    pop = ["BLPOP", "jobs", "0"]
    batch = Batch(False).custom_command(pop)
    for _ in range(10):
        # Its connections are new.
        client = await connect(server)
        for number in range(20):
            call = client.exec(batch, True) if in_pipeline else client.custom_command(pop)
            task = asyncio.ensure_future(call)
            await asyncio.sleep(number * 0.0001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.custom_command(["RPUSH", "jobs", "job"]) == 1
            assert await client.custom_command(["LPOP", "jobs"]) == b"job"


async def test_one_given_up_at_its_deadline_takes_nothing_on_a_busy_connection(
    connect: Connect, server: ValkeyServer
) -> None:
    client = await connect(server)
    batch = Batch(False).custom_command(["BLPOP", "jobs", "0"])
    ended = False

    async def others() -> None:
        while not ended:
            await client.get("k")

    noise = [asyncio.create_task(others()) for _ in range(20)]
    for _ in range(20):
        (late,) = await client.exec(batch, False, BatchOptions(timeout=20)) or [None]
        assert isinstance(late, TimeoutError)
        assert await client.custom_command(["RPUSH", "jobs", "job"]) == 1
        assert await client.custom_command(["LPOP", "jobs"]) == b"job"
    ended = True
    await asyncio.gather(*noise)


@pytest.mark.needs("finer rights")
async def test_a_user_without_the_right_to_kill_leaves_nothing_behind_either(
    client: GlideClient, server: ValkeyServer
) -> None:
    server.command("ACL", "SETUSER", "worker", "on", ">pw", "~*", "+@all", "-client|kill")
    server.command("ACL", "SETUSER", "worker", "-client|info")
    before = connections(server)
    config = GlideClientConfiguration(
        [NodeAddress(server.host, server.port)], credentials=ServerCredentials("pw", "worker")
    )
    async with await GlideClient.create(config) as worker:
        (call,) = await waiting(server, worker.custom_command(["BLPOP", "jobs", "0"]))
        call.cancel()
        await until(lambda: blocked(server) == 0)
        (call,) = await waiting(server, worker.custom_command(["BLPOP", "jobs", "0"]))
        await client.custom_command(["RPUSH", "jobs", "job"])
        assert await call == [b"jobs", b"job"]
    await until(lambda: connections(server) <= before)


async def test_many_that_wait_hold_up_no_other_call(
    client: GlideClient, server: ValkeyServer
) -> None:
    before = connections(server)
    calls = await waiting(
        server, *(client.custom_command(["BLPOP", f"jobs:{n}", "0"]) for n in range(50))
    )
    async with asyncio.timeout(20):
        assert await asyncio.gather(*(client.ping() for _ in range(100))) == [b"PONG"] * 100
        for number in range(50):
            await client.custom_command(["RPUSH", f"jobs:{number}", "job"])
        replies = await asyncio.gather(*calls)
    assert replies == [[f"jobs:{number}".encode(), b"job"] for number in range(50)]
    await until(lambda: connections(server) <= before + KEPT)
    calls = await waiting(
        server, *(client.custom_command(["BLPOP", "jobs", "0"]) for _ in range(KEPT))
    )
    assert connections(server) <= before + KEPT
    for call in calls:
        call.cancel()
    await until(lambda: connections(server) <= before)


@pytest.mark.parametrize(
    ("words", "push", "reply"),
    [
        (["BLPOP", "a", "b", "0"], ["RPUSH", "b", "v"], [b"b", b"v"]),
        ([b"brpop", b"a", b"0.0"], ["RPUSH", "a", "v"], [b"a", b"v"]),
        (["BLMOVE", "a", "b", "LEFT", "LEFT", "0"], ["RPUSH", "a", "v"], b"v"),
        (["BRPOPLPUSH", "a", "b", "0"], ["RPUSH", "a", "v"], b"v"),
        pytest.param(
            ["BLMPOP", "0", "1", "a", "LEFT"],
            ["RPUSH", "a", "v"],
            [b"a", [b"v"]],
            marks=pytest.mark.needs("commands of Redis 7"),
        ),
        (["XREAD", "BLOCK", "0", "STREAMS", "a", "$"], ["XADD", "a", "1-1", "f", "v"], None),
    ],
)
async def test_each_kind_waits_beyond_the_request_timeout_for_what_comes(
    connect: Connect, server: ValkeyServer, words: list[Any], push: list[str], reply: object
) -> None:
    client = await connect(server, request_timeout=500)
    (call,) = await waiting(server, client.custom_command(words))
    done, _ = await asyncio.wait([call], timeout=0.7)
    assert not done
    await client.custom_command(push)
    result = await asyncio.wait_for(call, 2)
    assert result == reply if reply is not None else result


async def test_a_group_s_read_waits_with_its_options_in_any_order(
    client: GlideClient, server: ValkeyServer
) -> None:
    await client.custom_command(["XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"])
    for options in (["BLOCK", "0", "GROUP", "g", "c"], ["GROUP", "g", "c", "NOACK", "BLOCK", "0"]):
        words = ["XREADGROUP", "COUNT", "1", *options, "STREAMS", "s", ">"]
        (call,) = await waiting(server, client.custom_command(words))
        assert await asyncio.wait_for(client.ping(), 2) == b"PONG"
        await client.custom_command(["XADD", "s", "*", "f", "v"])
        assert await asyncio.wait_for(call, 2)


async def test_its_own_time_comes_on_top_of_the_request_timeout(
    connect: Connect, server: ValkeyServer
) -> None:
    client = await connect(server, request_timeout=1000)
    assert await client.custom_command(["BLPOP", "jobs", "0.5"]) is None
    assert await client.custom_command(["XREAD", "BLOCK", "500", "STREAMS", "s", "$"]) is None
    before = connections(server)
    (call,) = await waiting(server, client.custom_command(["BLPOP", "jobs", "0.5"]))
    server.pause()
    with pytest.raises(TimeoutError, match="1500 ms") as late:
        await call
    server.resume()
    assert late.value.may_have_executed
    await until(lambda: connections(server) < before)


async def test_one_that_cannot_be_sent_is_told_within_the_request_timeout(
    connect: Connect, server: ValkeyServer
) -> None:
    client = await connect(server, request_timeout=300)
    await client.config_set({"maxclients": "1"})
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError) as late:
            await client.custom_command(["BLPOP", "jobs", "0"])
    assert not late.value.may_have_executed
    await client.custom_command(["RPUSH", "jobs", "job"])
    await client.config_set({"maxclients": "1000"})
    assert await client.custom_command(["BLPOP", "jobs", "0"]) == [b"jobs", b"job"]


async def test_its_lost_connection_is_told_and_it_is_not_sent_again(
    connect: Connect, client: GlideClient, server: ValkeyServer
) -> None:
    (call,) = await waiting(server, client.custom_command(["BLPOP", "jobs", "0"]))
    server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(ConnectionError) as lost:
        await call
    assert lost.value.may_have_executed
    await client.custom_command(["RPUSH", "jobs", "job"])
    assert await client.custom_command(["LLEN", "jobs"]) == 1


async def test_close_ends_it(client: GlideClient, server: ValkeyServer) -> None:
    (call,) = await waiting(server, client.custom_command(["BLPOP", "jobs", "0"]))
    await client.close()
    with pytest.raises(ClosingError) as closed:
        await call
    assert closed.value.may_have_executed
    await until(lambda: blocked(server) == 0)


async def test_heartbeats_leave_it_alone(connect: Connect, server: ValkeyServer) -> None:
    quick = AdvancedGlideClientConfiguration(heartbeat_interval=100)
    client = await connect(server, advanced_config=quick)
    (call,) = await waiting(server, client.custom_command(["BLPOP", "jobs", "0"]))
    done, _ = await asyncio.wait([call], timeout=1)
    assert not done
    await client.custom_command(["RPUSH", "jobs", "job"])
    assert await call == [b"jobs", b"job"]
    assert client.stats().reconnects == 0


async def test_a_pipeline_with_one_keeps_its_order_and_holds_up_nobody(
    client: GlideClient, server: ValkeyServer
) -> None:
    before = connections(server)
    batch = Batch(False).set("k", "1").custom_command(["BLPOP", "jobs", "0"]).set("k", "2")
    (call,) = await waiting(server, client.exec(batch.get("k"), True))
    assert await asyncio.wait_for(client.get("k"), 2) == b"1"
    await client.custom_command(["RPUSH", "jobs", "job"])
    results = await call
    assert results is not None
    assert results[1:] == [[b"jobs", b"job"], b"OK", b"2"]
    await until(lambda: connections(server) <= before + 1)


async def test_a_cancelled_pipeline_takes_nothing_and_runs_nothing_after_it(
    client: GlideClient, server: ValkeyServer
) -> None:
    before = connections(server)
    for _ in range(10):
        batch = Batch(False).custom_command(["BLPOP", "jobs", "0"]).custom_command(["INCR", "n"])
        (call,) = await waiting(server, client.exec(batch, True))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await client.custom_command(["RPUSH", "jobs", "job"]) == 1
        assert await client.custom_command(["LPOP", "jobs"]) == b"job"
    assert await client.get("n") is None
    await until(lambda: connections(server) <= before)


async def test_a_pipelines_own_timeout_holds(client: GlideClient, server: ValkeyServer) -> None:
    before = connections(server)
    batch = Batch(False).set("k", "1").custom_command(["BLPOP", "jobs", "0"]).set("k", "2")
    async with asyncio.timeout(3):
        results = await client.exec(batch, False, BatchOptions(timeout=200))
    assert results is not None
    assert results[0] == b"OK"
    for late in results[1:]:
        assert isinstance(late, TimeoutError)
        assert late.may_have_executed
    await client.custom_command(["RPUSH", "jobs", "job"])
    assert await client.custom_command(["LLEN", "jobs"]) == 1
    await until(lambda: connections(server) <= before)


async def test_a_pipelines_times_add_up(connect: Connect, server: ValkeyServer) -> None:
    client = await connect(server, request_timeout=300)
    wait = ["BLPOP", "jobs", "0.4"]
    batch = Batch(False).custom_command(wait).custom_command(wait).custom_command(wait).ping()
    assert await client.exec(batch, True) == [None, None, None, b"PONG"]


async def test_a_transaction_does_not_wait(client: GlideClient, server: ValkeyServer) -> None:
    before = connections(server)
    batch = Batch(True).set("k", "1").custom_command(["BLPOP", "jobs", "0"])
    batch.custom_command(["WAIT", "1", "0"])
    assert await client.exec(batch, True) == [b"OK", None, 0]
    assert connections(server) <= before


async def test_wait_counts_the_replicas_that_have_the_writes_before_it(
    client: GlideClient, server: ValkeyServer
) -> None:
    with pytest.raises(RequestError, match=r"WAIT is refused: .* Batch"):
        await client.custom_command(["WAIT", "1", "0"])
    with ValkeyServer() as replica:
        replica.command("REPLICAOF", server.host, server.port)
        await until(lambda: b"master_link_status:up" in info(replica))
        batch = Batch(False).set("k", "1").custom_command(["WAIT", "1", "10000"])
        assert await client.exec(batch, True) == [b"OK", 1]
        assert replica.command("GET", "k") == b"1"
        replica.pause()
        batch = Batch(False).set("k", "2").custom_command(["WAIT", "1", "200"])
        late = asyncio.create_task(client.exec(batch, True))
        assert await asyncio.wait_for(client.ping(), 2) == b"PONG"
        assert await late == [b"OK", 0]
        replica.resume()


def info(server: ValkeyServer) -> bytes:
    reply = server.command("INFO", "replication")
    assert isinstance(reply, bytes)
    return reply


async def test_one_on_a_connection_that_is_held_up_is_closed_with_it(
    connect: Connect, server: ValkeyServer
) -> None:
    async with FaultProxy(server.host, server.port) as proxy:
        client = await GlideClient.from_url(f"valkey://{proxy.host}:{proxy.port}")
        async with client:
            (call,) = await waiting(server, client.custom_command(["BLPOP", "jobs", "0"]))
            call.cancel()
            await until(lambda: blocked(server) == 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["subscribe", "c"], "SUBSCRIBE is refused: .* wrong callers"),
        ([b"MONITOR\x00x"], "is refused: .* wrong callers"),
        (["client", b"reply\x00x", "off"], "is refused: .* wrong callers"),
        (["CLIENT", "SETNAME", "x"], "CLIENT SETNAME is refused: .* set client_name"),
        (["client", "no-evict", "on"], "CLIENT NO-EVICT is refused: .* for all callers"),
        (["script", "debug", "yes"], "SCRIPT DEBUG is refused: .* for all callers"),
        (["SELECT", "1"], "SELECT is refused: .* set database_id"),
        (["SHUTDOWN", "NOSAVE"], "SHUTDOWN is refused: .* does not answer"),
        (["QUIT"], r"QUIT is refused: .* close\(\)"),
        (["POST", "/"], "POST is refused: .* attack"),
        (["REPLCONF", "ACK", "1"], "REPLCONF is refused: .* between servers"),
    ],
)
async def test_what_would_harm_other_callers_is_refused_by_name(
    client: GlideClient, words: list[Any], why: str
) -> None:
    for atomic in (True, False):
        with pytest.raises(RequestError, match=why):
            Batch(atomic).custom_command(words)
    with pytest.raises(RequestError, match=why) as refused:
        await client.custom_command(words)
    assert not refused.value.may_have_executed
    assert await client.ping() == b"PONG"


@pytest.mark.parametrize("words", [["CLIENT", "ID"], ["client", "info"], ["CLIENT", "GETNAME"]])
async def test_what_only_asks_about_the_connection_is_answered(
    client: GlideClient, words: list[str]
) -> None:
    await client.custom_command(words)
    assert await client.ping() == b"PONG"
