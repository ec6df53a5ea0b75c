"""The libraries' clients over this package's connections."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from traceback import TracebackException
from typing import Any

import pytest
from tests.filter_proxy import filter_proxy, naming
from tests.records import Records
from tests.transport.conftest import Connect
from tests.transport.kinds import Kind, closed, done
from tests.waiting import until

from glide_scripts.errors import GlideError
from glide_scripts.testing import ServerFaults, ValkeyServer

ECHO = "return {KEYS[1], ARGV[1]}"
INCREMENT = "return redis.call('INCR', KEYS[1])"


async def test_client_is_the_librarys_client(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    assert isinstance(client, getattr(kind.own, kind.name))
    assert await done(client.set("key", 1)) is True
    assert await done(client.get("key")) == b"1"
    assert isinstance(client.pipeline(), getattr(kind.own, kind.name))


async def test_a_client_that_could_not_be_made_is_shown_in_a_traceback(kind: Kind) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(kind.here, kind.name)(nosuch="x")
    shown = TracebackException.from_exception(caught.value, capture_locals=True)
    assert "nosuch" in "".join(shown.format())


async def test_script_takes_one_round_trip_and_is_sent_where_it_is_missing(
    server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    script = client.register_script(ECHO)
    assert await done(script(["k"], [1])) == [b"k", b"1"]
    await done(client.script_flush())
    assert await done(script(keys=["k"], args=["v"])) == [b"k", b"v"]
    assert await done(client.evalsha(script.sha, 1, "k", "v")) == [b"k", b"v"]


async def test_evalsha_of_a_loaded_script_survives_a_flush(
    server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    sha = await done(client.script_load(ECHO))
    await done(client.script_flush())
    assert await done(client.evalsha(sha, 1, "k", "v")) == [b"k", b"v"]


@pytest.mark.needs("functions")
async def test_evalsha_ro_of_a_known_script_does_not_write(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    sha = await done(client.script_load("return redis.call('DEL', KEYS[1])"))
    await done(client.set("key", "value"))
    with pytest.raises(kind.exceptions.ResponseError):
        await done(client.evalsha_ro(sha, 1, "key"))
    assert await done(client.get("key")) == b"value"
    sha = await done(client.script_load("return redis.call('GET', KEYS[1])"))
    await done(client.script_flush())
    assert await done(client.evalsha_ro(sha, 1, "key")) == b"value"


async def test_evalsha_of_an_unknown_script_fails_as_in_the_library(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    with pytest.raises(kind.exceptions.NoScriptError):
        await done(client.evalsha("0" * 40, 0))


async def test_scripts_error_is_the_librarys_with_ours_as_its_cause(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    await done(client.set("key", "text"))
    script = client.register_script("return redis.call('LPUSH', KEYS[1], 1)")
    with pytest.raises(kind.exceptions.ResponseError, match=r"^WRONGTYPE") as caught:
        await done(script(["key"]))
    assert isinstance(caught.value.__cause__, GlideError)
    assert caught.value.may_have_executed is True
    assert "check the key with TYPE" in "".join(caught.value.__notes__)
    with pytest.raises(kind.exceptions.ResponseError) as caught:
        await done(client.evalsha(script.sha, 1, "key"))
    assert "check the key with TYPE" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("retries", [None, 3])
async def test_script_whose_reply_is_lost_runs_once_whatever_retry_says(
    kind: Kind,
    server: ValkeyServer,
    valkey_faults: ServerFaults,
    connect: Connect,
    retries: int | None,
) -> None:
    options: dict[str, Any] = {}
    if retries is not None:
        options = {"retry": kind.retries(retries), "retry_on_timeout": True}
    client = connect(valkey_faults.url, **options)
    script = client.register_script(INCREMENT)
    assert await done(script(["count"])) == 1
    for lost in range(3):
        valkey_faults.lose_replies()
        with pytest.raises(kind.exceptions.ConnectionError) as caught:
            await done(script(["count"]))
        assert caught.value.may_have_executed is True
        assert await done(client.get("count")) == b"%d" % (lost + 2)


async def test_no_server_is_a_connection_error(
    kind: Kind, own_server: ValkeyServer, connect: Connect
) -> None:
    client = connect(own_server, socket_timeout=0.5)
    assert await done(client.ping())
    own_server.stop()
    with pytest.raises(kind.exceptions.ConnectionError) as caught:
        await done(client.get("key"))
    assert caught.value.may_have_executed is False
    with pytest.raises(kind.exceptions.ConnectionError):
        await done(kind.client(own_server.url).ping())


async def test_without_a_time_limit_no_server_is_a_connection_error_too(
    kind: Kind, own_server: ValkeyServer, connect: Connect
) -> None:
    client = connect(own_server, socket_timeout=None, socket_connect_timeout=0.5)
    assert await done(client.ping())
    # The reply may take longer than the connection.
    slow = client.register_script("local n = 0 for i = 1, ARGV[1] do n = n + 1 end return n")
    assert await done(slow([], [10**7])) == 10**7
    own_server.stop()
    with pytest.raises(kind.exceptions.ConnectionError):
        await done(client.get("key"))


async def test_socket_timeout_is_the_deadline(
    kind: Kind, server: ValkeyServer, valkey_faults: ServerFaults, connect: Connect
) -> None:
    client = connect(server, socket_timeout=0.3)
    assert await done(client.ping())
    error = getattr(kind.exceptions, f"{kind.name}Error")
    with valkey_faults.busy(), pytest.raises(error) as caught:
        await done(client.register_script(INCREMENT)(["key"]))
    assert caught.value.may_have_executed in (True, False)


async def test_concurrent_calls_share_one_connection(
    kind: Kind, own_server: ValkeyServer, connect: Connect
) -> None:
    client = connect(own_server)
    script = client.register_script(INCREMENT)
    if kind.is_sync:
        threads = [threading.Thread(target=script, args=(["n"],)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    else:
        assert sorted(await asyncio.gather(*(script(["n"]) for _ in range(100))))[-1] == 100
    assert await done(client.get("n")) in (b"20", b"100")
    assert (await done(client.info("stats")))["total_connections_received"] <= 3


async def test_command_that_blocks_keeps_no_other_waiting(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    assert await done(client.ping())
    if kind.is_sync:
        waiting: Any = asyncio.create_task(asyncio.to_thread(client.blpop, ["list"], 20))
    else:
        waiting = asyncio.create_task(client.blpop(["list"], 20))
    await until(lambda: server_has_blocked(server))
    assert await done(client.set("key", "value")) is True
    await done(client.rpush("list", "item"))
    assert tuple(await waiting) == (b"list", b"item")


def server_has_blocked(server: ValkeyServer) -> bool:
    return "blocked_clients:1" in server.command("INFO", "clients").decode()  # type: ignore[union-attr]


async def test_subscribers_and_watches_have_the_librarys_connections(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    pubsub = client.pubsub()
    await done(pubsub.subscribe("news"))
    await until(lambda: server.command("PUBSUB", "NUMSUB", "news") == [b"news", 1])
    await done(client.publish("news", "hello"))

    async def received() -> Any:
        message = await done(pubsub.get_message(ignore_subscribe_messages=True, timeout=1))
        return message and message["data"] == b"hello"

    await until(received)
    await closed(pubsub)
    script = client.register_script(INCREMENT)
    pipe = client.pipeline()
    await done(pipe.watch("count"))
    assert await done(pipe.get("count")) is None
    pipe.multi()
    await done(script(["count"], client=pipe))
    assert await done(pipe.execute()) == [1]
    pipe = client.pipeline()
    await done(pipe.watch("count"))
    await done(client.incr("count"))
    pipe.multi()
    pipe.incr("count")
    with pytest.raises(kind.exceptions.WatchError):
        await done(pipe.execute())


async def test_single_connection_client_keeps_what_changed_its_connection(
    server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server, single_connection_client=True)
    await done(client.set("key", "in 0"))
    await done(client.select(1))
    assert await done(client.get("key")) is None
    await done(client.set("key", "in 1"))
    assert server.command("GET", "key") == b"in 0"
    await done(client.flushdb())


async def test_client_made_before_any_loop_serves_several() -> None:
    from tests.programs import run_program

    with ValkeyServer() as server:
        out = run_program(
            """
