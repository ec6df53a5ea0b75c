"""Habits of redis-py's users, used on a client of this package: errors that name the way here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import glide
import pytest
import redis.asyncio

import glide_scripts.sync
from glide_scripts import Batch, ClusterBatch, GlideClient, GlideClusterClient, Script
from glide_scripts.testing import ValkeyServer

METHODS = [
    ("register_script", "invoke_script(script, keys, args)"),
    ("pipeline", "Batch(is_atomic=False)"),
    ("transaction", "watch(keys)"),
    ("execute_command", "custom_command(['NAME'"),
    ("pubsub", "no publish and subscribe"),
    ("lock", "a lock is a script"),
    ("setex", "ExpirySet(ExpiryType.SEC, seconds)"),
    ("setnx", "ONLY_IF_DOES_NOT_EXIST"),
    ("keys", "scan(cursor, match=pattern)"),
    ("scan_iter", "call scan()"),
    ("hscan_iter", "custom_command(['HSCAN', key, cursor])"),
    ("multi_exec", "Batch(is_atomic=True)"),
    ("hmset_dict", "hset(key, {'field': 'value'})"),
    ("wait_closed", "close()"),
    ("get_node_from_key", "SlotKeyRoute"),
    ("connection_pool", "no pool"),
    ("zrangebyscore", "RangeByScore(start, end)"),
    ("blpop", "custom_command(['BLPOP', 'key', '0'])"),
    ("auth", "update_connection_password"),
    ("select", "database_id"),
    ("client_setname", "client_name"),
    ("get_message", "no publish and subscribe"),
    ("get_primaries", "AllPrimaries()"),
    ("quit", "close()"),
    ("wait", "custom_command(['WAIT', '1', '100']) to a batch"),
    ("response_callbacks", "replies are bytes"),
    ("set_retry", "BackoffStrategy"),
    ("try_get_pubsub_message", "no publish and subscribe"),
    ("psubscribe_lazy", "no publish and subscribe"),
    ("get_statistics", "stats()"),
    ("get_cache_hit_rate", "no client-side cache"),
    ("refresh_iam_token", "password_callback"),
    ("invoke_script_route", "invoke_script(script, keys, args)"),
    ("georadius", "custom_command(['NAME', 'argument', …]) sends any command"),
]


@pytest.mark.parametrize(("name", "advice"), METHODS)
async def test_a_method_of_redis_py_is_an_attribute_error_with_advice(
    client: GlideClient, name: str, advice: str
) -> None:
    assert not hasattr(client, name)
    with pytest.raises(AttributeError) as caught:
        getattr(client, name)
    text = str(caught.value)
    assert text.startswith(f"'GlideClient' object has no attribute {name!r}; ")
    assert advice in text
    assert caught.value.name == name


def test_a_script_is_passed_to_a_client_and_not_called() -> None:
    script: Any = Script("return 1")
    with pytest.raises(TypeError, match=r"invoke_script\(script, keys, args\)"):
        script(keys=["k"], args=["a"])


def test_a_script_is_made_of_its_code_alone(client: GlideClient) -> None:
    anything: Any = Script
    with pytest.raises(TypeError, match=r"argument 'file'; Script\.from_file\(path\)"):
        anything(file="limit.lua")
    with pytest.raises(TypeError, match=r"^Script\(\): too many positional.*belongs to no client"):
        anything(client, "return 1")
    with pytest.raises(TypeError, match=r"'registered_client'; a script belongs"):
        anything(registered_client=client, script="return 1")
    with pytest.raises(TypeError, match=r"'readonly'; did you mean 'read_only'"):
        anything("return 1", readonly=True)
    with pytest.raises(TypeError, match=r"^Script\(\): missing a required argument: 'code'"):
        anything()
    assert anything(code="return 1") == Script("return 1")


async def test_private_names_get_no_advice(client: GlideClient) -> None:
    with pytest.raises(AttributeError, match=r"^'GlideClient' object has no attribute '_pool'$"):
        client._pool  # type: ignore[attr-defined]  # noqa: B018


async def test_a_client_is_no_mapping(client: GlideClient) -> None:
    anything: Any = client
    wanted = r"^a GlideClient has no items; call get\(key\)"
    with pytest.raises(TypeError, match=wanted):
        anything["key"]
    with pytest.raises(TypeError, match=wanted):
        anything["key"] = "value"
    with pytest.raises(TypeError, match=wanted):
        del anything["key"]
    with pytest.raises(TypeError, match=wanted):
        list(anything)


@pytest.mark.parametrize(
    "theirs",
    [redis.asyncio.Redis, redis.asyncio.RedisCluster, redis.asyncio.client.Pipeline,
     glide.GlideClient, glide.GlideClusterClient, glide.Batch, glide.ClusterBatch],
)  # fmt: skip
async def test_every_method_of_redis_py_and_glide_is_here_or_gets_advice(
    client: GlideClient, theirs: type
) -> None:
    owners = [client, Batch(is_atomic=True)]
    for name in dir(theirs):
        for owner in owners:
            if name.startswith("_") or hasattr(owner, name):
                continue
            with pytest.raises(AttributeError, match=rf"no attribute '{name}'; \w"):
                getattr(owner, name)


@pytest.mark.parametrize("batch", [Batch(is_atomic=False), ClusterBatch(is_atomic=False)])
def test_a_batch_is_executed_by_its_client(batch: Any) -> None:
    assert not hasattr(batch, "execute")
    with pytest.raises(AttributeError, match=r"pass the batch to the client: exec\(batch, raise"):
        batch.execute()
    with pytest.raises(AttributeError, match=r"a client has watch\(keys\)"):
        batch.watch(["key"])
    with pytest.raises(AttributeError, match=r"'exec'; pass the batch to the client"):
        batch.exec()
    with pytest.raises(AttributeError, match=r"'append_command'; custom_command\(.* adds any"):
        batch.append_command()
    with pytest.raises(AttributeError, match="'aclose'; a batch has no connection"):
        batch.aclose()


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda c: c.hset("k", mapping={"f": "v"}), "hset(): .*'mapping'.*hset(key, {'field': 'value'"),
    (lambda c: c.hset("k", "f", "v"), "hset(): too many positional.*{'field': 'value'}"),
    (lambda c: c.set("k", "v", ex=5), "set(): .*'ex'.*expiry=ExpirySet(ExpiryType.SEC"),
    (lambda c: c.set("k", "v", px=5), "'px'.*expiry=ExpirySet(ExpiryType.MILLSEC"),
    (lambda c: c.set("k", "v", nx=True), "'nx'.*ConditionalChange.ONLY_IF_DOES_NOT_EXIST"),
    (lambda c: c.set("k", "v", xx=True), "'xx'.*ConditionalChange.ONLY_IF_EXISTS"),
    (lambda c: c.set("k", "v", nx=True, ex=5), "ONLY_IF_DOES_NOT_EXIST; .*ExpiryType.SEC"),
    (lambda c: c.set("k", "v", get=True), "'get'.*return_old_value=True"),
    (lambda c: c.delete("a", "b"), "delete(): .*one argument: delete(…, ['a', 'b'])"),
    (lambda c: c.sadd("k", "a", "b"), "sadd(): .*one argument: sadd(…, ['a', 'b'])"),
    (lambda c: c.zadd("k", mapping={"m": 1}), "zadd(key, {'member': 1.5})"),
    (lambda c: c.eval("return 1", 0), "keys is int; .*without the number of keys"),
    (lambda c: c.eval("return 1", 1, "k", "a"), "eval(): .*without the number of keys"),
    (lambda c: c.evalsha("f" * 40, 1, "k", "a"), "evalsha(): .*evalsha(sha1, ['key'"),
    (lambda c: c.fcall("f", 1, "k", "a"), "fcall(): .*fcall(function, ['key'"),
    (lambda c: c.set("k", "v", condition=1), "'condition'.*ONLY_IF_DOES_NOT_EXIST"),
    (lambda c: c.set("k", "v", 60), "conditional_set is int; .*ExpirySet(ExpiryType.SEC"),
    (lambda c: c.set("k", "v", ex=timedelta(seconds=1)), "ExpirySet(ExpiryType.SEC"),
    (lambda c: c.mset("a", "1", "b", "2"), "mset({'key': 'value'})"),
    (lambda c: c.mset(mapping={"a": "1"}), "mset({'key': 'value'})"),
    (lambda c: c.incr("k", 5), "incr(): .*call incrby(key, amount)"),
    (lambda c: c.incr("k", amount=5), "call incrby(key, amount)"),
    (lambda c: c.decr("k", 5), "call decrby(key, amount)"),
    (lambda c: c.lpop("k", 2), "call lpop_count(key, count)"),
    (lambda c: c.rpop("k", 2, "x"), "call rpop_count(key, count)"),
    (lambda c: c.spop("k", count=2), "call spop_count(key, count)"),
    (lambda c: c.expire("k", time=5), "pass seconds="),
    (lambda c: c.expire("k", timedelta(seconds=5)), "a timedelta has total_seconds()"),
    (lambda c: c.expire("k", 5, nx=True), "option=ExpireOptions.HasNoExpiry"),
    (lambda c: c.expireat("k", when=5), "pass unix_seconds="),
    (lambda c: c.expireat("k", datetime.now(UTC)), "a datetime has timestamp()"),
    (lambda c: c.zadd("k", {"m": 1}, nx=True), "existing_options=ConditionalChange"),
    (lambda c: c.zadd("k", {"m": 1}, gt=True), "UpdateOptions.GREATER_THAN"),
    (lambda c: c.zadd("k", 1, "m", 2, "n", 3), "zadd(key, {'member': 1.5})"),
    (lambda c: c.zadd("k", {1.5: "m"}), "members_scores"),
    (lambda c: c.zadd("k", 1.5, "m"), "zadd(key, {'member': 1.5})"),
    (lambda c: c.zincrby("k", amount=1, value="m"), "zincrby(key, increment, member)"),
    (lambda c: c.zrange("k", 0, -1), "range_query is int; pass .*RangeByIndex"),
    (lambda c: c.zrange("k", 0, -1, True), "RangeByIndex(start, end)"),
    (lambda c: c.zrange("k", 0, -1, withscores=True), "call zrange_withscores"),
    (lambda c: c.zcount("k", min=0, max=1), "ScoreBoundary(score)"),
    (lambda c: c.hdel("k", "a", "b"), "hdel(): .*one argument"),
    (lambda c: c.zrank("k", "m", withscore=True), "['ZRANK', key, member, 'WITHSCORE']"),
    (lambda c: c.hget("k", "a", "b"), "hget(): .*its parameters are key, field"),
    (lambda c: c.ttl("k", unit="s"), "ttl(): .*its parameters are key"),
]


@pytest.mark.parametrize(("call", "pattern"), WRONG)
async def test_arguments_of_redis_py_are_a_type_error_with_advice(
    client: GlideClient, call: Callable[[Any], Any], pattern: str
) -> None:
    for character in "()[]{}":
        pattern = pattern.replace(character, f"\\{character}")
    with pytest.raises(TypeError, match=pattern):
        await call(client)
    with pytest.raises(TypeError, match=pattern):
        call(Batch(is_atomic=True))


async def test_commands_of_clients_alone_give_advice(client: GlideClient) -> None:
    anything: Any = client
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: anything.config_set("name", "value"), "config_set({'name': 'value'})"),
        (lambda: anything.config_get("a", "b"), "config_get(…, ['a', 'b'])"),
        (lambda: anything.info(section="server"), "info([InfoSection.SERVER])"),
        (lambda: anything.script_exists("a", "b"), "script_exists(…, ['a', 'b'])"),
        (lambda: anything.script_flush(sync_type="SYNC"), "mode=FlushMode.SYNC"),
        (lambda: anything.scan(_type="hash"), "type=ObjectType."),
        (lambda: anything.flushall(asynchronous=True), "flush_mode=FlushMode.ASYNC"),
    ]
    for call, advice in calls:
        with pytest.raises(TypeError) as caught:
            await call()
        assert advice in str(caught.value)


async def test_other_errors_of_arguments_stay_as_they_are(client: GlideClient) -> None:
    wrong: Any = 1
    with pytest.raises(TypeError, match=r"^key is int; pass str or bytes$"):
        await client.get(wrong)
    with pytest.raises(TypeError, match=r"^keys is int; pass a list of str or bytes$"):
        await client.delete(wrong)


@pytest.mark.parametrize("kind", [GlideClient, GlideClusterClient])
@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ({"decode_responses": True}, "replies are bytes: call decode"),
        ({"db": 1}, "valkey://host/1"),
        ({"password": "hunter2"}, "ServerCredentials(password)"),
        ({"socket_timeout": 1}, "pass request_timeout"),
        ({"max_connections": 5}, "no pool"),
        ({"startup_nodes": []}, "addresses=[NodeAddress(host, port)]"),
        ({"ssl_ca_certs": "ca.pem"}, "root_pem_cacerts=path"),
        ({"retry_on_timeout": True}, "never repeated"),
        ({"read_from_replicas": True}, "ReadFrom.PREFER_REPLICA"),
        ({"credential_provider": 1}, "password_callback"),
        ({"ssl_password": "hunter2"}, "key_password=text"),
        ({"ssl_ciphers": "x"}, "the ciphers of rustls"),
        ({"address_remap": 1}, "address_map"),
        ({"socket_keepalive": True}, "always on"),
    ],
)
async def test_settings_of_redis_py_are_a_type_error_with_advice(
    kind: Any, setting: dict[str, Any], advice: str
) -> None:
    (name,) = setting
    of_sync = getattr(glide_scripts.sync, kind.__name__)
    for make in (kind.from_url, kind.create):
        with pytest.raises(TypeError) as caught:
            await make("valkey://localhost", **setting)
        text = str(caught.value)
        assert f"{make.__name__}(): got an unexpected keyword argument '{name}'; {name}: " in text
        assert advice in text
        assert "hunter2" not in text
        with pytest.raises(TypeError, match=name):
            getattr(of_sync, make.__name__)("valkey://localhost", **setting)


async def test_a_setting_that_nobody_has_is_an_error_with_what_the_method_takes() -> None:
    make: Any = GlideClient.from_url
    said = (
        r"^from_url\(\): got an unexpected keyword argument 'x'; its parameters are url, observer$"
    )
    with pytest.raises(TypeError, match=said):
        await make("valkey://localhost", x=1)


def test_the_synchronous_client_gives_the_same_advice(server: ValkeyServer) -> None:
    with glide_scripts.sync.GlideClient.from_url(server.url) as client:
        anything: Any = client
        assert not hasattr(client, "pipeline")
        with pytest.raises(AttributeError, match=r"exec\(\)"):
            anything.pipeline()
        with pytest.raises(TypeError, match="hset"):
            anything.hset("k", mapping={"f": "v"})
