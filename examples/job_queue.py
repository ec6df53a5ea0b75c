"""A queue of jobs, whose workers may crash: with leases, retries and a list of the dead.

    python examples/job_queue.py

starts a server of its own, works through some jobs, of which some fail, and ends. The scripts are
in ``scripts/queue``.

A job that was put is done at least once, or ends in the list of the dead. Nobody can promise
exactly once: a worker may crash between the work and the word that it is done. So a job's work
should be such that it can be repeated; its id is there to tell.

What makes it so: each job has an id from its producer, so that it can be put twice and is there
once. A worker has a job for a time, its lease; if it does not say in that time that the job is
done or has failed, another worker gets it. The number of the attempt tells whose lease it is, so
that a worker that was too slow ends nobody else's.
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
    """A job in the hands of a worker."""

    id: str
    payload: str
    attempt: int
    """Which attempt it is, from 1."""


class JobQueue:
    """A queue, the same for producers and workers.

    Args:
        client: The client.
        name: What the queue is called.
        lease_ms: After how many milliseconds without a word from its worker a job goes to another.
        max_attempts: How often a job is tried.
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
        """Puts a job. False: it was there already, or is done.

        When this raises an error, put the job again, with the same id.
        """
        return await scripts.queue.put(
            self._client, self._ready, self._jobs, self._finished, id=id, payload=payload
        )

    async def take(self) -> Job | None:
        """Takes the next job, if there is one."""
        # Not idempotent, so it is not repeated when the reply is lost. The job that it may have
        # taken comes back when its lease ends.
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
        """Says that a job is done. False: it came too late, and another worker has it."""
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
        """Says that a job failed. False: it is given up, and in the list of the dead."""
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
        """How many jobs wait, are worked on, or will be tried again."""
        count = await self._client.custom_command(["HLEN", self._jobs])
        return cast("int", count)

    async def dead(self) -> list[bytes]:
        """The jobs that were given up, as JSON with their id, payload and reason; latest first."""
        return await self._client.lrange(self._dead, 0, -1)


async def work(queue: JobQueue, do: Callable[[Job], Awaitable[None]]) -> None:
    """Does one job after another, until it is cancelled."""
    while True:
        try:
            worked = await work_once(queue, do)
        except RequestError:
            # If it had a job, that comes back when its lease ends.
            logger.exception("the queue cannot be reached")
            worked = False
        if not worked:
            await asyncio.sleep(IDLE_SECS)


async def work_once(queue: JobQueue, do: Callable[[Job], Awaitable[None]]) -> bool:
    """Does the next job. False: there is none."""
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
