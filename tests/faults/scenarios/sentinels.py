"""A primary that ends, where Sentinels choose its successor."""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial

from tests.faults.driver import Driver
from tests.faults.report import Report
from tests.faults.scenarios._base import SHORT, Make, Scale, connected, has_replica, scenario
from tests.sentinels import Service, is_primary
from tests.waiting import until

from glide_scripts.testing import ValkeyServer


@scenario
async def primary_ended_under_sentinels(make: Make, scale: Scale) -> Report:
    """A primary ends and Sentinels promote a replica: calls go on within 1 s of the promotion.

    The server itself may lose what its replica does not have yet. So writes pause until the replica
    has all, and the primary dies with calls in its input.
    """
    report = Report()
    took = []
    for _ in range(1 if scale is SHORT else 5):
        with Service(sentinels=3) as service:
            settings = {"service": service.name, "timeout_ms": 30_000}
            async with connected(make, *service.sentinels, **settings) as adapter:
                driver = Driver(adapter, [service.replica], callers=16)
                async with driver.running():
                    await driver.progress(scale.calls)
                    took.append(await _seconds_after_promotion(service, driver))
                    await driver.progress(scale.calls)
                report.verdict.add(driver.verdict())
    report.faults = {"promotions": len(took)}
    report.figures = {"median_s": statistics.median(took), "max_s": max(took)}
    report.at_most("max_s", 1.0)
    return report


async def _seconds_after_promotion(service: Service, driver: Driver) -> float:
    primary, replica = service.primary, service.replica
    primary.command("CLIENT", "PAUSE", 10_000, "WRITE")
    await until(partial(has_replica, primary, in_sync=True))
    primary.kill()
    promoted = await asyncio.to_thread(_moment_of_promotion, replica)
    await driver.success_after(promoted)
    return driver.last_success - promoted


def _moment_of_promotion(replica: ValkeyServer, within: float = 60.0) -> float:
    """When the server, which is asked over and over, first said that it is a primary."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        asked = time.monotonic()
        if is_primary(replica):
            return asked
        time.sleep(0.001)
    raise AssertionError("no replica was promoted")
