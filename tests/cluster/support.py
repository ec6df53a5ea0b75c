"""What the cluster's tests have in common: keys of a shard, counters of the servers, load."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from glide_scripts import ClosingError, GlideClusterClient, RequestError, Script
from glide_scripts.testing import ValkeyCluster, ValkeyServer

INCR = Script("return redis.call('INCR', KEYS[1])")
SCRIPT_COMMANDS = ("eval", "evalsha", "eval_ro", "evalsha_ro")


def name_of(node: ValkeyServer) -> bytes:
    """The node's name in replies of several nodes."""
    return f"{node.host}:{node.port}".encode()


def of_nodes(nodes: Iterable[ValkeyServer]) -> set[bytes]:
    return {name_of(node) for node in nodes}


def key_on(cluster: ValkeyCluster, node: ValkeyServer, prefix: str = "key") -> str:
    """A key that a primary holds."""
    ranges = slots_of(node)
    for number in range(10_000):
        key = f"{prefix}:{number}"
        if any(cluster.key_slot(key) in slots for slots in ranges):
            return key
    raise AssertionError(f"no key for {node}")


def slots_of(node: ValkeyServer) -> list[range]:
    """The slots that a primary holds. Not from CLUSTER SLOTS, which tests count."""
    reply = node.command("CLUSTER", "NODES")
    assert isinstance(reply, bytes)
    (myself,) = [line.split() for line in reply.decode().splitlines() if "myself" in line]
    ends = [part.split("-") for part in myself[8:] if not part.startswith("[")]
    return [range(int(each[0]), int(each[-1]) + 1) for each in ends]


def a_key_each(cluster: ValkeyCluster) -> list[str]:
    """One key for each primary."""
    return [key_on(cluster, primary) for primary in cluster.primaries()]


def stats(node: ValkeyServer) -> dict[str, tuple[int, int]]:
    """Return how often each command was called since the last reset, and how often it failed."""
    reply = node.command("INFO", "commandstats")
    assert isinstance(reply, bytes)
    found = re.findall(r"cmdstat_(\S+?):calls=(\d+),.*failed_calls=(\d+)", reply.decode())
    return {name: (int(calls), int(failed)) for name, calls, failed in found}


def runs(node: ValkeyServer, *commands: str) -> int:
    """Return how often a node ran a script to its end. NOSCRIPT counts as a failure."""
    counts = stats(node)
    return sum(
        calls - failed
        for name, (calls, failed) in counts.items()
        if name in (commands or SCRIPT_COMMANDS)
    )


def calls(nodes: Sequence[ValkeyServer], command: str) -> list[int]:
    return [stats(node).get(command, (0, 0))[0] for node in nodes]


def refreshes(nodes: Sequence[ValkeyServer]) -> int:
    """Return how many CLUSTER SLOTS all nodes together have received."""
    return sum(calls(nodes, "cluster|slots"))


def reset_stats(nodes: Iterable[ValkeyServer]) -> None:
    for node in nodes:
        node.command("CONFIG", "RESETSTAT")


class Load:
    """Callers that go on calling a counting script, each on one of some keys."""

    def __init__(
        self, client: GlideClusterClient, keys: Sequence[str], script: Script, timeout: int | None
    ) -> None:
        self._client, self.keys, self._script, self._timeout = client, keys, script, timeout
        self.acknowledged: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.errors: dict[str, list[Exception]] = {key: [] for key in keys}
        self.longest_gap: dict[str, float] = dict.fromkeys(keys, 0.0)
        self._last = dict.fromkeys(keys, time.monotonic())
        self.stopped = asyncio.Event()

    async def caller(self, key: str) -> None:
        while not self.stopped.is_set():
            try:
                await self._client.invoke_script(self._script, keys=[key], timeout=self._timeout)
            except (RequestError, ClosingError) as error:
                self.errors[key].append(error)
                self.unknown[key] += error.may_have_executed
                await asyncio.sleep(0.001)
            else:
                self.acknowledged[key] += 1
                now = time.monotonic()
                self.longest_gap[key] = max(self.longest_gap[key], now - self._last[key])
                self._last[key] = now

    @property
    def all_errors(self) -> list[Exception]:
        return [error for errors in self.errors.values() for error in errors]

    def progress(self, key: str, by: int = 100) -> Callable[[], bool]:
        """A condition: this many more calls of a key have succeeded."""
        goal = self.acknowledged[key] + by
        return lambda: self.acknowledged[key] >= goal

    async def check(self, *, exact: bool) -> None:
        """The servers' counts are those of acknowledged calls, or of unknown outcomes."""
        for key in self.keys:
            reply = await self._client.get(key)
            counted = int(reply or 0)
            acknowledged, unknown = self.acknowledged[key], self.unknown[key]
            ran_twice = counted - acknowledged - unknown
            assert ran_twice <= 0, f"{key}: {ran_twice} calls ran twice: {self.all_errors[:3]}"
            lost = acknowledged - counted
            assert lost <= 0 or not exact, f"{key}: the servers lost {lost} acknowledged writes"


@asynccontextmanager
async def load(
    client: GlideClusterClient,
    keys: Sequence[str],
    script: Script = INCR,
    *,
    callers: int = 8,
    timeout: int | None = None,
) -> AsyncIterator[Load]:
    """Runs callers for each key while the block runs."""
    work = Load(client, keys, script, timeout)
    async with asyncio.TaskGroup() as group:
        for key in keys:
            for _ in range(callers):
                group.create_task(work.caller(key))
        try:
            yield work
        finally:
            work.stopped.set()


async def in_thread(step: Callable[..., object], *args: object) -> None:
    """Runs a blocking function in a thread, while the loop continues."""
    await asyncio.to_thread(step, *args)
