"""Managing scripts on all nodes, everyday commands over many slots, and both with nodes down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.support import a_key_each, calls, key_on, name_of, of_nodes
from tests.waiting import until

from glide_scripts import (
    OK,
    AllNodes,
    AllPrimaries,
    ByAddressRoute,
    ClusterBatch,
    FlushMode,
    GlideClusterClient,
    InfoSection,
    NoScriptError,
    NotBusyError,
    RandomNode,
    ReadFrom,
    RequestError,
    Route,
    Script,
    ScriptBusyError,
    ScriptKilledError,
    SlotKeyRoute,
    SlotType,
    TimeoutError,
)
from glide_scripts.testing import ServerReplyError, ValkeyCluster, ValkeyServer

HELLO = Script("return 'hello'")
SHA = HELLO.get_hash()
UNKNOWN = "f" * 40
SET = Script("return redis.call('SET', KEYS[1], ARGV[1])")


def have(nodes: list[ValkeyServer]) -> list[object]:
    return [node.command("SCRIPT", "EXISTS", SHA) for node in nodes]


def on(node: ValkeyServer) -> Route:
    return ByAddressRoute(node.host, node.port)


# Scripts


async def test_a_script_is_loaded_on_all_primaries(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    assert await client.script_load(HELLO) == SHA
    assert have(cluster.primaries()) == [[1]] * 3
    assert await client.script_exists([SHA, UNKNOWN, SHA]) == [True, False, True]


async def test_a_script_exists_only_if_every_primary_has_it(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    assert await client.script_exists([SHA]) == [False]
    await client.script_load(HELLO)
    other = await client.script_load("return 2")
    assert await client.script_exists([SHA, other]) == [True, True]
    flushed = cluster.primaries()[1]
    flushed.command("SCRIPT", "FLUSH")
    flushed.command("SCRIPT", "LOAD", "return 2")
    assert await client.script_exists([SHA, other]) == [False, True]
    assert await client.script_exists([SHA], on(flushed)) == [False]
    assert await client.script_exists([SHA], on(cluster.primaries()[0])) == [True]
    assert await client.script_exists([SHA], AllNodes()) == [False]


@pytest.mark.parametrize("mode", [None, FlushMode.SYNC, FlushMode.ASYNC])
@pytest.mark.every_server
async def test_a_flush_reaches_every_node(
    cluster: ValkeyCluster, client: GlideClusterClient, mode: FlushMode | None
) -> None:
    for node in cluster.nodes:
        node.command("SCRIPT", "LOAD", HELLO.code)
    assert await client.script_flush(mode) is OK
    assert have(cluster.nodes) == [[0]] * 6


@pytest.mark.needs("scripts of a replica's own")
async def test_a_route_says_which_nodes_are_loaded_and_flushed(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    key = key_on(cluster, cluster.primaries()[0])
    primary, replica = (SlotKeyRoute(kind, key) for kind in SlotType)
    assert await client.script_load(HELLO, route=replica) == SHA
    (expected,) = cluster.replicas(of=cluster.primaries()[0])
    assert [node for node in cluster.nodes if have([node]) == [[1]]] == [expected]
    assert await client.script_load(HELLO, route=AllNodes()) == SHA
    assert await client.script_exists([SHA], AllNodes()) == [True]
    assert await client.script_flush(route=primary) is OK
    assert await client.script_exists([SHA], primary) == [False]
    assert await client.script_exists([SHA], replica) == [True]
    assert await client.script_flush(FlushMode.SYNC, AllPrimaries()) is OK
    assert have(cluster.replicas()) == [[1]] * 3


@pytest.mark.needs("SCRIPT SHOW")
async def test_a_script_is_shown_from_any_primary_or_by_route(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    with pytest.raises(NoScriptError):
        await client.script_show(SHA)
    await client.script_load(HELLO)
    assert [await client.script_show(SHA) for _ in range(10)] == [HELLO.code] * 10
    assert await client.script_show(SHA, on(cluster.primaries()[2])) == HELLO.code
    with pytest.raises(NoScriptError):
        await client.script_show(SHA, on(cluster.replicas()[0]))


@pytest.mark.parametrize("with_key", [True, False])
async def test_one_call_makes_a_script_exist_in_the_whole_cluster(
    cluster: ValkeyCluster, client: GlideClusterClient, with_key: bool
) -> None:
    # Now there is a connection to each primary.
    await client.dbsize()
    for number in range(10):
        script = Script(f"return {number}")
        await client.invoke_script(script, keys=["key"] if with_key else None)
        assert await client.script_exists([script.get_hash()]) == [True]


# Killing

ENDLESS = Script("for i = 1, 1e12 do end", read_only=True)


async def is_busy(node: ValkeyServer) -> bool:
    try:
        await asyncio.to_thread(node.command, "DBSIZE")
    except ServerReplyError as error:
        return error.code == "BUSY"
    return False


async def not_busy(node: ValkeyServer) -> bool:
    return not await is_busy(node)


@pytest.fixture
async def impatient(cluster: ValkeyCluster) -> Any:
    for node in cluster.nodes:
        node.command("CONFIG", "SET", "lua-time-limit", 20)
    yield cluster
    for node in cluster.nodes:
        with contextlib.suppress(ServerReplyError):
            node.command("SCRIPT", "KILL")
        await until(partial(not_busy, node))
        node.command("CONFIG", "SET", "lua-time-limit", 5000)


@pytest.mark.parametrize("slot_type", SlotType)
@pytest.mark.parametrize("routed", [False, True])
@pytest.mark.every_server
async def test_a_script_is_killed_wherever_it_runs(
    impatient: ValkeyCluster, client: GlideClusterClient, slot_type: SlotType, routed: bool
) -> None:
    primary = impatient.primaries()[1]
    node = primary if slot_type is SlotType.PRIMARY else impatient.replicas(of=primary)[0]
    running = asyncio.create_task(
        client.invoke_script_route(ENDLESS, route=on(node), timeout=60_000)
    )
    await until(lambda: is_busy(node))
    assert await client.script_kill(on(node) if routed else None) is OK
    with pytest.raises(ScriptKilledError):
        await running
    assert await client.invoke_script_route(HELLO, route=on(node)) == b"hello"


async def test_a_kill_elsewhere_leaves_a_script_running(
    impatient: ValkeyCluster, resp3_client: GlideClusterClient, connect_cluster: Connect
) -> None:
    node, other = impatient.primaries()[:2]
    # A second client: a server does not read from the connection whose script it is running.
    runner = await connect_cluster(impatient)
    running = asyncio.create_task(
        runner.invoke_script_route(ENDLESS, route=on(node), timeout=60_000)
    )
    await until(lambda: is_busy(node))
    with pytest.raises(NotBusyError):
        await resp3_client.script_kill(on(other))
    with pytest.raises(ScriptBusyError):
        await resp3_client.script_exists([SHA])
    for key in (key_on(impatient, each) for each in impatient.primaries()[1:]):
        assert await resp3_client.invoke_script(HELLO, keys=[key]) == b"hello"
    assert await resp3_client.script_kill() is OK
    with pytest.raises(ScriptKilledError):
        await running


async def test_without_a_running_script_there_is_nothing_to_kill(
    client: GlideClusterClient,
) -> None:
    for route in (None, AllNodes(), AllPrimaries(), SlotKeyRoute(SlotType.PRIMARY, "key")):
        with pytest.raises(NotBusyError) as caught:
            await client.script_kill(route)
        assert caught.value.code == "NOTBUSY"


# Commands


async def test_a_custom_command_goes_by_its_route(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    port = ["CONFIG", "GET", "port"]
    for node in cluster.nodes:
        reply = await client.custom_command(port, on(node))
        assert reply in ({b"port": b"%d" % node.port}, [b"port", b"%d" % node.port])
    for route, nodes in ((AllNodes(), cluster.nodes), (AllPrimaries(), cluster.primaries())):
        replies = await client.custom_command(port, route)
        assert isinstance(replies, dict)
        assert replies.keys() == of_nodes(nodes)
    assert await client.custom_command(["PING"], RandomNode()) == b"PONG"


async def test_a_custom_command_without_a_route_goes_by_its_key(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    for primary in cluster.primaries():
        key = key_on(cluster, primary)
        assert await client.custom_command(["SET", key, "v"]) is OK
        assert primary.command("GET", key) == b"v"
        assert await client.custom_command(["OBJECT", "ENCODING", key]) == b"embstr"
        assert await client.custom_command(["EVAL", "return KEYS[1]", "1", key]) == key.encode()


async def test_commands_on_a_thousand_keys_are_split_and_put_together(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    values = {f"key:{number}": f"value:{number}" for number in range(1000)}
    assert await client.mset(values) is OK
    assert all(isinstance(node.command("DBSIZE"), int) for node in cluster.nodes)
    keys = [*values, "missing", *reversed(values)]
    expected = [values[key].encode() if key in values else None for key in keys]
    assert await client.mget(keys) == expected
    assert await client.exists([*values, "missing", "key:1", "key:1"]) == 1002
    assert await client.dbsize() == 1000
    assert await client.custom_command(["TOUCH", *values]) == 1000
    assert await client.delete([*list(values)[:400], "missing"]) == 400
    assert await client.custom_command(["UNLINK", *values]) == 600
    assert await client.dbsize() == 0


async def test_an_error_of_one_part_is_the_commands(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    with pytest.raises(RequestError, match="wrong number of arguments"):
        await client.custom_command(["MSET", "{a}", "1", "a"])
    with pytest.raises(RequestError, match="wrong number of arguments"):
        await client.custom_command(["DEL"])
    assert await client.mget(["a", "b"]) == [None, None]


@pytest.mark.parametrize("in_batch", [False, True])
async def test_an_error_of_one_part_says_whether_any_part_may_have_run(
    cluster: ValkeyCluster, client: GlideClusterClient, in_batch: bool
) -> None:
    async def error_of(command: list[str]) -> RequestError:
        batch = ClusterBatch(False).custom_command(command)
        call = client.exec(batch, True) if in_batch else client.custom_command(command)
        with pytest.raises(RequestError) as error:
            await call
        return error.value

    nodes = cluster.primaries()
    mset = ["MSET", *(word for key in a_key_each(cluster) for word in (key, "v"))]
    try:
        nodes[0].command("CONFIG", "SET", "maxmemory", "1")
        assert (await error_of(mset)).may_have_executed
        for node in nodes[1:]:
            node.command("CONFIG", "SET", "maxmemory", "1")
        assert not (await error_of(mset)).may_have_executed
    finally:
        for node in nodes:
            node.command("CONFIG", "SET", "maxmemory", "0")
    assert not (await error_of(["SCRIPT", "LOAD", "return ("])).may_have_executed


async def test_commands_about_the_servers_go_where_they_say(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    primaries = of_nodes(cluster.primaries())
    assert await client.ping() == b"PONG"
    assert await client.ping("hi") == b"hi"
    # Replicas are not counted: their primaries ping them, too.
    assert sum(calls(cluster.primaries(), "ping")) == 6
    info = await client.info([InfoSection.SERVER])
    assert isinstance(info, dict)
    assert info.keys() == primaries
    assert all(b"tcp_port:" + name.split(b":")[1] in text for name, text in info.items())
    assert isinstance(await client.info(route=RandomNode()), bytes)
    seconds, microseconds = await client.time()
    assert int(seconds) > 0
    assert int(microseconds) >= 0
    times = await client.time(AllNodes())
    assert isinstance(times, dict)
    assert times.keys() == of_nodes(cluster.nodes)
    assert await client.echo("hi") == b"hi"
    assert await client.echo("hi", AllPrimaries()) == dict.fromkeys(primaries, b"hi")


async def test_settings_are_set_on_every_node(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    setting = {"slowlog-max-len": "77"}
    assert await client.config_set(setting) is OK
    expected = {b"slowlog-max-len": b"77"}
    assert await client.config_get(["slowlog-max-len"]) == expected
    everywhere = await client.config_get(["slowlog-max-len"], AllNodes())
    assert everywhere == {name_of(node): expected for node in cluster.nodes}
    one = cluster.replicas()[0]
    assert await client.config_set({"slowlog-max-len": "78"}, on(one)) is OK
    assert await client.config_get(["slowlog-max-len"], on(one)) == {b"slowlog-max-len": b"78"}


async def test_keys_are_counted_and_flushed_on_all_primaries_or_some(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    keys = a_key_each(cluster)
    for key in keys:
        await client.set(key, "v")
    assert await client.dbsize() == 3
    assert await client.dbsize(on(cluster.primaries()[0])) == 1
    assert await client.flushall(route=SlotKeyRoute(SlotType.PRIMARY, keys[0])) is OK
    assert await client.exists(keys) == 2
    assert await client.flushall(FlushMode.SYNC) is OK
    assert await client.dbsize() == 0


# With nodes down

# A call that waits for a node that is down ends only at its deadline.
PATIENCE = 20_000

CALLS: dict[str, Callable[[GlideClusterClient, list[str]], Awaitable[object]]] = {
    "invoke": lambda client, _: client.invoke_script(HELLO),
    "invoke with keys": lambda client, keys: asyncio.gather(
        *(client.invoke_script(SET, [key], ["v"]) for key in keys)
    ),
    "invoke on primaries": lambda client, _: client.invoke_script_route(
        HELLO, route=AllPrimaries()
    ),
    "invoke on nodes": lambda client, _: client.invoke_script_route(HELLO, route=AllNodes()),
    "invoke on a replica": lambda client, keys: asyncio.gather(
        *(
            client.invoke_script_route(HELLO, route=SlotKeyRoute(SlotType.REPLICA, key))
            for key in keys
        )
    ),
    "read only": lambda client, keys: asyncio.gather(
        *(client.invoke_script(Script("return 1", read_only=True), [key]) for key in keys)
    ),
    "script_load": lambda client, _: client.script_load(HELLO),
    "script_exists": lambda client, _: client.script_exists([SHA]),
    "script_flush": lambda client, _: client.script_flush(),
    "config_set": lambda client, _: client.config_set({"slowlog-max-len": "99"}),
    "mget": lambda client, keys: client.mget(keys),
    "mset": lambda client, keys: client.mset(dict.fromkeys(keys, "v")),
    "dbsize": lambda client, _: client.dbsize(),
    "info": lambda client, _: client.info(),
    "ping": lambda client, _: client.ping(),
    "flushall": lambda client, _: client.flushall(),
}
CALL_PARAMS = [
    *(pytest.param(call, id=name) for name, call in CALLS.items()),
    pytest.param(
        lambda client, _: client.script_show(SHA),
        id="script_show",
        marks=pytest.mark.needs("SCRIPT SHOW"),
    ),
]


@pytest.fixture(scope="module")
def crippled() -> Any:
    """A cluster of which a replica is dead all the time, and no node has noticed it at first."""
    with ValkeyCluster(primaries=3, replicas=1, cluster_node_timeout_ms=1000) as cluster:
        cluster.replicas()[0].kill()
        yield cluster


@pytest.mark.parametrize("read_from_replicas", [False, True])
@pytest.mark.parametrize("call", CALL_PARAMS)
async def test_a_dead_replica_changes_nothing_for_a_call(
    crippled: ValkeyCluster,
    connect_cluster: Connect,
    call: Callable[[GlideClusterClient, list[str]], Awaitable[object]],
    read_from_replicas: bool,
) -> None:
    read_from = ReadFrom.PREFER_REPLICA if read_from_replicas else ReadFrom.PRIMARY
    client = await connect_cluster(crippled, read_from=read_from, request_timeout=3000)
    await client.script_load(HELLO)
    for _ in range(2):
        await call(client, a_key_each(crippled))
        await client.script_load(HELLO)


@pytest.mark.parametrize("call", CALL_PARAMS)
async def test_a_replica_that_dies_while_the_client_is_there_changes_nothing_for_a_call(
    own_replicas: ValkeyCluster,
    connect_cluster: Connect,
    call: Callable[[GlideClusterClient, list[str]], Awaitable[object]],
) -> None:
    client = await connect_cluster(own_replicas, request_timeout=3000)
    await client.script_load(HELLO)
    keys = a_key_each(own_replicas)
    await client.invoke_script_route(HELLO, route=AllNodes())
    await asyncio.to_thread(own_replicas.replicas()[0].kill)
    for _ in range(2):
        await call(client, keys)
        await client.script_load(HELLO)


@pytest.fixture(scope="module")
def cluster_to_repair() -> Any:
    with ValkeyCluster(primaries=3, replicas=1, cluster_node_timeout_ms=1000) as cluster:
        yield cluster


@pytest.fixture
def own_replicas(cluster_to_repair: ValkeyCluster) -> Any:
    """A cluster whose replicas a test may kill."""
    yield cluster_to_repair
    for node in cluster_to_repair.nodes:
        node.start()
    cluster_to_repair.wait_until_ready()


@pytest.fixture(scope="module")
def no_replicas() -> Any:
    with ValkeyCluster(primaries=3, replicas=0, cluster_node_timeout_ms=15_000) as cluster:
        yield cluster


@pytest.fixture(params=["paused", "killed"])
async def with_a_primary_down(no_replicas: ValkeyCluster, request: Any) -> Any:
    """A cluster of primaries, its clients made before the last one went down."""
    down = no_replicas.nodes[-1]

    async def take_down() -> None:
        await asyncio.to_thread(down.pause if request.param == "paused" else down.kill)

    yield no_replicas, take_down
    await asyncio.to_thread(down.resume if request.param == "paused" else down.start)
    await asyncio.to_thread(no_replicas.wait_until_ready)


async def test_a_primary_that_is_down_never_holds_up_a_call_to_another_shard(
    with_a_primary_down: Any, connect_cluster: Connect
) -> None:
    cluster, take_down = with_a_primary_down
    keys = a_key_each(cluster)
    healthy, lost = keys[:2], keys[2]
    client = await connect_cluster(cluster)
    await asyncio.gather(*(client.set(key, "v") for key in keys))
    await take_down()
    # Calls that wait for the node that is down. The script is new, so the client also loads it.
    waiting = [
        asyncio.create_task(client.invoke_script(SET, [lost], ["w"], timeout=PATIENCE)),
        asyncio.create_task(client.invoke_script_route(HELLO, route=AllNodes(), timeout=PATIENCE)),
    ]
    for number in range(50):
        script = Script(f"return {{redis.call('GET', KEYS[1]), {number}}}")
        replies = await asyncio.gather(
            *(client.invoke_script(script, [key], timeout=1000) for key in healthy)
        )
        assert replies == [[b"v", number]] * 2
    assert await client.mget(healthy) == [b"v", b"v"]
    with pytest.raises((TimeoutError, RequestError)):
        await client.invoke_script(SET, [lost], ["w"], timeout=300)
    for task in waiting:
        assert not task.done(), task
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_client_is_made_though_a_primary_is_down(
    with_a_primary_down: Any, connect_cluster: Connect
) -> None:
    cluster, take_down = with_a_primary_down
    healthy = a_key_each(cluster)[:2]
    await take_down()
    client = await connect_cluster(cluster)
    for key in healthy:
        assert await client.invoke_script(HELLO, [key], timeout=1000) == b"hello"
