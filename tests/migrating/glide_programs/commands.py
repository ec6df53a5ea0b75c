"""The commands around scripts, one by one, on one server; with the replies' types."""

import asyncio
import sys

from glide import (
    ConditionalChange,
    ExpireOptions,
    ExpirySet,
    ExpiryType,
    FlushMode,
    GlideClient,
    GlideClientConfiguration,
    InfBound,
    InfoSection,
    LexBoundary,
    Limit,
    Logger,
    LogLevel,
    NodeAddress,
    ObjectType,
    ProtocolVersion,
    RangeByIndex,
    RangeByLex,
    RangeByScore,
    ScoreBoundary,
    UpdateOptions,
)


def show(name: str, value: object) -> None:
    if isinstance(value, set):
        value = sorted(value)
    print(name, "OK" if value == "OK" else repr(value))


async def strings_and_keys(client: GlideClient) -> None:
    show("set", await client.set("k", "v"))
    new = ConditionalChange.ONLY_IF_DOES_NOT_EXIST
    show("set", await client.set("k", "w", new))
    show("set", await client.set("k", "w", expiry=ExpirySet(ExpiryType.SEC, 90)))
    show("set", await client.set("k", "x", return_old_value=True))
    show("get", [await client.get("k"), await client.get("none")])
    show("mset", await client.mset({"a": "1", "b": "2"}))
    show("mget", await client.mget(["a", "none", "b"]))
    show("incr", [await client.incr("a"), await client.incrby("a", 5), await client.decr("a")])
    show("decrby", await client.decrby("a", 3))
    show("incrbyfloat", await client.incrbyfloat("a", 0.5))
    show("append", await client.append("k", "yz"))
    show("strlen", await client.strlen("k"))
    show("getrange", await client.getrange("k", 1, -1))
    show("setrange", await client.setrange("k", 0, "X"))
    show("getdel", [await client.getdel("k"), await client.getdel("k")])
    show("exists", await client.exists(["a", "a", "none"]))
    show("touch", await client.touch(["a", "none"]))
    show("type", [await client.type("a"), await client.type("none")])
    show("expire", [await client.expire("a", 90), await client.expire("none", 90)])
    option = ExpireOptions.HasNoExpiry
    show("pexpire", [await client.pexpire("a", 9000, option), await client.pexpire("b", 90000)])
    show("ttl", 80 < await client.ttl("a") <= 90)
    show("pttl", [80_000 < await client.pttl("b") <= 90_000, await client.pttl("none")])
    show("expireat", await client.expireat("a", 9_999_999_999))
    show("expiretime", await client.expiretime("a"))
    show("pexpireat", await client.pexpireat("a", 9_999_999_999_000))
    show("pexpiretime", await client.pexpiretime("a"))
    show("persist", [await client.persist("a"), await client.persist("a")])
    dumped = await client.dump("b")
    show("dump", [type(dumped), await client.dump("none")])
    show("restore", await client.restore("c", 0, dumped or b"", replace=True))
    show("copy", [await client.copy("c", "d"), await client.copy("c", "d", replace=True)])
    show("rename", await client.rename("d", "e"))
    show("renamenx", await client.renamenx("e", "c"))
    show("object_encoding", [await client.object_encoding("c"), await client.object_encoding("x")])
    show("object_refcount", await client.object_refcount("none"))
    show("object_idletime", await client.object_idletime("none"))
    cursor, keys = await client.scan("0", match="[abc]", count=1000, type=ObjectType.STRING)
    show("scan", [cursor, sorted(keys)])
    show("unlink", await client.unlink(["c", "none"]))
    show("delete", await client.delete(["e", "none"]))


