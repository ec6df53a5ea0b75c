"""Code that is typed for redis-py, with clients of this package."""

from __future__ import annotations

import redis
import redis.asyncio
from redis.asyncio.client import Pipeline
from redis.commands.core import AsyncScript, Script
from redis.exceptions import ConnectionError, ResponseError

import glide_scripts.redis as aioredis
import glide_scripts.redis.sync as redis_here
from glide_scripts.redis import Redis, RedisCluster, from_url
from glide_scripts.redis.sync import Redis as SyncRedis

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


class Counter:
    """Takes redis-py's client, as libraries do."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._add: AsyncScript = client.register_script(ADD)

    async def add(self, key: str, amount: int) -> int:
        try:
            return int(await self._add(keys=[key], args=[amount]))
        except (ConnectionError, ResponseError):
            return 0

    async def add_both(self, key: str, other: str) -> list[int]:
        async with self._client.pipeline(transaction=True) as pipe:
            await self._add(keys=[key], args=[1], client=pipe)
            await self._add(keys=[other], args=[1], client=pipe)
            return [int(each) for each in await pipe.execute()]


def add(client: redis.Redis, key: str) -> int:
    script: Script = client.register_script(ADD)
    return int(script(keys=[key], args=[1]))


async def of_modules() -> None:
    client = aioredis.Redis(connection_pool=aioredis.ConnectionPool(host="localhost"))
    try:
        await client.get("a")
    except aioredis.RedisError as error:
        print(error)
    try:
        redis_here.Redis(host="localhost").get("a")
    except (redis_here.ConnectionError, redis_here.exceptions.TimeoutError) as error:
        print(error)


async def main() -> None:
    client: Redis = Redis(host="localhost", port=6379, decode_responses=True, socket_timeout=1.0)
    other: Redis = from_url("redis://localhost/0")
    counter = Counter(client)
    print(await counter.add("n", 1), await counter.add_both("a", "b"))
    pipe: Pipeline = other.pipeline(transaction=False)
    pipe.set("a", 1)
    pipe.get("a")
    print(await pipe.execute())
    await client.set("a", "b", ex=10)
    value = await client.get("a")
    assert value is not None
    async with client.lock("name", timeout=10):
        print(await client.hgetall("hash"))
    cluster = RedisCluster(host="localhost", port=7000)
    for each in (cluster, client, other):
        await each.aclose()
    with SyncRedis() as blocking:
        print(add(blocking, "n"), blocking.get("n"))
