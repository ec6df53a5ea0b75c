"""A distributed lock, with fencing tokens.

    python examples/fenced_lock.py

starts a server of its own, lets a holder sleep longer than its lock lasts, and ends. The scripts
are in ``scripts/lock``.

A lock in a network lasts for a time only, since its holder may die. So a holder that was paused,
by its garbage collector or its machine, may believe that it still has the lock when another one
has. No lock can prevent that; what it guards can. Each holder gets a number that is larger than
that of all before it, its fencing token, and sends it with each write; a write with a smaller
number than one before is refused.

The server is one, and keeps what it was told. Where a failover may lose the lock's keys, a token
may be given twice: use ``WAIT``, or a service with consensus.
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
    """A later holder of the lock has written already."""


@dataclass(frozen=True)
class Lease:
    """What the holder of a lock has."""

    holder: str
    fence: int
    """The fencing token: send it with each write to what the lock guards."""


class Lock:
    """A lock that one of many processes holds.

    Args:
        client: The client.
        name: What the lock is called.
        ttl_ms: For how many milliseconds a holder has it. It should be several times as long as
            the work takes, and `extend` makes it longer.
    """

    def __init__(self, client: GlideClient, name: str, *, ttl_ms: int) -> None:
        self._client = client
        # The braces keep the keys in one slot of a cluster.
        self._keys = (f"{{lock:{name}}}", f"{{lock:{name}}}:fence")
        self._ttl_ms = ttl_ms

    async def acquire(self) -> Lease | None:
        """Takes the lock, if nobody holds it."""
        # An id for each attempt: so the script may run twice, and is declared idempotent. When a
        # connection is lost, the client asks again by itself, and gets what it had got.
        holder = uuid.uuid4().hex
        fence = await scripts.lock.acquire(
            self._client, *self._keys, holder=holder, ttl_ms=self._ttl_ms
        )
        return None if fence is None else Lease(holder, fence)

    async def extend(self, lease: Lease) -> bool:
        """Lets the lock last for its whole time again. False: it is lost."""
        return await scripts.lock.extend(
            self._client, self._keys[0], holder=lease.holder, ttl_ms=self._ttl_ms
        )

    async def release(self, lease: Lease) -> None:
        """Gives the lock back; nothing if it is lost."""
        await scripts.lock.release(self._client, self._keys[0], holder=lease.holder)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Lease]:
        """Waits for the lock, and gives it back in the end."""
        while (lease := await self.acquire()) is None:
            # At random, so that those who wait do not come all at once.
            await asyncio.sleep(random.uniform(0.25, 0.75) * self._ttl_ms / 10_000)
        try:
            yield lease
        finally:
            await self.release(lease)


async def write(client: GlideClient, key: str, text: str, lease: Lease) -> None:
    """Writes what a lock guards.

    Raises:
        StaleFence: A later holder has written already; nothing was written.
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