async def collections(client: GlideClient) -> None:
    show("hset", await client.hset("h", {"f": "1", "g": "2"}))
    show("hget", [await client.hget("h", "f"), await client.hget("h", "x")])
    show("hgetall", [await client.hgetall("h"), await client.hgetall("none")])
    show("hmget", await client.hmget("h", ["g", "x"]))
    show("hexists", [await client.hexists("h", "f"), await client.hexists("h", "x")])
    show("hincrby", await client.hincrby("h", "f", 4))
    show("hincrbyfloat", await client.hincrbyfloat("h", "f", 0.5))
    show("hsetnx", [await client.hsetnx("h", "f", "9"), await client.hsetnx("h", "i", "9")])
    show("hlen", await client.hlen("h"))
    show("hkeys", await client.hkeys("h"))
    show("hvals", await client.hvals("h"))
    show("hdel", await client.hdel("h", ["f", "x"]))
    show("rpush", await client.rpush("l", ["a", "b", "c", "b"]))
    show("lpush", await client.lpush("l", ["z"]))
    show("llen", await client.llen("l"))
    show("lindex", [await client.lindex("l", 0), await client.lindex("l", 99)])
    show("lset", await client.lset("l", 0, "y"))
    show("lrem", await client.lrem("l", 1, "b"))
    show("lrange", await client.lrange("l", 0, -1))
    show("ltrim", await client.ltrim("l", 0, 2))
    show("pop", [await client.lpop("l"), await client.rpop("l"), await client.lpop("none")])
    show("pop", [await client.lpop_count("l", 5), await client.rpop_count("l", 5)])
    show("sadd", await client.sadd("s", ["a", "b", "c"]))
    show("smembers", await client.smembers("s"))
    show("sismember", [await client.sismember("s", "a"), await client.sismember("s", "x")])
    show("smismember", await client.smismember("s", ["a", "x"]))
    show("scard", await client.scard("s"))
    show("srem", await client.srem("s", ["a", "x"]))
    show("spop", type(await client.spop("s")))
    show("spop_count", len(await client.spop_count("s", 9)))
    show("spop_count", await client.spop_count("s", 9))


async def sorted_sets(client: GlideClient) -> None:
    show("zadd", await client.zadd("z", {"a": 1, "b": 2.5, "c": float("inf")}))
    greater = UpdateOptions.GREATER_THAN
    show("zadd", await client.zadd("z", {"a": 1.5}, update_condition=greater, changed=True))
    show("zadd_incr", [await client.zadd_incr("z", "a", 1), await client.zadd_incr("y", "n", 2)])
    show("zincrby", await client.zincrby("z", -1, "a"))
    show("zscore", [await client.zscore("z", "b"), await client.zscore("z", "x")])
    show("zmscore", await client.zmscore("z", ["b", "x"]))
    show("zcard", await client.zcard("z"))
    show("zcount", await client.zcount("z", InfBound.NEG_INF, ScoreBoundary(2.5, False)))
    show("zrange", await client.zrange("z", RangeByIndex(0, -1)))
    show("zrange", await client.zrange("z", RangeByIndex(0, 1), reverse=True))
    above = RangeByScore(ScoreBoundary(1.5), InfBound.POS_INF, Limit(1, 1))
    show("zrange", await client.zrange("z", above))
    by_name = RangeByLex(LexBoundary("a", False), InfBound.POS_INF)
    show("zrange", len(await client.zrange("z", by_name)))
    show("withscores", await client.zrange_withscores("z", RangeByIndex(0, -1)))
    show("withscores", await client.zrange_withscores("none", RangeByIndex(0, -1)))
    show("zrank", [await client.zrank("z", "b"), await client.zrank("z", "x")])
    show("zrevrank", await client.zrevrank("z", "b"))
    show("zrem", await client.zrem("z", ["b", "x"]))
    show("zpopmin", [await client.zpopmin("z"), await client.zpopmin("none")])
    show("zpopmax", await client.zpopmax("z", 5))


async def server(client: GlideClient) -> None:
    show("ping", [await client.ping(), await client.ping("hi")])
    show("echo", await client.echo("hi"))
    show("info", b"# Server" in await client.info([InfoSection.SERVER]))
    show("time", [type(each) for each in await client.time()])
    show("dbsize", await client.dbsize() > 0)
    show("config_set", await client.config_set({"maxmemory-samples": "7"}))
    show("config_get", await client.config_get(["maxmemory-samples"]))
    show("config_set", await client.config_set({"maxmemory-samples": "5"}))
    show("config_resetstat", await client.config_resetstat())
    show("config_rewrite", await client.config_rewrite())
    show("client_id", await client.client_id() > 0)
    show("client_getname", await client.client_getname())
    show("lastsave", await client.lastsave() > 0)
    show("lolwut", b"ver" in await client.lolwut(5, [20, 4, 4]))
    show("publish", await client.publish("message", "channel"))
    show("random_key", type(await client.random_key()))
    show("flushdb", await client.flushdb(FlushMode.SYNC))
    show("random_key", await client.random_key())
    show("flushall", await client.flushall())
    show("custom_command", await client.custom_command(["CLIENT", "GETNAME"]))


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    for protocol in ProtocolVersion:
        config = GlideClientConfiguration(
            [NodeAddress(host, port)], protocol=protocol, client_name="me", request_timeout=5000
        )
        client = await GlideClient.create(config)
        await strings_and_keys(client)
        await collections(client)
        await sorted_sets(client)
        await server(client)
        await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
