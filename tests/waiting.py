"""Waiting for a condition, never for a fixed time."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable

import anyio


async def until(condition: Callable[[], object | Awaitable[object]], within: float = 30.0) -> None:
    """Waits until a condition holds, asking again and again, under asyncio or trio.

    Args:
        condition: A function, or a coroutine function, that gives something true once it holds.
        within: Seconds after which the test fails.
    """
    deadline = time.monotonic() + within
    while True:
        holds = condition()
        if inspect.isawaitable(holds):
            holds = await holds
        if holds:
            return
        assert time.monotonic() < deadline, f"{condition} does not hold within {within} seconds"
        await anyio.sleep(0.005)


def block_until(condition: Callable[[], object], within: float = 30.0) -> None:
    """As ``until``, where no event loop runs."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{condition} does not hold within {within} seconds"
        time.sleep(0.005)
