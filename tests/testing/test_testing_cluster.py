"""`glide_scripts.testing.ValkeyCluster`: real nodes that agree, and slots and roles that move."""

import asyncio
from collections.abc import Iterator

import pytest

from glide_scripts.testing import ServerReplyError, ServerStartError, ValkeyCluster, ValkeyServer

FAST = 500


@pytest.fixture(scope="module")
def cluster() -> Iterator[ValkeyCluster]:
    with ValkeyCluster(cluster_node_timeout_ms=FAST) as cluster:
        yield cluster


@pytest.fixture
def settled(cluster: ValkeyCluster) -> Iterator[ValkeyCluster]:
    """The shared cluster, which a test leaves whole, with roles and slots of its own choice."""
    yield cluster
    cluster.wait_until_ready()


def test_every_node_is_in_service_and_agrees(settled: ValkeyCluster) -> None:
    assert len(settled.primaries()) == len(settled.replicas()) == 3
    slots = [node.command("CLUSTER", "SLOTS") for node in settled.nodes]
    assert all(by_first_slot(reply) == by_first_slot(slots[0]) for reply in slots)
    for node in settled.nodes:
        info = node.command("CLUSTER", "INFO")
        assert isinstance(info, bytes)
        for line in (b"cluster_state:ok", b"cluster_slots_ok:16384", b"cluster_known_nodes:6"):
            assert line in info.split(b"\r\n")


def test_nodes_addresses_and_url_name_all_of_them(settled: ValkeyCluster) -> None:
    assert settled.addresses == [("127.0.0.1", node.port) for node in settled.nodes]
    ports = [node.port for node in settled.nodes]
    assert settled.url == "valkey://" + ",".join(f"127.0.0.1:{port}" for port in ports)


def test_each_primary_has_its_replica(settled: ValkeyCluster) -> None:
    attached = [settled.replicas(of=primary) for primary in settled.primaries()]
    assert all(len(replicas) == 1 for replicas in attached)
    assert {replica for (replica,) in attached} == set(settled.replicas())


@pytest.mark.parametrize(
    "key",
    ["", "user:1", "{user}:1", "a{b}c", "{}a", "a{}{b}", "{{a}}", "a{b", "a}b{c}", b"\xff{\x00}"],
)
def test_a_keys_slot_is_the_servers(settled: ValkeyCluster, key: str | bytes) -> None:
    assert settled.key_slot(key) == settled.nodes[0].command("CLUSTER", "KEYSLOT", key)


def test_the_owner_of_a_slot_serves_its_keys(settled: ValkeyCluster) -> None:
    owner = settled.slot_owner(settled.key_slot("served"))
    assert owner.command("SET", "served", "here") == b"OK"
    other = next(node for node in settled.primaries() if node is not owner)
    with pytest.raises(ServerReplyError, match=f"MOVED .*:{owner.port}"):
        other.command("GET", "served")


def test_a_moved_slot_takes_its_keys_along(settled: ValkeyCluster) -> None:
    slot = settled.key_slot("{moved}")
    source, target = source_and_target(settled, slot)
    for n in range(250):
        source.command("SET", f"{{moved}}{n}", n)
    settled.move_slot(slot, target)
    assert settled.slot_owner(slot) is target
    assert target.command("CLUSTER", "COUNTKEYSINSLOT", slot) == 250
    for primary in settled.primaries():
        if primary is not target:
            with pytest.raises(ServerReplyError, match=f"MOVED .*:{target.port}"):
                primary.command("GET", "{moved}1")
    settled.wait_until_ready()
    settled.move_slot(slot, source)
    assert source.command("GET", "{moved}249") == b"249"


def test_a_slot_on_its_way_asks_until_it_has_arrived(settled: ValkeyCluster) -> None:
    slot = settled.key_slot("{asked}")
    source, target = source_and_target(settled, slot)
    source.command("MSET", "{asked}1", "a", "{asked}2", "b")

    settled.begin_migration(slot, target)
    assert settled.slot_owner(slot) is source
    with pytest.raises(ServerReplyError, match=f"ASK {slot} .*:{target.port}"):
        source.command("GET", "{asked}missing")
    with pytest.raises(RuntimeError, match="keys left"):
        settled.finish_migration(slot, target)

    assert settled.migrate_keys(slot, target) == 2
    with target.connect() as connection:
        connection.command("ASKING")
        assert connection.command("GET", "{asked}2") == b"b"
    settled.finish_migration(slot, target)
    assert target.command("GET", "{asked}1") == b"a"


