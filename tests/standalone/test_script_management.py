"""Scripts on a server: load, look up, flush, run by hash, kill."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import (
    OK,
    ConnectionError,
    FlushMode,
    GlideClient,
    NoScriptError,
    NotBusyError,
    RequestError,
    Script,
    ScriptBusyError,
    ScriptError,
    ScriptKilledError,
    ScriptSyntaxError,
    UnkillableError,
)
from glide_scripts.testing import ValkeyServer

HELLO = Script("return 'hello'")
ENDLESS = Script("for i = 1, 1e12 do end", name="endless.lua")
WRITES_THEN_ENDLESS = Script("redis.call('SET', KEYS[1], 'v') for i = 1, 1e12 do end")
UNKNOWN = "f" * 40
WRITE = "return redis.call('SET', KEYS[1], ARGV[1])"


@pytest.mark.parametrize("mode", [None, FlushMode.SYNC, FlushMode.ASYNC])
@pytest.mark.every_server
async def test_a_flush_takes_scripts_away_and_a_call_brings_them_back(
    client: GlideClient, mode: FlushMode | None
) -> None:
    sha = HELLO.get_hash()
    assert await client.script_exists([sha]) == [False]
    assert await client.invoke_script(HELLO) == b"hello"
    assert await client.script_exists([sha, UNKNOWN, sha]) == [True, False, True]
    assert await client.script_flush(mode) is OK
    assert await client.script_exists([sha]) == [False]
    assert await client.invoke_script(HELLO) == b"hello"
    assert await client.script_exists([sha]) == [True]


@pytest.mark.parametrize(
    "script", [HELLO, "return 'hello'", b"return 'hello'", bytearray(b"return 'hello'")], ids=repr
)
async def test_a_loaded_script_is_there_without_having_run(
    client: GlideClient, script: Any
) -> None:
    sha = await client.script_load(script)
    assert sha == HELLO.get_hash()
    assert (await client.script_exists([sha]))[0] is True
    assert await client.evalsha(sha) == b"hello"


@pytest.mark.needs("SCRIPT SHOW")
async def test_a_loaded_script_is_shown(client: GlideClient) -> None:
    sha = await client.script_load(HELLO)
    assert await client.script_show(sha) == HELLO.code


async def test_a_released_script_can_be_loaded(client: GlideClient) -> None:
    script = Script("return 'released'")
    script.__del__()
    assert await client.script_load(script) == script.get_hash()
    assert await client.invoke_script(script) == b"released"


@pytest.mark.needs("SCRIPT SHOW")
async def test_code_of_any_bytes_is_shown_as_it_was_loaded(client: GlideClient) -> None:
    script = Script(b"return '\xff\x80\\0' -- \xc3\x28")
    assert await client.invoke_script(script) == b"\xff\x80\x00"
    assert await client.script_show(script.get_hash()) == script.code


async def test_what_does_not_compile_is_not_loaded(client: GlideClient) -> None:
    with pytest.raises(ScriptSyntaxError, match="syntax error") as caught:
        await client.script_load("return\n return (")
    assert caught.value.line == 2
    assert caught.value.may_have_executed is False


READ_ONLY_FORMS = pytest.mark.needs("read-only forms")
ON_A_MISSING_SCRIPT = [
    pytest.param(
        lambda client: client.script_show(UNKNOWN), marks=pytest.mark.needs("SCRIPT SHOW")
    ),
    lambda client: client.evalsha(UNKNOWN),
    pytest.param(
        lambda client: client.evalsha_ro(UNKNOWN, ["k"], ["a"]),
        marks=READ_ONLY_FORMS,
    ),
]


@pytest.mark.parametrize("call", ON_A_MISSING_SCRIPT, ids=["show", "evalsha", "evalsha_ro"])
async def test_a_missing_script_is_an_error_of_its_own(
    client: GlideClient, call: Callable[[GlideClient], Awaitable[object]]
) -> None:
    with pytest.raises(NoScriptError) as caught:
        await call(client)
    assert caught.value.code == "NOSCRIPT"
    assert caught.value.may_have_executed is False


@pytest.mark.parametrize("name", ["eval", pytest.param("eval_ro", marks=READ_ONLY_FORMS)])
async def test_code_runs_with_keys_and_arguments(client: GlideClient, name: str) -> None:
    method = getattr(client, name)
    assert await method("return {KEYS, ARGV}", ["k"], [b"\xff", "a"]) == [[b"k"], [b"\xff", b"a"]]
    assert await method(b"return #KEYS + #ARGV") == 0


@pytest.mark.parametrize("name", ["evalsha", pytest.param("evalsha_ro", marks=READ_ONLY_FORMS)])
async def test_a_hash_runs_with_keys_and_arguments(client: GlideClient, name: str) -> None:
    sha = await client.script_load("return {KEYS, ARGV}")
    assert await getattr(client, name)(sha, ["k"], ["a"]) == [[b"k"], [b"a"]]
    assert await getattr(client, name)(sha.encode()) == [[], []]


@pytest.mark.needs("read-only forms")
async def test_what_must_not_write_does_not(client: GlideClient) -> None:
    sha = await client.script_load(WRITE)
    read_only = Script(WRITE, read_only=True)
    for call in (
        client.eval_ro(WRITE, ["k"], ["v"]),
        client.evalsha_ro(sha, ["k"], ["v"]),
        client.invoke_script(read_only, ["k"], ["v"]),
    ):
        with pytest.raises(ScriptError, match="Write commands are not allowed"):
            await call
    assert await client.get("k") is None
    assert await client.evalsha(sha, ["k"], ["v"]) is OK


@pytest.mark.parametrize("name", ["eval", "eval_ro", "evalsha", "evalsha_ro"])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1,), " is int; pass str or bytes"),
        (("x", "keys"), "keys is str; pass a list of str or bytes"),
        (("x", [], [1]), "args[0] is int; pass str or bytes"),
        (("x", {"k": "v"}), "keys is dict; pass a list of str or bytes"),
    ],
)
async def test_a_wrong_argument_is_named(
    client: GlideClient, name: str, arguments: tuple[Any, ...], text: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(text) + "$"):
        await getattr(client, name)(*arguments)
    assert await client.ping() == b"PONG"


@pytest.mark.parametrize("name", ["eval", "eval_ro", "script_load"])
async def test_code_with_a_lone_surrogate_is_refused_by_name(
    client: GlideClient, name: str
) -> None:
    argument = "script" if name == "script_load" else "code"
    with pytest.raises(ValueError, match=rf"^{argument} is text that cannot be encoded"):
        await getattr(client, name)("return '\ud800'")
    assert await client.ping() == b"PONG"


@pytest.mark.parametrize("empty", [[], ()])
async def test_script_exists_wants_at_least_one_hash(client: GlideClient, empty: Any) -> None:
    with pytest.raises(ValueError, match="sha1s is empty; pass at least one"):
        await client.script_exists(empty)


@pytest.mark.parametrize("mode", ["SYNC", 1, FlushMode])
async def test_a_flush_wants_a_flush_mode(client: GlideClient, mode: Any) -> None:
    with pytest.raises(TypeError, match=r"^mode is \w+; pass a member of FlushMode$"):
        await client.script_flush(mode)


# Killing


async def start(
    client: GlideClient, watcher: GlideClient, script: Script, keys: list[str] | None = None
) -> asyncio.Task[Any]:
    """A call of an endless script, in flight for so long that the server answers BUSY."""
    await watcher.config_set({"lua-time-limit": "20"})
    task = asyncio.create_task(client.invoke_script(script, keys, timeout=60_000))

    async def is_busy() -> bool:
        try:
            await watcher.dbsize()
        except ScriptBusyError:
            return True
        return False

    await until(is_busy)
    return task


@pytest.fixture
async def own_client(own_server: ValkeyServer, protocol: Any, connect: Connect) -> GlideClient:
    return await connect(own_server, protocol=protocol)


@pytest.fixture
async def watcher(own_server: ValkeyServer, connect: Connect) -> GlideClient:
    return await connect(own_server)


@pytest.mark.every_server
async def test_a_client_kills_its_own_script(own_client: GlideClient, watcher: GlideClient) -> None:
    task = await start(own_client, watcher, ENDLESS)
    assert await own_client.script_kill() is OK
    with pytest.raises(ScriptKilledError, match="Script killed") as caught:
        await task
    assert caught.value.script == ENDLESS
    assert caught.value.line == 1
    assert await own_client.invoke_script(HELLO) == b"hello"
    assert await watcher.invoke_script(HELLO) == b"hello"


async def test_a_client_kills_another_clients_script(
    own_client: GlideClient, watcher: GlideClient
) -> None:
    task = await start(own_client, watcher, ENDLESS)
    assert await watcher.script_kill() is OK
    with pytest.raises(ScriptKilledError):
        await task


@pytest.mark.every_server
async def test_calls_that_wait_behind_a_killed_script_are_answered(
    own_client: GlideClient, watcher: GlideClient
) -> None:
    task = await start(own_client, watcher, ENDLESS)
    waiting = [asyncio.create_task(own_client.echo(str(i))) for i in range(50)]
    await own_client.script_kill()
    with pytest.raises(ScriptKilledError):
        await task
    assert await asyncio.gather(*waiting) == [b"%d" % i for i in range(50)]


async def test_a_kill_follows_another(own_client: GlideClient, watcher: GlideClient) -> None:
    for _ in range(3):
        task = await start(own_client, watcher, ENDLESS)
        await own_client.script_kill()
        with pytest.raises(ScriptKilledError):
            await task


@pytest.mark.every_server
async def test_a_script_that_has_written_cannot_be_killed(
    own_server: ValkeyServer, own_client: GlideClient, watcher: GlideClient
) -> None:
    task = await start(own_client, watcher, WRITES_THEN_ENDLESS, ["k"])
    with pytest.raises(UnkillableError) as caught:
        await own_client.script_kill()
    assert caught.value.code == "UNKILLABLE"
    own_server.kill()
    with pytest.raises(ConnectionError) as lost:
        await task
    assert lost.value.may_have_executed is True


async def test_without_a_running_script_there_is_nothing_to_kill(client: GlideClient) -> None:
    with pytest.raises(NotBusyError) as caught:
        await client.script_kill()
    assert caught.value.code == "NOTBUSY"
    assert await client.invoke_script(HELLO) == b"hello"


@pytest.mark.every_server
async def test_a_busy_server_turns_other_clients_away(
    own_client: GlideClient, watcher: GlideClient, connect: Connect
) -> None:
    task = await start(own_client, watcher, ENDLESS)
    # Answered at once: a client that tried again would meet its own deadline, and time out.
    for call in (watcher.invoke_script(HELLO), watcher.set("k", "v"), watcher.script_flush()):
        with pytest.raises(ScriptBusyError) as caught:
            await call
        assert caught.value.code == "BUSY"
        assert caught.value.may_have_executed is False
        assert "script_kill()" in str(caught.value)
    await watcher.script_kill()
    with pytest.raises(ScriptKilledError):
        await task


@pytest.mark.every_server
async def test_a_client_made_while_a_script_runs_can_kill_it(
    own_server: ValkeyServer, own_client: GlideClient, watcher: GlideClient, connect: Connect
) -> None:
    task = await start(own_client, watcher, ENDLESS)
    rescuer = await connect(own_server)
    assert await rescuer.script_kill() is OK
    with pytest.raises(ScriptKilledError):
        await task


# Missing scripts and teaching


OWN_NOSCRIPT = "redis.call('INCR', KEYS[1]) return redis.error_reply('NOSCRIPT no such thing')"


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.every_server
async def test_a_noscript_of_the_scripts_own_does_not_run_it_again(
    client: GlideClient, cached: bool
) -> None:
    script = Script(OWN_NOSCRIPT)
    if cached:
        await client.script_load(script)
    with pytest.raises(RequestError, match="NOSCRIPT no such thing") as caught:
        await client.invoke_script(script, keys=["n"])
    assert caught.value.may_have_executed is True
    assert await client.get("n") == b"1"


@pytest.mark.needs("script eviction", "lasting SCRIPT LOAD")
async def test_a_script_that_was_missing_once_stays_on_the_server(client: GlideClient) -> None:
    assert await client.invoke_script(HELLO) == b"hello"
    assert await client.script_exists([HELLO.get_hash()]) == [True]
    evaluated = Script("return 'only evaluated'")
    await client.eval(evaluated.code)
    # The server keeps no more than 500 of those that came by EVAL.
    for i in range(600):
        await client.eval(f"return {i}")
    assert await client.script_exists([HELLO.get_hash(), evaluated.get_hash()]) == [True, False]


@pytest.mark.needs("lasting SCRIPT LOAD")
async def test_a_script_is_taught_again_after_each_flush(client: GlideClient) -> None:
    for _ in range(3):
        await client.script_flush()
        await client.invoke_script(HELLO)
        for i in range(600):
            await client.eval(f"return {i}")
        assert await client.script_exists([HELLO.get_hash()]) == [True]


@pytest.mark.needs("script eviction", "lasting SCRIPT LOAD")
async def test_a_client_that_makes_scripts_up_does_not_fill_the_server(client: GlideClient) -> None:
    scripts = [Script(f"return {i}") for i in range(300)]
    for i, script in enumerate(scripts):
        assert await client.invoke_script(script) == i
    for i in range(600):
        await client.eval(f"return -{i}")
    assert (
        await client.script_exists([s.get_hash() for s in scripts]) == [True] * 256 + [False] * 44
    )
    assert await client.invoke_script(scripts[-1]) == 299


@pytest.mark.needs("lasting SCRIPT LOAD")
async def test_a_script_that_fails_is_taught_too(client: GlideClient) -> None:
    script = Script("error('boom')")
    with pytest.raises(ScriptError):
        await client.invoke_script(script)
    for i in range(600):
        await client.eval(f"return {i}")
    assert await client.script_exists([script.get_hash()]) == [True]


@pytest.mark.needs("subcommand statistics")
async def test_a_script_that_the_server_has_goes_by_its_hash_alone(
    server: ValkeyServer, client: GlideClient
) -> None:
    for _ in range(10):
        await client.invoke_script(HELLO)
    stats = server.command("INFO", "commandstats")
    assert isinstance(stats, bytes)
    counts = dict(re.findall(rb"cmdstat_([\w|]+):calls=(\d+)", stats))
    assert (counts[b"evalsha"], counts[b"eval"], counts[b"script|load"]) == (b"10", b"1", b"1")
