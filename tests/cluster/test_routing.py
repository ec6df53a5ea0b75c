"""Where scripts run: by their keys, by a route, and by the client's ``read_from``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.support import (
    SCRIPT_COMMANDS,
    a_key_each,
    calls,
    key_on,
    name_of,
    of_nodes,
    reset_stats,
    runs,
)

from glide_scripts import (
    AllNodes,
    AllPrimaries,
    ByAddressRoute,
    ClusterBatch,
    CrossSlotError,
    GlideClusterClient,
    RandomNode,
    ReadFrom,
    RequestError,
    Route,
    Script,
    ScriptError,
    SlotIdRoute,
    SlotKeyRoute,
    SlotType,
)
from glide_scripts.testing import ValkeyCluster, ValkeyServer

SET = Script("return redis.call('SET', KEYS[1], ARGV[1])")
GET = Script("return redis.call('GET', KEYS[1])", read_only=True)
ONE = Script("return 1")
PORT = Script("return redis.call('CONFIG', 'GET', 'port')[2]")
CALLS = 120


# By key


async def test_a_script_runs_on_the_shard_that_holds_its_key(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    for primary in cluster.primaries():
        key = key_on(cluster, primary)
        await client.invoke_script(SET, keys=[key], args=[name_of(primary)])
        assert primary.command("GET", key) == name_of(primary)
        assert runs(primary) == 1


@pytest.mark.parametrize(
    "keys",
    [
        ["{user}:a", "{user}:b", "user"],
        ["x{{a}y", "{a"],
        ["a{x}{y}", "{x}b{z}"],
        [b"\xff{\x00}", b"\x00"],
        ["", ""],
        ["{}a", "{}a"],
    ],
)
async def test_keys_with_one_hash_tag_go_together(client: GlideClusterClient, keys: Any) -> None:
    script = Script("for _, key in ipairs(KEYS) do redis.call('SET', key, key) end return #KEYS")
    assert await client.invoke_script(script, keys=keys) == len(keys)


@pytest.mark.parametrize("call", ["invoke_script", "invoke_script_route", "eval", "evalsha"])
async def test_keys_in_different_slots_are_refused_before_anything_is_sent(
    cluster: ValkeyCluster, client: GlideClusterClient, call: str
) -> None:
    what: Any = SET if call.startswith("invoke") else SET.code
    with pytest.raises(CrossSlotError) as caught:
        await getattr(client, call)(what, keys=["first", "other"], args=["v"])
    text = str(caught.value)
    slots = [str(cluster.key_slot(key)) for key in ("first", "other")]
    for part in ("CROSSSLOT", "CrossSlot", "first", "other", "hash tag", *slots):
        assert part in text
    assert caught.value.code == "CROSSSLOT"
    assert caught.value.may_have_executed is False
    assert [sum(calls(cluster.nodes, name)) for name in SCRIPT_COMMANDS] == [0, 0, 0, 0]


async def test_a_key_of_two_in_the_same_shard_but_another_slot_is_refused_too(
    cluster: ValkeyCluster, resp3_client: GlideClusterClient
) -> None:
    primary = cluster.primaries()[0]
    keys = [key_on(cluster, primary, prefix) for prefix in ("a", "b")]
    with pytest.raises(CrossSlotError):
        await resp3_client.invoke_script(SET, keys=keys, args=["v"])


@pytest.mark.parametrize("keys", [["{a}", "a", None], [1], "abc", {"a": "b"}], ids=repr)
async def test_what_is_no_list_of_keys_is_refused(client: GlideClusterClient, keys: Any) -> None:
    for call in (client.invoke_script, client.invoke_script_route):
        with pytest.raises(TypeError, match=r"^keys.* is \w+; pass"):
            await call(ONE, keys=keys)


async def test_scripts_without_keys_use_all_primaries_and_no_replica(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    # A primary that is not connected yet is left out.
    await client.custom_command(["PING"], route=AllPrimaries())
    assert await asyncio.gather(*(client.invoke_script(ONE) for _ in range(CALLS))) == [1] * CALLS
    counts = [runs(primary) for primary in cluster.primaries()]
    assert sum(counts) == CALLS
    # By chance, one of the three has fewer in one of a million runs.
    assert min(counts) > CALLS // 8
    assert [sum(calls(cluster.replicas(), name)) for name in SCRIPT_COMMANDS] == [0, 0, 0, 0]


# By route


@pytest.mark.parametrize("slot_type", SlotType)
@pytest.mark.parametrize("by", ["key", "id"])
async def test_a_route_by_slot_runs_on_the_shards_primary_or_replica(
    cluster: ValkeyCluster, client: GlideClusterClient, slot_type: SlotType, by: str
) -> None:
    for primary in cluster.primaries():
        key = key_on(cluster, primary)
        route: Route = SlotKeyRoute(slot_type, key)
        if by == "id":
            route = SlotIdRoute(slot_type, cluster.key_slot(key))
        assert await client.invoke_script_route(ONE, route=route) == 1
        (replica,) = cluster.replicas(of=primary)
        expected = primary if slot_type is SlotType.PRIMARY else replica
        assert [node for node in cluster.nodes if runs(node)] == [expected]
        reset_stats(cluster.nodes)


async def test_arguments_and_route_come_in_the_order_of_glide(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    own = Script("return {#KEYS, ARGV[1]}")
    primary = SlotKeyRoute(SlotType.PRIMARY, a_key_each(cluster)[0])
    assert await client.invoke_script_route(own, ["a"], primary) == [0, b"a"]
    assert await client.invoke_script_route(own, None, RandomNode()) == [0]
    replies = await client.invoke_script_route(own, ["a"], AllPrimaries())
    assert isinstance(replies, dict)
    assert list(replies.values()) == [[0, b"a"]] * len(cluster.primaries())
    batch = ClusterBatch(is_atomic=False).invoke_script_route(own, ["a"], primary)
    assert await client.exec(batch, raise_on_error=True) == [[0, b"a"]]
    # Without a route, they are arguments as well, not keys.
    assert await client.invoke_script_route(own, ["a"]) == [0, b"a"]
    assert await client.invoke_script_route(own, ["a"], None) == [0, b"a"]
    calls: tuple[Any, ...] = (client.invoke_script_route, batch.invoke_script_route)
    for call in calls:
        with pytest.raises(TypeError, match="route is list; pass a Route"):
            await call(own, ["k"], ["a"])


@pytest.mark.parametrize("slot_type", SlotType)
async def test_a_route_by_slot_takes_keys_of_that_slot(
    cluster: ValkeyCluster, client: GlideClusterClient, slot_type: SlotType
) -> None:
    for key in a_key_each(cluster):
        read = Script("return {KEYS[1], redis.call('EXISTS', KEYS[1])}", read_only=True)
        reply = await client.invoke_script_route(
            read, keys=[key], route=SlotKeyRoute(slot_type, key)
        )
        assert reply == [key.encode(), 0]


@pytest.mark.parametrize("form", ["host and port", "one text"])
async def test_a_route_by_address_runs_on_that_node(
    cluster: ValkeyCluster, client: GlideClusterClient, form: str
) -> None:
    for node in cluster.nodes:
        route = ByAddressRoute(node.host, node.port)
        if form == "one text":
            route = ByAddressRoute(f"{node.host}:{node.port}")
        assert await client.invoke_script_route(ONE, route=route) == 1
        assert [each for each in cluster.nodes if runs(each)] == [node]
        reset_stats(cluster.nodes)


async def test_a_route_to_an_unknown_address_is_an_error_that_names_it(
    client: GlideClusterClient,
) -> None:
    with pytest.raises(RequestError, match=r"no node of the cluster is at 192\.0\.2\.1:7") as found:
        await client.invoke_script_route(ONE, route=ByAddressRoute("192.0.2.1", 7))
    assert found.value.may_have_executed is False


async def test_a_route_to_a_random_node_uses_each_node(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    calls = [client.invoke_script_route(ONE, route=RandomNode()) for _ in range(CALLS)]
    assert await asyncio.gather(*calls) == [1] * CALLS
    counts = [runs(node) for node in cluster.nodes]
    assert sum(counts) == CALLS
    assert min(counts) > 0


ROUTES_TO_SEVERAL: list[tuple[Route, Callable[[ValkeyCluster], list[ValkeyServer]]]] = [
    (AllPrimaries(), ValkeyCluster.primaries),
    (AllNodes(), lambda cluster: cluster.nodes),
]


@pytest.mark.parametrize(("route", "nodes"), ROUTES_TO_SEVERAL, ids=["primaries", "nodes"])
@pytest.mark.parametrize("cached_on", [0, 1, 2, 4, 6])
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.every_server
async def test_each_of_several_nodes_runs_the_script_once_whichever_had_it(
    cluster: ValkeyCluster,
    client: GlideClusterClient,
    *,
    route: Route,
    nodes: Callable[[ValkeyCluster], list[ValkeyServer]],
    cached_on: int,
    read_only: bool,
) -> None:
    script = Script("return {1, {ARGV[1]}}", read_only=read_only)
    # Primaries and replicas in turn.
    mixed = [
        node for pair in zip(cluster.primaries(), cluster.replicas(), strict=True) for node in pair
    ]
    for node in mixed[:cached_on]:
        node.command("SCRIPT", "LOAD", script.code)
    reply = await client.invoke_script_route(script, args=["a"], route=route)
    expected = nodes(cluster)
    assert reply == {name: [1, [b"a"]] for name in of_nodes(expected)}
    assert [runs(node) for node in expected] == [1] * len(expected)
    assert sum(runs(node) for node in cluster.nodes) == len(expected)


@pytest.mark.needs("availability zones")
async def test_replies_of_several_nodes_are_each_nodes_own(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    for number, node in enumerate(cluster.nodes):
        node.command("CONFIG", "SET", "availability-zone", f"zone-{number}")
    zone = Script("return redis.call('INFO', 'server'):match('availability_zone:([%w-]*)')")
    reply = await client.invoke_script_route(zone, route=AllNodes())
    expected = {name_of(node): b"zone-%d" % number for number, node in enumerate(cluster.nodes)}
    assert reply == expected


async def test_an_error_on_one_of_several_nodes_names_it(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    failing = cluster.primaries()[1]
    code = f"if redis.call('INFO', 'server'):find('tcp_port:{failing.port}') then error('boom') end"
    with pytest.raises(
        RequestError, match=rf"boom \(on {failing.host}:{failing.port}\)\n"
    ) as caught:
        await client.invoke_script_route(Script(code), route=AllPrimaries())
    assert caught.value.may_have_executed is True


@pytest.mark.parametrize(
    "route",
    [
        SlotKeyRoute(SlotType.PRIMARY, "other"),
        SlotKeyRoute(SlotType.REPLICA, "other"),
        SlotIdRoute(SlotType.PRIMARY, 0),
        AllPrimaries(),
        AllNodes(),
        RandomNode(),
    ],
    ids=repr,
)
async def test_a_key_that_the_route_does_not_hold_is_refused_before_anything_is_sent(
    cluster: ValkeyCluster, client: GlideClusterClient, route: Route
) -> None:
    with pytest.raises(CrossSlotError, match="CROSSSLOT") as caught:
        await client.invoke_script_route(SET, ["v"], route, keys=["key"])
    assert str(cluster.key_slot("key")) in str(caught.value)
    assert (caught.value.code, caught.value.may_have_executed) == ("CROSSSLOT", False)
    assert [sum(calls(cluster.nodes, name)) for name in SCRIPT_COMMANDS] == [0, 0, 0, 0]


async def test_a_key_of_another_nodes_with_a_route_by_address_says_where_it_is(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    here, there = cluster.primaries()[:2]
    route = ByAddressRoute(here.host, here.port)
    with pytest.raises(RequestError, match="MOVED") as caught:
        await client.invoke_script_route(SET, ["v"], route, keys=[key_on(cluster, there)])
    assert caught.value.may_have_executed is False


@pytest.mark.parametrize(
    "route", ["AllPrimaries", AllPrimaries, 1, {"type": "primaries"}], ids=repr
)
async def test_what_is_no_route_is_refused(client: GlideClusterClient, route: Any) -> None:
    for call in (
        client.invoke_script_route(ONE, route=route),
        client.ping(route=route),
        client.custom_command(["PING"], route),
        client.script_flush(route=route),
    ):
        with pytest.raises(TypeError, match=r"^route is \w+; pass a Route"):
            await call


FLUSH = Script("return redis.call('FLUSHALL')")


@pytest.mark.parametrize(
    ("script", "keys", "route"),
    [
        (SET, ["key"], SlotKeyRoute(SlotType.REPLICA, "key")),
        (FLUSH, [], SlotKeyRoute(SlotType.REPLICA, "key")),
        (FLUSH, [], AllNodes()),
    ],
    ids=["a key's replica", "a replica", "all nodes"],
)
async def test_a_write_on_a_replica_that_was_asked_for_is_an_error_at_once(
    resp3_client: GlideClusterClient, script: Script, keys: list[str], route: Route
) -> None:
    """The refusal is permanent: repeating the call until its deadline would hide the reason."""
    with pytest.raises(ScriptError, match=r"READONLY|non local key"):
        await resp3_client.invoke_script_route(script, ["v"], route, keys=keys, timeout=2000)


# By read_from


async def ready_replicas(cluster: ValkeyCluster) -> None:
    """Lets the replicas catch up with what was written."""
    for primary in cluster.primaries():
        await asyncio.to_thread(primary.command, "WAIT", 1, 5000)


@pytest.fixture
async def zones(cluster: ValkeyCluster) -> AsyncIterator[dict[str, list[ValkeyServer]]]:
    """Zones: "near" has the first shard's replica and the second's primary."""
    primaries = cluster.primaries()
    (replica,) = cluster.replicas(of=primaries[0])
    near = [replica, primaries[1]]
    for node in cluster.nodes:
        zone = "near" if node in near else "far"
        node.command("CONFIG", "SET", "availability-zone", zone)
    yield {"primaries": primaries, "near": near}
    for node in cluster.nodes:
        node.command("CONFIG", "SET", "availability-zone", "")


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.needs("read-only forms")
@pytest.mark.every_server
async def test_read_only_scripts_run_on_replicas_if_these_are_preferred(
    cluster: ValkeyCluster, connect_cluster: Connect, cached: bool
) -> None:
    client = await connect_cluster(cluster, read_from=ReadFrom.PREFER_REPLICA)
    for key in a_key_each(cluster):
        await client.set(key, key)
    await ready_replicas(cluster)
    if cached:
        for node in cluster.nodes:
            node.command("SCRIPT", "LOAD", GET.code)
    for key in a_key_each(cluster):
        replies = [await client.invoke_script(GET, keys=[key]) for _ in range(5)]
        assert replies == [key.encode()] * 5
    assert [runs(node) for node in cluster.primaries()] == [0, 0, 0]
    assert [runs(node) for node in cluster.replicas()] == [5, 5, 5]
    # A replica gets a script only from a call: the first call sent it.
    assert calls(cluster.replicas(), "eval_ro") == [0 if cached else 1] * 3
    assert sum(calls(cluster.nodes, "eval")) == 0


async def test_scripts_that_may_write_stay_on_primaries(
    cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(cluster, read_from=ReadFrom.PREFER_REPLICA)
    for key in a_key_each(cluster):
        await client.invoke_script(SET, keys=[key], args=["v"])
    await asyncio.gather(*(client.invoke_script(ONE) for _ in range(30)))
    assert sum(runs(node) for node in cluster.replicas()) == 0
    assert sum(runs(node) for node in cluster.primaries()) == 33


async def test_read_only_scripts_run_on_primaries_by_default(
    cluster: ValkeyCluster, resp3_client: GlideClusterClient
) -> None:
    for key in a_key_each(cluster):
        await resp3_client.invoke_script(GET, keys=[key])
    assert [runs(node) for node in cluster.primaries()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("read_from", "of_second_shard"),
    [
        (ReadFrom.AZ_AFFINITY, "replica"),
        (ReadFrom.AZ_AFFINITY_REPLICAS_AND_PRIMARY, "primary"),
    ],
)
@pytest.mark.needs("availability zones")
async def test_read_only_scripts_stay_in_the_zone_where_it_has_a_node(
    cluster: ValkeyCluster,
    connect_cluster: Connect,
    zones: dict[str, list[ValkeyServer]],
    read_from: ReadFrom,
    of_second_shard: str,
) -> None:
    client = await connect_cluster(cluster, read_from=read_from, client_az="near")
    first, second, third = zones["primaries"]
    for primary in (first, second, third):
        for _ in range(5):
            await client.invoke_script(GET, keys=[key_on(cluster, primary)])
    # The first shard has a replica in the zone, the second its primary, the third nothing.
    (near,), (far,) = cluster.replicas(of=first), cluster.replicas(of=third)
    (of_second,) = cluster.replicas(of=second)
    expected = {near: 5, far: 5, (second if of_second_shard == "primary" else of_second): 5}
    assert {node: runs(node) for node in cluster.nodes if runs(node)} == expected


# By URL


async def test_a_url_with_several_hosts_needs_one_that_answers(cluster: ValkeyCluster) -> None:
    alive = cluster.nodes[4]
    dead = "127.0.0.1:1"
    url = f"valkey://{dead},{alive.host}:{alive.port}"
    async with await GlideClusterClient.from_url(url) as client:
        for key in a_key_each(cluster):
            await client.invoke_script(SET, keys=[key], args=["v"])
    assert [runs(node) for node in cluster.primaries()] == [1, 1, 1]
