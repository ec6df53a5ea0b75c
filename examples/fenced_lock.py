"""A distributed lock, with fencing tokens.

    python examples/fenced_lock.py

starts a temporary server and lets a holder pause for longer than its lock lasts. The scripts are in
``scripts/lock``.

A distributed lock must expire, because its holder may die. So a holder that was paused, by its
garbage collector or its machine, may believe that it still has the lock when another process has
it. No lock can prevent that, but the guarded resource can. Each holder gets a fencing token, a
number larger than all before it, and sends it with each write. A write with a smaller number than
an earlier one is refused.

This works on a single server that keeps its data. If a failover may lose the lock's keys, a token
may be issued twice: use ``WAIT``, or a service with consensus.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from glide_scripts import GlideClient, ScriptError, ScriptLibrary
from glide_scripts.testing import ValkeyServer

if TYPE_CHECKING:
    from examples.scripts.library import Library

library = ScriptLibrary.from_directory(Path(__file__).with_name("scripts"))
scripts = cast("Library", library)


@library.error("STALE_FENCE")
class StaleFence(ScriptError):
    """A later holder of the lock has already written."""


@dataclass(frozen=True)
class Lease:
    """A holder's right to the lock."""

    holder: str
    fence: int
    """The fencing token: send it with each write to the guarded resource."""


class Lock:
    """A lock that at most one of many processes holds.

    Args:
        client: The client.
        name: The name of the lock.
        ttl_ms: The milliseconds until the lock expires: several times as long as the work takes.
            `extend` prolongs it.
    """

    def __init__(self, client: GlideClient, name: str, *, ttl_ms: int) -> None:
        self._client = client
        # The braces keep the keys in one slot of a cluster.
        self._keys = (f"{{lock:{name}}}", f"{{lock:{name}}}:fence")
        self._ttl_ms = ttl_ms

    async def acquire(self) -> Lease | None:
        """Take the lock if no one holds it."""
        # With an id for each attempt, the script may run twice and is declared idempotent. If a
        # connection is lost, the client repeats the call by itself and gets the same answer.
        holder = uuid.uuid4().hex
        fence = await scripts.lock.acquire(
            self._client, *self._keys, holder=holder, ttl_ms=self._ttl_ms
        )
        return None if fence is None else Lease(holder, fence)

    async def extend(self, lease: Lease) -> bool:
        """Restart the lock's time. Return False if the lock is lost."""
        return await scripts.lock.extend(
            self._client, self._keys[0], holder=lease.holder, ttl_ms=self._ttl_ms
        )

    async def release(self, lease: Lease) -> None:
        """Release the lock; do nothing if it is lost."""
        await scripts.lock.release(self._client, self._keys[0], holder=lease.holder)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Lease]:
        """Wait for the lock, and release it at the end."""
        while (lease := await self.acquire()) is None:
            # At random, so that waiting processes do not all try at once.
            await asyncio.sleep(random.uniform(0.25, 0.75) * self._ttl_ms / 10_000)
        try:
            yield lease
        finally:
            await self.release(lease)


async def write(client: GlideClient, key: str, text: str, lease: Lease) -> None:
    """Write a value that a lock guards.

    Raises:
        StaleFence: A later holder has already written; nothing was written.
    """
    await scripts.lock.write(client, key, fence=lease.fence, text=text)


async def main(url: str) -> None:
    async with await GlideClient.from_url(url) as client:
        lock = Lock(client, "report", ttl_ms=200)
        paused = await lock.acquire()
        assert paused is not None
        print("the first holder has token", paused.fence, "and is paused")

        async with lock.hold() as lease:  # as soon as the first one's time is over
            print("the second holder has token", lease.fence)
            await write(client, "report", "by the second holder", lease)

        try:
            await write(client, "report", "by the first holder", paused)
        except StaleFence as error:
            print("the first holder goes on, and is refused:", error.message)
        print(await client.hget("report", "text"))


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.url))
