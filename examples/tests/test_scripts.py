"""Tests of the scripts in ``examples``, by which every line and every branch of them runs.

    pip install "glide-scripts[coverage,testing]" pytest-asyncio pytest-cov
    pytest examples/tests --cov=examples --cov-branch --cov-report=term-missing -o asyncio_mode=auto

A test prepares the data that its script finds, calls it, and looks at the reply and the data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glide_scripts import GlideClient, Script, ScriptError, ScriptLibrary

EXAMPLES = Path(__file__).parents[1]

rate_limiter = Script.from_file(EXAMPLES / "rate_limiter.lua")
scripts: Any = ScriptLibrary.from_directory(EXAMPLES / "scripts")

QUEUE = {name: f"{{queue}}:{name}" for name in ("ready", "jobs", "finished", "attempts", "due")}
DEAD = {"dead": "{queue}:dead"}
STOCK = {name: f"{{sku}}:{name}" for name in ("stock", "held", "until_when")}
SOLD = {"sold": "{sku}:sold"}
ORDER = {"order": "o1", "count": 2, "ttl_ms": 60_000}


async def test_a_window_of_the_rate_limiter(valkey_client: GlideClient) -> None:
    calls = [await valkey_client.invoke_script(rate_limiter, ["user"], ["1", "60"]) for _ in "ab"]
    assert calls == [1, 0]
    assert await valkey_client.ttl("user") == 60


async def test_the_rate_limiter_without_a_window(valkey_client: GlideClient) -> None:
    with pytest.raises(ScriptError, match="usage"):
        await valkey_client.invoke_script(rate_limiter, ["user"], ["1"])


async def test_a_rate_limit(valkey_client: GlideClient) -> None:
    calls = [await scripts.rate_limit(valkey_client, "user", limit=1, window=60) for _ in "ab"]
    assert calls == [True, False]


async def test_a_token_bucket_becomes_empty_and_fills_up_again(valkey_client: GlideClient) -> None:
    bucket = {"capacity": 1, "per_second": 0.01}
    calls = [await scripts.token_bucket(valkey_client, "bucket", **bucket) for _ in "ab"]
    assert [allowed for allowed, _, _ in calls] == [True, False]
    # The last refill was in 1970, so the bucket is full.
    await valkey_client.hset("bucket", {"at": "0"})
    assert (await scripts.token_bucket(valkey_client, "bucket", **bucket))[0]


async def test_a_charge(valkey_client: GlideClient) -> None:
    await valkey_client.set("account", "100")
    assert await scripts.charge(valkey_client, "account", request="r1", cents=30) == 70


async def test_a_charge_of_more_than_there_is(valkey_client: GlideClient) -> None:
    with pytest.raises(ScriptError, match="only 0 cents"):
        await scripts.charge(valkey_client, "account", request="r1", cents=30)


VOTE = {"votes": "{poll}:votes", "voters": "{poll}:voters", "voter": "ann", "choice": "yes"}


async def test_a_vote(valkey_client: GlideClient) -> None:
    assert await scripts.vote(valkey_client, **VOTE) is True
    assert await valkey_client.hgetall("{poll}:votes") == {b"yes": b"1"}


async def test_a_vote_of_who_has_voted(valkey_client: GlideClient) -> None:
    await valkey_client.sadd("{poll}:voters", ["ann"])
    assert await scripts.vote(valkey_client, **VOTE) is False
    assert await valkey_client.hgetall("{poll}:votes") == {}


class TestLock:
    async def test_a_free_one_is_acquired(self, valkey_client: GlideClient) -> None:
        call = {"lock": "{l}:lock", "fence": "{l}:fence", "holder": "me", "ttl_ms": 60_000}
        assert await scripts.lock.acquire(valkey_client, **call) == 1
        # The same call again, as after a lost reply.
        assert await scripts.lock.acquire(valkey_client, **call) == 1

    async def test_one_of_another_holder_is_not_acquired(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset("{l}:lock", {"holder": "other", "fence": "1"})
        call = {"lock": "{l}:lock", "fence": "{l}:fence", "holder": "me", "ttl_ms": 60_000}
        assert await scripts.lock.acquire(valkey_client, **call) is None

    async def test_its_holder_extends_it(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset("lock", {"holder": "me"})
        assert await scripts.lock.extend(valkey_client, "lock", holder="me", ttl_ms=60_000)

    async def test_another_cannot_extend_it(self, valkey_client: GlideClient) -> None:
        assert not await scripts.lock.extend(valkey_client, "lock", holder="me", ttl_ms=60_000)

    async def test_only_its_holder_releases_it(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset("lock", {"holder": "me"})
        await scripts.lock.release(valkey_client, "lock", holder="other")
        assert await valkey_client.exists(["lock"]) == 1
        await scripts.lock.release(valkey_client, "lock", holder="me")
        assert await valkey_client.exists(["lock"]) == 0

    async def test_its_holder_writes(self, valkey_client: GlideClient) -> None:
        await scripts.lock.write(valkey_client, "value", fence=2, text="new")
        assert await valkey_client.hget("value", "text") == b"new"

    async def test_an_earlier_holder_does_not_write(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset("value", {"fence": "3", "text": "new"})
        with pytest.raises(ScriptError, match="2 came after 3"):
            await scripts.lock.write(valkey_client, "value", fence=2, text="old")


class TestQueue:
    async def test_a_job_is_put(self, valkey_client: GlideClient) -> None:
        keys = {name: QUEUE[name] for name in ("ready", "jobs", "finished")}
        assert await scripts.queue.put(valkey_client, **keys, id="1", payload="work")

    async def test_a_job_is_put_once(self, valkey_client: GlideClient) -> None:
        keys = {name: QUEUE[name] for name in ("ready", "jobs", "finished")}
        await valkey_client.hset(QUEUE["jobs"], {"1": "work"})
        assert not await scripts.queue.put(valkey_client, **keys, id="1", payload="work")

    async def test_a_job_is_taken_again_after_its_lease(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset(QUEUE["jobs"], {"1": "work"})
        await valkey_client.hset(QUEUE["attempts"], {"1": "1"})
        await valkey_client.zadd(QUEUE["due"], {"1": 1.0})
        taken = await scripts.queue.take(
            valkey_client, **QUEUE, **DEAD, lease_ms=60_000, max_attempts=3
        )
        assert taken == ("1", "work", 2)

    async def test_a_job_whose_workers_were_gone_is_given_up(
        self, valkey_client: GlideClient
    ) -> None:
        await valkey_client.hset(QUEUE["jobs"], {"1": "work"})
        await valkey_client.hset(QUEUE["attempts"], {"1": "3"})
        await valkey_client.zadd(QUEUE["due"], {"1": 1.0})
        assert (
            await scripts.queue.take(
                valkey_client, **QUEUE, **DEAD, lease_ms=60_000, max_attempts=3
            )
            is None
        )
        assert await valkey_client.exists([DEAD["dead"]]) == 1

    async def test_a_job_is_done(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset(QUEUE["attempts"], {"1": "1"})
        assert await scripts.queue.done(valkey_client, **QUEUE, id="1", attempt=1)

    async def test_a_job_of_another_worker_is_not_done(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset(QUEUE["attempts"], {"1": "2"})
        assert not await scripts.queue.done(valkey_client, **QUEUE, id="1", attempt=1)

    async def failed(self, client: GlideClient) -> Any:
        return await scripts.queue.failed(
            client, **QUEUE, **DEAD, id="1", attempt=1, max_attempts=3, pause_ms=10, reason="why"
        )

    async def test_a_failed_job_is_retried(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset(QUEUE["attempts"], {"1": "1"})
        await valkey_client.zadd(QUEUE["due"], {"1": 1.0})
        assert await self.failed(valkey_client)
        # The same if the job already waits for a worker.
        await valkey_client.delete([QUEUE["due"]])
        assert await self.failed(valkey_client)

    async def test_a_job_that_failed_too_often_is_given_up(
        self, valkey_client: GlideClient
    ) -> None:
        await valkey_client.hset(QUEUE["attempts"], {"1": "3"})
        assert not await scripts.queue.failed(
            valkey_client,
            **QUEUE,
            **DEAD,
            id="1",
            attempt=3,
            max_attempts=3,
            pause_ms=10,
            reason="why",
        )

    async def test_a_job_of_another_worker_has_not_failed(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset(QUEUE["attempts"], {"1": "2"})
        await valkey_client.hset(QUEUE["jobs"], {"1": "work"})
        assert await self.failed(valkey_client)


class TestStock:
    async def test_an_expired_reservation_is_reserved_again(
        self, valkey_client: GlideClient
    ) -> None:
        await valkey_client.set(STOCK["stock"], "1")
        await valkey_client.hset(STOCK["held"], {"old": "2"})
        await valkey_client.zadd(STOCK["until_when"], {"old": 1.0})
        assert await scripts.stock.reserve(valkey_client, **STOCK, **SOLD, **ORDER) == 1

    async def test_an_order_reserves_once(self, valkey_client: GlideClient) -> None:
        await valkey_client.set(STOCK["stock"], "5")
        await valkey_client.hset(STOCK["held"], {"o1": "2"})
        assert await scripts.stock.reserve(valkey_client, **STOCK, **SOLD, **ORDER) == 5

    async def test_no_more_is_reserved_than_there_is(self, valkey_client: GlideClient) -> None:
        with pytest.raises(ScriptError, match="0 left"):
            await scripts.stock.reserve(valkey_client, **STOCK, **SOLD, **ORDER)

    async def test_what_is_reserved_is_sold(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset(STOCK["held"], {"o1": "2"})
        assert await scripts.stock.sell(valkey_client, **STOCK, **SOLD, order="o1")

    async def test_what_is_not_reserved_is_not_sold(self, valkey_client: GlideClient) -> None:
        assert not await scripts.stock.sell(valkey_client, **STOCK, **SOLD, order="o1")

    async def test_a_reservation_is_given_back_once(self, valkey_client: GlideClient) -> None:
        await valkey_client.hset(STOCK["held"], {"o1": "2"})
        for _ in range(2):
            await scripts.stock.give_back(valkey_client, **STOCK, order="o1")
        assert await valkey_client.get(STOCK["stock"]) == b"2"

    async def test_some_is_taken(self, valkey_client: GlideClient) -> None:
        await valkey_client.set("sku", "5")
        assert await scripts.stock.take(valkey_client, "sku", count=2, token="t") == 3

    async def test_no_more_is_taken_than_there_is(self, valkey_client: GlideClient) -> None:
        await valkey_client.set("sku", "1")
        with pytest.raises(ScriptError, match="OUT_OF_STOCK"):
            await scripts.stock.take(valkey_client, "sku", count=2, token="t")
