"""Scripts called by the names and types that they declare, on a real server."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import timeit
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Connect

from glide_scripts import (
    GlideClient,
    Json,
    Key,
    ReplyTypeError,
    RequestError,
    Script,
    ScriptError,
    ScriptLibrary,
    Secret,
    TypedScript,
    typed_script,
)
from glide_scripts.client.base import BaseClient
from glide_scripts.declared.decoding import decoder
from glide_scripts.testing import ValkeyServer

ECHO = Script("return ARGV", name="echo")
FIRST = Script("return ARGV[1]", name="first")

AnyJson: TypeAlias = Json[Any]


@dataclass
class Point:
    x: int
    y: float = 0.5
    tags: list[str] = field(default_factory=list)


RATE_LIMIT = """\
--@key user
--@arg limit: int
--@arg window: int
--@returns bool
local calls = redis.call('INCR', KEYS[1])
if calls == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return calls <= tonumber(ARGV[1])
"""


@pytest.fixture
def scripts(tmp_path: Path) -> ScriptLibrary:
    (tmp_path / "rate_limit.lua").write_text(RATE_LIMIT)
    (tmp_path / "plain.lua").write_text("return {KEYS, ARGV}")
    (tmp_path / "both.lua").write_text(
        "--@key first\n--@keys more...\n--@arg one: int\n--@arg rest: str...\nreturn {KEYS, ARGV}"
    )
    return ScriptLibrary.from_directory(tmp_path)


# Arguments


async def test_a_script_is_called_by_position_and_by_name(
    client: GlideClient, scripts: ScriptLibrary
) -> None:
    assert await scripts.rate_limit(client, user="u1", limit=2, window=60) is True
    assert await scripts.rate_limit(client, "u1", 2, window=60) is True
    assert await scripts.rate_limit(client, "u1", 2, 60) is False
    assert await client.ttl("u1") in (59, 60)


async def test_several_keys_and_arguments_come_after_the_single_ones(
    client: GlideClient, scripts: ScriptLibrary
) -> None:
    call = scripts.both(client, "a", ["b", b"c"], 1, ("x", "y"))
    assert await call == [[b"a", b"b", b"c"], [b"1", b"x", b"y"]]
    assert await scripts.both(client, "a", [], 1, []) == [[b"a"], [b"1"]]


async def test_a_script_that_declares_nothing_takes_keys_and_args(
    client: GlideClient, scripts: ScriptLibrary
) -> None:
    assert await scripts.plain(client) == [[], []]
    assert await scripts.plain(client, ["k"], args=[b"\xff", "a"]) == [[b"k"], [b"\xff", b"a"]]


async def test_a_typed_script_is_a_script(client: GlideClient, scripts: ScriptLibrary) -> None:
    await client.script_load(scripts.rate_limit)
    assert await client.script_exists([scripts.rate_limit.hash]) == [True]
    assert await client.invoke_script(scripts.rate_limit, ["u"], ["1", "60"]) == 1


@typed_script(ECHO)
def echo_all(  # noqa: PLR0917
    whole: int,
    part: float,
    text: str,
    data: bytes,
    flag: bool,
    point: Point,
    table: dict[str, int],
    items: Json[list[int]],
    token: Secret[str],
    ids: list[int],
) -> list[bytes]:
    raise NotImplementedError


async def test_every_type_is_sent_as_lua_reads_it(client: GlideClient) -> None:
    call = echo_all(
        client, -7, 0.1, "é", b"\xff", True, Point(1), {"a": 1}, [1, 2], "secret", [3, 4]
    )
    assert await call == [
        b"-7",
        b"0.1",
        "é".encode(),
        b"\xff",
        b"1",
        b'{"x":1,"y":0.5,"tags":[]}',
        b'{"a":1}',
        b"[1,2]",
        b"secret",
        b"3",
        b"4",
    ]


@typed_script(FIRST)
def same_float(value: float) -> float:
    raise NotImplementedError


@typed_script(FIRST)
def same_str(value: str) -> str:
    raise NotImplementedError


@typed_script(FIRST)
def same_int(value: int) -> int:
    raise NotImplementedError


@typed_script(FIRST)
def same_point(value: Point) -> Point:
    raise NotImplementedError


@given(value=st.floats(allow_nan=False))
def test_a_float_comes_back_the_same(value: float) -> None:
    (sent,) = same_float.pack(value)[1]
    assert isinstance(sent, str)
    assert same_float.decode(sent.encode()) == value


async def test_values_come_back_the_same(client: GlideClient) -> None:
    for number in (0.1, 1e300, -0.0, math.inf, 5e-324, 3):
        assert await same_float(client, number) == number
    for text in ("", "é\n\0", "x" * 100_000):
        assert await same_str(client, text) == text
    for whole in (0, -(2**63), 2**63 - 1):
        assert await same_int(client, whole) == whole
    point = Point(2, 1.5, ["ä"])
    assert await same_point(client, point) == point


async def test_lua_gets_the_number_that_was_meant(client: GlideClient) -> None:
    @typed_script(Script("return tonumber(ARGV[1]) == 0.1 and tonumber(ARGV[2]) == 1 / 0"))
    def is_so(a: float, b: float) -> bool:
        raise NotImplementedError

    assert await is_so(client, 0.1, math.inf)


async def test_a_parameter_may_be_named_like_anything(client: GlideClient) -> None:
    @typed_script(ECHO)
    def script(  # noqa: PLR0917
        type: str,
        int: int,
        self: float,
        client: bytes,
        args: bool,
        str: Key,
    ) -> list[bytes]:
        raise NotImplementedError

    call = script(client, type="t", int=1, self=0.5, client=b"c", args=True, str="k")
    assert await call == [b"t", b"1", b"0.5", b"c", b"1"]
    assert script.pack(type="t", int=1, self=0.5, client=b"c", args=True, str="k")[0] == ("k",)


async def test_a_default_is_sent(client: GlideClient) -> None:
    @typed_script(ECHO)
    def with_default(count: int = 3, ids: list[str] = ["x"]) -> list[int | None]:  # noqa: B006
        raise NotImplementedError

    with pytest.raises(ReplyTypeError):
        await with_default(client)
    assert await with_default(client, ids=[]) == [3]


SIGNATURE = "\n  rate_limit(client, user: Key, limit: int, window: int) -> bool"


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "rate_limit: missing 'user', 'limit', 'window'"),
        (("u", 1), {}, "rate_limit: missing 'window'"),
        (("u", 1, 2, 3), {}, "rate_limit: it takes 3 arguments, but 4 were given"),
        (
            ("u", 1),
            {"windw": 3},
            "rate_limit: there is no parameter 'windw'; did you mean 'window'?",
        ),
        (("u", 1, 2), {"x": 3}, "rate_limit: there is no parameter 'x'"),
        (("u", 1, 2), {"user": "u"}, "rate_limit: 'user' is given twice"),
        ((1, 1, 2), {}, "rate_limit: user is int; pass str or bytes"),
        (("u", "1", 2), {}, "rate_limit: limit is str; pass int"),
        (("u", 1.0, 2), {}, "rate_limit: limit is float; pass int"),
        (("u", True, 2), {}, "rate_limit: limit is bool; pass int"),
        (("u", None, 2), {}, "rate_limit: limit is NoneType; pass int"),
        (("u", 2**63, 2), {}, "rate_limit: limit does not fit in 64 bits"),
        (("\ud800", 1, 2), {}, "rate_limit: user is text that cannot be encoded as UTF-8"),
    ],
)
async def test_a_call_that_does_not_fit_shows_the_signature_and_sends_nothing(  # noqa: PLR0917
    client: GlideClient,
    server: ValkeyServer,
    scripts: ScriptLibrary,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    words: str,
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        await scripts.rate_limit(client, *args, **kwargs)
    assert str(caught.value).startswith(words)
    assert str(caught.value).endswith(SIGNATURE)
    stats = server.command("INFO", "commandstats")
    assert isinstance(stats, bytes)
    assert b"cmdstat_eval" not in stats


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"part": "x"}, "part is str; pass float"),
        ({"part": True}, "part is bool; pass float"),
        ({"part": math.nan}, "part is nan; pass a number, or declare it str"),
        ({"text": b"x"}, "text is bytes; pass str"),
        ({"data": "x"}, "data is str; pass bytes"),
        ({"flag": 1}, "flag is int; pass bool"),
        ({"point": {"x": 1}}, "point is dict; pass Point"),
        ({"point": Point("1")}, "point.x is str; pass int"),  # type: ignore[arg-type]
        ({"point": Point(1, math.nan)}, "point.y is nan, which JSON does not have"),
        ({"table": [1]}, "table is list; pass dict[str, int]"),
        ({"table": {"a": "1"}}, "table['a'] is str; pass int"),
        ({"table": {1: 1}}, "table: a key is int; pass str"),
        ({"items": {}}, "items is dict; pass list[int]"),
        ({"items": [1, "2"]}, "items[1] is str; pass int"),
        ({"ids": 1}, "ids is int; pass a list of int"),
        ({"ids": "12"}, "ids is str; pass a list of int"),
        ({"ids": [1, "2"]}, "ids[1] is str; pass int"),
        ({"token": 3}, "token is int and cannot be sent as str"),
    ],
)
def test_each_type_is_checked(changed: dict[str, Any], words: str) -> None:
    right = {
        "whole": 1,
        "part": 1.0,
        "text": "t",
        "data": b"d",
        "flag": True,
        "point": Point(1),
        "table": {},
        "items": [],
        "token": "t",
        "ids": [],
    }
    echo_all.pack(**right)  # type: ignore[arg-type]
    with pytest.raises((TypeError, ValueError)) as caught:
        echo_all.pack(**right | changed)  # type: ignore[arg-type]
    assert words in str(caught.value)


async def test_a_client_that_is_none_is_refused(scripts: ScriptLibrary) -> None:
    with pytest.raises(TypeError, match="client is str; pass a GlideClient or a Glide") as caught:
        await scripts.rate_limit("valkey://localhost", "u1", 1, 2)
    assert str(caught.value).endswith(SIGNATURE)


# Replies


REPLIES: list[tuple[str, Any, Any]] = [
    ("return 3", int, 3),
    ("return '-3'", int, -3),
    ("return 3", float, 3.0),
    ("return '2.5'", float, 2.5),
    ("redis.setresp(3) return {double=2.5}", float, 2.5),
    ("return true", bool, True),
    ("return false", bool, False),
    ("return 0", bool, False),
    ("redis.setresp(3) return true", bool, True),
    ("redis.setresp(3) return false", bool, False),
    ("return 'é'", str, "é"),
    ("return redis.status_reply('OK')", str, "OK"),
    ("return 'x'", bytes, b"x"),
    ("return {1, 2}", list[int], [1, 2]),
    ("return {}", list[int], []),
    ("return {'1', '2'}", list[int], [1, 2]),
    ("return {1, false, 3}", list[int | None], [1, None, 3]),
    ("return {1, 'a'}", tuple[int, str], (1, "a")),
    ("return {1, 2, 3}", tuple[int, ...], (1, 2, 3)),
    ("return {1}", tuple[int, str | None], (1, None)),
    ("return {'a', 1, 'b', 2}", dict[str, int], {"a": 1, "b": 2}),
    ("redis.setresp(3) return {map={a=1}}", dict[str, int], {"a": 1}),
    ("redis.setresp(3) return {set={a=true}}", set[str], {"a"}),
    ("return {}", dict[str, int], {}),
    ("return {'a', {1, 2}}", dict[str, list[int]], {"a": [1, 2]}),
    ("return nil", int | None, None),
    ("return 1", int | None, 1),
    ("return false", bool | None, None),
    ("return nil", None, None),
    ("return cjson.encode({x=1, y=2})", Point, Point(1, 2.0)),
    ("return cjson.encode({1, {a=true}})", AnyJson, [1, {"a": True}]),
    ("return '[1,2]'", Json[list[int]], [1, 2]),
    ("return nil", Json[list[int]] | None, None),
    ("return {'{\"x\":1}'}", list[Point], [Point(1)]),
    ("return {1, 'a', false}", Any, [1, b"a", None]),
]


def returning(code: str, returns: Any) -> TypedScript[..., Any]:
    def script() -> Any: ...

    script.__annotations__["return"] = returns
    return typed_script(Script(code))(script)


@pytest.mark.parametrize(("code", "returns", "expected"), REPLIES)
async def test_a_reply_is_of_the_declared_type(
    client: GlideClient, code: str, returns: Any, expected: Any
) -> None:
    reply = await returning(code, returns)(client)
    assert reply == expected
    assert type(reply) is type(expected)


async def test_a_hash_is_a_dict_in_both_protocols(client: GlideClient) -> None:
    await client.hset("h", {"a": "1", "b": "2"})
    for setresp in ("", "redis.setresp(3) "):
        script = returning(setresp + "return redis.call('HGETALL', 'h')", dict[str, int])
        assert await script(client) == {"a": 1, "b": 2}


MISFITS: list[Any] = [
    ("return redis.status_reply('OK')", bool, "does not fit bool: reply is b'OK', not bool"),
    ("return 'x'", int, "does not fit int: reply is bytes that are not a whole number"),
    ("return '1.5'", int, "not a whole number"),
    ("return nil", int, "does not fit int: reply is None, not int"),
    ("return {1}", int, "reply is list, not int"),
    ("return 'x'", float, "reply is bytes that are not a number"),
    ("return '1_0'", float, "reply is bytes that are not a number"),
    ("return ' 1.5 '", float, "reply is bytes that are not a number"),
    pytest.param(
        "redis.setresp(3) return {big_number=string.rep('9', 400)}",
        float,
        "reply is a number too large for float",
        marks=pytest.mark.needs("big numbers"),
    ),
    ("return 2", bool, "reply is 2, not bool"),
    ("return 3", str, "reply is 3, not str"),
    ("return '\\255'", str, "reply is bytes that are not UTF-8"),
    ("return 1", bytes, "reply is 1, not bytes"),
    ("return 1", None, "does not fit None: reply is 1, not None"),
    ("return {1, 'x'}", list[int], "reply[1] is bytes that are not a whole number"),
    ("return 1", list[int], "reply is 1, not list[int]"),
    ("return {1, 2, 3}", tuple[int, int], "reply has 3 items, not 2"),
    ("return {1}", tuple[int, int], "reply has 1 items, not 2"),
    ("return {1, {'a'}}", tuple[int, list[int]], "reply[1][0] is bytes"),
    (
        "return {'a', 1, 'b'}",
        dict[str, int],
        "reply has an odd number of items, 3, so they are not pairs",
    ),
    ("return {'a', 'x'}", dict[str, int], "reply['a'] is bytes that are not a whole number"),
    ("return {1, 1}", dict[str, int], "reply: a key is 1, not str"),
    ("return 1", dict[str, int], "reply is 1, not dict[str, int]"),
    ("return {{1}}", set[Any], "reply has an item that cannot be in a set"),
    ("return 'x'", AnyJson, "reply is not JSON"),
    ("return 1", Point, "reply is 1, not the JSON of Point"),
    ("return '[]'", Point, "reply is list, not Point"),
    ("return '{}'", Point, "reply has no 'x'"),
    ('return \'{"x":1,"z":1}\'', Point, "reply has 'z', which Point does not have"),
    ('return \'{"x":"1"}\'', Point, "reply.x is str, not int"),
]


@pytest.mark.parametrize(("code", "returns", "words"), MISFITS)
async def test_a_reply_that_does_not_fit_is_an_error_that_shows_both(
    client: GlideClient, code: str, returns: Any, words: str
) -> None:
    script = returning(code, returns)
    with pytest.raises(ReplyTypeError) as caught:
        await script(client)
    error = caught.value
    assert words in str(error)
    assert "\n   = declared: " in str(error)
    assert "\n   = reply: " in str(error)
    assert error.may_have_executed is True
    assert error.script is script
    assert isinstance(error, ScriptError)
    assert isinstance(error, RequestError)


async def test_such_an_error_looks_like_this(client: GlideClient, tmp_path: Path) -> None:
    (tmp_path / "total.lua").write_text(
        "--@key cart\n--@arg token: str\n--@secret token\n--@returns list[int]\nreturn {1, ARGV[1]}"
    )
    script = Script.from_file(tmp_path / "total.lua")
    with pytest.raises(ReplyTypeError) as caught:
        await script(client, "c1", token="hunter2")
    assert str(caught.value) == (
        "the reply of total does not fit list[int]: reply[1] is bytes that are not a whole number\n"
        f"  --> {tmp_path}/total.lua, in total\n"
        "   |\n"
        "   = declared: list[int]\n"
        "   = reply: [1, b'<secret>']\n"
        "   = keys: cart = 'c1'\n"
        "   = args: token = <secret>\n"
        "   = note: the script has run"
    )


async def test_json_text_for_a_list_says_how_to_declare_it(client: GlideClient) -> None:
    with pytest.raises(ReplyTypeError) as caught:
        await returning("return '[1]'", list[int])(client)
    assert "= help: if the reply is JSON text, declare it as Json[list[int]]" in str(caught.value)
    with pytest.raises(ReplyTypeError) as caught:
        await returning("return '[]'", Point)(client)
    assert "help" not in str(caught.value)


def test_a_reply_can_be_decoded_by_itself() -> None:
    script = returning("return 1", list[int])
    assert script.decode([1, b"2"]) == [1, 2]
    with pytest.raises(ReplyTypeError, match="reply is None"):
        script.decode(None)


async def test_what_a_call_does_not_do_itself_is_done_with_pack(
    client: GlideClient, scripts: ScriptLibrary
) -> None:
    reply = await client.invoke_script(
        scripts.rate_limit, *scripts.rate_limit.pack("u1", 1, window=60), timeout=1000
    )
    assert scripts.rate_limit.decode(reply) is True


def test_a_type_that_a_reply_is_already_costs_nothing() -> None:
    assert decoder(Any) is None


async def test_calls_beside_each_other_do_not_mix(server: ValkeyServer, connect: Connect) -> None:
    client = await connect(server)
    replies = await asyncio.gather(*(same_int(client, number) for number in range(500)))
    assert replies == list(range(500))


# The cost


class Silent(BaseClient):
    """A client that answers at once, so that nothing is measured but what a typed call adds."""

    def __init__(self) -> None:
        pass

    async def invoke_script(self, *_: Any, **__: Any) -> Any:
        return 1


@typed_script(Script("return 1", name="cheap"))
def cheap(user: Key, limit: int, window: int) -> int:
    raise NotImplementedError


def work(call: Callable[[], Coroutine[object, None, object]]) -> tuple[int, int]:
    """How many of Python's instructions a call is, and how many functions it calls."""
    instructions = functions = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal instructions
        frame.f_trace_opcodes = True
        instructions += event == "opcode"
        return trace

    def profile(_frame: FrameType, event: str, _: object) -> None:
        nonlocal functions
        functions += event in ("call", "c_call")

    for watch, how in ((sys.settrace, trace), (sys.setprofile, profile)):
        coroutine = call()
        watch(how)
        try:
            coroutine.send(None)
        except StopIteration:
            pass
        finally:
            watch(None)
    return instructions, functions


def test_a_typed_call_adds_little_work() -> None:
    """Two microseconds. On a machine that is busy, a clock measures what else it does."""
    client: Any = Silent()

    async def plain() -> object:
        return await client.invoke_script(cheap, ["u1"], ["10", "60"])

    async def typed() -> object:
        return await cheap(client, user="u1", limit=10, window=60)

    (typed_instructions, typed_functions), (instructions, functions) = work(typed), work(plain)
    assert typed_instructions - instructions < 200
    assert typed_functions - functions < 12


def test_json_costs_a_small_multiple_of_the_json_module() -> None:
    plain = {"x": 1, "y": 0.5, "tags": ["a", "b"]}
    point, text = Point(1, 0.5, ["a", "b"]), json.dumps(plain).encode()

    def least(call: Callable[[], object]) -> float:
        return min(timeit.repeat(call, repeat=30, number=200))

    # It is about twice that; the rest is for a machine that is busy.
    assert least(lambda: same_point.pack(point)) < 8 * least(lambda: json.dumps(plain))
    assert least(lambda: same_point.decode(text)) < 8 * least(lambda: json.loads(text))
