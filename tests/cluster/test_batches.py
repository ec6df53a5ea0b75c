"""Batches on a cluster: split by node where they may be, in one slot where they must."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.support import INCR, a_key_each, in_thread, key_on, name_of, of_nodes, runs
from tests.repeating import repeating
from tests.waiting import until

from glide_scripts import (
    AllNodes,
    AllPrimaries,
    ByAddressRoute,
    ClosingError,
    ClusterBatch,
    ClusterBatchOptions,
    ConnectionError,
    CrossSlotError,
    ExecAbortError,
    FunctionLibrary,
    GlideClusterClient,
    ReadFrom,
    RequestError,
    Script,
    SlotIdRoute,
    SlotKeyRoute,
    SlotType,
    TimeoutError,
)
from glide_scripts.testing import ValkeyCluster

APPEND = Script("return redis.call('RPUSH', KEYS[1], ARGV[1])")
LIBRARY = FunctionLibrary(
    "#!lua name=counting\n"
    "redis.register_function('bump', function(keys) return redis.call('INCR', keys[1]) end)\n"
    "redis.register_function{function_name='look', flags={'no-writes'},"
    " callback=function(keys) return redis.call('GET', keys[1]) end}"
)


def pipeline() -> ClusterBatch:
    return ClusterBatch(is_atomic=False)


def transaction() -> ClusterBatch:
    return ClusterBatch(is_atomic=True)


# Pipelines


async def test_a_script_never_seen_runs_once_in_each_of_a_hundred_slots(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    script = Script("return {KEYS[1], redis.call('INCR', KEYS[1])}")
    keys = [f"key:{number}" for number in range(100)]
    assert len({cluster.key_slot(key) for key in keys}) == 100
    batch = pipeline()
    for key in keys:
        batch.invoke_script(script, [key])
    assert await client.exec(batch, raise_on_error=True) == [[key.encode(), 1] for key in keys]
    assert sum(runs(primary) for primary in cluster.primaries()) == 100
    # Each primary was given the code before it needed it.
    assert all(runs(primary, "eval") == 0 for primary in cluster.primaries())


async def test_results_stand_in_the_order_of_the_commands_whatever_node_they_are_of(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    keys = a_key_each(cluster)
    batch = pipeline().mset(dict.fromkeys([*keys, "other"], "0"))
    for number in range(30):
        batch.invoke_script(INCR, [keys[number % 3]])
    batch.mget([*keys, "none", "other"]).exists([*keys, "none"]).delete(keys).mget(keys)
    results = await client.exec(batch, raise_on_error=True)
    counts = [number // 3 + 1 for number in range(30)]
    values = [b"10", b"10", b"10", None, b"0"]
    assert results == [b"OK", *counts, values, 3, 3, [None, None, None]]


async def test_commands_for_all_nodes_stand_among_those_for_one(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    keys = a_key_each(cluster)
    batch = pipeline()
    for key in keys:
        batch.set(key, "1")
    batch.dbsize().flushall().dbsize().ping().info().script_exists([INCR.get_hash()])
    batch.custom_command(["ECHO", "x"], AllNodes()).config_get(["maxmemory"])
    results = await client.exec(batch, raise_on_error=True)
    assert results is not None
    # On each node, the commands run in the order of the batch.
    assert results[:7] == [b"OK", b"OK", b"OK", 3, b"OK", 0, b"PONG"]
    assert isinstance(results[7], dict)
    assert results[7].keys() == of_nodes(cluster.primaries())
    assert results[8] == [False]
    assert results[9] == dict.fromkeys(of_nodes(cluster.nodes), b"x")
    assert results[10] == {b"maxmemory": b"0"}


async def test_a_script_in_a_batch_may_have_a_route_of_its_own(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    size = Script("return redis.call('DBSIZE')")
    keys = a_key_each(cluster)
    batch = pipeline().set(keys[0], "1").invoke_script_route(size, route=AllPrimaries())
    batch.invoke_script_route(INCR, keys=[keys[1]], route=SlotKeyRoute(SlotType.PRIMARY, keys[1]))
    results = await client.exec(batch, True)
    sizes = dict.fromkeys(of_nodes(cluster.primaries()), 0)
    assert results == [b"OK", sizes | {of_key(cluster, keys[0]): 1}, 1]
    with pytest.raises(CrossSlotError, match="route") as caught:
        pipeline().invoke_script_route(INCR, keys=[keys[1]], route=AllPrimaries())
    assert caught.value.code == "CROSSSLOT"
    with pytest.raises(RequestError, match="route is not for a command of an atomic batch"):
        transaction().invoke_script_route(size, route=AllPrimaries())


def of_key(cluster: ValkeyCluster, key: str) -> bytes:
    return name_of(cluster.slot_owner(cluster.key_slot(key)))


async def test_a_route_takes_the_whole_pipeline_to_one_node(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    node = cluster.primaries()[1]
    batch = pipeline().ping().info().custom_command(["CLUSTER", "MYID"])
    options = ClusterBatchOptions(route=ByAddressRoute(node.host, node.port))
    results = await client.exec(batch, True, options)
    assert results is not None
    assert (results[0], results[2]) == (b"PONG", node.command("CLUSTER", "MYID"))
    assert isinstance(results[1], bytes)


async def test_keys_elsewhere_are_redirected_from_the_node_of_the_route(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    here, there, _ = a_key_each(cluster)
    for batch in (pipeline(), transaction()):
        batch.invoke_script(APPEND, [there], ["1"]).lrange(there, 0, -1).delete([there])
        options = ClusterBatchOptions(route=SlotKeyRoute(SlotType.PRIMARY, here))
        assert await client.exec(batch, True, options) == [1, [b"1"], 1]


@pytest.mark.needs("read-only forms")
async def test_a_pipeline_of_reads_goes_to_replicas_and_any_other_to_primaries(
    cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(cluster, read_from=ReadFrom.PREFER_REPLICA)
    key = a_key_each(cluster)[0]
    script = Script("return redis.call('GET', KEYS[1])", read_only=True)
    batch = pipeline().set(key, "1").get(key).invoke_script(script, [key])
    assert await client.exec(batch, True) == [b"OK", b"1", b"1"]
    assert sum(runs(replica) for replica in cluster.replicas()) == 0

    reads = pipeline().get(key).invoke_script(script, [key])

    async def is_read_from_a_replica() -> bool:
        # A replica may lag behind, or not be connected yet.
        assert await client.exec(reads, True) in ([b"1", b"1"], [None, None])
        return sum(runs(replica) for replica in cluster.replicas()) > 0

    await until(is_read_from_a_replica)


async def test_a_flush_between_leaves_each_script_to_run_once(
    resp3_client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    keys = a_key_each(cluster)
    batch = pipeline()
    for number in range(300):
        batch.invoke_script(INCR, [keys[number % 3]])
    done = 0
    async with repeating(resp3_client.script_flush, pause=0):
        for _ in range(20):
            results = await resp3_client.exec(batch, raise_on_error=True)
            assert results is not None
            done += len(results)
    assert await resp3_client.mget(keys) == [b"%d" % (done // 3)] * 3


async def test_one_error_leaves_the_others_their_results(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    keys = a_key_each(cluster)
    fails = Script("return redis.error_reply('NO this one fails')", name="fails.lua")
    batch = pipeline().set(keys[0], "1").invoke_script(fails, [keys[1]]).set(keys[2], "1")
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    assert (results[0], results[2]) == (b"OK", b"OK")
    assert isinstance(results[1], RequestError)
    assert results[1].batch_index == 1
    with pytest.raises(RequestError, match=r"NO this one fails.*\(batch\[1\]: EVALSHA fails.lua\)"):
        await client.exec(batch, raise_on_error=True)


@pytest.mark.parametrize("is_atomic", [False, True])
@pytest.mark.needs("commands of Redis 7")
async def test_commands_whose_keys_stand_elsewhere_find_their_slot(
    client: GlideClusterClient, is_atomic: bool
) -> None:
    batch = ClusterBatch(is_atomic).get("{a}k")
    for words in (
        ["ZDIFF", "2", "{a}1", "{a}2"],
        ["SINTERCARD", "2", "{a}3", "{a}4"],
        ["LMPOP", "1", "{a}5", "LEFT"],
        ["BITOP", "OR", "{a}6", "{a}7"],
        ["XREAD", "COUNT", "1", "STREAMS", "{a}8", "{a}9", "0", "0"],
        ["ZUNIONSTORE", "{a}10", "2", "{a}11", "{a}12"],
        ["SUNION", "{a}13", "{a}14"],
        ["PUBLISH", "somewhere", "x"],
        ["SCAN", "0"],
    ):
        batch.custom_command(words)
        await client.custom_command(words)
    results = await client.exec(batch, raise_on_error=True)
    assert results is not None
    assert len(results) == 10
    with pytest.raises(CrossSlotError, match=r'"a".*"b"'):
        await client.custom_command(["RENAME", "a", "b"])
    with pytest.raises(CrossSlotError, match=r'"a".*"b"'):
        ClusterBatch(is_atomic).custom_command(["SINTERSTORE", "a", "b"])


async def test_keys_are_listed_of_all_primaries(client: GlideClusterClient) -> None:
    await client.mset({f"key:{number}": "" for number in range(30)})
    keys = await client.custom_command(["KEYS", "key:*"])
    assert isinstance(keys, list)
    assert len(keys) == 30
    assert all(f"key:{number}".encode() in keys for number in range(30))
    assert await client.custom_command(["KEYS", "none"]) == []


@pytest.mark.needs("commands of Redis 7")
async def test_a_command_that_is_not_known_follows_where_its_key_is(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    # SORT_RO of a key that looks like a pattern is redirected to the key's node.
    for key in a_key_each(cluster):
        await client.custom_command(["OBJECT", "ENCODING", key])
        assert await client.custom_command(["SORT_RO", key]) == []


async def test_an_address_that_is_not_in_the_cluster_fails_each_command_at_once(
    client: GlideClusterClient,
) -> None:
    batch = pipeline()
    for _ in range(100):
        batch.ping()
    options = ClusterBatchOptions(route=ByAddressRoute("127.0.0.1", 1))
    results = await client.exec(batch, False, options)
    assert results is not None
    assert len(results) == 100
    for result in results:
        assert isinstance(result, RequestError)
        assert "no node of the cluster is at 127.0.0.1:1" in str(result)
        assert not result.may_have_executed


async def test_on_a_replica_a_pipeline_that_writes_reads_what_it_wrote(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    key = a_key_each(cluster)[0]
    options = ClusterBatchOptions(route=SlotKeyRoute(SlotType.REPLICA, key))
    for number in range(20):
        batch = pipeline().set(key, str(number)).get(key)
        assert await client.exec(batch, True, options) == [b"OK", b"%d" % number]


# Transactions


async def test_a_transaction_runs_in_the_slot_of_its_keys(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    for node in cluster.primaries():
        key = key_on(cluster, node)
        batch = transaction().set(key, "1").invoke_script(INCR, [key]).ping().get(key)
        batch.mget([key, f"{{{key}}}2"]).invoke_script(INCR, [key])
        results = await client.exec(batch, raise_on_error=True)
        assert results == [b"OK", 2, b"PONG", b"2", [b"2", None], 3]


async def test_the_guides_transaction_runs_on_a_cluster_too(client: GlideClusterClient) -> None:
    batch = transaction().set("key", "1").incr("key").get("key")
    options = ClusterBatchOptions(timeout=1000)
    assert await client.exec(batch, False, options) == [b"OK", 2, b"2"]


async def test_a_transaction_in_two_slots_is_refused_with_its_commands_and_keys(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    batch = transaction().ping().set("{a}:1", "1").get("{a}:2").invoke_script(INCR, ["b"])
    with pytest.raises(CrossSlotError) as caught:
        await client.exec(batch, raise_on_error=False)
    text = str(caught.value)
    for part in ("batch[1] (SET)", "'{a}:1'", "batch[3] (EVALSHA)", "'b'"):
        assert part.replace("'", '"') in text
    assert not caught.value.may_have_executed
    assert await client.exists(["{a}:1", "b"]) == 0
    with pytest.raises(CrossSlotError):
        transaction().mset({"a": "1", "b": "2"})
    assert await client.exec(transaction().set("b", "1"), True) == [b"OK"]


async def test_a_transaction_without_keys_goes_to_any_primary_or_to_the_route(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    batch = transaction().custom_command(["CLUSTER", "MYID"]).invoke_script(Script("return 1"))
    ids = {primary.command("CLUSTER", "MYID") for primary in cluster.primaries()}
    results = await client.exec(batch, raise_on_error=True)
    assert results is not None
    assert results[0] in ids
    for primary in cluster.primaries():
        options = ClusterBatchOptions(route=ByAddressRoute(primary.host, primary.port))
        expected = [primary.command("CLUSTER", "MYID"), 1]
        assert await client.exec(batch, True, options) == expected
    first = cluster.slot_owner(0).command("CLUSTER", "MYID")
    options = ClusterBatchOptions(route=SlotIdRoute(SlotType.PRIMARY, 0))
    assert await client.exec(batch, True, options) == [first, 1]


async def test_a_flush_storm_never_shows_in_a_transaction(
    resp3_client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    keys = [f"{{{key}}}" for key in a_key_each(cluster)]
    stopped = asyncio.Event()

    async def flush() -> None:
        while not stopped.is_set():
            await resp3_client.script_flush()

    async def transact(key: str) -> None:
        batch = transaction().incr(f"{key}:a").invoke_script(INCR, [f"{key}:b"])
        batch.invoke_script(INCR, [f"{key}:b"]).incr(f"{key}:a")
        for number in range(1, 101):
            counts = [2 * number - 1, 2 * number - 1, 2 * number, 2 * number]
            assert await resp3_client.exec(batch, raise_on_error=True) == counts

    async with asyncio.TaskGroup() as group:
        group.create_task(flush())
        await asyncio.gather(*map(transact, keys))
        stopped.set()


async def test_a_command_that_is_refused_discards_the_whole(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    batch = transaction().set("k", "1").custom_command(["GET", "k", "k", "k"])
    with pytest.raises(ExecAbortError, match=r"batch\[1\] \(GET\): ERR wrong number") as caught:
        await client.exec(batch, raise_on_error=False)
    assert not caught.value.may_have_executed
    assert await client.exists(["k"]) == 0


# Watches


async def test_a_watch_holds_in_its_keys_slot(client: GlideClusterClient) -> None:
    batch = transaction().incr("{a}1")
    await client.watch(["{a}1", "{a}2"])
    assert await client.exec(batch, True) == [1]
    await client.watch(["{a}1"])
    await client.watch(["{a}2"])
    await client.set("{a}2", "other")
    assert await client.exec(batch, True) is None
    assert await client.exec(batch, True) == [2]
    await client.watch(["{a}1"])
    await client.set("{a}1", "10")
    assert await client.unwatch() == b"OK"
    assert await client.exec(batch, True) == [11]


async def test_watched_keys_and_the_transaction_must_be_in_one_slot(
    client: GlideClusterClient,
) -> None:
    with pytest.raises(CrossSlotError, match=r"a.*b"):
        await client.watch(["a", "b"])
    await client.watch(["a"])
    with pytest.raises(CrossSlotError, match="watched keys are in slot"):
        await client.watch(["b"])
    await client.watch(["a"])
    with pytest.raises(CrossSlotError, match="watched keys are in slot"):
        await client.exec(transaction().set("b", "1"), True)
    assert await client.exec(transaction().set("b", "1"), True) == [b"OK"]


# Functions


@pytest.mark.needs("functions")
async def test_a_library_comes_to_each_node_that_lacks_it(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    bump, look = LIBRARY.function("bump"), LIBRARY.function("look", read_only=True)
    keys = a_key_each(cluster)
    await client.function_flush()
    assert await client.fcall(bump, keys=[keys[0]]) == 1
    batch = pipeline()
    for key in keys:
        batch.fcall(bump, [key]).fcall_ro(look, [key])
    assert await client.exec(batch, True) == [2, b"2", 1, b"1", 1, b"1"]
    await client.function_flush()
    assert await client.exec(batch, True) == [3, b"3", 2, b"2", 2, b"2"]
    await client.function_flush()
    one = transaction().incr(keys[0]).fcall(bump, [keys[0]]).fcall(bump, [keys[0]])
    assert await client.exec(one, True) == [4, 5, 6]


# A cluster that changes


@pytest.fixture(scope="module")
def movable() -> Iterator[ValkeyCluster]:
    """A cluster whose slots tests move about; they leave it whole."""
    with ValkeyCluster(primaries=3, replicas=0) as cluster:
        yield cluster


@pytest.fixture
def moving(movable: ValkeyCluster) -> ValkeyCluster:
    for node in movable.nodes:
        node.command("FLUSHALL")
    return movable


async def test_batches_follow_a_slot_that_moves_and_keep_their_order(
    moving: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(moving)
    home, away, _ = moving.nodes
    key = key_on(moving, home, "moved")
    slot = moving.key_slot(key)
    others = [f"{{{key}}}:{number}" for number in range(20)]
    await client.exec(_appended(others, -1), True)
    moved = asyncio.Event()
    turns = 0

    async def work() -> None:
        nonlocal turns
        while not moved.is_set() or turns < 20:
            assert await client.exec(_appended([key], turns), True) is not None
            atomic = transaction().invoke_script(APPEND, [key], [f"t{turns}"]).incr(f"{{{key}}}n")
            results = await client.exec(atomic, True)
            assert results is not None
            assert results[1] == turns + 1
            turns += 1

    async def move() -> None:
        # Both keys must exist: the node of a migrating slot redirects a command for a missing key
        # to the new node, although the other key is still on the old one.
        await until(lambda: turns >= 1)
        await in_thread(moving.begin_migration, slot, away)
        # One after another, so that batches meet both nodes.
        await until(lambda: turns >= 5)
        await in_thread(moving.migrate_keys, slot, away)
        await until(lambda: turns >= 10)
        await in_thread(moving.finish_migration, slot, away)
        moved.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        group.create_task(move())
    expected = [word for turn in range(turns) for word in (*_words(turn), b"t%d" % turn)]
    assert await client.lrange(key, 0, -1) == expected
    assert moving.slot_owner(slot).port == away.port
    await in_thread(moving.move_slot, slot, home)


def _words(turn: int) -> list[bytes]:
    return [b"%d.%d" % (turn, number) for number in range(10)]


def _appended(keys: list[str], turn: int) -> ClusterBatch:
    batch = pipeline()
    for key in keys:
        for word in _words(turn):
            batch.invoke_script(APPEND, [key], [word])
    return batch


async def test_a_watch_does_not_outlive_the_move_of_its_slot(
    moving: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(moving)
    home, away, _ = moving.nodes
    key = key_on(moving, home, "watched")
    await client.set(key, "1")
    await client.watch([key])
    await in_thread(moving.move_slot, moving.key_slot(key), away)
    batch = transaction().incr(key)
    assert await client.exec(batch, True) is None
    await client.watch([key])
    assert await client.exec(batch, True) == [2]
    await in_thread(moving.move_slot, moving.key_slot(key), home)


async def test_a_key_that_is_migrating_can_be_watched(
    moving: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(moving)
    home, away, _ = moving.nodes
    key = key_on(moving, home, "migrating")
    slot = moving.key_slot(key)
    await in_thread(moving.begin_migration, slot, away)
    # The key does not exist yet, so the client is redirected to the slot's new owner.
    assert await client.watch([key]) == b"OK"
    assert await client.unwatch() == b"OK"
    await client.watch([key])
    await client.watch([f"{{{key}}}:another"])
    assert await client.exec(transaction().incr(key), True) == [1]
    await client.watch([key])
    # The node takes two keys that are not there only when it has the slot.
    both = transaction().incr(f"{{{key}}}:one").incr(f"{{{key}}}:two")
    assert await client.exec(both, True) is None
    await client.watch([key])
    assert await client.incr(key) == 2
    assert await client.exec(transaction().incr(key), True) is None
    await in_thread(moving.migrate_keys, slot, away)
    await in_thread(moving.finish_migration, slot, away)
    await client.watch([key])
    assert await client.exec(transaction().incr(key), True) == [3]
    await in_thread(moving.move_slot, slot, home)


@pytest.mark.needs("functions")
async def test_batches_go_on_after_a_failover_and_none_runs_twice(
    own_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(own_cluster, request_timeout=20_000)
    keys = a_key_each(own_cluster)
    await client.exec(pipeline().fcall(LIBRARY.function("bump"), [keys[0]]), True)
    done = dict.fromkeys(keys, 0) | {keys[0]: 1}
    unknown = dict.fromkeys(keys, 0)
    failed_over = asyncio.Event()
    after = 0

    async def work() -> None:
        nonlocal after
        while after < 5:
            # Before the batch, because a failover may happen during it.
            after += failed_over.is_set()
            batch = pipeline()
            for key in keys * 10:
                batch.invoke_script(INCR, [key])
            results = await client.exec(batch, raise_on_error=False)
            assert results is not None
            for key, result in zip(keys * 10, results, strict=True):
                if isinstance(result, RequestError):
                    assert isinstance(result, ConnectionError), result
                    unknown[key] += result.may_have_executed
                else:
                    done[key] += 1

    async def fail_over() -> None:
        primary = own_cluster.primaries()[0]
        await until(lambda: done[keys[0]] >= 50)
        await in_thread(primary.kill)
        await until(lambda: primary.port not in {n.port for n in own_cluster.primaries()}, 30)
        failed_over.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        group.create_task(fail_over())
    for key in keys[1:]:
        # Only commands for the lost node have an unknown outcome.
        assert (await client.get(key), unknown[key]) == (b"%d" % done[key], 0)
    counted = int(await client.get(keys[0]) or 0)
    assert counted <= done[keys[0]] + unknown[keys[0]]
    # The replica has the library: FUNCTION LOAD is replicated.
    assert await client.fcall("bump", keys=[keys[0]]) == counted + 1


# Timeouts, and a client that is closed


async def test_a_timeout_says_which_commands_may_have_run(
    own_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(own_cluster)
    keys = a_key_each(own_cluster)
    batch = pipeline().set(keys[0], "1").set(keys[1], "1").set(keys[2], "1")
    await client.exec(batch, True)
    stalled = own_cluster.primaries()[1]
    stalled.pause()
    try:
        options = ClusterBatchOptions(timeout=200)
        results = await client.exec(batch, False, options)
        assert results is not None
        assert (results[0], results[2]) == (b"OK", b"OK")
        assert isinstance(results[1], TimeoutError)
        assert results[1].may_have_executed
        with pytest.raises(TimeoutError, match="after 200 ms"):
            await client.exec(transaction().set(keys[1], "1"), True, options)
    finally:
        stalled.resume()


async def test_the_deadline_covers_finding_the_nodes(
    own_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(own_cluster)
    stalled = own_cluster.replicas()[0]
    stalled.pause()
    try:
        options = ClusterBatchOptions(timeout=300)
        batch = pipeline().config_set({"slowlog-max-len": "77"}).ping()
        results = await client.exec(batch, False, options)
        assert results is not None
        assert isinstance(results[0], TimeoutError)
        assert "after 300 ms" in str(results[0])
    finally:
        stalled.resume()


async def test_closing_ends_a_batch_under_way(
    own_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    client = await connect_cluster(own_cluster)
    for primary in own_cluster.primaries():
        primary.pause()
    try:
        exec_ = asyncio.ensure_future(client.exec(pipeline().ping(), True))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ClosingError):
            await exec_
    finally:
        for primary in own_cluster.primaries():
            primary.resume()
    with pytest.raises(ClosingError, match="closed"):
        await client.exec(pipeline().ping(), True)
