"""Compare redis-py's clients on their own connections and on this package's.

    python -m bench.redis_py [--secs 2] [--turns 10]

Needs redis-py with hiredis, and limits. The two transports take turns against one server, then
against one cluster: of a busy machine, both get the same share. A ratio is the median of the turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Callable
from typing import Any

import redis.asyncio
from bench.operations import Operation, Rate, rate_of
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisClusterStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from redis.asyncio.lock import Lock

from glide_scripts.redis import Redis, RedisCluster, install
from glide_scripts.testing import ValkeyCluster, ValkeyServer

SCRIPT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.redis_py")
    parser.add_argument("--secs", type=float, default=2.0, help="of each transport, for a line")
    parser.add_argument("--turns", type=int, default=10)
    options = parser.parse_args()
    print(f"{'operation':34}{'in flight':>10}{'redis-py':>10}{'here':>10}  {'ratio':18}{'CPU':>6}")
    with ValkeyServer() as server:
        url = server.url.replace("valkey://", "redis://")
        await compare("", url, OPERATIONS, options)
    with ValkeyCluster() as cluster:
        host, port = cluster.addresses[0]
        operations = {name: OPERATIONS[name] for name in IN_CLUSTER}
        await compare("cluster, ", f"redis+cluster://{host}:{port}", operations, options)


async def compare(
    where: str, url: str, operations: dict[str, Callable[..., Any]], options: argparse.Namespace
) -> None:
    for name, make in operations.items():
        both = [make(url, is_here) for is_here in (False, True)]
        for operation, _ in both:
            for number in range(200):
                await operation(number)
        for in_flight in (1, 100):
            turns = []
            for turn in range(options.turns):
                rates: dict[bool, Rate] = {}
                # Neither always comes first.
                for is_here in (bool(turn % 2), not turn % 2):
                    rates[is_here] = await rate_of(
                        both[is_here][0], in_flight, options.secs / options.turns
                    )
                turns.append((rates[False], rates[True]))
            own, here = (statistics.median(turn[i].each_second for turn in turns) for i in (0, 1))
            ratios = sorted(here.each_second / own.each_second for own, here in turns)
            cpus = statistics.median(here.cpu / own.cpu for own, here in turns)
            ratio = f"{statistics.median(ratios):.1f} [{ratios[0]:.1f}..{ratios[-1]:.1f}]"
            line = f"{where + name:34}{in_flight:>10}{own:>10,.0f}{here:>10,.0f}"
            print(f"{line}  {ratio:18}{cpus:>6.2f}", flush=True)
        for _, close in both:
            await close()


def client(url: str, is_here: bool) -> Any:
    if "cluster" in url:
        kind: Any = RedisCluster if is_here else redis.asyncio.RedisCluster
        return kind.from_url(url.replace("+cluster", ""), max_connections=200)
    kind = Redis if is_here else redis.asyncio.Redis
    return kind.from_url(url, max_connections=200)


def limits_window(strategy: Any) -> Callable[..., Any]:
    def make(url: str, is_here: bool) -> tuple[Operation, Any]:
        made = install() if is_here else None
        kind = RedisClusterStorage if "cluster" in url else RedisStorage
        storage = kind(f"async+{url}", implementation="redispy")
        if made is not None:
            made.uninstall()
        limiter, item = strategy(storage), RateLimitItemPerSecond(1_000_000)
        return lambda number: limiter.hit(
            item, f"{strategy.__name__}:{number % 100}"
        ), storage.bridge.storage.aclose

    return make


def lock(url: str, is_here: bool) -> tuple[Operation, Any]:
    made = client(url, is_here)
    # The class keeps the scripts that its first client made.
    kind = type("Lock", (Lock,), dict.fromkeys(("lua_release", "lua_extend", "lua_reacquire")))

    async def hold(number: int) -> None:
        async with made.lock(f"lock:{number}", timeout=10, lock_class=kind):
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

# A cluster pipeline of redis-py's own holds no scripts.
IN_CLUSTER = ("registered script", "limits, fixed window", "limits, moving window", "Lock")

if __name__ == "__main__":
    asyncio.run(main())