def test_a_failover_swaps_the_roles_and_keeps_the_data(settled: ValkeyCluster) -> None:
    slot = settled.key_slot("kept")
    primary = settled.slot_owner(slot)
    (replica,) = settled.replicas(of=primary)
    primary.command("SET", "kept", "value")
    settled.failover(replica)
    assert settled.slot_owner(slot) is replica
    assert settled.replicas(of=replica) == [primary]
    assert replica.command("GET", "kept") == b"value"


def test_a_failover_of_a_primary_is_refused(settled: ValkeyCluster) -> None:
    with pytest.raises(ServerReplyError, match="replica"):
        settled.failover(settled.primaries()[0])


def test_a_replica_takes_over_and_the_old_primary_comes_back_as_its_replica(
    settled: ValkeyCluster,
) -> None:
    slot = settled.key_slot("any")
    primary = settled.slot_owner(slot)
    (replica,) = settled.replicas(of=primary)
    primary.kill()
    settled.wait_until_ready()
    assert settled.slot_owner(slot) is replica
    assert primary not in settled.primaries()

    primary.restart()
    settled.wait_until_ready()
    assert settled.replicas(of=replica) == [primary]


def test_a_paused_node_counts_as_down_until_it_is_resumed(settled: ValkeyCluster) -> None:
    replica = settled.replicas()[0]
    replica.pause()
    settled.wait_until_ready()
    assert replica not in settled.replicas()
    replica.resume()
    settled.wait_until_ready()
    assert replica in settled.replicas()


def test_a_cluster_that_cannot_serve_all_slots_does_not_become_ready() -> None:
    with ValkeyCluster(primaries=1, replicas=0) as alone:
        node = alone.nodes[0]
        assert alone.slot_owner(16383) is node
        node.command("CLUSTER", "DELSLOTS", 7)
        with pytest.raises(TimeoutError, match="cluster_state:fail"):
            alone.wait_until_ready(timeout=0.5)
        with pytest.raises(LookupError, match="slot 7"):
            alone.slot_owner(7)


def test_a_cluster_with_a_password_joins_replicates_and_moves_slots() -> None:
    with ValkeyCluster(primaries=2, replicas=1, password="p@ss") as cluster:
        assert cluster.url.startswith("valkey://:p%40ss@127.0.0.1:")
        slot = cluster.key_slot("key")
        source, target = source_and_target(cluster, slot)
        source.command("SET", "key", "value")
        cluster.move_slot(slot, target)
        assert target.command("GET", "key") == b"value"


def test_a_node_that_does_not_start_ends_all_of_them() -> None:
    cluster = ValkeyCluster(config={"no-such-setting": "1"})
    with pytest.raises(ServerStartError, match="no-such-setting"):
        cluster.start()
    assert not any(node.running for node in cluster.nodes)


@pytest.mark.parametrize(
    ("primaries", "replicas", "words"),
    [(0, 1, "primaries is 0; pass 1 or more"), (1, -1, "replicas is -1; pass 0 or more")],
)
def test_impossible_clusters_are_refused(primaries: int, replicas: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ValkeyCluster(primaries, replicas)


def test_the_async_form_starts_and_stops_a_cluster() -> None:
    async def body() -> ValkeyCluster:
        async with ValkeyCluster(primaries=1, replicas=1) as cluster:
            assert all(node.running for node in cluster.nodes)
        return cluster

    stopped = asyncio.run(body())
    assert not any(node.running for node in stopped.nodes)
    stopped.stop()


def source_and_target(cluster: ValkeyCluster, slot: int) -> tuple[ValkeyServer, ValkeyServer]:
    source = cluster.slot_owner(slot)
    return source, next(node for node in cluster.primaries() if node is not source)


def by_first_slot(slots: object) -> dict[object, object]:
    """CLUSTER SLOTS without its order: first slot to last slot, primary and replicas."""
    assert isinstance(slots, list)
    return {first: (last, primary, sorted(replicas)) for first, last, primary, *replicas in slots}
