"""Waiting for a condition, never for a fixed time."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from glide_scripts import GlideClient, Script, TimeoutError


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


async def timed_out(client: GlideClient, script: Script, **options: Any) -> TimeoutError:
    """The error of a call whose timeout passed while its script ran.

    On a busy machine, the timeout may pass before the call is sent. Then another call is made. It
    may also pass between EVALSHA and EVAL, so the script is loaded first.
    """
    await client.script_load(script)
    errors: list[TimeoutError] = []

    async def was_sent() -> bool:
        with pytest.raises(TimeoutError) as caught:
            await client.invoke_script(script, **options)
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
