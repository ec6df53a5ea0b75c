"""A network that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from functools import partial

from tests.faults.adapters import Adapter
from tests.faults.driver import Driver
from tests.faults.report import Report
from tests.faults.scenarios._base import Make, Scale, connected, in_thread, scenario, settled
from tests.tls_proxy import tls_proxy
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
    """Causes the fault again and again; a lasting fault is ended in between."""
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
    """The connection ends within a reply: no partial reply is used."""
    return await through_proxy(make, scale, lambda proxy: proxy.cut_replies(3, after=9), "cut")


@scenario
async def connections_reset(make: Make, scale: Scale) -> Report:
    """All connections are reset under load."""
    return await through_proxy(make, scale, FaultProxy.reset_all, "reset")


@scenario
async def replies_delayed(make: Make, scale: Scale) -> Report:
    """Replies arrive late, but within the deadline: no call fails."""
    report = await through_proxy(
        make, scale, lambda proxy: proxy.delay_replies(0.03), "delayed", lasting=True
    )
    report.no_errors()
    return report


@scenario
async def bytes_split(make: Make, scale: Scale) -> Report:
    """Replies arrive byte by byte: each is read correctly."""
    report = await through_proxy(
        make, scale, FaultProxy.split_bytes, "split bytes", lasting=True, timeout_ms=60_000
    )
    report.no_errors()
    return report


@scenario
async def replies_merged(make: Make, scale: Scale) -> Report:
    """Many replies arrive in one piece: each reaches its caller."""
    report = await through_proxy(
        make, scale, lambda proxy: proxy.merge_replies(0.02), "merged", lasting=True
    )
    report.no_errors()
    return report


@scenario
async def replies_held(make: Make, scale: Scale) -> Report:
    """Replies are held back and then arrive all at once: each reaches its caller."""
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
    """All connections go silent without closing: each call ends by its deadline.

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
    """Connections go silent while new ones work: a heartbeat notices, and calls continue."""
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


def has_connections(proxy: FaultProxy, count: int) -> bool:
    """Whether that many have been made."""
    return proxy.counts["connections"] >= count


@scenario
async def idle_connections_dead(make: Make, scale: Scale) -> Report:
    """Idle connections die silently: no later call fails."""
    report = Report()
    dead, took = 0, []
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=5000, heartbeat_ms=200) as adapter:
            driver = Driver(adapter, [server], callers=8)
            for _ in range(min(scale.rounds, 5)):
                async with driver.running():
                    await driver.progress(scale.calls)
                dead += proxy.open_connections
                proxy.black_hole()
                proxy.clear()
                # One asks how the server is, one takes the dead one's place.
                enough, begun = proxy.counts["connections"] + 2, time.monotonic()
                with contextlib.suppress(AssertionError):
                    await until(partial(has_connections, proxy, enough), 3)
                    took.append(time.monotonic() - begun)
            async with driver.running():
                await driver.progress(scale.calls)
            await settled(server)
            report.verdict = driver.verdict()
            report.faults = {
                "dead connections": dead,
                "swallowed bytes": proxy.counts["swallowed bytes"],
            }
    report.figures = {"replaced_while_idle": len(took)} | (
        {"replaced_after_s": max(took)} if took else {}
    )
    report.no_errors()
    return report


@scenario
async def steady_calls_on_dead_connections(make: Make, scale: Scale) -> Report:
    """A connection dies under calls with short deadlines: the client notices."""
    report = Report()
    took = []
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=100, heartbeat_ms=300) as adapter:
            driver = Driver(adapter, [server], callers=8, pause=0.002)
            async with driver.running():
                for _ in range(min(scale.rounds, 3)):
                    await driver.progress(scale.calls)
                    proxy.black_hole()
                    proxy.clear()
                    begun = time.monotonic()
                    await driver.progress(scale.calls)
                    took.append(time.monotonic() - begun)
            await settled(server)
            report.verdict = driver.verdict()
            report.faults = {"swallowed bytes": proxy.counts["swallowed bytes"]}
    report.figures = {"longest_outage_s": max(took)}
    return report


@scenario
async def large_requests_on_slow_links(make: Make, scale: Scale) -> Report:
    """A large request takes many heartbeats on a slow link: the connection is kept."""
    report = Report()
    size = 3 << 20
    data = b"x" * size
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=60_000, heartbeat_ms=600) as adapter:
            for _ in range(min(scale.rounds, 3)):
                await adapter.invoke("return 1", ["{t}k"], [])
                proxy.slow_requests(600_000)
                begun = time.monotonic()
                report.verdict.calls += 1
                try:
                    reply = await adapter.invoke("return #ARGV[1]", ["{t}k"], [data])
                except Exception as error:
                    report.verdict.errors[type(error).__name__] = (
                        report.verdict.errors.get(type(error).__name__, 0) + 1
                    )
                else:
                    report.verdict.acknowledged += 1
                    report.verdict.wrong_replies += reply != size
                report.figures["took_s"] = time.monotonic() - begun
                proxy.clear()
        report.faults = {"slowed bytes": proxy.counts["slowed bytes"]}
    report.no_errors()
    return report


@scenario
async def tls_under_faults(make: Make, scale: Scale) -> Report:
    """TLS connections are reset, cut within a record, delayed, and split."""
    report = Report()
    # Imported here, because it would take memory in every other scenario's process.
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = authority.cert_pem.bytes()
    with (
        ValkeyServer() as server,
        in_thread(tls_proxy(server, context)) as port,
        FaultProxy(server.host, port) as proxy,
    ):
        async with connected(make, proxy, timeout_ms=20_000, ca=ca) as adapter:
            driver = Driver(adapter, [server], callers=16)
            async with driver.running():
                for turn in range(scale.rounds):
                    await driver.progress(scale.calls // 2)
                    match turn % 3:
                        case 0:
                            proxy.reset_all()
                        case 1:
                            # The requests are encrypted, so any of them counts.
                            proxy.cut_replies(1, after=9, matching=b"")
                        case 2:
                            proxy.delay_replies(0.01)
                            proxy.split_bytes()
                            await driver.progress(50)
                            proxy.clear()
                await driver.progress(scale.calls // 2)
            await settled(server)
            report.verdict = driver.verdict()
        counted = ("reset", "cut", "split bytes", "delayed")
        report.faults = {name: proxy.counts[name] for name in counted}
    return report


@scenario
async def new_connections_swallowed(make: Make, scale: Scale) -> Report:
    """A server accepts connections but never answers: the client gives up and tries again."""
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
    """Calls are never answered: each ends by its deadline, within 20 %."""
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
