"""The commands that programs for GLIDE use besides the everyday ones, on both protocols."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from tests.standalone.test_commands_on_server import same
from tests.waiting import until

from glide_scripts import (
    OK,
    Batch,
    ConditionalChange,
    ExpireOptions,
    FlushMode,
    GlideClient,
    InfBound,
    LexBoundary,
    Limit,
    ObjectType,
    RangeByIndex,
    RangeByLex,
    RangeByScore,
    RequestError,
    ScoreBoundary,
    UpdateOptions,
)
from glide_scripts.testing import ValkeyServer


async def test_strings_are_changed_in_parts(client: GlideClient) -> None:
    await same(client.append("k", "hello"), 5)
    await same(client.append("k", b"\xff"), 6)
    await same(client.strlen("k"), 6)
    await same(client.getrange("k", 1, -2), b"ello")
    await same(client.setrange("k", 1, "a"), 6)
    await same(client.getdel("k"), b"hallo\xff")
    await same(client.getdel("k"), None)
    await same(client.strlen("k"), 0)
    await same(client.incrbyfloat("f", 1.5), 1.5)
    await same(client.incrbyfloat("f", 1), 2.5)


async def test_keys_are_renamed_copied_and_removed(client: GlideClient) -> None:
    await client.mset({"a": "1", "b": "2", "c": "3"})
    assert await client.rename("a", "n") is OK
    await same(client.renamenx("b", "n"), False)
    await same(client.renamenx("b", "m"), True)
    with pytest.raises(RequestError, match="no such key"):
        await client.rename("none", "x")
    await same(client.copy("n", "m"), False)
    await same(client.copy("n", "m", replace=True), True)
    await same(client.get("m"), b"1")
    await same(client.copy("n", "n", destinationDB=1), True)
    await same(client.touch(["n", "m", "none"]), 2)
    await same(client.unlink(["n", "m", "none"]), 2)
    await same(client.type("c"), b"string")
    await same(client.type("none"), b"none")
    await same(client.random_key(), b"c")
    assert await client.flushdb() is OK
    assert await client.flushdb(FlushMode.SYNC) is OK
    await same(client.random_key(), None)


async def test_a_key_s_expiry_is_set_read_and_removed(client: GlideClient) -> None:
    await client.set("k", "v")
    await same(client.pttl("k"), -1)
    await same(client.persist("k"), False)
    await same(client.pexpire("k", 100_000), True)
    assert 0 < await client.pttl("k") <= 100_000
    await same(client.persist("k"), True)
    then = int(time.time()) + 1000
    await same(client.expireat("k", then), True)
    assert 0 < await client.ttl("k") <= 1001
    await same(client.pexpireat("k", then * 1000), True)
    assert 0 < await client.ttl("k") <= 1001
    await same(client.pexpire("k", 0), True)
    await same(client.pttl("k"), -2)
    await same(client.pexpire("k", 1), False)


@pytest.mark.needs("commands of Redis 7")
async def test_a_key_s_expiry_is_a_point_in_time(client: GlideClient) -> None:
    await client.set("k", "v")
    await same(client.expiretime("k"), -1)
    then = int(time.time()) + 1000
    await client.expireat("k", then, ExpireOptions.HasNoExpiry)
    await same(client.expiretime("k"), then)
    await same(client.pexpiretime("k"), then * 1000)
    await same(client.pexpire("k", 1, ExpireOptions.NewExpiryGreaterThanCurrent), False)


async def test_a_dump_is_restored(client: GlideClient) -> None:
    await client.set("k", "v")
    dumped = await client.dump("k")
    assert dumped is not None
    await same(client.dump("none"), None)
    with pytest.raises(RequestError, match="BUSYKEY"):
        await client.restore("k", 0, dumped)
    assert await client.restore("k", 0, dumped, replace=True) is OK
    then = int(time.time() * 1000) + 100_000
    assert await client.restore("n", then, dumped, absttl=True, idletime=50) is OK
    await same(client.get("n"), b"v")
    assert 0 < await client.pttl("n") <= 100_001
    with pytest.raises(RequestError, match="DUMP payload"):
        await client.restore("x", 0, "damaged")


async def test_the_server_says_how_it_keeps_a_value(client: GlideClient) -> None:
    await client.set("k", "v")
    await same(client.object_encoding("k"), b"embstr")
    await same(client.object_refcount("k"), 1)
    assert await client.object_idletime("k") in {0, 1}
    with pytest.raises(RequestError, match="LFU"):
        await client.object_freq("k")
    for call in (client.object_encoding, client.object_refcount, client.object_idletime):
        await same(call("none"), None)


async def test_fields_of_a_hash(client: GlideClient) -> None:
    await client.hset("h", {"a": "1", "b": "2"})
    await same(client.hmget("h", ["b", "none", "a"]), [b"2", None, b"1"])
    await same(client.hexists("h", "a"), True)
    await same(client.hexists("h", "none"), False)
    await same(client.hincrby("h", "a", -3), -2)
    await same(client.hincrbyfloat("h", "b", 0.5), 2.5)
    await same(client.hsetnx("h", "a", "9"), False)
    await same(client.hsetnx("h", "c", "9"), True)
    await same(client.hlen("h"), 3)
    await same(client.hkeys("h"), [b"a", b"b", b"c"])
    await same(client.hvals("h"), [b"-2", b"2.5", b"9"])
    await same(client.hdel("h", ["a", "none", "c"]), 2)


async def test_elements_of_a_list(client: GlideClient) -> None:
    await client.rpush("l", ["a", "b", "c", "d", "b"])
    await same(client.llen("l"), 5)
    await same(client.lindex("l", -1), b"b")
    await same(client.lindex("l", 9), None)
    assert await client.lset("l", 0, "z") is OK
    await same(client.lrem("l", -1, "b"), 1)
    await same(client.lrange("l", 0, -1), [b"z", b"b", b"c", b"d"])
    assert await client.ltrim("l", 0, 2) is OK
    await same(client.lpop("l"), b"z")
    await same(client.rpop("l"), b"c")
    await client.rpush("l", ["x", "y", "z"])
    await same(client.lpop_count("l", 2), [b"b", b"x"])
    await same(client.rpop_count("l", 9), [b"z", b"y"])
    await same(client.lpop("l"), None)
    await same(client.rpop("l"), None)
    await same(client.lpop_count("l", 2), None)


async def test_members_of_a_set(client: GlideClient) -> None:
    await client.sadd("s", ["a", "b", "c"])
    await same(client.scard("s"), 3)
    await same(client.sismember("s", "a"), True)
    await same(client.sismember("none", "a"), False)
    await same(client.smismember("s", ["a", "x"]), [True, False])
    await same(client.srem("s", ["a", "x"]), 1)
    assert await client.spop("s") in {b"b", b"c"}
    assert await client.spop_count("s", 5) < {b"b", b"c"}
    await same(client.spop("s"), None)
    await same(client.spop_count("s", 5), set())


async def test_ranges_of_a_sorted_set(client: GlideClient) -> None:
    await client.zadd("z", {"a": 1, "b": 2.5, "c": math.inf})
    await same(client.zcard("z"), 3)
    await same(client.zrange("z", RangeByIndex(0, -1)), [b"a", b"b", b"c"])
    await same(client.zrange("z", RangeByIndex(0, 0), reverse=True), [b"c"])
    above_one = RangeByScore(ScoreBoundary(1, is_inclusive=False), InfBound.POS_INF)
    await same(client.zrange("z", above_one), [b"b", b"c"])
    below = RangeByScore(InfBound.POS_INF, ScoreBoundary(2), Limit(1, 5))
    await same(client.zrange_withscores("z", below, reverse=True), {b"b": 2.5})
    every = {b"a": 1.0, b"b": 2.5, b"c": math.inf}
    await same(client.zrange_withscores("z", RangeByIndex(0, -1)), every)
    await same(client.zrange_withscores("none", RangeByIndex(0, -1)), {})
    await client.zadd("l", {"a": 0, "b": 0, "c": 0})
    between = RangeByLex(LexBoundary("a", is_inclusive=False), LexBoundary("c"))
    await same(client.zrange("l", between), [b"b", b"c"])
    await same(client.zrange("l", RangeByLex(InfBound.NEG_INF, LexBoundary("a"))), [b"a"])
    await same(client.zcount("z", InfBound.NEG_INF, ScoreBoundary(2.5)), 2)


async def test_scores_and_positions_of_a_sorted_set(client: GlideClient) -> None:
    await same(client.zincrby("z", 1.5, "a"), 1.5)
    await same(client.zadd_incr("z", "b", 4), 4.0)
    absent = ConditionalChange.ONLY_IF_EXISTS
    await same(client.zadd_incr("z", "x", 4, absent), None)
    await same(client.zadd_incr("z", "b", -1, None, UpdateOptions.GREATER_THAN), None)
    await same(client.zrank("z", "b"), 1)
    await same(client.zrevrank("z", "b"), 0)
    await same(client.zrank("z", "x"), None)
    await same(client.zmscore("z", ["b", "x"]), [4.0, None])
    await client.zadd("z", {"c": 9, "d": 10})
    await same(client.zpopmin("z"), {b"a": 1.5})
    await same(client.zpopmax("z", 2), {b"d": 10.0, b"c": 9.0})
    await same(client.zrem("z", ["b", "x"]), 1)
    await same(client.zpopmin("z"), {})
    await same(client.zpopmax("z", 1), {})


async def test_a_scan_returns_every_key_once(client: GlideClient) -> None:
    await client.mset({f"u:{number}": "v" for number in range(500)})
    await client.rpush("u:list", ["x"])
    await client.set("other", "v")
    found: list[bytes] = []
    cursor: Any = "0"
    while cursor != b"0":
        cursor, keys = await client.scan(cursor, match="u:*", count=40, type=ObjectType.STRING)
        found += keys
    assert sorted(found) == sorted(b"u:%d" % number for number in range(500))


async def test_what_the_server_says_of_itself_and_the_connection(
    server: ValkeyServer, client: GlideClient
) -> None:
    assert await client.client_id() > 0
    await same(client.client_getname(), None)
    assert await client.config_resetstat() is OK
    assert 0 < await client.lastsave() <= time.time() + 1
    assert b"ver" in await client.lolwut()
    assert b"ver" in await client.lolwut(5, [30, 4, 4])
    assert await client.config_rewrite() is OK
    await same(client.publish("hi", "nobody"), 0)


async def test_a_message_is_published(server: ValkeyServer, client: GlideClient) -> None:
    with server.connect() as listener:
        listener.command("SUBSCRIBE", "news")
        await until(lambda: server.command("PUBSUB", "NUMSUB", "news") == [b"news", 1])
        await same(client.publish("hi", "news"), 1)


@pytest.mark.parametrize("is_atomic", [True, False])
async def test_a_batch_has_the_same_replies(client: GlideClient, is_atomic: bool) -> None:
    batch = Batch(is_atomic).append("k", "v").type("k").strlen("k").pexpire("k", 90_000)
    batch.persist("k").copy("k", "n").getdel("k").unlink(["n"]).hset("h", {"f": "1"})
    batch.hincrby("h", "f", 1).hmget("h", ["f", "g"]).hexists("h", "f").hdel("h", ["f"])
    batch.rpush("l", ["a", "b"]).llen("l").lpop("l").rpop_count("l", 2)
    batch.sadd("s", ["m"]).sismember("s", "m").scard("s").srem("s", ["m"])
    batch.zadd("z", {"m": 1}).zincrby("z", 0.5, "m").zcard("z").zrange("z", RangeByIndex(0, -1))
    batch.zrange_withscores("z", RangeByIndex(0, -1)).zpopmin("z").zrem("z", ["m"])
    batch.scan("0").config_resetstat().flushdb()
    assert await client.exec(batch, raise_on_error=True) == [
        *(1, b"string", 1, True),
        *(True, True, b"v", 1, 1),
        *(2, [b"2", None], True, 1),
        *(2, 2, b"a", [b"b"]),
        *(1, True, 1, 1),
        *(1, 1.5, 1, [b"m"]),
        *({b"m": 1.5}, {b"m": 1.5}, 0),
        *([b"0", []], OK, OK),
    ]
