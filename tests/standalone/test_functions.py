"""Functions: loaded, listed, called, dumped and killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import (
    OK,
    FlushMode,
    FunctionRestorePolicy,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    NotBusyError,
    ProtocolVersion,
    RequestError,
    Script,
    ScriptBusyError,
    ScriptError,
    ScriptKilledError,
    ScriptSyntaxError,
    UnkillableError,
)
from glide_scripts.testing import ValkeyServer

pytestmark = [pytest.mark.every_server, pytest.mark.needs("functions")]

CODE = """#!lua name=mylib
redis.register_function('set', function(keys, args)
  return redis.call('SET', keys[1], args[1])
end)
redis.register_function{
  function_name = 'all',
  callback = function(keys, args) return {keys, args} end,
  description = 'gives what it gets',
  flags = {'no-writes', 'allow-stale'},
}
"""
OTHER = "#!lua name=other\nredis.register_function('one', function() return 1 end)"
ENDLESS = """#!lua name=endless
redis.register_function{
  function_name = 'endless',
  callback = function() while true do end end,
  flags = {'no-writes'},
}
redis.register_function('write_endless', function(keys)
  redis.call('SET', keys[1], 'v')
  while true do end
end)
"""


@pytest.mark.parametrize("code", [CODE, CODE.encode(), bytearray(CODE.encode())], ids=type)
async def test_a_loaded_library_s_functions_can_be_called(client: GlideClient, code: Any) -> None:
    assert await client.function_load(code) == b"mylib"
    assert await client.fcall("set", ["k"], ["v"]) is OK
    assert await client.get("k") == b"v"
    assert await client.fcall(b"all", ["a", b"\xff"], ["c"]) == [[b"a", b"\xff"], [b"c"]]
    assert await client.fcall("all") == [[], []]
    assert await client.fcall("all", arguments=[b""]) == [[], [b""]]
    assert await client.fcall_ro("all", keys=["a"]) == [[b"a"], []]


async def test_a_library_is_replaced_only_if_asked(client: GlideClient) -> None:
    await client.function_load(OTHER)
    newer = OTHER.replace("return 1", "return 2")
    with pytest.raises(ScriptError, match="Library 'other' already exists"):
        await client.function_load(newer)
    assert await client.fcall("one") == 1
    assert await client.function_load(newer, replace=True) == b"other"
    assert await client.fcall("one") == 2


def refused(server: ValkeyServer, code: str) -> bool:
    """Whether the server has answered with that code."""
    stats = server.command("INFO", "errorstats")
    assert isinstance(stats, bytes)
    return f"errorstat_{code}:".encode() in stats


async def test_a_library_that_is_refused_is_not_loaded(
    own_server: ValkeyServer, connect: Connect
) -> None:
    own_server.command("CONFIG", "SET", "busy-reply-threshold", "50")
    client = await connect(own_server, request_timeout=10_000)
    other = await connect(own_server, request_timeout=10_000)

    async def is_refused(code: str) -> bool:
        """Whether it is refused with that code, and the error says that nothing has run."""
        try:
            await client.function_load(OTHER)
        except RequestError as error:
            return error.code == code and not error.may_have_executed
        return False

    running = asyncio.create_task(other.invoke_script(Script("while true do end")))
    await until(lambda: is_refused("BUSY"))
    await client.script_kill()
    with pytest.raises(ScriptKilledError):
        await running
    # It may have been loaded before the script began.
    await client.function_load(OTHER, replace=True)
    # Without `replace`, the name is taken.
    assert await is_refused("ERR")
    own_server.command("CONFIG", "SET", "maxmemory", "1")
    assert await is_refused("OOM")


async def test_a_library_waits_for_a_server_that_takes_no_writes_for_a_while(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=10_000)
    own_server.command("CONFIG", "SET", "min-replicas-to-write", "1")
    loading = asyncio.create_task(client.function_load(OTHER))
    await until(lambda: refused(own_server, "NOREPLICAS"))
    assert not loading.done()
    own_server.command("CONFIG", "SET", "min-replicas-to-write", "0")
    assert await loading == b"other"


async def test_a_function_that_reads_waits_for_a_replica_that_has_lost_its_primary(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=10_000)
    await client.function_load(
        "#!lua name=reads\n"
        "redis.register_function{function_name='reading', flags={'no-writes'},"
        " callback=function(keys) return redis.call('GET', keys[1]) end}"
    )
    own_server.command("CONFIG", "SET", "replica-serve-stale-data", "no")
    own_server.command("REPLICAOF", "127.0.0.1", "1")
    call = asyncio.create_task(client.fcall_ro("reading", ["k"]))
    await until(lambda: refused(own_server, "MASTERDOWN"))
    own_server.command("REPLICAOF", "NO", "ONE")
    assert await call is None


async def test_code_that_does_not_compile_is_not_loaded(client: GlideClient) -> None:
    with pytest.raises(ScriptSyntaxError) as caught:
        await client.function_load("#!lua name=broken\n\nreturn return")
    assert caught.value.line == 3
    assert caught.value.source_line == "return return"
    assert not caught.value.may_have_executed
    assert await client.function_list() == []


async def test_libraries_are_listed(client: GlideClient) -> None:
    assert await client.function_list() == []
    await client.function_load(CODE)
    await client.function_load(OTHER)
    (library,) = await client.function_list("my*")
    functions = library.pop(b"functions")
    assert library == {b"library_name": b"mylib", b"engine": b"LUA"}
    assert sorted(functions, key=lambda function: function[b"name"]) == [
        {
            b"name": b"all",
            b"description": b"gives what it gets",
            b"flags": {b"no-writes", b"allow-stale"},
        },
        {b"name": b"set", b"description": None, b"flags": set()},
    ]
    with_code = await client.function_list(library_name_pattern=b"other", with_code=True)
    assert with_code == [
        {
            b"library_name": b"other",
            b"engine": b"LUA",
            b"functions": [{b"name": b"one", b"description": None, b"flags": set()}],
            b"library_code": OTHER.encode(),
        }
    ]
    names = {library[b"library_name"] for library in await client.function_list()}
    assert names == {b"mylib", b"other"}
    assert await client.function_list("none") == []


async def test_libraries_are_deleted(client: GlideClient) -> None:
    await client.function_load(CODE)
    await client.function_load(OTHER)
    assert await client.function_delete("mylib") is OK
    with pytest.raises(RequestError, match="Library not found"):
        await client.function_delete("mylib")
    assert await client.fcall("one") == 1


@pytest.mark.parametrize("mode", [None, FlushMode.SYNC, FlushMode.ASYNC])
async def test_all_libraries_are_flushed(client: GlideClient, mode: FlushMode | None) -> None:
    await client.function_load(CODE)
    assert await client.function_flush(mode) is OK
    assert await client.function_list() == []
    with pytest.raises(ScriptError, match="Function not found") as caught:
        await client.fcall("set", ["k"], ["v"])
    assert not caught.value.may_have_executed


async def test_dumped_libraries_are_restored(client: GlideClient) -> None:
    await client.function_load(OTHER)
    payload = await client.function_dump()
    assert type(payload) is bytes
    with pytest.raises(RequestError, match="already exists"):
        await client.function_restore(payload)
    await client.function_load(OTHER.replace("return 1", "return 2"), True)
    assert await client.function_restore(payload, FunctionRestorePolicy.REPLACE) is OK
    assert await client.fcall("one") == 1
    await client.function_load(CODE)
    assert await client.function_restore(payload, policy=FunctionRestorePolicy.FLUSH) is OK
    assert [library[b"library_name"] for library in await client.function_list()] == [b"other"]
    await client.function_flush()
    assert await client.function_restore(payload, FunctionRestorePolicy.APPEND) is OK
    assert await client.fcall("one") == 1
    with pytest.raises(RequestError, match="checksum"):
        await client.function_restore(b"no dump")


async def test_the_statistics_are_those_of_each_server(
    server: ValkeyServer, client: GlideClient
) -> None:
    await client.function_load(CODE)
    assert await client.function_stats() == {
        f"{server.host}:{server.port}".encode(): {
            b"running_script": None,
            b"engines": {b"LUA": {b"libraries_count": 1, b"functions_count": 2}},
        }
    }


async def test_a_replica_has_statistics_too(
    own_server: ValkeyServer, protocol: ProtocolVersion
) -> None:
    primary = f"{own_server.host} {own_server.port}"
    with ValkeyServer(config={"replicaof": primary}) as replica:
        addresses = [NodeAddress(each.host, each.port) for each in (own_server, replica)]
        config = GlideClientConfiguration(addresses, protocol=protocol)
        async with await GlideClient.create(config) as client:
            stats = await client.function_stats()
            assert len(stats) == 2
            assert all(each[b"running_script"] is None for each in stats.values())
            with pytest.raises(NotBusyError):
                await client.function_kill()


async def test_a_running_function_is_seen_and_killed(
    own_server: ValkeyServer, connect: Connect, protocol: ProtocolVersion
) -> None:
    own_server.command("CONFIG", "SET", "lua-time-limit", "1")
    client = await connect(own_server, protocol=protocol)
    await client.function_load(ENDLESS)
    call = asyncio.create_task(client.fcall_ro("endless", ["k"], ["a"]))
    running: dict[bytes, Any] = {}

    async def is_running() -> bool:
        (stats,) = (await client.function_stats()).values()
        running.update(stats[b"running_script"] or {})
        return bool(running)

    await until(is_running)
    assert running.pop(b"duration_ms") >= 0
    command = [b"FCALL_RO", b"endless", b"1", b"k", b"a"]
    assert running == {b"name": b"endless", b"command": command}
    assert await client.function_kill() is OK
    with pytest.raises(ScriptKilledError):
        await call
    with pytest.raises(NotBusyError):
        await client.function_kill()


async def test_a_function_that_has_written_is_not_killed(
    own_server: ValkeyServer, connect: Connect, protocol: ProtocolVersion
) -> None:
    own_server.command("CONFIG", "SET", "lua-time-limit", "1")
    client, other = await connect(own_server, protocol=protocol), await connect(own_server)
    await client.function_load(ENDLESS)
    call = asyncio.ensure_future(client.fcall("write_endless", ["k"]))

    async def is_busy() -> bool:
        try:
            await other.ping()
        except ScriptBusyError:
            return True
        return False

    await until(is_busy)
    with pytest.raises(UnkillableError):
        await client.function_kill()
    own_server.kill()
    with pytest.raises(RequestError) as caught:
        await call
    assert caught.value.may_have_executed


async def test_a_function_that_fails_is_a_script_s_error(client: GlideClient) -> None:
    await client.function_load(
        "#!lua name=mylib\nredis.register_function('boom', function() \n error('boom') end)"
    )
    with pytest.raises(ScriptError, match="boom") as caught:
        await client.fcall("boom")
    assert caught.value.line == 3
    assert caught.value.may_have_executed


async def test_what_may_write_is_not_called_as_read_only(client: GlideClient) -> None:
    await client.function_load(CODE)
    with pytest.raises(RequestError, match="write flag"):
        await client.fcall_ro("set", ["k"], ["v"])
    assert await client.get("k") is None


WRONG: list[tuple[Callable[[Any], Awaitable[object]], str]] = [
    (lambda client: client.fcall(None), "function is NoneType; pass a Function, str or bytes"),
    (lambda client: client.fcall("f", "k"), "keys is str; pass a list of str or bytes"),
    (lambda client: client.fcall("f", [], [1]), "arguments[0] is int; pass str or bytes"),
    (lambda client: client.fcall_ro("f", [1]), "keys[0] is int; pass str or bytes"),
    (lambda client: client.function_load(1), "library_code is int; pass a FunctionLibrary, str"),
    (lambda client: client.function_restore("p", "FLUSH"), "policy is str; pass a member of"),
]


@pytest.mark.parametrize(("call", "text"), WRONG)
async def test_a_wrong_argument_is_named(
    client: GlideClient, call: Callable[[Any], Awaitable[object]], text: str
) -> None:
    with pytest.raises(TypeError) as caught:
        await call(client)
    assert str(caught.value).startswith(text)
    assert await client.ping() == b"PONG"
