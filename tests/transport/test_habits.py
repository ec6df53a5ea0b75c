"""How people write for redis-py and valkey-py: the same here as over the libraries' connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib import import_module
from pprint import pformat
from typing import Any

import pytest
from tests.transport.conftest import Connect
from tests.transport.kinds import Kind, closed, done
from tests.transport.outcomes import outcome
from tests.transport.sides import BaseSide, both, different
from tests.waiting import until

from glide_scripts.testing import ValkeyServer

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


class Side(BaseSide):
    def __init__(self, kind: Kind, server: ValkeyServer, *, own: bool) -> None:
        super().__init__(kind, own=own)
        self.server = server

    def __call__(self, **options: Any) -> Any:
        return self.keep(self.kind.client(self.server.url, own=self.own, **options))

    @property
    def type(self) -> Any:
        return self.class_of(self.kind.name)

    @property
    def connection(self) -> Any:
        """The library's module of connections and pools."""
        sub = "" if self.kind.is_sync else ".asyncio"
        return import_module(f"{self.kind.library}{sub}.connection")

    def pool(self, name: str = "ConnectionPool", **options: Any) -> Any:
        return getattr(self.connection, name)(
            host=self.server.host, port=self.server.port, **options
        )


Habit = Callable[[Side], Awaitable[Any]]
HABITS: dict[str, Habit] = {}


def habit(function: Habit) -> Habit:
    HABITS[function.__name__] = function
    return function


async def items(iterator: Any) -> list[Any]:
    if hasattr(iterator, "__aiter__"):
        return sorted([each async for each in iterator])
    return sorted(iterator)


@habit
async def transaction(make: Side) -> Any:
    client = make()
    script = client.register_script(ADD)
    await done(client.set("n", 1))
    seen: list[Any] = []

    def change(pipe: Any) -> Any:
        seen.append(pipe.get("n"))
        seen.append(script(["n"], [1], client=pipe) if not seen[1:] else None)
        pipe.multi()
        pipe.incr("n")
        script(["n"], [10], client=pipe)
        return "value"

    async def change_later(pipe: Any) -> Any:
        seen.append(await pipe.get("n"))
        seen.append(await script(["n"], [1], client=pipe) if not seen[1:] else None)
        pipe.multi()
        pipe.incr("n")
        await script(["n"], [10], client=pipe)
        return "value"

    act: Callable[[Any], Any] = change if make.kind.is_sync else change_later
    # The script in the first round changes the key, so the second one applies.
    results = await done(client.transaction(act, "n"))
    value = await done(client.transaction(act, "n", value_from_callable=True))
    return results, value, seen


@habit
async def transaction_without_watches(make: Side) -> Any:
    client = make()
    return await done(client.transaction(lambda pipe: pipe.set("a", 1).incr("a")))


@habit
async def multi_without_watch(make: Side) -> Any:
    client = make()
    pipe = client.pipeline(transaction=False)
    pipe.multi()
    pipe.set("a", 1)
    return await done(pipe.execute())


@habit
async def multi_after_commands(make: Side) -> Any:
    pipe = make().pipeline().set("a", 1)
    return pipe.multi()


@habit
async def unwatch(make: Side) -> Any:
    client = make()
    pipe = client.pipeline()
    await done(pipe.watch("a"))
    await done(pipe.unwatch())
    await done(client.set("a", 1))
    return pipe.watching, await done(pipe.incr("a").execute())


@habit
async def pipeline_that_is_reset(make: Side) -> Any:
    client = make()
    script = client.register_script(ADD)
    pipe = client.pipeline().set("a", 1)
    await done(script(["a"], [1], client=pipe))
    length = len(pipe)
    await done(pipe.reset())
    return length, len(pipe), await done(pipe.execute()), await done(client.exists("a"))


@habit
async def pipeline_executed_twice(make: Side) -> Any:
    client = make()
    script = client.register_script(ADD)
    pipe = client.pipeline()
    results = []
    for _ in range(2):
        await done(script(["a"], [1], client=pipe))
        pipe.incr("a")
        results.append(await done(pipe.execute()))
    return results, await done(pipe.execute()), bool(pipe)


@habit
async def pipeline_as_context(make: Side) -> Any:
    client = make()
    if make.kind.is_sync:
        with client.pipeline() as pipe:
            pipe.set("a", 1)
            return pipe.get("a").execute(), pipe.get("a").execute(raise_on_error=False)
    async with client.pipeline() as pipe:
        pipe.set("a", 1)
        return await pipe.get("a").execute(), await pipe.get("a").execute(raise_on_error=False)


