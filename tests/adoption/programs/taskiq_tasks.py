"""Brokers, results and schedules of taskiq-redis, whose sdist has no tests.

Each test uses its public API against a real server.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import redis.asyncio
import taskiq_redis
from taskiq import AckableMessage, BrokerMessage, ScheduledTask, TaskiqResult
from taskiq.api import run_receiver_task
from taskiq.depends.progress_tracker import TaskProgress, TaskState

URL = os.environ["REDIS_URL"]
BROKERS = ("ListQueueBroker", "RedisStreamBroker", "PubSubBroker")
_numbers = count()


@pytest.fixture
def name() -> str:
    return f"taskiq-{next(_numbers)}"


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    made = redis.asyncio.Redis.from_url(URL)
    yield made
    await made.aclose()


def message(number: int) -> BrokerMessage:
    return BrokerMessage(task_id=str(number), task_name="n", message=b"%d" % number, labels={})


async def received(broker: Any, wanted: int, *, acks: bool = True) -> list[bytes]:
    """The next messages of a broker."""
    found: list[bytes] = []
    async with asyncio.timeout(30):
        async for each in broker.listen():
            is_ackable = isinstance(each, AckableMessage)
            found.append(each.data if is_ackable else each)
            if is_ackable and acks:
                await each.ack()
            if len(found) == wanted:
                break
    return found


@pytest.mark.parametrize("kind", ["ListQueueBroker", "RedisStreamBroker"])
async def test_messages_arrive(kind: str, name: str) -> None:
    broker = getattr(taskiq_redis, kind)(URL, queue_name=name)
    await broker.startup()
    for number in range(10):
        await broker.kick(message(number))
    assert sorted(await received(broker, 10)) == [b"%d" % number for number in range(10)]
    await broker.shutdown()


async def test_listener_that_waits_gets_a_message(name: str) -> None:
    broker = taskiq_redis.ListQueueBroker(URL, queue_name=name)
    await broker.startup()
    waiting = asyncio.create_task(received(broker, 1))
    await asyncio.sleep(0)
    await broker.kick(message(7))
    assert await waiting == [b"7"]
    await broker.shutdown()


async def test_all_listeners_of_a_channel_get_each_message(name: str, client: Any) -> None:
    broker = taskiq_redis.PubSubBroker(URL, queue_name=name)
    await broker.startup()
    listeners = [asyncio.create_task(received(broker, 2)) for _ in range(3)]
    async with asyncio.timeout(30):
        while dict(await client.pubsub_numsub(name))[name.encode()] < 3:
            await asyncio.sleep(0.01)
    await broker.kick(message(1))
    await broker.kick(message(2))
    assert await asyncio.gather(*listeners) == [[b"1", b"2"]] * 3
    await broker.shutdown()


async def test_unacknowledged_message_goes_to_another_consumer(name: str) -> None:
    options = {
        "queue_name": name,
        "consumer_group_name": name,
        "idle_timeout": 1,
        "xread_block": 50,
    }
    first = taskiq_redis.RedisStreamBroker(URL, consumer_name="first", **options)
    second = taskiq_redis.RedisStreamBroker(URL, consumer_name="second", **options)
    await first.startup()
    await second.startup()
    await first.kick(message(5))
    assert await received(first, 1, acks=False) == [b"5"]
    # A consumer takes over others' messages only after it has read a new one.
    await first.kick(message(6))
    assert sorted(await received(second, 2)) == [b"5", b"6"]
    await first.shutdown()
    await second.shutdown()


async def test_acknowledged_message_does_not_come_again(name: str, client: Any) -> None:
    broker = taskiq_redis.RedisStreamBroker(URL, queue_name=name, consumer_group_name=name)
    await broker.startup()
    await broker.kick(message(1))
    assert await received(broker, 1) == [b"1"]
    pending = await client.xpending(name, name)
    assert pending["pending"] == 0
    await broker.shutdown()


async def test_stream_is_trimmed(name: str, client: Any) -> None:
    broker = taskiq_redis.RedisStreamBroker(URL, queue_name=name, maxlen=3, approximate=False)
    await broker.startup()
    for number in range(10):
        await broker.kick(message(number))
    assert await client.xlen(name) == 3
    await broker.shutdown()


@pytest.mark.parametrize("kind", BROKERS)
async def test_task_runs_and_its_result_returns(kind: str, name: str, client: Any) -> None:
    backend: Any = taskiq_redis.RedisAsyncResultBackend(URL)
    broker = getattr(taskiq_redis, kind)(URL, queue_name=name).with_result_backend(backend)

    @broker.task(task_name=name)  # type: ignore[untyped-decorator] # without taskiq, it has no types
    async def add(one: int, other: int) -> int:
        return one + other

    await broker.startup()
    receiver = asyncio.create_task(run_receiver_task(broker))
    if kind == "PubSubBroker":
        async with asyncio.timeout(30):
            while dict(await client.pubsub_numsub(name))[name.encode()] < 1:
                await asyncio.sleep(0.01)
    tasks = [await add.kiq(number, 1) for number in range(5)]
    results = [await task.wait_result(timeout=30) for task in tasks]
    assert [result.return_value for result in results] == [1, 2, 3, 4, 5]
    receiver.cancel()
    await asyncio.gather(receiver, return_exceptions=True)
    await broker.shutdown()


def result(value: Any) -> TaskiqResult[Any]:
    return TaskiqResult(is_err=False, log="a log", return_value=value, execution_time=0.1)


@pytest.mark.parametrize("options", [{}, {"result_ex_time": 60}, {"result_px_time": 60_000}])
async def test_result_is_kept(name: str, client: Any, options: dict[str, int]) -> None:
    backend: Any = taskiq_redis.RedisAsyncResultBackend(URL, prefix_str="prefix", **options)
    assert not await backend.is_result_ready(name)
    await backend.set_result(name, result({"a": [1, None]}))
    assert await backend.is_result_ready(name)
    found = await backend.get_result(name, with_logs=True)
    assert (found.return_value, found.log) == ({"a": [1, None]}, "a log")
    lasting = await client.pttl(f"prefix:{name}")
    assert 0 < lasting <= 60_000 if options else lasting == -1
    await backend.shutdown()


async def test_result_is_read_once(name: str) -> None:
    backend: Any = taskiq_redis.RedisAsyncResultBackend(URL, keep_results=False)
    await backend.set_result(name, result(1))
    assert (await backend.get_result(name)).return_value == 1
    with pytest.raises(taskiq_redis.exceptions.ResultIsMissingError):
        await backend.get_result(name)
    await backend.shutdown()


async def test_progress_is_kept(name: str) -> None:
    backend: Any = taskiq_redis.RedisAsyncResultBackend(URL)
    assert await backend.get_progress(name) is None
    await backend.set_progress(name, TaskProgress(state=TaskState.STARTED, meta={"done": 3}))
    found = await backend.get_progress(name)
    assert (found.state, found.meta) == (TaskState.STARTED, {"done": 3})
    await backend.shutdown()


async def test_many_results_with_a_small_pool(name: str) -> None:
    backend: Any = taskiq_redis.RedisAsyncResultBackend(URL, max_connection_pool_size=3, timeout=30)
    await asyncio.gather(*(backend.set_result(f"{name}-{i}", result(i)) for i in range(50)))
    found = await asyncio.gather(*(backend.get_result(f"{name}-{i}") for i in range(50)))
    assert [each.return_value for each in found] == list(range(50))
    await backend.shutdown()


def schedule(number: int, **when: Any) -> ScheduledTask:
    return ScheduledTask(task_name=f"n{number}", labels={}, args=[number], kwargs={}, **when)


async def test_schedules_come_when_they_are_due(name: str) -> None:
    source = taskiq_redis.ListRedisScheduleSource(URL, prefix=name)
    await source.startup()
    past = datetime.now(UTC) - timedelta(minutes=3)
    later = datetime.now(UTC) + timedelta(days=1)
    await source.add_schedule(schedule(1, cron="* * * * *"))
    await source.add_schedule(schedule(2, time=past))
    await source.add_schedule(schedule(3, time=later))
    await source.add_schedule(schedule(4, interval=10))
    due = await source.get_schedules()
    assert sorted(each.task_name for each in due) == ["n1", "n2", "n4"]
    for each in due:
        await source.delete_schedule(each.schedule_id)
    assert await source.get_schedules() == []
    await source.shutdown()


async def test_one_time_schedule_is_deleted_after_it_was_sent(name: str) -> None:
    source = taskiq_redis.ListRedisScheduleSource(URL, prefix=name)
    await source.startup()
    await source.add_schedule(schedule(1, time=datetime.now(UTC) - timedelta(minutes=1)))
    (due,) = await source.get_schedules()
    await source.post_send(due)
    assert await source.get_schedules() == []
    await source.shutdown()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_schedules_move_from_the_old_source(name: str) -> None:
    old = taskiq_redis.RedisScheduleSource(URL, prefix=f"old-{name}")
    for number in range(5):
        await old.add_schedule(schedule(number, cron="* * * * *"))
    assert len(await old.get_schedules()) == 5
    new = taskiq_redis.ListRedisScheduleSource(URL, prefix=name).with_migrate_from(old)
    await new.startup()
    assert len(await new.get_schedules()) == 5
    assert await old.get_schedules() == []
    await new.shutdown()
