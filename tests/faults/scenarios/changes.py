"""Servers that change places."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.faults.driver import Driver
from tests.faults.report import Report
from tests.faults.scenarios._base import (
    SHORT,
    Make,
    Scale,
    connected,
    error_count,
    has_replica,
    scenario,
    tag_for_each_primary,
)
from tests.waiting import until

from glide_scripts.testing import ValkeyCluster, ValkeyServer


@scenario
async def primary_and_replica_swapped(make: Make, scale: Scale) -> Report:
    """A primary becomes a read-only replica of its replica: calls go to the new primary."""
    report = Report()
    with ValkeyServer() as first, ValkeyServer() as second:
        second.command("REPLICAOF", first.host, first.port)
        await until(lambda: has_replica(first))
        async with connected(make, first, second) as adapter:
            driver = Driver(adapter, [first], callers=16)
            primary, replica = first, second
            async with driver.running():
                for _ in range(min(scale.rounds, 5)):
                    await driver.progress(scale.calls)
                    primary.command("FAILOVER", "TO", replica.host, replica.port)
                    primary, replica = replica, primary
                    await until(partial(has_replica, primary))
                    report.faults["swaps"] = report.faults.get("swaps", 0) + 1
                await driver.progress(scale.calls)
            driver.servers = [primary]
            report.verdict = driver.verdict()
        refusals = ("READONLY", "UNBLOCKED")
        report.faults["refused by a replica"] = sum(
            error_count(server, code) for server in (first, second) for code in refusals
        )
    return report


@scenario
async def slots_moved(make: Make, scale: Scale) -> Report:
    """Slots move between primaries under load: no call fails."""
    report = Report()
    with ValkeyCluster(primaries=3, replicas=0) as cluster:
        tags = tag_for_each_primary(cluster)
        async with connected(make, *cluster.nodes, cluster=True) as adapter:
            driver = Driver(adapter, cluster.nodes, callers=24, tags=tags)
            async with driver.running():
                for _ in range(scale.rounds):
                    for tag in tags:
                        await driver.progress(scale.calls // 4)
                        slot = cluster.key_slot(tag)
                        at = cluster.nodes.index(cluster.slot_owner(slot))
                        to = cluster.nodes[(at + 1) % 3]
                        await asyncio.to_thread(cluster.move_slot, slot, to)
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
        moved = sum(error_count(node, "MOVED") for node in cluster.nodes)
    report.faults = {"moves": 3 * scale.rounds, "MOVED": moved}
    report.no_errors()
    return report


@scenario
async def manual_failover(make: Make, scale: Scale) -> Report:
    """A replica takes over by a manual failover: no call fails."""
    report = Report()
    # No replica takes over by itself, which would lose what its primary had acknowledged.
    with ValkeyCluster(primaries=3, replicas=1, cluster_node_timeout_ms=5000) as cluster:
        tags = tag_for_each_primary(cluster)
        async with connected(make, *cluster.nodes, cluster=True) as adapter:
            driver = Driver(adapter, cluster.nodes, callers=24, tags=tags)
            async with driver.running():
                for turn in range(min(scale.rounds, 6)):
                    await driver.progress(scale.calls)
                    primary = cluster.slot_owner(cluster.key_slot(tags[turn % 3]))
                    [replica] = cluster.replicas(of=primary)
                    await asyncio.to_thread(cluster.failover, replica)
                    report.faults["failovers"] = turn + 1
                await driver.progress(scale.calls)
            driver.servers = cluster.primaries()
            report.verdict = driver.verdict()
    report.no_errors()
    return report


@scenario
async def primary_killed(make: Make, scale: Scale) -> Report:
    """A primary is killed and its replica takes over: acknowledged calls ran exactly once.

    The server itself may lose what its replica does not have yet. So writes pause until the replica
    has all, and the primary dies with calls in its input. Only then may its replica take over, and
    no other: on a busy machine a primary may seem to be dead to the others.
    """
    report = Report()
    no_takeover = "cluster-replica-no-failover"
    with ValkeyCluster(
        primaries=3, replicas=1, cluster_node_timeout_ms=1000, config={no_takeover: "yes"}
    ) as cluster:
        tags = tag_for_each_primary(cluster)
        async with connected(make, *cluster.nodes, cluster=True, timeout_ms=15_000) as adapter:
            driver = Driver(adapter, cluster.nodes, callers=24, tags=tags)
            async with driver.running():
                for turn in range(1 if scale is SHORT else 3):
                    await driver.progress(scale.calls)
                    primary = cluster.slot_owner(cluster.key_slot(tags[turn]))
                    primary.command("CLIENT", "PAUSE", 10_000, "WRITE")
                    await until(partial(has_replica, primary, in_sync=True))
                    (replica,) = cluster.replicas(primary)
                    replica.command("CONFIG", "SET", no_takeover, "no")
                    primary.kill()
                    await asyncio.to_thread(cluster.wait_until_ready)
                    replica.command("CONFIG", "SET", no_takeover, "yes")
                    report.faults["kills"] = turn + 1
                    assert await driver.call(tags[turn]), "the replica did not take over"
                    await asyncio.to_thread(primary.start)
                    await asyncio.to_thread(cluster.wait_until_ready)
            driver.servers = cluster.primaries()
            report.verdict = driver.verdict()
    return report
