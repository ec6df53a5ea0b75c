"""How long one step of the event loop takes at most, while this package's clients are used.

    python -m bench.loop_steps [--times 20]

A step is one run of one callback or task, between two polls of the loop. Its CPU time is measured,
which does not include other programs on a busy machine. Each operation runs several times, the
first ones with a new client. The output is the median and the maximum of each run's longest step.
"""

from __future__ import annotations

import argparse
import asyncio
import asyncio.events
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from glide_scripts import GlideClient, GlideClusterClient, Script
from glide_scripts.redis import Redis, RedisCluster
from glide_scripts.testing import ValkeyCluster, ValkeyServer

SCRIPT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
steps: list[float] = []


def watch_steps() -> None:
    run = asyncio.events.Handle._run

    def measured(self: asyncio.Handle) -> None:
        started = time.thread_time()
        run(self)
        steps.append(time.thread_time() - started)

    asyncio.events.Handle._run = measured  # type: ignore[method-assign]


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.loop_steps")
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    watch_steps()
    # Otherwise, one of fifty runs meets a full collection of Python's, 20 ms for these imports.
    gc.freeze()
    print(f"{'operation':44}{'median, ms':>12}{'longest, ms':>13}")
    with ValkeyServer() as server, ValkeyCluster() as cluster:
        host, port = cluster.addresses[0]
        redis_url = server.url.replace("valkey://", "redis://")
        for name, operation in operations(server.url, redis_url, f"{host}:{port}").items():
            longest = []
            for _ in range(options.times):
                # Let the last run's leftover work end first.
                await asyncio.sleep(0.01)
                steps.clear()
                await operation()
                # The current step is counted only when it ends.
                await asyncio.sleep(0)
                longest.append(max(steps) * 1e3)
            print(f"{name:44}{statistics.median(longest):>12.2f}{max(longest):>13.2f}", flush=True)


def operations(url: str, redis_url: str, node: str) -> dict[str, Callable[[], Awaitable[object]]]:
    script = Script(SCRIPT)

    async def create(client_class: Any, url: str) -> None:
        client = await client_class.from_url(url)
        await client.invoke_script(script, ["n"], ["1"])
        await client.close()

    async def first_call(client_class: Any, url: str) -> None:
        client = client_class.from_url(url)
        await client.register_script(SCRIPT)(["n"], [1])
        await client.aclose()

    async def gathered(count: int) -> None:
        async with Redis.from_url(redis_url) as client:
            registered = client.register_script(SCRIPT)
            await asyncio.gather(*(registered(["n"], [1]) for _ in range(count)))

    async def pipeline(count: int) -> None:
        async with Redis.from_url(redis_url) as client:
            registered = client.register_script(SCRIPT)
            pipe = client.pipeline()
            for _ in range(count):
                await registered(["n"], [1], client=pipe)
            await pipe.execute()

    async def failing() -> None:
        async with Redis.from_url(redis_url) as client:
            await asyncio.gather(
                client.register_script("return nothing.x")(), return_exceptions=True
            )

    return {
        "GlideClient: create, call, close": lambda: create(GlideClient, url),
        "GlideClusterClient: create, call, close": lambda: create(
            GlideClusterClient, f"valkey://{node}"
        ),
        "Redis: first call, close": lambda: first_call(Redis, redis_url),
        "RedisCluster: first call, close": lambda: first_call(RedisCluster, f"redis://{node}"),
        "Redis: 100 scripts at once": lambda: gathered(100),
        "Redis: a pipeline of 100 scripts": lambda: pipeline(100),
        "Redis: a script's error": failing,
    }


if __name__ == "__main__":
    asyncio.run(main())
