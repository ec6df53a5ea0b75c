"""A server that is well, and scripts or rights that are missing."""

from __future__ import annotations

from tests.faults.driver import Driver
from tests.faults.report import Report
from tests.faults.scenarios._base import (
    Make,
    Scale,
    connected,
    error_count,
    every_millisecond,
    scenario,
)

from glide_scripts.testing import ValkeyServer


@scenario
async def scripts_flushed(make: Make, scale: Scale) -> Report:
    """All scripts are flushed every millisecond under 64 callers: no call fails."""
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
    """The user may only use EVALSHA, EVAL and the script's own commands: no call fails."""
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
