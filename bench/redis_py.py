"""Compare redis-py's clients on their own connections and on this package's.

    python -m bench.redis_py [--secs 2]

Needs redis-py with hiredis, and limits. Both transports run in turn against one server, and against
a cluster where redis-py has the operation there.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from glide_scripts.redis import Redis, install
from glide_scripts.testing import ValkeyServer

SCRIPT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
Operation = Callable[[int], Awaitable[object]]


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.redis_py")
    parser.add_argument("--secs", type=float, default=2.0)
    options = parser.parse_args()
    print(f"{'operation':24}{'in flight':>10}{'redis-py':>12}{'here':>12}{'ratio':>8}{'CPU':>8}")
    with ValkeyServer() as server:
        for name, make in OPERATIONS.items():
            for in_flight in (1, 100):
                own = await measured(make, server, False, in_flight, options.secs)
                here = await measured(make, server, True, in_flight, options.secs)
                print(
                    f"{name:24}{in_flight:>10}{own[0]:>12,.0f}{here[0]:>12,.0f}"
                    f"{here[0] / own[0]:>8.1f}{here[1] / own[1]:>8.2f}"
                )


async def measured(
    make: Callable[..., Any], server: ValkeyServer, is_here: bool, in_flight: int, seconds: float
) -> tuple[float, float]:
    """Return the operations a second, and the seconds of CPU of each."""
    url = server.url.replace("valkey://", "redis://")
    operation, close = make(url, is_here)
    for _ in range(3):
        await operation(0)
    done, numbers = 0, itertools.count()
    end = time.perf_counter() + seconds

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await operation(next(numbers))
            done += 1

    before, started = cpu(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    elapsed = time.perf_counter() - started
    used = cpu() - before
    await close()
    return done / elapsed, used / done


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def client(url: str, is_here: bool) -> Any:
    kind = Redis if is_here else redis.asyncio.Redis
    return kind.from_url(url, max_connections=200)


def limits_window(strategy: Any) -> Callable[..., Any]:
    def make(url: str, is_here: bool) -> tuple[Operation, Any]:
        made = install() if is_here else None
        storage = RedisStorage(f"async+{url}", implementation="redispy")
        if made is not None:
            made.uninstall()
        limiter, item = strategy(storage), RateLimitItemPerSecond(1_000_000)
        return lambda number: limiter.hit(
            item, f"{strategy.__name__}:{number % 100}"
        ), storage.bridge.storage.aclose

    return make


def lock(url: str, is_here: bool) -> tuple[Operation, Any]:
    made = client(url, is_here)

    async def hold(number: int) -> None:
        async with made.lock(f"lock:{number}", timeout=10):
            pass

    return hold, made.aclose


def pipeline(url: str, is_here: bool) -> tuple[Operation, Any]:
    made = client(url, is_here)
    script = made.register_script(SCRIPT)

    async def execute(number: int) -> None:
        pipe = made.pipeline(transaction=False)
        for key in range(100):
            await script([f"n:{key}"], ["1"], client=pipe)
        await pipe.execute()

    return execute, made.aclose


def script(url: str, is_here: bool) -> tuple[Operation, Any]:
    made = client(url, is_here)
    registered = made.register_script(SCRIPT)
    return lambda number: registered([f"n:{number % 100}"], ["1"]), made.aclose


OPERATIONS: dict[str, Callable[..., Any]] = {
    "registered script": script,
    "limits, fixed window": limits_window(FixedWindowRateLimiter),
    "limits, moving window": limits_window(MovingWindowRateLimiter),
    "Lock": lock,
    "pipeline of 100 scripts": pipeline,
}

if __name__ == "__main__":
    asyncio.run(main())
