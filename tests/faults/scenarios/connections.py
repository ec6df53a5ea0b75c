"""Servers that end connections, or take no more of them, and names that mean other servers."""

from __future__ import annotations

import contextlib
import re
from functools import partial

from tests.faults.driver import Driver
from tests.faults.own_names import with_own_names
from tests.faults.report import Report
from tests.faults.scenarios._base import (
    DURABLE,
    Make,
    Scale,
    connected,
    error_count,
    scenario,
)
from tests.waiting import until

from glide_scripts.testing import Connection, ValkeyServer


@scenario
async def read_only_for_a_while(make: Make, scale: Scale) -> Report:
    """The only server refuses writes as a replica, and is a primary again: calls wait for that."""
    report = Report()
    with ValkeyServer() as server:
        async with connected(make, server) as adapter:
            driver = Driver(adapter, [server], callers=8)
            async with driver.running():
                for _ in range(scale.rounds):
                    await driver.progress(scale.calls)
                    refused = error_count(server, "READONLY")
                    # No server answers at that address, so this one keeps its data.
                    server.command("REPLICAOF", server.host, 1)
                    await until(partial(_exceeds, refused, server, "READONLY"))
                    server.command("REPLICAOF", "NO", "ONE")
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
        report.faults = {"READONLY": error_count(server, "READONLY")}
    return report


@scenario
async def idle_connections_ended(make: Make, scale: Scale) -> Report:
    """A server ends connections that are idle: the next call is made on a new one."""
    report = Report()
    with ValkeyServer(config={"timeout": "1"}) as server:
        async with connected(make, server) as adapter:
            driver = Driver(adapter, [server], callers=1)
            async with driver.running():
                await driver.progress(10)
            ended = 0
            for number in range(min(scale.rounds, 5)):
                connections = _connections(server)
                await until(lambda: not _clients(server), 30)
                assert await adapter.invoke("return ARGV[1]", [], [str(number)]) in (
                    str(number),
                    str(number).encode(),
                )
                ended += _connections(server) - connections > 0
            report.verdict = driver.verdict()
    report.faults = {"connections ended": ended}
    report.no_errors()
    return report


@scenario
async def no_room_for_connections(make: Make, scale: Scale) -> Report:
    """A server has no room for a new connection (maxclients): calls succeed once it has."""
    report = Report()
    with ValkeyServer(config=DURABLE) as server:
        async with connected(make, server) as adapter:
            driver = Driver(adapter, [server], callers=8)
            async with driver.running():
                for _ in range(min(scale.rounds, 5)):
                    await driver.progress(scale.calls)
                    rejected = _rejected(server)
                    with server.connect() as control, contextlib.ExitStack() as others:
                        control.command("CONFIG", "SET", "maxclients", "4")
                        control.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                        for _ in range(3):
                            with contextlib.suppress(OSError):
                                others.enter_context(server.connect())
                        await until(partial(_has_rejected, rejected, server, control))
                        control.command("CONFIG", "SET", "maxclients", "1000")
                await driver.progress(scale.calls)
            report.verdict = driver.verdict()
            report.faults = {"connections rejected": _rejected(server)}
    return report


def _exceeds(count: int, server: ValkeyServer, code: str) -> bool:
    return error_count(server, code) > count


def _has_rejected(count: int, server: ValkeyServer, through: Connection) -> bool:
    return _rejected(server, through) > count


def _info(server: ValkeyServer, field: str, through: Connection | None = None) -> int:
    reply = (through or server).command("INFO", "everything")
    assert isinstance(reply, bytes)
    found = re.search(rb"%b:(\d+)" % field.encode(), reply)
    assert found is not None
    return int(found[1])


def _connections(server: ValkeyServer) -> int:
    return _info(server, "total_connections_received")


def _rejected(server: ValkeyServer, through: Connection | None = None) -> int:
    return _info(server, "rejected_connections", through)


def _clients(server: ValkeyServer) -> int:
    """All connections except the one that asks."""
    return _info(server, "connected_clients") - 1


@scenario
async def name_with_several_addresses(make: Make, scale: Scale) -> Report:
    """A name has several addresses, and a server listens at the last one: it is reached."""
    return await with_own_names("several_addresses", make, scale)


@scenario
async def name_that_changes(make: Make, scale: Scale) -> Report:
    """A name means another server from now on, and the old one goes: calls go to the new one."""
    return await with_own_names("changed_name", make, scale)
