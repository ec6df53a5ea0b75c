"""Mixed load with faults for a long time: nothing lost, nothing run twice, memory flat."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import statistics
import time

from tests.faults.adapters import Adapter
from tests.faults.driver import Driver
from tests.faults.report import Report
from tests.faults.scenarios._base import (
    DURABLE,
    Make,
    connected,
    refused,
    resident_megabytes,
    settled,
)
from tests.faults.scenarios.servers import ENDLESS

from glide_scripts.testing import FaultProxy, ValkeyServer

ECHO = "return ARGV[1]"
# Calls, callers and their pauses are the same in each epoch, so the memory should be, too.
_CALLERS, _PAUSE = 16, 0.005
_WARM_UP = 0.25


class Soak:
    """One client under load while faults come in a random order that a seed decides.

    Time is cut into epochs: after each the load stops, every call is accounted for, and the memory
    of this process is looked at.
    """

    def __init__(
        self, server: ValkeyServer, proxy: FaultProxy, adapter: Adapter, epoch: float
    ) -> None:
        self._server, self._proxy, self._adapter, self._epoch = server, proxy, adapter, epoch
        self._chance = random.Random(6)
        self.report = Report()
        self.megabytes: list[float] = []
        self._faults = [
            self._flush,
            self._reset,
            self._drop,
            self._cut,
            self._delay,
            self._split,
            self._hold,
            self._pause,
            self._kill,
            self._cancel,
            self._busy,
            self._large,
        ]

    async def run(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        number = 0
        # A busy machine may take long for one, and it takes two to compare.
        while number < 2 or time.monotonic() < ends:
            number += 1
            await self._run_epoch(f"e{number}-")
        self.report.figures["epochs"] = number
        warm = self.megabytes[int(len(self.megabytes) * _WARM_UP) :]
        tail = max(1, len(warm) // 4)
        self.report.series["rss_mb"] = [round(each, 1) for each in self.megabytes]
        begin, end = statistics.median(warm[:tail]), statistics.median(warm[-tail:])
        self.report.figures |= {
            "rss_after_warm_up_mb": begin,
            "rss_at_the_end_mb": end,
            "rss_growth_percent": 100 * (end / begin - 1),
        }
        self.report.at_most("rss_growth_percent", 5.0)

    async def _run_epoch(self, name: str) -> None:
        driver = Driver(self._adapter, [self._server], callers=_CALLERS, pause=_PAUSE, name=name)
        ends = time.monotonic() + self._epoch
        async with driver.running():
            while time.monotonic() < ends:
                await driver.progress(100)
                fault = self._chance.choice(self._faults)
                await fault()
                counted = fault.__name__.strip("_")
                self.report.faults[counted] = self.report.faults.get(counted, 0) + 1
                self._proxy.clear()
            await driver.progress(100)
        await settled(self._server)
        self.report.verdict.add(driver.verdict())
        self._server.command("FLUSHALL")
        del driver
        gc.collect()
        self.megabytes.append(resident_megabytes())

    async def _flush(self) -> None:
        for _ in range(20):
            self._server.command("SCRIPT", "FLUSH")
            await asyncio.sleep(0.001)

    async def _reset(self) -> None:
        self._proxy.reset_all()

    async def _drop(self) -> None:
        self._proxy.drop_replies(1)
        await asyncio.sleep(0.05)

    async def _cut(self) -> None:
        self._proxy.cut_replies(1, after=9)
        await asyncio.sleep(0.05)

    async def _delay(self) -> None:
        self._proxy.delay_replies(0.02)
        await asyncio.sleep(0.2)

    async def _split(self) -> None:
        self._proxy.split_bytes()
        await asyncio.sleep(0.2)

    async def _hold(self) -> None:
        self._proxy.hold_replies()
        await asyncio.sleep(0.2)

    async def _pause(self) -> None:
        self._server.pause()
        await asyncio.sleep(0.3)
        self._server.resume()

    async def _kill(self) -> None:
        self._server.kill()
        await asyncio.to_thread(self._server.start)

    async def _cancel(self) -> None:
        tasks = [asyncio.create_task(self._echo(100)) for _ in range(500)]
        await asyncio.sleep(self._chance.random() * 0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _busy(self) -> None:
        with contextlib.closing(self._server.connect(timeout=30)) as other:
            endless = asyncio.ensure_future(
                asyncio.to_thread(refused, other.command, "EVAL", ENDLESS, 0)
            )
            await asyncio.sleep(0.1)
            # The server is not BUSY yet, so there is nothing to kill.
            while not endless.done():
                await asyncio.to_thread(refused, self._server.command, "SCRIPT", "KILL")
            await endless

    async def _large(self) -> None:
        await asyncio.gather(
            *(self._echo(size) for size in (10, 1_000, 100_000, 1_000_000)), return_exceptions=True
        )

    async def _echo(self, size: int) -> None:
        data = os.urandom(size)
        if await self._adapter.invoke(ECHO, ["{t}echo"], [data]) != data:
            self.report.verdict.wrong_replies += 1


async def soak(make: Make, seconds: float, epoch: float = 5.0) -> Report:
    """Mixed load with faults; nothing is lost, nothing runs twice, and memory stays flat."""
    # What the server logs is kept in this process's memory, and each restart adds to it.
    config = DURABLE | {"busy-reply-threshold": "50", "loglevel": "warning"}
    with ValkeyServer(config=config) as server, FaultProxy(server.host, server.port) as proxy:
        async with connected(make, proxy, timeout_ms=5000) as adapter:
            work = Soak(server, proxy, adapter, epoch)
            await work.run(seconds)
            return work.report
