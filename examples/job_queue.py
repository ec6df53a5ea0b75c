"""A job queue whose workers may crash, with leases, retries and a dead-letter list.

    python examples/job_queue.py

starts a temporary server and processes some jobs, of which some fail. The scripts are in
``scripts/queue``.

Each job is done at least once, or ends in the dead-letter list. Exactly once is impossible: a
worker may crash between doing a job and reporting it. So a job's work should be repeatable; its id
helps with that.

Each job has an id from its producer, so a job that is put twice exists once. A worker gets a job
for a limited time, its lease. If it does not report within that time, another worker gets the job.
Each lease belongs to one attempt number, so a slow worker cannot end another worker's lease.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from glide_scripts import GlideClient, RequestError, ScriptLibrary
from glide_scripts.testing import ValkeyServer

if TYPE_CHECKING:
    from examples.scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory(Path(__file__).with_name("scripts")))
logger = logging.getLogger("job_queue")

FIRST_PAUSE_MS = 50
IDLE_SECS = 0.02


@dataclass(frozen=True)
class Job:
    """A job that a worker has taken."""

    id: str
    payload: str
    attempt: int
    """The number of the attempt, from 1."""


class JobQueue:
    """The queue, for producers and workers.

    Args:
        client: The client.
        name: The name of the queue.
        lease_ms: The milliseconds after which an unreported job goes to another worker.
        max_attempts: The maximum number of attempts per job.
    """

    def __init__(
        self, client: GlideClient, name: str, *, lease_ms: int = 30_000, max_attempts: int = 3
    ) -> None:
        self._client = client
        # The braces keep the keys in one slot of a cluster.
        self._ready, self._jobs, self._finished, self._attempts, self._due, self._dead = (
            f"{{queue:{name}}}:{part}"
            for part in ("ready", "jobs", "finished", "attempts", "due", "dead")
        )
        self._lease_ms = lease_ms
        self._max_attempts = max_attempts

    async def put(self, id: str, payload: str) -> bool:
        """Add a job. Return False if it exists already, or is done.

        If this raises an error, add the job again with the same id.
        """
        return await scripts.queue.put(
            self._client, self._ready, self._jobs, self._finished, id=id, payload=payload
        )

    async def take(self) -> Job | None:
        """Take the next job, or return None."""
        # Not idempotent, so it is not repeated if the reply is lost. A job that it took returns
        # when its lease ends.
        taken = await scripts.queue.take(
            self._client,
            self._ready,
            self._jobs,
            self._finished,
            self._attempts,
            self._due,
            self._dead,
            lease_ms=self._lease_ms,
            max_attempts=self._max_attempts,
        )
        return None if taken is None else Job(*taken)

    async def done(self, job: Job) -> bool:
        """Report a job as done. Return False if it is too late and another worker has the job."""
        return await scripts.queue.done(
            self._client,
            self._ready,
            self._jobs,
            self._finished,
            self._attempts,
            self._due,
            id=job.id,
            attempt=job.attempt,
        )

    async def failed(self, job: Job, reason: str) -> bool:
        """Report a job as failed. Return False if it was moved to the dead-letter list."""
        return await scripts.queue.failed(
            self._client,
            self._ready,
            self._jobs,
            self._finished,
            self._attempts,
            self._due,
            self._dead,
            id=job.id,
            attempt=job.attempt,
            max_attempts=self._max_attempts,
            pause_ms=FIRST_PAUSE_MS * 2 ** (job.attempt - 1),
            reason=reason,
        )

    async def unfinished(self) -> int:
        """Return the number of jobs that wait, are being worked on, or will be retried."""
        count = await self._client.custom_command(["HLEN", self._jobs])
        return cast("int", count)

    async def dead(self) -> list[bytes]:
        """Return the dead-letter list, latest first: JSON with id, payload and reason."""
        return await self._client.lrange(self._dead, 0, -1)


async def work(queue: JobQueue, do: Callable[[Job], Awaitable[None]]) -> None:
    """Do one job after another, until cancelled."""
    while True:
        try:
            worked = await work_once(queue, do)
        except RequestError:
            # A job that it had returns when its lease ends.
            logger.exception("the queue cannot be reached")
            worked = False
        if not worked:
            await asyncio.sleep(IDLE_SECS)


async def work_once(queue: JobQueue, do: Callable[[Job], Awaitable[None]]) -> bool:
    """Do the next job. Return False if there is none."""
    job = await queue.take()
    if job is None:
        return False
    try:
        await do(job)
    except Exception as error:
        await queue.failed(job, str(error))
    else:
        await queue.done(job)
    return True


async def main(url: str) -> None:
    async def send(job: Job) -> None:
        if job.payload == "flaky@example.org" and job.attempt < 3:
            raise RuntimeError("try again later")
        if job.payload == "nobody@example.org":
            raise RuntimeError("no such mailbox")
        print("sent to", job.payload, "at attempt", job.attempt)

    async with await GlideClient.from_url(url) as client:
        queue = JobQueue(client, "mail", lease_ms=300)
        for name in ("ann", "flaky", "nobody"):
            await queue.put(f"welcome-{name}", f"{name}@example.org")
        print("put again:", await queue.put("welcome-ann", "ann@example.org"))

        crashed = await queue.take()
        assert crashed is not None
        print("a worker takes", crashed.id, "and crashes")

        worker = asyncio.create_task(work(queue, send))
        while await queue.unfinished():
            await asyncio.sleep(IDLE_SECS)
        worker.cancel()
        print("dead:", *await queue.dead())


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.url))
