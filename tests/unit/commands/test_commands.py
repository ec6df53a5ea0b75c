"""The definitions of commands: the words sent, the replies decoded, the arguments refused."""

import inspect
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import pytest

from glide_scripts import (
    OK,
    ConditionalChange,
    ExpireOptions,
    ExpirySet,
    ExpiryType,
    FlushMode,
    FunctionLibrary,
    FunctionRestorePolicy,
    InfBound,
    InfoSection,
    LexBoundary,
    Limit,
    ObjectType,
    OnlyIfEqual,
    RangeByIndex,
    RangeByLex,
    RangeByScore,
    ScoreBoundary,
    Script,
    UpdateOptions,
)
from glide_scripts.commands import (
    custom,
    functions,
    hashes,
    key_expiry,
    keys,
    lists,
    scanning,
    scripting,
    server,
    sets,
    sorted_sets,
    strings,
)
from glide_scripts.commands.command import Command

MODULES = [
    custom,
    functions,
    hashes,
    key_expiry,
    keys,
    lists,
    scanning,
    scripting,
    server,
    sets,
    sorted_sets,
    strings,
]
# Helpers that are not commands.
HELPERS = {"filters", "publish_in_cluster"}
# Each command by the name of its method.
c = SimpleNamespace(
    **{
        name: value
        for module in MODULES
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name not in HELPERS
    }
)

SHA1 = "0" * 40
LIBRARY = FunctionLibrary("#!lua name=lib\n--")