@habit
async def pipeline_with_commands_that_block(make: Side) -> Any:
    pipe = make().pipeline().rpush("list", 1, 2).blpop(["list"], timeout=1)
    return await done(pipe.execute())


@habit
async def pipeline_with_bad_argument(make: Side) -> Any:
    client = make()
    pipe = client.pipeline().set("a", 1).set("b", {})
    with pytest.raises(make.kind.exceptions.DataError):
        await done(pipe.execute())
    return len(pipe), await done(client.exists("a"))


@habit
async def client_as_context(make: Side) -> Any:
    if make.kind.is_sync:
        with make() as client:
            return client.set("a", 1), client.get("a")
    async with make() as client:
        return await client.set("a", 1), await client.get("a")


@habit
async def awaited_client(make: Side) -> Any:
    client = make()
    if not make.kind.is_sync:
        client = await client
    return await done(client.ping())


@habit
async def iterators(make: Side) -> Any:
    client = make(decode_responses=True)
    await done(client.mset({f"key:{n}": n for n in range(30)}))
    await done(client.hset("hash", mapping={f"f{n}": n for n in range(30)}))
    await done(client.sadd("set", *range(30)))
    await done(client.zadd("zset", {f"m{n}": n for n in range(30)}))
    return [
        await items(client.scan_iter("key:*", count=7)),
        await items(client.scan_iter(_type="hash")),
        await items(client.hscan_iter("hash")),
        await items(client.sscan_iter("set", match="1*")),
        await items(client.zscan_iter("zset")),
    ]


@habit
async def pubsub_beside_scripts(make: Side) -> Any:
    client = make(decode_responses=True)
    script = client.register_script("return redis.call('PUBLISH', ARGV[1], ARGV[2])")
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    await done(pubsub.subscribe("news"))
    await done(pubsub.psubscribe("ne*"))
    await until(lambda: make.server.command("PUBSUB", "NUMPAT") == 1)
    await done(script([], ["news", "hello"]))
    messages: list[Any] = []

    async def received() -> bool:
        message = await done(pubsub.get_message(timeout=0.1))
        messages.extend([message] if message else [])
        return len(messages) == 2

    await until(received)
    await done(pubsub.unsubscribe())
    await closed(pubsub)
    return sorted(messages, key=str)


@habit
async def lock(make: Side) -> Any:
    client = make()
    first, second = client.lock("name", timeout=20), client.lock("name", timeout=20)
    results = [
        await done(first.acquire(blocking=False)),
        await done(second.acquire(blocking_timeout=0.01)),
        await done(first.locked()),
        await done(first.owned()),
        await done(second.owned()),
        await done(first.extend(5, replace_ttl=True)),
        await done(first.reacquire()),
        await done(first.release()),
    ]
    if make.kind.is_sync:
        with client.lock("name", timeout=20, blocking_timeout=5) as held:
            return *results, held.owned()
    async with client.lock("name", timeout=20, blocking_timeout=5) as held:
        return *results, await held.owned()


@habit
async def lock_that_expired(make: Side) -> Any:
    client = make()
    lock = client.lock("name", timeout=20)
    await done(lock.acquire())
    await done(client.delete("name"))
    return await outcome(lambda held: held.release(), lock)


