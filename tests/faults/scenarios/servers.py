"""A server that goes away, stands still, or refuses."""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence

from tests.faults.adapters import Adapter
from tests.faults.driver import COUNTING, Driver
from tests.faults.report import Report
from tests.faults.scenarios._base import (
    DURABLE,
    Make,
    Scale,
    connected,
    error_count,
    has_replica,
    refused,
    resident_megabytes,
    scenario,
    settled,
    tag_for_each_primary,
)
from tests.waiting import until

from glide_scripts.testing import ValkeyCluster, ValkeyServer


@scenario
async def server_killed(make: Make, scale: Scale) -> Report:
    """A server is killed and restarted under load: acknowledged calls ran exactly once."""
    report = Report()
    with ValkeyServer(config=DURABLE) as server:
        async with connected(make, server) as adapter:
            driver = Driver(adapter, [server], callers=32)
            async with driver.running():
                for _ in range(scale.kills):
                    await driver.progress(scale.calls)
                    server.kill()
                    await asyncio.to_thread(server.start)
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
    report.faults = {"kills": scale.kills}
    return report


@scenario
async def recovery_after_return(make: Make, scale: Scale) -> Report:
    """A server comes back: calls succeed within 1 s (median: 0.2 s)."""
    report = Report()
    took = []
    chance = random.Random(6)
    with ValkeyServer(config=DURABLE) as server:
        async with connected(make, server) as adapter:
            driver = Driver(adapter, [server], callers=8)
            async with driver.running():
                for _ in range(scale.recoveries):
                    await driver.progress(20)
                    server.kill()
                    # The longer it is away, the longer the client's pauses between attempts.
                    await asyncio.sleep(chance.random() * scale.seconds)
                    await asyncio.to_thread(server.start)
                    back = time.monotonic()
                    # The server listened for a moment before this check saw it, and the client was
                    # faster.
                    await driver.success_after(back)
                    took.append(time.monotonic() - back)
            report.verdict = driver.verdict()
    report.faults = {"restarts": len(took)}
    report.figures = {"median_s": statistics.median(took), "max_s": max(took)}
    report.at_most("median_s", 0.2)
    report.at_most("max_s", 1.0)
    return report


@scenario
async def server_stopped_for_seconds(make: Make, scale: Scale) -> Report:
    """A server pauses for longer than the deadline: no call hangs, and none runs twice."""
    report = Report()
    with ValkeyServer() as server:
        async with connected(make, server, timeout_ms=int(scale.seconds * 500)) as adapter:
            driver = Driver(adapter, [server], callers=32)
            async with driver.running():
                for _ in range(min(scale.rounds, 3)):
                    await driver.progress(scale.calls)
                    server.pause()
                    failed = driver.failed
                    await asyncio.sleep(scale.seconds)
                    server.resume()
                    report.faults["timeouts"] = driver.failed - failed
                await driver.progress(scale.calls)
            await settled(server)
            report.verdict = driver.verdict()
    return report


@scenario
async def server_stopped_for_less_than_the_deadline(make: Make, scale: Scale) -> Report:
    """A server pauses for less than the deadline: no call fails."""
    report = Report()
    with ValkeyServer() as server:
        async with connected(make, server, timeout_ms=30_000) as adapter:
            driver = Driver(adapter, [server], callers=32)
            async with driver.running():
                await driver.progress(scale.calls)
                server.pause()
                await asyncio.sleep(scale.seconds / 2)
                server.resume()
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
    report.no_errors()
    return report


@scenario
async def stalled_server_flooded(make: Make, scale: Scale) -> Report:
    """A server stops reading: the client's memory stays within its limit."""
    report = Report()
    with ValkeyServer() as server:
        async with connected(
            make, server, timeout_ms=2000, pending_bytes=_LIMIT_MB << 20
        ) as adapter:
            driver = Driver(adapter, [server], callers=8)
            async with driver.running():
                await driver.progress(scale.calls)
            server.pause()
            unanswered, growth = await flood(adapter, ["{t}k"])
            server.resume()
            async with driver.running():
                await driver.progress(scale.calls)
            await settled(server)
            report.verdict = driver.verdict()
    account_of_flood(report, unanswered, growth)
    return report


@scenario
async def cluster_down_flooded(make: Make, scale: Scale) -> Report:
    """A cluster is down: the client's memory stays within its limit.

    Once it is back, calls succeed again.
    """
    report = Report()
    with ValkeyCluster(primaries=3, replicas=0) as cluster:
        tags = tag_for_each_primary(cluster)
        async with connected(
            make, *cluster.nodes, cluster=True, timeout_ms=2000, pending_bytes=_LIMIT_MB << 20
        ) as adapter:
            for tag in tags:
                await adapter.invoke("return 1", [f"{{{tag}}}k"], [])
            for node in cluster.nodes:
                node.kill()
            unanswered, growth = await flood(adapter, [f"{{{tag}}}k" for tag in tags])
            for node in cluster.nodes:
                await asyncio.to_thread(node.start)
            await asyncio.to_thread(cluster.wait_until_ready)
            # The server's data is gone, so the account begins here.
            driver = Driver(adapter, cluster.nodes, callers=8, tags=tags)
            async with driver.running():
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
    account_of_flood(report, unanswered, growth)
    return report


