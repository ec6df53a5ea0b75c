"""What an error says: its kind, the place in the script, whether the script may have run."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import timed_out, until

from glide_scripts import (
    Batch,
    FunctionLibrary,
    GlideClient,
    GlideError,
    RequestError,
    Script,
    ScriptError,
    ScriptSyntaxError,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer


async def failure(call: Awaitable[object]) -> Any:
    """The error that a call ends in."""
    with pytest.raises(GlideError) as caught:
        await call
    return caught.value


# A script, the code of its error, what the text holds, the line.
CODES = pytest.mark.needs("error codes")
FAILING: list[Any] = [
    ("local a = 1\nerror('boom')", "ERR", "boom", 2),
    ("\n\nlocal x = nil\nreturn x.y", "ERR", "attempt to index", 4),
    ("return 'a' + 1", "ERR", "attempt to perform arithmetic", 1),
    ("return nope", "ERR", "nope", 1),
    pytest.param("error({err='MYCODE of mine'})", "MYCODE", "of mine", 1, marks=CODES),
    ("local f = function()\n  error('deep')\nend\nf()", "ERR", "deep", 2),
    ("\nreturn redis.call('NOPE', 'x')", "ERR", "unknown", 2),
    pytest.param(
        "\n\nredis.call('LPUSH', KEYS[1], 'x')", "WRONGTYPE", "wrong kind", 3, marks=CODES
    ),
    ("return redis.call('GET')", "ERR", "Wrong number of args", 1),
    ("return redis.error_reply('MYCODE of mine')", "MYCODE", "MYCODE of mine", None),
    ("return {err='MYCODE of mine'}", "MYCODE", "MYCODE of mine", None),
    pytest.param("return redis.error_reply('oneword')", "ERR", "ERR oneword", None, marks=CODES),
    ("return redis.pcall('LPUSH', KEYS[1], 'x')", "WRONGTYPE", "wrong kind", None),
]


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "missing"])
@pytest.mark.parametrize(("code", "word", "text", "line"), FAILING)
@pytest.mark.every_server
async def test_a_script_that_fails_says_how_and_where(
    client: GlideClient,
    *,
    cached: bool,
    code: str,
    word: str,
    text: str,
    line: int | None,
) -> None:
    await client.set("string", "value")
    script = Script(code, name="mine.lua")
    if cached:
        await client.script_load(script)
    error = await failure(client.invoke_script(script, keys=["string"]))
    assert type(error) is ScriptError
    assert (error.code, error.line, error.script) == (word, line, script)
    assert text.lower() in str(error).lower()
    assert error.may_have_executed is True
    source = None if line is None else code.split("\n")[line - 1]
    assert error.source_line == source
    if source is not None:
        assert f"\n  --> mine.lua, line {line}\n" in str(error)
        assert f"\n {line} | {source}\n" in str(error)


@pytest.mark.parametrize(
    ("code", "line"), [("return x y", 1), ("\n\nfor i = 1 do\nend", 3), ("return 1\nend", 2)]
)
async def test_a_script_that_does_not_compile_says_where(
    client: GlideClient, code: str, line: int
) -> None:
    script = Script(code)
    error = await failure(client.invoke_script(script))
    assert type(error) is ScriptSyntaxError
    assert "syntax error" in str(error)
    assert (error.code, error.line, error.script) == ("ERR", line, script)
    assert error.source_line == code.split("\n")[line - 1]
    assert error.may_have_executed is False
    # It was not cached, and fails the same way again.
    assert str(await failure(client.invoke_script(script))) == str(error)


async def test_the_line_is_shown_without_the_end_of_a_line_of_windows(client: GlideClient) -> None:
    error = await failure(
        client.invoke_script(Script("local a = 1\r\n  error('boom')\r\nreturn 1"))
    )
    assert (error.line, error.source_line) == (2, "  error('boom')")


async def test_a_line_that_is_no_text_is_shown_all_the_same(client: GlideClient) -> None:
    error = await failure(client.invoke_script(Script(b"error('boom') -- \xff")))
    assert error.source_line == "error('boom') -- \ufffd"


async def test_code_given_as_text_has_its_lines_in_errors_too(client: GlideClient) -> None:
    error = await failure(client.eval("local a = 1\nerror('boom')"))
    assert (type(error), error.line, error.source_line) == (ScriptError, 2, "error('boom')")
    assert error.script == Script("local a = 1\nerror('boom')")


async def test_a_script_known_by_its_hash_alone_tells_the_line(client: GlideClient) -> None:
    sha = await client.script_load("local a = 1\nerror('boom')")
    error = await failure(client.evalsha(sha))
    assert (type(error), error.line, error.source_line) == (ScriptError, 2, None)
    assert error.script is None


async def test_an_unknown_command_is_called_that(client: GlideClient) -> None:
    error = await failure(client.custom_command(["NOPE", "x"]))
    assert type(error) is RequestError
    assert error.code == "ERR"
    assert "unknown command" in str(error)
    assert error.may_have_executed is False


async def test_an_error_of_a_command_has_its_code(client: GlideClient) -> None:
    await client.set("string", "value")
    error = await failure(client.lpush("string", ["x"]))
    assert type(error) is RequestError
    assert (error.code, error.may_have_executed) == ("WRONGTYPE", False)


# Codes with which servers refuse a script before it begins. A script may return them, too.
REFUSALS = [
    "ASK of mine",
    "BUSY of mine",
    "CLUSTERDOWN of mine",
    "CROSSSLOT of mine",
    "EXECABORT of mine",
    "LOADING of mine",
    "MASTERDOWN of mine",
    "MISCONF of mine",
    "MOVED of mine",
    "NOAUTH of mine",
    "NOPERM of mine",
    "NOREPLICAS of mine",
    "NOSCRIPT of mine",
    "NOTBUSY of mine",
    "OOM of mine",
    "READONLY of mine",
    "TRYAGAIN of mine",
    "UNKILLABLE of mine",
    "ERR unknown command of mine",
    "ERR wrong number of arguments of mine",
    "ERR Error compiling script of mine",
]


@pytest.mark.parametrize("text", REFUSALS)
async def test_a_script_that_wrote_and_then_refused_ran_once_and_says_so(
    client: GlideClient, text: str
) -> None:
    script = Script("redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])")
    error = await failure(client.invoke_script(script, keys=["n"], args=[text]))
    assert text in str(error)
    assert error.code == text.split(maxsplit=1)[0]
    assert await client.get("n") == b"1"
    assert error.may_have_executed is True


@pytest.mark.parametrize(
    "text", ["Error compiling script", "Error compiling function", "syntax", "NOSCRIPT"]
)
async def test_a_script_that_wrote_and_raised_any_text_may_have_run(
    client: GlideClient, text: str
) -> None:
    script = Script("redis.call('INCR', KEYS[1]) error(ARGV[1])")
    error = await failure(client.invoke_script(script, keys=["n"], args=[text]))
    assert await client.get("n") == b"1"
    assert error.may_have_executed is True


@pytest.mark.needs("error codes")
async def test_out_of_memory_at_a_write_may_have_run(
    own_server: ValkeyServer, protocol: Any, connect: Connect
) -> None:
    client = await connect(own_server, protocol=protocol)
    await client.set("lock", "mine")
    await client.config_set({"maxmemory": "1"})
    # Without a first line of "#!lua" the server begins the script, and refuses its write.
    raising = Script("return redis.call('SET', KEYS[1], 'v')")
    tidying = Script(
        "local reply = redis.pcall('SET', KEYS[1], 'v') redis.call('DEL', KEYS[2]) return reply"
    )
    for script in (raising, tidying):
        error = await failure(client.invoke_script(script, keys=["k", "lock"]))
        assert (type(error), error.code) == (ScriptError, "OOM")
        assert error.may_have_executed is True
    assert await client.get("lock") is None


async def test_a_script_that_published_before_its_write_was_refused_runs_once(
    server: ValkeyServer, own_server: ValkeyServer, protocol: Any, connect: Connect
) -> None:
    client = await connect(own_server, protocol=protocol)
    own_server.command("REPLICAOF", server.host, str(server.port))
    script = Script("redis.call('PUBLISH', 'news', 'x') return redis.call('SET', KEYS[1], 'v')")
    error = await failure(client.invoke_script(script, keys=["k"], timeout=500))
    stats = own_server.command("INFO", "commandstats")
    assert isinstance(stats, bytes)
    assert b"cmdstat_publish:" not in stats or b"cmdstat_publish:calls=1," in stats
    assert error.may_have_executed is (b"cmdstat_publish:" in stats)


@pytest.mark.needs("script flags")
async def test_out_of_memory_before_a_script_begins_means_that_it_did_not_run(
    own_server: ValkeyServer, protocol: Any, connect: Connect
) -> None:
    client = await connect(own_server, protocol=protocol)
    await client.config_set({"maxmemory": "1"})
    script = Script("#!lua\nredis.call('SET', KEYS[1], 'v')")
    error = await failure(client.invoke_script(script, keys=["k"]))
    assert (error.code, error.may_have_executed) == ("OOM", False)


@pytest.mark.needs("functions")
async def test_a_function_that_a_server_without_memory_refuses_has_not_run(
    own_server: ValkeyServer, protocol: Any, connect: Connect
) -> None:
    client = await connect(own_server, protocol=protocol)
    library = FunctionLibrary(
        "#!lua name=oom\n"
        "local function set(keys) return redis.pcall('SET', keys[1], 'v') end\n"
        "local function say(_, args) return redis.error_reply(args[1] .. args[2]) end\n"
        "redis.register_function('plain', set)\n"
        "redis.register_function{function_name='stale', callback=set, flags={'allow-stale'}}\n"
        "redis.register_function{function_name='reads', callback=say, flags={'no-writes'}}\n"
        "redis.register_function{function_name='any', callback=say, flags={'allow-oom'}}\n"
    )
    await client.function_load(library)
    await client.config_set({"maxmemory": "1"})
    words = ["OOM command not allowed when used ", "memory > 'maxmemory'."]
    for name, may_have_executed in (("plain", 0), ("stale", 0), ("reads", 1), ("any", 1)):
        for function in (name, library.function(name)):
            batch = Batch(is_atomic=False).fcall(function, ["k"], words)
            for call in (client.fcall(function, ["k"], words), client.exec(batch, True)):
                error = await failure(call)
                assert (error.code, error.may_have_executed) == ("OOM", bool(may_have_executed))
                assert isinstance(error, ScriptError) is bool(may_have_executed)


async def test_an_error_does_not_disturb_the_calls_beside_it(client: GlideClient) -> None:
    good, bad, broken = Script("return ARGV[1]"), Script("error(ARGV[1])"), Script("return (")
    calls = [
        client.invoke_script((good, bad, broken)[i % 3], args=[f"number {i}."]) for i in range(300)
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    for i, result in enumerate(results):
        if i % 3 == 0:
            assert result == b"number %d." % i
        elif i % 3 == 1:
            assert type(result) is ScriptError
            assert f"number {i}." in str(result)
        else:
            assert type(result) is ScriptSyntaxError


# Timeouts


async def test_a_timeout_is_pythons_own_and_says_timeout(
    own_server: ValkeyServer, protocol: Any, connect: Connect
) -> None:
    client = await connect(own_server, protocol=protocol)
    own_server.pause()
    with pytest.raises(builtins.TimeoutError, match="timeout") as caught:
        await client.invoke_script(Script("return 1"), timeout=50)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, RequestError)
    assert caught.value.may_have_executed is True
    own_server.resume()
    assert await client.ping() == b"PONG"


async def test_the_timeout_of_a_call_goes_before_that_of_the_client(
    own_server: ValkeyServer, connect: Connect
) -> None:
    hasty = await connect(own_server, request_timeout=50)
    patient = await connect(own_server, request_timeout=60_000)
    own_server.pause()
    waits = asyncio.create_task(hasty.invoke_script(Script("return 1"), timeout=60_000))
    for call in (hasty.get("k"), patient.invoke_script(Script("return 1"), timeout=50)):
        with pytest.raises(TimeoutError, match="timeout"):
            await call
    assert not waits.done()
    own_server.resume()
    assert await waits == 1


async def test_a_call_that_could_not_be_sent_times_out_without_having_run(
    own_server: ValkeyServer, protocol: Any, connect: Connect
) -> None:
    client = await connect(own_server, protocol=protocol)
    own_server.kill()
    # The client cannot know whether calls ran that it sent before it noticed.
    errors = []

    async def could_not_be_sent() -> bool:
        errors.append(await failure(client.invoke_script(Script("return 1"), timeout=100)))
        return isinstance(errors[-1], TimeoutError)

    await until(could_not_be_sent)
    assert errors[-1].may_have_executed is False
    assert "not sent" in str(errors[-1])
    own_server.restart()
    assert await client.invoke_script(Script("return 1"), timeout=60_000) == 1


async def test_a_timeout_leaves_the_script_running_and_the_client_usable(
    own_server: ValkeyServer, protocol: Any, connect: Connect
) -> None:
    client, watcher = await connect(own_server, protocol=protocol), await connect(own_server)
    # The threshold is so long that the server is never BUSY: it does not answer until the script
    # ends.
    await watcher.config_set({"lua-time-limit": "60000"})
    slow = Script(
        "redis.call('INCR', 'begun') local i = 0 while i < 1e8 do i = i + 1 end "
        "redis.call('INCR', KEYS[1]) return 'late'"
    )
    late = await timed_out(client, slow, keys=["n"], timeout=100)
    assert "timeout" in str(late)

    # The late reply goes to no other call.
    replies = await asyncio.gather(
        *(
            client.invoke_script(Script("return ARGV[1]"), None, [f"{i}"], timeout=60_000)
            for i in range(20)
        )
    )
    assert replies == [b"%d" % i for i in range(20)]
    assert await client.mget(["begun", "n"]) == [b"1", b"1"]


async def test_a_script_that_outlives_its_timeout_can_be_killed_by_its_client(
    own_server: ValkeyServer, protocol: Any, connect: Connect
) -> None:
    client, watcher = await connect(own_server, protocol=protocol), await connect(own_server)
    await watcher.config_set({"lua-time-limit": "20"})
    await timed_out(client, Script("for i = 1, 1e12 do end"), timeout=50)

    async def is_killed() -> bool:
        try:
            await client.script_kill()
        except RequestError as error:
            assert error.code == "NOTBUSY"  # noqa: PT017
            return False
        return True

    await until(is_killed)
    assert await client.invoke_script(Script("return 'usable'")) == b"usable"
    assert await watcher.ping() == b"PONG"
