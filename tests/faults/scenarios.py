"""The faults, each with the counters that prove it.

A scenario starts its own servers, puts a client under load, does the damage, and gives a `Report`.
It never judges speed except in `Report.late`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import re
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.faults.adapters import Adapter, Settings
from tests.faults.driver import COUNTING, Driver
from tests.faults.proxy import FaultProxy
from tests.faults.report import Report
from tests.waiting import until

from glide_scripts.testing import ServerReplyError, ValkeyCluster, ValkeyServer


@dataclass(frozen=True)
class Scale:
    """How much of each fault."""

    rounds: int
    """How often what can be done again is done again."""
    calls: int
    """How many calls are to succeed between two faults."""
    seconds: float
    """How long a fault lasts that is a duration."""
    cancelled: int
    """How many calls are made to be cancelled, or to be beside those."""
    clients: int
    """How many are opened and closed."""
    recoveries: int
    """How often a server goes away and comes back."""
    kills: int = 5


SHORT = Scale(rounds=3, calls=100, seconds=0.5, cancelled=2_000, clients=500, recoveries=3, kills=2)
LONG = Scale(rounds=20, calls=1_000, seconds=3.0, cancelled=60_000, clients=10_000, recoveries=40)

Make = Callable[[], Adapter]
Scenario = Callable[[Make, Scale], Coroutine[Any, Any, Report]]

SCENARIOS: dict[str, Scenario] = {}

# What survives `kill -9`: the server answers only when its log is on the disk.
DURABLE = {"appendonly": "yes", "appendfsync": "always"}


def scenario(run: Scenario) -> Scenario:
    """Enters it under its name; its docstring is what the client is to do."""
    SCENARIOS[run.__name__] = run
    return run


# A server that is well, and scripts or rights that are missing


@scenario
async def scripts_flushed(make: Make, scale: Scale) -> Report:
    """No call fails while all scripts are flushed every millisecond under 64 callers."""
    report = Report()
    with ValkeyServer() as server:
        async with connected(make, server) as adapter:
            driver = Driver(adapter, [server], callers=64)
            with every_millisecond(server, "SCRIPT", "FLUSH") as flushes:
                async with driver.running():
                    await driver.progress(20 * scale.calls)
            report.verdict = driver.verdict()
        report.faults = {"flushes": flushes["done"], "NOSCRIPT": error_count(server, "NOSCRIPT")}
    report.no_errors()
    return report


@scenario
async def only_evalsha_and_eval_allowed(make: Make, scale: Scale) -> Report:
    """No call fails of a user who may use EVALSHA, EVAL and what the script calls, nothing else."""
    report = Report()
    with ValkeyServer() as server:
        rights = ["~*", "+evalsha", "+eval", "+hincrby", "+incr"]
        server.command("ACL", "SETUSER", "app", "on", ">secret", *rights)
        async with connected(make, server, username="app", password="secret") as adapter:
            driver = Driver(adapter, [server], callers=8)
            with every_millisecond(server, "SCRIPT", "FLUSH") as flushes:
                async with driver.running():
                    await driver.progress(5 * scale.calls)
            report.verdict = driver.verdict()
        report.faults = {"flushes": flushes["done"], "NOSCRIPT": error_count(server, "NOSCRIPT")}
    report.no_errors()
    return report


# A server that goes away, and comes back


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


# A network that misbehaves

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


# A server that refuses


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


# Servers that change places


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
    """Slots move between primaries under load, which costs no call."""
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
    """A replica takes over from its primary by order, which costs no call."""
    report = Report()
    with ValkeyCluster(primaries=3, replicas=1, cluster_node_timeout_ms=1000) as cluster:
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
    """A primary is killed and its replica takes over; what was acknowledged is there, once.

    The server itself may lose what its replica does not have yet. So writes pause until the replica
    has all, and the primary dies with calls in its input.
    """
    report = Report()
    with ValkeyCluster(primaries=3, replicas=1, cluster_node_timeout_ms=1000) as cluster:
        tags = tag_for_each_primary(cluster)
        async with connected(make, *cluster.nodes, cluster=True, timeout_ms=15_000) as adapter:
            driver = Driver(adapter, cluster.nodes, callers=24, tags=tags)
            async with driver.running():
                for turn in range(1 if scale is SHORT else 3):
                    await driver.progress(scale.calls)
                    primary = cluster.slot_owner(cluster.key_slot(tags[turn]))
                    primary.command("CLIENT", "PAUSE", 10_000, "WRITE")
                    await until(partial(has_replica, primary, in_sync=True))
                    primary.kill()
                    await asyncio.to_thread(cluster.wait_until_ready)
                    report.faults["kills"] = turn + 1
                    assert await driver.call(tags[turn]), "the replica did not take over"
                    await asyncio.to_thread(primary.start)
                    await asyncio.to_thread(cluster.wait_until_ready)
            driver.servers = cluster.primaries()
            report.verdict = driver.verdict()
    return report


# Callers that go away

STAMPING = """\
redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return ARGV[1]
"""


@scenario
async def calls_cancelled(make: Make, scale: Scale) -> Report:
    """Calls cancelled at every stage, their arguments' memory overwritten after.

    Each runs at most once with the arguments that it was given; those beside it get their replies.
    """
    report = Report()
    verdict = report.verdict
    chance = random.Random(6)
    loop = asyncio.get_running_loop()
    outcomes: Counter[str] = Counter()
    kept: set[str] = set()
    with ValkeyServer() as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=20_000) as adapter:
            number = 0
            batch = 200

            async def call(ident: str, arguments: list[bytearray]) -> None:
                reply = await adapter.invoke(STAMPING, ["{t}runs", "{t}stamps"], arguments)
                verdict.acknowledged += 1
                kept.add(ident)
                if reply != ident.encode():
                    verdict.wrong_replies += 1

            for turn in range(scale.cancelled // batch):
                stage = STAGES[turn % len(STAGES)]
                await stage.prepare(server, proxy)
                tasks = []
                for _ in range(batch):
                    number += 1
                    ident = f"c{number}"
                    arguments = [bytearray(ident, "ascii"), bytearray(stamp(ident))]
                    tasks.append((loop.create_task(call(ident, arguments)), arguments))
                victims = tasks[::2]
                for _ in range(turn % 4):
                    await asyncio.sleep(0)
                if stage.later:
                    for task, _ in victims:
                        loop.call_later(chance.random() * 0.02, task.cancel)
                    await asyncio.wait([task for task, _ in victims])
                else:
                    for task, _ in victims:
                        task.cancel()
                for _, arguments in victims:
                    for argument in arguments:
                        argument[:] = b"#" * len(argument)
                await stage.release(server, proxy)
                results = await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
                outcomes.update(type(result).__name__ for result in results)
                verdict.calls += batch
        await settled(server)
        with server.connect(timeout=30) as truth:
            runs = pairs(truth.command("HGETALL", "{t}runs"))
            stamps = pairs(truth.command("HGETALL", "{t}stamps"))
    verdict.ran_twice = sum(count != b"1" for count in runs.values())
    verdict.lost = len(kept - runs.keys())
    wrong = sum(stamps[ident] != stamp(ident) for ident in stamps)
    if wrong:
        report.failures.append(f"{wrong} calls ran with arguments that they were not given")
    verdict.errors = {
        name: count
        for name, count in outcomes.items()
        if name not in ("NoneType", "CancelledError")
    }
    report.faults = {"cancelled": outcomes["CancelledError"], "ran": len(runs)}
    report.figures = {"cancelled_yet_ran": len(runs.keys() - kept)}
    return report


@scenario
async def calls_cancelled_before_there_is_a_connection(make: Make, scale: Scale) -> Report:
    """Calls cancelled while they wait for the first connection, their arguments overwritten.

    None of them runs; those that go on run once, with the arguments that they were given.
    """
    report = Report()
    wrong = 0
    for _ in range(scale.rounds):
        with ValkeyServer() as server:
            await asyncio.to_thread(server.kill)
            async with connected(make, server, lazy=True, timeout_ms=20_000) as adapter:
                numbers = [f"n{number}" for number in range(40)]
                words = [[bytearray(n, "ascii"), bytearray(stamp(n))] for n in numbers]
                keys = ["{t}runs", "{t}stamps"]
                tasks = [
                    asyncio.ensure_future(adapter.invoke(STAMPING, keys, each)) for each in words
                ]
                await asyncio.sleep(0.01)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.wait(tasks[::2])
                for argument in [argument for each in words[::2] for argument in each]:
                    argument[:] = b"#" * len(argument)
                await asyncio.to_thread(server.start)
                results = await asyncio.gather(*tasks, return_exceptions=True)
                await settled(server)
                with server.connect(timeout=30) as truth:
                    runs = pairs(truth.command("HGETALL", "{t}runs"))
                    stamps = pairs(truth.command("HGETALL", "{t}stamps"))
        verdict = report.verdict
        verdict.calls += len(tasks)
        for ident, result in zip(numbers, results, strict=True):
            if result == ident.encode():
                verdict.acknowledged += 1
                verdict.lost += ident not in runs
            elif isinstance(result, Exception):
                name = type(result).__name__
                verdict.errors[name] = verdict.errors.get(name, 0) + 1
        verdict.ran_twice += sum(count != b"1" for count in runs.values())
        wrong += sum(stamps[ident] != stamp(ident) for ident in stamps)
        report.faults["cancelled"] = report.faults.get("cancelled", 0) + 20
        cancelled = set(numbers[::2]) & runs.keys()
        if len(runs.keys() - set(numbers)) or cancelled:
            report.failures.append(f"{len(runs.keys() - set(numbers[1::2]))} cancelled calls ran")
    report.no_errors()
    if wrong:
        report.failures.append(f"{wrong} calls ran with arguments that they were not given")
    return report


def stamp(ident: str) -> bytes:
    return ident.encode() * 40


@dataclass(frozen=True)
class Stage:
    """How far calls have come when they are cancelled."""

    prepare: Callable[[ValkeyServer, FaultProxy], Awaitable[object]]
    release: Callable[[ValkeyServer, FaultProxy], Awaitable[object]]
    later: bool = False


async def _nothing(server: ValkeyServer, proxy: FaultProxy) -> None:
    pass


async def _flush(server: ValkeyServer, proxy: FaultProxy) -> None:
    server.command("SCRIPT", "FLUSH")


async def _hold(server: ValkeyServer, proxy: FaultProxy) -> None:
    proxy.hold_replies()


async def _clear(server: ValkeyServer, proxy: FaultProxy) -> None:
    proxy.clear()


async def _pause(server: ValkeyServer, proxy: FaultProxy) -> None:
    server.pause()


async def _resume(server: ValkeyServer, proxy: FaultProxy) -> None:
    server.resume()


async def _reset(server: ValkeyServer, proxy: FaultProxy) -> None:
    proxy.reset_all()


STAGES = [
    Stage(_nothing, _nothing),
    Stage(_nothing, _nothing, later=True),
    Stage(_flush, _nothing),
    Stage(_flush, _nothing, later=True),
    Stage(_hold, _clear),
    Stage(_pause, _resume),
    Stage(_reset, _nothing),
    Stage(_nothing, _reset, later=True),
]


@scenario
async def clients_opened_and_closed(make: Make, scale: Scale) -> Report:
    """Clients that are opened, used and closed leave no descriptor, thread or memory behind."""
    report = Report()
    verdict = report.verdict
    with ValkeyServer() as server:

        async def use() -> None:
            async with connected(make, server) as adapter:
                number = verdict.calls = verdict.calls + 1
                reply = await adapter.invoke(COUNTING, ["{t}r", "{t}t"], [f"c{number}"])
                verdict.acknowledged += 1
                verdict.wrong_replies += reply != [f"c{number}".encode(), 1]

        async def use_many(clients: int) -> None:
            for _ in range(clients // 50):
                await asyncio.gather(*(use() for _ in range(50)))
            gc.collect()

        # What is kept for later clients is there after the first few hundred.
        await use_many(scale.clients // 5)
        before, memory = held_by_process(), resident_megabytes()
        await use_many(scale.clients)
        report.figures["rss_growth_mb"] = resident_megabytes() - memory
        if any(now > then for now, then in zip(held_by_process(), before, strict=True)):
            # Those that were closed last may take a moment.
            with contextlib.suppress(AssertionError):
                await until(lambda: held_by_process() <= before)
        for name, now, then in zip(
            ("descriptors", "threads"), held_by_process(), before, strict=True
        ):
            report.figures[f"{name}_left"] = now - then
            if now > then:
                report.failures.append(f"{now - then} {name} left")
    report.faults = {"clients": verdict.acknowledged}
    report.at_most("rss_growth_mb", 5.0)
    return report


# What the scenarios share


def held_by_process() -> tuple[int, int]:
    """How many descriptors and threads this process has; where the system does not tell, none."""
    if sys.platform != "linux":
        return 0, 0
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def resident_megabytes() -> float:
    """What this process has in memory now; where the system does not tell, 1."""
    if sys.platform != "linux":
        return 1.0
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


@asynccontextmanager
async def connected(
    make: Make, *servers: ValkeyServer | FaultProxy, **settings: Any
) -> AsyncIterator[Adapter]:
    """A client with the given `Settings`."""
    adapter = make()
    addresses = [(server.host, server.port) for server in servers]
    await adapter.connect(addresses, Settings(**settings))
    try:
        yield adapter
    finally:
        await adapter.close()


@contextmanager
def every_millisecond(server: ValkeyServer, *words: str) -> Iterator[Counter[str]]:
    """Sends a command over and over, from a thread that the client under test cannot hold up."""
    done, stopping = Counter[str](), threading.Event()

    def work() -> None:
        with server.connect(timeout=30) as connection:
            while not stopping.wait(0.001):
                connection.command(*words)
                done["done"] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield done
    finally:
        stopping.set()
        thread.join()


def error_count(server: ValkeyServer, code: str) -> int:
    """How many errors of a code the server has answered with."""
    reply = server.command("INFO", "errorstats")
    assert isinstance(reply, bytes)
    found = re.search(rb"errorstat_%b:count=(\d+)" % code.encode(), reply)
    return int(found[1]) if found else 0


def has_replica(server: ValkeyServer, *, in_sync: bool = False) -> bool:
    """Whether a primary has a replica, and one that has all that the primary has."""
    reply = server.command("INFO", "replication")
    assert isinstance(reply, bytes)
    ours = re.search(rb"role:master[^$]*master_repl_offset:(\d+)", reply)
    theirs = re.findall(rb"state=online,offset=(\d+)", reply)
    return bool(ours and theirs and (not in_sync or theirs == [ours[1]]))


def tag_for_each_primary(cluster: ValkeyCluster) -> list[str]:
    """A hash tag for each shard."""
    found: dict[int, str] = {}
    for number in range(1000):
        tag = f"t{number}"
        found.setdefault(cluster.slot_owner(cluster.key_slot(tag)).port, tag)
        if len(found) == len(cluster.primaries()):
            return list(found.values())
    raise AssertionError("a shard has no slots")


async def settled(server: ValkeyServer) -> None:
    """Waits until the server has executed what was sent to it by those that have gone."""
    seen = -1

    def is_still() -> bool:
        nonlocal seen
        before, seen = seen, commands_processed(server)
        # The look itself is one command.
        return before >= 0 and seen - before <= 2

    await until(is_still)


def commands_processed(server: ValkeyServer) -> int:
    reply = server.command("INFO", "stats")
    assert isinstance(reply, bytes)
    found = re.search(rb"total_commands_processed:(\d+)", reply)
    assert found
    return int(found[1])


def refused(command: Callable[..., object], *words: str | int) -> bool:
    """Whether the server answered a command with an error."""
    try:
        command(*words)
    except ServerReplyError:
        return True
    return False


def pairs(reply: object) -> dict[str, bytes]:
    assert isinstance(reply, list)
    return {
        key.decode(errors="replace"): value
        for key, value in zip(reply[::2], reply[1::2], strict=True)
    }
