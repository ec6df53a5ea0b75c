"""Batches: results in their order, scripts among them, errors in their place."""

from __future__ import annotations

import asyncio
import copy
import itertools
from typing import Any

import pytest
from tests.conftest import Connect
from tests.repeating import repeating
from tests.servers.table import this_server
from tests.waiting import until

from glide_scripts import (
    OK,
    Batch,
    BatchOptions,
    BatchRetryStrategy,
    ClosingError,
    ClusterBatch,
    ClusterBatchOptions,
    ConditionalChange,
    ConnectionError,
    FunctionLibrary,
    GlideClient,
    RequestError,
    Script,
    ScriptBusyError,
    ScriptError,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer

ECHO = Script("return {KEYS, ARGV}", name="echo.lua")
INCREMENT = Script("return redis.call('INCR', KEYS[1])")
FAIL = Script("redis.call('INCR', KEYS[1])\nerror('boom')", name="fail.lua")
ENDLESS = Script("for i = 1, 1e12 do end")
# The clock stands still in a script, so it counts.
SLOW = Script("for i = 1, 3e8 do end")
LIBRARY = "#!lua name=mylib\nredis.register_function('keys', function(keys) return keys end)"

_unseen = itertools.count()


def unseen(code: str) -> Script:
    """A script that no server has met."""
    return Script(f"{code} -- {next(_unseen)} of test_batches")


async def test_results_stand_in_the_order_of_the_commands(client: GlideClient) -> None:
    batch = Batch(is_atomic=False)
    batch.set("key1", "value1").set("key2", "value2").get("key1").get("key2")
    assert await client.exec(batch, raise_on_error=True) == [OK, OK, b"value1", b"value2"]


async def test_every_way_to_call_exec_is_one(client: GlideClient) -> None:
    batch = Batch(False).incr("n")
    assert await client.exec(batch, True) == [1]
    assert await client.exec(batch, False, BatchOptions(timeout=1000)) == [2]
    assert await client.exec(batch=batch, raise_on_error=True, options=BatchOptions()) == [3]


@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.every_server
async def test_results_are_what_the_client_s_methods_return(
    client: GlideClient, is_atomic: bool
) -> None:
    batch = Batch(is_atomic).set("k", "v").set("k", "w", ConditionalChange.ONLY_IF_DOES_NOT_EXIST)
    batch.get("k").mset({"a": "1", "b": "2"}).mget(["a", "none", "b"]).incr("n").incrby("n", 41)
    batch.expire("k", 100).ttl("none").exists(["k", "n"]).delete(["a"]).echo(b"\xff")
    batch.hset("h", {"f": "v"}).hgetall("h").hget("h", "f").rpush("l", ["b", "c"])
    batch.lpush("l", ["a"]).lrange("l", 0, -1).sadd("s", ["m"]).smembers("s")
    batch.zadd("z", {"m": 1.5}).zscore("z", "m").zscore("z", "none").dbsize().ping()
    batch.config_set({"maxmemory-samples": "5"}).config_get(["maxmemory-samples"])
    results = await client.exec(batch, raise_on_error=True)
    assert repr(results) == repr(
        [
            *(b"OK", None, b"v", b"OK", [b"1", None, b"2"], 1, 42),
            *(True, -2, 2, 1, b"\xff", 1, {b"f": b"v"}, b"v", 2),
            *(3, [b"a", b"b", b"c"], 1, {b"m"}, 1, 1.5, None, 7, b"PONG"),
            *(b"OK", {b"maxmemory-samples": b"5"}),
        ]
    )
    assert results
    assert results[0] is OK


@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.needs("functions", "read-only forms", "SCRIPT SHOW")
async def test_scripts_and_functions_are_commands_like_others(
    client: GlideClient, is_atomic: bool
) -> None:
    sha = ECHO.get_hash()
    batch = Batch(is_atomic).script_exists([sha]).script_load(ECHO).script_exists([sha])
    batch.evalsha(sha, ["k"], ["a"]).evalsha_ro(sha).eval("return ARGV", args=["a"])
    batch.eval_ro("return #KEYS", ["k"]).invoke_script(ECHO, ["k"], ["a"]).script_show(sha)
    batch.function_load(LIBRARY, replace=True).fcall("keys", ["k"]).function_list("mylib")
    batch.function_stats().function_delete("mylib").function_flush().script_flush()
    results: Any = await client.exec(batch, raise_on_error=True)
    assert results[2:11] == [
        *([True], [[b"k"], [b"a"]], [[], []], [b"a"], 1, [[b"k"], [b"a"]]),
        *(ECHO.code, b"mylib", [b"k"]),
    ]
    assert results[1] == sha
    assert results[11][0][b"functions"][0][b"flags"] == set()
    assert results[12][b"engines"][b"LUA"][b"libraries_count"] == 1
    assert results[13:] == [OK, OK, OK]


async def test_arguments_are_taken_as_they_are_when_they_are_added(client: GlideClient) -> None:
    key, argument, keys = bytearray(b"k1"), bytearray(b"a1"), ["key"]
    batch = Batch(False).set(key, argument).invoke_script(ECHO, keys, [argument])
    key[:], argument[:] = b"xx", b"xx"
    keys.append("other")
    batch.get("k1")
    assert await client.exec(batch, True) == [OK, [[b"key"], [b"a1"]], b"a1"]


async def test_a_batch_can_be_used_again_and_by_others(
    server: ValkeyServer, client: GlideClient, connect: Connect
) -> None:
    batch = Batch(False).incr("n").invoke_script(INCREMENT, ["n"]).hgetall("none")
    other = await connect(server)
    assert await client.exec(batch, True) == [1, 2, {}]
    assert await other.exec(batch, True) == [3, 4, {}]
    assert await asyncio.gather(*(client.exec(batch, True) for _ in range(2))) == [
        [5, 6, {}],
        [7, 8, {}],
    ]
    assert await client.exec(batch.clear().get("n"), True) == [b"8"]


async def test_a_batch_under_way_may_be_changed(client: GlideClient) -> None:
    batch = Batch(False).hset("h", {"f": "v"}).hgetall("h")
    running = asyncio.ensure_future(client.exec(batch, True))
    await asyncio.sleep(0)
    batch.clear().zscore("z", "m")
    assert await running == [1, {b"f": b"v"}]
    assert await client.exec(batch, True) == [None]


async def test_a_copy_decodes_as_its_original_does(client: GlideClient) -> None:
    batch = Batch(False).hset("h", {"f": "v"}).hgetall("h")
    assert await client.exec(copy.copy(batch).smembers("none"), True) == [1, {b"f": b"v"}, set()]
    assert await client.exec(batch, True) == [0, {b"f": b"v"}]


@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.parametrize("raise_on_error", [True, False])
async def test_an_empty_batch_gives_an_empty_list_and_sends_nothing(
    own_server: ValkeyServer, connect: Connect, *, is_atomic: bool, raise_on_error: bool
) -> None:
    client = await connect(own_server)
    own_server.stop()
    assert await client.exec(Batch(is_atomic), raise_on_error) == []


@pytest.mark.parametrize("is_atomic", [True, False])
async def test_an_error_stands_in_its_place(client: GlideClient, is_atomic: bool) -> None:
    batch = Batch(is_atomic).set("k", "v").lpush("k", ["x"]).invoke_script(FAIL, ["n"])
    batch.hgetall("k").get("k")
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    assert [results[0], results[4]] == [OK, b"v"]
    wrong, failed, undecoded = results[1:4]
    assert isinstance(wrong, RequestError)
    assert isinstance(undecoded, RequestError)
    assert wrong.code == undecoded.code == "WRONGTYPE"
    assert "batch[1]: LPUSH" in str(wrong)
    assert isinstance(failed, ScriptError)
    assert (failed.script, failed.line) == (FAIL, 2)
    assert failed.may_have_executed is True
    assert "batch[2]: EVALSHA fail.lua" in str(failed)
    assert await client.get("n") == b"1"


@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.every_server
async def test_the_first_error_is_raised_and_says_which_command_it_is_of(
    client: GlideClient, is_atomic: bool
) -> None:
    batch = Batch(is_atomic).set("k", "v").get("k").lpush("k", ["x"]).invoke_script(FAIL, ["n"])
    with pytest.raises(RequestError, match=r"\(batch\[2\]: LPUSH\)") as caught:
        await client.exec(batch, raise_on_error=True)
    assert type(caught.value) is RequestError
    assert await client.mget(["k", "n"]) == [b"v", b"1"]


async def test_an_error_inside_a_reply_is_no_error_of_the_batch(client: GlideClient) -> None:
    batch = Batch(False).eval("return {1, redis.pcall('LPUSH', KEYS[1])}", ["k"])
    results: Any = await client.exec(batch, raise_on_error=True)
    assert results[0][0] == 1
    assert isinstance(results[0][1], RequestError)


@pytest.mark.parametrize("is_atomic", [True, False])
async def test_ten_thousand_commands_with_a_failing_one_in_the_middle(
    client: GlideClient, is_atomic: bool
) -> None:
    batch = Batch(is_atomic).set("text", "abc")
    for number in range(1, 10_000):
        if number == 5_000:
            batch.incr("text")
        elif number % 2:
            batch.invoke_script(ECHO, [], [str(number)])
        else:
            batch.echo(str(number))
    results: Any = await client.exec(batch, raise_on_error=False)
    assert "(batch[5000]: INCR)" in str(results[5_000])
    results[5_000] = None
    expected: list[Any] = [[[], [b"%d" % n]] if n % 2 else b"%d" % n for n in range(10_000)]
    expected[0], expected[5_000] = OK, None
    assert results == expected
    with pytest.raises(RequestError, match=r"batch\[5000\]: INCR"):
        await client.exec(batch, raise_on_error=True)


@pytest.mark.parametrize("is_atomic", [True, False])
async def test_large_values_go_there_and_back(client: GlideClient, is_atomic: bool) -> None:
    value = bytes(range(256)) * (32 * 4096)
    assert len(value) == 32 * 2**20
    batch = Batch(is_atomic).set("k", value).get("k").invoke_script(ECHO, [], [value]).ping()
    results: Any = await client.exec(batch, True, BatchOptions(timeout=60_000))
    assert results[0] is OK
    assert results[1] == value
    assert results[2] == [[], [value]]
    assert results[3] == b"PONG"
    await client.delete(["k"])


class TestScriptsNeverSeen:
    @pytest.mark.every_server
    async def test_they_run_in_their_order(self, client: GlideClient) -> None:
        append = unseen("return redis.call('APPEND', KEYS[1], ARGV[1])")
        read = unseen("return redis.call('GET', KEYS[1])")
        batch = Batch(False).set("k", "a").invoke_script(append, ["k"], ["b"]).get("k")
        batch.custom_command(["APPEND", "k", "c"]).invoke_script(read, ["k"])
        batch.invoke_script(append, ["k"], ["d"]).invoke_script(read, ["k"]).get("k")
        assert await client.exec(batch, True) == [
            *(OK, 2, b"ab", 3, b"abc"),
            *(4, b"abcd", b"abcd"),
        ]

    async def test_a_hundred_of_them_run_once_each(self, client: GlideClient) -> None:
        scripts = [unseen(f"redis.call('RPUSH', 'ran', {n}) return {n}") for n in range(100)]
        batch = Batch(False)
        for script in [*scripts, *reversed(scripts)]:
            batch.invoke_script(script)
        numbers = [*range(100), *reversed(range(100))]
        assert await client.exec(batch, True) == numbers
        assert await client.lrange("ran", 0, -1) == [b"%d" % number for number in numbers]

    async def test_they_can_be_flushed_between(self, client: GlideClient) -> None:
        batch = Batch(False)
        for _ in range(20):
            batch.invoke_script(INCREMENT, ["n"]).script_flush()
        results: Any = await client.exec(batch, True)
        # Scripts that the server lacked ran after the others, but each once.
        assert sorted(results[::2]) == list(range(1, 21))
        assert results[1::2] == [OK] * 20

    async def test_one_that_does_not_compile_fails_alone(self, client: GlideClient) -> None:
        broken = unseen("return return")
        batch = Batch(False).set("k", "v").invoke_script(broken).get("k").invoke_script(ECHO)
        results: Any = await client.exec(batch, raise_on_error=False)
        assert [results[0], results[2], results[3]] == [OK, b"v", [[], []]]
        assert type(results[1]).__name__ == "ScriptSyntaxError"
        assert "batch[1]" in str(results[1])

    async def test_a_released_one_runs_where_it_is(self, client: GlideClient) -> None:
        script = unseen("return 'released'")
        await client.invoke_script(script)
        script.__del__()
        assert await client.exec(Batch(False).invoke_script(script), True) == [b"released"]


@pytest.mark.every_server
async def test_scripts_that_keep_vanishing_run_once_each(
    server: ValkeyServer, client: GlideClient, connect: Connect
) -> None:
    flusher = await connect(server)
    seen: list[Any] = []
    async with repeating(flusher.script_flush, pause=0.001):
        for round_ in range(200):
            echoed = [b"%d %d" % (round_, number) for number in range(25)]
            batch = Batch(False)
            for each in echoed:
                batch.invoke_script(INCREMENT, ["n"]).invoke_script(ECHO, [], [each])
            results: Any = await client.exec(batch, True)
            seen += results[::2]
            assert results[1::2] == [[[], [each]] for each in echoed]
    assert sorted(seen) == list(range(1, 5001))


@pytest.mark.needs("functions")
@pytest.mark.every_server
async def test_a_library_loads_itself_in_a_batch(client: GlideClient) -> None:
    keys = FunctionLibrary(LIBRARY).function("keys")
    await client.function_flush()
    for is_atomic in (False, True):
        batch = Batch(is_atomic).set("k", "v").fcall(keys, ["a"]).get("k").fcall(keys, ["b"])
        assert await client.exec(batch, True) == [OK, [b"a"], b"v", [b"b"]]
        await client.function_flush()


async def test_a_batch_that_takes_too_long_says_what_may_have_run(
    own_server: ValkeyServer, connect: Connect
) -> None:
    # The threshold and the timeout are so long that the server is never BUSY and the client waits.
    own_server.command("CONFIG", "SET", "lua-time-limit", "60000")
    client = await connect(own_server, request_timeout=60_000)
    batch = Batch(False).set("a", "1").invoke_script(SLOW).set("b", "1")
    results: Any = await client.exec(batch, False, BatchOptions(timeout=100))
    late = [result for result in results if isinstance(result, TimeoutError)]
    assert len(late) >= 2
    assert all(error.may_have_executed for error in late)
    assert "batch[" in str(late[0])
    with pytest.raises(TimeoutError, match=r"batch\["):
        await client.exec(batch, True, BatchOptions(timeout=1))
    # The server executes what it has received, and the client continues.
    assert await client.exec(Batch(False).get("b"), True) == [b"1"]


async def test_what_was_never_written_says_so(own_server: ValkeyServer, connect: Connect) -> None:
    client = await connect(own_server)
    own_server.stop()
    await until(lambda: not own_server.running)
    batch = Batch(False).set("k", "v").invoke_script(INCREMENT, ["n"])
    results: Any = await client.exec(batch, False, BatchOptions(timeout=200))
    assert [type(result) for result in results] == [TimeoutError] * 2
    assert not any(result.may_have_executed for result in results)


async def test_a_lost_connection_is_an_error_of_what_was_under_way(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client, other = await connect(own_server), await connect(own_server)
    await other.config_set({"lua-time-limit": "1"})

    async def is_busy() -> bool:
        try:
            await other.ping()
        except ScriptBusyError:
            return True
        return False

    batch = Batch(False).incr("n").invoke_script(ENDLESS).incr("n").get("n")
    running = asyncio.ensure_future(client.exec(batch, raise_on_error=False))
    await until(is_busy)
    own_server.kill()
    await asyncio.to_thread(own_server.restart)
    results: Any = await running
    assert [type(result) for result in results[-3:]] == [ConnectionError] * 3
    assert all(result.may_have_executed for result in results[-3:])
    assert "batch[1]: EVALSHA" in str(results[1])
    assert await client.exec(batch.clear().incr("n").get("n"), True) == [1, b"1"]


async def test_a_cancelled_batch_leaves_the_client_at_work(client: GlideClient) -> None:
    batch = Batch(False)
    for _ in range(1000):
        batch.invoke_script(INCREMENT, ["n"])
    for turns in range(4):
        running = asyncio.ensure_future(client.exec(batch, True))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        assert await client.exec(Batch(False).echo("next"), True) == [b"next"]
    ran = int(await client.get("n") or 0)
    assert 0 <= ran <= 4000


async def test_many_tasks_share_a_client(client: GlideClient) -> None:
    async def task(name: int) -> None:
        for call in range(20):
            batch = Batch(call % 2 == 0)
            for number in range(10):
                batch.invoke_script(ECHO, [], [f"{name} {call} {number}"])
            results = await client.exec(batch, True)
            assert results == [[[], [b"%d %d %d" % (name, call, n)]] for n in range(10)]

    await asyncio.gather(*(task(name) for name in range(50)))


async def test_a_closed_client_says_so(client: GlideClient) -> None:
    await client.close()
    for is_atomic in (True, False):
        with pytest.raises(ClosingError):
            await client.exec(Batch(is_atomic).ping(), raise_on_error=False)


@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.parametrize("is_sent", [True, False])
async def test_a_batch_in_flight_when_its_client_is_closed_says_whether_it_may_have_run(
    own_server: ValkeyServer, is_atomic: bool, is_sent: bool
) -> None:
    client = await GlideClient.from_url(own_server.url)
    batch = Batch(is_atomic).set("k", "v").invoke_script(INCREMENT, ["n"])
    await client.exec(batch, True)
    if is_sent:
        own_server.pause()
    else:
        own_server.kill()
    call = asyncio.create_task(client.exec(batch, False, BatchOptions(timeout=60_000)))
    if is_sent:
        await until(lambda: client.stats().in_flight)
    else:
        await asyncio.sleep(0)
    await client.close()
    with pytest.raises(ClosingError) as closed:
        await call
    assert closed.value.may_have_executed == is_sent


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ((None, True), TypeError, "batch is NoneType; pass a Batch"),
            ((["GET", "k"], True), TypeError, "batch is list; pass a Batch"),
            ((Script("return 1"), True), TypeError, "batch is Script; pass a Batch"),
            (
                (ClusterBatch(False), True),
                TypeError,
                "batch is ClusterBatch; pass a Batch, which is what GlideClient takes",
            ),
            ((Batch(False).ping(), None), TypeError, "raise_on_error is NoneType; pass bool"),
            ((Batch(False), 1), TypeError, "raise_on_error is int; pass bool"),
            (
                (Batch(False).ping(), True, 100),
                TypeError,
                "options is int; pass a BatchOptions",
            ),
            (
                (Batch(False).ping(), True, ClusterBatchOptions()),
                TypeError,
                "options is ClusterBatchOptions; pass a BatchOptions, which is what GlideClient "
                "takes",
            ),
            (
                (Batch(False).ping(), True, BatchRetryStrategy()),
                TypeError,
                "options is BatchRetryStrategy; pass a BatchOptions",
            ),
        ],
        ids=str,
    )
    async def test_what_exec_cannot_use_is_named(
        self, client: GlideClient, arguments: Any, error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error) as caught:
            await client.exec(*arguments)
        assert str(caught.value) == text
        assert await client.exec(Batch(False).ping(), True) == [b"PONG"]

    async def test_a_timeout_that_is_too_long_is_named(self, client: GlideClient) -> None:
        with pytest.raises(ValueError, match="timeout is 10000000000000; pass milliseconds"):
            await client.exec(Batch(False).ping(), True, BatchOptions(10**13))
        assert await client.ping() == b"PONG"


