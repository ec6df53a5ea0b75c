"""A server that goes away, stands still, or refuses."""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter

from tests.faults.driver import COUNTING, Driver
from tests.faults.report import Report
from tests.faults.scenarios._base import (
    DURABLE,
    Make,
    Scale,
    connected,
    error_count,
    refused,
    resident_megabytes,
    scenario,
    settled,
)

from glide_scripts.testing import ValkeyServer


@scenario
async def server_killed(make: Make, scale: Scale) -> Report:
    """A server is killed and started again under load; what was acknowledged is there, once."""
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
    """Calls succeed within 1 s of the server's return, in the median within 0.2 s."""
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
                    # It listened for a moment before it was found to: then the client was first.
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
    """A server stands still for longer than the deadline; no call hangs, and none runs twice."""
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
    """A server stands still for a part of the deadline, which costs no call."""
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
    """A server that takes no bytes cannot make the client's memory grow past its limit."""
    report = Report()
    limit_mb, call_mb, calls = 32, 1, 200
    data = b"x" * (call_mb << 20)
    with ValkeyServer() as server:
        async with connected(
            make, server, timeout_ms=2000, pending_bytes=limit_mb << 20
        ) as adapter:
            driver = Driver(adapter, [server], callers=8)
            async with driver.running():
                await driver.progress(scale.calls)
            peak = before = resident_megabytes()
            server.pause()
            flood = [
                asyncio.ensure_future(adapter.invoke("return #ARGV[1]", ["{t}k"], [data]))
                for _ in range(calls)
            ]
            while not all(call.done() for call in flood):
                peak = max(peak, resident_megabytes())
                await asyncio.wait(flood, timeout=0.01)
            server.resume()
            outcomes = await asyncio.gather(*flood, return_exceptions=True)
            async with driver.running():
                await driver.progress(scale.calls)
            await settled(server)
            report.verdict = driver.verdict()
    report.verdict.calls += calls
    refused = Counter(type(o).__name__ for o in outcomes if isinstance(o, BaseException))
    report.verdict.errors = dict(Counter(report.verdict.errors) + refused)
    report.faults = {"unanswered": refused.total()}
    report.figures = {"flood_mb": calls * call_mb, "rss_growth_mb": peak - before}
    report.at_most("rss_growth_mb", 2 * limit_mb)
    return report


@scenario
async def server_busy(make: Make, scale: Scale) -> Report:
    """Calls to a server that another's script keeps busy are refused, and none of them ran."""
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
