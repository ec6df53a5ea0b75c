"""The everyday commands on a server: the same results from RESP2 and from RESP3."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from glide_scripts import (
    OK,
    ConditionalChange,
    ExpireOptions,
    ExpirySet,
    ExpiryType,
    FlushMode,
    GlideClient,
    InfoSection,
    OnlyIfEqual,
    RequestError,
    TEncodable,
    UpdateOptions,
)
from glide_scripts.testing import ValkeyServer

NEW, OLD = ConditionalChange.ONLY_IF_DOES_NOT_EXIST, ConditionalChange.ONLY_IF_EXISTS
GREATER, LESS = UpdateOptions.GREATER_THAN, UpdateOptions.LESS_THAN


async def same(call: Any, expected: object) -> None:
    """Asserts what a call gives; unlike ==, repr() tells 1, 1.0 and True apart."""
    assert repr(await call) == repr(expected)


async def test_a_value_is_set_and_got(client: GlideClient) -> None:
    assert await client.set("k", b"\x00\xff") is OK
    await same(client.get("k"), b"\x00\xff")
    await same(client.get(b"none"), None)


IF_EQUAL = pytest.mark.needs("SET IFEQ")


@pytest.mark.parametrize(
    ("key", "condition", "reply", "after"),
    [
        ("old", NEW, None, b"was"),
        ("new", NEW, OK, b"is"),
        ("old", OLD, OK, b"is"),
        ("new", OLD, None, None),
        pytest.param("old", OnlyIfEqual("was"), OK, b"is", marks=IF_EQUAL),
        pytest.param("old", OnlyIfEqual(b"other"), None, b"was", marks=IF_EQUAL),
        pytest.param("new", OnlyIfEqual("was"), None, None, marks=IF_EQUAL),
    ],
)
@pytest.mark.parametrize(
    "return_old", [False, pytest.param(True, marks=pytest.mark.needs("commands of Redis 7"))]
)
async def test_a_conditional_set_tells_whether_it_was_done(
    client: GlideClient,
    *,
    key: str,
    condition: Any,
    reply: object,
    after: object,
    return_old: bool,
) -> None:
    await client.set("old", "was")
    expected = reply if not return_old else b"was" if key == "old" else None
    await same(client.set(key, "is", condition, return_old_value=return_old), expected)
    await same(client.get(key), after)


@pytest.mark.parametrize(
    "expiry",
    [
        ExpirySet(ExpiryType.SEC, 100),
        ExpirySet(ExpiryType.SEC, timedelta(seconds=100)),
        ExpirySet(ExpiryType.MILLSEC, 100_000),
        ExpirySet(ExpiryType.MILLSEC, timedelta(seconds=100)),
    ],
    ids=str,
)
async def test_a_set_with_an_expiry_expires(client: GlideClient, expiry: ExpirySet) -> None:
    assert await client.set("k", "v", expiry=expiry) is OK
    assert 0 < await client.ttl("k") <= 100


@pytest.mark.parametrize("kind", [ExpiryType.UNIX_SEC, ExpiryType.UNIX_MILLSEC])
@pytest.mark.parametrize("as_datetime", [False, True])
@pytest.mark.needs("commands of Redis 7")
async def test_a_set_with_a_point_in_time_expires_then(
    client: GlideClient, kind: ExpiryType, as_datetime: bool
) -> None:
    then = int(time.time()) + 1000
    number = then if kind is ExpiryType.UNIX_SEC else then * 1000
    value = datetime.fromtimestamp(then, UTC) if as_datetime else number
    assert await client.set("k", "v", expiry=ExpirySet(kind, value)) is OK
    await same(client.custom_command(["EXPIRETIME", "k"]), then)


async def test_a_set_keeps_the_time_to_live_only_if_asked(client: GlideClient) -> None:
    await client.set("k", "v", expiry=ExpirySet(ExpiryType.SEC, 100))
    await client.set("k", "w", expiry=ExpirySet(ExpiryType.KEEP_TTL))
    assert await client.ttl("k") > 0
    await client.set("k", "x")
    await same(client.ttl("k"), -1)


async def test_a_set_gives_the_old_value_if_asked(client: GlideClient) -> None:
    await same(client.set("k", "first", return_old_value=True), None)
    await same(client.set("k", "second", return_old_value=True), b"first")
    await client.rpush("list", ["x"])
    with pytest.raises(RequestError, match="WRONGTYPE"):
        await client.set("list", "v", return_old_value=True)


async def test_all_options_of_a_set_go_together(client: GlideClient) -> None:
    await client.set("k", "was")
    await same(client.set("k", "is", OLD, ExpirySet(ExpiryType.SEC, 100), True), b"was")
    assert await client.ttl("k") > 0


async def test_several_values_are_set_and_got_at_once(client: GlideClient) -> None:
    mixed: dict[TEncodable, TEncodable] = {"a": "1", b"b": b"\xff"}
    assert await client.mset(mixed) is OK
    await client.rpush("list", ["x"])
    await same(client.mget(["b", "none", "a", "list", "a"]), [b"\xff", None, b"1", None, b"1"])


async def test_counters_count(client: GlideClient) -> None:
    await same(client.incr("n"), 1)
    await same(client.incrby("n", 41), 42)
    await same(client.incrby("n", -(2**62)), 42 - 2**62)
    await same(client.decrby("n", -(2**62)), 42)
    await same(client.decr("n"), 41)
    await client.set("text", "abc")
    with pytest.raises(RequestError, match="not an integer"):
        await client.incr("text")


async def test_keys_are_counted_and_deleted(client: GlideClient) -> None:
    await client.mset({"a": "1", "b": "2"})
    await same(client.exists(["a", "a", "b", "none"]), 3)
    await same(client.dbsize(), 2)
    await same(client.delete(["a", "none", "a"]), 1)
    await same(client.exists(("a",)), 0)


@pytest.mark.needs("commands of Redis 7")
async def test_a_key_expires_under_conditions(client: GlideClient) -> None:
    await same(client.expire("none", 100), False)
    await same(client.ttl("none"), -2)
    await client.set("k", "v")
    await same(client.ttl("k"), -1)
    for option, done in [
        (ExpireOptions.HasExistingExpiry, False),
        (ExpireOptions.NewExpiryGreaterThanCurrent, False),
        (ExpireOptions.HasNoExpiry, True),
        (ExpireOptions.HasNoExpiry, False),
        (ExpireOptions.HasExistingExpiry, True),
        (ExpireOptions.NewExpiryLessThanCurrent, False),
        (None, True),
    ]:
        await same(client.expire("k", 100, option), done)
    await same(client.expire("k", 1000, ExpireOptions.NewExpiryGreaterThanCurrent), True)
    await same(client.expire("k", 0), True)
    await same(client.exists(["k"]), 0)


async def test_a_hash_holds_fields(client: GlideClient) -> None:
    await same(client.hgetall("h"), {})
    mixed: dict[TEncodable, TEncodable] = {"a": "1", b"\xff": b"\x00"}
    await same(client.hset("h", mixed), 2)
    await same(client.hset("h", {"a": "2", "c": "3"}), 1)
    await same(client.hget("h", "a"), b"2")
    await same(client.hget("h", "none"), None)
    await same(client.hgetall("h"), {b"a": b"2", b"\xff": b"\x00", b"c": b"3"})


async def test_a_list_grows_at_both_ends(client: GlideClient) -> None:
    await same(client.lrange("l", 0, -1), [])
    await same(client.rpush("l", ["c", b"d"]), 2)
    await same(client.lpush("l", ["b", "a"]), 4)
    await same(client.lrange("l", 0, -1), [b"a", b"b", b"c", b"d"])
    await same(client.lrange("l", -2, 2), [b"c"])


async def test_a_set_of_members_holds_each_once(client: GlideClient) -> None:
    await same(client.smembers("s"), set())
    await same(client.sadd("s", ["a", b"\xff", "a"]), 2)
    await same(client.sadd("s", ["a"]), 0)
    members = await client.smembers("s")
    assert type(members) is set
    assert members == {b"a", b"\xff"}


@pytest.mark.parametrize(
    "score", [1, 1.5, -0.1, 1e300, 5e-324, 2**53, math.inf, -math.inf, 0.1 + 0.2]
)
async def test_a_score_comes_back_as_the_float_that_it_was(
    client: GlideClient, score: float
) -> None:
    await same(client.zadd("z", {"m": score}), 1)
    await same(client.zscore("z", "m"), float(score))


async def test_a_score_that_is_not_there_is_none(client: GlideClient) -> None:
    await same(client.zscore("none", "m"), None)
    await client.zadd("z", {"m": 1})
    await same(client.zscore("z", "none"), None)


@pytest.mark.parametrize(
    ("options", "reply", "scores"),
    [
        ({}, 1, [2.0, 5.0]),
        ({"changed": True}, 2, [2.0, 5.0]),
        ({"existing_options": NEW}, 1, [1.0, 5.0]),
        ({"existing_options": OLD}, 0, [2.0, None]),
        ({"existing_options": OLD, "changed": True}, 1, [2.0, None]),
        ({"update_condition": GREATER, "changed": True}, 2, [2.0, 5.0]),
        ({"update_condition": LESS, "changed": True}, 1, [1.0, 5.0]),
        ({"existing_options": OLD, "update_condition": LESS, "changed": True}, 0, [1.0, None]),
    ],
    ids=str,
)
async def test_scores_are_added_under_conditions(
    client: GlideClient, options: dict[str, Any], reply: int, scores: list[float | None]
) -> None:
    await client.zadd("z", {"a": 1})
    await same(client.zadd("z", {"a": 2, "b": 5}, **options), reply)
    assert [await client.zscore("z", member) for member in ("a", "b")] == scores


@pytest.mark.parametrize("message", ["hello", b"\x00\xff", "", "OK"])
async def test_the_server_repeats_a_message(client: GlideClient, message: str | bytes) -> None:
    expected = message.encode() if isinstance(message, str) else message
    await same(client.ping(message), expected)
    await same(client.echo(message), expected)


async def test_the_server_gives_a_sign_of_life(client: GlideClient) -> None:
    await same(client.ping(), b"PONG")


@pytest.mark.needs("several at once")
async def test_the_server_tells_about_itself(client: GlideClient) -> None:
    everything = await client.info()
    assert type(everything) is bytes
    assert b"# Server" in everything
    some = await client.info([InfoSection.CLIENTS, InfoSection.STATS])
    assert b"# Clients" in some
    assert b"# Stats" in some
    assert b"# Server" not in some
    assert b"# Commandstats" in await client.info([InfoSection.EVERYTHING])
    assert await client.info([]) != b""


async def test_the_server_tells_the_time(client: GlideClient) -> None:
    seconds, microseconds = await client.time()
    assert type(seconds) is type(microseconds) is bytes
    assert abs(int(seconds) - time.time()) < 60
    assert 0 <= int(microseconds) < 1_000_000


@pytest.mark.needs("several at once")
async def test_settings_are_got_and_set(client: GlideClient) -> None:
    before = await client.config_get(["slowlog-max-len", "maxmemory-policy"])
    assert before == {b"slowlog-max-len": b"128", b"maxmemory-policy": b"noeviction"}
    mixed: dict[TEncodable, TEncodable] = {
        "slowlog-max-len": "64",
        b"slowlog-log-slower-than": b"1",
    }
    assert await client.config_set(mixed) is OK
    await same(client.config_get([b"slowlog-max-*"]), {b"slowlog-max-len": b"64"})
    await same(client.config_get(["no-such-setting"]), {})
    await client.config_set({"slowlog-max-len": "128", "slowlog-log-slower-than": "10000"})
    with pytest.raises(RequestError, match="no-such-setting"):
        await client.config_set({"no-such-setting": "1"})


@pytest.mark.parametrize("mode", [None, FlushMode.SYNC, FlushMode.ASYNC])
async def test_a_flush_deletes_all_keys(client: GlideClient, mode: FlushMode | None) -> None:
    await client.mset({"a": "1", "b": "2"})
    assert await client.flushall(mode) is OK
    await same(client.dbsize(), 0)


@pytest.mark.parametrize("words", [["SET", "k", "v"], ("SET", b"k", bytearray(b"v"))])
async def test_any_command_can_be_sent(client: GlideClient, words: Any) -> None:
    assert await client.custom_command(words) is OK
    await same(client.custom_command([b"GET", "k"]), b"v")
    await same(client.custom_command(["STRLEN", memoryview(b"k")]), 1)


BAD_CALLS: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    (lambda c: c.custom_command([]), ValueError, "command_args is empty; pass at least one"),
    (
        lambda c: c.custom_command("PING"),
        TypeError,
        "command_args is str; pass a list of str or bytes",
    ),
    (
        lambda c: c.custom_command(["GET", 1]),
        TypeError,
        "command_args[1] is int; pass str or bytes",
    ),
    (
        lambda c: c.custom_command(None),
        TypeError,
        "command_args is NoneType; pass a list of str or bytes",
    ),
    (lambda c: c.get(1), TypeError, "key is int; pass str or bytes"),
    (lambda c: c.set("k", None), TypeError, "value is NoneType; pass str or bytes"),
    (
        lambda c: c.set("k", "v", "NX"),
        TypeError,
        "conditional_set is str; pass a ConditionalChange or an OnlyIfEqual",
    ),
    (lambda c: c.set("k", "v", expiry=10), TypeError, "expiry is int; pass an ExpirySet"),
    (
        lambda c: c.set("k", "v", return_old_value=1),
        TypeError,
        "return_old_value is int; pass bool",
    ),
    (lambda c: c.delete("k"), TypeError, "keys is str; pass a list of str or bytes"),
    (lambda c: c.delete([]), ValueError, "keys is empty; pass at least one"),
    (lambda c: c.exists(["a", 2]), TypeError, "keys[1] is int; pass str or bytes"),
    (lambda c: c.mget([]), ValueError, "keys is empty; pass at least one"),
    (lambda c: c.mset(["a"]), TypeError, "key_value_map is list; pass a dict of str or bytes"),
    (lambda c: c.mset({}), ValueError, "key_value_map is empty; pass at least one"),
    (
        lambda c: c.hset("h", {"f": 1}),
        TypeError,
        "field_value_map: value 0 is int; pass str or bytes",
    ),
    (lambda c: c.incrby("n", 1.5), TypeError, "amount is float; pass int"),
    (lambda c: c.incrby("n", True), TypeError, "amount is bool; pass int"),
    (lambda c: c.expire("k", "10"), TypeError, "seconds is str; pass int"),
    (lambda c: c.lpush("l", b"x"), TypeError, "elements is bytes; pass a list of str or bytes"),
    (lambda c: c.lrange("l", None, 1), TypeError, "start is NoneType; pass int"),
    (lambda c: c.sadd("s", {"a"}), TypeError, "members is set; pass a list of str or bytes"),
    (
        lambda c: c.zadd("z", {"m": "1"}),
        TypeError,
        "members_scores: score 0 is str; pass int or float",
    ),
    (
        lambda c: c.zadd("z", {"m": math.nan}),
        ValueError,
        "members_scores: score 0 is nan; pass a number",
    ),
    (lambda c: c.ping(1), TypeError, "message is int; pass str or bytes"),
    (lambda c: c.info(["server"]), TypeError, "sections[0] is str; pass a member of InfoSection"),
    (lambda c: c.config_get([]), ValueError, "parameters is empty; pass at least one"),
    (lambda c: c.flushall("SYNC"), TypeError, "flush_mode is str; pass a member of FlushMode"),
]


@pytest.mark.parametrize(("call", "kind", "text"), BAD_CALLS, ids=[text for *_, text in BAD_CALLS])
async def test_a_wrong_argument_is_refused_and_the_client_works_on(
    client: GlideClient, call: Callable[[Any], Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        await call(client)
    assert str(caught.value) == text
    assert await client.ping() == b"PONG"
    assert await client.dbsize() == 0


BAD_TEXT: list[tuple[Callable[[Any], Any], str]] = [
    (lambda c: c.get("\ud800"), "key"),
    (lambda c: c.set("k", "\ud800"), "value"),
    (lambda c: c.mget(["k", "\ud800"]), "keys[1]"),
    (lambda c: c.mset({"k": "\ud800"}), "key_value_map: value 0"),
    (lambda c: c.custom_command(["GET", "\ud800"]), "command_args[1]"),
]


@pytest.mark.parametrize(("call", "name"), BAD_TEXT, ids=[name for _, name in BAD_TEXT])
async def test_text_with_a_lone_surrogate_is_refused_by_name(
    client: GlideClient, call: Callable[[GlideClient], Any], name: str
) -> None:
    with pytest.raises(ValueError, match="cannot be encoded as UTF-8") as caught:
        await call(client)
    assert str(caught.value).startswith(f"{name} is text")
    assert await client.ping() == b"PONG"


COMMANDS = [
    name
    for name, member in inspect.getmembers(GlideClient, inspect.iscoroutinefunction)
    if not name.startswith("_")
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_public_method_is_a_coroutine_function_with_a_docstring(name: str) -> None:
    method = getattr(GlideClient, name)
    assert inspect.iscoroutinefunction(method)
    assert inspect.getdoc(method)


def test_all_that_a_client_offers_is_a_coroutine_function_or_gives_an_awaitable() -> None:
    public = {name for name in dir(GlideClient) if not name.startswith("_")}
    assert public - set(COMMANDS) == {"bind", "invoke_script_many", "stats"}


async def test_keys_may_have_moved_if_the_other_server_did_not_answer_migrate(
    client: GlideClient, own_server: ValkeyServer
) -> None:
    await client.set("key", "value")
    own_server.pause()
    try:
        command = ["MIGRATE", own_server.host, str(own_server.port), "key", "0", "50"]
        with pytest.raises(RequestError, match="IOERR") as caught:
            await client.custom_command(command)
        assert caught.value.may_have_executed
    finally:
        own_server.resume()