class TestFlushed:
    """Scripts and libraries that a connection has loaded, and that the server has lost since."""

    async def test_by_the_client_itself_before_a_batch(self, client: GlideClient) -> None:
        batch = Batch(is_atomic=False).invoke_script(INCREMENT, ["n"]).get("n")
        for number in range(1, 6):
            assert await client.exec(batch, True) == [number, b"%d" % number]
            if number % 2:
                await client.script_flush()
            else:
                await client.custom_command(["script", "flush", "sync"])

    async def test_by_the_batch_itself(self, client: GlideClient) -> None:
        batch = Batch(is_atomic=False).invoke_script(INCREMENT, ["n"]).get("n").script_flush()
        batch.invoke_script(INCREMENT, ["n"]).get("n")
        for number in range(1, 10, 2):
            expected = [number, b"%d" % number, OK, number + 1, b"%d" % (number + 1)]
            assert await client.exec(batch, True) == expected

    @pytest.mark.needs("functions")
    async def test_by_others_they_come_back_once(
        self, server: ValkeyServer, client: GlideClient
    ) -> None:
        library = FunctionLibrary(LIBRARY)
        keys = library.function("keys")
        batch = Batch(is_atomic=False)
        for _ in range(500):
            batch.invoke_script(INCREMENT, ["n"]).fcall(keys, ["k"])
        assert await client.exec(batch, True) == [
            each for n in range(1, 501) for each in (n, [b"k"])
        ]
        server.command("SCRIPT", "FLUSH")
        server.command("FUNCTION", "FLUSH")
        server.command("CONFIG", "RESETSTAT")
        results = await client.exec(batch, True)
        assert results is not None
        # The calls that missed it came after the first one, which brought the code.
        assert set(map(str, results[::2])) == {str(number) for number in range(501, 1001)}
        assert results[1::2] == [[b"k"]] * 500
        stats = server.command("INFO", "commandstats")
        assert isinstance(stats, bytes)
        assert b"cmdstat_function|load:calls=1," in stats
        assert b"cmdstat_eval:calls=1," in stats
        server.command("FUNCTION", "FLUSH")


