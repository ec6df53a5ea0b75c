"""Waiting for a condition, never for a fixed time."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable

import anyio
import pytest

from glide_scripts import TimeoutError


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


async def timed_out(call: Callable[[], Awaitable[object]]) -> TimeoutError:
    """The error of a call whose timeout passed after it was sent.

    On a busy machine, the timeout may pass before that. Then another call is made.
    """
    errors: list[TimeoutError] = []

    async def was_sent() -> bool:
        with pytest.raises(TimeoutError) as caught:
            await call()
        errors.append(caught.value)
        return caught.value.may_have_executed

    await until(was_sent)
    return errors[-1]


def block_until(condition: Callable[[], object], within: float = 30.0) -> None:
    """As ``until``, where no event loop runs."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{condition} does not hold within {within} seconds"
        time.sleep(0.005)
