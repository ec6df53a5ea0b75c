"""The runtime of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING

from ..importing import import_now
from .runtime import ASYNCIO, Runtime
from .what_runs import is_asyncio, is_trio, no_running_loop

if TYPE_CHECKING:
    from .trio_run import TrioRun


def running() -> Runtime:
    """What the caller runs on.

    Raises:
        RuntimeError: Neither asyncio nor trio runs here.
    """
    trio = running_trio()
    if trio is not None:
        return trio
    if not is_asyncio():
        raise no_running_loop()
    return ASYNCIO


def running_trio() -> TrioRun | None:
    """The run of trio whose task calls this; None elsewhere."""
    if not is_trio():
        return None
    return _trio_run()()


@cache
def _trio_run() -> Callable[[], TrioRun]:
    # Once: another thread's import would hold the loop for as long as it takes.
    return import_now(_import_trio_run)


def _import_trio_run() -> Callable[[], TrioRun]:
    from .trio_run import current_run  # noqa: PLC0415 - trio is optional

    return current_run


async def to_its_end(waiting: Awaitable[object]) -> None:
    """Await something that takes no time, also in a scope of trio that is cancelled already."""
    if not is_trio():
        await waiting
        return
    import trio  # noqa: PLC0415 - trio is optional

    with trio.CancelScope(shield=True):
        await waiting


async def turn() -> None:
    """Let other tasks run. A thread that blocks just goes on."""
    if is_trio():
        import trio  # noqa: PLC0415 - trio is optional

        await trio.lowlevel.checkpoint()
    else:
        await asyncio.sleep(0)
