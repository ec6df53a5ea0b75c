"""Callers and clients that go away."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.driver import COUNTING
from tests.faults.report import Report
from tests.faults.scenarios._base import (
    Make,
    Scale,
    connected,
    held_by_process,
    pairs,
    resident_megabytes,
    scenario,
    settled,
)
from tests.waiting import until

from glide_scripts.testing import FaultProxy, ValkeyServer

STAMPING = """\
redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return ARGV[1]
"""


@scenario
async def calls_cancelled(make: Make, scale: Scale) -> Report:
    """Calls are cancelled at every stage, and their arguments' memory is overwritten.

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
    """Calls are cancelled before the first connection is made, and their arguments overwritten.

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
    """The stages at which calls are cancelled."""

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
    """Clients are opened, used and closed: no descriptor, thread or memory is left."""
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

        # Memory that is kept for later clients is allocated by the first few hundred.
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