_LIMIT_MB, _FLOOD_MB = 32, 200


async def flood(adapter: Adapter, keys: Sequence[str]) -> tuple[Counter[str], float]:
    """Calls with 1 MB each, all at once: their errors, and by how much memory grew meanwhile."""
    data = b"x" * (1 << 20)
    peak = before = resident_megabytes()
    calls = [
        asyncio.ensure_future(adapter.invoke("return #ARGV[1]", [keys[number % len(keys)]], [data]))
        for number in range(_FLOOD_MB)
    ]
    while not all(call.done() for call in calls):
        peak = max(peak, resident_megabytes())
        await asyncio.wait(calls, timeout=0.01)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    errors = Counter(type(each).__name__ for each in outcomes if isinstance(each, BaseException))
    return errors, peak - before


def account_of_flood(report: Report, unanswered: Counter[str], growth: float) -> None:
    report.verdict.calls += _FLOOD_MB
    report.verdict.errors = dict(Counter(report.verdict.errors) + unanswered)
    report.faults = {"unanswered": unanswered.total()}
    report.figures = {"flood_mb": _FLOOD_MB, "rss_growth_mb": growth}
    report.at_most("rss_growth_mb", 2 * _LIMIT_MB)


@scenario
async def one_of_several_addresses_down(make: Make, scale: Scale) -> Report:
    """A primary's replica is down, returns and leaves: no call fails."""
    report = Report()
    with ValkeyServer() as primary, ValkeyServer() as replica:
        replica.kill()
        async with connected(make, replica, primary) as adapter:
            report.faults["connected with one down"] = 1
            driver = Driver(adapter, [primary], callers=16)
            async with driver.running():
                for _ in range(min(scale.rounds, 5)):
                    await driver.progress(scale.calls)
                    await asyncio.to_thread(replica.start)
                    replica.command("REPLICAOF", primary.host, primary.port)
                    await until(lambda: has_replica(primary))
                    await driver.progress(scale.calls)
                    replica.kill()
                    report.faults["kills"] = report.faults.get("kills", 0) + 1
                await driver.progress(scale.calls)
            await settled(primary)
            report.verdict = driver.verdict()
    report.no_errors()
    return report


@scenario
async def server_busy(make: Make, scale: Scale) -> Report:
    """Another client's script keeps the server busy: calls are refused, and none of them runs."""
    report = Report()
    with ValkeyServer(config={"busy-reply-threshold": "20"}) as server:
        async with connected(make, server) as adapter:
            driver = Driver(adapter, [server], callers=16)
            async with driver.running():
                for _ in range(min(scale.rounds, 5)):
                    await driver.progress(scale.calls)
                    with contextlib.closing(server.connect(timeout=30)) as other:
                        endless = asyncio.ensure_future(
                            asyncio.to_thread(refused, other.command, "EVAL", ENDLESS, 0)
                        )
                        await driver.failures(16)
                        await asyncio.to_thread(server.command, "SCRIPT", "KILL")
                        await endless
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
        report.faults = {"BUSY": error_count(server, "BUSY")}
    report.figures = {"busy_calls_that_ran": report.verdict.ran_unacknowledged}
    return report


ENDLESS = "while true do end"


@scenario
async def out_of_memory(make: Make, scale: Scale) -> Report:
    """A server without memory refuses the script's first write."""
    return await without_memory(make, scale, COUNTING)


@scenario
async def out_of_memory_with_shebang(make: Make, scale: Scale) -> Report:
    """A server without memory refuses the script before it begins, and the error says so."""
    report = await without_memory(make, scale, "#!lua\n" + COUNTING)
    if report.verdict.ran_unacknowledged:
        report.failures.append("a script ran that was refused")
    return report


async def without_memory(make: Make, scale: Scale, code: str) -> Report:
    report = Report()
    with ValkeyServer() as server:
        async with connected(make, server) as adapter:
            driver = Driver(adapter, [server], callers=16, code=code)
            async with driver.running():
                for _ in range(scale.rounds):
                    await driver.progress(scale.calls)
                    server.command("CONFIG", "SET", "maxmemory", "1")
                    await driver.failures(32)
                    server.command("CONFIG", "SET", "maxmemory", "0")
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
        report.faults = {"OOM": error_count(server, "OOM")}
    return report
