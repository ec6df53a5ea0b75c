"""Compare libraries on redis-py's connections and on this package's.

    python -m bench.libraries [--secs 2] [--turns 10] [--docs docs/migrating/libraries] [saq ...]

Each library runs in two processes, one with ``install()`` before its import. They take turns
against one server: of a busy machine, both get the same share. A ratio is the median of the turns.
Needs redis-py with hiredis, and the libraries that are to be measured. With ``--docs``, the tables
of their pages are written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.operations import Operation, rate_of

from glide_scripts.testing import ValkeyServer

HEAD = "| in flight | redis-py, calls/s | glide_scripts, calls/s | ratio | CPU per call |"
Make = Callable[[str], Awaitable[Operation]]


async def limits(url: str) -> Operation:
    from limits import RateLimitItemPerSecond
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import MovingWindowRateLimiter

    limiter = MovingWindowRateLimiter(RedisStorage(f"async+{url}", implementation="redispy"))
    item = RateLimitItemPerSecond(1_000_000)
    return lambda number: limiter.hit(item, f"user:{number % 100}")


async def pyrate_limiter(url: str) -> Operation:
    from pyrate_limiter import Limiter, Rate, RedisBucket
    from redis.asyncio import Redis

    bucket: Any = await RedisBucket.init([Rate(1_000_000, 1000)], Redis.from_url(url), "bucket")
    limiter = Limiter(bucket)
    return lambda number: limiter.try_acquire_async(f"user:{number % 100}")


async def throttled_py(url: str) -> Operation:
    from throttled.asyncio import RateLimiterType, Throttled, rate_limiter, store

    made = Throttled(
        using=RateLimiterType.TOKEN_BUCKET.value,
        quota=rate_limiter.per_sec(1_000_000, burst=1_000_000),
        store=store.RedisStore(server=url),
    )
    return lambda number: made.limit(f"user:{number % 100}")


async def aiocache(url: str) -> Operation:
    from aiocache import Cache

    cache = Cache.from_url(url)
    return lambda number: cache.set(f"key:{number % 100}", "value", ttl=60)


async def arq(url: str) -> Operation:
    from arq import create_pool
    from arq.connections import RedisSettings

    pool = await create_pool(RedisSettings.from_dsn(url))
    return lambda number: pool.enqueue_job("work", number)


async def saq(url: str) -> Operation:
    from saq import Queue

    queue = Queue.from_url(url)
    await queue.connect()
    return lambda number: queue.enqueue("work", number=number)


async def bullmq(url: str) -> Operation:
    from bullmq import Queue

    queue = Queue("work", {"connection": url})
    return lambda number: queue.add("work", {"number": number})


async def taskiq_redis(url: str) -> Operation:
    from taskiq import BrokerMessage
    from taskiq_redis import RedisStreamBroker

    broker = RedisStreamBroker(url, maxlen=1000)
    await broker.startup()
    message = BrokerMessage(task_id="1", task_name="work", message=b"{}", labels={})
    return lambda number: broker.kick(message)


async def channels_redis(url: str) -> Operation:
    from channels_redis.core import RedisChannelLayer

    layer = RedisChannelLayer(hosts=[url], capacity=1_000_000)
    for name in range(10):
        await layer.group_add("group", f"specific.{name}!end")
    return lambda number: layer.group_send("group", {"type": "message", "number": number})


LIBRARIES: dict[str, Make] = {
    each.__name__: each
    for each in (
        limits, pyrate_limiter, throttled_py, aiocache, arq, saq, bullmq, taskiq_redis,
        channels_redis,
    )
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.libraries")
    parser.add_argument("libraries", nargs="*", choices=[*LIBRARIES, []])
    parser.add_argument("--secs", type=float, default=2.0, help="of each transport, for a line")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--docs", type=Path, help="the folder of the libraries' pages")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(work(*options.worker, *options.libraries))
        return
    print(f"{'library':16}{'in flight':>10}{'redis-py':>10}{'here':>10}  {'ratio':20}{'CPU':>6}")
    for name in options.libraries or LIBRARIES:
        table = compare(name, options.secs, options.turns)
        if options.docs is not None:
            write(options.docs / f"{name.replace('_', '-')}.md", table)


def write(page: Path, table: list[str]) -> None:
    """Put a table in the place of a page's present one."""
    before, _, rest = page.read_text().partition(f"{HEAD}\n")
    lines = rest.splitlines(keepends=True)
    while lines and lines[0].startswith("|"):
        del lines[0]
    page.write_text("".join([before, HEAD, "\n", *(f"{line}\n" for line in table), *lines]))


def compare(name: str, seconds: float, turns: int) -> list[str]:
    """Print a library's lines, and return them for its page."""
    table = ["|---|---|---|---|---|"]
    with ExitStack() as stack:
        workers = []
        for transport in ("own", "here"):
            server = stack.enter_context(ValkeyServer())
            url = server.url.replace("valkey://", "redis://")
            command = [sys.executable, "-m", "bench.libraries", "--worker", transport, url, name]
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            stack.callback(worker.wait)
            stack.callback(worker.kill)
            workers.append(worker)
        for in_flight in (1, 100):
            rates: list[list[tuple[float, float]]] = [[], []]
            for turn in range(turns):
                # Neither always comes first.
                for index in (turn % 2, 1 - turn % 2):
                    rates[index].append(ask(workers[index], in_flight, seconds / turns))
            pairs = list(zip(*rates, strict=True))
            ratios = sorted(here[0] / own[0] for own, here in pairs)
            cpu = statistics.median(here[1] / own[1] for own, here in pairs)
            own, here = (statistics.median(rate for rate, _ in each) for each in rates)
            ratio = f"{statistics.median(ratios):.1f} [{ratios[0]:.1f}..{ratios[-1]:.1f}]"
            line = f"{name:16}{in_flight:>10}{own:>10,.0f}{here:>10,.0f}"
            print(f"{line}  {ratio:20}{cpu:>6.2f}", flush=True)
            table.append(f"| {in_flight} | {own:,.0f} | {here:,.0f} | {ratio} | {cpu:.2f} × |")
    return table


def ask(worker: subprocess.Popen[str], in_flight: int, seconds: float) -> tuple[float, float]:
    """Let a worker run; return the operations a second, and the seconds of CPU of each."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps([in_flight, seconds]) + "\n")
    worker.stdin.flush()
    rate, cpu = json.loads(worker.stdout.readline())
    return rate, cpu


async def work(transport: str, url: str, name: str) -> None:
    if transport == "here":
        from glide_scripts.redis import install

        install()
    operation = await LIBRARIES[name](url)
    for number in range(200):
        await operation(number)
    for line in sys.stdin:
        print(json.dumps(await rate_of(operation, *json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
