"""A rate limiter per user with a sliding window, as a decorator."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ParamSpec, TypedDict, TypeVar

from glide_scripts import GlideClient, Json, Key, Script, typed_script
from glide_scripts.testing import ValkeyServer

P = ParamSpec("P")
R = TypeVar("R")


class Decision(TypedDict):
    allowed: bool
    left: int
    at: float


@dataclass(frozen=True)
class Limit:
    calls: int
    window: float = 60.0


@typed_script(
    Script(
        """
local limit = cjson.decode(ARGV[1])
local now = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - limit.window)
local used = redis.call('ZCARD', KEYS[1])
if used >= limit.calls then return cjson.encode({allowed=false, left=0, at=now}) end
redis.call('ZADD', KEYS[1], now, ARGV[2] .. ':' .. used)
return cjson.encode({allowed=true, left=limit.calls - used - 1, at=now})
""",
        name="window",
    )
)
def window(user: Key, limit: Limit, now: float) -> Json[Decision]: ...


class Refused(Exception):
    pass


class Limiter:
    def __init__(self, client: GlideClient, limit: Limit) -> None:
        self.client = client
        self.limit = limit

    async def check(self, user: str) -> Decision:
        now = datetime.now(UTC).timestamp()
        return await window(self.client, user, limit=self.limit, now=now)

    def __call__(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(function)
        async def limited(*args: P.args, **kwargs: P.kwargs) -> R:
            decision = await self.check(function.__name__)
            if not decision["allowed"]:
                raise Refused(f"{decision['left']} left")
            return await function(*args, **kwargs)

        return limited


async def main(url: str) -> None:
    async with await GlideClient.from_url(url) as client:
        limiter = Limiter(client, Limit(2))

        @limiter
        async def greet(name: str) -> str:
            return f"hello {name}"

        print(await greet("a"), await greet("b"))
        try:
            await greet("c")
        except Refused as refused:
            print(refused)


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server.url))
# prints: hello a hello b
# prints: 0 left
