"""How people write for the libraries' cluster clients: the same over both kinds of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from pprint import pformat
from typing import Any

import pytest
from tests.transport.kinds import Kind, closed, done
from tests.transport.outcomes import outcome
from tests.transport.sides import BaseSide, both, different
from tests.waiting import until

from glide_scripts.testing import ValkeyCluster

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


class Side(BaseSide):
    def __init__(self, kind: Kind, cluster: ValkeyCluster, *, own: bool) -> None:
        super().__init__(kind, own=own)
        self.address = cluster.addresses[0]

    def __call__(self, **options: Any) -> Any:
        return self.keep(self.kind.cluster(*self.address, own=self.own, **options))

    @property
    def type(self) -> Any:
        return self.class_of(f"{self.kind.name}Cluster")


Habit = Callable[[Side], Awaitable[Any]]
HABITS: dict[str, Habit] = {}


def habit(function: Habit) -> Habit:
    HABITS[function.__name__] = function
    return function


@habit
async def startup_nodes(make: Side) -> Any:
    sub = "" if make.kind.is_sync else ".asyncio"
    node = import_module(f"{make.kind.library}{sub}.cluster").ClusterNode
    client = make.keep(make.type(startup_nodes=[node(*make.address)]))
    return await done(client.set("a", 1)), await done(client.register_script(ADD)(["a"], [1]))


@habit
async def url(make: Side) -> Any:
    host, port = make.address
    url = f"{make.kind.library}://{host}:{port}"
    client = make.keep(make.type.from_url(url, decode_responses=True))
    return await done(client.set("a", "ä")), await done(client.get("a"))


@habit
async def client_as_context(make: Side) -> Any:
    if make.kind.is_sync:
        with make() as client:
            return client.set("a", 1)
    async with make() as client:
        return await client.set("a", 1)


@habit
async def reads_from_replicas(make: Side) -> Any:
    client = make(read_from_replicas=True)
    await done(client.set("a", 1))

    async def is_there() -> bool:
        return bool(await done(client.get("a")) == b"1")

    await until(is_there)
    return await done(client.register_script(ADD)(["a"], [1]))


@habit
async def nodes_of_the_callers_choice(make: Side) -> Any:
    client = make()
    nodes = client.get_primaries()
    await done(client.mset_nonatomic({"a": 1, "b": 2, "c": 3}))
    return [
        await outcome(lambda c: c.ping(target_nodes=c.PRIMARIES), client),
        await outcome(lambda c: c.dbsize(target_nodes="primaries"), client),
        await outcome(lambda c: c.ping(target_nodes=nodes[0]), client),
        await outcome(lambda c: c.execute_command("PING", target_nodes=nodes), client),
        await outcome(lambda c: c.get("a", target_nodes="none"), client),
        len(await done(client.keys("*", target_nodes="primaries"))),
    ]


@habit
async def commands_for_any_node_after_one_with_a_key(make: Side) -> Any:
    client = make()
    await done(client.set("a", 1))
    return await done(client.memory_usage("a")) > 0, await done(client.randomkey())


@habit
async def scripts_without_keys(make: Side) -> Any:
    client = make()
    return (
        await done(client.register_script("return ARGV[1]")(args=["v"])),
        await done(client.eval("return 1", 0)),
    )


@habit
async def keys_of_several_slots(make: Side) -> Any:
    client = make()
    calls: list[Callable[[Any], Any]] = [
        lambda c: c.mget("a", "b"),
        lambda c: c.mset({"a": 1, "b": 2}),
        lambda c: c.mget("{t}a", "{t}b"),
        lambda c: c.exists("a", "b"),
        lambda c: c.delete("a", "b", "c"),
        lambda c: c.rename("{t}none", "{t}other"),
    ]
    results = [await outcome(call, client) for call in calls]
    # Which error it is differs between the libraries, their versions and here.
    return [kind if isinstance(kind, type) else "error" for kind, *_ in results]


@habit
async def lock(make: Side) -> Any:
    client = make()
    held = client.lock("name", timeout=20)
    return [
        await done(held.acquire()),
        await done(held.extend(10)),
        await done(held.release()),
        await outcome(lambda each: each.release(), held),
    ]


@habit
async def iterator(make: Side) -> Any:
    client = make()
    await done(client.mset_nonatomic({f"key:{n}": n for n in range(30)}))
    found = client.scan_iter("key:*")
    if make.kind.is_sync:
        return sorted(found)
    return sorted([each async for each in found])


@habit
async def pipeline(make: Side) -> Any:
    client = make()
    pipe = client.pipeline().set("a", 1).set("b", 2).incr("a").get("none").lpush("b", 1)
    return len(pipe), await outcome(lambda p: p.execute(raise_on_error=False), pipe), len(pipe)


@habit
async def callback_of_ones_own(make: Side) -> Any:
    client = make()
    await done(client.set("a", 1))
    results = []
    for own in (lambda reply, **_: ("first", reply), lambda reply, **_: ("second", reply)):
        client.set_response_callback("GET", own)
        client.set_response_callback("SET", own)
        results.append((await done(client.get("a")), await done(client.set("a", 1))))
    return results, await done(client.execute_command("hgetall", "none"))


@habit
async def transaction_that_watches(make: Side) -> Any:
    if make.kind.library == "valkey" or not make.kind.is_sync:
        # valkey-py has none. redis-py's asynchronous one runs each command on a loop of its own,
        # and leaves its client with a connection of that loop.
        return None
    client = make()
    await done(client.set("{t}n", 5))
    pipe = client.pipeline(transaction=True)
    await done(pipe.watch("{t}n"))
    seen = await done(pipe.get("{t}n"))
    pipe.multi()
    pipe.incr("{t}n").set("{t}m", 1)
    results = await done(pipe.execute())
    await done(pipe.watch("{t}n"))
    await done(client.incr("{t}n"))
    pipe.multi()
    pipe.incr("{t}n")
    return seen, results, (await outcome(lambda p: p.execute(), pipe))[0]


@pytest.fixture
async def sides(kind: Kind, valkey_cluster: ValkeyCluster) -> AsyncIterator[tuple[Side, Side]]:
    async with both(lambda own: Side(kind, valkey_cluster, own=own)) as made:
        yield made


async def test_habits_are_served_as_by_the_library(sides: tuple[Side, Side]) -> None:
    cleaning = sides[0]()
    found = await different(HABITS, sides, lambda: cleaning.flushall(target_nodes="primaries"))
    assert found == {}, pformat(found, width=200)


async def test_passwords(kind: Kind) -> None:
    with ValkeyCluster(primaries=1, replicas=0, password="secret") as cluster:
        host, port = cluster.addresses[0]
        client = kind.cluster(host, port, password="secret", socket_timeout=60)
        script = client.register_script(ADD)
        assert await done(script(["n"], [2])) == 2
        await done(client.script_flush())
        pipe = client.pipeline()
        await done(script(["n"], [2], client=pipe))
        assert await done(pipe.execute()) == [4]
        await closed(client)