@habit
async def lock_between_workers(make: Side) -> Any:
    client = make()

    def in_thread() -> None:
        for _ in range(5):
            with client.lock("name", timeout=20, sleep=0.001):
                client.set("n", int(client.get("n") or 0) + 1)

    async def in_task() -> None:
        for _ in range(5):
            async with client.lock("name", timeout=20, sleep=0.001):
                await client.set("n", int(await client.get("n") or 0) + 1)

    if make.kind.is_sync:
        threads = [threading.Thread(target=in_thread) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    else:
        await asyncio.gather(*(in_task() for _ in range(4)))
    return await done(client.get("n"))


@habit
async def pool_of_two_clients(make: Side) -> Any:
    pool = make.pool()
    one, other = make.type(connection_pool=pool), make.type(connection_pool=pool)
    script = one.register_script(ADD)
    results = [await done(script(["n"], [1])), await done(script(["n"], [1], client=other))]
    await closed(one)
    results.append(await done(script(["n"], [1], client=other)))
    await closed(other)
    await done(pool.disconnect())
    results.append(await done(other.get("n")))
    await done(pool.disconnect())
    return results


@habit
async def client_of_from_pool(make: Side) -> Any:
    client = make.keep(make.type.from_pool(make.pool(decode_responses=True)))
    return await done(client.set("a", 1)), await done(client.get("a"))


@habit
async def blocking_pool(make: Side) -> Any:
    pool = make.pool("BlockingConnectionPool", max_connections=2, timeout=20)
    client = make.type(connection_pool=pool)
    script = client.register_script(ADD)
    if make.kind.is_sync:
        results = [script(["n"], [1]) for _ in range(10)]
    else:
        results = sorted(await asyncio.gather(*(script(["n"], [1]) for _ in range(10))))
    await closed(client)
    await done(pool.disconnect())
    return results


@habit
async def single_connection(make: Side) -> Any:
    client = make(single_connection_client=True)
    script = client.register_script(ADD)
    results = [await done(script(["n"], [1])), await done(client.client_setname("me"))]
    pipe = client.pipeline().incr("n")
    await done(script(["n"], [1], client=pipe))
    return *results, await done(client.client_getname()), await done(pipe.execute())


@habit
async def client_of_a_client(make: Side) -> Any:
    client = make()
    if make.kind.is_sync:
        with client.client() as single:
            return single.set("a", 1), single.client_id() == single.client_id(), client.get("a")
    async with client.client() as single:
        return (
            await single.set("a", 1),
            await single.client_id() == await single.client_id(),
            await client.get("a"),
        )


@habit
async def name_of_the_client(make: Side) -> Any:
    client = make(client_name="worker", decode_responses=True)
    await done(client.ping())
    names = {each["name"] for each in await done(client.client_list())}
    return await done(client.client_getname()), "worker" in names


@habit
async def options_without_effect(make: Side) -> Any:
    client = make(
        health_check_interval=1,
        retry=make.kind.retries(3),
        retry_on_error=[make.kind.exceptions.ConnectionError],
        socket_keepalive=True,
        max_connections=5,
    )
    return await done(client.set("a", 1)), await done(client.get("a"))


@habit
async def encoding_errors(make: Side) -> Any:
    await done(make().set("a", b"a\xff\xfeb"))
    found = []
    for errors in ("strict", "ignore", "replace", "backslashreplace"):
        client = make(decode_responses=True, encoding_errors=errors)
        found.append(await outcome(lambda c: c.get("a"), client))
        found.append(
            await outcome(
                lambda c: c.register_script("return redis.call('GET', KEYS[1])")(["a"]), client
            )
        )
    return found


@habit
async def words_of_other_encodings(make: Side) -> Any:
    client = make(encoding="utf-16")
    pipe = client.pipeline().set("a", "välue").config_get("maxmemory")
    return (
        await done(pipe.execute()),
        await done(client.get("a")),
        await done(client.config_get("maxmemory")),
    )


@habit
async def kinds_of_arguments(make: Side) -> Any:
    client = make()
    echo = client.register_script("return {KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]}")
    return [
        await done(echo([memoryview(b"k")], ["ä", b"\xff", 1, 2.5])),
        await done(echo(keys=("k",), args=(value for value in (1, 2, 3, 4)))),
        await outcome(lambda _: echo([True], []), client),
        await outcome(lambda _: echo(["k"], [None]), client),
        await outcome(lambda _: echo(["k"], [[1]]), client),
    ]


@habit
async def fields_that_expire(make: Side) -> Any:
    client = make()
    await done(client.hset("hash", mapping={"a": 1, "b": 2}))
    calls: list[Callable[[Any], Any]] = [
        lambda c: c.hexpire("hash", 100, "a", "none"),
        lambda c: c.hpersist("hash", "a", "b"),
        lambda c: c.hpexpire("hash", 100_000, "b", nx=True),
        lambda c: c.hexpireat("hash", 4_000_000_000, "b"),
        lambda c: c.hexpiretime("hash", "b", "a"),
        lambda c: c.hpexpiretime("hash", "b"),
        lambda c: c.httl("none", "a"),
        lambda c: c.hgetex("hash", "a", persist=True),
        lambda c: c.hsetex("hash", mapping={"c": 3}, ex=100),
        lambda c: c.hgetdel("hash", "c"),
    ]
    return [await outcome(call, client) for call in calls]


@habit
async def callback_of_ones_own(make: Side) -> Any:
    client = make()
    client.set_response_callback("GET", lambda reply, **_: ("own", reply))
    await done(client.set("a", 1))
    client.set_response_callback("evalsha", lambda reply, **_: ("of a script", reply))
    script = client.register_script("return ARGV[1]")
    calls = [await done(script(args=[number])) for number in range(3)]
    client.response_callbacks["EVALSHA"] = lambda reply, **_: ("another", reply)
    calls.append(await done(script(args=[3])))
    other = make()
    script = other.register_script("return ARGV[1]")
    calls.append(await done(script(args=[4])))
    other.response_callbacks["EVALSHA"] = lambda reply, **_: ("of a script", reply)
    calls.append(await done(script(args=[5])))
    return (
        await done(client.get("a")),
        await done(client.pipeline().get("a").execute()),
        calls,
    )


@habit
async def callback_that_raises(make: Side) -> Any:
    def refuse(reply: Any, **_: Any) -> Any:
        raise ValueError(reply)

    client = make()
    client.set_response_callback("GET", refuse)
    return [
        await outcome(lambda c: c.get("a"), client),
        await outcome(lambda c: c.pipeline().get("a").execute(), client),
        await done(client.set("a", 1)),
    ]


@habit
async def names_that_hold_arguments(make: Side) -> Any:
    client = make()
    calls: list[Callable[[Any], Any]] = [
        lambda c: c.execute_command("SET Key Value"),
        lambda c: c.execute_command("get Key"),
        lambda c: c.execute_command(b"GET Key"),
        lambda c: c.execute_command(" GET ", "Key"),
        lambda c: c.execute_command("Object encoding Key"),
        lambda c: c.execute_command("OBJECT ENCODING", "Key"),
        lambda c: c.execute_command("XADD Stream 1-1", "Field", "Value"),
        lambda c: c.execute_command("XREAD BLOCK 1 STREAMS Stream 0"),
        lambda c: c.execute_command("SCRIPT LOAD", "return 'Text'"),
        lambda c: c.execute_command("CLIENT SETNAME Me"),
        lambda c: c.execute_command("hSet", "Hash", "Field", "Value"),
        lambda c: c.execute_command("hGetAll", "Hash"),
        lambda c: c.pipeline().execute_command("SET Other 1").execute_command("GET Key").execute(),
    ]
    return [await outcome(call, client) for call in calls]


@habit
async def numbers_of_keys(make: Side) -> Any:
    client = make()
    sha = await done(client.script_load("return {#KEYS, #ARGV}"))
    numbers: list[Any] = [0, 1, 2, 3, -1, 1.0, True, None, "1", b"2", "01", "+1", " 1", "x", "٢"]
    calls: list[Callable[[Any], Any]] = [
        *(partial(lambda n, c: c.evalsha(sha, n, "a", "b"), n) for n in numbers),
        *(partial(lambda n, c: c.pipeline().evalsha(sha, n, "a").execute(), n) for n in numbers),
        lambda c: c.execute_command("EVALSHA", sha),
    ]
    return [await outcome(call, client) for call in calls]


@habit
async def script_of_the_librarys_own_client(make: Side) -> Any:
    client = make()
    script = make.keep(make.kind.client(make.server.url, own=True)).register_script(ADD)
    results = []
    for is_transaction in (True, False):
        await done(client.script_flush())
        pipe = client.pipeline(transaction=is_transaction).incr("n")
        await done(script(["n"], [10], client=pipe))
        results.append(await outcome(lambda p: p.execute(), pipe))
    await done(client.script_flush())
    return results, await done(script(["n"], [10], client=client))


@habit
async def execute_command_of_ones_own(make: Side) -> Any:
    names = []

    class Counting(make.type):  # type: ignore[misc,name-defined]
        def execute_command(self, *args: Any, **options: Any) -> Any:
            names.append(args[0])
            return super().execute_command(*args, **options)

    client = make.keep(Counting(host=make.server.host, port=make.server.port))
    script = client.register_script(ADD)
    await done(client.script_load(ADD))
    return [await done(script(["n"], [1])) for _ in range(3)], await done(client.get("n")), names


@habit
async def execute_command_that_is_patched(make: Side) -> Any:
    client = make()
    script = client.register_script(ADD)
    await done(client.script_load(ADD))
    names = []
    original = client.execute_command

    def counting(*args: Any, **options: Any) -> Any:
        names.append(args[0])
        return original(*args, **options)

    for patched in (client, make.type):
        await done(script(["n"], [1]))
        with pytest.MonkeyPatch.context() as patch:
            own = counting if patched is client else lambda _, *args, **kw: counting(*args, **kw)
            patch.setattr(patched, "execute_command", own)
            await done(script(["n"], [1]))
    return names, await done(script(["n"], [1]))


@habit
async def text_of_a_script_that_does_not_compile(make: Side) -> Any:
    client = make()
    calls: list[Callable[[Any], Any]] = [
        lambda c: c.eval("return nothing nothing", 0),
        lambda c: c.pipeline().eval("return nothing nothing", 0).execute(),
        lambda c: c.register_script("return nothing nothing")(),
    ]
    return [await outcome(call, client) for call in calls]


@habit
async def functions(make: Side) -> Any:
    client = make()
    code = "#!lua name=own\nredis.register_function('add', function(k, a) return k[1] .. a[1] end)"
    calls: list[Callable[[Any], Any]] = [
        lambda c: c.function_load(code, replace=True),
        lambda c: c.fcall("add", 1, "key", "v"),
        lambda c: c.fcall_ro("add", 1, "key", "v"),
        lambda c: c.function_list(library="own"),
        lambda c: c.function_delete("own"),
        lambda c: c.function_kill(),
        lambda c: c.script_kill(),
        lambda c: c.script_flush("ASYNC"),
        lambda c: c.script_exists("0" * 40, "1" * 40),
        lambda c: c.eval_ro("return ARGV[1]", 0, "v"),
        lambda c: c.eval("return 1", -1),
        lambda c: c.eval("return 1", 5, "a"),
    ]
    return [await outcome(call, client) for call in calls]


@habit
async def unknown_option_in_the_url(make: Side) -> Any:
    client = make(decode_response=True)
    return await outcome(lambda c: c.ping(), client)


@habit
async def database_of_the_url(make: Side) -> Any:
    client = make(db=3)
    await done(client.set("a", 1))
    return (
        await done(make().exists("a")),
        await done(client.move("a", 0)),
        await done(client.dbsize()),
    )


@habit
async def monitor(make: Side) -> Any:
    client = make(decode_responses=True)
    await done(client.ping())
    if make.kind.is_sync:
        with client.monitor() as commands:
            client.set("seen", 1)
            found = commands.listen()
            return next(each["command"] for each in found if "seen" in each["command"])
    async with client.monitor() as commands:
        await client.set("seen", 1)
        async for each in commands.listen():
            if "seen" in each["command"]:
                return each["command"]
    return None


@habit
async def empty_and_wrong_calls(make: Side) -> Any:
    client = make()
    calls: list[Callable[[Any], Any]] = [
        lambda c: c.delete(),
        lambda c: c.mget([]),
        lambda c: c.zadd("z", {}),
        lambda c: c.hset("h"),
        lambda c: c.set("a", "b", ex=1, px=1),
        lambda c: c.expire("none", 1, nx=True),
        lambda c: c.execute_command("GET", "a", "b"),
        lambda c: c.execute_command("get", "a"),
        lambda c: c.evalsha("x", 0),
        lambda c: c.pipeline().execute(),
    ]
    return [await outcome(call, client) for call in calls]


@pytest.fixture
async def sides(kind: Kind, own_server: ValkeyServer) -> AsyncIterator[tuple[Side, Side]]:
    async with both(lambda own: Side(kind, own_server, own=own)) as made:
        yield made


async def test_habits_are_served_as_by_the_library(
    own_server: ValkeyServer, sides: tuple[Side, Side]
) -> None:
    found = await different(HABITS, sides, lambda: own_server.command("FLUSHALL"))
    assert found == {}, pformat(found, width=200)


async def test_credentials(kind: Kind) -> None:
    with ValkeyServer(password="secret") as server:
        for options in (
            {},
            {"password": "wrong"},
            {"password": "secret"},
            {"username": "default", "password": "secret"},
        ):
            kinds = []
            for own in (True, False):
                client = kind.client(
                    server.url.replace(":secret@", ""), own=own, retry=kind.retries(0), **options
                )
                kinds.append((await outcome(lambda c: c.set("a", 1), client))[0])
                await closed(client)
            assert kinds[0] == kinds[1], options


async def test_credential_provider_uses_the_librarys_connections(kind: Kind) -> None:
    provider = import_module(f"{kind.library}.credentials").UsernamePasswordCredentialProvider
    with ValkeyServer(password="secret") as server:
        client = kind.client(
            server.url.replace(":secret@", ""), credential_provider=provider("default", "secret")
        )
        assert await done(client.register_script(ADD)(["n"], [2])) == 2
        pipe = client.pipeline().incr("n")
        assert await done(pipe.execute()) == [3]
        await closed(client)


async def test_calls_go_on_when_the_server_is_back(
    kind: Kind, own_server: ValkeyServer, connect: Connect
) -> None:
    client = connect(own_server, socket_timeout=20)
    script = client.register_script(ADD)
    assert await done(script(["n"], [1])) == 1
    await asyncio.to_thread(own_server.stop)
    await asyncio.to_thread(own_server.start)

    async def answers() -> bool:
        try:
            return bool(await done(script(["n"], [1])) == 1)
        except kind.exceptions.ConnectionError:
            return False

    await until(answers)
