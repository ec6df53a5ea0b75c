"""Tests for queues, workers and flows of BullMQ, whose sdist has no tests for them.

Each test uses BullMQ's public API against a real server, over its own client and over one passed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any

import bullmq
import pytest
import redis.asyncio

URL = os.environ["REDIS_URL"]
_numbers = count()


@pytest.fixture(params=["url", "options", "client"])
async def connection(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """The connection options of a queue or worker."""
    if request.param == "url":
        yield URL
    elif request.param == "options":
        parts = redis.asyncio.connection.parse_url(URL)
        yield {"host": parts["host"], "port": parts["port"]}
    else:
        client = redis.asyncio.Redis.from_url(URL, decode_responses=True)
        yield client
        await client.aclose()


@pytest.fixture
async def queue(connection: Any) -> AsyncIterator[bullmq.Queue]:
    made = bullmq.Queue(f"queue-{next(_numbers)}", {"connection": connection})
    yield made
    await made.obliterate(force=True)
    await made.close()


class Work:
    """A worker, and what happened to its jobs."""

    def __init__(
        self,
        queue: bullmq.Queue,
        process: Callable[[Any, str], Awaitable[Any]],
        **options: Any,
    ) -> None:
        self.completed: list[Any] = []
        self.failed: list[Any] = []
        self._changed = asyncio.Event()
        self.worker = bullmq.Worker(queue.name, process, {"connection": URL} | options)
        self.worker.on("completed", lambda job, result: self._add(self.completed, (job, result)))
        self.worker.on("failed", lambda job, error: self._add(self.failed, (job, error)))

    def _add(self, outcomes: list[Any], outcome: Any) -> None:
        outcomes.append(outcome)
        self._changed.set()

    async def until(self, *, completed: int = 0, failed: int = 0) -> None:
        """Wait for as many outcomes."""
        async with asyncio.timeout(30):
            while len(self.completed) < completed or len(self.failed) < failed:
                self._changed.clear()
                await self._changed.wait()

    async def __aenter__(self) -> Work:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.worker.close(force=True)


async def double(job: Any, token: str) -> int:
    value: int = job.data["value"]
    return value * 2


async def fail(job: Any, token: str) -> None:
    raise ValueError("as it was told to")


async def test_job_is_added_and_read(queue: bullmq.Queue) -> None:
    job = await queue.add("first", {"value": 1}, {"jobId": "mine"})
    assert job.id == "mine"
    found = await queue.getJob("mine")
    assert found is not None
    assert (found.name, found.data) == ("first", {"value": 1})
    assert await queue.getJobState("mine") == "waiting"
    assert (await queue.getJobCounts("waiting"))["waiting"] == 1


async def test_jobs_of_one_transaction(queue: bullmq.Queue) -> None:
    jobs = await queue.addBulk([{"name": f"n{i}", "data": {"value": i}} for i in range(10)])
    assert [job.name for job in jobs] == [f"n{i}" for i in range(10)]
    assert {job.name for job in await queue.getJobs(["wait"])} == {f"n{i}" for i in range(10)}


async def test_worker_processes_jobs(queue: bullmq.Queue) -> None:
    async with Work(queue, double) as work:
        for value in range(20):
            await queue.add("n", {"value": value})
        await work.until(completed=20)
    assert sorted(result for _, result in work.completed) == [2 * value for value in range(20)]
    assert await queue.getCompletedCount() == 20


async def test_worker_with_concurrency_processes_each_job_once(queue: bullmq.Queue) -> None:
    seen = []

    async def process(job: Any, token: str) -> None:
        seen.append(job.id)

    await queue.addBulk([{"name": "n", "data": {}} for _ in range(50)])
    async with Work(queue, process, concurrency=10) as work:
        await work.until(completed=50)
    assert len(seen) == len(set(seen)) == 50


async def test_failed_job_keeps_its_reason_and_can_be_retried(queue: bullmq.Queue) -> None:
    async with Work(queue, fail) as work:
        job = await queue.add("n", {})
        await work.until(failed=1)
    found = await queue.getJob(job.id)
    assert found.failedReason.strip('"') == "as it was told to"
    assert await queue.getFailedCount() == 1
    await queue.retryJobs({"state": "failed"})
    async with Work(queue, lambda job, token: asyncio.sleep(0, "done")) as work:
        await work.until(completed=1)
    assert await queue.getFailedCount() == 0


async def test_job_is_attempted_as_often_as_it_says(queue: bullmq.Queue) -> None:
    attempts = []

    async def process(job: Any, token: str) -> str:
        attempts.append(job.id)
        if len(attempts) < 3:
            raise ValueError("again")
        return "done"

    async with Work(queue, process) as work:
        await queue.add("n", {}, {"attempts": 3, "backoff": {"type": "fixed", "delay": 10}})
        await work.until(completed=1)
    assert len(attempts) == 3


async def test_delayed_job_waits_and_can_be_promoted(queue: bullmq.Queue) -> None:
    job = await queue.add("n", {"value": 4}, {"delay": 600_000})
    assert await queue.getJobState(job.id) == "delayed"
    await queue.promoteJobs()
    async with Work(queue, double) as work:
        await work.until(completed=1)
    assert work.completed[0][1] == 8


async def test_jobs_of_higher_priority_come_first(queue: bullmq.Queue) -> None:
    for priority in (3, 1, 2):
        await queue.add("n", {"value": priority}, {"priority": priority})
    assert await queue.getCountsPerPriority([1, 2, 3]) == {"1": 1, "2": 1, "3": 1}
    async with Work(queue, double) as work:
        await work.until(completed=3)
    assert [result for _, result in work.completed] == [2, 4, 6]


async def test_paused_queue_keeps_its_jobs(queue: bullmq.Queue) -> None:
    await queue.pause()
    assert await queue.isPaused()
    await queue.add("n", {"value": 1})
    assert sum((await queue.getJobCounts("paused", "waiting")).values()) == 1
    await queue.resume()
    async with Work(queue, double) as work:
        await work.until(completed=1)


async def test_progress_data_and_logs_of_a_job(queue: bullmq.Queue) -> None:
    async def process(job: Any, token: str) -> str:
        await job.updateProgress(50)
        await job.updateData({"new": True})
        await job.log("a line")
        return "done"

    async with Work(queue, process) as work:
        job = await queue.add("n", {})
        await work.until(completed=1)
    found = await queue.getJob(job.id)
    assert (found.progress, found.data, found.returnvalue) == (50, {"new": True}, "done")
    assert (await queue.getJobLogs(job.id))["logs"] == ["a line"]


async def test_job_is_removed(queue: bullmq.Queue) -> None:
    job = await queue.add("n", {})
    assert await queue.remove(job.id) == 1
    assert await queue.getJob(job.id) is None


async def test_queue_is_drained_and_cleaned(queue: bullmq.Queue) -> None:
    async with Work(queue, double) as work:
        await queue.add("n", {"value": 1})
        await work.until(completed=1)
    assert len(await queue.clean(0, 100, "completed")) == 1
    await queue.add("n", {"value": 1})
    await queue.drain()
    assert await queue.getWaitingCount() == 0


async def test_limits_of_the_queue(queue: bullmq.Queue) -> None:
    await queue.setGlobalConcurrency(3)
    assert await queue.getGlobalConcurrency() == 3
    await queue.removeGlobalConcurrency()
    assert await queue.getGlobalConcurrency() is None
    await queue.rateLimit(60_000)
    assert 0 < await queue.getRateLimitTtl() <= 60_000
    await queue.removeRateLimitKey()


async def test_scheduler_makes_jobs(queue: bullmq.Queue) -> None:
    await queue.upsertJobScheduler("each", {"every": 50, "limit": 2}, "n", {"value": 5})
    assert await queue.isJobScheduler("each")
    assert await queue.getJobSchedulersCount() == 1
    async with Work(queue, double) as work:
        await work.until(completed=2)
    assert {result for _, result in work.completed} == {10}
    await queue.removeJobScheduler("each")
    assert not await queue.isJobScheduler("each")


async def test_parent_waits_for_its_children(queue: bullmq.Queue) -> None:
    order = []

    async def process(job: Any, token: str) -> str:
        order.append(job.name)
        return str(job.name)

    flow = bullmq.FlowProducer({"connection": URL})
    children = [{"name": f"c{i}", "queueName": queue.name, "data": {}} for i in range(3)]
    await flow.add({"name": "parent", "queueName": queue.name, "data": {}, "children": children})
    async with Work(queue, process) as work:
        await work.until(completed=4)
    assert order[-1] == "parent"
    await flow.close()
