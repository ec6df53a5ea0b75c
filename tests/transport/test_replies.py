"""What the libraries' methods return: here the same as over the libraries' own connections."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import pytest
import redis
from tests.transport.conftest import Connect
from tests.transport.kinds import Kind, closed, done
from tests.transport.outcomes import outcome

from glide_scripts.testing import ValkeyServer

CALLS: dict[str, Callable[[Any], Any]] = {
    "set": lambda c: c.set("text", "välue", ex=1000),
    "set of an int": lambda c: c.set("count", 5),
    "set of a float": lambda c: c.set("float", 1.5),
    "set of bytes": lambda c: c.set(b"bytes", b"\xc3\xa9"),
    "set if missing": lambda c: c.set("text", "other", nx=True),
    "set and get": lambda c: c.set("count", 6, get=True),
    "get": lambda c: c.get("text"),
    "get of nothing": lambda c: c.get("none"),
    "getex": lambda c: c.getex("text", persist=True),
    "mset": lambda c: c.mset({"a": 1, "b": "two"}),
    "mget": lambda c: c.mget("a", "b", "none"),
    "incr": lambda c: c.incr("count", 10),
    "incrbyfloat": lambda c: c.incrbyfloat("float", 0.25),
    "append": lambda c: c.append("text", "!"),
    "setbit": lambda c: c.setbit("bits", 7, 1),
    "bitfield": lambda c: c.bitfield("bits").get("u8", 0).execute(),
    "exists": lambda c: c.exists("a", "b", "none"),
    "expire": lambda c: c.expire("a", 100),
    "ttl": lambda c: c.ttl("b"),
    "persist": lambda c: c.persist("a"),
    "type": lambda c: c.type("text"),
    "object encoding": lambda c: c.object("encoding", "count"),
    "hset": lambda c: c.hset("hash", mapping={"one": 1, "two": "zwei"}),
    "hget": lambda c: c.hget("hash", "one"),
    "hgetall": lambda c: c.hgetall("hash"),
    "hgetall of nothing": lambda c: c.hgetall("none"),
    "hmget": lambda c: c.hmget("hash", "one", "none"),
    "hkeys": lambda c: c.hkeys("hash"),
    "hexists": lambda c: c.hexists("hash", "one"),
    "hincrbyfloat": lambda c: c.hincrbyfloat("hash", "one", 0.5),
    "hscan": lambda c: c.hscan("hash"),
    "hrandfield": lambda c: c.hrandfield("hash", 2, withvalues=True),
    "rpush": lambda c: c.rpush("list", "a", 2, 3.5),
    "lrange": lambda c: c.lrange("list", 0, -1),
    "lpos": lambda c: c.lpos("list", "a"),
    "lpop": lambda c: c.lpop("list", 2),
    "lmove": lambda c: c.lmove("list", "other", "LEFT", "RIGHT"),
    "lmpop": lambda c: c.lmpop(1, "other", direction="LEFT"),
    "blpop": lambda c: c.blpop(["none", "list"], timeout=0.01),
    "sadd": lambda c: c.sadd("set", "a"),
    "smembers": lambda c: c.smembers("set"),
    "smembers of nothing": lambda c: c.smembers("none"),
    "sismember": lambda c: c.sismember("set", "a"),
    "smismember": lambda c: c.smismember("set", ["a", "b"]),
    "sinter": lambda c: c.sinter("set", "set"),
    "spop": lambda c: c.spop("set"),
    "sscan": lambda c: c.sscan("set"),
    "zadd": lambda c: c.zadd("zset", {"a": 1, "b": 2.5, "c": float("inf")}),
    "zadd incr": lambda c: c.zadd("zset", {"a": 1}, incr=True),
    "zscore": lambda c: c.zscore("zset", "b"),
    "zscore of nothing": lambda c: c.zscore("zset", "none"),
    "zmscore": lambda c: c.zmscore("zset", ["a", "none"]),
    "zincrby": lambda c: c.zincrby("zset", 1.5, "a"),
    "zrange": lambda c: c.zrange("zset", 0, -1),
    "zrange with scores": lambda c: c.zrange("zset", 0, -1, withscores=True),
    "zrange, int scores": lambda c: c.zrange("zset", 0, 0, withscores=True, score_cast_func=int),
    "zrevrangebyscore": lambda c: c.zrevrangebyscore("zset", 5, 0, withscores=True),
    "zrank": lambda c: c.zrank("zset", "b"),
    "zrank with score": lambda c: c.zrank("zset", "b", withscore=True),
    "zrandmember of nothing": lambda c: c.zrandmember("none", 1),
    "zunion": lambda c: c.zunion(["zset"], withscores=True),
    "zdiff": lambda c: c.zdiff(["zset", "none"], withscores=True),
    "zscan": lambda c: c.zscan("zset"),
    "zpopmin": lambda c: c.zpopmin("zset"),
    "zmpop": lambda c: c.zmpop(1, ["zset"], max=True),
    "bzpopmin": lambda c: c.bzpopmin("zset", 0.01),
    "geoadd": lambda c: c.geoadd("geo", (13.36, 38.11, "here")),
    "geopos": lambda c: c.geopos("geo", "here", "none"),
    "geodist": lambda c: c.geodist("geo", "here", "here", unit="km"),
    "geosearch": lambda c: c.geosearch(
        "geo", member="here", radius=1, withcoord=True, withdist=True, withhash=True
    ),
    "pfadd": lambda c: c.pfadd("log", "a", "b"),
    "pfcount": lambda c: c.pfcount("log"),
    "xadd": lambda c: c.xadd("stream", {"field": 1}, id="1-1"),
    "xgroup create": lambda c: c.xgroup_create("stream", "group", id="0"),
    "xrange": lambda c: c.xrange("stream"),
    "xread": lambda c: c.xread({"stream": "0"}),
    "xread of nothing": lambda c: c.xread({"stream": "$"}),
    "xread that blocks": lambda c: c.xread({"stream": "0"}, block=10),
    "xreadgroup": lambda c: c.xreadgroup("group", "me", {"stream": ">"}),
    "xpending": lambda c: c.xpending("stream", "group"),
    "xinfo stream": lambda c: c.xinfo_stream("stream"),
    "xinfo groups": lambda c: c.xinfo_groups("stream"),
    "xack": lambda c: c.xack("stream", "group", "1-1"),
    "xautoclaim": lambda c: c.xautoclaim("stream", "group", "me", 0),
    "scan": lambda c: c.scan(0, match="geo*", count=1000),
    "keys": lambda c: c.keys("geo*"),
    "sort": lambda c: c.sort("list", alpha=True, desc=True),
    "dbsize": lambda c: c.dbsize(),
    "ping": lambda c: c.ping(),
    "echo": lambda c: c.echo("text"),
    "config get": lambda c: c.config_get("maxmemory*"),
    "config set": lambda c: c.config_set("maxmemory-samples", 5),
    "command count": lambda c: c.command_count(),
    "memory usage": lambda c: c.memory_usage("none"),
    "acl whoami": lambda c: c.acl_whoami(),
    "slowlog": lambda c: c.slowlog_len(),
    "script exists": lambda c: c.script_exists("0" * 40),
    "eval": lambda c: c.eval("return {1, 'two', false, {3}, redis.status_reply('FINE')}", 0),
    "eval of a map": lambda c: c.eval(
        "redis.setresp(3) return {map = {a = 1}, double = {double = 1.5}}", 0
    ),
    "eval of a double": lambda c: c.eval("return {double = 1.5}", 0),
    "eval of a set": lambda c: c.eval("return {set = {a = true}}", 0),
    "eval of a map alone": lambda c: c.eval("return {map = {a = 1}}", 0),
    "eval of true": lambda c: c.eval("redis.setresp(3) return true", 0),
    "publish": lambda c: c.publish("channel", "message"),
    "pubsub numsub": lambda c: c.pubsub_numsub("channel"),
    "dump": lambda c: c.dump("none"),
    "execute_command": lambda c: c.execute_command("GET", "text"),
    "execute_command, small": lambda c: c.execute_command("hgetall", "hash"),
    "execute_command, words": lambda c: c.execute_command("CONFIG", "GET", "maxmemory"),
    "execute_command, bytes": lambda c: c.execute_command(b"HGETALL", "hash"),
    "wrong type": lambda c: c.lpush("text", 1),
    "unknown command": lambda c: c.execute_command("NOPE", 1),
    "wrong argument": lambda c: c.set("key", None),
    "boolean argument": lambda c: c.set("key", True),
    "too few arguments": lambda c: c.execute_command("GET"),
    "rename of nothing": lambda c: c.rename("none", "other"),
    "delete": lambda c: c.delete("text", "none"),
}

DECODING: list[dict[str, Any]] = [
    {},
    {"decode_responses": True},
    {"protocol": 2},
    {"protocol": 3},
    {"protocol": 3, "decode_responses": True},
    {"encoding": "latin-1", "decode_responses": True},
]


# From redis-py 8 on, replies of RESP2 and RESP3 can have one form.
OF_REDIS_PY: list[dict[str, Any]] = []
if "legacy_responses" in signature(redis.Redis.__init__).parameters:
    OF_REDIS_PY = [{"legacy_responses": False}, {"legacy_responses": False, "protocol": 2}]


@pytest.mark.parametrize("options", DECODING, ids=str)
async def test_replies_and_errors_are_the_librarys(
    kind: Kind, own_server: ValkeyServer, connect: Connect, options: dict[str, Any]
) -> None:
    clients = kind.client(own_server.url, own=True, **options), connect(own_server, **options)
    await compare(*clients)


@pytest.mark.parametrize("is_sync", [False, True])
async def test_so_are_the_new_forms_of_redis_py(own_server: ValkeyServer, is_sync: bool) -> None:
    kind = Kind("redis", is_sync)
    for options in OF_REDIS_PY:
        own, here = (kind.client(own_server.url, own=own, **options) for own in (True, False))
        await compare(own, here)
        await closed(here)


async def compare(own: Any, here: Any) -> None:
    """Makes all calls by both clients, and closes the first."""
    results: list[dict[str, Any]] = []
    for client in (own, here):
        await done(client.flushall())
        # On a busy machine, any command may be slow.
        await done(client.config_set("slowlog-log-slower-than", -1))
        results.append({name: await outcome(call, client) for name, call in CALLS.items()})
    await closed(own)
    for name in CALLS:
        assert results[1][name] == results[0][name], name


@pytest.mark.parametrize(
    "words",
    [
        "NOREPLICAS Not enough good replicas to write.",
        "READONLY You can't write against a read only replica.",
        "CROSSSLOT Keys in request don't hash to the same slot",
    ],
)
async def test_an_eval_is_not_repeated_because_of_what_it_returned(
    kind: Kind, server: ValkeyServer, connect: Connect, words: str
) -> None:
    client = connect(server)
    code = "redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])"
    with pytest.raises(kind.exceptions.ResponseError) as caught:
        await done(client.eval(code, 1, "n", words))
    assert caught.value.may_have_executed is True
    assert await done(client.get("n")) == b"1"
