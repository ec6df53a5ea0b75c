"""How often an operation of an asynchronous client is done, by a number of tasks at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from bench.measuring import own_cpu

Operation = Callable[[int], Awaitable[object]]
"""Is given the operation's number."""


class Rate(NamedTuple):
    """How often an operation was done each second, and the seconds of CPU that one took."""

    each_second: float
    cpu: float


async def rate_of(operation: Operation, in_flight: int, seconds: float) -> Rate:
    done, numbers = 0, itertools.count()
    end = time.perf_counter() + seconds

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await operation(next(numbers))
            done += 1

    before, started = own_cpu(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    elapsed = time.perf_counter() - started
    return Rate(done / elapsed, (own_cpu() - before) / done)
