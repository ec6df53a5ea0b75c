"""The libraries' pipelines, which are batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.transport.conftest import Connect
from tests.transport.kinds import Kind, done

from glide_scripts.testing import ServerFaults, ValkeyServer

ECHO = "return {KEYS[1], ARGV[1]}"
UNFILLED = r"\{exception\.args\}$"
"""What asyncio pipelines of redis-py 6 say in place of the server's words."""


@pytest.mark.parametrize("transaction", [True, False])
async def test_pipeline_returns_what_the_librarys_does(
    server: ValkeyServer, connect: Connect, transaction: bool
) -> None:
    client = connect(server)
    script = client.register_script(ECHO)
    pipe = client.pipeline(transaction=transaction)
    pipe.set("n", 1).incr("n").hset("h", mapping={"a": 1}).hgetall("h").config_get("maxmemory")
    await done(script(["k"], ["v"], client=pipe))
    assert await done(pipe.execute()) == [
        True, 2, 1, {b"a": b"1"}, await done(client.config_get("maxmemory")), [b"k", b"v"],
    ]  # fmt: skip
    assert len(pipe) == 0


@pytest.mark.parametrize("transaction", [True, False])
async def test_error_names_the_command(
    kind: Kind, server: ValkeyServer, connect: Connect, transaction: bool
) -> None:
    client = connect(server)
    pipe = client.pipeline(transaction=transaction).set("a", "text").lpush("a", 1).set("b", 2)
    with pytest.raises(
        kind.exceptions.ResponseError,
        match=rf"^Command # 2 \(LPUSH a 1\) of pipeline caused error: (.*WRONGTYPE |{UNFILLED})",
    ):
        await done(pipe.execute())
    assert await done(client.get("b")) == b"2"
    pipe.set("a", "text").lpush("a", 1)
    results = await done(pipe.execute(raise_on_error=False))
    assert results[0] is True
    assert isinstance(results[1], kind.exceptions.ResponseError)


async def test_an_error_is_not_made_of_all_of_a_large_argument(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    pipe = connect(server).pipeline().set("a", "text").lpush("a", "x" * 1_000_000)
    annotate = pipe.annotate_exception
    lengths: list[int] = []

    def noting(error: Exception, number: int, command: Sequence[str]) -> None:
        lengths.extend(map(len, command))
        annotate(error, number, command)

    pipe.annotate_exception = noting
    with pytest.raises(kind.exceptions.ResponseError, match=r"^Command # 2 \(LPUSH a"):
        await done(pipe.execute())
    assert lengths[:2] == [5, 1]
    assert lengths[2] <= 1000


async def test_a_connection_s_error_is_about_all_commands_of_a_pipeline(
    kind: Kind, connect: Connect
) -> None:
    large = "x" * 50_000_000
    with ValkeyServer(config={"client-query-buffer-limit": "1mb"}) as server:
        client = connect(server)
        for pipe, ran in (
            (client.pipeline(transaction=False).set("large", large), None),
            (client.pipeline(transaction=False).incr("n").set("large", large), b"1"),
        ):
            with pytest.raises(kind.exceptions.ConnectionError, match="50000") as caught:
                await done(pipe.execute())
            assert await done(client.get("n")) == ran
            assert caught.value.may_have_executed is (ran is not None)


async def test_discarded_transaction_raises_what_the_server_said(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    pipe = client.pipeline().set("a", 1)
    pipe.execute_command("ZREM", "a")
    with pytest.raises(
        kind.exceptions.ResponseError,
        match=r"^Command # 2 \(ZREM a\) of pipeline caused error: "
        rf"(.*wrong number of arguments|{UNFILLED})",
    ):
        await done(pipe.execute())
    assert await done(client.exists("a")) == 0


async def test_transaction_is_never_half_applied_by_a_flush(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client, other = connect(server), connect(server)
    script = client.register_script("return redis.call('INCR', KEYS[1])")
    for number in range(1, 30):
        await done(other.script_flush())
        pipe = client.pipeline().incr("before")
        await done(script(["count"], client=pipe))
        pipe.incr("after")
        if kind.is_sync:
            assert pipe.execute() == [number] * 3
        else:
            flushing = asyncio.ensure_future(other.script_flush())
            assert await pipe.execute() == [number] * 3
            await flushing


async def test_lost_transaction_runs_once(
    kind: Kind, server: ValkeyServer, valkey_faults: ServerFaults, connect: Connect
) -> None:
    client = connect(valkey_faults.url)
    assert await done(client.ping())
    valkey_faults.lose_replies(matching=b"INCRBY")
    with pytest.raises(kind.exceptions.ConnectionError) as caught:
        await done(client.pipeline().incr("count").incr("other").execute())
    assert caught.value.may_have_executed is True
    assert await done(client.get("count")) == b"1"


async def test_a_script_runs_at_once_in_a_pipeline_that_watches(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    script = client.register_script(ECHO)
    pipe = client.pipeline()
    await done(pipe.watch("k"))
    for _ in range(2):
        await done(client.script_flush())
        assert await done(script(["k"], ["v"], client=pipe)) == [b"k", b"v"]
    pipe.multi()
    await done(script(["k"], ["v"], client=pipe))
    assert await done(pipe.execute()) == [[b"k", b"v"]]
    await done(pipe.reset())


async def test_lock_of_the_library(kind: Kind, server: ValkeyServer, connect: Connect) -> None:
    client = connect(server)
    lock = client.lock("name", timeout=30)
    assert await done(lock.acquire())
    assert not await done(client.lock("name", blocking=False).acquire())
    await done(client.script_flush())
    await done(lock.extend(10))
    await done(lock.release())
    with pytest.raises(kind.exceptions.LockError):
        await done(lock.release())
