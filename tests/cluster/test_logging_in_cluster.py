"""What the client of a cluster says to Python's logging."""

from __future__ import annotations

import logging

from tests.cluster.conftest import Connect
from tests.cluster.support import INCR, in_thread, key_on
from tests.records import Records
from tests.waiting import until

from glide_scripts import PeriodicChecksManualInterval
from glide_scripts.testing import ValkeyCluster


async def test_a_refresh_that_finds_nothing_new_is_told_to_who_debugs(
    cluster: ValkeyCluster, connect_cluster: Connect, log: Records
) -> None:
    await connect_cluster(cluster, periodic_checks=PeriodicChecksManualInterval(1))
    # No call is made: the record itself wakes the loop.
    await until(lambda: log.count(logging.DEBUG, "the topology was refreshed; it is as it was"))


async def test_slots_that_have_moved_are_told_when_a_redirect_led_to_them(
    cluster: ValkeyCluster, connect_cluster: Connect, log: Records
) -> None:
    client = await connect_cluster(cluster)
    source, target = cluster.primaries()[:2]
    key = key_on(cluster, source)
    slot = cluster.key_slot(key)
    await in_thread(cluster.move_slot, slot, target)
    try:
        await client.invoke_script(INCR, keys=[key])
        await until(lambda: log.count(logging.INFO, "refreshed; slots have moved"))
    finally:
        await in_thread(cluster.move_slot, slot, source)


async def test_a_failover_is_told(
    own_cluster: ValkeyCluster, connect_cluster: Connect, log: Records
) -> None:
    client = await connect_cluster(own_cluster)
    old = own_cluster.primaries()[0]
    (new,) = own_cluster.replicas(of=old)
    key = key_on(own_cluster, old)
    await in_thread(own_cluster.failover, new)
    await client.invoke_script(INCR, keys=[key])
    await until(lambda: log.count(logging.INFO, f"the primaries are now .*:{new.port}"))


async def test_a_cluster_that_is_gone_is_told_once(
    own_cluster: ValkeyCluster, connect_cluster: Connect, log: Records
) -> None:
    await connect_cluster(own_cluster)
    for node in own_cluster.nodes:
        node.kill()
    await until(lambda: log.count(logging.WARNING, "the topology could not be refreshed: "))
    await until(lambda: log.count(logging.DEBUG, "the topology could not be refreshed: "))
    assert log.count(logging.WARNING, "the topology could not be refreshed: ") == 1