def sent(command: Command[Any]) -> list[bytes]:
    return [word.encode() if isinstance(word, str) else bytes(word) for word in command.words]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (c.get("k"), b"GET k"),
        (c.set("k", "v"), b"SET k v"),
        (c.set("k", "v", ConditionalChange.ONLY_IF_EXISTS), b"SET k v XX"),
        (c.set("k", "v", ConditionalChange.ONLY_IF_DOES_NOT_EXIST), b"SET k v NX"),
        (c.set("k", "v", OnlyIfEqual(b"old")), b"SET k v IFEQ old"),
        (c.set("k", "v", None, ExpirySet(ExpiryType.SEC, 5)), b"SET k v EX 5"),
        (c.set("k", "v", expiry=ExpirySet(ExpiryType.KEEP_TTL)), b"SET k v KEEPTTL"),
        (
            c.set("k", "v", OnlyIfEqual("o"), ExpirySet(ExpiryType.MILLSEC, 5), True),
            b"SET k v IFEQ o GET PX 5",
        ),
        (c.delete(["a", b"b"]), b"DEL a b"),
        (c.exists(("a", "a")), b"EXISTS a a"),
        (c.expire("k", 10), b"EXPIRE k 10"),
        (c.expire("k", -1, ExpireOptions.NewExpiryGreaterThanCurrent), b"EXPIRE k -1 GT"),
        (c.ttl("k"), b"TTL k"),
        (c.incr("k"), b"INCR k"),
        (c.incrby("k", -(2**63)), b"INCRBY k -9223372036854775808"),
        (c.decr("k"), b"DECR k"),
        (c.decrby("k", -(2**63)), b"DECRBY k -9223372036854775808"),
        (c.mget(["a", "b"]), b"MGET a b"),
        (c.mset({"a": "1", "b": b"2"}), b"MSET a 1 b 2"),
        (c.hset("k", {b"f": "1", b"g": bytearray(b"2")}), b"HSET k f 1 g 2"),
        (c.hget("k", "f"), b"HGET k f"),
        (c.hgetall("k"), b"HGETALL k"),
        (c.lpush("k", ["a", "b"]), b"LPUSH k a b"),
        (c.rpush("k", [memoryview(b"a")]), b"RPUSH k a"),
        (c.lrange("k", 0, -1), b"LRANGE k 0 -1"),
        (c.sadd("k", ["a"]), b"SADD k a"),
        (c.smembers("k"), b"SMEMBERS k"),
        (c.zadd("k", {b"a": 1, b"b": 0.1}), b"ZADD k 1 a 0.1 b"),
        (
            c.zadd(
                "k",
                {"a": float("-inf")},
                ConditionalChange.ONLY_IF_EXISTS,
                UpdateOptions.LESS_THAN,
                True,
            ),
            b"ZADD k XX LT CH -inf a",
        ),
        (c.zscore("k", "a"), b"ZSCORE k a"),
        (c.append("k", "v"), b"APPEND k v"),
        (c.strlen("k"), b"STRLEN k"),
        (c.getdel("k"), b"GETDEL k"),
        (c.getrange("k", 1, -1), b"GETRANGE k 1 -1"),
        (c.setrange("k", 1, "v"), b"SETRANGE k 1 v"),
        (c.incrbyfloat("k", 0.5), b"INCRBYFLOAT k 0.5"),
        (c.unlink(["a", "b"]), b"UNLINK a b"),
        (c.touch(["a"]), b"TOUCH a"),
        (c.type("k"), b"TYPE k"),
        (c.rename("a", "b"), b"RENAME a b"),
        (c.renamenx("a", "b"), b"RENAMENX a b"),
        (c.copy("a", "b"), b"COPY a b"),
        (c.copy("a", "b", 1, True), b"COPY a b DB 1 REPLACE"),
        (c.copy("a", "b", replace=False), b"COPY a b"),
        (c.dump("k"), b"DUMP k"),
        (c.restore("k", 0, b"v"), b"RESTORE k 0 v"),
        (
            c.restore("k", 5, b"v", True, True, 1, 2),
            b"RESTORE k 5 v REPLACE ABSTTL IDLETIME 1 FREQ 2",
        ),
        (c.object_encoding("k"), b"OBJECT ENCODING k"),
        (c.object_freq("k"), b"OBJECT FREQ k"),
        (c.object_idletime("k"), b"OBJECT IDLETIME k"),
        (c.object_refcount("k"), b"OBJECT REFCOUNT k"),
        (c.pexpire("k", 10, ExpireOptions.HasNoExpiry), b"PEXPIRE k 10 NX"),
        (c.expireat("k", 10), b"EXPIREAT k 10"),
        (c.pexpireat("k", 10), b"PEXPIREAT k 10"),
        (c.persist("k"), b"PERSIST k"),
        (c.pttl("k"), b"PTTL k"),
        (c.expiretime("k"), b"EXPIRETIME k"),
        (c.pexpiretime("k"), b"PEXPIRETIME k"),
        (c.scan("0"), b"SCAN 0"),
        (c.scan(b"7", "u:*", 50, ObjectType.ZSET), b"SCAN 7 MATCH u:* COUNT 50 TYPE ZSet"),
        (c.hdel("k", ["f", b"g"]), b"HDEL k f g"),
        (c.hexists("k", "f"), b"HEXISTS k f"),
        (c.hincrby("k", "f", -1), b"HINCRBY k f -1"),
        (c.hincrbyfloat("k", "f", 0.5), b"HINCRBYFLOAT k f 0.5"),
        (c.hkeys("k"), b"HKEYS k"),
        (c.hlen("k"), b"HLEN k"),
        (c.hmget("k", ["f", "g"]), b"HMGET k f g"),
        (c.hsetnx("k", "f", "v"), b"HSETNX k f v"),
        (c.hvals("k"), b"HVALS k"),
        (c.llen("k"), b"LLEN k"),
        (c.lindex("k", -1), b"LINDEX k -1"),
        (c.lset("k", 0, "e"), b"LSET k 0 e"),
        (c.lrem("k", -2, "e"), b"LREM k -2 e"),
        (c.ltrim("k", 0, 9), b"LTRIM k 0 9"),
        (c.lpop("k"), b"LPOP k"),
        (c.lpop_count("k", 2), b"LPOP k 2"),
        (c.rpop("k"), b"RPOP k"),
        (c.rpop_count("k", 2), b"RPOP k 2"),
        (c.srem("k", ["a", "b"]), b"SREM k a b"),
        (c.sismember("k", "a"), b"SISMEMBER k a"),
        (c.smismember("k", ["a", "b"]), b"SMISMEMBER k a b"),
        (c.scard("k"), b"SCARD k"),
        (c.spop("k"), b"SPOP k"),
        (c.spop_count("k", 2), b"SPOP k 2"),
        (c.zrem("k", ["a"]), b"ZREM k a"),
        (c.zcard("k"), b"ZCARD k"),
        (c.zincrby("k", 0.5, "a"), b"ZINCRBY k 0.5 a"),
        (c.zadd_incr("k", "a", 2), b"ZADD k INCR 2 a"),
        (
            c.zadd_incr("k", "a", 2, ConditionalChange.ONLY_IF_EXISTS, UpdateOptions.GREATER_THAN),
            b"ZADD k XX GT INCR 2 a",
        ),
        (c.zcount("k", InfBound.NEG_INF, ScoreBoundary(2.5, False)), b"ZCOUNT k -inf (2.5"),
        (c.zrange("k", RangeByIndex(0, -1)), b"ZRANGE k 0 -1"),
        (c.zrange("k", RangeByIndex(0, -1), reverse=True), b"ZRANGE k 0 -1 REV"),
        (
            c.zrange("k", RangeByLex(LexBoundary("a"), LexBoundary(b"c", False))),
            b"ZRANGE k [a (c BYLEX",
        ),
        (
            c.zrange("k", RangeByLex(InfBound.NEG_INF, InfBound.POS_INF, Limit(1, 2))),
            b"ZRANGE k - + BYLEX LIMIT 1 2",
        ),
        (
            c.zrange_withscores(
                "k", RangeByScore(ScoreBoundary(9), InfBound.NEG_INF, Limit(0, -1)), True
            ),
            b"ZRANGE k 9 -inf BYSCORE LIMIT 0 -1 REV WITHSCORES",
        ),
        (c.zrank("k", "a"), b"ZRANK k a"),
        (c.zrevrank("k", "a"), b"ZREVRANK k a"),
        (c.zmscore("k", ["a", "b"]), b"ZMSCORE k a b"),
        (c.zpopmin("k"), b"ZPOPMIN k"),
        (c.zpopmax("k", 2), b"ZPOPMAX k 2"),
        (c.flushdb(FlushMode.SYNC), b"FLUSHDB SYNC"),
        (c.random_key(), b"RANDOMKEY"),
        (c.client_id(), b"CLIENT ID"),
        (c.client_getname(), b"CLIENT GETNAME"),
        (c.config_resetstat(), b"CONFIG RESETSTAT"),
        (c.config_rewrite(), b"CONFIG REWRITE"),
        (c.lastsave(), b"LASTSAVE"),
        (c.lolwut(5, [30, 4]), b"LOLWUT VERSION 5 30 4"),
        (c.publish("hi", "channel"), b"PUBLISH channel hi"),
        (c.ping(), b"PING"),
        (c.ping("hi"), b"PING hi"),
        (c.echo(b"hi"), b"ECHO hi"),
        (c.info(), b"INFO"),
        (c.info([]), b"INFO"),
        (c.info([InfoSection.SERVER, InfoSection.KEYSPACE]), b"INFO server keyspace"),
        (c.time(), b"TIME"),
        (c.dbsize(), b"DBSIZE"),
        (c.config_get(["max*", "save"]), b"CONFIG GET max* save"),
        (c.config_set({"maxmemory": "1gb"}), b"CONFIG SET maxmemory 1gb"),
        (c.flushall(), b"FLUSHALL"),
        (c.flushall(FlushMode.ASYNC), b"FLUSHALL ASYNC"),
        (c.eval("code"), b"EVAL code 0"),
        (c.eval(b"code", ["a", "b"], ["c"]), b"EVAL code 2 a b c"),
        (c.eval_ro("code", args=["c"]), b"EVAL_RO code 0 c"),
        (c.evalsha("sha", ["a"]), b"EVALSHA sha 1 a"),
        (c.evalsha_ro("sha", ("a",), ("b",)), b"EVALSHA_RO sha 1 a b"),
        (c.script_load(Script("code")), b"SCRIPT LOAD code"),
        (c.script_load("code"), b"SCRIPT LOAD code"),
        (c.script_load(bytearray(b"code")), b"SCRIPT LOAD code"),
        (c.script_exists(["a", b"b"]), b"SCRIPT EXISTS a b"),
        (c.script_flush(), b"SCRIPT FLUSH"),
        (c.script_flush(FlushMode.SYNC), b"SCRIPT FLUSH SYNC"),
        (c.script_show("sha"), b"SCRIPT SHOW sha"),
        (c.script_kill(), b"SCRIPT KILL"),
        (c.function_load("code"), b"FUNCTION LOAD code"),
        (c.function_load(b"code", True), b"FUNCTION LOAD REPLACE code"),
        (c.function_list(), b"FUNCTION LIST"),
        (c.function_list("my*", True), b"FUNCTION LIST LIBRARYNAME my* WITHCODE"),
        (c.function_delete("lib"), b"FUNCTION DELETE lib"),
        (c.function_flush(), b"FUNCTION FLUSH"),
        (c.function_flush(FlushMode.ASYNC), b"FUNCTION FLUSH ASYNC"),
        (c.function_kill(), b"FUNCTION KILL"),
        (c.function_stats(), b"FUNCTION STATS"),
        (c.function_dump(), b"FUNCTION DUMP"),
        (c.function_restore(b"dump"), b"FUNCTION RESTORE dump"),
        (
            c.function_restore(b"dump", FunctionRestorePolicy.REPLACE),
            b"FUNCTION RESTORE dump REPLACE",
        ),
        (c.fcall("f"), b"FCALL f 0"),
        (c.fcall(b"f", ["a", "b"], ["c"]), b"FCALL f 2 a b c"),
        (c.fcall_ro("f", arguments=["c"]), b"FCALL_RO f 0 c"),
        (c.fcall(LIBRARY.function("f"), ["a"]), b"FCALL f 1 a"),
        (c.fcall(LIBRARY.function("f", read_only=True)), b"FCALL_RO f 0"),
        (c.fcall_ro(LIBRARY.function("f")), b"FCALL_RO f 0"),
        (c.custom_command(["CLIENT", b"ID"]), b"CLIENT ID"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_a_command_is_sent_as_its_words(command: Command[Any], words: bytes) -> None:
    assert sent(command) == words.split(b" ")


def test_arguments_go_out_as_they_came() -> None:
    every_byte = bytes(range(256))
    assert sent(c.set(every_byte, "\N{SNOWMAN}")) == [b"SET", every_byte, b"\xe2\x98\x83"]


@pytest.mark.parametrize(
    ("command", "resp2", "resp3", "result"),
    [
        (c.get("k"), b"v", b"v", b"v"),
        (c.get("k"), None, None, None),
        (c.set("k", "v"), OK, OK, OK),
        (c.expire("k", 1), 1, 1, True),
        (c.expire("k", 1), 0, 0, False),
        (
            c.hgetall("k"),
            [b"f", b"1", b"g", b"2"],
            {b"f": b"1", b"g": b"2"},
            {b"f": b"1", b"g": b"2"},
        ),
        (c.hgetall("k"), [], {}, {}),
        (c.config_get(["a"]), [b"a", b"1"], {b"a": b"1"}, {b"a": b"1"}),
        (c.smembers("k"), [b"a", b"b"], {b"a", b"b"}, {b"a", b"b"}),
        (c.smembers("k"), [], set(), set()),
        (c.zscore("k", "a"), b"1.5", 1.5, 1.5),
        (c.zscore("k", "a"), b"-inf", float("-inf"), float("-inf")),
        (c.zscore("k", "a"), b"3", 3.0, 3.0),
        (c.zscore("k", "a"), None, None, None),
        (c.zincrby("k", 1, "a"), b"2.5", 2.5, 2.5),
        (c.zadd_incr("k", "a", 1), None, None, None),
        (c.zmscore("k", ["a", "b"]), [b"1", None], [1.0, None], [1.0, None]),
        (
            c.zrange_withscores("k", RangeByIndex(0, 1)),
            [b"a", b"1", b"b", b"inf"],
            [[b"a", 1.0], [b"b", float("inf")]],
            {b"a": 1.0, b"b": float("inf")},
        ),
        (c.zrange_withscores("k", RangeByIndex(0, 1)), [], [], {}),
        (c.zpopmin("k"), [b"a", b"1"], [b"a", 1.0], {b"a": 1.0}),
        (c.zpopmax("k", 1), [b"a", b"1"], [[b"a", 1.0]], {b"a": 1.0}),
        (c.incrbyfloat("k", 1), b"1.5", b"1.5", 1.5),
        (c.hincrbyfloat("k", "f", 1), b"1.5", b"1.5", 1.5),
        (c.hexists("k", "f"), 1, 1, True),
        (c.smismember("k", ["a", "b"]), [1, 0], [1, 0], [True, False]),
        (c.spop_count("k", 2), [b"a"], {b"a"}, {b"a"}),
        (c.persist("k"), 0, 0, False),
        (c.copy("a", "b"), 1, 1, True),
        (c.mget(["a", "b"]), [b"1", None], [b"1", None], [b"1", None]),
        (c.script_load("code"), SHA1.encode(), SHA1.encode(), SHA1),
        (c.script_exists(["a", "b"]), [1, 0], [1, 0], [True, False]),
        (
            c.function_list(),
            [
                [
                    *(b"library_name", b"lib", b"engine", b"LUA"),
                    *(b"functions", [[b"name", b"f", b"description", None, b"flags", [b"x"]]]),
                ]
            ],
            [
                {
                    b"library_name": b"lib",
                    b"engine": b"LUA",
                    b"functions": [{b"name": b"f", b"description": None, b"flags": {b"x"}}],
                }
            ],
            [
                {
                    b"library_name": b"lib",
                    b"engine": b"LUA",
                    b"functions": [{b"name": b"f", b"description": None, b"flags": {b"x"}}],
                }
            ],
        ),
        (
            c.function_stats(),
            [
                *(b"running_script", [b"name", b"f", b"command", [b"FCALL"], b"duration_ms", 7]),
                *(b"engines", [b"LUA", [b"libraries_count", 1]]),
            ],
            {
                b"running_script": {b"name": b"f", b"command": [b"FCALL"], b"duration_ms": 7},
                b"engines": {b"LUA": {b"libraries_count": 1}},
            },
            {
                b"running_script": {b"name": b"f", b"command": [b"FCALL"], b"duration_ms": 7},
                b"engines": {b"LUA": {b"libraries_count": 1}},
            },
        ),
        (
            c.function_stats(),
            [b"running_script", None, b"engines", []],
            {b"running_script": None, b"engines": {}},
            {b"running_script": None, b"engines": {}},
        ),
        (c.info(), b"# Server", b"# Server", b"# Server"),
        (c.time(), [b"1", b"2"], [b"1", b"2"], [b"1", b"2"]),
    ],
)
def test_both_protocols_give_the_same_result(
    command: Command[Any], resp2: object, resp3: object, result: object
) -> None:
    decode = command.decode or (lambda reply: reply)
    for reply in (resp2, resp3):
        decoded = decode(reply)
        assert decoded == result
        assert type(decoded) is type(result)


def test_a_map_that_misses_a_value_is_an_error() -> None:
    decode = c.hgetall("k").decode
    assert decode
    with pytest.raises(ValueError, match="zip"):
        decode([b"f", b"1", b"g"])


READ_ONLY = {
    "get", "mget", "exists", "ttl", "hget", "hgetall", "lrange", "smembers", "zscore", "eval_ro",
    "evalsha_ro", "fcall_ro", "strlen", "getrange", "type", "dump", "pttl", "expiretime",
    "pexpiretime", "object_encoding", "object_freq", "object_idletime", "object_refcount",
    "hexists", "hkeys", "hlen", "hmget", "hvals", "llen", "lindex", "sismember", "smismember",
    "scard", "zcard", "zcount", "zrange", "zrange_withscores", "zrank", "zrevrank", "zmscore",
    "random_key",
}  # fmt: skip


def test_a_read_only_function_is_called_as_one() -> None:
    assert c.fcall(LIBRARY.function("f", read_only=True)).read_only
    assert not c.fcall(LIBRARY.function("f")).read_only


def test_a_replica_may_answer_what_only_reads() -> None:
    for name, define in DEFINITIONS.items():
        arguments = [EXAMPLES[p.name] for p in required(define)]
        assert define(*arguments).read_only is (name in READ_ONLY), name


DEFINITIONS: dict[str, Callable[..., Command[Any]]] = {
    name: value for name, value in vars(c).items() if name[0] != "_"
}
EXAMPLES: dict[str, Any] = {
    "key": "k", "value": "v", "field": "f", "member": "m", "message": "hi", "code": "return 1",
    "sha1": SHA1, "script": "return 1", "keys": ["k"], "elements": ["e"], "members": ["m"],
    "sha1s": [SHA1], "parameters": ["save"], "command_args": ["PING"], "args": ["a"],
    "key_value_map": {"k": "v"}, "field_value_map": {"f": "v"}, "parameters_map": {"save": ""},
    "members_scores": {"m": 1.5}, "seconds": 1, "amount": 1, "start": 0, "end": 1,
    "library_code": "#!lua name=lib", "library_name": "lib", "payload": b"dump", "function": "f",
    "fields": ["f"], "element": "e", "new_key": "n", "source": "s", "destination": "d",
    "cursor": "0", "channel": "c", "index": 0, "count": 1, "offset": 0, "milliseconds": 1,
    "unix_seconds": 1, "unix_milliseconds": 1, "increment": 1, "range_query": RangeByIndex(0, 1),
    "min_score": InfBound.NEG_INF, "max_score": InfBound.POS_INF, "ttl": 0,
}  # fmt: skip
TEXTS = {
    "key", "value", "field", "member", "message", "code", "sha1", "library_name",
    "library_name_pattern", "payload", "element", "new_key", "source", "destination", "cursor",
    "channel", "match",
}  # fmt: skip
LISTS = {
    "keys", "elements", "members", "sha1s", "parameters", "command_args", "args", "arguments",
    "fields",
}  # fmt: skip
NUMBERS = {
    "seconds", "amount", "start", "end", "index", "offset", "milliseconds", "unix_seconds",
    "unix_milliseconds", "ttl",
}  # fmt: skip
# Some take other types under these names.
OTHERWISE = {("incrbyfloat", "amount"), ("hincrbyfloat", "amount"), ("lolwut", "parameters")}
MAPS = {"key_value_map", "field_value_map", "parameters_map", "members_scores"}


def required(define: Callable[..., object]) -> list[inspect.Parameter]:
    parameters = inspect.signature(define).parameters.values()
    return [p for p in parameters if p.default is p.empty]


def arguments_of(names: set[str]) -> list[Any]:
    """Each command with each of its arguments that has one of the names."""
    return [
        pytest.param(define, name, id=f"{command}-{name}")
        for command, define in DEFINITIONS.items()
        for name in inspect.signature(define).parameters
        if name in names and (command, name) not in OTHERWISE
    ]


def call(define: Callable[..., object], name: str, value: object) -> object:
    """Defines a command with examples for all arguments but the named one."""
    arguments = {p.name: EXAMPLES[p.name] for p in required(define)}
    return define(**arguments | {name: value})


def refusal(define: Callable[..., object], name: str, value: object, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        call(define, name, value)
    return str(caught.value)


class TestRefused:
    @pytest.mark.parametrize("value", [1, 1.5, True, ["k"], object()])
    @pytest.mark.parametrize(("define", "name"), arguments_of(TEXTS))
    def test_text_of_another_type(
        self, define: Callable[..., object], name: str, value: object
    ) -> None:
        expected = f"{name} is {type(value).__name__}; pass str or bytes"
        assert refusal(define, name, value, TypeError) == expected

    @pytest.mark.parametrize(
        "value", ["k", b"k", bytearray(b"k"), memoryview(b"k"), 1, {"k": 1}, {"k"}]
    )
    @pytest.mark.parametrize(("define", "name"), arguments_of(LISTS))
    def test_what_is_no_list(self, define: Callable[..., object], name: str, value: object) -> None:
        expected = f"{name} is {type(value).__name__}; pass a list of str or bytes"
        assert refusal(define, name, value, TypeError) == expected

    @pytest.mark.parametrize("value", [None, 1, 1.5, ["k"]])
    @pytest.mark.parametrize(("define", "name"), arguments_of(LISTS))
    def test_an_item_of_another_type(
        self, define: Callable[..., object], name: str, value: object
    ) -> None:
        expected = f"{name}[1] is {type(value).__name__}; pass str or bytes"
        assert refusal(define, name, ["k", value], TypeError) == expected

    @pytest.mark.parametrize(("define", "name"), arguments_of(LISTS - {"args", "arguments"} | MAPS))
    def test_nothing_where_the_server_wants_something(
        self, define: Callable[..., object], name: str
    ) -> None:
        empty: object = {} if name in MAPS else []
        if name == "keys" and define.__name__.startswith(("eval", "fcall")):
            call(define, name, empty)
        else:
            expected = f"{name} is empty; pass at least one"
            assert refusal(define, name, empty, ValueError) == expected

    @pytest.mark.parametrize("value", ["1", 1.5, True, None])
    @pytest.mark.parametrize(("define", "name"), arguments_of(NUMBERS))
    def test_a_number_of_another_type(
        self, define: Callable[..., object], name: str, value: object
    ) -> None:
        expected = f"{name} is {type(value).__name__}; pass int"
        assert refusal(define, name, value, TypeError) == expected

    @pytest.mark.parametrize("value", [2**63, -(2**63) - 1, pytest.param(10**5000, id="huge")])
    @pytest.mark.parametrize(("define", "name"), arguments_of(NUMBERS))
    def test_a_number_of_too_many_bits(
        self, define: Callable[..., object], name: str, value: int
    ) -> None:
        assert f"{name} does not fit in 64 bits" in refusal(define, name, value, ValueError)

    @pytest.mark.parametrize("value", [[("k", "v")], "k", None])
    @pytest.mark.parametrize(("define", "name"), arguments_of(MAPS))
    def test_what_is_no_dict(self, define: Callable[..., object], name: str, value: object) -> None:
        text = refusal(define, name, value, TypeError)
        assert text.startswith(f"{name} is {type(value).__name__}; pass a dict of ")

    @pytest.mark.parametrize(("define", "name"), arguments_of(MAPS - {"members_scores"}))
    def test_a_pair_of_another_type(self, define: Callable[..., object], name: str) -> None:
        for pairs, place in [({"k": "v", 1: "v"}, "key 1"), ({"k": "v", "l": 1}, "value 1")]:
            expected = f"{name}: {place} is int; pass str or bytes"
            assert refusal(define, name, pairs, TypeError) == expected

    @pytest.mark.parametrize(
        ("scores", "kind", "text"),
        [
            ({"m": "1"}, TypeError, "members_scores: score 0 is str; pass int or float"),
            ({"m": True}, TypeError, "members_scores: score 0 is bool; pass int or float"),
            ({1: 1.0}, TypeError, "members_scores: member 0 is int; pass str or bytes"),
            ({"m": float("nan")}, ValueError, "members_scores: score 0 is nan; pass a number"),
            ({"m": 2**63}, ValueError, "members_scores: score 0 does not fit in 64 bits"),
        ],
    )
    def test_a_wrong_score(self, scores: Any, kind: type[Exception], text: str) -> None:
        assert text in refusal(c.zadd, "members_scores", scores, kind)

    @pytest.mark.parametrize(
        ("define", "name", "value", "text"),
        [
            (c.set, "conditional_set", "NX", "is str; pass a ConditionalChange or an OnlyIfEqual"),
            (c.set, "expiry", 10, "is int; pass an ExpirySet"),
            (c.incrbyfloat, "amount", "1", "is str; pass int or float"),
            (c.lolwut, "parameters", "12", "is str; pass a list of int"),
            (c.copy, "destinationDB", "1", "is str; pass int"),
            (c.copy, "replace", 1, "is int; pass bool"),
            (c.restore, "absttl", None, "is NoneType; pass bool"),
            (c.scan, "type", "zset", "is str; pass a member of ObjectType"),
            (c.zcount, "max_score", 1.5, "is float; pass an InfBound or a ScoreBoundary"),
            (
                c.zrange,
                "range_query",
                1,
                "is int; pass a RangeByIndex, a RangeByScore or a RangeByLex",
            ),
            (
                c.zrange_withscores,
                "range_query",
                RangeByLex(InfBound.NEG_INF, InfBound.POS_INF),
                "is RangeByLex; pass a RangeByIndex or a RangeByScore",
            ),
            (c.set, "return_old_value", 1, "is int; pass bool"),
            (c.expire, "option", "NX", "is str; pass a member of ExpireOptions"),
            (c.zadd, "existing_options", "NX", "is str; pass a member of ConditionalChange"),
            (c.zadd, "update_condition", "GT", "is str; pass a member of UpdateOptions"),
            (c.zadd, "changed", None, "is NoneType; pass bool"),
            (c.flushall, "flush_mode", "SYNC", "is str; pass a member of FlushMode"),
            (c.script_flush, "mode", "SYNC", "is str; pass a member of FlushMode"),
            (c.info, "sections", InfoSection.CPU, "is InfoSection; pass a list of InfoSection"),
            (c.script_load, "script", 1, "is int; pass a Script, str or bytes"),
            (c.function_load, "library_code", 1, "is int; pass a FunctionLibrary, str or bytes"),
            (c.function_load, "replace", 1, "is int; pass bool"),
            (c.function_list, "with_code", "yes", "is str; pass bool"),
            (c.function_flush, "mode", "SYNC", "is str; pass a member of FlushMode"),
            (
                c.function_restore,
                "policy",
                "FLUSH",
                "is str; pass a member of FunctionRestorePolicy",
            ),
            (c.fcall, "function", 1, "is int; pass a Function, str or bytes"),
            (c.fcall_ro, "function", LIBRARY, "is FunctionLibrary; pass a Function, str or bytes"),
        ],
    )
    def test_an_option_of_another_type(
        self, define: Callable[..., object], name: str, value: object, text: str
    ) -> None:
        assert refusal(define, name, value, TypeError) == f"{name} {text}"

    def test_a_section_of_another_type(self) -> None:
        text = refusal(c.info, "sections", [InfoSection.CPU, "cpu"], TypeError)
        assert text == "sections[1] is str; pass a member of InfoSection"

    @pytest.mark.parametrize("condition", UpdateOptions)
    def test_conditions_that_exclude_each_other(self, condition: UpdateOptions) -> None:
        with pytest.raises(ValueError, match="pass one of them"):
            c.zadd("k", {"m": 1}, ConditionalChange.ONLY_IF_DOES_NOT_EXIST, condition)

    def test_a_value_to_compare_with_of_another_type(self) -> None:
        wrong: Any = 1
        with pytest.raises(TypeError, match="comparison_value is int; pass str or bytes"):
            OnlyIfEqual(wrong)


@pytest.mark.parametrize("score", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 1e22, 2.0**53])
def test_a_score_comes_back_the_same(score: float) -> None:
    written = sent(c.zadd("k", {"m": score}))[2]
    assert struct.pack("d", float(written)) == struct.pack("d", score)


def test_kinds_of_numbers_are_written_as_numbers() -> None:
    class Amount(IntEnum):
        TWO = 2

    class Score(float):
        def __repr__(self) -> str:
            return f"Score({float(self)})"

    assert sent(c.incrby("k", Amount.TWO))[-1] == b"2"
    assert sent(c.zadd("k", {"m": Score(1.5)}))[2] == b"1.5"


class TestExpirySet:
    @pytest.mark.parametrize(
        ("expiry_type", "value", "words"),
        [
            (ExpiryType.SEC, 10, ["EX", "10"]),
            (ExpiryType.SEC, timedelta(minutes=1, milliseconds=999), ["EX", "60"]),
            (ExpiryType.MILLSEC, 10, ["PX", "10"]),
            (ExpiryType.MILLSEC, timedelta(milliseconds=1001), ["PX", "1001"]),
            (ExpiryType.UNIX_SEC, 2**33, ["EXAT", "8589934592"]),
            (ExpiryType.UNIX_SEC, datetime(2030, 1, 1, tzinfo=UTC), ["EXAT", "1893456000"]),
            (
                ExpiryType.UNIX_MILLSEC,
                datetime(2030, 1, 1, 1, 0, 0, 1999, timezone(timedelta(hours=1))),
                ["PXAT", "1893456000001"],
            ),
            (ExpiryType.KEEP_TTL, None, ["KEEPTTL"]),
        ],
    )
    def test_it_is_sent_in_the_unit_of_its_type(
        self, expiry_type: ExpiryType, value: Any, words: list[str]
    ) -> None:
        expiry = ExpirySet(expiry_type, value)
        assert expiry.get_cmd_args() == words
        assert expiry.cmd_arg == words[0]

    def test_a_time_without_a_zone_is_local(self) -> None:
        local = datetime(2030, 1, 1)
        assert ExpirySet(ExpiryType.UNIX_SEC, local).value == int(local.timestamp())

    def test_equal_times_are_equal(self) -> None:
        minute = ExpirySet(ExpiryType.SEC, timedelta(minutes=1))
        assert minute == ExpirySet(ExpiryType.SEC, 60)
        assert hash(minute) == hash(ExpirySet(ExpiryType.SEC, 60))
        assert minute != ExpirySet(ExpiryType.MILLSEC, 60)

    @pytest.mark.parametrize(
        ("expiry_type", "value", "kind", "text"),
        [
            ("EX", 1, TypeError, "expiry_type is str; pass a member of ExpiryType"),
            (ExpiryType.SEC, 1.5, TypeError, "value is float; pass int or timedelta for"),
            (ExpiryType.SEC, True, TypeError, "value is bool; pass int or timedelta for"),
            (ExpiryType.SEC, None, TypeError, "value is NoneType; pass int or timedelta for"),
            (
                ExpiryType.SEC,
                datetime.now(UTC),
                TypeError,
                "value is datetime; pass int or timedelta for ExpiryType.SEC",
            ),
            (
                ExpiryType.UNIX_SEC,
                timedelta(1),
                TypeError,
                "value is timedelta; pass int or datetime for ExpiryType.UNIX_SEC",
            ),
            (ExpiryType.KEEP_TTL, 1, TypeError, "value is int; pass None for ExpiryType.KEEP_TTL"),
            (ExpiryType.SEC, 0, ValueError, "value is less than 1 s"),
            (ExpiryType.SEC, timedelta(milliseconds=999), ValueError, "value is less than 1 s"),
            (ExpiryType.MILLSEC, -1, ValueError, "value is less than 1 ms"),
            (ExpiryType.SEC, 2**63, ValueError, "value does not fit in 64 bits"),
        ],
    )
    def test_what_the_server_would_refuse_is_refused(
        self, expiry_type: Any, value: Any, kind: type[Exception], text: str
    ) -> None:
        with pytest.raises(kind) as caught:
            ExpirySet(expiry_type, value)
        assert text in str(caught.value)


@pytest.mark.parametrize("define", DEFINITIONS.values(), ids=DEFINITIONS)
def test_each_command_is_documented(define: Callable[..., object]) -> None:
    text = inspect.getdoc(define) or ""
    assert "https://valkey.io/commands/" in text
    assert "Returns:" in text
    parameters = inspect.signature(define).parameters
    assert ("Args:" in text) is (len(parameters) > 0)
    assert "Raises:" in text or not parameters
    for name in parameters:
        assert f"\n    {name}: " in text
