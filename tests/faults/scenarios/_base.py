"""What the scenarios share: how much of each fault, the servers' own counters, and the register."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.faults.adapters import Adapter, Settings
from tests.faults.report import Report
from tests.waiting import until

from glide_scripts.testing import FaultProxy, ServerReplyError, ValkeyCluster, ValkeyServer

T = TypeVar("T")


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
    """Register a scenario under its name. Its docstring says what the client should do."""
    SCENARIOS[run.__name__] = run
    return run


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
def in_thread(service: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Runs a service on its own loop, which the client under test cannot block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(service.__aenter__(), loop).result(10)
        ending = service.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(ending, loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def every_millisecond(server: ValkeyServer, *words: str) -> Iterator[Counter[str]]:
    """Sends a command again and again, from a thread that the client under test cannot block."""
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
    """Wait until the server has executed the commands of clients that are closed."""
    seen = -1

    def is_still() -> bool:
        nonlocal seen
        before, seen = seen, commands_processed(server)
        # This check itself is one command.
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
