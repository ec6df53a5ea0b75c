"""Work that goes on beside a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def repeating(work: Callable[[], Awaitable[object]], pause: float) -> AsyncIterator[None]:
    """Does some work again and again in a task of its own, until the end of the block.

    Args:
        work: A function whose result is awaited.
        pause: Seconds between the end of the work and its next beginning.
    """
    stop = asyncio.Event()

    async def repeat() -> None:
        while not stop.is_set():
            await work()
            await asyncio.sleep(pause)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        stop.set()
        await task
