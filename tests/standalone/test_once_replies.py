"""`once`: each call of an id gets what the script answered in its one run, to the byte."""

from __future__ import annotations

import pytest
from tests.conftest import Connect
from tests.servers.table import this_server

from glide_scripts import GlideClient, ProtocolVersion, RequestError, Script, ScriptError
from glide_scripts.testing import ValkeyServer

MEGABYTE = 1024 * 1024

REPLIES = [
    "return 1",
    "return -0.5",
    "return 3.99",
    "return 2^60",
    "return 'a\\0\\255\\r\\n'",
    "return ''",
    "return nil",
    "return",
    "return false",
    "return true",
    "return {}",
    "return {1, 2, nil, 4}",
    "return {false, true, {1, {'x', {}}}}",
    "return {{}, {'a', x = 1}, print and 1}",
    "return {1, print, 3}",
    "return {ok = 'FINE'}",
    "return redis.status_reply('OK')",
    "return redis.call('SET', KEYS[1], ARGV[1])",
    "return {redis.status_reply('OK'), redis.error_reply('MY error'), 3}",
    "return {double = 3.25}",
    "return {double = 1 / 0}",
    "return {map = {a = 1, b = {map = {c = true}}, d = 'x', e = 2}}",
    "return {set = {x = true, y = true, z = true}}",
    "redis.setresp(3) return true",
    "redis.setresp(3) return {true, false, {double = 0.1}}",
    "redis.setresp(3) return {map = {a = false, b = {set = {c = true}}}}",
    "redis.setresp(3) redis.call('HSET', KEYS[1], 'f', 1) return redis.call('HGETALL', KEYS[1])",
    "redis.setresp(3) return redis.call('GET', KEYS[1])",
    "return {KEYS, ARGV, #KEYS, #ARGV}",
    "local t = 1 for _ = 1, 200 do t = {t} end return t",
    "return string.rep('x', 100000)",
    "-- nothing",
    "return 1 -- a comment ends it",
]  # fmt: skip

LATER_REPLIES = [
    "return {big_number = '123456789012345678901234567890'}",
    "return {verbatim_string = {string = 'text', format = 'txt'}}",
]

ERRORS = [
    "return {err = 'MY error'}",
    "return redis.error_reply('MY error')",
    "\n\nerror('boom')",
    "error('boom', 2)",
    "error('a\\0b')",
    "\nlocal nothing\nreturn nothing.x",
    "redis.call('SET', KEYS[1], 1)\nreturn redis.call('LPUSH', KEYS[1], 1)",
    "local function deep()\n  return redis.call('NOPE')\nend\nreturn deep()",
    "assert(false, 'boo')",
    "for i = 1, 9 do\n  if i == 5 then\n    error('five')\n  end\nend",
    "string.gsub('abc', '.', function()\n  error('in it') end)",
    "table.sort({3, 2, 1}, function() error('cmp') end)",
    "local function down(n) return 1 + down(n + 1) end return down(1)",
    "return undeclared",
    "string.rep()",
]

LATER_ERRORS = [
    "error({err = 'MY error'})",
    "error(redis.error_reply('MY error'))",
    "error()",
]


def _with(usual: list[str], later: list[str]) -> list[str]:
    """Without those that servers before Redis 7 take otherwise."""
    return usual if "big numbers" in this_server().lacks else usual + later


def is_unordered(code: str) -> bool:
    """Whether the order of a Lua table shows in the reply."""
    return any(word in code for word in ("map = ", "set = ", "HGETALL"))


async def outcome(client: GlideClient, code: str, *, once: bool) -> object:
    """What a call ends in, on a server without data."""
    script = Script(code)
    try:
        reply = await client.invoke_script(
            script, ["k"], ["a1", "a2"], once="an id" if once else None
        )
    except RequestError as error:
        return type(error), str(error), error.code, getattr(error, "line", None)
    return reply


@pytest.mark.every_server
async def test_every_reply_survives(client: GlideClient) -> None:
    for code in _with(REPLIES, LATER_REPLIES):
        await client.flushall()
        plain = await outcome(client, code, once=False)
        await client.flushall()
        first = await outcome(client, code, once=True)
        again = await outcome(client, code, once=True)
        assert repr(again) == repr(first), code
        if not is_unordered(code):
            assert repr(first) == repr(plain), code
    assert client.stats().answered_from_records == len(_with(REPLIES, LATER_REPLIES))


@pytest.mark.every_server
async def test_every_error_survives_with_its_line(client: GlideClient) -> None:
    for code in _with(ERRORS, LATER_ERRORS):
        await client.flushall()
        plain = await outcome(client, code, once=False)
        await client.flushall()
        first = await outcome(client, code, once=True)
        again = await outcome(client, code, once=True)
        assert isinstance(plain, tuple), code
        assert first == plain, code
        assert again == plain, code


async def test_maps_and_sets_are_the_same_as_without(resp3: GlideClient) -> None:
    for code in REPLIES:
        if is_unordered(code):
            await resp3.flushall()
            plain = await outcome(resp3, code, once=False)
            assert await outcome(resp3, code, once=True) == plain, code


@pytest.mark.every_server
async def test_32_megabytes_survive(client: GlideClient) -> None:
    whole = Script("return ARGV[1]")
    parts = Script("local t = {} for i = 1, 32 do t[i] = ARGV[1] end return t")
    data = bytes(range(256)) * (MEGABYTE // 256)
    # Far more than it takes on an idle machine.
    minute = 60_000
    for _ in range(2):
        assert data * 32 == await client.invoke_script(
            whole, ["k"], [data * 32], once="whole", timeout=minute
        )
        assert [data] * 32 == await client.invoke_script(
            parts, ["k"], [data], once="parts", timeout=minute
        )


async def test_a_reply_of_many_elements_survives(client: GlideClient) -> None:
    many = Script("local t = {} for i = 1, 200000 do t[i] = i end return t")
    for _ in range(2):
        assert await client.invoke_script(many, ["k"], once="many") == list(range(1, 200001))


@pytest.mark.every_server
async def test_an_error_says_the_same_of_its_script(client: GlideClient) -> None:
    script = Script("-- one\nredis.call('INCR', KEYS[1])\nerror('boom')", name="charge")
    for _ in range(2):
        with pytest.raises(ScriptError, match="boom") as caught:
            await client.invoke_script(script, ["k"], once="an id")
        assert caught.value.script is script
        assert caught.value.line == 3
        assert caught.value.source_line == "error('boom')"
        assert caught.value.may_have_executed
        assert caught.value.keys == ("k",)
        assert str(caught.value).split("\n", 1)[0].endswith(": boom")
    assert await client.get("k") == b"1"


@pytest.mark.parametrize(
    "code",
    [
        "return 1 +",
        "if true then\n  return 1",
        "return (1",
        "return 1\nend",
        "local x = 'open",
        "--[[ open\nreturn 1",
        "x = [[open\n",
    ],
)
@pytest.mark.every_server
async def test_what_does_not_compile_is_said_of_the_script_s_own_lines(
    client: GlideClient, code: str
) -> None:
    found = []
    for once in (None, "an id"):
        with pytest.raises(ScriptError) as caught:
            await client.invoke_script(Script(code), ["k"], once=once)
        error = caught.value
        words = str(error).splitlines()[0].split(" (to close")[0].split(" near ")[0]
        found.append((type(error), error.line, words, error.may_have_executed))
    assert found[0] == found[1]


@pytest.fixture
async def resp3(server: ValkeyServer, connect: Connect) -> GlideClient:
    """A client that gets maps and sets as such."""
    return await connect(server, protocol=ProtocolVersion.RESP3)
