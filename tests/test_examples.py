"""What the examples promise: others will copy them.

That each runs as a command and prints what the documentation shows is a test of `test_docs.py`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from examples import (
    fastapi_rate_limiter,
    fenced_lock,
    job_queue,
    payment_endpoint,
    stock_in_cluster,
)
from tests.waiting import until

from glide_scripts import GlideClient, GlideClusterClient
from glide_scripts.testing import FaultProxy, ValkeyCluster, ValkeyServer

ROUNDS = 5


@pytest.fixture
async def client(server: ValkeyServer) -> AsyncIterator[GlideClient]:
    async with await GlideClient.from_url(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def cluster() -> Iterator[ValkeyCluster]:
    with ValkeyCluster(primaries=3, replicas=0) as cluster:
        yield cluster


@pytest.fixture
async def cluster_client(cluster: ValkeyCluster) -> AsyncIterator[GlideClusterClient]:
    async with await GlideClusterClient.from_url(cluster.url) as client:
        # A test may run on several event loops.
        await client.flushall()
        yield client


class TestRateLimiter:
    async def responses(self, url: str, count: int) -> list[httpx.Response]:
        app = fastapi_rate_limiter.create_app(url)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://app") as browser,
        ):
            return await asyncio.gather(*(browser.get("/search") for _ in range(count)))

    async def test_requests_at_once_get_no_more_than_the_bucket_holds(
        self, server: ValkeyServer
    ) -> None:
        responses = await self.responses(server.url, 20)
        codes = Counter(response.status_code for response in responses)
        assert codes == {200: 3, 429: 17}
        waits = {response.headers.get("retry-after") for response in responses}
        assert waits == {None, "10"}

    async def test_a_request_is_let_through_when_it_cannot_be_counted(self) -> None:
        with ValkeyServer() as server:
            app = fastapi_rate_limiter.create_app(f"{server.url}?timeout=50")
            transport = httpx.ASGITransport(app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://app") as browser,
            ):
                server.pause()
                response = await browser.get("/search")
                server.resume()
        assert response.status_code == 200


class TestLock:
    async def test_one_holds_it_at_a_time_and_tokens_grow(self, client: GlideClient) -> None:
        lock = fenced_lock.Lock(client, "one", ttl_ms=10_000)
        inside, fences = 0, []

        async def enter() -> None:
            nonlocal inside
            for _ in range(ROUNDS):
                lease = await lock.acquire()
                while lease is None:
                    await asyncio.sleep(0)
                    lease = await lock.acquire()
                inside += 1
                fences.append(lease.fence)
                # As if the reply had been lost, and the call was sent again.
                again = await fenced_lock.scripts.lock.acquire(
                    client, *lock._keys, holder=lease.holder, ttl_ms=10_000
                )
                assert (again, inside) == (lease.fence, 1)
                inside -= 1
                await lock.release(lease)

        await asyncio.gather(*(enter() for _ in range(ROUNDS)))
        assert fences == list(range(1, ROUNDS * ROUNDS + 1))

    async def test_a_holder_whose_time_is_over_takes_it_from_nobody(
        self, client: GlideClient
    ) -> None:
        lock = fenced_lock.Lock(client, "late", ttl_ms=20)
        late = await lock.acquire()
        assert late is not None
        lasting = fenced_lock.Lock(client, "late", ttl_ms=10_000)
        async with lasting.hold() as lease:
            assert await lasting.extend(lease)
            await lock.release(late)
            assert not await lock.extend(late)
            assert await lasting.acquire() is None

            await fenced_lock.write(client, "text", "new", lease)
            with pytest.raises(fenced_lock.StaleFence):
                await fenced_lock.write(client, "text", "old", late)
            assert await client.hget("text", "text") == b"new"


class Crash(BaseException):
    """A worker that has died, and sends nothing any more."""


class TestQueue:
    async def test_crashing_workers_lose_no_job(self, client: GlideClient) -> None:
        queue = job_queue.JobQueue(client, "crashes", lease_ms=50, max_attempts=5)
        jobs = [f"job-{number}" for number in range(30)]
        done: Counter[str] = Counter()

        async def do(job: job_queue.Job) -> None:
            await asyncio.sleep(0)
            if job.attempt == 1 and job.id.endswith(("0", "5")):
                raise Crash
            done[job.id] += 1

        async def worker() -> None:
            while await queue.unfinished():
                try:
                    await job_queue.work_once(queue, do)
                except Crash:
                    continue  # another worker is started

        await asyncio.gather(*(queue.put(job, "") for job in jobs))
        async with asyncio.timeout(20):
            await asyncio.gather(*(worker() for _ in range(4)))
        assert set(done) == set(jobs)
        assert await queue.dead() == []

    async def test_a_job_is_there_once_however_often_it_is_put(self, client: GlideClient) -> None:
        queue = job_queue.JobQueue(client, "twice")
        assert await queue.put("a", "1")
        assert not await queue.put("a", "1")
        job = await queue.take()
        assert job == job_queue.Job("a", "1", 1)
        assert not await queue.put("a", "1")
        assert await queue.done(job)
        assert await queue.done(job)
        assert not await queue.put("a", "1")
        assert await queue.take() is None

    async def test_a_worker_that_was_too_slow_ends_nobody_elses_lease(
        self, client: GlideClient
    ) -> None:
        queue = job_queue.JobQueue(client, "slow", lease_ms=10)
        await queue.put("a", "")
        slow = await queue.take()
        assert slow is not None

        taken: list[job_queue.Job] = []

        async def taken_again() -> bool:
            if job := await queue.take():
                taken.append(job)
            return bool(taken)

        await until(taken_again)
        (second,) = taken
        assert second.attempt == 2
        assert not await queue.done(slow)
        assert await queue.failed(slow, "late")
        assert await queue.unfinished() == 1
        assert await queue.done(second)

    async def test_what_fails_too_often_is_among_the_dead(self, client: GlideClient) -> None:
        queue = job_queue.JobQueue(client, "dead", max_attempts=3)
        attempts = []

        async def do(job: job_queue.Job) -> None:
            attempts.append(job.attempt)
            raise ValueError("never")

        await queue.put("a", "payload")

        async def given_up() -> bool:
            await job_queue.work_once(queue, do)
            return not await queue.unfinished()

        await until(given_up)
        assert attempts == [1, 2, 3]
        assert await queue.dead() == [b'{"id":"a","payload":"payload","reason":"never"}']

    async def test_what_crashes_each_worker_is_among_the_dead(self, client: GlideClient) -> None:
        queue = job_queue.JobQueue(client, "poison", lease_ms=10, max_attempts=2)
        await queue.put("a", "payload")

        async def given_up() -> bool:
            await queue.take()
            return not await queue.unfinished()

        await until(given_up)
        assert b"its worker was gone" in (await queue.dead())[0]


class TestStock:
    async def test_no_article_is_sold_twice_and_none_is_lost(
        self, cluster_client: GlideClusterClient
    ) -> None:
        stock = stock_in_cluster.Stock(cluster_client)
        await stock.put("many", 1000)
        await stock.put("few", 5)

        async def buy(order: str) -> bool:
            items = {"many": 2, "few": 1}
            try:
                await stock.reserve(order, items)
            except stock_in_cluster.OutOfStock:
                return False
            return await stock.sell(order, items)

        bought = await asyncio.gather(*(buy(f"order-{number}") for number in range(50)))
        assert sum(bought) == 5
        assert (await stock.left("many"), await stock.left("few")) == (990, 0)

    async def test_an_order_that_is_sent_again_takes_once(
        self, cluster_client: GlideClusterClient
    ) -> None:
        stock = stock_in_cluster.Stock(cluster_client)
        await stock.put("again", 10)
        for _ in range(2):
            await stock.reserve("order", {"again": 3})
            assert await stock.left("again") == 7
        for _ in range(2):
            assert await stock.sell("order", {"again": 3})
        await stock.reserve("order", {"again": 3})
        await stock.give_back("order", ["again"])
        assert await stock.left("again") == 7

    async def test_a_reservation_ends_by_itself(self, cluster_client: GlideClusterClient) -> None:
        stock = stock_in_cluster.Stock(cluster_client, reserved_ms=10)
        await stock.put("brief", 1)
        await stock.reserve("first", {"brief": 1})
        orders = (f"order-{number}" for number in itertools.count())

        async def reserved() -> bool:
            try:
                await stock.reserve(next(orders), {"brief": 1})
            except stock_in_cluster.OutOfStock:
                return False
            return True

        await until(reserved)
        assert not await stock.sell("first", {"brief": 1})


class TestPaymentEndpoint:
    async def charge(self, browser: httpx.AsyncClient, key: str, cents: int) -> httpx.Response:
        return await browser.post(
            "/accounts/ann/charges", params={"cents": cents}, headers={"Idempotency-Key": key}
        )

    async def test_a_request_that_is_repeated_charges_once_whatever_is_lost(
        self, server: ValkeyServer
    ) -> None:
        with FaultProxy(server.host, server.port) as proxy:
            app = payment_endpoint.create_app(f"valkey://{proxy.host}:{proxy.port}")
            transport = httpx.ASGITransport(app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://app") as browser,
            ):
                await app.state.valkey.set("account:ann", "1000")
                for number in range(ROUNDS):
                    proxy.drop_replies(2)
                    calls = (self.charge(browser, f"order-{number}", 10) for _ in range(8))
                    responses = await asyncio.gather(*calls)
                    assert {response.status_code for response in responses} == {200}
                    left = {response.json()["cents_left"] for response in responses}
                    assert left == {1000 - 10 * (number + 1)}
                assert proxy.counts["dropped"]
                # A server that does not answer in time: nobody knows, until it is asked again.
                proxy.black_hole()
                response = await self.charge(browser, "late", 10)
                assert (response.status_code, response.headers["retry-after"]) == (503, "1")
                proxy.clear()
                proxy.close_all()
                response = await self.charge(browser, "late", 10)
                assert (response.status_code, response.json()) == (200, {"cents_left": 940})
                assert await app.state.valkey.get("account:ann") == b"940"

    async def test_the_key_of_another_request_and_too_little_are_refused(
        self, server: ValkeyServer
    ) -> None:
        app = payment_endpoint.create_app(server.url)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://app") as browser,
        ):
            await app.state.valkey.set("account:ann", "100")
            assert (await self.charge(browser, "a", 30)).status_code == 200
            assert (await self.charge(browser, "a", 40)).status_code == 422
            for _ in range(2):
                response = await self.charge(browser, "b", 500)
                assert (response.status_code, response.json()) == (
                    402,
                    {"detail": "there are only 70 cents"},
                )
            assert (await self.charge(browser, "", 1)).status_code == 422
            assert await app.state.valkey.get("account:ann") == b"70"