@pytest.mark.every_server
async def test_a_server_without_read_only_forms_keeps_the_order_too(connect: Connect) -> None:
    lacks = "read-only forms" in this_server().lacks
    config = {} if lacks else {"rename-command": 'EVALSHA_RO ""'}
    with ValkeyServer(config=config) as server:
        client = await connect(server)
        for number in range(4):
            peek = Script(f"return redis.call('GET', KEYS[1]) -- {number}", read_only=True)
            batch = Batch(is_atomic=False).set("k", "1").invoke_script(peek, ["k"]).set("k", "2")
            results = await client.exec(batch, True)
            assert results is not None
            # After the first call, the client knows that the server lacks this command.
            if number > 0:
                assert results == [OK, b"1", OK]


async def test_a_cancelled_batch_is_not_written_to_its_end(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, request_timeout=30_000)
    await client.ping()
    batch = Batch(is_atomic=False)
    for number in range(60):
        batch.set(f"k{number}", b"x" * (1 << 20))
    own_server.pause()
    sending = asyncio.ensure_future(client.exec(batch, True))
    await until(lambda: client.stats().pending_bytes > 0)
    sending.cancel()
    await until(lambda: client.stats().pending_bytes == 0)
    own_server.resume()
    assert await client.ping() == b"PONG"
    assert await client.dbsize() < 40
