"""The same faults, with `once`: what was lost is asked for again, and answered from its record."""

from __future__ import annotations

from tests.faults.adapters import Adapter
from tests.faults.report import Report
from tests.faults.scenarios import changes, network, servers
from tests.faults.scenarios._base import Make, Scale, Scenario, scenario


async def with_once(run: Scenario, make: Make, scale: Scale) -> Report:
    """Runs a scenario whose calls are made with `once`; only a deadline may end one in an error."""

    def make_with_once() -> Adapter:
        adapter = make()
        adapter.once = True
        return adapter

    report = await run(make_with_once, scale)
    # Calls whose reply was lost ran, but have no errors that would show it.
    report.faults.pop("ran without a reply", None)
    others = {name: n for name, n in report.verdict.errors.items() if name != "TimeoutError"}
    if others:
        report.failures.append(f"calls failed: {others}")
    return report


@scenario
async def replies_dropped_once(make: Make, scale: Scale) -> Report:
    """As `replies_dropped`, with `once=True`: no error, and no second run."""
    return await with_once(network.replies_dropped, make, scale)


@scenario
async def replies_cut_in_the_middle_once(make: Make, scale: Scale) -> Report:
    """As `replies_cut_in_the_middle`, with `once=True`: no error, and no second run."""
    return await with_once(network.replies_cut_in_the_middle, make, scale)


@scenario
async def connections_reset_once(make: Make, scale: Scale) -> Report:
    """As `connections_reset`, with `once=True`: no error, and no second run."""
    return await with_once(network.connections_reset, make, scale)


@scenario
async def server_killed_once(make: Make, scale: Scale) -> Report:
    """As `server_killed`, with `once=True`: no error but by deadline, and no second run."""
    return await with_once(servers.server_killed, make, scale)


@scenario
async def primary_killed_once(make: Make, scale: Scale) -> Report:
    """As `primary_killed`, with `once=True`: no error but by deadline, and no second run."""
    return await with_once(changes.primary_killed, make, scale)
