"""Every type of reply, as scripts and as the server itself send it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from glide_scripts import (
    OK,
    GlideClient,
    ProtocolVersion,
    RequestError,
    Script,
    ScriptError,
    TResult,
)


async def run(client: GlideClient, returned: str, *args: str) -> TResult:
    """What a script's expression becomes, in the server's RESP3."""
    return await client.invoke_script(Script(f"redis.setresp(3) return {returned}"), args=args)


BIG_NUMBERS = pytest.mark.needs("big numbers")

# What a script returns, what a client of RESP3 gets, and what one of RESP2 gets.
TYPES: list[tuple[str, object, object]] = [
    ("1", 1, 1),
    ("'text'", b"text", b"text"),
    ("''", b"", b""),
    ("nil", None, None),
    ("true", True, 1),
    ("false", False, 0),
    ("{1, true, false, 'a'}", [1, True, False, b"a"], [1, 1, 0, b"a"]),
    ("{double=3.5}", 3.5, b"3.5"),
    ("{double=3}", 3.0, b"3"),
    ("{double=-1e22}", -1e22, b"-1e+22"),
    ("{double=1/0}", math.inf, b"inf"),
    ("{double=-1/0}", -math.inf, b"-inf"),
    ("{double=-(0/0)}", math.nan, b"nan"),
    ("{{double=0.5}, {double=-(0/0)}}", [0.5, math.nan], [b"0.5", b"nan"]),
    ("{map={}}", {}, []),
    ("{map={k='v'}}", {b"k": b"v"}, [b"k", b"v"]),
    ("{map={[1]={map={k={2}}}}}", {1: {b"k": [2]}}, [1, [b"k", [2]]]),
    ("{map={[true]=false}}", {True: False}, [1, 0]),
    ("{set={}}", set(), []),
    ("{set={a=true}}", {b"a"}, [b"a"]),
    ("{}", [], []),
    ("{{}, {map={}}, {set={}}, ''}", [[], {}, set(), b""], [[], [], [], b""]),
    ("{map={[{1, {2}}]=3}}", {(1, (2,)): 3}, [[1, [2]], 3]),
    ("{map={[{}]={}}}", {(): []}, [[], []]),
    ("{map={[{map={a=1}}]=2}}", {((b"a", 1),): 2}, [[b"a", 1], 2]),
    ("{map={[{set={a=true}}]=2}}", {frozenset({b"a"}): 2}, [[b"a"], 2]),
    ("{set={[{1, 2}]=true}}", {(1, 2)}, [[1, 2]]),
    ("{set={[{}]=true}}", {()}, [[]]),
    ("{set={[{set={}}]=true}}", {frozenset()}, [[]]),
    ("{set={[{map={}}]=true}}", {()}, [[]]),
    (
        "{set={[{set={[{map={k={1}}}]=true}}]=true}}",
        {frozenset({((b"k", (1,)),)})},
        [[[b"k", [1]]]],
    ),
    ("{ok='OK'}", OK, OK),
    ("{ok='FINE'}", b"FINE", b"FINE"),
    ("{ok='\\255\\254'}", b"\xff\xfe", b"\xff\xfe"),
    ("{{ok='OK'}, redis.status_reply('QUEUED')}", [OK, b"QUEUED"], [OK, b"QUEUED"]),
    ("redis.call('PING')", b"PONG", b"PONG"),
    ("redis.call('HGETALL', 'none')", {}, []),
    ("redis.call('SMEMBERS', 'none')", set(), []),
]
NEWER_TYPES = [
    ("{big_number='1234567890123456789012'}", 1234567890123456789012, b"1234567890123456789012"),
    ("{big_number='-18446744073709551616'}", -(2**64), b"-18446744073709551616"),
    ("{big_number='0'}", 0, b"0"),
    ("{verbatim_string={format='txt', string='a\\r\\n\\255'}}", b"a\r\n\xff", b"a\r\n\xff"),
    ("{verbatim_string={format='mkd', string=''}}", b"", b""),
]


@pytest.mark.parametrize(
    ("returned", "resp3", "resp2"),
    [
        *(pytest.param(*row, id=row[0]) for row in TYPES),
        *(pytest.param(*row, id=row[0], marks=BIG_NUMBERS) for row in NEWER_TYPES),
    ],
)
async def test_a_script_returns(
    client: GlideClient, protocol: ProtocolVersion, returned: str, resp3: object, resp2: object
) -> None:
    expected = resp3 if protocol is ProtocolVersion.RESP3 else resp2
    # Unlike ==, repr() tells 1, 1.0 and True apart, and knows nan.
    assert repr(await run(client, returned)) == repr(expected)


@pytest.mark.parametrize(
    ("kind", "resp3", "resp2"),
    [
        ("string", b"Hello World", b"Hello World"),
        ("integer", 12345, 12345),
        pytest.param("double", 3.141, b"3.141", marks=pytest.mark.needs("commands of Redis 7")),
        ("null", None, None),
        ("array", [0, 1, 2], [0, 1, 2]),
        ("set", {0, 1, 2}, [0, 1, 2]),
        ("map", {0: False, 1: True, 2: False}, [0, 0, 1, 1, 2, 0]),
        ("bignum", 1234567999999999999999999999999999999, b"1234567999999999999999999999999999999"),
        ("verbatim", b"This is a verbatim\nstring", b"This is a verbatim\nstring"),
        ("true", True, 1),
        ("false", False, 0),
    ],
)
async def test_the_server_itself_answers(
    client: GlideClient, protocol: ProtocolVersion, kind: str, resp3: object, resp2: object
) -> None:
    expected = resp3 if protocol is ProtocolVersion.RESP3 else resp2
    reply = await client.custom_command(["DEBUG", "PROTOCOL", kind])
    assert repr(reply) == repr(expected)


async def test_an_attribute_of_a_reply_is_left_out(client: GlideClient) -> None:
    reply = await client.custom_command(["DEBUG", "PROTOCOL", "attrib"])
    assert reply == b"Some real reply following the attribute"
    assert await client.echo("in step") == b"in step"


@pytest.mark.parametrize("protocol", [ProtocolVersion.RESP3], indirect=True)
async def test_a_push_is_no_ones_reply(client: GlideClient) -> None:
    reply = await client.custom_command(["DEBUG", "PROTOCOL", "push"])
    assert reply == b"Some real reply following the push reply"
    assert await client.echo("in step") == b"in step"


@pytest.mark.parametrize("ok", ["{ok='OK'}", "redis.call('SET', 'k', 'v')", "{{ok='OK'}}"])
async def test_the_status_ok_is_the_constant_ok(client: GlideClient, ok: str) -> None:
    reply: Any = await run(client, ok)
    assert (reply[0] if isinstance(reply, list) else reply) is OK


async def test_a_string_ok_is_not_the_constant_ok(client: GlideClient) -> None:
    reply = await run(client, "'OK'")
    assert reply == b"OK"
    assert reply is not OK


async def test_text_and_status_are_plain_bytes(client: GlideClient) -> None:
    for returned in ("'text'", "{ok='FINE'}"):
        assert type(await run(client, returned)) is bytes


@BIG_NUMBERS
async def test_a_verbatim_string_is_plain_bytes(client: GlideClient) -> None:
    assert type(await run(client, "{verbatim_string={format='txt', string='x'}}")) is bytes


@pytest.mark.parametrize("protocol", [ProtocolVersion.RESP3], indirect=True)
@pytest.mark.parametrize("digits", [4000, 4001, 4300, 4301, 5000, 8000, 12001])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.needs("big numbers")
async def test_a_big_number_of_any_length_is_an_int(
    client: GlideClient, digits: int, sign: str
) -> None:
    # 1000…0007000…0003: zeros stand wherever it is cut into pieces.
    half = digits // 2
    text = f"{sign}1{'0' * (digits - half - 2)}7{'0' * (half - 1)}3"
    expected = 10 ** (digits - 1) + 7 * 10**half + 3
    reply = await run(client, "{big_number=ARGV[1]}", text)
    # A plain assert would show the numbers, which Python refuses.
    assert (reply == (-expected if sign else expected)) is True


@pytest.mark.parametrize("protocol", [ProtocolVersion.RESP2], indirect=True)
@pytest.mark.needs("big numbers")
async def test_a_big_number_is_digits_in_resp2(client: GlideClient) -> None:
    assert await run(client, "{big_number=ARGV[1]}", "9" * 5000) == b"9" * 5000


@pytest.mark.needs("error codes")
async def test_errors_within_a_reply_are_exceptions_in_their_places(client: GlideClient) -> None:
    reply: Any = await run(
        client,
        "{1, {err='CUSTOM of my own'}, {redis.error_reply('oneword')}, redis.pcall('LPUSH', 'k')}",
    )
    assert reply[0] == 1
    for error, code, text in [
        (reply[1], "CUSTOM", "CUSTOM of my own"),
        (reply[2][0], "ERR", "ERR oneword"),
        (reply[3], "ERR", "Wrong number of args"),
    ]:
        assert isinstance(error, RequestError)
        assert error.code == code
        assert text in str(error)


async def test_an_error_within_a_reply_has_the_code_of_its_command(client: GlideClient) -> None:
    await client.set("s", "text")
    reply: Any = await run(client, "{redis.pcall('LPUSH', 's', 'x')}")
    assert isinstance(reply[0], RequestError)
    assert reply[0].code == "WRONGTYPE"


async def test_an_error_stands_in_a_map_and_in_a_set(
    client: GlideClient, protocol: ProtocolVersion
) -> None:
    mapped: Any = await run(client, "{map={k={err='A b'}}}")
    members: Any = await run(client, "{set={[{err='A b'}]=true}}")
    value = mapped[b"k"] if protocol is ProtocolVersion.RESP3 else mapped[1]
    for error in (value, *members):
        assert isinstance(error, RequestError)
        assert (error.code, str(error)) == ("A", "A b")


async def test_an_error_with_bytes_that_are_no_text_keeps_its_code(client: GlideClient) -> None:
    with pytest.raises(ScriptError, match=r"^MY \ufffd\ufffd end") as caught:
        await run(client, "{err='MY \\255\\254 end'}")
    assert caught.value.code == "MY"
    nested: Any = await run(client, "{{err='MY \\255'}}")
    assert nested[0].code == "MY"


async def test_an_error_whose_code_is_no_text_is_an_error(client: GlideClient) -> None:
    with pytest.raises(ScriptError):
        await run(client, "{err='\\255\\254 no text'}")
    assert await run(client, "1") == 1


def walk(value: Any) -> Iterator[Any]:
    """A value, the one within it, and so on."""
    while True:
        yield value
        if not value or not isinstance(value, (list, tuple, dict, set, frozenset)):
            return
        value = next(iter(value.values() if isinstance(value, dict) else value))


# The server's Lua has a stack of 8,000, of which a map or a set takes three.
@pytest.mark.parametrize(
    ("wrapped", "kind", "depth"),
    [("{t}", list, 7000), ("{map={k=t}}", dict, 2600), ("{set={[t]=true}}", frozenset, 2600)],
)
async def test_replies_nest_as_deep_as_a_server_can_send(
    client: GlideClient, protocol: ProtocolVersion, wrapped: str, kind: type, depth: int
) -> None:
    reply = await run(
        client,
        f"(function() local t = {{}} for i = 2, {depth} do t = {wrapped} end return t end)()",
    )
    if protocol is ProtocolVersion.RESP3:
        kinds = [type(value) for value in walk(reply)]
        assert len(kinds) == depth
        assert set(kinds[1:-1]) == {kind}
    else:
        assert isinstance(reply, list)
    del reply
    assert await client.echo("in step") == b"in step"


DEEP_TABLE = "(function() local t = {} for i = 2, 5000 do t = {t} end return t end)()"


@pytest.mark.parametrize("protocol", [ProtocolVersion.RESP3], indirect=True)
async def test_a_deep_array_is_a_member_of_a_set_and_a_key_of_a_map(client: GlideClient) -> None:
    members: Any = await run(client, f"{{set={{[{DEEP_TABLE}]=true}}}}")
    pairs: Any = await run(client, f"{{map={{[{DEEP_TABLE}]=1}}}}")
    for container in (members, pairs):
        assert sum(isinstance(value, tuple) for value in walk(next(iter(container)))) == 5000


@pytest.mark.parametrize("protocol", [ProtocolVersion.RESP3], indirect=True)
async def test_two_deep_keys_that_are_equal_do_no_harm(client: GlideClient) -> None:
    try:
        await run(client, f"{{map={{[{DEEP_TABLE}]=1, [{DEEP_TABLE}]=2}}}}")
    except RecursionError:
        pass  # Python itself cannot compare them.
    assert await client.echo("in step") == b"in step"


async def test_a_reply_too_deep_for_the_server_is_an_error(client: GlideClient) -> None:
    code = "local t = {} for i = 1, 100000 do t = {t} end return t"
    try:
        reply = await client.invoke_script(Script(code))
    except RequestError:
        reply = None
    del reply
    assert await client.echo("in step") == b"in step"


async def test_a_wide_reply_arrives_whole(client: GlideClient) -> None:
    code = "local t = {} for i = 1, 200000 do t[i] = {i, tostring(i)} end return t"
    reply = await client.invoke_script(Script(code), timeout=60_000)
    assert reply == [[i, b"%d" % i] for i in range(1, 200_001)]
