"""Libraries without a suite here: caches of Django, workers, limits of Flask, and others.

Each test uses a library's public API against a real server.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from typing import Any

import celery
import django
import dramatiq
import fakeredis
import huey
import pytest
import redis
import rq
from aiogram.fsm.storage.base import StorageKey
from aiogram.fsm.storage.redis import RedisStorage
from cashews import Cache
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from dramatiq.brokers.redis import RedisBroker
from flask import Flask
from flask_limiter import Limiter

URL = os.environ["REDIS_URL"]


@pytest.fixture(scope="session")
def caches() -> Any:
    settings.configure(
        CACHES={
            name: {"BACKEND": backend, "LOCATION": URL, "KEY_PREFIX": name}
            for name, backend in {
                "default": "django_redis.cache.RedisCache",
                "of_django": "django.core.cache.backends.redis.RedisCache",
            }.items()
        }
    )
    django.setup()
    from django.core.cache import caches

    return caches


@pytest.mark.parametrize("name", ["default", "of_django"])
def test_caches_of_django(caches: Any, name: str) -> None:
    cache = caches[name]
    cache.set("a", {"x": 1}, 30)
    cache.set_many({"b": 1, "c": 2})
    assert cache.get("a") == {"x": 1}
    assert cache.get_many(["b", "c"]) == {"b": 1, "c": 2}
    assert cache.incr("b") == 2
    assert cache.add("a", 1) is False
    cache.delete("a")
    assert cache.get("a") is None


def test_django_redis_has_locks_and_patterns(caches: Any) -> None:
    cache = caches["default"]
    cache.set("k:1", 1)
    assert list(cache.iter_keys("k:*")) == ["k:1"]
    assert cache.delete_pattern("k:*") == 1
    with cache.lock("l", timeout=30) as lock:
        assert lock.owned()


@pytest.mark.parametrize("worker", [rq.SimpleWorker, rq.Worker], ids=["in-process", "forked"])
def test_rq(worker: Callable[..., Any]) -> None:
    client = redis.Redis.from_url(URL)
    queue = rq.Queue(worker.__name__, connection=client)
    jobs = [queue.enqueue(operator.add, number, 1) for number in range(5)]
    failing = queue.enqueue(operator.truediv, 1, 0)
    worker([queue], connection=client).work(burst=True)
    assert [job.return_value() for job in jobs] == [1, 2, 3, 4, 5]
    assert failing.get_status(refresh=True) == "failed"
    client.close()


@pytest.mark.parametrize("kind", ["RedisHuey", "PriorityRedisHuey", "RedisExpireHuey"])
def test_huey(kind: str) -> None:
    queue = getattr(huey, kind)(kind, url=URL)

    @queue.task()  # type: ignore[untyped-decorator]
    def add(one: int, other: int) -> int:
        return one + other

    with queue.lock_task("lock"):
        results = [add(1, 2), add.schedule((3, 4), delay=0)]
    consumer = queue.create_consumer(workers=2, periodic=False)
    consumer.start()
    assert [each.get(blocking=True, timeout=60) for each in results] == [3, 7]
    consumer.stop(graceful=True)


def test_dramatiq() -> None:
    broker = RedisBroker(url=URL)
    dramatiq.set_broker(broker)
    done = []

    @dramatiq.actor  # type: ignore[untyped-decorator]
    def append(number: int) -> None:
        done.append(number)

    for number in range(20):
        append.send(number)
    worker = dramatiq.Worker(broker, worker_timeout=100)
    worker.start()
    broker.join(append.queue_name, timeout=60_000)
    worker.join()
    worker.stop()
    assert sorted(done) == list(range(20))


def test_celery() -> None:
    app = celery.Celery("app", broker=URL, backend=URL)
    app.conf.worker_hijack_root_logger = False

    @app.task(name="add")  # type: ignore[untyped-decorator]
    def add(one: int, other: int) -> int:
        return one + other

    @app.task(name="total")  # type: ignore[untyped-decorator]
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False):
        assert add.delay(1, 2).get(timeout=60) == 3
        chord = celery.chord([add.s(number, number) for number in range(5)])
        assert chord(total.s()).get(timeout=60) == 20


def test_flask_limiter() -> None:
    app = Flask("app")
    Limiter(lambda: "me", app=app, storage_uri=URL, default_limits=["3/hour"])

    @app.get("/")
    def index() -> str:
        return "there"

    client = app.test_client()
    assert [client.get("/").status_code for _ in range(5)] == [200] * 3 + [429] * 2


async def test_cashews() -> None:
    cache = Cache()
    cache.setup(URL)
    await cache.set_many({"p:1": 1, "p:2": 2})
    assert await cache.get_many("p:1", "p:2") == (1, 2)
    assert await cache.incr("n") == 1
    async with cache.lock("l", expire="30s"):
        await cache.delete_match("p:*")
    assert await cache.get("p:1") is None
    await cache.close()


async def test_aiogram() -> None:
    storage = RedisStorage.from_url(URL)
    key = StorageKey(1, 2, 3)
    await storage.set_data(key, {"a": 1})
    async with storage.create_isolation().lock(key):
        assert await storage.get_data(key) == {"a": 1}
    await storage.close()


async def test_fakeredis_stays_a_fake() -> None:
    fake = fakeredis.FakeAsyncRedis()
    await fake.set("only in the fake", 1)
    assert await fake.pipeline().incr("only in the fake").execute() == [2]
    with redis.Redis.from_url(URL) as client:
        assert client.get("only in the fake") is None
