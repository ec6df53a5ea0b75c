"""`once` where the server refuses a write, kills the script or crashes: nothing runs twice."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress

import pytest
from tests.conftest import Connect
from tests.servers.table import this_server
from tests.waiting import until

from glide_scripts import (
    ClosingError,
    GlideClient,
    OnceUnknownError,
    RequestError,
    Script,
    ScriptError,
    ScriptKilledError,
    ServerCredentials,
    UnkillableError,
)
from glide_scripts.testing import ServerReplyError, ValkeyServer

DURABLE = {"appendonly": "yes", "appendfsync": "always"}
ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
PUBLISH = Script(
    "redis.call('PUBLISH', 'news', 'x')\n"
    "redis.call('INCR', KEYS[1])\n"
    "return redis.call('GET', KEYS[1])"
)
# It waits, writes, waits again, and ends.
SLOW = Script(
    "for i = 1, 3e8 do end\nlocal n = redis.call('INCR', KEYS[1])\nfor i = 1, 3e8 do end\nreturn n"
)
WRITTEN = Script("redis.call('INCR', KEYS[1])\nfor i = 1, 6e8 do end\nreturn 1")

# Before Redis 7, a script cannot ask whether it may write, so the client begins the record first.
BEGINS_FIRST = "script flags" in this_server().lacks


def is_busy(server: ValkeyServer) -> bool:
    try:
        server.command("PING")
    except ServerReplyError as error:
        return str(error).startswith("BUSY")
    return False


@pytest.mark.parametrize("script", [ADD, PUBLISH])
@pytest.mark.every_server
async def test_a_server_out_of_memory_runs_nothing(
    own_server: ValkeyServer, connect: Connect, script: Script
) -> None:
    client = await connect(own_server)
    await client.invoke_script(script, ["n"], ["1"], once="before")
    before = await client.get("n")
    own_server.command("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(RequestError, match=r"OOM|maxmemory") as caught:
        await client.invoke_script(script, ["n"], ["1"], once="order")
    assert not caught.value.may_have_executed
    assert await client.invoke_script(script, ["n"], ["1"], once="before") == (
        1 if script is ADD else b"1"
    )
    own_server.command("CONFIG", "SET", "maxmemory", "0")
    assert await client.get("n") == before
    await client.invoke_script(script, ["n"], ["1"], once="order")
    assert await client.get("n") == b"2"


@pytest.mark.every_server
async def test_a_script_that_only_reads_keeps_no_record_without_memory(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server)
    script = Script("return redis.call('GET', KEYS[1])")
    own_server.command("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(RequestError, match="OOM") as caught:
        await client.invoke_script(script, ["n"], once="order")
    assert not caught.value.may_have_executed
    own_server.command("CONFIG", "SET", "maxmemory", "0")
    assert await client.invoke_script(script, ["n"], once="order") is None


@pytest.mark.every_server
async def test_a_call_on_a_replica_is_made_once_on_the_primary_to_come(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    await client.invoke_script(PUBLISH, ["n"], once="before")
    for script, count in ((ADD, b"2"), (PUBLISH, b"3")):
        own_server.command("REPLICAOF", "127.0.0.1", "1")
        call = asyncio.ensure_future(client.invoke_script(script, ["n"], ["1"], once=script.hash))
        refused = own_server.command("INFO", "commandstats")
        await until(lambda seen=refused: own_server.command("INFO", "commandstats") != seen)  # type: ignore[misc]
        own_server.command("REPLICAOF", "NO", "ONE")
        await call
        await client.invoke_script(script, ["n"], ["1"], once=script.hash)
        assert await client.get("n") == count


@pytest.mark.parametrize("script", [ADD, PUBLISH])
@pytest.mark.every_server
async def test_a_call_waits_while_a_server_has_too_few_replicas(
    own_server: ValkeyServer, connect: Connect, script: Script
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    own_server.command("CONFIG", "SET", "min-replicas-to-write", "1")
    call = asyncio.ensure_future(client.invoke_script(script, ["n"], ["1"], once="order"))
    refused = own_server.command("INFO", "commandstats")
    await until(lambda: own_server.command("INFO", "commandstats") != refused)
    own_server.command("CONFIG", "SET", "min-replicas-to-write", "0")
    await call
    await client.invoke_script(script, ["n"], ["1"], once="order")
    assert await client.get("n") == b"1"


@pytest.mark.every_server
async def test_a_user_without_rights_to_the_record_is_told_so_and_nothing_runs(
    own_server: ValkeyServer, connect: Connect
) -> None:
    rules = [
        ["~n", "+@all"],
        ["~*", "+@all", "-set"],
        ["~*", "+@all", "-get"],
    ]
    for number, rule in enumerate(rules):
        user = f"user{number}"
        own_server.command("ACL", "SETUSER", user, "on", ">secret", "-@all", *rule)
        client = await connect(own_server, credentials=ServerCredentials("secret", user))
        with pytest.raises(RequestError, match=r"(?i)permission|can.t run"):
            await client.invoke_script(ADD, ["n"], ["1"], once="order")
    own_server.command("ACL", "SETUSER", "may", "on", ">secret", "~n", "~once:*", "+@all")
    client = await connect(own_server, credentials=ServerCredentials("secret", "may"))
    assert [await client.invoke_script(ADD, ["n"], ["1"], once="order") for _ in "ab"] == [1, 1]


@pytest.mark.every_server
async def test_a_script_is_killed_before_it_writes_and_may_run_later(
    own_server: ValkeyServer, connect: Connect
) -> None:
    own_server.command("CONFIG", "SET", "lua-time-limit", "50")
    client = await connect(own_server, request_timeout=60_000)
    endless = Script("if ARGV[1] == redis.call('GET', KEYS[2]) then while true do end end return 1")
    await client.set("{n}stop", "x")
    call = asyncio.ensure_future(client.invoke_script(endless, ["{n}", "{n}stop"], ["x"], once="a"))
    await until(lambda: is_busy(own_server))
    if BEGINS_FIRST:
        with pytest.raises(UnkillableError):
            await client.script_kill()
        call.cancel()
        own_server.kill()
        return
    await client.script_kill()
    with pytest.raises(ScriptKilledError):
        await call
    await client.set("{n}stop", "y")
    assert await client.invoke_script(endless, ["{n}", "{n}stop"], ["x"], once="a") == 1


@pytest.mark.parametrize("script", [SLOW, WRITTEN])
@pytest.mark.every_server
async def test_a_crash_between_begin_and_end_leaves_nothing(
    connect: Connect, script: Script
) -> None:
    with ValkeyServer(config={**DURABLE, "lua-time-limit": "50"}) as server:
        client = await connect(server, request_timeout=60_000)
        await client.invoke_script(ADD, ["n"], ["1"], once="before")
        call = asyncio.ensure_future(client.invoke_script(script, ["n"], once="order"))
        await until(lambda: is_busy(server))
        server.kill()
        await client.close()
        with pytest.raises(ClosingError) as caught:
            await call
        assert caught.value.may_have_executed
        server.start()
        client = await connect(server, request_timeout=60_000)
        assert await client.get("n") == b"1"
        await client.invoke_script(script, ["n"], once="order")
        assert await client.get("n") == b"2"
        await client.invoke_script(script, ["n"], once="order")
        await client.invoke_script(ADD, ["n"], ["1"], once="before")
        assert await client.get("n") == b"2"


@pytest.mark.every_server
async def test_records_survive_a_restart_with_their_effects(connect: Connect) -> None:
    with ValkeyServer(config=DURABLE) as server:
        client = await connect(server)
        for number in range(20):
            await client.invoke_script(ADD, ["n"], ["1"], once=f"order-{number}")
            with pytest.raises(ScriptError):
                await client.invoke_script(
                    Script("redis.call('INCR', KEYS[1]) error('x')"), ["m"], once=f"order-{number}"
                )
        server.kill()
        server.start()
        for number in range(20):
            assert (
                await client.invoke_script(ADD, ["n"], ["1"], once=f"order-{number}") == number + 1
            )
        assert (await client.get("n"), await client.get("m")) == (b"20", b"20")


@pytest.mark.every_server
async def test_a_reply_that_cannot_be_kept_is_unknown_later(client: GlideClient) -> None:
    # The server itself refuses a table that contains itself.
    script = Script("redis.call('INCR', KEYS[1]) local t = {} t[1] = t return t")
    try:
        await client.invoke_script(script, ["n"], once="order")
    except RequestError:
        assert await client.get("n") == b"1"
    for _ in range(2):
        with pytest.raises(OnceUnknownError, match='"order"') as caught:
            await client.invoke_script(script, ["n"], once="order")
        assert caught.value.may_have_executed
    assert await client.get("n") == b"1"


@pytest.mark.parametrize(
    "returned", ["7", "'abc'", "{1, {'x', {}}}", "redis.error_reply('MY error')"]
)
@pytest.mark.every_server
async def test_a_record_that_something_else_has_cut_or_overwritten_is_unknown(
    client: GlideClient, returned: str
) -> None:
    script = Script(f"redis.call('INCR', KEYS[1]) return {returned}")
    with suppress(ScriptError):
        await client.invoke_script(script, ["n"], once="order")
    record = await client.get("once:{n}:order")
    assert record is not None
    head = 1 + hashlib.sha1().digest_size
    cut = [record[:length] for length in range(head, len(record))]
    overwritten = [
        record[:head] + reply for reply in (b"x", b"2*9\n", b"2$9\nab", b"2:x\n", b"2?1\na")
    ]
    for changed in (*cut, *overwritten, record + b"more"):
        await client.set("once:{n}:order", changed)
        with pytest.raises(OnceUnknownError, match='"order"'):
            await client.invoke_script(script, ["n"], once="order")
    assert await client.get("n") == b"1"


@pytest.mark.every_server
async def test_a_script_that_leaves_its_database_runs_once(client: GlideClient) -> None:
    script = Script("redis.call('INCR', KEYS[1]) redis.call('SELECT', 1) return 'done'")
    await client.invoke_script(script, ["n"], once="order")
    with pytest.raises(OnceUnknownError):
        await client.invoke_script(script, ["n"], once="order")
    assert await client.get("n") == b"1"


@pytest.mark.every_server
async def test_a_script_that_deletes_everything_keeps_its_record(client: GlideClient) -> None:
    script = Script("redis.call(ARGV[1]) return redis.call('INCR', KEYS[1])")
    assert [await client.invoke_script(script, ["n"], ["FLUSHALL"], once="a") for _ in "ab"] == [
        1,
        1,
    ]
    await client.set("n", "5")
    assert await client.invoke_script(script, ["n"], ["FLUSHALL"], once="a") == 1
    assert await client.get("n") == b"5"


async def test_what_a_script_does_for_this_server_alone_has_a_record_on_all(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server)
    script = Script("redis.set_repl(redis.REPL_NONE) return redis.call('INCR', KEYS[1])")
    with ValkeyServer() as replica:
        replica.command("REPLICAOF", own_server.host, own_server.port)
        await until(lambda: b"master_link_status:up" in _replication(replica))
        await client.invoke_script(script, ["n"], once="order")
        await client.set("last", "1")
        await until(lambda: replica.command("GET", "last") == b"1")
        assert replica.command("EXISTS", "once:{n}:order") == 1


def _replication(server: ValkeyServer) -> bytes:
    reply = server.command("INFO", "replication")
    assert isinstance(reply, bytes)
    return reply
