"""redis-py's classes over this package's connections, in a cache of an application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import redis.asyncio
from redis.commands.core import AsyncScript

import glide_scripts.redis
import glide_scripts.redis.sync
from glide_scripts.testing import ValkeyServer

T = TypeVar("T")


class Cache(Generic[T]):
    def __init__(self, client: redis.asyncio.Redis, load: Callable[[str], Awaitable[str]]) -> None:
        self.client = client
        self.load = load
        self.once: AsyncScript = client.register_script(
            "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2])"
        )

    async def get(self, key: str) -> str:
        found = await self.client.get(key)
        if found is not None:
            return str(found)
        value = await self.load(key)
        await self.once(keys=[key], args=[value, 60])
        return value


async def load(key: str) -> str:
    return key.upper()


async def main(server: ValkeyServer) -> None:
    url = f"redis://{server.host}:{server.port}"
    kind = glide_scripts.redis.Redis
    async with kind(host=server.host, port=server.port, decode_responses=True) as client:
        cache: Cache[str] = Cache(client, load)
        print(await cache.get("a"), await cache.get("a"))
        async with client.pipeline(transaction=True) as pipe:
            pipe.incr("n")
            pipe.get("a")
            print(await pipe.execute())
        async with client.lock("l", timeout=5) as lock:
            print(await lock.owned())
    async with glide_scripts.redis.from_url(url) as other:
        script = other.register_script("return ARGV[1]")
        print(await script(args=["b"]))


def blocking(server: ValkeyServer) -> None:
    with glide_scripts.redis.sync.Redis(host=server.host, port=server.port) as client:
        client.set("k", 1)
        print(client.get("k"), client.eval("return 1", 0))


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server))
        blocking(server)
# prints: A A
# prints: [1, 'A']
# prints: True
# prints: b'b'
# prints: b'1' 1
