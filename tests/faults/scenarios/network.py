"""A network that misbehaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.faults.adapters import Adapter
from tests.faults.driver import Driver
from tests.faults.report import Report
from tests.faults.scenarios._base import Make, Scale, connected, scenario, settled
from tests.waiting import until

from glide_scripts.testing import FaultProxy, ValkeyServer

Damage = Callable[[FaultProxy], object]


async def through_proxy(
    make: Make,
    scale: Scale,
    damage: Damage,
    *counted_as: str,
    lasting: bool = False,
    timeout_ms: int = 5000,
) -> Report:
    """Does the damage again and again; what lasts is mended in between."""
    report = Report()
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=timeout_ms) as adapter:
            driver = Driver(adapter, [server], callers=32)
            async with driver.running():
                for _ in range(scale.rounds):
                    await driver.progress(scale.calls)
                    damage(proxy)
                    if lasting:
                        await driver.progress(scale.calls)
                        proxy.clear()
                await driver.progress(scale.calls)
            await settled(server)
            report.verdict = driver.verdict()
            report.faults = {name: proxy.counts[name] for name in counted_as}
    return report


@scenario
async def replies_dropped(make: Make, scale: Scale) -> Report:
    """The connection ends after the script ran, before its reply: an error, and no second run."""
    report = await through_proxy(make, scale, lambda proxy: proxy.drop_replies(3), "dropped")
    report.faults["ran without a reply"] = report.verdict.ran_unacknowledged or int(
        report.verdict.ran_twice
    )
    return report


@scenario
async def replies_cut_in_the_middle(make: Make, scale: Scale) -> Report:
    """The connection ends within a reply: no half of it is taken for a whole."""
    return await through_proxy(make, scale, lambda proxy: proxy.cut_replies(3, after=9), "cut")


@scenario
async def connections_reset(make: Make, scale: Scale) -> Report:
    """All connections are reset under load."""
    return await through_proxy(make, scale, FaultProxy.reset_all, "reset")


@scenario
async def replies_delayed(make: Make, scale: Scale) -> Report:
    """Replies that come late, within the deadline, cost no call."""
    report = await through_proxy(
        make, scale, lambda proxy: proxy.delay_replies(0.03), "delayed", lasting=True
    )
    report.no_errors()
    return report


@scenario
async def bytes_split(make: Make, scale: Scale) -> Report:
    """Replies that come byte by byte are the same replies."""
    report = await through_proxy(
        make, scale, FaultProxy.split_bytes, "split bytes", lasting=True, timeout_ms=60_000
    )
    report.no_errors()
    return report


@scenario
async def replies_merged(make: Make, scale: Scale) -> Report:
    """Many replies that come in one piece are each their caller's."""
    report = await through_proxy(
        make, scale, lambda proxy: proxy.merge_replies(0.02), "merged", lasting=True
    )
    report.no_errors()
    return report


@scenario
async def replies_held(make: Make, scale: Scale) -> Report:
    """Replies that are held back and then come all at once are each their caller's."""
    report = Report()
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=30_000) as adapter:
            driver = Driver(adapter, [server], callers=32)
            async with driver.running():
                for _ in range(scale.rounds):
                    await driver.progress(scale.calls)
                    proxy.hold_replies()
                    await until(lambda: proxy.holds)
                    proxy.clear()
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
            report.faults = {"held": proxy.counts["held"]}
    report.no_errors()
    return report


@scenario
async def network_gone_silent(make: Make, scale: Scale) -> Report:
    """Connections that swallow all without an end: each call ends by its deadline.

    Once they are known to be dead, calls succeed again.
    """
    report = Report()
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=300) as adapter:
            driver = Driver(adapter, [server], callers=32)
            async with driver.running():
                for _ in range(min(scale.rounds, 3)):
                    await driver.progress(scale.calls)
                    proxy.black_hole()
                    await driver.failures(64)
                    proxy.clear()
                    proxy.reset_all()
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
            report.faults = {"swallowed bytes": proxy.counts["swallowed bytes"]}
    return report


@scenario
async def dead_connections_noticed(make: Make, scale: Scale) -> Report:
    """Connections that swallow all, while new ones work: a heartbeat finds out, and calls go on."""
    report = Report()
    took = []
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=1000, heartbeat_ms=200) as adapter:
            driver = Driver(adapter, [server], callers=8)
            async with driver.running():
                for _ in range(min(scale.rounds, 3)):
                    await driver.progress(scale.calls)
                    proxy.black_hole()
                    proxy.clear()
                    begun = time.monotonic()
                    await driver.progress(1)
                    await driver.progress(1)
                    took.append(time.monotonic() - begun)
            report.verdict = driver.verdict()
            report.faults = {"swallowed bytes": proxy.counts["swallowed bytes"]}
    report.figures = {"longest_outage_s": max(took)}
    return report


@scenario
async def new_connections_swallowed(make: Make, scale: Scale) -> Report:
    """Who accepts connections and never speaks is given up, and tried again."""
    report = Report()
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=500) as adapter:
            driver = Driver(adapter, [server], callers=8)
            async with driver.running():
                await driver.progress(scale.calls)
                proxy.swallow_new()
                proxy.reset_all()
                await until(lambda: proxy.counts["swallowed bytes"])
                proxy.clear()
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
            report.faults = {"swallowed bytes": proxy.counts["swallowed bytes"]}
    return report


@scenario
async def deadlines(make: Make, scale: Scale) -> Report:
    """A call that is never answered ends by its deadline, within 20 %."""
    report = Report()
    ratios: list[float] = []
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        for asked in (50, 100, 200, 500, 1000):
            proxy.clear()
            async with connected(make, proxy, timeout_ms=asked) as adapter:
                proxy.hold_replies()

                async def unanswered(adapter: Adapter = adapter, asked: int = asked) -> None:
                    begun = time.monotonic()
                    try:
                        await adapter.invoke("return 1", ["k"], [])
                    except Exception:
                        ratios.append((time.monotonic() - begun) * 1000 / asked)
                    else:
                        report.failures.append("an answer came from nowhere")

                await asyncio.gather(*(unanswered() for _ in range(50)))
        report.faults = {"unanswered": len(ratios)}
    report.figures = {"shortest_of_deadline": min(ratios), "longest_of_deadline": max(ratios)}
    report.at_most("longest_of_deadline", 1.2)
    if min(ratios) < 0.8:
        report.late.append(f"a call ended after {min(ratios):.2f} of its deadline")
    return report