from glide_scripts.redis import Redis
client = Redis.from_url(URL.replace("valkey://", "redis://"))
script = client.register_script("return ARGV[1]")
async def main(n):
    print(await script([], [n]))
    await client.aclose()
asyncio.run(main(1))
asyncio.run(main(2))
""",
            server.url,
        )
    assert out.split() == ["b'1'", "b'2'"]


async def test_what_cannot_be_had_goes_over_the_librarys_connections_and_is_said_once(
    kind: Kind, server: ValkeyServer, log: Records
) -> None:
    sub = "" if kind.is_sync else ".asyncio"
    module = import_module(f"{kind.library}{sub}.connection")
    own = type("OwnConnection", (module.Connection,), {})
    pool = module.ConnectionPool(host=server.host, port=server.port, connection_class=own)
    client = getattr(kind.here, kind.name)(connection_pool=pool)
    script = client.register_script(ECHO)
    assert await done(client.set("key", 1)) is True
    assert await done(script(["k"], [1])) == [b"k", b"1"]
    pipe = client.pipeline()
    await done(script(["k"], [1], client=pipe))
    assert await done(pipe.execute()) == [[b"k", b"1"]]
    said = [text for text in log.all() if "OwnConnection" in text]
    assert len(said) == 1
    assert "pass host and port or a URL" in said[0]
    await closed(client)
    await done(pool.disconnect())


async def test_close_ends_the_connection_and_the_next_call_opens_another(
    server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    assert await done(client.ping())
    await closed(client)
    assert await done(client.ping())


async def test_command_of_several_words_and_options_are_the_librarys(
    server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server, decode_responses=True)
    assert (await done(client.config_get("maxmemory"))) == {"maxmemory": "0"}
    await done(client.hset("hash", mapping={"field": 1, "other": 2.5}))
    assert await done(client.hgetall("hash")) == {"field": "1", "other": "2.5"}
    await done(client.zadd("zset", {"a": 1.5}))
    assert await done(client.zrange("zset", 0, -1, withscores=True)) in (
        [("a", 1.5)],
        [["a", 1.5]],
    )
    assert await done(client.dump("hash")) is not None
    assert await done(client.execute_command("OBJECT", "ENCODING", "hash")) == "listpack"


async def test_argument_of_another_type_is_the_librarys_error(
    kind: Kind, server: ValkeyServer, connect: Connect
) -> None:
    client = connect(server)
    with pytest.raises(kind.exceptions.DataError, match="Invalid input of type: 'dict'"):
        await done(client.set("key", {}))
    with pytest.raises(kind.exceptions.DataError):
        await done(client.register_script(ECHO)(["k"], [None]))


async def test_refused_script_commands_stay_errors(server: ValkeyServer) -> None:
    # If a server refuses EVALSHA to a user, the call raises the library's exception.
    from glide_scripts.redis import Redis

    async with filter_proxy(server, naming("INCRBY"), "NOPERM this user may not") as proxy:
        client = Redis(port=proxy.port)
        import redis.exceptions

        with pytest.raises(redis.exceptions.NoPermissionError) as caught:
            await client.incr("key")
        assert caught.value.may_have_executed is False  # type: ignore[attr-defined]
        await client.aclose()
